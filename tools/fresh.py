"""Forget what ape compiled when any source has changed since.

ape compiles again only the files that changed themselves: a contract keeps the old code of a library or a
constant that it imports. And what it compiles in parts has other metadata than the same sources compiled
together. So it is all of them or none.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INPUTS = ("ape-config.yaml", "package-lock.json")


def key(root: Path) -> str:
    """The hash of every source and of what decides how it is compiled."""
    sources = sorted(path for path in (root / "contracts").rglob("*.sol") if ".cache" not in path.parts)
    total = hashlib.sha256()
    for path in [*(root / name for name in INPUTS), *sources]:
        data = path.read_bytes()
        total.update(f"{path.relative_to(root).as_posix()} {len(data)}\n".encode() + data)
    return total.hexdigest()


def refresh(root: Path) -> bool:
    """True where something compiled was out of date and is gone now."""
    build = root / ".build"
    stamp = build / "sources.sha256"
    now = key(root)
    if stamp.is_file() and stamp.read_text() == now:
        return False
    build.mkdir(exist_ok=True)
    (build / "__local__.json").unlink(missing_ok=True)
    # dependencies unpacked by an ape that ran without tools/env.sh hide the sources from ape
    shutil.rmtree(root / "contracts" / ".cache", ignore_errors=True)
    stamp.write_text(now)
    return True


if __name__ == "__main__":
    refresh(ROOT)
