// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {BeaconHeader, IBeaconProofs, ValidatorRecord} from "../interfaces/IBeaconProofs.sol";

/// @title Proof caller
/// @notice For tests: what a contract pays that has something proven, and nothing else.
contract ProofCaller {
    IBeaconProofs private immutable PROOFS;

    constructor(IBeaconProofs proofs) {
        PROOFS = proofs;
    }

    function proveValidator(
        uint256 timestamp,
        BeaconHeader calldata header,
        uint256 index,
        ValidatorRecord calldata record,
        bytes32[] calldata branch
    ) external {
        PROOFS.verifyHeader(timestamp, header);
        PROOFS.verifyValidator(header, index, record, branch);
    }

    function proveBalance(
        uint256 timestamp,
        BeaconHeader calldata header,
        uint256 index,
        bytes32 balances,
        bytes32[] calldata branch
    ) external {
        PROOFS.verifyHeader(timestamp, header);
        PROOFS.verifyBalance(header, index, balances, branch);
    }

    function proveHistoricalBlock(
        uint256 timestamp,
        BeaconHeader calldata header,
        uint256 slot,
        BeaconHeader calldata block_,
        bytes32[] calldata branch
    ) external {
        PROOFS.verifyHeader(timestamp, header);
        PROOFS.verifyHistoricalBlock(header, slot, block_, branch);
    }
}
