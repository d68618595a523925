"""RebasingStakedEther: balances follow the rate, shares move exactly, nobody else's wei is touched.

Rates: "par" is 1, "up" about 1.43 and "down" below 1, where one more share can be worth nothing more.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
from ape import chain
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.in_process import Process, Reverted
from tests.reverts import reverts
from tests.small_core import ETHER, ZERO, SmallCore
from tests.typed_data import as_bytes, malleated, sign_permit

INFINITE = 2**256 - 1
HELD = 5 * ETHER + 7  # shares that the holder has wrapped


@pytest.fixture(scope="module")
def governance(accounts):
    return accounts[0]


@pytest.fixture(scope="module")
def fees(accounts):
    return accounts[1]


@pytest.fixture(scope="module")
def holder(accounts):
    return accounts[2]


@pytest.fixture(scope="module")
def receiver(accounts):
    return accounts[3]


@pytest.fixture(scope="module")
def spender(accounts):
    return accounts[4]


@pytest.fixture(scope="module")
def stranger(accounts):
    return accounts[5]


@pytest.fixture(scope="module")
def core(project, governance, fees, holder):
    core = SmallCore.deploy(project, governance, fees)
    core.stake(holder, 7 * ETHER)
    return core


@pytest.fixture(scope="module")
def wrapper(project, governance, core, holder):
    wrapper = governance.deploy(project.RebasingStakedEther, core.vault)
    core.token.approve(wrapper, INFINITE, sender=holder)
    wrapper.wrap(HELD, sender=holder)
    return wrapper


@pytest.fixture(scope="module")
def wallet(project, holder):
    return holder.deploy(project.ContractWallet, holder)


@pytest.fixture(params=["par", "up", "down"])
def rate(request, core, wrapper) -> Fraction:
    if request.param != "par":
        core.earn(4 * ETHER)
    if request.param == "down":
        core.lose(4 * ETHER)
    rate = core.rate
    assert {"par": rate == 1, "up": Fraction(14, 10) < rate < Fraction(15, 10), "down": rate < 1}[request.param]
    return rate


def shares_for(rate: Fraction, amount: int) -> int:
    """Least shares worth `amount`."""
    return math.ceil(amount / rate)


def moved(wrapper: Any, sender: Any, to: Any, amount: int, shares: int) -> list[Any]:
    """The two events of every movement."""
    return [
        wrapper.Transfer(**{"from": sender, "to": to, "value": amount}),
        wrapper.TransferShares(**{"from": sender, "to": to, "shares": shares}),
    ]


# --- Deployment ---


def test_deployment_has_its_names_and_the_core(wrapper, core):
    assert wrapper.name() == "Sluice Rebasing Staked Ether"
    assert wrapper.symbol() == "rslETH"
    assert wrapper.decimals() == 18
    assert wrapper.token() == core.token
    assert wrapper.vault() == core.vault


def test_erc5267_describes_the_domain(wrapper):
    domain = wrapper.eip712Domain()
    assert bytes(domain.fields) == b"\x0f"
    assert (domain.name, domain.version) == ("Sluice Rebasing Staked Ether", "1")
    assert (domain.chainId, domain.verifyingContract) == (chain.chain_id, wrapper.address)


# --- wrap ---


@pytest.mark.parametrize("shares", [1, 2, 10**9 + 1, ETHER, 2 * ETHER - 7])
def test_wrap_takes_the_shares_and_credits_them(core, wrapper, holder, rate, shares):
    held, total = core.token.balanceOf(holder), wrapper.totalShares()
    tx = wrapper.wrap(shares, sender=holder)
    amount = math.floor(shares * rate)
    assert tx.return_value == amount
    assert tx.events == [
        core.token.Transfer(**{"from": holder, "to": wrapper, "value": shares}),
        *moved(wrapper, ZERO, holder, amount, shares),
    ]
    assert core.token.balanceOf(holder) == held - shares
    assert wrapper.sharesOf(holder) == HELD + shares
    assert wrapper.totalShares() == total + shares == core.token.balanceOf(wrapper)
    assert wrapper.balanceOf(holder) == math.floor((HELD + shares) * rate)


def test_wrap_of_nothing_reverts(wrapper, holder):
    with reverts(wrapper.SharesMissing):
        wrapper.wrap(0, sender=holder)


def test_wrap_reverts_without_allowance(core, wrapper, receiver):
    with reverts(core.token.ERC20InsufficientAllowance, spender=wrapper, allowance=0, needed=1):
        wrapper.wrap(1, sender=receiver)


def test_wrap_reverts_above_the_balance(core, wrapper, holder):
    held = core.token.balanceOf(holder)
    with reverts(core.token.ERC20InsufficientBalance, sender=holder, balance=held, needed=held + 1):
        wrapper.wrap(held + 1, sender=holder)


def test_wrap_and_unwrap_stay_below_their_gas_bounds(core, wrapper, holder):
    """Issue 2, D: 70,000 each for an existing holder."""
    core.earn(ETHER)
    assert wrapper.wrap(ETHER, sender=holder).gas_used <= 70_000
    assert wrapper.unwrap(ETHER // 3, sender=holder).gas_used <= 70_000
    assert wrapper.unwrapShares(ETHER // 3, sender=holder).gas_used <= 70_000


# --- wrapWithPermit ---


def permit_for(core, wrapper, holder, shares: int, **changes: Any) -> tuple[int, Any]:
    deadline = chain.pending_timestamp + 1000
    given_: dict[str, Any] = {"spender": wrapper, "value": shares, "nonce": core.token.nonces(holder)}
    return deadline, sign_permit(core.token, holder, deadline=deadline, **(given_ | changes))


@pytest.fixture
def no_allowance(core, wrapper, holder):
    core.token.approve(wrapper, 0, sender=holder)


def test_wrap_with_permit_needs_no_approval(core, wrapper, holder, no_allowance):
    deadline, signature = permit_for(core, wrapper, holder, ETHER)
    tx = wrapper.wrapWithPermit(ETHER, deadline, as_bytes(signature), sender=holder)
    assert tx.return_value == ETHER
    assert tx.events == [
        core.token.Approval(owner=holder, spender=wrapper, value=ETHER),
        core.token.Transfer(**{"from": holder, "to": wrapper, "value": ETHER}),
        *moved(wrapper, ZERO, holder, ETHER, ETHER),
    ]
    assert core.token.allowance(holder, wrapper) == 0
    assert wrapper.sharesOf(holder) == HELD + ETHER


def test_G1_wrap_with_permit_survives_somebody_submitting_the_permit_first(
    core, wrapper, holder, stranger, no_allowance
):
    deadline, signature = permit_for(core, wrapper, holder, ETHER)
    core.token.permit(holder, wrapper, ETHER, deadline, signature.v, signature.r, signature.s, sender=stranger)
    tx = wrapper.wrapWithPermit(ETHER, deadline, as_bytes(signature), sender=holder)
    assert tx.events == [
        core.token.Transfer(**{"from": holder, "to": wrapper, "value": ETHER}),
        *moved(wrapper, ZERO, holder, ETHER, ETHER),
    ]


def test_wrap_with_permit_reverts_where_the_permit_is_not_for_it(core, wrapper, holder, stranger, no_allowance):
    for changes in ({"value": ETHER - 1}, {"spender": stranger}, {"nonce": core.token.nonces(holder) + 1}):
        deadline, signature = permit_for(core, wrapper, holder, ETHER, **changes)
        with reverts(core.token.ERC20InsufficientAllowance, spender=wrapper, allowance=0, needed=ETHER):
            wrapper.wrapWithPermit(ETHER, deadline, as_bytes(signature), sender=holder)


def test_wrap_with_permit_of_a_contract_wallet(project, core, wrapper, holder):
    wallet = holder.deploy(project.ContractWallet, holder)
    core.token.transfer(wallet, ETHER, sender=holder)
    deadline = chain.pending_timestamp + 1000
    signature = sign_permit(core.token, holder, owner=wallet, spender=wrapper, value=ETHER, nonce=0, deadline=deadline)
    call = wrapper.wrapWithPermit.encode_input(ETHER, deadline, as_bytes(signature))
    wallet.execute(wrapper, call, sender=holder)
    assert wrapper.sharesOf(wallet) == ETHER


# --- stake ---


def test_stake_goes_straight_into_the_wrapper(core, wrapper, holder, receiver, stranger, rate):
    value = 3 * ETHER + 1
    shares = math.floor(value / rate)
    tx = wrapper.stake(receiver, shares, stranger, sender=holder, value=value)
    assert tx.return_value == shares
    # the stake itself moves the rate up by its dust
    amount = math.floor(shares * core.rate)
    assert tx.events == [
        core.token.Transfer(**{"from": ZERO, "to": wrapper, "value": shares}),
        core.vault.Deposit(sender=wrapper, owner=wrapper, assets=value, shares=shares),
        core.vault.Referred(referral=stranger, owner=wrapper, assets=value, shares=shares),
        *moved(wrapper, ZERO, receiver, amount, shares),
    ]
    assert wrapper.sharesOf(receiver) == shares
    assert wrapper.balanceOf(receiver) == amount
    assert core.token.balanceOf(wrapper) == wrapper.totalShares()


def test_stake_passes_on_what_the_vault_refuses(core, wrapper, holder):
    with reverts(core.vault.StakeBelowMinimum, given=999, minimum=1000):
        wrapper.stake(holder, 0, ZERO, sender=holder, value=999)
    with reverts(core.vault.SharesBelowMinimum, shares=ETHER, minShares=ETHER + 1):
        wrapper.stake(holder, ETHER + 1, ZERO, sender=holder, value=ETHER)


def test_stake_reverts_for_a_receiver_that_could_not_move_it(core, wrapper, holder):
    for receiver in (ZERO, wrapper.address, core.token.address):
        with reverts(wrapper.ERC20InvalidReceiver, receiver=receiver):
            wrapper.stake(receiver, 0, ZERO, sender=holder, value=ETHER)


def test_plain_ether_is_refused(wrapper, holder):
    with reverts(b""):
        holder.transfer(wrapper, 1)


# --- unwrap ---


@pytest.mark.parametrize("amount", [1, 2, 10**9 + 1, ETHER])
def test_unwrap_returns_the_least_shares_worth_the_amount(core, wrapper, holder, rate, amount):
    held, total = core.token.balanceOf(holder), wrapper.totalShares()
    shares = shares_for(rate, amount)
    tx = wrapper.unwrap(amount, sender=holder)
    assert tx.return_value == shares
    assert tx.events == [
        *moved(wrapper, holder, ZERO, amount, shares),
        core.token.Transfer(**{"from": wrapper, "to": holder, "value": shares}),
    ]
    assert core.token.balanceOf(holder) == held + shares
    assert wrapper.sharesOf(holder) == HELD - shares
    assert wrapper.totalShares() == total - shares == core.token.balanceOf(wrapper)


def test_unwrap_of_the_whole_balance_leaves_nothing(core, wrapper, holder, rate):
    held = core.token.balanceOf(holder)
    tx = wrapper.unwrap(wrapper.balanceOf(holder), sender=holder)
    assert tx.return_value == HELD
    assert wrapper.sharesOf(holder) == wrapper.totalShares() == 0
    assert core.token.balanceOf(holder) == held + HELD


def test_unwrap_reverts_above_the_balance(wrapper, holder, rate):
    balance = math.floor(HELD * rate)
    for amount in (balance + 1, INFINITE):
        with reverts(wrapper.ERC20InsufficientBalance, sender=holder, balance=balance, needed=amount):
            wrapper.unwrap(amount, sender=holder)


def test_unwrap_of_nothing_reverts(wrapper, holder):
    with reverts(wrapper.SharesMissing):
        wrapper.unwrap(0, sender=holder)
    with reverts(wrapper.SharesMissing):
        wrapper.unwrapShares(0, sender=holder)


@pytest.mark.parametrize("shares", [1, 10**9 + 1, ETHER, HELD])
def test_unwrap_shares_returns_exactly_those(core, wrapper, holder, rate, shares):
    held = core.token.balanceOf(holder)
    tx = wrapper.unwrapShares(shares, sender=holder)
    amount = math.floor(shares * rate)
    assert tx.return_value == amount
    assert tx.events == [
        *moved(wrapper, holder, ZERO, amount, shares),
        core.token.Transfer(**{"from": wrapper, "to": holder, "value": shares}),
    ]
    assert core.token.balanceOf(holder) == held + shares
    assert wrapper.sharesOf(holder) == HELD - shares


def test_unwrap_shares_reverts_above_what_is_held(wrapper, holder):
    with reverts(wrapper.InsufficientShares, account=holder, shares=HELD, needed=HELD + 1):
        wrapper.unwrapShares(HELD + 1, sender=holder)


# --- transfer ---


@pytest.mark.parametrize("amount", [1, 2, 3, 10**9 + 1, ETHER])
def test_transfer_gives_the_receiver_at_least_the_amount(wrapper, holder, receiver, rate, amount):
    shares = shares_for(rate, amount)
    tx = wrapper.transfer(receiver, amount, sender=holder)
    assert tx.return_value is True
    assert tx.events == moved(wrapper, holder, receiver, amount, shares)
    assert wrapper.sharesOf(holder) == HELD - shares
    assert wrapper.sharesOf(receiver) == shares
    got = wrapper.balanceOf(receiver)
    assert got == math.floor(shares * rate)
    assert amount <= got < amount + rate + 1


def test_transfer_of_the_whole_balance_moves_every_share(wrapper, holder, receiver, rate):
    balance = wrapper.balanceOf(holder)
    tx = wrapper.transfer(receiver, balance, sender=holder)
    assert tx.events == moved(wrapper, holder, receiver, balance, HELD)
    assert wrapper.sharesOf(holder) == 0
    assert wrapper.balanceOf(receiver) == balance


def test_A6_transfer_of_the_whole_balance_below_par_leaves_no_dust(core, wrapper, holder, receiver):
    """At a rate below 1 some share adds nothing to the displayed balance; it moves all the same."""
    core.earn(4 * ETHER)
    core.lose(4 * ETHER)
    rate = core.rate
    shares = next(s for s in range(2, 100) if math.floor(s * rate) == math.floor((s - 1) * rate))
    wrapper.transferShares(receiver, shares, sender=holder)
    amount = wrapper.balanceOf(receiver)
    assert shares_for(rate, amount) == shares - 1
    wrapper.transfer(holder, amount, sender=receiver)
    assert wrapper.sharesOf(receiver) == 0
    assert wrapper.sharesOf(holder) == HELD


def test_transfer_of_nothing_moves_nothing(wrapper, holder, receiver, rate):
    tx = wrapper.transfer(receiver, 0, sender=holder)
    assert tx.events == moved(wrapper, holder, receiver, 0, 0)
    assert wrapper.sharesOf(holder) == HELD
    assert wrapper.sharesOf(receiver) == 0


def test_A7_transfer_to_oneself_changes_nothing(wrapper, holder, rate):
    total = wrapper.totalShares()
    tx = wrapper.transfer(holder, ETHER, sender=holder)
    assert tx.events == moved(wrapper, holder, holder, ETHER, shares_for(rate, ETHER))
    tx = wrapper.transferShares(holder, HELD, sender=holder)
    assert tx.events == moved(wrapper, holder, holder, math.floor(HELD * rate), HELD)
    assert wrapper.sharesOf(holder) == HELD
    assert wrapper.totalShares() == total


def test_transfer_to_oneself_still_needs_the_balance(wrapper, holder):
    with reverts(wrapper.ERC20InsufficientBalance, sender=holder, balance=HELD, needed=HELD + 1):
        wrapper.transfer(holder, HELD + 1, sender=holder)
    with reverts(wrapper.InsufficientShares, account=holder, shares=HELD, needed=HELD + 1):
        wrapper.transferShares(holder, HELD + 1, sender=holder)


def test_transfer_reverts_above_the_balance(wrapper, holder, receiver, rate):
    balance = math.floor(HELD * rate)
    for amount in (balance + 1, INFINITE):
        with reverts(wrapper.ERC20InsufficientBalance, sender=holder, balance=balance, needed=amount):
            wrapper.transfer(receiver, amount, sender=holder)


def test_G3_nothing_moves_to_where_it_would_be_lost(core, wrapper, holder, spender):
    wrapper.approve(spender, INFINITE, sender=holder)
    for lost in (ZERO, wrapper.address, core.token.address):
        for call in (
            lambda to: wrapper.transfer(to, 1, sender=holder),
            lambda to: wrapper.transferShares(to, 1, sender=holder),
            lambda to: wrapper.transferFrom(holder, to, 1, sender=spender),
            lambda to: wrapper.transferSharesFrom(holder, to, 1, sender=spender),
        ):
            with reverts(wrapper.ERC20InvalidReceiver, receiver=lost):
                call(lost)


# --- approve, transferFrom ---


def test_approve_sets_the_allowance(wrapper, holder, spender):
    tx = wrapper.approve(spender, 5, sender=holder)
    assert tx.return_value is True
    assert tx.events == [wrapper.Approval(owner=holder, spender=spender, value=5)]
    assert wrapper.allowance(holder, spender) == 5


def test_approve_reverts_for_nobody(wrapper, holder):
    with reverts(wrapper.ERC20InvalidSpender, spender=ZERO):
        wrapper.approve(ZERO, 1, sender=holder)


@pytest.mark.parametrize("amount", [1, 7, 10**9 + 1, ETHER])
def test_transfer_from_works_with_exactly_the_amount_approved(wrapper, holder, receiver, spender, rate, amount):
    wrapper.approve(spender, amount, sender=holder)
    shares = shares_for(rate, amount)
    tx = wrapper.transferFrom(holder, receiver, amount, sender=spender)
    assert tx.return_value is True
    assert tx.events == moved(wrapper, holder, receiver, amount, shares)
    assert wrapper.allowance(holder, spender) == 0
    assert wrapper.balanceOf(receiver) >= amount


@pytest.mark.parametrize("amount", [1, 7, 10**9 + 1])
def test_transfer_from_charges_what_moves_rounded_up(wrapper, holder, receiver, spender, rate, amount):
    wrapper.approve(spender, ETHER, sender=holder)
    wrapper.transferFrom(holder, receiver, amount, sender=spender)
    assert wrapper.allowance(holder, spender) == ETHER - math.ceil(shares_for(rate, amount) * rate)


def test_transfer_from_in_single_wei_moves_no_more_than_at_once(core, wrapper, holder, receiver, spender):
    """Each call must move a whole share: without the charge for it 20 wei approved would move 28 wei here."""
    core.earn(4 * ETHER)
    wrapper.approve(spender, 20, sender=holder)
    calls = 0
    while wrapper.allowance(holder, spender):
        wrapper.transferFrom(holder, receiver, 1, sender=spender)
        calls += 1
    assert calls == 10  # a share is charged 2 wei: 1.43 rounded up
    assert wrapper.balanceOf(receiver) <= 20


def test_transfer_from_does_not_spend_an_infinite_allowance(wrapper, holder, receiver, spender):
    wrapper.approve(spender, INFINITE, sender=holder)
    wrapper.transferFrom(holder, receiver, ETHER, sender=spender)
    wrapper.transferSharesFrom(holder, receiver, ETHER, sender=spender)
    assert wrapper.allowance(holder, spender) == INFINITE


def test_transfer_from_reverts_above_the_allowance(wrapper, holder, receiver, spender):
    wrapper.approve(spender, ETHER - 1, sender=holder)
    with reverts(wrapper.ERC20InsufficientAllowance, spender=spender, allowance=ETHER - 1, needed=ETHER):
        wrapper.transferFrom(holder, receiver, ETHER, sender=spender)


def test_transfer_from_reverts_above_the_balance(wrapper, holder, receiver, spender):
    wrapper.approve(spender, INFINITE, sender=holder)
    with reverts(wrapper.ERC20InsufficientBalance, sender=holder, balance=HELD, needed=HELD + 1):
        wrapper.transferFrom(holder, receiver, HELD + 1, sender=spender)


def test_transfer_from_nobody_reverts(wrapper, receiver, stranger):
    for call in (wrapper.transferFrom, wrapper.transferSharesFrom):
        with reverts(wrapper.ERC20InvalidSender, sender=ZERO):
            call(ZERO, receiver, 0, sender=stranger)


def test_transfer_from_of_nothing_cannot_take_a_share_worth_nothing(core, wrapper, holder, receiver, stranger):
    """Below par a single share shows as 0, which is then the whole balance: a stranger may still not move it."""
    core.earn(4 * ETHER)
    core.lose(4 * ETHER)
    wrapper.transferShares(receiver, 1, sender=holder)
    assert wrapper.balanceOf(receiver) == 0
    tx = wrapper.transferFrom(receiver, stranger, 0, sender=stranger)
    assert tx.events == moved(wrapper, receiver, stranger, 0, 0)
    assert wrapper.sharesOf(receiver) == 1


# --- Shares ---


@pytest.mark.parametrize("shares", [0, 1, 10**9 + 1, HELD])
def test_transfer_shares_moves_exactly_those(wrapper, holder, receiver, rate, shares):
    tx = wrapper.transferShares(receiver, shares, sender=holder)
    amount = math.floor(shares * rate)
    assert tx.return_value == amount
    assert tx.events == moved(wrapper, holder, receiver, amount, shares)
    assert wrapper.sharesOf(holder) == HELD - shares
    assert wrapper.sharesOf(receiver) == shares


def test_transfer_shares_reverts_above_what_is_held(wrapper, holder, receiver):
    with reverts(wrapper.InsufficientShares, account=holder, shares=HELD, needed=HELD + 1):
        wrapper.transferShares(receiver, HELD + 1, sender=holder)


@pytest.mark.parametrize("shares", [0, 1, 10**9 + 1, HELD])
def test_transfer_shares_from_charges_their_worth_rounded_up(wrapper, holder, receiver, spender, rate, shares):
    charge = math.ceil(shares * rate)
    wrapper.approve(spender, charge + 5, sender=holder)
    tx = wrapper.transferSharesFrom(holder, receiver, shares, sender=spender)
    amount = math.floor(shares * rate)
    assert tx.return_value == amount
    assert tx.events == moved(wrapper, holder, receiver, amount, shares)
    assert wrapper.allowance(holder, spender) == 5
    assert wrapper.sharesOf(receiver) == shares


@pytest.mark.parametrize("shares", [1, 10**9 + 1, HELD])
def test_transfer_shares_from_reverts_below_their_worth_rounded_up(wrapper, holder, receiver, spender, rate, shares):
    """One share cannot pass with an allowance of 0, whatever the rate (compare Lido core#796)."""
    charge = math.ceil(shares * rate)
    wrapper.approve(spender, charge - 1, sender=holder)
    with reverts(wrapper.ERC20InsufficientAllowance, spender=spender, allowance=charge - 1, needed=charge):
        wrapper.transferSharesFrom(holder, receiver, shares, sender=spender)


def test_transfer_shares_from_reverts_above_what_is_held(wrapper, holder, receiver, spender):
    wrapper.approve(spender, INFINITE, sender=holder)
    with reverts(wrapper.InsufficientShares, account=holder, shares=HELD, needed=HELD + 1):
        wrapper.transferSharesFrom(holder, receiver, HELD + 1, sender=spender)


# --- Conversion ---


@pytest.mark.parametrize("value", [0, 1, 2, 3, 10**9 - 1, ETHER, 10**26 + 7])
def test_conversions_are_exact_in_both_directions(wrapper, rate, value):
    assert wrapper.convertToAmount(value) == math.floor(value * rate)
    assert wrapper.convertToAmountRoundUp(value) == math.ceil(value * rate)
    assert wrapper.convertToShares(value) == math.floor(value / rate)
    assert wrapper.convertToSharesRoundUp(value) == math.ceil(value / rate)


def test_balances_follow_the_rate_and_never_exceed_the_supply(core, wrapper, holder, receiver, stranger):
    for other, shares in ((receiver, ETHER // 3), (stranger, 1)):
        wrapper.transferShares(other, shares, sender=holder)
    for change in (lambda: core.earn(4 * ETHER), lambda: core.lose(3 * ETHER), lambda: core.earn(ETHER // 7)):
        change()
        balances = [wrapper.balanceOf(who) for who in (holder, receiver, stranger)]
        shares = [wrapper.sharesOf(who) for who in (holder, receiver, stranger)]
        assert balances == [math.floor(s * core.rate) for s in shares]
        assert 0 <= wrapper.totalSupply() - sum(balances) < len(balances)
        assert sum(shares) == wrapper.totalShares() == HELD


def test_H3_a_donation_of_staked_ether_changes_nothing(core, wrapper, holder, stranger, rate):
    before = (wrapper.totalShares(), wrapper.totalSupply(), wrapper.balanceOf(holder), wrapper.convertToAmount(ETHER))
    core.token.transfer(wrapper, ETHER, sender=holder)
    assert before == (
        wrapper.totalShares(),
        wrapper.totalSupply(),
        wrapper.balanceOf(holder),
        wrapper.convertToAmount(ETHER),
    )
    with reverts(wrapper.InsufficientShares, account=stranger, shares=0, needed=1):
        wrapper.unwrapShares(1, sender=stranger)


# --- permit ---


@pytest.fixture
def deadline():
    return chain.pending_timestamp + 1000


def test_permit_sets_the_allowance(wrapper, holder, spender, stranger, deadline):
    signature = sign_permit(wrapper, holder, spender=spender, value=5, nonce=0, deadline=deadline)
    tx = wrapper.permit(holder, spender, 5, deadline, signature.v, signature.r, signature.s, sender=stranger)
    assert tx.events == [wrapper.Approval(owner=holder, spender=spender, value=5)]
    assert wrapper.allowance(holder, spender) == 5
    assert wrapper.nonces(holder) == 1


def test_permit_takes_bytes_too(wrapper, holder, spender, stranger, deadline):
    signature = sign_permit(wrapper, holder, spender=spender, value=5, nonce=0, deadline=deadline)
    wrapper.permit(holder, spender, 5, deadline, as_bytes(signature), sender=stranger)
    assert wrapper.allowance(holder, spender) == 5


def test_permit_of_a_contract_wallet(wrapper, wallet, holder, spender, stranger, deadline):
    signature = sign_permit(wrapper, holder, owner=wallet, spender=spender, value=5, nonce=0, deadline=deadline)
    wrapper.permit(wallet, spender, 5, deadline, as_bytes(signature), sender=stranger)
    assert wrapper.allowance(wallet, spender) == 5


def test_permit_reverts_where_the_wallet_does_not_accept(wrapper, wallet, spender, stranger, deadline):
    signature = sign_permit(wrapper, stranger, owner=wallet, spender=spender, value=5, nonce=0, deadline=deadline)
    with reverts(wrapper.ERC2612InvalidSigner, signer=stranger, owner=wallet):
        wrapper.permit(wallet, spender, 5, deadline, as_bytes(signature), sender=stranger)


def test_permit_counts_in_the_last_second_and_not_after(wrapper, holder, spender, deadline):
    signature = sign_permit(wrapper, holder, spender=spender, value=5, nonce=0, deadline=deadline)
    snapshot = chain.snapshot()
    chain.mine(timestamp=deadline)
    chain.provider.make_request("evm_setNextBlockTimestamp", [deadline + 1])
    with reverts(wrapper.ERC2612ExpiredSignature, deadline=deadline):
        wrapper.permit(holder, spender, 5, deadline, as_bytes(signature), sender=spender)
    chain.restore(snapshot)
    chain.provider.make_request("evm_setNextBlockTimestamp", [deadline])
    wrapper.permit(holder, spender, 5, deadline, as_bytes(signature), sender=spender)
    assert wrapper.allowance(holder, spender) == 5


def test_G2_permit_counts_once(wrapper, holder, spender, deadline):
    signature = sign_permit(wrapper, holder, spender=spender, value=5, nonce=0, deadline=deadline)
    wrapper.permit(holder, spender, 5, deadline, as_bytes(signature), sender=spender)
    with reverts(wrapper.ERC2612InvalidSigner, owner=holder):
        wrapper.permit(holder, spender, 5, deadline, as_bytes(signature), sender=spender)


def test_G2_permit_is_bound_to_every_field(core, wrapper, holder, spender, stranger, deadline):
    good: dict[str, Any] = {"spender": spender, "value": 5, "nonce": 0, "deadline": deadline}
    for changes in (
        {"spender": stranger},
        {"value": 6},
        {"nonce": 1},
        {"deadline": deadline + 1},
        {"name": core.token.name()},
        {"chain_id": 1},
    ):
        signature = sign_permit(wrapper, holder, **(good | changes))
        with reverts(wrapper.ERC2612InvalidSigner, owner=holder):
            wrapper.permit(holder, spender, 5, deadline, as_bytes(signature), sender=spender)
    assert wrapper.nonces(holder) == 0


def test_G2_permit_refuses_malleated_and_broken_signatures(wrapper, holder, spender, deadline):
    signature = sign_permit(wrapper, holder, spender=spender, value=5, nonce=0, deadline=deadline)
    whole = as_bytes(signature)
    broken = [
        malleated(signature),
        whole[:64] + b"\x00",
        whole[:64] + b"\x01",
        whole[:64],
        whole + b"\x00",
        b"",
        bytes(65),
    ]
    for candidate in broken:
        with reverts(wrapper.ERC2612InvalidSigner, signer=ZERO, owner=holder):
            wrapper.permit(holder, spender, 5, deadline, candidate, sender=spender)


def test_G2_permit_of_nobody_reverts(wrapper, spender, deadline):
    """A signature that recovers to nothing does not sign for the zero address."""
    with reverts(wrapper.ERC2612InvalidSigner, signer=ZERO, owner=ZERO):
        wrapper.permit(ZERO, spender, 5, deadline, bytes(65), sender=spender)


def test_G1_a_permit_submitted_by_another_leaves_the_allowance(wrapper, holder, receiver, spender, stranger, deadline):
    signature = sign_permit(wrapper, holder, spender=spender, value=ETHER, nonce=0, deadline=deadline)
    wrapper.permit(holder, spender, ETHER, deadline, as_bytes(signature), sender=stranger)
    wrapper.transferFrom(holder, receiver, ETHER, sender=spender)
    assert wrapper.balanceOf(receiver) == ETHER


# --- Any sequence ---

PEOPLE = 3
SIZE = st.one_of(st.integers(0, 5), st.integers(0, 10**6), st.integers(0, 3 * ETHER))
WHO = st.integers(0, PEOPLE - 1)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["wrap", "unwrap", "unwrapShares", "stake", "donate"]), WHO, SIZE),
    st.tuples(st.sampled_from(["transfer", "transferShares"]), WHO, WHO, SIZE),
    st.tuples(st.just("transferAll"), WHO, WHO),
    st.tuples(st.sampled_from(["earn", "lose"]), st.integers(1, 5 * ETHER)),
)


@pytest.fixture(scope="module")
def in_process(project):
    process = Process()
    people = [process.account(10 + i) for i in range(PEOPLE)]
    core = SmallCore.deploy(project, process.account(0), process.account(1), clock=process)
    wrapper = process.account(0).deploy(project.RebasingStakedEther, core.vault)
    for person in people:
        core.stake(person, 10 * ETHER)
        core.token.approve(wrapper, INFINITE, sender=person)
    return process, core, wrapper, people


@settings(max_examples=400, deadline=None)
@given(steps=st.lists(STEPS, max_size=30))
def test_shares_are_conserved_whatever_happens(in_process, steps):
    """Shares of each account equal those of an exact model; their sum is `totalShares`, which the wrapper holds."""
    process, core, wrapper, people = in_process
    calls = {
        "wrap": wrapper.wrap,
        "unwrap": wrapper.unwrap,
        "unwrapShares": wrapper.unwrapShares,
        "stake": wrapper.stake,
        "donate": core.token.transfer,
        "transfer": wrapper.transfer,
        "transferAll": wrapper.transfer,
        "transferShares": wrapper.transferShares,
    }
    start, now = process.evm.snapshot(), process.now
    try:
        outside = [core.token.balanceOf(p) for p in people]
        inside, donated = [0] * PEOPLE, 0
        for name, *args in steps:
            rate = core.rate
            if name == "earn":
                core.earn(args[0])
                continue
            if name == "lose":
                core.lose(min(args[0], core.gained * 10**9))
                continue
            who, size = args[0], args[-1]
            if name == "transferAll":
                size = wrapper.balanceOf(people[who])
            balance = math.floor(inside[who] * rate)
            if name in ("unwrap", "transfer", "transferAll"):
                shares = inside[who] if 0 < size == balance else shares_for(rate, size)
                possible = size <= balance
            else:
                shares = size
                possible = size <= (outside[who] if name in ("wrap", "donate") else inside[who])
            if name.endswith(("wrap", "unwrapShares")):
                possible = possible and shares > 0
            if name == "stake":
                shares, possible = math.floor(size / rate), size >= 1000
            call = calls[name]
            if name == "stake":
                act = partial(call, people[who], 0, ZERO, value=size)
            elif name == "donate":
                act = partial(call, wrapper, size)
            elif name.startswith("transfer"):
                act = partial(call, people[args[1]], size)
            else:
                act = partial(call, size)
            if not possible:
                with pytest.raises(Reverted):
                    act(sender=people[who])
                continue
            act(sender=people[who])
            if name in ("wrap", "stake"):
                inside[who] += shares
                outside[who] -= shares if name == "wrap" else 0
            elif name.startswith("unwrap"):
                inside[who] -= shares
                outside[who] += shares
            elif name == "donate":
                outside[who] -= shares
                donated += shares
            else:
                inside[who] -= shares
                inside[args[1]] += shares

            assert [wrapper.sharesOf(p) for p in people] == inside
            assert [core.token.balanceOf(p) for p in people] == outside
            assert wrapper.totalShares() == sum(inside)
            assert core.token.balanceOf(wrapper) == sum(inside) + donated
            assert 0 <= wrapper.totalSupply() - sum(wrapper.balanceOf(p) for p in people) < PEOPLE
    finally:
        process.evm.revert(start)
        process.pass_time(now - process.now)
