// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ISlEthRateProvider} from "../interfaces/ISlEthRateProvider.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";

/// @title Core rate of slETH for pools
/// @notice See {ISlEthRateProvider}.
contract SlEthRateProvider is ISlEthRateProvider {
    IStakingVault private immutable VAULT;

    constructor(address vault_) {
        VAULT = IStakingVault(payable(vault_));
        VAULT.rate(); // an address that has none is refused here
    }

    /// @inheritdoc ISlEthRateProvider
    function getRate() external view returns (uint256) {
        return VAULT.rate();
    }

    /// @inheritdoc ISlEthRateProvider
    function vault() external view returns (address) {
        return address(VAULT);
    }
}
