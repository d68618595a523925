"""A bank run on a local Ethereum with both halves: 40% of all slETH wants out within a week.

ape run stress
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
from sluice.demo.judge import UnfairError
from sluice.demo.site import RefusedError
from sluice.demo.stress import LONGEST, RUN, STAKES, Stress, open_stress
from sluice.demo.stress_chart import draw
from sluice.demo.telling import PLAIN_WIDTH, play
from sluice.deploy.artifacts import load_artifacts
from sluice.deploy.errors import DeploymentError
from sluice.deploy.params import load_params
from sluice.devnet import DevnetError
from sluice.devnet.books import BooksError
from sluice.markets.contracts import MarketError

ROOT = Path(__file__).resolve().parent.parent
ETHER = 10**18


def show(stress: Stress, console: Console) -> None:
    """Who left which way, what waiting was like, what it did to those who stayed."""
    table = Table(title="Who left, and how (worth in ether)")
    for column in ("who", "instant pool", "Uniswap", "queue", "got", "longest wait, days"):
        table.add_column(column, justify="left" if column == "who" else "right")
    for name in STAKES:
        person = stress.market.people[name]
        waits = [days for who, days in stress.waited if who == name]
        cells = (person.routes[route] / ETHER for route in ("pool", "uniswap", "queue"))
        table.add_row(
            name, *(f"{cell:,.1f}" for cell in cells), f"{person.got / ETHER:,.3f}", f"{max(waits, default=0):.1f}"
        )
    console.print(table)
    first = next(day for day in stress.days if day.day == stress.began)
    run = stress.run
    owing = [day.health for day in run[:RUN]]
    fees = [day.surcharge for day in run if day.surcharge is not None]
    console.print(
        f"Uniswap's price fell to {min(day.low for day in run):.4f} of the rate, was {min(day.peg for day in run):.4f} "
        f"or more after the day's arbitrage and ended at {run[-1].peg:.4f}; "
        f"the instant pool's fee rose to {max(fees, default=0):.2%}"
        + ("" if len(fees) == len(run) else f", and it sold nothing on {len(run) - len(fees)} days")
    )
    console.print(
        f"the queue's first in line waited up to {max(day.oldest for day in run):.1f} days; "
        f"health of the borrower {first.health:.4f} before the run, at worst {min(owing):.4f}, "
        f"{max(owing):.4f} at best"
    )
    console.print(
        f"a token of the instant pool is worth {run[-1].provider - 1:+.3%} after it, slETH {run[-1].holder - 1:+.3%}; "
        f"{stress.result['fees'] / ETHER:.3f} ether of fees on {stress.result['sales']} sales, "
        f"{stress.result['farmed'] / ETHER:.3f} wrapped ether farmed"
    )
    if stress.uniswap is not None:
        uma = stress.uniswap
        console.print(
            f"the provider on Uniswap ends with {uma.ended / ETHER:.4f} ether, {uma.fees / ETHER:.4f} of it fees; "
            f"had she held what she put in, with {uma.held / ETHER:.4f}: {float(uma.gain):+.3%}"
        )
    console.print(f"the lender on Aave earned {stress.result['interest'] / ETHER:.4f} ether")
    arno = stress.market.people["arno"]
    made = stress.market.earned_by_arbitrage(arno)
    console.print(f"the arbitrageur made {made / ETHER:.3f} ether of {arno.invested / ETHER:,.0f}")


@click.command()
@click.option(
    "--scenario",
    type=click.Choice(["calm", "slashing", "both"]),
    default="both",
    show_default=True,
    help="The run alone, with a validator slashed in the middle of it, or one after the other.",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=ROOT / "build", help="Folder of the chart."
)
def cli(scenario: str, out: Path) -> None:
    """40% of all slETH wants out within a week, through the instant pool, Uniswap v3 and the queue.

    \b
    Examples:
      ape run stress
      ape run stress --scenario slashing
    """
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    configure_logs("console", "error")
    start = time.monotonic()
    ape.project.load_contracts()  # compiles what is not
    artifacts = load_artifacts(ROOT / ".build" / "__local__.json")
    params = load_params(ROOT / "deployments" / "params" / "local.yaml")
    played: dict[str, Stress] = {}
    try:
        for name in ("calm", "slashing") if scenario == "both" else (scenario,):
            console.rule(name)
            with (
                tempfile.TemporaryDirectory(prefix="sluice-stress-") as folder,
                open_stress(params, artifacts, Path(folder), ROOT / "node_modules", slashing=name == "slashing") as (
                    stress,
                    _,
                ),
            ):
                play(stress.play(), stress.site, LONGEST, console)
                show(stress, console)
                played[name] = stress
    except BooksError as error:
        console.print(f"[red]ether is not conserved: {error}")
        sys.exit(1)
    except UnfairError as error:
        console.print(f"[red]somebody was not paid their share: {error}")
        sys.exit(1)
    except (DevnetError, RefusedError, MarketError, DeploymentError) as error:
        raise click.ClickException(str(error)) from error
    for path in draw(played, out):
        console.print(f"chart: {path}")
    console.print("[green]everybody was paid their share and nobody is stuck; all ether and all slETH is accounted for")
    console.print(f"{time.monotonic() - start:.0f} s")
