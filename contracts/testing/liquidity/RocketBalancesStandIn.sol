// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {RocketStorageStandIn} from "./RocketStorageStandIn.sol";

/// @dev For tests. As RocketNetworkBalances it keeps nothing itself.
contract RocketBalancesStandIn {
    bytes32 private constant TOTAL = keccak256("network.balance.total");
    bytes32 private constant SUPPLY = keccak256("network.balance.reth.supply");
    bytes32 private constant TIME = keccak256("network.balances.updated.timestamp");

    RocketStorageStandIn private _store; // in a slot, as there

    constructor(RocketStorageStandIn store) {
        _store = store;
    }

    function getTotalETHBalance() external view returns (uint256) {
        return _store.getUint(TOTAL);
    }

    function getTotalRETHSupply() external view returns (uint256) {
        return _store.getUint(SUPPLY);
    }

    function getBalancesTimestamp() external view returns (uint256) {
        return _store.getUint(TIME);
    }

    function setBalances(uint256 time, uint256 total, uint256 supply) external {
        _store.setUint(TIME, time);
        _store.setUint(TOTAL, total);
        _store.setUint(SUPPLY, supply);
    }
}
