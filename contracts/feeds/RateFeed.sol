// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IRateFeed} from "../interfaces/IRateFeed.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";

/// @title Core rate of slETH as a feed: ether per slETH
/// @notice See {IRateFeed}.
contract RateFeed is IRateFeed {
    using SafeCast for uint256;

    IStakingVault private immutable VAULT;

    constructor(address vault_) {
        VAULT = IStakingVault(payable(vault_));
        VAULT.rate(); // an address that has none is refused here
    }

    /// @inheritdoc IRateFeed
    function latestRoundData()
        public
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        startedAt = updatedAt = VAULT.referenceTime();
        roundId = answeredInRound = updatedAt.toUint80();
        answer = latestAnswer();
    }

    /// @inheritdoc IRateFeed
    function getRoundData(uint80 id)
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        uint80 newest = VAULT.referenceTime().toUint80();
        if (id != newest) revert RoundUnavailable(id, newest);
        return latestRoundData();
    }

    /// @inheritdoc IRateFeed
    function latestAnswer() public view returns (int256) {
        return VAULT.rate().toInt256();
    }

    /// @inheritdoc IRateFeed
    function slashingPendingUntil() external view returns (uint256) {
        return VAULT.slashingPendingUntil();
    }

    /// @inheritdoc IRateFeed
    function vault() external view returns (address) {
        return address(VAULT);
    }

    /// @inheritdoc IRateFeed
    function decimals() external pure returns (uint8) {
        return 18;
    }

    /// @inheritdoc IRateFeed
    function description() external pure returns (string memory) {
        return "slETH / ETH, core rate: ether per slETH, not dollars, not a market price";
    }

    /// @inheritdoc IRateFeed
    function version() external pure returns (uint256) {
        return 1;
    }
}
