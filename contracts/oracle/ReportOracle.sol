// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

import {IReportChallenge} from "../interfaces/IReportChallenge.sol";
import {IReportLimits, ReportFigures} from "../interfaces/IReportLimits.sol";
import {IReportOracle, Report} from "../interfaces/IReportOracle.sol";
import {ConsensusReport, IStakingVault} from "../interfaces/IStakingVault.sol";
import {BeaconRoots} from "../libraries/BeaconRoots.sol";

/// @title Report oracle
/// @notice See {IReportOracle}.
/// @dev A module: governance can replace it after a delay. It holds no ether and no slETH.
contract ReportOracle is IReportOracle, AccessManaged, EIP712 {
    using EnumerableSet for EnumerableSet.AddressSet;
    using SafeCast for uint256;

    /// @dev 20 + 5 + 5 + 1 + 1 = 32 bytes.
    struct State {
        address limits;
        uint40 lastReferenceSlot;
        uint40 validators;
        uint8 quorum;
        bool halted;
    }

    struct Config {
        address authority;
        address vault;
        address limits;
        address challenge;
        uint256 genesisTime; // seconds
        uint256 secondsPerSlot;
        uint256 firstSlot;
        uint256 frameSlots;
        address[] members;
        address[] keys;
        uint256 quorum;
        uint256 validators; // as the oracle before this one knew them; 0 for the first
    }

    bytes32 private constant REPORT_TYPEHASH = keccak256(
        "Report(uint64 referenceSlot,bytes32 beaconRoot,bytes32 balancesRoot,uint64 validators,uint64 consensusBalance,uint64 provision,uint64 faults,uint64 withdrawn,uint64 deposited,uint96 rewards)"
    );

    /// @dev Most slots without a block behind a reference slot; after more the frame goes without a report.
    uint256 private constant MAX_MISSED_SLOTS = 64;
    /// @notice Most members; the fallback vote counts them one by one.
    uint256 public constant MAX_MEMBERS = 32;

    IStakingVault private immutable VAULT;
    /// @notice Holds members' bonds and judges reports.
    IReportChallenge public immutable CHALLENGE;
    /// @inheritdoc IReportOracle
    uint256 public immutable GENESIS_TIME;
    /// @inheritdoc IReportOracle
    uint256 public immutable SECONDS_PER_SLOT;
    /// @notice Reference slot of the first frame.
    uint256 public immutable FIRST_SLOT;
    /// @notice Slots in a frame.
    uint256 public immutable FRAME_SLOTS;

    State private _state;
    /// @inheritdoc IReportOracle
    bytes32 public newest;
    EnumerableSet.AddressSet private _members;
    /// @inheritdoc IReportOracle
    mapping(address key => address) public memberOf;
    /// @inheritdoc IReportOracle
    mapping(address member => address) public keyOf;
    /// @inheritdoc IReportOracle
    mapping(address member => bytes32) public voteOf;
    /// @dev a vote for the newest report, after another one has replaced it
    mapping(address member => bytes32) private _answered;
    /// @dev of keys that were rotated or removed; nobody else can have them, so what they signed stays its member's
    mapping(address key => address) private _formerly;

    constructor(Config memory config) AccessManaged(config.authority) EIP712("Sluice Report Oracle", "1") {
        if (config.secondsPerSlot == 0 || config.frameSlots == 0) revert FrameInvalid();
        if (config.members.length != config.keys.length) {
            revert LengthMismatch(config.members.length, config.keys.length);
        }
        VAULT = IStakingVault(payable(config.vault));
        CHALLENGE = IReportChallenge(config.challenge);
        GENESIS_TIME = config.genesisTime;
        SECONDS_PER_SLOT = config.secondsPerSlot;
        FIRST_SLOT = config.firstSlot;
        FRAME_SLOTS = config.frameSlots;
        _state.limits = config.limits;
        _state.validators = config.validators.toUint40();
        emit LimitsChanged(address(0), config.limits);
        for (uint256 i = 0; i < config.members.length; ++i) {
            _addMember(config.members[i], config.keys[i]);
        }
        _setQuorum(config.quorum);
    }

    // --- Reports ---

    /// @inheritdoc IReportOracle
    function submit(Report calldata report, bytes[] calldata signatures) external {
        State memory state = _state;
        bytes32 digest_ = digest(report);
        _requireQuorum(digest_, signatures, state.quorum);
        _apply(state, report, digest_);
    }

    /// @inheritdoc IReportOracle
    function vote(Report calldata report) external {
        address member = memberOf[msg.sender];
        if (member == address(0)) revert KeyNotMember(msg.sender);
        State memory state = _state;
        _requireExpected(state, report.referenceSlot);
        bytes32 digest_ = digest(report);
        _keepAnswer(member);
        voteOf[member] = digest_;
        emit Voted(member, digest_, report.referenceSlot);

        uint256 count;
        for (uint256 i = 0; i < _members.length(); ++i) {
            if (voteOf[_members.at(i)] == digest_) ++count;
        }
        if (count >= state.quorum) _apply(state, report, digest_);
    }

    // --- Members ---

    /// @inheritdoc IReportOracle
    function rotateKey(address key) external {
        address oldKey = keyOf[msg.sender];
        if (oldKey == address(0)) revert MemberUnknown(msg.sender);
        _retire(msg.sender, oldKey);
        _setKey(msg.sender, key);
        emit KeyRotated(msg.sender, oldKey, key);
    }

    /// @inheritdoc IReportOracle
    function addMember(address member, address key, uint256 newQuorum) external restricted {
        _addMember(member, key);
        CHALLENGE.requireBond(member);
        _setQuorum(newQuorum);
    }

    /// @inheritdoc IReportOracle
    function removeMember(address member, uint256 newQuorum) external restricted {
        if (!_members.remove(member)) revert MemberUnknown(member);
        address key = keyOf[member];
        delete keyOf[member];
        _retire(member, key);
        emit MemberRemoved(member, key);
        _setQuorum(newQuorum);
    }

    /// @inheritdoc IReportOracle
    function setQuorum(uint256 newQuorum) external restricted {
        _setQuorum(newQuorum);
    }

    /// @inheritdoc IReportOracle
    function setLimits(address newLimits) external restricted {
        if (newLimits.code.length == 0) revert NotAContract(newLimits);
        emit LimitsChanged(_state.limits, newLimits);
        _state.limits = newLimits;
    }

    /// @inheritdoc IReportOracle
    function halt() external {
        if (msg.sender != address(CHALLENGE)) revert CallerNotAllowed(msg.sender, address(CHALLENGE));
        _state.halted = true;
        delete newest;
        emit Halted();
    }

    /// @inheritdoc IReportOracle
    function resume() external restricted {
        _requireBonds();
        _state.halted = false;
        emit Resumed();
    }

    // --- Reading ---

    /// @inheritdoc IReportOracle
    function digest(Report calldata report) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(REPORT_TYPEHASH, report)));
    }

    /// @inheritdoc IReportOracle
    function expected()
        external
        view
        returns (uint256 referenceSlot, uint256 referenceTime, uint256 deadline, bool reported)
    {
        referenceSlot = _expectedSlot();
        referenceTime = _timeOf(referenceSlot);
        deadline = _timeOf(referenceSlot + FRAME_SLOTS);
        reported = _state.lastReferenceSlot == referenceSlot;
    }

    /// @inheritdoc IReportOracle
    function requireQuorum(bytes32 digest_, bytes[] calldata signatures) external view {
        _requireQuorum(digest_, signatures, _state.quorum);
    }

    /// @inheritdoc IReportOracle
    function signerOf(bytes32 digest_, bytes calldata signature) external view returns (address member) {
        address key = _recover(digest_, signature, 0);
        member = memberOf[key];
        return member == address(0) ? _formerly[key] : member;
    }

    /// @inheritdoc IReportOracle
    function answersFor(address member, bytes32 digest_) external view returns (bool) {
        return voteOf[member] == digest_ || _answered[member] == digest_;
    }

    /// @inheritdoc IReportOracle
    function halted() external view returns (bool) {
        return _state.halted;
    }

    /// @inheritdoc IReportOracle
    function quorum() external view returns (uint256) {
        return _state.quorum;
    }

    /// @inheritdoc IReportOracle
    function members() external view returns (address[] memory) {
        return _members.values();
    }

    /// @inheritdoc IReportOracle
    function lastReferenceSlot() external view returns (uint256) {
        return _state.lastReferenceSlot;
    }

    /// @inheritdoc IReportOracle
    function validators() external view returns (uint256) {
        return _state.validators;
    }

    /// @inheritdoc IReportOracle
    function limits() external view returns (address) {
        return _state.limits;
    }

    function vault() external view returns (address) {
        return address(VAULT);
    }

    // --- Internal ---

    function _requireQuorum(bytes32 digest_, bytes[] calldata signatures, uint256 quorum_) private view {
        address previous;
        uint256 count;
        for (uint256 i = 0; i < signatures.length; ++i) {
            address key = _recover(digest_, signatures[i], i);
            if (key <= previous) revert SignersNotSorted(previous, key);
            if (memberOf[key] != address(0)) ++count; // a key that was just rotated must not spoil the others
            previous = key;
        }
        if (count < quorum_) revert QuorumNotReached(count, quorum_);
    }

    /// @dev The one place where a report takes effect, however it was agreed on.
    function _apply(State memory state, Report calldata report, bytes32 digest_) private {
        _requireExpected(state, report.referenceSlot);
        if (state.lastReferenceSlot == 0) _requireBonds(); // who came later had one to come
        newest = digest_;
        _state.lastReferenceSlot = uint256(report.referenceSlot).toUint40();
        _state.validators = uint256(report.validators).toUint40();

        uint256 referenceTime = _timeOf(report.referenceSlot);
        (bytes32 root,) = BeaconRoots.firstAfter(referenceTime, SECONDS_PER_SLOT, MAX_MISSED_SLOTS);
        if (report.beaconRoot != root) revert BeaconRootMismatch(report.beaconRoot, root);
        uint256 previousTime = VAULT.referenceTime();
        (int256 profit, uint256 total) = VAULT.report(
            ConsensusReport({
                referenceTime: referenceTime.toUint40(),
                consensusBalance: report.consensusBalance,
                provision: report.provision,
                faults: report.faults,
                withdrawn: report.withdrawn,
                deposited: report.deposited,
                rewards: report.rewards
            })
        );
        IReportLimits(state.limits)
            .check(
                digest_,
                ReportFigures({
                profit: profit,
                total: total,
                elapsed: referenceTime - previousTime, // the vault refuses a time that is not later
                age: block.timestamp - referenceTime,
                oldValidators: state.validators,
                newValidators: report.validators
            })
            );
        emit ReportAccepted(digest_, report.referenceSlot, report, profit);
    }

    function _requireExpected(State memory state, uint256 referenceSlot) private view {
        if (state.halted) revert OracleHalted();
        uint256 expectedSlot = _expectedSlot();
        if (referenceSlot != expectedSlot) revert ReferenceSlotUnexpected(referenceSlot, expectedSlot);
        if (referenceSlot <= state.lastReferenceSlot) revert AlreadyReported(referenceSlot);
    }

    function _requireBonds() private view {
        address[] memory all = _members.values();
        for (uint256 i = 0; i < all.length; ++i) {
            CHALLENGE.requireBond(all[i]);
        }
    }

    /// @dev Reference slot of the frame that runs now.
    function _expectedSlot() private view returns (uint256) {
        uint256 slot = (block.timestamp - GENESIS_TIME) / SECONDS_PER_SLOT;
        if (slot < FIRST_SLOT) revert FirstFrameNotStarted(slot, FIRST_SLOT);
        return slot - (slot - FIRST_SLOT) % FRAME_SLOTS;
    }

    function _timeOf(uint256 slot) private view returns (uint256) {
        return GENESIS_TIME + slot * SECONDS_PER_SLOT;
    }

    /// @dev 65 bytes (r, s, v) or 64 (ERC-2098); OpenZeppelin refuses the upper half of s.
    function _recover(bytes32 digest_, bytes calldata signature, uint256 index) private pure returns (address key) {
        ECDSA.RecoverError failure;
        if (signature.length == 64) {
            (key, failure,) = ECDSA.tryRecover(digest_, bytes32(signature[:32]), bytes32(signature[32:]));
        } else {
            (key, failure,) = ECDSA.tryRecoverCalldata(digest_, signature);
        }
        if (failure != ECDSA.RecoverError.NoError) revert SignatureInvalid(index);
    }

    function _addMember(address member, address key) private {
        if (member == address(0)) revert AddressMissing();
        if (!_members.add(member)) revert MemberKnown(member);
        if (_members.length() > MAX_MEMBERS) revert TooManyMembers(_members.length(), MAX_MEMBERS);
        _setKey(member, key);
        emit MemberAdded(member, key);
    }

    function _setKey(address member, address key) private {
        if (key == address(0)) revert AddressMissing();
        address former = _formerly[key];
        if (memberOf[key] != address(0) || (former != address(0) && former != member)) revert KeyInUse(key);
        memberOf[key] = member;
        keyOf[member] = key;
    }

    function _retire(address member, address key) private {
        delete memberOf[key];
        _formerly[key] = member;
        _keepAnswer(member);
        delete voteOf[member];
    }

    /// @dev Before a vote goes: it may stand under the report that can still be challenged.
    function _keepAnswer(address member) private {
        bytes32 vote_ = voteOf[member];
        if (vote_ != 0 && vote_ == newest) _answered[member] = vote_;
    }

    /// @dev members / 2 < quorum <= members
    function _setQuorum(uint256 newQuorum) private {
        uint256 count = _members.length();
        if (newQuorum > count || newQuorum * 2 <= count) revert QuorumOutOfBounds(newQuorum, count);
        emit QuorumChanged(_state.quorum, newQuorum);
        _state.quorum = uint8(newQuorum);
    }
}
