// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IFarm} from "../../../contracts/interfaces/IFarm.sol";
import {Test} from "../support/Test.sol";

interface IPlainToken {
    function mint(address to, uint256 amount) external;
    function approve(address spender, uint256 amount) external returns (bool);
    function balanceOf(address account) external view returns (uint256);
}

/// @dev Stakers and adders over two tokens, both staked and both paid, at sizes from one unit to the most there can be.
contract FarmHandler is Test {
    enum Action {
        Add,
        Stake,
        StakeFor,
        Unstake,
        UnstakeAll,
        Enable,
        Disable,
        Forget,
        Claim,
        Exit,
        EmergencyExit,
        Reclaim
    }

    uint256 private constant TOKENS = 2;
    uint256 private constant USERS = 4;
    uint256 private constant MOST_STREAMS = 24;

    IFarm public immutable farm;
    IPlainToken[] private tokens;
    address[] private users;
    address private adder = named("adder");

    mapping(address token => uint256) private staked;
    mapping(uint256 id => uint256) private claimed;
    mapping(uint256 id => uint256) private reclaimed;
    mapping(uint256 id => uint256) private leaves; // how often less than a unit was lost
    mapping(uint256 id => uint256) private accumulator; // last seen
    mapping(Action action => uint256) public done;
    uint256 public calls;

    /// @dev No accumulator ever falls.
    modifier watched() {
        ++calls;
        _;
        for (uint256 id = 1; id <= farm.lastStreamId(); ++id) {
            uint256 seen = farm.stream(id).accumulator;
            vm.assertGe(seen, accumulator[id], "an accumulator fell");
            accumulator[id] = seen;
        }
    }

    constructor() {
        farm = IFarm(vm.deployCode("Farm.sol:Farm"));
        for (uint256 i = 0; i < TOKENS; ++i) {
            tokens.push(IPlainToken(vm.deployCode("WeirdToken.sol:WeirdToken", abi.encode(18))));
        }
        for (uint256 i = 0; i < USERS; ++i) {
            users.push(named(string.concat("farmer ", vm.toString(i))));
            _fund(users[i]);
        }
        _fund(adder);
        vm.warp(1_800_000_000);
    }

    // --- Actions ---

    function warp(uint256 time) external watched {
        vm.warp(block.timestamp + bound(time, 1, 3 days));
    }

    function add(uint256 which, uint256 amount, uint256 delay, uint256 duration) external watched {
        if (farm.lastStreamId() == MOST_STREAMS) return;
        uint256 start = block.timestamp + bound(delay, 0, 2 days);
        amount = which % 3 == 0 ? bound(amount, 1, 1_000) : bound(amount, 1, type(uint96).max);
        uint256 end = start + bound(duration, 1 hours, 20 days);
        vm.prank(adder);
        farm.addStream(address(_token(which)), address(_token(which >> 1)), amount, start, end);
        ++done[Action.Add];
    }

    function stake(uint256 who, uint256 which, uint256 amount, uint256 id) external watched {
        address token = address(_token(which));
        amount = _size(token, amount);
        if (amount == 0) return;
        address user = _user(who);
        id = _bounded(id);
        bool joins = _canJoin(token, user, id);
        uint256[] memory ids = new uint256[](joins ? 1 : 0);
        if (joins) ids[0] = id;
        _noteLeaving(token, user, false);
        vm.prank(user);
        farm.stake(token, amount, user, ids);
        staked[token] += amount;
        ++done[Action.Stake];
    }

    function stakeFor(uint256 who, uint256 whom, uint256 which, uint256 amount) external watched {
        address token = address(_token(which));
        amount = _size(token, amount);
        if (amount == 0) return;
        _noteLeaving(token, _user(whom), false);
        vm.prank(_user(who));
        farm.stake(token, amount, _user(whom), new uint256[](0));
        staked[token] += amount;
        ++done[Action.StakeFor];
    }

    function unstake(uint256 who, uint256 which, uint256 amount) external watched {
        (address token, address user) = (address(_token(which)), _user(who));
        uint256 all = farm.stakeOf(token, user);
        if (all == 0) return;
        amount = bound(amount, 1, all);
        if (all - amount < farm.MIN_STAKE()) amount = all;
        _noteLeaving(token, user, amount == all);
        vm.prank(user);
        farm.unstake(token, amount, user);
        staked[token] -= amount;
        ++done[amount == all ? Action.UnstakeAll : Action.Unstake];
    }

    function enable(uint256 who, uint256 which, uint256 id) external watched {
        (address token, address user) = (address(_token(which)), _user(who));
        id = _bounded(id);
        if (!_canJoin(token, user, id)) return;
        _noteLeaving(token, user, false);
        vm.prank(user);
        farm.enable(token, _list(id));
        ++done[Action.Enable];
    }

    function disable(uint256 who, uint256 which, uint256 place, bool forget) external watched {
        (address token, address user) = (address(_token(which)), _user(who));
        uint256[] memory ids = farm.streamsOf(token, user);
        if (ids.length == 0) return;
        uint256 id = ids[place % ids.length];
        ++leaves[id];
        vm.prank(user);
        farm.disable(token, _list(id), forget);
        ++done[forget ? Action.Forget : Action.Disable];
    }

    function claim(uint256 who, uint256 id) external watched {
        id = _bounded(id);
        if (id == 0) return;
        address user = _user(who);
        uint256 due = farm.earned(id, user);
        vm.prank(user);
        farm.claim(_list(id), user);
        claimed[id] += due;
        vm.assertEq(farm.earned(id, user), 0, "claimed and still owed");
        if (due != 0) ++done[Action.Claim];
    }

    function exit(uint256 who, uint256 which) external watched {
        (address token, address user) = (address(_token(which)), _user(who));
        uint256[] memory ids = farm.streamsOf(token, user);
        for (uint256 i = 0; i < ids.length; ++i) {
            claimed[ids[i]] += farm.earned(ids[i], user);
        }
        _noteLeaving(token, user, true);
        uint256 all = farm.stakeOf(token, user);
        vm.prank(user);
        vm.assertEq(farm.exit(token, user), all);
        staked[token] -= all;
        if (ids.length != 0) ++done[Action.Exit];
    }

    function emergencyExit(uint256 who, uint256 which) external watched {
        (address token, address user) = (address(_token(which)), _user(who));
        uint256 chosen = farm.streamsOf(token, user).length;
        _noteLeaving(token, user, true);
        uint256 all = farm.stakeOf(token, user);
        vm.prank(user);
        vm.assertEq(farm.emergencyExit(token, user), all);
        staked[token] -= all;
        if (chosen != 0) ++done[Action.EmergencyExit];
    }

    function reclaim(uint256 id) external watched {
        id = _bounded(id);
        if (id == 0 || block.timestamp < farm.stream(id).end) return;
        uint256 due = farm.reclaimable(id);
        vm.assertEq(farm.reclaim(id), due);
        reclaimed[id] += due;
        if (due != 0) ++done[Action.Reclaim];
    }

    // --- What holds ---

    /// @dev F1: earned + claimed + what is the adder's <= funded; staked = tracked; balances = stakes + what streams hold.
    function check() external view {
        uint256[] memory held = new uint256[](TOKENS);
        for (uint256 t = 0; t < TOKENS; ++t) {
            address token = address(tokens[t]);
            uint256 total;
            for (uint256 u = 0; u < USERS; ++u) {
                total += farm.stakeOf(token, users[u]);
            }
            vm.assertEq(farm.totalStaked(token), total, "stakes do not add up");
            vm.assertEq(total, staked[token], "a stake came or went unseen");
            held[t] = total;
        }
        for (uint256 id = 1; id <= farm.lastStreamId(); ++id) {
            IFarm.StreamView memory s = farm.stream(id);
            (uint256 eligible, uint256 earned) = _members(s.stakeToken, id);
            vm.assertEq(s.eligible, eligible, "eligible is not what members stake");
            vm.assertEq(s.left, s.amount - claimed[id] - reclaimed[id], "a stream holds what it should not");
            uint256 adders = s.amount * s.idle / (s.end - s.start) + s.forfeited - reclaimed[id];
            vm.assertLe(earned + adders, s.left, "a stream owes more than it holds");
            held[s.rewardToken == address(tokens[0]) ? 0 : 1] += s.left;
        }
        for (uint256 t = 0; t < TOKENS; ++t) {
            vm.assertEq(tokens[t].balanceOf(address(farm)), held[t], "balance is not what is owed");
        }
    }

    /// @dev All leave after all streams are over: what a stream keeps is dust, where its scale is finer than its stakes.
    function windDown() external {
        vm.warp(block.timestamp + 30 days);
        for (uint256 u = 0; u < USERS; ++u) {
            for (uint256 t = 0; t < TOKENS; ++t) {
                this.exit(u, t);
            }
            for (uint256 id = 1; id <= farm.lastStreamId(); ++id) {
                this.claim(u, id - 1);
            }
        }
        for (uint256 id = 1; id <= farm.lastStreamId(); ++id) {
            this.reclaim(id - 1);
            IFarm.StreamView memory s = farm.stream(id);
            uint256 scale = (calls << 97) >> s.shift; // each call rounds the accumulator once, at most 2^96 of stake
            vm.assertLe(s.left, leaves[id] + 1 + scale, "more than dust is lost");
        }
        for (uint256 t = 0; t < TOKENS; ++t) {
            vm.assertEq(farm.totalStaked(address(tokens[t])), 0);
        }
    }

    function doneMask() external view returns (uint256 mask) {
        for (uint256 i = 0; i <= uint256(type(Action).max); ++i) {
            if (done[Action(i)] != 0) mask |= 1 << i;
        }
    }

    function fullMask() external pure returns (uint256) {
        return (2 << uint256(type(Action).max)) - 1;
    }

    // --- Internal ---

    function _fund(address user) private {
        for (uint256 t = 0; t < TOKENS; ++t) {
            tokens[t].mint(user, 1 << 160);
            vm.prank(user);
            tokens[t].approve(address(farm), type(uint256).max);
        }
    }

    function _token(uint256 which) private view returns (IPlainToken) {
        return tokens[which % TOKENS];
    }

    function _user(uint256 who) private view returns (address) {
        return users[who % USERS];
    }

    /// @dev An id that is there, `id + 1` where it can be; 0 where none is.
    function _bounded(uint256 id) private view returns (uint256) {
        uint256 last = farm.lastStreamId();
        return last == 0 ? 0 : id % last + 1;
    }

    function _list(uint256 id) private pure returns (uint256[] memory ids) {
        ids = new uint256[](1);
        ids[0] = id;
    }

    /// @dev What can be staked; the most there is, now and then.
    function _size(address token, uint256 amount) private view returns (uint256) {
        uint256 room = type(uint96).max - farm.totalStaked(token);
        uint256 least = farm.MIN_STAKE();
        if (room < least) return 0;
        if (amount % 16 == 0) return room;
        return bound(amount, least, amount % 2 == 0 ? room : least + (room - least >> 40));
    }

    function _canJoin(address token, address user, uint256 id) private view returns (bool) {
        if (id == 0) return false;
        IFarm.StreamView memory s = farm.stream(id);
        if (s.stakeToken != token || block.timestamp >= s.end) return false;
        uint256[] memory ids = farm.streamsOf(token, user);
        uint256 running;
        for (uint256 i = 0; i < ids.length; ++i) {
            if (ids[i] == id) return false;
            if (block.timestamp < farm.stream(ids[i]).end) ++running;
        }
        return running < farm.MAX_STREAMS();
    }

    /// @dev Which streams a change of the stake leaves: those that are over, or all.
    function _noteLeaving(address token, address user, bool all) private {
        uint256[] memory ids = farm.streamsOf(token, user);
        for (uint256 i = 0; i < ids.length; ++i) {
            if (all || block.timestamp >= farm.stream(ids[i]).end) ++leaves[ids[i]];
        }
    }

    function _members(address token, uint256 id) private view returns (uint256 eligible, uint256 earned) {
        for (uint256 u = 0; u < USERS; ++u) {
            earned += farm.earned(id, users[u]);
            uint256[] memory ids = farm.streamsOf(token, users[u]);
            for (uint256 i = 0; i < ids.length; ++i) {
                if (ids[i] == id) eligible += farm.stakeOf(token, users[u]);
            }
        }
    }
}
