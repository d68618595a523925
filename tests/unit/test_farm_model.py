"""The farm beside exact fractions, over thousands of random events in process."""

from __future__ import annotations

import os
import random
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest

from tests.farming import INFINITE, MIN_STAKE, FarmTwin
from tests.in_process import Process
from tests.small_core import DAY, ETHER

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
EVENTS = 2_000 if DEEP else 700
HOUR = 3_600

SIZES = {  # rewards, stakes
    "as in life": (lambda r: r.randrange(1, 10**24), lambda r: r.randrange(MIN_STAKE, 10**21)),
    "few units": (lambda r: r.randrange(1, 1_000), lambda r: r.choice([MIN_STAKE, 3 * MIN_STAKE + 1, ETHER])),
    "extreme": (
        lambda r: r.choice([1, 2**96 - 1, r.randrange(1, 2**96)]),
        lambda r: r.choice([MIN_STAKE, 2**90, r.randrange(MIN_STAKE, 2**90)]),
    ),
}


class Life:
    """Draws what can be done, does it to both."""

    def __init__(self, project: Any, seed: int, sizes: str) -> None:
        self.random = random.Random(seed)  # noqa: S311 - nothing is secret
        self.reward, self.size = SIZES[sizes]
        process = Process()
        accounts = [process.account(i) for i in range(6)]
        self.users, self.adder = accounts[:5], accounts[5]
        farm = accounts[0].deploy(project.Farm)
        self.tokens = [accounts[0].deploy(project.WeirdToken, d) for d in (18, 6, 24)]
        for token in self.tokens:
            for who in accounts:
                token.mint(who, 2**160, sender=who)
                token.approve(farm, INFINITE, sender=who)
        self.twin = FarmTwin(process, farm, self.tokens, accounts)
        self.done: Counter[str] = Counter()

    def step(self) -> None:
        r, twin = self.random, self.twin
        if r.random() < 0.6:
            twin.pass_time(r.choice([1, 12, r.randrange(1, HOUR), r.randrange(1, HOUR), r.randrange(1, DAY)]))
        who, token = r.choice(self.users), r.choice(self.tokens[:2])
        stake = twin.stakes[token.address, who.address]
        action = r.choices(
            ["stake", "unstake", "enable", "disable", "claim", "exit", "emergency", "reclaim", "add"],
            [8, 3, 6, 1, 5, 0.4, 0.4, 2, 3],
        )[0]
        if getattr(self, f"_{action}")(who, token, stake):
            self.done[action] += 1

    def _add(self, _who: Any, token: Any, _stake: int) -> bool:
        r = self.random
        if sum(not s.over(self.twin.clock) for s in self.twin.streams.values()) > 7:
            return False
        start = self.twin.clock + r.choice([0, 1, r.randrange(5 * DAY)])
        end = start + r.choice([HOUR, r.randrange(HOUR, 10 * DAY)])
        self.twin.add_stream(self.adder, token, r.choice(self.tokens), self.reward(r), start, end)
        return True

    def _open(self, who: Any, token: Any) -> list[int]:
        """Some streams that the account could choose now."""
        twin, r = self.twin, self.random
        ids = [
            s.id
            for s in twin.streams.values()
            if s.stake_token is token and not s.over(twin.clock) and who.address not in s.members
        ]
        r.shuffle(ids)
        return ids[: r.randrange(twin.room(token, who) + 1)]

    def _stake(self, who: Any, token: Any, _stake: int) -> bool:
        r = self.random
        receiver = who if r.random() < 0.8 else r.choice(self.users)
        ids = self._open(who, token) if receiver is who and r.random() < 0.5 else []
        amount = self.size(r)
        if self.twin.stakes[token.address, receiver.address] and r.random() < 0.3:
            amount = r.randrange(1, 1000)  # dust on top
        self.twin.stake(who, token, amount, receiver, ids)
        return True

    def _unstake(self, who: Any, token: Any, stake: int) -> bool:
        r = self.random
        if not stake:
            return False
        if stake <= 2 * MIN_STAKE or r.random() < 0.4:
            amount = stake
        else:
            amount = r.choice([1, r.randrange(1, stake - MIN_STAKE + 1), stake - MIN_STAKE])
        self.twin.unstake(who, token, amount)
        return True

    def _enable(self, who: Any, token: Any, _stake: int) -> bool:
        ids = self._open(who, token)
        self.twin.enable(who, token, ids)
        return bool(ids)

    def _disable(self, who: Any, token: Any, _stake: int) -> bool:
        r = self.random
        ids = list(self.twin.chosen[token.address, who.address])
        if not ids:
            return False
        self.twin.disable(who, token, r.sample(ids, r.randrange(1, len(ids) + 1)), r.random() < 0.3)
        return True

    def _claim(self, who: Any, _token: Any, _stake: int) -> bool:
        ids = list(self.twin.streams)
        if not ids:
            return False
        self.twin.claim(who, self.random.sample(ids, min(len(ids), 3)))
        return True

    def _exit(self, who: Any, token: Any, stake: int) -> bool:
        self.twin.exit(who, token)
        return bool(stake)

    def _emergency(self, who: Any, token: Any, stake: int) -> bool:
        self.twin.emergency_exit(who, token)
        return bool(stake)

    def _reclaim(self, _who: Any, _token: Any, _stake: int) -> bool:
        over = [s for s in self.twin.streams.values() if s.over(self.twin.clock)]
        if not over:
            return False
        self.twin.reclaim(self.random.choice(over), self.adder)
        return True

    def close(self) -> None:
        """All leave, all is claimed and reclaimed: what is left of a stream is dust."""
        twin = self.twin
        twin.pass_time(20 * DAY)
        for who in self.users:
            for token in self.tokens:
                twin.exit(who, token)
            twin.claim(who, list(twin.streams))
        for s in twin.streams.values():
            twin.reclaim(s, self.adder)
            left = s.amount - s.claimed - s.reclaimed
            assert 0 <= left <= s.leaves + 1 + s.error
        twin.check()
        for token in self.tokens:
            assert twin.farm.totalStaked(token) == 0


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("seed", range(20 if DEEP else 1))
def test_I3_F1_every_wei_is_where_exact_fractions_say(project, sizes, seed):
    """Stakes, claims, streams with gaps, nobody staked, emergency exits; several tokens, each staked and paid.

    After each event, for each account in each stream: counted = floor(exact), or one less where the
    fraction of `exact` is below the stated error of the scale.
    """
    life = Life(project, seed, sizes)
    for event in range(EVENTS):
        life.step()
        if event % 5 == 0:
            life.twin.check()
    life.close()
    assert set(life.done) == {"stake", "unstake", "enable", "disable", "claim", "exit", "emergency", "reclaim", "add"}
    assert any(s.idle for s in life.twin.streams.values())
    assert life.twin.compared > EVENTS
    if sizes != "extreme":
        assert life.twin.worst < Fraction(1, 10**6)
        assert life.twin.to_the_wei > life.twin.compared * 99 // 100
