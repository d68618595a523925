"""A report from a state of mainnet's size: from SSZ bytes to a signed report, the state-root check included.

    python tools/bench_report.py 1000000 --ours 300000

CPU seconds of one process; memory is the most it ever held. The second report finds the caches of the first.
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

import numpy as np
from eth_account import Account
from eth_utils.address import to_checksum_address
from rich.console import Console
from rich.table import Table

from sluice.beacon.spec import MAINNET
from sluice.beacon.state import BeaconState, StateTree
from sluice.oracle.layer import leaves_of
from sluice.oracle.provision import Slashed, lost_since, slashed_of
from sluice.oracle.registry import Ours
from sluice.oracle.report import ConsensusView, Limits, VaultView, build_report
from sluice.oracle.signing import OracleDomain, sign
from sluice.oracle.tree import SumTree
from sluice.units import Gwei, Shares, Slot, Timestamp, Wei
from tools.make_state import OURS

MAKER = Path(__file__).with_name("make_state.py")
KEY = Account.from_key(b"\x11" * 32)
DOMAIN = OracleDomain(1, to_checksum_address("0x" + "c0" * 20))
LIMITS = Limits(10_000, 500, 10_000, 0, 86_400, Gwei(10**12))


def made(count: int, ours: int, age: int) -> bytes:
    """By another process, whose memory does not count."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "state.ssz"
        command = [sys.executable, "-m", "tools.make_state", str(count), file, "--ours", str(ours), "--age", str(age)]
        subprocess.run(command, check=True, cwd=MAKER.parent.parent, stdout=subprocess.DEVNULL)
        return file.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("validators", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--ours", type=int, default=300_000)
    given = parser.parse_args()
    table = Table("report", "step", "CPU s", "most MB")
    tree = StateTree()
    before: dict[int, Slashed] = {}
    profit = 0
    for number, age in enumerate((0, 1), 1):
        data = made(given.validators, given.ours, age)
        begin = time.process_time()

        @contextmanager
        def step(name: str, number: int = number) -> Iterator[None]:
            start = time.process_time()
            yield
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            table.add_row(str(number), name, f"{time.process_time() - start:.2f}", str(used))

        with step(f"{len(data):,} bytes decoded, state root"):
            state = BeaconState.decode(data, "fulu", MAINNET)
            tree.load(state)
        # from the manager's events, kept between reports
        indices = state.indices_with(OURS)
        keys = tuple(state.validators["pubkey"][int(i)].tobytes() for i in indices)
        ours = Ours(keys, tuple(int(i) for i in indices), (1,) * len(indices), {bytes(31) + b"\x01": 1}, ())
        with step(f"leaves of {len(indices):,} validators"):
            leaves = leaves_of(state, ours)
        with step("sum tree"):
            sums = SumTree(leaves)
        with step("provision and faults"):
            slashed = slashed_of(state, np.asarray(ours.indices, np.int64))
            faults = lost_since(before, slashed) if before else Gwei(0)
            before = slashed
        with step("report, signature"):
            provision = Gwei(sum(each.provision for each in slashed.values()))
            slot = Slot(state.slot)
            view = ConsensusView(
                slot, tree.root, sums.root, len(indices), sums.total, provision, Gwei(0), Gwei(2 * sums.total)
            )
            vault = VaultView(
                reference_time=Timestamp(1_000_000 + age * 86_400),
                total=Wei(sums.total * 10**9),
                supply=Shares(sums.total * 10**9),
                open_shares=Shares(0),
                deposited=sums.total,
                rewards_balance=Wei(0),
                profit=Gwei(profit),
                previous_time=Timestamp(1_000_000 + (age - 1) * 86_400),
                validators=len(indices),
                deposited_now=sums.total,
                swept_now=Gwei(0),
                gateway_balance_now=Wei(0),
            )
            report = build_report(view, vault, LIMITS, faults)
            profit = -report.provision
            sign(report, DOMAIN, KEY)
        total = time.process_time() - begin
        table.add_row(str(number), "all", f"{total:.2f}", "", end_section=True)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
