"""Compiled contracts, as ape leaves them in `.build/__local__.json`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eth_utils.crypto import keccak

from sluice.deploy.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sluice.deploy.abi import Abi

# Before deployment solc leaves `PUSH32 0` wherever an immutable will stand; ape keeps no list of those places.
_IMMUTABLE = re.compile(rb"\x7f" + b"\x00" * 32)


@dataclass(frozen=True)
class Artifact:
    name: str
    abi: Abi
    creation: bytes
    runtime: bytes  # immutables are zero

    @property
    def creation_hash(self) -> str:
        return "0x" + keccak(self.creation).hex()

    def matches(self, code: bytes) -> bool:
        """Whether `code` is this contract, whatever its immutables hold."""
        if len(code) != len(self.runtime):
            return False
        blank = bytearray(code)
        for place in _IMMUTABLE.finditer(self.runtime):
            blank[place.start() + 1 : place.end()] = bytes(32)
        return bytes(blank) == self.runtime

    @classmethod
    def from_contract_type(cls, name: str, raw: Mapping[str, Any]) -> Artifact:
        """From an ethPM contract type (its JSON)."""
        return cls(name, raw["abi"], _code(raw, "deploymentBytecode"), _code(raw, "runtimeBytecode"))


def _code(raw: Mapping[str, Any], key: str) -> bytes:
    text = (raw.get(key) or {}).get("bytecode") or "0x"
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise ArtifactError(f"{key} is not linked: {error}") from error


def load_artifacts(path: Path) -> dict[str, Artifact]:
    """All deployable contracts of an ethPM manifest."""
    if not path.is_file():
        raise ArtifactError(f"there are no compiled contracts ({path}): run `make compile` first")
    types: Mapping[str, Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["contractTypes"]
    return {
        name: Artifact.from_contract_type(name, raw)
        for name, raw in types.items()
        if (raw.get("deploymentBytecode") or {}).get("bytecode", "0x") != "0x"
    }
