// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IAggregatorV3} from "./IAggregatorV3.sol";

/// @title Core rate of slETH as a feed
/// @notice **Ether per slETH, 1e18 = 1 ether. Not dollars, and not a market price.** It is the number at which the core
/// takes and pays: {IStakingVault-rate}, a function of counted state and time. No trade, no donation and no feed of another
/// moves it, and nobody can set it: this contract has no owner and no storage.
///
/// Whoever needs dollars multiplies by an ether/dollar feed, this answer / 1e18. An answer near 1 is the sign that a ratio
/// was wired where a price belongs (Moonwell, February 2026: a ratio of cbETH read as dollars).
///
/// What a lending market has to know:
/// - **Freshness.** `updatedAt` is the reference time of the newest report: what the answer knows of validators is as of
///   then. The answer itself is of this block, as rewards of that report vest every second. As deployed, reports come daily
///   and look back up to 19 hours: a heartbeat below 43 hours refuses healthy answers.
/// - **A slashing that is proven and not reported yet.** The feed goes on to answer, as a feed that reverts stops repayments
///   and liquidations with it. The slashing is not in the answer, nobody knows its cost yet; `updatedAt` lies before it, and
///   {slashingPendingUntil} is not 0 until a report has counted it. A market that wants to stop new loans meanwhile reads that.
/// - **The rate is not what slETH sells for at once.** Ether for slETH at this rate takes the time of the withdrawal queue.
interface IRateFeed is IAggregatorV3 {
    /// @notice Only the newest round can be asked for: answers of earlier ones moved while they were the newest.
    error RoundUnavailable(uint80 asked, uint80 newest);

    /// @notice 18: an answer of 1e18 is one ether per slETH.
    function decimals() external pure returns (uint8);
    /// @notice What the number is, in words.
    function description() external pure returns (string memory);
    function version() external pure returns (uint256);

    /// @notice The rate now.
    /// @return roundId the reference time of the newest report, or of the deployment before the first; it only rises
    /// @return answer ether per slETH, 1e18 = 1 ether, rounded down; above 0
    /// @return startedAt as `updatedAt`
    /// @return updatedAt reference time of the newest report, seconds
    /// @return answeredInRound as `roundId`: no round carries the answer of an earlier one
    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);

    /// @notice As {latestRoundData} where `id` is the newest.
    /// @dev Errors: {RoundUnavailable}.
    function getRoundData(uint80 id)
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);

    /// @notice The answer alone: what the oracle of Aave v3 reads. It tells nothing of its age; use {latestRoundData} where
    /// there is a choice.
    function latestAnswer() external view returns (int256);

    /// @notice See {IStakingVault-slashingPendingUntil}: not 0 while a proven slashing is not in the answer, seconds.
    function slashingPendingUntil() external view returns (uint256);
    /// @notice Whose rate it is.
    function vault() external view returns (address);
}
