"""What is false about a report, and the call that shows it to ``ReportChallenge``.

Everything is compared with a reading of our own. Leaves that are not ours are asked of the members; where nobody gives
them out a person must demand them on chain.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Protocol

import numpy as np
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from sluice.beacon import proofs
from sluice.beacon.containers import NO_DEPOSIT
from sluice.beacon.state import StateTree
from sluice.oracle.daemon import REPORT_TUPLE, SUBMIT
from sluice.oracle.layer import Reading
from sluice.oracle.report import Report
from sluice.oracle.tree import Leaves, Opening, SumTree
from sluice.oracle.views import DEPOSIT, HEADER

SIBLING: Final = "(bytes32,uint64,uint64)"
OPENING: Final = f"(uint64,uint64,uint256,bytes32,uint64,{SIBLING}[])"
EVIDENCE: Final = f"({HEADER},bytes32,{DEPOSIT},uint64,bytes32[])"
NO_HEADER: Final = (0, 0, bytes(32), bytes(32), bytes(32))
NO_EVIDENCE: Final[tuple[Any, ...]] = (NO_HEADER, bytes(32), NO_DEPOSIT.as_tuple(), 0, [])
MOST_SIGNATURES: Final = 4_096


@dataclass(frozen=True)
class Lie:
    """What is false; how it is shown on chain, but for the signatures. Where ``name`` is empty it takes a person."""

    what: str
    name: str = ""
    types: tuple[str, ...] = ()
    arguments: tuple[Any, ...] = ()

    def call(self, report: Report, signatures: Sequence[bytes]) -> bytes:
        types = [REPORT_TUPLE, "bytes[]", *self.types]
        selector = keccak(text=f"{self.name}({','.join(types)})")[:4]
        return selector + encode(types, [report.as_tuple(), list(signatures), *self.arguments])


class Prover(Protocol):
    """The beacon chain's word on what a report counts, as ``Evidence``."""

    def balance(self, position: int) -> tuple[Any, ...]: ...

    def deposit(self, index: int) -> tuple[Any, ...]:
        """That of the state's list, or how many there are where the list is shorter."""
        ...


@dataclass(frozen=True)
class StateProver:
    tree: StateTree
    reading: Reading

    def balance(self, position: int) -> tuple[Any, ...]:
        found = proofs.balance_proof(self.tree, self.reading.ours.indices[position])
        return (proofs.header_of(self.tree).as_tuple(), found.balances, NO_DEPOSIT.as_tuple(), 0, found.branch)

    def deposit(self, index: int) -> tuple[Any, ...]:
        header = proofs.header_of(self.tree).as_tuple()
        if index >= self.tree.state.count("pending_deposits"):
            count = proofs.pending_deposit_count_proof(self.tree)
            return (header, bytes(32), NO_DEPOSIT.as_tuple(), count.count, count.branch)
        found = proofs.pending_deposit_proof(self.tree, index)
        return (header, bytes(32), found.deposit.as_tuple(), 0, found.branch)


def find_lie(
    report: Report, reading: Reading, leaves_of: Callable[[Report], Leaves | None], prover: Callable[[], Prover]
) -> Lie | None:
    """The first thing about ``report`` that ``reading`` shows to be false; None where there is none."""
    if report.beacon_root != reading.header.root:
        return Lie("another block than ours at its reference slot")
    true = reading.leaves
    if report.validators != len(true.balances):
        return Lie(f"{report.validators} validators, {len(true.balances)} were proven", "challengeCount")
    tree, given = SumTree(true), true
    if report.balances_root != tree.root:
        theirs = leaves_of(report)
        if theirs is None:
            return Lie("its root is not ours, and no member gives its leaves out: demand them")
        given = theirs
        if len(given.balances) != report.validators:
            return Lie("its root was made for another number of validators: demand a leaf")
        tree = SumTree(given)
    if tree.total != report.consensus_balance:
        what = f"a balance of {report.consensus_balance} gwei over leaves of {tree.total}"
        return Lie(what, "challengeLeaf", (OPENING, EVIDENCE), (tree.open(0).as_tuple(), NO_EVIDENCE))
    return None if given is true else _false_leaf(tree, given, true, prover())


def _false_leaf(tree: SumTree, given: Leaves, true: Leaves, prover: Prover) -> Lie:
    """``given`` is not ``true``: a leaf of it is false, twice there, or missing."""
    at = first_difference(given, true)
    if at is not None:
        evidence: tuple[Any, ...] = NO_EVIDENCE
        if at < len(given.balances):
            evidence = prover.balance(at)
        elif at < len(given.balances) + len(given.deposits):
            evidence = prover.deposit(given.deposits[at - len(given.balances)].index)
        what = f"leaf {at} is {tree.open(at).amount / 1e9:.9f} ether"
        return Lie(what, "challengeLeaf", (OPENING, EVIDENCE), (tree.open(at).as_tuple(), evidence))
    deposits, preparations = len(given.balances), len(given.balances) + len(given.deposits)
    tags = {deposits: [each.tag for each in given.deposits], preparations: list(given.preparations)}
    for start, its in tags.items():
        for at, (one, other) in enumerate(pairwise(its), start):
            if one >= other:
                pair = (tree.open(at).as_tuple(), tree.open(at + 1).as_tuple())
                return Lie(f"leaves {at} and {at + 1} are out of order", "challengeOrder", (OPENING, OPENING), pair)
    known = {each.index for each in given.deposits}
    for each in true.deposits:
        if each.index not in known:
            neighbours = _around(tree, deposits, tags[deposits], each.tag)
            return Lie(
                f"the pending deposit {each.index} is left out",
                "challengeMissingDeposit",
                (f"{OPENING}[]", EVIDENCE, "uint256"),
                (neighbours, prover.deposit(each.index), each.index),
            )
    missing = next(each for each in true.preparations if each not in given.preparations)
    return Lie(
        f"the preparation 0x{missing.hex()} is left out",
        "challengeMissingPreparation",
        (f"{OPENING}[]", "bytes32"),
        (_around(tree, preparations, tags[preparations], missing), missing),
    )


def _around(tree: SumTree, start: int, tags: list[bytes], tag: bytes) -> list[tuple[Any, ...]]:
    """The leaves between which ``tag`` would stand; any leaf where there are none of its kind."""
    after = sum(each < tag for each in tags)
    places = [start + at for at in (after - 1, after) if 0 <= at < len(tags)]
    return [Opening.as_tuple(tree.open(place)) for place in places or [0]]


def first_difference(given: Leaves, true: Leaves) -> int | None:
    """The first leaf of ``given`` that is not true; None where all are, and some are missing or there twice."""
    wrong = np.flatnonzero(given.balances != true.balances)
    if len(wrong):
        return int(wrong[0])
    start = len(given.balances)
    deposits = {each.index: each.amount for each in true.deposits}
    for at, each in enumerate(given.deposits, start):
        if deposits.get(each.index) != each.amount:
            return at
    start += len(given.deposits)
    return next((at for at, each in enumerate(given.preparations, start) if each not in true.preparations), None)


def signatures_in(data: bytes, report: tuple[Any, ...]) -> list[bytes]:
    """All that ``report`` was submitted with in a transaction, also where other contracts passed the call on."""
    wanted = SUBMIT + encode([REPORT_TUPLE], [report])
    found: dict[bytes, None] = {}
    at = data.find(wanted)
    while at >= 0 and len(found) < MOST_SIGNATURES:
        try:
            _, signatures = decode([REPORT_TUPLE, "bytes[]"], data[at + 4 :])
        except (DecodingError, OverflowError):
            signatures = ()
        found |= dict.fromkeys(signatures[:MOST_SIGNATURES])
        at = data.find(wanted, at + 1)
    return list(found)
