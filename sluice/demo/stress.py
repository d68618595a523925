"""The story of `ape run stress`: 40% of all slETH wants out within a week, and the network lets out only so much a day.

Leavers take what pays best for them: the instant pool, Uniswap, or the queue, for which the patient wait. Providers,
a farmer, a borrower and an arbitrageur do what they do. At the end every wei and every share is looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from sluice.demo.judge import Court, UnfairError, require
from sluice.demo.market import Market, Person
from sluice.demo.site import RefusedError, Site, open_site
from sluice.markets.contracts import MarketError
from sluice.markets.leverage import unwind
from sluice.units import SECONDS_PER_DAY, ether

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.deploy.artifacts import Artifact
    from sluice.deploy.engine import Result
    from sluice.deploy.params import Params
    from sluice.markets.uniswap import Position

CHURN: Final = 64
"""Ether an epoch that the network lets in and out: 576 a day, a tenth of this pool. For a pool of nine million ether
mainnet's 57,600 a day are 0.64%, so there the same run is served in two months instead of a week.
"""
NETWORK: Final = {
    "MIN_PER_EPOCH_CHURN_LIMIT_ELECTRA": CHURN * 10**9,
    "MAX_PER_EPOCH_ACTIVATION_EXIT_CHURN_LIMIT": CHURN * 10**9,
}
A_DAY: Final = CHURN * 9
LEAVING: Final = Fraction(40, 100)
RUN: Final = 7
LONGEST: Final = 45
"""Days in all; who is not paid by then is stuck."""
SLASHED_ON: Final = 3
"""Day of the run."""
OPERATORS: Final = {"ada": (8, 260), "bert": (9, 40), "cora": (6, 260), "dana": (5, 260)}
"""Accounts, and ether of bond: 'bert' gets a tenth of what the others do, and is slashed."""
PATIENCE: Final = {"fund": 5, "anna": 2, "ben": 15, "cleo": 40, "dora": 100, "emil": 25}
"""What a day of waiting is worth to who leaves, hundredths of a per cent."""
STAKES: Final = {"fund": 2_000, "anna": 500, "ben": 500, "cleo": 500, "dora": 500, "emil": 500}
EDGE: Final = Fraction(3, 10_000)
"""What the arbitrageur wants for a day."""
DUST: Final = 1_000
"""Wei that Uniswap's rounding of some dozens of swaps may come to."""


@dataclass(frozen=True)
class Day:
    """How things stand at the end of a day."""

    day: int
    peg: float
    """Uniswap's price over the rate, after the arbitrageur."""
    low: float
    """The lowest that it was: after the worst sale of the day, before the arbitrageur."""
    surcharge: float | None
    """Of the instant pool on its last ether; None while it sells none."""
    oldest: float
    """Days that the first in line has waited."""
    waiting: int
    """Worth of open requests, wei."""
    buffer: int
    outside: int
    provider: float
    """Worth of a token of the instant pool, and of slETH, both 1 at the beginning of the run."""
    holder: float
    rate: int
    health: float
    """Of the borrower on Aave; 0 without debt."""
    debt: int


@dataclass(frozen=True)
class Borrower:
    """On Aave."""

    rate: int
    """Of slETH, her collateral."""
    health: Fraction
    """0 without debt."""
    debt: int


@dataclass(frozen=True)
class Reported:
    """The borrower in the blocks before and after a report."""

    before: Borrower
    after: Borrower

    @property
    def due(self) -> Fraction:
        """What her health after it must be: as the rate has moved, and interest of the blocks in between."""
        before, after = self.before, self.after
        return before.health * Fraction(after.rate * before.debt, before.rate * after.debt)


@dataclass(frozen=True)
class Provided:
    """What a provider ends with beside what she would have by holding what she put in, wei at the rate of the end."""

    ended: int
    held: int
    fees: int
    """Of what she ends with."""

    @property
    def gain(self) -> Fraction:
        return Fraction(self.ended - self.held, self.held)


@dataclass
class Wait:
    """A request of somebody who left."""

    who: str
    asked: int
    """Seconds."""


@dataclass
class Stress:
    site: Site
    market: Market
    slashing: bool
    days: list[Day] = field(default_factory=list)
    began: int = 0
    """Day before the first of the run."""
    left: int = 0
    """Day on which the last leaver was paid and the providers left."""
    waits: dict[int, Wait] = field(default_factory=dict)
    waited: list[tuple[str, float]] = field(default_factory=list)
    """Who, and days."""
    bond_paid: int = 0
    position: Position | None = None
    """'uma's, on Uniswap."""
    uniswap: Provided | None = None
    """What became of it."""
    reports: list[Reported] = field(default_factory=list)
    """While the borrower has debt."""
    start_value: Fraction = Fraction(0)
    start_rate: int = 0
    result: dict[str, int] = field(default_factory=dict)
    court: Court = field(init=False)
    """Compares every payment with what it should be."""
    pegs: list[float] = field(default_factory=list)
    """Uniswap's prices over the rate since the day began."""

    @property
    def run(self) -> list[Day]:
        """From its first day to where the providers leave."""
        return [day for day in self.days if self.began < day.day <= self.left]

    # --- The story ---

    def play(self) -> Iterator[int]:
        """Yields after each day."""
        self._prepare()
        while self._outside() < Fraction(85, 100):
            yield self._day()
        self._begin()
        for number in range(1, RUN + 1):
            self._next()
            for person in self._leavers():
                self._leave(person, person.leaving // (RUN + 1 - number))
            if self.slashing and number == SLASHED_ON:
                self.site.slash("bert")
                self.site.say("bert's validator signs two blocks for one slot and is slashed")
            self._arbitrage()
            self._close()
            yield self.site.day
        while any(self.market.people[name].requests for name in STAKES):
            self._unwind()
            yield self._day()
        self._providers_leave()
        while any(person.requests or person.rests for person in self.market.people.values()) or self._owing():
            self._unwind()
            yield self._day(trading=False)
        self._unwind()
        self._lender_leaves()
        self._settle()

    def _day(self, *, trading: bool = True) -> int:
        """One on which nobody new wants out."""
        self._next()
        if trading:
            self._arbitrage()
        self._close()
        return self.site.day

    def _next(self) -> None:
        """To the next frame, its report, the keeper's chores, claims."""
        site = self.site
        if site.day >= LONGEST:
            stuck = [p.name for p in self.market.people.values() if p.requests or p.rests or p.leaving]
            stuck += ["olga"] if self._owing() else []
            raise RefusedError(f"not paid after {LONGEST} days: {', '.join(stuck)}")
        site.day += 1
        site.next_frame()
        list(site.keep())
        held = sum(site.bond(name) for name in OPERATORS)
        before = self._borrower()
        site.report(site.members)
        after = self._borrower()
        if before.debt:
            self.reports.append(Reported(before, after))
        if (paid := held - sum(site.bond(name) for name in OPERATORS)) > 0:
            self.bond_paid += paid
            site.say(f"bonds pay {paid / 10**18:.4f} slETH for what the slashed validator lost")
        list(site.keep())
        for person in self.market.people.values():
            self._claim(person)

    def _borrower(self) -> Borrower:
        health = self.market.markets.aave.health(self.market.people["olga"].address)
        return Borrower(self.market.markets.rate, health.factor or Fraction(0), health.debt)

    def _owing(self) -> bool:
        return self._borrower().debt > 0

    def _claim(self, person: Person) -> None:
        before = set(person.requests)
        self.market.claim(person)
        for request in before - set(person.requests):
            wait = self.waits.pop(request, None)
            if wait:
                self.waited.append((wait.who, (self.market.now - wait.asked) / SECONDS_PER_DAY))

    # --- Before the run ---

    def _prepare(self) -> None:
        self.court = Court(self.site.pool)
        market, site, accounts = self.market, self.site, self.site.pool.devnet.accounts
        for name, (account, bond) in OPERATORS.items():
            site.join(name, accounts[account], ether(bond))
        for name, amount in STAKES.items():
            market.stake(market.person(name, ether(amount)), ether(amount))
        lena, uma, lars = (market.person(name, ether(400)) for name in ("lena", "uma", "lars"))
        olga, arno = market.person("olga", ether(100)), market.person("arno", ether(300))
        site.say("six people stake 4,500 ether; four operators join")
        market.provide(lena, ether(200), ether(200))
        site.say("'lena' provides 200 ether and slETH for 200 to the instant pool")
        self.position = market.pair(uma, ether(200), ether(200))
        site.say("'uma' provides slETH and wrapped ether to Uniswap v3, from 5% below the rate to 2% above")
        market.lend(lars, ether(400))
        site.say("'lars' lends 400 wrapped ether on Aave v3")
        leverage = market.loop(olga, ether(100), 3)
        site.say(f"'olga' stakes on borrowed ether: {leverage:.2f} times her own")
        market.markets.wrap(arno.sender, ether(300))
        market.farm(lena, market.person("club", ether(3)), ether(3), 30)
        site.say("'club' streams 3 wrapped ether to who farms with the instant pool's token; 'lena' does")

    def _outside(self) -> Fraction:
        pooled = int(self.market.view("StakingVault", "pooled()"))
        waiting = sum(one.amount for one in self.site.pool.devnet.beacon.pending_deposits("head")) * 10**9
        return Fraction(int(self.market.view("StakingVault", "outside()")) - waiting, pooled)

    # --- The run ---

    def _begin(self) -> None:
        self.began = self.site.day
        total = int(self.market.view("StakingVault", "supply()")) * LEAVING
        people = self.market.people
        held = {name: self.market.shares(people[name]) for name in STAKES}
        for name, shares in held.items():
            people[name].leaving = int(total * shares / sum(held.values()))
        if any(people[name].leaving > shares for name, shares in held.items()):
            raise RefusedError("those who leave do not have 40% of all slETH")
        self.start_value, self.start_rate = self._value(), self.market.markets.rate
        self.site.say(f"{float(LEAVING):.0%} of all slETH, {float(total / 10**18):,.0f}, wants out within {RUN} days")

    def _leavers(self) -> list[Person]:
        return [person for person in self.market.people.values() if person.leaving]

    def _leave(self, person: Person, shares: int) -> None:
        """In two parts, each by the way that pays best."""
        for part in (shares // 2, shares - shares // 2):
            if part:
                self._leave_by_best(person, part)

    def _leave_by_best(self, person: Person, shares: int) -> None:
        market = self.market
        worth = market.worth(shares)
        patience = Fraction(PATIENCE[person.name], 10_000)
        offers = {"queue": int(worth * (1 - patience * self._expected_wait(worth)))}
        if (paid := market.quote_pool(shares)) is not None:
            offers["pool"] = paid
        with suppress(MarketError):  # there may not be that much liquidity
            offers["uniswap"] = market.markets.pool.quote(market.markets.sleth, shares)
        route = max(offers, key=offers.__getitem__)
        if route == "pool":
            market.leave_at_once(person, shares)
        elif route == "uniswap":
            market.leave_by_uniswap(person, shares)
            self.pegs.append(self._peg())
        else:
            request = market.leave_by_queue(person, shares)
            self.waits[request] = Wait(person.name, market.now)
        person.leaving -= shares
        person.routes[route] += worth

    def _expected_wait(self, more: int) -> Fraction:
        """Days until ``more`` is paid: a day for the report, and what the network lets out a day."""
        waiting = self.market.worth(int(self.market.view("WithdrawalQueue", "openShares()")))
        missing = max(0, waiting + more - int(self.market.view("StakingVault", "buffer()")))
        return 1 + Fraction(missing, ether(A_DAY))

    def _peg(self) -> float:
        return float(self.market.markets.pool.price() / Fraction(self.market.markets.rate, 10**18))

    def _arbitrage(self) -> None:
        """'arno' buys slETH that is sold too cheap and hands it in; what the queue pays buys again."""
        self.pegs.append(self._peg())
        market, arno = self.market, self.market.people["arno"]
        wanted = Fraction(market.markets.rate, 10**18) * (1 - EDGE * self._expected_wait(ether(50)))
        if market.arbitrage(arno, wanted) is not None:
            self.waits[arno.requests[-1]] = Wait("arno", market.now)

    def _close(self) -> None:
        self.court.look()
        market, view = self.market, self.market.view
        borrower = self._borrower()
        rate = borrower.rate
        assets = int(view("InstantPool", "legs()")[0])
        open_now = market.quote_pool(1_000_000) is not None
        surcharge = int(view("InstantPool", "surchargeAt(uint256)", assets)) / 10**18 if open_now else None
        began = self.start_rate > 0
        self.days.append(
            Day(
                day=self.site.day,
                peg=self._peg(),
                low=min([*self.pegs, self._peg()]),
                surcharge=surcharge,
                oldest=self._oldest(),
                waiting=market.worth(int(view("WithdrawalQueue", "openShares()"))),
                buffer=int(view("StakingVault", "buffer()")),
                outside=int(view("StakingVault", "outside()")),
                provider=float(self._value() / self.start_value) if began else 1.0,
                holder=rate / self.start_rate if began else 1.0,
                rate=rate,
                health=float(borrower.health),
                debt=borrower.debt,
            )
        )
        self.pegs.clear()

    def _oldest(self) -> float:
        first = int(self.market.view("WithdrawalQueue", "lastFinalizedId()")) + 1
        if first > int(self.market.view("WithdrawalQueue", "lastRequestId()")):
            return 0.0
        asked = self.market.view("WithdrawalQueue", "getRequest(uint256)", first)[2]
        return (self.market.now - int(asked)) / SECONDS_PER_DAY

    def _value(self) -> Fraction:
        """Of a token of the instant pool."""
        view = self.market.view
        return Fraction(int(view("InstantPool", "totalValue()")), int(view("InstantPool", "totalSupply()")))

    # --- After it ---

    def _providers_leave(self) -> None:
        """The farmer and the provider on Uniswap, too; what is in the queue comes later."""
        market = self.market
        lena, uma = market.people["lena"], market.people["uma"]
        token = self.site.pool.addresses["InstantPool"]
        market.send(lena, "Farm", "exit(address,address)", token, lena.address)
        self.result["farmed"] = market.weth(lena)
        market.remove_liquidity(lena)
        self._leave_uniswap(uma)
        self.left = self.site.day
        self.site.say("'lena' leaves farm and instant pool, 'uma' leaves Uniswap")

    def _leave_uniswap(self, uma: Person) -> None:
        """She is the only provider, so all that swaps have paid is hers; what she gets is compared with Uniswap's
        formula for her range, and swaps' own amounts.
        """
        market, pool, position = self.market, self.market.markets.pool, self.position
        if position is None:
            raise RefusedError("'uma' has no position")
        fees = pool.fees_taken(self.site.pool.first_block)
        due = [sum(each) for each in zip(pool.principal(position.id), fees, strict=True)]
        got = pool.leave(uma.sender, position.id)
        for name, have, wanted in zip(("slETH", "wrapped ether"), got, due, strict=True):
            if abs(have - wanted) > DUST:
                raise UnfairError(f"{name} from Uniswap: {have:,}, but {wanted:,} were due")
        self.uniswap = Provided(
            ended=market.worth(got[0]) + got[1],
            held=market.worth(position.sleth) + position.weth,
            fees=market.worth(fees[0]) + fees[1],
        )

    def _unwind(self) -> None:
        """'olga' repays with what the queue pays for her collateral, then takes the rest out."""
        olga, step = self.market.people["olga"], None
        if self.market.markets.aave.health(olga.address).collateral:
            step = unwind(self.market.markets, olga.sender)
        if step and step.requested:
            self.site.say(f"'olga' takes {step.requested / 10**18:.1f} slETH out of Aave and hands them in")
        if step and step.returned:
            self.site.say(f"'olga' has repaid, and takes her {step.returned / 10**18:.1f} slETH out")

    def _lender_leaves(self) -> None:
        lars, markets = self.market.people["lars"], self.market.markets
        markets.aave.withdraw(lars.sender, markets.weth)
        self.result["interest"] = self.market.weth(lars) - lars.invested
        self.site.say("'lars' takes his wrapped ether out of Aave")

    def _settle(self) -> None:
        """Raises :class:`UnfairError` where a wei is missing, somebody got more than their share or is not out."""
        self.site.books.check()
        self._shares_are_all_there()
        instant = self.court.look().instant
        self.result |= {"sales": instant.sales, "fees": instant.fees}
        aave, people = self.market.markets.aave, self.market.people
        olga = aave.health(people["olga"].address)
        require("debt and collateral that the borrower leaves", (olga.debt, olga.collateral), (0, 0))
        left = aave.supplied(self.market.markets.weth, people["lars"].address)
        require("what the lender leaves behind", left, 0)
        for who in ("interest", "farmed"):
            if self.result[who] <= 0:
                raise UnfairError(f"{who}: {self.result[who]:,} wei were paid")

    def _shares_are_all_there(self) -> None:
        """Balances of whoever ever held slETH are its supply."""
        token = self.site.pool.contract("StakedEther")
        logs = token.events.Transfer().get_logs(from_block=self.site.pool.first_block)
        holders = {log["args"]["to"] for log in logs}
        held = sum(token.functions.balanceOf(each).call() for each in holders)
        supply = int(self.market.view("StakingVault", "supply()"))
        require("slETH of all holders", held, supply)


@contextmanager
def open_stress(
    params: Params, artifacts: Mapping[str, Artifact], folder: Path, packages: Path, *, slashing: bool
) -> Iterator[tuple[Stress, Result]]:
    with open_site(params, artifacts, folder, NETWORK) as (site, result):
        yield Stress(site, Market.open(site, result, artifacts, packages), slashing), result
