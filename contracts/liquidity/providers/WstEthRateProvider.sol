// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {LstRateProvider} from "./LstRateProvider.sol";

/// @dev lidofinance/core contracts/0.6.12/WstETH.sol; not a proxy.
interface IWstEth {
    function stETH() external view returns (address);
    function stEthPerToken() external view returns (uint256);
}

/// @dev Lido's Aragon proxy (ERC-897), contracts/0.4.24: aragonOS AppProxyUpgradeable.
interface IAppProxy {
    function implementation() external view returns (address);
}

/// @dev lidofinance/core contracts/0.8.9/oracle/BaseOracle.sol.
interface ILidoAccountingOracle {
    function GENESIS_TIME() external view returns (uint256);
    function SECONDS_PER_SLOT() external view returns (uint256);
    function getLastProcessingRefSlot() external view returns (uint256);
}

/// @title Rate of wstETH
/// @notice stETH for 1 wstETH, stETH taken for ether one to one. The token cannot change; stETH, which tells the rate, is a
/// proxy whose implementation is pinned.
contract WstEthRateProvider is LstRateProvider {
    ILidoAccountingOracle private immutable ORACLE;
    uint256 private immutable GENESIS;
    uint256 private immutable SLOT_TIME;

    constructor(address authority_, Limits memory limits_, address wstEth, ILidoAccountingOracle oracle)
        LstRateProvider(
            authority_,
            limits_,
            Pin(IWstEth(wstEth).stETH(), IAppProxy.implementation.selector, 0, address(0), 0, 0),
            wstEth,
            wstEth
        )
    {
        ORACLE = oracle;
        GENESIS = oracle.GENESIS_TIME();
        SLOT_TIME = oracle.SECONDS_PER_SLOT();
        _start();
    }

    function _readSource() internal view override returns (uint256 low, uint256 high) {
        low = IWstEth(SOURCE).stEthPerToken();
        high = low + 1;
    }

    function _reportTime() internal view override returns (uint256) {
        return GENESIS + ORACLE.getLastProcessingRefSlot() * SLOT_TIME;
    }
}
