"""Withdrawals without an oracle: a request that no report has covered for `STALE_AFTER` is finalised without one."""

from __future__ import annotations

import pytest

from tests.helpers import DAY, ETHER, GWEI, deposit_to_beacon, next_at, now, report_as_oracle, stake, warp_to
from tests.queueing import request
from tests.reverts import reverts


@pytest.fixture(scope="module")
def staker(protocol):
    return protocol.actors.staker


@pytest.fixture(scope="module")
def anybody(protocol):
    return protocol.actors.stranger


@pytest.fixture(scope="module")
def stale_after(protocol):
    return protocol.params.queue.stale_after


@pytest.fixture(scope="module")
def held(protocol, staker):
    return stake(protocol, staker, 1_000 * ETHER)


def test_the_queue_knows_the_time_of_its_parameters(protocol, stale_after):
    assert protocol.queue.STALE_AFTER() == stale_after == 3 * DAY


def test_one_second_before_it_is_stale_a_request_waits(protocol, staker, anybody, held, stale_after):
    request(protocol, staker, ETHER)
    requested_at = now()
    next_at(requested_at + stale_after - 1)
    reference, applied = protocol.vault.lastReport()
    refused = {"requestedAt": requested_at, "referenceTime": reference, "appliedAt": applied}
    with reverts(protocol.queue.RequestNotCovered, **refused):
        protocol.queue.finalize(1, sender=anybody)


def test_at_the_second_it_is_stale_a_request_is_paid(protocol, staker, anybody, held, stale_after):
    request(protocol, staker, ETHER)
    at = next_at(now() + stale_after)
    tx = protocol.queue.finalize(1, sender=anybody)
    assert tx.timestamp == at
    assert tx.events[-1:] == [protocol.queue.Finalized(1, 1, 1, ETHER, ETHER)]
    claim = protocol.queue.claim(1, sender=anybody)
    assert claim.events[-1:] == [protocol.queue.Claimed(1, staker, ETHER)]


def test_each_request_waits_for_itself(protocol, staker, anybody, held, stale_after):
    """The younger one cannot leave on the age of the older."""
    request(protocol, staker, ETHER)
    first = now()
    next_at(first + 100)
    request(protocol, staker, ETHER)
    reference, applied = protocol.vault.lastReport()

    next_at(first + stale_after + 99)
    refused = {"requestedAt": first + 100, "referenceTime": reference, "appliedAt": applied}
    with reverts(protocol.queue.RequestNotCovered, **refused):
        protocol.queue.finalize(2, sender=anybody)
    next_at(first + stale_after + 99)
    protocol.queue.finalize(1, sender=anybody)
    next_at(first + stale_after + 100)
    protocol.queue.finalize(2, sender=anybody)
    assert protocol.queue.lastFinalizedId() == 2


def test_the_older_ones_need_no_report_when_the_youngest_is_stale(protocol, staker, anybody, held, stale_after):
    for _ in range(3):
        request(protocol, staker, ETHER)
    next_at(now() + stale_after)
    protocol.queue.finalize(3, sender=anybody)
    assert protocol.queue.lastFinalizedId() == 3


def test_a_covered_request_does_not_wait_to_be_stale(protocol, staker, anybody, held, stale_after):
    request(protocol, staker, ETHER)
    report_as_oracle(protocol)
    assert now() < protocol.queue.getRequest(1).requestedAt + stale_after
    protocol.queue.finalize(1, sender=anybody)


@pytest.mark.parametrize("early", [0, 1])
def test_a_covered_request_that_missed_its_window_is_stale_with_the_report(
    protocol, staker, anybody, held, stale_after, early
):
    """Counted from the younger of the two: from the reference time of the report that covers it."""
    request(protocol, staker, ETHER)
    requested_at = now()
    reference = requested_at + DAY
    applied = report_as_oracle(protocol, reference_time=reference, at=reference + 1_000).timestamp
    next_at(reference + stale_after - early)
    if early:
        refused = {"requestedAt": requested_at, "referenceTime": reference, "appliedAt": applied}
        with reverts(protocol.queue.RequestNotCovered, **refused):
            protocol.queue.finalize(1, sender=anybody)
    else:
        protocol.queue.finalize(1, sender=anybody)
        assert protocol.queue.lastFinalizedId() == 1


def test_C1_a_request_is_not_stale_by_its_own_age_alone(protocol, staker, anybody, held, stale_after):
    """Reports come daily and the ether is missing: however long it waits, it waits for a report and its losses."""
    request(protocol, staker, ETHER)
    requested_at = now()
    for _ in range(4):
        applied = report_as_oracle(protocol, at=now() + DAY).timestamp
    next_at(applied + DAY // 2)
    assert applied + DAY // 2 > requested_at + stale_after
    refused = {"requestedAt": requested_at, "referenceTime": applied, "appliedAt": applied}
    with reverts(protocol.queue.RequestNotCovered, **refused):
        protocol.queue.finalize(1, sender=anybody)


def test_finalizable_turns_at_the_same_second(protocol, staker, held, stale_after):
    request(protocol, staker, ETHER)
    requested_at = now()
    warp_to(requested_at + stale_after - 1)
    assert protocol.queue.finalizable() == 0
    warp_to(requested_at + stale_after)
    assert protocol.queue.finalizable() == 1


def test_the_stale_path_pays_no_more_than_the_buffer(protocol, staker, anybody, held, stale_after):
    deposit_to_beacon(protocol, 900 * 10**9)
    request(protocol, staker, 101 * ETHER + GWEI)
    next_at(now() + stale_after)
    with reverts(protocol.vault.BufferTooLow, needed=101 * ETHER + GWEI, available=101 * ETHER):
        protocol.queue.finalize(1, sender=anybody)


def test_rewards_go_on_vesting_without_an_oracle(protocol, staker, anybody, held, stale_after):
    """Silence is no loss: what was reported has vested in full when a stale request is paid."""
    report_as_oracle(protocol, gain=11011 * ETHER // 1000)
    request(protocol, staker, 100 * ETHER)
    next_at(now() + stale_after)
    protocol.queue.finalize(1, sender=anybody)
    total = 1_001 * ETHER + 11_011 * ETHER // 1000
    supply = 1_001 * ETHER + 11_011 * ETHER // 10_000
    assert protocol.queue.balance == 100 * ETHER * total // supply


def test_C1_when_the_oracle_is_back_the_younger_wait_for_its_report(protocol, staker, anybody, held, stale_after):
    """A loss that comes to light after a silence is borne by all who are not finalised by then."""
    deposit_to_beacon(protocol, 320 * 10**9)
    request(protocol, staker, 10 * ETHER)
    at = now()
    warp_to(at + stale_after - 10)
    request(protocol, staker, 10 * ETHER)
    next_at(at + stale_after)
    protocol.queue.finalize(1, sender=anybody)
    report_as_oracle(protocol, gain=-99 * ETHER - ETHER // 10)
    protocol.queue.finalize(2, sender=anybody)
    assert tuple(protocol.queue.getCheckpoint(1))[2:] == (10 * ETHER, 10 * ETHER)
    assert tuple(protocol.queue.getCheckpoint(2))[2:] == (10 * ETHER, 9 * ETHER)


def test_a_week_without_an_oracle_pays_everybody(protocol, staker, anybody, held, stale_after):
    """D5: the last holder but the seed leaves, request by request, and no report ever comes."""
    silent_since = protocol.vault.referenceTime()
    last = 0
    for day in range(7):
        request(protocol, staker, 100 * ETHER)
        warp_to(now() + DAY)
        if up_to := protocol.queue.finalizable():
            protocol.queue.finalize(up_to, sender=anybody)
            assert up_to == last + 1 == day - 1
            last = up_to
    warp_to(now() + stale_after)
    protocol.queue.finalize(7, sender=anybody)
    before = staker.balance
    paid = sum(protocol.queue.claim(i, sender=anybody).events[-1].assets for i in range(1, 8))
    assert paid == 700 * ETHER == staker.balance - before
    assert protocol.vault.referenceTime() == silent_since
