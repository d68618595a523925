// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Test} from "../support/Test.sol";
import {OracleHandler} from "./OracleHandler.sol";

/// @dev Reports through real signatures, by a committee that changes, with forgers at work.
contract OracleInvariants is Test {
    OracleHandler private handler;

    function setUp() public {
        handler = new OracleHandler();
    }

    function targetContracts() external view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    /// forge-config: default.invariant.runs = 10
    /// forge-config: deep.invariant.runs = 40
    function invariant_CommitteeHolds() external view {
        handler.check();
    }

    /// @dev See {ProtocolInvariants}.
    function afterInvariant() external {
        uint256 mask = vm.envOr("SLUICE_ORACLE_DONE", uint256(0)) | handler.doneMask();
        uint256 calls = vm.envOr("SLUICE_ORACLE_CALLS", uint256(0)) + handler.calls();
        vm.setEnv("SLUICE_ORACLE_DONE", vm.toString(mask));
        vm.setEnv("SLUICE_ORACLE_CALLS", vm.toString(calls));
        if (calls >= 2_000) vm.assertEq(mask, handler.fullMask(), "an action never came to pass");
    }
}
