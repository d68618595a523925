"""Uniswap v3 and Aave v3 with slETH listed, and what tests in them do again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ape
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from sluice.deploy.chain import NodeSender, Web3Reader
from sluice.markets.aave import Aave
from sluice.markets.contracts import Chain
from sluice.markets.local import Markets as RealMarkets
from sluice.markets.uniswap import Pool, Uniswap
from tests.helpers import ETHER, GWEI, deposit_to_beacon, give_ether, set_rate, stake
from tests.protocol import ROOT, Protocol, artifacts_of

STAKED = 3_000 * ETHER
"""By one who holds on to it all: what others see of the core is not moved by their size alone."""


@dataclass(frozen=True)
class Markets:
    protocol: Protocol
    real: RealMarkets
    feed: ContractInstance

    @property
    def chain(self) -> Chain:
        return self.real.chain

    @property
    def uniswap(self) -> Uniswap:
        return self.real.uniswap

    @property
    def pool(self) -> Pool:
        return self.real.pool

    @property
    def aave(self) -> Aave:
        return self.real.aave

    @property
    def sleth(self) -> str:
        return self.real.sleth

    @property
    def weth(self) -> str:
        return self.real.weth

    @property
    def rate(self) -> int:
        return self.real.rate

    def sender(self, account: AccountAPI | str) -> NodeSender:
        return NodeSender(ape.chain.provider.web3, str(getattr(account, "address", account)))

    def wrap(self, account: AccountAPI, wei: int) -> NodeSender:
        """Give somebody wrapped ether; returns who sends as them."""
        give_ether(account, wei)
        self.protocol.weth.deposit(sender=account, value=wei)
        return self.sender(account)

    def stake(self, account: AccountAPI, wei: int) -> int:
        return stake(self.protocol, account, wei)


def core_of(protocol: Protocol) -> tuple[Any, ...]:
    """All that the core's accounting consists of."""
    vault = protocol.vault
    return (
        vault.rate(),
        vault.pooled(),
        vault.supply(),
        vault.unvested(),
        vault.buffer(),
        vault.outside(),
        tuple(vault.consensus()),
        protocol.queue.lastRequestId(),
        protocol.queue.openShares(),
    )


def deploy_markets(protocol: Protocol) -> Markets:
    """At an odd rate with nothing unvested, 2,000 of the pool's ether on the consensus layer."""
    web3 = ape.chain.provider.web3
    stake(protocol, protocol.actors.treasury, STAKED)
    deposit_to_beacon(protocol, 2_000 * GWEI)
    set_rate(protocol, 234_567_891_234 * GWEI)
    chain = Chain(Web3Reader(web3), ROOT / "node_modules", artifacts_of())
    deployer = NodeSender(web3, protocol.actors.deployer.address)
    real = RealMarkets.deploy(chain, deployer, protocol.result.registry)
    feed = ape.project.RateFeed.at(real.feed.address, fetch_from_explorer=False, detect_proxy=False)
    return Markets(protocol, real, feed)
