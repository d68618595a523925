// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {CREATE3} from "solady/utils/CREATE3.sol";

/// @title Deployer with addresses that depend on the caller and a salt alone (CREATE3)
/// @notice Contracts whose immutables point at each other can be deployed in any order, and again after an interruption.
/// Nobody but the caller can use the caller's addresses.
contract Create3Deployer {
    event Deployed(address indexed deployer, bytes32 indexed salt, address deployed);

    /// @notice Deploy `initCode` with the ether sent. Errors: Solady's `DeploymentFailed`.
    function deploy(bytes32 salt, bytes calldata initCode) external payable returns (address deployed) {
        deployed = CREATE3.deployDeterministic(msg.value, initCode, _salt(msg.sender, salt));
        emit Deployed(msg.sender, salt, deployed);
    }

    /// @notice Where {deploy} of `deployer` puts `salt`.
    function predict(address deployer, bytes32 salt) external view returns (address) {
        return CREATE3.predictDeterministicAddress(_salt(deployer, salt));
    }

    function _salt(address deployer, bytes32 salt) private pure returns (bytes32) {
        return keccak256(abi.encode(deployer, salt));
    }
}
