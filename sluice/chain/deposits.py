"""Deposits as the deposit contract logs them (consensus specs, phase 0): all bytes, numbers little endian."""

from dataclasses import dataclass
from typing import Final

from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

from sluice.chain.node import Log
from sluice.units import Gwei

DEPOSIT_TOPIC: Final = keccak(text="DepositEvent(bytes,bytes,bytes,bytes,bytes)")
PUBKEY_LENGTH: Final = 48
SIGNATURE_LENGTH: Final = 96


@dataclass(frozen=True)
class Deposit:
    pubkey: bytes
    credentials: bytes
    amount: Gwei
    signature: bytes
    index: int
    block: int

    def __post_init__(self) -> None:
        lengths = (len(self.pubkey), len(self.credentials), len(self.signature))
        if lengths != (PUBKEY_LENGTH, 32, SIGNATURE_LENGTH):
            raise ValueError(f"a deposit with fields of {lengths} bytes instead of (48, 32, 96)")


def decode_deposit(log: Log) -> Deposit:
    if log.topics != (DEPOSIT_TOPIC,):
        raise ValueError("not a DepositEvent")
    pubkey, credentials, amount, signature, index = decode(["bytes"] * 5, log.data)
    if len(amount) != 8 or len(index) != 8:
        raise ValueError(f"a deposit with numbers of {len(amount)} and {len(index)} bytes instead of 8")
    return Deposit(
        pubkey=pubkey,
        credentials=credentials,
        amount=Gwei(int.from_bytes(amount, "little")),
        signature=signature,
        index=int.from_bytes(index, "little"),
        block=log.block,
    )


def encode_deposit(deposit: Deposit) -> bytes:
    """The data of the event."""
    return encode(
        ["bytes"] * 5,
        [
            deposit.pubkey,
            deposit.credentials,
            deposit.amount.to_bytes(8, "little"),
            deposit.signature,
            deposit.index.to_bytes(8, "little"),
        ],
    )
