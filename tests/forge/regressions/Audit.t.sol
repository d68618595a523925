// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IReportLimits} from "../../../contracts/interfaces/IReportLimits.sol";
import {IReportOracle, Report} from "../../../contracts/interfaces/IReportOracle.sol";
import {IStakingVault} from "../../../contracts/interfaces/IStakingVault.sol";
import {IWithdrawalQueue} from "../../../contracts/interfaces/IWithdrawalQueue.sol";
import {Deployment} from "../support/Deployment.sol";
import {Oracle, OracleConfig, Queue, Vault} from "../support/Faces.sol";

interface Unrecovered {
    function unrecovered() external view returns (uint96);
}

/// @dev Code that an upgrade could give the gateway.
contract AnswersNothing {
    uint256 private _calls;

    receive() external payable {}

    function sweep() external {
        ++_calls;
    }
}

contract AnswersWithAMegabyte {
    receive() external payable {}

    function sweep() external pure {
        assembly {
            return(0, 0x100000)
        }
    }
}

contract RevertsWithAMegabyte {
    receive() external payable {}

    function sweep() external pure {
        assembly {
            revert(0, 0x100000)
        }
    }
}

contract BurnsGas {
    receive() external payable {}

    function sweep() external pure {
        while (true) {}
    }

    function cover(uint256) external pure {
        while (true) {}
    }
}

contract KnowsNothing {}

/// @dev Reads while a report asks it for cover.
contract Probe {
    Vault private immutable VAULT;
    Queue private immutable QUEUE;
    uint256[8] private _seen;
    uint256 public etherInside;

    constructor(Vault vault, Queue queue) {
        VAULT = vault;
        QUEUE = queue;
    }

    function cover(uint256) external {
        _seen = read();
        etherInside = address(VAULT).balance;
    }

    function seen() external view returns (uint256[8] memory) {
        return _seen;
    }

    function read() public view returns (uint256[8] memory) {
        return [
            VAULT.rate(),
            VAULT.supply(),
            VAULT.pooled(),
            VAULT.unvested(),
            VAULT.buffer(),
            VAULT.outside(),
            VAULT.depositable(),
            QUEUE.finalizable()
        ];
    }
}

/// @dev One test or more for each finding of the audit that was fixed; each fails on the code before.
contract AuditTest is Deployment {
    bytes32 private constant ADMIN_SLOT = 0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103;
    uint256 private constant BLOCK_GAS = 16_000_000;

    address private alice;
    address private whale;
    address private mallory;

    // what the consensus layer says, gwei
    uint64 private balance;
    uint64 private withdrawn;
    uint64 private validators;

    function setUp() public {
        deployProtocol();
        alice = named("alice");
        whale = named("whale");
        mallory = named("mallory");
    }

    // --- Short ways ---

    function _stake(address who, uint256 assets) private {
        vm.deal(who, who.balance + assets);
        vm.prank(who);
        vault.stake{value: assets}(who, 0, address(0));
    }

    function _toBeacon(uint64 amount) private {
        toBeacon(amount);
        balance += amount;
    }

    function _nextFrame() private {
        (, uint256 referenceTime,,) = oracle.expected();
        vm.warp(referenceTime + FRAME_SLOTS * SLOT + 1 hours);
    }

    function _report(uint64 provision) private returns (Report memory) {
        (uint256 slot, uint256 time,,) = oracle.expected();
        (, uint256 deposited,,) = vault.consensus();
        publishRoot(time, bytes32(slot));
        return
            Report(uint64(slot), bytes32(slot), 0, validators, balance, provision, 0, withdrawn, uint64(deposited), 0);
    }

    /// @dev By the first `count` members' keys, in the order that the oracle asks for.
    function _signatures(Report memory report, uint256 count) private view returns (bytes[] memory signatures) {
        uint256[] memory keys = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 key = signingKey(i);
            uint256 at = i;
            for (; at > 0 && vm.addr(keys[at - 1]) > vm.addr(key); --at) {
                keys[at] = keys[at - 1];
            }
            keys[at] = key;
        }
        signatures = new bytes[](count);
        bytes32 digest = oracle.digest(report);
        for (uint256 i = 0; i < count; ++i) {
            signatures[i] = sign(keys[i], digest);
        }
    }

    function _submit(Report memory report) private {
        oracle.submit(report, _signatures(report, QUORUM));
    }

    function _refuse(Report memory report, bytes memory error) private {
        bytes[] memory signatures = _signatures(report, QUORUM);
        vm.expectRevert(error);
        oracle.submit(report, signatures);
    }

    /// @dev Through the oracle, with the gas of a whole transaction.
    function _submitWith(Report memory report, uint256 gas) private returns (bool done, bytes memory answer) {
        bytes memory data = abi.encodeCall(IReportOracle.submit, (report, _signatures(report, QUORUM)));
        (done, answer) = address(oracle).call{gas: gas}(data);
    }

    function _reported(uint64 provision) private {
        _nextFrame();
        _submit(_report(provision));
    }

    function _gift(uint256 assets) private {
        vm.deal(mallory, assets);
        vm.prank(mallory);
        (bool done,) = address(gateway).call{value: assets}("");
        vm.assertTrue(done, "the gateway takes ether");
        vm.prank(mallory);
        gateway.sweep();
    }

    function _notCovered(uint256 requestedAt) private view returns (bytes memory) {
        (uint256 referenceTime, uint256 appliedAt) = vault.lastReport();
        return
            abi.encodeWithSelector(IWithdrawalQueue.RequestNotCovered.selector, requestedAt, referenceTime, appliedAt);
    }

    function _setLimits(uint16 loss, uint32 validatorsPerDay, uint64 gainAllowance) private {
        vm.prank(governor);
        limits.setLimits(IReportLimits.Limits(2_000, loss, validatorsPerDay, 13 minutes, 1 days, gainAllowance));
    }

    function _give(address code) private {
        address admin = address(uint160(uint256(vm.load(address(gateway), ADMIN_SLOT))));
        bytes memory upgrade =
            abi.encodeWithSignature("upgradeAndCall(address,address,bytes)", address(gateway), code, "");
        (bool done,) = address(access).call(abi.encodeWithSignature("execute(address,bytes)", admin, upgrade));
        vm.assertTrue(done, "upgraded");
    }

    // --- M1: the escape of a request that waits for ether ---

    /// @dev 2001 ether, 2000 of them on the consensus layer; `whale` has asked for 1000, covered and not funded.
    function _waiting() private returns (uint256 id, uint256 requestedAt) {
        _stake(alice, 1_000 ether);
        _stake(whale, 1_000 ether);
        _toBeacon(2_000e9);
        vm.warp(block.timestamp + SLOT);
        requestedAt = block.timestamp;
        vm.prank(whale);
        id = queue.request(1_000 ether, whale);
        _reported(0);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.BufferTooLow.selector, 1_000 ether, 1 ether));
        queue.finalize(id);
        vm.warp(block.timestamp + FINALIZE_WINDOW + 1);
    }

    function _bearsItsShare(uint256 id) private {
        _reported(0);
        uint256 share = vault.convertToAssets(1_000 ether);
        uint256 before = whale.balance;
        queue.finalize(id);
        queue.claim(id);
        vm.assertEq(whale.balance - before, share);
    }

    function test_M1_swept_exits_pay_no_request_in_full_after_a_slashing() external {
        (uint256 id, uint256 requestedAt) = _waiting();
        balance -= 1_040e9; // 40 are slashed, for all to see, and the exits that the request waits for arrive
        withdrawn += 1_000e9;
        vm.deal(address(gateway), 1_000 ether);
        vm.prank(whale);
        gateway.sweep();
        vm.assertEq(vault.buffer(), 1_001 ether);
        vm.expectRevert(_notCovered(requestedAt));
        queue.finalize(id);
        vm.assertEq(queue.finalizable(), 0);
        _bearsItsShare(id);
        vm.assertEq(whale.balance, uint256(1_000 ether) * 1_961 / 2_001);
        uint256 others = vault.convertToAssets(token.balanceOf(alice));
        vm.assertGe(others, whale.balance, "alice bears no more than he");
        vm.assertLe(others, whale.balance + 1, "and no less, but for a wei of rounding");
    }

    function test_M1_stake_of_the_missing_part_pays_no_request_in_full_after_a_slashing() external {
        (uint256 id, uint256 requestedAt) = _waiting();
        balance -= 40e9;
        _stake(whale, 999 ether);
        vm.assertEq(vault.buffer(), 1_000 ether);
        vm.expectRevert(_notCovered(requestedAt));
        queue.finalize(id);
        _bearsItsShare(id);
        vm.assertEq(whale.balance, uint256(1_000 ether) * 2_960 / 3_000);
    }

    function test_M1_window_ends_to_the_second() external {
        _stake(alice, 10 ether);
        vm.prank(alice);
        queue.request(1 ether, alice);
        uint256 requestedAt = block.timestamp;
        vm.warp(block.timestamp + SLOT);
        _reported(0);
        uint256 appliedAt = block.timestamp;
        vm.warp(appliedAt + FINALIZE_WINDOW + 1);
        vm.expectRevert(_notCovered(requestedAt));
        queue.finalize(1);
        vm.warp(appliedAt + FINALIZE_WINDOW);
        vm.assertEq(queue.finalize(1), 1 ether);
    }

    // --- M2: the fee on what only undoes a loss ---

    function test_M2_provision_up_and_down_ten_times_mints_no_fee() external {
        _stake(alice, 1_000 ether);
        _toBeacon(640e9);
        _reported(0);
        uint256 supply = vault.supply();
        for (uint256 i = 0; i < 10; ++i) {
            _reported(9e9);
            vm.assertEq(Unrecovered(address(vault)).unrecovered(), 9 ether);
            _reported(0);
            vm.assertEq(Unrecovered(address(vault)).unrecovered(), 0);
        }
        vm.assertEq(vault.supply(), supply);
        vm.assertEq(token.balanceOf(address(splitter)), 0);
        vm.warp(block.timestamp + VESTING);
        vm.assertEq(vault.convertToAssets(token.balanceOf(alice)), 1_000 ether);
    }

    function test_M2_gain_after_a_loss_is_charged_above_it_alone() external {
        _stake(alice, 1_000 ether);
        _toBeacon(640e9);
        _reported(0);
        balance -= 5e9;
        _reported(0);
        vm.assertEq(Unrecovered(address(vault)).unrecovered(), 5 ether);
        uint256 supply = vault.supply();
        uint256 total = vault.totalAssets();
        balance += 3e9;
        _reported(0);
        vm.assertEq(vault.supply(), supply);
        vm.assertEq(Unrecovered(address(vault)).unrecovered(), 2 ether);
        vm.warp(block.timestamp + VESTING);
        total = vault.totalAssets();
        balance += 4e9; // 2 make good, 2 are new
        _reported(0);
        uint256 feeAssets = 2 ether * FEE / 10_000;
        vm.assertEq(token.balanceOf(address(splitter)), feeAssets * supply / total);
        vm.assertEq(Unrecovered(address(vault)).unrecovered(), 0);
    }

    // --- M3: a stranger's ether in front of a signed loss ---

    function test_M3_gift_that_is_swept_in_front_of_a_signed_loss_does_not_stop_it() external {
        _stake(alice, 1_000 ether);
        _toBeacon(32e9);
        _reported(0);
        balance -= 0.1e9;
        _nextFrame();
        Report memory report = _report(0);
        bytes[] memory signatures = _signatures(report, QUORUM);
        _gift(31.9 ether + 1 gwei);
        oracle.submit(report, signatures);
        vm.assertEq(vault.outside(), 0);
        vm.assertEq(vault.buffer(), address(vault).balance);
        vm.assertEq(vault.pooled(), 1_001 ether - 0.1 ether + 1 gwei);
    }

    function test_M3_one_gwei_does_not_stop_the_loss_of_a_pool_that_was_swept_out() external {
        _stake(alice, 1_000 ether);
        _toBeacon(32e9);
        _reported(0);
        balance = 0;
        withdrawn = 31.99e9;
        vm.deal(address(gateway), 31.99 ether);
        gateway.sweep();
        _nextFrame();
        Report memory report = _report(0);
        bytes[] memory signatures = _signatures(report, QUORUM);
        _gift(1 gwei);
        oracle.submit(report, signatures);
        vm.assertEq(vault.outside(), 0);
        vm.assertEq(vault.pooled(), 1_001 ether - 0.01 ether + 1 gwei);
    }

    function test_M3_twenty_gifts_stop_none_of_twenty_losses() external {
        _stake(alice, 1_000 ether);
        _toBeacon(32e9);
        _reported(0);
        for (uint256 i = 0; i < 20; ++i) {
            _toBeacon(1e9); // so that there is something outside to be swept away
            balance -= 0.001e9;
            _nextFrame();
            Report memory report = _report(0);
            bytes[] memory signatures = _signatures(report, QUORUM);
            uint256 rate = vault.rate();
            _gift(vault.outside() - 0.001 ether + 1 gwei);
            vm.assertEq(vault.rate(), rate);
            oracle.submit(report, signatures);
            vm.assertEq(oracle.lastReferenceSlot(), report.referenceSlot);
            vm.assertEq(vault.buffer(), address(vault).balance);
        }
    }

    // --- L1: what must not stop a report ---

    function test_L1_no_code_of_the_gateway_stops_a_report() external {
        _stake(alice, 100 ether);
        _toBeacon(32e9);
        address[5] memory codes = [
            address(new AnswersNothing()),
            address(new AnswersWithAMegabyte()),
            address(new RevertsWithAMegabyte()),
            address(new BurnsGas()),
            address(new KnowsNothing())
        ];
        for (uint256 i = 0; i < codes.length; ++i) {
            _give(codes[i]);
            _nextFrame();
            balance += 0.01e9;
            Report memory report = _report(0);
            (bool done,) = _submitWith(report, BLOCK_GAS);
            vm.assertTrue(done, "a report passes");
            vm.assertEq(oracle.lastReferenceSlot(), report.referenceSlot);
        }
        vm.assertEq(vault.pooled(), 101.05 ether);
    }

    /// @dev 1001 ether, 50 of them in the cover fund; 320 on the consensus layer, of which 10 are lost.
    function _lost() private returns (Report memory report) {
        _stake(alice, 1_000 ether);
        vm.prank(alice);
        token.transfer(address(cover), 50 ether);
        _toBeacon(320e9);
        _reported(0);
        balance -= 10e9;
        _nextFrame();
        report = _report(0);
        report.faults = 10e9;
    }

    function _setModules(address bonds, address fund) private {
        vm.prank(governor);
        vault.setBonds(bonds);
        vm.prank(governor);
        vault.setCover(fund);
    }

    function test_L1_module_whose_code_is_gone_covers_nothing_and_stops_nothing() external {
        Report memory report = _lost();
        address module = address(new KnowsNothing());
        _setModules(module, address(cover));
        vm.etch(module, "");
        _submit(report);
        vm.assertEq(token.balanceOf(address(cover)), 40 ether);
        vm.assertEq(vault.rate(), 1 ether);
    }

    function test_L1_two_modules_that_burn_their_gas_stop_nothing() external {
        Report memory report = _lost();
        address burner = address(new BurnsGas());
        _setModules(burner, burner);
        (bool done,) = _submitWith(report, 6_000_000);
        vm.assertTrue(done, "a loss passes");
        vm.assertEq(vault.totalAssets(), 991 ether);
    }

    function test_L1_who_sends_the_report_cannot_starve_the_cover_fund() external {
        Report memory report = _lost();
        _setModules(address(new BurnsGas()), address(cover));
        uint256 refused;
        uint256 passed;
        for (uint256 gas = 1_000_000; gas <= 2_700_000; gas += 25_000) {
            uint256 state = vm.snapshotState();
            (bool done, bytes memory answer) = _submitWith(report, gas);
            if (done) {
                vm.assertEq(token.balanceOf(address(cover)), 40 ether);
                ++passed;
            } else if (bytes4(answer) == IStakingVault.GasTooLow.selector) {
                uint256 needed;
                assembly ("memory-safe") {
                    needed := mload(add(answer, 0x44))
                }
                vm.assertEq(needed, 1_000_000);
                ++refused;
            }
            vm.revertToState(state);
        }
        vm.assertTrue(refused != 0, "some were too low");
        vm.assertTrue(passed != 0, "some were enough");
    }

    // --- L2, L3: limits ---

    function test_L2_gain_allowance_is_bounded() external {
        _setLimits(500, 5_000, 2_048e9);
        vm.expectRevert(IReportLimits.LimitsOutOfBounds.selector);
        _setLimits(500, 5_000, 2_048e9 + 1);
    }

    function test_L3_loss_limit_grows_with_the_time_elapsed() external {
        _stake(alice, 1_000 ether);
        _toBeacon(900e9);
        _reported(0);
        balance -= 60e9;
        _nextFrame();
        _refuse(_report(0), abi.encodeWithSelector(IReportLimits.LossAboveLimit.selector, 60 ether, 50.05 ether));
        _nextFrame();
        _submit(_report(0));
        vm.assertEq(vault.totalAssets(), 941 ether);
    }

    function test_L3_loss_limit_ends_at_half_however_long_the_silence() external {
        _stake(alice, 1_000 ether);
        _toBeacon(900e9);
        _reported(0);
        for (uint256 i = 0; i < 20; ++i) {
            _nextFrame();
        }
        balance -= 500.5e9 + 1;
        _refuse(
            _report(0), abi.encodeWithSelector(IReportLimits.LossAboveLimit.selector, 500.5 ether + 1 gwei, 500.5 ether)
        );
        balance += 1;
        _submit(_report(0));
        vm.assertEq(vault.totalAssets(), 500.5 ether);
    }

    // --- L4 ---

    function test_L4_token_cannot_be_the_fee_recipient() external {
        vm.prank(governor);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.FeeRecipientInvalid.selector, address(token)));
        vault.setFee(address(token), FEE);
    }

    // --- L5 ---

    function test_L5_sandwich_around_the_report_after_fourteen_silent_days_earns_a_days_share() external {
        _stake(alice, 10_000 ether);
        _toBeacon(10_000e9);
        _reported(0);
        for (uint256 i = 0; i < 14; ++i) {
            _nextFrame();
        }
        balance += 14e9; // 14 days at 3.65 % a year
        Report memory report = _report(0);
        _stake(whale, 90_000 ether);
        _submit(report);
        uint256 shares = token.balanceOf(whale);
        vm.warp(block.timestamp + SLOT);
        vm.prank(whale);
        uint256 id = queue.request(shares, whale);
        _nextFrame();
        balance += 1e9;
        _stake(alice, 1_000 ether);
        _submit(_report(0));
        queue.finalize(id);
        queue.claim(id);
        // 12.6 ether after the fee vest over 14 days; he was there for one of them with 90,000 of 100,001 shares
        uint256 fair = 12.6 ether * uint256(90_000) / 100_001 / 14;
        vm.assertGe(whale.balance, 90_000 ether, "a day's rewards are his");
        vm.assertLe(whale.balance - 90_000 ether, fair, "and no more");
    }

    // --- L6 ---

    function test_L6_key_that_was_just_rotated_does_not_spoil_the_others() external {
        _nextFrame();
        Report memory report = _report(0);
        bytes[] memory bare = _signatures(report, QUORUM);
        bytes[] memory more = _signatures(report, QUORUM + 1);
        vm.prank(vm.addr(memberKey(0)));
        oracle.rotateKey(named("new key"));
        vm.expectRevert(abi.encodeWithSelector(IReportOracle.QuorumNotReached.selector, QUORUM - 1, QUORUM));
        oracle.submit(report, bare);
        oracle.submit(report, more);
        vm.assertEq(oracle.lastReferenceSlot(), report.referenceSlot);
    }

    // --- L7 ---

    function test_L7_total_loss_does_not_end_reports() external {
        _stake(alice, 31 ether);
        _toBeacon(32e9);
        _reported(0);
        balance = 0;
        _nextFrame();
        Report memory report = _report(0);
        bytes32 digest = oracle.digest(report);
        vm.prank(governor);
        limits.release(digest);
        _submit(report);
        vm.assertEq(vault.totalAssets(), 0);
        balance = 1e9;
        _reported(0);
        vm.warp(block.timestamp + VESTING);
        vm.assertEq(vault.totalAssets(), 1 ether);
        _stake(alice, 1 ether);
        vm.assertEq(vault.totalAssets(), 2 ether);
    }

    // --- L8 ---

    function test_L8_what_a_module_reads_within_a_report_is_what_was_true_before() external {
        Report memory report = _lost();
        vm.prank(alice);
        queue.request(1 ether, alice);
        Probe probe = new Probe(vault, queue);
        _setModules(address(probe), address(cover));
        uint256[8] memory before = probe.read();
        _submit(report);
        uint256[8] memory inside = probe.seen();
        for (uint256 i = 0; i < before.length; ++i) {
            vm.assertEq(inside[i], before[i]);
        }
        vm.assertEq(inside[4], probe.etherInside());
        vm.assertTrue(inside[5] != vault.outside(), "the report did change what was read");
    }

    // --- L9 ---

    function test_L9_new_oracle_starts_from_the_known_number_of_validators() external {
        _setLimits(500, 100, 32e9);
        _stake(alice, 1_000 ether);
        _toBeacon(640e9);
        validators = 100;
        _reported(0);
        validators = 200;
        _reported(0);
        OracleConfig memory config = oracleConfig();
        config.validators = 200;
        oracle = Oracle(vm.deployCode("ReportOracle.sol:ReportOracle", abi.encode(config)));
        vm.prank(governor);
        vault.setOracle(address(oracle));
        vm.assertEq(oracle.validators(), 200);
        _nextFrame();
        validators = 301;
        _refuse(_report(0), abi.encodeWithSelector(IReportLimits.ValidatorChangeAboveLimit.selector, 101, 100));
        validators = 300;
        _submit(_report(0));
        vm.assertEq(oracle.validators(), 300);
    }
}
