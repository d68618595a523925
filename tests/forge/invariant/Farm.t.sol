// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Campaign} from "../support/Campaign.sol";
import {FarmHandler} from "./FarmHandler.sol";

/// @dev Farm F1 of the threat list: nothing is paid that was not brought, whatever is done and at any size.
contract FarmInvariants is Campaign {
    FarmHandler private handler;

    function setUp() public {
        handler = new FarmHandler();
    }

    function targetContracts() external view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    /// @dev What comes twice is done twice as often.
    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        bytes4[16] memory chosen = [
            handler.warp.selector,
            handler.warp.selector,
            handler.add.selector,
            handler.add.selector,
            handler.stake.selector,
            handler.stake.selector,
            handler.stake.selector,
            handler.stakeFor.selector,
            handler.unstake.selector,
            handler.enable.selector,
            handler.enable.selector,
            handler.disable.selector,
            handler.claim.selector,
            handler.claim.selector,
            handler.exit.selector,
            handler.reclaim.selector
        ];
        bytes4[] memory selectors = new bytes4[](chosen.length + 1);
        for (uint256 i = 0; i < chosen.length; ++i) {
            selectors[i] = chosen[i];
        }
        selectors[chosen.length] = handler.emergencyExit.selector;
        list = new FuzzSelector[](1);
        list[0] = FuzzSelector(address(handler), selectors);
    }

    function invariant_F1_FarmHolds() external view {
        handler.check();
    }

    /// @dev See {ProtocolInvariants}.
    function afterInvariant() external {
        _came("FARM", handler.doneMask(), handler.fullMask(), handler.calls(), 5_000);
        handler.windDown();
        handler.check();
    }
}
