// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

import {IOperatorRegistry} from "../interfaces/IOperatorRegistry.sol";
import {BPS} from "../libraries/Constants.sol";
import {OwnerSignature} from "../libraries/OwnerSignature.sol";

/// @title Operator registry
/// @notice See {IOperatorRegistry}.
/// @dev It holds no ether and no slETH.
contract OperatorRegistry is IOperatorRegistry, AccessManaged, EIP712, Nonces {
    /// @dev What the work with keys needs stands in the first slot.
    /// 20 + 4 + 4 + 2 + 1 + 1 = 32 bytes; 20 + 2 = 22 bytes. manager != 0 for every id up to `count`.
    struct Record {
        address manager;
        uint32 stakeCap;
        uint32 weight;
        uint16 bond;
        uint8 threshold;
        bool active;
        address rewards;
        uint16 fee;
    }

    bytes32 private constant CONSENT_TYPEHASH = keccak256(
        "Consent(address manager,address rewards,address[] members,uint8 threshold,uint256 nonce,uint256 deadline)"
    );

    /// @notice Least stake cap but zero, ether: one validator.
    uint256 public constant MIN_STAKE_CAP = 32;
    /// @notice Smallest and largest cluster.
    uint256 public constant MIN_MEMBERS = 4;
    uint256 public constant MAX_MEMBERS = 13;

    /// @inheritdoc IOperatorRegistry
    uint256 public count;
    /// @inheritdoc IOperatorRegistry
    uint256 public memberCap;
    Terms private _solo;
    Terms private _cluster;
    mapping(uint256 id => Record) private _records;
    mapping(uint256 id => address[]) private _members;
    /// @inheritdoc IOperatorRegistry
    mapping(uint256 id => address) public proposedManager;
    /// @inheritdoc IOperatorRegistry
    mapping(uint256 id => address) public proposedRewards;
    /// @inheritdoc IOperatorRegistry
    /// @dev = sum of the stake caps of the active clusters of `member`
    mapping(address member => uint256) public commitmentOf;

    constructor(address authority_, Terms memory solo, Terms memory cluster, uint256 memberCap_)
        AccessManaged(authority_)
        EIP712("Sluice Operator Registry", "1")
    {
        _setOpenTerms(solo, cluster);
        _setMemberCap(memberCap_);
    }

    // --- Ways in ---

    /// @inheritdoc IOperatorRegistry
    function add(address manager, address rewards, Terms calldata terms) external restricted returns (uint256 id) {
        _requireTerms(terms, 0);
        id = _add(manager, rewards, terms);
    }

    /// @inheritdoc IOperatorRegistry
    function register(address rewards) external returns (uint256 id) {
        Terms memory terms = _solo;
        if (terms.stakeCap == 0) revert NotOpen();
        id = _add(msg.sender, rewards, terms);
    }

    /// @inheritdoc IOperatorRegistry
    function registerCluster(
        address manager,
        address rewards,
        address[] calldata members,
        uint8 threshold,
        uint256 deadline,
        bytes[] calldata signatures
    ) external returns (uint256 id) {
        Terms memory terms = _cluster;
        if (terms.stakeCap == 0) revert NotOpen();
        if (block.timestamp > deadline) revert ConsentExpired(deadline);
        if (members.length < MIN_MEMBERS || members.length > MAX_MEMBERS || members.length % 3 != 1) {
            revert ClusterSizeInvalid(members.length);
        }
        if (threshold > members.length || 3 * uint256(threshold) <= 2 * members.length) {
            revert ThresholdInvalid(threshold, members.length);
        }
        if (members.length != signatures.length) revert LengthMismatch(members.length, signatures.length);
        address previous;
        for (uint256 i = 0; i < members.length; ++i) {
            address member = members[i];
            if (member <= previous) revert MembersNotSorted(previous, member);
            bytes32 digest = consentDigest(member, manager, rewards, members, threshold, deadline);
            _useNonce(member);
            (bool valid,) = OwnerSignature.check(member, digest, signatures[i]);
            if (!valid) revert ConsentInvalid(member);
            previous = member;
        }
        terms.threshold = threshold;
        id = _add(manager, rewards, terms);
        _members[id] = members;
        emit MembersSet(id, members);
        _commit(id, 0, terms.stakeCap);
    }

    /// @inheritdoc IOperatorRegistry
    function revokeConsent() external {
        emit ConsentRevoked(msg.sender, _useNonce(msg.sender));
    }

    // --- The operator itself ---

    /// @inheritdoc IOperatorRegistry
    function proposeManager(uint256 id, address proposed) external {
        _requireCaller(_record(id).manager);
        proposedManager[id] = proposed;
        emit ManagerProposed(id, proposed);
    }

    /// @inheritdoc IOperatorRegistry
    function acceptManager(uint256 id) external {
        Record storage record = _record(id);
        _requireCaller(proposedManager[id]);
        delete proposedManager[id];
        emit ManagerChanged(id, record.manager, msg.sender);
        record.manager = msg.sender;
    }

    /// @inheritdoc IOperatorRegistry
    function proposeRewards(uint256 id, address proposed) external {
        _requireCaller(_record(id).rewards);
        proposedRewards[id] = proposed;
        emit RewardsProposed(id, proposed);
    }

    /// @inheritdoc IOperatorRegistry
    function acceptRewards(uint256 id) external {
        Record storage record = _record(id);
        _requireCaller(proposedRewards[id]);
        delete proposedRewards[id];
        emit RewardsChanged(id, record.rewards, msg.sender);
        record.rewards = msg.sender;
    }

    // --- Governance ---

    /// @inheritdoc IOperatorRegistry
    function setTerms(uint256 id, Terms calldata terms) external restricted {
        Record storage record = _record(id);
        Terms memory old = _termsOf(record);
        _requireTerms(terms, old.threshold);
        record.stakeCap = terms.stakeCap;
        record.weight = terms.weight;
        record.bond = terms.bond;
        record.fee = terms.fee;
        emit TermsChanged(id, old, terms);
        if (record.active) _commit(id, old.stakeCap, terms.stakeCap);
    }

    /// @inheritdoc IOperatorRegistry
    function setActive(uint256 id, bool active) external restricted {
        Record storage record = _record(id);
        if (record.active == active) return;
        record.active = active;
        emit ActiveChanged(id, active);
        uint256 cap = record.stakeCap;
        if (active) _commit(id, 0, cap);
        else _commit(id, cap, 0);
    }

    /// @inheritdoc IOperatorRegistry
    function setOpenTerms(Terms calldata solo, Terms calldata cluster) external restricted {
        _setOpenTerms(solo, cluster);
    }

    /// @inheritdoc IOperatorRegistry
    function setMemberCap(uint256 cap) external restricted {
        _setMemberCap(cap);
    }

    // --- Reading ---

    /// @inheritdoc IOperatorRegistry
    function operator(uint256 id) external view returns (Operator memory) {
        Record storage record = _record(id);
        return Operator(record.manager, record.active, record.rewards, _termsOf(record));
    }

    /// @inheritdoc IOperatorRegistry
    function mandate(uint256 id) external view returns (address manager, bool active, uint256 stakeCap, uint256 bond) {
        Record storage record = _record(id);
        return (record.manager, record.active, record.stakeCap, record.bond);
    }

    /// @inheritdoc IOperatorRegistry
    function membersOf(uint256 id) external view returns (address[] memory) {
        _record(id);
        return _members[id];
    }

    /// @inheritdoc IOperatorRegistry
    function openTerms() external view returns (Terms memory solo, Terms memory cluster) {
        return (_solo, _cluster);
    }

    /// @inheritdoc IOperatorRegistry
    function consentDigest(
        address member,
        address manager,
        address rewards,
        address[] calldata members,
        uint8 threshold,
        uint256 deadline
    ) public view returns (bytes32) {
        // elements of a packed array are padded to 32 bytes, as EIP-712 wants them
        bytes32 membersHash = keccak256(abi.encodePacked(members));
        return _hashTypedDataV4(
            keccak256(abi.encode(CONSENT_TYPEHASH, manager, rewards, membersHash, threshold, nonces(member), deadline))
        );
    }

    /// @inheritdoc IOperatorRegistry
    function nonces(address member) public view override(IOperatorRegistry, Nonces) returns (uint256) {
        return super.nonces(member);
    }

    // --- Internal ---

    function _add(address manager, address rewards, Terms memory terms) private returns (uint256 id) {
        if (manager == address(0) || rewards == address(0)) revert AddressMissing();
        id = ++count;
        _records[id] = Record({
            manager: manager,
            stakeCap: terms.stakeCap,
            weight: terms.weight,
            bond: terms.bond,
            threshold: terms.threshold,
            active: true,
            rewards: rewards,
            fee: terms.fee
        });
        emit OperatorAdded(id, manager, rewards, terms);
    }

    /// @dev Moves what a cluster commits its members to; does nothing for an operator without members.
    function _commit(uint256 id, uint256 oldCap, uint256 cap) private {
        address[] storage members = _members[id];
        uint256 length = members.length;
        for (uint256 i = 0; i < length; ++i) {
            address member = members[i];
            uint256 commitment = commitmentOf[member] - oldCap + cap;
            if (cap > oldCap && commitment > memberCap) revert MemberAboveCap(member, commitment, memberCap);
            commitmentOf[member] = commitment;
        }
    }

    function _setOpenTerms(Terms memory solo, Terms memory cluster) private {
        _requireTerms(solo, 0);
        _requireTerms(cluster, 0);
        emit OpenTermsChanged(_solo, _cluster, solo, cluster);
        _solo = solo;
        _cluster = cluster;
    }

    function _setMemberCap(uint256 cap) private {
        emit MemberCapChanged(memberCap, cap);
        memberCap = cap;
    }

    function _record(uint256 id) private view returns (Record storage record) {
        record = _records[id];
        if (record.manager == address(0)) revert OperatorUnknown(id);
    }

    function _termsOf(Record storage record) private view returns (Terms memory) {
        return Terms(record.stakeCap, record.weight, record.bond, record.fee, record.threshold);
    }

    function _requireCaller(address allowed) private view {
        if (msg.sender != allowed) revert CallerNotAllowed(msg.sender, allowed);
    }

    /// @param threshold that of the operator's members, 0 where it has none
    function _requireTerms(Terms memory terms, uint256 threshold) private pure {
        if (terms.stakeCap != 0 && terms.stakeCap < MIN_STAKE_CAP) {
            revert StakeCapTooLow(terms.stakeCap, MIN_STAKE_CAP);
        }
        if (terms.bond > BPS) revert BondAboveMaximum(terms.bond, BPS);
        if (terms.fee > BPS) revert FeeAboveMaximum(terms.fee, BPS);
        if (terms.threshold != threshold) revert ThresholdChanged(terms.threshold, threshold);
    }
}
