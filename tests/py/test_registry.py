"""Our validators from the manager's events: on a node, with logs of a contract that says what it is told to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from sluice.chain.node import BlockNotFoundError, HttpNode, Node, NodeError, get_block, send
from sluice.oracle import registry
from sluice.oracle.registry import ABANDONED, PREPARED, PROVEN, REFUSED, DisagreementError, Registry, RegistryError
from tests.py.anvil import DEV, running_anvil

MANAGER = "0x" + "aa" * 20
MANY = 10_000
AT_ONCE = 200
NOTHING = bytes(32)


def parrot() -> str:
    """Code that logs the records it is given (three topics, 192 bytes of data) and counts those with topic PROVEN.

    With a third topic there is no data. Four bytes of calldata are ``count()``.
    """
    code = bytearray()
    jumps: dict[int, str] = {}
    labels: dict[str, int] = {}

    def add(text: str) -> None:
        for part in text.split():
            if part.endswith(":"):
                labels[part[:-1]] = len(code)
                code.append(0x5B)
            elif part.startswith("@"):
                code.append(0x60)
                jumps[len(code)] = part[1:]
                code.append(0)
            else:
                code.extend(bytes.fromhex(part))

    add("36 6004 14 @count 57 6000")
    add("loop: 80 36 11 15 @end 57")
    add("60c0 81 6060 01 6000 37")  # the data, into memory
    add("80 6040 01 35 80 @three 57 50")
    add("80 6020 01 35 81 35 60c0 6000 a2")
    add(f"80 35 7f {PROVEN.hex()} 14 15 @next 57 6000 54 6001 01 6000 55")
    add("next: 610120 01 @loop 56")
    add("three: 81 6020 01 35 82 35 6000 6000 a3 @next 56")
    add("end: 00")
    add("count: 6000 54 6000 52 6020 6000 f3")
    for at, label in jumps.items():
        code[at] = labels[label]
    return "0x" + code.hex()


def key(number: int) -> bytes:
    return number.to_bytes(48, "big")


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def record(topic: bytes, operator: int, third: bytes, data: bytes) -> bytes:
    return topic + word(operator) + third + data.ljust(192, b"\0")


def prepared(number: int, operator: int = 1) -> bytes:
    return record(PREPARED, operator, keccak(key(number)), b"")


def proven(number: int, position: int, operator: int = 1) -> bytes:
    data = encode(["bytes", "uint256", "uint256"], [key(number), 1_000 + number, position])
    return record(PROVEN, operator, NOTHING, data)


def refused(number: int, operator: int = 1) -> bytes:
    return record(REFUSED, operator, NOTHING, encode(["bytes", "bytes32"], [key(number), NOTHING]))


def abandoned(number: int, operator: int = 1) -> bytes:
    return record(ABANDONED, operator, NOTHING, encode(["bytes"], [key(number)]))


def say(node: Node, *records: bytes) -> int:
    """In one block; its number."""
    data = "0x" + b"".join(records).hex()
    receipt = send(node, {"from": DEV, "to": MANAGER, "data": data, "gas": hex(25_000_000)})
    assert receipt["status"] == "0x1"
    assert len(receipt["logs"]) == len(records)
    return int(receipt["blockNumber"], 16)


class Through:
    """A node that counts what it is asked, and is not always what it should be."""

    def __init__(self, node: Node, *, fail_at: int = 0, hide: bytes | None = None) -> None:
        self._node = node
        self._fail_at = fail_at
        self._hide = hide
        self.asked: Counter[str] = Counter()

    def request(self, method: str, *params: Any) -> Any:
        self.asked[method] += 1
        if method != "eth_getLogs":
            return self._node.request(method, *params)
        if self.asked[method] == self._fail_at:
            raise NodeError(method, -32005, "limit exceeded", None)
        hidden = "0x" + self._hide.hex() if self._hide else None
        return [log for log in self._node.request(method, *params) if log["topics"][0] != hidden]


@pytest.fixture(scope="module")
def anvil() -> Iterator[HttpNode]:
    with running_anvil() as node:
        node.request("anvil_setCode", MANAGER, parrot())
        yield node


@pytest.fixture
def node(anvil: HttpNode) -> Iterator[HttpNode]:
    snapshot = anvil.request("evm_snapshot")
    yield anvil
    anvil.request("evm_revert", snapshot)


def test_what_became_of_each_key(node: HttpNode) -> None:
    first = say(node, prepared(1), prepared(2, 7), prepared(3), prepared(4))
    second = say(node, proven(2, 0, 7), refused(3))
    third = say(node, abandoned(4))
    fourth = say(node, proven(4, 1))
    ours = Registry(MANAGER, first)
    end = ours.at(node, fourth)
    assert end.pubkeys == (key(2), key(4))
    assert end.indices == (1_002, 1_004)
    assert end.operators == (7, 1)
    assert end.preparations == {keccak(key(1)): 1}
    assert end.abandoned == (), "it came after all"
    assert ours.at(node, third).abandoned == (key(4),)
    assert ours.at(node, second).abandoned == ()
    assert ours.failed(-1, fourth) == 2
    assert ours.failed(second, third) == 1
    # as of an older block, from what is known already
    assert ours.at(node, first).pubkeys == ()
    assert set(ours.at(node, second).preparations) == {keccak(key(1)), keccak(key(4))}


def test_ten_thousand_validators_take_as_many_requests_as_one(node: HttpNode, tmp_path: Path) -> None:
    file = tmp_path / "registry.json"
    first = get_block(node).number + 1
    for start in range(0, MANY, AT_ONCE):
        say(node, *(prepared(n) for n in range(start, start + AT_ONCE)))
        block = say(node, *(proven(n, n) for n in range(start, start + AT_ONCE)))
    caught_up = Registry(MANAGER, first, file)
    assert caught_up.at(node, block).pubkeys == tuple(map(key, range(MANY)))
    block = say(node, prepared(MANY), prepared(MANY + 1), proven(MANY, MANY))
    few = {"eth_getBlockByNumber": 2, "eth_getLogs": 1, "eth_call": 1}
    for each in (caught_up, Registry(MANAGER, first, file)):
        counting = Through(node)
        ours = each.at(counting, block)
        assert len(ours.pubkeys) == MANY + 1
        assert ours.preparations == {keccak(key(MANY + 1)): 1}
        assert counting.asked <= Counter(few)


def test_request_that_fails_on_the_way_is_made_again_and_nothing_counts_twice(
    node: HttpNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "LOG_RANGE", 10)
    first = say(node, prepared(1), prepared(2), refused(2))
    node.request("anvil_mine", hex(30))
    last = get_block(node).number
    ours = Registry(MANAGER, first)
    failing = Through(node, fail_at=3)
    with pytest.raises(NodeError, match="limit exceeded"):
        ours.at(failing, last)
    ours.at(failing, last)
    assert ours.failed(-1, last) == 1
    ranges = -(-(last - first + 1) // 10)
    assert failing.asked["eth_getLogs"] == ranges + 1, "it went on where it was"


@pytest.mark.parametrize("liar", [0, 1])
@pytest.mark.parametrize("hidden", [PREPARED, REFUSED])
def test_event_that_one_node_leaves_out_is_a_disagreement(node: HttpNode, liar: int, hidden: bytes) -> None:
    """No count of the contract shows it."""
    block = say(node, prepared(1), prepared(2), refused(2))
    nodes: list[Node] = [node, node]
    nodes[liar] = Through(node, hide=hidden)
    ours = Registry(MANAGER, block)
    with pytest.raises(DisagreementError, match=rf"different events of {MANAGER}, blocks {block}-{block}"):
        ours.at(nodes[0], block, nodes[1:])
    assert len(ours.at(node, block, [node]).preparations) == 1, "nothing of it was kept"


def test_events_that_a_node_had_not_yet_are_read_the_next_time(node: HttpNode, tmp_path: Path) -> None:
    """A keeper reads up to the newest block: an index that lags must not be believed for ever."""
    file = tmp_path / "registry.json"
    first = say(node, prepared(1))
    ours = Registry(MANAGER, first, file)
    block = say(node, prepared(2))
    assert set(ours.at(Through(node, hide=PREPARED), block).preparations) == set()
    block = say(node, proven(1, 0))
    assert set(ours.at(node, block).preparations) == {keccak(key(2))}
    # also by a process that begins with what was kept
    later = say(node, prepared(3), proven(2, 1))
    with pytest.raises(RegistryError):
        ours.at(Through(node, hide=PROVEN), later)
    assert Registry(MANAGER, first, file).at(node, later).pubkeys == (key(1), key(2))
    assert ours.at(node, later).pubkeys == (key(1), key(2)), "and it recovers by itself"


def test_proof_that_is_left_out_does_not_fit_the_count(node: HttpNode) -> None:
    block = say(node, prepared(1), proven(1, 0))
    with pytest.raises(RegistryError, match=f"has 1 validators at block {block}, its events tell of 0"):
        Registry(MANAGER, block).at(Through(node, hide=PROVEN), block)


def test_reorganisation_beyond_what_was_read_is_read_anew(node: HttpNode, tmp_path: Path) -> None:
    file = tmp_path / "registry.json"
    first = say(node, prepared(1))
    before = node.request("evm_snapshot")
    block = say(node, prepared(2))
    ours = Registry(MANAGER, first, file)
    assert len(ours.at(node, block).preparations) == 2
    node.request("evm_revert", before)
    with pytest.raises(BlockNotFoundError, match=f"no block {block}"):
        ours.at(node, block)
    assert say(node, prepared(3)) == block
    for each in (ours, Registry(MANAGER, first, file)):
        assert set(each.at(node, block).preparations) == {keccak(key(1)), keccak(key(3))}


@pytest.mark.parametrize("change", [{"version": 99}, {"manager": "0x" + "bb" * 20}, {"happenings": [{}]}, None])
def test_file_that_is_damaged_or_of_something_else_is_read_anew(
    node: HttpNode, tmp_path: Path, change: dict[str, Any] | None
) -> None:
    file = tmp_path / "registry.json"
    block = say(node, prepared(1), prepared(2), refused(2))
    Registry(MANAGER, block, file).at(node, block)
    text = file.read_text()
    file.write_text(json.dumps(json.loads(text) | change) if change else text[: len(text) // 2])
    again = Registry(MANAGER, block, file)
    assert set(again.at(node, block).preparations) == {keccak(key(1))}
    assert again.failed(-1, block) == 1
    assert file.read_text() == text
