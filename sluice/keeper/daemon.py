"""``sluice keeper run``: finalises requests, keeps instant pools and baskets, sweeps, proves, tops up, asks for exits,
and forces those that are overdue.

A round looks at the newest block and does what is due, each thing in a transaction that is simulated right before it is
sent. Several keepers at once do no harm: what one has done the next one's simulation refuses, for no gas, and what only
they may do they do in turns.
"""

from collections import Counter as Counts
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

import numpy as np
import structlog
from eth_abi.abi import encode
from eth_abi.exceptions import DecodingError
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from prometheus_client import Counter, Gauge
from pydantic import Field

from sluice.beacon import proofs
from sluice.beacon.answers import Validator
from sluice.beacon.client import BeaconClient, BeaconError
from sluice.beacon.spec import PRESETS, fork_named
from sluice.beacon.state import BeaconState, StateTree
from sluice.chain.node import HttpNode, LogCursor, NodeError, call, call_many, get_balance, get_block
from sluice.daemon.sender import FailedError, NotSentError, Sender, WouldRevertError
from sluice.daemon.service import Service
from sluice.daemon.settings import Addresses, OneUrl, ServiceSettings
from sluice.keeper.plans import (
    HEALTHY,
    MAX_BATCH,
    MIN_ACTIVE,
    MIN_DEPOSIT,
    SLASHING_PENDING,
    Rate,
    Working,
    is_limit_far,
    is_news,
    plan_exits,
    plan_top_ups,
)
from sluice.oracle.layer import MAX_MISSED_SLOTS
from sluice.oracle.registry import Ours, Registry
from sluice.oracle.views import DEPOSIT, HEADER, REQUEST, VALIDATOR, Contracts, find_contracts
from sluice.units import NO_GWEI, SECONDS_PER_HOUR, Gwei
from sluice.web import shown

RECORD: Final = "(bytes,bytes32,uint64,bool,uint64,uint64,uint64,uint64)"
PROOF: Final = f"(uint64,{HEADER},uint256,{RECORD},bytes32[])"
DEPOSITED: Final = keccak(text="BeaconDeposited(bytes,uint64)")
KEEPER_CHANGED: Final = keccak(text="KeeperChanged(address,bool)")
PREPARED, PROVEN, ASKED, EXITING, ABANDONED = 1, 2, 3, 4, 7
FAR_FUTURE: Final = 2**64 - 1
WEI: Final = 10**9
LISTED: Final = "(address,int16,int16,uint16,uint32,bool,bool)"
COLLECTED_AT_ONCE: Final = 20
"""Requests of a pool in one transaction: some 120,000 gas each."""
MIN_RETURNED: Final = 8 * 10**9
"""Gwei: less than this is not worth the gas of its proof."""
MARGIN: Final = 200
"""One part in so many is asked for beyond what is missing."""


class KeeperSettings(ServiceSettings):
    """Of ``sluice keeper run``."""

    execution_urls: OneUrl = Field(min_length=1, description="JSON-RPC of an execution node, one")
    beacon_urls: OneUrl = Field(min_length=1, description="Beacon API of a consensus node, one")
    sweep_ether: float = Field(0.1, ge=0, description="Least ether in the gateway that is worth a sweep")
    top_up_ether: int = Field(32, ge=1, description="Least ether in the buffer that is worth a top-up")
    part_ether: int = Field(32, ge=1, description="New stake is divided between operators in such parts")
    pools: Addresses = Field((), description="Instant pools whose requests are made and collected, too")
    replenish_ether: float = Field(1.0, gt=0, description="Least ether that a pool is handed slETH in for")
    baskets: Addresses = Field((), description="Baskets whose tokens' rates are recorded, and their limits renewed")
    turn_seconds: int = Field(600, ge=60, le=86_400, description="How long it is each keeper's turn; the same for all")


class RoundFailedError(Exception):
    """Some of what was due could not be done; the rest was."""


@dataclass(frozen=True)
class Entry:
    """A validator as the manager has it, with what the beacon chain says of it now."""

    pubkey: bytes
    operator: int
    phase: int
    slashed: bool
    prepared_at: int
    """Seconds."""
    filled_at: int
    """Seconds, of its newest top-up."""
    staked: Gwei
    pending: Gwei
    """Partial withdrawals that wait in the consensus layer, by whomever they were asked for."""
    merges: bool
    """Into another validator: what it has does not come back."""
    seen: Validator | None


@dataclass
class KeeperDaemon:
    settings: KeeperSettings
    key: LocalAccount | None
    node: HttpNode
    beacon: BeaconClient
    contracts: Contracts
    registry: Registry
    service: Service = field(init=False)
    _pubkeys: dict[bytes, bytes] = field(default_factory=dict)
    _deposits: LogCursor = field(init=False)
    _changes: LogCursor = field(init=False)
    _tree: StateTree | None = None
    """Of the state that was proven from last, while something is due in it."""
    _taken_until: int = 0
    _asked_deposits: int = 0
    """Time of the final block when they were."""
    _refused: bytes = b""
    """Root of the last state that could not be had: the whole of it is not downloaded again each round."""

    @classmethod
    def of(cls, settings: KeeperSettings, key: LocalAccount | None) -> "KeeperDaemon":
        node = HttpNode(settings.execution_urls[0])
        contracts = find_contracts(node, settings.oracle)
        registry = Registry(contracts.manager, settings.first_block, settings.state_dir / "registry.json")
        return cls(settings, key, node, BeaconClient(settings.beacon_urls[0]), contracts, registry)

    def __post_init__(self) -> None:
        self.log = structlog.get_logger(service="keeper")
        self.service = Service("keeper", self.step, pause=self.settings.poll_seconds)
        registry = self.service.metrics
        self.done = Counter("sluice_transactions", "By what and how it ended", ["what", "result"], registry=registry)
        self.missing = Gauge("sluice_missing_ether", "What open requests still need", registry=registry)
        self._deposits = LogCursor(self.contracts.vault, DEPOSITED, self.settings.first_block)
        self._changes = LogCursor(self.contracts.manager, KEEPER_CHANGED, self.settings.first_block)

    # --- A round ---

    def step(self) -> str:
        """Everything that is due now; what was done, in words. What fails does not keep the rest from being done."""
        entries = cache(self._entries)
        acts: tuple[Callable[[], Iterator[str]], ...] = (
            self._finalize,
            self._keep_pools,
            self._keep_baskets,
            self._sweep,
            lambda: self._force(entries()),
            lambda: self._prove(entries()),
            lambda: self._abandon(entries()),
            lambda: self._top_up(entries()),
            self._ask,
        )
        done: list[str] = []
        failed: list[str] = []
        for act in acts:
            if self.service.is_ending:
                break
            try:
                done += act()
            except Exception as error:  # noqa: BLE001 - whatever it is, the rest is done
                failed.append(f"{error or type(error).__name__}")
        if failed:
            raise RoundFailedError("; ".join([*done, *dict.fromkeys(failed)]))
        return "; ".join(done) or "nothing is due"

    def _finalize(self) -> Iterator[str]:
        (up_to,) = self._view(self.contracts.queue, "finalizable()", ["uint256"])
        if up_to:
            yield from self._send("finalised", self.contracts.queue, "finalize(uint256)", [up_to])

    def _keep_pools(self) -> Iterator[str]:
        """What the queue has paid a pool is counted; slETH is handed in for the ether that a pool misses."""
        for pool in self.settings.pools:
            count, oldest = self._view(pool, "requests()", ["uint256", "uint256"])
            (finalized,) = self._view(self.contracts.queue, "lastFinalizedId()", ["uint256"])
            if count and oldest <= finalized:
                yield from self._send("collected", pool, "collect(uint256)", [COLLECTED_AT_ONCE])
            assets, shares, awaited = self._view(pool, "legs()", ["uint256", "uint256", "uint256"])
            (target,) = self._view(pool, "target()", ["uint256"])
            (there,) = self._view(self.contracts.vault, "convertToAssets(uint256)", ["uint256"], [shares])
            (coming,) = self._view(self.contracts.vault, "convertToAssets(uint256)", ["uint256"], [awaited])
            if min(there, target - assets - coming) >= self.settings.replenish_ether * 10**18:
                yield from self._send("replenished", pool, "replenish()", [])

    def _keep_baskets(self) -> Iterator[str]:
        """New rates and reports are recorded, and limits that are far from their part of the whole are renewed.

        What cannot be sent for one token keeps no other from it.
        """
        failed: list[str] = []
        for basket in self.settings.baskets:
            try:
                chores = list(self._chores_of(basket))
            except (NodeError, DecodingError) as error:
                failed.append(f"basket {basket}: {error}")
                continue
            for what, to, signature in chores:
                if self.service.is_ending:
                    return
                name = to_checksum_address(to)
                try:
                    yield from (f"{said} at {name}" for said in self._send(what, to, signature, []))
                except Exception as error:  # noqa: BLE001 - whatever it is, the rest is done
                    failed.append(f"{what} at {name}: {error or type(error).__name__}")
        if failed:
            raise RoundFailedError("; ".join(failed))

    def _chores_of(self, basket: str) -> Iterator[tuple[str, str, str]]:
        """What, where, and by which function. A token that cannot be read is left out: it is sick; nothing is due."""
        now = get_block(self.node).timestamp
        (vault,) = self._view(basket, "VAULT()", ["address"])
        (tokens,) = self._view(basket, "tokens()", ["address[]"])
        total, _, is_whole = self._view(basket, "totalValue()", ["uint256", "uint256", "bool"])
        is_far = False
        for token in tokens:
            (config,) = self._view(basket, "configOf(address)", [LISTED], [token])
            _, limit, cut_off_until = self._view(basket, "holdingOf(address)", ["uint256"] * 3, [token])
            provider, most = config[0], config[3]
            try:
                rate = self._core_rate(basket, vault, now) if provider == vault else self._rate(provider)
            except (NodeError, DecodingError) as error:
                self.log.warning("no rate", token=to_checksum_address(token), error=str(error))
                continue
            if is_news(rate, now):
                yield "recorded a rate", provider, "poke()"
            # only what would be renewed: a limit that stays as it is would be far for ever
            if rate.health == HEALTHY and now >= cut_off_until:
                is_far |= is_limit_far(limit, total, most, rate.now[0])
        if is_whole and is_far:
            yield "renewed the limits", basket, "sync()"

    def _core_rate(self, basket: str, vault: str, now: int) -> Rate:
        """slETH's, which needs no record; sick where the basket takes it for sick."""
        (low,) = self._view(vault, "convertToAssets(uint256)", ["uint256"], [10**18])
        (pending_until,) = self._view(vault, "slashingPendingUntil()", ["uint256"])
        (reported,) = self._view(vault, "referenceTime()", ["uint256"])
        (most,) = self._view(basket, "MAX_RATE_AGE()", ["uint256"])
        health = HEALTHY if pending_until <= now <= reported + most else SLASHING_PENDING
        return Rate((low, low + 1), reported, reported, health, (low, low + 1), reported)

    def _rate(self, provider: str) -> Rate:
        low, high, recorded, reported = self._view(provider, "record()", ["uint256"] * 4)
        health, *now = self._view(provider, "reading()", ["uint8", "uint256", "uint256"])
        (newest,) = self._view(provider, "newestReport()", ["uint256"])
        return Rate((low, high), recorded, reported, health, (now[0], now[1]), newest)

    def _sweep(self) -> Iterator[str]:
        there = get_balance(self.node, self.contracts.gateway)
        (outside,) = self._view(self.contracts.vault, "outside()", ["uint256"])
        if min(there, outside) >= max(WEI, self.settings.sweep_ether * 10**18):
            yield from self._send("swept", self.contracts.gateway, "sweep()", [])

    def _force(self, entries: list[Entry]) -> Iterator[str]:
        """Exits that nobody can refuse: as anybody may, when the newest overdue request still misses ether and that is
        not on its way already. Where nobody can be asked it would only cost gas.
        """
        overdue = self._newest_overdue()
        if overdue is None:
            return
        (missing,) = self._view(self.contracts.manager, "missing(uint256)", ["uint256"], [overdue])
        if missing <= coming_from(entries) or not working(entries):
            return
        (cursor,) = self._view(self.contracts.manager, "exitCursor()", ["uint256"])
        keys = self._ours().pubkeys
        chosen = [*keys[cursor:], *keys[:cursor]][:MAX_BATCH]
        if chosen:
            fee = self._fees(2 * len(chosen))  # exits come with a part each
            arguments = [overdue, chosen]
            yield from self._send("forced exits", self.contracts.manager, "forceExits(uint256,bytes[])", arguments, fee)

    def _newest_overdue(self) -> int | None:
        queue, manager = self.contracts.queue, self.contracts.manager
        (last,) = self._view(queue, "lastRequestId()", ["uint256"])
        (finalized,) = self._view(queue, "lastFinalizedId()", ["uint256"])
        (after,) = self._view(manager, "OVERDUE_AFTER()", ["uint256"])
        now = get_block(self.node).timestamp
        low, high = finalized, last
        while low < high:  # requests are in the order of time
            middle = (low + high + 1) // 2
            if self._requested_at(middle) + after <= now:
                low = middle
            else:
                high = middle - 1
        return low if low > finalized else None

    def _requested_at(self, request: int) -> int:
        (values,) = self._view(self.contracts.queue, "getRequest(uint256)", [REQUEST], [request])
        return int(values[2])

    # --- Proofs ---

    def _prove(self, entries: list[Entry]) -> Iterator[str]:
        due = self._final(
            [(each, what) for each in entries if (what := proof_due(each, self.contracts.credentials)) is not None]
        )
        due.sort(key=lambda item: item[1] != "proveSlashed")  # reports wait for it
        if not due:
            self._tree = None
            return
        if self.key is None:  # no state is needed to say so
            yield from (f"would do: {what}" for _, what in due)
            return
        tree, timestamp = self._anchor()
        for each, what in due:
            found = indices(tree.state, each.pubkey)
            if not found:
                continue  # where its slot is missed, a final block's state is older than that of the checkpoint
            proof = proofs.validator_proof(tree, found[0])
            if proof_due(replace_seen(each, proof), self.contracts.credentials) != what:
                continue
            arguments: list[Any] = [
                (timestamp, proof.header.as_tuple(), proof.index, proof.record.as_tuple(), proof.branch)
            ]
            signature = f"{what}({PROOF})"
            if what in ("proveGone", "proveReturned"):
                balance = proofs.balance_proof(tree, proof.index)
                if what == "proveGone" and balance.balance:
                    continue
                arguments += [balance.balances, balance.branch]
                signature = f"{what}({PROOF},bytes32,bytes32[])"
            if what == "proveReturned":
                deposit, branch = proofs.next_deposit_proof(tree)
                arguments += [deposit.as_tuple(), branch]
                signature = f"{what}({PROOF},bytes32,bytes32[],{DEPOSIT},bytes32[])"
            yield from self._send(what, self.contracts.manager, signature, arguments)

    def _final(self, due: list[tuple[Entry, str]]) -> list[tuple[Entry, str]]:
        """What is due in the newest final state, too. Its validators are asked for before all of it is."""
        if not due:
            return []
        final = {each.pubkey: each for each in self.beacon.validators("finalized", [each.pubkey for each, _ in due])}
        there = [
            (each, what)
            for each, what in due
            if proof_due(replace(each, seen=final.get(each.pubkey)), self.contracts.credentials) == what
        ]
        back = [each for each, what in there if what == "proveReturned"]
        taken = self._taken(min(each.filled_at for each in back)) if back else 0
        return [(each, what) for each, what in there if what != "proveReturned" or each.filled_at < taken]

    def _taken(self, oldest: int) -> int:
        """Deposits of blocks before this time are in the balances of the newest final state: they are taken in their
        order; an epoch is left to be sure, as the manager does. The list can be long: it is asked for once an hour, and
        only where a top-up is old enough. The other proofs do not depend on it.
        """
        slot, spec = self.beacon.header("finalized").slot, self.beacon.spec()
        now, epoch = self.contracts.time_of(slot), spec.slots_per_epoch * spec.seconds_per_slot
        if oldest + epoch >= now or now < self._asked_deposits + SECONDS_PER_HOUR:
            return self._taken_until
        self._asked_deposits = now
        try:
            pending = self.beacon.pending_deposits("finalized")
        except BeaconError as error:
            self.log.warning("what has returned is not known", reason=str(error))
            return 0
        self._taken_until = self.contracts.time_of(pending[0].slot if pending else slot + 1) - epoch
        return self._taken_until

    def _anchor(self) -> tuple[StateTree, int]:
        """The state of the newest final block, and its child's time: there its root is published."""
        header = self.beacon.header("finalized")
        slot = header.slot
        head = self.beacon.header("head").slot
        child = next(
            (
                found
                for at in range(slot + 1, min(head, slot + MAX_MISSED_SLOTS) + 1)
                if (found := self.beacon.header_at(at)) is not None
            ),
            None,
        )
        if child is None:
            raise NotSentError("the final block has no child yet")
        if self._tree is None or self._tree.root != header.state_root:
            self._tree = None  # no two at a time
            if self._refused == header.state_root:
                raise NotSentError("the final state could not be read: the next one will be")
            data, fork = self.beacon.state(slot, self.settings.state_dir)
            self._refused = header.state_root
            tree = StateTree()
            state = BeaconState.decode(data, fork_named(fork), PRESETS[self.beacon.spec().preset])
            if tree.load(state) != header.state_root:
                raise NotSentError(f"{shown(self.beacon.url)} sent a state that is not that of its header")
            self._tree, self._refused = tree, b""
        return self._tree, self.contracts.time_of(child.slot)

    def _abandon(self, entries: list[Entry]) -> Iterator[str]:
        """Preparations that nobody could prove in time, unless their deposit still waits in the consensus layer."""
        (after,) = self._view(self.contracts.manager, "ABANDON_AFTER()", ["uint256"])
        now = get_block(self.node).timestamp
        due = [e for e in entries if e.phase == PREPARED and e.seen is None and e.prepared_at + after <= now]
        if not due or self._moment() is None:
            return
        waiting = {each.pubkey for each in self.beacon.pending_deposits()}
        # in this order: what is processed meanwhile is seen in one of them
        there = {each.pubkey for each in self.beacon.validators("head", [each.pubkey for each in due])}
        for each in due:
            if each.pubkey not in waiting | there:
                yield from self._send("abandoned", self.contracts.manager, "abandon(bytes)", [each.pubkey])

    # --- Stake and exits ---

    def _is_turn(self) -> bool:
        """Two keepers that top up or ask for exits in the same block would both do it. The last fifth of a turn is for
        what was sent in it to arrive.
        """
        newest = get_block(self.node)
        changes = self._changes.read(self.node, newest.number)
        known = {"0x" + log.topics[1][12:].hex(): bool(int.from_bytes(log.data, "big")) for log in changes}
        if self.key is None:
            return True
        keepers = sorted(each for each, is_keeper in known.items() if is_keeper)
        own = self.key.address.lower()
        if own not in keepers:
            self.log.info("no keeper's key: it neither tops up nor asks for exits", key=self.key.address)
            return False
        turn, passed = divmod(newest.timestamp, self.settings.turn_seconds)
        is_over = len(keepers) > 1 and 5 * passed >= 4 * self.settings.turn_seconds
        return keepers[turn % len(keepers)] == own and not is_over

    def _top_up(self, entries: list[Entry]) -> Iterator[str]:
        if not self._is_turn():
            return
        (free,) = self._view(self.contracts.vault, "depositable()", ["uint256"])
        part = self.settings.part_ether * 10**9
        if free // WEI < self.settings.top_up_ether * 10**9:
            return
        (amounts,) = self._view(
            self.contracts.manager, "allocation(uint256,uint256)", ["uint256[]"], [free // WEI, min(part, free // WEI)]
        )
        shares = {operator: Gwei(amount) for operator, amount in enumerate(amounts, 1) if amount >= MIN_DEPOSIT}
        plan = plan_top_ups(shares, working(entries))
        if plan:
            signature = "stake((bytes,uint64)[])"
            yield from self._send("topped up", self.contracts.manager, signature, [plan], 0, self._is_turn)

    def _ask(self) -> Iterator[str]:
        """What open requests need beyond buffer, gateway and what is on its way: all of it read at one block of both
        layers. A node that is behind would not show what was asked for last, and it would be asked for again.
        """
        moment = self._moment()
        if moment is None or not self._is_turn():
            return
        entries = self._entries()
        (shares,) = self._view(self.contracts.queue, "openShares()", ["uint256"])
        (owed,) = self._view(self.contracts.vault, "previewMint(uint256)", ["uint256"], [shares])
        (buffer,) = self._view(self.contracts.vault, "buffer()", ["uint256"])
        there = get_balance(self.node, self.contracts.gateway)
        coming = coming_from(entries)
        missing = (owed - buffer - there) // WEI - coming
        self.missing.set(max(0, missing) / 10**9)
        # requests earn on while they wait, and a withdrawal takes days: a little more, and not in crumbs
        if missing <= 0 or (coming and missing < MIN_DEPOSIT):
            return
        plan = plan_exits(max(missing + missing // MARGIN, MIN_DEPOSIT), working(self._old_enough(entries)))
        if plan:
            keys, amounts = [list(column) for column in zip(*plan, strict=True)]
            signature = "requestExits(bytes[],uint64[])"
            fee = self._fees(len(plan))
            arguments = [keys, amounts]
            yield from self._send(
                "asked for exits", self.contracts.manager, signature, arguments, fee, lambda: self._moment() == moment
            )

    def _moment(self) -> int | None:
        """The time of the newest block of both layers; None where they are not in step."""
        seen = self.contracts.time_of(self.beacon.header("head").slot)
        return seen if seen == get_block(self.node).timestamp else None

    def _old_enough(self, entries: list[Entry]) -> list[Entry]:
        """The consensus layer ignores what is asked of validators that have only just begun."""
        spec = self.beacon.spec()
        epoch = self.beacon.header("head").slot // spec.slots_per_epoch
        period = int(spec.values["SHARD_COMMITTEE_PERIOD"])
        return [
            each for each in entries if each.seen is not None and each.seen.validator.activation_epoch + period <= epoch
        ]

    # --- What there is ---

    def _ours(self) -> Ours:
        return self.registry.at(self.node, get_block(self.node).number)

    def _entries(self) -> list[Entry]:
        ours = self._ours()
        prepared = (key for each in ours.preparations if (key := self._pubkey_of(each)) is not None)
        keys = [*ours.pubkeys, *prepared, *ours.abandoned]
        seen = {each.pubkey: each for each in self.beacon.validators("head", keys)} if keys else {}
        known = call_many(self.node, self.contracts.manager, "validator(bytes)", [[key] for key in keys], [VALIDATOR])
        pending: Counts[int] = Counts()
        for part in self.beacon.pending_partial_withdrawals() if keys else ():
            pending[part.validator_index] += part.amount
        merging = {each.source_index for each in self.beacon.pending_consolidations()} if keys else set()
        found = []
        for key, (values,) in zip(keys, known, strict=True):
            operator, phase, slashed, prepared_at, _, filled_at, staked, _, _, _, _ = values
            there = seen.get(key)
            parts = Gwei(pending[there.index]) if there is not None else NO_GWEI
            merges = there is not None and there.index in merging
            times = prepared_at, filled_at
            found.append(Entry(key, operator, phase, slashed, *times, Gwei(staked), parts, merges, there))
        return found

    def _pubkey_of(self, key_hash: bytes) -> bytes | None:
        """The manager's event has the hash, the vault's the key."""
        if key_hash not in self._pubkeys:
            for log in self._deposits.read(self.node, get_block(self.node).number):
                key = log.data[96 : 96 + 48]
                self._pubkeys[keccak(key)] = key
        return self._pubkeys.get(key_hash)

    def _fees(self, count: int) -> int:
        """Of so many requests, wei. Twice what they cost now: it rises with full blocks, and the rest comes back."""
        fee, _ = self._view(self.contracts.gateway, "fees()", ["uint256", "uint256"])
        return 2 * int(fee) * count

    def _view(self, to: str, signature: str, returns: list[str], arguments: list[Any] | None = None) -> tuple[Any, ...]:
        return call(self.node, to, signature, arguments or [], returns)

    # --- Transactions ---

    def _send(
        self,
        what: str,
        to: str,
        signature: str,
        arguments: list[Any],
        value: int = 0,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> Iterator[str]:
        types = split_types(signature)
        data = keccak(text=signature)[:4] + encode(types, arguments)
        if self.key is None:
            yield f"would do: {what}"
            return
        sender = Sender.of(self.settings, self.node, self.key, self.service.wait)
        try:
            receipt = sender.send(to, data, value, is_wanted)
        except WouldRevertError as error:
            self.done.labels(what, "refused").inc()
            self.log.info("not needed, or refused", what=what, reason=str(error))
            return
        except FailedError:
            self.done.labels(what, "failed").inc()
            try:
                sender.try_call(to, data, value)
            except WouldRevertError:
                yield f"{what}: another keeper's came first"
                return
            raise
        self.done.labels(what, "done").inc()
        yield f"{what} ({int(receipt['gasUsed'], 16):,} gas)"


def working(entries: list[Entry]) -> list[Working]:
    return [
        Working(
            each.pubkey,
            each.operator,
            each.staked,
            Gwei(max(0, each.seen.balance - each.pending)),
            is_asked=each.pending > 0,
        )
        for each in entries
        if each.phase == PROVEN and each.seen is not None and each.seen.validator.exit_epoch == FAR_FUTURE
    ]


def coming_from(entries: list[Entry]) -> int:
    """Gwei: partial withdrawals that wait, and the whole of those that leave, which get no parts any more."""
    ours = (PROVEN, ASKED, EXITING)
    seen = ((e, e.seen) for e in entries if e.seen is not None and e.phase in ours and not e.merges)
    return sum(e.pending if v.validator.exit_epoch == FAR_FUTURE else v.balance for e, v in seen)


def proof_due(entry: Entry, credentials: bytes) -> str | None:
    """The function of the manager that the beacon chain's word is for, if any."""
    seen = entry.seen
    if seen is None:
        return None
    record = seen.validator
    is_ours = record.withdrawal_credentials == credentials
    if entry.phase == PREPARED:
        return "prove" if is_ours else "refuse"
    if entry.phase == ABANDONED:
        return "prove" if is_ours else None
    if entry.phase not in (PROVEN, ASKED, EXITING):
        return None
    if record.slashed and not entry.slashed:
        return "proveSlashed"
    if seen.status in ("withdrawal_done", "withdrawal_possible") and seen.balance == 0:
        return "proveGone"
    if record.exit_epoch != FAR_FUTURE:
        return "proveExiting" if entry.phase != EXITING else None
    back = entry.staked - max(seen.balance, MIN_ACTIVE)
    return "proveReturned" if not entry.merges and back >= max(MIN_RETURNED, entry.pending) else None


def replace_seen(entry: Entry, proof: proofs.ValidatorProof) -> Entry:
    """The entry as the state that is proven from has it."""
    record = proof.record
    seen = entry.seen
    if seen is None:
        return entry
    validator = seen.validator.model_copy(
        update={
            "withdrawal_credentials": record.credentials,
            "slashed": record.slashed,
            "exit_epoch": record.exit_epoch,
        }
    )
    return replace(entry, seen=seen.model_copy(update={"validator": validator}))


def indices(state: BeaconState, pubkey: bytes) -> list[int]:
    return [int(i) for i in np.flatnonzero(state.validators["pubkey"] == np.void(pubkey))]


def split_types(signature: str) -> list[str]:
    """The types of a signature's arguments, tuples kept whole."""
    inner = signature[signature.index("(") + 1 : -1]
    found, depth, start = [], 0, 0
    for at, letter in enumerate(inner):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            found.append(inner[start:at])
            start = at + 1
    return [*found, inner[start:]] if inner else []
