// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";

import {IERC7575} from "../../interfaces/IERC7535.sol";
import {LstRateProvider} from "./LstRateProvider.sol";

/// @title Rate of sfrxETH and of any other share of an ERC-4626 or ERC-7575 vault
/// @notice Low is what a redemption pays after its fee (`previewRedeem`) where the vault tells it, high is `convertToAssets`,
/// which knows no fees. The vault's asset is taken for ether one to one: frxETH for sfrxETH (FraxFinance/frxETH-public
/// src/sfrxETH.sol, an xERC4626 and not a proxy). Vaults with asynchronous exits (ERC-7540) have no `previewRedeem`.
contract Erc4626RateProvider is LstRateProvider {
    bool private immutable HAS_PREVIEW;

    /// @notice `previewRedeem` of the vault answers where it should not, or does not where it should (it may be paused).
    error PreviewUnexpected(address vault, bool expected);

    /// @param hasPreview whether `previewRedeem` answers: were it asked once alone, a vault that is paused in that moment would
    /// never have its exit fee counted
    constructor(address authority_, Limits memory limits_, Pin memory pin, address vault, bool hasPreview)
        LstRateProvider(authority_, limits_, pin, _shareOf(vault), vault)
    {
        if (_hasPreview(vault) != hasPreview) revert PreviewUnexpected(vault, hasPreview);
        HAS_PREVIEW = hasPreview;
        _start();
    }

    function _readSource() internal view override returns (uint256 low, uint256 high) {
        high = IERC4626(SOURCE).convertToAssets(ONE);
        low = HAS_PREVIEW ? IERC4626(SOURCE).previewRedeem(ONE) : high;
        high += 1; // rounds down
    }

    /// @dev Of ERC-7575; an ERC-4626 vault is its own share.
    function _shareOf(address vault) private view returns (address) {
        try IERC7575(vault).share() returns (address share) {
            return share;
        } catch {
            return vault;
        }
    }

    function _hasPreview(address vault) private view returns (bool) {
        try IERC4626(vault).previewRedeem(ONE) returns (uint256) {
            return true;
        } catch {
            return false;
        }
    }
}
