// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev For tests. ERC-7575: the share is another contract.
contract OutsideShareVaultStandIn {
    address public share;
    uint256 private _rate = 1e18;

    constructor(address share_) {
        share = share_;
    }

    function setRate(uint256 rate) external {
        _rate = rate;
    }

    function convertToAssets(uint256 shares) external view returns (uint256) {
        return shares * _rate / 1e18;
    }
}
