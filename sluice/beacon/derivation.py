"""A tree of BLS secrets from one seed (EIP-2333), along the paths of EIP-2334."""

import hmac
from hashlib import sha256
from typing import Final

from sluice.beacon.bls import ORDER

HARDENED_LIMIT: Final = 2**32
LEAST_SEED: Final = 32
_CHUNKS: Final = 255
_OKM_LENGTH: Final = 48


def signing_path(account: int) -> str:
    """The path of a validator's signing key (EIP-2334)."""
    return f"m/12381/3600/{account}/0/0"


def master_secret(seed: bytes) -> int:
    if len(seed) < LEAST_SEED:
        raise ValueError(f"a seed of {len(seed)} bytes: EIP-2333 asks for {LEAST_SEED} at least")
    return _mod_order(seed)


def child_secret(parent: int, index: int) -> int:
    if not 0 <= index < HARDENED_LIMIT:
        raise ValueError(f"index {index} is not below 2**32")
    salt = index.to_bytes(4, "big")
    material = parent.to_bytes(32, "big")
    chunks = _lamport(material, salt) + _lamport(bytes(byte ^ 0xFF for byte in material), salt)
    return _mod_order(sha256(b"".join(sha256(chunk).digest() for chunk in chunks)).digest())


def derive(seed: bytes, path: str) -> bytes:
    """The secret at a path such as ``m/12381/3600/0/0/0``, 32 bytes."""
    first, *steps = path.split("/")
    if first != "m" or not all(step.isdecimal() for step in steps):
        raise ValueError(f"'{path}' is no path of EIP-2334: m/12381/3600/0/0/0")
    secret = master_secret(seed)
    for step in steps:
        secret = child_secret(secret, int(step))
    return secret.to_bytes(32, "big")


def _extract(salt: bytes, material: bytes) -> bytes:
    return hmac.new(salt, material, sha256).digest()


def _expand(key: bytes, info: bytes, length: int) -> bytes:
    found, block = b"", b""
    for count in range(1, -(-length // 32) + 1):
        block = hmac.new(key, block + info + bytes([count]), sha256).digest()
        found += block
    return found[:length]


def _lamport(material: bytes, salt: bytes) -> list[bytes]:
    found = _expand(_extract(salt, material), b"", 32 * _CHUNKS)
    return [found[at : at + 32] for at in range(0, len(found), 32)]


def _mod_order(material: bytes) -> int:
    salt = b"BLS-SIG-KEYGEN-SALT-"
    secret = 0
    while secret == 0:
        salt = sha256(salt).digest()
        key = _extract(salt, material + b"\0")
        secret = int.from_bytes(_expand(key, _OKM_LENGTH.to_bytes(2, "big"), _OKM_LENGTH), "big") % ORDER
    return secret
