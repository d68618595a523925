"""`finalizable` and the search for checkpoints, held against trying everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import DAY, ETHER, GWEI, deposit_to_beacon, now, report_as_oracle, stake, warp_to
from tests.in_process import Process, Reverted
from tests.queueing import accepts, request
from tests.small_core import MIN_REQUEST, SmallCore


@pytest.fixture(scope="module")
def owner(protocol):
    return protocol.actors.staker


@pytest.fixture(scope="module")
def anybody(protocol):
    return protocol.actors.stranger


@pytest.fixture(scope="module")
def queue(protocol):
    return protocol.queue


@pytest.fixture
def brute_force(queue, anybody):
    """The highest id that `finalize` accepts, by trying all; and none above a refused one may be accepted."""

    def highest() -> int:
        ids = range(queue.lastRequestId() + 3)
        works = [i for i in ids if accepts(queue.finalize, i, sender=anybody)]
        first = queue.lastFinalizedId() + 1
        assert works == list(range(first, first + len(works)))
        return works[-1] if works else 0

    return highest


@pytest.mark.parametrize("covered", [0, 1, 3, 6])
@pytest.mark.parametrize("left", [0, 1, 2, 4])
def test_Q7_finalizable_is_what_finalize_accepts(protocol, queue, owner, brute_force, covered, left):
    """Six requests of 10: a report covers the first `covered`, the buffer holds `left` of them and 9.99 more."""
    stake(protocol, owner, 100 * ETHER)
    buffer = left * 10 * ETHER + 999 * ETHER // 100
    deposit_to_beacon(protocol, (101 * ETHER - buffer) // GWEI)
    for made in range(1, 7):
        request(protocol, owner, 10 * ETHER)
        if made == covered:
            report_as_oracle(protocol)
        warp_to(now() + 10)
    assert queue.finalizable() == min(covered, left) == brute_force()


@pytest.mark.parametrize(("missing", "expected"), [(0, 2), (1, 1)])
def test_Q7_finalizable_to_the_gwei(protocol, queue, owner, brute_force, missing, expected):
    """A buffer of exactly what two requests are worth, and one gwei less."""
    stake(protocol, owner, 100 * ETHER)
    deposit_to_beacon(protocol, 81 * 10**9 + missing)
    for _ in range(3):
        request(protocol, owner, 10 * ETHER)
    report_as_oracle(protocol)
    assert protocol.vault.buffer() == 20 * ETHER - missing * GWEI
    assert queue.finalizable() == expected == brute_force()


def test_Q7_finalizable_follows_the_rate_while_rewards_vest(protocol, queue, owner, anybody, brute_force):
    """It is the worth at the second of the call that must fit the buffer: 50.5 ether, for requests of 10 shares each.

    101 + 3 + 27 * vested ether on 101 + 3 shares: five requests fit for 55 minutes, then four, until the window closes.
    """
    stake(protocol, owner, 100 * ETHER)
    deposit_to_beacon(protocol, 50_500_000_000)
    for _ in range(6):
        request(protocol, owner, 10 * ETHER)
    tx = report_as_oracle(protocol, gain=30 * ETHER)
    seen = []
    window = protocol.params.queue.finalize_window
    for elapsed in range(0, window + 1, window // 6):
        if elapsed:
            warp_to(tx.timestamp + elapsed)
        seen.append(queue.finalizable())
        total = 104 * ETHER + 27 * ETHER * elapsed // DAY
        assert seen[-1] == 505 * ETHER // 10 * 104 * ETHER // (10 * ETHER * total)
        assert brute_force() == seen[-1]
    assert seen == [5, 5, 5, 4, 4, 4, 4]
    warp_to(tx.timestamp + window + 1)
    assert queue.finalizable() == brute_force() == 0


@dataclass
class Small:
    """A core in this process with everything that a random history needs."""

    process: Process
    core: SmallCore
    holder: Any


@pytest.fixture(scope="module")
def small(project):
    process = Process()
    governance, fees, holder = (process.account(i) for i in range(3))
    core = SmallCore.deploy(project, governance, fees, process)
    core.stake(holder, 1_000 * ETHER)
    return Small(process, core, holder)


STEPS = st.one_of(
    st.tuples(st.just("request"), st.integers(MIN_REQUEST, 400 * ETHER)),
    st.tuples(st.just("report"), st.integers(0, 300)),
    st.tuples(st.just("wait"), st.integers(1, 3 * DAY)),
    st.tuples(st.just("finalize"), st.integers(1, 4)),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, min_size=3, max_size=14))
def test_Q3_Q7_finalizable_agrees_with_finalize_in_any_history(small, steps):
    """Random requests, gains without ether (they make the buffer too small), silence and partial finalisations."""
    process, core, holder = small.process, small.core, small.holder
    queue = core.queue
    start, clock = process.evm.snapshot(), process.now
    try:
        for kind, value in steps:
            if kind == "request":
                if core.token.balanceOf(holder) >= value:
                    queue.request(value, holder, sender=holder)
            elif kind == "report":
                core.earn(value * ETHER)
            elif kind == "wait":
                process.pass_time(value)
            elif up_to := queue.finalizable():
                queue.finalize(max(queue.lastFinalizedId() + 1, up_to - value), sender=holder)

        first, last = queue.lastFinalizedId() + 1, queue.lastRequestId()
        works = []
        for up_to in range(first - 1, last + 2):
            before = process.evm.snapshot()
            try:
                queue.finalize(up_to, sender=holder)
                works.append(up_to)
            except Reverted:
                pass
            process.evm.revert(before)
        assert works == list(range(first, first + len(works)))
        assert queue.finalizable() == (works[-1] if works else 0)
        for request_id in range(1, first):
            checkpoint = queue.getCheckpoint(queue.findCheckpoint(request_id))
            assert checkpoint[0] <= request_id <= checkpoint[1]
    finally:
        process.evm.revert(start)
        process.pass_time(clock - process.now)


def test_findCheckpoint_among_many_checkpoints(small):
    """Forty finalisations of one to three requests: the search is right for each of them, at every length so far."""
    process, core, holder = small.process, small.core, small.holder
    queue = core.queue
    start, clock = process.evm.snapshot(), process.now
    try:
        right: dict[int, int] = {}
        for checkpoint in range(1, 41):
            for _ in range(checkpoint % 3 + 1):
                queue.request(MIN_REQUEST, holder, sender=holder)
                right[queue.lastRequestId()] = checkpoint
            core.touch()
            queue.finalize(queue.lastRequestId(), sender=holder)
            if checkpoint in (1, 2, 3, 4, 7, 8, 9, 31, 32, 33, 40):
                assert {i: queue.findCheckpoint(i) for i in right} == right
        assert queue.findCheckpoints(list(right)) == tuple(right.values())
    finally:
        process.evm.revert(start)
        process.pass_time(clock - process.now)
