"""Sixty days of the protocol on a fresh local chain, every wei accounted for.

ape run days --network ethereum:local:foundry
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import ape
import click
from eth_account import Account
from rich.console import Console
from rich.table import Table

from scripts._session import NodeCommand
from sluice.chain.node import HttpNode
from sluice.chain.system_contracts import install_system_contracts
from sluice.demo.books import Account as Line
from sluice.demo.books import Books, Check, ConservationError, require
from sluice.demo.chart import draw
from sluice.demo.story import DAYS, Story, prepare_story
from sluice.demo.telling import PLAIN_WIDTH, play
from sluice.demo.world import Setting, World
from sluice.deploy.artifacts import load_artifacts
from sluice.deploy.chain import NodeSender, Web3Reader
from sluice.deploy.engine import deploy
from sluice.deploy.params import load_params

ROOT = Path(__file__).resolve().parent.parent
ETHER = 10**18
ETHER_SHOWN = 4


def build_world(console: Console) -> World:
    """Deploy everything on the connected chain, through the engine that any deployment uses."""
    params = load_params(ROOT / "deployments" / "params" / "local.yaml")
    provider = ape.chain.provider
    install_system_contracts(provider.web3)
    ape.project.load_contracts()  # compiles what is not
    artifacts = load_artifacts(ROOT / ".build" / "__local__.json")
    deployer = ape.accounts.test_accounts[0]
    registry = ROOT / "build" / "demo-deployment.json"
    registry.unlink(missing_ok=True)
    registry.parent.mkdir(exist_ok=True)
    result = deploy(
        params,
        artifacts,
        Web3Reader(provider.web3),
        NodeSender(provider.web3, deployer.address),
        registry,
    )
    if result.differences:
        raise click.ClickException(f"the deployment is not what was planned: {result.differences}")
    console.print(f"{len(result.plan.steps)} steps deployed and verified, {result.registry.gas_used:,} gas")

    keys = [Account.from_key(account.private_key) for account in ape.accounts.test_accounts]
    return World(Setting.of(provider.web3, HttpNode(provider.uri), result, artifacts, keys))


def show_accounts(lines: list[Line], console: Console) -> None:
    table = Table(title="Accounts (ether)", show_lines=False)
    for column in ("who", "put in", "got out", "left", "gain", "gas paid", "yield a year"):
        table.add_column(column, justify="left" if column == "who" else "right")
    for line in lines:
        if not line.put_in and not line.got_out:
            continue
        yearly = "" if line.yearly is None else f"{line.yearly:.2%}"
        cells = (line.put_in, line.got_out, line.left, line.gain, line.gas)
        table.add_row(line.name, *(f"{cell / ETHER:,.{ETHER_SHOWN}f}" for cell in cells), yearly)
    console.print(table)


def show_checks(checks: list[Check], console: Console) -> None:
    table = Table(title="Conservation, to the wei")
    table.add_column("must be equal")
    table.add_column("wei", justify="right")
    table.add_column("")
    for check in checks:
        table.add_row(check.name, f"{check.have:,}", "[green]yes" if check.holds else f"[red]no: {check.want:,}")
    console.print(table)


@click.command(cls=NodeCommand)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=ROOT / "build", help="Folder of the chart."
)
def cli(out: Path) -> None:
    """Sixty simulated days on a fresh local chain: stakes, reports, a slashing, a dead oracle, a pause, claims.

    \b
    Example:
      ape run days --network ethereum:local:foundry
    """
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    start = time.monotonic()
    if not ape.chain.provider.network.is_local:
        raise click.ClickException("the demo needs a fresh local chain: --network ethereum:local:foundry")
    world = build_world(console)
    story, books = prepare_story(world)
    play(story.play(), story, DAYS, console)
    finish(story, books, out, console)
    console.print(f"{time.monotonic() - start:.0f} s")


def finish(story: Story, books: Books, out: Path, console: Console) -> None:
    show_accounts(books.accounts(), console)
    checks = books.checks()
    show_checks(checks, console)
    if story.slashed_rate:
        before, after = story.slashed_rate
        console.print(f"the slashing moved the rate from {before / ETHER:.6f} to {after / ETHER:.6f}")
    for path in draw(story.samples, story.marks, out, "Sluice: sixty days on a local chain"):
        console.print(f"chart: {path}")
    try:
        require(checks)
    except ConservationError as error:
        console.print(f"[red]conservation is broken: {error}")
        sys.exit(1)
    console.print("[green]every wei is accounted for")
