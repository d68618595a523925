// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {ILossCover} from "../interfaces/ILossCover.sol";
import {IOperatorBonds} from "../interfaces/IOperatorBonds.sol";
import {IOperatorRegistry} from "../interfaces/IOperatorRegistry.sol";
import {IOperatorStake} from "../interfaces/IOperatorStake.sol";
import {IReportOracle} from "../interfaces/IReportOracle.sol";
import {IStakedEther} from "../interfaces/IStakedEther.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {BPS, GWEI} from "../libraries/Constants.sol";

/// @title Operators' bonds
/// @notice See {IOperatorBonds}.
/// @dev sum over operators of (shares + leaving) + due <= slETH held; the difference is what strangers sent.
contract OperatorBonds is IOperatorBonds, AccessManaged, EIP712 {
    using SafeCast for uint256;
    using SafeERC20 for IERC20;

    /// @dev A case and its place in the line of those that pay. 12 + 5 + 4 + 4 = 25 bytes.
    /// In the line <=> open != 0 and the bond is not empty. The first has previous = 0, the last has next = 0.
    struct Entry {
        uint96 open; // wei
        uint40 closes; // seconds
        uint32 previous;
        uint32 next;
    }

    /// @dev 4 + 4 + 12 + 12 = 32 bytes. First and last are 0 where nobody pays.
    struct Line {
        uint32 first;
        uint32 last;
        uint96 due; // shares taken for failed preparations whose loss no report has told yet
        uint96 left; // shares that the newest loss has not taken, for there were too many in front
    }

    /// @dev Until when, and up to whom, {collect} goes on. 5 + 4 = 9 bytes.
    struct Rest {
        uint40 until; // seconds
        uint32 last;
    }

    struct Config {
        address authority;
        address token;
        address vault;
        address registry;
        address manager;
        uint256 delay; // seconds
        uint256 window; // seconds
    }

    bytes32 private constant SETTLEMENT_TYPEHASH =
        keccak256("Settlement(uint256 operator,uint256 shares,bytes32 reason,uint256 nonce,uint256 deadline)");
    /// @dev Bond of a preparation, wei.
    uint256 private constant PREPARATION = 1 ether;

    /// @inheritdoc IOperatorBonds
    /// @dev All of them need less than three quarters of the gas that the vault gives: tests/unit/test_bonds_cover.py.
    uint256 public constant MAX_CHARGES = 40;
    /// @dev Seconds.
    uint256 private constant COLLECT_WINDOW = 1 days;
    /// @inheritdoc IOperatorBonds
    uint256 public constant MIN_RETURN = 0.1 ether;

    IERC20 private immutable TOKEN;
    IStakingVault private immutable VAULT;
    IOperatorRegistry private immutable REGISTRY;
    /// @inheritdoc IOperatorBonds
    uint256 public immutable DELAY;
    /// @inheritdoc IOperatorBonds
    uint256 public immutable WINDOW;

    /// @inheritdoc IOperatorBonds
    address public manager;
    Line private _line;
    Rest private _rest;
    /// @inheritdoc IOperatorBonds
    uint256 public settlementCount;
    mapping(uint256 operator => Bond) private _bonds;
    mapping(uint256 operator => Entry) private _entries;
    /// @dev shares = 0 for what was cancelled or executed
    mapping(uint256 id => Settlement) private _settlements;
    /// @inheritdoc IOperatorBonds
    mapping(uint256 operator => uint256) public nonces;

    modifier onlyCaller(address allowed) {
        if (msg.sender != allowed) revert CallerNotAllowed(msg.sender, allowed);
        _;
    }

    constructor(Config memory config) AccessManaged(config.authority) EIP712("Sluice Operator Bonds", "1") {
        if (config.window == 0 || config.window >= config.delay) revert WindowInvalid(config.window, config.delay);
        TOKEN = IERC20(config.token);
        VAULT = IStakingVault(payable(config.vault));
        REGISTRY = IOperatorRegistry(config.registry);
        DELAY = config.delay;
        WINDOW = config.window;
        manager = config.manager;
        emit ManagerChanged(address(0), config.manager);
    }

    // --- Operators ---

    /// @inheritdoc IOperatorBonds
    function deposit(uint256 operator, uint256 shares) external {
        _deposit(operator, shares);
    }

    /// @inheritdoc IOperatorBonds
    function depositWithPermit(uint256 operator, uint256 shares, uint256 deadline, bytes calldata signature) external {
        // somebody may have submitted it before; whether the allowance suffices shows in the transfer
        try IStakedEther(address(TOKEN)).permit(msg.sender, address(this), shares, deadline, signature) {} catch {}
        _deposit(operator, shares);
    }

    /// @inheritdoc IOperatorBonds
    function depositEther(uint256 operator) external payable returns (uint256 shares) {
        shares = VAULT.stake{value: msg.value}(address(this), 0, address(0));
        _add(operator, shares);
    }

    /// @inheritdoc IOperatorBonds
    function requestWithdrawal(uint256 operator, uint256 shares) external {
        _requireManager(operator);
        if (shares == 0) revert AmountMissing();
        Bond storage bond = _bonds[operator];
        uint256 counted = bond.shares;
        if (shares > counted) revert AmountAboveBond(operator, shares, counted);
        _requireAtLeast(operator, counted - shares, required(operator));
        uint256 leaving = bond.leaving + shares;
        uint256 from = block.timestamp + DELAY;
        bond.shares = uint96(counted - shares); // <= counted
        bond.leaving = leaving.toUint96();
        bond.leavingFrom = from.toUint40();
        emit BondWithdrawalRequested(operator, shares, leaving, from);
    }

    /// @inheritdoc IOperatorBonds
    function cancelWithdrawal(uint256 operator) external {
        _requireManager(operator);
        Bond storage bond = _bonds[operator];
        uint256 leaving = bond.leaving;
        if (leaving == 0) revert NothingLeaves(operator);
        bond.shares = (bond.shares + leaving).toUint96();
        bond.leaving = 0;
        bond.leavingFrom = 0;
        emit BondWithdrawalCancelled(operator, leaving);
    }

    /// @inheritdoc IOperatorBonds
    function withdraw(uint256 operator) external returns (uint256 shares) {
        Bond storage bond = _bonds[operator];
        shares = bond.leaving;
        if (shares == 0) revert NothingLeaves(operator);
        if (block.timestamp < bond.leavingFrom) revert StillLocked(bond.leavingFrom);
        _requireNoClaim(operator);
        _requireAtLeast(operator, bond.shares, required(operator));
        bond.leaving = 0;
        bond.leavingFrom = 0;
        address to = REGISTRY.operator(operator).rewards;
        emit BondWithdrawn(operator, to, shares);
        TOKEN.safeTransfer(to, shares);
    }

    // --- Proven faults ---

    /// @inheritdoc IOperatorBonds
    function openCase(uint256 operator, uint256 loss, uint256 duration) external onlyCaller(manager) {
        if (loss == 0) return;
        Entry storage entry = _entries[operator];
        uint256 before = entry.open;
        uint256 open = before + loss * GWEI;
        uint256 closes = Math.max(entry.closes, block.timestamp + duration);
        entry.open = open.toUint96();
        entry.closes = closes.toUint40();
        if (before == 0 && !_isEmpty(operator)) _append(operator);
        emit CaseOpened(operator, loss * GWEI, open, closes);
    }

    /// @inheritdoc IOperatorBonds
    /// @dev In a case it could stand behind others, whose bonds would pay for it: its loss is known, so it is paid at once.
    function chargePreparation(uint256 operator) external onlyCaller(manager) {
        uint256 shares = _seize(operator, VAULT.previewWithdraw(PREPARATION));
        _line.due = (_line.due + shares).toUint96();
        emit PreparationCharged(operator, shares);
    }

    /// @inheritdoc IOperatorBonds
    function closeCase(uint256 operator) external {
        Entry storage entry = _entries[operator];
        if (entry.open == 0) revert CaseUnknown(operator);
        uint256 counted = VAULT.referenceTime();
        if (counted < entry.closes) revert CaseNotOver(entry.closes, counted);
        if (!_isEmpty(operator)) _unlink(operator);
        _close(operator);
    }

    /// @inheritdoc ILossCover
    /// @dev Every operator visited but the last leaves the line: its case has taken all it may, or its bond is empty.
    function cover(uint256 shares) external onlyCaller(address(VAULT)) {
        // within a report the vault answers with the figures from before it, by which it counts what it gets here
        uint256 total = VAULT.totalAssets();
        uint256 supply = VAULT.supply();
        uint256 due = _line.due;
        uint256 paid = Math.min(due, shares);
        _line.due = uint96(due - paid); // <= due
        (uint256 left, bool more) = _chargeLine(shares - paid, total, supply, 0);
        _line.left = more ? uint96(Math.min(left, type(uint96).max)) : 0; // nothing reverts here
        if (more) _rest = Rest({until: uint40(block.timestamp + COLLECT_WINDOW), last: _line.last});
        if (left != shares) TOKEN.safeTransfer(msg.sender, shares - left);
    }

    /// @inheritdoc IOperatorBonds
    function collect() external returns (uint256 shares) {
        address to = VAULT.cover();
        if (to == address(0)) revert CoverMissing();
        Rest memory rest = _rest;
        uint256 before = block.timestamp < rest.until ? _line.left : 0;
        (uint256 left, bool more) = _chargeLine(before, VAULT.totalAssets(), VAULT.supply(), rest.last);
        _line.left = more ? uint96(left) : 0; // <= before
        shares = before - left;
        if (shares == 0) revert NothingToCollect();
        emit Collected(to, shares);
        TOKEN.safeTransfer(to, shares);
    }

    // --- Settlements ---

    /// @inheritdoc IOperatorBonds
    function propose(uint256 operator, uint256 shares, bytes32 reason, uint256 deadline, bytes[] calldata signatures)
        external
        returns (uint256 id)
    {
        if (shares == 0) revert AmountMissing();
        if (block.timestamp > deadline) revert SettlementExpired(deadline);
        REGISTRY.mandate(operator);
        IReportOracle(VAULT.oracle()).requireQuorum(settlementDigest(operator, shares, reason, deadline), signatures);
        ++nonces[operator];
        ++_bonds[operator].settlements;
        id = ++settlementCount;
        uint256 from = block.timestamp + WINDOW;
        _settlements[id] = Settlement({
            operator: operator.toUint32(), shares: shares.toUint96(), executableFrom: from.toUint40(), reason: reason
        });
        emit SettlementProposed(id, operator, shares, reason, from);
    }

    /// @inheritdoc IOperatorBonds
    function cancel(uint256 id) external restricted {
        _end(id);
        emit SettlementCancelled(id);
    }

    /// @inheritdoc IOperatorBonds
    function execute(uint256 id) external returns (uint256 shares) {
        address to = VAULT.cover();
        if (to == address(0)) revert CoverMissing();
        Settlement memory settlement = _end(id);
        if (block.timestamp < settlement.executableFrom) revert StillLocked(settlement.executableFrom);
        shares = _seize(settlement.operator, settlement.shares);
        emit SettlementExecuted(id, to, shares);
        TOKEN.safeTransfer(to, shares);
    }

    // --- Governance ---

    /// @inheritdoc IOperatorBonds
    function setManager(address newManager) external restricted {
        if (newManager.code.length == 0) revert NotAContract(newManager);
        emit ManagerChanged(manager, newManager);
        manager = newManager;
    }

    // --- Reading ---

    /// @inheritdoc IOperatorBonds
    function bondOf(uint256 operator) external view returns (Bond memory) {
        return _bonds[operator];
    }

    /// @inheritdoc IOperatorBonds
    function required(uint256 operator) public view returns (uint256) {
        (,,, uint256 bondBps) = REGISTRY.mandate(operator);
        (uint256 staked, uint256 prepared,) = IOperatorStake(manager).stakeOf(operator);
        return _required(staked, prepared, bondBps);
    }

    /// @inheritdoc IOperatorBonds
    function requireBond(uint256 operator, uint256 staked, uint256 prepared, uint256 bondBps) external view {
        _requireNoClaim(operator);
        _requireAtLeast(operator, _bonds[operator].shares, _required(staked, prepared, bondBps));
    }

    /// @inheritdoc IOperatorBonds
    function backing(uint256 operator) external view returns (bool claimed, uint256 shares) {
        Bond storage bond = _bonds[operator];
        return (_entries[operator].open != 0 || bond.settlements != 0, bond.shares);
    }

    /// @inheritdoc IOperatorBonds
    function caseOf(uint256 operator) external view returns (Case memory) {
        Entry storage entry = _entries[operator];
        return Case({open: entry.open, closes: entry.closes});
    }

    /// @inheritdoc IOperatorBonds
    function nextCharged(uint256 operator) external view returns (uint256) {
        return operator == 0 ? _line.first : _entries[operator].next;
    }

    /// @inheritdoc IOperatorBonds
    function getSettlement(uint256 id) external view returns (Settlement memory settlement) {
        settlement = _settlements[id];
        if (settlement.shares == 0) revert SettlementUnknown(id);
    }

    /// @inheritdoc IOperatorBonds
    function settlementDigest(uint256 operator, uint256 shares, bytes32 reason, uint256 deadline)
        public
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(
            keccak256(abi.encode(SETTLEMENT_TYPEHASH, operator, shares, reason, nonces[operator], deadline))
        );
    }

    /// @inheritdoc IOperatorBonds
    function due() external view returns (uint256) {
        return _line.due;
    }

    function token() external view returns (address) {
        return address(TOKEN);
    }

    function vault() external view returns (address) {
        return address(VAULT);
    }

    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    // --- Internal: bonds ---

    function _deposit(uint256 operator, uint256 shares) private {
        _add(operator, shares);
        TOKEN.safeTransferFrom(msg.sender, address(this), shares);
    }

    function _add(uint256 operator, uint256 shares) private {
        if (shares == 0) revert AmountMissing();
        REGISTRY.mandate(operator);
        bool returns_ = _entries[operator].open != 0 && _isEmpty(operator);
        // many with next to nothing must not stand in front of others
        if (returns_ && shares < MIN_RETURN) revert AmountBelowMinimum(shares, MIN_RETURN);
        Bond storage bond = _bonds[operator];
        bond.shares = (bond.shares + shares).toUint96();
        if (returns_) _append(operator);
        emit BondDeposited(operator, msg.sender, shares);
    }

    /// @dev Takes at most `shares`, of what is counted first, then of what leaves.
    function _take(uint256 operator, uint256 shares) private returns (uint256 taken) {
        Bond storage bond = _bonds[operator];
        uint256 counted = bond.shares;
        uint256 leaving = bond.leaving;
        taken = Math.min(shares, counted + leaving);
        uint256 fromCounted = Math.min(taken, counted);
        bond.shares = uint96(counted - fromCounted); // <= counted
        bond.leaving = uint96(leaving - (taken - fromCounted)); // taken - fromCounted <= leaving
    }

    /// @dev {_take} outside the line: whoever has nothing left leaves it.
    function _seize(uint256 operator, uint256 shares) private returns (uint256 taken) {
        if (_isEmpty(operator)) return 0;
        taken = _take(operator, shares);
        if (_entries[operator].open != 0 && _isEmpty(operator)) _unlink(operator);
    }

    function _isEmpty(uint256 operator) private view returns (bool) {
        Bond storage bond = _bonds[operator];
        return bond.shares == 0 && bond.leaving == 0;
    }

    function _requireManager(uint256 operator) private view {
        (address allowed,,,) = REGISTRY.mandate(operator);
        if (msg.sender != allowed) revert CallerNotAllowed(msg.sender, allowed);
    }

    /// @dev Nothing waits to be taken from its bond.
    function _requireNoClaim(uint256 operator) private view {
        if (_entries[operator].open != 0) revert CaseIsOpen(operator);
        if (_bonds[operator].settlements != 0) revert SettlementIsOpen(operator);
    }

    function _requireAtLeast(uint256 operator, uint256 shares, uint256 needed) private pure {
        if (shares < needed) revert BondTooLow(operator, shares, needed);
    }

    /// @dev wei of stake and preparations -> shares, both steps rounded up.
    function _required(uint256 staked, uint256 prepared, uint256 bondBps) private view returns (uint256) {
        return VAULT.previewWithdraw(Math.ceilDiv(staked * GWEI * bondBps, BPS) + prepared * PREPARATION);
    }

    // --- Internal: cases ---

    /// @dev Charges one after the other, up to operator `last` (0: all).
    /// @return left of `shares`
    /// @return more where it ended because of {MAX_CHARGES}
    function _chargeLine(uint256 shares, uint256 total, uint256 supply, uint256 last)
        private
        returns (uint256 left, bool more)
    {
        left = shares;
        for (uint256 i = 0; left != 0; ++i) {
            uint256 operator = _line.first;
            if (operator == 0) return (left, false);
            if (i == MAX_CHARGES) return (left, true);
            left -= _charge(operator, left, total, supply);
            if (operator == last) return (left, false);
        }
    }

    /// @dev Charges the case at the head of the line, in shares at the rate `total / supply`. What it may take is rounded
    /// up and what it took too, so that it pays less than one share more than its loss, in however many parts.
    function _charge(uint256 operator, uint256 shares, uint256 total, uint256 supply) private returns (uint256 taken) {
        Entry storage entry = _entries[operator];
        uint256 open = entry.open;
        uint256 most = Math.ceilDiv(open * supply, total);
        taken = _take(operator, Math.min(shares, most));
        // taken < most => taken < open * supply / total => ceil(taken * total / supply) <= open
        open = taken == most ? 0 : open - Math.ceilDiv(taken * total, supply);
        entry.open = uint96(open); // only falls
        emit CaseCharged(operator, taken, open);
        if (open == 0 || _isEmpty(operator)) _unlink(operator);
        if (open == 0) _close(operator);
    }

    function _close(uint256 operator) private {
        delete _entries[operator];
        emit CaseClosed(operator);
    }

    function _append(uint256 operator) private {
        Line memory line = _line;
        uint32 id = operator.toUint32();
        if (line.last == 0) {
            line.first = id;
        } else {
            _entries[line.last].next = id;
            _entries[id].previous = line.last;
        }
        line.last = id;
        _line = line;
    }

    function _unlink(uint256 operator) private {
        Entry storage entry = _entries[operator];
        (uint32 previous, uint32 next) = (entry.previous, entry.next);
        if (previous == 0) _line.first = next;
        else _entries[previous].next = next;
        if (next == 0) _line.last = previous;
        else _entries[next].previous = previous;
        entry.previous = 0;
        entry.next = 0;
        // who comes into the line behind it is not asked for a loss from before
        if (operator == _rest.last) _rest = Rest({until: previous == 0 ? 0 : _rest.until, last: previous});
    }

    // --- Internal: settlements ---

    function _end(uint256 id) private returns (Settlement memory settlement) {
        settlement = _settlements[id];
        if (settlement.shares == 0) revert SettlementUnknown(id);
        delete _settlements[id];
        --_bonds[settlement.operator].settlements;
    }
}
