// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {IERC7540Operator, IERC7540Redeem} from "./IERC7540.sol";
import {IERC7575} from "./IERC7535.sol";

/// @title Asynchronous redeem vault
/// @notice ERC-7540 over the withdrawal queue: wrapped ether in and out, slETH as the external share (ERC-7575). Staking is
/// synchronous, redemption is a request. It is an ordinary holder: each request is one of the queue, owned by this
/// contract and kept for its controller, and the request id is that of the queue.
///
/// A controller redeems its own requests in the order they were made, in any amounts. A request is drawn from the queue
/// when its turn comes, so a call touches only the requests its amount needs, whoever else has added to the line. Its
/// ether belongs to its controller alone: rounding moves it between earlier and later calls, never to anybody else.
///
/// Two points on the standard:
/// - The queue counts whole gwei of slETH. {requestRedeem} takes those and leaves what is below with the owner; event and
///   views show what was taken.
/// - slETH knows nothing of this vault, so an ERC-20 allowance between two accounts cannot be used here (see ERC-7575,
///   security considerations): the caller of {requestRedeem} is the owner or its operator, and the owner has approved this
///   contract for the shares.
interface IAsyncRedeemVault is IERC7540Operator, IERC7540Redeem, IERC7575, IERC165 {
    /// @notice ERC-4626. `assets` of wrapped ether were staked by `sender` for `owner`, who got `shares`.
    event Deposit(address indexed sender, address indexed owner, uint256 assets, uint256 shares);
    /// @notice ERC-4626. `sender` redeemed `shares` of the requests of `owner` (the controller) for `assets` of wrapped ether.
    event Withdraw(
        address indexed sender, address indexed receiver, address indexed owner, uint256 assets, uint256 shares
    );

    error NotOwnerOrOperator(address caller, address owner);
    error ControllerMissing();
    error RedeemAboveClaimable(uint256 shares, uint256 claimable);
    error WithdrawAboveClaimable(uint256 assets, uint256 claimable);
    /// @notice ERC-7540: the price of an asynchronous exit is not known before.
    error PreviewUnavailable();
    error EtherNotAccepted(address sender);

    // --- ERC-4626 ---

    /// @notice Wrapped ether.
    function asset() external view returns (address);
    /// @notice Of the whole core, as all slETH are shares of this vault.
    function totalAssets() external view returns (uint256);
    function convertToShares(uint256 assets) external view returns (uint256 shares);
    function convertToAssets(uint256 shares) external view returns (uint256 assets);

    function maxDeposit(address receiver) external view returns (uint256 assets);
    function previewDeposit(uint256 assets) external view returns (uint256 shares);
    /// @notice Stake `assets` of the caller's wrapped ether for `receiver`. Errors: those of {IStakingVault-stake}.
    function deposit(uint256 assets, address receiver) external returns (uint256 shares);

    function maxMint(address receiver) external view returns (uint256 shares);
    function previewMint(uint256 shares) external view returns (uint256 assets);
    /// @notice As {deposit}, for exactly `shares`.
    function mint(uint256 shares, address receiver) external returns (uint256 assets);

    /// @notice Most assets that {withdraw} pays now. Looks at the next {MAX_VIEWED} requests, so it can be less than the truth.
    function maxWithdraw(address controller) external view returns (uint256 assets);
    /// @notice Always reverts (ERC-7540).
    function previewWithdraw(uint256 assets) external view returns (uint256 shares);
    /// @notice Pay exactly `assets` of the controller's finalised requests to `receiver`.
    /// @return shares redeemed, rounded up for each request
    /// @dev Errors: {NotOwnerOrOperator}, {WithdrawAboveClaimable}.
    function withdraw(uint256 assets, address receiver, address controller) external returns (uint256 shares);

    /// @notice Most shares that {redeem} takes now. Looks at the next {MAX_VIEWED} requests, so it can be less than the truth.
    function maxRedeem(address controller) external view returns (uint256 shares);
    /// @notice Always reverts (ERC-7540).
    function previewRedeem(uint256 shares) external view returns (uint256 assets);
    /// @notice Redeem exactly `shares` of the controller's finalised requests, paid to `receiver`.
    /// @return assets rounded down for each request that is redeemed in part; its last part gets all that is left of it
    /// @dev Errors: {NotOwnerOrOperator}, {RedeemAboveClaimable}.
    function redeem(uint256 shares, address receiver, address controller) external returns (uint256 assets);

    // --- Reading ---

    /// @notice Requests that {maxRedeem} and {maxWithdraw} look at.
    function MAX_VIEWED() external view returns (uint256);
    function vault() external view returns (address);
    function queue() external view returns (address);
    /// @notice The controller's requests from the first that is not redeemed whole: where it starts and ends, and what is
    /// left of the first where it has been drawn from the queue.
    function lineOf(address controller)
        external
        view
        returns (uint256 firstId, uint256 lastId, uint256 drawnShares, uint256 drawnAssets);
}
