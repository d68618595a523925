// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IAsyncRedeemVault} from "../../../contracts/interfaces/IAsyncRedeemVault.sol";
import {IFeeSplitter} from "../../../contracts/interfaces/IFeeSplitter.sol";
import {IRebasingStakedEther} from "../../../contracts/interfaces/IRebasingStakedEther.sol";
import {IReportChallenge} from "../../../contracts/interfaces/IReportChallenge.sol";
import {IReportLimits} from "../../../contracts/interfaces/IReportLimits.sol";
import {IRewardsVault} from "../../../contracts/interfaces/IRewardsVault.sol";
import {IStakedEther} from "../../../contracts/interfaces/IStakedEther.sol";
import {BeaconDeposit, ConsensusReport, IStakingVault} from "../../../contracts/interfaces/IStakingVault.sol";
import {IWithdrawalGateway} from "../../../contracts/interfaces/IWithdrawalGateway.sol";
import {IWrappedEther} from "../../../contracts/interfaces/IWrappedEther.sol";
import {
    Access,
    ChallengeConfig,
    Cover,
    Deployer3,
    LimitsFace,
    OfficialDepositContract,
    Oracle,
    OracleConfig,
    Queue,
    Vault,
    VaultConfig
} from "./Faces.sol";
import {Test} from "./Test.sol";

/// @dev Everything deployed and wired as on a network, through the same deployer; roles act without delay.
abstract contract Deployment is Test {
    uint256 internal constant START = 1_750_000_000;
    uint256 internal constant SEED = 1 ether;
    uint256 internal constant MIN_STAKE = 0.001 ether;
    uint256 internal constant MIN_REQUEST = 0.001 ether;
    uint256 internal constant VESTING = 1 days;
    uint256 internal constant FINALIZE_WINDOW = 2 hours;
    uint256 internal constant STALE_AFTER = 3 days;
    uint256 internal constant FEE = 1_000;
    uint256 internal constant BURST = 150_000 ether;
    uint256 internal constant GROWTH = 1_736_111_112 gwei;
    uint256 internal constant SLOT = 12;
    uint256 internal constant FRAME_SLOTS = 7_200;
    uint256 internal constant MEMBERS = 5;
    uint256 internal constant QUORUM = 3;

    address internal constant DEPOSIT_CONTRACT = 0x00000000219ab540356cBB839Cbe05303d7705Fa;
    address internal constant BEACON_ROOTS = 0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02;
    address internal constant SEED_HOLDER = 0x000000000000000000000000000000000000dEaD;

    uint64 internal constant GOVERNOR = 1;
    uint64 internal constant GUARDIAN = 3;
    uint64 internal constant REGISTRAR = 5;
    uint64 internal constant CHALLENGER = 8;

    address internal governor;
    address internal guardian;
    address internal depositor;
    address internal registrar;
    address internal prover;
    address internal treasury;

    Deployer3 internal deployer;
    Access internal access;
    IStakedEther internal token;
    Vault internal vault;
    Queue internal queue;
    IRebasingStakedEther internal rebasing;
    IRewardsVault internal rewards;
    IWithdrawalGateway internal gateway;
    Cover internal cover;
    IFeeSplitter internal splitter;
    LimitsFace internal limits;
    Oracle internal oracle;
    IReportChallenge internal challenge;
    IWrappedEther internal weth;
    IAsyncRedeemVault internal adapter;
    address internal descriptor;
    address internal gatewayImplementation;

    function deployProtocol() internal {
        vm.warp(START);
        governor = named("governor");
        guardian = named("guardian");
        depositor = named("depositor");
        registrar = named("registrar");
        prover = named("prover");
        treasury = named("treasury");
        _installSystemContracts();
        deployer = Deployer3(vm.deployCode("Create3Deployer.sol:Create3Deployer"));

        access = Access(_put("ProtocolAccessManager", abi.encode(address(this)), 0));
        descriptor = _put("RequestDescriptor", "", 0);
        token = IStakedEther(_put("StakedEther", abi.encode(_at("StakingVault"), _at("WithdrawalQueue")), 0));
        gatewayImplementation = _put("WithdrawalGateway", abi.encode(_at("StakingVault"), address(this)), 0);
        gateway =
            IWithdrawalGateway(_put("WithdrawalGatewayProxy", abi.encode(gatewayImplementation, address(access)), 0));
        rewards = IRewardsVault(_put("RewardsVault", abi.encode(_at("StakingVault"), address(this)), 0));
        cover = Cover(_put("CoverFund", abi.encode(address(access), address(token), _at("StakingVault")), 0));
        splitter = IFeeSplitter(
            _put(
                "FeeSplitter",
                abi.encode(
                    address(access),
                    address(token),
                    treasury,
                    address(cover),
                    IFeeSplitter.Split({treasury: 3_000, operators: 5_000, cover: 1_500, referrers: 500})
                ),
                0
            )
        );
        vm.deal(address(this), SEED);
        vault = Vault(payable(_put("StakingVault", abi.encode(vaultConfig()), SEED)));
        queue = Queue(
            payable(_put(
                    "WithdrawalQueue",
                    abi.encode(address(token), address(vault), descriptor, MIN_REQUEST, FINALIZE_WINDOW, STALE_AFTER),
                    0
                ))
        );
        limits = LimitsFace(
            _put(
                "ReportLimits",
                abi.encode(
                    address(access),
                    1 days,
                    IReportLimits.Limits({
                        yearlyGain: 2_000,
                        loss: 500,
                        validatorsPerDay: 5_000,
                        minAge: 13 minutes,
                        maxAge: 1 days,
                        gainAllowance: 32e9
                    })
                ),
                0
            )
        );
        challenge = IReportChallenge(
            _put(
                "ReportChallenge",
                abi.encode(
                    ChallengeConfig({
                        token: address(token),
                        vault: address(vault),
                        oracle: _at("ReportOracle"),
                        manager: address(this),
                        bond: 0,
                        delay: 45 days,
                        answerTime: 4 hours,
                        demandFee: 0.05 ether
                    })
                ),
                0
            )
        );
        oracle = Oracle(_put("ReportOracle", abi.encode(oracleConfig()), 0));
        rebasing = IRebasingStakedEther(_put("RebasingStakedEther", abi.encode(address(vault)), 0));
        weth = IWrappedEther(_put("WrappedEther", "", 0));
        adapter =
            IAsyncRedeemVault(_put("AsyncRedeemVault", abi.encode(address(weth), address(vault), address(queue)), 0));
        _grant();
    }

    function vaultConfig() internal view returns (VaultConfig memory) {
        address[] memory depositors = new address[](2);
        (depositors[0], depositors[1]) = (depositor, prover);
        return VaultConfig({
            authority: address(access),
            token: address(token),
            queue: _at("WithdrawalQueue"),
            gateway: address(gateway),
            rewardsVault: address(rewards),
            depositContract: DEPOSIT_CONTRACT,
            oracle: _at("ReportOracle"),
            bonds: address(0),
            cover: address(cover),
            feeRecipient: address(splitter),
            fee: FEE,
            minStake: MIN_STAKE,
            vestingPeriod: VESTING,
            limitBurst: BURST,
            limitGrowth: GROWTH,
            depositors: depositors
        });
    }

    function oracleConfig() internal view returns (OracleConfig memory) {
        address[] memory members = new address[](MEMBERS);
        address[] memory keys = new address[](MEMBERS);
        for (uint256 i = 0; i < MEMBERS; ++i) {
            members[i] = vm.addr(memberKey(i));
            keys[i] = vm.addr(signingKey(i));
        }
        return OracleConfig({
            authority: address(access),
            vault: address(vault),
            limits: address(limits),
            challenge: _at("ReportChallenge"),
            genesisTime: START - 10 * FRAME_SLOTS * SLOT,
            secondsPerSlot: SLOT,
            firstSlot: 5,
            frameSlots: FRAME_SLOTS,
            members: members,
            keys: keys,
            quorum: QUORUM,
            validators: 0
        });
    }

    function memberKey(uint256 index) internal pure returns (uint256) {
        return 0xA000 + index;
    }

    function signingKey(uint256 index) internal pure returns (uint256) {
        return 0xB000 + index;
    }

    // --- Short ways ---

    /// @dev A report with the counters of the moment.
    function reportNow(uint256 consensusBalance, uint256 provision, uint256 withdrawn, uint256 fromRewards)
        internal
        returns (int256 profit, uint256 total)
    {
        ConsensusReport memory given = reportOf(consensusBalance, provision, withdrawn, fromRewards);
        vm.prank(address(oracle));
        return vault.report(given);
    }

    function refuseReport(
        bytes memory error,
        uint256 consensusBalance,
        uint256 provision,
        uint256 withdrawn,
        uint256 fromRewards
    ) internal {
        ConsensusReport memory given = reportOf(consensusBalance, provision, withdrawn, fromRewards);
        vm.prank(address(oracle));
        vm.expectRevert(error);
        vault.report(given);
    }

    function reportOf(uint256 consensusBalance, uint256 provision, uint256 withdrawn, uint256 fromRewards)
        internal
        view
        returns (ConsensusReport memory)
    {
        (, uint256 deposited,,) = vault.consensus();
        return ConsensusReport({
            referenceTime: uint40(block.timestamp),
            consensusBalance: uint64(consensusBalance),
            provision: uint64(provision),
            faults: faultsOf(consensusBalance, provision, withdrawn, deposited, fromRewards),
            withdrawn: uint64(withdrawn),
            deposited: uint64(deposited),
            rewards: uint96(fromRewards)
        });
    }

    /// @dev All that is lost, whoever's fault it was.
    function faultsOf(uint256 balance, uint256 provision, uint256 withdrawn, uint256 deposited, uint256 fromRewards)
        internal
        view
        returns (uint64)
    {
        (int256 before,,,) = vault.consensus();
        int256 profit = int256(balance + withdrawn) - int256(provision + deposited) - before;
        profit += int256(fromRewards / 1 gwei);
        return profit < 0 ? uint64(uint256(-profit)) : 0;
    }

    function beaconDeposit(bytes1 filling, uint64 amount) internal pure returns (BeaconDeposit memory item) {
        item.pubkey = new bytes(48);
        item.signature = new bytes(96);
        for (uint256 i = 0; i < 48; ++i) {
            item.pubkey[i] = filling;
        }
        for (uint256 i = 0; i < 96; ++i) {
            item.signature[i] = bytes1(uint8(filling) ^ uint8(i));
        }
        item.amount = amount;
    }

    function toBeacon(uint64 amount) internal {
        BeaconDeposit[] memory items = new BeaconDeposit[](1);
        items[0] = beaconDeposit(0xab, amount);
        vm.prank(depositor);
        vault.depositToBeacon(items);
    }

    // --- Set-up ---

    function _at(string memory name) internal view returns (address) {
        return deployer.predict(address(this), keccak256(bytes(name)));
    }

    function _put(string memory name, bytes memory arguments, uint256 value) internal returns (address deployed) {
        bytes memory code = vm.getCode(string.concat(name, ".sol:", name));
        deployed = deployer.deploy{value: value}(keccak256(bytes(name)), bytes.concat(code, arguments));
        vm.label(deployed, name);
    }

    function _grant() private {
        _role(address(vault), IStakingVault.setOracle.selector, GOVERNOR);
        _role(address(vault), IStakingVault.setBonds.selector, GOVERNOR);
        _role(address(vault), IStakingVault.setCover.selector, GOVERNOR);
        _role(address(vault), IStakingVault.setFee.selector, GOVERNOR);
        _role(address(vault), IStakingVault.setStakeLimit.selector, GOVERNOR);
        _role(address(vault), IStakingVault.pauseStaking.selector, GUARDIAN);
        _role(address(vault), IStakingVault.resumeStaking.selector, GUARDIAN);
        _role(address(vault), IStakingVault.setDepositor.selector, GOVERNOR);
        _role(address(vault), IStakingVault.cancelUnvested.selector, CHALLENGER);
        _role(address(oracle), oracle.resume.selector, GOVERNOR);
        _role(address(cover), cover.migrate.selector, GOVERNOR);
        _role(address(limits), IReportLimits.release.selector, GOVERNOR);
        _role(address(limits), IReportLimits.setLimits.selector, GOVERNOR);
        _role(address(oracle), oracle.addMember.selector, GOVERNOR);
        _role(address(oracle), oracle.removeMember.selector, GOVERNOR);
        _role(address(oracle), oracle.setQuorum.selector, GOVERNOR);
        _role(address(oracle), oracle.setLimits.selector, GOVERNOR);
        _role(address(splitter), IFeeSplitter.setWeight.selector, REGISTRAR);
        _role(address(splitter), IFeeSplitter.setSplit.selector, GOVERNOR);
        _role(address(splitter), IFeeSplitter.setTreasury.selector, GOVERNOR);
        _role(address(splitter), IFeeSplitter.setCover.selector, GOVERNOR);
        access.grantRole(GOVERNOR, governor, 0);
        access.grantRole(GUARDIAN, guardian, 0);
        access.grantRole(REGISTRAR, registrar, 0);
        access.grantRole(CHALLENGER, address(challenge), 0);
    }

    function _role(address target, bytes4 selector, uint64 role) private {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = selector;
        access.setTargetFunctionRole(target, selectors, role);
    }

    /// @dev As the execution block one slot after `referenceTime` publishes it (EIP-4788).
    function publishRoot(uint256 referenceTime, bytes32 root) internal {
        uint256 time = referenceTime + SLOT;
        vm.store(BEACON_ROOTS, bytes32(time % 8191), bytes32(time));
        vm.store(BEACON_ROOTS, bytes32(time % 8191 + 8191), root);
    }

    /// @dev Official bytecode and storage (the table of zero hashes), as the local chains of ape get it.
    function _installSystemContracts() private {
        string memory json = vm.readFile("sluice/chain/system_contracts.json");
        vm.etch(BEACON_ROOTS, vm.parseJsonBytes(json, ".contracts.0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02.code"));
        string memory path = ".contracts.0x00000000219ab540356cBB839Cbe05303d7705Fa";
        vm.etch(DEPOSIT_CONTRACT, vm.parseJsonBytes(json, string.concat(path, ".code")));
        string[] memory slots = vm.parseJsonKeys(json, string.concat(path, ".storage"));
        for (uint256 i = 0; i < slots.length; ++i) {
            bytes32 value = vm.parseJsonBytes32(json, string.concat(path, ".storage.", slots[i]));
            vm.store(DEPOSIT_CONTRACT, bytes32(vm.parseUint(slots[i])), value);
        }
        // keeps the artifact's interface in sight of the reader
        OfficialDepositContract(DEPOSIT_CONTRACT).get_deposit_root();
    }
}
