"""One devnet for a session: on anvil, in a deep run on a real execution client. Ether is counted after every test."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from sluice.devnet import Backend, Devnet, DevnetSettings
from sluice.devnet.books import Books

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a test run in the background of a script: what these tests start would ignore Ctrl-C, too
    signal.signal(signal.SIGINT, signal.default_int_handler)

BACKEND = Backend.ETHEREUMJS if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else Backend.ANVIL


SLOWEST_FIRST = (
    "test_stories.py",
    "test_gifts.py",
    "test_slashings.py",
    "test_oracle_daemon.py",
    "test_watcher.py",
    "test_oracle_processes.py",
    "test_provision.py",
    "test_oracle_nodes.py",
    "test_keepers.py",
    "test_keeper.py",
    "test_operator_cli.py",
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


@pytest.fixture(autouse=True)
def conserved(request: pytest.FixtureRequest) -> Iterator[None]:
    """Execution and consensus balances and what was burnt, to the gwei, after every test that used the devnet."""
    yield
    if "devnet" in request.fixturenames:
        running: Devnet = request.getfixturevalue("devnet")
        running.set_faults(0)
        running.set_faults(1)
        request.getfixturevalue("books").check()
