"""Governance replaces the oracle: the new one goes on where the old one stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.oracle.views import find_contracts
from tests.devnet.protocol import DAY, FRAME, SLOT, WEI, Protocol
from tests.devnet.staking import look, until
from tests.devnet.test_watcher import watcher
from tests.devnet.world import World, open_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(Path(tmp_path_factory.mktemp("protocol"))) as opened:
        yield opened


def replace_oracle(protocol: Protocol) -> None:
    """By one with the same committee; ``protocol`` goes on with it."""
    devnet, old = protocol.devnet, protocol.contracts
    members = protocol.view("ReportOracle", "members")
    config = {
        "authority": protocol.result.plan.addresses["ProtocolAccessManager"],
        "vault": old.vault,
        "limits": protocol.view("ReportOracle", "limits"),
        "challenge": old.challenge,
        "genesisTime": old.genesis_time,
        "secondsPerSlot": old.seconds_per_slot,
        "firstSlot": 0,
        "frameSlots": FRAME,
        "members": members,
        "keys": [protocol.view("ReportOracle", "keyOf", each) for each in members],
        "quorum": protocol.view("ReportOracle", "quorum"),
        "validators": protocol.view("ReportOracle", "validators"),
    }
    oracle = protocol.create(protocol.governor, "ReportOracle", {"config": config})
    protocol.schedule(protocol.governor, "StakingVault", "setOracle", oracle)
    devnet.advance(2 * DAY // SLOT + 1)
    protocol.send(protocol.governor, "StakingVault", "setOracle", oracle)
    protocol.contracts = find_contracts(devnet.node, oracle)


def test_first_report_of_a_replaced_oracle_tells_faults_since_the_report_of_the_old_one(
    world: World, tmp_path: Path
) -> None:
    """Else bonds, and holders where there are none, would pay a second time for every fault there ever was."""
    protocol, devnet = world.protocol, world.devnet
    key = world.validator(world.operator(40 * WEI), "slashed under the old oracle")
    protocol.report()
    devnet.slash([look(devnet, key).index])
    devnet.advance_block()
    until(devnet, lambda: look(devnet, key).validator.slashed)
    protocol.send(protocol.stranger, "ValidatorManager", "proveSlashed", protocol.proof(key))
    before = protocol.report().report
    assert before.faults
    replace_oracle(protocol)
    assert protocol.view("ReportOracle", "lastReferenceSlot") == 0
    after = protocol.report().report
    assert after.faults == protocol.layer.faults(before.reference_slot, after.reference_slot, protocol.credentials)
    assert watcher(world, tmp_path).step() == f"slot {after.reference_slot}: true"
    world.books.check()
