"""Beacon states as remerkleable has them: an independent merkleizer, for tests. Written a second time on purpose."""

from __future__ import annotations

from typing import Any

from remerkleable.basic import boolean, uint8, uint64, uint256
from remerkleable.bitfields import Bitvector
from remerkleable.byte_arrays import ByteList, Bytes4, Bytes32, Bytes48, ByteVector
from remerkleable.complex import Container, List, Vector


def container(name: str, **fields: Any) -> Any:
    return type(name, (Container,), {"__annotations__": fields})


Fork = container("Fork", previous_version=Bytes4, current_version=Bytes4, epoch=uint64)
Checkpoint = container("Checkpoint", epoch=uint64, root=Bytes32)
Header = container(
    "BeaconBlockHeader", slot=uint64, proposer_index=uint64, parent_root=Bytes32, state_root=Bytes32, body_root=Bytes32
)
Validator = container(
    "Validator",
    pubkey=Bytes48,
    withdrawal_credentials=Bytes32,
    effective_balance=uint64,
    slashed=boolean,
    activation_eligibility_epoch=uint64,
    activation_epoch=uint64,
    exit_epoch=uint64,
    withdrawable_epoch=uint64,
)
Eth1Data = container("Eth1Data", deposit_root=Bytes32, deposit_count=uint64, block_hash=Bytes32)
PayloadHeader = container(
    "ExecutionPayloadHeader",
    parent_hash=Bytes32,
    fee_recipient=ByteVector[20],
    state_root=Bytes32,
    receipts_root=Bytes32,
    logs_bloom=ByteVector[256],
    prev_randao=Bytes32,
    block_number=uint64,
    gas_limit=uint64,
    gas_used=uint64,
    timestamp=uint64,
    extra_data=ByteList[32],
    base_fee_per_gas=uint256,
    block_hash=Bytes32,
    transactions_root=Bytes32,
    withdrawals_root=Bytes32,
    blob_gas_used=uint64,
    excess_blob_gas=uint64,
)
Summary = container("HistoricalSummary", block_summary_root=Bytes32, state_summary_root=Bytes32)
PendingDeposit = container(
    "PendingDeposit",
    pubkey=Bytes48,
    withdrawal_credentials=Bytes32,
    amount=uint64,
    signature=ByteVector[96],
    slot=uint64,
)
PartialWithdrawal = container("PendingPartialWithdrawal", index=uint64, amount=uint64, epoch=uint64)
Consolidation = container("PendingConsolidation", source=uint64, target=uint64)


def state_type(fork: str, preset: str) -> Any:
    small = preset == "minimal"
    roots = Vector[Bytes32, 64 if small else 8192]
    registry = 2**40
    committee = container("SyncCommittee", pubkeys=Vector[Bytes48, 32 if small else 512], aggregate_pubkey=Bytes48)
    fields = {
        "genesis_time": uint64,
        "genesis_validators_root": Bytes32,
        "slot": uint64,
        "fork": Fork,
        "latest_block_header": Header,
        "block_roots": roots,
        "state_roots": roots,
        "historical_roots": List[Bytes32, 2**24],
        "eth1_data": Eth1Data,
        "eth1_data_votes": List[Eth1Data, 32 if small else 2048],
        "eth1_deposit_index": uint64,
        "validators": List[Validator, registry],
        "balances": List[uint64, registry],
        "randao_mixes": Vector[Bytes32, 64 if small else 65536],
        "slashings": Vector[uint64, 64 if small else 8192],
        "previous_epoch_participation": List[uint8, registry],
        "current_epoch_participation": List[uint8, registry],
        "justification_bits": Bitvector[4],
        "previous_justified_checkpoint": Checkpoint,
        "current_justified_checkpoint": Checkpoint,
        "finalized_checkpoint": Checkpoint,
        "inactivity_scores": List[uint64, registry],
        "current_sync_committee": committee,
        "next_sync_committee": committee,
        "latest_execution_payload_header": PayloadHeader,
        "next_withdrawal_index": uint64,
        "next_withdrawal_validator_index": uint64,
        "historical_summaries": List[Summary, 2**24],
        "deposit_requests_start_index": uint64,
        "deposit_balance_to_consume": uint64,
        "exit_balance_to_consume": uint64,
        "earliest_exit_epoch": uint64,
        "consolidation_balance_to_consume": uint64,
        "earliest_consolidation_epoch": uint64,
        "pending_deposits": List[PendingDeposit, 2**27],
        "pending_partial_withdrawals": List[PartialWithdrawal, 64 if small else 2**27],
        "pending_consolidations": List[Consolidation, 64 if small else 2**18],
    }
    if fork == "fulu":
        fields["proposer_lookahead"] = Vector[uint64, 16 if small else 64]
    return container("BeaconState", **fields)


def branch(value: Any, path: int) -> tuple[bytes, list[bytes]]:
    """The node at a generalized index and the siblings up to the root."""
    node = value.get_backing()
    siblings = []
    for bit in bin(path)[3:]:
        left, right = node.get_left(), node.get_right()
        node, other = (left, right) if bit == "0" else (right, left)
        siblings.append(bytes(other.merkle_root()))
    return bytes(node.merkle_root()), siblings[::-1]
