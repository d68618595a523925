// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {StateLayout} from "../interfaces/IBeaconProofs.sol";
import {Ssz} from "./Ssz.sol";

/// @dev A {StateLayout} in one word, so that it can be immutable: first slot (64 bits), then index (16) and depth (8) of
/// validators, balances, pending deposits and historical summaries, then the index of block roots (16).
type Layout is uint256;

using LayoutLib for Layout global;

/// @title Layouts of the beacon state in one word
library LayoutLib {
    function pack(StateLayout memory given) internal pure returns (Layout) {
        uint256 word = given.firstSlot;
        word = (word << 24) | (uint256(given.validators) << 8) | given.validatorsDepth;
        word = (word << 24) | (uint256(given.balances) << 8) | given.balancesDepth;
        word = (word << 24) | (uint256(given.pendingDeposits) << 8) | given.pendingDepositsDepth;
        word = (word << 24) | (uint256(given.historicalSummaries) << 8) | given.historicalSummariesDepth;
        return Layout.wrap((word << 16) | given.blockRoots);
    }

    function unpack(Layout layout) internal pure returns (StateLayout memory) {
        return StateLayout({
            firstSlot: uint64(firstSlot(layout)),
            validators: uint16(validators(layout)),
            validatorsDepth: uint8(validatorsDepth(layout)),
            balances: uint16(balances(layout)),
            balancesDepth: uint8(balancesDepth(layout)),
            pendingDeposits: uint16(pendingDeposits(layout)),
            pendingDepositsDepth: uint8(pendingDepositsDepth(layout)),
            historicalSummaries: uint16(historicalSummaries(layout)),
            historicalSummariesDepth: uint8(historicalSummariesDepth(layout)),
            blockRoots: uint16(blockRoots(layout))
        });
    }

    /// @notice Whether every index is below the root and every list is one that {Ssz-foldEmpty} can fill up.
    function isValid(StateLayout memory given) internal pure returns (bool) {
        return given.validators > 1 && given.balances > 1 && given.pendingDeposits > 1 && given.historicalSummaries > 1
            && given.blockRoots > 1 && given.validatorsDepth <= Ssz.MAX_DEPTH && given.balancesDepth <= Ssz.MAX_DEPTH
            && given.pendingDepositsDepth <= Ssz.MAX_DEPTH && given.historicalSummariesDepth <= Ssz.MAX_DEPTH;
    }

    function firstSlot(Layout layout) internal pure returns (uint256) {
        return Layout.unwrap(layout) >> 112;
    }

    function validators(Layout layout) internal pure returns (uint256) {
        return uint16(Layout.unwrap(layout) >> 96);
    }

    function validatorsDepth(Layout layout) internal pure returns (uint256) {
        return uint8(Layout.unwrap(layout) >> 88);
    }

    function balances(Layout layout) internal pure returns (uint256) {
        return uint16(Layout.unwrap(layout) >> 72);
    }

    function balancesDepth(Layout layout) internal pure returns (uint256) {
        return uint8(Layout.unwrap(layout) >> 64);
    }

    function pendingDeposits(Layout layout) internal pure returns (uint256) {
        return uint16(Layout.unwrap(layout) >> 48);
    }

    function pendingDepositsDepth(Layout layout) internal pure returns (uint256) {
        return uint8(Layout.unwrap(layout) >> 40);
    }

    function historicalSummaries(Layout layout) internal pure returns (uint256) {
        return uint16(Layout.unwrap(layout) >> 24);
    }

    function historicalSummariesDepth(Layout layout) internal pure returns (uint256) {
        return uint8(Layout.unwrap(layout) >> 16);
    }

    function blockRoots(Layout layout) internal pure returns (uint256) {
        return uint16(Layout.unwrap(layout));
    }
}
