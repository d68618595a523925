"""What Python builds and signs is what the contracts check and apply."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sluice.chain.node import get_balance
from sluice.chain.passing import advance_days, pay
from sluice.oracle.signing import digest
from sluice.units import Wei, ether, ether_to_gwei
from tests.protocol import Protocol
from tests.reporting import World, deposit_root
from tests.reverts import reverts


@pytest.fixture
def world(protocol: Protocol) -> World:
    return World.around(protocol)


def test_digest_equals_the_contracts(world: World) -> None:
    report = world.prepare().report
    assert bytes(world.protocol.oracle.digest(report.as_tuple())) == digest(report, world.contracts.domain)
    other = replace(report, rewards=Wei(2**96 - 1), consensus_balance=2**64 - 1, beacon_root=b"\xff" * 32)
    assert bytes(world.protocol.oracle.digest(other.as_tuple())) == digest(other, world.contracts.domain)


@pytest.mark.parametrize("compact", [False, True], ids=["65 bytes", "ERC-2098"])
def test_oracle_takes_the_committees_signatures(world: World, compact: bool) -> None:
    prepared = world.prepare()
    receipt = world.submit(prepared, compact=compact)
    assert not receipt.failed
    assert world.protocol.oracle.lastReferenceSlot() == prepared.report.reference_slot


def test_view_of_the_vault_is_that_of_the_reference_slot(world: World) -> None:
    p, who = world.protocol, world.protocol.actors
    p.vault.stake(who.staker, 0, who.other, value=ether(100), sender=who.staker)
    world.fund_validators(ether_to_gwei(32))
    pay(world.node, who.stranger.address, p.rewards.address, ether("0.01"))
    world.report()
    advance_days(world.layer, 1)
    total, supply = p.vault.totalAssets(), p.token.totalSupply()
    stamp = world.layer.stamp(world.layer.frames.first + p.oracle.expected()[0])
    # after the reference slot: a stake, a deposit, a gift, a request
    p.vault.stake(who.other, 0, who.other, value=ether(50), sender=who.other)
    world.fund_validators(ether_to_gwei(40), first=1)
    pay(world.node, who.stranger.address, p.rewards.address, ether("0.5"))
    p.queue.request(ether(1), who.staker, sender=who.staker)
    seen = world.prepare()
    assert stamp == seen.stamp
    assert seen.vault.deposited == ether_to_gwei(32)
    assert seen.vault.deposited_now == ether_to_gwei(72)
    assert seen.consensus.balance < ether_to_gwei(33)
    assert seen.vault.rewards_balance == 0
    assert seen.vault.supply == supply < p.token.totalSupply()
    assert seen.vault.open_shares == 0
    # the block of the slot is a little older than the one `total` was read in
    assert seen.vault.total <= total
    pooled = p.vault.pooled(block_id=seen.stamp.block)
    vesting_end = p.vault.unvested(block_id=seen.stamp.block)
    assert seen.vault.total == pooled - vesting_end


def test_forecast_is_what_the_vault_reports(world: World) -> None:
    p, who = world.protocol, world.protocol.actors
    p.vault.stake(who.staker, 0, who.other, value=ether(1_000), sender=who.staker)
    (key,) = world.fund_validators(ether_to_gwei(900))
    for day in range(3):
        pay(world.node, who.stranger.address, p.rewards.address, Wei(ether("0.03") + day))
        if day == 2:
            world.layer.slash(key, ether_to_gwei(2))
        prepared = world.prepare()
        receipt = world.submit(prepared)
        (reported,) = [e for e in receipt.events if e.event_name == "Reported"]
        assert reported.profit == prepared.forecast.profit
        assert prepared.forecast.violations == ()
    assert reported.profit < 0


def test_forecast_names_the_limit_that_refuses(world: World) -> None:
    p, who = world.protocol, world.protocol.actors
    p.vault.stake(who.staker, 0, who.other, value=ether(1_000), sender=who.staker)
    (key,) = world.fund_validators(ether_to_gwei(900))
    world.report()
    world.layer.slash(key, ether_to_gwei(100))
    prepared = world.prepare()
    loss = -prepared.forecast.profit
    limit = prepared.limits.most_loss(prepared.vault.total, prepared.vault.elapsed)  # vesting goes on until the report
    assert prepared.forecast.violations == (f"LossAboveLimit({loss}, {limit})",)
    with reverts(p.limits.LossAboveLimit, loss=loss):
        world.submit(prepared)


# --- Ether of third parties ---


GIFT = 10_000


def gift_to_vault(world: World) -> None:
    world.node.request("anvil_addBalance", world.protocol.vault.address, hex(ether(GIFT)))


def gift_to_gateway(world: World) -> None:
    pay(world.node, world.protocol.actors.stranger.address, world.protocol.gateway.address, ether(GIFT // 2))


def gift_to_gateway_and_sweep(world: World) -> None:
    gift_to_gateway(world)
    world.protocol.gateway.sweep(sender=world.protocol.actors.stranger)


def gift_to_rewards(world: World) -> None:
    pay(world.node, world.protocol.actors.stranger.address, world.protocol.rewards.address, ether(GIFT // 2))


def gift_to_queue(world: World) -> None:
    world.node.request("anvil_addBalance", world.protocol.queue.address, hex(ether(GIFT)))


def gift_to_validator(world: World) -> None:
    deposit_by_stranger(world, world.layer.validators(world.credentials)[0].pubkey, world.credentials)


def gift_of_a_validator(world: World) -> None:
    deposit_by_stranger(world, b"\x77" * 48, world.credentials)


def deposit_by_stranger(world: World, pubkey: bytes, credentials: bytes) -> None:
    p = world.protocol
    amount = ether_to_gwei(1_000)
    signature = bytes(96)
    root = deposit_root(pubkey, credentials, amount, signature)
    stranger = p.actors.stranger
    p.deposit_contract.deposit(pubkey, credentials, signature, root, value=amount * 10**9, sender=stranger)


GIFTS = [
    gift_to_vault,
    gift_to_gateway,
    gift_to_gateway_and_sweep,
    gift_to_rewards,
    gift_to_queue,
    gift_to_validator,
    gift_of_a_validator,
]


@pytest.mark.parametrize("give", GIFTS, ids=lambda give: give.__name__)
def test_B7_gift_neither_moves_the_rate_before_a_report_nor_blocks_one(world: World, give) -> None:
    """INV-ORC-05, INV-ACC-12."""
    p, who = world.protocol, world.protocol.actors
    p.vault.stake(who.staker, 0, who.other, value=ether(100), sender=who.staker)
    world.fund_validators(ether_to_gwei(64))
    world.report()
    before = (p.vault.pooled(), p.token.totalSupply(), p.vault.buffer() + p.vault.outside())
    give(world)
    assert (p.vault.pooled(), p.token.totalSupply(), p.vault.buffer() + p.vault.outside()) == before
    for _ in range(3):
        prepared = world.report()
        limit = prepared.limits.most_gain(prepared.vault.total, prepared.vault.elapsed)
        assert 0 <= prepared.forecast.profit <= limit
    assert world.layer.conservation().holds


@pytest.mark.parametrize("give", GIFTS, ids=lambda give: give.__name__)
def test_B7_gift_does_not_block_the_report_of_a_loss(world: World, give) -> None:
    """INV-ORC-05."""
    p, who = world.protocol, world.protocol.actors
    p.vault.stake(who.staker, 0, who.other, value=ether(100), sender=who.staker)
    keys = world.fund_validators(ether_to_gwei(40), ether_to_gwei(40))
    world.report()
    give(world)
    world.layer.slash(keys[1], ether_to_gwei(2))
    rate = p.vault.rate()
    world.report()
    world.report()
    assert p.vault.stakeLimit() > 0
    if give in (gift_to_vault, gift_to_queue, gift_to_gateway):
        assert p.vault.rate() < rate
    if give is gift_to_gateway_and_sweep:  # its ether lies in the buffer where the pool's was lost
        assert p.vault.rate() >= rate


def test_all_ether_of_the_gateway_is_swept_in_the_end(world: World) -> None:
    """A gift to the gateway leaves with the ether of the pool it stood in for, and no more."""
    p, who = world.protocol, world.protocol.actors
    p.vault.stake(who.staker, 0, who.other, value=ether(100), sender=who.staker)
    (key,) = world.fund_validators(ether_to_gwei(64))
    advance_days(world.layer, 1)
    gift_to_gateway_and_sweep(world)
    assert p.vault.outside() == 0
    world.layer.exit(key)
    advance_days(world.layer, 3)
    world.report()
    world.report()
    assert p.vault.outside() == 0
    assert p.vault.buffer() == p.vault.pooled()
    assert get_balance(world.node, p.gateway.address) == ether(GIFT // 2)
