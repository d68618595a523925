// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {ICoverFund} from "../interfaces/ICoverFund.sol";
import {ILossCover} from "../interfaces/ILossCover.sol";

/// @title Cover fund
/// @notice See {ICoverFund}.
contract CoverFund is ICoverFund, AccessManaged {
    using SafeERC20 for IERC20;

    IERC20 private immutable TOKEN;
    /// @notice The vault that may call for cover.
    address public immutable VAULT;

    constructor(address authority_, address token_, address vault_) AccessManaged(authority_) {
        TOKEN = IERC20(token_);
        VAULT = vault_;
    }

    /// @inheritdoc ILossCover
    function cover(uint256 shares) external {
        if (msg.sender != VAULT) revert CallerNotAllowed(msg.sender, VAULT);
        uint256 given = Math.min(shares, TOKEN.balanceOf(address(this)));
        emit Covered(shares, given);
        TOKEN.safeTransfer(VAULT, given);
    }

    /// @inheritdoc ICoverFund
    function migrate(address to) external restricted {
        uint256 shares = TOKEN.balanceOf(address(this));
        emit Migrated(to, shares);
        TOKEN.safeTransfer(to, shares);
    }

    function token() external view returns (address) {
        return address(TOKEN);
    }
}
