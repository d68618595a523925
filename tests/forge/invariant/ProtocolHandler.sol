// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IAsyncRedeemVault} from "../../../contracts/interfaces/IAsyncRedeemVault.sol";
import {IFeeSplitter} from "../../../contracts/interfaces/IFeeSplitter.sol";
import {BeaconDeposit, ConsensusReport, IStakingVault} from "../../../contracts/interfaces/IStakingVault.sol";
import {IWithdrawalQueue} from "../../../contracts/interfaces/IWithdrawalQueue.sol";
import {Deployment} from "../support/Deployment.sol";
import {AccessManagedError} from "../support/Faces.sol";
import {ReentrantModule, RejectsEther, ScriptedModule} from "../support/Helpers.sol";

/// @dev Everything that people, validators, governance and strangers do to the protocol, at random, beside a ledger of
/// its own. An action says beforehand what must come of it, to the wei; a revert that was not foretold fails the campaign.
contract ProtocolHandler is Deployment {
    enum Action {
        Stake,
        Mint,
        Move,
        Request,
        RequestBatch,
        RequestWithPermit,
        PassOn,
        Finalize,
        FinalizeTooMuch,
        Claim,
        ClaimWithoutHint,
        ClaimBatch,
        WrongHint,
        RejectedClaim,
        Gain,
        Loss,
        SharedLoss,
        CoveredLoss,
        CoveredFault,
        Deposit,
        Withdraw,
        Tip,
        Force,
        Donate,
        Wrap,
        Unwrap,
        MoveWrapped,
        AsyncDeposit,
        AsyncRequest,
        AsyncRedeem,
        AsyncWithdraw,
        Warp,
        Pause,
        Limit,
        Fee,
        Modules,
        FundCover,
        RoundTrip,
        Split,
        Stranger
    }

    /// @dev A request as the ledger has it.
    struct Ask {
        address owner;
        uint64 size; // gwei
        uint40 at;
        uint32 checkpoint; // 0 while open
        bool claimed;
        uint256 owed;
    }

    uint256 internal constant ACTORS = 6;

    // --- The ledger ---

    uint256 public issued; // all ether there is
    uint256 public staked;
    uint256 public redeemed;
    int256 public profit; // wei, of all reports
    int256 internal profitGwei; // of the consensus side
    uint256 internal depositedGwei;
    uint256 internal beaconGwei; // what the validators have
    uint256 internal withdrawnGwei; // what they ever paid to the gateway
    uint256 public queueHeld;
    uint256 public owedOpen;
    uint256 public openGwei;
    uint256 public finalizedId;
    uint256 public checkpoints;
    uint256 internal ceiling;
    uint256 internal since;
    uint256 internal burst = BURST;
    uint256 internal growth = GROWTH;
    uint256 internal pausedUntil;
    uint256 internal adapterIn;
    uint256 internal adapterOut;
    mapping(address place => uint256) public forced;
    mapping(address place => uint256) public donated;
    Ask[] internal asks;
    uint256[] internal adapterAsks;

    uint256 public calls;
    mapping(Action action => uint256) public done;

    address[] internal actors;
    address[] internal places; // all that can hold ether
    address[] internal holders; // all that can hold slETH
    ScriptedModule internal module;
    ReentrantModule internal reentrant;
    RejectsEther internal wall;
    IWeth internal wrapped;

    /// @dev Whatever this does, the rate does not fall, and rises by the dust of rounding at most.
    modifier steady() {
        ++calls;
        (uint256 total, uint256 supply) = (vault.totalAssets(), vault.supply());
        _;
        _requireSteady(total, supply);
    }

    constructor() {
        deployProtocol();
        wrapped = IWeth(address(weth));
        module = new ScriptedModule(address(token), address(vault));
        reentrant = new ReentrantModule(address(vault));
        wall = new RejectsEther();
        for (uint256 i = 0; i < ACTORS; ++i) {
            actors.push(named(_name(i)));
            places.push(actors[i]);
            holders.push(actors[i]);
            vm.deal(actors[i], 2_000_000 ether);
            vm.startPrank(actors[i]);
            token.approve(address(rebasing), type(uint256).max);
            token.approve(address(adapter), type(uint256).max);
            wrapped.approve(address(adapter), type(uint256).max);
            vm.stopPrank();
        }
        vm.startPrank(registrar);
        splitter.setWeight(IFeeSplitter.Group.Operators, actors[0], 3);
        splitter.setWeight(IFeeSplitter.Group.Operators, actors[1], 4);
        splitter.setWeight(IFeeSplitter.Group.Referrers, actors[2], 1);
        vm.stopPrank();
        address[18] memory others = [
            address(vault),
            address(queue),
            address(gateway),
            address(rewards),
            address(rebasing),
            address(adapter),
            address(cover),
            address(splitter),
            address(module),
            address(reentrant),
            SEED_HOLDER,
            treasury,
            address(token),
            address(oracle),
            address(limits),
            address(access),
            DEPOSIT_CONTRACT,
            address(weth)
        ];
        for (uint256 i = 0; i < others.length; ++i) {
            places.push(others[i]);
            if (others[i] != address(token)) holders.push(others[i]);
        }
        vm.prank(governor);
        vault.setBonds(address(module));
        ceiling = SEED + BURST;
        since = block.timestamp;
        issued = _etherOfAll();
    }

    // --- People ---

    function stake(uint256 who, uint256 size, uint256 way) external steady {
        address actor = _actor(who);
        uint256 most = vault.maxDeposit(actor);
        if (most == 0) {
            _refused(actor, MIN_STAKE, _stakeError(MIN_STAKE), abi.encodeCall(vault.stake, (actor, 0, address(0))));
            return;
        }
        uint256 amount = _size(size, MIN_STAKE, _least(most, actor.balance));
        if (way % 7 == 6 && most < actor.balance) {
            _refused(actor, most + 1, _stakeError(most + 1), abi.encodeCall(vault.stake, (actor, 0, address(0))));
        }
        _stake(actor, _actor(size), amount, way % 4);
        ++done[Action.Stake];
    }

    function mint(uint256 who, uint256 size, uint256 extra) external steady {
        address actor = _actor(who);
        uint256 most = vault.maxMint(actor);
        if (most == 0) return;
        uint256 least = vault.previewWithdraw(MIN_STAKE);
        if (least > most) return;
        uint256 shares = _size(size, least, most);
        uint256 cost = vault.previewMint(shares);
        extra = extra % 3 == 0 ? 0 : extra % 1 ether;
        if (cost + extra > actor.balance) return;
        uint256 before = actor.balance;
        uint256 held = token.balanceOf(actor);
        vm.prank(actor);
        vm.assertEq(vault.mint{value: cost + extra}(shares, actor), cost, "INV-ACC-06: previewMint is exact");
        vm.assertEq(before - actor.balance, cost, "mint keeps its price alone");
        vm.assertEq(token.balanceOf(actor) - held, shares, "mint gives what was asked");
        staked += cost;
        ++done[Action.Mint];
    }

    function move(uint256 from, uint256 to, uint256 size, bool byAnother) external steady {
        address sender = _actor(from);
        address receiver = _actor(to);
        uint256 held = token.balanceOf(sender);
        uint256 shares = size % (held + 1);
        uint256 received = token.balanceOf(receiver);
        if (byAnother) {
            address spender = _actor(size);
            vm.prank(sender);
            token.approve(spender, shares);
            vm.prank(spender);
            token.transferFrom(sender, receiver, shares);
        } else {
            vm.prank(sender);
            token.transfer(receiver, shares);
        }
        if (sender == receiver) {
            vm.assertEq(token.balanceOf(sender), held, "a transfer to oneself changes nothing");
        } else {
            vm.assertEq(token.balanceOf(sender), held - shares, "the sender loses what moves");
            vm.assertEq(token.balanceOf(receiver), received + shares, "the receiver gets what moves");
        }
        ++done[Action.Move];
    }

    // --- Queue ---

    function request(uint256 who, uint256 size, uint256 receiver) external steady {
        address actor = _holding(who, MIN_REQUEST);
        if (actor == address(0)) return;
        _request(actor, _actor(receiver), _size(size, MIN_REQUEST, token.balanceOf(actor)));
        ++done[Action.Request];
    }

    function requestBatch(uint256 who, uint256 size, uint256 count) external steady {
        count = 1 + count % 5;
        address actor = _holding(who, count * MIN_REQUEST);
        if (actor == address(0)) return;
        uint256[] memory sizes = new uint256[](count);
        uint256 most = token.balanceOf(actor) / count;
        for (uint256 i = 0; i < count; ++i) {
            sizes[i] = _size(uint256(keccak256(abi.encode(size, i))), MIN_REQUEST, most);
        }
        vm.prank(actor);
        vm.assertEq(queue.requestBatch(sizes, actor), asks.length + 1, "ids rise by one");
        for (uint256 i = 0; i < count; ++i) {
            _note(actor, sizes[i]);
        }
        ++done[Action.RequestBatch];
    }

    function requestWithPermit(uint256 who, uint256 size, uint256 receiver) external steady {
        address actor = _holding(who, MIN_REQUEST);
        if (actor == address(0)) return;
        uint256 shares = _size(size, MIN_REQUEST, token.balanceOf(actor));
        address to = _actor(receiver);
        bytes32 body = keccak256(
            abi.encode(
                keccak256("Request(address owner,uint256 shares,address receiver,uint256 nonce,uint256 deadline)"),
                actor,
                shares,
                to,
                queue.nonces(actor),
                block.timestamp
            )
        );
        bytes memory signature =
            sign(_keyOf(actor), keccak256(abi.encodePacked(hex"1901", queue.DOMAIN_SEPARATOR(), body)));
        vm.prank(_actor(size));
        queue.requestWithPermit(actor, shares, to, block.timestamp, signature);
        _note(to, shares);
        ++done[Action.RequestWithPermit];
    }

    function passOn(uint256 seed, uint256 to) external steady {
        for (uint256 i = 0; i < asks.length; ++i) {
            uint256 id = 1 + addmod(seed, i, asks.length);
            Ask storage ask = asks[id - 1];
            if (ask.claimed || ask.owner == address(adapter)) continue;
            vm.prank(ask.owner);
            queue.transferFrom(ask.owner, _actor(to), id);
            ask.owner = _actor(to);
            ++done[Action.PassOn];
            return;
        }
    }

    function finalize(uint256 seed) external steady {
        uint256 most = queue.finalizable();
        if (most < asks.length) {
            // one more than that is refused: not covered, or not paid for
            uint256 next = most == 0 ? finalizedId + 1 : most + 1;
            (bool fine,) = address(queue).call(abi.encodeCall(queue.finalize, (next)));
            vm.assertTrue(!fine, "INV-QUE-07: finalizable is the longest prefix");
            ++done[Action.FinalizeTooMuch];
        }
        if (most == 0) return;
        _finalize(finalizedId + 1 + seed % (most - finalizedId));
        ++done[Action.Finalize];
    }

    function claim(uint256 seed, uint256 recipient) external steady {
        uint256 id = _claimable(seed);
        if (id == 0) return;
        Ask storage ask = asks[id - 1];
        bool toAdapter = ask.owner == address(adapter);
        address to = toAdapter ? ask.owner : _actor(recipient);
        uint256 before = to.balance;
        vm.prank(toAdapter ? _actor(recipient) : ask.owner);
        vm.assertEq(queue.claim(id, ask.checkpoint, to), ask.owed, "a claim pays what was settled");
        vm.assertEq(to.balance - before, ask.owed, "and it arrives");
        _paid(id);
        ++done[Action.Claim];
    }

    function claimWithoutHint(uint256 seed, uint256 caller) external steady {
        uint256 id = _claimable(seed);
        if (id == 0) return;
        uint256 before = asks[id - 1].owner.balance;
        vm.prank(_actor(caller)); // anybody
        queue.claim(id);
        vm.assertEq(asks[id - 1].owner.balance - before, asks[id - 1].owed, "the owner is paid");
        _paid(id);
        ++done[Action.ClaimWithoutHint];
    }

    function claimBatch(uint256 seed) external steady {
        uint256 first = _claimable(seed);
        if (first == 0 || asks[first - 1].owner == address(adapter)) return;
        address owner = asks[first - 1].owner;
        uint256[] memory ids = new uint256[](4);
        uint256 count;
        uint256 sum;
        for (uint256 id = first; id <= finalizedId && count < 4; ++id) {
            if (asks[id - 1].claimed || asks[id - 1].owner != owner) continue;
            ids[count++] = id;
            sum += asks[id - 1].owed;
        }
        assembly ("memory-safe") {
            mstore(ids, count)
        }
        uint256[] memory hints = queue.findCheckpoints(ids);
        uint256 before = owner.balance;
        vm.prank(owner);
        vm.assertEq(queue.claimBatch(ids, hints, owner), sum, "a batch pays the sum");
        vm.assertEq(owner.balance - before, sum, "and it arrives");
        for (uint256 i = 0; i < count; ++i) {
            _paid(ids[i]);
        }
        ++done[Action.ClaimBatch];
    }

    function claimWithWrongHint(uint256 seed, uint256 hint) external steady {
        uint256 id = _claimable(seed);
        if (id == 0) return;
        Ask memory ask = asks[id - 1];
        hint %= checkpoints + 3;
        if (hint == ask.checkpoint) hint = checkpoints + 1;
        _refused(
            ask.owner,
            0,
            abi.encodeWithSelector(IWithdrawalQueue.CheckpointInvalid.selector, id, hint),
            address(queue),
            abi.encodeWithSignature("claim(uint256,uint256,address)", id, hint, ask.owner)
        );
        ++done[Action.WrongHint];
    }

    function claimToAWall(uint256 seed, uint256 thief) external steady {
        uint256 id = _claimable(seed);
        if (id == 0) return;
        Ask memory ask = asks[id - 1];
        if (ask.owner == address(adapter)) return;
        _refused(
            ask.owner,
            0,
            abi.encodeWithSelector(IWithdrawalQueue.RecipientRejectedEther.selector, address(wall), ask.owed),
            address(queue),
            abi.encodeWithSignature("claim(uint256,uint256,address)", id, ask.checkpoint, address(wall))
        );
        address other = _actor(thief);
        if (other != ask.owner) {
            _refused(
                other,
                0,
                abi.encodeWithSelector(IWithdrawalQueue.NotOwnerOrApproved.selector, other, id),
                address(queue),
                abi.encodeWithSignature("claim(uint256,uint256,address)", id, ask.checkpoint, other)
            );
        }
        ++done[Action.RejectedClaim];
    }

    // --- Validators and reports ---

    function report(uint256 change, uint256 provision, uint256 fromRewards, uint256 age) external {
        ++calls;
        _later();
        _report(change, provision, fromRewards, age);
    }

    function depositToBeacon(uint256 size) external steady {
        uint256 most = vault.depositable() / 1 gwei;
        uint64 amount = uint64(_size(size, 1e9, most < 1e9 ? 1e9 : most));
        BeaconDeposit[] memory items = new BeaconDeposit[](1);
        items[0] = beaconDeposit(bytes1(uint8(size)), uint64(most + 1));
        _refused(
            depositor,
            0,
            abi.encodeWithSelector(IStakingVault.BufferTooLow.selector, (most + 1) * 1 gwei, vault.depositable()),
            abi.encodeCall(vault.depositToBeacon, (items))
        );
        if (most < 1e9) return;
        items[0].amount = amount;
        uint256 before = DEPOSIT_CONTRACT.balance;
        vm.prank(depositor);
        vault.depositToBeacon(items);
        vm.assertEq(DEPOSIT_CONTRACT.balance - before, uint256(amount) * 1 gwei, "the official contract has it");
        depositedGwei += amount;
        beaconGwei += amount;
        ++done[Action.Deposit];
    }

    /// @dev A sweep of the consensus layer pays part of the balances to the credentials.
    function withdraw(uint256 size, bool sweep) external steady {
        uint256 amount = _size(size, 0, beaconGwei);
        beaconGwei -= amount;
        withdrawnGwei += amount;
        _give(address(gateway), amount * 1 gwei);
        if (sweep) gateway.sweep();
        ++done[Action.Withdraw];
    }

    function tip(uint256 size) external steady {
        _give(address(rewards), size % 100 ether);
        ++done[Action.Tip];
    }

    // --- Gifts ---

    function force(uint256 where, uint256 size) external steady {
        address place = places[ACTORS + where % (places.length - ACTORS)];
        uint256 amount = _size(size, 1, 10_000 ether);
        _give(place, amount);
        forced[place] += amount;
        ++done[Action.Force];
    }

    function donate(uint256 from, uint256 where, uint256 size) external steady {
        address actor = _holding(from, 1);
        if (actor == address(0)) return;
        address place = holders[ACTORS + where % (holders.length - ACTORS)];
        uint256 shares = _size(size, 1, token.balanceOf(actor));
        if (size % 2 == 0) shares = 1 + shares % 1 ether % token.balanceOf(actor);
        vm.prank(actor);
        token.transfer(place, shares);
        donated[place] += shares;
        ++done[Action.Donate];
    }

    // --- Wrapper ---

    function wrap(uint256 who, uint256 size) external steady {
        address actor = _holding(who, 1);
        if (actor == address(0)) return;
        uint256 shares = _size(size, 1, token.balanceOf(actor));
        vm.prank(actor);
        vm.assertEq(rebasing.wrap(shares), vault.convertToAssets(shares), "wrapped at the rate");
        ++done[Action.Wrap];
    }

    function unwrap(uint256 who, uint256 size, bool inShares) external steady {
        address actor = _wrapping(who);
        if (actor == address(0)) return;
        uint256 before = token.balanceOf(actor);
        uint256 shares;
        if (inShares) {
            shares = _size(size, 1, rebasing.sharesOf(actor));
            vm.prank(actor);
            rebasing.unwrapShares(shares);
        } else {
            uint256 amount = rebasing.balanceOf(actor);
            if (amount == 0) return;
            amount = _size(size, 1, amount);
            vm.prank(actor);
            shares = rebasing.unwrap(amount);
            vm.assertGe(vault.convertToAssets(shares), amount, "an amount costs what it is worth");
        }
        vm.assertEq(token.balanceOf(actor) - before, shares, "slETH comes out share for share");
        ++done[Action.Unwrap];
    }

    function moveWrapped(uint256 from, uint256 to, uint256 size, uint256 way) external steady {
        address sender = _wrapping(from);
        if (sender == address(0)) return;
        address receiver = _actor(to);
        uint256 had = rebasing.sharesOf(sender);
        uint256 got = rebasing.sharesOf(receiver);
        if (way % 3 == 0) {
            uint256 shares = _size(size, 0, had);
            vm.prank(sender);
            rebasing.transferShares(receiver, shares);
            if (sender != receiver) {
                vm.assertEq(rebasing.sharesOf(sender), had - shares, "shares move without loss");
                vm.assertEq(rebasing.sharesOf(receiver), got + shares, "shares move without loss");
            }
        } else {
            uint256 amount = _size(size, 0, rebasing.balanceOf(sender));
            address spender = _actor(size);
            vm.prank(sender);
            if (way % 3 == 1) {
                rebasing.transfer(receiver, amount);
            } else {
                rebasing.approve(spender, amount);
                vm.prank(spender);
                rebasing.transferFrom(sender, receiver, amount);
            }
            if (sender != receiver) {
                uint256 moved = rebasing.sharesOf(receiver) - got;
                vm.assertEq(rebasing.sharesOf(sender) + moved, had, "nothing is lost on the way");
                vm.assertGe(vault.convertToAssets(moved), amount, "at least the amount arrives");
            }
        }
        ++done[Action.MoveWrapped];
    }

    // --- Adapter ---

    function asyncDeposit(uint256 who, uint256 size, bool byShares) external steady {
        address actor = _actor(who);
        uint256 most = adapter.maxDeposit(actor);
        // shares of the least stake cost up to a few wei less than it
        if (most < MIN_STAKE + 10 || adapter.maxMint(actor) == 0) return;
        uint256 amount = _size(size, MIN_STAKE + 10, _least(most, actor.balance));
        uint256 shares = adapter.previewDeposit(amount);
        if (byShares) amount = adapter.previewMint(shares);
        if (amount < MIN_STAKE) return;
        uint256 before = token.balanceOf(actor);
        vm.startPrank(actor);
        wrapped.deposit{value: amount}();
        if (byShares) vm.assertEq(adapter.mint(shares, actor), amount, "the adapter's mint costs its preview");
        else vm.assertEq(adapter.deposit(amount, actor), shares, "the adapter's deposit gives its preview");
        vm.stopPrank();
        vm.assertEq(token.balanceOf(actor) - before, shares, "shares arrive");
        staked += amount;
        ++done[Action.AsyncDeposit];
    }

    function asyncRequest(uint256 who, uint256 size, uint256 controller) external steady {
        address actor = _holding(who, MIN_REQUEST);
        if (actor == address(0)) return;
        uint256 shares = _size(size, MIN_REQUEST, token.balanceOf(actor));
        vm.prank(actor);
        vm.assertEq(
            adapter.requestRedeem(shares, _actor(controller), actor), asks.length + 1, "the adapter's id is the queue's"
        );
        _note(address(adapter), shares);
        adapterAsks.push(asks.length);
        ++done[Action.AsyncRequest];
    }

    function asyncRedeem(uint256 who, uint256 size, bool all) external steady {
        (address actor, uint256 most) = _redeeming(who);
        if (most == 0) {
            _refused(
                actor,
                0,
                abi.encodeWithSelector(IAsyncRedeemVault.RedeemAboveClaimable.selector, 1, 0),
                address(adapter),
                abi.encodeCall(adapter.redeem, (1, actor, actor))
            );
            return;
        }
        uint256 worth = adapter.maxWithdraw(actor);
        uint256 shares = all ? most : _size(size, 1, most);
        uint256 before = wrapped.balanceOf(actor);
        vm.prank(actor);
        uint256 assets = adapter.redeem(shares, actor, actor);
        vm.assertEq(wrapped.balanceOf(actor) - before, assets, "what is redeemed arrives");
        if (shares == most) vm.assertEq(assets, worth, "all shares fetch all assets");
        else vm.assertLe(assets, worth, "never more than there is");
        _drawn(assets);
        ++done[Action.AsyncRedeem];
    }

    function asyncWithdraw(uint256 who, uint256 size) external steady {
        (address actor, uint256 most) = _redeeming(who);
        uint256 worth = adapter.maxWithdraw(actor);
        if (worth == 0) return;
        uint256 assets = _size(size, 1, worth);
        uint256 before = wrapped.balanceOf(actor);
        vm.prank(actor);
        uint256 shares = adapter.withdraw(assets, actor, actor);
        vm.assertLe(shares, most, "never more shares than claimable");
        vm.assertEq(wrapped.balanceOf(actor) - before, assets, "what is withdrawn arrives");
        _drawn(assets);
        ++done[Action.AsyncWithdraw];
    }

    // --- Time and governance ---

    function warp(uint256 seconds_) external {
        ++calls;
        (uint256 total, uint256 supply) = (vault.totalAssets(), vault.supply());
        vm.warp(block.timestamp + (seconds_ % 4 == 0 ? seconds_ % 5 days : 1 + seconds_ % 1 days));
        vm.assertEq(vault.supply(), supply, "time mints nothing");
        vm.assertGe(vault.totalAssets(), total, "INV-ACC-08: time only vests");
        ++done[Action.Warp];
    }

    function pause(uint256 seconds_, bool resume) external steady {
        if (resume) {
            vm.prank(guardian);
            vault.resumeStaking();
            pausedUntil = 0;
            return;
        }
        seconds_ = seconds_ % 10 == 0 ? 14 days : seconds_ % 6 hours;
        vm.prank(guardian);
        vault.pauseStaking(seconds_);
        pausedUntil = block.timestamp + seconds_;
        ++done[Action.Pause];
    }

    function setLimit(uint256 newBurst, uint256 newGrowth) external steady {
        uint256 available = _limit();
        newBurst = newBurst % 400_000 ether;
        newGrowth = newGrowth % 4 ether;
        vm.prank(governor);
        vault.setStakeLimit(newBurst, newGrowth);
        ceiling = vault.pooled() + _least(available, newBurst);
        since = block.timestamp;
        burst = newBurst / 1 gwei * 1 gwei;
        growth = newGrowth / 1 gwei * 1 gwei;
        ++done[Action.Limit];
    }

    function setFee(uint256 newFee) external steady {
        newFee %= 2_400;
        if (newFee > 2_000) {
            _refused(
                governor,
                0,
                abi.encodeWithSelector(IStakingVault.FeeAboveMaximum.selector, newFee, 2_000),
                abi.encodeCall(vault.setFee, (address(splitter), newFee))
            );
            return;
        }
        vm.prank(governor);
        vault.setFee(address(splitter), newFee);
        ++done[Action.Fee];
    }

    function setModules(uint256 bonds, bool covered, uint256 mode) external steady {
        vm.startPrank(governor);
        address chosen = [address(0), address(module), address(module), address(reentrant)][bonds % 4];
        vault.setBonds(chosen);
        vault.setCover(covered ? address(cover) : address(0));
        vm.stopPrank();
        ScriptedModule.Mode[4] memory modes = [
            ScriptedModule.Mode.GivesWhatItHas,
            ScriptedModule.Mode.GivesWhatItHas,
            ScriptedModule.Mode.GivesNothing,
            ScriptedModule.Mode.Reverts
        ];
        module.setMode(modes[mode % 4]);
        ++done[Action.Modules];
    }

    function fundCover(uint256 who, uint256 size, bool bonds) external steady {
        address actor = _holding(who, 1);
        if (actor == address(0)) return;
        uint256 shares = _size(size, 1, token.balanceOf(actor));
        vm.prank(actor);
        token.transfer(bonds ? address(module) : address(cover), shares);
        ++done[Action.FundCover];
    }

    function split(uint256 who) external steady {
        splitter.distribute();
        splitter.claim(IFeeSplitter.Group.Operators, _actor(who));
        splitter.claim(IFeeSplitter.Group.Referrers, _actor(who));
        if (who % 2 == 0) splitter.claimTreasury();
        if (who % 3 == 0) splitter.claimCover();
        ++done[Action.Split];
    }

    /// @dev In one block: stake, ask for all of it, let a report come, be paid. Nothing is to be gained whatever it says.
    function roundTrip(uint256 who, uint256 size, uint256 change, uint256 fromRewards) external {
        ++calls;
        _later();
        address actor = _actor(who);
        uint256 most = vault.maxDeposit(actor);
        uint256 amount = _size(size, MIN_STAKE * 2, _least(most, actor.balance));
        if (amount > most) return;
        uint256 rest = token.balanceOf(actor);
        uint256 before = actor.balance;
        _stake(actor, actor, amount, 0);
        amount = token.balanceOf(actor) - rest;
        if (amount < MIN_REQUEST) return;
        _request(actor, actor, amount);
        _report(change, 0, fromRewards, 0);
        if (queue.finalizable() < asks.length) return;
        _settleLast(actor);
        uint256 kept = vault.convertToAssets(token.balanceOf(actor) - rest);
        vm.assertLe(
            actor.balance + kept,
            before + 4 * (vault.rate() / 1 ether + 1),
            "INV-VAL-01: a round trip around a report gains nothing"
        );
        ++done[Action.RoundTrip];
    }

    function _settleLast(address actor) private steady {
        uint256 id = asks.length;
        _finalize(id);
        vm.prank(actor);
        queue.claim(id, checkpoints, actor);
        _paid(id);
    }

    function stranger(uint256 who, uint256 seed) external steady {
        address actor = _actor(who);
        bytes memory unauthorised = abi.encodeWithSelector(AccessManagedError.AccessManagedUnauthorized.selector, actor);
        bytes memory notOracle = abi.encodeWithSelector(IStakingVault.CallerNotAllowed.selector, actor, address(oracle));
        bytes memory notQueue = abi.encodeWithSelector(IStakingVault.CallerNotAllowed.selector, actor, address(queue));
        bytes memory notVault = abi.encodeWithSelector(IStakingVault.CallerNotAllowed.selector, actor, address(vault));
        bytes memory notDepositor = abi.encodeWithSelector(IStakingVault.DepositorUnknown.selector, actor);
        BeaconDeposit[] memory none;
        ConsensusReport memory empty;
        if (seed % 8 == 0) _refused(actor, 0, unauthorised, abi.encodeCall(vault.setFee, (actor, 1)));
        if (seed % 8 == 1) _refused(actor, 0, unauthorised, abi.encodeCall(vault.setOracle, (address(queue))));
        if (seed % 8 == 2) _refused(actor, 0, notDepositor, abi.encodeCall(vault.depositToBeacon, (none)));
        if (seed % 8 == 3) _refused(actor, 0, notOracle, abi.encodeCall(vault.report, (empty)));
        if (seed % 8 == 4) _refused(actor, 0, notQueue, abi.encodeWithSignature("redeem(uint256)", 1));
        if (seed % 8 == 5) _refused(actor, 0, notVault, address(token), abi.encodeCall(token.mint, (actor, 1)));
        if (seed % 8 == 6) _refused(actor, 0, notVault, address(rewards), abi.encodeCall(rewards.pull, (0)));
        if (seed % 8 == 7) _refused(actor, 0, notVault, address(cover), abi.encodeCall(cover.cover, (1)));
        ++done[Action.Stranger];
    }

    // --- What must hold ---

    function check() external view {
        _checkShares();
        _checkEther();
        _checkQueue();
        _checkLimits();
        _checkConversions();
        _checkWrapper();
        _checkSides();
    }

    function _checkShares() private view {
        uint256 sum;
        for (uint256 i = 0; i < holders.length; ++i) {
            sum += token.balanceOf(holders[i]);
        }
        vm.assertEq(sum, vault.supply(), "INV-ACC-01: the balances are the supply");
        vm.assertEq(token.totalSupply(), vault.supply(), "INV-ACC-01: the token tells the vault's supply");
        vm.assertGe(token.balanceOf(SEED_HOLDER), SEED, "INV-ACC-02: the seed stays");
        vm.assertTrue(vault.totalAssets() > 0, "INV-ACC-02: there is always something");
    }

    function _checkEther() private view {
        vm.assertEq(
            int256(vault.pooled()),
            int256(SEED + staked) - int256(redeemed) + profit,
            "INV-ETH-04: pooled is the ledger's"
        );
        vm.assertEq(vault.buffer() + vault.outside(), vault.pooled(), "INV-ACC-03: pooled is buffer and outside");
        vm.assertEq(
            address(vault).balance, vault.buffer() + forced[address(vault)], "INV-ETH-02: the vault has its buffer"
        );
        vm.assertEq(_etherOfAll(), issued, "INV-ETH-01: ether is conserved");
        (, uint256 deposited,,) = vault.consensus();
        vm.assertEq(deposited, depositedGwei, "INV-ETH-03: what was deposited is counted");
        vm.assertEq(
            DEPOSIT_CONTRACT.balance,
            deposited * 1 gwei + forced[DEPOSIT_CONTRACT],
            "INV-ETH-03: and is where it belongs"
        );
        vm.assertEq(
            vault.totalAssets() + vault.unvested(),
            vault.pooled(),
            "INV-ACC-04: what has not vested belongs to nobody yet"
        );
    }

    function _checkQueue() private view {
        vm.assertEq(queue.lastRequestId(), asks.length, "INV-QUE-03: ids");
        vm.assertEq(queue.lastFinalizedId(), finalizedId, "INV-QUE-03: finalised is a prefix");
        vm.assertEq(queue.lastCheckpoint(), checkpoints, "INV-QUE-03: checkpoints");
        vm.assertEq(queue.openShares(), openGwei * 1 gwei, "INV-QUE-04: open shares");
        vm.assertEq(
            token.balanceOf(address(queue)),
            openGwei * 1 gwei + donated[address(queue)],
            "INV-QUE-04: the escrow is that of the open requests"
        );
        vm.assertEq(
            address(queue).balance,
            queueHeld + forced[address(queue)],
            "INV-QUE-01: the queue has what it took for claims"
        );
        vm.assertLe(owedOpen, queueHeld, "INV-QUE-01: all claims can be paid");
        vm.assertLe(queueHeld - owedOpen, asks.length, "INV-QUE-02: rounding leaves less than a wei a request");
        if (asks.length == 0) return;
        // one request a look, another one each time
        uint256 id = 1 + (calls * 7) % asks.length;
        Ask memory ask = asks[id - 1];
        IWithdrawalQueue.Request memory there = queue.getRequest(id);
        vm.assertEq(there.owner, ask.claimed ? address(0) : ask.owner);
        vm.assertEq(there.shares, uint256(ask.size) * 1 gwei, "INV-QUE-11: a request keeps its size");
        vm.assertEq(there.requestedAt, ask.at, "INV-QUE-11: and its time");
        vm.assertEq(there.finalized, ask.checkpoint != 0);
        vm.assertEq(there.claimed, ask.claimed);
        if (ask.checkpoint != 0) vm.assertEq(there.assets, ask.owed, "INV-QUE-02: what is settled is settled");
        if (ask.checkpoint != 0) vm.assertEq(queue.findCheckpoint(id), ask.checkpoint, "INV-QUE-06: one hint");
    }

    function _checkLimits() private view {
        uint256 expected = block.timestamp < pausedUntil ? 0 : _limit();
        vm.assertEq(vault.stakeLimit(), expected, "INV-LIM-01: the limit is the ledger's");
        vm.assertLe(vault.stakingPausedUntil(), block.timestamp + 14 days, "INV-PAU-01: a pause ends by itself");
        vm.assertLe(vault.fee(), 2_000, "INV-LIM-02: the fee is bounded");
        uint256 owed = vault.previewMint(queue.openShares());
        uint256 buffer = vault.buffer();
        vm.assertEq(vault.depositable(), buffer > owed ? buffer - owed : 0, "INV-QUE-10: the queue comes first");
    }

    function _checkConversions() private view {
        uint256 amount = uint256(keccak256(abi.encode(calls))) % 10 ** (1 + calls % 24);
        uint256 shares = vault.convertToShares(amount);
        uint256 assets = vault.convertToAssets(amount);
        vm.assertLe(vault.convertToAssets(shares), amount, "INV-ACC-07: there and back gains nothing");
        vm.assertLe(vault.convertToShares(assets), amount, "INV-ACC-07: there and back gains nothing");
        vm.assertEq(vault.previewDeposit(amount), shares, "INV-ACC-06: previewDeposit");
        vm.assertEq(vault.previewRedeem(amount), assets, "INV-ACC-06: previewRedeem");
        vm.assertLe(vault.previewMint(amount) - assets, 1, "INV-VAL-02: mint rounds up");
        vm.assertLe(vault.previewWithdraw(amount) - shares, 1, "INV-VAL-02: withdraw rounds up");
    }

    function _checkWrapper() private view {
        uint256 sum;
        uint256 worth;
        for (uint256 i = 0; i < ACTORS; ++i) {
            sum += rebasing.sharesOf(actors[i]);
            worth += rebasing.balanceOf(actors[i]);
        }
        vm.assertEq(rebasing.totalShares(), sum, "INV-REB-01: the shares are the sum");
        vm.assertEq(
            token.balanceOf(address(rebasing)), sum + donated[address(rebasing)], "INV-REB-01: each share is there"
        );
        vm.assertLe(worth, rebasing.totalSupply(), "INV-REB-02: balances are within the supply");
        vm.assertLe(
            rebasing.totalSupply(),
            vault.convertToAssets(token.balanceOf(address(rebasing))),
            "INV-REB-02: never worth more than what is held"
        );
    }

    function _checkSides() private view {
        vm.assertEq(
            address(adapter).balance,
            adapterIn - adapterOut + forced[address(adapter)],
            "INV-ASY-01: the adapter's ether"
        );
        uint256 lines;
        for (uint256 i = 0; i < ACTORS; ++i) {
            (,,, uint256 assets) = adapter.lineOf(actors[i]);
            lines += assets;
        }
        vm.assertLe(lines, adapterIn - adapterOut, "INV-ASY-01: the adapter can pay what it drew");
        vm.assertEq(token.balanceOf(address(adapter)), donated[address(adapter)], "INV-ASY-01: it keeps no slETH");
        vm.assertLe(splitter.booked(), token.balanceOf(address(splitter)), "INV-FEE-01: what is booked is there");
        vm.assertLe(
            splitter.treasuryOwed() + splitter.coverOwed() + splitter.claimable(IFeeSplitter.Group.Operators, actors[0])
                + splitter.claimable(IFeeSplitter.Group.Operators, actors[1])
                + splitter.claimable(IFeeSplitter.Group.Referrers, actors[2]),
            splitter.booked(),
            "INV-FEE-01: what is owed is booked"
        );
    }

    // --- The end ---

    /// @dev Everybody leaves: every settled request can be claimed, and with the ether back every open one is settled.
    function windDown() external {
        _claimAll();
        for (uint256 i = 0; i < ACTORS; ++i) {
            address actor = actors[i];
            uint256 shares = rebasing.sharesOf(actor);
            vm.startPrank(actor);
            if (shares != 0) rebasing.unwrapShares(shares);
            vm.stopPrank();
            shares = token.balanceOf(actor);
            if (shares >= MIN_REQUEST) _request(actor, actor, shares);
        }
        withdrawnGwei += beaconGwei;
        _give(address(gateway), beaconGwei * 1 gwei);
        beaconGwei = 0;
        vm.warp(block.timestamp + 12);
        _report(0, 1, 0, 0);
        gateway.sweep();
        if (asks.length != finalizedId) {
            vm.assertEq(queue.finalizable(), asks.length, "INV-QUE-05: with the ether back all are paid");
            _finalize(asks.length);
        }
        _claimAll();
        vm.assertEq(owedOpen, 0, "INV-QUE-05: nobody is owed anything");
        vm.assertEq(queue.openShares(), 0, "INV-QUE-05: nobody waits");
        for (uint256 i = 0; i < ACTORS; ++i) {
            vm.assertLe(token.balanceOf(actors[i]), MIN_REQUEST, "INV-QUE-05: what is left is too small to ask for");
            uint256 most = adapter.maxRedeem(actors[i]);
            while (most != 0) {
                vm.prank(actors[i]);
                _drawn(adapter.redeem(most, actors[i], actors[i]));
                most = adapter.maxRedeem(actors[i]);
            }
        }
    }

    /// @dev Bit i stands for action i: it came to pass.
    function doneMask() external view returns (uint256 mask) {
        for (uint256 i = 0; i <= uint256(type(Action).max); ++i) {
            if (done[Action(i)] != 0) mask |= 1 << i;
        }
    }

    function fullMask() external pure returns (uint256) {
        return (2 << uint256(type(Action).max)) - 1;
    }

    function _claimAll() private {
        for (uint256 id = 1; id <= finalizedId; ++id) {
            if (asks[id - 1].claimed) continue;
            queue.claim(id, asks[id - 1].checkpoint, asks[id - 1].owner);
            _paid(id);
        }
    }

    // --- Doing and noting ---

    function _stake(address actor, address receiver, uint256 amount, uint256 way) private {
        uint256 expected = vault.previewDeposit(amount);
        uint256 room = vault.stakeLimit();
        if (way == 1) receiver = actor;
        uint256 before = way == 3 ? rebasing.sharesOf(receiver) : token.balanceOf(receiver);
        uint256 shares = expected;
        vm.prank(actor);
        if (way == 0) {
            shares = vault.stake{value: amount}(receiver, expected, actor);
        } else if (way == 1) {
            (bool fine,) = address(vault).call{value: amount}("");
            vm.assertTrue(fine, "plain ether stakes");
        } else if (way == 2) {
            shares = vault.deposit{value: amount}(amount, receiver);
        } else {
            shares = rebasing.stake{value: amount}(receiver, expected, address(0));
        }
        staked += amount;
        uint256 after_ = way == 3 ? rebasing.sharesOf(receiver) : token.balanceOf(receiver);
        vm.assertEq(shares, expected, "INV-ACC-06: previewDeposit is exact");
        vm.assertEq(after_ - before, expected, "the receiver gets the shares");
        vm.assertEq(vault.stakeLimit(), room - amount, "a stake takes its size of the limit");
    }

    function _request(address actor, address receiver, uint256 shares) private {
        uint256 before = token.balanceOf(actor);
        vm.prank(actor);
        vm.assertEq(queue.request(shares, receiver), asks.length + 1, "ids rise by one");
        _note(receiver, shares);
        vm.assertEq(before - token.balanceOf(actor), shares / 1 gwei * 1 gwei, "whole gwei go into escrow");
    }

    function _note(address owner, uint256 shares) private {
        uint64 size = uint64(shares / 1 gwei);
        asks.push(Ask(owner, size, uint40(block.timestamp), 0, false, 0));
        openGwei += size;
    }

    function _finalize(uint256 upTo) private {
        uint256 gweis;
        for (uint256 id = finalizedId + 1; id <= upTo; ++id) {
            gweis += asks[id - 1].size;
        }
        uint256 expected = vault.previewRedeem(gweis * 1 gwei);
        uint256 held = address(queue).balance;
        vm.assertEq(queue.finalize(upTo), expected, "finalised at the rate of the moment");
        vm.assertEq(address(queue).balance - held, expected, "the ether is set aside");
        ++checkpoints;
        for (uint256 id = finalizedId + 1; id <= upTo; ++id) {
            Ask storage ask = asks[id - 1];
            ask.checkpoint = uint32(checkpoints);
            ask.owed = ask.size * expected / gweis;
            owedOpen += ask.owed;
            vm.assertTrue(
                _mayBeSettled(ask.at), "INV-QUE-08: no request is settled before a report covers it, nor long after"
            );
        }
        finalizedId = upTo;
        openGwei -= gweis;
        redeemed += expected;
        queueHeld += expected;
    }

    function _mayBeSettled(uint256 at) private view returns (bool) {
        (uint256 referenceTime, uint256 appliedAt) = vault.lastReport();
        if (at > referenceTime) return block.timestamp >= at + STALE_AFTER;
        return block.timestamp <= appliedAt + FINALIZE_WINDOW || block.timestamp >= referenceTime + STALE_AFTER;
    }

    function _paid(uint256 id) private {
        Ask storage ask = asks[id - 1];
        ask.claimed = true;
        owedOpen -= ask.owed;
        queueHeld -= ask.owed;
        if (ask.owner == address(adapter)) adapterIn += ask.owed;
    }

    /// @dev What the adapter took out of the queue by itself.
    function _drawn(uint256 assets) private {
        for (uint256 i = 0; i < adapterAsks.length; ++i) {
            uint256 id = adapterAsks[i];
            if (asks[id - 1].checkpoint == 0) break;
            if (!asks[id - 1].claimed && queue.getRequest(id).claimed) _paid(id);
        }
        adapterOut += assets;
    }

    struct Before {
        uint256 total;
        uint256 supply;
        uint256 pooled;
        uint256 unvested;
        uint256 available;
        uint256 unrecovered;
        uint256 burnt;
        uint256 fee;
    }

    /// @dev An honest report: what the validators have and what they ever paid. Always accepted.
    function _report(uint256 change, uint256 provision, uint256 fromRewards, uint256 age) private {
        _earn(change);
        Before memory b = Before(
            vault.totalAssets(),
            vault.supply(),
            vault.pooled(),
            vault.unvested(),
            _least(_limit(), burst),
            vault.unrecovered(),
            0,
            0
        );
        ConsensusReport memory given = _honest(provision, fromRewards, age);
        int256 newProfit = _profitOf(given);
        int256 gained = (newProfit - profitGwei) * 1 gwei + int256(uint256(given.rewards));
        if (gained < 0) {
            // all of it by fault, which reports tell in gwei
            gained -= int256(uint256(given.rewards % 1 gwei));
            given.rewards -= given.rewards % 1 gwei;
            given.faults = uint64(uint256(-gained) / 1 gwei);
        } else {
            given.faults = uint64(change % 5 == 0 ? change % (beaconGwei / 100 + 1) : 0);
        }
        uint256 fees = token.balanceOf(address(splitter));

        vm.prank(address(oracle));
        (int256 told, uint256 total) = vault.report(given);
        vm.assertEq(told, gained);
        vm.assertEq(total, b.total, "a report tells the total before it");
        profitGwei = newProfit;
        profit += gained;
        if (gained >= 0) _expectGain(b, uint256(gained), fees, uint256(given.faults) * 1 gwei);
        else _expectLoss(b, uint256(-gained));
        ceiling = vault.pooled() + b.available;
        since = block.timestamp;
    }

    /// @dev Of the consensus side since the beginning, gwei. A gift that was swept where ether was lost makes the loss good.
    function _profitOf(ConsensusReport memory given) private view returns (int256) {
        (,, uint256 swept,) = vault.consensus();
        uint256 back = withdrawnGwei;
        if (beaconGwei + back < swept + given.provision) back = swept + given.provision - beaconGwei;
        return int256(beaconGwei) + int256(back) - int256(uint256(given.provision)) - int256(depositedGwei);
    }

    function _expectGain(Before memory b, uint256 gain, uint256 fees, uint256 faults) private {
        uint256 recovered = _least(b.unrecovered, gain);
        b.fee = (gain - recovered) * vault.fee() / 10_000;
        uint256 shares = b.fee * b.supply / b.total;
        vm.assertEq(vault.pooled(), b.pooled + gain, "INV-ACC-09: a gain is pooled");
        b.burnt = b.supply + shares - vault.supply(); // by bonds, whatever they gave
        uint256 covered = _least(faults, b.burnt * b.total / b.supply);
        vm.assertEq(vault.unvested(), b.unvested + gain - b.fee + covered, "INV-ACC-09: and vests, with what bonds pay");
        if (faults == 0) vm.assertEq(b.burnt, 0, "INV-ORC-06: but for the fee");
        if (covered != 0) ++done[Action.CoveredFault];
        vm.assertEq(token.balanceOf(address(splitter)), fees + shares, "INV-ORC-06: which the recipient gets");
        vm.assertEq(vault.unrecovered(), b.unrecovered - recovered, "INV-ORC-06: no fee on what makes a loss good");
        _requireSteady(b.total, b.supply);
        ++done[Action.Gain];
    }

    function _expectLoss(Before memory b, uint256 loss) private {
        uint256 supply = vault.supply();
        b.burnt = b.supply - supply;
        vm.assertEq(vault.pooled(), b.pooled - loss, "INV-ACC-10: a loss leaves the pool");
        vm.assertLe(vault.unvested(), b.unvested, "INV-ACC-10: nothing is made of it");
        uint256 covered = b.burnt * b.total / b.supply;
        uint256 fromUnvested = b.unvested - vault.unvested();
        uint256 missing = vault.unrecovered() - b.unrecovered;
        vm.assertLe(missing, loss, "INV-ACC-10: no more is missing than was lost");
        vm.assertGe(missing + covered + 2, loss, "INV-ACC-10: what was not covered is");
        if (covered + fromUnvested + 2 >= loss) {
            _requireSteady(b.total, b.supply);
        } else {
            // the modules gave all they had, all the unvested is gone, and no more than the rest is shared
            vm.assertEq(vault.unvested(), 0, "INV-ACC-10: the unvested pays before holders do");
            if (vault.bonds() == address(module) && module.mode() == ScriptedModule.Mode.GivesWhatItHas) {
                vm.assertEq(token.balanceOf(address(module)), 0, "INV-ACC-10: so do the bonds");
            }
            if (vault.cover() != address(0)) {
                vm.assertEq(token.balanceOf(address(cover)), 0, "INV-ACC-10: and the cover");
            }
            vm.assertGe(
                vault.totalAssets() + (loss - fromUnvested), b.total, "INV-ACC-10: only what is left over is shared"
            );
            ++done[Action.SharedLoss];
        }
        if (b.burnt != 0) ++done[Action.CoveredLoss];
        ++done[Action.Loss];
    }

    function _earn(uint256 change) private {
        uint256 kind = change % 8;
        uint256 part = change >> 8;
        if (kind == 0) return;
        uint256 most = kind < 5
            ? beaconGwei / 1_000
            : kind == 5 ? beaconGwei / 20 : kind == 6 ? beaconGwei / 200 : beaconGwei * 2 / 5;
        uint256 delta = part % (most + 1);
        if (kind >= 6) beaconGwei -= delta;
        else if (vault.unvested() < 500_000 ether) beaconGwei += delta % 500_000e9; // what vests has 80 bits
    }

    function _honest(uint256 provision, uint256 fromRewards, uint256 age)
        private
        view
        returns (ConsensusReport memory given)
    {
        uint256 last = vault.referenceTime();
        given.referenceTime = uint40(age % 3 == 0 ? block.timestamp : last + 1 + age % (block.timestamp - last));
        given.consensusBalance = uint64(beaconGwei);
        given.provision = uint64(provision % 4 == 0 ? provision % (beaconGwei / 100 + 1) : 0);
        given.deposited = uint64(depositedGwei);
        given.withdrawn = uint64(withdrawnGwei);
        given.rewards =
            uint96(fromRewards % 3 == 0 ? address(rewards).balance : fromRewards % (address(rewards).balance + 1));
    }

    function _requireSteady(uint256 total, uint256 supply) private view {
        uint256 newTotal = vault.totalAssets();
        uint256 newSupply = vault.supply();
        vm.assertGe(newTotal * supply, total * newSupply, "INV-ACC-05: the rate does not fall");
        uint256 dust = 4 * (total / supply + 2);
        uint256 most = supply > newSupply ? supply : newSupply;
        vm.assertLe(newTotal * supply, total * newSupply + dust * most, "INV-ACC-05: nor jump");
    }

    function _give(address to, uint256 amount) private {
        vm.deal(to, to.balance + amount);
        issued += amount;
    }

    function _refused(address actor, uint256 value, bytes memory error, bytes memory data) private {
        _refused(actor, value, error, address(vault), data);
    }

    function _refused(address actor, uint256 value, bytes memory error, address target, bytes memory data) private {
        vm.prank(actor);
        (bool fine, bytes memory answer) = target.call{value: value}(data);
        vm.assertTrue(!fine, "this must be refused");
        vm.assertEq(answer, error);
    }

    function _stakeError(uint256 amount) private view returns (bytes memory) {
        if (block.timestamp < pausedUntil) {
            return abi.encodeWithSelector(IStakingVault.StakingIsPaused.selector, pausedUntil);
        }
        return abi.encodeWithSelector(IStakingVault.StakeAboveLimit.selector, amount, _limit());
    }

    /// @dev The stake limit by the ledger.
    function _limit() private view returns (uint256) {
        uint256 top = ceiling + growth * _least(block.timestamp - since, 1 days);
        uint256 pooled = vault.pooled();
        return top > pooled ? top - pooled : 0;
    }

    function _etherOfAll() private view returns (uint256 sum) {
        for (uint256 i = 0; i < places.length; ++i) {
            sum += places[i].balance;
        }
    }

    /// @dev The next report needs a later second.
    function _later() private {
        if (block.timestamp <= vault.referenceTime()) vm.warp(vault.referenceTime() + 12);
    }

    // --- Choosing ---

    function _name(uint256 index) private pure returns (string memory) {
        return string.concat("actor ", vm.toString(index));
    }

    function _actor(uint256 seed) private view returns (address) {
        return actors[seed % ACTORS];
    }

    function _keyOf(address actor) private view returns (uint256) {
        for (uint256 i = 0; i < ACTORS; ++i) {
            if (actors[i] == actor) return keyOfName(_name(i));
        }
        revert("no actor");
    }

    /// @dev The first from `seed` on who has so much slETH, or nobody.
    function _holding(uint256 seed, uint256 least) private view returns (address) {
        for (uint256 i = 0; i < ACTORS; ++i) {
            address actor = actors[addmod(seed, i, ACTORS)];
            if (token.balanceOf(actor) >= least) return actor;
        }
        return address(0);
    }

    function _wrapping(uint256 seed) private view returns (address) {
        for (uint256 i = 0; i < ACTORS; ++i) {
            address actor = actors[addmod(seed, i, ACTORS)];
            if (rebasing.sharesOf(actor) != 0) return actor;
        }
        return address(0);
    }

    function _redeeming(uint256 seed) private view returns (address actor, uint256 most) {
        for (uint256 i = 0; i < ACTORS; ++i) {
            actor = actors[addmod(seed, i, ACTORS)];
            most = adapter.maxRedeem(actor);
            if (most != 0) return (actor, most);
        }
    }

    function _claimable(uint256 seed) private view returns (uint256) {
        for (uint256 i = 0; i < finalizedId; ++i) {
            uint256 id = 1 + addmod(seed, i, finalizedId);
            if (!asks[id - 1].claimed) return id;
        }
        return 0;
    }

    /// @dev From the least to the most, all magnitudes alike, and the ends themselves.
    function _size(uint256 seed, uint256 least, uint256 most) private pure returns (uint256) {
        if (most <= least) return least;
        uint256 kind = seed % 16;
        if (kind == 0) return least;
        if (kind == 1) return least + 1;
        if (kind == 2) return most;
        uint256 rest = uint256(keccak256(abi.encode(seed)));
        return least + rest % 10 ** (3 + seed % 21) % (most - least + 1);
    }

    function _least(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}

interface IWeth {
    function deposit() external payable;
    function approve(address spender, uint256 value) external returns (bool);
    function balanceOf(address account) external view returns (uint256);
}
