// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC7575} from "./IERC7535.sol";

/// @title Staking vault, to look at: the views of ERC-4626 with wrapped ether as the asset
/// @notice For integrators that read rates through ERC-4626 and want an ERC-20 as the asset, which ether is not. All
/// numbers are those of the core; assets are wei of wrapped ether, shares slETH. Nothing can be put in or taken out here:
/// limits are 0 and entry points revert with {ViewOnly}. Who wants to do both takes {IAsyncRedeemVault}.
///
/// It is no token: {share} names slETH, the ERC-20 of its shares (ERC-7575).
interface IStakingVaultView is IERC7575 {
    /// @notice Nothing can be put in or taken out here.
    error ViewOnly();

    /// @notice Wrapped ether.
    function asset() external view returns (address);
    /// @notice Of slETH, and of the asset.
    function decimals() external view returns (uint8);
    /// @notice All ether of holders, vested, wei. See {IStakingVault}.
    function totalAssets() external view returns (uint256);
    /// @notice Rounded down.
    function convertToShares(uint256 assets) external view returns (uint256 shares);
    /// @notice Rounded down.
    function convertToAssets(uint256 shares) external view returns (uint256 assets);

    /// @notice 0.
    function maxDeposit(address receiver) external view returns (uint256 assets);
    /// @notice 0.
    function maxMint(address receiver) external view returns (uint256 shares);
    /// @notice 0.
    function maxWithdraw(address owner) external view returns (uint256 assets);
    /// @notice 0.
    function maxRedeem(address owner) external view returns (uint256 shares);

    /// @notice As the core would at its rate, whatever the limits (ERC-4626); rounded down.
    function previewDeposit(uint256 assets) external view returns (uint256 shares);
    /// @notice As the core would at its rate, whatever the limits (ERC-4626); rounded up.
    function previewMint(uint256 shares) external view returns (uint256 assets);
    /// @notice As the core would at its rate, whatever the limits (ERC-4626); rounded up.
    function previewWithdraw(uint256 assets) external view returns (uint256 shares);
    /// @notice As the core would at its rate, whatever the limits (ERC-4626); rounded down.
    function previewRedeem(uint256 shares) external view returns (uint256 assets);

    /// @notice Always reverts with {ViewOnly}, as do all below.
    function deposit(uint256 assets, address receiver) external returns (uint256 shares);
    function mint(uint256 shares, address receiver) external returns (uint256 assets);
    function withdraw(uint256 assets, address receiver, address owner) external returns (uint256 shares);
    function redeem(uint256 shares, address receiver, address owner) external returns (uint256 assets);

    /// @notice Whose views they are.
    function vault() external view returns (address);
}
