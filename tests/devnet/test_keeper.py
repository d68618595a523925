"""Keepers do the chores around real validators: from a prepared key to a paid request, alone and in a race."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount

from sluice.chain.node import NodeError
from sluice.keeper.daemon import KeeperDaemon, KeeperSettings, RoundFailedError
from sluice.keeper.plans import HEALTHY, SLASHING_PENDING, STALE
from tests.basket import config
from tests.devnet.protocol import DAY, ETHER, FRAME, SLOT, WEI, account
from tests.devnet.staking import Key, look, until
from tests.devnet.world import World
from tests.lst import Health, pin

KEEPER = 4
NO_ONE = "0x" + "00" * 20


def keeper(world: World, folder: Path, key: LocalAccount | None, **named: tuple[str, ...]) -> KeeperDaemon:
    settings = KeeperSettings(
        execution_urls=(world.devnet.execution_url,),
        beacon_urls=(world.devnet.beacon_urls[0],),
        oracle=world.protocol.contracts.oracle,
        first_block=world.protocol.first,
        state_dir=folder,
        receipt_seconds=20.0,
        **named,
    )
    return KeeperDaemon.of(settings, key)


def round_of(world: World, *keepers: KeeperDaemon) -> list[str]:
    with world.devnet.mining():
        return [each.step() for each in keepers]


def test_from_a_prepared_key_to_a_paid_request(world: World, tmp_path: Path) -> None:
    """prove, top up, ask for what a request needs, sweep, finalise: nobody else does anything but reports."""
    protocol, devnet = world.protocol, world.devnet
    daemon = keeper(world, tmp_path / "a", account(KEEPER))
    assert round_of(world, daemon) == ["nothing is due"], "there is no validator to top up"
    operator = world.operator()
    key = Key.of("kept")
    devnet.add_keys([key.secret])
    protocol.prepare(operator, protocol.operator, key)
    assert round_of(world, daemon) == ["nothing is due"], "the beacon chain does not have it yet"
    index = protocol.appears(key)
    devnet.finalize(devnet.status().slot)
    assert index == look(devnet, key).index
    dry = keeper(world, tmp_path / "dry", None)
    assert dry.step() == "would do: prove"
    (said,) = round_of(world, daemon)
    assert said.startswith("prove (")
    (said,) = round_of(world, daemon)
    assert said.startswith("topped up (")
    staked = int(protocol.view("ValidatorManager", "validator", key.pubkey)[6])
    assert staked == 2_017 * ETHER, "in parts of 32 as far as cap and bond allow"
    until(devnet, lambda: protocol.status(key) == "active_ongoing")
    until(devnet, lambda: look(devnet, key).balance >= 2_016 * ETHER, epochs=200)
    protocol.report()

    buffer = int(protocol.view("StakingVault", "buffer"))
    wanted = int(protocol.view("StakingVault", "convertToShares", buffer + 100 * WEI))
    protocol.send(protocol.staker, "WithdrawalQueue", "request", wanted, protocol.staker.address)
    period = int(devnet.beacon.spec().values["SHARD_COMMITTEE_PERIOD"])
    old_enough = look(devnet, key).validator.activation_epoch + period
    if devnet.status().slot // devnet.slots_per_epoch < old_enough:
        assert "asked" not in "; ".join(round_of(world, daemon)), "the beacon chain would ignore it"
    until(devnet, lambda: devnet.status().slot // devnet.slots_per_epoch >= old_enough)
    said = "; ".join(round_of(world, daemon))
    assert "asked for exits (" in said
    assert "asked" not in "; ".join(round_of(world, daemon)), "what is on its way is counted"
    (pending,) = devnet.beacon.pending_partial_withdrawals()
    assert pending.amount == pytest.approx(100 * ETHER, rel=0.1)
    gateway = protocol.result.plan.addresses["WithdrawalGatewayProxy"]

    def there() -> int:
        return int(devnet.node.request("eth_getBalance", gateway, "latest"), 16)

    until(devnet, lambda: there() >= pending.amount * 10**9, epochs=400)
    assert "swept (" in "; ".join(round_of(world, daemon))
    assert there() < 10**17
    for _ in range(6):
        protocol.report()
        if "finalised (" in (said := "; ".join(round_of(world, daemon))):
            break
        until(devnet, lambda: there() > 0, epochs=300)
    assert "finalised (" in said
    protocol.send(protocol.stranger, "WithdrawalQueue", "claim(uint256)", 1)

    # what has come back is proven: it is no stake of the operator's any more
    devnet.finalize(devnet.status().slot)
    round_of(world, daemon)
    counted = int(protocol.view("ValidatorManager", "validator", key.pubkey)[6])
    assert counted == pytest.approx(2_017 * ETHER - pending.amount, abs=5 * ETHER)  # it earned, too
    assert protocol.view("ValidatorManager", "stakeOf", operator) == (counted, 0, 1)
    assert "proveReturned" not in "; ".join(round_of(world, daemon))


def test_state_is_downloaded_when_a_proof_is_final_and_once(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has hundreds of megabytes: not while what is due waits for finality, nor again while gas costs too much."""
    protocol, devnet = world.protocol, world.devnet
    protocol.send(protocol.keeper, "StakingVault", "stake", protocol.keeper.address, 0, NO_ONE, value=9 * WEI)
    key = Key.of("proven from one state")
    devnet.add_keys([key.secret])
    protocol.prepare(world.operator(40 * WEI), protocol.operator, key)
    protocol.appears(key)
    daemon, dry = keeper(world, tmp_path / "a", account(29)), keeper(world, tmp_path / "dry", None)
    downloads = []

    def count(of: KeeperDaemon) -> None:
        inner = of.beacon.state
        monkeypatch.setattr(of.beacon, "state", lambda *which: downloads.append(which) or inner(*which))

    count(daemon)
    count(dry)
    assert devnet.beacon.validator(key.pubkey, "finalized") is None
    assert "prove" not in "; ".join(round_of(world, daemon, dry))
    assert downloads == []
    devnet.finalize(devnet.status().slot)
    assert "would do: prove" in dry.step()
    assert downloads == [], "who only shows needs none"
    affordable = daemon.settings
    daemon.settings = affordable.model_copy(update={"max_fee_gwei": 1})
    for _ in range(2):
        with pytest.raises(RoundFailedError, match="above max_fee_gwei"):
            round_of(world, daemon)
    daemon.settings = affordable
    assert "prove (" in "; ".join(round_of(world, daemon))
    assert len(downloads) == 1
    assert "prove" not in "; ".join(round_of(world, daemon))
    assert daemon._tree is None, "nothing of it is held on to"
    assert len(downloads) == 1


def test_two_keepers_do_everything_once(world: World, tmp_path: Path) -> None:
    """The second one's simulation refuses what the first has done: it pays for nothing."""
    protocol, devnet = world.protocol, world.devnet
    protocol.send(protocol.keeper, "StakingVault", "stake", protocol.keeper.address, 0, NO_ONE, value=9 * WEI)
    protocol.send(protocol.staker, "WithdrawalQueue", "request", WEI, protocol.staker.address)
    protocol.report()
    first, second = (keeper(world, tmp_path / name, account(n)) for name, n in (("a", KEEPER), ("b", 29)))
    before = int(devnet.node.request("eth_getBalance", account(29).address, "latest"), 16)
    said = round_of(world, first, second)
    assert "finalised (" in said[0]
    assert said[1] == "nothing is due"
    assert int(devnet.node.request("eth_getBalance", account(29).address, "latest"), 16) == before
    # decided at the same moment: both want to, one does
    protocol.send(protocol.staker, "WithdrawalQueue", "request", WEI, protocol.staker.address)
    protocol.report()
    up_to = int(protocol.view("WithdrawalQueue", "finalizable"))
    with world.devnet.mining():
        one = list(first._send("finalised", protocol.contracts.queue, "finalize(uint256)", [up_to]))
        other = list(second._send("finalised", protocol.contracts.queue, "finalize(uint256)", [up_to]))
    assert (len(one), other) == (1, [])
    assert int(devnet.node.request("eth_getBalance", account(29).address, "latest"), 16) == before


def test_instant_pool_is_refilled_through_the_queue(world: World, tmp_path: Path) -> None:
    """What leavers sold goes to the queue, comes back as ether and is counted, by anybody's keeper."""
    protocol, pool = world.protocol, world.protocol.result.plan.addresses["InstantPool"]
    seller, forever = protocol.keeper, 2**48
    protocol.send(seller, "StakingVault", "stake", seller.address, 0, NO_ONE, value=99 * WEI)
    protocol.send(protocol.stranger, "InstantPool", "addLiquidity", 0, 0, NO_ONE[:-1] + "9", forever, value=49 * WEI)
    protocol.send(seller, "StakedEther", "approve", pool, 2**256 - 1)
    daemon = keeper(world, tmp_path, account(29), pools=(pool,))
    round_of(world, daemon)
    assert "replenished" not in "; ".join(round_of(world, daemon))
    protocol.send(seller, "InstantPool", "sellFor", 45 * WEI, 60 * WEI, seller.address, forever)
    assets, _, _ = protocol.view("InstantPool", "legs")
    assert assets < 6 * WEI
    assert "replenished (" in "; ".join(round_of(world, daemon))
    _, _, awaited = protocol.view("InstantPool", "legs")
    assert "replenished" not in "; ".join(round_of(world, daemon)), "what is awaited is counted"
    protocol.report()
    said = "; ".join(round_of(world, daemon))
    assert "finalised (" in said
    assert "collected (" in said
    counted, _, left = protocol.view("InstantPool", "legs")
    assert left == 0
    assert counted - assets >= awaited


def test_rates_of_a_basket_are_recorded_once_a_day(world: World, tmp_path: Path) -> None:
    """What nobody records goes stale; slETH needs no record."""
    protocol, devnet = world.protocol, world.devnet
    addresses = protocol.result.plan.addresses
    token = protocol.create(protocol.stranger, "ExchangeRateStandIn", {})
    protocol.send(protocol.stranger, "ExchangeRateStandIn", "updateExchangeRate", 105 * WEI // 100)
    provider = protocol.create(
        protocol.stranger,
        "ExchangeRateProvider",
        {
            "authority_": addresses["ProtocolAccessManager"],
            "limits_": {"maxRise": 20, "maxFall": 5, "maxAge": 9 * DAY},
            "pin": pin(),
            "token_": token,
        },
    )
    protocol.report()
    listed = [
        ("addToken", each, config(source, shareCap=most))
        for each, source, most in (
            (addresses["StakedEther"], addresses["StakingVault"], 5_000),
            (token, provider, 10_000),
        )
    ]
    for call in listed:
        protocol.schedule(protocol.governor, "LstBasket", *call)
    devnet.advance(2 * DAY // SLOT + 1)
    for call in listed:
        protocol.send(protocol.governor, "LstBasket", *call)
    protocol.send(protocol.stranger, "ExchangeRateStandIn", "mint", protocol.stranger.address, 15 * WEI)
    protocol.send(protocol.stranger, "ExchangeRateStandIn", "approve", addresses["LstBasket"], 15 * WEI)
    protocol.send(protocol.stranger, "LstBasket", "addLiquidity", token, 9 * WEI, 0, protocol.stranger.address)

    daemon = keeper(world, tmp_path, account(29), baskets=(addresses["LstBasket"],))
    (said,) = round_of(world, daemon)
    assert said.startswith("renewed the limits ("), "the rate is that of the record"
    limit = protocol.view("LstBasket", "holdingOf", addresses["StakedEther"])[1]
    rate = protocol.view("StakingVault", "convertToAssets", WEI)
    assert limit == 9 * WEI * 105 // 100 * 5_000 * WEI // (rate * 10_000)
    protocol.send(protocol.stranger, "ExchangeRateStandIn", "updateExchangeRate", 1_051 * WEI // 1_000)
    (said,) = round_of(world, daemon)
    assert said.startswith("recorded a rate (")
    low, high, at, reported = protocol.view("ExchangeRateProvider", "record")
    assert low == high == 1_051 * WEI // 1_000
    assert at == reported
    protocol.send(protocol.stranger, "ExchangeRateStandIn", "updateExchangeRate", 1_052 * WEI // 1_000)
    assert round_of(world, daemon) == ["nothing is due"], "not twice a day, and limits are not far off"
    devnet.advance(DAY // SLOT + 1)
    assert "would do: recorded a rate" in keeper(world, tmp_path / "dry", None, baskets=daemon.settings.baskets).step()
    protocol.send(protocol.stranger, "ExchangeRateStandIn", "updateExchangeRate", 9 * WEI)
    assert round_of(world, daemon) == ["nothing is due"]
    assert (HEALTHY, SLASHING_PENDING, STALE) == (Health.HEALTHY, Health.SLASHING_PENDING, Health.STALE)
    health, *_ = protocol.view("ExchangeRateProvider", "reading")
    assert health == Health.ROSE, "a leap is for people: nobody wrote it down"
    protocol.send(protocol.stranger, "ExchangeRateStandIn", "updateExchangeRate", 1_052 * WEI // 1_000)
    wrong = keeper(world, tmp_path / "wrong", account(29), baskets=(token, addresses["LstBasket"]))
    with pytest.raises(RoundFailedError, match=f"recorded a rate .* at {provider}.*basket {token}: "):
        round_of(world, wrong)

    # a limit that is far off and of a token that is sick and not held: it would not be renewed
    devnet.advance(3 * DAY // SLOT)
    protocol.send(protocol.stranger, "LstBasket", "addLiquidity", token, 6 * WEI, 0, protocol.stranger.address)
    assert "limits" not in "; ".join(round_of(world, daemon)), "no report for three days"
    protocol.report()
    assert "renewed the limits (" in "; ".join(round_of(world, daemon))
    assert "limits" not in "; ".join(round_of(world, daemon))


def test_slashing_and_leaving_are_proven_by_whoever_sees_them(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when another of the keeper's chores fails: each stands alone, and the round is told as failed."""
    protocol, devnet = world.protocol, world.devnet
    protocol.send(
        protocol.keeper, "StakingVault", "stake", protocol.keeper.address, 0, "0x" + "00" * 20, value=99 * WEI
    )
    operator = world.operator(40 * WEI)
    key = world.validator(operator, "slashed before the keeper")
    daemon = keeper(world, tmp_path, account(29))
    devnet.slash([look(devnet, key).index])
    devnet.advance_block()
    until(devnet, lambda: look(devnet, key).validator.slashed)
    devnet.finalize(devnet.status().slot)

    def fails() -> Iterator[str]:
        raise NodeError("eth_call", -32000, "the node is busy", None)

    with monkeypatch.context() as patch:
        patch.setattr(daemon, "_finalize", fails)
        with pytest.raises(RoundFailedError, match=r"proveSlashed \(.*the node is busy"):
            round_of(world, daemon)
    assert int(protocol.view("OperatorBonds", "caseOf", operator)[0]) > 0
    until(devnet, lambda: protocol.status(key) == "withdrawal_done", epochs=300)
    devnet.finalize(devnet.status().slot)
    said = "; ".join(round_of(world, daemon))
    assert "proveGone (" in said
    assert int(protocol.view("ValidatorManager", "stakeOf", operator)[0]) == 0
    assert FRAME == 72
