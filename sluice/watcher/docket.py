"""Which reports are still to be judged: kept on the disk, so that none accepted meanwhile is left out."""

import json
from collections import Counter
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
        self._newest, self._digest = 0, ""
        self._waiting: list[Slot] = []
        self._tries: Counter[int] = Counter()
        self.said = ""
        """Of the one settled last."""
        self.was_true = True
        try:
            kept = json.loads(path.read_text())
            if kept["oracle"] == oracle:
                waiting = [Slot(int(each)) for each in kept["waiting"]]
                newest, digest, said, was_true = kept["newest"], kept["digest"], kept["said"], kept["was_true"]
                self._newest, self._digest, self._waiting = int(newest), str(digest), waiting
                self.said, self.was_true = str(said), bool(was_true)
        except (OSError, ValueError, KeyError, TypeError):
            pass  # there is none, or none that can be read: begin anew

    @property
    def waiting(self) -> tuple[Slot, ...]:
        return tuple(self._waiting)

    def add(self, newest: Slot, digest: str, accepted_since: Callable[[Slot], list[Slot]]) -> None:
        """All reports up to the newest one; that again where another took its place in a reorganisation. ``digest`` is
        zero where the oracle takes no report as its newest any more.
        """
        if newest == self._newest and (digest == self._digest or not int(digest, 16)):
            return
        found = {newest}
        if 0 < self._newest <= newest:  # else it is the first one, or another chain
            found |= {*self._waiting, *(each for each in accepted_since(Slot(self._newest)) if each < newest)}
        self._waiting = sorted(found)[-MOST:]
        self._newest, self._digest = newest, digest
        self._keep()

    def fails(self, slot: Slot) -> int:
        """How often it could not be judged, this time included."""
        self._tries[slot] += 1
        return self._tries[slot]

    def settle(self, slot: Slot, said: str, *, is_true: bool) -> None:
        self._waiting.remove(slot)
        self.said, self.was_true = said, is_true
        self._keep()

    def _keep(self) -> None:
        kept = {
            "oracle": self._oracle,
            "newest": self._newest,
            "digest": self._digest,
            "waiting": self._waiting,
            "said": self.said,
            "was_true": self.was_true,
        }
        write_atomically(self._path, json.dumps(kept))
