"""The worked example of docs/accounting.md: its steps, its figures, and the same in plain fractions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "accounting.md"
ETHER = 10**18
GWEI = 10**9
FEE = Fraction(10, 100)
PERIOD = 86_400
ROW = re.compile(r"^\| `(?P<step>[^`]+)` \|(?P<cells>[^`]+)\|$")


@dataclass(frozen=True)
class Figures:
    """Wei and shares; the rate as 1e18 = 1."""

    pooled: int
    unvested: int
    supply: int
    rate: int


@dataclass(frozen=True)
class Step:
    verb: str
    arguments: tuple[str, ...]
    expected: Figures

    @property
    def text(self) -> str:
        return " ".join((self.verb, *self.arguments))


def exact(text: str) -> int:
    """`1,000.5` ether as wei; refuses what is no whole number of wei."""
    wei = Fraction(text.replace(",", "").strip()) * ETHER
    assert wei.denominator == 1, text
    return int(wei)


def shown(wei: int) -> str:
    whole, rest = divmod(wei, ETHER)
    return f"{whole:,}" + (f".{rest:018}".rstrip("0") if rest else "")


def read_steps() -> list[Step]:
    steps = []
    for line in PAGE.read_text().splitlines():
        if match := ROW.match(line):
            verb, *arguments = match["step"].split()
            cells = [exact(cell) for cell in match["cells"].split("|")]
            steps.append(Step(verb, tuple(arguments), Figures(*cells)))
    return steps


@dataclass
class Fractions:
    """The vault in fractions, rounded only where the contract says it rounds. Knows nothing of its code."""

    pooled: int = 0
    supply: int = 0
    vesting: int = 0
    """Unvested when the newest report was applied."""
    period: int = 1
    """Seconds over which that vests."""
    since: int = 0
    """Seconds since it."""
    cover: int = 0
    """Shares in the cover fund."""
    waiting: int = 0
    """Shares in the queue."""
    told: list[str] = field(default_factory=list)

    @property
    def unvested(self) -> int:
        return ceil(Fraction(self.vesting) * max(0, self.period - self.since) / self.period)

    @property
    def total(self) -> int:
        return self.pooled - self.unvested

    @property
    def figures(self) -> Figures:
        rate = floor(Fraction(ETHER) * self.total / self.supply)
        return Figures(self.pooled, self.unvested, self.supply, rate)

    def play(self, step: Step) -> Figures:
        getattr(self, step.verb)(*step.arguments)
        return self.figures

    def seed(self, amount: str) -> None:
        self.pooled = self.supply = exact(amount)

    def stake(self, who: str, amount: str) -> None:
        assets = exact(amount)
        shares = floor(Fraction(assets) * self.supply / self.total)
        self.pooled += assets
        self.supply += shares
        if who == "cover":
            self.cover += shares

    def wait(self, seconds: str) -> None:
        self.since += int(seconds)

    def report(self, amount: str) -> None:
        profit = exact(amount.lstrip("+"))
        remaining, total, supply = self.unvested, self.total, self.supply
        period = self.period - self.since if remaining else 0
        if profit >= 0:
            fee = floor(profit * FEE)
            self.supply += floor(Fraction(fee) * supply / total)
            net = profit - fee
            remaining += net
            period += ceil(Fraction(PERIOD * net) / remaining) if net else 0
        else:
            left = -profit
            vested_away = min(left, remaining)
            remaining -= vested_away
            left -= vested_away
            burnt = min(self.cover, ceil(Fraction(left) * supply / total))
            self.cover -= burnt
            self.supply -= burnt
        self.pooled += profit
        self.vesting, self.period, self.since = remaining, max(1, period), 0

    def request(self, _who: str, shares: str) -> None:
        self.waiting += exact(shares) // GWEI * GWEI

    def finalize(self) -> None:
        assets = floor(Fraction(self.waiting) * self.total / self.supply)
        self.supply -= self.waiting
        self.pooled -= assets
        self.waiting = 0
