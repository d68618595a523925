"""Stake, supply to Aave, borrow, stake again: more slETH than one has ether for, and what can go wrong with it.

Back by the queue, step by step: take out what health allows, hand it in, repay with what the queue pays.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

from sluice.client import format_ether
from sluice.markets.aave import BPS
from sluice.markets.contracts import MOST, MarketError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.deploy.chain import Receipt, Sender
    from sluice.markets.aave import Health
    from sluice.markets.local import Markets


MARGIN = 10**6
"""One part in so many: interest of a minute at 50% a year."""
CUSHION = Fraction(105, 100)
"""Health that is left when collateral is taken out: the rate may fall by 4.7% while the queue is waited for."""
STEP = 20
"""A request is made for one part in so many of what is still needed, or more."""
SPARE = 1_000
"""One part in so many of the debt is handed in beyond it, for the interest of the wait."""


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


def left_over(markets: Markets, owner: str) -> int:
    """Wrapped ether in hand, at most what is owed: a run stopped after it borrowed. Wei; 0 below the least stake."""
    left = min(markets.chain.balance(markets.weth, owner), markets.aave.debt(markets.weth, owner))
    return left if left >= int(markets.vault.read("MIN_STAKE")) else 0


def check_loop(markets: Markets, sender: Sender, plan: list[Turn], target: Fraction, left: int = 0) -> None:
    """Everything that would stop it half way, before anything is sent. ``left`` of the first stake is wrapped ether."""
    ltv = int(markets.aave.data.read("getReserveConfigurationData", markets.sleth)[1])
    if target * BPS > ltv:
        raise MarketError(f"Aave lends up to {_percent(Fraction(ltv, BPS))} on slETH, less than {_percent(target)}.")
    balance = markets.chain.reader.balance(sender.address)
    if (own := plan[0].staked - left) >= balance:
        raise MarketError(
            f"{sender.address} holds {format_ether(balance)} ether, and some more than {format_ether(own)} are needed."
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
    """Do it. `on_turn` hears of each turn and its gas; returns the gas of all.

    What :func:`left_over` finds is staked with `ether`.
    """
    aave, total, left = markets.aave, 0, left_over(markets, sender.address)
    amount = ether + left
    for turn in range(turns + 1):
        receipts: list[Receipt] = []
        if not turn and left:
            receipts.append(markets.unwrap(sender, left))
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


@dataclass(frozen=True)
class Unwound:
    """What one step did, and what is left; wei of ether, shares where it says so."""

    claimed: int
    repaid: int
    requested: int
    """Shares that were taken out and handed in."""
    returned: int
    """Shares that were taken out for their owner: the end."""
    debt: int
    waiting: int
    """Worth of open requests of the owner, which will repay."""

    @property
    def done(self) -> bool:
        return self.debt == 0


def unwind(markets: Markets, sender: Sender, own: int = 0) -> Unwound:
    """As far as it goes now: claim what the queue has paid, repay with it (and with wrapped ether in hand, and ``own``
    ether), hand in as much more as the debt needs and health allows; without debt, take all slETH out.

    Run again when the queue has paid. It looks at the position and its requests. Stopped in between, claimed ether or
    slETH that was taken out stays in hand: the one repays as ``own``, the other is handed in as any slETH is.
    """
    aave, queue, owner = markets.aave, markets.queue, sender.address
    claimed = _claim_ready(markets, sender)
    repaid = _repay(markets, sender, claimed + own)
    last, finalized = int(queue.read("lastRequestId")), int(queue.read("lastFinalizedId"))
    waiting = sum(queue.read("getRequest", each)[3] for each in queue.read("requestsOf", owner, finalized + 1, last))
    health = aave.health(owner)
    requested = returned = 0
    if not health.debt:
        if returned := aave.supplied(markets.sleth, owner):
            aave.withdraw(sender, markets.sleth)
    elif requested := _shares_to_request(markets, health, waiting):
        aave.withdraw(sender, markets.sleth, requested)
        queue.send(sender, "request(uint256,address)", requested, owner)
        waiting += int(markets.vault.read("convertToAssets", requested))
    if health.debt and not (claimed or repaid or waiting):
        raise MarketError(
            f"At a health of {float(health.factor or 0):.4f} no slETH can be taken out: repay some of the "
            f"{format_ether(health.debt)} ether of debt with your own (`--with`), or hand in slETH that you hold "
            "(`ape run request`) and come back when it is paid."
        )
    return Unwound(claimed, repaid, requested, returned, health.debt, waiting)


def _claim_ready(markets: Markets, sender: Sender) -> int:
    """All requests of the sender that were paid; wei."""
    queue, total = markets.queue, 0
    for request in queue.read("requestsOf", sender.address, 1, int(queue.read("lastFinalizedId"))):
        total += int(queue.read("getRequest", request)[3])
        queue.send(sender, "claim(uint256)", request)
    return total


def _repay(markets: Markets, sender: Sender, ether: int) -> int:
    """With up to ``ether`` and wrapped ether in hand; wei."""
    aave, weth, owner = markets.aave, markets.weth, sender.address
    debt = aave.debt(weth, owner)
    if not debt:
        return 0
    enough = debt + debt // MARGIN + 1  # with the interest until it is mined
    if (wrapping := min(ether, enough - markets.chain.balance(weth, owner))) > 0:
        markets.wrap(sender, wrapping)
    held = markets.chain.balance(weth, owner)
    if not held:
        return 0
    aave.repay(sender, weth, MOST if held >= enough else held)
    return held - markets.chain.balance(weth, owner)


def _shares_to_request(markets: Markets, health: Health, waiting: int) -> int:
    """What the debt still needs, as far as health allows; 0 where that is less than the queue takes."""
    wanted = health.debt + health.debt // SPARE + 1 - waiting
    free = health.collateral - ceil(health.debt * BPS * CUSHION / health.threshold)
    if waiting >= health.debt + health.debt // (2 * SPARE) or free <= 0:
        return 0
    needed, most = (int(markets.vault.read("convertToShares", each)) for each in (wanted, free))
    least = int(markets.queue.read("MIN_REQUEST"))
    shares = min(max(needed, least), most)
    # what the rate frees day by day is not worth a request while others wait
    return shares if shares >= (max(least, needed // STEP) if waiting else least) else 0


def _percent(part: Fraction) -> str:
    return f"{float(part):.2%}"
