"""Build the report that is due on a local testnet, sign it with the committee's test keys and submit it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import ape
import click
from ape.cli import account_option, ape_cli_context
from eth_account import Account
from rich.table import Table

from scripts._consensus import node_of, open_layer, state_path
from scripts._session import NodeCommand, Session, common_options, console, explained, open_session
from sluice.oracle.report import ReportImpossibleError
from sluice.oracle.signing import gather, sign, typed_data
from sluice.oracle.views import NothingToReportError, Prepared, find_contracts, prepare
from sluice.units import GWEI_PER_ETHER

if TYPE_CHECKING:
    from ape.api import AccountAPI, ProviderAPI

EPILOG = """
\b
Examples (with --network http://127.0.0.1:8545):
  ape run consensus advance --days 1
  ape run report               # shows, signs with a quorum of test keys, submits
  ape run report --dry         # shows only
"""


def shown(prepared: Prepared) -> Table:
    report = prepared.report
    table = Table(title=f"Report for slot {report.reference_slot}", show_header=False)
    for name, value in (
        ("validators", str(report.validators)),
        ("consensus balance", f"{report.consensus_balance / GWEI_PER_ETHER:,.9f} ether"),
        ("provision", f"{report.provision / GWEI_PER_ETHER:,.9f} ether"),
        ("withdrawn so far", f"{report.withdrawn / GWEI_PER_ETHER:,.9f} ether"),
        ("deposited so far", f"{report.deposited / GWEI_PER_ETHER:,.9f} ether"),
        ("rewards taken", f"{report.rewards / 10**18:,.18f} ether"),
        ("gain or loss", f"{prepared.forecast.profit / 10**18:,.18f} ether"),
        ("balances root", "0x" + report.balances_root.hex()),
    ):
        table.add_row(name, value)
    return table


def committee(session: Session) -> list[Account]:
    wanted = {member.key for member in session.params.oracle.members}
    keys = [Account.from_key(each.private_key) for each in ape.accounts.test_accounts if each.address in wanted]
    if len(keys) < session.params.oracle.quorum:
        raise click.ClickException(
            f"only {len(keys)} of the members' keys are test accounts, the quorum is {session.params.oracle.quorum}: "
            "this script is for local chains"
        )
    return keys


@click.command(cls=NodeCommand, epilog=EPILOG, short_help="Report on a local testnet.")
@ape_cli_context()
@account_option(prompt=False)
@click.option("--dry", is_flag=True, help="Build and show it, send nothing.")
@click.option("--state", type=click.Path(path_type=Path, dir_okay=False), help="Where the consensus state is kept.")
@common_options
def cli(
    _cli_ctx: object,
    provider: ProviderAPI,
    account: AccountAPI | None,
    dry: bool,
    state: Path | None,
    params_path: Path,
    registry: Path | None,
) -> None:
    """The report of the frame that runs now, from the stand-in's state at the reference slot."""
    with explained(), node_of(provider) as node:
        session = open_session(provider, params_path, registry, account, index=9)
        path = state_path(session, state)
        layer = open_layer(session, node, path)
        contracts = find_contracts(node, session.client.address("ReportOracle"))
        try:
            prepared = prepare(layer, node, contracts)
        except (NothingToReportError, ReportImpossibleError) as error:
            raise click.ClickException(str(error)) from error
        layer.save(path)
        console.print(shown(prepared))
        if prepared.forecast.violations:
            hint = "; ".join(prepared.forecast.violations)
            raise click.ClickException(f"It would be refused: {hint}. `ape run consensus advance` lets time pass.")
        if dry:
            return
        keys = committee(session)[: session.params.oracle.quorum]
        signatures = gather(sign(prepared.report, contracts.domain, key) for key in keys)
        call = session.client.call(
            "ReportOracle", "submit", typed_data(prepared.report, contracts.domain)["message"], signatures
        )
        receipt = session.client.send(session.sender, call)
        console.print(f"Accepted with {len(keys)} signatures ({receipt.gas_used:,} gas, {receipt.tx_hash}).")
