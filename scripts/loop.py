"""Leverage slETH on Aave: stake, supply, borrow, stake again; and back, through the queue."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click
from ape.cli import account_option, ape_cli_context
from rich.table import Table

from scripts._markets import find_markets, open_markets
from scripts._session import NodeCommand, common_options, console, explained, open_session
from sluice.client import format_ether, parse_ether
from sluice.markets.contracts import MarketError
from sluice.markets.leverage import (
    Turn,
    check_loop,
    fall_to_liquidation,
    net_yield,
    plan_loop,
    run_loop,
    unwind,
)

if TYPE_CHECKING:
    from ape.api import AccountAPI, ProviderAPI

    from scripts._session import Session

EPILOG = """
\b
Examples:
  ape run loop 10 --network http://127.0.0.1:8545
  ape run loop 10 --turns 6 --target-ltv 72 --yes --network http://127.0.0.1:8545 --account TEST::8
  ape run loop --unwind --network http://127.0.0.1:8545
"""


def table_of(turns: list[Turn]) -> Table:
    table = Table("turn", "staked", "collateral", "debt", "leverage", "health", box=None, pad_edge=False)
    for number, turn in enumerate(turns):
        table.add_row(
            str(number),
            format_ether(turn.staked),
            format_ether(turn.collateral),
            format_ether(turn.debt),
            f"{float(turn.leverage):.3f}",
            "-" if turn.factor is None else f"{float(turn.factor):.4f}",
        )
    return table


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
    help="Percent of the collateral to borrow up to.",
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
    """
    if unwinding == (ether is not None):
        raise click.UsageError("Give either ETHER to stake or --unwind.")
    if own and not unwinding:
        raise click.UsageError("--with goes with --unwind.")
    with explained():
        session = open_session(provider, params_path, registry, account, index=7)
        if ether is None:
            unwind_now(session, own, yes=yes)
            return
        amount, target = parse_ether(ether, "ETHER"), Fraction(str(target_ltv)) / 100
        markets = open_markets(provider, session, yes=yes)
        aave, owner = markets.aave, session.sender.address
        threshold = int(aave.data.read("getReserveConfigurationData", markets.sleth)[2])
        plan = plan_loop(amount, turns, target, threshold, aave.health(owner))
        check_loop(markets, session.sender, plan, target)
        console.print(f"Leverage for {owner}, ether", style="bold")
        console.print(table_of(plan))
        borrowing = aave.interest(markets.weth, sum(turn.staked for turn in plan[1:]))[1]
        tell_prospects(plan[-1], Fraction(str(staking_yield)) / 100, borrowing)
        if not yes:
            click.confirm(f"Send about {4 * turns + 3} transactions?", abort=True)
        done: list[Turn] = []
        gas = run_loop(markets, session.sender, amount, turns, target, lambda turn, _: done.append(turn))
    console.print("Done", style="bold")
    console.print(table_of(done))
    console.print(f"{gas:,} gas. It can be undone only as ether comes back: `ape run loop --unwind`.")


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
    step = unwind(markets, sender, amount)
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
