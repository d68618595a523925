"""The reference model against hand-made numbers, and against what no model may ever do."""

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sluice.model import (
    ESCROW,
    FEE_RECIPIENT,
    SEED_HOLDER,
    ConsensusFigures,
    QueueModel,
    QueueTerms,
    Refused,
    Rounding,
    VaultModel,
    VaultTerms,
)

ETHER = 10**18
GWEI = 10**9
DAY = 86_400
START = 1_700_000_000
TERMS = VaultTerms(
    min_stake=10**15,
    vesting_period=DAY,
    fee=1_000,
    limit_burst=1_000_000 * ETHER,
    limit_growth=10 * ETHER,
)
QUEUE_TERMS = QueueTerms(min_request=10**15, finalize_window=7_200, stale_after=5 * DAY)


def new_vault(rounding: Rounding = Rounding.STATED, **terms) -> VaultModel:
    return VaultModel(
        VaultTerms(**{**TERMS.__dict__, **terms}), START, seed=ETHER, rounding=rounding, bonds="bonds", cover="cover"
    )


def test_first_stake_gets_a_share_a_wei():
    vault = new_vault()
    assert vault.stake("alice", 9 * ETHER, START).integer == 9 * ETHER
    assert (vault.pooled, vault.supply, vault.rate(START)) == (10 * ETHER, 10 * ETHER, 1)
    assert vault.balance_of(SEED_HOLDER) == ETHER


def test_rewards_vest_linearly_and_the_fee_leaves_the_rate():
    vault = new_vault()
    vault.stake("alice", 9 * ETHER, START)
    now = START + DAY
    done = vault.report(ConsensusFigures(now, 0, 0, 0, rewards=ETHER), now)
    assert (done.profit, done.fee_assets) == (ETHER, ETHER // 10)
    assert done.fee_shares.integer == ETHER // 10 == vault.balance_of(FEE_RECIPIENT)
    assert vault.rate(now) == 1  # the report itself moves nothing
    assert vault.unvested(now) == 9 * ETHER // 10
    assert vault.unvested(now + DAY // 4) == 675 * ETHER // 1_000
    assert vault.unvested(now + DAY) == 0
    assert vault.rate(now + DAY) == Fraction(11 * ETHER, 101 * ETHER // 10)
    assert vault.rate_view(now + DAY) == 1_089_108_910_891_089_108


def test_unvested_is_rounded_up():
    vault = new_vault(vesting_period=3, fee=0)
    vault.report(ConsensusFigures(START + 1, 0, 0, 0, rewards=10), START + 1)
    assert [vault.unvested(START + 1 + n) for n in range(4)] == [10, 7, 4, 0]


def test_loss_takes_bonds_then_unvested_then_cover_then_holders():
    vault = new_vault(fee=0)
    vault.stake("alice", 97 * ETHER, START)
    vault.stake("bonds", ETHER, START)
    vault.stake("cover", ETHER, START)
    vault.deposit_to_beacon(64 * GWEI, Fraction(0), START)
    now = START + DAY
    vault.report(ConsensusFigures(now, 66 * GWEI, 0, 64 * GWEI), now)  # 2 ether unvested
    later = now + DAY // 2
    done = vault.report(ConsensusFigures(later, 61 * GWEI, 0, 64 * GWEI, faults=5 * GWEI), later)
    assert done.profit == -5 * ETHER
    # half has vested: the rate before was 101 / 100
    assert done.covered_by_bonds == 101 * ETHER // 100
    assert done.covered_by_unvested == ETHER
    assert done.covered_by_cover == 101 * ETHER // 100
    assert done.shared == 5 * ETHER - ETHER - 202 * ETHER // 100
    assert done.burnt == 2 * ETHER
    assert (vault.balance_of("bonds"), vault.balance_of("cover")) == (0, 0)
    assert vault.rate(later) == Fraction(97, 98)


def test_covered_loss_leaves_the_rate():
    vault = new_vault()
    vault.stake("cover", 5 * ETHER, START)
    vault.stake("alice", 58 * ETHER, START)
    vault.deposit_to_beacon(32 * GWEI, Fraction(0), START)
    now = START + DAY
    done = vault.report(ConsensusFigures(now, 30 * GWEI, 0, 32 * GWEI), now)
    assert (done.shared, done.burnt) == (0, 2 * ETHER)
    assert vault.rate(now) == 1


def test_request_keeps_what_is_below_a_gwei_with_its_owner():
    vault = new_vault()
    queue = QueueModel(vault, QUEUE_TERMS)
    vault.stake("alice", 2 * ETHER, START)
    assert queue.request("alice", ETHER + GWEI - 1, "bob", START) == 1
    assert queue.open_shares == ETHER
    assert vault.balance_of("alice") == ETHER
    assert queue.requests[0].owner == "bob"


def test_request_waits_for_a_newer_report_or_for_staleness():
    vault = new_vault()
    queue = QueueModel(vault, QUEUE_TERMS)
    vault.stake("alice", 2 * ETHER, START)
    queue.request("alice", ETHER, "alice", START + 1)
    with pytest.raises(Refused, match="RequestNotCovered"):
        queue.finalize(1, START + 5 * DAY)
    assert queue.finalizable(START + 5 * DAY) == 0
    assert queue.finalizable(START + 5 * DAY + 1) == 1
    assert queue.finalize(1, START + 5 * DAY + 1).integer == ETHER
    assert queue.claim(1).integer == ETHER
    with pytest.raises(Refused, match="RequestUnknown"):
        queue.claim(1)


def test_only_the_right_hint_is_taken():
    vault = new_vault()
    queue = QueueModel(vault, QUEUE_TERMS)
    vault.stake("alice", 10 * ETHER, START)
    for _ in range(4):
        queue.request("alice", ETHER, "alice", START)
    queue.finalize(1, START)
    queue.finalize(3, START)
    assert [queue.find_checkpoint(n) for n in (1, 2, 3)] == [1, 2, 2]
    with pytest.raises(Refused, match="CheckpointInvalid"):
        queue.claim(2, hint=1)
    with pytest.raises(Refused, match="RequestNotFinalized"):
        queue.find_checkpoint(4)
    assert queue.claim(2, hint=2).integer == ETHER


def test_deposits_leave_what_open_requests_are_worth():
    vault = new_vault()
    queue = QueueModel(vault, QUEUE_TERMS)
    vault.stake("alice", 63 * ETHER, START)
    queue.request("alice", 32 * ETHER, "alice", START)
    vault.deposit_to_beacon(32 * GWEI, Fraction(queue.open_shares), START)
    with pytest.raises(Refused, match="BufferTooLow"):
        vault.deposit_to_beacon(1, Fraction(queue.open_shares), START)


def test_pause_ends_by_itself():
    vault = new_vault()
    vault.paused_until = START + 10
    with pytest.raises(Refused, match="StakingIsPaused"):
        vault.stake("alice", ETHER, START + 9)
    assert vault.stake_limit(START + 9) == 0
    assert vault.stake("alice", ETHER, START + 10).integer == ETHER


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        (ConsensusFigures(START, 0, 0, 0), "ReferenceTimeOutOfOrder"),
        (ConsensusFigures(START + 3, 0, 0, 0), "ReferenceTimeOutOfOrder"),
        (ConsensusFigures(START + 1, 0, 0, 1), "DepositedAboveCounter"),
        (ConsensusFigures(START + 1, 0, 1, 0), "WithdrawnAboveReceived"),
        (ConsensusFigures(START + 1, 0, 0, 0, provision=1), "WithdrawnAboveReceived"),
    ],
)
def test_report_that_cannot_be_is_refused(figures, reason):
    with pytest.raises(Refused, match=reason):
        new_vault().report(figures, START + 2)


@given(
    pooled=st.integers(10**18, 10**25),
    vesting=st.integers(0, 10**22),
    supply=st.integers(10**18, 10**25),
    amount=st.integers(1, 10**24),
    later=st.integers(0, DAY),
)
def test_rounding_is_always_against_the_caller_and_below_one_wei(pooled, vesting, supply, amount, later):
    vault = new_vault()
    vault.pooled, vault.supply = Fraction(pooled), Fraction(supply)
    vault.vesting, vault.vesting_end = Fraction(min(vesting, pooled // 2)), START + DAY
    now = START + later
    for down in (vault.to_shares_down(amount, now), vault.to_assets_down(amount, now)):
        assert -1 < down.dust <= 0
    for up in (vault.to_shares_up(amount, now), vault.to_assets_up(amount, now)):
        assert 0 <= up.dust < 1
    there = vault.to_shares_down(amount, now).value
    assert vault.to_assets_down(there, now).value <= amount
    assert vault.to_assets_up(there, now).value <= amount
    twice = [vault.to_shares_down(part, now).value for part in (amount // 2, amount - amount // 2)]
    assert sum(twice) <= there  # splitting gains nothing


class TwoModels(RuleBasedStateMachine):
    """Every step in both models: the one that rounds and the one that does not."""

    def __init__(self):
        super().__init__()
        self.now = START
        self.vaults = [new_vault(Rounding.STATED), new_vault(Rounding.NONE)]
        self.queues = [QueueModel(v, QUEUE_TERMS) for v in self.vaults]
        self.paid_in = ETHER
        self.paid_out = [Fraction(0), Fraction(0)]
        self.gains = 0
        self.dust = Fraction(4, ETHER)
        self.rate = Fraction(1)
        self.loss_shared = False

    def check_rate(self, fell=False):
        rate = self.vaults[0].rate(self.now)
        assert rate >= self.rate or fell
        self.rate = rate

    @initialize(amount=st.integers(10**18, 10**23))
    def first(self, amount):
        self.stake("alice", amount)

    @rule(who=st.sampled_from(["alice", "bob", "cover", "bonds"]), amount=st.integers(10**15, 10**22))
    def stake(self, who, amount):
        assume(amount <= self.vaults[0].stake_limit(self.now))
        for vault in self.vaults:
            vault.stake(who, amount, self.now)
        self.paid_in += amount
        self.check_rate()

    @rule(part=st.fractions(Fraction(1, 1000), 1))
    def request(self, part):
        shares = int(min(v.balance_of("alice") for v in self.vaults) * part)
        assume(shares >= QUEUE_TERMS.min_request)
        for queue in self.queues:
            queue.request("alice", shares, "alice", self.now)
        self.check_rate()

    @rule(seconds=st.integers(1, 3 * DAY))
    def wait(self, seconds):
        self.now += seconds
        self.check_rate()

    @rule(change=st.integers(-(10**10), 10**9), rewards=st.integers(0, 10**17))
    def report(self, change, rewards):
        self.now += 1
        vault = self.vaults[0]
        assume(vault.profit + vault.deposited + change >= 0)
        balance = vault.profit + vault.deposited + change
        assume(-change * GWEI < vault.pooled // 2)
        figures = ConsensusFigures(self.now, balance, 0, vault.deposited, rewards=rewards)
        unvested = vault.unvested(self.now)
        self.check_rate()
        done = [v.report(figures, self.now) for v in self.vaults]
        self.gains += done[0].profit
        assert done[0].fee_assets <= max(0, done[0].profit) * Fraction(TERMS.fee, 10_000)
        loss = max(0, -done[0].profit)
        assert loss == sum(
            (
                done[0].covered_by_bonds,
                done[0].covered_by_unvested,
                done[0].covered_by_cover,
                done[0].shared,
            ),
            Fraction(0),
        )
        assert done[0].covered_by_unvested <= unvested
        self.check_rate(fell=done[0].shared > 0)

    @rule()
    def deposit(self):
        vault, queue = self.vaults[0], self.queues[0]
        free = min(
            v.buffer - v.to_assets_up(q.open_shares, self.now).value
            for v, q in zip(self.vaults, self.queues, strict=True)
        )
        amount = int(free) // GWEI
        assume(amount > 0)
        for vault, queue in zip(self.vaults, self.queues, strict=True):
            vault.deposit_to_beacon(amount, Fraction(queue.open_shares), self.now)

    @precondition(lambda self: self.queues[0].last_finalized_id < self.queues[0].last_request_id)
    @rule()
    def finalize(self):
        up_to = min(q.finalizable(self.now) for q in self.queues)
        assume(up_to)
        for n, queue in enumerate(self.queues):
            first = queue.last_finalized_id + 1
            outcome = queue.finalize(up_to, self.now)
            claims = sum((queue.claimable(i).value for i in range(first, up_to + 1)), Fraction(0))
            assert 0 <= outcome.value - claims < (up_to - first + 1 if n == 0 else 1)
        self.check_rate()

    @rule(data=st.data())
    def claim(self, data):
        ids = [n for n in range(1, self.queues[0].last_finalized_id + 1) if not self.queues[0].request_of(n).claimed]
        assume(ids)
        chosen = data.draw(st.sampled_from(ids))
        for n, queue in enumerate(self.queues):
            self.paid_out[n] += queue.claim(chosen).value

    @invariant()
    def ether_is_conserved(self):
        for vault, queue, out in zip(self.vaults, self.queues, self.paid_out, strict=True):
            assert vault.pooled + queue.locked + out == self.paid_in + self.gains

    @invariant()
    def shares_add_up(self):
        for vault, queue in zip(self.vaults, self.queues, strict=True):
            assert sum(vault.balances.values(), Fraction(0)) == vault.supply
            assert vault.balance_of(ESCROW) == queue.open_shares
            assert vault.buffer >= 0

    @invariant()
    def rounding_stays_dust(self):
        """A step's roundings weigh as much as four wei of the pool or of the supply as it was."""
        ours, ideal = (v.rate(self.now) for v in self.vaults)
        assert abs(ours - ideal) <= ideal * self.dust
        self.dust += Fraction(4) / min(min(v.supply, v.total(self.now)) for v in self.vaults)


TwoModels.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
test_two_models_agree_but_for_dust = TwoModels.TestCase
