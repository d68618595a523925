"""``sluice watch``: computes every accepted report anew from its own nodes, challenges what is false (``lies.py``), and
sounds alarms (``alarms.py``).
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import structlog
from eth_abi.abi import decode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from prometheus_client import Counter, Gauge
from pydantic import Field

from sluice.beacon.client import BeaconClient
from sluice.chain.node import HttpNode, Log, LogCursor, Node, NodeError, NodeUnavailableError, call, get_block
from sluice.daemon.sender import NotSentError, Sender, WouldRevertError
from sluice.daemon.service import Service
from sluice.daemon.settings import Addresses, ServiceSettings, Urls
from sluice.oracle.daemon import REPORT_TUPLE
from sluice.oracle.layer import BeaconLayer, NotFinalError, Reading
from sluice.oracle.report import Report, build_report
from sluice.oracle.signing import digest as digest_of
from sluice.oracle.tree import Deposit, Leaves, SumTree
from sluice.oracle.views import Contracts, find_contracts, read_limits, read_previous, read_vault
from sluice.units import Gwei, Slot, Wei
from sluice.watcher.alarms import KINDS, Bounds, find_alarms
from sluice.watcher.docket import Docket
from sluice.watcher.lies import Lie, StateProver, find_lie, signatures_in
from sluice.web import Body, new_client, shown

ACCEPTED: Final = keccak(text=f"ReportAccepted(bytes32,uint256,{REPORT_TUPLE},int256)")
SIGNER_OF: Final = "signerOf(bytes32,bytes)"
NOBODY: Final[LocalAccount] = Account.from_key(b"\x01" * 32)
"""Who tries a call where there is no key."""
LARGEST: Final = 64 << 20
DEADLINE: Final = 60.0
"""Bytes and seconds, of a member's answer."""
BY_THE_RULE: Final = {"faults": "gwei", "provision": "gwei", "withdrawn": "gwei", "deposited": "gwei", "rewards": "wei"}
"""Fields of a report that no proof shows to be false, and their units."""
MOST_TRIES: Final = 5
"""To judge a report that is not the newest, while the newest can be judged."""


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
class Verdict:
    """What came out of judging a report; one that is not settled is judged again in the next round."""

    text: str
    is_true: bool = False
    is_settled: bool = True


@dataclass(frozen=True)
class NodeAt:
    """A node as it was at a block: nothing newer is seen."""

    node: Node
    block: int

    def request(self, method: str, *params: Any) -> Any:  # noqa: ANN401 - JSON
        return self.node.request(method, *self._then(params))

    def batch(self, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        return self.node.batch([tuple(self._then(each)) for each in calls])

    def _then(self, words: Sequence[Any]) -> Iterator[Any]:
        return (hex(self.block) if each == "latest" else each for each in words)


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
    now: Callable[[], float] = time.time
    docket: Docket = field(init=False)
    _reports: LogCursor = field(init=False)

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
        """Judge what has been accepted since, each report once; look at everything else."""
        try:
            said = self._judge_all()
        finally:  # neither keeps the other from being told
            alarms = self._sound_alarms()
        return "; ".join([*alarms, *said])

    def _judge_all(self) -> list[str]:
        """The oldest first: what was read for it the next one needs."""
        (newest,) = call(self.node, self.contracts.oracle, "lastReferenceSlot()", returns=["uint256"])
        (digest,) = call(self.node, self.contracts.oracle, "newest()", returns=["bytes32"])
        if not newest:
            return ["there is no report yet"]
        self.docket.add(Slot(newest), digest.hex(), self._accepted_after)
        verdicts: dict[Slot, Verdict] = {}
        troubles: dict[Slot, str] = {}
        words: list[str] = []
        for slot in self.docket.waiting:
            try:
                verdicts[slot] = self._judge(slot, is_newest=slot == newest)
            except NotFinalError as error:
                words.append(str(error))
            except Exception as error:  # noqa: BLE001 - one that cannot be judged does not keep the others from it
                troubles[slot] = f"{type(error).__name__}: {error}"
        for slot, verdict in verdicts.items():
            words.append(f"slot {slot}: {verdict.text}")
            if verdict.is_settled:
                self.docket.settle(slot, words[-1], is_true=verdict.is_true)
        for slot, trouble in troubles.items():
            words.append(f"slot {slot}: NOT JUDGED: {trouble}")
            if slot != newest and newest in verdicts and self.docket.fails(slot) > MOST_TRIES:
                self.judged.labels("unknown").inc()
                self.log.error("given up", slot=slot, why=trouble)
                self.docket.settle(slot, words[-1], is_true=self.docket.was_true)
        was_true = all(each.is_true for each in verdicts.values()) if verdicts else self.docket.was_true
        self.alarms.labels("false report").set(not was_true)
        self.alarms.labels("not judged").set(bool(troubles))
        if newest in troubles:
            raise NotJudgedError("; ".join(words))
        return words or [self.docket.said or "every report has been judged"]

    def _sound_alarms(self) -> list[str]:
        found = find_alarms(self.node, self.contracts, self.settings.bounds, self.now())
        sounding = {kind for kind, _ in found}
        for kind in KINDS:
            self.alarms.labels(kind).set(kind in sounding)
        return [f"ALARM: {words}" for _, words in found]

    def _judge(self, slot: Slot, *, is_newest: bool) -> Verdict:
        accepted = self._accepted(slot)
        reading = self.layer.read(slot)
        lie = find_lie(accepted.report, reading, self._leaves_of, lambda: self._prover(reading))
        if lie is None:
            lie = self._beyond_proof(slot, accepted.report)
        if lie is None:
            self.judged.labels("true").inc()
            return Verdict("true", is_true=True)
        self.judged.labels("false").inc()
        self.alarms.labels("false report").set(1)  # whatever comes of a challenge
        self.log.error("false report", slot=slot, what=lie.what)
        what = f"FALSE: {lie.what}"
        if not lie.name:
            return Verdict(f"{what}; it takes a person", is_settled=not is_newest)
        digest = digest_of(accepted.report, self.contracts.domain)
        if call(self.node, self.contracts.oracle, "newest()", returns=["bytes32"])[0] != digest:
            return Verdict(f"{what}; it is not, or no longer, the report that can be challenged")
        if call(self.node, self.contracts.oracle, "halted()", returns=["bool"])[0]:
            return Verdict(f"{what}; it was challenged: the oracle is halted")
        try:
            return self._challenge(what, lie, accepted, digest)
        except (NotSentError, NodeError, NodeUnavailableError) as error:
            return Verdict(f"{what}; NOT CHALLENGED: {error}", is_settled=False)

    def _challenge(self, what: str, lie: Lie, accepted: Accepted, digest: bytes) -> Verdict:
        """With all signatures that answer for it; without any where the chain does not take them: others can follow."""
        refused: Exception | None = None
        for signatures in dict.fromkeys((self._answering(digest, accepted.signatures), ())):
            try:
                said = self._send(lie.call(accepted.report, signatures))
            except WouldRevertError as error:
                refused = error
                continue
            # judged once more in the next round: a block can be replaced
            return Verdict(f"{what}; {said}", is_settled=False)
        return Verdict(f"{what}; the challenge is refused: {refused}", is_settled=False)

    def _send(self, data: bytes) -> str:
        """Without a key it is only tried."""
        key = self.key or NOBODY
        sender = Sender.of(self.settings, self.node, key, self.service.wait)
        if self.key is None:
            sender.try_call(self.contracts.challenge, data)
            return "with a key it would be challenged"
        receipt = sender.send(self.contracts.challenge, data)
        return f"challenged ({int(receipt['gasUsed'], 16):,} gas)"

    def _answering(self, digest: bytes, signatures: Sequence[bytes]) -> tuple[bytes, ...]:
        """Of members, one each: whoever submits a lie can put anything beside what counts."""
        by_member: dict[str, bytes] = {}
        for signature in signatures:
            try:
                (member,) = call(self.node, self.contracts.oracle, SIGNER_OF, [digest, signature], ["address"])
            except NodeError:
                continue  # no signature at all
            if int(member, 16):
                by_member.setdefault(member, signature)
        return tuple(by_member.values())

    def _prover(self, reading: Reading) -> StateProver:
        return StateProver(self.layer.tree_of(reading), reading)

    def _beyond_proof(self, slot: Slot, report: Report) -> Lie | None:
        """What cannot be shown on chain, but computed: a person must ask the committee. The rule of all members
        says, too, how much of a gain at its limit is held back.
        """
        stamp = self.layer.read(slot).stamp
        ours = self.layer.view(slot, self.contracts.credentials)
        previous = read_previous(self.node, self.contracts, stamp.block)
        faults = self.layer.faults(previous, slot, self.contracts.credentials)
        vault = read_vault(NodeAt(self.node, stamp.block), self.contracts, stamp)
        # governance may have changed the limits since: either could be those it was signed under
        blocks = (stamp.block, self._acceptances()[slot].block - 1)
        limits = [read_limits(self.node, self.contracts, block) for block in blocks]
        for true in (build_report(ours, vault, each, faults) for each in limits):
            if report == true:
                return None
        told = [
            f"{name} of {getattr(report, name)} {unit}; by our nodes {getattr(true, name)}"
            for name, unit in BY_THE_RULE.items()
            if getattr(report, name) != getattr(true, name)
        ]
        return Lie(", ".join(told))

    def _accepted_after(self, slot: Slot) -> list[Slot]:
        return sorted(each for each in self._acceptances() if each > slot)

    # --- What is known of a report ---

    def _acceptances(self) -> dict[Slot, Log]:
        """The oracle's event of each report."""
        logs = self._reports.read(self.node, get_block(self.node).number)
        return {Slot(int.from_bytes(log.topics[2], "big")): log for log in logs}

    def _accepted(self, slot: Slot) -> Accepted:
        log = self._acceptances().get(slot)
        if log is None:
            raise NotSentError(f"no event tells of the report of slot {slot}: does the node keep all logs?")
        values, _ = decode([REPORT_TUPLE, "int256"], log.data)
        transaction = self.node.request("eth_getTransactionByHash", log.transaction) or {"input": "0x"}
        return Accepted(as_report(values), signatures_in(bytes.fromhex(transaction["input"][2:]), values))

    def _leaves_of(self, report: Report) -> Leaves | None:
        """Those that the report was made of, from whichever member gives them out."""
        for url in self.settings.members:
            try:
                raw = self._fetch(f"{url}/reports/{report.reference_slot}/leaves")
                leaves = Leaves(  # in the order given: a false one is a lie of its own
                    np.frombuffer(bytes.fromhex(raw["balances"]), "<u8"),
                    tuple(Deposit(int(index), Gwei(int(amount))) for index, amount in raw["deposits"]),
                    tuple(bytes.fromhex(each) for each in raw["preparations"]),
                )
                if SumTree(leaves).root == report.balances_root:
                    return leaves
            except Exception as error:  # noqa: BLE001 - whatever a liar sends, the next one is asked
                self.log.info("no leaves", url=shown(url), error=f"{type(error).__name__}: {error}")
        return None

    def _fetch(self, url: str) -> dict[str, Any]:
        end = time.monotonic() + DEADLINE
        with new_client(timeout=10) as client, client.stream("GET", url) as answer:
            if not answer.is_success:
                raise ValueError(f"status {answer.status_code}")
            text = b"".join(Body(answer, LARGEST, end).blocks())
        found: dict[str, Any] = json.loads(text)
        return found


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
