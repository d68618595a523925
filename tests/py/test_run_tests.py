"""The figures that `make test` closes with."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import run_tests


@pytest.mark.parametrize(
    ("line", "passed", "failed", "errors"),
    [
        ("======= 17 passed in 0.65s =======", 17, 0, 0),
        ("== 2 failed, 26 passed, 1 skipped, 3 warnings in 11.76s ==", 26, 2, 0),
        ("== 1 failed, 2 errors in 61.02s (0:01:01) ==", 0, 1, 2),
        ("== 1 passed, 1 error in 1.02s ==", 1, 0, 1),
        ("== no tests ran in 0.01s ==", 0, 0, 0),
    ],
)
def test_pytest_closing_line(line: str, passed: int, failed: int, errors: int) -> None:
    found = run_tests.counts(f"3 passed\n{line}\nlast words\n")
    assert (found["passed"], found["failed"], found["errors"]) == (passed, failed, errors)


def test_forge_closing_line() -> None:
    line = "Ran 2 test suites in 76ms (9ms CPU time): 5 tests passed, 1 failed, 2 skipped (8 total tests)"
    assert run_tests.forge_counts(line) == {"passed": 5, "failed": 1, "skipped": 2}


def test_node_closing_lines() -> None:
    lines = "ok 1 - # pass 9\n# tests 9\n# pass 5\n# fail 1\n# cancelled 2\n# skipped 1\n# todo 0\n"
    assert run_tests.node_counts(lines) == {"passed": 5, "failed": 3, "skipped": 1}


def test_chain_folders_hold_tests_for_ape(tmp_path: Path) -> None:
    for name in (
        "py/test_a.py",
        "unit/test_b.py",
        "deep/below/test_c.py",
        "forge/x.py",
        "help/y.py",
        "devnet/test_e.py",
        "canary/test_d.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert run_tests.chain_folders(tmp_path) == ["tests/deep", "tests/unit"]


def test_whole_runs_take_four_processes_and_choices_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOBS", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert run_tests.parallel([]) == ["-n", "4", "--dist", "loadfile", "--no-loadscope-reorder"]
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert run_tests.parallel([]) == ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]
    assert run_tests.parallel(["-k", "queue"]) == []
    monkeypatch.setenv("JOBS", "2")
    assert run_tests.parallel(["-k", "queue"]) == ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    monkeypatch.setenv("JOBS", "1")
    assert run_tests.parallel([]) == []
