"""Real beacon states for tests (tests/vectors/beacon/), and the calls of `BeaconProofs` that are made of them.

`python -m tests.beacon` writes what forge's tests read.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

from eth_abi import encode
from eth_utils import keccak

from sluice.beacon import proofs
from sluice.beacon.containers import BlockHeader
from sluice.beacon.proofs import ProofsConfig, StateLayout
from sluice.beacon.spec import MINIMAL, Fork
from sluice.beacon.state import BeaconState, StateTree
from sluice.units import Slot

VECTORS: Final = Path(__file__).resolve().parent / "vectors" / "beacon"
PROOFS: Final = VECTORS / "proofs.json"
PERIOD: Final = MINIMAL.slots_per_historical_root
SLASHED: Final = 5
EXITED: Final = 64
END: Final = Slot(10_000)

HEADER_TYPE: Final = "(uint64,uint64,bytes32,bytes32,bytes32)"
RECORD_TYPE: Final = "(bytes,bytes32,uint64,bool,uint64,uint64,uint64,uint64)"
DEPOSIT_TYPE: Final = "(bytes,bytes32,uint64,bytes32,uint64)"
LAYOUT_TYPE: Final = "(uint64,uint16,uint8,uint16,uint8,uint16,uint8,uint16,uint8,uint16)"
CONFIG_TYPE: Final = f"({LAYOUT_TYPE}[],uint256,uint256,uint256)"


@dataclass(frozen=True)
class World:
    """One chain: its blocks by slot, and the states that were kept, by slot."""

    fork: Fork
    headers: dict[int, BlockHeader]
    data: dict[int, bytes]

    def state(self, slot: int) -> BeaconState:
        return BeaconState.decode(self.data[slot], self.fork, MINIMAL)

    @property
    def slots(self) -> list[int]:
        """Of the states."""
        return sorted(self.data)

    @cached_property
    def roots(self) -> dict[int, bytes]:
        return {slot: header.root() for slot, header in self.headers.items()}

    def newest(self, slot: int) -> BlockHeader:
        """The newest block at or before ``slot``."""
        return self.headers[max(s for s in self.headers if s <= slot)]

    def period_roots(self, slot: int) -> list[bytes]:
        """Block roots of the period that ``slot`` is in."""
        first = slot // PERIOD * PERIOD
        return proofs.period_roots(self.roots, Slot(first), PERIOD, self.newest(first).root())


@cache
def world(fork: Fork) -> World:
    kept = json.loads(gzip.decompress((VECTORS / f"{fork}.json.gz").read_bytes()))
    headers = {}
    for slot, proposer, *roots in kept["headers"]:
        headers[slot] = BlockHeader(Slot(slot), proposer, *(bytes.fromhex(root[2:]) for root in roots))
    data = {slot: gzip.decompress((VECTORS / f"{fork}-{slot}.ssz.gz").read_bytes()) for slot in kept["states"]}
    return World(fork, headers, data)


@cache
def tree_at(fork: Fork, slot: int) -> StateTree:
    """The tree of a kept state. Shared: load nothing else into it."""
    tree = StateTree()
    tree.load(world(fork).state(slot))
    return tree


def config(*layouts: StateLayout, end: int = END) -> ProofsConfig:
    """That of the contract on such a chain."""
    chosen = layouts or (proofs.layout("electra", MINIMAL, Slot(0)),)
    return ProofsConfig(tuple(chosen), Slot(end), PERIOD, Slot(0))


def other_layout(first_slot: int) -> StateLayout:
    """That of a fork to come, as far as anything is known of it: deeper, and nothing where it was."""
    now = proofs.layout("electra", MINIMAL, Slot(first_slot))
    return replace(
        now,
        validators=128 + 11,
        balances=128 + 12,
        pending_deposits=128 + 34,
        historical_summaries=128 + 27,
        block_roots=128 + 5,
    )


# --- Calls, encoded ---


def validator_call(proof: proofs.ValidatorProof) -> bytes:
    types = (HEADER_TYPE, "uint256", RECORD_TYPE, "bytes32[]")
    return _call("verifyValidator", types, proof.header.as_tuple(), proof.index, proof.record.as_tuple(), proof.branch)


def balance_call(proof: proofs.BalanceProof) -> bytes:
    types = (HEADER_TYPE, "uint256", "bytes32", "bytes32[]")
    return _call("verifyBalance", types, proof.header.as_tuple(), proof.index, proof.balances, proof.branch)


def deposit_call(proof: proofs.PendingDepositProof) -> bytes:
    types = (HEADER_TYPE, "uint256", DEPOSIT_TYPE, "bytes32[]")
    return _call(
        "verifyPendingDeposit", types, proof.header.as_tuple(), proof.index, proof.deposit.as_tuple(), proof.branch
    )


def count_call(name: str, proof: proofs.CountProof) -> bytes:
    types = (HEADER_TYPE, "uint256", "bytes32[]")
    return _call(name, types, proof.header.as_tuple(), proof.count, proof.branch)


def block_call(name: str, proof: proofs.BlockProof) -> bytes:
    types = (HEADER_TYPE, "uint256", HEADER_TYPE, "bytes32[]")
    return _call(name, types, proof.header.as_tuple(), proof.slot, proof.block.as_tuple(), proof.branch)


def _call(name: str, types: tuple[str, ...], *arguments: Any) -> bytes:
    return keccak(text=f"{name}({','.join(types)})")[:4] + encode(types, arguments)


def historical_proof(fork: Fork, slot: int, of: int) -> proofs.BlockProof:
    """Of the newest block at or before ``of``, from the state at ``slot``."""
    chain = world(fork)
    return proofs.historical_block_proof(
        tree_at(fork, slot), Slot(of), chain.newest(of), chain.period_roots(of), Slot(0)
    )


def forge_vectors() -> dict[str, Any]:
    """One proof of each kind, as calldata, and what the contract is made with."""
    chain = world("fulu")
    slot = chain.slots[-1]
    tree = tree_at("fulu", slot)
    calls = {
        "validator": validator_call(proofs.validator_proof(tree, SLASHED)),
        "balance": balance_call(proofs.balance_proof(tree, EXITED + 1)),
        "pendingDeposit": deposit_call(proofs.pending_deposit_proof(tree, 1)),
        "block": block_call("verifyBlock", proofs.block_proof(tree, Slot(300), chain.headers[300])),
        "historicalBlock": block_call("verifyHistoricalBlock", historical_proof("fulu", slot, 70)),
        "validatorCount": count_call("verifyValidatorCount", proofs.validator_count_proof(tree)),
        "pendingDepositCount": count_call("verifyPendingDepositCount", proofs.pending_deposit_count_proof(tree)),
    }
    return {
        "config": "0x" + encode([CONFIG_TYPE], [config().as_tuple()]).hex(),
        "root": "0x" + proofs.header_of(tree).root().hex(),
        "calls": {name: "0x" + call.hex() for name, call in calls.items()},
    }


def rendered() -> str:
    return json.dumps(forge_vectors(), indent=1) + "\n"


if __name__ == "__main__":
    PROOFS.write_text(rendered())
