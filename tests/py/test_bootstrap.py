"""The set-up: what it refuses, what it notices, what it leaves alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import bootstrap


def stale(toolchain: bootstrap.Toolchain, made: Path, key: str = "key") -> str | None:
    return toolchain.why_stale("step", key, made)


@pytest.fixture
def toolchain(tmp_path: Path) -> bootstrap.Toolchain:
    return bootstrap.Toolchain(tmp_path)


@pytest.fixture
def made(toolchain: bootstrap.Toolchain) -> Path:
    folder = toolchain.root / "made"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "file").write_text("whole")
    toolchain.write_stamp("step", "key", folder)
    return folder


@pytest.mark.parametrize("version", [(3, 10, 14), (3, 13, 0), (2, 7, 18), (4, 0, 0)])
def test_wrong_python_is_named_with_what_to_do(version: tuple[int, ...]) -> None:
    with pytest.raises(bootstrap.SetupError) as error:
        bootstrap.check_python(version, "/opt/python")
    text = str(error.value)
    assert ".".join(map(str, version)) in text
    assert "/opt/python" in text
    assert "make PYTHON=" in text


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 9)])
def test_right_python_passes(version: tuple[int, ...]) -> None:
    bootstrap.check_python(version, "python3")


def test_whole_step_is_not_done_again(toolchain: bootstrap.Toolchain, made: Path) -> None:
    assert stale(toolchain, made) is None


def test_added_files_and_compiled_caches_are_left_alone(toolchain: bootstrap.Toolchain, made: Path) -> None:
    (made / "more").write_text("x")
    (made / "__pycache__").mkdir()
    (made / "__pycache__" / "a.pyc").write_text("x")
    assert stale(toolchain, made) is None


def test_changed_inputs_are_noticed(toolchain: bootstrap.Toolchain, made: Path) -> None:
    assert stale(toolchain, made, "other") == "its inputs changed"


def test_missing_file_is_noticed(toolchain: bootstrap.Toolchain, made: Path) -> None:
    (made / "below" / "file").unlink()
    assert stale(toolchain, made) == f"{made}/below/file is missing"


def test_file_cut_short_is_noticed(toolchain: bootstrap.Toolchain, made: Path) -> None:
    (made / "below" / "file").write_text("who")
    assert stale(toolchain, made) == f"{made}/below/file is damaged"


@pytest.mark.parametrize("content", ["", "{", "[]", "null", json.dumps({"key": "key"})])
def test_damaged_stamp_is_noticed(toolchain: bootstrap.Toolchain, made: Path, content: str) -> None:
    toolchain.stamp("step").write_text(content)
    assert stale(toolchain, made) == "its stamp is damaged"


def test_killed_step_leaves_no_stamp(toolchain: bootstrap.Toolchain, made: Path) -> None:
    def killed(_reason: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toolchain.step("step", "new key", made, "a step", killed)
    assert stale(toolchain, made) == "not done yet"


def test_failed_command_is_named_with_step_and_last_words(toolchain: bootstrap.Toolchain) -> None:
    words = [sys.executable, "-c", "import sys; print('first'); print('getaddrinfo ENOTFOUND'); sys.exit(7)"]
    with pytest.raises(bootstrap.SetupError) as error:
        toolchain.run("npm", words)
    text = str(error.value)
    assert "step 'npm' failed: exit 7 of: " in text
    assert "getaddrinfo ENOTFOUND" in text
    assert "looks like a network failure" in text
    assert "run the same again" in text


def test_failure_of_another_kind_does_not_blame_the_network(toolchain: bootstrap.Toolchain) -> None:
    with pytest.raises(bootstrap.SetupError) as error:
        toolchain.run("uv", [sys.executable, "-c", "raise SystemExit('hashes do not match')"])
    assert "hashes do not match" in str(error.value)
    assert "network" not in str(error.value)


def test_missing_command_is_named(toolchain: bootstrap.Toolchain) -> None:
    with pytest.raises(bootstrap.SetupError, match="step 'npm' failed: no-such-npm is missing"):
        toolchain.run("npm", ["no-such-npm", "ci"])


def test_command_without_end_is_ended(toolchain: bootstrap.Toolchain) -> None:
    with pytest.raises(bootstrap.SetupError, match="no end after"):
        toolchain.run("npm", [sys.executable, "-c", "import time; time.sleep(60)"], limit=0.2)
    assert toolchain.child is None


def test_second_set_up_waits_for_the_first(toolchain: bootstrap.Toolchain) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(bootstrap.__file__).parent)!r})\n"
        f"import bootstrap, pathlib\n"
        f"with bootstrap.Toolchain(pathlib.Path({str(toolchain.root)!r})).alone(): print('mine')\n"
    )
    with toolchain.alone():
        other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert "another set-up runs" in other.stdout.readline()
        assert other.poll() is None
    assert other.communicate(timeout=60)[0].strip() == "mine"
    assert other.returncode == 0


def test_locks_hold_hashes_and_no_addresses() -> None:
    root = Path(bootstrap.__file__).resolve().parent.parent
    for path in [root / "requirements.lock", *(root / "tools/requirements").glob("*.txt")]:
        text = path.read_text()
        assert "://" not in text
        assert "index-url" not in text
        for requirement in text.replace("\\\n", " ").splitlines():
            if requirement and not requirement.lstrip().startswith("#"):
                assert "==" in requirement, requirement
                assert "--hash=sha256:" in requirement, requirement
    packages = json.loads((root / "package-lock.json").read_text())["packages"]
    for name, package in packages.items():
        assert "resolved" not in package, name
        assert not name or package["integrity"].startswith("sha512-"), name


def test_own_folders_on_the_path_are_not_searched_for_node(tmp_path: Path) -> None:
    """A set-up in a shell that sourced tools/env.sh once linked .toolchain/bin/node to itself."""
    path = f"{tmp_path}/.toolchain/bin{os.pathsep}/usr/bin{os.pathsep}{tmp_path}/.venv/bin{os.pathsep}/bin"
    assert bootstrap.foreign_path(path, tmp_path) == f"/usr/bin{os.pathsep}/bin"
