"""ValidatorManager: from a key to a validator and back. Rows B, F5 and F6 of docs/security.md."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import ape
import pytest
from eth_utils import keccak

from sluice.beacon import proofs
from tests.bonding import FOREVER, bond, held, line, register, settlement_signatures
from tests.helpers import DAY, next_at, now, report_as_oracle, stake, warp_to
from tests.made import ETHER, Beacon, MadeDeposit, MadeValidator, next_deposit, proof_of, prove, pubkey_of, publish
from tests.reverts import reverts
from tests.unit.test_gateway_requests import EXITS, MOVES, exit_of

WEI = 10**18
SIGNATURE = bytes(range(96))
NONE, PREPARED, PROVEN, ASKED, EXITING, GONE, REFUSED, ABANDONED = range(8)
ABANDON = 60 * DAY
OVERDUE = 7 * DAY
FOREIGN = b"\x01" + bytes(11) + b"\xee" * 20


@dataclass
class Ours:
    """One operator, its bond, and the beacon chain around it."""

    protocol: Any
    beacon: Beacon
    operator: int

    @property
    def manager(self) -> Any:
        return self.protocol.manager

    @property
    def who(self) -> Any:
        return self.protocol.actors

    @property
    def credentials(self) -> bytes:
        return bytes(self.protocol.vault.CREDENTIALS())

    def prepare(self, name: str, **more: Any) -> bytes:
        key = pubkey_of(name)
        self.manager.prepare(self.operator, key, SIGNATURE, sender=self.who.other, **more)
        return key

    def appear(self, key: bytes, **fields: Any) -> None:
        self.beacon.validators.append(
            MadeValidator(key, **({"credentials": self.credentials, "balance": ETHER, "effective": ETHER} | fields))
        )

    def proven(self, name: str, topped: int = 0, **fields: Any) -> bytes:
        key = self.prepare(name)
        self.appear(key, **fields)
        prove(self.protocol, self.beacon, key)
        if topped:
            self.top_up((key, topped))
        return key

    def proof(self, key: bytes, slot: int = 1) -> tuple[Any, ...]:
        tree = self.beacon.tree(slot)
        return proof_of(tree, self.beacon.index(key), publish(self.protocol, tree, now()))

    def gone(self, key: bytes) -> None:
        """Withdrawable and empty, and proven to be."""
        self.beacon.change(key, exit=0, withdrawable=0, balance=0, effective=0)
        tree = self.beacon.tree(1)
        balance = proofs.balance_proof(tree, self.beacon.index(key))
        self.manager.proveGone(self.proof(key), balance.balances, balance.branch, sender=self.who.stranger)

    def top_up(self, *items: tuple[bytes, int]) -> Any:
        return self.manager.stake([(key, amount) for key, amount in items], sender=self.who.depositor)

    def entry(self, key: bytes) -> Any:
        return self.manager.validator(key)

    def stake_of(self, operator: int | None = None) -> tuple[int, int, int]:
        return tuple(self.manager.stakeOf(operator or self.operator))

    def copy(self) -> Ours:
        return Ours(self.protocol, Beacon([*self.beacon.validators], [*self.beacon.deposits]), self.operator)


@pytest.fixture(scope="module")
def founded(protocol):
    """2,500 ether staked; an operator with a stake cap of 2,048 ether and a bond for all of it."""
    who = protocol.actors
    stake(protocol, who.staker, 2_500 * WEI)
    operator = register(protocol, who.other)
    bond(protocol, operator, 206 * WEI, who.staker)
    EXITS.set(0, 0)
    MOVES.set(0, 0)
    return Ours(protocol, Beacon([MadeValidator(pubkey_of("foreign"), FOREIGN)]), operator)


@pytest.fixture
def ours(founded):
    return founded.copy()


@pytest.fixture(scope="module")
def manager(protocol):
    return protocol.manager


@pytest.fixture(scope="module")
def stranger(protocol):
    return protocol.actors.stranger


# --- prepare ---


def test_B4_preparation_sends_one_ether_with_the_vaults_credentials(protocol, ours, manager):
    before = protocol.deposit_contract.balance
    buffer = protocol.vault.buffer()
    at = next_at(now() + 5)
    key = pubkey_of("a")
    tx = manager.prepare(ours.operator, key, SIGNATURE, sender=ours.who.other)
    assert tx.events.filter(manager.Prepared) == [manager.Prepared(ours.operator, keccak(key))]
    assert tx.events.filter(protocol.vault.BeaconDeposited) == [protocol.vault.BeaconDeposited(key, ETHER)]
    deposited = tx.events.filter(protocol.deposit_contract.DepositEvent)[0]
    assert deposited.pubkey == key
    assert deposited.withdrawal_credentials == ours.credentials
    assert deposited.signature == SIGNATURE
    assert int.from_bytes(deposited.amount, "little") == ETHER
    assert protocol.deposit_contract.balance == before + WEI
    assert protocol.vault.buffer() == buffer - WEI
    assert tuple(ours.entry(key)) == (ours.operator, PREPARED, False, at, 0, 0, ETHER, 0, 0, 0, 0)
    assert ours.entry(key) == manager.record(keccak(key))
    assert ours.stake_of() == (0, 1, 0)
    assert manager.count() == 0


def test_prepare_is_the_operators_managers_alone(protocol, ours, manager, stranger):
    for account in (stranger, ours.who.governor, ours.who.depositor):
        with reverts(manager.CallerNotAllowed, caller=account, allowed=ours.who.other):
            manager.prepare(ours.operator, pubkey_of("a"), SIGNATURE, sender=account)
    with reverts(protocol.registry.OperatorUnknown, id=ours.operator + 1):
        manager.prepare(ours.operator + 1, pubkey_of("a"), SIGNATURE, sender=stranger)


@pytest.mark.parametrize("length", [0, 47, 49])
def test_key_of_another_length_is_refused_everywhere(ours, manager, stranger, length):
    key = bytes(length)
    with reverts(manager.PubkeyLengthInvalid, length=length):
        manager.prepare(ours.operator, key, SIGNATURE, sender=ours.who.other)
    with reverts(manager.PubkeyLengthInvalid, length=length):
        manager.abandon(key, sender=stranger)
    with reverts(manager.PubkeyLengthInvalid, length=length):
        ours.top_up((key, ETHER))
    with reverts(manager.PubkeyLengthInvalid, length=length):
        manager.validator(key)


def test_signature_of_another_length_is_refused(protocol, ours, manager):
    with reverts(protocol.vault.SignatureLengthInvalid, length=95):
        manager.prepare(ours.operator, pubkey_of("a"), SIGNATURE[:95], sender=ours.who.other)
    assert ours.stake_of() == (0, 0, 0)


def test_B6_key_is_used_once_and_never_again(protocol, ours, manager, stranger):
    """Whoever asks, and whatever became of it: prepared, proven, abandoned, refused, gone."""
    second = register(protocol, ours.who.treasury)
    bond(protocol, second, 10 * WEI, ours.who.staker)
    proven = ours.proven("proven")
    gone = ours.proven("gone")
    ours.beacon.change(gone, exit=1, withdrawable=2, balance=0)
    tree = ours.beacon.tree(2 * 8)
    balance = proofs.balance_proof(tree, ours.beacon.index(gone))
    proof = proof_of(tree, ours.beacon.index(gone), publish(protocol, tree, now()))
    manager.proveGone(proof, balance.balances, balance.branch, sender=stranger)
    refused = ours.prepare("refused")
    ours.appear(refused, credentials=FOREIGN)
    manager.refuse(ours.proof(refused), sender=stranger)
    prepared, abandoned = ours.prepare("prepared"), ours.prepare("abandoned")
    warp_to(now() + ABANDON)
    manager.abandon(abandoned, sender=stranger)
    phases = [ours.entry(key).phase for key in (prepared, proven, abandoned, refused, gone)]
    assert phases == [PREPARED, PROVEN, ABANDONED, REFUSED, GONE]
    for key in (prepared, proven, abandoned, refused, gone):
        for operator, account in ((ours.operator, ours.who.other), (second, ours.who.treasury)):
            with reverts(manager.PubkeyUsed, pubkey=key):
                manager.prepare(operator, key, SIGNATURE, sender=account)


def test_operator_that_is_not_active_gets_nothing_more(protocol, ours, manager):
    key = ours.proven("a")
    protocol.as_registrar(protocol.registry.setActive, ours.operator, False)
    with reverts(manager.OperatorInactive, operator=ours.operator):
        ours.prepare("b")
    with reverts(manager.OperatorInactive, operator=ours.operator):
        ours.top_up((key, ETHER))
    assert ours.stake_of() == (ETHER, 0, 1)


def test_every_preparation_is_backed_by_an_ether_of_bond(protocol, manager, ours):
    """Of 2 slETH at a rate of 1: two preparations, not three."""
    who = protocol.actors
    second = register(protocol, who.treasury)
    bond(protocol, second, 2 * WEI, who.staker)
    for name in "xy":
        manager.prepare(second, pubkey_of(name), SIGNATURE, sender=who.treasury)
    with reverts(protocol.bonds.BondTooLow, operator=second, shares=2 * WEI, required=3 * WEI):
        manager.prepare(second, pubkey_of("z"), SIGNATURE, sender=who.treasury)


def test_buffer_that_requests_need_prepares_nothing(protocol, ours, manager):
    staker = ours.who.staker
    protocol.queue.request(2_000 * WEI, staker, sender=staker)
    sink = protocol.vault.depositable() // 10**9 - 2 * ETHER
    protocol.vault.depositToBeacon([(pubkey_of("sink"), SIGNATURE, sink)], sender=ours.who.depositor)
    ours.prepare("one")
    ours.prepare("two")
    with reverts(protocol.vault.BufferTooLow, needed=WEI):
        ours.prepare("three")
    assert ours.stake_of() == (0, 2, 0)


# --- prove, refuse, abandon ---


def test_proven_validator_counts_as_its_operators_stake(ours, manager, stranger):
    keys = [ours.prepare(name) for name in "ab"]
    for key in keys:
        ours.appear(key)
    proof = ours.proof(keys[1])
    at = next_at(now() + 5)
    tx = manager.prove(proof, sender=stranger)
    assert tx.events == [manager.Proven(ours.operator, keys[1], 2, 0)]
    entry = ours.entry(keys[1])
    assert (entry.phase, entry.index, entry.endedAt, entry.provenAt, entry.staked) == (PROVEN, 2, at, at, ETHER)
    assert ours.stake_of() == (ETHER, 1, 1)
    assert (manager.count(), manager.keyHashAt(0)) == (1, keccak(keys[1]))
    manager.prove(ours.proof(keys[0]), sender=stranger)
    assert (manager.count(), manager.keyHashAt(1)) == (2, keccak(keys[0]))
    for key in keys:
        with reverts(manager.PhaseUnexpected, pubkey=key, phase=PROVEN):
            manager.prove(ours.proof(key), sender=stranger)
    with reverts(manager.PhaseUnexpected, pubkey=pubkey_of("foreign"), phase=NONE):
        manager.prove(ours.proof(pubkey_of("foreign")), sender=stranger)


@pytest.mark.parametrize("kind", ["foreign", "type 1", "type 0", "one bit"])
def test_B1_front_run_credentials_cost_the_operator_and_nobody_else(protocol, ours, manager, stranger, kind):
    """It deposits first with credentials of its own: no ether of stakers follows, and its bond answers for the one."""
    key = ours.prepare("a")
    ether = ours.credentials[12:]
    wrong = {
        "foreign": FOREIGN,
        "type 1": b"\x01" + bytes(11) + ether,
        "type 0": bytes(12) + ether,
        "one bit": ours.credentials[:-1] + bytes([ours.credentials[-1] ^ 1]),
    }[kind]
    ours.appear(key, credentials=wrong)
    proof = ours.proof(key)
    with reverts(manager.CredentialsMismatch, proven=wrong, expected=ours.credentials):
        manager.prove(proof, sender=stranger)
    with reverts(manager.PhaseUnexpected, pubkey=key, phase=PREPARED):
        ours.top_up((key, ETHER))
    rate, held = protocol.vault.rate(), protocol.bonds.bondOf(ours.operator).shares
    owed = -(-(WEI**2) // rate)
    at = next_at(now() + 5)
    tx = manager.refuse(proof, sender=stranger)
    assert tx.events == [
        manager.Refused(ours.operator, key, wrong),
        protocol.bonds.PreparationCharged(ours.operator, owed),
    ]
    assert held - protocol.bonds.bondOf(ours.operator).shares == owed
    assert tuple(protocol.bonds.caseOf(ours.operator)) == (0, 0)
    entry = ours.entry(key)
    assert (entry.phase, entry.endedAt, entry.provenAt) == (REFUSED, at, 0)
    assert ours.stake_of() == (0, 0, 0)
    for call in (manager.prove, manager.refuse):
        with reverts(manager.PhaseUnexpected, pubkey=key, phase=REFUSED):
            call(proof, sender=stranger)
    # the report that no longer counts it is paid by that: nobody's rate moves
    tx = report_as_oracle(protocol, gain=-WEI)
    (covered,) = [event for event in tx.events if event.event_name == "LossCovered"]
    assert (covered.module, covered.shares) == (protocol.bonds.address, owed)
    assert protocol.vault.rate() == rate
    assert held - protocol.bonds.bondOf(ours.operator).shares == owed


def test_B1_an_ether_of_bond_is_good_for_one_preparation(protocol, ours, manager, stranger):
    """Keys that exist with other credentials can be prepared and refused in one breath: each costs an ether of bond."""
    thief = ours.who.treasury
    operator = register(protocol, thief)
    bond(protocol, operator, WEI + 10**9, ours.who.staker)
    keys = [pubkey_of(f"thief {n}") for n in range(2)]
    for key in keys:
        ours.appear(key, credentials=FOREIGN, balance=32 * ETHER, effective=32 * ETHER)
    manager.prepare(operator, keys[0], SIGNATURE, sender=thief)
    with reverts(protocol.bonds.BondTooLow, operator=operator):
        manager.prepare(operator, keys[1], SIGNATURE, sender=thief)
    manager.refuse(ours.proof(keys[0]), sender=thief)
    with reverts(protocol.bonds.BondTooLow, operator=operator):
        manager.prepare(operator, keys[1], SIGNATURE, sender=thief)
    rate = protocol.vault.rate()
    report_as_oracle(protocol, gain=-WEI)
    assert protocol.vault.rate() == rate


def test_F1_failed_preparations_are_paid_by_their_operator_and_stand_in_front_of_nobody(protocol, ours, manager):
    """An older case of somebody else pays nothing for them, and they hide nobody who was slashed."""
    victim, thief = ours.operator, ours.who.treasury
    key = ours.proven("victim", 999 * ETHER)
    ours.beacon.change(key, slashed=True, exit=5)
    manager.proveSlashed(ours.proof(key), sender=ours.who.stranger)
    operator = register(protocol, thief)
    bond(protocol, operator, 20 * WEI, ours.who.staker)
    for n in range(15):
        foreign = pubkey_of(f"thief {n}")
        ours.appear(foreign, credentials=FOREIGN)
        manager.prepare(operator, foreign, SIGNATURE, sender=thief)
        manager.refuse(ours.proof(foreign), sender=thief)
    before, rate = held(protocol, victim), protocol.vault.rate()
    report_as_oracle(protocol, gain=-15 * WEI, faults=15 * ETHER)
    assert (held(protocol, victim), protocol.vault.rate()) == (before, rate)
    assert line(protocol) == [victim]
    # what the slashing costs the victim pays, to the wei
    report_as_oracle(protocol, gain=-7 * WEI, faults=7 * ETHER)
    assert (before - held(protocol, victim), protocol.vault.rate()) == (-(-7 * WEI**2 // rate), rate)


def test_F1_no_new_key_and_no_stake_while_a_case_is_open(protocol, ours, manager):
    """Preparations that fail on purpose would carry the bond to where the case does not reach it."""
    key, other = ours.proven("a", 99 * ETHER), ours.proven("b")
    assert list(manager.allocation(ETHER, ETHER)) == [ETHER]
    ours.beacon.change(key, slashed=True, exit=5)
    manager.proveSlashed(ours.proof(key), sender=ours.who.stranger)
    with reverts(protocol.bonds.CaseIsOpen, operator=ours.operator):
        ours.prepare("c")
    with reverts(protocol.bonds.CaseIsOpen, operator=ours.operator):
        ours.top_up((other, ETHER))
    assert list(manager.allocation(ETHER, ETHER)) == [0]


def test_F3_no_new_key_and_no_stake_while_a_settlement_is_open(protocol, ours, manager, stranger):
    """Else what a quorum has proposed to take is gone by failing preparations before the window is over."""
    key, bonds = ours.proven("a"), protocol.bonds
    reason, amount = b"\x5e" * 32, 30 * WEI
    signatures = settlement_signatures(protocol, ours.operator, amount, reason)
    bonds.propose(ours.operator, amount, reason, FOREVER, signatures, sender=stranger)
    with reverts(bonds.SettlementIsOpen, operator=ours.operator):
        ours.prepare("b")
    with reverts(bonds.SettlementIsOpen, operator=ours.operator):
        ours.top_up((key, ETHER))
    assert list(manager.allocation(ETHER, ETHER)) == [0]
    bonds.cancel(bonds.settlementCount(), sender=protocol.actors.guardian)
    ours.prepare("b")
    assert list(manager.allocation(ETHER, ETHER)) == [ETHER]


def test_refuse_needs_other_credentials(ours, manager, stranger):
    key = ours.prepare("a")
    ours.appear(key)
    with reverts(manager.CredentialsMatch):
        manager.refuse(ours.proof(key), sender=stranger)


def test_proofs_are_checked(protocol, ours, manager, stranger):
    """Another root, another index, another record: each is refused by the contract that verifies."""
    key = ours.prepare("a")
    ours.appear(key)
    timestamp, header, index, record, branch = ours.proof(key)
    verifier = protocol.proofs
    with reverts(verifier.RootMissing, timestamp=timestamp + 1):
        manager.prove((timestamp + 1, header, index, record, branch), sender=stranger)
    with reverts(verifier.HeaderMismatch):
        manager.prove((timestamp, (header[0] + 1, *header[1:]), index, record, branch), sender=stranger)
    with reverts(verifier.StateRootMismatch):
        manager.prove((timestamp, header, 0, record, branch), sender=stranger)
    lied = (*record[:2], record[2] + 1, *record[3:])
    with reverts(verifier.StateRootMismatch):
        manager.prove((timestamp, header, index, lied, branch), sender=stranger)
    assert ours.entry(key).phase == PREPARED


def test_B5_preparation_that_nobody_proves_is_abandoned(protocol, ours, manager, stranger):
    at = next_at(now() + 5)
    key = ours.prepare("a")
    owed = -(-(WEI**2) // protocol.vault.rate())
    warp_to(at + ABANDON - 2)
    with reverts(manager.NotAbandonedYet):
        next_at(at + ABANDON - 1)
        manager.abandon(key, sender=stranger)
    next_at(at + ABANDON)
    tx = manager.abandon(key, sender=stranger)
    assert tx.events == [
        manager.Abandoned(ours.operator, key),
        protocol.bonds.PreparationCharged(ours.operator, owed),
    ]
    with reverts(manager.PhaseUnexpected, pubkey=key, phase=ABANDONED):
        manager.abandon(key, sender=stranger)
    assert ours.stake_of() == (0, 0, 0)


def test_abandoned_one_that_turns_up_is_ours_after_all(ours, manager, stranger):
    """When its preparation ended does not change: reports of that time stay true."""
    key = ours.prepare("a")
    warp_to(now() + ABANDON)
    ended = next_at(now() + 5)
    manager.abandon(key, sender=stranger)
    ours.appear(key)
    proof = ours.proof(key)
    proven = next_at(now() + 1000)
    manager.prove(proof, sender=stranger)
    entry = ours.entry(key)
    assert (entry.phase, entry.endedAt, entry.provenAt) == (PROVEN, ended, proven)
    assert (ours.stake_of(), manager.count()) == ((ETHER, 0, 1), 1)


def test_validator_that_left_before_it_was_proven_is_proven_as_one_that_leaves(ours, manager):
    key = ours.proven("a", exit=5)
    assert ours.entry(key).phase == EXITING
    assert ours.stake_of() == (ETHER, 0, 1)


# --- stake ---


def test_top_ups_go_to_the_deposit_contract_in_one_transaction(protocol, ours, manager):
    keys = [ours.proven(name) for name in "abc"]
    before = protocol.vault.consensus()[1]
    tx = ours.top_up((keys[0], 31 * ETHER), (keys[1], ETHER), (keys[2], 5 * ETHER + 1))
    events = tx.events.filter(protocol.deposit_contract.DepositEvent)
    assert [event.pubkey for event in events] == keys
    assert {event.withdrawal_credentials for event in events} == {ours.credentials}
    amounts = [int.from_bytes(event.amount, "little") for event in events]
    assert amounts == [31 * ETHER, ETHER, 5 * ETHER + 1]
    assert protocol.vault.consensus()[1] - before == sum(amounts)
    assert [ours.entry(key).staked for key in keys] == [amount + ETHER for amount in amounts]
    assert ours.stake_of() == (sum(amounts) + 3 * ETHER, 0, 3)


def test_stake_is_the_keepers_alone(ours, manager, stranger):
    key = ours.proven("a")
    for account in (stranger, ours.who.other, ours.who.governor):
        with reverts(manager.KeeperUnknown, caller=account):
            manager.stake([(key, ETHER)], sender=account)


def test_B8_no_validator_gets_more_than_2048_ether(protocol, ours, manager):
    key = ours.proven("a")
    with reverts(manager.StakeAboveMaximum, pubkey=key, staked=2_048 * ETHER + 1, maximum=2_048 * ETHER):
        ours.top_up((key, 2_047 * ETHER + 1))
    with reverts(manager.StakeAboveMaximum):
        ours.top_up((key, 2_000 * ETHER), (key, 47 * ETHER + 1))
    with reverts(manager.AmountBelowMinimum, amount=ETHER - 1, minimum=ETHER):
        ours.top_up((key, ETHER - 1))
    ours.top_up((key, 2_000 * ETHER), (key, 47 * ETHER))
    assert ours.entry(key).staked == 2_048 * ETHER
    assert ours.stake_of() == (2_048 * ETHER, 0, 1)


def test_F6_stake_cap_and_bond_bind_every_operator(protocol, ours, manager):
    """The cap counts preparations; a bond of a tenth of the stake must be there."""
    who = protocol.actors
    first, second = ours.proven("a"), ours.proven("b")
    with reverts(manager.StakeAboveCap, operator=ours.operator, staked=2_048 * ETHER + 1, cap=2_048 * ETHER):
        ours.top_up((first, 2_000 * ETHER), (second, 46 * ETHER + 1))
    ours.prepare("c")
    with reverts(manager.StakeAboveCap, operator=ours.operator, staked=2_049 * ETHER, cap=2_048 * ETHER):
        ours.top_up((first, 2_000 * ETHER), (second, 46 * ETHER))
    with reverts(manager.EmptyBatch):
        ours.top_up()
    other = register(protocol, who.treasury)
    bond(protocol, other, 4 * WEI, who.staker)
    manager.prepare(other, pubkey_of("z"), SIGNATURE, sender=who.treasury)
    ours.appear(pubkey_of("z"))
    prove(protocol, ours.beacon, pubkey_of("z"))
    with reverts(protocol.bonds.BondTooLow, operator=other, shares=4 * WEI):
        ours.top_up((pubkey_of("z"), 39 * ETHER + 1))
    # one that can take no more does not keep the others from theirs: it is the keeper's list
    ours.top_up((first, 10 * ETHER), (pubkey_of("z"), 39 * ETHER), (second, 10 * ETHER))
    assert ours.stake_of(other) == (40 * ETHER, 0, 1)


def test_F6_allocation_fills_the_least_filled_first_and_skips_who_cannot(protocol, ours, manager):
    """By hand: the first has 20 ether, the second 1 and a bond for 50; 3 has no validator, 4 is inactive."""
    who = protocol.actors
    key = ours.proven("a")
    ours.top_up((key, 19 * ETHER))
    operators = [ours.operator]
    for number, (account, bonded) in enumerate(((who.treasury, 5), (who.deployer, 5), (who.staker, 5))):
        operator = register(protocol, account)
        operators.append(operator)
        bond(protocol, operator, bonded * WEI, who.staker)
        if number != 1:
            name = f"z{number}"
            manager.prepare(operator, pubkey_of(name), SIGNATURE, sender=account)
            ours.appear(pubkey_of(name))
            prove(protocol, ours.beacon, pubkey_of(name))
    protocol.as_registrar(protocol.registry.setActive, operators[3], False)
    amounts = list(manager.allocation(50 * ETHER, ETHER))
    assert amounts == [16 * ETHER, 34 * ETHER, 0, 0]  # both at 35 or 36
    amounts = list(manager.allocation(100 * ETHER, ETHER))
    assert amounts == [51 * ETHER, 49 * ETHER, 0, 0]  # the second has no bond for more than 50
    assert list(manager.allocation(ETHER - 1, ETHER)) == [0, 0, 0, 0]
    with reverts(manager.AmountBelowMinimum, amount=ETHER - 1, minimum=ETHER):
        manager.allocation(ETHER, ETHER - 1)


# --- Exits by keeper and operator ---


def test_keeper_and_operator_ask_for_exits(protocol, ours, manager, stranger):
    keys = [ours.proven(name, 40 * ETHER) for name in "ab"]
    before = ours.who.depositor.balance
    tx = manager.requestExits(keys, [0, 3 * ETHER], sender=ours.who.depositor, value=WEI)
    assert EXITS.waiting == [exit_of(protocol.gateway, keys[0], 0), exit_of(protocol.gateway, keys[1], 3 * ETHER)]
    assert ours.who.depositor.balance == before - 2 - tx.total_fees_paid, "what is beyond the fees comes back"
    manager.requestOwnExits(ours.operator, keys[:1], [ETHER], sender=ours.who.other, value=1)
    with reverts(protocol.gateway.LengthMismatch):
        manager.requestOwnExits(ours.operator, keys, [0], sender=ours.who.other, value=2)
    assert len(EXITS.waiting) == 3
    assert manager.asked() == 0, "only what is forced is waited for"
    with reverts(manager.CallerNotAllowed, caller=stranger, allowed=ours.who.other):
        manager.requestOwnExits(ours.operator, keys[:1], [0], sender=stranger, value=1)
    with reverts(manager.KeeperUnknown, caller=ours.who.other):
        manager.requestExits(keys[:1], [0], sender=ours.who.other, value=1)
    for call, account in (
        (lambda k, s: manager.requestExits(k, [0] * len(k), sender=s, value=5), ours.who.depositor),
        (lambda k, s: manager.requestOwnExits(ours.operator, k, [0] * len(k), sender=s, value=5), ours.who.other),
    ):
        with reverts(manager.EmptyBatch):
            call([], account)
    with reverts(manager.PhaseUnexpected, pubkey=pubkey_of("q"), phase=NONE):
        manager.requestOwnExits(ours.operator, [pubkey_of("q")], [0], sender=ours.who.other, value=1)
    # the keeper may ask for what was never proven: it has our credentials or nothing happens
    manager.requestExits([pubkey_of("q")], [0], sender=ours.who.depositor, value=1)
    other = register(protocol, ours.who.treasury)
    with reverts(manager.OperatorMismatch, pubkey=keys[0], operator=ours.operator, expected=other):
        manager.requestOwnExits(other, keys[:1], [0], sender=ours.who.treasury, value=1)


def test_consolidation_moves_the_stake(protocol, ours, manager):
    who = protocol.actors
    a, b = ours.proven("a", 39 * ETHER), ours.proven("b", 9 * ETHER)
    other = register(protocol, who.treasury)
    bond(protocol, other, 10 * WEI, who.staker)
    manager.prepare(other, pubkey_of("z"), SIGNATURE, sender=who.treasury)
    ours.appear(pubkey_of("z"))
    prove(protocol, ours.beacon, pubkey_of("z"))
    keeper = who.depositor
    with reverts(manager.SameValidator, pubkey=a):
        manager.consolidate(a, a, sender=keeper, value=1)
    for source, target in ((pubkey_of("q"), a), (a, pubkey_of("q"))):
        with reverts(manager.PhaseUnexpected, pubkey=pubkey_of("q"), phase=NONE):
            manager.consolidate(source, target, sender=keeper, value=1)
    with reverts(manager.KeeperUnknown, caller=who.other):
        manager.consolidate(a, b, sender=who.other, value=1)
    with reverts(manager.OperatorMismatch, pubkey=pubkey_of("z"), operator=other, expected=ours.operator):
        manager.consolidate(a, pubkey_of("z"), sender=keeper, value=1)
    tx = manager.consolidate(a, b, sender=keeper, value=1)
    assert tx.events.filter(manager.ConsolidationRequested) == [manager.ConsolidationRequested(a, b)]
    assert MOVES.waiting == [bytes.fromhex(protocol.gateway.address[2:]) + a + b]
    assert manager.mergesInto(keccak(a)) == keccak(b)
    # the consensus layer may ignore it: until the source is gone everything counts where it was
    assert (ours.entry(a).staked, ours.entry(b).staked) == (40 * ETHER, 10 * ETHER)
    assert ours.stake_of() == (50 * ETHER, 0, 2)
    ours.gone(a)
    assert (ours.entry(a).staked, ours.entry(b).staked) == (0, 50 * ETHER)
    assert ours.stake_of() == (50 * ETHER, 0, 1)
    ours.gone(b)
    assert ours.stake_of() == (0, 0, 0)


def test_source_keeps_its_target(ours, manager):
    """Which of two the consensus layer did would not be known: with the other one stake at work would be forgotten."""
    a, b, c = (ours.proven(name, 39 * ETHER) for name in "abc")
    for _ in range(2):  # what was ignored can be asked for again
        manager.consolidate(a, b, sender=ours.who.depositor, value=WEI)
    with reverts(manager.MergesElsewhere, source=a):
        manager.consolidate(a, c, sender=ours.who.depositor, value=WEI)
    assert manager.mergesInto(keccak(a)) == keccak(b)


def test_merge_into_one_that_was_asked_to_leave_keeps_the_stake_and_what_was_asked(protocol, ours, manager, stranger):
    """Its exit is ignored while parts of it are pending: it works on, with all that came to it."""
    source, target = ours.proven("a", 899 * ETHER), ours.proven("b", 99 * ETHER)
    rest = protocol.vault.buffer() // 10**9
    protocol.vault.depositToBeacon([(pubkey_of("sink"), SIGNATURE, rest)], sender=ours.who.depositor)
    manager.consolidate(source, target, sender=ours.who.depositor, value=1)
    overdue(ours, 800 * WEI)
    assert forced(manager, manager.forceExits(1, [source], sender=stranger, value=9)) == [(source, 800 * ETHER + 1)]
    ours.beacon.change(source, exit=5)
    manager.proveExiting(ours.proof(source), sender=stranger)
    overdue(ours, 100 * WEI)
    assert forced(manager, manager.forceExits(2, [target], sender=stranger, value=9)) == [(target, 0)]
    ours.gone(source)
    at, entry = now(), ours.entry(target)
    assert (entry.phase, entry.staked, entry.asked) == (ASKED, 1_000 * ETHER, 800 * ETHER + 1)
    assert entry.filledAt == at
    assert ours.stake_of() == (1_000 * ETHER, 0, 1)


def test_stake_of_a_source_whose_target_leaves_is_gone_with_it(ours, manager):
    """The ether lies with the target, and comes back with its exit."""
    a, b = ours.proven("a", 39 * ETHER), ours.proven("b", 9 * ETHER)
    manager.consolidate(a, b, sender=ours.who.depositor, value=1)
    ours.beacon.change(b, exit=5)
    manager.proveExiting(ours.proof(b), sender=ours.who.stranger)
    ours.gone(a)
    assert ours.entry(b).staked == 10 * ETHER
    assert ours.stake_of() == (10 * ETHER, 0, 1)


# --- proveReturned ---


def later(ours: Ours) -> None:
    """Two epochs: deposits are done, where none is pending."""
    warp_to(now() + 2 * ours.manager.SLOTS_PER_EPOCH() * ours.manager.SECONDS_PER_SLOT())


def returned(ours: Ours, key: bytes, at: int | None = None) -> Any:
    """With a state of the slot that begins at ``at``, by default of the newest block."""
    manager = ours.manager
    slot = ((at or now()) - manager.GENESIS_TIME()) // manager.SECONDS_PER_SLOT()
    tree = ours.beacon.tree(slot)
    index = ours.beacon.index(key)
    balance = proofs.balance_proof(tree, index)
    proof = proof_of(tree, index, publish(ours.protocol, tree, now()))
    return manager.proveReturned(proof, balance.balances, balance.branch, *next_deposit(tree), sender=ours.who.stranger)


def test_what_is_proven_to_have_returned_counts_no_more(protocol, ours, manager):
    """Of 100 ether 60 came back: cap, bond and top-ups count the other 40."""
    key = ours.proven("a", 99 * ETHER, balance=40 * ETHER)
    required = protocol.bonds.required(ours.operator)
    later(ours)
    tx = returned(ours, key)
    assert tx.events == [manager.Returned(ours.operator, key, 60 * ETHER)]
    assert (ours.entry(key).staked, ours.stake_of()) == (40 * ETHER, (40 * ETHER, 0, 1))
    assert protocol.bonds.required(ours.operator) == required * 40 // 100
    with reverts(manager.NothingReturned, pubkey=key):
        returned(ours, key)
    ours.top_up((key, 2_008 * ETHER))
    assert ours.stake_of() == (2_048 * ETHER, 0, 1)


@pytest.mark.parametrize(("balance", "counted"), [(31, 32), (32, 32), (33, 33), (99, 99)])
def test_at_least_what_keeps_a_validator_at_work_counts(ours, manager, balance, counted):
    key = ours.proven("a", 99 * ETHER, balance=balance * ETHER)
    later(ours)
    returned(ours, key)
    assert ours.entry(key).staked == counted * ETHER
    small = ours.proven("b", 20 * ETHER, balance=ETHER)
    later(ours)
    with reverts(manager.NothingReturned, pubkey=small):
        returned(ours, small)


def test_earnings_and_nothing_missing_return_nothing(ours, manager):
    for name, balance in (("a", 100 * ETHER), ("b", 100 * ETHER + 1)):
        key = ours.proven(name, 99 * ETHER, balance=balance)
        later(ours)
        with reverts(manager.NothingReturned, pubkey=key):
            returned(ours, key)


def test_ether_that_may_be_pending_has_not_returned(ours, manager):
    """A state of an epoch behind the top-up, or one in which a deposit of then or before is the next."""
    key = ours.proven("a", 99 * ETHER, balance=40 * ETHER)
    genesis, slot_time = manager.GENESIS_TIME(), manager.SECONDS_PER_SLOT()
    epoch = manager.SLOTS_PER_EPOCH()
    slot = (now() - genesis) // slot_time + 2
    at = genesis + slot * slot_time  # as blocks come: with a slot
    next_at(at)
    ours.top_up((key, ETHER))
    assert ours.entry(key).filledAt == at
    warp_to(at + 3 * epoch * slot_time)
    last = at + epoch * slot_time
    with reverts(manager.DepositsPending, filledAt=at, **{"from": last}):
        returned(ours, key, last - slot_time)
    ours.beacon.deposits = [MadeDeposit(pubkey_of("x"), ETHER, slot=slot + epoch), MadeDeposit(key, ETHER, slot=10**6)]
    with reverts(manager.DepositsPending, filledAt=at, **{"from": last}):
        returned(ours, key)
    ours.beacon.deposits = [MadeDeposit(pubkey_of("x"), ETHER, slot=slot + epoch + 1)]
    tx = returned(ours, key)
    assert tx.events == [manager.Returned(ours.operator, key, 61 * ETHER)]


def test_deposit_that_a_later_fork_takes_up_with_the_next_block_is_pending(ours, manager):
    """As Gloas does (EIP-7732): requests of a payload are processed in the slot of the block behind it."""
    key = ours.proven("a", 99 * ETHER, balance=40 * ETHER)
    genesis, slot_time = manager.GENESIS_TIME(), manager.SECONDS_PER_SLOT()
    slot = (now() - genesis) // slot_time + 2
    next_at(genesis + slot * slot_time)
    ours.top_up((key, 2_016 * ETHER - 68 * ETHER))
    with reverts(manager.DepositsPending):
        returned(ours, key)
    ours.beacon.deposits = [MadeDeposit(key, 2_016 * ETHER, slot=slot + 1)]
    warp_to(now() + 10 * slot_time)
    with reverts(manager.DepositsPending):
        returned(ours, key)


def test_next_deposit_must_be_the_next(protocol, ours, manager):
    """The second of the list, another count, or none where there are some."""
    key = ours.proven("a", 99 * ETHER, balance=40 * ETHER)
    later(ours)
    ours.beacon.deposits = [MadeDeposit(pubkey_of("x"), ETHER), MadeDeposit(pubkey_of("y"), ETHER, slot=10**6)]
    tree = ours.beacon.tree((now() - manager.GENESIS_TIME()) // manager.SECONDS_PER_SLOT())
    index = ours.beacon.index(key)
    balance = proofs.balance_proof(tree, index)
    proof = proof_of(tree, index, publish(protocol, tree, now()))
    second = proofs.pending_deposit_proof(tree, 1)
    none = ((b"", bytes(32), 0, bytes(32), 10**6), proofs.pending_deposit_count_proof(tree).branch)
    for deposit, branch in ((second.deposit.as_tuple(), second.branch), none):
        with reverts(protocol.proofs.StateRootMismatch):
            manager.proveReturned(proof, balance.balances, balance.branch, deposit, branch, sender=ours.who.stranger)
    assert ours.stake_of() == (100 * ETHER, 0, 1)


def test_what_leaves_is_shown_by_other_proofs(ours, manager):
    key = ours.proven("a", 99 * ETHER, balance=40 * ETHER)
    ours.beacon.change(key, exit=9)
    later(ours)
    with reverts(manager.PhaseUnexpected, pubkey=key, phase=EXITING):
        returned(ours, key)
    ours.gone(key)
    with reverts(manager.PhaseUnexpected, pubkey=key, phase=GONE):
        returned(ours, key)
    unknown = pubkey_of("u")
    ours.appear(unknown)
    with reverts(manager.PhaseUnexpected, pubkey=unknown, phase=NONE):
        returned(ours, unknown)


def test_state_from_before_a_merge_does_not_take_it_back(ours, manager):
    """What came by the merge is not in the balance then."""
    source = ours.proven("a", 899 * ETHER, balance=900 * ETHER)
    target = ours.proven("b", 99 * ETHER, balance=100 * ETHER)
    later(ours)
    before = now()
    manager.consolidate(source, target, sender=ours.who.depositor, value=1)
    later(ours)
    ours.gone(source)
    with reverts(manager.DepositsPending):
        returned(ours, target, before)
    assert ours.stake_of() == (1_000 * ETHER, 0, 1)


def test_C_drained_validators_hold_up_no_forced_exit(protocol, ours, manager, stranger):
    """Two from which the keeper has taken all but 32 ether, and a third that has all: a request of 500 is paid by the
    third. Before, the first was asked for what it had not, and nobody else for 14 days.
    """
    a, b, c = (ours.proven(name, topped * ETHER) for name, topped in (("a", 599), ("b", 599), ("c", 799)))
    for key in (a, b):
        ours.beacon.change(key, balance=32 * ETHER)
    ours.beacon.change(c, balance=800 * ETHER)
    rest = protocol.vault.buffer() // 10**9
    protocol.vault.depositToBeacon([(pubkey_of("sink"), SIGNATURE, rest)], sender=ours.who.depositor)
    overdue(ours, 500 * WEI)
    for key in (a, b):
        returned(ours, key)
    got = forced(manager, manager.forceExits(1, [a, b, c], sender=stranger, value=9))
    assert got == [(a, 0), (b, 0), (c, 436 * ETHER + 1)]


def test_parts_asked_by_force_are_not_asked_again_when_they_have_returned(ours, manager, stranger, three):
    """Of 1,000 ether 951 are asked for. 900 of them come: what is left, 49, is what was left before."""
    a, b, _ = three
    overdue(ours, 1_060 * WEI)
    manager.forceExits(1, [a, b], sender=stranger, value=9)
    part = ours.entry(b).asked
    assert part == 951 * ETHER + 1
    ours.beacon.change(b, balance=100 * ETHER)
    later(ours)
    returned(ours, b)
    assert (ours.entry(b).staked, ours.entry(b).asked) == (100 * ETHER, part - 900 * ETHER)


# --- forceExits ---


def overdue(ours: Ours, shares: int) -> int:
    """A request of so much that has waited too long; returns its id."""
    queue = ours.protocol.queue
    queue.request(shares, ours.who.staker, sender=ours.who.staker)
    warp_to(now() + OVERDUE)
    return int(queue.lastRequestId())


@pytest.fixture
def three(ours):
    """Validators of 100, 1,000 and 32 ether in the order of proving; all but a few ether of the buffer is gone."""
    who = ours.who
    sizes = {"a": 99 * ETHER, "b": 999 * ETHER, "c": 31 * ETHER}
    keys = [ours.proven(name, size) for name, size in sizes.items()]
    vault = ours.protocol.vault
    rest = vault.buffer() // 10**9 - 9 * ETHER
    vault.depositToBeacon([(pubkey_of("sink"), SIGNATURE, rest)], sender=who.depositor)
    assert vault.buffer() == 9 * WEI
    return keys


def test_forced_exits_in_the_order_of_proving(protocol, ours, manager, stranger, three):
    """400 ether are wanted, 9 are there: all 100 of the first, which leaves, and 291 of the second."""
    a, b, c = three
    with reverts(protocol.queue.RequestUnknown, id=1):
        manager.forceExits(1, [a], sender=stranger, value=9)
    protocol.queue.request(400 * WEI, ours.who.staker, sender=ours.who.staker)
    asked_at = now()
    with reverts(manager.NotOverdue, requestId=1):
        manager.forceExits(1, [a], sender=stranger, value=9)
    warp_to(asked_at + OVERDUE)
    missing = manager.missing(1)
    assert missing == 391 * ETHER + 1  # rounded up, and a wei for the queue's rounding
    with reverts(manager.EmptyBatch):
        manager.forceExits(1, [], sender=stranger, value=9)
    with reverts(manager.OrderViolated, position=0, given=keccak(b), expected=keccak(a)):
        manager.forceExits(1, [b], sender=stranger, value=9)
    with reverts(manager.OrderViolated, position=1, given=keccak(c), expected=keccak(b)):
        manager.forceExits(1, [a, c], sender=stranger, value=9)
    tx = manager.forceExits(1, [a, b, c], sender=stranger, value=9)
    part = 291 * ETHER + 1
    assert tx.events.filter(manager.ExitForced) == [
        manager.ExitForced(1, ours.operator, a, 0),
        manager.ExitForced(1, ours.operator, b, part),
    ]
    assert EXITS.waiting == [
        exit_of(protocol.gateway, a, 0),
        exit_of(protocol.gateway, a, 68 * ETHER),  # honoured where parts are pending, for then the exit is not
        exit_of(protocol.gateway, b, part),
    ]
    assert [ours.entry(key).phase for key in three] == [ASKED, PROVEN, PROVEN]
    assert [ours.entry(key).asked for key in three] == [0, part, 0]
    assert (manager.asked(), manager.missing(1), manager.exitCursor()) == (missing, 0, 2)
    with reverts(manager.NothingMissing):
        manager.forceExits(1, [c], sender=stranger, value=9)
    # what comes in counts, wherever it lies, and the rest is waited for
    ape.chain.provider.set_balance(protocol.gateway.address, 100 * WEI)
    assert (manager.asked(), manager.missing(1)) == (missing - 100 * ETHER, 0)
    protocol.gateway.sweep(sender=stranger)
    assert (manager.asked(), manager.missing(1)) == (missing - 100 * ETHER, 0)


def forced(manager: Any, tx: Any) -> list[tuple[bytes, int]]:
    return [(event.pubkey, event.amount) for event in tx.events.filter(manager.ExitForced)]


def test_next_round_goes_on_where_the_last_one_ended(protocol, ours, manager, stranger, three):
    """1,060 ether, then 100 more: the third has 32, the first has been asked, the second has 49 left and leaves."""
    a, b, c = three
    overdue(ours, 1_060 * WEI)
    part = 951 * ETHER + 1
    assert forced(manager, manager.forceExits(1, [a, b, c], sender=stranger, value=9)) == [(a, 0), (b, part)]
    overdue(ours, 100 * WEI)
    assert (manager.asked(), manager.missing(1)) == (100 * ETHER + part, 0)
    assert manager.missing(2) == 100 * ETHER
    assert manager.exitCursor() == 2
    assert forced(manager, manager.forceExits(2, [c, a, b, c], sender=stranger, value=9)) == [(c, 0), (b, 0)]
    assert [ours.entry(key).phase for key in three] == [ASKED] * 3
    assert manager.asked() == (100 + 32 + 49) * ETHER + part - 1
    assert manager.missing(2) == 19 * ETHER + 1
    assert manager.exitCursor() == 0


@pytest.mark.parametrize(("wanted", "exits"), [(77, 68), (76, 67), (78, 68), (108, 68), (109, 0)])
def test_part_keeps_what_a_validator_needs(protocol, ours, manager, stranger, three, wanted, exits):
    """Of 100 ether: what is missing, at most 68; all where 100 are missing. (9 are in the buffer, a wei is added.)"""
    a, b, _ = three
    overdue(ours, wanted * WEI)
    got = forced(manager, manager.forceExits(1, [a, b], sender=stranger, value=9))
    assert got[0] == (a, exits * ETHER + (wanted == 76))
    left = (wanted - 9) * ETHER + 1 - (exits or 100) * ETHER
    assert got[1:] == ([(b, left)] if left > 1 or wanted != 76 else [])


def test_exit_that_did_not_come_is_asked_again(protocol, ours, manager, stranger, three):
    """Two weeks are waited."""
    overdue(ours, 1_140 * WEI)
    exits = [(key, 0) for key in three]
    assert forced(manager, manager.forceExits(1, three, sender=stranger, value=9)) == exits
    asked = manager.asked()
    assert asked == 1_132 * ETHER
    warp_to(now() + 7 * DAY - 100)
    assert manager.asked() == asked
    warp_to(now() + 7 * DAY + 200)
    assert manager.asked() == 0
    assert manager.missing(1) == 1_131 * ETHER + 1
    assert forced(manager, manager.forceExits(1, three, sender=stranger, value=9)) == exits


def test_validators_that_leave_or_are_too_small_are_skipped(protocol, ours, manager, stranger):
    small = ours.proven("small", 30 * ETHER)
    leaving = ours.proven("leaving", 99 * ETHER)
    good = ours.proven("good", 99 * ETHER)
    ours.beacon.change(leaving, exit=9)
    manager.proveExiting(ours.proof(leaving), sender=stranger)
    vault = protocol.vault
    rest = vault.buffer() // 10**9
    vault.depositToBeacon([(pubkey_of("sink"), SIGNATURE, rest)], sender=ours.who.depositor)
    overdue(ours, 50 * WEI)
    tx = manager.forceExits(1, [small, leaving, good], sender=stranger, value=9)
    assert forced(manager, tx) == [(good, 50 * ETHER + 1)]
    assert manager.exitCursor() == 0


def test_request_that_is_settled_forces_nothing(protocol, ours, manager, stranger):
    key = ours.proven("a", 99 * ETHER)
    overdue(ours, WEI)
    with reverts(manager.NothingMissing):
        manager.forceExits(1, [key], sender=stranger, value=9)
    report_as_oracle(protocol)
    protocol.queue.finalize(1, sender=stranger)
    with reverts(manager.RequestSettled, requestId=1):
        manager.forceExits(1, [key], sender=stranger, value=9)


# --- What proofs show ---


def test_slashing_opens_a_case_and_stops_the_path_without_reports(protocol, ours, manager, stranger):
    key = ours.proven("a", 63 * ETHER)
    with reverts(manager.NotSlashed, pubkey=key):
        manager.proveSlashed(ours.proof(key), sender=stranger)
    ours.beacon.change(key, slashed=True, exit=7, effective=33 * ETHER)
    proof = ours.proof(key)
    at = next_at(now() + 5)
    tx = manager.proveSlashed(proof, sender=stranger)
    assert tx.events == [
        manager.SlashingProven(ours.operator, key, 64 * ETHER),
        protocol.bonds.CaseOpened(ours.operator, 64 * WEI, 64 * WEI, at + 45 * DAY),
        protocol.vault.SlashingNoted(at + 45 * DAY),
    ]
    assert (ours.entry(key).phase, ours.entry(key).slashed) == (EXITING, True)
    assert protocol.vault.slashingPendingUntil() == at + 45 * DAY
    with reverts(manager.SlashingKnown, pubkey=key):
        manager.proveSlashed(proof, sender=stranger)
    with reverts(manager.PhaseUnexpected, pubkey=pubkey_of("foreign"), phase=NONE):
        manager.proveSlashed(ours.proof(pubkey_of("foreign")), sender=stranger)
    with reverts(manager.PhaseUnexpected, pubkey=key, phase=EXITING):
        ours.top_up((key, ETHER))


def test_F5_only_what_is_proven_to_be_gone_counts_no_more(protocol, ours, manager, stranger):
    key, other = ours.proven("a", 63 * ETHER), ours.proven("b")
    with reverts(manager.NotExiting, pubkey=key):
        manager.proveExiting(ours.proof(key), sender=stranger)
    ours.beacon.change(key, exit=3, withdrawable=10)
    tx = manager.proveExiting(ours.proof(key), sender=stranger)
    assert tx.events == [manager.Exiting(ours.operator, key, 3)]
    with reverts(manager.PhaseUnexpected, pubkey=key, phase=EXITING):
        manager.proveExiting(ours.proof(key), sender=stranger)
    assert ours.stake_of() == (65 * ETHER, 0, 2)

    def gone(slot: int) -> Any:
        tree = ours.beacon.tree(slot)
        balance = proofs.balance_proof(tree, ours.beacon.index(key))
        proof = proof_of(tree, ours.beacon.index(key), publish(protocol, tree, now()))
        return manager.proveGone(proof, balance.balances, balance.branch, sender=stranger)

    with reverts(manager.NotWithdrawable, withdrawableEpoch=10, epoch=9):
        gone(10 * 8 - 1)
    ours.beacon.change(key, balance=1)
    with reverts(manager.BalanceLeft, balance=1):
        gone(10 * 8)
    ours.beacon.change(key, balance=0)
    tx = gone(10 * 8)
    assert tx.events == [manager.Gone(ours.operator, key)]
    assert ours.stake_of() == (ETHER, 0, 1)
    assert (manager.count(), manager.keyHashAt(0), manager.keyHashAt(1)) == (2, keccak(key), keccak(other))
    with reverts(manager.PhaseUnexpected, pubkey=key, phase=GONE):
        gone(10 * 8)


def test_gone_needs_the_balance_of_that_validator(protocol, ours, manager, stranger):
    """The empty one beside it in the same chunk of four proves nothing."""
    key = ours.proven("a")
    ours.beacon.validators += [
        replace(ours.beacon.validators[0], pubkey=pubkey_of(f"f{n}"), balance=0) for n in range(9)
    ]
    ours.beacon.change(key, exit=1, withdrawable=1)
    tree = ours.beacon.tree(8)
    index = ours.beacon.index(key)
    proof = proof_of(tree, index, publish(protocol, tree, now()))
    mine, far = proofs.balance_proof(tree, index), proofs.balance_proof(tree, 9)
    with reverts(manager.BalanceLeft, balance=ETHER):
        manager.proveGone(proof, mine.balances, mine.branch, sender=stranger)
    with reverts(protocol.proofs.StateRootMismatch):
        manager.proveGone(proof, far.balances, far.branch, sender=stranger)


# --- Governance and settings ---


def test_proofs_can_be_replaced_for_a_fork(protocol, manager):
    with reverts(manager.NotAContract, account=protocol.actors.other):
        protocol.as_governor(manager.setProofs, protocol.actors.other)
    tx = protocol.as_governor(manager.setProofs, protocol.oracle)
    assert manager.ProofsChanged(protocol.proofs, protocol.oracle) in tx.events
    assert manager.proofs() == protocol.oracle


@pytest.mark.parametrize("field", ["secondsPerSlot", "slotsPerEpoch", "abandonAfter", "overdueAfter"])
def test_settings_that_make_no_sense(protocol, manager, field):
    config = {
        "authority": protocol.access,
        "vault": protocol.vault,
        "queue": protocol.queue,
        "gateway": protocol.gateway,
        "registry": protocol.registry,
        "bonds": protocol.bonds,
        "proofs": protocol.proofs,
        "genesisTime": 0,
        "secondsPerSlot": 12,
        "slotsPerEpoch": 32,
        "abandonAfter": 1,
        "overdueAfter": 1,
        "keepers": [],
    } | {field: 0}
    with reverts(manager.ConfigInvalid):
        protocol.actors.deployer.deploy(ape.project.ValidatorManager, config)
