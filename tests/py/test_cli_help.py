"""What `sluice` says of itself, and `sluice operator` of what is typed wrong, without a chain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
from click.testing import CliRunner

from sluice.chain.node import HttpNode, NodeError
from sluice.cli.main import cli
from sluice.cli.operator import operator

ORACLE = "0x" + "11" * 20
SIGNING = {"register", "bond", "prepare", "exit", "unbond", "withdraw"}


def run(*words: str) -> str:
    result = CliRunner().invoke(cli, ["operator", *words], env={"SLUICE_ORACLE": ORACLE})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return " ".join(result.output.split())


@pytest.mark.parametrize("name", sorted(operator.commands))
def test_help_has_an_example_and_says_what_each_option_is(name: str) -> None:
    said = run(name, "--help")
    assert f"Example: sluice operator {name} " in said
    assert all(
        getattr(option, "help", "") for option in operator.commands[name].params if option.param_type_name == "option"
    )
    variables = {"SLUICE_RPC", "SLUICE_ORACLE"}
    if name in SIGNING:
        variables |= {"SLUICE_OPERATOR_KEY_FILE", "SLUICE_OPERATOR_PASSWORD_FILE", "SLUICE_MAX_FEE_GWEI"}
    assert [each for each in sorted(variables) if f"env var: {each};" not in said] == []


def every(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from every(below, (*path, name))


@pytest.mark.parametrize("path", list(every(cli)), ids=" ".join)
def test_help_of_every_command_has_an_example(path: tuple[str, ...]) -> None:
    said = " ".join(CliRunner().invoke(cli, [*path, "--help"]).output.split())
    assert re.search(rf"Examples?(?: \(.*?\))?: {' '.join(['sluice', *path])}\b", said), said


@pytest.mark.parametrize("given", ["0x123", "treasury", "0x" + "gg" * 20])
def test_what_is_no_address_is_named(given: str) -> None:
    files = ("--key-file", "absent", "--password-file", "absent")
    assert f"Invalid value for '--rewards': '{given}' is not an address" in run("register", "--rewards", given, *files)
    assert f"Invalid value for '--oracle': '{given}' is not an address" in run("status", "1", "--oracle", given)


def test_address_with_a_wrong_checksum_is_taken_for_mistyped() -> None:
    given = "0x976eA74026E726554dB657fA54763abd0C3a0aa9"
    assert f"'{given}' has a wrong checksum: is it mistyped?" in run("status", "1", "--oracle", given)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            NodeError("eth_call", -32003, "Insufficient funds for gas * price + value", None),
            "http://a refused: eth_call: Insufficient funds for gas * price + value (code -32003)",
        ),
        (httpx.ConnectError("connection refused"), "http://a does not answer as an execution node: connection refused"),
    ],
)
def test_node_that_refuses_is_not_taken_for_one_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, error: Exception, says: str
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(HttpNode, "batch", fail)
    assert run("status", "1", "--rpc", "http://a") == f"Error: {says}"


def test_key_and_password_are_not_written_to_one_file(tmp_path: Path) -> None:
    one = str(tmp_path / "one")
    made = CliRunner().invoke(cli, ["devnet", "keystore", "1", "--key-file", one, "--password-file", one])
    assert "--key-file and --password-file are one file: give two" in made.output
    assert made.exit_code != 0
    assert not list(tmp_path.iterdir())
