"""More operators at fault than one report charges, and who is charged after it."""

from __future__ import annotations

import ape
import pytest

from tests.bonding import held, line, open_book, open_case, rate_of, register, shares_up
from tests.helpers import DAY, ETHER, now, report_as_oracle, warp_to
from tests.reverts import reverts

COVER_GAS = 1_000_000


@pytest.fixture(scope="module")
def bonds(protocol):
    return protocol.bonds


@pytest.fixture(scope="module")
def book(protocol):
    return open_book(protocol)


@pytest.fixture(scope="module")
def crowd(protocol, book):
    """43, each with a bond of 1 slETH, all but the last with a case: two more than a report charges. Of the first forty
    half of the cases end with their limit, half of the bonds are emptied by them.
    """
    bonds, staker = protocol.bonds, protocol.actors.staker
    operators = [register(protocol, staker) for _ in range(43)]
    protocol.token.approve(bonds, 43 * ETHER, sender=staker)
    for operator in operators:
        bonds.deposit(operator, ETHER, sender=staker)
    for place, operator in enumerate(operators[:-1]):
        open_case(protocol, book, operator, 100 * ETHER if place % 2 and place < 40 else ETHER // 100)
    return operators


def test_F7_more_operators_at_fault_than_one_loss_is_taken_from(protocol, bonds, crowd):
    """INV-BND-07: the first 40 fit into three quarters of the vault's gas; the others wait for the next loss."""
    asked = 2**100
    account = protocol.impersonate(protocol.vault, 100 * ETHER)
    gas = bonds.cover.estimate_gas_cost(asked, sender=account)
    assert gas < COVER_GAS * 3 // 4
    tx = report_as_oracle(protocol, gain=-90 * ETHER)
    assert len([event for event in tx.events if event.event_name == "CaseCharged"]) == 40
    assert line(protocol) == crowd[40:42]
    assert all(held(protocol, operator) == ETHER for operator in crowd[40:])
    # whoever stands behind them is not spared: anybody goes on where the report stopped
    fund = protocol.cover
    before = protocol.token.balanceOf(fund)
    tx = bonds.collect(sender=protocol.actors.stranger)
    assert line(protocol) == []
    assert protocol.token.balanceOf(fund) - before == tx.return_value == shares_up(2 * ETHER // 100, rate_of(protocol))
    with reverts(bonds.NothingToCollect):
        bonds.collect(sender=protocol.actors.stranger)


def test_collecting_ends_where_the_last_of_then_has_left_the_line_otherwise(protocol, bonds, book, crowd):
    """INV-BND-10: a bond that is emptied behind the 40th, or all that stood there; who comes later pays nothing."""
    stranger, (first, last, later) = protocol.actors.stranger, crowd[40:]
    report_as_oracle(protocol, gain=-90 * ETHER)
    assert line(protocol) == [first, last]
    for _ in range(2):
        book.chargePreparation(last, sender=stranger)
    open_case(protocol, book, later, 100 * ETHER)
    assert line(protocol) == [first, later]
    with ape.chain.isolate():
        bonds.collect(sender=stranger)
        assert held(protocol, later) == ETHER
    for _ in range(2):
        book.chargePreparation(first, sender=stranger)
    assert line(protocol) == [later]
    with reverts(bonds.NothingToCollect):
        bonds.collect(sender=stranger)
    assert held(protocol, later) == ETHER


def test_collecting_ends_with_who_was_in_line_then_and_after_a_day(protocol, bonds, book, crowd):
    """INV-BND-10: a later fault is not asked for an older loss."""
    stranger = protocol.actors.stranger
    with reverts(bonds.NothingToCollect):
        bonds.collect(sender=stranger)
    report_as_oracle(protocol, gain=-90 * ETHER)
    open_case(protocol, book, crowd[42], 100 * ETHER)
    assert line(protocol) == crowd[40:]
    snapshot = ape.chain.snapshot()
    bonds.collect(sender=stranger)
    assert line(protocol) == [crowd[42]]
    assert held(protocol, crowd[42]) == ETHER
    with reverts(bonds.NothingToCollect):
        bonds.collect(sender=stranger)
    ape.chain.restore(snapshot)
    warp_to(now() + DAY)
    with reverts(bonds.NothingToCollect):
        bonds.collect(sender=stranger)
    # a loss without more than forty leaves nothing to collect
    report_as_oracle(protocol, gain=-ETHER // 100)
    with reverts(bonds.NothingToCollect):
        bonds.collect(sender=stranger)
