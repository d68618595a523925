"""Stake ether for slETH."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from ape.cli import account_option, ape_cli_context

from scripts._session import NodeCommand, common_options, console, explained, open_session
from sluice.client import format_ether, parse_ether

if TYPE_CHECKING:
    from ape.api import AccountAPI, ProviderAPI

EPILOG = """
\b
Examples:
  ape run stake 1.5 --network http://127.0.0.1:8545
  ape run stake 32 --network http://127.0.0.1:8545 --account TEST::8
"""


@click.command(cls=NodeCommand, epilog=EPILOG, short_help="Stake ether for slETH.")
@ape_cli_context()
@click.argument("ether")
@account_option(prompt=False)
@common_options
def cli(
    _cli_ctx: object,
    provider: ProviderAPI,
    ether: str,
    account: AccountAPI | None,
    params_path: Path,
    registry: Path | None,
) -> None:
    """Stake ETHER (for example 1.5). On a local chain the account is TEST::7 where none is given."""
    with explained():
        session = open_session(provider, params_path, registry, account, index=7)
        amount = parse_ether(ether, "ETHER")
        before = session.client.holding(session.sender.address).shares
        receipt = session.client.send(session.sender, session.client.stake(amount, session.sender.address))
        holding = session.client.holding(session.sender.address)
    console.print(
        f"Staked {format_ether(amount)} ether for {format_ether(holding.shares - before)} slETH "
        f"({receipt.gas_used:,} gas, {receipt.tx_hash})."
    )
    console.print(
        f"{holding.account} holds {format_ether(holding.shares)} slETH, worth {format_ether(holding.worth)} ether."
    )
