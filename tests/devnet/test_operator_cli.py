"""docs/operators.md: every command of the page, in its order, from nothing to an active validator."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from eth_account import Account

from sluice.cli.main import cli
from sluice.keeper.daemon import KeeperDaemon, KeeperSettings
from tests.devnet.protocol import ETHER, account
from tests.devnet.world import World, open_world

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operators.md"
COMMANDS = re.findall(r"^    (sluice operator .*)$", PAGE.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(Path(tmp_path_factory.mktemp("protocol"))) as opened:
        yield opened


@pytest.fixture
def environment(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    key, password = tmp_path / "key.json", tmp_path / "password"
    key.write_text(json.dumps(Account.encrypt(account(8).key, "secret", kdf="pbkdf2", iterations=1000)))
    password.write_text("secret")
    for name, value in (
        ("SLUICE_RPC", world.devnet.execution_url),
        ("SLUICE_BEACON", world.devnet.beacon_urls[0]),
        ("SLUICE_ORACLE", world.protocol.contracts.oracle),
        ("SLUICE_KEY_FILE", str(key)),
        ("SLUICE_PASSWORD_FILE", str(password)),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(world: World, command: str) -> Any:
    words = shlex.split(command.replace("$REWARDS", account(8).address))[1:]
    with world.devnet.mining():
        return CliRunner().invoke(cli, words)


def keep(world: World, folder: Path) -> str:
    settings = KeeperSettings(
        execution_urls=(world.devnet.execution_url,),
        beacon_urls=(world.devnet.beacon_urls[0],),
        oracle=world.protocol.contracts.oracle,
        first_block=world.protocol.first,
        state_dir=folder,
        receipt_seconds=20.0,
    )
    with world.devnet.mining():
        return KeeperDaemon.of(settings, account(4)).step()


def test_commands_of_the_page_lead_to_an_active_validator(world: World, environment: Path) -> None:
    assert [command.split()[2] for command in COMMANDS] == ["register", "bond", "deposit-data", "prepare", "status"]
    register, bond, data, prepare, status = COMMANDS
    result = run(world, register)
    assert result.exit_code == 0, result.output
    assert result.output == "operator 1: up to 2,048 ether, bond 10% of it\n"
    assert run(world, bond).output.startswith("bond of operator 1: ")
    assert run(world, data).exit_code == 0
    secrets = (environment / "keys.txt").read_text().split()
    world.devnet.add_keys(bytes.fromhex(each) for each in secrets)
    result = run(world, prepare)
    assert result.exit_code == 0, result.output
    assert "1 of 1: 0x" in result.output
    assert "prepared now" in result.output
    # again, as after an interruption: nothing is done twice
    assert "prepared now" not in run(world, prepare).output
    assert "is there already" in run(world, data).output
    (key,) = (bytes.fromhex(each["pubkey"]) for each in json.loads((environment / "deposit_data.json").read_text()))
    for _ in range(60):
        if world.devnet.beacon.validator(key) is not None:
            break
        world.devnet.advance_epochs(1)
    world.devnet.finalize(world.devnet.status().slot)
    assert "prove (" in keep(world, environment / "keeper")
    assert "topped up (" in keep(world, environment / "keeper")
    for _ in range(60):
        found = world.devnet.beacon.validator(key)
        if found is not None and found.status == "active_ongoing":
            break
        world.devnet.advance_epochs(1)
    output = run(world, status).output
    assert "active_ongoing" in output
    assert "proven" in output
    assert int(world.protocol.view("ValidatorManager", "stakeOf", 1)[0]) > 32 * ETHER
    world.books.check()


def test_what_is_wrong_is_named(world: World, environment: Path) -> None:
    file = environment / "bad.json"
    for text, words in (
        ("{", "is no deposit data"),
        ("[1]", "is no deposit data"),
        ('[{"pubkey": "00"}]', "is no deposit data"),
        (item(credentials="01" + 31 * "00"), "its credentials are 0x01"),
        (item(amount=32 * ETHER, credentials=world.protocol.credentials.hex()), "a preparation is 1 ether"),
        (item(credentials=world.protocol.credentials.hex()), "its signature is not valid on this chain"),
    ):
        file.write_text(text)
        result = run(world, "sluice operator prepare 1 bad.json")
        assert (result.exit_code, words in result.output) == (1, True), result.output
    assert "cannot be read" in run(world, "sluice operator prepare 1 absent.json").output
    assert "refused: OperatorUnknown(99)" in run(world, "sluice operator bond 99 --ether 1").output
    result = run(world, "sluice operator status 1 --rpc http://127.0.0.1:1")
    assert "does not answer as an execution node" in result.output


def item(*, credentials: str, amount: int = ETHER) -> str:
    made = {
        "pubkey": "aa" * 48,
        "withdrawal_credentials": credentials,
        "amount": amount,
        "signature": "bb" * 96,
    }
    return json.dumps([made])
