// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {ReentrancyGuardTransient} from "solady/utils/ReentrancyGuardTransient.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IBasketRebalancer, ILstBasket} from "../interfaces/ILstBasket.sol";
import {ILstRateProvider} from "../interfaces/ILstRateProvider.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {BasketPricing} from "../libraries/BasketPricing.sol";
import {BasketStateLib, TokenHolding, TokenSettings} from "../libraries/BasketState.sol";
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
        TokenSettings settingsIn;
        TokenSettings settingsOut;
        TokenHolding holdingIn;
        TokenHolding holdingOut;
        uint256 lowIn;
        uint256 highOut;
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
    uint256 public constant MAX_CUT_OFF = 14 days;
    /// @inheritdoc ILstBasket
    uint256 public constant DEAD_SHARES = 1e9;

    /// @inheritdoc ILstBasket
    IStakingVault public immutable VAULT;
    /// @inheritdoc ILstBasket
    uint256 public immutable MAX_RATE_AGE;

    /// @inheritdoc ILstBasket
    uint256 public lpFee; // bps
    address[] private _list;
    mapping(address token => Token) private _tokens;
    mapping(address token => uint256) private _incentives;
    /// @inheritdoc ILstBasket
    mapping(address owner => mapping(address token => uint256)) public owed;

    modifier before(uint256 deadline) {
        if (block.timestamp > deadline) revert DeadlinePassed(deadline, block.timestamp);
        _;
    }

    constructor(
        address authority_,
        string memory name_,
        string memory symbol_,
        uint256 lpFee_,
        IStakingVault vault,
        uint256 maxRateAge
    ) ERC20(name_, symbol_) ERC20Permit(name_) AccessManaged(authority_) {
        VAULT = vault;
        MAX_RATE_AGE = maxRateAge;
        _setLpFee(lpFee_);
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
        Trade memory trade = _trade(tokenIn, tokenOut);
        uint256 bonus;
        (amountOut, bonus) = _out(trade, tokenOut, amountIn);
        if (amountOut < minOut) revert OutputBelowMinimum(amountOut, minOut);
        _swap(trade, tokenIn, tokenOut, amountIn, amountOut, bonus, receiver);
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
        Trade memory trade = _trade(tokenIn, tokenOut);
        uint256 bonus;
        (amountIn, bonus) = _in(trade, tokenOut, amountOut);
        if (amountIn > maxIn) revert InputAboveMaximum(amountIn, maxIn);
        _swap(trade, tokenIn, tokenOut, amountIn, amountOut, bonus, receiver);
    }

    // --- Liquidity ---

    /// @inheritdoc ILstBasket
    function addLiquidity(address token, uint256 amount, uint256 minLp, address receiver)
        external
        nonReentrant
        returns (uint256 lp)
    {
        if (amount == 0) revert AmountZero();
        TokenSettings settings = _tokens[token].settings;
        if (settings.inputOff()) revert InputIsOff(token);
        (uint256 low,) = _rates(token, settings, _tokens[token].holding);
        uint256 value = Math.mulDiv(amount, low, ONE);
        uint256 supply = totalSupply();
        uint256 total;
        if (supply == 0) {
            if (value <= DEAD_SHARES) revert FirstLiquidityTooSmall(value, DEAD_SHARES + 1);
            lp = value - DEAD_SHARES;
            _mint(NOBODY, DEAD_SHARES);
        } else {
            total = _totalHigh();
            lp = Math.mulDiv(value - BasketPricing.share(value, lpFee + settings.inFee()), supply, total);
        }
        if (lp < minLp) revert LpBelowMinimum(lp, minLp);
        if (lp == 0) revert AmountZero();
        _take(token, amount, low, total);
        _mint(receiver, lp);
        emit LiquidityAdded(msg.sender, receiver, token, amount, lp);
        _pull(token, settings, amount);
    }

    /// @inheritdoc ILstBasket
    function removeLiquidity(uint256 lp, address token, uint256 minOut, address receiver)
        external
        nonReentrant
        returns (uint256 amount)
    {
        TokenSettings settings = _tokens[token].settings;
        (, uint256 high) = _rates(token, settings, _tokens[token].holding);
        (uint256 total,,) = _value();
        (uint256 charge,) = settings.outFees();
        uint256 value = Math.mulDiv(lp, total, totalSupply());
        value -= BasketPricing.share(value, lpFee + charge);
        amount = Math.mulDiv(value, ONE, high);
        if (amount < minOut) revert OutputBelowMinimum(amount, minOut);
        if (amount == 0) revert AmountZero();
        _burn(msg.sender, lp);
        _debit(token, _tokens[token].holding, amount);
        emit LiquidityRemoved(msg.sender, receiver, token, amount, lp);
        _pay(token, settings, receiver, amount);
    }

    /// @inheritdoc ILstBasket
    function removeAll(uint256 lp, uint256[] calldata mins, address receiver)
        external
        nonReentrant
        returns (uint256[] memory amounts)
    {
        if (lp == 0) revert AmountZero();
        _requireReceiver(receiver);
        uint256 count = _list.length;
        if (mins.length != count) revert LengthMismatch(mins.length, count);
        uint256 supply = totalSupply();
        _burn(msg.sender, lp);
        amounts = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            TokenHolding holding = _tokens[_list[i]].holding;
            uint256 amount = Math.mulDiv(holding.balance(), lp, supply);
            if (amount < mins[i]) revert OutputBelowMinimum(amount, mins[i]);
            amounts[i] = amount;
            // lp <= supply, which {_burn} has seen
            uint256 limit = holding.shareLimit() - Math.mulDiv(holding.shareLimit(), lp, supply);
            _tokens[_list[i]].holding = holding.minus(amount).withShareLimit(limit);
        }
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
        _pay(token, _tokens[token].settings, receiver, amount);
    }

    // --- Incentive ---

    /// @inheritdoc ILstBasket
    function fund(address token, uint256 amount) external nonReentrant {
        TokenSettings settings = _tokens[token].settings;
        if (!settings.listed()) revert TokenUnknown(token);
        if (settings.inputOff()) revert InputIsOff(token);
        if (amount == 0) revert AmountZero();
        _incentives[token] += amount;
        emit IncentiveFunded(msg.sender, token, amount);
        _pull(token, settings, amount);
    }

    // --- Reading ---

    /// @inheritdoc ILstBasket
    function quoteExactIn(address tokenIn, address tokenOut, uint256 amountIn)
        external
        view
        nonReadReentrant
        returns (uint256 amountOut, uint256 bonus)
    {
        return _out(_trade(tokenIn, tokenOut), tokenOut, amountIn);
    }

    /// @inheritdoc ILstBasket
    function quoteExactOut(address tokenIn, address tokenOut, uint256 amountOut)
        external
        view
        nonReadReentrant
        returns (uint256 amountIn, uint256 bonus)
    {
        return _in(_trade(tokenIn, tokenOut), tokenOut, amountOut);
    }

    /// @inheritdoc ILstBasket
    function totalValue() external view nonReadReentrant returns (uint256 low, uint256 high, bool whole) {
        return _value();
    }

    /// @inheritdoc ILstBasket
    function tokens() external view returns (address[] memory) {
        return _list;
    }

    /// @inheritdoc ILstBasket
    function configOf(address token) public view returns (TokenConfig memory) {
        TokenSettings s = _tokens[token].settings;
        return TokenConfig({
            provider: s.provider(),
            inFee: int16(uint16(s.inFee())),
            outFee: s.outFee(),
            shareCap: s.shareCap(),
            cap: s.cap(),
            inputOff: s.inputOff(),
            exactTransfers: s.exactTransfers()
        });
    }

    /// @inheritdoc ILstBasket
    function holdingOf(address token) external view returns (uint256 balance, uint256 shareLimit, uint256 cutOffUntil) {
        TokenHolding holding = _tokens[token].holding;
        return (holding.balance(), holding.shareLimit(), holding.cutOffUntil());
    }

    /// @inheritdoc ILstBasket
    function incentiveOf(address token) external view returns (uint256) {
        return _incentives[token];
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
        TokenHolding holding = _tokens[token].holding;
        uint256 limit = Math.mulDiv(holding.shareLimit(), config.shareCap, old.shareCap);
        _tokens[token].holding = holding.withShareLimit(limit);
        emit TokenConfigured(token, old, config);
    }

    /// @inheritdoc ILstBasket
    function removeToken(address token) external restricted nonReentrant {
        if (!_tokens[token].settings.listed()) revert TokenUnknown(token);
        TokenHolding holding = _tokens[token].holding;
        if (holding.balance() != 0 || _incentives[token] != 0) {
            revert TokenNotEmpty(token, holding.balance(), _incentives[token]);
        }
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
        _tokens[token].holding = _tokens[token].holding.plus(amount);
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
        nonReentrant
        returns (uint256 amountIn)
    {
        if (amountOut == 0) revert AmountZero();
        Trade memory first = _trade(tokenIn, tokenOut);
        _debit(tokenOut, first.holdingOut, amountOut);
        uint256 held = tokenIn.balanceOf(address(this));
        _pay(tokenOut, first.settingsOut, msg.sender, amountOut);
        IBasketRebalancer(msg.sender).onRebalance(tokenOut, amountOut, tokenIn, data);
        amountIn = tokenIn.balanceOf(address(this)).saturatingSub(held);

        Trade memory later = _trade(tokenIn, tokenOut);
        uint256 kept = amountIn - _giveBack(tokenIn, amountIn, later.settingsIn);
        uint256 given = Math.mulDiv(amountOut, Math.max(first.highOut, later.highOut), ONE, Math.Rounding.Ceil);
        uint256 received = Math.mulDiv(kept, Math.min(first.lowIn, later.lowIn), ONE);
        if (received < given) revert RebalanceLoses(given, received);
        _credit(tokenIn, later.settingsIn, later.holdingIn, kept, later.lowIn, true);
        emit Rebalanced(msg.sender, tokenOut, amountOut, tokenIn, amountIn);
    }

    /// @inheritdoc ILstBasket
    function cutOff(address[] calldata list, uint256 duration) external restricted {
        if (duration > MAX_CUT_OFF) revert CutOffTooLong(duration, MAX_CUT_OFF);
        for (uint256 i; i < list.length; ++i) {
            uint256 until = _tokens[list[i]].holding.cutOffUntil();
            _setCutOff(list[i], Math.max(until, block.timestamp + duration));
        }
    }

    /// @inheritdoc ILstBasket
    function restore(address[] calldata list) external restricted {
        for (uint256 i; i < list.length; ++i) {
            _setCutOff(list[i], 0);
        }
    }

    // --- Anyone ---

    /// @inheritdoc ILstBasket
    function sync() external nonReentrant {
        uint256 count = _list.length;
        uint256[] memory lows = new uint256[](count);
        uint256 total;
        for (uint256 i; i < count; ++i) {
            Token storage t = _tokens[_list[i]];
            uint256 balance = t.holding.balance();
            (bool ok, uint256 low,) = _tryRates(t.settings, t.holding);
            if (!ok && balance != 0) revert TokenIsSick(_list[i]);
            if (!ok) continue;
            lows[i] = low;
            total += Math.mulDiv(balance, low, ONE);
        }
        for (uint256 i; i < count; ++i) {
            Token storage t = _tokens[_list[i]];
            if (lows[i] != 0) t.holding = t.holding.withShareLimit(_shareLimit(t.settings, total, lows[i]));
        }
    }

    // --- Prices ---

    /// @dev Refuses what cannot be swapped.
    function _trade(address tokenIn, address tokenOut) private view returns (Trade memory trade) {
        if (tokenIn == tokenOut) revert SameToken(tokenIn);
        TokenSettings settings = _tokens[tokenIn].settings;
        TokenHolding holding = _tokens[tokenIn].holding;
        if (settings.inputOff()) revert InputIsOff(tokenIn);
        trade.settingsIn = settings;
        trade.holdingIn = holding;
        (trade.lowIn,) = _rates(tokenIn, settings, holding);
        settings = _tokens[tokenOut].settings;
        holding = _tokens[tokenOut].holding;
        trade.settingsOut = settings;
        trade.holdingOut = holding;
        (, trade.highOut) = _rates(tokenOut, settings, holding);
    }

    function _out(Trade memory trade, address tokenOut, uint256 amountIn)
        private
        view
        returns (uint256 amountOut, uint256 bonus)
    {
        (uint256 fee, uint256 bonusRate, uint256 pot) = _fees(trade, tokenOut);
        (amountOut, bonus) = BasketPricing.exactIn(amountIn, trade.lowIn, trade.highOut, fee, bonusRate, pot);
        if (amountOut == 0) revert AmountZero();
    }

    function _in(Trade memory trade, address tokenOut, uint256 amountOut)
        private
        view
        returns (uint256 amountIn, uint256 bonus)
    {
        if (amountOut == 0) revert AmountZero();
        (uint256 fee, uint256 bonusRate, uint256 pot) = _fees(trade, tokenOut);
        return BasketPricing.exactOut(amountOut, trade.lowIn, trade.highOut, fee, bonusRate, pot);
    }

    /// @return fee bps
    /// @return bonusRate bps
    /// @return pot what there is for bonuses
    function _fees(Trade memory trade, address tokenOut)
        private
        view
        returns (uint256 fee, uint256 bonusRate, uint256 pot)
    {
        (fee, bonusRate) = trade.settingsOut.outFees();
        unchecked {
            fee += trade.settingsIn.inFee(); // 16 bits each
        }
        if (bonusRate != 0) pot = _incentives[tokenOut];
    }

    function _rates(address token, TokenSettings settings, TokenHolding holding)
        private
        view
        returns (uint256 low, uint256 high)
    {
        if (!settings.listed()) revert TokenUnknown(token);
        if (block.timestamp < holding.cutOffUntil()) revert TokenIsCutOff(token, holding.cutOffUntil());
        address provider = settings.provider();
        if (provider == address(VAULT)) {
            _requireCoreHealthy(token);
            (low, high) = _coreRates();
        } else {
            (low, high) = ILstRateProvider(provider).rates();
        }
        if (low == 0 || low > high) revert RatesInvalid(token, low, high);
    }

    /// @dev {IStakingVault-convertToAssets} rounds down.
    function _coreRates() private view returns (uint256 low, uint256 high) {
        low = VAULT.convertToAssets(ONE);
        high = low + 1;
    }

    /// @dev Who knows of a loss before the core's rate does cannot sell it here.
    function _coreHealth() private view returns (ILstRateProvider.Health) {
        if (block.timestamp < VAULT.slashingPendingUntil()) return ILstRateProvider.Health.SlashingPending;
        if (block.timestamp > VAULT.referenceTime() + MAX_RATE_AGE) return ILstRateProvider.Health.Stale;
        return ILstRateProvider.Health.Healthy;
    }

    function _requireCoreHealthy(address token) private view {
        ILstRateProvider.Health reason = _coreHealth();
        if (reason != ILstRateProvider.Health.Healthy) revert ILstRateProvider.Unhealthy(token, reason);
    }

    /// @dev Like {_rates} without reverting, whatever the provider does. Who leaves too little gas gets less for the token.
    function _tryRates(TokenSettings settings, TokenHolding holding)
        private
        view
        returns (bool ok, uint256 low, uint256 high)
    {
        if (block.timestamp < holding.cutOffUntil()) return (false, 0, 0);
        if (settings.provider() == address(VAULT)) {
            if (_coreHealth() != ILstRateProvider.Health.Healthy) return (false, 0, 0);
            (low, high) = _coreRates();
            return (low != 0, low, high);
        }
        bytes memory answer;
        (ok, answer) = settings.provider().staticcall{gas: PROVIDER_GAS}(abi.encodeCall(ILstRateProvider.rates, ()));
        if (!ok || answer.length != 64) return (false, 0, 0);
        (low, high) = abi.decode(answer, (uint256, uint256));
        // no provider of ours says more than 2^76 - 1, and sums of less cannot overflow
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

    function _swap(
        Trade memory trade,
        address tokenIn,
        address tokenOut,
        uint256 amountIn,
        uint256 amountOut,
        uint256 bonus,
        address receiver
    ) private {
        if (bonus != 0) _spend(tokenOut, bonus, receiver);
        _debit(tokenOut, trade.holdingOut, amountOut - bonus);
        uint256 back = _giveBack(tokenIn, amountIn, trade.settingsIn);
        _credit(tokenIn, trade.settingsIn, trade.holdingIn, amountIn - back, trade.lowIn, true);
        emit Swapped(msg.sender, receiver, tokenIn, tokenOut, amountIn, amountOut);
        _pull(tokenIn, trade.settingsIn, amountIn);
        _pay(tokenOut, trade.settingsOut, receiver, amountOut);
    }

    function _spend(address token, uint256 bonus, address receiver) private {
        _incentives[token] -= bonus;
        emit IncentivePaid(receiver, token, bonus);
    }

    /// @dev Of what comes in, what was a bonus when it went out, to what there is for bonuses. Were it the shares', who owns them
    /// could go in circles until nothing is left. The fee is no less: {_checkConfig}.
    function _giveBack(address token, uint256 amount, TokenSettings settings) private returns (uint256 back) {
        (, uint256 bonusRate) = settings.outFees();
        if (bonusRate == 0) return 0;
        back = Math.mulDiv(amount, bonusRate, BPS);
        _incentives[token] += back;
        emit IncentiveFunded(msg.sender, token, back);
    }

    /// @dev What is added, to `total` (high; zero of the first, whose part of the whole nothing limits).
    function _take(address token, uint256 amount, uint256 low, uint256 total) private {
        (TokenSettings settings, TokenHolding holding) = (_tokens[token].settings, _tokens[token].holding);
        if (total != 0) amount -= _giveBack(token, amount, settings);
        uint256 limit = _shareLimit(settings, total + Math.mulDiv(amount, low, ONE), low);
        _credit(token, settings, holding.withShareLimit(limit), amount, low, total != 0);
    }

    function _debit(address token, TokenHolding holding, uint256 amount) private {
        if (amount > holding.balance()) revert BalanceTooLow(token, amount, holding.balance());
        _tokens[token].holding = holding.minus(amount);
    }

    function _credit(
        address token,
        TokenSettings settings,
        TokenHolding holding,
        uint256 amount,
        uint256 low,
        bool limited
    ) private {
        holding = holding.plus(amount);
        uint256 value = FixedPointMathLib.mulDiv(holding.balance(), low, ONE);
        unchecked {
            uint256 cap = settings.cap() * ONE; // 32 bits and 60
            if (value > cap) revert CapExceeded(token, value, cap);
        }
        if (limited && holding.balance() > holding.shareLimit() && settings.shareCap() != BPS) {
            revert ShareCapExceeded(token, holding.balance(), holding.shareLimit());
        }
        _tokens[token].holding = holding;
    }

    /// @return balance at the share cap of a whole of `total`, wei of the token
    function _shareLimit(TokenSettings settings, uint256 total, uint256 low) private pure returns (uint256) {
        return Math.mulDiv(total * settings.shareCap(), ONE, low * BPS);
    }

    function _pull(address token, TokenSettings settings, uint256 amount) private {
        if (settings.exactTransfers()) return IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 held = token.balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 come = token.balanceOf(address(this)).saturatingSub(held);
        if (come != amount) revert TransferAmountWrong(token, amount, come);
    }

    function _pay(address token, TokenSettings settings, address receiver, uint256 amount) private {
        _requireReceiver(receiver);
        if (settings.exactTransfers()) return IERC20(token).safeTransfer(receiver, amount);
        uint256 held = token.balanceOf(address(this));
        IERC20(token).safeTransfer(receiver, amount);
        uint256 gone = held.saturatingSub(token.balanceOf(address(this)));
        if (gone != amount) revert TransferAmountWrong(token, amount, gone);
    }

    // --- Settings ---

    /// @dev Of {ReentrancyGuardTransient}: on every chain.
    function _useTransientReentrancyGuardOnlyOnMainnet() internal pure override returns (bool) {
        return false;
    }

    function _checkConfig(address token, TokenConfig calldata config, bool newProvider) private view {
        int256 most = int256(MAX_FEE);
        if (config.inFee > most || config.inFee < 0 || config.outFee > most || config.inFee + config.outFee < 0) {
            revert FeeOutOfBounds(config.inFee, config.outFee);
        }
        if (config.shareCap == 0 || config.shareCap > BPS) revert ShareCapOutOfBounds(config.shareCap);
        if (!newProvider) return;
        if (config.provider == address(VAULT)) {
            if (VAULT.share() != token) revert ProviderInvalid(config.provider, token);
            return _requireCoreHealthy(token);
        }
        if (config.provider.code.length == 0) revert ProviderInvalid(config.provider, token);
        ILstRateProvider provider = ILstRateProvider(config.provider);
        if (provider.token() != token) revert ProviderInvalid(config.provider, token);
        provider.requireHealthy();
    }

    function _writeConfig(address token, TokenConfig calldata config) private {
        _tokens[token].settings = BasketStateLib.listedSettings(
            config.provider,
            config.inFee,
            config.outFee,
            config.shareCap,
            config.cap,
            config.inputOff,
            config.exactTransfers
        );
    }

    function _requireReceiver(address receiver) private view {
        if (receiver == address(this)) revert ReceiverInvalid(receiver);
    }

    function _setCutOff(address token, uint256 until) private {
        Token storage t = _tokens[token];
        if (!t.settings.listed()) revert TokenUnknown(token);
        t.holding = t.holding.withCutOff(uint40(until)); // at most {MAX_CUT_OFF} from now
        emit TokenCutOffUntil(token, until);
    }

    function _setLpFee(uint256 fee) private {
        if (fee == 0 || fee > MAX_FEE) revert LpFeeOutOfBounds(fee);
        emit LpFeeChanged(lpFee, fee);
        lpFee = fee;
    }
}
