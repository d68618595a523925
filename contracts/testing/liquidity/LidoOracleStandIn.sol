// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev For tests.
contract LidoOracleStandIn {
    uint256 public immutable GENESIS_TIME;
    uint256 public constant SECONDS_PER_SLOT = 12;
    uint256 public getLastProcessingRefSlot;

    constructor(uint256 genesis) {
        GENESIS_TIME = genesis;
    }

    function setRefSlot(uint256 slot) external {
        getLastProcessingRefSlot = slot;
    }
}
