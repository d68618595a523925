"""StakingVault.redeem: the one way in which ether of the pool leaves for holders."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from tests.helpers import DAY, ETHER, GWEI, ZERO, deposit_to_beacon, now, send_raw, set_rate, stake, warp_to
from tests.reverts import reverts

REDEEM = "redeem(uint256)"


@pytest.fixture(scope="module")
def vault(protocol):
    return protocol.vault


@pytest.fixture(scope="module")
def escrowed(protocol, vault):
    """1,000 ether pooled, 600 of them outside, at an odd rate; 900 slETH wait in the queue."""
    staker = protocol.actors.staker
    stake(protocol, staker, 999 * ETHER)
    deposit_to_beacon(protocol, 600 * GWEI)
    set_rate(protocol, 12_345_678_901 * GWEI)
    protocol.queue.request(900 * ETHER, staker, sender=staker)
    return 900 * ETHER


@pytest.fixture
def queue(protocol, escrowed):
    return protocol.impersonate(protocol.queue)


def rate_of(vault) -> Fraction:
    return Fraction(vault.pooled() - vault.unvested(), vault.supply())


@pytest.mark.parametrize("caller", ["stranger", "staker", "admin", "governor", "depositor", "oracle", "gateway"])
def test_only_the_queue_redeems(protocol, vault, escrowed, caller):
    actor = getattr(protocol.actors, caller, None) or protocol.impersonate(getattr(protocol, caller))
    with reverts(vault.CallerNotAllowed, caller=actor, allowed=protocol.queue):
        send_raw(actor, vault, REDEEM, 1)


@pytest.mark.parametrize("shares", [1, 2, GWEI, 100 * ETHER, 300 * ETHER + 1])
def test_redeem_pays_shares_times_rate_rounded_down(protocol, vault, queue, shares):
    rate = rate_of(vault)
    pooled, supply, buffer, ether = vault.pooled(), vault.supply(), vault.buffer(), queue.balance
    assets = math.floor(shares * rate)
    tx = send_raw(queue, vault, REDEEM, shares)
    assert tx.events == [
        protocol.token.Transfer(**{"from": queue, "to": ZERO, "value": shares}),
        vault.Redeemed(shares=shares, assets=assets),
    ]
    assert queue.balance == ether + assets - tx.total_fees_paid
    assert (vault.pooled(), vault.supply(), vault.buffer()) == (pooled - assets, supply - shares, buffer - assets)
    assert vault.balance == vault.buffer()
    assert rate_of(vault) >= rate  # what is rounded away stays with holders


def test_C8_redeem_takes_the_buffer_to_the_last_wei_and_not_further(protocol, vault, queue):
    rate, buffer = rate_of(vault), vault.buffer()
    most = math.ceil((buffer + 1) / rate) - 1  # the last number of shares worth no more than the buffer
    over = most + 1
    with reverts(vault.BufferTooLow, needed=math.floor(over * rate), available=buffer):
        send_raw(queue, vault, REDEEM, over)
    send_raw(queue, vault, REDEEM, most)
    assert vault.buffer() == buffer - math.floor(most * rate) < rate


def test_redeem_of_more_than_the_queue_holds_reverts(protocol, vault, queue, escrowed):
    protocol.vault.stake(protocol.actors.other, 0, ZERO, sender=protocol.actors.other, value=900 * ETHER)
    with reverts(protocol.token.ERC20InsufficientBalance, sender=queue, balance=escrowed, needed=escrowed + 1):
        send_raw(queue, vault, REDEEM, escrowed + 1)
    send_raw(queue, vault, REDEEM, escrowed)


def test_redemption_makes_room_under_the_stake_limit(vault, queue):
    warp_to(now() + 2 * DAY)  # the limit has stopped to grow
    limit = vault.stakeLimit()
    assets = math.floor(100 * ETHER * rate_of(vault))
    send_raw(queue, vault, REDEEM, 100 * ETHER)
    assert vault.stakeLimit() == limit + assets
