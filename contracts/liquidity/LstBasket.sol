// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IBasketRebalancer, ILstBasket} from "../interfaces/ILstBasket.sol";
import {ILstRateProvider} from "../interfaces/ILstRateProvider.sol";
import {BasketPricing} from "../libraries/BasketPricing.sol";
import {BPS} from "../libraries/Constants.sol";

/// @title Basket of liquid staking tokens
/// @notice See {ILstBasket}.
/// @dev Every external function that moves something holds a transient lock; providers are only ever called statically.
/// Why no call lowers the worth of a share, at rates p with low <= p <= high of each token:
///  - swap, rebalance: worth in >= in * low >= out * high >= worth out;
///  - add: lp / supply <= in * low / total(high) <= worth in / total(p);
///  - remove: worth out <= out * high <= lp / supply * total(low) <= lp / supply * total(p).
contract LstBasket is ILstBasket, ERC20, ERC20Permit, AccessManaged, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using SafeTransferLib for address;
    using SafeCast for uint256;
    using Math for uint256;

    /// @dev Slot 0: 20 + 2 + 2 + 2 + 4 + 1 + 1 = 32 bytes. Slot 1: 13 + 13 + 5 = 31 bytes.
    struct Token {
        address provider;
        int16 inFee;
        int16 outFee;
        uint16 shareCap;
        uint32 cap;
        bool inputOff;
        bool listed;
        uint104 balance; // belongs to the shares
        uint104 value; // low, when last looked at; part of `Pool.total`
        uint40 cutOffUntil;
    }

    /// @dev 16 + 5 + 2 = 23 bytes.
    struct Pool {
        uint128 total; // sum of all `Token.value`
        uint40 pausedUntil;
        uint16 lpFee;
    }

    /// @dev What a swap is priced with.
    struct Trade {
        address tokenIn;
        address tokenOut;
        uint256 lowIn;
        uint256 lowOut;
        uint256 highOut;
        int256 fee; // bps
        uint256 returned; // bps of what comes in, for bonuses
    }

    uint256 private constant ONE = BasketPricing.ONE;
    /// @dev For a provider that is asked and may fail: more than any of ours needs.
    uint256 private constant PROVIDER_GAS = 500_000;
    address private constant NOBODY = 0x000000000000000000000000000000000000dEaD;

    /// @inheritdoc ILstBasket
    uint256 public constant MAX_TOKENS = 16;
    /// @inheritdoc ILstBasket
    uint256 public constant MAX_FEE = 100; // bps
    /// @inheritdoc ILstBasket
    uint256 public constant MAX_PAUSE = 14 days;
    /// @inheritdoc ILstBasket
    uint256 public constant DEAD_SHARES = 1e9;

    Pool private _pool;
    address[] private _list;
    mapping(address token => Token) private _tokens;
    mapping(address token => uint256) private _incentives;
    /// @inheritdoc ILstBasket
    mapping(address owner => mapping(address token => uint256)) public owed;

    modifier notPaused() {
        if (block.timestamp < _pool.pausedUntil) revert BasketIsPaused(_pool.pausedUntil);
        _;
    }

    modifier before(uint256 deadline) {
        if (block.timestamp > deadline) revert DeadlinePassed(deadline, block.timestamp);
        _;
    }

    constructor(address authority_, string memory name_, string memory symbol_, uint256 lpFee)
        ERC20(name_, symbol_)
        ERC20Permit(name_)
        AccessManaged(authority_)
    {
        _setLpFee(lpFee);
    }

    // --- Swap ---

    /// @inheritdoc ILstBasket
    function swapExactIn(
        address tokenIn,
        address tokenOut,
        uint256 amountIn,
        uint256 minOut,
        address receiver,
        uint256 deadline
    ) external before(deadline) notPaused nonReentrant returns (uint256 amountOut) {
        Trade memory trade = _trade(tokenIn, tokenOut);
        uint256 bonus;
        (amountOut, bonus) = _out(trade, amountIn);
        if (amountOut < minOut) revert OutputBelowMinimum(amountOut, minOut);
        _swap(trade, amountIn, amountOut, bonus, receiver);
    }

    /// @inheritdoc ILstBasket
    function swapExactOut(
        address tokenIn,
        address tokenOut,
        uint256 amountOut,
        uint256 maxIn,
        address receiver,
        uint256 deadline
    ) external before(deadline) notPaused nonReentrant returns (uint256 amountIn) {
        Trade memory trade = _trade(tokenIn, tokenOut);
        uint256 bonus;
        (amountIn, bonus) = _in(trade, amountOut);
        if (amountIn > maxIn) revert InputAboveMaximum(amountIn, maxIn);
        _swap(trade, amountIn, amountOut, bonus, receiver);
    }

    // --- Liquidity ---

    /// @inheritdoc ILstBasket
    function addLiquidity(address token, uint256 amount, uint256 minLp, address receiver)
        external
        notPaused
        nonReentrant
        returns (uint256 lp)
    {
        if (amount == 0) revert AmountZero();
        Token storage t = _tokens[token];
        _requireInput(token, t);
        (uint256 low,) = _rates(token, t);
        uint256 value = Math.mulDiv(amount, low, ONE);
        uint256 supply = totalSupply();
        if (supply == 0) {
            if (value <= DEAD_SHARES) revert FirstLiquidityTooSmall(value, DEAD_SHARES + 1);
            lp = value - DEAD_SHARES;
            _mint(NOBODY, DEAD_SHARES);
        } else {
            uint256 net = value - BasketPricing.share(value, _lpFeeWith(t.inFee));
            lp = Math.mulDiv(net, supply, _totalHigh());
        }
        if (lp < minLp) revert LpBelowMinimum(lp, minLp);
        if (lp == 0) revert AmountZero();
        uint256 back = supply == 0 ? 0 : _giveBack(token, amount, BasketPricing.returned(t.inFee, t.outFee));
        _pool.total = uint128(_credit(token, amount - back, low, _pool.total, supply != 0));
        _mint(receiver, lp);
        emit LiquidityAdded(msg.sender, receiver, token, amount, lp);
        _pull(token, amount);
    }

    /// @inheritdoc ILstBasket
    function removeLiquidity(uint256 lp, address token, uint256 minOut, address receiver)
        external
        notPaused
        nonReentrant
        returns (uint256 amount)
    {
        (uint256 low, uint256 high) = _rates(token, _tokens[token]);
        (uint256 total,,) = _value();
        uint256 value = Math.mulDiv(lp, total, totalSupply());
        value -= BasketPricing.share(value, _lpFeeWith(_tokens[token].outFee));
        amount = Math.mulDiv(value, ONE, high);
        if (amount < minOut) revert OutputBelowMinimum(amount, minOut);
        if (amount == 0) revert AmountZero();
        _burn(msg.sender, lp);
        _pool.total = uint128(_debit(token, amount, low, _pool.total));
        emit LiquidityRemoved(msg.sender, receiver, token, amount, lp);
        _pay(token, receiver, amount);
    }

    /// @inheritdoc ILstBasket
    function removeAll(uint256 lp, uint256[] calldata mins, address receiver)
        external
        nonReentrant
        returns (uint256[] memory amounts)
    {
        if (lp == 0) revert AmountZero();
        uint256 count = _list.length;
        if (mins.length != count) revert LengthMismatch(mins.length, count);
        uint256 supply = totalSupply();
        _burn(msg.sender, lp);
        amounts = new uint256[](count);
        uint256 gone;
        for (uint256 i; i < count; ++i) {
            Token storage token = _tokens[_list[i]];
            uint256 amount = Math.mulDiv(token.balance, lp, supply);
            if (amount < mins[i]) revert OutputBelowMinimum(amount, mins[i]);
            amounts[i] = amount;
            uint256 value = Math.mulDiv(token.value, lp, supply);
            token.balance -= uint104(amount); // lp <= supply
            token.value -= uint104(value);
            gone += value;
        }
        _pool.total -= uint128(gone); // a sum of parts of it
        emit AllRemoved(msg.sender, receiver, amounts, lp);
        for (uint256 i; i < count; ++i) {
            if (amounts[i] != 0 && !IERC20(_list[i]).trySafeTransfer(receiver, amounts[i])) {
                owed[msg.sender][_list[i]] += amounts[i];
                emit Owed(msg.sender, _list[i], amounts[i]);
            }
        }
    }

    /// @inheritdoc ILstBasket
    function collect(address token, address receiver) external nonReentrant returns (uint256 amount) {
        amount = owed[msg.sender][token];
        if (amount == 0) revert NothingOwed(msg.sender, token);
        owed[msg.sender][token] = 0;
        emit Collected(msg.sender, receiver, token, amount);
        _pay(token, receiver, amount);
    }

    // --- Incentive ---

    /// @inheritdoc ILstBasket
    function fund(address token, uint256 amount) external nonReentrant {
        _requireInput(token, _tokens[token]);
        if (amount == 0) revert AmountZero();
        _incentives[token] += amount;
        emit IncentiveFunded(msg.sender, token, amount);
        _pull(token, amount);
    }

    // --- Reading ---

    /// @inheritdoc ILstBasket
    function quoteExactIn(address tokenIn, address tokenOut, uint256 amountIn)
        external
        view
        nonReentrantView
        returns (uint256 amountOut, uint256 bonus)
    {
        return _out(_trade(tokenIn, tokenOut), amountIn);
    }

    /// @inheritdoc ILstBasket
    function quoteExactOut(address tokenIn, address tokenOut, uint256 amountOut)
        external
        view
        nonReentrantView
        returns (uint256 amountIn, uint256 bonus)
    {
        return _in(_trade(tokenIn, tokenOut), amountOut);
    }

    /// @inheritdoc ILstBasket
    function totalValue() external view nonReentrantView returns (uint256 low, uint256 high, bool whole) {
        return _value();
    }

    /// @inheritdoc ILstBasket
    function tokens() external view returns (address[] memory) {
        return _list;
    }

    /// @inheritdoc ILstBasket
    function configOf(address token) public view returns (TokenConfig memory) {
        Token storage t = _tokens[token];
        return TokenConfig(t.provider, t.inFee, t.outFee, t.shareCap, t.cap, t.inputOff);
    }

    /// @inheritdoc ILstBasket
    function holdingOf(address token) external view returns (uint256 balance, uint256 value, uint256 cutOffUntil) {
        Token storage t = _tokens[token];
        return (t.balance, t.value, t.cutOffUntil);
    }

    /// @inheritdoc ILstBasket
    function incentiveOf(address token) external view returns (uint256) {
        return _incentives[token];
    }

    /// @inheritdoc ILstBasket
    function pool() external view returns (uint256 lpFee, uint256 pausedUntil, uint256 lastTotal) {
        return (_pool.lpFee, _pool.pausedUntil, _pool.total);
    }

    // --- Governance ---

    /// @inheritdoc ILstBasket
    function addToken(address token, TokenConfig calldata config) external restricted {
        if (_tokens[token].listed || token == address(this)) revert TokenKnown(token);
        if (_list.length == MAX_TOKENS) revert TooManyTokens(MAX_TOKENS);
        _checkConfig(token, config, true);
        _list.push(token);
        _tokens[token].listed = true;
        _writeConfig(token, config);
        emit TokenAdded(token, config);
    }

    /// @inheritdoc ILstBasket
    function configureToken(address token, TokenConfig calldata config) external restricted {
        if (!_tokens[token].listed) revert TokenUnknown(token);
        TokenConfig memory old = configOf(token);
        _checkConfig(token, config, config.provider != old.provider);
        _writeConfig(token, config);
        emit TokenConfigured(token, old, config);
    }

    /// @inheritdoc ILstBasket
    function removeToken(address token) external restricted nonReentrant {
        Token storage t = _tokens[token];
        if (!t.listed) revert TokenUnknown(token);
        if (t.balance != 0 || _incentives[token] != 0) revert TokenNotEmpty(token, t.balance, _incentives[token]);
        _pool.total -= t.value; // what {removeAll} rounded
        delete _tokens[token];
        uint256 last = _list.length - 1;
        for (uint256 i; i < last; ++i) {
            if (_list[i] == token) {
                _list[i] = _list[last];
                break;
            }
        }
        _list.pop(); // the token itself, or the last one whose copy took its place
        emit TokenRemoved(token);
    }

    /// @inheritdoc ILstBasket
    function releaseIncentive(address token) external restricted nonReentrant {
        uint256 amount = _incentives[token];
        if (amount == 0) revert AmountZero();
        _incentives[token] = 0;
        Token storage t = _tokens[token];
        (uint256 low,) = _rates(token, t);
        (, uint256 total) = _set(t, t.balance + amount, low, _pool.total);
        _pool.total = uint128(total);
        emit IncentiveReleased(token, amount);
    }

    /// @inheritdoc ILstBasket
    function setLpFee(uint256 fee) external restricted {
        _setLpFee(fee);
    }

    /// @inheritdoc ILstBasket
    function rebalance(address tokenOut, uint256 amountOut, address tokenIn, bytes calldata data)
        external
        restricted
        notPaused
        nonReentrant
        returns (uint256 amountIn)
    {
        if (amountOut == 0) revert AmountZero();
        Trade memory first = _trade(tokenIn, tokenOut);
        _pool.total = uint128(_debit(tokenOut, amountOut, first.lowOut, _pool.total));
        uint256 held = tokenIn.balanceOf(address(this));
        _pay(tokenOut, msg.sender, amountOut);
        IBasketRebalancer(msg.sender).onRebalance(tokenOut, amountOut, tokenIn, data);
        amountIn = tokenIn.balanceOf(address(this)).saturatingSub(held);

        Trade memory later = _trade(tokenIn, tokenOut);
        uint256 given = Math.mulDiv(amountOut, Math.max(first.highOut, later.highOut), ONE, Math.Rounding.Ceil);
        uint256 received = Math.mulDiv(amountIn, Math.min(first.lowIn, later.lowIn), ONE);
        if (received < given) revert RebalanceLoses(given, received);
        _pool.total = uint128(_credit(tokenIn, amountIn, later.lowIn, _pool.total, true));
        emit Rebalanced(msg.sender, tokenOut, amountOut, tokenIn, amountIn);
    }

    /// @inheritdoc ILstBasket
    function pause(uint256 duration) external restricted {
        if (duration > MAX_PAUSE) revert PauseTooLong(duration, MAX_PAUSE);
        uint40 until = uint40(block.timestamp + duration);
        _pool.pausedUntil = until;
        emit BasketPaused(until);
    }

    /// @inheritdoc ILstBasket
    function resume() external restricted {
        _pool.pausedUntil = 0;
        emit BasketResumed();
    }

    /// @inheritdoc ILstBasket
    function cutOff(address token, uint256 duration) external restricted {
        if (duration > MAX_PAUSE) revert PauseTooLong(duration, MAX_PAUSE);
        _setCutOff(token, block.timestamp + duration);
    }

    /// @inheritdoc ILstBasket
    function restore(address token) external restricted {
        _setCutOff(token, 0);
    }

    // --- Anyone ---

    /// @inheritdoc ILstBasket
    function sync() external nonReentrant {
        uint256 total = _pool.total;
        for (uint256 i; i < _list.length; ++i) {
            Token storage t = _tokens[_list[i]];
            (bool ok, uint256 low,) = _tryRates(t);
            if (ok) (, total) = _set(t, t.balance, low, total);
        }
        _pool.total = uint128(total);
    }

    // --- Prices ---

    /// @dev Refuses what cannot be swapped.
    function _trade(address tokenIn, address tokenOut) private view returns (Trade memory trade) {
        if (tokenIn == tokenOut) revert SameToken(tokenIn);
        Token storage tIn = _tokens[tokenIn];
        Token storage tOut = _tokens[tokenOut];
        _requireInput(tokenIn, tIn);
        int256 outFee = tIn.outFee;
        trade.fee = tIn.inFee;
        trade.tokenIn = tokenIn;
        trade.tokenOut = tokenOut;
        (trade.lowIn,) = _rates(tokenIn, tIn);
        (trade.lowOut, trade.highOut) = _rates(tokenOut, tOut);
        trade.fee += tOut.outFee;
        trade.returned = BasketPricing.returned(trade.fee, outFee);
    }

    function _out(Trade memory trade, uint256 amountIn) private view returns (uint256 amountOut, uint256 bonus) {
        uint256 pot = trade.fee < 0 ? _incentives[trade.tokenOut] : 0;
        (amountOut, bonus) = BasketPricing.exactIn(amountIn, trade.lowIn, trade.highOut, trade.fee, pot);
        if (amountOut == 0) revert AmountZero();
    }

    function _in(Trade memory trade, uint256 amountOut) private view returns (uint256 amountIn, uint256 bonus) {
        if (amountOut == 0) revert AmountZero();
        uint256 pot = trade.fee < 0 ? _incentives[trade.tokenOut] : 0;
        return BasketPricing.exactOut(amountOut, trade.lowIn, trade.highOut, trade.fee, pot);
    }

    function _rates(address token, Token storage t) private view returns (uint256 low, uint256 high) {
        ILstRateProvider provider = ILstRateProvider(t.provider);
        if (!t.listed) revert TokenUnknown(token);
        if (block.timestamp < t.cutOffUntil) revert TokenIsCutOff(token, t.cutOffUntil);
        (low, high) = provider.rates();
        if (low == 0 || low > high) revert RatesInvalid(token, low, high);
    }

    /// @dev Like {_rates} without reverting, whatever the provider does. Who leaves too little gas gets less for the token.
    function _tryRates(Token storage t) private view returns (bool ok, uint256 low, uint256 high) {
        if (block.timestamp < t.cutOffUntil) return (false, 0, 0);
        bytes memory answer;
        (ok, answer) = t.provider.staticcall{gas: PROVIDER_GAS}(abi.encodeCall(ILstRateProvider.rates, ()));
        if (!ok || answer.length != 64) return (false, 0, 0);
        (low, high) = abi.decode(answer, (uint256, uint256));
        // no healthy provider says more than 2^96 - 1, and sums of less cannot overflow
        ok = low != 0 && low <= high && high <= type(uint96).max;
    }

    function _value() private view returns (uint256 low, uint256 high, bool whole) {
        whole = true;
        for (uint256 i; i < _list.length; ++i) {
            Token storage t = _tokens[_list[i]];
            uint256 balance = t.balance;
            if (balance == 0) continue;
            (bool ok, uint256 lowRate, uint256 highRate) = _tryRates(t);
            if (ok) {
                low += Math.mulDiv(balance, lowRate, ONE);
                high += Math.mulDiv(balance, highRate, ONE, Math.Rounding.Ceil);
            } else {
                whole = false;
            }
        }
    }

    /// @dev Of all that is held; reverts where one of it is sick.
    function _totalHigh() private view returns (uint256 high) {
        for (uint256 i; i < _list.length; ++i) {
            Token storage t = _tokens[_list[i]];
            uint256 balance = t.balance;
            if (balance == 0) continue;
            (, uint256 rate) = _rates(_list[i], t);
            high += Math.mulDiv(balance, rate, ONE, Math.Rounding.Ceil);
        }
    }

    /// @dev A negative fee is for swaps alone.
    function _lpFeeWith(int16 fee) private view returns (uint256) {
        return _pool.lpFee + (fee > 0 ? uint16(fee) : 0);
    }

    // --- Accounts ---

    function _swap(Trade memory trade, uint256 amountIn, uint256 amountOut, uint256 bonus, address receiver) private {
        (address tokenIn, address tokenOut) = (trade.tokenIn, trade.tokenOut);
        if (bonus != 0) _incentives[tokenOut] -= bonus;
        uint256 total = _debit(tokenOut, amountOut - bonus, trade.lowOut, _pool.total);
        uint256 back = _giveBack(tokenIn, amountIn, trade.returned);
        _pool.total = uint128(_credit(tokenIn, amountIn - back, trade.lowIn, total, true));
        emit Swapped(msg.sender, receiver, tokenIn, tokenOut, amountIn, amountOut, bonus);
        _pull(tokenIn, amountIn);
        _pay(tokenOut, receiver, amountOut);
    }

    /// @dev What {BasketPricing-returned} tells, to what there is for bonuses.
    function _giveBack(address token, uint256 amount, uint256 bps) private returns (uint256 back) {
        if (bps == 0) return 0;
        back = Math.mulDiv(amount, bps, BPS);
        _incentives[token] += back;
        emit IncentiveFunded(msg.sender, token, back);
    }

    /// @dev `total` before and after is `Pool.total`, which the caller writes. It fits: {MAX_TOKENS} values of 104 bits.
    function _debit(address token, uint256 amount, uint256 low, uint256 total) private returns (uint256) {
        Token storage t = _tokens[token];
        uint256 balance = t.balance;
        if (amount > balance) revert BalanceTooLow(token, amount, balance);
        unchecked {
            (, total) = _set(t, balance - amount, low, total);
        }
        return total;
    }

    function _credit(address token, uint256 amount, uint256 low, uint256 total, bool capped) private returns (uint256) {
        Token storage t = _tokens[token];
        uint256 value;
        (value, total) = _set(t, t.balance + amount, low, total);
        (uint256 cap, uint256 shareCap) = (t.cap * ONE, t.shareCap);
        if (value > cap) revert CapExceeded(token, value, cap);
        if (capped && value * BPS > total * shareCap) revert ShareCapExceeded(token, value, total, shareCap);
        return total;
    }

    /// @dev The only writer of balances but {removeAll}: keeps `total` the sum of all values.
    function _set(Token storage t, uint256 balance, uint256 low, uint256 total) private returns (uint256, uint256) {
        uint104 value = FixedPointMathLib.mulDiv(balance, low, ONE).toUint104();
        uint104 balance_ = balance.toUint104();
        unchecked {
            total = total - t.value + value; // of which it is a part
        }
        t.balance = balance_;
        t.value = value;
        return (value, total);
    }

    function _pull(address token, uint256 amount) private {
        uint256 held = token.balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 come = token.balanceOf(address(this)).saturatingSub(held);
        if (come != amount) revert TransferAmountWrong(token, amount, come);
    }

    function _pay(address token, address receiver, uint256 amount) private {
        uint256 held = token.balanceOf(address(this));
        IERC20(token).safeTransfer(receiver, amount);
        uint256 gone = held.saturatingSub(token.balanceOf(address(this)));
        if (gone != amount) revert TransferAmountWrong(token, amount, gone);
    }

    // --- Settings ---

    function _requireInput(address token, Token storage t) private view {
        (bool listed, bool inputOff) = (t.listed, t.inputOff);
        if (!listed) revert TokenUnknown(token);
        if (inputOff) revert InputIsOff(token);
    }

    function _checkConfig(address token, TokenConfig calldata config, bool newProvider) private view {
        int256 most = int256(MAX_FEE);
        if (config.inFee > most || config.inFee < 0 || config.outFee > most || config.inFee + config.outFee < 0) {
            revert FeeOutOfBounds(config.inFee, config.outFee);
        }
        if (config.shareCap == 0 || config.shareCap > BPS) revert ShareCapOutOfBounds(config.shareCap);
        if (newProvider) {
            if (config.provider.code.length == 0) revert ProviderInvalid(config.provider, token);
            ILstRateProvider provider = ILstRateProvider(config.provider);
            if (provider.token() != token) revert ProviderInvalid(config.provider, token);
            provider.requireHealthy();
        }
    }

    function _writeConfig(address token, TokenConfig calldata config) private {
        Token storage t = _tokens[token];
        t.provider = config.provider;
        t.inFee = config.inFee;
        t.outFee = config.outFee;
        t.shareCap = config.shareCap;
        t.cap = config.cap;
        t.inputOff = config.inputOff;
    }

    function _setCutOff(address token, uint256 until) private {
        if (!_tokens[token].listed) revert TokenUnknown(token);
        _tokens[token].cutOffUntil = uint40(until);
        emit TokenCutOffUntil(token, until);
    }

    function _setLpFee(uint256 fee) private {
        if (fee == 0 || fee > MAX_FEE) revert LpFeeOutOfBounds(fee);
        emit LpFeeChanged(_pool.lpFee, fee);
        _pool.lpFee = uint16(fee);
    }
}
