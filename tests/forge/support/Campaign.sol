// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Test} from "./Test.sol";

/// @dev An invariant campaign that knows what came to pass in all of its sequences.
abstract contract Campaign is Test {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// @dev What one sequence leaves behind for the next, in the environment. After `enough` calls every action came to pass.
    function _came(string memory name, uint256 done, uint256 full, uint256 calls, uint256 enough) internal {
        string memory doneName = string.concat("SLUICE_", name, "_DONE");
        string memory callsName = string.concat("SLUICE_", name, "_CALLS");
        done |= vm.envOr(doneName, uint256(0));
        calls += vm.envOr(callsName, uint256(0));
        vm.setEnv(doneName, vm.toString(done));
        vm.setEnv(callsName, vm.toString(calls));
        if (calls >= enough) vm.assertEq(done, full, "an action never came to pass");
    }
}
