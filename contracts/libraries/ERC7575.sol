// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title ERC-165 ids of an ERC-7575 vault
/// @notice A vault that implements the whole standard answers to the id of each of its parts, too.
library ERC7575 {
    bytes4 private constant MINIMAL = 0x50a526d6; // asset, share, convertToAssets, convertToShares, totalAssets
    bytes4 private constant DEPOSIT = 0xc1f329ef; // deposit, previewDeposit, maxDeposit
    bytes4 private constant MINT = 0xe1550342; // mint, previewMint, maxMint
    bytes4 private constant REDEEM = 0x2fd7d42a; // redeem, previewRedeem, maxRedeem
    bytes4 private constant WITHDRAW = 0x70dec094; // withdraw, previewWithdraw, maxWithdraw

    function isVaultId(bytes4 id) internal pure returns (bool) {
        return id == MINIMAL || id == DEPOSIT || id == MINT || id == REDEEM || id == WITHDRAW
            || id == MINIMAL ^ DEPOSIT ^ MINT ^ REDEEM ^ WITHDRAW;
    }
}
