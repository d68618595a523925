"""Members of the oracle between nodes that fail, lie or do not agree: the right report is signed, or none. Row D9."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from sluice.beacon.client import BeaconClient
from sluice.oracle import daemon as oracle_daemon
from sluice.oracle.layer import NotFinalError
from sluice.oracle.registry import DisagreementError
from sluice.oracle.report import Report
from sluice.oracle.signing import digest
from sluice.oracle.views import NothingToReportError
from tests.devnet.altered import Change, altered, of_calls
from tests.devnet.committee import committee, make_well, member, one_at_work, reported, rounds
from tests.devnet.protocol import FRAME, GAS
from tests.devnet.world import World

WRONG = {"index": 3, "gwei": -5}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from one_at_work(tmp_path_factory)


@pytest.fixture(autouse=True)
def conserved(world: World) -> Iterator[None]:
    yield
    make_well(world)


@pytest.fixture
def right(world: World) -> Report:
    """That of the frame that runs. Nobody submits it here, so one frame serves many tests."""
    try:
        prepared = world.protocol.prepared()
    except (NotFinalError, NothingToReportError):
        prepared = None
    if prepared is None or prepared.forecast.violations:  # too old by now
        world.protocol.next_frame()
        prepared = world.protocol.prepared()
    return prepared.report


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
    assert signed(tmp_path) == entry(world, right), daemon.service.status


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

    def change(asked: dict[str, Any], result: Any) -> Any:
        if asked["method"] != "eth_getBalance" or asked["params"][0].lower() != rewards:
            return result
        lies[0] += 1
        return hex(10**17)

    url = world.devnet.execution_url
    with altered(url, of_calls(change)) as liar:
        daemon = member(world, tmp_path, 0, execution_urls=(url, liar))
        assert daemon.service.run(once=True) is False
    assert lies[0]
    assert "execution nodes lead to reports with different rewards" in daemon.service.status
    assert not (tmp_path / "0" / "signed.json").exists()


def altering(method: str, words: str, change: Callable[[Any], Any]) -> Change:
    """Lies in answers to this method about blocks by number, where ``words`` are in what is asked."""

    def alter(asked: dict[str, Any], result: Any) -> Any:
        is_meant = asked["method"] == method and "latest" not in asked["params"] and words in json.dumps(asked).lower()
        return change(result) if is_meant else result

    return of_calls(alter)


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
