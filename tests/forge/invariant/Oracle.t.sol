// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Campaign} from "../support/Campaign.sol";
import {OracleHandler} from "./OracleHandler.sol";

/// @dev Reports through real signatures, by a committee that changes, with forgers at work.
contract OracleInvariants is Campaign {
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
        _came("ORACLE", handler.doneMask(), handler.fullMask(), handler.calls(), 2_000);
    }
}
