// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IStakingVault} from "../../interfaces/IStakingVault.sol";
import {LstRateProvider} from "./LstRateProvider.sol";

/// @title Rate of slETH
/// @notice The core rate. A slashing that was proven and that no report has counted makes it sick, as does a missing report:
/// who knows of a loss before the core does cannot sell it here.
contract SlEthRateProvider is LstRateProvider {
    constructor(address authority_, Limits memory limits_, IStakingVault vault)
        LstRateProvider(authority_, limits_, Pin(address(0), 0, 0, address(0), 0, 0), vault.share(), address(vault))
    {
        _start();
    }

    /// @dev {IStakingVault-convertToAssets} rounds down.
    function _readSource() internal view override returns (uint256 low, uint256 high) {
        low = IStakingVault(payable(SOURCE)).convertToAssets(ONE);
        high = low + 1;
    }

    function _reportTime() internal view override returns (uint256) {
        return IStakingVault(payable(SOURCE)).referenceTime();
    }

    function _condition() internal view override returns (Health) {
        bool pending = IStakingVault(payable(SOURCE)).slashingPendingUntil() > block.timestamp;
        return pending ? Health.SlashingPending : Health.Healthy;
    }
}
