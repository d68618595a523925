// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev One stake and the streams it counts for, in one slot: stake in bits 0 to 95, then five ids of 32 bits.
/// 12 + 5 * 4 = 32 bytes. An id of 0 is a free place.
type StakePosition is uint256;

using StakePositionLib for StakePosition global;

/// @title Packing of {StakePosition}
/// @dev Callers keep stakes below 2^96, ids below 2^32, places below {PLACES}.
library StakePositionLib {
    uint256 internal constant PLACES = 5;

    uint256 private constant STAKE_MASK = (1 << 96) - 1;
    uint256 private constant ID_MASK = (1 << 32) - 1;

    function stake(StakePosition position) internal pure returns (uint256) {
        return StakePosition.unwrap(position) & STAKE_MASK;
    }

    function withStake(StakePosition position, uint256 stake_) internal pure returns (StakePosition) {
        return StakePosition.wrap(StakePosition.unwrap(position) & ~STAKE_MASK | stake_);
    }

    function idAt(StakePosition position, uint256 place) internal pure returns (uint256) {
        return StakePosition.unwrap(position) >> _offset(place) & ID_MASK;
    }

    function withIdAt(StakePosition position, uint256 place, uint256 id) internal pure returns (StakePosition) {
        uint256 offset = _offset(place);
        return StakePosition.wrap(StakePosition.unwrap(position) & ~(ID_MASK << offset) | id << offset);
    }

    /// @return place of `id`, {PLACES} where it is not there
    function placeOf(StakePosition position, uint256 id) internal pure returns (uint256 place) {
        while (place < PLACES && position.idAt(place) != id) ++place;
    }

    function _offset(uint256 place) private pure returns (uint256) {
        unchecked {
            return 96 + 32 * place;
        }
    }
}
