"""Members of the oracle in this process, and peers that are hostile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from sluice.beacon.client import BeaconClient
from sluice.demo.site import connected
from sluice.oracle.daemon import OracleDaemon, OracleSettings
from sluice.oracle.layer import BeaconLayer
from tests.devnet.protocol import account
from tests.devnet.world import World, open_world
from tests.served import serving


def one_at_work(folders: pytest.TempPathFactory) -> Iterator[World]:
    """A world with a validator."""
    with open_world(Path(folders.mktemp("protocol"))) as opened:
        opened.validator(opened.operator(), "daemon", 63)
        yield opened


def make_well(world: World) -> None:
    """No node has a fault any more, and all ether is there."""
    for node in (0, 1):
        world.devnet.set_faults(node)
    world.books.check()


def settings_for(world: World, folder: Path, **more: Any) -> OracleSettings:
    protocol, devnet = world.protocol, world.devnet
    return OracleSettings(
        oracle=protocol.contracts.oracle,
        first_block=protocol.first,
        state_dir=folder,
        **(
            {
                "execution_urls": (devnet.execution_url,),
                "beacon_urls": tuple(devnet.beacon_urls),
                "takeover_seconds": 0.01,
                "receipt_seconds": 20.0,
                "vote_after": 0.999,
            }
            | more
        ),
    )


def member(world: World, folder: Path, index: int, **more: Any) -> OracleDaemon:
    return OracleDaemon.of(settings_for(world, folder / str(index), **more), account(19 + index))


@contextmanager
def committee(world: World, folder: Path, indices: list[int], **more: Any) -> Iterator[list[OracleDaemon]]:
    """In this process, each with endpoints of its own; all know all."""
    made = [member(world, folder, index, **more) for index in indices]
    with connected(made):
        yield made


def reported(world: World) -> bool:
    return bool(world.protocol.view("ReportOracle", "expected")[3])


def rounds(world: World, members: list[OracleDaemon], count: int = 2) -> list[str]:
    with world.devnet.mining():
        return [each.step() for _ in range(count) for each in members]


class Hostile(BaseHTTPRequestHandler):
    """A peer that answers whatever its server was given."""

    def do_GET(self) -> None:
        body = self.server.body  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        for part in body if isinstance(body, list) else [body]:
            if part == b"":
                time.sleep(30)
            self.wfile.write(part)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hostile(body: Any) -> Iterator[str]:
    """The address of one; a list is sent part by part, an empty part is a long wait."""
    with serving(Hostile) as server:
        server.body = body  # type: ignore[attr-defined]
        yield f"http://127.0.0.1:{server.server_port}"


def layer_of(world: World, folder: Path) -> BeaconLayer:
    contracts = world.protocol.contracts
    return BeaconLayer(
        [BeaconClient(url) for url in world.devnet.beacon_urls],
        [world.devnet.node],
        vault=contracts.vault,
        gateway=contracts.gateway,
        manager=contracts.manager,
        first_block=world.protocol.first,
        folder=folder,
    )
