"""Against the pool and those who leave it: sandwiches, enormous numbers, splits, a run, closed doors and upgrades
(rows A, C, D1, H and J of docs/security.md)."""

from __future__ import annotations

import itertools

import ape
import pytest

from tests.helpers import (
    DAY,
    ETHER,
    GWEI,
    ZERO,
    advance_frame,
    deposit_to_beacon,
    force_with_code,
    give_ether,
    now,
    report_as_oracle,
    set_rate,
    signed_report,
    stake,
    warp_to,
)
from tests.reverts import reverts

PANIC_OVERFLOW = 0x11


@pytest.fixture(scope="module")
def pool(protocol):
    """1,000 ether pooled at a rate that is no round number, 320 of them on the consensus layer."""
    stake(protocol, protocol.actors.staker, 999 * ETHER)
    deposit_to_beacon(protocol, 320 * GWEI)
    set_rate(protocol, 12_345_678_901 * GWEI)
    return protocol.vault


# --- A: rate and rounding ---


@pytest.mark.parametrize("gift", [1, GWEI, ETHER, 90_000 * ETHER])
@pytest.mark.parametrize("victim", [ETHER // 1_000, 3 * ETHER + 1])
def test_A1_no_gift_of_the_first_staker_takes_anything_from_the_second(protocol, gift, victim):
    vault, attacker = protocol.vault, protocol.actors.other
    least = vault.MIN_STAKE()
    shares = stake(protocol, attacker, least)
    for target in (vault, protocol.gateway, protocol.rewards, protocol.queue, protocol.token):
        force_with_code(attacker, target, gift)
    protocol.gateway.sweep(sender=attacker)
    got = stake(protocol, protocol.actors.staker, victim)
    assert victim - vault.convertToAssets(got) <= 10
    assert vault.convertToAssets(shares) <= least


def test_A5_numbers_beyond_all_ether_meet_an_error_and_wrap_nothing(protocol, pool):
    attacker = protocol.actors.other
    for assets in (2**96 - 1, 2**96, 2**97 + 1):
        give_ether(attacker, assets)
        with reverts(pool.StakeAboveLimit, given=assets):
            pool.stake(attacker, 0, ZERO, sender=attacker, value=assets)
    for function in (pool.convertToAssets, pool.convertToShares, pool.previewMint):
        with reverts(PANIC_OVERFLOW):
            function(2**256 - 1)
    with reverts(PANIC_OVERFLOW):
        pool.mint(2**255, attacker, sender=attacker, value=ETHER)
    queue = protocol.queue
    for shares in (2**96, 2**255):  # shares of all requests are counted in 64 bits of gwei
        with reverts(queue.SafeCastOverflowedUintDowncast, bits=64, value=shares // GWEI):
            queue.request(shares, attacker, sender=attacker)
    most = (2**64 - 1) * GWEI
    with reverts(protocol.token.ERC20InsufficientBalance, sender=attacker.address, balance=0, needed=most):
        queue.request(most, attacker, sender=attacker)


# --- C: exits ---


def test_C3_any_split_into_finalisations_pays_the_same_within_a_wei_a_request(protocol, pool):
    queue, staker = protocol.queue, protocol.actors.staker
    sizes = [7 * ETHER + 3, 11 * ETHER + 5_000_000_001, 13 * ETHER // 7, ETHER // 1_000 + GWEI]
    for size in sizes:
        queue.request(size, staker, sender=staker)
    report_as_oracle(protocol)
    sums = []
    for cuts in itertools.product([False, True], repeat=3):
        with ape.chain.isolate():
            for upto in [i + 1 for i, cut in enumerate(cuts) if cut] + [4]:
                queue.finalize(upto, sender=protocol.actors.stranger)
            aside = queue.balance
            paid = [queue.getRequest(i).assets for i in range(1, 5)]
            assert sum(paid) <= aside
            for i in range(1, 5):
                queue.claim(i, sender=protocol.actors.stranger)
            assert queue.balance == aside - sum(paid)
            sums.append(paid)
    for column in zip(*sums, strict=True):
        assert max(column) - min(column) <= 1


def test_C2_who_funds_the_queue_after_a_slashing_does_not_leave_before_it_counts(protocol, pool):
    queue, vault, attacker = protocol.queue, protocol.vault, protocol.actors.other
    shares = stake(protocol, attacker, 1_000 * ETHER)
    deposit_to_beacon(protocol, 1_600 * GWEI)
    queue.request(shares // GWEI * GWEI, attacker, sender=attacker)
    request = queue.getRequest(1)
    report_as_oracle(protocol)  # covers it; the ether is elsewhere
    applied = now()
    with reverts(vault.BufferTooLow, available=vault.buffer()):
        queue.finalize(1, sender=attacker)
    warp_to(applied + queue.FINALIZE_WINDOW() + 600)
    stake(protocol, attacker, 2_000 * ETHER)  # brings the ether, having seen the slashing
    reference, applied = vault.lastReport()
    with reverts(queue.RequestNotCovered, requestedAt=request.requestedAt, referenceTime=reference, appliedAt=applied):
        queue.finalize(1, sender=attacker)
    before = vault.rate()
    report_as_oracle(protocol, gain=-40 * ETHER)
    assert vault.rate() < before
    share = vault.convertToAssets(request.shares)
    queue.finalize(1, sender=attacker)
    assert queue.getRequest(1).assets == share < 1_000 * ETHER


# --- D1: the sandwich, all the way out ---


@pytest.mark.parametrize("gain", [ETHER // 10, 30 * ETHER])
def test_D1_sandwich_around_a_report_earns_what_vests_while_it_waits_and_pays_for_it(protocol, gain):
    """A hundred times the pool in front of a report and out at the next: the rewards of a frame, as any holder."""
    vault, queue, attacker = protocol.vault, protocol.queue, protocol.actors.other
    stake(protocol, protocol.actors.staker, 999 * ETHER)
    deposit_to_beacon(protocol, 640 * GWEI)
    advance_frame(protocol)
    signed_report(protocol)
    advance_frame(protocol)
    assets = 100_000 * ETHER
    shares = stake(protocol, attacker, assets)
    signed_report(protocol, gain=gain)
    queue.request(shares, attacker, sender=attacker)
    with reverts(queue.RequestNotCovered):  # not before a report younger than the request
        queue.finalize(1, sender=attacker)
    assert vault.convertToAssets(shares) <= assets + gain * 60 // DAY
    advance_frame(protocol)
    signed_report(protocol)
    paid = queue.finalize(1, sender=attacker).events[-1].assets
    net = gain - gain // 10
    assert assets - 1 <= paid <= assets + net * shares // vault.convertToShares(101_000 * ETHER)


# --- H4: a run ---


def test_H4_half_of_the_pool_leaves_and_everybody_is_paid_at_one_rate(protocol, pool):
    queue, vault, actors = protocol.queue, protocol.vault, protocol.actors
    holders = [actors.staker, actors.other, actors.treasury]
    for holder in holders[1:]:
        stake(protocol, holder, 700 * ETHER)
    deposit_to_beacon(protocol, 1_900 * GWEI)
    rate = vault.rate()
    leaving = 0
    for index in range(6):
        holder = holders[index % 3]
        queue.request(200 * ETHER, holder, sender=holder)
        leaving += 200 * ETHER
    assert leaving * 2 > vault.supply() - ETHER
    last = 0
    for _ in range(4):  # exits arrive, day by day, and are paid in order
        give_ether(protocol.gateway, 320 * ETHER)
        report_as_oracle(protocol, at=now() + DAY, withdrawn=vault.consensus()[2] + 320 * GWEI)
        upto = queue.finalizable()
        if upto:
            queue.finalize(upto, sender=actors.stranger)
            last = upto
        assert vault.rate() >= rate
        assert queue.balance >= sum(queue.getRequest(i).assets for i in range(1, last + 1))
    assert last == 6
    for i in range(1, 7):
        assert queue.claim(i, sender=actors.stranger).events[-1].assets >= 200 * ETHER * rate // ETHER - 1
    assert vault.balance == vault.buffer()


# --- J: governance ---


def test_J1_nothing_can_be_initialised(protocol):
    for name, contract in protocol.contracts.items():
        words = [abi.name.lower() for abi in contract.contract_type.methods]
        assert not [word for word in words if word.startswith(("init", "reinit", "setup"))], name


@pytest.mark.parametrize("part", ["gateway_implementation", "gateway"])
def test_J1_J2_gateway_keeps_no_storage(protocol, pool, part):
    force_with_code(protocol.actors.other, protocol.gateway, 5 * ETHER)
    protocol.gateway.sweep(sender=protocol.actors.stranger)
    web3 = ape.chain.provider.web3
    for slot in range(32):
        assert int.from_bytes(web3.eth.get_storage_at(getattr(protocol, part).address, slot)) == 0


def test_J2_upgraded_gateway_hands_over_what_the_one_before_held(protocol, pool):
    give_ether(protocol.gateway, 7 * ETHER)
    implementation = protocol.actors.stranger.deploy(ape.project.NextGateway, protocol.vault, protocol.actors.stranger)
    outside = pool.outside()
    protocol.act(protocol.actors.governor, protocol.proxy_admin.upgradeAndCall, protocol.gateway, implementation, b"")
    upgraded = ape.project.NextGateway.at(protocol.gateway.address, fetch_from_explorer=False, detect_proxy=False)
    assert upgraded.generation() == 2
    protocol.gateway.sweep(sender=protocol.actors.stranger)
    assert (pool.outside(), protocol.gateway.balance) == (outside - 7 * ETHER, 0)


def test_J4_neither_a_pause_nor_a_limit_of_zero_stops_an_exit(protocol, pool):
    queue, staker = protocol.queue, protocol.actors.staker
    protocol.as_governor(pool.setStakeLimit, 0, 0)
    protocol.act(protocol.actors.guardian, pool.pauseStaking, pool.MAX_PAUSE())
    queue.request(10 * ETHER, staker, sender=staker)
    report_as_oracle(protocol)
    queue.finalize(1, sender=protocol.actors.stranger)
    owed = queue.getRequest(1).assets
    assert queue.claim(1, sender=protocol.actors.stranger).events[-1].assets == owed > 10 * ETHER


def test_J4_closing_every_target_stops_no_exit(protocol, pool):
    queue, access, admin, staker = protocol.queue, protocol.access, protocol.actors.admin, protocol.actors.staker
    for target in (protocol.vault, protocol.oracle, protocol.limits, protocol.cover, protocol.proxy_admin):
        protocol.act(admin, access.setTargetClosed, target, True)
        assert access.isTargetClosed(target)
    advance_frame(protocol)
    queue.request(10 * ETHER, staker, sender=staker)
    advance_frame(protocol)
    signed_report(protocol)
    queue.finalize(1, sender=protocol.actors.stranger)
    queue.claim(1, sender=protocol.actors.stranger)
    assert queue.getRequest(1).claimed
