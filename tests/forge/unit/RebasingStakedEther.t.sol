// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {IRebasingStakedEther} from "../../../contracts/interfaces/IRebasingStakedEther.sol";
import {IStakingVault} from "../../../contracts/interfaces/IStakingVault.sol";
import {Deployment} from "../support/Deployment.sol";
import {SigningWallet} from "../support/Helpers.sol";

contract RebasingStakedEtherTest is Deployment {
    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    address internal alice;
    address internal bob;
    uint256 internal total;
    uint256 internal supply;

    function setUp() public {
        deployProtocol();
        alice = named("alice");
        bob = named("bob");
        vm.deal(alice, 100_000 ether);
        vm.startPrank(alice);
        vault.stake{value: 1_000 ether}(alice, 0, address(0));
        token.approve(address(rebasing), type(uint256).max);
        vm.stopPrank();
        vm.deal(address(rewards), 133 ether + 333_333_333_333);
        vm.warp(block.timestamp + 1 days);
        reportNow(0, 0, 0, 133 ether + 333_333_333_333);
        vm.warp(block.timestamp + 1 days);
        _look();
        vm.assertTrue(total > supply, "a rate above one");
    }

    function _look() internal {
        total = vault.totalAssets();
        supply = vault.supply();
    }

    function _down(uint256 shares) internal view returns (uint256) {
        return shares * total / supply;
    }

    function _up(uint256 shares) internal view returns (uint256) {
        return (shares * total + supply - 1) / supply;
    }

    function _sharesUp(uint256 amount) internal view returns (uint256) {
        return (amount * supply + total - 1) / total;
    }

    function _wrap(uint256 shares) internal {
        vm.prank(alice);
        rebasing.wrap(shares);
    }

    /// @dev A rate of about one third, by a loss of what lay on the beacon chain.
    function _lose() internal {
        toBeacon(1_100e9);
        vm.warp(block.timestamp + 12);
        reportNow(350e9, 0, 0, 0);
        _look();
        vm.assertTrue(total * 2 < supply, "a rate below one half");
    }

    // --- In and out ---

    function test_NamesAndParts() external view {
        vm.assertEq(rebasing.name(), "Sluice Rebasing Staked Ether");
        vm.assertEq(rebasing.symbol(), "rslETH");
        vm.assertEq(rebasing.decimals(), 18);
        vm.assertEq(rebasing.token(), address(token));
        vm.assertEq(rebasing.vault(), address(vault));
    }

    function test_Wrap() external {
        uint256 held = token.balanceOf(alice);
        vm.expectEmit(address(rebasing));
        emit IERC20.Transfer(address(0), alice, _down(7 ether));
        vm.expectEmit(address(rebasing));
        emit IRebasingStakedEther.TransferShares(address(0), alice, 7 ether);
        vm.prank(alice);
        vm.assertEq(rebasing.wrap(7 ether), _down(7 ether));
        vm.assertEq(rebasing.sharesOf(alice), 7 ether);
        vm.assertEq(rebasing.totalShares(), 7 ether);
        vm.assertEq(rebasing.balanceOf(alice), _down(7 ether));
        vm.assertEq(rebasing.totalSupply(), _down(7 ether));
        vm.assertEq(token.balanceOf(alice), held - 7 ether);
        vm.assertEq(token.balanceOf(address(rebasing)), 7 ether);
        _wrap(1 ether);
        vm.assertEq(rebasing.sharesOf(alice), 8 ether);
        vm.assertEq(rebasing.totalShares(), 8 ether);
        vm.expectRevert(IRebasingStakedEther.SharesMissing.selector);
        _wrap(0);
    }

    function test_WrapWithPermit() external {
        vm.prank(alice);
        token.approve(address(rebasing), 0);
        bytes32 body = keccak256(abi.encode(PERMIT_TYPEHASH, alice, address(rebasing), 5 ether, 0, block.timestamp));
        bytes memory signature =
            sign(keyOfName("alice"), keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), body)));
        vm.startPrank(alice);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(rebasing), 0, 5 ether)
        );
        rebasing.wrapWithPermit(5 ether, block.timestamp, hex"");
        vm.assertEq(rebasing.wrapWithPermit(5 ether, block.timestamp, signature), _down(5 ether));
        // somebody was faster with the permit: the allowance is there
        token.approve(address(rebasing), 1 ether);
        rebasing.wrapWithPermit(1 ether, block.timestamp, signature);
        vm.assertEq(rebasing.sharesOf(alice), 6 ether);
    }

    function test_StakeAndWrap() external {
        uint256 shares = 9 ether * supply / total;
        vm.expectEmit(address(vault));
        emit IStakingVault.Referred(treasury, address(rebasing), 9 ether, shares);
        vm.expectEmit(address(rebasing));
        emit IRebasingStakedEther.TransferShares(address(0), bob, shares);
        vm.prank(alice);
        vm.assertEq(rebasing.stake{value: 9 ether}(bob, shares, treasury), shares);
        vm.assertEq(rebasing.sharesOf(bob), shares);
        vm.assertEq(token.balanceOf(address(rebasing)), shares);
        uint256 fewer = vault.previewDeposit(9 ether);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.SharesBelowMinimum.selector, fewer, fewer + 1));
        rebasing.stake{value: 9 ether}(bob, fewer + 1, treasury);
    }

    function test_StakeForNobodyIsRefused() external {
        vm.startPrank(alice);
        address[3] memory nobody = [address(0), address(rebasing), address(token)];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, nobody[i]));
            rebasing.stake{value: 1 ether}(nobody[i], 0, address(0));
        }
    }

    function test_UnwrapTakesSharesRoundedUp() external {
        _wrap(7 ether);
        uint256 held = token.balanceOf(alice);
        uint256 shares = _sharesUp(3 ether);
        vm.assertTrue(3 ether * supply % total != 0, "the rounding shows");
        vm.expectEmit(address(rebasing));
        emit IERC20.Transfer(alice, address(0), 3 ether);
        vm.expectEmit(address(rebasing));
        emit IRebasingStakedEther.TransferShares(alice, address(0), shares);
        vm.prank(alice);
        vm.assertEq(rebasing.unwrap(3 ether), shares);
        vm.assertEq(rebasing.sharesOf(alice), 7 ether - shares);
        vm.assertEq(rebasing.totalShares(), 7 ether - shares);
        vm.assertEq(token.balanceOf(alice), held + shares);
    }

    function test_UnwrapOfTheWholeBalanceLeavesNothing() external {
        _wrap(7 ether);
        uint256 balance = rebasing.balanceOf(alice);
        vm.startPrank(alice);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, alice, balance, balance + 1)
        );
        rebasing.unwrap(balance + 1);
        vm.assertEq(rebasing.unwrap(balance), 7 ether);
        vm.assertEq(rebasing.totalShares(), 0);
        vm.expectRevert(IRebasingStakedEther.SharesMissing.selector);
        rebasing.unwrap(0);
    }

    function test_WholeBalanceBelowARateOfOneIsAllShares() external {
        _wrap(7 ether + 2);
        _lose();
        uint256 balance = rebasing.balanceOf(alice);
        vm.assertTrue(_sharesUp(balance) < 7 ether + 2, "the worth of the last share rounds to nothing");
        vm.prank(alice);
        vm.assertEq(rebasing.unwrap(balance), 7 ether + 2);
    }

    function test_NothingIsNotTheWholeOfABalanceThatRoundsToNothing() external {
        _lose();
        _wrap(2);
        vm.assertEq(rebasing.balanceOf(alice), 0);
        vm.startPrank(alice);
        rebasing.transfer(bob, 0);
        vm.assertEq(rebasing.sharesOf(alice), 2);
        vm.expectRevert(IRebasingStakedEther.SharesMissing.selector);
        rebasing.unwrap(0);
    }

    function test_UnwrapShares() external {
        _wrap(7 ether);
        vm.expectEmit(address(rebasing));
        emit IERC20.Transfer(alice, address(0), _down(3 ether + 1));
        vm.startPrank(alice);
        vm.assertEq(rebasing.unwrapShares(3 ether + 1), _down(3 ether + 1));
        vm.assertEq(rebasing.sharesOf(alice), 4 ether - 1);
        vm.assertEq(rebasing.totalShares(), 4 ether - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IRebasingStakedEther.InsufficientShares.selector, alice, 4 ether - 1, 4 ether)
        );
        rebasing.unwrapShares(4 ether);
        vm.expectRevert(IRebasingStakedEther.SharesMissing.selector);
        rebasing.unwrapShares(0);
        rebasing.unwrapShares(4 ether - 1);
        vm.assertEq(rebasing.sharesOf(alice), 0);
    }

    // --- ERC-20 ---

    function test_TransferMovesSharesRoundedUp() external {
        _wrap(7 ether);
        uint256 shares = _sharesUp(2 ether);
        vm.expectEmit(address(rebasing));
        emit IERC20.Transfer(alice, bob, 2 ether);
        vm.expectEmit(address(rebasing));
        emit IRebasingStakedEther.TransferShares(alice, bob, shares);
        vm.prank(alice);
        vm.assertEq(rebasing.transfer(bob, 2 ether), true);
        vm.assertEq(rebasing.sharesOf(bob), shares);
        vm.assertEq(rebasing.sharesOf(alice), 7 ether - shares);
        vm.assertEq(rebasing.totalShares(), 7 ether);
        uint256 rest = rebasing.balanceOf(alice);
        vm.prank(alice);
        rebasing.transfer(bob, rest);
        vm.assertEq(rebasing.sharesOf(bob), 7 ether);
        vm.prank(bob);
        rebasing.transfer(bob, 1 ether);
        vm.assertEq(rebasing.sharesOf(bob), 7 ether);
        rebasing.transfer(bob, 0);
        vm.assertEq(rebasing.sharesOf(bob), 7 ether);
    }

    function test_TransferRefuses() external {
        _wrap(7 ether);
        uint256 balance = rebasing.balanceOf(alice);
        vm.startPrank(alice);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, alice, balance, balance + 1)
        );
        rebasing.transfer(bob, balance + 1);
        address[3] memory nobody = [address(0), address(rebasing), address(token)];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, nobody[i]));
            rebasing.transfer(nobody[i], 1);
        }
    }

    function test_TransferFromChargesTheWorthOfWhatMoves() external {
        _wrap(7 ether);
        vm.expectEmit(address(rebasing));
        emit IERC20.Approval(alice, bob, 4 ether);
        vm.prank(alice);
        vm.assertEq(rebasing.approve(bob, 4 ether), true);
        uint256 shares = _sharesUp(1 ether);
        vm.prank(bob);
        vm.assertEq(rebasing.transferFrom(alice, treasury, 1 ether), true);
        vm.assertEq(rebasing.sharesOf(treasury), shares);
        vm.assertEq(rebasing.allowance(alice, bob), 4 ether - _up(shares));
        uint256 left = rebasing.allowance(alice, bob);
        vm.startPrank(bob);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, bob, left, left + 1));
        rebasing.transferFrom(alice, treasury, left + 1);
        rebasing.transferFrom(alice, treasury, left); // covers the amount, not the last fraction of a share
        vm.assertEq(rebasing.allowance(alice, bob), 0);
    }

    function test_TransferFromWithAnEndlessAllowance() external {
        _wrap(7 ether);
        vm.prank(alice);
        rebasing.approve(bob, type(uint256).max);
        vm.startPrank(bob);
        rebasing.transferFrom(alice, bob, 1 ether);
        rebasing.transferSharesFrom(alice, bob, 1 ether);
        vm.assertEq(rebasing.allowance(alice, bob), type(uint256).max);
    }

    function test_NobodyIsNoSenderAndNoSpender() external {
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidSender.selector, address(0)));
        rebasing.transferFrom(address(0), bob, 0);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidSpender.selector, address(0)));
        rebasing.approve(address(0), 1);
    }

    // --- Shares ---

    function test_TransferSharesLosesNothing() external {
        _wrap(7 ether);
        vm.expectEmit(address(rebasing));
        emit IERC20.Transfer(alice, bob, _down(2 ether + 1));
        vm.expectEmit(address(rebasing));
        emit IRebasingStakedEther.TransferShares(alice, bob, 2 ether + 1);
        vm.prank(alice);
        vm.assertEq(rebasing.transferShares(bob, 2 ether + 1), _down(2 ether + 1));
        vm.assertEq(rebasing.sharesOf(bob), 2 ether + 1);
        vm.assertEq(rebasing.sharesOf(alice), 5 ether - 1);
        vm.prank(alice);
        vm.expectRevert(
            abi.encodeWithSelector(IRebasingStakedEther.InsufficientShares.selector, alice, 5 ether - 1, 5 ether)
        );
        rebasing.transferShares(bob, 5 ether);
    }

    function test_TransferSharesFromChargesRoundedUp() external {
        _wrap(7 ether);
        uint256 charge = _up(2 ether + 1);
        vm.assertTrue(charge != _down(2 ether + 1), "the rounding shows");
        vm.prank(alice);
        rebasing.approve(bob, charge);
        vm.prank(bob);
        vm.assertEq(rebasing.transferSharesFrom(alice, treasury, 2 ether + 1), _down(2 ether + 1));
        vm.assertEq(rebasing.allowance(alice, bob), 0);
        vm.assertEq(rebasing.sharesOf(treasury), 2 ether + 1);
        vm.prank(alice);
        rebasing.approve(bob, charge - 1);
        vm.prank(bob);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, bob, charge - 1, charge)
        );
        rebasing.transferSharesFrom(alice, treasury, 2 ether + 1);
        vm.prank(alice);
        rebasing.approve(bob, charge + 5);
        vm.prank(bob);
        rebasing.transferSharesFrom(alice, treasury, 2 ether + 1);
        vm.assertEq(rebasing.allowance(alice, bob), 5);
    }

    // --- Conversion ---

    function test_Conversions() external view {
        vm.assertEq(rebasing.convertToShares(3 ether), 3 ether * supply / total);
        vm.assertEq(rebasing.convertToSharesRoundUp(3 ether), _sharesUp(3 ether));
        vm.assertEq(rebasing.convertToAmount(3 ether), _down(3 ether));
        vm.assertEq(rebasing.convertToAmountRoundUp(3 ether), _up(3 ether));
        vm.assertEq(_sharesUp(3 ether) - 3 ether * supply / total, 1);
        vm.assertEq(_up(3 ether) - _down(3 ether), 1);
    }

    function test_BalancesFollowTheRate() external {
        _wrap(7 ether);
        _lose();
        vm.assertEq(rebasing.balanceOf(alice), _down(7 ether));
        vm.assertEq(rebasing.totalSupply(), _down(7 ether));
    }

    // --- Permit ---

    function _digest(address owner, uint256 value, uint256 nonce, uint256 deadline) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Sluice Rebasing Staked Ether"),
                keccak256("1"),
                block.chainid,
                address(rebasing)
            )
        );
        vm.assertEq(rebasing.DOMAIN_SEPARATOR(), domain);
        bytes32 body = keccak256(abi.encode(PERMIT_TYPEHASH, owner, bob, value, nonce, deadline));
        return keccak256(abi.encodePacked(hex"1901", domain, body));
    }

    function test_PermitInBothForms() external {
        uint256 deadline = block.timestamp;
        bytes memory signature = sign(keyOfName("alice"), _digest(alice, 5 ether, 0, deadline));
        vm.expectEmit(address(rebasing));
        emit IERC20.Approval(alice, bob, 5 ether);
        rebasing.permit(alice, bob, 5 ether, deadline, signature);
        vm.assertEq(rebasing.allowance(alice, bob), 5 ether);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOfName("alice"), _digest(alice, 6 ether, 1, deadline));
        rebasing.permit(alice, bob, 6 ether, deadline, v, r, s);
        vm.assertEq(rebasing.allowance(alice, bob), 6 ether);
        vm.assertEq(rebasing.nonces(alice), 2);
    }

    function test_PermitRefusesWhatIsLateOrSignedByOthers() external {
        uint256 late = block.timestamp - 1;
        bytes memory signature = sign(keyOfName("alice"), _digest(alice, 5 ether, 0, late));
        vm.expectRevert(abi.encodeWithSelector(IRebasingStakedEther.ERC2612ExpiredSignature.selector, late));
        rebasing.permit(alice, bob, 5 ether, late, signature);
        signature = sign(keyOfName("bob"), _digest(alice, 5 ether, 0, block.timestamp));
        vm.expectRevert(abi.encodeWithSelector(IRebasingStakedEther.ERC2612InvalidSigner.selector, bob, alice));
        rebasing.permit(alice, bob, 5 ether, block.timestamp, signature);
        vm.expectRevert(
            abi.encodeWithSelector(IRebasingStakedEther.ERC2612InvalidSigner.selector, address(0), address(0))
        );
        rebasing.permit(address(0), bob, 5 ether, block.timestamp, hex"00");
    }

    function test_PermitOfAContractAndOfADelegatedAccount() external {
        SigningWallet wallet = new SigningWallet();
        vm.expectRevert(
            abi.encodeWithSelector(IRebasingStakedEther.ERC2612InvalidSigner.selector, address(0), address(wallet))
        );
        rebasing.permit(address(wallet), bob, 5 ether, block.timestamp, hex"12");
        wallet.agree(_digest(address(wallet), 5 ether, 0, block.timestamp));
        rebasing.permit(address(wallet), bob, 5 ether, block.timestamp, hex"12");
        vm.assertEq(rebasing.allowance(address(wallet), bob), 5 ether);
        bytes memory signature = sign(keyOfName("alice"), _digest(alice, 5 ether, 0, block.timestamp));
        vm.etch(alice, address(wallet).code);
        rebasing.permit(alice, bob, 5 ether, block.timestamp, signature);
        vm.assertEq(rebasing.allowance(alice, bob), 5 ether);
    }
}
