"""StakingVault: what a report brings vests second by second until the next frame."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from tests.helpers import DAY, ETHER, GWEI, ZERO, deposit_to_beacon, next_at, now, report_as_oracle, stake, warp_to

GAIN = 10 * ETHER + 7 * GWEI
NET = GAIN - GAIN // 10
SECONDS = [0, 1, 2, 59, 3_600, DAY // 3, DAY // 2 + 1, DAY - 2, DAY - 1]


@pytest.fixture(scope="module")
def vault(protocol):
    return protocol.vault


@pytest.fixture(scope="module")
def staker(protocol):
    stake(protocol, protocol.actors.staker, 999 * ETHER)
    deposit_to_beacon(protocol, 320 * GWEI)
    return protocol.actors.staker


@pytest.fixture
def reported(protocol, staker):
    """When a gain was reported, seconds."""
    report_as_oracle(protocol, gain=GAIN)
    return now()


def left_of(amount: int, passed: int, period: int = DAY) -> int:
    """Rounded up."""
    return math.ceil(Fraction(amount * max(0, period - passed), period))


def test_unvested_falls_linearly_and_is_rounded_up(protocol, vault, reported):
    """INV: total = pooled - unvested at every second, and nothing is left after the period."""
    assert vault.VESTING_PERIOD() == DAY == protocol.params.vault.vesting_period
    pooled, supply = vault.pooled(), vault.supply()
    assert vault.unvested() == NET
    last = vault.totalAssets()
    for passed in [*SECONDS[1:], DAY, DAY + 1, 400 * DAY]:
        warp_to(reported + passed)
        left = left_of(NET, passed)
        assert vault.unvested() == left, passed
        assert vault.totalAssets() == pooled - left
        assert vault.rate() == math.floor(Fraction((pooled - left) * 10**18, supply))
        assert vault.totalAssets() >= last
        last = vault.totalAssets()
    assert last == pooled


@pytest.mark.parametrize("passed", SECONDS)
@pytest.mark.parametrize("gain", [GWEI, GAIN, 50 * GAIN])
def test_next_gain_vests_after_what_is_left(protocol, vault, reported, passed, gain):
    """The end moves out by a day times the part of the whole that is new (decision 0012)."""
    passed = max(passed, 1)
    report_as_oracle(protocol, gain=gain, at=reported + passed)
    left, new = left_of(NET, passed), gain - gain // 10
    unvested = left + new
    period = DAY - passed + math.ceil(Fraction(DAY * new, unvested))
    assert vault.unvested() == unvested
    warp_to(now() + period // 2)
    assert vault.unvested() == left_of(unvested, period // 2, period)
    warp_to(reported + passed + period - 1)
    assert vault.unvested() == left_of(unvested, period - 1, period) > 0
    warp_to(reported + passed + period)
    assert vault.unvested() == 0


def test_report_without_a_gain_leaves_the_schedule_alone(protocol, vault, reported):
    report_as_oracle(protocol, at=reported + DAY // 4)
    left = left_of(NET, DAY // 4)
    assert vault.unvested() == left
    warp_to(reported + DAY // 2)
    assert vault.unvested() == left_of(left, DAY // 4, DAY * 3 // 4)
    warp_to(reported + DAY - 1)
    assert vault.unvested() > 0
    warp_to(reported + DAY)
    assert vault.unvested() == 0


@pytest.mark.parametrize("loss", [GWEI, NET // GWEI * GWEI // 2])
def test_loss_is_taken_out_of_what_is_unvested_and_the_rest_vests_on(protocol, vault, reported, loss):
    loss = loss // GWEI * GWEI
    total = vault.totalAssets()
    rate = Fraction(total, vault.supply())
    report_as_oracle(protocol, gain=-loss, at=reported + 1)
    left = left_of(NET, 1) - loss
    assert vault.unvested() == left
    assert Fraction(vault.totalAssets(), vault.supply()) >= rate
    warp_to(reported + 1 + DAY // 2)
    assert vault.unvested() == left_of(left, DAY // 2, DAY - 1)


@pytest.mark.parametrize("passed", SECONDS[1:])
def test_stake_and_redemption_leave_the_schedule_alone(protocol, vault, staker, reported, passed):
    """D1: whoever comes takes over a part of nothing that has not vested."""
    stake(protocol, protocol.actors.other, 500 * ETHER)
    warp_to(reported + max(passed, 2))
    assert vault.unvested() == left_of(NET, max(passed, 2))


def test_D1_late_staker_earns_only_what_vests_from_then_on(protocol, vault, reported):
    half = reported + DAY // 2
    next_at(half)
    shares = stake(protocol, protocol.actors.other, 1_010 * ETHER)
    supply = vault.supply()
    warp_to(reported + DAY)
    earned = vault.convertToAssets(shares) - 1_010 * ETHER
    its_part = Fraction(left_of(NET, DAY // 2) * shares, supply)
    assert its_part - 2 < earned <= its_part


def test_redemption_pays_the_rate_of_that_second(protocol, vault, staker, reported):
    """Requests go on earning until they are finalised, and not a second longer."""
    queue = protocol.queue
    shares = 100 * ETHER
    queue.request(shares, staker, sender=staker)
    report_as_oracle(protocol, at=reported + 600)  # covers the request
    left = left_of(NET, 600)
    at = next_at(reported + 600 + 4_321)
    pooled, supply = vault.pooled(), vault.supply()
    buffer = vault.buffer()
    tx = queue.finalize(1, sender=protocol.actors.stranger)
    assets = math.floor(Fraction(shares * (pooled - left_of(left, 4_321, DAY - 600)), supply))
    assert tx.timestamp == at
    assert tx.events == [
        protocol.token.Transfer(**{"from": queue, "to": ZERO, "value": shares}),
        vault.Redeemed(shares=shares, assets=assets),
        queue.Finalized(checkpoint=1, firstId=1, lastId=1, shares=shares, assets=assets),
    ]
    assert (vault.pooled(), vault.supply(), vault.buffer()) == (pooled - assets, supply - shares, buffer - assets)
    assert queue.balance == assets
    assert vault.unvested() == left_of(left, 4_321, DAY - 600)
