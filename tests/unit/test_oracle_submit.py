"""ReportOracle.submit: one transaction with a quorum's signatures applies one report a frame."""

from __future__ import annotations

from dataclasses import replace

import ape
import pytest
from eth_abi import encode
from eth_utils import keccak

from sluice.oracle.signing import digest
from tests.helpers import (
    DAY,
    ETHER,
    GWEI,
    ROOT_A,
    ZERO,
    advance_frame,
    deposit_to_beacon,
    domain_of,
    give_ether,
    now,
    publish_root,
    report_of,
    signatures_of,
    signed_report,
    stake,
    submit,
)
from tests.reverts import reverts
from tests.voting import accepted, another


@pytest.fixture(scope="module")
def oracle(protocol):
    return protocol.oracle


@pytest.fixture(scope="module")
def reference_time(protocol):
    """1,000 ether staked, 320 of them outside; the next frame has begun and its slot is final."""
    stake(protocol, protocol.actors.staker, 1_000 * ETHER)
    deposit_to_beacon(protocol, 320 * 10**9)
    return advance_frame(protocol)


# --- What it does ---


def test_submit_applies_the_report_everywhere(protocol, oracle, reference_time):
    """By hand: 0.01 ether of gain and 0.5 of rewards at a rate of 1, a tenth of both as fee; 3 ether are swept."""
    give_ether(protocol.rewards, 2 * ETHER)
    give_ether(protocol.gateway, 3 * ETHER)
    report = report_of(
        protocol, rewards=ETHER // 2, withdrawn=3 * 10**9, consensus_balance=317 * 10**9 + 10**7, validators=10
    )
    profit = ETHER // 100 + ETHER // 2
    fee = profit // 10

    tx = submit(protocol, report)

    vault, splitter = protocol.vault, protocol.splitter
    pooled = 1_001 * ETHER + profit
    assert tx.events == [
        protocol.token.Transfer(ZERO, splitter, fee),
        vault.FeeMinted(splitter, fee, fee),
        vault.Reported(reference_time, profit, ETHER // 2, pooled, profit - fee, 1_001 * ETHER + fee),
        protocol.rewards.RewardsPulled(ETHER // 2),
        protocol.gateway.Swept(3 * ETHER),
        vault.SweepReceived(3 * 10**9),
        oracle.ReportAccepted(digest(report, domain_of(protocol)), report.reference_slot, profit=profit),
    ]
    assert accepted(tx.events[-1]) == report
    assert vault.pooled() == pooled
    assert vault.referenceTime() == reference_time
    assert tuple(vault.consensus()) == (10**7, 320 * 10**9, 3 * 10**9, reference_time)
    assert vault.rate() == ETHER
    assert protocol.rewards.balance == 3 * ETHER // 2
    assert oracle.lastReferenceSlot() == report.reference_slot
    assert oracle.validators() == 10
    assert oracle.expected() == (report.reference_slot, reference_time, reference_time + DAY, True)


def test_submit_tells_a_loss_as_a_negative_profit(protocol, oracle, reference_time):
    tx = signed_report(protocol, gain=-2 * ETHER)
    assert tx.events[-1].profit == -2 * ETHER
    assert protocol.vault.pooled() == 999 * ETHER


@pytest.mark.parametrize("by", ["stranger", "member", "key", "governor"])
def test_anybody_can_submit(protocol, oracle, reference_time, by):
    actors = protocol.actors
    sender = {
        "stranger": actors.stranger,
        "member": actors.members[8],
        "key": actors.keys[8],
        "governor": actors.governor,
    }[by]
    report = report_of(protocol)
    submit(protocol, report, sender=sender)
    assert oracle.lastReferenceSlot() == report.reference_slot


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("count", [5, 6, 9])
def test_a_quorum_and_more_of_either_kind_of_signature(protocol, oracle, reference_time, count, compact):
    report = report_of(protocol)
    signatures = signatures_of(protocol, report, protocol.actors.keys[:count], compact=compact)
    assert {len(signature) for signature in signatures} == {64 if compact else 65}
    submit(protocol, report, signatures)
    assert oracle.expected().reported is True


def test_both_kinds_of_signature_in_one_submission(protocol, oracle, reference_time):
    report = report_of(protocol)
    full, compact = (signatures_of(protocol, report, compact=kind) for kind in (False, True))
    submit(protocol, report, [*full[:2], *compact[2:4], full[4]])
    assert oracle.expected().reported is True


@pytest.mark.parametrize("first", range(5))
def test_D2_any_five_of_the_nine_are_a_quorum(protocol, oracle, reference_time, first):
    report = report_of(protocol)
    submit(protocol, report, signatures_of(protocol, report, protocol.actors.keys[first : first + 5]))
    assert oracle.expected().reported is True


# --- What is signed ---


def test_the_digest_is_the_EIP_712_hash_of_the_report(protocol, oracle, reference_time):
    """Worked out here from the standard alone, and by the package that members run."""
    report = replace(
        report_of(protocol),
        validators=3,
        consensus_balance=5,
        provision=7,
        faults=8,
        withdrawn=11,
        deposited=13,
        rewards=17,
    )
    types = ["uint64", "bytes32", "bytes32", "uint64", "uint64", "uint64", "uint64", "uint64", "uint64", "uint96"]
    kind = (
        "Report(uint64 referenceSlot,bytes32 beaconRoot,bytes32 balancesRoot,uint64 validators,"
        "uint64 consensusBalance,uint64 provision,uint64 faults,uint64 withdrawn,uint64 deposited,uint96 rewards)"
    )
    struct = keccak(keccak(text=kind) + encode(types, report.as_tuple()))
    domain = keccak(
        keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
        + keccak(text="Sluice Report Oracle")
        + keccak(text="1")
        + encode(["uint256", "address"], [ape.chain.chain_id, oracle.address])
    )
    expected = keccak(b"\x19\x01" + domain + struct)
    assert oracle.digest(report.as_tuple()) == expected
    assert digest(report, domain_of(protocol)) == expected


def test_every_field_is_in_the_digest(protocol, oracle, reference_time):
    report = report_of(protocol)
    digests = {bytes(oracle.digest(report.as_tuple()))}
    for index, value in enumerate(report.as_tuple()):
        changed = list(report.as_tuple())
        changed[index] = bytes([value[0] ^ 1]) + value[1:] if isinstance(value, bytes) else value + 1
        digests.add(bytes(oracle.digest(tuple(changed))))
    assert len(digests) == 11


# --- D3: once ---


def test_D3_the_same_report_counts_once(protocol, oracle, reference_time):
    report = report_of(protocol, gain=10**15)
    submit(protocol, report)
    pooled = protocol.vault.pooled()
    with reverts(oracle.AlreadyReported, referenceSlot=report.reference_slot):
        submit(protocol, report)
    assert protocol.vault.pooled() == pooled


def test_D3_with_other_signatures_it_is_still_the_same_report(protocol, oracle, reference_time):
    report = report_of(protocol, gain=10**15)
    submit(protocol, report)
    with reverts(oracle.AlreadyReported, referenceSlot=report.reference_slot):
        submit(protocol, report, signatures_of(protocol, report, protocol.actors.keys[4:]))


def test_D3_a_conflicting_report_of_the_same_frame_comes_too_late(protocol, oracle, reference_time):
    """Four of nine would have to sign both; even then the first is the frame's report."""
    report = report_of(protocol, gain=10**15)
    submit(protocol, report)
    with reverts(oracle.AlreadyReported, referenceSlot=report.reference_slot):
        submit(protocol, replace(report, consensus_balance=report.consensus_balance - 10**6))


def test_D3_a_report_of_an_earlier_frame_cannot_come_again(protocol, oracle, reference_time):
    report = report_of(protocol, gain=10**15)
    signatures = signatures_of(protocol, report)
    submit(protocol, report, signatures)
    advance_frame(protocol)
    expected = oracle.expected().referenceSlot
    with reverts(oracle.ReferenceSlotUnexpected, given=report.reference_slot, expected=expected):
        submit(protocol, report, signatures)


# --- E1: the root of the reference slot ---


def test_E1_report_of_another_block_is_refused(protocol, oracle, reference_time):
    """The first root published after the slot counts, not one that a later block published."""
    report = report_of(protocol)
    publish_root(protocol, reference_time + 24, b"\xcc" * 32)
    for other in (b"\xcc" * 32, bytes(32), report.beacon_root[:31] + b"\xab"):
        with reverts(oracle.BeaconRootMismatch, given=other, published=report.beacon_root):
            submit(protocol, replace(report, beacon_root=other))
    assert oracle.lastReferenceSlot() == 0
    submit(protocol, report)


@pytest.mark.parametrize("missed", [0, 1, 31, 63])
def test_E1_slots_without_a_block_behind_the_reference_slot_are_looked_over(protocol, oracle, reference_time, missed):
    report = report_of(protocol)
    publish_root(protocol, reference_time + 12, bytes(32))
    publish_root(protocol, reference_time + 12 * (missed + 1), report.beacon_root)
    assert submit(protocol, report).events[-1].event_name == "ReportAccepted"


def test_E1_reference_slot_before_a_long_silence_goes_without_a_report(protocol, oracle, reference_time):
    report = report_of(protocol)
    publish_root(protocol, reference_time + 12, bytes(32))
    publish_root(protocol, reference_time + 12 * 65, report.beacon_root)
    with reverts(oracle.NoBlockAfter, time=reference_time, maxSlots=64):
        submit(protocol, report)
    advance_frame(protocol)
    signed_report(protocol)
    assert oracle.expected().reported is True


def test_E1_root_is_asked_of_voters_too(protocol, oracle, reference_time):
    report = replace(report_of(protocol), beacon_root=b"\xcc" * 32)
    keys = protocol.actors.keys
    for key in keys[:4]:
        oracle.vote(report.as_tuple(), sender=key)
    with reverts(oracle.BeaconRootMismatch, given=report.beacon_root, published=ROOT_A):
        oracle.vote(report.as_tuple(), sender=keys[4])


# --- D5: a bad report stands in nobody's way ---


@pytest.mark.parametrize(
    "kind", ["rewards", "deposited", "withdrawn", "gain", "loss", "validators", "count beyond its slot"]
)
def test_D5_after_a_refused_report_an_honest_one_is_accepted_in_the_same_frame(protocol, oracle, reference_time, kind):
    vault, limits = protocol.vault, protocol.limits
    honest = report_of(protocol, gain=10**15)
    most = protocol.params.report_limits
    bad, error, inputs = {
        "rewards": ({"rewards": 1}, protocol.rewards.RewardsTooLow, {"wanted": 1, "available": 0}),
        "deposited": (
            {"deposited": 320 * 10**9 + 1},
            vault.DepositedAboveCounter,
            {"given": 320 * 10**9 + 1, "counter": 320 * 10**9},
        ),
        "withdrawn": ({"withdrawn": 1}, vault.WithdrawnAboveReceived, {"given": 1, "received": 0}),
        "gain": ({"consensus_balance": 400 * 10**9}, limits.GainAboveLimit, {"gain": 80 * ETHER}),
        "loss": ({"consensus_balance": 200 * 10**9}, limits.LossAboveLimit, {"loss": 120 * ETHER}),
        "validators": (
            {"validators": most.validators_per_day + 1},
            limits.ValidatorChangeAboveLimit,
            {"change": most.validators_per_day + 1, "limit": most.validators_per_day},
        ),
        "count beyond its slot": (
            {"validators": 2**40},
            oracle.SafeCastOverflowedUintDowncast,
            {"bits": 40, "value": 2**40},
        ),
    }[kind]
    if kind == "gain":
        elapsed = reference_time - vault.referenceTime()
        inputs["limit"] = 1_001 * ETHER * 2_000 * elapsed // (10_000 * 365 * DAY) + 32 * ETHER
    if kind == "loss":
        inputs["limit"] = 1_001 * ETHER * 500 // 10_000
    with reverts(error, **inputs):
        submit(protocol, replace(honest, **bad))
    assert oracle.lastReferenceSlot() == 0
    assert oracle.expected().reported is False
    submit(protocol, honest)
    assert oracle.expected().reported is True
    assert vault.pooled() == 1_001 * ETHER + 10**15


def test_D5_reports_go_on_after_frames_without_any(protocol, oracle, reference_time):
    signed_report(protocol)
    advance_frame(protocol, frames=9)
    tx = signed_report(protocol, gain=9 * 10**15)
    assert tx.events[-1].profit == 9 * 10**15
    advance_frame(protocol)
    signed_report(protocol)
    assert oracle.expected().reported is True


def test_D5_third_party_ether_anywhere_stands_in_no_reports_way(protocol, oracle, reference_time):
    for contract in protocol.contracts.values():
        give_ether(contract, 7 * ETHER + 1)
    rate = protocol.vault.rate()
    tx = signed_report(protocol, gain=10**15)
    assert tx.events[-1].profit == 10**15
    assert protocol.vault.rate() == rate


def test_D2_the_oracle_alone_may_report_to_the_vault(protocol, oracle, reference_time):
    stranger = protocol.actors.stranger
    report = (now(), 320 * 10**9, 0, 0, 0, 320 * 10**9, 0)
    with reverts(protocol.vault.CallerNotAllowed, caller=stranger, allowed=oracle):
        protocol.vault.report(report, sender=stranger)


def test_the_oracle_holds_and_takes_no_ether(protocol, oracle, reference_time):
    with reverts(b""):
        protocol.actors.stranger.transfer(oracle, 1)
    data = oracle.submit.encode_input(report_of(protocol).as_tuple(), signatures_of(protocol, report_of(protocol)))
    with reverts(b""):
        protocol.actors.stranger.transfer(oracle, GWEI, data=data)


def test_another_report_of_the_frame_has_another_digest(protocol, oracle, reference_time):
    report = report_of(protocol)
    assert oracle.digest(report.as_tuple()) != oracle.digest(another(report).as_tuple())
