"""An exact model of the core: what its interfaces promise, in fractions. Independent of the Solidity code."""

from sluice.model.queue import ESCROW, CheckpointModel, QueueModel, QueueTerms, RequestModel
from sluice.model.rounding import Outcome, Refused, Rounding
from sluice.model.vault import (
    FEE_RECIPIENT,
    SEED_HOLDER,
    ConsensusFigures,
    ReportOutcome,
    VaultModel,
    VaultTerms,
)

__all__ = [
    "ESCROW",
    "FEE_RECIPIENT",
    "SEED_HOLDER",
    "CheckpointModel",
    "ConsensusFigures",
    "Outcome",
    "QueueModel",
    "QueueTerms",
    "Refused",
    "ReportOutcome",
    "RequestModel",
    "Rounding",
    "VaultModel",
    "VaultTerms",
]
