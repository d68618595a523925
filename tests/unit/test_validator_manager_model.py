"""ValidatorManager beside an exact model of it, with the real registry, bonds, vault, queue and gateway, the real
deposit contract and predeploys, and proofs of real beacon states; in process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil, floor
from typing import Any

import ape
import pytest
from eth_utils import keccak
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sluice.beacon import proofs
from sluice.beacon.proofs import ProofsConfig, layout
from sluice.beacon.spec import MINIMAL
from sluice.units import Slot
from tests.bonding import terms
from tests.in_process import Process, Reverted
from tests.made import FAR_FUTURE, Beacon, MadeDeposit, MadeValidator, next_deposit, proof_of, pubkey_of
from tests.small_core import DAY, GWEI, SmallCore, address_of_creation
from tests.unit.test_gateway_requests import CONSOLIDATIONS, WITHDRAWALS

ETHER = 10**9  # gwei
WEI = 10**18
DEPOSITS = "0x00000000219ab540356cBB839Cbe05303d7705Fa"
BPS = 1_000
ABANDON, OVERDUE, HALF = 30 * DAY, 5 * DAY, 7 * DAY
SLOTS = 8  # in an epoch
SIGNATURE = bytes(range(96))
FOREIGN = b"\x01" + bytes(11) + b"\xee" * 20
CAPS = {1: 5_000, 2: 320, 3: 40}  # ether
KEYS = [pubkey_of(f"model {n}") for n in range(16)]
NONE, PREPARED, PROVEN, ASKED, EXITING, GONE, REFUSED, ABANDONED = range(8)


class Refused(Exception):  # noqa: N818 - an outcome
    """By the name of the error."""


def refuse_if(condition: bool, error: str) -> None:
    if condition:
        raise Refused(error)


@dataclass
class Entry:
    """A key, in the order of the contract's struct."""

    operator: int = 0
    phase: int = NONE
    slashed: bool = False
    prepared_at: int = 0
    asked_at: int = 0
    filled_at: int = 0
    staked: int = 0
    asked: int = 0
    index: int = 0
    proven_at: int = 0
    ended_at: int = 0

    def as_tuple(self) -> tuple[Any, ...]:
        return tuple(vars(self).values())


@dataclass
class Operator:
    active: bool = True
    bond: int = 0  # shares that count
    leaving: int = 0  # shares
    case: int = 0  # wei
    closes: int = 0


@dataclass
class Model:
    """What the contract should do; refusals in the contract's order. An operator's stake is no variable here: it is
    the sum over its validators, each time anew."""

    entries: dict[bytes, Entry] = field(default_factory=lambda: {key: Entry() for key in KEYS})
    operators: dict[int, Operator] = field(default_factory=lambda: {each: Operator() for each in CAPS})
    order: list[bytes] = field(default_factory=list)
    cursor: int = 0
    asks: list[list[int]] = field(default_factory=list)
    """Halves of the time that forced exits are waited for: when it began, gwei that are still to come."""
    received: int = 0
    merges: dict[bytes, bytes] = field(default_factory=dict)
    returned: int = 0

    # --- Sums ---

    def of(self, operator: int, *phases: int) -> list[Entry]:
        return [each for each in self.entries.values() if each.operator == operator and each.phase in phases]

    def stake_of(self, operator: int) -> tuple[int, int, int]:
        working = self.of(operator, PROVEN, ASKED, EXITING)
        return sum(each.staked for each in working), len(self.of(operator, PREPARED)), len(working)

    def required(self, operator: int, rate: Fraction) -> int:
        staked, prepared, _ = self.stake_of(operator)
        return ceil((ceil(Fraction(staked * GWEI * BPS, 10_000)) + prepared * WEI) / rate)

    def require_room(self, operator: int, rate: Fraction) -> None:
        staked, prepared, _ = self.stake_of(operator)
        refuse_if(staked + prepared * ETHER > CAPS[operator] * ETHER, "StakeAboveCap")
        refuse_if(self.operators[operator].case > 0, "CaseIsOpen")
        refuse_if(self.operators[operator].bond < self.required(operator, rate), "BondTooLow")

    # --- From key to validator ---

    def prepare(self, operator: int, key: bytes, rate: Fraction, depositable: int, at: int) -> None:
        entry = self.entries[key]
        refuse_if(not self.operators[operator].active, "OperatorInactive")
        refuse_if(entry.phase != NONE, "PubkeyUsed")
        entry.operator, entry.phase, entry.prepared_at, entry.staked = operator, PREPARED, at, ETHER
        self.require_room(operator, rate)
        refuse_if(depositable < WEI, "BufferTooLow")

    def prove(self, key: bytes, seen: MadeValidator, index: int, ours: bytes, at: int) -> None:
        entry = self.entries[key]
        refuse_if(entry.phase not in (PREPARED, ABANDONED), "PhaseUnexpected")
        refuse_if(seen.credentials != ours, "CredentialsMismatch")
        if entry.phase == PREPARED:
            entry.ended_at = at
        entry.phase = PROVEN if seen.exit == FAR_FUTURE else EXITING
        entry.index, entry.proven_at = index, at
        self.order.append(key)

    def end_preparation(self, entry: Entry, phase: int, rate: Fraction, at: int) -> None:
        """1 ether of the bond goes at once: of what counts, then of what leaves."""
        entry.phase, entry.ended_at = phase, at
        one, owed = self.operators[entry.operator], ceil(WEI / rate)
        counted = min(one.bond, owed)
        one.bond -= counted
        one.leaving -= min(one.leaving, owed - counted)

    def refuse(self, key: bytes, seen: MadeValidator, ours: bytes, rate: Fraction, at: int) -> None:
        entry = self.entries[key]
        refuse_if(entry.phase != PREPARED, "PhaseUnexpected")
        refuse_if(seen.credentials == ours, "CredentialsMatch")
        self.end_preparation(entry, REFUSED, rate, at)

    def abandon(self, key: bytes, rate: Fraction, at: int) -> None:
        entry = self.entries[key]
        refuse_if(entry.phase != PREPARED, "PhaseUnexpected")
        refuse_if(at < entry.prepared_at + ABANDON, "NotAbandonedYet")
        self.end_preparation(entry, ABANDONED, rate, at)

    def stake(self, items: Sequence[tuple[bytes, int]], rate: Fraction, depositable: int, at: int) -> None:
        refuse_if(not items, "EmptyBatch")
        for n, (key, amount) in enumerate(items):
            entry = self.entries[key]
            refuse_if(entry.phase != PROVEN, "PhaseUnexpected")
            refuse_if(amount < ETHER, "AmountBelowMinimum")
            if n and entry.operator != (before := self.entries[items[n - 1][0]].operator):
                self.require_may_grow(before, rate)
            refuse_if(entry.staked + amount > 2_048 * ETHER, "StakeAboveMaximum")
            entry.staked, entry.filled_at = entry.staked + amount, at
        self.require_may_grow(self.entries[items[-1][0]].operator, rate)
        refuse_if(sum(amount for _, amount in items) * GWEI > depositable, "BufferTooLow")

    def require_may_grow(self, operator: int, rate: Fraction) -> None:
        refuse_if(not self.operators[operator].active, "OperatorInactive")
        self.require_room(operator, rate)

    def consolidate(self, source: bytes, target: bytes) -> None:
        of, to = self.entries[source], self.entries[target]
        refuse_if(of.phase != PROVEN or to.phase != PROVEN, "PhaseUnexpected")
        refuse_if(source == target, "SameValidator")
        refuse_if(of.operator != to.operator, "OperatorMismatch")
        refuse_if(of.staked + to.staked > 2_048 * ETHER, "StakeAboveMaximum")
        refuse_if(self.merges.get(source, target) != target, "MergesElsewhere")
        self.merges[source] = target

    # --- What proofs show ---

    def open_case(self, operator: int, loss: int, duration: int, at: int) -> None:
        one = self.operators[operator]
        one.case, one.closes = one.case + loss * GWEI, max(one.closes, at + duration)

    def ours(self, key: bytes) -> Entry:
        entry = self.entries[key]
        refuse_if(entry.phase not in (PROVEN, ASKED, EXITING), "PhaseUnexpected")
        return entry

    def prove_slashed(self, key: bytes, seen: MadeValidator, at: int) -> None:
        entry = self.ours(key)
        refuse_if(entry.slashed, "SlashingKnown")
        refuse_if(not seen.slashed, "NotSlashed")
        entry.slashed, entry.phase = True, EXITING
        self.open_case(entry.operator, max(seen.effective, entry.staked), 45 * DAY, at)

    def prove_exiting(self, key: bytes, seen: MadeValidator) -> None:
        entry = self.ours(key)
        refuse_if(entry.phase == EXITING, "PhaseUnexpected")
        refuse_if(seen.exit == FAR_FUTURE, "NotExiting")
        entry.phase = EXITING

    def prove_returned(self, key: bytes, seen: MadeValidator, done: int) -> None:
        """``done``: deposits from before that second are in the balance."""
        entry = self.ours(key)
        refuse_if(seen.exit != FAR_FUTURE, "PhaseUnexpected")
        refuse_if(done <= entry.filled_at + SLOTS, "DepositsPending")
        left = max(seen.balance, 32 * ETHER)
        refuse_if(left >= entry.staked, "NothingReturned")
        back = entry.staked - left
        entry.staked, entry.asked, self.returned = left, max(0, entry.asked - back), self.returned + back

    def prove_gone(self, key: bytes, seen: MadeValidator, epoch: int, at: int) -> None:
        entry = self.ours(key)
        refuse_if(seen.withdrawable > epoch, "NotWithdrawable")
        refuse_if(seen.balance != 0, "BalanceLeft")
        refuse_if(seen.slashed and not entry.slashed, "SlashingNotProven")
        entry.phase = GONE
        target = self.entries[self.merges[key]] if key in self.merges else Entry()
        if target.phase in (PROVEN, ASKED):
            target.staked, target.asked = target.staked + entry.staked, target.asked + entry.asked
            target.filled_at, entry.staked, entry.asked = at, 0, 0

    # --- Forced exits ---

    def come(self, received: int, at: int) -> int:
        """What arrived counts for the oldest; what was asked two halves ago is waited for no longer. Returns what is
        still to come."""
        arrived = max(0, received - self.received)
        for each in self.asks:
            taken = min(arrived, each[1])
            each[1], arrived = each[1] - taken, arrived - taken
        if not any(left for _, left in self.asks) or at >= self.asks[-1][0] + 2 * HALF:
            self.asks = [[at, 0]]
        elif at >= self.asks[-1][0] + HALF:
            self.asks = [self.asks[-1], [self.asks[-1][0] + HALF, 0]]
        self.received = received
        return sum(left for _, left in self.asks)

    def force(self, keys: Sequence[bytes], missing: int, received: int, at: int) -> list[tuple[bytes, int]]:
        """Returns what is asked: (key, amount), 0 for an exit."""
        refuse_if(not keys, "EmptyBatch")
        left = missing
        refuse_if(left <= 0, "NothingMissing")
        self.come(received, at)
        asked: list[tuple[bytes, int]] = []
        for key in keys:
            if left <= 0:
                break
            refuse_if(not self.order or key != self.order[self.cursor], "OrderViolated")
            self.cursor = (self.cursor + 1) % len(self.order)
            entry = self.entries[key]
            rest = entry.staked - entry.asked
            again = entry.phase == ASKED and at >= entry.asked_at + 2 * HALF
            if entry.staked < 32 * ETHER or (entry.phase != PROVEN and not again):
                continue
            part = min(left, rest - 32 * ETHER)
            if entry.phase == PROVEN and left < rest and part > 0:
                entry.asked += part
                asked.append((key, part))
            else:
                part, entry.phase = rest, ASKED
                asked.append((key, 0))
                if rest > 32 * ETHER:  # where parts are pending, the exit is ignored and this is not
                    asked.append((key, rest - 32 * ETHER))
            entry.asked_at = at
            self.asks[-1][1] += part
            left -= part
        return asked


class World:
    """The contracts, with governance as everybody who needs a role; operators 1, 2, 3 have managers of their own."""

    def __init__(self) -> None:
        self.process = process = Process()
        project = ape.project
        self.governance, fees, self.user, self.stranger = (process.account(index) for index in range(4))
        self.managers = {operator: process.account(10 + operator) for operator in CAPS}
        for address in (DEPOSITS, WITHDRAWALS, CONSOLIDATIONS):
            process.install(address)
        for address in (WITHDRAWALS, CONSOLIDATIONS):
            process.evm.insert_account_storage(address, 0, 0)  # they have seen their first block
        validators = address_of_creation(self.governance.address, self.governance.nonce + 10)
        self.core = core = SmallCore.deploy(
            project, self.governance, fees, clock=process, deposit_contract=DEPOSITS, validators=validators
        )
        deploy = self.governance.deploy
        self.registry = deploy(project.OperatorRegistry, core.manager, terms(bond=BPS), terms(), 0)
        self.bonds = deploy(
            project.OperatorBonds,
            {
                "authority": core.manager,
                "token": core.token,
                "vault": core.vault,
                "registry": self.registry,
                "manager": validators,
                "delay": 20 * DAY,
                "window": 5 * DAY,
            },
        )
        fulu = layout("fulu", MINIMAL, Slot(0))
        config = ProofsConfig((fulu,), Slot(2**64 - 1), MINIMAL.slots_per_historical_root, Slot(0))
        self.proofs = deploy(project.BeaconProofs, config.as_mapping())
        self.manager = deploy(
            project.ValidatorManager,
            {
                "authority": core.manager,
                "vault": core.vault,
                "queue": core.queue,
                "gateway": core.gateway,
                "registry": self.registry,
                "bonds": self.bonds,
                "proofs": self.proofs,
                "genesisTime": 0,
                "secondsPerSlot": 1,
                "slotsPerEpoch": SLOTS,
                "abandonAfter": ABANDON,
                "overdueAfter": OVERDUE,
                "keepers": [self.governance.address],
            },
        )
        assert self.manager.address == validators
        core.vault.setDepositor(self.manager, True, sender=self.governance)
        for operator, account in self.managers.items():
            self.registry.register(account, sender=account)
            self.registry.setTerms(operator, terms(bond=BPS, stakeCap=CAPS[operator]), sender=self.governance)
        core.stake(self.user, 3_000 * WEI)
        core.token.approve(self.bonds, 2**256 - 1, sender=self.user)
        kinds = (self.manager, self.bonds, self.registry, core.vault, core.queue, self.proofs)
        self.errors = {
            keccak(text=error.selector)[:4]: error.name for kind in kinds for error in kind.contract_type.errors
        }

    @property
    def received(self) -> int:
        """Gwei that the gateway ever got."""
        return int(self.core.vault.consensus()[2]) + int(self.core.gateway.balance) // GWEI


operators = st.sampled_from(sorted(CAPS))
keys = st.sampled_from(KEYS)
amounts = st.one_of(
    st.sampled_from([0, ETHER - 1, ETHER, 30 * ETHER, 31 * ETHER, 2_047 * ETHER, 2_047 * ETHER + 1]),
    st.integers(ETHER, 200 * ETHER),
)


class ManagerMachine(RuleBasedStateMachine):
    """Every call is foretold by the model: what it changes, or by which error it is refused."""

    @initialize(
        gain=st.integers(10**9, 10**12),
        sizes=st.lists(st.integers(1, 900), min_size=3, max_size=3),
        short=st.booleans(),
    )
    def a_pool_in_the_middle_of_its_life(self, gain: int, sizes: list[int], short: bool) -> None:
        """A rate that is no round number, three validators, and half of the time requests for all of the buffer."""
        self.world = World()
        self.model = Model()
        self.beacon = Beacon([MadeValidator(pubkey_of("foreign"), FOREIGN)])
        self.epoch = 1
        self.ours = bytes(self.world.core.vault.CREDENTIALS())
        self.world.core.earn((10**12 + gain) * GWEI)
        for operator, bond in ((1, 300), (2, 40), (3, 3)):
            self.world.bonds.deposit(operator, bond * WEI, sender=self.world.user)
            self.model.operators[operator].bond = bond * WEI
        self.several_work(3, 1)
        self.stake([(key, size * ETHER) for key, size in zip(KEYS, sizes, strict=False)])
        if short:
            self.ask(int(self.world.core.vault.buffer()) // WEI)

    # --- Plumbing ---

    @property
    def now(self) -> int:
        return self.world.process.now

    @property
    def rate(self) -> Fraction:
        return self.world.core.rate

    def attempt(self, foretold: Any, call: Any) -> Any:
        """Both or neither: `foretold` is asked on a copy of the model, which is kept if nothing was refused."""
        model, error, expected = deepcopy(self.model), None, None
        try:
            expected = foretold(model)
        except Refused as refusal:
            error = str(refusal)
        if error is None:
            call()
            self.model = model
            return expected
        with pytest.raises(Reverted) as caught:
            call()
        assert self.world.errors.get(caught.value.data[:4]) == error
        return None

    def seen(self, key: bytes) -> MadeValidator | None:
        return next((each for each in self.beacon.validators if each.pubkey == key), None)

    def pick(self, data: Any, *phases: int) -> bytes:
        """Mostly one of these phases, else any."""
        fitting = [key for key in KEYS if self.model.entries[key].phase in phases]
        return bytes(data.draw(st.sampled_from(fitting if fitting and data.draw(st.integers(0, 5)) else KEYS)))

    def proof(self, key: bytes) -> tuple[Any, Any]:
        """The contract's struct, and the state."""
        tree = self.beacon.tree(self.epoch * SLOTS)
        self.world.process.publish_root(self.now, proofs.header_of(tree).root())
        return proof_of(tree, self.beacon.index(key), self.now), tree

    # --- Keys ---

    @rule(data=st.data(), operator=operators)
    def prepare_one(self, data: Any, operator: int) -> None:
        self.prepare(operator, self.pick(data, NONE))

    def prepare(self, operator: int, key: bytes) -> None:
        w = self.world
        depositable = int(w.core.vault.depositable())
        self.attempt(
            lambda m: m.prepare(operator, key, self.rate, depositable, self.now),
            lambda: w.manager.prepare(operator, key, SIGNATURE, sender=w.managers[operator]),
        )

    @rule(data=st.data(), foreign=st.booleans(), leaves=st.sampled_from([False, False, True]))
    def appear_and_show(self, data: Any, foreign: bool, leaves: bool) -> None:
        key = self.pick(data, PREPARED, ABANDONED)
        self.appear(key, FOREIGN if foreign else self.ours, self.epoch if leaves else FAR_FUTURE)
        if data.draw(st.booleans()):
            self.prove(key)
        else:
            self.refuse(key)

    @rule(data=st.data(), operator=operators)
    def front_run(self, data: Any, operator: int) -> None:
        """The operator deposits first, with credentials of its own."""
        key = self.pick(data, NONE)
        self.prepare(operator, key)
        self.appear(key, FOREIGN)
        self.prove(key)
        self.refuse(key)

    @rule(data=st.data(), operator=operators)
    def turns_up_late(self, data: Any, operator: int) -> None:
        """Nobody proves it in time, and then somebody does."""
        key = self.pick(data, NONE, PREPARED)
        self.prepare(operator, key)
        self.pass_time(30, 0)
        self.drop(key)
        self.pass_time(1, 0)
        self.appear(key, self.ours)
        self.prove(key)

    def appear(self, key: bytes, credentials: bytes, leaves: int = FAR_FUTURE) -> None:
        """The beacon chain makes a validator of a key that was prepared."""
        if self.seen(key) is None and self.model.entries[key].phase != NONE:
            self.beacon.validators.append(MadeValidator(key, credentials, ETHER, ETHER, exit=leaves))

    def prove(self, key: bytes) -> None:
        w, seen = self.world, self.seen(key)
        if seen is not None:
            proof, index = self.proof(key)[0], self.beacon.index(key)
            self.attempt(
                lambda m: m.prove(key, seen, index, self.ours, self.now),
                lambda: w.manager.prove(proof, sender=w.stranger),
            )

    def refuse(self, key: bytes) -> None:
        w, seen = self.world, self.seen(key)
        if seen is not None:
            proof = self.proof(key)[0]
            self.attempt(
                lambda m: m.refuse(key, seen, self.ours, self.rate, self.now),
                lambda: w.manager.refuse(proof, sender=w.stranger),
            )

    @rule(data=st.data(), late=st.booleans())
    def abandon(self, data: Any, late: bool) -> None:
        if late:
            self.pass_time(30, 0)
        self.drop(self.pick(data, PREPARED))

    def drop(self, key: bytes) -> None:
        w = self.world
        self.attempt(lambda m: m.abandon(key, self.rate, self.now), lambda: w.manager.abandon(key, sender=w.stranger))

    @rule(count=st.integers(1, 2), operator=operators)
    def several_work(self, count: int, operator: int) -> None:
        """What mostly happens: keys that nobody used are prepared, appear and are proven."""
        for key in [each for each in KEYS if self.model.entries[each].phase == NONE][:count]:
            self.prepare(operator, key)
            self.appear(key, self.ours)
            self.prove(key)

    @rule(items=st.lists(st.tuples(keys, amounts), max_size=4))
    def stake(self, items: list[tuple[bytes, int]]) -> None:
        w = self.world
        depositable = int(w.core.vault.depositable())
        self.attempt(
            lambda m: m.stake(items, self.rate, depositable, self.now),
            lambda: w.manager.stake(items, sender=w.governance),
        )

    @rule(data=st.data(), amount=st.one_of(st.just(31 * ETHER), st.integers(ETHER, 200 * ETHER)))
    def stake_what_works(self, data: Any, amount: int) -> None:
        self.stake([(self.pick(data, PROVEN), amount) for _ in range(data.draw(st.integers(1, 3)))])

    @rule(data=st.data())
    def consolidate(self, data: Any) -> None:
        w, source, into = self.world, self.pick(data, PROVEN), self.pick(data, PROVEN)
        self.attempt(
            lambda m: m.consolidate(source, into),
            lambda: w.manager.consolidate(source, into, sender=w.governance, value=WEI),
        )

    # --- Operators ---

    @rule(operator=operators, active=st.booleans())
    def set_active(self, operator: int, active: bool) -> None:
        self.world.registry.setActive(operator, active, sender=self.world.governance)
        self.model.operators[operator].active = active

    @rule(operator=operators, shares=st.integers(1, 5 * WEI))
    def bond(self, operator: int, shares: int) -> None:
        shares = min(shares, int(self.world.core.token.balanceOf(self.world.user)))
        if not shares:
            return

        def foretold(model: Model) -> None:
            one = model.operators[operator]
            refuse_if(one.case > 0 and one.bond + one.leaving == 0 and shares < WEI // 10, "AmountBelowMinimum")
            one.bond += shares

        self.attempt(foretold, lambda: self.world.bonds.deposit(operator, shares, sender=self.world.user))

    @rule(operator=operators, tenths=st.integers(1, 10))
    def take_bond_out(self, operator: int, tenths: int) -> None:
        """What stays has to be what the model's sums require."""
        w, counted = self.world, self.model.operators[operator].bond
        shares = counted * tenths // 10

        def foretold(model: Model) -> None:
            refuse_if(shares == 0, "AmountMissing")
            refuse_if(counted - shares < model.required(operator, self.rate), "BondTooLow")
            model.operators[operator].bond -= shares
            model.operators[operator].leaving += shares

        self.attempt(foretold, lambda: w.bonds.requestWithdrawal(operator, shares, sender=w.managers[operator]))

    # --- The beacon chain goes on ---

    @rule(
        data=st.data(),
        fate=st.sampled_from(["nothing", "leaves", "slashed", "empty", "empty"]),
        what=st.sampled_from(["slashed", "exiting", "gone", "gone"]),
    )
    def something_happens_and_is_shown(self, data: Any, fate: str, what: str) -> None:
        key = self.pick(data, PROVEN, ASKED, EXITING)
        w, seen = self.world, self.seen(key)
        if seen is None:
            return
        if fate == "empty":
            self.epoch += 2
        left = {"exit": min(seen.exit, self.epoch), "withdrawable": min(seen.withdrawable, self.epoch + 2)}
        if fate == "slashed":
            left |= {"slashed": True, "effective": 16 * ETHER}
        elif fate == "empty":
            left |= {"withdrawable": min(left["withdrawable"], self.epoch), "balance": 0, "effective": 0}
        if fate != "nothing":
            self.beacon.change(key, **left)
            seen = self.beacon.validators[self.beacon.index(key)]
        proof, tree = self.proof(key)
        if what == "slashed":
            self.attempt(
                lambda m: m.prove_slashed(key, seen, self.now),
                lambda: w.manager.proveSlashed(proof, sender=w.stranger),
            )
        elif what == "exiting":
            self.attempt(lambda m: m.prove_exiting(key, seen), lambda: w.manager.proveExiting(proof, sender=w.stranger))
        else:
            balance = proofs.balance_proof(tree, self.beacon.index(key))
            self.attempt(
                lambda m: m.prove_gone(key, seen, self.epoch, self.now),
                lambda: w.manager.proveGone(proof, balance.balances, balance.branch, sender=w.stranger),
            )

    @rule(
        data=st.data(),
        tenths=st.integers(0, 11),
        age=st.sampled_from([0, 0, 1, 12, 12]),
        pending=st.sampled_from([None, None, 0, SLOTS, SLOTS + 1]),
    )
    def some_has_returned(self, data: Any, tenths: int, age: int, pending: int | None) -> None:
        """Shown by the state of the slot that began ``age`` seconds ago; the next pending deposit is so many seconds
        younger than the last top-up."""
        key = self.pick(data, PROVEN, ASKED, EXITING)
        w, seen, entry = self.world, self.seen(key), self.model.entries[key]
        if seen is None:
            return
        seen = replace(seen, balance=entry.staked * tenths // 10)
        self.beacon.change(key, balance=seen.balance)
        slot, index = self.now - age, self.beacon.index(key)
        after = max(0, entry.filled_at + (pending or 0))
        self.beacon.deposits = [] if pending is None else [MadeDeposit(key, ETHER, slot=after)]
        tree = self.beacon.tree(slot)
        self.beacon.deposits = []
        w.process.publish_root(self.now, proofs.header_of(tree).root())
        proof, balance = proof_of(tree, index, self.now), proofs.balance_proof(tree, index)
        done = slot + 1 if pending is None else after
        self.attempt(
            lambda m: m.prove_returned(key, seen, done),
            lambda: w.manager.proveReturned(
                proof, balance.balances, balance.branch, *next_deposit(tree), sender=w.stranger
            ),
        )

    @rule(days=st.sampled_from([0, 1, 3, 7, 14, 30]), epochs=st.integers(0, 3))
    def pass_time(self, days: int, epochs: int) -> None:
        self.epoch += epochs
        self.world.process.pass_time(days * DAY + 12)

    # --- Requests and forced exits ---

    @rule(ether=st.integers(1, 2_500))
    def ask(self, ether: int) -> None:
        core, user = self.world.core, self.world.user
        shares = min(ether * WEI, core.token.balanceOf(user)) // GWEI * GWEI
        if shares >= WEI:
            core.queue.request(shares, user, sender=user)

    @rule(gwei=st.integers(1, 300 * ETHER), swept=st.booleans())
    def ether_comes(self, gwei: int, swept: bool) -> None:
        """From validators or from a stranger: nobody can tell."""
        process, gateway = self.world.process, self.world.core.gateway
        process.evm.set_balance(gateway.address, gateway.balance + gwei * GWEI)
        if swept:
            gateway.sweep(sender=self.world.stranger)

    def missing_wei(self, request: int) -> int:
        """By shares and rate, less what is there."""
        core = self.world.core
        held = [core.queue.getRequest(n)[1] for n in range(1, request + 1)]
        worth = floor(sum(held[:-1]) * self.rate) + floor(held[-1] * self.rate) + 1
        return worth - int(core.vault.buffer()) - min(int(core.gateway.balance), int(core.vault.outside()))

    def missing(self, model: Model, request: int) -> int:
        """INV-MAN-05"""
        requested_at = self.world.core.queue.getRequest(request)[2]
        refuse_if(self.now < requested_at + OVERDUE, "NotOverdue")
        coming = model.come(self.world.received, self.now)
        return max(0, ceil(Fraction(max(0, self.missing_wei(request)), GWEI)) - coming)

    @rule(
        data=st.data(),
        count=st.integers(0, 6),
        shuffled=st.sampled_from([False, False, False, True]),
        wait=st.sampled_from([0, 5, 5, 14]),
    )
    def force(self, data: Any, count: int, shuffled: bool, wait: int) -> None:
        w = self.world
        self.ask(data.draw(st.integers(1, 200)))
        self.pass_time(wait, 0)
        last = int(w.core.queue.lastRequestId())
        if not last:
            return
        request = data.draw(st.one_of(st.just(last), st.integers(1, last)))
        model = self.model
        turned = model.order[model.cursor :] + model.order[: model.cursor]
        chosen = (turned * 2)[:count]
        if shuffled:
            chosen = data.draw(st.permutations(chosen))

        def foretold(m: Model) -> list[tuple[bytes, int]]:
            refuse_if(not chosen, "EmptyBatch")
            return m.force(chosen, self.missing(m, request), w.received, self.now)

        before = self.waiting()
        asked = self.attempt(foretold, lambda: w.manager.forceExits(request, chosen, sender=w.stranger, value=WEI))
        source = bytes.fromhex(w.core.gateway.address[2:])
        new = [source + key + amount.to_bytes(8, "little") for key, amount in asked or []]
        assert self.waiting() == before + new

    def waiting(self) -> list[bytes]:
        """All that the EIP-7002 contract was ever asked for: here no consensus layer takes it away."""
        evm = self.world.process.evm
        tail = evm.storage(WITHDRAWALS, 3)
        words = [[evm.storage(WITHDRAWALS, 4 + 3 * n + i).to_bytes(32, "big") for i in range(3)] for n in range(tail)]
        return [a[12:] + b + c[:16] + c[16:24][::-1] for a, b, c in words]

    # --- What always holds ---

    @invariant()
    def sums_are_over_the_validators(self) -> None:
        """INV-MAN-01, INV-MAN-02"""
        if not hasattr(self, "world"):
            return
        manager, model = self.world.manager, self.model
        for operator, one in model.operators.items():
            assert manager.stakeOf(operator) == model.stake_of(operator), operator
            assert self.world.bonds.required(operator) == model.required(operator, self.rate), operator
            assert self.world.bonds.caseOf(operator) == (one.case, one.closes), operator
            assert self.world.bonds.bondOf(operator)[:2] == (one.bond, one.leaving), operator
        for key, entry in model.entries.items():
            assert manager.validator(key) == entry.as_tuple()
            assert entry.asked <= max(0, entry.staked - 32 * ETHER)

    @invariant()
    def a_key_has_one_position(self) -> None:
        """INV-MAN-03, INV-MAN-04"""
        if not hasattr(self, "world"):
            return
        manager, model = self.world.manager, self.model
        count = manager.count()
        assert [manager.keyHashAt(n) for n in range(count + 1)] == [*map(keccak, model.order), bytes(32)]
        assert len(set(model.order)) == count == sum(entry.proven_at > 0 for entry in model.entries.values())
        assert manager.exitCursor() == model.cursor < max(1, count)

    @invariant()
    def what_is_missing_is_foretold(self) -> None:
        """INV-MAN-05"""
        if not hasattr(self, "world"):
            return
        w = self.world
        assert w.manager.asked() == deepcopy(self.model).come(w.received, self.now)
        for request in range(1, int(w.core.queue.lastRequestId()) + 1):
            try:
                expected = self.missing(deepcopy(self.model), request)
            except Refused:
                continue
            assert w.manager.missing(request) == expected >= 0

    @invariant()
    def ether_is_where_the_sums_say(self) -> None:
        """INV-MAN-06: every gwei that left the vault was deposited for a key; the manager keeps none."""
        if hasattr(self, "world"):
            w, entries = self.world, self.model.entries.values()
            assert w.core.vault.consensus()[1] == sum(entry.staked for entry in entries) + self.model.returned
            assert w.process.evm.get_balance(DEPOSITS) == w.core.vault.consensus()[1] * GWEI
            assert w.manager.balance == 0


def test_B6_F5_validators_are_what_the_model_foretells(protocol):
    """INV-MAN-01 to INV-MAN-06, through random lives of sixteen keys of three operators."""
    deep = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
    run_state_machine_as_test(
        ManagerMachine,
        settings=settings(
            max_examples=300 if deep else 20,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
