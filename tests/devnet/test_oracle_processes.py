"""A member of the oracle as a process: killed anywhere, told to stop, started with wrong settings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from sluice.chain.node import get_block, get_logs
from sluice.oracle.daemon import CRASH
from tests.devnet.altered import altered
from tests.devnet.committee import committee, make_well, member, one_at_work, reported, rounds
from tests.devnet.protocol import account
from tests.devnet.world import World

PASSWORD = "correct horse"
DEEP = pytest.mark.deep
STEPS = [
    pytest.param("built", marks=DEEP),
    pytest.param("in the journal", marks=DEEP),
    "signed",
    pytest.param("published", marks=DEEP),
    pytest.param("before submission", marks=DEEP),
    "sent",
]
WAITING = "while its vote waits for a block"
VOTE_STEPS = [pytest.param("published", marks=DEEP), WAITING, pytest.param("sent", marks=DEEP)]
VOTED = keccak(text="Voted(address,bytes32,uint256)")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from one_at_work(tmp_path_factory)


@pytest.fixture(autouse=True)
def conserved(world: World) -> Iterator[None]:
    yield
    make_well(world)


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("key")
    key, password = folder / "key.json", folder / "password"
    key.write_text(json.dumps(Account.encrypt(account(19).key, PASSWORD, kdf="pbkdf2", iterations=1000)))
    password.write_text(PASSWORD + "\n")
    return key, password


def process(world: World, folder: Path, keystore: tuple[Path, Path], *words: str, **env: str) -> subprocess.Popen[str]:
    config = folder / "oracle.yaml"
    folder.mkdir(exist_ok=True)
    config.write_text(
        json.dumps(
            {
                "execution_urls": [world.devnet.execution_url],
                "beacon_urls": list(world.devnet.beacon_urls),
                "oracle": world.protocol.contracts.oracle,
                "first_block": world.protocol.first,
                "state_dir": str(folder / "state"),
                "takeover_seconds": 0,
                "poll_seconds": 0.3,
                "receipt_seconds": 20.0,
                "vote_after": 0.999,
            }
        )
    )
    key, password = keystore
    given = {"SLUICE_KEY_FILE": str(key), "SLUICE_PASSWORD_FILE": str(password)} | env
    return subprocess.Popen(
        [sys.executable, "-m", "sluice.cli", "oracle", "run", "--config", str(config), *words],
        env=os.environ | given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("step", STEPS)
def test_killed_anywhere_it_signs_one_report_and_goes_on(
    world: World, tmp_path: Path, keystore: tuple[Path, Path], step: str
) -> None:
    """kill -9 at every step, then a new process: one report, one digest in the journal."""
    world.protocol.next_frame()
    with committee(world, tmp_path / "others", [1, 2, 3, 4], takeover_seconds=1e6) as others:
        rounds(world, others)
        urls = ",".join(f"http://127.0.0.1:{each.service.port}" for each in others)
        with world.devnet.mining():
            first = process(world, tmp_path / "mine", keystore, "--once", SLUICE_PEERS=urls, **{CRASH: step})
            output, _ = first.communicate(timeout=60)
            assert first.returncode == -signal.SIGKILL, output
            for _ in range(3):
                again = process(world, tmp_path / "mine", keystore, "--once", SLUICE_PEERS=urls)
                output, _ = again.communicate(timeout=60)
                assert again.returncode == 0, output
                if reported(world):
                    break
    assert reported(world), output
    slot = world.protocol.view("ReportOracle", "expected")[0]
    journal = json.loads((tmp_path / "mine" / "state" / "signed.json").read_text())
    newest = bytes(world.protocol.view("ReportOracle", "newest"))
    assert journal == {str(slot): newest.hex()}


def votes(world: World) -> int:
    """Of the member whose process is killed, so far."""
    node, protocol = world.devnet.node, world.protocol
    who = bytes.fromhex(account(10).address[2:])
    logs = get_logs(node, protocol.contracts.oracle, [VOTED], protocol.first, get_block(node).number)
    return sum(log.topics[1][12:] == who for log in logs)


@pytest.mark.parametrize("step", VOTE_STEPS)
def test_killed_around_its_vote_it_votes_once_and_goes_on(
    world: World, tmp_path: Path, keystore: tuple[Path, Path], step: str
) -> None:
    """kill -9 where members reach nobody: a new process votes where that is missing, the fifth vote is the report."""
    protocol, devnet = world.protocol, world.devnet
    protocol.next_frame()
    *before, last = [member(world, tmp_path / "others", index, vote_after=0.001) for index in (1, 2, 3, 4)]
    rounds(world, before, 1)
    env = {"SLUICE_VOTE_AFTER": "0.001"}
    voted = votes(world)
    first = process(world, tmp_path / "mine", keystore, "--once", **env | {CRASH: step})
    if step == WAITING:
        while not devnet.waiting:
            assert first.poll() is None
            time.sleep(0.01)
        first.kill()
    with devnet.mining():
        output, _ = first.communicate(timeout=60)
        assert first.returncode == -signal.SIGKILL, output
        assert step == WAITING or votes(world) - voted == (step == "sent")
        for _ in range(2):
            again = process(world, tmp_path / "mine", keystore, "--once", **env)
            output, _ = again.communicate(timeout=60)
            assert again.returncode == 0, output
            if "voted; others have not yet" in output:
                break
    assert "voted; others have not yet" in output
    assert votes(world) == voted + 1
    assert not reported(world)
    rounds(world, [last], 1)
    assert reported(world)
    slot, newest = protocol.view("ReportOracle", "expected")[0], bytes(protocol.view("ReportOracle", "newest"))
    journal = json.loads((tmp_path / "mine" / "state" / "signed.json").read_text())
    assert journal == {str(slot): newest.hex()}


def test_service_shows_itself_and_stops_when_told(world: World, tmp_path: Path, keystore: tuple[Path, Path]) -> None:
    running = process(world, tmp_path, keystore, SLUICE_LOG_FORMAT="json")
    assert running.stdout is not None
    url = ""
    try:
        for line in running.stdout:
            if '"listening"' in line:
                url = json.loads(line)["url"]
                break
        end = time.monotonic() + 30
        while httpx.get(f"{url}/ready").status_code != 200:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert httpx.get(f"{url}/health").json()["service"] == "oracle"
        assert "sluice_rounds_total" in httpx.get(f"{url}/metrics").text
        # a second one in the same folder is refused
        second = process(world, tmp_path, keystore, "--once")
        output, _ = second.communicate(timeout=60)
        assert second.returncode == 1
        assert "another process works in" in output
    finally:
        running.send_signal(signal.SIGTERM)
        rest, _ = running.communicate(timeout=30)
    assert running.returncode == 0
    assert PASSWORD not in rest
    assert account(19).key.hex().removeprefix("0x") not in rest


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"SLUICE_ORACLE": "0x12"}, "oracle (SLUICE_ORACLE): '0x12' is not an address"),
        ({"SLUICE_POLL_SECONDS": "0"}, "poll_seconds (SLUICE_POLL_SECONDS): Input should be greater than 0"),
        ({"SLUICE_POL_SECONDS": "1"}, "no such setting: SLUICE_POL_SECONDS"),
        ({"SLUICE_PASSWORD_FILE": "/nowhere"}, "/nowhere cannot be read"),
        ({"SLUICE_PASSWORD_FILE": __file__}, "does not open with the password"),
        ({"SLUICE_EXECUTION_URLS": "http://127.0.0.1:1/k"}, "execution node http://127.0.0.1:1: [Errno 111]"),
        ({"SLUICE_BEACON_URLS": "ftp://x"}, "does not begin with http:// or https://"),
    ],
)
def test_wrong_settings_are_named(
    world: World, tmp_path: Path, keystore: tuple[Path, Path], env: dict[str, str], words: str
) -> None:
    run = process(world, tmp_path, keystore, "--once", **env)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 1
    assert words in output
    assert "Traceback" not in output


def test_beacon_node_of_another_chain_ends_the_start(world: World, tmp_path: Path, keystore: tuple[Path, Path]) -> None:
    def older(path: str, _: bytes, answer: bytes) -> bytes:
        if not path.endswith("/genesis"):
            return answer
        return json.dumps({"data": json.loads(answer)["data"] | {"genesis_time": "5"}}).encode()

    with altered(world.devnet.beacon_url, older) as liar:
        run = process(world, tmp_path, keystore, SLUICE_BEACON_URLS=liar, SLUICE_LOG_FORMAT="json")
        output, _ = run.communicate(timeout=60)
    assert run.returncode == 1
    words = f"its genesis time is 5, that of the contracts {world.devnet.genesis_time}"
    assert f"beacon node {liar} is of another chain: {words}" in output
    start = json.loads(output.splitlines()[0])
    assert start["key"] == account(19).address
    assert (start["oracle"], start["chain_id"]) == (world.protocol.contracts.oracle, world.devnet.settings.chain_id)
