// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev What a unit of stake has earned (times 2^shift), and the stake that earns. 20 + 12 = 32 bytes.
type StreamMeter is uint256;

/// @dev amount, start, duration, `ran` (seconds from the start that are counted), `idle` (of these, seconds without an
/// eligible stake), shift. 12 + 5 + 4 + 4 + 4 + 1 = 30 bytes.
type StreamClock is uint256;

/// @dev `paid` (the accumulator up to which is counted), `earned` (counted, not claimed). 20 + 12 = 32 bytes.
type StreamAccount is uint256;

using StreamStateLib for StreamMeter global;
using StreamStateLib for StreamClock global;
using StreamStateLib for StreamAccount global;

/// @title Arithmetic of the farm's streams
/// @dev Why nothing here overflows, so that nobody's stake can be stuck in arithmetic. Let M be the least stake of an account.
/// - Stakes are 0 or at least M, so `eligible`, a sum of stakes, is 0 or at least M. All stakes of a token are below 2^96.
/// - `shift` is at most 179 and such that `(amount + 1) << shift <= (2^160 - 2) * M < 2^180`. The accumulator begins at
///   `(1 << shift) / M + 1`; a second adds at most `(amount << shift) / duration / M`, and there are `duration` of them, so it
///   stays below 2^160.
/// - An addition to it is `(amount << shift) * seconds / (duration * eligible)`: numerator below 2^180 * 2^32, denominator
///   below 2^32 * 2^96.
/// - What an account has earned is `(accumulator - paid) * stake`, below 2^160 * 2^96.
/// - All that is counted for accounts is at most `amount` < 2^96, as every division is rounded down: in each second the stakes
///   that are counted are those that `eligible` is the sum of.
/// - What is carried is below `(1 << shift) / M + 1`, where the accumulator began.
library StreamStateLib {
    uint256 private constant ACCUMULATOR_MASK = (1 << 160) - 1;
    uint256 private constant AMOUNT_MASK = (1 << 96) - 1;
    uint256 private constant TIME_MASK = (1 << 40) - 1;
    uint256 private constant SECONDS_MASK = (1 << 32) - 1;

    uint256 private constant START = 96;
    uint256 private constant DURATION = 136;
    uint256 private constant RAN = 168;
    uint256 private constant IDLE = 200;
    uint256 private constant SHIFT = 232;

    // --- Meter ---

    function accumulator(StreamMeter meter) internal pure returns (uint256) {
        return StreamMeter.unwrap(meter) & ACCUMULATOR_MASK;
    }

    function eligible(StreamMeter meter) internal pure returns (uint256) {
        return StreamMeter.unwrap(meter) >> 160;
    }

    /// @dev `minus` is part of what is eligible.
    function withEligible(StreamMeter meter, uint256 minus, uint256 plus) internal pure returns (StreamMeter) {
        unchecked {
            return StreamMeter.wrap(StreamMeter.unwrap(meter) - (minus << 160) + (plus << 160));
        }
    }

    /// @dev Both with the time up to now counted. Never reverts.
    function run(StreamMeter meter, StreamClock clock) internal view returns (StreamMeter, StreamClock) {
        unchecked {
            uint256 passed = clock.passed();
            if (passed == 0) return (meter, clock);
            uint256 eligible_ = meter.eligible();
            if (eligible_ != 0) {
                uint256 added = (clock.amount() << clock.shift()) * passed / (clock.duration() * eligible_);
                meter = StreamMeter.wrap(StreamMeter.unwrap(meter) + added);
            }
            return (meter, clock.count(passed, eligible_ == 0));
        }
    }

    // --- Clock ---

    /// @dev Each fits its place: amount 96 bits, start 40, duration 32, shift 8.
    function createClock(uint256 amount_, uint256 start_, uint256 duration_, uint256 shift_)
        internal
        pure
        returns (StreamClock)
    {
        return StreamClock.wrap(amount_ | start_ << START | duration_ << DURATION | shift_ << SHIFT);
    }

    function amount(StreamClock clock) internal pure returns (uint256) {
        return StreamClock.unwrap(clock) & AMOUNT_MASK;
    }

    function start(StreamClock clock) internal pure returns (uint256) {
        return StreamClock.unwrap(clock) >> START & TIME_MASK;
    }

    function duration(StreamClock clock) internal pure returns (uint256) {
        return StreamClock.unwrap(clock) >> DURATION & SECONDS_MASK;
    }

    function ran(StreamClock clock) internal pure returns (uint256) {
        return StreamClock.unwrap(clock) >> RAN & SECONDS_MASK;
    }

    function idle(StreamClock clock) internal pure returns (uint256) {
        return StreamClock.unwrap(clock) >> IDLE & SECONDS_MASK;
    }

    function shift(StreamClock clock) internal pure returns (uint256) {
        return StreamClock.unwrap(clock) >> SHIFT;
    }

    /// @dev The first second after the last.
    function end(StreamClock clock) internal pure returns (uint256) {
        unchecked {
            return clock.start() + clock.duration(); // below 2^40 + 2^32
        }
    }

    function isOver(StreamClock clock) internal view returns (bool) {
        return block.timestamp >= clock.end();
    }

    /// @dev Seconds of the stream up to now that are not counted.
    function passed(StreamClock clock) internal view returns (uint256) {
        unchecked {
            uint256 begin = clock.start();
            if (block.timestamp <= begin) return 0;
            uint256 now_ = block.timestamp - begin;
            uint256 longest = clock.duration();
            return (now_ < longest ? now_ : longest) - clock.ran(); // time rises
        }
    }

    /// @dev Both counters stay at most the duration.
    function count(StreamClock clock, uint256 passed_, bool isIdle) internal pure returns (StreamClock) {
        unchecked {
            uint256 added = passed_ << RAN;
            if (isIdle) added += passed_ << IDLE;
            return StreamClock.wrap(StreamClock.unwrap(clock) + added);
        }
    }

    // --- Account ---

    function earned(StreamAccount account) internal pure returns (uint256) {
        return StreamAccount.unwrap(account) >> 160;
    }

    function withoutEarned(StreamAccount account) internal pure returns (StreamAccount) {
        return StreamAccount.wrap(StreamAccount.unwrap(account) & ACCUMULATOR_MASK);
    }

    /// @dev Nothing is earned before `accumulator`.
    function join(StreamAccount account, uint256 accumulator) internal pure returns (StreamAccount) {
        return StreamAccount.wrap(StreamAccount.unwrap(account) & ~ACCUMULATOR_MASK | accumulator);
    }

    /// @dev What `stake` has earned up to `accumulator` and is not counted, times 2^shift.
    function uncounted(StreamAccount account, uint256 accumulator, uint256 stake) internal pure returns (uint256) {
        unchecked {
            return (accumulator - (StreamAccount.unwrap(account) & ACCUMULATOR_MASK)) * stake;
        }
    }

    /// @dev Counts what `oldStake` has earned. The fraction of a unit is carried: `paid` stays behind by as much as makes it up
    /// for `newStake`.
    function settle(StreamAccount account, uint256 shift, uint256 accumulator, uint256 oldStake, uint256 newStake)
        internal
        pure
        returns (StreamAccount)
    {
        unchecked {
            uint256 scaled = account.uncounted(accumulator, oldStake);
            uint256 units = scaled >> shift;
            uint256 carry = newStake == 0 ? 0 : (scaled - (units << shift)) / newStake;
            return StreamAccount.wrap(account.earned() + units << 160 | accumulator - carry);
        }
    }
}
