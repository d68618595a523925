"""The command and its groups."""

from importlib import import_module
from typing import Final

import click

GROUPS: Final = ("devnet", "keeper", "operator", "oracle", "watch")


class Groups(click.Group):
    """Imports a group when it is asked for: all of them together take seconds, of every start of every service."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *GROUPS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in GROUPS and cmd_name not in self.commands:
            self.add_command(getattr(import_module(f"sluice.cli.{cmd_name}"), cmd_name))
        return super().get_command(ctx, cmd_name)


@click.group(cls=Groups, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sluice")
def cli() -> None:
    """Sluice: a liquid-staking protocol for Ethereum, and what runs beside it.

    \b
    Examples:
      sluice devnet up                                  a local Ethereum with both halves
      sluice operator status 1                          how an operator stands
      sluice oracle run --config oracle.yaml            a member of the committee
      sluice watch --config watch.yaml --once           is the newest report true?
    """
