// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {LstStandIn} from "./LstStandIn.sol";
import {RocketBalancesStandIn} from "./RocketBalancesStandIn.sol";
import {RocketStorageStandIn} from "./RocketStorageStandIn.sol";

/// @dev For tests. Reads what RocketTokenRETH does for a rate, and for a transfer: when who sends has last deposited.
contract REthStandIn is LstStandIn {
    RocketStorageStandIn private _store; // in a slot, as there

    error DepositedLately();

    constructor(RocketStorageStandIn store) {
        _store = store;
    }

    function getExchangeRate() external view returns (uint256) {
        bytes32 key = keccak256(abi.encodePacked("contract.address", "rocketNetworkBalances"));
        RocketBalancesStandIn balances = RocketBalancesStandIn(_store.getAddress(key));
        return 1 ether * balances.getTotalETHBalance() / balances.getTotalRETHSupply();
    }

    function _update(address from, address to, uint256 value) internal override {
        if (from != address(0)) {
            if (_store.getUint(keccak256(abi.encodePacked("user.deposit.block", from))) != 0) revert DepositedLately();
        }
        super._update(from, to, value);
    }
}
