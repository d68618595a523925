"""The farm beside an independent account of who has earned what: exact fractions, stretch of time by stretch of time.

The model knows no accumulator. Between two events stakes do not change, so a stream pays `amount * seconds / duration`,
divided by stakes; a {Membership} sums what that is for one account from choosing a stream to leaving it or to having
no stake.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tests.in_process import Process

MIN_STAKE = 10**6
PLACES = 5
INFINITE = 2**256 - 1


@dataclass
class Membership:
    """One account in one stream, from choosing it to leaving it or to having no stake."""

    exact: Fraction = Fraction(0)
    error: Fraction = Fraction(0)  # bound of what the contract's scale can take from `exact`
    counted: int = 0  # by the contract, at the last settlement


@dataclass
class Stream:
    id: int
    stake_token: Any
    reward_token: Any
    amount: int
    start: int
    end: int
    shift: int
    members: dict[str, Membership] = field(default_factory=dict)
    idle: int = 0
    forfeited: int = 0
    reclaimed: int = 0
    claimed: int = 0
    leaves: int = 0  # times that a fraction was lost
    error: Fraction = Fraction(0)
    before: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # earned in memberships that ended
    paid: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # claimed or forgotten

    @property
    def duration(self) -> int:
        return self.end - self.start

    def over(self, now: int) -> bool:
        return now >= self.end


class FarmTwin:
    """Does everything twice, compares all of it after each step."""

    def __init__(self, process: Process, farm: Any, tokens: list[Any], accounts: list[Any]) -> None:
        self.process, self.farm, self.tokens, self.accounts = process, farm, tokens, accounts
        self.streams: dict[int, Stream] = {}
        self.stakes: dict[tuple[str, str], int] = defaultdict(int)  # token, account
        self.chosen: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.clock = process.now
        self.compared = 0
        self.to_the_wei = 0
        self.worst = Fraction(0)

    # --- Time ---

    def pass_time(self, seconds: int) -> None:
        self.process.pass_time(seconds)
        since, self.clock = self.clock, self.process.now
        for s in self.streams.values():
            passed = min(self.clock, s.end) - max(since, s.start)
            if passed <= 0:
                continue
            stakes = {who: self.stakes[s.stake_token.address, who] for who in s.members}
            eligible = sum(stakes.values())
            if eligible == 0:
                s.idle += passed
            for who, stake in stakes.items():
                if stake:
                    s.members[who].exact += Fraction(s.amount * passed * stake, s.duration * eligible)

    # --- What is done ---

    def add_stream(self, adder: Any, stake_token: Any, reward_token: Any, amount: int, start: int, end: int) -> Stream:
        number = self.farm.addStream(stake_token, reward_token, amount, start, end, sender=adder)
        assert number == len(self.streams) + 1
        shift = self.farm.stream(number)[10]
        s = self.streams[number] = Stream(number, stake_token, reward_token, amount, start, end, shift)
        return s

    def stake(self, who: Any, token: Any, amount: int, receiver: Any, ids: list[int]) -> None:
        self.farm.stake(token, amount, receiver, ids, sender=who)
        self._change(token, receiver, self.stakes[token.address, receiver.address] + amount)
        for number in ids:
            self._choose(token, receiver, number)

    def unstake(self, who: Any, token: Any, amount: int) -> None:
        self.farm.unstake(token, amount, who, sender=who)
        self._change(token, who, self.stakes[token.address, who.address] - amount)

    def enable(self, who: Any, token: Any, ids: list[int]) -> None:
        self.farm.enable(token, ids, sender=who)
        self._change(token, who, self.stakes[token.address, who.address])
        for number in ids:
            self._choose(token, who, number)

    def disable(self, who: Any, token: Any, ids: list[int], forget: bool) -> None:
        self.farm.disable(token, ids, forget, sender=who)
        for number in ids:
            s = self.streams[number]
            self._leave(token, who, number, forgotten=forget)
            if forget:
                given = s.before[who.address] - s.paid[who.address]
                s.paid[who.address] += given
                s.forfeited += given
                assert self.farm.earned(number, who) == 0

    def claim(self, who: Any, ids: list[int]) -> None:
        for number in ids:
            s = self.streams[number]
            due, held = self.farm.earned(number, who), s.reward_token.balanceOf(who)
            self.farm.claim([number], who, sender=who)
            assert s.reward_token.balanceOf(who) == held + due
            s.paid[who.address] += due
            s.claimed += due
            if due and who.address in s.members:
                self._counted(s, who, self.stakes[s.stake_token.address, who.address])

    def exit(self, who: Any, token: Any) -> None:
        ids, stake = list(self.chosen[token.address, who.address]), self.stakes[token.address, who.address]
        dues = {number: self.farm.earned(number, who) for number in ids}
        assert self.farm.exit(token, who, sender=who) == stake
        for number in ids:
            s = self.streams[number]
            s.paid[who.address] += dues[number]
            s.claimed += dues[number]
            self._leave(token, who, number)
        self._touched(token, who)
        self.stakes[token.address, who.address] = 0

    def emergency_exit(self, who: Any, token: Any) -> None:
        ids, stake = list(self.chosen[token.address, who.address]), self.stakes[token.address, who.address]
        assert self.farm.emergencyExit(token, who, sender=who) == stake
        for number in ids:
            s = self.streams[number]
            m = s.members.pop(who.address)
            s.error += self._step(s, stake)
            given = self.farm.stream(number)[12] - s.forfeited
            open_part = m.exact - m.counted
            assert math.floor(open_part - m.error - self._step(s, stake)) <= given <= math.floor(open_part)
            s.forfeited += given
            s.before[who.address] += m.counted
            s.leaves += 1
            self._changed(s, None)
        self.chosen[token.address, who.address] = []
        self.stakes[token.address, who.address] = 0

    def reclaim(self, s: Stream, adder: Any) -> None:
        held = s.reward_token.balanceOf(adder)
        paid = self.farm.reclaim(s.id, sender=self.accounts[0])
        assert paid == s.amount * s.idle // s.duration + s.forfeited - s.reclaimed
        assert s.reward_token.balanceOf(adder) == held + paid
        s.reclaimed += paid

    # --- What that changes ---

    def _step(self, s: Stream, stake: int) -> Fraction:
        return Fraction(stake, 2**s.shift)

    def _changed(self, s: Stream, who: str | None) -> None:
        """The contract has rounded the accumulator once more."""
        for member, m in s.members.items():
            if member != who:
                step = self._step(s, self.stakes[s.stake_token.address, member])
                m.error += step
                s.error += step

    def _counted(self, s: Stream, who: Any, stake: int) -> None:
        """The contract has settled the account: what it counted is what the exact sum says."""
        m = s.members[who.address]
        counted = s.paid[who.address] + self.farm.earned(s.id, who) - s.before[who.address]
        step = 2 * self._step(s, max(stake, self.stakes[s.stake_token.address, who.address]))
        m.error += step
        s.error += step
        assert math.floor(m.exact - m.error) <= counted <= math.floor(m.exact)
        m.counted = counted

    def _change(self, token: Any, who: Any, stake: int) -> None:
        old = self.stakes[token.address, who.address]
        for number in list(self.chosen[token.address, who.address]):
            s = self.streams[number]
            if s.over(self.clock):
                self._leave(token, who, number)
            elif stake != old:
                self._counted(s, who, stake)
                self._changed(s, who.address)
                if stake == 0:  # still chosen, but the fraction has nothing to be carried by
                    s.before[who.address] += s.members[who.address].counted
                    s.members[who.address] = Membership()
                    s.leaves += 1
        self.stakes[token.address, who.address] = stake

    def _touched(self, token: Any, who: Any) -> None:
        assert self.chosen[token.address, who.address] == []

    def _choose(self, token: Any, who: Any, number: int) -> None:
        s = self.streams[number]
        self._changed(s, None)
        s.members[who.address] = Membership()
        self.chosen[token.address, who.address].append(number)

    def _leave(self, token: Any, who: Any, number: int, *, forgotten: bool = False) -> None:
        s = self.streams[number]
        if forgotten:  # the contract shows what was counted as forfeited
            given = self.farm.stream(number)[12] - s.forfeited
            m = s.members[who.address]
            step = self._step(s, self.stakes[token.address, who.address])
            m.error += step
            s.error += step
            counted = s.paid[who.address] + given - s.before[who.address]
            assert math.floor(m.exact - m.error) <= counted <= math.floor(m.exact)
            m.counted = counted
        else:
            self._counted(s, who, 0)
        s.before[who.address] += s.members.pop(who.address).counted
        s.leaves += 1
        self._changed(s, None)
        self.chosen[token.address, who.address].remove(number)

    # --- What must hold ---

    def room(self, token: Any, who: Any) -> int:
        """Places for further streams, once those that are over are left."""
        return PLACES - sum(not self.streams[n].over(self.clock) for n in self.chosen[token.address, who.address])

    def check(self) -> None:
        farm = self.farm
        held: dict[str, int] = defaultdict(int)
        for token in self.tokens:
            total = 0
            for who in self.accounts:
                stake = self.stakes[token.address, who.address]
                total += stake
                assert farm.stakeOf(token, who) == stake
                assert sorted(farm.streamsOf(token, who)) == sorted(self.chosen[token.address, who.address])
            assert farm.totalStaked(token) == total
            held[token.address] += total
        for s in self.streams.values():
            self._check_stream(s)
            held[s.reward_token.address] += s.amount - s.claimed - s.reclaimed
        for token in self.tokens:
            assert token.balanceOf(farm) == held[token.address]

    def _check_stream(self, s: Stream) -> None:
        view = self.farm.stream(s.id)
        eligible = sum(self.stakes[s.stake_token.address, who] for who in s.members)
        ran = min(max(self.clock, s.start), s.end)
        assert view[3:6] == (s.amount, s.start, s.end)
        assert view[7:14] == (
            eligible,
            ran,
            s.idle,
            s.shift,
            s.amount - s.claimed - s.reclaimed,
            s.forfeited,
            s.reclaimed,
        )
        total = 0
        for who in self.accounts:
            earned = self.farm.earned(s.id, who)
            total += earned
            counted = earned + s.paid[who.address] - s.before[who.address]
            m = s.members.get(who.address)
            if m is None:
                assert counted == 0
                continue
            error = m.error + self._step(s, self.stakes[s.stake_token.address, who.address])
            assert math.floor(m.exact - error) <= counted <= math.floor(m.exact)
            self.compared += 1
            self.to_the_wei += counted == math.floor(m.exact)
            self.worst = max(self.worst, error)
        owed = total + s.claimed + s.forfeited
        assert owed + s.amount * s.idle // s.duration <= s.amount  # F1
        assert self.farm.reclaimable(s.id) == (
            s.amount * s.idle // s.duration + s.forfeited - s.reclaimed if s.over(self.clock) else 0
        )
        if s.over(self.clock):
            dust = s.amount - owed - s.amount * s.idle // s.duration
            uncounted = sum(self._step(s, self.stakes[s.stake_token.address, who]) for who in s.members)
            assert dust <= s.leaves + len(s.members) + 1 + s.error + uncounted


def token_for(project: Any, farm: Any, holders: tuple[Any, ...]) -> Any:
    """A token that all of them hold and have approved."""
    token = holders[0].deploy(project.WeirdToken, 18)
    for who in holders:
        token.mint(who, 2**100, sender=who)
        token.approve(farm, INFINITE, sender=who)
    return token
