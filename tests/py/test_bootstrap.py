"""The set-up: what it refuses, what it notices, what it leaves alone."""

import json
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
