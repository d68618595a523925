// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IReportLimits, ReportFigures} from "../../../contracts/interfaces/IReportLimits.sol";
import {IWithdrawalQueue} from "../../../contracts/interfaces/IWithdrawalQueue.sol";
import {DepositData} from "../../../contracts/libraries/DepositData.sol";
import {Deployment} from "../support/Deployment.sol";
import {OfficialDepositContract} from "../support/Faces.sol";

/// @dev What has no state to speak of, for any input.
contract PureFuzz is Deployment {
    address private alice;

    function setUp() public {
        deployProtocol();
        alice = named("alice");
        vm.deal(alice, 140_000 ether);
        vm.prank(alice);
        vault.stake{value: 140_000 ether}(alice, 0, address(0));
    }

    // --- DepositData ---

    function root(bytes calldata pubkey, bytes32 credentials, bytes calldata signature, uint64 amount)
        external
        pure
        returns (bytes32)
    {
        return DepositData.root(pubkey, credentials, signature, amount);
    }

    /// @dev By merkleisation as the consensus specification has it: chunks of 32 bytes, padded to a power of two.
    function testFuzz_RootIsTheMerkleRootOfItsChunks(bytes32[5] calldata noise, uint64 amount) external view {
        bytes memory pubkey = abi.encodePacked(noise[0], bytes16(noise[1]));
        bytes memory signature = abi.encodePacked(noise[2], noise[3], noise[4]);
        bytes32[] memory fields = new bytes32[](4);
        fields[0] = _merkleise(pubkey);
        fields[1] = noise[1];
        fields[2] = _littleEndian(amount);
        fields[3] = _merkleise(signature);
        vm.assertEq(this.root(pubkey, noise[1], signature, amount), _merkleRoot(fields));
    }

    function testFuzz_TheDepositContractAgrees(bytes32[5] calldata noise, uint64 amount) external {
        amount = uint64(bound(amount, 1e9, 2_048e9));
        bytes memory pubkey = abi.encodePacked(noise[0], bytes16(noise[1]));
        bytes memory signature = abi.encodePacked(noise[2], noise[3], noise[4]);
        bytes32 credentials = vault.CREDENTIALS();
        vm.deal(address(this), uint256(amount) * 1 gwei);
        OfficialDepositContract(DEPOSIT_CONTRACT).deposit{value: uint256(amount) * 1 gwei}(
            pubkey, abi.encodePacked(credentials), signature, this.root(pubkey, credentials, signature, amount)
        );
        vm.assertEq(OfficialDepositContract(DEPOSIT_CONTRACT).get_deposit_count(), hex"0100000000000000");
    }

    function _merkleise(bytes memory data) private pure returns (bytes32) {
        bytes32[] memory chunks = new bytes32[]((data.length + 31) / 32);
        for (uint256 i = 0; i < data.length; ++i) {
            chunks[i / 32] |= bytes32(uint256(uint8(data[i])) << (248 - 8 * (i % 32)));
        }
        return _merkleRoot(chunks);
    }

    function _merkleRoot(bytes32[] memory chunks) private pure returns (bytes32) {
        uint256 width = 1;
        while (width < chunks.length) width *= 2;
        bytes32[] memory layer = new bytes32[](width);
        for (uint256 i = 0; i < chunks.length; ++i) {
            layer[i] = chunks[i];
        }
        for (; width > 1; width /= 2) {
            for (uint256 i = 0; i < width / 2; ++i) {
                layer[i] = sha256(abi.encodePacked(layer[2 * i], layer[2 * i + 1]));
            }
        }
        return layer[0];
    }

    function _littleEndian(uint64 value) private pure returns (bytes32 chunk) {
        for (uint256 i = 0; i < 8; ++i) {
            chunk |= bytes32(uint256(uint8(value >> (8 * i))) << (248 - 8 * i));
        }
    }

    // --- Hints ---

    /// @dev Any requests, settled in any steps: exactly one checkpoint is accepted for each, and it is the one found.
    function testFuzz_ExactlyOneHintIsAccepted(uint256 seed, uint256 count) external {
        count = bound(count, 1, 12);
        for (uint256 i = 0; i < count; ++i) {
            uint256 shares = MIN_REQUEST + uint256(keccak256(abi.encode(seed, i))) % 100 ether;
            vm.prank(alice);
            queue.request(shares, alice);
        }
        vm.warp(block.timestamp + 12);
        reportNow(0, 0, 0, 0);
        uint256 upTo;
        while (upTo < count) {
            upTo += 1 + uint256(keccak256(abi.encode(seed, "step", upTo))) % (count - upTo);
            queue.finalize(upTo);
        }
        uint256 last = queue.lastCheckpoint();
        for (uint256 id = 1; id <= count; ++id) {
            uint256 found = queue.findCheckpoint(id);
            for (uint256 hint = 0; hint <= last + 1; ++hint) {
                bytes memory call = abi.encodeWithSignature("claim(uint256,uint256,address)", id, hint, alice);
                if (hint == found) continue;
                (bool fine, bytes memory answer) = address(queue).call(call);
                vm.assertEq(fine, false);
                vm.assertEq(answer, abi.encodeWithSelector(IWithdrawalQueue.CheckpointInvalid.selector, id, hint));
            }
            uint256 owed = queue.getRequest(id).assets;
            vm.assertEq(queue.claim(id, found, alice), owed);
        }
        vm.assertLe(address(queue).balance, count, "rounding leaves less than a wei a request");
    }

    // --- Limits ---

    function _limits(uint256 seed) private returns (IReportLimits.Limits memory set) {
        set = IReportLimits.Limits({
            yearlyGain: uint16(seed % 10_001),
            loss: uint16((seed >> 16) % 5_001),
            validatorsPerDay: uint32(seed >> 32),
            minAge: uint32((seed >> 64) % (6 hours + 1)),
            maxAge: uint32(12 hours + (seed >> 96) % 30 days),
            gainAllowance: uint64((seed >> 128) % (2_048e9 + 1))
        });
        vm.prank(governor);
        limits.setLimits(set);
    }

    function testFuzz_LimitsAreExact(uint256 seed, uint96 total, uint256 elapsed) external {
        IReportLimits.Limits memory set = _limits(seed);
        elapsed = bound(elapsed, 1, 3_650 days);
        ReportFigures memory figures = ReportFigures({
            profit: 0, total: total, elapsed: elapsed, age: set.minAge, oldValidators: 1_000_000, newValidators: 0
        });
        figures.newValidators = figures.oldValidators;
        limits.check(0, figures);

        uint256 gain =
            uint256(total) * set.yearlyGain * elapsed / (10_000 * 365 days) + uint256(set.gainAllowance) * 1 gwei;
        figures.profit = int256(gain);
        limits.check(0, figures);
        figures.profit += 1;
        _refuse(abi.encodeWithSelector(IReportLimits.GainAboveLimit.selector, gain + 1, gain), figures);

        uint256 days_ = elapsed < 1 days ? 1 days : elapsed;
        uint256 share = set.loss * days_ / 1 days;
        uint256 loss = uint256(total) * (share > 5_000 ? 5_000 : share) / 10_000;
        figures.profit = -int256(loss);
        limits.check(0, figures);
        figures.profit -= 1;
        _refuse(abi.encodeWithSelector(IReportLimits.LossAboveLimit.selector, loss + 1, loss), figures);

        figures.profit = 0;
        uint256 change = days_ * set.validatorsPerDay / 1 days;
        figures.newValidators = figures.oldValidators + change;
        limits.check(0, figures);
        figures.newValidators += 1;
        _refuse(abi.encodeWithSelector(IReportLimits.ValidatorChangeAboveLimit.selector, change + 1, change), figures);
        (figures.oldValidators, figures.newValidators) = (figures.newValidators, figures.oldValidators);
        _refuse(abi.encodeWithSelector(IReportLimits.ValidatorChangeAboveLimit.selector, change + 1, change), figures);

        figures.newValidators = figures.oldValidators;
        figures.age = set.maxAge;
        limits.check(0, figures);
        figures.age += 1;
        _refuse(abi.encodeWithSelector(IReportLimits.ReferenceTooOld.selector, figures.age, set.maxAge), figures);
        if (set.minAge == 0) return;
        figures.age = set.minAge - 1;
        _refuse(abi.encodeWithSelector(IReportLimits.ReferenceTooRecent.selector, figures.age, set.minAge), figures);
    }

    function _refuse(bytes memory error, ReportFigures memory figures) private {
        vm.expectRevert(error);
        limits.check(0, figures);
        uint256 state = vm.snapshotState();
        vm.prank(governor);
        limits.release(0);
        limits.check(0, figures); // governance let it pass by name
        vm.revertToState(state);
    }

    // --- Rounding ---

    /// @dev Whatever the rate: two stakes never give more than one, and no way there and back gains.
    function testFuzz_SplittingAndReturningGainNothing(uint256 reward, uint256 first, uint256 second, uint256 waited)
        external
    {
        vm.deal(address(rewards), bound(reward, 0, 100_000 ether));
        vm.warp(block.timestamp + 12);
        reportNow(0, 0, 0, address(rewards).balance);
        vm.warp(block.timestamp + bound(waited, 0, 2 days));
        first = bound(first, MIN_STAKE, 70_000 ether);
        second = bound(second, MIN_STAKE, 70_000 ether);
        vm.deal(alice, first + second);
        uint256 together = vault.previewDeposit(first + second);
        uint256 limit = vault.stakeLimit();
        if (first + second > limit) return;
        vm.startPrank(alice);
        uint256 apart = vault.stake{value: first}(alice, 0, address(0));
        apart += vault.stake{value: second}(alice, 0, address(0));
        vm.assertLe(apart, together, "splitting gains nothing");
        vm.assertLe(vault.convertToAssets(apart), first + second, "nor does the way back");
    }
}
