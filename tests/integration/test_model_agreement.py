"""Sequences on the real contracts beside the exact model: named stories, and laws that need two lives to compare.

Long random lives are in tests/stateful. Here every life starts from the same chain and runs in process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sluice.model.vault import MAX_VESTING_PERIOD
from tests.backends import NodeBackend, ProcessBackend, in_process
from tests.pair import COVER, DAY, ETHER, GWEI, Pair, Site
from tests.protocol import Protocol
from tests.site import prepare_site

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
EXAMPLES = settings(max_examples=200 if DEEP else 15, deadline=None, suppress_health_check=list(HealthCheck))
AMOUNT = st.integers(10**15, 20_000 * ETHER)
POOL = st.integers(4, 10_000)  # ether
PPM = st.integers(-40_000, 5_000)
Life = Callable[[], Pair]


@pytest.fixture(scope="module")
def prepared(protocol: Protocol) -> tuple[Site, NodeBackend]:
    return prepare_site(protocol)


@pytest.fixture(scope="module")
def life(prepared: tuple[Site, NodeBackend]) -> Life:
    site, node = prepared
    copy: Callable[[], ProcessBackend] = in_process(node)
    return lambda: Pair(copy(), site)


def with_rate(pair: Pair, pool: int, ppm: int) -> None:
    """A pool of ``pool`` ether whose validators have earned ``ppm`` of their balance (or lost it), all vested."""
    assert pair.stake("user3", pool * ETHER) is not None
    pair.deposit_to_beacon(pool * GWEI // 2)
    pair.wait(DAY)
    if ppm >= 0:
        pair.earn(pool * GWEI // 2 * ppm // 10**6)
    else:
        pair.lose(pool * GWEI // 2 * -ppm // 10**6)
    next_day(pair)
    pair.wait(MAX_VESTING_PERIOD)


def next_day(pair: Pair) -> None:
    frame = pair.site.frame
    pair.wait(frame - (pair.now - pair.site.genesis) % frame)
    pair.report()


def redeem(pair: Pair, who: str, *requests: int) -> int:
    """Wait out the queue and claim; wei."""
    next_day(pair)
    pair.finalize(pair.queue.last_request_id, who)
    return sum(pair.claim(request, who).integer for request in requests)


def everything(pair: Pair) -> None:
    pair.chain.settle()
    pair.check()
    pair.check_requests(range(1, pair.queue.last_request_id + 1))
    pair.check_ether()


def test_through_the_node_every_figure_is_the_models(prepared: tuple[Site, NodeBackend]) -> None:
    pair = Pair(prepared[1], prepared[0])
    steps = [
        lambda: pair.stake("user0", 100 * ETHER + 1),
        lambda: pair.mint("user1", 50 * ETHER + 7, spare=3),
        lambda: pair.transfer("user1", COVER, ETHER // 3),
        lambda: pair.deposit_to_beacon(64 * GWEI),
        lambda: pair.request("user0", 10 * ETHER + 123_456_789, "user2"),
        lambda: pair.earn(GWEI // 7),
        lambda: next_day(pair),
        lambda: pair.finalize(1, "user3"),
        lambda: pair.request_batch("user1", [ETHER, 2 * ETHER + 1, 3 * ETHER], "user1"),
        lambda: pair.request_with_permit("user0", ETHER, "user2", submitter="user1"),
        lambda: pair.wait(DAY // 3),
        lambda: pair.lose(3 * GWEI),
        lambda: next_day(pair),
        lambda: pair.transfer_request(3, "user3"),
        lambda: pair.finalize(5, "user0"),
        lambda: [pair.claim(n, "user2") for n in (5, 1, 3)],
        lambda: pair.exit(30 * GWEI),
        lambda: pair.sweep("user0"),
        lambda: pair.claim(4, "user0", hint=2),
    ]
    for step in steps:
        step()
        everything(pair)
    assert pair.queue.last_finalized_id == 5
    assert pair.vault.outside < 64 * GWEI * GWEI


@EXAMPLES
@given(
    pool=POOL,
    ppm=PPM,
    amount=AMOUNT,
    part=st.fractions(0, 1),
)
def test_splitting_a_stake_never_pays(life: Life, pool: int, ppm: int, amount: int, part: Fraction) -> None:
    """INV-VAL-03."""
    first = max(10**15, int(amount * part))
    second = max(10**15, amount - first)
    whole, parts = life(), life()
    for pair in (whole, parts):
        with_rate(pair, pool, ppm)
    at = whole.now + 2
    whole.wait(1)
    got_whole = whole.stake("user0", first + second)
    got_first = parts.stake("user0", first)
    got_second = parts.stake("user0", second)
    assert whole.now == at == parts.now
    in_parts = got_first.integer + got_second.integer
    # what the first part's rounding left in the pool, the second pays for in proportion
    assert in_parts <= got_whole.integer <= in_parts + 2 + second // (pool * ETHER // 2)


@EXAMPLES
@given(pool=POOL, ppm=PPM, amount=AMOUNT, minting=st.booleans())
def test_staking_and_leaving_never_pays(life: Life, pool: int, ppm: int, amount: int, minting: bool) -> None:
    """INV-VAL-01: without a report's gain in between nobody gets out more than was put in."""
    pair = life()
    with_rate(pair, pool, ppm)
    before = pair.staked
    if minting:
        pair.mint("user0", amount)
    else:
        pair.stake("user0", amount)
    paid = pair.staked - before
    request = pair.request("user0", int(pair.vault.balance_of("user0")))
    if request is None:
        return
    kept = pair.vault.worth("user0", pair.now)
    got = redeem(pair, "user0", request)
    assert got + kept <= paid
    # less only by what is below a gwei of shares, and by roundings of a wei
    assert paid - (got + kept) <= 3 * max(1, pair.vault.rate(pair.now))
    everything(pair)


@EXAMPLES
@example(pool=4, sizes=[4_060_138_117_888_453, 2_260_558_370_461_750, 3_590_388_323_145_224_079], loss=0)  # 2 wei
@given(
    pool=POOL,
    sizes=st.lists(st.integers(10**15, 100 * ETHER), min_size=2, max_size=4),
    loss=st.integers(0, 10**9),
)
def test_C3_payments_do_not_depend_on_how_requests_are_batched(
    life: Life, pool: int, sizes: list[int], loss: int
) -> None:
    """All ways to cut the queue into finalisations pay every request the same, but for a wei of its own rounding and a
    wei that each finalisation before it may have left to the pool.
    """
    count = len(sizes)
    outcomes = []
    for cuts in [c for r in range(count) for c in combinations(range(1, count), r)]:
        pair = life()
        with_rate(pair, pool, 1_000)
        pair.stake("user0", sum(sizes) * 2)
        pair.request_batch("user0", sizes, "user0")
        pair.lose(loss)
        next_day(pair)  # nothing vests: the rate does not move
        taken = 0
        for up_to in (*cuts, count):
            taken += pair.finalize(up_to, "user1").integer
        paid = [pair.claim(n, "user1").integer for n in range(1, count + 1)]
        assert 0 <= taken - sum(paid) < count
        outcomes.append(paid)
    for paid in outcomes[1:]:
        assert all(abs(a - b) <= before + 1 for before, (a, b) in enumerate(zip(paid, outcomes[0], strict=True)))


@EXAMPLES
@given(pool=POOL, loss=st.integers(1, 10**9), amount=st.integers(10**15, 100 * ETHER))
def test_C1_slashing_cannot_be_escaped_by_asking_first(life: Life, pool: int, loss: int, amount: int) -> None:
    """INV-QUE-12: who asked before the loss was reported and who asks after it get the same."""
    pair = life()
    with_rate(pair, pool, 0)
    for who in ("user0", "user1"):
        pair.stake(who, amount)
    pair.wait(1)
    early = pair.request("user0", int(pair.vault.balance_of("user0")))
    pair.lose(loss)
    assert pair.finalize(early, "user0") is None  # no report covers it yet
    next_day(pair)
    late = pair.request("user1", int(pair.vault.balance_of("user0") + pair.queue.requests[early - 1].shares))
    if late is None:
        late = pair.request("user1", int(pair.vault.balance_of("user1")))
    next_day(pair)
    pair.finalize(late, "user2")
    first, second = (pair.claim(n, "user2").integer for n in (early, late))
    assert abs(first - second) <= 1 + GWEI * 2


@EXAMPLES
@given(pool=POOL, gain=st.integers(1, 10**8), amount=st.integers(ETHER, 5_000 * ETHER))
def test_D1_report_cannot_be_sandwiched(life: Life, pool: int, gain: int, amount: int) -> None:
    """INV-ACC-09: staked a second before the report, asked back a second after it: nothing is earned in between."""
    pair = life()
    with_rate(pair, pool, 0)
    pair.earn(gain)
    frame = pair.site.frame
    pair.wait(frame - (pair.now - pair.site.genesis) % frame + pair.site.limits.min_age)
    paid = pair.stake("user0", amount)
    rate = pair.vault.rate(pair.now)
    pair.report()
    assert pair.vault.profit > 0
    assert abs(pair.vault.rate(pair.now) - rate) * pair.vault.supply <= 3
    assert paid is not None
    assert pair.vault.worth("user0", pair.now) <= amount + 1


@EXAMPLES
@given(pool=POOL, ppm=PPM, amounts=st.tuples(AMOUNT, AMOUNT))
def test_order_of_two_stakes_changes_neither(life: Life, pool: int, ppm: int, amounts: tuple[int, int]) -> None:
    """INV-VAL-04."""
    shares = []
    for order in (("user0", "user1"), ("user1", "user0")):
        pair = life()
        with_rate(pair, pool, ppm)
        given_amounts = dict(zip(("user0", "user1"), amounts, strict=True))
        got = {who: pair.stake(who, given_amounts[who]).integer for who in order}
        shares.append(got)
        everything(pair)
    dust = 2 + max(amounts) // (pool * ETHER // 2)
    assert all(abs(shares[0][who] - shares[1][who]) <= dust for who in ("user0", "user1"))
