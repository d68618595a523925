"""The sum tree that a report's `balancesRoot` commits to (`IReportChallenge` has the same text for contracts).

Its leaves are what the consensus balance is made of, each with a tag and an amount (gwei): all validators by position,
then the deposits pending for them by index, then the preparations by key hash, then zeros up to a power of two. A node
is a hash and a sum; what a parent hashes includes both sums, so one path shows one amount and that the sums add up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sluice.beacon.hasher import Bytes2D, hash_rows
from sluice.units import Gwei

PREPARATION: Final = Gwei(10**9)
"""What a preparation counts, whatever became of its key."""


@dataclass(frozen=True)
class Deposit:
    """Pending for one of our validators, whoever made it."""

    index: int
    """In the state's list."""
    amount: Gwei

    @property
    def tag(self) -> bytes:
        return self.index.to_bytes(32, "big")


@dataclass(frozen=True)
class Sibling:
    """The Solidity struct ``IReportChallenge.Sibling``."""

    hash: bytes
    sum: Gwei
    total: Gwei
    """Of it and the node beside it."""

    def as_tuple(self) -> tuple[bytes, int, int]:
        return (self.hash, self.sum, self.total)


@dataclass(frozen=True)
class Opening:
    """The Solidity struct ``IReportChallenge.Opening``: a leaf and how the root commits to it."""

    deposits: int
    preparations: int
    position: int
    tag: bytes
    amount: Gwei
    path: tuple[Sibling, ...]

    def as_tuple(self) -> tuple[int, int, int, bytes, int, list[tuple[bytes, int, int]]]:
        """As contracts take it."""
        path = [each.as_tuple() for each in self.path]
        return (self.deposits, self.preparations, self.position, self.tag, self.amount, path)


@dataclass(frozen=True)
class Leaves:
    """What a report counts."""

    balances: NDArray[np.uint64]
    """Gwei, of all proven validators by position."""
    deposits: tuple[Deposit, ...] = ()
    preparations: tuple[bytes, ...] = ()
    """Hashes of their keys."""

    @classmethod
    def of(
        cls,
        balances: Sequence[int] | NDArray[np.uint64],
        deposits: Iterable[Deposit] = (),
        preparations: Iterable[bytes] = (),
    ) -> "Leaves":
        """In the order of the tree, whatever the order given."""
        ordered = tuple(sorted(deposits, key=lambda each: each.index))
        return cls(np.asarray(balances, np.uint64), ordered, tuple(sorted(preparations)))

    @property
    def count(self) -> int:
        return len(self.balances) + len(self.deposits) + len(self.preparations)

    @property
    def total(self) -> Gwei:
        """The consensus balance."""
        amounts = sum(each.amount for each in self.deposits) + PREPARATION * len(self.preparations)
        return Gwei(int(self.balances.sum()) + amounts)


class SumTree:
    """All levels of it, kept: a path is read, not computed."""

    def __init__(self, leaves: Leaves) -> None:
        self.leaves = leaves
        known = len(leaves.balances)
        size = 1 << max(0, leaves.count - 1).bit_length()
        hashes = np.zeros((size, 32), np.uint8)
        sums = np.zeros(size, np.uint64)
        sums[:known] = leaves.balances
        rest = [(each.tag, each.amount) for each in leaves.deposits]
        rest += [(key_hash, PREPARATION) for key_hash in leaves.preparations]
        for at, (tag, amount) in enumerate(rest, known):
            hashes[at] = np.frombuffer(tag, np.uint8)
            sums[at] = amount
        self._levels: list[tuple[Bytes2D, NDArray[np.uint64]]] = [(hashes, sums)]
        while len(sums) > 1:
            hashes, sums = _parents(hashes, sums)
            self._levels.append((hashes, sums))

    @property
    def total(self) -> Gwei:
        return Gwei(int(self._levels[-1][1][0]))

    @property
    def root(self) -> bytes:
        leaves = self.leaves
        numbers = (len(leaves.balances), len(leaves.deposits), len(leaves.preparations), self.total)
        return sha256(self._levels[-1][0][0].tobytes() + b"".join(n.to_bytes(8, "big") for n in numbers)).digest()

    def open(self, position: int) -> Opening:
        """The leaf there, which is zero behind the last one."""
        if not 0 <= position < len(self._levels[0][1]):
            raise IndexError(f"position {position} of {len(self._levels[0][1])}")
        path = []
        for level, (hashes, sums) in enumerate(self._levels[:-1]):
            beside = (position >> level) ^ 1
            total = self._levels[level + 1][1][position >> (level + 1)]
            path.append(Sibling(hashes[beside].tobytes(), Gwei(int(sums[beside])), Gwei(int(total))))
        hashes, sums = self._levels[0]
        return Opening(
            len(self.leaves.deposits),
            len(self.leaves.preparations),
            position,
            hashes[position].tobytes(),
            Gwei(int(sums[position])),
            tuple(path),
        )


def _parents(hashes: Bytes2D, sums: NDArray[np.uint64]) -> tuple[Bytes2D, NDArray[np.uint64]]:
    rows = np.empty((len(sums) // 2, 80), np.uint8)
    rows[:, :64] = hashes.reshape(-1, 64)
    rows[:, 64:] = sums.astype(">u8").view(np.uint8).reshape(-1, 16)
    return hash_rows(rows), sums[::2] + sums[1::2]
