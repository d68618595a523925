// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {SlotProxyStandIn} from "./SlotProxyStandIn.sol";

/// @dev For tests. As aragonOS' AppProxyUpgradeable: tells its implementation.
contract AppProxyStandIn is SlotProxyStandIn {
    constructor(address logic) SlotProxyStandIn(keccak256("app.implementation"), logic) {}

    function implementation() external view returns (address) {
        return _implementation();
    }
}
