// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Cover for losses
/// @notice A holder of slETH that gives shares to the vault when a report carries a loss: operators' bonds, the cover fund.
interface ILossCover {
    /// @notice Transfer up to `shares` slETH to the caller, who burns them. Vault only.
    /// @dev What is not transferred within the call does not count; giving less, or reverting, leaves the rest of the
    /// loss to the next step of the waterfall.
    function cover(uint256 shares) external;
}
