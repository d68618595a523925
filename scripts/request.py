"""Hand slETH in for ether."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from ape.cli import account_option, ape_cli_context

from scripts._session import NodeCommand, common_options, console, explained, open_session
from sluice.client import ActionError, format_ether, parse_ether

if TYPE_CHECKING:
    from ape.api import AccountAPI, ProviderAPI

EPILOG = """
\b
Examples:
  ape run request 0.5 --network http://127.0.0.1:8545
  ape run request 10 20 30 --network http://127.0.0.1:8545 --account TEST::8
  ape run request all --network http://127.0.0.1:8545
"""


@click.command(cls=NodeCommand, epilog=EPILOG, short_help="Hand slETH in for ether.")
@ape_cli_context()
@click.argument("sleth", nargs=-1, required=True)
@account_option(prompt=False)
@common_options
def cli(
    _cli_ctx: object,
    provider: ProviderAPI,
    sleth: tuple[str, ...],
    account: AccountAPI | None,
    params_path: Path,
    registry: Path | None,
) -> None:
    """Hand in SLETH (for example 0.5, or `all`); several amounts become several requests in one transaction.

    What is handed in goes on earning until ether is set aside for it. No approval is needed.
    """
    with explained():
        session = open_session(provider, params_path, registry, account, index=7)
        owner = session.sender.address
        held = session.client.holding(owner)
        amounts = [held.shares] if sleth == ("all",) else [parse_ether(text, "SLETH") for text in sleth]
        if sum(amounts) > held.shares:
            raise ActionError(f"{owner} holds {format_ether(held.shares)} slETH: hand in that much or less.")
        known = {request.id for request in held.requests}
        receipt = session.client.send(session.sender, session.client.request_withdrawal(amounts, owner))
        made = [request for request in session.client.requests(owner) if request.id not in known]
        ahead = session.client.view("WithdrawalQueue", "etherAhead", made[0].id)
    for request in made:
        console.print(
            f"Request {request.id}: {format_ether(request.shares)} slETH, "
            f"now worth {format_ether(request.assets)} ether."
        )
    console.print(f"{format_ether(ahead)} ether are ahead in the queue ({receipt.gas_used:,} gas, {receipt.tx_hash}).")
    console.print("When a report has covered it: `ape run claim --finalize` with the same network and account.")
