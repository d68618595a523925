// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev For tests.
contract RocketBalancesStandIn {
    uint256 public getTotalETHBalance;
    uint256 public getTotalRETHSupply;
    uint256 public getBalancesTimestamp;

    function setBalances(uint256 time, uint256 total, uint256 supply) external {
        (getBalancesTimestamp, getTotalETHBalance, getTotalRETHSupply) = (time, total, supply);
    }
}
