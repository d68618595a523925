"""Transactions of a service: simulated right before they are sent, with a cap on what gas may cost."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from eth_utils.address import to_checksum_address

from sluice.chain.node import Node, NodeError
from sluice.daemon.settings import ServiceSettings

TIP: Final = 10**9
"""Wei a unit of gas, for whoever builds the block."""
RAISE: Final = (9, 8)
"""A replacement must pay an eighth more."""
GAS_MARGIN: Final = (6, 5)
POLL: Final = 0.5
REVERTED: Final = 3
"""The code of an error of execution."""


class NotSentError(Exception):
    """It was not sent, and why."""


class WouldRevertError(NotSentError):
    """The newest block refuses it: somebody else was faster, or it is wrong."""

    def __init__(self, message: str, data: bytes) -> None:
        self.data = data
        super().__init__(message)


class FailedError(NotSentError):
    """It is in a block and did nothing: in that block it came too late, or something else changed."""


def sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def log_sent(transaction: str) -> None:
    structlog.get_logger().info("sent", transaction=transaction)


@dataclass
class Sender:
    """Of one key. ``wait`` lets so many seconds pass while a receipt is waited for; True where the service ends.
    ``tell`` gets the hash of each transaction when it has left.
    """

    node: Node
    key: LocalAccount
    max_fee: int  # wei
    receipt_seconds: float
    wait: Callable[[float], bool] = sleep
    tell: Callable[[str], None] = log_sent
    sent: list[str] = field(init=False, default_factory=list)
    """Hashes of all that a node may have."""

    @classmethod
    def of(cls, settings: ServiceSettings, node: Node, key: LocalAccount, wait: Callable[[float], bool]) -> "Sender":
        return cls(node, key, settings.max_fee_gwei * 10**9, settings.receipt_seconds, wait)

    @property
    def address(self) -> ChecksumAddress:
        return to_checksum_address(self.key.address)

    def simulate(self, to: str, data: bytes, value: int = 0) -> int:
        """Gas that it takes in the newest block; raises :class:`WouldRevertError`."""
        self.try_call(to, data, value)
        return int(self._request("eth_estimateGas", to, data, value), 16)

    def try_call(self, to: str, data: bytes, value: int = 0) -> None:
        """Raises :class:`WouldRevertError`; takes no ether."""
        self._request("eth_call", to, data, value, "latest")

    def _request(self, method: str, to: str, data: bytes, value: int, *more: str) -> Any:  # noqa: ANN401 - JSON
        call = {"from": self.address, "to": to, "data": "0x" + data.hex(), "value": hex(value)}
        try:
            return self.node.request(method, call, *more)
        except NodeError as error:
            if error.code != REVERTED and not error.data and "revert" not in str(error).lower():
                raise  # the node has trouble of its own; that says nothing about the transaction
            raise WouldRevertError(str(error), error.revert) from error

    def send(
        self, to: str, data: bytes, value: int = 0, is_wanted: Callable[[], bool] = lambda: True
    ) -> dict[str, Any]:
        """The receipt of a transaction that worked. ``is_wanted`` is asked right before each sending; one that is
        stuck is simulated anew, too, before it is outbid. Where that denies it, the next transaction takes its place.
        """
        gas = self.simulate(to, data, value) * GAS_MARGIN[0] // GAS_MARGIN[1]
        base = int(self.node.request("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
        tip, fee = TIP, 2 * base + TIP
        if base + tip > self.max_fee:
            raise NotSentError(f"gas costs {(base + tip) / 1e9:.2f} gwei, above max_fee_gwei {self.max_fee / 1e9:.2f}")
        nonce = int(self.node.request("eth_getTransactionCount", self.address, "latest"), 16)
        hashes: list[str] = []
        while True:
            if not is_wanted():
                raise NotSentError("it is not this one's turn any more, or what it was decided on has changed")
            signed = self.key.sign_transaction(
                {
                    "type": 2,
                    "chainId": int(self.node.request("eth_chainId"), 16),
                    "nonce": nonce,
                    "to": to_checksum_address(to),
                    "data": data,
                    "value": value,
                    "gas": gas,
                    "maxFeePerGas": min(fee, self.max_fee),
                    "maxPriorityFeePerGas": min(tip, self.max_fee),
                }
            )
            raw = "0x" + bytes(signed.raw_transaction).hex()
            hashes.append("0x" + bytes(signed.hash).hex())
            self.sent.append(hashes[-1])
            try:
                self.node.request("eth_sendRawTransaction", raw)
                self.tell(hashes[-1])
            except NodeError as error:
                # one that a process before this one sent waits with the same nonce, or it is in a block by now
                if not any(words in str(error) for words in ("underpriced", "already known", "nonce too low")):
                    raise
                if "nonce too low" in str(error) and self._found(hashes) is None:
                    raise
            receipt = self._receipt(hashes)
            if receipt is None:
                if fee >= self.max_fee:
                    raise NotSentError(f"nonce {nonce}: no transaction gets into a block, and max_fee_gwei is reached")
                fee, tip = fee * RAISE[0] // RAISE[1] + 1, tip * RAISE[0] // RAISE[1] + 1
                try:
                    self.simulate(to, data, value)
                    continue
                except WouldRevertError:
                    receipt = self._found(hashes)
                    if receipt is None:  # it is not its own success that refuses it
                        raise
            if receipt["status"] != "0x1":
                raise FailedError(f"transaction {receipt['transactionHash']} failed in its block")
            return receipt

    def _receipt(self, hashes: list[str]) -> dict[str, Any] | None:
        end = time.monotonic() + self.receipt_seconds
        while time.monotonic() < end:
            if (found := self._found(hashes)) is not None:
                return found
            if self.wait(min(POLL, self.receipt_seconds / 10)):
                raise NotSentError(f"the service ends; it still waits for {', '.join(hashes) or 'its transaction'}")
        return None

    def _found(self, hashes: list[str]) -> dict[str, Any] | None:
        for each in hashes:
            found: dict[str, Any] | None = self.node.request("eth_getTransactionReceipt", each)
            if found is not None:
                return found
        return None
