"""What ape compiled is forgotten when any source changed: it would keep old code of imported files."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import fresh


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in fresh.INPUTS:
        (tmp_path / name).write_text("settings")
    (tmp_path / "contracts" / "libraries").mkdir(parents=True)
    (tmp_path / "contracts" / "libraries" / "Library.sol").write_text("library Library {}")
    fresh.refresh(tmp_path)
    (tmp_path / ".build" / "__local__.json").write_text("{}")
    return tmp_path


def compiled(root: Path) -> bool:
    return (root / ".build" / "__local__.json").exists()


def test_unchanged_sources_keep_what_was_compiled(root: Path) -> None:
    assert not fresh.refresh(root)
    assert compiled(root)


def test_a_changed_source_forgets_it(root: Path) -> None:
    (root / "contracts" / "libraries" / "Library.sol").write_text("library Library { }")
    assert fresh.refresh(root)
    assert not compiled(root)
    assert not fresh.refresh(root)


def test_a_renamed_source_forgets_it(root: Path) -> None:
    (root / "contracts" / "libraries" / "Library.sol").rename(root / "contracts" / "Library.sol")
    assert fresh.refresh(root)
    assert not compiled(root)


@pytest.mark.parametrize("name", fresh.INPUTS)
def test_changed_settings_forget_it(root: Path, name: str) -> None:
    (root / name).write_text("other settings")
    assert fresh.refresh(root)
    assert not compiled(root)


def test_unpacked_dependencies_are_no_sources(root: Path) -> None:
    (root / "contracts" / ".cache").mkdir()
    (root / "contracts" / ".cache" / "Dependency.sol").write_text("contract Dependency {}")
    assert not fresh.refresh(root)
