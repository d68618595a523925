"""sha256 of many rows of bytes at once: the two children of many nodes of a Merkle tree.

A beacon state of a million validators takes ten million of them. hashlib's call for each costs more than the hashing;
here a batch is one call, and its buffers stay in the processor's cache.
"""

import threading
from typing import Final

import numpy as np
import stringzilla
from numpy.typing import NDArray

Bytes2D = NDArray[np.uint8]
"""Rows of bytes."""

BATCH: Final = 512
BLOCK: Final = 64
DIGEST: Final = 32


class _Lanes:
    """Buffers for rows of one width: they lie in ``room``, of which ``blocks`` are views that are made once."""

    def __init__(self, width: int) -> None:
        self.room: Bytes2D = np.zeros((BATCH, width), np.uint8)
        self.blocks = stringzilla.Strs([memoryview(row) for row in self.room], view=True)
        self.hasher = stringzilla.Sha256s(BATCH)

    def digest(self, blocks: Bytes2D, out: Bytes2D) -> None:
        count = len(blocks)
        self.room[:count] = blocks
        if count == BATCH:
            self.hasher.reset().update(self.blocks).digest(out=out)
        else:
            stringzilla.Sha256s(count).update(self.blocks[:count]).digest(out=out)


class _Threads(threading.local):
    """Every thread has buffers of its own."""

    def __init__(self) -> None:
        self.lanes: dict[int, _Lanes] = {}


_threads = _Threads()


def hash_blocks(blocks: Bytes2D) -> Bytes2D:
    """The digest of each row of 64 bytes."""
    if blocks.ndim != 2 or blocks.shape[1] != BLOCK:
        raise ValueError(f"blocks of shape {blocks.shape} instead of (n, {BLOCK})")
    return hash_rows(blocks)


def hash_rows(rows: Bytes2D) -> Bytes2D:
    """The digest of each row, of whatever width."""
    width = rows.shape[1]
    lanes = _threads.lanes.get(width)
    if lanes is None:
        lanes = _threads.lanes[width] = _Lanes(width)
    out: Bytes2D = np.empty((len(rows), DIGEST), np.uint8)
    for start in range(0, len(rows), BATCH):
        lanes.digest(rows[start : start + BATCH], out[start : start + BATCH])
    return out
