"""Headers, validators and pending deposits one at a time, as proofs carry them to contracts."""

from dataclasses import dataclass
from typing import Final, Self

from sluice.beacon import spec
from sluice.beacon.ssz import BYTES96, root
from sluice.units import Epoch, Gwei, Slot

UINT64_BYTES = 8


def _uint(value: int) -> bytes:
    return value.to_bytes(UINT64_BYTES, "little")


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


@dataclass(frozen=True)
class BlockHeader:
    """The Solidity struct ``BeaconHeader``."""

    slot: Slot
    proposer_index: int
    parent_root: bytes
    state_root: bytes
    body_root: bytes

    def encoded(self) -> bytes:
        return _uint(self.slot) + _uint(self.proposer_index) + self.parent_root + self.state_root + self.body_root

    def root(self) -> bytes:
        """Of the block."""
        return root(spec.HEADER, memoryview(self.encoded()))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls(Slot(_number(data[:8])), _number(data[8:16]), data[16:48], data[48:80], data[80:112])

    def as_tuple(self) -> tuple[int, int, bytes, bytes, bytes]:
        """As contracts take it."""
        return (self.slot, self.proposer_index, self.parent_root, self.state_root, self.body_root)


@dataclass(frozen=True)
class ValidatorRecord:
    """The Solidity struct of the same name."""

    pubkey: bytes
    credentials: bytes
    effective_balance: Gwei
    slashed: bool
    activation_eligibility_epoch: Epoch
    activation_epoch: Epoch
    exit_epoch: Epoch
    withdrawable_epoch: Epoch

    def encoded(self) -> bytes:
        epochs = (self.activation_eligibility_epoch, self.activation_epoch, self.exit_epoch, self.withdrawable_epoch)
        head = self.pubkey + self.credentials + _uint(self.effective_balance) + bytes([self.slashed])
        return head + b"".join(map(_uint, epochs))

    def root(self) -> bytes:
        return root(spec.VALIDATOR, memoryview(self.encoded()))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        epochs = [Epoch(_number(data[at : at + 8])) for at in range(89, 121, 8)]
        return cls(data[:48], data[48:80], Gwei(_number(data[80:88])), bool(data[88]), *epochs)

    def as_tuple(self) -> tuple[bytes, bytes, int, bool, int, int, int, int]:
        """As contracts take it."""
        return (
            self.pubkey,
            self.credentials,
            self.effective_balance,
            self.slashed,
            self.activation_eligibility_epoch,
            self.activation_epoch,
            self.exit_epoch,
            self.withdrawable_epoch,
        )


@dataclass(frozen=True)
class PendingDeposit:
    """The Solidity struct of the same name, which has the signature's root in place of the signature."""

    pubkey: bytes
    credentials: bytes
    amount: Gwei
    signature: bytes
    slot: Slot

    def encoded(self) -> bytes:
        return self.pubkey + self.credentials + _uint(self.amount) + self.signature + _uint(self.slot)

    def root(self) -> bytes:
        return root(spec.PENDING_DEPOSIT, memoryview(self.encoded()))

    @property
    def signature_root(self) -> bytes:
        return root(BYTES96, memoryview(self.signature))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        amount, slot = Gwei(_number(data[80:88])), Slot(_number(data[184:192]))
        return cls(data[:48], data[48:80], amount, data[88:184], slot)

    def as_tuple(self) -> tuple[bytes, bytes, int, bytes, int]:
        """As contracts take it."""
        return (self.pubkey, self.credentials, self.amount, self.signature_root, self.slot)


NO_DEPOSIT: Final = PendingDeposit(b"", bytes(32), Gwei(0), bytes(96), Slot(0))
"""Where contracts ask for a deposit and there is none."""
