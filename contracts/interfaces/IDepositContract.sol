// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Deposit contract of the consensus layer
/// @notice The one function Sluice calls, as specified in the consensus specs (phase 0, deposit contract).
interface IDepositContract {
    /// @param pubkey 48 bytes
    /// @param withdrawalCredentials 32 bytes
    /// @param signature 96 bytes
    /// @param depositDataRoot SSZ root of the four values, checked by the contract
    function deposit(
        bytes calldata pubkey,
        bytes calldata withdrawalCredentials,
        bytes calldata signature,
        bytes32 depositDataRoot
    ) external payable;
}
