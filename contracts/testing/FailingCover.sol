// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {ILossCover} from "../interfaces/ILossCover.sol";

/// @title Failing cover
/// @notice For tests: a module that holds slETH and fails in its own way when a report asks for it.
contract FailingCover is ILossCover {
    enum Mode {
        Revert,
        RevertLong, // with a megabyte
        ReturnLong, // gives nothing and returns a megabyte
        GiveAndRevert, // so that what it gave is taken back
        Burn // all the gas it gets
    }

    IERC20 private immutable TOKEN;
    Mode private immutable MODE;

    error NoCoverToday(uint256 shares);

    constructor(address token, Mode mode) {
        TOKEN = IERC20(token);
        MODE = mode;
    }

    /// @inheritdoc ILossCover
    function cover(uint256 shares) external {
        if (MODE == Mode.GiveAndRevert) {
            // slither-disable-next-line unchecked-transfer
            TOKEN.transfer(msg.sender, TOKEN.balanceOf(address(this)));
        }
        if (MODE == Mode.Burn) {
            assembly {
                invalid()
            }
        }
        if (MODE == Mode.RevertLong) {
            assembly {
                revert(0, 0x100000)
            }
        }
        if (MODE == Mode.ReturnLong) {
            assembly {
                return(0, 0x100000)
            }
        }
        revert NoCoverToday(shares);
    }
}
