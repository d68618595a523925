// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {BeaconHeader, IBeaconProofs, PendingDeposit} from "../interfaces/IBeaconProofs.sol";
import {IOperatorBonds} from "../interfaces/IOperatorBonds.sol";
import {IOperatorRegistry} from "../interfaces/IOperatorRegistry.sol";
import {IOperatorStake} from "../interfaces/IOperatorStake.sol";
import {BeaconDeposit, IStakingVault} from "../interfaces/IStakingVault.sol";
import {IValidatorManager} from "../interfaces/IValidatorManager.sol";
import {IWithdrawalGateway} from "../interfaces/IWithdrawalGateway.sol";
import {IWithdrawalQueue} from "../interfaces/IWithdrawalQueue.sol";
import {BPS, GWEI} from "../libraries/Constants.sol";

/// @title Validator manager
/// @notice See {IValidatorManager}.
/// @dev It never holds ether. What proofs show stays true (credentials of type 0x02, slashed, an exit epoch, empty after
/// it), so an older proof says nothing wrong after a newer one, and each is taken once; but for balances: they are proven
/// by states from after the newest ether that came.
contract ValidatorManager is IValidatorManager, AccessManaged {
    using SafeCast for uint256;

    /// @dev 8 + 4 + 4 = 16 bytes. staked = sum over its proven validators that are not gone of `Validator.staked`
    struct Stake {
        uint64 staked; // gwei
        uint32 prepared;
        uint32 validators;
    }

    /// @dev 20 + 4 + 4 = 28 bytes. cursor < count, or both are 0
    struct State {
        IBeaconProofs proofs;
        uint32 count; // validators ever proven
        uint32 cursor; // position
    }

    /// @dev What was asked by force in this half of {ASK_EXPIRY} and in the one before. 8 + 8 + 8 + 5 = 29 bytes.
    struct Asked {
        uint64 recent; // gwei
        uint64 older; // gwei
        uint64 received; // gwei that the gateway ever got, when this was written
        uint40 since; // seconds, when the half began
    }

    struct Config {
        address authority;
        address vault;
        address queue;
        address gateway;
        address registry;
        address bonds;
        address proofs;
        uint256 genesisTime; // seconds
        uint256 secondsPerSlot;
        uint256 slotsPerEpoch;
        uint256 abandonAfter; // seconds
        uint256 overdueAfter; // seconds
        address[] keepers;
    }

    /// @inheritdoc IValidatorManager
    uint256 public constant MIN_DEPOSIT = 1e9;
    /// @inheritdoc IValidatorManager
    uint256 public constant MIN_ACTIVE = 32e9;
    /// @inheritdoc IValidatorManager
    uint256 public constant MAX_STAKE = 2_048e9;
    /// @inheritdoc IValidatorManager
    uint256 public constant ASK_EXPIRY = 14 days;
    /// @inheritdoc IValidatorManager
    /// @dev A slashed validator loses until it is withdrawable, 8,192 epochs (36.4 days) later; then its last report is due.
    uint256 public constant SLASHING_CASE = 45 days;
    uint256 private constant FAR_FUTURE = type(uint64).max;

    IStakingVault private immutable VAULT;
    IWithdrawalQueue private immutable QUEUE;
    IWithdrawalGateway private immutable GATEWAY;
    IOperatorRegistry private immutable REGISTRY;
    IOperatorBonds private immutable BONDS;
    /// @inheritdoc IValidatorManager
    bytes32 public immutable CREDENTIALS;
    /// @inheritdoc IValidatorManager
    uint256 public immutable GENESIS_TIME;
    /// @inheritdoc IValidatorManager
    uint256 public immutable SECONDS_PER_SLOT;
    /// @inheritdoc IValidatorManager
    uint256 public immutable SLOTS_PER_EPOCH;
    /// @inheritdoc IValidatorManager
    uint256 public immutable ABANDON_AFTER;
    /// @inheritdoc IValidatorManager
    uint256 public immutable OVERDUE_AFTER;

    State private _state;
    Asked private _asked;
    /// @inheritdoc IOperatorStake
    mapping(uint256 operator => Stake) public stakeOf;
    mapping(bytes32 keyHash => Validator) private _validators;
    /// @inheritdoc IValidatorManager
    mapping(uint256 position => bytes32) public keyHashAt;
    /// @inheritdoc IValidatorManager
    mapping(bytes32 source => bytes32 target) public mergesInto;
    /// @inheritdoc IValidatorManager
    mapping(address account => bool) public isKeeper;

    /// @dev As a role of the access manager it would cost four times as much.
    modifier onlyKeeper() {
        if (!isKeeper[msg.sender]) revert KeeperUnknown(msg.sender);
        _;
    }

    constructor(Config memory config) AccessManaged(config.authority) {
        if (config.secondsPerSlot == 0 || config.slotsPerEpoch == 0) revert ConfigInvalid();
        if (config.abandonAfter == 0 || config.overdueAfter == 0) revert ConfigInvalid();
        VAULT = IStakingVault(payable(config.vault));
        QUEUE = IWithdrawalQueue(config.queue);
        GATEWAY = IWithdrawalGateway(config.gateway);
        REGISTRY = IOperatorRegistry(config.registry);
        BONDS = IOperatorBonds(config.bonds);
        CREDENTIALS = bytes32((uint256(0x02) << 248) | uint160(config.gateway));
        GENESIS_TIME = config.genesisTime;
        SECONDS_PER_SLOT = config.secondsPerSlot;
        SLOTS_PER_EPOCH = config.slotsPerEpoch;
        ABANDON_AFTER = config.abandonAfter;
        OVERDUE_AFTER = config.overdueAfter;
        _state.proofs = IBeaconProofs(config.proofs);
        emit ProofsChanged(address(0), config.proofs);
        for (uint256 i = 0; i < config.keepers.length; ++i) {
            _setKeeper(config.keepers[i], true);
        }
    }

    // --- From key to validator ---

    /// @inheritdoc IValidatorManager
    function prepare(uint256 operator, bytes calldata pubkey, bytes calldata signature) external {
        (address allowed, bool active, uint256 cap, uint256 bond) = REGISTRY.mandate(operator);
        if (msg.sender != allowed) revert CallerNotAllowed(msg.sender, allowed);
        if (!active) revert OperatorInactive(operator);
        Validator storage entry = _entry(pubkey);
        if (entry.phase != Phase.NONE) revert PubkeyUsed(pubkey);
        Stake memory stake_ = stakeOf[operator];
        ++stake_.prepared;
        _requireRoom(operator, stake_, cap, bond);

        stakeOf[operator] = stake_;
        entry.operator = operator.toUint32();
        entry.phase = Phase.PREPARED;
        entry.preparedAt = uint32(block.timestamp);
        entry.staked = uint48(MIN_DEPOSIT);
        emit Prepared(operator, keccak256(pubkey));
        BeaconDeposit[] memory deposits = new BeaconDeposit[](1);
        deposits[0] = BeaconDeposit(pubkey, signature, uint64(MIN_DEPOSIT));
        VAULT.depositToBeacon(deposits);
    }

    /// @inheritdoc IValidatorManager
    /// @dev A validator that leaves before it was proven is proven as one that leaves.
    function prove(Proof calldata proof) external {
        bytes calldata pubkey = proof.record.pubkey;
        Validator storage entry = _entry(pubkey);
        Phase phase = entry.phase;
        if (phase != Phase.PREPARED && phase != Phase.ABANDONED) revert PhaseUnexpected(pubkey, phase);
        State memory state = _state;
        _verify(state.proofs, proof);
        if (proof.record.credentials != CREDENTIALS) revert CredentialsMismatch(proof.record.credentials, CREDENTIALS);

        uint256 operator = entry.operator;
        Stake memory stake_ = stakeOf[operator];
        if (phase == Phase.PREPARED) {
            --stake_.prepared;
            entry.endedAt = uint32(block.timestamp);
        }
        ++stake_.validators;
        stake_.staked += entry.staked;
        stakeOf[operator] = stake_;
        uint256 position = state.count++;
        _state = state;
        keyHashAt[position] = keccak256(pubkey);
        entry.phase = proof.record.exitEpoch == FAR_FUTURE ? Phase.PROVEN : Phase.EXITING;
        entry.index = proof.index.toUint40();
        entry.provenAt = uint32(block.timestamp);
        emit Proven(operator, pubkey, proof.index, position);
    }

    /// @inheritdoc IValidatorManager
    function refuse(Proof calldata proof) external {
        bytes calldata pubkey = proof.record.pubkey;
        Validator storage entry = _entry(pubkey);
        if (entry.phase != Phase.PREPARED) revert PhaseUnexpected(pubkey, entry.phase);
        _verify(_state.proofs, proof);
        if (proof.record.credentials == CREDENTIALS) revert CredentialsMatch();
        uint256 operator = entry.operator;
        emit Refused(operator, pubkey, proof.record.credentials);
        _endPreparation(entry, operator, Phase.REFUSED);
    }

    /// @inheritdoc IValidatorManager
    function abandon(bytes calldata pubkey) external {
        Validator storage entry = _entry(pubkey);
        if (entry.phase != Phase.PREPARED) revert PhaseUnexpected(pubkey, entry.phase);
        uint256 from = entry.preparedAt + ABANDON_AFTER;
        if (block.timestamp < from) revert NotAbandonedYet(from);
        uint256 operator = entry.operator;
        emit Abandoned(operator, pubkey);
        _endPreparation(entry, operator, Phase.ABANDONED);
    }

    /// @inheritdoc IValidatorManager
    /// @dev The consensus layer does not look at the signature of a deposit for a validator that exists.
    function stake(TopUp[] calldata topUps) external onlyKeeper {
        if (topUps.length == 0) revert EmptyBatch();
        BeaconDeposit[] memory deposits = new BeaconDeposit[](topUps.length);
        bytes memory signature = new bytes(96);
        uint256 operator;
        uint256 added;
        for (uint256 i = 0; i < topUps.length; ++i) {
            bytes calldata pubkey = topUps[i].pubkey;
            uint64 amount = topUps[i].amount;
            Validator storage entry = _entry(pubkey);
            if (entry.phase != Phase.PROVEN) revert PhaseUnexpected(pubkey, entry.phase);
            if (amount < MIN_DEPOSIT) revert AmountBelowMinimum(amount, MIN_DEPOSIT);
            if (entry.operator != operator) {
                if (added != 0) _addStake(operator, added);
                operator = entry.operator;
                added = 0;
            }
            added += amount;
            _fill(entry, pubkey, amount);
            deposits[i] = BeaconDeposit(pubkey, signature, amount);
        }
        _addStake(operator, added);
        VAULT.depositToBeacon(deposits);
    }

    // --- And back ---

    /// @inheritdoc IValidatorManager
    /// @dev The consensus layer knows whose they are: only validators with the gateway's credentials follow.
    function requestExits(bytes[] calldata pubkeys, uint64[] calldata amounts) external payable onlyKeeper {
        if (pubkeys.length == 0) revert EmptyBatch();
        GATEWAY.requestWithdrawals{value: msg.value}(pubkeys, amounts, msg.sender);
    }

    /// @inheritdoc IValidatorManager
    function requestOwnExits(uint256 operator, bytes[] calldata pubkeys, uint64[] calldata amounts) external payable {
        (address allowed,,,) = REGISTRY.mandate(operator);
        if (msg.sender != allowed) revert CallerNotAllowed(msg.sender, allowed);
        if (pubkeys.length == 0) revert EmptyBatch();
        for (uint256 i = 0; i < pubkeys.length; ++i) {
            uint256 owner = _requireOurs(pubkeys[i]).operator;
            if (owner != operator) revert OperatorMismatch(pubkeys[i], owner, operator);
        }
        GATEWAY.requestWithdrawals{value: msg.value}(pubkeys, amounts, msg.sender);
    }

    /// @inheritdoc IValidatorManager
    /// @dev What keeper and operators ask for does not count as asked: what the consensus layer ignores would else stand
    /// in the way of forced exits. What has come of it {proveReturned} shows.
    function forceExits(uint256 requestId, bytes[] calldata pubkeys) external payable {
        if (pubkeys.length == 0) revert EmptyBatch();
        Asked memory asked_ = _askedNow();
        uint256 left = _missing(requestId, asked_);
        if (left == 0) revert NothingMissing();
        State memory state = _state;
        bytes[] memory keys = new bytes[](2 * pubkeys.length);
        uint64[] memory amounts = new uint64[](2 * pubkeys.length);
        uint256 length;
        for (uint256 i = 0; i < pubkeys.length && left != 0; ++i) {
            bytes32 keyHash = keccak256(pubkeys[i]);
            if (keyHash != keyHashAt[state.cursor]) {
                revert OrderViolated(state.cursor, keyHash, keyHashAt[state.cursor]);
            }
            state.cursor = state.cursor + 1 == state.count ? 0 : state.cursor + 1;
            Validator storage entry = _validators[keyHash];
            (uint64 amount, uint64 expected) = _ask(entry, left);
            if (expected == 0) continue;
            left -= Math.min(left, expected);
            asked_.recent += expected;
            keys[length] = pubkeys[i];
            amounts[length++] = amount;
            emit ExitForced(requestId, entry.operator, pubkeys[i], amount);
            if (amount != 0 || expected <= MIN_ACTIVE) continue;
            // the consensus layer ignores an exit while parts are pending, which the operator can ask for, but not parts
            keys[length] = pubkeys[i];
            amounts[length++] = uint64(expected - MIN_ACTIVE); // < expected
        }
        assembly ("memory-safe") {
            mstore(keys, length) // shrink only
            mstore(amounts, length)
        }
        _state.cursor = state.cursor;
        _asked = asked_;
        GATEWAY.requestWithdrawals{value: msg.value}(keys, amounts, msg.sender);
    }

    /// @inheritdoc IValidatorManager
    function consolidate(bytes calldata source, bytes calldata target) external payable onlyKeeper {
        Validator storage from = _entry(source);
        Validator storage to = _entry(target);
        if (from.phase != Phase.PROVEN) revert PhaseUnexpected(source, from.phase);
        if (to.phase != Phase.PROVEN) revert PhaseUnexpected(target, to.phase);
        if (keccak256(source) == keccak256(target)) revert SameValidator(source);
        if (from.operator != to.operator) revert OperatorMismatch(target, to.operator, from.operator);
        uint256 staked = uint256(from.staked) + to.staked;
        if (staked > MAX_STAKE) revert StakeAboveMaximum(target, staked, MAX_STAKE);
        bytes32 known = mergesInto[keccak256(source)];
        if (known != 0 && known != keccak256(target)) revert MergesElsewhere(source);
        mergesInto[keccak256(source)] = keccak256(target);
        emit ConsolidationRequested(source, target);
        GATEWAY.requestConsolidation{value: msg.value}(source, target, msg.sender);
    }

    // --- What proofs show ---

    /// @inheritdoc IValidatorManager
    /// @dev The case is for all that can be lost, whether the effective balance has fallen by now or deposits are pending.
    function proveSlashed(Proof calldata proof) external {
        bytes calldata pubkey = proof.record.pubkey;
        Validator storage entry = _requireOurs(pubkey);
        if (entry.slashed) revert SlashingKnown(pubkey);
        _verify(_state.proofs, proof);
        if (!proof.record.slashed) revert NotSlashed(pubkey);
        entry.slashed = true;
        entry.phase = Phase.EXITING; // whoever is slashed has an exit epoch
        uint256 operator = entry.operator;
        uint256 loss = Math.max(proof.record.effectiveBalance, entry.staked);
        emit SlashingProven(operator, pubkey, loss);
        BONDS.openCase(operator, loss, SLASHING_CASE);
        VAULT.noteSlashing();
    }

    /// @inheritdoc IValidatorManager
    function proveExiting(Proof calldata proof) external {
        bytes calldata pubkey = proof.record.pubkey;
        Validator storage entry = _requireOurs(pubkey);
        if (entry.phase == Phase.EXITING) revert PhaseUnexpected(pubkey, entry.phase);
        _verify(_state.proofs, proof);
        if (proof.record.exitEpoch == FAR_FUTURE) revert NotExiting(pubkey);
        entry.phase = Phase.EXITING;
        emit Exiting(entry.operator, pubkey, proof.record.exitEpoch);
    }

    /// @inheritdoc IValidatorManager
    function proveReturned(
        Proof calldata proof,
        bytes32 balances,
        bytes32[] calldata balanceBranch,
        PendingDeposit calldata next,
        bytes32[] calldata nextBranch
    ) external {
        bytes calldata pubkey = proof.record.pubkey;
        (Validator storage entry, IBeaconProofs proofs_, uint256 balance) =
            _verifyOurs(pubkey, proof, balances, balanceBranch);
        if (proof.record.exitEpoch != FAR_FUTURE) revert PhaseUnexpected(pubkey, Phase.EXITING);
        _requireTaken(proofs_, proof.header, entry.filledAt, next, nextBranch);
        uint256 staked = Math.max(balance, MIN_ACTIVE);
        if (staked >= entry.staked) revert NothingReturned(pubkey);
        uint256 returned = entry.staked - staked;
        entry.staked = uint48(staked); // < before
        entry.asked -= uint48(Math.min(entry.asked, returned)); // staked - asked >= 32 ether, as before
        uint256 operator = entry.operator;
        stakeOf[operator].staked -= uint64(returned);
        emit Returned(operator, pubkey, returned);
    }

    /// @inheritdoc IValidatorManager
    function proveGone(Proof calldata proof, bytes32 balances, bytes32[] calldata balanceBranch) external {
        bytes calldata pubkey = proof.record.pubkey;
        (Validator storage entry,, uint256 balance) = _verifyOurs(pubkey, proof, balances, balanceBranch);
        uint256 epoch = proof.header.slot / SLOTS_PER_EPOCH;
        if (proof.record.withdrawableEpoch > epoch) revert NotWithdrawable(proof.record.withdrawableEpoch, epoch);
        if (balance != 0) revert BalanceLeft(balance);
        if (proof.record.slashed && !entry.slashed) revert SlashingNotProven(pubkey);
        entry.phase = Phase.GONE;
        uint256 operator = entry.operator;
        Stake storage stake_ = stakeOf[operator];
        Validator storage target = _validators[mergesInto[keccak256(pubkey)]];
        if (target.phase == Phase.PROVEN || target.phase == Phase.ASKED) {
            target.staked += entry.staked;
            target.asked += entry.asked;
            target.filledAt = uint32(block.timestamp);
            entry.staked = 0;
            entry.asked = 0;
        } else {
            stake_.staked -= entry.staked;
        }
        --stake_.validators;
        emit Gone(operator, pubkey);
    }

    // --- Governance ---

    /// @inheritdoc IValidatorManager
    function setProofs(address newProofs) external restricted {
        if (newProofs.code.length == 0) revert NotAContract(newProofs);
        emit ProofsChanged(address(_state.proofs), newProofs);
        _state.proofs = IBeaconProofs(newProofs);
    }

    /// @inheritdoc IValidatorManager
    function setKeeper(address account, bool allowed) external restricted {
        _setKeeper(account, allowed);
    }

    // --- Reading ---

    /// @inheritdoc IValidatorManager
    function proofs() external view returns (address) {
        return address(_state.proofs);
    }

    /// @inheritdoc IValidatorManager
    function validator(bytes calldata pubkey) external view returns (Validator memory) {
        return _entry(pubkey);
    }

    /// @inheritdoc IValidatorManager
    function record(bytes32 keyHash) external view returns (Validator memory) {
        return _validators[keyHash];
    }

    /// @inheritdoc IValidatorManager
    function count() external view returns (uint256) {
        return _state.count;
    }

    /// @inheritdoc IValidatorManager
    function exitCursor() external view returns (uint256) {
        return _state.cursor;
    }

    /// @inheritdoc IValidatorManager
    function asked() external view returns (uint256) {
        Asked memory asked_ = _askedNow();
        return uint256(asked_.recent) + asked_.older;
    }

    /// @inheritdoc IValidatorManager
    function missing(uint256 requestId) external view returns (uint256) {
        return _missing(requestId, _askedNow());
    }

    /// @inheritdoc IValidatorManager
    function allocation(uint256 amount, uint256 part) external view returns (uint256[] memory amounts) {
        if (part < MIN_DEPOSIT) revert AmountBelowMinimum(part, MIN_DEPOSIT);
        uint256 operators = REGISTRY.count();
        amounts = new uint256[](operators);
        uint256[] memory staked = new uint256[](operators);
        uint256[] memory weights = new uint256[](operators);
        uint256[] memory room = new uint256[](operators);
        for (uint256 i = 0; i < operators; ++i) {
            (staked[i], weights[i], room[i]) = _roomOf(i + 1);
        }
        for (; amount >= part; amount -= part) {
            uint256 least = operators;
            for (uint256 i = 0; i < operators; ++i) {
                if (weights[i] == 0 || room[i] < part) continue;
                if (least == operators || staked[i] * weights[least] < staked[least] * weights[i]) least = i;
            }
            if (least == operators) break;
            amounts[least] += part;
            staked[least] += part;
            room[least] -= part;
        }
    }

    function vault() external view returns (address) {
        return address(VAULT);
    }

    function queue() external view returns (address) {
        return address(QUEUE);
    }

    function gateway() external view returns (address) {
        return address(GATEWAY);
    }

    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    function bonds() external view returns (address) {
        return address(BONDS);
    }

    // --- Internal: validators ---

    function _setKeeper(address account, bool allowed) private {
        isKeeper[account] = allowed;
        emit KeeperChanged(account, allowed);
    }

    function _entry(bytes calldata pubkey) private view returns (Validator storage) {
        if (pubkey.length != 48) revert PubkeyLengthInvalid(pubkey.length);
        return _validators[keccak256(pubkey)];
    }

    /// @dev Proven and not gone.
    function _requireOurs(bytes calldata pubkey) private view returns (Validator storage entry) {
        entry = _entry(pubkey);
        Phase phase = entry.phase;
        if (phase < Phase.PROVEN || phase > Phase.EXITING) revert PhaseUnexpected(pubkey, phase);
    }

    function _verify(IBeaconProofs proofs_, Proof calldata proof) private view {
        proofs_.verifyHeader(proof.timestamp, proof.header);
        proofs_.verifyValidator(proof.header, proof.index, proof.record, proof.branch);
    }

    function _verifyOurs(
        bytes calldata pubkey,
        Proof calldata proof,
        bytes32 balances,
        bytes32[] calldata balanceBranch
    ) private view returns (Validator storage entry, IBeaconProofs proofs_, uint256 balance) {
        entry = _requireOurs(pubkey);
        proofs_ = _state.proofs;
        _verify(proofs_, proof);
        balance = proofs_.verifyBalance(proof.header, proof.index, balances, balanceBranch);
    }

    /// @dev Deposits of an epoch behind `time` and before are in the balances. They are taken in their order, and only those
    /// of who leaves are put off.
    function _requireTaken(
        IBeaconProofs proofs_,
        BeaconHeader calldata header,
        uint256 time,
        PendingDeposit calldata next,
        bytes32[] calldata branch
    ) private view {
        uint256 from = uint256(header.slot) + 1;
        if (next.pubkey.length == 0) {
            proofs_.verifyPendingDepositCount(header, 0, branch);
        } else {
            proofs_.verifyPendingDeposit(header, 0, next, branch);
            from = next.slot;
        }
        // an epoch more: a later fork may take a deposit up some slots behind its block
        from = GENESIS_TIME + from * SECONDS_PER_SLOT;
        if (from <= time + SLOTS_PER_EPOCH * SECONDS_PER_SLOT) revert DepositsPending(from, time);
    }

    function _endPreparation(Validator storage entry, uint256 operator, Phase phase) private {
        entry.phase = phase;
        entry.endedAt = uint32(block.timestamp);
        --stakeOf[operator].prepared;
        BONDS.chargePreparation(operator);
    }

    function _fill(Validator storage entry, bytes calldata pubkey, uint64 amount) private {
        uint256 staked = uint256(entry.staked) + amount;
        if (staked > MAX_STAKE) revert StakeAboveMaximum(pubkey, staked, MAX_STAKE);
        entry.staked = uint48(staked); // <= MAX_STAKE
        entry.filledAt = uint32(block.timestamp);
    }

    function _addStake(uint256 operator, uint256 amount) private {
        (, bool active, uint256 cap, uint256 bond) = REGISTRY.mandate(operator);
        if (!active) revert OperatorInactive(operator);
        Stake memory stake_ = stakeOf[operator];
        stake_.staked = (stake_.staked + amount).toUint64();
        _requireRoom(operator, stake_, cap, bond);
        stakeOf[operator] = stake_;
    }

    /// @param cap ether
    /// @param bond basis points
    function _requireRoom(uint256 operator, Stake memory stake_, uint256 cap, uint256 bond) private view {
        uint256 staked = stake_.staked + stake_.prepared * MIN_DEPOSIT;
        if (staked > cap * GWEI) revert StakeAboveCap(operator, staked, cap * GWEI);
        BONDS.requireBond(operator, stake_.staked, stake_.prepared, bond);
    }

    function _roomOf(uint256 operator) private view returns (uint256 staked, uint256 weight, uint256 room) {
        IOperatorRegistry.Operator memory its = REGISTRY.operator(operator);
        Stake memory stake_ = stakeOf[operator];
        staked = stake_.staked;
        weight = its.terms.weight;
        (bool claimed, uint256 shares) = BONDS.backing(operator);
        if (!its.active || claimed) return (staked, weight, 0);
        uint256 preparing = stake_.prepared * MIN_DEPOSIT;
        uint256 most = Math.saturatingSub(its.terms.stakeCap * GWEI, preparing);
        if (its.terms.bond != 0) {
            uint256 bond = VAULT.convertToAssets(shares) / GWEI;
            most = Math.min(most, Math.saturatingSub(bond, preparing) * BPS / its.terms.bond);
        }
        room = Math.saturatingSub(Math.min(most, stake_.validators * MAX_STAKE), staked);
    }

    // --- Internal: forced exits ---

    /// @dev Asks a validator for what is `left` missing.
    /// @return amount for the request; 0 is the exit
    /// @return expected what will come of it; 0 where it is skipped
    function _ask(Validator storage entry, uint256 left) private returns (uint64 amount, uint64 expected) {
        Phase phase = entry.phase;
        uint48 staked = entry.staked;
        uint48 asked_ = entry.asked;
        if (staked < MIN_ACTIVE) return (0, 0);
        uint64 rest = staked - asked_; // >= MIN_ACTIVE
        if (phase == Phase.PROVEN && left < rest && rest > MIN_ACTIVE) {
            amount = uint64(Math.min(left, rest - MIN_ACTIVE)); // < rest
            expected = amount;
            entry.asked = asked_ + uint48(amount);
        } else if (phase == Phase.PROVEN || (phase == Phase.ASKED && block.timestamp >= entry.askedAt + ASK_EXPIRY)) {
            expected = rest;
            entry.phase = Phase.ASKED;
        } else {
            return (0, 0);
        }
        entry.askedAt = uint32(block.timestamp);
    }

    /// @dev Takes off what has arrived and what has expired.
    function _askedNow() private view returns (Asked memory asked_) {
        asked_ = _asked;
        (,, uint256 swept,) = VAULT.consensus();
        uint256 received = swept + address(GATEWAY).balance / GWEI;
        uint256 arrived = Math.saturatingSub(received, asked_.received);
        uint256 ofOlder = Math.min(arrived, asked_.older);
        asked_.older -= uint64(ofOlder); // <= older
        asked_.recent -= uint64(Math.min(arrived - ofOlder, asked_.recent)); // <= recent
        asked_.received = received.toUint64();

        uint256 half = ASK_EXPIRY / 2;
        if (block.timestamp >= asked_.since + 2 * half || asked_.recent + asked_.older == 0) {
            (asked_.recent, asked_.older, asked_.since) = (0, 0, uint40(block.timestamp));
        } else if (block.timestamp >= asked_.since + half) {
            (asked_.recent, asked_.older) = (0, asked_.recent);
            asked_.since += uint40(half);
        }
    }

    function _missing(uint256 requestId, Asked memory asked_) private view returns (uint256) {
        IWithdrawalQueue.Request memory request = QUEUE.getRequest(requestId);
        if (request.finalized) revert RequestSettled(requestId);
        uint256 from = request.requestedAt + OVERDUE_AFTER;
        if (block.timestamp < from) revert NotOverdue(requestId, from);
        // two roundings down hide less than 2 wei, of which the sum's own takes one
        uint256 needed = QUEUE.etherAhead(requestId) + request.assets + 1;
        uint256 outside = VAULT.outside();
        uint256 there = VAULT.buffer() + Math.min(address(GATEWAY).balance, outside);
        uint256 coming = uint256(asked_.recent) + asked_.older;
        return Math.saturatingSub(Math.ceilDiv(Math.saturatingSub(needed, there), GWEI), coming);
    }
}
