// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev Ether as an asset address (ERC-7528).
address constant ETHER = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;

/// @dev Wei in one gwei, the unit of the consensus layer and of the queue.
uint256 constant GWEI = 1e9;

/// @dev One hundred percent in basis points.
uint256 constant BPS = 10_000;

/// @dev ERC-165 id of an ERC-7575 share: `vault(address)`.
bytes4 constant ERC7575_SHARE_ID = 0xf815c03d;
