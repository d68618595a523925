// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IInstantPool} from "../../../contracts/interfaces/IInstantPool.sol";
import {IWithdrawalQueue} from "../../../contracts/interfaces/IWithdrawalQueue.sol";
import {Deployment} from "../support/Deployment.sol";
import {AccessManagedError} from "../support/Faces.sol";

/// @dev Traders, providers and keepers of an instant pool on the whole protocol, with gains, losses, slashings and payments
/// from the queue in between. What was paid for whom is counted here a second time.
contract InstantPoolHandler is Deployment {
    enum Action {
        Sell,
        SellFor,
        SellRequestForEther,
        SellRequestForShares,
        SendRequest,
        StakeFromPool,
        StakeThrough,
        Add,
        AddEther,
        AddShares,
        AddOnTheWay,
        Remove,
        RemoveAll,
        Rest,
        ClaimRest,
        ClaimPart,
        Replenish,
        Collect,
        ClaimForPool,
        PayTreasury,
        Move,
        Finalize,
        Gain,
        Tip,
        Loss,
        Slashing,
        Terms,
        Pause,
        RefusedWhileClosed,
        RefusedToCollect,
        Stranger
    }

    /// @dev What belongs to who has left, from position `id` of the line on.
    struct Rest {
        uint256 id; // gwei
        uint256 size; // gwei
        address owner;
    }

    /// @dev What a call of the pool must leave alone or not lower.
    struct Before {
        uint256 standing;
        uint256 standingOncePaid;
        uint256 pooled;
        uint256 supply;
        uint256 rate;
        uint256 open;
        uint256 referenceTime;
        uint256[] liquidity; // of all who can have some
    }

    /// @dev What {_foretell} says that the pool will have.
    struct Foretold {
        uint256 assets;
        uint256 awaited;
        uint256 collected;
    }

    uint256 private constant USERS = 4;
    uint256 private constant BPS = 10_000;
    uint256 private constant MAX_RATE_AGE = 2 days;
    uint256 private constant MIN_BOUGHT = 0.1 ether;
    uint256 private constant ON_THE_WAY = 3;
    uint256 private constant DUST = 6;

    IInstantPool public immutable pool;
    address[] private users;
    address[] private providers; // users, and who holds the first liquidity
    address private immutable POOL_TREASURY = named("treasury of the pool");
    address private immutable STRANGER = named("stranger");

    uint256[] private asks; // requests of users
    uint256[] private held; // requests of the pool that are not collected
    mapping(uint256 id => bool) private claimedForPool;
    Rest[] private rests;
    uint256 private aside; // wei that rests have not claimed
    uint256[] private sizes; // of what was collected, gwei
    uint256[] private paid; // for it, wei
    Foretold private foretold;
    uint256 private pausedUntil;
    uint256 private beaconGwei;

    address private touched; // whose liquidity the call may change
    bool private staking; // the call may stake in the vault
    uint256 private requested; // what the call may hand in
    uint256 public calls;
    mapping(Action action => uint256) public done;

    /// @dev INV-POL-01: whatever this does at one rate and one set of terms, neither standing falls but by dust. And the core
    /// stays as it is, but for a stake or a request that the call is there for; so does everybody else's liquidity.
    modifier ofPool() {
        ++calls;
        (touched, staking, requested) = (address(0), false, 0);
        Before memory before = _before();
        _;
        _compare(before);
    }

    modifier ofCore() {
        ++calls;
        _;
    }

    constructor() {
        deployProtocol();
        vm.deal(address(this), 1 ether);
        IInstantPool.Terms memory terms = IInstantPool.Terms(5, 300, 2_500, 0.5 ether);
        bytes memory arguments = abi.encode(address(access), address(vault), POOL_TREASURY, MAX_RATE_AGE, terms);
        pool = IInstantPool(_put("InstantPool", arguments, 1 ether));
        _stakeAs(named("passive holder"), 3_000 ether);
        for (uint256 i = 0; i < USERS; ++i) {
            users.push(named(string.concat("trader ", vm.toString(i))));
            providers.push(users[i]);
            _stakeAs(users[i], 1_500 ether);
            vm.deal(users[i], 1_000_000 ether);
            vm.startPrank(users[i]);
            token.approve(address(pool), type(uint256).max);
            queue.setApprovalForAll(address(pool), true);
            vm.stopPrank();
        }
        providers.push(SEED_HOLDER);
        toBeacon(320e9);
        beaconGwei = 320e9;
        vm.deal(address(rewards), 317 ether + 7); // a rate that divides nothing
        vm.warp(block.timestamp + 1 days);
        reportNow(beaconGwei, 0, 0, 317 ether + 7);
        vm.warp(block.timestamp + 1 days);
        reportNow(beaconGwei, 0, 0, 0);
    }

    // --- Leave ---

    function sell(uint256 who, uint256 size) external ofPool {
        address user = _user(who);
        (uint256 assets, uint256 shares,) = pool.legs();
        uint256 most = Math.min(vault.convertToShares(_costOfAll(assets)), token.balanceOf(user));
        if (most < 1_000) return;
        uint256 sold = _size(size, 1_000, most);
        if (_refusedWhileClosed(user, abi.encodeCall(pool.sell, (sold, 0, user, block.timestamp)))) return;
        (uint256 quoted, uint256 fee) = pool.quoteSell(sold);
        (uint256 owed, uint256 before) = (pool.treasuryShares(), user.balance);
        vm.prank(user);
        uint256 got = pool.sell(sold, quoted, user, block.timestamp);
        vm.assertEq(got, quoted, "a sale pays what was quoted");
        vm.assertEq(user.balance - before, got, "and it arrives");
        vm.assertEq(got + fee, vault.convertToAssets(sold), "the rate is the price but for the fee");
        (uint256 left, uint256 more,) = pool.legs();
        vm.assertEq(assets - left, got);
        vm.assertEq(more - shares + pool.treasuryShares() - owed, sold, "all that was sold is somebody's");
        ++done[Action.Sell];
    }

    function sellFor(uint256 who, uint256 size) external ofPool {
        address user = _user(who);
        (uint256 assets,,) = pool.legs();
        if (assets == 0) return;
        assets = _size(size, 1, assets);
        uint256 quoted = pool.quoteSellFor(assets);
        if (quoted > token.balanceOf(user)) return;
        if (_refusedWhileClosed(user, abi.encodeCall(pool.sellFor, (assets, quoted, user, block.timestamp)))) return;
        uint256 before = user.balance;
        vm.prank(user);
        vm.assertEq(pool.sellFor(assets, quoted, user, block.timestamp), quoted, "a sale costs what was quoted");
        vm.assertEq(user.balance - before, assets, "what was asked for arrives");
        ++done[Action.SellFor];
    }

    function sellRequest(uint256 seed, bool forEther, bool sent) external ofPool {
        if (asks.length == 0) return;
        uint256 place = seed % asks.length;
        uint256 id = asks[place];
        IWithdrawalQueue.Request memory ask = queue.getRequest(id);
        if (ask.finalized) {
            _dropAsk(place);
            if (_closed() != 0) return;
            bytes memory late = abi.encodeCall(pool.sellRequest, (id, forEther, 0, ask.owner, block.timestamp));
            return _refused(ask.owner, 0, late, IInstantPool.RequestFinalized.selector);
        }
        (uint256 assets, uint256 shares,) = pool.legs();
        if (forEther && vault.convertToAssets(ask.shares) > _costOfAll(assets)) return;
        if (!forEther && ask.shares * BPS / (BPS + pool.terms().minFee) > shares) return;
        if (!forEther && block.timestamp < pausedUntil) return;
        bytes memory call = abi.encodeCall(pool.sellRequest, (id, forEther, 0, ask.owner, block.timestamp));
        if (forEther && _refusedWhileClosed(ask.owner, call)) return;
        uint256 quoted = pool.quoteSellRequest(id, forEther);
        uint256 before = forEther ? ask.owner.balance : token.balanceOf(ask.owner);
        vm.prank(ask.owner);
        if (sent) {
            _sendRequest(ask.owner, id, forEther, quoted);
        } else {
            vm.assertEq(pool.sellRequest(id, forEther, quoted, ask.owner, block.timestamp), quoted);
        }
        uint256 got = (forEther ? ask.owner.balance : token.balanceOf(ask.owner)) - before;
        vm.assertEq(got, quoted, "a request pays what was quoted");
        _dropAsk(place);
        held.push(id);
        ++done[sent ? Action.SendRequest : forEther ? Action.SellRequestForEther : Action.SellRequestForShares];
    }

    // --- Stake ---

    function stake(uint256 who, uint256 size) external ofPool {
        address user = _user(who);
        if (block.timestamp < pausedUntil || vault.stakeLimit() < 200 ether) return;
        uint256 value = _size(size, MIN_STAKE, 200 ether);
        (, uint256 shares,) = pool.legs();
        uint256 alone = vault.convertToShares(value);
        uint256 before = token.balanceOf(user);
        staking = alone > shares;
        vm.prank(user);
        uint256 got = pool.stake{value: value}(user, 0, address(0));
        vm.assertEq(token.balanceOf(user) - before, got, "what was bought arrives");
        vm.assertLe(got, alone, "nobody gets more than the rate");
        vm.assertGe(got + 1, alone, "a stake through the pool is one in the vault but for a wei");
        ++done[staking ? Action.StakeThrough : Action.StakeFromPool];
    }

    // --- Provide ---

    /// @dev Both legs, one of them, or nearly nothing.
    function add(uint256 who, uint256 whom, uint256 assets, uint256 shares) external ofPool {
        address user = _user(who);
        if (block.timestamp < pausedUntil) return;
        assets = who % 4 == 0 ? 0 : _size(assets, 0, 300 ether);
        shares = who % 4 == 1 ? 0 : _size(shares, 0, Math.min(300 ether, token.balanceOf(user)));
        if (assets + shares < 1 gwei) return;
        bytes memory call = abi.encodeCall(pool.addLiquidity, (shares, 0, user, block.timestamp));
        _collectWhereMany(user, assets, call);
        if (shares != 0 && _closed() != 0) {
            (uint256 ether_,, uint256 awaited) = pool.legs();
            if (assets != 0 || ether_ + awaited < 1 gwei) return; // it depends on what is collected
            vm.assertTrue(_refusedWhileClosed(user, call), "slETH was sold to a pool that is closed");
            return;
        }
        touched = _user(whom);
        if (_foretell(ON_THE_WAY) != 0) ++done[Action.AddOnTheWay];
        uint256 before = pool.balanceOf(touched);
        vm.prank(user);
        uint256 got = pool.addLiquidity{value: assets}(shares, 1, touched, block.timestamp);
        vm.assertEq(pool.balanceOf(touched) - before, got, "liquidity arrives");
        _requireForetold(foretold.assets + assets, foretold.awaited);
        ++done[assets == 0 ? Action.AddShares : shares == 0 ? Action.AddEther : Action.Add];
    }

    function remove(uint256 who, uint256 size, uint256 whom) external ofPool {
        address user = _user(who);
        uint256 most = pool.balanceOf(user);
        if (most == 0) return;
        uint256 liquidity = size % 4 == 0 ? most : _size(size, 1, most);
        _collectWhereMany(user, 0, abi.encodeCall(pool.removeLiquidity, (liquidity, 0, 0, user)));
        touched = user;
        _remove(user, liquidity, _user(whom));
        ++done[liquidity == most ? Action.RemoveAll : Action.Remove];
    }

    function claimRest(uint256 seed, bool byOwner) external ofPool {
        if (rests.length == 0) return;
        uint256 place = seed % rests.length;
        Rest memory rest = rests[place];
        (uint256 collected,) = pool.line();
        address caller = byOwner ? rest.owner : STRANGER;
        if (collected <= rest.id) {
            bytes memory early = abi.encodeCall(pool.claimRest, (rest.id, rest.owner));
            return _refused(caller, 0, early, IInstantPool.RestNotReady.selector);
        }
        address to = byOwner ? POOL_TREASURY : rest.owner;
        uint256 ready = Math.min(collected, rest.id + rest.size);
        uint256 before = to.balance;
        vm.prank(caller);
        (uint256 assets, uint256 left) = pool.claimRest(rest.id, to);
        vm.assertEq(to.balance - before, assets, "what is paid arrives");
        (uint256 least, uint256 requests) = _etherOf(rest.id, ready);
        vm.assertGe(assets + 1, least, "INV-POL-02: a rest gets what was paid for it");
        vm.assertLe(assets, least + requests + 1, "INV-POL-02: and no more");
        aside -= assets;
        _drop(place);
        if (ready < rest.id + rest.size) {
            vm.assertEq(left, ready);
            rests.push(Rest(ready, rest.id + rest.size - ready, rest.owner));
            ++done[Action.ClaimPart];
        } else {
            vm.assertEq(left, 0);
        }
        ++done[Action.ClaimRest];
    }

    // --- Upkeep ---

    function replenish() external ofPool {
        (uint256 assets, uint256 shares, uint256 awaited) = pool.legs();
        uint256 expected = assets + vault.convertToAssets(awaited);
        uint256 target = pool.target();
        uint256 most = target < expected ? 0 : Math.min(vault.convertToShares(target - expected), shares);
        most = Math.min(most, 1_000 ether);
        most -= most % 1 gwei;
        bytes memory call = abi.encodeCall(pool.replenish, ());
        if (most == 0) return _refused(STRANGER, 0, call, IInstantPool.NothingToReplenish.selector);
        if (most < MIN_BOUGHT) return _refused(STRANGER, 0, call, IInstantPool.RequestTooSmall.selector);
        requested = most;
        uint256 id = pool.replenish();
        held.push(id);
        (, uint256 left, uint256 more) = pool.legs();
        vm.assertEq(shares - left, requested, "the pool gives what it hands in");
        vm.assertEq(more - awaited, requested, "and awaits it");
        ++done[Action.Replenish];
    }

    function collect(uint256 limit) external ofPool {
        uint256 count = _foretell(limit % 6);
        vm.assertEq(pool.collect(limit % 6), count, "finalised requests are collected, oldest first");
        _requireForetold(foretold.assets, foretold.awaited);
        if (count != 0) ++done[Action.Collect];
    }

    /// @dev Anybody may have the queue pay the pool.
    function claimForPool(uint256 seed) external ofPool {
        for (uint256 i = 0; i < held.length; ++i) {
            uint256 id = held[addmod(seed, i, held.length)];
            if (claimedForPool[id] || id > queue.lastFinalizedId()) continue;
            vm.prank(STRANGER);
            queue.claim(id);
            claimedForPool[id] = true;
            ++done[Action.ClaimForPool];
            return;
        }
    }

    function payTreasury() external ofPool {
        uint256 owed = pool.treasuryShares();
        uint256 expected = owed == 0 ? 0 : owed - 1;
        uint256 before = token.balanceOf(POOL_TREASURY);
        vm.assertEq(pool.payTreasury(), expected);
        vm.assertEq(token.balanceOf(POOL_TREASURY) - before, expected);
        if (expected != 0) ++done[Action.PayTreasury];
    }

    // --- Around it ---

    function move(uint256 from, uint256 to, uint256 size) external ofCore {
        (address user, address other) = (_user(from), _user(to));
        size = size % (pool.balanceOf(user) + 1);
        uint256 sum = pool.balanceOf(user) + pool.balanceOf(other);
        vm.prank(user);
        pool.transfer(other, size);
        if (user != other) vm.assertEq(pool.balanceOf(user) + pool.balanceOf(other), sum);
        if (size != 0) ++done[Action.Move];
    }

    function request(uint256 who, uint256 size) external ofCore {
        address user = _user(who);
        if (token.balanceOf(user) < MIN_BOUGHT) return;
        size = _size(size, MIN_BOUGHT, Math.min(token.balanceOf(user), 100 ether));
        vm.prank(user);
        asks.push(queue.request(size, user));
    }

    function stakeInVault(uint256 who, uint256 size) external ofCore {
        if (vault.stakeLimit() >= 300 ether) _stakeAs(_user(who), _size(size, MIN_STAKE, 300 ether));
    }

    /// @dev A report without news, and what it covers is paid.
    function finalize(uint256 seed) external ofCore {
        _finalize(1 + seed % 3);
    }

    function report(uint256 kind, uint256 size) external ofCore {
        vm.warp(block.timestamp + SLOT);
        if (kind % 3 == 0) {
            beaconGwei += 1 + size % 30e9;
            reportNow(beaconGwei, 0, 0, 0);
            ++done[Action.Gain];
        } else if (kind % 3 == 1) {
            uint256 tip = 1 + size % 30 ether;
            vm.deal(address(rewards), address(rewards).balance + tip);
            reportNow(beaconGwei, 0, 0, tip);
            ++done[Action.Tip];
        } else {
            beaconGwei -= Math.min(size % 20e9, beaconGwei);
            reportNow(beaconGwei, 0, 0, 0);
            ++done[Action.Loss];
        }
    }

    function warp(uint256 time) external ofCore {
        vm.warp(block.timestamp + bound(time, 1, 1 days));
    }

    function noteSlashing(uint256 rare) external ofCore {
        if (rare % 2 != 0) return;
        vm.prank(prover);
        vault.noteSlashing();
        ++done[Action.Slashing];
    }

    function setTerms(uint256 least, uint256 more, uint256 part, uint256 wanted) external ofCore {
        uint256 minFee = 1 + least % 100;
        pool.setTerms(
            IInstantPool.Terms({
                minFee: uint16(minFee),
                maxFee: uint16(minFee + more % (1_001 - minFee)),
                treasuryPart: uint16(part % 5_001),
                target: uint96(bound(wanted, 0.01 ether, 3 ether))
            })
        );
        ++done[Action.Terms];
    }

    function pause(uint256 time) external ofCore {
        if (time % 3 != 0) {
            pool.resume();
            pausedUntil = 0;
        } else {
            time %= 2 days;
            pool.pause(time);
            pausedUntil = block.timestamp + time;
            ++done[Action.Pause];
        }
    }

    function stranger(uint256 seed) external ofPool {
        bytes4 why = AccessManagedError.AccessManagedUnauthorized.selector;
        IInstantPool.Terms memory terms = pool.terms();
        if (seed % 6 == 0) _refused(STRANGER, 0, abi.encodeCall(pool.setTerms, (terms)), why);
        if (seed % 6 == 1) _refused(STRANGER, 0, abi.encodeCall(pool.setTreasury, (STRANGER)), why);
        if (seed % 6 == 2) _refused(STRANGER, 0, abi.encodeCall(pool.pause, (1)), why);
        if (seed % 6 == 3) _refused(STRANGER, 0, abi.encodeCall(pool.resume, ()), why);
        if (seed % 6 == 4) _refused(STRANGER, 0, "", IInstantPool.EtherNotAccepted.selector);
        if (seed % 6 == 5) {
            bytes memory data = abi.encode(true, 0, STRANGER, block.timestamp);
            bytes memory call = abi.encodeCall(pool.onERC721Received, (STRANGER, STRANGER, 1, data));
            _refused(STRANGER, 0, call, IInstantPool.CallerNotQueue.selector);
        }
        ++done[Action.Stranger];
    }

    // --- What holds ---

    /// @dev INV-POL-02 and INV-POL-03: what is there is what is owed, in ether, slETH and requests.
    function check() external view {
        (uint256 assets, uint256 shares, uint256 awaited) = pool.legs();
        (uint256 collected, uint256 leaving) = pool.line();
        uint256 waiting;
        uint256 uncounted;
        uint256 oldest;
        for (uint256 i = 0; i < held.length; ++i) {
            IWithdrawalQueue.Request memory each = queue.getRequest(held[i]);
            waiting += each.shares;
            vm.assertEq(each.claimed, claimedForPool[held[i]]);
            if (each.claimed) uncounted += each.assets;
            else vm.assertEq(each.owner, address(pool));
            if (oldest == 0 || held[i] < oldest) oldest = held[i];
        }
        vm.assertEq(address(pool).balance, assets + aside + uncounted, "INV-POL-02: ether is the leg and what was paid");
        vm.assertEq(
            token.balanceOf(address(pool)),
            shares + pool.treasuryShares(),
            "INV-POL-02: slETH is the leg and the treasury's"
        );
        uint256 forRests = leaving > collected ? (leaving - collected) * 1 gwei : 0;
        vm.assertEq(waiting, awaited + forRests, "INV-POL-03: requests are what is awaited and what who left awaits");
        (uint256 count, uint256 first) = pool.requests();
        vm.assertEq(count, held.length);
        vm.assertEq(first, oldest);
        vm.assertEq(pool.pausedUntil(), pausedUntil);
        uint256 open;
        for (uint256 i = 0; i < rests.length; ++i) {
            (address owner, uint256 size, uint256 ready) = pool.restOf(rests[i].id);
            vm.assertEq(owner, rests[i].owner);
            vm.assertEq(size, rests[i].size);
            open += size - ready;
        }
        vm.assertEq(open * 1 gwei, forRests, "INV-POL-03: what who left awaits is theirs");
        uint256 liquidity;
        for (uint256 i = 0; i < providers.length; ++i) {
            liquidity += pool.balanceOf(providers[i]);
        }
        vm.assertEq(pool.totalSupply(), liquidity);
    }

    /// @dev Everybody leaves, even when the pool is paused: each gets a part of all legs, and what is set aside is paid in full.
    function windDown() external {
        pool.pause(14 days);
        pausedUntil = block.timestamp + 14 days;
        _collectAll();
        for (uint256 i = 0; i < USERS; ++i) {
            uint256 liquidity = pool.balanceOf(users[i]);
            if (liquidity != 0) _remove(users[i], liquidity, users[i]);
        }
        _finalize(type(uint256).max);
        vm.assertEq(queue.openShares(), 0, "a request was not paid");
        _collectAll();
        vm.assertEq(held.length, 0, "a request of the pool was not paid");
        while (rests.length != 0) {
            this.claimRest(0, true);
        }
        vm.assertEq(aside, 0, "INV-POL-02: what is set aside is owed");
        vm.assertEq(pool.totalSupply(), pool.balanceOf(SEED_HOLDER), "somebody could not leave");
    }

    function doneMask() external view returns (uint256 mask) {
        for (uint256 i = 0; i <= uint256(type(Action).max); ++i) {
            if (done[Action(i)] != 0) mask |= 1 << i;
        }
    }

    function fullMask() external pure returns (uint256) {
        return (2 << uint256(type(Action).max)) - 1;
    }

    // --- Internal: the ledger ---

    /// @dev Takes the `limit` oldest finalised requests as collected, as the pool is about to, and foretells its legs.
    function _foretell(uint256 limit) private returns (uint256 count) {
        (uint256 collected, uint256 leaving) = pool.line();
        (uint256 assets,, uint256 awaited) = pool.legs();
        for (; count < limit; ++count) {
            (bool any, uint256 place) = _oldestFinalized();
            if (!any) break;
            IWithdrawalQueue.Request memory each = queue.getRequest(held[place]);
            uint256 size = each.shares / 1 gwei;
            uint256 forRests = leaving > collected ? Math.min(size, leaving - collected) : 0;
            uint256 restAssets = each.assets * forRests / size;
            aside += restAssets;
            assets += each.assets - restAssets;
            awaited -= (size - forRests) * 1 gwei;
            collected += size;
            sizes.push(size);
            paid.push(each.assets);
            held[place] = held[held.length - 1];
            held.pop();
        }
        (foretold.assets, foretold.awaited, foretold.collected) = (assets, awaited, collected);
    }

    function _requireForetold(uint256 assets, uint256 awaited) private view {
        (uint256 hasAssets,, uint256 hasAwaited) = pool.legs();
        (uint256 collected,) = pool.line();
        vm.assertEq(hasAssets, assets, "the ether leg is not what it should be");
        vm.assertEq(hasAwaited, awaited, "what is awaited is not what it should be");
        vm.assertEq(collected, foretold.collected, "more or less was collected than should be");
    }

    function _collectAll() private {
        uint256 count = _foretell(type(uint256).max);
        vm.assertEq(pool.collect(type(uint256).max), count);
        _requireForetold(foretold.assets, foretold.awaited);
    }

    /// @dev More finalised requests than are collected on the way: `call` is refused until they are.
    function _collectWhereMany(address user, uint256 value, bytes memory call) private {
        uint256 count;
        for (uint256 i = 0; i < held.length; ++i) {
            if (held[i] <= queue.lastFinalizedId()) ++count;
        }
        if (count <= ON_THE_WAY) return;
        _refused(user, value, call, IInstantPool.RequestToCollect.selector);
        _collectAll();
        ++done[Action.RefusedToCollect];
    }

    function _oldestFinalized() private view returns (bool any, uint256 place) {
        uint256 last = queue.lastFinalizedId();
        for (uint256 i = 0; i < held.length; ++i) {
            if (held[i] > last || (any && held[i] > held[place])) continue;
            (any, place) = (true, i);
        }
    }

    /// @dev Of positions `start` to `end`, rounded down for each of `requests`.
    function _etherOf(uint256 start, uint256 end) private view returns (uint256 assets, uint256 requests) {
        uint256 at;
        for (uint256 i = 0; i < sizes.length && at < end; ++i) {
            uint256 next = at + sizes[i];
            if (next > start) {
                assets += paid[i] * (Math.min(next, end) - Math.max(at, start)) / sizes[i];
                ++requests;
            }
            at = next;
        }
    }

    function _remove(address user, uint256 liquidity, address to) private {
        _foretell(ON_THE_WAY);
        uint256 supply = pool.totalSupply();
        (, uint256 shares,) = pool.legs();
        (, uint256 leaving) = pool.line();
        // a part of each leg, of what is awaited in gwei
        uint256 assets = liquidity * foretold.assets / supply;
        shares = liquidity * shares / supply;
        uint256 size = liquidity * (foretold.awaited / 1 gwei) / supply;
        uint256 id = size == 0 ? 0 : Math.max(foretold.collected, leaving); // who leaves is paid next
        (uint256 ether_, uint256 held_) = (to.balance, token.balanceOf(to));
        vm.prank(user);
        _requireGiven(abi.encodePacked(assets, shares, id, size), liquidity, to);
        vm.assertEq(to.balance - ether_, assets);
        vm.assertEq(token.balanceOf(to) - held_, shares);
        _requireForetold(foretold.assets - assets, foretold.awaited - size * 1 gwei);
        if (size == 0) return;
        rests.push(Rest(id, size, to));
        ++done[Action.Rest];
    }

    function _requireGiven(bytes memory expected, uint256 liquidity, address to) private {
        (bool fine, bytes memory given) =
            address(pool).call(abi.encodeCall(pool.removeLiquidity, (liquidity, 0, 0, to)));
        vm.assertTrue(fine, "somebody could not leave");
        vm.assertEq(given, expected);
    }

    // --- Internal: what a call must not lower ---

    function _before() private view returns (Before memory found) {
        (found.standing, found.standingOncePaid) = _standings();
        found.pooled = vault.pooled();
        found.supply = vault.supply();
        found.rate = vault.rate();
        found.open = queue.openShares();
        found.referenceTime = vault.referenceTime();
        found.liquidity = new uint256[](providers.length);
        for (uint256 i = 0; i < providers.length; ++i) {
            found.liquidity[i] = pool.balanceOf(providers[i]);
        }
    }

    function _compare(Before memory before) private view {
        Before memory found = _before();
        uint256 dust = Math.mulDiv(DUST * 1e18, 1e18, pool.totalSupply()) + 1;
        vm.assertGe(found.standing + dust, before.standing, "INV-POL-01: standing fell");
        vm.assertGe(found.standingOncePaid + dust, before.standingOncePaid, "INV-POL-01: standing once paid fell");
        if (staking) {
            vm.assertGe(found.pooled, before.pooled, "a stake took ether out of the core");
            vm.assertGe(found.rate, before.rate, "a stake lowered the core rate");
            vm.assertLe(found.rate, before.rate + 1, "a stake raised the core rate");
        } else {
            vm.assertEq(found.pooled, before.pooled, "a call of the pool moved ether of the core");
            vm.assertEq(found.supply, before.supply, "a call of the pool moved the supply of slETH");
            vm.assertEq(found.rate, before.rate, "a call of the pool moved the core rate");
        }
        vm.assertEq(found.open, before.open + requested, "a call of the pool moved the queue");
        vm.assertEq(found.referenceTime, before.referenceTime);
        for (uint256 i = 0; i < providers.length; ++i) {
            if (providers[i] == touched) continue;
            vm.assertEq(found.liquidity[i], before.liquidity[i], "a call moved somebody else's liquidity");
        }
    }

    /// @dev Of a token of liquidity, wei times 1e36: worth of slETH and of what is awaited plus the potential of the ether, of
    /// the surcharge only what is not the treasury's. As things are, and as they will be when all that is awaited is paid.
    function _standings() private view returns (uint256 standing, uint256 oncePaid) {
        (, uint256 shares,) = pool.legs();
        (uint256 assets, uint256 awaited) = _legsOnceCollected();
        (uint256 held18, uint256 awaited18) = (_worth18(shares), _worth18(awaited));
        uint256 supply = pool.totalSupply();
        standing = Math.mulDiv(held18 + awaited18 + _potential18(assets * 1e18), 1e18, supply);
        oncePaid = Math.mulDiv(held18 + _potential18(assets * 1e18 + awaited18), 1e18, supply);
    }

    /// @dev What was paid is worth what was paid, whatever the rate is now.
    function _legsOnceCollected() private view returns (uint256 assets, uint256 awaited) {
        (assets,, awaited) = pool.legs();
        (uint256 collected, uint256 leaving) = pool.line();
        uint256 id;
        while ((id = _nextFinalized(id)) != 0) {
            IWithdrawalQueue.Request memory each = queue.getRequest(id);
            uint256 size = each.shares / 1 gwei;
            uint256 forRests = leaving > collected ? Math.min(size, leaving - collected) : 0;
            assets += each.assets - each.assets * forRests / size;
            awaited -= (size - forRests) * 1 gwei;
            collected += size;
        }
    }

    /// @dev The oldest that the pool has after `id`, 0 where there is none.
    function _nextFinalized(uint256 id) private view returns (uint256 next) {
        uint256 last = queue.lastFinalizedId();
        for (uint256 i = 0; i < held.length; ++i) {
            if (held[i] > id && held[i] <= last && (next == 0 || held[i] < next)) next = held[i];
        }
    }

    /// @dev Wei times 1e18.
    function _worth18(uint256 shares) private view returns (uint256) {
        return Math.mulDiv(shares * 1e18, vault.totalAssets(), vault.supply());
    }

    function _potential18(uint256 assets18) private view returns (uint256) {
        return assets18 + _surcharge18(assets18) * (BPS - pool.terms().treasuryPart) / BPS;
    }

    /// @dev The line from `maxFee` at nothing to `minFee` at the target, summed up, wei times 1e18.
    function _surcharge18(uint256 assets18) private view returns (uint256) {
        IInstantPool.Terms memory terms = pool.terms();
        uint256 target18 = pool.totalSupply() * terms.target / 1e18 * 1e18;
        uint256 below = Math.min(assets18, target18);
        uint256 fall = Math.mulDiv((terms.maxFee - terms.minFee) * below, below, 2 * target18);
        return (terms.maxFee * below - fall + terms.minFee * (assets18 - below)) / BPS;
    }

    /// @dev What all the ether costs, wei, rounded down.
    function _costOfAll(uint256 assets) private view returns (uint256) {
        return assets + _surcharge18(assets * 1e18) / 1e18;
    }

    // --- Internal: refusals ---

    /// @dev Why no ether is sold now; zero where it is.
    function _closed() private view returns (bytes4) {
        if (block.timestamp < pausedUntil) return IInstantPool.PoolIsPaused.selector;
        if (block.timestamp < vault.slashingPendingUntil()) return IInstantPool.SlashingPending.selector;
        if (block.timestamp > vault.referenceTime() + MAX_RATE_AGE) return IInstantPool.RateTooOld.selector;
        return 0;
    }

    function _refusedWhileClosed(address user, bytes memory call) private returns (bool) {
        bytes4 why = _closed();
        if (why == 0) return false;
        _refused(user, 0, call, why);
        ++done[Action.RefusedWhileClosed];
        return true;
    }

    function _refused(address user, uint256 value, bytes memory call, bytes4 why) private {
        vm.prank(user);
        (bool fine, bytes memory answer) = address(pool).call{value: value}(call);
        vm.assertTrue(!fine, "what should be refused was not");
        vm.assertEq(bytes32(bytes4(answer)), bytes32(why));
    }

    // --- Internal: the rest ---

    function _sendRequest(address from, uint256 id, bool forEther, uint256 minimum) private {
        bytes memory data = abi.encode(forEther, minimum, from, block.timestamp);
        bytes memory call =
            abi.encodeWithSignature("safeTransferFrom(address,address,uint256,bytes)", from, address(pool), id, data);
        (bool fine,) = address(queue).call(call);
        vm.assertTrue(fine, "a request could not be sent");
    }

    function _stakeAs(address user, uint256 value) private {
        if (user.balance < value) vm.deal(user, value);
        vm.prank(user);
        vault.stake{value: value}(user, 0, address(0));
    }

    /// @dev A report without news, and up to `count` requests are paid.
    function _finalize(uint256 count) private {
        vm.warp(block.timestamp + SLOT);
        reportNow(beaconGwei, 0, 0, 0);
        uint256 most = queue.finalizable();
        if (most == 0) return;
        uint256 last = queue.lastFinalizedId();
        queue.finalize(last + Math.min(count, most - last));
        ++done[Action.Finalize];
    }

    function _drop(uint256 place) private {
        rests[place] = rests[rests.length - 1];
        rests.pop();
    }

    function _dropAsk(uint256 place) private {
        asks[place] = asks[asks.length - 1];
        asks.pop();
    }

    function _user(uint256 who) private view returns (address) {
        return users[who % USERS];
    }

    /// @dev The most there can be, the least, small ones and any.
    function _size(uint256 seed, uint256 low, uint256 high) private pure returns (uint256) {
        if (seed % 16 == 0) return high;
        if (seed % 16 == 1) return low;
        seed = uint256(keccak256(abi.encode(seed)));
        return seed % 3 == 0 ? bound(seed, low, low + (high - low >> 30)) : bound(seed, low, high);
    }
}
