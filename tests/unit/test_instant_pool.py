"""InstantPool: what its users and those who keep it do, and every refusal. Random lives: test_instant_pool_model.py."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi import encode

from tests.helpers import next_at, now, warp_to
from tests.pooling import FOREVER, MAX_RATE_AGE, SEED, TERMS, Pool
from tests.reverts import reverts
from tests.small_core import DAY, ETHER, GWEI, ZERO, SmallCore, force_ether
from tests.typed_data import as_bytes, sign_permit

INFINITE = 2**256 - 1
NOBODY = "0x000000000000000000000000000000000000dEaD"


@pytest.fixture(scope="module")
def governance(accounts):
    return accounts[0]


@pytest.fixture(scope="module")
def seller(accounts):
    return accounts[2]


@pytest.fixture(scope="module")
def provider(accounts):
    return accounts[3]


@pytest.fixture(scope="module")
def receiver(accounts):
    return accounts[5]


@pytest.fixture(scope="module")
def stranger(accounts):
    return accounts[6]


@pytest.fixture(scope="module")
def treasury(accounts):
    return accounts[7]


@pytest.fixture(scope="module")
def core(project, governance, accounts, seller, provider):
    """At a rate that divides nothing."""
    core = SmallCore.deploy(project, governance, accounts[1])
    core.stake(seller, 600 * ETHER)
    core.stake(provider, 400 * ETHER)
    core.tip(accounts[9], 123 * ETHER + 7)
    return core


@pytest.fixture(scope="module")
def pool(project, core, treasury, seller, provider):
    """100 ether and slETH for 100, a seller who has approved it."""
    pool = Pool.deploy(project, core, treasury)
    core.token.approve(pool.contract, INFINITE, sender=provider)
    core.token.approve(pool.contract, INFINITE, sender=seller)
    shares = 100 * ETHER * core.supply // core.total
    pool.contract.addLiquidity(shares, 0, provider, FOREVER, sender=provider, value=99 * ETHER)
    return pool


@pytest.fixture(scope="module")
def c(pool):
    return pool.contract


def slashed(core: SmallCore, governance: Any) -> None:
    core.vault.setDepositor(governance, True, sender=governance)
    core.vault.noteSlashing(sender=governance)


def finalise(core: SmallCore, governance: Any) -> None:
    core.touch()
    core.queue.finalize(core.queue.finalizable(), sender=governance)


# --- Deployment ---


def test_seed_belongs_to_nobody(project, core, treasury):
    """Its liquidity can never be removed: supply and worth stay above zero (A1)."""
    pool = Pool.deploy(project, core, treasury)
    assert pool.contract.balanceOf(NOBODY) == pool.supply == pool.assets == SEED
    assert pool.contract.legs() == (SEED, 0, 0)
    assert pool.contract.token() == core.token.address
    assert pool.contract.vault() == core.vault.address
    assert pool.contract.queue() == core.queue.address
    assert pool.contract.terms() == tuple(TERMS.values())


def test_seed_below_the_minimum_reverts(project, pool, core, governance, treasury):
    with reverts(pool.contract.SeedBelowMinimum, given=ETHER // 10 - 1, minimum=ETHER // 10):
        governance.deploy(
            project.InstantPool, core.manager, core.vault, treasury, MAX_RATE_AGE, TERMS, value=ETHER // 10 - 1
        )


# --- Sell ---


def test_sell_pays_what_the_quote_says(pool, c, core, seller, receiver):
    shares = 10 * ETHER + 1
    value = core.worth(shares)
    assets = pool.curve.take(100 * ETHER, value)
    fee_shares = pool.treasury_part(shares, value, assets)
    assert c.quoteSell(shares) == (assets, value - assets)
    before, held = receiver.balance, pool.shares
    tx = c.sell(shares, assets, receiver, now() + 100, sender=seller)
    assert receiver.balance == before + assets
    assert pool.assets == 100 * ETHER - assets
    assert pool.shares == held + shares - fee_shares
    assert c.treasuryShares() == fee_shares
    assert [log for log in tx.events if log.event_name == "Sold"] == [
        c.Sold(seller, receiver, shares, assets, value - assets, fee_shares)
    ]


def test_sell_by_hand(project, governance, accounts, treasury):
    """At a rate of 1 and with 100 of 200 liquidity in ether, the target being half of it: the surcharge is 0.05%.

    20 of the 100 ether: at 80 it is 3% - 2.95% * 0.8 = 0.64%, on average 0.345%, so they cost 20.069 slETH. Of the
    fee of 0.069 a quarter, 0.01725, is the treasury's.
    """
    core = SmallCore.deploy(project, governance, accounts[1])
    core.stake(accounts[2], 300 * ETHER)
    pool = Pool.deploy(project, core, treasury)
    c = pool.contract
    core.token.approve(c, INFINITE, sender=accounts[2])
    c.addLiquidity(0, 0, accounts[2], FOREVER, sender=accounts[2], value=199 * ETHER)
    c.sellFor(100 * ETHER, INFINITE, accounts[2], FOREVER, sender=accounts[2])
    assert c.surchargeAt(100 * ETHER) == 5 * 10**14
    assert c.surchargeAt(80 * ETHER) == 64 * 10**14
    owed = c.treasuryShares()
    assert owed == 125 * 10**14  # a quarter of 0.05% of 100
    tx = c.sellFor(20 * ETHER, 20_069 * 10**15, accounts[2], FOREVER, sender=accounts[2])
    assert [log.shares for log in tx.events if log.event_name == "Sold"] == [20_069 * 10**15]
    assert c.treasuryShares() == owed + 1_725 * 10**13


def test_sell_below_the_callers_minimum_reverts(c, seller):
    assets, _ = c.quoteSell(ETHER)
    with reverts(c.AssetsBelowMinimum, assets=assets, minimum=assets + 1):
        c.sell(ETHER, assets + 1, seller, FOREVER, sender=seller)


def test_sell_after_its_deadline_reverts(c, seller):
    deadline = now() - 1
    for call in (c.sell, c.sellFor):
        with reverts(c.Expired, deadline=deadline):
            call(ETHER, 0, seller, deadline, sender=seller)
    with reverts(c.Expired, deadline=deadline):
        c.addLiquidity(0, 0, seller, deadline, sender=seller, value=1)


@pytest.mark.parametrize("shares", [0, 1])
def test_A4_sale_that_pays_nothing_reverts(c, seller, shares):
    with reverts(c.AmountIsZero):
        c.sell(shares, 0, seller, FOREVER, sender=seller)
    with reverts(c.AmountIsZero):
        c.sellFor(0, INFINITE, seller, FOREVER, sender=seller)


def test_all_ether_can_be_bought_and_not_a_wei_more(pool, c, seller):
    shares = c.quoteSellFor(100 * ETHER)
    with reverts(c.EtherTooLow, needed=100 * ETHER + 1, available=100 * ETHER):
        c.sellFor(100 * ETHER + 1, INFINITE, seller, FOREVER, sender=seller)
    with reverts(c.EtherTooLow, needed=pool.core.worth(shares + 2), available=100 * ETHER):
        c.sell(shares + 2, 0, seller, FOREVER, sender=seller)
    c.sell(shares, 100 * ETHER, seller, FOREVER, sender=seller)
    assert pool.assets == 0
    with reverts(c.EtherTooLow, needed=pool.core.worth(ETHER), available=0):
        c.sell(ETHER, 0, seller, FOREVER, sender=seller)


def test_sellFor_above_the_callers_maximum_reverts(c, seller):
    shares = c.quoteSellFor(7 * ETHER)
    with reverts(c.SharesAboveMaximum, shares=shares, maximum=shares - 1):
        c.sellFor(7 * ETHER, shares - 1, seller, FOREVER, sender=seller)
    before = seller.balance
    tx = c.sellFor(7 * ETHER, shares, seller, FOREVER, sender=seller)
    assert seller.balance == before + 7 * ETHER - tx.total_fees_paid


def test_sell_needs_shares_and_an_allowance(c, core, stranger, seller):
    with reverts(core.token.ERC20InsufficientAllowance, spender=c, allowance=0, needed=ETHER):
        c.sell(ETHER, 0, stranger, FOREVER, sender=stranger)
    core.token.approve(c, ETHER, sender=stranger)
    with reverts(core.token.ERC20InsufficientBalance, sender=stranger, balance=0, needed=ETHER):
        c.sell(ETHER, 0, stranger, FOREVER, sender=stranger)


def test_sell_with_a_permit_needs_no_approval(c, core, receiver, seller):
    core.token.approve(c, 0, sender=seller)
    deadline = now() + 1000
    signature = as_bytes(
        sign_permit(core.token, seller, spender=c, value=ETHER, nonce=core.token.nonces(seller), deadline=deadline)
    )
    before = receiver.balance
    assets, _ = c.quoteSell(ETHER)
    c.sellWithPermit(ETHER, assets, receiver, deadline, signature, sender=seller)
    assert receiver.balance == before + assets
    assert core.token.allowance(seller, c) == 0


def test_exact_ether_with_a_permit_takes_no_more_than_it_costs(c, core, receiver, seller):
    core.token.approve(c, 0, sender=seller)
    deadline, most = now() + 1000, 2 * ETHER
    signature = as_bytes(
        sign_permit(core.token, seller, spender=c, value=most, nonce=core.token.nonces(seller), deadline=deadline)
    )
    before, had = receiver.balance, core.token.balanceOf(seller)
    shares = c.quoteSellFor(ETHER)
    c.sellForWithPermit(ETHER, most, receiver, deadline, signature, sender=seller)
    assert receiver.balance == before + ETHER
    assert core.token.balanceOf(seller) == had - shares
    assert core.token.allowance(seller, c) == most - shares
    shares = c.quoteSellFor(ETHER)
    with reverts(c.SharesAboveMaximum, shares=shares, maximum=shares - 1):
        c.sellForWithPermit(ETHER, shares - 1, receiver, deadline, signature, sender=seller)
    c.sellForWithPermit(
        ETHER // 2, most, receiver, deadline, signature, sender=seller
    )  # what is still allowed is enough
    with reverts(core.token.ERC20InsufficientAllowance):
        c.sellForWithPermit(ETHER, most, receiver, deadline, signature, sender=seller)


def test_G1_permit_that_somebody_submitted_first_does_no_harm(c, core, seller, stranger):
    core.token.approve(c, 0, sender=seller)
    deadline = now() + 1000
    signed = sign_permit(core.token, seller, spender=c, value=ETHER, nonce=core.token.nonces(seller), deadline=deadline)
    core.token.permit(seller, c, ETHER, deadline, signed.v, signed.r, signed.s, sender=stranger)
    c.sellWithPermit(ETHER, 0, seller, deadline, as_bytes(signed), sender=seller)
    with reverts(core.token.ERC20InsufficientAllowance, spender=c, allowance=0, needed=ETHER):
        c.sellWithPermit(ETHER, 0, seller, deadline, as_bytes(signed), sender=seller)


def test_C5_receiver_that_rejects_ether_fails_its_own_sale(project, c, seller, governance):
    hostile = governance.deploy(project.HostileRecipient)
    for mode in (1, 2):
        hostile.become(mode, sender=seller)
        assets, _ = c.quoteSell(ETHER)
        with reverts(c.RecipientRejectedEther, recipient=hostile, assets=assets):
            c.sell(ETHER, 0, hostile, FOREVER, sender=seller)
    hostile.become(3, sender=seller)
    c.sell(ETHER, 0, hostile, FOREVER, sender=seller)


# --- What keeps ether from being sold ---


def test_I1_proven_slashing_stops_sales_until_a_report_counts_it(pool, c, core, governance, seller, provider):
    """The old rate is too high then: nobody leaves at it but through the legs that are theirs."""
    slashed(core, governance)
    until = core.vault.slashingPendingUntil()
    request = seller_request(core, seller, c)
    for call in (
        lambda: c.sell(ETHER, 0, seller, FOREVER, sender=seller),
        lambda: c.sellFor(ETHER, INFINITE, seller, FOREVER, sender=seller),
        lambda: c.sellRequest(request, True, 0, seller, FOREVER, sender=seller),
        lambda: c.addLiquidity(ETHER, 0, seller, FOREVER, sender=seller),
        lambda: c.requireOpen(),
    ):
        with reverts(c.SlashingPending, until=until):
            call()
    # whatever takes no ether out goes on
    c.sellRequest(request, False, 0, seller, FOREVER, sender=seller)
    c.addLiquidity(0, 0, seller, FOREVER, sender=seller, value=ETHER)
    c.removeLiquidity(ETHER, 0, 0, provider, sender=provider)
    core.touch()
    c.sell(ETHER, 0, seller, FOREVER, sender=seller)


def seller_request(core: SmallCore, seller: Any, c: Any) -> int:
    core.queue.request(2 * ETHER, seller, sender=seller)
    request = int(core.queue.lastRequestId())
    core.queue.approve(c, request, sender=seller)
    return request


def test_old_rate_stops_sales(c, core, seller):
    reference = core.vault.referenceTime()
    next_at(reference + MAX_RATE_AGE)
    c.sell(ETHER, 0, seller, FOREVER, sender=seller)
    warp_to(reference + MAX_RATE_AGE + 1)
    with reverts(c.RateTooOld, referenceTime=reference, maxAge=MAX_RATE_AGE):
        c.sell(ETHER, 0, seller, FOREVER, sender=seller)
    report = {"referenceTime": now(), "consensusBalance": core.gained, "provision": 0, "faults": 0}
    core.vault.report(report | {"withdrawn": 0, "deposited": 0, "rewards": 0}, sender=core.governance)
    c.sell(ETHER, 0, seller, FOREVER, sender=seller)


def test_J4_pause_ends_by_itself_and_never_holds_who_leaves(c, core, governance, seller, provider, stranger):
    with reverts(c.PauseTooLong, duration=14 * DAY + 1, maximum=14 * DAY):
        c.pause(14 * DAY + 1, sender=governance)
    c.pause(DAY, sender=governance)
    until = c.pausedUntil()
    request = seller_request(core, seller, c)
    for call in (
        lambda: c.sell(ETHER, 0, seller, FOREVER, sender=seller),
        lambda: c.sellFor(ETHER, INFINITE, seller, FOREVER, sender=seller),
        lambda: c.sellRequest(request, True, 0, seller, FOREVER, sender=seller),
        lambda: c.sellRequest(request, False, 0, seller, FOREVER, sender=seller),
        lambda: c.stake(seller, 0, ZERO, sender=seller, value=ETHER),
        lambda: c.addLiquidity(0, 0, seller, FOREVER, sender=seller, value=ETHER),
    ):
        with reverts(c.PoolIsPaused, until=until):
            call()
    c.removeLiquidity(c.balanceOf(provider), 0, 0, provider, sender=provider)
    c.collect(3, sender=stranger)
    warp_to(until)
    c.stake(seller, 0, ZERO, sender=seller, value=ETHER)
    c.pause(DAY, sender=governance)
    c.resume(sender=governance)
    assert c.pausedUntil() == 0
    c.stake(seller, 0, ZERO, sender=seller, value=ETHER)


def test_J4_a_pause_holds_nobody_whose_part_waits_in_the_queue(
    short_of_ether, c, core, governance, provider, seller, receiver, stranger
):
    """All three legs, paid out in full while the pool is paused: before the queue has paid the pool, and after it."""
    pool = short_of_ether
    c.transfer(seller, c.balanceOf(provider) // 2, sender=provider)
    c.pause(14 * DAY, sender=governance)
    (assets, shares, awaited), supply, mine = c.legs(), pool.supply, c.balanceOf(provider)
    assert min(assets, shares, awaited) > ETHER
    before = receiver.balance
    c.removeLiquidity(mine, 0, 0, receiver, sender=provider)
    assert receiver.balance == before + mine * assets // supply
    assert core.token.balanceOf(receiver) == mine * shares // supply
    rest = mine * (awaited // GWEI) // supply
    assert c.restOf(0) == (receiver, rest, 0)

    finalise(core, governance)
    paid = core.queue.getRequest(1).assets
    tx = c.collect(1, sender=stranger)
    assert [log.id for log in tx.events if log.event_name == "Collected"] == [1]
    assert c.restOf(0) == (receiver, rest, rest)
    before = receiver.balance
    c.claimRest(0, receiver, sender=stranger)
    assert receiver.balance == before + paid * rest // (awaited // GWEI)

    (assets, shares, awaited), supply, mine = c.legs(), pool.supply, c.balanceOf(seller)
    assert awaited == 0
    before, held = receiver.balance, core.token.balanceOf(receiver)
    c.removeLiquidity(mine, 0, 0, receiver, sender=seller)
    assert receiver.balance == before + mine * assets // supply
    assert core.token.balanceOf(receiver) == held + mine * shares // supply
    assert c.pausedUntil() > now()


# --- Stake ---


def test_stake_takes_the_pools_slETH_at_the_rate(pool, c, core, stranger, receiver):
    there, assets = pool.shares, pool.assets
    shares = 3 * ETHER * core.supply // core.total
    tx = c.stake(receiver, shares, ZERO, sender=stranger, value=3 * ETHER)
    assert core.token.balanceOf(receiver) == shares
    assert (pool.assets, pool.shares) == (assets + 3 * ETHER, there - shares)
    assert [log for log in tx.events if log.event_name == "Bought"] == [c.Bought(receiver, 3 * ETHER, shares)]


def test_stake_beyond_the_pools_slETH_goes_to_the_vault(pool, c, core, stranger, receiver):
    there, supply = pool.shares, core.supply
    wei = 300 * ETHER
    alone = wei * core.supply // core.total
    tx = c.stake(receiver, 0, stranger, sender=stranger, value=wei)
    got = core.token.balanceOf(receiver)
    assert alone - 1 <= got <= alone
    assert pool.shares == 0
    assert core.supply - supply == got - there
    assert [log.referral for log in tx.events if log.event_name == "Referred"] == [stranger]


def test_stake_leaves_the_vault_no_stake_that_it_refuses(pool, c, core, stranger, receiver):
    """A few wei more than the pool's slETH costs: the vault's minimum is kept back for it."""
    wei = core.worth_up(pool.shares) + 7
    c.stake(receiver, 0, ZERO, sender=stranger, value=wei)
    assert core.token.balanceOf(receiver) in (wei * core.supply // core.total - 1, wei * core.supply // core.total)
    assert 0 < core.worth(pool.shares) <= core.vault.MIN_STAKE()
    with reverts(core.vault.StakeBelowMinimum, given=999, minimum=1000):
        c.stake(receiver, 0, ZERO, sender=stranger, value=999)


def test_stake_for_fewer_shares_than_the_minimum_reverts(c, core, stranger):
    shares = ETHER * core.supply // core.total
    with reverts(c.SharesBelowMinimum, shares=shares, minShares=shares + 1):
        c.stake(stranger, shares + 1, ZERO, sender=stranger, value=ETHER)


# --- Provide ---


def test_pair_in_the_pools_ratio_gets_its_share(pool, c, core, seller):
    shares, supply = pool.shares // 4, pool.supply
    c.addLiquidity(shares, 0, seller, FOREVER, sender=seller, value=25 * ETHER)
    assert abs(c.balanceOf(seller) - supply // 4) <= 10


def test_ether_alone_is_slETH_bought_at_the_rate(pool, c, seller):
    liquidity = 50 * ETHER * pool.supply // (pool.assets + pool.core.worth_up(pool.shares))
    assert c.quoteAdd(50 * ETHER, 0) == liquidity
    with reverts(c.LiquidityBelowMinimum, liquidity=liquidity, minimum=liquidity + 1):
        c.addLiquidity(0, liquidity + 1, seller, FOREVER, sender=seller, value=50 * ETHER)
    tx = c.addLiquidity(0, liquidity, seller, FOREVER, sender=seller, value=50 * ETHER)
    assert c.balanceOf(seller) == liquidity
    assert [log for log in tx.events if log.event_name == "LiquidityAdded"] == [
        c.LiquidityAdded(seller, seller, 50 * ETHER, 0, liquidity)
    ]


@pytest.mark.parametrize("ether", [1, 10, 60, 300])
def test_I2_slETH_in_and_liquidity_out_is_a_sale(pool, c, core, seller, ether):
    """What comes out in ether has cost what a sale of it costs, whatever part of the pool the sale is."""
    shares = ether * ETHER
    start, curve = pool.assets, pool.curve
    c.addLiquidity(shares, 0, seller, FOREVER, sender=seller)
    back = c.removeLiquidity(c.balanceOf(seller), 0, 0, seller, sender=seller)
    moved = next(log for log in back.events if log.event_name == "LiquidityRemoved")
    paid = core.worth(shares - moved.shares)
    direct = curve.cost(start, moved.assets)
    assert paid >= direct - 10
    assert paid - direct <= (direct - moved.assets) / 100 + 100  # the fee, and at most a hundredth of it more


def test_I2_lending_ether_to_the_pool_makes_ones_own_sale_no_cheaper(pool, c, core, seller):
    """The attack on curves by absolute amounts: put in ether, sell at a lower fee, take it out again.

    Those who stayed hold less ether then and more slETH: as much more as if it had been sold to them.
    """
    standing, supply, assets = pool.standing, pool.supply, pool.assets
    c.addLiquidity(0, 0, seller, FOREVER, sender=seller, value=450 * ETHER)
    c.sell(500 * ETHER, 0, seller, FOREVER, sender=seller)
    c.removeLiquidity(c.balanceOf(seller), 0, 0, seller, sender=seller)
    assert pool.supply == supply
    assert pool.assets < assets
    assert pool.standing >= standing - 10


def test_nothing_added_reverts(c, seller):
    with reverts(c.AmountIsZero):
        c.addLiquidity(0, 0, seller, FOREVER, sender=seller)


def test_remove_pays_a_part_of_every_leg(pool, c, core, provider, receiver, stranger):
    c.sellFor(90 * ETHER, INFINITE, provider, FOREVER, sender=provider)
    c.replenish(sender=stranger)
    assets, shares, awaited = c.legs()
    assert min(assets, shares, awaited) > ETHER
    mine, supply = c.balanceOf(provider), pool.supply
    before = receiver.balance
    with reverts(c.AssetsBelowMinimum, assets=mine * assets // supply, minimum=assets):
        c.removeLiquidity(mine, assets, 0, receiver, sender=provider)
    with reverts(c.SharesBelowMinimum, shares=mine * shares // supply, minShares=shares):
        c.removeLiquidity(mine, 0, shares, receiver, sender=provider)
    tx = c.removeLiquidity(mine, 0, 0, receiver, sender=provider)
    rest = mine * (awaited // GWEI) // supply
    assert receiver.balance == before + mine * assets // supply
    assert core.token.balanceOf(receiver) == mine * shares // supply
    assert c.restOf(0) == (receiver, rest, 0)
    assert [log for log in tx.events if log.event_name == "LiquidityRemoved"] == [
        c.LiquidityRemoved(provider, receiver, mine, mine * assets // supply, mine * shares // supply, 0, rest)
    ]
    assert c.line() == (0, rest)


def test_remove_nothing_or_too_much_reverts(c, provider):
    with reverts(c.AmountIsZero):
        c.removeLiquidity(0, 0, 0, provider, sender=provider)
    mine = c.balanceOf(provider)
    with reverts(c.ERC20InsufficientBalance, sender=provider, balance=mine, needed=mine + 1):
        c.removeLiquidity(mine + 1, 0, 0, provider, sender=provider)


# --- What waits in the queue ---


@pytest.fixture
def short_of_ether(pool, c, core, provider, stranger):
    """Three quarters of the ether is sold, and slETH handed in for it."""
    c.sellFor(75 * ETHER, INFINITE, provider, FOREVER, sender=provider)
    c.replenish(sender=stranger)
    return pool


def test_replenish_hands_in_what_is_missing_to_the_target(pool, c, core, provider, stranger):
    c.sellFor(75 * ETHER, INFINITE, provider, FOREVER, sender=provider)
    missing = pool.target - pool.assets
    shares = missing * core.supply // core.total
    shares -= shares % GWEI
    held = pool.shares
    tx = c.replenish(sender=stranger)
    assert [log for log in tx.events if log.event_name == "Replenished"] == [c.Replenished(1, shares)]
    assert (pool.shares, pool.awaited) == (held - shares, shares)
    assert core.queue.ownerOf(1) == c.address
    assert c.requests() == (1, 1)
    with reverts(c.NothingToReplenish):
        c.replenish(sender=stranger)


def test_replenish_leaves_slETH_that_nobody_needs(c, stranger):
    with reverts(c.NothingToReplenish):
        c.replenish(sender=stranger)


def test_collect_counts_what_the_queue_paid(short_of_ether, c, core, governance, stranger):
    pool = short_of_ether
    assert c.collect.call(5) == 0
    finalise(core, governance)
    assets, awaited = pool.assets, pool.awaited
    paid = core.queue.getRequest(1).assets
    tx = c.collect(5, sender=stranger)
    assert pool.assets == assets + paid
    assert pool.awaited == 0
    assert [log for log in tx.events if log.event_name == "Collected"] == [c.Collected(1, awaited, paid, 0)]


def test_request_that_a_stranger_claimed_for_the_pool_counts_the_same(short_of_ether, c, core, governance, stranger):
    finalise(core, governance)
    assets, paid = short_of_ether.assets, core.queue.getRequest(1).assets
    core.queue.claim(1, sender=stranger)
    assert short_of_ether.assets == assets
    c.collect(1, sender=stranger)
    assert short_of_ether.assets == assets + paid
    assert c.balance == assets + paid


def test_who_adds_finds_requests_collected(short_of_ether, c, core, governance, seller, provider):
    """Four finalised ones are too many to collect on the way; with three it goes on by itself."""
    core.touch()
    core.queue.finalize(1, sender=governance)
    for _ in range(3):
        request = seller_request(core, seller, c)
        c.sellRequest(request, False, 0, seller, FOREVER, sender=seller)
    finalise(core, governance)
    with reverts(c.RequestToCollect, id=4):
        c.addLiquidity(0, 0, seller, FOREVER, sender=seller, value=ETHER)
    c.collect(1, sender=seller)
    c.addLiquidity(0, 0, seller, FOREVER, sender=seller, value=ETHER)
    assert c.requests() == (0, 0)


def test_who_left_is_paid_from_the_next_requests(short_of_ether, c, core, governance, provider, seller, stranger):
    """First the one who left first, in parts as they come; nothing of what comes later is theirs."""
    mine = c.balanceOf(provider)
    c.removeLiquidity(mine // 2, 0, 0, provider, sender=provider)
    c.transfer(seller, mine // 4, sender=provider)
    c.removeLiquidity(mine // 4, 0, 0, seller, sender=seller)
    first, second = c.restOf(0), c.restOf(c.restOf(0)[1])
    assert (first[0], second[0]) == (provider, seller)
    with reverts(c.RestNotReady, id=0):
        c.claimRest(0, provider, sender=stranger)
    with reverts(c.RestUnknown, id=1):
        c.claimRest(1, provider, sender=stranger)

    finalise(core, governance)
    paid = core.queue.getRequest(1).assets
    size = core.queue.getRequest(1).shares // GWEI
    tx = c.collect(1, sender=stranger)
    both = first[1] + second[1]
    assert next(log for log in tx.events if log.event_name == "Collected").restAssets == paid * both // size
    with reverts(c.RecipientNotOwner, recipient=stranger, owner=provider):
        c.claimRest(0, stranger, sender=stranger)
    before = stranger.balance
    tx = c.claimRest(0, stranger, sender=provider)
    due = paid * first[1] // size
    assert stranger.balance == before + due
    assert [log for log in tx.events if log.event_name == "RestClaimed"] == [c.RestClaimed(0, stranger, first[1], due)]
    before = seller.balance
    c.claimRest(first[1], seller, sender=stranger)
    assert seller.balance == before + paid * both // size - due
    for position in (0, first[1]):
        with reverts(c.RestUnknown, id=position):
            c.claimRest(position, seller, sender=seller)


def test_rest_is_claimed_in_parts(short_of_ether, c, core, governance, provider, seller, stranger):
    """A second request stands behind the first; who leaves has a part in both and is paid as they come."""
    request = seller_request(core, seller, c)
    c.sellRequest(request, False, 0, seller, FOREVER, sender=seller)
    mine = c.balanceOf(provider)
    c.removeLiquidity(mine, 0, 0, provider, sender=provider)
    size = c.restOf(0)[1]
    core.touch()
    core.queue.finalize(1, sender=governance)
    c.collect(1, sender=stranger)
    come = c.line()[0]
    assert 0 < come < size
    assert c.restOf(0) == (provider, size, come)
    tx = c.claimRest(0, provider, sender=stranger)
    assert next(log for log in tx.events if log.event_name == "RestClaimed").assets == core.queue.getRequest(1).assets
    assert c.restOf(come) == (provider, size - come, 0)
    finalise(core, governance)
    c.collect(1, sender=stranger)
    c.claimRest(come, provider, sender=stranger)
    assert c.restOf(come) == (ZERO, 0, 0)


def test_C5_owner_of_a_rest_names_another_recipient(project, short_of_ether, c, core, provider, governance):
    wallet = governance.deploy(project.ContractWallet, provider)
    hostile = governance.deploy(project.HostileRecipient)
    hostile.become(1, sender=provider)
    c.transfer(wallet, c.balanceOf(provider), sender=provider)
    data = c.removeLiquidity.encode_input(10 * ETHER, 0, 0, hostile)
    assets = 10 * ETHER * short_of_ether.assets // short_of_ether.supply
    with reverts(c.RecipientRejectedEther, recipient=hostile, assets=assets):
        wallet.execute(c, data, sender=provider)
    wallet.execute(c, c.removeLiquidity.encode_input(10 * ETHER, 0, 0, wallet), sender=provider)
    finalise(core, governance)
    c.collect(1, sender=provider)
    before = governance.balance
    wallet.execute(c, c.claimRest.encode_input(0, governance), sender=provider)
    assert governance.balance > before


# --- Requests that are sold ---


def test_sellRequest_for_ether_pays_what_its_slETH_would(pool, c, core, seller, receiver):
    request = seller_request(core, seller, c)
    assets, _ = c.quoteSell(2 * ETHER)
    assert c.quoteSellRequest(request, True) == assets
    with reverts(c.AssetsBelowMinimum, assets=assets, minimum=assets + 1):
        c.sellRequest(request, True, assets + 1, receiver, FOREVER, sender=seller)
    before = receiver.balance
    tx = c.sellRequest(request, True, assets, receiver, FOREVER, sender=seller)
    assert receiver.balance == before + assets
    assert core.queue.ownerOf(request) == c.address
    assert pool.awaited == 2 * ETHER
    assert [log for log in tx.events if log.event_name == "RequestBought"] == [
        c.RequestBought(request, seller, 2 * ETHER, assets, 0)
    ]


def test_sellRequest_for_slETH_costs_the_least_fee(pool, c, core, seller, receiver):
    """2 slETH / 1.0005, rounded down."""
    request = seller_request(core, seller, c)
    paid = 1_999_000_499_750_124_937
    assert c.quoteSellRequest(request, False) == paid == 2 * ETHER * 10_000 // 10_005
    with reverts(c.SharesBelowMinimum, shares=paid, minShares=paid + 1):
        c.sellRequest(request, False, paid + 1, receiver, FOREVER, sender=seller)
    tx = c.sellRequest(request, False, paid, receiver, FOREVER, sender=seller)
    assert core.token.balanceOf(receiver) == paid
    assert [log for log in tx.events if log.event_name == "RequestBought"] == [
        c.RequestBought(request, seller, 2 * ETHER, 0, paid)
    ]


def test_request_that_is_sent_to_the_pool_is_sold_without_an_approval(pool, c, core, seller, receiver):
    core.queue.request(2 * ETHER, seller, sender=seller)
    data = encode(["bool", "uint256", "address", "uint256"], [True, 0, receiver.address, FOREVER])
    assets, _ = c.quoteSell(2 * ETHER)
    before = receiver.balance
    core.queue.safeTransferFrom(seller, c, 1, data, sender=seller)
    assert receiver.balance == before + assets
    with reverts(c.CallerNotQueue, caller=seller):
        c.onERC721Received(seller, seller, 1, data, sender=seller)


def test_request_after_its_deadline_or_of_another_is_not_bought(c, core, seller, stranger):
    request = seller_request(core, seller, c)
    deadline = now() - 1
    with reverts(c.Expired, deadline=deadline):
        c.sellRequest(request, False, 0, seller, deadline, sender=seller)
    with reverts(core.queue.TransferFromIncorrectOwner):
        c.sellRequest(request, False, 0, stranger, FOREVER, sender=stranger)


def test_request_that_is_paid_already_is_not_bought(c, core, seller, governance):
    request = seller_request(core, seller, c)
    finalise(core, governance)
    for for_ether in (True, False):
        with reverts(c.RequestFinalized, id=request):
            c.sellRequest(request, for_ether, 0, seller, FOREVER, sender=seller)


def test_C6_dust_requests_are_not_bought(c, core, seller):
    least = ETHER // 10
    core.queue.request(least - GWEI, seller, sender=seller)
    core.queue.request(least, seller, sender=seller)
    core.queue.setApprovalForAll(c, True, sender=seller)
    with reverts(c.RequestTooSmall, shares=least - GWEI, minimum=least):
        c.sellRequest(1, False, 0, seller, FOREVER, sender=seller)
    c.sellRequest(2, False, 0, seller, FOREVER, sender=seller)


def test_request_for_more_slETH_than_there_is_reverts(pool, c, core, seller):
    core.queue.request(200 * ETHER, seller, sender=seller)
    core.queue.setApprovalForAll(c, True, sender=seller)
    needed = 200 * ETHER * 10_000 // 10_005
    with reverts(c.SharesTooLow, needed=needed, available=pool.shares):
        c.sellRequest(1, False, 0, seller, FOREVER, sender=seller)


def test_requests_are_collected_in_their_order_however_they_came(pool, c, core, governance, seller, stranger):
    for _ in range(5):
        core.queue.request(ETHER, seller, sender=seller)
    core.queue.setApprovalForAll(c, True, sender=seller)
    for request in (4, 2, 5, 1, 3):
        c.sellRequest(request, False, 0, seller, FOREVER, sender=seller)
    assert c.requests() == (5, 1)
    core.touch()
    core.queue.finalize(3, sender=governance)
    tx = c.collect(10, sender=stranger)
    assert [log.id for log in tx.events if log.event_name == "Collected"] == [1, 2, 3]
    assert c.requests() == (2, 4)


# --- Ether and slETH that nobody counted ---


def test_A1_H3_gifts_move_no_price(pool, c, core, seller, stranger):
    """Sent, forced or given as slETH: they belong to nobody."""
    before = (c.quoteSell(ETHER), c.quoteAdd(ETHER, ETHER), c.totalValue(), c.legs())
    with reverts(c.EtherNotAccepted, sender=stranger):
        stranger.transfer(c, ETHER)
    force_ether(c, 1_000 * ETHER)
    core.token.transfer(c, 100 * ETHER, sender=seller)
    assert (c.quoteSell(ETHER), c.quoteAdd(ETHER, ETHER), c.totalValue(), c.legs()) == before


# --- Governance ---


def test_treasury_gets_its_part_and_no_more(pool, c, core, seller, treasury, stranger, governance):
    c.sellFor(60 * ETHER, INFINITE, seller, FOREVER, sender=seller)
    owed = c.treasuryShares()
    assert owed > 0
    shares = pool.shares
    tx = c.payTreasury(sender=stranger)
    assert core.token.balanceOf(treasury) == owed - 1
    assert c.treasuryShares() == 1, "a sale writes to a slot that is not empty"
    assert pool.shares == shares
    assert [log for log in tx.events if log.event_name == "TreasuryPaid"] == [c.TreasuryPaid(treasury, owed - 1)]
    c.payTreasury(sender=stranger)
    assert core.token.balanceOf(treasury) == owed - 1
    assert c.treasuryShares() == 1


@pytest.mark.parametrize(
    "terms",
    [
        {"minFee": 0},
        {"minFee": 301},
        {"maxFee": 1_001},
        {"treasuryPart": 5_001},
        {"target": ETHER // 100 - 1},
        {"target": 10 * ETHER + 1},
    ],
)
def test_L5_terms_beyond_their_bounds_are_refused(c, governance, terms):
    with reverts(c.TermsOutOfBounds):
        c.setTerms(TERMS | terms, sender=governance)


def test_terms_and_treasury_are_governances(c, governance, stranger, receiver):
    new = {"minFee": 1, "maxFee": 1_000, "treasuryPart": 5_000, "target": 10 * ETHER}
    tx = c.setTerms(new, sender=governance)
    assert c.terms() == tuple(new.values())
    assert [log.event_name for log in tx.events] == ["TermsChanged"]
    c.setTreasury(receiver, sender=governance)
    assert c.treasury() == receiver
    with reverts(c.AddressMissing):
        c.setTreasury(ZERO, sender=governance)


def test_J3_strangers_govern_nothing(c, stranger):
    for call, *args in ((c.setTerms, TERMS), (c.setTreasury, stranger), (c.pause, 1), (c.resume,)):
        with reverts(c.AccessManagedUnauthorized, caller=stranger):
            call(*args, sender=stranger)
