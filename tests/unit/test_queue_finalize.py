"""WithdrawalQueue.finalize: first in, first out, covered by a report, paid from the buffer, one step for any number."""

from __future__ import annotations

from fractions import Fraction

import ape
import pytest

from tests.helpers import (
    DAY,
    ETHER,
    GWEI,
    deposit_to_beacon,
    give_ether,
    next_at,
    now,
    report_as_oracle,
    set_rate,
    stake,
    warp_to,
)
from tests.queueing import locked, request, settle
from tests.reverts import reverts

GAS_BOUND = 95_000


@pytest.fixture(scope="module")
def staker(protocol):
    return protocol.actors.staker


@pytest.fixture(scope="module")
def other(protocol):
    return protocol.actors.other


@pytest.fixture(scope="module")
def anybody(protocol):
    return protocol.actors.stranger


@pytest.fixture(scope="module")
def held(protocol, staker):
    """1,000 slETH at a rate of 1; with the seed 1,001 ether are in the buffer. The deployment is a while ago."""
    shares = stake(protocol, staker, 1_000 * ETHER)
    warp_to(now() + 100)
    return shares


# --- What it does ---


def test_finalize_redeems_the_shares_and_sets_the_ether_aside(protocol, staker, anybody, held):
    queue, token, vault = protocol.queue, protocol.token, protocol.vault
    request(protocol, staker, 10 * ETHER)
    report_as_oracle(protocol)
    before = (vault.balance, queue.balance, vault.pooled(), vault.supply(), vault.buffer(), vault.rate())

    tx = queue.finalize(1, sender=anybody)

    assert tx.events == [
        token.Transfer(queue, "0x" + 40 * "0", 10 * ETHER),
        vault.Redeemed(10 * ETHER, 10 * ETHER),
        queue.Finalized(1, 1, 1, 10 * ETHER, 10 * ETHER),
    ]
    after = (vault.balance, queue.balance, vault.pooled(), vault.supply(), vault.buffer(), vault.rate())
    moved = (-10 * ETHER, 10 * ETHER, -10 * ETHER, -10 * ETHER, -10 * ETHER, 0)
    assert tuple(b - a for a, b in zip(before, after, strict=True)) == moved
    assert token.balanceOf(queue) == queue.openShares() == 0
    assert (queue.lastFinalizedId(), queue.lastCheckpoint()) == (1, 1)
    assert tuple(queue.getCheckpoint(1)) == (1, 1, 10 * ETHER, 10 * ETHER)
    record = queue.getRequest(1)
    assert (record.finalized, record.claimed, record.assets, record.owner) == (True, False, 10 * ETHER, staker)


def test_finalize_returns_the_ether(protocol, staker, anybody, held):
    request(protocol, staker, 10 * ETHER, 5 * ETHER)
    report_as_oracle(protocol)
    assert protocol.queue.finalize.call(1, sender=anybody) == 10 * ETHER
    assert protocol.queue.finalize.call(2, sender=anybody) == 15 * ETHER


def test_finalize_pays_the_rate_of_the_moment_rounded_down(protocol, staker, anybody, held):
    """By hand. 1,001 shares; 100.1 ether of gain, of which 10.01 as fee shares: 1,101.1 ether on 1,011.01 shares."""
    set_rate(protocol, gain=1001 * ETHER // 10)
    rate = Fraction(11011 * ETHER, 10) / Fraction(101101 * ETHER, 100)
    first, second = 7 * ETHER, 3 * ETHER + 7 * GWEI
    request(protocol, staker, first, second)
    report_as_oracle(protocol)
    tx = protocol.queue.finalize(2, sender=anybody)
    assets = int((first + second) * rate)
    assert assets == 10_891_089_116_534_653_465
    assert tx.events[-1:] == [protocol.queue.Finalized(1, 1, 2, first + second, assets)]
    assert protocol.queue.balance == assets
    assert protocol.queue.getRequest(1).assets == assets * first // (first + second)
    assert protocol.queue.getRequest(2).assets == assets * second // (first + second)


def test_finalize_takes_a_part_and_later_the_rest(protocol, staker, anybody, held):
    queue = protocol.queue
    request(protocol, staker, 10 * ETHER, 20 * ETHER, 30 * ETHER)
    report_as_oracle(protocol)
    first = queue.finalize(2, sender=anybody)
    assert first.events[-1:] == [queue.Finalized(1, 1, 2, 30 * ETHER, 30 * ETHER)]
    assert queue.openShares() == protocol.token.balanceOf(queue) == 30 * ETHER
    second = queue.finalize(3, sender=anybody)
    assert second.events[-1:] == [queue.Finalized(2, 3, 3, 30 * ETHER, 30 * ETHER)]
    assert tuple(queue.getCheckpoint(1)) == (1, 2, 30 * ETHER, 30 * ETHER)
    assert tuple(queue.getCheckpoint(2)) == (3, 3, 30 * ETHER, 30 * ETHER)


def test_Q2_what_is_finalised_stays_as_it_is_whatever_the_rate_does_after(protocol, staker, anybody, held):
    deposit_to_beacon(protocol, 320 * 10**9)
    request(protocol, staker, 10 * ETHER, 10 * ETHER)
    report_as_oracle(protocol)
    protocol.queue.finalize(1, sender=anybody)
    set_rate(protocol, gain=-100 * ETHER)
    assert protocol.queue.getRequest(1).assets == 10 * ETHER
    assert protocol.queue.getRequest(2).assets == 10 * ETHER * 891 // 991
    set_rate(protocol, gain=500 * ETHER)
    assert protocol.queue.getRequest(1).assets == 10 * ETHER
    tx = protocol.queue.claim(1, sender=anybody)
    assert tx.events[-1:] == [protocol.queue.Claimed(1, staker, 10 * ETHER)]


def test_finalize_while_a_reward_vests_pays_what_has_vested(protocol, staker, anybody, held):
    """Two hours after a reward, a twelfth of it is in the rate; nothing is lost to the second."""
    request(protocol, staker, 100 * ETHER)
    tx = report_as_oracle(protocol, gain=10 * ETHER)
    at = next_at(tx.timestamp + DAY // 12)
    protocol.queue.finalize(1, sender=anybody)
    assert now() == at
    supply = 1_001 * ETHER + ETHER  # a tenth of the gain as fee shares, at a rate of 1
    total = 1_001 * ETHER + ETHER + 9 * ETHER // 12
    assert protocol.queue.balance == 100 * ETHER * total // supply


def test_a_request_made_after_a_finalisation_is_the_next_in_line(protocol, staker, other, anybody, held):
    request(protocol, staker, 10 * ETHER)
    settle(protocol)
    request(protocol, staker, 20 * ETHER)
    tx = settle(protocol)
    assert tx.events[-1:] == [protocol.queue.Finalized(2, 2, 2, 20 * ETHER, 20 * ETHER)]


# --- Which ids ---


@pytest.mark.parametrize("up_to", [0, 1, 4, 2**48, 2**256 - 1])
def test_finalize_of_what_is_not_open_reverts(protocol, staker, anybody, held, up_to):
    """1 is finalised already, 2 and 3 are open."""
    request(protocol, staker, ETHER)
    settle(protocol)
    request(protocol, staker, ETHER, ETHER)
    report_as_oracle(protocol)
    with reverts(protocol.queue.RequestNotOpen, upTo=up_to, firstOpen=2, lastOpen=3):
        protocol.queue.finalize(up_to, sender=anybody)


@pytest.mark.parametrize("up_to", [0, 1])
def test_finalize_of_an_empty_queue_reverts(protocol, anybody, held, up_to):
    with reverts(protocol.queue.RequestNotOpen, upTo=up_to, firstOpen=1, lastOpen=0):
        protocol.queue.finalize(up_to, sender=anybody)


def test_Q3_nothing_is_finalised_twice(protocol, staker, anybody, held):
    request(protocol, staker, ETHER, ETHER)
    settle(protocol)
    for up_to in (1, 2):
        with reverts(protocol.queue.RequestNotOpen, upTo=up_to, firstOpen=3, lastOpen=2):
            protocol.queue.finalize(up_to, sender=anybody)


# --- C1: covered by a report ---


def test_C1_a_request_newer_than_the_newest_report_waits(protocol, staker, anybody, held):
    tx = report_as_oracle(protocol)
    next_at(tx.timestamp + 1)
    request(protocol, staker, ETHER)
    refused = {"requestedAt": tx.timestamp + 1, "referenceTime": tx.timestamp, "appliedAt": tx.timestamp}
    with reverts(protocol.queue.RequestNotCovered, **refused):
        protocol.queue.finalize(1, sender=anybody)


@pytest.mark.parametrize("lead", [0, 1])
def test_C1_a_report_covers_what_was_requested_up_to_its_reference_time(protocol, staker, anybody, held, lead):
    request(protocol, staker, ETHER)
    at = now()
    report_as_oracle(protocol, reference_time=at + lead, at=at + 1_000)
    protocol.queue.finalize(1, sender=anybody)
    assert protocol.queue.lastFinalizedId() == 1


def test_C1_it_is_the_reference_time_that_counts_not_the_time_of_the_report(protocol, staker, anybody, held):
    """The loss that makes somebody leave may lie between the two."""
    request(protocol, staker, ETHER)
    at = now()
    report_as_oracle(protocol, reference_time=at - 1, at=at + 1_000)
    with reverts(protocol.queue.RequestNotCovered, requestedAt=at, referenceTime=at - 1, appliedAt=at + 1_000):
        protocol.queue.finalize(1, sender=anybody)


def test_C1_a_report_covers_the_older_requests_alone(protocol, staker, anybody, held):
    request(protocol, staker, ETHER, ETHER)
    covered_until = now()
    next_at(covered_until + 1)
    request(protocol, staker, ETHER)
    tx = report_as_oracle(protocol, reference_time=covered_until)
    refused = {"requestedAt": covered_until + 1, "referenceTime": covered_until, "appliedAt": tx.timestamp}
    with reverts(protocol.queue.RequestNotCovered, **refused):
        protocol.queue.finalize(3, sender=anybody)
    protocol.queue.finalize(2, sender=anybody)
    assert protocol.queue.lastFinalizedId() == 2


@pytest.mark.parametrize("early_first", [True, False])
@pytest.mark.parametrize("together", [True, False])
def test_C1_leaving_before_a_loss_is_reported_saves_nothing(
    protocol, staker, other, anybody, held, early_first, together
):
    """Two equal users; validators are slashed; one asks before the report of it and one after. Same payout.

    30 of 991 ether are lost on 991 shares besides the two, so each 5 shares are worth 5 * 971 / 1001.
    """
    deposit_to_beacon(protocol, 320 * 10**9)
    queue = protocol.queue
    protocol.token.transfer(other, 5 * ETHER, sender=staker)
    slashed_at = now() + 10
    warp_to(slashed_at)
    early, late = (staker, other) if early_first else (other, staker)
    request(protocol, early, 5 * ETHER)
    reference, applied = protocol.vault.lastReport()
    with reverts(queue.RequestNotCovered, requestedAt=now(), referenceTime=reference, appliedAt=applied):
        queue.finalize(1, sender=anybody)
    report_as_oracle(protocol, gain=-30 * ETHER)
    if not together:
        queue.finalize(1, sender=anybody)
    request(protocol, late, 5 * ETHER)
    report_as_oracle(protocol)
    queue.finalize(2, sender=anybody)

    payouts = [queue.getRequest(request_id).assets for request_id in (1, 2)]
    exact = Fraction(5 * ETHER * 971, 1001)
    assert all(exact - 2 < payout <= exact + 1 for payout in payouts), payouts
    assert abs(payouts[0] - payouts[1]) <= 1


def test_C1_C11_those_who_wait_bear_a_loss_like_holders(protocol, staker, anybody, held):
    """What all claims pay is what the escrowed shares are worth after the loss, never more."""
    deposit_to_beacon(protocol, 500 * 10**9)
    request(protocol, staker, 100 * ETHER, 200 * ETHER)
    report_as_oracle(protocol, gain=-200 * ETHER)
    protocol.queue.finalize(2, sender=anybody)
    assert protocol.queue.balance == 300 * ETHER * 801 // 1001
    claims = sum(protocol.queue.claim(i, sender=anybody).events[-1].assets for i in (1, 2))
    assert 0 <= 300 * ETHER * 801 // 1001 - claims <= 1


# --- The window after a report ---


@pytest.fixture(scope="module")
def window(protocol):
    return protocol.params.queue.finalize_window


def test_the_queue_knows_the_window_of_its_parameters(protocol, window):
    assert protocol.queue.FINALIZE_WINDOW() == window == 7_200


@pytest.mark.parametrize("lag", [0, 1_000])
def test_C1_the_last_second_of_the_window_counts(protocol, staker, anybody, held, window, lag):
    """It is open from when the report was applied, whatever its reference time."""
    request(protocol, staker, ETHER)
    at = now()
    report_as_oracle(protocol, reference_time=at, at=at + 1 + lag)
    next_at(at + 1 + lag + window)
    protocol.queue.finalize(1, sender=anybody)
    assert protocol.queue.lastFinalizedId() == 1


def test_C1_one_second_later_a_covered_request_waits_for_the_next_report(protocol, staker, anybody, held, window):
    request(protocol, staker, ETHER)
    at = now()
    applied = report_as_oracle(protocol, reference_time=at, at=at + 100).timestamp
    next_at(applied + window + 1)
    with reverts(protocol.queue.RequestNotCovered, requestedAt=at, referenceTime=at, appliedAt=applied):
        protocol.queue.finalize(1, sender=anybody)
    report_as_oracle(protocol)
    protocol.queue.finalize(1, sender=anybody)
    assert protocol.queue.lastFinalizedId() == 1


@pytest.mark.parametrize("bring", ["sweep", "stake"])
def test_C1_who_waits_for_ether_cannot_bring_it_when_a_slashing_shows(
    protocol, staker, other, anybody, held, window, bring
):
    """Audit M1: covered, but without ether in the buffer; the owner used to wait until the next loss was visible, bring
    the ether and leave before the report. Now the loss is borne by all alike: 100 of 1,001 ether."""
    deposit_to_beacon(protocol, 900 * 10**9)
    request(protocol, staker, 201 * ETHER)
    report = report_as_oracle(protocol)
    warp_to(report.timestamp + window)
    if bring == "sweep":
        give_ether(protocol.gateway, 100 * ETHER)
        protocol.gateway.sweep(sender=staker)
    else:
        stake(protocol, other, 100 * ETHER)
    refused = {
        "requestedAt": protocol.queue.getRequest(1).requestedAt,
        "referenceTime": report.timestamp,
        "appliedAt": report.timestamp,
    }
    warp_to(report.timestamp + window + 1)
    assert protocol.queue.finalizable() == 0
    with reverts(protocol.queue.RequestNotCovered, **refused):
        protocol.queue.finalize(1, sender=staker)
    lost = 100 * ETHER
    report_as_oracle(protocol, gain=-lost)
    protocol.queue.finalize(1, sender=anybody)
    total = 1_001 * ETHER if bring == "sweep" else 1_101 * ETHER
    assert protocol.queue.balance == 201 * ETHER * (total - lost) // total


# --- Ether: from the buffer, never more ---


@pytest.mark.parametrize("missing", [0, 1])
def test_C8_finalize_needs_the_ether_in_the_buffer(protocol, staker, anybody, held, missing):
    """To the gwei: 101 ether are in the buffer."""
    deposit_to_beacon(protocol, 900 * 10**9)
    assert protocol.vault.buffer() == 101 * ETHER
    request(protocol, staker, 101 * ETHER + missing * GWEI)
    report_as_oracle(protocol)
    if missing:
        with reverts(protocol.vault.BufferTooLow, needed=101 * ETHER + GWEI, available=101 * ETHER):
            protocol.queue.finalize(1, sender=anybody)
    else:
        protocol.queue.finalize(1, sender=anybody)
        assert protocol.vault.buffer() == 0


def test_C8_ether_set_aside_is_not_in_the_buffer_any_more(protocol, staker, anybody, held):
    """Neither a deposit to the beacon chain nor a later finalisation can have it."""
    deposit_to_beacon(protocol, 900 * 10**9)
    request(protocol, staker, 100 * ETHER)
    settle(protocol)
    assert protocol.queue.balance == locked(protocol) == 100 * ETHER
    assert protocol.vault.buffer() == protocol.vault.depositable() == ETHER
    vault, depositor = protocol.vault, protocol.actors.depositor
    deposit = [(bytes(48), bytes(96), ETHER // GWEI + 1)]
    with reverts(vault.BufferTooLow, needed=ETHER + GWEI, available=ETHER):
        vault.depositToBeacon(deposit, sender=depositor)
    request(protocol, staker, ETHER + GWEI)
    report_as_oracle(protocol)
    with reverts(vault.BufferTooLow, needed=ETHER + GWEI, available=ETHER):
        protocol.queue.finalize(2, sender=anybody)
    assert protocol.queue.balance == 100 * ETHER


def test_C8_open_requests_keep_their_ether_from_the_beacon_chain(protocol, staker, held):
    request(protocol, staker, 100 * ETHER)
    assert protocol.vault.depositable() == 901 * ETHER
    with reverts(protocol.vault.BufferTooLow, needed=901 * ETHER + GWEI, available=901 * ETHER):
        protocol.vault.depositToBeacon([(bytes(48), bytes(96), 901 * 10**9 + 1)], sender=protocol.actors.depositor)


def test_C9_nobody_jumps_a_request_that_waits_for_ether(protocol, staker, other, anybody, held):
    """The first is too large for the buffer; the small one behind it could be paid and is not."""
    deposit_to_beacon(protocol, 900 * 10**9)
    protocol.token.transfer(other, ETHER, sender=staker)
    request(protocol, staker, 102 * ETHER)
    request(protocol, other, ETHER)
    report_as_oracle(protocol)
    with reverts(protocol.vault.BufferTooLow, needed=102 * ETHER, available=101 * ETHER):
        protocol.queue.finalize(1, sender=anybody)
    with reverts(protocol.vault.BufferTooLow, needed=103 * ETHER, available=101 * ETHER):
        protocol.queue.finalize(2, sender=anybody)
    assert protocol.queue.finalizable() == 0


def test_C9_the_part_in_front_is_paid_while_the_rest_waits(protocol, staker, other, anybody, held):
    deposit_to_beacon(protocol, 900 * 10**9)
    request(protocol, staker, 60 * ETHER, 41 * ETHER, GWEI * 10**6)
    report_as_oracle(protocol)
    assert protocol.queue.finalizable() == 2
    protocol.queue.finalize(2, sender=anybody)
    assert protocol.vault.buffer() == 0


@pytest.mark.parametrize("source", ["stake", "sweep", "rewards"])
def test_Q7_the_head_is_paid_once_ether_arrives(protocol, staker, other, anybody, held, source):
    """From whichever side: new stakes, ether back from validators, rewards of the execution layer."""
    deposit_to_beacon(protocol, 900 * 10**9)
    request(protocol, staker, 121 * ETHER)
    report_as_oracle(protocol)
    with reverts(protocol.vault.BufferTooLow, needed=121 * ETHER, available=101 * ETHER):
        protocol.queue.finalize(1, sender=anybody)
    if source == "stake":
        stake(protocol, other, 20 * ETHER)
    elif source == "sweep":
        give_ether(protocol.gateway, 20 * ETHER)
        protocol.gateway.sweep(sender=anybody)
    else:
        give_ether(protocol.rewards, 21 * ETHER)  # vesting raises the worth a little until then
        report_as_oracle(protocol, rewards=21 * ETHER)
    protocol.queue.finalize(1, sender=anybody)
    assert protocol.queue.lastFinalizedId() == 1


def test_Q7_everybody_can_leave_down_to_the_seed(protocol, staker, anybody, held):
    """A1: the seed's shares stay, so supply and total never reach zero."""
    request(protocol, staker, 1_000 * ETHER)
    settle(protocol)
    assert (protocol.vault.supply(), protocol.vault.pooled(), protocol.vault.rate()) == (ETHER, ETHER, ETHER)


def test_forced_ether_in_the_queue_or_the_vault_changes_no_payout(protocol, staker, anybody, held):
    """H3: ether that nobody counted is nobody's."""
    request(protocol, staker, 10 * ETHER)
    give_ether(protocol.queue, 7 * ETHER)
    give_ether(protocol.vault, 7 * ETHER)
    tx = settle(protocol)
    assert tx.events[-1:] == [protocol.queue.Finalized(1, 1, 1, 10 * ETHER, 10 * ETHER)]


def test_C2_slETH_sent_to_the_queue_joins_no_request(protocol, staker, anybody, held):
    """A plain transfer to the queue is a gift to nobody: requests pay what they escrowed."""
    protocol.token.transfer(protocol.queue, 50 * ETHER, sender=staker)
    request(protocol, staker, 10 * ETHER)
    assert protocol.queue.openShares() == 10 * ETHER
    tx = settle(protocol)
    assert tx.events[-1:] == [protocol.queue.Finalized(1, 1, 1, 10 * ETHER, 10 * ETHER)]
    assert protocol.token.balanceOf(protocol.queue) == 50 * ETHER


# --- C6: any number at one price ---


def test_C6_finalize_costs_the_same_for_1_100_and_1000_requests(protocol, staker, anybody, held):
    """At the minimum size, where it is cheapest to make many."""
    minimum = protocol.params.queue.minimum_request
    request(protocol, staker, minimum)
    settle(protocol)  # the first ever writes empty slots
    used = {}
    for count in (1, 100, 1_000):
        with ape.chain.isolate():
            for _ in range(-(-count // 250)):
                protocol.queue.requestBatch([minimum] * min(count, 250), staker, sender=staker)
            tx = settle(protocol)
            assert tx.events[-1:] == [protocol.queue.Finalized(2, 2, count + 1, count * minimum, count * minimum)]
            used[count] = tx.gas_used
    assert max(used.values()) - min(used.values()) < 200, used  # calldata: bytes of the id that are not zero
    assert max(used.values()) < GAS_BOUND, used


def test_C6_the_price_of_a_claim_does_not_depend_on_the_length_of_the_queue(protocol, staker, anybody, held):
    minimum = protocol.params.queue.minimum_request
    protocol.queue.requestBatch([minimum] * 250, staker, sender=staker)
    settle(protocol)
    used = [protocol.queue.claim(i, 1, staker, sender=staker).gas_used for i in (2, 125, 249)]
    assert max(used) - min(used) < 100, used
