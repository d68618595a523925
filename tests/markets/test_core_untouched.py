"""Differential: the same core calls at the same seconds, with any market calls in between, leave the same core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ape
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.markets.contracts import MarketError
from tests.helpers import ETHER, ZERO, next_at, now, report_as_oracle
from tests.markets.world import Markets, core_of
from tests.protocol import Protocol

APART = 5_000
"""Seconds between two core calls; market calls take one each."""
DEEP = settings.get_current_profile_name() == "deep"


class Trader:
    """One who holds both tokens, and does what is drawn as far as markets let it."""

    def __init__(self, markets: Markets, protocol: Protocol) -> None:
        self.markets, self.account = markets, protocol.actors.stranger
        self.sender = markets.wrap(self.account, 600 * ETHER)
        markets.stake(self.account, 500 * ETHER)
        self.done: dict[str, int] = {}
        self.positions: list[int] = []

    def act(self, name: str, part: int) -> None:
        """`part` of a hundred of what it holds."""
        try:
            getattr(self, name)(part)
        except MarketError:
            return
        self.done[name] = self.done.get(name, 0) + 1

    def _held(self, token: str, part: int) -> int:
        return self.markets.chain.balance(token, self.account.address) * part // 100

    def sell(self, part: int) -> None:
        pool, sleth = self.markets.pool, self.markets.sleth
        pool.swap(self.sender, sleth, self._held(sleth, part), limit=pool.price() * 9 / 10)

    def buy(self, part: int) -> None:
        pool, weth = self.markets.pool, self.markets.weth
        pool.swap(self.sender, weth, self._held(weth, part), limit=pool.price() * 11 / 10)

    def provide(self, part: int) -> None:
        pool = self.markets.pool
        amounts = self._held(self.markets.sleth, part), self._held(self.markets.weth, part)
        width = 1 + part % 20
        position = pool.provide(
            self.sender, *amounts, pool.price() * (100 - width) / 100, pool.price() * (100 + width) / 100
        )
        self.positions.append(position.id)

    def leave(self, _: int) -> None:
        if not self.positions:
            raise MarketError("nothing to leave")
        self.markets.pool.leave(self.sender, self.positions.pop())

    def supply(self, part: int) -> None:
        self.markets.aave.supply(self.sender, self.markets.sleth, self._held(self.markets.sleth, part))

    def lend(self, part: int) -> None:
        self.markets.aave.supply(self.sender, self.markets.weth, self._held(self.markets.weth, part))

    def borrow(self, part: int) -> None:
        aave = self.markets.aave
        aave.borrow(self.sender, self.markets.weth, aave.health(self.account.address).available * part // 100)

    def repay(self, _: int) -> None:
        self.markets.aave.repay(self.sender, self.markets.weth)

    def withdraw(self, part: int) -> None:
        aave, sleth = self.markets.aave, self.markets.sleth
        aave.withdraw(self.sender, sleth, aave.supplied(sleth, self.account.address) * part // 100)

    def give(self, part: int) -> None:
        """slETH to the vault, which counts nothing that nobody sent it to be counted."""
        amount = self._held(self.markets.sleth, 1 + part // 50)
        self.markets.chain.token(self.markets.sleth).send(
            self.sender, "transfer", self.markets.real.vault.address, amount
        )


ACTIONS = [name for name, kind in vars(Trader).items() if callable(kind) and not name.startswith("_") and name != "act"]


def play(protocol: Protocol, between: Callable[[int], None]) -> tuple[list[tuple[Any, ...]], int]:
    """What the core's books are after each of its calls, and what the last request is paid."""
    vault, queue, holder, other = protocol.vault, protocol.queue, protocol.actors.treasury, protocol.actors.other
    start, seen = now(), []
    steps = [
        lambda _: vault.stake(other, 0, ZERO, sender=other, value=9 * ETHER + 1),
        lambda at: report_as_oracle(protocol, gain=7 * ETHER, at=at),
        lambda _: queue.request(5 * ETHER, holder, sender=holder),
        lambda at: report_as_oracle(protocol, gain=-150 * ETHER, faults=0, at=at),
        lambda _: queue.finalize(queue.lastRequestId(), sender=other),
    ]
    for number, step in enumerate(steps):
        between(number)
        at = next_at(start + (number + 1) * APART)
        step(at)
        assert now() == at
        seen.append(core_of(protocol))
    return seen, int(queue.getRequest(queue.lastRequestId()).assets)


@pytest.fixture(scope="module")
def trader(markets, protocol):
    """With a lender in Aave and a provider in the pool beside it."""
    lender = markets.wrap(protocol.actors.other, 600 * ETHER)
    shares = markets.stake(protocol.actors.other, 200 * ETHER)
    markets.aave.supply(lender, markets.weth, 400 * ETHER)
    price = markets.pool.price()
    markets.pool.provide(lender, shares, 200 * ETHER, price * 95 / 100, price * 105 / 100)
    return Trader(markets, protocol)


@pytest.fixture(scope="module")
def quiet(trader, protocol):
    """The core alone."""
    snapshot = ape.chain.snapshot()
    found = play(protocol, lambda _: None)
    ape.chain.restore(snapshot)
    return found


PLANS = st.lists(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(1, 100)), max_size=6), min_size=5, max_size=5)


def test_no_market_call_changes_the_core(markets, protocol, trader, quiet):
    total: dict[str, int] = {}

    @settings(max_examples=60 if DEEP else 4, suppress_health_check=list(HealthCheck))
    @given(plan=PLANS)
    def differ(plan):
        snapshot = ape.chain.snapshot()
        trader.done, trader.positions = {}, []

        def between(number: int) -> None:
            for name, part in plan[number]:
                trader.act(name, part)
            assert markets.feed.latestAnswer() == protocol.vault.rate()

        try:
            assert play(protocol, between) == quiet
        finally:
            ape.chain.restore(snapshot)
        for name, times in trader.done.items():
            total[name] = total.get(name, 0) + times

    differ()
    assert len(total) >= len(ACTIONS) - 3, f"too little was done to mean much: {total}"


def test_a_stake_in_between_would_be_noticed(markets, protocol, trader, quiet):
    """That the comparison bites."""

    def between(number: int) -> None:
        if number == 1:
            markets.stake(protocol.actors.staker, ETHER)

    assert play(protocol, between) != quiet
