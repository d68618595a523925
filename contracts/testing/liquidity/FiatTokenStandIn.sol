// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ExchangeRateStandIn} from "./ExchangeRateStandIn.sol";

/// @dev For tests. The code behind cbETH's and WBETH's proxies with what a transfer of centre-tokens' FiatTokenV2_1 reads and
/// writes: a pause, a list of who may not, and an allowance that is spent however large it is.
contract FiatTokenStandIn is ExchangeRateStandIn {
    bool private _paused;
    mapping(address account => bool) private _blocked;

    error TokenPaused();
    error AccountBlocked(address account);

    function setPaused(bool paused) external {
        _paused = paused;
    }

    function setBlocked(address account, bool blocked) external {
        _blocked[account] = blocked;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (_paused) revert TokenPaused();
        _requireFree(msg.sender);
        if (from != msg.sender) _requireFree(from);
        _requireFree(to);
        super._update(from, to, value);
    }

    function _spendAllowance(address owner, address spender, uint256 value) internal override {
        uint256 allowed = allowance(owner, spender);
        if (allowed < value) revert ERC20InsufficientAllowance(spender, allowed, value);
        _approve(owner, spender, allowed - value, false);
    }

    function _requireFree(address account) private view {
        if (_blocked[account]) revert AccountBlocked(account);
    }
}
