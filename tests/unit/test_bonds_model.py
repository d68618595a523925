"""OperatorBonds beside an exact model of it, through random lives of four operators; in process, with the real core."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor
from typing import Any

import ape
import pytest
from eth_account import Account
from eth_utils import keccak
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.bonding import FOREVER, terms
from tests.in_process import Process, Reverted
from tests.small_core import DAY, ETHER, GWEI, ZERO, SmallCore

BPS = 1_000
DELAY = 20 * DAY
WINDOW = 5 * DAY
OPERATORS = (1, 2, 3, 4)
MAX_CHARGES = 40


class Refused(Exception):  # noqa: N818 - an outcome
    """By the name of the error."""


@dataclass
class Figures:
    """One operator."""

    shares: int = 0
    leaving: int = 0
    since: int = 0
    settlements: int = 0
    open: int = 0
    closes: int = 0
    staked: int = 0
    prepared: int = 0

    @property
    def held(self) -> int:
        return self.shares + self.leaving

    def take(self, shares: int) -> int:
        taken = min(shares, self.held)
        from_counted = min(taken, self.shares)
        self.shares -= from_counted
        self.leaving -= taken - from_counted
        return taken

    def required(self, rate: Fraction) -> int:
        return ceil((ceil(Fraction(self.staked * GWEI * BPS, 10_000)) + self.prepared * ETHER) / rate)


@dataclass
class Model:
    """What the contract should do, in fractions; refusals in the contract's order."""

    operators: dict[int, Figures] = field(default_factory=lambda: {each: Figures() for each in OPERATORS})
    line: list[int] = field(default_factory=list)
    settlements: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    proposed: int = 0
    paid_out: int = 0
    settled: int = 0
    due: int = 0

    def sort(self, operator: int) -> None:
        """INV-BND-08: in the line exactly while there is a case and something to take."""
        one = self.operators[operator]
        wanted = one.open > 0 and one.held > 0
        if wanted and operator not in self.line:
            self.line.append(operator)
        if not wanted and operator in self.line:
            self.line.remove(operator)

    def deposit(self, operator: int, shares: int) -> None:
        one = self.operators[operator]
        if shares == 0:
            raise Refused("AmountMissing")
        if one.open and not one.held and shares < ETHER // 10:
            raise Refused("AmountBelowMinimum")
        one.shares += shares
        self.sort(operator)

    def charge_preparation(self, operator: int, rate: Fraction) -> None:
        """INV-BND-09: at once, so that it stands in no line."""
        self.due += self.operators[operator].take(ceil(ETHER / rate))
        self.sort(operator)

    def request(self, operator: int, shares: int, rate: Fraction, at: int) -> None:
        one = self.operators[operator]
        if shares == 0:
            raise Refused("AmountMissing")
        if shares > one.shares:
            raise Refused("AmountAboveBond")
        if one.shares - shares < one.required(rate):
            raise Refused("BondTooLow")
        one.shares, one.leaving, one.since = one.shares - shares, one.leaving + shares, at + DELAY

    def cancel_request(self, operator: int) -> None:
        one = self.operators[operator]
        if not one.leaving:
            raise Refused("NothingLeaves")
        one.shares, one.leaving, one.since = one.held, 0, 0

    def withdraw(self, operator: int, rate: Fraction, at: int) -> int:
        one = self.operators[operator]
        for refused, name in (
            (not one.leaving, "NothingLeaves"),
            (at < one.since, "StillLocked"),
            (one.open > 0, "CaseIsOpen"),
            (one.settlements > 0, "SettlementIsOpen"),
            (one.shares < one.required(rate), "BondTooLow"),
        ):
            if refused:
                raise Refused(name)
        shares, one.leaving, one.since = one.leaving, 0, 0
        self.paid_out += shares
        return shares

    def open_case(self, operator: int, loss: int, duration: int, at: int) -> None:
        if loss:
            one = self.operators[operator]
            one.open += loss * GWEI
            one.closes = max(one.closes, at + duration)
            self.sort(operator)

    def close_case(self, operator: int, counted: int) -> None:
        one = self.operators[operator]
        if not one.open:
            raise Refused("CaseUnknown")
        if counted < one.closes:
            raise Refused("CaseNotOver")
        one.open = one.closes = 0
        self.sort(operator)

    def cover(self, asked: int, rate: Fraction) -> int:
        """INV-BND-05, INV-BND-06"""
        paid = min(self.due, asked)
        self.due -= paid
        left = asked - paid
        for operator in list(self.line)[:MAX_CHARGES]:
            if not left:
                break
            one = self.operators[operator]
            most = ceil(one.open / rate)
            taken = one.take(min(left, most))
            left -= taken
            one.open = 0 if taken == most else one.open - ceil(taken * rate)
            if not one.open:
                one.closes = 0
            self.sort(operator)
        return asked - left

    def propose(self, operator: int, shares: int, at: int) -> None:
        if shares == 0:
            raise Refused("AmountMissing")
        self.proposed += 1
        self.settlements[self.proposed] = (operator, shares, at + WINDOW)
        self.operators[operator].settlements += 1

    def end(self, settlement: int) -> tuple[int, int, int]:
        if settlement not in self.settlements:
            raise Refused("SettlementUnknown")
        return self.settlements[settlement]

    def cancel(self, settlement: int) -> None:
        operator, _, _ = self.end(settlement)
        del self.settlements[settlement]
        self.operators[operator].settlements -= 1

    def execute(self, settlement: int, at: int) -> int:
        operator, shares, due = self.end(settlement)
        if at < due:
            raise Refused("StillLocked")
        self.cancel(settlement)
        taken = self.operators[operator].take(shares)
        self.settled += taken
        self.sort(operator)
        return taken


class World:
    """The contracts, with governance as everybody who needs a role."""

    def __init__(self) -> None:
        self.process = Process()
        project, process = ape.project, self.process
        self.governance, fees, self.user, self.rewards = (process.account(index) for index in range(4))
        self.key = Account.from_key(keccak(text="member"))
        self.core = core = SmallCore.deploy(project, self.governance, fees, clock=process)
        deploy = self.governance.deploy
        self.registry = deploy(project.OperatorRegistry, core.manager, terms(bond=BPS), terms(), 0)
        config = {
            "authority": core.manager,
            "token": core.token,
            "vault": core.vault,
            "registry": self.registry,
            "manager": ZERO,
            "delay": DELAY,
            "window": WINDOW,
        }
        self.bonds = deploy(project.OperatorBonds, config)
        self.book = deploy(project.StakeBook, self.bonds)
        self.cover = deploy(project.CoverFund, core.manager, core.token, core.vault)
        self.oracle = deploy(
            project.ReportOracle,
            {
                "authority": core.manager,
                "vault": core.vault,
                "limits": ZERO,
                "challenge": ZERO,
                "genesisTime": 0,
                "secondsPerSlot": 12,
                "firstSlot": 0,
                "frameSlots": 7_200,
                "members": [self.user.address],
                "keys": [self.key.address],
                "quorum": 1,
                "validators": 0,
            },
        )
        self.reporter = self.user.deploy(project.ContractWallet, self.user)  # reports without limits and frames
        self.bonds.setManager(self.book, sender=self.governance)
        core.vault.setBonds(self.bonds, sender=self.governance)
        core.vault.setCover(self.cover, sender=self.governance)
        core.vault.setOracle(self.reporter, sender=self.governance)
        core.stake(self.user, 10_000 * ETHER)
        core.token.approve(self.bonds, 2**256 - 1, sender=self.user)
        for _ in OPERATORS:
            self.registry.register(self.rewards, sender=self.user)
        self.selectors = {
            "0x" + keccak(text=error.selector)[:4].hex(): error.name for error in self.bonds.contract_type.errors
        }

    def report(self, gain: int) -> None:
        """`gain` gwei on the consensus layer; all of it has vested when this returns."""
        vault, process = self.core.vault, self.process
        profit, _, _, previous = vault.consensus()
        process.pass_time(2)
        figures = {
            "referenceTime": process.now,
            "consensusBalance": profit + gain,
            "provision": 0,
            "faults": max(0, -gain),
            "withdrawn": 0,
            "deposited": 0,
            "rewards": 0,
        }
        self.reporter.execute(vault, vault.data_of("report", figures), sender=self.user)
        process.pass_time(min(max(figures["referenceTime"] - previous, 3_600), 30 * DAY))

    def sign(self, operator: int, shares: int, reason: bytes) -> bytes:
        digest = self.bonds.settlementDigest(operator, shares, reason, FOREVER)
        return bytes(self.key.unsafe_sign_hash(digest).signature)

    def propose(self, operator: int, shares: int) -> None:
        """The committee of one is the vault's oracle for as long as that takes."""
        vault, signed = self.core.vault, [self.sign(operator, shares, bytes(32))]
        vault.setOracle(self.oracle, sender=self.governance)
        try:
            self.bonds.propose(operator, shares, bytes(32), FOREVER, signed, sender=self.user)
        finally:
            vault.setOracle(self.reporter, sender=self.governance)


operators = st.sampled_from(OPERATORS)
amounts = st.one_of(st.integers(0, 3), st.integers(1, 5 * ETHER), st.integers(1, 50).map(lambda n: n * ETHER // 10))
losses = st.one_of(st.integers(1, 3), st.integers(1, 5 * 10**9), st.integers(1, 40).map(lambda n: n * 10**8))


class BondMachine(RuleBasedStateMachine):
    """Every call is foretold by the model: what it changes, or by which error it is refused."""

    world: World

    @initialize(gain=st.integers(10**9, 10**12))
    def a_rate_that_is_no_round_number(self, gain: int) -> None:
        self.world = World()
        self.model = Model()
        self.gifts = 0
        self.world.report(10**12 + gain)

    # --- Plumbing ---

    @property
    def rate(self) -> Fraction:
        return self.world.core.rate

    def attempt(self, foretold: Any, call: Any) -> Any:
        """Both or neither; the model is asked first."""
        try:
            expected, error = foretold(), None
        except Refused as refusal:
            expected, error = None, str(refusal)
        if error is None:
            got = call()
            assert expected in (None, got)
            return
        with pytest.raises(Reverted) as caught:
            call()
        assert self.world.selectors.get("0x" + caught.value.data[:4].hex()) == error

    # --- What people do ---

    @rule(operator=operators, shares=amounts)
    def deposit(self, operator: int, shares: int) -> None:
        w = self.world
        self.attempt(
            lambda: self.model.deposit(operator, shares),
            lambda: w.bonds.deposit(operator, shares, sender=w.user),
        )

    @rule(operator=operators, part=st.integers(0, 11))
    def request(self, operator: int, part: int) -> None:
        """Nothing, up to ten tenths of what counts, or a share more than that."""
        w, counted = self.world, self.model.operators[operator].shares
        shares = counted * part // 10 if part <= 10 else counted + 1
        self.attempt(
            lambda: self.model.request(operator, shares, self.rate, w.process.now),
            lambda: w.bonds.requestWithdrawal(operator, shares, sender=w.user),
        )

    @rule(operator=operators)
    def request_what_is_free(self, operator: int) -> None:
        w, one = self.world, self.model.operators[operator]
        free = one.shares - one.required(self.rate)
        if free > 0:
            self.attempt(
                lambda: self.model.request(operator, free, self.rate, w.process.now),
                lambda: w.bonds.requestWithdrawal(operator, free, sender=w.user),
            )

    @rule(operator=operators)
    def cancel_request(self, operator: int) -> None:
        w = self.world
        self.attempt(
            lambda: self.model.cancel_request(operator), lambda: w.bonds.cancelWithdrawal(operator, sender=w.user)
        )

    @rule(operator=operators)
    def withdraw(self, operator: int) -> None:
        """INV-BND-03, INV-BND-04"""
        w = self.world
        self.attempt(
            lambda: self.model.withdraw(operator, self.rate, w.process.now),
            lambda: w.bonds.withdraw(operator, sender=w.governance),
        )

    @rule(operator=operators, staked=st.integers(0, 100), prepared=st.integers(0, 2))
    def work(self, operator: int, staked: int, prepared: int) -> None:
        """Stake comes and goes as the manager likes: it asks for the bond itself."""
        one = self.model.operators[operator]
        one.staked, one.prepared = staked * 10**9 + staked, prepared
        self.world.book.set(operator, one.staked, one.prepared, sender=self.world.user)

    @rule(operator=operators, loss=st.one_of(st.just(0), losses), duration=st.integers(0, 60 * DAY))
    def open_case(self, operator: int, loss: int, duration: int) -> None:
        w = self.world
        self.attempt(
            lambda: self.model.open_case(operator, loss, duration, w.process.now),
            lambda: w.book.openCase(operator, loss, duration, sender=w.user),
        )

    @rule(operator=operators)
    def preparation_fails(self, operator: int) -> None:
        w = self.world
        self.attempt(
            lambda: self.model.charge_preparation(operator, self.rate),
            lambda: w.book.chargePreparation(operator, sender=w.user),
        )

    @rule(operator=operators)
    def close_case(self, operator: int) -> None:
        w = self.world
        counted = w.core.vault.referenceTime()
        self.attempt(
            lambda: self.model.close_case(operator, counted), lambda: w.bonds.closeCase(operator, sender=w.user)
        )

    @rule(operator=operators, shares=amounts)
    def propose(self, operator: int, shares: int) -> None:
        w = self.world
        self.attempt(lambda: self.model.propose(operator, shares, w.process.now), lambda: w.propose(operator, shares))

    @rule(back=st.integers(0, 3))
    def cancel(self, back: int) -> None:
        w, settlement = self.world, max(0, self.model.proposed - back)
        self.attempt(lambda: self.model.cancel(settlement), lambda: w.bonds.cancel(settlement, sender=w.governance))

    @rule(back=st.integers(0, 3))
    def execute(self, back: int) -> None:
        w, settlement = self.world, max(0, self.model.proposed - back)
        self.attempt(
            lambda: self.model.execute(settlement, w.process.now),
            lambda: w.bonds.execute(settlement, sender=w.user),
        )

    @rule(shares=st.integers(1, ETHER))
    def give(self, shares: int) -> None:
        """slETH that nobody asked for."""
        self.world.core.token.transfer(self.world.bonds, shares, sender=self.world.user)
        self.gifts += shares

    @rule(days=st.integers(1, 30))
    def pass_time(self, days: int) -> None:
        self.world.process.pass_time(days * DAY)

    @rule(gain=losses)
    def earn(self, gain: int) -> None:
        self.world.report(gain)

    @rule(loss=losses)
    def lose(self, loss: int) -> None:
        """The vault asks for the loss in shares, rounded up; the bonds give what the model gives, and no share more."""
        w, core = self.world, self.world.core
        wei, rate, pooled, supply = loss * GWEI, self.rate, core.vault.pooled(), core.supply
        given = self.model.cover(ceil(wei / rate), rate)
        left = wei - min(wei, floor(given * rate))
        by_cover = min(ceil(left / rate), core.token.balanceOf(w.cover)) if left else 0
        w.report(-loss)
        assert core.vault.pooled() == pooled - wei
        assert core.supply == supply - given - by_cover
        self.model.settled -= by_cover
        if given == ceil(wei / rate):
            assert 0 <= self.rate - rate < rate / core.supply  # everybody else has what they had

    # --- What always holds ---

    @invariant()
    def figures_are_the_models(self) -> None:
        if not hasattr(self, "world"):
            return
        w, model = self.world, self.model
        for operator, one in model.operators.items():
            assert w.bonds.bondOf(operator) == (one.shares, one.leaving, one.since, one.settlements), operator
            assert w.bonds.caseOf(operator) == (one.open, one.closes), operator
            assert w.bonds.required(operator) == one.required(self.rate), operator  # INV-BND-02

    @invariant()
    def line_is_the_models(self) -> None:
        """INV-BND-08"""
        if hasattr(self, "world"):
            found: list[int] = []
            while following := self.world.bonds.nextCharged(found[-1] if found else 0):
                found.append(following)
                assert len(found) <= len(OPERATORS)
            assert found == self.model.line

    @invariant()
    def shares_are_where_they_belong(self) -> None:
        """INV-BND-01"""
        if hasattr(self, "world"):
            token, model = self.world.core.token, self.model
            held = sum(o.held for o in model.operators.values()) + model.due
            assert token.balanceOf(self.world.bonds) == held + self.gifts
            assert token.balanceOf(self.world.rewards) == model.paid_out
            assert token.balanceOf(self.world.cover) == model.settled


def test_F1_bonds_do_what_the_model_foretells(protocol):
    """INV-BND-01 to INV-BND-06, INV-BND-08 and INV-BND-09, through random lives of four operators."""
    deep = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
    run_state_machine_as_test(
        BondMachine,
        settings=settings(
            max_examples=300 if deep else 15,
            stateful_step_count=60,
            suppress_health_check=list(HealthCheck),
        ),
    )
