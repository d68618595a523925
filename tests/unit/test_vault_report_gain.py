"""StakingVault.report with a gain: the fee is minted at the unchanged rate, the rest vests."""

from __future__ import annotations

import math
from fractions import Fraction

import ape
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.model import ConsensusFigures
from tests.helpers import (
    BPS,
    DAY,
    ETHER,
    GWEI,
    ZERO,
    consensus_report,
    deposit_to_beacon,
    give_ether,
    now,
    oracle_account,
    report_as_oracle,
    set_rate,
    stake,
    vault_model,
    warp_to,
)
from tests.in_process import Process
from tests.reverts import reverts
from tests.small_core import SmallCore

STAKED = 999 * ETHER  # 1,000 ether with the seed


@pytest.fixture(scope="module")
def vault(protocol):
    return protocol.vault


@pytest.fixture(scope="module")
def token(protocol):
    return protocol.token


@pytest.fixture(scope="module")
def staker(protocol):
    """1,000 ether are pooled at a rate of 1, 640 of them on the consensus layer."""
    stake(protocol, protocol.actors.staker, STAKED)
    deposit_to_beacon(protocol, 640 * GWEI)
    return protocol.actors.staker


@pytest.fixture(scope="module")
def fees(protocol):
    return protocol.splitter


def rate_of(vault) -> Fraction:
    return Fraction(vault.pooled() - vault.unvested(), vault.supply())


def fee_events(protocol, shares, assets, recipient=None):
    recipient = recipient or protocol.splitter
    return [
        protocol.token.Transfer(**{"from": ZERO, "to": recipient, "value": shares}),
        protocol.vault.FeeMinted(recipient=recipient, shares=shares, assets=assets),
    ]


# --- Exact numbers ---


def test_gain_at_a_rate_of_one(protocol, vault, token, staker, fees):
    """10 ether: a fee of 1, 9 vest. Numbers by hand."""
    at = now() + 100
    tx = report_as_oracle(protocol, gain=10 * ETHER, at=at)
    assert tx.events == [
        *fee_events(protocol, ETHER, ETHER),
        vault.Reported(
            referenceTime=at,
            profit=10 * ETHER,
            rewards=0,
            pooled=1_010 * ETHER,
            unvested=9 * ETHER,
            supply=1_001 * ETHER,
        ),
    ]
    assert token.balanceOf(fees) == ETHER
    assert vault.rate() == 10**18
    assert vault.totalAssets() == 1_001 * ETHER
    assert vault.consensus() == (10 * GWEI, 640 * GWEI, 0, at)
    assert vault.outside() == 650 * ETHER
    assert vault.buffer() == vault.balance == 360 * ETHER


@pytest.mark.parametrize("gain", [0, 1, 9, 10, GWEI - 1, GWEI, 10**15 + 1, 12_345_678_901_234_567_890, 2_000 * ETHER])
def test_gain_equals_the_formulas_at_an_odd_rate(protocol, vault, token, staker, fees, gain):
    """Fee shares are floor(floor(f g) S / T); what was unvested is joined by g less the fee."""
    set_rate(protocol, 33_333_333_333 * GWEI)
    report_as_oracle(protocol, gain=7_777_777_777 * GWEI)  # leaves something unvested
    at = now() + 12_345
    give_ether(protocol.rewards, gain)
    pooled, supply, held = vault.pooled(), vault.supply(), token.balanceOf(fees)
    reported = vault.unvested()
    unvested = math.ceil(Fraction(reported * (DAY - 12_345), DAY))
    total = pooled - unvested
    consensus_gain = 5 * GWEI if gain % 2 else 0  # from both sides
    fee_assets = math.floor(Fraction((gain + consensus_gain) * 1_000, BPS))
    fee_shares = math.floor(Fraction(fee_assets * supply, total))
    tx = report_as_oracle(protocol, gain=consensus_gain, rewards=gain, at=at)
    unvested += gain + consensus_gain - fee_assets
    assert tx.events == [
        *(fee_events(protocol, fee_shares, fee_assets) if fee_shares else []),
        vault.Reported(
            referenceTime=at,
            profit=gain + consensus_gain,
            rewards=gain,
            pooled=pooled + gain + consensus_gain,
            unvested=unvested,
            supply=supply + fee_shares,
        ),
        *([protocol.rewards.RewardsPulled(amount=gain)] if gain else []),
    ]
    assert vault.unvested() == unvested
    assert (vault.pooled(), vault.supply()) == (pooled + gain + consensus_gain, supply + fee_shares)
    assert token.balanceOf(fees) == held + fee_shares
    assert protocol.rewards.balance == 0
    assert vault.buffer() == vault.balance


def test_report_returns_profit_and_the_total_before_it(protocol, vault, staker):
    warp_to(now() + 10)
    report = consensus_report(protocol, gain=3 * ETHER)
    assert tuple(vault.report.call(report, sender=oracle_account(protocol))) == (3 * ETHER, 1_000 * ETHER)


def test_reports_equal_the_model_step_by_step(protocol, vault, staker):
    model = vault_model(protocol)
    model.pooled += STAKED
    model.balances["staker"] = STAKED
    model.supply += STAKED
    model.deposited = 640 * GWEI
    profit = 0
    at = now()
    for step, (gain, rewards, passed) in enumerate(
        [(1, 0, 500), (10**9, 10**17 + 3, DAY - 1), (0, 7, DAY), (123_456_789, 0, 3 * DAY), (-5 * 10**7, 10**18, 60)]
    ):
        at += passed
        profit += gain
        give_ether(protocol.rewards, rewards)
        report_as_oracle(protocol, gain=gain * GWEI, rewards=rewards, at=at)
        outcome = model.report(
            ConsensusFigures(at, 640 * GWEI + profit, withdrawn=0, deposited=640 * GWEI, rewards=rewards), at
        )
        assert (vault.pooled(), vault.supply(), vault.unvested()) == (
            outcome.pooled,
            outcome.supply,
            outcome.unvested,
        ), step
        assert vault.rate() == model.rate_view(at)
        assert vault.buffer() == model.buffer


def test_gain_report_hands_over_rewards_and_sweeps(protocol, vault, staker):
    """Everything that waits on this side comes in with the report, each with its event, in this order."""
    give_ether(protocol.rewards, ETHER + 1)
    give_ether(protocol.gateway, 2 * ETHER + 5)
    at = now() + 50
    tx = report_as_oracle(
        protocol, gain=GWEI, rewards=ETHER, at=at, withdrawn=2 * GWEI, consensusBalance=638 * GWEI + 1
    )
    profit = ETHER + GWEI
    fee = profit // 10
    assert tx.events == [
        *fee_events(protocol, fee, fee),
        vault.Reported(
            referenceTime=at,
            profit=profit,
            rewards=ETHER,
            pooled=1_000 * ETHER + profit,
            unvested=profit - fee,
            supply=1_000 * ETHER + fee,
        ),
        protocol.rewards.RewardsPulled(amount=ETHER),
        protocol.gateway.Swept(amount=2 * ETHER),
        vault.SweepReceived(amount=2 * GWEI),
    ]
    assert vault.consensus() == (1, 640 * GWEI, 2 * GWEI, at)
    assert vault.outside() == 638 * ETHER + GWEI
    assert vault.buffer() == vault.balance == 363 * ETHER
    assert protocol.rewards.balance == 1
    assert protocol.gateway.balance == 5


# --- The rate does not move ---


@pytest.mark.parametrize("fee", [0, 1, 1_000, 2_000])
@pytest.mark.parametrize("gain", [GWEI, 3 * ETHER + GWEI, 700 * ETHER])
def test_A9_fee_is_minted_at_the_unchanged_rate(protocol, vault, token, staker, fee, gain):
    """The rate after a report is that before it, and less than one share's worth spread over all shares above it."""
    recipient = protocol.actors.treasury
    protocol.as_governor(vault.setFee, recipient, fee)
    set_rate(protocol, 37_000_000_001 * GWEI)
    held = token.balanceOf(recipient)
    before = rate_of(vault)
    report_as_oracle(protocol, gain=gain)
    after = rate_of(vault)
    assert 0 <= after - before < before / vault.supply()
    # what the recipient got is worth the fee, rounded down by less than one share
    worth = (token.balanceOf(recipient) - held) * before
    assert gain * fee // BPS - before < worth <= gain * fee // BPS


@pytest.mark.parametrize("gain", [GWEI, 50 * ETHER])
def test_D1_staking_in_front_of_a_report_gains_nothing(protocol, vault, token, staker, gain):
    """A hundred times the pool, staked a second before a report, is worth not a wei more after it."""
    attacker = protocol.actors.other
    set_rate(protocol, 11_111_111_111 * GWEI)
    assets = 100_000 * ETHER
    shares = stake(protocol, attacker, assets)
    before = rate_of(vault)
    report_as_oracle(protocol, gain=gain)
    assert vault.convertToAssets(shares) <= assets
    assert shares * (rate_of(vault) - before) < 1  # wei


def test_report_of_nothing_changes_only_the_frame(protocol, vault, staker):
    at = now() + 10
    tx = report_as_oracle(protocol, at=at)
    assert tx.events == [
        vault.Reported(referenceTime=at, profit=0, rewards=0, pooled=1_000 * ETHER, unvested=0, supply=1_000 * ETHER)
    ]
    assert vault.rate() == 10**18


def test_A9_fee_change_leaves_earlier_gains_alone(protocol, vault, token, staker, fees):
    """The fee on what vests has been paid; a new fee counts from the next report on."""
    report_as_oracle(protocol, gain=10 * ETHER)
    protocol.as_governor(vault.setFee, protocol.actors.treasury, 2_000)
    assert token.balanceOf(fees) == ETHER
    at = now() + 1
    supply, total = vault.supply(), vault.totalAssets()
    tx = report_as_oracle(protocol, gain=10 * ETHER, at=at)
    shares = math.floor(Fraction(2 * ETHER * supply, total))
    assert tx.events[:2] == fee_events(protocol, shares, 2 * ETHER, protocol.actors.treasury)
    assert token.balanceOf(fees) == ETHER


# --- What is refused ---


@pytest.mark.parametrize("caller", ["stranger", "admin", "governor", "guardian", "gateway", "queue", "rewards"])
def test_only_the_oracle_reports(protocol, vault, staker, caller):
    actor = getattr(protocol.actors, caller, None) or protocol.impersonate(getattr(protocol, caller))
    report = consensus_report(protocol, gain=ETHER)
    with reverts(vault.CallerNotAllowed, caller=actor, allowed=protocol.oracle):
        vault.report(report, sender=actor)


@pytest.mark.parametrize("offset", [-1_000_000, -1, 0])
def test_D3_report_not_later_than_the_newest_reverts(protocol, vault, staker, offset):
    report_as_oracle(protocol)
    newest = vault.referenceTime()
    at = now() + 100
    with reverts(vault.ReferenceTimeOutOfOrder, given=newest + offset, newest=newest, current=at):
        report_as_oracle(protocol, at=at, reference_time=newest + offset)


@pytest.mark.parametrize("offset", [1, 2**39])
def test_D3_report_of_the_future_reverts(protocol, vault, staker, offset):
    newest = vault.referenceTime()
    at = now() + 100
    with reverts(vault.ReferenceTimeOutOfOrder, given=at + offset, newest=newest, current=at):
        report_as_oracle(protocol, at=at, reference_time=at + offset)


def test_D3_report_of_one_second_later_or_of_this_second_counts(protocol, vault, staker):
    newest = vault.referenceTime()
    report_as_oracle(protocol, at=now() + 100, reference_time=newest + 1)
    assert vault.referenceTime() == newest + 1
    at = now() + 100
    report_as_oracle(protocol, at=at, reference_time=at)
    assert vault.referenceTime() == at


def test_report_of_more_deposits_than_were_made_reverts(protocol, vault, staker):
    with reverts(vault.DepositedAboveCounter, given=640 * GWEI + 1, counter=640 * GWEI):
        report_as_oracle(protocol, deposited=640 * GWEI + 1, consensusBalance=640 * GWEI)
    with reverts(vault.DepositedAboveCounter, given=2**64 - 1, counter=640 * GWEI):
        report_as_oracle(protocol, deposited=2**64 - 1, consensusBalance=640 * GWEI)


def test_report_from_before_a_deposit_counts_it_as_outside(protocol, vault, staker):
    """A deposit after the reference slot is no loss: the balance and the counter of that slot go together."""
    deposit_to_beacon(protocol, 32 * GWEI)
    tx = report_as_oracle(protocol, deposited=640 * GWEI, consensusBalance=640 * GWEI)
    assert [event.profit for event in tx.events] == [0]
    assert vault.outside() == 672 * ETHER


@pytest.mark.parametrize(("arrived", "received"), [(0, 0), (GWEI - 1, 0), (5 * GWEI, 5), (6 * GWEI - 1, 5)])
def test_report_of_more_withdrawn_than_arrived_reverts(protocol, vault, staker, arrived, received):
    """D7: what has been swept and what lies in the gateway, in whole gwei, bounds what counts as withdrawn."""
    give_ether(protocol.gateway, 3 * ETHER)
    protocol.gateway.sweep(sender=staker)
    give_ether(protocol.gateway, arrived)
    most = 3 * GWEI + received
    with reverts(vault.WithdrawnAboveReceived, given=most + 1, received=most):
        report_as_oracle(protocol, withdrawn=most + 1, consensusBalance=640 * GWEI)
    report_as_oracle(protocol, withdrawn=most, consensusBalance=637 * GWEI)
    assert vault.consensus()[0] == received  # counted as a gain


def test_report_of_less_outside_than_was_swept_back_needs_a_gift(protocol, vault, staker):
    """What was swept cannot be lost any more: only ether that somebody gave can stand where it is missing (M3)."""
    give_ether(protocol.gateway, 3 * ETHER)
    protocol.gateway.sweep(sender=staker)  # 637 ether are outside, as far as the vault knows
    fields = {"withdrawn": 3 * GWEI, "consensusBalance": 10, "deposited": 640 * GWEI}
    with reverts(vault.WithdrawnAboveReceived, given=3 * GWEI + 1, received=3 * GWEI):
        report_as_oracle(protocol, provision=11, **fields)
    give_ether(protocol.gateway, GWEI)
    report_as_oracle(protocol, provision=11, **fields)
    assert vault.consensus()[0] == 3 * GWEI - 640 * GWEI  # the gwei of the gift counts against the loss
    assert vault.outside() == 0
    assert vault.buffer() == vault.pooled() == 363 * ETHER


def test_report_of_more_rewards_than_are_there_reverts(protocol, vault, staker):
    give_ether(protocol.rewards, ETHER)
    with reverts(protocol.rewards.RewardsTooLow, wanted=ETHER + 1, available=ETHER):
        report_as_oracle(protocol, rewards=ETHER + 1)


# --- Packed fields ---


@pytest.mark.parametrize("above", [0, 1, 2])
def test_A8_unvested_fits_eighty_bits_or_the_report_reverts(protocol, vault, staker, above):
    """1.2 million ether of unvested rewards at once; limits of reports stop far below."""
    protocol.as_governor(vault.setFee, protocol.actors.treasury, 0)
    rewards = 2**80 - 1 + above
    give_ether(protocol.rewards, rewards)
    if above:
        with reverts(vault.SafeCastOverflowedUintDowncast, bits=80, value=rewards):
            report_as_oracle(protocol, rewards=rewards)
    else:
        report_as_oracle(protocol, rewards=rewards)
        assert vault.unvested() == rewards


@pytest.mark.parametrize("above", [0, 1])
def test_A8_profit_fits_sixty_four_bits_or_the_report_reverts(protocol, vault, staker, above):
    balance = 2**63 + above + 640 * GWEI
    with reverts(vault.SafeCastOverflowedIntDowncast, bits=64, value=2**63 + above):
        report_as_oracle(protocol, consensusBalance=balance)


def test_A8_last_profit_that_fits_is_stopped_by_vesting(protocol, vault, staker):
    gain = (2**63 - 1) * GWEI
    with reverts(vault.SafeCastOverflowedUintDowncast, bits=80, value=gain - gain // 10):
        report_as_oracle(protocol, consensusBalance=2**63 - 1 + 640 * GWEI)


def test_A8_balances_of_the_whole_range_are_told_from_each_other(protocol, vault, staker):
    with reverts(vault.SafeCastOverflowedIntDowncast, bits=64, value=2**64 - 1 - 640 * GWEI):
        report_as_oracle(protocol, consensusBalance=2**64 - 1)


# --- Properties, in process ---


@settings(max_examples=40, deadline=None)
@given(
    fee=st.integers(0, 2_000),
    staked=st.integers(1_000, 10**24),
    gains=st.lists(st.integers(0, 10**20), min_size=1, max_size=4),
)
def test_A9_fees_are_never_more_than_their_part_of_all_gains(fee, staked, gains):
    """INV: what fee shares are worth when minted is in (f g - rate, f g]; the rate never jumps by a report."""
    process = Process()
    core = SmallCore.deploy(ape.project, process.account(0), process.account(1), clock=process)
    core.vault.setFee(process.account(1), fee, sender=core.governance)
    core.stake(process.account(2), staked)
    for gain in gains:
        process.evm.set_balance(core.rewards_vault.address, gain)
        process.pass_time(2)
        rate, held = core.rate, core.token.balanceOf(process.account(1))
        core.vault.report(
            {
                "referenceTime": process.now,
                "consensusBalance": 0,
                "provision": 0,
                "faults": 0,
                "withdrawn": 0,
                "deposited": 0,
                "rewards": gain,
            },
            sender=core.governance,
        )
        assert 0 <= core.rate - rate < rate / core.supply
        worth = (core.token.balanceOf(process.account(1)) - held) * rate
        assert gain * fee // BPS - rate < worth <= gain * fee // BPS
        process.pass_time(1_800)  # half of it vests
        assert core.rate >= rate
