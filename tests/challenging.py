"""A committee with bonds, validators of ours in made-up beacon states, and reports true and false about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from eth_utils import keccak

from sluice.beacon import proofs
from sluice.beacon.state import StateTree
from sluice.oracle.report import Report
from sluice.oracle.tree import Deposit, Leaves, Opening, Sibling, SumTree
from sluice.units import Gwei
from tests.bonding import bond, register
from tests.helpers import advance_frame, report_of, signatures_of, stake
from tests.made import ETHER, Beacon, MadeDeposit, MadeValidator, prove, pubkey_of
from tests.protocol import Protocol

WEI = 10**18
BOND = 5 * WEI
EMPTY_DEPOSIT = (b"", bytes(32), 0, bytes(32), 0)
NO_HEADER = (0, 0, bytes(32), bytes(32), bytes(32))
NO_EVIDENCE = (NO_HEADER, bytes(32), EMPTY_DEPOSIT, 0, [])


class ForgedTree(SumTree):
    """Any leaves, any counts, and sums that are lifted where a forger likes."""

    def __init__(
        self,
        leaves: list[tuple[bytes, int]],
        counts: tuple[int, int, int],
        lifts: dict[tuple[int, int], int] | None = None,
    ) -> None:
        lifts = lifts or {}
        self.counts = counts
        size = 1 << max(0, sum(counts) - 1).bit_length()
        level = leaves + [(bytes(32), 0)] * (size - len(leaves))
        self.nodes = [level]
        while len(level) > 1:
            height = len(self.nodes)
            level = [
                (
                    sha256(a + b + x.to_bytes(8, "big") + y.to_bytes(8, "big")).digest(),
                    x + y + lifts.get((height, place), 0),
                )
                for place, ((a, x), (b, y)) in enumerate(zip(level[::2], level[1::2], strict=True))
            ]
            self.nodes.append(level)

    @property
    def total(self) -> Gwei:
        return Gwei(self.nodes[-1][0][1])

    @property
    def root(self) -> bytes:
        numbers = b"".join(n.to_bytes(8, "big") for n in (*self.counts, self.total))
        return sha256(self.nodes[-1][0][0] + numbers).digest()

    def open(self, position: int) -> Opening:
        path = []
        for height, level in enumerate(self.nodes[:-1]):
            other, amount = level[(position >> height) ^ 1]
            path.append(Sibling(other, Gwei(amount), Gwei(self.nodes[height + 1][position >> (height + 1)][1])))
        tag, amount = self.nodes[0][position]
        return Opening(self.counts[1], self.counts[2], position, tag, Gwei(amount), tuple(path))


def flat(leaves: Leaves) -> list[tuple[bytes, int]]:
    tree = SumTree(leaves)
    return [(opened.tag, opened.amount) for opened in map(tree.open, range(leaves.count))]


@dataclass
class Committee:
    """What reports are about. ``keys`` are the proven ones by position, ``prepared`` those that are not."""

    protocol: Protocol
    beacon: Beacon = field(default_factory=Beacon)
    keys: list[bytes] = field(default_factory=list)
    prepared: list[bytes] = field(default_factory=list)
    tree: StateTree | None = None

    @classmethod
    def found(cls, protocol: Protocol, validators: int = 3, prepared: int = 2, bonds: bool = True) -> Committee:
        """2,000 ether staked; one operator with validators of 32 ether each and preparations; members with bonds."""
        who = protocol.actors
        made = cls(protocol)
        stake(protocol, who.staker, 2_000 * WEI)
        operator = register(protocol, who.other)
        bond(protocol, operator, 200 * WEI, who.staker)
        credentials = bytes(protocol.vault.CREDENTIALS())
        foreign = MadeValidator(pubkey_of("foreign"), b"\x01" + bytes(31), balance=32 * ETHER + 77)
        made.beacon.validators += [foreign]
        for number in range(validators + prepared):
            key = pubkey_of(f"validator {number}")
            protocol.manager.prepare(operator, key, bytes(96), sender=who.other)
            made.prepared.append(key)
        for number in range(validators):
            key = made.prepared.pop(0)
            made.beacon.validators.append(MadeValidator(key, credentials, balance=ETHER + number, effective=ETHER))
            prove(protocol, made.beacon, key)
            made.keys.append(key)
        if validators:
            top_ups = [(key, 31 * ETHER) for key in made.keys]
            protocol.manager.stake(top_ups, sender=who.depositor)
            for key in made.keys:
                made.beacon.change(key, effective=32 * ETHER)
        # the first of them still has its top-up pending; two of strangers' are for nobody of ours
        for number, key in enumerate(made.keys):
            if number == 0:
                made.beacon.deposits += [
                    MadeDeposit(pubkey_of("foreign"), 5 * ETHER),
                    MadeDeposit(key, 30 * ETHER),
                    MadeDeposit(pubkey_of("new"), 7 * ETHER),
                    MadeDeposit(key, ETHER),
                ]
            else:
                balance = made.beacon.validators[made.beacon.index(key)].balance
                made.beacon.change(key, balance=balance + 31 * ETHER)
        if bonds:
            protocol.token.approve(protocol.challenge, 9 * BOND, sender=who.staker)
            for member in who.members:
                protocol.challenge.deposit(member, BOND, sender=who.staker)
        return made

    def copy(self) -> Committee:
        beacon = Beacon([*self.beacon.validators], [*self.beacon.deposits])
        return Committee(self.protocol, beacon, [*self.keys], [*self.prepared], self.tree)

    def leaves(self) -> Leaves:
        """The truth."""
        beacon = self.beacon
        return Leaves.of(
            [beacon.validators[beacon.index(key)].balance for key in self.keys],
            [Deposit(i, Gwei(each.amount)) for i, each in enumerate(beacon.deposits) if each.pubkey in self.keys],
            [keccak(key) for key in self.prepared],
        )

    def report(self, tree: SumTree | None = None, *, next_frame: bool = True, **fields: Any) -> Report:
        """Of the frame that begins, by ``tree`` or true."""
        if next_frame:
            advance_frame(self.protocol)
        expected = self.protocol.oracle.expected()
        self.tree = self.beacon.tree(expected.referenceSlot)
        tree = tree or SumTree(self.leaves())
        given = {
            "beacon_root": proofs.header_of(self.tree).root(),
            "balances_root": tree.root,
            "consensus_balance": tree.total,
            "validators": len(self.keys),
        }
        return report_of(self.protocol, **(given | fields))

    def submit(self, report: Report) -> list[bytes]:
        """Signed by a quorum; returns the signatures."""
        signatures = signatures_of(self.protocol, report)
        self.protocol.oracle.submit(report.as_tuple(), signatures, sender=self.protocol.actors.stranger)
        return signatures

    # --- Evidence ---

    @property
    def state(self) -> StateTree:
        assert self.tree is not None
        return self.tree

    @property
    def header(self) -> tuple[Any, ...]:
        return proofs.header_of(self.state).as_tuple()

    def balance(self, key: bytes) -> tuple[Any, ...]:
        proof = proofs.balance_proof(self.state, self.beacon.index(key))
        return (self.header, proof.balances, EMPTY_DEPOSIT, 0, proof.branch)

    def deposit(self, index: int) -> tuple[Any, ...]:
        proof = proofs.pending_deposit_proof(self.state, index)
        return (self.header, bytes(32), proof.deposit.as_tuple(), 0, proof.branch)

    def deposit_count(self) -> tuple[Any, ...]:
        proof = proofs.pending_deposit_count_proof(self.state)
        return (self.header, bytes(32), EMPTY_DEPOSIT, proof.count, proof.branch)

    def evidence(self, leaves: Leaves, position: int) -> tuple[Any, ...]:
        """What goes with a true leaf."""
        known = len(leaves.balances)
        if position < known:
            return self.balance(self.keys[position])
        if position < known + len(leaves.deposits):
            return self.deposit(leaves.deposits[position - known].index)
        return NO_EVIDENCE


__all__ = ["BOND", "NO_EVIDENCE", "Committee", "ForgedTree", "flat"]
