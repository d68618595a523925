// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Campaign} from "../support/Campaign.sol";
import {LstBasketHandler} from "./LstBasketHandler.sol";

/// @dev Rows A3, A5 and I2 of the threat list: no call lowers the worth of a share at any price between low and high, what
/// is counted is there, and what is sick stays where it is.
contract LstBasketInvariants is Campaign {
    LstBasketHandler private handler;

    function setUp() public {
        handler = new LstBasketHandler();
    }

    function targetContracts() external view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    /// @dev What comes twice is done twice as often.
    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        bytes4[21] memory chosen = [
            handler.swapIn.selector,
            handler.swapIn.selector,
            handler.swapIn.selector,
            handler.swapOut.selector,
            handler.swapOut.selector,
            handler.add.selector,
            handler.add.selector,
            handler.remove.selector,
            handler.remove.selector,
            handler.removeAll.selector,
            handler.collect.selector,
            handler.fund.selector,
            handler.give.selector,
            handler.rebalance.selector,
            handler.rebalance.selector,
            handler.sync.selector,
            handler.tell.selector,
            handler.sicken.selector,
            handler.freeze.selector,
            handler.configure.selector,
            handler.warp.selector
        ];
        bytes4[5] memory rare = [
            handler.stranger.selector,
            handler.release.selector,
            handler.setLpFee.selector,
            handler.cutAllOff.selector,
            handler.cutOff.selector
        ];
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

    function invariant_A5_I2_LstBasketHolds() external view {
        handler.check();
    }

    /// @dev See {ProtocolInvariants}.
    function afterInvariant() external {
        _came("BASKET", handler.doneMask(), handler.fullMask(), handler.calls(), 5_000);
        handler.windDown();
        handler.check();
    }
}
