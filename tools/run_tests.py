"""What `make test` runs: compile once, the canaries, the Python tests, the devnet, the tests on the chain.

Each group is its own pytest process, so that pure Python tests start no node. The last line counts them all.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OTHERS = {"py", "devnet", "forge", "canary"}  # folders of tests/ whose tests need no ape
COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed|deselected|warnings?)")
NO_TESTS = 5  # pytest's exit code


def counts(output: str) -> Counter[str]:
    """The figures of pytest's closing line."""
    for line in reversed(output.splitlines()):
        if re.search(r" in [\d.]+s", line) and (found := COUNT.findall(line)):
            return Counter({"errors" if what == "error" else what: int(n) for n, what in found})
    return Counter()


def forge_counts(output: str) -> Counter[str]:
    """The figures of forge's closing line."""
    found = re.findall(r"(\d+) tests passed, (\d+) failed, (\d+) skipped \(", output)
    passed, failed, skipped = map(int, found[-1]) if found else (0, 0, 0)
    return Counter(passed=passed, failed=failed, skipped=skipped)


def node_counts(output: str) -> Counter[str]:
    """The figures of Node's test runner (TAP)."""
    found = {what: int(n) for what, n in re.findall(r"^# (pass|fail|cancelled|skipped) (\d+)$", output, re.MULTILINE)}
    failed = found.get("fail", 0) + found.get("cancelled", 0)
    return Counter(passed=found.get("pass", 0), failed=failed, skipped=found.get("skipped", 0))


def parallel(chosen: list[str]) -> list[str]:
    """Two processes more than cores for a whole run, each waits half of its time for its own node; four at most. One
    for a choice; JOBS says otherwise.

    A file stays in one process: its fixtures of module scope are made once.
    """
    jobs = int(os.environ.get("JOBS") or (1 if chosen else min(4, (os.cpu_count() or 1) + 2)))
    return ["-n", str(jobs), "--dist", "loadfile", "--no-loadscope-reorder"] if jobs > 1 else []


def chain_folders(tests: Path) -> list[str]:
    """The folders below tests/ that hold tests for ape's runner; last the one with many small files, so that no process
    ends long before another.
    """
    folders = {path.relative_to(tests).parts[0] for path in tests.glob("*/**/test_*.py")}
    return [f"tests/{name}" for name in sorted(folders - OTHERS, key=lambda name: (name == "unit", name))]


def machines(tests: Path) -> list[str]:
    """Random lives, which read the profile: the rest would only be run a second time in a deep run."""
    others = "adversary/test_modules_apart.py", "integration/test_model_agreement.py", "markets/test_core_untouched.py"
    models = [*tests.glob("unit/test_*_model.py"), *(tests / name for name in others)]
    return ["tests/stateful", *sorted(f"tests/{path.relative_to(tests)}" for path in models if path.exists())]


def run(title: str, command: list[str], env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a command, its output shown as it comes and kept."""
    print(f"\n--- {title}: {' '.join(command)}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="anvil-", ignore_cleanup_errors=True) as states,  # tools/bin/anvil
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "ANVIL_STATES": states, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        assert process.stdout is not None
        kept: list[str] = []
        for raw in process.stdout:
            line = raw.decode(errors="replace")
            kept.append(line)
            sys.stdout.write(line)
            sys.stdout.flush()
    return process.returncode, "".join(kept)


def forge_build(env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Begun beside ape's compilation: each takes one core. What fails is told by `forge test`."""
    null = subprocess.DEVNULL
    return subprocess.Popen(["forge", "build"], cwd=ROOT, env={**os.environ, **env}, stdout=null, stderr=null)


def main(arguments: list[str]) -> int:
    deep = "--deep" in arguments
    chosen = [word for word in arguments if word != "--deep"]
    env = {"HYPOTHESIS_PROFILE": "deep"} if deep else {}
    start = time.monotonic()
    total: Counter[str] = Counter()
    failed: list[str] = []

    plain = [sys.executable, "-m", "pytest", "-p", "no:ape_test"]

    def pytest(title: str, command: list[str]) -> None:
        code, output = run(title, [*command, *chosen], env)
        if code == NO_TESTS:
            print(f"    ({title}: no test was chosen)")
        elif code:
            failed.append(f"{title} (exit {code})")
        total.update(counts(output))

    has_forge = not chosen and any((ROOT / "tests/forge").glob("**/*.t.sol"))
    profile = {"FOUNDRY_PROFILE": "deep"} if deep else {}
    with forge_build(profile) if has_forge else nullcontext():
        code, _ = run("compile", ["ape", "compile"])
    if code:
        print("error: the contracts do not compile", file=sys.stderr)
        return 1
    if not deep:
        pytest("Python", [*plain, *parallel(chosen), "tests/py"])
    # the devnet: on anvil, in a deep run on a real execution client (tests/devnet/conftest.py)
    pytest("devnet", [*plain, *parallel(chosen), "-m", "not anvil" if deep else "not deep", "tests/devnet"])
    if not deep and not chosen:  # what is chosen is pytest's to understand
        files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "devnet/test").glob("*.test.mjs"))
        code, output = run("node", ["node", "--test", "--test-reporter=tap", *files])
        if code:
            failed.append(f"node (exit {code})")
        total.update(node_counts(output))
    if folders := machines(ROOT / "tests") if deep else chain_folders(ROOT / "tests"):
        pytest("chain", ["ape", "test", *parallel(chosen), *folders])
    if has_forge:
        code, output = run("forge", ["forge", "test"], profile)
        if code:
            failed.append(f"forge (exit {code})")
        total.update(forge_counts(output))
    bad = total["failed"] + total["errors"]
    print(f"\n{time.monotonic() - start:.0f} s" + (f"; failed: {', '.join(failed)}" if failed else ""))
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"{total['passed']} passed, {bad} failed{skipped}")
    return 1 if failed or bad or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
