"""Those who do more with slETH than hold it, and where what they earn comes from."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Self

from sluice.demo.judge import Court, UnfairError
from sluice.markets.aave import Listing
from sluice.units import BPS, ether

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.demo.market import Market
    from sluice.markets.uniswap import Position

DISCOUNT: Final = Fraction(5, 10_000)
"""Below the rate, beyond which the arbitrageur buys: what Uniswap's fee of 0.05% and a few days' wait are worth."""
FARM_DAYS: Final = 10
DUST: Final = 10**6
"""Wei that rounding of swaps and views may come to."""


@dataclass(frozen=True)
class Earned:
    """Of one person, wei: what there is more than at the beginning, and what each source brought, computed alone."""

    name: str
    did: str
    put_in: int
    gain: int
    """Found at the end, less what was put in."""
    staking: int = 0
    """By the rate, on the slETH that was there."""
    fees: int = 0
    farm: int = 0
    interest: int = 0
    trading: int = 0
    against_holding: int = 0
    """What trades have made of a provider's range (impermanent loss where below zero), and what joining has cost."""
    blur: int = DUST
    """How much gain and sources may differ."""

    @property
    def explained(self) -> int:
        return self.staking + self.fees + self.farm + self.interest + self.trading + self.against_holding


@dataclass
class Joined:
    """The instant pool for a token of liquidity, and a provider's part, when she had joined."""

    grown: Fraction
    kept: Fraction
    worth: int


@dataclass
class Holders:
    market: Market
    court: Court
    position: Position
    """On Uniswap."""
    shares: int
    """Of 'uma', beside and in it, when she had joined."""
    liquidity: int
    """Of the instant pool."""
    joined: Joined
    collateral: int
    """slETH that 'olga' has supplied."""

    @classmethod
    def arrive(cls, market: Market, say: Callable[[str], None]) -> Self:
        court = Court(market.site.pool)
        lena, uma, lars, olga, arno, nina, club = (
            market.person(name, ether(amount))
            for name, amount in (
                ("lena", 120), ("uma", 100), ("lars", 100), ("olga", 30), ("arno", 60), ("nina", 80), ("club", 1)
            )
        )  # fmt: skip
        liquidity = market.provide(lena, ether(60), ether(60))
        instant = court.look().instant
        worth = (instant.assets + market.worth(instant.held)) * liquidity // instant.supply
        joined = Joined(instant.grown, instant.kept, worth)
        market.farm(lena, club, ether(1), FARM_DAYS)
        say("'lena' provides 60 ether and slETH for 60 to the instant pool and farms with its token")
        position = market.pair(uma, ether(50), ether(50))
        shares = position.sleth + market.shares(uma)
        say("'uma' provides slETH and wrapped ether for 50 each to Uniswap v3")
        market.lend(lars, ether(100))
        leverage = market.loop(olga, ether(30), 3)
        collateral = market.markets.aave.supplied(market.markets.sleth, olga.address)
        say(f"'lars' lends 100 wrapped ether on Aave v3, 'olga' borrows of it and stakes {leverage:.2f} times her own")
        market.markets.wrap(arno.sender, ether(60))
        market.stake(nina, ether(80))
        return cls(market, court, position, shares, liquidity, joined, collateral)

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
        """Raises :class:`UnfairError` where somebody has more or less than the sources say."""
        found = [self._lena(), self._uma(), self._lars(), self._olga(), self._arno()]
        for each in found:
            if abs(each.gain - each.explained) > each.blur:
                raise UnfairError(f"{each.name} gained {each.gain:,} wei, and the sources say {each.explained:,}")
        return found

    def _lena(self) -> Earned:
        """Staking and fees from the pool's events, replayed; joining cost the curve's fee on slETH beyond the ratio."""
        market, judge = self.market, self.court.look()
        supply, value = (int(market.view("InstantPool", f"{name}()")) for name in ("totalSupply", "totalValue"))
        stream, lena = int(market.view("Farm", "lastStreamId()")), market.people["lena"].address
        earned = int(market.view("Farm", "earned(uint256,address)", stream, lena))
        return Earned(
            "lena",
            "instant pool, farm",
            ether(120),
            gain=value * self.liquidity // supply - ether(120) + earned,
            staking=int(self.liquidity * (judge.instant.grown - self.joined.grown)),
            fees=int(self.liquidity * (judge.instant.kept - self.joined.kept)),
            farm=int(judge.farm.streams[stream].earned[lena]),
            against_holding=self.joined.worth - ether(120),
        )

    def _uma(self) -> Earned:
        """She leaves. Staking is what holding would have brought; trades have made more or less of her range than that.
        She is the only provider: all fees that swaps have paid are hers.
        """
        market, pool, uma, position = self.market, self.market.markets.pool, self.market.people["uma"], self.position
        fees, principal = pool.fees_taken(market.site.pool.first_block), pool.principal(position.id)
        pool.leave(uma.sender, position.id)
        return Earned(
            "uma",
            "Uniswap v3",
            ether(100),
            gain=market.worth(market.shares(uma)) + market.weth(uma) - ether(100),
            staking=market.worth(self.shares) - ether(50),
            fees=market.worth(fees[0]) + fees[1],
            against_holding=market.worth(principal[0]) + principal[1] - market.worth(position.sleth) - position.weth,
        )

    def _lars(self) -> Earned:
        """All that 'olga', the only borrower, has come to owe, less Aave's part. Lenders are paid simple interest
        and borrowers owe compound interest, which is not quite the same.
        """
        markets, people = self.market.markets, self.market.people
        listing = Listing.wrapped_ether()
        paid = markets.aave.debt(markets.weth, people["olga"].address) - people["olga"].borrowed
        return Earned(
            "lars",
            "lends on Aave v3",
            ether(100),
            gain=markets.aave.supplied(markets.weth, people["lars"].address) - ether(100),
            interest=paid * (BPS - listing.reserve_factor) // BPS,
            blur=paid // 100,
        )

    def _olga(self) -> Earned:
        market, olga = self.market, self.market.people["olga"]
        aave = market.markets.aave
        health = aave.health(olga.address)
        return Earned(
            "olga",
            "stakes on credit",
            ether(30),
            gain=health.collateral - health.debt - ether(30),
            staking=market.worth(self.collateral) - ether(30) - olga.borrowed,
            interest=olga.borrowed - aave.debt(market.markets.weth, olga.address),
        )

    def _arno(self) -> Earned:
        """What came and will come for slETH, less what it was bought for."""
        arno = self.market.people["arno"]
        return Earned(
            "arno",
            "buys below the rate",
            ether(60),
            gain=self.market.earned_by_arbitrage(arno),
            trading=arno.got + self.market.waiting(arno) - arno.spent,
        )
