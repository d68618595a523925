// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {LstRateProvider} from "./LstRateProvider.sol";

/// @dev rocket-pool/rocketpool contracts/contract/token/RocketTokenRETH.sol; not a proxy.
interface IREth {
    function getExchangeRate() external view returns (uint256);
}

/// @dev rocket-pool/rocketpool contracts/contract/RocketStorage.sol: registry of the contracts that can be replaced.
interface IRocketStorage {
    function getAddress(bytes32 key) external view returns (address);
}

/// @dev rocket-pool/rocketpool contracts/contract/network/RocketNetworkBalances.sol (since Houston).
interface IRocketNetworkBalances {
    function getBalancesTimestamp() external view returns (uint256);
}

/// @title Rate of rETH
/// @notice The token cannot change; the contract that keeps the balances of its rate is replaced through RocketStorage, so
/// that entry is what is pinned. It tells when the balances were reported, too.
contract REthRateProvider is LstRateProvider {
    constructor(address authority_, Limits memory limits_, address rEth, address rocketStorage)
        LstRateProvider(
            authority_,
            limits_,
            Pin(
                rocketStorage,
                IRocketStorage.getAddress.selector,
                keccak256(abi.encodePacked("contract.address", "rocketNetworkBalances")),
                address(0),
                0,
                0
            ),
            rEth,
            rEth
        )
    {
        _start();
    }

    function _readSource() internal view override returns (uint256 low, uint256 high) {
        low = IREth(SOURCE).getExchangeRate();
        high = low + 1;
    }

    function _reportTime() internal view override returns (uint256) {
        return IRocketNetworkBalances(IMPLEMENTATION).getBalancesTimestamp();
    }
}
