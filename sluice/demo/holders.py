"""Those who do more with slETH than hold it, and where what they earn comes from."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Self

from sluice.units import ether

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.demo.market import Market

DISCOUNT: Final = Fraction(5, 10_000)
"""Below the rate, beyond which the arbitrageur buys: what Uniswap's fee of 0.05% and a few days' wait are worth."""
FARM_DAYS: Final = 10


@dataclass(frozen=True)
class Earned:
    """Of one person, wei. The parts are what the whole is made of."""

    name: str
    did: str
    put_in: int
    staking: int = 0
    fees: int = 0
    farm: int = 0
    interest: int = 0
    trading: int = 0

    @property
    def gain(self) -> int:
        return self.staking + self.fees + self.farm + self.interest + self.trading


@dataclass
class Holders:
    market: Market
    position: int = 0
    """On Uniswap."""
    liquidity: int = 0
    """Of the instant pool."""
    borrowed: int = 0
    collateral: int = 0

    @classmethod
    def arrive(cls, market: Market, say: Callable[[str], None]) -> Self:
        self = cls(market)
        lena, uma, lars, olga, arno, nina, club = (
            market.person(name, ether(amount))
            for name, amount in (
                ("lena", 120), ("uma", 100), ("lars", 100), ("olga", 30), ("arno", 60), ("nina", 80), ("club", 1)
            )
        )  # fmt: skip
        self.liquidity = market.provide(lena, ether(60), ether(60))
        market.farm(lena, club, ether(1), FARM_DAYS)
        say("'lena' provides 60 ether and slETH for 60 to the instant pool and farms with its token")
        self.position = market.pair(uma, ether(50), ether(50))
        say("'uma' provides slETH and wrapped ether for 50 each to Uniswap v3")
        market.lend(lars, ether(100))
        leverage = market.loop(olga, ether(30), 3)
        health = market.markets.aave.health(olga.address)
        self.borrowed, self.collateral = health.debt, health.collateral
        say(f"'lars' lends 100 wrapped ether on Aave v3, 'olga' borrows of it and stakes {leverage:.2f} times her own")
        market.markets.wrap(arno.sender, ether(60))
        market.stake(nina, ether(80))
        return self

    # --- What they do ---

    def sell_on_uniswap(self, shares: int) -> float:
        """By 'nina'; the price then, of the rate."""
        markets = self.market.markets
        self.market.leave_by_uniswap(self.market.people["nina"], shares)
        return float(markets.pool.price() / Fraction(markets.rate, 10**18))

    def leave_at_once(self, shares: int) -> float:
        """By 'nina'; the fee in ether."""
        nina, worth = self.market.people["nina"], self.market.worth(shares)
        return (worth - self.market.leave_at_once(nina, shares)) / 10**18

    def arbitrage(self, *, trading: bool) -> int | None:
        """'arno' claims; then, if he is trading, buys what is too cheap. The shares, if there were any."""
        market, arno = self.market, self.market.people["arno"]
        market.claim(arno)
        if not trading:
            return None
        return market.arbitrage(arno, Fraction(market.markets.rate, 10**18) * (1 - DISCOUNT))

    # --- Where it comes from ---

    def earned(self) -> list[Earned]:
        return [self._lena(), self._uma(), self._lars(), self._olga(), self._arno()]

    def _lena(self) -> Earned:
        """Fees: her part of what sales left to providers. Staking: the rest of what her tokens are worth more."""
        market = self.market
        logs = market.site.pool.contract("InstantPool").events.Sold().get_logs(from_block=market.site.pool.first_block)
        supply, value = (int(market.view("InstantPool", f"{name}()")) for name in ("totalSupply", "totalValue"))
        kept = sum(log["args"]["fee"] - market.worth(log["args"]["treasuryShares"]) for log in logs)
        fees = kept * self.liquidity // supply
        worth = value * self.liquidity // supply
        stream = int(market.view("Farm", "lastStreamId()"))
        farm = int(market.view("Farm", "earned(uint256,address)", stream, market.people["lena"].address))
        return Earned("lena", "instant pool, farm", ether(120), staking=worth - ether(120) - fees, fees=fees, farm=farm)

    def _uma(self) -> Earned:
        """She leaves: fees are what the position owes, staking and trading the rest."""
        market, pool = self.market, self.market.markets.pool
        uma = market.people["uma"]
        sleth, weth = pool.tokens_owed(self.position)
        fees = market.worth(sleth) + weth
        pool.leave(uma.sender, self.position)
        worth = market.worth(market.shares(uma)) + market.weth(uma)
        return Earned("uma", "Uniswap v3", ether(100), staking=worth - ether(100) - fees, fees=fees)

    def _lars(self) -> Earned:
        markets = self.market.markets
        lent = markets.aave.supplied(markets.weth, self.market.people["lars"].address)
        return Earned("lars", "lends on Aave v3", ether(100), interest=lent - ether(100))

    def _olga(self) -> Earned:
        health = self.market.markets.aave.health(self.market.people["olga"].address)
        return Earned(
            "olga",
            "stakes on credit",
            ether(30),
            staking=health.collateral - self.collateral,
            interest=self.borrowed - health.debt,
        )

    def _arno(self) -> Earned:
        earned = self.market.earned_by_arbitrage(self.market.people["arno"])
        return Earned("arno", "buys below the rate", ether(60), trading=earned)
