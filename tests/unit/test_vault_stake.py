"""StakingVault: ether in, shares out, and nothing else moves the rate."""

from __future__ import annotations

import math
from fractions import Fraction

import ape
import pytest
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.model import ConsensusFigures
from tests.helpers import (
    DAY,
    ETHER,
    GWEI,
    ZERO,
    advance_frame,
    deposit_to_beacon,
    force_with_code,
    give_ether,
    next_at,
    now,
    report_as_oracle,
    set_rate,
    signed_report,
    stake,
    vault_model,
    warp_to,
)
from tests.in_process import Process
from tests.reverts import reverts
from tests.small_core import SmallCore

MIN_STAKE = 10**15


@pytest.fixture(scope="module")
def vault(protocol):
    return protocol.vault


@pytest.fixture(scope="module")
def token(protocol):
    return protocol.token


@pytest.fixture(scope="module")
def staker(protocol):
    give_ether(protocol.actors.staker, 1_000_000 * ETHER)
    return protocol.actors.staker


@pytest.fixture(scope="module")
def other(protocol):
    return protocol.actors.other


def exact_rate(vault) -> Fraction:
    """From the counters, not from the vault's own conversions."""
    return Fraction(vault.pooled() - vault.unvested(), vault.supply())


def staked(protocol, sender, receiver, assets, shares):
    return [
        protocol.token.Transfer(**{"from": ZERO, "to": receiver, "value": shares}),
        protocol.vault.Deposit(sender=sender, owner=receiver, assets=assets, shares=shares),
    ]


@pytest.fixture(params=["1", "1.37", "0.93"])
def rate(protocol, vault, staker, request):
    """The vault at a rate of 1, at 1.37 and a bit, and below 1 after a loss."""
    if request.param == "1.37":
        stake(protocol, staker, 999 * ETHER)  # 1,000 with the seed
        # a gain of g at a fee of 10% leads to (1000 + g) / (1000 + g / 10)
        set_rate(protocol, 428_737_688_000 * GWEI)
        assert Fraction(137, 100) < exact_rate(vault) < Fraction(138, 100)
    elif request.param == "0.93":
        stake(protocol, staker, 999 * ETHER + 1)
        deposit_to_beacon(protocol, 100 * GWEI)
        set_rate(protocol, -70_000_000_001 * GWEI)
        assert Fraction(92, 100) < exact_rate(vault) < Fraction(93, 100)
    return exact_rate(vault)


# --- stake ---


@pytest.mark.parametrize("assets", [MIN_STAKE, MIN_STAKE + 1, ETHER, 32 * ETHER + 7, 100_000 * ETHER])
def test_stake_mints_assets_by_rate_rounded_down(protocol, vault, token, staker, other, rate, assets):
    pooled, supply = vault.pooled(), vault.supply()
    shares = math.floor(assets / rate)
    tx = vault.stake(other, shares, ZERO, sender=staker, value=assets)
    assert tx.events == staked(protocol, staker, other, assets, shares)
    assert tx.return_value == shares
    assert token.balanceOf(other) == shares
    assert (vault.pooled(), vault.supply()) == (pooled + assets, supply + shares)
    assert vault.buffer() == vault.balance


def test_stake_by_plain_ether_is_for_the_sender(protocol, vault, token, staker, rate):
    before = token.balanceOf(staker)
    shares = math.floor(3 * ETHER / rate)
    tx = staker.transfer(vault, 3 * ETHER)
    assert tx.events == staked(protocol, staker, staker, 3 * ETHER, shares)
    assert token.balanceOf(staker) == before + shares


def test_stake_names_its_referral(protocol, vault, staker, other):
    referral = protocol.actors.treasury
    tx = vault.stake(other, 0, referral, sender=staker, value=ETHER)
    assert tx.events == [
        *staked(protocol, staker, other, ETHER, ETHER),
        vault.Referred(referral=referral, owner=other, assets=ETHER, shares=ETHER),
    ]


def test_stake_while_rewards_vest_pays_the_rate_of_that_second(protocol, vault, token, staker, other):
    """Against the exact model, at seconds where the unvested ether is no whole number."""
    model = vault_model(protocol)
    at = next_at(now() + 10)
    stake(protocol, staker, 777 * ETHER + 13)
    model.stake("staker", 777 * ETHER + 13, at)
    report_as_oracle(protocol, gain=5 * ETHER, at=at + 1000)
    model.report(ConsensusFigures(at + 1000, 5 * GWEI, withdrawn=0, deposited=0), at + 1000)
    for later in (1001, 1002, 7777, 43_201, 87_399, 87_400, 87_401):
        next_at(at + later)
        expected = model.stake("other", ETHER + later, at + later).integer
        before = token.balanceOf(other)
        vault.stake(other, expected, ZERO, sender=staker, value=ETHER + later)
        assert token.balanceOf(other) - before == expected
    assert model.pooled == vault.pooled()
    assert model.supply == vault.supply()


@pytest.mark.parametrize("short", [1, ETHER])
def test_stake_reverts_below_the_minimum_of_shares(vault, staker, other, rate, short):
    shares = math.floor(10 * ETHER / rate)
    with reverts(vault.SharesBelowMinimum, shares=shares, minShares=shares + short):
        vault.stake(other, shares + short, ZERO, sender=staker, value=10 * ETHER)


@pytest.mark.parametrize("assets", [0, 1, MIN_STAKE - 1])
def test_A4_stake_below_the_minimum_reverts(vault, staker, other, rate, assets):
    for send in (
        lambda: vault.stake(other, 0, ZERO, sender=staker, value=assets),
        lambda: vault.deposit(assets, other, sender=staker, value=assets),
        lambda: staker.transfer(vault, assets),
    ):
        with reverts(vault.StakeBelowMinimum, given=assets, minimum=MIN_STAKE):
            send()


def test_A4_least_stake_mints_shares(vault, token, staker, other, rate):
    vault.stake(other, 1, ZERO, sender=staker, value=MIN_STAKE)
    assert token.balanceOf(other) == math.floor(MIN_STAKE / rate) > 0


def test_stake_up_to_the_limit_and_no_wei_more(protocol, vault, staker, other):
    """A day after the deployment the limit has stopped to grow."""
    params = protocol.params.vault
    warp_to(vault.referenceTime() + DAY)
    limit = params.limit_burst + DAY * params.limit_growth_per_second
    with reverts(vault.StakeAboveLimit, given=limit + 1, available=limit):
        vault.stake(other, 0, ZERO, sender=staker, value=limit + 1)
    vault.stake(other, 0, ZERO, sender=staker, value=limit)
    assert vault.stakeLimit() == 0
    with reverts(vault.StakeAboveLimit, given=MIN_STAKE, available=0):
        vault.stake(other, 0, ZERO, sender=staker, value=MIN_STAKE)


def test_stake_for_nobody_or_for_the_token_reverts(vault, token, staker):
    for receiver in (ZERO, token.address):
        with reverts(token.ERC20InvalidReceiver, receiver=receiver):
            vault.stake(receiver, 0, ZERO, sender=staker, value=ETHER)


def test_vault_has_no_other_door_for_ether(vault, staker):
    with reverts(b""):
        staker.transfer(vault, ETHER, data=keccak(text="donate()")[:4])
    with reverts(b""):
        staker.transfer(vault, ETHER, data=b"\x01")


@pytest.mark.parametrize("name", ["receiveSweep", "receiveRewards"])
def test_A2_only_modules_bring_ether_that_mints_nothing(protocol, vault, staker, name):
    allowed = {"receiveSweep": protocol.gateway, "receiveRewards": protocol.rewards}[name]
    with reverts(vault.CallerNotAllowed, caller=staker, allowed=allowed):
        getattr(vault, name)(sender=staker, value=ETHER)


# --- Packed fields ---


@pytest.fixture
def nearly_full(protocol, vault, staker):
    """A pool of 2^96 - 1 wei less one ether at a rate of 1: 79 billion ether, which no sequence of stakes reaches."""
    pooled = 2**96 - 1 - ETHER
    request = ape.chain.provider.make_request
    slots = [ape.chain.provider.get_storage(vault.address, slot) for slot in range(3)]
    place = next(i for i, value in enumerate(slots) if int.from_bytes(value, "big") & (2**96 - 1) == vault.pooled())
    growth = int.from_bytes(slots[place], "big") >> 192
    word = growth << 192 | pooled << 96 | pooled
    request("anvil_setStorageAt", [vault.address, hex(place), "0x" + word.to_bytes(32, "big").hex()])
    frame = int.from_bytes(slots[place + 1], "big")
    frame |= (2**96 - 1) << 120  # the ceiling
    request("anvil_setStorageAt", [vault.address, hex(place + 1), "0x" + frame.to_bytes(32, "big").hex()])
    assert vault.pooled() == vault.supply() == pooled
    assert vault.stakeLimit() > ETHER
    return pooled


def test_A8_pooled_and_supply_reach_their_last_wei(vault, staker, other, nearly_full):
    vault.stake(other, 0, ZERO, sender=staker, value=ETHER)
    assert vault.pooled() == vault.supply() == 2**96 - 1


@pytest.mark.parametrize("above", [1, 2])
def test_A8_pooled_refuses_the_wei_beyond(vault, staker, other, nearly_full, above):
    with reverts(vault.SafeCastOverflowedUintDowncast, bits=96, value=2**96 - 1 + above):
        vault.stake(other, 0, ZERO, sender=staker, value=ETHER + above)


# --- Ether that nobody staked ---


@pytest.mark.parametrize("name", ["vault", "token", "queue", "gateway", "rewards", "cover", "splitter", "oracle"])
@pytest.mark.parametrize("how", ["set", "self-destruct"])
def test_H3_forced_ether_never_moves_the_rate(protocol, vault, staker, name, how):
    stake(protocol, staker, 100 * ETHER)
    deposit_to_beacon(protocol, 64 * GWEI)
    before = (vault.pooled(), vault.supply(), vault.totalAssets(), vault.rate(), vault.buffer(), vault.outside())
    target = getattr(protocol, name)
    if how == "set":
        give_ether(target, 1000 * ETHER)
    else:
        force_with_code(staker, target, 1000 * ETHER)
    assert target.balance >= 1000 * ETHER
    assert before == (
        vault.pooled(),
        vault.supply(),
        vault.totalAssets(),
        vault.rate(),
        vault.buffer(),
        vault.outside(),
    )


def test_H3_donation_counts_by_a_report_alone_and_vests(protocol, vault, staker, other):
    """Only what is sent to the rewards vault ever reaches holders; the limits of a report bound it."""
    stake(protocol, staker, 99_999 * ETHER)
    other.transfer(protocol.rewards, 10 * ETHER)
    assert vault.rate() == 10**18
    advance_frame(protocol)
    signed_report(protocol, rewards=10 * ETHER)
    assert vault.rate() == 10**18
    reported = now()
    net = 9 * ETHER  # after a fee of 10%
    supply = 100_001 * ETHER  # the fee was minted at the rate of 1
    for passed in (1, 3600, DAY // 2, DAY - 1, DAY, 2 * DAY):
        warp_to(reported + passed)
        vested = net - math.ceil(Fraction(net * max(0, DAY - passed), DAY))
        total = 100_001 * ETHER + vested
        assert vault.rate() == math.floor(Fraction(total * 10**18, supply))


def test_A1_shares_sent_to_the_vault_move_no_rate(protocol, vault, token, staker):
    """slETH given to the vault is not burnt: it goes on counting, so nobody's rate moves."""
    stake(protocol, staker, 100 * ETHER)
    token.transfer(vault, 100 * ETHER, sender=staker)
    assert vault.rate() == 10**18
    assert vault.supply() == 101 * ETHER


# --- Properties, in process ---

log_uniform = st.floats(min_value=0, max_value=24).map(lambda x: int(10**x))
"""1 wei to a million ether."""


@settings(max_examples=40, deadline=None)
@given(
    attack=log_uniform.map(lambda x: max(x, 1000)),
    gift=log_uniform,
    victim=log_uniform.map(lambda x: max(x, MIN_STAKE)),
    where=st.sampled_from(["vault", "rewards_vault", "gateway", "token"]),
)
def test_A1_first_staker_cannot_inflate(attack, gift, victim, where):
    """A victim loses at most max(1e-9, 10 wei), the attacker never gains, wherever it sends its gift."""
    process = Process()
    core = SmallCore.deploy(ape.project, process.account(0), process.account(1), clock=process)
    attacker, staker = process.account(2), process.account(3)
    spent = attack
    shares = core.stake(attacker, attack)
    if where == "token":  # slETH to the vault: all but one share
        core.token.transfer(core.vault, shares - 1, sender=attacker)
        shares = 1
    elif where == "rewards_vault":
        core.tip(attacker, gift)
        spent += gift
    else:
        target = getattr(core, where)
        process.evm.set_balance(target.address, target.balance + gift)
        spent += gift
        core.touch()
    got = core.stake(staker, victim)
    assert victim - core.worth(got) <= max(Fraction(victim, 10**9), 10)
    assert core.worth(shares) <= spent
    assert core.worth(got) <= victim


@settings(max_examples=40, deadline=None)
@given(
    gain=st.integers(0, 10**15),
    first=st.integers(1000, 10**24),
    second=st.integers(1000, 10**24),
)
def test_A3_splitting_a_stake_never_gains(gain, first, second):
    """shares(a + b) >= shares(a) + shares(b), and a stake is never worth more than it cost."""
    process = Process()
    core = SmallCore.deploy(ape.project, process.account(0), process.account(1), clock=process)
    who = process.account(2)
    core.stake(process.account(4), 1_234_567_891_011)
    core.earn(gain * GWEI)
    rate = core.rate
    before = process.evm.snapshot()
    split = core.stake(who, first) + core.stake(who, second)
    assert core.worth(split) <= first + second
    assert core.rate >= rate
    process.evm.revert(before)
    joined = core.stake(who, first + second)
    assert core.worth(joined) <= first + second
    assert joined >= split


@settings(max_examples=40, deadline=None)
@given(
    gain=st.integers(0, 10**13),
    fee=st.integers(0, 2_000),
    stakes=st.lists(
        st.tuples(st.sampled_from(["stake", "deposit", "mint", "ether"]), st.integers(1000, 10**22)), max_size=8
    ),
)
def test_A2_no_payable_function_mints_for_less_than_the_rate(gain, fee, stakes):
    """shares minted * rate <= ether received, for every way in; the rate never falls."""
    process = Process()
    core = SmallCore.deploy(ape.project, process.account(0), process.account(1), clock=process)
    core.vault.setFee(process.account(1), fee, sender=core.governance)
    core.stake(process.account(4), 987_654_321_987)
    core.earn(gain * GWEI)
    who = process.account(2)
    for kind, amount in stakes:
        rate, balance, held = core.rate, core.vault.balance, core.token.balanceOf(who)
        if kind == "stake":
            core.vault.stake(who, 0, ZERO, sender=who, value=amount)
        elif kind == "deposit":
            core.vault.deposit(amount, who, sender=who, value=amount)
        elif kind == "mint":
            core.vault.mint(amount, who, sender=who, value=math.ceil(amount * rate) + amount % 3)
        else:
            who.transfer(core.vault, amount)
        assert (core.token.balanceOf(who) - held) * rate <= core.vault.balance - balance
        assert core.rate >= rate
