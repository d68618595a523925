// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {BeaconHeader, PendingDeposit, ValidatorRecord} from "./IBeaconProofs.sol";
import {IOperatorStake} from "./IOperatorStake.sol";

/// @title Validator manager
/// @notice From a key to a validator that works for the pool, and back. It chooses keys and brings proofs; the ether goes
/// from the vault straight to the deposit contract, with credentials that are immutable in the vault.
///
///     prepare      1 ether to the deposit contract for a new key, backed by 1 ether of the operator's bond
///     prove        a beacon proof that the validator exists with our credentials; only then it can hold users' ether
///     stake        top-ups from the buffer, up to 2,048 ether
///     exit         EIP-7002: by the keeper, by the operator, by anybody when the head of the queue is overdue
///
/// A public key is used once and never again. Amounts are gwei unless they say otherwise.
interface IValidatorManager is IOperatorStake {
    enum Phase {
        NONE,
        PREPARED, // 1 ether is on its way, backed by the bond
        PROVEN, // works for the pool
        ASKED, // as PROVEN, and a full exit was forced
        EXITING, // has an exit epoch, proven
        GONE, // withdrawable and empty, proven
        REFUSED, // exists with other credentials, proven
        ABANDONED // nobody proved it in time; if it turns up with our credentials after all, it can still be proven
    }

    /// @notice 4 + 1 + 1 + 4 + 4 + 4 + 6 + 6 = 30 bytes, and 5 + 4 + 4 that are written once. asked <= staked
    struct Validator {
        uint32 operator;
        Phase phase;
        bool slashed; // proven
        uint32 preparedAt; // seconds
        uint32 askedAt; // seconds, by force
        uint32 filledAt; // seconds, when ether last came to it
        uint48 staked; // gwei that the vault deposited for it, less what was consolidated away or is proven to have returned
        uint48 asked; // gwei of it that were asked back by force in parts
        uint40 index; // in the beacon state, from the proof
        uint32 provenAt; // seconds
        uint32 endedAt; // seconds, when the preparation was proven, refused or abandoned
    }

    struct TopUp {
        bytes pubkey;
        uint64 amount; // gwei, at least 1 ether
    }

    /// @notice What the beacon chain says of a validator.
    struct Proof {
        uint64 timestamp; // of the block that published the header's root (EIP-4788), seconds
        BeaconHeader header;
        uint256 index;
        ValidatorRecord record;
        bytes32[] branch;
    }

    /// @notice The vault logs the key and what it deposits, here and in {stake}. `keyHash` is keccak256 of the key.
    event Prepared(uint256 indexed operator, bytes32 indexed keyHash);
    /// @notice `position` is its place in the order of the registry, which reports and forced exits follow.
    event Proven(uint256 indexed operator, bytes pubkey, uint256 index, uint256 position);
    event Refused(uint256 indexed operator, bytes pubkey, bytes32 credentials);
    event Abandoned(uint256 indexed operator, bytes pubkey);
    /// @notice `amount` 0 is the exit. What is asked by keeper and operators is logged by the EIP-7002 contract alone.
    event ExitForced(uint256 indexed requestId, uint256 indexed operator, bytes pubkey, uint256 amount);
    event Exiting(uint256 indexed operator, bytes pubkey, uint256 exitEpoch);
    /// @notice `amount` (gwei) counts no more as its stake.
    event Returned(uint256 indexed operator, bytes pubkey, uint256 amount);
    event Gone(uint256 indexed operator, bytes pubkey);
    event SlashingProven(uint256 indexed operator, bytes pubkey, uint256 loss);
    event ConsolidationRequested(bytes source, bytes target);
    event ProofsChanged(address oldProofs, address proofs);
    event KeeperChanged(address indexed account, bool allowed);

    error ConfigInvalid();
    error NotAContract(address account);
    error CallerNotAllowed(address caller, address allowed);
    error PubkeyLengthInvalid(uint256 length);
    error PubkeyUsed(bytes pubkey);
    error OperatorInactive(uint256 operator);
    /// @notice The validator is in no phase in which that can be done.
    error PhaseUnexpected(bytes pubkey, Phase phase);
    error OperatorMismatch(bytes pubkey, uint256 operator, uint256 expected);
    error CredentialsMismatch(bytes32 proven, bytes32 expected);
    /// @notice The record has our credentials: it can be proven.
    error CredentialsMatch();
    error StakeAboveCap(uint256 operator, uint256 staked, uint256 cap);
    error StakeAboveMaximum(bytes pubkey, uint256 staked, uint256 maximum);
    error AmountBelowMinimum(uint256 amount, uint256 minimum);
    error NotAbandonedYet(uint256 from);
    error NotSlashed(bytes pubkey);
    /// @notice It was slashed, and {proveSlashed} comes first.
    error SlashingNotProven(bytes pubkey);
    /// @notice Deposits from before `from` are done, those of an epoch behind `filledAt` may be pending; both seconds.
    error DepositsPending(uint256 from, uint256 filledAt);
    error NothingReturned(bytes pubkey);
    error SlashingKnown(bytes pubkey);
    error NotExiting(bytes pubkey);
    error NotWithdrawable(uint256 withdrawableEpoch, uint256 epoch);
    error BalanceLeft(uint256 balance);
    error RequestSettled(uint256 requestId);
    error NotOverdue(uint256 requestId, uint256 from);
    error NothingMissing();
    error OrderViolated(uint256 position, bytes32 given, bytes32 expected);
    error SameValidator(bytes pubkey);
    /// @notice It was asked to merge into another one, which the consensus layer may have done.
    error MergesElsewhere(bytes source);
    error EmptyBatch();
    error KeeperUnknown(address caller);

    // --- From key to validator ---

    /// @notice Begin with a new key. By the operator's manager.
    /// @param signature 96 bytes over the deposit of 1 ether with the vault's credentials. It is not checked; if it is
    /// wrong there will be no validator and the operator's bond pays.
    /// @dev Errors: `OperatorUnknown` of the registry, {CallerNotAllowed}, {OperatorInactive}, {PubkeyLengthInvalid},
    /// {PubkeyUsed}, {StakeAboveCap}, `BondTooLow`, `CaseIsOpen`, `SettlementIsOpen` of the bonds, `BufferTooLow`,
    /// `SignatureLengthInvalid` of the vault.
    function prepare(uint256 operator, bytes calldata pubkey, bytes calldata signature) external;

    /// @notice Prove that a prepared validator exists with our credentials. Anybody.
    /// @dev Errors: {PhaseUnexpected}, {CredentialsMismatch}, those of {IBeaconProofs}.
    function prove(Proof calldata proof) external;

    /// @notice Prove that the key of a preparation has other credentials: its operator's bond answers for 1 ether. Anybody.
    /// @dev Errors: {PhaseUnexpected}, {CredentialsMatch}, those of {IBeaconProofs}.
    function refuse(Proof calldata proof) external;

    /// @notice End a preparation that nobody proved for {ABANDON_AFTER}: its operator's bond answers for 1 ether. Anybody.
    /// @dev Errors: {PhaseUnexpected}, {NotAbandonedYet}.
    function abandon(bytes calldata pubkey) external;

    /// @notice Top proven validators up from the buffer. Keepers only. Operators are checked once for each run of
    /// their validators in the list.
    /// @dev Errors: {EmptyBatch}, {PhaseUnexpected}, {AmountBelowMinimum}, {StakeAboveMaximum}, {OperatorInactive},
    /// {StakeAboveCap}, `BondTooLow`, `CaseIsOpen`, `SettlementIsOpen` of the bonds, `BufferTooLow` of the vault.
    function stake(TopUp[] calldata topUps) external;

    // --- And back ---

    /// @notice Ask for exits (amount 0) and partial withdrawals (gwei) by EIP-7002, also of validators with our credentials
    /// that were never proven. Keepers only. Ether sent beyond the fees comes back.
    /// @dev Errors: {EmptyBatch}, {KeeperUnknown}, those of {IWithdrawalGateway}.
    function requestExits(bytes[] calldata pubkeys, uint64[] calldata amounts) external payable;

    /// @notice The same for validators of `operator`. By the operator's manager.
    /// @dev Errors: {EmptyBatch}, {PhaseUnexpected}, {CallerNotAllowed}, {OperatorMismatch}, those of {IWithdrawalGateway}.
    function requestOwnExits(uint256 operator, bytes[] calldata pubkeys, uint64[] calldata amounts) external payable;

    /// @notice Force exits for what overdue requests still miss. Anybody; order and amounts are fixed. Validators come in
    /// the order in which they were proven, from {exitCursor} on and round again. Each gives what is missing, as far as it
    /// keeps 32 ether, and leaves where that is not enough. Skipped are validators with less than 32 ether, those that
    /// leave, and those whose exit was forced less than {ASK_EXPIRY} ago. With an exit all beyond 32 ether is asked for as a
    /// part: where parts are pending the consensus layer ignores the exit, and honours that.
    /// @param requestId an overdue request that is not finalised; the newest one misses most
    /// @param pubkeys the next validators in order, the skipped ones included; those beyond what is missing stay
    /// @dev Errors: {EmptyBatch}, {RequestSettled}, {NotOverdue}, {NothingMissing}, {OrderViolated}, `RequestUnknown` of
    /// the queue, those of {IWithdrawalGateway}.
    function forceExits(uint256 requestId, bytes[] calldata pubkeys) external payable;

    /// @notice Move a validator into another of the same operator (EIP-7251). Keepers only. The consensus layer may ignore
    /// it, and then it can be asked again; so the stake counts for the target when the source is proven gone.
    /// @dev Errors: {SameValidator}, {PhaseUnexpected}, {OperatorMismatch}, {StakeAboveMaximum}, those of
    /// {IWithdrawalGateway}.
    function consolidate(bytes calldata source, bytes calldata target) external payable;

    // --- What proofs show ---

    /// @notice Prove that a validator was slashed: opens a case against its operator's bond and stops finalisation without
    /// reports until one counts it. Anybody, once.
    /// @dev Errors: {PhaseUnexpected}, {SlashingKnown}, {NotSlashed}, those of {IBeaconProofs}.
    function proveSlashed(Proof calldata proof) external;

    /// @notice Prove that a validator has an exit epoch. Anybody.
    /// @dev Errors: {PhaseUnexpected}, {NotExiting}, those of {IBeaconProofs}.
    function proveExiting(Proof calldata proof) external;

    /// @notice Prove that a validator has less than was deposited for it and all of that has arrived: parts of it have come
    /// back, or were lost. The rest of it, 32 ether at least, counts as its stake from then on, for cap, bond, top-ups and
    /// forced exits. Anybody.
    /// @param balances the chunk of four balances that its own is in
    /// @param next the first of the pending deposits, or one without a key where none is pending
    /// @param nextBranch of `next`, or of their count, which is 0
    /// @dev Errors: {PhaseUnexpected} also where it leaves, {DepositsPending}, {NothingReturned}, those of {IBeaconProofs}.
    function proveReturned(
        Proof calldata proof,
        bytes32 balances,
        bytes32[] calldata balanceBranch,
        PendingDeposit calldata next,
        bytes32[] calldata nextBranch
    ) external;

    /// @notice Prove that a validator is past its withdrawable epoch and empty: it no longer counts as its operator's
    /// stake, or what it had counts for the validator that it was merged into. Anybody.
    /// @param balances the chunk of four balances that its own is in
    /// @dev Errors: {PhaseUnexpected}, {NotWithdrawable}, {BalanceLeft}, {SlashingNotProven}, those of {IBeaconProofs}.
    function proveGone(Proof calldata proof, bytes32 balances, bytes32[] calldata balanceBranch) external;

    // --- Governance ---

    /// @notice Replace the contract that verifies proofs, for a fork that moves what is proven. Restricted.
    function setProofs(address newProofs) external;
    /// @notice Who may top up, ask for exits and consolidate. Restricted.
    function setKeeper(address account, bool allowed) external;

    // --- Reading ---

    /// @notice What a deposit needs at least, and what a preparation costs.
    function MIN_DEPOSIT() external view returns (uint256);
    /// @notice What a validator needs to be active.
    function MIN_ACTIVE() external view returns (uint256);
    /// @notice Most that is staked with one validator.
    function MAX_STAKE() external view returns (uint256);
    /// @notice Seconds after which an exit that was forced is asked again, and what was asked is waited for no longer.
    function ASK_EXPIRY() external view returns (uint256);
    /// @notice Seconds for which a slashing can be charged at least.
    function SLASHING_CASE() external view returns (uint256);
    /// @notice Seconds that a preparation has to be proven.
    function ABANDON_AFTER() external view returns (uint256);
    /// @notice Seconds that a request waits before anybody can force exits for it.
    function OVERDUE_AFTER() external view returns (uint256);
    function GENESIS_TIME() external view returns (uint256);
    function SECONDS_PER_SLOT() external view returns (uint256);
    function SLOTS_PER_EPOCH() external view returns (uint256);
    /// @notice Credentials of our validators: those of the vault.
    function CREDENTIALS() external view returns (bytes32);

    function proofs() external view returns (address);
    /// @notice Key hash of the validator into which `source` was asked to be merged; 0 where it was not.
    function mergesInto(bytes32 source) external view returns (bytes32 target);
    function isKeeper(address account) external view returns (bool);
    function validator(bytes calldata pubkey) external view returns (Validator memory);
    /// @param keyHash keccak256 of the public key
    function record(bytes32 keyHash) external view returns (Validator memory);
    /// @notice Validators ever proven.
    function count() external view returns (uint256);
    /// @notice keccak256 of the public key of the validator that was proven as number `position`, from 0.
    function keyHashAt(uint256 position) external view returns (bytes32);
    /// @notice Position of the validator at which the next forced exit begins.
    function exitCursor() external view returns (uint256);
    /// @notice What was asked by force and has not come yet. Whatever arrives at the gateway counts, for the oldest first;
    /// what does not come within {ASK_EXPIRY} (half of it, where much was asked before) is waited for no longer.
    function asked() external view returns (uint256);
    /// @notice What requests up to `requestId` still miss: their worth less the buffer, what lies in the gateway, and
    /// {asked}.
    /// @dev Errors: {RequestSettled}, {NotOverdue}, `RequestUnknown` of the queue.
    function missing(uint256 requestId) external view returns (uint256);
    /// @notice How `amount` of new stake is best divided: in parts, each to the operator with the least stake for its
    /// weight that has room for it. Room is what stake cap, bond and proven validators leave. For calls off chain.
    /// @return amounts for operators 1, 2, ...
    function allocation(uint256 amount, uint256 part) external view returns (uint256[] memory amounts);
}
