"""``sluice operator``: from nothing to validators that work for the pool."""

import secrets
from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from typing import Any

import click
import httpx
from rich.console import Console
from rich.table import Table

from sluice.beacon import bls
from sluice.beacon.client import BeaconClient, BeaconError
from sluice.beacon.deposits import sign_deposit
from sluice.chain.node import HttpNode, NodeError
from sluice.client import ActionError, format_ether, parse_ether
from sluice.daemon.keys import KeyFileError, load_key
from sluice.daemon.sender import NotSentError, Sender
from sluice.daemon.settings import read_address
from sluice.keeper.plans import MAX_BATCH
from sluice.operators import (
    PREPARATION,
    OperatorError,
    Operators,
    as_deposit_data,
    read_deposit_data,
    read_reasons,
    refusal,
)
from sluice.units import InexactConversionError, Wei, wei_to_gwei_exact, when
from sluice.web import shown

PLAIN_WIDTH = 110


@click.group()
def operator() -> None:
    """Run validators for the pool.

    \b
    Examples (SLUICE_RPC, SLUICE_ORACLE, SLUICE_OPERATOR_KEY_FILE, SLUICE_OPERATOR_PASSWORD_FILE set):
      sluice operator register --rewards 0x...
      sluice operator bond 1 --ether 5
      sluice operator deposit-data --count 2 --secrets keys.txt --out deposit_data.json
      sluice operator prepare 1 deposit_data.json
      sluice operator status 1 deposit_data.json
      sluice operator exit 1 deposit_data.json --ether 2      a part; without --ether all of it
      sluice operator unbond 1
      sluice operator withdraw 1
    """


class Amount(click.ParamType):
    """Ether or slETH, exactly, as wei."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        try:
            return parse_ether(value) if isinstance(value, str) else int(value)
        except ActionError as error:
            self.fail(str(error), param, ctx)


class Address(click.ParamType):
    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return read_address(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
NEW_FILE = click.Path(path_type=Path, dir_okay=False)
NUMBER = click.argument("number", type=click.IntRange(1))
BEACON = click.option(
    "--beacon",
    envvar="SLUICE_BEACON",
    show_envvar=True,
    default="http://127.0.0.1:5052",
    show_default=True,
    help="Beacon API of a consensus node.",
)


class StoppedError(click.ClickException):
    """By Ctrl-C, behind a transaction."""

    exit_code = 130


def tell_sent(transaction: str) -> None:
    click.echo(f"sent {transaction}, waiting for its block", err=True)


def connected(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that find the contracts; errors that can be mended are one line."""

    def run(rpc: str, oracle: str, **more: Any) -> Any:  # noqa: ANN401
        try:
            with HttpNode(rpc) as node:
                return command(Operators.at(node, oracle), **more)
        except (OperatorError, NotSentError, KeyFileError, BeaconError, InexactConversionError) as error:
            raise click.ClickException(str(error)) from error
        except NodeError as error:
            refused = refusal(error.revert)
            raise click.ClickException(str(refused) if refused else f"{shown(rpc)} refused: {error}") from error
        except httpx.HTTPError as error:
            raise click.ClickException(f"{shown(rpc)} does not answer as an execution node: {error}") from error

    run = update_wrapper(run, command)
    run = click.option(
        "--oracle",
        envvar="SLUICE_ORACLE",
        show_envvar=True,
        type=Address(),
        required=True,
        help="Address of the ReportOracle.",
    )(run)
    return click.option(
        "--rpc",
        envvar="SLUICE_RPC",
        show_envvar=True,
        default="http://127.0.0.1:8545",
        show_default=True,
        help="JSON-RPC of an execution node.",
    )(run)


def signing(command: Callable[..., Any]) -> Callable[..., Any]:
    def run(operators: Operators, key_file: Path, password_file: Path, max_fee_gwei: int, **more: Any) -> Any:  # noqa: ANN401
        key = load_key(key_file, password_file)
        sender = Sender(operators.node, key, max_fee_gwei * 10**9, 180.0, tell=tell_sent)
        try:
            return command(operators, sender, **more)
        except KeyboardInterrupt as error:
            if not sender.sent:
                raise
            raise StoppedError(
                f"stopped; {', '.join(sender.sent)} may still get into a block: look before you run this again"
            ) from error

    run = update_wrapper(run, command)
    path = click.Path(path_type=Path, dir_okay=False)
    run = click.option(
        "--max-fee-gwei",
        envvar="SLUICE_MAX_FEE_GWEI",
        show_envvar=True,
        default=100,
        show_default=True,
        help="Most that a unit of gas may cost.",
    )(run)
    run = click.option(
        "--password-file",
        envvar="SLUICE_OPERATOR_PASSWORD_FILE",
        show_envvar=True,
        type=path,
        required=True,
        help="Its password, in a file.",
    )(run)
    return click.option(
        "--key-file",
        envvar="SLUICE_OPERATOR_KEY_FILE",
        show_envvar=True,
        type=path,
        required=True,
        help="Keystore, version 3, of the operator's manager.",
    )(run)


def held(standing: dict[str, int]) -> str:
    return f"{format_ether(standing['bond'])} slETH, {format_ether(standing['required'])} required"


@operator.command()
@click.option("--rewards", type=Address(), required=True, help="Address that gets what leaves the bond.")
@click.option("--another", is_flag=True, help="Also where the account manages an operator already.")
@connected
@signing
def register(operators: Operators, sender: Sender, rewards: str, another: bool) -> None:
    """Become an operator on the open terms; the key's account is its manager.

    \b
    Example:
      sluice operator register --rewards 0x...
    """
    if not another and (known := operators.managed_by(sender.address)):
        raise OperatorError(f"{sender.address} manages operator {known[0]} already; --another registers one more")
    number = operators.register(sender, rewards)
    terms = operators.describe(number)
    click.echo(f"operator {number}: up to {terms['cap']:,} ether, bond {terms['bond'] / 100:g}% of it")


@operator.command()
@NUMBER
@click.option("--ether", "amount", required=True, type=Amount(), help="Staked into the bond; it goes on earning.")
@connected
@signing
def bond(operators: Operators, sender: Sender, number: int, amount: int) -> None:
    """Put ether into an operator's bond, as slETH.

    \b
    Example:
      sluice operator bond 1 --ether 5
    """
    operators.bond(sender, number, amount)
    click.echo(f"bond of operator {number}: {held(operators.standing(number))}")


@operator.command("deposit-data")
@click.option("--count", type=click.IntRange(1, 100), default=1, show_default=True, help="Keys to make.")
@click.option("--secrets", "secrets_file", required=True, type=NEW_FILE, help="New file for the secret keys.")
@click.option("--out", required=True, type=NEW_FILE, help="New file for the deposit data.")
@BEACON
@connected
def deposit_data(operators: Operators, count: int, secrets_file: Path, out: Path, beacon: str) -> None:
    """New keys and their deposit data, for a devnet: the secrets are written as plain text.

    For other chains make keys with the tools of your client, an amount of 1 ether and the pool's credentials.

    \b
    Example:
      sluice operator deposit-data --count 2 --secrets keys.txt --out deposit_data.json
    """
    if secrets_file.resolve() == out.resolve():
        raise OperatorError("--secrets and --out are one file: give two")
    for path in (secrets_file, out):
        if path.exists():
            raise OperatorError(f"{path} is there already and is not written over")
        path.parent.mkdir(parents=True, exist_ok=True)
    with BeaconClient(beacon) as client:
        version = client.genesis().genesis_fork_version
    made = [(secrets.randbelow(bls.ORDER - 1) + 1).to_bytes(32, "big") for _ in range(count)]
    deposits = [sign_deposit(each, operators.contracts.credentials, PREPARATION, version) for each in made]
    secrets_file.touch(mode=0o600)
    secrets_file.write_text("".join(f"{each.hex()}\n" for each in made))
    out.write_text(as_deposit_data(deposits, version))
    click.echo(f"{count} key(s): secrets in {secrets_file}, deposit data in {out}")


@operator.command()
@NUMBER
@FILE
@BEACON
@connected
@signing
def prepare(operators: Operators, sender: Sender, number: int, file: Path, beacon: str) -> None:
    """Deposit 1 ether of the pool for each key in FILE (deposit data); what is prepared already is left out.

    \b
    Example:
      sluice operator prepare 1 deposit_data.json
    """
    with BeaconClient(beacon) as client:
        version = client.genesis().genesis_fork_version
    deposits = read_deposit_data(file, operators.contracts.credentials, version)
    for at, each in enumerate(deposits, 1):
        phase = operators.phase_of(each.pubkey)
        if phase == "unknown":
            operators.prepare(sender, number, each)
            phase = "prepared now"
        click.echo(f"{at} of {len(deposits)}: 0x{each.pubkey.hex()[:16]}... {phase}")


@operator.command("exit")
@NUMBER
@FILE
@click.option("--ether", "amount", type=Amount(), help="A part of each, which goes on working. Without: all of it.")
@BEACON
@connected
@signing
def leave(operators: Operators, sender: Sender, number: int, file: Path, amount: int | None, beacon: str) -> None:
    """Ask for the validators in FILE (deposit data) to leave, or for a part of each.

    What the consensus layer would ignore is not asked for: requests cost a fee.

    \b
    Example:
      sluice operator exit 1 deposit_data.json --ether 2
    """
    part = wei_to_gwei_exact(Wei(amount or 0))
    with BeaconClient(beacon) as client:
        deposits = read_deposit_data(file, operators.contracts.credentials, client.genesis().genesis_fork_version)
        reasons = read_reasons(client, [each.pubkey for each in deposits], part)
    for pubkey, reason in reasons.items():
        if reason is not None:
            click.echo(f"0x{pubkey.hex()[:16]}... {reason}")
    chosen = [pubkey for pubkey, reason in reasons.items() if reason is None]
    for at in range(0, len(chosen), MAX_BATCH):
        batch = chosen[at : at + MAX_BATCH]
        operators.ask(sender, number, batch, part)
        for pubkey in batch:  # at once: should a later batch fail, these are asked
            click.echo(f"0x{pubkey.hex()[:16]}... {'asked for a part' if part else 'asked to leave'}")


@operator.command()
@NUMBER
@click.option("--sleth", "shares", type=Amount(), help="Without: all that is above the required bond.")
@click.option("--again", is_flag=True, help="Ask for more though some leaves already: all of it waits anew.")
@connected
@signing
def unbond(operators: Operators, sender: Sender, number: int, shares: int | None, again: bool) -> None:
    """Ask for bond back. It stays chargeable for the delay, then `withdraw` pays it.

    The delay begins anew for all that leaves when more is asked for.

    \b
    Example:
      sluice operator unbond 1 --sleth 2.5
    """
    standing = operators.standing(number)
    free = max(0, standing["bond"] - standing["required"])
    if shares is None and not free:
        raise OperatorError(f"nothing is above the {format_ether(standing['required'])} slETH that are required")
    if standing["leaving"] and not again:
        raise OperatorError(
            f"{format_ether(standing['leaving'])} slETH leave from {when(standing['leaving_from'])} on; asked for "
            "more, all of it waits for the whole delay anew: --again does that"
        )
    operators.unbond(sender, number, free if shares is None else shares)
    standing = operators.standing(number)
    click.echo(f"{format_ether(standing['leaving'])} slETH leave from {when(standing['leaving_from'])} on")


@operator.command()
@NUMBER
@connected
@signing
def withdraw(operators: Operators, sender: Sender, number: int) -> None:
    """Pay what was asked for by `unbond` to the operator's reward address.

    \b
    Example:
      sluice operator withdraw 1
    """
    leaving = operators.standing(number)["leaving"]
    operators.withdraw(sender, number)
    click.echo(f"{format_ether(leaving)} slETH are with {operators.describe(number)['rewards']}")


def leaves_from(standing: dict[str, int]) -> str:
    return f", from {when(standing['leaving_from'])} on" if standing["leaving"] else ""


@operator.command()
@NUMBER
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@BEACON
@connected
def status(operators: Operators, number: int, file: Path | None, beacon: str) -> None:
    """How an operator stands, and the keys of FILE on both layers.

    \b
    Example:
      sluice operator status 1 deposit_data.json
    """
    console = Console(width=None if Console().is_terminal else PLAIN_WIDTH)
    terms, standing = operators.describe(number), operators.standing(number)
    table = Table(title=f"Operator {number}", show_header=False)
    for name, value in (
        ("manager", terms["manager"]),
        ("active", "yes" if terms["active"] else "no"),
        ("staked", f"{standing['staked'] / 1e9:,.9f} of {terms['cap']:,} ether"),
        ("validators", f"{standing['validators']}, {standing['prepared']} prepared"),
        ("bond", held(standing)),
        ("leaves the bond", f"{format_ether(standing['leaving'])} slETH{leaves_from(standing)}"),
    ):
        table.add_row(name, value)
    console.print(table)
    if file is None:
        return
    keys = Table("key", "for the pool", "on the beacon chain", "ether")
    with BeaconClient(beacon) as client:
        version = client.genesis().genesis_fork_version
        for each in read_deposit_data(file, operators.contracts.credentials, version):
            seen = client.validator(each.pubkey)
            balance = f"{seen.balance / 1e9:,.9f}" if seen else ""
            state = seen.status if seen else "not there yet"
            keys.add_row(f"0x{each.pubkey.hex()[:16]}...", operators.phase_of(each.pubkey), state, balance)
    console.print(keys)
