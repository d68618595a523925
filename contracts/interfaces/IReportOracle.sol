// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice What members sign: the protocol as seen at one slot of the consensus layer (EIP-712 type `Report`).
struct Report {
    uint64 referenceSlot;
    bytes32 beaconRoot; // root of the newest beacon block at or before the reference slot
    bytes32 balancesRoot; // of the sum tree over what `consensusBalance` is made of, see {IReportChallenge}
    uint64 validators; // how many validators had been proven ours
    uint64 consensusBalance; // their balances and pending deposits, and 1 ether for each preparation, gwei
    uint64 provision; // expected cost of slashings under way, gwei
    uint64 faults; // what validators at fault have lost since the report before, gains of others aside, gwei
    uint64 withdrawn; // all ether the consensus layer ever paid to the gateway, gwei
    uint64 deposited; // the vault's counter at the reference slot, gwei
    uint96 rewards; // to take from the rewards vault, wei
}

/// @title Report oracle
/// @notice Members sign one report a frame off chain; one transaction, sent by anybody, carries a quorum of signatures.
/// Members who cannot reach each other vote on chain instead, with the same result.
///
/// Frame k starts at slot `FIRST_SLOT + k * FRAME_SLOTS`, which is its reference slot; its report is accepted until the
/// next frame starts. Digests bind chain, contract and slot, so a report counts once and nowhere else.
///
/// Members answer for their reports with bonds ({IReportChallenge}): there is no first report, no new member, and no report
/// after one that was proven false and halted the oracle, without them.
interface IReportOracle {
    event ReportAccepted(bytes32 indexed digest, uint256 indexed referenceSlot, Report report, int256 profit);
    event Voted(address indexed member, bytes32 indexed digest, uint256 indexed referenceSlot);
    event MemberAdded(address indexed member, address indexed key);
    event MemberRemoved(address indexed member, address indexed key);
    event KeyRotated(address indexed member, address indexed oldKey, address indexed key);
    event QuorumChanged(uint256 oldQuorum, uint256 quorum);
    event LimitsChanged(address oldLimits, address limits);
    event Halted();
    event Resumed();

    /// @notice The report is not for the reference slot of the current frame.
    error ReferenceSlotUnexpected(uint256 given, uint256 expected);
    error OracleHalted();
    error CallerNotAllowed(address caller, address allowed);
    error AlreadyReported(uint256 referenceSlot);
    /// @notice The report was not built from the block that the chain has at the reference slot (EIP-4788). See also
    /// {IBeaconProofs-NoBlockAfter} and {IBeaconProofs-RootExpired}.
    error BeaconRootMismatch(bytes32 given, bytes32 published);
    error FirstFrameNotStarted(uint256 slot, uint256 firstSlot);
    error QuorumNotReached(uint256 given, uint256 needed);
    /// @notice Signature `index` is neither 65 bytes nor compact (ERC-2098), malleable, or recovers to nobody.
    error SignatureInvalid(uint256 index);
    /// @notice Signers must rise strictly by address, so that none counts twice.
    error SignersNotSorted(address previous, address signer);
    error KeyNotMember(address key);
    error MemberUnknown(address member);
    error MemberKnown(address member);
    error KeyInUse(address key);
    error AddressMissing();
    error TooManyMembers(uint256 count, uint256 maximum);
    error QuorumOutOfBounds(uint256 quorum, uint256 members);
    error NotAContract(address account);
    error LengthMismatch(uint256 members, uint256 keys);
    error FrameInvalid();

    /// @notice Apply `report` with a quorum of signatures over {digest}, ordered by signer. Anybody may call.
    /// @dev Signatures of keys that are nobody's do not count and do no harm. Errors: {QuorumNotReached},
    /// {SignatureInvalid}, {SignersNotSorted}, {OracleHalted}, {ReferenceSlotUnexpected}, {AlreadyReported}, those of
    /// vault and limits.
    function submit(Report calldata report, bytes[] calldata signatures) external;

    /// @notice Vote for `report` with a member's key; the vote that completes the quorum applies it.
    /// @dev A member has one vote; a later one replaces it. Removal and rotation void it.
    function vote(Report calldata report) external;

    /// @notice Replace the caller's own signing key. Members only.
    function rotateKey(address key) external;

    // --- Reading ---

    /// @notice What a member signs for `report` (EIP-712).
    function digest(Report calldata report) external view returns (bytes32);

    /// @notice What is expected next.
    /// @return referenceSlot of the current frame
    /// @return referenceTime of that slot, seconds
    /// @return deadline first second at which its report is refused
    /// @return reported whether it has been accepted
    function expected()
        external
        view
        returns (uint256 referenceSlot, uint256 referenceTime, uint256 deadline, bool reported);

    /// @notice Reverts unless `signatures` over `digest_`, ordered by signer, are those of a quorum. For other contracts
    /// that act on the committee's word; the digest must bind chain, contract and purpose, and count once.
    /// @dev Errors: {QuorumNotReached}, {SignatureInvalid}, {SignersNotSorted}.
    function requireQuorum(bytes32 digest_, bytes[] calldata signatures) external view;

    /// @notice Time of slot 0, seconds.
    function GENESIS_TIME() external view returns (uint256);
    function SECONDS_PER_SLOT() external view returns (uint256);
    /// @notice Who made `signature` over `digest_`: the member whose key it is, or was; zero for nobody's.
    /// @dev Errors: {SignatureInvalid}.
    function signerOf(bytes32 digest_, bytes calldata signature) external view returns (address member);

    /// @notice Digest of the newest report that was accepted and not proven false; zero where there is none.
    function newest() external view returns (bytes32);
    /// @notice Whether reports are refused until governance lets them go on.
    function halted() external view returns (bool);
    function quorum() external view returns (uint256);
    function members() external view returns (address[] memory);
    function keyOf(address member) external view returns (address);
    function memberOf(address key) external view returns (address);
    function voteOf(address member) external view returns (bytes32 digest);
    /// @notice Whether `member` voted for the report with this digest, while it can be challenged.
    function answersFor(address member, bytes32 digest_) external view returns (bool);
    function lastReferenceSlot() external view returns (uint256);
    /// @notice Validator count of the newest report.
    function validators() external view returns (uint256);
    function limits() external view returns (address);

    /// @notice Refuse reports from now on: the newest was proven false. Challenge contract only.
    function halt() external;

    // --- Governance (restricted) ---

    /// @notice Take reports again. Every member's bond must be there.
    function resume() external;
    /// @notice Errors: {MemberKnown}, {KeyInUse}, {TooManyMembers}, {QuorumOutOfBounds}, `BondTooLow` of the challenge.
    /// @param key the account that signs and votes for `member`
    /// @param newQuorum more than half of the members after the change, at most all
    function addMember(address member, address key, uint256 newQuorum) external;
    function removeMember(address member, uint256 newQuorum) external;
    function setQuorum(uint256 newQuorum) external;
    function setLimits(address newLimits) external;
}
