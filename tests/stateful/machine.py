"""Everybody does anything: the state machine whose invariants docs/invariants.md lists."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sluice.model import SEED_HOLDER, ReportOutcome
from tests.backends import Backend, Failed
from tests.pair import BONDS, COVER, DAY, ETHER, GWEI, Pair, Site, failure_of

USERS = st.sampled_from([f"user{n}" for n in range(4)])
AMOUNTS = st.one_of(
    st.integers(10**15, 10**17),
    st.integers(ETHER, 100 * ETHER),
    st.integers(1, 100_000).map(lambda n: n * ETHER),
    st.sampled_from([10**15 - 1, 10**15, 10**15 + 1, 32 * ETHER]),
)
PARTS = st.one_of(st.sampled_from([Fraction(1), Fraction(1, 2)]), st.fractions(Fraction(1, 10_000), 1))
FATES = st.sampled_from(
    ["earn", "earn", "lose", "lose beyond the limit", "slashing foreseen", "slashing happens", "exit"]
)
GIFTS = st.one_of(st.sampled_from([1, GWEI - 1, GWEI, 10**18 + 1]), st.integers(1, 5_000).map(lambda n: n * ETHER))


class ProtocolMachine(RuleBasedStateMachine):
    """Runs on any backend; a subclass says on which."""

    site: Site

    def __init__(self) -> None:
        super().__init__()
        self.chain = self.connect()
        self.pair = Pair(self.chain, self.site)
        self.last_ids = (0, 0)
        self.claimable: dict[int, int] = {}
        self.unrecovered = Fraction(0)
        self.reference_time = self.pair.vault.reference_time

    def connect(self) -> Backend:
        """The chain as it was when the site was prepared."""
        raise NotImplementedError

    @initialize(
        stakes=st.lists(st.integers(1, 10_000), min_size=4, max_size=4),
        bonds=st.integers(0, 100),
        cover=st.integers(0, 100),
        deposited=PARTS,
    )
    def a_pool_in_the_middle_of_its_life(self, stakes: list[int], bonds: int, cover: int, deposited: Fraction) -> None:
        """Everybody has staked, modules hold up to 1% each, validators run."""
        for n, amount in enumerate(stakes):
            assert self.pair.stake(f"user{n}", amount * ETHER) is not None
        self.pair.transfer("user0", BONDS, self.shares_of("user0", Fraction(bonds, 10_000)))
        self.pair.transfer("user0", COVER, self.shares_of("user0", Fraction(cover, 10_000)))
        self.deposit_to_beacon(deposited)

    def shares_of(self, who: str, part: Fraction) -> int:
        return int(self.pair.vault.balance_of(who) * part)

    def holder(self, data: Any) -> str:
        """Who can request something, else anybody."""
        least = self.site.queue_terms.min_request
        holders = [name for name in self.site.users if self.pair.vault.balance_of(name) >= least]
        return str(data.draw(st.sampled_from(holders) if holders else USERS))

    # --- Stake and hold ---

    @rule(who=USERS, receiver=USERS, amount=AMOUNTS)
    def stake(self, who: str, receiver: str, amount: int) -> None:
        outcome = self.pair.stake(who, amount, receiver)
        if outcome is not None:
            assert -1 < outcome.dust <= 0  # INV-VAL-02

    @rule(who=USERS, shares=AMOUNTS, spare=st.integers(0, ETHER))
    def mint(self, who: str, shares: int, spare: int) -> None:
        outcome = self.pair.mint(who, shares, spare)
        if outcome is not None:
            assert 0 <= outcome.dust < 1  # INV-VAL-02

    @rule(who=USERS)
    def stake_to_the_limit(self, who: str) -> None:
        """INV-LIM-01: what `maxDeposit` says can be staked, and not a wei more."""
        self.pair.wait(1)
        most = self.chain.read(self.site.at.vault, "maxDeposit", self.pair.address(who))
        room = int(self.pair.vault.stake_limit(self.pair.now))
        assert most == (room if room >= self.site.terms.min_stake else 0)
        if most and self.pair.ether[who] > 2 * most:
            grown = int(self.pair.vault.stake_limit(self.pair.now + 1))
            assert self.pair.stake(who, grown + self.site.terms.limit_growth + 1) is None
            assert self.pair.stake(who, most) is not None

    @rule(data=st.data(), receiver=st.one_of(USERS, st.sampled_from([BONDS, COVER])), part=PARTS)
    def transfer(self, data: Any, receiver: str, part: Fraction) -> None:
        sender = self.holder(data)
        self.pair.transfer(sender, receiver, self.shares_of(sender, part))

    @rule(sender=USERS, receiver=USERS, beyond=st.integers(1, ETHER))
    def transfer_too_much(self, sender: str, receiver: str, beyond: int) -> None:
        self.pair.transfer(sender, receiver, self.shares_of(sender, Fraction(1)) + beyond)

    # --- Queue ---

    @rule(data=st.data(), receiver=USERS, part=PARTS)
    def request(self, data: Any, receiver: str, part: Fraction) -> None:
        who = self.holder(data)
        self.pair.request(who, self.shares_of(who, part), receiver)

    @rule(data=st.data(), receiver=USERS, parts=st.lists(PARTS, min_size=1, max_size=4))
    def request_batch(self, data: Any, receiver: str, parts: list[Fraction]) -> None:
        who = self.holder(data)
        self.pair.request_batch(who, [self.shares_of(who, part / 2) for part in parts], receiver)

    @rule(data=st.data(), receiver=USERS, submitter=USERS, part=PARTS)
    def request_with_permit(self, data: Any, receiver: str, submitter: str, part: Fraction) -> None:
        owner = self.holder(data)
        self.pair.request_with_permit(owner, self.shares_of(owner, part), receiver, submitter)

    @precondition(lambda self: any(not r.claimed for r in self.pair.queue.requests))
    @rule(data=st.data(), receiver=USERS)
    def transfer_request(self, data: Any, receiver: str) -> None:
        queue = self.pair.queue
        living = [n for n, request in enumerate(queue.requests, 1) if not request.claimed]
        self.pair.transfer_request(data.draw(st.sampled_from(living)), receiver)

    @precondition(lambda self: self.pair.queue.requests)
    @rule(caller=USERS, data=st.data())
    def finalize(self, caller: str, data: Any) -> None:
        """Any id, open or not, covered or not."""
        up_to = data.draw(st.integers(0, self.pair.queue.last_request_id + 1))
        self.finalized(self.pair.finalize(up_to, caller))

    @precondition(lambda self: self.pair.queue.finalizable(self.pair.now + 1))
    @rule(caller=USERS)
    def finalize_all_that_can_be(self, caller: str) -> None:
        """INV-QUE-07: `finalizable()` is accepted, and the next is not."""
        queue = self.pair.queue
        self.pair.wait(1)
        most = self.chain.read(self.site.at.queue, "finalizable")
        assert most == queue.finalizable(self.pair.now)
        if most < queue.last_request_id and most == queue.finalizable(self.pair.now + 1):
            assert self.pair.finalize(most + 1, caller) is None
        outcome = self.pair.finalize(most, caller)
        assert outcome is not None
        self.finalized(outcome)

    def finalized(self, outcome: Any) -> None:
        if outcome is None:
            return
        queue = self.pair.queue
        assert -1 < outcome.dust <= 0  # INV-VAL-02
        checkpoint = queue.checkpoints[-1]
        pays = {n: queue.claimable(n).integer for n in range(checkpoint.first_id, checkpoint.last_id + 1)}
        assert 0 <= outcome.integer - sum(pays.values()) < len(pays)  # INV-QUE-02
        self.claimable |= pays

    @precondition(lambda self: self.pair.queue.requests)
    @rule(caller=USERS, data=st.data(), hinted=st.booleans())
    def claim(self, caller: str, data: Any, hinted: bool) -> None:
        """Of any state: open, finalised, claimed."""
        queue = self.pair.queue
        request_id = data.draw(st.integers(1, queue.last_request_id))
        hint = data.draw(st.integers(0, len(queue.checkpoints) + 1)) if hinted else None
        outcome = self.pair.claim(request_id, caller, hint)
        if outcome is not None:
            assert outcome.integer == self.claimable[request_id]  # INV-QUE-02: fixed since it was finalised

    @precondition(lambda self: any(not r.claimed for r in self.pair.queue.requests[: self.finalized_id]))
    @rule(caller=USERS, data=st.data())
    def claim_with_every_hint(self, caller: str, data: Any) -> None:
        """INV-QUE-06: exactly one is taken."""
        queue = self.pair.queue
        ready = [n for n in range(1, self.finalized_id + 1) if not queue.requests[n - 1].claimed]
        request_id = data.draw(st.sampled_from(ready))
        right = queue.find_checkpoint(request_id)
        for hint in range(len(queue.checkpoints) + 2):
            if hint != right:
                assert self.pair.claim(request_id, caller, hint) is None
        outcome = self.pair.claim(request_id, caller, right)
        assert outcome is not None
        assert outcome.integer == self.claimable[request_id]  # INV-QUE-02
        assert self.pair.claim(request_id, caller, right) is None  # INV-QUE-09

    @property
    def finalized_id(self) -> int:
        return self.pair.queue.last_finalized_id

    @precondition(lambda self: len(self.pair.queue.requests) > 2)
    @rule()
    def everybody_leaves(self) -> None:
        """INV-QUE-05, INV-QUE-09: from any state, with the ether back, every request is finalised and paid."""
        pair, queue, model = self.pair, self.pair.queue, self.pair.vault
        for name in self.site.users:
            pair.request(name, int(model.balance_of(name)))
        pair.validators.provision = 0
        pair.exit(pair.validators.balance)
        pair.sweep("user0")
        pair.wait(self.site.queue_terms.stale_after)
        while most := queue.finalizable(pair.now + 1):
            self.finalized(pair.finalize(most, "user0"))
        if queue.last_finalized_id < queue.last_request_id:  # only where ether is still outside
            assert model.outside > 0
        for request_id in range(1, queue.last_finalized_id + 1):
            if not queue.requests[request_id - 1].claimed:
                assert pair.claim(request_id, "user1") is not None

    # --- The consensus side and reports ---

    def free(self) -> int:
        """Gwei that open requests leave of the buffer in the next second."""
        model = self.pair.vault
        owed = model.to_assets_up(self.pair.queue.open_shares, self.pair.now + 1).value
        return max(0, int(model.buffer - owed)) // GWEI

    @precondition(lambda self: self.free() >= GWEI)
    @rule(part=PARTS)
    def deposit_to_beacon(self, part: Fraction) -> None:
        amount = int(self.free() * part)
        if amount >= GWEI:
            self.pair.deposit_to_beacon(amount)

    @rule(excess=st.integers(1, GWEI))
    def deposit_what_requests_need(self, excess: int) -> None:
        """INV-QUE-10: refused."""
        self.pair.deposit_to_beacon(self.free() + GWEI + excess)

    @precondition(lambda self: self.pair.validators.balance)
    @rule(fate=FATES, ppm=st.integers(1, 1_000))
    def validators_live(self, fate: str, ppm: int) -> None:
        side = self.pair.validators
        if fate == "earn":
            self.pair.earn(min(side.balance * ppm // 10**6, self.pair.earnable()))
        elif fate == "lose":
            self.pair.lose(side.balance * ppm * 30 // 10**6, by_fault=ppm % 2 == 0)
        elif fate == "lose beyond the limit":
            self.pair.lose(side.balance * (60_000 + ppm) // 10**6)
        elif fate == "slashing foreseen":
            foreseen = (side.balance - side.provision) * ppm * 20 // 10**6
            side.provision += foreseen
            side.faults += foreseen
        elif fate == "slashing happens":
            side.balance -= side.provision
            side.provision = 0
        else:
            self.pair.exit(side.balance * ppm // 1_000)

    @precondition(lambda self: self.pair.gateway >= GWEI)
    @rule(caller=USERS)
    def sweep(self, caller: str) -> None:
        self.pair.sweep(caller)

    @rule(next_frame=st.booleans())
    def report(self, next_frame: bool) -> None:
        if next_frame:
            self.pair.wait(self.next_frame() - self.pair.now)
        self.judge(self.pair.report())

    @rule(fate=FATES, ppm=st.integers(1, 1_000), tips=st.sampled_from([0, 1, ETHER, 20 * ETHER, 1_000 * ETHER]))
    def a_day_with_its_report(self, fate: str, ppm: int, tips: int) -> None:
        if tips:
            self.pair.donate(self.site.at.rewards, tips)
        self.validators_live(fate, ppm)
        self.pair.wait(self.next_frame() - self.pair.now)
        self.judge(self.pair.report())

    def next_frame(self) -> int:
        genesis, frame = self.site.genesis, self.site.frame
        return genesis + ((self.pair.now - genesis) // frame + 1) * frame

    def judge(self, outcome: ReportOutcome | Failed | None) -> None:
        if isinstance(outcome, Failed):
            assert outcome.error == "LossAboveLimit"  # INV-ORC-03
            self.pair.earn(max(0, -self.pair.unreported))  # else no report of this life would pass
            self.pair.captured = None  # beside more stake it could pass yet, and what is earned back be too much
        if not isinstance(outcome, ReportOutcome):
            return
        assert self.pair.vault.reference_time > self.reference_time  # INV-ORC-02
        elapsed = self.pair.vault.reference_time - self.reference_time
        self.reference_time = self.pair.vault.reference_time
        limits = self.site.limits
        assert outcome.profit <= limits.most_gain(int(outcome.total), elapsed)  # INV-ORC-03
        assert -outcome.profit <= limits.most_loss(int(outcome.total), elapsed)  # INV-ORC-03
        recovered = min(self.unrecovered, max(0, outcome.profit))
        self.unrecovered += outcome.covered_by_unvested + outcome.shared - recovered
        assert self.chain.read(self.site.at.vault, "unrecovered") == self.unrecovered
        fee = (max(0, outcome.profit) - recovered) * Fraction(self.site.terms.fee, 10_000)
        rate = outcome.total / (outcome.supply + outcome.burnt - outcome.fee_shares.value)  # that before the report
        worth = outcome.fee_shares.value * rate
        assert worth <= outcome.fee_assets <= fee  # INV-ORC-06
        assert fee - worth < 2 + rate  # INV-ORC-06

    @precondition(lambda self: self.finalized_id < self.pair.queue.last_request_id)
    @rule(hours=st.integers(0, 23))
    def oracle_is_dead(self, hours: int) -> None:
        """INV-QUE-08: past `STALE_AFTER` every request is finalised as far as the buffer reaches."""
        pair = self.pair
        pair.wait(self.site.queue_terms.stale_after + hours * 3600)  # since the newest report and every request
        assert pair.queue.covered(pair.queue.last_request_id, pair.now)
        first = pair.queue.requests[self.finalized_id]
        if pair.vault.to_assets_down(first.shares, pair.now + 1).value <= pair.vault.buffer:
            self.finalize_all_that_can_be("user3")

    # --- Third parties, governance, time ---

    @rule(wei=GIFTS, place=st.sampled_from(["vault", "queue", "gateway", "rewards", "token", "validator"]))
    def gift(self, wei: int, place: str) -> None:
        """INV-ACC-12: no figure moves."""
        read, at = self.chain.read, self.site.at
        before = (read(at.vault, "rate"), read(at.vault, "buffer"), read(at.vault, "outside"))
        if place == "validator":
            self.pair.foreign_deposit(-(-wei // GWEI))
        else:
            self.pair.donate(getattr(at, place), wei)
        assert before == (read(at.vault, "rate"), read(at.vault, "buffer"), read(at.vault, "outside"))

    @rule(who=USERS, duration=st.integers(1, 14 * DAY))
    def pause(self, who: str, duration: int) -> None:
        """INV-PAU-01, INV-PAU-02: nobody can stake, everybody can leave, and it ends by itself."""
        pair, at = self.pair, self.site.at
        pair.tick()
        self.chain.write(at.guardian, at.vault, "pauseStaking", duration)
        pair.vault.paused_until = pair.now + duration
        if duration > 2:
            assert pair.stake(who, ETHER) is None

    @rule(beyond=st.integers(1, DAY))
    def pause_too_long(self, beyond: int) -> None:
        """INV-PAU-01."""
        pair, at = self.pair, self.site.at
        pair.tick()
        duration = 14 * DAY + beyond
        failed = failure_of(lambda: self.chain.write(at.guardian, at.vault, "pauseStaking", duration))
        assert failed is not None
        assert (failed.error, failed.arguments) == ("PauseTooLong", {"duration": duration, "maximum": 14 * DAY})

    @precondition(lambda self: self.pair.now + 1 < self.pair.vault.paused_until)
    @rule(who=USERS)
    def pause_ends_by_itself(self, who: str) -> None:
        """INV-PAU-02."""
        pair = self.pair
        end = pair.vault.paused_until
        if end - 2 > pair.now:
            pair.wait(end - 2 - pair.now)
        if pair.now == end - 2:
            assert pair.stake(who, ETHER) is None
        pair.wait(max(1, end - pair.now))
        room = pair.vault.stake_limit(pair.now)
        assert self.chain.read(self.site.at.vault, "stakeLimit") == room
        if room >= ETHER and pair.affords(who, ETHER):
            assert pair.stake(who, ETHER) is not None

    @rule(seconds=st.one_of(st.integers(1, 60), st.integers(60, DAY), st.integers(DAY, 5 * DAY)))
    def time_passes(self, seconds: int) -> None:
        rate = self.pair.vault.rate(self.pair.now)
        self.pair.wait(seconds)
        assert self.pair.vault.rate(self.pair.now) >= rate  # INV-ACC-08

    # --- Invariants ---

    @invariant()
    def contracts_equal_the_model(self) -> None:
        """INV-MOD-01, INV-ACC-01, INV-ACC-03, INV-ACC-08, INV-QUE-03, INV-QUE-04, INV-LIM-02."""
        self.chain.settle()
        self.pair.check()
        queue = self.pair.queue
        first = max(1, queue.last_request_id - 2)
        self.pair.check_requests(range(first, queue.last_request_id + 1))

    @invariant()
    def every_wei_is_accounted_for(self) -> None:
        """INV-ETH-01, INV-ETH-02, INV-ETH-03, INV-QUE-01."""
        self.pair.check_ether()

    @invariant()
    def books_are_sound(self) -> None:
        pair, model, queue = self.pair, self.pair.vault, self.pair.queue
        assert sum(model.balances.values(), Fraction(0)) == model.supply  # INV-ACC-01
        assert model.balance_of(SEED_HOLDER) == self.site.seed  # INV-ACC-02
        assert model.supply >= self.site.seed  # INV-ACC-02
        assert model.total(pair.now) > 0  # INV-ACC-02
        assert model.outside >= 0  # INV-ACC-03
        assert model.buffer >= 0  # INV-ACC-03
        assert 0 <= model.unvested(pair.now) <= model.pooled  # INV-ACC-04
        assert model.balance_of("queue") == queue.open_shares  # INV-QUE-04
        ids = (queue.last_request_id, queue.last_finalized_id)
        assert ids[0] >= self.last_ids[0]  # INV-QUE-03
        assert ids[1] >= self.last_ids[1]  # INV-QUE-03
        self.last_ids = ids

    @invariant()
    def previews_are_exact(self) -> None:
        """INV-ACC-07."""
        self.pair.check_conversions(10**18 + self.pair.now % 10**9)
