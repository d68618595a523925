// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Rewards vault
/// @notice Fee recipient of all validators: priority fees, MEV and donations wait here for a report, and vest.
/// Anybody may send it ether; only a report takes it out, and only into the vault.
interface IRewardsVault {
    event RewardsPulled(uint256 amount);

    error CallerNotAllowed(address caller, address allowed);
    error RewardsTooLow(uint256 wanted, uint256 available);

    /// @notice The vault that rewards go to.
    function VAULT() external view returns (address);

    /// @notice Send `amount` wei to the vault. Vault only.
    function pull(uint256 amount) external;
}
