"""The processes of a devnet: found, started, watched, ended by their ids."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

ROOT: Final = Path(__file__).resolve().parent.parent.parent
NODE_SIDE: Final = ROOT / "devnet"
TAIL_LINES: Final = 15
POLL_SECONDS: Final = 0.03
STOP_SECONDS: Final = 5.0

T = TypeVar("T")


class DevnetError(Exception):
    """A devnet that does not start or does not live on; says what to do."""


def find_tool(name: str) -> str:
    """On PATH, else where the set-up of this checkout has put it."""
    native = sorted(ROOT.glob(f"node_modules/@foundry-rs/{name}-*/bin/{name}"))
    found = shutil.which(name) or next((str(p) for p in [ROOT / ".toolchain/bin" / name, *native] if p.exists()), None)
    if found is None:
        raise DevnetError(f"{name} is not on PATH: run `make setup` in {ROOT}, then `source tools/env.sh`")
    return found


def check_node_side() -> None:
    """The consensus half is JavaScript of this repository and its npm packages."""
    for path in (NODE_SIDE / "main.mjs", ROOT / "node_modules/@lodestar/state-transition/package.json"):
        if not path.is_file():
            raise DevnetError(f"{path} is missing: a devnet runs from a checkout in which `make setup` was run")


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, all held until all are found."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Process:
    """A child with its output in a file. It has a session of its own: Ctrl-C reaches only us, and we end it."""

    def __init__(self, name: str, command: Sequence[str], log: Path, folder: Path) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as sink:
            self._child = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,  # closed when we die, whatever of: the consensus side then ends itself
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=folder,  # some clients leave files where they stand
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    def memory(self) -> int:
        """Resident bytes; Linux alone says so."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self) -> float:
        """Of all its threads, so far; Linux alone says so."""
        words = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def tail(self) -> str:
        return "\n".join(f"    {line[:300]}" for line in self.output().splitlines()[-TAIL_LINES:])

    def check(self) -> None:
        if not self.alive:
            raise DevnetError(f"{self.name} has ended (exit {self._child.returncode}); its last lines:\n{self.tail()}")

    def wait_for(self, what: Callable[[], T | None], timeout: float) -> T:
        """What the function finds, as soon as it finds something; an error when the process dies meanwhile."""
        end = time.monotonic() + timeout
        while (found := what()) is None:
            self.check()
            if time.monotonic() > end:
                raise DevnetError(f"{self.name} is not ready after {timeout:.0f} s; its last lines:\n{self.tail()}")
            time.sleep(POLL_SECONDS)
        return found

    def stop(self) -> None:
        if self._child.stdin:
            self._child.stdin.close()
        if self.alive:
            self._child.terminate()
            try:
                self._child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
