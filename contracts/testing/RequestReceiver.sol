// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";

/// @title Request receiver
/// @notice For tests: answers `onERC721Received` as told.
contract RequestReceiver is IERC721Receiver {
    enum Answer {
        Magic,
        Other, // a selector that means nothing
        RevertEmpty,
        RevertReason,
        RevertError,
        Panic
    }

    event Received(address operator, address from, uint256 id, bytes data);

    error Declined(uint256 id);

    Answer private immutable ANSWER;

    constructor(Answer answer) {
        ANSWER = answer;
    }

    function onERC721Received(address operator, address from, uint256 id, bytes calldata data)
        external
        returns (bytes4)
    {
        if (ANSWER == Answer.Other) return 0xdeadbeef;
        // solhint-disable-next-line gas-custom-errors
        if (ANSWER == Answer.RevertReason) revert("RequestReceiver: not today");
        if (ANSWER == Answer.RevertError) revert Declined(id);
        if (ANSWER == Answer.Panic) assert(false);
        if (ANSWER == Answer.RevertEmpty) {
            assembly {
                revert(0, 0)
            }
        }
        emit Received(operator, from, id, data);
        return IERC721Receiver.onERC721Received.selector;
    }
}
