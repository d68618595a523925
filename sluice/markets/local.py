"""All markets of a local chain: put there once, found again by the record beside that of the deployment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from sluice.files import write_atomically
from sluice.markets.aave import Aave, Listing
from sluice.markets.contracts import ZERO, Chain, Contract, MarketError
from sluice.markets.uniswap import Pool, Uniswap

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.deploy.chain import Receipt, Sender
    from sluice.deploy.registry import Registry

FEED = "RateFeed"
_SLIPPAGE = 10_000
"""Of the rate, one part in so many may it rise until a stake is mined."""


class MarketsRecord(BaseModel):
    """`deployments/artifacts/<network>-markets.json`: where the markets stand, and of which deployment."""

    model_config = ConfigDict(extra="forbid")

    chain_id: int
    genesis_hash: str
    vault: str
    feed: str
    factory: str
    positions: str
    router: str
    quoter: str
    aave: str
    """Its addresses provider."""


def record_path(registry: Path) -> Path:
    """Beside the record of the deployment that lies at `registry`."""
    return registry.with_name(f"{registry.stem}-markets.json")


@dataclass(frozen=True)
class Markets:
    """The core as an ordinary holder uses it, and the markets around it."""

    chain: Chain
    vault: Contract
    sleth: str
    weth: str
    feed: Contract
    uniswap: Uniswap
    pool: Pool
    aave: Aave

    @classmethod
    def deploy(cls, chain: Chain, sender: Sender, registry: Registry) -> Self:
        """Of the deployment in `registry`; `sender` becomes Aave's admin. What is there is not sent again."""
        vault, sleth, weth = _core(chain, registry)
        if FEED in registry.contracts:
            feed = chain.own(FEED, registry.address(FEED))
        else:
            feed = chain.deploy(sender, chain.own_code(FEED), {"vault_": vault.address})
        uniswap = Uniswap.deploy(chain, sender, weth)
        pool = uniswap.create_pool(sender, sleth, int(vault.read("rate")))
        listings = {sleth: Listing.staked_ether(feed.address), weth: Listing.wrapped_ether()}
        return cls(chain, vault, sleth, weth, feed, uniswap, pool, Aave.deploy(chain, sender, weth, listings))

    @classmethod
    def find(cls, chain: Chain, registry: Registry, path: Path) -> Self | None:
        """Those that `path` records; None where it is of another chain or deployment, or not there."""
        try:
            known = MarketsRecord.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise MarketError(f"{path} is damaged; delete it: {error}") from error
        vault, sleth, weth = _core(chain, registry)
        reader = chain.reader
        same = (known.chain_id, known.genesis_hash) == (reader.chain_id(), reader.genesis_hash())
        if not same or known.vault != vault.address or not reader.code(known.aave) or not reader.code(known.factory):
            return None
        uniswap = Uniswap.at(chain, weth, known.factory, known.positions, known.router, known.quoter)
        feed, aave = chain.own(FEED, known.feed), Aave.at(chain, weth, known.aave)
        return cls(chain, vault, sleth, weth, feed, uniswap, uniswap.pool(sleth), aave)

    def write(self, path: Path) -> None:
        record = MarketsRecord(
            chain_id=self.chain.reader.chain_id(),
            genesis_hash=self.chain.reader.genesis_hash(),
            vault=self.vault.address,
            feed=self.feed.address,
            factory=self.uniswap.factory.address,
            positions=self.uniswap.positions.address,
            router=self.uniswap.router.address,
            quoter=self.uniswap.quoter.address,
            aave=self.aave.provider.address,
        )
        write_atomically(path, record.model_dump_json(indent=2) + "\n")

    # --- What a holder does in the core ---

    @property
    def rate(self) -> int:
        """Ether per slETH, 1e18 = 1."""
        return int(self.vault.read("rate"))

    @property
    def queue(self) -> Contract:
        return self.chain.own("WithdrawalQueue", self.chain.token(self.sleth).read("QUEUE"))

    def stake(self, sender: Sender, assets: int) -> tuple[int, Receipt]:
        return stake_in(self.vault, self.sleth, sender, assets)

    def wrap(self, sender: Sender, wei: int) -> Receipt:
        return self._wrapped_ether().send(sender, "deposit", value=wei)

    def unwrap(self, sender: Sender, wei: int) -> Receipt:
        return self._wrapped_ether().send(sender, "withdraw", wei)

    def _wrapped_ether(self) -> Contract:
        return self.chain.own("WrappedEther", self.weth)


def stake_in(vault: Contract, sleth: str, sender: Sender, assets: int) -> tuple[int, Receipt]:
    """The shares that came for `assets` wei."""
    chain = vault.chain
    least = int(vault.read("convertToShares", assets)) * (_SLIPPAGE - 1) // _SLIPPAGE
    before = chain.balance(sleth, sender.address)
    receipt = vault.send(sender, "stake", sender.address, least, ZERO, value=assets)
    return chain.balance(sleth, sender.address) - before, receipt


def _core(chain: Chain, registry: Registry) -> tuple[Contract, str, str]:
    """Vault, slETH and the wrapped ether that the protocol works with."""
    vault = chain.own("StakingVault", registry.address("StakingVault"))
    adapter = chain.own("AsyncRedeemVault", registry.address("AsyncRedeemVault"))
    sleth, weth = (chain.token(address).address for address in (vault.read("share"), adapter.read("asset")))
    return vault, sleth, weth
