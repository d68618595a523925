"""What the rest of Sluice needs of a consensus layer. Small on purpose: the stand-in has it, the real one will."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from sluice.oracle.report import ConsensusView
from sluice.units import SECONDS_PER_YEAR, Epoch, Gwei, Slot, Timestamp, Wei

FAR_FUTURE: Final = Epoch(2**64 - 1)


@dataclass(frozen=True)
class ChainSpec:
    """The clock of the consensus layer."""

    genesis_time: Timestamp
    seconds_per_slot: int = 12
    slots_per_epoch: int = 32

    @property
    def epochs_per_year(self) -> int:
        return SECONDS_PER_YEAR // (self.seconds_per_slot * self.slots_per_epoch)

    def time_of(self, slot: Slot) -> Timestamp:
        return Timestamp(self.genesis_time + slot * self.seconds_per_slot)

    def slot_at(self, time: Timestamp) -> Slot:
        """The newest slot that has begun at ``time``."""
        return Slot(max(0, time - self.genesis_time) // self.seconds_per_slot)

    def epoch_of(self, slot: Slot) -> Epoch:
        return Epoch(slot // self.slots_per_epoch)


class Status(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    EXITING = "exiting"
    EXITED = "exited"
    WITHDRAWABLE = "withdrawable"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class ValidatorInfo:
    index: int
    pubkey: bytes
    credentials: bytes
    balance: Gwei
    status: Status
    slashed: bool


@dataclass(frozen=True)
class Stamp:
    """A slot and the block of the execution layer that belongs to it."""

    slot: Slot
    time: Timestamp
    block: int
    block_hash: bytes


@dataclass(frozen=True)
class Ledger:
    """Ether on both sides of the consensus layer. It is conserved where ``holds``.

    deposited + rewards - penalties - withdrawn = balances + pending     (gwei)
    """

    deposited: Gwei
    rewards: Gwei
    penalties: Gwei
    withdrawn: Gwei
    balances: Gwei
    pending: Gwei
    credited: Wei
    """Paid out on the execution side."""
    deposit_contract: Wei
    """What lies in the deposit contract, for ever."""

    @property
    def gap(self) -> int:
        """Gwei that came from nowhere (above zero) or are missing."""
        return self.balances + self.pending - (self.deposited + self.rewards - self.penalties - self.withdrawn)

    @property
    def forced(self) -> int:
        """Wei in the deposit contract that no deposit explains; whoever forced it there has lost it."""
        return self.deposit_contract - self.deposited * 10**9

    @property
    def holds(self) -> bool:
        return self.gap == 0 and self.credited == self.withdrawn * 10**9 and self.forced >= 0


class ReportSource(Protocol):
    """The consensus layer, as far as a report needs it."""

    def sync(self) -> Slot:
        """Catch up; the newest slot there is."""
        ...

    def stamp(self, slot: Slot) -> Stamp:
        """The block that belongs to a reference slot (or to the newest)."""
        ...

    def view(self, slot: Slot, credentials: bytes) -> ConsensusView:
        """All validators with these credentials, as they were at a reference slot (or are at the newest)."""
        ...

    def faults(self, before: Slot | None, slot: Slot, credentials: bytes) -> Gwei:
        """What those of them at fault have lost from the report of slot ``before`` (None: ever) to ``slot``."""
        ...


class ConsensusLayer(ReportSource, Protocol):
    """Balances, duties and time of the validators; the execution node is its other side."""

    @property
    def spec(self) -> ChainSpec: ...

    @property
    def slot(self) -> Slot:
        """The newest slot it has processed."""
        ...

    def advance_to(self, slot: Slot) -> Slot:
        """Let time pass on both sides until ``slot``."""
        ...

    def validators(self, credentials: bytes | None = None) -> Sequence[ValidatorInfo]:
        """As they are now, in the order of the registry; all, or those with these credentials."""
        ...

    def slash(self, pubkey: bytes, later_penalty: Gwei | None = None) -> None:
        """Prove an offence: penalty now, a later one (by default what correlation asks for), forced exit."""
        ...

    def exit(self, pubkey: bytes) -> None:
        """Leave; the balance is paid to the credentials' address when withdrawable."""
        ...

    def withdraw(self, pubkey: bytes, amount: Gwei) -> None:
        """Part of what a compounding validator has above 32 ether."""
        ...

    def conservation(self) -> Ledger: ...
