"""docs/security.md names tests that exist, and at least one for every row that applies."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ROWS = {"A": 9, "B": 8, "C": 11, "D": 11, "E": 7, "F": 8, "G": 5, "H": 4, "I": 3, "J": 7}
NOT_OURS = {"B2", "B3", "G5"}
"""Rows that do not apply; the page says why."""


@cache
def rows() -> dict[str, list[str]]:
    """The cells of every row by its id."""
    lines = (ROOT / "docs" / "security.md").read_text().splitlines()
    lines = [line for line in lines if re.match(r"\| [A-J]\d+ \|", line)]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len({row[0] for row in cells}) == len(cells), "a row is there twice"
    return {row[0]: row for row in cells}


@cache
def defined() -> set[str]:
    """Every test in Python and Solidity."""
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("*"):
        if path.suffix in (".py", ".sol"):
            found |= set(re.findall(r"^\s*(?:async )?(?:def|function) (test\w+)\(", path.read_text(), re.MULTILINE))
    return found


def named(text: str) -> list[str]:
    return re.findall(r"`(test\w+)`", text)


def test_every_row_is_there() -> None:
    assert list(rows()) == [f"{letter}{number}" for letter, last in ROWS.items() for number in range(1, last + 1)]


def test_every_test_that_the_page_names_exists() -> None:
    names = named((ROOT / "docs" / "security.md").read_text())
    assert len(names) > 100
    assert [name for name in names if name not in defined()] == []


def test_every_row_that_applies_has_a_test_and_the_others_say_why() -> None:
    for row, (_, attack, mechanism, tests) in rows().items():
        assert attack, row
        if row in NOT_OURS:
            assert mechanism.startswith("does not apply"), row
            assert not tests, row
        else:
            assert mechanism, row
            assert any(f"_{row}_" in name for name in named(tests)), f"no test of {row} carries it in its name"


def test_a_row_in_the_name_of_a_test_is_a_row_of_the_page() -> None:
    letters = "".join(ROWS)
    for name in sorted(defined()):
        for row in re.findall(rf"(?<=_)([{letters}]\d+)(?=_)", name):
            assert row in rows().keys() - NOT_OURS, name
