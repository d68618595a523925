"""Which reports are still to be judged: kept on the disk, so that none accepted meanwhile is left out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sluice.files import write_atomically
from sluice.units import Slot

MOST: Final = 8
"""Reports that wait; of older ones few nodes have the state."""


class Docket:
    """Of one oracle, oldest first. A watcher that is new begins with the newest report."""

    def __init__(self, path: Path, oracle: str) -> None:
        self._path, self._oracle = path, oracle
        self._newest = 0
        self._waiting: list[int] = []
        try:
            kept = json.loads(path.read_text())
            if kept["oracle"] == oracle:
                self._newest, self._waiting = int(kept["newest"]), [int(each) for each in kept["waiting"]]
        except (OSError, ValueError, KeyError, TypeError):
            pass  # there is none, or none that can be read: begin anew

    @property
    def waiting(self) -> tuple[Slot, ...]:
        return tuple(map(Slot, self._waiting))

    def add(self, newest: Slot, accepted_since: Callable[[Slot], list[Slot]]) -> None:
        """All reports up to the newest one."""
        if newest == self._newest:
            return
        if 0 < self._newest < newest:
            self._waiting = [*self._waiting, *accepted_since(Slot(self._newest))][-MOST:]
        else:  # the first one, or another chain
            self._waiting = [newest]
        self._newest = newest
        self._keep()

    def settle(self, slot: Slot) -> None:
        self._waiting.remove(slot)
        self._keep()

    def _keep(self) -> None:
        kept = {"oracle": self._oracle, "newest": self._newest, "waiting": self._waiting}
        write_atomically(self._path, json.dumps(kept))
