"""The queue beside the exact model, and what no way of using it may change: batching, order, time of asking."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations

import pytest

from tests.helpers import DAY, ETHER, GWEI, now, warp_to
from tests.in_process import Process
from tests.queueing import Twin, locked
from tests.small_core import MIN_REQUEST, SmallCore


@pytest.fixture(scope="module")
def staker(protocol):
    return protocol.actors.staker


@pytest.fixture(scope="module")
def other(protocol):
    return protocol.actors.other


@pytest.fixture
def twin(protocol):
    return Twin(protocol)


# --- Shares in escrow go on earning ---


def test_C2_escrowed_shares_earn_while_they_wait(protocol, twin, staker):
    """Exact at several moments of a vesting reward: worth(t) = shares * (pooled - unvested(t)) / supply, rounded down.

    10 of 101 shares wait; a reward of 10.1 ether comes, 10% of it as fee shares at the rate before, and vests in a day.
    """
    assert twin.stake(staker, 100 * ETHER) == 100 * ETHER
    twin.request(staker, 10 * ETHER)
    twin.report(gain=101 * ETHER // 10)
    start = now()

    reward = Fraction(101, 10) * ETHER
    supply = 101 * ETHER + reward / 10
    for elapsed in (0, 1, DAY // 3, DAY // 2, DAY - 1, DAY, 2 * DAY):
        if elapsed:
            warp_to(start + elapsed)
        vested = reward * 9 / 10 * min(Fraction(elapsed, DAY), Fraction(1))
        by_hand = int(10 * ETHER * (101 * ETHER + reward / 10 + vested.__floor__()) / supply)
        assert protocol.queue.getRequest(1).assets == by_hand
        assert twin.vault.to_assets_down(10 * ETHER, start + elapsed).integer == by_hand


def test_C2_a_request_earns_what_the_same_shares_in_a_wallet_earn(protocol, twin, staker, other):
    """To the wei, at any time before it is finalised: waiting is neither punished nor an option worth having."""
    twin.odd_rate(staker)
    twin.request(staker, 123 * ETHER)
    protocol.token.transfer(other, 123 * ETHER, sender=staker)
    twin.vault.transfer(str(staker), str(other), 123 * ETHER)
    twin.report(gain=3 * ETHER)
    start = now()
    for elapsed in (1, DAY // 7, DAY):
        warp_to(start + elapsed)
        in_wallet = protocol.vault.convertToAssets(protocol.token.balanceOf(other))
        assert protocol.queue.getRequest(1).assets == in_wallet
        assert in_wallet == twin.vault.to_assets_down(123 * ETHER, now()).integer


@pytest.mark.parametrize("change", [-90, -1, 0, 1, 90])
def test_C2_C10_who_asks_and_waits_never_gains_on_who_holds(protocol, twin, staker, other, change):
    """One asks before a report, one holds and asks after; both are paid in one finalisation. Neither is ahead."""
    twin.odd_rate(staker)
    twin.deposit(320 * 10**9)
    protocol.token.transfer(other, 50 * ETHER, sender=staker)
    twin.vault.transfer(str(staker), str(other), 50 * ETHER)
    early = twin.request(staker, 50 * ETHER)
    twin.report(gain=change * ETHER)
    late = twin.request(other, 50 * ETHER)
    warp_to(now() + DAY // 2)
    twin.report()
    twin.finalize(late)
    assert twin.claim(early) == twin.claim(late)


@pytest.mark.parametrize("pause", [0, 1, 3_600])
def test_C10_out_and_in_again_gains_nothing(protocol, twin, staker, other, pause):
    """INV 9: stake, ask, be paid, stake what was paid: never more shares than before."""
    twin.odd_rate(other)
    shares = twin.stake(staker, 33 * ETHER + 1)
    request_id = twin.request(staker, shares)
    twin.report()
    warp_to(now() + pause + 1)
    twin.finalize(request_id)
    paid = twin.claim(request_id)
    assert paid <= 33 * ETHER + 1
    again = twin.stake(staker, paid)
    assert again + shares % GWEI <= shares


def test_a_history_agrees_with_the_model_at_every_step(protocol, twin, staker, other):
    """Stakes, gains, tips, a loss and requests of two users, finalised in uneven parts; every wei as worked out."""
    twin.odd_rate(staker)
    twin.stake(other, 77 * ETHER + 7)
    twin.deposit(160 * 10**9)
    for step in range(1, 6):
        twin.request(staker, step * 7 * ETHER + step * 333_333_333)
        twin.request(other, step * ETHER + 5 * 10**8, receiver=staker)
        twin.report(gain=(step - 3) * 11 * ETHER, rewards=step * 10**17 + step)
        warp_to(now() + step * 1_111)
        twin.finalize(2 * step - 1)
        if step % 2:
            twin.claim(2 * step - 1)
    twin.report(gain=-5 * ETHER)
    twin.finalize(10)
    for request_id in (10, 2, 4, 6, 3, 8, 7):
        twin.claim(request_id)
    assert protocol.queue.balance == locked(protocol) == twin.queue.locked
    assert protocol.queue.balance == sum(c.assets for c in twin.queue.checkpoints) - sum(
        log.assets for log in protocol.queue.Claimed
    )
    assert protocol.vault.totalAssets() == twin.vault.total(now())
    assert protocol.vault.supply() == twin.vault.supply
    assert protocol.queue.requestsOf(staker, 1, 10) == []


# --- C3: every way to split a queue into finalisations ---


@pytest.fixture(scope="module")
def small(project):
    process = Process()
    governance, fees, holder = (process.account(i) for i in range(3))
    core = SmallCore.deploy(project, governance, fees, process)
    core.stake(holder, 1_000 * ETHER + 987_654_321)
    core.tip(holder, 71 * ETHER + 1)  # an odd rate, paid for
    return process, core, holder


def splits(count: int) -> Iterator[list[int]]:
    """All ways to finalise requests 1 to ``count`` in order, by the last id of each finalisation."""
    for cuts in range(count):
        for chosen in combinations(range(1, count), cuts):
            yield [*chosen, count]


SIZES = {
    "equal": [ETHER] * 6,
    "least": [MIN_REQUEST] * 6,
    "odd": [MIN_REQUEST + GWEI, ETHER + 7 * GWEI, 3 * ETHER, 97 * ETHER + GWEI, 13 * GWEI + ETHER, 333_333_333 * GWEI],
    "one large": [MIN_REQUEST, MIN_REQUEST, 900 * ETHER, MIN_REQUEST, MIN_REQUEST, MIN_REQUEST],
}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize("count", range(1, 7))
def test_C3_Q1_Q2_what_a_request_pays_does_not_depend_on_how_the_queue_is_split(small, sizes, count):
    """Dust: at most 2 wei below the exact worth (rounded down when redeemed and when divided); above it by less than a
    wei for each finalisation before, whose dust stays with those who wait.

    Ether locked is what the checkpoints took; the sum of all claims is at most that, less than a wei a request below.
    """
    process, core, holder = small
    queue, rate = core.queue, core.rate
    start, clock = process.evm.snapshot(), process.now
    sizes = sizes[:count]
    payouts: list[list[int]] = []
    try:
        for size in sizes:
            queue.request(size, holder, sender=holder)
        core.touch()
        assert core.rate == rate
        for split in splits(count):
            before = process.evm.snapshot()
            taken = sum(queue.finalize(up_to, sender=holder) for up_to in split)
            assert queue.balance == taken
            paid = [queue.claim(i + 1, sender=holder) for i in range(count)]
            assert 0 <= taken - sum(paid) < count
            assert queue.balance == taken - sum(paid)
            for request_id, (size, assets) in enumerate(zip(sizes, paid, strict=True), start=1):
                earlier = sum(up_to < request_id for up_to in split)
                assert rate * size - 2 < assets <= rate * size + earlier
            payouts.append(paid)
            process.evm.revert(before)
        assert len(payouts) == 2 ** (count - 1)
        for of_one in zip(*payouts, strict=True):
            assert max(of_one) - min(of_one) <= count
    finally:
        process.evm.revert(start)
        process.pass_time(clock - process.now)


@pytest.mark.parametrize("count", [3, 6])
def test_C3_with_a_report_between_each_request_is_paid_at_the_rate_of_its_own_finalisation(small, count):
    """Nobody pays another's loss: a report before each finalisation moves the rate for those still open alone."""
    process, core, holder = small
    queue = core.queue
    start, clock = process.evm.snapshot(), process.now
    try:
        core.earn(100 * ETHER)
        for size in SIZES["odd"][:count]:
            queue.request(size, holder, sender=holder)
        for split in splits(count):
            before, before_time = process.evm.snapshot(), process.now
            first = 1
            for turn, up_to in enumerate(split):
                if turn % 2:
                    core.lose(9 * ETHER)
                else:
                    core.tip(holder, 5 * ETHER + turn)
                rate = core.rate
                queue.finalize(up_to, sender=holder)
                for request_id in range(first, up_to + 1):
                    worth = rate * SIZES["odd"][request_id - 1]
                    assert worth - 2 < queue.getRequest(request_id)[3] <= worth
                first = up_to + 1
            process.evm.revert(before)
            process.pass_time(before_time - process.now)
    finally:
        process.evm.revert(start)
        process.pass_time(clock - process.now)
