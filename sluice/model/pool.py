"""The curve of the instant pool in exact arithmetic, and those it is measured against.

Amounts are wei, fees fractions of one. The marginal curve is Marinade's (liq_pool.rs). Theirs is evaluated where a
trade ends; ours is integrated, so it matters where a trade starts and ends and not in how many steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Curve:
    """The last wei out of ``l`` costs ``1 + surcharge(l)``."""

    min_fee: Fraction
    max_fee: Fraction
    target: Fraction

    def surcharge(self, assets: Fraction | int) -> Fraction:
        below = min(Fraction(assets), self.target)
        return self.max_fee - (self.max_fee - self.min_fee) * below / self.target

    def potential(self, assets: Fraction | int) -> Fraction:
        """``l`` and the integral of the surcharge from 0 to ``l``."""
        below = min(Fraction(assets), self.target)
        integral = (self.max_fee + self.surcharge(below)) / 2 * below + self.min_fee * (assets - below)
        return assets + integral

    def cost(self, assets: Fraction | int, out: Fraction | int) -> Fraction:
        """Value that takes ``out`` from a pool of ``assets``."""
        return self.potential(assets) - self.potential(assets - out)

    def take(self, assets: int, value: Fraction | int) -> int:
        """The most whole wei that ``value`` takes from a pool of ``assets``."""
        low, high = 0, assets
        while low < high:
            middle = (low + high + 1) // 2
            if self.cost(assets, middle) <= value:
                low = middle
            else:
                high = middle - 1
        return low


def marinade_fee(curve: Curve, assets: Fraction, value: Fraction) -> Fraction:
    """Marinade's fee on selling ``value`` into a pool of ``assets``: the height of the curve at its end, on all of it.

    Source: marinade-finance/liquid-staking-program, state/liq_pool.rs.
    """
    after = assets - value
    return value * (curve.max_fee if after <= 0 else curve.surcharge(after))


def sanctum_fee(zero: Fraction, most: Fraction, reserves: Fraction, incoming: Fraction, value: Fraction) -> Fraction:
    """Sanctum's ``LiquidityLinear``: the fixed point of a fee that rises with what has come in and is not yet ether.

    ``y = (I + S + c/m) / (1/m + S)`` with ``m = (most - zero) / owned``, ``c = zero``, I what is incoming, S the trade;
    in Sanctum's own terms ``y`` is the share of the trade that is kept. Source: igneous-labs/sanctum-unstake-program,
    state/fee.rs (research notes, section 3.1).
    """
    owned = reserves + incoming
    slope = (most - zero) / owned
    return value * (slope * (incoming + value) + zero) / (1 + slope * value)
