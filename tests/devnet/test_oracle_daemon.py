"""The committee: members with real endpoints around a real beacon node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from structlog.testing import capture_logs

from sluice.chain.node import HttpNode, get_block
from sluice.oracle import exchange
from sluice.oracle.daemon import Journal, OracleDaemon, TwoReportsError
from sluice.oracle.exchange import GETS_A_MINUTE, LARGEST, LEAVES_A_MINUTE, POSTS_A_MINUTE, Message, Peers
from sluice.oracle.layer import LostFiguresError
from sluice.oracle.signing import sign
from sluice.oracle.tree import Leaves, SumTree
from sluice.units import Gwei, Slot
from tests.devnet.committee import (
    committee,
    hostile,
    layer_of,
    make_well,
    member,
    one_at_work,
    reported,
    rounds,
    settings_for,
)
from tests.devnet.protocol import DAY, FRAME, SLOT, WEI, Protocol, account
from tests.devnet.staking import look, until
from tests.devnet.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from one_at_work(tmp_path_factory)


@pytest.fixture(autouse=True)
def conserved(world: World) -> Iterator[None]:
    yield
    make_well(world)


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
    world.protocol.report()  # states of the report before are kept for some hundred blocks


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


@pytest.mark.deep
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


def test_journal_refuses_a_second_report(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "signed.json")
    journal.enter(Slot(5), b"\x01" * 32)
    journal.enter(Slot(5), b"\x01" * 32)
    with pytest.raises(TwoReportsError, match="slot 5"):
        journal.enter(Slot(5), b"\x02" * 32)
    journal.path.write_text("{")
    with pytest.raises(TwoReportsError, match="damaged"):
        journal.enter(Slot(6), b"\x02" * 32)
