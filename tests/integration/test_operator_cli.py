"""`sluice operator` on a chain that a test can send ahead: from the bond to the bond's way back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import ape
import pytest
from click.testing import CliRunner

from sluice.cli import operator
from sluice.cli.main import cli
from sluice.daemon.sender import Sender
from sluice.operators import OperatorError, Operators
from sluice.units import ether
from tests.protocol import Protocol

Operate = Callable[[str], str]


@pytest.fixture
def operate(protocol: Protocol, tmp_path: Path) -> Operate:
    """A command of the account 8; what it says, an error included."""
    key_file, password_file = tmp_path / "key.json", tmp_path / "password"
    files = ["--key-file", str(key_file), "--password-file", str(password_file)]
    made = CliRunner().invoke(cli, ["devnet", "keystore", "8", *files])
    assert protocol.actors.other.address in made.output
    environment = {
        "SLUICE_RPC": ape.chain.provider.uri,
        "SLUICE_ORACLE": protocol.oracle.address,
        "SLUICE_OPERATOR_KEY_FILE": str(key_file),
        "SLUICE_OPERATOR_PASSWORD_FILE": str(password_file),
    }

    def run(command: str) -> str:
        result = CliRunner(mix_stderr=False).invoke(cli, ["operator", *command.split()], env=environment)
        assert (result.exit_code != 0) == ("Error: " in result.stderr), result.stderr
        return str(result.stdout + result.stderr) if result.exit_code else str(result.stdout)

    return run


def test_bond_goes_in_and_comes_back_after_the_delay(protocol: Protocol, operate: Operate) -> None:
    rewards = protocol.actors.treasury.address
    assert operate(f"register --rewards {rewards}").startswith("operator 1: ")
    assert operate("bond 1 --ether 2.5") == "bond of operator 1: 2.500000 slETH, 0.000000 required\n"
    assert "refused: NothingLeaves(1): ask first: `sluice operator unbond`" in operate("withdraw 1")
    assert "refused: AmountAboveBond(1, " in operate("unbond 1 --sleth 2.6")
    asked = operate("unbond 1 --sleth 1")
    bond = protocol.bonds.bondOf(1)
    assert (bond.shares, bond.leaving) == (ether("1.5"), ether(1))
    assert asked.startswith("1.000000 slETH leave from ")
    assert f"refused: StillLocked({bond.leavingFrom}): the time" in operate("withdraw 1")
    refused = operate("unbond 1")
    assert "1.000000 slETH leave from " in refused
    assert "all of it waits for the whole delay anew: --again does that" in refused
    assert operate("unbond 1 --again").startswith("2.500000 slETH leave from "), "the rest, too"
    assert re.search(r"leaves the bond +│ 2\.500000 slETH, from 20..-..-.. ..:..", operate("status 1"))
    ape.chain.mine(timestamp=protocol.bonds.bondOf(1).leavingFrom)
    assert operate("withdraw 1") == f"2.500000 slETH are with {rewards}\n"
    assert protocol.token.balanceOf(rewards) == ether("2.5")
    assert "nothing is above the 0.000000 slETH that are required" in operate("unbond 1")


def test_registering_twice_is_asked_for_by_name(protocol: Protocol, operate: Operate) -> None:
    rewards = protocol.actors.treasury.address
    operate(f"register --rewards {rewards}")
    again = operate(f"register --rewards {rewards}")
    assert f"{protocol.actors.other.address} manages operator 1 already; --another registers one more" in again
    assert protocol.registry.count() == 1
    assert operate(f"register --rewards {rewards} --another").startswith("operator 2: ")


def test_who_stops_it_learns_what_may_still_happen(
    protocol: Protocol, operate: Operate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run would pay twice."""
    operate(f"register --rewards {protocol.actors.treasury.address}")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Sender, "_receipt", stop)
        said = operate("bond 1 --ether 1")
    sent = re.findall(r"sent (0x[0-9a-f]{64}), waiting for its block\n", said)
    assert len(sent) == 1
    assert said.endswith(f"Error: stopped; {sent[0]} may still get into a block: look before you run this again\n")
    ape.chain.mine()
    assert protocol.bonds.bondOf(1).shares == ether(1)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("bond 1 --ether abc", "amount 'abc' is not a number"),
        ("bond 1 --ether 0", "amount '0' must be above zero"),
        ("bond 0 --ether 1", "0 is not in the range x>=1"),
        ("bond 9 --ether 1", "refused: OperatorUnknown(9)"),
        ("bond 1 --ether 99999999", " refused: eth_call: Insufficient funds"),
        ("exit 1 absent.json --ether 1.0000000001", "1000000000100000000 wei is no whole number of gwei"),
        ("unbond 9", "refused: OperatorUnknown(9)"),
        ("deposit-data --secrets one.txt --out ./one.txt", "--secrets and --out are one file: give two"),
    ],
)
def test_what_is_wrong_is_named(operate: Operate, command: str, says: str) -> None:
    assert says in " ".join(operate(command).split())


def test_exit_that_fails_midway_says_what_was_asked(operate: Operate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of three batches; without the consensus layer, which says nothing of it."""
    keys = [bytes([each]) * 48 for each in range(3)]
    asked: list[bytes] = []

    def ask(_: Operators, __: Sender, ___: int, batch: list[bytes], ____: int) -> None:
        if asked:
            raise OperatorError("refused: FeeTooLow()")
        asked.extend(batch)

    monkeypatch.setattr(operator, "MAX_BATCH", 1)
    monkeypatch.setattr(operator, "BeaconClient", MagicMock())
    monkeypatch.setattr(operator, "read_deposit_data", lambda *_: [SimpleNamespace(pubkey=each) for each in keys])
    monkeypatch.setattr(operator, "read_reasons", lambda *_: dict.fromkeys(keys))
    monkeypatch.setattr(Operators, "ask", ask)
    said = operate("exit 1 any.json")
    assert said == f"0x{keys[0].hex()[:16]}... asked to leave\nError: refused: FeeTooLow()\n"
