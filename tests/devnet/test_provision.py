"""What is provided for a slashing, against what the consensus layer takes in the end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from sluice.beacon.spec import PRESETS
from sluice.beacon.state import BeaconState
from sluice.devnet import Devnet, DevnetSettings
from sluice.oracle.provision import (
    INACTIVITY_SCORE_BIAS,
    INACTIVITY_SCORE_RECOVERY,
    Slashed,
    drained,
    lost_since,
    slashed_of,
)
from tests.devnet.backend import BACKEND
from tests.devnet.staking import Key, deposit_data, eth, look, make_deposits, make_validators, until

CREDENTIALS = b"\x02" + bytes(11) + b"\x77" * 20


def state_of(devnet: Devnet) -> BeaconState:
    data, fork = devnet.beacon.state("head")
    return BeaconState.decode(data, "fulu" if fork == "fulu" else "electra", PRESETS[devnet.settings.preset])


def slashed(devnet: Devnet, *keys: Key) -> dict[int, Slashed]:
    return slashed_of(state_of(devnet), np.array([look(devnet, key).index for key in keys], np.int64))


@pytest.fixture(scope="module")
def quiet() -> Iterator[Devnet]:
    """One on which nobody else is slashed: what is foreseen counts all that were lately."""
    with Devnet(DevnetSettings(backend=BACKEND, keep_states=1_024)) as devnet:
        devnet.advance(2)
        yield devnet


@pytest.mark.parametrize("count", [pytest.param(1, marks=pytest.mark.deep), 3])
def test_provision_is_what_a_slashing_still_costs(quiet: Devnet, count: int) -> None:
    """Alone, and several about the same time, which costs each of them more.

    What is foreseen right after the offence holds to the end within a twentieth: what all others earn changes the base
    reward a little, and an epoch more or less of absence is counted at either end.
    """
    devnet = quiet
    sender = devnet.accounts[20]
    keys = [Key.of(f"provision {count} {n}") for n in range(count)]
    make_validators(devnet, sender, CREDENTIALS, eth(32), *keys)
    before = {key: look(devnet, key).balance for key in keys}
    slash(devnet, *keys)
    first = slashed(devnet, *keys)
    assert len(first) == count
    foreseen = {key: first[look(devnet, key).index] for key in keys}
    told = lost_since({}, first)

    end = look(devnet, keys[0]).validator.withdrawable_epoch
    while epoch_of(devnet) < end - 1:
        devnet.advance_epochs(1)
        now = slashed(devnet, *keys)
        for key in keys:
            index = look(devnet, key).index
            assert now[index].value == pytest.approx(foreseen[key].value, abs=tolerance(foreseen[key]))
    assert all(now[look(devnet, key).index].provision < eth(1) // 100 for key in keys)
    for key in keys:
        lost = before[key] - look(devnet, key).balance
        each = foreseen[key]
        assert each.taken + each.provision == pytest.approx(lost, abs=tolerance(each))
    assert told == sum(each.taken + each.provision for each in first.values())
    assert lost_since(first, now) <= sum(tolerance(each) for each in first.values())


def test_what_was_missed_before_the_first_report_is_told_with_it(quiet: Devnet) -> None:
    """The offence is early in the frame: the epochs up to the reference slot are the operator's fault, too."""
    devnet = quiet
    key = Key.of("provision missed")
    make_validators(devnet, devnet.accounts[24], CREDENTIALS, eth(32), key)
    slash(devnet, key)
    devnet.advance_epochs(1)
    (at_once,) = slashed(devnet, key).values()
    epochs = 9
    devnet.advance_epochs(epochs)
    (later,) = slashed(devnet, key).values()
    missed = at_once.balance - later.balance
    assert missed > 0
    assert later.taken - at_once.taken == pytest.approx(missed, rel=0.02), "fewer are active, which costs each more"
    # in whichever of two reports it is first seen, the same is told
    assert lost_since({}, {0: later}) == pytest.approx(
        lost_since({}, {0: at_once}) + lost_since({0: at_once}, {0: later}), abs=tolerance(later)
    )


@pytest.mark.deep
def test_slashing_that_the_vector_has_forgotten_by_then_costs_nothing_more(quiet: Devnet) -> None:
    """The vector is a ring. At the midpoint of the second, the first is overwritten, though it is in it now."""
    devnet = quiet
    size = PRESETS[devnet.settings.preset].epochs_per_slashings_vector
    devnet.advance_epochs(size)  # nobody's but theirs
    early, late = Key.of("provision early"), Key.of("provision late")
    make_validators(devnet, devnet.accounts[21], CREDENTIALS, eth(32), early, late)
    slash(devnet, early)
    devnet.advance_epochs(size // 2 + 8)
    before = look(devnet, late).balance
    slash(devnet, late)
    assert np.count_nonzero(state_of(devnet).column("slashings")) == 2
    (each,) = slashed(devnet, late).values()
    end = look(devnet, late).validator.withdrawable_epoch
    while epoch_of(devnet) < end - 1:
        devnet.advance_epochs(1)
    lost = before - look(devnet, late).balance
    assert each.taken + each.provision == pytest.approx(lost, abs=tolerance(each))


def test_ether_for_a_validator_that_was_paid_out_makes_no_loss_of_the_payment(quiet: Devnet) -> None:
    """Else a stranger's ether would charge the operator's bond with the whole balance."""
    devnet = quiet
    key = Key.of("provision paid out")
    make_validators(devnet, devnet.accounts[22], CREDENTIALS, eth(32), key)
    slash(devnet, key)
    end = look(devnet, key).validator.withdrawable_epoch
    while epoch_of(devnet) < end - 1:
        devnet.advance_epochs(1)
    before = slashed(devnet, key)
    assert next(iter(before.values())).balance > eth(25)
    until(devnet, lambda: look(devnet, key).balance == 0, 8)
    assert lost_since(before, slashed(devnet, key)) == 0
    make_deposits(devnet, devnet.accounts[23], deposit_data(devnet, key, CREDENTIALS, eth(1)))
    for _ in range(40 * devnet.slots_per_epoch):
        devnet.advance(1)
        if look(devnet, key).balance:
            break
    now = slashed(devnet, key)
    assert next(iter(now.values())).balance == eth(1)
    assert lost_since(before, now) == 0


def test_score_of_a_leak_that_is_over_runs_out(quiet: Devnet) -> None:
    """It is not paid for until the end: with mainnet's times, that would be many times what absence costs.

    From epoch to epoch the provision falls by what was lost, where the stake of all, of which the correlation penalty
    is a part, stays the same: others' balances sink for a while yet.
    """
    devnet = quiet
    key = Key.of("provision leak")
    make_validators(devnet, devnet.accounts[24], CREDENTIALS, eth(32), key)
    index = look(devnet, key).index
    devnet.set_offline([*range(30), index])
    devnet.advance_epochs(24)
    devnet.set_offline([index])
    until(devnet, lambda: epoch_of(devnet) - devnet.beacon.finality().finalized.epoch <= 3)
    devnet.set_offline([])
    slash(devnet, key)
    rest = []
    devnet.advance_epochs(1)
    before, staked = slashed(devnet, key)[index], staked_by_all(devnet)
    while score_of(devnet, index) > INACTIVITY_SCORE_RECOVERY:
        devnet.advance_epochs(1)
        now, staked_now = slashed(devnet, key)[index], staked_by_all(devnet)
        if staked_now == staked:
            rest.append((before.provision - now.provision) - (before.balance - now.balance))
        before, staked = now, staked_now
    assert len(rest) >= 3
    assert max(rest) - min(rest) < 100, rest


@pytest.mark.parametrize("score", [0, 1, 11, 12, 13, 40, 100, 12_345])
@pytest.mark.parametrize("epochs", [0, 1, 3, 64, 8_192])
def test_score_that_is_drained_is_summed(score: int, epochs: int) -> None:
    left, total = score, 0
    for _ in range(epochs):
        left = max(0, left + INACTIVITY_SCORE_BIAS - INACTIVITY_SCORE_RECOVERY)
        total += left
    assert drained(score, epochs) == total


def slash(devnet: Devnet, *keys: Key) -> None:
    devnet.slash([look(devnet, key).index for key in keys], "vote")
    devnet.advance_block()
    until(devnet, lambda: all(look(devnet, key).validator.slashed for key in keys))


def score_of(devnet: Devnet, index: int) -> int:
    return int(state_of(devnet).column("inactivity_scores")[index])


def staked_by_all(devnet: Devnet) -> int:
    state = state_of(devnet)
    validators, epoch = state.validators, epoch_of(devnet)
    active = (validators["activation_epoch"] <= epoch) & (validators["exit_epoch"] > epoch)
    return int(validators["effective_balance"][active].sum())


def epoch_of(devnet: Devnet) -> int:
    return devnet.status().slot // devnet.slots_per_epoch


def tolerance(each: Slashed) -> int:
    """How far it may be off."""
    return max(each.provision // 20, 10**6)
