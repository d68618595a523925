"""``sluice oracle``: a member of the committee."""

from pathlib import Path

import click

from sluice.cli.services import run_service, service_options, settings_help
from sluice.daemon.keys import load_key
from sluice.daemon.settings import load
from sluice.oracle.daemon import OracleDaemon, OracleSettings


@click.group()
def oracle() -> None:
    """The committee that reports what the beacon chain says.

    \b
    Examples:
      sluice oracle run --config oracle.yaml          with the key that it names
      sluice oracle run --config oracle.yaml --once   one round, then the end
      SLUICE_KEY_FILE=... SLUICE_PASSWORD_FILE=... sluice oracle run --config oracle.yaml
    """


@oracle.command(epilog=settings_help(OracleSettings))
@service_options
def run(config: Path | None, once: bool) -> None:
    """Build, sign, exchange and submit reports. Without a key: show what would be reported.

    \b
    Examples:
      sluice oracle run --config oracle.yaml
      sluice oracle run --config oracle.yaml --once
    """

    def daemon() -> OracleDaemon:
        settings = load(OracleSettings, config)
        key = None
        if settings.key_file is not None and settings.password_file is not None:
            key = load_key(settings.key_file, settings.password_file)
        return OracleDaemon.of(settings, key)

    run_service(daemon, once=once)
