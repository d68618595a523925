"""Beacon state of any size, from bytes to root and proofs: what it costs and where the time goes.

    python tools/bench_state.py 1000000

CPU seconds of one process; memory is the most it ever held, the bytes of the states included.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sluice.beacon import proofs, ssz
from sluice.beacon.hasher import hash_blocks
from sluice.beacon.merkle import Tree
from sluice.beacon.spec import MAINNET
from sluice.beacon.state import KEPT, BeaconState, StateTree

MAKER = Path(__file__).with_name("make_state.py")


def made(count: int, age: int) -> bytes:
    """By another process, whose memory does not count."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "state.ssz"
        ours = str(count * 3 // 10)
        subprocess.run([sys.executable, MAKER, str(count), file, "--ours", ours, "--age", str(age)], check=True)
        return file.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("validators", type=int, nargs="?", default=1_000_000)
    count = parser.parse_args().validators
    table = Table("step", "CPU s", "most MB")

    @contextmanager
    def step(name: str) -> Iterator[None]:
        start = time.process_time()
        yield
        spent = time.process_time() - start
        table.add_row(name, f"{spent:.2f}", str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))

    first = made(count, age=0)
    tree = StateTree()
    with step(f"state of {count:,} validators, {len(first):,} bytes: decoded"):
        state = BeaconState.decode(first, "fulu", MAINNET)
    with step("its root"):
        tree.load(state)
    second = made(count, age=1)
    with step("the root of the next one, a day later"):
        tree.load(BeaconState.decode(second, "fulu", MAINNET))
    with step("1,000 proofs"):
        for n in range(1_000):
            proofs.validator_proof(tree, n * 7_919 % count)
    for name, kind in state.kind.fields:
        if name in KEPT and isinstance(kind, ssz.List | ssz.Vector) and state.count(name) > 10_000:
            with step(f"  of the first root: leaves of {name}"):
                leaves = ssz.leaves(kind, state.fields[name])
            with step(f"  of the first root: tree of {name}"):
                Tree(ssz.chunk_depth(kind)).update(leaves)
    blocks = ssz.chunks(state.fields["validators"])[: 2 * (1 << 19)].reshape(-1, 64)
    with step(f"for comparison: {len(blocks):,} blocks hashed, nothing else"):
        hash_blocks(blocks)
    Console().print(table)


if __name__ == "__main__":
    main()
