"""A beacon state straight from its bytes: columns to read, its root, and the nodes that branches are made of.

:class:`StateTree` keeps its nodes between states, so that the next one costs what has changed. For a million validators
it holds some 250 MB beside the bytes of the state itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sluice.beacon import ssz
from sluice.beacon.containers import BlockHeader, PendingDeposit, ValidatorRecord
from sluice.beacon.hasher import Bytes2D
from sluice.beacon.merkle import Tree, differing_rows, mix_in_length
from sluice.beacon.spec import Fork, Preset, beacon_state
from sluice.units import Gwei, Slot, Timestamp

VALIDATOR_COLUMNS: Final = np.dtype(
    [
        ("pubkey", "V48"),
        ("credentials", "V32"),
        ("effective_balance", "<u8"),
        ("slashed", "u1"),
        ("activation_eligibility_epoch", "<u8"),
        ("activation_epoch", "<u8"),
        ("exit_epoch", "<u8"),
        ("withdrawable_epoch", "<u8"),
    ]
)
PENDING_DEPOSIT_COLUMNS: Final = np.dtype(
    [("pubkey", "V48"), ("credentials", "V32"), ("amount", "<u8"), ("signature", "V96"), ("slot", "<u8")]
)

KEPT: Final = (
    "block_roots",
    "state_roots",
    "validators",
    "balances",
    "randao_mixes",
    "slashings",
    "previous_epoch_participation",
    "current_epoch_participation",
    "inactivity_scores",
    "historical_summaries",
    "pending_deposits",
)
"""Fields whose nodes are kept: those that are large, and those that something is proven of."""


@dataclass(frozen=True)
class ExecutionPayload:
    """Of the execution payload header, what finds the block."""

    number: int
    timestamp: Timestamp
    hash: bytes


@dataclass(frozen=True)
class BeaconState:
    """Columns are views of the bytes: nothing is copied, nothing can be written."""

    fork: Fork
    preset: Preset
    fields: Mapping[str, memoryview]

    @classmethod
    def decode(cls, data: bytes | memoryview, fork: Fork, preset: Preset) -> "BeaconState":
        kind = beacon_state(fork, preset)
        fields = ssz.parts(kind, memoryview(data))
        for name, field in kind.fields:
            if isinstance(field, ssz.List | ssz.Vector):
                ssz.count_of(field, fields[name])
        state = cls(fork, preset, MappingProxyType(fields))
        if len(state.validators) != len(state.balances):
            raise ssz.SszError(f"{len(state.validators)} validators with {len(state.balances)} balances")
        return state

    @property
    def kind(self) -> ssz.Container:
        return beacon_state(self.fork, self.preset)

    @property
    def slot(self) -> Slot:
        return Slot(self.number("slot"))

    @property
    def genesis_time(self) -> Timestamp:
        return Timestamp(self.number("genesis_time"))

    @property
    def execution_block(self) -> "ExecutionPayload":
        """The block of the execution layer that this is the state after."""
        header = self.fields["latest_execution_payload_header"]
        number, timestamp = (int.from_bytes(header[at : at + 8], "little") for at in (404, 428))
        return ExecutionPayload(number, Timestamp(timestamp), bytes(header[472:504]))

    @property
    def genesis_validators_root(self) -> bytes:
        return bytes(self.fields["genesis_validators_root"])

    @cached_property
    def validators(self) -> NDArray[Any]:
        """Records with :data:`VALIDATOR_COLUMNS`."""
        return np.frombuffer(self.fields["validators"], VALIDATOR_COLUMNS)

    @cached_property
    def balances(self) -> NDArray[np.uint64]:
        """Gwei."""
        return self.column("balances")

    @cached_property
    def pending_deposits(self) -> NDArray[Any]:
        """Records with :data:`PENDING_DEPOSIT_COLUMNS`."""
        return np.frombuffer(self.fields["pending_deposits"], PENDING_DEPOSIT_COLUMNS)

    def number(self, name: str) -> int:
        """A field that is an integer."""
        return int.from_bytes(self.fields[name], "little")

    def column(self, name: str) -> NDArray[np.uint64]:
        """A list or vector of 64-bit integers."""
        return np.frombuffer(self.fields[name], "<u8")

    def roots(self, name: str) -> Bytes2D:
        """A list or vector of 32-byte roots."""
        return ssz.rows(self.fields[name], 32)

    def count(self, name: str) -> int:
        kind = dict(self.kind.fields)[name]
        if not isinstance(kind, ssz.List | ssz.Vector):
            raise TypeError(f"{name} is no list")
        return ssz.count_of(kind, self.fields[name])

    def indices_with(self, credentials: bytes) -> NDArray[np.int64]:
        """The validators with these withdrawal credentials, in order."""
        if len(credentials) != 32:
            raise ValueError(f"credentials of {len(credentials)} bytes instead of 32")
        return np.flatnonzero(self.validators["credentials"] == np.void(credentials))

    def validator(self, index: int) -> ValidatorRecord:
        return ValidatorRecord.decode(self._element("validators", index))

    def balance(self, index: int) -> Gwei:
        return Gwei(int(self.balances[index]))

    def pending_deposit(self, index: int) -> PendingDeposit:
        return PendingDeposit.decode(self._element("pending_deposits", index))

    def latest_block_header(self, state_root: bytes) -> BlockHeader:
        """The header of the block that this is the state after; a state has it without its own root."""
        header = BlockHeader.decode(bytes(self.fields["latest_block_header"]))
        if header.state_root not in (b"\0" * 32, state_root):
            raise ssz.SszError(f"the newest block's state is {header.state_root.hex()}: slots have passed since")
        return BlockHeader(header.slot, header.proposer_index, header.parent_root, state_root, header.body_root)

    def _element(self, name: str, index: int) -> bytes:
        kind = dict(self.kind.fields)[name]
        if not isinstance(kind, ssz.List):
            raise TypeError(f"{name} is no list")
        size = ssz.element_size(kind)
        if not 0 <= index < len(self.fields[name]) // size:
            raise IndexError(f"{name}[{index}] of {len(self.fields[name]) // size}")
        return bytes(self.fields[name][index * size : (index + 1) * size])


class StateTree:
    """The Merkle tree of one state after another."""

    def __init__(self) -> None:
        self._state: BeaconState | None = None
        self._trees: dict[str, Tree] = {}
        self._top = Tree(0)

    @property
    def state(self) -> BeaconState:
        if self._state is None:
            raise LookupError("no state has been loaded")
        return self._state

    @property
    def root(self) -> bytes:
        """hash_tree_root of the state."""
        return self._top.root if self._state else b""

    @property
    def top(self) -> Tree:
        """Its leaves are the roots of the fields."""
        return self._top

    def tree(self, name: str) -> Tree:
        """That of a field in :data:`KEPT`, without the length of a list."""
        return self._trees[name]

    def load(self, state: BeaconState) -> bytes:
        """Go to ``state``; returns its root. What is as it was in the state before is not hashed again."""
        before, self._state = self._state, None  # nothing is proven from half of one and half of the other
        if before is not None and before.preset != state.preset:
            before, self._trees = None, {}
        roots = [self._field_root(before, state, name, field) for name, field in state.kind.fields]
        top = Tree(state.kind.depth)
        top.update(ssz.rows(memoryview(b"".join(roots)), 32))
        self._top, self._state = top, state
        return top.root

    def _field_root(self, before: BeaconState | None, state: BeaconState, name: str, kind: ssz.SszType) -> bytes:
        data = state.fields[name]
        if name not in KEPT or not isinstance(kind, ssz.List | ssz.Vector):
            return ssz.root(kind, data)
        tree = self._trees.setdefault(name, Tree(ssz.chunk_depth(kind)))
        if isinstance(kind.element, ssz.Container):
            old = None if before is None else before.fields[name]
            self._update_elements(tree, kind, old, data)
        else:
            tree.update(ssz.leaves(kind, data))
        return tree.root if isinstance(kind, ssz.Vector) else mix_in_length(tree.root, state.count(name))

    def _update_elements(
        self, tree: Tree, kind: ssz.List | ssz.Vector, before: memoryview | None, data: memoryview
    ) -> None:
        """Elements have roots of their own: those whose bytes are as before are not hashed again."""
        size = ssz.element_size(kind)
        now = ssz.rows(data, size)
        if before is None or len(before) > len(data):
            tree.update(ssz.roots(kind.element, now))
            return
        changed = differing_rows(ssz.rows(before, size), now)
        tree.replace(len(now), changed, ssz.roots(kind.element, now[changed]))
