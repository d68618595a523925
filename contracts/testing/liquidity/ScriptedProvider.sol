// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {ILstBasket} from "../../interfaces/ILstBasket.sol";

/// @dev For tests. Says what it is told to, in every way that a provider can be wrong.
contract ScriptedProvider {
    enum Mode {
        Tell,
        Revert,
        BurnGas,
        ShortAnswer,
        LongAnswer,
        ByBalance, // another rate once `watched` holds another balance: between two readings of one call
        Reenter
    }

    error Sick();

    address public token;
    uint256 private _low = 1e18;
    uint256 private _high = 1e18;
    Mode private _mode;
    address private _watched;
    uint256 private _balance;
    uint256 private _otherLow;
    uint256 private _otherHigh;

    constructor(address token_) {
        token = token_;
    }

    function setRates(uint256 low, uint256 high) external {
        (_low, _high) = (low, high);
    }

    function setMode(Mode mode) external {
        _mode = mode;
    }

    /// @dev Other rates while `watched` does not hold what it holds now.
    function setByBalance(address watched, uint256 low, uint256 high) external {
        (_mode, _watched, _otherLow, _otherHigh) = (Mode.ByBalance, watched, low, high);
        _balance = IERC20(token).balanceOf(watched);
    }

    function setReenter(address basket) external {
        (_mode, _watched) = (Mode.Reenter, basket);
    }

    function requireHealthy() external view {
        if (_mode == Mode.Revert) revert Sick();
    }

    function rates() external view returns (uint256 low, uint256 high) {
        if (_mode == Mode.Revert) revert Sick();
        if (_mode == Mode.BurnGas) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        if (_mode == Mode.ShortAnswer || _mode == Mode.LongAnswer) {
            uint256 length = _mode == Mode.ShortAnswer ? 32 : 20_000;
            assembly ("memory-safe") {
                return(0, length)
            }
        }
        if (_mode == Mode.ByBalance && IERC20(token).balanceOf(_watched) != _balance) return (_otherLow, _otherHigh);
        if (_mode == Mode.Reenter) {
            (bool ok,) = _watched.staticcall(abi.encodeCall(ILstBasket.sync, ()));
            if (ok) return (0, 0);
        }
        return (_low, _high);
    }
}
