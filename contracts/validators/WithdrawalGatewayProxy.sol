// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {TransparentUpgradeableProxy} from "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol";

/// @title Proxy of the withdrawal gateway
/// @notice The address in the withdrawal credentials. Its `ProxyAdmin` belongs to the access manager, whose delay on
/// `upgradeAndCall` is the time every holder has to leave before new code runs.
contract WithdrawalGatewayProxy is TransparentUpgradeableProxy {
    /// @param accessManager owner of the `ProxyAdmin` that this proxy creates
    constructor(address implementation, address accessManager)
        TransparentUpgradeableProxy(implementation, accessManager, "")
    {}

    /// @dev Plain ether takes the way of every other call: to the implementation.
    receive() external payable {
        _fallback();
    }

    /// @dev The implementation keeps no storage: there is nothing to initialise.
    function _unsafeAllowUninitialized() internal pure override returns (bool) {
        return true;
    }
}
