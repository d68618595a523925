// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {BPS} from "./Constants.sol";

/// @dev What ether costs in a pool that holds `l` wei of it: the last wei costs `1 + g(l)`, where the surcharge `g` falls in a
/// straight line from `maxFee` at 0 to `minFee` at `target` and stays there.
struct Curve {
    uint256 minFee; // basis points, <= maxFee
    uint256 maxFee; // basis points, <= BPS
    uint256 target; // wei, 0 < target < 2^96
}

/// @title Exit curve
/// @notice The fee is a difference of the potential `Phi(l) = l + integral of g from 0 to l`, so what a trade costs depends on
/// where it starts and where it ends, and splitting it gains nothing. All figures are exact: potentials are counted in parts
/// of a wei of which {unit} make one. Formula: the marginal curve of Marinade's liquidity pool (liq_pool.rs), integrated.
/// @dev Amounts are below 2^96, so no product here reaches 2^240.
library ExitCurve {
    /// @notice Parts of one wei of value.
    function unit(Curve memory curve) internal pure returns (uint256) {
        return 2 * curve.target * BPS;
    }

    /// @notice Surcharge on the last wei of `assets`, 1e18 = 1, rounded down.
    function surcharge(Curve memory curve, uint256 assets) internal pure returns (uint256) {
        uint256 below = Math.min(assets, curve.target);
        uint256 fall = (curve.maxFee - curve.minFee) * below * 1e18 / curve.target;
        return (curve.maxFee * 1e18 - fall) / BPS;
    }

    /// @notice `Phi(assets)` in parts of a wei.
    function potential(Curve memory curve, uint256 assets) internal pure returns (uint256) {
        uint256 below = Math.min(assets, curve.target);
        return below * (2 * curve.target * (BPS + curve.maxFee) - (curve.maxFee - curve.minFee) * below)
            + (assets - below) * 2 * curve.target * (BPS + curve.minFee);
    }

    /// @notice Value in wei, rounded up, that takes `out` wei from a pool of `assets`.
    function cost(Curve memory curve, uint256 assets, uint256 out) internal pure returns (uint256) {
        return Math.ceilDiv(potential(curve, assets) - potential(curve, assets - out), unit(curve));
    }

    /// @notice Wei, rounded down, that `value` wei take from a pool of `assets`; all of it where they would take more.
    function take(Curve memory curve, uint256 assets, uint256 value) internal pure returns (uint256) {
        uint256 parts = potential(curve, assets);
        uint256 paid = value * unit(curve);
        if (paid >= parts) return assets;
        return assets - _least(curve, parts - paid);
    }

    /// @dev Least amount of ether whose potential reaches `parts`, or one wei more.
    function _least(Curve memory curve, uint256 parts) private pure returns (uint256) {
        uint256 atTarget = potential(curve, curve.target);
        if (parts >= atTarget) {
            return curve.target + Math.ceilDiv(parts - atTarget, 2 * curve.target * (BPS + curve.minFee));
        }
        // parts = linear * l - square * l^2, of which the lower root counts
        uint256 linear = 2 * curve.target * (BPS + curve.maxFee);
        uint256 square = curve.maxFee - curve.minFee;
        if (square == 0) return Math.ceilDiv(parts, linear);
        return Math.ceilDiv(linear - Math.sqrt(linear * linear - 4 * square * parts), 2 * square);
    }
}
