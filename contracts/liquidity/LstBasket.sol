// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IBasketRebalancer, ILstBasket} from "../interfaces/ILstBasket.sol";
import {ILstRateProvider} from "../interfaces/ILstRateProvider.sol";
import {BasketPricing} from "../libraries/BasketPricing.sol";
import {BasketStateLib, PoolState, TokenHolding, TokenSettings} from "../libraries/BasketState.sol";
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
    using Math for uint256;

    /// @dev Two slots.
    struct Token {
        TokenSettings settings;
        TokenHolding holding;
    }

    /// @dev What a swap is priced with, and the state as it was read for that.
    struct Trade {
        PoolState pool;
        address tokenIn;
        address tokenOut;
        TokenSettings settingsIn;
        TokenHolding holdingIn;
        TokenHolding holdingOut;
        uint256 lowIn;
        uint256 lowOut;
        uint256 highOut;
        uint256 fee; // bps
        uint256 bonusRate; // bps
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

    PoolState private _pool;
    address[] private _list;
    mapping(address token => Token) private _tokens;
    mapping(address token => uint256) private _incentives;
    /// @inheritdoc ILstBasket
    mapping(address owner => mapping(address token => uint256)) public owed;

    modifier notPaused() {
        _open();
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
    ) external before(deadline) nonReentrant returns (uint256 amountOut) {
        Trade memory trade = _trade(_open(), tokenIn, tokenOut);
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
    ) external before(deadline) nonReentrant returns (uint256 amountIn) {
        Trade memory trade = _trade(_open(), tokenIn, tokenOut);
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
        TokenSettings settings = _tokens[token].settings;
        _requireInput(token, settings);
        (uint256 low,) = _rates(token, settings, _tokens[token].holding);
        uint256 value = Math.mulDiv(amount, low, ONE);
        uint256 supply = totalSupply();
        if (supply == 0) {
            if (value <= DEAD_SHARES) revert FirstLiquidityTooSmall(value, DEAD_SHARES + 1);
            lp = value - DEAD_SHARES;
            _mint(NOBODY, DEAD_SHARES);
        } else {
            uint256 net = value - BasketPricing.share(value, _pool.lpFee() + settings.inFee());
            lp = Math.mulDiv(net, supply, _totalHigh());
        }
        if (lp < minLp) revert LpBelowMinimum(lp, minLp);
        if (lp == 0) revert AmountZero();
        _take(token, amount, low, supply == 0);
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
        (uint256 low, uint256 high) = _rates(token, _tokens[token].settings, _tokens[token].holding);
        (uint256 total,,) = _value();
        uint256 value = Math.mulDiv(lp, total, totalSupply());
        value -= BasketPricing.share(value, _pool.lpFee() + _tokens[token].settings.outCharge());
        amount = Math.mulDiv(value, ONE, high);
        if (amount < minOut) revert OutputBelowMinimum(amount, minOut);
        if (amount == 0) revert AmountZero();
        _burn(msg.sender, lp);
        _pool = _debit(_pool, token, _tokens[token].holding, amount, low);
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
            TokenHolding holding = _tokens[_list[i]].holding;
            uint256 amount = Math.mulDiv(holding.balance(), lp, supply);
            if (amount < mins[i]) revert OutputBelowMinimum(amount, mins[i]);
            amounts[i] = amount;
            uint256 value = Math.mulDiv(holding.value(), lp, supply);
            // lp <= supply, which {_burn} has seen
            _tokens[_list[i]].holding = holding.withAmounts(holding.balance() - amount, holding.value() - value);
            gone += value;
        }
        _pool = _pool.withTotal(gone, 0); // a sum of parts of it
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
        _requireInput(token, _tokens[token].settings);
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
        return _out(_trade(_pool, tokenIn, tokenOut), amountIn);
    }

    /// @inheritdoc ILstBasket
    function quoteExactOut(address tokenIn, address tokenOut, uint256 amountOut)
        external
        view
        nonReentrantView
        returns (uint256 amountIn, uint256 bonus)
    {
        return _in(_trade(_pool, tokenIn, tokenOut), amountOut);
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
        TokenSettings s = _tokens[token].settings;
        return TokenConfig(s.provider(), int16(uint16(s.inFee())), s.outFee(), s.shareCap(), s.cap(), s.inputOff());
    }

    /// @inheritdoc ILstBasket
    function holdingOf(address token) external view returns (uint256 balance, uint256 value, uint256 cutOffUntil) {
        TokenHolding holding = _tokens[token].holding;
        return (holding.balance(), holding.value(), holding.cutOffUntil());
    }

    /// @inheritdoc ILstBasket
    function incentiveOf(address token) external view returns (uint256) {
        return _incentives[token];
    }

    /// @inheritdoc ILstBasket
    function pool() external view returns (uint256 lpFee, uint256 pausedUntil, uint256 lastTotal) {
        return (_pool.lpFee(), _pool.pausedUntil(), _pool.total());
    }

    // --- Governance ---

    /// @inheritdoc ILstBasket
    function addToken(address token, TokenConfig calldata config) external restricted {
        if (_tokens[token].settings.listed() || token == address(this)) revert TokenKnown(token);
        if (_list.length == MAX_TOKENS) revert TooManyTokens(MAX_TOKENS);
        _checkConfig(token, config, true);
        _list.push(token);
        _writeConfig(token, config);
        emit TokenAdded(token, config);
    }

    /// @inheritdoc ILstBasket
    function configureToken(address token, TokenConfig calldata config) external restricted {
        if (!_tokens[token].settings.listed()) revert TokenUnknown(token);
        TokenConfig memory old = configOf(token);
        _checkConfig(token, config, config.provider != old.provider);
        _writeConfig(token, config);
        emit TokenConfigured(token, old, config);
    }

    /// @inheritdoc ILstBasket
    function removeToken(address token) external restricted nonReentrant {
        if (!_tokens[token].settings.listed()) revert TokenUnknown(token);
        TokenHolding holding = _tokens[token].holding;
        if (holding.balance() != 0 || _incentives[token] != 0) {
            revert TokenNotEmpty(token, holding.balance(), _incentives[token]);
        }
        _pool = _pool.withTotal(holding.value(), 0); // what {removeAll} rounded
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
        TokenHolding holding = _tokens[token].holding;
        (uint256 low,) = _rates(token, _tokens[token].settings, holding);
        (, _pool) = _set(_pool, token, holding, holding.balance() + amount, low);
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
        Trade memory first = _trade(_pool, tokenIn, tokenOut);
        _pool = _debit(_pool, tokenOut, first.holdingOut, amountOut, first.lowOut);
        uint256 held = tokenIn.balanceOf(address(this));
        _pay(tokenOut, msg.sender, amountOut);
        IBasketRebalancer(msg.sender).onRebalance(tokenOut, amountOut, tokenIn, data);
        amountIn = tokenIn.balanceOf(address(this)).saturatingSub(held);

        Trade memory later = _trade(_pool, tokenIn, tokenOut);
        uint256 kept = amountIn - _giveBack(tokenIn, amountIn, later.settingsIn);
        uint256 given = Math.mulDiv(amountOut, Math.max(first.highOut, later.highOut), ONE, Math.Rounding.Ceil);
        uint256 received = Math.mulDiv(kept, Math.min(first.lowIn, later.lowIn), ONE);
        if (received < given) revert RebalanceLoses(given, received);
        _credit(_pool, tokenIn, later.settingsIn, later.holdingIn, kept, later.lowIn, true);
        emit Rebalanced(msg.sender, tokenOut, amountOut, tokenIn, amountIn);
    }

    /// @inheritdoc ILstBasket
    function pause(uint256 duration) external restricted {
        if (duration > MAX_PAUSE) revert PauseTooLong(duration, MAX_PAUSE);
        uint40 until = uint40(block.timestamp + duration);
        _pool = _pool.withPausedUntil(until);
        emit BasketPaused(until);
    }

    /// @inheritdoc ILstBasket
    function resume() external restricted {
        _pool = _pool.withPausedUntil(0);
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
        PoolState state = _pool;
        for (uint256 i; i < _list.length; ++i) {
            Token storage t = _tokens[_list[i]];
            TokenHolding holding = t.holding;
            (bool ok, uint256 low,) = _tryRates(t.settings, holding);
            if (ok) (, state) = _set(state, _list[i], holding, holding.balance(), low);
        }
        _pool = state;
    }

    // --- Prices ---

    function _open() private view returns (PoolState state) {
        state = _pool;
        uint256 until = state.pausedUntil();
        if (block.timestamp < until) revert BasketIsPaused(until);
    }

    /// @dev Refuses what cannot be swapped.
    function _trade(PoolState state, address tokenIn, address tokenOut) private view returns (Trade memory trade) {
        if (tokenIn == tokenOut) revert SameToken(tokenIn);
        TokenSettings settings = _tokens[tokenIn].settings;
        TokenHolding holding = _tokens[tokenIn].holding;
        _requireInput(tokenIn, settings);
        trade.pool = state;
        trade.tokenIn = tokenIn;
        trade.tokenOut = tokenOut;
        trade.settingsIn = settings;
        trade.holdingIn = holding;
        (trade.lowIn,) = _rates(tokenIn, settings, holding);
        settings = _tokens[tokenOut].settings;
        holding = _tokens[tokenOut].holding;
        trade.holdingOut = holding;
        (trade.lowOut, trade.highOut) = _rates(tokenOut, settings, holding);
        unchecked {
            trade.fee = trade.settingsIn.inFee() + settings.outCharge(); // 16 bits each
        }
        trade.bonusRate = settings.outBonus();
    }

    function _out(Trade memory trade, uint256 amountIn) private view returns (uint256 amountOut, uint256 bonus) {
        (uint256 low, uint256 high) = (trade.lowIn, trade.highOut);
        (amountOut, bonus) = BasketPricing.exactIn(amountIn, low, high, trade.fee, trade.bonusRate, _pot(trade));
        if (amountOut == 0) revert AmountZero();
    }

    function _in(Trade memory trade, uint256 amountOut) private view returns (uint256 amountIn, uint256 bonus) {
        if (amountOut == 0) revert AmountZero();
        (uint256 low, uint256 high) = (trade.lowIn, trade.highOut);
        return BasketPricing.exactOut(amountOut, low, high, trade.fee, trade.bonusRate, _pot(trade));
    }

    function _pot(Trade memory trade) private view returns (uint256) {
        return trade.bonusRate != 0 ? _incentives[trade.tokenOut] : 0;
    }

    function _rates(address token, TokenSettings settings, TokenHolding holding)
        private
        view
        returns (uint256 low, uint256 high)
    {
        if (!settings.listed()) revert TokenUnknown(token);
        if (block.timestamp < holding.cutOffUntil()) revert TokenIsCutOff(token, holding.cutOffUntil());
        (low, high) = ILstRateProvider(settings.provider()).rates();
        if (low == 0 || low > high) revert RatesInvalid(token, low, high);
    }

    /// @dev Like {_rates} without reverting, whatever the provider does. Who leaves too little gas gets less for the token.
    function _tryRates(TokenSettings settings, TokenHolding holding)
        private
        view
        returns (bool ok, uint256 low, uint256 high)
    {
        if (block.timestamp < holding.cutOffUntil()) return (false, 0, 0);
        bytes memory answer;
        (ok, answer) = settings.provider().staticcall{gas: PROVIDER_GAS}(abi.encodeCall(ILstRateProvider.rates, ()));
        if (!ok || answer.length != 64) return (false, 0, 0);
        (low, high) = abi.decode(answer, (uint256, uint256));
        // no provider of ours says more than 2^80 - 1, and sums of less cannot overflow
        ok = low != 0 && low <= high && high <= type(uint96).max;
    }

    function _value() private view returns (uint256 low, uint256 high, bool whole) {
        whole = true;
        for (uint256 i; i < _list.length; ++i) {
            Token storage t = _tokens[_list[i]];
            TokenHolding holding = t.holding;
            uint256 balance = holding.balance();
            if (balance == 0) continue;
            (bool ok, uint256 lowRate, uint256 highRate) = _tryRates(t.settings, holding);
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
            TokenHolding holding = t.holding;
            uint256 balance = holding.balance();
            if (balance == 0) continue;
            (, uint256 rate) = _rates(_list[i], t.settings, holding);
            high += Math.mulDiv(balance, rate, ONE, Math.Rounding.Ceil);
        }
    }

    // --- Accounts ---

    function _swap(Trade memory trade, uint256 amountIn, uint256 amountOut, uint256 bonus, address receiver) private {
        (address tokenIn, address tokenOut) = (trade.tokenIn, trade.tokenOut);
        if (bonus != 0) _incentives[tokenOut] -= bonus;
        PoolState state = _debit(trade.pool, tokenOut, trade.holdingOut, amountOut - bonus, trade.lowOut);
        uint256 back = _giveBack(tokenIn, amountIn, trade.settingsIn);
        _credit(state, tokenIn, trade.settingsIn, trade.holdingIn, amountIn - back, trade.lowIn, true);
        emit Swapped(msg.sender, receiver, tokenIn, tokenOut, amountIn, amountOut, bonus);
        _pull(tokenIn, amountIn);
        _pay(tokenOut, receiver, amountOut);
    }

    /// @dev Of what comes in, what was a bonus when it went out, to what there is for bonuses. Were it the shares', who owns them
    /// could go in circles until nothing is left. The fee is no less: {_checkConfig}.
    function _giveBack(address token, uint256 amount, TokenSettings settings) private returns (uint256 back) {
        uint256 bps = settings.outBonus();
        if (bps == 0) return 0;
        back = Math.mulDiv(amount, bps, BPS);
        _incentives[token] += back;
        emit IncentiveFunded(msg.sender, token, back);
    }

    /// @dev What is added.
    function _take(address token, uint256 amount, uint256 low, bool first) private {
        TokenSettings settings = _tokens[token].settings;
        if (!first) amount -= _giveBack(token, amount, settings);
        _credit(_pool, token, settings, _tokens[token].holding, amount, low, !first);
    }

    /// @dev The caller writes `state`, of the pool.
    function _debit(PoolState state, address token, TokenHolding holding, uint256 amount, uint256 low)
        private
        returns (PoolState)
    {
        uint256 balance = holding.balance();
        if (amount > balance) revert BalanceTooLow(token, amount, balance);
        unchecked {
            (, state) = _set(state, token, holding, balance - amount, low);
        }
        return state;
    }

    /// @dev Writes `state`, of the pool.
    function _credit(
        PoolState state,
        address token,
        TokenSettings settings,
        TokenHolding holding,
        uint256 amount,
        uint256 low,
        bool capped
    ) private {
        uint256 value;
        (value, state) = _set(state, token, holding, holding.balance() + amount, low);
        unchecked {
            // 32, 104, 128 and 16 bits, ONE 60 and BPS 14
            uint256 cap = settings.cap() * ONE;
            if (value > cap) revert CapExceeded(token, value, cap);
            if (capped && value * BPS > state.total() * settings.shareCap()) {
                revert ShareCapExceeded(token, value, state.total(), settings.shareCap());
            }
        }
        _pool = state;
    }

    /// @dev The only writer of balances but {removeAll}: keeps the total of `state`, which the caller writes, the sum of all
    /// values. It fits: {MAX_TOKENS} values of 104 bits.
    function _set(PoolState state, address token, TokenHolding holding, uint256 balance, uint256 low)
        private
        returns (uint256 value, PoolState)
    {
        value = FixedPointMathLib.mulDiv(balance, low, ONE);
        _tokens[token].holding = holding.withAmounts(balance, value);
        return (value, state.withTotal(holding.value(), value));
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

    function _requireInput(address token, TokenSettings settings) private pure {
        if (!settings.listed()) revert TokenUnknown(token);
        if (settings.inputOff()) revert InputIsOff(token);
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
        _tokens[token].settings = BasketStateLib.listedSettings(
            config.provider, config.inFee, config.outFee, config.shareCap, config.cap, config.inputOff
        );
    }

    function _setCutOff(address token, uint256 until) private {
        if (!_tokens[token].settings.listed()) revert TokenUnknown(token);
        _tokens[token].holding = _tokens[token].holding.withCutOff(uint40(until));
        emit TokenCutOffUntil(token, until);
    }

    function _setLpFee(uint256 fee) private {
        if (fee == 0 || fee > MAX_FEE) revert LpFeeOutOfBounds(fee);
        emit LpFeeChanged(_pool.lpFee(), fee);
        _pool = _pool.withLpFee(uint16(fee));
    }
}
