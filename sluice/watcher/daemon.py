"""``sluice watch``: computes every accepted report anew from its own nodes, shows what is false, and sounds alarms.

The leaves of a report that is not ours are asked of the members (``GET /reports/{slot}/leaves``); the first one that
differs is challenged with a proof from our own state. Where nobody gives them out, a person must demand them on chain.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import numpy as np
import structlog
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from prometheus_client import Counter, Gauge
from pydantic import Field

from sluice.beacon import proofs
from sluice.beacon.client import BeaconClient
from sluice.chain.node import HttpNode, Log, LogCursor, call, get_block
from sluice.daemon.sender import NotSentError, Sender, WouldRevertError
from sluice.daemon.service import Service
from sluice.daemon.settings import Addresses, ServiceSettings, Urls
from sluice.oracle.daemon import REPORT_TUPLE, SUBMIT
from sluice.oracle.layer import BeaconLayer, LostFiguresError, NotFinalError, Reading, WrongStateError
from sluice.oracle.report import Report
from sluice.oracle.signing import digest as digest_of
from sluice.oracle.tree import Deposit, Leaves, SumTree
from sluice.oracle.views import Contracts, find_contracts
from sluice.units import Gwei, Slot, Wei
from sluice.watcher.alarms import KINDS, Bounds, find_alarms
from sluice.watcher.docket import Docket

ACCEPTED: Final = keccak(text=f"ReportAccepted(bytes32,uint256,{REPORT_TUPLE},int256)")
SIBLING: Final = "(bytes32,uint64,uint64)"
OPENING: Final = f"(uint64,uint64,uint256,bytes32,uint64,{SIBLING}[])"
HEADER: Final = "(uint64,uint64,bytes32,bytes32,bytes32)"
DEPOSIT: Final = "(bytes,bytes32,uint64,bytes32,uint64)"
EVIDENCE: Final = f"({HEADER},bytes32,{DEPOSIT},uint64,bytes32[])"
LEAF: Final = f"challengeLeaf({REPORT_TUPLE},bytes[],{OPENING},{EVIDENCE})"
COUNT: Final = f"challengeCount({REPORT_TUPLE},bytes[])"
NO_DEPOSIT: Final = (b"", bytes(32), 0, bytes(32), 0)
NO_HEADER: Final = (0, 0, bytes(32), bytes(32), bytes(32))
LARGEST: Final = 64 << 20


class WatchSettings(ServiceSettings):
    """Of ``sluice watch``."""

    members: Urls = Field((), description="Endpoints of members, for the leaves of their reports")
    stale_hours: float = Field(30.0, gt=0, description="Without a report for so long is an alarm")
    overdue_days: float = Field(5.0, gt=0, description="A request that waits for so long is an alarm")
    price_feeds: Addresses = Field(
        (), description="Feeds of slETH's market price in ether, with Chainlink's AggregatorV3Interface"
    )
    depeg_percent: float = Field(2.0, gt=0, lt=100, description="A price so far below the rate is an alarm")
    price_hours: float = Field(25.0, gt=0, description="A price as old as this is an alarm")

    @property
    def bounds(self) -> Bounds:
        return Bounds(self.stale_hours, self.overdue_days, self.price_feeds, self.depeg_percent, self.price_hours)


@dataclass(frozen=True)
class Accepted:
    """A report as the chain took it."""

    report: Report
    signatures: list[bytes]
    """Empty where it came by votes, or from a contract that makes the call itself: a challenge does without them, and
    whoever finds them can charge the signers later.
    """


@dataclass(frozen=True)
class Finding:
    """What is false, and the call that shows it; without data a person must look."""

    what: str
    data: bytes = b""


@dataclass(frozen=True)
class Verdict:
    """What came out of judging a report; one that is not settled is judged again in the next round."""

    text: str
    is_true: bool = False
    is_settled: bool = True


class NotJudgedError(Exception):
    """Nodes do not have what the newest report was made of."""


@dataclass
class WatchDaemon:
    settings: WatchSettings
    key: LocalAccount | None
    node: HttpNode
    layer: BeaconLayer
    contracts: Contracts
    service: Service = field(init=False)
    docket: Docket = field(init=False)
    _reports: LogCursor = field(init=False)
    _events: dict[Slot, Log] = field(default_factory=dict)
    _said: str = ""

    @classmethod
    def of(cls, settings: WatchSettings, key: LocalAccount | None) -> "WatchDaemon":
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
        return cls(settings, key, nodes[0], layer, contracts)

    def __post_init__(self) -> None:
        self.log = structlog.get_logger(service="watch")
        self.service = Service("watch", self.step, pause=self.settings.poll_seconds)
        self.docket = Docket(self.settings.state_dir / "docket.json", self.contracts.oracle)
        self._reports = LogCursor(self.contracts.oracle, ACCEPTED, self.settings.first_block)
        registry = self.service.metrics
        self.alarms = Gauge("sluice_alarm", "1 while a person should look at it", ["kind"], registry=registry)
        self.judged = Counter("sluice_reports_judged", "By what came out", ["result"], registry=registry)

    # --- A round ---

    def step(self) -> str:
        """Look at everything; judge what has been accepted since, each report once."""
        words = self._sound_alarms()
        (newest,) = call(self.node, self.contracts.oracle, "lastReferenceSlot()", returns=["uint256"])
        if not newest:
            return "; ".join([*words, "there is no report yet"])
        self.docket.add(Slot(newest), self._accepted_after)
        verdicts: dict[Slot, Verdict] = {}
        troubles: dict[Slot, str] = {}
        for slot in self.docket.waiting:
            try:
                verdicts[slot] = self._judge(slot, is_newest=slot == newest)
            except NotFinalError as error:
                words.append(str(error))
            except (WrongStateError, LostFiguresError) as error:
                troubles[slot] = str(error)
        for slot, verdict in verdicts.items():
            self._said = f"slot {slot}: {verdict.text}"
            words.append(self._said)
            if verdict.is_settled:
                self.docket.settle(slot)
        if verdicts:
            self.alarms.labels("false report").set(not all(each.is_true for each in verdicts.values()))
        for slot, trouble in troubles.items():
            words.append(f"slot {slot}: NOT JUDGED: {trouble}")
            if newest in verdicts:  # the nodes work: what they do not have any more they will not have again
                self.judged.labels("unknown").inc()
                self.log.error("given up", slot=slot, why=trouble)
                self.docket.settle(slot)
        if troubles and newest not in verdicts:
            raise NotJudgedError("; ".join(words))
        if not verdicts and not self.docket.waiting and self._said:
            words.append(self._said)
        return "; ".join(words) or "every report has been judged"

    def _sound_alarms(self) -> list[str]:
        found = find_alarms(self.node, self.contracts, self.settings.bounds)
        sounding = {kind for kind, _ in found}
        for kind in KINDS:
            self.alarms.labels(kind).set(kind in sounding)
        return [f"ALARM: {words}" for _, words in found]

    def _judge(self, slot: Slot, *, is_newest: bool) -> Verdict:
        accepted = self._accepted(slot)
        reading = self.layer.read(slot)
        finding = find_lie(accepted.report, accepted.signatures, reading, self._leaves_of, self._evidence)
        if finding is None:
            finding = self._beyond_proof(slot, accepted.report)
        if finding is None:
            self.judged.labels("true").inc()
            return Verdict("true", is_true=True)
        self.judged.labels("false").inc()
        self.log.error("false report", slot=slot, what=finding.what)
        what = f"FALSE: {finding.what}"
        if not finding.data:
            return Verdict(f"{what}; it takes a person", is_settled=not is_newest)
        digest = digest_of(accepted.report, self.contracts.domain)
        if call(self.node, self.contracts.oracle, "newest()", returns=["bytes32"])[0] != digest:
            return Verdict(f"{what}; it is not, or no longer, the report that can be challenged")
        if self.key is None:
            return Verdict(f"{what}; with a key it would be challenged", is_settled=False)
        sender = Sender.of(self.settings, self.node, self.key, self.service.wait)
        try:
            receipt = sender.send(self.contracts.challenge, finding.data)
        except WouldRevertError as error:
            return Verdict(f"{what}; the challenge is refused: {error}", is_settled=False)
        return Verdict(f"{what}; challenged ({int(receipt['gasUsed'], 16):,} gas)")

    def _beyond_proof(self, slot: Slot, report: Report) -> Finding | None:
        """What cannot be shown on chain, but computed: a person must ask the committee."""
        ours = self.layer.view(slot, self.contracts.credentials)
        previous = self._reported_before(slot)
        faults = self.layer.faults(previous, slot, self.contracts.credentials)
        if report.faults != faults:
            return Finding(f"faults of {report.faults} gwei; they were {faults}")
        if report.provision < ours.provision:
            return Finding(f"a provision of {report.provision} gwei; {ours.provision} are needed")
        if report.withdrawn > ours.withdrawn:
            return Finding(f"{report.withdrawn} gwei withdrawn; {ours.withdrawn} arrived")
        return None

    def _reported_before(self, slot: Slot) -> Slot | None:
        return max((each for each in self._acceptances() if each < slot), default=None)

    def _accepted_after(self, slot: Slot) -> list[Slot]:
        return sorted(each for each in self._acceptances() if each > slot)

    # --- What is known of a report ---

    def _acceptances(self) -> dict[Slot, Log]:
        """The oracle's event of each report."""
        last = get_block(self.node).number
        for log in self._reports.read(self.node, last):
            self._events[Slot(int.from_bytes(log.topics[2], "big"))] = log
        return self._events

    def _accepted(self, slot: Slot) -> Accepted:
        log = self._acceptances().get(slot)
        if log is None:
            raise NotSentError(f"no event tells of the report of slot {slot}: does the node keep all logs?")
        values, _ = decode([REPORT_TUPLE, "int256"], log.data)
        transaction = self.node.request("eth_getTransactionByHash", log.transaction)
        return Accepted(as_report(values), signatures_in(bytes.fromhex(transaction["input"][2:]), values))

    def _leaves_of(self, report: Report) -> Leaves | None:
        """Those that the report was made of, from whichever member gives them out."""
        for url in self.settings.members:
            try:
                raw = self._fetch(f"{url}/reports/{report.reference_slot}/leaves")
                leaves = Leaves.of(
                    np.frombuffer(bytes.fromhex(raw["balances"]), "<u8"),
                    [Deposit(int(index), Gwei(int(amount))) for index, amount in raw["deposits"]],
                    [bytes.fromhex(each) for each in raw["preparations"]],
                )
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                self.log.info("no leaves", url=url, error=str(error))
                continue
            if SumTree(leaves).root == report.balances_root:
                return leaves
        return None

    def _fetch(self, url: str) -> dict[str, Any]:
        text = b""
        with httpx.stream("GET", url, timeout=60) as answer:
            answer.raise_for_status()
            for part in answer.iter_bytes():
                text += part
                if len(text) > LARGEST:
                    raise ValueError(f"more than {LARGEST} bytes")
        found: dict[str, Any] = json.loads(text)
        return found

    def _evidence(self, reading: Reading, position: int, opened: Leaves) -> tuple[Any, ...]:
        """What the beacon chain says of the leaf at ``position`` of the report."""
        tree = self.layer.tree_of(reading)
        header = proofs.header_of(tree).as_tuple()
        if position < len(opened.balances):
            balance = proofs.balance_proof(tree, reading.ours.indices[position])
            return (header, balance.balances, NO_DEPOSIT, 0, balance.branch)
        if position < len(opened.balances) + len(opened.deposits):
            index = opened.deposits[position - len(opened.balances)].index
            if index >= tree.state.count("pending_deposits"):
                count = proofs.pending_deposit_count_proof(tree)
                return (header, bytes(32), NO_DEPOSIT, count.count, count.branch)
            deposit = proofs.pending_deposit_proof(tree, index)
            return (header, bytes(32), deposit.deposit.as_tuple(), 0, deposit.branch)
        return (NO_HEADER, bytes(32), NO_DEPOSIT, 0, [])


def find_lie(
    report: Report,
    signatures: list[bytes],
    reading: Reading,
    leaves_of: Callable[[Report], Leaves | None],
    evidence: Callable[[Reading, int, Leaves], tuple[Any, ...]],
) -> Finding | None:
    """The first thing about ``report`` that ``reading`` shows to be false; None where there is none."""
    if report.beacon_root != reading.header.root:
        return Finding("another block than ours at its reference slot")
    true = reading.leaves
    if report.validators != len(true.balances):
        what = f"{report.validators} validators, {len(true.balances)} were proven"
        return Finding(what, _call(COUNT, [REPORT_TUPLE, "bytes[]"], [report.as_tuple(), signatures]))
    if report.balances_root == SumTree(true).root and report.consensus_balance == true.total:
        return None
    given = leaves_of(report)
    if given is not None and len(given.balances) != report.validators:
        return Finding("its root was made for another number of validators: demand a leaf")
    if given is None:
        return Finding("its root is not ours, and no member gives its leaves out: demand them")
    tree = SumTree(given)
    position = first_difference(given, true)
    if position is None:
        return Finding("deposits or preparations are left out")
    what = f"leaf {position} is {tree.open(position).amount / 1e9:.9f} ether"
    arguments = [report.as_tuple(), signatures, tree.open(position).as_tuple(), evidence(reading, position, given)]
    return Finding(what, _call(LEAF, [REPORT_TUPLE, "bytes[]", OPENING, EVIDENCE], arguments))


def first_difference(given: Leaves, true: Leaves) -> int | None:
    """The first leaf of ``given`` that is not true; None where all are, and some of the true ones are missing."""
    wrong = np.flatnonzero(given.balances != true.balances)
    if len(wrong):
        return int(wrong[0])
    start = len(given.balances)
    deposits = {each.index: each.amount for each in true.deposits}
    for at, each in enumerate(given.deposits, start):
        if deposits.get(each.index) != each.amount:
            return at
    start += len(given.deposits)
    return next((at for at, each in enumerate(given.preparations, start) if each not in true.preparations), None)


def signatures_in(data: bytes, report: tuple[Any, ...]) -> list[bytes]:
    """Those that ``report`` was submitted with, also where other contracts passed the call on."""
    at = data.find(SUBMIT)
    while at >= 0:
        try:
            submitted, signatures = decode([REPORT_TUPLE, "bytes[]"], data[at + 4 :])
        except (DecodingError, OverflowError):
            submitted = None
        if submitted == report:
            return list(signatures)
        at = data.find(SUBMIT, at + 1)
    return []


def as_report(values: tuple[Any, ...]) -> Report:
    slot, root, balances, validators, balance, provision, faults, withdrawn, deposited, rewards = values
    return Report(
        Slot(slot),
        root,
        balances,
        validators,
        Gwei(balance),
        Gwei(provision),
        Gwei(faults),
        Gwei(withdrawn),
        Gwei(deposited),
        Wei(rewards),
    )


def _call(signature: str, types: list[str], arguments: list[Any]) -> bytes:
    return keccak(text=signature)[:4] + encode(types, arguments)
