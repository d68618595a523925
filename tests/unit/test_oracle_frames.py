"""ReportOracle: one report a frame, for its reference slot, from its first second to its last (D3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.helpers import (
    DAY,
    ETHER,
    advance_frame,
    frame_seconds,
    next_at,
    now,
    publish_root,
    report_of,
    signatures_of,
    signed_report,
    stake,
    submit,
    warp_to,
)
from tests.reverts import reverts

FRAME = 7_200
SLOT = 12


@pytest.fixture(scope="module")
def oracle(protocol):
    return protocol.oracle


@pytest.fixture(scope="module")
def genesis(protocol):
    stake(protocol, protocol.actors.staker, 1_000 * ETHER)
    return protocol.oracle.GENESIS_TIME()


def test_the_oracle_knows_its_clock(protocol, oracle, genesis):
    assert (oracle.SECONDS_PER_SLOT(), oracle.FIRST_SLOT(), oracle.FRAME_SLOTS()) == (SLOT, 0, FRAME)
    assert frame_seconds(protocol) == DAY
    assert (oracle.vault(), oracle.limits()) == (protocol.vault, protocol.limits)


# --- expected ---


@pytest.mark.parametrize(
    ("seconds", "frame"), [(DAY - 1, 0), (DAY, 1), (DAY + 1, 1), (2 * DAY - 1, 1), (2 * DAY, 2), (100 * DAY + 5, 100)]
)
def test_expected_is_the_frame_that_runs(oracle, genesis, seconds, frame):
    warp_to(genesis + seconds)
    nothing_to_do = frame == 0  # slot 0 is what an oracle that has never reported calls its newest
    assert oracle.expected() == (frame * FRAME, genesis + frame * DAY, genesis + (frame + 1) * DAY, nothing_to_do)


def test_expected_says_when_the_report_is_there(protocol, oracle, genesis):
    reference_time = advance_frame(protocol)
    signed_report(protocol)
    slot = (reference_time - genesis) // SLOT
    assert oracle.expected() == (slot, reference_time, reference_time + DAY, True)
    warp_to(reference_time + DAY)
    assert oracle.expected() == (slot + FRAME, reference_time + DAY, reference_time + 2 * DAY, False)


# --- Deadline ---


def test_D3_the_last_second_of_a_frame_counts(protocol, oracle, genesis):
    """As far as the oracle itself is concerned; the limits may end a report's time before."""
    *before, _, allowance = protocol.limits.limits()
    protocol.as_governor(protocol.limits.setLimits, (*before, DAY, allowance))
    reference_time = advance_frame(protocol)
    report = report_of(protocol)
    at = next_at(reference_time + DAY - 1)
    tx = submit(protocol, report)
    assert tx.timestamp == at
    assert oracle.lastReferenceSlot() == report.reference_slot


def test_D3_at_the_deadline_the_report_is_refused(protocol, oracle, genesis):
    reference_time = advance_frame(protocol)
    report = report_of(protocol)
    signatures = signatures_of(protocol, report)
    assert oracle.expected().deadline == reference_time + DAY
    next_at(reference_time + DAY)
    with reverts(oracle.ReferenceSlotUnexpected, given=report.reference_slot, expected=report.reference_slot + FRAME):
        submit(protocol, report, signatures)


def test_D3_in_the_first_second_of_a_frame_no_block_has_published_the_root_of_its_slot(protocol, oracle, genesis):
    reference_time = advance_frame(protocol)
    report = replace(report_of(protocol), reference_slot=report_of(protocol).reference_slot + FRAME)
    signatures = signatures_of(protocol, report)
    next_at(reference_time + DAY)
    with reverts(oracle.NoBlockAfter, time=reference_time + DAY, maxSlots=64):
        submit(protocol, report, signatures)


def test_D3_a_slot_that_is_not_final_yet_is_too_young(protocol, oracle, genesis):
    """The frame takes it; the limits say no, and would not if they asked for less."""
    reference_time = advance_frame(protocol)
    report = replace(report_of(protocol), reference_slot=report_of(protocol).reference_slot + FRAME)
    signatures = signatures_of(protocol, report)
    publish_root(protocol, reference_time + DAY + SLOT, report.beacon_root)
    next_at(reference_time + DAY + SLOT)
    with reverts(protocol.limits.ReferenceTooRecent, age=SLOT, limit=13 * 60):
        submit(protocol, report, signatures)


def test_D3_one_second_before_its_frame_a_report_is_unexpected(protocol, oracle, genesis):
    reference_time = advance_frame(protocol)
    current = report_of(protocol)
    report = replace(current, reference_slot=current.reference_slot + FRAME)
    signatures = signatures_of(protocol, report)
    next_at(reference_time + DAY - 1)
    with reverts(oracle.ReferenceSlotUnexpected, given=report.reference_slot, expected=current.reference_slot):
        submit(protocol, report, signatures)


# --- Which slot ---


@pytest.mark.parametrize(
    "slot",
    [0, "frame before", "slot before", "slot after", "frame after", 2**40, 2**64 - 1],
)
def test_D3_stale_and_future_slots_are_refused(protocol, oracle, genesis, slot):
    advance_frame(protocol, frames=3)
    expected = oracle.expected().referenceSlot
    named = {
        "frame before": expected - FRAME,
        "slot before": expected - 1,
        "slot after": expected + 1,
        "frame after": expected + FRAME,
    }
    given = named.get(slot, slot)
    report = replace(report_of(protocol), reference_slot=given)
    with reverts(oracle.ReferenceSlotUnexpected, given=given, expected=expected):
        submit(protocol, report)


def test_D3_a_frame_that_was_missed_cannot_be_made_good(protocol, oracle, genesis):
    advance_frame(protocol)
    missed = report_of(protocol)
    advance_frame(protocol)
    current = report_of(protocol)
    with reverts(oracle.ReferenceSlotUnexpected, given=missed.reference_slot, expected=current.reference_slot):
        submit(protocol, missed)
    submit(protocol, current)
    assert oracle.lastReferenceSlot() == current.reference_slot


def test_O2_reference_slots_rise_frame_by_frame(protocol, oracle, genesis):
    seen = [oracle.lastReferenceSlot()]
    for frames in (1, 1, 3):
        advance_frame(protocol, frames)
        signed_report(protocol)
        seen.append(oracle.lastReferenceSlot())
    assert seen == [0, FRAME, 2 * FRAME, 5 * FRAME]


def test_D3_slot_0_counts_as_reported_from_the_start(protocol, oracle, genesis):
    """It lies before the vault's deployment; an oracle that has never reported calls it its newest."""
    assert genesis <= protocol.vault.referenceTime() < genesis + DAY
    warp_to(genesis + 3_600)
    report = report_of(protocol)
    assert report.reference_slot == 0
    with reverts(oracle.AlreadyReported, referenceSlot=0):
        submit(protocol, report)


# --- Oracles with other clocks ---


def config(protocol: Any, **changes: Any) -> dict[str, Any]:
    actors = protocol.actors
    return {
        "authority": protocol.access,
        "vault": protocol.vault,
        "limits": protocol.limits,
        "challenge": protocol.challenge,
        "genesisTime": now() - 120,
        "secondsPerSlot": SLOT,
        "firstSlot": 0,
        "frameSlots": FRAME,
        "members": actors.members[:3],
        "keys": actors.keys[:3],
        "quorum": 2,
        "validators": 0,
    } | changes


@pytest.mark.parametrize("earlier", [0, 1])
def test_D3_a_new_oracle_cannot_report_a_time_that_the_vault_has_had(project, protocol, genesis, earlier):
    """Its clock is another; the root of that time is gone, and the vault would not take it either."""
    advance_frame(protocol)
    signed_report(protocol)
    newest = protocol.vault.referenceTime()
    actors = protocol.actors
    oracle = actors.deployer.deploy(
        project.ReportOracle,
        config(protocol, genesisTime=newest - 1_200 - earlier, firstSlot=100, frameSlots=10**6),
    )
    protocol.as_governor(protocol.vault.setOracle, oracle)
    report = replace(report_of(protocol), reference_slot=100)
    oracle.vote(report.as_tuple(), sender=actors.keys[0])
    with reverts(oracle.RootExpired, time=newest - earlier):
        oracle.vote(report.as_tuple(), sender=actors.keys[1])


def test_before_its_first_slot_an_oracle_expects_nothing(project, protocol, genesis):
    deployer = protocol.actors.deployer
    start = now()
    oracle = deployer.deploy(project.ReportOracle, config(protocol, genesisTime=start - 120, firstSlot=100))
    report = replace(report_of(protocol), reference_slot=100)
    warp_to(start + 1_080 - 1)
    with reverts(oracle.FirstFrameNotStarted, slot=99, firstSlot=100):
        oracle.expected()
    with reverts(oracle.FirstFrameNotStarted, slot=99, firstSlot=100):
        oracle.vote.call(report.as_tuple(), sender=protocol.actors.keys[0])
    warp_to(start + 1_080)
    assert oracle.expected() == (100, start + 1_080, start + 1_080 + DAY, False)


def test_frames_are_counted_from_the_first_slot(project, protocol, genesis):
    start = now()
    oracle = protocol.actors.deployer.deploy(
        project.ReportOracle, config(protocol, genesisTime=start - 1_200, firstSlot=95, frameSlots=10)
    )
    for slot, expected in ((105, 105), (109, 105), (114, 105), (115, 115), (124, 115), (125, 125), (1_000, 995)):
        for second in (0, SLOT - 1):
            warp_to(start - 1_200 + slot * SLOT + second)
            assert oracle.expected().referenceSlot == expected


@pytest.mark.parametrize("field", ["secondsPerSlot", "frameSlots"])
def test_D10_a_clock_of_zero_is_refused(project, protocol, oracle, genesis, field):
    with reverts(oracle.FrameInvalid):
        protocol.actors.deployer.deploy(project.ReportOracle, config(protocol, **{field: 0}))


def test_a_new_oracle_goes_on_from_the_validator_count_it_is_told(project, protocol, genesis):
    oracle = protocol.actors.deployer.deploy(project.ReportOracle, config(protocol, validators=4_321))
    assert (oracle.validators(), oracle.lastReferenceSlot()) == (4_321, 0)
