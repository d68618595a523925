"""Against the committee's path: too few, replayed, stale, foreign, altered and malleable signatures, and gifts between
signing and submission (rows D and G2 of docs/security.md)."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import ape
import pytest
from eth_utils import keccak

from sluice.oracle.report import Report
from sluice.oracle.signing import OracleDomain, gather, sign
from sluice.units import Gwei, Slot
from tests.helpers import (
    ETHER,
    GWEI,
    advance_frame,
    deposit_to_beacon,
    force_with_code,
    give_ether,
    next_at,
    report_of,
    signatures_of,
    signed_report,
    signer,
    stake,
    submit,
)
from tests.reverts import reverts

CURVE = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture(scope="module")
def oracle(protocol):
    """1,000 ether pooled, 640 of them on the consensus layer, one report made, the next due."""
    stake(protocol, protocol.actors.staker, 999 * ETHER)
    deposit_to_beacon(protocol, 640 * GWEI)
    advance_frame(protocol)
    signed_report(protocol)
    advance_frame(protocol)
    return protocol.oracle


def schedule(protocol, function, *args):
    """Announce a call of the governor and let its delay pass; what comes back carries it out, at any later time."""
    target, data = function.contract, function.encode_input(*args)
    governor = protocol.actors.governor
    _, delay = protocol.access.canCall(governor, target, data[:4])
    assert delay
    protocol.access.schedule(target, data, 0, sender=governor)
    ape.chain.mine(deltatime=delay)
    return lambda: protocol.access.execute(target, data, sender=governor)


def successor(protocol, **changes):
    """Another oracle with the same members, keys and frames."""
    oracle = protocol.oracle
    members = oracle.members()
    config: dict[str, Any] = {
        "authority": protocol.access.address,
        "vault": protocol.vault.address,
        "limits": oracle.limits(),
        "challenge": oracle.CHALLENGE(),
        "genesisTime": oracle.GENESIS_TIME(),
        "secondsPerSlot": oracle.SECONDS_PER_SLOT(),
        "firstSlot": oracle.FIRST_SLOT(),
        "frameSlots": oracle.FRAME_SLOTS(),
        "members": members,
        "keys": [oracle.keyOf(member) for member in members],
        "quorum": oracle.quorum(),
        "validators": oracle.validators(),
    } | changes
    return protocol.actors.stranger.deploy(ape.project.ReportOracle, config)


# --- D2: who counts ---


def test_D2_one_signature_less_than_a_quorum_reports_nothing(protocol, oracle):
    report = report_of(protocol)
    with reverts(oracle.QuorumNotReached, given=4, needed=5):
        submit(protocol, report, signatures_of(protocol, report, protocol.actors.keys[:4]))


def test_D2_strangers_do_not_make_up_for_members(protocol, oracle):
    report = report_of(protocol)
    keys = [*protocol.actors.keys[:4], protocol.actors.stranger, protocol.actors.other]
    with reverts(oracle.QuorumNotReached, given=4, needed=5):
        submit(protocol, report, signatures_of(protocol, report, keys))


def test_D2_one_member_twice_counts_once(protocol, oracle):
    report = report_of(protocol)
    signatures = signatures_of(protocol, report, protocol.actors.keys[:4])
    last = max(protocol.actors.keys[:4], key=lambda key: int(key.address, 16))
    with reverts(oracle.SignersNotSorted, previous=last.address, signer=last.address):
        submit(protocol, report, [*signatures, signatures[-1]])


def test_D2_signature_of_a_removed_member_is_void(protocol, oracle):
    protocol.as_governor(oracle.removeMember, protocol.actors.members[0], 5)
    advance_frame(protocol)
    report = report_of(protocol)
    with reverts(oracle.QuorumNotReached, given=4, needed=5):
        submit(protocol, report, signatures_of(protocol, report, protocol.actors.keys[:5]))
    submit(protocol, report, signatures_of(protocol, report, protocol.actors.keys[1:6]))


def test_D2_votes_of_rotated_keys_and_removed_members_are_void(protocol, oracle):
    members, keys = protocol.actors.members, protocol.actors.keys
    remove = schedule(protocol, oracle.removeMember, members[1], 5)
    advance_frame(protocol)
    report = report_of(protocol)
    for key in keys[:4]:
        oracle.vote(report.as_tuple(), sender=key)
    oracle.rotateKey(protocol.actors.other, sender=members[0])
    remove()
    oracle.vote(report.as_tuple(), sender=keys[4])  # the fifth vote, and the third that counts
    assert oracle.lastReferenceSlot() < report.reference_slot
    for key in (keys[0], keys[1]):
        with reverts(oracle.KeyNotMember, key=key.address):
            oracle.vote(report.as_tuple(), sender=key)
    oracle.vote(report.as_tuple(), sender=protocol.actors.other)
    assert oracle.lastReferenceSlot() < report.reference_slot
    oracle.vote(report.as_tuple(), sender=keys[5])
    assert oracle.lastReferenceSlot() == report.reference_slot


def test_D2_member_that_comes_back_has_not_voted(protocol, oracle):
    members, keys = protocol.actors.members, protocol.actors.keys
    remove = schedule(protocol, oracle.removeMember, members[0], 5)
    bring_back = schedule(protocol, oracle.addMember, members[0], keys[0], 5)
    advance_frame(protocol)
    report = report_of(protocol)
    for key in keys[:4]:
        oracle.vote(report.as_tuple(), sender=key)
    remove()
    bring_back()
    oracle.vote(report.as_tuple(), sender=keys[4])
    assert oracle.lastReferenceSlot() < report.reference_slot
    oracle.vote(report.as_tuple(), sender=keys[0])
    assert oracle.lastReferenceSlot() == report.reference_slot


@pytest.mark.parametrize("sign_of", [1, -1])
def test_D2_not_even_all_members_together_report_beyond_the_limits(protocol, oracle, sign_of):
    limits = protocol.limits
    total = protocol.vault.totalAssets()
    if sign_of > 0:
        size = 34 * ETHER
        most = total * 2_000 * 86_400 // (10_000 * 365 * 86_400) + 32 * ETHER
        error = (limits.GainAboveLimit, {"gain": size, "limit": most})
    else:
        size, most = 51 * ETHER, total * 500 // 10_000
        error = (limits.LossAboveLimit, {"loss": size, "limit": most})
    report = report_of(protocol, gain=sign_of * size)
    with reverts(error[0], **error[1]):
        submit(protocol, report, signatures_of(protocol, report, protocol.actors.keys))
    within = most // GWEI * GWEI
    submit(protocol, report_of(protocol, gain=sign_of * within))


# --- D3: when and where a report counts ---


def test_D3_report_counts_once_in_its_frame_and_in_no_other(protocol, oracle):
    report = report_of(protocol, gain=GWEI)
    signatures = signatures_of(protocol, report)
    submit(protocol, report, signatures)
    with reverts(oracle.AlreadyReported, referenceSlot=report.reference_slot):
        submit(protocol, report, signatures)
    advance_frame(protocol)
    expected = oracle.expected().referenceSlot
    with reverts(oracle.ReferenceSlotUnexpected, given=report.reference_slot, expected=expected):
        submit(protocol, report, signatures)


def test_D3_other_report_of_the_same_frame_comes_too_late(protocol, oracle):
    submit(protocol, report_of(protocol, gain=GWEI))
    other = report_of(protocol, gain=2 * GWEI)
    with reverts(oracle.AlreadyReported, referenceSlot=other.reference_slot):
        submit(protocol, other, signatures_of(protocol, other, protocol.actors.keys))
    with reverts(oracle.AlreadyReported, referenceSlot=other.reference_slot):
        oracle.vote(other.as_tuple(), sender=protocol.actors.keys[8])


@pytest.mark.parametrize("frames", [-1, 1])
def test_D3_stale_and_future_slots_are_refused(protocol, oracle, frames):
    report = report_of(protocol)
    slot = report.reference_slot + frames * oracle.FRAME_SLOTS()
    other = replace(report, reference_slot=Slot(slot))
    with reverts(oracle.ReferenceSlotUnexpected, given=slot, expected=report.reference_slot):
        submit(protocol, other)
    with reverts(oracle.ReferenceSlotUnexpected, given=slot, expected=report.reference_slot):
        oracle.vote(other.as_tuple(), sender=protocol.actors.keys[0])


@pytest.mark.parametrize("elsewhere", ["chain", "contract"])
def test_D3_signatures_for_elsewhere_count_for_nobody(protocol, oracle, elsewhere):
    report = report_of(protocol)
    domain = OracleDomain(
        ape.chain.chain_id + (elsewhere == "chain"),
        oracle.address if elsewhere == "chain" else protocol.vault.address,
    )
    for key in protocol.actors.keys[:5]:
        with reverts(oracle.QuorumNotReached, given=0, needed=5):
            submit(protocol, report, gather([sign(report, domain, signer(key))]))


def test_D3_next_oracle_cannot_report_a_slot_again(protocol, oracle):
    new = successor(protocol)
    replace_oracle = schedule(protocol, protocol.vault.setOracle, new)
    advance_frame(protocol)
    report = report_of(protocol, gain=GWEI)
    submit(protocol, report)
    replace_oracle()
    keys = protocol.actors.keys[:5]
    again = gather([sign(report, OracleDomain(ape.chain.chain_id, new.address), signer(key)) for key in keys])
    time = oracle.expected().referenceTime
    with reverts(protocol.vault.ReferenceTimeOutOfOrder, given=time, newest=time):
        new.submit(report.as_tuple(), again, sender=protocol.actors.stranger)
    advance_frame(protocol)
    with reverts(protocol.vault.CallerNotAllowed, caller=oracle.address, allowed=new.address):
        submit(protocol, report_of(protocol))


# --- D4, D7: what a profit is ---


def test_D4_frames_that_were_left_out_change_nothing_in_the_sum(protocol, oracle):
    steps = [GWEI // 10, -3 * GWEI // 10, GWEI // 20, GWEI // 7]  # gwei of the consensus layer
    start = 640 * GWEI
    ends = []
    for reported in ([0, 1, 2, 3], [1, 3], [3]):
        with ape.chain.isolate():
            balance = start
            for index, step in enumerate(steps):
                balance += step
                if index in reported:
                    signed_report(protocol, consensus_balance=Gwei(balance))
                advance_frame(protocol)
            ends.append((protocol.vault.pooled(), protocol.vault.outside(), tuple(protocol.vault.consensus())[:3]))
    assert ends[0] == ends[1] == ends[2]
    assert ends[0][0] == 1_000 * ETHER + sum(steps) * GWEI


@pytest.mark.parametrize("swept", ["before", "with", "partly"])
def test_D7_exits_and_their_sweeps_are_no_gain(protocol, oracle, swept):
    """A validator of 32 ether leaves with 0.01 of rewards: 0.01 ether is the profit, wherever the rest is."""
    give_ether(protocol.gateway, 32 * ETHER + ETHER // 100)
    if swept == "before":
        protocol.gateway.sweep(sender=protocol.actors.stranger)
    tx = signed_report(protocol, consensus_balance=Gwei(608 * GWEI), withdrawn=Gwei(32 * GWEI + GWEI // 100))
    if swept == "partly":
        advance_frame(protocol)
        tx2 = signed_report(protocol, consensus_balance=Gwei(608 * GWEI), withdrawn=Gwei(32 * GWEI + GWEI // 100))
        assert [log.profit for log in tx2.decode_logs(oracle.ReportAccepted)] == [0]
    assert [log.profit for log in tx.decode_logs(oracle.ReportAccepted)] == [ETHER // 100]
    assert protocol.vault.pooled() == 1_000 * ETHER + ETHER // 100
    assert protocol.vault.outside() == 608 * ETHER
    assert protocol.vault.balance == protocol.vault.buffer() == 392 * ETHER + ETHER // 100


# --- D5, H3: nobody's ether stands in the way ---


@pytest.mark.parametrize("gain", [ETHER // 10, -ETHER // 10])
def test_D5_H3_ether_forced_upon_every_contract_moves_no_rate_and_stops_no_signed_report(protocol, oracle, gain):
    vault, payer = protocol.vault, protocol.actors.other
    report = report_of(protocol, gain=gain)
    signatures = signatures_of(protocol, report)
    at = oracle.expected().referenceTime + 3_600

    def outcome() -> tuple[int, ...]:
        next_at(at)
        submit(protocol, report, signatures)
        return (vault.rate(), vault.pooled(), vault.unvested(), vault.supply(), vault.totalAssets())

    with ape.chain.isolate():
        undisturbed = outcome()
    rate = vault.rate()
    assert len(protocol.contracts) > 12
    for name, contract in protocol.contracts.items():
        force_with_code(payer, contract, 7 * ETHER + 1)
        assert vault.rate() == rate, name
    protocol.gateway.sweep(sender=payer)
    assert vault.rate() == rate
    assert outcome() == undisturbed
    assert vault.buffer() <= vault.balance


def test_D5_report_beyond_a_limit_passes_once_it_is_released(protocol, oracle):
    report = report_of(protocol, gain=-51 * ETHER)
    with reverts(protocol.limits.LossAboveLimit, loss=51 * ETHER, limit=50 * ETHER):
        submit(protocol, report)
    schedule(protocol, protocol.limits.release, oracle.digest(report.as_tuple()))()
    assert oracle.expected().referenceSlot == report.reference_slot, "the delay must leave time in the frame"
    submit(protocol, report)
    assert protocol.vault.totalAssets() == 949 * ETHER


def test_D5_release_lets_no_other_report_pass_and_ends_with_the_frame(protocol, oracle):
    report = report_of(protocol, gain=-60 * ETHER)
    schedule(protocol, protocol.limits.release, oracle.digest(report.as_tuple()))()
    worse = report_of(protocol, gain=-61 * ETHER)
    with reverts(protocol.limits.LossAboveLimit, loss=61 * ETHER, limit=50 * ETHER):
        submit(protocol, worse)
    advance_frame(protocol)
    expected = oracle.expected().referenceSlot
    with reverts(oracle.ReferenceSlotUnexpected, given=report.reference_slot, expected=expected):
        submit(protocol, report)


# --- D6: all of it is signed ---


@pytest.mark.parametrize("field", [field.name for field in fields(Report)])
def test_D6_no_field_can_be_changed_after_signing(protocol, oracle, field):
    report = report_of(protocol)
    value = getattr(report, field)
    altered = replace(report, **{field: bytes([value[0] ^ 1]) + value[1:] if isinstance(value, bytes) else value + 1})
    assert oracle.digest(altered.as_tuple()) != oracle.digest(report.as_tuple())
    for signature in signatures_of(protocol, report):
        with reverts(oracle.QuorumNotReached, given=0, needed=5):
            submit(protocol, altered, [signature])


# --- D10: parameters ---


@pytest.mark.parametrize("quorum", range(11))
def test_D10_quorum_is_more_than_half_and_not_more_than_all(protocol, oracle, quorum):
    if 5 <= quorum <= 9:
        assert successor(protocol, quorum=quorum).quorum() == quorum
    else:
        with reverts(oracle.QuorumOutOfBounds, quorum=quorum, members=9):
            successor(protocol, quorum=quorum)


@pytest.mark.parametrize("part", ["secondsPerSlot", "frameSlots"])
def test_D10_frames_have_a_length(protocol, oracle, part):
    with reverts(oracle.FrameInvalid):
        successor(protocol, **{part: 0})


@pytest.mark.parametrize(("index", "least_wrong"), [(0, 10_001), (1, 5_001), (3, 21_601), (5, 2_048 * GWEI + 1)])
def test_D10_limits_have_limits(protocol, oracle, index, least_wrong):
    settings = [10_000, 5_000, 5_000, 780, 86_400, 2_048 * GWEI]
    stranger = protocol.actors.stranger
    settings[index] = least_wrong - 1
    stranger.deploy(ape.project.ReportLimits, protocol.access, 86_400, tuple(settings))
    settings[index] = least_wrong
    with reverts(protocol.limits.LimitsOutOfBounds):
        stranger.deploy(ape.project.ReportLimits, protocol.access, 86_400, tuple(settings))


# --- G2: the form of a signature ---


def test_G2_reports_take_no_malleable_signature(protocol, oracle):
    report = report_of(protocol)
    signatures = signatures_of(protocol, report)
    r, s, v = signatures[2][:32], int.from_bytes(signatures[2][32:64]), signatures[2][64]
    twin = r + (CURVE - s).to_bytes(32) + bytes([55 - v])
    for wrong in (twin, r + s.to_bytes(32) + bytes([v - 27]), signatures[2][:63], signatures[2] + b"\0", b""):
        with reverts(oracle.SignatureInvalid, index=2):
            submit(protocol, report, [*signatures[:2], wrong, *signatures[3:]])


def test_G2_one_signer_in_two_forms_counts_once(protocol, oracle):
    report = report_of(protocol)
    keys = protocol.actors.keys[:4]
    last = max(keys, key=lambda key: int(key.address, 16))
    full = signatures_of(protocol, report, keys)
    compact = signatures_of(protocol, report, keys, compact=True)
    assert keccak(full[-1]) != keccak(compact[-1])
    with reverts(oracle.SignersNotSorted, previous=last.address, signer=last.address):
        submit(protocol, report, [*full, compact[-1]])
