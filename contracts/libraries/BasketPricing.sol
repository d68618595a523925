// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {BPS} from "./Constants.sol";

/// @title Prices of the basket
/// @notice What comes in is taken at its low rate and what goes out at its high rate, and every rounding is the pool's.
/// @dev Rates are wei for {ONE} wei of a token, `fee` and `bonusRate` basis points, at most a fiftieth of BPS. What does not
/// fit 256 bits reverts; `pot` is what there is for bonuses in the token that goes out.
library BasketPricing {
    using FixedPointMathLib for uint256;

    uint256 internal constant ONE = 1e18;

    /// @return amountOut with the bonus
    function exactIn(uint256 amountIn, uint256 low, uint256 high, uint256 fee, uint256 bonusRate, uint256 pot)
        internal
        pure
        returns (uint256 amountOut, uint256 bonus)
    {
        uint256 value = amountIn.mulDiv(low, ONE);
        unchecked {
            value = value.mulDiv(BPS - fee, BPS); // the fee is rounded up
        }
        amountOut = value.mulDiv(ONE, high);
        if (bonusRate != 0) {
            bonus = amountOut.mulDiv(bonusRate, BPS).min(pot);
            amountOut += bonus;
        }
    }

    /// @return amountIn for `amountOut` with the bonus that is in it
    function exactOut(uint256 amountOut, uint256 low, uint256 high, uint256 fee, uint256 bonusRate, uint256 pot)
        internal
        pure
        returns (uint256 amountIn, uint256 bonus)
    {
        if (bonusRate != 0) {
            // the part of the price is rounded up, so the bonus is at most that of the part
            bonus = (amountOut - amountOut.mulDivUp(BPS, BPS + bonusRate)).min(pot);
        }
        uint256 value = (amountOut - bonus).mulDivUp(high, ONE);
        value = value.mulDivUp(BPS, BPS - fee);
        amountIn = value.mulDivUp(ONE, low);
    }

    /// @notice `bps` of a value, rounded up.
    function share(uint256 value, uint256 bps) internal pure returns (uint256) {
        return value.mulDivUp(bps, BPS);
    }
}
