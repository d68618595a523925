// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IBeaconProofs} from "../interfaces/IBeaconProofs.sol";
import {IReportChallenge} from "../interfaces/IReportChallenge.sol";
import {IReportOracle, Report} from "../interfaces/IReportOracle.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {IValidatorManager} from "../interfaces/IValidatorManager.sol";
import {BPS} from "../libraries/Constants.sol";

/// @title Challenge of reports
/// @notice See {IReportChallenge}.
/// @dev Nobody governs it. It belongs to one oracle, which governance replaces with it.
contract ReportChallenge is IReportChallenge {
    using SafeCast for uint256;
    using SafeERC20 for IERC20;

    /// @dev 20 + 5 = 25 bytes.
    struct Demand {
        address by;
        uint40 until; // seconds
    }

    struct Config {
        address token;
        address vault;
        address oracle;
        address manager;
        uint256 bond; // shares
        uint256 delay; // seconds
        uint256 answerTime; // seconds
        uint256 demandFee; // wei
    }

    /// @inheritdoc IReportChallenge
    uint256 public constant REWARD = 1_000;
    /// @dev What a preparation counts, gwei.
    uint256 private constant PREPARATION = 1e9;

    IERC20 private immutable TOKEN;
    IStakingVault private immutable VAULT;
    IReportOracle private immutable ORACLE;
    IValidatorManager private immutable MANAGER;
    /// @inheritdoc IReportChallenge
    uint256 public immutable BOND;
    /// @inheritdoc IReportChallenge
    uint256 public immutable DELAY;
    /// @inheritdoc IReportChallenge
    uint256 public immutable ANSWER_TIME;
    /// @inheritdoc IReportChallenge
    uint256 public immutable DEMAND_FEE;

    mapping(address member => MemberBond) private _bonds;
    /// @inheritdoc IReportChallenge
    mapping(bytes32 digest => address) public challengerOf;
    mapping(bytes32 digest => mapping(uint256 position => Demand)) private _demands;
    /// @dev Who has answered for a report does so once, whatever is put into the bond later.
    mapping(bytes32 digest => mapping(address member => bool)) private _charged;

    constructor(Config memory config) {
        if (config.delay == 0 || config.answerTime == 0) revert ConfigInvalid();
        TOKEN = IERC20(config.token);
        VAULT = IStakingVault(payable(config.vault));
        ORACLE = IReportOracle(config.oracle);
        MANAGER = IValidatorManager(config.manager);
        BOND = config.bond;
        DELAY = config.delay;
        ANSWER_TIME = config.answerTime;
        DEMAND_FEE = config.demandFee;
    }

    // --- Challenge ---

    /// @inheritdoc IReportChallenge
    function challengeLeaf(
        Report calldata report,
        bytes[] calldata signatures,
        Opening calldata opening,
        Evidence calldata evidence
    ) external {
        bytes32 digest = _requireNewest(report);
        if (_open(report, opening) && _isTrue(report, opening, evidence)) revert NothingDisproved();
        _disprove(digest, signatures);
    }

    /// @inheritdoc IReportChallenge
    function challengeOrder(
        Report calldata report,
        bytes[] calldata signatures,
        Opening calldata first,
        Opening calldata second
    ) external {
        bytes32 digest = _requireNewest(report);
        bool adds = _open(report, first);
        adds = _open(report, second) && adds;
        uint256 deposits = report.validators;
        uint256 preparations = deposits + first.deposits;
        bool ofOneKind = _isIn(first, deposits, preparations) && _isIn(second, deposits, preparations);
        uint256 end = preparations + first.preparations;
        ofOneKind = ofOneKind || (_isIn(first, preparations, end) && _isIn(second, preparations, end));
        if (second.position != first.position + 1 || !ofOneKind) revert PositionOutOfBounds(second.position);
        if (adds && first.tag < second.tag) revert NothingDisproved();
        _disprove(digest, signatures);
    }

    /// @inheritdoc IReportChallenge
    function challengeCount(Report calldata report, bytes[] calldata signatures) external {
        bytes32 digest = _requireNewest(report);
        uint256 time = _timeOf(report);
        uint256 count = report.validators;
        uint256 proven = MANAGER.count();
        bool notTooMany = count == 0 || (count <= proven && _provenAt(count - 1) <= time);
        bool notTooFew = count >= proven || _provenAt(count) > time;
        if (notTooMany && notTooFew) revert NothingDisproved();
        _disprove(digest, signatures);
    }

    /// @inheritdoc IReportChallenge
    function challengeMissingDeposit(
        Report calldata report,
        bytes[] calldata signatures,
        Opening[] calldata neighbours,
        Evidence calldata evidence,
        uint256 index
    ) external {
        bytes32 digest = _requireNewest(report);
        IBeaconProofs proofs = _requireHeader(report, evidence);
        proofs.verifyPendingDeposit(evidence.header, index, evidence.deposit, evidence.branch);
        if (!_isProven(keccak256(evidence.deposit.pubkey), _timeOf(report))) revert NothingDisproved();
        uint256 start = report.validators;
        uint256 end = start + _first(neighbours).deposits;
        _requireGap(report, neighbours, start, end, bytes32(index));
        _disprove(digest, signatures);
    }

    /// @inheritdoc IReportChallenge
    function challengeMissingPreparation(
        Report calldata report,
        bytes[] calldata signatures,
        Opening[] calldata neighbours,
        bytes32 keyHash
    ) external {
        bytes32 digest = _requireNewest(report);
        if (!_isPrepared(keyHash, _timeOf(report))) revert NothingDisproved();
        uint256 start = uint256(report.validators) + _first(neighbours).deposits;
        _requireGap(report, neighbours, start, start + neighbours[0].preparations, keyHash);
        _disprove(digest, signatures);
    }

    /// @inheritdoc IReportChallenge
    function charge(bytes32 digest, bytes[] calldata signatures, address[] calldata voters) external {
        address challenger = challengerOf[digest];
        if (challenger == address(0)) revert NotDisproved(digest);
        uint256 shares;
        for (uint256 i = 0; i < voters.length; ++i) {
            if (ORACLE.answersFor(voters[i], digest)) shares += _empty(digest, voters[i]);
        }
        _charge(digest, signatures, challenger, shares);
    }

    // --- A root that nobody can open ---

    /// @inheritdoc IReportChallenge
    function demand(Report calldata report, uint256 position) external payable {
        bytes32 digest = _requireNewest(report);
        if (msg.value != DEMAND_FEE) revert WrongValue(msg.value, DEMAND_FEE);
        Demand storage demand_ = _demands[digest][position];
        if (demand_.by != address(0)) revert DemandKnown(position);
        uint256 until = block.timestamp + ANSWER_TIME;
        demand_.by = msg.sender;
        demand_.until = until.toUint40();
        emit LeafDemanded(digest, position, msg.sender, until);
    }

    /// @inheritdoc IReportChallenge
    function show(Report calldata report, Opening calldata opening, uint256 position) external {
        bytes32 digest = ORACLE.digest(report);
        _take(digest, position);
        _open(report, opening);
        // the tree has the leaf, or is too small to have it
        if (opening.position != position && position >> opening.path.length == 0) revert PositionOutOfBounds(position);
        emit LeafShown(digest, position, opening.tag, opening.amount);
        if (!SafeTransferLib.trySafeTransferETH(msg.sender, DEMAND_FEE, gasleft())) revert EtherRejected(msg.sender);
    }

    /// @inheritdoc IReportChallenge
    function conclude(Report calldata report, uint256 position) external {
        bytes32 digest = ORACLE.digest(report);
        Demand memory demand_ = _take(digest, position);
        if (block.timestamp <= demand_.until) revert DemandOpen(demand_.until);
        // what was not shown before the next report came is settled by that one
        if (digest == ORACLE.newest()) {
            emit ReportUnanswered(digest, position);
            _undo();
        }
        // who takes no ether must not keep a false report alive
        SafeTransferLib.trySafeTransferETH(demand_.by, DEMAND_FEE, SafeTransferLib.GAS_STIPEND_NO_GRIEF);
    }

    // --- Bonds ---

    /// @inheritdoc IReportChallenge
    function deposit(address member, uint256 shares) external {
        _add(member, shares);
        TOKEN.safeTransferFrom(msg.sender, address(this), shares);
    }

    /// @inheritdoc IReportChallenge
    function depositEther(address member) external payable returns (uint256 shares) {
        shares = VAULT.stake{value: msg.value}(address(this), 0, address(0));
        _add(member, shares);
    }

    /// @inheritdoc IReportChallenge
    function requestWithdrawal(uint256 shares) external {
        if (shares == 0) revert AmountMissing();
        MemberBond storage bond = _bonds[msg.sender];
        uint256 counted = bond.shares;
        if (shares > counted) revert AmountAboveBond(shares, counted);
        bond.shares = uint96(counted - shares); // <= counted
        if (ORACLE.keyOf(msg.sender) != address(0)) requireBond(msg.sender);
        bond.leaving = (bond.leaving + shares).toUint96();
        bond.leavingFrom = (block.timestamp + DELAY).toUint40();
        emit BondWithdrawalRequested(msg.sender, shares, bond.leavingFrom);
    }

    /// @inheritdoc IReportChallenge
    function withdraw() external returns (uint256 shares) {
        MemberBond storage bond = _bonds[msg.sender];
        shares = bond.leaving;
        if (shares == 0) revert NothingLeaves(msg.sender);
        if (block.timestamp < bond.leavingFrom) revert StillLocked(bond.leavingFrom);
        bond.leaving = 0;
        emit BondWithdrawn(msg.sender, shares);
        TOKEN.safeTransfer(msg.sender, shares);
    }

    // --- Reading ---

    /// @inheritdoc IReportChallenge
    function requireBond(address member) public view {
        uint256 shares = _bonds[member].shares;
        if (shares < BOND) revert BondTooLow(member, shares, BOND);
    }

    /// @inheritdoc IReportChallenge
    function bondOf(address member) external view returns (MemberBond memory) {
        return _bonds[member];
    }

    function token() external view returns (address) {
        return address(TOKEN);
    }

    function vault() external view returns (address) {
        return address(VAULT);
    }

    function oracle() external view returns (address) {
        return address(ORACLE);
    }

    function manager() external view returns (address) {
        return address(MANAGER);
    }

    // --- Internal: what is true ---

    function _isTrue(Report calldata report, Opening calldata opening, Evidence calldata evidence)
        private
        view
        returns (bool)
    {
        uint256 position = opening.position;
        uint256 end = report.validators;
        if (position < end) {
            if (opening.tag != 0) return false;
            IValidatorManager.Validator memory entry = MANAGER.record(MANAGER.keyHashAt(position));
            if (entry.provenAt == 0) revert PositionOutOfBounds(position); // {challengeCount} is for that
            IBeaconProofs proofs = _requireHeader(report, evidence);
            return
                proofs.verifyBalance(evidence.header, entry.index, evidence.balances, evidence.branch) == opening.amount;
        }
        end += opening.deposits;
        if (position < end) {
            IBeaconProofs proofs = _requireHeader(report, evidence);
            uint256 index = uint256(opening.tag);
            if (evidence.deposit.pubkey.length == 0) {
                proofs.verifyPendingDepositCount(evidence.header, evidence.depositCount, evidence.branch);
                if (index < evidence.depositCount) revert NothingDisproved();
                return false;
            }
            proofs.verifyPendingDeposit(evidence.header, index, evidence.deposit, evidence.branch);
            return
                evidence.deposit.amount == opening.amount
                    && _isProven(keccak256(evidence.deposit.pubkey), _timeOf(report));
        }
        end += opening.preparations;
        if (position < end) return opening.amount == PREPARATION && _isPrepared(opening.tag, _timeOf(report));
        return opening.tag == 0 && opening.amount == 0;
    }

    function _provenAt(uint256 position) private view returns (uint256) {
        return MANAGER.record(MANAGER.keyHashAt(position)).provenAt;
    }

    function _isProven(bytes32 keyHash, uint256 time) private view returns (bool) {
        uint256 provenAt = MANAGER.record(keyHash).provenAt;
        return provenAt != 0 && provenAt <= time;
    }

    function _isPrepared(bytes32 keyHash, uint256 time) private view returns (bool) {
        IValidatorManager.Validator memory entry = MANAGER.record(keyHash);
        return entry.preparedAt != 0 && entry.preparedAt <= time && (entry.endedAt == 0 || entry.endedAt > time);
    }

    /// @dev Seconds.
    function _timeOf(Report calldata report) private view returns (uint256) {
        return ORACLE.GENESIS_TIME() + report.referenceSlot * ORACLE.SECONDS_PER_SLOT();
    }

    function _requireHeader(Report calldata report, Evidence calldata evidence)
        private
        view
        returns (IBeaconProofs proofs)
    {
        proofs = IBeaconProofs(MANAGER.proofs());
        bytes32 root = proofs.headerRoot(evidence.header);
        if (root != report.beaconRoot) revert HeaderMismatch(root, report.beaconRoot);
    }

    // --- Internal: the sum tree ---

    /// @dev Reverts unless the root commits to the leaf. The length of the path keeps a node from being taken for a leaf.
    /// @return adds whether the sums on the path add up to the consensus balance
    function _open(Report calldata report, Opening calldata opening) private pure returns (bool adds) {
        uint256 leaves = uint256(report.validators) + opening.deposits + opening.preparations;
        uint256 depth = Math.log2(leaves, Math.Rounding.Ceil);
        if (opening.path.length != depth) revert PathLengthInvalid(opening.path.length, depth);
        if (opening.position >> depth != 0) revert PositionOutOfBounds(opening.position);
        bytes32 node = opening.tag;
        uint64 sum = opening.amount;
        adds = true;
        for (uint256 i = 0; i < depth; ++i) {
            Sibling calldata sibling = opening.path[i];
            node = (opening.position >> i) & 1 == 0
                ? sha256(abi.encodePacked(node, sibling.hash, sum, sibling.sum))
                : sha256(abi.encodePacked(sibling.hash, node, sibling.sum, sum));
            adds = adds && uint256(sum) + sibling.sum == sibling.total;
            sum = sibling.total;
        }
        bytes32 root = sha256(abi.encodePacked(node, report.validators, opening.deposits, opening.preparations, sum));
        if (root != report.balancesRoot) revert BalancesRootMismatch(root, report.balancesRoot);
        adds = adds && sum == report.consensusBalance;
    }

    function _isIn(Opening calldata opening, uint256 start, uint256 end) private pure returns (bool) {
        return opening.position >= start && opening.position < end;
    }

    function _first(Opening[] calldata neighbours) private pure returns (Opening calldata) {
        if (neighbours.length == 0) revert NothingDisproved();
        return neighbours[0];
    }

    /// @dev Reverts unless `neighbours` show that the leaves [start, end) rise past `tag` without having it.
    function _requireGap(Report calldata report, Opening[] calldata neighbours, uint256 start, uint256 end, bytes32 tag)
        private
        pure
    {
        Opening calldata first = neighbours[0];
        Opening calldata last = neighbours[neighbours.length - 1];
        _open(report, first);
        _open(report, last);
        if (start == end) return;
        bool isAfter = _isIn(first, start, end) && first.tag < tag;
        bool isBefore = _isIn(last, start, end) && last.tag > tag;
        bool gap = neighbours.length == 1
            ? (isAfter && first.position == end - 1) || (isBefore && last.position == start)
            : isAfter && isBefore && last.position == first.position + 1;
        if (!gap) revert NothingDisproved();
    }

    // --- Internal: what follows ---

    function _requireNewest(Report calldata report) private view returns (bytes32 digest) {
        digest = ORACLE.digest(report);
        bytes32 newest = ORACLE.newest();
        if (digest != newest) revert NotNewest(digest, newest);
    }

    function _disprove(bytes32 digest, bytes[] calldata signatures) private {
        challengerOf[digest] = msg.sender;
        emit ReportDisproved(digest, msg.sender);
        _undo();
        _charge(digest, signatures, msg.sender, 0);
    }

    function _undo() private {
        ORACLE.halt();
        VAULT.cancelUnvested();
    }

    /// @param shares taken already
    function _charge(bytes32 digest, bytes[] calldata signatures, address challenger, uint256 shares) private {
        for (uint256 i = 0; i < signatures.length; ++i) {
            shares += _empty(digest, ORACLE.signerOf(digest, signatures[i]));
        }
        address[] memory members = ORACLE.members();
        for (uint256 i = 0; i < members.length; ++i) {
            if (ORACLE.answersFor(members[i], digest)) shares += _empty(digest, members[i]);
        }
        if (shares == 0) return;
        uint256 reward = shares * REWARD / BPS;
        TOKEN.safeTransfer(challenger, reward);
        address cover = VAULT.cover();
        if (cover != address(0)) TOKEN.safeTransfer(cover, shares - reward); // else it stays here, nobody's
    }

    function _empty(bytes32 digest, address member) private returns (uint256 shares) {
        if (member == address(0) || _charged[digest][member]) return 0;
        _charged[digest][member] = true;
        MemberBond storage bond = _bonds[member];
        shares = uint256(bond.shares) + bond.leaving;
        bond.shares = 0;
        bond.leaving = 0;
        if (shares != 0) emit BondCharged(digest, member, shares);
    }

    function _add(address member, uint256 shares) private {
        if (shares == 0) revert AmountMissing();
        MemberBond storage bond = _bonds[member];
        bond.shares = (bond.shares + shares).toUint96();
        emit BondDeposited(member, msg.sender, shares);
    }

    function _take(bytes32 digest, uint256 position) private returns (Demand memory demand_) {
        demand_ = _demands[digest][position];
        if (demand_.by == address(0)) revert DemandUnknown(position);
        delete _demands[digest][position];
    }
}
