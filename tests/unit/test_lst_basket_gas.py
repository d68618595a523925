"""LstBasket on a node: with the real core, and what calls cost."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest

from tests.basket import BPS, World, config, swap_in, swap_out
from tests.lst import Foreign, Health
from tests.reverts import reverts
from tests.small_core import ETHER, NodeClock, SmallCore


@pytest.fixture(scope="module")
def governance(accounts):
    return accounts[0]


@pytest.fixture(scope="module")
def owner(accounts):
    return accounts[2]


# --- With the core ---


def test_no_call_of_the_basket_moves_the_core_rate(project, governance, accounts, owner):
    """The differential: nothing here has a word with the core but to read."""
    core = SmallCore.deploy(project, governance, accounts[1])
    core.stake(owner, 60 * ETHER)
    core.tip(accounts[9], 12 * ETHER + 7)
    core.touch()
    world = World.deploy(project, governance, core.vault)
    basket = world.basket
    foreign = Foreign(project, governance, world.manager, NodeClock())
    cbeth = foreign.cbeth(105 * 10**16)
    cbeth.token.mint(owner, 100 * ETHER, sender=owner)
    before = core.total, core.supply, core.vault.pooled(), core.vault.consensus()
    for token, provider in ((core.token, core.vault), (cbeth.token, cbeth.provider)):
        basket.addToken(token, config(provider), sender=governance)
        token.approve(basket, 2**256 - 1, sender=owner)
        basket.addLiquidity(token, 20 * ETHER, 0, owner, sender=owner)
    expected = floor(Fraction(ETHER * 105 * 10**16, ETHER))
    expected -= ceil(Fraction(expected * 7, BPS))
    expected = floor(Fraction(expected * ETHER, core.vault.convertToAssets(ETHER) + 1))
    tx = swap_in(basket, cbeth.token, core.token, ETHER, owner)
    assert tx.return_value == expected
    assert tx.gas_used <= 110_000  # the core answers three questions, from four slots
    assert swap_out(basket, core.token, cbeth.token, ETHER, owner).gas_used <= 110_000
    basket.removeLiquidity(ETHER, core.token, 0, owner, sender=owner)
    basket.removeAll(ETHER, [0, 0], owner, sender=owner)
    basket.sync(sender=owner)
    assert (core.total, core.supply, core.vault.pooled(), core.vault.consensus()) == before
    core.vault.setDepositor(governance, True, sender=governance)
    core.vault.noteSlashing(sender=governance)
    with reverts(cbeth.provider.Unhealthy, token=core.token, reason=Health.SLASHING_PENDING):
        swap_in(basket, core.token, cbeth.token, ETHER, owner)


# --- Gas ---


def test_gas_of_a_swap_with_real_providers(project, governance, owner):
    """Whole transaction; both tokens held by the trader, allowances given."""
    world = World.deploy(project, governance)
    basket = world.basket
    foreign = Foreign(project, governance, world.manager, NodeClock())
    cbeth, wbeth = foreign.cbeth(105 * 10**16), foreign.cbeth(106 * 10**16)
    wsteth, reth = foreign.wsteth(115 * 10**16), foreign.reth(108 * 10**16)
    for lst in (cbeth, wbeth, wsteth, reth):
        basket.addToken(lst.token, config(lst.provider), sender=governance)
        lst.token.mint(owner, 100 * ETHER, sender=owner)
        lst.token.approve(basket, 2**256 - 1, sender=owner)
        basket.addLiquidity(lst.token, 50 * ETHER, 0, owner, sender=owner)
    simple = swap_in(basket, cbeth.token, wbeth.token, ETHER, owner).gas_used
    exact_out = swap_out(basket, cbeth.token, wbeth.token, ETHER, owner).gas_used
    proxied = swap_in(basket, wsteth.token, reth.token, ETHER, owner).gas_used
    add = basket.addLiquidity(cbeth.token, ETHER, 0, owner, sender=owner).gas_used
    remove = basket.removeLiquidity(ETHER, cbeth.token, 0, owner, sender=owner).gas_used
    everything = basket.removeAll(ETHER, [0, 0, 0, 0], owner, sender=owner).gas_used
    assert max(simple, exact_out) <= 110_000  # what comes in and goes out is measured
    # of wstETH and rETH most is what their own contracts take to tell a rate; liquidity reads all four
    assert proxied <= 165_000
    assert max(add, remove) <= 220_000
    assert everything <= 160_000
