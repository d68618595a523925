// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {WETH} from "solady/tokens/WETH.sol";

/// @title Wrapped ether for local chains
/// @notice Solady's, unchanged. Public networks have their own.
contract WrappedEther is WETH {}
