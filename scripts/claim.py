"""Take the ether of finalised requests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from ape.cli import account_option, ape_cli_context

from scripts._session import NodeCommand, common_options, console, explained, open_session
from sluice.client import ActionError, format_ether

if TYPE_CHECKING:
    from ape.api import AccountAPI, ProviderAPI

EPILOG = """
\b
Examples:
  ape run claim --network http://127.0.0.1:8545
  ape run claim --finalize --network http://127.0.0.1:8545
  ape run claim 3 4 --network http://127.0.0.1:8545 --account TEST::8
"""


@click.command(cls=NodeCommand, epilog=EPILOG, short_help="Take the ether of finalised requests.")
@ape_cli_context()
@click.argument("ids", nargs=-1, type=click.IntRange(min=1))
@account_option(prompt=False)
@common_options
@click.option("--finalize", is_flag=True, help="First set ether aside for all requests that can have it.")
def cli(
    _cli_ctx: object,
    provider: ProviderAPI,
    ids: tuple[int, ...],
    account: AccountAPI | None,
    params_path: Path,
    registry: Path | None,
    finalize: bool,
) -> None:
    """Claim the requests IDS of the account, or all of its that are finalised."""
    with explained():
        session = open_session(provider, params_path, registry, account, index=7)
        client, owner = session.client, session.sender.address
        if finalize and (call := client.finalize()) is not None:
            receipt = client.send(session.sender, call)
            last = client.view("WithdrawalQueue", "lastFinalizedId")
            console.print(f"Finalised up to request {last} ({receipt.gas_used:,} gas, {receipt.tx_hash}).")
        mine = client.requests(owner)
        chosen = list(ids) or [request.id for request in mine if request.finalized]
        if not chosen:
            waiting = ", ".join(str(request.id) for request in mine)
            hint = f"{waiting} wait for ether; try --finalize after the next report" if waiting else "it has no request"
            raise ActionError(f"{owner} can claim nothing: {hint}.")
        worth = sum(client.request(request_id).assets for request_id in chosen)
        receipt = client.send(session.sender, client.claim(chosen, owner))
    numbers = ", ".join(str(request_id) for request_id in chosen)
    console.print(
        f"Claimed {format_ether(worth)} ether of request {numbers} for {owner} "
        f"({receipt.gas_used:,} gas, {receipt.tx_hash})."
    )
