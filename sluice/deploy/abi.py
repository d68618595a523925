"""Values to call data and back, checked against an ABI with errors that name the argument."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from eth_abi.abi import decode, encode, is_encodable
from eth_abi.exceptions import InsufficientDataBytes
from eth_utils.crypto import keccak

from sluice.deploy.errors import ArgumentError, ArtifactError

Abi = Sequence[Mapping[str, Any]]
_ARRAY = re.compile(r"^(?P<item>.*)\[(?P<size>[0-9]*)\]$")


def canonical_type(item: Mapping[str, Any]) -> str:
    """`tuple[]` with components -> `(address,uint256)[]`."""
    kind: str = item["type"]
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(canonical_type(component) for component in item["components"])
    return f"({inner}){kind[len('tuple') :]}"


def signature_of(function: Mapping[str, Any]) -> str:
    return f"{function['name']}({','.join(canonical_type(item) for item in function['inputs'])})"


def selector_of(function: Mapping[str, Any]) -> bytes:
    return keccak(text=signature_of(function))[:4]


def functions_of(abi: Abi) -> list[Mapping[str, Any]]:
    return [entry for entry in abi if entry["type"] == "function"]


def function(abi: Abi, name: str) -> Mapping[str, Any]:
    """By name, or by signature where a name is overloaded."""
    found = [f for f in functions_of(abi) if name in (f["name"], signature_of(f))]
    if len(found) != 1:
        raise ArtifactError(f"the ABI has {len(found)} functions {name!r}; one is needed")
    return found[0]


def _convert(value: object, item: Mapping[str, Any], where: str) -> object:
    kind: str = item["type"]
    if array := _ARRAY.match(kind):
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise ArgumentError(f"{where}: {value!r} is not a list ({canonical_type(item)})")
        if array["size"] and len(value) != int(array["size"]):
            raise ArgumentError(f"{where}: {len(value)} values given, {array['size']} needed")
        inner = {**item, "type": array["item"]}
        return [_convert(each, inner, f"{where}[{index}]") for index, each in enumerate(value)]
    if kind == "tuple":
        if not isinstance(value, Mapping):
            raise ArgumentError(f"{where}: {value!r} is not a mapping of its fields")
        return convert_named(item["components"], value, where)
    if not is_encodable(kind, value):
        raise ArgumentError(f"{where}: {value!r} is not a {kind}")
    return value


def convert_named(inputs: Sequence[Mapping[str, Any]], values: Mapping[str, object], where: str) -> tuple[object, ...]:
    """Values by name in the order of the ABI; exactly its names."""
    names = [item["name"] for item in inputs]
    if missing := [name for name in names if name not in values]:
        raise ArgumentError(f"{where}: no value for {', '.join(missing)}")
    if unknown := sorted(set(values) - set(names)):
        raise ArgumentError(f"{where}: the ABI does not know {', '.join(unknown)}")
    return tuple(_convert(values[item["name"]], item, f"{where}.{item['name']}") for item in inputs)


def encode_constructor(abi: Abi, values: Mapping[str, object], where: str) -> bytes:
    inputs: Sequence[Mapping[str, Any]] = next((entry["inputs"] for entry in abi if entry["type"] == "constructor"), [])
    return encode([canonical_type(item) for item in inputs], convert_named(inputs, values, where))


def encode_call(entry: Mapping[str, Any], arguments: Sequence[object] = ()) -> bytes:
    where = signature_of(entry)
    inputs = entry["inputs"]
    if len(arguments) != len(inputs):
        raise ArgumentError(f"{where}: {len(arguments)} arguments given, {len(inputs)} needed")
    values = [
        _convert(value, item, f"{where}, argument {index}")
        for index, (value, item) in enumerate(zip(arguments, inputs, strict=True))
    ]
    return selector_of(entry) + encode([canonical_type(item) for item in inputs], values)


def decode_items(items: Sequence[Mapping[str, Any]], data: bytes) -> tuple[object, ...]:
    """Raises `DecodingError` where `data` is too short: with ape imported, eth_abi takes missing numbers for zero."""
    if len(data) < 32 * len(items):
        raise InsufficientDataBytes(f"{len(data)} bytes for {len(items)} values")
    return tuple(decode([canonical_type(item) for item in items], data))


def decode_result(entry: Mapping[str, Any], data: bytes) -> tuple[object, ...]:
    return decode_items(entry["outputs"], data)


def plain(value: object) -> object:
    """One form for comparing and for JSON: addresses and bytes as lower-case hex, sequences as lists."""
    if isinstance(value, bytes | bytearray):
        return "0x" + bytes(value).hex()
    if isinstance(value, str):
        return value.lower() if value.startswith("0x") else value
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [plain(each) for each in value]
    return value
