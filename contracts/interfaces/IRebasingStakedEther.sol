// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

/// @title Rebasing staked ether (rslETH)
/// @notice Optional wrapper over slETH: 1 rslETH is 1 ether of claim, so balances follow the rate. What an account owns is
/// `shares` (wrapped slETH, one to one); an amount is `shares * total / supply` of the core, rounded down.
/// Standards: ERC-20, ERC-2612, ERC-5267, ERC-6093. A change of the rate emits no event here.
///
/// Rounding. A call that names an amount moves the shares it takes to make it, rounded up, so the receiver's balance grows by
/// at least the amount; one that names the whole balance moves every share. A call that names shares moves exactly those.
interface IRebasingStakedEther is IERC20Metadata, IERC20Permit, IERC20Errors {
    /// @notice Follows each `Transfer`, whose value is the amount named by the caller, else the worth rounded down.
    event TransferShares(address indexed from, address indexed to, uint256 shares);

    error InsufficientShares(address account, uint256 shares, uint256 needed);
    error SharesMissing();
    /// @notice The deadline of a permit (seconds) has passed.
    error ERC2612ExpiredSignature(uint256 deadline);
    /// @notice A permit was signed neither by the owner's key nor accepted by the owner's contract (ERC-1271).
    /// @param signer what the signature recovers to, zero where it recovers to nothing
    error ERC2612InvalidSigner(address signer, address owner);

    // --- In and out ---

    /// @notice Wrap `shares` of the caller's slETH, which it has approved for this contract.
    /// @return amount worth of the shares, wei
    /// @dev Errors: {SharesMissing} for 0, `ERC20InsufficientAllowance`, `ERC20InsufficientBalance`.
    function wrap(uint256 shares) external returns (uint256 amount);

    /// @notice As {wrap}, with the caller's slETH permit for exactly `shares`. A permit that somebody else has already
    /// submitted does no harm: what counts is the allowance.
    /// @param signature 65 bytes, ERC-2098 excluded, or whatever the caller's contract accepts (ERC-1271)
    function wrapWithPermit(uint256 shares, uint256 deadline, bytes calldata signature)
        external
        returns (uint256 amount);

    /// @notice Stake the ether sent and wrap the shares for `receiver`. Parameters and errors as in {IStakingVault-stake}.
    /// @return shares slETH staked and wrapped
    function stake(address receiver, uint256 minShares, address referral) external payable returns (uint256 shares);

    /// @notice Give back `amount` for slETH.
    /// @return shares slETH returned
    /// @dev Errors: {SharesMissing} for 0, `ERC20InsufficientBalance`.
    function unwrap(uint256 amount) external returns (uint256 shares);

    /// @notice Give back exactly `shares` for as much slETH.
    /// @return amount worth of the shares, wei
    /// @dev Errors: {SharesMissing} for 0, {InsufficientShares}.
    function unwrapShares(uint256 shares) external returns (uint256 amount);

    // --- Shares ---

    /// @notice Move exactly `shares`.
    /// @return amount worth of the shares, wei
    function transferShares(address to, uint256 shares) external returns (uint256 amount);

    /// @notice Move exactly `shares` of `from`; takes their worth, rounded up, off the allowance.
    /// @return amount worth of the shares, wei, rounded down
    function transferSharesFrom(address from, address to, uint256 shares) external returns (uint256 amount);

    function sharesOf(address account) external view returns (uint256);
    /// @notice Sum of all shares: slETH wrapped here. slETH sent to this contract by a plain transfer is not counted.
    function totalShares() external view returns (uint256);

    // --- Conversion ---

    /// @notice Shares that `amount` buys, rounded down.
    function convertToShares(uint256 amount) external view returns (uint256 shares);
    /// @notice Least shares that are worth `amount`.
    function convertToSharesRoundUp(uint256 amount) external view returns (uint256 shares);
    /// @notice Worth of `shares`, wei, rounded down.
    function convertToAmount(uint256 shares) external view returns (uint256 amount);
    /// @notice Worth of `shares`, wei, rounded up.
    function convertToAmountRoundUp(uint256 shares) external view returns (uint256 amount);

    // --- Other ---

    /// @notice ERC-2612 with a signature of any length, for owners that are contracts (ERC-1271).
    /// @param deadline last second at which the signature counts
    function permit(address owner, address spender, uint256 value, uint256 deadline, bytes memory signature) external;

    function token() external view returns (address);
    function vault() external view returns (address);
}
