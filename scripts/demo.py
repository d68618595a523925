"""The pool on a local Ethereum with both halves, run by its own services; ether counted to the gwei.

ape run demo
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import ape
import click
from rich.console import Console
from rich.table import Table

from sluice.daemon.service import configure_logs
from sluice.demo.chart import draw
from sluice.demo.judge import UnfairError
from sluice.demo.live import DAYS, Live, open_live
from sluice.demo.site import RefusedError
from sluice.demo.telling import PLAIN_WIDTH, play
from sluice.deploy.artifacts import load_artifacts
from sluice.deploy.errors import DeploymentError
from sluice.deploy.params import load_params
from sluice.devnet import DevnetError
from sluice.devnet.books import BooksError
from sluice.markets.contracts import MarketError

ROOT = Path(__file__).resolve().parent.parent
ETHER = 10**18


def show(live: Live, console: Console) -> None:
    table = Table(title="Stakers (ether)")
    for column in ("who", "put in", "got out", "left", "gain"):
        table.add_column(column, justify="left" if column == "who" else "right")
    for name, staker in live.stakers.items():
        left = live.worth(name)
        cells = (staker.staked, staker.claimed, left, staker.claimed + left - staker.staked)
        table.add_row(name, *(f"{cell / ETHER:,.6f}" for cell in cells))
    console.print(table)
    table = Table(title="What other holders earned, and from what (ether)")
    for column in ("who", "did", "put in", "staking", "fees", "farm", "interest", "trading", "against holding", "gain"):
        table.add_column(column, justify="left" if column in ("who", "did") else "right")
    for row in live.holders.earned():
        cells = (row.staking, row.fees, row.farm, row.interest, row.trading, row.against_holding, row.gain)
        table.add_row(
            row.name,
            row.did,
            f"{row.put_in / ETHER:,.0f}",
            *(f"{cell / ETHER:+,.6f}" if cell else "" for cell in cells),
        )
    console.print(table)
    if live.slashed_rate:
        before, after = live.slashed_rate
        console.print(f"the report of the slashing moved the rate from {before / ETHER:.9f} to {after / ETHER:.9f}")


@click.command()
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=ROOT / "build", help="Folder of the chart."
)
def cli(out: Path) -> None:
    """Twelve days on a local Ethereum: validators, reports, requests, a slashing; the daemons do the work.

    \b
    Example:
      ape run demo
    """
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    configure_logs("console", "error")
    start = time.monotonic()
    ape.project.load_contracts()  # compiles what is not
    artifacts = load_artifacts(ROOT / ".build" / "__local__.json")
    params = load_params(ROOT / "deployments" / "params" / "local.yaml")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="sluice-demo-") as folder,
            open_live(params, artifacts, Path(folder), ROOT / "node_modules") as (live, result),
        ):
            console.print(
                f"execution and consensus node run; {len(result.plan.steps)} steps deployed and verified, "
                f"{result.registry.gas_used:,} gas; nine members and a keeper stand by"
            )
            play(live.play(), live.site, DAYS, console)
            show(live, console)
            for path in draw(live.samples, live.marks, out, f"Sluice: {DAYS} days on a local Ethereum"):
                console.print(f"chart: {path}")
    except BooksError as error:
        console.print(f"[red]ether is not conserved: {error}")
        sys.exit(1)
    except UnfairError as error:
        console.print(f"[red]somebody was not paid their share: {error}")
        sys.exit(1)
    except (DevnetError, RefusedError, MarketError, DeploymentError) as error:
        raise click.ClickException(str(error)) from error
    console.print("[green]all ether of both halves is accounted for, to the gwei; every payment was what was due")
    console.print(f"{time.monotonic() - start:.0f} s")
