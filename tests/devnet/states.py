"""Beacon states decoded and merkleized by remerkleable: independent of Lodestar and of the package's own SSZ."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from remerkleable.basic import boolean, uint8, uint64, uint256
from remerkleable.bitfields import Bitvector
from remerkleable.byte_arrays import ByteList, Bytes4, Bytes32, Bytes48, ByteVector
from remerkleable.complex import Container, List, Vector

VALIDATORS = 2**40
HISTORY = 2**24
PENDING_DEPOSITS = 2**27


@dataclass(frozen=True)
class Sizes:
    """Preset values of the consensus specifications."""

    slots: int
    roots: int
    mixes: int
    slashings: int
    sync: int
    votes: int
    partials: int
    consolidations: int


SIZES = {
    "minimal": Sizes(8, 64, 64, 64, 32, 32, 64, 64),
    "mainnet": Sizes(32, 8192, 65536, 8192, 512, 2048, 2**27, 2**18),
}


class Fork(Container):  # type: ignore[misc]
    previous_version: Bytes4
    current_version: Bytes4
    epoch: uint64


class Checkpoint(Container):  # type: ignore[misc]
    epoch: uint64
    root: Bytes32


class Validator(Container):  # type: ignore[misc]
    pubkey: Bytes48
    withdrawal_credentials: Bytes32
    effective_balance: uint64
    slashed: boolean
    activation_eligibility_epoch: uint64
    activation_epoch: uint64
    exit_epoch: uint64
    withdrawable_epoch: uint64


class BeaconBlockHeader(Container):  # type: ignore[misc]
    slot: uint64
    proposer_index: uint64
    parent_root: Bytes32
    state_root: Bytes32
    body_root: Bytes32


class Eth1Data(Container):  # type: ignore[misc]
    deposit_root: Bytes32
    deposit_count: uint64
    block_hash: Bytes32


class ExecutionPayloadHeader(Container):  # type: ignore[misc]
    parent_hash: Bytes32
    fee_recipient: ByteVector[20]
    state_root: Bytes32
    receipts_root: Bytes32
    logs_bloom: ByteVector[256]
    prev_randao: Bytes32
    block_number: uint64
    gas_limit: uint64
    gas_used: uint64
    timestamp: uint64
    extra_data: ByteList[32]
    base_fee_per_gas: uint256
    block_hash: Bytes32
    transactions_root: Bytes32
    withdrawals_root: Bytes32
    blob_gas_used: uint64
    excess_blob_gas: uint64


class HistoricalSummary(Container):  # type: ignore[misc]
    block_summary_root: Bytes32
    state_summary_root: Bytes32


class PendingDeposit(Container):  # type: ignore[misc]
    pubkey: Bytes48
    withdrawal_credentials: Bytes32
    amount: uint64
    signature: ByteVector[96]
    slot: uint64


class PendingPartialWithdrawal(Container):  # type: ignore[misc]
    validator_index: uint64
    amount: uint64
    withdrawable_epoch: uint64


class PendingConsolidation(Container):  # type: ignore[misc]
    source_index: uint64
    target_index: uint64


@cache
def state_type(fork: str, preset: str = "minimal") -> Any:
    size = SIZES[preset]

    class SyncCommittee(Container):  # type: ignore[misc]
        pubkeys: Vector[Bytes48, size.sync]
        aggregate_pubkey: Bytes48

    class Electra(Container):  # type: ignore[misc]
        genesis_time: uint64
        genesis_validators_root: Bytes32
        slot: uint64
        fork: Fork
        latest_block_header: BeaconBlockHeader
        block_roots: Vector[Bytes32, size.roots]
        state_roots: Vector[Bytes32, size.roots]
        historical_roots: List[Bytes32, HISTORY]
        eth1_data: Eth1Data
        eth1_data_votes: List[Eth1Data, size.votes]
        eth1_deposit_index: uint64
        validators: List[Validator, VALIDATORS]
        balances: List[uint64, VALIDATORS]
        randao_mixes: Vector[Bytes32, size.mixes]
        slashings: Vector[uint64, size.slashings]
        previous_epoch_participation: List[uint8, VALIDATORS]
        current_epoch_participation: List[uint8, VALIDATORS]
        justification_bits: Bitvector[4]
        previous_justified_checkpoint: Checkpoint
        current_justified_checkpoint: Checkpoint
        finalized_checkpoint: Checkpoint
        inactivity_scores: List[uint64, VALIDATORS]
        current_sync_committee: SyncCommittee
        next_sync_committee: SyncCommittee
        latest_execution_payload_header: ExecutionPayloadHeader
        next_withdrawal_index: uint64
        next_withdrawal_validator_index: uint64
        historical_summaries: List[HistoricalSummary, HISTORY]
        deposit_requests_start_index: uint64
        deposit_balance_to_consume: uint64
        exit_balance_to_consume: uint64
        earliest_exit_epoch: uint64
        consolidation_balance_to_consume: uint64
        earliest_consolidation_epoch: uint64
        pending_deposits: List[PendingDeposit, PENDING_DEPOSITS]
        pending_partial_withdrawals: List[PendingPartialWithdrawal, size.partials]
        pending_consolidations: List[PendingConsolidation, size.consolidations]

    class Fulu(Electra):
        proposer_lookahead: Vector[uint64, 2 * size.slots]

    return {"electra": Electra, "fulu": Fulu}[fork]


def decode(ssz: bytes | memoryview, fork: str, preset: str = "minimal") -> Any:
    return state_type(fork, preset).decode_bytes(bytes(ssz))


def root_of(value: Any) -> bytes:
    return bytes(value.hash_tree_root())
