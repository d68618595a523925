// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Price feed
/// @notice For tests: a market's price of slETH in ether, as a feed with Chainlink's AggregatorV3Interface tells it.
contract PriceFeed {
    uint8 private immutable DECIMALS;
    int256 private immutable ANSWER;
    uint256 private immutable UPDATED_AT; // seconds

    constructor(uint8 decimals_, int256 answer, uint256 updatedAt) {
        DECIMALS = decimals_;
        ANSWER = answer;
        UPDATED_AT = updatedAt;
    }

    function decimals() external view returns (uint8) {
        return DECIMALS;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (1, ANSWER, UPDATED_AT, UPDATED_AT, 1);
    }
}
