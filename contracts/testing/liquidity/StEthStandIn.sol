// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev For tests. Reads as many slots as Lido's: shares, ether in its buffer, ether of its validators.
contract StEthStandIn {
    uint256 private _shares;
    uint256 private _buffered;
    uint256 private _staked;

    function setPooledEther(uint256 perShare) external {
        (_shares, _buffered, _staked) = (1e18, perShare / 8, perShare - perShare / 8);
    }

    function getPooledEthByShares(uint256 shares) external view returns (uint256) {
        return shares * (_buffered + _staked) / _shares;
    }
}
