"""`sluice devnet ...` as a person uses it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sluice.devnet import Devnet
from tests.devnet.test_processes import all_gone

pytestmark = pytest.mark.anvil  # a deep run has nothing to add

SLUICE = str(Path(sys.executable).with_name("sluice"))


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SLUICE, "devnet", *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def up() -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [SLUICE, "devnet", "up", "--manual", "--json", "--execution-port", "0", "--beacon-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            assert process.stderr is not None
            raise AssertionError(process.stderr.read())
        yield process, json.loads(line)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)


def test_up_until_ctrl_c(up: tuple[subprocess.Popen[str], dict[str, Any]]) -> None:
    process, found = up
    assert set(found["processes"]) == {"anvil", "consensus"}
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert all_gone(list(found["processes"].values()))


def test_up_ends_with_an_error_when_a_half_dies(up: tuple[subprocess.Popen[str], dict[str, Any]]) -> None:
    process, found = up
    os.kill(found["processes"]["consensus"], signal.SIGKILL)
    assert process.wait(20) == 1
    assert process.stderr is not None
    assert "consensus has ended (exit -9)" in process.stderr.read()
    assert all_gone(list(found["processes"].values()))


@pytest.mark.parametrize("option", ["--execution-port", "--beacon-port"])
def test_port_that_is_taken_says_how_to_choose_another(option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = {"--execution-port": "0", "--beacon-port": "0"} | {option: str(taken.getsockname()[1])}
        answer = run("up", "--manual", *(word for pair in ports.items() for word in pair))
    assert answer.returncode == 1
    assert answer.stderr.endswith("choose other ports with --execution-port and --beacon-port\n")


def test_status_and_advance(devnet: Devnet) -> None:
    before = devnet.status().slot
    answer = run("advance", "--slots", "2", "--skip", "1", "--json", "--url", devnet.beacon_url)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["slot"] == before + 3
    answer = run("advance", "--epochs", "1", "--url", devnet.beacon_url)
    slot = devnet.status().slot
    assert slot == ((before + 3) // 8 + 1) * 8
    assert f"│ {slot}" in answer.stdout
    shown = json.loads(run("status", "--json", "--url", devnet.beacon_url).stdout)
    assert (shown["slot"], shown["realtime"]) == (slot, False)
    assert shown["stats"]["slots"] > 0


def test_nobody_there_says_how_to_start_one() -> None:
    answer = run("status", "--url", "http://127.0.0.1:1")
    assert answer.returncode == 1
    assert "start one with `sluice devnet up`" in answer.stderr


@pytest.mark.parametrize("words", ["up --config X", "up --validators 7", "advance --epochs 1 --skip 1"])
def test_wrong_words_are_usage_errors(words: str) -> None:
    answer = run(*words.split())
    assert answer.returncode == 2
    assert "Error:" in answer.stderr


def test_help_has_examples() -> None:
    answer = run("up", "--help")
    assert answer.returncode == 0
    assert "sluice devnet up --backend ethereumjs" in answer.stdout
