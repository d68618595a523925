// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev What a rate provider knows of its token: low 76, high 76, recorded at, reported at, proven at (seconds) 34 each, halted 1,
/// off 1 = 256 bits, from the lowest up. One slot, so that a reading costs one.
type RateState is uint256;

using RateStateLib for RateState global;

/// @title State of a rate provider
library RateStateLib {
    /// @dev Above any rate: more than 75,000 ether for one token.
    uint256 internal constant MAX_RATE = (1 << 76) - 1;
    uint256 private constant TIME = (1 << 34) - 1; // until the year 2514
    uint256 private constant RECORDED = 152;
    uint256 private constant REPORTED = 186;
    uint256 private constant PROVEN = 220;
    uint256 private constant HALTED = 254;
    uint256 private constant OFF = 255;

    function low(RateState state) internal pure returns (uint256) {
        return RateState.unwrap(state) & MAX_RATE;
    }

    function high(RateState state) internal pure returns (uint256) {
        return RateState.unwrap(state) >> 76 & MAX_RATE;
    }

    /// @return seconds
    function recordedAt(RateState state) internal pure returns (uint256) {
        return RateState.unwrap(state) >> RECORDED & TIME;
    }

    /// @return seconds
    function reportedAt(RateState state) internal pure returns (uint256) {
        return RateState.unwrap(state) >> REPORTED & TIME;
    }

    /// @return seconds
    function provenAt(RateState state) internal pure returns (uint256) {
        return RateState.unwrap(state) >> PROVEN & TIME;
    }

    function halted(RateState state) internal pure returns (bool) {
        return RateState.unwrap(state) >> HALTED & 1 != 0;
    }

    function off(RateState state) internal pure returns (bool) {
        return RateState.unwrap(state) >> OFF != 0;
    }

    /// @dev Warning: both rates have to be at most {MAX_RATE}, the times of now or before.
    function withRecord(RateState state, uint256 low_, uint256 high_, uint256 recorded, uint256 reported)
        internal
        pure
        returns (RateState)
    {
        uint256 kept = RateState.unwrap(state) >> PROVEN << PROVEN;
        return RateState.wrap(kept | reported << REPORTED | recorded << RECORDED | high_ << 76 | low_);
    }

    /// @dev Warning: `time` has to be of now or before.
    function withReport(RateState state, uint256 time) internal pure returns (RateState) {
        return RateState.wrap(RateState.unwrap(state) & ~(TIME << REPORTED) | time << REPORTED);
    }

    /// @dev Warning: `time` has to be of now or before.
    function withProof(RateState state, uint256 time) internal pure returns (RateState) {
        return RateState.wrap(RateState.unwrap(state) & ~(TIME << PROVEN) | time << PROVEN);
    }

    function withHalted(RateState state, bool halted_) internal pure returns (RateState) {
        return RateState.wrap(RateState.unwrap(state) & ~(uint256(1) << HALTED) | uint256(halted_ ? 1 : 0) << HALTED);
    }

    function switchedOff(RateState state) internal pure returns (RateState) {
        return RateState.wrap(RateState.unwrap(state) | 1 << OFF);
    }
}
