"""Markets for the scripts: found by their record, or put on the local chain first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ape
import click

from scripts._session import ROOT, ApeSender, Session, console
from sluice.client import format_ether
from sluice.markets.contracts import Chain, MarketError
from sluice.markets.local import Markets, record_path

if TYPE_CHECKING:
    from ape.api import ProviderAPI

LENT = 1_000 * 10**18
"""Wei that the local deployer lends on Aave, so that there is something to borrow."""


def chain_of(session: Session) -> Chain:
    return Chain(session.reader, ROOT / "node_modules", session.artifacts)


def find_markets(session: Session) -> Markets:
    """Those that are there."""
    path = record_path(session.registry_path)
    found = Markets.find(chain_of(session), session.registry, path)
    if found is None:
        raise MarketError(f"{path} records no markets of this deployment: `ape run loop ETHER` puts them up.")
    return found


def open_markets(provider: ProviderAPI, session: Session, *, yes: bool) -> Markets:
    """Uniswap v3 and Aave v3 with slETH in them."""
    if not session.params.local:
        raise click.ClickException(
            "This puts Uniswap and Aave on a local chain, to try things out. On a public network both are there "
            "already: use them through their own pages."
        )
    chain = chain_of(session)
    path = record_path(session.registry_path)
    if found := Markets.find(chain, session.registry, path):
        return found
    deployer = ApeSender(provider, ape.accounts.test_accounts[0])
    held = session.reader.balance(deployer.address)
    if held <= LENT:
        raise MarketError(f"{deployer.address} holds {format_ether(held)} ether and would lend {format_ether(LENT)}.")
    console.print(
        f"Uniswap v3 and Aave v3 are not on this chain yet. {deployer.address} puts them there, opens a pool at the "
        f"core rate, lists slETH, and lends {format_ether(LENT, 0)} ether."
    )
    if not yes:
        click.confirm("Send about 50 transactions?", abort=True)
    markets = Markets.deploy(chain, deployer, session.registry)
    # less where a run was stopped before it was recorded
    if (missing := LENT - markets.aave.supplied(markets.weth, deployer.address)) > 0:
        if (wrapping := missing - chain.balance(markets.weth, deployer.address)) > 0:
            markets.wrap(deployer, wrapping)
        markets.aave.supply(deployer, markets.weth, missing)
    markets.write(path)
    console.print(f"Recorded in {path}.")
    return markets
