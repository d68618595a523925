"""docs/invariants.md and the tests that name its ids, in both directions."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ID = re.compile(r"INV-[A-Z]{3}-\d{2}")


def named_in_tests() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("*")):
        if path.suffix in (".py", ".sol") and path != Path(__file__).resolve():
            for name in set(ID.findall(path.read_text(encoding="utf-8"))):
                found.setdefault(name, []).append(str(path.relative_to(ROOT)))
    return found


def on_the_page() -> list[str]:
    return re.findall(rf"^\| ({ID.pattern}) \|", (ROOT / "docs" / "invariants.md").read_text(), flags=re.MULTILINE)


def test_no_id_stands_twice() -> None:
    page = on_the_page()
    assert len(page) == len(set(page)) > 40


def test_every_invariant_is_named_by_a_test_that_holds_it() -> None:
    assert set(on_the_page()) - named_in_tests().keys() == set()


def test_every_id_in_the_tests_is_on_the_page() -> None:
    assert {name: where for name, where in named_in_tests().items() if name not in on_the_page()} == {}
