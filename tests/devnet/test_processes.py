"""Starting, dying and ending: nothing stays behind, and errors say what happened."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.devnet import Backend, Devnet, DevnetError, DevnetSettings
from sluice.devnet import processes as machinery
from tests.devnet.states import decode, root_of

pytestmark = pytest.mark.anvil  # nothing here depends on the backend of the session's devnet

START = """
import sys, time
from sluice.devnet import Devnet
with Devnet() as devnet:
    print(*(process.pid for process in devnet.processes), flush=True)
    time.sleep(600)
"""


def alive(pid: int) -> bool:
    """Running, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def all_gone(pids: list[int], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while any(map(alive, pids)):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def started() -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A script of somebody's that has a devnet, and the ids of the devnet's processes."""
    script = subprocess.Popen([sys.executable, "-c", START], stdout=subprocess.PIPE, text=True)
    assert script.stdout is not None
    pids = [int(word) for word in script.stdout.readline().split()]
    assert len(pids) == 2
    assert all(map(alive, pids))
    yield script, pids
    for pid in [script.pid, *pids]:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
    script.wait()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_nothing_stays_when_the_script_ends(
    started: tuple[subprocess.Popen[str], list[int]], how: signal.Signals
) -> None:
    script, pids = started
    script.send_signal(how)
    script.wait(20)
    assert all_gone(pids)


def test_a_devnet_is_ready_in_ten_seconds_and_leaves_nothing() -> None:
    def takes() -> float:
        start = time.monotonic()
        with Devnet() as devnet:
            took = time.monotonic() - start
            pids = [process.pid for process in devnet.processes]
            devnet.advance(1)
            devnet.check()
        assert all_gone(pids)
        devnet.stop()  # twice is once
        return took

    # it takes three seconds; a machine that is busy with something else may spoil one start
    assert takes() < 10 or takes() < 10


def test_two_devnets_with_the_same_settings_have_the_same_roots() -> None:
    roots = []
    for _ in range(2):
        with Devnet(DevnetSettings(validators=16)) as devnet:
            roots.append(devnet.advance(4).head_root)
    assert roots[0] == roots[1]


def test_dead_execution_node_is_named() -> None:
    with Devnet() as devnet:
        os.kill(devnet.processes[0].pid, signal.SIGKILL)
        while devnet.processes[0].alive:  # a process of many threads takes a moment to die
            time.sleep(0.01)
        with pytest.raises(DevnetError, match=r"anvil has ended \(exit -9\)"):
            devnet.check()


def test_port_that_is_taken_ends_the_start_with_the_log() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DevnetError, match=r"(?s)consensus has ended \(exit 1\).*EADDRINUSE"):
            Devnet(DevnetSettings(beacon_ports=(port,))).start()
        with pytest.raises(DevnetError, match=r"(?s)anvil has ended.*in use"):
            Devnet(DevnetSettings(execution_port=port)).start()


def test_bad_configuration_is_named() -> None:
    with pytest.raises(DevnetError, match="--config NO_SUCH_THING: no such value in the configuration"):
        Devnet(DevnetSettings(config={"NO_SUCH_THING": 1})).start()


def test_hard_fork_that_the_client_does_not_know_is_refused() -> None:
    with pytest.raises(DevnetError, match="ethereumjs builds blocks up to Prague"):
        Devnet(DevnetSettings(backend=Backend.ETHEREUMJS, hardfork="osaka")).start()


def test_missing_tools_say_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machinery, "ROOT", tmp_path)
    monkeypatch.setattr(machinery, "NODE_SIDE", tmp_path / "devnet")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DevnetError, match=r"main\.mjs is missing.*make setup"):
        Devnet().start()
    with pytest.raises(DevnetError, match=r"anvil is not on PATH: run `make setup`"):
        machinery.find_tool("anvil")


def test_logs_are_kept_where_asked(tmp_path: Path) -> None:
    with Devnet(DevnetSettings(validators=16), logs=tmp_path / "logs"):
        pass
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["anvil.log", "consensus.log"]
    assert "ready {" in (tmp_path / "logs/consensus.log").read_text()


def test_real_time_makes_blocks_by_itself_and_can_be_hurried() -> None:
    with Devnet(DevnetSettings(validators=16, realtime=True, seconds_per_slot=1)) as devnet:
        end = time.monotonic() + 30
        while (status := devnet.status()).head_slot < 2:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert status.realtime
        assert abs(devnet.time_of(status.slot) - time.time()) < 30
        hurried = devnet.advance(24)
        assert hurried.slot >= status.slot + 24
        while devnet.status().head_slot <= hurried.slot:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_mainnet_preset_and_electra_run_too() -> None:
    preset, fork = "mainnet", "electra"
    with Devnet(DevnetSettings(preset=preset, fork=fork, config={"SHARD_COMMITTEE_PERIOD": 256})) as devnet:
        devnet.advance(2)
        spec = devnet.beacon.spec()
        assert (spec.preset, spec.values["SHARD_COMMITTEE_PERIOD"]) == (preset, "256")
        assert devnet.beacon.state("head")[1] == fork
        assert root_of(decode(*devnet.beacon.state("head"), preset)) == devnet.beacon.header("head").state_root


def test_execution_client_over_the_engine_api_answers_alike() -> None:
    """The short look; `make test-deep` runs every story on it."""
    with Devnet(DevnetSettings(backend=Backend.ETHEREUMJS)) as devnet:
        alice, bob = devnet.accounts[:2]
        sent = devnet.send(alice, bob.address, value=7)
        devnet.advance_block()
        assert devnet.receipt(sent)["status"] == "0x1"
        devnet.advance(slots=2, skip=2)
        header = devnet.beacon.header("head")
        block = devnet.node.request("eth_getBlockByNumber", "latest", False)
        assert block["hash"] == "0x" + devnet.beacon.execution_block("head").block_hash.hex()
        assert block["parentBeaconBlockRoot"] == "0x" + header.parent_root.hex()
        assert devnet.node.request("eth_maxPriorityFeePerGas") == hex(10**9)
