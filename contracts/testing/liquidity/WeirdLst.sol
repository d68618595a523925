// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

import {BasketIntruder} from "./BasketIntruder.sol";

/// @dev For tests. The token that a farm or a pool should never have listed, one vice at a time.
contract WeirdLst is ERC20("Weird", "WEIRD") {
    enum Vice {
        None,
        FeeOnTransfer, // the receiver gets less
        FeeOnTop, // the sender pays more
        ReturnsFalse,
        ReturnsNothing,
        MovesNothing,
        MovesTwice,
        Frozen,
        BurnsGas,
        Hook // tells `listener` before and after every move, like ERC-777
    }

    error IsFrozen();

    Vice private _vice;
    address private _listener;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setVice(Vice vice, address listener) external {
        (_vice, _listener) = (vice, listener);
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        return _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        _spendAllowance(from, msg.sender, amount);
        return _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private returns (bool) {
        Vice vice = _vice;
        if (vice == Vice.Frozen) revert IsFrozen();
        if (vice == Vice.ReturnsFalse) return false;
        if (vice == Vice.MovesNothing) return true;
        if (vice == Vice.BurnsGas) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        if (vice == Vice.Hook) BasketIntruder(_listener).onMove();
        _transfer(from, to, amount);
        if (vice == Vice.FeeOnTransfer) _burn(to, 1);
        if (vice == Vice.FeeOnTop) _burn(from, 1);
        if (vice == Vice.MovesTwice) _transfer(from, to, amount);
        if (vice == Vice.Hook) BasketIntruder(_listener).onMove();
        if (vice == Vice.ReturnsNothing) {
            assembly ("memory-safe") {
                return(0, 0)
            }
        }
        return true;
    }
}
