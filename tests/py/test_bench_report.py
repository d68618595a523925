"""The benchmark of a report still runs; its figures are told by `make bench-report`, not by a test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_benchmark_of_a_report_goes_through_two_reports() -> None:
    command = [sys.executable, "-m", "tools.bench_report", "4096", "--ours", "1024"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("leaves of 1,024 validators") == 2, done.stdout
