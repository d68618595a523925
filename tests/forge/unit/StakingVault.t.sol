// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IRewardsVault} from "../../../contracts/interfaces/IRewardsVault.sol";
import {IStakedEther} from "../../../contracts/interfaces/IStakedEther.sol";
import {BeaconDeposit, ConsensusReport, IStakingVault} from "../../../contracts/interfaces/IStakingVault.sol";
import {IWithdrawalGateway} from "../../../contracts/interfaces/IWithdrawalGateway.sol";
import {Deployment} from "../support/Deployment.sol";
import {AccessManagedError, OfficialDepositContract, Vault, VaultConfig} from "../support/Faces.sol";
import {SigningWallet, ReentrantModule, RejectsEther, ScriptedModule} from "../support/Helpers.sol";

/// @dev Writes down the gas it was given.
contract GasGauge {
    uint256 public seen;

    function cover(uint256) external {
        seen = gasleft();
    }
}

/// @dev The whole of StakingVault in exact numbers. Fast: the mutation run asks it about every mutant.
contract StakingVaultTest is Deployment {
    address internal alice;
    address internal bob;

    function setUp() public {
        deployProtocol();
        alice = named("alice");
        bob = named("bob");
        vm.deal(alice, 1_000_000 ether);
        vm.deal(bob, 1_000_000 ether);
    }

    /// @dev A state where nothing is round: 1000 ether staked, 640 on the beacon chain, a gain half vested.
    function _age() internal {
        vm.prank(alice);
        vault.stake{value: 1_000 ether + 7}(alice, 0, address(0));
        toBeacon(640e9);
        vm.deal(address(rewards), 3 ether + 1);
        vm.warp(block.timestamp + 1 days);
        reportNow(647.123456789e9, 0, 0, 3 ether + 1);
        vm.warp(block.timestamp + 37_123);
    }

    // --- Constructor ---

    function _config() internal returns (VaultConfig memory config) {
        config = vaultConfig();
        uint64 nonce = vm.getNonce(address(this));
        // the token is deployed next, the vault after it
        config.token = vm.computeCreateAddress(address(this), nonce);
        address created = create(
            bytes.concat(
                vm.getCode("StakedEther.sol:StakedEther"),
                abi.encode(vm.computeCreateAddress(address(this), nonce + 1), address(queue))
            ),
            0
        );
        vm.assertEq(created, config.token);
    }

    function _vaultCode(VaultConfig memory config) internal view returns (bytes memory) {
        return bytes.concat(vm.getCode("StakingVault.sol:StakingVault"), abi.encode(config));
    }

    function test_ConstructorSetsEverythingAndMintsTheSeed() external {
        VaultConfig memory config = _config();
        config.bonds = address(0xb0);
        config.fee = 2_000; // the highest allowed
        bytes memory code = _vaultCode(config);
        address at = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        vm.deal(address(this), 3 ether);
        vm.expectEmit(at);
        emit IStakingVault.FeeChanged(address(0), 0, address(splitter), 2_000);
        vm.expectEmit(at);
        emit IStakingVault.StakeLimitChanged(0, 0, BURST, GROWTH);
        vm.expectEmit(at);
        emit IStakingVault.OracleChanged(address(0), address(_at("ReportOracle")));
        vm.expectEmit(at);
        emit IStakingVault.BondsChanged(address(0), address(0xb0));
        vm.expectEmit(at);
        emit IStakingVault.CoverChanged(address(0), address(cover));
        vm.expectEmit(at);
        emit IStakingVault.Deposit(address(this), SEED_HOLDER, 3 ether, 3 ether);
        Vault made = Vault(payable(create(code, 3 ether)));
        vm.assertEq(address(made), at);
        vm.assertEq(made.pooled(), 3 ether);
        vm.assertEq(made.supply(), 3 ether);
        vm.assertEq(made.buffer(), 3 ether);
        vm.assertEq(made.outside(), 0);
        vm.assertEq(made.unvested(), 0);
        vm.assertEq(made.rate(), 1 ether);
        vm.assertEq(made.stakeLimit(), BURST);
        vm.assertEq(made.fee(), 2_000);
        vm.assertEq(made.feeRecipient(), address(splitter));
        vm.assertEq(made.bonds(), address(0xb0));
        vm.assertEq(made.oracle(), _at("ReportOracle"));
        vm.assertEq(made.referenceTime(), block.timestamp);
        vm.assertEq(made.MIN_STAKE(), MIN_STAKE);
        vm.assertEq(made.VESTING_PERIOD(), VESTING);
        vm.assertEq(made.MAX_PAUSE(), 14 days);
        vm.assertEq(made.MAX_FEE(), 2_000);
        vm.assertEq(made.MIN_SEED(), 1 ether);
        vm.assertEq(made.SEED_HOLDER(), SEED_HOLDER);
        vm.assertEq(made.authority(), address(access));
        vm.assertEq(IERC20(config.token).balanceOf(SEED_HOLDER), 3 ether);
    }

    function test_ConstructorTakesTheLeastSeed() external {
        bytes memory code = _vaultCode(_config());
        vm.deal(address(this), 1 ether);
        vm.assertEq(Vault(payable(create(code, 1 ether))).supply(), 1 ether);
    }

    function test_ConstructorRefusesASmallSeed() external {
        bytes memory code = _vaultCode(_config());
        vm.deal(address(this), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.SeedBelowMinimum.selector, 1 ether - 1, 1 ether));
        create(code, 1 ether - 1);
    }

    function test_ConstructorRefusesAFeeAboveTheMaximum() external {
        VaultConfig memory config = _config();
        config.fee = 2_001;
        bytes memory code = _vaultCode(config);
        vm.deal(address(this), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.FeeAboveMaximum.selector, 2_001, 2_000));
        create(code, 1 ether);
    }

    function test_ConstructorRefusesNoFeeRecipient() external {
        VaultConfig memory config = _config();
        config.feeRecipient = address(0);
        bytes memory code = _vaultCode(config);
        vm.deal(address(this), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.FeeRecipientInvalid.selector, address(0)));
        create(code, 1 ether);
    }

    function test_ConstructorRefusesSettingsThatMakeNoSense() external {
        VaultConfig memory config = _config();
        vm.deal(address(this), 1 ether);
        config.minStake = 0;
        _refuseConfig(config);
        config.minStake = 1;
        config.vestingPeriod = 0;
        _refuseConfig(config);
        config.vestingPeriod = 30 days + 1;
        _refuseConfig(config);
        config = _config(); // the next address
        config.minStake = 1;
        config.vestingPeriod = 30 days;
        Vault made = Vault(payable(create(_vaultCode(config), 1 ether)));
        vm.assertEq(made.VESTING_PERIOD(), 30 days);
        vm.assertEq(made.MAX_VESTING_PERIOD(), 30 days);
    }

    function _refuseConfig(VaultConfig memory config) internal {
        bytes memory code = _vaultCode(config);
        vm.expectRevert(IStakingVault.ConfigInvalid.selector);
        create(code, 1 ether);
    }

    // --- Stake ---

    function test_StakeMintsSharesRoundedDown() external {
        _age();
        uint256 total = vault.totalAssets();
        uint256 supply = vault.supply();
        uint256 pooled = vault.pooled();
        uint256 room = vault.stakeLimit();
        uint256 expected = 5 ether * supply / total;
        vm.assertEq(vault.previewDeposit(5 ether), expected);
        vm.expectEmit(address(token));
        emit IERC20.Transfer(address(0), bob, expected);
        vm.expectEmit(address(vault));
        emit IStakingVault.Deposit(alice, bob, 5 ether, expected);
        vm.expectEmit(address(vault));
        emit IStakingVault.Referred(treasury, bob, 5 ether, expected);
        vm.prank(alice);
        vm.assertEq(vault.stake{value: 5 ether}(bob, expected, treasury), expected);
        vm.assertEq(token.balanceOf(bob), expected);
        vm.assertEq(vault.supply(), supply + expected);
        vm.assertEq(vault.pooled(), pooled + 5 ether);
        vm.assertEq(vault.totalAssets(), total + 5 ether);
        vm.assertEq(vault.stakeLimit(), room - 5 ether);
    }

    function test_StakeRefusesFewerSharesThanAsked() external {
        _age();
        uint256 expected = vault.previewDeposit(5 ether);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.SharesBelowMinimum.selector, expected, expected + 1));
        vault.stake{value: 5 ether}(bob, expected + 1, address(0));
    }

    function test_StakeWithoutReferralSaysNothingOfOne() external {
        vm.recordLogs();
        vm.prank(alice);
        vault.stake{value: 1 ether}(bob, 0, address(0));
        vm.assertEq(vm.getRecordedLogs().length, 2); // Transfer, Deposit
    }

    function test_PlainEtherStakesForItsSender() external {
        vm.prank(alice);
        (bool done,) = address(vault).call{value: 2 ether}("");
        vm.assertEq(done, true);
        vm.assertEq(token.balanceOf(alice), 2 ether);
    }

    function test_StakeTakesTheLeastAndNothingLess() external {
        vm.startPrank(alice);
        vault.stake{value: MIN_STAKE}(alice, 0, address(0));
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.StakeBelowMinimum.selector, MIN_STAKE - 1, MIN_STAKE));
        vault.stake{value: MIN_STAKE - 1}(alice, 0, address(0));
    }

    function test_StakeRefusesTheZeroAndTheTokensAddress() external {
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSignature("ERC20InvalidReceiver(address)", address(0)));
        vault.stake{value: 1 ether}(address(0), 0, address(0));
        vm.expectRevert(abi.encodeWithSignature("ERC20InvalidReceiver(address)", address(token)));
        vault.stake{value: 1 ether}(address(token), 0, address(0));
    }

    function test_DepositIsAStakeOfWhatWasSent() external {
        _age();
        uint256 expected = 5 ether * vault.supply() / vault.totalAssets();
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.WrongValue.selector, 5 ether, 5 ether + 1));
        vault.deposit{value: 5 ether}(5 ether + 1, bob);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.WrongValue.selector, 5 ether, 5 ether - 1));
        vault.deposit{value: 5 ether}(5 ether - 1, bob);
        vm.assertEq(vault.deposit{value: 5 ether}(5 ether, bob), expected);
        vm.assertEq(token.balanceOf(bob), expected);
    }

    function test_MintCostsRoundedUpAndGivesTheRestBack() external {
        _age();
        uint256 total = vault.totalAssets();
        uint256 supply = vault.supply();
        uint256 pooled = vault.pooled();
        uint256 shares = 3 ether + 5;
        uint256 cost = (shares * total + supply - 1) / supply;
        vm.assertTrue(shares * total % supply != 0, "the rounding shows");
        vm.assertEq(vault.previewMint(shares), cost);
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.WrongValue.selector, cost - 1, cost));
        vault.mint{value: cost - 1}(shares, bob);
        uint256 held = alice.balance;
        vm.expectEmit(address(vault));
        emit IStakingVault.Deposit(alice, bob, cost, shares);
        vm.assertEq(vault.mint{value: cost + 17}(shares, bob), cost);
        vm.assertEq(held - alice.balance, cost);
        vm.assertEq(token.balanceOf(bob), shares);
        vm.assertEq(vault.pooled(), pooled + cost);
        vm.assertEq(vault.supply(), supply + shares);
        vault.mint{value: cost + 1}(shares, bob); // the price has not risen by a wei
        vm.assertEq(token.balanceOf(bob), 2 * shares);
    }

    function test_MintRefusesARefundThatIsNotTaken() external {
        RejectsEther caller = new RejectsEther();
        vm.deal(address(caller), 2 ether);
        vm.prank(address(caller));
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.RefundFailed.selector, address(caller), 3));
        vault.mint{value: 1 ether + 3}(1 ether, bob);
        vm.prank(address(caller));
        vault.mint{value: 1 ether}(1 ether, bob); // no refund, no call
        vm.assertEq(token.balanceOf(bob), 1 ether);
    }

    function test_RefundBringsGas() external {
        SigningWallet wallet = new SigningWallet();
        vm.deal(address(this), 5 ether);
        wallet.run{value: 2 ether}(address(vault), 2 ether, abi.encodeCall(vault.mint, (1 ether, bob)));
        vm.assertEq(address(wallet).balance, 1 ether);
    }

    // --- Limit and pause ---

    function test_LimitFallsWithStakesAndGrowsForADay() external {
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.StakeAboveLimit.selector, BURST + 1, BURST));
        vault.stake{value: BURST + 1}(alice, 0, address(0));
        vault.stake{value: BURST}(alice, 0, address(0));
        vm.assertEq(vault.stakeLimit(), 0);
        vm.assertEq(vault.maxDeposit(alice), 0);
        vm.assertEq(vault.maxMint(alice), 0);
        vm.warp(block.timestamp + 100);
        vm.assertEq(vault.stakeLimit(), 100 * GROWTH);
        vm.warp(block.timestamp + 1 days - 101);
        vm.assertEq(vault.stakeLimit(), (1 days - 1) * GROWTH);
        vm.warp(block.timestamp + 1);
        vm.assertEq(vault.stakeLimit(), 1 days * GROWTH);
        vm.warp(block.timestamp + 10 days);
        vm.assertEq(vault.stakeLimit(), 1 days * GROWTH);
    }

    function test_MaximaAreZeroBelowTheLeastStake() external {
        vm.prank(governor);
        vault.setStakeLimit(MIN_STAKE, 0);
        vm.assertEq(vault.maxDeposit(alice), MIN_STAKE);
        vm.assertEq(vault.maxMint(alice), MIN_STAKE);
        vm.prank(governor);
        vault.setStakeLimit(MIN_STAKE - 1 gwei, 0);
        vm.assertEq(vault.stakeLimit(), MIN_STAKE - 1 gwei);
        vm.assertEq(vault.maxDeposit(alice), 0);
        vm.assertEq(vault.maxMint(alice), 0);
    }

    function test_MaximaAreExact() external {
        _age();
        uint256 most = vault.maxMint(bob);
        vm.assertEq(most, vault.stakeLimit() * vault.supply() / vault.totalAssets());
        uint256 dear = vault.previewMint(most + 1);
        uint256 room = vault.stakeLimit();
        vm.assertEq(vault.maxDeposit(bob), room);
        vm.startPrank(bob);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.StakeAboveLimit.selector, dear, room));
        vault.mint{value: dear}(most + 1, bob);
        vault.mint{value: room}(most, bob);
    }

    function test_PauseHoldsUntilItsSecondAndIsOver() external {
        vm.expectEmit(address(vault));
        emit IStakingVault.StakingPaused(block.timestamp + 14 days);
        vm.prank(guardian);
        vault.pauseStaking(14 days);
        uint256 until = block.timestamp + 14 days;
        vm.assertEq(vault.stakingPausedUntil(), until);
        vm.warp(until - 1);
        vm.assertEq(vault.stakeLimit(), 0);
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.StakingIsPaused.selector, until));
        vault.stake{value: 1 ether}(alice, 0, address(0));
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.StakingIsPaused.selector, until));
        vault.mint{value: 1 ether}(1 ether, alice);
        vm.warp(until);
        vm.assertEq(vault.stakeLimit(), BURST + 1 days * GROWTH);
        vault.stake{value: 1 ether}(alice, 0, address(0));
    }

    function test_PauseIsNotLongerThanFourteenDaysAndCanBeEnded() external {
        vm.startPrank(guardian);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.PauseTooLong.selector, 14 days + 1, 14 days));
        vault.pauseStaking(14 days + 1);
        vault.pauseStaking(1 days);
        vm.expectEmit(address(vault));
        emit IStakingVault.StakingResumed();
        vault.resumeStaking();
        vm.assertEq(vault.stakingPausedUntil(), 0);
        vm.assertEq(vault.stakeLimit(), BURST);
    }

    function test_SetStakeLimitKeepsWhatIsAvailableUpToTheBurst() external {
        vm.prank(alice);
        vault.stake{value: BURST - 40 ether}(alice, 0, address(0));
        vm.expectEmit(address(vault));
        emit IStakingVault.StakeLimitChanged(BURST, GROWTH, 100 ether, 3 gwei);
        vm.prank(governor);
        vault.setStakeLimit(100 ether + 1, 3 gwei + 999_999_999); // cut to gwei
        vm.assertEq(vault.stakeLimit(), 40 ether);
        vm.warp(block.timestamp + 10);
        vm.assertEq(vault.stakeLimit(), 40 ether + 30 gwei);
        vm.prank(governor);
        vault.setStakeLimit(30 ether, 0);
        vm.assertEq(vault.stakeLimit(), 30 ether);
        vm.warp(block.timestamp + 10);
        vm.assertEq(vault.stakeLimit(), 30 ether);
        vm.prank(governor);
        vault.setStakeLimit(500 ether, 0); // gives nothing at once
        vm.assertEq(vault.stakeLimit(), 30 ether);
        reportAfter(1);
        vm.assertEq(vault.stakeLimit(), 30 ether);
    }

    function reportAfter(uint256 seconds_) internal {
        vm.warp(block.timestamp + seconds_);
        reportNow(0, 0, 0, 0);
    }

    function test_ReportKeepsTheRoomUpToTheBurstAndStartsTheDayAnew() external {
        vm.prank(governor);
        vault.setStakeLimit(50 ether, 1 gwei);
        vm.warp(block.timestamp + 1 days);
        vm.assertEq(vault.stakeLimit(), 50 ether + 86_400 gwei);
        reportNow(0, 0, 0, 0);
        vm.assertEq(vault.stakeLimit(), 50 ether); // cut to the burst
        vm.prank(alice);
        vault.stake{value: 20 ether}(alice, 0, address(0));
        vm.warp(block.timestamp + 100);
        vm.assertEq(vault.stakeLimit(), 30 ether + 100 gwei);
        vm.deal(address(rewards), 1 ether);
        reportNow(0, 0, 0, 1 ether);
        vm.assertEq(vault.stakeLimit(), 30 ether + 100 gwei); // what a report adds takes no room
        vm.warp(block.timestamp + 100);
        vm.assertEq(vault.stakeLimit(), 30 ether + 200 gwei);
    }

    function test_SetStakeLimitBounds() external {
        uint256 burst = uint256(type(uint56).max) * 1 gwei;
        uint256 growth = uint256(type(uint32).max) * 1 gwei;
        vm.startPrank(governor);
        vault.setStakeLimit(burst, growth);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.StakeLimitOutOfBounds.selector, burst + 1 gwei, growth));
        vault.setStakeLimit(burst + 1 gwei, growth);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.StakeLimitOutOfBounds.selector, burst, growth + 1 gwei));
        vault.setStakeLimit(burst, growth + 1 gwei);
        vm.warp(block.timestamp + 10);
        vm.assertEq(vault.stakeLimit(), BURST + 10 * growth);
    }

    // --- Reading ---

    function test_ConversionsRoundAgainstTheCaller() external {
        _age();
        uint256 total = vault.totalAssets();
        uint256 supply = vault.supply();
        vm.assertEq(vault.convertToShares(7 ether), 7 ether * supply / total);
        vm.assertEq(vault.convertToAssets(7 ether), 7 ether * total / supply);
        vm.assertEq(vault.previewRedeem(7 ether), 7 ether * total / supply);
        vm.assertEq(vault.previewWithdraw(7 ether), (7 ether * supply + total - 1) / total);
        vm.assertTrue(7 ether * supply % total != 0, "the rounding shows");
        vm.assertEq(vault.rate(), 1 ether * total / supply);
        vm.assertEq(vault.previewMint(0), 0);
        vm.assertEq(vault.asset(), 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE);
    }

    function test_NothingLeavesAtOnce() external {
        vm.assertEq(vault.maxWithdraw(SEED_HOLDER), 0);
        vm.assertEq(vault.maxRedeem(SEED_HOLDER), 0);
        vm.expectRevert(IStakingVault.SynchronousExitUnavailable.selector);
        vault.withdraw(1, alice, alice);
        vm.expectRevert(IStakingVault.SynchronousExitUnavailable.selector);
        vault.redeem(1, alice, alice);
    }

    function test_SupportsInterface() external view {
        vm.assertEq(vault.supportsInterface(0x01ffc9a7), true); // ERC-165
        vm.assertEq(vault.supportsInterface(0x2f0a18c5), true); // ERC-7575
        // ERC-7535: xor of the functions of IERC7535
        bytes4 id = vault.asset.selector ^ vault.totalAssets.selector ^ vault.convertToShares.selector
            ^ vault.convertToAssets.selector ^ vault.maxDeposit.selector ^ vault.previewDeposit.selector
            ^ vault.deposit.selector ^ vault.maxMint.selector ^ vault.previewMint.selector ^ vault.mint.selector
            ^ vault.maxWithdraw.selector ^ vault.previewWithdraw.selector ^ vault.withdraw.selector
            ^ vault.maxRedeem.selector ^ vault.previewRedeem.selector
            ^ bytes4(keccak256("redeem(uint256,address,address)"));
        vm.assertEq(vault.supportsInterface(id), true);
        vm.assertEq(vault.supportsInterface(0xffffffff), false);
    }

    // --- Redeem ---

    function test_RedeemBurnsThePaidShares() external {
        _age();
        vm.prank(alice);
        queue.request(100 ether, alice);
        uint256 total = vault.totalAssets();
        uint256 supply = vault.supply();
        uint256 pooled = vault.pooled();
        uint256 buffer = vault.buffer();
        uint256 shares = 30 ether + 1 gwei;
        uint256 assets = shares * total / supply;
        vm.expectEmit(address(token));
        emit IERC20.Transfer(address(queue), address(0), shares);
        vm.expectEmit(address(vault));
        emit IStakingVault.Redeemed(shares, assets);
        vm.prank(address(queue));
        vm.assertEq(vault.redeem(shares), assets);
        vm.assertEq(address(queue).balance, assets);
        vm.assertEq(vault.supply(), supply - shares);
        vm.assertEq(vault.pooled(), pooled - assets);
        vm.assertEq(vault.buffer(), buffer - assets);
        vm.assertEq(token.balanceOf(address(queue)), 70 ether - 1 gwei);
    }

    function test_RedeemPaysTheWholeBufferAndNotMore() external {
        vm.prank(alice);
        vault.stake{value: 63 ether}(alice, 0, address(0));
        toBeacon(32e9);
        vm.prank(alice);
        queue.request(63 ether, alice);
        vm.startPrank(address(queue));
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.BufferTooLow.selector, 32 ether + 1, 32 ether));
        vault.redeem(32 ether + 1);
        vault.redeem(32 ether);
        vm.assertEq(vault.buffer(), 0);
        vm.assertEq(vault.pooled(), 32 ether);
    }

    function test_TheLastWeiOfTheBufferCanBeAskedFor() external {
        vm.prank(alice);
        vault.stake{value: 63 ether}(alice, 0, address(0));
        toBeacon(32e9);
        vm.prank(alice);
        queue.request(32 ether, alice);
        vm.warp(block.timestamp + 12);
        reportNow(32e9, 0, 0, 0);
        vm.assertEq(vault.buffer(), 32 ether);
        vm.assertEq(queue.finalizable(), 1);
        vm.assertEq(queue.finalize(1), 32 ether);
    }

    function test_RedeemIsForTheQueueAlone() external {
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.CallerNotAllowed.selector, address(this), address(queue)));
        vault.redeem(1);
    }

    // --- Report: who and when ---

    function test_ReportIsForTheOracleAlone() external {
        ConsensusReport memory given;
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.CallerNotAllowed.selector, address(this), address(oracle)));
        vault.report(given);
    }

    function test_ReportTimeRisesAndIsNotAhead() external {
        uint256 last = block.timestamp;
        ConsensusReport memory given;
        given.referenceTime = uint40(last);
        vm.warp(last + 100);
        vm.startPrank(address(oracle));
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.ReferenceTimeOutOfOrder.selector, last, last, last + 100));
        vault.report(given);
        given.referenceTime = uint40(last + 101);
        vm.expectRevert(
            abi.encodeWithSelector(IStakingVault.ReferenceTimeOutOfOrder.selector, last + 101, last, last + 100)
        );
        vault.report(given);
        given.referenceTime = uint40(last + 1);
        vault.report(given);
        vm.assertEq(vault.referenceTime(), last + 1);
        given.referenceTime = uint40(last + 100);
        vault.report(given);
        vm.assertEq(vault.referenceTime(), last + 100);
    }

    function test_ReportRefusesADepositedCounterAboveOurs() external {
        _age();
        ConsensusReport memory given = ConsensusReport(uint40(block.timestamp), 647e9, 0, 0, 0, 640e9 + 1, 0);
        vm.startPrank(address(oracle));
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.DepositedAboveCounter.selector, 640e9 + 1, 640e9));
        vault.report(given);
        given.deposited = 640e9;
        vault.report(given);
    }

    function test_ReportOfAnOlderCounterLeavesYoungDepositsOutside() external {
        _age();
        toBeacon(64e9);
        ConsensusReport memory given = ConsensusReport(uint40(block.timestamp), 647.123456789e9, 0, 0, 0, 640e9, 0);
        vm.prank(address(oracle));
        (int256 profit,) = vault.report(given);
        vm.assertEq(profit, 0);
        vm.assertEq(vault.outside(), 711.123456789 ether);
    }

    function test_ReportRefusesMoreWithdrawnThanReceived() external {
        _age();
        vm.deal(address(gateway), 5 ether + 999_999_999);
        refuseReport(
            abi.encodeWithSelector(IStakingVault.WithdrawnAboveReceived.selector, 5e9 + 1, 5e9), 642e9, 0, 5e9 + 1, 0
        );
        reportNow(642.123456789e9, 0, 5e9, 0);
        vm.assertEq(address(gateway).balance, 999_999_999);
        (,, uint256 swept,) = vault.consensus();
        vm.assertEq(swept, 5e9);
        vm.warp(block.timestamp + 12);
        vm.deal(address(gateway), 2 ether);
        refuseReport(
            abi.encodeWithSelector(IStakingVault.WithdrawnAboveReceived.selector, 7e9 + 1, 7e9), 640e9, 0, 7e9 + 1, 0
        );
    }

    function test_LastReportTellsBothTimes() external {
        _age();
        uint256 now_ = block.timestamp;
        ConsensusReport memory given = ConsensusReport(uint40(now_ - 777), 647.123456789e9, 0, 0, 0, 640e9, 0);
        vm.prank(address(oracle));
        vault.report(given);
        vm.warp(now_ + 5);
        (uint256 referenceTime, uint256 appliedAt) = vault.lastReport();
        vm.assertEq(referenceTime, now_ - 777);
        vm.assertEq(appliedAt, now_);
    }

    function test_GiftThatMakesALossGoodMustBeThere() external {
        _age();
        vm.deal(address(gateway), 100 ether);
        gateway.sweep();
        // 100 swept of what lay in the gateway; 30 are left outside, 20 of 50 more are claimed as withdrawn
        vm.deal(address(gateway), 50 ether);
        refuseReport(
            abi.encodeWithSelector(IStakingVault.WithdrawnAboveReceived.selector, 151e9, 150e9), 30e9, 0, 151e9, 0
        );
        (int256 profit,) = reportNow(30e9, 0, 20e9, 0);
        // outside would be 30 + 20 - 100: 50 of the gifts count
        vm.assertEq(profit, 30 ether + 70 ether - 647.123456789 ether);
        (int256 sum,,,) = vault.consensus();
        vm.assertEq(sum, 100e9 - 640e9);
        vm.assertEq(vault.outside(), 0);
        vm.assertEq(address(gateway).balance, 50 ether); // nothing is outside that it could stand for
    }

    function test_ProvisionCannotClaimWhatNeverCame() external {
        _age();
        refuseReport(abi.encodeWithSelector(IStakingVault.WithdrawnAboveReceived.selector, 1e9, 0), 0, 1e9, 0, 0);
    }

    function test_LossOfOneWeiIsCoveredOrMissing() external {
        _age();
        uint256 start = vault.unvested();
        vm.deal(address(rewards), 2 gwei);
        (int256 profit,) = reportNow(647.123456788e9, 0, 0, 1 gwei - 1);
        vm.assertEq(profit, -1);
        vm.assertEq(vault.unvested(), start - 1);
        vm.assertEq(vault.unrecovered(), 1);
        vm.warp(block.timestamp + 12);
        reportNow(648.123456788e9, 0, 0, 0);
        vm.assertEq(vault.unrecovered(), 0);
        ScriptedModule bonds = new ScriptedModule(address(token), address(vault));
        vm.prank(governor);
        vault.setBonds(address(bonds));
        vm.prank(alice);
        token.transfer(address(bonds), 1 ether);
        vm.warp(block.timestamp + 12);
        // faults are told in whole gwei: what bonds pay beyond the loss vests
        start = vault.unvested();
        uint256 shares = vault.previewWithdraw(1 gwei);
        vm.expectEmit(address(vault));
        emit IStakingVault.LossCovered(address(bonds), shares, 1 gwei);
        reportNow(648.123456787e9, 0, 0, 1 gwei - 1);
        vm.assertEq(vault.unrecovered(), 0);
        vm.assertEq(vault.unvested(), start + 1 gwei - 1);
    }

    // --- Faults ---

    /// @dev 10 ether of faults among gains of 15: bonds pay all of it, nothing of that shows in the rate at once.
    function test_BondsPayForFaultsInAReportThatGains() external {
        _age();
        ScriptedModule bonds = _bonds(20 ether);
        vm.warp(block.timestamp + 1 days);
        reportNow(647.123456789e9, 0, 0, 0);
        vm.warp(block.timestamp + 2 days);
        vm.assertEq(vault.unvested(), 0);
        uint256 total = vault.totalAssets();
        uint256 supply = vault.supply();
        uint256 fees = token.balanceOf(address(splitter));
        uint256 wanted = vault.previewWithdraw(10 ether);
        ConsensusReport memory given = reportOf(652.123456789e9, 0, 0, 0);
        given.faults = 10e9;
        vm.prank(address(oracle));
        (int256 profit,) = vault.report(given);
        uint256 feeShares = 0.5 ether * supply / total;
        vm.assertEq(profit, 5 ether);
        vm.assertEq(bonds.asked(), wanted);
        vm.assertEq(token.balanceOf(address(splitter)) - fees, feeShares, "a fee on the gain alone");
        vm.assertEq(vault.supply(), supply + feeShares - wanted);
        vm.assertEq(vault.unvested(), 4.5 ether + 10 ether, "what bonds paid vests");
        vm.assertGe(vault.totalAssets() * supply, total * vault.supply(), "the rate does not fall");
        vm.assertLe(vault.totalAssets() * supply, total * vault.supply() + 4 * supply, "nor rise");
        vm.assertEq(vault.unrecovered(), 0);
    }

    /// @dev Others' losses are not the bonds': 4 of 10 ether were faults.
    function test_BondsPayForFaultsAlone() external {
        _age();
        _bonds(20 ether);
        vm.warp(block.timestamp + 3 days);
        reportNow(647.123456789e9, 0, 0, 0);
        uint256 total = vault.totalAssets();
        ConsensusReport memory given = reportOf(637.123456789e9, 0, 0, 0);
        given.faults = 4e9;
        vm.warp(block.timestamp + 12);
        given.referenceTime += 12;
        vm.prank(address(oracle));
        vault.report(given);
        vm.assertEq(vault.unrecovered(), 6 ether);
        vm.assertEq(vault.totalAssets(), total - 10 ether, "shares worth 4 ether are gone as well");
    }

    function test_FaultsBeyondTheLossVest() external {
        _age();
        _bonds(20 ether);
        vm.warp(block.timestamp + 3 days);
        reportNow(647.123456789e9, 0, 0, 0);
        vm.warp(block.timestamp + 12);
        ConsensusReport memory given = reportOf(645.123456789e9, 0, 0, 0); // 3 ether of faults, 1 of gains
        given.faults = 3e9;
        vm.prank(address(oracle));
        (int256 profit,) = vault.report(given);
        vm.assertEq(profit, -2 ether);
        vm.assertEq(vault.unvested(), 1 ether);
        vm.assertEq(vault.unrecovered(), 0);
    }

    // --- What proofs show ---

    function test_UnvestedCancelledAndRestated() external {
        _age();
        vm.warp(block.timestamp + 3 days);
        reportNow(657.123456789e9, 0, 0, 0); // a gain of 10 ether, of which 9 vest
        vm.warp(block.timestamp + 6 hours + 1);
        uint256 unvested = vault.unvested();
        uint256 total = vault.totalAssets();
        uint256 supply = vault.supply();
        uint256 limit = vault.stakeLimit();
        uint256 buffer = vault.buffer();
        uint256 whole = unvested / 1 gwei * 1 gwei;
        vm.assertTrue(whole != unvested, "not in whole gwei");
        vm.expectEmit(address(vault));
        emit IStakingVault.UnvestedCancelled(whole);
        vm.prank(address(challenge));
        vm.assertEq(vault.cancelUnvested(), whole);
        vm.assertEq(vault.unvested(), unvested - whole);
        vm.assertEq(vault.totalAssets(), total, "the rate does not move");
        vm.assertEq(vault.supply(), supply);
        vm.assertEq(vault.buffer(), buffer);
        vm.assertEq(vault.stakeLimit(), limit);
        vm.assertEq(vault.unrecovered(), whole);
        // what was true comes back, and no fee is due on it again
        uint256 fees = token.balanceOf(address(splitter));
        vm.warp(block.timestamp + 12);
        (int256 profit,) = reportNow(657.123456789e9, 0, 0, 0);
        vm.assertEq(profit, int256(whole));
        vm.assertEq(token.balanceOf(address(splitter)), fees);
        vm.assertEq(vault.unrecovered(), 0);
    }

    function test_CancelTakesNoMoreThanIsOutside() external {
        vm.warp(block.timestamp + 3 days);
        vm.deal(address(rewards), 10 ether);
        reportNow(0, 0, 0, 10 ether); // vests, and lies in the buffer
        vm.prank(address(challenge));
        vm.assertEq(vault.cancelUnvested(), 0);
        vm.assertEq(vault.unvested(), 9 ether);
        vm.assertEq(vault.outside(), 0);
    }

    function test_OnlyTheChallengeCancelsAndOnlyTheProverNotes() external {
        vm.startPrank(governor);
        vm.expectRevert(abi.encodeWithSelector(AccessManagedError.AccessManagedUnauthorized.selector, governor));
        vault.cancelUnvested();
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.DepositorUnknown.selector, governor));
        vault.noteSlashing();
        vm.stopPrank();
    }

    function test_SlashingIsPendingUntilAReportCountsIt() external {
        _age();
        vm.assertEq(vault.slashingPendingUntil(), 0);
        vm.warp(block.timestamp + 1 days);
        uint256 first = block.timestamp;
        vm.expectEmit(address(vault));
        emit IStakingVault.SlashingNoted(first + 45 days);
        vm.prank(prover);
        vault.noteSlashing();
        vm.assertEq(vault.slashingPendingUntil(), first + 45 days);
        // another one does not push the end out, and a report from between them does not count it
        vm.warp(block.timestamp + 1 days);
        vm.prank(prover);
        vault.noteSlashing();
        vm.assertEq(vault.slashingPendingUntil(), first + 45 days);
        ConsensusReport memory given = reportOf(646.123456789e9, 0, 0, 0);
        given.referenceTime = uint40(block.timestamp - 1);
        vm.prank(address(oracle));
        vault.report(given);
        vm.assertEq(vault.slashingPendingUntil(), first + 45 days);
        given.referenceTime = uint40(block.timestamp);
        vm.prank(address(oracle));
        vault.report(given);
        vm.assertEq(vault.slashingPendingUntil(), 0);
        vm.warp(block.timestamp + 5 days);
        vm.prank(prover);
        vault.noteSlashing();
        vm.assertEq(vault.slashingPendingUntil(), block.timestamp + 45 days);
    }

    function _bonds(uint256 shares) private returns (ScriptedModule bonds) {
        bonds = new ScriptedModule(address(token), address(vault));
        vm.prank(governor);
        vault.setBonds(address(bonds));
        vm.prank(alice);
        token.transfer(address(bonds), shares);
    }

    function test_ReportNeverTakesOutsideBelowZero() external {
        _age();
        vm.deal(address(gateway), 100 ether);
        gateway.sweep();
        reportNow(100e9 - 1, 0, 0, 0); // one gwei of the gift that was swept counts against the loss
        vm.assertEq(vault.outside(), 0);
        (int256 profit, uint256 deposited, uint256 swept,) = vault.consensus();
        vm.assertEq(profit, -540e9);
        vm.assertEq(deposited, 640e9);
        vm.assertEq(swept, 100e9);
    }

    // --- Report: gain ---

    function test_GainMintsTheFeeAtTheOldRateAndVests() external {
        _age();
        uint256 total = vault.totalAssets();
        uint256 supply = vault.supply();
        uint256 pooled = vault.pooled();
        uint256 remaining = vault.unvested();
        uint256 buffer = vault.buffer();
        uint256 held = token.balanceOf(address(splitter));
        vm.deal(address(rewards), 2 ether);
        vm.deal(address(gateway), 3 ether);
        // 647.123456789 before: 6 more in balance, 3 withdrawn, 1 provided for, and 1.5 rewards
        uint256 gain = 6 ether + 3 ether - 1 ether + 1.5 ether + 3;
        uint256 feeAssets = gain / 10;
        uint256 feeShares = feeAssets * supply / total;
        vm.expectEmit(address(token));
        emit IERC20.Transfer(address(0), address(splitter), feeShares);
        vm.expectEmit(address(vault));
        emit IStakingVault.FeeMinted(address(splitter), feeShares, feeAssets);
        vm.expectEmit(address(vault));
        emit IStakingVault.Reported(
            block.timestamp,
            int256(gain),
            1.5 ether + 3,
            pooled + gain,
            remaining + gain - feeAssets,
            supply + feeShares
        );
        vm.expectEmit(address(rewards));
        emit IRewardsVault.RewardsPulled(1.5 ether + 3);
        vm.expectEmit(address(gateway));
        emit IWithdrawalGateway.Swept(3 ether);
        vm.expectEmit(address(vault));
        emit IStakingVault.SweepReceived(3e9);
        (int256 profit, uint256 totalBefore) = reportNow(653.123456789e9, 1e9, 3e9, 1.5 ether + 3);
        vm.assertEq(profit, int256(gain));
        vm.assertEq(totalBefore, total);
        vm.assertEq(vault.pooled(), pooled + gain);
        vm.assertEq(vault.unvested(), remaining + gain - feeAssets);
        vm.assertEq(vault.totalAssets(), total + feeAssets);
        vm.assertEq(vault.supply(), supply + feeShares);
        vm.assertEq(token.balanceOf(address(splitter)), held + feeShares);
        vm.assertEq(address(rewards).balance, 0.5 ether - 3);
        vm.assertEq(address(gateway).balance, 0);
        vm.assertEq(vault.outside(), 652.123456789 ether);
        vm.assertEq(vault.buffer(), buffer + 1.5 ether + 3 + 3 ether);
        vm.assertEq(address(vault).balance, vault.buffer());
        (int256 sum, uint256 deposited, uint256 swept, uint256 time) = vault.consensus();
        vm.assertEq(sum, 15.123456789e9);
        vm.assertEq(deposited, 640e9);
        vm.assertEq(swept, 3e9);
        vm.assertEq(time, block.timestamp);
    }

    function test_VestingIsLinearAndRoundedUp() external {
        _age();
        uint256 left = vault.unvested();
        reportNow(648.123456789e9, 0, 0, 0);
        uint256 vesting = left + 0.9 ether;
        vm.assertEq(vault.unvested(), vesting);
        uint256 start = block.timestamp;
        uint256 period = VESTING - 37_123 + (VESTING * 0.9 ether + vesting - 1) / vesting;
        for (uint256 i = 1; i < 4; ++i) {
            vm.warp(start + i * 17_271);
            uint256 still = vesting * (period - i * 17_271);
            vm.assertEq(vault.unvested(), (still + period - 1) / period);
            vm.assertEq(vault.totalAssets(), vault.pooled() - vault.unvested());
        }
        vm.warp(start + period - 1);
        vm.assertEq(vault.unvested(), (vesting + period - 1) / period);
        vm.warp(start + period);
        vm.assertEq(vault.unvested(), 0);
        vm.warp(start + period + 1);
        vm.assertEq(vault.unvested(), 0);
    }

    function test_RewardsVestOverTheTimeTheyWereEarnedIn() external {
        uint256[5] memory covered = [uint256(1), 1 days, 1 days + 1, 30 days, 30 days + 1];
        uint256[5] memory vesting = [uint256(1 days), 1 days, 1 days + 1, 30 days, 30 days];
        for (uint256 i = 0; i < 5; ++i) {
            vm.warp(vault.referenceTime() + covered[i]);
            vm.deal(address(rewards), 10 ether);
            reportNow(0, 0, 0, 10 ether);
            uint256 start = block.timestamp;
            vm.warp(start + vesting[i] - 1);
            vm.assertTrue(vault.unvested() != 0, "the last second is not over");
            vm.warp(start + vesting[i]);
            vm.assertEq(vault.unvested(), 0);
        }
    }

    function test_RewardsOfASilentFortnightAreNotHurriedByTheReportAfterIt() external {
        vm.warp(vault.referenceTime() + 14 days);
        vm.deal(address(rewards), 15 ether);
        reportNow(0, 0, 0, 14 ether); // 12.6 vest in fourteen days
        vm.warp(block.timestamp + 1 days);
        reportNow(0, 0, 0, 1 ether); // 11.7 of them have thirteen days left, 0.9 vest in one
        uint256 start = block.timestamp;
        uint256 period = 13 days + 6_172; // a day times 0.9 / 12.6, which is 6,171.4 s
        vm.assertEq(vault.unvested(), 12.6 ether);
        vm.warp(start + 1 days);
        vm.assertEq(vault.unvested(), (12.6 ether * (period - 1 days) + period - 1) / period);
        vm.warp(start + period - 1);
        vm.assertTrue(vault.unvested() != 0, "the last second is not over");
        vm.warp(start + period);
        vm.assertEq(vault.unvested(), 0);
    }

    function test_ReportWithoutAGainLeavesTheVestingAlone() external {
        vm.warp(vault.referenceTime() + 4 days);
        vm.deal(address(rewards), 10 ether);
        reportNow(0, 0, 0, 10 ether); // 9 vest in four days
        uint256 start = block.timestamp;
        vm.warp(start + 1 days);
        reportNow(0, 0, 0, 0);
        vm.assertEq(vault.unvested(), 6.75 ether);
        vm.warp(start + 2 days);
        vm.assertEq(vault.unvested(), 4.5 ether);
        vm.warp(start + 4 days - 1);
        vm.assertTrue(vault.unvested() != 0, "the last second is not over");
        vm.warp(start + 4 days);
        vm.assertEq(vault.unvested(), 0);
    }

    function test_VestingGoesByTheReferenceTimes() external {
        uint256 last = vault.referenceTime();
        vm.warp(last + 10 days);
        vm.deal(address(rewards), 10 ether);
        vm.prank(address(oracle));
        vault.report(ConsensusReport(uint40(last + 4 days), 0, 0, 0, 0, 0, 10 ether));
        vm.assertEq(vault.unvested(), 9 ether);
        vm.warp(last + 12 days);
        vm.assertEq(vault.unvested(), 4.5 ether);
        vm.warp(last + 14 days);
        vm.assertEq(vault.unvested(), 0);
    }

    function test_NewStakeLimitLeavesTheVestingAlone() external {
        vm.warp(block.timestamp + 3 days);
        vm.deal(address(rewards), 10 ether);
        reportNow(0, 0, 0, 10 ether); // 9 vest in three days
        uint256 start = block.timestamp;
        vm.warp(start + 1 days);
        vm.prank(governor);
        vault.setStakeLimit(5 ether, 0);
        vm.assertEq(vault.unvested(), 6 ether);
        vm.warp(start + 2 days);
        vm.assertEq(vault.unvested(), 3 ether);
        vm.warp(start + 3 days);
        vm.assertEq(vault.unvested(), 0);
        vm.prank(governor);
        vault.setStakeLimit(6 ether, 0);
        vm.assertEq(vault.unvested(), 0);
    }

    function test_NoFeeOnWhatMakesALossGood() external {
        _age();
        uint256 left = vault.unvested();
        reportNow(647.123456789e9 - 20e9, 0, 0, 0);
        vm.assertEq(vault.unrecovered(), 20 ether); // unvested and shared alike
        vm.assertTrue(left < 20 ether, "some was shared");
        uint256 supply = vault.supply();
        vm.warp(block.timestamp + 12);
        reportNow(647.123456789e9 - 5e9, 0, 0, 0);
        vm.assertEq(vault.unrecovered(), 5 ether);
        vm.assertEq(vault.supply(), supply);
        vm.warp(block.timestamp + 12);
        uint256 expected = 0.2 ether * supply / vault.totalAssets();
        reportNow(647.123456789e9 + 2e9, 0, 0, 0);
        vm.assertEq(vault.unrecovered(), 0);
        vm.assertEq(vault.supply(), supply + expected);
        vm.warp(block.timestamp + 12);
        supply = vault.supply();
        expected = 0.3 ether * supply / vault.totalAssets();
        reportNow(647.123456789e9 + 5e9, 0, 0, 0);
        vm.assertEq(vault.supply(), supply + expected);
        // and losses add up
        vm.warp(block.timestamp + 12);
        reportNow(647.123456789e9 + 4e9, 0, 0, 0);
        vm.warp(block.timestamp + 12);
        reportNow(647.123456789e9 + 2e9, 0, 0, 0);
        vm.assertEq(vault.unrecovered(), 3 ether);
    }

    function test_WhatModulesCoverIsNotMissing() external {
        _age();
        vm.prank(alice);
        token.transfer(address(cover), 100 ether);
        uint256 left = vault.unvested();
        reportNow(647.123456789e9 - 20e9, 0, 0, 0);
        vm.assertEq(vault.unrecovered(), left);
    }

    function test_ProtocolThatLostAllGoesOn() external {
        vm.prank(alice);
        vault.stake{value: 31 ether}(alice, 0, address(0));
        toBeacon(32e9);
        vm.warp(block.timestamp + 100);
        reportNow(0, 0, 0, 0);
        vm.assertEq(vault.totalAssets(), 0);
        vm.assertEq(vault.unrecovered(), 32 ether);
        uint256 supply = vault.supply();
        // a gain beyond the loss: its fee has no price in shares
        vm.warp(block.timestamp + 100);
        vm.deal(address(rewards), 42 ether);
        vm.prank(address(oracle));
        vault.report(ConsensusReport(uint40(block.timestamp - 10), 0, 0, 0, 0, 32e9, 42 ether));
        vm.assertEq(vault.supply(), supply);
        vm.assertEq(vault.unvested(), 41 ether); // the fee of 1 is everybody's at once
        vm.assertEq(vault.totalAssets(), 1 ether);
    }

    function test_LossWhereNothingHasVestedAsksNoModule() external {
        vm.prank(alice);
        vault.stake{value: 31 ether}(alice, 0, address(0));
        toBeacon(32e9);
        vm.warp(block.timestamp + 100);
        reportNow(0, 0, 0, 0);
        vm.warp(block.timestamp + 100);
        vm.deal(address(rewards), 20 ether);
        vm.prank(address(oracle));
        vault.report(ConsensusReport(uint40(block.timestamp - 10), 0, 0, 0, 0, 32e9, 20 ether));
        vm.assertEq(vault.totalAssets(), 0);
        toBeacon(10e9);
        ScriptedModule bonds = new ScriptedModule(address(token), address(vault));
        vm.prank(governor);
        vault.setBonds(address(bonds));
        reportNow(4e9, 0, 0, 0);
        vm.assertEq(bonds.calls(), 0); // a share has no price
        vm.assertEq(vault.unvested(), 14 ether);
        vm.assertEq(vault.totalAssets(), 0);
    }

    function test_ModulesGetTheirGasOrTheReportWaits() external {
        _age();
        GasGauge gauge = new GasGauge();
        vm.startPrank(governor);
        vault.setBonds(address(gauge));
        vault.setCover(address(0));
        vm.stopPrank();
        bytes memory data = abi.encodeCall(vault.report, (reportOf(646.123456789e9, 0, 0, 0)));
        uint256 left;
        for (uint256 gas_ = 1_015_000; gas_ < 1_200_000; gas_ += 200) {
            uint256 state = vm.snapshotState();
            vm.prank(address(oracle));
            (bool done, bytes memory answer) = address(vault).call{gas: gas_}(data);
            if (done || gauge.seen() != 0) {
                vm.assertTrue(gauge.seen() > 999_000 && gauge.seen() <= 1_000_000, "all that was promised");
                break;
            }
            vm.revertToState(state);
            vm.assertEq(bytes32(bytes4(answer)), bytes32(IStakingVault.GasTooLow.selector));
            uint256 needed;
            assembly ("memory-safe") {
                left := mload(add(answer, 0x24))
                needed := mload(add(answer, 0x44))
            }
            vm.assertEq(needed, 1_000_000);
        }
        vm.assertTrue(left > 1_015_000 && left < 1_015_874, "63 of 64 parts of what is left are a million");
    }

    function test_GatewayThatEatsGasDoesNotStopAReport() external {
        _age();
        vm.etch(address(gateway), hex"5b600056"); // for ever
        reportNow(648.123456789e9, 0, 0, 0);
        vm.assertEq(vault.referenceTime(), block.timestamp);
    }

    function test_GainOfNothingMintsNoFee() external {
        _age();
        uint256 left = vault.unvested();
        uint256 supply = vault.supply();
        uint256 total = vault.totalAssets();
        vm.recordLogs();
        reportNow(647.123456789e9, 0, 0, 0);
        vm.assertEq(vm.getRecordedLogs().length, 1); // Reported
        vm.assertEq(vault.supply(), supply);
        vm.assertEq(vault.unvested(), left);
        vm.assertEq(vault.totalAssets(), total);
    }

    function test_WithoutAFeeAllOfAGainVests() external {
        vm.prank(governor);
        vault.setFee(treasury, 0);
        uint256 supply = vault.supply();
        vm.warp(block.timestamp + 12);
        vm.deal(address(rewards), 1 ether);
        reportNow(0, 0, 0, 1 ether);
        vm.assertEq(vault.supply(), supply);
        vm.assertEq(vault.unvested(), 1 ether);
    }

    function test_RewardsBelowWhatIsAskedStopTheReport() external {
        vm.warp(block.timestamp + 12);
        vm.deal(address(rewards), 1 ether);
        refuseReport(
            abi.encodeWithSelector(IRewardsVault.RewardsTooLow.selector, 1 ether + 1, 1 ether), 0, 0, 0, 1 ether + 1
        );
    }

    function test_GatewayThatFailsDoesNotStopAReport() external {
        _age();
        vm.etch(address(gateway), hex"60006000fd");
        vm.deal(address(gateway), 3 ether);
        (int256 profit,) = reportNow(644.123456789e9, 0, 3e9, 0);
        vm.assertEq(profit, 0);
        vm.assertEq(address(gateway).balance, 3 ether);
    }

    // --- Report: loss ---

    function test_LossTakesTheUnvestedFirst() external {
        _age();
        uint256 total = vault.totalAssets();
        uint256 supply = vault.supply();
        uint256 left = vault.unvested();
        uint256 pooled = vault.pooled();
        vm.assertTrue(left > 2 ether, "enough");
        vm.recordLogs();
        (int256 profit,) = reportNow(645.123456789e9, 0, 0, 0);
        vm.assertEq(vm.getRecordedLogs().length, 1); // Reported: no module was asked, nothing burnt, nothing shared
        vm.assertEq(profit, -2 ether);
        vm.assertEq(vault.totalAssets(), total);
        vm.assertEq(vault.supply(), supply);
        vm.assertEq(vault.unvested(), left - 2 ether);
        vm.assertEq(vault.pooled(), pooled - 2 ether);
    }

    function test_LossBeyondTheUnvestedIsShared() external {
        _age();
        uint256 supply = vault.supply();
        uint256 left = vault.unvested();
        uint256 pooled = vault.pooled();
        uint256 room = vault.stakeLimit();
        vm.expectEmit(address(vault));
        emit IStakingVault.LossCovered(address(cover), 0, 0);
        vm.expectEmit(address(vault));
        emit IStakingVault.LossShared(20 ether - left);
        vm.expectEmit(address(vault));
        emit IStakingVault.Reported(block.timestamp, -20 ether, 0, pooled - 20 ether, 0, supply);
        reportNow(627.123456789e9, 0, 0, 0);
        vm.assertEq(vault.totalAssets(), pooled - 20 ether);
        vm.assertEq(vault.unvested(), 0);
        vm.assertEq(vault.supply(), supply);
        vm.assertEq(vault.stakeLimit(), room > BURST ? BURST : room);
    }

    function test_BondsPayFirstThenUnvestedThenCover() external {
        _age();
        ScriptedModule bonds = new ScriptedModule(address(token), address(vault));
        vm.prank(governor);
        vault.setBonds(address(bonds));
        vm.startPrank(alice);
        token.transfer(address(bonds), 3 ether);
        token.transfer(address(cover), 40 ether);
        vm.stopPrank();
        uint256 total = vault.totalAssets();
        uint256 supply = vault.supply();
        uint256 left = vault.unvested();
        uint256 pooled = vault.pooled();
        uint256 bonded = 3 ether * total / supply;
        uint256 needed = 20 ether - bonded - left;
        uint256 fromCover = (needed * supply + total - 1) / total;
        vm.expectEmit(address(vault));
        emit IStakingVault.LossCovered(address(bonds), 3 ether, bonded);
        vm.expectEmit(address(vault));
        emit IStakingVault.LossCovered(address(cover), fromCover, needed);
        vm.expectEmit(address(token));
        emit IERC20.Transfer(address(vault), address(0), 3 ether + fromCover);
        (int256 profit, uint256 before) = reportNow(627.123456789e9, 0, 0, 0);
        vm.assertEq(profit, -20 ether);
        vm.assertEq(before, total);
        vm.assertEq(bonds.asked(), (20 ether * supply + total - 1) / total);
        vm.assertEq(vault.supply(), supply - 3 ether - fromCover);
        vm.assertEq(vault.pooled(), pooled - 20 ether);
        vm.assertEq(vault.unvested(), 0);
        vm.assertTrue(
            vault.totalAssets() * supply >= total * vault.supply(), "the rate does not fall where all is covered"
        );
        vm.assertEq(token.balanceOf(address(vault)), 0);
    }

    function test_BondsThatPayAllLeaveTheRestAlone() external {
        _age();
        ScriptedModule bonds = new ScriptedModule(address(token), address(vault));
        vm.prank(governor);
        vault.setBonds(address(bonds));
        vm.prank(alice);
        token.transfer(address(bonds), 100 ether);
        uint256 left = vault.unvested();
        uint256 supply = vault.supply();
        uint256 total = vault.totalAssets();
        uint256 asked = (1 ether * supply + total - 1) / total;
        vm.expectEmit(address(vault));
        emit IStakingVault.LossCovered(address(bonds), asked, 1 ether);
        reportNow(646.123456789e9, 0, 0, 0);
        vm.assertEq(vault.unvested(), left);
        vm.assertEq(vault.supply(), supply - asked);
        vm.assertEq(token.balanceOf(address(bonds)), 100 ether - asked);
    }

    function test_ModuleThatGivesTooMuchCoversTheLossAndNoMore() external {
        _age();
        ScriptedModule bonds = new ScriptedModule(address(token), address(vault));
        bonds.setMode(ScriptedModule.Mode.GivesAll);
        vm.prank(governor);
        vault.setBonds(address(bonds));
        vm.prank(alice);
        token.transfer(address(bonds), 50 ether);
        uint256 supply = vault.supply();
        uint256 pooled = vault.pooled();
        vm.expectEmit(address(vault));
        emit IStakingVault.LossCovered(address(bonds), 50 ether, 1 ether);
        reportNow(646.123456789e9, 0, 0, 0);
        vm.assertEq(vault.supply(), supply - 50 ether);
        vm.assertEq(vault.pooled(), pooled - 1 ether);
    }

    function test_ModuleThatRevertsCoversNothingAndStopsNothing() external {
        _age();
        ScriptedModule bonds = new ScriptedModule(address(token), address(vault));
        bonds.setMode(ScriptedModule.Mode.Reverts);
        vm.prank(governor);
        vault.setBonds(address(bonds));
        vm.prank(alice);
        token.transfer(address(bonds), 50 ether);
        uint256 left = vault.unvested();
        vm.expectEmit(address(vault));
        emit IStakingVault.LossCovered(address(bonds), 0, 0);
        reportNow(646.123456789e9, 0, 0, 0);
        vm.assertEq(vault.unvested(), left - 1 ether);
        vm.assertEq(token.balanceOf(address(bonds)), 50 ether);
    }

    function test_WithoutModulesALossIsSharedAtOnce() external {
        _age();
        vm.prank(governor);
        vault.setCover(address(0));
        uint256 pooled = vault.pooled();
        reportNow(600.123456789e9, 0, 0, 0);
        vm.assertEq(vault.totalAssets(), pooled - 47 ether);
    }

    function test_SharesThatLayInTheVaultAreNoCover() external {
        _age();
        vm.prank(alice);
        token.transfer(address(vault), 5 ether);
        ScriptedModule bonds = new ScriptedModule(address(token), address(vault));
        bonds.setMode(ScriptedModule.Mode.GivesNothing);
        vm.prank(governor);
        vault.setBonds(address(bonds));
        uint256 supply = vault.supply();
        vm.expectEmit(address(vault));
        emit IStakingVault.LossCovered(address(bonds), 0, 0);
        reportNow(646.123456789e9, 0, 0, 0);
        vm.assertEq(vault.supply(), supply);
        vm.assertEq(token.balanceOf(address(vault)), 5 ether);
    }

    function test_LossWithRewardsIsNetted() external {
        _age();
        uint256 left = vault.unvested();
        uint256 pooled = vault.pooled();
        vm.deal(address(rewards), 1 ether);
        (int256 profit,) = reportNow(645.123456789e9, 0, 0, 1 ether);
        vm.assertEq(profit, -1 ether);
        vm.assertEq(vault.pooled(), pooled - 1 ether);
        vm.assertEq(vault.unvested(), left - 1 ether);
        vm.assertEq(address(vault).balance, vault.buffer());
    }

    function test_NothingCanBeDoneFromInsideAReport() external {
        _age();
        ReentrantModule module = new ReentrantModule(address(vault));
        vm.deal(address(module), 10 ether);
        vm.startPrank(governor);
        vault.setBonds(address(module));
        vault.setOracle(address(module)); // so that it may report and only the guard refuses it
        vault.setDepositor(address(module), true);
        vm.stopPrank();
        access.grantRole(GUARDIAN, address(module), 0);
        access.grantRole(GOVERNOR, address(module), 0);
        access.grantRole(CHALLENGER, address(module), 0);
        vm.deal(address(gateway), 3 ether);
        uint256 rate = vault.rate();
        (, uint256 deposited,,) = vault.consensus();
        ConsensusReport memory given =
            ConsensusReport(uint40(block.timestamp), 646.123456789e9, 0, 1e9, 0, uint64(deposited), 0);
        vm.prank(address(module));
        vault.report(given);
        for (uint256 i = 0; i < 5; ++i) {
            vm.assertEq(bytes32(module.answers(i)), bytes32(IStakingVault.ReportInProgress.selector));
        }
        vm.assertEq(bytes32(module.answers(5)), bytes32(IStakingVault.CallerNotAllowed.selector));
        for (uint256 i = 6; i < 12; ++i) {
            vm.assertEq(bytes32(module.answers(i)), bytes32(IStakingVault.ReportInProgress.selector));
        }
        vm.assertEq(address(gateway).balance, 0); // swept by the report itself, once
        vm.assertEq(module.rateInside(), rate);
        // and it is over afterwards
        vm.prank(alice);
        vault.stake{value: 1 ether}(alice, 0, address(0));
    }

    function test_QueueCannotRedeemFromInsideAReport() external {
        _age();
        ReentrantModule module = new ReentrantModule(address(vault));
        vm.etch(address(queue), address(module).code);
        vm.prank(governor);
        vault.setBonds(address(queue));
        reportNow(646.123456789e9, 0, 0, 0);
        vm.assertEq(
            bytes32(ReentrantModule(payable(address(queue))).answers(5)),
            bytes32(IStakingVault.ReportInProgress.selector)
        );
    }

    // --- Sweep and rewards ---

    function test_SweepMovesEtherFromOutsideIntoTheBuffer() external {
        _age();
        uint256 buffer = vault.buffer();
        uint256 outside = vault.outside();
        uint256 total = vault.totalAssets();
        vm.deal(address(gateway), 10 ether + 5);
        vm.expectEmit(address(vault));
        emit IStakingVault.SweepReceived(10e9);
        vm.assertEq(gateway.sweep(), 10 ether);
        vm.assertEq(vault.buffer(), buffer + 10 ether);
        vm.assertEq(vault.outside(), outside - 10 ether);
        vm.assertEq(vault.totalAssets(), total);
        vm.assertEq(address(vault).balance, buffer + 10 ether);
    }

    function test_SweepChecksItsSenderAndItsSum() external {
        _age();
        vm.expectRevert(
            abi.encodeWithSelector(IStakingVault.CallerNotAllowed.selector, address(this), address(gateway))
        );
        vault.receiveSweep();
        uint256 outside = vault.outside();
        vm.deal(address(gateway), outside + 10 ether);
        vm.startPrank(address(gateway));
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.SweepNotWholeGwei.selector, 1 gwei + 1));
        vault.receiveSweep{value: 1 gwei + 1}();
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.SweepAboveOutside.selector, outside + 1 gwei, outside));
        vault.receiveSweep{value: outside + 1 gwei}();
        vault.receiveSweep{value: outside}();
        vm.assertEq(vault.outside(), 0);
    }

    function test_RewardsComeFromTheRewardsVaultAlone() external {
        vm.expectRevert(
            abi.encodeWithSelector(IStakingVault.CallerNotAllowed.selector, address(this), address(rewards))
        );
        vault.receiveRewards();
    }

    // --- Deposits to the beacon chain ---

    function test_DepositToBeaconIsTakenByTheOfficialContract() external {
        vm.prank(alice);
        vault.stake{value: 2_200 ether}(alice, 0, address(0));
        BeaconDeposit[] memory items = new BeaconDeposit[](2);
        items[0] = beaconDeposit(0x11, 32e9);
        items[1] = beaconDeposit(0x22, 2_048e9);
        uint256 pooled = vault.pooled();
        vm.expectEmit(address(vault));
        emit IStakingVault.BeaconDeposited(items[0].pubkey, 32e9);
        vm.expectEmit(address(vault));
        emit IStakingVault.BeaconDeposited(items[1].pubkey, 2_048e9);
        vm.prank(depositor);
        vault.depositToBeacon(items);
        vm.assertEq(DEPOSIT_CONTRACT.balance, 2_080 ether);
        vm.assertEq(OfficialDepositContract(DEPOSIT_CONTRACT).get_deposit_count(), hex"0200000000000000");
        vm.assertEq(vault.outside(), 2_080 ether);
        vm.assertEq(vault.buffer(), 121 ether);
        vm.assertEq(vault.pooled(), pooled);
        (, uint256 deposited,,) = vault.consensus();
        vm.assertEq(deposited, 2_080e9);
        toBeacon(1e9);
        (, deposited,,) = vault.consensus();
        vm.assertEq(deposited, 2_081e9);
    }

    function test_DepositToBeaconLeavesWhatTheQueueIsOwed() external {
        _age();
        vm.prank(alice);
        queue.request(100 ether + 1 gwei, alice);
        uint256 owed = vault.previewMint(100 ether + 1 gwei);
        uint256 free = vault.buffer() - owed;
        vm.assertEq(vault.depositable(), free);
        uint64 most = uint64(free / 1 gwei);
        BeaconDeposit[] memory items = new BeaconDeposit[](1);
        items[0] = beaconDeposit(0x33, most + 1);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.BufferTooLow.selector, (uint256(most) + 1) * 1 gwei, free));
        vm.prank(depositor);
        vault.depositToBeacon(items);
        toBeacon(most);
        vm.assertEq(vault.depositable(), free % 1 gwei);
        vm.prank(alice);
        queue.request(300 ether, alice);
        vm.assertEq(vault.depositable(), 0);
    }

    function test_DepositOfAllThatIsFree() external {
        vm.prank(alice);
        vault.stake{value: 31 ether}(alice, 0, address(0));
        toBeacon(32e9);
        vm.assertEq(vault.buffer(), 0);
    }

    function test_DepositToBeaconChecksLengths() external {
        vm.prank(alice);
        vault.stake{value: 100 ether}(alice, 0, address(0));
        BeaconDeposit[] memory items = new BeaconDeposit[](1);
        items[0] = beaconDeposit(0x11, 32e9);
        items[0].pubkey = new bytes(47);
        vm.startPrank(depositor);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.PubkeyLengthInvalid.selector, 47));
        vault.depositToBeacon(items);
        items[0].pubkey = new bytes(49);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.PubkeyLengthInvalid.selector, 49));
        vault.depositToBeacon(items);
        items[0] = beaconDeposit(0x11, 32e9);
        items[0].signature = new bytes(95);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.SignatureLengthInvalid.selector, 95));
        vault.depositToBeacon(items);
        items[0].signature = new bytes(97);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.SignatureLengthInvalid.selector, 97));
        vault.depositToBeacon(items);
    }

    // --- Governance ---

    function test_SetFee() external {
        vm.startPrank(governor);
        vm.expectEmit(address(vault));
        emit IStakingVault.FeeChanged(address(splitter), FEE, treasury, 2_000);
        vault.setFee(treasury, 2_000);
        vm.assertEq(vault.fee(), 2_000);
        vm.assertEq(vault.feeRecipient(), treasury);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.FeeAboveMaximum.selector, 2_001, 2_000));
        vault.setFee(treasury, 2_001);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.FeeRecipientInvalid.selector, address(0)));
        vault.setFee(address(0), 5);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.FeeRecipientInvalid.selector, address(token)));
        vault.setFee(address(token), 5);
    }

    function test_SetOracleAndModules() external {
        vm.startPrank(governor);
        vm.expectEmit(address(vault));
        emit IStakingVault.OracleChanged(address(oracle), address(rewards));
        vault.setOracle(address(rewards));
        vm.assertEq(vault.oracle(), address(rewards));
        vm.expectEmit(address(vault));
        emit IStakingVault.BondsChanged(address(0), address(rewards));
        vault.setBonds(address(rewards));
        vm.assertEq(vault.bonds(), address(rewards));
        vm.expectEmit(address(vault));
        emit IStakingVault.CoverChanged(address(cover), address(rewards));
        vault.setCover(address(rewards));
        vm.assertEq(vault.cover(), address(rewards));
        vault.setBonds(address(0));
        vault.setCover(address(0));
        vm.assertEq(vault.bonds(), address(0));
        vm.assertEq(vault.cover(), address(0));
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.NotAContract.selector, alice));
        vault.setOracle(alice);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.NotAContract.selector, address(0)));
        vault.setOracle(address(0));
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.NotAContract.selector, alice));
        vault.setBonds(alice);
        vm.expectRevert(abi.encodeWithSelector(IStakingVault.NotAContract.selector, alice));
        vault.setCover(alice);
    }

    function test_StrangersGovernNothing() external {
        bytes[8] memory calls = [
            abi.encodeCall(vault.pauseStaking, (1)),
            abi.encodeCall(vault.resumeStaking, ()),
            abi.encodeCall(vault.setStakeLimit, (1, 1)),
            abi.encodeCall(vault.setFee, (alice, 1)),
            abi.encodeCall(vault.setOracle, (address(queue))),
            abi.encodeCall(vault.setBonds, (address(queue))),
            abi.encodeCall(vault.setCover, (address(queue))),
            abi.encodeCall(vault.setDepositor, (alice, true))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.prank(alice);
            (bool done, bytes memory answer) = address(vault).call(calls[i]);
            vm.assertEq(done, false);
            vm.assertEq(answer, abi.encodeWithSelector(AccessManagedError.AccessManagedUnauthorized.selector, alice));
        }
    }

    function test_TokenObeysTheVaultAlone() external {
        vm.expectRevert(abi.encodeWithSelector(IStakedEther.CallerNotAllowed.selector, address(this), address(vault)));
        token.mint(alice, 1);
    }
}
