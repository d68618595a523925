"""Whether a service's nodes are of the chain that its contracts are on, before its first round."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, cast

import pytest
import structlog.testing

from sluice.daemon.nodes import WrongChainError, check_nodes
from sluice.oracle.daemon import OracleSettings
from sluice.oracle.views import Contracts
from tests.served import serving

NOWHERE = "http://127.0.0.1:1"


@dataclass
class Chain:
    """What stands in for the contracts, and what both halves of a node say."""

    chain_id: int = 5
    genesis_time: int = 1_000
    seconds_per_slot: int = 12

    def answer(self, path: str) -> Any:
        if path.endswith("/genesis"):
            return {"genesis_time": str(self.genesis_time), "genesis_validators_root": "0x" + "00" * 32,
                    "genesis_fork_version": "0x00000000"}  # fmt: skip
        return {"SECONDS_PER_SLOT": str(self.seconds_per_slot), "SLOTS_PER_EPOCH": "32", "PRESET_BASE": "mainnet",
                "DEPOSIT_CONTRACT_ADDRESS": "0x" + "00" * 20, "DEPOSIT_CHAIN_ID": str(self.chain_id)}  # fmt: skip


@contextmanager
def node_of(chain: Chain) -> Iterator[str]:
    """The URL of both halves."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send({"data": chain.answer(self.path)})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send({"jsonrpc": "2.0", "id": body["id"], "result": hex(chain.chain_id)})

        def _send(self, answer: Any) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as server:
        yield f"http://127.0.0.1:{server.server_port}"


def check(execution: list[str], beacon: list[str]) -> list[Any]:
    """What was logged."""
    settings = OracleSettings(execution_urls=execution, beacon_urls=beacon, oracle="0x" + "11" * 20, state_dir=Path())
    with structlog.testing.capture_logs() as logs:
        check_nodes(settings, cast("Contracts", Chain()), structlog.get_logger())
    return logs


def test_nodes_of_the_chain_are_taken() -> None:
    with node_of(Chain()) as one, node_of(Chain()) as other:
        assert check([one, other], [one, other]) == []


@pytest.mark.parametrize(
    ("chain", "layers", "words"),
    [
        (Chain(chain_id=7), "execution", "its chain id is 7, that of the contracts 5"),
        (Chain(chain_id=7), "beacon", "its DEPOSIT_CHAIN_ID is 7, that of the contracts 5"),
        (Chain(genesis_time=999), "beacon", "its genesis time is 999, that of the contracts 1000"),
        (Chain(seconds_per_slot=2), "beacon", "its SECONDS_PER_SLOT is 2, that of the contracts 12"),
    ],
)
def test_node_of_another_chain_is_named_wherever_it_stands(chain: Chain, layers: str, words: str) -> None:
    with node_of(Chain()) as good, node_of(chain) as bad:
        urls = {"execution": [good], "beacon": [good]}
        urls[layers] += [f"{bad}/secret"]
        with pytest.raises(WrongChainError) as caught:
            check(urls["execution"], urls["beacon"])
    assert str(caught.value) == f"{layers} node {bad} is of another chain: {words}"


def test_node_that_is_away_is_told_and_not_fatal() -> None:
    with node_of(Chain()) as good:
        logs = check([good, f"{NOWHERE}/secret"], [NOWHERE, good])
    assert [(each["event"], each["node"]) for each in logs] == [("node not checked", NOWHERE)] * 2
    assert "secret" not in json.dumps(logs)
