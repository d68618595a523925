"""What a beacon node says, checked: numbers in range, bytes of the right length."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sluice.units import Epoch, Gwei, Slot, Timestamp


def _from_hex(value: object) -> object:
    if isinstance(value, str):
        if not value.startswith("0x"):
            raise ValueError("hex without 0x")
        return bytes.fromhex(value[2:])
    return value


Bytes4 = Annotated[bytes, BeforeValidator(_from_hex), Field(min_length=4, max_length=4)]
Bytes20 = Annotated[bytes, BeforeValidator(_from_hex), Field(min_length=20, max_length=20)]
Bytes32 = Annotated[bytes, BeforeValidator(_from_hex), Field(min_length=32, max_length=32)]
Bytes48 = Annotated[bytes, BeforeValidator(_from_hex), Field(min_length=48, max_length=48)]
Bytes96 = Annotated[bytes, BeforeValidator(_from_hex), Field(min_length=96, max_length=96)]
Count = Annotated[int, Field(ge=0, lt=2**64)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Genesis(_Answer):
    genesis_time: Annotated[Timestamp, Field(ge=0)]
    genesis_validators_root: Bytes32
    genesis_fork_version: Bytes4


class Fork(_Answer):
    previous_version: Bytes4
    current_version: Bytes4
    epoch: Annotated[Epoch, Field(ge=0)]


class Checkpoint(_Answer):
    epoch: Annotated[Epoch, Field(ge=0)]
    root: Bytes32


class Finality(_Answer):
    previous_justified: Checkpoint
    current_justified: Checkpoint
    finalized: Checkpoint


class HeaderMessage(_Answer):
    slot: Annotated[Slot, Field(ge=0)]
    proposer_index: Count
    parent_root: Bytes32
    state_root: Bytes32
    body_root: Bytes32


@dataclass(frozen=True)
class Header:
    root: bytes
    slot: Slot
    proposer_index: int
    parent_root: bytes
    state_root: bytes
    body_root: bytes
    finalized: bool
    optimistic: bool
    """The node follows this block without having checked its execution payload."""


class ValidatorRecord(_Answer):
    pubkey: Bytes48
    withdrawal_credentials: Bytes32
    effective_balance: Annotated[Gwei, Field(ge=0)]
    slashed: bool
    activation_eligibility_epoch: Annotated[Epoch, Field(ge=0)]
    activation_epoch: Annotated[Epoch, Field(ge=0)]
    exit_epoch: Annotated[Epoch, Field(ge=0)]
    withdrawable_epoch: Annotated[Epoch, Field(ge=0)]


class Validator(_Answer):
    index: Count
    balance: Annotated[Gwei, Field(ge=0)]
    status: str
    validator: ValidatorRecord

    @property
    def pubkey(self) -> bytes:
        return bytes(self.validator.pubkey)

    @property
    def credentials(self) -> bytes:
        return bytes(self.validator.withdrawal_credentials)


class PendingDeposit(_Answer):
    pubkey: Bytes48
    withdrawal_credentials: Bytes32
    amount: Annotated[Gwei, Field(ge=0)]
    signature: Bytes96
    slot: Annotated[Slot, Field(ge=0)]


class PendingPartialWithdrawal(_Answer):
    validator_index: Count
    amount: Annotated[Gwei, Field(ge=0)]
    withdrawable_epoch: Annotated[Epoch, Field(ge=0)]


class PendingConsolidation(_Answer):
    source_index: Count
    target_index: Count


class ExecutionBlock(_Answer):
    """The execution block that belongs to a beacon block."""

    block_hash: Bytes32
    parent_hash: Bytes32
    block_number: Count
    timestamp: Annotated[Timestamp, Field(ge=0)]
    state_root: Bytes32
    fee_recipient: Bytes20


class Syncing(_Answer):
    head_slot: Annotated[Slot, Field(ge=0)]
    sync_distance: Count
    is_syncing: bool
    is_optimistic: bool = False
    el_offline: bool = False


@dataclass(frozen=True)
class Spec:
    """The values of the node's configuration that concern us, and all of them as they came."""

    seconds_per_slot: int
    slots_per_epoch: int
    preset: str
    deposit_contract: bytes
    deposit_chain_id: int
    values: dict[str, Any]


@dataclass(frozen=True)
class StateDownload:
    fork: str
    """As the node names it, e.g. ``fulu``."""
    size: int
