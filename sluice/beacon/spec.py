"""What a beacon state is made of, by fork and preset (consensus specs, Electra and Fulu)."""

from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from sluice.beacon.ssz import (
    BOOLEAN,
    BYTES4,
    BYTES20,
    BYTES32,
    BYTES48,
    BYTES96,
    UINT8,
    UINT64,
    UINT256,
    Bitvector,
    ByteList,
    ByteVector,
    Container,
    List,
    SszType,
    Vector,
)

Fork = Literal["electra", "fulu"]
FORKS: Final[tuple[Fork, ...]] = ("electra", "fulu")


def fork_named(name: str) -> Fork:
    """As nodes name it; raises ``ValueError`` for one whose states are not known here."""
    for fork in FORKS:
        if fork == name:
            return fork
    raise ValueError(f"states of the fork '{name}' are not known, only of {', '.join(FORKS)}")


@dataclass(frozen=True)
class Preset:
    """What differs between mainnet and the minimal network; all else is the same in both."""

    name: str
    slots_per_epoch: int
    slots_per_historical_root: int
    epochs_per_historical_vector: int
    epochs_per_slashings_vector: int
    epochs_per_eth1_voting_period: int
    sync_committee_size: int
    pending_partial_withdrawals_limit: int
    pending_consolidations_limit: int


MAINNET: Final = Preset(
    name="mainnet",
    slots_per_epoch=32,
    slots_per_historical_root=8_192,
    epochs_per_historical_vector=65_536,
    epochs_per_slashings_vector=8_192,
    epochs_per_eth1_voting_period=64,
    sync_committee_size=512,
    pending_partial_withdrawals_limit=2**27,
    pending_consolidations_limit=2**18,
)
MINIMAL: Final = Preset(
    name="minimal",
    slots_per_epoch=8,
    slots_per_historical_root=64,
    epochs_per_historical_vector=64,
    epochs_per_slashings_vector=64,
    epochs_per_eth1_voting_period=4,
    sync_committee_size=32,
    pending_partial_withdrawals_limit=64,
    pending_consolidations_limit=64,
)
PRESETS: Final = {preset.name: preset for preset in (MAINNET, MINIMAL)}

VALIDATOR_REGISTRY_LIMIT: Final = 2**40
HISTORICAL_ROOTS_LIMIT: Final = 2**24
PENDING_DEPOSITS_LIMIT: Final = 2**27
MIN_SEED_LOOKAHEAD: Final = 1


def _container(name: str, **fields: SszType) -> Container:
    return Container(name, tuple(fields.items()))


HEADER: Final = _container(
    "BeaconBlockHeader",
    slot=UINT64,
    proposer_index=UINT64,
    parent_root=BYTES32,
    state_root=BYTES32,
    body_root=BYTES32,
)
VALIDATOR: Final = _container(
    "Validator",
    pubkey=BYTES48,
    withdrawal_credentials=BYTES32,
    effective_balance=UINT64,
    slashed=BOOLEAN,
    activation_eligibility_epoch=UINT64,
    activation_epoch=UINT64,
    exit_epoch=UINT64,
    withdrawable_epoch=UINT64,
)
PENDING_DEPOSIT: Final = _container(
    "PendingDeposit",
    pubkey=BYTES48,
    withdrawal_credentials=BYTES32,
    amount=UINT64,
    signature=BYTES96,
    slot=UINT64,
)
HISTORICAL_SUMMARY: Final = _container("HistoricalSummary", block_summary_root=BYTES32, state_summary_root=BYTES32)
PENDING_PARTIAL_WITHDRAWAL: Final = _container(
    "PendingPartialWithdrawal", validator_index=UINT64, amount=UINT64, withdrawable_epoch=UINT64
)
PENDING_CONSOLIDATION: Final = _container("PendingConsolidation", source_index=UINT64, target_index=UINT64)
_FORK: Final = _container("Fork", previous_version=BYTES4, current_version=BYTES4, epoch=UINT64)
_CHECKPOINT: Final = _container("Checkpoint", epoch=UINT64, root=BYTES32)
_ETH1_DATA: Final = _container("Eth1Data", deposit_root=BYTES32, deposit_count=UINT64, block_hash=BYTES32)
_EXECUTION_PAYLOAD_HEADER: Final = _container(
    "ExecutionPayloadHeader",
    parent_hash=BYTES32,
    fee_recipient=BYTES20,
    state_root=BYTES32,
    receipts_root=BYTES32,
    logs_bloom=ByteVector(256),
    prev_randao=BYTES32,
    block_number=UINT64,
    gas_limit=UINT64,
    gas_used=UINT64,
    timestamp=UINT64,
    extra_data=ByteList(32),
    base_fee_per_gas=UINT256,
    block_hash=BYTES32,
    transactions_root=BYTES32,
    withdrawals_root=BYTES32,
    blob_gas_used=UINT64,
    excess_blob_gas=UINT64,
)


@cache
def beacon_state(fork: Fork, preset: Preset) -> Container:
    """The type of a state: 37 fields in Electra, 38 in Fulu."""
    sync_committee = _container(
        "SyncCommittee", pubkeys=Vector(BYTES48, preset.sync_committee_size), aggregate_pubkey=BYTES48
    )
    roots = Vector(BYTES32, preset.slots_per_historical_root)
    votes = preset.epochs_per_eth1_voting_period * preset.slots_per_epoch
    electra = _container(
        "BeaconState",
        genesis_time=UINT64,
        genesis_validators_root=BYTES32,
        slot=UINT64,
        fork=_FORK,
        latest_block_header=HEADER,
        block_roots=roots,
        state_roots=roots,
        historical_roots=List(BYTES32, HISTORICAL_ROOTS_LIMIT),
        eth1_data=_ETH1_DATA,
        eth1_data_votes=List(_ETH1_DATA, votes),
        eth1_deposit_index=UINT64,
        validators=List(VALIDATOR, VALIDATOR_REGISTRY_LIMIT),
        balances=List(UINT64, VALIDATOR_REGISTRY_LIMIT),
        randao_mixes=Vector(BYTES32, preset.epochs_per_historical_vector),
        slashings=Vector(UINT64, preset.epochs_per_slashings_vector),
        previous_epoch_participation=List(UINT8, VALIDATOR_REGISTRY_LIMIT),
        current_epoch_participation=List(UINT8, VALIDATOR_REGISTRY_LIMIT),
        justification_bits=Bitvector(4),
        previous_justified_checkpoint=_CHECKPOINT,
        current_justified_checkpoint=_CHECKPOINT,
        finalized_checkpoint=_CHECKPOINT,
        inactivity_scores=List(UINT64, VALIDATOR_REGISTRY_LIMIT),
        current_sync_committee=sync_committee,
        next_sync_committee=sync_committee,
        latest_execution_payload_header=_EXECUTION_PAYLOAD_HEADER,
        next_withdrawal_index=UINT64,
        next_withdrawal_validator_index=UINT64,
        historical_summaries=List(HISTORICAL_SUMMARY, HISTORICAL_ROOTS_LIMIT),
        deposit_requests_start_index=UINT64,
        deposit_balance_to_consume=UINT64,
        exit_balance_to_consume=UINT64,
        earliest_exit_epoch=UINT64,
        consolidation_balance_to_consume=UINT64,
        earliest_consolidation_epoch=UINT64,
        pending_deposits=List(PENDING_DEPOSIT, PENDING_DEPOSITS_LIMIT),
        pending_partial_withdrawals=List(PENDING_PARTIAL_WITHDRAWAL, preset.pending_partial_withdrawals_limit),
        pending_consolidations=List(PENDING_CONSOLIDATION, preset.pending_consolidations_limit),
    )
    if fork == "electra":
        return electra
    lookahead = Vector(UINT64, (MIN_SEED_LOOKAHEAD + 1) * preset.slots_per_epoch)
    return Container("BeaconState", (*electra.fields, ("proposer_lookahead", lookahead)))
