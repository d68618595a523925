"""LstBasket beside an exact model of it, through random lives with hostile providers and tokens; in process."""

from __future__ import annotations

import copy
import os
from fractions import Fraction
from math import ceil
from typing import Any

import ape
import pytest
from eth_utils import keccak
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.basket import BPS, DEAD_SHARES, FOREVER, Model, ModelToken, Refused, World, config
from tests.in_process import Process, Reverted
from tests.small_core import DAY, ETHER

LETTERS = "ABC"
ENDOWED = 10**6 * ETHER
REBALANCER = 7
"""A role; the number means nothing."""

letters = st.sampled_from(LETTERS)
amounts = st.one_of(
    st.integers(0, 3),
    st.integers(0, 10**10),
    st.integers(0, 100 * ETHER),
    st.sampled_from((10**9, ETHER, 10**5 * ETHER)),
)
parts = st.integers(1, 1000)
rates = st.one_of(
    st.integers(9 * 10**17, 12 * 10**17),
    st.sampled_from((1, 10**9, ETHER - 1, ETHER, ETHER + 1, 10**20)),
)
spreads = st.one_of(st.just(0), st.integers(0, 2), st.integers(0, 10**15))


def prices(model: Model) -> list[dict[str, Fraction]]:
    """What the tokens may be worth: all at their low, all at their high, and each of them alone at its high."""
    low = {name: Fraction(t.low, ETHER) for name, t in model.tokens.items()}
    high = {name: Fraction(t.high, ETHER) for name, t in model.tokens.items()}
    return [
        low,
        high,
        *({**low, name: high[name]} for name in LETTERS),
        *({**high, name: low[name]} for name in LETTERS),
    ]


class BasketMachine(RuleBasedStateMachine):
    """Every call is foretold by the model: what it changes, or by which error it is refused; and no call of anybody
    lowers the worth of a share, whatever the tokens are worth between low and high."""

    project: Any
    selectors: dict[str, str]

    @initialize(first=st.integers(10**10, 1000 * ETHER))
    def deploy(self, first: int) -> None:
        self.process = Process()
        self.governance, self.user, self.other = (self.process.account(i) for i in range(3))
        self.world = World.deploy(self.project, self.governance)
        self.model = Model()
        for letter in LETTERS:
            self.world.list(letter, ETHER, ETHER)
            self.model.tokens[letter] = ModelToken(ETHER, ETHER)
        for who in (self.user, self.other):
            self.world.endow(who, ENDOWED)
        self.gifts = dict.fromkeys(LETTERS, 0)
        self.basket = self.world.basket
        self.let_rebalance()
        self.call(
            lambda m: m.add("A", first),
            lambda: self.basket.addLiquidity(self.token("A"), first, 0, self.user, sender=self.user),
        )

    def let_rebalance(self) -> None:
        """A contract that brings what it is told, and before that tries to enter the basket."""
        basket, manager = self.basket, self.world.manager
        self.rebalancer = self.governance.deploy(self.project.BasketIntruder, basket)
        manager.grantRole(REBALANCER, self.rebalancer, 0, sender=self.governance)
        selector = basket.data_of("rebalance", self.token("A"), 0, self.token("B"), b"")[:4]
        manager.setTargetFunctionRole(basket, [selector], REBALANCER, sender=self.governance)
        inner = [basket.data_of("sync"), basket.data_of("swapExactIn", *self.pair("AB"), 9, 0, self.user, FOREVER)]
        self.rebalancer.setCalls(inner, sender=self.governance)

    def pair(self, letters_: str) -> list[Any]:
        return [self.token(letter) for letter in letters_]

    def token(self, letter: str) -> Any:
        return self.world.tokens[letter].token

    def call(self, foretold: Any, call: Any) -> Any:
        """Both or neither; the model works on a copy until the contract has done the same."""
        tried = copy.deepcopy(self.model)
        before = [self.model.worth_of_a_share(p) for p in prices(self.model)] if self.model.supply else []
        try:
            expected, error = foretold(tried), None
        except Refused as refusal:
            expected, error = None, str(refusal)
        if error is not None:
            with pytest.raises(Reverted) as caught:
                call()
            assert self.selectors.get(caught.value.data[:4].hex()) == error, caught.value
            return None
        got = call()
        assert (list(got) if isinstance(got, tuple) else got) == expected
        self.model = tried
        for worth, price in zip(before, prices(self.model), strict=False):
            assert self.model.worth_of_a_share(price) >= worth
        return got

    # --- What people do ---

    @rule(given=letters, taken=letters, amount=amounts)
    def swap_exact_in(self, given: str, taken: str, amount: int) -> None:
        self.call(
            lambda m: m.swap_exact_in(given, taken, amount),
            lambda: self.basket.swapExactIn(
                self.token(given), self.token(taken), amount, 0, self.user, FOREVER, sender=self.user
            ),
        )

    @rule(given=letters, taken=letters, amount=amounts)
    def swap_exact_out(self, given: str, taken: str, amount: int) -> None:
        def foretold(m: Model) -> int:
            cost = m.swap_exact_out(given, taken, amount)
            if cost > ENDOWED // 2:
                raise Refused("InputAboveMaximum")
            return cost

        # a bound comes before what the basket holds: ask the model for the price alone where it is passed
        try:
            too_much = self.model.quote_out(given, taken, amount)[0] > ENDOWED // 2
        except Refused:
            too_much = False
        if too_much:

            def foretold(m: Model) -> int:
                raise Refused("InputAboveMaximum")

        self.call(
            foretold,
            lambda: self.basket.swapExactOut(
                self.token(given), self.token(taken), amount, ENDOWED // 2, self.user, FOREVER, sender=self.user
            ),
        )

    @rule(letter=letters, amount=amounts)
    def add(self, letter: str, amount: int) -> None:
        self.call(
            lambda m: m.add(letter, amount),
            lambda: self.basket.addLiquidity(self.token(letter), amount, 0, self.other, sender=self.other),
        )

    @rule(letter=letters, part=parts, whose=st.booleans())
    def remove(self, letter: str, part: int, whose: bool) -> None:
        who = self.user if whose else self.other
        lp = self.basket.balanceOf(who) * part // 1000
        self.call(
            lambda m: m.remove(letter, lp),
            lambda: self.basket.removeLiquidity(lp, self.token(letter), 0, who, sender=who),
        )

    @rule(part=parts, whose=st.booleans())
    def remove_all(self, part: int, whose: bool) -> None:
        """Whatever is sick or cut off."""
        who = self.user if whose else self.other
        lp = self.basket.balanceOf(who) * part // 1000
        self.call(lambda m: m.remove_all(lp), lambda: self.basket.removeAll(lp, [0, 0, 0], who, sender=who))

    @rule(given=letters, taken=letters, amount=amounts)
    def there_and_back(self, given: str, taken: str, amount: int) -> None:
        """I2: no round trip gains, bonuses included."""
        held = self.token(given).balanceOf(self.user)
        other = self.token(taken).balanceOf(self.user)
        out = self.call(
            lambda m: m.swap_exact_in(given, taken, amount),
            lambda: self.basket.swapExactIn(
                self.token(given), self.token(taken), amount, 0, self.user, FOREVER, sender=self.user
            ),
        )
        if not out:
            return
        back = self.call(
            lambda m: m.swap_exact_in(taken, given, out),
            lambda: self.basket.swapExactIn(
                self.token(taken), self.token(given), out, 0, self.user, FOREVER, sender=self.user
            ),
        )
        if back is not None:
            assert self.token(given).balanceOf(self.user) <= held
            assert self.token(taken).balanceOf(self.user) == other

    @rule(given=letters, choice=st.integers(0, 2), part=st.integers(0, 1001), more=st.sampled_from((0, -1, 1, 10**9)))
    def rebalance(self, given: str, choice: int, part: int, more: int) -> None:
        """As much as is due and more, or a wei less: nobody in the basket loses by what a rebalancer does."""
        held = [letter for letter in LETTERS if self.model.tokens[letter].balance] or LETTERS
        taken = held[choice % len(held)]
        source, target = self.model.tokens[given], self.model.tokens[taken]
        amount = target.balance * part // 1000
        due = ceil(Fraction(target.worth_up(amount) * ETHER, source.low)) if source.low else 0
        due = due * BPS // (BPS - source.bonus)  # what is left of it when its bonus has gone back
        brought = min(max(0, due + more), ENDOWED)
        self.token(given).mint(self.rebalancer, brought, sender=self.user)
        self.rebalancer.setGive(brought, sender=self.user)
        data = self.basket.data_of("rebalance", self.token(taken), amount, self.token(given), b"")
        self.call(
            lambda m: m.rebalance(taken, amount, given, brought),
            lambda: self.rebalancer.run(self.basket, data, sender=self.user),
        )
        assert self.rebalancer.entered() == 0

    @rule(letter=letters, amount=st.integers(1, 10**18))
    def give(self, letter: str, amount: int) -> None:
        """A gift without a call is nobody's."""
        self.token(letter).mint(self.basket, amount, sender=self.user)
        self.gifts[letter] += amount

    @rule(letter=letters, amount=st.integers(1, ETHER))
    def fund(self, letter: str, amount: int) -> None:
        def foretold(m: Model) -> None:
            if m.tokens[letter].input_off:
                raise Refused("InputIsOff")
            m.tokens[letter].incentive += amount

        self.call(foretold, lambda: self.basket.fund(self.token(letter), amount, sender=self.other))

    @rule()
    def sync(self) -> None:
        self.call(lambda m: m.sync(), lambda: self.basket.sync(sender=self.user))

    # --- What happens to tokens ---

    @rule(letter=letters, low=rates, spread=spreads, turned=st.integers(0, 9))
    def tell(self, letter: str, low: int, spread: int, turned: int) -> None:
        """New rates; now and then what is no rate."""
        high = low + spread
        if turned == 0:
            low, high = high + 1, low
        elif turned == 1:
            low, high = 0, 0
        self.world.tokens[letter].provider.setRates(low, high, sender=self.governance)
        token = self.model.tokens[letter]
        token.low, token.high = low, high

    @rule(letter=letters, mode=st.sampled_from(("Tell", "Tell", "Revert")))
    def sicken(self, letter: str, mode: str) -> None:
        self.world.mode(letter, mode)
        self.model.tokens[letter].sick = mode == "Revert"

    @rule(letter=letters, in_fee=st.integers(0, 100), extra=st.integers(0, 200), cap=st.sampled_from((10, 2**32 - 1)))
    def configure(self, letter: str, in_fee: int, extra: int, cap: int) -> None:
        out_fee = min(100, extra - in_fee)
        share_cap = 6_000 if extra % 3 == 0 else BPS
        fees = {"inFee": in_fee, "outFee": out_fee}
        flags = {"inputOff": extra % 7 == 0, "exactTransfers": extra % 2 == 0}
        self.world.configure(letter, cap=cap, shareCap=share_cap, **fees, **flags)
        token = self.model.tokens[letter]
        token.share_limit = min(token.share_limit * share_cap // token.share_cap, 2**104 - 1)
        token.in_fee, token.out_fee, token.cap = in_fee, out_fee, cap
        token.share_cap, token.input_off = share_cap, extra % 7 == 0

    @rule(which=st.sampled_from(("A", "B", "C", "ABC")), on=st.integers(0, 2))
    def cut_off(self, which: str, on: int) -> None:
        """All of them is a pause."""
        if on == 0:
            self.basket.cutOff(self.pair(which), DAY, sender=self.governance)
        else:
            self.basket.restore(self.pair(which), sender=self.governance)
        for letter in which:
            self.model.tokens[letter].cut_off = on == 0

    @rule(letter=letters)
    def remove_token_and_list_it_again(self, letter: str) -> None:
        token = self.model.tokens[letter]
        if token.balance or token.incentive:
            with pytest.raises(Reverted) as caught:
                self.basket.removeToken(self.token(letter), sender=self.governance)
            assert self.selectors[caught.value.data[:4].hex()] == "TokenNotEmpty"
            return
        self.basket.removeToken(self.token(letter), sender=self.governance)
        self.world.mode(letter, "Tell")
        settings_ = config(self.world.tokens[letter].provider)
        self.basket.addToken(self.token(letter), settings_, sender=self.governance)
        fresh = ModelToken(token.low, token.high)
        order = [str(each).lower() for each in self.basket.tokens()]
        self.model.tokens[letter] = fresh
        self.model.tokens = dict(
            sorted(self.model.tokens.items(), key=lambda item: order.index(self.token(item[0]).address.lower()))
        )

    # --- What always holds ---

    @invariant()
    def the_books_are_the_models(self) -> None:
        if not hasattr(self, "basket"):
            return
        assert self.basket.totalSupply() == self.model.supply >= DEAD_SHARES
        for letter, token in self.model.tokens.items():
            held, limit, _ = self.basket.holdingOf(self.token(letter))
            assert (held, limit) == (token.balance, token.share_limit), letter
            assert self.basket.incentiveOf(self.token(letter)) == token.incentive
            there = self.token(letter).balanceOf(self.basket)
            assert there == token.balance + token.incentive + self.gifts[letter]

    @invariant()
    def the_total_is_what_counts(self) -> None:
        if not hasattr(self, "basket"):
            return
        counted = [t for name, t in self.model.tokens.items() if t.balance and self.model.counts(name)]
        whole = len(counted) == sum(1 for t in self.model.tokens.values() if t.balance)
        expected = sum(t.worth_down(t.balance) for t in counted), sum(t.worth_up(t.balance) for t in counted), whole
        assert tuple(self.basket.totalValue()) == expected


def test_A3_A5_I2_the_basket_does_what_the_model_foretells():
    """mechanisms.md 3.3, 1 and 7."""
    project = ape.project
    BasketMachine.project = project
    BasketMachine.selectors = {
        keccak(text=error.selector)[:4].hex(): error.name
        for container in (project.LstBasket, project.ScriptedProvider)
        for error in container.contract_type.errors
    }
    deep = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
    run_state_machine_as_test(
        BasketMachine,
        settings=settings(
            max_examples=400 if deep else 25,
            stateful_step_count=80 if deep else 50,
            suppress_health_check=list(HealthCheck),
        ),
    )
