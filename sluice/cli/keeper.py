"""``sluice keeper``: the chores."""

from pathlib import Path

import click

from sluice.cli.services import run_service, service_options, settings_help
from sluice.daemon.keys import load_key
from sluice.daemon.settings import load
from sluice.keeper.daemon import KeeperDaemon, KeeperSettings


@click.group()
def keeper() -> None:
    """Finalises requests, sweeps, proves, tops up, asks for exits.

    \b
    Examples:
      sluice keeper run --config keeper.yaml
      sluice keeper run --config keeper.yaml --once
    """


@keeper.command(epilog=settings_help(KeeperSettings))
@service_options
def run(config: Path | None, once: bool) -> None:
    """Do what is due, again and again. Without a key: show what would be done.

    \b
    Examples:
      sluice keeper run --config keeper.yaml
      sluice keeper run --config keeper.yaml --once
    """

    def daemon() -> KeeperDaemon:
        settings = load(KeeperSettings, config)
        key = None
        if settings.key_file is not None and settings.password_file is not None:
            key = load_key(settings.key_file, settings.password_file)
        return KeeperDaemon.of(settings, key)

    run_service(daemon, once=once)
