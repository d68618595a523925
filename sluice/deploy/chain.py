"""The two things a deployment needs of a chain: somebody who reads and somebody who sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from eth_utils.address import to_checksum_address
from requests.exceptions import RequestException
from web3.exceptions import TimeExhausted, Web3Exception

from sluice.deploy.errors import ChainError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from eth_typing import BlockNumber, HexStr
    from web3 import Web3
    from web3.types import FilterParams, TxParams, Wei


UNTOLD = 3
"""Seconds before it is told that a transaction is waited for."""
SMALLEST_RANGE = 500
"""Blocks; a node that refuses the logs of fewer has another reason."""


@dataclass(frozen=True)
class Receipt:
    tx_hash: str
    block: int
    gas_used: int
    success: bool


@dataclass(frozen=True)
class Log:
    topics: tuple[bytes, ...]
    data: bytes
    tx_hash: str


class Reverted(Exception):  # noqa: N818  a fact, not a failure of ours
    """A call reverted."""

    def __init__(self, data: bytes, message: str) -> None:
        self.data = data
        super().__init__(message)


class Sender(Protocol):
    """One account that sends one transaction after the other."""

    @property
    def address(self) -> str: ...

    def send(self, to: str, data: bytes, value: int) -> Receipt:
        """Send and wait for the receipt."""
        ...


class Reader(Protocol):
    def chain_id(self) -> int: ...
    def genesis_hash(self) -> str: ...
    def head(self) -> tuple[int, int]:
        """Number and timestamp of the newest block."""
        ...

    def code(self, address: str) -> bytes: ...
    def storage(self, address: str, slot: int) -> bytes: ...
    def balance(self, address: str) -> int: ...
    def pending_transactions(self, address: str) -> int: ...
    def call(self, to: str, data: bytes, *, sender: str | None = None, value: int = 0) -> bytes:
        """What a call answers. Raises `Reverted`."""
        ...

    def logs(self, address: str, first_block: int, topics: Sequence[bytes | None]) -> list[Log]: ...
    def receipt(self, tx_hash: str) -> Receipt: ...


class Web3Reader:
    def __init__(self, web3: Web3, calls_at: str = "latest") -> None:
        """`calls_at`: the block whose time and state calls see."""
        self._web3 = web3
        self._calls_at = calls_at

    def chain_id(self) -> int:
        return self._web3.eth.chain_id

    def genesis_hash(self) -> str:
        return "0x" + bytes(self._web3.eth.get_block(cast("BlockNumber", 0))["hash"]).hex()

    def head(self) -> tuple[int, int]:
        block = self._web3.eth.get_block("latest")
        return block["number"], block["timestamp"]

    def code(self, address: str) -> bytes:
        return bytes(self._web3.eth.get_code(to_checksum_address(address)))

    def storage(self, address: str, slot: int) -> bytes:
        return bytes(self._web3.eth.get_storage_at(to_checksum_address(address), slot)).rjust(32, b"\0")

    def balance(self, address: str) -> int:
        return self._web3.eth.get_balance(to_checksum_address(address))

    def pending_transactions(self, address: str) -> int:
        account = to_checksum_address(address)
        count = self._web3.eth.get_transaction_count
        return count(account, "pending") - count(account, "latest")

    def call(self, to: str, data: bytes, *, sender: str | None = None, value: int = 0) -> bytes:
        transaction = {"to": to, "data": "0x" + data.hex(), "value": hex(value)}
        if sender is not None:
            transaction["from"] = sender
        response = self._web3.provider.make_request(
            "eth_call",  # type: ignore[arg-type]
            [transaction, self._calls_at],
        )
        if error := response.get("error"):
            detail: Mapping[str, Any] = error if isinstance(error, dict) else {"message": error}
            data_text = detail.get("data")
            known = isinstance(data_text, str) and data_text.startswith("0x")
            raise Reverted(bytes.fromhex(str(data_text)[2:]) if known else b"", str(detail.get("message")))
        return bytes.fromhex(str(response["result"]).removeprefix("0x"))

    def logs(self, address: str, first_block: int, topics: Sequence[bytes | None]) -> list[Log]:
        return self._logs(address, first_block, self._web3.eth.block_number, topics)

    def _logs(self, address: str, first: int, last: int, topics: Sequence[bytes | None]) -> list[Log]:
        query: FilterParams = {
            "address": to_checksum_address(address),
            "fromBlock": cast("BlockNumber", first),
            "toBlock": cast("BlockNumber", last),
            "topics": [None if t is None else cast("HexStr", "0x" + t.hex()) for t in topics],
        }
        try:
            found = self._web3.eth.get_logs(query)
        except (Web3Exception, RequestException):
            if last - first < SMALLEST_RANGE:
                raise
            middle = (first + last) // 2  # nodes limit the blocks of one query, each in its own way
            return self._logs(address, first, middle, topics) + self._logs(address, middle + 1, last, topics)
        return [
            Log(
                tuple(bytes(topic) for topic in log["topics"]),
                bytes(log["data"]),
                "0x" + bytes(log["transactionHash"]).hex(),
            )
            for log in found
        ]

    def receipt(self, tx_hash: str) -> Receipt:
        return wait_for_receipt(self._web3, tx_hash, timeout=10)


def wait_for_receipt(web3: Web3, tx_hash: str, timeout: float, on_wait: Callable[[str], None] | None = None) -> Receipt:
    """Of a transaction that was sent. `timeout` in seconds; `on_wait` hears of one that is in no block at once."""
    if on_wait is not None and timeout > UNTOLD:
        try:
            return wait_for_receipt(web3, tx_hash, UNTOLD)
        except ChainError:
            on_wait(tx_hash)
    try:
        raw = web3.eth.wait_for_transaction_receipt(cast("HexStr", tx_hash), timeout=timeout, poll_latency=0.02)
    except TimeExhausted as error:
        raise ChainError(
            f"transaction {tx_hash} is not in a block after {timeout:.0f} s; look whether it is before you run this "
            "again"
        ) from error
    return Receipt(tx_hash, raw["blockNumber"], raw["gasUsed"], raw["status"] == 1)


class NodeSender:
    """Sends from an account that the node itself can sign for: a local chain."""

    def __init__(self, web3: Web3, address: str, timeout: float = 60) -> None:
        self._web3 = web3
        self._address = to_checksum_address(address)
        self._timeout = timeout

    @property
    def address(self) -> str:
        return self._address

    def send(self, to: str, data: bytes, value: int) -> Receipt:
        transaction: TxParams = {
            "from": to_checksum_address(self._address),
            "to": to_checksum_address(to),
            "data": data,
            "value": cast("Wei", value),
        }
        try:
            tx_hash = self._web3.eth.send_transaction(transaction)
        except Web3Exception as error:
            raise ChainError(f"the node refuses the transaction: {error}") from error
        return wait_for_receipt(self._web3, "0x" + bytes(tx_hash).hex(), self._timeout)
