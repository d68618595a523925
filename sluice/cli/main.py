"""The command and its groups."""

import click

from sluice.cli.devnet import devnet
from sluice.cli.keeper import keeper
from sluice.cli.oracle import oracle


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sluice")
def cli() -> None:
    """Sluice: a liquid-staking protocol for Ethereum, and what runs beside it."""


cli.add_command(devnet)
cli.add_command(keeper)
cli.add_command(oracle)
