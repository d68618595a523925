"""``sluice devnet``: a local Ethereum with both halves."""

import dataclasses
import json
import re
import secrets
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

import click
from eth_account import Account
from rich.console import Console
from rich.table import Table

from sluice.beacon.client import BeaconClient, BeaconError
from sluice.devnet import Backend, Controls, ControlsError, Devnet, DevnetError, DevnetSettings, Status
from sluice.devnet.genesis import dev_accounts
from sluice.devnet.processes import ROOT
from sluice.devnet.settings import MNEMONIC
from sluice.units import SECONDS_PER_DAY, Timestamp

EXECUTION_PORT: Final = 8545
BEACON_PORT: Final = 5052
PARAMS: Final = ROOT / "deployments" / "params"
WATCH_SECONDS: Final = 0.5
PLAIN_WIDTH: Final = 132
"""Columns where the output is no terminal."""


class ConfigValue(click.ParamType):
    """NAME=VALUE."""

    name = "NAME=VALUE"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        name, equals, content = value.partition("=")
        if not (name and equals and content):
            self.fail(f"'{value}' is not NAME=VALUE", param, ctx)
        return name, content


@click.group()
def devnet() -> None:
    """A local Ethereum with both halves: an execution node and a real consensus layer.

    \b
    Examples:
      sluice devnet up                       on ports 8545 and 5052, by the clock
      sluice devnet up --manual              time stands still until `sluice devnet advance`
      sluice devnet advance --epochs 2
      sluice devnet status --json
      sluice devnet params --out build/devnet.yaml      to deploy Sluice on it
    """


@devnet.command()
@click.option(
    "--backend",
    type=click.Choice([one.value for one in Backend]),
    default=Backend.ANVIL.value,
    show_default=True,
    help="Execution node: anvil, or a real client over the Engine API.",
)
@click.option("--preset", type=click.Choice(["minimal", "mainnet"]), default="minimal", show_default=True)
@click.option("--fork", type=click.Choice(["fulu", "electra"]), default="fulu", show_default=True)
@click.option(
    "--hardfork",
    type=click.Choice(["prague", "osaka"]),
    default="prague",
    show_default=True,
    help="Of the execution node; osaka caps a transaction's gas at 16,777,216.",
)
@click.option(
    "--validators", type=click.IntRange(8), default=64, show_default=True, help="At genesis, with interop keys."
)
@click.option("--seconds-per-slot", type=click.IntRange(1), default=2, show_default=True)
@click.option(
    "--realtime/--manual", default=True, show_default=True, help="By the clock, or by `sluice devnet advance`."
)
@click.option("--genesis-time", type=click.IntRange(1), help="Unix time. [default: now; fixed with --manual]")
@click.option(
    "--config",
    type=ConfigValue(),
    multiple=True,
    help="A value of the consensus configuration, e.g. SHARD_COMMITTEE_PERIOD=64. May be repeated.",
)
@click.option(
    "--execution-port", type=click.IntRange(0, 65535), default=EXECUTION_PORT, show_default=True, help="0: any."
)
@click.option(
    "--beacon-port",
    type=click.IntRange(0, 65534),
    default=BEACON_PORT,
    show_default=True,
    help="The next one too, for a second endpoint. 0: any.",
)
@click.option("--logs", type=click.Path(file_okay=False, path_type=Path), help="Folder for both processes' output.")
@click.option("--keys", type=click.IntRange(0, 30), default=5, show_default=True, help="Accounts to show.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON when it is ready, instead of tables.")
def up(
    backend: str,
    realtime: bool,
    genesis_time: int | None,
    config: tuple[tuple[str, str], ...],
    beacon_port: int,
    logs: Path | None,
    keys: int,
    as_json: bool,
    **rest: Any,  # noqa: ANN401 - passed to the settings as they are
) -> None:
    """Start both halves and stay until Ctrl-C; nothing is left behind then.

    \b
    Examples:
      sluice devnet up
      sluice devnet up --backend ethereumjs --seconds-per-slot 12
      sluice devnet up --manual --config SHARD_COMMITTEE_PERIOD=256 --logs build/devnet
    """
    settings = DevnetSettings(
        backend=Backend(backend),
        realtime=realtime,
        genesis_time=None if genesis_time is None else Timestamp(genesis_time),
        config=dict(config),
        beacon_ports=(beacon_port, beacon_port + 1 if beacon_port else 0),
        **rest,
    )
    for each in (signal.SIGINT, signal.SIGTERM):  # a job in the background of a script starts with SIGINT ignored
        signal.signal(each, _interrupt)
    start = time.monotonic()
    try:
        with Devnet(settings, logs) as running:
            if as_json:
                click.echo(json.dumps(_description(running)))
            else:
                _show(running, keys, time.monotonic() - start)
            while True:
                running.check()
                time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
    except DevnetError as error:
        hint = "\nchoose other ports with --execution-port and --beacon-port" if "in use" in str(error) else ""
        raise click.ClickException(f"{error}{hint}") from error


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _description(running: Devnet) -> dict[str, Any]:
    return {
        "execution_url": running.execution_url,
        "beacon_urls": list(running.beacon_urls),
        "chain_id": running.settings.chain_id,
        "genesis_time": running.genesis_time,
        "processes": {process.name: process.pid for process in running.processes},
    }


def _show(running: Devnet, keys: int, seconds: float) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    settings = running.settings
    table = Table(title=f"Devnet, ready in {seconds:.1f} s", show_header=False, title_justify="left")
    table.add_row("execution", running.execution_url)
    for number, url in enumerate(running.beacon_urls):
        table.add_row("beacon" if number == 0 else f"beacon, endpoint {number}", url)
    table.add_row("chain id", str(settings.chain_id))
    clock = "by the clock" if settings.realtime else "on `sluice devnet advance`"
    table.add_row("time", f"{settings.seconds_per_slot} s a slot, {running.slots_per_epoch} slots an epoch, {clock}")
    table.add_row("consensus", f"{settings.fork}, {settings.preset} preset, {settings.validators} validators")
    table.add_row("mnemonic", MNEMONIC)
    console.print(table)
    if keys:
        accounts = Table(title="Accounts, 1,000,000 ether each", title_justify="left")
        accounts.add_column("address", overflow="fold")
        accounts.add_column("private key", overflow="fold")
        for account in running.accounts[:keys]:
            accounts.add_row(account.address, "0x" + account.key.hex().removeprefix("0x"))
        console.print(accounts)
    url = "" if running.beacon_url.endswith(f":{BEACON_PORT}") else f" --url {running.beacon_url}"
    console.print(f"Ctrl-C ends it. In another shell: sluice devnet status{url}", highlight=False, soft_wrap=True)


# --- A devnet that runs ---


def _controls(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that talks to a running devnet."""
    url = click.option(
        "--url",
        default=f"http://127.0.0.1:{BEACON_PORT}",
        envvar="SLUICE_DEVNET_URL",
        show_default=True,
        help="Its first beacon endpoint. [env: SLUICE_DEVNET_URL]",
    )
    return url(click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")(command))


@devnet.command()
@_controls
def status(url: str, as_json: bool) -> None:
    """Slot, head, finality, and what a slot costs.

    \b
    Examples:
      sluice devnet status
      sluice devnet status --url http://127.0.0.1:5052 --json
    """
    try:
        with Controls(url) as controls:
            found, stats = controls.status(), controls.stats()
    except ControlsError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({**_status(found), "stats": stats}))
        return
    _print_status(found)
    click.echo(f"{stats['slots']} blocks, {stats['mean_ms']:.0f} ms each, {stats['memory_mb']} MB")


@devnet.command()
@click.option("--slots", type=click.IntRange(0), help="Slots with a block each. [default: 1]")
@click.option("--epochs", type=click.IntRange(0), help="To the first slot of the epoch so many after this one.")
@click.option("--skip", type=click.IntRange(0), default=0, show_default=True, help="First, slots without a block.")
@_controls
def advance(url: str, as_json: bool, slots: int | None, epochs: int | None, skip: int) -> None:
    """Let time pass at once.

    \b
    Examples:
      sluice devnet advance                  one slot
      sluice devnet advance --epochs 3
      sluice devnet advance --skip 2         two missed slots, then one with a block
    """
    if epochs is not None and (slots is not None or skip):
        raise click.UsageError("--epochs stands alone")
    try:
        with Controls(url) as controls:
            if epochs is not None:
                slots = _slots_to(controls.status(), epochs)
            found = controls.advance(1 if slots is None else slots, skip)
    except ControlsError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(_status(found)))
    else:
        _print_status(found)


@devnet.command()
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Parameter file to write.")
@click.option("--url", default=f"http://127.0.0.1:{BEACON_PORT}", envvar="SLUICE_DEVNET_URL", show_default=True)
def params(out: Path, url: str) -> None:
    """Parameters to deploy Sluice with on a devnet that runs: the local ones, in its time.

    \b
    Examples:
      sluice devnet params --out build/devnet.yaml
      ape run deploy --network http://127.0.0.1:8545 --params build/devnet.yaml
    """
    try:
        with BeaconClient(url) as beacon:
            genesis, spec = beacon.genesis(), beacon.spec()
    except BeaconError as error:
        raise click.ClickException(str(error)) from error
    text = in_time_of((PARAMS / "local.yaml").read_text(), genesis.genesis_time, spec.seconds_per_slot, spec.preset)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text)
    click.echo(f"{out}: {spec.seconds_per_slot} s a slot since {genesis.genesis_time}, a frame is a day")


def in_time_of(local: str, genesis_time: int, seconds: int, preset: str) -> str:
    """The text of ``params/local.yaml`` with another clock. Its committee and people stay the test mnemonic's."""
    for pattern, replacement in (
        (r"^# A local chain.*$", "# A devnet: params/local.yaml in its time, by `sluice devnet params`."),
        (r"^network: local$", "network: devnet"),
        (r"^local_depositor: .*\n", ""),
        (r"^  genesis_time: deployment$", f"  genesis_time: {genesis_time}"),
        (r"^  slot: .*$", f"  slot: {seconds} seconds"),
        (r"^  frame: .*$", f"  frame: {SECONDS_PER_DAY // seconds} slots"),
        (r"^  preset: .*$", f"  preset: {preset}"),
    ):
        local, count = re.subn(pattern, replacement, local, flags=re.MULTILINE)
        if count != 1:
            raise click.ClickException(f"params/local.yaml has {count} lines like {pattern}; one is needed")
    return local


@devnet.command()
@click.argument("account", type=click.IntRange(0, 29))
@click.option("--key-file", required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--password-file", required=True, type=click.Path(path_type=Path, dir_okay=False))
def keystore(account: int, key_file: Path, password_file: Path) -> None:
    """Write the key of a devnet ACCOUNT (0 to 29) as a keystore, with a new password. Worth nothing elsewhere.

    \b
    Examples:
      sluice devnet keystore 8 --key-file build/operator.json --password-file build/operator-password
    """
    files = (key_file, password_file)
    if key_file.resolve() == password_file.resolve():
        raise click.ClickException("--key-file and --password-file are one file: give two")
    for path in files:
        if path.exists():
            raise click.ClickException(f"{path} is there already and is not written over")
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    chosen = dev_accounts(account + 1)[account]
    password = secrets.token_urlsafe()
    password_file.write_text(password)
    key_file.write_text(json.dumps(Account.encrypt(chosen.key, password, kdf="pbkdf2", iterations=10_000)))
    click.echo(f"{chosen.address}: {key_file}, password in {password_file}")


@devnet.command("add-keys")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_controls
def add_keys(file: Path, url: str, as_json: bool) -> None:
    """Let validators whose secrets are in FILE (hex, one a line) do their duties.

    \b
    Examples:
      sluice devnet add-keys keys.txt
    """
    try:
        found = [bytes.fromhex(word.removeprefix("0x")) for word in file.read_text().split()]
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{file} holds no keys: {error}") from error
    try:
        with Controls(url) as controls:
            held = controls.add_keys(found)
    except ControlsError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps({"keys": held}) if as_json else f"{len(found)} keys more, {held} in all")


def _slots_to(now: Status, epochs: int) -> int:
    return (now.slot // now.slots_per_epoch + epochs) * now.slots_per_epoch - now.slot


def _status(found: Status) -> dict[str, Any]:
    return {**dataclasses.asdict(found), "head_root": "0x" + found.head_root.hex()}


def _print_status(found: Status) -> None:
    table = Table(show_header=False)
    for name, value in _status(found).items():
        if value is not None:
            table.add_row(name.replace("_", " "), str(value))
    Console().print(table)
