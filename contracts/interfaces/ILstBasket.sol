// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IStakingVault} from "./IStakingVault.sol";

/// @notice Who rebalances, called in the middle of {ILstBasket-rebalance}.
interface IBasketRebalancer {
    /// @notice `amountOut` of `tokenOut` has come. Send `tokenIn` of at least the same worth to the caller.
    function onRebalance(address tokenOut, uint256 amountOut, address tokenIn, bytes calldata data) external;
}

/// @title Basket of liquid staking tokens
/// @notice Swaps any of its tokens for any other at what they are worth by their own protocols (see {ILstRateProvider}), not
/// by a curve: the price does not depend on what the basket holds. The basket's own ERC-20 is a share of all it holds.
/// slETH it asks the core itself for: low is the core rate rounded down, high a wei more; it is sick while a proven slashing
/// waits for a report ({IStakingVault-slashingPendingUntil}), and when the newest report is older than {MAX_RATE_AGE}.
///
/// Whatever comes in is taken at its low value and whatever goes out at its high value, all rounding is the pool's: at
/// rates that stand still, **no call lowers the worth of what a share stands for**. A negative fee is a bonus, paid from
/// tokens that were given for it ({fund}) and that never belong to the shares. Who brings such a token in, by a swap, as
/// liquidity or as rebalancer, pays the bonus back to where it came from, so no circle of calls earns bonuses (but a wei a
/// call) or moves them to another token, not even for who owns all shares. Coming in cannot be negative: {removeAll},
/// which is free, would be the way out again.
///
/// All balances are counted; what is sent here without a call belongs to nobody and moves no price. Tokens whose
/// balances change by themselves do not fit. Amounts are wei of the token, values wei of ether, fees basis points.
///
/// A token whose provider is sick, or that a guardian has cut off, can be neither put in nor taken out alone, and counts
/// nothing for who leaves in one token. While it is held nobody can add: there is no fair price to newcomers. The others
/// go on being swapped, and {removeAll} reads no provider and cannot be stopped. For a token that is sick for good
/// governance sets a provider with a wide spread: it counts in full for who adds, and for next to nothing for who leaves.
interface ILstBasket is IERC20 {
    /// @notice What governance sets for a token.
    struct TokenConfig {
        address provider; // {ILstRateProvider} of this token; for slETH the core's vault
        int16 inFee; // bps, in [0, MAX_FEE]; a swap costs inFee of one and what is positive of outFee of the other
        int16 outFee; // bps, in [-inFee, MAX_FEE]: a bonus for taking it out is paid back by who brings it in
        uint16 shareCap; // most of the whole, when last looked at, that may be held of it after it came in, bps; steers only
        uint32 cap; // most that may be held of it after it came in, whole ether of value: what it can cost the basket
        bool inputOff; // can only be taken out
        bool exactTransfers; // its transfers move what they say: not measured. For code that cannot change or is pinned
    }

    /// @notice `amountOut` is with the bonus, which {IncentivePaid} before it tells.
    event Swapped(
        address indexed sender,
        address indexed receiver,
        address tokenIn,
        address tokenOut,
        uint256 amountIn,
        uint256 amountOut
    );
    event LiquidityAdded(
        address indexed sender, address indexed receiver, address indexed token, uint256 amount, uint256 lp
    );
    event LiquidityRemoved(
        address indexed sender, address indexed receiver, address indexed token, uint256 amount, uint256 lp
    );
    /// @notice `amounts` are in the order of {tokens}.
    event AllRemoved(address indexed sender, address indexed receiver, uint256[] amounts, uint256 lp);
    /// @notice A token refused its transfer; its owner can {collect} it later.
    event Owed(address indexed owner, address indexed token, uint256 amount);
    event Collected(address indexed owner, address indexed receiver, address indexed token, uint256 amount);
    event Rebalanced(address indexed sender, address tokenOut, uint256 amountOut, address tokenIn, uint256 amountIn);
    /// @notice By {fund}, or because a token came in that is paid for going out.
    event IncentiveFunded(address indexed sender, address indexed token, uint256 amount);
    /// @notice `bonus` of a token went out with a swap.
    event IncentivePaid(address indexed receiver, address indexed token, uint256 bonus);
    event IncentiveReleased(address indexed token, uint256 amount);
    event TokenAdded(address indexed token, TokenConfig config);
    event TokenConfigured(address indexed token, TokenConfig oldConfig, TokenConfig config);
    event TokenRemoved(address indexed token);
    event LpFeeChanged(uint256 oldFee, uint256 fee);
    event TokenCutOffUntil(address indexed token, uint256 until);

    error TokenUnknown(address token);
    error TokenKnown(address token);
    error TooManyTokens(uint256 maximum);
    error TokenNotEmpty(address token, uint256 balance, uint256 incentive);
    error SameToken(address token);
    error AmountZero();
    error DeadlinePassed(uint256 deadline, uint256 current);
    error TokenIsCutOff(address token, uint256 until);
    error InputIsOff(address token);
    /// @notice The provider is healthy and what it says is not a rate: zero, or low above high.
    error RatesInvalid(address token, uint256 low, uint256 high);
    /// @notice The token's worth (wei) would be above `cap` (wei).
    error CapExceeded(address token, uint256 value, uint256 cap);
    /// @notice The balance (wei of the token) would be above the one at `shareCap` ({sync}).
    error ShareCapExceeded(address token, uint256 balance, uint256 shareLimit);
    error OutputBelowMinimum(uint256 output, uint256 minimum);
    error InputAboveMaximum(uint256 input, uint256 maximum);
    error LpBelowMinimum(uint256 lp, uint256 minimum);
    error FirstLiquidityTooSmall(uint256 value, uint256 minimum);
    /// @notice It is held and cannot be valued, or is cut off: nobody knows what the whole is.
    error TokenIsSick(address token);
    error BalanceTooLow(address token, uint256 needed, uint256 available);
    /// @notice A transfer moved another amount than it was told to: the token charges, or lies.
    error TransferAmountWrong(address token, uint256 expected, uint256 moved);
    /// @notice What the basket pays itself belongs to nobody.
    error ReceiverInvalid(address receiver);
    error LengthMismatch(uint256 given, uint256 expected);
    error NothingOwed(address owner, address token);
    /// @notice What came in (low value) is worth less than what went out (high value), wei.
    error RebalanceLoses(uint256 given, uint256 received);
    error ProviderInvalid(address provider, address token);
    error FeeOutOfBounds(int256 inFee, int256 outFee);
    error ShareCapOutOfBounds(uint256 shareCap);
    error LpFeeOutOfBounds(uint256 fee);
    error CutOffTooLong(uint256 duration, uint256 maximum);

    // --- Swap ---

    /// @notice Swap exactly `amountIn` of `tokenIn`.
    /// @return amountOut `amountIn` at its low value, less the fee (rounded up), in `tokenOut` at its high value, rounded
    /// down; with a negative `outFee` the bonus, as far as the incentive of `tokenOut` goes
    /// @dev Errors: {DeadlinePassed}, {SameToken}, {TokenUnknown}, {InputIsOff}, {TokenIsCutOff},
    /// {ILstRateProvider-Unhealthy}, {RatesInvalid}, {AmountZero} (also of what would come out), {OutputBelowMinimum},
    /// {BalanceTooLow}, {CapExceeded}, {ShareCapExceeded}, {ReceiverInvalid},
    /// {TransferAmountWrong}.
    function swapExactIn(
        address tokenIn,
        address tokenOut,
        uint256 amountIn,
        uint256 minOut,
        address receiver,
        uint256 deadline
    ) external returns (uint256 amountOut);

    /// @notice Swap for exactly `amountOut` of `tokenOut`.
    /// @return amountIn rounded up at every step
    /// @dev Errors: those of {swapExactIn} with {InputAboveMaximum} for {OutputBelowMinimum}.
    function swapExactOut(
        address tokenIn,
        address tokenOut,
        uint256 amountOut,
        uint256 maxIn,
        address receiver,
        uint256 deadline
    ) external returns (uint256 amountIn);

    // --- Liquidity ---

    /// @notice Add `amount` of one token. Every token that is held must be healthy. The fee, `lpFee` and the token's `inFee`,
    /// stays in the pool, or pays a bonus back; the first to add pays none and leaves {DEAD_SHARES} to nobody.
    /// @return lp `value (low) less fee * supply / total (high)`, rounded down; of the first, the value
    /// @dev Errors: {TokenUnknown}, {InputIsOff}, {TokenIsCutOff}, {ILstRateProvider-Unhealthy},
    /// {RatesInvalid}, {AmountZero}, {FirstLiquidityTooSmall}, {LpBelowMinimum}, {CapExceeded}, {ShareCapExceeded} (not
    /// of the first), {TransferAmountWrong}.
    function addLiquidity(address token, uint256 amount, uint256 minLp, address receiver) external returns (uint256 lp);

    /// @notice Burn `lp` shares for one token, less `lpFee` and the token's `outFee` where that is positive. Tokens that are
    /// sick or cut off count nothing: who wants their part takes {removeAll}.
    /// @return amount `lp * total (low) / supply` less fee, in `token` at its high value, rounded down
    /// @dev Errors: {TokenUnknown}, {TokenIsCutOff}, {ILstRateProvider-Unhealthy}, {RatesInvalid},
    /// {AmountZero}, {OutputBelowMinimum}, {BalanceTooLow}, {ReceiverInvalid},
    /// {TransferAmountWrong}, those of ERC-20.
    function removeLiquidity(uint256 lp, address token, uint256 minOut, address receiver)
        external
        returns (uint256 amount);

    /// @notice Burn `lp` shares for their part of every token, without a fee. Reads no provider; works while all is cut off.
    /// What a token refuses to transfer is kept for the caller ({owed}, {collect}).
    /// @param mins least amount of each token, in the order of {tokens}
    /// @return amounts `lp * balance / supply`, rounded down
    /// @dev Errors: {LengthMismatch}, {AmountZero}, {ReceiverInvalid}, {OutputBelowMinimum}, those of ERC-20.
    function removeAll(uint256 lp, uint256[] calldata mins, address receiver)
        external
        returns (uint256[] memory amounts);

    /// @notice Take what a token refused to transfer before. Errors: {NothingOwed}, {ReceiverInvalid},
    /// {TransferAmountWrong}.
    function collect(address token, address receiver) external returns (uint256 amount);

    // --- Incentive ---

    /// @notice Give `amount` of a token for bonuses on swaps that take it out. It does not come back.
    /// @dev Errors: {TokenUnknown}, {InputIsOff} (it may be about to be removed), {AmountZero}, {TransferAmountWrong}.
    function fund(address token, uint256 amount) external;

    // --- Reading ---

    /// @notice What {swapExactIn} would pay and how much of it is bonus. Errors: of {swapExactIn}, those of
    /// tokens and rates, and {AmountZero}.
    function quoteExactIn(address tokenIn, address tokenOut, uint256 amountIn)
        external
        view
        returns (uint256 amountOut, uint256 bonus);
    /// @notice What {swapExactOut} would take and how much of what it pays is bonus.
    function quoteExactOut(address tokenIn, address tokenOut, uint256 amountOut)
        external
        view
        returns (uint256 amountIn, uint256 bonus);
    /// @notice Worth of all that belongs to the shares, wei; sick tokens and those cut off count nothing. Like the quotes it
    /// reverts in the middle of a call; what is told below is as far as the call has come.
    /// @return low rounded down
    /// @return high rounded up
    /// @return whole whether every token that is held counts
    function totalValue() external view returns (uint256 low, uint256 high, bool whole);
    function tokens() external view returns (address[] memory);
    function configOf(address token) external view returns (TokenConfig memory);
    /// @notice What belongs to the shares.
    /// @return balance wei of the token
    /// @return shareLimit balance at the token's share cap when it was last looked at ({sync}), wei of the token
    /// @return cutOffUntil seconds
    function holdingOf(address token) external view returns (uint256 balance, uint256 shareLimit, uint256 cutOffUntil);
    /// @notice What is left for bonuses, wei of the token.
    function incentiveOf(address token) external view returns (uint256);
    /// @notice What `token` refused to transfer to who removed.
    function owed(address owner, address token) external view returns (uint256);
    /// @notice Fee on adding and on removing one token, bps.
    function lpFee() external view returns (uint256);
    /// @notice The core's, whose word for slETH is taken.
    function VAULT() external view returns (IStakingVault);
    /// @notice Age of the core's newest report above which slETH is sick, seconds.
    function MAX_RATE_AGE() external view returns (uint256);

    function MAX_TOKENS() external view returns (uint256);
    function MAX_FEE() external view returns (uint256);
    function MAX_CUT_OFF() external view returns (uint256);
    function DEAD_SHARES() external view returns (uint256);

    // --- Governance (restricted) ---

    /// @notice Errors: {TokenKnown}, {TooManyTokens}, {ProviderInvalid}, {ILstRateProvider-Unhealthy}, {FeeOutOfBounds},
    /// {ShareCapOutOfBounds}.
    function addToken(address token, TokenConfig calldata config) external;
    /// @notice As {addToken}, for one that is known. A new provider must be healthy, the old one need not. Errors: {TokenUnknown}
    /// and those of {addToken} from {ProviderInvalid} on.
    function configureToken(address token, TokenConfig calldata config) external;
    /// @notice Forget a token of which nothing is held: with its input off, anyone swaps the rest out. Order of {tokens}
    /// changes. Errors: {TokenUnknown}, {TokenNotEmpty}.
    function removeToken(address token) external;
    /// @notice Give what is left for bonuses to the shares, before a token is removed. Let it be little by then: who adds
    /// before it has a part of it. Errors: {AmountZero}.
    function releaseIncentive(address token) external;
    /// @notice In [1, MAX_FEE], taken on adding and on removing one token. This fee, once, must be no less than what one report
    /// can add to a rate, that is the rewards of a provider's `maxAge`, of slETH's {MAX_RATE_AGE} (after it nobody can add): else
    /// who brings another token before a report and leaves by {removeAll} after it gains. What the shares keep of a swap must be
    /// no less, either: `inFee` less the bonus of what comes in, and what is positive of the other's `outFee`.
    function setLpFee(uint256 fee) external;
    /// @notice Send `amountOut` of `tokenOut` to the caller, call it ({IBasketRebalancer}), and take what `tokenIn` it sends:
    /// worth at least as much, at the worse of the rates before and after, and the bonus of `tokenIn` more where it has one,
    /// which goes back to it. Both tokens must be healthy.
    /// @dev Errors: {RebalanceLoses}, and as for {swapExactIn}.
    function rebalance(address tokenOut, uint256 amountOut, address tokenIn, bytes calldata data)
        external
        returns (uint256 amountIn);
    /// @notice Cut tokens off, all of them for a pause, for at most {MAX_CUT_OFF}; it ends by itself. They can be neither put in
    /// nor taken out alone; {removeAll}, {collect} and {fund} go on. A longer cut that runs stays. One unknown
    /// token refuses all. Errors: {CutOffTooLong}, {TokenUnknown}.
    function cutOff(address[] calldata list, uint256 duration) external;
    /// @notice End what cuts tokens off, however long it had still to run. Errors: {TokenUnknown}.
    function restore(address[] calldata list) external;

    // --- Anyone ---

    /// @notice Look again at what the whole is (low), for the limits on parts of it. Who adds a token looks for that one (at
    /// what the others are worth at most), {removeAll} lowers all limits by what it takes, another `shareCap` scales its own, and in between they stay: a new token's
    /// is zero. Who finds one too low calls this first. Errors: {TokenIsSick}.
    function sync() external;
}
