"""One ether's way out and back: staked, deposited for real, earning, slashed, asked back, paid; every wei found."""

from __future__ import annotations

import pytest

from sluice.chain.interface import Status
from sluice.chain.node import get_balance
from sluice.chain.passing import advance_days, advance_seconds, pay
from sluice.chain.standin import StandIn
from sluice.chain.state import Rules
from sluice.units import Wei, ether, ether_to_gwei
from tests.protocol import Protocol
from tests.reporting import World, deposit_root, pubkey

ZERO = "0x" + "00" * 20


@pytest.fixture
def world(protocol: Protocol) -> World:
    return World.around(protocol, Rules(seed=4, yearly_rate=40_000))


def stake(world: World, who, amount: int) -> None:
    world.protocol.vault.stake(who, 0, ZERO, sender=who, value=amount)


def test_deposit_of_the_vault_is_seen_as_a_validator_with_its_credentials(world: World) -> None:
    p, who = world.protocol, world.protocol.actors
    stake(world, who.staker, ether(100))
    before = get_balance(world.node, p.deposit_contract.address)
    (key,) = world.fund_validators(ether_to_gwei("40.000000001"))
    assert get_balance(world.node, p.deposit_contract.address) - before == ether("40.000000001")
    view = world.layer.view(world.layer.slot, world.credentials)
    assert (view.balance, view.deposits, view.validators) == (40_000_000_001, 40_000_000_001, 0)
    advance_days(world.layer, 1)
    (info,) = world.layer.validators(world.credentials)
    assert (info.pubkey, info.status) == (key, Status.ACTIVE)
    assert info.credentials == b"\x02" + bytes(11) + bytes.fromhex(p.gateway.address[2:])


def test_stake_goes_out_earns_and_comes_back_to_the_wei(world: World) -> None:
    p, who = world.protocol, world.protocol.actors
    vault, queue = p.vault, p.queue
    stake(world, who.staker, ether(300))
    stake(world, who.other, ether(100))
    keys = world.fund_validators(ether_to_gwei(200), ether_to_gwei(150))

    for _ in range(10):
        pay(world.node, who.stranger.address, p.rewards.address, Wei(ether("0.01") + 7))
        world.report()
        advance_days(world.layer, 1)
    assert vault.rate() > ether("1.0005")

    # everybody wants out: nothing can go until the validators have left
    shares = {a.address: p.token.balanceOf(a) for a in (who.staker, who.other)}
    queue.request(shares[who.staker.address], who.staker, sender=who.staker)
    queue.requestBatch([shares[who.other.address] // 2] * 2, who.other, sender=who.other)
    advance_days(world.layer, 1)
    world.report()
    assert queue.finalizable() == 0
    for key in keys:
        world.layer.exit(key)
    advance_days(world.layer, 2)
    world.report()
    assert vault.outside() == 0
    assert {v.status for v in world.layer.validators(world.credentials)} == {Status.WITHDRAWN}

    assert queue.finalizable() == 3
    receipt = queue.finalize(3, sender=who.stranger)
    (finalized,) = [e for e in receipt.events if e.event_name == "Finalized"]
    balances = {a.address: a.balance for a in (who.staker, who.other)}
    claims = [queue.getRequest(n).assets for n in (1, 2, 3)]
    for request_id in (1, 2, 3):
        queue.claim(request_id, sender=who.stranger)
    assert who.staker.balance - balances[who.staker.address] == claims[0] > ether(300)
    assert who.other.balance - balances[who.other.address] == claims[1] + claims[2] > ether(100)
    assert 0 <= finalized.assets - sum(claims) < 3

    # the ledger of both sides
    ledger = world.layer.conservation()
    assert ledger.holds
    assert ledger.balances + ledger.pending == 0
    rewards = ledger.rewards * 10**9
    tips = 10 * (ether("0.01") + 7)
    in_protocol = sum(
        get_balance(world.node, c.address) for c in (vault, queue, p.gateway, p.rewards, p.token, p.oracle)
    )
    assert in_protocol + sum(claims) == p.params.vault.seed + ether(400) + rewards + tips
    assert get_balance(world.node, vault.address) == vault.buffer() == vault.pooled()
    assert get_balance(world.node, queue.address) == finalized.assets - sum(claims)
    # what stays is what the fee's and the seed's shares are worth, and rewards that still vest
    assert p.token.totalSupply() == p.params.vault.seed + p.token.balanceOf(vault.feeRecipient()) + sum(
        p.token.balanceOf(a) for a in (who.staker, who.other)
    )


def test_slashing_is_provided_for_at_once_and_costs_nothing_more_later(world: World) -> None:
    stake(world, world.protocol.actors.staker, ether(1_000))
    keys = world.fund_validators(ether_to_gwei(500), ether_to_gwei(400))
    world.report()
    advance_days(world.layer, 1)
    world.report()
    world.layer.slash(keys[0], ether_to_gwei(20))
    seen = world.report()
    assert seen.report.provision == ether_to_gwei(20)
    assert -seen.forecast.profit > ether(20)
    for _ in range(3):
        advance_days(world.layer, 10)
        later = world.report()
        assert later.forecast.profit > 0
    assert later.report.provision == 0  # the penalty has been taken, 18 days after the offence
    advance_days(world.layer, 10)
    assert world.layer.view(world.layer.slot, world.credentials).withdrawn > ether_to_gwei(479)
    assert world.report().forecast.profit > 0
    assert world.layer.conservation().holds


def test_front_run_credentials_are_not_counted_as_ours(world: World) -> None:
    """B1: who deposits first for a key decides whose it is; the report says so as a loss."""
    p, who = world.protocol, world.protocol.actors
    stake(world, who.staker, ether(1_000))
    theirs = b"\x02" + bytes(11) + b"\x66" * 20
    root = deposit_root(pubkey(0), theirs, ether_to_gwei(1), bytes(96))
    p.deposit_contract.deposit(pubkey(0), theirs, bytes(96), root, value=ether(1), sender=who.stranger)
    world.fund_validators(ether_to_gwei(32))
    advance_days(world.layer, 1)
    view = world.layer.view(world.layer.slot, world.credentials)
    assert (view.balance, view.validators) == (0, 0)
    assert world.prepare().forecast.profit == -ether(32)


def test_saved_consensus_goes_on_beside_the_protocol(world: World, tmp_path) -> None:
    p, who = world.protocol, world.protocol.actors
    stake(world, who.staker, ether(100))
    world.fund_validators(ether_to_gwei(64))
    advance_seconds(world.layer, 1_000)
    world.layer.save(tmp_path / "consensus.json")
    world.layer = StandIn.load(tmp_path / "consensus.json", world.node)
    world.report()
    advance_days(world.layer, 1)
    assert world.report().forecast.profit > 0
    assert p.vault.outside() > ether(64)
