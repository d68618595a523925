// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IBasketRebalancer} from "../../interfaces/ILstBasket.sol";

/// @dev For tests. Called in the middle of a move, it calls everything and remembers what went through. Also a rebalancer.
contract BasketIntruder is IBasketRebalancer {
    address private immutable BASKET;
    bytes[] private _calls;
    uint256 public moves;
    uint256 public entered; // calls that went through
    bytes4 public lastError;
    uint256 private _give; // of the token to bring in, when rebalancing

    constructor(address basket) {
        BASKET = basket;
    }

    function setCalls(bytes[] memory calls) external {
        delete _calls;
        for (uint256 i; i < calls.length; ++i) {
            _calls.push(calls[i]);
        }
    }

    function setGive(uint256 amount) external {
        _give = amount;
    }

    function onMove() external {
        _intrude();
    }

    function onRebalance(address, uint256, address tokenIn, bytes calldata) external {
        _intrude();
        IERC20(tokenIn).transfer(BASKET, _give);
    }

    function run(address target, bytes calldata data) external {
        // solhint-disable-next-line avoid-low-level-calls
        (bool ok, bytes memory answer) = target.call(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }

    function _intrude() private {
        ++moves;
        for (uint256 i; i < _calls.length; ++i) {
            // solhint-disable-next-line avoid-low-level-calls
            (bool ok, bytes memory answer) = BASKET.call(_calls[i]);
            if (ok) ++entered;
            else lastError = bytes4(answer);
        }
    }
}
