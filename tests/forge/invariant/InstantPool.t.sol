// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Campaign} from "../support/Campaign.sol";
import {InstantPoolHandler} from "./InstantPoolHandler.sol";

/// @dev The instant pool on the whole protocol: INV-POL-01 to INV-POL-03, and a core that does not move.
contract InstantPoolInvariants is Campaign {
    InstantPoolHandler private handler;

    function setUp() public {
        handler = new InstantPoolHandler();
    }

    function targetContracts() external view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    /// @dev What comes twice is done twice as often.
    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        bytes4[26] memory chosen = [
            handler.sell.selector,
            handler.sell.selector,
            handler.sellFor.selector,
            handler.sellRequest.selector,
            handler.sellRequest.selector,
            handler.stake.selector,
            handler.add.selector,
            handler.add.selector,
            handler.add.selector,
            handler.remove.selector,
            handler.claimRest.selector,
            handler.claimRest.selector,
            handler.replenish.selector,
            handler.replenish.selector,
            handler.collect.selector,
            handler.claimForPool.selector,
            handler.payTreasury.selector,
            handler.move.selector,
            handler.request.selector,
            handler.request.selector,
            handler.stakeInVault.selector,
            handler.finalize.selector,
            handler.finalize.selector,
            handler.report.selector,
            handler.warp.selector,
            handler.noteSlashing.selector
        ];
        bytes4[3] memory rare = [handler.setTerms.selector, handler.pause.selector, handler.stranger.selector];
        bytes4[] memory selectors = new bytes4[](chosen.length + rare.length);
        for (uint256 i = 0; i < chosen.length; ++i) {
            selectors[i] = chosen[i];
        }
        for (uint256 i = 0; i < rare.length; ++i) {
            selectors[chosen.length + i] = rare[i];
        }
        list = new FuzzSelector[](1);
        list[0] = FuzzSelector(address(handler), selectors);
    }

    function invariant_I2_InstantPoolHolds() external view {
        handler.check();
    }

    /// @dev See {ProtocolInvariants}.
    function afterInvariant() external {
        _came("POOL", handler.doneMask(), handler.fullMask(), handler.calls(), 5_000);
        handler.windDown();
        handler.check();
    }
}
