"""ERC-2612 and other EIP-712 messages, signed by the accounts of a test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ape import networks
from eth_account.messages import encode_typed_data

PERMIT = [
    {"name": "owner", "type": "address"},
    {"name": "spender", "type": "address"},
    {"name": "value", "type": "uint256"},
    {"name": "nonce", "type": "uint256"},
    {"name": "deadline", "type": "uint256"},
]
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def sign_permit(
    token: Any,
    signer: Any,
    *,
    spender: Any,
    value: int,
    nonce: int,
    deadline: int,
    owner: Any = None,
    name: str | None = None,
    chain_id: int | None = None,
) -> Any:
    """A permit of ``owner`` (the signer unless another is named) as ape's signature: v, r, s."""
    message = {
        "types": {"Permit": PERMIT},
        "primaryType": "Permit",
        "domain": {
            "name": name or token.name(),
            "version": "1",
            "chainId": chain_id or networks.provider.chain_id,
            "verifyingContract": token.address,
        },
        "message": {
            "owner": (owner or signer).address,
            "spender": getattr(spender, "address", spender),
            "value": value,
            "nonce": nonce,
            "deadline": deadline,
        },
    }
    signature = signer.sign_message(encode_typed_data(full_message=message))
    assert signature is not None
    # ape strips leading zeros: one signature in 128 would have the wrong length
    return replace(signature, r=bytes(signature.r).rjust(32, b"\0"), s=bytes(signature.s).rjust(32, b"\0"))


def as_bytes(signature: Any) -> bytes:
    """r, s, v: 65 bytes."""
    return bytes(signature.r) + bytes(signature.s) + bytes([signature.v])


def malleated(signature: Any) -> bytes:
    """The other signature by the same key over the same message, with s in the upper half."""
    s = ORDER - int.from_bytes(signature.s, "big")
    assert s > HALF_ORDER
    return bytes(signature.r) + s.to_bytes(32, "big") + bytes([55 - signature.v])
