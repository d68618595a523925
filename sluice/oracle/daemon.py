"""``sluice oracle run``: reads the state that is final, builds the report, signs it once, gathers, submits.

Each round begins with what the chain says and does the next thing that is missing, so a process that was killed
anywhere goes on where it was. The one thing that must not be done twice differently is signing: before a signature
leaves, what is signed stands in the journal, on the disk.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

import structlog
from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from prometheus_client import Counter, Gauge
from pydantic import Field

from sluice.beacon.client import BeaconClient
from sluice.chain.node import HttpNode, Node, View, call, call_all, call_many, get_block
from sluice.daemon.sender import NotSentError, Sender, WouldRevertError
from sluice.daemon.service import Service
from sluice.daemon.settings import ServiceSettings, Urls
from sluice.files import write_atomically
from sluice.oracle.exchange import Book, Endpoints, Message, MessageRefusedError, Peers
from sluice.oracle.layer import BeaconLayer, NotFinalError
from sluice.oracle.registry import DisagreementError
from sluice.oracle.report import Report
from sluice.oracle.signing import REPORT_TYPE, gather, sign
from sluice.oracle.signing import digest as digest_of
from sluice.oracle.views import (
    Contracts,
    NothingToReportError,
    Prepared,
    are_slashings_proven,
    find_contracts,
    is_released,
    prepare,
    read_due,
    read_expected,
)
from sluice.units import Slot

REPORT_TUPLE: Final = "(" + ",".join(kind for _, kind in REPORT_TYPE) + ")"
SUBMIT: Final = keccak(text=f"submit({REPORT_TUPLE},bytes[])")[:4]
VOTE: Final = keccak(text=f"vote({REPORT_TUPLE})")[:4]
CRASH: Final = "SLUICE_TEST_CRASH_AT"
"""For tests: the name of a step at which the process ends as by kill -9."""


class OracleSettings(ServiceSettings):
    """Of ``sluice oracle run``."""

    peers: Urls = Field((), description="Endpoints of the other members, with commas")
    takeover_seconds: float = Field(60.0, ge=0, description="How much later each next member submits")
    proof_wait: float = Field(
        0.25, ge=0, lt=1, description="Part of the frame that a report of a slashing waits for its proof"
    )
    vote_after: float = Field(0.5, gt=0, lt=1, description="Part of the frame after which members vote on chain")


class TwoReportsError(Exception):
    """Another report was signed for this slot. A person must look: which is true?"""


def crash_point(name: str) -> None:
    """Tests kill the process here; nothing else does."""
    if os.environ.get(CRASH) == name:
        os.kill(os.getpid(), 9)


@dataclass
class Journal:
    """What was signed, by slot. Written before a signature leaves, and never changed."""

    path: Path

    def signed(self, slot: Slot) -> str | None:
        return self._read().get(str(slot))

    def enter(self, slot: Slot, digest: bytes) -> None:
        """Raises :class:`TwoReportsError` where something else stands there."""
        entries = self._read()
        known = entries.get(str(slot))
        if known == digest.hex():
            return
        if known is not None:
            raise TwoReportsError(f"slot {slot}: 0x{known} was signed, the report is now 0x{digest.hex()}")
        entries[str(slot)] = digest.hex()
        newest = sorted(entries, key=int)[-1_000:]
        write_atomically(self.path, json.dumps({each: entries[each] for each in newest}))

    def _read(self) -> dict[str, str]:
        try:
            return dict(json.loads(self.path.read_text()))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise TwoReportsError(f"{self.path} is damaged: repair it, or rotate the key") from error


@dataclass(frozen=True)
class Committee:
    """As the oracle contract has it."""

    members: tuple[str, ...]
    keys: dict[str, str]
    """Key -> member."""
    quorum: int


def read_committee(node: Node, oracle: str) -> Committee:
    views = [View(oracle, "members()", ["address[]"]), View(oracle, "quorum()", ["uint256"])]
    (members,), (quorum,) = call_all(node, views)
    found = call_many(node, oracle, "keyOf(address)", [[each] for each in members], ["address"])
    keys = {key.lower(): member for (key,), member in zip(found, members, strict=True)}
    return Committee(tuple(members), keys, quorum)


@dataclass
class OracleDaemon:
    """One member. Without a key it shows what it would report."""

    settings: OracleSettings
    key: LocalAccount | None
    node: Node
    layer: BeaconLayer
    contracts: Contracts
    peers: Peers
    now: Callable[[], float] = time.monotonic
    committee: Committee = field(init=False)
    book: Book = field(init=False)
    journal: Journal = field(init=False)
    service: Service = field(init=False)
    _gathered_at: dict[Slot, float] = field(default_factory=dict)
    _told: bytes = b""
    """Digest of the report outside the limits whose figures were logged last."""

    @classmethod
    def of(cls, settings: OracleSettings, key: LocalAccount | None) -> "OracleDaemon":
        nodes = [HttpNode(url) for url in settings.execution_urls]
        contracts = find_contracts(nodes[0], settings.oracle)
        layer = BeaconLayer(
            [BeaconClient(url) for url in settings.beacon_urls],
            nodes,
            vault=contracts.vault,
            gateway=contracts.gateway,
            manager=contracts.manager,
            first_block=settings.first_block,
            folder=settings.state_dir / "readings",
        )
        return cls(settings, key, nodes[0], layer, contracts, Peers(settings.peers))

    def __post_init__(self) -> None:
        self.committee = read_committee(self.node, self.contracts.oracle)
        self.book = Book(
            self.contracts.domain,
            member_of=lambda key: self.committee.keys.get(key.lower()),
            expected=lambda: read_expected(self.node, self.contracts).slot,
            alarm=self._alarm,
        )
        self.journal = Journal(self.settings.state_dir / "signed.json")
        routes = Endpoints(self.book).routes
        self.service = Service("oracle", self.step, pause=self.settings.poll_seconds, routes=routes)
        registry = self.service.metrics
        self.alarms = Counter("sluice_alarms", "What a person should look at", ["kind"], registry=registry)
        self.reported = Gauge("sluice_reference_slot", "Of the newest report built", registry=registry)
        self.gathered = Gauge("sluice_signatures", "Over the report of this frame", registry=registry)
        self.spent = Gauge("sluice_build_seconds", "Of the newest report, by step", ["step"], registry=registry)
        self.log = structlog.get_logger(service="oracle")

    # --- A round ---

    def step(self) -> str:
        """The next thing that is missing; what it did, in words."""
        self.committee = read_committee(self.node, self.contracts.oracle)
        (halted,) = call(self.node, self.contracts.oracle, "halted()", returns=["bool"])
        if halted:
            self.alarms.labels("halted").inc()
            return "the oracle is halted: a report was proven false"
        try:
            expected = read_due(self.node, self.contracts)
            prepared = self._prepare()
        except (NotFinalError, NothingToReportError) as error:
            return str(error)
        report = prepared.report
        self._show(report)
        if prepared.forecast.early:
            return f"slot {report.reference_slot}: old enough in {prepared.forecast.early} s"
        if prepared.forecast.violations:
            digest = digest_of(report, self.contracts.domain)
            if not is_released(self.node, self.contracts, digest):
                return self._outside(report, digest, prepared.forecast.violations)
        if waits := self._waits_for_proof(report, expected.deadline):
            return waits
        self.book.keep_leaves(report.reference_slot, self.layer.read(report.reference_slot).leaves)
        crash_point("built")
        if self.key is None:
            return f"dry: slot {report.reference_slot}, gain {prepared.forecast.profit / 1e18:.9f} ether"
        if self.key.address.lower() not in self.committee.keys:
            self.alarms.labels("no member").inc()
            return f"{self.key.address} is no member's key"
        message = self._sign(report)
        self._exchange(message)
        return self._bring(report, expected.deadline)

    def _prepare(self) -> Prepared:
        """With every execution node: the vault's figures come from them, and what is signed is signed for good."""
        prepared = prepare(self.layer, self.node, self.contracts)
        for other in self.layer.nodes[1:]:
            report = prepare(self.layer, other, self.contracts).report
            names = [
                each.name
                for each in fields(Report)
                if getattr(report, each.name) != getattr(prepared.report, each.name)
            ]
            if names:
                raise DisagreementError(f"execution nodes lead to reports with different {', '.join(names)}")
        return prepared

    def _outside(self, report: Report, digest: bytes, violations: tuple[str, ...]) -> str:
        """Members compare the figures, governance releases the digest."""
        self.alarms.labels("outside limits").inc()
        name = "0x" + digest.hex()
        if digest != self._told:
            self._told = digest
            self.log.warning("outside the limits", digest=name, violations=violations, **report.as_json())
        return f"slot {report.reference_slot}: it would be refused: {'; '.join(violations)}; {name} is not released"

    def _waits_for_proof(self, report: Report, deadline: int) -> str:
        """The bond of an operator is asked for a slashing only once that is proven; holders should not pay before."""
        if not report.faults or self._passed(report.reference_slot, deadline) > self.settings.proof_wait:
            return ""
        reading = self.layer.read(report.reference_slot)
        keys = dict(zip(reading.ours.indices, reading.ours.pubkeys, strict=True))
        open_ = [index for index, each in reading.slashed.items() if not each.over]
        proven = are_slashings_proven(self.node, self.contracts, [keys[index] for index in open_])
        unproven = [index for index, done in zip(open_, proven, strict=True) if not done]
        if not unproven:
            return ""
        names = ", ".join(map(str, unproven[:3])) + (" ..." if len(unproven) > 3 else "")
        return f"slot {report.reference_slot}: waits for the proof that validator {names} was slashed"

    def _passed(self, slot: Slot, deadline: int) -> float:
        """Of the time from the reference slot to the end of the frame, the part that is over."""
        time_of = self.contracts.time_of(slot)
        return (get_block(self.node).timestamp - time_of) / (deadline - time_of)

    def _sign(self, report: Report) -> Message:
        assert self.key is not None  # noqa: S101 - the caller has looked
        self.journal.enter(report.reference_slot, digest_of(report, self.contracts.domain))
        crash_point("in the journal")
        message = Message(report, sign(report, self.contracts.domain, self.key).signature)
        self.book.add(message)
        crash_point("signed")
        return message

    def _exchange(self, message: Message) -> None:
        taken = self.peers.publish(message)
        crash_point("published")
        for each in self.peers.collect(message.report.reference_slot):
            try:
                self.book.add(each)
            except MessageRefusedError as refused:
                self.log.info("signature refused", reason=str(refused))
        others = self.book.disagreeing(message.report)
        if others:
            self._alarm(f"{', '.join(others)} signed another report for slot {message.report.reference_slot}")
        self.log.debug("exchanged", taken=taken, peers=len(self.peers.urls))

    def _bring(self, report: Report, deadline: int) -> str:
        """Submit when it is this member's turn; vote when there will be no quorum."""
        signed = self.book.for_report(report)
        self.gathered.set(len(signed))
        slot = report.reference_slot
        if len(signed) >= self.committee.quorum:
            began = self._gathered_at.setdefault(slot, self.now())
            wait = self._rank(slot) * self.settings.takeover_seconds - (self.now() - began)
            if wait > 0:
                return f"slot {slot}: a quorum has signed; {wait:.0f} s for those before this member to submit"
            return self._submit(report, gather(signed, compact=True))
        if self._passed(slot, deadline) > self.settings.vote_after:
            return self._vote(report)
        return f"slot {slot}: {len(signed)} of {self.committee.quorum} signatures"

    def _rank(self, slot: Slot) -> int:
        """0 for the leader of the frame, who moves on by one each frame."""
        assert self.key is not None  # noqa: S101
        member = self.committee.keys[self.key.address.lower()]
        count = len(self.committee.members)
        leader = slot // self.contracts.frame_slots % count
        return (self.committee.members.index(member) - leader) % count

    def _submit(self, report: Report, signatures: list[bytes]) -> str:
        data = SUBMIT + encode([REPORT_TUPLE, "bytes[]"], [report.as_tuple(), signatures])
        crash_point("before submission")
        return self._send(report, data, "submitted")

    def _vote(self, report: Report) -> str:
        assert self.key is not None  # noqa: S101
        member = self.committee.keys[self.key.address.lower()]
        (vote,) = call(self.node, self.contracts.oracle, "voteOf(address)", [member], ["bytes32"])
        if vote == digest_of(report, self.contracts.domain):
            return f"slot {report.reference_slot}: voted; others have not yet"
        return self._send(report, VOTE + encode([REPORT_TUPLE], [report.as_tuple()]), "voted")

    def _send(self, report: Report, data: bytes, done: str) -> str:
        assert self.key is not None  # noqa: S101
        slot = report.reference_slot
        sender = Sender.of(self.settings, self.node, self.key, self.service.wait)
        try:
            receipt = sender.send(self.contracts.oracle, data)
        except WouldRevertError as error:
            if read_expected(self.node, self.contracts).reported:
                return f"slot {slot}: somebody else was faster"
            raise NotSentError(f"slot {slot}: it would revert: {error}") from error
        crash_point("sent")
        return f"slot {slot}: {done} ({int(receipt['gasUsed'], 16):,} gas)"

    # --- What it shows ---

    def _show(self, report: Report) -> None:
        self.reported.set(report.reference_slot)
        for step, seconds in self.layer.timing.spent.items():
            self.spent.labels(step).set(seconds)

    def _alarm(self, text: str) -> None:
        self.alarms.labels("disagreement").inc()
        self.log.error("alarm", text=text)
