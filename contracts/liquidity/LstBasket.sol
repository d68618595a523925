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

import {IBasketRebalancer, ILstBasket} from "../interfaces/ILstBasket.sol";
import {ILstRateProvider} from "../interfaces/ILstRateProvider.sol";
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

    struct Rates {
        uint256 low;
        uint256 high;
    }

    uint256 private constant ONE = 1e18;
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
        (Rates memory rIn, Rates memory rOut, int256 fee) = _pair(tokenIn, tokenOut);
        uint256 bonus;
        (amountOut, bonus) = _out(tokenOut, amountIn, rIn.low, rOut.high, fee);
        if (amountOut < minOut) revert OutputBelowMinimum(amountOut, minOut);
        _swap(tokenIn, tokenOut, amountIn, amountOut, bonus, receiver, rIn.low, rOut.low, fee);
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
        (Rates memory rIn, Rates memory rOut, int256 fee) = _pair(tokenIn, tokenOut);
        uint256 bonus;
        (amountIn, bonus) = _in(tokenOut, amountOut, rIn.low, rOut.high, fee);
        if (amountIn > maxIn) revert InputAboveMaximum(amountIn, maxIn);
        _swap(tokenIn, tokenOut, amountIn, amountOut, bonus, receiver, rIn.low, rOut.low, fee);
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
        _requireInput(token);
        uint256 low = _rates(token).low;
        uint256 value = Math.mulDiv(amount, low, ONE);
        uint256 supply = totalSupply();
        if (supply == 0) {
            if (value <= DEAD_SHARES) revert FirstLiquidityTooSmall(value, DEAD_SHARES + 1);
            lp = value - DEAD_SHARES;
            _mint(NOBODY, DEAD_SHARES);
        } else {
            uint256 net = value - _share(value, _lpFeeWith(_tokens[token].inFee));
            lp = Math.mulDiv(net, supply, _totalHigh());
        }
        if (lp < minLp) revert LpBelowMinimum(lp, minLp);
        if (lp == 0) revert AmountZero();
        uint256 back = supply == 0 ? 0 : _giveBack(token, amount, uint16(_tokens[token].inFee));
        _credit(token, amount - back, low, supply != 0);
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
        Rates memory rates = _rates(token);
        (uint256 total,,) = _value();
        uint256 value = Math.mulDiv(lp, total, totalSupply());
        value -= _share(value, _lpFeeWith(_tokens[token].outFee));
        amount = Math.mulDiv(value, ONE, rates.high);
        if (amount < minOut) revert OutputBelowMinimum(amount, minOut);
        if (amount == 0) revert AmountZero();
        _burn(msg.sender, lp);
        _debit(token, amount, rates.low);
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
        _requireInput(token);
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
        (Rates memory rIn, Rates memory rOut, int256 fee) = _pair(tokenIn, tokenOut);
        return _out(tokenOut, amountIn, rIn.low, rOut.high, fee);
    }

    /// @inheritdoc ILstBasket
    function quoteExactOut(address tokenIn, address tokenOut, uint256 amountOut)
        external
        view
        nonReentrantView
        returns (uint256 amountIn, uint256 bonus)
    {
        (Rates memory rIn, Rates memory rOut, int256 fee) = _pair(tokenIn, tokenOut);
        return _in(tokenOut, amountOut, rIn.low, rOut.high, fee);
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
        _set(token, _tokens[token].balance + amount, _rates(token).low);
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
        (Rates memory rIn, Rates memory rOut,) = _pair(tokenIn, tokenOut);
        _debit(tokenOut, amountOut, rOut.low);
        uint256 held = IERC20(tokenIn).balanceOf(address(this));
        _pay(tokenOut, msg.sender, amountOut);
        IBasketRebalancer(msg.sender).onRebalance(tokenOut, amountOut, tokenIn, data);
        amountIn = IERC20(tokenIn).balanceOf(address(this)).saturatingSub(held);

        (Rates memory laterIn, Rates memory laterOut,) = _pair(tokenIn, tokenOut);
        uint256 given = Math.mulDiv(amountOut, Math.max(rOut.high, laterOut.high), ONE, Math.Rounding.Ceil);
        uint256 received = Math.mulDiv(amountIn, Math.min(rIn.low, laterIn.low), ONE);
        if (received < given) revert RebalanceLoses(given, received);
        _credit(tokenIn, amountIn, laterIn.low, true);
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
        for (uint256 i; i < _list.length; ++i) {
            (bool ok, Rates memory rates) = _tryRates(_list[i]);
            if (ok) _set(_list[i], _tokens[_list[i]].balance, rates.low);
        }
    }

    // --- Prices ---

    /// @dev Rates of both and the fee of the swap, bps. Refuses what cannot be swapped.
    function _pair(address tokenIn, address tokenOut)
        private
        view
        returns (Rates memory rIn, Rates memory rOut, int256 fee)
    {
        if (tokenIn == tokenOut) revert SameToken(tokenIn);
        _requireInput(tokenIn);
        rIn = _rates(tokenIn);
        rOut = _rates(tokenOut);
        fee = int256(_tokens[tokenIn].inFee) + _tokens[tokenOut].outFee;
    }

    function _out(address tokenOut, uint256 amountIn, uint256 lowIn, uint256 highOut, int256 fee)
        private
        view
        returns (uint256 amountOut, uint256 bonus)
    {
        uint256 value = Math.mulDiv(amountIn, lowIn, ONE);
        if (fee > 0) value -= _share(value, uint256(fee));
        amountOut = Math.mulDiv(value, ONE, highOut);
        if (fee < 0) {
            bonus = Math.min(Math.mulDiv(amountOut, uint256(-fee), BPS), _incentives[tokenOut]);
            amountOut += bonus;
        }
        if (amountOut == 0) revert AmountZero();
    }

    function _in(address tokenOut, uint256 amountOut, uint256 lowIn, uint256 highOut, int256 fee)
        private
        view
        returns (uint256 amountIn, uint256 bonus)
    {
        if (amountOut == 0) revert AmountZero();
        if (fee < 0) {
            // the part of the price is rounded up, so the bonus is at most that of the part
            uint256 paid = Math.mulDiv(amountOut, BPS, BPS + uint256(-fee), Math.Rounding.Ceil);
            bonus = Math.min(amountOut - paid, _incentives[tokenOut]);
        }
        uint256 value = Math.mulDiv(amountOut - bonus, highOut, ONE, Math.Rounding.Ceil);
        if (fee > 0) value = Math.mulDiv(value, BPS, BPS - uint256(fee), Math.Rounding.Ceil);
        amountIn = Math.mulDiv(value, ONE, lowIn, Math.Rounding.Ceil);
    }

    function _rates(address token) private view returns (Rates memory rates) {
        Token storage t = _tokens[token];
        if (!t.listed) revert TokenUnknown(token);
        if (block.timestamp < t.cutOffUntil) revert TokenIsCutOff(token, t.cutOffUntil);
        (rates.low, rates.high) = ILstRateProvider(t.provider).rates();
        if (rates.low == 0 || rates.low > rates.high) revert RatesInvalid(token, rates.low, rates.high);
    }

    /// @dev Like {_rates} without reverting, whatever the provider does. Who leaves too little gas gets less for the token.
    function _tryRates(address token) private view returns (bool ok, Rates memory rates) {
        Token storage t = _tokens[token];
        if (block.timestamp < t.cutOffUntil) return (false, rates);
        bytes memory answer;
        (ok, answer) = t.provider.staticcall{gas: PROVIDER_GAS}(abi.encodeCall(ILstRateProvider.rates, ()));
        if (!ok || answer.length != 64) return (false, rates);
        (rates.low, rates.high) = abi.decode(answer, (uint256, uint256));
        // no healthy provider says more than 2^96 - 1, and sums of less cannot overflow
        ok = rates.low != 0 && rates.low <= rates.high && rates.high <= type(uint96).max;
    }

    function _value() private view returns (uint256 low, uint256 high, bool whole) {
        whole = true;
        for (uint256 i; i < _list.length; ++i) {
            uint256 balance = _tokens[_list[i]].balance;
            if (balance == 0) continue;
            (bool ok, Rates memory rates) = _tryRates(_list[i]);
            if (ok) {
                low += Math.mulDiv(balance, rates.low, ONE);
                high += Math.mulDiv(balance, rates.high, ONE, Math.Rounding.Ceil);
            } else {
                whole = false;
            }
        }
    }

    /// @dev Of all that is held; reverts where one of it is sick.
    function _totalHigh() private view returns (uint256 high) {
        for (uint256 i; i < _list.length; ++i) {
            uint256 balance = _tokens[_list[i]].balance;
            if (balance != 0) high += Math.mulDiv(balance, _rates(_list[i]).high, ONE, Math.Rounding.Ceil);
        }
    }

    /// @dev `bps` of a value, rounded up.
    function _share(uint256 value, uint256 bps) private pure returns (uint256) {
        return Math.mulDiv(value, bps, BPS, Math.Rounding.Ceil);
    }

    /// @dev A negative fee is for swaps alone.
    function _lpFeeWith(int16 fee) private view returns (uint256) {
        return _pool.lpFee + (fee > 0 ? uint16(fee) : 0);
    }

    // --- Accounts ---

    function _swap(
        address tokenIn,
        address tokenOut,
        uint256 amountIn,
        uint256 amountOut,
        uint256 bonus,
        address receiver,
        uint256 lowIn,
        uint256 lowOut,
        int256 fee
    ) private {
        if (bonus != 0) _incentives[tokenOut] -= bonus;
        _debit(tokenOut, amountOut - bonus, lowOut);
        uint256 back = fee > 0 ? _giveBack(tokenIn, amountIn, uint256(fee)) : 0;
        _credit(tokenIn, amountIn - back, lowIn, true);
        emit Swapped(msg.sender, receiver, tokenIn, tokenOut, amountIn, amountOut, bonus);
        _pull(tokenIn, amountIn);
        _pay(tokenOut, receiver, amountOut);
    }

    /// @dev What was a bonus when `token` went out is a bonus again when it comes in, as far as `fee` pays for it: were it
    /// the shares', who owns them could go in circles until nothing is left.
    function _giveBack(address token, uint256 amount, uint256 fee) private returns (uint256 back) {
        int256 outFee = _tokens[token].outFee;
        if (outFee >= 0) return 0;
        back = Math.mulDiv(amount, Math.min(uint256(-outFee), fee), BPS);
        _incentives[token] += back;
        emit IncentiveFunded(msg.sender, token, back);
    }

    function _debit(address token, uint256 amount, uint256 low) private {
        uint256 balance = _tokens[token].balance;
        if (amount > balance) revert BalanceTooLow(token, amount, balance);
        _set(token, balance - amount, low);
    }

    function _credit(address token, uint256 amount, uint256 low, bool capped) private {
        Token storage t = _tokens[token];
        (uint256 value, uint256 total) = _set(token, t.balance + amount, low);
        uint256 cap = t.cap * ONE;
        if (value > cap) revert CapExceeded(token, value, cap);
        if (capped && value * BPS > total * t.shareCap) revert ShareCapExceeded(token, value, total, t.shareCap);
    }

    /// @dev The only writer of balances but {removeAll}: keeps `total` the sum of all values.
    function _set(address token, uint256 balance, uint256 low) private returns (uint256 value, uint256 total) {
        Token storage t = _tokens[token];
        value = Math.mulDiv(balance, low, ONE);
        total = _pool.total - t.value + value;
        t.balance = balance.toUint104();
        t.value = value.toUint104();
        _pool.total = total.toUint128();
    }

    function _pull(address token, uint256 amount) private {
        uint256 held = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 come = IERC20(token).balanceOf(address(this)).saturatingSub(held);
        if (come != amount) revert TransferAmountWrong(token, amount, come);
    }

    function _pay(address token, address receiver, uint256 amount) private {
        uint256 held = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransfer(receiver, amount);
        uint256 gone = held.saturatingSub(IERC20(token).balanceOf(address(this)));
        if (gone != amount) revert TransferAmountWrong(token, amount, gone);
    }

    // --- Settings ---

    function _requireInput(address token) private view {
        if (!_tokens[token].listed) revert TokenUnknown(token);
        if (_tokens[token].inputOff) revert InputIsOff(token);
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
