"""Ether and validators of strangers, and merges of ours, on a local Ethereum. After each, ether is counted."""

from __future__ import annotations

import pytest
from eth_account.signers.local import LocalAccount

from sluice.beacon import proofs
from sluice.units import Gwei
from tests.devnet.protocol import ETHER, GAS, WEI, Protocol, account, as_struct
from tests.devnet.staking import (
    Key,
    deposit_data,
    look,
    make_deposits,
    make_validators,
    request_consolidation,
    until,
)
from tests.devnet.world import World

NO_ONE = "0x" + "00" * 20
FOREIGN = b"\x01" + bytes(11) + b"\xee" * 20


def held_by(protocol: Protocol, operator: int, *people: LocalAccount) -> list[int]:
    """What could profit somebody: the operator's bond, and everybody's slETH."""
    bond = int(protocol.view("OperatorBonds", "bondOf", operator)[0])
    return [bond, *(int(protocol.view("StakedEther", "balanceOf", each.address)) for each in people)]


def test_B7_strangers_ether_profits_the_pool_and_stops_nothing(world: World) -> None:
    """1 ether (the deposit contract takes no less) and 32 ether for one of our validators, 1 wei each for the gateway
    and the rewards vault, by nobody we know.
    """
    protocol, devnet, giver = world.protocol, world.devnet, account(20)
    protocol.send(protocol.keeper, "StakingVault", "stake", protocol.keeper.address, 0, NO_ONE, value=200 * WEI)
    operator = world.operator(20 * WEI)
    key = world.validator(operator, "gifted", 99)
    protocol.report()
    usual = protocol.report().forecast.profit
    held = held_by(protocol, operator, giver, protocol.operator)
    for amount in (ETHER, 32 * ETHER):
        make_deposits(devnet, giver, deposit_data(devnet, key, FOREIGN, Gwei(amount)))
    for there in (protocol.contracts.gateway, protocol.contracts.rewards_vault):
        devnet.transact(giver, there, b"", 1, GAS)
    reports = [protocol.report() for _ in range(3)]
    profits = [each.forecast.profit for each in reports]
    assert sum(profits) >= 33 * WEI + 3 * usual * 9 // 10, (usual, profits)
    assert sum(each.report.rewards for each in reports) == 1
    assert held_by(protocol, operator, giver, protocol.operator) == held


def test_D8_consolidation_counts_once(world: World) -> None:
    """The balance moves from one of our validators to another; reports before, between and after see no gain in it."""
    protocol, devnet = world.protocol, world.devnet
    protocol.send(protocol.keeper, "StakingVault", "stake", protocol.keeper.address, 0, NO_ONE, value=200 * WEI)
    operator = world.operator(20 * WEI)
    source = world.validator(operator, "consolidation source", 31)
    target = world.validator(operator, "consolidation target", 63)
    period = int(devnet.beacon.spec().values["SHARD_COMMITTEE_PERIOD"])
    until(
        devnet, lambda: devnet.status().slot // 8 >= look(devnet, source).validator.activation_epoch + period + 1, 400
    )
    protocol.report()
    protocol.send(protocol.keeper, "ValidatorManager", "consolidate", source.pubkey, target.pubkey, value=1)
    assert devnet.beacon.pending_consolidations()
    profits = [protocol.report().forecast.profit]
    assert staked(protocol, target) == 64 * ETHER, "the consensus layer may ignore it"
    for _ in range(60):
        profits.append(protocol.report().forecast.profit)
        if look(devnet, source).balance < ETHER:
            break
    assert look(devnet, target).balance >= 95 * ETHER
    assert look(devnet, source).balance < ETHER
    assert all(-WEI < profit < 8 * WEI for profit in profits), profits
    until(devnet, lambda: look(devnet, source).balance == 0, 200)
    tree, timestamp = protocol.state()
    proof = proofs.validator_proof(tree, look(devnet, source).index)
    balance = proofs.balance_proof(tree, proof.index)
    arguments = (as_struct(proof, timestamp), balance.balances, list(balance.branch))
    protocol.send(protocol.stranger, "ValidatorManager", "proveGone", *arguments)
    assert (staked(protocol, source), staked(protocol, target)) == (0, 96 * ETHER)


@pytest.mark.deep
def test_D8_strangers_consolidation_into_ours_is_a_gain_once(world: World) -> None:
    """EIP-7251 lets anybody merge a validator of its own into any that compounds. It is a gift like others."""
    protocol, devnet, giver = world.protocol, world.devnet, account(20)
    protocol.send(protocol.keeper, "StakingVault", "stake", protocol.keeper.address, 0, NO_ONE, value=200 * WEI)
    operator = world.operator(20 * WEI)
    source = Key.of("of a stranger")
    credentials = b"\x01" + bytes(11) + bytes.fromhex(giver.address[2:])
    make_validators(devnet, giver, credentials, Gwei(32 * ETHER), source)
    target = world.validator(operator, "merged into by a stranger", 63)
    period = int(devnet.beacon.spec().values["SHARD_COMMITTEE_PERIOD"])
    until(
        devnet, lambda: devnet.status().slot // 8 >= look(devnet, source).validator.activation_epoch + period + 1, 400
    )
    protocol.report()
    usual = protocol.report().forecast.profit
    held = held_by(protocol, operator, giver, protocol.operator)
    request_consolidation(devnet, giver, source.pubkey, target.pubkey)
    profits = []
    for _ in range(60):
        profits.append(protocol.report().forecast.profit)
        if look(devnet, source).balance < ETHER:
            break
    assert look(devnet, target).balance >= 96 * ETHER
    profits.append(protocol.report().forecast.profit)  # what the limit has held back
    gain = sum(profits) - len(profits) * usual
    assert 24 * WEI < gain < 40 * WEI, (usual, profits)
    assert staked(protocol, target) == 64 * ETHER, "it is nobody's stake"
    assert held_by(protocol, operator, giver, protocol.operator) == held


def staked(protocol: Protocol, key: Key) -> int:
    """Gwei."""
    return int(protocol.view("ValidatorManager", "validator", key.pubkey)[6])
