"""WithdrawalQueue.request and requestBatch: shares go to escrow, a request is minted, nothing else moves."""

from __future__ import annotations

import ape
import pytest
from eth_abi import encode

from tests.helpers import DAY, ETHER, GWEI, ZERO, next_at, now, stake
from tests.queueing import requested, settle, whole_gwei
from tests.reverts import reverts

UINT64_MAX = 2**64 - 1


@pytest.fixture(scope="module")
def staker(protocol):
    return protocol.actors.staker


@pytest.fixture(scope="module")
def receiver(protocol):
    return protocol.actors.other


@pytest.fixture(scope="module")
def minimum(protocol):
    return protocol.params.queue.minimum_request


@pytest.fixture(scope="module")
def held(protocol, staker):
    """slETH of the staker: a hundred and a bit that is no whole gwei."""
    return stake(protocol, staker, 100 * ETHER + 123_456_789)


# --- One request ---


def test_request_escrows_the_shares_and_mints_the_request(protocol, staker, receiver, held):
    """INV-Q: escrow = sum of open requests."""
    queue, token = protocol.queue, protocol.token
    at = next_at(now() + 5)
    tx = queue.request(3 * ETHER, receiver, sender=staker)

    assert tx.events == [
        *requested(protocol, 1, staker, receiver, 3 * ETHER),
        token.Transfer(staker, queue, 3 * ETHER),
    ]
    assert tx.timestamp == at
    assert queue.ownerOf(1) == receiver
    assert queue.balanceOf(receiver) == 1
    assert queue.balanceOf(staker) == 0
    assert token.balanceOf(queue) == queue.openShares() == 3 * ETHER
    assert token.balanceOf(staker) == held - 3 * ETHER
    assert (queue.lastRequestId(), queue.lastFinalizedId(), queue.lastCheckpoint()) == (1, 0, 0)
    assert tuple(queue.getRequest(1)) == (receiver, 3 * ETHER, at, 3 * ETHER, False, False)


def test_request_returns_the_id(protocol, staker, held):
    assert protocol.queue.request.call(ETHER, staker, sender=staker) == 1
    protocol.queue.request(ETHER, staker, sender=staker)
    assert protocol.queue.request.call(ETHER, staker, sender=staker) == 2


def test_request_moves_neither_ether_nor_the_rate(protocol, staker, held):
    vault = protocol.vault

    def state():
        return vault.rate(), vault.supply(), vault.pooled(), vault.buffer(), protocol.queue.balance, vault.balance

    before = state()
    protocol.queue.request(50 * ETHER, staker, sender=staker)
    assert state() == before


def test_request_needs_and_spends_no_allowance(protocol, staker, held):
    token, queue = protocol.token, protocol.queue
    assert token.allowance(staker, queue) == 0
    queue.request(ETHER, staker, sender=staker)
    token.approve(queue, 5 * ETHER, sender=staker)
    queue.request(ETHER, staker, sender=staker)
    assert token.allowance(staker, queue) == 5 * ETHER
    assert token.balanceOf(staker) == held - 2 * ETHER


def test_request_takes_from_the_caller_alone(protocol, staker, held):
    """A stranger cannot hand in what others hold, though the queue needs no approval and even has one."""
    stranger = protocol.actors.stranger
    protocol.token.approve(protocol.queue, 2**256 - 1, sender=staker)
    with reverts(protocol.token.ERC20InsufficientBalance, sender=stranger, balance=0, needed=ETHER):
        protocol.queue.request(ETHER, stranger, sender=stranger)


@pytest.mark.parametrize("rest", [0, 1, GWEI - 1])
def test_request_leaves_what_is_below_a_gwei_with_the_caller(protocol, staker, held, rest):
    tx = protocol.queue.request(ETHER + rest, staker, sender=staker)
    assert tx.events == [
        *requested(protocol, 1, staker, staker, ETHER),
        protocol.token.Transfer(staker, protocol.queue, ETHER),
    ]
    assert protocol.token.balanceOf(staker) == held - ETHER
    assert protocol.queue.getRequest(1).shares == ETHER


def test_request_of_the_whole_balance_leaves_the_rest_of_a_gwei(protocol, staker, held):
    assert held % GWEI == 123_456_789
    protocol.queue.request(held, staker, sender=staker)
    assert protocol.token.balanceOf(staker) == 123_456_789
    assert protocol.queue.openShares() == 100 * ETHER


def test_request_reverts_one_gwei_above_the_balance(protocol, staker, held):
    needed = whole_gwei(held) + GWEI
    with reverts(protocol.token.ERC20InsufficientBalance, sender=staker, balance=held, needed=needed):
        protocol.queue.request(needed, staker, sender=staker)


def test_request_counts_whole_gwei_before_it_looks_at_the_balance(protocol, staker, held):
    """Up to the next whole gwei nothing more is taken, so more than the balance may be named."""
    protocol.queue.request(whole_gwei(held) + GWEI - 1, staker, sender=staker)
    assert protocol.queue.openShares() == whole_gwei(held)


@pytest.mark.parametrize("shares", ["0", "1", "GWEI", "minimum - 1"])
def test_C6_request_below_the_minimum_reverts(protocol, staker, held, minimum, shares):
    given = {"0": 0, "1": 1, "GWEI": GWEI, "minimum - 1": minimum - 1}[shares]
    with reverts(protocol.queue.RequestBelowMinimum, shares=given, minimum=minimum):
        protocol.queue.request(given, staker, sender=staker)


@pytest.mark.parametrize("above", [0, 1, GWEI])
def test_request_of_the_minimum_and_just_above(protocol, staker, held, minimum, above):
    protocol.queue.request(minimum + above, staker, sender=staker)
    assert protocol.queue.openShares() == whole_gwei(minimum + above)


def test_A8_request_of_the_largest_that_the_counter_holds_fails_for_want_of_shares(protocol, staker, held):
    """2^64 - 1 gwei: 18 billion slETH."""
    needed = UINT64_MAX * GWEI
    with reverts(protocol.token.ERC20InsufficientBalance, sender=staker, balance=held, needed=needed):
        protocol.queue.request(needed + GWEI - 1, staker, sender=staker)


@pytest.mark.parametrize("shares", [(UINT64_MAX + 1) * GWEI, 2**256 - 1])
def test_A8_request_beyond_the_counter_reverts(protocol, staker, held, shares):
    with reverts(protocol.queue.SafeCastOverflowedUintDowncast, bits=64, value=shares // GWEI):
        protocol.queue.request(shares, staker, sender=staker)


def test_A8_the_counter_is_cumulative(protocol, staker, held):
    """What was requested before counts against the 64 bits, so a sum can never wrap."""
    protocol.queue.request(ETHER, staker, sender=staker)
    with reverts(protocol.queue.SafeCastOverflowedUintDowncast, bits=64, value=UINT64_MAX + 10**9):
        protocol.queue.request(UINT64_MAX * GWEI, staker, sender=staker)


def test_request_for_nobody_reverts(protocol, staker, held):
    with reverts(protocol.queue.TransferToZeroAddress):
        protocol.queue.request(ETHER, ZERO, sender=staker)


def test_request_for_the_queue_itself_reverts(protocol, staker, held):
    with reverts(protocol.queue.RecipientInvalid, recipient=protocol.queue):
        protocol.queue.request(ETHER, protocol.queue, sender=staker)


def test_request_for_a_contract_calls_nothing(protocol, staker, held):
    """Minting is not the safe kind: a receiver's code cannot refuse, or run in the middle of a request."""
    tx = protocol.queue.request(ETHER, protocol.weth, sender=staker)
    assert protocol.queue.ownerOf(1) == protocol.weth
    assert len(tx.events) == 3


def test_request_is_possible_while_staking_is_paused(protocol, staker, held):
    protocol.act(protocol.actors.guardian, protocol.vault.pauseStaking, DAY)
    with reverts(protocol.vault.StakingIsPaused, until=protocol.vault.stakingPausedUntil()):
        protocol.vault.stake(staker, 0, ZERO, sender=staker, value=ETHER)
    protocol.queue.request(ETHER, staker, sender=staker)
    assert protocol.queue.openShares() == ETHER


@pytest.mark.parametrize("function", ["request", "requestBatch"])
def test_ether_sent_along_is_refused(protocol, staker, held, function):
    handler = getattr(protocol.queue, function)
    data = handler.encode_input(ETHER if function == "request" else [ETHER], staker)
    with reverts(b""):
        staker.transfer(protocol.queue, 1, data=data)


def test_A7_ids_rise_by_one_and_are_never_used_again(protocol, staker, held):
    for expected in (1, 2, 3):
        protocol.queue.request(ETHER, staker, sender=staker)
        assert protocol.queue.lastRequestId() == expected
    settle(protocol)
    for request_id in (1, 2, 3):
        protocol.queue.claim(request_id, sender=staker)
    tx = protocol.queue.request(2 * ETHER, staker, sender=staker)
    assert tx.events[:2] == [*requested(protocol, 4, staker, staker, 2 * ETHER)]
    assert protocol.queue.getRequest(4).shares == 2 * ETHER
    assert protocol.queue.openShares() == 2 * ETHER


# --- Batches ---


def test_requestBatch_mints_in_order_and_moves_the_shares_once(protocol, staker, receiver, held):
    queue = protocol.queue
    sizes = [ETHER + 1, 2 * ETHER + GWEI - 1, 3 * ETHER]
    tx = queue.requestBatch(sizes, receiver, sender=staker)
    assert tx.events == [
        *requested(protocol, 1, staker, receiver, ETHER),
        *requested(protocol, 2, staker, receiver, 2 * ETHER),
        *requested(protocol, 3, staker, receiver, 3 * ETHER),
        protocol.token.Transfer(staker, queue, 6 * ETHER),
    ]
    assert protocol.token.balanceOf(staker) == held - 6 * ETHER
    assert queue.balanceOf(receiver) == 3
    assert [tuple(queue.getRequest(i)) for i in (1, 2, 3)] == [
        (receiver, size, tx.timestamp, size, False, False) for size in (ETHER, 2 * ETHER, 3 * ETHER)
    ]


def test_requestBatch_returns_the_first_id(protocol, staker, held):
    protocol.queue.request(ETHER, staker, sender=staker)
    assert protocol.queue.requestBatch.call([ETHER, ETHER], staker, sender=staker) == 2


def test_A3_requestBatch_does_what_single_requests_do(protocol, staker, receiver, held):
    sizes = [ETHER + 5, 7 * ETHER + 999_999_999, 11 * ETHER]
    queue, token = protocol.queue, protocol.token
    at = now() + 100

    def state():
        return (
            [tuple(queue.getRequest(i)) for i in (1, 2, 3)],
            queue.openShares(),
            token.balanceOf(staker),
            token.balanceOf(queue),
            [queue.etherAhead(i) for i in (1, 2, 3)],
        )

    with ape.chain.isolate():
        next_at(at)
        queue.requestBatch(sizes, receiver, sender=staker)
        together = state()
    for size in sizes:
        next_at(at)
        queue.request(size, receiver, sender=staker)
    assert state() == together


def test_requestBatch_of_one(protocol, staker, held):
    tx = protocol.queue.requestBatch([ETHER], staker, sender=staker)
    assert tx.events == [
        *requested(protocol, 1, staker, staker, ETHER),
        protocol.token.Transfer(staker, protocol.queue, ETHER),
    ]


def test_requestBatch_of_nothing_reverts(protocol, staker, held):
    with reverts(protocol.queue.EmptyBatch):
        protocol.queue.requestBatch([], staker, sender=staker)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_requestBatch_with_one_below_the_minimum_does_nothing(protocol, staker, held, minimum, position):
    sizes = [ETHER] * 3
    sizes[position] = minimum - 1
    with reverts(protocol.queue.RequestBelowMinimum, shares=minimum - 1, minimum=minimum):
        protocol.queue.requestBatch(sizes, staker, sender=staker)
    assert protocol.queue.lastRequestId() == 0
    assert protocol.token.balanceOf(staker) == held


def test_requestBatch_above_the_balance_reverts_with_the_sum(protocol, staker, held):
    sizes = [60 * ETHER, 41 * ETHER]
    with reverts(protocol.token.ERC20InsufficientBalance, sender=staker, balance=held, needed=101 * ETHER):
        protocol.queue.requestBatch(sizes, staker, sender=staker)
    assert protocol.queue.lastRequestId() == 0


def test_A8_requestBatch_cannot_wrap_the_counter(protocol, staker, held):
    """Two halves of 2^64: a sum in 64 bits without a check would be nothing to pay for two requests."""
    half = 2**63 * GWEI
    with reverts(protocol.queue.SafeCastOverflowedUintDowncast, bits=64, value=2**64):
        protocol.queue.requestBatch([half, half], staker, sender=staker)


def test_requestBatch_for_nobody_or_the_queue_reverts(protocol, staker, held):
    with reverts(protocol.queue.TransferToZeroAddress):
        protocol.queue.requestBatch([ETHER, ETHER], ZERO, sender=staker)
    with reverts(protocol.queue.RecipientInvalid, recipient=protocol.queue):
        protocol.queue.requestBatch([ETHER, ETHER], protocol.queue, sender=staker)


# --- Ether sent to the queue ---


def test_plain_ether_is_refused(protocol, staker):
    with reverts(protocol.queue.EtherNotAccepted, sender=staker):
        staker.transfer(protocol.queue, 1)


def test_an_unknown_function_is_refused(protocol, staker):
    with reverts(b""):
        staker.transfer(protocol.queue, 0, data=b"\xde\xad\xbe\xef" + encode(["uint256"], [1]))


def test_INV_Q_the_vault_alone_may_pay_the_queue(protocol):
    """Payments of the vault pass through the same door."""
    vault = protocol.impersonate(protocol.vault, 2 * ETHER)
    before = protocol.queue.balance
    vault.transfer(protocol.queue, ETHER)
    assert protocol.queue.balance == before + ETHER
