"""Farm: what stakers and adders do, how each call fails, what it costs. Token troubles: test_farm_tokens.py."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest

from tests.farming import token_for
from tests.played import Played
from tests.reverts import reverts
from tests.small_core import DAY, ETHER, ZERO

HOUR = 3_600
YEAR = 365 * DAY
MOST = 2**96 - 1
LEAST = 10**6  # stake
INFINITE = 2**256 - 1
NOTHING: list[int] = []


@pytest.fixture(scope="module")
def process():
    return Played()


@pytest.fixture(autouse=True)
def _taken_back(process, token, reward):
    with process.taken_back():
        yield


@pytest.fixture(scope="module")
def adder(process):
    return process.account(1)


@pytest.fixture(scope="module")
def alone(process):
    """The first staker."""
    return process.account(2)


@pytest.fixture(scope="module")
def other(process):
    return process.account(3)


@pytest.fixture(scope="module")
def receiver(process):
    return process.account(4)


@pytest.fixture(scope="module")
def stranger(process):
    return process.account(5)


@pytest.fixture(scope="module")
def farm(project, process):
    return process.account(0).deploy(project.Farm)


@pytest.fixture(scope="module")
def make_token(project, farm, adder, alone, other, stranger):
    return lambda: token_for(project, farm, (adder, alone, other, stranger))


@pytest.fixture(scope="module")
def token(make_token):
    """Staked."""
    return make_token()


@pytest.fixture(scope="module")
def reward(make_token):
    return make_token()


@pytest.fixture(scope="module")
def begin(process, farm, token, reward, adder):
    """A stream of 1,000 seconds' multiple that starts in 100 seconds: (id, start, end)."""

    def run(amount: int = 36 * ETHER, duration: int = 36_000, *, stake_token: Any = None, paid: Any = None):
        start = process.now + 100
        tx = farm.addStream(stake_token or token, paid or reward, amount, start, start + duration, sender=adder)
        return tx.return_value, start, start + duration

    return run


@pytest.fixture(scope="module")
def at(process):
    """The next call is of this second."""
    return process.wait_until


# --- addStream ---


def test_a_stream_comes_in_whole_and_is_recorded(process, farm, token, reward, adder):
    start = process.now + 100
    held = reward.balanceOf(adder)
    tx = farm.addStream(token, reward, 7 * ETHER + 1, start, start + DAY, sender=adder)
    assert tx.return_value == farm.lastStreamId() == 1
    assert tx.events == [
        reward.Transfer(**{"from": adder, "to": farm, "amount": 7 * ETHER + 1}),
        farm.StreamAdded(
            id=1,
            stakeToken=token,
            rewardToken=reward,
            adder=adder,
            amount=7 * ETHER + 1,
            start=start,
            end=start + DAY,
        ),
    ]
    assert reward.balanceOf(adder) == held - 7 * ETHER - 1
    stream = farm.stream(1)
    shift = math.floor(math.log2(Fraction((2**160 - 2) * LEAST, 7 * ETHER + 2)))
    assert (stream.stakeToken, stream.rewardToken, stream.adder) == (token, reward, adder.address)
    assert (stream.amount, stream.start, stream.end) == (7 * ETHER + 1, start, start + DAY)
    assert (stream.eligible, stream.ranTo, stream.idle) == (0, start, 0)
    assert (stream.left, stream.forfeited, stream.reclaimed) == (7 * ETHER + 1, 0, 0)
    assert (stream.shift, stream.accumulator) == (shift, 2**shift // LEAST + 1)


@pytest.mark.parametrize("amount", [1, MOST])
@pytest.mark.parametrize("duration", [HOUR, 4 * YEAR])
def test_I3_the_scale_of_a_stream_is_as_fine_as_160_bits_allow(farm, begin, amount, duration):
    """One that is staked with the least stake alone from start to end ends below 2^160; a finer scale might not."""
    number, _, _ = begin(amount, duration)
    stream = farm.stream(number)
    assert stream.accumulator + Fraction(amount * 2**stream.shift, LEAST) < 2**160
    assert Fraction((amount + 1) * 2 ** (stream.shift + 1), LEAST) > 2**160 - 2


def test_bounds_of_a_stream(at, process, farm, token, reward, adder, stranger):
    now = process.now + 10

    def add(amount, start, end, stake_token=token, paid=reward):
        at(now)
        return farm.addStream(stake_token, paid, amount, start, end, sender=adder)

    with reverts(farm.StartInPast, start=now - 1, now_=now):
        add(1, now - 1, now + DAY)
    with reverts(farm.StartTooLate, start=now + YEAR + 1, latest=now + YEAR):
        add(1, now + YEAR + 1, now + 2 * YEAR)
    with reverts(farm.EndBeforeStart, start=now + 5, end=now + 4):
        add(1, now + 5, now + 4)
    with reverts(farm.DurationOutOfBounds, duration=HOUR - 1, shortest=HOUR, longest=4 * YEAR):
        add(1, now, now + HOUR - 1)
    with reverts(farm.DurationOutOfBounds, duration=4 * YEAR + 1, shortest=HOUR, longest=4 * YEAR):
        add(1, now, now + 4 * YEAR + 1)
    with reverts(farm.AmountMissing):
        add(0, now, now + DAY)
    with reverts(farm.AmountAboveMaximum, amount=MOST + 1, maximum=MOST):
        add(MOST + 1, now, now + DAY)
    with reverts(farm.NotAContract, account=stranger):
        add(1, now, now + DAY, stake_token=stranger)
    with reverts(farm.NotAContract, account=stranger):
        add(1, now, now + DAY, paid=stranger)
    reward.approve(farm, 9, sender=adder)
    now += 10
    with reverts(farm.TransferFailed, token=reward, **{"from": adder}, to=farm, amount=10):
        add(10, now, now + DAY)
    now += 10
    assert add(1, now, now + HOUR).return_value == 1
    now += 10
    assert add(1, now + YEAR, now + 5 * YEAR).return_value == 2


def test_I3_adding_streams_does_not_touch_those_who_stake(at, farm, token, begin, alone):
    """Spam: a stranger's streams do not change what runs; that they cost nobody gas: test_farm_node.py."""
    number, start, _ = begin()
    farm.stake(token, ETHER, alone, [number], sender=alone)
    for _ in range(10):
        begin(1, HOUR)
    at(start + 1_000)
    farm.claim([number], alone, sender=alone)
    assert farm.streamsOf(token, alone) == [number]
    farm.stake(token, ETHER, alone, NOTHING, sender=alone)
    assert farm.stream(number).eligible == 2 * ETHER


# --- stake ---


def test_stake_moves_the_tokens_and_chooses_streams(farm, token, begin, alone):
    number, _, _ = begin()
    second, _, _ = begin()
    tx = farm.stake(token, 5 * ETHER, alone, [number, second], sender=alone)
    assert tx.events == [
        token.Transfer(**{"from": alone, "to": farm, "amount": 5 * ETHER}),
        farm.Enabled(id=number, account=alone),
        farm.Enabled(id=second, account=alone),
        farm.Staked(token=token, account=alone, sender=alone, amount=5 * ETHER),
    ]
    assert farm.stakeOf(token, alone) == farm.totalStaked(token) == token.balanceOf(farm) == 5 * ETHER
    assert farm.streamsOf(token, alone) == [number, second]
    assert farm.stream(number).eligible == farm.stream(second).eligible == 5 * ETHER


def test_stake_for_another_is_the_other_s(farm, token, begin, alone, other):
    number, _, _ = begin()
    farm.enable(token, [number], sender=other)
    tx = farm.stake(token, 2 * ETHER, other, NOTHING, sender=alone)
    assert tx.events[-1] == farm.Staked(token=token, account=other, sender=alone, amount=2 * ETHER)
    assert (farm.stakeOf(token, alone), farm.stakeOf(token, other)) == (0, 2 * ETHER)
    assert farm.stream(number).eligible == 2 * ETHER


def test_nobody_chooses_streams_for_another(farm, token, begin, alone, other):
    number, _, _ = begin()
    with reverts(farm.StreamsOfAnother, caller=alone, receiver=other):
        farm.stake(token, ETHER, other, [number], sender=alone)


@pytest.mark.parametrize("receiver_of", ["zero", "farm"])
def test_no_receiver_but_one_who_can_use_it(farm, token, begin, alone, receiver_of):
    number, _, _ = begin()
    farm.stake(token, ETHER, alone, [number], sender=alone)
    bad = ZERO if receiver_of == "zero" else farm
    for call in (
        lambda: farm.stake(token, ETHER, bad, NOTHING, sender=alone),
        lambda: farm.unstake(token, ETHER, bad, sender=alone),
        lambda: farm.exit(token, bad, sender=alone),
        lambda: farm.emergencyExit(token, bad, sender=alone),
        lambda: farm.claim([number], bad, sender=alone),
    ):
        with reverts(farm.ReceiverInvalid, receiver=bad):
            call()


def test_bounds_of_a_stake(farm, token, alone, other):
    with reverts(farm.AmountMissing):
        farm.stake(token, 0, alone, NOTHING, sender=alone)
    with reverts(farm.StakeBelowMinimum, given=LEAST - 1, minimum=LEAST):
        farm.stake(token, LEAST - 1, alone, NOTHING, sender=alone)
    farm.stake(token, LEAST, alone, NOTHING, sender=alone)
    farm.stake(token, 1, alone, NOTHING, sender=alone)
    with reverts(farm.StakeAboveMaximum, amount=MOST - LEAST, maximum=MOST - LEAST - 1):
        farm.stake(token, MOST - LEAST, other, NOTHING, sender=other)
    farm.stake(token, MOST - LEAST - 1, other, NOTHING, sender=other)
    assert farm.totalStaked(token) == MOST
    with reverts(farm.StakeAboveMaximum, amount=1, maximum=0):
        farm.stake(token, 1, other, NOTHING, sender=other)


def test_stake_fails_without_a_token_or_an_allowance(farm, token, alone, stranger):
    with reverts(farm.NotAContract, account=stranger):
        farm.stake(stranger, ETHER, alone, NOTHING, sender=alone)
    token.approve(farm, ETHER - 1, sender=alone)
    with reverts(farm.TransferFailed, token=token, **{"from": alone}, to=farm, amount=ETHER):
        farm.stake(token, ETHER, alone, NOTHING, sender=alone)


# --- What is earned: numbers by hand ---


def test_rewards_by_share_and_time_to_the_wei(at, farm, token, reward, begin, alone, other, receiver):
    """36 ether in 36,000 seconds, 1e15 wei a second.

    0 to 6,000 nobody: 6 ether back to the adder. 6,000 to 12,000 one alone: 6. 12,000 to 24,000 with another of twice
    the stake: 4 and 8. Then the first takes out two thirds and has a seventh: 12,000 seconds: 12 / 7 and 72 / 7.
    """
    number, start, end = begin()
    at(start + 6_000)
    farm.stake(token, 3 * ETHER, alone, [number], sender=alone)
    at(start + 12_000)
    farm.stake(token, 6 * ETHER, other, [number], sender=other)
    at(start + 24_000)
    farm.unstake(token, 2 * ETHER, alone, sender=alone)
    at(end + 1)

    exact = {alone: 6 * ETHER + 4 * ETHER + Fraction(12, 7) * ETHER, other: 8 * ETHER + Fraction(72, 7) * ETHER}
    for who, sum_ in exact.items():
        assert farm.earned(number, who) == math.floor(sum_)
        tx = farm.claim([number], receiver, sender=who)
        assert tx.events == [
            farm.Claimed(id=number, account=who, receiver=receiver, amount=math.floor(sum_)),
            reward.Transfer(**{"from": farm, "to": receiver, "amount": math.floor(sum_)}),
        ]
        assert farm.earned(number, who) == 0
    assert reward.balanceOf(receiver) == math.floor(exact[alone]) + math.floor(exact[other]) == 30 * ETHER - 1
    assert farm.reclaimable(number) == 6 * ETHER
    farm.reclaim(number, sender=receiver)
    assert reward.balanceOf(farm) == farm.stream(number).left == 1  # dust


def test_I3_a_late_stake_takes_nothing_of_what_others_have_earned(at, farm, token, reward, begin, alone, other):
    number, start, end = begin()
    at(start)
    farm.stake(token, ETHER, alone, [number], sender=alone)
    at(end - 1)
    farm.stake(token, 1_000_000 * ETHER, other, [number], sender=other)
    at(end + DAY)
    farm.exit(token, other, sender=other)
    exact = Fraction(36 * ETHER, 36_000) * (35_999 + Fraction(1, 1_000_001))
    assert math.floor(exact) - farm.earned(number, alone) in (0, 1)
    assert reward.balanceOf(other) - 2**100 == math.floor(Fraction(36 * ETHER, 36_000) * Fraction(10**6, 10**6 + 1))


def test_I3_settling_often_rounds_nothing_away(at, farm, token, begin, alone, stranger):
    """A stream of a unit each 36 seconds, settled by a stranger's dust each 10: the fractions are carried."""
    number, start, end = begin(1_000)
    farm.stake(token, ETHER, alone, [number], sender=alone)
    for step in range(1, 41):
        at(start + 10 * step)
        farm.stake(token, 1, alone, NOTHING, sender=stranger)
    at(start + 410)
    farm.claim([number], alone, sender=alone)
    assert farm.stream(number).left == 1_000 - 410 // 36
    at(end)
    assert farm.earned(number, alone) in (1_000 - 410 // 36, 1_000 - 410 // 36 - 1)


def test_I3_time_without_stakers_is_nobody_s_and_goes_back(at, farm, token, reward, begin, adder, alone):
    """Zero supply at the start, in the middle and at the end."""
    number, start, end = begin()
    at(start + 1_000)
    farm.stake(token, ETHER, alone, [number], sender=alone)
    at(start + 11_000)
    farm.unstake(token, ETHER, alone, sender=alone)
    at(start + 16_000)
    farm.stake(token, ETHER, alone, NOTHING, sender=alone)  # still chosen
    at(start + 26_000)
    farm.exit(token, alone, sender=alone)
    assert 20 * ETHER - (reward.balanceOf(alone) - 2**100) in (0, 1, 2)
    assert farm.reclaimable(number) == 0
    at(end - 1)
    with reverts(farm.StreamNotOver, id=number, end=end):
        farm.reclaim(number, sender=adder)
    held = reward.balanceOf(adder)
    at(end)
    tx = farm.reclaim(number, sender=alone)
    assert tx.return_value == 16 * ETHER
    assert tx.events == [
        farm.Reclaimed(id=number, adder=adder, amount=16 * ETHER),
        reward.Transfer(**{"from": farm, "to": adder, "amount": 16 * ETHER}),
    ]
    assert reward.balanceOf(adder) == held + 16 * ETHER
    assert farm.reclaim(number, sender=alone).return_value == 0
    assert farm.stream(number).idle == 16_000


def test_a_stream_that_nobody_chose_goes_back_whole(at, farm, token, reward, begin, adder, alone):
    number, _, end = begin(MOST)
    farm.stake(token, ETHER, alone, NOTHING, sender=alone)
    at(end + YEAR)
    assert farm.reclaim(number, sender=adder).return_value == MOST
    assert farm.stream(number).left == reward.balanceOf(farm) == 0


def test_a_stream_cannot_be_taken_back_while_it_runs(farm, begin, adder):
    number, _, end = begin()
    with reverts(farm.StreamNotOver, id=number, end=end):
        farm.reclaim(number, sender=adder)
    with reverts(farm.StreamUnknown, id=number + 1):
        farm.reclaim(number + 1, sender=adder)


# --- unstake, exit ---


def test_unstake_keeps_what_was_earned_and_chosen(at, farm, token, begin, alone, receiver):
    number, start, _ = begin()
    farm.stake(token, 5 * ETHER, alone, [number], sender=alone)
    at(start + 1_000)
    tx = farm.unstake(token, 5 * ETHER, receiver, sender=alone)
    assert tx.events == [
        farm.Unstaked(token=token, account=alone, receiver=receiver, amount=5 * ETHER),
        token.Transfer(**{"from": farm, "to": receiver, "amount": 5 * ETHER}),
    ]
    assert farm.earned(number, alone) in (ETHER, ETHER - 1)
    assert farm.streamsOf(token, alone) == [number]
    assert farm.stream(number).eligible == farm.totalStaked(token) == 0


def test_bounds_of_unstaking(farm, token, alone):
    with reverts(farm.UnstakeAboveStake, amount=1, stake=0):
        farm.unstake(token, 1, alone, sender=alone)
    farm.stake(token, ETHER, alone, NOTHING, sender=alone)
    with reverts(farm.AmountMissing):
        farm.unstake(token, 0, alone, sender=alone)
    with reverts(farm.UnstakeAboveStake, amount=ETHER + 1, stake=ETHER):
        farm.unstake(token, ETHER + 1, alone, sender=alone)
    with reverts(farm.StakeBelowMinimum, given=LEAST - 1, minimum=LEAST):
        farm.unstake(token, ETHER - LEAST + 1, alone, sender=alone)
    farm.unstake(token, ETHER - LEAST, alone, sender=alone)
    assert farm.stakeOf(token, alone) == LEAST


def test_dust_staked_for_somebody_does_not_keep_them_in(farm, token, alone, stranger):
    farm.stake(token, ETHER, alone, NOTHING, sender=alone)
    farm.stake(token, 1, alone, NOTHING, sender=stranger)
    with reverts(farm.StakeBelowMinimum, given=1, minimum=LEAST):
        farm.unstake(token, ETHER, alone, sender=alone)
    assert farm.exit(token, alone, sender=alone).return_value == ETHER + 1


def test_exit_takes_the_stake_and_claims_all_its_streams(at, farm, token, reward, make_token, begin, alone, receiver):
    second_reward = make_token()
    first, start, _ = begin()
    second, _, _ = begin(paid=second_reward)
    farm.stake(token, ETHER, alone, [first, second], sender=alone)
    at(start + 18_000)
    tx = farm.exit(token, receiver, sender=alone)
    assert tx.return_value == ETHER
    paid = reward.balanceOf(receiver), second_reward.balanceOf(receiver)
    assert 18 * ETHER - paid[0] in (0, 1)
    assert [e for e in tx.events if e.contract_address == farm.address] == [
        farm.Disabled(id=first, account=alone),
        farm.Disabled(id=second, account=alone),
        farm.Unstaked(token=token, account=alone, receiver=receiver, amount=ETHER),
        farm.Claimed(id=first, account=alone, receiver=receiver, amount=paid[0]),
        farm.Claimed(id=second, account=alone, receiver=receiver, amount=paid[1]),
    ]
    assert token.balanceOf(receiver) == ETHER
    assert (farm.stakeOf(token, alone), farm.streamsOf(token, alone)) == (0, [])
    assert farm.exit(token, receiver, sender=alone).return_value == 0


def test_emergency_exit_gives_up_what_was_not_counted_to_the_adder(
    at, farm, token, reward, begin, alone, other, receiver
):
    """Counted up to 6,000; what was earned from there to 18,000 beside an equal stake is forfeited: 6 ether."""
    number, start, end = begin()
    at(start)
    farm.stake(token, ETHER, alone, [number], sender=alone)
    at(start + 6_000)
    farm.unstake(token, ETHER // 2, alone, sender=alone)
    counted = farm.earned(number, alone)
    at(start + 6_000 + 1)
    farm.stake(token, ETHER // 2, other, [number], sender=other)
    at(start + 18_001)
    tx = farm.emergencyExit(token, receiver, sender=alone)
    forfeited = farm.stream(number).forfeited
    assert 6 * ETHER + ETHER // 1_000 - forfeited in (0, 1)
    assert tx.return_value == ETHER // 2
    assert tx.events == [
        farm.Disabled(id=number, account=alone),
        farm.Forfeited(id=number, account=alone, amount=forfeited),
        farm.Unstaked(token=token, account=alone, receiver=receiver, amount=ETHER // 2),
        token.Transfer(**{"from": farm, "to": receiver, "amount": ETHER // 2}),
    ]
    assert farm.earned(number, alone) == counted
    assert (farm.stream(number).eligible, farm.streamsOf(token, alone)) == (ETHER // 2, [])
    farm.claim([number], receiver, sender=alone)
    assert reward.balanceOf(receiver) == counted
    at(end)
    assert farm.reclaim(number, sender=other).return_value == forfeited
    assert 24 * ETHER - ETHER // 1_000 - farm.earned(number, other) in (0, 1)
    assert farm.emergencyExit(token, receiver, sender=alone).return_value == 0


def test_what_is_forfeited_after_a_reclaim_can_be_reclaimed_too(at, farm, token, begin, adder, alone):
    number, start, end = begin()
    at(start + 18_000)
    farm.stake(token, ETHER, alone, [number], sender=alone)
    at(end)
    assert farm.reclaim(number, sender=adder).return_value == 18 * ETHER
    farm.emergencyExit(token, alone, sender=alone)
    assert 18 * ETHER - farm.reclaim(number, sender=adder).return_value in (0, 1)
    assert farm.stream(number).left in (0, 1)


def test_rewards_are_paid_by_the_farm_s_own_calls_alone(farm, reward, stranger):
    with reverts(farm.CallerNotAllowed, caller=stranger, allowed=farm):
        farm.payReward(reward, stranger, 1, sender=stranger)


# --- enable, disable ---


def test_enable_before_staking_and_while_it_runs(at, farm, token, begin, alone):
    number, start, _ = begin()
    tx = farm.enable(token, [number], sender=alone)
    assert tx.events == [farm.Enabled(id=number, account=alone)]
    at(start + 1_000)
    farm.stake(token, ETHER, alone, NOTHING, sender=alone)
    assert farm.earned(number, alone) == 0
    at(start + 2_000)
    assert farm.earned(number, alone) in (ETHER, ETHER - 1)


def test_enable_refuses_what_makes_no_sense(at, farm, token, reward, begin, alone):
    number, _, end = begin()
    foreign, _, _ = begin(stake_token=reward)
    farm.enable(token, [number], sender=alone)
    with reverts(farm.StreamUnknown, id=0):
        farm.enable(token, [0], sender=alone)
    with reverts(farm.StreamUnknown, id=2**32 + number):
        farm.enable(token, [2**32 + number], sender=alone)
    with reverts(farm.StreamOfAnotherToken, id=foreign, stakeToken=reward, token=token):
        farm.enable(token, [foreign], sender=alone)
    with reverts(farm.StreamEnabled, id=number):
        farm.enable(token, [number], sender=alone)
    with reverts(farm.StreamEnabled, id=number):
        farm.stake(token, ETHER, alone, [number], sender=alone)
    late, _, end = begin()
    at(end)
    with reverts(farm.StreamOver, id=late, end=end):
        farm.enable(token, [late], sender=alone)


def test_five_streams_at_most_and_those_that_are_over_make_room(at, farm, token, begin, alone):
    ids = [begin(duration=HOUR + 600 * i)[0] for i in range(5)]
    sixth, _, _ = begin(duration=DAY)
    farm.stake(token, ETHER, alone, ids, sender=alone)
    with reverts(farm.TooManyStreams, maximum=5):
        farm.enable(token, [sixth], sender=alone)
    at(farm.stream(ids[1]).end)
    due = farm.earned(ids[0], alone)
    tx = farm.enable(token, [sixth], sender=alone)
    assert tx.events == [
        farm.Disabled(id=ids[0], account=alone),
        farm.Disabled(id=ids[1], account=alone),
        farm.Enabled(id=sixth, account=alone),
    ]
    assert farm.streamsOf(token, alone) == [sixth, *ids[2:]]
    assert farm.earned(ids[0], alone) == due > 0  # still to be claimed
    assert (farm.stream(ids[0]).eligible, farm.stream(sixth).eligible) == (0, ETHER)


@pytest.mark.parametrize("forget", [False, True])
def test_disable_settles_and_forgets_where_it_is_told_to(at, farm, token, begin, alone, forget):
    number, start, end = begin()
    kept, _, _ = begin()
    at(start)
    farm.stake(token, ETHER, alone, [number, kept], sender=alone)
    at(start + 9_000)
    tx = farm.disable(token, [number], forget, sender=alone)
    given = farm.stream(number).forfeited
    disabled = farm.Disabled(id=number, account=alone)
    if forget:
        assert tx.events == [disabled, farm.Forfeited(id=number, account=alone, amount=given)]
        assert (9 * ETHER - given in (0, 1), farm.earned(number, alone)) == (True, 0)
    else:
        assert tx.events == [disabled]
        assert (given, 9 * ETHER - farm.earned(number, alone) in (0, 1)) == (0, True)
    assert farm.streamsOf(token, alone) == [kept]
    assert (farm.stream(number).eligible, farm.stream(kept).eligible) == (0, ETHER)
    with reverts(farm.StreamNotEnabled, id=number):
        farm.disable(token, [number], forget, sender=alone)
    with reverts(farm.StreamNotEnabled, id=0):
        farm.disable(token, [0], forget, sender=alone)
    with reverts(farm.StreamNotEnabled, id=kept):
        farm.disable(token, [kept, kept, kept], forget, sender=alone)
    at(end)
    back = farm.reclaim(number, sender=alone).return_value
    assert back == 27 * ETHER + given


# --- claim ---


def test_claim_twice_in_one_call_pays_once(at, farm, token, reward, begin, alone, receiver):
    number, start, _ = begin()
    farm.stake(token, ETHER, alone, [number], sender=alone)
    at(start + 1_000)
    farm.claim([number, number], receiver, sender=alone)
    assert reward.balanceOf(receiver) in (ETHER, ETHER - 1)


def test_who_has_no_part_in_a_stream_claims_nothing(at, farm, token, reward, begin, alone, stranger):
    number, start, _ = begin()
    farm.stake(token, ETHER, alone, [number], sender=alone)
    farm.stake(token, ETHER, stranger, NOTHING, sender=stranger)
    at(start + 1_000)
    assert farm.claim([number], stranger, sender=stranger).events == []
    assert farm.earned(number, stranger) == 0
    with reverts(farm.StreamUnknown, id=number + 1):
        farm.claim([number, number + 1], stranger, sender=stranger)
    with reverts(farm.StreamUnknown, id=number + 1):
        farm.earned(number + 1, stranger)
    with reverts(farm.StreamUnknown, id=0):
        farm.stream(0)
    with reverts(farm.StreamUnknown, id=0):
        farm.reclaimable(0)


def test_I3_a_token_may_be_staked_and_paid(at, farm, token, begin, adder, alone, other):
    """Counted apart: claims leave the stakes whole, and both stakers get out."""
    number, start, end = begin(stake_token=token, paid=token)
    at(start)
    farm.stake(token, 36 * ETHER, alone, [number], sender=alone)
    farm.stake(token, ETHER, other, NOTHING, sender=other)
    assert token.balanceOf(farm) == 73 * ETHER
    at(end)
    farm.claim([number], alone, sender=alone)
    assert token.balanceOf(farm) - 37 * ETHER in (0, 1)
    farm.exit(token, alone, sender=alone)
    farm.exit(token, other, sender=other)
    assert token.balanceOf(farm) == farm.stream(number).left
    assert token.balanceOf(alone) - 2**100 in (36 * ETHER, 36 * ETHER - 1)


def test_I3_transfers_without_a_call_are_nobody_s(at, farm, token, reward, begin, alone, stranger):
    number, start, _ = begin()
    farm.stake(token, ETHER, alone, [number], sender=alone)
    token.transfer(farm, 7 * ETHER, sender=stranger)
    reward.transfer(farm, 7 * ETHER, sender=stranger)
    at(start + 1_000)
    assert farm.earned(number, alone) in (ETHER, ETHER - 1)
    assert (farm.stakeOf(token, alone), farm.totalStaked(token)) == (ETHER, ETHER)


# --- Events ---


def test_events_are_enough_to_rebuild_everything(at, farm, token, begin, adder, alone, other):
    done = []
    first, start, end = begin()
    second, _, _ = begin(paid=token, duration=HOUR)
    left = {first: 36 * ETHER, second: 36 * ETHER}  # as StreamAdded says
    done.append(farm.stake(token, 5 * ETHER, alone, [first, second], sender=alone))
    done.append(farm.stake(token, ETHER, other, NOTHING, sender=alone))
    done.append(farm.enable(token, [first], sender=other))
    at(start + 5_000)
    done.append(farm.unstake(token, ETHER, alone, sender=alone))  # the second is over
    at(start + 6_000)
    done.append(farm.disable(token, [first], True, sender=other))
    done.append(farm.claim([first, second], alone, sender=alone))
    done.append(farm.stake(token, 2 * ETHER, other, [first], sender=other))
    at(start + 8_000)
    done.append(farm.emergencyExit(token, other, sender=other))
    at(end)
    done.append(farm.reclaim(first, sender=adder))

    stakes = {alone.address: 0, other.address: 0}
    members: dict[int, set[str]] = {first: set(), second: set()}
    forfeited = {first: 0, second: 0}
    seen = set()
    for log in (log for tx in done for log in tx.events if log.contract_address == farm.address):
        seen.add(log.event_name)
        match log.event_name:
            case "Staked":
                stakes[log.account] += log.amount
            case "Unstaked":
                stakes[log.account] -= log.amount
            case "Enabled":
                members[log.id].add(log.account)
            case "Disabled":
                members[log.id].remove(log.account)
            case "Claimed" | "Reclaimed":
                left[log.id] -= log.amount
            case "Forfeited":
                forfeited[log.id] += log.amount
    assert seen == {"Staked", "Unstaked", "Enabled", "Disabled", "Claimed", "Reclaimed", "Forfeited"}
    for who in (alone, other):
        assert farm.stakeOf(token, who) == stakes[who.address]
        assert farm.streamsOf(token, who) == [n for n in members if who.address in members[n]]
    for number in (first, second):
        stream = farm.stream(number)
        assert stream.eligible == sum(stakes[who] for who in members[number])
        assert (stream.left, stream.forfeited) == (left[number], forfeited[number])
