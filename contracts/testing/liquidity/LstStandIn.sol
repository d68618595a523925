// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @dev For tests. An ERC-20 that anyone can mint.
contract LstStandIn is ERC20("Staking token", "LST") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
