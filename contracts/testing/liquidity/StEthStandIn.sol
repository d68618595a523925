// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev For tests.
contract StEthStandIn {
    uint256 private _pooled;

    function setPooledEther(uint256 perShare) external {
        _pooled = perShare;
    }

    function getPooledEthByShares(uint256 shares) external view returns (uint256) {
        return shares * _pooled / 1e18;
    }
}
