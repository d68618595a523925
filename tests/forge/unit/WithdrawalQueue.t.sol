// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {IRequestDescriptor} from "../../../contracts/interfaces/IRequestDescriptor.sol";
import {ConsensusReport, IStakingVault} from "../../../contracts/interfaces/IStakingVault.sol";
import {IWithdrawalQueue} from "../../../contracts/interfaces/IWithdrawalQueue.sol";
import {Deployment} from "../support/Deployment.sol";
import {Queue} from "../support/Faces.sol";
import {SigningWallet, RejectsEther} from "../support/Helpers.sol";

contract WithdrawalQueueTest is Deployment {
    event Transfer(address indexed from, address indexed to, uint256 indexed id);

    error TokenDoesNotExist();
    error TransferToZeroAddress();
    error NotOwnerNorApproved();

    bytes32 private constant REQUEST_TYPEHASH =
        keccak256("Request(address owner,uint256 shares,address receiver,uint256 nonce,uint256 deadline)");

    address internal alice;
    address internal bob;

    function setUp() public {
        deployProtocol();
        alice = named("alice");
        bob = named("bob");
        vm.deal(alice, 100_000 ether);
        vm.prank(alice);
        vault.stake{value: 1_000 ether}(alice, 0, address(0));
        // a rate that is not round
        vm.deal(address(rewards), 33 ether + 333_333_333_333);
        vm.warp(block.timestamp + 1 days);
        reportNow(0, 0, 0, 33 ether + 333_333_333_333);
        vm.warp(block.timestamp + 1 days);
    }

    function _report() internal {
        vm.warp(block.timestamp + 12);
        reportNow(0, 0, 0, 0);
    }

    /// @dev One request each and a report after them.
    function _request(uint256 count) internal {
        for (uint256 i = 1; i <= count; ++i) {
            vm.prank(alice);
            queue.request(i * 1 ether + i * 1 gwei, alice);
        }
        _report();
    }

    // --- Request ---

    function test_RequestTakesWholeGweiAndNumbersFromOne() external {
        uint256 held = token.balanceOf(alice);
        vm.expectEmit(address(queue));
        emit Transfer(address(0), bob, 1);
        vm.expectEmit(address(queue));
        emit IWithdrawalQueue.Requested(1, alice, bob, 2 ether);
        vm.prank(alice);
        vm.assertEq(queue.request(2 ether + 999_999_999, bob), 1);
        vm.assertEq(token.balanceOf(alice), held - 2 ether);
        vm.assertEq(token.balanceOf(address(queue)), 2 ether);
        vm.assertEq(queue.ownerOf(1), bob);
        vm.assertEq(queue.balanceOf(bob), 1);
        vm.assertEq(queue.openShares(), 2 ether);
        vm.assertEq(queue.lastRequestId(), 1);
        vm.assertEq(queue.lastFinalizedId(), 0);
        vm.assertEq(queue.lastCheckpoint(), 0);
        IWithdrawalQueue.Request memory made = queue.getRequest(1);
        vm.assertEq(made.owner, bob);
        vm.assertEq(made.shares, 2 ether);
        vm.assertEq(made.requestedAt, block.timestamp);
        vm.assertEq(made.assets, vault.convertToAssets(2 ether));
        vm.assertEq(made.finalized, false);
        vm.assertEq(made.claimed, false);
        vm.prank(alice);
        vm.assertEq(queue.request(3 ether, alice), 2);
        vm.assertEq(queue.getRequest(2).shares, 3 ether);
        vm.assertEq(queue.getRequest(1).shares, 2 ether);
        vm.assertEq(queue.openShares(), 5 ether);
    }

    function test_RequestRefuses() external {
        vm.startPrank(alice);
        vm.expectRevert(
            abi.encodeWithSelector(IWithdrawalQueue.RequestBelowMinimum.selector, MIN_REQUEST - 1, MIN_REQUEST)
        );
        queue.request(MIN_REQUEST - 1, alice);
        queue.request(MIN_REQUEST, alice);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RecipientInvalid.selector, address(queue)));
        queue.request(1 ether, address(queue));
        vm.expectRevert(TransferToZeroAddress.selector);
        queue.request(1 ether, address(0));
        uint256 held = token.balanceOf(alice);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, alice, held, 1_000 ether)
        );
        queue.request(1_000 ether, alice);
    }

    function test_RequestBatch() external {
        uint256[] memory sizes = new uint256[](3);
        sizes[0] = 1 ether + 1;
        sizes[1] = 2 ether + 5 gwei;
        sizes[2] = MIN_REQUEST;
        vm.prank(alice);
        queue.request(1 ether, alice);
        uint256 held = token.balanceOf(alice);
        vm.expectEmit(address(queue));
        emit IWithdrawalQueue.Requested(2, alice, bob, 1 ether);
        vm.expectEmit(address(queue));
        emit IWithdrawalQueue.Requested(3, alice, bob, 2 ether + 5 gwei);
        vm.expectEmit(address(queue));
        emit IWithdrawalQueue.Requested(4, alice, bob, MIN_REQUEST);
        vm.prank(alice);
        vm.assertEq(queue.requestBatch(sizes, bob), 2);
        vm.assertEq(queue.lastRequestId(), 4);
        vm.assertEq(queue.balanceOf(bob), 3);
        uint256 sum = 3 ether + 5 gwei + MIN_REQUEST;
        vm.assertEq(held - token.balanceOf(alice), sum);
        vm.assertEq(queue.openShares(), 1 ether + sum);
        vm.assertEq(queue.getRequest(3).shares, 2 ether + 5 gwei);
        vm.expectRevert(IWithdrawalQueue.EmptyBatch.selector);
        queue.requestBatch(new uint256[](0), bob);
    }

    // --- Permit ---

    function _digest(address owner, uint256 shares, uint256 nonce, uint256 deadline) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Sluice Withdrawal Request"),
                keccak256("1"),
                block.chainid,
                address(queue)
            )
        );
        vm.assertEq(queue.DOMAIN_SEPARATOR(), domain);
        bytes32 body = keccak256(abi.encode(REQUEST_TYPEHASH, owner, shares, bob, nonce, deadline));
        return keccak256(abi.encodePacked(hex"1901", domain, body));
    }

    function test_RequestWithPermit() external {
        uint256 deadline = block.timestamp;
        bytes memory signature = sign(keyOfName("alice"), _digest(alice, 2 ether, 0, deadline));
        vm.expectEmit(address(queue));
        emit IWithdrawalQueue.Requested(1, alice, bob, 2 ether);
        vm.assertEq(queue.requestWithPermit(alice, 2 ether, bob, deadline, signature), 1);
        vm.assertEq(queue.nonces(alice), 1);
        vm.assertEq(queue.ownerOf(1), bob);
        address wrong = _recovered(alice, 2 ether, 1, deadline, signature);
        vm.assertTrue(wrong != alice, "used up");
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.PermitSignerInvalid.selector, alice));
        queue.requestWithPermit(alice, 2 ether, bob, deadline, signature);
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.PermitExpired.selector, deadline));
        queue.requestWithPermit(alice, 2 ether, bob, deadline, signature);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.PermitSignerInvalid.selector, address(0)));
        queue.requestWithPermit(address(0), 2 ether, bob, block.timestamp, hex"00");
    }

    function _recovered(address owner, uint256 shares, uint256 nonce, uint256 deadline, bytes memory signature)
        internal
        view
        returns (address)
    {
        bytes32 r;
        bytes32 s;
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
        }
        return ecrecover(_digest(owner, shares, nonce, deadline), uint8(signature[64]), r, s);
    }

    function test_RequestWithPermitOfAContract() external {
        SigningWallet wallet = new SigningWallet();
        vm.prank(alice);
        token.transfer(address(wallet), 5 ether);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.PermitSignerInvalid.selector, address(wallet)));
        queue.requestWithPermit(address(wallet), 2 ether, bob, block.timestamp, hex"12");
        wallet.agree(_digest(address(wallet), 2 ether, 0, block.timestamp));
        queue.requestWithPermit(address(wallet), 2 ether, bob, block.timestamp, hex"12");
        vm.assertEq(token.balanceOf(address(wallet)), 3 ether);
    }

    function test_RequestWithPermitByTheKeyOfADelegatedAccount() external {
        vm.etch(alice, address(new SigningWallet()).code);
        bytes memory signature = sign(keyOfName("alice"), _digest(alice, 2 ether, 0, block.timestamp));
        queue.requestWithPermit(alice, 2 ether, bob, block.timestamp, signature);
        vm.assertEq(queue.lastRequestId(), 1);
    }

    // --- Finalise ---

    function test_FinalizeSettlesAPrefixAtTheRateOfTheMoment() external {
        _request(5);
        uint256 sum = 6 ether + 6 gwei; // requests 1 to 3
        uint256 assets = vault.convertToAssets(sum);
        vm.expectEmit(address(vault));
        emit IStakingVault.Redeemed(sum, assets);
        vm.expectEmit(address(queue));
        emit IWithdrawalQueue.Finalized(1, 1, 3, sum, assets);
        vm.prank(bob);
        vm.assertEq(queue.finalize(3), assets);
        vm.assertEq(queue.lastFinalizedId(), 3);
        vm.assertEq(queue.lastCheckpoint(), 1);
        vm.assertEq(queue.openShares(), 9 ether + 9 gwei);
        vm.assertEq(address(queue).balance, assets);
        (uint256 first, uint256 last, uint256 shares, uint256 paid) = queue.getCheckpoint(1);
        vm.assertEq(first, 1);
        vm.assertEq(last, 3);
        vm.assertEq(shares, sum);
        vm.assertEq(paid, assets);
        uint256 rest = vault.convertToAssets(9 ether + 9 gwei);
        vm.expectEmit(address(queue));
        emit IWithdrawalQueue.Finalized(2, 4, 5, 9 ether + 9 gwei, rest);
        vm.assertEq(queue.finalize(5), rest);
        (first, last, shares, paid) = queue.getCheckpoint(2);
        vm.assertEq(first, 4);
        vm.assertEq(last, 5);
        vm.assertEq(shares, 9 ether + 9 gwei);
        vm.assertEq(paid, rest);
        vm.assertEq(queue.openShares(), 0);
    }

    function test_FinalizeRefusesWhatIsNotOpen() external {
        _request(3);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestNotOpen.selector, 0, 1, 3));
        queue.finalize(0);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestNotOpen.selector, 4, 1, 3));
        queue.finalize(4);
        queue.finalize(2);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestNotOpen.selector, 2, 3, 3));
        queue.finalize(2);
    }

    function test_FinalizeWaitsForAReportOrForThreeDays() external {
        (uint256 newest, uint256 applied) = vault.lastReport();
        vm.startPrank(alice);
        queue.request(1 ether, alice);
        uint256 made = block.timestamp;
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestNotCovered.selector, made, newest, applied));
        queue.finalize(1);
        vm.assertEq(queue.finalizable(), 0);
        vm.warp(made + STALE_AFTER - 1);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestNotCovered.selector, made, newest, applied));
        queue.finalize(1);
        vm.assertEq(queue.finalizable(), 0);
        vm.warp(made + STALE_AFTER);
        vm.assertEq(queue.finalizable(), 1);
        queue.finalize(1);
        // and a report of the same second covers
        queue.request(1 ether, alice);
        vm.stopPrank();
        reportNow(0, 0, 0, 0);
        vm.assertEq(queue.finalizable(), 2);
        queue.finalize(2);
        vm.assertEq(queue.lastFinalizedId(), 2);
    }

    function test_CoveredRequestsArePaidRightAfterTheReportOrWhenNoneComes() external {
        vm.prank(alice);
        queue.request(1 ether, alice);
        uint256 made = block.timestamp;
        vm.warp(made + 500);
        ConsensusReport memory given = reportOf(0, 0, 0, 0);
        given.referenceTime = uint40(made);
        vm.prank(address(oracle));
        vault.report(given);
        uint256 applied = block.timestamp;
        vm.warp(applied + FINALIZE_WINDOW);
        vm.assertEq(queue.finalizable(), 1);
        vm.warp(applied + FINALIZE_WINDOW + 1);
        vm.assertEq(queue.finalizable(), 0);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestNotCovered.selector, made, made, applied));
        queue.finalize(1);
        vm.warp(made + STALE_AFTER - 1);
        vm.assertEq(queue.finalizable(), 0);
        vm.warp(made + STALE_AFTER);
        vm.assertEq(queue.finalizable(), 1);
        queue.finalize(1);
    }

    function test_YoungerRequestsWaitForThemselves() external {
        vm.warp(block.timestamp + 1 days);
        vm.prank(alice);
        queue.request(1 ether, alice);
        uint256 made = block.timestamp;
        (uint256 newest,) = vault.lastReport();
        vm.assertTrue(newest + STALE_AFTER < made + STALE_AFTER - 1, "the report is stale before the request is");
        vm.warp(made + STALE_AFTER - 1);
        vm.assertEq(queue.finalizable(), 0);
        vm.warp(made + STALE_AFTER);
        vm.assertEq(queue.finalizable(), 1);
    }

    /// @dev Nobody leaves at the old rate where a loss has been proven and no report can count it.
    function test_ProvenSlashingStopsThePathWithoutReports() external {
        vm.warp(block.timestamp + 1 days);
        vm.prank(alice);
        queue.request(1 ether, alice);
        vm.warp(block.timestamp + STALE_AFTER);
        vm.assertEq(queue.finalizable(), 1);
        vm.prank(prover);
        vault.noteSlashing();
        uint256 until = vault.slashingPendingUntil();
        vm.assertEq(until, block.timestamp + 45 days);
        vm.assertEq(queue.finalizable(), 0);
        IWithdrawalQueue.Request memory made = queue.getRequest(1);
        (uint256 referenceTime, uint256 appliedAt) = vault.lastReport();
        vm.expectRevert(
            abi.encodeWithSelector(
                IWithdrawalQueue.RequestNotCovered.selector, made.requestedAt, referenceTime, appliedAt
            )
        );
        queue.finalize(1);
        uint256 snapshot = vm.snapshotState();
        vm.warp(until - 1);
        vm.assertEq(queue.finalizable(), 0);
        vm.warp(until);
        vm.assertEq(queue.finalizable(), 1);
        queue.finalize(1);
        // a report that counts it opens the way
        vm.revertToState(snapshot);
        reportNow(0, 0, 0, 0);
        vm.assertEq(queue.finalizable(), 1);
        queue.finalize(1);
    }

    function test_ConstructorRefusesSettingsThatMakeNoSense() external {
        _refuseConfig(1 gwei - 1, 1, 2);
        _refuseConfig(1 gwei, 0, 2);
        _refuseConfig(1 gwei, 2, 2);
        Queue made = Queue(payable(create(_code(1 gwei, 1, 2), 0)));
        vm.assertEq(made.MIN_REQUEST(), 1 gwei);
        vm.assertEq(made.FINALIZE_WINDOW(), 1);
        vm.assertEq(made.STALE_AFTER(), 2);
    }

    function _code(uint256 minRequest, uint256 window, uint256 stale) internal view returns (bytes memory) {
        return bytes.concat(
            vm.getCode("WithdrawalQueue.sol:WithdrawalQueue"),
            abi.encode(address(token), address(vault), descriptor, minRequest, window, stale)
        );
    }

    function _refuseConfig(uint256 minRequest, uint256 window, uint256 stale) internal {
        bytes memory code = _code(minRequest, window, stale);
        vm.expectRevert(IWithdrawalQueue.ConfigInvalid.selector);
        create(code, 0);
    }

    function test_QueueItselfCannotOwnARequest() external {
        _request(1);
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RecipientInvalid.selector, address(queue)));
        queue.transferFrom(alice, address(queue), 1);
    }

    function test_FinalizeNeedsTheBuffer() external {
        toBeacon(900e9);
        _requestBig();
        uint256 needed = vault.convertToAssets(800 ether);
        uint256 there = vault.buffer();
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.BufferTooLow.selector, needed, there));
        queue.finalize(1);
        vm.assertEq(queue.finalizable(), 0);
    }

    function _requestBig() internal {
        vm.prank(alice);
        queue.request(800 ether, alice);
        vm.warp(block.timestamp + 12);
        reportNow(900e9, 0, 0, 0);
    }

    function test_FinalizableIsTheLongestPrefixTheBufferPays() external {
        _request(6);
        // leave the price of exactly the first four: 10 ether and 10 gwei of shares
        uint256 four = vault.convertToAssets(10 ether + 10 gwei);
        _setBuffer(four);
        vm.assertEq(queue.finalizable(), 4);
        _setBuffer(four - 1 gwei);
        vm.assertEq(queue.finalizable(), 3);
        queue.finalize(3);
        vm.assertEq(queue.finalizable(), 0);
        _setBuffer(vault.convertToAssets(15 ether + 15 gwei));
        vm.assertEq(queue.finalizable(), 6);
        queue.finalize(6);
        vm.assertEq(queue.finalizable(), 0);
    }

    /// @dev Moves ether between buffer and beacon side so that the buffer is the next gwei at or above `wanted`.
    function _setBuffer(uint256 wanted) internal {
        uint256 buffer = vault.buffer();
        if (buffer > wanted) {
            // by the counters: `depositable` would keep what the queue is owed
            vm.store(address(vault), _consensusSlot(), _consensusWith(int256((buffer - wanted) / 1 gwei)));
            vm.deal(address(vault), vault.buffer());
        } else {
            uint256 more = (wanted - buffer + 1 gwei - 1) / 1 gwei * 1 gwei;
            vm.deal(address(gateway), more);
            gateway.sweep();
        }
    }

    function _consensusSlot() internal pure returns (bytes32) {
        return bytes32(uint256(3));
    }

    function _consensusWith(int256 more) internal view returns (bytes32) {
        bytes32 word = vm.load(address(vault), _consensusSlot());
        return bytes32(uint256(word) + (uint256(more) << 64));
    }

    // --- Claim ---

    function test_ClaimPaysTheShareOfTheCheckpoint() external {
        _request(3);
        uint256 assets = queue.finalize(3);
        uint256 shares = (2 ether + 2 gwei) / 1 gwei;
        uint256 owed = shares * assets / ((6 ether + 6 gwei) / 1 gwei);
        vm.assertEq(queue.getRequest(2).assets, owed);
        vm.assertEq(queue.getRequest(2).finalized, true);
        vm.assertEq(queue.getRequest(3).finalized, true); // the last of them
        uint256 before = bob.balance;
        vm.expectEmit(address(queue));
        emit Transfer(alice, address(0), 2);
        vm.expectEmit(address(queue));
        emit IWithdrawalQueue.Claimed(2, bob, owed);
        vm.prank(alice);
        vm.assertEq(queue.claim(2, 1, bob), owed);
        vm.assertEq(bob.balance - before, owed);
        vm.assertEq(address(queue).balance, assets - owed);
        IWithdrawalQueue.Request memory paid = queue.getRequest(2);
        vm.assertEq(paid.claimed, true);
        vm.assertEq(paid.owner, address(0));
        vm.assertEq(paid.shares, 2 ether + 2 gwei);
        vm.assertEq(paid.assets, owed);
        vm.assertEq(queue.balanceOf(alice), 2);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestUnknown.selector, 2));
        vm.prank(alice);
        queue.claim(2, 1, bob);
        // its neighbours are what they were
        vm.assertEq(queue.getRequest(3).shares, 3 ether + 3 gwei);
    }

    function test_AnybodyMayPayAnOwnerOut() external {
        _request(2);
        queue.finalize(2);
        uint256 owed = queue.getRequest(1).assets;
        uint256 before = alice.balance;
        vm.expectEmit(address(queue));
        emit IWithdrawalQueue.Claimed(1, alice, owed);
        vm.prank(bob);
        vm.assertEq(queue.claim(1), owed);
        vm.assertEq(alice.balance - before, owed);
        vm.prank(bob);
        queue.claim(2, 1, alice);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestUnknown.selector, 2));
        queue.claim(2);
    }

    function test_OnlyOwnerAndApprovedChooseTheRecipient() external {
        _request(3);
        queue.finalize(3);
        vm.prank(bob);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.NotOwnerOrApproved.selector, bob, 1));
        queue.claim(1, 1, bob);
        vm.prank(alice);
        queue.approve(bob, 1);
        vm.prank(bob);
        queue.claim(1, 1, bob);
        vm.prank(bob);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.NotOwnerOrApproved.selector, bob, 2));
        queue.claim(2, 1, bob);
        vm.prank(alice);
        queue.setApprovalForAll(bob, true);
        vm.prank(bob);
        queue.claim(2, 1, bob);
        vm.prank(alice);
        queue.transferFrom(alice, treasury, 3);
        vm.prank(treasury);
        queue.claim(3, 1, treasury);
    }

    function test_ClaimRefusesWrongHints() external {
        _request(4);
        queue.finalize(2);
        queue.finalize(3);
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.CheckpointInvalid.selector, 2, 2));
        queue.claim(2, 2, alice);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.CheckpointInvalid.selector, 3, 1));
        queue.claim(3, 1, alice);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.CheckpointInvalid.selector, 1, 0));
        queue.claim(1, 0, alice);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.CheckpointInvalid.selector, 1, 3));
        queue.claim(1, 3, alice);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestNotFinalized.selector, 4));
        queue.claim(4, 2, alice);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestNotFinalized.selector, 4));
        queue.claim(4);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestUnknown.selector, 0));
        queue.claim(0);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestUnknown.selector, 5));
        queue.claim(5);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestUnknown.selector, 0));
        queue.claim(0, 0, alice);
        queue.claim(1, 1, alice);
        queue.claim(2, 1, alice);
        queue.claim(3, 2, alice);
    }

    function test_ClaimBatch() external {
        _request(4);
        queue.finalize(2);
        queue.finalize(4);
        uint256[] memory ids = new uint256[](2);
        uint256[] memory hints = new uint256[](2);
        (ids[0], ids[1]) = (3, 1);
        (hints[0], hints[1]) = (2, 1);
        uint256 sum = queue.getRequest(1).assets + queue.getRequest(3).assets;
        vm.prank(bob);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.NotOwnerOrApproved.selector, bob, 3));
        queue.claimBatch(ids, hints, bob);
        vm.prank(alice);
        vm.assertEq(queue.claimBatch(ids, hints, bob), sum);
        vm.assertEq(bob.balance, sum);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.LengthMismatch.selector, 2, 1));
        queue.claimBatch(ids, new uint256[](1), bob);
        vm.expectRevert(IWithdrawalQueue.EmptyBatch.selector);
        queue.claimBatch(new uint256[](0), new uint256[](0), bob);
    }

    function test_ClaimRefusesRecipientsThatWouldLoseIt() external {
        _request(2);
        queue.finalize(2);
        RejectsEther wall = new RejectsEther();
        uint256 owed = queue.getRequest(1).assets;
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RecipientRejectedEther.selector, address(wall), owed));
        queue.claim(1, 1, address(wall));
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RecipientInvalid.selector, address(0)));
        queue.claim(1, 1, address(0));
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RecipientInvalid.selector, address(queue)));
        queue.claim(1, 1, address(queue));
        queue.claim(1, 1, alice);
    }

    function test_ClaimBringsGasToContracts() external {
        _request(1);
        queue.finalize(1);
        SigningWallet wallet = new SigningWallet();
        vm.prank(alice);
        queue.transferFrom(alice, address(wallet), 1);
        queue.claim(1);
        vm.assertTrue(address(wallet).balance > 1 ether, "paid");
    }

    // --- Reading ---

    function test_FindCheckpointForEveryRequest() external {
        _request(9);
        uint256[5] memory ends = [uint256(1), 3, 4, 8, 9];
        uint256[9] memory expected = [uint256(1), 2, 2, 3, 4, 4, 4, 4, 5];
        for (uint256 i = 0; i < 5; ++i) {
            queue.finalize(ends[i]);
        }
        uint256[] memory ids = new uint256[](9);
        uint256[] memory all = new uint256[](9);
        for (uint256 id = 1; id <= 9; ++id) {
            vm.assertEq(queue.findCheckpoint(id), expected[id - 1]);
            (ids[id - 1], all[id - 1]) = (id, expected[id - 1]);
        }
        vm.assertEq(queue.findCheckpoints(ids), all);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestUnknown.selector, 0));
        queue.findCheckpoint(0);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestUnknown.selector, 10));
        queue.findCheckpoint(10);
        vm.prank(alice);
        queue.request(1 ether, alice);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestNotFinalized.selector, 10));
        queue.findCheckpoint(10);
    }

    function test_ViewsOfUnknownRequests() external {
        _request(1);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestUnknown.selector, 0));
        queue.getRequest(0);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestUnknown.selector, 2));
        queue.getRequest(2);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestUnknown.selector, 0));
        queue.etherAhead(0);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.RequestUnknown.selector, 2));
        queue.etherAhead(2);
    }

    function test_EtherAhead() external {
        _request(4);
        vm.assertEq(queue.etherAhead(1), 0);
        vm.assertEq(queue.etherAhead(3), vault.convertToAssets(3 ether + 3 gwei));
        queue.finalize(1);
        vm.assertEq(queue.etherAhead(1), 0);
        vm.assertEq(queue.etherAhead(2), 0);
        vm.assertEq(queue.etherAhead(4), vault.convertToAssets(5 ether + 5 gwei));
    }

    function test_RequestsOf() external {
        _request(5);
        vm.prank(alice);
        queue.transferFrom(alice, bob, 2);
        vm.assertEq(queue.requestsOf(alice, 0, 100), _list(1, 3, 4, 5));
        vm.assertEq(queue.requestsOf(alice, 0, 5), _list(1, 3, 4, 5));
        vm.assertEq(queue.requestsOf(alice, 1, 5), _list(1, 3, 4, 5));
        uint256[] memory one = new uint256[](1);
        one[0] = 2;
        vm.assertEq(queue.requestsOf(bob, 2, 2), one);
        one[0] = 4;
        vm.assertEq(queue.requestsOf(alice, 4, 4), one);
        vm.assertEq(queue.requestsOf(alice, 2, 2), new uint256[](0));
        vm.assertEq(queue.requestsOf(alice, 5, 4), new uint256[](0));
        vm.assertEq(queue.requestsOf(alice, 7, 9), new uint256[](0));
        // what was never asked for is nobody's, not even that of nobody
        vm.assertEq(queue.requestsOf(address(0), 6, 9), new uint256[](0));
        vm.assertEq(queue.requestsOf(address(0), 0, 0), new uint256[](0));
        queue.finalize(1);
        queue.claim(1);
        vm.assertEq(queue.requestsOf(address(0), 2, 5), new uint256[](0));
        vm.assertEq(queue.requestsOf(alice, 2, 3).length, 1);
    }

    function _list(uint256 a, uint256 b, uint256 c, uint256 d) internal pure returns (uint256[] memory list) {
        list = new uint256[](4);
        (list[0], list[1], list[2], list[3]) = (a, b, c, d);
    }

    // --- ERC-721 ---

    function test_NamesAndInterfaces() external view {
        vm.assertEq(queue.name(), "Sluice Withdrawal Request");
        vm.assertEq(queue.symbol(), "slREQUEST");
        vm.assertEq(queue.supportsInterface(0x80ac58cd), true);
        vm.assertEq(queue.MIN_REQUEST(), MIN_REQUEST);
        vm.assertEq(queue.STALE_AFTER(), STALE_AFTER);
    }

    function test_TokenURIIsTheDescriptorsForTheStateOfTheMoment() external {
        _request(2);
        vm.assertEq(
            queue.tokenURI(2),
            IRequestDescriptor(descriptor).tokenURI(2, queue.getRequest(2), vault.convertToAssets(1 ether + 1 gwei))
        );
        vm.expectRevert(TokenDoesNotExist.selector);
        queue.tokenURI(3);
        queue.finalize(1);
        queue.claim(1);
        vm.expectRevert(TokenDoesNotExist.selector);
        queue.tokenURI(1);
    }

    function test_EtherIsRefused() external {
        _request(1);
        vm.startPrank(alice);
        (bool done, bytes memory answer) = address(queue).call{value: 1}("");
        vm.assertEq(done, false);
        vm.assertEq(answer, abi.encodeWithSelector(IWithdrawalQueue.EtherNotAccepted.selector, alice));
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.EtherNotAccepted.selector, alice));
        queue.approve{value: 1}(bob, 1);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.EtherNotAccepted.selector, alice));
        queue.transferFrom{value: 1}(alice, bob, 1);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawalQueue.EtherNotAccepted.selector, alice));
        queue.safeTransferFrom{value: 1}(alice, bob, 1);
        queue.approve(bob, 1);
        vm.assertEq(queue.getApproved(1), bob);
        queue.transferFrom(alice, bob, 1);
        vm.assertEq(queue.ownerOf(1), bob);
    }

    function test_TransferKeepsSizeAndTime() external {
        _request(2);
        IWithdrawalQueue.Request memory before = queue.getRequest(1);
        vm.prank(alice);
        queue.transferFrom(alice, bob, 1);
        IWithdrawalQueue.Request memory later = queue.getRequest(1);
        vm.assertEq(later.shares, before.shares);
        vm.assertEq(later.requestedAt, before.requestedAt);
        vm.assertEq(later.owner, bob);
    }

    function test_CumulativeSharesStopAtTheirWidth() external {
        // 2^64 gwei less one are requested already: the next gwei does not fit
        vm.store(address(queue), bytes32(uint256(3)), bytes32(uint256(type(uint64).max) << 96));
        vm.prank(alice);
        vm.expectRevert(
            abi.encodeWithSignature(
                "SafeCastOverflowedUintDowncast(uint8,uint256)", 64, uint256(type(uint64).max) + 1 ether / 1 gwei
            )
        );
        queue.request(1 ether, alice);
    }
}
