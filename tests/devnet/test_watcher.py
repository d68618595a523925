"""The watcher on a real chain: true reports pass, a false one is challenged by itself, alarms sound."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from sluice.chain.node import Node, get_block
from sluice.oracle.daemon import REPORT_TUPLE, SUBMIT, OracleDaemon
from sluice.oracle.layer import BeaconLayer, Reading, WrongStateError
from sluice.oracle.report import Limits
from sluice.oracle.tree import Leaves, SumTree
from sluice.oracle.views import Contracts, Prepared, read_limits
from sluice.units import NO_GWEI, Gwei, Slot
from sluice.watcher import daemon as watcher_daemon
from sluice.watcher.alarms import BEHIND, KINDS
from sluice.watcher.daemon import MOST_TRIES, NotJudgedError, WatchDaemon, WatchSettings
from sluice.watcher.lies import first_difference, signatures_in
from tests.devnet.committee import committee, hostile
from tests.devnet.protocol import ETHER, FRAME, GAS, WEI, account, artifacts
from tests.devnet.staking import Key, deposit_data, look, make_deposits, until
from tests.devnet.world import World, open_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(Path(tmp_path_factory.mktemp("protocol"))) as opened:
        operator = opened.operator(40 * WEI)
        opened.validator(operator, "watched one", 31)
        opened.validator(operator, "watched two", 31)
        yield opened


@pytest.fixture(autouse=True)
def conserved(world: World) -> Iterator[None]:
    yield
    world.books.check()


def watcher(world: World, folder: Path, members: tuple[str, ...] = (), *, key: bool = True, **more: Any) -> WatchDaemon:
    settings = WatchSettings(
        execution_urls=(world.devnet.execution_url,),
        beacon_urls=tuple(world.devnet.beacon_urls),
        oracle=world.protocol.contracts.oracle,
        first_block=world.protocol.first,
        state_dir=folder,
        members=members,
        receipt_seconds=20.0,
        **more,
    )
    made = WatchDaemon.of(settings, account(29) if key else None)
    made.now = lambda: get_block(world.devnet.node).timestamp  # the devnet has a time of its own
    return made


def test_true_report_is_left_alone_and_silence_is_an_alarm(world: World, tmp_path: Path) -> None:
    made = world.protocol.report()
    daemon = watcher(world, tmp_path)
    for _ in range(2):
        assert daemon.step() == f"slot {made.report.reference_slot}: true"
    assert daemon.service.metrics.get_sample_value("sluice_reports_judged_total", {"result": "true"}) == 1
    assert daemon.service.metrics.get_sample_value("sluice_alarm", {"kind": "no report"}) == 0
    world.devnet.advance(2 * FRAME)
    assert daemon.step().startswith("ALARM: no report")
    assert daemon.service.metrics.get_sample_value("sluice_alarm", {"kind": "no report"}) == 1
    world.protocol.report()


def test_reports_that_came_meanwhile_are_judged_too(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was away for three frames looks at each, and says which one it could not judge any more."""
    protocol = world.protocol
    protocol.report()
    assert watcher(world, tmp_path).step().endswith(": true")
    slots = [protocol.report().report.reference_slot for _ in range(3)]
    daemon = watcher(world, tmp_path)
    assert daemon.step() == "; ".join(f"slot {slot}: true" for slot in slots)
    assert watcher(world, tmp_path).step() == f"slot {slots[-1]}: true", "it knows what it said last"
    assert watcher(world, tmp_path / "new").step() == f"slot {slots[-1]}: true", "a new one begins with the newest"

    lost, newest = (protocol.report().report.reference_slot for _ in range(2))
    read = BeaconLayer.read

    def pruned(layer: BeaconLayer, slot: Slot) -> Reading:
        if slot == lost:
            raise WrongStateError("pruned")
        return read(layer, slot)

    with monkeypatch.context() as patch:
        patch.setattr(BeaconLayer, "read", pruned)
        patch.setattr(BeaconLayer, "faults", lambda *_: NO_GWEI)
        said = daemon.step()
        assert said == f"slot {newest}: true; slot {lost}: NOT JUDGED: WrongStateError: pruned"
        assert daemon.service.metrics.get_sample_value("sluice_alarm", {"kind": "not judged"}) == 1
        for _ in range(MOST_TRIES):  # while the newest one can be judged it may only be a bad moment
            daemon.docket.add(Slot(newest), "01", lambda _: [])
            daemon.step()
    assert daemon.service.metrics.get_sample_value("sluice_reports_judged_total", {"result": "unknown"}) == 1
    assert daemon.step() == f"slot {lost}: NOT JUDGED: WrongStateError: pruned"
    assert daemon.service.metrics.get_sample_value("sluice_alarm", {"kind": "not judged"}) == 0

    broken = protocol.report().report.reference_slot
    with monkeypatch.context() as patch:
        patch.setattr(BeaconLayer, "_state", lambda *_: pruned(daemon.layer, lost))
        with pytest.raises(NotJudgedError, match=f"slot {broken}: NOT JUDGED: WrongStateError: pruned"):
            daemon.step()
    assert daemon.step() == f"slot {broken}: true", "it is tried again"


def test_D11_price_below_the_rate_is_an_alarm(world: World, tmp_path: Path) -> None:
    """So is one that is old, none at all, or a feed that is no feed."""
    devnet, protocol = world.devnet, world.protocol
    protocol.report()
    rate = int(protocol.view("StakingVault", "convertToAssets", WEI))
    now = devnet.time_of(devnet.status().slot)

    def feed(answer: int, *, decimals: int = 18, age: int = 0) -> str:
        creation = artifacts()["PriceFeed"].creation
        data = creation + encode(["uint8", "int256", "uint256"], [decimals, answer, now - age])
        sent = devnet.send(protocol.stranger, None, data=data)
        devnet.advance_block()
        return to_checksum_address(devnet.receipt(sent)["contractAddress"])

    fair, low = feed(rate * 985 // 1_000), feed(rate * 97 // 100 // 10**10, decimals=8)
    old, none = feed(rate, age=26 * 3_600), feed(0)
    nowhere = to_checksum_address("0x" + "ab" * 20)

    def sounds(*feeds: str, **more: float) -> list[str]:
        daemon = watcher(world, tmp_path / str(len(list(tmp_path.iterdir()))), price_feeds=feeds, **more)
        daemon.step()
        read = daemon.service.metrics.get_sample_value
        return [kind for kind in ("depeg", "no price") if read("sluice_alarm", {"kind": kind})]

    assert sounds() == sounds(fair) == []
    assert sounds(low) == sounds(fair, low) == ["depeg"]
    assert sounds(low, depeg_percent=3.5) == []
    assert sounds(old) == sounds(none) == sounds(nowhere) == sounds(protocol.contracts.vault) == ["no price"]
    said = watcher(world, tmp_path / "said", price_feeds=(low,)).step()
    assert f"({low}), 3.00% below the rate" in said


def sounding(daemon: WatchDaemon) -> set[str]:
    """After a round."""
    daemon.step()
    return {kind for kind in KINDS if daemon.service.metrics.get_sample_value("sluice_alarm", {"kind": kind})}


def test_node_whose_newest_block_is_old_is_an_alarm(world: World, tmp_path: Path) -> None:
    world.protocol.report()
    daemon = watcher(world, tmp_path)
    newest = get_block(world.devnet.node).timestamp
    for late, alarms in ((BEHIND, set()), (BEHIND + 1, {"node behind"}), (0, set())):
        daemon.now = partial(float, newest + late)
        assert sounding(daemon) == alarms


def test_request_that_waits_too_long_is_an_alarm_until_it_is_finalised(world: World, tmp_path: Path) -> None:
    protocol, queue = world.protocol, "WithdrawalQueue"
    protocol.report()
    daemon = watcher(world, tmp_path, overdue_days=0.25)
    protocol.send(protocol.staker, queue, "request", WEI, protocol.staker.address)
    assert sounding(daemon) == set()
    world.devnet.advance(FRAME // 4)
    assert sounding(daemon) == set()
    world.devnet.advance(1)
    assert sounding(daemon) == {"queue behind"}
    protocol.report()
    assert sounding(daemon) == {"queue behind"}
    protocol.send(protocol.stranger, queue, "finalize", int(protocol.view(queue, "lastRequestId")))
    assert sounding(daemon) == set()


def test_slashing_is_an_alarm_until_it_is_counted_and_a_bond_that_has_paid_until_it_is_filled(
    world: World, tmp_path: Path
) -> None:
    protocol, devnet = world.protocol, world.devnet
    operator = world.operator(33 * WEI // 10)
    key = world.validator(operator, "slashed under watch")
    protocol.report()
    daemon = watcher(world, tmp_path)
    assert sounding(daemon) == set()
    devnet.slash([look(devnet, key).index])
    devnet.advance_block()
    until(devnet, lambda: look(devnet, key).validator.slashed)
    protocol.send(protocol.stranger, "ValidatorManager", "proveSlashed", protocol.proof(key))
    assert sounding(daemon) == {"slashing not counted"}
    protocol.report()
    assert sounding(daemon) == {"bond too low"}
    assert f"bond of operator {operator} is too low" in daemon.step()
    protocol.send(protocol.staker, "StakedEther", "approve", protocol.result.plan.addresses["OperatorBonds"], 4 * WEI)
    protocol.send(protocol.staker, "OperatorBonds", "deposit", operator, 4 * WEI)
    assert sounding(daemon) == set()


@pytest.mark.parametrize(
    ("field", "added"),
    [("faults", ETHER), ("provision", 20 * ETHER), ("withdrawn", -1), ("deposited", -ETHER), ("rewards", -1)],
)
def test_figure_that_no_proof_shows_to_be_false_is_an_alarm(
    world: World, tmp_path: Path, field: str, added: int
) -> None:
    """A quorum tells faults that never were, or keeps back what was earned. A person must ask the committee."""
    protocol = world.protocol
    for there in (protocol.contracts.gateway, protocol.contracts.rewards_vault):
        world.devnet.transact(protocol.stranger, there, b"", WEI, GAS)
    protocol.next_frame()
    true = protocol.prepared().report
    due = getattr(true, field)
    lie = protocol.changed(true, **{field: due + added})
    protocol.submit(lie, protocol.signatures(lie))
    daemon = watcher(world, tmp_path)
    words = f"{field} of {due + added} {'wei' if field == 'rewards' else 'gwei'}; by our nodes {due}"
    assert daemon.step() == f"slot {lie.reference_slot}: FALSE: {words}; it takes a person"
    assert daemon.service.metrics.get_sample_value("sluice_alarm", {"kind": "false report"}) == 1
    protocol.report()
    assert daemon.step().endswith(": true")


def test_gain_at_its_limit_is_kept_back_as_far_as_the_rule_says(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gift of 100 ether: what all members keep back of it is no lie, one gwei more is."""
    protocol, devnet = world.protocol, world.devnet
    protocol.report()
    devnet.transact(protocol.stranger, protocol.contracts.rewards_vault, b"", WEI, GAS)
    make_deposits(devnet, account(20), deposit_data(devnet, Key.of("watched one"), bytes(32), Gwei(100 * ETHER)))
    made = protocol.report()
    assert (kept_back(made) > ETHER, made.report.rewards) == (True, 0)

    block = made.stamp.block
    for first in (True, False):  # governance has changed the limits before it was signed, or after

        def limits(node: Node, contracts: Contracts, at: int, *, first: bool = first) -> Limits:
            found = read_limits(node, contracts, at)
            return replace(found, gain_allowance=Gwei(0)) if (at == block) is first else found

        with monkeypatch.context() as patch:
            patch.setattr(watcher_daemon, "read_limits", limits)
            assert watcher(world, tmp_path / str(first)).step() == f"slot {made.report.reference_slot}: true"

    protocol.next_frame()
    true = protocol.prepared()
    assert kept_back(true) > ETHER
    lie = protocol.changed(true.report, provision=Gwei(true.report.provision + 1))
    protocol.submit(lie, protocol.signatures(lie))
    words = f"FALSE: provision of {lie.provision} gwei; by our nodes {true.report.provision}; it takes a person"
    assert watcher(world, tmp_path / "lie").step() == f"slot {lie.reference_slot}: {words}"
    while not made.report.rewards:
        made = protocol.report()
    assert kept_back(made) == 0
    assert watcher(world, tmp_path / "after").step() == f"slot {made.report.reference_slot}: true"


def kept_back(made: Prepared) -> int:
    """gwei, but for rewards."""
    report, view = made.report, made.consensus
    return report.provision - view.provision + view.withdrawn - report.withdrawn


def test_first_leaf_that_is_false_is_found() -> None:
    true = Leaves.of([1, 2, 3], [], [b"\x01" * 32, b"\x03" * 32])
    assert first_difference(true, true) is None
    assert first_difference(replace(true, balances=np.array([1, 9, 3], np.uint64)), true) == 1
    assert first_difference(Leaves.of([1, 2, 3], [], [b"\x01" * 32, b"\x02" * 32]), true) == 4
    assert first_difference(Leaves.of([1, 2, 3], [], [b"\x01" * 32]), true) is None


def test_signatures_are_found_wherever_the_call_was_passed_on() -> None:
    """Who submits a lie through another contract does not hide who signed it."""
    report = (72, b"\x01" * 32, b"\x02" * 32, 3, 4, 5, 6, 7, 8, 9)
    call = SUBMIT + encode([REPORT_TUPLE, "bytes[]"], [report, [b"one", b"two"]])
    other = SUBMIT + encode([REPORT_TUPLE, "bytes[]"], [(73, *report[1:]), [b"other"]])
    assert signatures_in(call, report) == [b"one", b"two"]
    decoy = SUBMIT + encode([REPORT_TUPLE, "bytes[]"], [report, [b"none"]])
    broken = SUBMIT + encode([REPORT_TUPLE], [report]) + b"\xff" * 64
    passed_on = b"abcd" + SUBMIT + encode(["address", "bytes[]"], ["0x" + "11" * 20, [other, broken, decoy, call]])
    assert signatures_in(passed_on, report) == [b"none", b"one", b"two"], "which of them answer the chain says"
    assert signatures_in(other, report) == signatures_in(b"", report) == signatures_in(SUBMIT, report) == []


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("sum", "gwei over leaves of"),
        ("twice", "are out of order"),
        ("deposit", "the pending deposit"),
        ("preparation", "is left out"),
    ],
)
def test_lies_of_every_kind_can_be_shown(world: World, tmp_path: Path, kind: str, words: str) -> None:
    """A watcher without a key tries the call: the contract would take it."""
    protocol, devnet = world.protocol, world.devnet
    operator = world.operator(20 * WEI)
    reference = (devnet.status().slot // FRAME + 1) * FRAME
    devnet.advance_to(reference - 4)
    protocol.prepare(operator, protocol.operator, Key.of(f"lie about {kind}"))
    protocol.top_up(Key.of("watched one"), 1)
    devnet.advance_to(reference)
    devnet.finalize(reference)
    true = protocol.prepared().report
    leaves = protocol.layer.read(true.reference_slot).leaves
    assert leaves.deposits
    assert leaves.preparations
    forged = {
        "sum": leaves,
        "twice": replace(leaves, preparations=(leaves.preparations[0], *leaves.preparations)),
        "deposit": replace(leaves, deposits=leaves.deposits[1:]),
        "preparation": replace(leaves, preparations=leaves.preparations[:-1]),
    }[kind]
    tree = SumTree(forged)
    total = Gwei(tree.total + (kind == "sum"))
    lie = protocol.changed(true, balances_root=tree.root, consensus_balance=total)
    protocol.submit(lie, protocol.signatures(lie))
    with committee(world, tmp_path / "liars", [0]) as (member,):
        member.book.keep_leaves(lie.reference_slot, forged)
        urls = (f"http://127.0.0.1:{member.service.port}",)
        said = watcher(world, tmp_path / "dry", urls, key=False).step()
    assert words in said
    assert said.endswith("; with a key it would be challenged")
    protocol.report()


def test_what_members_send_never_stops_the_watcher(world: World, tmp_path: Path) -> None:
    """They have every reason to try: the next one is asked, and what is false is told all the same."""
    protocol = world.protocol
    protocol.next_frame()
    true = protocol.prepared().report
    leaves = protocol.layer.read(true.reference_slot).leaves
    forged = replace(leaves, balances=leaves.balances + np.uint64(1))
    tree = SumTree(forged)
    lie = protocol.changed(true, balances_root=tree.root, consensus_balance=tree.total)
    protocol.submit(lie, protocol.signatures(lie))
    bodies = [
        b"[" * 100_000,
        json.dumps({"balances": "00" * 8, "deposits": [[-1, 5]], "preparations": []}).encode(),
        json.dumps({"balances": "00" * 8, "deposits": [[0, 2**70]], "preparations": []}).encode(),
        json.dumps({"balances": "00" * 8, "deposits": [], "preparations": ["00"]}).encode(),
        b'{"balances": Infinity}',
        b"{",
    ]
    with ExitStack() as stack:
        urls = [stack.enter_context(hostile(body)) for body in bodies]
        (member,) = stack.enter_context(committee(world, tmp_path / "liars", [0]))
        member.book.keep_leaves(lie.reference_slot, forged)
        urls.append(f"http://127.0.0.1:{member.service.port}")
        said = watcher(world, tmp_path / "dry", tuple(urls), key=False).step()
    assert "FALSE: leaf 0 is" in said
    assert said.endswith("; with a key it would be challenged")
    # a challenge that cannot be sent is an alarm all the same
    poor = watcher(world, tmp_path / "poor", (), max_fee_gwei=1)
    sample = poor.service.metrics.get_sample_value
    assert "demand them" in poor.step()
    assert sample("sluice_alarm", {"kind": "false report"}) == 1
    protocol.report()


def test_challenge_that_cannot_be_paid_is_an_alarm(world: World, tmp_path: Path) -> None:
    protocol = world.protocol
    protocol.next_frame()
    true = protocol.prepared().report
    lie = protocol.changed(true, consensus_balance=Gwei(true.consensus_balance + 1))
    protocol.submit(lie, protocol.signatures(lie))
    daemon = watcher(world, tmp_path)
    daemon.settings = daemon.settings.model_copy(update={"max_fee_gwei": 0})
    said = daemon.step()
    assert "NOT CHALLENGED: gas costs" in said
    assert daemon.service.metrics.get_sample_value("sluice_alarm", {"kind": "false report"}) == 1
    assert "NOT CHALLENGED" in daemon.step(), "it is tried again"
    protocol.report()


def test_false_report_is_challenged_by_itself(world: World, tmp_path: Path) -> None:
    """The members even give its leaves out: it is shown, paid for, and the oracle halts."""
    protocol = world.protocol
    protocol.next_frame()
    true = protocol.prepared().report
    leaves = protocol.layer.read(true.reference_slot).leaves
    balances = leaves.balances.copy()
    balances[1] += np.uint64(9 * ETHER)
    forged = Leaves.of(balances, leaves.deposits, leaves.preparations)
    tree = SumTree(forged)
    lie = protocol.changed(true, balances_root=tree.root, consensus_balance=tree.total)
    protocol.submit(lie, protocol.signatures(lie))

    assert "no member gives its leaves out" in watcher(world, tmp_path / "alone").step()
    with committee(world, tmp_path / "liars", [0]) as (member,):
        assert isinstance(member, OracleDaemon)
        member.book.keep_leaves(lie.reference_slot, forged)
        urls = (f"http://127.0.0.1:{member.service.port}",)
        late = watcher(world, tmp_path / "late", ())
        assert "no member gives its leaves out" in late.step()
        late.settings = late.settings.model_copy(update={"members": urls})
        late.key = None
        assert "with a key it would be challenged" in late.step(), "it is tried again every round"
        dry = watcher(world, tmp_path / "dry", urls, key=False).step()
        assert "FALSE: leaf 1 is" in dry
        assert "with a key it would be challenged" in dry
        daemon = watcher(world, tmp_path / "one", urls)
        with world.devnet.mining():
            said = daemon.step()
    assert "challenged (" in said
    assert protocol.view("ReportOracle", "halted")
    assert int(protocol.view("StakedEther", "balanceOf", account(29).address)) > 2 * WEI
    assert daemon.service.metrics.get_sample_value("sluice_alarm", {"kind": "false report"}) == 1
    assert daemon.step().startswith("ALARM: oracle halted")
