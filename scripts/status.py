"""What the protocol and an account hold."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from ape.cli import account_option, ape_cli_context
from rich.table import Table

from scripts._session import NodeCommand, common_options, console, explained, open_session
from sluice.client import Holding, Status, format_ether
from sluice.units import when

if TYPE_CHECKING:
    from ape.api import AccountAPI, ProviderAPI

EPILOG = """
\b
Examples:
  ape run status --network http://127.0.0.1:8545
  ape run status --network http://127.0.0.1:8545 --account TEST::8 --json
"""


def rows(status: Status) -> list[tuple[str, str]]:
    frame = status.frame
    if frame is None:
        expected = "the first frame has not begun"
    elif frame.reported:
        expected = f"slot {frame.reference_slot} is reported; the next frame begins {when(frame.deadline)}"
    else:
        expected = f"slot {frame.reference_slot} until {when(frame.deadline)}"
    paused = f"until {when(status.paused_until)}" if status.paused_until > status.time else "no"
    waiting = status.last_request - status.last_finalized
    return [
        ("block", f"{status.block}, {when(status.time)}"),
        ("rate", f"{format_ether(status.rate, 18)} ether per slETH"),
        ("pooled", f"{format_ether(status.pooled)} ether"),
        ("  unvested", f"{format_ether(status.unvested)} ether"),
        ("  buffer", f"{format_ether(status.buffer)} ether"),
        ("  outside", f"{format_ether(status.outside)} ether"),
        ("supply", f"{format_ether(status.supply)} slETH"),
        ("stake limit", f"{format_ether(status.stake_limit)} ether"),
        ("staking paused", paused),
        ("requests", f"{status.last_request} made, {waiting} wait for {format_ether(status.open_shares)} slETH"),
        ("can be finalised", f"up to {status.finalizable}" if status.finalizable else "none"),
        ("newest report", f"of {when(status.reference_time)}"),
        ("expected report", expected),
    ]


def show(status: Status, holding: Holding) -> None:
    table = Table(show_header=False, title="Protocol", title_justify="left")
    for row in rows(status):
        table.add_row(*row)
    console.print(table)
    console.print(
        f"{holding.account} holds {format_ether(holding.ether)} ether and {format_ether(holding.shares)} slETH "
        f"worth {format_ether(holding.worth)} ether."
    )
    for request in holding.requests:
        state = "can be claimed" if request.finalized else "waits"
        console.print(
            f"  request {request.id}: {format_ether(request.shares)} slETH, "
            f"{format_ether(request.assets)} ether, {state}, made {when(request.requested_at)}"
        )


@click.command(cls=NodeCommand, epilog=EPILOG, short_help="What the protocol and an account hold.")
@ape_cli_context()
@account_option(prompt=False)
@common_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON, amounts in wei.")
def cli(
    _cli_ctx: object,
    provider: ProviderAPI,
    account: AccountAPI | None,
    params_path: Path,
    registry: Path | None,
    as_json: bool,
) -> None:
    """Show rate, pool, queue, frame, and what the account holds (TEST::7 on a local chain where none is given)."""
    with explained():
        session = open_session(provider, params_path, registry, account, index=7)
        status = session.client.status()
        holding = session.client.holding(session.sender.address)
    if as_json:
        click.echo(json.dumps({"protocol": asdict(status), "account": asdict(holding)}, indent=2))
    else:
        show(status, holding)
