// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {ILossCover} from "../interfaces/ILossCover.sol";

/// @title Stand-in for operators' bonds
/// @notice For tests: holds slETH and gives whoever asks as much as is asked and `EXTRA` more, as far as it is there.
contract BondStandIn is ILossCover {
    IERC20 private immutable TOKEN;
    uint256 private immutable EXTRA;

    event Asked(uint256 shares);

    constructor(address token, uint256 extra) {
        TOKEN = IERC20(token);
        EXTRA = extra;
    }

    /// @inheritdoc ILossCover
    function cover(uint256 shares) external {
        emit Asked(shares);
        // slither-disable-next-line unchecked-transfer
        TOKEN.transfer(msg.sender, Math.min(shares + EXTRA, TOKEN.balanceOf(address(this))));
    }
}
