"""How members' endpoints count what they are asked."""

from __future__ import annotations

from collections import deque

import pytest

from sluice.oracle import exchange
from sluice.oracle.exchange import MessageRefusedError, count_request


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000.0]
    monkeypatch.setattr("sluice.oracle.exchange.time.monotonic", lambda: now[0])
    return now


def test_each_address_has_its_own_minute(clock: list[float]) -> None:
    known: dict[str, deque[float]] = {}
    for _ in range(3):
        count_request(known, "a", 3)
    with pytest.raises(MessageRefusedError, match="too many"):
        count_request(known, "a", 3)
    count_request(known, "b", 3)
    clock[0] += 61
    count_request(known, "a", 3)


def test_many_addresses_fill_neither_memory_nor_time(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody with a network of addresses: those that are known go on, all others share one limit."""
    monkeypatch.setattr(exchange, "MOST_ADDRESSES", 10)
    known: dict[str, deque[float]] = {}
    for number in range(11):
        count_request(known, str(number), 3)
    for number in range(11, 14):
        count_request(known, str(number), 3)
    with pytest.raises(MessageRefusedError):
        count_request(known, "99", 3)
    count_request(known, "5", 3)
    assert len(known) == 12
    clock[0] += 61
    count_request(known, "5", 3)
    count_request(known, "fresh", 3)
    assert len(known) < 12, "a minute later they are forgotten"
