// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IBalancerRateProvider} from "../interfaces/IBalancerRateProvider.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";

/// @title Core rate of slETH for pools
/// @notice See {IBalancerRateProvider}.
contract BalancerRateProvider is IBalancerRateProvider {
    IStakingVault private immutable VAULT;

    constructor(address vault_) {
        VAULT = IStakingVault(payable(vault_));
        VAULT.rate(); // an address that has none is refused here
    }

    /// @inheritdoc IBalancerRateProvider
    function getRate() external view returns (uint256) {
        return VAULT.rate();
    }

    /// @inheritdoc IBalancerRateProvider
    function vault() external view returns (address) {
        return address(VAULT);
    }
}
