"""A basket over tokens whose rates the test tells, and an exact model of it; on a node or in process."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor
from typing import Any

from tests.small_core import DAY, ETHER, ZERO

BPS = 10_000
DEAD_SHARES = 10**9
INFINITE = 2**256 - 1
FOREVER = 2**255
LP_FEE = 2
MAX_RATE_AGE = 3 * DAY
WAYS = ("Tell", "Revert", "BurnGas", "ShortAnswer", "LongAnswer", "ByBalance", "Reenter")
VICES = (
    "None",
    "FeeOnTransfer",
    "FeeOnTop",
    "ReturnsFalse",
    "ReturnsNothing",
    "MovesNothing",
    "MovesTwice",
    "Frozen",
    "BurnsGas",
    "Hook",
)


def config(provider: Any, in_fee: int = 3, out_fee: int = 4, **changed: Any) -> dict[str, Any]:
    """What governance sets for a token; without caps unless told."""
    return {
        "provider": provider,
        "inFee": in_fee,
        "outFee": out_fee,
        "shareCap": BPS,
        "cap": 2**32 - 1,
        "inputOff": False,
        "exactTransfers": False,
    } | changed


@dataclass
class Listed:
    """A token and what tells its rates."""

    token: Any
    provider: Any


@dataclass
class World:
    """The basket and its tokens by letter."""

    project: Any
    governance: Any
    manager: Any
    basket: Any
    tokens: dict[str, Listed] = field(default_factory=dict)

    @classmethod
    def deploy(cls, project: Any, governance: Any, vault: Any = None) -> World:
        """Without a core no token is slETH."""
        manager = governance.deploy(project.ProtocolAccessManager, governance)
        arguments = "Sluice basket", "slBASKET", LP_FEE, vault or manager, MAX_RATE_AGE
        basket = governance.deploy(project.LstBasket, manager, *arguments)
        return cls(project, governance, manager, basket)

    def list(self, letter: str, low: int, high: int, **changed: Any) -> Listed:
        token = self.governance.deploy(self.project.WeirdLst)
        provider = self.governance.deploy(self.project.ScriptedProvider, token)
        provider.setRates(low, high, sender=self.governance)
        listed = Listed(token, provider)
        self.basket.addToken(token, config(provider, **changed), sender=self.governance)
        self.tokens[letter] = listed
        return listed

    def endow(self, who: Any, amount: int = 10**6 * ETHER) -> None:
        for listed in self.tokens.values():
            listed.token.mint(who, amount, sender=who)
            listed.token.approve(self.basket, INFINITE, sender=who)

    def config_of(self, letter: str) -> dict[str, Any]:
        keys = ("provider", "inFee", "outFee", "shareCap", "cap", "inputOff", "exactTransfers")
        return dict(zip(keys, self.basket.configOf(self.tokens[letter].token), strict=True))

    def configure(self, letter: str, **changed: Any) -> None:
        settings = self.config_of(letter) | changed
        self.basket.configureToken(self.tokens[letter].token, settings, sender=self.governance)

    def vice(self, letter: str, vice: str, listener: Any = ZERO) -> None:
        self.tokens[letter].token.setVice(VICES.index(vice), listener, sender=self.governance)

    def mode(self, letter: str, mode: str) -> None:
        self.tokens[letter].provider.setMode(WAYS.index(mode), sender=self.governance)


class Refused(Exception):  # noqa: N818 - an outcome
    """By the name of the error."""


@dataclass
class ModelToken:
    """What the model knows of one token."""

    low: int
    high: int
    in_fee: int = 3
    out_fee: int = 4
    share_cap: int = BPS
    cap: int = 2**32 - 1
    input_off: bool = False
    balance: int = 0
    share_limit: int = 0
    incentive: int = 0
    sick: bool = False
    cut_off: bool = False

    @property
    def charge(self) -> int:
        """Of taking it out, bps."""
        return max(0, self.out_fee)

    @property
    def bonus(self) -> int:
        """For taking it out, and back from who brings it in, bps."""
        return max(0, -self.out_fee)

    @property
    def is_rate(self) -> bool:
        return 0 < self.low <= self.high

    def worth_down(self, amount: int) -> int:
        return floor(Fraction(amount * self.low, ETHER))

    def worth_up(self, amount: int) -> int:
        return ceil(Fraction(amount * self.high, ETHER))

    def amount_of(self, value: int) -> int:
        """What goes out for a value."""
        return floor(Fraction(value * ETHER, self.high))


@dataclass
class Model:
    """What the contract should do, in fractions, with its refusals in its order."""

    tokens: dict[str, ModelToken] = field(default_factory=dict)
    supply: int = 0
    lp_fee: int = LP_FEE

    def price(self, letter: str) -> ModelToken:
        """Refuses where the basket would."""
        token = self.tokens[letter]
        if token.cut_off:
            raise Refused("TokenIsCutOff")
        if token.sick:
            raise Refused("Sick")
        if not token.is_rate:
            raise Refused("RatesInvalid")
        return token

    def counts(self, letter: str) -> bool:
        token = self.tokens[letter]
        return not token.cut_off and not token.sick and token.is_rate and token.high < 2**96

    def _pair(self, given: str, taken: str) -> tuple[ModelToken, ModelToken]:
        if given == taken:
            raise Refused("SameToken")
        if self.tokens[given].input_off:
            raise Refused("InputIsOff")
        return self.price(given), self.price(taken)

    def _debit(self, token: ModelToken, amount: int) -> None:
        if amount > token.balance:
            raise Refused("BalanceTooLow")
        token.balance -= amount

    def _credit(self, token: ModelToken, amount: int, limited: bool = True) -> None:
        token.balance += amount
        if token.worth_down(token.balance) > token.cap * ETHER:
            raise Refused("CapExceeded")
        if limited and token.share_cap != BPS and token.balance > token.share_limit:
            raise Refused("ShareCapExceeded")

    def _look(self, token: ModelToken, total: int) -> None:
        """What may be held of a token of a whole of ``total``."""
        token.share_limit = min(floor(Fraction(total * token.share_cap * ETHER, token.low * BPS)), 2**104 - 1)

    def quote_in(self, given: str, taken: str, amount: int) -> tuple[int, int]:
        """Of exactly ``amount`` in: out and its bonus."""
        source, target = self._pair(given, taken)
        value = source.worth_down(amount)
        value -= ceil(Fraction(value * (source.in_fee + target.charge), BPS))
        out = target.amount_of(value)
        bonus = min(floor(Fraction(out * target.bonus, BPS)), target.incentive)
        if out + bonus == 0:
            raise Refused("AmountZero")
        return out + bonus, bonus

    def quote_out(self, given: str, taken: str, amount: int) -> tuple[int, int]:
        """For exactly ``amount`` out: in and the bonus in what comes out."""
        source, target = self._pair(given, taken)
        if amount == 0:
            raise Refused("AmountZero")
        bonus = min(amount - ceil(Fraction(amount * BPS, BPS + target.bonus)), target.incentive)
        value = target.worth_up(amount - bonus)
        value = ceil(Fraction(value * BPS, BPS - source.in_fee - target.charge))
        return ceil(Fraction(value * ETHER, source.low)), bonus

    def _give_back(self, token: ModelToken, amount: int) -> int:
        """Of what comes in, what a bonus took when it went out."""
        back = floor(Fraction(amount * token.bonus, BPS))
        token.incentive += back
        return back

    def _swap(self, given: str, taken: str, amount_in: int, amount_out: int, bonus: int) -> None:
        source, target = self.tokens[given], self.tokens[taken]
        target.incentive -= bonus
        self._debit(target, amount_out - bonus)
        self._credit(source, amount_in - self._give_back(source, amount_in))

    def swap_exact_in(self, given: str, taken: str, amount: int) -> int:
        out, bonus = self.quote_in(given, taken, amount)
        self._swap(given, taken, amount, out, bonus)
        return out

    def swap_exact_out(self, given: str, taken: str, amount: int) -> int:
        amount_in, bonus = self.quote_out(given, taken, amount)
        self._swap(given, taken, amount_in, amount, bonus)
        return amount_in

    def add(self, letter: str, amount: int) -> int:
        if amount == 0:
            raise Refused("AmountZero")
        if self.tokens[letter].input_off:
            raise Refused("InputIsOff")
        token = self.price(letter)
        value = token.worth_down(amount)
        first, high = self.supply == 0, 0
        if first:
            if value <= DEAD_SHARES:
                raise Refused("FirstLiquidityTooSmall")
            lp = value - DEAD_SHARES
        else:
            net = value - ceil(Fraction(value * (self.lp_fee + token.in_fee), BPS))
            high = sum(self.price(name).worth_up(t.balance) for name, t in self.tokens.items() if t.balance)
            lp = floor(Fraction(net * self.supply, high))
        if lp == 0:
            raise Refused("AmountZero")
        kept = amount if first else amount - self._give_back(token, amount)
        self._look(token, high + token.worth_down(kept))
        self._credit(token, kept, limited=not first)
        self.supply += lp + (DEAD_SHARES if first else 0)
        return lp

    def remove(self, letter: str, lp: int) -> int:
        token = self.price(letter)
        low = sum(t.worth_down(t.balance) for name, t in self.tokens.items() if t.balance and self.counts(name))
        value = floor(Fraction(lp * low, self.supply))
        value -= ceil(Fraction(value * (self.lp_fee + token.charge), BPS))
        amount = token.amount_of(value)
        if amount == 0:
            raise Refused("AmountZero")
        self._debit(token, amount)
        self.supply -= lp
        return amount

    def remove_all(self, lp: int) -> list[int]:
        if lp == 0:
            raise Refused("AmountZero")
        amounts = []
        for token in self.tokens.values():
            amount = floor(Fraction(token.balance * lp, self.supply))
            token.share_limit -= floor(Fraction(token.share_limit * lp, self.supply))
            token.balance -= amount
            amounts.append(amount)
        self.supply -= lp
        return amounts

    def rebalance(self, taken: str, amount: int, given: str, brought: int) -> None:
        """While the rates stay."""
        if amount == 0:
            raise Refused("AmountZero")
        source, target = self._pair(given, taken)
        self._debit(target, amount)
        kept = brought - self._give_back(source, brought)
        if source.worth_down(kept) < target.worth_up(amount):
            raise Refused("RebalanceLoses")
        self._credit(source, kept)

    def sync(self) -> None:
        counted = [token for name, token in self.tokens.items() if self.counts(name)]
        if any(token.balance and not self.counts(name) for name, token in self.tokens.items()):
            raise Refused("TokenIsSick")
        total = sum(token.worth_down(token.balance) for token in counted)
        for token in counted:
            self._look(token, total)

    def worth_of_a_share(self, which: dict[str, Fraction]) -> Fraction:
        """At prices ``which``, exact."""
        return sum((t.balance * which[name] for name, t in self.tokens.items()), Fraction(0)) / self.supply


def swap_in(basket: Any, given: Any, taken: Any, amount: int, who: Any, least: int = 0) -> Any:
    return basket.swapExactIn(given, taken, amount, least, who, FOREVER, sender=who)


def swap_out(basket: Any, given: Any, taken: Any, amount: int, who: Any, most: int = 2**256 - 1) -> Any:
    return basket.swapExactOut(given, taken, amount, most, who, FOREVER, sender=who)
