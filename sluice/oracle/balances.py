"""The Merkle-sum tree over the balances of our validators, in the order of the registry.

A node is a hash and a sum (gwei); what a parent hashes includes both sums, so that the root commits to every
balance and to their total, and one path shows a single balance and that the sums along it add up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from sluice.units import Gwei

LEAF: Final = b"\x00"
PARENT: Final = b"\x01"
ROOT: Final = b"\x02"


@dataclass(frozen=True)
class Node:
    hash: bytes
    sum: Gwei

    def encoded(self) -> bytes:
        return self.hash + self.sum.to_bytes(8, "big")


EMPTY: Final = Node(b"\0" * 32, Gwei(0))


@dataclass(frozen=True)
class Leaf:
    index: int
    """Of the validator in the registry."""
    pubkey: bytes
    balance: Gwei

    def node(self) -> Node:
        data = LEAF + self.index.to_bytes(8, "big") + self.pubkey + self.balance.to_bytes(8, "big")
        return Node(sha256(data).digest(), self.balance)


def balances_root(leaves: Sequence[Leaf]) -> bytes:
    """Binds the number of leaves too."""
    top = _levels(leaves)[-1][0]
    return sha256(ROOT + len(leaves).to_bytes(8, "big") + top.encoded()).digest()


def prove(leaves: Sequence[Leaf], position: int) -> list[Node]:
    """The siblings on the way from leaf ``position`` to the top."""
    path = []
    for level in _levels(leaves)[:-1]:
        path.append(level[position ^ 1])
        position >>= 1
    return path


def verify(root: bytes, count: int, position: int, leaf: Leaf, path: Sequence[Node]) -> bool:
    """Whether ``leaf`` is at ``position`` of the ``count`` leaves under ``root``."""
    if not 0 <= position < count or len(path) != max(0, (count - 1).bit_length()):
        return False
    node = leaf.node()
    for sibling in path:
        node = _parent(sibling, node) if position & 1 else _parent(node, sibling)
        if node.sum >= 2**64:
            return False
        position >>= 1
    return root == sha256(ROOT + count.to_bytes(8, "big") + node.encoded()).digest()


def _parent(left: Node, right: Node) -> Node:
    return Node(
        sha256(PARENT + left.encoded() + right.encoded()).digest(),
        Gwei(left.sum + right.sum),
    )


def _levels(leaves: Sequence[Leaf]) -> list[list[Node]]:
    """From the leaves to the top, every level but the last of even length."""
    level = [leaf.node() for leaf in leaves] or [EMPTY]
    levels = []
    while len(level) > 1:
        if len(level) % 2:
            level.append(EMPTY)
        levels.append(level)
        level = [_parent(level[n], level[n + 1]) for n in range(0, len(level), 2)]
    return [*levels, level]
