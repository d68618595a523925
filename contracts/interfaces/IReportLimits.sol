// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice What a report is judged by.
struct ReportFigures {
    int256 profit; // wei, before cover
    uint256 total; // wei, pooled less unvested before the report
    uint256 elapsed; // seconds since the reference time of the report before
    uint256 age; // seconds since its own reference time
    uint256 oldValidators;
    uint256 newValidators;
}

/// @title Report limits
/// @notice What even a full quorum cannot report. A report outside is refused with an error that names limit and values;
/// governance can release one named report.
interface IReportLimits {
    /// @notice 2 + 2 + 4 + 4 + 4 + 8 = 24 bytes.
    struct Limits {
        uint16 yearlyGain; // basis points of total a year
        uint16 loss; // basis points of total per day elapsed, at least one day's worth
        uint32 validatorsPerDay; // change of the validator count, per day elapsed, at least one day's worth
        uint32 minAge; // seconds, for finality; at most a quarter of a frame
        uint32 maxAge; // seconds; at least half a frame
        uint64 gainAllowance; // gwei on top of the yearly gain, so that a gift cannot block a report
    }

    event LimitsChanged(Limits oldLimits, Limits limits);
    event ReportReleased(bytes32 indexed digest);

    error GainAboveLimit(uint256 gain, uint256 limit);
    error LossAboveLimit(uint256 loss, uint256 limit);
    error ValidatorChangeAboveLimit(uint256 change, uint256 limit);
    error ReferenceTooRecent(uint256 age, uint256 limit);
    error ReferenceTooOld(uint256 age, uint256 limit);
    error LimitsOutOfBounds();

    /// @notice Reverts where `figures` are outside the limits and the report is not released.
    /// @param digest of the report, from {IReportOracle-digest}
    function check(bytes32 digest, ReportFigures calldata figures) external view;

    function limits() external view returns (Limits memory);
    function released(bytes32 digest) external view returns (bool);

    /// @notice Let the one report with `digest` pass whatever its figures. Restricted.
    function release(bytes32 digest) external;
    /// @notice Restricted.
    function setLimits(Limits calldata newLimits) external;
}
