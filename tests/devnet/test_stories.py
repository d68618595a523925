"""Whole stories on a local Ethereum with both halves: real deposits, states, proofs, requests, withdrawals.

They are told on one chain, one after the other, each with an operator and validators of its own. After each, ether is
counted: execution balances, consensus balances and burnt fees, to the gwei.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.oracle.layer import NotFinalError
from sluice.units import Gwei, Slot
from tests.devnet.committee import committee, rounds
from tests.devnet.protocol import ETHER, FRAME, WEI, RefusedError, account
from tests.devnet.staking import (
    Key,
    deposit_data,
    look,
    make_deposits,
    until,
)
from tests.devnet.world import World

NO_ONE = "0x" + "00" * 20
FOREIGN = b"\x01" + bytes(11) + b"\xee" * 20


def test_ether_goes_to_work_and_comes_back(world: World) -> None:
    """stake, prepare, prove, top-up, active, earns, report, request, partial withdrawal, sweep, finalised, claimed."""
    protocol, devnet = world.protocol, world.devnet
    operator = world.operator()
    key = world.validator(operator, "story one", 63)
    first = protocol.report()
    assert first.report.validators == 1
    assert first.report.consensus_balance >= 64 * ETHER
    protocol.next_frame()
    second = protocol.prepared()
    assert second.forecast.profit > 0
    rate, supply = protocol.rate, int(protocol.view("StakingVault", "supply"))
    protocol.submit(second.report)
    # what vests from one block to the next of the reports before and of this one
    assert protocol.rate - rate < second.forecast.profit / supply / 10, "a report never makes the rate jump"
    devnet.advance(FRAME // 2)
    assert protocol.rate > rate

    queue = "WithdrawalQueue"
    shares = 20 * WEI
    protocol.send(protocol.staker, queue, "request", shares, protocol.staker.address)
    exits = ([key.pubkey], [10 * ETHER])
    protocol.send(protocol.keeper, "ValidatorManager", "requestExits", *exits, value=1)
    gateway = protocol.result.plan.addresses["WithdrawalGatewayProxy"]

    def lies_there() -> int:
        return int(devnet.node.request("eth_getBalance", gateway, "latest"), 16)

    until(devnet, lambda: lies_there() >= 10 * WEI, epochs=400)
    third = protocol.report()  # sweeps as well
    assert lies_there() < 10**9
    assert third.report.withdrawn >= 10 * ETHER
    owed = protocol.worth(shares)
    protocol.send(protocol.stranger, queue, "finalize", 1)
    before = int(devnet.node.request("eth_getBalance", protocol.staker.address, "latest"), 16)
    protocol.send(protocol.stranger, queue, "claim(uint256)", 1)
    paid = int(devnet.node.request("eth_getBalance", protocol.staker.address, "latest"), 16) - before
    assert owed <= paid < owed + WEI // 100


def test_front_run_credentials_cost_the_operator_alone(world: World) -> None:
    """B1: the operator deposits first, with credentials of its own. No ether of stakers follows."""
    protocol, devnet = world.protocol, world.devnet
    operator = world.operator(40 * WEI)
    key = Key.of("front runner")
    make_deposits(devnet, account(20), deposit_data(devnet, key, FOREIGN, Gwei(ETHER)))
    protocol.prepare(operator, protocol.operator, key)
    index = protocol.appears(key)
    until(devnet, lambda: look(devnet, key).balance >= 2 * ETHER)
    proof = protocol.proof(key)
    assert proof["index"] == index
    held = int(protocol.view("OperatorBonds", "bondOf", operator)[0])
    with pytest.raises(RefusedError, match="CredentialsMismatch"):
        protocol.send(protocol.stranger, "ValidatorManager", "prove", proof)
    protocol.send(protocol.stranger, "ValidatorManager", "refuse", proof)
    with pytest.raises(RefusedError, match="PhaseUnexpected"):
        protocol.top_up(key, 31)
    paid = held - int(protocol.view("OperatorBonds", "bondOf", operator)[0])
    assert protocol.worth(paid) == pytest.approx(WEI, rel=1e-9), "at once"
    rate, supply = protocol.rate, int(protocol.view("StakingVault", "supply"))
    seen = protocol.report()
    assert seen.report.faults == ETHER
    assert protocol.rate == pytest.approx(rate, rel=1e-5)
    assert int(protocol.view("StakingVault", "supply")) < supply, "what was taken covers the loss"
    assert int(protocol.view("OperatorBonds", "bondOf", operator)[0]) == held - paid


def test_slashing_with_enough_of_a_bond_costs_holders_nothing(world: World) -> None:
    """The offence is proven by a stranger, the loss told by the committee, and paid by the bond, gains or not."""
    protocol, devnet = world.protocol, world.devnet
    operator = world.operator(40 * WEI)
    key = world.validator(operator, "slashed")
    protocol.report()
    devnet.slash([look(devnet, key).index])
    devnet.advance_block()
    until(devnet, lambda: look(devnet, key).validator.slashed)
    protocol.send(protocol.stranger, "ValidatorManager", "proveSlashed", protocol.proof(key))
    pending = int(protocol.view("StakingVault", "slashingPendingUntil"))
    assert pending > 0, "nothing is finalised without a report until one counts it"
    held = int(protocol.view("OperatorBonds", "bondOf", operator)[0])
    total = int(protocol.view("StakingVault", "totalAssets"))
    supply = int(protocol.view("StakingVault", "supply"))
    seen = protocol.report()
    assert seen.report.faults > 0
    assert seen.report.provision > 0
    assert protocol.view("StakingVault", "slashingPendingUntil") == 0
    paid = held - int(protocol.view("OperatorBonds", "bondOf", operator)[0])
    assert protocol.worth(paid) == pytest.approx(seen.report.faults * 10**9, rel=1e-3)
    after = int(protocol.view("StakingVault", "totalAssets")) * supply
    assert after >= total * int(protocol.view("StakingVault", "supply")), "the rate has not fallen"


def test_overdue_request_lets_a_stranger_force_exits(world: World) -> None:
    protocol, devnet = world.protocol, world.devnet
    operator = world.operator()
    key = world.validator(operator, "forced", 2_047)
    queue, manager = "WithdrawalQueue", "ValidatorManager"
    buffer = int(protocol.view("StakingVault", "buffer"))
    wanted = int(protocol.view("StakingVault", "convertToShares", buffer + 100 * WEI))
    protocol.send(protocol.staker, queue, "request", wanted, protocol.staker.address)
    request = int(protocol.view(queue, "lastRequestId"))
    with pytest.raises(RefusedError, match="NotOverdue"):
        protocol.send(protocol.stranger, manager, "forceExits", request, [key.pubkey], value=9)
    for _ in range(7):
        protocol.report()
    devnet.advance(FRAME)
    missing = int(protocol.view(manager, "missing", request))
    assert 10 * ETHER < missing <= 101 * ETHER, "the rest has come in by itself"
    keys = protocol.keys_from(int(protocol.view(manager, "exitCursor")))
    protocol.send(protocol.stranger, manager, "forceExits", request, keys, value=len(keys))
    assert int(protocol.view(manager, "missing", request)) == 0
    gateway = protocol.result.plan.addresses["WithdrawalGatewayProxy"]
    until(devnet, lambda: int(devnet.node.request("eth_getBalance", gateway, "latest"), 16) >= missing * 10**9, 400)
    protocol.report()
    # meanwhile the request has earned on; what somebody stakes makes up for that
    protocol.send(protocol.keeper, "StakingVault", "stake", protocol.keeper.address, 0, NO_ONE, value=2 * WEI)
    protocol.send(protocol.stranger, queue, "finalize", request)
    protocol.send(protocol.stranger, queue, "claim(uint256)", request)


def test_missed_reference_slot_is_reported_from_the_block_before(world: World) -> None:
    protocol, devnet = world.protocol, world.devnet
    now = devnet.status().slot
    reference = (now // FRAME + 1) * FRAME
    devnet.advance_to(reference - 1)
    devnet.advance(1, skip=1)
    assert devnet.beacon.header_at(reference) is None
    with pytest.raises(NotFinalError):
        protocol.prepared()
    devnet.finalize(reference)
    made = protocol.prepared()
    assert protocol.layer.read(made.report.reference_slot).header.slot == reference - 1
    protocol.submit(made.report)


def test_queue_pays_without_reports_when_five_of_nine_are_silent(world: World, tmp_path: Path) -> None:
    """The other four sign, exchange and vote, frame after frame: no report comes. Three days later who has waited is
    paid at the rate of the moment.
    """
    protocol, devnet = world.protocol, world.devnet
    protocol.send(protocol.keeper, "StakingVault", "stake", protocol.keeper.address, 0, NO_ONE, value=9 * WEI)
    protocol.send(protocol.staker, "WithdrawalQueue", "request", WEI, protocol.staker.address)
    request = int(protocol.view("WithdrawalQueue", "lastRequestId"))
    newest = protocol.view("ReportOracle", "newest")
    with committee(world, tmp_path, [1, 3, 5, 7], vote_after=0.001) as members:
        for _ in range(3):
            protocol.next_frame()
            with pytest.raises(RefusedError, match="RequestNotCovered"):
                protocol.send(protocol.stranger, "WithdrawalQueue", "finalize", request)
            said = rounds(world, members)
            assert sum("voted (" in each for each in said) == 4, said
            slot = Slot(int(protocol.view("ReportOracle", "expected")[0]))
            assert [len(each.book.messages(slot)) for each in members] == [4] * 4, "all have all signatures there are"
    assert protocol.view("ReportOracle", "newest") == newest
    devnet.advance(FRAME)
    protocol.send(protocol.stranger, "WithdrawalQueue", "finalize", request)
    protocol.send(protocol.stranger, "WithdrawalQueue", "claim(uint256)", request)
    assert not protocol.report().forecast.violations, "who comes back late reports all of it"
