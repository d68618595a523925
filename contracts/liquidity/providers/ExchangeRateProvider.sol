// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {LstRateProvider} from "./LstRateProvider.sol";

/// @dev coinbase/wrapped-tokens-os contracts/wrapped-tokens/staking/StakedTokenV1.sol, and Binance's fork of it for WBETH
/// (0xa2E3356610840701BDf5611a53974510Ae27E2e1, storage position "org.binance.stakedToken.exchangeRate").
interface IExchangeRateToken {
    function exchangeRate() external view returns (uint256);
}

/// @title Rate of cbETH and of WBETH
/// @notice Both tell the same function: a number that their issuer's oracle writes, 1e18 = 1. They tell no time of it, so
/// freshness is that of the last change recorded here. Both are centre-tokens' FiatTokenProxy, which tells its
/// implementation to its admin alone and keeps it in keccak256("org.zeppelinos.proxy.implementation") rather than the
/// slot of ERC-1967: give that as the pin's slot, it is proven.
contract ExchangeRateProvider is LstRateProvider {
    constructor(address authority_, Limits memory limits_, Pin memory pin, address token_)
        LstRateProvider(authority_, limits_, pin, token_, token_)
    {
        _start();
    }

    /// @dev Exact: the number itself is the definition.
    function _readSource() internal view override returns (uint256 low, uint256 high) {
        low = IExchangeRateToken(SOURCE).exchangeRate();
        high = low;
    }
}
