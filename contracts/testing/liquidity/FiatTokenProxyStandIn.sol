// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {StorageSlot} from "@openzeppelin/contracts/utils/StorageSlot.sol";

import {SlotProxyStandIn} from "./SlotProxyStandIn.sol";

/// @dev For tests. centre-tokens' FiatTokenProxy before cbETH and WBETH: its slots, and every call is checked not to be
/// its admin's.
contract FiatTokenProxyStandIn is SlotProxyStandIn {
    bytes32 private constant ADMIN_SLOT = keccak256("org.zeppelinos.proxy.admin");

    error CallerIsAdmin();

    constructor(address logic, address admin)
        SlotProxyStandIn(keccak256("org.zeppelinos.proxy.implementation"), logic)
    {
        StorageSlot.getAddressSlot(ADMIN_SLOT).value = admin;
    }

    function _fallback() internal override {
        if (msg.sender == StorageSlot.getAddressSlot(ADMIN_SLOT).value) revert CallerIsAdmin();
        super._fallback();
    }
}
