"""Two keepers of one protocol, and what is left of preparations that come to nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, pairwise
from pathlib import Path
from threading import Barrier

import pytest

from sluice.beacon.deposits import sign_deposit
from sluice.daemon.sender import NotSentError, Sender
from sluice.keeper.daemon import KeeperDaemon
from sluice.units import Gwei
from tests.devnet.protocol import DAY, ETHER, GAS, SLOT, WEI, account
from tests.devnet.staking import Key
from tests.devnet.test_keeper import keeper, round_of
from tests.devnet.world import World, open_world

FIRST, SECOND = 4, 28
TURN = 5 * SLOT


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    keepers = (account(FIRST).address, account(SECOND).address)
    with open_world(Path(tmp_path_factory.mktemp("protocol")), keepers=keepers, abandon_after=DAY) as opened:
        yield opened


def pair(world: World, folder: Path) -> list[KeeperDaemon]:
    both = [keeper(world, folder / str(number), account(number)) for number in (FIRST, SECOND)]
    for each in both:
        each.settings = each.settings.model_copy(update={"turn_seconds": TURN, "top_up_ether": 1, "part_ether": 1})
    return both


def race(world: World, both: list[KeeperDaemon], act: Callable[[KeeperDaemon], Iterable[str]]) -> list[list[str]]:
    """What each says that has decided on the same block; where both send, it is for the same one, too."""
    devnet = world.devnet

    def run(keeper: KeeperDaemon) -> list[str]:
        try:
            return list(act(keeper))
        except NotSentError as error:
            return [str(error)]

    with ThreadPoolExecutor() as pool:
        racing = [pool.submit(run, each) for each in both]
        while sum(each.done() for each in racing) + devnet.waiting < len(both):
            time.sleep(0.01)
        with devnet.mining():
            return [each.result() for each in racing]


def second_pays(world: World, both: list[KeeperDaemon], act: Callable[[KeeperDaemon], Iterable[str]]) -> int:
    """Gas of the one whose transaction comes second in the block, and does nothing."""
    simulate, simulated = Sender.simulate, Barrier(len(both), timeout=60)

    def together(sender: Sender, to: str, data: bytes, value: int = 0) -> int:
        gas = simulate(sender, to, data, value)
        simulated.wait()  # anvil estimates on top of what waits already: the second would not send
        return gas

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sender, "simulate", together)
        said = race(world, both, act)
    assert [len(each) for each in said] == [1, 1], "both have sent"
    block = world.devnet.node.request("eth_getBlockByNumber", "latest", False)
    first, second = [world.devnet.receipt(each) for each in block["transactions"]]
    assert first["logs"]
    assert not second["logs"]
    if second["status"] == "0x0":
        assert sum("another keeper's came first" in each for (each,) in said) == 1, said
    return int(second["gasUsed"], 16)


def test_second_of_two_that_prove_in_one_block_pays_little(world: World, tmp_path: Path) -> None:
    protocol, devnet = world.protocol, world.devnet
    operator = world.operator(2 * WEI)
    key = Key.of("proven in a race")
    devnet.add_keys([key.secret])
    protocol.prepare(operator, protocol.operator, key)
    protocol.appears(key)
    devnet.finalize(devnet.status().slot)
    assert second_pays(world, pair(world, tmp_path), lambda keeper: keeper._prove(keeper._entries())) < 55_000


def test_second_of_two_that_finalise_in_one_block_pays_little(world: World, tmp_path: Path) -> None:
    protocol = world.protocol
    protocol.send(protocol.staker, "WithdrawalQueue", "request", WEI, protocol.staker.address)
    protocol.report()
    assert second_pays(world, pair(world, tmp_path), KeeperDaemon._finalize) < 27_000


def test_second_of_two_that_sweep_in_one_block_pays_little(world: World, tmp_path: Path) -> None:
    protocol, devnet = world.protocol, world.devnet
    devnet.transact(protocol.stranger, protocol.contracts.gateway, b"", WEI, GAS)
    assert second_pays(world, pair(world, tmp_path), KeeperDaemon._sweep) < 45_000


def test_keepers_take_turns_at_what_only_they_may(world: World, tmp_path: Path) -> None:
    """Four fifths of a turn for each, the last fifth for nobody: what was sent in it must arrive first."""
    both = pair(world, tmp_path)
    seen = []
    for _ in range(20):
        seen.append(tuple(each._is_turn() for each in both))
        world.devnet.advance_block()
    assert set(seen) == {(True, False), (False, True), (False, False)}
    whole = [(whose, len(list(run))) for whose, run in groupby(seen)][1:-1]
    assert all(length == (1 if whose == (False, False) else 4) for whose, length in whole)
    orders = [whose for whose, _ in whole if any(whose)]
    assert all(one != other for one, other in pairwise(orders))
    stranger = keeper(world, tmp_path / "stranger", account(29))
    assert not stranger._is_turn()
    assert keeper(world, tmp_path / "dry", None)._is_turn(), "who only shows shows all"


def test_two_keepers_that_race_top_up_and_ask_once(world: World, tmp_path: Path) -> None:
    """Both decide on the same block: one sends, and in the other's turn there is nothing left to do."""
    protocol, devnet = world.protocol, world.devnet
    operator = world.operator(60 * WEI)
    key = world.validator(operator, "raced for", 31)
    both = pair(world, tmp_path)
    while not any(each._is_turn() for each in both):
        devnet.advance_block()
    said = race(world, both, lambda keeper: keeper._top_up(keeper._entries()))
    assert sorted(map(len, said)) == [0, 1]
    staked = int(protocol.view("ValidatorManager", "validator", key.pubkey)[6])
    for _ in range(2 * TURN // SLOT):
        assert "topped up" not in "; ".join(round_of(world, *both)), "cap and bond allow no more"
        devnet.advance_block()
    assert int(protocol.view("ValidatorManager", "validator", key.pubkey)[6]) == staked > 32 * ETHER


def test_preparation_that_nobody_can_prove_is_abandoned_once(world: World, tmp_path: Path) -> None:
    """The signature of its deposit is bad: it never becomes a validator, and its ether is the operator's bond's."""
    protocol, devnet = world.protocol, world.devnet
    operator = world.operator(60 * WEI)
    good, bad = Key.of("late but there"), Key.of("never there")
    version = devnet.beacon.genesis().genesis_fork_version
    wrong = sign_deposit(good.secret, protocol.credentials, Gwei(ETHER), version).signature
    protocol.send(protocol.operator, "ValidatorManager", "prepare", operator, bad.pubkey, wrong)
    bond = int(protocol.view("OperatorBonds", "bondOf", operator)[0])
    both = pair(world, tmp_path)
    assert "abandoned" not in "; ".join(round_of(world, *both)), "there is time"
    devnet.advance(DAY // SLOT + 1)
    devnet.add_keys([good.secret])
    said = round_of(world, *both)
    assert "abandoned (" in said[0]
    assert "abandoned" not in said[1]
    paid = bond - int(protocol.view("OperatorBonds", "bondOf", operator)[0])
    assert int(protocol.view("StakingVault", "convertToAssets", paid)) == pytest.approx(WEI, abs=2)


def test_deposit_that_still_waits_is_given_time(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue of deposits that is longer than the time for proofs is not the operator's fault."""
    protocol, devnet = world.protocol, world.devnet
    operator = world.operator(60 * WEI)
    key = Key.of("waits in the queue")
    devnet.add_keys([key.secret])
    protocol.prepare(operator, protocol.operator, key)
    (waiting,) = [each for each in devnet.beacon.pending_deposits() if each.pubkey == key.pubkey]
    devnet.advance(DAY // SLOT + 1)
    (daemon, other) = pair(world, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(daemon.beacon, "validators", lambda *_: [])  # as it was before
        with patch.context() as also:
            also.setattr(daemon.beacon, "pending_deposits", lambda: [waiting])
            assert list(daemon._abandon(daemon._entries())) == []
        with devnet.mining():
            assert len(list(daemon._abandon(daemon._entries()))) == 1
    # given up, and there after all: it is proven, and reports count it
    before = protocol.keys_from(0)
    protocol.appears(key)
    devnet.finalize(devnet.status().slot)
    said = round_of(world, daemon, other)
    assert "prove (" in said[0]
    assert "prove" not in said[1]
    assert protocol.keys_from(0) == [*before, key.pubkey]
    assert protocol.report().report.validators == len(before) + 1
