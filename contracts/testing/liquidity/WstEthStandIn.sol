// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {LstStandIn} from "./LstStandIn.sol";
import {StEthStandIn} from "./StEthStandIn.sol";

/// @dev For tests.
contract WstEthStandIn is LstStandIn {
    address public stETH;

    constructor(address stEth) {
        stETH = stEth;
    }

    function stEthPerToken() external view returns (uint256) {
        return StEthStandIn(stETH).getPooledEthByShares(1 ether);
    }
}
