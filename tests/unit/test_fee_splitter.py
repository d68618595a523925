"""FeeSplitter: every wei that arrives is booked for somebody, and paid once."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.in_process import Process
from tests.reverts import reverts
from tests.small_core import ETHER, ZERO, SmallCore

OPERATORS, REFERRERS = 0, 1
SPLIT = {"treasury": 5_000, "operators": 3_000, "cover": 1_500, "referrers": 500}
MAX_WEIGHT = 2**96 - 1


def parts(treasury: int, operators: int, cover: int, referrers: int) -> dict[str, int]:
    return {"treasury": treasury, "operators": operators, "cover": cover, "referrers": referrers}


@pytest.fixture(scope="module")
def governance(accounts):
    return accounts[0]


@pytest.fixture(scope="module")
def treasury(accounts):
    return accounts[1]


@pytest.fixture(scope="module")
def stranger(accounts):
    return accounts[2]


@pytest.fixture(scope="module")
def operator(accounts):
    return accounts[3]


@pytest.fixture(scope="module")
def other_operator(accounts):
    return accounts[4]


@pytest.fixture(scope="module")
def referrer(accounts):
    return accounts[5]


@pytest.fixture(scope="module")
def core(project, governance, treasury, stranger):
    core = SmallCore.deploy(project, governance, treasury)
    core.stake(stranger, 1_000 * ETHER)
    return core


@pytest.fixture(scope="module")
def cover(project, governance, core):
    return governance.deploy(project.CoverFund, core.manager, core.token, core.vault)


@pytest.fixture(scope="module")
def splitter(project, governance, core, treasury, cover):
    return governance.deploy(project.FeeSplitter, core.manager, core.token, treasury, cover, SPLIT)


@pytest.fixture
def give(core, splitter, stranger):
    """slETH that arrives by a plain transfer, as anybody's does."""
    return lambda shares: core.token.transfer(splitter, shares, sender=stranger)


@pytest.fixture
def with_members(splitter, governance, operator, other_operator, referrer):
    splitter.setWeight(OPERATORS, operator, 1, sender=governance)
    splitter.setWeight(OPERATORS, other_operator, 2, sender=governance)
    splitter.setWeight(REFERRERS, referrer, 7, sender=governance)


# --- Deployment ---


def test_deployment_records_its_parameters(splitter, core, treasury, cover):
    assert splitter.token() == core.token
    assert splitter.treasury() == treasury
    assert splitter.cover() == cover
    assert splitter.split() == (5_000, 3_000, 1_500, 500)
    assert splitter.authority() == core.manager


@pytest.mark.parametrize("treasury_part", [4_999, 5_001])
def test_deployment_reverts_where_the_split_is_not_the_whole(
    project, governance, core, treasury, splitter, treasury_part
):
    with reverts(splitter.SplitSumInvalid, sum=treasury_part + 5_000, expected=10_000):
        governance.deploy(
            project.FeeSplitter, core.manager, core.token, treasury, ZERO, SPLIT | {"treasury": treasury_part}
        )


def test_deployment_reverts_without_a_treasury(project, governance, core, splitter):
    with reverts(splitter.AddressMissing):
        governance.deploy(project.FeeSplitter, core.manager, core.token, ZERO, ZERO, SPLIT)


# --- distribute ---


def test_distribute_splits_what_arrived_by_basis_points(splitter, give, with_members, stranger):
    give(1_000_000)
    assert splitter.distributable() == 1_000_000
    tx = splitter.distribute(sender=stranger)
    assert tx.return_value == 1_000_000
    assert tx.events == [splitter.Distributed(**parts(500_000, 300_000, 150_000, 50_000))]
    assert splitter.booked() == 1_000_000
    assert splitter.distributable() == 0
    assert splitter.treasuryOwed() == 500_000
    assert splitter.coverOwed() == 150_000


@pytest.mark.parametrize(
    ("arrived", "booked"), [(10_000, 10_000), (10_001, 10_000), (19_999, 10_000), (20_000, 20_000)]
)
def test_distribute_leaves_what_does_not_divide_for_the_next_time(
    splitter, give, with_members, stranger, arrived, booked
):
    give(arrived)
    splitter.distribute(sender=stranger)
    assert splitter.booked() == booked
    give(10_000 - (arrived - booked))  # fills up what was left
    tx = splitter.distribute(sender=stranger)
    assert tx.events == [splitter.Distributed(**parts(5_000, 3_000, 1_500, 500))]
    assert splitter.booked() == booked + 10_000


@pytest.mark.parametrize("arrived", [0, 1, 9_999])
def test_distribute_of_less_than_ten_thousand_wei_does_nothing(splitter, give, stranger, arrived):
    give(arrived)
    assert splitter.distributable() == 0
    tx = splitter.distribute(sender=stranger)
    assert tx.return_value == 0
    assert tx.events == []
    assert splitter.booked() == 0


def test_distribute_in_small_steps_gives_everybody_the_same(splitter, give, with_members, stranger, chain):
    """Whoever calls it however often cannot move a wei from one part to another."""
    before = chain.snapshot()
    give(123_456_789)
    splitter.distribute(sender=stranger)
    at_once = (splitter.treasuryOwed(), splitter.coverOwed(), splitter.booked())
    chain.restore(before)
    for step in (1, 9_999, 12_345, 99_999, 123_456_789 - 122_344):
        give(step)
        splitter.distribute(sender=stranger)
    assert (splitter.treasuryOwed(), splitter.coverOwed(), splitter.booked()) == at_once
    assert at_once == (12_345 * 5_000, 12_345 * 1_500, 123_450_000)


def test_distribute_gives_the_part_of_an_empty_group_to_the_treasury(splitter, give, stranger):
    give(1_000_000)
    tx = splitter.distribute(sender=stranger)
    assert tx.events == [splitter.Distributed(**parts(850_000, 0, 150_000, 0))]


def test_distribute_gives_the_cover_part_to_the_treasury_where_there_is_no_cover(
    splitter, give, with_members, governance, stranger
):
    splitter.setCover(ZERO, sender=governance)
    give(1_000_000)
    tx = splitter.distribute(sender=stranger)
    assert tx.events == [splitter.Distributed(**parts(650_000, 300_000, 0, 50_000))]
    assert splitter.coverOwed() == 0


def test_distribute_books_a_fee_that_the_vault_mints(core, splitter, governance, with_members, stranger):
    core.vault.setFee(splitter, 1_000, sender=governance)
    before = core.supply
    core.earn(7 * ETHER)
    minted = core.supply - before
    assert core.token.balanceOf(splitter) == minted
    assert minted == 7 * ETHER // 10  # at the rate before the report, which was 1
    tx = splitter.distribute(sender=stranger)
    unit = minted // 10_000
    assert tx.events == [splitter.Distributed(**{name: unit * bps for name, bps in SPLIT.items()})]


# --- claim ---


def test_claim_pays_each_member_by_weight(core, splitter, give, with_members, stranger, operator, other_operator):
    give(1_000_000)
    splitter.distribute(sender=stranger)
    assert splitter.claimable(OPERATORS, operator) == 100_000
    assert splitter.claimable(OPERATORS, other_operator) == 200_000
    assert splitter.claimable(REFERRERS, operator) == 0

    tx = splitter.claim(OPERATORS, other_operator, sender=stranger)  # anybody may call, the account is paid
    assert tx.return_value == 200_000
    assert tx.events == [
        splitter.Claimed(group=OPERATORS, account=other_operator, shares=200_000),
        core.token.Transfer(**{"from": splitter, "to": other_operator, "value": 200_000}),
    ]
    assert core.token.balanceOf(other_operator) == 200_000
    assert splitter.booked() == 800_000
    assert splitter.claimable(OPERATORS, other_operator) == 0
    assert splitter.claimable(OPERATORS, operator) == 100_000


def test_claim_a_second_time_pays_nothing(core, splitter, give, with_members, stranger, operator):
    give(1_000_000)
    splitter.distribute(sender=stranger)
    splitter.claim(OPERATORS, operator, sender=operator)
    tx = splitter.claim(OPERATORS, operator, sender=operator)
    assert tx.return_value == 0
    assert tx.events == []
    assert core.token.balanceOf(operator) == 100_000


def test_claim_of_somebody_unknown_pays_nothing(core, splitter, give, with_members, stranger):
    give(1_000_000)
    splitter.distribute(sender=stranger)
    held = core.token.balanceOf(stranger)
    tx = splitter.claim(REFERRERS, stranger, sender=stranger)
    assert tx.return_value == 0
    assert tx.events == []
    assert core.token.balanceOf(stranger) == held


def test_claim_pays_only_what_is_booked(splitter, give, with_members, operator):
    """What has arrived counts from `distribute` on."""
    give(1_000_000)
    assert splitter.claim(OPERATORS, operator, sender=operator).return_value == 0


def test_claim_carries_fractions_of_a_wei(splitter, give, governance, accounts, stranger):
    """3,000 wei a time among three members of weight 1 and one of 4: 428 4/7 each, whole after seven times."""
    members = accounts[6:9]
    for member in members:
        splitter.setWeight(OPERATORS, member, 1, sender=governance)
    splitter.setWeight(OPERATORS, accounts[9], 4, sender=governance)
    paid = 0
    for times in range(1, 8):
        give(10_000)
        splitter.distribute(sender=stranger)
        paid += splitter.claim(OPERATORS, members[0], sender=stranger).return_value
        # the last fraction waits in the carry of the group until the sum divides
        assert 0 <= Fraction(3_000 * times, 7) - paid <= 1
    assert paid == 3_000
    assert splitter.claimable(OPERATORS, members[1]) == 3_000
    assert splitter.claimable(OPERATORS, accounts[9]) == 12_000


def test_claim_with_an_unknown_group_reverts(splitter, stranger):
    with reverts(b""):
        splitter.claim(2, stranger, sender=stranger)


# --- claimTreasury, claimCover ---


def test_claim_treasury_pays_the_treasury(core, splitter, give, treasury, stranger):
    give(1_000_000)
    splitter.distribute(sender=stranger)
    held = core.token.balanceOf(treasury)
    tx = splitter.claimTreasury(sender=stranger)
    assert tx.return_value == 850_000
    assert tx.events == [
        splitter.TreasuryPaid(treasury=treasury, shares=850_000),
        core.token.Transfer(**{"from": splitter, "to": treasury, "value": 850_000}),
    ]
    assert core.token.balanceOf(treasury) - held == 850_000
    assert splitter.treasuryOwed() == 0
    assert splitter.booked() == 150_000
    tx = splitter.claimTreasury(sender=stranger)
    assert (tx.return_value, tx.events) == (0, [])


def test_claim_cover_pays_the_cover_fund(core, splitter, give, cover, stranger):
    give(1_000_000)
    splitter.distribute(sender=stranger)
    tx = splitter.claimCover(sender=stranger)
    assert tx.return_value == 150_000
    assert tx.events == [
        splitter.CoverPaid(cover=cover, shares=150_000),
        core.token.Transfer(**{"from": splitter, "to": cover, "value": 150_000}),
    ]
    assert core.token.balanceOf(cover) == 150_000
    assert splitter.coverOwed() == 0
    assert splitter.booked() == 850_000
    tx = splitter.claimCover(sender=stranger)
    assert (tx.return_value, tx.events) == (0, [])


def test_claim_cover_waits_while_there_is_none(core, splitter, give, cover, governance, stranger):
    give(1_000_000)
    splitter.distribute(sender=stranger)
    splitter.setCover(ZERO, sender=governance)
    with reverts(splitter.AddressMissing):
        splitter.claimCover(sender=stranger)
    splitter.setCover(cover, sender=governance)
    splitter.claimCover(sender=stranger)
    assert core.token.balanceOf(cover) == 150_000


# --- setWeight ---


def test_set_weight_counts_what_arrived_before_by_the_old_weights(
    splitter, give, with_members, governance, operator, other_operator
):
    """A9: settle before change. The fee was there first, though nobody had booked it."""
    give(1_000_000)
    tx = splitter.setWeight(OPERATORS, operator, 100, sender=governance)
    assert tx.events == [
        splitter.Distributed(**parts(500_000, 300_000, 150_000, 50_000)),
        splitter.WeightChanged(group=OPERATORS, account=operator, oldWeight=1, weight=100),
    ]
    assert splitter.claimable(OPERATORS, operator) == 100_000
    assert splitter.claimable(OPERATORS, other_operator) == 200_000
    assert splitter.totalWeight(OPERATORS) == 102
    assert splitter.weightOf(OPERATORS, operator) == 100


def test_set_weight_gives_a_newcomer_nothing_of_before(splitter, give, with_members, governance, accounts, stranger):
    newcomer = accounts[6]
    give(1_000_000)
    splitter.setWeight(OPERATORS, newcomer, 3, sender=governance)
    assert splitter.claimable(OPERATORS, newcomer) == 0
    give(1_000_000)
    splitter.distribute(sender=stranger)
    assert splitter.claimable(OPERATORS, newcomer) == 150_000


def test_set_weight_to_zero_keeps_what_is_owed(splitter, give, with_members, governance, operator, stranger):
    give(1_000_000)
    splitter.setWeight(OPERATORS, operator, 0, sender=governance)
    give(1_000_000)
    splitter.distribute(sender=stranger)
    assert splitter.totalWeight(OPERATORS) == 2
    assert splitter.claimable(OPERATORS, operator) == 100_000
    assert splitter.claim(OPERATORS, operator, sender=stranger).return_value == 100_000


def test_set_weight_keeps_groups_apart(splitter, governance, operator):
    splitter.setWeight(OPERATORS, operator, 5, sender=governance)
    splitter.setWeight(REFERRERS, operator, 9, sender=governance)
    assert splitter.weightOf(OPERATORS, operator) == splitter.totalWeight(OPERATORS) == 5
    assert splitter.weightOf(REFERRERS, operator) == splitter.totalWeight(REFERRERS) == 9


def test_set_weight_accepts_the_maximum(splitter, give, governance, operator, other_operator, stranger):
    """A8: the largest weights and all slETH there is overflow nothing."""
    splitter.setWeight(OPERATORS, operator, MAX_WEIGHT, sender=governance)
    splitter.setWeight(OPERATORS, other_operator, MAX_WEIGHT, sender=governance)
    give(900 * ETHER)
    splitter.distribute(sender=stranger)
    # each distribution keeps at most `totalWeight` of 1e-27 wei in the carry
    half = 135 * ETHER
    assert half - 2 * MAX_WEIGHT // 10**27 <= splitter.claimable(OPERATORS, operator) <= half
    splitter.setWeight(OPERATORS, operator, 0, sender=governance)
    splitter.setWeight(OPERATORS, other_operator, 0, sender=governance)
    assert splitter.totalWeight(OPERATORS) == 0


def test_set_weight_reverts_above_the_maximum(splitter, governance, operator):
    with reverts(splitter.WeightAboveMaximum, weight=2**96, maximum=MAX_WEIGHT):
        splitter.setWeight(OPERATORS, operator, 2**96, sender=governance)


def test_set_weight_reverts_without_an_account(splitter, governance):
    with reverts(splitter.AddressMissing):
        splitter.setWeight(OPERATORS, ZERO, 1, sender=governance)


def test_set_weight_can_be_given_to_a_role(core, splitter, governance, operator, stranger):
    """The operator registry is to hold it, and nothing else here."""
    selector = keccak(text=splitter.contract_type.methods["setWeight"].selector)[:4]
    core.manager.setTargetFunctionRole(splitter, [selector], 42, sender=governance)
    core.manager.grantRole(42, stranger, 0, sender=governance)
    splitter.setWeight(OPERATORS, operator, 5, sender=stranger)
    assert splitter.weightOf(OPERATORS, operator) == 5
    with reverts(splitter.AccessManagedUnauthorized, caller=stranger):
        splitter.setSplit(SPLIT, sender=stranger)


# --- setSplit, setTreasury, setCover ---


def test_set_split_counts_what_arrived_before_by_the_old_one(splitter, give, with_members, governance, stranger):
    give(1_000_000)
    tx = splitter.setSplit(parts(10_000, 0, 0, 0), sender=governance)
    booked, changed = tx.events
    assert booked == splitter.Distributed(**parts(500_000, 300_000, 150_000, 50_000))
    assert changed.event_name == "SplitChanged"  # ape cannot build an event with a struct to compare with
    assert tuple(changed.oldSplit) == (5_000, 3_000, 1_500, 500)
    assert tuple(changed.split) == (10_000, 0, 0, 0)
    give(1_000_000)
    tx = splitter.distribute(sender=stranger)
    assert tx.events == [splitter.Distributed(**parts(1_000_000, 0, 0, 0))]


@pytest.mark.parametrize("wrong", [parts(10_000, 1, 0, 0), parts(0, 0, 0, 0), parts(65_535, 65_535, 65_535, 65_535)])
def test_set_split_reverts_where_it_is_not_the_whole(splitter, governance, wrong):
    with reverts(splitter.SplitSumInvalid, sum=sum(wrong.values()), expected=10_000):
        splitter.setSplit(wrong, sender=governance)


def test_set_treasury_moves_what_is_booked_to_the_new_one(
    core, splitter, give, governance, treasury, accounts, stranger
):
    give(1_000_000)
    splitter.distribute(sender=stranger)
    tx = splitter.setTreasury(accounts[7], sender=governance)
    assert tx.events == [splitter.TreasuryChanged(oldTreasury=treasury, treasury=accounts[7])]
    splitter.claimTreasury(sender=stranger)
    assert core.token.balanceOf(accounts[7]) == 850_000


def test_set_treasury_reverts_for_nobody(splitter, governance):
    with reverts(splitter.AddressMissing):
        splitter.setTreasury(ZERO, sender=governance)


def test_set_cover_counts_what_arrived_before_for_the_old_terms(splitter, give, with_members, governance, cover):
    give(1_000_000)
    tx = splitter.setCover(ZERO, sender=governance)
    assert tx.events == [
        splitter.Distributed(**parts(500_000, 300_000, 150_000, 50_000)),
        splitter.CoverChanged(oldCover=cover, cover=ZERO),
    ]
    assert splitter.coverOwed() == 150_000


def test_every_setter_refuses_a_stranger(splitter, stranger):
    calls: list[Any] = [
        lambda: splitter.setWeight(OPERATORS, stranger, 1, sender=stranger),
        lambda: splitter.setSplit(SPLIT, sender=stranger),
        lambda: splitter.setTreasury(stranger, sender=stranger),
        lambda: splitter.setCover(stranger, sender=stranger),
    ]
    for call in calls:
        with reverts(splitter.AccessManagedUnauthorized, caller=stranger):
            call()


# --- Sums ---

MEMBERS = 4
WEIGHTS = st.one_of(st.integers(0, 5), st.integers(0, 10**6), st.integers(0, 10**24))
STEPS = st.one_of(
    st.tuples(st.just("give"), st.one_of(st.integers(0, 30_000), st.integers(0, 10**24))),
    st.tuples(st.just("distribute")),
    st.tuples(st.just("claim"), st.integers(0, 1), st.integers(0, MEMBERS - 1)),
    st.tuples(st.just("weigh"), st.integers(0, 1), st.integers(0, MEMBERS - 1), WEIGHTS),
    st.tuples(st.just("split"), st.tuples(*[st.integers(0, 3_333)] * 3)),
    st.tuples(st.just("claimTreasury")),
    st.tuples(st.just("claimCover")),
)


class ExactSplitter:
    """The promise in fractions: a part belongs to members by weight, to the treasury where there are none."""

    def __init__(self) -> None:
        self.split = dict(SPLIT)
        self.waiting = 0
        self.treasury = self.cover = 0
        self.weights = [[0] * MEMBERS, [0] * MEMBERS]
        self.owed = [[Fraction(0)] * MEMBERS, [Fraction(0)] * MEMBERS]
        self.slack = Fraction(0)  # what a carry may keep back, wei

    def distribute(self) -> None:
        unit, self.waiting = divmod(self.waiting, 10_000)
        if unit == 0:
            return
        self.treasury += unit * self.split["treasury"]
        self.cover += unit * self.split["cover"]
        for group, name in enumerate(("operators", "referrers")):
            part, weights = unit * self.split[name], self.weights[group]
            if not any(weights):
                self.treasury += part
                continue
            self.slack += Fraction(sum(weights), 10**27)
            for member, weight in enumerate(weights):
                self.owed[group][member] += Fraction(part * weight, sum(weights))


@pytest.fixture(scope="module")
def in_process(project):
    """The contract in an EVM of its own, with slETH that this test mints as the vault would."""
    process = Process()
    admin, treasury, cover = (process.account(i) for i in range(3))
    manager = admin.deploy(project.ProtocolAccessManager, admin)
    token = admin.deploy(project.StakedEther, admin, ZERO)
    splitter = admin.deploy(project.FeeSplitter, manager, token, treasury, cover, SPLIT)
    return process, admin, token, splitter, [process.account(10 + i) for i in range(MEMBERS)]


@settings(max_examples=400, deadline=None)
@given(steps=st.lists(STEPS, max_size=40))
def test_sums_are_exact_whatever_happens(in_process, steps):
    """Held by any sequence: nothing is lost, nothing is paid twice, each is owed its exact share less the carry.

    booked = owed to treasury and cover + owed to members + carry;  balance = booked + what waits (below 10,000 wei once
    distributed);  arrived = balance + paid.
    """
    process, admin, token, splitter, members = in_process
    start = process.evm.snapshot()
    try:
        model, arrived, paid = ExactSplitter(), 0, 0
        for name, *args in [*steps, ("distribute",)]:
            if name == "give":
                token.mint(splitter, args[0], sender=admin)
                arrived += args[0]
                model.waiting += args[0]
            elif name == "distribute":
                splitter.distribute(sender=admin)
                model.distribute()
            elif name == "claim":
                group, member = args
                got = splitter.claim(group, members[member], sender=admin)
                model.owed[group][member] -= got
                paid += got
            elif name == "weigh":
                group, member, weight = args
                splitter.setWeight(group, members[member], weight, sender=admin)
                model.distribute()
                model.weights[group][member] = weight
            elif name == "split":
                operators, cover, referrers = args[0]
                model.distribute()
                model.split = parts(10_000 - operators - cover - referrers, operators, cover, referrers)
                splitter.setSplit(model.split, sender=admin)
            elif name == "claimTreasury":
                got = splitter.claimTreasury(sender=admin)
                assert got == model.treasury
                model.treasury, paid = 0, paid + got
            else:
                got = splitter.claimCover(sender=admin)
                assert got == model.cover
                model.cover, paid = 0, paid + got

            booked, balance = splitter.booked(), token.balanceOf(splitter)
            assert balance + paid == arrived
            assert balance - booked == model.waiting
            assert splitter.treasuryOwed() == model.treasury
            assert splitter.coverOwed() == model.cover

        assert model.waiting < 10_000
        claimable = 0
        for group in range(2):
            for member in range(MEMBERS):
                exact, got = model.owed[group][member], splitter.claimable(group, members[member])
                assert exact - 1 - model.slack <= got <= exact + model.slack
                claimable += got
        # every member keeps less than a wei of fraction back, the two groups at most their carry
        rest = splitter.booked() - claimable - model.treasury - model.cover
        assert 0 <= rest < 2 * MEMBERS + 1 + model.slack
    finally:
        process.evm.revert(start)
