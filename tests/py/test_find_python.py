"""The Python that `make` sets up with: the first on PATH that fits, and words when there is none."""

import os
import subprocess
from pathlib import Path

import pytest

FIND = Path(__file__).resolve().parents[2] / "tools" / "find-python"


def fake(folder: Path, name: str, version: str) -> None:
    """A Python of a version: it runs the set-up's question as that version would answer it."""
    major, minor = version.split(".")[:2]
    fits = (3, 11) <= (int(major), int(minor)) < (3, 13)
    path = folder / name
    path.write_text(
        f'#!/bin/sh\nif [ "$1" = "--version" ]; then echo "Python {version}"; exit 0; fi\nexit {0 if fits else 1}\n'
    )
    path.chmod(0o755)


def find(folder: Path, python: str = "") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": str(folder), "PYTHON": python}
    return subprocess.run(["/bin/sh", str(FIND)], env=env, capture_output=True, text=True, timeout=60, check=False)


def test_python3_that_fits_is_taken(tmp_path: Path) -> None:
    fake(tmp_path, "python3", "3.12.4")
    fake(tmp_path, "python3.11", "3.11.9")
    assert find(tmp_path).stdout.strip() == str(tmp_path / "python3")


@pytest.mark.parametrize("other", ["python3.12", "python3.11"])
def test_another_name_is_taken_where_python3_does_not_fit(tmp_path: Path, other: str) -> None:
    fake(tmp_path, "python3", "3.13.1")
    fake(tmp_path, other, other.removeprefix("python") + ".1")
    assert find(tmp_path).stdout.strip() == str(tmp_path / other)


def test_what_was_found_is_named_with_what_to_do(tmp_path: Path) -> None:
    fake(tmp_path, "python3", "3.13.1")
    fake(tmp_path, "python", "2.7.18")
    answer = find(tmp_path)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert "needs Python 3.11 or 3.12" in answer.stderr
    assert "python3 is Python 3.13.1" in answer.stderr
    assert "python is Python 2.7.18" in answer.stderr
    assert "make PYTHON=" in answer.stderr


def test_no_python_at_all(tmp_path: Path) -> None:
    answer = find(tmp_path)
    assert answer.returncode == 1
    assert "none of these was found" in answer.stderr


def test_a_named_python_is_the_only_one_tried(tmp_path: Path) -> None:
    fake(tmp_path, "python3", "3.12.4")
    fake(tmp_path, "mine", "3.10.2")
    answer = find(tmp_path, "mine")
    assert answer.returncode == 1
    assert "mine is Python 3.10.2" in answer.stderr
    fake(tmp_path, "mine", "3.11.2")
    assert find(tmp_path, "mine").stdout.strip() == str(tmp_path / "mine")
