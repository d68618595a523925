// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice Header of a beacon block. Its root is the root of the block.
struct BeaconHeader {
    uint64 slot;
    uint64 proposerIndex;
    bytes32 parentRoot;
    bytes32 stateRoot;
    bytes32 bodyRoot;
}

/// @notice A validator in the registry of the beacon state: all that its leaf commits to.
struct ValidatorRecord {
    bytes pubkey; // 48 bytes
    bytes32 credentials;
    uint64 effectiveBalance; // gwei
    bool slashed;
    uint64 activationEligibilityEpoch;
    uint64 activationEpoch;
    uint64 exitEpoch;
    uint64 withdrawableEpoch;
}

/// @notice A deposit that the beacon chain has taken and not yet added to a balance.
struct PendingDeposit {
    bytes pubkey; // 48 bytes
    bytes32 credentials;
    uint64 amount; // gwei
    bytes32 signatureRoot; // {IBeaconProofs-signatureRoot}
    uint64 slot;
}

/// @notice Where the beacon state keeps things, from one slot on. Generalized indices are those of a field in the state;
/// depths are the binary logarithms of the limits of a list, in chunks of 32 bytes.
struct StateLayout {
    uint64 firstSlot;
    uint16 validators;
    uint8 validatorsDepth;
    uint16 balances;
    uint8 balancesDepth;
    uint16 pendingDeposits;
    uint8 pendingDepositsDepth;
    uint16 historicalSummaries;
    uint8 historicalSummariesDepth;
    uint16 blockRoots;
}

/// @title Beacon proofs
/// @notice What the beacon chain says, proven against the roots that every execution block publishes (EIP-4788). Stateless:
/// it remembers nothing, trusts nobody, and is replaced when a fork lays the state out in a way it does not know.
///
///     timestamp -> header            {verifyHeader}: the block whose root the EIP-4788 contract has
///     header -> what its state says  {verifyValidator}, {verifyBalance}, {verifyPendingDeposit}, counts
///     header -> an older header      {verifyBlock} (as old as the state's block roots), {verifyHistoricalBlock} (any age)
///
/// Functions that take a `header` prove what *that* header commits to. The caller has verified it before, or has it from
/// {verifyBlock} or {verifyHistoricalBlock} under a header that was. A proof says what was true at `header.slot`; how old
/// that may be, and that nothing older counts after something newer, is for the caller.
///
/// A branch is the siblings from the leaf up. In a list of `n` chunks only the `ceil(log2(n))` siblings below the top of
/// what is filled are given: those above are roots of nothing and known. Then come the list's length (little endian) and
/// the siblings up to the state's root. So a branch has exactly one length, and an index is below the length of the list.
interface IBeaconProofs {
    /// @notice The EIP-4788 contract has no root for `timestamp`: no block then, too old, or not yet.
    error RootMissing(uint256 timestamp);
    /// @notice The first root after `time` may have been overwritten; what is still there might not be the first.
    error RootExpired(uint256 time);
    error NoBlockAfter(uint256 time, uint256 maxSlots);
    /// @notice The header's root is not the published one.
    error HeaderMismatch(bytes32 root, bytes32 expected);
    /// @notice The branch does not lead to the root of the header's state.
    error StateRootMismatch(bytes32 root, bytes32 expected);
    error BranchLengthInvalid(uint256 length, uint256 expected);
    /// @notice What stands in the place of a list's length is no number, or more than the list can hold.
    error ListLengthInvalid(bytes32 word);
    error IndexOutOfBounds(uint256 index, uint256 length);
    error PubkeyLengthInvalid(uint256 length);
    error SignatureLengthInvalid(uint256 length);
    /// @notice Nothing is known of states at `slot`: before the first layout, or after the last.
    error LayoutUnknown(uint256 slot);
    /// @notice The state of the header does not have the block of `slot` in the place asked.
    error SlotOutOfRange(uint256 slot, uint256 first, uint256 last);
    /// @notice Layout `index` does not follow the one before, or has indices that cannot be.
    error LayoutInvalid(uint256 index);
    error ConfigInvalid();

    // --- Roots ---

    /// @notice The root that the block at `timestamp` published: that of its parent.
    /// @param timestamp of the child, seconds
    function rootAt(uint256 timestamp) external view returns (bytes32 root);

    /// @notice The root that the first block after `time` published: that of the newest block at or before the slot that
    /// begins at `time`.
    /// @dev Blocks come at whole slots, as everywhere on Ethereum: one at another time could overwrite an entry unseen.
    /// @param time of a slot, seconds
    /// @param maxSlots how many slots without a block to look over
    /// @return root of the newest block at or before that slot
    /// @return timestamp of its child, seconds: where {rootAt} has the root
    function firstRootAfter(uint256 time, uint256 secondsPerSlot, uint256 maxSlots)
        external
        view
        returns (bytes32 root, uint256 timestamp);

    // --- Headers ---

    /// @notice Reverts unless `header` is that of the block whose root was published at `timestamp`.
    function verifyHeader(uint256 timestamp, BeaconHeader calldata header) external view;

    /// @notice Reverts unless `block_` was the newest at or before `slot`, by the block roots in the state of `header`.
    /// @param slot before `header.slot` by at most {SLOTS_PER_HISTORICAL_ROOT}; that of `block_` shows that it had a block
    function verifyBlock(
        BeaconHeader calldata header,
        uint256 slot,
        BeaconHeader calldata block_,
        bytes32[] calldata branch
    ) external view;

    /// @notice Reverts unless `block_` was the newest at or before `slot`, by the historical summaries in the state of
    /// `header`: for slots of whole periods of {SLOTS_PER_HISTORICAL_ROOT}, from {FIRST_SUMMARY_SLOT} on.
    function verifyHistoricalBlock(
        BeaconHeader calldata header,
        uint256 slot,
        BeaconHeader calldata block_,
        bytes32[] calldata branch
    ) external view;

    /// @notice The root of a header.
    function headerRoot(BeaconHeader calldata header) external view returns (bytes32);

    // --- What a state says ---

    /// @notice Reverts unless `record` is validator `index`.
    /// @return count of validators in the registry
    function verifyValidator(
        BeaconHeader calldata header,
        uint256 index,
        ValidatorRecord calldata record,
        bytes32[] calldata branch
    ) external view returns (uint256 count);

    /// @notice Reverts unless `balances` holds the balance of validator `index`.
    /// @param balances the chunk of four balances that it is in, as the state has it
    /// @return balance gwei
    function verifyBalance(BeaconHeader calldata header, uint256 index, bytes32 balances, bytes32[] calldata branch)
        external
        view
        returns (uint256 balance);

    /// @notice Reverts unless `deposit` is pending deposit `index`.
    /// @return count of pending deposits
    function verifyPendingDeposit(
        BeaconHeader calldata header,
        uint256 index,
        PendingDeposit calldata deposit,
        bytes32[] calldata branch
    ) external view returns (uint256 count);

    /// @notice Reverts unless the registry has `count` validators.
    /// @param branch begins with the root of the registry without its length
    function verifyValidatorCount(BeaconHeader calldata header, uint256 count, bytes32[] calldata branch) external view;

    /// @notice Reverts unless `count` deposits are pending.
    /// @param branch begins with the root of the list without its length
    function verifyPendingDepositCount(BeaconHeader calldata header, uint256 count, bytes32[] calldata branch)
        external
        view;

    /// @notice The root of a BLS signature, for {PendingDeposit}.
    /// @param signature 96 bytes
    function signatureRoot(bytes calldata signature) external view returns (bytes32);

    // --- Layouts ---

    /// @notice The layout of states at `slot`.
    function layoutAt(uint256 slot) external view returns (StateLayout memory);
    /// @notice From this slot on nothing is known.
    function END_SLOT() external view returns (uint256);
    function SLOTS_PER_HISTORICAL_ROOT() external view returns (uint256);
    /// @notice First slot that the historical summaries tell of: that of the Capella fork.
    function FIRST_SUMMARY_SLOT() external view returns (uint256);
}
