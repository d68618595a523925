"""The consensus side of a local testnet: time, rewards, deposits, slashings, exits."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import ape
import click
from ape.cli import ape_cli_context
from rich.table import Table

from scripts._consensus import node_of, open_layer, state_path
from scripts._session import NodeCommand, Session, common_options, console, explained, open_session
from sluice.chain.passing import active_balance, pay, tips_of
from sluice.chain.standin import StandIn
from sluice.chain.state import ConsensusError
from sluice.client import Call
from sluice.units import GWEI_PER_ETHER, SECONDS_PER_DAY, Slot

if TYPE_CHECKING:
    from ape.api import ProviderAPI

DEPOSITOR = 4
PROPOSER = 9
FINALITY = 100
"""Slots into a frame after which its reference slot may be reported."""
TIPS_RATE = 6_000
"""Tips a year, parts per million of the active balance."""
EPILOG = """
\b
Examples (with --network http://127.0.0.1:8545):
  ape run consensus deposit --ether 64     # buffer into a new validator (at most 2,048 ether each)
  ape run consensus advance --days 1       # time, rewards, tips, withdrawals that are due
  ape run consensus exit --index 0         # a validator leaves
  ape run consensus slash --index 1
  ape run consensus show
"""


def deposit(session: Session, layer: StandIn, ether: int) -> str:
    count = len(layer.validators())
    digest = sha256(b"sluice local validator" + count.to_bytes(8, "big")).digest()
    item = {"pubkey": b"\xaa" + digest + digest[:15], "signature": b"\x5a" * 96, "amount": ether * GWEI_PER_ETHER}
    call: Call = session.client.call("StakingVault", "depositToBeacon", [item])
    session.client.send(session.sender, call)
    return f"{ether} ether went to the deposit contract for validator {count}; it is active after about an hour."


def advance(session: Session, layer: StandIn, days: int) -> str:
    credentials = session.client.view("StakingVault", "CREDENTIALS")
    proposer = ape.accounts.test_accounts[PROPOSER].address
    rewards = session.client.address("RewardsVault")
    sent = 0
    oracle = session.params.oracle
    for _ in range(days):
        period = (layer.slot - oracle.first_slot) // oracle.frame + 1
        layer.advance_to(Slot(oracle.first_slot + period * oracle.frame + FINALITY))
        tips = tips_of(1, period, active_balance(layer, credentials), SECONDS_PER_DAY, TIPS_RATE)
        if tips:
            pay(layer.node, proposer, rewards, tips)
            sent += tips
    return f"{days} frame(s) later: slot {layer.slot}; tips of {sent / 10**18:.6f} ether wait in the rewards vault."


def show(layer: StandIn) -> Table:
    table = Table(title=f"Validators at slot {layer.slot}")
    for column in ("index", "public key", "ether", "status", "slashed"):
        table.add_column(column, justify="right" if column in ("index", "ether") else "left")
    for each in layer.validators():
        table.add_row(
            str(each.index),
            f"0x{each.pubkey.hex()[:16]}...",
            f"{each.balance / GWEI_PER_ETHER:,.9f}",
            each.status,
            "yes" if each.slashed else "",
        )
    return table


def pubkey_of(layer: StandIn, index: int | None) -> bytes:
    validators = layer.validators()
    if index is None or not 0 <= index < len(validators):
        raise click.ClickException(f"Give --index, 0 to {len(validators) - 1}; `ape run consensus show` lists them.")
    return validators[index].pubkey


@click.command(cls=NodeCommand, epilog=EPILOG, short_help="The consensus side of a local testnet.")
@ape_cli_context()
@click.argument("action", type=click.Choice(["advance", "deposit", "exit", "slash", "show"]))
@click.option("--days", type=click.IntRange(1, 365), default=1, show_default=True, help="For advance: frames.")
@click.option("--ether", type=click.IntRange(32, 2_048), default=32, show_default=True, help="For deposit.")
@click.option("--index", type=int, help="For exit and slash: which validator.")
@click.option("--state", type=click.Path(path_type=Path, dir_okay=False), help="Where the state is kept.")
@common_options
def cli(
    _cli_ctx: object,
    provider: ProviderAPI,
    action: str,
    days: int,
    ether: int,
    index: int | None,
    state: Path | None,
    params_path: Path,
    registry: Path | None,
) -> None:
    """A stand-in for the consensus layer beside a local anvil; its state is kept in .cache/ between commands."""
    with explained(), node_of(provider) as node:
        session = open_session(provider, params_path, registry, None, index=DEPOSITOR)
        path = state_path(session, state)
        layer = open_layer(session, node, path)
        layer.sync()
        try:
            if action == "deposit":
                console.print(deposit(session, layer, ether))
            elif action == "advance":
                console.print(advance(session, layer, days))
            elif action == "exit":
                layer.exit(pubkey_of(layer, index))
                console.print(f"Validator {index} leaves; its ether is in the gateway in about 28 hours.")
            elif action == "slash":
                layer.slash(pubkey_of(layer, index))
                console.print(f"Validator {index} is slashed; the next report shows it.")
            layer.sync()
        except ConsensusError as error:
            raise click.ClickException(str(error)) from error
        layer.save(path)
        console.print(show(layer))
