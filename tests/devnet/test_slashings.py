"""Who pays for a slashing that a bond does not cover, and for a lie of the committee, on a local Ethereum."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from sluice.beacon import proofs
from sluice.oracle.report import Report
from sluice.oracle.tree import SumTree
from tests.challenging import ForgedTree, flat
from tests.devnet.protocol import DAY, ETHER, FRAME, SLOT, WEI, Protocol, RefusedError, account, as_struct
from tests.devnet.staking import look, until
from tests.devnet.world import World, open_world


@pytest.mark.parametrize("left", [3 * WEI // 10, pytest.param(0, marks=pytest.mark.deep)])
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
    """Five of nine sign 20 ether too much; anybody shows it, they lose their bonds, the oracle halts."""
    protocol = world.protocol
    world.validator(world.operator(), "lied about", 63)
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
