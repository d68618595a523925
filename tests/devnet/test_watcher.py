"""The watcher on a real chain: true reports pass, a false one is challenged by itself, alarms sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sluice.oracle.daemon import OracleDaemon
from sluice.oracle.tree import Leaves, SumTree
from sluice.units import Gwei
from sluice.watcher.daemon import WatchDaemon, WatchSettings, first_difference
from tests.devnet.protocol import ETHER, FRAME, WEI, account
from tests.devnet.test_oracle_daemon import committee
from tests.devnet.world import World, open_world

pytestmark = pytest.mark.anvil  # blocks come when transactions wait


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


def watcher(world: World, folder: Path, members: tuple[str, ...] = (), *, key: bool = True) -> WatchDaemon:
    settings = WatchSettings(
        execution_urls=(world.devnet.execution_url,),
        beacon_urls=tuple(world.devnet.beacon_urls),
        oracle=world.protocol.contracts.oracle,
        first_block=world.protocol.first,
        state_dir=folder,
        members=members,
        receipt_seconds=20.0,
    )
    return WatchDaemon.of(settings, account(29) if key else None)


def test_true_report_is_left_alone_and_silence_is_an_alarm(world: World, tmp_path: Path) -> None:
    made = world.protocol.report()
    daemon = watcher(world, tmp_path)
    assert daemon.step() == f"slot {made.report.reference_slot}: true"
    assert daemon.service.metrics.get_sample_value("sluice_alarm", {"kind": "no report"}) == 0
    world.devnet.advance(2 * FRAME)
    assert daemon.step().startswith("ALARM: no report")
    assert daemon.service.metrics.get_sample_value("sluice_alarm", {"kind": "no report"}) == 1
    world.protocol.report()


def test_figures_that_no_proof_shows_are_an_alarm(world: World, tmp_path: Path) -> None:
    """Faults that never were: bonds would pay for nothing. A person must ask the committee."""
    protocol = world.protocol
    protocol.next_frame()
    true = protocol.prepared().report
    lie = protocol.changed(true, faults=Gwei(true.faults + ETHER))
    protocol.submit(lie, protocol.signatures(lie))
    daemon = watcher(world, tmp_path)
    assert "FALSE: faults of 1000000000 gwei; they were 0; it takes a person" in daemon.step()
    assert daemon.service.metrics.get_sample_value("sluice_alarm", {"kind": "false report"}) == 1
    protocol.report()
    assert daemon.step().endswith(": true")


def test_first_leaf_that_is_false_is_found() -> None:
    true = Leaves.of([1, 2, 3], [], [b"\x01" * 32, b"\x03" * 32])
    assert first_difference(true, true) is None
    assert first_difference(replace(true, balances=np.array([1, 9, 3], np.uint64)), true) == 1
    assert first_difference(Leaves.of([1, 2, 3], [], [b"\x01" * 32, b"\x02" * 32]), true) == 4
    assert first_difference(Leaves.of([1, 2, 3], [], [b"\x01" * 32]), true) is None


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
