// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";

/// @dev For tests. OpenZeppelin's own.
contract OwnProxyStandIn is ERC1967Proxy {
    constructor(address logic) ERC1967Proxy(logic, "") {}

    /// @dev OpenZeppelin refuses a proxy without a call.
    function _unsafeAllowUninitialized() internal pure override returns (bool) {
        return true;
    }
}
