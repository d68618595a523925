// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";

/// @title Re-entrant recipient
/// @notice For tests: makes the calls it was given while it is being paid or handed a request, and keeps what came back.
contract ReentrantRecipient is IERC721Receiver {
    struct Call {
        address target;
        bytes data;
    }

    struct Outcome {
        bool succeeded;
        bytes result;
    }

    Call[] private _calls;
    Outcome[] private _outcomes;

    receive() external payable {
        _run();
    }

    /// @notice Make these calls once, at the next callback.
    function arm(Call[] calldata calls) external {
        delete _outcomes;
        for (uint256 i = 0; i < calls.length; ++i) {
            _calls.push(calls[i]);
        }
    }

    /// @notice Send `data` to `target` as this contract.
    function execute(address target, bytes calldata data) external returns (bytes memory) {
        // solhint-disable-next-line avoid-low-level-calls
        (bool succeeded, bytes memory result) = target.call(data);
        if (!succeeded) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
        return result;
    }

    function onERC721Received(address, address, uint256, bytes calldata) external returns (bytes4) {
        _run();
        return IERC721Receiver.onERC721Received.selector;
    }

    function outcomes() external view returns (Outcome[] memory) {
        return _outcomes;
    }

    function _run() private {
        Call[] memory calls = _calls;
        delete _calls; // first, so that a callback within a call finds nothing to do
        for (uint256 i = 0; i < calls.length; ++i) {
            // solhint-disable-next-line avoid-low-level-calls
            (bool succeeded, bytes memory result) = calls[i].target.call(calls[i].data);
            _outcomes.push(Outcome(succeeded, result));
        }
    }
}
