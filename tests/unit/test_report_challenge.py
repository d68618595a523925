"""ReportChallenge: anybody shows what is false about a report, those who signed it pay, and what is true is safe.

Row D2 of docs/security.md, a quorum that lies, and members who would leave before they answer for it.
"""

from __future__ import annotations

from typing import Any

import ape
import pytest
from eth_account import Account
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.oracle.signing import digest
from sluice.oracle.tree import Leaves, SumTree
from sluice.units import Gwei
from tests.challenging import BOND, NO_EVIDENCE, Committee, ForgedTree, flat
from tests.helpers import DAY, advance_frame, domain_of, next_at, now, report_of, signatures_of, submit, warp_to
from tests.made import ETHER, MadeDeposit, prove, pubkey_of
from tests.reverts import reverts
from tests.small_core import address_of_creation

FEE = 10**18 // 20
ANSWER_TIME = 4 * 3600


@pytest.fixture(scope="module")
def founded(protocol):
    return Committee.found(protocol)


@pytest.fixture
def committee(founded):
    """Isolation takes the chain back, not what a test thinks of it."""
    return founded.copy()


@pytest.fixture(scope="module")
def challenge(protocol):
    return protocol.challenge


@pytest.fixture(scope="module")
def stranger(protocol):
    return protocol.actors.stranger


def opened(tree: SumTree, position: int) -> tuple[Any, ...]:
    return tree.open(position).as_tuple()


def counts(leaves: Leaves) -> tuple[int, int, int]:
    return (len(leaves.balances), len(leaves.deposits), len(leaves.preparations))


def lie(committee: Committee, tree: SumTree, **fields: Any) -> tuple[Any, list[bytes]]:
    """A report by ``tree``, accepted with the signatures of five members."""
    report = committee.report(tree, **fields)
    return report.as_tuple(), committee.submit(report)


def forged(committee: Committee, position: int, tag: bytes | None, amount: int) -> ForgedTree:
    """One leaf is another."""
    leaves = committee.leaves()
    items = flat(leaves)
    items += [(bytes(32), 0)] * (position + 1 - len(items))
    items[position] = (items[position][0] if tag is None else tag, amount)
    return ForgedTree(items, counts(leaves))


# --- A true report ---


def test_true_report_cannot_be_hurt(protocol, committee, challenge, stranger):
    """No leaf, no order, no count of it, and nothing is missing, with whatever evidence."""
    leaves = committee.leaves()
    tree = SumTree(leaves)
    given = committee.report()
    report, signatures = given.as_tuple(), committee.submit(given)
    assert given.consensus_balance == 3 * 32 * ETHER + 3 + 2 * ETHER == leaves.total
    for position in range(8):
        with reverts(challenge.NothingDisproved):
            challenge.challengeLeaf(
                report, signatures, opened(tree, position), committee.evidence(leaves, position), sender=stranger
            )
    with reverts(challenge.NothingDisproved):
        challenge.challengeCount(report, signatures, sender=stranger)
    for first in (3, 5):
        with reverts(challenge.NothingDisproved):
            challenge.challengeOrder(report, signatures, opened(tree, first), opened(tree, first + 1), sender=stranger)
    for first, second in ((2, 3), (4, 5), (6, 7), (3, 3), (4, 3), (0, 1)):
        with reverts(challenge.PositionOutOfBounds, position=second):
            challenge.challengeOrder(report, signatures, opened(tree, first), opened(tree, second), sender=stranger)
    neighbours = [[3], [4], [3, 4], [4, 5], [2, 3], [4, 3], [0], [7], []]
    for index in (0, 1, 2, 3):  # 0 and 2 are nobody's of ours, 1 and 3 are counted
        for chosen in neighbours:
            with reverts(challenge.NothingDisproved):
                challenge.challengeMissingDeposit(
                    report,
                    signatures,
                    [opened(tree, position) for position in chosen],
                    committee.deposit(index),
                    index,
                    sender=stranger,
                )
    for key in (*committee.prepared, *committee.keys, pubkey_of("nobody's")):
        for chosen in ([5], [6], [5, 6], [4, 5], [6, 7], [6, 5], [0], []):
            with reverts(challenge.NothingDisproved):
                challenge.challengeMissingPreparation(
                    report, signatures, [opened(tree, position) for position in chosen], keccak(key), sender=stranger
                )
    assert not protocol.oracle.halted()
    assert protocol.oracle.newest() == digest(given, domain_of(protocol))


def test_evidence_must_be_of_the_block_that_the_report_names(protocol, committee, challenge, stranger):
    leaves = committee.leaves()
    given = committee.report()
    report, signatures = given.as_tuple(), committee.submit(given)
    tree = SumTree(leaves)
    header, balances, deposit, count, branch = committee.balance(committee.keys[1])
    other = (header[0] + 1, *header[1:])
    for position in (1, 3):
        with reverts(challenge.HeaderMismatch, expected=given.beacon_root):
            challenge.challengeLeaf(
                report, signatures, opened(tree, position), (other, balances, deposit, count, branch), sender=stranger
            )
    # of the right block, but of another validator
    with reverts(protocol.proofs.StateRootMismatch):
        challenge.challengeLeaf(
            report,
            signatures,
            opened(tree, 1),
            (header, bytes([255]) * 32, deposit, count, branch),
            sender=stranger,
        )
    # there are four deposits, so an index below is no proof of anything
    with reverts(challenge.NothingDisproved):
        challenge.challengeLeaf(report, signatures, opened(tree, 3), committee.deposit_count(), sender=stranger)


def test_inner_node_is_no_leaf(protocol, committee, challenge, stranger):
    """Cut off below the top, a path would show sums of nodes for amounts of leaves."""
    given = committee.report()
    report, signatures = given.as_tuple(), committee.submit(given)
    tree = SumTree(committee.leaves())
    deposits, preparations, position, tag, amount, path = opened(tree, 0)
    for wrong in (path[:-1], path[1:], [], [*path, path[0]]):
        with reverts(challenge.PathLengthInvalid, length=len(wrong), expected=3):
            challenge.challengeLeaf(
                report,
                signatures,
                (deposits, preparations, position, tag, amount, wrong),
                committee.balance(committee.keys[0]),
                sender=stranger,
            )
    with reverts(challenge.PositionOutOfBounds, position=8):
        challenge.challengeLeaf(
            report, signatures, (deposits, preparations, 8, tag, amount, path), NO_EVIDENCE, sender=stranger
        )


@settings(max_examples=40)
@given(data=st.data())
def test_any_change_to_an_opening_of_a_true_report_is_refused(protocol, founded, challenge, data):
    """Tag, amount, place, counts, and what stands beside the path: the root commits to all of it."""
    committee = founded.copy()
    leaves = committee.leaves()
    if protocol.oracle.newest() == bytes(32):
        committee.submit(committee.report())
    given = committee.report(next_frame=False)
    assert protocol.oracle.newest() == digest(given, domain_of(protocol))
    deposits, preparations, position, tag, amount, path = opened(SumTree(leaves), data.draw(st.integers(0, 7)))
    what = data.draw(st.sampled_from(["deposits", "tag", "amount", "hash", "sum", "total"]))
    step = data.draw(st.integers(0, 2))
    changed = [list(each) for each in path]
    if what == "deposits":
        deposits, preparations = deposits + 1, preparations - 1
    elif what == "tag":
        tag = keccak(tag)
    elif what == "amount":
        amount += 1
    elif what == "hash":
        changed[step][0] = keccak(changed[step][0])
    elif what == "sum":
        changed[step][1] += 1
    else:
        changed[step][2] += 1
    opening = (deposits, preparations, position, tag, amount, changed)
    with reverts(challenge.BalancesRootMismatch):
        challenge.challengeLeaf(
            given.as_tuple(), [], opening, committee.evidence(leaves, position), sender=protocol.actors.stranger
        )


# --- A false one, and what it costs ---


def test_false_balance_costs_the_signers_their_bonds(protocol, committee, challenge, stranger):
    """By hand: 20 ether that are not there; 18 vest when it is found out, less what an hour has let go."""
    vault, oracle, token = protocol.vault, protocol.oracle, protocol.token
    committee.submit(committee.report())
    leaves = committee.leaves()
    tree = forged(committee, 1, None, int(leaves.balances[1]) + 20 * ETHER)
    report, signatures = lie(committee, tree)
    unvested = vault.unvested()
    assert 17 * 10**18 < unvested <= 18 * 10**18 + 10**9
    warp_to(now() + 3600)
    total, supply, buffer = vault.totalAssets(), vault.supply(), vault.buffer()
    cover = token.balanceOf(protocol.cover)
    at = next_at(now() + 1)
    tx = challenge.challengeLeaf(
        report, signatures, opened(tree, 1), committee.balance(committee.keys[1]), sender=stranger
    )
    assert tx.timestamp == at
    digest_ = oracle.digest(report)
    cancelled = tx.events.filter(vault.UnvestedCancelled)[0].assets
    assert tx.events[0] == challenge.ReportDisproved(digest_, stranger)
    assert oracle.Halted() in tx.events
    charged = [event for event in tx.events if event.event_name == "BondCharged"]
    assert {event.member for event in charged} == {member.address for member in protocol.actors.members[:5]}
    assert all(event.shares == BOND for event in charged)
    # the rate went on as it would have, and the lie's rewards are gone
    assert vault.unvested() < 10**9
    assert vault.supply() == supply
    assert vault.buffer() == buffer
    assert 0 <= vault.totalAssets() - total < 18 * 10**18 // 86_400 + 10**9
    assert cancelled % 10**9 == 0
    # a tenth is the challenger's, the rest the cover fund's
    assert token.balanceOf(stranger) == 5 * BOND // 10
    assert token.balanceOf(protocol.cover) - cover == 5 * BOND * 9 // 10
    assert challenge.challengerOf(digest_) == stranger
    assert oracle.halted()
    assert oracle.newest() == bytes(32)
    with reverts(challenge.NotNewest, digest=digest_, newest=bytes(32)):
        challenge.challengeLeaf(
            report, signatures, opened(tree, 1), committee.balance(committee.keys[1]), sender=stranger
        )
    # the other four answer for nothing
    assert all(tuple(challenge.bondOf(member)) == (BOND, 0, 0) for member in protocol.actors.members[5:])


def test_next_true_report_finds_what_was_true(protocol, committee, challenge, stranger):
    """What honest rewards were cancelled with the lie come back; what had vested of the lie is a loss."""
    vault, oracle = protocol.vault, protocol.oracle
    committee.submit(committee.report())
    committee.beacon.change(committee.keys[2], balance=33 * ETHER)
    leaves = committee.leaves()
    tree = forged(committee, 0, None, int(leaves.balances[0]) + ETHER)
    report, signatures = lie(committee, tree)
    fees = protocol.token.balanceOf(protocol.splitter)
    evidence = committee.balance(committee.keys[0])
    challenge.challengeLeaf(report, signatures, opened(tree, 0), evidence, sender=stranger)
    with reverts(oracle.OracleHalted):
        submit(protocol, committee.report())
    protocol.as_governor(oracle.resume)
    assert not oracle.halted()
    committee.submit(committee.report())
    profit, deposited, swept, _ = vault.consensus()
    assert profit + deposited - swept == leaves.total == vault.outside() // 10**9
    assert protocol.token.balanceOf(protocol.splitter) == fees, "no fee twice"


@pytest.mark.parametrize("kind", ["lower", "higher", "tagged"])
def test_false_balances(protocol, committee, challenge, stranger, kind):
    leaves = committee.leaves()
    true = int(leaves.balances[2])
    amount = {"lower": true - 1, "higher": true + 1, "tagged": true}[kind]
    tree = forged(committee, 2, b"\x01" * 32 if kind == "tagged" else None, amount)
    report, signatures = lie(committee, tree)
    evidence = NO_EVIDENCE if kind == "tagged" else committee.balance(committee.keys[2])
    challenge.challengeLeaf(report, signatures, opened(tree, 2), evidence, sender=stranger)
    assert protocol.oracle.halted()


@pytest.mark.parametrize("at", [(1, 0), (2, 1), (3, 0)])
def test_sums_that_do_not_add_up(protocol, committee, challenge, stranger, at):
    """Every leaf is true, and more comes out: the path past the node that lies needs no other evidence."""
    leaves = committee.leaves()
    tree = ForgedTree(flat(leaves), counts(leaves), {at: 2 * ETHER})
    report, signatures = lie(committee, tree)
    honest = 7 if at != (3, 0) else None  # below the top every path is broken
    if at == (1, 0):
        with reverts(challenge.NothingDisproved):
            challenge.challengeLeaf(report, signatures, opened(tree, honest), NO_EVIDENCE, sender=stranger)
    position = at[1] << at[0]
    challenge.challengeLeaf(report, signatures, opened(tree, position), NO_EVIDENCE, sender=stranger)
    assert protocol.oracle.halted()


def test_sums_that_overflow(protocol, committee, challenge, stranger):
    """Two leaves that wrap around to the true sum."""
    leaves = committee.leaves()
    items = flat(leaves)
    items[0] = (bytes(32), items[0][1] + 2**63)
    items[1] = (bytes(32), items[1][1] + 2**63)
    tree = ForgedTree(items, counts(leaves), {(1, 0): -(2**64)})
    assert tree.total == leaves.total
    report, signatures = lie(committee, tree)
    challenge.challengeLeaf(report, signatures, opened(tree, 0), NO_EVIDENCE, sender=stranger)
    assert protocol.oracle.halted()


def test_total_that_the_tree_does_not_have(protocol, committee, challenge, stranger):
    tree = SumTree(committee.leaves())
    report, signatures = lie(committee, tree, consensus_balance=Gwei(tree.total + 1))
    challenge.challengeLeaf(report, signatures, opened(tree, 4), NO_EVIDENCE, sender=stranger)
    assert protocol.oracle.halted()


@pytest.mark.parametrize("change", [-3, -1, 1, 2, 1000])
def test_wrong_count_of_validators(protocol, committee, challenge, stranger, change):
    leaves = committee.leaves()
    report, signatures = lie(committee, SumTree(leaves), validators=3 + change)
    challenge.challengeCount(report, signatures, sender=stranger)
    assert protocol.oracle.halted()


def test_validators_proven_after_the_reference_slot_are_no_lie(protocol, committee, challenge, stranger):
    given = committee.report()
    key = committee.prepared[0]
    credentials = committee.beacon.validators[-1].credentials
    committee.beacon.validators.append(type(committee.beacon.validators[0])(key, credentials, balance=ETHER))
    prove(protocol, committee.beacon, key)
    assert protocol.manager.count() == 4
    report, signatures = given.as_tuple(), committee.submit(given)
    with reverts(challenge.NothingDisproved):
        challenge.challengeCount(report, signatures, sender=stranger)
    # nor is the preparation that it still was
    leaves = committee.leaves()
    position = 5 + leaves.preparations.index(keccak(key))
    with reverts(challenge.NothingDisproved):
        challenge.challengeLeaf(report, signatures, opened(SumTree(leaves), position), NO_EVIDENCE, sender=stranger)


@pytest.mark.parametrize(
    ("tag", "amount", "of"),
    [
        (None, 30 * ETHER + 1, 1),
        (None, 0, 1),
        ((0).to_bytes(32, "big"), 5 * ETHER, 0),  # a stranger's
        ((2).to_bytes(32, "big"), 7 * ETHER, 2),  # a stranger's
        ((4).to_bytes(32, "big"), 30 * ETHER, None),  # not there
        ((2**256 - 1).to_bytes(32, "big"), 30 * ETHER, None),
    ],
)
def test_false_deposits(protocol, committee, challenge, stranger, tag, amount, of):
    tree = forged(committee, 3, tag, amount)
    report, signatures = lie(committee, tree)
    evidence = committee.deposit_count() if of is None else committee.deposit(of)
    challenge.challengeLeaf(report, signatures, opened(tree, 3), evidence, sender=stranger)
    assert protocol.oracle.halted()


@pytest.mark.parametrize("kind", ["not prepared", "proven", "amount"])
def test_false_preparations(protocol, committee, challenge, stranger, kind):
    tag = {"not prepared": keccak(b"x"), "proven": keccak(committee.keys[0]), "amount": None}[kind]
    tree = forged(committee, 5, tag, ETHER + (kind == "amount"))
    report, signatures = lie(committee, tree)
    challenge.challengeLeaf(report, signatures, opened(tree, 5), NO_EVIDENCE, sender=stranger)
    assert protocol.oracle.halted()


def test_preparation_that_was_abandoned(protocol, committee, challenge, stranger):
    warp_to(now() + 61 * DAY)
    key = committee.prepared[0]
    protocol.manager.abandon(key, sender=stranger)
    leaves = committee.leaves()
    tree = SumTree(leaves)
    position = 5 + leaves.preparations.index(keccak(key))
    report, signatures = lie(committee, tree)
    challenge.challengeLeaf(report, signatures, opened(tree, position), NO_EVIDENCE, sender=stranger)
    assert protocol.oracle.halted()


@pytest.mark.parametrize(("tag", "amount"), [(bytes(32), 1), (b"\x01" * 32, 0), (b"\x01" * 32, ETHER)])
def test_leaf_behind_the_last(protocol, committee, challenge, stranger, tag, amount):
    tree = forged(committee, 7, tag, amount)
    report, signatures = lie(committee, tree)
    challenge.challengeLeaf(report, signatures, opened(tree, 7), NO_EVIDENCE, sender=stranger)
    assert protocol.oracle.halted()


@pytest.mark.parametrize("kind", ["deposit twice", "preparation twice", "deposits fall"])
def test_neighbours_that_do_not_rise(protocol, committee, challenge, stranger, kind):
    leaves = committee.leaves()
    items = flat(leaves)
    first = 5 if kind == "preparation twice" else 3
    if kind == "deposits fall":
        items[3], items[4] = items[4], items[3]
    else:
        items[first + 1] = items[first]
    tree = ForgedTree(items, counts(leaves))
    report, signatures = lie(committee, tree)
    challenge.challengeOrder(report, signatures, opened(tree, first), opened(tree, first + 1), sender=stranger)
    assert protocol.oracle.halted()


@pytest.mark.parametrize(
    ("missing", "neighbours"), [(0, [3]), (2, [3, 4]), (4, [4, 5]), (5, [5])], ids=["first", "second", "third", "last"]
)
def test_deposit_left_out(protocol, committee, challenge, stranger, missing, neighbours):
    """Of four, three are left: the leaves around the gap show it, and one at an end."""
    committee.beacon.deposits.append(MadeDeposit(committee.keys[1], ETHER))
    committee.beacon.deposits.insert(0, MadeDeposit(committee.keys[1], ETHER))
    leaves = committee.leaves()
    assert [each.index for each in leaves.deposits] == [0, 2, 4, 5]
    kept = [each for each in leaves.deposits if each.index != missing]
    tree = SumTree(Leaves.of(leaves.balances, kept, leaves.preparations))
    report, signatures = lie(committee, tree)
    challenge.challengeMissingDeposit(
        report,
        signatures,
        [opened(tree, position) for position in neighbours],
        committee.deposit(missing),
        missing,
        sender=stranger,
    )
    assert protocol.oracle.halted()


def test_all_deposits_left_out(protocol, committee, challenge, stranger):
    leaves = committee.leaves()
    tree = SumTree(Leaves.of(leaves.balances, [], leaves.preparations))
    report, signatures = lie(committee, tree)
    challenge.challengeMissingDeposit(report, signatures, [opened(tree, 0)], committee.deposit(1), 1, sender=stranger)
    assert protocol.oracle.halted()


@pytest.mark.parametrize("left", [0, 1])
def test_preparation_left_out(protocol, committee, challenge, stranger, left):
    leaves = committee.leaves()
    tree = SumTree(Leaves.of(leaves.balances, leaves.deposits, [leaves.preparations[left]]))
    report, signatures = lie(committee, tree)
    challenge.challengeMissingPreparation(
        report, signatures, [opened(tree, 5)], leaves.preparations[1 - left], sender=stranger
    )
    assert protocol.oracle.halted()


def test_only_the_newest_report_is_judged(protocol, committee, challenge, stranger):
    tree = forged(committee, 1, None, 33 * ETHER)
    report, signatures = lie(committee, tree)
    opening, evidence = opened(tree, 1), committee.balance(committee.keys[1])
    committee.submit(committee.report())
    with reverts(challenge.NotNewest):
        challenge.challengeLeaf(report, signatures, opening, evidence, sender=stranger)
    with reverts(challenge.NotDisproved):
        challenge.charge(protocol.oracle.digest(report), signatures, [], sender=stranger)


# --- Who answers ---


def test_signatures_that_come_later_are_charged_too(protocol, committee, challenge, stranger):
    """A challenge that names nobody spares nobody: the reward stays the challenger's, whoever brings the signatures."""
    tree = forged(committee, 1, None, 33 * ETHER)
    report, signatures = lie(committee, tree)
    challenge.challengeLeaf(report, [], opened(tree, 1), committee.balance(committee.keys[1]), sender=stranger)
    assert protocol.token.balanceOf(stranger) == 0
    digest_ = protocol.oracle.digest(report)
    challenge.charge(digest_, signatures[:2], [], sender=protocol.actors.other)
    assert protocol.token.balanceOf(stranger) == 2 * BOND // 10
    challenge.charge(digest_, [*signatures, *signatures], [], sender=protocol.actors.other)
    assert protocol.token.balanceOf(stranger) == 5 * BOND // 10
    challenge.charge(digest_, signatures, [], sender=protocol.actors.other)
    assert protocol.token.balanceOf(stranger) == 5 * BOND // 10


def test_new_bond_does_not_answer_for_an_old_report(protocol, committee, challenge, stranger):
    """Who has paid for a report has paid: else nobody could ever fill a bond again."""
    who = protocol.actors
    tree = forged(committee, 1, None, 33 * ETHER)
    report, signatures = lie(committee, tree)
    challenge.challengeLeaf(report, signatures, opened(tree, 1), committee.balance(committee.keys[1]), sender=stranger)
    before = protocol.token.balanceOf(stranger)
    for member in who.members[:5]:
        assert challenge.bondOf(member).shares == 0
        challenge.depositEther(member, value=2 * BOND, sender=who.staker)
    held = [challenge.bondOf(member).shares for member in who.members[:5]]
    tx = challenge.charge(protocol.oracle.digest(report), signatures, who.members[:5], sender=stranger)
    assert not [event for event in tx.events if event.event_name == "BondCharged"]
    assert [challenge.bondOf(member).shares for member in who.members[:5]] == held
    assert protocol.token.balanceOf(stranger) == before
    protocol.as_governor(protocol.oracle.resume)


def test_voter_who_is_no_member_any_more_answers(protocol, committee, challenge, stranger):
    who = protocol.actors
    tree = forged(committee, 1, None, 33 * ETHER)
    given = committee.report(tree)
    for key in who.keys[:5]:
        protocol.oracle.vote(given.as_tuple(), sender=key)
    evidence = committee.balance(committee.keys[1])
    gone = who.members[0]
    protocol.as_governor(protocol.oracle.removeMember, gone, 5)
    challenge.challengeLeaf(given.as_tuple(), [], opened(tree, 1), evidence, sender=stranger)
    assert challenge.bondOf(gone).shares != 0
    digest_ = protocol.oracle.digest(given.as_tuple())
    before = protocol.token.balanceOf(stranger)
    challenge.charge(digest_, [], [who.members[8], gone], sender=who.other)
    assert challenge.bondOf(gone).shares == 0
    assert challenge.bondOf(who.members[8]).shares != 0, "it did not vote"
    assert protocol.token.balanceOf(stranger) > before


def test_key_that_was_rotated_answers(protocol, committee, challenge, stranger):
    who = protocol.actors
    tree = forged(committee, 1, None, 33 * ETHER)
    report, signatures = lie(committee, tree)
    protocol.oracle.rotateKey(who.other, sender=who.members[0])
    evidence, opening = committee.balance(committee.keys[1]), opened(tree, 1)
    tx = challenge.challengeLeaf(report, signatures, opening, evidence, sender=stranger)
    charged = {event.member for event in tx.events if event.event_name == "BondCharged"}
    assert charged == {member.address for member in who.members[:5]}
    # nobody else can take over a key that has signed
    with reverts(protocol.oracle.KeyInUse, key=who.keys[0]):
        protocol.oracle.rotateKey(who.keys[0], sender=who.members[1])
    protocol.oracle.rotateKey(who.keys[0], sender=who.members[0])


def test_member_that_was_removed_answers(protocol, committee, challenge, stranger):
    """No way out by leaving the committee between the lie and the challenge."""
    who = protocol.actors
    tree = forged(committee, 1, None, 33 * ETHER)
    report, signatures = lie(committee, tree)
    evidence, opening = committee.balance(committee.keys[1]), opened(tree, 1)
    protocol.as_governor(protocol.oracle.removeMember, who.members[0], 5)
    tx = challenge.challengeLeaf(report, signatures, opening, evidence, sender=stranger)
    charged = {event.member for event in tx.events if event.event_name == "BondCharged"}
    assert charged == {member.address for member in who.members[:5]}


def test_voters_answer_as_signers_do(protocol, committee, challenge, stranger):
    who = protocol.actors
    tree = forged(committee, 1, None, 33 * ETHER)
    given = committee.report(tree)
    for key in who.keys[:5]:
        protocol.oracle.vote(given.as_tuple(), sender=key)
    digest_ = protocol.oracle.newest()
    assert [protocol.oracle.answersFor(member, digest_) for member in who.members] == [True] * 5 + [False] * 4
    # a vote for the next report does not take the answer back, nor does another key
    protocol.oracle.rotateKey(who.other, sender=who.members[0])
    evidence = committee.balance(committee.keys[1])
    advance_frame(protocol)
    protocol.oracle.vote(report_of(protocol).as_tuple(), sender=who.keys[1])
    assert protocol.oracle.voteOf(who.members[1]) != digest_
    tx = challenge.challengeLeaf(given.as_tuple(), [], opened(tree, 1), evidence, sender=stranger)
    charged = {event.member for event in tx.events if event.event_name == "BondCharged"}
    assert charged == {member.address for member in who.members[:5]}


def test_signatures_of_nobody_and_of_something_else_charge_nobody(protocol, committee, challenge, stranger):
    tree = forged(committee, 1, None, 33 * ETHER)
    report, _ = lie(committee, tree)
    other = signatures_of(protocol, report_of(protocol), protocol.actors.keys[5:])
    stray = signatures_of(protocol, committee.report(tree, next_frame=False), [protocol.actors.other])
    tx = challenge.challengeLeaf(
        report, [*other, *stray], opened(tree, 1), committee.balance(committee.keys[1]), sender=stranger
    )
    assert not [event for event in tx.events if event.event_name == "BondCharged"]
    with reverts(protocol.oracle.SignatureInvalid, index=0):
        challenge.charge(protocol.oracle.digest(report), [b"\0" * 65], [], sender=stranger)


def test_without_a_cover_fund_the_rest_stays(protocol, committee, challenge, stranger):
    tree = forged(committee, 1, None, 33 * ETHER)
    protocol.as_governor(protocol.vault.setCover, "0x" + "00" * 20)
    report, signatures = lie(committee, tree)
    challenge.challengeLeaf(report, signatures, opened(tree, 1), committee.balance(committee.keys[1]), sender=stranger)
    assert protocol.token.balanceOf(stranger) == 5 * BOND // 10
    assert protocol.token.balanceOf(challenge) == 4 * BOND + 5 * BOND * 9 // 10


# --- Bonds ---


def test_bond_in_and_out(protocol, challenge, committee, stranger):
    """Of a member that was removed: everything, after the delay. Until then it answers."""
    who = protocol.actors
    member = who.members[8]
    tx = challenge.depositEther(member, sender=stranger, value=10**18)
    shares = tx.events.filter(challenge.BondDeposited)[0].shares
    assert tuple(challenge.bondOf(member)) == (BOND + shares, 0, 0)
    with reverts(challenge.AmountMissing):
        challenge.requestWithdrawal(0, sender=member)
    with reverts(challenge.AmountAboveBond, shares=BOND + shares + 1, bond=BOND + shares):
        challenge.requestWithdrawal(BOND + shares + 1, sender=member)
    with reverts(challenge.AmountMissing):
        challenge.deposit(member, 0, sender=stranger)
    with reverts(challenge.NothingLeaves, member=member):
        challenge.withdraw(sender=member)
    at = next_at(now() + 10)
    challenge.requestWithdrawal(shares, sender=member)
    assert tuple(challenge.bondOf(member)) == (BOND, shares, at + 45 * DAY)
    with reverts(challenge.StillLocked):
        challenge.withdraw(sender=member)
    warp_to(at + 45 * DAY)
    tx = challenge.withdraw(sender=member)
    assert tx.events[0] == challenge.BondWithdrawn(member, shares)
    assert protocol.token.balanceOf(member) == shares
    assert tuple(challenge.bondOf(member))[:2] == (BOND, 0)


def test_what_leaves_is_charged_too(protocol, committee, challenge, stranger):
    member = protocol.actors.members[0]
    tree = forged(committee, 1, None, 33 * ETHER)
    report, signatures = lie(committee, tree)
    challenge.requestWithdrawal(BOND, sender=member)
    challenge.challengeLeaf(report, signatures, opened(tree, 1), committee.balance(committee.keys[1]), sender=stranger)
    assert tuple(challenge.bondOf(member))[:2] == (0, 0)
    with reverts(challenge.NothingLeaves, member=member):
        challenge.withdraw(sender=member)


@pytest.fixture(scope="module")
def bonded(protocol):
    """An oracle of two members, with a challenge contract that asks for bonds."""
    who = protocol.actors
    nonce = who.deployer.nonce
    oracle = address_of_creation(who.deployer.address, nonce + 1)
    config = (protocol.token, protocol.vault, oracle, protocol.manager, BOND, 45 * DAY, ANSWER_TIME, FEE)
    challenge = who.deployer.deploy(ape.project.ReportChallenge, config)
    made = who.deployer.deploy(
        ape.project.ReportOracle,
        (
            protocol.access,
            protocol.vault,
            protocol.limits,
            challenge,
            protocol.oracle.GENESIS_TIME(),
            12,
            0,
            7_200,
            who.members[:2],
            who.keys[:2],
            2,
            0,
        ),
    )
    assert made.address == oracle
    return challenge, made


def test_no_report_and_no_member_without_bonds(protocol, committee, bonded):
    challenge, oracle = bonded
    who = protocol.actors
    token = protocol.token
    protocol.as_governor(protocol.vault.setOracle, oracle)
    given = committee.report()

    def send():
        key = digest_of(oracle, given)
        return oracle.submit(given.as_tuple(), sign_with(who.keys[:2], key), sender=who.stranger)

    with reverts(challenge.BondTooLow, member=who.members[0], shares=0, needed=BOND):
        send()
    token.approve(challenge, 10 * BOND, sender=who.staker)
    challenge.deposit(who.members[0], BOND, sender=who.staker)
    challenge.deposit(who.members[1], BOND - 1, sender=who.staker)
    with reverts(challenge.BondTooLow, member=who.members[1], shares=BOND - 1, needed=BOND):
        send()
    challenge.deposit(who.members[1], 1, sender=who.staker)
    send()
    with reverts(challenge.BondTooLow, member=who.members[2], shares=0, needed=BOND):
        protocol.act(who.admin, oracle.addMember, who.members[2], who.keys[2], 2)
    # while it is a member, the least bond stays
    with reverts(challenge.BondTooLow, member=who.members[0], shares=BOND - 1, needed=BOND):
        challenge.requestWithdrawal(1, sender=who.members[0])
    challenge.deposit(who.members[0], 5, sender=who.staker)
    challenge.requestWithdrawal(5, sender=who.members[0])


def digest_of(oracle: Any, report: Any) -> bytes:
    return bytes(oracle.digest(report.as_tuple()))


def sign_with(keys: Any, digest_: bytes) -> list[bytes]:
    signed = {key.address.lower(): Account.unsafe_sign_hash(digest_, key.private_key).signature for key in keys}
    return [bytes(signed[address]) for address in sorted(signed)]


# --- A root that nobody can open ---


def test_leaf_that_is_shown_pays_who_shows_it(protocol, committee, challenge, stranger):
    other = protocol.actors.other
    given = committee.report()
    report, _ = given.as_tuple(), committee.submit(given)
    tree = SumTree(committee.leaves())
    with reverts(challenge.WrongValue, sent=FEE - 1, expected=FEE):
        challenge.demand(report, 2, sender=stranger, value=FEE - 1)
    at = next_at(now() + 1)
    tx = challenge.demand(report, 2, sender=stranger, value=FEE)
    assert tx.events == [challenge.LeafDemanded(protocol.oracle.newest(), 2, stranger, at + ANSWER_TIME)]
    with reverts(challenge.DemandKnown, position=2):
        challenge.demand(report, 2, sender=stranger, value=FEE)
    with reverts(challenge.PositionOutOfBounds, position=2):
        challenge.show(report, opened(tree, 3), 2, sender=other)
    with reverts(challenge.DemandUnknown, position=3):
        challenge.show(report, opened(tree, 3), 3, sender=other)
    with reverts(challenge.DemandOpen, until=at + ANSWER_TIME):
        challenge.conclude(report, 2, sender=stranger)
    before = other.balance
    tx = challenge.show(report, opened(tree, 2), 2, sender=other)
    leaf = tree.open(2)
    assert tx.events == [challenge.LeafShown(protocol.oracle.newest(), 2, leaf.tag, leaf.amount)]
    assert other.balance == before + FEE - tx.total_fees_paid
    warp_to(at + ANSWER_TIME + 1)
    with reverts(challenge.DemandUnknown, position=2):
        challenge.conclude(report, 2, sender=stranger)
    assert not protocol.oracle.halted()


def test_position_that_the_tree_does_not_have(protocol, committee, challenge, stranger):
    given = committee.report()
    report, _ = given.as_tuple(), committee.submit(given)
    challenge.demand(report, 8, sender=stranger, value=FEE)
    challenge.show(report, opened(SumTree(committee.leaves()), 5), 8, sender=protocol.actors.other)
    assert challenge.balance == 0


def test_root_that_nobody_can_open_falls_without_charge(protocol, committee, challenge, stranger):
    leaves = committee.leaves()
    committee.submit(committee.report())
    report, _ = lie(
        committee, SumTree(leaves), balances_root=b"\xee" * 32, consensus_balance=Gwei(leaves.total + 9 * ETHER)
    )
    at = next_at(now() + 1)
    challenge.demand(report, 0, sender=stranger, value=FEE)
    with reverts(challenge.BalancesRootMismatch):
        challenge.show(report, opened(SumTree(leaves), 0), 0, sender=protocol.actors.other)
    warp_to(at + ANSWER_TIME)
    with reverts(challenge.DemandOpen):
        next_at(at + ANSWER_TIME)
        challenge.conclude(report, 0, sender=protocol.actors.other)
    digest_ = protocol.oracle.newest()
    before = stranger.balance
    next_at(max(now(), at + ANSWER_TIME) + 1)
    tx = challenge.conclude(report, 0, sender=protocol.actors.other)
    assert tx.events[0] == challenge.ReportUnanswered(digest_, 0)
    assert stranger.balance == before + FEE
    assert protocol.oracle.halted()
    assert protocol.vault.unvested() < 10**9
    assert all(challenge.bondOf(member).shares == BOND for member in protocol.actors.members)
    with reverts(challenge.NotDisproved):
        challenge.charge(digest_, [], [], sender=stranger)


def test_asker_that_takes_no_ether_keeps_no_report_alive(protocol, committee, challenge, stranger):
    """Whoever signed a lie could ask for its leaves first, from a contract that rejects the fee when it comes back."""
    committee.submit(committee.report())
    report, _ = lie(committee, SumTree(committee.leaves()), balances_root=b"\xee" * 32)
    asker = protocol.impersonate(protocol.oracle, 10**18)
    at = next_at(now() + 1)
    challenge.demand(report, 0, sender=asker, value=FEE)
    warp_to(at + ANSWER_TIME + 1)
    challenge.conclude(report, 0, sender=stranger)
    assert protocol.oracle.halted()
    assert challenge.balance == FEE


def test_who_shows_a_leaf_must_take_the_fee(protocol, committee, challenge, stranger):
    given = committee.report()
    report, _ = given.as_tuple(), committee.submit(given)
    challenge.demand(report, 0, sender=stranger, value=FEE)
    shower = protocol.impersonate(protocol.oracle, 10**18)
    with reverts(challenge.EtherRejected, receiver=protocol.oracle):
        challenge.show(report, opened(SumTree(committee.leaves()), 0), 0, sender=shower)


def test_demand_that_the_next_report_has_overtaken_does_nothing(protocol, committee, challenge, stranger):
    given = committee.report()
    report, _ = given.as_tuple(), committee.submit(given)
    challenge.demand(report, 0, sender=stranger, value=FEE)
    committee.submit(committee.report())
    before = stranger.balance
    challenge.conclude(report, 0, sender=protocol.actors.other)
    assert stranger.balance == before + FEE
    assert not protocol.oracle.halted()


# --- What it costs to look ---


def test_gas_of_a_challenge(protocol, committee, challenge, stranger):
    """At most 600,000 with five signatures to charge. (A tree of eight leaves; each further level is 2,000.)"""
    tree = forged(committee, 1, None, 33 * ETHER)
    report, signatures = lie(committee, tree)
    tx = challenge.challengeLeaf(
        report, signatures, opened(tree, 1), committee.balance(committee.keys[1]), sender=stranger
    )
    assert tx.gas_used < 500_000


def test_settings_that_make_no_sense(protocol):
    who = protocol.actors
    for delay, answer in ((0, 1), (1, 0)):
        config = (protocol.token, protocol.vault, protocol.oracle, protocol.manager, BOND, delay, answer, FEE)
        with reverts(protocol.challenge.ConfigInvalid):
            who.deployer.deploy(ape.project.ReportChallenge, config)


def test_only_the_challenge_halts(protocol, challenge):
    with reverts(protocol.oracle.CallerNotAllowed, caller=protocol.actors.governor, allowed=challenge):
        protocol.oracle.halt(sender=protocol.actors.governor)
