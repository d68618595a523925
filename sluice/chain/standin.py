"""A stand-in for the consensus layer beside a local anvil: real deposits in, withdrawals out, time on both sides.

It reads the deposit contract's events from the node, keeps balances (:mod:`sluice.chain.state`), and credits
withdrawals with a cheat code, as EIP-4895 does: no code runs at the address. Its state can be kept in a file, so
that several scripts work on one long-running chain.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

from sluice.chain.beacon_roots import publish_root
from sluice.chain.deposits import DEPOSIT_TOPIC, Deposit, decode_deposit
from sluice.chain.interface import ChainSpec, Ledger, Stamp, ValidatorInfo
from sluice.chain.node import Block, Node, block_at, credit, get_balance, get_block, get_logs, mine_at
from sluice.chain.state import BeaconState, ConsensusError, PendingDeposit, Rules, Snapshot, Validator
from sluice.oracle.report import ConsensusView
from sluice.units import Gwei, Slot, Wei, gwei_to_wei

FORMAT: Final = 1
KEPT: Final = 16
"""Reference slots that are remembered."""
NO_ROOT: Final = b"\0" * 32


@dataclass(frozen=True)
class Frames:
    """Reference slots, at which the state is kept: ``first + k * length``."""

    first: Slot
    length: int

    def between(self, after: Slot, upto: Slot) -> Iterator[Slot]:
        """Reference slots s with after < s <= upto."""
        k = max(0, (after - self.first) // self.length + 1)
        slot = self.first + k * self.length
        while slot <= upto:
            yield Slot(slot)
            slot += self.length


@dataclass(frozen=True)
class Kept:
    """A reference slot: the state and the block that belong to it."""

    stamp: Stamp
    snapshot: Snapshot


class StandIn:
    """Implements :class:`~sluice.chain.interface.ConsensusLayer`."""

    def __init__(
        self,
        node: Node,
        *,
        deposit_contract: str,
        spec: ChainSpec,
        frames: Frames,
        rules: Rules | None = None,
        first_block: int = 0,
    ) -> None:
        self.node = node
        self.deposit_contract = deposit_contract
        self.frames = frames
        self._state = BeaconState(spec, rules or Rules())
        start = get_block(node, first_block)
        self._state.advance(spec.slot_at(start.timestamp))
        self._block = first_block  # newest block whose deposits are counted
        self._credited = Wei(0)
        # ether that lay in the deposit contract before, deposited for validators this stand-in does not know
        self._base = get_balance(node, deposit_contract, first_block)
        self._kept: dict[Slot, Kept] = {}
        self._last_root = NO_ROOT

    # --- Reading ---

    @property
    def spec(self) -> ChainSpec:
        return self._state.spec

    @property
    def rules(self) -> Rules:
        return self._state.rules

    @property
    def slot(self) -> Slot:
        return self._state.slot

    def validators(self, credentials: bytes | None = None) -> list[ValidatorInfo]:
        return self._state.infos(credentials)

    def stamp(self, slot: Slot) -> Stamp:
        return self._at(slot).stamp

    def view(self, slot: Slot, credentials: bytes) -> ConsensusView:
        return self._at(slot).snapshot.view(credentials)

    def faults(self, before: Slot | None, slot: Slot, credentials: bytes) -> Gwei:
        earlier = 0 if before is None else self._at(before).snapshot.faults(credentials)
        return Gwei(max(0, self._at(slot).snapshot.faults(credentials) - earlier))

    def snapshot(self, slot: Slot) -> Snapshot:
        """Everything as it was at ``slot``."""
        return self._at(slot).snapshot

    def conservation(self) -> Ledger:
        state = self._state
        return Ledger(
            deposited=state.deposited,
            rewards=state.rewards,
            penalties=state.penalties,
            withdrawn=state.paid,
            balances=state.balances,
            pending=state.waiting,
            credited=self._credited,
            deposit_contract=Wei(get_balance(self.node, self.deposit_contract, self._block) - self._base),
        )

    # --- Time ---

    def advance_to(self, slot: Slot) -> Slot:
        """A block at every reference slot on the way and one at ``slot``."""
        self.sync()
        if slot < self.slot:
            raise ConsensusError(f"slot {slot} is before {self.slot}")
        stops = [*self.frames.between(self.slot, slot)]
        if slot > self.slot and slot not in stops:
            stops.append(slot)
        for stop in stops:
            mine_at(self.node, self.spec.time_of(stop))
            self.sync()
        return self.slot

    def sync(self) -> Slot:
        """Deposits in the order of blocks; reference slots that were passed; withdrawals at the newest slot."""
        head = get_block(self.node)
        if head.number < self._block:
            raise ConsensusError(f"the chain went back to block {head.number}, behind {self._block}")
        target = self.spec.slot_at(head.timestamp)
        deposits = self._new_deposits(head)
        for boundary in self.frames.between(self.slot, target):
            if boundary == target:
                break  # kept below, with the withdrawals of its own slot
            block = block_at(self.node, self.spec.time_of(boundary), self._block)
            self._apply(deposits, block)
            self._state.advance(boundary)
            self._keep(block)
        crossed = target > self.slot
        self._apply(deposits, head)
        self._state.advance(max(target, self.slot))
        self._block = head.number
        for withdrawal in self._state.sweep():
            amount = gwei_to_wei(withdrawal.amount)
            credit(self.node, withdrawal.address, amount)
            self._credited = Wei(self._credited + amount)
        if crossed and [*self.frames.between(Slot(target - 1), target)]:
            self._keep(head)
        return self.slot

    # --- What happens to validators ---

    def slash(self, pubkey: bytes, later_penalty: Gwei | None = None) -> None:
        self._state.slash(pubkey, later_penalty)

    def exit(self, pubkey: bytes) -> None:
        self._state.exit(pubkey)

    def withdraw(self, pubkey: bytes, amount: Gwei) -> None:
        self._state.withdraw(pubkey, amount)

    # --- Keeping ---

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps(self.to_json(), indent=1))
        draft.replace(path)

    @classmethod
    def load(cls, path: Path, node: Node) -> Self:
        """The state that :meth:`save` wrote, for the chain it was written for."""
        return cls.from_json(json.loads(path.read_text()), node)

    def to_json(self) -> dict[str, Any]:
        state = self._state
        return {
            "format": FORMAT,
            "chain": get_block(self.node, 0).hash.hex(),
            "deposit_contract": self.deposit_contract,
            "spec": asdict(state.spec),
            "frames": asdict(self.frames),
            "rules": asdict(state.rules),
            "slot": state.slot,
            "block": self._block,
            "credited": self._credited,
            "base": self._base,
            "last_root": self._last_root.hex(),
            "deposited": state.deposited,
            "rewards": state.rewards,
            "penalties": state.penalties,
            "withdrawn": state.withdrawn,
            "validators": [_plain(v) for v in state.registry],
            "pending": [_plain(p) for p in state.pending],
            "kept": [
                {
                    "stamp": _plain(kept.stamp),
                    "epoch": kept.snapshot.epoch,
                    "validators": [_plain(v) for v in kept.snapshot.validators],
                    "pending": [_plain(p) for p in kept.snapshot.pending],
                    "withdrawn": kept.snapshot.withdrawn,
                    "parent_root": kept.snapshot.parent_root.hex(),
                    "body_root": kept.snapshot.body_root.hex(),
                }
                for kept in self._kept.values()
            ],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any], node: Node) -> Self:
        if data["format"] != FORMAT:
            raise ValueError(f"a consensus file of format {data['format']}; this version reads {FORMAT}")
        chain = get_block(node, 0).hash.hex()
        if data["chain"] != chain:
            raise ValueError(f"a consensus file of chain {data['chain']}, but the node runs {chain}: delete the file")
        self = cls.__new__(cls)
        self.node = node
        self.deposit_contract = data["deposit_contract"]
        self.frames = Frames(**data["frames"])
        self._state = BeaconState(
            spec=ChainSpec(**data["spec"]),
            rules=Rules(**data["rules"]),
            slot=Slot(data["slot"]),
            registry=[_validator(v) for v in data["validators"]],
            pending=[_pending(p) for p in data["pending"]],
            deposited=Gwei(data["deposited"]),
            rewards=Gwei(data["rewards"]),
            penalties=Gwei(data["penalties"]),
            withdrawn=data["withdrawn"],
        )
        self._block = data["block"]
        self._credited = Wei(data["credited"])
        self._base = Wei(data["base"])
        self._last_root = bytes.fromhex(data["last_root"])
        self._kept = {}
        for item in data["kept"]:
            stamp = Stamp(**{**item["stamp"], "block_hash": bytes.fromhex(item["stamp"]["block_hash"])})
            snapshot = Snapshot(
                slot=stamp.slot,
                epoch=item["epoch"],
                validators=tuple(_validator(v) for v in item["validators"]),
                pending=tuple(_pending(p) for p in item["pending"]),
                withdrawn=tuple((address, amount) for address, amount in item["withdrawn"]),
                parent_root=bytes.fromhex(item["parent_root"]),
                body_root=bytes.fromhex(item["body_root"]),
            )
            self._kept[stamp.slot] = Kept(stamp, snapshot)
        return self

    # --- Internal ---

    def _new_deposits(self, head: Block) -> list[Deposit]:
        if head.number <= self._block:
            return []
        logs = get_logs(self.node, self.deposit_contract, [DEPOSIT_TOPIC], self._block + 1, head.number)
        return [decode_deposit(log) for log in logs]

    def _apply(self, deposits: list[Deposit], upto: Block) -> None:
        """Takes the deposits of blocks up to ``upto`` off the list, each at the slot of its block."""
        while deposits and deposits[0].block <= upto.number:
            item = deposits.pop(0)
            time = get_block(self.node, item.block).timestamp
            self._state.advance(max(self.slot, self.spec.slot_at(time)))
            self._state.deposit(item.pubkey, item.credentials, item.amount)

    def _keep(self, block: Block) -> None:
        kept = self._capture(block)
        self._kept[self.slot] = kept
        self._last_root = kept.snapshot.root()
        publish_root(self.node, self.spec.time_of(Slot(self.slot + 1)), self._last_root)
        while len(self._kept) > KEPT:
            del self._kept[min(self._kept)]

    def _capture(self, block: Block) -> Kept:
        stamp = Stamp(self.slot, self.spec.time_of(self.slot), block.number, block.hash)
        body = sha256(block.number.to_bytes(8, "little") + block.hash).digest()
        return Kept(stamp, self._state.snapshot(self._last_root, body))

    def _at(self, slot: Slot) -> Kept:
        if kept := self._kept.get(slot):
            return kept
        if slot == self.slot:
            return self._capture(get_block(self.node, self._block))
        raise ConsensusError(f"the state at slot {slot} is not kept; kept are {sorted(self._kept)}")


def _plain(item: Validator | PendingDeposit | Stamp) -> dict[str, Any]:
    values = ((spec.name, getattr(item, spec.name)) for spec in fields(item))
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in values}


def _validator(data: dict[str, Any]) -> Validator:
    keys = {name: bytes.fromhex(data[name]) for name in ("pubkey", "credentials")}
    return Validator(**{**data, **keys})


def _pending(data: dict[str, Any]) -> PendingDeposit:
    keys = {name: bytes.fromhex(data[name]) for name in ("pubkey", "credentials")}
    return PendingDeposit(**{**data, **keys})
