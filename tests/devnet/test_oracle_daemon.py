"""The oracle's members as they run: real processes and real endpoints around a real beacon node."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from structlog.testing import capture_logs

from sluice.beacon.client import BeaconClient
from sluice.chain.node import HttpNode, get_block, get_logs
from sluice.demo.live import connected
from sluice.oracle import daemon as oracle_daemon
from sluice.oracle import exchange
from sluice.oracle.daemon import CRASH, Journal, OracleDaemon, OracleSettings, TwoReportsError
from sluice.oracle.exchange import GETS_A_MINUTE, LARGEST, LEAVES_A_MINUTE, POSTS_A_MINUTE, Message, Peers
from sluice.oracle.layer import BeaconLayer, LostFiguresError, NotFinalError
from sluice.oracle.registry import DisagreementError
from sluice.oracle.report import Report
from sluice.oracle.signing import digest, sign
from sluice.oracle.tree import Leaves, SumTree
from sluice.oracle.views import NothingToReportError
from sluice.units import Gwei, Slot
from tests.devnet.altered import Change, altered
from tests.devnet.protocol import DAY, FRAME, GAS, SLOT, WEI, Protocol, account
from tests.devnet.staking import look, until
from tests.devnet.world import World, open_world

PASSWORD = "correct horse"
WRONG = {"index": 3, "gwei": -5}
STEPS = ["built", "in the journal", "signed", "published", "before submission", "sent"]
WAITING = "while its vote waits for a block"
VOTE_STEPS = ["published", WAITING, "sent"]
VOTED = keccak(text="Voted(address,bytes32,uint256)")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(Path(tmp_path_factory.mktemp("protocol"))) as opened:
        operator = opened.operator()
        opened.validator(operator, "daemon", 63)
        yield opened


@pytest.fixture(autouse=True)
def conserved(world: World) -> Iterator[None]:
    yield
    for node in (0, 1):
        world.devnet.set_faults(node)
    world.books.check()


def settings_for(world: World, folder: Path, **more: Any) -> OracleSettings:
    protocol, devnet = world.protocol, world.devnet
    return OracleSettings(
        oracle=protocol.contracts.oracle,
        first_block=protocol.first,
        state_dir=folder,
        **(
            {
                "execution_urls": (devnet.execution_url,),
                "beacon_urls": tuple(devnet.beacon_urls),
                "takeover_seconds": 0.01,
                "receipt_seconds": 20.0,
                "vote_after": 0.999,
            }
            | more
        ),
    )


def member(world: World, folder: Path, index: int, **more: Any) -> OracleDaemon:
    return OracleDaemon.of(settings_for(world, folder / str(index), **more), account(19 + index))


@contextmanager
def committee(world: World, folder: Path, indices: list[int], **more: Any) -> Iterator[list[OracleDaemon]]:
    """In this process, each with endpoints of its own; all know all."""
    made = [member(world, folder, index, **more) for index in indices]
    with connected(made):
        yield made


def reported(world: World) -> bool:
    return bool(world.protocol.view("ReportOracle", "expected")[3])


def rounds(world: World, members: list[OracleDaemon], count: int = 2) -> list[str]:
    with world.devnet.mining():
        return [each.step() for _ in range(count) for each in members]


# --- The committee ---


def test_nine_members_make_one_report(world: World, tmp_path: Path) -> None:
    world.protocol.next_frame()
    with committee(world, tmp_path, list(range(9))) as members:
        said = rounds(world, members)
    assert reported(world)
    assert sum("submitted" in each for each in said) == 1, said
    journals = {(tmp_path / str(index) / "signed.json").read_text() for index in range(9)}
    assert len(journals) == 1, "all have signed the same"


def test_four_of_nine_silent(world: World, tmp_path: Path) -> None:
    world.protocol.next_frame()
    with committee(world, tmp_path, [0, 2, 4, 6, 8]) as members:
        said = rounds(world, members)
    assert reported(world), said


def test_five_of_nine_silent_and_votes_do_not_help(world: World, tmp_path: Path) -> None:
    world.protocol.next_frame()
    with committee(world, tmp_path, [1, 3, 5, 7], vote_after=0.001) as members:
        said = rounds(world, members, 3)
        assert not reported(world)
        assert sum("voted (" in each for each in said) == 4, said
        assert said[-1].endswith("voted; others have not yet")


def test_members_who_cannot_reach_each_other_vote(world: World, tmp_path: Path) -> None:
    world.protocol.next_frame()
    members = [member(world, tmp_path, index, vote_after=0.001) for index in range(5)]
    said = rounds(world, members, 1)
    assert reported(world), said


def test_reference_slot_that_is_reorganised_away_is_reported_as_it_became_final(world: World, tmp_path: Path) -> None:
    devnet = world.devnet
    reference = (devnet.status().slot // FRAME + 1) * FRAME
    devnet.advance_to(reference)
    with committee(world, tmp_path, [0, 1, 2, 3, 4]) as members:
        assert "is not final yet" in rounds(world, members, 1)[0]
        before = devnet.beacon.header("head")
        devnet.reorg(2)
        devnet.finalize(reference)
        said = rounds(world, members)
    assert reported(world), said
    reading = members[0].layer.read(Slot(reference))
    assert (reading.stamp.slot, before.slot - reading.header.slot) == (reference, 2)


def test_committee_that_starts_late_after_silent_frames_reports_all_at_once(world: World, tmp_path: Path) -> None:
    """Its members know nothing of before, and two fifths of the frame are over."""
    devnet, protocol = world.devnet, world.protocol
    before = int(protocol.view("StakingVault", "referenceTime"))
    reference = (devnet.status().slot // FRAME + 4) * FRAME
    devnet.advance_to(reference + 2 * FRAME // 5)
    with committee(world, tmp_path, [4, 5, 6, 7, 8]) as members:
        said = rounds(world, members)
    assert reported(world), said
    now = int(protocol.view("StakingVault", "referenceTime"))
    assert now == devnet.time_of(reference) >= before + 4 * FRAME * devnet.settings.seconds_per_slot


def test_next_in_line_submits_when_the_leader_is_away(world: World, tmp_path: Path) -> None:
    reference = world.protocol.next_frame()
    frame = world.protocol.contracts.frame_slots
    leader = reference // frame % 9
    away = {leader, (leader + 2) % 9, (leader + 4) % 9, (leader + 6) % 9}
    there = [index for index in range(9) if index not in away]
    with committee(world, tmp_path, there, takeover_seconds=100.0) as members:
        clock = [0.0]
        for each in members:
            each.now = lambda: clock[0]
        said = rounds(world, members)
        assert not reported(world), said
        clock[0] = 99.0
        assert not any("submitted" in each for each in rounds(world, members, 1))
        clock[0] = 101.0
        said = rounds(world, members, 1)
        assert [("submitted" in each) for each in said].index(True) == there.index((leader + 1) % 9)
    assert sum("submitted" in each for each in said) == 1, said
    assert reported(world)


def test_report_takes_as_many_requests_whatever_number_of_validators_it_is_over(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the execution node, from a report to its signature. For the events of ten thousand see test_registry.py."""
    counts: list[int] = []
    post = HttpNode._post

    def counting(node: HttpNode, body: object) -> Any:
        counts[-1] += 1
        return post(node, body)

    operator = world.operator()
    validators: list[int] = []
    for name in ("few", "more"):
        world.validator(operator, f"{name} requests")
        reference = world.protocol.next_frame()
        daemon = member(world, tmp_path / name, 0)
        counts.append(0)
        with monkeypatch.context() as patch:
            patch.setattr(HttpNode, "_post", counting)
            assert daemon.step().endswith(": 1 of 5 signatures")
        validators.append(len(daemon.layer.read(Slot(reference)).ours.pubkeys))
    assert validators[0] + 1 == validators[1]
    assert counts[0] == counts[1] < 32


def test_slot_that_is_too_young_is_waited_for_without_an_alarm(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.protocol.next_frame()
    daemon = member(world, tmp_path, 0)
    prepared = daemon._prepare()
    age = get_block(world.devnet.node).timestamp - prepared.stamp.time
    older = replace(prepared.limits, min_age=age + 7)
    monkeypatch.setattr("sluice.oracle.views.read_limits", lambda *_: older)
    assert daemon.step() == f"slot {prepared.report.reference_slot}: old enough in 7 s"
    assert daemon.service.metrics.get_sample_value("sluice_alarms_total", {"kind": "outside limits"}) is None
    assert not (tmp_path / "0" / "signed.json").exists()


def test_report_outside_the_limits_is_made_once_it_is_released(world: World, tmp_path: Path) -> None:
    """The steps of docs/runbooks/outside-limits.md, for a validator where none may be new."""
    protocol, devnet, governor = world.protocol, world.devnet, world.protocol.governor
    names = ("yearlyGain", "loss", "validatorsPerDay", "minAge", "maxAge", "gainAllowance")
    limits = dict(zip(names, protocol.view("ReportLimits", "limits"), strict=True))
    strict = limits | {"validatorsPerDay": 0}
    for each in (strict, limits):
        protocol.schedule(governor, "ReportLimits", "setLimits", each)
    devnet.advance(2 * DAY // SLOT + 1)
    protocol.report()
    protocol.send(governor, "ReportLimits", "setLimits", strict)
    world.validator(world.operator(), "outside the limits", 0)
    slot = protocol.next_frame()
    report = protocol.prepared().report
    digest = bytes(protocol.view("ReportOracle", "digest", protocol.struct(report)))
    refused = f"slot {slot}: it would be refused: ValidatorChangeAboveLimit(1, 0); 0x{digest.hex()} is not released"
    with committee(world, tmp_path, [0, 1, 2, 3, 4]) as members:
        with capture_logs() as logs:
            assert rounds(world, members) == [refused] * 10
        told = [each for each in logs if each["event"] == "outside the limits"]
        assert len(told) == 5, "each tells the figures once"
        assert told[0]["digest"] == "0x" + digest.hex()
        assert report.as_json().items() <= told[0].items()
        assert members[0].service.metrics.get_sample_value("sluice_alarms_total", {"kind": "outside limits"}) == 2
        assert not (tmp_path / "0" / "signed.json").exists()
        assert OracleDaemon.of(settings_for(world, tmp_path / "dry"), None).step() == refused, "without a key, too"
        protocol.schedule(governor, "ReportLimits", "release", digest)
        devnet.advance(2 * 3_600 // SLOT + 1)
        assert rounds(world, members, 1) == [refused] * 5
        protocol.send(governor, "ReportLimits", "release", digest)
        said = rounds(world, members)
    assert reported(world), said
    assert bytes(protocol.view("ReportOracle", "newest")) == digest
    protocol.send(governor, "ReportLimits", "setLimits", limits)


class Hostile(BaseHTTPRequestHandler):
    """A peer that answers whatever its server was given."""

    def do_GET(self) -> None:
        body = self.server.body  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        for part in body if isinstance(body, list) else [body]:
            if part == b"":
                time.sleep(30)
            self.wfile.write(part)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hostile(body: Any) -> Iterator[str]:
    """The address of one; a list is sent part by part, an empty part is a long wait."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    server.body = body  # type: ignore[attr-defined]
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"[Infinity]",
        b'[{"report": {"reference_slot": Infinity}, "signature": "0x"}]',
        b"{",
        [b"[", b""],
    ],
    ids=["deep", "infinity", "infinite slot", "no json", "never ends"],
)
def test_hostile_peer_keeps_nobody_from_reporting(
    world: World, tmp_path: Path, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "DEADLINE", 1.0)
    world.protocol.next_frame()
    with hostile(body) as url, committee(world, tmp_path, [0, 1, 2, 3, 4]) as members:
        for each in members:
            each.peers = Peers([url, *each.peers.urls])
        said = rounds(world, members)
    assert reported(world), said


# --- What others send ---


@pytest.fixture
def one(world: World, tmp_path: Path) -> Iterator[tuple[OracleDaemon, str]]:
    world.protocol.next_frame()
    with committee(world, tmp_path, [0]) as (daemon,):
        daemon.step()
        yield daemon, f"http://127.0.0.1:{daemon.service.port}"


def message_of(protocol: Protocol, index: int, **changes: Any) -> dict[str, Any]:
    report = replace(protocol.prepared().report, **changes)
    key = account(19 + index)
    return Message(report, sign(report, protocol.contracts.domain, key).signature).as_json()


def test_what_is_no_signature_of_a_member_is_refused(world: World, one: tuple[OracleDaemon, str]) -> None:
    protocol, (daemon, url) = world.protocol, one
    good = message_of(protocol, 1)
    slot = int(good["report"]["reference_slot"])
    for body, code, words in (
        (b"{", 400, "no JSON"),
        (b"[]", 400, "not a signed report"),
        (b"[" * 10_000, 400, "no JSON"),
        (b'{"report": {"reference_slot": Infinity}, "signature": ""}', 400, "not a signed report"),
        (json.dumps({"report": {}, "signature": "0x"}).encode(), 400, "not a signed report"),
        (json.dumps(good | {"signature": "0x" + 65 * "11"}).encode(), 400, "v is 17"),
        (json.dumps(good | {"signature": "0x" + 64 * "00" + "1b"}).encode(), 400, "recovers to nobody"),
        (b" " * (LARGEST + 1), 413, "more than"),
        (json.dumps(message_of(protocol, 1, reference_slot=slot - 72)).encode(), 409, "not the expected one"),
        (json.dumps(stray(protocol)).encode(), 403, "no member"),
    ):
        answer = httpx.post(f"{url}/signatures", content=body)
        assert (answer.status_code, words in answer.text) == (code, True), answer.text
    assert len(daemon.book.messages(Slot(slot))) == 1
    # signed over one report, sent with another: it recovers to somebody who is no member
    moved = good | {"report": good["report"] | {"consensus_balance": "1"}}
    assert httpx.post(f"{url}/signatures", json=moved).status_code == 403
    assert httpx.post(f"{url}/signatures", json=good).json() == {"signer": account(20).address}
    assert len(httpx.get(f"{url}/signatures/{slot}").json()) == 2


def stray(protocol: Protocol) -> dict[str, Any]:
    report = protocol.prepared().report
    return Message(report, sign(report, protocol.contracts.domain, account(9)).signature).as_json()


def test_second_report_of_a_member_is_an_alarm(world: World, one: tuple[OracleDaemon, str]) -> None:
    protocol, (daemon, url) = world.protocol, one
    assert httpx.post(f"{url}/signatures", json=message_of(protocol, 1, faults=Gwei(5))).is_success
    answer = httpx.post(f"{url}/signatures", json=message_of(protocol, 1))
    assert answer.status_code == 409
    assert "another report" in answer.text
    daemon.step()
    text = httpx.get(f"{url}/metrics").text
    assert 'sluice_alarms_total{kind="disagreement"} 2.0' in text
    assert "sluice_signatures 1.0" in text


def test_flood_is_cut_off(one: tuple[OracleDaemon, str]) -> None:
    _, url = one
    with httpx.Client() as client:
        codes = [client.post(f"{url}/signatures", content=b"x").status_code for _ in range(POSTS_A_MINUTE + 5)]
        assert codes[:10] == [400] * 10
        assert codes[-1] == 429
        for path, most, code in (("signatures/1", GETS_A_MINUTE, 200), ("reports/1/leaves", LEAVES_A_MINUTE, 404)):
            codes = [client.get(f"{url}/{path}").status_code for _ in range(most + 1)]
            assert codes == [code] * most + [429]
        assert client.get(f"{url}/health").status_code == 200


def test_leaves_can_be_had_by_whoever_wants_to_check(world: World, one: tuple[OracleDaemon, str]) -> None:
    _, url = one
    report = world.protocol.prepared().report
    raw = httpx.get(f"{url}/reports/{report.reference_slot}/leaves").json()
    balances = np.frombuffer(bytes.fromhex(raw["balances"]), "<u8")
    leaves = Leaves.of(balances, [], [bytes.fromhex(each) for each in raw["preparations"]])
    assert raw["deposits"] == []
    assert SumTree(leaves).root == report.balances_root
    assert httpx.get(f"{url}/reports/1/leaves").status_code == 404


# --- Nodes that fail ---


@pytest.fixture
def right(world: World) -> Report:
    """That of the frame that runs. Nobody submits it here, so one frame serves many tests."""
    try:
        return world.protocol.prepared().report
    except (NotFinalError, NothingToReportError):
        world.protocol.next_frame()
        return world.protocol.prepared().report


def signed(folder: Path) -> dict[str, str]:
    """By the first member."""
    journal = folder / "0" / "signed.json"
    return dict(json.loads(journal.read_text())) if journal.exists() else {}


def entry(world: World, report: Report) -> dict[str, str]:
    return {str(report.reference_slot): digest(report, world.protocol.contracts.domain).hex()}


@pytest.mark.usefixtures("right")
def test_round_in_which_all_beacon_nodes_fail_signs_nothing(world: World, tmp_path: Path) -> None:
    daemon = member(world, tmp_path, 0)
    for faults in ({"unavailable": True}, {"wrong_balance": WRONG}, {"corrupt": True}, {"truncate": True}):
        for node in (0, 1):
            world.devnet.set_faults(node, **faults)
        assert daemon.service.run(once=True) is False, faults
        assert signed(tmp_path) == {}


@pytest.mark.parametrize(
    ("fault", "good", "words"),
    [
        ("stall", False, "no answer in time"),
        ("unavailable", False, "503: devnet fault"),
        ("lag", True, "is not final yet"),
        ("prune", True, "1 of 5 signatures"),
        ("disagree", False, "DisagreementError: beacon nodes have different blocks at slot"),
        ("wrong_balance", True, "1 of 5 signatures"),
    ],
)
def test_D9_one_of_two_beacon_nodes_at_fault_leads_to_the_right_report_or_none(
    world: World, tmp_path: Path, right: Report, monkeypatch: pytest.MonkeyPatch, fault: str, good: bool, words: str
) -> None:
    """The one that is asked first. A wrong state of it is refused, that of the other taken. When it is well again, the
    service goes on.
    """
    monkeypatch.setattr(oracle_daemon, "BeaconClient", partial(BeaconClient, timeout=0.5))
    change = {"index": world.protocol.layer.read(right.reference_slot).ours.indices[0], "gwei": 5 * 10**9}
    value = {"lag": FRAME, "disagree": change, "wrong_balance": change}.get(fault, True)
    daemon = member(world, tmp_path, 0)
    world.devnet.set_faults(0, **{fault: value})
    assert daemon.service.run(once=True) is good
    assert words in daemon.service.status
    assert signed(tmp_path) == (entry(world, right) if "signatures" in words else {})
    world.devnet.set_faults(0)
    assert daemon.service.run(once=True) is True
    assert signed(tmp_path) == entry(world, right)


def test_D9_members_who_see_different_blocks_sign_the_right_report_or_none(
    world: World, tmp_path: Path, right: Report
) -> None:
    """Who sees two chains at once signs neither; those who see one report without it."""
    index = world.protocol.layer.read(right.reference_slot).ours.indices[0]
    world.devnet.set_faults(0, disagree={"index": index, "gwei": 5 * 10**9})
    honest = world.devnet.beacon_urls[1:]
    with committee(world, tmp_path, [1, 2, 3, 4, 5], beacon_urls=honest) as members:
        torn = member(world, tmp_path, 0)
        with pytest.raises(DisagreementError, match="beacon nodes have different blocks"):
            torn.step()
        said = rounds(world, members)
    assert reported(world), said
    assert bytes(world.protocol.view("ReportOracle", "newest")).hex() == entry(world, right)[str(right.reference_slot)]
    assert signed(tmp_path) == {}


def test_header_that_has_not_the_root_it_says_is_not_believed(world: World, tmp_path: Path) -> None:
    """Else one node's forged state would be signed under the root that all nodes have."""
    world.protocol.next_frame()
    true = world.protocol.prepared().report
    index = world.protocol.layer.read(true.reference_slot).ours.indices[0]
    dishonest, honest = world.devnet.beacon_urls
    world.devnet.set_faults(0, disagree={"index": index, "gwei": 5 * 10**9})
    roots = BeaconClient(honest)

    def change(path: str, _: bytes, answer: bytes) -> bytes:
        if "/headers/" not in path:
            return answer
        data = json.loads(answer)
        slot = int(data["data"]["header"]["message"]["slot"])
        data["data"]["root"] = "0x" + roots.header(slot).root.hex()
        return json.dumps(data).encode()

    with altered(dishonest, change) as liar:
        daemon = member(world, tmp_path, 0, beacon_urls=(liar, honest))
        assert daemon.service.run(once=True) is False
    assert "the header has the root" in daemon.service.status
    assert not (tmp_path / "0" / "signed.json").exists()


def test_execution_nodes_must_lead_to_the_same_report(world: World, tmp_path: Path) -> None:
    """The vault's figures go into the report, and a signature is given for good."""
    rewards = world.protocol.contracts.rewards_vault.lower()
    world.devnet.transact(world.protocol.stranger, rewards, b"", 10**18, GAS)
    world.protocol.next_frame()
    lies = [0]

    def change(_: str, body: bytes, answer: bytes) -> bytes:
        asked = json.loads(body)
        if asked["method"] != "eth_getBalance" or asked["params"][0].lower() != rewards:
            return answer
        lies[0] += 1
        return json.dumps(json.loads(answer) | {"result": hex(10**17)}).encode()

    url = world.devnet.execution_url
    with altered(url, change) as liar:
        daemon = member(world, tmp_path, 0, execution_urls=(url, liar))
        assert daemon.service.run(once=True) is False
    assert lies[0]
    assert "execution nodes lead to reports with different rewards" in daemon.service.status
    assert not (tmp_path / "0" / "signed.json").exists()


def altering(method: str, words: str, change: Callable[[Any], Any]) -> Change:
    """Lies in answers to this method about blocks by number, where ``words`` are in what is asked."""

    def alter(_: str, body: bytes, answer: bytes) -> bytes:
        asked = json.loads(body)
        if asked["method"] != method or "latest" in asked["params"] or words not in body.decode().lower():
            return answer
        found = json.loads(answer)
        return json.dumps(found | {"result": change(found["result"])}).encode()

    return alter


@pytest.mark.parametrize("what", ["block", "counters of the vault", "ether in the gateway"])
@pytest.mark.usefixtures("right")
def test_D9_execution_nodes_that_answer_differently_lead_to_no_signature(
    world: World, tmp_path: Path, what: str
) -> None:
    """At the block of the reference slot, of which all must have the same."""
    counters, gateway = keccak(text="consensus()")[:4].hex(), world.protocol.contracts.gateway.lower()
    lie = {
        "block": altering("eth_getBlockByNumber", "", lambda block: block | {"hash": "0x" + 64 * "1"}),
        "counters of the vault": altering("eth_call", counters, lambda words: f"0x{int(words, 16) + 2**256:0256x}"),
        "ether in the gateway": altering("eth_getBalance", gateway, lambda wei: hex(int(wei, 16) + 10**9)),
    }[what]
    url = world.devnet.execution_url
    with altered(url, lie) as liar:
        daemon = member(world, tmp_path, 0, execution_urls=(url, liar))
        assert daemon.service.run(once=True) is False
    assert "DisagreementError: execution nodes answer differently" in daemon.service.status
    assert signed(tmp_path) == {}


@pytest.mark.parametrize("change", [{"hash": "0x" + 64 * "1"}, {"timestamp": "0x1"}], ids=["hash", "time"])
@pytest.mark.usefixtures("right")
def test_D9_block_that_the_beacon_state_does_not_name_is_refused(
    world: World, tmp_path: Path, change: dict[str, str]
) -> None:
    """An execution node alone, on another branch: there is none to differ from."""
    with altered(world.devnet.execution_url, altering("eth_getBlockByNumber", "", lambda b: b | change)) as liar:
        daemon = member(world, tmp_path, 0, execution_urls=(liar,))
        assert daemon.service.run(once=True) is False
    assert "DisagreementError: the beacon state of slot" in daemon.service.status
    assert signed(tmp_path) == {}


# --- A slashing ---


def test_F1_report_of_a_slashing_waits_for_its_proof(world: World, tmp_path: Path) -> None:
    """Without the proof no bond is asked, and holders would bear what is counted now."""
    protocol, devnet = world.protocol, world.devnet
    key = world.validator(world.operator(40 * WEI), "waits for its proof")
    protocol.report()
    index = look(devnet, key).index
    devnet.slash([index])
    devnet.advance_block()
    until(devnet, lambda: look(devnet, key).validator.slashed)
    protocol.next_frame()
    daemon = member(world, tmp_path, 0)
    assert daemon.step().endswith(f"waits for the proof that validator {index} was slashed")
    assert not (tmp_path / "0" / "signed.json").exists()
    assert "1 of 5 signatures" in member(world, tmp_path, 1, proof_wait=0.0).step(), "it does not wait for ever"
    protocol.send(protocol.stranger, "ValidatorManager", "proveSlashed", protocol.proof(key))
    assert "1 of 5 signatures" in daemon.step()


# --- What is kept for the next report ---


def test_figures_of_the_newest_report_are_kept_until_there_is_another(world: World, tmp_path: Path) -> None:
    """However many frames pass without one: its state is gone from most nodes then."""
    protocol = world.protocol
    before = protocol.report().report.reference_slot
    layer = layer_of(world, tmp_path)
    layer.read(before)
    for _ in range(9):
        slot = Slot(protocol.next_frame())
        layer.read(slot)
    kept = {int(path.stem[5:]) for path in tmp_path.glob("slot-*.json")}
    assert before in kept
    assert layer.faults(before, slot, b"") == 0
    assert layer.faults(slot, slot, b"") == 0
    assert {int(path.stem[5:]) for path in tmp_path.glob("slot-*.json")} == {slot}


@pytest.mark.parametrize("change", [{"version": 1}, {"root": "00" * 32}, {"slashed": {"0": {}}}, None])
def test_figures_of_another_chain_or_version_are_read_anew(
    world: World, tmp_path: Path, change: dict[str, Any] | None
) -> None:
    protocol = world.protocol
    before = protocol.report().report.reference_slot
    layer_of(world, tmp_path).read(before)
    slot = Slot(protocol.next_frame())
    (file,) = tmp_path.glob("slot-*.json")
    text = file.read_text()
    spoilt = json.loads(text) | {"block": 0, "slashed": {}}
    file.write_text(json.dumps(spoilt | change) if change else text[:9])
    assert layer_of(world, tmp_path).faults(before, slot, b"") == 0
    assert file.read_text() == text


def test_figures_that_nobody_has_any_more_are_asked_for_by_name(world: World, tmp_path: Path) -> None:
    protocol = world.protocol
    before = protocol.report().report.reference_slot
    slot = Slot(protocol.next_frame())
    layer = layer_of(world, tmp_path)
    layer.read(slot)
    for node in (0, 1):
        world.devnet.set_faults(node, prune=True)
    with pytest.raises(LostFiguresError, match=rf"slot {before} are not in .*keeps old states in beacon_urls"):
        layer.faults(before, slot, b"")


def layer_of(world: World, folder: Path) -> BeaconLayer:
    contracts = world.protocol.contracts
    return BeaconLayer(
        [BeaconClient(url) for url in world.devnet.beacon_urls],
        [world.devnet.node],
        vault=contracts.vault,
        gateway=contracts.gateway,
        manager=contracts.manager,
        first_block=world.protocol.first,
        folder=folder,
    )


# --- Processes ---


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("key")
    key, password = folder / "key.json", folder / "password"
    key.write_text(json.dumps(Account.encrypt(account(19).key, PASSWORD, kdf="pbkdf2", iterations=1000)))
    password.write_text(PASSWORD + "\n")
    return key, password


def process(world: World, folder: Path, keystore: tuple[Path, Path], *words: str, **env: str) -> subprocess.Popen[str]:
    config = folder / "oracle.yaml"
    folder.mkdir(exist_ok=True)
    config.write_text(
        json.dumps(
            {
                "execution_urls": [world.devnet.execution_url],
                "beacon_urls": list(world.devnet.beacon_urls),
                "oracle": world.protocol.contracts.oracle,
                "first_block": world.protocol.first,
                "state_dir": str(folder / "state"),
                "takeover_seconds": 0,
                "poll_seconds": 0.3,
                "receipt_seconds": 20.0,
                "vote_after": 0.999,
            }
        )
    )
    key, password = keystore
    given = {"SLUICE_KEY_FILE": str(key), "SLUICE_PASSWORD_FILE": str(password)} | env
    return subprocess.Popen(
        [sys.executable, "-m", "sluice.cli", "oracle", "run", "--config", str(config), *words],
        env=os.environ | given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("step", STEPS)
def test_killed_anywhere_it_signs_one_report_and_goes_on(
    world: World, tmp_path: Path, keystore: tuple[Path, Path], step: str
) -> None:
    """kill -9 at every step, then a new process: one report, one digest in the journal."""
    world.protocol.next_frame()
    with committee(world, tmp_path / "others", [1, 2, 3, 4], takeover_seconds=1e6) as others:
        rounds(world, others)
        urls = ",".join(f"http://127.0.0.1:{each.service.port}" for each in others)
        with world.devnet.mining():
            first = process(world, tmp_path / "mine", keystore, "--once", SLUICE_PEERS=urls, **{CRASH: step})
            output, _ = first.communicate(timeout=60)
            assert first.returncode == -signal.SIGKILL, output
            for _ in range(3):
                again = process(world, tmp_path / "mine", keystore, "--once", SLUICE_PEERS=urls)
                output, _ = again.communicate(timeout=60)
                assert again.returncode == 0, output
                if reported(world):
                    break
    assert reported(world), output
    slot = world.protocol.view("ReportOracle", "expected")[0]
    journal = json.loads((tmp_path / "mine" / "state" / "signed.json").read_text())
    newest = bytes(world.protocol.view("ReportOracle", "newest"))
    assert journal == {str(slot): newest.hex()}


def votes(world: World) -> int:
    """Of the member whose process is killed, so far."""
    node, protocol = world.devnet.node, world.protocol
    who = bytes.fromhex(account(10).address[2:])
    logs = get_logs(node, protocol.contracts.oracle, [VOTED], protocol.first, get_block(node).number)
    return sum(log.topics[1][12:] == who for log in logs)


@pytest.mark.parametrize("step", VOTE_STEPS)
def test_killed_around_its_vote_it_votes_once_and_goes_on(
    world: World, tmp_path: Path, keystore: tuple[Path, Path], step: str
) -> None:
    """kill -9 where members reach nobody: a new process votes where that is missing, the fifth vote is the report."""
    protocol, devnet = world.protocol, world.devnet
    protocol.next_frame()
    *before, last = [member(world, tmp_path / "others", index, vote_after=0.001) for index in (1, 2, 3, 4)]
    rounds(world, before, 1)
    env = {"SLUICE_VOTE_AFTER": "0.001"}
    voted = votes(world)
    first = process(world, tmp_path / "mine", keystore, "--once", **env | {CRASH: step})
    if step == WAITING:
        while not devnet.waiting:
            assert first.poll() is None
            time.sleep(0.01)
        first.kill()
    with devnet.mining():
        output, _ = first.communicate(timeout=60)
        assert first.returncode == -signal.SIGKILL, output
        assert step == WAITING or votes(world) - voted == (step == "sent")
        for _ in range(2):
            again = process(world, tmp_path / "mine", keystore, "--once", **env)
            output, _ = again.communicate(timeout=60)
            assert again.returncode == 0, output
            if "voted; others have not yet" in output:
                break
    assert "voted; others have not yet" in output
    assert votes(world) == voted + 1
    assert not reported(world)
    rounds(world, [last], 1)
    assert reported(world)
    slot, newest = protocol.view("ReportOracle", "expected")[0], bytes(protocol.view("ReportOracle", "newest"))
    journal = json.loads((tmp_path / "mine" / "state" / "signed.json").read_text())
    assert journal == {str(slot): newest.hex()}


def test_service_shows_itself_and_stops_when_told(world: World, tmp_path: Path, keystore: tuple[Path, Path]) -> None:
    running = process(world, tmp_path, keystore, SLUICE_LOG_FORMAT="json")
    assert running.stdout is not None
    url = ""
    try:
        for line in running.stdout:
            if '"listening"' in line:
                url = json.loads(line)["url"]
                break
        end = time.monotonic() + 30
        while httpx.get(f"{url}/ready").status_code != 200:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert httpx.get(f"{url}/health").json()["service"] == "oracle"
        assert "sluice_rounds_total" in httpx.get(f"{url}/metrics").text
        # a second one in the same folder is refused
        second = process(world, tmp_path, keystore, "--once")
        output, _ = second.communicate(timeout=60)
        assert second.returncode == 1
        assert "another process works in" in output
    finally:
        running.send_signal(signal.SIGTERM)
        rest, _ = running.communicate(timeout=30)
    assert running.returncode == 0
    assert PASSWORD not in rest
    assert account(19).key.hex().removeprefix("0x") not in rest


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"SLUICE_ORACLE": "0x12"}, "oracle (SLUICE_ORACLE): '0x12' is not an address"),
        ({"SLUICE_POLL_SECONDS": "0"}, "poll_seconds (SLUICE_POLL_SECONDS): Input should be greater than 0"),
        ({"SLUICE_POL_SECONDS": "1"}, "no such setting: SLUICE_POL_SECONDS"),
        ({"SLUICE_PASSWORD_FILE": "/nowhere"}, "/nowhere cannot be read"),
        ({"SLUICE_PASSWORD_FILE": __file__}, "does not open with the password"),
        ({"SLUICE_EXECUTION_URLS": "http://127.0.0.1:1/k"}, "execution node http://127.0.0.1:1: [Errno 111]"),
        ({"SLUICE_BEACON_URLS": "ftp://x"}, "does not begin with http:// or https://"),
    ],
)
def test_wrong_settings_are_named(
    world: World, tmp_path: Path, keystore: tuple[Path, Path], env: dict[str, str], words: str
) -> None:
    run = process(world, tmp_path, keystore, "--once", **env)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 1
    assert words in output
    assert "Traceback" not in output


def test_beacon_node_of_another_chain_ends_the_start(world: World, tmp_path: Path, keystore: tuple[Path, Path]) -> None:
    def older(path: str, _: bytes, answer: bytes) -> bytes:
        if not path.endswith("/genesis"):
            return answer
        return json.dumps({"data": json.loads(answer)["data"] | {"genesis_time": "5"}}).encode()

    with altered(world.devnet.beacon_url, older) as liar:
        run = process(world, tmp_path, keystore, SLUICE_BEACON_URLS=liar, SLUICE_LOG_FORMAT="json")
        output, _ = run.communicate(timeout=60)
    assert run.returncode == 1
    words = f"its genesis time is 5, that of the contracts {world.devnet.genesis_time}"
    assert f"beacon node {liar} is of another chain: {words}" in output
    start = json.loads(output.splitlines()[0])
    assert start["key"] == account(19).address
    assert (start["oracle"], start["chain_id"]) == (world.protocol.contracts.oracle, world.devnet.settings.chain_id)


def test_journal_refuses_a_second_report(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "signed.json")
    journal.enter(Slot(5), b"\x01" * 32)
    journal.enter(Slot(5), b"\x01" * 32)
    with pytest.raises(TwoReportsError, match="slot 5"):
        journal.enter(Slot(5), b"\x02" * 32)
    journal.path.write_text("{")
    with pytest.raises(TwoReportsError, match="damaged"):
        journal.enter(Slot(6), b"\x02" * 32)
