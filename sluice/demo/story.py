"""What happens on which day. Everything goes through the contracts; nothing is written into them from outside."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from eth_utils.crypto import keccak

from sluice.chain.interface import Status, ValidatorInfo
from sluice.chain.passing import active_balance, pay, tips_of
from sluice.demo.books import Books
from sluice.demo.chart import Mark, Sample
from sluice.demo.world import ZERO, Person, World
from sluice.oracle.signing import gather, sign
from sluice.units import (
    GWEI_PER_ETHER,
    SECONDS_PER_DAY,
    WEI_PER_GWEI,
    Gwei,
    Slot,
    Timestamp,
    Wei,
    ether,
    wei_to_gwei_down,
)

DAYS: Final = 60
FINALITY: Final = 1_200
"""Seconds after the reference slot at which members report."""
LARGEST_VALIDATOR: Final = Gwei(2_048 * GWEI_PER_ETHER)
SMALLEST_VALIDATOR: Final = Gwei(32 * GWEI_PER_ETHER)
BUFFER_SHARE: Final = 30
"""One part in so many of the pool stays here for requests."""
TIPS_RATE: Final = 6_000
"""Priority fees and MEV a year, parts per million of what is active."""
SLASHED: Final = 3
LATER_PENALTY: Final = Gwei(25 * GWEI_PER_ETHER)
DEAD_ORACLE: Final = range(35, 42)
VOTED: Final = 9
PAUSE_DAYS: Final = 3
STAKING_IS_PAUSED: Final = keccak(text="StakingIsPaused(uint256)")[:4]


@dataclass(frozen=True)
class Moment:
    """One thing that happened, for the reader."""

    day: int
    text: str


@dataclass
class Story:
    """Plays the days one by one; `moments`, `samples` and `marks` tell what came of it."""

    world: World
    samples: list[Sample] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    tell: Callable[[Moment], None] = lambda _: None
    day: int = 0
    slashed_rate: tuple[int, int] | None = None
    """The rate before and after the report of the slashing."""

    _asked: dict[bytes, tuple[int, Gwei]] = field(default_factory=dict)
    """Day and amount of withdrawals under way, by public key."""
    _keys: int = 0

    # --- The cast ---

    def cast(self) -> None:
        """Everybody who takes part, with the ether they bring."""
        least = self.world.vault.functions.MIN_STAKE().call()
        for name, funds in (
            ("dust", Wei(2 * least + ether("0.1"))),
            ("small", ether(3)),
            ("steady", ether(200)),
            ("family", ether(400)),
            ("fund", ether(10_100)),
            ("whale", ether(100_100)),
            ("late", ether(2_100)),
            ("trader", ether(1_200)),
            ("insurer", ether(30)),
            ("proposers", ether(20_000)),
            ("keeper", ether(10)),
        ):
            self.world.person(name, funds)

    def play(self) -> Iterator[int]:
        """Day by day; yields after each."""
        self._first_day()
        for day in range(1, DAYS + 1):
            self.day = day
            self._morning()
            if day not in DEAD_ORACLE:
                self._report()
            self._serve()
            self._events()
            self._lend_to_beacon()
            self._ask_for_withdrawals()
            self._sample()
            yield day

    # --- Days ---

    def _first_day(self) -> None:
        least = self.world.vault.functions.MIN_STAKE().call()
        self._stake("dust", Wei(least + 1))
        self._stake("small", ether("0.5"))
        self._stake("steady", ether(32))
        self._stake("family", ether(250))
        self._stake("fund", ether(10_000))
        self._stake("whale", ether(100_000))
        self._say("six stakes, from one wei over the minimum to 100,000 ether")
        insurer = self.world.people["insurer"]
        self.world.by(
            insurer, self.world.vault.functions.stake(self.world.cover, 0, ZERO), value=self._count(insurer, ether(20))
        )
        self._say("the insurer gives the cover fund slETH for 20 ether")
        self._lend_to_beacon()
        self._sample()

    def _events(self) -> None:
        event = getattr(self, f"_day_{self.day}", None)
        if event:
            event()

    def _day_5(self) -> None:
        self._request("small", 1, 2)
        self._say("'small' hands in half of what it has")

    def _day_9(self) -> None:
        self._stake("steady", ether(32))

    def _day_18(self) -> None:
        self._request("whale", 1, 5)
        self._say("'whale' asks for a fifth: more than the buffer, validators must give some back", "whale asks")

    def _day_19(self) -> None:
        """A request is sold: who cannot wait gets ether at once, who can gets a discount."""
        fund, trader = self.world.people["fund"], self.world.people["trader"]
        self._request("fund", 1, 10)
        number = self.world.queue.functions.lastRequestId().call()
        worth = self.world.queue.functions.getRequest(number).call()[3]
        self.world.buy(trader, fund, Wei(worth * 997 // 1000))
        self.world.by(fund, self.world.queue.functions.transferFrom(fund.address, trader.address, number))
        self._say(f"'fund' sells request {number} to 'trader' for 99.7% of its worth")

    def _day_20(self) -> None:
        for validator in self._active()[:SLASHED]:
            self.world.layer.slash(validator.pubkey, LATER_PENALTY)
        self._say(f"{SLASHED} validators of 2,048 ether are slashed", "slashing")

    def _day_28(self) -> None:
        splitter = self.world.splitter.functions
        keeper = self.world.people["keeper"]
        self.world.by(keeper, splitter.distribute())
        self.world.by(keeper, splitter.claimCover())
        self._say("fees are divided; the cover fund and the treasury get their parts")
        self.world.by(keeper, splitter.claimTreasury())

    def _day_30(self) -> None:
        self._stake("late", ether(1_000))
        self._say("'late' joins with 1,000 ether")

    def _day_35(self) -> None:
        self._say("the oracle falls silent for a week", "oracle dead")

    def _day_36(self) -> None:
        self._request("steady", 1, 1)
        self._request("family", 1, 2)
        self._say("'steady' and 'family' ask for ether while no report comes")

    def _day_42(self) -> None:
        self._say("the oracle is back; one report covers eight days", "oracle back")

    def _day_45(self) -> None:
        late = self.world.people["late"]
        vault = self.world.vault.functions
        self.world.transact(self.world.setting.guardian, vault.pauseStaking(PAUSE_DAYS * SECONDS_PER_DAY))
        error = self.world.refused(late, vault.stake(late.address, 0, ZERO), value=ether(1))
        if error != STAKING_IS_PAUSED:
            raise AssertionError(f"a stake in the pause failed with {error.hex()} instead of StakingIsPaused")
        self._request("late", 1, 4)
        self._say("the guardian pauses staking for three days; a request goes through all the same", "pause")

    def _day_49(self) -> None:
        self._stake("late", ether(500))
        self._say("the pause has ended by itself: 'late' stakes 500 ether", "pause over")

    def _day_50(self) -> None:
        proposers = self.world.people["proposers"]
        pay(self.world.node, proposers.address, self.world.rewards, ether(5))
        self._say("somebody gives the rewards vault 5 ether: it vests like every reward")

    def _day_55(self) -> None:
        self._request("small", 1, 1)
        self._request("trader", 1, 1)
        self._say("'small' leaves for good")

    # --- Verbs ---

    def _count(self, person: Person, amount: Wei) -> Wei:
        person.staked = Wei(person.staked + amount)
        person.flows.append((self.world.now, -amount))
        return amount

    def _stake(self, name: str, amount: Wei) -> None:
        person = self.world.people[name]
        self.world.by(person, self.world.vault.functions.stake(person.address, 0, ZERO), value=amount)
        self._count(person, amount)

    def _request(self, name: str, numerator: int, denominator: int) -> None:
        person = self.world.people[name]
        shares = self.world.token.functions.balanceOf(person.address).call() * numerator // denominator
        if shares:
            self.world.by(person, self.world.queue.functions.request(shares, person.address))

    def _morning(self) -> None:
        """The reference slot of the day, and what proposers earned since the last."""
        world = self.world
        world.layer.advance_to(Slot(self.day * world.setting.frame_slots))
        active = active_balance(world.layer, world.contracts.credentials)
        tips = tips_of(1, self.day, active, SECONDS_PER_DAY, TIPS_RATE)
        if tips:
            pay(world.node, world.people["proposers"].address, world.rewards, tips)
        world.wait_until(Timestamp(world.layer.spec.time_of(world.layer.slot) + FINALITY))

    def _report(self) -> None:
        world = self.world
        keeper = world.people["keeper"]
        prepared = world.prepare()
        before = world.vault.functions.rate().call()
        oracle = world.oracle.functions
        keys = world.setting.keys
        chosen = [keys[(self.day + i) % len(keys)] for i in range(world.setting.quorum)]
        if self.day == VOTED:
            for key in chosen:
                world.transact(key.address, oracle.vote(prepared.report.as_tuple()))
            self._say("members cannot reach each other and vote on chain instead")
        else:
            signed = [sign(prepared.report, world.contracts.domain, key) for key in chosen]
            signatures = gather(signed, compact=self.day % 2 == 0)
            world.by(keeper, oracle.submit(prepared.report.as_tuple(), signatures))
        after = world.vault.functions.rate().call()
        if after < before:
            self.slashed_rate = (before, after)
            lost = -prepared.forecast.profit / 1e18
            self._say(
                f"the report shows a loss of {lost:,.2f} ether, more than the cover: the rate falls", "rate falls"
            )

    def _serve(self) -> None:
        """Anybody finalises what can be; everybody claims what is theirs."""
        world = self.world
        queue = world.queue.functions
        keeper = world.people["keeper"]
        if world.web3.eth.get_balance(world.gateway.address) and self.day in DEAD_ORACLE:
            world.by(keeper, world.gateway.functions.sweep())
        ready = queue.finalizable().call()
        if ready:
            world.by(keeper, queue.finalize(ready))
            if self.day in DEAD_ORACLE:
                self._say(
                    "requests are finalised without a report: they have waited long enough", "paid without oracle"
                )
        last = queue.lastFinalizedId().call()
        for person in world.people.values():
            for number in queue.requestsOf(person.address, 0, last).call():
                hint = queue.findCheckpoint(number).call()
                assets = queue.getRequest(number).call()[3]
                world.by(person, queue.claim(number, hint, person.address))
                person.claimed = Wei(person.claimed + assets)
                person.flows.append((world.now, assets))

    def _lend_to_beacon(self) -> None:
        """Put ether to work, in validators as large as they may be; a part stays for requests."""
        world = self.world
        vault = world.vault.functions
        pooled, free = vault.pooled().call(), vault.depositable().call()
        gwei = wei_to_gwei_down(Wei(max(0, free - pooled // BUFFER_SHARE)))
        deposits = []
        while gwei >= SMALLEST_VALIDATOR:
            amount = min(gwei, LARGEST_VALIDATOR) // GWEI_PER_ETHER * GWEI_PER_ETHER
            deposits.append((self._new_pubkey(), b"\x5a" * 96, amount))
            gwei = Gwei(gwei - amount)
        for first in range(0, len(deposits), 20):
            world.transact(world.setting.depositor, vault.depositToBeacon(deposits[first : first + 20]))

    def _ask_for_withdrawals(self) -> None:
        """As much as open requests lack, from the first validators that have it (EIP-7002 on the real chain)."""
        world = self.world
        vault = world.vault.functions
        owed = vault.convertToAssets(world.queue.functions.openShares().call()).call()
        self._asked = {key: (day, part) for key, (day, part) in self._asked.items() if day + 2 > self.day}
        coming = sum(part for _, part in self._asked.values()) * WEI_PER_GWEI
        coming += world.web3.eth.get_balance(world.gateway.address)
        missing = wei_to_gwei_down(Wei(max(0, owed - vault.buffer().call() - coming)))
        if not missing:
            return
        missing = Gwei(missing + GWEI_PER_ETHER)
        for validator in self._active():
            part = Gwei(min(missing, validator.balance - SMALLEST_VALIDATOR))
            if part > 0 and validator.pubkey not in self._asked:
                world.layer.withdraw(validator.pubkey, part)
                self._asked[validator.pubkey] = (self.day, part)
                missing = Gwei(missing - part)

    def _active(self) -> list[ValidatorInfo]:
        return [
            validator
            for validator in self.world.layer.validators(self.world.contracts.credentials)
            if validator.status is Status.ACTIVE and not validator.slashed
        ]

    def _new_pubkey(self) -> bytes:
        self._keys += 1
        digest = sha256(b"sluice demo validator" + self._keys.to_bytes(8, "big")).digest()
        return b"\xaa" + digest + digest[:15]

    # --- Telling ---

    def _say(self, text: str, mark: str | None = None) -> None:
        moment = Moment(self.day, text)
        self.moments.append(moment)
        self.tell(moment)
        if mark:
            self.marks.append(Mark(self.day, mark))

    def _sample(self) -> None:
        vault = self.world.vault.functions
        waiting = vault.convertToAssets(self.world.queue.functions.openShares().call()).call()
        self.samples.append(
            Sample(
                day=self.day,
                rate=vault.rate().call(),
                pooled=vault.pooled().call(),
                buffer=vault.buffer().call(),
                outside=vault.outside().call(),
                waiting=waiting,
            )
        )


def prepare_story(world: World) -> tuple[Story, Books]:
    """The cast is paid before the books are opened: from then on no ether may appear."""
    story = Story(world)
    story.cast()
    return story, Books(world)
