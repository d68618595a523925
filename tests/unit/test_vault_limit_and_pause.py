"""StakingVault: how much can be staked, and when nothing can. Exits are never stopped."""

from __future__ import annotations

import pytest

from tests.helpers import DAY, ETHER, GWEI, ZERO, give_ether, next_at, now, report_as_oracle, stake, warp_to
from tests.queueing import settle
from tests.reverts import reverts

MAX_PAUSE = 14 * DAY
WINDOW = DAY


@pytest.fixture(scope="module")
def vault(protocol):
    return protocol.vault


@pytest.fixture(scope="module")
def staker(protocol):
    give_ether(protocol.actors.staker, 1_000_000 * ETHER)
    return protocol.actors.staker


@pytest.fixture(scope="module")
def burst(protocol):
    return protocol.params.vault.limit_burst


@pytest.fixture(scope="module")
def growth(protocol):
    """Wei a second."""
    return protocol.params.vault.limit_growth_per_second


def set_limit(protocol, burst, growth):
    """As the governor; returns the events of the vault."""
    tx = protocol.as_governor(protocol.vault.setStakeLimit, burst, growth)
    return [event for event in tx.events if event.contract_address == protocol.vault.address]


# --- The limit ---


def test_limit_is_the_burst_and_what_has_grown(protocol, vault, staker, burst, growth):
    """L1: a ceiling on what is pooled, risen by `growth` a second for one day after a report and no longer."""
    opened = vault.referenceTime()
    for passed in (100, 3_600, WINDOW - 1, WINDOW, WINDOW + 1, 40 * WINDOW):
        warp_to(opened + passed)
        assert vault.stakeLimit() == burst + growth * min(passed, WINDOW)


def test_stake_uses_the_limit_up_wei_by_wei(protocol, vault, staker, burst, growth):
    warp_to(vault.referenceTime() + WINDOW)
    full = burst + growth * WINDOW
    stake(protocol, staker, 123 * ETHER + 7)
    assert vault.stakeLimit() == full - 123 * ETHER - 7
    stake(protocol, staker, vault.stakeLimit())
    assert vault.stakeLimit() == 0


def test_limit_grows_by_the_second(protocol, vault, staker, burst, growth):
    opened = vault.referenceTime()
    warp_to(opened + 5_000)
    give_ether(staker, 10**24)
    at = opened + 6_000
    room = burst + 6_000 * growth
    next_at(at)
    with reverts(vault.StakeAboveLimit, given=room + 1, available=room):
        vault.stake(staker, 0, ZERO, sender=staker, value=room + 1)
    at = now() + 10
    room = burst + (at - opened) * growth
    next_at(at)
    vault.stake(staker, 0, ZERO, sender=staker, value=room)
    assert vault.stakeLimit() == 0
    warp_to(at + 3)
    assert vault.stakeLimit() == 3 * growth


@pytest.mark.parametrize("used", [0, 1, 100_000])
def test_report_cuts_the_room_to_the_burst_and_opens_the_window_again(protocol, vault, staker, burst, growth, used):
    """What has grown beyond the burst is gone, and what was used is not given back at once."""
    opened = vault.referenceTime()
    if used:
        stake(protocol, staker, used * ETHER)
    at = opened + 50_000
    report_as_oracle(protocol, at=at)
    room = min(burst, burst + 50_000 * growth - used * ETHER)
    assert vault.stakeLimit() == room
    warp_to(at + 77)
    assert vault.stakeLimit() == room + 77 * growth


@pytest.mark.parametrize("gain", [0, 100 * ETHER])
def test_gains_do_not_use_up_the_limit(protocol, vault, staker, burst, gain):
    """The ceiling stands on what is pooled after the report."""
    warp_to(vault.referenceTime() + WINDOW)
    report_as_oracle(protocol, gain=gain)
    assert vault.stakeLimit() == burst


def test_C8_redemption_makes_room_so_that_cycling_cannot_use_it_up(protocol, vault, staker, burst):
    """B7: whoever stakes and leaves again leaves the limit as it was (but for a wei of rounding)."""
    shares = stake(protocol, staker, 1_000 * ETHER)
    protocol.queue.request(shares, staker, sender=staker)
    report_as_oracle(protocol)
    before = vault.stakeLimit()
    pooled = vault.pooled()
    next_at(now() + 10)
    tx = protocol.queue.finalize(1, sender=staker)
    redeemed = pooled - vault.pooled()
    assert redeemed == 1_000 * ETHER
    assert vault.stakeLimit() == before + redeemed + 10 * protocol.params.vault.limit_growth_per_second
    assert tx.timestamp == now()


def test_set_stake_limit_never_adds_room_at_once(protocol, vault, staker, burst, growth):
    stake(protocol, staker, 100_000 * ETHER)
    warp_to(vault.referenceTime() + 4 * WINDOW)
    room = vault.stakeLimit()
    assert room == burst + growth * WINDOW - 100_000 * ETHER
    events = set_limit(protocol, 2 * burst, 5 * GWEI)
    assert events == [
        vault.StakeLimitChanged(oldBurst=burst, oldGrowth=growth, burst=2 * burst, growth=5 * GWEI),
    ]
    changed = now()
    assert vault.stakeLimit() == room
    warp_to(changed + 100)
    assert vault.stakeLimit() == room + 500 * GWEI
    report_as_oracle(protocol, at=changed + 200)
    assert vault.stakeLimit() == min(2 * burst, room + 1_000 * GWEI)


def test_set_stake_limit_cuts_room_at_once(protocol, vault, staker, burst):
    events = set_limit(protocol, 7 * ETHER, 0)
    assert [event.event_name for event in events] == ["StakeLimitChanged"]
    warp_to(now() + 10 * DAY)
    assert vault.stakeLimit() == 7 * ETHER
    with reverts(vault.StakeAboveLimit, given=7 * ETHER + 1, available=7 * ETHER):
        vault.stake(staker, 0, ZERO, sender=staker, value=7 * ETHER + 1)
    vault.stake(staker, 0, ZERO, sender=staker, value=7 * ETHER)


def test_set_stake_limit_counts_whole_gwei(protocol, vault, burst, growth):
    events = set_limit(protocol, 9 * ETHER + GWEI - 1, 3 * GWEI - 1)
    assert events == [
        vault.StakeLimitChanged(oldBurst=burst, oldGrowth=growth, burst=9 * ETHER, growth=2 * GWEI),
    ]


def test_set_stake_limit_leaves_what_vests_alone(protocol, vault, staker):
    """The same slot holds what is unvested: it goes on at the same speed, to the wei or one beside it."""
    report_as_oracle(protocol)
    report_as_oracle(protocol, gain=ETHER)
    reported = now()
    net = ETHER - ETHER // 10
    target = vault
    data = vault.setStakeLimit.encode_input(5 * ETHER, GWEI)
    governor = protocol.actors.governor
    # within the vesting period: the delay of the governor has passed before
    protocol.access.schedule(target, data, 0, sender=governor)
    delay = protocol.params.governance.governor.delay
    warp_to(reported + delay)
    report_as_oracle(protocol, gain=ETHER, at=reported + delay + 1)
    start = now()
    period = delay + 1  # what that report covers
    next_at(start + 10_001)
    protocol.access.execute(target, data, sender=governor)
    for passed in (10_001, 50_000, period - 1):
        warp_to(max(now(), start + passed))
        exact = net * (period - passed) / period
        assert abs(vault.unvested() - net * (period - passed) // period) <= 2, exact
    warp_to(start + period)
    assert vault.unvested() == 0


@pytest.mark.parametrize(
    ("burst_", "growth_"),
    [
        (2**56 * GWEI, GWEI),
        (2**256 - 1, GWEI),
        (ETHER, 2**32 * GWEI),
        (ETHER, 2**256 - 1),
    ],
)
def test_A8_stake_limit_beyond_its_fields_reverts(protocol, vault, burst_, growth_):
    with reverts(vault.StakeLimitOutOfBounds, burst=burst_, growth=growth_):
        set_limit(protocol, burst_, growth_)


def test_A8_stake_limit_fills_its_fields(protocol, vault, burst, growth):
    top = (2**56 * GWEI - 1, 2**32 * GWEI - 1)
    assert set_limit(protocol, *top) == [
        vault.StakeLimitChanged(oldBurst=burst, oldGrowth=growth, burst=(2**56 - 1) * GWEI, growth=(2**32 - 1) * GWEI),
    ]
    changed, room = now(), vault.stakeLimit()
    warp_to(changed + WINDOW)
    assert vault.stakeLimit() == room + WINDOW * (2**32 - 1) * GWEI
    report_as_oracle(protocol, at=changed + WINDOW + 1)
    assert vault.stakeLimit() == min((2**56 - 1) * GWEI, room + WINDOW * (2**32 - 1) * GWEI)


# --- The pause ---


@pytest.fixture
def guardian(protocol):
    return protocol.actors.guardian


@pytest.mark.parametrize("duration", [1, DAY, MAX_PAUSE - 1, MAX_PAUSE])
def test_J4_pause_ends_by_itself_to_the_second(protocol, vault, staker, guardian, duration):
    """L3."""
    at = next_at(now() + 5)
    tx = vault.pauseStaking(duration, sender=guardian)
    until = at + duration
    assert tx.events == [vault.StakingPaused(until=until)]
    assert vault.stakingPausedUntil() == until
    assert vault.stakeLimit() == 0
    if duration > 1:
        next_at(until - 1)
        with reverts(vault.StakingIsPaused, until=until):
            vault.stake(staker, 0, ZERO, sender=staker, value=ETHER)
    next_at(until)
    vault.stake(staker, 0, ZERO, sender=staker, value=ETHER)
    assert vault.stakeLimit() > 0


def test_J4_pause_closes_every_way_in(protocol, vault, staker, guardian):
    vault.pauseStaking(DAY, sender=guardian)
    until = vault.stakingPausedUntil()
    for send in (
        lambda: vault.stake(staker, 0, ZERO, sender=staker, value=ETHER),
        lambda: vault.deposit(ETHER, staker, sender=staker, value=ETHER),
        lambda: vault.mint(ETHER, staker, sender=staker, value=2 * ETHER),
        lambda: staker.transfer(vault, ETHER),
        lambda: protocol.rebasing.stake(staker, 0, ZERO, sender=staker, value=ETHER),
    ):
        with reverts(vault.StakingIsPaused, until=until):
            send()


def test_L2_pause_stops_no_exit_no_transfer_and_no_report(protocol, vault, staker, guardian):
    """Decision 0005."""
    shares = stake(protocol, staker, 10 * ETHER)
    vault.pauseStaking(MAX_PAUSE, sender=guardian)
    protocol.token.transfer(protocol.actors.other, 1, sender=staker)
    protocol.queue.request(shares - GWEI, staker, sender=staker)
    settle(protocol)
    before = staker.balance
    tx = protocol.queue.claim(1, 1, staker, sender=staker)
    assert staker.balance + tx.total_fees_paid - before == shares - GWEI
    assert vault.stakingPausedUntil() > now()


@pytest.mark.parametrize("duration", [MAX_PAUSE + 1, 2**256 - 1])
def test_J4_pause_beyond_the_longest_reverts(vault, guardian, duration):
    with reverts(vault.PauseTooLong, duration=duration, maximum=MAX_PAUSE):
        vault.pauseStaking(duration, sender=guardian)


def test_pause_of_no_time_is_none(vault, staker, guardian):
    vault.pauseStaking(0, sender=guardian)
    vault.stake(staker, 0, ZERO, sender=staker, value=ETHER)


def test_newer_pause_replaces_the_older(vault, guardian):
    vault.pauseStaking(MAX_PAUSE, sender=guardian)
    at = next_at(now() + 100)
    vault.pauseStaking(DAY, sender=guardian)
    assert vault.stakingPausedUntil() == at + DAY


def test_resume_ends_a_pause(vault, staker, guardian):
    vault.pauseStaking(MAX_PAUSE, sender=guardian)
    tx = vault.resumeStaking(sender=guardian)
    assert tx.events == [vault.StakingResumed()]
    assert vault.stakingPausedUntil() == 0
    vault.stake(staker, 0, ZERO, sender=staker, value=ETHER)


@pytest.mark.parametrize("caller", ["stranger", "staker", "depositor", "registrar", "admin", "governor"])
def test_J3_only_the_guardian_pauses(protocol, vault, caller):
    actor = getattr(protocol.actors, caller)
    with reverts(vault.AccessManagedUnauthorized, caller=actor):
        vault.pauseStaking(DAY, sender=actor)


@pytest.mark.parametrize("caller", ["stranger", "staker", "depositor", "registrar", "admin", "governor"])
def test_J3_only_the_guardian_resumes(protocol, vault, guardian, caller):
    vault.pauseStaking(DAY, sender=guardian)
    actor = getattr(protocol.actors, caller)
    with reverts(vault.AccessManagedUnauthorized, caller=actor):
        vault.resumeStaking(sender=actor)


@pytest.mark.parametrize("above", [0, 1])
def test_A8_pause_fits_its_field_until_the_year_2106(vault, guardian, above):
    next_at(2**32 - 1 - DAY + above)
    if above:
        with reverts(vault.SafeCastOverflowedUintDowncast, bits=32, value=2**32):
            vault.pauseStaking(DAY, sender=guardian)
    else:
        vault.pauseStaking(DAY, sender=guardian)
        assert vault.stakingPausedUntil() == 2**32 - 1
