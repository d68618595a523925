"""Stake, supply to Aave, borrow, stake again: more slETH than one has ether for, and what can go wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from sluice.client import format_ether
from sluice.markets.aave import BPS
from sluice.markets.contracts import MarketError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.deploy.chain import Receipt, Sender
    from sluice.markets.aave import Health
    from sluice.markets.local import Markets


MARGIN = 10**6
"""One part in so many: interest of a minute at 50% a year."""


@dataclass(frozen=True)
class Turn:
    """After a stake and its supply; wei of ether."""

    staked: int
    collateral: int
    debt: int
    factor: Fraction | None
    """Of health; None without debt."""

    @property
    def leverage(self) -> Fraction:
        return Fraction(self.collateral, self.collateral - self.debt)


def plan_loop(ether: int, turns: int, target: Fraction, threshold: int, start: Health | None = None) -> list[Turn]:
    """`ether` staked and supplied, then `turns` loans up to `target` of the collateral, each staked and supplied.

    ``start`` is a position that is there already, ``threshold`` Aave's, in basis points.
    """
    collateral, debt = (start.collateral, start.debt) if start else (0, 0)
    found, amount = [], ether
    for turn in range(turns + 1):
        if turn:
            amount = int(collateral * target) - debt
            if amount <= 0:
                owed = _percent(Fraction(debt, collateral))
                raise MarketError(f"The position would owe {owed} of its collateral already: nothing to borrow.")
            debt += amount
        collateral += amount
        factor = Fraction(collateral * threshold, BPS * debt) if debt else None
        found.append(Turn(amount, collateral, debt, factor))
    return found


def net_yield(leverage: Fraction, staking: Fraction, borrowing: Fraction) -> Fraction:
    """A year's, on the owner's own ether: all of the collateral earns, all that is borrowed costs."""
    return leverage * staking - (leverage - 1) * borrowing


def fall_to_liquidation(factor: Fraction) -> Fraction:
    """How much of its rate slETH can lose before the position can be liquidated, interest aside."""
    return 1 - 1 / factor


def check_loop(markets: Markets, sender: Sender, plan: list[Turn], target: Fraction) -> None:
    """Everything that would stop it half way, before anything is sent."""
    ltv = int(markets.aave.data.read("getReserveConfigurationData", markets.sleth)[1])
    if target * BPS > ltv:
        raise MarketError(f"Aave lends up to {_percent(Fraction(ltv, BPS))} on slETH, less than {_percent(target)}.")
    balance = markets.chain.reader.balance(sender.address)
    if plan[0].staked >= balance:
        raise MarketError(
            f"{sender.address} holds {format_ether(balance)} ether, and some more than {format_ether(plan[0].staked)} "
            "are needed."
        )
    minimum = int(markets.vault.read("MIN_STAKE"))
    if (least := min(turn.staked for turn in plan)) < minimum:
        raise MarketError(
            f"A turn would stake {format_ether(least)} ether, below the minimum of {format_ether(minimum)}: "
            "fewer turns or more ether."
        )
    if (total := sum(turn.staked for turn in plan)) > (limit := int(markets.vault.read("stakeLimit"))):
        raise MarketError(
            f"{format_ether(limit)} ether can be staked now, less than {format_ether(total)}: wait, or stake less."
        )
    borrowed = sum(turn.staked for turn in plan[1:])
    if borrowed > (cash := markets.aave.cash(markets.weth)):
        raise MarketError(
            f"Aave has {format_ether(cash)} ether to lend, less than {format_ether(borrowed)}: "
            "fewer turns or less ether."
        )


def run_loop(
    markets: Markets,
    sender: Sender,
    ether: int,
    turns: int,
    target: Fraction,
    on_turn: Callable[[Turn, int], None] | None = None,
) -> int:
    """Do it. `on_turn` hears of each turn and its gas; returns the gas of all."""
    aave, total, amount = markets.aave, 0, ether
    for turn in range(turns + 1):
        receipts: list[Receipt] = []
        if turn:
            health = aave.health(sender.address)
            # at the limit itself, the interest until the loan is mined must still fit
            most = health.available - health.available // MARGIN
            amount = min(int(health.collateral * target) - health.debt, most)
            receipts.append(aave.borrow(sender, markets.weth, amount))
            receipts.append(markets.unwrap(sender, amount))
        shares, receipt = markets.stake(sender, amount)
        approval = markets.chain.allow(sender, markets.sleth, aave.pool.address, shares)
        receipts += [receipt, *([approval] if approval else []), aave.supply(sender, markets.sleth, shares)]
        gas = sum(each.gas_used for each in receipts)
        total += gas
        if on_turn:
            health = aave.health(sender.address)
            on_turn(Turn(amount, health.collateral, health.debt, health.factor), gas)
    return total


def _percent(part: Fraction) -> str:
    return f"{float(part):.2%}"
