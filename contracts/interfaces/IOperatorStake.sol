// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Stake of an operator
/// @notice The one thing that bonds need to know of the validator manager.
interface IOperatorStake {
    /// @return staked gwei in proven validators that have not left
    /// @return prepared validators that are not proven yet
    /// @return validators proven and not gone
    function stakeOf(uint256 operator) external view returns (uint64 staked, uint32 prepared, uint32 validators);
}
