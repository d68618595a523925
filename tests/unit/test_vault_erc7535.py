"""StakingVault as ERC-7535 (ERC-4626 over ether), ERC-7575 and ERC-165 see it."""

from __future__ import annotations

import math
from fractions import Fraction

import ape
import pytest
from eth_utils import keccak

from tests.helpers import DAY, ETHER, GWEI, ZERO, deposit_to_beacon, give_ether, send_raw, set_rate, stake, warp_to
from tests.reverts import reverts

MIN_STAKE = 10**15
ETHER_ADDRESS = "0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE"  # ERC-7528
AMOUNTS = [0, 1, 2, MIN_STAKE - 1, MIN_STAKE, ETHER, 31_415_926_535_897_932_384, 12_345 * ETHER + 1]


@pytest.fixture(scope="module")
def vault(protocol):
    return protocol.vault


@pytest.fixture(scope="module")
def token(protocol):
    return protocol.token


@pytest.fixture(scope="module")
def staker(protocol):
    give_ether(protocol.actors.staker, 1_000_000 * ETHER)
    return protocol.actors.staker


@pytest.fixture(scope="module")
def other(protocol):
    return protocol.actors.other


@pytest.fixture(params=["1", "1.37", "0.93"])
def rate(protocol, vault, staker, request):
    """At a rate of 1, at 1.37 and a bit, and below 1 after a loss; ether per share from the counters."""
    if request.param == "1.37":
        stake(protocol, staker, 999 * ETHER)
        set_rate(protocol, 428_737_688_000 * GWEI)
    elif request.param == "0.93":
        stake(protocol, staker, 999 * ETHER + 1)
        deposit_to_beacon(protocol, 100 * GWEI)
        set_rate(protocol, -70_000_000_001 * GWEI)
    rate = Fraction(vault.pooled() - vault.unvested(), vault.supply())
    assert abs(rate - Fraction(request.param)) < Fraction(1, 100)
    assert (rate == 1) == (request.param == "1")
    return rate


# --- Faces ---


def interface_id(*functions: str) -> bytes:
    id_ = 0
    for function in functions:
        id_ ^= int.from_bytes(keccak(text=function)[:4], "big")
    return id_.to_bytes(4, "big")


ERC7535_FUNCTIONS = (
    "asset()",
    "totalAssets()",
    "convertToShares(uint256)",
    "convertToAssets(uint256)",
    "maxDeposit(address)",
    "previewDeposit(uint256)",
    "deposit(uint256,address)",
    "maxMint(address)",
    "previewMint(uint256)",
    "mint(uint256,address)",
    "maxWithdraw(address)",
    "previewWithdraw(uint256)",
    "withdraw(uint256,address,address)",
    "maxRedeem(address)",
    "previewRedeem(uint256)",
    "redeem(uint256,address,address)",
)


@pytest.mark.parametrize(
    ("id_", "supported"),
    [
        (interface_id("supportsInterface(bytes4)"), True),
        (interface_id(*ERC7535_FUNCTIONS), True),
        (bytes.fromhex("2f0a18c5"), True),  # ERC-7575 names this value, and the parts below
        (
            interface_id("asset()", "share()", "convertToAssets(uint256)", "convertToShares(uint256)", "totalAssets()"),
            True,
        ),
        *(
            (
                interface_id(
                    f"{name}({arguments})", f"preview{name.capitalize()}(uint256)", f"max{name.capitalize()}(address)"
                ),
                True,
            )
            for name, arguments in {
                "deposit": "uint256,address",
                "mint": "uint256,address",
                "withdraw": "uint256,address,address",
                "redeem": "uint256,address,address",
            }.items()
        ),
        (bytes.fromhex("ffffffff"), False),
        (interface_id("share()"), False),
        (bytes.fromhex("f815c03d"), False),  # the share side is the token's
    ],
)
def test_erc165_ids(vault, id_, supported):
    assert vault.supportsInterface(id_) is supported


def test_faces_name_ether_and_the_token(vault, token):
    assert vault.asset() == ETHER_ADDRESS
    assert vault.share() == token


def test_synchronous_exit_is_not_there(vault, staker, rate):
    assert vault.maxWithdraw(staker) == vault.maxRedeem(staker) == 0
    for function in ("withdraw", "redeem"):
        for amount in (0, 1, vault.supply(), 2**256 - 1):
            with reverts(vault.SynchronousExitUnavailable):
                send_raw(staker, vault, f"{function}(uint256,address,address)", amount, staker, staker)


# --- Conversions, from the counters alone ---


def test_conversions_round_against_the_caller(vault, rate):
    for amount in AMOUNTS:
        assert vault.convertToShares(amount) == math.floor(amount / rate)
        assert vault.convertToAssets(amount) == math.floor(amount * rate)
        assert vault.previewDeposit(amount) == math.floor(amount / rate)
        assert vault.previewMint(amount) == math.ceil(amount * rate)
        assert vault.previewWithdraw(amount) == math.ceil(amount / rate)
        assert vault.previewRedeem(amount) == math.floor(amount * rate)


def test_rate_and_total_are_those_of_the_counters(vault, rate):
    assert vault.rate() == math.floor(rate * 10**18)
    assert vault.totalAssets() == vault.pooled() - vault.unvested() == rate * vault.supply()


def test_A3_conversions_there_and_back_never_gain(vault, rate):
    for amount in AMOUNTS:
        assert vault.convertToAssets(vault.convertToShares(amount)) <= amount
        assert vault.convertToShares(vault.convertToAssets(amount)) <= amount
        assert vault.previewRedeem(vault.previewDeposit(amount)) <= amount
        assert vault.previewMint(vault.previewWithdraw(amount)) >= amount


# --- deposit ---


def deposited(protocol, sender, receiver, assets, shares):
    return [
        protocol.token.Transfer(**{"from": ZERO, "to": receiver, "value": shares}),
        protocol.vault.Deposit(sender=sender, owner=receiver, assets=assets, shares=shares),
    ]


@pytest.mark.parametrize("assets", [a for a in AMOUNTS if a >= MIN_STAKE])
def test_preview_deposit_is_what_deposit_gives(protocol, vault, token, staker, other, rate, assets):
    shares = math.floor(assets / rate)
    assert vault.previewDeposit(assets) == shares
    tx = vault.deposit(assets, other, sender=staker, value=assets)
    assert tx.events == deposited(protocol, staker, other, assets, shares)
    assert tx.return_value == shares
    assert token.balanceOf(other) == shares


@pytest.mark.parametrize("sent", [0, ETHER - 1, ETHER + 1, 2 * ETHER])
def test_deposit_reverts_where_the_ether_sent_is_not_the_assets_named(vault, staker, other, sent):
    with reverts(vault.WrongValue, sent=sent, expected=ETHER):
        vault.deposit(ETHER, other, sender=staker, value=sent)


def test_deposit_for_nobody_reverts(vault, token, staker):
    with reverts(token.ERC20InvalidReceiver, receiver=ZERO):
        vault.deposit(ETHER, ZERO, sender=staker, value=ETHER)


# --- mint ---


@pytest.mark.parametrize("shares", [2 * MIN_STAKE, ETHER, 31_415_926_535_897_932_384, 12_345 * ETHER + 1])
@pytest.mark.parametrize("over", [0, 1, 5 * ETHER])
def test_preview_mint_is_what_mint_costs_and_the_rest_comes_back(
    protocol, vault, token, staker, other, rate, shares, over
):
    cost = math.ceil(shares * rate)
    assert vault.previewMint(shares) == cost
    ether, buffer = staker.balance, vault.buffer()
    tx = vault.mint(shares, other, sender=staker, value=cost + over)
    assert tx.events == deposited(protocol, staker, other, cost, shares)
    assert tx.return_value == cost
    assert token.balanceOf(other) == shares
    assert ether - staker.balance == cost + tx.total_fees_paid
    assert vault.buffer() - buffer == cost


@pytest.mark.parametrize("short", [1, ETHER // 2])
def test_mint_reverts_with_too_little_ether(vault, staker, other, rate, short):
    cost = math.ceil(ETHER * rate)
    with reverts(vault.WrongValue, sent=cost - short, expected=cost):
        vault.mint(ETHER, other, sender=staker, value=cost - short)


@pytest.mark.parametrize("shares", [0, 1, MIN_STAKE // 2])
def test_mint_of_less_than_the_least_stake_reverts(vault, staker, other, rate, shares):
    cost = math.ceil(shares * rate)
    with reverts(vault.StakeBelowMinimum, given=cost, minimum=MIN_STAKE):
        vault.mint(shares, other, sender=staker, value=ETHER)


def test_mint_of_the_least_that_costs_the_minimum(vault, token, staker, other, rate):
    shares = math.ceil(MIN_STAKE / rate)
    while math.ceil((shares - 1) * rate) >= MIN_STAKE:
        shares -= 1
    vault.mint(shares, other, sender=staker, value=MIN_STAKE + 2)
    assert token.balanceOf(other) == shares
    below = math.ceil((shares - 1) * rate)
    with reverts(vault.StakeBelowMinimum, given=below, minimum=MIN_STAKE):
        vault.mint(shares - 1, other, sender=staker, value=MIN_STAKE + 2)


def test_mint_for_nobody_reverts(vault, token, staker):
    with reverts(token.ERC20InvalidReceiver, receiver=ZERO):
        vault.mint(ETHER, ZERO, sender=staker, value=ETHER)


@pytest.mark.parametrize("shares", [2**160, 2**255])
def test_A8_mint_of_absurd_shares_reverts(vault, staker, other, shares):
    """An overflow is checked, never wrapped: the cost is named, or arithmetic panics."""
    cost = shares * vault.totalAssets()
    if cost < 2**256:
        with reverts(vault.WrongValue, sent=ETHER, expected=math.ceil(Fraction(cost, vault.supply()))):
            vault.mint(shares, other, sender=staker, value=ETHER)
    else:
        with reverts(0x11):
            vault.mint(shares, other, sender=staker, value=ETHER)


def test_C5_refund_that_is_refused_reverts_that_mint_alone(vault, token, staker, other):
    taker = staker.deploy(ape.project.RefundTaker, True)
    mint = vault.mint.encode_input(ETHER, taker)
    with reverts(vault.RefundFailed, receiver=taker, amount=7):
        taker.execute(vault, mint, sender=staker, value=ETHER + 7)
    taker.execute(vault, mint, sender=staker, value=ETHER)  # nothing comes back: nothing to refuse
    assert token.balanceOf(taker) == ETHER


def test_H1_refund_can_be_staked_again_at_the_same_rate(protocol, vault, token, staker, rate):
    """The refund leaves after all is written: staking from within it is the same as staking after it."""
    taker = staker.deploy(ape.project.RefundTaker, False)
    refund = 3 * ETHER
    taker.arm(vault, vault.stake.encode_input(taker, 0, ZERO), sender=staker)
    cost = math.ceil(ETHER * rate)
    pooled, supply = vault.pooled(), vault.supply()
    total = vault.totalAssets()
    taker.execute(vault, vault.mint.encode_input(ETHER, taker), sender=staker, value=cost + refund)
    again = refund * (supply + ETHER) // (total + cost)
    assert taker.succeeded() is True
    assert token.balanceOf(taker) == ETHER + again
    assert (vault.pooled(), vault.supply()) == (pooled + cost + refund, supply + ETHER + again)
    assert vault.balance - vault.buffer() == 0


# --- max ---


@pytest.fixture
def steady(vault, rate):
    """A day after the newest report the limit stands still."""
    warp_to(vault.referenceTime() + 2 * DAY)


def test_max_deposit_is_honest(vault, staker, other, rate, steady):
    most = vault.maxDeposit(other)
    give_ether(staker, most)
    with reverts(vault.StakeAboveLimit, given=most + 1, available=most):
        vault.deposit(most + 1, other, sender=staker, value=most + 1)
    vault.deposit(most, other, sender=staker, value=most)
    assert vault.maxDeposit(other) == vault.maxMint(other) == 0


def test_max_mint_is_honest(vault, token, staker, other, rate, steady):
    most = vault.maxMint(other)
    limit = vault.maxDeposit(other)
    assert most == math.floor(limit / rate)
    give_ether(staker, 2 * limit)
    cost = math.ceil((most + 1) * rate)
    with reverts(vault.StakeAboveLimit, given=cost, available=limit):
        vault.mint(most + 1, other, sender=staker, value=cost)
    vault.mint(most, other, sender=staker, value=cost)
    assert token.balanceOf(other) == most


@pytest.mark.parametrize(("left", "most"), [(0, 0), (1, 0), (MIN_STAKE - 1, 0), (MIN_STAKE, MIN_STAKE)])
def test_max_is_zero_where_the_rest_is_no_stake(protocol, vault, staker, other, left, most):
    warp_to(vault.referenceTime() + 2 * DAY)
    stake(protocol, staker, vault.stakeLimit() - left)
    assert vault.stakeLimit() == left
    assert vault.maxDeposit(other) == vault.maxMint(other) == most
    if left:
        given = {"given": left, "minimum": MIN_STAKE}
        if most:
            vault.deposit(left, other, sender=staker, value=left)
        else:
            with reverts(vault.StakeBelowMinimum, **given):
                vault.deposit(left, other, sender=staker, value=left)


def test_max_is_zero_while_paused(protocol, vault, other):
    protocol.act(protocol.actors.guardian, vault.pauseStaking, DAY)
    assert vault.maxDeposit(other) == vault.maxMint(other) == 0
    warp_to(vault.stakingPausedUntil())
    assert vault.maxDeposit(other) > 0
    assert vault.maxMint(other) > 0
