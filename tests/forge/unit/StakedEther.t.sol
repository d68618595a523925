// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {IStakedEther} from "../../../contracts/interfaces/IStakedEther.sol";
import {Deployment} from "../support/Deployment.sol";
import {SigningWallet} from "../support/Helpers.sol";

contract StakedEtherTest is Deployment {
    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    address internal alice;
    address internal bob;

    function setUp() public {
        deployProtocol();
        alice = named("alice");
        bob = named("bob");
        vm.deal(alice, 100 ether);
        vm.prank(alice);
        vault.stake{value: 10 ether}(alice, 0, address(0));
    }

    function test_NamesAndSupply() external {
        vm.assertEq(token.name(), "Sluice Staked Ether");
        vm.assertEq(token.symbol(), "slETH");
        vm.assertEq(token.decimals(), 18);
        vm.assertEq(token.totalSupply(), 11 ether);
        vm.prank(alice);
        vault.stake{value: 1 ether}(alice, 0, address(0));
        vm.assertEq(token.totalSupply(), 12 ether);
    }

    // --- Transfer ---

    function test_TransferMovesAndTells() external {
        vm.expectEmit(address(token));
        emit IERC20.Transfer(alice, bob, 4 ether);
        vm.prank(alice);
        vm.assertEq(token.transfer(bob, 4 ether), true);
        vm.assertEq(token.balanceOf(alice), 6 ether);
        vm.assertEq(token.balanceOf(bob), 4 ether);
        vm.prank(alice);
        token.transfer(bob, 6 ether); // all of it
        vm.assertEq(token.balanceOf(alice), 0);
        vm.assertEq(token.balanceOf(bob), 10 ether);
    }

    function test_TransferToOneselfChangesNothing() external {
        vm.prank(alice);
        token.transfer(alice, 4 ether);
        vm.assertEq(token.balanceOf(alice), 10 ether);
        vm.prank(bob);
        token.transfer(bob, 0);
        vm.assertEq(token.balanceOf(bob), 0);
    }

    function test_TransferRefuses() external {
        vm.startPrank(alice);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, alice, 10 ether, 10 ether + 1)
        );
        token.transfer(bob, 10 ether + 1);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, address(0)));
        token.transfer(address(0), 1);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, address(token)));
        token.transfer(address(token), 1);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, address(0)));
        token.transfer(address(0), 11 ether); // the receiver comes first
    }

    function test_TransferFromSpendsTheAllowance() external {
        vm.expectEmit(address(token));
        emit IERC20.Approval(alice, bob, 5 ether);
        vm.prank(alice);
        vm.assertEq(token.approve(bob, 5 ether), true);
        vm.startPrank(bob);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, bob, 5 ether, 5 ether + 1)
        );
        token.transferFrom(alice, bob, 5 ether + 1);
        vm.expectEmit(address(token));
        emit IERC20.Transfer(alice, treasury, 2 ether);
        vm.assertEq(token.transferFrom(alice, treasury, 2 ether), true);
        vm.assertEq(token.allowance(alice, bob), 3 ether);
        token.transferFrom(alice, treasury, 3 ether);
        vm.assertEq(token.allowance(alice, bob), 0);
        vm.assertEq(token.balanceOf(treasury), 5 ether);
        vm.assertEq(token.balanceOf(alice), 5 ether);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, bob, 0, 1));
        token.transferFrom(alice, treasury, 1);
    }

    function test_EndlessAllowanceStays() external {
        vm.prank(alice);
        token.approve(bob, type(uint256).max);
        vm.startPrank(bob);
        token.transferFrom(alice, bob, 2 ether);
        vm.assertEq(token.allowance(alice, bob), type(uint256).max);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, alice, 8 ether, 8 ether + 1)
        );
        token.transferFrom(alice, bob, 8 ether + 1);
    }

    function test_NobodyIsNoSenderAndNoSpender() external {
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidSender.selector, address(0)));
        token.transferFrom(address(0), bob, 0);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidSpender.selector, address(0)));
        token.approve(address(0), 1);
    }

    // --- Core only ---

    function test_MintAndBurnAreForTheVaultAlone() external {
        vm.startPrank(address(queue));
        vm.expectRevert(abi.encodeWithSelector(IStakedEther.CallerNotAllowed.selector, address(queue), address(vault)));
        token.mint(alice, 1);
        vm.expectRevert(abi.encodeWithSelector(IStakedEther.CallerNotAllowed.selector, address(queue), address(vault)));
        token.burn(alice, 1);
        vm.stopPrank();
        vm.startPrank(address(vault));
        vm.expectEmit(address(token));
        emit IERC20.Transfer(address(0), bob, 3);
        token.mint(bob, 3);
        vm.expectEmit(address(token));
        emit IERC20.Transfer(bob, address(0), 3);
        token.burn(bob, 3);
        vm.assertEq(token.balanceOf(bob), 0);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, bob, 0, 1));
        token.burn(bob, 1);
        token.mint(bob, 5);
        token.mint(bob, 2);
        vm.assertEq(token.balanceOf(bob), 7);
        token.burn(bob, 3);
        vm.assertEq(token.balanceOf(bob), 4);
    }

    function test_EscrowIsForTheQueueAlone() external {
        vm.prank(address(vault));
        vm.expectRevert(abi.encodeWithSelector(IStakedEther.CallerNotAllowed.selector, address(vault), address(queue)));
        token.escrowFrom(alice, 1);
        vm.expectEmit(address(token));
        emit IERC20.Transfer(alice, address(queue), 3 ether);
        vm.prank(address(queue));
        token.escrowFrom(alice, 3 ether);
        vm.assertEq(token.balanceOf(alice), 7 ether);
        vm.assertEq(token.balanceOf(address(queue)), 3 ether);
    }

    // --- Permit ---

    function _digest(address owner, uint256 value, uint256 nonce, uint256 deadline) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Sluice Staked Ether"),
                keccak256("1"),
                block.chainid,
                address(token)
            )
        );
        vm.assertEq(token.DOMAIN_SEPARATOR(), domain);
        bytes32 body = keccak256(abi.encode(PERMIT_TYPEHASH, owner, bob, value, nonce, deadline));
        return keccak256(abi.encodePacked(hex"1901", domain, body));
    }

    function test_PermitInBothForms() external {
        uint256 deadline = block.timestamp; // the last second counts
        bytes32 digest = _digest(alice, 5 ether, 0, deadline);
        vm.expectEmit(address(token));
        emit IERC20.Approval(alice, bob, 5 ether);
        token.permit(alice, bob, 5 ether, deadline, sign(keyOfName("alice"), digest));
        vm.assertEq(token.allowance(alice, bob), 5 ether);
        vm.assertEq(token.nonces(alice), 1);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOfName("alice"), _digest(alice, 6 ether, 1, deadline));
        token.permit(alice, bob, 6 ether, deadline, v, r, s);
        vm.assertEq(token.allowance(alice, bob), 6 ether);
        vm.assertEq(token.nonces(alice), 2);
    }

    function test_PermitRefusesWhatIsLateOrSignedByOthers() external {
        bytes memory signature = sign(keyOfName("alice"), _digest(alice, 5 ether, 0, block.timestamp - 1));
        vm.expectRevert(abi.encodeWithSelector(IStakedEther.ERC2612ExpiredSignature.selector, block.timestamp - 1));
        token.permit(alice, bob, 5 ether, block.timestamp - 1, signature);
        signature = sign(keyOfName("bob"), _digest(alice, 5 ether, 0, block.timestamp));
        vm.expectRevert(abi.encodeWithSelector(IStakedEther.ERC2612InvalidSigner.selector, bob, alice));
        token.permit(alice, bob, 5 ether, block.timestamp, signature);
        // a signature that recovers nobody is none of the zero address
        vm.expectRevert(abi.encodeWithSelector(IStakedEther.ERC2612InvalidSigner.selector, address(0), address(0)));
        token.permit(address(0), bob, 5 ether, block.timestamp, hex"00");
        vm.assertEq(token.allowance(alice, bob), 0);
    }

    function test_PermitOfAContract() external {
        SigningWallet wallet = new SigningWallet();
        bytes32 digest = _digest(address(wallet), 5 ether, 0, block.timestamp);
        vm.expectRevert(abi.encodeWithSelector(IStakedEther.ERC2612InvalidSigner.selector, address(0), address(wallet)));
        token.permit(address(wallet), bob, 5 ether, block.timestamp, hex"1234");
        wallet.agree(digest);
        token.permit(address(wallet), bob, 5 ether, block.timestamp, hex"1234");
        vm.assertEq(token.allowance(address(wallet), bob), 5 ether);
    }

    function test_PermitByTheKeyOfADelegatedAccount() external {
        vm.etch(alice, address(new SigningWallet()).code); // its code agrees to nothing
        bytes memory signature = sign(keyOfName("alice"), _digest(alice, 5 ether, 0, block.timestamp));
        token.permit(alice, bob, 5 ether, block.timestamp, signature);
        vm.assertEq(token.allowance(alice, bob), 5 ether);
    }

    // --- ERC-7575, ERC-165 ---

    function test_VaultOfEtherAndInterfaces() external view {
        vm.assertEq(token.vault(0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE), address(vault));
        vm.assertEq(token.vault(address(weth)), address(0));
        vm.assertEq(token.supportsInterface(0x01ffc9a7), true);
        vm.assertEq(token.supportsInterface(0x36372b07), true); // ERC-20
        vm.assertEq(token.supportsInterface(0x9d8ff7da), true); // ERC-2612
        vm.assertEq(token.supportsInterface(0xf815c03d), true); // ERC-7575 share
        vm.assertEq(token.supportsInterface(0xffffffff), false);
    }
}
