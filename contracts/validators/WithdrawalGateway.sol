// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {IWithdrawalGateway} from "../interfaces/IWithdrawalGateway.sol";
import {GWEI} from "../libraries/Constants.sol";

/// @title Withdrawal gateway
/// @notice See {IWithdrawalGateway}.
/// @dev Runs behind {WithdrawalGatewayProxy}, because credentials can never be changed. It keeps no storage of its own.
contract WithdrawalGateway is IWithdrawalGateway {
    /// @dev EIP-7002.
    address private constant WITHDRAWALS = 0x00000961Ef480Eb55e80D19ad83579A64c007002;
    /// @dev EIP-7251.
    address private constant CONSOLIDATIONS = 0x0000BBdDc7CE488642fb579F8B00f3a590007251;

    /// @inheritdoc IWithdrawalGateway
    address public immutable VAULT;
    /// @inheritdoc IWithdrawalGateway
    address public immutable MANAGER;

    modifier onlyManager() {
        if (msg.sender != MANAGER) revert CallerNotAllowed(msg.sender, MANAGER);
        _;
    }

    constructor(address vault_, address manager_) {
        if (vault_ == address(0) || manager_ == address(0)) revert AddressMissing();
        VAULT = vault_;
        MANAGER = manager_;
    }

    receive() external payable {}

    /// @inheritdoc IWithdrawalGateway
    function sweep() external returns (uint256 amount) {
        IStakingVault vault = IStakingVault(payable(VAULT));
        amount = Math.min(address(this).balance / GWEI * GWEI, vault.outside());
        if (amount == 0) return 0;
        emit Swept(amount);
        vault.receiveSweep{value: amount}();
    }

    // --- Requests ---

    /// @inheritdoc IWithdrawalGateway
    function requestWithdrawals(bytes[] calldata pubkeys, uint64[] calldata amounts, address refundTo)
        external
        payable
        onlyManager
    {
        if (pubkeys.length != amounts.length) revert LengthMismatch(pubkeys.length, amounts.length);
        // follows what was asked for up to the block before, so it is the same for the whole batch
        uint256 fee = _fee(WITHDRAWALS);
        uint256 spent = fee * pubkeys.length;
        if (msg.value < spent) revert FeeTooLow(msg.value, spent);
        for (uint256 i = 0; i < pubkeys.length; ++i) {
            _requireKey(pubkeys[i]);
            _send(WITHDRAWALS, fee, abi.encodePacked(pubkeys[i], amounts[i]));
        }
        _refund(refundTo, msg.value - spent);
    }

    /// @inheritdoc IWithdrawalGateway
    function requestConsolidation(bytes calldata source, bytes calldata target, address refundTo)
        external
        payable
        onlyManager
    {
        _requireKey(source);
        _requireKey(target);
        uint256 fee = _fee(CONSOLIDATIONS);
        if (msg.value < fee) revert FeeTooLow(msg.value, fee);
        _send(CONSOLIDATIONS, fee, abi.encodePacked(source, target));
        _refund(refundTo, msg.value - fee);
    }

    /// @inheritdoc IWithdrawalGateway
    function fees() external view returns (uint256 withdrawal, uint256 consolidation) {
        return (_fee(WITHDRAWALS), _fee(CONSOLIDATIONS));
    }

    // --- Internal ---

    /// @dev Asked without data a predeploy tells its fee; before its first block it reverts.
    function _fee(address predeploy) private view returns (uint256) {
        (bool done, bytes memory answer) = predeploy.staticcall("");
        if (!done || answer.length != 32) revert RequestsUnavailable(predeploy);
        return abi.decode(answer, (uint256));
    }

    function _send(address predeploy, uint256 fee, bytes memory request) private {
        (bool done,) = predeploy.call{value: fee}(request);
        if (!done) revert RequestRefused(predeploy);
    }

    function _refund(address receiver, uint256 amount) private {
        if (amount == 0) return;
        if (!SafeTransferLib.trySafeTransferETH(receiver, amount, gasleft())) revert RefundFailed(receiver, amount);
    }

    function _requireKey(bytes calldata pubkey) private pure {
        if (pubkey.length != 48) revert PubkeyLengthInvalid(pubkey.length);
    }
}
