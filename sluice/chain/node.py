"""The execution node as the consensus side and the oracle use it: JSON-RPC, and anvil's cheat codes where named."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any, Final, Protocol, Self

import httpx
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

from sluice.units import Timestamp, Wei
from sluice.web import Body, TooLargeError, new_client, reason_of, shown

LARGEST: Final = 128 << 20
"""Bytes of an answer."""
MOST_AT_ONCE: Final = 500
"""Calls in a batch; nodes refuse more than a thousand or so."""

LOG_RANGE: Final = 10_000
"""Blocks whose logs are asked for at once; many nodes refuse more."""
SMALLEST_LOG_RANGE: Final = 500
"""A node that refuses as few as these has another trouble."""
REORGANISED: Final = 64
"""Blocks that may still be replaced: two epochs."""


class NodeError(Exception):
    """The node answered with an error."""

    def __init__(self, method: str, code: int, message: str, data: str | None) -> None:
        self.method = method
        self.code = code
        self.data = data
        super().__init__(f"{method}: {message} (code {code})" + (f", data {data}" if data else ""))

    @property
    def revert(self) -> bytes:
        """What a contract reverted with: a selector and its arguments; empty where nothing of the kind came."""
        try:
            return bytes.fromhex((self.data or "").removeprefix("0x"))
        except ValueError:
            return b""


class BlockNotFoundError(NodeError):
    """It has no such block: it is behind, or on another branch."""


class NodeUnavailableError(httpx.HTTPError):
    """It does not answer, or not in time. Of httpx's kind: who asks others over HTTP beside it can catch one."""

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(f"execution node {shown(uri)}: {reason}")


class NodeAnswerError(NodeUnavailableError):
    """What it sent is too large, or no answer. Where much was asked for, less may help."""


class Node(Protocol):
    """Anything that takes JSON-RPC calls."""

    def request(self, method: str, *params: Any) -> Any: ...  # noqa: ANN401 - JSON

    def batch(self, calls: Sequence[tuple[Any, ...]]) -> list[Any]: ...


class HttpNode:
    """JSON-RPC over HTTP with one connection. ``timeout`` is for one read, ``deadline`` for a whole answer."""

    def __init__(
        self,
        uri: str,
        timeout: float = 60.0,
        *,
        deadline: float = 90.0,
        limit: int = LARGEST,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.uri = uri
        self._deadline = deadline
        self._limit = limit
        self._client = new_client(timeout=timeout, transport=transport)
        self._ids = count(1)

    def request(self, method: str, *params: Any) -> Any:  # noqa: ANN401 - JSON
        return _result(method, self._post(self._body(method, params)))

    def batch(self, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """``(method, *params)`` of each -> their results in this order; the first error is raised."""
        found: list[Any] = []
        for start in range(0, len(calls), MOST_AT_ONCE):
            part = calls[start : start + MOST_AT_ONCE]
            bodies = [self._body(method, params) for method, *params in part]
            answers = self._post(bodies)
            if not isinstance(answers, list):
                raise NodeError("batch", 0, f"not a list of answers but {str(answers)[:200]}", None)
            by_id = {each.get("id"): each for each in answers}
            for (method, *_), body in zip(part, bodies, strict=True):
                if body["id"] not in by_id:
                    raise NodeError(method, 0, "left out of the answer to a batch", None)
                found.append(_result(method, by_id[body["id"]]))
        return found

    def _body(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}

    def _post(self, body: object) -> Any:  # noqa: ANN401 - JSON
        end = time.monotonic() + self._deadline
        try:
            with self._client.stream("POST", self.uri, json=body) as response:
                answer = Body(response, self._limit, end)
                refused = f"{response.status_code}: {answer.excerpt()}" if response.status_code >= 300 else ""
                text = b"" if refused else b"".join(answer.blocks())
        except TooLargeError as error:
            raise NodeAnswerError(self.uri, str(error)) from error
        except httpx.HTTPError as error:
            raise NodeUnavailableError(self.uri, reason_of(error)) from error
        if refused:
            raise NodeAnswerError(self.uri, refused)
        try:
            return json.loads(text)
        except ValueError as error:
            raise NodeAnswerError(self.uri, f"no JSON: {text[:80]!r}") from error

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _result(method: str, answer: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    if error := answer.get("error"):
        data = error.get("data")
        raise NodeError(method, error["code"], error["message"], data if isinstance(data, str) else None)
    return answer["result"]


@dataclass(frozen=True)
class Block:
    number: int
    hash: bytes
    timestamp: Timestamp


@dataclass(frozen=True)
class Log:
    block: int
    index: int
    address: str
    topics: tuple[bytes, ...]
    data: bytes
    transaction: str
    """Its hash."""


def get_block(node: Node, block: int | str = "latest") -> Block:
    method = "eth_getBlockByNumber"
    found = node.request(method, _tag(block), False)
    if found is None:
        raise BlockNotFoundError(method, 0, f"the node has no block {block}", None)
    return Block(int(found["number"], 16), bytes.fromhex(found["hash"][2:]), Timestamp(int(found["timestamp"], 16)))


def block_at(node: Node, at: Timestamp, low: int = 0) -> Block:
    """The newest block not after ``at``; ``low`` is one known to be old enough."""
    high = get_block(node)
    if high.timestamp <= at:
        return high
    oldest = get_block(node, low)
    if oldest.timestamp > at:
        raise ValueError(f"block {low} is younger than {at}")
    above = high.number
    while oldest.number + 1 < above:
        middle = get_block(node, (oldest.number + above) // 2)
        if middle.timestamp <= at:
            oldest = middle
        else:
            above = middle.number
    return oldest


def get_balance(node: Node, address: str, block: int | str = "latest") -> Wei:
    return Wei(int(node.request("eth_getBalance", address, _tag(block)), 16))


def get_logs(node: Node, address: str, topics: Sequence[bytes], first: int, last: int) -> list[Log]:
    """Of the events with one of these first topics, in order. Where a node refuses so many blocks, fewer at once."""
    found: list[Log] = []
    size = LOG_RANGE
    while first <= last:
        end = min(first + size - 1, last)
        names = ["0x" + topic.hex() for topic in topics]
        query = {"address": address, "topics": [names], "fromBlock": hex(first), "toBlock": hex(end)}
        try:
            answer = node.request("eth_getLogs", query)
        except (NodeError, NodeAnswerError):
            if end - first < SMALLEST_LOG_RANGE:
                raise
            size = (end - first + 1) // 2
            continue
        found += map(_log, answer)
        first = end + 1
    return sorted(found, key=lambda log: (log.block, log.index))


def _log(item: dict[str, Any]) -> Log:
    return Log(
        int(item["blockNumber"], 16),
        int(item["logIndex"], 16),
        item["address"],
        tuple(bytes.fromhex(topic[2:]) for topic in item["topics"]),
        bytes.fromhex(item["data"][2:]),
        item["transactionHash"],
    )


@dataclass
class LogCursor:
    """Reads an event's logs on and on: those of the newest blocks again, which a reorganisation can replace. Where it
    fails in between, it goes on from there.
    """

    address: str
    topic: bytes
    start: int
    """Block; before it there is nothing."""
    logs: list[Log] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._next = self.start

    def read(self, node: Node, last: int) -> list[Log]:
        """All up to block ``last``, in order."""
        for start in range(self._next, last + 1, LOG_RANGE):
            end = min(start + LOG_RANGE - 1, last)
            found = get_logs(node, self.address, [self.topic], start, end)
            self.logs = [*(log for log in self.logs if log.block < start), *found]
            self._next = end + 1
        self._next = max(self.start, self._next - REORGANISED)
        return [log for log in self.logs if log.block <= last]


def call(
    node: Node,
    address: str,
    signature: str,
    arguments: Sequence[Any] = (),
    returns: Sequence[str] = (),
    block: int | str = "latest",
) -> tuple[Any, ...]:
    """A view of a contract, e.g. ``call(node, vault, "rate()", returns=["uint256"])``."""
    answer = node.request("eth_call", _view(address, signature, arguments), _tag(block))
    return _values(address, block, returns, answer)


@dataclass(frozen=True)
class View:
    """What :func:`call` takes, to be asked together with others."""

    address: str
    signature: str
    returns: Sequence[str]
    arguments: Sequence[Any] = ()
    block: int | str = "latest"


def call_all(node: Node, views: Sequence[View]) -> list[tuple[Any, ...]]:
    """The answers of all, in one request (of up to :data:`MOST_AT_ONCE`)."""
    calls = [("eth_call", _view(each.address, each.signature, each.arguments), _tag(each.block)) for each in views]
    answers = node.batch(calls)
    return [_values(each.address, each.block, each.returns, found) for each, found in zip(views, answers, strict=True)]


def call_many(
    node: Node, address: str, signature: str, arguments: Sequence[Sequence[Any]], returns: Sequence[str]
) -> list[tuple[Any, ...]]:
    """One view with arguments after arguments, in few requests."""
    return call_all(node, [View(address, signature, returns, each) for each in arguments])


def _view(address: str, signature: str, arguments: Sequence[Any]) -> dict[str, str]:
    types = signature[signature.index("(") + 1 : -1]
    data = keccak(text=signature)[:4] + encode(types.split(",") if types else [], arguments)
    return {"to": address, "data": "0x" + data.hex()}


def _values(address: str, block: int | str, returns: Sequence[str], answer: str) -> tuple[Any, ...]:
    if returns and answer == "0x":
        raise NodeError("eth_call", 0, f"no contract at {address} on this chain, block {block}", None)
    return decode(list(returns), bytes.fromhex(answer[2:]))


def send(node: Node, transaction: dict[str, str], timeout: float = 10.0) -> dict[str, Any]:
    """From an account the node holds the key of; waits for the receipt, which may be one of a failure."""
    sent = node.request("eth_sendTransaction", transaction)
    end = time.monotonic() + timeout
    while (receipt := node.request("eth_getTransactionReceipt", sent)) is None:
        if time.monotonic() > end:
            raise TimeoutError(f"transaction {sent} is not in a block after {timeout:.0f} s")
        time.sleep(0.005)
    found: dict[str, Any] = receipt
    return found


# --- Anvil ---


def mine_at(node: Node, at: Timestamp) -> Block:
    """One block with exactly this timestamp, however far ahead."""
    node.request("evm_setNextBlockTimestamp", hex(at))
    node.request("evm_mine")
    return get_block(node)


def credit(node: Node, address: str, amount: Wei) -> None:
    """Ether out of nothing, as the consensus layer pays withdrawals (EIP-4895): no code runs."""
    node.request("anvil_addBalance", address, hex(amount))


def _tag(block: int | str) -> str:
    return hex(block) if isinstance(block, int) else block
