// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

import {LstStandIn} from "./LstStandIn.sol";

/// @dev For tests. cbETH and WBETH. Also as the code behind a proxy, which can be upgraded by anyone where it is one of ERC-1822.
contract ExchangeRateStandIn is LstStandIn, UUPSUpgradeable {
    uint256 private _rate;

    function updateExchangeRate(uint256 newRate) external {
        _rate = newRate;
    }

    function exchangeRate() external view returns (uint256) {
        return _rate;
    }

    function _authorizeUpgrade(address) internal override {}
}
