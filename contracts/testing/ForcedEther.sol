// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Forced ether
/// @notice For tests: is gone when it is deployed, and its ether is where nobody was asked.
contract ForcedEther {
    constructor(address payable to) payable {
        selfdestruct(to); // solhint-disable-line avoid-suicide
    }
}
