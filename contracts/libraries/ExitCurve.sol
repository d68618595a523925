// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {BPS} from "./Constants.sol";

/// @dev What ether costs in a pool that holds `l` wei of it: the last wei costs `1 + g(l)`, where the surcharge `g` falls in
/// a straight line from `maxFee` at 0 to `minFee` at `target` and stays there.
struct Curve {
    uint256 minFee; // basis points, <= maxFee
    uint256 maxFee; // basis points, <= BPS
    uint256 target; // wei, 0 < target < 2^96
}

/// @title Exit curve
/// @notice The fee is a difference of the potential `Phi(l) = l + integral of g from 0 to l`, so what a trade costs depends
/// on where it starts and where it ends, and splitting it gains nothing. All figures are exact: potentials are counted in
/// parts of a wei of which {unit} make one. Formula: the marginal curve of Marinade's liquidity pool (liq_pool.rs), integrated.
/// @dev Unchecked: ether and target are below 2^96 and fees at most BPS < 2^14, so linear < 2^112, potentials < 2^208,
/// and in the root linear^2 and what is taken from it < 2^224.
library ExitCurve {
    /// @notice Parts of one wei of value.
    function unit(Curve memory curve) internal pure returns (uint256) {
        unchecked {
            return 2 * curve.target * BPS;
        }
    }

    /// @notice Surcharge on the last wei of `assets`, 1e18 = 1, rounded up.
    function surcharge(Curve memory curve, uint256 assets) internal pure returns (uint256) {
        uint256 fall = (curve.maxFee - curve.minFee) * FixedPointMathLib.min(assets, curve.target);
        return FixedPointMathLib.divUp((curve.maxFee * curve.target - fall) * 1e18, curve.target * BPS);
    }

    /// @notice `Phi(assets)` in parts of a wei.
    function potential(Curve memory curve, uint256 assets) internal pure returns (uint256) {
        unchecked {
            uint256 double = 2 * curve.target;
            uint256 above = FixedPointMathLib.zeroFloorSub(assets, curve.target);
            uint256 below = assets - above;
            return below * (double * (BPS + curve.maxFee) - (curve.maxFee - curve.minFee) * below) + above * double
                * (BPS + curve.minFee);
        }
    }

    /// @notice Value in wei, rounded up, that takes `out <= assets` wei from a pool of `assets`.
    function cost(Curve memory curve, uint256 assets, uint256 out) internal pure returns (uint256) {
        unchecked {
            return _divUp(potential(curve, assets) - potential(curve, assets - out), unit(curve));
        }
    }

    /// @notice Wei, rounded down, that `value` wei take from a pool of `assets`.
    /// @return out wei
    /// @return enough whether there is that much: `value <= cost(assets, assets)`
    function take(Curve memory curve, uint256 assets, uint256 value) internal pure returns (uint256 out, bool enough) {
        unchecked {
            if (value > 2 * assets) return (assets, false); // no fee is above BPS; what follows fits into a word
            uint256 parts = potential(curve, assets);
            uint256 paid = value * unit(curve);
            if (paid >= parts) return (assets, paid - parts < unit(curve));
            return (assets - _least(curve, parts - paid), true); // the least is at most what was there
        }
    }

    /// @dev Least amount of ether whose potential reaches `parts`: rounding the root down and both quotients up is exact.
    function _least(Curve memory curve, uint256 parts) private pure returns (uint256) {
        unchecked {
            uint256 double = 2 * curve.target;
            uint256 atTarget = potential(curve, curve.target);
            if (parts >= atTarget) return curve.target + _divUp(parts - atTarget, double * (BPS + curve.minFee));
            // parts = linear * l - square * l^2, of which the lower root counts
            uint256 linear = double * (BPS + curve.maxFee);
            uint256 square = curve.maxFee - curve.minFee;
            if (square == 0) return _divUp(parts, linear);
            return _divUp(linear - FixedPointMathLib.sqrt(linear * linear - 4 * square * parts), 2 * square);
        }
    }

    function _divUp(uint256 value, uint256 divisor) private pure returns (uint256) {
        unchecked {
            return (value + divisor - 1) / divisor;
        }
    }
}
