// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

/// @title Staked ether (slETH)
/// @notice ERC-20 share of the pool. Balances never change by themselves; the rate of {IStakingVault} does.
/// Amounts are shares with 18 decimals. Standards: ERC-20, ERC-2612, ERC-5267, ERC-6093, ERC-7575 (share side).
interface IStakedEther is IERC20Metadata, IERC20Permit, IERC20Errors, IERC165 {
    /// @notice The caller of a privileged function is not the contract it belongs to.
    error CallerNotAllowed(address caller, address allowed);

    /// @notice The deadline of a permit (seconds) has passed.
    error ERC2612ExpiredSignature(uint256 deadline);

    /// @notice A permit was signed neither by the owner's key nor accepted by the owner's contract (ERC-1271).
    /// @param signer what the signature recovers to, zero where it recovers to nothing
    error ERC2612InvalidSigner(address signer, address owner);

    /// @notice The one contract that mints and burns.
    function VAULT() external view returns (address);

    /// @notice The one contract that may {escrowFrom}.
    function QUEUE() external view returns (address);

    /// @notice Create `shares` for `to`. Vault only.
    /// @dev Errors: {CallerNotAllowed}, `ERC20InvalidReceiver` for the zero address and this token.
    function mint(address to, uint256 shares) external;

    /// @notice Destroy `shares` of `from`. Vault only; the vault burns what the queue holds and what was given to
    /// itself as cover, never what a holder has.
    /// @dev Errors: {CallerNotAllowed}, `ERC20InsufficientBalance`.
    function burn(address from, uint256 shares) external;

    /// @notice Move `shares` of `owner` to the queue without an allowance. Queue only; the queue passes its own caller
    /// or an owner who signed for it.
    /// @dev Errors: {CallerNotAllowed}, `ERC20InsufficientBalance`.
    function escrowFrom(address owner, uint256 shares) external;

    /// @notice ERC-2612 with a signature of any length, for owners that are contracts (ERC-1271).
    /// @param deadline last second at which the signature counts
    function permit(address owner, address spender, uint256 value, uint256 deadline, bytes memory signature) external;

    /// @notice ERC-7575: the vault for `asset`, zero for any asset but ether.
    function vault(address asset) external view returns (address);
}
