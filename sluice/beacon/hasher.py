"""sha256 of many 64-byte blocks at once: the two children of many nodes of a Merkle tree.

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


class _Lanes(threading.local):
    """Buffers of one thread: the blocks lie in ``room``, of which ``blocks`` are views that are made once."""

    def __init__(self) -> None:
        self.room: Bytes2D = np.zeros((BATCH, BLOCK), np.uint8)
        self.blocks = stringzilla.Strs([memoryview(row) for row in self.room], view=True)
        self.hasher = stringzilla.Sha256s(BATCH)

    def digest(self, blocks: Bytes2D, out: Bytes2D) -> None:
        count = len(blocks)
        self.room[:count] = blocks
        if count == BATCH:
            self.hasher.reset().update(self.blocks).digest(out=out)
        else:
            stringzilla.Sha256s(count).update(self.blocks[:count]).digest(out=out)


_lanes = _Lanes()


def hash_blocks(blocks: Bytes2D) -> Bytes2D:
    """The digest of each row of 64 bytes."""
    if blocks.ndim != 2 or blocks.shape[1] != BLOCK:
        raise ValueError(f"blocks of shape {blocks.shape} instead of (n, {BLOCK})")
    out: Bytes2D = np.empty((len(blocks), DIGEST), np.uint8)
    for start in range(0, len(blocks), BATCH):
        _lanes.digest(blocks[start : start + BATCH], out[start : start + BATCH])
    return out
