"""Addresses known before anything is there: CREATE, CREATE2, and CREATE3 as `Create3Deployer` does it."""

from __future__ import annotations

from eth_utils.address import to_canonical_address, to_checksum_address
from eth_utils.crypto import keccak

CREATE2_DEPLOYER = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
"""The deterministic deployment proxy (Arachnid); takes `salt ++ init code`. On anvil and every large chain."""

_CREATE3_PROXY_HASH = bytes.fromhex("21c35dbe1b344a2488cf3321d6ce542f8e9f305544ff09e4993a62319a497c1f")


def create_address(creator: str, nonce: int) -> str:
    """CREATE by a contract; only nonces that are one RLP byte."""
    if not 0 < nonce < 0x80:
        raise ValueError(f"nonce {nonce} is not between 1 and 127")
    return to_checksum_address(keccak(b"\xd6\x94" + to_canonical_address(creator) + bytes([nonce]))[12:])


def create2_address(creator: str, salt: bytes, init_code_hash: bytes) -> str:
    return to_checksum_address(keccak(b"\xff" + to_canonical_address(creator) + salt + init_code_hash)[12:])


def salt_of(name: str, namespace: str) -> bytes:
    return keccak(text=f"{namespace}/{name}")


def create3_address(factory: str, deployer: str, salt: bytes) -> str:
    """Where `Create3Deployer.deploy(salt, ...)` of `deployer` puts its contract."""
    own = keccak(bytes(12) + to_canonical_address(deployer) + salt)
    return create_address(create2_address(factory, own, _CREATE3_PROXY_HASH), 1)
