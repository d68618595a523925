// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Refund taker
/// @notice For tests: calls with ether, and refuses what comes back or makes one more call with it.
contract RefundTaker {
    bool private immutable REFUSES;

    address private _target;
    bytes private _data;
    bool public succeeded;
    bytes public result;

    error NotWanted(uint256 amount);

    constructor(bool refuses) {
        REFUSES = refuses;
    }

    // solhint-disable-next-line no-complex-fallback
    receive() external payable {
        if (REFUSES) revert NotWanted(msg.value);
        if (_target == address(0)) return;
        address target = _target;
        delete _target; // once
        // solhint-disable-next-line avoid-low-level-calls
        (succeeded, result) = target.call{value: msg.value}(_data);
    }

    /// @notice Send what comes back next to `target`, with `data`.
    function arm(address target, bytes calldata data) external {
        _target = target;
        _data = data;
    }

    /// @notice Call `target` with the ether sent. What it reverts with is passed on.
    function execute(address target, bytes calldata data) external payable {
        // solhint-disable-next-line avoid-low-level-calls
        (bool done, bytes memory answer) = target.call{value: msg.value}(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }
}
