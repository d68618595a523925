// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {ILstBasket} from "../../../contracts/interfaces/ILstBasket.sol";
import {Test} from "../support/Test.sol";

interface IScriptedProvider {
    function setRates(uint256 low, uint256 high) external;
    function setMode(uint8 mode) external;
}

interface IWeirdLst {
    function mint(address to, uint256 amount) external;
    function setVice(uint8 vice, address listener) external;
    function approve(address spender, uint256 amount) external returns (bool);
    function balanceOf(address account) external view returns (uint256);
}

/// @dev Traders and providers of a basket whose tokens change their rates, fall sick, freeze and come back.
contract LstBasketHandler is Test {
    enum Action {
        SwapIn,
        SwapOut,
        Bonus,
        GivenBack,
        Add,
        Remove,
        RemoveAll,
        RemoveAllOfASickToken,
        Owed,
        Collect,
        Fund,
        Release,
        Give,
        Rebalance,
        Sync,
        Tell,
        Sicken,
        Freeze,
        CutOff,
        CutAllOff,
        Configure,
        LpFee,
        RefusedWhileSick,
        RefusedWhileFrozen,
        RefusedByCap,
        RefusedByBalance,
        RefusedRebalance,
        Stranger
    }

    /// @dev A token with what it was last told, beside what the basket says of it.
    struct Lst {
        IWeirdLst token;
        IScriptedProvider provider;
        uint256 low;
        uint256 high;
        bool sick;
        bool frozen;
        uint256 cutOffUntil;
        uint256 gifts;
        uint256 incentive;
        uint256 limit; // of its part of the whole
        ILstBasket.TokenConfig config;
    }

    /// @dev What a call must not lower or not move.
    struct Before {
        uint256 supply;
        uint256[] balances; // of the shares
        uint256[] held; // all that is there
        uint256[] incentives;
    }

    struct Trade {
        uint256 i; // in
        uint256 o; // out
        uint256 cost;
        uint256 out;
        uint256 bonus;
    }

    uint256 private constant TOKENS = 3;
    uint256 private constant USERS = 3;
    uint256 private constant BPS = 10_000;
    uint256 private constant ONE = 1e18;
    address private constant NOBODY = 0x000000000000000000000000000000000000dEaD;

    ILstBasket public immutable basket;
    Lst[] private lsts;
    address[] private users;
    address private immutable STRANGER = named("stranger");

    uint256 private lpFee = 2;
    uint256 private rebalanceGives;
    bool private leaving; // the call is one that may move tokens that are sick
    uint256 public calls;
    mapping(Action action => uint256) public done;

    /// @dev A3, A5: at no price of each token between its low and its high does this lower the worth of a share.
    modifier watched() {
        ++calls;
        leaving = false;
        Before memory before = _before();
        _;
        _compare(before);
    }

    constructor() {
        vm.warp(1_800_000_000);
        address manager = vm.deployCode("ProtocolAccessManager.sol:ProtocolAccessManager", abi.encode(address(this)));
        bytes memory arguments = abi.encode(manager, "Basket", "BASKET", lpFee, manager, 3 days);
        basket = ILstBasket(vm.deployCode("LstBasket.sol:LstBasket", arguments));
        for (uint256 i = 0; i < USERS; ++i) {
            users.push(named(string.concat("swapper ", vm.toString(i))));
        }
        for (uint256 i = 0; i < TOKENS; ++i) {
            _list();
        }
        vm.prank(users[0]);
        basket.addLiquidity(address(lsts[0].token), 10 ether, 0, users[0]);
        lsts[0].limit = 10 ether;
    }

    // --- People ---

    function swapIn(uint256 who, uint256 pair, uint256 size) external watched {
        (uint256 i, uint256 o) = _pair(pair);
        uint256 amount = _size(size, 1_000 ether);
        bytes memory call =
            abi.encodeCall(basket.swapExactIn, (_token(i), _token(o), amount, 0, _user(who), block.timestamp));
        if (_refusedSwap(_user(who), i, o, call)) return;
        (uint256 out, uint256 bonus) = _outOf(i, o, amount);
        if (out == 0) return _refused(STRANGER, call, ILstBasket.AmountZero.selector);
        (uint256 quoted, uint256 quotedBonus) = basket.quoteExactIn(_token(i), _token(o), amount);
        vm.assertEq(quoted, out, "a swap is not what the rates say");
        vm.assertEq(quotedBonus, bonus);
        if (_refusedTrade(i, o, amount, out - bonus, call)) return;
        vm.assertEq(_swap(_user(who), Trade(i, o, amount, out, bonus), call), abi.encode(out));
        ++done[Action.SwapIn];
    }

    function swapOut(uint256 who, uint256 pair, uint256 size) external watched {
        (uint256 i, uint256 o) = _pair(pair);
        uint256 amount = _size(size, _balance(o));
        if (amount == 0) return;
        bytes memory call = abi.encodeCall(
            basket.swapExactOut, (_token(i), _token(o), amount, type(uint256).max, _user(who), block.timestamp)
        );
        if (_refusedSwap(_user(who), i, o, call)) return;
        (uint256 cost, uint256 bonus) = basket.quoteExactOut(_token(i), _token(o), amount);
        (uint256 more,) = _outOf(i, o, cost);
        vm.assertGe(more, amount, "what is paid for something buys as much");
        if (_refusedTrade(i, o, cost, amount - bonus, call)) return;
        vm.assertEq(_swap(_user(who), Trade(i, o, cost, amount, bonus), call), abi.encode(cost));
        ++done[Action.SwapOut];
    }

    function add(uint256 who, uint256 which, uint256 size) external watched {
        uint256 i = which % TOKENS;
        address user = _user(who);
        uint256 amount = _size(size, 1_000 ether);
        bytes memory call = abi.encodeCall(basket.addLiquidity, (_token(i), amount, 0, user));
        if (lsts[i].config.inputOff) return _refused(STRANGER, call, ILstBasket.InputIsOff.selector);
        if (!_usable(i) || !_whole()) return _refusedAnyhow(user, call, Action.RefusedWhileSick);
        uint256 value = amount * lsts[i].low / ONE;
        value -= Math.ceilDiv(value * _with(lpFee, lsts[i].config.inFee), BPS);
        uint256 lp = Math.mulDiv(value, basket.totalSupply(), _totalHigh());
        if (lp == 0) return _refused(STRANGER, call, ILstBasket.AmountZero.selector);
        uint256 back = _back(i, amount);
        uint256 limit = _limit(i, _totalHigh() + (amount - back) * lsts[i].low / ONE);
        if (_refusedByCap(i, amount - back, limit, call)) return;
        if (_refusedWhileFrozen(i, user, call)) return;
        uint256 before = basket.balanceOf(user);
        lsts[i].incentive += back;
        lsts[i].limit = limit;
        vm.prank(user);
        vm.assertEq(basket.addLiquidity(_token(i), amount, lp, user), lp, "a share costs what it is worth");
        vm.assertEq(basket.balanceOf(user) - before, lp);
        ++done[Action.Add];
    }

    function remove(uint256 who, uint256 which, uint256 size) external watched {
        uint256 i = which % TOKENS;
        address user = _user(who);
        uint256 lp = _size(size, basket.balanceOf(user));
        bytes memory call = abi.encodeCall(basket.removeLiquidity, (lp, _token(i), 0, user));
        if (!_usable(i)) return _refusedAnyhow(user, call, Action.RefusedWhileSick);
        uint256 value = Math.mulDiv(lp, _totalLow(), basket.totalSupply());
        value -= Math.ceilDiv(value * _with(lpFee, lsts[i].config.outFee), BPS);
        uint256 amount = value * ONE / lsts[i].high;
        if (amount == 0) return _refused(user, call, ILstBasket.AmountZero.selector);
        if (amount > _balance(i)) {
            ++done[Action.RefusedByBalance];
            return _refused(user, call, ILstBasket.BalanceTooLow.selector);
        }
        if (_refusedWhileFrozen(i, user, call)) return;
        uint256 before = lsts[i].token.balanceOf(user);
        vm.prank(user);
        vm.assertEq(basket.removeLiquidity(lp, _token(i), amount, user), amount, "a share gives what it is worth");
        vm.assertEq(lsts[i].token.balanceOf(user) - before, amount);
        ++done[Action.Remove];
    }

    /// @dev Nothing can stop it.
    function removeAll(uint256 who, uint256 size) external watched {
        address user = _user(who);
        uint256 all = basket.balanceOf(user);
        if (all == 0) return;
        _removeAll(user, size % 3 == 0 ? all : Math.max(1, _size(size, all)));
    }

    function collect(uint256 who, uint256 which) external watched {
        uint256 i = which % TOKENS;
        (address user, IWeirdLst token) = (_user(who), lsts[i].token);
        leaving = true;
        uint256 due = basket.owed(user, address(token));
        bytes memory call = abi.encodeCall(basket.collect, (address(token), user));
        if (due == 0) return _refused(user, call, ILstBasket.NothingOwed.selector);
        if (_refusedWhileFrozen(i, user, call)) return;
        uint256 before = token.balanceOf(user);
        vm.prank(user);
        vm.assertEq(basket.collect(address(token), user), due);
        vm.assertEq(token.balanceOf(user) - before, due, "what is owed is paid");
        ++done[Action.Collect];
    }

    function fund(uint256 who, uint256 which, uint256 size) external watched {
        uint256 i = which % TOKENS;
        leaving = true;
        uint256 amount = 1 + size % 1 ether;
        bytes memory call = abi.encodeCall(basket.fund, (_token(i), amount));
        if (lsts[i].config.inputOff) return _refused(_user(who), call, ILstBasket.InputIsOff.selector);
        if (_refusedWhileFrozen(i, _user(who), call)) return;
        vm.prank(_user(who));
        basket.fund(_token(i), amount);
        lsts[i].incentive += amount;
        ++done[Action.Fund];
    }

    /// @dev A gift without a call is nobody's.
    function give(uint256 which, uint256 size) external watched {
        uint256 i = which % TOKENS;
        leaving = true;
        uint256 amount = 1 + size % 100 ether;
        lsts[i].token.mint(address(basket), amount);
        lsts[i].gifts += amount;
        ++done[Action.Give];
    }

    function sync() external watched {
        if (!_whole()) {
            return _refused(STRANGER, abi.encodeCall(basket.sync, ()), ILstBasket.TokenIsSick.selector);
        }
        basket.sync();
        for (uint256 i = 0; i < TOKENS; ++i) {
            if (!_usable(i)) continue;
            (, uint256 limit,) = basket.holdingOf(_token(i));
            vm.assertEq(limit, _limit(i, _totalLow()), "a limit is of the whole that was looked at");
            lsts[i].limit = limit;
        }
        ++done[Action.Sync];
    }

    function stranger(uint256 seed) external watched {
        bytes4 why = bytes4(keccak256("AccessManagedUnauthorized(address)"));
        address token = _token(seed);
        if (seed % 8 == 0) _refused(STRANGER, abi.encodeCall(basket.addToken, (token, lsts[0].config)), why);
        if (seed % 8 == 1) _refused(STRANGER, abi.encodeCall(basket.configureToken, (token, lsts[0].config)), why);
        if (seed % 8 == 2) _refused(STRANGER, abi.encodeCall(basket.removeToken, (token)), why);
        if (seed % 8 == 3) _refused(STRANGER, abi.encodeCall(basket.releaseIncentive, (token)), why);
        if (seed % 8 == 4) _refused(STRANGER, abi.encodeCall(basket.setLpFee, (1)), why);
        if (seed % 8 == 5) _refused(STRANGER, abi.encodeCall(basket.rebalance, (token, 1, token, "")), why);
        if (seed % 8 == 6) _refused(STRANGER, abi.encodeCall(basket.cutOff, (basket.tokens(), 1)), why);
        if (seed % 8 == 7) _refused(STRANGER, abi.encodeCall(basket.restore, (basket.tokens())), why);
        ++done[Action.Stranger];
    }

    // --- Governance ---

    /// @dev Brings just enough, more, or a wei too little.
    function rebalance(uint256 pair, uint256 size, uint256 extra) external watched {
        (uint256 i, uint256 o) = _pair(pair);
        uint256 amount = _size(size, _balance(o));
        if (amount == 0) return;
        bytes memory call = abi.encodeCall(basket.rebalance, (_token(o), amount, _token(i), ""));
        if (_refusedSwap(address(this), i, o, call)) return;
        uint256 needed = Math.ceilDiv(Math.ceilDiv(amount * lsts[o].high, ONE) * ONE, lsts[i].low);
        needed = _withBonus(i, needed);
        bool tooLittle = extra % 4 == 0;
        rebalanceGives = tooLittle ? needed - 1 : needed + (extra % 4 == 1 ? 0 : extra % 1 ether);
        uint256 back = _back(i, rebalanceGives);
        if (lsts[o].frozen) return _refusedAnyhow(address(this), call, Action.RefusedWhileFrozen);
        if (tooLittle) {
            ++done[Action.RefusedRebalance];
            return _refused(address(this), call, ILstBasket.RebalanceLoses.selector);
        }
        if (_refusedByCap(i, rebalanceGives - back, lsts[i].limit, call)) return;
        lsts[i].incentive += back;
        vm.assertEq(basket.rebalance(_token(o), amount, _token(i), ""), rebalanceGives);
        ++done[Action.Rebalance];
    }

    function onRebalance(address, uint256, address tokenIn, bytes calldata) external {
        IWeirdLst(tokenIn).mint(address(basket), rebalanceGives);
    }

    function release(uint256 which) external watched {
        uint256 i = which % TOKENS;
        bytes memory call = abi.encodeCall(basket.releaseIncentive, (_token(i)));
        if (lsts[i].incentive == 0) return _refused(address(this), call, ILstBasket.AmountZero.selector);
        leaving = true; // whatever is sick
        lsts[i].incentive = 0;
        basket.releaseIncentive(_token(i));
        ++done[Action.Release];
    }

    /// @dev All fees that governance can set.
    function configure(uint256 which, uint256 fee, uint256 extra, uint256 caps) external {
        ++calls;
        ILstBasket.TokenConfig storage config = lsts[which % TOKENS].config;
        config.inFee = int16(int256(fee % 101));
        config.outFee = int16(int256(extra % uint256(int256(101 + config.inFee)))) - config.inFee;
        uint256 old = config.shareCap;
        config.shareCap = caps % 3 == 0 ? 5_000 : 10_000;
        Lst storage lst = lsts[which % TOKENS];
        lst.limit = Math.min(lst.limit * config.shareCap / old, type(uint104).max);
        config.cap = caps % 5 == 0 ? 500 : type(uint32).max;
        config.inputOff = caps % 11 == 0;
        config.exactTransfers = caps % 2 == 0;
        basket.configureToken(_token(which), config);
        ++done[Action.Configure];
    }

    function setLpFee(uint256 fee) external {
        ++calls;
        lpFee = 1 + fee % 100;
        basket.setLpFee(lpFee);
        ++done[Action.LpFee];
    }

    function cutAllOff(uint256 time) external {
        ++calls;
        time = time % 3 == 0 ? time % 1 days : 0;
        for (uint256 i = 0; i < TOKENS; ++i) {
            lsts[i].cutOffUntil = time == 0 ? 0 : Math.max(lsts[i].cutOffUntil, block.timestamp + time);
        }
        if (time == 0) return basket.restore(basket.tokens());
        basket.cutOff(basket.tokens(), time);
        ++done[Action.CutAllOff];
    }

    function cutOff(uint256 which, uint256 time) external {
        ++calls;
        Lst storage lst = lsts[which % TOKENS];
        address[] memory one = new address[](1);
        one[0] = address(lst.token);
        if (time % 3 == 0) {
            time %= 1 days;
            basket.cutOff(one, time);
            lst.cutOffUntil = Math.max(lst.cutOffUntil, block.timestamp + time);
            ++done[Action.CutOff];
        } else {
            basket.restore(one);
            lst.cutOffUntil = 0;
        }
    }

    // --- What happens to tokens ---

    /// @dev Now and then what is no rate.
    function tell(uint256 which, uint256 low, uint256 spread, uint256 kind) external {
        ++calls;
        Lst storage lst = lsts[which % TOKENS];
        lst.low = kind % 8 == 0 ? bound(low, 0.1e18, 10e18) : bound(low, 0.9e18, 1.2e18);
        lst.high = lst.low + (spread % 4 == 0 ? 0 : spread % 4 == 1 ? 1 : spread % 1e15);
        if (kind % 16 == 1) (lst.low, lst.high) = (0, 0);
        if (kind % 16 == 2) (lst.low, lst.high) = (lst.high + 1, lst.low);
        lst.provider.setRates(lst.low, lst.high);
        ++done[Action.Tell];
    }

    function sicken(uint256 which, uint256 rare) external {
        ++calls;
        Lst storage lst = lsts[which % TOKENS];
        lst.sick = rare % 3 == 0;
        // reverts, or answers too little or too much
        lst.provider.setMode(lst.sick ? [uint8(1), 3, 4][rare / 3 % 3] : 0);
        if (lst.sick) ++done[Action.Sicken];
    }

    function freeze(uint256 which, uint256 rare) external {
        ++calls;
        Lst storage lst = lsts[which % TOKENS];
        lst.frozen = rare % 3 == 0;
        lst.token.setVice(lst.frozen ? 7 : 0, address(0));
        if (lst.frozen) ++done[Action.Freeze];
    }

    function warp(uint256 time) external {
        ++calls;
        vm.warp(block.timestamp + bound(time, 1, 6 hours));
    }

    // --- What holds ---

    /// @dev What is there is what is owed; what is told of it is what it is.
    function check() external view {
        vm.assertEq(basket.lpFee(), lpFee);
        bool whole = true;
        for (uint256 i = 0; i < TOKENS; ++i) {
            (uint256 balance, uint256 limit,) = basket.holdingOf(_token(i));
            vm.assertEq(limit, lsts[i].limit, "a limit moved unseen");
            whole = whole && (balance == 0 || _usable(i));
            vm.assertEq(basket.incentiveOf(_token(i)), lsts[i].incentive, "an incentive came or went unseen");
            uint256 others = lsts[i].incentive + lsts[i].gifts;
            for (uint256 u = 0; u < USERS; ++u) {
                others += basket.owed(users[u], _token(i));
            }
            vm.assertEq(
                lsts[i].token.balanceOf(address(basket)), balance + others, "what is counted is not what is there"
            );
        }
        (uint256 low, uint256 high, bool all) = basket.totalValue();
        vm.assertEq(low, _totalLow(), "totalValue: low");
        vm.assertEq(high, _totalHigh(), "totalValue: high");
        vm.assertEq(all, whole);
        uint256 liquidity = basket.balanceOf(NOBODY);
        for (uint256 u = 0; u < USERS; ++u) {
            liquidity += basket.balanceOf(users[u]);
        }
        vm.assertEq(basket.totalSupply(), liquidity);
        vm.assertEq(basket.balanceOf(NOBODY), 1e9);
    }

    /// @dev Everybody leaves, whatever is sick, cut off or frozen, and is paid when tokens thaw.
    function windDown() external {
        this.cutAllOff(3 hours);
        for (uint256 u = 0; u < USERS; ++u) {
            uint256 all = basket.balanceOf(users[u]);
            if (all != 0) _removeAll(users[u], all);
        }
        for (uint256 i = 0; i < TOKENS; ++i) {
            this.freeze(i, 1);
            for (uint256 u = 0; u < USERS; ++u) {
                this.collect(u, i);
            }
        }
        vm.assertEq(basket.totalSupply(), 1e9, "somebody could not leave");
    }

    function doneMask() external view returns (uint256 mask) {
        for (uint256 i = 0; i <= uint256(type(Action).max); ++i) {
            if (done[Action(i)] != 0) mask |= 1 << i;
        }
    }

    function fullMask() external pure returns (uint256) {
        return (2 << uint256(type(Action).max)) - 1;
    }

    // --- Internal: what a call must not lower ---

    function _before() private view returns (Before memory found) {
        found.supply = basket.totalSupply();
        found.balances = new uint256[](TOKENS);
        found.held = new uint256[](TOKENS);
        found.incentives = new uint256[](TOKENS);
        for (uint256 i = 0; i < TOKENS; ++i) {
            found.balances[i] = _balance(i);
            found.held[i] = lsts[i].token.balanceOf(address(basket));
            found.incentives[i] = basket.incentiveOf(_token(i));
        }
    }

    /// @dev The worth of a share is linear in prices, so if it falls at some prices in the box, it does where each token whose
    /// part of a share grew is at its low and each whose part shrank at its high. A sick token may be worth anything.
    function _compare(Before memory before) private view {
        Before memory found = _before();
        int256 change; // of the worth of a share, times both supplies
        for (uint256 i = 0; i < TOKENS; ++i) {
            int256 part = int256(found.balances[i] * before.supply) - int256(before.balances[i] * found.supply);
            if (_usable(i)) {
                change += part * int256(part > 0 ? lsts[i].low : lsts[i].high);
                continue;
            }
            vm.assertTrue(part >= 0, "a share stands for less of a sick token");
            if (leaving) continue;
            vm.assertEq(found.balances[i], before.balances[i], "a sick token moved");
            vm.assertEq(found.held[i], before.held[i], "a sick token moved");
        }
        vm.assertTrue(change >= 0, "A5: the worth of a share fell");
    }

    // --- Internal: the ledger ---

    function _list() private {
        IWeirdLst token = IWeirdLst(vm.deployCode("WeirdLst.sol:WeirdLst"));
        bytes memory arguments = abi.encode(address(token));
        IScriptedProvider provider =
            IScriptedProvider(vm.deployCode("ScriptedProvider.sol:ScriptedProvider", arguments));
        ILstBasket.TokenConfig memory config =
            ILstBasket.TokenConfig(address(provider), 3, 4, uint16(BPS), type(uint32).max, false, false);
        basket.addToken(address(token), config);
        Lst storage lst = lsts.push();
        (lst.token, lst.provider, lst.low, lst.high, lst.config) = (token, provider, ONE, ONE, config);
        for (uint256 u = 0; u < USERS; ++u) {
            token.mint(users[u], 1 << 120);
            vm.prank(users[u]);
            token.approve(address(basket), type(uint256).max);
        }
    }

    function _swap(address user, Trade memory trade, bytes memory call) private returns (bytes memory answer) {
        (IWeirdLst given, IWeirdLst taken) = (lsts[trade.i].token, lsts[trade.o].token);
        (uint256 had, uint256 hadOther) = (given.balanceOf(user), taken.balanceOf(user));
        uint256 back = _back(trade.i, trade.cost);
        lsts[trade.o].incentive -= trade.bonus;
        lsts[trade.i].incentive += back;
        bool fine;
        vm.prank(user);
        (fine, answer) = address(basket).call(call);
        vm.assertTrue(fine, "a swap failed");
        vm.assertEq(had - given.balanceOf(user), trade.cost, "a swap costs what it says");
        vm.assertEq(taken.balanceOf(user) - hadOther, trade.out, "what was swapped for arrives");
        if (trade.bonus != 0) ++done[Action.Bonus];
        if (back != 0) ++done[Action.GivenBack];
    }

    function _removeAll(address user, uint256 lp) private {
        leaving = true;
        uint256 supply = basket.totalSupply();
        uint256[TOKENS] memory balances;
        uint256[TOKENS] memory had;
        for (uint256 i = 0; i < TOKENS; ++i) {
            balances[i] = _balance(i);
            had[i] = lsts[i].token.balanceOf(user) + basket.owed(user, _token(i));
            lsts[i].limit -= Math.mulDiv(lsts[i].limit, lp, supply);
        }
        vm.prank(user);
        uint256[] memory amounts = basket.removeAll(lp, new uint256[](TOKENS), user);
        for (uint256 i = 0; i < TOKENS; ++i) {
            vm.assertEq(amounts[i], balances[i] * lp / supply, "a part of every token");
            uint256 has = lsts[i].token.balanceOf(user) + basket.owed(user, _token(i));
            vm.assertEq(has - had[i], amounts[i], "what a token refuses to move is owed");
            if (amounts[i] != 0 && lsts[i].frozen) ++done[Action.Owed];
            if (amounts[i] != 0 && !_usable(i)) ++done[Action.RemoveAllOfASickToken];
        }
        ++done[Action.RemoveAll];
    }

    /// @dev Of `amount` of token `i` that comes in, what a bonus for taking it out would be: it goes back there.
    function _back(uint256 i, uint256 amount) private view returns (uint256) {
        return amount * _bonus(i) / BPS;
    }

    /// @dev The least of token `i` of which `kept` is left when its bonus has gone back.
    function _withBonus(uint256 i, uint256 kept) private view returns (uint256 amount) {
        amount = kept * BPS / (BPS - _bonus(i));
        while (amount - _back(i, amount) < kept) ++amount;
        while (amount != 0 && amount - 1 - _back(i, amount - 1) >= kept) --amount;
    }

    function _bonus(uint256 i) private view returns (uint256) {
        int256 fee = lsts[i].config.outFee;
        return fee < 0 ? uint256(-fee) : 0;
    }

    /// @dev What `amount` of token `i` buys of token `o`, and the bonus in it.
    function _outOf(uint256 i, uint256 o, uint256 amount) private view returns (uint256 out, uint256 bonus) {
        uint256 fee = _with(0, lsts[i].config.inFee) + _with(0, lsts[o].config.outFee);
        uint256 value = amount * lsts[i].low / ONE;
        value -= Math.ceilDiv(value * fee, BPS);
        out = value * ONE / lsts[o].high;
        bonus = Math.min(out * _bonus(o) / BPS, lsts[o].incentive);
        out += bonus;
    }

    /// @dev What may be held of token `i` of a whole of `total`.
    function _limit(uint256 i, uint256 total) private view returns (uint256) {
        uint256 limit = Math.mulDiv(total * lsts[i].config.shareCap, ONE, lsts[i].low * BPS);
        return Math.min(limit, type(uint104).max);
    }

    function _totalLow() private view returns (uint256 low) {
        for (uint256 i = 0; i < TOKENS; ++i) {
            if (_usable(i)) low += _balance(i) * lsts[i].low / ONE;
        }
    }

    function _totalHigh() private view returns (uint256 high) {
        for (uint256 i = 0; i < TOKENS; ++i) {
            if (_usable(i)) high += Math.ceilDiv(_balance(i) * lsts[i].high, ONE);
        }
    }

    function _usable(uint256 i) private view returns (bool) {
        Lst storage lst = lsts[i];
        return !lst.sick && lst.low != 0 && lst.low <= lst.high && block.timestamp >= lst.cutOffUntil;
    }

    /// @dev Whether every token that is held counts.
    function _whole() private view returns (bool) {
        for (uint256 i = 0; i < TOKENS; ++i) {
            if (_balance(i) != 0 && !_usable(i)) return false;
        }
        return true;
    }

    /// @dev A negative fee is a bonus, and no part of this.
    function _with(uint256 other, int16 fee) private pure returns (uint256) {
        return other + (fee > 0 ? uint16(fee) : 0);
    }

    // --- Internal: refusals ---

    function _refusedSwap(address user, uint256 i, uint256 o, bytes memory call) private returns (bool) {
        if (lsts[i].config.inputOff) {
            _refused(address(this), call, ILstBasket.InputIsOff.selector);
            return true;
        }
        if (_usable(i) && _usable(o)) return false;
        _refusedAnyhow(user, call, Action.RefusedWhileSick);
        return true;
    }

    function _refusedTrade(uint256 i, uint256 o, uint256 amount, uint256 out, bytes memory call)
        private
        returns (bool)
    {
        if (out > _balance(o)) {
            _refused(STRANGER, call, ILstBasket.BalanceTooLow.selector);
            ++done[Action.RefusedByBalance];
            return true;
        }
        if (_refusedByCap(i, amount - _back(i, amount), lsts[i].limit, call)) return true;
        return _refusedWhileFrozen(lsts[i].frozen ? i : o, users[0], call);
    }

    function _refusedByCap(uint256 i, uint256 amount, uint256 limit, bytes memory call) private returns (bool) {
        uint256 held = _balance(i) + amount;
        bytes4 why;
        if (held * lsts[i].low / ONE > uint256(lsts[i].config.cap) * ONE) why = ILstBasket.CapExceeded.selector;
        else if (lsts[i].config.shareCap != BPS && held > limit) why = ILstBasket.ShareCapExceeded.selector;
        if (why == 0) return false;
        _refused(address(this), call, why);
        ++done[Action.RefusedByCap];
        return true;
    }

    function _refusedWhileFrozen(uint256 i, address user, bytes memory call) private returns (bool) {
        if (!lsts[i].frozen) return false;
        vm.prank(user);
        (bool fine,) = address(basket).call(call);
        vm.assertTrue(!fine, "a frozen token moved");
        ++done[Action.RefusedWhileFrozen];
        return true;
    }

    /// @dev By somebody who could pay.
    function _refusedAnyhow(address user, bytes memory call, Action action) private {
        if (user != address(this)) vm.prank(user);
        (bool fine,) = address(basket).call(call);
        vm.assertTrue(!fine, "what should be refused was not");
        ++done[action];
    }

    function _refused(address user, bytes memory call, bytes4 why) private {
        if (user != address(this)) vm.prank(user);
        (bool fine, bytes memory answer) = address(basket).call(call);
        vm.assertTrue(!fine, "what should be refused was not");
        vm.assertEq(bytes32(bytes4(answer)), bytes32(why));
    }

    // --- Internal: the rest ---

    function _balance(uint256 i) private view returns (uint256 balance) {
        (balance,,) = basket.holdingOf(_token(i));
    }

    function _token(uint256 i) private view returns (address) {
        return address(lsts[i % TOKENS].token);
    }

    function _user(uint256 who) private view returns (address) {
        return users[who % USERS];
    }

    /// @dev Two that are not the same.
    function _pair(uint256 seed) private pure returns (uint256 i, uint256 o) {
        i = seed % TOKENS;
        o = (i + 1 + seed / TOKENS % (TOKENS - 1)) % TOKENS;
    }

    /// @dev Up to `most`: all of it, small ones and any.
    function _size(uint256 seed, uint256 most) private pure returns (uint256) {
        if (most <= 1 || seed % 16 == 0) return most;
        seed = uint256(keccak256(abi.encode(seed)));
        return bound(seed, 1, seed % 3 == 0 ? 1 + (most >> 30) : most);
    }
}
