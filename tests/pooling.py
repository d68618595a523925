"""An instant pool beside a small core, and what must hold of it. Runs on a node (ape) and in process."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from ape import project

from sluice.model.pool import Curve
from tests.in_process import Process
from tests.small_core import DAY, ETHER, SmallCore

BPS = 10_000
FOREVER = 2**48
TERMS = {"minFee": 5, "maxFee": 300, "treasuryPart": 2_500, "target": ETHER // 2}
"""0.05% to 3%, a quarter of it for the treasury; least where half of the liquidity is ether."""
SEED = ETHER
MAX_RATE_AGE = 3 * DAY


@dataclass
class Pool:
    """The contract and its core. Figures are wei."""

    core: SmallCore
    contract: Any
    terms: dict[str, int] = field(default_factory=lambda: dict(TERMS))

    @classmethod
    def deploy(cls, project: Any, core: SmallCore, treasury: Any, **terms: int) -> Pool:
        chosen = TERMS | terms
        contract = core.governance.deploy(
            project.InstantPool, core.manager, core.vault, treasury, MAX_RATE_AGE, chosen, value=SEED
        )
        return cls(core, contract, chosen)

    @property
    def assets(self) -> int:
        return int(self.contract.legs()[0])

    @property
    def shares(self) -> int:
        return int(self.contract.legs()[1])

    @property
    def awaited(self) -> int:
        return int(self.contract.legs()[2])

    @property
    def supply(self) -> int:
        return int(self.contract.totalSupply())

    @property
    def target(self) -> int:
        return self.supply * self.terms["target"] // ETHER

    @property
    def curve(self) -> Curve:
        return Curve(Fraction(self.terms["minFee"], BPS), Fraction(self.terms["maxFee"], BPS), Fraction(self.target))

    def treasury_part(self, shares: int, value: int, assets: int) -> int:
        return shares * (value - assets) * self.terms["treasuryPart"] // (value * BPS)

    @property
    def standing(self) -> Fraction:
        """INV-POL-01, of 1e18 liquidity: worth of slETH and of what is awaited, plus the potential of the ether.

        Of the surcharge the providers' part alone, so that a sale keeps it.
        """
        return self._standing(Fraction(self.assets), (self.shares + self.awaited) * self.core.rate)

    @property
    def standing_once_paid(self) -> Fraction:
        """INV-POL-01 as it will be when all that is awaited has become ether at this rate."""
        return self._standing(self.assets + self.awaited * self.core.rate, self.shares * self.core.rate)

    def _standing(self, assets: Fraction, held: Fraction) -> Fraction:
        kept = Fraction(BPS - self.terms["treasuryPart"], BPS)
        potential = assets + kept * (self.curve.potential(assets) - assets)
        return (held + potential) * ETHER / self.supply

    def exact_liquidity(self, assets: int, shares: int) -> Fraction:
        """What `assets` and `shares` are worth if what is more slETH than the ratio is sold first, exactly.

        What is awaited counts as ether and costs as much. With E, X the pool's ether and slETH and e, x what comes:
        the most o with v(o) (E + e) + o (X + x) <= x E - e X, by halving. A part of E costs as that of the ether leg.
        """
        ether, held = self.assets + self.awaited * self.core.rate, self.shares * self.core.rate
        given = shares * self.core.rate
        excess = given * ether - assets * held
        if excess <= 0:
            return Fraction(self.supply) * (assets + given) / (ether + held)
        curve = self.curve
        least = curve.min_fee if self.assets else curve.max_fee
        curve = Curve(least, curve.max_fee, curve.target * ether / max(self.assets, 1))
        low, high = Fraction(0), excess / (ether + assets + held + given)
        for _ in range(120):
            middle = (low + high) / 2
            cost = curve.potential(ether) - curve.potential(ether - middle)
            if cost * (ether + assets) + middle * (held + given) <= excess:
                low = middle
            else:
                high = middle
        return Fraction(self.supply) * (assets + low) / (ether - low)

    @property
    def held(self) -> list[int]:
        """Ids of the requests that the pool owns in the queue."""
        last = self.core.queue.lastRequestId()
        return [int(i) for i in self.core.queue.requestsOf(self.contract.address, 1, last)]


def full_pool(liquidity: int = 1_000) -> Pool:
    """In process, at a rate of one: half of the liquidity (ether) is ether, which is the target."""
    process = Process()
    governance, provider = process.account(0), process.account(1)
    core = SmallCore.deploy(project, governance, process.account(3), process)
    core.stake(provider, liquidity * ETHER)
    pool = Pool.deploy(project, core, process.account(4))
    core.token.approve(pool.contract, 2**256 - 1, sender=provider)
    half = liquidity // 2 * ETHER
    pool.contract.addLiquidity(half, 0, provider, FOREVER, sender=provider, value=half - ETHER)
    return pool
