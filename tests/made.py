"""Small beacon states as a test wants them, with our validators in them, and their roots on the chain (EIP-4788)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from eth_utils import keccak

from sluice.beacon import proofs
from sluice.beacon.spec import MINIMAL, beacon_state
from sluice.beacon.state import PENDING_DEPOSIT_COLUMNS, VALIDATOR_COLUMNS, BeaconState, StateTree
from tests.helpers import now, publish_root
from tests.protocol import Protocol
from tools.make_state import serialize

FAR_FUTURE = 2**64 - 1
ETHER = 10**9  # gwei


def pubkey_of(name: str) -> bytes:
    """48 bytes that nobody signs with."""
    return keccak(text=f"key {name}") + keccak(text=f"rest {name}")[:16]


@dataclass(frozen=True)
class MadeValidator:
    pubkey: bytes
    credentials: bytes
    balance: int = 32 * ETHER
    effective: int = 32 * ETHER
    slashed: bool = False
    exit: int = FAR_FUTURE
    withdrawable: int = FAR_FUTURE


@dataclass(frozen=True)
class MadeDeposit:
    pubkey: bytes
    amount: int
    credentials: bytes = bytes(32)
    slot: int = 0


@dataclass
class Beacon:
    """Validators and pending deposits, to be changed between one state and the next."""

    validators: list[MadeValidator] = field(default_factory=list)
    deposits: list[MadeDeposit] = field(default_factory=list)
    crowd: int = 0
    """How many validators of nobody's come behind them."""

    def index(self, pubkey: bytes) -> int:
        return next(i for i, each in enumerate(self.validators) if each.pubkey == pubkey)

    def change(self, pubkey: bytes, **fields: Any) -> None:
        index = self.index(pubkey)
        self.validators[index] = replace(self.validators[index], **fields)

    def tree(self, slot: int) -> StateTree:
        """The state after the block of ``slot``."""
        made = np.zeros(len(self.validators) + self.crowd, VALIDATOR_COLUMNS)
        for row, each in zip(made, self.validators, strict=False):
            row["pubkey"], row["credentials"] = np.void(each.pubkey), np.void(each.credentials)
            row["effective_balance"], row["slashed"] = each.effective, each.slashed
            row["exit_epoch"], row["withdrawable_epoch"] = each.exit, each.withdrawable
        pending = np.zeros(len(self.deposits), PENDING_DEPOSIT_COLUMNS)
        for row, item in zip(pending, self.deposits, strict=True):
            row["pubkey"], row["credentials"] = np.void(item.pubkey), np.void(item.credentials)
            row["amount"], row["slot"] = item.amount, item.slot
        balances = np.zeros(len(made), "<u8")
        balances[: len(self.validators)] = [each.balance for each in self.validators]
        number = slot.to_bytes(8, "little")
        data = serialize(
            beacon_state("fulu", MINIMAL),
            {
                "slot": number,
                "latest_block_header": number + bytes(8) + bytes([1]) * 32 + bytes(32) + bytes([2]) * 32,
                "validators": made.tobytes(),
                "balances": balances.tobytes(),
                "pending_deposits": pending.tobytes(),
            },
        )
        tree = StateTree()
        tree.load(BeaconState.decode(data, "fulu", MINIMAL))
        return tree


def publish(protocol: Protocol, tree: StateTree, timestamp: int) -> int:
    """As the block at ``timestamp`` would have it: the state's block was its parent."""
    publish_root(protocol, timestamp, proofs.header_of(tree).root())
    return timestamp


def proof_of(tree: StateTree, index: int, timestamp: int) -> tuple[Any, ...]:
    """The Solidity struct ``IValidatorManager.Proof``."""
    proof = proofs.validator_proof(tree, index)
    return (timestamp, proof.header.as_tuple(), index, proof.record.as_tuple(), proof.branch)


def next_deposit(tree: StateTree) -> tuple[tuple[Any, ...], list[bytes]]:
    """The last two arguments of ``proveReturned``."""
    deposit, branch = proofs.next_deposit_proof(tree)
    return deposit.as_tuple(), branch


def prove(protocol: Protocol, beacon: Beacon, pubkey: bytes, slot: int = 1) -> Any:
    """With a state of this moment."""
    tree = beacon.tree(slot)
    timestamp = publish(protocol, tree, now())
    return protocol.manager.prove(proof_of(tree, beacon.index(pubkey), timestamp), sender=protocol.actors.stranger)
