"""The instant pool beside an exact model of it, through random lives of four users; in process, with the real core."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import pytest
from ape import project
from eth_utils import keccak
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.in_process import Process, Reverted
from tests.pooling import BPS, FOREVER, Pool
from tests.small_core import ETHER, GWEI, MIN_REQUEST, ZERO, SmallCore

USERS = 4
INFINITE = 2**256 - 1
MIN_BOUGHT = ETHER // 10

users = st.integers(0, USERS - 1)
portions = st.integers(0, 2**16)
"""Of something there is, in parts of 2^16."""
amounts = st.one_of(st.integers(1, 10**6), st.integers(10**9, 500 * ETHER))


def part(whole: int, portion: int) -> int:
    return whole * portion // 2**16


@dataclass
class Line:
    """What was collected, and whose it is, as plain lists."""

    collected: list[tuple[int, int]] = field(default_factory=list)
    """Gwei and wei of each request, in the order of collection."""
    rests: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Position -> user and gwei."""
    leaving: int = 0
    aside: int = 0
    """Wei set aside for rests and not paid."""

    @property
    def end(self) -> int:
        return sum(size for size, _ in self.collected)

    def ether(self, start: int, stop: int) -> Fraction:
        """Exact ether of positions ``start`` to ``stop``."""
        total, at = Fraction(0), 0
        for size, assets in self.collected:
            overlap = min(stop, at + size) - max(start, at)
            if overlap > 0:
                total += Fraction(assets * overlap, size)
            at += size
        return total


class World:
    def __init__(self) -> None:
        self.process = Process()
        self.governance = self.process.account(0)
        self.users = [self.process.account(i + 2) for i in range(USERS)]
        self.stranger = self.process.account(8)
        self.treasury = self.process.account(9)
        self.core = SmallCore.deploy(project, self.governance, self.process.account(1), self.process)
        for user in self.users:
            self.core.stake(user, 1_000 * ETHER)
        self.core.tip(self.stranger, 317 * ETHER + 7)  # a rate that divides nothing
        self.pool = Pool.deploy(project, self.core, self.treasury)
        for user in self.users:
            self.core.token.approve(self.pool.contract, INFINITE, sender=user)
            self.core.queue.setApprovalForAll(self.pool.contract, True, sender=user)
        self.selectors = {
            "0x" + keccak(text=error.selector)[:4].hex(): error.name
            for kind in (self.pool.contract, self.core.queue, self.core.vault)
            for error in kind.contract_type.errors
        }


class PoolMachine(RuleBasedStateMachine):
    @initialize(assets=st.integers(0, 400 * ETHER), shares=st.integers(0, 400 * ETHER))
    def begin(self, assets: int, shares: int) -> None:
        self.world = World()
        self.line = Line()
        self.finalised: dict[int, tuple[int, int]] = {}
        """Requests of the pool that are paid and not collected: gwei, wei."""
        if assets + shares > 10**9:
            self.provide(0, assets, shares)

    # --- Reading ---

    @property
    def pool(self) -> Pool:
        return self.world.pool

    @property
    def core(self) -> SmallCore:
        return self.world.core

    def shares_of(self, user: int) -> int:
        return int(self.core.token.balanceOf(self.world.users[user]))

    def expect(self, error: str, call: Any, *args: Any, **kwargs: Any) -> None:
        with pytest.raises(Reverted) as caught:
            call(*args, **kwargs)
        assert self.world.selectors.get("0x" + caught.value.data[:4].hex()) == error

    @property
    def standings(self) -> tuple[Fraction, Fraction]:
        """As things are, and as they will be when what is awaited is paid: a provider may wait for that."""
        return self.pool.standing, self.pool.standing_once_paid

    def keeps_standing(self, before: tuple[Fraction, Fraction], wei: int = 5) -> None:
        """INV-POL-01: they fall by rounding alone."""
        for now, then in zip(self.standings, before, strict=True):
            assert now >= then - Fraction(wei * ETHER, self.pool.supply)

    # --- Core ---

    @rule(user=users, amount=st.integers(1_000, 500 * ETHER))
    def stake(self, user: int, amount: int) -> None:
        self.core.stake(self.world.users[user], amount)

    @rule(amount=st.integers(GWEI, 20 * ETHER))
    def tip(self, amount: int) -> None:
        self.core.tip(self.world.stranger, amount)

    @rule(amount=st.integers(GWEI, 20 * ETHER))
    def earn(self, amount: int) -> None:
        self.core.earn(amount)

    @rule(portion=portions)
    def lose(self, portion: int) -> None:
        self.core.lose(part(self.core.gained * GWEI, portion))

    @rule(count=st.integers(1, 10))
    def finalise(self, count: int) -> None:
        """A report, and up to ``count`` requests are paid right after it."""
        self.core.clock.pass_time(60)
        self.core.touch()
        queue = self.core.queue
        up_to = min(int(queue.finalizable()), int(queue.lastFinalizedId()) + count)
        if up_to > queue.lastFinalizedId():
            first = int(queue.lastFinalizedId()) + 1
            queue.finalize(up_to, sender=self.world.stranger)
            for each in set(self.pool.held) & set(range(first, up_to + 1)):
                request = queue.getRequest(each)
                self.finalised[each] = (request[1] // GWEI, request[3])

    # --- Leave ---

    @rule(user=users, amount=amounts)
    def sell(self, user: int, amount: int) -> None:
        pool, who = self.pool, self.world.users[user]
        shares = min(amount, self.shares_of(user))
        value = self.core.worth(shares)
        call = pool.contract.sell
        args = (shares, 0, who, FOREVER)
        if value > -(-pool.curve.cost(pool.assets, pool.assets) // 1):
            return self.expect("EtherTooLow", call, *args, sender=who)
        most = pool.curve.take(pool.assets, value)
        if most == 0:
            return self.expect("AmountIsZero", call, *args, sender=who)
        before, standing, mine = pool.assets, self.standings, who.balance
        held, owed = pool.shares, pool.contract.treasuryShares()
        got = call(*args, sender=who)
        assert got == most
        fee = pool.treasury_part(shares, value, got)
        assert (pool.assets, pool.shares) == (before - got, held + shares - fee)
        assert pool.contract.treasuryShares() == owed + fee
        assert who.balance == mine + got
        self.keeps_standing(standing)
        return None

    @rule(user=users, portion=portions)
    def sell_for(self, user: int, portion: int) -> None:
        pool, who = self.pool, self.world.users[user]
        assets = part(pool.assets, portion)
        value = -(-pool.curve.cost(pool.assets, assets) // 1)
        shares = -(-value * self.core.supply // self.core.total)
        call, args = pool.contract.sellFor, (assets, INFINITE, who, FOREVER)
        if assets == 0:
            return self.expect("AmountIsZero", call, *args, sender=who)
        if shares > self.shares_of(user):
            with pytest.raises(Reverted):
                call(*args, sender=who)
            return None
        assert pool.contract.quoteSellFor(assets) == shares
        standing, mine = self.standings, who.balance
        assert call(*args, sender=who) == shares
        assert who.balance == mine + assets
        self.keeps_standing(standing)
        return None

    @rule(user=users, amount=st.integers(MIN_REQUEST, 300 * ETHER), for_ether=st.booleans())
    def sell_request(self, user: int, amount: int, for_ether: bool) -> None:
        pool, who, core = self.pool, self.world.users[user], self.core
        if self.shares_of(user) < amount:
            return None
        request = core.queue.request(amount, who, sender=who)
        shares = amount - amount % GWEI
        value = core.worth(shares)
        call, args = pool.contract.sellRequest, (request, for_ether, 0, who, FOREVER)
        if shares < MIN_BOUGHT:
            return self.expect("RequestTooSmall", call, *args, sender=who)
        if for_ether and value > -(-pool.curve.cost(pool.assets, pool.assets) // 1):
            return self.expect("EtherTooLow", call, *args, sender=who)
        if not for_ether and shares * BPS // (BPS + pool.terms["minFee"]) > pool.shares:
            return self.expect("SharesTooLow", call, *args, sender=who)
        standing, awaited, mine = self.standings, pool.awaited, self.shares_of(user)
        most = pool.curve.take(pool.assets, value)
        got = call(*args, sender=who)
        if for_ether:
            assert got == most
        else:
            assert got == shares * BPS // (BPS + pool.terms["minFee"]) == self.shares_of(user) - mine
        assert pool.awaited == awaited + shares
        self.keeps_standing(standing)
        return None

    # --- Stake ---

    @rule(user=users, amount=st.integers(1_000, 300 * ETHER))
    def stake_here(self, user: int, amount: int) -> None:
        """Never fewer shares than the vault would give for the same, but for a wei where both give some."""
        pool, who, core = self.pool, self.world.users[user], self.core
        standing, there, mine = self.standings, pool.shares, self.shares_of(user)
        assets = pool.assets
        alone = amount * core.supply // core.total
        got = pool.contract.stake(who, 0, ZERO, sender=who, value=amount)
        assert self.shares_of(user) == mine + got
        assert alone - 1 <= got <= alone
        assert pool.shares <= there
        # a stake and a claim cost as much: what the pool took is worth what it gave
        assert pool.assets - assets >= core.worth(there - pool.shares)
        self.keeps_standing(standing)

    # --- Provide ---

    def provide(self, user: int, assets: int, shares: int) -> None:
        pool, who = self.pool, self.world.users[user]
        while self.finalised:
            self.collect(10)
        standing, supply = self.standings, pool.supply
        exact = pool.exact_liquidity(assets, shares)
        fee = (
            (assets + shares * self.core.rate) * supply / (pool.assets + (pool.shares + pool.awaited) * self.core.rate)
        )
        legs = (pool.assets, pool.shares)
        call, args = pool.contract.addLiquidity, (shares, 0, who, FOREVER)
        if (quoted := pool.contract.quoteAdd(assets, shares)) == 0:
            return self.expect("AmountIsZero", call, *args, sender=who, value=assets)
        got = call(*args, sender=who, value=assets)
        assert got == quoted == pool.supply - supply
        # what is charged beyond the curve is at most a hundredth of the fee, and dust: a wei on each leg
        dust = 10 + 3 * (got + supply) // min(supply, max(1, legs[0], legs[1]))
        assert exact - (fee - exact) / 100 - dust <= got <= exact + 1
        assert (pool.assets, pool.shares) == (legs[0] + assets, legs[1] + shares)
        self.keeps_standing(standing)
        return None

    @rule(user=users, assets=st.one_of(st.just(0), amounts), shares=st.one_of(st.just(0), amounts))
    def add(self, user: int, assets: int, shares: int) -> None:
        if self.shares_of(user) >= shares:
            self.provide(user, assets, shares)

    @rule(user=users, portion=portions)
    def remove(self, user: int, portion: int) -> None:
        pool, who = self.pool, self.world.users[user]
        liquidity = part(int(pool.contract.balanceOf(who)), portion)
        call, args = pool.contract.removeLiquidity, (liquidity, 0, 0, who)
        if liquidity == 0:
            return self.expect("AmountIsZero", call, *args, sender=who)
        while self.finalised:
            self.collect(10)
        standing, supply = self.standings, pool.supply
        assets, shares, awaited = pool.assets, pool.shares, pool.awaited // GWEI
        got = call(*args, sender=who)
        rest = liquidity * awaited // supply
        start = max(self.line.leaving, self.line.end) if rest else 0
        assert got == (liquidity * assets // supply, liquidity * shares // supply, start, rest)
        if rest:
            self.line.rests[start] = (user, rest)
            self.line.leaving = start + rest
        self.keeps_standing(standing)
        return None

    @rule(choice=st.integers(0, 2**16), by_owner=st.booleans())
    def claim_rest(self, choice: int, by_owner: bool) -> None:
        line, pool, w = self.line, self.pool, self.world
        if not line.rests:
            return self.expect("RestUnknown", pool.contract.claimRest, 0, w.stranger, sender=w.stranger)
        start = sorted(line.rests)[choice % len(line.rests)]
        user, size = line.rests[start]
        who = w.users[user]
        recipient, sender = (w.treasury, who) if by_owner else (who, w.stranger)
        stop = min(start + size, line.end)
        if stop <= start:
            return self.expect("RestNotReady", pool.contract.claimRest, start, recipient, sender=sender)
        paid, left = pool.contract.claimRest(start, recipient, sender=sender)
        exact = line.ether(start, stop)
        assert exact - 1 < paid < exact + 1
        del line.rests[start]
        assert left == (stop if stop < start + size else 0)
        if left:
            line.rests[left] = (user, start + size - stop)
        line.aside -= paid
        return None

    # --- Upkeep ---

    @rule()
    def replenish(self) -> None:
        pool, core = self.pool, self.core
        missing = max(0, pool.target - pool.assets - core.worth(pool.awaited))
        shares = min(1_000 * ETHER, pool.shares, missing * core.supply // core.total)
        shares -= shares % GWEI
        call = pool.contract.replenish
        if shares == 0:
            return self.expect("NothingToReplenish", call, sender=self.world.stranger)
        if shares < MIN_BOUGHT:
            return self.expect("RequestTooSmall", call, sender=self.world.stranger)
        standing, awaited = self.standings, pool.awaited
        request = call(sender=self.world.stranger)
        assert core.queue.getRequest(request)[:2] == (pool.contract.address.lower(), shares)
        assert pool.awaited == awaited + shares
        self.keeps_standing(standing, 2)
        return None

    @rule(choice=st.integers(0, 2**16))
    def claim_for_the_pool(self, choice: int) -> None:
        """Anybody may have the queue pay the pool: the ether waits until it is counted."""
        waiting = [i for i in sorted(self.finalised) if i in self.pool.held]
        if waiting:
            self.core.queue.claim(waiting[choice % len(waiting)], sender=self.world.stranger)

    @rule(limit=st.integers(0, 5))
    def collect(self, limit: int) -> None:
        line, pool = self.line, self.pool
        assets, awaited = pool.assets, pool.awaited
        expected = sorted(self.finalised)[:limit]
        assert pool.contract.collect(limit, sender=self.world.stranger) == len(expected)
        for each in expected:
            size, paid = self.finalised.pop(each)
            for_rests = min(size, max(0, line.leaving - line.end))
            aside = paid * for_rests // size
            line.collected.append((size, paid))
            line.aside += aside
            assets += paid - aside
            awaited -= (size - for_rests) * GWEI
        assert (pool.assets, pool.awaited) == (assets, awaited)

    @rule()
    def pay_treasury(self) -> None:
        pool, token = self.pool.contract, self.core.token
        owed, before = pool.treasuryShares(), token.balanceOf(self.world.treasury)
        paid = max(owed - 1, 0)
        assert pool.payTreasury(sender=self.world.stranger) == paid
        assert token.balanceOf(self.world.treasury) == before + paid
        assert pool.treasuryShares() == owed - paid

    @rule(least=st.integers(1, 100), more=st.integers(0, 900), wanted=st.integers(ETHER // 100, 3 * ETHER))
    def set_terms(self, least: int, more: int, wanted: int) -> None:
        self.pool.terms |= {"minFee": least, "maxFee": least + more, "target": wanted}
        self.pool.contract.setTerms(self.pool.terms, sender=self.world.governance)

    # --- What must hold ---

    @invariant()
    def books_are_right(self) -> None:
        """INV-POL-02 and INV-POL-03: what is there is what is owed, in ether, slETH and requests."""
        if not hasattr(self, "world"):
            return
        pool, core, line = self.pool, self.core, self.line
        collected, leaving = pool.contract.line()
        assert (collected, leaving) == (line.end, line.leaving)
        still = max(0, leaving - collected) * GWEI
        claimed = [i for i in self.finalised if i not in pool.held]
        sizes = sum(core.queue.getRequest(i)[1] for i in pool.held) + sum(self.finalised[i][0] for i in claimed) * GWEI
        assert sizes == pool.awaited + still
        assert core.token.balanceOf(pool.contract) == pool.shares + pool.contract.treasuryShares()
        assert pool.contract.balance == pool.assets + line.aside + sum(self.finalised[i][1] for i in claimed)
        waiting = sum((line.ether(at, at + size) for at, (_, size) in line.rests.items()), Fraction(0))
        assert line.aside >= waiting - 1
        assert pool.contract.requests()[0] == len(set(pool.held) | set(self.finalised))
        for at, (user, size) in line.rests.items():
            owner, shares, ready = pool.contract.restOf(at)
            assert (owner, shares) == (self.world.users[user].address.lower(), size)
            assert ready == min(size, max(0, line.end - at))


def test_I2_pool_does_what_the_model_foretells(protocol):
    """INV-POL-01 to INV-POL-03, through random lives: no sequence of calls takes more than trades pay for."""
    deep = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
    run_state_machine_as_test(
        PoolMachine,
        settings=settings(
            max_examples=300 if deep else 20,
            stateful_step_count=80 if deep else 50,
            suppress_health_check=list(HealthCheck),
        ),
    )
