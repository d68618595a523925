"""What a keeper decides, by hand and for anything there may be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.beacon.answers import Validator, ValidatorRecord
from sluice.keeper.daemon import ABANDONED, FAR_FUTURE, PREPARED, PROVEN, Entry, coming_from, proof_due, working
from sluice.keeper.plans import (
    HEALTHY,
    MAX_BATCH,
    MAX_STAKE,
    MIN_ACTIVE,
    MIN_DEPOSIT,
    STALE,
    Rate,
    Working,
    is_limit_far,
    is_news,
    plan_exits,
    plan_top_ups,
)
from sluice.units import Gwei

ETHER = 10**9


def one(name: int, operator: int = 1, staked: int = 32, balance: int | None = None) -> Working:
    return Working(bytes([name]) * 48, operator, Gwei(staked * ETHER), Gwei((balance or staked) * ETHER))


def shown(plan: list[tuple[bytes, Gwei]]) -> list[tuple[int, float]]:
    return [(key[0], amount / ETHER) for key, amount in plan]


def test_new_validators_begin_to_work_first() -> None:
    """40 ether: 31 make the one with 1 ether active, 9 go to the least filled."""
    its = [one(1, staked=64), one(2, staked=1), one(3, staked=40)]
    assert shown(plan_top_ups({1: Gwei(40 * ETHER)}, its)) == [(2, 40.0)]
    its = [one(1, staked=64), one(2, staked=1), one(3, staked=1)]
    assert shown(plan_top_ups({1: Gwei(70 * ETHER)}, its)) == [(2, 39.0), (3, 31.0)]


def test_what_makes_nobody_active_goes_where_it_works() -> None:
    its = [one(1, staked=64), one(2, staked=1)]
    assert shown(plan_top_ups({1: Gwei(30 * ETHER)}, its)) == [(1, 30.0)]


def test_every_operator_gets_its_share_alone() -> None:
    its = [one(1), one(2, operator=2), one(3, operator=3)]
    assert shown(plan_top_ups({1: Gwei(5 * ETHER), 2: Gwei(7 * ETHER)}, its)) == [(1, 5.0), (2, 7.0)]


def test_parts_of_the_fullest_before_anybody_leaves() -> None:
    its = [one(1, balance=100), one(2, balance=40), one(3, balance=32)]
    assert shown(plan_exits(60 * ETHER, its)) == [(1, 60.0)]
    assert shown(plan_exits(70 * ETHER, its)) == [(1, 68.0), (2, 2.0)]
    # 68 and 8 are not enough for 90: the smallest leaves for the rest
    assert shown(plan_exits(90 * ETHER, its)) == [(1, 68.0), (2, 8.0), (3, 0.0)]
    assert shown(plan_exits(1_000 * ETHER, its)) == [(3, 0.0), (2, 0.0), (1, 0.0)]
    assert plan_exits(1_000 * ETHER, []) == []
    # nobody leaves for crumbs
    assert shown(plan_exits(57 * ETHER // 2, [one(1, balance=41), one(2, balance=60)])) == [(2, 28.0), (1, 0.5)]


def entry(name: int, balance: int, *, pending: int = 0, merges: bool = False, **more: int) -> Entry:
    validator = ValidatorRecord(
        pubkey=bytes([name]) * 48,
        withdrawal_credentials=bytes(32),
        effective_balance=balance * ETHER,
        slashed=False,
        activation_eligibility_epoch=0,
        activation_epoch=0,
        exit_epoch=more.get("exit_epoch", FAR_FUTURE),
        withdrawable_epoch=FAR_FUTURE,
    )
    seen = Validator(index=name, balance=balance * ETHER, status="active_ongoing", validator=validator)
    return Entry(
        pubkey=bytes([name]) * 48,
        operator=1,
        phase=more.get("phase", PROVEN),
        slashed=False,
        prepared_at=0,
        filled_at=0,
        staked=Gwei(more.get("staked", balance) * ETHER),
        pending=Gwei(pending * ETHER),
        merges=merges,
        seen=seen,
    )


def test_what_is_on_its_way_is_not_asked_for_a_second_time() -> None:
    """The consensus layer takes parts only beyond 32 ether and beyond what waits already, and ignores an exit while
    parts wait: a keeper that asks the same validator again pays every round and gets nothing.
    """
    its = working([entry(1, 132, pending=90), entry(2, 60)])
    assert shown(plan_exits(30 * ETHER, its)) == [(2, 28.0), (1, 2.0)]
    assert shown(plan_exits(50 * ETHER, its)) == [(1, 10.0), (2, 0.0)]
    assert shown(plan_exits(500 * ETHER, its)) == [(1, 10.0), (2, 0.0)], "the first one cannot leave yet"


def test_what_comes_is_what_waits_and_what_leaves_for_the_pool() -> None:
    """Not what was merged into another validator, nor what has somebody else's credentials."""
    its = [
        entry(1, 132, pending=90),
        entry(2, 60, exit_epoch=7),
        entry(3, 60, exit_epoch=7, pending=20),
        entry(4, 60, exit_epoch=7, merges=True),
        entry(5, 1, exit_epoch=7, phase=PREPARED),
    ]
    assert coming_from(its) == (90 + 60 + 60) * ETHER


def test_what_has_returned_is_proven_when_it_is_worth_it_and_little_more_waits() -> None:
    """The manager counts 32 ether at least, and takes no proof of one that leaves."""
    credentials = bytes(32)
    assert proof_due(entry(1, 40, staked=48), credentials) == "proveReturned"
    assert proof_due(entry(1, 41, staked=48), credentials) is None
    assert proof_due(entry(1, 20, staked=40), credentials) == "proveReturned"
    assert proof_due(entry(1, 20, staked=39), credentials) is None
    assert proof_due(entry(1, 90, staked=100, pending=10), credentials) == "proveReturned"
    assert proof_due(entry(1, 90, staked=100, pending=11), credentials) is None, "more comes soon than has come"
    assert proof_due(entry(1, 90, staked=100, merges=True), credentials) is None
    assert proof_due(entry(1, 40, staked=48, exit_epoch=7), credentials) == "proveExiting"
    assert proof_due(entry(1, 40, staked=48, phase=PREPARED), credentials) == "prove"


def test_key_given_up_is_proven_with_our_credentials_alone() -> None:
    """It has been paid for by the bond already: with others' there is nothing left to refuse."""
    given_up = entry(1, 1, phase=ABANDONED)
    assert proof_due(given_up, bytes(32)) == "prove"
    assert proof_due(given_up, b"\x01" * 32) is None
    assert proof_due(replace(given_up, seen=None), bytes(32)) is None
    assert (working([given_up]), coming_from([given_up])) == ([], 0)


WORKING = st.lists(
    st.builds(
        lambda operator, staked, balance: (operator, staked, balance),
        st.integers(1, 3),
        st.integers(MIN_DEPOSIT, MAX_STAKE),
        st.integers(0, MAX_STAKE + 50 * ETHER),
    ),
    max_size=12,
).map(lambda rows: [Working(bytes([n]) * 48, o, Gwei(s), Gwei(b)) for n, (o, s, b) in enumerate(rows)])


@given(shares=st.dictionaries(st.integers(1, 4), st.integers(0, 5 * MAX_STAKE).map(Gwei)), its=WORKING)
def test_top_ups_stay_within_shares_and_limits(shares: dict[int, Gwei], its: list[Working]) -> None:
    plan = plan_top_ups(shares, its)
    assert len(plan) <= MAX_BATCH
    of = {each.pubkey: each for each in its}
    assert len({key for key, _ in plan}) == len(plan)
    for key, amount in plan:
        assert amount >= MIN_DEPOSIT
        assert MIN_ACTIVE <= of[key].staked + amount <= MAX_STAKE
    for operator, share in shares.items():
        assert sum(amount for key, amount in plan if of[key].operator == operator) <= share


@given(missing=st.integers(MIN_DEPOSIT, 20 * MAX_STAKE), its=WORKING)
def test_exits_bring_enough_where_there_is_enough_and_ask_each_once(missing: int, its: list[Working]) -> None:
    plan = plan_exits(missing, its)
    of = {each.pubkey: each for each in its}
    assert len({key for key, _ in plan}) == len(plan)
    brought = sum(of[key].balance if amount == 0 else amount for key, amount in plan)
    for key, amount in plan:
        assert amount == 0 or of[key].balance - amount >= MIN_ACTIVE
    if len(plan) < MAX_BATCH:
        assert brought >= min(missing, sum(each.balance for each in its)) - MIN_DEPOSIT


HOUR, DAY = 3_600, 86_400
SWITCHED_OFF, ROSE = 1, 8
RECORDED = Rate((100, 101), 10 * DAY, 10 * DAY - HOUR, HEALTHY, (100, 101), 10 * DAY - HOUR)


@pytest.mark.parametrize(
    ("changed", "after", "expected"),
    [
        ({}, 9 * DAY, False),
        ({"now": (100, 102)}, DAY - 1, False),
        ({"now": (100, 102)}, DAY, True),
        ({"now": (99, 101)}, DAY, True),
        ({"newest": 10 * DAY + 5 * HOUR - 1}, 6 * HOUR, False),
        ({"newest": 10 * DAY + 5 * HOUR}, 6 * HOUR, True),
        ({"newest": 10 * DAY - 2 * HOUR}, 9 * DAY, False),
        ({"newest": 0}, 9 * DAY, False),
        ({"newest": 10 * DAY, "health": STALE}, 9 * DAY, True),
        ({"health": STALE}, 9 * DAY, False),
        ({"newest": 0, "now": (101, 102), "health": STALE}, 9 * DAY, True),
        ({"newest": 19 * DAY, "now": (200, 201), "health": ROSE}, 9 * DAY, False),
        ({"newest": 19 * DAY, "now": (0, 0), "health": SWITCHED_OFF}, 9 * DAY, False),
    ],
)
def test_what_is_worth_recording(changed: dict[str, Any], after: int, expected: bool) -> None:
    assert is_news(replace(RECORDED, **changed), RECORDED.recorded_at + after) is expected


@pytest.mark.parametrize(
    ("limit", "most", "low", "expected"),
    [
        (500 * 10**18, 5_000, 10**18, False),
        (476 * 10**18, 5_000, 10**18, False),
        (474 * 10**18, 5_000, 10**18, True),
        (526 * 10**18, 5_000, 10**18, True),
        (0, 5_000, 10**18, True),
        (250 * 10**18, 5_000, 2 * 10**18, False),
        (0, 10_000, 10**18, False),
        (7, 5_000, 0, False),
        (2**104 - 1, 5_000, 1, False),
    ],
)
def test_limits_are_renewed_that_are_a_twentieth_off(limit: int, most: int, low: int, expected: bool) -> None:
    """Of a whole of a thousand ether; what does not fit stands for no limit, and a token without a rate has none."""
    assert is_limit_far(limit, 1_000 * 10**18, most, low) is expected
