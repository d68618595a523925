// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Deployment} from "../support/Deployment.sol";
import {OfficialDepositContract} from "../support/Faces.sol";

contract DeploymentTest is Deployment {
    function setUp() public {
        deployProtocol();
    }

    function test_EverythingPointsAtEachOther() external view {
        vm.assertEq(vault.share(), address(token));
        vm.assertEq(vault.QUEUE(), address(queue));
        vm.assertEq(vault.GATEWAY(), address(gateway));
        vm.assertEq(vault.rewardsVault(), address(rewards));
        vm.assertEq(vault.depositContract(), DEPOSIT_CONTRACT);
        vm.assertEq(vault.oracle(), address(oracle));
        vm.assertEq(vault.bonds(), address(0));
        vm.assertEq(vault.cover(), address(cover));
        vm.assertEq(vault.feeRecipient(), address(splitter));
        vm.assertEq(vault.authority(), address(access));
        vm.assertEq(vault.CREDENTIALS(), bytes32((uint256(2) << 248) | uint160(address(gateway))));
        vm.assertEq(token.VAULT(), address(vault));
        vm.assertEq(token.QUEUE(), address(queue));
        vm.assertEq(queue.token(), address(token));
        vm.assertEq(queue.vault(), address(vault));
        vm.assertEq(queue.descriptor(), descriptor);
        vm.assertEq(gateway.VAULT(), address(vault));
        vm.assertEq(rewards.VAULT(), address(vault));
        vm.assertEq(cover.VAULT(), address(vault));
        vm.assertEq(rebasing.token(), address(token));
        vm.assertEq(rebasing.vault(), address(vault));
        vm.assertEq(oracle.vault(), address(vault));
        vm.assertEq(oracle.limits(), address(limits));
    }

    function test_DepositContractHoldsNothingYet() external view {
        bytes32 empty = 0xd70a234731285c6804c2a4f56711ddb8c82c99740f207854891028af34e27e5e;
        vm.assertEq(OfficialDepositContract(DEPOSIT_CONTRACT).get_deposit_root(), empty);
    }
}
