// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Core rate of slETH for a Morpho market that lends ether on it (Morpho Blue's IOracle)
/// @notice For collateral slETH and loan token **wrapped ether** alone: both have 18 decimals, so the scale that Morpho asks
/// for, 10 ** (36 + 18 - 18), is 1e36. A market that lends dollars on slETH needs another oracle. See {IRateFeed} on what
/// moves the rate, what cannot, and what it means that a slashing is proven and not reported.
interface ISlEthMorphoOracle {
    /// @notice Wei of ether for a wei of slETH, 1e36 = 1, rounded down.
    function price() external view returns (uint256);
    /// @notice Whose rate it is.
    function vault() external view returns (address);
}
