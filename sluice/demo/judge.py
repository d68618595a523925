"""Whether everybody was paid what was due: events of the queue, the instant pool and the farm, replayed and recomputed.

What a payment must be follows from the events before it and the rate of its block; the contracts' own figures are only
compared with it. Amounts are wei, seconds and blocks as such.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from sluice.model.pool import Curve
from sluice.units import BPS, WEI_PER_GWEI

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sluice.demo.site import Pool

SEEN: Final = {
    "WithdrawalQueue": ("Requested", "Finalized", "Claimed"),
    "InstantPool": (
        "TermsChanged", "LiquidityAdded", "LiquidityRemoved", "Sold", "Bought", "Replenished", "Collected",
        "RestClaimed", "TreasuryPaid",
    ),
    "Farm": ("StreamAdded", "Staked", "Unstaked", "Enabled", "Disabled", "Claimed"),
}  # fmt: skip
"""Events of whose arguments every figure is judged or counted. What others change shows when legs are compared."""


class UnfairError(Exception):
    """A payment is not what was due."""


DUST: Final = 10
"""Wei: what some roundings of the pool, each in its favour, may keep."""


@dataclass(frozen=True)
class Event:
    contract: str
    name: str
    block: int
    index: int
    """Within the block."""
    args: Mapping[str, Any]


def require(what: str, have: object, due: object) -> None:
    if have == due:
        return
    if isinstance(have, int) and isinstance(due, int):
        raise UnfairError(f"{what}: {have:,}, but must be {due:,} ({have - due:+,})")
    raise UnfairError(f"{what}: {have}, but must be {due}")


@dataclass
class QueueBook:
    """A finalisation takes what its shares are worth, each request its part of that, rounded down, to its owner."""

    worth: Callable[[int, int], int]
    asked: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Owner and shares of each request; in no story one is sold."""
    paid: list[tuple[int, int, Fraction]] = field(default_factory=list)
    """First and last request of each finalisation, and wei for each share."""
    claimed: set[int] = field(default_factory=set)

    def due(self, request: int) -> int:
        """Raises :class:`UnfairError` where it is not finalised."""
        for first, last, rate in self.paid:
            if first <= request <= last:
                return int(self.asked[request][1] * rate)
        raise UnfairError(f"request {request} was paid before it was finalised")

    def on_requested(self, told: Mapping[str, Any], _: int) -> None:
        self.asked[told["id"]] = (told["receiver"], told["shares"])

    def on_finalized(self, told: Mapping[str, Any], block: int) -> None:
        first, last, name = told["firstId"], told["lastId"], f"checkpoint {told['checkpoint']}"
        require(f"shares of {name}", told["shares"], sum(self.asked[each][1] for each in range(first, last + 1)))
        require(f"first request of {name}", first, self.paid[-1][1] + 1 if self.paid else 1)
        most = self.worth(told["shares"], block)
        if not most - 1 <= told["assets"] <= most:  # the state at the end of the block is the one after it
            raise UnfairError(f"{name} took {told['assets']:,}, its shares were worth {most:,}")
        self.paid.append((first, last, Fraction(told["assets"], told["shares"])))

    def on_claimed(self, told: Mapping[str, Any], _: int) -> None:
        request = told["id"]
        require(f"what request {request} paid", told["assets"], self.due(request))
        require(f"who was paid for request {request}", told["recipient"], self.asked[request][0])
        if request in self.claimed:
            raise UnfairError(f"request {request} was paid twice")
        self.claimed.add(request)


@dataclass
class InstantBook:
    """The legs of the instant pool from its events alone, and what each of its payments must be by them."""

    worth: Callable[[int, int], int]
    queue: QueueBook
    terms: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Fees and the treasury's part in basis points, target for 1e18 of liquidity."""
    assets: int = 0
    shares: int = 0
    awaited: int = 0
    """Gwei, as in the contract."""
    supply: int = 0
    treasury: int = 0
    collected: int = 0
    leaving: int = 0
    points: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])
    """Position in the line and ether of all up to it, after each request."""
    rests: dict[int, tuple[str, int]] = field(default_factory=dict)
    grown: Fraction = Fraction(0)
    """What the rate has added to a token of liquidity, wei for a wei."""
    kept: Fraction = Fraction(0)
    """What sales, and who joined with more slETH than the ratio, have left to a token of liquidity."""
    sales: int = 0
    fees: int = 0
    _marked: int = 0
    """Worth of what is not ether, when last looked at."""

    @property
    def held(self) -> int:
        """slETH, also in the queue."""
        return self.shares + self.awaited * WEI_PER_GWEI

    def curve(self) -> Curve:
        least, most, _, target = self.terms
        return Curve(Fraction(least, BPS), Fraction(most, BPS), Fraction(self.supply * target // 10**18))

    def grow(self, block: int) -> None:
        now = self.worth(self.held, block)
        if self.supply:
            self.grown += Fraction(now - self._marked, self.supply)
        self._marked = now

    def mark(self, block: int) -> None:
        self._marked = self.worth(self.held, block)

    def _a_token(self, block: int) -> Fraction:
        return Fraction(self.assets + self.worth(self.held, block), self.supply) if self.supply else Fraction(0)

    def on_termschanged(self, told: Mapping[str, Any], _: int) -> None:
        terms = told["terms"]
        self.terms = (terms["minFee"], terms["maxFee"], terms["treasuryPart"], terms["target"])

    def on_sold(self, told: Mapping[str, Any], block: int) -> None:
        shares, value = told["shares"], self.worth(told["shares"], block)
        due = self.curve().take(self.assets, value)
        require(f"what the sale of {shares:,} shares brought", told["assets"], due)
        require(f"fee on the sale of {shares:,} shares", told["fee"], value - due)
        part = shares * (value - due) * self.terms[2] // (value * BPS)
        require("the treasury's shares of it", told["treasuryShares"], part)
        self.assets -= due
        self.shares += shares - told["treasuryShares"]
        self.treasury += told["treasuryShares"]
        self.kept += Fraction(value - due - self.worth(told["treasuryShares"], block), self.supply)
        self.sales += 1
        self.fees += value - due

    def on_bought(self, told: Mapping[str, Any], block: int) -> None:
        if not 0 <= told["assets"] - self.worth(told["shares"], block) <= DUST:
            raise UnfairError(f"{told['shares']:,} shares of the instant pool were bought for {told['assets']:,}")
        self.assets += told["assets"]
        self.shares -= told["shares"]

    def on_liquidityadded(self, told: Mapping[str, Any], block: int) -> None:
        assets, shares, liquidity = told["assets"], told["shares"], told["liquidity"]
        before = self._a_token(block)
        given = self.worth(shares, block)
        if self.supply and liquidity * before > assets + given:
            raise UnfairError(f"{liquidity:,} of liquidity are worth more than what was added for them")
        # slETH beyond the ratio counts as sold, for the highest fee at most
        ether = self.assets + self.worth(self.awaited * WEI_PER_GWEI, block)
        beyond = given * ether > assets * self.worth(self.shares, block)
        fee = given * self.terms[1] // BPS if beyond else 0
        if self.supply and (liquidity + DUST) * before < assets + given - fee - DUST:
            raise UnfairError(f"{liquidity:,} of liquidity are worth less than what was added for them")
        self.assets += assets
        self.shares += shares
        self.supply += liquidity
        if before:
            self.kept += self._a_token(block) - before

    def on_liquidityremoved(self, told: Mapping[str, Any], _: int) -> None:
        liquidity = told["liquidity"]
        assets, shares, rest = (liquidity * leg // self.supply for leg in (self.assets, self.shares, self.awaited))
        require("ether for liquidity", told["assets"], assets)
        require("slETH for liquidity", told["shares"], shares)
        require("slETH in the queue for liquidity", told["restShares"], rest)
        self.assets -= assets
        self.shares -= shares
        self.awaited -= rest
        self.supply -= liquidity
        if rest:
            start = max(self.leaving, self.collected)
            require("where a rest begins", told["restId"], start)
            self.rests[start] = (told["receiver"], rest)
            self.leaving = start + rest

    def on_replenished(self, told: Mapping[str, Any], _: int) -> None:
        self.shares -= told["shares"]
        self.awaited += told["shares"] // WEI_PER_GWEI

    def on_collected(self, told: Mapping[str, Any], block: int) -> None:
        request, shares, assets = told["id"], told["shares"], told["assets"]
        require(f"what the pool counted for request {request}", assets, self.queue.due(request))
        require(f"shares of the pool's request {request}", shares, self.queue.asked[request][1])
        size = shares // WEI_PER_GWEI
        for_rests = min(size, max(0, self.leaving - self.collected))
        require("what is set aside for who has left", told["restAssets"], assets * for_rests // size)
        own = assets - told["restAssets"]
        self.assets += own
        self.awaited -= size - for_rests
        self.collected += size
        self.points.append((self.collected, self.points[-1][1] + assets))
        # since it was finalised it has not grown with the rate
        self.grown += Fraction(own - self.worth((size - for_rests) * WEI_PER_GWEI, block), self.supply)

    def on_restclaimed(self, told: Mapping[str, Any], _: int) -> None:
        start, shares = told["id"], told["shares"]
        if start not in self.rests:
            raise UnfairError(f"rest {start} is nobody's")
        owner, left = self.rests.pop(start)
        require(f"who was paid for rest {start}", told["recipient"], owner)
        require(f"shares of rest {start}", shares, min(left, self.collected - start))
        require(f"what rest {start} paid", told["assets"], self._up_to(start + shares) - self._up_to(start))
        if shares < left:
            self.rests[start + shares] = (owner, left - shares)

    def _up_to(self, position: int) -> int:
        """Ether of the line, within a request in proportion and rounded down."""
        after = max(1, bisect_left(self.points, (position, 0)))
        (start, before), (end, all_) = self.points[after - 1], self.points[after]
        return before + (all_ - before) * (position - start) // (end - start)

    def on_treasurypaid(self, told: Mapping[str, Any], _: int) -> None:
        require("what the treasury was paid", told["shares"], max(self.treasury - 1, 0))
        self.treasury -= told["shares"]


@dataclass
class Stream:
    start: int
    end: int
    per_second: Fraction
    counted: int
    """Up to when, seconds."""
    token: str
    chosen: set[str] = field(default_factory=set)
    earned: defaultdict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))


@dataclass
class FarmBook:
    """Each second of a stream is shared by the stakes that have chosen it."""

    time: Callable[[int], int]
    streams: dict[int, Stream] = field(default_factory=dict)
    stakes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By token and account."""

    def count(self, block: int) -> None:
        """Up to that block."""
        now = self.time(block)
        for stream in self.streams.values():
            seconds = min(now, stream.end) - max(stream.counted, stream.start)
            eligible = sum(self.stakes[stream.token, each] for each in stream.chosen)
            if seconds > 0 and eligible:
                for each in stream.chosen:
                    part = Fraction(self.stakes[stream.token, each], eligible)
                    stream.earned[each] += stream.per_second * seconds * part
            stream.counted = max(stream.counted, now)

    def on_streamadded(self, told: Mapping[str, Any], block: int) -> None:
        start, end = told["start"], told["end"]
        rate = Fraction(told["amount"], end - start)
        self.streams[told["id"]] = Stream(start, end, rate, self.time(block), told["stakeToken"])

    def on_staked(self, told: Mapping[str, Any], block: int) -> None:
        self.count(block)
        self.stakes[told["token"], told["account"]] += told["amount"]

    def on_unstaked(self, told: Mapping[str, Any], block: int) -> None:
        self.count(block)
        self.stakes[told["token"], told["account"]] -= told["amount"]
        if self.stakes[told["token"], told["account"]] < 0:
            raise UnfairError(f"{told['account']} took out more than it had put into the farm")

    def on_enabled(self, told: Mapping[str, Any], block: int) -> None:
        self.count(block)
        self.streams[told["id"]].chosen.add(told["account"])

    def on_disabled(self, told: Mapping[str, Any], block: int) -> None:
        self.count(block)
        self.streams[told["id"]].chosen.discard(told["account"])

    def on_claimed(self, told: Mapping[str, Any], block: int) -> None:
        self.count(block)
        due = self.streams[told["id"]].earned[told["account"]]
        # the contract rounds each span down, in parts far below a wei
        if not due - 1 <= told["amount"] <= due:
            raise UnfairError(f"stream {told['id']} paid {told['amount']:,}, {int(due):,} were due")
        self.streams[told["id"]].earned[told["account"]] -= told["amount"]


class Judge:
    """Takes events in the order in which they happened."""

    def __init__(self, worth: Callable[[int, int], int], time: Callable[[int], int]) -> None:
        """``worth`` of shares at the end of a block, ``time`` of a block."""
        self.queue = QueueBook(worth)
        self.instant = InstantBook(worth, self.queue)
        self.farm = FarmBook(time)

    def see(self, events: Iterable[Event]) -> None:
        """Raises :class:`UnfairError` at the first payment that is not what was due."""
        books = {"WithdrawalQueue": self.queue, "InstantPool": self.instant, "Farm": self.farm}
        for event in sorted(events, key=lambda each: (each.block, each.index)):
            if event.contract == "InstantPool":
                self.instant.grow(event.block)
            getattr(books[event.contract], f"on_{event.name.lower()}")(event.args, event.block)
            if event.contract == "InstantPool":
                self.instant.mark(event.block)


@dataclass
class Court:
    """The judge beside a pool on the devnet."""

    pool: Pool
    judged: int = 0
    """Block; nodes forget old states, so there is a look at each day."""

    def __post_init__(self) -> None:
        self.judged = self.pool.first_block

    @cached_property
    def judge(self) -> Judge:
        vault, times = self.pool.contract("StakingVault"), dict[int, int]()

        def worth(shares: int, block: int) -> int:
            return int(vault.functions.convertToAssets(shares).call(block_identifier=block))

        def time(block: int) -> int:
            if block not in times:
                times[block] = int(self.pool.web3.eth.get_block(block)["timestamp"])
            return times[block]

        return Judge(worth, time)

    def look(self) -> Judge:
        """At all that happened since the last time. Raises :class:`UnfairError`."""
        newest = int(self.pool.web3.eth.block_number)
        if newest == self.judged:
            return self.judge
        found = []
        for name, kinds in SEEN.items():
            contract = self.pool.contract(name)
            for kind in kinds:
                logs = getattr(contract.events, kind)().get_logs(from_block=self.judged + 1, to_block=newest)
                found += [Event(name, kind, log["blockNumber"], log["logIndex"], log["args"]) for log in logs]
        self.judge.see(found)
        instant, farm = self.judge.instant, self.judge.farm
        instant.grow(newest)
        farm.count(newest)
        functions = self.pool.contract("InstantPool").functions
        legs = tuple(functions.legs().call(block_identifier=newest))
        require("legs of the instant pool", legs, (instant.assets, instant.shares, instant.awaited * WEI_PER_GWEI))
        require("its liquidity", functions.totalSupply().call(block_identifier=newest), instant.supply)
        self.judged = newest
        return self.judge
