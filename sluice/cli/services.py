"""What the commands of all services share."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click
from eth_account.signers.local import LocalAccount

from sluice.chain.node import NodeError, NodeUnavailableError
from sluice.daemon.keys import KeyFileError
from sluice.daemon.nodes import WrongChainError, check_nodes
from sluice.daemon.service import AlreadyRunningError, Service, configure_logs, sole
from sluice.daemon.settings import ServiceSettings, SettingsError, described, load
from sluice.oracle.views import Contracts

__all__ = ["load", "run_service", "service_options", "settings_help"]


class Daemon(Protocol):
    @property
    def settings(self) -> ServiceSettings: ...
    @property
    def service(self) -> Service: ...
    @property
    def contracts(self) -> Contracts: ...
    @property
    def key(self) -> LocalAccount | None: ...


_F = TypeVar("_F", bound=Callable[..., Any])


def service_options(command: _F) -> _F:
    command = click.option("--once", is_flag=True, help="One round, then the end; exit code 1 where it failed.")(
        command
    )
    return click.option(
        "--config", type=click.Path(path_type=Path, dir_okay=False), help="YAML file; the environment goes before it."
    )(command)


def settings_help(kind: type[ServiceSettings]) -> str:
    return "\b\nSettings, in the file by their names in small letters without SLUICE_:\n" + described(kind)


def run_service(make: Callable[[], Daemon], *, once: bool) -> None:
    """Until it is stopped. Errors that a person can mend are one line."""
    try:
        daemon = make()
        settings, service, contracts = daemon.settings, daemon.service, daemon.contracts
        configure_logs(settings.log_format, settings.log_level)
        key = daemon.key.address if daemon.key else "dry: no key_file"
        service.log.info("starting", chain_id=contracts.chain_id, oracle=contracts.oracle, key=key)
        check_nodes(settings, contracts, service.log)
        with sole(settings.state_dir), service.serving(settings.host, settings.port):
            good = service.run(once=once)
            click.echo(service.status, err=True)
    except (SettingsError, KeyFileError, AlreadyRunningError, WrongChainError, NodeUnavailableError, OSError) as error:
        raise click.ClickException(str(error)) from error
    except NodeError as error:
        raise click.ClickException(f"the first of execution_urls: {error}") from error
    sys.exit(0 if good or not once else 1)
