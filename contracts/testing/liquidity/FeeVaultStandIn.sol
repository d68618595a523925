// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @dev For tests. A vault with a fee on leaving, and no `previewRedeem` where `asynchronous`.
contract FeeVaultStandIn is ERC4626 {
    error PreviewUnavailable();

    uint256 public exitFee; // bps
    bool private immutable ASYNCHRONOUS;

    constructor(IERC20 asset_, bool asynchronous) ERC20("Vault", "VLT") ERC4626(asset_) {
        ASYNCHRONOUS = asynchronous;
    }

    function setExitFee(uint256 bps) external {
        exitFee = bps;
    }

    function previewRedeem(uint256 shares) public view override returns (uint256) {
        if (ASYNCHRONOUS) revert PreviewUnavailable();
        return super.previewRedeem(shares) * (10_000 - exitFee) / 10_000;
    }
}
