"""Merkle trees over 32-byte chunks that keep their nodes: a change costs the way to the root, a branch nothing."""

from hashlib import sha256
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sluice.beacon.hasher import BLOCK, DIGEST, Bytes2D, hash_blocks

Indices = NDArray[np.int64]

MAX_DEPTH: Final = 64
REBUILD: Final = 4
"""Where more than one in so many leaves changed, all is hashed anew."""


def _zero_roots() -> tuple[bytes, ...]:
    roots = [b"\0" * DIGEST]
    for _ in range(MAX_DEPTH):
        roots.append(sha256(roots[-1] * 2).digest())
    return tuple(roots)


ZERO_ROOTS: Final = _zero_roots()
"""Roots of trees of zero chunks, by depth."""


def log2_up(count: int) -> int:
    """Depth of the smallest tree with room for ``count`` leaves."""
    return max(0, count - 1).bit_length()


def hash_pair(left: bytes, right: bytes) -> bytes:
    return sha256(left + right).digest()


def mix_in_length(root: bytes, length: int) -> bytes:
    return hash_pair(root, length_chunk(length))


def length_chunk(length: int) -> bytes:
    return length.to_bytes(DIGEST, "little")


def parents(nodes: Bytes2D, depth: int) -> Bytes2D:
    """The level above ``nodes``, which are roots of trees of ``depth``."""
    if len(nodes) % 2:
        nodes = np.concatenate([nodes, _as_row(ZERO_ROOTS[depth])])
    return hash_blocks(np.ascontiguousarray(nodes).reshape(-1, BLOCK))


def fold(leaf: bytes, branch: list[bytes], path: int) -> bytes:
    """Climb from ``leaf``; bit i of ``path`` says whether it is on the right at step i."""
    for sibling in branch:
        leaf = hash_pair(sibling, leaf) if path & 1 else hash_pair(leaf, sibling)
        path >>= 1
    return leaf


def merkleize(chunks: Bytes2D, depth: int) -> bytes:
    """The root of a tree of ``depth``, of which nothing is kept."""
    level, at = chunks, 0
    while len(level) > 1:
        level, at = parents(level, at), at + 1
    if not len(level):
        return ZERO_ROOTS[depth]
    return _extend(level[0].tobytes(), at, depth)


class Tree:
    """A tree of 2 ** depth leaves, those at the end zero."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self._levels: list[Bytes2D] = [np.empty((0, DIGEST), np.uint8)]

    @property
    def leaves(self) -> Bytes2D:
        return self._levels[0]

    @property
    def filled(self) -> int:
        """Steps from a leaf to where nothing is left on the right."""
        return len(self._levels) - 1

    @property
    def root(self) -> bytes:
        top = self._levels[-1]
        return _extend(top[0].tobytes(), self.filled, self.depth) if len(top) else ZERO_ROOTS[self.depth]

    def branch(self, index: int) -> list[bytes]:
        """Siblings of leaf ``index`` up to where nothing is left on the right; :meth:`rest` has the others."""
        if not 0 <= index < len(self.leaves):
            raise IndexError(f"leaf {index} of {len(self.leaves)}")
        siblings = []
        for depth, level in enumerate(self._levels[:-1]):
            beside = index ^ 1
            siblings.append(level[beside].tobytes() if beside < len(level) else ZERO_ROOTS[depth])
            index >>= 1
        return siblings

    def rest(self) -> list[bytes]:
        """The siblings above :meth:`branch`."""
        return list(ZERO_ROOTS[self.filled : self.depth])

    def update(self, leaves: Bytes2D) -> None:
        """Take ``leaves`` in place of what is there; they are kept, not copied."""
        self._check(len(leaves))
        before = self.leaves
        if len(leaves) < len(before) or not len(before):
            self._rebuild(leaves)
            return
        changed = differing_rows(before, leaves)
        self._levels[0] = leaves
        self._climb(changed, len(before))

    def replace(self, count: int, changed: Indices, rows: Bytes2D) -> None:
        """Have ``count`` leaves, of which ``rows`` stand at ``changed``; those are all that differ or are new."""
        self._check(count)
        before = self.leaves
        if count < len(before):
            raise ValueError(f"{count} leaves after {len(before)}: a tree that shrinks is built anew")
        leaves = grown(before, count)
        leaves[changed] = rows
        self._levels[0] = leaves
        self._climb(changed, len(before))

    def _check(self, count: int) -> None:
        if count > 1 << self.depth:
            raise ValueError(f"{count} leaves do not fit a tree of depth {self.depth}")

    def _rebuild(self, leaves: Bytes2D) -> None:
        self._levels = [leaves]
        while len(self._levels[-1]) > 1:
            self._levels.append(parents(self._levels[-1], self.filled))

    def _climb(self, changed: Indices, before: int) -> None:
        leaves = self._levels[0]
        if len(changed) * REBUILD > len(leaves) or not before:
            self._rebuild(leaves)
            return
        depth = 0
        while len(self._levels[depth]) > 1:
            below = self._levels[depth]
            above = (len(below) + 1) // 2
            if depth == self.filled:
                self._levels.append(np.empty((0, DIGEST), np.uint8))
            level = grown(self._levels[depth + 1], above)
            changed = np.unique(changed >> 1)
            pairs: Bytes2D = np.empty((len(changed), BLOCK), np.uint8)
            pairs[:, :DIGEST] = below[changed * 2]
            right = changed * 2 + 1
            inside = right < len(below)
            pairs[inside, DIGEST:] = below[right[inside]]
            pairs[~inside, DIGEST:] = _as_row(ZERO_ROOTS[depth])
            level[changed] = hash_blocks(pairs)
            self._levels[depth + 1] = level
            depth += 1


def differing_rows(before: Bytes2D, after: Bytes2D) -> Indices:
    """Rows of ``after`` that ``before`` does not have in the same place."""
    common = min(len(before), len(after))
    found: list[Indices] = []
    for start in range(0, common, _SLAB):
        stop = min(start + _SLAB, common)
        differs = (before[start:stop] != after[start:stop]).any(axis=1)
        found.append(np.flatnonzero(differs) + start)
    found.append(np.arange(common, len(after)))
    return np.concatenate(found).astype(np.int64)


_SLAB: Final = 1 << 15


def grown(rows: Bytes2D, count: int) -> Bytes2D:
    """``rows`` with room for ``count``; itself where that is its length and it may be written."""
    if len(rows) == count and rows.flags.writeable:
        return rows
    larger: Bytes2D = np.empty((count, rows.shape[1]), np.uint8)
    larger[: len(rows)] = rows
    return larger


def _extend(root: bytes, depth: int, to: int) -> bytes:
    for at in range(depth, to):
        root = hash_pair(root, ZERO_ROOTS[at])
    return root


def _as_row(chunk: bytes) -> Bytes2D:
    return np.frombuffer(chunk, np.uint8).reshape(1, DIGEST)
