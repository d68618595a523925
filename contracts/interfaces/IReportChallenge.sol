// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {BeaconHeader, PendingDeposit} from "./IBeaconProofs.sol";
import {Report} from "./IReportOracle.sol";

/// @title Challenge of reports
/// @notice Anybody shows, with what the beacon chain publishes, that the newest report is false. Its unvested rewards are
/// taken back, who signed it or voted for it loses its bond, and the oracle halts until governance acts. What can be shown
/// is exact, so a true report cannot be hurt.
///
/// A report is anchored to a beacon block, and its `balancesRoot` commits to what its consensus balance is made of: the
/// leaves of a sum tree, each with a tag and an amount (gwei), in this order:
///
///     validators    all proven at the reference slot, by position: tag 0, the balance
///     deposits      all pending for them, by index: tag is the index in the state's list, the amount
///     preparations  all that were not proven, refused or abandoned then, by key hash: tag is the key hash, 1 ether
///
/// and (0, 0) up to a power of two. A node is a hash and a sum; a leaf's are its tag and amount. With big-endian sums of 8
/// bytes,
///
///     parent.hash = sha256(left.hash, right.hash, left.sum, right.sum)      parent.sum = left.sum + right.sum
///     balancesRoot = sha256(top.hash, validators, deposits, preparations, top.sum)
///
/// "At the reference slot" is: in the state of the block that the report names, and on this chain up to its time.
interface IReportChallenge {
    /// @notice A node beside the path, and the sum that the tree has for the parent of both.
    struct Sibling {
        bytes32 hash;
        uint64 sum; // gwei
        uint64 total; // gwei
    }

    /// @notice A leaf and how the root commits to it.
    struct Opening {
        uint64 deposits; // leaves of that kind
        uint64 preparations; // leaves of that kind
        uint256 position; // of the leaf
        bytes32 tag;
        uint64 amount; // gwei
        Sibling[] path; // from the leaf up
    }

    /// @notice What the beacon chain says. What a challenge does not need stays empty.
    struct Evidence {
        BeaconHeader header; // of the block that the report names
        bytes32 balances; // the chunk of four balances that the validator's is in
        PendingDeposit deposit; // with an empty key: there is none, for there are only `depositCount`
        uint64 depositCount;
        bytes32[] branch;
    }

    /// @notice A member's bond, in shares. 12 + 12 + 5 = 29 bytes.
    struct MemberBond {
        uint96 shares;
        uint96 leaving; // still chargeable
        uint40 leavingFrom; // seconds
    }

    event BondDeposited(address indexed member, address indexed from, uint256 shares);
    event BondWithdrawalRequested(address indexed member, uint256 shares, uint256 from);
    event BondWithdrawn(address indexed member, uint256 shares);
    event ReportDisproved(bytes32 indexed digest, address indexed challenger);
    /// @notice Nobody showed a leaf that was asked for.
    event ReportUnanswered(bytes32 indexed digest, uint256 position);
    event BondCharged(bytes32 indexed digest, address indexed member, uint256 shares);
    event LeafDemanded(bytes32 indexed digest, uint256 indexed position, address by, uint256 until);
    event LeafShown(bytes32 indexed digest, uint256 indexed position, bytes32 tag, uint256 amount);

    error ConfigInvalid();
    error AmountMissing();
    error AmountAboveBond(uint256 shares, uint256 bond);
    error BondTooLow(address member, uint256 shares, uint256 needed);
    error NothingLeaves(address member);
    error StillLocked(uint256 from);
    /// @notice Only the newest report can be challenged, and only once.
    error NotNewest(bytes32 digest, bytes32 newest);
    error NotDisproved(bytes32 digest);
    error HeaderMismatch(bytes32 root, bytes32 expected);
    error BalancesRootMismatch(bytes32 root, bytes32 expected);
    error PathLengthInvalid(uint256 length, uint256 expected);
    error PositionOutOfBounds(uint256 position);
    /// @notice Nothing of what was given shows that the report is false.
    error NothingDisproved();
    error WrongValue(uint256 sent, uint256 expected);
    error DemandKnown(uint256 position);
    error DemandUnknown(uint256 position);
    error DemandOpen(uint256 until);
    error EtherRejected(address receiver);

    // --- Challenge. `signatures` are those that came with the report; more can be charged with {charge}. ---

    /// @notice Show that the leaf of `opening` is false, or that the sums on its path do not add up.
    /// @dev Needs `evidence` for a validator (header, balances, branch) and a deposit (header, deposit or depositCount,
    /// branch) whose path adds up, and none else. Errors: {NotNewest}, {BalancesRootMismatch}, {PathLengthInvalid},
    /// {HeaderMismatch}, {NothingDisproved}, those of {IBeaconProofs}.
    function challengeLeaf(
        Report calldata report,
        bytes[] calldata signatures,
        Opening calldata opening,
        Evidence calldata evidence
    ) external;

    /// @notice Show that two neighbours, deposits or preparations, do not rise: one is counted twice.
    function challengeOrder(
        Report calldata report,
        bytes[] calldata signatures,
        Opening calldata first,
        Opening calldata second
    ) external;

    /// @notice Show that the report does not count as many validators as were proven.
    function challengeCount(Report calldata report, bytes[] calldata signatures) external;

    /// @notice Show that a pending deposit for one of the validators is left out.
    /// @param neighbours the leaves between which it had to be; at either end, or where there are none, one suffices
    function challengeMissingDeposit(
        Report calldata report,
        bytes[] calldata signatures,
        Opening[] calldata neighbours,
        Evidence calldata evidence,
        uint256 index
    ) external;

    /// @notice Show that a preparation is left out.
    function challengeMissingPreparation(
        Report calldata report,
        bytes[] calldata signatures,
        Opening[] calldata neighbours,
        bytes32 keyHash
    ) external;

    /// @notice Charge members whose signature or vote stands under a report that was disproved: their whole bond, what
    /// leaves included, each once. A part goes to the challenger, the rest to the cover fund. Anybody.
    /// @param voters that are members no more; those that still are answer for their votes anyway
    function charge(bytes32 digest, bytes[] calldata signatures, address[] calldata voters) external;

    // --- A root that nobody can open ---

    /// @notice Ask for the leaf at `position` to be shown on chain, for whoever cannot get it otherwise. Costs
    /// {DEMAND_FEE}, which goes to who shows it. {ANSWER_TIME} later the report falls, without charge to anybody.
    function demand(Report calldata report, uint256 position) external payable;
    /// @notice Show a leaf that was asked for, or that the tree does not reach so far. Anybody.
    /// @dev The path need not add up: then it can be challenged.
    function show(Report calldata report, Opening calldata opening, uint256 position) external;
    /// @notice Nobody has shown it in time: unvested rewards are taken back, the oracle halts, the fee returns to who asked
    /// (or stays here, where that account takes no ether).
    function conclude(Report calldata report, uint256 position) external;

    // --- Bonds of members, slETH ---

    /// @notice Anybody, for anybody.
    function deposit(address member, uint256 shares) external;
    function depositEther(address member) external payable returns (uint256 shares);
    /// @notice By the member: `shares` count no longer, stay chargeable, and can be withdrawn {DELAY} later. While it is a
    /// member {BOND} stays.
    function requestWithdrawal(uint256 shares) external;
    function withdraw() external returns (uint256 shares);

    // --- Reading ---

    /// @notice Reverts with {BondTooLow} unless the bond of `member` is at least {BOND}.
    function requireBond(address member) external view;
    function bondOf(address member) external view returns (MemberBond memory);
    /// @notice Who disproved the report; zero where nobody did.
    function challengerOf(bytes32 digest) external view returns (address);
    /// @notice Least bond of a member, shares.
    function BOND() external view returns (uint256);
    /// @notice Seconds.
    function DELAY() external view returns (uint256);
    /// @notice Part of a charged bond that is the challenger's, basis points.
    function REWARD() external view returns (uint256);
    /// @notice Wei.
    function DEMAND_FEE() external view returns (uint256);
    /// @notice Seconds.
    function ANSWER_TIME() external view returns (uint256);
}
