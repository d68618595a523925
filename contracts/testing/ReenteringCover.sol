// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {ILossCover} from "../interfaces/ILossCover.sol";

/// @title Re-entering cover
/// @notice For tests: makes the calls it was given while a report asks it for cover, keeps what came back, and then
/// gives all the slETH it has.
contract ReenteringCover is ILossCover {
    struct Call {
        address target;
        uint256 value;
        bytes data;
    }

    struct Outcome {
        bool succeeded;
        bytes result;
    }

    IERC20 private immutable TOKEN;
    Call[] private _calls;
    Outcome[] private _outcomes;

    constructor(address token) payable {
        TOKEN = IERC20(token);
    }

    receive() external payable {}

    /// @notice Make these calls, in this order, whenever cover is asked for.
    function arm(Call[] calldata calls) external {
        delete _calls;
        for (uint256 i = 0; i < calls.length; ++i) {
            _calls.push(calls[i]);
        }
    }

    /// @inheritdoc ILossCover
    function cover(uint256) external {
        delete _outcomes;
        for (uint256 i = 0; i < _calls.length; ++i) {
            Call memory each = _calls[i];
            // solhint-disable-next-line avoid-low-level-calls
            (bool succeeded, bytes memory result) = each.target.call{value: each.value}(each.data);
            _outcomes.push(Outcome(succeeded, result));
        }
        // slither-disable-next-line unchecked-transfer
        TOKEN.transfer(msg.sender, TOKEN.balanceOf(address(this)));
    }

    function outcomes() external view returns (Outcome[] memory) {
        return _outcomes;
    }
}
