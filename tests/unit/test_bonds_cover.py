"""OperatorBonds.cover: what an operator's fault costs is taken from its bond, and the rate of all others stays.

Losses are reported through the committee or straight to the real vault; numbers are worked out in fractions.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest

from tests.bonding import (
    FOREVER,
    bond,
    bond_of,
    held,
    line,
    open_book,
    open_case,
    rate_of,
    register,
    settlement_signatures,
    shares_up,
)
from tests.helpers import (
    DAY,
    ETHER,
    GWEI,
    advance_frame,
    next_at,
    now,
    report_as_oracle,
    signed_report,
    warp_to,
)
from tests.reverts import reverts

DURATION = 40 * DAY
LOSS = ETHER


@pytest.fixture(scope="module")
def bonds(protocol):
    return protocol.bonds


@pytest.fixture(scope="module")
def vault(protocol):
    return protocol.vault


@pytest.fixture(scope="module")
def token(protocol):
    return protocol.token


@pytest.fixture(scope="module")
def staker(protocol):
    return protocol.actors.staker


@pytest.fixture(scope="module")
def book(protocol):
    return open_book(protocol)


@pytest.fixture
def operators(protocol, book, staker):
    """Three of them, without bonds yet."""
    return [register(protocol, staker) for _ in range(3)]


@pytest.fixture
def operator(operators):
    return operators[0]


def case_of(protocol, operator):
    return tuple(protocol.bonds.caseOf(operator))


def moved(token, sender, receiver, shares):
    return token.Transfer(**{"from": sender, "to": receiver, "value": shares})


def of_bonds(protocol, tx):
    """What the bonds and the vault say of a covered loss."""
    return [
        event for event in tx.events if event.event_name in ("CaseCharged", "CaseClosed", "LossCovered", "LossShared")
    ]


# --- Exact numbers, as a report of the committee carries the loss ---


@pytest.mark.parametrize("spare", [0, 1, ETHER, 20 * ETHER])
def test_F1_loss_within_the_bond_leaves_the_rate_of_all_others_to_the_wei(
    protocol, bonds, vault, token, book, operator, staker, spare
):
    """INV-BND-05: 1 ether lost, a case of 1 ether, a bond worth at least that."""
    rate = rate_of(protocol)
    asked = shares_up(LOSS, rate)
    bond(protocol, operator, asked + spare, staker)
    open_case(protocol, book, operator)
    advance_frame(protocol)
    pooled, supply, before = vault.pooled(), vault.supply(), vault.rate()
    holder = token.balanceOf(staker)
    worth = vault.convertToAssets(holder)
    assert rate_of(protocol) == Fraction(pooled, supply) == rate  # nothing unvested

    tx = signed_report(protocol, gain=-LOSS)
    assert of_bonds(protocol, tx) == [
        bonds.CaseCharged(operator=operator, shares=asked, open=0),
        bonds.CaseClosed(operator=operator),
        vault.LossCovered(module=bonds, shares=asked, assets=LOSS),
    ]
    assert (vault.pooled(), vault.supply()) == (pooled - LOSS, supply - asked)
    assert bond_of(protocol, operator) == (spare, 0, 0, 0)
    assert token.balanceOf(bonds) == spare
    # exact: what is burnt is the loss and less than one share, to the good of those who stay
    after = rate_of(protocol)
    assert after == Fraction(pooled - LOSS, supply - ceil(LOSS / rate))
    assert 0 <= after - rate < rate / (supply - asked)
    assert vault.rate() == before == floor(rate * ETHER)
    assert vault.convertToAssets(holder) in (worth, worth + 1)
    assert vault.unrecovered() == 0


@pytest.mark.parametrize("cover", [0, 3 * ETHER // 10, 2 * ETHER])
def test_F1_bond_of_four_tenths_leaves_the_rest_less_the_cover_fund(
    protocol, bonds, vault, token, book, operator, staker, cover
):
    """INV-BND-05: 1 ether lost, a bond worth 0.4: the rate falls by exactly the rest less what the cover fund has."""
    rate = rate_of(protocol)
    bonded = shares_up(4 * ETHER // 10, rate)
    bond(protocol, operator, bonded, staker)
    if cover:
        token.transfer(protocol.cover, cover, sender=staker)
    open_case(protocol, book, operator)
    advance_frame(protocol)
    pooled, supply = vault.pooled(), vault.supply()
    by_bond = floor(bonded * rate)
    given = min(cover, ceil((LOSS - by_bond) / rate))
    by_cover = min(LOSS - by_bond, floor(given * rate))
    shared = LOSS - by_bond - by_cover

    tx = signed_report(protocol, gain=-LOSS)
    open_ = LOSS - ceil(bonded * rate)
    assert of_bonds(protocol, tx) == [
        bonds.CaseCharged(operator=operator, shares=bonded, open=open_),
        vault.LossCovered(module=bonds, shares=bonded, assets=by_bond),
        vault.LossCovered(module=protocol.cover, shares=given, assets=by_cover),
        *([vault.LossShared(assets=shared)] if shared else []),
    ]
    assert by_bond == 4 * ETHER // 10
    after = rate_of(protocol)
    assert after == Fraction(pooled - LOSS, supply - bonded - given)
    burnt = (bonded + given) * rate
    assert (rate - after) * (supply - bonded - given) == LOSS - burnt  # what nobody covered, to the wei
    assert 0 <= shared - (LOSS - burnt) < 2 * rate or shared == 0
    if cover == 0:
        assert shared == 6 * ETHER // 10
    elif cover == 2 * ETHER:
        assert shared == 0
        assert vault.rate() == floor(rate * ETHER)
    assert vault.unrecovered() == shared
    assert case_of(protocol, operator)[0] == open_  # the rest can still be charged when there is a bond again
    assert held(protocol, operator) == 0


def test_F1_request_one_block_before_the_fault_is_charged_all_the_same(protocol, bonds, book, operator, staker):
    """What leaves pays too, after what counts."""
    rate = rate_of(protocol)
    asked = shares_up(LOSS, rate)
    bond(protocol, operator, asked, staker)
    bonds.requestWithdrawal(operator, asked - 10, sender=staker)
    due = bond_of(protocol, operator)[2]
    open_case(protocol, book, operator, LOSS // 2)
    report_as_oracle(protocol, gain=-LOSS)
    half = shares_up(LOSS // 2, rate)
    assert bond_of(protocol, operator) == (0, asked - half, due, 0)


@pytest.mark.parametrize("counted", [0, 1, 10])
def test_bond_that_is_leaving_altogether_pays(protocol, vault, bonds, book, operator, staker, counted):
    """Also where nothing of it counts any more."""
    rate = rate_of(protocol)
    asked = shares_up(LOSS, rate)
    bond(protocol, operator, asked + counted, staker)
    bonds.requestWithdrawal(operator, asked, sender=staker)
    open_case(protocol, book, operator)
    supply = vault.supply()
    report_as_oracle(protocol, gain=-LOSS)
    shares, leaving, _, _ = bond_of(protocol, operator)
    assert (shares, leaving) == (0, counted)
    assert vault.supply() == supply - asked
    assert vault.rate() == floor(rate * ETHER)


# --- Which operator, and how much ---


def test_bond_without_a_case_pays_nothing(protocol, vault, bonds, token, book, operator, staker):
    """Losses that are nobody's fault are not an operator's."""
    bond(protocol, operator, 10 * ETHER, staker)
    tx = report_as_oracle(protocol, gain=-LOSS)
    assert of_bonds(protocol, tx)[0] == vault.LossCovered(module=bonds, shares=0, assets=0)
    assert held(protocol, operator) == 10 * ETHER


def test_case_is_its_operators_alone(protocol, book, operators, staker):
    for operator in operators:
        bond(protocol, operator, 10 * ETHER, staker)
    open_case(protocol, book, operators[1])
    rate = rate_of(protocol)
    report_as_oracle(protocol, gain=-5 * ETHER)
    assert [held(protocol, each) for each in operators] == [10 * ETHER, 10 * ETHER - shares_up(LOSS, rate), 10 * ETHER]


@pytest.mark.parametrize("limit", [GWEI, ETHER // 3 // GWEI * GWEI, LOSS - GWEI, LOSS, LOSS + GWEI])
def test_case_pays_its_limit_and_less_than_a_share_more(protocol, vault, book, operator, staker, limit):
    """INV-BND-06"""
    bond(protocol, operator, 10 * ETHER, staker)
    open_case(protocol, book, operator, limit)
    rate = rate_of(protocol)
    tx = report_as_oracle(protocol, gain=-LOSS)
    taken = 10 * ETHER - held(protocol, operator)
    assert taken == min(shares_up(limit, rate), shares_up(LOSS, rate))
    assert taken * rate < min(limit, LOSS) + rate
    (covered,) = [event.assets for event in tx.events if event.event_name == "LossCovered"][:1]
    assert covered == min(LOSS, floor(taken * rate))
    assert min(limit, LOSS) <= covered <= limit + 1


def test_case_pays_its_limit_in_however_many_parts(protocol, book, operator, staker):
    """INV-BND-06: eleven odd losses; all parts together are no more than the limit and a share."""
    bond(protocol, operator, 10 * ETHER, staker)
    limit = ETHER + 7 * GWEI
    open_case(protocol, book, operator, limit)
    paid = Fraction(0)
    for part in range(11):
        loss = (ETHER // 9 // GWEI + part) * GWEI
        rate = rate_of(protocol)
        left, before = case_of(protocol, operator)[0], held(protocol, operator)
        report_as_oracle(protocol, gain=-loss)
        taken = before - held(protocol, operator)
        assert taken == min(shares_up(loss, rate), shares_up(left, rate))
        paid += taken * rate
        now_left = case_of(protocol, operator)[0]
        assert now_left == (0 if taken == shares_up(left, rate) else left - ceil(taken * rate))
    assert limit - 2 * 11 < paid < limit + rate_of(protocol)
    assert case_of(protocol, operator) == (0, 0)
    assert line(protocol) == []


def test_oldest_case_pays_first(protocol, bonds, vault, book, operators, staker):
    rate = rate_of(protocol)
    for operator in operators:
        bond(protocol, operator, 10 * ETHER, staker)
    for operator in (operators[2], operators[0], operators[1]):
        open_case(protocol, book, operator)
    assert line(protocol) == [operators[2], operators[0], operators[1]]
    tx = report_as_oracle(protocol, gain=-3 * ETHER // 2)
    asked = shares_up(3 * ETHER // 2, rate)
    first, second = shares_up(LOSS, rate), asked - shares_up(LOSS, rate)
    left = LOSS - ceil(second * rate)
    assert of_bonds(protocol, tx) == [
        bonds.CaseCharged(operator=operators[2], shares=first, open=0),
        bonds.CaseClosed(operator=operators[2]),
        bonds.CaseCharged(operator=operators[0], shares=second, open=left),
        vault.LossCovered(module=bonds, shares=asked, assets=3 * ETHER // 2),
    ]
    assert line(protocol) == [operators[0], operators[1]]
    assert [held(protocol, each) for each in operators] == [10 * ETHER - second, 10 * ETHER, 10 * ETHER - first]
    assert vault.rate() == floor(rate * ETHER)


def test_loss_beyond_every_case_takes_each_of_them(protocol, bonds, vault, book, operators, staker):
    """Asked for more than there is, the bonds give what the cases allow and what is there."""
    rate = rate_of(protocol)
    worth = (10 * ETHER, ETHER // 4, 0)
    for operator, shares in zip(operators, worth, strict=True):
        if shares:
            bond(protocol, operator, shares, staker)
        open_case(protocol, book, operator)
    tx = report_as_oracle(protocol, gain=-100 * ETHER)
    first = shares_up(LOSS, rate)
    assert of_bonds(protocol, tx)[:4] == [
        bonds.CaseCharged(operator=operators[0], shares=first, open=0),
        bonds.CaseClosed(operator=operators[0]),
        bonds.CaseCharged(operator=operators[1], shares=ETHER // 4, open=LOSS - ceil(ETHER // 4 * rate)),
        vault.LossCovered(module=bonds, shares=first + ETHER // 4, assets=floor((first + ETHER // 4) * rate)),
    ]
    assert [held(protocol, each) for each in operators] == [10 * ETHER - first, 0, 0]
    assert line(protocol) == []
    assert [bool(case_of(protocol, each)[0]) for each in operators] == [False, True, True]


# --- Operators without anything in their bond ---


def test_operator_without_bond_stands_in_nobodys_way(protocol, vault, book, operators, staker):
    """Its case is open, but it is not in the line: losses are taken from those who have something."""
    open_case(protocol, book, operators[0])
    open_case(protocol, book, operators[1])
    assert line(protocol) == []
    bond(protocol, operators[1], 10 * ETHER, staker)
    assert line(protocol) == [operators[1]]
    rate = rate_of(protocol)
    report_as_oracle(protocol, gain=-LOSS)
    assert held(protocol, operators[1]) == 10 * ETHER - shares_up(LOSS, rate)
    assert vault.rate() == floor(rate * ETHER)
    assert case_of(protocol, operators[0])[0] == LOSS


def test_bond_that_comes_after_the_fault_pays(protocol, book, operators, staker):
    """An empty bond is no way out: its next deposit stands in at the end of the line."""
    bond(protocol, operators[0], ETHER // 10, staker)
    for operator in operators[:2]:
        open_case(protocol, book, operator)
    report_as_oracle(protocol, gain=-LOSS)
    assert line(protocol) == []
    bond(protocol, operators[1], ETHER, staker)
    bond(protocol, operators[0], 10 * ETHER, staker)
    assert line(protocol) == [operators[1], operators[0]]
    bond(protocol, operators[0], ETHER, staker)  # it is in the line once
    assert line(protocol) == [operators[1], operators[0]]


def test_bond_that_a_case_empties_exactly_leaves_the_line(protocol, book, operators, staker):
    rate = rate_of(protocol)
    bond(protocol, operators[0], shares_up(LOSS, rate), staker)
    open_case(protocol, book, operators[0], 2 * LOSS)
    report_as_oracle(protocol, gain=-LOSS)
    assert held(protocol, operators[0]) == 0
    assert case_of(protocol, operators[0])[0] > 0
    assert line(protocol) == []


def test_bond_that_a_settlement_empties_leaves_the_line(protocol, bonds, book, operators, staker):
    for operator in operators:
        bond(protocol, operator, ETHER, staker)
        open_case(protocol, book, operator)
    reason = b"\x01" * 32
    signatures = settlement_signatures(protocol, operators[1], 2 * ETHER, reason)
    bonds.propose(operators[1], 2 * ETHER, reason, FOREVER, signatures, sender=staker)
    warp_to(now() + bonds.WINDOW())
    bonds.execute(1, sender=staker)
    assert line(protocol) == [operators[0], operators[2]]
    report_as_oracle(protocol, gain=-LOSS * 3 // 2 // GWEI * GWEI)
    assert held(protocol, operators[2]) < ETHER


# --- Cases ---


def test_openCase(protocol, bonds, book, operator, staker):
    bond(protocol, operator, ETHER, staker)
    at = next_at(now() + 3)
    tx = open_case(protocol, book, operator)
    assert tx.events == [bonds.CaseOpened(operator=operator, loss=LOSS, open=LOSS, closes=at + DURATION)]
    assert case_of(protocol, operator) == (LOSS, at + DURATION)
    assert line(protocol) == [operator]


def test_further_fault_joins_the_case(protocol, bonds, book, operators, staker):
    """It adds to what may be taken, keeps the place in the line, and never shortens the time."""
    for operator in operators[:2]:
        bond(protocol, operator, 10 * ETHER, staker)
        open_case(protocol, book, operator)
    closes = case_of(protocol, operators[0])[1]
    tx = open_case(protocol, book, operators[0], 3 * LOSS, duration=1)
    assert tx.events == [bonds.CaseOpened(operator=operators[0], loss=3 * LOSS, open=4 * LOSS, closes=closes)]
    at = next_at(now() + 10)
    tx = open_case(protocol, book, operators[0], LOSS)
    assert tx.events == [bonds.CaseOpened(operator=operators[0], loss=LOSS, open=5 * LOSS, closes=at + DURATION)]
    assert line(protocol) == operators[:2]


def test_fault_that_costs_nothing_opens_no_case(protocol, bonds, book, operator):
    tx = open_case(protocol, book, operator, 0)
    assert tx.events == []
    assert case_of(protocol, operator) == (0, 0)
    with reverts(bonds.CaseUnknown, operator=operator):
        bonds.closeCase(operator, sender=protocol.actors.stranger)


@pytest.mark.parametrize("who", ["stranger", "staker", "admin", "governor", "guardian", "depositor", "vault"])
def test_F2_only_the_validator_manager_opens_cases(protocol, bonds, book, operator, who):
    caller = protocol.impersonate(protocol.vault) if who == "vault" else getattr(protocol.actors, who)
    with reverts(bonds.CallerNotAllowed, caller=caller, allowed=book):
        bonds.openCase(operator, 1, 1, sender=caller)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_case_ends_when_a_report_counts_its_last_moment(protocol, bonds, book, operators, staker, position):
    """Time alone does not end it: what was lost until then may still be unreported."""
    for operator in operators:
        bond(protocol, operator, ETHER, staker)
        open_case(protocol, book, operator)
    chosen = operators[position]
    closes = case_of(protocol, chosen)[1]
    reported = protocol.vault.referenceTime()
    warp_to(closes + DAY)
    with reverts(bonds.CaseNotOver, closes=closes, referenceTime=reported):
        bonds.closeCase(chosen, sender=staker)
    report_as_oracle(protocol, reference_time=closes - 1)
    with reverts(bonds.CaseNotOver, closes=closes, referenceTime=closes - 1):
        bonds.closeCase(chosen, sender=staker)
    report_as_oracle(protocol, reference_time=closes)
    tx = bonds.closeCase(chosen, sender=protocol.actors.stranger)
    assert tx.events == [bonds.CaseClosed(operator=chosen)]
    assert case_of(protocol, chosen) == (0, 0)
    assert line(protocol) == [each for each in operators if each != chosen]
    with reverts(bonds.CaseUnknown, operator=chosen):
        bonds.closeCase(chosen, sender=staker)


def test_case_whose_time_is_over_pays_until_somebody_ends_it(protocol, bonds, book, operator, staker):
    bond(protocol, operator, 10 * ETHER, staker)
    open_case(protocol, book, operator)
    closes = case_of(protocol, operator)[1]
    report_as_oracle(protocol, at=closes, gain=-GWEI)
    assert held(protocol, operator) < 10 * ETHER
    bonds.closeCase(operator, sender=staker)
    before = held(protocol, operator)
    report_as_oracle(protocol, gain=-LOSS)
    assert held(protocol, operator) == before


def test_case_of_an_empty_bond_can_be_ended(protocol, bonds, book, operators, staker):
    open_case(protocol, book, operators[0])
    bond(protocol, operators[1], ETHER, staker)
    open_case(protocol, book, operators[1])
    report_as_oracle(protocol, at=case_of(protocol, operators[0])[1])
    bonds.closeCase(operators[0], sender=staker)
    assert case_of(protocol, operators[0]) == (0, 0)
    assert line(protocol) == [operators[1]]
    bond(protocol, operators[0], ETHER, staker)
    assert line(protocol) == [operators[1]]


def test_case_after_a_case_is_a_new_one(protocol, bonds, book, operators, staker):
    for operator in operators[:2]:
        bond(protocol, operator, 10 * ETHER, staker)
        open_case(protocol, book, operator)
    report_as_oracle(protocol, gain=-LOSS)
    assert line(protocol) == [operators[1]]
    at = next_at(now() + 5)
    open_case(protocol, book, operators[0], GWEI, duration=9)
    assert case_of(protocol, operators[0]) == (GWEI, at + 9)
    assert line(protocol) == [operators[1], operators[0]]


# --- The face that the vault calls ---


@pytest.mark.parametrize(
    "caller", ["stranger", "staker", "admin", "governor", "guardian", "oracle", "queue", "cover", "registry"]
)
def test_J3_only_the_vault_asks_bonds_for_cover(protocol, bonds, book, caller):
    actor = getattr(protocol.actors, caller, None) or protocol.impersonate(getattr(protocol, caller))
    with reverts(bonds.CallerNotAllowed, caller=actor, allowed=protocol.vault):
        bonds.cover(1, sender=actor)


def test_cover_of_nothing_does_nothing(protocol, bonds, book, operator, staker):
    bond(protocol, operator, ETHER, staker)
    open_case(protocol, book, operator)
    tx = bonds.cover(0, sender=protocol.impersonate(protocol.vault, 100 * ETHER))
    assert tx.events == []
    assert held(protocol, operator) == ETHER


def test_cover_of_more_than_there_is_gives_what_cases_allow(protocol, bonds, token, book, operator, staker):
    bond(protocol, operator, 10 * ETHER, staker)
    open_case(protocol, book, operator)
    allowed = shares_up(LOSS, rate_of(protocol))
    tx = bonds.cover(2**256 - 1, sender=protocol.impersonate(protocol.vault, 100 * ETHER))
    assert tx.events == [
        bonds.CaseCharged(operator=operator, shares=allowed, open=0),
        bonds.CaseClosed(operator=operator),
        moved(token, bonds, protocol.vault, allowed),
    ]


def test_F1_report_passes_whatever_bonds_and_cases_are(protocol, bonds, vault, book, operators, staker):
    """INV-BND-07: an operator without bond, one whose bond only leaves, one that was thrown out; nothing reverts."""
    bond(protocol, operators[1], ETHER, staker)
    bonds.requestWithdrawal(operators[1], ETHER, sender=staker)
    bond(protocol, operators[2], ETHER, staker)
    protocol.as_registrar(protocol.registry.setActive, operators[2], False)
    for operator in operators:
        open_case(protocol, book, operator, 2**60 * GWEI)
    tx = report_as_oracle(protocol, gain=-50 * ETHER)
    (covered, *_) = [event for event in tx.events if event.event_name == "LossCovered"]
    assert (covered.module, covered.shares) == (bonds, 2 * ETHER)
    assert [held(protocol, each) for each in operators] == [0, 0, 0]


def test_nobody_comes_back_into_the_line_with_next_to_nothing(protocol, bonds, token, book, operators, staker):
    """Forty such would stand in front of everybody else."""
    operator = operators[0]
    token.approve(bonds, 9 * ETHER, sender=staker)
    least = bonds.MIN_RETURN()
    assert least == ETHER // 10
    bonds.deposit(operator, 1, sender=staker)  # without a case nobody stands anywhere
    open_case(protocol, book, operator, 5 * ETHER)
    report_as_oracle(protocol, gain=-GWEI)
    assert held(protocol, operator) == 0
    with reverts(bonds.AmountBelowMinimum, shares=least - 1, minimum=least):
        bonds.deposit(operator, least - 1, sender=staker)
    bonds.deposit(operator, least, sender=staker)
    bonds.deposit(operator, 1, sender=staker)
    assert line(protocol) == [operator]
