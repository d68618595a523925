"""StakingVault.report with a loss: bonds, then what is unvested, then the cover fund, then all holders alike.

Modules that misbehave are in test_vault_hostile_modules.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import ape
import pytest

from sluice.model import ConsensusFigures
from tests.helpers import (
    DAY,
    ETHER,
    GWEI,
    ZERO,
    deposit_to_beacon,
    give_ether,
    now,
    report_as_oracle,
    set_rate,
    stake,
    vault_model,
    vesting_seconds,
    warp_to,
)
from tests.queueing import settle

LOSS = 5 * ETHER + 3 * GWEI
LATER = 30_000
"""Seconds from the gain that is still vesting to the loss."""


@pytest.fixture(scope="module")
def vault(protocol):
    return protocol.vault


@pytest.fixture(scope="module")
def token(protocol):
    return protocol.token


@pytest.fixture(scope="module")
def staker(protocol):
    """2,000 ether pooled, 960 of them on the consensus layer, at a rate that is no round number."""
    stake(protocol, protocol.actors.staker, 1_999 * ETHER)
    deposit_to_beacon(protocol, 960 * GWEI)
    set_rate(protocol, 123_456_789_123 * GWEI)
    return protocol.actors.staker


@pytest.fixture(scope="module")
def bonds(protocol, staker):
    bonds = staker.deploy(ape.project.BondStandIn, protocol.token, 0)
    protocol.as_governor(protocol.vault.setBonds, bonds)
    return bonds


@dataclass(frozen=True)
class Expected:
    """The waterfall by its formulas, in fractions, from the counters before the report."""

    bonds_asked: int
    bonds_given: int
    by_bonds: int
    by_unvested: int
    cover_asked: int
    cover_given: int
    by_cover: int
    shared: int
    pooled: int
    unvested: int
    supply: int

    @property
    def burnt(self) -> int:
        return self.bonds_given + self.cover_given

    @classmethod
    def of(cls, loss: int, pooled: int, unvested: int, supply: int, bonds: int, cover: int, extra: int = 0) -> Expected:
        rate = Fraction(pooled - unvested, supply)

        def ask(amount: int, held: int, more: int) -> tuple[int, int, int]:
            if not amount:
                return 0, 0, 0
            asked = math.ceil(amount / rate)
            given = min(asked + more, held)
            return asked, given, min(amount, math.floor(given * rate))

        bonds_asked, bonds_given, by_bonds = ask(loss, bonds, extra)
        left = loss - by_bonds
        by_unvested = min(left, unvested)
        left -= by_unvested
        cover_asked, cover_given, by_cover = ask(left, cover, 0)
        return cls(
            bonds_asked,
            bonds_given,
            by_bonds,
            by_unvested,
            cover_asked,
            cover_given,
            by_cover,
            left - by_cover,
            pooled - loss,
            unvested - by_unvested,
            supply - bonds_given - cover_given,
        )

    def events(self, protocol, loss, at, bonds):
        """The whole list."""
        token, vault, cover = protocol.token, protocol.vault, protocol.cover

        def moved(sender, receiver, shares):
            return token.Transfer(**{"from": sender, "to": receiver, "value": shares})

        events = []
        if bonds:
            events += [
                bonds.Asked(shares=self.bonds_asked),
                moved(bonds, vault, self.bonds_given),
                vault.LossCovered(module=bonds, shares=self.bonds_given, assets=self.by_bonds),
            ]
        if self.cover_asked:
            events += [
                cover.Covered(wanted=self.cover_asked, given=self.cover_given),
                moved(cover, vault, self.cover_given),
                vault.LossCovered(module=cover, shares=self.cover_given, assets=self.by_cover),
            ]
        if self.shared:
            events.append(vault.LossShared(assets=self.shared))
        if self.burnt:
            events.append(moved(vault, ZERO, self.burnt))
        return [
            *events,
            vault.Reported(
                referenceTime=at,
                profit=-loss,
                rewards=0,
                pooled=self.pooled,
                unvested=self.unvested,
                supply=self.supply,
            ),
        ]


def rate_of(vault) -> Fraction:
    return Fraction(vault.pooled() - vault.unvested(), vault.supply())


@dataclass(frozen=True)
class Vesting:
    """A gain that was reported: how much of it vests from when until when."""

    amount: int
    since: int
    end: int

    def unvested(self, at: int) -> int:
        return math.ceil(Fraction(self.amount * max(0, self.end - at), self.end - self.since))


def gain_then_wait(protocol, gain: int) -> Vesting:
    period = vesting_seconds(protocol, now() + 1)
    tx = report_as_oracle(protocol, gain=gain)
    warp_to(now() + LATER)
    return Vesting(tx.events[-1].unvested, tx.timestamp, tx.timestamp + period)


def lose(protocol, loss, bonds, *, gained=0, extra=0):
    """A gain that vests, then a report with ``loss``; all events and counters are held against the formulas.

    Returns these and the rates right before and after.
    """
    vault, token = protocol.vault, protocol.token
    vesting = gain_then_wait(protocol, gained)
    at = now() + 1
    pooled, supply, unvested = vault.pooled(), vault.supply(), vesting.unvested(at)
    held = {
        name: token.balanceOf(module) if module else 0 for name, module in (("bonds", bonds), ("cover", protocol.cover))
    }
    expected = Expected.of(loss, pooled, unvested, supply, **held, extra=extra)
    before = Fraction(pooled - unvested, supply)
    tx = report_as_oracle(protocol, gain=-loss, at=at)
    assert tx.events == expected.events(protocol, loss, at, bonds)
    assert (vault.pooled(), vault.unvested(), vault.supply()) == (expected.pooled, expected.unvested, expected.supply)
    assert vault.buffer() == vault.balance
    if bonds:
        assert token.balanceOf(bonds) == held["bonds"] - expected.bonds_given
    assert token.balanceOf(protocol.cover) == held["cover"] - expected.cover_given
    return expected, before, rate_of(vault)


BONDS = {"full": 20 * ETHER, "part": 1_234_567_890_123_456_789, "none": 0}
UNVESTED = {"full": 20 * ETHER, "part": ETHER, "none": 0}
COVER = {"full": 20 * ETHER, "part": 987_654_321_098_765_432, "none": 0}


@pytest.mark.parametrize("cover", COVER)
@pytest.mark.parametrize("unvested", UNVESTED)
@pytest.mark.parametrize("bonded", BONDS)
def test_loss_runs_down_the_waterfall(protocol, vault, token, staker, bonds, bonded, unvested, cover):
    """INV: who covers what, to the wei and the share; the rate falls only by what nobody covered."""
    token.transfer(bonds, BONDS[bonded], sender=staker)
    token.transfer(protocol.cover, COVER[cover], sender=staker)
    expected, before, after = lose(protocol, LOSS, bonds, gained=UNVESTED[unvested])

    # the case is the one that is meant
    assert (expected.by_bonds == LOSS) == (bonded == "full")
    assert bool(expected.by_bonds) == (bonded != "none")
    if bonded != "full":
        assert (expected.by_bonds + expected.by_unvested == LOSS) == (unvested == "full")
        assert bool(expected.by_unvested) == (unvested != "none")
        if unvested != "full":
            assert (expected.shared == 0) == (cover == "full")
            assert bool(expected.by_cover) == (cover != "none")

    total = expected.pooled - expected.unvested
    if expected.shared:
        assert after < before
        # holders lose what is shared, and gain the dust of rounding: at most a share's worth for each module
        burnt = expected.by_bonds + expected.by_cover
        assert 0 <= total - before * expected.supply + expected.shared < 2 * before
        assert burnt <= expected.burnt * before
    else:
        assert 0 <= after - before < 2 * before / expected.supply


def test_loss_equals_the_model(protocol, vault, token, staker, bonds):
    token.transfer(bonds, ETHER, sender=staker)
    token.transfer(protocol.cover, ETHER // 3, sender=staker)
    vesting = gain_then_wait(protocol, ETHER)
    model = vault_model(protocol)
    model.bonds, model.cover = "bonds", "cover"
    model.pooled, model.supply = Fraction(vault.pooled()), Fraction(vault.supply())
    model.balances = {"bonds": Fraction(ETHER), "cover": Fraction(ETHER // 3)}
    model.vesting, model.vesting_since, model.vesting_end = Fraction(vesting.amount), vesting.since, vesting.end
    model.profit, model.deposited, model.swept, model.reference_time = vault.consensus()
    at = now() + 77
    tx = report_as_oracle(protocol, gain=-LOSS, at=at)
    outcome = model.report(
        ConsensusFigures(
            at,
            960 * GWEI + model.profit - LOSS // GWEI,
            withdrawn=0,
            deposited=960 * GWEI,
            faults=LOSS // GWEI,
        ),
        at,
    )
    assert outcome.covered_by_bonds > 0
    assert outcome.covered_by_unvested > 0
    assert outcome.covered_by_cover > 0
    assert outcome.shared > 0
    assert (vault.pooled(), vault.unvested(), vault.supply()) == (outcome.pooled, outcome.unvested, outcome.supply)
    covered = [event.assets for event in tx.events if event.event_name == "LossCovered"]
    assert covered == [outcome.covered_by_bonds, outcome.covered_by_cover]
    assert [event.assets for event in tx.events if event.event_name == "LossShared"] == [outcome.shared]
    assert vault.rate() == model.rate_view(at)
    assert vault.unrecovered() == model.unrecovered


@pytest.mark.parametrize("short", [0, 1, 2])
def test_loss_covered_up_to_the_last_share(protocol, vault, token, staker, bonds, short):
    """With a share less than asked for, a wei or two are left for the next step."""
    asked = math.ceil(LOSS / rate_of(vault))
    token.transfer(bonds, asked - short, sender=staker)
    expected, before, _ = lose(protocol, LOSS, bonds)
    assert expected.bonds_given == asked - short
    assert expected.shared == LOSS - min(LOSS, math.floor((asked - short) * before))
    assert (expected.shared == 0) == (short == 0)
    assert expected.shared <= math.ceil(short * before)


def test_smallest_loss(protocol, vault, token, staker, bonds):
    expected, _, _ = lose(protocol, GWEI, bonds)
    assert expected.shared == GWEI


@pytest.mark.parametrize("extra", [1, ETHER])
def test_module_that_gives_too_much_makes_holders_no_poorer(protocol, vault, token, staker, extra):
    """All that is given is burnt; a loss is never covered by more than itself."""
    generous = staker.deploy(ape.project.BondStandIn, token, extra)
    protocol.as_governor(vault.setBonds, generous)
    token.transfer(generous, 10 * ETHER, sender=staker)
    expected, before, after = lose(protocol, LOSS, generous, extra=extra)
    assert expected.bonds_given == expected.bonds_asked + extra
    assert expected.by_bonds == LOSS
    assert after > before


def test_no_modules_leave_the_loss_to_unvested_and_holders(protocol, vault, token, staker):
    """With both switched off nothing is asked, whatever they hold."""
    protocol.as_governor(vault.setBonds, ZERO)
    protocol.as_governor(vault.setCover, ZERO)
    token.transfer(protocol.cover, 20 * ETHER, sender=staker)
    vesting = gain_then_wait(protocol, ETHER)
    at = now() + 1
    unvested = vesting.unvested(at)
    pooled, supply = vault.pooled(), vault.supply()
    tx = report_as_oracle(protocol, gain=-LOSS, at=at)
    assert tx.events == [
        vault.LossShared(assets=LOSS - unvested),
        vault.Reported(referenceTime=at, profit=-LOSS, rewards=0, pooled=pooled - LOSS, unvested=0, supply=supply),
    ]
    assert token.balanceOf(protocol.cover) == 20 * ETHER


def test_shares_in_the_vault_before_a_loss_are_no_cover(protocol, vault, token, staker, bonds):
    """Whoever sends slETH to the vault neither pays for a loss nor makes a module look better."""
    token.transfer(vault, 7 * ETHER, sender=staker)
    token.transfer(bonds, ETHER, sender=staker)
    expected, _, _ = lose(protocol, LOSS, bonds)
    assert expected.burnt == ETHER
    assert token.balanceOf(vault) == 7 * ETHER


def test_everything_outside_can_be_lost(protocol, vault, staker, bonds):
    outside = vault.outside()
    _, _, after = lose(protocol, outside, bonds)
    assert vault.outside() == 0
    assert vault.pooled() == vault.buffer() == vault.balance
    assert after == Fraction(vault.buffer(), vault.supply())


# --- No fee, no second counting ---


def test_A9_loss_mints_no_fee(protocol, vault, token, staker):
    held = token.balanceOf(protocol.splitter)
    report_as_oracle(protocol, gain=-LOSS)
    assert token.balanceOf(protocol.splitter) == held


@pytest.mark.parametrize("rewards", [0, LOSS - 1, LOSS, LOSS + 1, LOSS + ETHER])
def test_loss_and_rewards_of_one_report_are_set_against_each_other(protocol, vault, token, staker, bonds, rewards):
    """Bonds pay for what was at fault, whatever else was gained; a fee is taken from the net gain alone."""
    token.transfer(bonds, 20 * ETHER, sender=staker)
    give_ether(protocol.rewards, rewards)
    held, fees = token.balanceOf(bonds), token.balanceOf(protocol.splitter)
    warp_to(now() + 2 * DAY)
    rate, supply = rate_of(vault), vault.supply()
    net = rewards - LOSS
    report_as_oracle(protocol, gain=-LOSS, rewards=rewards)
    given = held - token.balanceOf(bonds)
    minted = token.balanceOf(protocol.splitter) - fees
    assert given == math.ceil(LOSS / rate)
    assert vault.unvested() == LOSS + net - max(0, net // 10)
    assert vault.unrecovered() == 0
    assert minted == (math.floor((net // 10) / rate) if net > 0 else 0)
    assert vault.supply() == supply - given + minted
    assert vault.buffer() == vault.balance


def test_provision_is_a_loss_now_and_no_second_one_when_it_comes(protocol, vault, staker):
    """D4: a slashing under way is provided for once; when the balance falls by it nothing changes any more."""
    profit, deposited, _, _ = vault.consensus()
    balance = deposited + profit
    report_as_oracle(protocol, provision=GWEI, consensusBalance=balance)
    pooled = vault.pooled()
    tx = report_as_oracle(protocol, provision=0, consensusBalance=balance - GWEI)
    assert tx.events[-1].profit == 0
    assert vault.pooled() == pooled


def test_A9_gain_that_only_undoes_a_loss_bears_no_fee(protocol, vault, token, staker, bonds):
    """Decision 0016: what holders bore (unvested or vested) comes back without a fee; bonds' part is not theirs."""
    token.transfer(bonds, ETHER, sender=staker)
    before = vault.unrecovered()
    assert before == 0
    expected, _, _ = lose(protocol, LOSS, bonds, gained=ETHER)
    borne = LOSS - expected.by_bonds
    assert 0 < expected.by_unvested < borne
    assert vault.unrecovered() == borne == expected.by_unvested + expected.shared
    fees = token.balanceOf(protocol.splitter)

    report_as_oracle(protocol, gain=2 * GWEI)
    assert vault.unrecovered() == borne - 2 * GWEI
    give_ether(protocol.rewards, 10 * ETHER)
    report_as_oracle(protocol, rewards=borne - 2 * GWEI)  # the last wei of it
    assert vault.unrecovered() == 0
    assert token.balanceOf(protocol.splitter) == fees

    rate = rate_of(vault)
    at = now() + 1
    tx = report_as_oracle(protocol, rewards=1_000, at=at)
    minted = [event.assets for event in tx.events if event.event_name == "FeeMinted"]
    assert minted == [100]
    assert rate_of(vault) >= rate


def test_A9_fee_of_a_gain_that_passes_the_loss_is_on_the_rest(protocol, vault, token, staker):
    """12,345 wei above what was lost: a fee of 1,234 wei."""
    report_as_oracle(protocol, gain=-LOSS)
    give_ether(protocol.rewards, LOSS + 12_345)
    tx = report_as_oracle(protocol, rewards=LOSS + 12_345)
    assert [event.assets for event in tx.events if event.event_name == "FeeMinted"] == [1_234]
    assert vault.unrecovered() == 0


# --- Those who wait bear it too ---


def test_C1_requests_bear_a_loss_like_every_holder(protocol, vault, token, staker):
    """Asking before a loss and asking after it pay the same."""
    queue, other = protocol.queue, protocol.actors.other
    token.transfer(other, 100 * ETHER, sender=staker)
    queue.request(100 * ETHER, staker, sender=staker)  # a second before the slashing is known
    report_as_oracle(protocol, gain=-50 * ETHER)
    queue.request(100 * ETHER, other, sender=other)
    settle(protocol)
    paid = [queue.claim.call(i, 1, who, sender=who) for i, who in ((1, staker), (2, other))]
    assert paid[0] == paid[1] <= 100 * ETHER * rate_of(vault)


def test_round_of_loss_and_gain_leaves_no_wei_behind(protocol, vault, staker, bonds):
    """INV: ether is conserved: pooled = buffer + outside after every report."""
    for gain in (-3 * ETHER, 2 * ETHER, -GWEI, 10 * ETHER, -7 * ETHER):
        report_as_oracle(protocol, gain=gain)
        assert vault.pooled() == vault.buffer() + vault.outside()
        assert vault.buffer() == vault.balance
        warp_to(now() + 5_000)
