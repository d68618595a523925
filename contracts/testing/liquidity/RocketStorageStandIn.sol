// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev For tests.
contract RocketStorageStandIn {
    mapping(bytes32 key => address) public getAddress;

    function setAddress(bytes32 key, address value) external {
        getAddress[key] = value;
    }
}
