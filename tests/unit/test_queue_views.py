"""What WithdrawalQueue tells readers, held against brute force and against numbers worked out here."""

from __future__ import annotations

import pytest

from tests.helpers import (
    DAY,
    ETHER,
    set_rate,
    stake,
)
from tests.queueing import accepts, request, settle
from tests.reverts import reverts

MAX = 2**256 - 1


@pytest.fixture(scope="module")
def owner(protocol):
    return protocol.actors.staker


@pytest.fixture(scope="module")
def other(protocol):
    return protocol.actors.other


@pytest.fixture(scope="module")
def anybody(protocol):
    return protocol.actors.stranger


@pytest.fixture(scope="module")
def queue(protocol):
    return protocol.queue


@pytest.fixture(scope="module")
def eight(protocol, owner, other):
    """Requests of 1 to 8 slETH: 1 | 2 3 4 | 5 6 in three checkpoints, 7 and 8 open. The even ones are the other's."""
    stake(protocol, owner, 1_000 * ETHER)
    made = 0
    for up_to in (1, 4, 6, 8):
        while made < up_to:
            made += 1
            request(protocol, owner, made * ETHER, receiver=owner if made % 2 else other)
        if up_to < 8:
            settle(protocol)


# --- A queue that nothing has happened to ---


def test_an_empty_queue(protocol, queue):
    assert (queue.lastRequestId(), queue.lastFinalizedId(), queue.lastCheckpoint()) == (0, 0, 0)
    assert queue.openShares() == queue.finalizable() == 0
    assert queue.requestsOf(protocol.actors.other, 0, MAX) == []
    assert tuple(queue.getCheckpoint(0)) == tuple(queue.getCheckpoint(1)) == (0, 0, 0, 0)


def test_the_queue_names_what_it_was_deployed_with(protocol, queue):
    assert (queue.token(), queue.vault()) == (protocol.token, protocol.vault)
    assert queue.descriptor() == protocol.descriptor
    assert queue.MIN_REQUEST() == protocol.params.queue.minimum_request == ETHER // 1000
    assert queue.STALE_AFTER() == protocol.params.queue.stale_after == 3 * DAY


# --- Checkpoints ---


def test_C4_Q6_each_finalised_request_accepts_exactly_one_checkpoint(queue, owner, anybody, eight):
    """All pairs of ids 0 to 10 and checkpoints 0 to 5."""
    right = {1: 1, 2: 2, 3: 2, 4: 2, 5: 3, 6: 3}
    for request_id in range(11):
        to = queue.getRequest(request_id).owner if 1 <= request_id <= 8 else owner
        works = {hint for hint in range(6) if accepts(queue.claim, request_id, hint, to, sender=anybody)}
        assert works == ({right[request_id]} if request_id in right else set()), request_id


def test_findCheckpoint_finds_the_one_that_is_accepted(queue, eight):
    ids = [1, 2, 3, 4, 5, 6]
    assert [queue.findCheckpoint(i) for i in ids] == [1, 2, 2, 2, 3, 3]
    assert queue.findCheckpoints(ids) == [1, 2, 2, 2, 3, 3]
    assert queue.findCheckpoints([6, 1, 6]) == [3, 1, 3]
    assert queue.findCheckpoints([]) == []


def test_findCheckpoint_still_finds_claimed_requests(queue, anybody, eight):
    queue.claim(3, sender=anybody)
    assert queue.findCheckpoint(3) == 2


@pytest.mark.parametrize("request_id", [7, 8])
def test_findCheckpoint_of_an_open_request_reverts(queue, eight, request_id):
    with reverts(queue.RequestNotFinalized, id=request_id):
        queue.findCheckpoint(request_id)
    with reverts(queue.RequestNotFinalized, id=request_id):
        queue.findCheckpoints([1, request_id])


@pytest.mark.parametrize("view", ["findCheckpoint", "getRequest", "etherAhead"])
@pytest.mark.parametrize("request_id", [0, 9, MAX])
def test_views_of_an_unknown_request_revert(queue, eight, view, request_id):
    with reverts(queue.RequestUnknown, id=request_id):
        getattr(queue, view)(request_id)


@pytest.mark.parametrize("request_id", [0, 9, MAX])
def test_tokenURI_of_an_unknown_request_reverts(queue, eight, request_id):
    with reverts(queue.TokenDoesNotExist):
        queue.tokenURI(request_id)


def test_getCheckpoint(queue, eight):
    assert [tuple(queue.getCheckpoint(i)) for i in range(5)] == [
        (0, 0, 0, 0),
        (1, 1, ETHER, ETHER),
        (2, 4, 9 * ETHER, 9 * ETHER),
        (5, 6, 11 * ETHER, 11 * ETHER),
        (0, 0, 0, 0),
    ]


# --- Requests ---


def test_getRequest_says_what_an_open_one_is_worth_and_what_a_finalised_one_pays(protocol, queue, owner, other, eight):
    """1,001 shares less the 21 finalised; 98 ether of gain, 9.8 of them as fee shares: 1,078 ether on 989.8 shares."""
    supply = protocol.vault.supply()
    assert supply == (1_001 - 21) * ETHER
    set_rate(protocol, gain=98 * ETHER)
    rate = (980 + 98) * ETHER, (980 * 10 + 98) * ETHER // 10
    times = [queue.getRequest(i).requestedAt for i in range(1, 9)]
    assert times == sorted(times)
    for i in range(1, 9):
        who = owner if i % 2 else other
        worth = i * ETHER if i <= 6 else i * ETHER * rate[0] // rate[1]
        assert tuple(queue.getRequest(i)) == (who, i * ETHER, times[i - 1], worth, i <= 6, False)


def test_etherAhead_is_the_worth_of_the_open_ones_before(protocol, queue, owner, eight):
    request(protocol, owner, 100 * ETHER)
    assert [queue.etherAhead(i) for i in range(1, 10)] == [0] * 7 + [7 * ETHER, 15 * ETHER]
    set_rate(protocol, gain=98 * ETHER)
    rate = (980 + 98) * ETHER, (980 * 10 + 98) * ETHER // 10
    assert queue.etherAhead(8) == 7 * ETHER * rate[0] // rate[1]
    assert queue.etherAhead(9) == 15 * ETHER * rate[0] // rate[1]


def test_openShares_is_the_sum_of_the_open_ones(protocol, queue, eight):
    assert queue.openShares() == 15 * ETHER == protocol.token.balanceOf(queue)
    settle(protocol, up_to=7)
    assert queue.openShares() == 8 * ETHER == protocol.token.balanceOf(queue)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (1, 8, [1, 3, 5, 7]),
        (0, MAX, [1, 3, 5, 7]),
        (2, 6, [3, 5]),
        (3, 3, [3]),
        (4, 4, []),
        (7, MAX, [7]),
        (8, 2, []),
        (9, MAX, []),
        (MAX, MAX, []),
        (0, 0, []),
    ],
)
def test_requestsOf_a_range(queue, owner, eight, first, last, expected):
    assert queue.requestsOf(owner, first, last) == expected


def test_requestsOf_follows_transfers_and_claims(queue, owner, other, anybody, eight):
    queue.transferFrom(owner, other, 5, sender=owner)
    queue.claim(2, sender=anybody)
    queue.claim(3, sender=anybody)
    assert queue.requestsOf(owner, 0, MAX) == [1, 7]
    assert queue.requestsOf(other, 0, MAX) == [4, 5, 6, 8]
    assert queue.requestsOf(anybody, 0, MAX) == []
    assert len(queue.requestsOf(other, 0, MAX)) == queue.balanceOf(other)
