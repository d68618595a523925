// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev What a rate provider knows of its token: low 80, high 80, recorded at (seconds) 40, proven at (seconds) 40, halted 8,
/// off 8 = 256 bits, from the lowest up. One slot, so that a reading costs one.
type RateState is uint256;

using RateStateLib for RateState global;

/// @title State of a rate provider
library RateStateLib {
    /// @dev Above any rate: more than a million ether for one token.
    uint256 internal constant MAX_RATE = type(uint80).max;
    uint256 private constant TIME = type(uint40).max;

    function low(RateState state) internal pure returns (uint256) {
        return RateState.unwrap(state) & MAX_RATE;
    }

    function high(RateState state) internal pure returns (uint256) {
        return RateState.unwrap(state) >> 80 & MAX_RATE;
    }

    /// @return seconds
    function recordedAt(RateState state) internal pure returns (uint256) {
        return RateState.unwrap(state) >> 160 & TIME;
    }

    /// @return seconds
    function provenAt(RateState state) internal pure returns (uint256) {
        return RateState.unwrap(state) >> 200 & TIME;
    }

    function halted(RateState state) internal pure returns (bool) {
        return RateState.unwrap(state) >> 240 & 1 != 0;
    }

    function off(RateState state) internal pure returns (bool) {
        return RateState.unwrap(state) >> 248 != 0;
    }

    /// @dev Warning: both rates have to be at most {MAX_RATE}.
    function withRecord(RateState state, uint256 low_, uint256 high_, uint40 time) internal pure returns (RateState) {
        return RateState.wrap(RateState.unwrap(state) >> 200 << 200 | uint256(time) << 160 | high_ << 80 | low_);
    }

    function withProof(RateState state, uint40 time) internal pure returns (RateState) {
        return RateState.wrap(RateState.unwrap(state) & ~(TIME << 200) | uint256(time) << 200);
    }

    function withHalted(RateState state, bool halted_) internal pure returns (RateState) {
        return RateState.wrap(RateState.unwrap(state) & ~(uint256(1) << 240) | uint256(halted_ ? 1 : 0) << 240);
    }

    function switchedOff(RateState state) internal pure returns (RateState) {
        return RateState.wrap(RateState.unwrap(state) | 1 << 248);
    }
}
