"""What the scripts share: ape's account and provider brought together with the package."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import ape
import click
from ape.cli import ConnectedProviderCommand
from ape.exceptions import NetworkError, ProviderError
from click.core import ParameterSource
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from requests.exceptions import RequestException
from rich.console import Console
from web3.exceptions import Web3Exception

from sluice.chain.system_contracts import SystemContractError
from sluice.client import ActionError, Client
from sluice.deploy.artifacts import Artifact, load_artifacts
from sluice.deploy.chain import Web3Reader, wait_for_receipt
from sluice.deploy.engine import require_chain
from sluice.deploy.errors import ChainError, DeploymentError
from sluice.deploy.params import Params, load_params
from sluice.deploy.registry import Registry

if TYPE_CHECKING:
    from ape.api import AccountAPI, ProviderAPI
    from web3 import Web3

    from sluice.deploy.chain import Receipt

ROOT = Path(__file__).resolve().parent.parent
PARAMS = ROOT / "deployments" / "params"
REGISTRIES = ROOT / "deployments" / "artifacts"

GAS_MARGIN = 100_000

PATIENCE = 30 * 60
"""Seconds in which what was shown has to be mined."""

NEGATIVE = re.compile(r"-[\d.]")

console = Console(soft_wrap=True)


class NodeCommand(ConnectedProviderCommand):
    """A script on a node: where there is none, or another than was meant, one line says what to do."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if NEGATIVE.match(error.option_name) is None:
                raise
            word = next(each for each in words if each.startswith(error.option_name))
            raise click.ClickException(f"{word} must be above zero.") from error
        except NODE_ERRORS as error:
            raise no_node(error) from error

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except NODE_ERRORS as error:
            raise no_node(error) from error


NODE_ERRORS = (NetworkError, ProviderError, RequestException)


def no_node(error: Exception) -> click.ClickException:
    cause = str(error).strip().splitlines()
    return click.ClickException(
        f"No node to work with: {cause[0] if cause else type(error).__name__}\nFor a local chain run `make chain` in "
        "another terminal and give --network http://127.0.0.1:8545; for another one, the address of its node."
    )


class ApeSender:
    """Signs with an ape account, sends through the node ape is connected to."""

    def __init__(self, provider: ProviderAPI, account: AccountAPI, timeout: float = 600) -> None:
        self._provider = provider
        self._web3: Web3 = cast("Any", provider).web3
        self._account = account
        self._timeout = timeout

    @property
    def address(self) -> str:
        return str(self._account.address)

    def send(self, to: str, data: bytes, value: int) -> Receipt:
        eth = self._web3.eth
        sender = to_checksum_address(self.address)
        fields = {"from": sender, "to": to_checksum_address(to), "data": "0x" + data.hex(), "value": value}
        try:
            tip = eth.max_priority_fee
            base = eth.get_block("latest").get("baseFeePerGas", 0)
            transaction = self._provider.network.ecosystem.create_transaction(
                sender=sender,
                receiver=to,
                data=data,
                value=value,
                nonce=eth.get_transaction_count(sender),
                chainId=eth.chain_id,
                # lending markets write more in a later second than the one that was estimated; what is left comes back
                gas=eth.estimate_gas(cast("Any", fields)) * 11 // 10 + GAS_MARGIN,
                maxFeePerGas=2 * base + tip,
                maxPriorityFeePerGas=tip,
                type=2,
            )
            signed = self._account.sign_transaction(transaction)
            if signed is None:
                raise ChainError(f"{self.address} did not sign")
            tx_hash = eth.send_raw_transaction(signed.serialize_transaction())
        except Web3Exception as error:
            raise ChainError(f"the node refuses the transaction: {error}") from error
        return wait_for_receipt(self._web3, "0x" + bytes(tx_hash).hex(), self._timeout, tell_sent)

    def sign(self, message: dict[str, Any]) -> bytes | None:
        """An EIP-712 message: r, s, v. None where the account does not sign messages."""
        signature = self._account.sign_message(encode_typed_data(full_message=message))
        if signature is None:
            return None
        # ape strips leading zeros
        return bytes(signature.r).rjust(32, b"\0") + bytes(signature.s).rjust(32, b"\0") + bytes([signature.v])

    def next_time(self) -> int:
        """Of the block that is being built: a local chain that was idle jumps to it, in seconds."""
        eth = self._web3.eth
        try:
            return eth.get_block("pending")["timestamp"]
        except Web3Exception:  # not every node builds blocks
            return eth.get_block("latest")["timestamp"]


@dataclass(frozen=True)
class Session:
    """A deployed protocol and the account that uses it."""

    params: Params
    client: Client
    sender: ApeSender
    reader: Web3Reader
    registry: Registry
    registry_path: Path
    artifacts: dict[str, Artifact]


@contextmanager
def explained() -> Iterator[None]:
    """Failures that are nobody's bug become one line."""
    try:
        yield
    except (ActionError, DeploymentError, SystemContractError) as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C is a KeyboardInterrupt here, for who has something to say then. ape would end the process at once."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def tell_sent(tx_hash: str) -> None:
    """So that whoever stops the command knows what to look for."""
    click.echo(f"Sent {tx_hash}: waiting for its block. Look at it before you run this again.", err=True)


def typed(context: click.Context, *names: str) -> str | None:
    """The first of these options that stands on the command line."""
    for option in context.command.params:
        if option.name in names and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE:
            return option.opts[0]
    return None


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--params and --registry of every script."""
    function = click.option(
        "--registry",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Where the deployment is recorded.  [default: deployments/artifacts/<network>.json]",
    )(function)
    return click.option(
        "--params",
        "params_path",
        type=click.Path(path_type=Path),
        default=PARAMS / "local.yaml",
        help="Parameter file of the deployment.  [default: deployments/params/local.yaml]",
    )(function)


def transactions(count: int) -> str:
    return f"{count} transaction{'' if count == 1 else 's'}"


@cache
def compiled() -> dict[str, Artifact]:
    """The project's contracts; ape compiles what has changed, once a process."""
    ape.project.load_contracts()
    return load_artifacts(Path(ape.project.manifest_path))


def choose_account(account: AccountAPI | None, params: Params, index: int) -> AccountAPI:
    """The one given; on a local chain else the test account that params/local.yaml has for this purpose."""
    if account is not None:
        return account
    if params.local:
        return cast("AccountAPI", ape.accounts.test_accounts[index])
    raise click.ClickException("Give the account with --account <alias>; `ape accounts list` shows them.")


def started_by_ape(provider: ProviderAPI) -> bool:
    return getattr(provider, "process", None) is not None


def registry_path(provider: ProviderAPI, params: Params, given: Path | None) -> Path:
    """A chain that ape has started ends with the command: its record must not replace that of one that stays."""
    return given or REGISTRIES / f"{params.network}{'-ended' if started_by_ape(provider) else ''}.json"


def reader_of(web3: Web3) -> Web3Reader:
    """anvil builds no block while nobody sends, so the newest may be of yesterday. What is earned or vested by now is
    seen from the one being built.
    """
    return Web3Reader(web3, "pending" if web3.client_version.startswith("anvil") else "latest")


def open_session(
    provider: ProviderAPI, params_path: Path, registry: Path | None, account: AccountAPI | None, index: int
) -> Session:
    """For everything that needs a deployment."""
    params = load_params(params_path)
    if started_by_ape(provider) and registry is None:
        raise click.ClickException(
            "ape has started this chain and ends it with this command, so nothing is deployed on it. "
            "Use `make chain` in another terminal and --network http://127.0.0.1:8545"
        )
    reader = reader_of(cast("Any", provider).web3)
    path = registry_path(provider, params, registry)
    recorded = Registry.read(path)
    require_chain(params, recorded, reader)
    sender = ApeSender(provider, choose_account(account, params, index))
    artifacts = compiled()
    return Session(params, Client(reader, recorded, artifacts), sender, reader, recorded, path, artifacts)
