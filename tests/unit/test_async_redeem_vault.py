"""AsyncRedeemVault against the texts of ERC-7540 and ERC-7575, and its own promises.

A quoted line in a docstring is the requirement that the test holds, from the text of the standard (ERC-7540 final,
ERC-7575 draft as of 2025; ERC-4626 where these refer to it).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from typing import Any

import pytest
from ape import chain, networks
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.in_process import Process, Reverted
from tests.reverts import reverts
from tests.small_core import ETHER, GWEI, MIN_REQUEST, ZERO, SmallCore, force_ether

INFINITE = 2**256 - 1


@pytest.fixture(scope="module")
def governance(accounts):
    return accounts[0]


@pytest.fixture(scope="module")
def owner(accounts):
    return accounts[2]


@pytest.fixture(scope="module")
def controller(accounts):
    return accounts[3]


@pytest.fixture(scope="module")
def operator(accounts):
    return accounts[4]


@pytest.fixture(scope="module")
def receiver(accounts):
    return accounts[5]


@pytest.fixture(scope="module")
def stranger(accounts):
    return accounts[6]


@pytest.fixture(scope="module")
def core(project, governance, accounts, owner, stranger):
    """At a rate that divides nothing: 73 ether and a bit for 61 shares."""
    core = SmallCore.deploy(project, governance, accounts[1])
    core.stake(owner, 40 * ETHER)
    core.stake(stranger, 20 * ETHER)
    core.tip(accounts[9], 12 * ETHER + 7)
    return core


@pytest.fixture(scope="module")
def weth(project, governance, owner, stranger):
    weth = governance.deploy(project.WrappedEther)
    for who in (owner, stranger):
        weth.deposit(sender=who, value=100 * ETHER)
    return weth


@pytest.fixture(scope="module")
def vault(project, governance, core, weth, owner, stranger):
    """The contract under test; its two users have approved it for both tokens."""
    vault = governance.deploy(project.AsyncRedeemVault, weth, core.vault, core.queue)
    for who in (owner, stranger):
        core.token.approve(vault, INFINITE, sender=who)
        weth.approve(vault, INFINITE, sender=who)
    return vault


@pytest.fixture
def finalise(core, governance):
    """A report that covers all open requests, then all of them are served. Returns what each of `ids` pays."""

    def run(*ids: int) -> list[int]:
        core.touch()
        core.queue.finalize(core.queue.lastRequestId(), sender=governance)
        return [core.queue.getRequest(i).assets for i in ids]

    return run


def request(vault: Any, shares: int, controller: Any, owner: Any) -> int:
    """The id of the new request."""
    return int(vault.requestRedeem(shares, controller, owner, sender=owner).return_value)


def selector(signature: str) -> int:
    return int.from_bytes(keccak(text=signature)[:4], "big")


def interface(*signatures: str) -> bytes:
    """ERC-165: the exclusive or of all selectors."""
    return reduce(lambda a, b: a ^ b, map(selector, signatures)).to_bytes(4, "big")


# --- Interfaces ---

MINIMAL = ("asset()", "share()", "convertToAssets(uint256)", "convertToShares(uint256)", "totalAssets()")
DEPOSIT = ("deposit(uint256,address)", "previewDeposit(uint256)", "maxDeposit(address)")
MINT = ("mint(uint256,address)", "previewMint(uint256)", "maxMint(address)")
REDEEM = ("redeem(uint256,address,address)", "previewRedeem(uint256)", "maxRedeem(address)")
WITHDRAW = ("withdraw(uint256,address,address)", "previewWithdraw(uint256)", "maxWithdraw(address)")
OPERATORS = ("setOperator(address,bool)", "isOperator(address,address)")
ASYNC_REDEEM = (
    "requestRedeem(uint256,address,address)",
    "pendingRedeemRequest(uint256,address)",
    "claimableRedeemRequest(uint256,address)",
)


@pytest.mark.parametrize(
    ("identity", "signatures"),
    [
        ("01ffc9a7", ("supportsInterface(bytes4)",)),
        ("e3bc4e65", OPERATORS),
        ("620ee8e4", ASYNC_REDEEM),
        ("50a526d6", MINIMAL),
        ("c1f329ef", DEPOSIT),
        ("e1550342", MINT),
        ("2fd7d42a", REDEEM),
        ("70dec094", WITHDRAW),
        ("2f0a18c5", MINIMAL + DEPOSIT + MINT + REDEEM + WITHDRAW),
    ],
)
def test_supports_interface(vault, identity, signatures):
    """ERC-7540: "All asynchronous Vaults MUST return the constant value true if either 0xe3bc4e65 [...] or
    0x2f0a18c5 [...] is passed"; "Asynchronous redemption Vaults MUST return the constant value true if 0x620ee8e4
    is passed". ERC-7575: each of its five parts has an id, "if a Vault implements all 5 interfaces, it MUST also
    return the constant value true if 0x2f0a18c5 is passed".
    """
    assert interface(*signatures).hex() == identity
    assert vault.supportsInterface(bytes.fromhex(identity)) is True


@pytest.mark.parametrize("signatures", [MINIMAL, DEPOSIT, MINT, REDEEM, WITHDRAW])
def test_the_staking_vault_names_the_parts_of_erc7575_too(core, signatures):
    assert core.vault.supportsInterface(interface(*signatures)) is True


@pytest.mark.parametrize("identity", ["ce3bbe50", "ffffffff", "00000000"])
def test_supports_no_interface_it_does_not_have(vault, identity):
    """0xce3bbe50 stands for asynchronous deposits; ERC-165 wants false for 0xffffffff."""
    assert vault.supportsInterface(bytes.fromhex(identity)) is False


def test_asset_is_wrapped_ether_and_share_is_staked_ether(vault, core, weth):
    """ERC-4626: asset "MUST be an ERC-20 token contract". ERC-7575: share "MUST return an address of an ERC-20 share
    representation of the Vault"."""
    assert vault.asset() == weth
    assert vault.share() == core.token
    assert (vault.vault(), vault.queue()) == (core.vault, core.queue)


@pytest.mark.parametrize("value", [0, 1, 10**9 + 1, ETHER, 10**26])
def test_conversions_are_those_of_the_core(vault, core, value):
    assert vault.totalAssets() == core.total
    assert vault.convertToAssets(value) == math.floor(value * core.rate)
    assert vault.convertToShares(value) == math.floor(value / core.rate)


# --- deposit, mint ---


@pytest.mark.parametrize("assets", [1000, 10**9 + 1, 3 * ETHER + 1])
def test_deposit_stakes_wrapped_ether_synchronously(vault, core, weth, owner, receiver, assets):
    """ERC-7540: "If either flow is not implemented in a Request pattern, it MUST use the ERC-4626 standard
    synchronous interaction pattern." ERC-7575: entry functions "MUST increase the share balance of the receiver by
    the shares amount".
    """
    shares = math.floor(assets / core.rate)
    assert vault.previewDeposit(assets) == shares
    held = weth.balanceOf(owner)
    tx = vault.deposit(assets, receiver, sender=owner)
    assert tx.return_value == shares
    assert tx.events == [
        weth.Transfer(**{"from": owner, "to": vault, "amount": assets}),
        weth.Transfer(**{"from": vault, "to": ZERO, "amount": assets}),
        core.token.Transfer(**{"from": ZERO, "to": receiver, "value": shares}),
        core.vault.Deposit(sender=vault, owner=receiver, assets=assets, shares=shares),
        vault.Deposit(sender=owner, owner=receiver, assets=assets, shares=shares),
    ]
    assert weth.balanceOf(owner) == held - assets
    assert core.token.balanceOf(receiver) == shares
    assert (weth.balanceOf(vault), vault.balance) == (0, 0)


@pytest.mark.parametrize("shares", [1000, 10**9 + 1, 3 * ETHER + 1])
def test_mint_gives_exactly_the_shares(vault, core, weth, owner, receiver, shares):
    """ERC-4626: mint "mints exactly shares Vault shares to receiver"."""
    assets = math.ceil(shares * core.rate)
    assert vault.previewMint(shares) == assets
    held = weth.balanceOf(owner)
    tx = vault.mint(shares, receiver, sender=owner)
    assert tx.return_value == assets
    assert tx.events == [
        weth.Transfer(**{"from": owner, "to": vault, "amount": assets}),
        weth.Transfer(**{"from": vault, "to": ZERO, "amount": assets}),
        core.token.Transfer(**{"from": ZERO, "to": receiver, "value": shares}),
        core.vault.Deposit(sender=vault, owner=receiver, assets=assets, shares=shares),
        vault.Deposit(sender=owner, owner=receiver, assets=assets, shares=shares),
    ]
    assert weth.balanceOf(owner) == held - assets
    assert core.token.balanceOf(receiver) == shares
    assert (weth.balanceOf(vault), vault.balance) == (0, 0)


def test_deposit_reverts_where_not_all_can_be_deposited(vault, core, weth, owner, receiver):
    """ERC-4626: deposit "MUST revert if all of assets cannot be deposited (due to deposit limit being reached,
    slippage, the user not approving enough underlying tokens to the Vault contract, etc)".
    """
    with reverts(core.vault.StakeBelowMinimum, given=999, minimum=1000):
        vault.deposit(999, owner, sender=owner)
    with reverts(core.token.ERC20InvalidReceiver, receiver=ZERO):
        vault.deposit(ETHER, ZERO, sender=owner)
    for call in (vault.deposit, vault.mint):
        with reverts(weth.InsufficientAllowance):
            call(ETHER, receiver, sender=receiver)
    weth.approve(vault, INFINITE, sender=receiver)
    for call in (vault.deposit, vault.mint):
        with reverts(weth.InsufficientBalance):
            call(ETHER, receiver, sender=receiver)


def test_deposit_up_to_the_limit_and_not_beyond(vault, core, governance, owner, receiver):
    """ERC-4626: maxDeposit and maxMint tell what deposit and mint take."""
    core.vault.setStakeLimit(5 * ETHER, 0, sender=governance)
    most = vault.maxDeposit(receiver)
    assert most == 5 * ETHER
    with reverts(core.vault.StakeAboveLimit, given=most + 1, available=most):
        vault.deposit(most + 1, receiver, sender=owner)
    snapshot = chain.snapshot()
    vault.deposit(most, receiver, sender=owner)
    assert vault.maxDeposit(receiver) == vault.maxMint(receiver) == 0
    chain.restore(snapshot)

    most = vault.maxMint(receiver)
    assert most == math.floor(5 * ETHER / core.rate)
    with reverts(core.vault.StakeAboveLimit, given=math.ceil((most + 1) * core.rate), available=5 * ETHER):
        vault.mint(most + 1, receiver, sender=owner)
    vault.mint(most, receiver, sender=owner)
    assert core.token.balanceOf(receiver) == most


# --- Operators ---


def test_set_operator_sets_logs_and_returns_true(vault, controller, operator):
    """ERC-7540: setOperator "MUST set the operator status to the approved value", "MUST log the OperatorSet event",
    "MUST return True".
    """
    for approved in (True, True, False):
        tx = vault.setOperator(operator, approved, sender=controller)
        assert tx.return_value is True
        assert tx.events == [vault.OperatorSet(controller=controller, operator=operator, approved=approved)]
        assert vault.isOperator(controller, operator) is approved
    assert vault.isOperator(operator, controller) is False


# --- requestRedeem ---


def test_request_redeem_takes_the_shares_and_pends(vault, core, owner, controller):
    """ERC-7540: requestRedeem "places the Request in Pending state, with a corresponding increase in
    pendingRedeemRequest for the amount shares"; "the shares MUST be removed from the custody of owner upon
    requestRedeem"; "MUST emit the RedeemRequest event".
    """
    held = core.token.balanceOf(owner)
    tx = vault.requestRedeem(2 * ETHER, controller, owner, sender=owner)
    identity = core.queue.lastRequestId()
    assert tx.return_value == identity == 1
    assert tx.events == [
        core.token.Transfer(**{"from": owner, "to": vault, "value": 2 * ETHER}),
        core.queue.Transfer(**{"from": ZERO, "to": vault, "id": identity}),
        core.queue.Requested(id=identity, sender=vault, receiver=vault, shares=2 * ETHER),
        core.token.Transfer(**{"from": vault, "to": core.queue, "value": 2 * ETHER}),
        vault.RedeemRequest(controller=controller, owner=owner, requestId=identity, sender=owner, shares=2 * ETHER),
    ]
    assert core.token.balanceOf(owner) == held - 2 * ETHER
    assert core.token.balanceOf(vault) == 0
    assert core.queue.ownerOf(identity) == vault
    assert vault.pendingRedeemRequest(identity, controller) == 2 * ETHER
    assert vault.claimableRedeemRequest(identity, controller) == 0
    assert vault.lineOf(controller) == (identity, identity, 0, 0)


@pytest.mark.parametrize("below", [1, GWEI - 1])
def test_request_redeem_leaves_what_is_below_a_gwei_with_the_owner(vault, core, owner, below):
    held = core.token.balanceOf(owner)
    tx = vault.requestRedeem(ETHER + below, owner, owner, sender=owner)
    assert core.token.balanceOf(owner) == held - ETHER
    assert vault.pendingRedeemRequest(tx.return_value, owner) == ETHER
    assert tx.events[-1] == vault.RedeemRequest(
        controller=owner, owner=owner, requestId=tx.return_value, sender=owner, shares=ETHER
    )


def test_request_redeem_by_an_operator(vault, core, owner, controller, operator):
    """ERC-7540: "Redeem Request approval of shares for a msg.sender NOT equal to owner may come either from ERC-20
    approval over the shares of owner or if the owner has approved the msg.sender as an operator."
    """
    vault.setOperator(operator, True, sender=owner)
    tx = vault.requestRedeem(ETHER, controller, owner, sender=operator)
    assert tx.events[-1] == vault.RedeemRequest(
        controller=controller, owner=owner, requestId=1, sender=operator, shares=ETHER
    )
    assert vault.pendingRedeemRequest(1, controller) == ETHER


def test_request_redeem_of_another_reverts(vault, core, owner, controller, operator, stranger):
    """The owner's approval is for this contract: nobody else may use it. An operator of the controller is nobody
    here.
    """
    core.token.approve(stranger, INFINITE, sender=owner)
    vault.setOperator(operator, True, sender=controller)
    for caller in (stranger, controller, operator):
        with reverts(vault.NotOwnerOrOperator, caller=caller, owner=owner):
            vault.requestRedeem(ETHER, controller, owner, sender=caller)


def test_request_redeem_by_a_former_operator_reverts(vault, owner, operator):
    vault.setOperator(operator, True, sender=owner)
    vault.setOperator(operator, False, sender=owner)
    with reverts(vault.NotOwnerOrOperator, caller=operator, owner=owner):
        vault.requestRedeem(ETHER, owner, owner, sender=operator)


def test_request_redeem_reverts_where_not_all_can_be_requested(vault, core, owner, stranger):
    """ERC-7540: "MUST revert if all of shares cannot be requested for redeem / withdraw (due to withdrawal limit
    being reached, slippage, the owner not having enough shares, etc).
    """
    held = core.token.balanceOf(owner)
    above = (held // GWEI + 1) * GWEI
    with reverts(core.token.ERC20InsufficientBalance, sender=owner, balance=held, needed=above):
        vault.requestRedeem(above, owner, owner, sender=owner)
    with reverts(core.queue.RequestBelowMinimum, shares=MIN_REQUEST - GWEI, minimum=MIN_REQUEST):
        vault.requestRedeem(MIN_REQUEST - 1, owner, owner, sender=owner)
    for nothing in (0, GWEI - 1):
        with reverts(core.queue.RequestBelowMinimum, shares=0, minimum=MIN_REQUEST):
            vault.requestRedeem(nothing, owner, owner, sender=owner)
    core.token.approve(vault, ETHER - 1, sender=owner)
    with reverts(core.token.ERC20InsufficientAllowance, spender=vault, allowance=ETHER - 1, needed=ETHER):
        vault.requestRedeem(ETHER, owner, owner, sender=owner)


def test_request_redeem_for_no_controller_reverts(vault, owner):
    with reverts(vault.ControllerMissing):
        vault.requestRedeem(ETHER, ZERO, owner, sender=owner)


def test_the_least_request_is_served(vault, core, owner, finalise):
    identity = request(vault, MIN_REQUEST, owner, owner)
    (pays,) = finalise(identity)
    assert vault.redeem(MIN_REQUEST, owner, owner, sender=owner).return_value == pays


# --- Pending and claimable ---


def test_pending_becomes_claimable_and_never_both(vault, owner, finalise):
    """ERC-7540: pendingRedeemRequest "MUST NOT include any shares in Claimable state", claimableRedeemRequest "MUST
    NOT include any shares in Pending state". "All Requests with the same requestId MUST transition from Pending to
    Claimable at the same time".
    """
    first, second = request(vault, ETHER, owner, owner), request(vault, 2 * ETHER, owner, owner)
    finalise()
    third = request(vault, 3 * ETHER, owner, owner)
    views = [
        (vault.pendingRedeemRequest(i, owner), vault.claimableRedeemRequest(i, owner)) for i in (first, second, third)
    ]
    assert views == [(0, ETHER), (0, 2 * ETHER), (3 * ETHER, 0)]
    vault.redeem(ETHER + 5, owner, owner, sender=owner)
    views = [
        (vault.pendingRedeemRequest(i, owner), vault.claimableRedeemRequest(i, owner)) for i in (first, second, third)
    ]
    assert views == [(0, 0), (0, 2 * ETHER - 5), (3 * ETHER, 0)]


def test_what_was_redeemed_is_claimable_no_more(vault, owner, finalise):
    """Neither while later requests wait nor when the line is empty."""
    first, second = request(vault, ETHER, owner, owner), request(vault, ETHER, owner, owner)
    finalise()
    vault.redeem(ETHER, owner, owner, sender=owner)
    assert (vault.claimableRedeemRequest(first, owner), vault.claimableRedeemRequest(second, owner)) == (0, ETHER)
    vault.redeem(ETHER, owner, owner, sender=owner)
    assert (vault.claimableRedeemRequest(first, owner), vault.claimableRedeemRequest(second, owner)) == (0, 0)


def test_views_do_not_vary_with_the_caller(vault, owner, controller, stranger, finalise):
    """ERC-7540: pendingRedeemRequest and claimableRedeemRequest "MUST NOT show any variations depending on the
    caller".
    """
    first = request(vault, ETHER, controller, owner)
    finalise()
    second = request(vault, ETHER, controller, owner)
    for caller in (owner, controller, stranger):
        assert vault.claimableRedeemRequest(first, controller, sender=caller) == ETHER
        assert vault.pendingRedeemRequest(second, controller, sender=caller) == ETHER
        assert vault.maxRedeem(controller, sender=caller) == ETHER


def test_views_are_zero_for_anything_unknown(vault, core, owner, controller, stranger, finalise):
    """ERC-7540: pendingRedeemRequest and claimableRedeemRequest "MUST NOT revert unless due to integer overflow
    caused by an unreasonably large input". A request of the queue that was not made here is unknown here, even if
    it is given to it.
    """
    request(vault, ETHER, controller, owner)
    core.queue.request(ETHER, stranger, sender=stranger)
    core.queue.request(ETHER, vault, sender=stranger)
    finalise()
    for identity in (0, 1, 2, 3, 4, 2**48, INFINITE):
        for who in (ZERO, owner, stranger, vault):
            assert vault.pendingRedeemRequest(identity, who) == 0
            assert vault.claimableRedeemRequest(identity, who) == 0
    for who in (ZERO, owner, stranger, vault):
        assert (vault.maxRedeem(who), vault.maxWithdraw(who)) == (0, 0)


def test_nothing_is_paid_before_it_is_claimed(vault, core, weth, owner, finalise):
    """ERC-7540: "Requests MUST NOT skip or otherwise short-circuit the Claim state"; "Vaults MUST NOT push tokens
    onto the user after a Request, users MUST pull the tokens via the Claim function".
    """
    held = weth.balanceOf(owner), owner.balance
    identity = request(vault, ETHER, owner, owner)
    paid = owner.balance
    finalise(identity)
    assert weth.balanceOf(owner) == held[0]
    assert owner.balance == paid


@pytest.mark.parametrize("value", [0, 1, ETHER, INFINITE])
def test_previews_of_an_exit_revert(vault, owner, stranger, value):
    """ERC-7540: "previewRedeem and previewWithdraw MUST revert for all callers and inputs"."""
    for caller in (owner, stranger):
        with reverts(vault.PreviewUnavailable):
            vault.previewRedeem(value, sender=caller)
        with reverts(vault.PreviewUnavailable):
            vault.previewWithdraw(value, sender=caller)


# --- redeem ---


def test_redeem_pays_wrapped_ether_for_a_whole_request(vault, core, weth, owner, controller, receiver, finalise):
    """ERC-7540: "The redeem and withdraw methods do not transfer shares to the Vault, because this already happened on
    requestRedeem"; shares are "burned by the time the request is Claimed"."""
    identity = request(vault, 3 * ETHER, controller, owner)
    rate = core.rate
    (pays,) = finalise(identity)
    assert pays == math.floor(3 * ETHER * rate)
    shares_held = core.token.balanceOf(owner)
    tx = vault.redeem(3 * ETHER, receiver, controller, sender=controller)
    assert tx.return_value == pays
    assert tx.events == [
        core.queue.Transfer(**{"from": vault, "to": ZERO, "id": identity}),
        core.queue.Claimed(id=identity, recipient=vault, assets=pays),
        vault.Withdraw(sender=controller, receiver=receiver, owner=controller, assets=pays, shares=3 * ETHER),
        weth.Transfer(**{"from": ZERO, "to": vault, "amount": pays}),
        weth.Transfer(**{"from": vault, "to": receiver, "amount": pays}),
    ]
    assert weth.balanceOf(receiver) == pays
    assert core.token.balanceOf(owner) == shares_held
    assert (vault.balance, weth.balanceOf(vault)) == (0, 0)
    assert vault.lineOf(controller) == (0, 0, 0, 0)


def test_redeem_in_parts_pays_together_what_the_request_pays(vault, owner, finalise):
    identity = request(vault, ETHER, owner, owner)
    (pays,) = finalise(identity)
    paid, left_shares, left_assets = 0, ETHER, pays
    for part in (1, 2, 10**9 + 7, ETHER // 3, 1):
        expected = math.floor(Fraction(part * left_assets, left_shares))  # of what is left, rounded down
        got = vault.redeem(part, owner, owner, sender=owner).return_value
        assert got == expected
        paid, left_shares, left_assets = paid + got, left_shares - part, left_assets - got
        assert vault.claimableRedeemRequest(identity, owner) == left_shares == vault.maxRedeem(owner)
        assert vault.maxWithdraw(owner) == left_assets == vault.balance
    paid += vault.redeem(left_shares, owner, owner, sender=owner).return_value
    assert paid == pays
    assert vault.balance == 0


def test_redeem_takes_requests_in_the_order_they_were_made(vault, core, owner, governance, accounts, finalise):
    """At different rates, so that the order shows in what is paid."""
    first = request(vault, ETHER, owner, owner)
    (pays_first,) = finalise(first)
    core.tip(accounts[9], 30 * ETHER)
    second, third = request(vault, ETHER, owner, owner), request(vault, ETHER, owner, owner)
    pays_second, pays_third = finalise(second, third)
    assert pays_first < pays_second == pays_third

    half = ETHER // 2
    assert vault.redeem(half, owner, owner, sender=owner).return_value == pays_first * half // ETHER
    rest = pays_first - pays_first * half // ETHER
    got = vault.redeem(ETHER, owner, owner, sender=owner).return_value
    assert got == rest + pays_second * half // ETHER
    assert vault.lineOf(owner) == (second, third, half, pays_second - pays_second * half // ETHER)
    got = vault.redeem(ETHER + half, owner, owner, sender=owner).return_value
    assert got == pays_second - pays_second * half // ETHER + pays_third
    assert vault.lineOf(owner) == (0, 0, 0, 0)


def test_redeem_again_after_the_line_was_empty(vault, owner, finalise):
    for _ in range(2):
        identity = request(vault, ETHER, owner, owner)
        (pays,) = finalise(identity)
        assert vault.redeem(ETHER, owner, owner, sender=owner).return_value == pays


def test_redeem_above_what_is_claimable_reverts(vault, owner, finalise):
    """Not with nothing requested, not while pending, not beyond what is finalised."""
    with reverts(vault.RedeemAboveClaimable, shares=1, claimable=0):
        vault.redeem(1, owner, owner, sender=owner)
    request(vault, ETHER, owner, owner)
    with reverts(vault.RedeemAboveClaimable, shares=ETHER, claimable=0):
        vault.redeem(ETHER, owner, owner, sender=owner)
    finalise()
    request(vault, 2 * ETHER, owner, owner)
    with reverts(vault.RedeemAboveClaimable, shares=ETHER + 1, claimable=ETHER):
        vault.redeem(ETHER + 1, owner, owner, sender=owner)
    with reverts(vault.RedeemAboveClaimable, shares=INFINITE, claimable=ETHER):
        vault.redeem(INFINITE, owner, owner, sender=owner)
    assert vault.maxRedeem(owner) == ETHER


def test_redeem_and_withdraw_belong_to_the_controller_and_its_operator(
    vault, core, weth, owner, controller, operator, receiver, stranger, finalise
):
    """ERC-7540: "the controller MUST be msg.sender unless the controller has approved the msg.sender as an
    operator."
    """
    request(vault, 2 * ETHER, controller, owner)
    finalise()
    vault.setOperator(stranger, True, sender=owner)  # of the former owner of the shares: nothing here
    for caller in (owner, operator, stranger, receiver):
        for call in (vault.redeem, vault.withdraw):
            with reverts(vault.NotOwnerOrOperator, caller=caller, owner=controller):
                call(1, caller, controller, sender=caller)
    vault.setOperator(operator, True, sender=controller)
    tx = vault.redeem(ETHER, receiver, controller, sender=operator)
    assert tx.events[2] == vault.Withdraw(
        sender=operator, receiver=receiver, owner=controller, assets=tx.return_value, shares=ETHER
    )
    tx = vault.withdraw(5, receiver, controller, sender=operator)
    assert weth.balanceOf(receiver) == vault.convertToAssets(ETHER) + 5


def test_redeem_of_nothing_pays_nothing(vault, weth, owner):
    held = weth.balanceOf(owner)
    assert vault.redeem(0, owner, owner, sender=owner).return_value == 0
    assert vault.withdraw(0, owner, owner, sender=owner).return_value == 0
    assert weth.balanceOf(owner) == held


def test_redeem_gas_of_a_whole_request_is_bounded(vault, owner, finalise, stranger):
    """C6: however many requests a stranger puts behind it."""
    request(vault, ETHER, owner, owner)
    alone = chain.snapshot()
    finalise()
    gas = vault.redeem(ETHER, owner, owner, sender=owner).gas_used
    chain.restore(alone)
    for _ in range(40):
        request(vault, MIN_REQUEST, owner, stranger)
    finalise()
    assert vault.redeem(ETHER, owner, owner, sender=owner).gas_used <= gas + 5_000  # the slot of the line stays set
    assert gas < 200_000


# --- withdraw ---


@pytest.mark.parametrize("assets", [1, 2, 10**9 + 7, ETHER])
def test_withdraw_pays_exactly_and_rounds_the_shares_up(vault, weth, owner, controller, receiver, finalise, assets):
    """ERC-4626: withdraw sends exactly the assets of underlying tokens to receiver."""
    identity = request(vault, 3 * ETHER, controller, owner)
    (pays,) = finalise(identity)
    shares = math.ceil(Fraction(assets * 3 * ETHER, pays))
    tx = vault.withdraw(assets, receiver, controller, sender=controller)
    assert tx.return_value == shares
    assert tx.events[2:] == [
        vault.Withdraw(sender=controller, receiver=receiver, owner=controller, assets=assets, shares=shares),
        weth.Transfer(**{"from": ZERO, "to": vault, "amount": assets}),
        weth.Transfer(**{"from": vault, "to": receiver, "amount": assets}),
    ]
    assert weth.balanceOf(receiver) == assets
    assert vault.maxRedeem(controller) == 3 * ETHER - shares
    assert vault.maxWithdraw(controller) == pays - assets == vault.balance


def test_withdraw_all_takes_every_share(vault, owner, finalise):
    first, second = request(vault, ETHER, owner, owner), request(vault, 2 * ETHER, owner, owner)
    pays = sum(finalise(first, second))
    assert vault.maxWithdraw(owner) == pays
    assert vault.withdraw(pays, owner, owner, sender=owner).return_value == 3 * ETHER
    assert vault.lineOf(owner) == (0, 0, 0, 0)
    assert vault.balance == 0


def test_withdraw_above_what_is_claimable_reverts(vault, owner, finalise):
    with reverts(vault.WithdrawAboveClaimable, assets=1, claimable=0):
        vault.withdraw(1, owner, owner, sender=owner)
    first = request(vault, ETHER, owner, owner)
    with reverts(vault.WithdrawAboveClaimable, assets=1, claimable=0):
        vault.withdraw(1, owner, owner, sender=owner)
    (pays,) = finalise(first)
    request(vault, ETHER, owner, owner)
    for assets in (pays + 1, INFINITE):
        with reverts(vault.WithdrawAboveClaimable, assets=assets, claimable=pays):
            vault.withdraw(assets, owner, owner, sender=owner)


def test_what_rounding_leaves_goes_to_the_next_request(vault, owner, finalise):
    """3 shares are left for 4 wei; 3 wei take all 3 shares, rounded up; the fourth wei is paid with the next
    request.
    """
    first = request(vault, ETHER, owner, owner)
    (pays,) = finalise(first)
    vault.redeem(ETHER - 3, owner, owner, sender=owner)
    _, _, shares, assets = vault.lineOf(owner)
    assert (shares, assets) == (3, 4)
    assert vault.withdraw(3, owner, owner, sender=owner).return_value == 3
    assert vault.lineOf(owner) == (0, 0, 0, 1)
    assert (vault.maxRedeem(owner), vault.maxWithdraw(owner)) == (0, 0)
    with reverts(vault.WithdrawAboveClaimable, assets=1, claimable=0):
        vault.withdraw(1, owner, owner, sender=owner)

    second = request(vault, ETHER, owner, owner)
    (pays,) = finalise(second)
    assert vault.maxWithdraw(owner) == pays + 1
    assert vault.redeem(ETHER, owner, owner, sender=owner).return_value == pays + 1
    assert vault.balance == 0


# --- max ---


def test_max_redeem_and_max_withdraw_look_at_a_bounded_number(vault, owner, stranger, finalise):
    """ERC-4626: a maximum must not be higher than what would be accepted, and may be lower. Redeeming itself has no
    bound.
    """
    count = vault.MAX_VIEWED() + 3
    ids = [request(vault, MIN_REQUEST, owner, stranger) for _ in range(count)]
    pays = finalise(*ids)
    assert vault.maxRedeem(owner) == (count - 3) * MIN_REQUEST
    assert vault.maxWithdraw(owner) == sum(pays[:-3])
    snapshot = chain.snapshot()
    assert vault.redeem(count * MIN_REQUEST, owner, owner, sender=owner).return_value == sum(pays)
    chain.restore(snapshot)
    vault.withdraw(sum(pays[:-3]), owner, owner, sender=owner)
    assert vault.maxRedeem(owner) == 3 * MIN_REQUEST


# --- Others ---


def test_a_claim_by_somebody_else_changes_nothing(vault, core, owner, stranger, finalise):
    """Anybody may claim a request of the queue to its owner, which is this contract: the controller is paid all the
    same.
    """
    first, second = request(vault, ETHER, owner, owner), request(vault, ETHER, owner, owner)
    pays = finalise(first, second)
    core.queue.claim(second, sender=stranger)
    core.queue.claim(first, core.queue.findCheckpoint(first), vault, sender=stranger)
    assert vault.balance == sum(pays)
    assert vault.claimableRedeemRequest(first, owner) == ETHER
    assert vault.maxRedeem(owner) == 2 * ETHER
    assert vault.maxWithdraw(owner) == sum(pays)
    tx = vault.redeem(2 * ETHER, owner, owner, sender=owner)
    assert tx.return_value == sum(pays)
    assert vault.balance == 0


def test_controllers_do_not_wait_for_each_other(vault, owner, controller, stranger, finalise):
    mine = request(vault, ETHER, controller, owner)
    theirs = request(vault, 2 * ETHER, stranger, stranger)
    pays_mine, pays_theirs = finalise(mine, theirs)
    assert vault.redeem(2 * ETHER, stranger, stranger, sender=stranger).return_value == pays_theirs
    assert vault.redeem(ETHER, controller, controller, sender=controller).return_value == pays_mine


def test_requests_that_a_stranger_adds_are_a_gift(vault, owner, stranger, finalise):
    gift = request(vault, MIN_REQUEST, owner, stranger)
    mine = request(vault, ETHER, owner, owner)
    pays_gift, pays_mine = finalise(gift, mine)
    got = vault.redeem(ETHER + MIN_REQUEST, owner, owner, sender=owner).return_value
    assert got == pays_gift + pays_mine


def test_C5_a_receiver_that_takes_no_ether_is_paid_too(vault, core, weth, owner, finalise):
    identity = request(vault, ETHER, owner, owner)
    (pays,) = finalise(identity)
    vault.redeem(ETHER, core.descriptor, owner, sender=owner)
    assert weth.balanceOf(core.descriptor) == pays


def test_plain_ether_is_refused(vault, stranger):
    with reverts(vault.EtherNotAccepted, sender=stranger):
        stranger.transfer(vault, 1)


def test_H3_forced_ether_changes_nothing(vault, owner, finalise):
    identity = request(vault, ETHER, owner, owner)
    (pays,) = finalise(identity)
    before = (vault.convertToAssets(ETHER), vault.maxWithdraw(owner), vault.totalAssets())
    force_ether(vault, 5 * ETHER)
    assert (vault.convertToAssets(ETHER), vault.maxWithdraw(owner), vault.totalAssets()) == before
    assert vault.redeem(ETHER, owner, owner, sender=owner).return_value == pays
    assert vault.balance == 5 * ETHER


def test_works_with_the_stipend_of_weth9(project, core, governance, owner, finalise):
    """The wrapped ether of mainnet unwraps with 2,300 gas; the receiver here must make do with that."""
    vault = governance.deploy(project.AsyncRedeemVault, owner, core.vault, core.queue)  # `owner` stands for the token
    needed = networks.provider.make_request(
        "eth_estimateGas", [{"from": owner.address, "to": vault.address, "value": "0x1"}]
    )
    assert int(needed, 16) - 21_000 < 2_300


# --- Any sequence ---

PEOPLE = 2
WHO = st.integers(0, PEOPLE - 1)
SHARES = st.integers(MIN_REQUEST // GWEI, ETHER // GWEI).map(lambda gwei: gwei * GWEI)
PART = st.one_of(st.integers(0, 7), st.integers(0, 10**6), st.integers(0, 2 * ETHER))
STEPS = st.one_of(
    st.tuples(st.just("request"), WHO, WHO, SHARES),
    st.tuples(st.sampled_from(["redeem", "withdraw"]), WHO, PART),
    st.tuples(st.sampled_from(["redeemAll", "withdrawAll"]), WHO),
    st.tuples(st.just("finalise")),
    st.tuples(st.just("claim"), st.integers(1, 20)),
    st.tuples(st.just("earn"), st.integers(1, 2 * ETHER)),
)


@dataclass
class ExactLine:
    """What one controller is owed: whole requests in order, the first perhaps in part, and wei that rounding left."""

    waiting: list[tuple[int, int]] = field(default_factory=list)  # (id, shares), not finalised
    ready: list[list[int]] = field(default_factory=list)  # [shares, assets]
    dust: int = 0

    @property
    def shares(self) -> int:
        return sum(shares for shares, _ in self.ready)

    @property
    def assets(self) -> int:
        return sum(assets for _, assets in self.ready) + (self.dust if self.ready else 0)

    def redeem(self, shares: int) -> int:
        paid = 0
        while shares:
            first = self._first()
            part = min(shares, first[0])
            out = math.floor(Fraction(first[1] * part, first[0]))
            paid, shares = paid + out, shares - part
            self._take(first, part, out)
        return paid

    def withdraw(self, assets: int) -> int:
        burnt = 0
        while assets:
            first = self._first()
            out = min(assets, first[1])
            part = math.ceil(Fraction(first[0] * out, first[1]))
            burnt, assets = burnt + part, assets - out
            self._take(first, part, out)
        return burnt

    def _first(self) -> list[int]:
        self.ready[0][1] += self.dust
        self.dust = 0
        return self.ready[0]

    def _take(self, first: list[int], shares: int, assets: int) -> None:
        first[0] -= shares
        first[1] -= assets
        if first[0] == 0:
            self.dust = first[1]
            self.ready.pop(0)


@pytest.fixture(scope="module")
def in_process(project):
    process = Process()
    people = [process.account(10 + i) for i in range(PEOPLE)]
    core = SmallCore.deploy(project, process.account(0), process.account(1), clock=process)
    weth = process.account(0).deploy(project.WrappedEther)
    vault = process.account(0).deploy(project.AsyncRedeemVault, weth, core.vault, core.queue)
    for person in people:
        core.stake(person, 30 * ETHER)
        core.token.approve(vault, INFINITE, sender=person)
    return process, core, weth, vault, people


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(STEPS, max_size=30))
def test_every_wei_of_a_request_reaches_its_controller(in_process, steps):
    """Payments equal those of an exact model; what is held is what controllers are still owed; the maxima are
    honest.
    """
    process, core, weth, vault, people = in_process
    start, now = process.evm.snapshot(), process.now
    try:
        lines = [ExactLine() for _ in people]
        paid = [weth.balanceOf(p) for p in people]
        for name, *args in steps:
            if name == "request":
                by, to, shares = args
                identity = vault.requestRedeem(shares, people[to], people[by], sender=people[by])
                lines[to].waiting.append((identity, shares))
            elif name == "earn":
                core.tip(people[0], args[0])
            elif name == "finalise":
                core.touch()
                if not (last := core.queue.finalizable()):
                    continue
                core.queue.finalize(last, sender=people[0])
                for line in lines:
                    line.ready += [[s, core.queue.getRequest(i)[3]] for i, s in line.waiting if i <= last]
                    line.waiting = [(i, s) for i, s in line.waiting if i > last]
            elif name == "claim":
                try:
                    core.queue.claim(args[0], sender=people[1])
                except Reverted:
                    continue  # not finalised, or claimed before
            else:
                who, line = people[args[0]], lines[args[0]]
                redeems = name.startswith("redeem")
                most = line.shares if redeems else line.assets
                assert (vault.maxRedeem(who) if redeems else vault.maxWithdraw(who)) == most
                size = most if name.endswith("All") else args[1]
                call = vault.redeem if redeems else vault.withdraw
                if size > most:
                    with pytest.raises(Reverted):
                        call(size, who, who, sender=who)
                    continue
                got = call(size, who, who, sender=who)
                assert got == (line.redeem(size) if redeems else line.withdraw(size))
                paid[args[0]] += got if redeems else size

            assert [weth.balanceOf(p) for p in people] == paid
            assert core.token.balanceOf(vault) == weth.balanceOf(vault) == 0
            unclaimed = sum(
                core.queue.getRequest(i)[3]
                for i in range(1, core.queue.lastFinalizedId() + 1)
                if not core.queue.getRequest(i)[5]
            )
            owed = sum(sum(assets for _, assets in line.ready) + line.dust for line in lines)
            assert vault.balance + unclaimed == owed
    finally:
        process.evm.revert(start)
        process.pass_time(now - process.now)
