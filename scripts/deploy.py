"""Deploy everything. Run it again after an interruption: it goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from ape.cli import account_option, ape_cli_context
from rich.table import Table

from scripts._session import (
    ApeSender,
    NodeCommand,
    choose_account,
    common_options,
    compiled,
    console,
    explained,
    registry_path,
)
from sluice.chain.system_contracts import install_system_contracts
from sluice.client import format_ether
from sluice.deploy.chain import Web3Reader
from sluice.deploy.engine import Job, Outcome, Status, deploy
from sluice.deploy.params import load_params
from sluice.deploy.plan import Deploy

if TYPE_CHECKING:
    from ape.api import AccountAPI, ProviderAPI

EPILOG = """
\b
Examples:
  # all in one, on a chain that ends with the command
  ape run deploy --network ethereum:local:foundry --yes
  # on a chain that stays: `make chain` in another terminal, then
  ape run deploy --network http://127.0.0.1:8545
  # elsewhere
  ape run deploy --network ethereum:hoodi:node --params deployments/params/hoodi.yaml --account deployer
"""


def show(job: Job) -> None:
    if job.restarted:
        console.print("The local chain that was recorded is gone; everything begins anew.", style="yellow")
    console.print(f"Deployment on {job.plan.params.network}", style="bold")
    table = Table("step", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("address", no_wrap=True, min_width=42)
    table.add_column("state", no_wrap=True)
    for step, status in zip(job.plan.steps, job.statuses, strict=True):
        address = step.address if isinstance(step, Deploy) else f"{len(step.calls)} calls to the access manager"
        table.add_row(step.name, address, status.value)
    console.print(table)
    console.print(f"Deployer {job.plan.deployer}; {format_ether(job.plan.value, 0)} ether are the seed.")


def tell(outcome: Outcome) -> None:
    if outcome.receipt is not None:
        verb = "sent" if outcome.status is Status.TODO else "found"
        console.print(f"  {verb} {outcome.step.name}: {outcome.receipt.gas_used:,} gas, {outcome.receipt.tx_hash}")


@click.command(cls=NodeCommand, epilog=EPILOG, short_help="Deploy everything, or go on with it.")
@ape_cli_context()
@account_option(prompt=False)
@common_options
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
def cli(
    _cli_ctx: object,
    provider: ProviderAPI,
    account: AccountAPI | None,
    params_path: Path,
    registry: Path | None,
    yes: bool,
) -> None:
    """Deploy the protocol: plan, show, confirm, send, record, verify.

    On a local chain the account is the first of the test mnemonic, and the deposit contract is installed first.
    """
    with explained():
        params = load_params(params_path)
        artifacts = compiled()
        web3 = provider.web3  # type: ignore[attr-defined]
        sender = ApeSender(provider, choose_account(account, params, 0))
        if params.local:
            for name in install_system_contracts(web3):
                console.print(f"Installed {name} on the local chain.")

        def confirm(job: Job) -> bool:
            show(job)
            return yes or click.confirm(f"Send {len(job.todo)} transactions?")

        path = registry_path(provider, params, registry)
        result = deploy(params, artifacts, Web3Reader(web3), sender, path, confirm=confirm, on_step=tell)
    if not result.sent:
        console.print("Everything was there already; nothing was sent.")
    console.print(f"{result.registry.gas_used:,} gas in all. Recorded in {path}.")
    for finding in result.differences:
        console.print(f"{finding.subject} {finding.label}: {finding.actual}, expected {finding.expected}", style="red")
    if result.differences:
        raise click.ClickException("The chain is not what the parameters say; see above.")
    console.print(f"Verified: {len(result.findings)} values on the chain are as planned.", style="green")
