// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IBeaconProofs} from "../../../contracts/interfaces/IBeaconProofs.sol";
import {Ssz} from "../../../contracts/libraries/Ssz.sol";
import {Test} from "../support/Test.sol";

/// @dev Proofs from a real state (tests/vectors/beacon/) against the specified bytecode of EIP-4788: true ones hold, and no
/// byte of one can be changed.
contract BeaconProofsTest is Test {
    address private constant BEACON_ROOTS = 0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02;
    address private constant SYSTEM = 0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE;
    uint256 private constant START = 1_800_000_000;
    uint256 private constant SLOT = 12;
    uint256 private constant RING = 8191;
    uint256 private constant SELECTOR = 4;
    uint256 private constant HEADER = 5 * 32;

    IBeaconProofs private proofs;
    string private vectors;

    function setUp() public {
        string memory json = vm.readFile("sluice/chain/system_contracts.json");
        vm.etch(BEACON_ROOTS, vm.parseJsonBytes(json, ".contracts.0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02.code"));
        vectors = vm.readFile("tests/vectors/beacon/proofs.json");
        bytes memory config = vm.parseJsonBytes(vectors, ".config");
        proofs = IBeaconProofs(vm.deployCode("BeaconProofs.sol:BeaconProofs", config));
        _publish(START, vm.parseJsonBytes32(vectors, ".root"));
    }

    // --- Every byte counts ---

    function test_E2_NoByteOfAValidatorProofCanBeChanged() external view {
        // those that fill up the public key mean nothing
        _expectEveryByteCounts("validator", 16);
    }

    function test_E2_NoByteOfAPendingDepositProofCanBeChanged() external view {
        _expectEveryByteCounts("pendingDeposit", 16);
    }

    function test_E2_NoByteOfABlockProofCanBeChanged() external view {
        _expectEveryByteCounts("block", 0);
    }

    function test_E2_NoByteOfAHistoricalBlockProofCanBeChanged() external view {
        _expectEveryByteCounts("historicalBlock", 0);
    }

    function test_E2_NoByteOfACountProofCanBeChanged() external view {
        _expectEveryByteCounts("validatorCount", 0);
        _expectEveryByteCounts("pendingDepositCount", 0);
    }

    function test_E2_NoByteOfABalanceProofCanBeChanged() external view {
        // but for the index, which may name another balance of the chunk: then that one is proven
        uint256 last = SELECTOR + HEADER + 31;
        bytes memory data = vm.parseJsonBytes(vectors, ".calls.balance");
        vm.assertTrue(_holds(data), "the proof itself");
        uint256 index = uint8(data[last]);
        for (uint256 i = SELECTOR; i < data.length; ++i) {
            uint256 allowed = i == last ? _others() : 0;
            vm.assertEq(_accepted(data, i), allowed, string.concat("byte ", vm.toString(i)));
        }
        bytes32 chunk;
        assembly ("memory-safe") {
            chunk := mload(add(data, add(0x20, add(SELECTOR, add(HEADER, 0x20)))))
        }
        for (uint256 i = index / 4 * 4; i < index / 4 * 4 + 4; ++i) {
            data[last] = bytes1(uint8(i));
            (bool done, bytes memory answer) = address(proofs).staticcall(data);
            vm.assertTrue(done, "every balance of the chunk");
            vm.assertEq(abi.decode(answer, (uint256)), uint256(Ssz.toUint64(chunk << (64 * (i % 4)))));
        }
    }

    /// @param free how many bytes may have any value
    function _expectEveryByteCounts(string memory name, uint256 free) private view {
        bytes memory data = vm.parseJsonBytes(vectors, string.concat(".calls.", name));
        vm.assertTrue(_holds(data), "the proof itself");
        uint256 all = _everyValue() ? 255 : 8;
        for (uint256 i = SELECTOR; i < data.length; ++i) {
            uint256 accepted = _accepted(data, i);
            if (accepted == 0) continue;
            vm.assertEq(accepted, all, string.concat("byte ", vm.toString(i)));
            --free;
        }
        vm.assertEq(free, 0);
    }

    /// @dev How many other values of byte `place` are accepted: of those that differ in one bit or, in the deep profile, of
    /// all. Header and claim are verified together, as callers do.
    function _accepted(bytes memory data, uint256 place) private view returns (uint256 accepted) {
        uint8 kept = uint8(data[place]);
        bool every = _everyValue();
        for (uint256 j = 0; j < (every ? 255 : 8); ++j) {
            data[place] = bytes1(kept ^ uint8(every ? j + 1 : 1 << j));
            if (_holds(data)) ++accepted;
        }
        data[place] = bytes1(kept);
    }

    /// @dev How many other indices in the same chunk the tried values reach.
    function _others() private view returns (uint256) {
        return _everyValue() ? 3 : 2;
    }

    /// @dev Whether both the header in `data`, a call, and what it says of that header are proven.
    function _holds(bytes memory data) private view returns (bool done) {
        address target = address(proofs);
        bytes4 selector = IBeaconProofs.verifyHeader.selector;
        // nothing is allocated, so that a million calls cost no memory
        assembly ("memory-safe") {
            done := staticcall(gas(), target, add(data, 0x20), mload(data), 0, 0)
            if done {
                let room := mload(0x40)
                mstore(room, selector)
                mstore(add(room, 0x04), START)
                mcopy(add(room, 0x24), add(data, 0x24), HEADER)
                done := staticcall(gas(), target, room, add(0x24, HEADER), 0, 0)
            }
        }
    }

    function _everyValue() private view returns (bool) {
        return keccak256(bytes(vm.envOr("FOUNDRY_PROFILE", string("")))) == keccak256("deep");
    }

    // --- Pieces ---

    function test_EmptyRootsAreThoseOfTreesOfZeros() external view {
        bytes32 expected;
        for (uint256 depth = 0; depth < Ssz.MAX_DEPTH; ++depth) {
            // the hash of a leaf with an empty tree of its depth
            bytes32 node = keccak256(abi.encode(depth));
            vm.assertEq(Ssz.foldEmpty(node, depth, depth + 1), sha256(abi.encode(node, expected)));
            expected = sha256(abi.encode(expected, expected));
        }
    }

    function test_FoldingOverNothingChangesNothing(bytes32 node, uint256 depth) external view {
        depth = bound(depth, 0, Ssz.MAX_DEPTH);
        vm.assertEq(Ssz.foldEmpty(node, depth, depth), node);
    }

    function test_IntegersAreLittleEndian(uint64 value) external pure {
        bytes memory chunk = new bytes(32);
        for (uint256 i = 0; i < 8; ++i) {
            chunk[i] = bytes1(uint8(value >> (8 * i)));
        }
        vm.assertEq(Ssz.toChunk(value), bytes32(chunk));
        vm.assertEq(uint256(Ssz.toUint64(bytes32(chunk))), uint256(value));
    }

    // --- Roots ---

    /// @dev Against the plain meaning: the blocks that were, in order, of which the newest at or before a slot is asked.
    function test_E1_FirstRootAfterIsThatOfTheNewestBlockBefore(uint256 seed, uint256 asked, uint256 later) external {
        uint256 slots = 40;
        uint256 first = START + SLOT;
        bool[] memory has = new bool[](slots + 1);
        for (uint256 i = 1; i <= slots; ++i) {
            has[i] = (seed >> i) & 1 == 1;
            if (has[i]) _publish(first + i * SLOT, bytes32(i));
        }
        asked = bound(asked, 0, slots);
        later = bound(later, 0, RING + 10);
        uint256 time = first + asked * SLOT;
        vm.warp(first + (slots + later) * SLOT);
        uint256 child = asked + 1;
        while (child <= slots && !has[child]) {
            ++child;
        }
        if (slots + later > asked + RING) {
            vm.expectRevert(abi.encodeWithSelector(IBeaconProofs.RootExpired.selector, time));
            proofs.firstRootAfter(time, SLOT, slots);
            return;
        }
        if (child > slots) {
            vm.expectRevert(abi.encodeWithSelector(IBeaconProofs.NoBlockAfter.selector, time, slots));
            proofs.firstRootAfter(time, SLOT, slots);
            return;
        }
        (bytes32 root, uint256 timestamp) = proofs.firstRootAfter(time, SLOT, slots);
        vm.assertEq(root, bytes32(child));
        vm.assertEq(timestamp, first + child * SLOT);
    }

    /// @dev What the consensus layer does at the start of the block at `timestamp`.
    function _publish(uint256 timestamp, bytes32 root) private {
        vm.warp(timestamp);
        vm.prank(SYSTEM);
        (bool done,) = BEACON_ROOTS.call(abi.encode(root));
        vm.assertTrue(done, "system call");
    }
}
