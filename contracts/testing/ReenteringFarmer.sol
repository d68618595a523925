// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ITokenHook} from "./WeirdToken.sol";

/// @title A farmer who calls back from inside of a token's transfer
/// @dev Does what it is told, and at each callback tries all that it was taught, swallowing every failure.
contract ReenteringFarmer is ITokenHook {
    struct Attempt {
        address target;
        bytes data;
    }

    Attempt[] private _attempts;
    uint256 public callbacks;
    uint256 public successes;
    bytes[] private _failures;

    function teach(address target, bytes calldata data) external {
        _attempts.push(Attempt(target, data));
    }

    function failures() external view returns (bytes[] memory) {
        return _failures;
    }

    function act(address target, bytes calldata data) external {
        // solhint-disable-next-line avoid-low-level-calls
        (bool success, bytes memory result) = target.call(data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
    }

    function tokensMoved(address, address, uint256) external {
        ++callbacks;
        for (uint256 i = 0; i < _attempts.length; ++i) {
            // solhint-disable-next-line avoid-low-level-calls
            (bool success, bytes memory result) = _attempts[i].target.call(_attempts[i].data);
            if (success) ++successes;
            else _failures.push(result);
        }
    }
}
