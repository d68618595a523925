// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {LstStandIn} from "./LstStandIn.sol";
import {RocketBalancesStandIn} from "./RocketBalancesStandIn.sol";
import {RocketStorageStandIn} from "./RocketStorageStandIn.sol";

/// @dev For tests.
contract REthStandIn is LstStandIn {
    RocketStorageStandIn private immutable STORAGE;

    constructor(RocketStorageStandIn store) {
        STORAGE = store;
    }

    function getExchangeRate() external view returns (uint256) {
        bytes32 key = keccak256(abi.encodePacked("contract.address", "rocketNetworkBalances"));
        RocketBalancesStandIn balances = RocketBalancesStandIn(STORAGE.getAddress(key));
        return 1 ether * balances.getTotalETHBalance() / balances.getTotalRETHSupply();
    }
}
