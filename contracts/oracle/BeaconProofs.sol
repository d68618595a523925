// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {
    BeaconHeader,
    IBeaconProofs,
    PendingDeposit,
    StateLayout,
    ValidatorRecord
} from "../interfaces/IBeaconProofs.sol";
import {BeaconRoots} from "../libraries/BeaconRoots.sol";
import {Layout, LayoutLib} from "../libraries/LayoutLib.sol";
import {Ssz} from "../libraries/Ssz.sol";

/// @title Beacon proofs
/// @notice See {IBeaconProofs}.
/// @dev A module: holds nothing, has no owner and no storage. What it knows of forks is in its code.
contract BeaconProofs is IBeaconProofs {
    struct Config {
        StateLayout[] layouts; // by slot, at most {MAX_LAYOUTS}
        uint256 endSlot;
        uint256 slotsPerHistoricalRoot;
        uint256 firstSummarySlot;
    }

    /// @dev A list in a state, and what is proven of it.
    struct Place {
        uint256 field; // generalized index of the list in the state
        uint256 depth; // of the list, in chunks
        uint256 perChunk; // elements in a chunk; 1 where an element has a root of its own
        uint256 index; // of the element
        uint256 below; // steps from the leaf to the root of the element
        uint256 path; // of these steps
    }

    uint256 public constant MAX_LAYOUTS = 4;
    uint256 private constant BALANCES_PER_CHUNK = 4;

    Layout private immutable LAYOUT_0;
    Layout private immutable LAYOUT_1;
    Layout private immutable LAYOUT_2;
    Layout private immutable LAYOUT_3;
    uint256 private immutable LAYOUTS;
    uint256 private immutable BLOCK_ROOTS_DEPTH;
    /// @inheritdoc IBeaconProofs
    uint256 public immutable END_SLOT;
    /// @inheritdoc IBeaconProofs
    uint256 public immutable SLOTS_PER_HISTORICAL_ROOT;
    /// @inheritdoc IBeaconProofs
    uint256 public immutable FIRST_SUMMARY_SLOT;

    constructor(Config memory config) {
        uint256 count = config.layouts.length;
        uint256 period = config.slotsPerHistoricalRoot;
        if (count == 0 || count > MAX_LAYOUTS) revert ConfigInvalid();
        if (period == 0 || period & (period - 1) != 0) revert ConfigInvalid();
        if (config.firstSummarySlot % period != 0) revert ConfigInvalid();
        if (config.endSlot <= config.layouts[count - 1].firstSlot) revert ConfigInvalid();
        Layout[MAX_LAYOUTS] memory layouts;
        for (uint256 i = 0; i < count; ++i) {
            if (i > 0 && config.layouts[i].firstSlot <= config.layouts[i - 1].firstSlot) revert LayoutInvalid(i);
            if (!LayoutLib.isValid(config.layouts[i])) revert LayoutInvalid(i);
            layouts[i] = LayoutLib.pack(config.layouts[i]);
        }
        (LAYOUT_0, LAYOUT_1, LAYOUT_2, LAYOUT_3) = (layouts[0], layouts[1], layouts[2], layouts[3]);
        LAYOUTS = count;
        BLOCK_ROOTS_DEPTH = FixedPointMathLib.log2(period);
        END_SLOT = config.endSlot;
        SLOTS_PER_HISTORICAL_ROOT = period;
        FIRST_SUMMARY_SLOT = config.firstSummarySlot;
    }

    // --- Roots ---

    /// @inheritdoc IBeaconProofs
    function rootAt(uint256 timestamp) public view returns (bytes32 root) {
        root = BeaconRoots.find(timestamp);
        if (root == 0) revert RootMissing(timestamp);
    }

    /// @inheritdoc IBeaconProofs
    function firstRootAfter(uint256 time, uint256 secondsPerSlot, uint256 maxSlots)
        external
        view
        returns (bytes32 root, uint256 timestamp)
    {
        return BeaconRoots.firstAfter(time, secondsPerSlot, maxSlots);
    }

    // --- Headers ---

    /// @inheritdoc IBeaconProofs
    function verifyHeader(uint256 timestamp, BeaconHeader calldata header) external view {
        bytes32 expected = rootAt(timestamp);
        bytes32 root = Ssz.headerRoot(header);
        if (root != expected) revert HeaderMismatch(root, expected);
    }

    /// @inheritdoc IBeaconProofs
    function verifyBlock(
        BeaconHeader calldata header,
        uint256 slot,
        BeaconHeader calldata block_,
        bytes32[] calldata branch
    ) external view {
        uint256 end = header.slot;
        uint256 period = SLOTS_PER_HISTORICAL_ROOT;
        uint256 first = end < period ? 0 : end - period;
        if (slot < first || slot >= end) revert SlotOutOfRange(slot, first, end == 0 ? 0 : end - 1);
        uint256 path = (_layout(end).blockRoots() << BLOCK_ROOTS_DEPTH) | (slot % period);
        _requireState(header, Ssz.headerRoot(block_), path, branch);
    }

    /// @inheritdoc IBeaconProofs
    function verifyHistoricalBlock(
        BeaconHeader calldata header,
        uint256 slot,
        BeaconHeader calldata block_,
        bytes32[] calldata branch
    ) external view {
        uint256 first = FIRST_SUMMARY_SLOT;
        if (slot < first) revert SlotOutOfRange(slot, first, header.slot);
        Layout layout = _layout(header.slot);
        _requireListed(
            header,
            Ssz.headerRoot(block_),
            Place({
                field: layout.historicalSummaries(),
                depth: layout.historicalSummariesDepth(),
                perChunk: 1,
                index: (slot - first) / SLOTS_PER_HISTORICAL_ROOT,
                // block roots, then the first of the two fields of a summary
                below: BLOCK_ROOTS_DEPTH + 1,
                path: slot % SLOTS_PER_HISTORICAL_ROOT
            }),
            branch
        );
    }

    /// @inheritdoc IBeaconProofs
    function headerRoot(BeaconHeader calldata header) external view returns (bytes32) {
        return Ssz.headerRoot(header);
    }

    // --- What a state says ---

    /// @inheritdoc IBeaconProofs
    function verifyValidator(
        BeaconHeader calldata header,
        uint256 index,
        ValidatorRecord calldata record,
        bytes32[] calldata branch
    ) external view returns (uint256 count) {
        if (record.pubkey.length != 48) {
            revert PubkeyLengthInvalid(record.pubkey.length);
        }
        Layout layout = _layout(header.slot);
        Place memory place = Place(layout.validators(), layout.validatorsDepth(), 1, index, 0, 0);
        return _requireListed(header, Ssz.validatorRoot(record), place, branch);
    }

    /// @inheritdoc IBeaconProofs
    function verifyBalance(BeaconHeader calldata header, uint256 index, bytes32 balances, bytes32[] calldata branch)
        external
        view
        returns (uint256 balance)
    {
        Layout layout = _layout(header.slot);
        Place memory place = Place(layout.balances(), layout.balancesDepth(), BALANCES_PER_CHUNK, index, 0, 0);
        _requireListed(header, balances, place, branch);
        return Ssz.toUint64(balances << ((index % BALANCES_PER_CHUNK) * 64));
    }

    /// @inheritdoc IBeaconProofs
    function verifyPendingDeposit(
        BeaconHeader calldata header,
        uint256 index,
        PendingDeposit calldata deposit,
        bytes32[] calldata branch
    ) external view returns (uint256 count) {
        if (deposit.pubkey.length != 48) {
            revert PubkeyLengthInvalid(deposit.pubkey.length);
        }
        Layout layout = _layout(header.slot);
        Place memory place = Place(layout.pendingDeposits(), layout.pendingDepositsDepth(), 1, index, 0, 0);
        return _requireListed(header, Ssz.pendingDepositRoot(deposit), place, branch);
    }

    /// @inheritdoc IBeaconProofs
    function verifyValidatorCount(BeaconHeader calldata header, uint256 count, bytes32[] calldata branch)
        external
        view
    {
        _requireCount(header, count, _layout(header.slot).validators(), branch);
    }

    /// @inheritdoc IBeaconProofs
    function verifyPendingDepositCount(BeaconHeader calldata header, uint256 count, bytes32[] calldata branch)
        external
        view
    {
        _requireCount(header, count, _layout(header.slot).pendingDeposits(), branch);
    }

    /// @inheritdoc IBeaconProofs
    function signatureRoot(bytes calldata signature) external view returns (bytes32) {
        if (signature.length != 96) revert SignatureLengthInvalid(signature.length);
        return Ssz.signatureRoot(signature);
    }

    // --- Layouts ---

    /// @inheritdoc IBeaconProofs
    function layoutAt(uint256 slot) external view returns (StateLayout memory) {
        return _layout(slot).unpack();
    }

    function _layout(uint256 slot) private view returns (Layout) {
        if (slot < END_SLOT) {
            if (LAYOUTS > 3 && slot >= LAYOUT_3.firstSlot()) return LAYOUT_3;
            if (LAYOUTS > 2 && slot >= LAYOUT_2.firstSlot()) return LAYOUT_2;
            if (LAYOUTS > 1 && slot >= LAYOUT_1.firstSlot()) return LAYOUT_1;
            if (slot >= LAYOUT_0.firstSlot()) return LAYOUT_0;
        }
        revert LayoutUnknown(slot);
    }

    // --- Branches ---

    /// @dev `path` is the generalized index of `leaf` in the state.
    function _requireState(BeaconHeader calldata header, bytes32 leaf, uint256 path, bytes32[] calldata branch)
        private
        view
    {
        uint256 depth = FixedPointMathLib.log2(path);
        if (branch.length != depth) revert BranchLengthInvalid(branch.length, depth);
        bytes32 root = Ssz.fold(leaf, path, branch, 0, depth);
        if (root != header.stateRoot) revert StateRootMismatch(root, header.stateRoot);
    }

    function _requireCount(BeaconHeader calldata header, uint256 count, uint256 field, bytes32[] calldata branch)
        private
        view
    {
        if (count > type(uint64).max) revert ListLengthInvalid(bytes32(count));
        // the length is the right one of the two nodes below the list
        _requireState(header, Ssz.toChunk(uint64(count)), (field << 1) | 1, branch);
    }

    /// @return length of the list
    function _requireListed(BeaconHeader calldata header, bytes32 leaf, Place memory place, bytes32[] calldata branch)
        private
        view
        returns (uint256 length)
    {
        uint256 above = FixedPointMathLib.log2(place.field) + 1; // the length, and the siblings of the state
        if (branch.length < place.below + above) revert BranchLengthInvalid(branch.length, place.below + above);
        uint256 top = branch.length - above;
        length = _length(branch[top]);
        if (place.index >= length) revert IndexOutOfBounds(place.index, length);

        uint256 filled = FixedPointMathLib.log2Up((length - 1) / place.perChunk + 1);
        if (filled > place.depth) revert ListLengthInvalid(branch[top]);
        if (top != place.below + filled) {
            revert BranchLengthInvalid(branch.length, place.below + filled + above);
        }
        // index / perChunk < 2 ** filled, so the path ends with the steps
        uint256 path = ((place.index / place.perChunk) << place.below) | place.path;
        bytes32 root = Ssz.fold(leaf, path, branch, 0, top);
        root = Ssz.foldEmpty(root, filled, place.depth);
        root = Ssz.fold(root, place.field << 1, branch, top, branch.length);
        if (root != header.stateRoot) revert StateRootMismatch(root, header.stateRoot);
    }

    function _length(bytes32 word) private pure returns (uint256) {
        if (uint256(word) & type(uint192).max != 0) revert ListLengthInvalid(word);
        return Ssz.toUint64(word);
    }
}
