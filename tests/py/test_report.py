"""The report builder: what it takes over, and what it leaves behind."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.oracle.report import (
    ConsensusView,
    Limits,
    Report,
    ReportImpossibleError,
    VaultView,
    build_report,
    forecast,
    lowest_total,
)
from sluice.units import Gwei, Shares, Slot, Timestamp, Wei, ether, ether_to_gwei

DAY = 86_400
ROOT_A = bytes.fromhex("aa" * 32)
ROOT_B = bytes.fromhex("bb" * 32)

CONSENSUS = ConsensusView(
    slot=Slot(14_400),
    beacon_root=ROOT_A,
    balances_root=ROOT_B,
    validators=2,
    balance=ether_to_gwei("64.01"),
    provision=Gwei(0),
    withdrawn=Gwei(0),
    deposits=ether_to_gwei(64),
)
VAULT = VaultView(
    reference_time=Timestamp(1_700_086_400),
    total=ether(100),
    supply=Shares(ether(100)),
    open_shares=Shares(0),
    deposited=ether_to_gwei(64),
    rewards_balance=ether("0.002"),
    profit=Gwei(0),
    previous_time=Timestamp(1_700_000_000),
    validators=2,
    deposited_now=ether_to_gwei(64),
    swept_now=Gwei(0),
    gateway_balance_now=Wei(0),
)
# 10% a year of 100 ether is 0.0273972602... ether a day
LIMITS = Limits(
    yearly_gain=1_000,
    loss=500,
    validators_per_day=100,
    min_age=1_000,
    max_age=DAY,
    gain_allowance=Gwei(0),
)
MOST = LIMITS.most_gain(VAULT.total, DAY)


def gain(report: Report, vault: VaultView) -> int:
    change = report.consensus_balance + report.withdrawn - report.provision - report.deposited - vault.profit
    return change * 10**9 + report.rewards


def outside(report: Report, vault: VaultView) -> int:
    profit = report.consensus_balance + report.withdrawn - report.provision - report.deposited
    return profit + vault.deposited_now - vault.swept_now


def test_report_within_the_limits_says_all():
    assert build_report(CONSENSUS, VAULT, LIMITS) == Report(
        reference_slot=Slot(14_400),
        beacon_root=ROOT_A,
        balances_root=ROOT_B,
        validators=2,
        consensus_balance=ether_to_gwei("64.01"),
        provision=Gwei(0),
        faults=Gwei(0),
        withdrawn=Gwei(0),
        deposited=ether_to_gwei(64),
        rewards=ether("0.002"),
    )


def test_yearly_gain_of_a_day_is_rounded_down():
    assert MOST == ether(100) * 1_000 * DAY // (10_000 * 365 * DAY) == 27_397_260_273_972_602


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_rewards_are_cut_at_the_limit_to_the_wei(over):
    free = MOST - ether("0.01")
    report = build_report(CONSENSUS, replace(VAULT, rewards_balance=Wei(free + over)), LIMITS)
    assert report.rewards == min(free, free + over)
    assert gain(report, VAULT) == MOST + min(over, 0)


def test_gift_to_the_rewards_vault_waits_there():
    report = build_report(CONSENSUS, replace(VAULT, rewards_balance=ether(1_000_000)), LIMITS)
    assert gain(report, VAULT) == MOST
    assert (report.withdrawn, report.provision) == (0, 0)


def test_allowance_comes_on_top():
    limits = replace(LIMITS, gain_allowance=ether_to_gwei(32))
    report = build_report(CONSENSUS, replace(VAULT, rewards_balance=ether(1_000)), limits)
    assert gain(report, VAULT) == MOST + ether(32)


def test_gain_above_the_limit_leaves_withdrawn_ether_behind_after_rewards():
    # 1 ether of a gift to our validators was swept to the gateway
    seen = replace(CONSENSUS, withdrawn=ether_to_gwei(1), deposits=ether_to_gwei(65))
    vault = replace(VAULT, gateway_balance_now=ether(1))
    report = build_report(seen, vault, LIMITS)
    assert report.rewards == 0
    assert report.consensus_balance == seen.balance
    assert report.withdrawn == MOST // 10**9 - ether_to_gwei("0.01")
    assert report.provision == 0
    assert gain(report, vault) == MOST // 10**9 * 10**9


def test_third_party_deposit_is_held_back_when_nothing_was_withdrawn():
    seen = replace(CONSENSUS, balance=ether_to_gwei("96.01"), deposits=ether_to_gwei(96), validators=3)
    report = build_report(seen, VAULT, LIMITS)
    assert (report.rewards, report.withdrawn) == (0, 0)
    assert report.consensus_balance == seen.balance  # always the sum of what the balances' root commits to
    assert report.provision == ether_to_gwei("32.01") - MOST // 10**9
    assert forecast(report, VAULT, LIMITS, Timestamp(VAULT.reference_time + 1_000)).violations == ()


def test_balance_that_no_gift_explains_is_said_and_refused():
    seen = replace(CONSENSUS, balance=ether_to_gwei(128))
    report = build_report(seen, VAULT, LIMITS)
    assert report.provision == 0
    assert forecast(report, VAULT, LIMITS, Timestamp(VAULT.reference_time + 1_000)).violations == (
        f"GainAboveLimit({ether(64)}, {MOST})",
    )


def test_what_was_left_behind_is_counted_later():
    vault = replace(VAULT, rewards_balance=ether("0.1"))
    days = 0
    while vault.rewards_balance:
        report = build_report(replace(CONSENSUS, balance=ether_to_gwei(64)), vault, LIMITS)
        assert 0 < report.rewards <= MOST
        vault = replace(
            vault,
            rewards_balance=Wei(vault.rewards_balance - report.rewards),
            previous_time=vault.reference_time,
            reference_time=Timestamp(vault.reference_time + DAY),
        )
        days += 1
    assert days == 4  # 0.1 / 0.0274


def test_loss_is_never_made_smaller():
    seen = replace(CONSENSUS, balance=ether_to_gwei(32), provision=ether_to_gwei(2))
    report = build_report(seen, VAULT, LIMITS)
    assert (report.consensus_balance, report.provision) == (ether_to_gwei(32), ether_to_gwei(2))
    assert forecast(report, VAULT, LIMITS, Timestamp(VAULT.reference_time + 1_000)).violations == (
        f"LossAboveLimit({ether('33.998')}, {ether(5)})",
    )


def test_open_requests_lower_the_limit_because_they_may_be_paid_before_the_report():
    vault = replace(VAULT, open_shares=Shares(ether(40)), rewards_balance=ether(1))
    assert lowest_total(vault) == ether(60)
    assert gain(build_report(CONSENSUS, vault, LIMITS), vault) == LIMITS.most_gain(ether(60), DAY)


def test_skipped_frames_widen_the_limit():
    vault = replace(VAULT, reference_time=Timestamp(VAULT.previous_time + 3 * DAY), rewards_balance=ether(1))
    assert gain(build_report(CONSENSUS, vault, LIMITS), vault) == LIMITS.most_gain(ether(100), 3 * DAY)


def test_gift_to_the_gateway_does_not_count_as_withdrawn():
    vault = replace(VAULT, gateway_balance_now=ether(1_000))
    assert build_report(CONSENSUS, vault, LIMITS) == build_report(CONSENSUS, VAULT, LIMITS)


def test_gift_swept_in_place_of_lost_ether_counts_against_the_loss():
    # 64 ether were sent to the gateway and swept; then a validator lost 1 ether
    seen = replace(CONSENSUS, balance=ether_to_gwei(63))
    vault = replace(VAULT, swept_now=ether_to_gwei(64))
    report = build_report(seen, vault, LIMITS)
    assert report.withdrawn == 0  # what is signed does not depend on what was swept since
    foreseen = forecast(report, vault, LIMITS, Timestamp(VAULT.reference_time + 1_000))
    assert foreseen.violations == ()
    assert foreseen.profit == report.rewards


def test_rewards_do_not_make_good_a_loss_beyond_the_limit_of_a_gain():
    seen = replace(CONSENSUS, balance=ether_to_gwei(63))
    report = build_report(seen, replace(VAULT, rewards_balance=ether(1_000)), LIMITS)
    assert report.rewards == MOST


def test_withdrawn_that_never_arrived_is_not_signed():
    with pytest.raises(ReportImpossibleError, match="3000000000 gwei withdrawn, but only 2999999999 gwei came"):
        build_report(
            replace(CONSENSUS, withdrawn=ether_to_gwei(3), balance=ether_to_gwei(61)),
            replace(VAULT, gateway_balance_now=Wei(ether(3) - 1)),
            LIMITS,
        )


def test_reference_time_must_rise():
    with pytest.raises(ReportImpossibleError, match="not later"):
        build_report(CONSENSUS, replace(VAULT, reference_time=VAULT.previous_time), LIMITS)


@pytest.mark.parametrize("seen", [0, 2, 102, 103, 9_999])
def test_validators_are_counted_as_they_are(seen):
    """Any other count could be challenged; one beyond the limit is refused, and governance looks."""
    report = build_report(replace(CONSENSUS, validators=seen), VAULT, LIMITS)
    assert report.validators == seen
    judged = forecast(report, VAULT, LIMITS, Timestamp(VAULT.reference_time + LIMITS.min_age))
    assert bool(judged.violations) == (seen > 102)


def test_faults_are_told_as_they_are():
    assert build_report(CONSENSUS, VAULT, LIMITS, Gwei(77)).faults == 77


def test_report_refuses_what_does_not_fit_its_fields():
    report = build_report(CONSENSUS, VAULT, LIMITS)
    with pytest.raises(ValueError, match="provision = -1"):
        replace(report, provision=Gwei(-1))
    with pytest.raises(ValueError, match="withdrawn = 18446744073709551616"):
        replace(report, withdrawn=Gwei(2**64))
    with pytest.raises(ValueError, match="beacon_root has 31 bytes"):
        replace(report, beacon_root=b"\0" * 31)
    replace(report, rewards=Wei(2**96 - 1))


def test_forecast_names_every_limit_with_its_values():
    report = replace(build_report(CONSENSUS, VAULT, LIMITS), validators=200, rewards=ether(1))
    late = forecast(report, VAULT, LIMITS, Timestamp(VAULT.reference_time + DAY + 1))
    assert late.profit == ether("1.01")
    assert late.violations == (
        f"ReferenceTooOld({DAY + 1}, {DAY})",
        "ValidatorChangeAboveLimit(198, 100)",
        f"GainAboveLimit({ether('1.01')}, {MOST})",
    )
    early = forecast(report, VAULT, LIMITS, Timestamp(VAULT.reference_time + 999))
    assert early.violations[0] == "ReferenceTooRecent(999, 1000)"
    assert (early.early, late.early) == (1, 0)


GWEI_AMOUNT = st.integers(0, 10**15)


@st.composite
def gifted_worlds(draw):
    """A state that honest validators, sweeps and gifts of any size to any address can lead to."""
    deposited = draw(GWEI_AMOUNT)
    foreign = draw(GWEI_AMOUNT)
    previous_profit = draw(st.integers(-min(deposited, 10**12), 10**12))
    withdrawn = draw(GWEI_AMOUNT)
    honest = draw(st.integers(-(10**9), 10**6))  # gain or loss of the validators since
    balance = max(0, deposited + previous_profit + honest + foreign - withdrawn)
    gift = draw(GWEI_AMOUNT)
    received = withdrawn + gift
    deposited_now = deposited + draw(GWEI_AMOUNT)
    swept = min(draw(GWEI_AMOUNT), received, previous_profit + deposited_now)
    total = draw(st.integers(10**18, 10**24))
    supply = draw(st.integers(10**18, 10**24))
    consensus = replace(
        CONSENSUS,
        balance=Gwei(balance),
        withdrawn=Gwei(withdrawn),
        deposits=Gwei(deposited + foreign),
        provision=Gwei(draw(st.integers(0, 10**9))),
        validators=draw(st.integers(0, 100)),
    )
    vault = replace(
        VAULT,
        total=Wei(total),
        supply=Shares(supply),
        open_shares=Shares(draw(st.integers(0, supply))),
        deposited=Gwei(deposited),
        rewards_balance=Wei(draw(st.integers(0, 10**24))),
        profit=Gwei(previous_profit),
        deposited_now=Gwei(deposited_now),
        swept_now=Gwei(swept),
        gateway_balance_now=Wei((received - swept) * 10**9 + draw(st.integers(0, 10**9 - 1))),
    )
    return consensus, vault


@given(gifted_worlds())
def test_no_gift_makes_a_report_that_is_refused_for_its_gain(world):
    consensus, vault = world
    limits = replace(LIMITS, gain_allowance=ether_to_gwei(100))
    try:
        report = build_report(consensus, vault, limits)
    except ReportImpossibleError:
        assert consensus.withdrawn > vault.received_now
        return
    result = forecast(report, vault, limits, Timestamp(vault.reference_time + 1_000))
    loss = [v for v in result.violations if v.startswith("LossAboveLimit")]
    explained = consensus.deposits - vault.deposited
    unexplained = (
        consensus.balance + consensus.withdrawn - vault.deposited - vault.profit - explained
    ) * 10**9 > limits.most_gain(lowest_total(vault), vault.elapsed)
    assert list(result.violations) == loss or unexplained
    assert report.withdrawn <= vault.received_now
    assert report.rewards <= vault.rewards_balance


@given(gifted_worlds())
def test_report_never_says_more_than_is_true(world):
    consensus, vault = world
    try:
        report = build_report(consensus, vault, LIMITS)
    except ReportImpossibleError:
        return
    true = consensus.balance + consensus.withdrawn - consensus.provision
    said = report.consensus_balance + report.withdrawn - report.provision
    assert said <= true
    assert report.provision >= consensus.provision
