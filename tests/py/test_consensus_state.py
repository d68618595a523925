"""The stand-in's consensus state: what it owes the specs, and that it neither makes nor loses a gwei."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sluice.chain.interface import FAR_FUTURE, ChainSpec, Status
from sluice.chain.passing import LUCK, LUCKY, tips_of
from sluice.chain.state import BeaconState, ConsensusError, Rules, Withdrawal

SPEC = ChainSpec(genesis_time=1_700_000_000)
RULES = Rules(spread=0)
ETHER = 10**9  # gwei
OURS = b"\x02" + bytes(11) + b"\xaa" * 20
PLAIN = b"\x01" + bytes(11) + b"\xbb" * 20
OTHERS = b"\x02" + bytes(11) + b"\xcc" * 20
GATEWAY = "0x" + "aa" * 20
YEAR = SPEC.epochs_per_year


def key(n: int) -> bytes:
    return bytes([n]) * 48


def slot_of(epoch: int) -> int:
    return epoch * 32


def with_validators(*balances: int, rules: Rules = RULES, credentials: bytes = OURS) -> BeaconState:
    """Active since epoch 7."""
    state = BeaconState(SPEC, rules)
    for n, balance in enumerate(balances):
        state.deposit(key(n), credentials, balance)
    state.advance(slot_of(7))
    return state


def test_deposit_waits_then_becomes_a_validator_that_waits():
    state = BeaconState(SPEC, RULES)
    state.deposit(key(1), OURS, 32 * ETHER)
    assert (state.waiting, state.balances) == (32 * ETHER, 0)
    state.advance(slot_of(2))
    assert (state.waiting, state.balances) == (0, 32 * ETHER)
    assert [v.status for v in state.infos()] == [Status.PENDING]
    state.advance(slot_of(7))
    assert [v.status for v in state.infos()] == [Status.ACTIVE]
    assert state.rewards == 0
    state.advance(slot_of(8))
    assert state.rewards == 32 * ETHER * 30_000 // (10**6 * YEAR)


def test_rewards_of_a_year_are_the_rate():
    # the effective balance grows with whole ether, so a little less than compounding, more than simple interest
    state = with_validators(1_000 * ETHER)
    state.advance(slot_of(7 + YEAR))
    assert 30 * ETHER < state.rewards < 30.46 * ETHER
    plain = with_validators(32 * ETHER, credentials=PLAIN)
    plain.advance(slot_of(7 + YEAR))
    assert plain.rewards == 32 * ETHER * 3 // 100


def test_rates_differ_between_validators_within_the_spread():
    rules = Rules(spread=200_000)
    rates = {rules.rate_of(key(n)) for n in range(100)}
    assert len(rates) > 90
    assert all(24_000 <= rate <= 36_000 for rate in rates)
    assert rates != {replace(rules, seed=2).rate_of(key(n)) for n in range(100)}


def test_less_than_32_ether_earns_nothing_until_topped_up():
    state = with_validators(31 * ETHER)
    state.advance(slot_of(1_000))
    assert state.rewards == 0
    assert state.find(key(0)).activation == FAR_FUTURE
    state.deposit(key(0), OTHERS, 1 * ETHER)
    state.advance(slot_of(2_000))
    assert state.rewards > 0


def test_who_deposits_first_decides_the_credentials():
    state = BeaconState(SPEC, RULES)
    state.deposit(key(1), OTHERS, 1 * ETHER)
    state.deposit(key(1), OURS, 31 * ETHER)
    snapshot = state.snapshot(bytes(32), bytes(32))
    assert (snapshot.view(OURS).balance, snapshot.view(OTHERS).balance) == (0, 32 * ETHER)
    state.advance(slot_of(3))
    snapshot = state.snapshot(bytes(32), bytes(32))
    assert (snapshot.view(OURS).balance, snapshot.view(OTHERS).balance) == (0, 32 * ETHER)
    assert (snapshot.view(OURS).validators, snapshot.view(OTHERS).validators) == (0, 1)


def test_exit_stops_earning_and_pays_all_when_withdrawable():
    state = with_validators(32 * ETHER)
    state.exit(key(0))
    assert state.infos()[0].status == Status.EXITING
    state.advance(slot_of(7 + 5))
    earned = state.rewards
    assert state.infos()[0].status == Status.EXITED
    state.advance(slot_of(7 + 5 + 255))
    assert state.sweep() == []
    state.advance(slot_of(7 + 5 + 256))
    assert state.infos()[0].status == Status.WITHDRAWABLE
    assert state.sweep() == [Withdrawal(0, GATEWAY, 32 * ETHER + earned)]
    assert state.sweep() == []
    assert state.infos()[0].status == Status.WITHDRAWN
    assert state.rewards == earned == 32 * ETHER * 30_000 * 5 // (10**6 * YEAR)


def test_gift_to_a_validator_that_has_left_is_paid_out():
    state = with_validators(32 * ETHER)
    state.exit(key(0))
    state.advance(slot_of(300))
    state.sweep()
    state.deposit(key(0), OTHERS, 5 * ETHER)
    state.advance(slot_of(303))
    assert state.sweep() == [Withdrawal(0, GATEWAY, 5 * ETHER)]
    view = state.snapshot(bytes(32), bytes(32)).view(OURS)
    assert view.deposits == 37 * ETHER
    assert view.withdrawn == 37 * ETHER + state.rewards


def test_what_is_above_the_largest_balance_is_swept():
    state = with_validators(32 * ETHER, credentials=PLAIN)
    state.advance(slot_of(500))
    assert state.sweep() == [Withdrawal(0, "0x" + "bb" * 20, state.rewards)]
    large = with_validators(2_048 * ETHER)
    large.advance(slot_of(500))
    assert large.sweep() == [Withdrawal(0, GATEWAY, large.rewards)]
    small = with_validators(2_047 * ETHER)
    small.advance(slot_of(500))
    assert small.sweep() == []


def test_partial_withdrawal_is_paid_after_its_delay_and_leaves_32_ether():
    state = with_validators(100 * ETHER)
    with pytest.raises(ConsensusError, match="has 68000000000 gwei to withdraw"):
        state.withdraw(key(0), 68 * ETHER + 1)
    state.withdraw(key(0), 60 * ETHER)
    with pytest.raises(ConsensusError, match="has 8000000000 gwei"):
        state.withdraw(key(0), 9 * ETHER)
    state.advance(slot_of(7 + 260))
    assert state.sweep() == []
    state.advance(slot_of(7 + 261))
    assert state.sweep() == [Withdrawal(0, GATEWAY, 60 * ETHER)]
    assert state.sweep() == []


def test_slashing_costs_now_and_later_and_forces_the_exit():
    state = with_validators(2_048 * ETHER, 32 * ETHER)
    state.slash(key(0), later_penalty=100 * ETHER)
    assert state.penalties == ETHER // 2  # a 4096th
    assert state.snapshot(bytes(32), bytes(32)).view(OURS).provision == 100 * ETHER
    state.advance(slot_of(7 + 4_095))
    assert state.snapshot(bytes(32), bytes(32)).view(OURS).provision == 100 * ETHER
    state.advance(slot_of(7 + 4_096))
    view = state.snapshot(bytes(32), bytes(32)).view(OURS)
    assert (view.provision, state.penalties) == (0, 100 * ETHER + ETHER // 2)
    assert state.sweep() == []
    state.advance(slot_of(7 + 8_192))
    assert state.sweep() == [Withdrawal(0, GATEWAY, 2_048 * ETHER - 100 * ETHER - ETHER // 2)]
    with pytest.raises(ConsensusError, match="cannot be slashed"):
        state.slash(key(0))


def test_later_penalty_grows_with_what_is_slashed_together():
    rules = replace(RULES, total_active=1_000 * ETHER)
    state = with_validators(100 * ETHER, 100 * ETHER, rules=rules)
    state.slash(key(0))
    state.slash(key(1))
    assert [v.later_penalty for v in state.registry] == [30 * ETHER, 60 * ETHER]


def test_penalty_never_takes_more_than_there_is():
    state = with_validators(32 * ETHER)
    state.slash(key(0), later_penalty=100 * ETHER)
    assert state.snapshot(bytes(32), bytes(32)).view(OURS).provision == state.balances
    state.advance(slot_of(7 + 4_096))
    assert state.balances == 0
    assert state.penalties == 32 * ETHER


@pytest.mark.parametrize("attempt", ["exit", "slash"])
def test_validator_that_was_never_active_cannot_leave(attempt):
    state = with_validators(31 * ETHER)
    with pytest.raises(ConsensusError, match="validator 0"):
        getattr(state, attempt)(key(0))


def test_snapshot_does_not_move_with_the_state():
    state = with_validators(32 * ETHER)
    snapshot = state.snapshot(bytes(32), bytes(32))
    before = (snapshot.root(), snapshot.view(OURS))
    state.deposit(key(1), OURS, 32 * ETHER)
    state.slash(key(0))
    state.advance(slot_of(1_000))
    assert (snapshot.root(), snapshot.view(OURS)) == before


def test_root_commits_to_state_slot_and_past():
    state = with_validators(32 * ETHER)
    base = state.snapshot(bytes(32), bytes(32))
    roots = [base.root()]
    roots.append(state.snapshot(b"\1" * 32, bytes(32)).root())
    roots.append(state.snapshot(bytes(32), b"\1" * 32).root())
    roots.append(replace(base, slot=base.slot + 1).root())
    state.slash(key(0))
    roots.append(state.snapshot(bytes(32), bytes(32)).root())
    assert len(set(roots)) == len(roots)


def test_tips_are_the_same_for_the_same_seed_and_near_their_rate():
    days = [tips_of(7, day, 1_000 * ETHER, 86_400, 10_000) for day in range(365)]
    assert days == [tips_of(7, day, 1_000 * ETHER, 86_400, 10_000) for day in range(365)]
    assert 0.7 < sum(days) / (10 * 10**18) < 1.3  # 1% of 1,000 ether
    assert max(days) > 3 * sorted(days)[182]
    assert 1 < LUCK < LUCKY


STEPS = st.lists(st.integers(1, 4_000), min_size=1, max_size=12)


@given(STEPS, st.lists(st.integers(1, 3_000), min_size=1, max_size=6))
def test_time_cut_into_steps_gives_the_same(steps, balances):
    rules = Rules(seed=3)
    states = [BeaconState(SPEC, rules) for _ in range(2)]
    for state in states:
        for n, balance in enumerate(balances):
            state.deposit(key(n), OURS, balance * ETHER)
        state.advance(slot_of(8))
        if balances[0] >= 32:
            state.slash(key(0), later_penalty=ETHER)
    for step in steps:
        states[0].advance(states[0].slot + step)
    states[1].advance(states[0].slot)
    assert states[0].registry == states[1].registry
    assert states[0].rewards == states[1].rewards


class Conservation(RuleBasedStateMachine):
    """Whatever happens: issued and deposited is what is held, burnt and paid."""

    def __init__(self):
        super().__init__()
        self.state = BeaconState(SPEC, Rules(withdrawable_epochs=4, seed=5))
        self.paid = 0

    @rule(
        n=st.integers(0, 5),
        amount=st.integers(10**9, 3_000 * 10**9),
        credentials=st.sampled_from([OURS, PLAIN, OTHERS, b"\0" + bytes(31)]),
    )
    def deposit(self, n, amount, credentials):
        self.state.deposit(key(n), credentials, amount)

    @rule(slots=st.integers(1, 200_000))
    def advance(self, slots):
        self.state.advance(self.state.slot + slots)

    @rule(n=st.integers(0, 5), later=st.none() | st.integers(0, 10**13))
    def slash(self, n, later):
        self.attempt(self.state.slash, key(n), later)

    @rule(n=st.integers(0, 5))
    def exit(self, n):
        self.attempt(self.state.exit, key(n))

    @rule(n=st.integers(0, 5), amount=st.integers(0, 10**12))
    def withdraw(self, n, amount):
        self.attempt(self.state.withdraw, key(n), amount)

    @rule()
    def sweep(self):
        self.paid += sum(w.amount for w in self.state.sweep())

    def attempt(self, function, *args):
        before = self.figures()
        try:
            function(*args)
        except ConsensusError:
            assert self.figures() == before

    def figures(self):
        s = self.state
        return (s.deposited, s.rewards, s.penalties, s.paid, s.balances, s.waiting, tuple(s.registry))

    @invariant()
    def nothing_is_made_or_lost(self):
        s = self.state
        assert s.deposited + s.rewards == s.balances + s.waiting + s.penalties + s.paid
        assert s.paid == self.paid
        assert all(v.balance >= 0 for v in s.registry)

    @invariant()
    def views_add_up(self):
        snapshot = self.state.snapshot(bytes(32), bytes(32))
        credentials = {v.credentials for v in self.state.registry} | {p.credentials for p in self.state.pending}
        views = [snapshot.view(c) for c in credentials]
        assert sum(v.balance for v in views) == self.state.balances + self.state.waiting
        assert sum(v.deposits for v in views) == self.state.deposited
        assert sum(v.validators for v in views) == len(self.state.registry)


Conservation.TestCase.settings = settings(
    max_examples=50, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
test_consensus_state_conserves_ether = Conservation.TestCase
