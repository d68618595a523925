// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Campaign} from "../support/Campaign.sol";
import {ProtocolHandler} from "./ProtocolHandler.sol";

/// @dev The whole protocol under random sequences. One invariant function looks at everything after every call, because
/// forge runs a campaign of its own for each. `make test-deep` makes 100,000 calls.
contract ProtocolInvariants is Campaign {
    ProtocolHandler private handler;

    function setUp() public {
        handler = new ProtocolHandler();
    }

    function targetContracts() external view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    /// @dev What comes twice is done twice as often.
    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        bytes4[33] memory chosen = [
            handler.stake.selector,
            handler.stake.selector,
            handler.mint.selector,
            handler.move.selector,
            handler.request.selector,
            handler.requestBatch.selector,
            handler.requestWithPermit.selector,
            handler.passOn.selector,
            handler.finalize.selector,
            handler.finalize.selector,
            handler.claim.selector,
            handler.claimWithoutHint.selector,
            handler.claimBatch.selector,
            handler.claimWithWrongHint.selector,
            handler.claimToAWall.selector,
            handler.report.selector,
            handler.report.selector,
            handler.depositToBeacon.selector,
            handler.withdraw.selector,
            handler.tip.selector,
            handler.force.selector,
            handler.donate.selector,
            handler.wrap.selector,
            handler.unwrap.selector,
            handler.moveWrapped.selector,
            handler.asyncDeposit.selector,
            handler.asyncRequest.selector,
            handler.asyncRedeem.selector,
            handler.asyncWithdraw.selector,
            handler.warp.selector,
            handler.warp.selector,
            handler.roundTrip.selector,
            handler.fundCover.selector
        ];
        bytes4[6] memory rare = [
            handler.pause.selector,
            handler.setLimit.selector,
            handler.setFee.selector,
            handler.setModules.selector,
            handler.split.selector,
            handler.stranger.selector
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

    function invariant_ProtocolHolds() external view {
        handler.check();
    }

    /// @dev After each sequence: everybody leaves. Over all of them: an action that never came to anything proves nothing.
    function afterInvariant() external {
        _came("CAMPAIGN", handler.doneMask(), handler.fullMask(), handler.calls(), 5_000);
        handler.windDown();
        handler.check();
    }
}
