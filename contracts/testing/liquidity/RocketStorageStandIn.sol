// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev For tests. Keeps what Rocket Pool's other contracts know.
contract RocketStorageStandIn {
    mapping(bytes32 key => address) public getAddress;
    mapping(bytes32 key => uint256) public getUint;

    function setAddress(bytes32 key, address value) external {
        getAddress[key] = value;
    }

    function setUint(bytes32 key, uint256 value) external {
        getUint[key] = value;
    }
}
