// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Withdrawal gateway
/// @notice The address in the withdrawal credentials of all validators: the consensus layer pays sweeps and exits here
/// (EIP-4895, which runs no code). Anybody may hand them to the vault; a report always does.
interface IWithdrawalGateway {
    event Swept(uint256 amount);

    error AddressMissing();
    error CallerNotAllowed(address caller, address allowed);
    error PubkeyLengthInvalid(uint256 length);
    error LengthMismatch(uint256 pubkeys, uint256 amounts);
    /// @notice The ether sent (wei) does not pay the fees of the predeploy.
    error FeeTooLow(uint256 sent, uint256 needed);
    /// @notice The predeploy tells no fee: it is missing, or has not seen its first block.
    error RequestsUnavailable(address predeploy);
    error RequestRefused(address predeploy);
    error RefundFailed(address receiver, uint256 amount);

    /// @notice The vault that sweeps go to.
    function VAULT() external view returns (address);

    /// @notice Hand what has arrived to the vault, in whole gwei and at most what the vault has outside.
    /// Sends nothing and does not revert where there is nothing to hand over.
    /// @return amount wei
    function sweep() external returns (uint256 amount);

    // --- Requests (validator manager only; the predeploys log them) ---

    /// @notice Who may ask for exits.
    function MANAGER() external view returns (address);

    /// @notice Ask validators for exits (amount 0) and parts of their balance (gwei) through the EIP-7002 predeploy. Its fee
    /// for each is paid from the ether sent, and the rest goes to `refundTo`: what lies in the gateway is never touched.
    /// @dev The consensus layer ignores what it cannot do, without an error: keys that are not ours, parts of what is not
    /// there. Errors: {CallerNotAllowed}, {LengthMismatch}, {PubkeyLengthInvalid}, {FeeTooLow}, {RequestsUnavailable},
    /// {RequestRefused}, {RefundFailed}.
    function requestWithdrawals(bytes[] calldata pubkeys, uint64[] calldata amounts, address refundTo) external payable;

    /// @notice Ask for the whole balance of `source` to move into `target` (EIP-7251). Fees as above.
    function requestConsolidation(bytes calldata source, bytes calldata target, address refundTo) external payable;

    /// @notice Fee of a withdrawal request and of a consolidation request in this block, wei.
    function fees() external view returns (uint256 withdrawal, uint256 consolidation);
}
