// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IOperatorBonds} from "../interfaces/IOperatorBonds.sol";
import {IOperatorStake} from "../interfaces/IOperatorStake.sol";

/// @title Stand-in for the validator manager
/// @notice For tests: says of operators' stake what it was told, and opens cases as the manager would.
contract StakeBook is IOperatorStake {
    struct Stake {
        uint64 staked; // gwei
        uint32 prepared;
        uint32 validators;
    }

    IOperatorBonds private immutable BONDS;

    /// @inheritdoc IOperatorStake
    mapping(uint256 operator => Stake) public stakeOf;

    constructor(address bonds) {
        BONDS = IOperatorBonds(bonds);
    }

    function set(uint256 operator, uint64 staked, uint32 prepared) external {
        stakeOf[operator] = Stake({staked: staked, prepared: prepared, validators: 1});
    }

    function openCase(uint256 operator, uint256 loss, uint256 duration) external {
        BONDS.openCase(operator, loss, duration);
    }

    function chargePreparation(uint256 operator) external {
        BONDS.chargePreparation(operator);
    }
}
