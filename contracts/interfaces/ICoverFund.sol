// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ILossCover} from "./ILossCover.sol";

/// @title Cover fund
/// @notice slETH set aside for losses that bonds and unvested rewards leave. Anybody adds to it by a transfer; it earns
/// like any holder, and what a loss takes is burnt by the vault so that the rate of all others stays.
interface ICoverFund is ILossCover {
    event Covered(uint256 wanted, uint256 given);
    event Migrated(address indexed to, uint256 shares);

    error CallerNotAllowed(address caller, address allowed);

    /// @notice Move the whole fund to `to`, the fund that replaces this one. Restricted.
    function migrate(address to) external;
}
