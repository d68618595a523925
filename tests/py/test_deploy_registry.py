"""The record of a deployment: stable, whole or absent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.deploy.errors import RegistryError
from sluice.deploy.registry import ContractRecord, Registry, StepRecord

ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def registry(*names: str) -> Registry:
    result = Registry(
        network="local",
        chain_id=31_337,
        genesis_hash="0x01",
        params_hash="0x02",
        deployer=ADDRESS,
        genesis_time=1_800_000_000,
        first_block=0,
    )
    for number, name in enumerate(names, start=1):
        result.contracts[name] = ContractRecord(address=ADDRESS, code_hash="0x03", gas_used=number)
    return result


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "local.json"
    written = registry("B", "A")
    written.configuration["roles"] = StepRecord(tx_hash="0x04", block=7, gas_used=10)
    written.write(path)
    assert Registry.read(path) == written
    assert written.gas_used == 13


def test_file_does_not_depend_on_the_order_of_steps(tmp_path: Path) -> None:
    registry("A", "B").write(tmp_path / "one.json")
    second = registry("B", "A")
    for number, name in enumerate(("A", "B"), start=1):
        second.contracts[name].gas_used = number
    second.write(tmp_path / "two.json")
    text = (tmp_path / "one.json").read_text()
    assert text == (tmp_path / "two.json").read_text()
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert text.endswith("}\n")


def test_write_leaves_nothing_else_behind(tmp_path: Path) -> None:
    path = tmp_path / "local.json"
    registry("A").write(path)
    registry("A", "B").write(path)
    assert [each.name for each in tmp_path.iterdir()] == ["local.json"]


def test_write_that_fails_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "local.json"
    registry("A").write(path)

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        registry("A", "B").write(path)
    assert set(Registry.read(path).contracts) == {"A"}


def test_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"nothing is deployed yet .* run `ape run deploy`"):
        Registry.read(tmp_path / "none.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"network": "local"}'])
def test_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "local.json"
    path.write_text(text)
    with pytest.raises(RegistryError, match=r"local\.json is damaged"):
        Registry.read(path)


def test_address_of_what_is_not_deployed_is_an_error() -> None:
    assert registry("StakingVault").address("StakingVault") == ADDRESS
    with pytest.raises(RegistryError, match="Other is not deployed on local: run `ape run deploy`"):
        registry("StakingVault").address("Other")
