// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Core rate of slETH for pools (Balancer's IRateProvider)
/// @notice Ether per slETH, 1e18 = 1 ether; not dollars and not a market price. The pool's other token has to be wrapped
/// ether, or one with a provider of its own that counts in ether. See {IRateFeed} on what moves it and what cannot.
interface IBalancerRateProvider {
    /// @notice {IStakingVault-rate}, rounded down.
    function getRate() external view returns (uint256);
    /// @notice Whose rate it is.
    function vault() external view returns (address);
}
