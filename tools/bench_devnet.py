"""What a devnet costs on each backend: ready after, a slot with a few transactions, memory.

    python -m tools.bench_devnet --slots 256

A mean on a busy machine is the machine's, too: the quickest slot and the CPU, of both processes, are the devnet's own.
"""

from __future__ import annotations

import argparse
import time

from rich.console import Console
from rich.table import Table

from sluice.devnet import Backend, Devnet, DevnetSettings

TRANSACTIONS = 4
"""In every block."""


def measure(backend: Backend, slots: int, table: Table) -> None:
    start = time.monotonic()
    with Devnet(DevnetSettings(backend=backend)) as devnet:
        ready = time.monotonic() - start
        took, cpu = [], 0.0
        for _ in range(slots):
            for sender in devnet.accounts[:TRANSACTIONS]:
                devnet.send(sender, devnet.accounts[-1].address, value=1)
            before, start = cpu_seconds(devnet), time.monotonic()
            devnet.advance()
            took.append(time.monotonic() - start)
            cpu += cpu_seconds(devnet) - before
        assert int(devnet.node.request("eth_getTransactionCount", devnet.accounts[0].address, "latest"), 16) == slots
        steps = devnet.stats()["steps_ms"]
        memory = sum(process.memory() for process in devnet.processes)
        table.add_row(
            backend.value,
            f"{ready:.1f}",
            f"{1000 * sum(took) / slots:.0f}",
            f"{1000 * min(took):.0f}",
            f"{1000 * cpu / slots:.0f}",
            ", ".join(f"{name} {ms:.0f}" for name, ms in steps.items()),
            f"{memory / 1e6:.0f}",
        )


def cpu_seconds(devnet: Devnet) -> float:
    return sum(process.cpu_seconds() for process in devnet.processes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--slots", type=int, default=256)
    given = parser.parse_args()
    table = Table("backend", "ready in s", "ms a slot", "quickest", "CPU ms a slot", "of it, ms", "MB")
    for backend in Backend:
        measure(backend, given.slots, table)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
