// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IBeaconProofs} from "../interfaces/IBeaconProofs.sol";

/// @title Roots of beacon blocks (EIP-4788)
/// @notice Every execution block publishes the root of its parent beacon block, to be asked for by the block's timestamp.
library BeaconRoots {
    address private constant SOURCE = 0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02;
    /// @dev Entries of its ring buffer. A prime, so that entries of one slot length fill all of it.
    uint256 private constant RING = 8191;

    /// @notice The root that the block at `time` published; zero where there is none.
    /// @dev Answers of anything but 32 bytes are none: those of no contract, too.
    function find(uint256 time) internal view returns (bytes32 root) {
        assembly ("memory-safe") {
            mstore(0x00, time)
            // arguments are evaluated from the right: the call comes first
            if and(eq(returndatasize(), 0x20), staticcall(gas(), SOURCE, 0x00, 0x20, 0x00, 0x20)) {
                root := mload(0x00)
            }
        }
    }

    /// @notice See {IBeaconProofs-firstRootAfter}.
    function firstAfter(uint256 time, uint256 secondsPerSlot, uint256 maxSlots)
        internal
        view
        returns (bytes32 root, uint256 timestamp)
    {
        // An entry is overwritten by the block RING slots later. Where the first slot's may have been, an entry of a later
        // slot would be taken for the first.
        if (time + (RING + 1) * secondsPerSlot <= block.timestamp) revert IBeaconProofs.RootExpired(time);
        for (uint256 i = 1; i <= maxSlots; ++i) {
            timestamp = time + i * secondsPerSlot;
            if (timestamp > block.timestamp) break;
            root = find(timestamp);
            if (root != 0) return (root, timestamp);
        }
        revert IBeaconProofs.NoBlockAfter(time, maxSlots);
    }
}
