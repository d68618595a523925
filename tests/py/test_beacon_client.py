"""What the client does with a state on its way: the faults of whole nodes are in tests/devnet/test_faults.py."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from sluice.beacon.client import SSZ, BeaconAnswerError, BeaconClient, BeaconUnavailableError

BLOCK = 1 << 16


def client_of(body: Callable[[], Iterator[bytes]], *, limit: int = 1 << 30) -> BeaconClient:
    def answer(_: httpx.Request) -> httpx.Response:
        headers = {"content-type": SSZ, "eth-consensus-version": "fulu"}
        return httpx.Response(200, headers=headers, content=body())

    return BeaconClient("http://node", state_limit=limit, transport=httpx.MockTransport(answer))


def blocks(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield bytes([number % 256]) * BLOCK


def test_state_goes_to_the_disk_as_it_comes(tmp_path: Path) -> None:
    """Of 64 MiB the memory never holds more than a few blocks, and the file has no name that could be left behind."""
    client = client_of(lambda: blocks(1_024))
    tracemalloc.start()
    try:
        state, fork = client.state("head", tmp_path / "new folder")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fork == "fulu"
    assert len(state) == 1_024 * BLOCK
    assert all(state[number * BLOCK] == number % 256 for number in range(1_024))
    assert most < 64 * BLOCK
    assert state.readonly
    assert list((tmp_path / "new folder").iterdir()) == []


def test_state_that_is_too_large_breaks_off_or_is_empty_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield from blocks(3)
        raise httpx.ReadError("connection reset")

    with pytest.raises(BeaconAnswerError, match=f"more than {2 * BLOCK:,} bytes"):
        client_of(lambda: blocks(1_000), limit=2 * BLOCK).state("head", tmp_path)
    with pytest.raises(BeaconUnavailableError, match="connection reset"):
        client_of(broken).state("head", tmp_path)
    with pytest.raises(BeaconAnswerError, match="an empty state"):
        client_of(lambda: blocks(0)).state("head", tmp_path)
    assert list(tmp_path.iterdir()) == []
