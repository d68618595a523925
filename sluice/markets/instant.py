"""The protocol's own instant pool, as who provides to it and who leaves through it see it. Amounts are wei."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Self

from eth_abi.abi import encode

from sluice.client import NEXT_STEPS
from sluice.markets.contracts import MarketError
from sluice.model.pool import Curve
from sluice.units import BPS, WEI_PER_ETHER

if TYPE_CHECKING:
    from sluice.client import Status
    from sluice.deploy.chain import Receipt, Sender
    from sluice.deploy.registry import Registry
    from sluice.markets.contracts import Chain, Contract

POOL = "InstantPool"
COLLECTED_AT_ONCE = 20
_GWEI = 10**9


@dataclass(frozen=True)
class Addition:
    """What goes in: `own` and what comes for `staked` as slETH, and `ether` as it is."""

    ether: int
    own: int
    """slETH that the account has."""
    staked: int
    """Ether for the slETH that it has not."""
    shares: int
    """All slETH that goes in; a little less comes for `staked` when the rate has risen."""


@dataclass(frozen=True)
class Removal:
    liquidity: int
    assets: int
    shares: int
    awaited: int
    """slETH in the queue: ether comes for it later."""


@dataclass(frozen=True)
class Sale:
    """`shares` with a worth of `value` for `assets` now."""

    shares: int
    value: int
    assets: int

    @property
    def fee(self) -> int:
        return self.value - self.assets

    @property
    def fee_part(self) -> Fraction:
        return Fraction(self.fee, self.value) if self.value else Fraction(0)


@dataclass(frozen=True)
class Rest:
    """What was in the queue when its owner took liquidity out."""

    id: int
    shares: int
    ready: int
    """slETH of it for which ether has come."""


@dataclass(frozen=True)
class Instant:
    pool: Contract
    vault: Contract
    queue: Contract
    sleth: str
    first_block: int

    @classmethod
    def at(cls, chain: Chain, registry: Registry) -> Self:
        pool, vault, queue = (
            chain.own(name, registry.address(name)) for name in (POOL, "StakingVault", "WithdrawalQueue")
        )
        return cls(pool, vault, queue, chain.token(vault.read("share")).address, registry.first_block)

    # --- Reading ---

    @property
    def chain(self) -> Chain:
        return self.pool.chain

    def legs(self) -> tuple[int, int, int]:
        """Ether, slETH, slETH in the queue."""
        assets, shares, awaited = self.pool.read("legs")
        return assets, shares, awaited

    def worth(self, shares: int) -> int:
        return int(self.vault.read("convertToAssets", shares))

    def liquidity(self, account: str) -> int:
        return int(self.pool.read("balanceOf", account))

    def worth_of_liquidity(self, liquidity: int) -> int:
        return liquidity * int(self.pool.read("totalValue")) // int(self.pool.read("totalSupply"))

    def uncounted(self) -> bool:
        """Whether requests of the pool were paid that it has not collected."""
        _, oldest = self.pool.read("requests")
        return bool(0 < oldest <= self.queue.read("lastFinalizedId"))

    def sale(self, shares: int) -> Sale:
        assets, fee = self.pool.read("quoteSell", shares)
        return Sale(shares, assets + fee, assets)

    def sale_for(self, assets: int) -> Sale:
        """Of just as much as brings `assets`; at most what the pool has."""
        shares = int(self.pool.read("quoteSellFor", assets))
        return Sale(shares, max(assets, self.worth(shares)), assets)

    def curve_with(self, liquidity: int) -> Curve:
        """Of the fee, as it will be when that much liquidity has come: the target moves with the supply."""
        least, most, _, target = self.pool.read("terms")
        supply = int(self.pool.read("totalSupply")) + liquidity
        return Curve(Fraction(least, BPS), Fraction(most, BPS), Fraction(supply * target // WEI_PER_ETHER))

    def most(self) -> Sale:
        """All ether of the pool."""
        return self.sale_for(self.legs()[0])

    # --- Provide ---

    def addition(self, worth: int, held: int) -> Addition:
        """`worth` in the pool's ratio; slETH that the account holds goes first, and what is missing is staked.

        What the pool awaits counts as ether, rounded up as there: a wei of slETH above the ratio would count as sold.
        """
        assets, shares, awaited = self.legs()
        in_ether, in_sleth = assets + (self.worth(awaited) + 1 if awaited else 0), self.worth(shares)
        needed = int(self.vault.read("convertToShares", worth * in_sleth // (in_ether + in_sleth)))
        own = min(held, needed)
        staked = self.worth(needed - own)
        if staked < int(self.vault.read("MIN_STAKE")):
            staked, needed = 0, own  # goes in as ether, which costs nothing either
        return Addition(worth - self.worth(own) - staked, own, staked, needed)

    def require_unpaused(self, now: int) -> None:
        """Before anything is staked for it."""
        until = int(self.pool.read("pausedUntil"))
        if now < until:
            raise MarketError(f"PoolIsPaused(until={until}): {NEXT_STEPS['PoolIsPaused']}")

    def quote_add(self, assets: int, shares: int) -> int:
        return int(self.pool.read("quoteAdd", assets, shares))

    def add(self, sender: Sender, assets: int, shares: int, least: int, deadline: int) -> Receipt:
        self.chain.allow(sender, self.sleth, self.pool.address, shares, exact=True)
        return self.pool.send(sender, "addLiquidity", shares, least, sender.address, deadline, value=assets)

    def removal(self, liquidity: int) -> Removal:
        supply = int(self.pool.read("totalSupply"))
        assets, shares, awaited = (liquidity * leg // supply for leg in self.legs())
        return Removal(liquidity, assets, shares, awaited)

    def remove(self, sender: Sender, removal: Removal, least: tuple[int, int]) -> Receipt:
        return self.pool.send(sender, "removeLiquidity", removal.liquidity, *least, sender.address)

    def collect(self, sender: Sender) -> None:
        while self.uncounted():
            self.pool.send(sender, "collect", COLLECTED_AT_ONCE)

    def rests(self, account: str) -> list[Rest]:
        """Those of `account` for which not all has been paid."""
        paid = {each["id"]: each["shares"] for each in self.pool.events("RestClaimed", first_block=self.first_block)}
        found = []
        for made in self.pool.events("LiquidityRemoved", None, account, first_block=self.first_block):
            here, end = made["restId"], made["restId"] + made["restShares"]
            while here < end and here in paid:  # what was left of a rest begins where the paid part ends
                here += paid[here]
            if here < end:
                _, shares, ready = self.pool.read("restOf", here)
                found.append(Rest(here, shares * _GWEI, ready * _GWEI))
        return found

    def claim(self, sender: Sender, rest: Rest) -> int:
        """Wei that came."""
        receipt = self.pool.send(sender, "claimRest", rest.id, sender.address)
        return int(self.pool.events("RestClaimed", rest.id, first_block=receipt.block)[-1]["assets"])

    # --- Leave ---

    def require_open(self) -> None:
        self.pool.read("requireOpen")

    def sell(self, sender: Sender, shares: int, least: int, deadline: int, permit: bytes | None) -> Receipt:
        """With a permit, or an allowance that is given where there is none."""
        if permit is not None:
            return self.pool.send(sender, "sellWithPermit", shares, least, sender.address, deadline, permit)
        self.chain.allow(sender, self.sleth, self.pool.address, shares, exact=True)
        return self.pool.send(sender, "sell", shares, least, sender.address, deadline)

    def quote_request(self, request: int, *, for_ether: bool) -> int:
        return int(self.pool.read("quoteSellRequest", request, for_ether))

    def sell_request(self, sender: Sender, request: int, least: int, deadline: int, *, for_ether: bool) -> Receipt:
        """Sent to the pool, so it needs no approval."""
        wish = encode(["bool", "uint256", "address", "uint256"], [for_ether, least, sender.address, deadline])
        name = "safeTransferFrom(address,address,uint256,bytes)"
        return self.queue.send(sender, name, sender.address, self.pool.address, request, wish)


def paid_by_queue_from(status: Status, ahead: int, worth: int, asked_at: int | None = None) -> int | None:
    """By the first report after when (seconds) a request of `worth` with `ahead` before it can be paid: one that was
    made at `asked_at`, or is made now.

    None where the vault's ether does not suffice: then it depends on when validators leave.
    """
    if status.buffer < ahead + worth:
        return None
    frame = status.frame
    if frame is None:
        return status.time
    by_this = asked_at is not None and asked_at <= frame.reference_time and not frame.reported
    return frame.reference_time if by_this else frame.deadline
