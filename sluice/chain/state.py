"""The stand-in's state of the consensus layer: pure, deterministic, and the same however time is cut into steps.

Simplified against the consensus specs, and only where nothing in Sluice depends on it: duties are a yearly rate
that differs a little between validators, deposits' signatures are taken as valid, queues have no churn limit, and
a slashed validator loses the initial and the later penalty but no missed duties.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final

from sluice.chain.interface import FAR_FUTURE, ChainSpec, Status, ValidatorInfo
from sluice.oracle.report import ConsensusView
from sluice.oracle.tree import Deposit, Leaves, SumTree
from sluice.units import GENESIS_SLOT, GWEI_PER_ETHER, NO_GWEI, Epoch, Gwei, Slot

PPM: Final = 1_000_000
MIN_ACTIVATION: Final = Gwei(32 * GWEI_PER_ETHER)
MAX_COMPOUNDING: Final = Gwei(2_048 * GWEI_PER_ETHER)
NETWORK_ACTIVE: Final = Gwei(34_000_000 * GWEI_PER_ETHER)
EFFECTIVE_PERIOD: Final = 225
"""Epochs between updates of the effective balance."""
SLASHING_QUOTIENT: Final = 4_096
SLASHED_EPOCHS: Final = 8_192
COMPOUNDING: Final = 0x02
EXECUTION: Final = 0x01


class ConsensusError(Exception):
    """The consensus layer would refuse the operation."""


@dataclass(frozen=True)
class Rules:
    """What a stand-in lets validators earn, and how long things take. Rates in parts per million."""

    yearly_rate: int = 30_000
    spread: int = 100_000
    """How far a validator's own rate may lie from it, of the rate."""
    seed: int = 1
    deposit_epochs: int = 2
    """From the deposit to the balance."""
    activation_epochs: int = 5
    exit_epochs: int = 5
    withdrawable_epochs: int = 256
    total_active: Gwei = NETWORK_ACTIVE
    """Of the whole network; what correlation is measured against."""

    def rate_of(self, pubkey: bytes) -> int:
        """The yearly rate of one validator."""
        drawn = int.from_bytes(sha256(self.seed.to_bytes(8, "big") + pubkey).digest()[:8], "big")
        offset = drawn % (2 * PPM + 1) - PPM
        return self.yearly_rate + self.yearly_rate * self.spread * offset // (PPM * PPM)


@dataclass(frozen=True)
class Validator:
    index: int
    pubkey: bytes
    credentials: bytes
    deposited: Gwei
    balance: Gwei
    effective: Gwei
    rate: int
    carry: int = 0
    """Rewards below one gwei, in units of 1 / (PPM * epochs a year)."""
    slashed: bool = False
    activation: Epoch = FAR_FUTURE
    exit: Epoch = FAR_FUTURE
    withdrawable: Epoch = FAR_FUTURE
    lost: Gwei = NO_GWEI
    """To penalties for slashing."""
    later_penalty: Gwei = NO_GWEI
    penalty_epoch: Epoch = FAR_FUTURE
    requested: Gwei = NO_GWEI
    """A partial withdrawal under way."""
    requested_epoch: Epoch = FAR_FUTURE

    @property
    def most(self) -> Gwei:
        """The largest effective balance."""
        return MAX_COMPOUNDING if self.credentials[0] == COMPOUNDING else MIN_ACTIVATION

    @property
    def address(self) -> str | None:
        """Where withdrawals are paid."""
        if self.credentials[0] not in (EXECUTION, COMPOUNDING):
            return None
        return "0x" + self.credentials[12:].hex()

    @property
    def provision(self) -> Gwei:
        return Gwei(min(self.later_penalty, self.balance))

    def with_effective(self) -> "Validator":
        effective = min(self.balance // GWEI_PER_ETHER * GWEI_PER_ETHER, self.most)
        return self if effective == self.effective else replace(self, effective=Gwei(effective))

    def earns(self, epoch: Epoch) -> bool:
        return not self.slashed and self.activation <= epoch < self.exit

    def status(self, epoch: Epoch) -> Status:
        if epoch < self.activation and self.exit == FAR_FUTURE:
            return Status.PENDING
        if epoch < self.exit:
            return Status.ACTIVE if self.exit == FAR_FUTURE else Status.EXITING
        if epoch < self.withdrawable:
            return Status.EXITED
        return Status.WITHDRAWABLE if self.balance else Status.WITHDRAWN


@dataclass(frozen=True)
class PendingDeposit:
    pubkey: bytes
    credentials: bytes
    amount: Gwei
    epoch: Epoch
    """When it becomes balance."""


@dataclass(frozen=True)
class Withdrawal:
    index: int
    address: str
    amount: Gwei


@dataclass(frozen=True)
class Snapshot:
    """The state at one slot. Immutable: what a report is about does not move with what happens after it."""

    slot: Slot
    epoch: Epoch
    validators: tuple[Validator, ...]
    pending: tuple[PendingDeposit, ...]
    withdrawn: tuple[tuple[str, Gwei], ...]
    parent_root: bytes
    body_root: bytes

    def root(self) -> bytes:
        """Like the root of a beacon block: a commitment to the slot, the state and what came before."""
        state = sha256(self.epoch.to_bytes(8, "little") + SumTree(Leaves.of([v.balance for v in self.validators])).root)
        for v in self.validators:
            state.update(v.credentials + v.effective.to_bytes(8, "little") + bytes([v.slashed]))
            for epoch in (v.activation, v.exit, v.withdrawable):
                state.update(epoch.to_bytes(8, "little"))
        for p in self.pending:
            state.update(p.pubkey + p.credentials + p.amount.to_bytes(8, "little"))
        header = self.slot.to_bytes(8, "little") + self.parent_root + state.digest() + self.body_root
        return sha256(header).digest()

    def faults(self, credentials: bytes) -> Gwei:
        """What slashings have cost ever, and will."""
        return Gwei(sum(v.lost + v.provision for v in self.validators if v.credentials == credentials))

    def view(self, credentials: bytes) -> ConsensusView:
        ours = [v for v in self.validators if v.credentials == credentials]
        known = {v.pubkey: v.credentials for v in self.validators}
        # who deposits first for a key decides whose it is
        for p in self.pending:
            known.setdefault(p.pubkey, p.credentials)
        pending = [Deposit(i, p.amount) for i, p in enumerate(self.pending) if known[p.pubkey] == credentials]
        leaves = Leaves.of([v.balance for v in ours], pending)
        address = "0x" + credentials[12:].hex()
        return ConsensusView(
            slot=self.slot,
            beacon_root=self.root(),
            balances_root=SumTree(leaves).root,
            validators=len(ours),
            balance=leaves.total,
            provision=Gwei(sum(v.provision for v in ours)),
            withdrawn=dict(self.withdrawn).get(address, Gwei(0)),
            deposits=Gwei(sum(v.deposited for v in ours) + sum(each.amount for each in pending)),
        )


@dataclass
class BeaconState:
    """All validators, deposits on their way, and the ledger of what was issued and burnt."""

    spec: ChainSpec
    rules: Rules
    slot: Slot = GENESIS_SLOT
    registry: list[Validator] = field(default_factory=list)
    pending: list[PendingDeposit] = field(default_factory=list)
    deposited: Gwei = NO_GWEI
    rewards: Gwei = NO_GWEI
    penalties: Gwei = NO_GWEI
    withdrawn: dict[str, Gwei] = field(default_factory=dict)
    _index: dict[bytes, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._index = {v.pubkey: v.index for v in self.registry}

    @property
    def epoch(self) -> Epoch:
        return self.spec.epoch_of(self.slot)

    def find(self, pubkey: bytes) -> Validator:
        if pubkey not in self._index:
            raise ConsensusError(f"no validator 0x{pubkey.hex()}")
        return self.registry[self._index[pubkey]]

    def infos(self, credentials: bytes | None = None) -> list[ValidatorInfo]:
        return [
            ValidatorInfo(v.index, v.pubkey, v.credentials, v.balance, v.status(self.epoch), v.slashed)
            for v in self.registry
            if credentials is None or v.credentials == credentials
        ]

    def snapshot(self, parent_root: bytes, body_root: bytes) -> Snapshot:
        return Snapshot(
            slot=self.slot,
            epoch=self.epoch,
            validators=tuple(self.registry),
            pending=tuple(self.pending),
            withdrawn=tuple(sorted(self.withdrawn.items())),
            parent_root=parent_root,
            body_root=body_root,
        )

    # --- Time ---

    def advance(self, slot: Slot) -> None:
        """Rewards, penalties and deposits of all epochs up to ``slot``."""
        if slot < self.slot:
            raise ConsensusError(f"slot {slot} is before {self.slot}")
        target = self.spec.epoch_of(slot)
        while self.epoch < target:
            epoch = self.epoch
            following = min(target, *self._events_after(epoch))
            self._pay_duties(epoch, following - epoch)
            self.slot = Slot(following * self.spec.slots_per_epoch)
            self._begin_epoch(Epoch(following))
        self.slot = slot

    def _events_after(self, epoch: Epoch) -> Iterator[Epoch]:
        """Epochs at which something else happens than duties."""
        yield Epoch((epoch // EFFECTIVE_PERIOD + 1) * EFFECTIVE_PERIOD)
        for p in self.pending:
            yield max(p.epoch, Epoch(epoch + 1))
        for v in self.registry:
            for event in (v.activation, v.exit, v.penalty_epoch):
                if epoch < event < FAR_FUTURE:
                    yield event

    def _pay_duties(self, epoch: Epoch, epochs: int) -> None:
        unit = PPM * self.spec.epochs_per_year
        for v in self.registry:
            if not v.earns(epoch):
                continue
            reward, carry = divmod(v.effective * v.rate * epochs + v.carry, unit)
            self.registry[v.index] = replace(v, balance=Gwei(v.balance + reward), carry=carry)
            self.rewards = Gwei(self.rewards + reward)

    def _begin_epoch(self, epoch: Epoch) -> None:
        for v in self.registry:
            if v.later_penalty and v.penalty_epoch <= epoch:
                penalty = v.provision
                self.penalties = Gwei(self.penalties + penalty)
                self.registry[v.index] = replace(
                    v, balance=Gwei(v.balance - penalty), lost=Gwei(v.lost + penalty), later_penalty=Gwei(0)
                )
        due = [p for p in self.pending if p.epoch <= epoch]
        self.pending = [p for p in self.pending if p.epoch > epoch]
        for p in due:
            self._add_balance(p, epoch)
        if epoch % EFFECTIVE_PERIOD == 0:
            self.registry = [v.with_effective() for v in self.registry]

    # --- Deposits ---

    def deposit(self, pubkey: bytes, credentials: bytes, amount: Gwei) -> None:
        """What the deposit contract has taken. For a known key the credentials given here count for nothing."""
        self.deposited = Gwei(self.deposited + amount)
        self.pending.append(PendingDeposit(pubkey, credentials, amount, Epoch(self.epoch + self.rules.deposit_epochs)))

    def _add_balance(self, p: PendingDeposit, epoch: Epoch) -> None:
        if p.pubkey in self._index:
            v = self.find(p.pubkey)
            v = replace(v, balance=Gwei(v.balance + p.amount), deposited=Gwei(v.deposited + p.amount))
        else:
            index = len(self.registry)
            self._index[p.pubkey] = index
            rate = self.rules.rate_of(p.pubkey)
            v = Validator(index, p.pubkey, p.credentials, p.amount, p.amount, Gwei(0), rate)
            self.registry.append(v)
        v = v.with_effective()
        if v.activation == FAR_FUTURE and v.effective >= MIN_ACTIVATION and not v.slashed:
            v = replace(v, activation=Epoch(epoch + self.rules.activation_epochs))
        self.registry[v.index] = v

    # --- Leaving ---

    def exit(self, pubkey: bytes) -> None:
        v = self.find(pubkey)
        if v.exit != FAR_FUTURE:
            raise ConsensusError(f"validator {v.index} is already leaving")
        if v.activation > self.epoch:
            raise ConsensusError(f"validator {v.index} has never been active")
        leaving = Epoch(self.epoch + self.rules.exit_epochs)
        self.registry[v.index] = replace(v, exit=leaving, withdrawable=Epoch(leaving + self.rules.withdrawable_epochs))

    def withdraw(self, pubkey: bytes, amount: Gwei) -> None:
        v = self.find(pubkey)
        if v.credentials[0] != COMPOUNDING or not v.earns(self.epoch) or v.exit != FAR_FUTURE:
            raise ConsensusError(f"validator {v.index} cannot withdraw a part")
        free = v.balance - MIN_ACTIVATION - v.requested
        if not 0 < amount <= free:
            raise ConsensusError(f"validator {v.index} has {free} gwei to withdraw, not {amount}")
        due = Epoch(self.epoch + self.rules.exit_epochs + self.rules.withdrawable_epochs)
        self.registry[v.index] = replace(v, requested=Gwei(v.requested + amount), requested_epoch=due)

    def slash(self, pubkey: bytes, later_penalty: Gwei | None = None) -> None:
        v = self.find(pubkey)
        if v.slashed or not v.activation <= self.epoch < v.withdrawable:
            raise ConsensusError(f"validator {v.index} cannot be slashed")
        initial = min(v.effective // SLASHING_QUOTIENT, v.balance)
        if later_penalty is None:
            slashed = sum(o.effective for o in self.registry if o.slashed) + v.effective
            later_penalty = Gwei(v.effective * min(3 * slashed, self.rules.total_active) // self.rules.total_active)
        self.penalties = Gwei(self.penalties + initial)
        self.registry[v.index] = replace(
            v,
            slashed=True,
            balance=Gwei(v.balance - initial),
            lost=Gwei(initial),
            exit=min(v.exit, Epoch(self.epoch + self.rules.exit_epochs)),
            withdrawable=Epoch(self.epoch + SLASHED_EPOCHS),
            later_penalty=later_penalty,
            penalty_epoch=Epoch(self.epoch + SLASHED_EPOCHS // 2),
            requested=Gwei(0),
            requested_epoch=FAR_FUTURE,
        )

    def sweep(self) -> list[Withdrawal]:
        """Withdrawals that are due: all of who has left, what is above the largest balance, parts asked for."""
        paid = []
        for v in self.registry:
            amount = self._due(v)
            if not amount or v.address is None:
                continue
            self.registry[v.index] = replace(v, balance=Gwei(v.balance - amount))
            if v.requested_epoch <= self.epoch:
                self.registry[v.index] = replace(self.registry[v.index], requested=Gwei(0), requested_epoch=FAR_FUTURE)
            self.withdrawn[v.address] = Gwei(self.withdrawn.get(v.address, 0) + amount)
            paid.append(Withdrawal(v.index, v.address, amount))
        return paid

    def _due(self, v: Validator) -> Gwei:
        if v.withdrawable <= self.epoch:
            return v.balance
        due = 0
        if v.requested_epoch <= self.epoch:
            due = max(0, min(v.requested, v.balance - MIN_ACTIVATION))
        if v.effective == v.most:
            due = max(due, v.balance - v.most)
        return Gwei(due)

    # --- Conservation ---

    @property
    def balances(self) -> Gwei:
        return Gwei(sum(v.balance for v in self.registry))

    @property
    def waiting(self) -> Gwei:
        return Gwei(sum(p.amount for p in self.pending))

    @property
    def paid(self) -> Gwei:
        return Gwei(sum(self.withdrawn.values()))
