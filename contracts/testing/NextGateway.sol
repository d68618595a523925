// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {WithdrawalGateway} from "../validators/WithdrawalGateway.sol";

/// @title Next withdrawal gateway
/// @notice For tests: what an upgrade could bring.
contract NextGateway is WithdrawalGateway {
    constructor(address vault_, address manager_) WithdrawalGateway(vault_, manager_) {}

    function generation() external pure returns (uint256) {
        return 2;
    }
}
