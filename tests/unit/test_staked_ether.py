"""StakedEther: an ERC-20 that stays what it is. Permits are in test_staked_ether_permit.py."""

from __future__ import annotations

import ape
import pytest
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import ETHER, ZERO, stake
from tests.in_process import Process, Reverted
from tests.reverts import reverts
from tests.small_core import SmallCore

HELD = 100 * ETHER
INFINITE = 2**256 - 1


@pytest.fixture
def token(protocol):
    return protocol.token


@pytest.fixture
def holder(protocol):
    """Holds 100 slETH: at the rate of 1 as many as the ether staked."""
    assert stake(protocol, protocol.actors.staker, HELD) == HELD
    return protocol.actors.staker


@pytest.fixture
def other(protocol):
    return protocol.actors.other


@pytest.fixture
def spender(protocol):
    return protocol.actors.stranger


def transfer_event(token, sender, receiver, value):
    return token.Transfer(**{"from": sender, "to": receiver, "value": value})


# --- What it says of itself ---


def test_token_says_what_it_is(protocol, token):
    assert token.name() == "Sluice Staked Ether"
    assert token.symbol() == "slETH"
    assert token.decimals() == 18
    assert token.VAULT() == protocol.vault
    assert token.QUEUE() == protocol.queue


def test_supply_is_that_of_the_vault(protocol, token, holder):
    seed = protocol.params.vault.seed
    assert token.totalSupply() == seed + HELD == protocol.vault.supply()
    assert token.balanceOf(holder) + token.balanceOf(protocol.vault.SEED_HOLDER()) == seed + HELD


@pytest.mark.parametrize(
    ("functions", "supported"),
    [
        (["supportsInterface(bytes4)"], True),
        (
            [
                "totalSupply()",
                "balanceOf(address)",
                "allowance(address,address)",
                "transfer(address,uint256)",
                "approve(address,uint256)",
                "transferFrom(address,address,uint256)",
            ],
            True,
        ),
        (
            [
                "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
                "nonces(address)",
                "DOMAIN_SEPARATOR()",
            ],
            True,
        ),
        (["vault(address)"], True),  # ERC-7575, share side
        (["balanceOf(address)", "ownerOf(uint256)"], False),
    ],
)
def test_erc165_ids(token, functions, supported):
    id_ = 0
    for function in functions:
        id_ ^= int.from_bytes(keccak(text=function)[:4], "big")
    assert token.supportsInterface(id_.to_bytes(4, "big")) is supported


def test_erc165_refuses_the_invalid_id(token):
    assert token.supportsInterface(b"\xff" * 4) is False


def test_erc7575_names_the_vault_for_ether_alone(protocol, token):
    assert token.vault("0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE") == protocol.vault
    assert token.vault(ZERO) == ZERO
    assert token.vault(protocol.weth) == ZERO


# --- transfer ---


@pytest.mark.parametrize("value", [0, 1, HELD // 3, HELD - 1, HELD])
def test_transfer_moves_the_value(token, holder, other, value):
    supply = token.totalSupply()
    tx = token.transfer(other, value, sender=holder)
    assert tx.return_value is True
    assert tx.events == [transfer_event(token, holder, other, value)]
    assert token.balanceOf(holder) == HELD - value
    assert token.balanceOf(other) == value
    assert token.totalSupply() == supply


def test_transfer_adds_to_what_is_there(token, holder, other):
    token.transfer(other, 7, sender=holder)
    token.transfer(other, 5, sender=holder)
    assert token.balanceOf(other) == 12


@pytest.mark.parametrize("value", [0, 1, HELD])
def test_A7_transfer_to_self_changes_nothing(token, holder, value):
    tx = token.transfer(holder, value, sender=holder)
    assert tx.events == [transfer_event(token, holder, holder, value)]
    assert token.balanceOf(holder) == HELD


def test_A7_transfer_to_self_of_more_than_held_reverts(token, holder):
    with reverts(token.ERC20InsufficientBalance, sender=holder, balance=HELD, needed=HELD + 1):
        token.transfer(holder, HELD + 1, sender=holder)


@pytest.mark.parametrize("value", [HELD + 1, 2**96, 2**255, INFINITE])
def test_transfer_of_more_than_held_reverts(token, holder, other, value):
    with reverts(token.ERC20InsufficientBalance, sender=holder, balance=HELD, needed=value):
        token.transfer(other, value, sender=holder)


def test_transfer_from_an_empty_account(token, other, spender):
    with reverts(token.ERC20InsufficientBalance, sender=other, balance=0, needed=1):
        token.transfer(spender, 1, sender=other)
    assert token.transfer(spender, 0, sender=other).events == [transfer_event(token, other, spender, 0)]


@pytest.mark.parametrize("value", [0, 1, HELD, HELD + 1])
def test_G3_transfer_to_zero_reverts(token, holder, value):
    with reverts(token.ERC20InvalidReceiver, receiver=ZERO):
        token.transfer(ZERO, value, sender=holder)


@pytest.mark.parametrize("value", [0, 1, HELD, HELD + 1])
def test_G3_transfer_to_the_token_reverts(token, holder, value):
    with reverts(token.ERC20InvalidReceiver, receiver=token):
        token.transfer(token, value, sender=holder)


@pytest.mark.parametrize("function", ["transfer(address,uint256)", "transferFrom(address,address,uint256)"])
def test_transfer_refuses_an_address_with_dirty_upper_bits(token, holder, other, function):
    """The two balances are addressed by hand: bits above an address must never reach the hash."""
    token.approve(holder, 1, sender=holder)

    def send(above: bytes) -> None:
        words = [above + bytes.fromhex(other.address[2:]), (1).to_bytes(32, "big")]
        if function.startswith("transferFrom"):
            words.insert(0, bytes(12) + bytes.fromhex(holder.address[2:]))
        holder.transfer(token, 0, data=keccak(text=function)[:4] + b"".join(words))

    with reverts(b""):
        send(bytes([1]) + bytes(11))
    send(bytes(12))
    assert token.balanceOf(other) == 1


def test_token_takes_no_ether(token, holder):
    with reverts(b""):
        holder.transfer(token, 1)


# --- approve, transferFrom ---


@pytest.mark.parametrize("value", [0, 1, INFINITE - 1, INFINITE])
def test_approve_sets_the_allowance(token, holder, spender, value):
    tx = token.approve(spender, value, sender=holder)
    assert tx.return_value is True
    assert tx.events == [token.Approval(owner=holder, spender=spender, value=value)]
    assert token.allowance(holder, spender) == value
    assert token.allowance(spender, holder) == 0


def test_approve_of_zero_reverts(token, holder):
    with reverts(token.ERC20InvalidSpender, spender=ZERO):
        token.approve(ZERO, 1, sender=holder)


def test_G3_approve_replaces_and_never_adds(token, holder, spender):
    token.approve(spender, 10, sender=holder)
    token.approve(spender, 3, sender=holder)
    with reverts(token.ERC20InsufficientAllowance, spender=spender, allowance=3, needed=4):
        token.transferFrom(holder, spender, 4, sender=spender)


def test_G3_approve_race_is_closed_by_way_of_zero(token, holder, spender):
    """A spender who spends first gets the old allowance alone where the holder resets it to zero and looks."""
    token.approve(spender, 10, sender=holder)
    token.transferFrom(holder, spender, 10, sender=spender)  # ran ahead of the reset
    token.approve(spender, 0, sender=holder)
    assert token.balanceOf(spender) == 10  # what the holder sees before it approves 5 more
    with reverts(token.ERC20InsufficientAllowance, spender=spender, allowance=0, needed=1):
        token.transferFrom(holder, spender, 1, sender=spender)


@pytest.mark.parametrize("value", [0, 1, HELD])
def test_transfer_from_spends_a_finite_allowance(token, holder, other, spender, value):
    token.approve(spender, HELD, sender=holder)
    tx = token.transferFrom(holder, other, value, sender=spender)
    assert tx.return_value is True
    assert tx.events == [transfer_event(token, holder, other, value)]
    assert token.balanceOf(holder) == HELD - value
    assert token.balanceOf(other) == value
    assert token.allowance(holder, spender) == HELD - value


@pytest.mark.parametrize(("allowance", "left"), [(INFINITE, INFINITE), (INFINITE - 1, INFINITE - 1 - HELD)])
def test_transfer_from_does_not_spend_an_infinite_allowance(token, holder, other, spender, allowance, left):
    token.approve(spender, allowance, sender=holder)
    tx = token.transferFrom(holder, other, HELD, sender=spender)
    assert tx.events == [transfer_event(token, holder, other, HELD)]
    assert token.allowance(holder, spender) == left


@pytest.mark.parametrize(("allowance", "value"), [(0, 1), (5, 6), (HELD, INFINITE)])
def test_transfer_from_above_the_allowance_reverts(token, holder, other, spender, allowance, value):
    token.approve(spender, allowance, sender=holder)
    with reverts(token.ERC20InsufficientAllowance, spender=spender, allowance=allowance, needed=value):
        token.transferFrom(holder, other, value, sender=spender)


def test_transfer_from_own_account_needs_an_allowance(token, holder, other):
    with reverts(token.ERC20InsufficientAllowance, spender=holder, allowance=0, needed=1):
        token.transferFrom(holder, other, 1, sender=holder)


@pytest.mark.parametrize("allowance", [HELD + 1, INFINITE])
def test_transfer_from_above_the_balance_reverts(token, holder, other, spender, allowance):
    token.approve(spender, allowance, sender=holder)
    with reverts(token.ERC20InsufficientBalance, sender=holder, balance=HELD, needed=HELD + 1):
        token.transferFrom(holder, other, HELD + 1, sender=spender)
    assert token.allowance(holder, spender) == allowance


@pytest.mark.parametrize("value", [0, 1])
def test_transfer_from_zero_reverts(token, other, spender, value):
    with reverts(token.ERC20InvalidSender, sender=ZERO):
        token.transferFrom(ZERO, other, value, sender=spender)


def test_G3_transfer_from_to_zero_or_the_token_reverts(token, holder, spender):
    token.approve(spender, HELD, sender=holder)
    for receiver in (ZERO, token.address):
        with reverts(token.ERC20InvalidReceiver, receiver=receiver):
            token.transferFrom(holder, receiver, 1, sender=spender)
    assert token.allowance(holder, spender) == HELD


def test_A7_transfer_from_to_self_spends_allowance_alone(token, holder, spender):
    token.approve(spender, 10, sender=holder)
    token.transferFrom(holder, holder, 4, sender=spender)
    assert token.balanceOf(holder) == HELD
    assert token.allowance(holder, spender) == 6


# --- Core only ---


@pytest.mark.parametrize("caller", ["stranger", "staker", "admin", "governor", "guardian", "queue", "oracle", "cover"])
def test_J5_only_the_vault_mints_and_burns(protocol, token, holder, caller):
    actor = getattr(protocol.actors, caller, None) or protocol.impersonate(getattr(protocol, caller))
    with reverts(token.CallerNotAllowed, caller=actor, allowed=protocol.vault):
        token.mint(actor, 1, sender=actor)
    with reverts(token.CallerNotAllowed, caller=actor, allowed=protocol.vault):
        token.burn(holder, 1, sender=actor)


@pytest.mark.parametrize("caller", ["stranger", "staker", "admin", "governor", "guardian", "vault", "oracle", "cover"])
def test_J5_only_the_queue_escrows(protocol, token, holder, caller):
    actor = getattr(protocol.actors, caller, None) or protocol.impersonate(getattr(protocol, caller))
    with reverts(token.CallerNotAllowed, caller=actor, allowed=protocol.queue):
        token.escrowFrom(holder, 1, sender=actor)


def test_mint_to_zero_or_the_token_reverts(protocol, token, other):
    for receiver in (ZERO, token.address):
        with reverts(token.ERC20InvalidReceiver, receiver=receiver):
            protocol.vault.stake(receiver, 0, ZERO, sender=other, value=ETHER)


def test_mint_is_a_transfer_from_zero(protocol, token, other):
    tx = token.mint(other, 5, sender=protocol.impersonate(protocol.vault))
    assert tx.events == [transfer_event(token, ZERO, other, 5)]
    assert token.balanceOf(other) == 5


def test_burn_is_a_transfer_to_zero(protocol, token, holder):
    tx = token.burn(holder, HELD - 1, sender=protocol.impersonate(protocol.vault))
    assert tx.events == [transfer_event(token, holder, ZERO, HELD - 1)]
    assert token.balanceOf(holder) == 1


def test_burn_of_more_than_held_reverts(protocol, token, holder):
    vault = protocol.impersonate(protocol.vault)
    with reverts(token.ERC20InsufficientBalance, sender=holder, balance=HELD, needed=HELD + 1):
        token.burn(holder, HELD + 1, sender=vault)


@pytest.mark.parametrize("shares", [0, 1, HELD])
def test_escrow_moves_shares_to_the_queue_without_allowance(protocol, token, holder, shares):
    tx = token.escrowFrom(holder, shares, sender=protocol.impersonate(protocol.queue))
    assert tx.events == [transfer_event(token, holder, protocol.queue, shares)]
    assert token.balanceOf(holder) == HELD - shares
    assert token.balanceOf(protocol.queue) == shares


def test_escrow_of_more_than_held_reverts(protocol, token, holder):
    with reverts(token.ERC20InsufficientBalance, sender=holder, balance=HELD, needed=HELD + 1):
        token.escrowFrom(holder, HELD + 1, sender=protocol.impersonate(protocol.queue))


# --- Any sequence ---

WHO = ("a", "b", "c")
VALUES = st.one_of(st.integers(0, 20), st.just(INFINITE), st.integers(0, INFINITE))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("transfer"), st.sampled_from(WHO), st.sampled_from(WHO), VALUES),
        st.tuples(st.just("approve"), st.sampled_from(WHO), st.sampled_from(WHO), VALUES),
        st.tuples(st.just("transferFrom"), st.sampled_from(WHO), st.sampled_from(WHO), st.sampled_from(WHO), VALUES),
    ),
    max_size=30,
)


@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_any_sequence_of_transfers_equals_the_ledger(steps):
    """INV: the sum of balances is the supply; every step does to three accounts what a dictionary does."""
    process = Process()
    core = SmallCore.deploy(ape.project, process.account(0), process.account(1), clock=process)
    accounts = {name: process.account(index) for index, name in enumerate(WHO, start=2)}
    balances = dict.fromkeys(WHO, 0)
    allowances = dict.fromkeys([(x, y) for x in WHO for y in WHO], 0)
    for name, amount in zip(WHO, (1_000, 2_000, 3_000), strict=True):
        balances[name] = core.stake(accounts[name], amount)
    supply = core.token.totalSupply()

    for kind, who, *rest in steps:
        try:
            getattr(core.token, kind)(*[accounts.get(item, item) for item in rest], sender=accounts[who])
            done = True
        except Reverted:
            done = False
        if kind == "approve":
            assert done
            allowances[who, rest[0]] = rest[1]
            continue
        owner, receiver, value = (who, *rest) if kind == "transfer" else rest
        allowed = kind == "transfer" or allowances[owner, who] >= value
        assert done == (allowed and balances[owner] >= value)
        if done:
            balances[owner] -= value
            balances[receiver] += value
            if kind == "transferFrom" and allowances[owner, who] != INFINITE:
                allowances[owner, who] -= value

    assert {name: core.token.balanceOf(account) for name, account in accounts.items()} == balances
    assert {pair: core.token.allowance(*(accounts[x] for x in pair)) for pair in allowances} == allowances
    assert core.token.totalSupply() == supply
