"""One way to talk to the protocol through a node and in process, for long random sequences.

Time is explicit: a transaction is mined at ``now`` to the second, and views after it see the same second. Failures
raise {Failed} with the name and the arguments of the error. In process (pyrevm) a call costs a fiftieth.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from eth_abi import decode, encode
from eth_utils import keccak, to_checksum_address
from pyrevm import EVM, AccountInfo, BlockEnv, CfgEnv, Env

from sluice.chain.node import HttpNode, get_block, mine_at, send

GAS = 5_000_000
READER = "0x" + "01" * 20
"""Views are called by it."""


class Failed(Exception):  # noqa: N818 - an outcome that tests ask for
    """A transaction or view that reverted with ``error(arguments)``; ``paid`` is what its gas cost the sender."""

    def __init__(self, error: str, arguments: dict[str, Any]) -> None:
        self.error = error
        self.arguments = arguments
        self.paid = 0
        super().__init__(f"{error}({', '.join(f'{k}={v}' for k, v in arguments.items())})")


@dataclass(frozen=True)
class Method:
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    view: bool

    def encode(self, arguments: Sequence[Any]) -> bytes:
        return self.selector + encode(self.inputs, arguments)

    def decode(self, data: bytes) -> Any:
        values = decode(self.outputs, data)
        return values[0] if len(values) == 1 else values


@dataclass
class Interface:
    """Methods by name and number of arguments, errors by selector, of several contracts at once."""

    methods: dict[tuple[str, str, int], Method] = field(default_factory=dict)
    errors: dict[bytes, Any] = field(default_factory=dict)

    def add(self, address: str, contract_type: Any) -> None:
        for item in contract_type.methods:
            self.methods[address, item.name, len(item.inputs)] = Method(
                keccak(text=item.selector)[:4],
                tuple(i.canonical_type for i in item.inputs),
                tuple(o.canonical_type for o in item.outputs),
                item.stateMutability in ("view", "pure"),
            )
        self.add_errors(contract_type.errors)

    def add_errors(self, errors: Iterable[Any]) -> None:
        for item in errors:
            self.errors[keccak(text=item.selector)[:4]] = item

    def failure(self, data: bytes) -> Failed:
        item = self.errors.get(data[:4])
        if item is None:
            return Failed("0x" + data.hex(), {})
        values = decode([i.canonical_type for i in item.inputs], data[4:])
        return Failed(item.name, {i.name: v for i, v in zip(item.inputs, values, strict=True)})


class Backend(Protocol):
    now: int
    interface: Interface
    chain_id: int

    def read(self, to: str, name: str, *arguments: Any) -> Any:
        """A view, at the newest block; {settle} first when time has passed without a transaction."""
        ...

    def write(self, sender: str, to: str, name: str, *arguments: Any, value: int = 0) -> int:
        """A transaction at ``now``; returns what its gas cost the sender."""
        ...

    def send(self, sender: str, to: str, value: int) -> int: ...
    def settle(self) -> None:
        """Let views see ``now``."""
        ...

    def balance(self, address: str) -> int: ...
    def give(self, address: str, wei: int) -> None:
        """Ether that arrives without a call."""
        ...

    def store(self, address: str, slot: int, value: int) -> None:
        """Storage as something beyond the chain of this test has written it."""
        ...


class NodeBackend:
    """Through anvil, which holds the senders' keys or impersonates them."""

    def __init__(self, uri: str, interface: Interface) -> None:
        self.node = HttpNode(uri)
        self.interface = interface
        self.chain_id = int(self.node.request("eth_chainId"), 16)
        self.now = get_block(self.node).timestamp

    def read(self, to: str, name: str, *arguments: Any) -> Any:
        method = self.interface.methods[to, name, len(arguments)]
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_call"}
        data = "0x" + method.encode(arguments).hex()
        answer = self.node._client.post(self.node.uri, json={**body, "params": [{"to": to, "data": data}, "latest"]})
        result = answer.json()
        if error := result.get("error"):
            raise self.interface.failure(bytes.fromhex((error.get("data") or "0x")[2:]))
        return method.decode(bytes.fromhex(result["result"][2:]))

    def write(self, sender: str, to: str, name: str, *arguments: Any, value: int = 0) -> int:
        method = self.interface.methods[to, name, len(arguments)]
        return self._transact(sender, to, method.encode(arguments), value)

    def send(self, sender: str, to: str, value: int) -> int:
        return self._transact(sender, to, b"", value)

    def _transact(self, sender: str, to: str, data: bytes, value: int) -> int:
        self.node.request("evm_setNextBlockTimestamp", hex(self.now))
        transaction = {"from": sender, "to": to, "data": "0x" + data.hex(), "value": hex(value), "gas": hex(GAS)}
        receipt = send(self.node, transaction)
        paid = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
        if receipt["status"] != "0x1":
            trace = self.node.request("debug_traceTransaction", receipt["transactionHash"], {"tracer": "callTracer"})
            failed = self.interface.failure(bytes.fromhex(trace.get("output", "0x")[2:]))
            failed.paid = paid
            raise failed
        return paid

    def settle(self) -> None:
        if get_block(self.node).timestamp < self.now:
            mine_at(self.node, self.now)

    def balance(self, address: str) -> int:
        return int(self.node.request("eth_getBalance", address, "latest"), 16)

    def give(self, address: str, wei: int) -> None:
        self.node.request("anvil_addBalance", address, hex(wei))

    def store(self, address: str, slot: int, value: int) -> None:
        self.node.request("anvil_setStorageAt", address, f"0x{slot:064x}", f"0x{value:064x}")

    def impersonate(self, address: str) -> None:
        self.node.request("anvil_impersonateAccount", address)

    def mark(self) -> Any:
        return self.node.request("evm_snapshot"), self.now

    def back_to(self, mark: Any) -> None:
        assert self.node.request("evm_revert", mark[0])
        self.now = mark[1]

    def state(self) -> dict[str, Any]:
        """All accounts of the chain."""
        packed = bytes.fromhex(self.node.request("anvil_dumpState")[2:])
        accounts: dict[str, Any] = json.loads(gzip.decompress(packed))["accounts"]
        return accounts


class ProcessBackend:
    """In an EVM inside this process that starts with the accounts of a node's chain."""

    def __init__(self, state: dict[str, Any], interface: Interface, chain_id: int, now: int) -> None:
        self.interface = interface
        self.chain_id = chain_id
        self.evm = EVM(env=Env(cfg=CfgEnv(chain_id=chain_id)), spec_id="CANCUN")
        for address, account in state.items():
            code = bytes.fromhex(account["code"][2:])
            info = AccountInfo(balance=int(account["balance"], 16), nonce=int(account["nonce"]), code=code or None)
            self.evm.insert_account_info(to_checksum_address(address), info)
            for slot, value in account["storage"].items():
                self.evm.insert_account_storage(to_checksum_address(address), int(slot, 16), int(value, 16))
        self._now = now
        self.now = now

    @property
    def now(self) -> int:
        return self._now

    @now.setter
    def now(self, value: int) -> None:
        self._now = value
        self.evm.set_block_env(BlockEnv(number=value // 12, timestamp=value))

    def read(self, to: str, name: str, *arguments: Any) -> Any:
        method = self.interface.methods[to, name, len(arguments)]
        return method.decode(self._call(READER, to, method.encode(arguments), 0, is_static=True))

    def write(self, sender: str, to: str, name: str, *arguments: Any, value: int = 0) -> int:
        method = self.interface.methods[to, name, len(arguments)]
        self._call(sender, to, method.encode(arguments), value)
        return 0

    def send(self, sender: str, to: str, value: int) -> int:
        self._call(sender, to, b"", value)
        return 0

    def _call(self, sender: str, to: str, data: bytes, value: int, is_static: bool = False) -> bytes:
        self.evm.reset_transient_storage()
        try:
            return bytes(self.evm.message_call(sender, to, data, value, is_static=is_static))
        except RuntimeError as failure:
            message = str(failure)
            if "output: 0x" not in message:
                raise Failed(message, {}) from failure
            output = message.split("output: 0x")[1].split(" ")[0]
            raise self.interface.failure(bytes.fromhex(output)) from failure

    def settle(self) -> None:
        """Views see the time of the block environment at once."""

    def balance(self, address: str) -> int:
        return int(self.evm.get_balance(address))

    def give(self, address: str, wei: int) -> None:
        self.evm.set_balance(address, self.balance(address) + wei)

    def store(self, address: str, slot: int, value: int) -> None:
        self.evm.insert_account_storage(to_checksum_address(address), slot, value)


def in_process(node: NodeBackend) -> Callable[[], ProcessBackend]:
    """Makes copies of the node's chain as it is now."""
    node.settle()
    state, now = node.state(), node.now
    return lambda: ProcessBackend(state, node.interface, node.chain_id, now)
