// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IRewardsVault} from "../interfaces/IRewardsVault.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";

/// @title Rewards vault
/// @notice See {IRewardsVault}.
/// @dev Immutable and without a code path that could refuse ether, whatever gas it comes with.
contract RewardsVault is IRewardsVault {
    /// @inheritdoc IRewardsVault
    address public immutable VAULT;

    constructor(address vault_) {
        VAULT = vault_;
    }

    receive() external payable {}

    /// @inheritdoc IRewardsVault
    function pull(uint256 amount) external {
        if (msg.sender != VAULT) revert CallerNotAllowed(msg.sender, VAULT);
        if (amount > address(this).balance) revert RewardsTooLow(amount, address(this).balance);
        emit RewardsPulled(amount);
        IStakingVault(payable(VAULT)).receiveRewards{value: amount}();
    }
}
