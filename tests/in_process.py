"""Contracts in an EVM inside this process (pyrevm): a thousand times the speed of a node, for long random sequences.

Handles are called the way ape's are (``token.transfer(a, 1, sender=b)``), so a helper can serve both. There are no
receipts: a call returns what the function returns, and raises {Reverted} with the selector and data of the error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eth_abi import decode, encode
from eth_utils import keccak, to_checksum_address
from ethpm_types.abi import ABIType, MethodABI
from pyrevm import EVM, AccountInfo, BlockEnv

from sluice.chain.beacon_roots import BEACON_ROOTS, entries
from sluice.chain.system_contracts import system_contracts
from sluice.units import Timestamp

START = 1_800_000_000  # seconds


class Reverted(Exception):  # noqa: N818 - an outcome that tests ask for
    """A call failed with ``data``."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        super().__init__("0x" + data.hex())


@dataclass(frozen=True)
class Account:
    """Somebody with ether and no code."""

    process: Process
    address: str

    def deploy(self, container: Any, *args: Any, value: int = 0) -> Contract:
        return self.process.deploy(container, *args, sender=self, value=value)

    def transfer(self, to: Any, value: int) -> None:
        self.process.send(self.address, _plain(to), b"", value)

    @property
    def nonce(self) -> int:
        return int(self.process.evm.basic(self.address).nonce)

    @property
    def balance(self) -> int:
        return int(self.process.evm.get_balance(self.address))


@dataclass(frozen=True)
class Contract:
    """A deployed contract of the project."""

    process: Process
    address: str
    contract_type: Any

    def __getattr__(self, name: str) -> Callable[..., Any]:
        methods = [m for m in self.contract_type.methods if m.name == name]
        if not methods:
            raise AttributeError(name)

        def call(*args: Any, sender: Any = None, value: int = 0) -> Any:
            (method,) = [m for m in methods if len(m.inputs) == len(args)]
            return self.process.call(self.address, method, args, sender, value)

        return call

    def data_of(self, name: str, *args: Any) -> bytes:
        """What a call of ``name`` sends, for wallets that send it."""
        (method,) = [m for m in self.contract_type.methods if m.name == name and len(m.inputs) == len(args)]
        return keccak(text=method.selector)[:4] + _encoded(method, args)

    @property
    def balance(self) -> int:
        return int(self.process.evm.get_balance(self.address))


class Process:
    """One EVM with its clock."""

    def __init__(self) -> None:
        self.evm = EVM(spec_id="CANCUN")
        self.now = START
        self.pass_time(0)

    def account(self, index: int) -> Account:
        address = to_checksum_address(keccak(text=f"account {index}")[12:])
        self.evm.set_balance(address, 10**30)
        return Account(self, address)

    def pass_time(self, seconds: int) -> None:
        self.now += seconds
        self.evm.set_block_env(BlockEnv(number=self.now // 12, timestamp=self.now))

    def publish_root(self, time: int, root: bytes) -> None:
        """As the execution block at ``time`` would have (EIP-4788)."""
        code = bytes.fromhex(system_contracts()[BEACON_ROOTS]["code"].removeprefix("0x"))
        self.evm.insert_account_info(BEACON_ROOTS, AccountInfo(code=code))
        for slot, value in entries(Timestamp(time), root):
            self.evm.insert_account_storage(BEACON_ROOTS, slot, value)

    def install(self, address: str) -> str:
        """One of the chain's own contracts, in the state in which it is installed on a node."""
        contract = system_contracts()[address]
        code = bytes.fromhex(contract["code"].removeprefix("0x"))
        self.evm.insert_account_info(address, AccountInfo(code=code))
        for slot, value in contract["storage"].items():
            self.evm.insert_account_storage(address, int(slot, 16), int(value, 16))
        return address

    def deploy(self, container: Any, *args: Any, sender: Account, value: int = 0) -> Contract:
        kind = container.contract_type
        data = _encoded(kind.constructor, args)
        code = kind.deployment_bytecode.bytecode
        try:
            address = self.evm.deploy(sender.address, bytes.fromhex(code.removeprefix("0x")) + data, value)
        except RuntimeError as refusal:
            raise Reverted(_data(str(refusal))) from refusal
        return Contract(self, to_checksum_address(address), kind)

    def call(self, to: str, method: MethodABI, args: tuple[Any, ...], sender: Any, value: int) -> Any:
        data = keccak(text=method.selector)[:4] + _encoded(method, args)
        caller = sender.address if sender is not None else "0x" + 39 * "0" + "1"
        out = self.send(caller, to, data, value, is_static=method.stateMutability in ("view", "pure"))
        values = decode([_signature(o) for o in method.outputs], out)
        return values[0] if len(values) == 1 else values or None

    def send(
        self, caller: str, to: str, data: bytes, value: int, is_static: bool = False, gas: int | None = None
    ) -> bytes:
        self.evm.reset_transient_storage()
        try:
            return bytes(self.evm.message_call(caller, to, data, value, gas, is_static=is_static))
        except RuntimeError as failure:
            raise Reverted(_data(str(failure))) from failure


def _data(message: str) -> bytes:
    """The data of a revert out of pyrevm's message: ``Revert { gas_used: 1, output: 0x1234 }``."""
    return bytes.fromhex(message.split("output: 0x")[1].split(" ")[0]) if "output: 0x" in message else b""


def _encoded(abi: Any, args: tuple[Any, ...]) -> bytes:
    pairs = list(zip(abi.inputs, args, strict=True))
    return encode([_signature(item) for item, _ in pairs], [_tuple(item, value) for item, value in pairs])


def _signature(item: ABIType) -> str:
    return str(item.canonical_type)


def _tuple(item: ABIType, value: Any) -> Any:
    """Structs may be given by name."""
    if item.components and str(item.type).endswith("[]"):
        return [_struct(item, each) for each in value]
    return _struct(item, value) if item.components else _plain(value)


def _struct(item: ABIType, value: Any) -> Any:
    components = item.components or []
    values = [value[c.name] for c in components] if isinstance(value, dict) else value
    return tuple(_tuple(c, v) for c, v in zip(components, values, strict=True))


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return getattr(value, "address", value)
