// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Withdrawal gateway
/// @notice The address in the withdrawal credentials of all validators: the consensus layer pays sweeps and exits here
/// (EIP-4895, which runs no code). Anybody may hand them to the vault; a report always does.
interface IWithdrawalGateway {
    event Swept(uint256 amount);
    /// @notice `amount` gwei was asked of the validator (EIP-7002); 0 is its exit.
    event WithdrawalRequested(bytes pubkey, uint64 amount);
    /// @notice EIP-7251.
    event ConsolidationRequested(bytes source, bytes target);

    error AddressMissing();
    error CallerNotAllowed(address caller, address allowed);
    error PubkeyLengthInvalid(uint256 length);
    error LengthMismatch(uint256 first, uint256 second);
    /// @notice The ether sent (wei) is below the fees of the predeploy.
    error FeeTooLow(uint256 sent, uint256 needed);
    /// @notice The predeploy refused.
    error RequestFailed(bytes pubkey);
    error RefundFailed(address receiver, uint256 amount);

    /// @notice The vault that sweeps go to.
    function VAULT() external view returns (address);

    /// @notice Hand what has arrived to the vault, in whole gwei and at most what the vault has outside.
    /// Sends nothing and does not revert where there is nothing to hand over.
    /// @return amount wei
    function sweep() external returns (uint256 amount);

    // --- Requests (validator manager only) ---

    /// @notice Who may send requests.
    function MANAGER() external view returns (address);

    /// @notice Ask for exits (amount 0) and partial withdrawals (gwei) through the EIP-7002 predeploy. Pays its fee for
    /// each from the ether sent; the rest goes to `refundTo`. What lies in the gateway is never touched.
    function requestWithdrawals(bytes[] calldata pubkeys, uint64[] calldata amounts, address refundTo) external payable;

    /// @notice Move `source` into `target` through the EIP-7251 predeploy; equal keys switch a 0x01 validator to 0x02.
    function requestConsolidation(bytes calldata source, bytes calldata target, address refundTo) external payable;

    /// @notice Fee of the next withdrawal request and of the next consolidation request, wei.
    function fees() external view returns (uint256 withdrawal, uint256 consolidation);
}
