"""Provide slETH and ether to Uniswap v3 around the core rate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click
from ape.cli import ConnectedProviderCommand, account_option, ape_cli_context

from scripts._markets import open_markets
from scripts._session import common_options, console, explained, open_session
from sluice.client import ActionError, format_ether, parse_ether

if TYPE_CHECKING:
    from ape.api import AccountAPI, ProviderAPI

EPILOG = """
\b
Examples:
  ape run provide 20 --network http://127.0.0.1:8545
  ape run provide 20 --width 0.5 --yes --network http://127.0.0.1:8545 --account TEST::8
"""
FAR = Fraction(1, 100)
"""A pool that is farther from the rate than this is worth a warning."""


@click.command(cls=ConnectedProviderCommand, epilog=EPILOG, short_help="Provide to Uniswap v3 (local chains).")
@ape_cli_context()
@click.argument("ether")
@click.option(
    "--width",
    type=click.FloatRange(0.1, 50),
    default=1,
    show_default=True,
    help="Percent that the range reaches below and above the core rate.",
)
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
@account_option(prompt=False)
@common_options
def cli(
    _cli_ctx: object,
    provider: ProviderAPI,
    ether: str,
    width: float,
    yes: bool,
    account: AccountAPI | None,
    params_path: Path,
    registry: Path | None,
) -> None:
    """Turn ETHER into slETH and wrapped ether, in the parts the pool needs, and provide both around the core rate.

    A narrow range earns more of the fees and is left sooner: the rate grows, the range does not. Markets that are not
    on the local chain yet are put there first.
    """
    with explained():
        session = open_session(provider, params_path, registry, account, index=7)
        amount, sender = parse_ether(ether, "ETHER"), session.sender
        markets = open_markets(provider, session, yes=yes)
        pool = markets.pool
        rate, part = Fraction(markets.rate, 10**18), Fraction(str(width)) / 100
        low, high = rate * (1 - part), rate * (1 + part)
        staked = int(amount * pool.sleth_part(low, high))
        held = session.reader.balance(sender.address)
        if held <= amount:
            raise ActionError(f"{sender.address} holds {format_ether(held)} ether and needs some more than that.")
        minimum = int(markets.vault.read("MIN_STAKE"))
        if 0 < staked < minimum:
            raise ActionError(f"{format_ether(staked)} ether to stake is below the minimum of {format_ether(minimum)}.")
        price = pool.price()
        console.print(f"Position for {sender.address}", style="bold")
        console.print(
            f"Core rate {float(rate):.6f}, pool at {float(price):.6f}, range {float(low):.6f} to {float(high):.6f}."
        )
        if abs(price / rate - 1) > FAR:
            console.print("The pool is more than 1% from the rate: you would be arbitraged.", style="yellow")
        console.print(f"{format_ether(staked)} ether are staked, {format_ether(amount - staked)} wrapped.")
        if not yes:
            click.confirm("Send up to 5 transactions?", abort=True)
        shares = markets.stake(sender, staked)[0] if staked else 0
        markets.wrap(sender, amount - staked)
        position = pool.provide(sender, shares, amount - staked, low, high)
    console.print(
        f"Position {position.id}: {format_ether(position.sleth)} slETH and {format_ether(position.weth)} wrapped ether."
    )
    left = shares - position.sleth, amount - staked - position.weth
    console.print(f"Left over: {format_ether(left[0])} slETH and {format_ether(left[1])} wrapped ether.")
    console.print(f"The pool holds {' slETH and '.join(format_ether(each) for each in pool.reserves())} wrapped ether.")
