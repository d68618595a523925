// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

/// @dev For tests.
contract MEthStakingStandIn is UUPSUpgradeable {
    uint256 private _rate;

    function setRate(uint256 rate) external {
        _rate = rate;
    }

    function mETHToETH(uint256 mETHAmount) external view returns (uint256) {
        return mETHAmount * _rate / 1e18;
    }

    function _authorizeUpgrade(address) internal override {}
}
