"""One devnet for a session, and one with a protocol for a file that asks for it. Ether is counted after every test."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.devnet import Devnet, DevnetSettings
from sluice.devnet.books import Books
from tests.devnet.backend import BACKEND
from tests.devnet.world import World, open_world

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a test run in the background of a script: what these tests start would ignore Ctrl-C, too
    signal.signal(signal.SIGINT, signal.default_int_handler)

SLOWEST_FIRST = (
    "test_oracle_daemon.py",
    "test_stories.py",
    "test_watcher.py",
    "test_oracle_processes.py",
    "test_cli.py",
    "test_keeper.py",
    "test_slashings.py",
    "test_operator_cli.py",
    "test_gifts.py",
    "test_provision.py",
    "test_processes.py",
    "test_oracle_nodes.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """So that no process is left with a long file at the end."""
    order = {name: place for place, name in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.fixture(scope="session")
def devnet() -> Iterator[Devnet]:
    """It is shared and moves on: a test brings validators of its own and begins at whatever slot it is."""
    with Devnet(DevnetSettings(backend=BACKEND, keep_states=1024)) as running:
        running.advance(2)
        yield running


@pytest.fixture(scope="session")
def books(devnet: Devnet) -> Books:
    return Books(devnet)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A devnet and a protocol of its own."""
    with open_world(Path(tmp_path_factory.mktemp("protocol"))) as opened:
        yield opened


@pytest.fixture(autouse=True)
def conserved(request: pytest.FixtureRequest) -> Iterator[None]:
    """Execution and consensus balances and what was burnt, to the gwei, after every test of the devnet or a world."""
    yield
    if "world" in request.fixturenames:
        request.getfixturevalue("world").books.check()
    if "devnet" in request.fixturenames:
        running: Devnet = request.getfixturevalue("devnet")
        running.set_faults(0)
        running.set_faults(1)
        request.getfixturevalue("books").check()
