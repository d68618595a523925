// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SignedMath} from "@openzeppelin/contracts/utils/math/SignedMath.sol";

import {IReportLimits, ReportFigures} from "../interfaces/IReportLimits.sol";
import {BPS, GWEI} from "../libraries/Constants.sol";

/// @title Report limits
/// @notice See {IReportLimits}.
contract ReportLimits is IReportLimits, AccessManaged {
    /// @notice No setting allows a yearly gain above this, basis points.
    uint256 public constant MAX_YEARLY_GAIN = 10_000;
    /// @notice No setting allows a loss in one report above this, basis points.
    uint256 public constant MAX_LOSS = 5_000;
    /// @notice No setting allows a gain on top of the yearly one above this, gwei: the largest validator.
    uint256 public constant MAX_GAIN_ALLOWANCE = 2_048e9;

    /// @notice Length of a frame, seconds. No setting leaves less than a quarter of it to report in.
    uint256 public immutable FRAME;

    Limits private _limits;
    /// @inheritdoc IReportLimits
    mapping(bytes32 digest => bool) public released;

    constructor(address authority_, uint256 frame, Limits memory limits_) AccessManaged(authority_) {
        FRAME = frame;
        _setLimits(limits_);
    }

    /// @inheritdoc IReportLimits
    /// @dev Whether a report is released is looked up only where it is outside.
    function check(bytes32 digest, ReportFigures calldata figures) external view {
        Limits memory limits_ = _limits;
        if (figures.age < limits_.minAge && !released[digest]) revert ReferenceTooRecent(figures.age, limits_.minAge);
        if (figures.age > limits_.maxAge && !released[digest]) revert ReferenceTooOld(figures.age, limits_.maxAge);

        uint256 change = SignedMath.abs(int256(figures.newValidators) - int256(figures.oldValidators));
        uint256 limit = Math.max(figures.elapsed, 1 days) * limits_.validatorsPerDay / 1 days;
        if (change > limit && !released[digest]) revert ValidatorChangeAboveLimit(change, limit);

        uint256 size = SignedMath.abs(figures.profit);
        if (figures.profit >= 0) {
            limit =
                figures.total * limits_.yearlyGain * figures.elapsed / (BPS * 365 days) + limits_.gainAllowance * GWEI;
            if (size > limit && !released[digest]) revert GainAboveLimit(size, limit);
        } else {
            uint256 share = Math.min(limits_.loss * Math.max(figures.elapsed, 1 days) / 1 days, MAX_LOSS);
            limit = figures.total * share / BPS;
            if (size > limit && !released[digest]) revert LossAboveLimit(size, limit);
        }
    }

    /// @inheritdoc IReportLimits
    function limits() external view returns (Limits memory) {
        return _limits;
    }

    /// @inheritdoc IReportLimits
    function release(bytes32 digest) external restricted {
        released[digest] = true;
        emit ReportReleased(digest);
    }

    /// @inheritdoc IReportLimits
    function setLimits(Limits calldata newLimits) external restricted {
        _setLimits(newLimits);
    }

    function _setLimits(Limits memory newLimits) private {
        if (
            newLimits.yearlyGain > MAX_YEARLY_GAIN || newLimits.loss > MAX_LOSS || newLimits.minAge > FRAME / 4
                || newLimits.maxAge < FRAME / 2 || newLimits.gainAllowance > MAX_GAIN_ALLOWANCE
        ) {
            revert LimitsOutOfBounds();
        }
        emit LimitsChanged(_limits, newLimits);
        _limits = newLimits;
    }
}
