// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";
import {Arrays} from "@openzeppelin/contracts/utils/Arrays.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {MinHeapLib} from "solady/utils/MinHeapLib.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IInstantPool} from "../interfaces/IInstantPool.sol";
import {IStakedEther} from "../interfaces/IStakedEther.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {IWithdrawalQueue} from "../interfaces/IWithdrawalQueue.sol";
import {BPS, GWEI} from "../libraries/Constants.sol";
import {Curve, ExitCurve} from "../libraries/ExitCurve.sol";

/// @title Instant pool
/// @notice See {IInstantPool}.
/// @dev Immutable. Ether and slETH are counted where they pass; no balance is read.
///
/// For each liquidity token let e be the ether leg, a and x the worth of awaited shares and of slETH, and Phi the curve for
/// the target of a token. But for the treasury's part of a fee a sale keeps x + a + Phi(e); ether for slETH raises it,
/// removing keeps e, a and x, and adding raises it or keeps it. The same holds for x + Phi(a + e), which is what it comes
/// to once requests are paid. So neither falls but with the rate, the terms and by rounding (INV-POL-01), and no detour is
/// cheaper than a sale of what is there or can be there.
contract InstantPool is IInstantPool, ERC20Permit, AccessManaged {
    using Arrays for uint256[];
    using ExitCurve for Curve;
    using MinHeapLib for MinHeapLib.Heap;
    using SafeCast for uint256;

    /// @dev What providers own. 12 + 12 + 8 = 32 bytes.
    struct Legs {
        uint96 assets; // wei
        uint96 shares; // slETH
        uint64 awaited; // gwei of slETH in requests, without what belongs to who has left
    }

    /// @dev 8 + 8 + 12 + 4 = 32 bytes. The shares of all requests, in the order in which they are collected, are one line;
    /// positions from `collected` up to `leaving` belong to who has left.
    struct Line {
        uint64 collected; // gwei
        uint64 leaving; // gwei, end of the last rest
        uint96 treasuryShares; // slETH
        uint32 pausedUntil; // seconds
    }

    /// @dev Part of the line from the position that is its id. 20 + 8 = 28 bytes.
    struct Rest {
        address owner;
        uint64 shares; // gwei
    }

    struct Rate {
        uint256 total; // wei
        uint256 supply; // shares
    }

    /// @notice Highest fee that governance can set, basis points.
    uint256 public constant MAX_FEE = 1_000;
    /// @notice Highest part of the fee for the treasury, basis points.
    uint256 public constant MAX_TREASURY_PART = 5_000;
    /// @notice Bounds of the target for 1e18 of liquidity, wei.
    uint256 public constant MIN_TARGET = 0.01 ether;
    uint256 public constant MAX_TARGET = 10 ether;
    /// @notice Longest pause, seconds.
    uint256 public constant MAX_PAUSE = 14 days;
    /// @notice Least ether of the first liquidity, which belongs to nobody, wei: supply and ether stay above zero for ever.
    uint256 public constant MIN_SEED = 0.1 ether;
    /// @notice Least shares of a request that the pool buys or hands in, and most that it hands in as one, slETH.
    uint256 public constant MIN_REQUEST = 0.1 ether;
    uint256 public constant MAX_REQUEST = 1_000 ether;
    /// @notice Holder of the first liquidity.
    address public constant SEED_HOLDER = 0x000000000000000000000000000000000000dEaD;
    /// @dev Finalised requests that who adds or removes liquidity collects on the way.
    uint256 private constant COLLECTED_ON_THE_WAY = 3;
    /// @dev Bits of the ether in a point.
    uint256 private constant ASSET_BITS = 96;

    IStakingVault private immutable VAULT;
    IStakedEther private immutable TOKEN;
    IWithdrawalQueue private immutable QUEUE;
    uint256 private immutable MIN_STAKE;
    /// @notice Oldest reference time of a rate at which ether is sold, seconds.
    uint256 public immutable MAX_RATE_AGE;

    Legs private _legs;
    Line private _line;
    Terms private _terms;
    /// @inheritdoc IInstantPool
    address public treasury;
    /// @dev Ids of requests that the pool holds.
    MinHeapLib.Heap private _requests;
    /// @dev After each request collected: position in the line (gwei) and ether of all up to it (wei, 96 bits). Rising.
    uint256[] private _points;
    mapping(uint256 id => Rest) private _rests;

    constructor(address authority, address vault_, address treasury_, uint256 maxRateAge, Terms memory terms_)
        payable
        ERC20("Sluice Instant Liquidity", "slLP")
        ERC20Permit("Sluice Instant Liquidity")
        AccessManaged(authority)
    {
        if (msg.value < MIN_SEED) revert SeedBelowMinimum(msg.value, MIN_SEED);
        VAULT = IStakingVault(payable(vault_));
        TOKEN = IStakedEther(VAULT.share());
        QUEUE = IWithdrawalQueue(TOKEN.QUEUE());
        MIN_STAKE = VAULT.MIN_STAKE();
        MAX_RATE_AGE = maxRateAge;
        _setTerms(terms_);
        _setTreasury(treasury_);
        _legs.assets = msg.value.toUint96();
        _mint(SEED_HOLDER, msg.value);
        emit LiquidityAdded(msg.sender, SEED_HOLDER, msg.value, 0, msg.value);
    }

    /// @dev The queue pays requests; ether from anybody else would belong to nobody.
    receive() external payable {
        if (msg.sender != address(QUEUE)) revert EtherNotAccepted(msg.sender);
    }

    // --- Leave ---

    /// @inheritdoc IInstantPool
    function sell(uint256 shares, uint256 minAssets, address receiver, uint256 deadline)
        public
        returns (uint256 assets)
    {
        _requireInTime(deadline);
        requireOpen();
        uint256 value;
        (assets, value) = _priceOf(shares);
        if (assets < minAssets) revert AssetsBelowMinimum(assets, minAssets);
        _sell(shares, assets, value, receiver);
    }

    /// @inheritdoc IInstantPool
    function sellWithPermit(
        uint256 shares,
        uint256 minAssets,
        address receiver,
        uint256 deadline,
        bytes calldata signature
    ) external returns (uint256 assets) {
        _permit(shares, deadline, signature);
        assets = sell(shares, minAssets, receiver, deadline);
    }

    /// @inheritdoc IInstantPool
    function sellFor(uint256 assets, uint256 maxShares, address receiver, uint256 deadline)
        public
        returns (uint256 shares)
    {
        _requireInTime(deadline);
        requireOpen();
        uint256 value;
        (shares, value) = _sharesFor(assets);
        if (shares > maxShares) revert SharesAboveMaximum(shares, maxShares);
        _sell(shares, assets, value, receiver);
    }

    /// @inheritdoc IInstantPool
    function sellForWithPermit(
        uint256 assets,
        uint256 maxShares,
        address receiver,
        uint256 deadline,
        bytes calldata signature
    ) external returns (uint256 shares) {
        _permit(maxShares, deadline, signature);
        shares = sellFor(assets, maxShares, receiver, deadline);
    }

    /// @inheritdoc IInstantPool
    function sellRequest(uint256 id, bool forEther, uint256 minimum, address receiver, uint256 deadline)
        external
        returns (uint256 paid)
    {
        IERC721(address(QUEUE)).transferFrom(msg.sender, address(this), id);
        paid = _buyRequest(id, msg.sender, forEther, minimum, receiver, deadline);
    }

    /// @inheritdoc IERC721Receiver
    /// @dev A request that is sent here is sold.
    function onERC721Received(address, address from, uint256 id, bytes calldata data) external returns (bytes4) {
        if (msg.sender != address(QUEUE)) revert CallerNotQueue(msg.sender);
        (bool forEther, uint256 minimum, address receiver, uint256 deadline) =
            abi.decode(data, (bool, uint256, address, uint256));
        _buyRequest(id, from, forEther, minimum, receiver, deadline);
        return IERC721Receiver.onERC721Received.selector;
    }

    // --- Stake ---

    /// @inheritdoc IInstantPool
    function stake(address receiver, uint256 minShares, address referral) external payable returns (uint256 shares) {
        _requireNotPaused();
        Rate memory rate = _rate();
        Legs memory legs_ = _legs;
        uint256 paid = msg.value;
        shares = _toShares(paid, rate);
        if (shares > legs_.shares) {
            // what is left for the vault must be a stake that it takes
            paid = Math.min(_worthUp(legs_.shares, rate), Math.saturatingSub(msg.value, MIN_STAKE));
            shares = Math.min(_toShares(paid, rate), legs_.shares);
        }
        if (shares != 0) {
            legs_.assets = (legs_.assets + paid).toUint96();
            legs_.shares -= uint96(shares); // compared above
            _legs = legs_;
            emit Bought(receiver, paid, shares);
            TOKEN.transfer(receiver, shares);
        } else {
            paid = 0;
        }
        if (paid != msg.value) shares += VAULT.stake{value: msg.value - paid}(receiver, 0, referral);
        if (shares < minShares) revert SharesBelowMinimum(shares, minShares);
    }

    // --- Provide ---

    /// @inheritdoc IInstantPool
    function addLiquidity(uint256 shares, uint256 minLiquidity, address receiver, uint256 deadline)
        external
        payable
        returns (uint256 liquidity)
    {
        _requireInTime(deadline);
        _requireNotPaused();
        _collectFirst();
        Legs memory legs_ = _legs;
        uint256 sold;
        (liquidity, sold) = _liquidityFor(legs_, msg.value, shares);
        if (sold != 0) requireOpen();
        if (liquidity == 0) revert AmountIsZero();
        if (liquidity < minLiquidity) revert LiquidityBelowMinimum(liquidity, minLiquidity);
        legs_.assets = (legs_.assets + msg.value).toUint96();
        legs_.shares = (legs_.shares + shares).toUint96();
        _legs = legs_;
        _mint(receiver, liquidity);
        emit LiquidityAdded(msg.sender, receiver, msg.value, shares, liquidity);
        if (shares != 0) TOKEN.transferFrom(msg.sender, address(this), shares);
    }

    /// @inheritdoc IInstantPool
    function removeLiquidity(uint256 liquidity, uint256 minAssets, uint256 minShares, address receiver)
        external
        returns (uint256 assets, uint256 shares, uint256 restId, uint256 restShares)
    {
        if (liquidity == 0) revert AmountIsZero();
        _collectFirst();
        uint256 supply = totalSupply();
        _burn(msg.sender, liquidity);
        Legs memory legs_ = _legs;
        // liquidity <= supply: each part is at most its leg
        assets = liquidity * legs_.assets / supply;
        shares = liquidity * legs_.shares / supply;
        restShares = liquidity * legs_.awaited / supply;
        if (assets < minAssets) revert AssetsBelowMinimum(assets, minAssets);
        if (shares < minShares) revert SharesBelowMinimum(shares, minShares);
        legs_.assets -= uint96(assets);
        legs_.shares -= uint96(shares);
        if (restShares != 0) {
            legs_.awaited -= uint64(restShares);
            Line memory line_ = _line;
            restId = Math.max(line_.leaving, line_.collected);
            _rests[restId] = Rest(receiver, uint64(restShares));
            line_.leaving = (restId + restShares).toUint64();
            _line = line_;
        }
        _legs = legs_;
        emit LiquidityRemoved(msg.sender, receiver, liquidity, assets, shares, restId, restShares);
        if (shares != 0) TOKEN.transfer(receiver, shares);
        _pay(receiver, assets);
    }

    /// @inheritdoc IInstantPool
    function claimRest(uint256 id, address recipient) external returns (uint256 assets, uint256 left) {
        Rest memory rest = _rests[id];
        if (rest.owner == address(0)) revert RestUnknown(id);
        if (recipient != rest.owner && msg.sender != rest.owner) revert RecipientNotOwner(recipient, rest.owner);
        uint256 end = id + rest.shares;
        uint256 ready = Math.min(end, _line.collected);
        if (ready <= id) revert RestNotReady(id);
        delete _rests[id];
        if (ready < end) {
            left = ready;
            _rests[left] = Rest(rest.owner, uint64(end - ready)); // < rest.shares
        }
        assets = _etherUpTo(ready) - _etherUpTo(id);
        emit RestClaimed(id, recipient, ready - id, assets);
        _pay(recipient, assets);
    }

    // --- Upkeep ---

    /// @inheritdoc IInstantPool
    function replenish() external returns (uint256 id) {
        Rate memory rate = _rate();
        Legs memory legs_ = _legs;
        uint256 expected = legs_.assets + _worth(legs_.awaited * GWEI, rate);
        uint256 missing = _toShares(Math.saturatingSub(target(), expected), rate);
        uint256 shares = Math.min(MAX_REQUEST, Math.min(legs_.shares, missing));
        shares -= shares % GWEI;
        if (shares == 0) revert NothingToReplenish();
        if (shares < MIN_REQUEST) revert RequestTooSmall(shares, MIN_REQUEST);
        legs_.shares -= uint96(shares); // at most the leg
        legs_.awaited = (legs_.awaited + shares / GWEI).toUint64();
        _legs = legs_;
        id = QUEUE.request(shares, address(this));
        _requests.push(id);
        emit Replenished(id, shares);
    }

    /// @inheritdoc IInstantPool
    function collect(uint256 limit) external returns (uint256 count) {
        return _collect(limit);
    }

    /// @inheritdoc IInstantPool
    function payTreasury() external returns (uint256 shares) {
        uint96 owed = _line.treasuryShares;
        // the last wei stays: sales write to slots that are not empty
        shares = Math.saturatingSub(owed, 1);
        _line.treasuryShares = owed - uint96(shares);
        emit TreasuryPaid(treasury, shares);
        TOKEN.transfer(treasury, shares);
    }

    // --- Governance ---

    /// @inheritdoc IInstantPool
    function setTerms(Terms calldata terms_) external restricted {
        _setTerms(terms_);
    }

    /// @inheritdoc IInstantPool
    function setTreasury(address account) external restricted {
        _setTreasury(account);
    }

    /// @inheritdoc IInstantPool
    function pause(uint256 duration) external restricted {
        if (duration > MAX_PAUSE) revert PauseTooLong(duration, MAX_PAUSE);
        _line.pausedUntil = uint32(block.timestamp + duration);
        emit Paused(block.timestamp + duration);
    }

    /// @inheritdoc IInstantPool
    function resume() external restricted {
        _line.pausedUntil = 0;
        emit Resumed();
    }

    // --- Reading ---

    /// @inheritdoc IInstantPool
    function legs() external view returns (uint256, uint256, uint256) {
        Legs memory legs_ = _legs;
        return (legs_.assets, legs_.shares, legs_.awaited * GWEI);
    }

    /// @inheritdoc IInstantPool
    function totalValue() external view returns (uint256) {
        Legs memory legs_ = _legs;
        return legs_.assets + _worth(legs_.shares + legs_.awaited * GWEI, _rate());
    }

    /// @inheritdoc IInstantPool
    function target() public view returns (uint256) {
        return _curve().target;
    }

    /// @inheritdoc IInstantPool
    function surchargeAt(uint256 assets) external view returns (uint256) {
        return _curve().surcharge(assets);
    }

    /// @inheritdoc IInstantPool
    function quoteSell(uint256 shares) external view returns (uint256 assets, uint256 fee) {
        uint256 value;
        (assets, value) = _priceOf(shares);
        fee = value - assets;
    }

    /// @inheritdoc IInstantPool
    function quoteSellFor(uint256 assets) external view returns (uint256 shares) {
        (shares,) = _sharesFor(assets);
    }

    /// @inheritdoc IInstantPool
    function quoteSellRequest(uint256 id, bool forEther) external view returns (uint256 paid) {
        (, paid) = _priceOfRequest(id, forEther);
    }

    /// @inheritdoc IInstantPool
    function quoteAdd(uint256 assets, uint256 shares) external view returns (uint256 liquidity) {
        (liquidity,) = _liquidityFor(_legs, assets, shares);
    }

    /// @inheritdoc IInstantPool
    function requireOpen() public view {
        _requireNotPaused();
        uint256 until = VAULT.slashingPendingUntil();
        if (block.timestamp < until) revert SlashingPending(until);
        uint256 referenceTime = VAULT.referenceTime();
        if (block.timestamp > referenceTime + MAX_RATE_AGE) revert RateTooOld(referenceTime, MAX_RATE_AGE);
    }

    /// @inheritdoc IInstantPool
    function terms() external view returns (Terms memory) {
        return _terms;
    }

    /// @inheritdoc IInstantPool
    function treasuryShares() external view returns (uint256) {
        return _line.treasuryShares;
    }

    /// @inheritdoc IInstantPool
    function pausedUntil() external view returns (uint256) {
        return _line.pausedUntil;
    }

    /// @inheritdoc IInstantPool
    function line() external view returns (uint256, uint256) {
        Line memory line_ = _line;
        return (line_.collected, line_.leaving);
    }

    /// @inheritdoc IInstantPool
    function restOf(uint256 id) external view returns (address owner, uint256 shares, uint256 ready) {
        Rest memory rest = _rests[id];
        (owner, shares) = (rest.owner, rest.shares);
        ready = Math.min(shares, Math.saturatingSub(_line.collected, id));
    }

    /// @inheritdoc IInstantPool
    function requests() external view returns (uint256 count, uint256 oldest) {
        count = _requests.length();
        if (count != 0) oldest = _requests.root();
    }

    /// @inheritdoc IInstantPool
    function token() external view returns (address) {
        return address(TOKEN);
    }

    /// @inheritdoc IInstantPool
    function vault() external view returns (address) {
        return address(VAULT);
    }

    /// @inheritdoc IInstantPool
    function queue() external view returns (address) {
        return address(QUEUE);
    }

    // --- Internal: trades ---

    /// @dev A permit that is there already, or not needed, is no reason to refuse.
    function _permit(uint256 shares, uint256 deadline, bytes calldata signature) private {
        try TOKEN.permit(msg.sender, address(this), shares, deadline, signature) {} catch {}
    }

    /// @dev Shares come in, ether goes out last.
    function _sell(uint256 shares, uint256 assets, uint256 value, address receiver) private {
        if (assets == 0) revert AmountIsZero();
        // the fee's part of the value in shares: at most the shares
        uint256 forTreasury = shares * (value - assets) * _terms.treasuryPart / (value * BPS);
        _legs.assets -= uint96(assets); // at most the leg
        _legs.shares += uint96(shares - forTreasury); // <= supply of slETH
        if (forTreasury != 0) _line.treasuryShares += uint96(forTreasury); // <= supply of slETH
        emit Sold(msg.sender, receiver, shares, assets, value - assets, forTreasury);
        TOKEN.transferFrom(msg.sender, address(this), shares);
        _pay(receiver, assets);
    }

    /// @dev The request is here already.
    function _buyRequest(uint256 id, address seller, bool forEther, uint256 minimum, address receiver, uint256 deadline)
        private
        returns (uint256 paid)
    {
        _requireInTime(deadline);
        if (forEther) requireOpen();
        else _requireNotPaused();
        uint256 shares;
        (shares, paid) = _priceOfRequest(id, forEther);
        Legs memory legs_ = _legs;
        legs_.awaited = (legs_.awaited + shares / GWEI).toUint64();
        _requests.push(id);
        if (forEther) {
            if (paid < minimum) revert AssetsBelowMinimum(paid, minimum);
            legs_.assets -= uint96(paid); // at most the leg
            _legs = legs_;
            emit RequestBought(id, seller, shares, paid, 0);
            _pay(receiver, paid);
        } else {
            if (paid < minimum) revert SharesBelowMinimum(paid, minimum);
            legs_.shares -= uint96(paid); // compared with the leg
            _legs = legs_;
            emit RequestBought(id, seller, shares, 0, paid);
            TOKEN.transfer(receiver, paid);
        }
    }

    /// @dev Ether for `shares`, rounded down, and their worth.
    function _priceOf(uint256 shares) private view returns (uint256 assets, uint256 value) {
        uint256 available = _legs.assets;
        value = VAULT.convertToAssets(shares);
        bool enough;
        (assets, enough) = _curve().take(available, value);
        if (!enough) revert EtherTooLow(value, available);
    }

    /// @dev Shares for `assets`, rounded up, and what they are worth by the curve.
    function _sharesFor(uint256 assets) private view returns (uint256 shares, uint256 value) {
        uint256 available = _legs.assets;
        if (assets > available) revert EtherTooLow(assets, available);
        value = _curve().cost(available, assets);
        shares = VAULT.previewWithdraw(value);
    }

    function _priceOfRequest(uint256 id, bool forEther) private view returns (uint256 shares, uint256 paid) {
        IWithdrawalQueue.Request memory request = QUEUE.getRequest(id);
        if (request.finalized) revert RequestFinalized(id);
        shares = request.shares;
        if (shares < MIN_REQUEST) revert RequestTooSmall(shares, MIN_REQUEST);
        if (forEther) {
            (paid,) = _priceOf(shares);
        } else {
            paid = shares * BPS / (BPS + _terms.minFee);
            uint256 available = _legs.shares;
            if (paid > available) revert SharesTooLow(paid, available);
        }
    }

    /// @dev Liquidity for `assets` and `shares` beside `legs_`, rounded down, and the ether that more slETH than the ratio
    /// counts as sold for. What is awaited is ether soon, and may be ether in this very transaction: it counts as ether and
    /// costs as much, else slETH could be put in and requests taken out instead, at any rate and without a fee.
    ///
    /// With E, X the pool's ether and slETH and e, x what is added (all worth in wei), o the ether and v its price:
    /// (e + o) / (E - o) = (x - v) / (X + v), so v (E + e) + o (X + x) = x E - e X. The price of a wei is taken from what the
    /// most that o can be would cost, so v is that of the curve or slightly more.
    function _liquidityFor(Legs memory legs_, uint256 assets, uint256 shares)
        private
        view
        returns (uint256 liquidity, uint256 sold)
    {
        (uint256 ether_, uint256 held, uint256 given) = _worths(legs_, shares);
        uint256 supply = totalSupply();
        if (given * ether_ <= assets * held) {
            return (Math.mulDiv(supply, assets + given, ether_ + held), 0);
        }
        uint256 excess = given * ether_ - assets * held;
        uint256 most = Math.ceilDiv(excess, ether_ + assets + held + given); // <= ether_, which is not 0 here
        uint256 price = _curveOver(legs_.assets, ether_).cost(ether_, most);
        uint256 divisor = price * (ether_ + assets) + most * (held + given);
        sold = Math.mulDiv(excess, most, divisor);
        price = Math.mulDiv(excess, price, divisor, Math.Rounding.Ceil);
        // both sides are the same but for rounding, which is against the caller in both: the finer one counts
        liquidity = Math.mulDiv(supply, assets + sold, ether_ - sold);
        liquidity = Math.max(liquidity, Math.mulDiv(supply, given - price, held + price));
    }

    // --- Internal: requests ---

    function _collect(uint256 limit) private returns (uint256 count) {
        for (; count < limit; ++count) {
            uint256 id = _oldestFinalized();
            if (id == 0) break;
            _requests.pop();
            IWithdrawalQueue.Request memory request = QUEUE.getRequest(id);
            _count(id, request.shares, request.assets);
            if (!request.claimed) QUEUE.claim(id); // anybody may have claimed it for the pool
        }
    }

    /// @dev What was paid is shared as ether, at what was paid for it; only then is all that is awaited alike.
    function _collectFirst() private {
        _collect(COLLECTED_ON_THE_WAY);
        uint256 oldest = _oldestFinalized();
        if (oldest != 0) revert RequestToCollect(oldest);
    }

    /// @dev Adds what request `id` pays to the line and divides it: who has left comes first.
    function _count(uint256 id, uint256 shares, uint256 assets) private {
        Line memory line_ = _line;
        Legs memory legs_ = _legs;
        uint256 size = shares / GWEI;
        uint256 forRests = Math.min(size, Math.saturatingSub(line_.leaving, line_.collected));
        uint256 restAssets = assets * forRests / size;
        legs_.assets = (legs_.assets + assets - restAssets).toUint96();
        legs_.awaited -= uint64(size - forRests); // what does not belong to who has left was counted here
        line_.collected = (line_.collected + size).toUint64();
        _legs = legs_;
        _line = line_;
        uint256 points = _points.length;
        uint256 before = points == 0 ? 0 : uint96(_points[points - 1]);
        _points.push((uint256(line_.collected) << ASSET_BITS) | (before + assets).toUint96());
        emit Collected(id, shares, assets, restAssets);
    }

    /// @dev 0 where there is none: then all that the pool awaits is worth its shares at the rate.
    function _oldestFinalized() private view returns (uint256 id) {
        if (_requests.length() == 0) return 0;
        id = _requests.root();
        if (id > QUEUE.lastFinalizedId()) return 0;
    }

    /// @dev Ether of the line up to `position`, which is collected; within a request in proportion, rounded down.
    function _etherUpTo(uint256 position) private view returns (uint256) {
        uint256 index = _points.lowerBound(position << ASSET_BITS); // the first that ends there or later
        uint256 next = _points[index];
        uint256 last = index == 0 ? 0 : _points[index - 1];
        uint256 start = last >> ASSET_BITS;
        uint256 before = uint96(last);
        return before + (uint96(next) - before) * (position - start) / ((next >> ASSET_BITS) - start);
    }

    // --- Internal: the rest ---

    /// @dev The target moves with the supply, so that adding and removing leave the surcharge where it is.
    function _curve() private view returns (Curve memory) {
        Terms memory terms_ = _terms;
        return Curve(terms_.minFee, terms_.maxFee, totalSupply() * terms_.target / 1 ether);
    }

    /// @dev Worth of ether with what is awaited, of the pool's slETH, both rounded up, and of `given`, rounded down.
    function _worths(Legs memory legs_, uint256 given) private view returns (uint256, uint256, uint256) {
        Rate memory rate = _rate();
        uint256 awaited = _worthUp(legs_.awaited * GWEI, rate);
        return (legs_.assets + awaited, _worthUp(legs_.shares, rate), _worth(given, rate));
    }

    /// @dev The curve stretched from `assets` over `all`: at `all` it is where it was at `assets`, flat where that is nothing.
    function _curveOver(uint256 assets, uint256 all) private view returns (Curve memory curve) {
        curve = _curve();
        if (assets == all) return curve;
        uint256 stretched = Math.ceilDiv(curve.target * all, Math.max(assets, 1));
        if (stretched <= type(uint96).max) curve.target = stretched;
        else curve.minFee = curve.maxFee;
    }

    function _rate() private view returns (Rate memory) {
        return Rate(VAULT.totalAssets(), VAULT.supply());
    }

    function _worth(uint256 shares, Rate memory rate) private pure returns (uint256) {
        return shares * rate.total / rate.supply;
    }

    function _worthUp(uint256 shares, Rate memory rate) private pure returns (uint256) {
        return Math.ceilDiv(shares * rate.total, rate.supply);
    }

    function _toShares(uint256 assets, Rate memory rate) private pure returns (uint256) {
        return assets * rate.supply / rate.total;
    }

    function _requireInTime(uint256 deadline) private view {
        if (block.timestamp > deadline) revert Expired(deadline);
    }

    function _requireNotPaused() private view {
        uint256 until = _line.pausedUntil;
        if (block.timestamp < until) revert PoolIsPaused(until);
    }

    function _pay(address recipient, uint256 assets) private {
        if (recipient == address(0)) revert AddressMissing();
        if (!SafeTransferLib.trySafeTransferETH(recipient, assets, gasleft())) {
            revert RecipientRejectedEther(recipient, assets);
        }
    }

    function _setTerms(Terms memory terms_) private {
        if (
            terms_.minFee == 0 || terms_.minFee > terms_.maxFee || terms_.maxFee > MAX_FEE
                || terms_.treasuryPart > MAX_TREASURY_PART || terms_.target < MIN_TARGET || terms_.target > MAX_TARGET
        ) revert TermsOutOfBounds();
        emit TermsChanged(_terms, terms_);
        _terms = terms_;
    }

    function _setTreasury(address account) private {
        if (account == address(0)) revert AddressMissing();
        emit TreasuryChanged(treasury, account);
        treasury = account;
    }
}
