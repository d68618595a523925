// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {LstRateProvider} from "./LstRateProvider.sol";

/// @dev mantle-lsp/contracts src/Staking.sol, behind OpenZeppelin's TransparentUpgradeableProxy.
interface IMEthStaking {
    function mETHToETH(uint256 mETHAmount) external view returns (uint256);
}

/// @dev mantle-lsp/contracts src/interfaces/IOracle.sol.
interface IMEthOracle {
    struct OracleRecord {
        uint64 updateStartBlock;
        uint64 updateEndBlock;
        uint64 currentNumValidatorsNotWithdrawable;
        uint64 cumulativeNumValidatorsWithdrawable;
        uint128 windowWithdrawnPrincipalAmount;
        uint128 windowWithdrawnRewardAmount;
        uint128 currentTotalValidatorBalance;
        uint128 cumulativeProcessedDepositAmount;
    }

    function latestRecord() external view returns (OracleRecord memory);
}

/// @title Rate of mETH
/// @notice The staking contract tells it. Its records name blocks, not times: a block is taken for 12 seconds, so slots
/// without a block (a percent or so) make a record look a little younger than it is.
/// The pin is for the staking contract. mETH itself is a proxy, too, of whose implementation nothing is known here: who can
/// change it can mint, and the token's cap in the basket is what that can cost.
contract MEthRateProvider is LstRateProvider {
    uint256 private constant BLOCK_TIME = 12; // seconds

    IMEthOracle private immutable ORACLE;

    constructor(
        address authority_,
        Limits memory limits_,
        Pin memory pin,
        address mEth,
        address staking,
        IMEthOracle oracle
    ) LstRateProvider(authority_, limits_, pin, mEth, staking) {
        ORACLE = oracle;
        _start();
    }

    function _readSource() internal view override returns (uint256 low, uint256 high) {
        low = IMEthStaking(SOURCE).mETHToETH(ONE);
        high = low + 1;
    }

    function _reportTime() internal view override returns (uint256) {
        return block.timestamp - (block.number - ORACLE.latestRecord().updateEndBlock) * BLOCK_TIME;
    }
}
