"""The consensus layer as real beacon nodes tell it, checked: what :func:`sluice.oracle.views.prepare` reads from.

Nothing that one node says is taken alone. A state is taken when its root is that of its header, a header when all nodes
have it as final, a block of the execution layer when the state names its hash and all execution nodes have it.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from sluice.beacon.answers import Header
from sluice.beacon.client import BeaconClient, BeaconError
from sluice.beacon.spec import PRESETS, Preset, fork_named
from sluice.beacon.state import BeaconState, StateTree
from sluice.chain.interface import Stamp
from sluice.chain.node import Node, call, get_balance, get_block
from sluice.files import write_atomically
from sluice.oracle.provision import Slashed, lost_since, slashed_of
from sluice.oracle.registry import DisagreementError, Ours, Registry
from sluice.oracle.report import ConsensusView
from sluice.oracle.tree import PREPARATION, Deposit, Leaves, SumTree
from sluice.units import Gwei, Slot, Timestamp, wei_to_gwei_down
from sluice.web import shown

MAX_MISSED_SLOTS: Final = 64
"""As the contract: behind a reference slot after which more are missed there is no report."""
KEPT: Final = 8
"""Readings that are kept in memory."""
VERSION: Final = 3
"""Of the files with figures."""


class LostFiguresError(Exception):
    """What the report before counted is not on the disk, and no beacon node has its state any more."""


class NotFinalError(Exception):
    """The reference slot is not final yet. Try again later."""


class WrongStateError(Exception):
    """A beacon node sent a state that is not that of the header."""


@dataclass(frozen=True)
class Reading:
    """All that is known of one reference slot."""

    stamp: Stamp
    header: Header
    ours: Ours
    leaves: Leaves
    slashed: dict[int, Slashed]

    def tree(self) -> SumTree:
        return SumTree(self.leaves)


@dataclass
class Timing:
    """Seconds, by what they were spent on."""

    spent: dict[str, float] = field(default_factory=dict)

    def measure(self, what: str, start: float) -> None:
        self.spent[what] = self.spent.get(what, 0.0) + time.monotonic() - start


_T = TypeVar("_T")


class BeaconLayer:
    """``folder`` keeps what it costs time to find out again; nothing is lost with it but that time."""

    def __init__(
        self,
        beacons: Sequence[BeaconClient],
        nodes: Sequence[Node],
        *,
        vault: str,
        gateway: str,
        manager: str,
        first_block: int,
        folder: Path | None = None,
    ) -> None:
        if not beacons or not nodes:
            raise ValueError("at least one beacon node and one execution node are needed")
        self._beacons, self._nodes = tuple(beacons), tuple(nodes)
        self._vault, self._gateway = vault, gateway
        self._folder = folder
        self._registry = Registry(manager, first_block, folder / "registry.json" if folder else None)
        self._tree = StateTree()
        self._readings: dict[Slot, Reading] = {}
        self.timing = Timing()

    # --- What `prepare` asks ---

    def sync(self) -> Slot:
        """The newest slot that all nodes have as final."""
        per_epoch = self._preset().slots_per_epoch
        return Slot(min(each.finality().finalized.epoch for each in self._beacons) * per_epoch)

    def stamp(self, slot: Slot) -> Stamp:
        return self.read(slot).stamp

    def view(self, slot: Slot, _credentials: bytes) -> ConsensusView:
        reading = self.read(slot)
        block = reading.stamp.block
        tree = reading.tree()
        _, deposited, swept, _ = self._agreed(
            lambda node: call(
                node, self._vault, "consensus()", returns=["int256", "uint256", "uint256", "uint256"], block=block
            )
        )
        received = self._agreed(lambda node: get_balance(node, self._gateway, block))
        return ConsensusView(
            slot=slot,
            beacon_root=reading.header.root,
            balances_root=tree.root,
            validators=len(reading.ours.indices),
            balance=tree.total,
            provision=Gwei(sum(each.provision for each in reading.slashed.values())),
            # what strangers sent there counts too: it vests like every gain
            withdrawn=Gwei(swept + wei_to_gwei_down(received)),
            deposits=Gwei(deposited + tree.total),
        )

    def faults(self, before: Slot | None, slot: Slot, _credentials: bytes) -> Gwei:
        """Lost by our validators at fault and by failed preparations since the report of slot ``before``."""
        now = self.read(slot)
        if before is None:
            return Gwei(lost_since({}, now.slashed) + PREPARATION * self._registry.failed(-1, now.stamp.block))
        slashed, block = self._figures(before)
        self._forget(before)
        failed = self._registry.failed(block, now.stamp.block)
        return Gwei(lost_since(slashed, now.slashed) + PREPARATION * failed)

    # --- Reading ---

    def read(self, slot: Slot) -> Reading:
        """Once. Raises ``NotFinalError``, ``DisagreementError``, ``WrongStateError``, ``BeaconError``."""
        if slot in self._readings:
            return self._readings[slot]
        header = self._header(slot)
        state = self._state(header)
        stamp = self._stamp(slot, state)
        start = time.monotonic()
        ours = self._registry.at(self._nodes[0], stamp.block, self._nodes[1:])
        self.timing.measure("registry", start)
        start = time.monotonic()
        indices = np.asarray(ours.indices, np.int64)
        leaves = leaves_of(state, ours)
        reading = Reading(stamp, header, ours, leaves, slashed_of(state, indices))
        self.timing.measure("leaves", start)
        self._readings[slot] = reading
        while len(self._readings) > KEPT:
            del self._readings[min(self._readings)]
        self._keep(slot, reading)
        return reading

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Of the execution layer."""
        return self._nodes

    def tree_of(self, reading: Reading) -> StateTree:
        """Proofs are made from it. The state is read again where another has been since."""
        if self._tree.root != reading.header.state_root:
            self._state(reading.header)
        return self._tree

    def _header(self, slot: Slot) -> Header:
        """The newest block at or before ``slot``, which every node has as final."""
        start = time.monotonic()
        final = self.sync()
        if slot > final:
            raise NotFinalError(f"slot {slot} is not final yet; the newest final one is {final}")
        found = [self._newest(beacon, slot) for beacon in self._beacons]
        roots = {each.root for each in found}
        if len(roots) != 1:
            names = ", ".join(f"{shown(b.url)}: 0x{h.root.hex()}" for b, h in zip(self._beacons, found, strict=True))
            raise DisagreementError(f"beacon nodes have different blocks at slot {slot}: {names}")
        self.timing.measure("headers", start)
        return found[0]

    def _newest(self, beacon: BeaconClient, slot: Slot) -> Header:
        for back in range(MAX_MISSED_SLOTS + 1):
            if (header := beacon.header_at(slot - back)) is not None:
                return header
            if slot == back:
                break
        raise DisagreementError(f"{shown(beacon.url)} has no block in the {MAX_MISSED_SLOTS} slots up to {slot}")

    def _state(self, header: Header) -> BeaconState:
        """From the first node that sends the right one."""
        troubles = []
        for beacon in self._beacons:
            start = time.monotonic()
            try:
                data, fork = beacon.state(header.slot, self._folder)
            except BeaconError as error:
                troubles.append(str(error))
                continue
            self.timing.measure("download", start)
            start = time.monotonic()
            try:
                state = BeaconState.decode(data, fork_named(fork), self._preset())
                root = self._tree.load(state)
            except ValueError as error:
                troubles.append(f"{shown(beacon.url)}: {error}")
                continue
            self.timing.measure("state root", start)
            if root == header.state_root:
                return state
            troubles.append(f"{shown(beacon.url)}: root 0x{root.hex()} instead of 0x{header.state_root.hex()}")
        raise WrongStateError(f"no node sent the state of slot {header.slot}: " + "; ".join(troubles))

    def _stamp(self, slot: Slot, state: BeaconState) -> Stamp:
        """The execution block that the state is after."""
        payload = state.execution_block
        block = self._agreed(lambda node: get_block(node, payload.number))
        if block.hash != payload.hash or block.timestamp != payload.timestamp:
            raise DisagreementError(
                f"the beacon state of slot {state.slot} names execution block {payload.number} 0x{payload.hash.hex()}, "
                f"the execution node has 0x{block.hash.hex()}"
            )
        seconds = self._seconds_per_slot()
        return Stamp(slot, Timestamp(state.genesis_time + slot * seconds), payload.number, payload.hash)

    def _agreed(self, ask: Callable[[Node], _T]) -> _T:
        answers = [ask(node) for node in self._nodes]
        if any(each != answers[0] for each in answers):
            raise DisagreementError(f"execution nodes answer differently: {', '.join(map(repr, answers))}")
        return answers[0]

    def _preset(self) -> Preset:
        if not hasattr(self, "_spec"):
            self._spec = self._beacons[0].spec()
        return PRESETS[self._spec.preset]

    def _seconds_per_slot(self) -> int:
        self._preset()
        return self._spec.seconds_per_slot

    # --- What the next report needs of this one ---

    def _figures(self, slot: Slot) -> tuple[dict[int, Slashed], int]:
        """Of the file, if it is of the block that the chain has there; else of the state."""
        path = self._folder / f"slot-{slot}.json" if self._folder else None
        if path is not None and path.is_file():
            root = self._header(slot).root.hex()
            try:
                kept = json.loads(path.read_text())
                if (kept["version"], kept["root"]) == (VERSION, root):
                    slashed = {int(index): Slashed(**each) for index, each in kept["slashed"].items()}
                    return slashed, int(kept["block"])
            except (ValueError, KeyError, TypeError):
                pass  # it can be read again
        try:
            reading = self.read(slot)
        except WrongStateError as error:
            raise LostFiguresError(
                f"the figures of the report of slot {slot} are not in {self._folder}, and its state cannot be had: "
                f"{error}. Name a beacon node that keeps old states in beacon_urls, until the next report is accepted"
            ) from error
        return reading.slashed, reading.stamp.block

    def _keep(self, slot: Slot, reading: Reading) -> None:
        if self._folder is None:
            return
        kept = {
            "version": VERSION,
            "root": reading.header.root.hex(),
            "block": reading.stamp.block,
            "slashed": {index: asdict(each) for index, each in reading.slashed.items()},
        }
        write_atomically(self._folder / f"slot-{slot}.json", json.dumps(kept))

    def _forget(self, before: Slot) -> None:
        """Files older than the newest report: none is asked for again. However many frames pass without a report, its
        own stays.
        """
        for path in self._folder.glob("slot-*.json") if self._folder else ():
            if int(path.stem[5:]) < before:
                path.unlink(missing_ok=True)


def leaves_of(state: BeaconState, ours: Ours) -> Leaves:
    """What a report counts, of a state and of our validators at its block."""
    indices = np.asarray(ours.indices, np.int64)
    if len(indices) and indices.max() >= len(state.balances):
        raise WrongStateError(f"the state has {len(state.balances)} validators, ours reach to {indices.max()}")
    known = set(ours.pubkeys)
    waiting = state.pending_deposits
    deposits = [
        Deposit(i, Gwei(int(amount)))
        for i, (pubkey, amount) in enumerate(zip(waiting["pubkey"], waiting["amount"], strict=True))
        if pubkey.tobytes() in known
    ]
    return Leaves.of(state.balances[indices], deposits, ours.preparations)
