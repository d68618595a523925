// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev For tests. Reads the six slots that a rate of stETH is told from (lidofinance/core contracts/0.4.24/Lido.sol).
contract StEthStandIn {
    uint256 private _shares;
    uint256 private _externalShares;
    uint256 private _buffered;
    uint256 private _clBalance;
    uint256 private _depositedValidators;
    uint256 private _clValidators;

    function setPooledEther(uint256 perShare) external {
        (_buffered, _clBalance) = (perShare / 8, perShare - perShare / 8);
        (_shares, _depositedValidators, _clValidators) = (1e18, 9, 9);
    }

    function getPooledEthByShares(uint256 shares) external view returns (uint256) {
        uint256 pooled = _buffered + _clBalance + (_depositedValidators - _clValidators) * 32 ether;
        pooled += _externalShares * pooled / (_shares - _externalShares);
        return shares * pooled / _shares;
    }
}
