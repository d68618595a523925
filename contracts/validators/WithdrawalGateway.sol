// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {IWithdrawalGateway} from "../interfaces/IWithdrawalGateway.sol";
import {GWEI} from "../libraries/Constants.sol";

/// @title Withdrawal gateway
/// @notice See {IWithdrawalGateway}.
/// @dev Runs behind {WithdrawalGatewayProxy}, because credentials can never be changed. It keeps no storage of its own.
contract WithdrawalGateway is IWithdrawalGateway {
    /// @inheritdoc IWithdrawalGateway
    address public immutable VAULT;

    constructor(address vault_) {
        if (vault_ == address(0)) revert AddressMissing();
        VAULT = vault_;
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
}
