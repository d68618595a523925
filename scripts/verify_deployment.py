"""Read a deployment back from the chain and compare it with its parameters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from ape.cli import ape_cli_context
from rich.markup import escape
from rich.table import Table

from scripts._session import NodeCommand, common_options, compiled, console, explained, registry_path
from sluice.deploy.chain import Web3Reader
from sluice.deploy.engine import verify_recorded
from sluice.deploy.params import load_params

if TYPE_CHECKING:
    from ape.api import ProviderAPI

EPILOG = """
\b
Examples:
  ape run verify_deployment --network http://127.0.0.1:8545
  ape run verify_deployment --network http://127.0.0.1:8545 --all
"""


@click.command(cls=NodeCommand, epilog=EPILOG, short_help="Compare the chain with the parameters.")
@ape_cli_context()
@common_options
@click.option("--all", "everything", is_flag=True, help="Show what agrees, too.")
def cli(_cli_ctx: object, provider: ProviderAPI, params_path: Path, registry: Path | None, everything: bool) -> None:
    """Compare every code hash, immutable, setting, role and delay on the chain with the parameters.

    Exits with 1 where anything differs. What governance has changed since is a difference too: change the
    parameter file along with it.
    """
    with explained():
        params = load_params(params_path)
        reader = Web3Reader(provider.web3)  # type: ignore[attr-defined]
        findings = verify_recorded(params, compiled(), reader, registry_path(provider, params, registry))
    different = [finding for finding in findings if not finding.ok]
    table = Table("", "contract", "what", "expected", "on the chain", title=f"Deployment on {params.network}")
    for finding in findings if everything else different:
        mark = "[green]same[/]" if finding.ok else "[red]differs[/]"
        table.add_row(
            mark, finding.subject, escape(finding.label), escape(str(finding.expected)), escape(str(finding.actual))
        )
    if table.row_count:
        console.print(table)
    kinds = sorted({finding.kind for finding in findings})
    counts = ", ".join(f"{sum(finding.kind == kind for finding in findings)} {kind}" for kind in kinds)
    console.print(f"{len(findings)} values compared ({counts}), {len(different)} differ.")
    if different:
        raise click.ClickException("The chain is not what the parameters say.")
