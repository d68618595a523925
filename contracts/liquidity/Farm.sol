// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {LibCall} from "solady/utils/LibCall.sol";

import {IFarm} from "../interfaces/IFarm.sol";
import {StakePosition, StakePositionLib} from "../libraries/StakePosition.sol";

/// @title Farm
/// @notice See {IFarm}.
/// @dev Why nothing here overflows, so that nobody's stake can be stuck in arithmetic. Let M = MIN_STAKE.
/// - A stake is 0 or at least M, so `eligible`, a sum of stakes, is 0 or at least M; it is at most the total staked of its
///   token, which is at most MAX_AMOUNT < 2^96.
/// - `shift` is at most 179 and chosen so that `(amount + 1) << shift <= (2^160 - 2) * M < 2^180`. The accumulator begins at
///   `(1 << shift) / M + 1`; a second adds at most `(amount << shift) / duration / M`, and there are `duration` of them, so it
///   stays below 2^160.
/// - An addition to it is `(amount << shift) * seconds / (duration * eligible)`: numerator below 2^180 * 2^32, denominator
///   below 2^32 * 2^96.
/// - What an account has earned is `(accumulator - paid) * stake`, below 2^160 * 2^96.
/// - All that is credited of a stream is at most `amount` < 2^96, as every division is rounded down: in all seconds the stakes
///   that are credited are those that `eligible` is the sum of.
contract Farm is IFarm, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @dev 20 + 12 = 32 bytes.
    struct Meter {
        uint160 accumulator; // begins at (1 << shift) / MIN_STAKE + 1: what can be carried is never more
        uint96 eligible; // sum of the stakes whose positions hold the id of the stream
    }

    /// @dev 12 + 5 + 4 + 4 + 4 + 1 = 30 bytes.
    struct Clock {
        uint96 amount;
        uint40 start;
        uint32 duration;
        uint32 ran; // seconds from `start` that are counted
        uint32 idle; // of these, seconds without an eligible stake
        uint8 shift;
    }

    /// @dev Slots 0 and 1 as above, and staking touches no others. Slots 2, 3, 4: 20 + 12 = 32 bytes each.
    /// left = amount - claimed - reclaimed: a stream cannot pay what another brought, whatever the arithmetic says.
    struct Stream {
        Meter meter;
        Clock clock;
        address rewardToken;
        uint96 left;
        address stakeToken;
        uint96 forfeited;
        address adder;
        uint96 reclaimed;
    }

    /// @dev 20 + 12 = 32 bytes.
    struct Account {
        uint160 paid; // the accumulator up to which `earned` is counted; without meaning while the stream is not chosen
        uint96 earned; // counted, not claimed
    }

    /// @inheritdoc IFarm
    uint256 public constant MAX_STREAMS = StakePositionLib.PLACES;
    /// @inheritdoc IFarm
    uint256 public constant MIN_STAKE = 1e6;
    /// @inheritdoc IFarm
    uint256 public constant MAX_AMOUNT = type(uint96).max;
    /// @inheritdoc IFarm
    uint256 public constant MIN_DURATION = 1 hours;
    /// @inheritdoc IFarm
    uint256 public constant MAX_DURATION = 4 * 365 days;
    /// @inheritdoc IFarm
    uint256 public constant MAX_DELAY = 365 days;
    /// @inheritdoc IFarm
    uint256 public constant REWARD_GAS = 300_000;

    uint32 private _lastStreamId; // fits a place of a position
    /// @inheritdoc IFarm
    mapping(address token => uint256) public totalStaked; // sum of all positions of the token
    mapping(address token => mapping(address account => StakePosition)) private _positions;
    mapping(uint256 id => Stream) private _streams;
    mapping(uint256 id => mapping(address account => Account)) private _accounts;

    // --- Streams ---

    /// @inheritdoc IFarm
    function addStream(address stakeToken, address rewardToken, uint256 amount, uint256 start, uint256 end)
        external
        nonReentrant
        returns (uint256 id)
    {
        if (start < block.timestamp) revert StartInPast(start, block.timestamp);
        if (start > block.timestamp + MAX_DELAY) revert StartTooLate(start, block.timestamp + MAX_DELAY);
        if (end < start) revert EndBeforeStart(start, end);
        uint256 duration = end - start;
        if (duration < MIN_DURATION || duration > MAX_DURATION) {
            revert DurationOutOfBounds(duration, MIN_DURATION, MAX_DURATION);
        }
        if (amount == 0) revert AmountMissing();
        if (amount > MAX_AMOUNT) revert AmountAboveMaximum(amount, MAX_AMOUNT);
        if (stakeToken.code.length == 0) revert NotAContract(stakeToken);
        _pull(rewardToken, amount);

        id = ++_lastStreamId;
        Stream storage s = _streams[id];
        // casts: bounded above and in the contract's comment
        uint8 shift = uint8(Math.log2(uint256(type(uint160).max - 1) * MIN_STAKE / (amount + 1)));
        s.clock = Clock(uint96(amount), uint40(start), uint32(duration), 0, 0, shift);
        s.meter.accumulator = uint160((1 << shift) / MIN_STAKE + 1);
        s.rewardToken = rewardToken;
        s.left = uint96(amount);
        s.stakeToken = stakeToken;
        s.adder = msg.sender;
        emit StreamAdded(id, stakeToken, rewardToken, msg.sender, amount, start, end);
    }

    /// @inheritdoc IFarm
    function reclaim(uint256 id) external nonReentrant returns (uint256 amount) {
        Stream storage s = _known(id);
        Clock memory clock = s.clock;
        if (!_isOver(clock)) revert StreamNotOver(id, _endOf(clock));
        _advance(s, clock, 0, 0);
        amount = _reclaimable(s, clock);
        if (amount == 0) return 0;
        s.reclaimed += uint96(amount); // <= s.left, compared in the next line
        s.left -= uint96(amount);
        address adder = s.adder;
        emit Reclaimed(id, adder, amount);
        _push(s.rewardToken, adder, amount);
    }

    // --- Stake ---

    /// @inheritdoc IFarm
    function stake(address token, uint256 amount, address receiver, uint256[] calldata ids) external nonReentrant {
        _stake(token, amount, receiver, ids);
    }

    /// @inheritdoc IFarm
    function stakeWithPermit(
        address token,
        uint256 amount,
        address receiver,
        uint256[] calldata ids,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        // whether it works shows when the tokens are taken
        LibCall.tryCall(
            token,
            0,
            gasleft(),
            0,
            abi.encodeCall(IERC20Permit.permit, (msg.sender, address(this), amount, deadline, v, r, s))
        );
        _stake(token, amount, receiver, ids);
    }

    /// @inheritdoc IFarm
    function unstake(address token, uint256 amount, address receiver) external nonReentrant {
        _requireReceiver(receiver);
        if (amount == 0) revert AmountMissing();
        StakePosition position = _positions[token][msg.sender];
        uint256 staked = position.stake();
        if (amount > staked) revert UnstakeAboveStake(amount, staked);
        uint256 rest = staked - amount;
        if (rest != 0 && rest < MIN_STAKE) revert StakeBelowMinimum(rest, MIN_STAKE);

        _positions[token][msg.sender] = _change(position, msg.sender, rest);
        totalStaked[token] -= amount;
        emit Unstaked(token, msg.sender, receiver, amount);
        _push(token, receiver, amount);
    }

    /// @inheritdoc IFarm
    function exit(address token, address receiver) external nonReentrant returns (uint256 amount) {
        _requireReceiver(receiver);
        StakePosition position = _positions[token][msg.sender];
        for (uint256 place = 0; place < MAX_STREAMS; ++place) {
            uint256 id = position.idAt(place);
            if (id != 0) _leave(id, msg.sender, position.stake());
        }
        amount = _takeOut(token, position, receiver);
        for (uint256 place = 0; place < MAX_STREAMS; ++place) {
            uint256 id = position.idAt(place);
            if (id != 0) _tryClaim(id, receiver);
        }
    }

    /// @inheritdoc IFarm
    function emergencyExit(address token, address receiver) external nonReentrant returns (uint256 amount) {
        _requireReceiver(receiver);
        StakePosition position = _positions[token][msg.sender];
        for (uint256 place = 0; place < MAX_STREAMS; ++place) {
            uint256 id = position.idAt(place);
            if (id != 0) _abandon(id, position.stake());
        }
        amount = _takeOut(token, position, receiver);
    }

    // --- Choose streams ---

    /// @inheritdoc IFarm
    function enable(address token, uint256[] calldata ids) external nonReentrant {
        StakePosition position = _positions[token][msg.sender];
        position = _change(position, msg.sender, position.stake());
        _positions[token][msg.sender] = _enable(position, token, ids);
    }

    /// @inheritdoc IFarm
    function disable(address token, uint256[] calldata ids, bool forget) external nonReentrant {
        StakePosition position = _positions[token][msg.sender];
        for (uint256 i = 0; i < ids.length; ++i) {
            uint256 id = ids[i];
            uint256 place = id == 0 ? MAX_STREAMS : position.placeOf(id);
            if (place == MAX_STREAMS) revert StreamNotEnabled(id);
            position = position.withIdAt(place, 0);
            _leave(id, msg.sender, position.stake());
            if (forget) {
                Account storage a = _accounts[id][msg.sender];
                uint96 given = a.earned;
                _streams[id].forfeited += given;
                delete _accounts[id][msg.sender];
                emit Forfeited(id, msg.sender, given);
            }
        }
        _positions[token][msg.sender] = position;
    }

    // --- Claim ---

    /// @inheritdoc IFarm
    function claim(uint256[] calldata ids, address receiver) external nonReentrant {
        _requireReceiver(receiver);
        for (uint256 i = 0; i < ids.length; ++i) {
            uint256 id = ids[i];
            Stream storage s = _known(id);
            Account memory a = _earned(s, id, msg.sender);
            uint96 amount = a.earned;
            if (amount == 0) continue; // nothing to write: fractions are counted by the next call
            a.earned = 0;
            _accounts[id][msg.sender] = a;
            address token = s.rewardToken;
            s.left -= amount;
            emit Claimed(id, msg.sender, receiver, amount);
            _push(token, receiver, amount);
        }
    }

    /// @inheritdoc IFarm
    function payReward(address token, address to, uint256 amount) external {
        if (msg.sender != address(this)) revert CallerNotAllowed(msg.sender, address(this));
        _push(token, to, amount);
    }

    // --- Reading ---

    /// @inheritdoc IFarm
    function lastStreamId() external view returns (uint256) {
        return _lastStreamId;
    }

    /// @inheritdoc IFarm
    function stakeOf(address token, address account) external view returns (uint256) {
        return _positions[token][account].stake();
    }

    /// @inheritdoc IFarm
    function streamsOf(address token, address account) external view returns (uint256[] memory ids) {
        StakePosition position = _positions[token][account];
        ids = new uint256[](MAX_STREAMS);
        uint256 count;
        for (uint256 place = 0; place < MAX_STREAMS; ++place) {
            uint256 id = position.idAt(place);
            if (id != 0) ids[count++] = id;
        }
        assembly ("memory-safe") {
            mstore(ids, count) // not more than its length
        }
    }

    /// @inheritdoc IFarm
    function earned(uint256 id, address account) external view returns (uint256 amount) {
        return _earned(_known(id), id, account).earned;
    }

    /// @inheritdoc IFarm
    function reclaimable(uint256 id) external view returns (uint256) {
        Stream storage s = _known(id);
        (, Clock memory clock) = _now(s);
        return _isOver(clock) ? _reclaimable(s, clock) : 0;
    }

    /// @inheritdoc IFarm
    function stream(uint256 id) external view returns (StreamView memory v) {
        Stream storage s = _known(id);
        (Meter memory meter, Clock memory clock) = _now(s);
        v.accumulator = meter.accumulator;
        v.eligible = meter.eligible;
        v.amount = clock.amount;
        v.start = clock.start;
        v.end = _endOf(clock);
        v.ranTo = v.start + clock.ran;
        v.idle = clock.idle;
        v.shift = clock.shift;
        v.stakeToken = s.stakeToken;
        v.rewardToken = s.rewardToken;
        v.adder = s.adder;
        v.left = s.left;
        v.forfeited = s.forfeited;
        v.reclaimed = s.reclaimed;
    }

    // --- Internal: positions ---

    function _stake(address token, uint256 amount, address receiver, uint256[] calldata ids) private {
        _requireReceiver(receiver);
        if (amount == 0) revert AmountMissing();
        if (ids.length != 0 && receiver != msg.sender) revert StreamsOfAnother(msg.sender, receiver);
        uint256 total = totalStaked[token];
        if (amount > MAX_AMOUNT - total) revert StakeAboveMaximum(amount, MAX_AMOUNT - total);
        StakePosition position = _positions[token][receiver];
        uint256 staked = position.stake() + amount;
        if (staked < MIN_STAKE) revert StakeBelowMinimum(staked, MIN_STAKE);
        _pull(token, amount);

        position = _change(position, receiver, staked);
        if (ids.length != 0) position = _enable(position, token, ids);
        _positions[token][receiver] = position;
        totalStaked[token] = total + amount;
        emit Staked(token, receiver, msg.sender, amount);
    }

    /// @dev Counts what the old stake has earned, and gives its streams the new one. Streams that are over are left.
    function _change(StakePosition position, address account, uint256 newStake) private returns (StakePosition) {
        uint256 oldStake = position.stake();
        for (uint256 place = 0; place < MAX_STREAMS; ++place) {
            uint256 id = position.idAt(place);
            if (id == 0) continue;
            Stream storage s = _streams[id];
            Clock memory clock = s.clock;
            if (_isOver(clock)) {
                _leave(id, account, oldStake);
                position = position.withIdAt(place, 0);
            } else if (newStake != oldStake) {
                uint256 accumulator = _advance(s, clock, oldStake, newStake);
                Account storage a = _accounts[id][account];
                Account memory settled = a;
                _settle(settled, clock.shift, accumulator, oldStake, newStake);
                (a.paid, a.earned) = (settled.paid, settled.earned);
            }
        }
        return position.withStake(newStake);
    }

    function _enable(StakePosition position, address token, uint256[] calldata ids) private returns (StakePosition) {
        for (uint256 i = 0; i < ids.length; ++i) {
            uint256 id = ids[i];
            Stream storage s = _known(id);
            if (s.stakeToken != token) revert StreamOfAnotherToken(id, s.stakeToken, token);
            Clock memory clock = s.clock;
            if (_isOver(clock)) revert StreamOver(id, _endOf(clock));
            if (position.placeOf(id) != MAX_STREAMS) revert StreamEnabled(id);
            uint256 place = position.placeOf(0);
            if (place == MAX_STREAMS) revert TooManyStreams(MAX_STREAMS);
            position = position.withIdAt(place, id);
            _accounts[id][msg.sender].paid = uint160(_advance(s, clock, 0, position.stake())); // an accumulator
            emit Enabled(id, msg.sender);
        }
        return position;
    }

    /// @dev The caller takes the id out of the position.
    function _leave(uint256 id, address account, uint256 staked) private {
        Stream storage s = _streams[id];
        Clock memory clock = s.clock;
        uint256 accumulator = _advance(s, clock, staked, 0);
        Account memory a = _accounts[id][account];
        _settle(a, clock.shift, accumulator, staked, 0);
        _accounts[id][account] = a;
        emit Disabled(id, account);
    }

    /// @dev As {_leave}, but what is not counted yet becomes the adder's.
    /// `unchecked`: see the contract's comment. Were it wrong, an emergency is when nothing may stop the stake.
    function _abandon(uint256 id, uint256 staked) private {
        Stream storage s = _streams[id];
        Clock memory clock = s.clock;
        uint256 accumulator = _advance(s, clock, staked, 0);
        unchecked {
            uint256 given = (accumulator - _accounts[id][msg.sender].paid) * staked >> clock.shift;
            s.forfeited += uint96(given);
            emit Disabled(id, msg.sender);
            emit Forfeited(id, msg.sender, given);
        }
    }

    function _takeOut(address token, StakePosition position, address receiver) private returns (uint256 amount) {
        amount = position.stake();
        _positions[token][msg.sender] = StakePosition.wrap(0);
        if (amount == 0) return 0;
        totalStaked[token] -= amount;
        emit Unstaked(token, msg.sender, receiver, amount);
        _push(token, receiver, amount);
    }

    // --- Internal: streams ---

    /// @dev Counts the stream's time up to now, then changes what is eligible. `unchecked`: see the contract's comment.
    /// @param clock of the stream, changed as it is written
    function _advance(Stream storage s, Clock memory clock, uint256 minus, uint256 plus)
        private
        returns (uint256 accumulator)
    {
        Meter memory meter = s.meter;
        _run(meter, clock);
        accumulator = meter.accumulator;
        unchecked {
            (s.meter.accumulator, s.meter.eligible) = (uint160(accumulator), uint96(meter.eligible - minus + plus));
        }
        (s.clock.ran, s.clock.idle) = (clock.ran, clock.idle);
    }

    function _now(Stream storage s) private view returns (Meter memory meter, Clock memory clock) {
        (meter, clock) = (s.meter, s.clock);
        _run(meter, clock);
    }

    /// @dev Counts the time up to now. `unchecked`, casts: see the contract's comment; `runs >= ran`, as time rises.
    function _run(Meter memory meter, Clock memory clock) private view {
        unchecked {
            if (block.timestamp <= clock.start) return;
            uint256 duration = clock.duration;
            uint256 runs = Math.min(block.timestamp - clock.start, duration);
            uint256 passed = runs - clock.ran;
            uint256 eligible = meter.eligible;
            if (eligible == 0) {
                clock.idle += uint32(passed);
            } else {
                meter.accumulator += uint160((uint256(clock.amount) << clock.shift) * passed / (duration * eligible));
            }
            clock.ran = uint32(runs);
        }
    }

    /// @dev What `account` can claim now. The accumulator of now is not written: counted in one step later, it is the same or
    /// larger by what rounding took.
    function _earned(Stream storage s, uint256 id, address account) private view returns (Account memory a) {
        a = _accounts[id][account];
        StakePosition position = _positions[s.stakeToken][account];
        if (position.placeOf(id) == MAX_STREAMS) return a;
        (Meter memory meter, Clock memory clock) = _now(s);
        uint256 staked = position.stake();
        _settle(a, clock.shift, meter.accumulator, staked, staked);
    }

    /// @dev Counts what `oldStake` has earned up to `accumulator`. The fraction of a unit is carried: `paid` stays behind by as
    /// much as makes it up for `newStake`. `unchecked`, casts: see the contract's comment. `carry` is below (1 << shift) /
    /// MIN_STAKE + 1, where the accumulator began.
    function _settle(Account memory a, uint256 shift, uint256 accumulator, uint256 oldStake, uint256 newStake)
        private
        pure
    {
        unchecked {
            uint256 scaled = (accumulator - a.paid) * oldStake;
            uint256 units = scaled >> shift;
            uint256 carry = newStake == 0 ? 0 : (scaled - (units << shift)) / newStake;
            a.paid = uint160(accumulator - carry);
            a.earned += uint96(units);
        }
    }

    function _tryClaim(uint256 id, address receiver) private {
        Account storage a = _accounts[id][msg.sender];
        uint96 amount = a.earned;
        if (amount == 0) return;
        Stream storage s = _streams[id];
        a.earned = 0;
        s.left -= amount;
        bytes memory call = abi.encodeCall(this.payReward, (s.rewardToken, receiver, amount));
        (bool success,,) = LibCall.tryCall(address(this), 0, REWARD_GAS, 0, call);
        if (success) {
            emit Claimed(id, msg.sender, receiver, amount);
        } else {
            a.earned = amount; // nobody could enter in between
            s.left += amount;
            emit ClaimFailed(id, msg.sender, amount);
        }
    }

    /// @dev `amount * idle / duration`, and what was forfeited, less what has been paid.
    function _reclaimable(Stream storage s, Clock memory clock) private view returns (uint256) {
        return uint256(clock.amount) * clock.idle / clock.duration + s.forfeited - s.reclaimed;
    }

    function _known(uint256 id) private view returns (Stream storage s) {
        s = _streams[id];
        if (s.clock.duration == 0) revert StreamUnknown(id);
    }

    function _endOf(Clock memory clock) private pure returns (uint256) {
        return uint256(clock.start) + clock.duration;
    }

    function _isOver(Clock memory clock) private view returns (bool) {
        return block.timestamp >= _endOf(clock);
    }

    // --- Internal: tokens ---

    /// @dev Exactly `amount` or more must arrive; `amount` is what counts.
    function _pull(address token, uint256 amount) private {
        if (token.code.length == 0) revert NotAContract(token);
        uint256 before = IERC20(token).balanceOf(address(this));
        if (!IERC20(token).trySafeTransferFrom(msg.sender, address(this), amount)) {
            revert TransferFailed(token, msg.sender, address(this), amount);
        }
        uint256 received = Math.saturatingSub(IERC20(token).balanceOf(address(this)), before);
        if (received < amount) revert TokenTakesFee(token, amount, received);
    }

    /// @dev As SafeERC20, but no more than a word is read of what comes back, and all that fails has one name.
    function _push(address token, address to, uint256 amount) private {
        (bool success,, bytes memory result) =
            LibCall.tryCall(token, 0, gasleft(), 32, abi.encodeCall(IERC20.transfer, (to, amount)));
        if (success) {
            if (result.length == 0) success = token.code.length != 0;
            else success = result.length == 32 && abi.decode(result, (uint256)) == 1;
        }
        if (!success) revert TransferFailed(token, address(this), to, amount);
    }

    function _requireReceiver(address receiver) private view {
        if (receiver == address(0) || receiver == address(this)) revert ReceiverInvalid(receiver);
    }
}
