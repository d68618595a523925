"""ReportLimits: what even a full quorum cannot report, each limit one below, at and one above it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from eth_abi import encode
from eth_utils import keccak
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sluice.oracle.signing import digest
from tests.helpers import (
    BPS,
    DAY,
    ETHER,
    GWEI,
    YEAR,
    advance_frame,
    deposit_to_beacon,
    domain_of,
    give_ether,
    next_at,
    publish_root,
    report_of,
    signatures_of,
    signed_report,
    stake,
    submit,
)
from tests.in_process import Process, Reverted
from tests.reverts import reverts
from tests.voting import another, events_of, scheduled

DIGEST = b"\x01" * 32
TOTAL = 10_000 * ETHER
OLDEST = 19 * 3_600
MOST = {
    "yearlyGain": 2_000,
    "loss": 500,
    "validatorsPerDay": 5_000,
    "minAge": 780,
    "maxAge": OLDEST,
    "gainAllowance": 32 * 10**9,
}


@pytest.fixture(scope="module")
def limits(protocol):
    return protocol.limits


@pytest.fixture(scope="module")
def governor(protocol):
    return protocol.actors.governor


def figures(**changes: int) -> dict[str, int]:
    """A quiet day, in the middle of every limit."""
    return {
        "profit": 0,
        "total": TOTAL,
        "elapsed": DAY,
        "age": 3_600,
        "oldValidators": 100,
        "newValidators": 100,
    } | changes


def test_the_limits_are_those_of_the_parameters(protocol, limits):
    assert dict(zip(MOST, limits.limits(), strict=True)) == MOST
    assert (limits.MAX_YEARLY_GAIN(), limits.MAX_LOSS(), limits.MAX_GAIN_ALLOWANCE()) == (10_000, 5_000, 2_048 * 10**9)
    assert limits.released(DIGEST) is False


# --- Each limit, on its own ---


def most_gain(elapsed: int) -> int:
    return floor(Fraction(TOTAL * 2_000 * elapsed, 10_000 * YEAR)) + 32 * ETHER


@pytest.mark.parametrize("elapsed", [1, 3_600, DAY, 10 * DAY, YEAR])
def test_gain_at_the_limit_and_one_wei_above(limits, elapsed):
    """20% a year of 10,000 ether for the time elapsed, and 32 ether on top so that a gift cannot block a report."""
    limit = most_gain(elapsed)
    for gain in (0, limit - 1, limit):
        limits.check(DIGEST, figures(profit=gain, elapsed=elapsed))
    with reverts(limits.GainAboveLimit, gain=limit + 1, limit=limit):
        limits.check(DIGEST, figures(profit=limit + 1, elapsed=elapsed))


def test_gain_of_a_day_and_a_year_by_hand(limits):
    assert most_gain(YEAR) == 2_032 * ETHER
    assert most_gain(DAY) == 32 * ETHER + 5_479_452_054_794_520_547


@pytest.mark.parametrize(
    ("elapsed", "share"),
    [(1, 500), (DAY - 1, 500), (DAY, 500), (DAY + 172, 500), (DAY + 173, 501), (2 * DAY, 1_000), (9 * DAY, 4_500)],
)
def test_loss_at_the_limit_and_one_wei_above(limits, elapsed, share):
    """5% a day elapsed, at least one day's worth."""
    limit = TOTAL * share // BPS
    for loss in (1, limit - 1, limit):
        limits.check(DIGEST, figures(profit=-loss, elapsed=elapsed))
    with reverts(limits.LossAboveLimit, loss=limit + 1, limit=limit):
        limits.check(DIGEST, figures(profit=-limit - 1, elapsed=elapsed))


@pytest.mark.parametrize("elapsed", [10 * DAY, 11 * DAY, YEAR, 100 * YEAR])
def test_loss_is_never_above_half_however_long_the_silence(limits, elapsed):
    limits.check(DIGEST, figures(profit=-TOTAL // 2, elapsed=elapsed))
    with reverts(limits.LossAboveLimit, loss=TOTAL // 2 + 1, limit=TOTAL // 2):
        limits.check(DIGEST, figures(profit=-TOTAL // 2 - 1, elapsed=elapsed))


@pytest.mark.parametrize(
    ("elapsed", "limit"),
    [(1, 5_000), (DAY - 1, 5_000), (DAY, 5_000), (DAY + 18, 5_001), (DAY + 17, 5_000), (3 * DAY, 15_000)],
)
@pytest.mark.parametrize("direction", [1, -1])
def test_validators_at_the_limit_and_one_above(limits, elapsed, limit, direction):
    """5,000 a day elapsed, at least one day's worth, up and down."""
    base = 1_000_000
    for change in (0, limit - 1, limit):
        limits.check(DIGEST, figures(elapsed=elapsed, oldValidators=base, newValidators=base + direction * change))
    with reverts(limits.ValidatorChangeAboveLimit, change=limit + 1, limit=limit):
        limits.check(DIGEST, figures(elapsed=elapsed, oldValidators=base, newValidators=base + direction * (limit + 1)))


def test_age_at_both_limits_and_one_second_beyond(limits):
    for age in (780, 781, OLDEST - 1, OLDEST):
        limits.check(DIGEST, figures(age=age))
    with reverts(limits.ReferenceTooRecent, age=779, limit=780):
        limits.check(DIGEST, figures(age=779))
    with reverts(limits.ReferenceTooOld, age=OLDEST + 1, limit=OLDEST):
        limits.check(DIGEST, figures(age=OLDEST + 1))


def test_of_several_broken_limits_the_first_is_named(limits):
    """Age, then validators, then ether: always the same answer to the same report."""
    broken = figures(age=0, newValidators=10**6, profit=TOTAL)
    with reverts(limits.ReferenceTooRecent, age=0, limit=780):
        limits.check(DIGEST, broken)
    with reverts(limits.ValidatorChangeAboveLimit, change=10**6 - 100, limit=5_000):
        limits.check(DIGEST, broken | {"age": 780})
    with reverts(limits.GainAboveLimit, gain=TOTAL, limit=most_gain(DAY)):
        limits.check(DIGEST, broken | {"age": 780, "newValidators": 100})


@pytest.mark.parametrize("profit", [2**127, -(2**127)])
def test_A8_the_largest_figures_overflow_nothing(limits, profit):
    """As large as any report can make them: 2^96 wei, 2^64 validators, 2^40 seconds."""
    top = figures(
        profit=profit, total=2**96 - 1, elapsed=2**40, age=OLDEST, oldValidators=2**48 - 1, newValidators=2**48 - 1
    )
    if profit > 0:
        limit = (2**96 - 1) * 2_000 * 2**40 // (BPS * YEAR) + 32 * ETHER
        with reverts(limits.GainAboveLimit, gain=profit, limit=limit):
            limits.check(DIGEST, top)
    else:
        with reverts(limits.LossAboveLimit, loss=2**127, limit=(2**96 - 1) * 5_000 // BPS):
            limits.check(DIGEST, top)


# --- D4: against fractions, for any figures ---


@pytest.fixture(scope="module")
def in_process(project):
    process = Process()
    admin = process.account(0)
    manager = admin.deploy(project.ProtocolAccessManager, admin)
    return process, admin, admin.deploy(project.ReportLimits, manager, DAY, MOST)


def verdict(settings_: dict[str, int], values: dict[str, int]) -> bytes:
    """What the limits must answer, from their description: the encoded error, or nothing."""

    def error(name: str, given_: int, limit: int) -> bytes:
        return keccak(text=f"{name}(uint256,uint256)")[:4] + encode(["uint256", "uint256"], [given_, limit])

    if values["age"] < settings_["minAge"]:
        return error("ReferenceTooRecent", values["age"], settings_["minAge"])
    if values["age"] > settings_["maxAge"]:
        return error("ReferenceTooOld", values["age"], settings_["maxAge"])
    days = max(Fraction(1), Fraction(values["elapsed"], DAY))
    change, limit = abs(values["newValidators"] - values["oldValidators"]), floor(settings_["validatorsPerDay"] * days)
    if change > limit:
        return error("ValidatorChangeAboveLimit", change, limit)
    if values["profit"] >= 0:
        yearly = Fraction(settings_["yearlyGain"], BPS) * Fraction(values["elapsed"], YEAR)
        limit = floor(values["total"] * yearly) + settings_["gainAllowance"] * GWEI
        return error("GainAboveLimit", values["profit"], limit) if values["profit"] > limit else b""
    limit = floor(values["total"] * Fraction(min(floor(settings_["loss"] * days), 5_000), BPS))
    return error("LossAboveLimit", -values["profit"], limit) if -values["profit"] > limit else b""


FIGURES = st.fixed_dictionaries(
    {
        "profit": st.one_of(st.integers(-(2**97), 2**97), st.integers(-600 * ETHER, 600 * ETHER)),
        "total": st.one_of(st.integers(0, 2**96 - 1), st.integers(ETHER, 10**6 * ETHER)),
        "elapsed": st.one_of(st.integers(1, 40 * DAY), st.integers(1, 2**40)),
        "age": st.one_of(st.integers(0, 2 * DAY), st.integers(700, 900)),
        "oldValidators": st.integers(0, 2**48 - 1),
        "newValidators": st.integers(0, 2**48 - 1),
    }
)
CLOSE = st.integers(-60_000, 60_000)
SETTINGS = st.fixed_dictionaries(
    {
        "yearlyGain": st.integers(0, 10_000),
        "loss": st.integers(0, 5_000),
        "validatorsPerDay": st.integers(0, 2**32 - 1),
        "minAge": st.integers(0, DAY // 4),
        "maxAge": st.integers(DAY // 2, 2**32 - 1),
        "gainAllowance": st.integers(0, 2_048 * 10**9),
    }
)


@settings(max_examples=300, deadline=None)
@given(chosen=SETTINGS, values=FIGURES, close=st.one_of(st.none(), CLOSE))
@example(chosen=MOST, values=figures(), close=None)
def test_D4_any_limits_judge_any_figures_as_fractions_do(in_process, chosen, values, close):
    """`close` brings the counts near to each other, or nearly every example would end there."""
    process, admin, contract = in_process
    if close is not None:
        values = values | {"newValidators": max(0, values["oldValidators"] + close)}
    start = process.evm.snapshot()
    try:
        contract.setLimits(chosen, sender=admin)
        try:
            contract.check(DIGEST, values)
            answer = b""
        except Reverted as refusal:
            answer = refusal.data
        assert answer == verdict(chosen, values)
    finally:
        process.evm.revert(start)


# --- In the path of a report ---


@pytest.fixture(scope="module")
def validating(protocol):
    """1,000 ether staked, 640 of them with validators; the first frame has its report, the second one is due."""
    stake(protocol, protocol.actors.staker, 1_000 * ETHER)
    deposit_to_beacon(protocol, 640 * 10**9)
    advance_frame(protocol)
    signed_report(protocol)
    advance_frame(protocol)


def test_D2_a_full_quorum_cannot_report_a_gain_above_the_limit(protocol, limits, validating):
    """1,001 ether, a day: 20% / 365 and 32 ether. The consensus side says whole gwei."""
    limit = floor(Fraction(1_001 * ETHER * 20, 100 * 365)) + 32 * ETHER
    most = limit // GWEI * GWEI
    with reverts(limits.GainAboveLimit, gain=most + GWEI, limit=limit):
        signed_report(protocol, gain=most + GWEI)
    tx = signed_report(protocol, gain=most)
    assert tx.events[-1].profit == most


def test_D2_a_full_quorum_cannot_take_more_rewards_than_the_limit_to_the_wei(protocol, limits, validating):
    limit = floor(Fraction(1_001 * ETHER * 20, 100 * 365)) + 32 * ETHER
    give_ether(protocol.rewards, 100 * ETHER)
    with reverts(limits.GainAboveLimit, gain=limit + 1, limit=limit):
        signed_report(protocol, rewards=limit + 1)
    signed_report(protocol, rewards=limit)
    assert protocol.rewards.balance == 100 * ETHER - limit


def test_D2_a_full_quorum_cannot_report_a_loss_above_the_limit(protocol, limits, validating):
    """5% of 1,001 ether."""
    limit = 50_050 * ETHER // 1000
    with reverts(limits.LossAboveLimit, loss=limit + GWEI, limit=limit):
        signed_report(protocol, gain=-limit - GWEI)
    signed_report(protocol, gain=-limit)
    assert protocol.vault.rate() == ETHER * 95 // 100


def test_D4_a_gain_and_a_loss_of_two_sides_are_judged_together(protocol, limits, validating):
    """A slashing of 60 with rewards of 10: 50 are above no limit."""
    give_ether(protocol.rewards, 10 * ETHER)
    tx = signed_report(protocol, gain=-60 * ETHER, rewards=10 * ETHER)
    assert tx.events[-1].profit == -50 * ETHER


def test_D4_deposits_and_sweeps_are_neither_gain_nor_loss(protocol, limits, validating):
    """100 ether more with validators, 200 back from them: far above every limit, if they were taken for one."""
    deposit_to_beacon(protocol, 100 * 10**9)
    give_ether(protocol.gateway, 200 * ETHER)
    report = report_of(protocol, withdrawn=200 * 10**9, consensus_balance=540 * 10**9)
    tx = submit(protocol, report)
    assert tx.events[-1].profit == 0
    assert protocol.vault.pooled() == 1_001 * ETHER


def test_D4_after_missed_frames_the_limits_have_grown_with_time(protocol, limits, validating):
    advance_frame(protocol, frames=2)  # three days since the newest report
    limit = 1_001 * ETHER * 1_500 // BPS
    with reverts(limits.LossAboveLimit, loss=limit + GWEI, limit=limit):
        signed_report(protocol, gain=-limit - GWEI)
    signed_report(protocol, gain=-limit, validators=15_000)


def test_D3_a_report_as_young_as_the_limit(protocol, limits, validating):
    report = report_of(protocol)
    signatures = signatures_of(protocol, report)
    reference_time = protocol.oracle.expected().referenceTime + DAY
    later = replace(report, reference_slot=report.reference_slot + 7_200)
    later_signatures = signatures_of(protocol, later)
    submit(protocol, report, signatures)
    publish_root(protocol, reference_time + 12, later.beacon_root)
    next_at(reference_time + 779)
    with reverts(limits.ReferenceTooRecent, age=779, limit=780):
        submit(protocol, later, later_signatures)
    next_at(reference_time + 780)
    submit(protocol, later, later_signatures)
    assert protocol.oracle.lastReferenceSlot() == later.reference_slot


# --- Release ---


def test_D5_governance_lets_one_named_report_pass(protocol, limits, validating):
    """Within its frame, by its digest: what says one gwei more, or differs at all, is judged as ever."""
    report = report_of(protocol, gain=-600 * ETHER)
    named = digest(report, domain_of(protocol))
    limit = 50_050 * ETHER // 1000
    with reverts(limits.LossAboveLimit, loss=600 * ETHER, limit=limit):
        submit(protocol, report)

    tx = scheduled(protocol, limits.release, named)()
    assert events_of(limits, tx) == [limits.ReportReleased(named)]
    assert limits.released(named) is True

    worse = replace(report, consensus_balance=report.consensus_balance - 1)
    with reverts(limits.LossAboveLimit, loss=600 * ETHER + GWEI, limit=limit):
        submit(protocol, worse)
    with reverts(limits.LossAboveLimit, loss=600 * ETHER, limit=limit):
        submit(protocol, another(report))
    tx = submit(protocol, report)
    assert tx.events[-1].profit == -600 * ETHER
    assert protocol.vault.pooled() == 401 * ETHER
    advance_frame(protocol)
    with reverts(limits.LossAboveLimit, loss=21 * ETHER, limit=401 * ETHER * 5 // 100):
        signed_report(protocol, gain=-21 * ETHER)
    signed_report(protocol)


def test_D2_a_release_still_needs_the_quorum(protocol, limits, validating):
    report = report_of(protocol, gain=-600 * ETHER)
    scheduled(protocol, limits.release, digest(report, domain_of(protocol)))()
    with reverts(protocol.oracle.QuorumNotReached, given=4, needed=5):
        submit(protocol, report, signatures_of(protocol, report, protocol.actors.keys[:4]))


def test_a_release_lifts_every_limit_of_that_digest_alone(protocol, limits):
    broken = figures(age=0, newValidators=10**9, profit=TOTAL)
    protocol.as_governor(limits.release, DIGEST)
    limits.check(DIGEST, broken)
    with reverts(limits.ReferenceTooRecent, age=0, limit=780):
        limits.check(b"\x02" * 32, broken)


# --- Setters ---


@pytest.mark.parametrize(
    "changes",
    [
        {"yearlyGain": 0},
        {"yearlyGain": 10_000},
        {"loss": 0},
        {"loss": 5_000},
        {"gainAllowance": 0},
        {"gainAllowance": 2_048 * 10**9},
        {"minAge": 0, "maxAge": DAY // 2},
        {"minAge": DAY // 4, "maxAge": 2**32 - 1},
        {"validatorsPerDay": 2**32 - 1},
    ],
    ids=str,
)
def test_setLimits_within_the_bounds(protocol, limits, changes):
    new = MOST | changes
    tx = protocol.as_governor(limits.setLimits, new)
    (event,) = events_of(limits, tx)
    assert event.event_name == "LimitsChanged"
    assert [list(event.oldLimits), list(event.limits)] == [list(MOST.values()), list(new.values())]
    assert dict(zip(MOST, limits.limits(), strict=True)) == new


@pytest.mark.parametrize(
    "changes",
    [
        {"yearlyGain": 10_001},
        {"yearlyGain": 2**16 - 1},
        {"loss": 5_001},
        {"gainAllowance": 2_048 * 10**9 + 1},
        {"minAge": DAY // 4 + 1},
        {"minAge": 2**32 - 1, "maxAge": 2**32 - 1},
        {"maxAge": DAY // 2 - 1},
        {"minAge": 0, "maxAge": 0},
    ],
    ids=str,
)
def test_D10_setLimits_out_of_bounds_reverts(project, protocol, limits, changes):
    with reverts(limits.LimitsOutOfBounds):
        protocol.as_governor(limits.setLimits, MOST | changes)
    with reverts(limits.LimitsOutOfBounds):
        protocol.actors.deployer.deploy(project.ReportLimits, protocol.access, DAY, MOST | changes)


@pytest.mark.parametrize("who", ["stranger", "guardian", "admin", "key"])
def test_J3_nobody_but_the_governor_sets_or_releases(protocol, limits, who):
    account: Any = protocol.actors.keys[0] if who == "key" else getattr(protocol.actors, who)
    with reverts(limits.AccessManagedUnauthorized, caller=account):
        limits.setLimits(MOST, sender=account)
    with reverts(limits.AccessManagedUnauthorized, caller=account):
        limits.release(DIGEST, sender=account)
