// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {LstRateProvider} from "./LstRateProvider.sol";

/// @dev stakestone/stone-vault-v1 contracts/StoneVault.sol; not a proxy. `currentSharePrice` is not declared as a view
/// function there, since strategies are asked for their values: here it is called statically, and a strategy that
/// writes while it answers makes the token sick.
interface IStoneVault {
    function stone() external view returns (address);
    function latestRoundID() external view returns (uint256);
    function roundPricePerShare(uint256 round) external view returns (uint256);
    function settlementTime(uint256 round) external view returns (uint256);
    function withdrawFeeRate() external view returns (uint256); // 1e6 = 100%
    function currentSharePrice() external view returns (uint256);
}

/// @title Rate of STONE
/// @notice As its own vault trades: who leaves gets the lower of the price of the last round and the price of now, less the
/// fee for leaving at once; who enters pays the higher.
contract StoneRateProvider is LstRateProvider {
    uint256 private constant FEE_ONE = 1e6;

    constructor(address authority_, Limits memory limits_, IStoneVault vault)
        LstRateProvider(authority_, limits_, Pin(address(0), 0, 0, address(0), 0, 0), vault.stone(), address(vault))
    {
        _start();
    }

    function _readSource() internal view override returns (uint256 low, uint256 high) {
        IStoneVault vault = IStoneVault(SOURCE);
        uint256 current = vault.currentSharePrice();
        uint256 round = vault.latestRoundID();
        uint256 settled = round == 0 ? ONE : vault.roundPricePerShare(round - 1);
        low = Math.min(current, settled);
        low -= Math.ceilDiv(low * vault.withdrawFeeRate(), FEE_ONE);
        high = Math.max(current, settled) + 1; // both round down
    }

    /// @dev Of the newest round that was settled; none before the first.
    function _reportTime() internal view override returns (uint256) {
        uint256 round = IStoneVault(SOURCE).latestRoundID();
        return round == 0 ? 0 : IStoneVault(SOURCE).settlementTime(round - 1);
    }
}
