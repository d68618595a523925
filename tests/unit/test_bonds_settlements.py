"""OperatorBonds: faults that no proof shows. A quorum proposes, a guardian can cancel, then anybody executes."""

from __future__ import annotations

import ape
import pytest
from eth_account import Account

from sluice.oracle.signing import to_compact
from tests.bonding import (
    FOREVER,
    bond,
    bond_of,
    held,
    install_book,
    register,
    settlement_message,
    settlement_signatures,
)
from tests.helpers import DAY, ETHER, ZERO, next_at, now, report_as_oracle, signer, stake, warp_to
from tests.reverts import reverts
from tests.typed_data import ORDER
from tests.voting import events_of

WINDOW = 7 * DAY
HELD = 40 * ETHER
TAKEN = 3 * ETHER
REASON = bytes.fromhex("5e" * 32)


@pytest.fixture(scope="module")
def bonds(protocol):
    return protocol.bonds


@pytest.fixture(scope="module")
def token(protocol):
    return protocol.token


@pytest.fixture(scope="module")
def staker(protocol):
    return protocol.actors.staker


@pytest.fixture(scope="module")
def stranger(protocol):
    return protocol.actors.stranger


@pytest.fixture(scope="module")
def operator(protocol, staker):
    """With 40 slETH of bond; on the open terms."""
    stake(protocol, staker, 1_000 * ETHER)
    install_book(protocol)
    operator = register(protocol, staker)
    bond(protocol, operator, HELD, staker)
    return operator


def propose(protocol, operator, shares=TAKEN, reason=REASON, signatures=None, deadline=FOREVER, **changes):
    """By a quorum, sent by a stranger."""
    if signatures is None:
        signatures = settlement_signatures(protocol, operator, shares, reason, deadline=deadline, **changes)
    return protocol.bonds.propose(operator, shares, reason, deadline, signatures, sender=protocol.actors.stranger)


@pytest.fixture
def proposed(protocol, operator):
    """Settlement 1: 3 slETH."""
    propose(protocol, operator)
    return 1


def moved(token, sender, receiver, shares):
    return token.Transfer(**{"from": sender, "to": receiver, "value": shares})


# --- propose ---


def test_propose_by_a_quorum(protocol, bonds, operator):
    at = next_at(now() + 5)
    tx = propose(protocol, operator)
    assert tx.events == [
        bonds.SettlementProposed(id=1, operator=operator, shares=TAKEN, reason=REASON, executableFrom=at + WINDOW)
    ]
    assert tuple(bonds.getSettlement(1)) == (operator, TAKEN, at + WINDOW, REASON)
    assert (bonds.settlementCount(), bonds.nonces(operator)) == (1, 1)
    assert bond_of(protocol, operator) == (HELD, 0, 0, 1)  # nothing has moved


def test_digest_is_what_wallets_sign(protocol, bonds, operator):
    signatures = settlement_signatures(protocol, operator, TAKEN, REASON, keys=protocol.actors.keys[:1])
    digest = bytes(bonds.settlementDigest(operator, TAKEN, REASON, FOREVER))
    assert Account._recover_hash(digest, signature=signatures[0]) == protocol.actors.keys[0]
    protocol.oracle.requireQuorum(digest, settlement_signatures(protocol, operator, TAKEN, REASON))


def test_D2_one_signature_less_than_a_quorum_proposes_nothing(protocol, operator):
    keys = protocol.actors.keys
    with reverts(protocol.oracle.QuorumNotReached, given=4, needed=5):
        propose(protocol, operator, keys=keys[:4])
    with reverts(protocol.oracle.QuorumNotReached, given=0, needed=5):
        propose(protocol, operator, signatures=[])
    with reverts(protocol.oracle.QuorumNotReached, given=4, needed=5):
        propose(protocol, operator, keys=[*keys[:4], protocol.actors.other])
    propose(protocol, operator, keys=[*keys[:5], protocol.actors.other])


def test_D2_one_member_twice_settles_nothing(protocol, operator):
    keys = protocol.actors.keys
    twice = sorted([*keys[:4], keys[0]], key=lambda key: int(key.address, 16))
    with reverts(protocol.oracle.SignersNotSorted, previous=keys[0], signer=keys[0]):
        propose(protocol, operator, keys=twice)
    signatures = settlement_signatures(protocol, operator, TAKEN, REASON)
    with reverts(protocol.oracle.SignersNotSorted):
        propose(protocol, operator, signatures=signatures[::-1])


def test_G2_settlements_take_no_malleable_or_broken_signature(protocol, operator):
    good = settlement_signatures(protocol, operator, TAKEN, REASON)
    s = ORDER - int.from_bytes(good[2][32:64], "big")
    malleated = good[2][:32] + s.to_bytes(32, "big") + bytes([55 - good[2][64]])
    for bad in (malleated, good[2][:-2], b"", good[2] + b"\x00"):
        with reverts(protocol.oracle.SignatureInvalid, index=2):
            propose(protocol, operator, signatures=[*good[:2], bad, *good[3:]])
    propose(protocol, operator, signatures=[to_compact(signature) for signature in good])


@pytest.mark.parametrize("field", ["contract", "chain_id", "operator", "shares", "reason", "nonce", "deadline", "name"])
def test_G2_signatures_for_anything_else_propose_nothing(protocol, bonds, operator, field):
    """Those of other accounts come out of them, which are in no order and nobody's."""
    other = {
        "contract": protocol.oracle.address,
        "chain_id": ape.chain.chain_id + 1,
        "operator": operator + 1,
        "shares": TAKEN - 1,
        "reason": bytes(32),
        "nonce": 1,
        "deadline": FOREVER - 1,
        "name": "Sluice Report Oracle",
    }[field]
    values = {
        "contract": bonds.address,
        "chain_id": ape.chain.chain_id,
        "operator": operator,
        "shares": TAKEN,
        "reason": REASON,
        "nonce": 0,
        "deadline": FOREVER,
        "name": "Sluice Operator Bonds",
    }
    expected, signed = settlement_message(**values), settlement_message(**values | {field: other})
    signatures = [bytes(signer(key).sign_message(signed).signature) for key in protocol.actors.keys[:5]]
    ordered = sorted(signatures, key=lambda each: int(Account.recover_message(expected, signature=each), 16))
    with reverts(protocol.oracle.QuorumNotReached, given=0, needed=5):
        propose(protocol, operator, signatures=ordered)


def test_G2_signatures_of_a_settlement_count_once(protocol, bonds, operator):
    """Whatever becomes of it: they were for the operator's nonce."""
    signatures = settlement_signatures(protocol, operator, TAKEN, REASON)
    propose(protocol, operator, signatures=signatures)
    for _ in ("open", "cancelled"):
        with reverts(None):  # recovers to accounts in no order, or of nobody
            propose(protocol, operator, signatures=signatures)
        assert bonds.settlementCount() == 1
        if bond_of(protocol, operator)[3]:
            bonds.cancel(1, sender=protocol.actors.guardian)
    propose(protocol, operator)
    assert bonds.settlementCount() == 2


def test_signatures_count_until_their_deadline(protocol, bonds, operator):
    """What was signed and not used is worth nothing later."""
    deadline = now() + 100
    warp_to(deadline - 1)
    with reverts(bonds.SettlementExpired, deadline=deadline):
        next_at(deadline + 1)
        propose(protocol, operator, deadline=deadline)
    second = now() + 100
    next_at(second)
    propose(protocol, operator, deadline=second)


def test_nonces_of_operators_are_apart(protocol, bonds, staker, operator):
    """Two settlements that were signed at the same time do not stand in each other's way."""
    second = register(protocol, staker)
    bond(protocol, second, HELD, staker)
    signed = {each: settlement_signatures(protocol, each, TAKEN, REASON) for each in (operator, second)}
    for each in (second, operator):
        propose(protocol, each, signatures=signed[each])
    assert (bonds.nonces(operator), bonds.nonces(second), bonds.settlementCount()) == (1, 1, 2)


def test_propose_of_nothing_or_for_nobody_reverts(protocol, bonds, operator):
    with reverts(bonds.AmountMissing):
        propose(protocol, operator, shares=0)
    with reverts(protocol.registry.OperatorUnknown, id=77):
        propose(protocol, 77)


def test_committee_is_that_of_the_oracle_of_the_moment(protocol, bonds, operator):
    """A member that was removed signs no settlement either."""
    signatures = settlement_signatures(protocol, operator, TAKEN, REASON)
    protocol.as_governor(protocol.oracle.removeMember, protocol.actors.members[0], 5)
    with reverts(protocol.oracle.QuorumNotReached, given=4, needed=5):
        propose(protocol, operator, signatures=signatures)


# --- requireQuorum, which it stands on ---


def test_requireQuorum_of_the_oracle(protocol, operator):
    oracle, digest = protocol.oracle, protocol.bonds.settlementDigest(operator, TAKEN, REASON, FOREVER)
    signatures = settlement_signatures(protocol, operator, TAKEN, REASON, keys=protocol.actors.keys)
    oracle.requireQuorum(digest, signatures[:5])
    oracle.requireQuorum(digest, signatures)
    with reverts(oracle.QuorumNotReached, given=4, needed=5):
        oracle.requireQuorum(digest, signatures[:4])
    with reverts(oracle.SignersNotSorted):
        oracle.requireQuorum(digest, [signatures[0], *signatures])
    with reverts(oracle.SignatureInvalid, index=3):
        oracle.requireQuorum(digest, [*signatures[:3], b"\x00" * 65])


# --- cancel ---


def test_guardian_cancels(protocol, bonds, operator, proposed):
    tx = bonds.cancel(proposed, sender=protocol.actors.guardian)
    assert tx.events == [bonds.SettlementCancelled(id=proposed)]
    assert bond_of(protocol, operator) == (HELD, 0, 0, 0)
    warp_to(now() + WINDOW)
    for call in (bonds.execute, bonds.cancel):
        with reverts(bonds.SettlementUnknown, id=proposed):
            call(proposed, sender=protocol.actors.guardian)
    with reverts(bonds.SettlementUnknown, id=proposed):
        bonds.getSettlement(proposed)


def test_guardian_cancels_late_too(protocol, bonds, operator, proposed):
    """As long as nobody has executed it."""
    warp_to(now() + 100 * DAY)
    bonds.cancel(proposed, sender=protocol.actors.guardian)
    assert held(protocol, operator) == HELD


@pytest.mark.parametrize("who", ["stranger", "staker", "admin", "governor", "depositor", "registrar"])
def test_F2_only_a_guardian_cancels(protocol, bonds, proposed, who):
    caller = getattr(protocol.actors, who)
    with reverts(bonds.AccessManagedUnauthorized, caller=caller):
        bonds.cancel(proposed, sender=caller)


@pytest.mark.parametrize("unknown", [0, 2, 2**256 - 1])
def test_settlements_that_are_not_there(protocol, bonds, proposed, unknown):
    with reverts(bonds.SettlementUnknown, id=unknown):
        bonds.cancel(unknown, sender=protocol.actors.guardian)
    with reverts(bonds.SettlementUnknown, id=unknown):
        bonds.execute(unknown, sender=protocol.actors.guardian)
    with reverts(bonds.SettlementUnknown, id=unknown):
        bonds.getSettlement(unknown)


# --- execute ---


def test_execute_pays_the_cover_fund(protocol, bonds, token, operator, proposed, stranger):
    due = bonds.getSettlement(proposed).executableFrom
    before = token.balanceOf(protocol.cover)
    next_at(due)
    tx = bonds.execute(proposed, sender=stranger)
    assert tx.events == [
        bonds.SettlementExecuted(id=proposed, to=protocol.cover, shares=TAKEN),
        moved(token, bonds, protocol.cover, TAKEN),
    ]
    assert bond_of(protocol, operator) == (HELD - TAKEN, 0, 0, 0)
    assert token.balanceOf(protocol.cover) == before + TAKEN
    assert token.balanceOf(bonds) == HELD - TAKEN
    with reverts(bonds.SettlementUnknown, id=proposed):
        bonds.execute(proposed, sender=stranger)


def test_F3_nothing_moves_before_the_window_is_over(protocol, bonds, operator, proposed, stranger):
    """Stolen keys of a quorum meet the guardian first."""
    due = bonds.getSettlement(proposed).executableFrom
    next_at(due - 1)
    with reverts(bonds.StillLocked, **{"from": due}):
        bonds.execute(proposed, sender=stranger)
    assert held(protocol, operator) == HELD


@pytest.mark.parametrize("counted", [0, 1, TAKEN - 1, TAKEN, HELD])
def test_F1_settlement_takes_what_counts_and_then_what_leaves(
    protocol, bonds, operator, proposed, staker, stranger, counted
):
    if counted < HELD:
        bonds.requestWithdrawal(operator, HELD - counted, sender=staker)
    since = bond_of(protocol, operator)[2]
    warp_to(now() + WINDOW)
    bonds.execute(proposed, sender=stranger)
    from_counted = min(TAKEN, counted)
    leaving = HELD - counted - (TAKEN - from_counted)
    assert bond_of(protocol, operator) == (counted - from_counted, leaving, since, 0)


@pytest.mark.parametrize("shares", [HELD - 1, HELD, HELD + 1, 2**96 - 1])
def test_F1_settlement_takes_no_more_than_there_is(protocol, bonds, token, operator, stranger, shares):
    propose(protocol, operator, shares)
    warp_to(now() + WINDOW)
    tx = bonds.execute(1, sender=stranger)
    taken = min(shares, HELD)
    assert tx.events[0] == bonds.SettlementExecuted(id=1, to=protocol.cover, shares=taken)
    assert held(protocol, operator) == HELD - taken
    assert token.balanceOf(protocol.cover) == taken


def test_settlement_of_more_than_all_slETH_is_refused(protocol, bonds, operator):
    with reverts(None):  # SafeCastOverflowedUintDowncast, which no interface of ours names
        propose(protocol, operator, 2**96)


def test_settlement_against_an_empty_bond_ends_with_nothing(protocol, bonds, token, staker, stranger, operator):
    empty = register(protocol, staker)
    propose(protocol, empty)
    warp_to(now() + WINDOW)
    tx = bonds.execute(1, sender=stranger)
    assert tx.events == [
        bonds.SettlementExecuted(id=1, to=protocol.cover, shares=0),
        moved(token, bonds, protocol.cover, 0),
    ]
    assert bond_of(protocol, empty) == (0, 0, 0, 0)


def test_settlements_are_executed_in_any_order(protocol, bonds, operator, stranger):
    for shares in (TAKEN, HELD):
        propose(protocol, operator, shares)
    assert bond_of(protocol, operator)[3] == 2
    warp_to(now() + WINDOW)
    bonds.execute(2, sender=stranger)
    assert bond_of(protocol, operator) == (0, 0, 0, 1)
    bonds.execute(1, sender=stranger)
    assert bond_of(protocol, operator) == (0, 0, 0, 0)


def test_settlement_goes_to_the_cover_fund_of_the_moment_and_waits_while_there_is_none(
    protocol, bonds, token, operator, proposed, stranger
):
    vault = protocol.vault
    protocol.as_governor(vault.setCover, ZERO)
    warp_to(now() + WINDOW)
    with reverts(bonds.CoverMissing):
        bonds.execute(proposed, sender=stranger)
    successor = protocol.actors.deployer.deploy(ape.project.CoverFund, protocol.access, token, vault)
    tx = protocol.as_governor(vault.setCover, successor)
    assert events_of(vault, tx) == [vault.CoverChanged(oldCover=ZERO, cover=successor)]
    bonds.execute(proposed, sender=stranger)
    assert token.balanceOf(successor) == TAKEN


def test_settlement_leaves_the_rate_where_it_is(protocol, bonds, operator, proposed, stranger):
    """Shares change hands, none is burnt."""
    vault = protocol.vault
    report_as_oracle(protocol)
    warp_to(now() + WINDOW)
    before = (vault.rate(), vault.supply(), vault.pooled())
    bonds.execute(proposed, sender=stranger)
    assert (vault.rate(), vault.supply(), vault.pooled()) == before
