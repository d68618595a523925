// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev For tests.
contract MEthOracleStandIn {
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

    OracleRecord private _record;

    function setEndBlock(uint64 number) external {
        _record.updateEndBlock = number;
    }

    function latestRecord() external view returns (OracleRecord memory) {
        return _record;
    }
}
