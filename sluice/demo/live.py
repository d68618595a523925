"""The story of `ape run demo`: people, operators, a slashing, and the services that run the pool."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from eth_account.signers.local import LocalAccount

from sluice.demo.chart import Mark, Sample
from sluice.demo.holders import Holders
from sluice.demo.market import Market
from sluice.demo.site import RICH, ZERO, Pool, RefusedError, Site, open_site
from sluice.deploy.artifacts import Artifact
from sluice.deploy.engine import Result
from sluice.deploy.params import Params
from sluice.units import ether

DAYS: Final = 12
OPERATORS, STAKERS = {"ada": 8, "bert": 9}, {"small": 5, "family": 6, "fund": RICH}
LAST_TRADE: Final = 8
QUIET_DAY: Final = 5
"""No more than a quorum of the members is there."""


@dataclass
class Staker:
    key: LocalAccount
    staked: int = 0
    claimed: int = 0
    requests: list[int] = field(default_factory=list)


@dataclass
class Live:
    """The story, told day by day."""

    site: Site
    market: Market
    stakers: dict[str, Staker] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    holders: Holders = field(init=False)
    """Who provides, lends, borrows, farms and trades."""
    marks: list[Mark] = field(default_factory=list)
    slashed_rate: tuple[int, int] | None = None
    """Before and after the report that counts the slashing."""

    @property
    def pool(self) -> Pool:
        return self.site.pool

    def play(self) -> Iterator[int]:
        """Yields after each day."""
        self._first_day()
        for day in range(1, DAYS + 1):
            self.site.day = day
            self.site.next_frame()
            self._chores()
            self._report()
            self._chores()
            if event := getattr(self, f"_day_{day}", None):
                event()
            self._trade()
            self._sample()
            yield day
        waiting = [name for name, staker in self.stakers.items() if staker.requests]
        if waiting:
            raise RefusedError(f"not paid after {DAYS} days: {', '.join(waiting)}")
        self.site.books.check()

    # --- Days ---

    def _first_day(self) -> None:
        accounts = self.pool.devnet.accounts
        for name, amount in (("small", ether("0.5")), ("family", ether(250)), ("fund", ether(2_000))):
            self.stakers[name] = Staker(accounts[STAKERS[name]], staked=amount)
            self.pool.send(
                self.stakers[name].key, "StakingVault", "stake(address,uint256,address)",
                self.stakers[name].key.address, 0, ZERO, value=amount,
            )  # fmt: skip
        self._say("three people stake 2,250.5 ether")
        for name, bond in (("ada", 210), ("bert", 10)):
            self.site.join(name, accounts[OPERATORS[name]], ether(bond))
        self._say("'ada' and 'bert' become operators: a bond of slETH, and a key prepared with 1 ether of the pool")
        self.holders = Holders.arrive(self.market, self._say)
        self._sample()

    def _day_3(self) -> None:
        self._request("small", 1, 2)
        self._say("'small' hands in half of what it has")

    def _day_4(self) -> None:
        worth = self.holders.sell_on_uniswap(ether(25))
        self._say(f"'nina' sells 25 slETH on Uniswap, whose price falls to {worth:.4f} of the rate", "sale")

    def _day_5(self) -> None:
        self._request("fund", 1, 2)
        self._say("'fund' asks for half: more than the buffer, a validator must give some back", "fund asks")

    def _day_6(self) -> None:
        self._request("family", 1, 1)
        self._say("'family' leaves for good")

    def _day_8(self) -> None:
        if not self.market.waits_for_report():
            raise RefusedError("the instant pool does not wait for the slashing to be counted")
        self._say("'nina' would leave at once, but the instant pool waits for a report from after the proof")

    def _day_9(self) -> None:
        fee = self.holders.leave_at_once(ether(40))
        self._say(f"'nina' leaves with 40 slETH at once, through the instant pool, for a fee of {fee:.4f} ether")

    def _day_7(self) -> None:
        self.site.slash("bert")
        self._say("bert's validator signs two blocks for one slot and is slashed", "slashing")

    # --- What happens every day ---

    def _trade(self) -> None:
        """'arno' buys what is sold too cheap and hands it in."""
        if (bought := self.holders.arbitrage(trading=self.site.day < LAST_TRADE)) is not None:
            self._say(f"'arno' buys {bought / 10**18:.2f} slETH on Uniswap below the rate and hands them in")

    def _report(self) -> None:
        site = self.site
        there = site.members[: site.members[0].committee.quorum] if site.day == QUIET_DAY else site.members
        held = site.bond("bert")
        before = self.pool.rate
        site.report(there)
        if len(there) < len(site.members):
            self._say(f"only {len(there)} of the {len(site.members)} members are there: they are enough")
        paid = held - site.bond("bert")
        if paid > 0 and self.slashed_rate is None:
            self.slashed_rate = (before, self.pool.rate)
            self._say(f"the report counts the slashing: bert's bond pays {paid / 10**18:.4f} slETH", "bond pays")

    def _chores(self) -> None:
        """The keeper's, and whoever can, claims."""
        for done in self.site.keep():
            self._say(f"keeper: {done.split(' (')[0]}")
        finalised = self.pool.view("WithdrawalQueue", "lastFinalizedId()")
        for name, staker in self.stakers.items():
            for number in [each for each in staker.requests if each <= finalised]:
                staker.requests.remove(number)
                before = self.site.ether(staker.key)
                receipt = self.pool.send(staker.key, "WithdrawalQueue", "claim(uint256)", number)
                gas = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
                got = self.site.ether(staker.key) - before + gas
                staker.claimed += got
                self._say(f"'{name}' claims {got / 10**18:,.4f} ether", f"{name} paid")

    def _request(self, name: str, part: int, of: int) -> None:
        staker = self.stakers[name]
        shares = self.shares(name) * part // of
        self.pool.send(staker.key, "WithdrawalQueue", "request(uint256,address)", shares, staker.key.address)
        staker.requests.append(int(self.pool.view("WithdrawalQueue", "lastRequestId()")))

    def shares(self, name: str) -> int:
        return int(self.pool.view("StakedEther", "balanceOf(address)", self.stakers[name].key.address))

    def worth(self, name: str) -> int:
        """Wei: what it holds and what it waits for."""
        waiting = sum(
            self.pool.view("WithdrawalQueue", "getRequest(uint256)", each)[3] for each in self.stakers[name].requests
        )
        return int(self.pool.view("StakingVault", "convertToAssets(uint256)", self.shares(name))) + int(waiting)

    def _say(self, text: str, mark: str = "") -> None:
        self.site.say(text)
        if mark:
            self.marks.append(Mark(self.site.day, mark))

    def _sample(self) -> None:
        """Every payment of the day was what it had to be, else :class:`~sluice.demo.judge.UnfairError` ends it."""
        self.holders.court.look()
        view = self.pool.view
        self.samples.append(
            Sample(
                day=self.site.day,
                rate=self.pool.rate,
                pooled=view("StakingVault", "pooled()"),
                buffer=view("StakingVault", "buffer()"),
                outside=view("StakingVault", "outside()"),
                waiting=view("StakingVault", "convertToAssets(uint256)", view("WithdrawalQueue", "openShares()")),
            )
        )


@contextmanager
def open_live(
    params: Params, artifacts: Mapping[str, Artifact], folder: Path, packages: Path
) -> Iterator[tuple[Live, Result]]:
    """Uniswap v3 and Aave v3 come from ``packages``, the project's node_modules."""
    with open_site(params, artifacts, folder) as (site, result):
        yield Live(site, Market.open(site, result, artifacts, packages)), result
