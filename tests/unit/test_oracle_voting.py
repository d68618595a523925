"""ReportOracle.vote: the fallback for members who cannot reach each other, with the same result as a submission."""

from __future__ import annotations

from dataclasses import replace

import ape
import pytest

from sluice.oracle.signing import digest
from tests.helpers import (
    ETHER,
    advance_frame,
    deposit_to_beacon,
    domain_of,
    give_ether,
    next_at,
    now,
    publish_root,
    report_of,
    signatures_of,
    stake,
    submit,
)
from tests.reverts import reverts
from tests.voting import accepted, another, changes, events_of, scheduled, vote

QUORUM = 5


@pytest.fixture(scope="module")
def oracle(protocol):
    return protocol.oracle


@pytest.fixture(scope="module")
def keys(protocol):
    return protocol.actors.keys


@pytest.fixture(scope="module")
def members(protocol):
    return protocol.actors.members


@pytest.fixture(scope="module")
def staked(protocol):
    stake(protocol, protocol.actors.staker, 1_000 * ETHER)
    deposit_to_beacon(protocol, 320 * 10**9)


@pytest.fixture
def report(protocol, staked):
    """With a gain, rewards, withdrawals and validators, so that everything a report can change does change."""
    advance_frame(protocol)
    give_ether(protocol.rewards, ETHER)
    give_ether(protocol.gateway, 3 * ETHER)
    return report_of(
        protocol, rewards=ETHER // 2, withdrawn=3 * 10**9, consensus_balance=317 * 10**9 + 10**7, validators=10
    )


# --- The same result ---


def test_the_fifth_vote_does_what_a_submission_does(protocol, oracle, keys, members, report):
    """Mined at the same second: the same events after the vote's own, and the same ether and storage in every contract.

    The one difference is the vote itself.
    """
    digest_ = digest(report, domain_of(protocol))
    vote(protocol, report, *keys[:4])
    at = now() + 600
    with ape.chain.isolate():
        next_at(at)
        submitted = submit(protocol, report)
        events = [str(event) for event in submitted.events]
        by_submission = changes(protocol, submitted)
    next_at(at)
    last = vote(protocol, report, keys[4])
    by_vote = changes(protocol, last)

    assert last.events[:1] == [oracle.Voted(members[4], digest_, report.reference_slot)]
    assert [str(event) for event in last.events[1:]] == events
    assert len(events) == 7
    assert accepted(last.events[-1]) == report
    own = [slot for slot in by_vote["oracle"]["storage"] if slot not in by_submission["oracle"]["storage"]]
    assert [by_vote["oracle"]["storage"].pop(slot) for slot in own] == ["0x" + digest_.hex()]
    assert by_vote == by_submission
    assert set(by_submission) == {"oracle", "vault", "token", "rewards", "gateway"}


def test_votes_before_the_quorum_are_noted_and_change_nothing_else(protocol, oracle, keys, members, report):
    digest_ = digest(report, domain_of(protocol))
    for key, member in zip(keys[:4], members[:4], strict=True):
        tx = vote(protocol, report, key)
        assert tx.events == [oracle.Voted(member, digest_, report.reference_slot)]
        assert bytes(oracle.voteOf(member)) == digest_
        changed = changes(protocol, tx)
        assert list(changed) == ["oracle"]
        assert list(changed["oracle"]["storage"].values()) == ["0x" + digest_.hex()]
    assert oracle.expected().reported is False


@pytest.mark.parametrize("first", range(5))
def test_any_five_of_the_nine_decide(protocol, oracle, keys, report, first):
    vote(protocol, report, *keys[first : first + 5])
    assert oracle.lastReferenceSlot() == report.reference_slot


def test_after_the_decision_votes_and_submissions_come_too_late(protocol, oracle, keys, report):
    vote(protocol, report, *keys[:5])
    for late in (report, another(report)):
        with reverts(oracle.AlreadyReported, referenceSlot=report.reference_slot):
            vote(protocol, late, keys[5])
        with reverts(oracle.AlreadyReported, referenceSlot=report.reference_slot):
            submit(protocol, late)


def test_a_submission_overtakes_votes(protocol, oracle, keys, report):
    vote(protocol, report, *keys[:4])
    submit(protocol, another(report))
    assert oracle.lastReferenceSlot() == report.reference_slot
    with reverts(oracle.AlreadyReported, referenceSlot=report.reference_slot):
        vote(protocol, report, keys[4])


def test_votes_and_signatures_are_not_added_up(protocol, oracle, keys, report):
    vote(protocol, report, *keys[:4])
    with reverts(oracle.QuorumNotReached, given=4, needed=QUORUM):
        submit(protocol, report, signatures_of(protocol, report, keys[4:8]))
    assert oracle.expected().reported is False


# --- One member, one vote ---


def test_D2_a_second_vote_of_the_same_member_does_not_count_twice(protocol, oracle, keys, members, report):
    vote(protocol, report, *keys[:4])
    vote(protocol, report, keys[0], keys[1])
    assert oracle.expected().reported is False
    vote(protocol, report, keys[4])
    assert oracle.expected().reported is True


def test_a_later_vote_replaces_the_one_before(protocol, oracle, keys, members, report):
    """Four for one report, then one of them changes its mind: its vote is gone from the first."""
    other = another(report)
    vote(protocol, report, *keys[:4])
    vote(protocol, other, keys[0])
    assert bytes(oracle.voteOf(members[0])) == digest(other, domain_of(protocol))
    vote(protocol, report, keys[4])
    assert oracle.expected().reported is False
    vote(protocol, report, keys[0])
    assert oracle.expected().reported is True


def test_D3_of_two_reports_the_one_with_a_quorum_wins(protocol, oracle, keys, report):
    other = another(report)
    vote(protocol, report, *keys[:4])
    vote(protocol, other, *keys[4:8])
    assert oracle.expected().reported is False
    tx = vote(protocol, other, keys[8])
    assert bytes(tx.events[-1].digest) == digest(other, domain_of(protocol))


@pytest.mark.parametrize("who", ["stranger", "governor", "member"])
def test_D2_only_keys_of_members_vote(protocol, oracle, members, report, who):
    """Not even a member with its own account, which is meant to stay cold."""
    account = members[0] if who == "member" else getattr(protocol.actors, who)
    with reverts(oracle.KeyNotMember, key=account):
        vote(protocol, report, account)


# --- D2: members and keys that change in the middle of a frame ---


def test_D2_the_vote_of_a_key_that_was_rotated_is_void(protocol, oracle, keys, members, report):
    vote(protocol, report, *keys[:4])
    oracle.rotateKey(protocol.actors.treasury, sender=members[0])
    assert bytes(oracle.voteOf(members[0])) == bytes(32)
    vote(protocol, report, keys[4])
    assert oracle.expected().reported is False
    with reverts(oracle.KeyNotMember, key=keys[0]):
        vote(protocol, report, keys[0])
    tx = vote(protocol, report, protocol.actors.treasury)
    assert events_of(oracle, tx)[:1] == [
        oracle.Voted(members[0], digest(report, domain_of(protocol)), report.reference_slot)
    ]
    assert oracle.expected().reported is True


def test_D2_the_vote_of_a_member_that_was_removed_is_void(protocol, oracle, keys, members, staked):
    remove = scheduled(protocol, oracle.removeMember, members[0], 5)
    advance_frame(protocol)
    report = report_of(protocol)
    vote(protocol, report, *keys[:4])
    remove()
    assert bytes(oracle.voteOf(members[0])) == bytes(32)
    vote(protocol, report, keys[4])
    assert oracle.expected().reported is False
    with reverts(oracle.KeyNotMember, key=keys[0]):
        vote(protocol, report, keys[0])
    vote(protocol, report, keys[5])
    assert oracle.expected().reported is True


def test_D2_a_member_that_comes_back_does_not_bring_its_vote(protocol, oracle, keys, members, staked):
    remove = scheduled(protocol, oracle.removeMember, members[0], 5)
    add = scheduled(protocol, oracle.addMember, members[0], keys[0], 5)
    advance_frame(protocol)
    report = report_of(protocol)
    vote(protocol, report, *keys[:4])
    remove()
    add()
    vote(protocol, report, keys[4])
    assert oracle.expected().reported is False
    vote(protocol, report, keys[0])
    assert oracle.expected().reported is True


def test_D3_a_higher_quorum_counts_at_once(protocol, oracle, keys, staked):
    raise_quorum = scheduled(protocol, oracle.setQuorum, 7)
    advance_frame(protocol)
    report = report_of(protocol)
    vote(protocol, report, *keys[:4])
    raise_quorum()
    vote(protocol, report, keys[4], keys[5])
    assert oracle.expected().reported is False
    with reverts(oracle.QuorumNotReached, given=6, needed=7):
        submit(protocol, report, signatures_of(protocol, report, keys[:6]))
    vote(protocol, report, keys[6])
    assert oracle.expected().reported is True


def test_D3_a_lower_quorum_counts_with_the_next_vote_of_anybody(protocol, oracle, keys, staked):
    """Governance changes rules and reports nothing: one member has to say it again."""
    scheduled(protocol, oracle.setQuorum, 7)()
    lower_quorum = scheduled(protocol, oracle.setQuorum, 5)
    advance_frame(protocol)
    report = report_of(protocol)
    vote(protocol, report, *keys[:6])
    lower_quorum()
    assert oracle.expected().reported is False
    vote(protocol, report, keys[0])
    assert oracle.expected().reported is True


def test_D2_votes_of_members_that_were_just_added_count(protocol, oracle, keys, staked):
    actors = protocol.actors
    add = scheduled(protocol, oracle.addMember, actors.treasury, actors.treasury, 6)
    advance_frame(protocol)
    report = report_of(protocol)
    vote(protocol, report, *keys[:4])
    add()
    vote(protocol, report, actors.treasury)
    assert oracle.expected().reported is False
    vote(protocol, report, keys[8])
    assert oracle.expected().reported is True


# --- D3: frames ---


def test_D3_votes_of_the_last_frame_do_not_count_in_this_one(protocol, oracle, keys, report):
    vote(protocol, report, *keys[:4])
    advance_frame(protocol)
    expected = oracle.expected().referenceSlot
    with reverts(oracle.ReferenceSlotUnexpected, given=report.reference_slot, expected=expected):
        vote(protocol, report, keys[4])
    fresh = replace(report, reference_slot=expected)
    publish_root(protocol, oracle.expected().referenceTime + 12, fresh.beacon_root)
    vote(protocol, fresh, keys[4])
    assert oracle.expected().reported is False
    vote(protocol, fresh, *keys[:4])
    assert oracle.expected().reported is True


@pytest.mark.parametrize("offset", [-7_200, -1, 1, 7_200])
def test_D3_a_vote_for_another_slot_is_refused(protocol, oracle, keys, report, offset):
    wrong = replace(report, reference_slot=report.reference_slot + offset)
    with reverts(oracle.ReferenceSlotUnexpected, given=wrong.reference_slot, expected=report.reference_slot):
        vote(protocol, wrong, keys[0])


# --- D5: votes for what cannot be accepted ---


def test_D5_the_vote_that_completes_a_report_outside_the_limits_is_refused_whole(
    protocol, oracle, keys, members, report
):
    """It leaves no trace, and the members can still vote for a true report in the same frame."""
    bad = replace(report, consensus_balance=0)
    vote(protocol, bad, *keys[:4])
    loss = 317 * ETHER - ETHER // 2
    with reverts(protocol.limits.LossAboveLimit, loss=loss, limit=1_001 * ETHER * 500 // 10_000):
        vote(protocol, bad, keys[4])
    assert bytes(oracle.voteOf(members[4])) == bytes(32)
    assert oracle.expected().reported is False
    vote(protocol, report, *keys[:5])
    assert oracle.expected().reported is True


def test_vote_takes_no_ether(protocol, oracle, keys, report):
    with reverts(b""):
        keys[0].transfer(oracle, 1, data=oracle.vote.encode_input(report.as_tuple()))
