"""ReportOracle: who reports. Members come and go by governance and rotate their keys alone; a quorum is a majority."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from eth_abi import decode
from eth_utils import keccak

from tests.helpers import ZERO, advance_frame, now, report_of, signatures_of, submit
from tests.in_process import Process, Reverted
from tests.reverts import reverts
from tests.small_core import SmallCore
from tests.voting import as_sorted, events_of, signatures_by

MAX_MEMBERS = 32


@pytest.fixture(scope="module")
def oracle(protocol):
    return protocol.oracle


@pytest.fixture(scope="module")
def newcomer(protocol):
    return protocol.actors.treasury


# --- As deployed ---


def test_the_committee_is_that_of_the_parameters(protocol, oracle):
    actors = protocol.actors
    assert list(oracle.members()) == [member.address for member in actors.members]
    assert oracle.quorum() == 5
    assert oracle.MAX_MEMBERS() == MAX_MEMBERS
    for member, key in zip(actors.members, actors.keys, strict=True):
        assert (oracle.keyOf(member), oracle.memberOf(key)) == (key, member)
        assert (oracle.keyOf(key), oracle.memberOf(member)) == (ZERO, ZERO)
        assert bytes(oracle.voteOf(member)) == bytes(32)


# --- addMember ---


def test_addMember(protocol, oracle, newcomer):
    key = protocol.actors.registrar
    tx = protocol.as_governor(oracle.addMember, newcomer, key, 6)
    assert events_of(oracle, tx) == [oracle.MemberAdded(newcomer, key), oracle.QuorumChanged(5, 6)]
    assert list(oracle.members())[-1] == newcomer
    assert len(oracle.members()) == 10
    assert (oracle.keyOf(newcomer), oracle.memberOf(key), oracle.quorum()) == (key, newcomer, 6)


def test_a_member_may_be_its_own_key(protocol, oracle, newcomer):
    protocol.as_governor(oracle.addMember, newcomer, newcomer, 6)
    assert (oracle.keyOf(newcomer), oracle.memberOf(newcomer)) == (newcomer, newcomer)


def test_addMember_of_who_is_one_reverts(protocol, oracle, newcomer):
    member = protocol.actors.members[3]
    with reverts(oracle.MemberKnown, member=member):
        protocol.as_governor(oracle.addMember, member, newcomer, 6)


def test_addMember_with_a_key_in_use_reverts(protocol, oracle, newcomer):
    """Else one key would vote for two."""
    key = protocol.actors.keys[3]
    with reverts(oracle.KeyInUse, key=key):
        protocol.as_governor(oracle.addMember, newcomer, key, 6)


@pytest.mark.parametrize("missing", ["member", "key"])
def test_addMember_of_nobody_reverts(protocol, oracle, newcomer, missing):
    arguments = (ZERO, newcomer) if missing == "member" else (newcomer, ZERO)
    with reverts(oracle.AddressMissing):
        protocol.as_governor(oracle.addMember, *arguments, 6)


@pytest.mark.parametrize("quorum", [5, 11])
def test_D10_addMember_keeps_the_quorum_a_majority(protocol, oracle, newcomer, quorum):
    """Of ten, five are no majority and eleven can never be reached."""
    with reverts(oracle.QuorumOutOfBounds, quorum=quorum, members=10):
        protocol.as_governor(oracle.addMember, newcomer, newcomer, quorum)
    assert len(oracle.members()) == 9


# --- removeMember ---


@pytest.mark.parametrize("index", [0, 4, 8])
def test_removeMember(protocol, oracle, index):
    actors = protocol.actors
    member, key = actors.members[index], actors.keys[index]
    tx = protocol.as_governor(oracle.removeMember, member, 6)
    assert events_of(oracle, tx) == [oracle.MemberRemoved(member, key), oracle.QuorumChanged(5, 6)]
    assert set(oracle.members()) == {other.address for other in actors.members} - {member.address}
    assert (oracle.keyOf(member), oracle.memberOf(key), oracle.quorum()) == (ZERO, ZERO, 6)


def test_D2_a_removed_member_signs_and_rotates_no_more(protocol, oracle, newcomer):
    actors = protocol.actors
    protocol.as_governor(oracle.removeMember, actors.members[0], 5)
    advance_frame(protocol)
    report = report_of(protocol)
    with reverts(oracle.QuorumNotReached, given=4, needed=5):
        submit(protocol, report, signatures_of(protocol, report, actors.keys[:5]))
    with reverts(oracle.MemberUnknown, member=actors.members[0]):
        oracle.rotateKey(newcomer, sender=actors.members[0])
    submit(protocol, report, signatures_of(protocol, report, actors.keys[1:6]))
    assert oracle.lastReferenceSlot() == report.reference_slot


def test_key_of_a_removed_member_stays_its_own(protocol, oracle, newcomer):
    """What it signed is answered for by nobody else; the member itself may come back with it."""
    actors = protocol.actors
    protocol.as_governor(oracle.removeMember, actors.members[0], 5)
    with reverts(oracle.KeyInUse, key=actors.keys[0]):
        protocol.as_governor(oracle.addMember, newcomer, actors.keys[0], 5)
    protocol.as_governor(oracle.addMember, actors.members[0], actors.keys[0], 5)
    assert oracle.memberOf(actors.keys[0]) == actors.members[0]


def test_removeMember_of_who_is_none_reverts(protocol, oracle, newcomer):
    for account in (newcomer, protocol.actors.keys[0]):
        with reverts(oracle.MemberUnknown, member=account):
            protocol.as_governor(oracle.removeMember, account, 5)


@pytest.mark.parametrize("quorum", [4, 9])
def test_D10_removeMember_keeps_the_quorum_a_majority(protocol, oracle, quorum):
    with reverts(oracle.QuorumOutOfBounds, quorum=quorum, members=8):
        protocol.as_governor(oracle.removeMember, protocol.actors.members[0], quorum)


# --- rotateKey ---


def test_D2_rotateKey_is_the_members_alone_and_at_once(protocol, oracle, newcomer):
    actors = protocol.actors
    tx = oracle.rotateKey(newcomer, sender=actors.members[0])
    assert tx.events == [oracle.KeyRotated(actors.members[0], actors.keys[0], newcomer)]
    assert (oracle.keyOf(actors.members[0]), oracle.memberOf(newcomer)) == (newcomer, actors.members[0])
    assert oracle.memberOf(actors.keys[0]) == ZERO
    advance_frame(protocol)
    report = report_of(protocol)
    keys = [newcomer, *actors.keys[1:5]]
    submit(protocol, report, as_sorted(protocol, report, signatures_by(protocol, report, keys)))
    assert oracle.lastReferenceSlot() == report.reference_slot


@pytest.mark.parametrize("who", ["stranger", "governor", "key"])
def test_D2_nobody_else_rotates_a_key(protocol, oracle, newcomer, who):
    """A stolen key cannot lock its member out."""
    account = protocol.actors.keys[0] if who == "key" else getattr(protocol.actors, who)
    with reverts(oracle.MemberUnknown, member=account):
        oracle.rotateKey(newcomer, sender=account)


def test_rotateKey_to_a_key_in_use_reverts(protocol, oracle):
    actors = protocol.actors
    with reverts(oracle.KeyInUse, key=actors.keys[1]):
        oracle.rotateKey(actors.keys[1], sender=actors.members[0])
    assert oracle.keyOf(actors.members[0]) == actors.keys[0]


def test_rotateKey_to_nobody_reverts(protocol, oracle):
    with reverts(oracle.AddressMissing):
        oracle.rotateKey(ZERO, sender=protocol.actors.members[0])


def test_rotateKey_to_the_same_key_only_voids_the_vote(protocol, oracle):
    actors = protocol.actors
    advance_frame(protocol)
    oracle.vote(report_of(protocol).as_tuple(), sender=actors.keys[0])
    oracle.rotateKey(actors.keys[0], sender=actors.members[0])
    assert oracle.keyOf(actors.members[0]) == actors.keys[0]
    assert bytes(oracle.voteOf(actors.members[0])) == bytes(32)


# --- setQuorum, setLimits ---


@pytest.mark.parametrize("quorum", [5, 7, 9])
def test_setQuorum(protocol, oracle, quorum):
    tx = protocol.as_governor(oracle.setQuorum, quorum)
    assert events_of(oracle, tx) == [oracle.QuorumChanged(5, quorum)]
    assert oracle.quorum() == quorum


@pytest.mark.parametrize("quorum", [0, 1, 4, 10, 255, 256, 261, 2**255, 2**256 - 1])
def test_D10_setQuorum_out_of_bounds_reverts(protocol, oracle, quorum):
    """Also where 8 bits (256 + 5 is 5) or a doubling would wrap."""
    with reverts(oracle.QuorumOutOfBounds, quorum=quorum, members=9):
        protocol.as_governor(oracle.setQuorum, quorum)


def test_setLimits(project, protocol, oracle):
    current = protocol.limits
    successor = protocol.actors.deployer.deploy(
        project.ReportLimits, protocol.access, current.FRAME(), tuple(current.limits())
    )
    tx = protocol.as_governor(oracle.setLimits, successor)
    assert events_of(oracle, tx) == [oracle.LimitsChanged(protocol.limits, successor)]
    assert oracle.limits() == successor


def test_setLimits_to_an_account_without_code_reverts(protocol, oracle):
    stranger = protocol.actors.stranger
    with reverts(oracle.NotAContract, account=stranger):
        protocol.as_governor(oracle.setLimits, stranger)


@pytest.mark.parametrize("who", ["stranger", "guardian", "admin", "member", "key"])
def test_J3_nobody_but_the_governor_changes_the_committee(protocol, oracle, newcomer, who):
    actors = protocol.actors
    account = {"member": actors.members[0], "key": actors.keys[0]}.get(who) or getattr(actors, who)
    for call in (
        lambda: oracle.addMember(newcomer, newcomer, 6, sender=account),
        lambda: oracle.removeMember(actors.members[1], 5, sender=account),
        lambda: oracle.setQuorum(6, sender=account),
        lambda: oracle.setLimits(protocol.limits, sender=account),
    ):
        with reverts(oracle.AccessManagedUnauthorized, caller=account):
            call()


# --- Deployment ---


def config(protocol: Any, members: Any, keys: Any, quorum: int) -> dict[str, Any]:
    return {
        "authority": protocol.access,
        "vault": protocol.vault,
        "limits": protocol.limits,
        "challenge": protocol.challenge,
        "genesisTime": now(),
        "secondsPerSlot": 12,
        "firstSlot": 0,
        "frameSlots": 7_200,
        "members": members,
        "keys": keys,
        "quorum": quorum,
        "validators": 0,
    }


def test_D10_deployment_with_lists_of_unequal_length_reverts(project, protocol, oracle):
    actors = protocol.actors
    with reverts(oracle.LengthMismatch, members=3, keys=2):
        actors.deployer.deploy(project.ReportOracle, config(protocol, actors.members[:3], actors.keys[:2], 2))


def test_D10_deployment_without_members_reverts(project, protocol, oracle):
    with reverts(oracle.QuorumOutOfBounds, quorum=0, members=0):
        protocol.actors.deployer.deploy(project.ReportOracle, config(protocol, [], [], 0))


def test_D10_deployment_with_one_member_or_one_key_twice_reverts(project, protocol, oracle):
    actors = protocol.actors
    (first, second), (key, other_key) = actors.members[:2], actors.keys[:2]
    with reverts(oracle.MemberKnown, member=first):
        actors.deployer.deploy(project.ReportOracle, config(protocol, [first, first], [key, other_key], 2))
    with reverts(oracle.KeyInUse, key=key):
        actors.deployer.deploy(project.ReportOracle, config(protocol, [first, second], [key, key], 2))


def test_a_deployment_emits_all_that_an_indexer_needs(project, protocol):
    actors = protocol.actors
    oracle = actors.deployer.deploy(project.ReportOracle, config(protocol, actors.members[:2], actors.keys[:2], 2))
    assert events_of(oracle, oracle.creation_metadata.receipt) == [
        oracle.AuthorityUpdated(protocol.access),
        oracle.LimitsChanged(ZERO, protocol.limits),
        oracle.MemberAdded(actors.members[0], actors.keys[0]),
        oracle.MemberAdded(actors.members[1], actors.keys[1]),
        oracle.QuorumChanged(0, 2),
    ]


# --- D10: every committee there can be ---


ROOT = b"\x4e" * 32


@dataclass
class Committees:
    """A core in this process whose vault takes the reports of oracles with any number of members."""

    process: Process
    core: SmallCore
    project: Any
    limits: Any
    challenge: Any
    members: list[Any]
    keys: list[Any]

    def deploy(self, count: int, quorum: int) -> Any:
        """The reference slot was the one before this second, whose block published its root."""
        self.process.publish_root(self.process.now, ROOT)
        return self.core.governance.deploy(
            self.project.ReportOracle,
            {
                "authority": self.core.manager,
                "vault": self.core.vault,
                "limits": self.limits,
                "challenge": self.challenge,
                "genesisTime": self.process.now - 86_400,
                "secondsPerSlot": 12,
                "firstSlot": 7_199,
                "frameSlots": 7_200,
                "members": [member.address for member in self.members[:count]],
                "keys": [key.address for key in self.keys[:count]],
                "quorum": quorum,
                "validators": 0,
            },
        )


@pytest.fixture(scope="module")
def committees(project):
    process = Process()
    governance, fees = process.account(0), process.account(1)
    core = SmallCore.deploy(project, governance, fees, process)
    process.pass_time(3_600)
    figures = {
        "yearlyGain": 2_000,
        "loss": 500,
        "validatorsPerDay": 10,
        "minAge": 0,
        "maxAge": 86_400,
        "gainAllowance": 0,
    }
    limits = governance.deploy(project.ReportLimits, core.manager, 86_400, figures)
    accounts = [process.account(100 + i) for i in range(2 * (MAX_MEMBERS + 1))]
    bonds = {
        "token": core.token,
        "vault": core.vault,
        "oracle": ZERO,
        "manager": ZERO,
        "bond": 0,
        "delay": 1,
        "answerTime": 1,
        "demandFee": 0,
    }
    challenge = governance.deploy(project.ReportChallenge, bonds)
    return Committees(process, core, project, limits, challenge, accounts[0::2], accounts[1::2])


def failure(call: Any) -> bytes:
    try:
        call()
    except Reverted as reverted:
        return reverted.data
    return b""


def out_of_bounds(quorum: int, members: int) -> bytes:
    word = quorum.to_bytes(32, "big") + members.to_bytes(32, "big")
    return keccak(text="QuorumOutOfBounds(uint256,uint256)")[:4] + word


@pytest.mark.parametrize("count", range(1, MAX_MEMBERS + 1))
def test_D10_O1_of_every_size_exactly_the_majorities_are_accepted_as_quorum(committees, count):
    """2 q > n and q <= n, for every n and every q up to n + 2, at deployment and by a setter."""
    process, governance = committees.process, committees.core.governance
    start = process.evm.snapshot()
    try:
        oracle = committees.deploy(count, count)
        for quorum in range(count + 3):
            accepted = 2 * quorum > count and quorum <= count
            refusal = b"" if accepted else out_of_bounds(quorum, count)
            assert failure(lambda quorum=quorum: oracle.setQuorum(quorum, sender=governance)) == refusal
            if accepted:
                assert oracle.quorum() == quorum
        assert committees.deploy(count, count // 2 + 1).quorum() == count // 2 + 1
        for quorum in (count // 2, count + 1):
            assert failure(lambda quorum=quorum: committees.deploy(count, quorum)) == out_of_bounds(quorum, count)
    finally:
        process.evm.revert(start)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9, 16, 31, 32])
def test_D10_D5_every_committee_reports_with_its_quorum_and_not_with_less(committees, count):
    """The smallest and the largest quorum of the size; a minority that votes against it changes nothing."""
    process, vault, governance = committees.process, committees.core.vault, committees.core.governance
    for quorum in {count // 2 + 1, count}:
        start = process.evm.snapshot()
        try:
            oracle = committees.deploy(count, quorum)
            vault.setOracle(oracle, sender=governance)
            slot = oracle.expected()[0]
            report = (slot, ROOT, bytes(32), 3, 0, 0, 0, 0, 0, 0)
            against = (slot, ROOT, bytes(32), 4, 0, 0, 0, 0, 0, 0)
            for key in committees.keys[quorum:count]:
                oracle.vote(against, sender=key)
            for key in committees.keys[: quorum - 1]:
                oracle.vote(report, sender=key)
            assert oracle.lastReferenceSlot() == 0
            oracle.vote(report, sender=committees.keys[quorum - 1])
            assert (oracle.lastReferenceSlot(), oracle.validators()) == (slot, 3)
        finally:
            process.evm.revert(start)


def test_D10_a_thirty_third_member_is_refused(committees):
    process, governance = committees.process, committees.core.governance
    start = process.evm.snapshot()
    try:
        oracle = committees.deploy(MAX_MEMBERS, 17)
        member, key = committees.members[MAX_MEMBERS], committees.keys[MAX_MEMBERS]
        data = failure(lambda: oracle.addMember(member, key, 17, sender=governance))
        assert data[:4] == keccak(text="TooManyMembers(uint256,uint256)")[:4]
        assert decode(["uint256", "uint256"], data[4:]) == (33, 32)
        assert failure(lambda: committees.deploy(MAX_MEMBERS + 1, 17)) == data
    finally:
        process.evm.revert(start)


def test_D10_the_last_member_cannot_be_removed(committees):
    process, governance = committees.process, committees.core.governance
    start = process.evm.snapshot()
    try:
        oracle = committees.deploy(1, 1)
        data = failure(lambda: oracle.removeMember(committees.members[0], 0, sender=governance))
        assert data == out_of_bounds(0, 0)
    finally:
        process.evm.revert(start)


def test_F7_a_vote_of_the_largest_committee_costs_a_small_part_of_a_block(committees):
    """32 members: the vote counts them one by one."""
    process = committees.process
    start = process.evm.snapshot()
    try:
        oracle = committees.deploy(MAX_MEMBERS, 17)
        committees.core.vault.setOracle(oracle, sender=committees.core.governance)
        report = (oracle.expected()[0], ROOT, bytes(32), 3, 0, 0, 0, 0, 0, 0)
        for key in committees.keys[:17]:
            oracle.vote(report, sender=key)
        assert process.evm.result.gas_used < 500_000
        assert oracle.lastReferenceSlot() != 0
    finally:
        process.evm.revert(start)
