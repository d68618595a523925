"""Contracts of others: read from their npm packages, linked, put on the chain, spoken to."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from sluice.client import ActionError, explain
from sluice.deploy.abi import Abi, decode_items, decode_result, encode_call, encode_constructor, function, signature_of
from sluice.deploy.addresses import CREATE2_DEPLOYER, create2_address
from sluice.deploy.chain import Reverted
from sluice.deploy.errors import ArtifactError, ChainError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sluice.deploy.artifacts import Artifact
    from sluice.deploy.chain import Reader, Receipt, Sender

ZERO = "0x" + 40 * "0"
MOST = 2**256 - 1
"""As an allowance without limit; to Aave's `repay` and `withdraw` it means all."""

_SALT = bytes(32)
_ERROR_STRING = keccak(text="Error(string)")[:4]


class MarketError(ActionError):
    """A market refuses; the message says why and, where it is known, what to do next."""


@dataclass(frozen=True)
class Code:
    """A compiled contract whose libraries may not be linked yet."""

    name: str
    abi: Abi
    creation: str
    """Hex without 0x, with placeholders where libraries are linked."""
    links: tuple[tuple[str, int], ...] = ()
    """Library and the byte its address starts at."""

    @property
    def libraries(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.links)

    def linked(self, libraries: Mapping[str, str]) -> bytes:
        """Creation code with the addresses of `libraries` in it."""
        text = self.creation
        for name, start in self.links:
            if name not in libraries:
                raise ArtifactError(f"{self.name} needs the library {name}")
            text = text[: 2 * start] + libraries[name][2:].lower() + text[2 * start + 40 :]
        return bytes.fromhex(text)


def package_code(packages: Path, package: str, source: str) -> Code:
    """From the artifacts that a package ships, e.g. ``("@aave/core-v3", "contracts/protocol/pool/Pool.sol")``."""
    name = source.rsplit("/", 1)[-1].removesuffix(".sol")
    path = packages / package / "artifacts" / source / f"{name}.json"
    if not path.is_file():
        raise ArtifactError(f"{package} has no {name} ({path}): run `make setup`")
    raw = json.loads(path.read_text(encoding="utf-8"))
    places = [
        (library, place["start"])
        for libraries in raw["linkReferences"].values()
        for library, found in libraries.items()
        for place in found
    ]
    return Code(name, raw["abi"], raw["bytecode"].removeprefix("0x"), tuple(places))


@dataclass(frozen=True)
class Contract:
    """One on the chain, with the functions of its ABI."""

    chain: Chain
    address: str
    abi: Abi

    def read(self, name: str, *arguments: object) -> Any:  # noqa: ANN401  what the ABI says
        """One value, or a tuple of several."""
        entry = function(self.abi, name)
        values = decode_result(entry, self.chain.call(self.address, encode_call(entry, arguments)))
        return values[0] if len(values) == 1 else values

    def data(self, name: str, *arguments: object) -> bytes:
        return encode_call(function(self.abi, name), arguments)

    def send(self, sender: Sender, name: str, *arguments: object, value: int = 0) -> Receipt:
        """Tried on the node first, so that what would fail is explained instead of paid for."""
        return self.chain.send(sender, self.address, self.data(name, *arguments), value)

    def events(self, name: str, *indexed: object, first_block: int) -> list[dict[str, Any]]:
        """From that block on, oldest first; `indexed` in the order of the ABI, None where any will do."""
        (entry,) = (each for each in self.abi if each["type"] == "event" and each["name"] == name)
        keys = [item for item in entry["inputs"] if item["indexed"]]
        rest = [item for item in entry["inputs"] if not item["indexed"]]
        wanted = [
            None if value is None else encode([item["type"]], [value])
            for item, value in zip(keys, indexed, strict=False)
        ]
        found = []
        for log in self.chain.reader.logs(self.address, first_block, [keccak(text=signature_of(entry)), *wanted]):
            values = [decode_items([item], topic)[0] for item, topic in zip(keys, log.topics[1:], strict=True)]
            values += decode_items(rest, log.data)
            found.append({item["name"]: value for item, value in zip([*keys, *rest], values, strict=True)})
        return found


class Chain:
    """A node, the packages that markets come from, and the project's own compiled contracts."""

    def __init__(self, reader: Reader, packages: Path, artifacts: Mapping[str, Artifact]) -> None:
        self.reader = reader
        self.packages = packages
        self.artifacts = artifacts
        self._own: dict[str, str] = {}
        """Names of this project's contracts by address."""

    def at(self, address: str, abi: Abi) -> Contract:
        return Contract(self, to_checksum_address(address), abi)

    def own(self, name: str, address: str) -> Contract:
        """A contract of this project."""
        self._own[to_checksum_address(address)] = name
        return self.at(address, self.artifacts[name].abi)

    def token(self, address: str) -> Contract:
        """Any ERC-20."""
        return self.own("StakedEther", address)

    def code(self, package: str, source: str) -> Code:
        return package_code(self.packages, package, source)

    def own_code(self, name: str) -> Code:
        artifact = self.artifacts[name]
        return Code(name, artifact.abi, artifact.creation.hex())

    def deploy(
        self,
        sender: Sender,
        code: Code,
        arguments: Mapping[str, object] | None = None,
        libraries: Mapping[str, str] | None = None,
    ) -> Contract:
        """Where CREATE2 puts it, unless it is there. The same code with the same arguments has the same address."""
        init = code.linked(libraries or {}) + encode_constructor(code.abi, arguments or {}, code.name)
        address = create2_address(CREATE2_DEPLOYER, _SALT, keccak(init))
        if not self.reader.code(address):
            if not self.reader.code(CREATE2_DEPLOYER):
                raise ChainError(f"this chain has no CREATE2 deployer at {CREATE2_DEPLOYER}")
            self.send(sender, CREATE2_DEPLOYER, _SALT + init, 0)
            if not self.reader.code(address):
                raise ChainError(f"{code.name} is not at {address} after it was deployed")
        return self.at(address, code.abi)

    def call(self, to: str, data: bytes, *, sender: str | None = None, value: int = 0) -> bytes:
        try:
            return self.reader.call(to, data, sender=sender, value=value)
        except Reverted as revert:
            raise MarketError(self.reason(revert, to)) from revert

    def send(self, sender: Sender, to: str, data: bytes, value: int) -> Receipt:
        self.call(to, data, sender=sender.address, value=value)
        receipt = sender.send(to, data, value)
        if not receipt.success:
            raise MarketError(f"Transaction {receipt.tx_hash} failed on the chain, though it passed when tried.")
        return receipt

    def allow(self, sender: Sender, token: str, spender: str, amount: int, *, exact: bool = False) -> Receipt | None:
        """Let `spender` take `amount`, once for ever unless it is to be `exact`; `None` where it may already."""
        if self.allowed(token, sender.address, spender) >= amount:
            return None
        return self.token(token).send(sender, "approve", spender, amount if exact else MOST)

    def allowed(self, token: str, owner: str, spender: str) -> int:
        return int(self.token(token).read("allowance", owner, spender))

    def permit(self, token: str, owner: str, spender: str, value: int, deadline: int) -> dict[str, Any]:
        """What `owner` signs (EIP-712) for a token with ERC-2612 and version 1."""
        contract = self.token(token)
        domain = {
            "name": contract.read("name"),
            "version": "1",
            "chainId": self.reader.chain_id(),
            "verifyingContract": contract.address,
        }
        message = {
            "owner": owner,
            "spender": spender,
            "value": value,
            "nonce": contract.read("nonces", owner),
            "deadline": deadline,
        }
        types = {
            "Permit": [
                {"name": name, "type": "address" if name in ("owner", "spender") else "uint256"} for name in message
            ]
        }
        return {"types": types, "primaryType": "Permit", "domain": domain, "message": message}

    def balance(self, token: str, account: str) -> int:
        return int(self.token(token).read("balanceOf", account))

    def reason(self, revert: Reverted, called: str | None = None) -> str:
        """In words: the string of a `require`, a number of Aave's explained, or a custom error of this project."""
        if revert.data[:4] != _ERROR_STRING:
            return explain(revert, self.artifacts, self._own.get(called or ""))
        try:
            (text,) = decode(["string"], revert.data[4:])
        except DecodingError:
            return f"The call fails with unknown data 0x{revert.data.hex()}."
        return aave_reason(self.packages, text) if text.isdigit() else f"The call fails: {text}."


def aave_reason(packages: Path, number: str) -> str:
    """What one of Aave's numbered errors means, as its sources say."""
    source = packages / "@aave/core-v3/contracts/protocol/libraries/helpers/Errors.sol"
    found = re.search(rf"constant (\w+) = '{number}'; // '(.*)'", source.read_text(encoding="utf-8"))
    return f"Aave refuses with {found[1]} ({number}): {found[2]}." if found else f"The call fails: {number}."
