"""The command and its groups."""

import click

from sluice.cli.devnet import devnet
from sluice.cli.keeper import keeper
from sluice.cli.operator import operator
from sluice.cli.oracle import oracle
from sluice.cli.watch import watch


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
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


cli.add_command(devnet)
cli.add_command(keeper)
cli.add_command(operator)
cli.add_command(oracle)
cli.add_command(watch)
