"""Leverage slETH on Aave: stake, supply, borrow, stake again; and back, through the queue."""

from __future__ import annotations

from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import click
from ape.cli import account_option, ape_cli_context
from rich.table import Table

from scripts._markets import find_markets, open_markets
from scripts._session import NodeCommand, common_options, console, explained, interruptible, open_session, typed
from sluice.client import ActionError, format_ether, parse_ether
from sluice.deploy.errors import DeploymentError
from sluice.markets.contracts import MarketError
from sluice.markets.leverage import (
    Turn,
    check_loop,
    fall_to_liquidation,
    left_over,
    net_yield,
    plan_loop,
    run_loop,
    unwind,
)

if TYPE_CHECKING:
    from ape.api import AccountAPI, ProviderAPI

    from scripts._session import Session
    from sluice.markets.local import Markets

EPILOG = """
\b
Examples:
  ape run loop 10 --network http://127.0.0.1:8545
  ape run loop 10 --turns 6 --target-ltv 72 --yes --network http://127.0.0.1:8545 --account TEST::8
  ape run loop --unwind --network http://127.0.0.1:8545
"""


COLUMNS = ("turn", "staked", "collateral", "debt", "leverage", "health")


def cells(number: int, turn: Turn) -> list[str]:
    return [
        str(number),
        format_ether(turn.staked),
        format_ether(turn.collateral),
        format_ether(turn.debt),
        f"{float(turn.leverage):.3f}",
        "-" if turn.factor is None else f"{float(turn.factor):.4f}",
    ]


def table_of(turns: list[Turn]) -> Table:
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for number, turn in enumerate(turns):
        table.add_row(*cells(number, turn))
    return table


class Told:
    """Each turn as it happens, in columns as wide as those of the plan."""

    def __init__(self, plan: list[Turn]) -> None:
        planned = [list(COLUMNS), *(cells(number, turn) for number, turn in enumerate(plan))]
        self._widths = [max(map(len, column)) for column in zip(*planned, strict=True)]
        self.planned, self.turns = len(plan), 0
        self._tell(list(COLUMNS))

    def __call__(self, turn: Turn, gas: int) -> None:
        self._tell([*cells(self.turns, turn), f"{gas:,} gas"])
        self.turns += 1

    def _tell(self, words: list[str]) -> None:
        console.print("  ".join(word.ljust(width) for word, width in zip_longest(words, self._widths, fillvalue=0)))


@click.command(cls=NodeCommand, epilog=EPILOG, short_help="Leverage slETH on Aave (local chains).")
@ape_cli_context()
@click.argument("ether", required=False)
@click.option(
    "--unwind",
    "unwinding",
    is_flag=True,
    help="Take slETH out as health allows, hand it in, and repay with what the queue has paid. Run again until done.",
)
@click.option("--with", "own", help="With --unwind: ether of your own to repay with.")
@click.option("--turns", type=click.IntRange(1, 20), default=4, show_default=True, help="How often to borrow.")
@click.option(
    "--target-ltv",
    type=click.FloatRange(1, 99),
    default=70,
    show_default=True,
    help="Percent of the collateral to borrow up to; Aave lends at most 74.5% on slETH.",
)
@click.option(
    "--staking-yield",
    type=click.FloatRange(0, 100),
    default=3,
    show_default=True,
    help="Percent a year that slETH is expected to earn.",
)
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
@account_option(prompt=False)
@common_options
def cli(
    _cli_ctx: object,
    provider: ProviderAPI,
    ether: str | None,
    unwinding: bool,
    own: str | None,
    turns: int,
    target_ltv: float,
    staking_yield: float,
    yes: bool,
    account: AccountAPI | None,
    params_path: Path,
    registry: Path | None,
) -> None:
    """Stake ETHER, supply the slETH to Aave, borrow ether on it and stake that, --turns times.

    The position gains and loses by its leverage. When slETH loses so much of its rate that health falls below 1, anyone
    may liquidate it. Markets that are not on the local chain yet are put there first.

    --unwind goes back: each run does what can be done now, and says what it waits for.

    On a local chain the account is TEST::7 where none is given.
    """
    if unwinding == (ether is not None):
        raise click.UsageError("Give either ETHER to stake or --unwind.")
    if own and not unwinding:
        raise click.UsageError("--with goes with --unwind.")
    if unwinding and (word := typed(click.get_current_context(), "turns", "target_ltv", "staking_yield")):
        raise click.UsageError(f"{word} goes with ETHER: --unwind takes all out, as far as it can now.")
    with explained():
        session = open_session(provider, params_path, registry, account, index=7)
        if ether is None:
            unwind_now(session, own, yes=yes)
            return
        amount, target = parse_ether(ether, "ETHER"), Fraction(str(target_ltv)) / 100
        markets = open_markets(provider, session, yes=yes)
        aave, owner = markets.aave, session.sender.address
        threshold = int(aave.data.read("getReserveConfigurationData", markets.sleth)[2])
        start, left = aave.health(owner), left_over(markets, owner)
        plan = plan_loop(amount + left, turns, target, threshold, start)
        check_loop(markets, session.sender, plan, target, left)
        if start.collateral:
            console.print(f"A position of {position_of(markets, owner)} exists; this adds to it.")
        if left:
            console.print(
                f"{format_ether(left)} wrapped ether is in hand, as a run that was stopped after borrowing leaves it: "
                "it is unwrapped and staked with ETHER."
            )
        console.print(f"Leverage for {owner}, ether", style="bold")
        console.print(table_of(plan))
        borrowing = aave.interest(markets.weth, sum(turn.staked for turn in plan[1:]))[1]
        tell_prospects(plan[-1], Fraction(str(staking_yield)) / 100, borrowing)
        if not yes:
            click.confirm(f"Send about {4 * turns + 3} transactions?", abort=True)
        told = Told(plan)
        with interruptible():
            try:
                gas = run_loop(markets, session.sender, amount, turns, target, told)
            except (KeyboardInterrupt, ActionError, DeploymentError):
                tell_stopped(markets, owner, told)
                raise
    console.print(f"{gas:,} gas. The way out is `ape run loop --unwind`: it repays as the queue pays.")


def position_of(markets: Markets, owner: str) -> str:
    supplied, health = markets.aave.supplied(markets.sleth, owner), markets.aave.health(owner)
    return (
        f"{format_ether(supplied)} slETH, worth {format_ether(health.collateral)} ether, with a debt of "
        f"{format_ether(health.debt)} ether"
    )


def what_is_there(markets: Markets, owner: str) -> str:
    weth, sleth = (markets.chain.balance(token, owner) for token in (markets.weth, markets.sleth))
    return (
        f"On Aave: {position_of(markets, owner)}. In hand: {format_ether(weth)} wrapped ether and "
        f"{format_ether(sleth)} slETH."
    )


def tell_stopped(markets: Markets, owner: str, told: Told) -> None:
    """What an interruption leaves, and what can be done with it."""
    console.print(
        f"Stopped after {told.turns} of {told.planned} stakes. {what_is_there(markets, owner)}", style="yellow"
    )
    console.print(
        "`ape run loop ETHER` adds to the position, and stakes wrapped ether that was borrowed. What was unwrapped is "
        "ether of the account: count it in ETHER. slETH in hand stays there. `ape run loop --unwind` is the way out."
    )


def unwind_now(session: Session, own: str | None, *, yes: bool) -> None:
    amount = parse_ether(own, "--with") if own else 0
    markets, sender = find_markets(session), session.sender
    health = markets.aave.health(sender.address)
    if not health.collateral:
        console.print(f"{sender.address} has nothing on Aave: there is nothing to unwind.")
        return
    if amount and amount >= (balance := session.reader.balance(sender.address)):
        raise MarketError(f"{sender.address} holds {format_ether(balance)} ether, and some more than --with is needed.")
    console.print(
        f"{sender.address} has {format_ether(health.collateral)} ether of slETH on Aave and owes "
        f"{format_ether(health.debt)}. What the queue has paid it, and its wrapped ether, repay."
    )
    if not yes:
        click.confirm("Send up to 6 transactions, and one for each request that was paid?", abort=True)
    with interruptible():
        try:
            step = unwind(markets, sender, amount)
        except (KeyboardInterrupt, ActionError, DeploymentError):
            tell_unwinding_stopped(markets, sender.address)
            raise
    console.print(f"Claimed {format_ether(step.claimed)} ether, repaid {format_ether(step.repaid)}.")
    if step.requested:
        console.print(f"Took out {format_ether(step.requested)} slETH and handed it in.")
    if step.done:
        console.print(f"Took out the last {format_ether(step.returned)} slETH. Done.")
    else:
        console.print(
            f"{format_ether(step.debt)} ether are owed and {format_ether(step.waiting)} wait in the queue: "
            "run this again when they are paid (`ape run status`)."
        )


def tell_unwinding_stopped(markets: Markets, owner: str) -> None:
    console.print(f"Stopped. {what_is_there(markets, owner)}", style="yellow")
    console.print(
        "Run it again: wrapped ether repays. Ether that was claimed is the account's: it repays by `--with`. slETH "
        "that was taken out is handed in by `ape run request`."
    )


def tell_prospects(last: Turn, staking: Fraction, borrowing: Fraction) -> None:
    total = net_yield(last.leverage, staking, borrowing)
    console.print(
        f"Expected a year: {float(staking):.2%} of slETH times {float(last.leverage):.3f}, less {float(borrowing):.2%} "
        f"interest times {float(last.leverage - 1):.3f}: {float(total):.2%} of your own ether."
    )
    if borrowing >= staking:
        console.print("Interest eats more than slETH earns: leverage loses here.", style="yellow")
    if last.factor is not None:
        console.print(f"Liquidation after slETH has lost {float(fall_to_liquidation(last.factor)):.2%} of its rate.")
