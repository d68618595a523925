"""Farm on a node: with slETH of the real core and signed permits, and what calls cost."""

from __future__ import annotations

import pytest
from ape import chain

from tests.farming import INFINITE, token_for
from tests.reverts import reverts
from tests.small_core import DAY, ETHER, SmallCore
from tests.typed_data import sign_permit

NOTHING: list[int] = []


@pytest.fixture(scope="module")
def adder(accounts):
    return accounts[1]


@pytest.fixture(scope="module")
def alone(accounts):
    return accounts[2]


@pytest.fixture(scope="module")
def other(accounts):
    return accounts[3]


@pytest.fixture(scope="module")
def stranger(accounts):
    return accounts[5]


@pytest.fixture(scope="module")
def farm(project, accounts):
    return accounts[0].deploy(project.Farm)


@pytest.fixture(scope="module")
def token(project, farm, adder, alone, other, stranger):
    return token_for(project, farm, (adder, alone, other, stranger))


@pytest.fixture(scope="module")
def begin(farm, adder):
    """A stream of 36 ether in 36,000 seconds that starts in 100 seconds: id and start."""

    def run(stake_token, paid):
        start = chain.blocks.head.timestamp + 100
        tx = farm.addStream(stake_token, paid, 36 * ETHER, start, start + 36_000, sender=adder)
        return tx.return_value, start

    return run


def at(timestamp: int) -> None:
    """The next transaction is of this second."""
    chain.pending_timestamp = timestamp


# --- stakeWithPermit ---


@pytest.fixture(scope="module")
def core(project, accounts, alone, other):
    core = SmallCore.deploy(project, accounts[0], accounts[9])
    core.stake(alone, 100 * ETHER)
    core.stake(other, 100 * ETHER)
    return core


def permitted(farm, core, who, amount):
    deadline = chain.blocks.head.timestamp + DAY
    signature = sign_permit(core.token, who, spender=farm, value=amount, nonce=0, deadline=deadline)
    return deadline, signature.v, signature.r, signature.s


def test_stake_with_permit_needs_no_approval(farm, core, token, begin, alone):
    number, _ = begin(core.token, token)
    permit = permitted(farm, core, alone, 3 * ETHER)
    farm.stakeWithPermit(core.token, 3 * ETHER, alone, [number], *permit, sender=alone)
    assert farm.stakeOf(core.token, alone) == farm.stream(number).eligible == 3 * ETHER
    assert core.token.allowance(alone, farm) == 0


def test_G1_stake_with_permit_survives_somebody_submitting_the_permit_first(farm, core, alone, stranger):
    deadline, v, r, s = permitted(farm, core, alone, 3 * ETHER)
    core.token.permit(alone, farm, 3 * ETHER, deadline, v, r, s, sender=stranger)
    farm.stakeWithPermit(core.token, 3 * ETHER, alone, NOTHING, deadline, v, r, s, sender=alone)
    assert farm.stakeOf(core.token, alone) == 3 * ETHER


def test_G1_a_permit_that_is_not_for_it_changes_nothing(farm, core, token, alone, other, stranger):
    """Signed by another: no allowance, so no stake. A token without permits: the allowance decides."""
    permit = permitted(farm, core, other, ETHER)
    with reverts(farm.TransferFailed, token=core.token, **{"from": alone}, to=farm, amount=ETHER):
        farm.stakeWithPermit(core.token, ETHER, alone, NOTHING, *permit, sender=alone)
    farm.stakeWithPermit(token, ETHER, alone, NOTHING, 0, 0, b"", b"", sender=alone)
    assert farm.stakeOf(token, alone) == ETHER
    with reverts(farm.NotAContract, account=stranger):
        farm.stakeWithPermit(stranger, ETHER, alone, NOTHING, 0, 0, b"", b"", sender=alone)


# --- Gas ---


def test_gas_of_stakes_and_claims(project, farm, core, begin, accounts, adder, alone, other):
    """Whole transactions with slETH staked and wrapped ether paid, one stream chosen."""
    weth = accounts[0].deploy(project.WrappedEther)
    weth.deposit(sender=adder, value=150 * ETHER)
    weth.approve(farm, INFINITE, sender=adder)
    for who in (alone, other):
        core.token.approve(farm, INFINITE, sender=who)
    number, start = begin(core.token, weth)
    farm.stake(core.token, ETHER, other, [number], sender=other)
    gas = {}
    gas["first stake"] = farm.stake(core.token, ETHER, alone, [number], sender=alone).gas_used
    for _ in range(3):
        begin(core.token, weth)  # what others add costs nobody
    at(start + 1_000)
    gas["stake again"] = farm.stake(core.token, ETHER, alone, NOTHING, sender=alone).gas_used
    at(start + 2_000)
    gas["claim, first of the token"] = farm.claim([number], alone, sender=alone).gas_used
    at(start + 3_000)
    gas["claim"] = farm.claim([number], alone, sender=alone).gas_used
    gas["unstake"] = farm.unstake(core.token, ETHER // 2, alone, sender=alone).gas_used
    at(start + 4_000)
    gas["exit"] = farm.exit(core.token, alone, sender=alone).gas_used
    assert gas["stake again"] <= 90_000
    assert gas["claim"] <= 75_000
    assert gas["claim, first of the token"] <= 80_000  # 17,100 of it are the token's own, for a new holder
    assert gas["first stake"] <= 115_000
