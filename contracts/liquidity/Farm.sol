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
import {StreamAccount, StreamClock, StreamMeter, StreamStateLib} from "../libraries/StreamState.sol";

/// @title Farm
/// @notice See {IFarm}.
/// @dev The arithmetic, and why nothing in it overflows: {StreamStateLib}.
contract Farm is IFarm, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @dev Slots 0 and 1: staking touches no others. Slots 2, 3, 4: 20 + 12 = 32 bytes each.
    /// `meter.eligible` is the sum of the stakes whose positions hold the id of the stream.
    /// left = amount - claimed - reclaimed: a stream cannot pay what another brought, whatever the arithmetic says.
    struct Stream {
        StreamMeter meter;
        StreamClock clock;
        address rewardToken;
        uint96 left;
        address stakeToken;
        uint96 forfeited;
        address adder;
        uint96 reclaimed;
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
    mapping(uint256 id => mapping(address account => StreamAccount)) private _accounts;

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
        uint256 shift = Math.log2(uint256(type(uint160).max - 1) * MIN_STAKE / (amount + 1));
        s.clock = StreamStateLib.createClock(amount, start, duration, shift);
        s.meter = StreamMeter.wrap((1 << shift) / MIN_STAKE + 1);
        s.rewardToken = rewardToken;
        s.left = uint96(amount); // compared above
        s.stakeToken = stakeToken;
        s.adder = msg.sender;
        emit StreamAdded(id, stakeToken, rewardToken, msg.sender, amount, start, end);
    }

    /// @inheritdoc IFarm
    function reclaim(uint256 id) external nonReentrant returns (uint256 amount) {
        (Stream storage s, StreamClock clock) = _known(id);
        if (!clock.isOver()) revert StreamNotOver(id, clock.end());
        _advance(s, clock, 0, 0);
        amount = _reclaimable(s, s.clock);
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
                uint256 given = _accounts[id][msg.sender].earned();
                _streams[id].forfeited += uint96(given); // 96 bits
                _accounts[id][msg.sender] = StreamAccount.wrap(0);
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
            (Stream storage s, StreamClock clock) = _known(id);
            StreamAccount account = _counted(s, clock, id, msg.sender);
            uint256 amount = account.earned();
            if (amount == 0) continue; // nothing to write: fractions are counted by the next call
            _accounts[id][msg.sender] = account.withoutEarned();
            address token = s.rewardToken;
            s.left -= uint96(amount); // 96 bits
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
        (Stream storage s, StreamClock clock) = _known(id);
        return _counted(s, clock, id, account).earned();
    }

    /// @inheritdoc IFarm
    function reclaimable(uint256 id) external view returns (uint256) {
        (Stream storage s, StreamClock clock) = _known(id);
        (, clock) = s.meter.run(clock);
        return clock.isOver() ? _reclaimable(s, clock) : 0;
    }

    /// @inheritdoc IFarm
    function stream(uint256 id) external view returns (StreamView memory v) {
        (Stream storage s, StreamClock clock) = _known(id);
        StreamMeter meter;
        (meter, clock) = s.meter.run(clock);
        v.accumulator = meter.accumulator();
        v.eligible = meter.eligible();
        v.amount = clock.amount();
        v.start = clock.start();
        v.end = clock.end();
        v.ranTo = v.start + clock.ran();
        v.idle = clock.idle();
        v.shift = clock.shift();
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
            StreamClock clock = s.clock;
            if (clock.isOver()) {
                _leave(id, account, oldStake);
                position = position.withIdAt(place, 0);
            } else if (newStake != oldStake) {
                uint256 accumulator = _advance(s, clock, oldStake, newStake);
                _accounts[id][account] = _accounts[id][account].settle(clock.shift(), accumulator, oldStake, newStake);
            }
        }
        return position.withStake(newStake);
    }

    function _enable(StakePosition position, address token, uint256[] calldata ids) private returns (StakePosition) {
        for (uint256 i = 0; i < ids.length; ++i) {
            uint256 id = ids[i];
            (Stream storage s, StreamClock clock) = _known(id);
            if (s.stakeToken != token) revert StreamOfAnotherToken(id, s.stakeToken, token);
            if (clock.isOver()) revert StreamOver(id, clock.end());
            if (position.placeOf(id) != MAX_STREAMS) revert StreamEnabled(id);
            uint256 place = position.placeOf(0);
            if (place == MAX_STREAMS) revert TooManyStreams(MAX_STREAMS);
            position = position.withIdAt(place, id);
            uint256 accumulator = _advance(s, clock, 0, position.stake());
            _accounts[id][msg.sender] = _accounts[id][msg.sender].join(accumulator);
            emit Enabled(id, msg.sender);
        }
        return position;
    }

    /// @dev The caller takes the id out of the position.
    function _leave(uint256 id, address account, uint256 staked) private {
        Stream storage s = _streams[id];
        StreamClock clock = s.clock;
        uint256 accumulator = _advance(s, clock, staked, 0);
        _accounts[id][account] = _accounts[id][account].settle(clock.shift(), accumulator, staked, 0);
        emit Disabled(id, account);
    }

    /// @dev As {_leave}, but what is not counted yet becomes the adder's.
    /// `unchecked`: all that is given is at most the stream's amount. Were it wrong, an emergency is when nothing may stop the
    /// stake.
    function _abandon(uint256 id, uint256 staked) private {
        Stream storage s = _streams[id];
        StreamClock clock = s.clock;
        uint256 accumulator = _advance(s, clock, staked, 0);
        unchecked {
            uint256 given = _accounts[id][msg.sender].uncounted(accumulator, staked) >> clock.shift();
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

    /// @dev Counts the stream's time up to now, then changes what is eligible.
    /// @param clock as it is stored
    function _advance(Stream storage s, StreamClock clock, uint256 minus, uint256 plus)
        private
        returns (uint256 accumulator)
    {
        (StreamMeter meter, StreamClock counted) = s.meter.run(clock);
        s.meter = meter.withEligible(minus, plus);
        s.clock = counted;
        return meter.accumulator();
    }

    /// @dev With all that `account` can claim now. The accumulator of now is not written: counted in one step later, it is the
    /// same or larger by what rounding took.
    function _counted(Stream storage s, StreamClock clock, uint256 id, address account)
        private
        view
        returns (StreamAccount)
    {
        StakePosition position = _positions[s.stakeToken][account];
        if (position.placeOf(id) == MAX_STREAMS) return _accounts[id][account];
        (StreamMeter meter,) = s.meter.run(clock);
        uint256 staked = position.stake();
        return _accounts[id][account].settle(clock.shift(), meter.accumulator(), staked, staked);
    }

    function _tryClaim(uint256 id, address receiver) private {
        StreamAccount account = _accounts[id][msg.sender];
        uint256 amount = account.earned();
        if (amount == 0) return;
        Stream storage s = _streams[id];
        _accounts[id][msg.sender] = account.withoutEarned();
        s.left -= uint96(amount); // 96 bits
        bytes memory call = abi.encodeCall(this.payReward, (s.rewardToken, receiver, amount));
        (bool success,,) = LibCall.tryCall(address(this), 0, REWARD_GAS, 0, call);
        if (success) {
            emit Claimed(id, msg.sender, receiver, amount);
        } else {
            _accounts[id][msg.sender] = account; // nobody could enter in between
            s.left += uint96(amount);
            emit ClaimFailed(id, msg.sender, amount);
        }
    }

    /// @dev `amount * idle / duration`, and what was forfeited, less what has been paid.
    function _reclaimable(Stream storage s, StreamClock clock) private view returns (uint256) {
        return clock.amount() * clock.idle() / clock.duration() + s.forfeited - s.reclaimed;
    }

    function _known(uint256 id) private view returns (Stream storage s, StreamClock clock) {
        s = _streams[id];
        clock = s.clock;
        if (StreamClock.unwrap(clock) == 0) revert StreamUnknown(id);
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
