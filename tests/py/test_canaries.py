"""A runner that cannot fail proves nothing: each is shown a test that must fail, and has to say so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    "command",
    [(sys.executable, "-m", "pytest", "-p", "no:ape_test"), ("ape", "test", "--network", "::test")],
    ids=["pytest", "ape"],
)
def test_J7_python_runner_reports_a_failure(command: tuple[str, ...]) -> None:
    answer = run(*command, "-o", "cache_dir=.cache/canary", "tests/canary/test_canary.py")
    assert "the canary sings" in answer.stdout, answer.stdout + answer.stderr
    assert "1 failed" in answer.stdout
    assert answer.returncode == 1


def test_J7_forge_reports_a_failure() -> None:
    answer = run("forge", "test", FOUNDRY_PROFILE="canary")
    assert "test_CanaryMustFail" in answer.stdout, answer.stdout + answer.stderr
    assert "0 tests passed, 1 failed" in answer.stdout
    assert answer.returncode == 1
