// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IDepositContract} from "../interfaces/IDepositContract.sol";
import {IERC7535, IERC7575} from "../interfaces/IERC7535.sol";
import {ILossCover} from "../interfaces/ILossCover.sol";
import {IRewardsVault} from "../interfaces/IRewardsVault.sol";
import {IStakedEther} from "../interfaces/IStakedEther.sol";
import {BeaconDeposit, ConsensusReport, IStakingVault} from "../interfaces/IStakingVault.sol";
import {IWithdrawalGateway} from "../interfaces/IWithdrawalGateway.sol";
import {IWithdrawalQueue} from "../interfaces/IWithdrawalQueue.sol";
import {BPS, ETHER, GWEI} from "../libraries/Constants.sol";
import {DepositData} from "../libraries/DepositData.sol";
import {ERC7575} from "../libraries/ERC7575.sol";

/// @title Staking vault
/// @notice See {IStakingVault}.
/// @dev Immutable: no proxy. Governance chooses modules and limits through the AccessManager; it cannot touch a balance,
/// the rate or an exit. Ether is counted where it passes; `address(this).balance` is read nowhere.
contract StakingVault is IStakingVault, AccessManaged {
    using SafeCast for uint256;
    using SafeCast for int256;

    /// @dev Written by every stake. 12 + 12 + 4 + 4 = 32 bytes.
    struct Pool {
        uint96 pooled; // wei
        uint96 supply; // shares; the sum of all slETH balances
        uint32 pausedUntil; // seconds, 0 where not paused
        uint32 growth; // gwei a second by which the ceiling rises
    }

    /// @dev Read by every stake, written by reports. 10 + 5 + 12 + 5 = 32 bytes. since < vestingEnd while anything vests
    struct Frame {
        uint80 vesting; // wei, what was unvested at `since`; <= pooled
        uint40 vestingEnd; // seconds
        uint96 ceiling; // wei of `pooled` up to which could be staked at `since`
        uint40 since; // seconds
    }

    /// @dev The consensus side, written by reports, deposits and sweeps. 8 + 8 + 8 + 5 + 3 = 32 bytes.
    /// profit + deposited - swept >= 0
    struct Consensus {
        int64 profit; // gwei, all gains less all losses reported
        uint64 deposited; // gwei, all ether paid to the deposit contract
        uint64 swept; // gwei, all ether that came back through the gateway
        uint40 referenceTime; // seconds, of the newest report
        uint24 lag; // seconds from there to when it was applied, at most 194 days
    }

    struct Config {
        address authority;
        address token;
        address queue;
        address gateway;
        address rewardsVault;
        address depositContract;
        address oracle;
        address bonds;
        address cover;
        address feeRecipient;
        uint256 fee; // basis points
        uint256 minStake; // wei
        uint256 vestingPeriod; // seconds
        uint256 limitBurst; // wei
        uint256 limitGrowth; // wei a second
        address[] depositors;
    }

    /// @notice Longest pause, seconds.
    uint256 public constant MAX_PAUSE = 14 days;
    /// @notice Highest fee, basis points.
    uint256 public constant MAX_FEE = 2_000;
    /// @notice Least ether staked for nobody at deployment, wei. Its shares keep supply and total above zero for ever.
    uint256 public constant MIN_SEED = 1 ether;
    /// @notice Holder of the shares of the seed.
    address public constant SEED_HOLDER = 0x000000000000000000000000000000000000dEaD;
    /// @dev The stake limit grows for this long after a report, seconds: on an old rate little can be staked.
    uint256 private constant LIMIT_WINDOW = 1 days;
    /// @notice The rewards of a report vest over the time it covers, from `VESTING_PERIOD` up to this, seconds.
    uint256 public constant MAX_VESTING_PERIOD = 30 days;
    /// @dev Gas that a module gets to cover a loss; whoever sends the report must bring it.
    uint256 private constant COVER_GAS = 1_000_000;
    /// @dev How long a proven slashing that no report counts stops finalisation without reports, seconds: a slashed
    /// validator is withdrawable 8,192 epochs (36.4 days) later.
    uint256 private constant MAX_SLASHING_WAIT = 45 days;
    /// @dev Gas that the gateway gets to hand over what it holds.
    uint256 private constant SWEEP_GAS = 500_000;

    IStakedEther private immutable TOKEN;
    IRewardsVault private immutable REWARDS_VAULT;
    IDepositContract private immutable DEPOSIT_CONTRACT;
    address public immutable QUEUE;
    address public immutable GATEWAY;
    /// @notice Withdrawal credentials of every validator: type 0x02 (EIP-7251) and the gateway.
    bytes32 public immutable CREDENTIALS;
    /// @inheritdoc IStakingVault
    uint256 public immutable MIN_STAKE;
    /// @notice Least time over which rewards vest that find nothing unvested before them, seconds.
    uint256 public immutable VESTING_PERIOD;

    Pool private _pool;
    Frame private _frame;
    Consensus private _consensus;

    /// @inheritdoc IStakingVault
    address public oracle;
    /// @notice Share of gains that is minted to the fee recipient, basis points.
    uint16 public fee;
    /// @dev gwei
    uint56 private _burst;
    address public feeRecipient;
    /// @notice What holders have lost and later gains have not made good yet, wei; no fee is due on what only does that.
    uint96 public unrecovered;
    /// @inheritdoc IStakingVault
    address public bonds;
    /// @dev Seconds, of the newest slashing proven, and of the first that no report had counted then.
    uint40 private _slashingNotedAt;
    uint40 private _slashingsSince;
    /// @inheritdoc IStakingVault
    address public cover;
    /// @inheritdoc IStakingVault
    mapping(address account => bool) public isDepositor;

    /// @dev Set while a report is applied: modules are called then, and nothing may stake or redeem in between.
    bool private transient _reporting;

    modifier onlyCaller(address allowed) {
        if (msg.sender != allowed) revert CallerNotAllowed(msg.sender, allowed);
        _;
    }

    /// @dev As a role of the access manager it would cost four times as much.
    modifier onlyDepositor() {
        if (!isDepositor[msg.sender]) revert DepositorUnknown(msg.sender);
        _;
    }

    modifier notReporting() {
        if (_reporting) revert ReportInProgress();
        _;
    }

    constructor(Config memory config) payable AccessManaged(config.authority) {
        if (msg.value < MIN_SEED) revert SeedBelowMinimum(msg.value, MIN_SEED);
        if (config.minStake == 0 || config.vestingPeriod == 0 || config.vestingPeriod > MAX_VESTING_PERIOD) {
            revert ConfigInvalid();
        }
        TOKEN = IStakedEther(config.token);
        QUEUE = config.queue;
        GATEWAY = config.gateway;
        REWARDS_VAULT = IRewardsVault(config.rewardsVault);
        DEPOSIT_CONTRACT = IDepositContract(config.depositContract);
        CREDENTIALS = bytes32((uint256(0x02) << 248) | uint160(config.gateway));
        MIN_STAKE = config.minStake;
        VESTING_PERIOD = config.vestingPeriod;
        oracle = config.oracle;
        bonds = config.bonds;
        cover = config.cover;
        _setFee(config.feeRecipient, config.fee);
        for (uint256 i = 0; i < config.depositors.length; ++i) {
            _setDepositor(config.depositors[i], true);
        }
        _consensus.referenceTime = uint40(block.timestamp);
        _frame.vestingEnd = uint40(block.timestamp);
        _pool.pooled = msg.value.toUint96();
        _pool.supply = msg.value.toUint96();
        _setStakeLimit(config.limitBurst, config.limitGrowth, config.limitBurst);
        TOKEN.mint(SEED_HOLDER, msg.value);
        emit OracleChanged(address(0), config.oracle);
        emit BondsChanged(address(0), config.bonds);
        emit CoverChanged(address(0), config.cover);
        emit Deposit(msg.sender, SEED_HOLDER, msg.value, msg.value);
    }

    // --- Stake ---

    /// @notice Stake the ether sent for the sender.
    receive() external payable {
        _stake(msg.sender, 0);
    }

    /// @inheritdoc IStakingVault
    function stake(address receiver, uint256 minShares, address referral) external payable returns (uint256 shares) {
        shares = _stake(receiver, minShares);
        if (referral != address(0)) emit Referred(referral, receiver, msg.value, shares);
    }

    /// @inheritdoc IERC7535
    /// @dev `assets` must be the ether sent.
    function deposit(uint256 assets, address receiver) external payable returns (uint256 shares) {
        if (msg.value != assets) revert WrongValue(msg.value, assets);
        shares = _stake(receiver, 0);
    }

    /// @inheritdoc IERC7535
    /// @dev Costs `shares * total / supply`, rounded up; ether sent beyond that comes back to the caller.
    function mint(uint256 shares, address receiver) external payable notReporting returns (uint256 assets) {
        Pool memory pool = _pool;
        Frame memory frame = _frame;
        assets = Math.ceilDiv(shares * _total(pool, frame), pool.supply);
        if (msg.value < assets) revert WrongValue(msg.value, assets);
        _accept(pool, frame, receiver, assets, shares);
        uint256 refund = msg.value - assets;
        if (refund != 0 && !SafeTransferLib.trySafeTransferETH(msg.sender, refund, gasleft())) {
            revert RefundFailed(msg.sender, refund);
        }
    }

    // --- Reading ---

    /// @inheritdoc IStakingVault
    function rate() external view returns (uint256) {
        return convertToAssets(1 ether);
    }

    /// @inheritdoc IStakingVault
    function supply() external view returns (uint256) {
        return _pool.supply;
    }

    /// @inheritdoc IStakingVault
    function pooled() external view returns (uint256) {
        return _pool.pooled;
    }

    /// @inheritdoc IStakingVault
    function unvested() external view returns (uint256) {
        return _unvested(_frame);
    }

    /// @inheritdoc IStakingVault
    function buffer() public view returns (uint256) {
        return _pool.pooled - outside();
    }

    /// @inheritdoc IStakingVault
    function outside() public view returns (uint256) {
        return _outside(_consensus);
    }

    /// @inheritdoc IStakingVault
    function depositable() external view returns (uint256) {
        return _depositable(_consensus);
    }

    /// @inheritdoc IStakingVault
    function consensus() external view returns (int256, uint256, uint256, uint256) {
        Consensus memory side = _consensus;
        return (side.profit, side.deposited, side.swept, side.referenceTime);
    }

    /// @inheritdoc IStakingVault
    function referenceTime() external view returns (uint256) {
        return _consensus.referenceTime;
    }

    /// @inheritdoc IStakingVault
    function lastReport() external view returns (uint256, uint256) {
        Consensus memory side = _consensus;
        return (side.referenceTime, uint256(side.referenceTime) + side.lag);
    }

    /// @inheritdoc IStakingVault
    function slashingPendingUntil() public view returns (uint256) {
        return _slashingNotedAt > _consensus.referenceTime ? _slashingsSince + MAX_SLASHING_WAIT : 0;
    }

    /// @inheritdoc IStakingVault
    function stakeLimit() public view returns (uint256) {
        Pool memory pool = _pool;
        return block.timestamp < pool.pausedUntil ? 0 : _available(pool, _frame);
    }

    /// @inheritdoc IStakingVault
    function stakingPausedUntil() external view returns (uint256) {
        return _pool.pausedUntil;
    }

    /// @inheritdoc IERC7575
    function share() external view returns (address) {
        return address(TOKEN);
    }

    function rewardsVault() external view returns (address) {
        return address(REWARDS_VAULT);
    }

    function depositContract() external view returns (address) {
        return address(DEPOSIT_CONTRACT);
    }

    /// @inheritdoc IERC7535
    function asset() external pure returns (address) {
        return ETHER;
    }

    /// @inheritdoc IERC7535
    function totalAssets() public view returns (uint256) {
        return _total(_pool, _frame);
    }

    /// @inheritdoc IERC7535
    function convertToShares(uint256 assets) public view returns (uint256) {
        return assets * _pool.supply / totalAssets();
    }

    /// @inheritdoc IERC7535
    function convertToAssets(uint256 shares) public view returns (uint256) {
        return shares * totalAssets() / _pool.supply;
    }

    /// @inheritdoc IERC7535
    function maxDeposit(address) external view returns (uint256) {
        uint256 limit = stakeLimit();
        return limit < MIN_STAKE ? 0 : limit;
    }

    /// @inheritdoc IERC7535
    function maxMint(address) external view returns (uint256) {
        uint256 shares = convertToShares(stakeLimit());
        return previewMint(shares) < MIN_STAKE ? 0 : shares;
    }

    /// @inheritdoc IERC7535
    function previewDeposit(uint256 assets) external view returns (uint256) {
        return convertToShares(assets);
    }

    /// @inheritdoc IERC7535
    function previewMint(uint256 shares) public view returns (uint256) {
        return Math.ceilDiv(shares * totalAssets(), _pool.supply);
    }

    /// @inheritdoc IERC7535
    function previewWithdraw(uint256 assets) external view returns (uint256) {
        return Math.ceilDiv(assets * _pool.supply, totalAssets());
    }

    /// @inheritdoc IERC7535
    function previewRedeem(uint256 shares) external view returns (uint256) {
        return convertToAssets(shares);
    }

    /// @inheritdoc IERC7535
    /// @dev Always 0: shares leave through the withdrawal queue.
    function maxWithdraw(address) external pure returns (uint256) {
        return 0;
    }

    /// @inheritdoc IERC7535
    /// @dev Always 0: shares leave through the withdrawal queue.
    function maxRedeem(address) external pure returns (uint256) {
        return 0;
    }

    /// @inheritdoc IERC7535
    function withdraw(uint256, address, address) external pure returns (uint256) {
        revert SynchronousExitUnavailable();
    }

    /// @inheritdoc IERC7535
    function redeem(uint256, address, address) external pure returns (uint256) {
        revert SynchronousExitUnavailable();
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == type(IERC165).interfaceId || id == type(IERC7535).interfaceId || ERC7575.isVaultId(id);
    }

    // --- Core and modules ---

    /// @inheritdoc IStakingVault
    function redeem(uint256 shares) external onlyCaller(QUEUE) notReporting returns (uint256 assets) {
        Pool memory pool = _pool;
        assets = shares * _total(pool, _frame) / pool.supply;
        uint256 available = pool.pooled - _outside(_consensus);
        if (assets > available) revert BufferTooLow(assets, available);
        _pool.pooled = (pool.pooled - assets).toUint96();
        _pool.supply = (pool.supply - shares).toUint96();
        TOKEN.burn(QUEUE, shares);
        emit Redeemed(shares, assets);
        SafeTransferLib.safeTransferETH(QUEUE, assets);
    }

    /// @inheritdoc IStakingVault
    function report(ConsensusReport calldata report_)
        external
        onlyCaller(oracle)
        notReporting
        returns (int256 profit, uint256 total)
    {
        _reporting = true;
        Consensus memory side = _consensus;
        uint256 elapsed = report_.referenceTime - Math.min(report_.referenceTime, side.referenceTime);
        profit = _takeOver(side, report_) + int256(uint256(report_.rewards));
        Pool memory pool = _pool;
        Frame memory frame = _frame;
        uint256 available = Math.min(_available(pool, frame), _burst * GWEI);
        uint256 remaining = _unvested(frame);
        total = pool.pooled - remaining;
        uint256 vesting = _settle(pool, profit, report_.faults * GWEI, remaining, total);

        _consensus = side;
        _pool = pool;
        _frame = Frame({
            vesting: vesting.toUint80(),
            vestingEnd: uint40(_vestingEnd(frame, remaining, vesting, elapsed)),
            ceiling: (pool.pooled + available).toUint96(),
            since: uint40(block.timestamp)
        });
        _reporting = false;
        emit Reported(report_.referenceTime, profit, report_.rewards, pool.pooled, vesting, pool.supply);

        if (report_.rewards != 0) REWARDS_VAULT.pull(report_.rewards);
        // a convenience: anybody can call it, so the one upgradeable contract in this path must not stop a report
        _tryCall(GATEWAY, abi.encodeCall(IWithdrawalGateway.sweep, ()), SWEEP_GAS);
    }

    /// @inheritdoc IStakingVault
    function receiveSweep() external payable onlyCaller(GATEWAY) notReporting {
        uint256 amount = msg.value / GWEI;
        if (amount * GWEI != msg.value) revert SweepNotWholeGwei(msg.value);
        Consensus memory side = _consensus;
        uint256 available = _outside(side);
        if (msg.value > available) revert SweepAboveOutside(msg.value, available);
        _consensus.swept = (side.swept + amount).toUint64();
        emit SweepReceived(uint64(amount));
    }

    /// @inheritdoc IStakingVault
    function receiveRewards() external payable onlyCaller(address(REWARDS_VAULT)) {}

    /// @inheritdoc IStakingVault
    function depositToBeacon(BeaconDeposit[] calldata deposits) external onlyDepositor notReporting {
        Consensus memory side = _consensus;
        uint256 available = _depositable(side);
        uint256 sum;
        for (uint256 i = 0; i < deposits.length; ++i) {
            sum += deposits[i].amount;
        }
        if (sum * GWEI > available) revert BufferTooLow(sum * GWEI, available);
        _consensus.deposited = (side.deposited + sum).toUint64();

        for (uint256 i = 0; i < deposits.length; ++i) {
            BeaconDeposit calldata item = deposits[i];
            if (item.pubkey.length != 48) revert PubkeyLengthInvalid(item.pubkey.length);
            if (item.signature.length != 96) revert SignatureLengthInvalid(item.signature.length);
            emit BeaconDeposited(item.pubkey, item.amount);
            DEPOSIT_CONTRACT.deposit{value: item.amount * GWEI}(
                item.pubkey,
                abi.encodePacked(CREDENTIALS),
                item.signature,
                DepositData.root(item.pubkey, CREDENTIALS, item.signature, item.amount)
            );
        }
    }

    /// @inheritdoc IStakingVault
    function cancelUnvested() external restricted notReporting returns (uint256 cancelled) {
        Pool memory pool = _pool;
        Frame memory frame = _frame;
        uint256 remaining = _unvested(frame);
        uint256 amount = Math.min(remaining, outside()) / GWEI;
        cancelled = amount * GWEI;
        uint256 available = _available(pool, frame);
        pool.pooled = (pool.pooled - cancelled).toUint96();
        _pool = pool;
        _consensus.profit -= amount.toInt256().toInt64();
        unrecovered = (unrecovered + cancelled).toUint96();
        _restart(frame, remaining - cancelled, pool.pooled + available);
        emit UnvestedCancelled(cancelled);
    }

    /// @inheritdoc IStakingVault
    function noteSlashing() external onlyDepositor notReporting {
        if (slashingPendingUntil() == 0) _slashingsSince = uint40(block.timestamp);
        _slashingNotedAt = uint40(block.timestamp);
        emit SlashingNoted(slashingPendingUntil());
    }

    // --- Governance ---

    /// @inheritdoc IStakingVault
    function pauseStaking(uint256 duration) external restricted notReporting {
        if (duration > MAX_PAUSE) revert PauseTooLong(duration, MAX_PAUSE);
        uint256 until = block.timestamp + duration;
        _pool.pausedUntil = until.toUint32();
        emit StakingPaused(until);
    }

    /// @inheritdoc IStakingVault
    function resumeStaking() external restricted notReporting {
        _pool.pausedUntil = 0;
        emit StakingResumed();
    }

    /// @inheritdoc IStakingVault
    function setStakeLimit(uint256 burst, uint256 growth) external restricted notReporting {
        _setStakeLimit(burst, growth, Math.min(_available(_pool, _frame), burst));
    }

    /// @inheritdoc IStakingVault
    function setFee(address recipient, uint256 newFee) external restricted {
        _setFee(recipient, newFee);
    }

    /// @inheritdoc IStakingVault
    function setOracle(address newOracle) external restricted {
        if (newOracle.code.length == 0) revert NotAContract(newOracle);
        emit OracleChanged(oracle, newOracle);
        oracle = newOracle;
    }

    /// @inheritdoc IStakingVault
    function setBonds(address newBonds) external restricted {
        _requireModule(newBonds);
        emit BondsChanged(bonds, newBonds);
        bonds = newBonds;
    }

    /// @inheritdoc IStakingVault
    function setCover(address newCover) external restricted {
        _requireModule(newCover);
        emit CoverChanged(cover, newCover);
        cover = newCover;
    }

    /// @inheritdoc IStakingVault
    function setDepositor(address account, bool allowed) external restricted {
        _setDepositor(account, allowed);
    }

    // --- Internal: stake ---

    function _stake(address receiver, uint256 minShares) private notReporting returns (uint256 shares) {
        Pool memory pool = _pool;
        Frame memory frame = _frame;
        shares = msg.value * pool.supply / _total(pool, frame);
        if (shares < minShares) revert SharesBelowMinimum(shares, minShares);
        _accept(pool, frame, receiver, msg.value, shares);
    }

    /// @dev The one place where ether becomes shares.
    function _accept(Pool memory pool, Frame memory frame, address receiver, uint256 assets, uint256 shares) private {
        if (block.timestamp < pool.pausedUntil) revert StakingIsPaused(pool.pausedUntil);
        if (assets < MIN_STAKE) revert StakeBelowMinimum(assets, MIN_STAKE);
        uint256 available = _available(pool, frame);
        if (assets > available) revert StakeAboveLimit(assets, available);
        pool.pooled = (pool.pooled + assets).toUint96();
        pool.supply = (pool.supply + shares).toUint96();
        _pool = pool;
        TOKEN.mint(receiver, shares);
        emit Deposit(msg.sender, receiver, assets, shares);
    }

    /// @dev Room below the ceiling, wei. It comes back with time up to `LIMIT_WINDOW` after a report; what is redeemed
    /// makes room at once, so nobody can use it up by staking and leaving.
    function _available(Pool memory pool, Frame memory frame) private view returns (uint256) {
        uint256 elapsed = Math.min(block.timestamp - frame.since, LIMIT_WINDOW);
        return Math.saturatingSub(frame.ceiling + pool.growth * elapsed * GWEI, pool.pooled);
    }

    // --- Internal: accounting ---

    function _total(Pool memory pool, Frame memory frame) private view returns (uint256) {
        return pool.pooled - _unvested(frame); // vesting <= pooled
    }

    /// @dev Falls linearly from `vesting` at `since` to 0 at `vestingEnd`; rounded up.
    function _unvested(Frame memory frame) private view returns (uint256) {
        if (block.timestamp >= frame.vestingEnd) return 0;
        return Math.ceilDiv(frame.vesting * (frame.vestingEnd - block.timestamp), frame.vestingEnd - frame.since);
    }

    /// @dev What is left keeps its end; what is new moves the end out by the time it covers, in proportion to its part of
    /// the whole. So a report hurries nothing: rewards of a silent week are not let go by the report of the day after it.
    /// @param remaining unvested before the report, wei
    /// @param vesting unvested after it, wei
    /// @param covered seconds that the report covers
    function _vestingEnd(Frame memory frame, uint256 remaining, uint256 vesting, uint256 covered)
        private
        view
        returns (uint256 end)
    {
        end = remaining == 0 ? block.timestamp : frame.vestingEnd;
        if (vesting > remaining) {
            covered = Math.min(Math.max(covered, VESTING_PERIOD), MAX_VESTING_PERIOD);
            end += Math.ceilDiv(covered * (vesting - remaining), vesting);
        }
    }

    /// @dev From now on `vesting` is unvested until the end it had, and the stake limit grows from `ceiling`.
    function _restart(Frame memory frame, uint256 vesting, uint256 ceiling) private {
        frame.vesting = vesting.toUint80();
        frame.ceiling = ceiling.toUint96();
        frame.since = uint40(block.timestamp);
        _frame = frame;
    }

    /// @dev profit + deposited - swept, in wei. Never negative, see {Consensus}.
    function _outside(Consensus memory side) private pure returns (uint256) {
        return uint256(int256(side.profit) + int256(uint256(side.deposited)) - int256(uint256(side.swept))) * GWEI;
    }

    /// @dev The buffer less what open requests are worth, rounded up, wei.
    function _depositable(Consensus memory side) private view returns (uint256) {
        Pool memory pool = _pool;
        uint256 owed = Math.ceilDiv(IWithdrawalQueue(QUEUE).openShares() * _total(pool, _frame), pool.supply);
        return Math.saturatingSub(pool.pooled - _outside(side), owed);
    }

    /// @dev Takes over the consensus side of a report into `side`.
    ///
    /// Sweeps take what lies in the gateway, whoever sent it, so a gift may have been swept where ether of the pool was
    /// lost. `outside` would fall below zero: the gift is then counted against the loss, which keeps a stranger's ether
    /// from standing in the way of a report.
    /// @return profit wei since the report before
    function _takeOver(Consensus memory side, ConsensusReport calldata report_) private view returns (int256 profit) {
        if (report_.referenceTime <= side.referenceTime || report_.referenceTime > block.timestamp) {
            revert ReferenceTimeOutOfOrder(report_.referenceTime, side.referenceTime, block.timestamp);
        }
        if (report_.deposited > side.deposited) revert DepositedAboveCounter(report_.deposited, side.deposited);
        uint256 withdrawn = report_.withdrawn;
        int256 newProfit = int256(uint256(report_.consensusBalance)) + int256(withdrawn)
            - int256(uint256(report_.provision)) - int256(uint256(report_.deposited));
        int256 newOutside = newProfit + int256(uint256(side.deposited)) - int256(uint256(side.swept));
        if (newOutside < 0) {
            withdrawn += uint256(-newOutside);
            newProfit -= newOutside;
        }
        // an upper bound on what a report may claim, not a price: forced ether makes room for truth only
        uint256 received = side.swept + GATEWAY.balance / GWEI;
        if (withdrawn > received) revert WithdrawnAboveReceived(withdrawn, received);

        profit = (newProfit - side.profit) * int256(GWEI);
        side.profit = newProfit.toInt64();
        side.referenceTime = report_.referenceTime;
        side.lag = (block.timestamp - report_.referenceTime).toUint24();
    }

    /// @dev Applies a report to `pool`. What bonds pay for faults becomes unvested: the shares that are burnt for it would
    /// else lift the rate at once. A loss is taken from what is unvested first, so from that before all.
    /// @return unvested_ wei
    function _settle(Pool memory pool, int256 profit, uint256 faults, uint256 remaining, uint256 total)
        private
        returns (uint256 unvested_)
    {
        (uint256 paid, uint256 burnt) = faults == 0 ? (0, 0) : _cover(bonds, faults, total, pool.supply);
        unvested_ = remaining + paid;
        if (profit < 0) {
            (uint256 taken, uint256 burntCover) = _lose(pool, uint256(-profit), unvested_, paid, total);
            unvested_ -= taken;
            burnt += burntCover;
        } else {
            unvested_ += _gain(pool, uint256(profit), total);
        }
        if (burnt != 0) {
            pool.supply = (pool.supply - burnt).toUint96();
            TOKEN.burn(address(this), burnt);
        }
    }

    /// @dev Applies a loss to `pool`: what is unvested, then the cover fund, then everybody.
    /// @param paid by bonds, of what is unvested, wei: holders do not lose that
    /// @return taken of what is unvested, wei
    /// @return burnt shares to be burnt
    function _lose(Pool memory pool, uint256 loss, uint256 unvested_, uint256 paid, uint256 total)
        private
        returns (uint256 taken, uint256 burnt)
    {
        taken = Math.min(loss, unvested_);
        uint256 left = loss - taken;
        uint256 covered;
        (covered, burnt) = _cover(cover, left, total, pool.supply);
        if (covered != left) emit LossShared(left - covered);
        unrecovered = (unrecovered + loss - covered - Math.min(paid, loss)).toUint96();
        pool.pooled = (pool.pooled - loss).toUint96();
    }

    /// @dev Applies a gain to `pool`: the fee in shares at the unchanged rate, but for what only makes good a loss.
    /// @return what vests of it, wei
    function _gain(Pool memory pool, uint256 gain, uint256 total) private returns (uint256) {
        uint256 recovered = unrecovered;
        address recipient = feeRecipient;
        if (recovered != 0) {
            recovered = Math.min(recovered, gain);
            unrecovered -= uint96(recovered); // <= unrecovered
        }
        uint256 feeAssets = (gain - recovered) * fee / BPS;
        uint256 feeShares = total == 0 ? 0 : feeAssets * pool.supply / total;
        pool.pooled = (pool.pooled + gain).toUint96();
        if (feeShares != 0) {
            pool.supply = (pool.supply + feeShares).toUint96();
            TOKEN.mint(recipient, feeShares);
            emit FeeMinted(recipient, feeShares, feeAssets);
        }
        return gain - feeAssets;
    }

    /// @dev Asks `module` for shares worth `loss` at the rate before the report. A module that fails covers nothing: it
    /// must not be able to stop a report, and who sends the report must not be able to starve it.
    /// @return covered wei of `loss`
    /// @return given shares that are here now to be burnt
    function _cover(address module, uint256 loss, uint256 total, uint256 supply_)
        private
        returns (uint256 covered, uint256 given)
    {
        if (module == address(0) || loss == 0 || total == 0) return (0, 0);
        uint256 before = TOKEN.balanceOf(address(this));
        // a callee gets at most 63/64 of what is left (EIP-150)
        if (gasleft() * 63 / 64 < COVER_GAS) revert GasTooLow(gasleft(), COVER_GAS);
        _tryCall(module, abi.encodeCall(ILossCover.cover, (Math.ceilDiv(loss * supply_, total))), COVER_GAS);
        given = TOKEN.balanceOf(address(this)) - before;
        covered = Math.min(loss, given * total / supply_);
        emit LossCovered(module, given, covered);
    }

    /// @dev A call whose failure and whose answer, of whatever length, mean nothing here.
    function _tryCall(address target, bytes memory data, uint256 gasLimit) private {
        assembly ("memory-safe") {
            pop(call(gasLimit, target, 0, add(data, 0x20), mload(data), 0, 0))
        }
    }

    // --- Internal: governance ---

    function _setStakeLimit(uint256 burst, uint256 growth, uint256 available) private {
        uint256 burstGwei = burst / GWEI;
        uint256 growthGwei = growth / GWEI;
        if (burstGwei > type(uint56).max || growthGwei > type(uint32).max) revert StakeLimitOutOfBounds(burst, growth);
        emit StakeLimitChanged(_burst * GWEI, _pool.growth * GWEI, burstGwei * GWEI, growthGwei * GWEI);
        _burst = uint56(burstGwei);
        _pool.growth = uint32(growthGwei);
        Frame memory frame = _frame;
        _restart(frame, _unvested(frame), _pool.pooled + available); // vesting goes on at the same speed from now
    }

    function _setFee(address recipient, uint256 newFee) private {
        if (newFee > MAX_FEE) revert FeeAboveMaximum(newFee, MAX_FEE);
        if (recipient == address(0) || recipient == address(TOKEN)) revert FeeRecipientInvalid(recipient);
        emit FeeChanged(feeRecipient, fee, recipient, newFee);
        feeRecipient = recipient;
        fee = uint16(newFee);
    }

    function _setDepositor(address account, bool allowed) private {
        isDepositor[account] = allowed;
        emit DepositorChanged(account, allowed);
    }

    /// @dev Zero switches a module off. An account without code cannot give shares, so it is a mistake.
    function _requireModule(address module) private view {
        if (module != address(0) && module.code.length == 0) revert NotAContract(module);
    }
}
