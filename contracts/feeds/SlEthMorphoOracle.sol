// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ISlEthMorphoOracle} from "../interfaces/ISlEthMorphoOracle.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";

/// @title Core rate of slETH for a Morpho market that lends ether on it
/// @notice See {ISlEthMorphoOracle}.
contract SlEthMorphoOracle is ISlEthMorphoOracle {
    uint256 private constant SCALE = 1e36;

    IStakingVault private immutable VAULT;

    constructor(address vault_) {
        VAULT = IStakingVault(payable(vault_));
        VAULT.rate(); // an address that has none is refused here
    }

    /// @inheritdoc ISlEthMorphoOracle
    /// @dev `SCALE` shares are worth below 2 ** 120 * 2 ** 96 before the division.
    function price() external view returns (uint256) {
        return VAULT.convertToAssets(SCALE);
    }

    /// @inheritdoc ISlEthMorphoOracle
    function vault() external view returns (address) {
        return address(VAULT);
    }
}
