// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev Must fail: tests/py/test_canaries.py checks that forge says so.
contract CanaryTest {
    function test_CanaryMustFail() external pure {
        assert(1 + 1 == 3);
    }
}
