// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IWithdrawalQueue} from "./IWithdrawalQueue.sol";

/// @title Request descriptor
/// @notice Draws the metadata of a request: JSON with an SVG image, both as data URIs, nothing off chain.
interface IRequestDescriptor {
    /// @param ahead worth of the open requests before it, wei; 0 once finalised
    function tokenURI(uint256 id, IWithdrawalQueue.Request memory request, uint256 ahead)
        external
        view
        returns (string memory);
}
