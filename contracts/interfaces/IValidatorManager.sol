// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {BeaconHeader, ValidatorRecord} from "./IBeaconProofs.sol";

/// @title Validator manager
/// @notice From a key to a validator that works for the pool, and back. It chooses keys and brings proofs; the ether goes
/// from the vault straight to the deposit contract, with credentials that are immutable in the vault.
///
///     prepare    1 ether to the deposit contract for a new key, backed by at least 1 ether of the operator's bond
///     prove      a beacon proof that the validator exists with our credentials; only then it can hold users' ether
///     stake      top-ups from the buffer, up to 2,048 ether
///     exit       EIP-7002: by the keeper, by the operator, by anybody when the head of the queue is overdue
///
/// A public key is used once and never again.
interface IValidatorManager {
    enum Phase {
        NONE,
        PREPARED, // 1 ether is on its way, backed by the bond
        PROVEN, // works for the pool
        EXITING, // has begun to leave: proven exit epoch, or its exit was asked for
        GONE, // left, proven by a balance of zero after its withdrawable epoch
        REFUSED // never proven: other credentials, or abandoned
    }

    /// @notice 4 + 1 + 5 + 5 + 8 + 1 = 24 bytes.
    struct Validator {
        uint32 operator;
        Phase phase;
        uint40 index; // in the beacon state, from the proof
        uint40 since; // seconds, when it was prepared, then when it was proven
        uint64 staked; // gwei that the vault deposited for it
        bool slashed; // proven
    }

    /// @notice 8 + 4 + 4 = 16 bytes.
    struct Stake {
        uint64 staked; // gwei in proven validators that have not left
        uint32 prepared; // validators not proven yet
        uint32 validators; // proven, not gone
    }

    struct TopUp {
        bytes pubkey;
        uint64 amount; // gwei, at least 1 ether
    }

    /// @notice A beacon block header and where the EIP-4788 contract has its root: the timestamp of the next block.
    struct Anchor {
        uint64 timestamp;
        BeaconHeader header;
    }

    event Prepared(uint256 indexed operator, bytes pubkey);
    /// @notice `position` is its place in the order of the registry, which reports and forced exits follow.
    event Proven(uint256 indexed operator, bytes pubkey, uint256 index, uint256 position);
    event Refused(uint256 indexed operator, bytes pubkey);
    event Staked(uint256 indexed operator, bytes pubkey, uint256 amount);
    event ExitRequested(uint256 indexed operator, bytes pubkey, uint256 amount, bool forced);
    event Exiting(uint256 indexed operator, bytes pubkey);
    event Gone(uint256 indexed operator, bytes pubkey);
    event SlashingProven(uint256 indexed operator, bytes pubkey, uint256 effectiveBalance);
    event Consolidated(bytes source, bytes target);
    event ModuleChanged(bytes32 indexed name, address oldModule, address module);

    error CallerNotAllowed(address caller, address allowed);
    error PubkeyLengthInvalid(uint256 length);
    error PubkeyUsed(bytes pubkey);
    error OperatorInactive(uint256 operator);
    error PhaseUnexpected(bytes pubkey, Phase phase, Phase expected);
    error RecordMismatch();
    error StakeAboveCap(uint256 operator, uint256 staked, uint256 cap);
    error BalanceAboveMaximum(bytes pubkey, uint256 staked, uint256 maximum);
    error NotAbandoned(uint256 from);
    error NotSlashed(bytes pubkey);
    error NotLeaving(bytes pubkey);
    error NotOverdue(uint256 requestId, uint256 from);
    error NothingMissing();
    error OrderViolated(uint256 position, bytes32 given, bytes32 expected);
    error EmptyBatch();
    error LengthMismatch(uint256 first, uint256 second);
    error FeeTooLow(uint256 sent, uint256 needed);

    // --- From key to validator ---

    /// @notice Begin with a new key. By the operator's manager.
    /// @param signature 96 bytes over the deposit of 1 ether with the vault's credentials; if it is wrong the operator's
    /// bond pays
    function prepare(uint256 operator, bytes calldata pubkey, bytes calldata signature) external;

    /// @notice Prove that a prepared validator exists with our credentials. Anybody.
    function prove(
        bytes calldata pubkey,
        Anchor calldata anchor,
        uint256 index,
        ValidatorRecord calldata record,
        bytes32[] calldata branch
    ) external;

    /// @notice Prove that the key of a preparation has other credentials: its operator's bond answers for 1 ether. Anybody.
    function refuse(
        bytes calldata pubkey,
        Anchor calldata anchor,
        uint256 index,
        ValidatorRecord calldata record,
        bytes32[] calldata branch
    ) external;

    /// @notice End a preparation that nobody proved for {ABANDON_AFTER}: its operator's bond answers for 1 ether. Anybody.
    function abandon(bytes calldata pubkey) external;

    /// @notice Top proven validators up from the buffer. Restricted (keeper).
    function stake(TopUp[] calldata topUps) external;

    // --- And back ---

    /// @notice Ask for exits (amount 0) and partial withdrawals (gwei). Restricted (keeper). Ether sent beyond the fees
    /// comes back.
    function requestExits(bytes[] calldata pubkeys, uint64[] calldata amounts) external payable;
    /// @notice The same for the caller's own validators. By the operator's manager.
    function requestOwnExits(uint256 operator, bytes[] calldata pubkeys, uint64[] calldata amounts) external payable;
    /// @notice Force exits for what overdue requests still miss. Anybody; amounts and order are fixed: validators in the
    /// order of the registry from {exitCursor}, each as much as it can give.
    /// @param requestId the newest request that is overdue
    /// @param pubkeys the next validators in order
    function forceExits(uint256 requestId, bytes[] calldata pubkeys) external payable;
    /// @notice Move one of our validators into another (EIP-7251). Restricted (keeper).
    function consolidate(bytes calldata source, bytes calldata target) external payable;

    // --- What proofs show ---

    /// @notice Prove that a validator was slashed: opens a case against its operator's bond and stops finalisation
    /// without reports until one counts it. Anybody.
    function proveSlashed(
        bytes calldata pubkey,
        Anchor calldata anchor,
        ValidatorRecord calldata record,
        bytes32[] calldata branch
    ) external;
    /// @notice Prove that a validator has an exit epoch. Anybody.
    function proveExiting(
        bytes calldata pubkey,
        Anchor calldata anchor,
        ValidatorRecord calldata record,
        bytes32[] calldata branch
    ) external;
    /// @notice Prove that a validator is past its withdrawable epoch and empty. Anybody.
    function proveGone(
        bytes calldata pubkey,
        Anchor calldata anchor,
        ValidatorRecord calldata record,
        bytes32[] calldata branch,
        bytes32 balances,
        bytes32[] calldata balanceBranch
    ) external;

    // --- Reading ---

    function validator(bytes calldata pubkey) external view returns (Validator memory);
    function stakeOf(uint256 operator) external view returns (Stake memory);
    /// @notice Validators ever proven.
    function count() external view returns (uint256);
    /// @notice keccak256 of the public key of the validator that was proven as number `position`, from 0.
    function keyHashAt(uint256 position) external view returns (bytes32);
    /// @notice Validators prepared and not proven, refused or abandoned; reports count 1 ether for each.
    function prepared() external view returns (uint256);
    function exitCursor() external view returns (uint256);
    /// @notice Ether that overdue requests up to `requestId` still miss, gwei: less what is in the buffer, in the gateway
    /// and asked for already.
    function missing(uint256 requestId) external view returns (uint256);
}
