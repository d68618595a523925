"""Logs are read on and on, in ranges that nodes take, and once more where a reorganisation can replace them."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.chain import node as machinery
from sluice.chain.node import LogCursor, NodeError, get_logs

ADDRESS, TOPIC = "0x" + "11" * 20, b"\x22" * 32


class Chain:
    """One log a block; ``branch`` says which block it is."""

    def __init__(self) -> None:
        self.branch: dict[int, int] = {}
        self.asked: list[tuple[int, int]] = []
        self.gone: set[int] = set()

    def request(self, method: str, *params: Any) -> Any:
        assert method == "eth_getLogs"
        (query,) = params
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        self.asked.append((first, last))
        return [
            {
                "blockNumber": hex(number),
                "logIndex": "0x0",
                "address": ADDRESS,
                "topics": ["0x" + TOPIC.hex()],
                "data": f"0x{self.branch.get(number, 0):02x}",
                "transactionHash": hex(number),
            }
            for number in range(first, last + 1)
            if number not in self.gone
        ]


def test_logs_are_read_in_ranges_and_the_newest_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machinery, "LOG_RANGE", 40)
    monkeypatch.setattr(machinery, "REORGANISED", 5)
    chain, cursor = Chain(), LogCursor(ADDRESS, TOPIC, 100)
    assert [log.block for log in cursor.read(chain, 199)] == list(range(100, 200))
    assert chain.asked == [(100, 139), (140, 179), (180, 199)]
    chain.branch = dict.fromkeys(range(197, 202), 1)  # three blocks are replaced, two are new
    chain.asked.clear()
    seen = {log.block: log.data[0] for log in cursor.read(chain, 201)}
    assert seen == dict.fromkeys(range(100, 197), 0) | dict.fromkeys(range(197, 202), 1)
    assert chain.asked == [(195, 201)]
    chain.gone = {198}  # a branch without it
    assert 198 not in {log.block for log in cursor.read(chain, 201)}


def test_before_its_first_block_there_is_nothing() -> None:
    chain, cursor = Chain(), LogCursor(ADDRESS, TOPIC, 100)
    assert cursor.read(chain, 99) == []
    assert [log.block for log in cursor.read(chain, 100)] == [100]
    assert [log.block for log in cursor.read(chain, 101)] == [100, 101]


def test_reading_goes_on_where_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machinery, "LOG_RANGE", 40)
    monkeypatch.setattr(machinery, "REORGANISED", 0)

    class Failing(Chain):
        def request(self, method: str, *params: Any) -> Any:
            if len(self.asked) == 2:
                self.asked.append((0, 0))
                raise NodeError(method, -32005, "rate limit exceeded", None)
            return super().request(method, *params)

    chain, cursor = Failing(), LogCursor(ADDRESS, TOPIC, 100)
    with pytest.raises(NodeError):
        cursor.read(chain, 199)
    assert [log.block for log in cursor.read(chain, 199)] == list(range(100, 200))
    assert chain.asked == [(100, 139), (140, 179), (0, 0), (180, 199)]


def test_node_that_refuses_so_many_blocks_is_asked_for_fewer() -> None:
    """Limits of 2,500 blocks are common (ethereumjs), of 800 not unheard of."""

    class Limited(Chain):
        def __init__(self, most: int) -> None:
            super().__init__()
            self.most = most

        def request(self, method: str, *params: Any) -> Any:
            first, last = (int(params[0][name], 16) for name in ("fromBlock", "toBlock"))
            if last - first + 1 > self.most:
                raise NodeError(method, -32602, f"block range limit is {self.most} blocks", None)
            return super().request(method, *params)

    for most in (2_500, 800):
        chain = Limited(most)
        assert [log.block for log in get_logs(chain, ADDRESS, [TOPIC], 1, 7_001)] == list(range(1, 7_002))
    with pytest.raises(NodeError, match="limit is 100"):
        get_logs(Limited(100), ADDRESS, [TOPIC], 1, 7_001)
