"""``sluice watch``: over the committee's shoulder."""

from pathlib import Path

import click

from sluice.cli.services import run_service, service_options, settings_help
from sluice.daemon.keys import load_key
from sluice.daemon.settings import load
from sluice.watcher.daemon import WatchDaemon, WatchSettings


@click.command(epilog=settings_help(WatchSettings))
@service_options
def watch(config: Path | None, once: bool) -> None:
    """Compute every report anew, challenge a false one, sound alarms. Without a key: show what would be done.

    \b
    Examples:
      sluice watch --config watch.yaml
      sluice watch --config watch.yaml --once
    """

    def daemon() -> WatchDaemon:
        settings = load(WatchSettings, config)
        key = None
        if settings.key_file is not None and settings.password_file is not None:
            key = load_key(settings.key_file, settings.password_file)
        return WatchDaemon.of(settings, key)

    run_service(daemon, once=once)
