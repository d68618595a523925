// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {IERC7535, IERC7575} from "./IERC7535.sol";

/// @notice What a report says of the consensus layer and of the rewards, as of its reference slot.
struct ConsensusReport {
    uint40 referenceTime; // timestamp of the reference slot, seconds
    uint64 consensusBalance; // balances of all validators plus their pending deposits, gwei
    uint64 provision; // expected cost of slashings under way, gwei
    uint64 faults; // what validators at fault have lost since the report before, gains of others aside, gwei
    uint64 withdrawn; // all ether the consensus layer ever paid to the gateway, gwei; may say less, never more
    uint64 deposited; // the vault's `deposited` counter when `consensusBalance` was read, gwei
    uint96 rewards; // to take from the rewards vault now, wei
}

/// @notice One payment into the deposit contract.
struct BeaconDeposit {
    bytes pubkey; // 48 bytes
    bytes signature; // 96 bytes
    uint64 amount; // gwei, at least 1 ether (the deposit contract's minimum)
}

/// @title Staking vault
/// @notice Takes ether for slETH and keeps the accounting of the pool. Assets are wei, shares are slETH.
///
/// `pooled` is all ether that belongs to holders, wherever it is; `total = pooled - unvested`; rate = total / supply.
/// Of it, `outside` is on the consensus layer or on its way there and back, the rest is the buffer this contract holds:
///
///     outside = profit + deposited - swept        buffer = pooled - outside
///
/// Faces: ERC-7535 (ERC-4626 over ether; the synchronous exit is always 0), ERC-7575, ERC-165.
interface IStakingVault is IERC7535, IERC7575, IERC165 {
    // --- Events ---

    /// @notice ERC-4626. `assets` wei were staked by `sender` for `owner`, who got `shares`.
    event Deposit(address indexed sender, address indexed owner, uint256 assets, uint256 shares);
    /// @notice A stake named `referral`. Follows the {Deposit} it belongs to.
    event Referred(address indexed referral, address indexed owner, uint256 assets, uint256 shares);
    /// @notice The queue redeemed `shares` for `assets` wei.
    event Redeemed(uint256 shares, uint256 assets);
    /// @notice `amount` gwei went to the deposit contract for `pubkey`.
    event BeaconDeposited(bytes pubkey, uint64 amount);
    /// @notice `amount` gwei came back through the gateway.
    event SweepReceived(uint64 amount);
    /// @notice A report was applied. All values after it, wei; `profit` is its own gain or loss before cover.
    event Reported(
        uint256 indexed referenceTime, int256 profit, uint256 rewards, uint256 pooled, uint256 unvested, uint256 supply
    );
    /// @notice `shares` were minted to `recipient` as the fee on a gain, worth `assets` wei at the unchanged rate.
    event FeeMinted(address indexed recipient, uint256 shares, uint256 assets);
    /// @notice `module` gave `shares` to be burnt, which covered `assets` wei of a loss.
    event LossCovered(address indexed module, uint256 shares, uint256 assets);
    /// @notice `assets` wei of a loss were left after bonds, unvested rewards and cover; the rate fell by them.
    event LossShared(uint256 assets);
    /// @notice `assets` wei of unvested rewards were taken back, the report they came from being false.
    event UnvestedCancelled(uint256 assets);
    /// @notice A slashing was proven. Until a report counts it, or `until`, nothing is finalised without a report.
    event SlashingNoted(uint256 until);
    event StakingPaused(uint256 until);
    event StakingResumed();
    event StakeLimitChanged(uint256 oldBurst, uint256 oldGrowth, uint256 burst, uint256 growth);
    event OracleChanged(address oldOracle, address oracle);
    event BondsChanged(address oldBonds, address bonds);
    event CoverChanged(address oldCover, address cover);
    event DepositorChanged(address indexed account, bool allowed);
    event FeeChanged(address oldRecipient, uint256 oldFee, address recipient, uint256 fee);

    // --- Errors ---

    error StakingIsPaused(uint256 until);
    error StakeBelowMinimum(uint256 given, uint256 minimum);
    error StakeAboveLimit(uint256 given, uint256 available);
    error SharesBelowMinimum(uint256 shares, uint256 minShares);
    /// @notice The ether sent (wei) is not what the call names or needs.
    error WrongValue(uint256 sent, uint256 expected);
    error RefundFailed(address receiver, uint256 amount);
    error CallerNotAllowed(address caller, address allowed);
    error DepositorUnknown(address caller);
    error ReportInProgress();
    error BufferTooLow(uint256 needed, uint256 available);
    error SynchronousExitUnavailable();
    /// @notice `referenceTime` is not later than that of the newest report, or lies in the future.
    error ReferenceTimeOutOfOrder(uint256 given, uint256 newest, uint256 current);
    error DepositedAboveCounter(uint256 given, uint256 counter);
    error WithdrawnAboveReceived(uint256 given, uint256 received);
    error SweepNotWholeGwei(uint256 amount);
    error SweepAboveOutside(uint256 amount, uint256 outside);
    error PubkeyLengthInvalid(uint256 length);
    error SignatureLengthInvalid(uint256 length);
    /// @notice A report that carries a loss needs gas for every module that may cover it.
    error GasTooLow(uint256 left, uint256 needed);
    error ConfigInvalid();
    error SeedBelowMinimum(uint256 given, uint256 minimum);
    error PauseTooLong(uint256 duration, uint256 maximum);
    error FeeAboveMaximum(uint256 fee, uint256 maximum);
    error FeeRecipientInvalid(address recipient);
    error NotAContract(address account);
    error StakeLimitOutOfBounds(uint256 burst, uint256 growth);

    // --- Stake ---

    /// @notice Stake the ether sent for slETH at the rate of the moment.
    /// @param receiver who gets the shares
    /// @param minShares least number of shares to accept; 0 for any
    /// @param referral named in {Referred}; zero for none
    /// @return shares `assets * supply / total`, rounded down
    /// @dev Errors: {StakingIsPaused}, {StakeBelowMinimum}, {StakeAboveLimit}, {SharesBelowMinimum}.
    function stake(address receiver, uint256 minShares, address referral) external payable returns (uint256 shares);

    // --- Reading ---

    /// @notice Ether per share, 1e18 = 1, rounded down. A function of counted state and time alone.
    function rate() external view returns (uint256);
    /// @notice All shares, those in the withdrawal queue included. slETH's `totalSupply`.
    function supply() external view returns (uint256);
    /// @notice All ether that belongs to holders, vested or not, wei.
    function pooled() external view returns (uint256);
    /// @notice Rewards reported and not yet vested, wei, rounded up.
    function unvested() external view returns (uint256);
    /// @notice Ether of the pool that this contract holds, wei.
    function buffer() external view returns (uint256);
    /// @notice Ether of the pool that is on the consensus layer, in the gateway or on its way, wei.
    function outside() external view returns (uint256);
    /// @notice Ether that could go to the deposit contract now: the buffer less what open requests are worth, wei.
    function depositable() external view returns (uint256);
    /// @notice Counters of the consensus side, gwei, and the reference time of the newest report.
    function consensus() external view returns (int256 profit, uint256 deposited, uint256 swept, uint256 referenceTime);
    /// @notice Reference time of the newest report, seconds; that of the deployment before the first.
    function referenceTime() external view returns (uint256);
    /// @notice Reference time of the newest report and when it was applied, seconds.
    function lastReport() external view returns (uint256 referenceTime, uint256 appliedAt);
    /// @notice Until when requests cannot be finalised without a report, for a slashing that was proven and that no report
    /// has counted yet, seconds; 0 where there is none.
    function slashingPendingUntil() external view returns (uint256);
    /// @notice Least stake, wei.
    // solhint-disable-next-line func-name-mixedcase
    function MIN_STAKE() external view returns (uint256);
    /// @notice Most that can be staked now, wei; 0 while paused.
    function stakeLimit() external view returns (uint256);
    function stakingPausedUntil() external view returns (uint256);
    function isDepositor(address account) external view returns (bool);
    /// @notice Who may report.
    function oracle() external view returns (address);
    /// @notice Covers what validators at fault lose (see {ILossCover}); zero where there is none.
    function bonds() external view returns (address);
    /// @notice Covers losses that bonds and unvested rewards leave; zero where there is none.
    function cover() external view returns (address);

    // --- Core and modules ---

    /// @notice Burn `shares` of the queue at the rate of the moment and pay it. Queue only.
    /// @return assets `shares * total / supply`, rounded down, wei
    function redeem(uint256 shares) external returns (uint256 assets);

    /// @notice Apply a report. Oracle only.
    /// @return profit gain or loss of the report, wei
    /// @return total pooled less unvested before it, wei
    function report(ConsensusReport calldata report_) external returns (int256 profit, uint256 total);

    /// @notice Ether that left the consensus layer comes back. Gateway only, whole gwei, at most `outside`.
    function receiveSweep() external payable;

    /// @notice Ether that a report takes from the rewards vault. Rewards vault only.
    function receiveRewards() external payable;

    /// @notice Pay the deposit contract with the vault's immutable credentials. Depositors only.
    /// @dev Errors: {BufferTooLow}, {PubkeyLengthInvalid}, {SignatureLengthInvalid}.
    function depositToBeacon(BeaconDeposit[] calldata deposits) external;

    /// @notice Take unvested rewards back, because the report they came from is proven false. Restricted.
    /// @dev The rate does not move, and nothing is lost for ever: `profit` falls as much, so the next report finds as gain
    /// again what was true. No fee is due on that.
    /// @return cancelled wei, whole gwei, at most `outside`
    function cancelUnvested() external returns (uint256 cancelled);

    /// @notice Stop finalisation without reports until a report counts a slashing that was just proven, at most
    /// 45 days from the first that none has counted. Depositors only.
    function noteSlashing() external;

    // --- Governance (restricted) ---

    /// @notice Stop staking for `duration` seconds, at most {MAX_PAUSE}; it ends by itself. Exits cannot be paused.
    function pauseStaking(uint256 duration) external;
    function resumeStaking() external;
    /// @notice Burst counts in full from the next report; room that is there now is only ever cut.
    /// @param burst most room that a report leaves, wei (whole gwei)
    /// @param growth how fast room grows in the day after a report, also above `burst`, wei a second (whole gwei)
    function setStakeLimit(uint256 burst, uint256 growth) external;
    /// @param fee share of a gain, basis points, at most {MAX_FEE}
    function setFee(address recipient, uint256 fee) external;
    /// @notice Who may send buffer to the deposit contract and tell of slashings: the validator manager.
    function setDepositor(address account, bool allowed) external;
    function setOracle(address newOracle) external;
    /// @notice Who covers what validators at fault lose (see {ILossCover}); zero for none.
    function setBonds(address bonds) external;
    /// @notice Who covers losses that bonds and unvested rewards leave; zero for none.
    function setCover(address newCover) external;
}
