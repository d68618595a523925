// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Withdrawal gateway
/// @notice The address in the withdrawal credentials of all validators: the consensus layer pays sweeps and exits here
/// (EIP-4895, which runs no code). Anybody may hand them to the vault; a report always does.
interface IWithdrawalGateway {
    event Swept(uint256 amount);

    error AddressMissing();

    /// @notice The vault that sweeps go to.
    function VAULT() external view returns (address);

    /// @notice Hand what has arrived to the vault, in whole gwei and at most what the vault has outside.
    /// Sends nothing and does not revert where there is nothing to hand over.
    /// @return amount wei
    function sweep() external returns (uint256 amount);
}
