// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";

/// @title Instant pool
/// @notice slETH for ether at once, from ether that others provide. The core rate is the price, less a fee that grows as
/// ether runs out; buying slETH back costs no fee. An ordinary holder of slETH: nothing here can move the core rate.
///
/// The pool owns ether, slETH and shares in the withdrawal queue ("awaited"). Providers own the pool by an ERC-20. The
/// surcharge depends on the ether for each of its tokens, so what is awaited counts as ether where slETH is added, and no
/// sequence of trades, additions, removals and payments from the queue pays less than one trade would. Ether that others
/// bring by {stake} is shared by all who provide then, without a fee.
///
/// Assets are wei, shares are slETH, liquidity is the pool's own token.
interface IInstantPool is IERC20, IERC721Receiver {
    /// @notice What governance decides.
    struct Terms {
        uint16 minFee; // basis points on the ether paid, where the ether leg is at the target
        uint16 maxFee; // basis points, for the last ether
        uint16 treasuryPart; // basis points of the fee
        uint96 target; // ether for 1e18 of liquidity, wei, from which on the fee is least
    }

    // --- Events ---

    /// @notice `shares` of `sender` were sold: `assets` wei to `receiver`. Of the fee (wei) `treasuryShares` are the treasury's.
    event Sold(
        address indexed sender,
        address indexed receiver,
        uint256 shares,
        uint256 assets,
        uint256 fee,
        uint256 treasuryShares
    );
    /// @notice `assets` wei bought `shares` of the pool for `receiver`, at the rate.
    event Bought(address indexed receiver, uint256 assets, uint256 shares);
    /// @notice Request `id` of `seller` with `shares` in it was bought for `assets` wei or for `paidShares`.
    event RequestBought(uint256 indexed id, address indexed seller, uint256 shares, uint256 assets, uint256 paidShares);
    event LiquidityAdded(
        address indexed sender, address indexed receiver, uint256 assets, uint256 shares, uint256 liquidity
    );
    /// @notice `restShares` (gwei) of the requests are what is still to come, under `restId`.
    event LiquidityRemoved(
        address indexed owner,
        address indexed receiver,
        uint256 liquidity,
        uint256 assets,
        uint256 shares,
        uint256 restId,
        uint256 restShares
    );
    /// @notice Rest `id` was paid `assets` wei for `shares` (gwei); what is left of it is rest `id + shares`.
    event RestClaimed(uint256 indexed id, address indexed recipient, uint256 shares, uint256 assets);
    /// @notice The pool handed in `shares`.
    event Replenished(uint256 indexed id, uint256 shares);
    /// @notice Request `id` paid `assets` wei, of which `restAssets` are set aside for who has left.
    event Collected(uint256 indexed id, uint256 shares, uint256 assets, uint256 restAssets);
    event TreasuryPaid(address indexed treasury, uint256 shares);
    event TermsChanged(Terms oldTerms, Terms terms);
    event TreasuryChanged(address oldTreasury, address treasury);
    event Paused(uint256 until);
    event Resumed();

    // --- Errors ---

    error Expired(uint256 deadline);
    error AmountIsZero();
    error AssetsBelowMinimum(uint256 assets, uint256 minimum);
    error SharesBelowMinimum(uint256 shares, uint256 minShares);
    error SharesAboveMaximum(uint256 shares, uint256 maximum);
    error LiquidityBelowMinimum(uint256 liquidity, uint256 minimum);
    /// @notice The ether leg is too small for what was asked.
    error EtherTooLow(uint256 needed, uint256 available);
    /// @notice The slETH leg is too small for what was asked.
    error SharesTooLow(uint256 needed, uint256 available);
    error PoolIsPaused(uint256 until);
    /// @notice A slashing was proven that no report has counted: the rate may be too high.
    error SlashingPending(uint256 until);
    /// @notice The newest report is older than `MAX_RATE_AGE`.
    error RateTooOld(uint256 referenceTime, uint256 maxAge);
    /// @notice {collect} first: request `id` was paid and is not counted yet.
    error RequestToCollect(uint256 id);
    /// @notice A request that was finalised is claimed, not sold.
    error RequestFinalized(uint256 id);
    error RequestTooSmall(uint256 shares, uint256 minimum);
    /// @notice Ether and what is awaited reach the target: slETH stays for who wants to buy it.
    error NothingToReplenish();
    error RestUnknown(uint256 id);
    error RestNotReady(uint256 id);
    error RecipientNotOwner(address recipient, address owner);
    error RecipientRejectedEther(address recipient, uint256 assets);
    error EtherNotAccepted(address sender);
    error CallerNotQueue(address caller);
    error TermsOutOfBounds();
    error AddressMissing();
    error PauseTooLong(uint256 duration, uint256 maximum);
    error SeedBelowMinimum(uint256 given, uint256 minimum);

    // --- Leave ---

    /// @notice Sell `shares` of the caller for ether. Needs an allowance.
    /// @param minAssets least ether to accept, wei
    /// @param deadline last second at which the call counts
    /// @return assets wei, rounded down
    /// @dev Errors: {AmountIsZero}, {Expired}, {AssetsBelowMinimum}, {EtherTooLow}, {PoolIsPaused}, {SlashingPending},
    /// {RateTooOld}, {RecipientRejectedEther}, {AddressMissing}, those of slETH.
    function sell(uint256 shares, uint256 minAssets, address receiver, uint256 deadline)
        external
        returns (uint256 assets);

    /// @notice As {sell} with an ERC-2612 permit of the caller. A permit that somebody has submitted before does no harm.
    function sellWithPermit(
        uint256 shares,
        uint256 minAssets,
        address receiver,
        uint256 deadline,
        bytes calldata signature
    ) external returns (uint256 assets);

    /// @notice Sell as many shares of the caller as exactly `assets` wei cost.
    /// @param maxShares most to give
    /// @return shares rounded up
    /// @dev Errors: {SharesAboveMaximum} in place of {AssetsBelowMinimum}, else as {sell}.
    function sellFor(uint256 assets, uint256 maxShares, address receiver, uint256 deadline)
        external
        returns (uint256 shares);

    /// @notice As {sellFor} with an ERC-2612 permit of the caller for `maxShares`; what is not taken stays allowed.
    function sellForWithPermit(
        uint256 assets,
        uint256 maxShares,
        address receiver,
        uint256 deadline,
        bytes calldata signature
    ) external returns (uint256 shares);

    /// @notice Sell request `id` of the caller while it waits, for ether or slETH. Needs approval of the request; without one,
    /// send it with the queue's `safeTransferFrom` and `abi.encode(forEther, minimum, receiver, deadline)`.
    /// @param forEther ether by the curve, else slETH of the pool less `minFee`
    /// @param minimum least wei of ether or of slETH to accept
    /// @dev Errors: {RequestFinalized}, {RequestTooSmall}, {SharesTooLow}, {SharesBelowMinimum}, else as {sell}; those of the
    /// queue.
    function sellRequest(uint256 id, bool forEther, uint256 minimum, address receiver, uint256 deadline)
        external
        returns (uint256 paid);

    // --- Stake ---

    /// @notice Stake the ether sent: slETH of the pool first, at the rate and without a fee, the rest through the vault.
    /// @param minShares least number of shares to accept
    /// @param referral named to the vault
    /// @dev Errors: {SharesBelowMinimum}, {PoolIsPaused}, those of the vault.
    function stake(address receiver, uint256 minShares, address referral) external payable returns (uint256 shares);

    // --- Provide ---

    /// @notice Add the ether sent and `shares` of the caller in any ratio. What is more slETH than the pool's ratio to ether
    /// and what is awaited counts as sold to the pool first, so going in and out again is no way around the fee; more ether
    /// counts as slETH bought.
    /// @param minLiquidity least liquidity to accept
    /// @return liquidity rounded down
    /// @dev Errors: {Expired}, {AmountIsZero}, {LiquidityBelowMinimum}, {PoolIsPaused}, {RequestToCollect}; with more slETH than
    /// the ratio also {SlashingPending}, {RateTooOld}; those of slETH.
    function addLiquidity(uint256 shares, uint256 minLiquidity, address receiver, uint256 deadline)
        external
        payable
        returns (uint256 liquidity);

    /// @notice Burn `liquidity` of the caller for its part of all that the pool owns. No fee, no price, at any time; of many
    /// requests that were paid and not counted yet, anybody {collect}s first.
    /// @return assets wei, rounded down
    /// @return shares rounded down
    /// @return restId what is in the queue stays there: ether for it is claimed under this id
    /// @return restShares gwei of slETH of it, 0 where there is none
    /// @dev Who leaves is paid from the next requests, who stays from those after them. Errors: {AmountIsZero},
    /// {RequestToCollect}, {AssetsBelowMinimum}, {SharesBelowMinimum}, {RecipientRejectedEther}, {AddressMissing}.
    function removeLiquidity(uint256 liquidity, uint256 minAssets, uint256 minShares, address receiver)
        external
        returns (uint256 assets, uint256 shares, uint256 restId, uint256 restShares);

    /// @notice Pay what has come in for rest `id`: to any recipient for its owner, to the owner for anybody.
    /// @return assets wei
    /// @return left id of what is still to come, 0 where nothing is
    /// @dev First in, first out; O(log n). Errors: {RestUnknown}, {RestNotReady}, {RecipientNotOwner},
    /// {RecipientRejectedEther}, {AddressMissing}.
    function claimRest(uint256 id, address recipient) external returns (uint256 assets, uint256 left);

    // --- Upkeep ---

    /// @notice Hand in slETH of the pool, as much as ether and what is awaited lack to the target, in one request of
    /// {MAX_REQUEST} at most. Anybody may call; nobody chooses the size: somebody has to collect each request.
    /// @dev Errors: {NothingToReplenish}, {RequestTooSmall}, those of the queue.
    function replenish() external returns (uint256 id);

    /// @notice Take up to `limit` finalised requests of the pool, oldest first, and count their ether. Anybody may call.
    /// @return count how many there were
    function collect(uint256 limit) external returns (uint256 count);

    /// @notice Pay the treasury its part of the fees but for the last wei. Anybody may call.
    function payTreasury() external returns (uint256 shares);

    // --- Governance ---

    /// @dev Errors: {TermsOutOfBounds}.
    function setTerms(Terms calldata terms) external;
    /// @dev Errors: {AddressMissing}.
    function setTreasury(address account) external;
    /// @notice Stop everything but leaving ({removeLiquidity}, {claimRest}) and upkeep, for `duration` seconds.
    /// @dev Errors: {PauseTooLong}.
    function pause(uint256 duration) external;
    function resume() external;

    // --- Reading ---

    /// @notice The pool's own: ether, slETH, and slETH that waits in the queue, all wei.
    function legs() external view returns (uint256 assets, uint256 shares, uint256 awaited);
    /// @notice Worth of all legs at the rate, wei, rounded down; requests that were paid and not collected, too.
    function totalValue() external view returns (uint256);
    /// @notice Ether from which on the fee is least, wei.
    function target() external view returns (uint256);
    /// @notice Surcharge on the last wei if the pool held `assets` wei, 1e18 = 1, rounded up.
    function surchargeAt(uint256 assets) external view returns (uint256);
    /// @notice What {sell} pays now and the fee in it, wei; see {requireOpen}. Errors: {EtherTooLow}.
    function quoteSell(uint256 shares) external view returns (uint256 assets, uint256 fee);
    /// @notice What {sellFor} takes now. Errors: {EtherTooLow}.
    function quoteSellFor(uint256 assets) external view returns (uint256 shares);
    /// @notice What {sellRequest} pays now. Errors: {EtherTooLow}, {SharesTooLow}, {RequestFinalized}, {RequestTooSmall}.
    function quoteSellRequest(uint256 id, bool forEther) external view returns (uint256 paid);
    /// @notice What {addLiquidity} gives now, if no paid request waits to be collected.
    function quoteAdd(uint256 assets, uint256 shares) external view returns (uint256 liquidity);
    /// @notice Reverts with what keeps ether from being sold now, if anything does.
    function requireOpen() external view;
    function terms() external view returns (Terms memory);
    function treasury() external view returns (address);
    /// @notice slETH that is the treasury's, wei.
    function treasuryShares() external view returns (uint256);
    /// @notice Until when the pool is paused, seconds.
    function pausedUntil() external view returns (uint256);
    /// @notice How far (gwei of slETH) requests were collected, and up to where what comes belongs to who has left.
    function line() external view returns (uint256 collected, uint256 leaving);
    /// @notice A rest: its owner, its size in gwei of slETH, and how much of that has come in.
    function restOf(uint256 id) external view returns (address owner, uint256 shares, uint256 ready);
    /// @notice How many requests the pool holds, and the oldest, 0 where there is none.
    function requests() external view returns (uint256 count, uint256 oldest);
    function token() external view returns (address);
    function vault() external view returns (address);
    function queue() external view returns (address);
}
