"""What a node answers, played in process: calls that change something return a receipt with value, events and time,
errors and events are there by name, and a test can be taken back. For files whose tests need nothing but the EVM.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from eth_abi import decode
from eth_utils import keccak, to_checksum_address
from ethpm_types.abi import ABIType, MethodABI

from tests.in_process import Account, Contract, Process, _encoded, _signature


@dataclass(frozen=True)
class Event:
    """As expected (with some inputs) or as emitted (with all)."""

    contract_address: str
    event_name: str
    inputs: dict[str, Any] = field(hash=False)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["inputs"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        here, there = self.inputs, other.inputs
        return (self.contract_address, self.event_name) == (other.contract_address, other.event_name) and here == there


@dataclass(frozen=True)
class Receipt:
    """Of one call."""

    return_value: Any
    events: list[Event]
    timestamp: int


class PlayedContract(Contract):
    """Called, and asked for errors and events, the way ape's handles are."""

    def __eq__(self, other: object) -> bool:
        address = getattr(other, "address", other)
        return isinstance(address, str) and address.lower() == self.address.lower()

    def __hash__(self) -> int:
        return hash(self.address)

    def __getattr__(self, name: str) -> Any:
        kind = self.contract_type
        for error in kind.errors:
            if error.name == name:
                return error
        for event in kind.events:
            if event.name == name:
                return lambda **inputs: self._expected(event, inputs)
        methods = [m for m in kind.methods if m.name == name]
        if not methods:
            raise AttributeError(name)
        return Method(self, methods)

    def _expected(self, event: Any, inputs: dict[str, Any]) -> Event:
        assert set(inputs) == {i.name for i in event.inputs}, inputs
        return Event(self.address, event.name, {name: getattr(v, "address", v) for name, v in inputs.items()})


@dataclass(frozen=True)
class Method:
    """One name, perhaps of several functions."""

    contract: PlayedContract
    methods: list[MethodABI]

    def _of(self, args: tuple[Any, ...]) -> MethodABI:
        (method,) = [m for m in self.methods if len(m.inputs) == len(args)]
        return method

    def encode_input(self, *args: Any) -> bytes:
        method = self._of(args)
        return keccak(text=method.selector)[:4] + _encoded(method, args)

    def __call__(self, *args: Any, sender: Any = None, value: int = 0, gas: int | None = None) -> Any:
        played: Any = self.contract.process
        return played.play(self.contract.address, self._of(args), self.encode_input(*args), sender, value, gas)


class Played(Process):
    """One EVM whose contracts answer with receipts."""

    def __init__(self) -> None:
        super().__init__()
        self.events: dict[
            tuple[bytes, int], Any
        ] = {}  # by what is signed and how many topics: ERC-20 and ERC-721 differ

    def deploy(self, container: Any, *args: Any, sender: Account, value: int = 0) -> PlayedContract:
        contract = super().deploy(container, *args, sender=sender, value=value)
        for event in contract.contract_type.events:
            topics = 1 + sum(bool(i.indexed) for i in event.inputs)
            self.events[keccak(text=event.selector), topics] = event
        return PlayedContract(self, contract.address, contract.contract_type)

    def play(self, to: str, method: MethodABI, data: bytes, sender: Any, value: int, gas: int | None) -> Any:
        reads = method.stateMutability in ("view", "pure")
        caller = getattr(sender, "address", "0x" + 39 * "0" + "1")
        out = self.send(caller, to, data, value, is_static=reads, gas=gas)
        returned = self._returned(method, out)
        if reads:
            return returned
        return Receipt(returned, [self._event(log) for log in self.evm.result.logs], self.now)

    def wait_until(self, time: int) -> None:
        """At least until then: as on a node, what has passed stays passed."""
        self.pass_time(max(0, time - self.now))

    @contextmanager
    def taken_back(self) -> Iterator[None]:
        """State and time are as before."""
        checkpoint, now = self.evm.snapshot(), self.now
        yield
        self.evm.revert(checkpoint)
        self.pass_time(now - self.now)

    @staticmethod
    def _returned(method: MethodABI, out: bytes) -> Any:
        values = decode([_signature(o) for o in method.outputs], out)
        told = [_told(kind, value) for kind, value in zip(method.outputs, values, strict=True)]
        if len(told) < 2:
            return told[0] if told else None
        return _named([o.name for o in method.outputs], told)

    def _event(self, log: Any) -> Event:
        topics = [bytes.fromhex(t.removeprefix("0x")) if isinstance(t, str) else bytes(t) for t in log.topics]
        abi = self.events[topics[0], len(topics)]
        indexed = [i for i in abi.inputs if i.indexed]
        plain = [i for i in abi.inputs if not i.indexed]
        values = {i.name: _told(i, decode([_signature(i)], t)[0]) for i, t in zip(indexed, topics[1:], strict=True)}
        data = log.data[1] if isinstance(log.data, tuple) else log.data
        told = decode([_signature(i) for i in plain], bytes(data))
        values |= {i.name: _told(i, value) for i, value in zip(plain, told, strict=True)}
        return Event(to_checksum_address(log.address), abi.name, values)


def _told(kind: ABIType, value: Any) -> Any:
    """Addresses with their checksum, structs by name, lists as lists."""
    if str(kind.type).endswith("[]"):
        return [to_checksum_address(v) if str(kind.type) == "address[]" else v for v in value]
    if kind.components:
        return _named(
            [c.name for c in kind.components], [_told(c, v) for c, v in zip(kind.components, value, strict=True)]
        )
    return to_checksum_address(value) if kind.type == "address" else value


def _named(names: list[str | None], values: list[Any]) -> Any:
    return namedtuple("Told", [n or f"_{i}" for i, n in enumerate(names)], rename=True)(*values)
