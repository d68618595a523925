"""BLS signatures as Ethereum's validators make them (proof-of-possession scheme over BLS12-381)."""

from typing import Final

from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar

DST: Final = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"
ORDER: Final = 52435875175126190479447740508185965837690552500527637822603658699938581184513
"""Secrets are numbers from 1 up to, and without, this one."""
SECRET_LENGTH: Final = 32


class SecretError(ValueError):
    """Bytes that are no secret."""


def _scalar(secret: bytes) -> Scalar:
    if len(secret) != SECRET_LENGTH or not 0 < int.from_bytes(secret, "big") < ORDER:
        raise SecretError("a BLS secret is 32 bytes, a number from 1 to the order of the curve")
    return Scalar.from_be_bytes(secret)


def public_key(secret: bytes) -> bytes:
    return bytes((G1Point() * _scalar(secret)).to_compressed_bytes())


def sign(secret: bytes, message: bytes) -> bytes:
    return bytes((G2Point.hash_to_curve(message, DST) * _scalar(secret)).to_compressed_bytes())


def verify(pubkey: bytes, message: bytes, signature: bytes) -> bool:
    """True where ``signature`` over ``message`` belongs to ``pubkey``; malformed points are just false."""
    try:
        key, point = G1Point.from_compressed_bytes(pubkey), G2Point.from_compressed_bytes(signature)
    except (ValueError, TypeError):
        return False
    if key == G1Point.identity():
        return False
    return bool(GT.pairing_check([key, -G1Point()], [G2Point.hash_to_curve(message, DST), point]))
