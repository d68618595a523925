"""OperatorBonds: what operators put in and get back. Nothing leaves early, that is required, or while a fault is open.

What bonds pay is in test_bonds_cover.py and test_bonds_settlements.py.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import ape
import pytest
from ethpm_types import ContractType

from tests.bonding import (
    FOREVER,
    bond,
    bond_of,
    held,
    install_book,
    line,
    permit_signature,
    rate_of,
    register,
    settlement_signatures,
    shares_up,
    terms,
)
from tests.helpers import (
    DAY,
    ETHER,
    GWEI,
    ZERO,
    deposit_to_beacon,
    give_ether,
    next_at,
    now,
    report_as_oracle,
    set_rate,
    stake,
    warp_to,
)
from tests.reverts import reverts
from tests.voting import events_of

DELAY = 45 * DAY
WINDOW = 7 * DAY
HELD = 40 * ETHER


@pytest.fixture(scope="module")
def bonds(protocol):
    return protocol.bonds


@pytest.fixture(scope="module")
def token(protocol):
    return protocol.token


@pytest.fixture(scope="module")
def manager(protocol):
    return protocol.actors.staker


@pytest.fixture(scope="module")
def rewards(protocol):
    return protocol.actors.treasury


@pytest.fixture(scope="module")
def stranger(protocol):
    return protocol.actors.stranger


@pytest.fixture(scope="module")
def book(protocol, manager):
    """2,000 ether pooled at a rate that is no round number; operators' stake is what the book says."""
    stake(protocol, manager, 1_999 * ETHER)
    deposit_to_beacon(protocol, 960 * GWEI)
    set_rate(protocol, 123_456_789_123 * GWEI)
    return install_book(protocol)


@pytest.fixture
def operator(protocol, book, manager, rewards):
    """On the open terms: 10 % of stake."""
    return register(protocol, manager, rewards)


@pytest.fixture
def bonded(protocol, operator, manager):
    """The operator with 40 slETH of bond."""
    bond(protocol, operator, HELD, manager)
    return operator


def moved(token, sender, receiver, shares):
    return token.Transfer(**{"from": sender, "to": receiver, "value": shares})


# --- As deployed ---


def test_bonds_say_what_they_are(protocol, bonds, token):
    assert bonds.authority() == protocol.access
    assert (bonds.token(), bonds.vault(), bonds.registry()) == (token, protocol.vault, protocol.registry)
    assert (bonds.DELAY(), bonds.WINDOW(), bonds.MAX_CHARGES()) == (DELAY, WINDOW, 40)
    assert protocol.vault.bonds() == bonds
    assert bonds.settlementCount() == 0
    assert line(protocol) == []


@pytest.mark.parametrize(
    ("window", "delay", "valid"), [(0, 10, False), (10, 10, False), (11, 10, False), (9, 10, True)]
)
def test_window_is_shorter_than_the_delay(protocol, bonds, window, delay, valid):
    """So what is proposed right after a request for the bond is settled before that can leave."""
    config = {
        "authority": protocol.access,
        "token": protocol.token,
        "vault": protocol.vault,
        "registry": protocol.registry,
        "manager": protocol.actors.other,
        "delay": delay,
        "window": window,
    }
    deployer = protocol.actors.deployer
    if valid:
        deployed = deployer.deploy(ape.project.OperatorBonds, config)
        assert (deployed.WINDOW(), deployed.DELAY(), deployed.manager()) == (window, delay, protocol.actors.other)
    else:
        with reverts(bonds.WindowInvalid, window=window, delay=delay):
            deployer.deploy(ape.project.OperatorBonds, config)


def test_F8_bonds_have_no_initialiser_and_no_proxy(bonds):
    kind: ContractType = bonds.contract_type
    assert not [method.name for method in kind.methods if "initial" in method.name.lower()]
    slot = int("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc", 16)  # ERC-1967
    assert int.from_bytes(ape.chain.provider.get_storage(bonds.address, slot)) == 0


# --- Deposits ---


def test_deposit_takes_approved_shares(protocol, bonds, token, operator, manager):
    token.approve(bonds, HELD, sender=manager)
    before = token.balanceOf(manager)
    tx = bonds.deposit(operator, HELD, sender=manager)
    assert tx.events == [
        bonds.BondDeposited(**{"operator": operator, "from": manager, "shares": HELD}),
        moved(token, manager, bonds, HELD),
    ]
    assert bond_of(protocol, operator) == (HELD, 0, 0, 0)
    assert (token.balanceOf(bonds), token.balanceOf(manager)) == (HELD, before - HELD)


def test_anybody_adds_to_a_bond(protocol, bonds, token, bonded, manager, stranger):
    token.transfer(stranger, ETHER, sender=manager)
    bond(protocol, bonded, ETHER, stranger)
    assert bond_of(protocol, bonded)[0] == HELD + ETHER


def test_deposit_without_allowance_reverts(bonds, token, operator, manager):
    with reverts(token.ERC20InsufficientAllowance, spender=bonds, allowance=0, needed=1):
        bonds.deposit(operator, 1, sender=manager)


def test_deposit_of_what_is_not_there_reverts(bonds, token, operator, stranger):
    token.approve(bonds, 2 * ETHER, sender=stranger)
    balance = token.balanceOf(stranger)
    with reverts(token.ERC20InsufficientBalance, sender=stranger, balance=balance, needed=balance + ETHER):
        bonds.deposit(operator, balance + ETHER, sender=stranger)


def test_deposit_of_nothing_reverts(protocol, bonds, operator, manager):
    with reverts(bonds.AmountMissing):
        bonds.deposit(operator, 0, sender=manager)
    with reverts(bonds.AmountMissing):
        bonds.depositWithPermit(operator, 0, FOREVER, b"", sender=manager)
    with reverts(protocol.vault.StakeBelowMinimum, given=0):
        bonds.depositEther(operator, sender=manager)


@pytest.mark.parametrize("unknown", [0, 1_000, 2**256 - 1])
def test_bond_of_an_operator_that_is_not_there_reverts(protocol, bonds, token, book, manager, unknown):
    token.approve(bonds, ETHER, sender=manager)
    error = protocol.registry.OperatorUnknown
    with reverts(error, id=unknown):
        bonds.deposit(unknown, ETHER, sender=manager)
    with reverts(error, id=unknown):
        bonds.depositEther(unknown, value=ETHER, sender=manager)
    with reverts(error, id=unknown):
        bonds.depositWithPermit(unknown, ETHER, FOREVER, b"", sender=manager)
    with reverts(error, id=unknown):
        bonds.required(unknown)
    with reverts(error, id=unknown):
        bonds.requestWithdrawal(unknown, 1, sender=manager)
    with reverts(error, id=unknown):
        bonds.cancelWithdrawal(unknown, sender=manager)
    with reverts(bonds.NothingLeaves, operator=unknown):
        bonds.withdraw(unknown, sender=manager)


def test_deposit_by_permit(protocol, bonds, token, operator, manager):
    signature = permit_signature(protocol, manager, HELD)
    tx = bonds.depositWithPermit(operator, HELD, FOREVER, signature, sender=manager)
    assert tx.events == [
        token.Approval(owner=manager, spender=bonds, value=HELD),
        bonds.BondDeposited(**{"operator": operator, "from": manager, "shares": HELD}),
        moved(token, manager, bonds, HELD),
    ]
    assert bond_of(protocol, operator) == (HELD, 0, 0, 0)
    assert token.allowance(manager, bonds) == 0


def test_G1_permit_that_somebody_submitted_before_does_no_harm(protocol, bonds, token, operator, manager, stranger):
    signature = permit_signature(protocol, manager, HELD)
    send = token._mutable_methods_["permit"]
    send(manager, bonds, HELD, FOREVER, signature, sender=stranger)
    bonds.depositWithPermit(operator, HELD, FOREVER, signature, sender=manager)
    assert bond_of(protocol, operator)[0] == HELD


def test_permit_of_another_moves_nothing(protocol, bonds, token, operator, manager, stranger):
    """Only the caller's shares are taken, whosever permit it brings."""
    signature = permit_signature(protocol, manager, HELD)
    with reverts(token.ERC20InsufficientAllowance, spender=bonds, allowance=0, needed=HELD):
        bonds.depositWithPermit(operator, HELD, FOREVER, signature, sender=stranger)


def test_deposit_of_ether_is_staked(protocol, bonds, token, operator, stranger):
    vault, value = protocol.vault, 3 * ETHER + 1
    give_ether(stranger, value)
    total, supply = vault.totalAssets(), vault.supply()
    tx = bonds.depositEther(operator, value=value, sender=stranger)
    shares = value * supply // total
    assert tx.events == [
        moved(token, ZERO, bonds, shares),
        vault.Deposit(sender=bonds, owner=bonds, assets=value, shares=shares),
        bonds.BondDeposited(**{"operator": operator, "from": stranger, "shares": shares}),
    ]
    assert bond_of(protocol, operator) == (shares, 0, 0, 0)
    assert token.balanceOf(bonds) == shares
    assert bonds.balance == 0


def test_ether_below_the_least_stake_reverts(protocol, bonds, operator, manager):
    least = protocol.params.vault.minimum_stake
    with reverts(protocol.vault.StakeBelowMinimum, given=least - 1, minimum=least):
        bonds.depositEther(operator, value=least - 1, sender=manager)


def test_bond_takes_no_plain_ether(bonds, book, stranger):
    with reverts(b""):
        stranger.transfer(bonds, 1)


def test_shares_sent_to_the_bonds_are_nobodys(protocol, bonds, token, bonded, manager):
    """INV-BND-01"""
    token.transfer(bonds, ETHER, sender=manager)
    assert bond_of(protocol, bonded) == (HELD, 0, 0, 0)
    assert token.balanceOf(bonds) == HELD + ETHER


def test_bonds_earn_like_any_holder(protocol, bonds, bonded):
    worth = protocol.vault.convertToAssets(HELD)
    report_as_oracle(protocol, gain=10 * ETHER)
    warp_to(now() + 30 * DAY)
    assert bond_of(protocol, bonded)[0] == HELD
    assert protocol.vault.convertToAssets(HELD) > worth


# --- What is required ---


@pytest.mark.parametrize("prepared", [0, 1, 3])
@pytest.mark.parametrize("staked", [0, 1, 32 * 10**9, 320 * 10**9 + 123_456_789])
@pytest.mark.parametrize("bps", [0, 1, 1_000, 10_000])
def test_F1_required_is_stake_by_terms_and_an_ether_for_each_preparation(
    protocol, bonds, book, operator, manager, staked, prepared, bps
):
    """INV-BND-02: rounded up twice, wei and shares, at the rate of the moment."""
    protocol.as_registrar(protocol.registry.setTerms, operator, terms(bond=bps))
    book.set(operator, staked, prepared, sender=manager)
    wei = ceil(Fraction(staked * GWEI * bps, 10_000))
    expected = shares_up(wei + prepared * ETHER, rate_of(protocol))
    assert bonds.required(operator) == expected
    if expected:
        with reverts(bonds.BondTooLow, operator=operator, shares=0, required=expected):
            bonds.requireBond(operator, staked, prepared, bps)
    else:
        bonds.requireBond(operator, staked, prepared, bps)


@pytest.mark.parametrize("short", [0, 1])
def test_requireBond_to_the_last_share(protocol, bonds, operator, manager, short):
    needed = shares_up(32 * ETHER // 10 + ETHER, rate_of(protocol))
    bond(protocol, operator, needed - short, manager)
    if short:
        with reverts(bonds.BondTooLow, operator=operator, shares=needed - 1, required=needed):
            bonds.requireBond(operator, 32 * 10**9, 1, 1_000)
    else:
        bonds.requireBond(operator, 32 * 10**9, 1, 1_000)


def test_F1_what_leaves_does_not_count_for_what_is_required(protocol, bonds, bonded, manager):
    needed = shares_up(ETHER, rate_of(protocol))
    bonds.requestWithdrawal(bonded, HELD - needed + 1, sender=manager)
    with reverts(bonds.BondTooLow, operator=bonded, shares=needed - 1, required=needed):
        bonds.requireBond(bonded, 0, 1, 0)
    bonds.cancelWithdrawal(bonded, sender=manager)
    bonds.requireBond(bonded, 0, 1, 0)


def test_F1_required_shares_rise_when_the_rate_falls(protocol, bonds, book, bonded, manager):
    book.set(bonded, 320 * 10**9, 1, sender=manager)
    before = bonds.required(bonded)
    report_as_oracle(protocol, gain=-100 * ETHER)
    rate = rate_of(protocol)
    assert bonds.required(bonded) == shares_up(33 * ETHER, rate) > before


# --- Asking for a bond back ---


def test_requestWithdrawal(protocol, bonds, token, bonded, manager):
    at = next_at(now() + 5)
    tx = bonds.requestWithdrawal(bonded, 15 * ETHER, sender=manager)
    assert tx.events == [
        bonds.BondWithdrawalRequested(
            **{"operator": bonded, "shares": 15 * ETHER, "leaving": 15 * ETHER, "from": at + DELAY}
        )
    ]
    assert bond_of(protocol, bonded) == (25 * ETHER, 15 * ETHER, at + DELAY, 0)
    assert token.balanceOf(bonds) == HELD


def test_later_request_joins_and_starts_the_delay_anew(protocol, bonds, bonded, manager):
    bonds.requestWithdrawal(bonded, 15 * ETHER, sender=manager)
    at = next_at(now() + 40 * DAY)
    tx = bonds.requestWithdrawal(bonded, 1, sender=manager)
    assert tx.events == [
        bonds.BondWithdrawalRequested(
            **{"operator": bonded, "shares": 1, "leaving": 15 * ETHER + 1, "from": at + DELAY}
        )
    ]
    assert bond_of(protocol, bonded) == (25 * ETHER - 1, 15 * ETHER + 1, at + DELAY, 0)


def test_F1_request_leaves_what_is_required(protocol, bonds, book, bonded, manager):
    """INV-BND-03: to the last share."""
    book.set(bonded, 300 * 10**9, 2, sender=manager)
    needed = shares_up(32 * ETHER, rate_of(protocol))
    free = HELD - needed
    assert 0 < free < HELD
    with reverts(bonds.BondTooLow, operator=bonded, shares=needed - 1, required=needed):
        bonds.requestWithdrawal(bonded, free + 1, sender=manager)
    bonds.requestWithdrawal(bonded, free, sender=manager)
    with reverts(bonds.BondTooLow, operator=bonded, shares=needed - 1, required=needed):
        bonds.requestWithdrawal(bonded, 1, sender=manager)


def test_request_for_more_than_counts_or_for_nothing_reverts(bonds, bonded, manager):
    with reverts(bonds.AmountAboveBond, operator=bonded, shares=HELD + 1, counted=HELD):
        bonds.requestWithdrawal(bonded, HELD + 1, sender=manager)
    with reverts(bonds.AmountMissing):
        bonds.requestWithdrawal(bonded, 0, sender=manager)
    bonds.requestWithdrawal(bonded, HELD, sender=manager)
    with reverts(bonds.AmountAboveBond, operator=bonded, shares=1, counted=0):
        bonds.requestWithdrawal(bonded, 1, sender=manager)


@pytest.mark.parametrize("who", ["stranger", "rewards", "other", "governor", "guardian"])
def test_F2_only_its_manager_asks_for_a_bond(protocol, bonds, bonded, manager, rewards, who):
    caller = rewards if who == "rewards" else getattr(protocol.actors, who)
    with reverts(bonds.CallerNotAllowed, caller=caller, allowed=manager):
        bonds.requestWithdrawal(bonded, 1, sender=caller)
    bonds.requestWithdrawal(bonded, 1, sender=manager)
    with reverts(bonds.CallerNotAllowed, caller=caller, allowed=manager):
        bonds.cancelWithdrawal(bonded, sender=caller)


def test_cancelWithdrawal_counts_again_what_left(protocol, bonds, bonded, manager):
    bonds.requestWithdrawal(bonded, 15 * ETHER, sender=manager)
    tx = bonds.cancelWithdrawal(bonded, sender=manager)
    assert tx.events == [bonds.BondWithdrawalCancelled(operator=bonded, shares=15 * ETHER)]
    assert bond_of(protocol, bonded) == (HELD, 0, 0, 0)
    with reverts(bonds.NothingLeaves, operator=bonded):
        bonds.cancelWithdrawal(bonded, sender=manager)


# --- Getting it ---


def test_withdraw_pays_the_reward_address_whoever_calls(protocol, bonds, token, bonded, manager, rewards, stranger):
    bonds.requestWithdrawal(bonded, 15 * ETHER, sender=manager)
    due = bond_of(protocol, bonded)[2]
    before = token.balanceOf(rewards)
    next_at(due)
    tx = bonds.withdraw(bonded, sender=stranger)
    assert tx.events == [
        bonds.BondWithdrawn(operator=bonded, to=rewards, shares=15 * ETHER),
        moved(token, bonds, rewards, 15 * ETHER),
    ]
    assert bond_of(protocol, bonded) == (25 * ETHER, 0, 0, 0)
    assert token.balanceOf(rewards) == before + 15 * ETHER
    with reverts(bonds.NothingLeaves, operator=bonded):
        bonds.withdraw(bonded, sender=stranger)


def test_F1_withdraw_before_the_delay_reverts(protocol, bonds, bonded, manager, stranger):
    bonds.requestWithdrawal(bonded, HELD, sender=manager)
    due = bond_of(protocol, bonded)[2]
    next_at(due - 1)
    with reverts(bonds.StillLocked, **{"from": due}):
        bonds.withdraw(bonded, sender=stranger)
    next_at(due)
    bonds.withdraw(bonded, sender=stranger)


def test_withdraw_goes_where_the_reward_address_is_by_then(protocol, bonds, token, bonded, manager, rewards):
    registry, successor = protocol.registry, protocol.actors.other
    bonds.requestWithdrawal(bonded, HELD, sender=manager)
    registry.proposeRewards(bonded, successor, sender=rewards)
    registry.acceptRewards(bonded, sender=successor)
    warp_to(now() + DELAY)
    before = token.balanceOf(successor)
    bonds.withdraw(bonded, sender=manager)
    assert token.balanceOf(successor) == before + HELD


def test_F1_nothing_leaves_while_what_stays_is_below_what_is_required(protocol, bonds, book, bonded, manager):
    """INV-BND-03: asked for in time, but new stake came meanwhile; what leaves can be counted again."""
    bonds.requestWithdrawal(bonded, 15 * ETHER, sender=manager)
    warp_to(now() + DELAY)
    book.set(bonded, 300 * 10**9, 0, sender=manager)
    needed = shares_up(30 * ETHER, rate_of(protocol))
    with reverts(bonds.BondTooLow, operator=bonded, shares=25 * ETHER, required=needed):
        bonds.withdraw(bonded, sender=manager)
    bonds.cancelWithdrawal(bonded, sender=manager)
    bonds.requestWithdrawal(bonded, HELD - needed, sender=manager)
    warp_to(now() + DELAY)
    bonds.withdraw(bonded, sender=manager)
    assert bond_of(protocol, bonded) == (needed, 0, 0, 0)


def test_F1_nothing_leaves_while_a_case_is_open(protocol, bonds, book, bonded, manager):
    """INV-BND-04"""
    bonds.requestWithdrawal(bonded, HELD, sender=manager)
    due = bond_of(protocol, bonded)[2]
    warp_to(due - 10)
    book.openCase(bonded, 1, 100, sender=manager)
    closes = bonds.caseOf(bonded).closes
    warp_to(due)
    with reverts(bonds.CaseIsOpen, operator=bonded):
        bonds.withdraw(bonded, sender=manager)
    report_as_oracle(protocol, at=closes)
    with reverts(bonds.CaseIsOpen, operator=bonded):  # until somebody ends it
        bonds.withdraw(bonded, sender=manager)
    bonds.closeCase(bonded, sender=manager)
    bonds.withdraw(bonded, sender=manager)
    assert held(protocol, bonded) == 0


def test_F1_nothing_leaves_while_a_settlement_is_open(protocol, bonds, bonded, manager, stranger):
    """INV-BND-04"""
    bonds.requestWithdrawal(bonded, HELD, sender=manager)
    warp_to(bond_of(protocol, bonded)[2] - 10)
    reason = b"\x07" * 32
    signatures = settlement_signatures(protocol, bonded, ETHER, reason)
    bonds.propose(bonded, ETHER, reason, FOREVER, signatures, sender=stranger)
    warp_to(now() + 10)
    with reverts(bonds.SettlementIsOpen, operator=bonded):
        bonds.withdraw(bonded, sender=manager)
    bonds.cancel(1, sender=protocol.actors.guardian)
    bonds.withdraw(bonded, sender=manager)
    assert held(protocol, bonded) == 0


def test_operator_that_is_not_active_gets_its_bond_back(protocol, bonds, bonded, manager, rewards):
    protocol.as_registrar(protocol.registry.setActive, bonded, False)
    bonds.requestWithdrawal(bonded, HELD, sender=manager)
    warp_to(now() + DELAY)
    bonds.withdraw(bonded, sender=manager)
    assert held(protocol, bonded) == 0


def test_bonds_of_operators_are_apart(protocol, bonds, token, bonded, manager, stranger):
    other = register(protocol, stranger)
    token.transfer(stranger, 5 * ETHER, sender=manager)
    bond(protocol, other, 5 * ETHER, stranger)
    bonds.requestWithdrawal(other, 5 * ETHER, sender=stranger)
    warp_to(now() + DELAY)
    bonds.withdraw(other, sender=stranger)
    assert (held(protocol, other), held(protocol, bonded)) == (0, HELD)
    assert token.balanceOf(bonds) == HELD


# --- Governance ---


def test_setManager(protocol, bonds, book):
    successor = protocol.actors.deployer.deploy(ape.project.StakeBook, bonds)
    tx = protocol.as_governor(bonds.setManager, successor)
    assert events_of(bonds, tx) == [bonds.ManagerChanged(oldManager=book, manager=successor)]
    assert bonds.manager() == successor
    with reverts(bonds.CallerNotAllowed, caller=book, allowed=successor):
        book.openCase(1, 1, 1, sender=protocol.actors.stranger)


def test_setManager_to_an_account_without_code_reverts(protocol, bonds, stranger):
    with reverts(bonds.NotAContract, account=stranger):
        protocol.as_governor(bonds.setManager, stranger)


@pytest.mark.parametrize("who", ["stranger", "staker", "admin", "guardian", "registrar", "depositor"])
def test_F2_only_the_governor_sets_the_manager(protocol, bonds, who):
    caller = getattr(protocol.actors, who)
    with reverts(bonds.AccessManagedUnauthorized, caller=caller):
        bonds.setManager(bonds, sender=caller)
