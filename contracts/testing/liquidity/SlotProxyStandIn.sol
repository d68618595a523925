// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Proxy} from "@openzeppelin/contracts/proxy/Proxy.sol";
import {StorageSlot} from "@openzeppelin/contracts/utils/StorageSlot.sol";

/// @dev For tests. A proxy that keeps its implementation in a slot of choice: that of ERC-1967, or of zeppelinos as cbETH's does.
contract SlotProxyStandIn is Proxy {
    bytes32 private immutable SLOT;

    constructor(bytes32 slot, address logic) {
        SLOT = slot;
        StorageSlot.getAddressSlot(slot).value = logic;
    }

    function setImplementation(address logic) external {
        StorageSlot.getAddressSlot(SLOT).value = logic;
    }

    function _implementation() internal view override returns (address) {
        return StorageSlot.getAddressSlot(SLOT).value;
    }
}
