"""Deposits as they are signed and handed to the deposit contract; requests as the system contracts take them."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from sluice.beacon import bls
from sluice.units import NO_GWEI, Gwei

DOMAIN_DEPOSIT: Final = bytes.fromhex("03000000")
DOMAIN_VOLUNTARY_EXIT: Final = bytes.fromhex("04000000")
ETH1_ADDRESS: Final = 1
COMPOUNDING: Final = 2

_ZERO: Final = bytes(32)


def credentials_of(address: str | bytes, kind: int = COMPOUNDING) -> bytes:
    """Withdrawal credentials of an address: 0x02 compounding, 0x01 swept at 32 ether."""
    raw = bytes.fromhex(address.removeprefix("0x")) if isinstance(address, str) else address
    if len(raw) != 20 or kind not in (ETH1_ADDRESS, COMPOUNDING):
        raise ValueError(f"no credentials of kind {kind} for an address of {len(raw)} bytes")
    return bytes([kind]) + bytes(11) + raw


@dataclass(frozen=True)
class DepositData:
    pubkey: bytes
    credentials: bytes
    amount: Gwei
    signature: bytes

    @property
    def root(self) -> bytes:
        """What the deposit contract recomputes."""
        signature = _pair(_pair(self.signature[:32], self.signature[32:64]), _pair(self.signature[64:], _ZERO))
        key = _pair(_pubkey_root(self.pubkey), self.credentials)
        return _pair(key, _pair(_number(self.amount), signature))

    def calldata(self) -> bytes:
        return keccak(text="deposit(bytes,bytes,bytes,bytes32)")[:4] + encode(
            ["bytes", "bytes", "bytes", "bytes32"], [self.pubkey, self.credentials, self.signature, self.root]
        )

    def is_signed(self, genesis_fork_version: bytes) -> bool:
        """Whether the consensus layer takes it as the first deposit of its key."""
        root = deposit_signing_root(self.pubkey, self.credentials, self.amount, genesis_fork_version)
        return bls.verify(self.pubkey, root, self.signature)


def deposit_signing_root(pubkey: bytes, credentials: bytes, amount: Gwei, genesis_fork_version: bytes) -> bytes:
    """Deposits of all forks and chains of one genesis version are valid for each other: the domain has no chain."""
    message = _pair(_pair(_pubkey_root(pubkey), credentials), _pair(_number(amount), _ZERO))
    return _pair(message, domain(DOMAIN_DEPOSIT, genesis_fork_version, _ZERO))


def sign_deposit(secret: bytes, credentials: bytes, amount: Gwei, genesis_fork_version: bytes) -> DepositData:
    pubkey = bls.public_key(secret)
    root = deposit_signing_root(pubkey, credentials, amount, genesis_fork_version)
    return DepositData(pubkey, credentials, amount, bls.sign(secret, root))


def sign_exit(secret: bytes, epoch: int, index: int, capella_version: bytes, genesis_validators_root: bytes) -> bytes:
    """Of a voluntary exit; since Deneb always in Capella's domain (EIP-7044)."""
    root = _pair(_number(epoch), _number(index))
    return bls.sign(secret, _pair(root, domain(DOMAIN_VOLUNTARY_EXIT, capella_version, genesis_validators_root)))


def withdrawal_request(pubkey: bytes, amount: Gwei = NO_GWEI) -> bytes:
    """Calldata for EIP-7002's contract; an amount of 0 is a full exit."""
    return pubkey + amount.to_bytes(8, "big")


def consolidation_request(source: bytes, target: bytes) -> bytes:
    """Calldata for EIP-7251's contract; a source that is its own target switches to compounding."""
    return source + target


def domain(kind: bytes, fork_version: bytes, genesis_validators_root: bytes) -> bytes:
    return kind + _pair(fork_version + bytes(28), genesis_validators_root)[:28]


def _pair(left: bytes, right: bytes) -> bytes:
    return sha256(left + right).digest()


def _number(value: int) -> bytes:
    return value.to_bytes(8, "little") + bytes(24)


def _pubkey_root(pubkey: bytes) -> bytes:
    return _pair(pubkey[:32], pubkey[32:] + bytes(16))
