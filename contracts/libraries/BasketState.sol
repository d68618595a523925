// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @dev What governance has set for a token, and that it is listed: provider 160, in fee 16, out fee 16, share cap 16, cap 32,
/// input off 4, exact transfers 4, listed 8 = 256 bits, from the lowest up.
type TokenSettings is uint256;

/// @dev What the basket holds of a token: balance 104, share limit 104, cut off until (seconds) 40 = 248 bits, from the lowest
/// up. `balance` belongs to the shares; `shareLimit` is the balance at the share cap, when last looked at.
type TokenHolding is uint256;

using BasketStateLib for TokenSettings global;
using BasketStateLib for TokenHolding global;

/// @title State of a token of the basket, a slot a word
/// @notice A swap without a bonus reads four slots of the basket and writes two.
library BasketStateLib {
    using SafeCast for uint256;

    uint256 private constant AMOUNT_MASK = (1 << 104) - 1;

    // --- Settings ---

    function listedSettings(
        address provider_,
        int16 inFee_,
        int16 outFee_,
        uint16 shareCap_,
        uint32 cap_,
        bool inputOff_,
        bool exactTransfers_
    ) internal pure returns (TokenSettings) {
        uint256 word = uint160(provider_) | uint256(uint16(inFee_)) << 160 | uint256(uint16(outFee_)) << 176;
        word |= uint256(shareCap_) << 192 | uint256(cap_) << 208;
        word |= uint256(inputOff_ ? 1 : 0) << 240 | uint256(exactTransfers_ ? 1 : 0) << 244 | 1 << 248;
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

    /// @return charge bps, what is charged of who takes the token out
    /// @return bonus bps, what is paid to who takes it out, and paid back by who brings it in
    function outFees(TokenSettings settings) internal pure returns (uint256 charge, uint256 bonus) {
        int256 fee = settings.outFee();
        if (fee < 0) bonus = uint256(-fee);
        else charge = uint256(fee);
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
        return TokenSettings.unwrap(settings) >> 240 & 1 != 0;
    }

    function exactTransfers(TokenSettings settings) internal pure returns (bool) {
        return TokenSettings.unwrap(settings) >> 244 & 1 != 0;
    }

    function listed(TokenSettings settings) internal pure returns (bool) {
        return TokenSettings.unwrap(settings) >> 248 != 0;
    }

    // --- Holding ---

    function balance(TokenHolding holding) internal pure returns (uint256) {
        return TokenHolding.unwrap(holding) & AMOUNT_MASK;
    }

    /// @return wei of the token
    function shareLimit(TokenHolding holding) internal pure returns (uint256) {
        return TokenHolding.unwrap(holding) >> 104 & AMOUNT_MASK;
    }

    /// @return seconds
    function cutOffUntil(TokenHolding holding) internal pure returns (uint256) {
        return TokenHolding.unwrap(holding) >> 208;
    }

    /// @dev Reverts if the balance does not fit.
    function plus(TokenHolding holding, uint256 amount) internal pure returns (TokenHolding) {
        (holding.balance() + amount).toUint104();
        unchecked {
            return TokenHolding.wrap(TokenHolding.unwrap(holding) + amount);
        }
    }

    /// @dev Warning: `amount` has to be part of the balance.
    function minus(TokenHolding holding, uint256 amount) internal pure returns (TokenHolding) {
        unchecked {
            return TokenHolding.wrap(TokenHolding.unwrap(holding) - amount);
        }
    }

    /// @dev What does not fit is no limit.
    function withShareLimit(TokenHolding holding, uint256 limit) internal pure returns (TokenHolding) {
        if (limit > AMOUNT_MASK) limit = AMOUNT_MASK;
        return TokenHolding.wrap(TokenHolding.unwrap(holding) & ~(AMOUNT_MASK << 104) | limit << 104);
    }

    function withCutOff(TokenHolding holding, uint40 until) internal pure returns (TokenHolding) {
        return TokenHolding.wrap(TokenHolding.unwrap(holding) << 48 >> 48 | uint256(until) << 208);
    }
}
