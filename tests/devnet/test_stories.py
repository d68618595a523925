"""Whole stories on a local Ethereum with both halves: real deposits, states, proofs, requests, withdrawals.

They are told on one chain, one after the other, each with an operator and validators of its own. After each, ether is
counted: execution balances, consensus balances and burnt fees, to the gwei.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount

from sluice.beacon import proofs
from sluice.oracle.layer import NotFinalError
from sluice.oracle.report import Report
from sluice.oracle.tree import SumTree
from sluice.units import Gwei, Slot
from tests.challenging import ForgedTree, flat
from tests.devnet.committee import committee, rounds
from tests.devnet.protocol import DAY, ETHER, FRAME, GAS, SLOT, WEI, Protocol, RefusedError, account, as_struct
from tests.devnet.staking import (
    Key,
    deposit_data,
    look,
    make_deposits,
    make_validators,
    request_consolidation,
    until,
)
from tests.devnet.world import World, open_world

NO_ONE = "0x" + "00" * 20
FOREIGN = b"\x01" + bytes(11) + b"\xee" * 20


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(Path(tmp_path_factory.mktemp("protocol"))) as opened:
        yield opened


@pytest.fixture(autouse=True)
def conserved(world: World) -> Iterator[None]:
    yield
    world.books.check()


def worth(protocol: Protocol, shares: int) -> int:
    return shares * int(protocol.view("StakingVault", "totalAssets")) // int(protocol.view("StakingVault", "supply"))


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
    owed = worth(protocol, shares)
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
    assert worth(protocol, paid) == pytest.approx(WEI, rel=1e-9), "at once"
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
    assert worth(protocol, paid) == pytest.approx(seen.report.faults * 10**9, rel=1e-3)
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


@pytest.mark.parametrize("left", [3 * WEI // 10, 0])
def test_slashing_with_some_or_none_of_a_bond_is_borne_by_holders(left: int, tmp_path: Path) -> None:
    """What the committee has settled has left so much of the bond. That and the cover fund go; the rate falls by the
    rest, and by no wei more.
    """
    with open_world(tmp_path) as world:
        protocol, devnet = world.protocol, world.devnet
        operator = world.operator(14 * WEI)
        key = world.validator(operator, "slashed", 127)
        before = protocol.report().report
        protocol.settle(operator, 14 * WEI - left)
        cover = 14 * WEI - left
        assert covered(protocol) == cover, "what was settled is the cover fund's"
        devnet.slash([look(devnet, key).index])
        devnet.advance_block()
        until(devnet, lambda: look(devnet, key).validator.slashed)
        protocol.send(protocol.stranger, "ValidatorManager", "proveSlashed", protocol.proof(key))
        assert protocol.view("StakingVault", "unvested") == 0, "nothing else pays, and the rate stands still"
        rate, supply = exact_rate(protocol), int(protocol.view("StakingVault", "supply"))
        seen = protocol.report().report
        loss = (counted(before) - counted(seen)) * 10**9
        assert (before.rewards, seen.rewards) == (0, 0)
        assert seen.faults * 10**9 > loss > 20 * WEI
        assert int(protocol.view("OperatorBonds", "bondOf", operator)[0]) == covered(protocol) == 0
        remaining = supply - left - cover
        assert int(protocol.view("StakingVault", "supply")) == remaining
        fall = (loss - rate * (left + cover)) / remaining
        assert exact_rate(protocol) == rate - fall
        assert fall > Fraction(1, 1_000)
        world.books.check()


def covered(protocol: Protocol) -> int:
    """Shares that the cover fund has."""
    return int(protocol.view("StakedEther", "balanceOf", protocol.result.plan.addresses["CoverFund"]))


def exact_rate(protocol: Protocol) -> Fraction:
    return Fraction(protocol.view("StakingVault", "totalAssets"), protocol.view("StakingVault", "supply"))


def counted(report: Report) -> int:
    """What is there of all that was deposited, gwei."""
    return report.consensus_balance + report.withdrawn - report.provision - report.deposited


def test_committee_that_lies_about_one_balance_pays(world: World) -> None:
    """Five of nine sign 20 ether too much; anybody shows it, they lose their bonds, the oracle halts. Told last."""
    protocol = world.protocol
    protocol.report()
    protocol.next_frame()
    true = protocol.prepared()
    reading = protocol.layer.read(true.report.reference_slot)
    leaves = reading.leaves
    items = flat(leaves)
    items[0] = (items[0][0], items[0][1] + 20 * ETHER)
    tree = ForgedTree(items, (len(leaves.balances), len(leaves.deposits), len(leaves.preparations)))
    lie = protocol.changed(true.report, balances_root=tree.root, consensus_balance=tree.total)
    signatures = protocol.signatures(lie)
    protocol.submit(lie, signatures)
    assert SumTree(leaves).root == true.report.balances_root
    state = protocol.layer.tree_of(reading)
    proof = proofs.balance_proof(state, reading.ours.indices[0])
    header = as_struct(proofs.validator_proof(state, reading.ours.indices[0]), 0)["header"]
    evidence = {
        "header": header,
        "balances": proof.balances,
        "deposit": {
            "pubkey": b"",
            "credentials": bytes(32),
            "amount": 0,
            "signatureRoot": bytes(32),
            "slot": 0,
        },
        "depositCount": 0,
        "branch": proof.branch,
    }
    unvested = int(protocol.view("StakingVault", "unvested"))
    assert unvested > 10 * WEI
    with pytest.raises(RefusedError, match="BalancesRootMismatch"):
        protocol.challenge(lie, signatures, SumTree(leaves).open(0), evidence)
    protocol.challenge(lie, signatures, tree.open(0), evidence)
    assert int(protocol.view("StakingVault", "unvested")) < 10**9
    assert protocol.view("ReportOracle", "halted")
    bonds = [int(protocol.view("ReportChallenge", "bondOf", account(n).address)[0]) for n in range(10, 19)]
    assert sorted(bond > 0 for bond in bonds) == [False] * 5 + [True] * 4
    assert int(protocol.view("StakedEther", "balanceOf", protocol.stranger.address)) > 2 * WEI
    assert DAY == FRAME * SLOT
