"""What is provided for a slashing, against what the consensus layer takes in the end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from sluice.beacon.spec import PRESETS
from sluice.beacon.state import BeaconState
from sluice.devnet import Devnet, DevnetSettings
from sluice.oracle.provision import Slashed, lost_since, slashed_of
from tests.devnet.conftest import BACKEND
from tests.devnet.staking import Key, eth, look, make_validators, until

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


@pytest.mark.parametrize("count", [1, 3])
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
    devnet.slash([look(devnet, key).index for key in keys], "vote")
    devnet.advance_block()
    until(devnet, lambda: all(look(devnet, key).validator.slashed for key in keys))
    first = slashed(devnet, *keys)
    assert len(first) == count
    foreseen = {key: first[look(devnet, key).index] for key in keys}
    told = lost_since({}, first)

    end = look(devnet, keys[0]).validator.withdrawable_epoch
    while devnet.status().slot // devnet.slots_per_epoch < end - 1:
        devnet.advance_epochs(1)
        now = slashed(devnet, *keys)
        for key in keys:
            index = look(devnet, key).index
            assert now[index].value == pytest.approx(foreseen[key].value, abs=tolerance(foreseen[key]))
    assert all(now[look(devnet, key).index].provision < eth(1) // 100 for key in keys)
    for key in keys:
        lost = before[key] - look(devnet, key).balance
        each = foreseen[key]
        assert each.initial + each.provision == pytest.approx(lost, abs=tolerance(each))
    assert told == sum(each.initial + each.provision for each in first.values())
    assert lost_since(first, now) <= sum(tolerance(each) for each in first.values())


def tolerance(each: Slashed) -> int:
    """How far it may be off."""
    return max(each.provision // 20, 10**6)
