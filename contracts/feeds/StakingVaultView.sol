// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC7575} from "../interfaces/IERC7535.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {IStakingVaultView} from "../interfaces/IStakingVaultView.sol";

/// @title Staking vault, to look at
/// @notice See {IStakingVaultView}.
contract StakingVaultView is IStakingVaultView {
    address private immutable ASSET;
    address private immutable SHARE;
    IStakingVault private immutable VAULT;

    constructor(address weth, address vault_) {
        ASSET = weth;
        VAULT = IStakingVault(payable(vault_));
        SHARE = VAULT.share(); // an address that has none is refused here
    }

    /// @inheritdoc IStakingVaultView
    function totalAssets() external view returns (uint256) {
        return VAULT.totalAssets();
    }

    /// @inheritdoc IStakingVaultView
    function convertToShares(uint256 assets) external view returns (uint256) {
        return VAULT.convertToShares(assets);
    }

    /// @inheritdoc IStakingVaultView
    function convertToAssets(uint256 shares) external view returns (uint256) {
        return VAULT.convertToAssets(shares);
    }

    /// @inheritdoc IStakingVaultView
    function previewDeposit(uint256 assets) external view returns (uint256) {
        return VAULT.previewDeposit(assets);
    }

    /// @inheritdoc IStakingVaultView
    function previewMint(uint256 shares) external view returns (uint256) {
        return VAULT.previewMint(shares);
    }

    /// @inheritdoc IStakingVaultView
    function previewWithdraw(uint256 assets) external view returns (uint256) {
        return VAULT.previewWithdraw(assets);
    }

    /// @inheritdoc IStakingVaultView
    function previewRedeem(uint256 shares) external view returns (uint256) {
        return VAULT.previewRedeem(shares);
    }

    /// @inheritdoc IStakingVaultView
    function asset() external view returns (address) {
        return ASSET;
    }

    /// @inheritdoc IERC7575
    function share() external view returns (address) {
        return SHARE;
    }

    /// @inheritdoc IStakingVaultView
    function vault() external view returns (address) {
        return address(VAULT);
    }

    /// @inheritdoc IStakingVaultView
    function decimals() external pure returns (uint8) {
        return 18;
    }

    /// @inheritdoc IStakingVaultView
    function maxDeposit(address) external pure returns (uint256) {
        return 0;
    }

    /// @inheritdoc IStakingVaultView
    function maxMint(address) external pure returns (uint256) {
        return 0;
    }

    /// @inheritdoc IStakingVaultView
    function maxWithdraw(address) external pure returns (uint256) {
        return 0;
    }

    /// @inheritdoc IStakingVaultView
    function maxRedeem(address) external pure returns (uint256) {
        return 0;
    }

    /// @inheritdoc IStakingVaultView
    function deposit(uint256, address) external pure returns (uint256) {
        revert ViewOnly();
    }

    /// @inheritdoc IStakingVaultView
    function mint(uint256, address) external pure returns (uint256) {
        revert ViewOnly();
    }

    /// @inheritdoc IStakingVaultView
    function withdraw(uint256, address, address) external pure returns (uint256) {
        revert ViewOnly();
    }

    /// @inheritdoc IStakingVaultView
    function redeem(uint256, address, address) external pure returns (uint256) {
        revert ViewOnly();
    }
}
