// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @dev What governance has set for a token, and that it is listed: provider 160, in fee 16, out fee 16, share cap 16, cap 32,
/// input off 8, listed 8 = 256 bits, from the lowest up.
type TokenSettings is uint256;

/// @dev What the basket holds of a token: balance 104, value 104, cut off until (seconds) 40 = 248 bits, from the lowest up.
/// `balance` belongs to the shares; `value` is low, when last looked at, and part of {PoolState}'s total.
type TokenHolding is uint256;

/// @dev Total 128, paused until (seconds) 40, LP fee (bps) 16 = 184 bits, from the lowest up. The total is the sum of all values.
type PoolState is uint256;

using BasketStateLib for TokenSettings global;
using BasketStateLib for TokenHolding global;
using BasketStateLib for PoolState global;

/// @title State of the basket, a slot a word
/// @notice A swap reads each of its five slots once.
library BasketStateLib {
    using SafeCast for uint256;

    // --- Settings ---

    function listedSettings(
        address provider_,
        int16 inFee_,
        int16 outFee_,
        uint16 shareCap_,
        uint32 cap_,
        bool inputOff_
    ) internal pure returns (TokenSettings) {
        uint256 word = uint160(provider_) | uint256(uint16(inFee_)) << 160 | uint256(uint16(outFee_)) << 176;
        word |= uint256(shareCap_) << 192 | uint256(cap_) << 208 | uint256(inputOff_ ? 1 : 0) << 240 | 1 << 248;
        return TokenSettings.wrap(word);
    }

    function provider(TokenSettings settings) internal pure returns (address) {
        return address(uint160(TokenSettings.unwrap(settings)));
    }

    /// @return bps, never negative
    function inFee(TokenSettings settings) internal pure returns (uint256) {
        return uint16(TokenSettings.unwrap(settings) >> 160);
    }

    /// @return bps
    function outFee(TokenSettings settings) internal pure returns (int16) {
        return int16(uint16(TokenSettings.unwrap(settings) >> 176));
    }

    /// @return bps, what of the out fee is charged
    function outCharge(TokenSettings settings) internal pure returns (uint256) {
        int256 fee = settings.outFee();
        return fee > 0 ? uint256(fee) : 0;
    }

    /// @return bps, what is paid to who takes the token out, and paid back by who brings it in
    function outBonus(TokenSettings settings) internal pure returns (uint256) {
        int256 fee = settings.outFee();
        return fee < 0 ? uint256(-fee) : 0;
    }

    /// @return bps
    function shareCap(TokenSettings settings) internal pure returns (uint16) {
        return uint16(TokenSettings.unwrap(settings) >> 192);
    }

    /// @return whole ether
    function cap(TokenSettings settings) internal pure returns (uint32) {
        return uint32(TokenSettings.unwrap(settings) >> 208);
    }

    function inputOff(TokenSettings settings) internal pure returns (bool) {
        return uint8(TokenSettings.unwrap(settings) >> 240) != 0;
    }

    function listed(TokenSettings settings) internal pure returns (bool) {
        return TokenSettings.unwrap(settings) >> 248 != 0;
    }

    // --- Holding ---

    function balance(TokenHolding holding) internal pure returns (uint256) {
        return uint104(TokenHolding.unwrap(holding));
    }

    /// @return wei
    function value(TokenHolding holding) internal pure returns (uint256) {
        return uint104(TokenHolding.unwrap(holding) >> 104);
    }

    /// @return seconds
    function cutOffUntil(TokenHolding holding) internal pure returns (uint256) {
        return TokenHolding.unwrap(holding) >> 208;
    }

    function withAmounts(TokenHolding holding, uint256 balance_, uint256 value_) internal pure returns (TokenHolding) {
        if ((balance_ | value_) >> 104 != 0) {
            value_.toUint104(); // one of the two reverts
            balance_.toUint104();
        }
        return TokenHolding.wrap(TokenHolding.unwrap(holding) >> 208 << 208 | value_ << 104 | balance_);
    }

    function withCutOff(TokenHolding holding, uint40 until) internal pure returns (TokenHolding) {
        return TokenHolding.wrap(TokenHolding.unwrap(holding) << 48 >> 48 | uint256(until) << 208);
    }

    // --- Pool ---

    /// @return wei
    function total(PoolState pool) internal pure returns (uint256) {
        return uint128(PoolState.unwrap(pool));
    }

    /// @return seconds
    function pausedUntil(PoolState pool) internal pure returns (uint256) {
        return uint40(PoolState.unwrap(pool) >> 128);
    }

    /// @return bps
    function lpFee(PoolState pool) internal pure returns (uint256) {
        return PoolState.unwrap(pool) >> 168;
    }

    /// @dev Warning: `minus` has to be part of the total, and the total to fit 128 bits, as a sum of a few values does.
    function withTotal(PoolState pool, uint256 minus, uint256 plus) internal pure returns (PoolState) {
        unchecked {
            return PoolState.wrap(PoolState.unwrap(pool) - minus + plus);
        }
    }

    function withPausedUntil(PoolState pool, uint40 until) internal pure returns (PoolState) {
        uint256 kept = PoolState.unwrap(pool) & ~(uint256(type(uint40).max) << 128);
        return PoolState.wrap(kept | uint256(until) << 128);
    }

    function withLpFee(PoolState pool, uint16 fee) internal pure returns (PoolState) {
        return PoolState.wrap(PoolState.unwrap(pool) << 88 >> 88 | uint256(fee) << 168);
    }
}
