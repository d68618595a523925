"""What the commands of all services share."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click
import httpx

from sluice.chain.node import NodeError
from sluice.daemon.keys import KeyFileError
from sluice.daemon.service import AlreadyRunningError, Service, configure_logs, sole
from sluice.daemon.settings import ServiceSettings, SettingsError, described, load

__all__ = ["load", "run_service", "service_options", "settings_help"]


class Daemon(Protocol):
    @property
    def settings(self) -> ServiceSettings: ...
    @property
    def service(self) -> Service: ...


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
        settings, service = daemon.settings, daemon.service
        configure_logs(settings.log_format, settings.log_level)
        with sole(settings.state_dir), service.serving(settings.host, settings.port):
            good = service.run(once=once)
            click.echo(service.status, err=True)
    except (SettingsError, KeyFileError, AlreadyRunningError, OSError) as error:
        raise click.ClickException(str(error)) from error
    except (httpx.HTTPError, NodeError) as error:
        raise click.ClickException(f"the execution node does not answer: {error}") from error
    sys.exit(0 if good or not once else 1)
