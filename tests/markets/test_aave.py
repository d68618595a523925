"""slETH in Aave v3: collateral at the core rate, leverage, and liquidations when a slashing is reported."""

from __future__ import annotations

import re
from fractions import Fraction

import ape
import pytest

from sluice.markets.aave import BPS, Listing
from sluice.markets.contracts import MOST, MarketError
from sluice.markets.leverage import Turn, check_loop, fall_to_liquidation, net_yield, plan_loop, run_loop
from tests.helpers import DAY, ETHER, GWEI, give_ether, next_at, now, report_as_oracle, warp_to
from tests.markets.world import Markets, core_of
from tests.reverts import reverts

LENT = 1_000 * ETHER
LISTING = Listing.staked_ether("")


@pytest.fixture(scope="module")
def lender(protocol):
    return protocol.actors.other


@pytest.fixture(scope="module")
def borrower(protocol):
    return protocol.actors.staker


@pytest.fixture(scope="module")
def liquidator(protocol):
    return protocol.actors.stranger


@pytest.fixture
def lent(markets, lender):
    """Wrapped ether that can be borrowed."""
    markets.aave.supply(markets.wrap(lender, LENT), markets.weth, LENT)
    return markets


@pytest.fixture
def shares(lent, borrower):
    """slETH of a hundred ether, supplied."""
    shares = lent.stake(borrower, 100 * ETHER)
    lent.aave.supply(lent.sender(borrower), lent.sleth, shares)
    return shares


# --- What Aave computes, again ---


def percent(amount: int, bps: int) -> int:
    return (amount * bps + BPS // 2) // BPS


def divided(amount: int, by: int) -> int:
    """Fixed point of 18 decimals, rounded to the nearest."""
    return (amount * ETHER + by // 2) // by


def factor_of(collateral: int, debt: int) -> Fraction:
    return Fraction(divided(percent(collateral, LISTING.threshold), debt), ETHER)


def lose(markets: Markets, wei: int) -> None:
    """A report with a loss that no module covers, applied a second later."""
    report_as_oracle(markets.protocol, gain=-wei, faults=0)


# --- Collateral and loans ---


def test_collateral_counts_at_the_core_rate(lent, shares, borrower):
    health = lent.aave.health(borrower.address)
    worth = shares * lent.rate // ETHER
    assert 0 <= 100 * ETHER - worth <= 101  # the rate has 18 decimals, for a hundred slETH
    assert health.collateral == worth
    assert health.available == percent(worth, LISTING.ltv)
    assert health.threshold == LISTING.threshold
    assert (health.debt, health.factor, health.leverage) == (0, None, 1)


def test_loan_up_to_the_limit_and_not_a_wei_more(lent, shares, borrower):
    sender = lent.sender(borrower)
    most = lent.aave.health(borrower.address).available
    with pytest.raises(MarketError, match="COLLATERAL_CANNOT_COVER_NEW_BORROW"):
        lent.aave.borrow(sender, lent.weth, most + 1)
    lent.aave.borrow(sender, lent.weth, most)
    assert lent.chain.balance(lent.weth, borrower.address) == most
    health = lent.aave.health(borrower.address)
    assert (health.debt, health.available) == (most, 0)
    assert health.factor == factor_of(health.collateral, most)


def test_loan_without_lenders_says_what_is_missing(markets, protocol):
    who = protocol.actors.treasury
    with pytest.raises(MarketError, match=r"^Aave holds 0 wei of .*, less than the 1 asked for: lend it some\.$"):
        markets.aave.borrow(markets.sender(who), markets.weth, 1)


def test_staked_ether_itself_cannot_be_borrowed(lent, shares, lender):
    with pytest.raises(MarketError, match="BORROWING_NOT_ENABLED"):
        lent.aave.borrow(lent.sender(lender), lent.sleth, ETHER)


def test_debt_repaid_and_collateral_withdrawn_leaves_nothing(lent, shares, borrower, lender):
    sender = lent.sender(borrower)
    lent.aave.borrow(sender, lent.weth, 50 * ETHER)
    warp_to(now() + 30 * DAY)
    owed = lent.aave.debt(lent.weth, borrower.address)
    assert owed > 50 * ETHER
    lent.wrap(borrower, ETHER)
    lent.aave.repay(sender, lent.weth)
    paid = 51 * ETHER - lent.chain.balance(lent.weth, borrower.address)
    assert owed <= paid <= owed + 10**12  # interest of a few seconds more
    lent.aave.withdraw(sender, lent.sleth)
    assert lent.chain.balance(lent.sleth, borrower.address) == shares
    assert lent.aave.health(borrower.address).collateral == 0
    gained = lent.aave.supplied(lent.weth, lender.address) - LENT
    assert 0 < gained <= (paid - 50 * ETHER) * (BPS - 1_500) // BPS + 1


def test_interest_that_is_foretold_is_what_is_paid(lent, shares, borrower):
    lending, borrowing = lent.aave.interest(lent.weth, 60 * ETHER)
    assert lent.aave.interest(lent.weth) == (0, 0)
    # 6% of what was lent is used, of 80% where 2.7% are due
    assert borrowing == Fraction(6, 100) / Fraction(80, 100) * Fraction(27, 1000)
    lent.aave.borrow(lent.sender(borrower), lent.weth, 60 * ETHER)
    assert abs(lent.aave.interest(lent.weth)[1] - borrowing) < Fraction(1, 10**9)
    assert abs(lent.aave.interest(lent.weth)[0] - lending) < Fraction(1, 10**9)


# --- Leverage ---


def loop(markets: Markets, who, ether: int, turns: int, target: Fraction) -> list[Turn]:
    """Of ether that is given; returns what was done in each turn."""
    give_ether(who, ether)
    done: list[Turn] = []
    gas = run_loop(markets.real, markets.sender(who), ether, turns, target, lambda turn, _: done.append(turn))
    assert gas > 0
    return done


def test_loop_of_stakes_and_loans_is_the_geometric_series(lent, borrower):
    """Four loans at 70%: 1 + 0.7 + 0.49 + 0.343 + 0.2401 = 2.7731 times the ether that one has."""
    target = Fraction(70, 100)
    done = loop(lent, borrower, 100 * ETHER, 4, target)
    plan = plan_loop(100 * ETHER, 4, target, LISTING.threshold)
    assert [turn.staked for turn in plan] == [int(100 * ETHER * target**turn) for turn in range(5)]
    for seen, planned in zip(done, plan, strict=True):  # but for the interest of a few seconds
        assert seen.staked == pytest.approx(planned.staked, abs=10**12)
        assert seen.collateral == pytest.approx(planned.collateral, abs=10**12)
        assert seen.debt == pytest.approx(planned.debt, abs=10**12)
        assert (seen.factor is None) == (planned.factor is None)
    health = lent.aave.health(borrower.address)
    assert abs(health.leverage - Fraction(27731, 10000)) < Fraction(1, 10**6)
    assert health.factor == factor_of(health.collateral, health.debt)
    assert Fraction(119, 100) < health.factor < Fraction(121, 100)  # 2.7731 * 0.77 / 1.7731
    assert abs(health.collateral - health.debt - 100 * ETHER) < 10**12


def test_loop_up_to_the_limit_of_the_listing_goes_through(lent, borrower):
    """Interest between looking and being mined does not stop it half way."""
    done = loop(lent, borrower, 100 * ETHER, 8, Fraction(LISTING.ltv, BPS))
    plan = plan_loop(100 * ETHER, 8, Fraction(LISTING.ltv, BPS), LISTING.threshold)
    assert done[-1].collateral == pytest.approx(plan[-1].collateral, rel=1e-5)
    assert Fraction(103, 100) < done[-1].factor < Fraction(107, 100)
    assert Fraction(36, 10) < done[-1].leverage < Fraction(38, 10)


def test_leveraged_holder_earns_and_loses_by_leverage(lent, borrower):
    loop(lent, borrower, 100 * ETHER, 4, Fraction(70, 100))
    before = lent.aave.health(borrower.address)
    rate = lent.rate
    lose(lent, 17 * ETHER)
    after = lent.aave.health(borrower.address)
    fall = 1 - Fraction(lent.rate, rate)
    equity = 1 - Fraction(after.collateral - after.debt, before.collateral - before.debt)
    assert fall > 0
    assert abs(equity / fall - before.leverage) < Fraction(1, 1000)


def test_yield_is_that_of_all_collateral_less_interest_of_all_debt():
    leverage = Fraction(5, 2)
    assert net_yield(leverage, Fraction(3, 100), Fraction(2, 100)) == Fraction(45, 1000)
    assert net_yield(Fraction(1), Fraction(3, 100), Fraction(2, 100)) == Fraction(3, 100)
    assert net_yield(leverage, Fraction(2, 100), Fraction(4, 100)) < 0


def test_fall_that_a_position_stands_is_that_to_its_liquidation(lent, borrower):
    loop(lent, borrower, 100 * ETHER, 3, Fraction(74, 100))
    health = lent.aave.health(borrower.address)
    fall = fall_to_liquidation(health.factor)
    total = lent.protocol.vault.totalAssets()
    snapshot = ape.chain.snapshot()
    lose(lent, int(total * fall * 999 / 1000) // GWEI * GWEI)
    assert lent.aave.health(borrower.address).factor > 1
    ape.chain.restore(snapshot)
    lose(lent, int(total * fall * 1001 / 1000) // GWEI * GWEI)
    assert lent.aave.health(borrower.address).factor < 1


def test_position_at_its_target_has_nothing_to_borrow(lent, shares, borrower):
    lent.aave.borrow(lent.sender(borrower), lent.weth, 74 * ETHER)
    with pytest.raises(MarketError, match=r"^The position would owe 73\.27% of its collateral already"):
        plan_loop(ETHER, 1, Fraction(70, 100), LISTING.threshold, lent.aave.health(borrower.address))


@pytest.mark.parametrize(
    ("ether", "turns", "target", "message"),
    [
        (10, 2, "0.75", "Aave lends up to 74.50% on slETH, less than 75.00%."),
        (10**6, 1, "0.7", "ether, and some more than 1,000,000.000000 are needed."),
        (9_000, 1, "0.7", "Aave has 1,000.000000 ether to lend, less than 6,300.000000: fewer turns or less ether."),
        (1, 20, "0.7", "A turn would stake 0.000797 ether, below the minimum of 0.001000: fewer turns or more ether."),
    ],
)
def test_loop_that_would_stop_half_way_is_refused_first(lent, borrower, ether, turns, target, message):
    plan = plan_loop(ether * ETHER, turns, Fraction(target), LISTING.threshold)
    with pytest.raises(MarketError, match=re.escape(message)):
        check_loop(lent.real, lent.sender(borrower), plan, Fraction(target))


def test_loop_above_the_stake_limit_is_refused_first(lent, borrower, protocol):
    protocol.as_governor(protocol.vault.setStakeLimit, 15 * ETHER, 0)
    plan = plan_loop(10 * ETHER, 1, Fraction(7, 10), LISTING.threshold)
    with pytest.raises(MarketError, match=r"^15\.000000 ether can be staked now, less than 17\.000000: wait"):
        check_loop(lent.real, lent.sender(borrower), plan, Fraction(7, 10))


# --- Reports ---


def test_gain_raises_health_as_it_vests(lent, shares, borrower):
    lent.aave.borrow(lent.sender(borrower), lent.weth, 70 * ETHER)
    before = lent.aave.health(borrower.address)
    report_as_oracle(lent.protocol, gain=50 * ETHER)
    at_once = lent.aave.health(borrower.address)
    assert at_once.collateral - before.collateral <= 1  # a report never makes the rate jump
    warp_to(now() + 30 * DAY)
    after = lent.aave.health(borrower.address)
    vault = lent.protocol.vault
    assert vault.unvested() == 0
    assert after.collateral == shares * (vault.totalAssets() * ETHER // vault.supply()) // ETHER > before.collateral
    assert after.factor == factor_of(after.collateral, after.debt) > before.factor


def test_slashing_report_lowers_health_by_exactly_the_loss(lent, shares, borrower):
    lent.aave.borrow(lent.sender(borrower), lent.weth, 70 * ETHER)
    vault = lent.protocol.vault
    before = lent.aave.health(borrower.address)
    total, supply, loss = vault.totalAssets(), vault.supply(), 111_111_111_111 * GWEI
    lose(lent, loss)
    after = lent.aave.health(borrower.address)
    price = (total - loss) * ETHER // supply
    debt = lent.aave.debt(lent.weth, borrower.address)
    assert lent.aave.price(lent.sleth) == price
    assert after.collateral == shares * price // ETHER
    assert after.debt == debt
    assert after.factor == factor_of(shares * price // ETHER, debt)
    # the same as a ratio: collateral by the loss over the pool, debt by the interest of a second
    expected = before.factor * Fraction(total - loss, total) * Fraction(before.debt, debt)
    assert abs(after.factor / expected - 1) < Fraction(1, 10**15)


def test_D11_aave_works_on_while_a_slashing_is_proven_and_not_reported(lent, shares, borrower, protocol):
    """Who owes can repay, and be liquidated; the price is the newest one that the core has."""
    sender = lent.sender(borrower)
    lent.aave.borrow(sender, lent.weth, 60 * ETHER)
    price = lent.aave.price(lent.sleth)
    protocol.vault.noteSlashing(sender=protocol.actors.depositor)
    assert protocol.vault.slashingPendingUntil() == lent.feed.slashingPendingUntil() > 0
    assert lent.feed.latestRoundData().updatedAt < now()
    assert lent.aave.price(lent.sleth) == price
    lent.aave.repay(sender, lent.weth, 10 * ETHER)
    lent.aave.withdraw(sender, lent.sleth, shares // 10)


def test_D11_price_stands_where_reports_have_stopped(lent, shares, borrower):
    """Aave looks at no age; who wants to stop new loans by it reads the feed's round."""
    price = lent.aave.price(lent.sleth)
    warp_to(now() + 60 * DAY)
    assert lent.aave.price(lent.sleth) == price
    assert now() - lent.feed.latestRoundData().updatedAt >= 60 * DAY
    lent.aave.borrow(lent.sender(borrower), lent.weth, ETHER)


# --- Liquidation ---


def test_healthy_position_cannot_be_liquidated(lent, shares, borrower, liquidator):
    lent.aave.borrow(lent.sender(borrower), lent.weth, 74 * ETHER)
    sender = lent.wrap(liquidator, 80 * ETHER)
    with pytest.raises(MarketError, match="HEALTH_FACTOR_NOT_BELOW_THRESHOLD"):
        lent.aave.liquidate(sender, lent.sleth, lent.weth, borrower.address)


@pytest.fixture
def unhealthy(lent, shares, borrower):
    """Borrowed to the limit; then a report takes 4% of the pool, which no slashing has ever come near."""
    lent.aave.borrow(lent.sender(borrower), lent.weth, lent.aave.health(borrower.address).available)
    lose(lent, lent.protocol.vault.totalAssets() * 4 // 100 // GWEI * GWEI)
    health = lent.aave.health(borrower.address)
    assert Fraction(95, 100) < health.factor < 1
    return lent


def test_liquidator_gets_slETH_with_the_bonus_and_is_paid_by_the_queue(unhealthy, borrower, liquidator, protocol):
    aave, weth, sleth = unhealthy.aave, unhealthy.weth, unhealthy.sleth
    queue, vault = protocol.queue, protocol.vault
    sender = unhealthy.wrap(liquidator, 60 * ETHER)
    before, rate = aave.health(borrower.address), unhealthy.rate
    aave.chain.allow(sender, weth, aave.pool.address, 2**256 - 1)  # else a transaction of its own comes first
    at = next_at(now() + 1)
    aave.liquidate(sender, sleth, weth, borrower.address)
    assert now() == at
    covered = 60 * ETHER - unhealthy.chain.balance(weth, liquidator.address)
    owed = before.debt  # half of it is the most that Aave lets at once above a factor of 0.95
    assert percent(owed, 5_000) <= covered <= percent(owed, 5_000) + 10**12
    seized = percent(covered * ETHER // rate, LISTING.bonus)
    assert unhealthy.chain.balance(sleth, liquidator.address) == seized
    after = aave.health(borrower.address)
    assert after.factor is not None
    assert before.factor is not None
    assert after.debt == aave.debt(weth, borrower.address) == pytest.approx(owed - covered, abs=10**12)

    queue.request(seized, liquidator, sender=liquidator)
    report_as_oracle(protocol)
    number = queue.lastRequestId()
    queue.finalize(number, sender=borrower)
    purse = "0x" + 38 * "0" + "1d"
    queue.claim(number, queue.findCheckpoints([number])[0], purse, sender=liquidator)
    paid = ape.chain.provider.get_balance(purse)
    assert paid == (seized - seized % GWEI) * vault.totalAssets() // vault.supply()
    assert paid - covered == pytest.approx(covered * 75 // 1_000, abs=10 * GWEI)


def test_liquidator_may_keep_the_collateral_in_aave(unhealthy, borrower, liquidator):
    sender = unhealthy.wrap(liquidator, ETHER)
    rate = unhealthy.rate
    unhealthy.aave.liquidate(sender, unhealthy.sleth, unhealthy.weth, borrower.address, ETHER, keep=True)
    seized = percent(ETHER * ETHER // rate, LISTING.bonus)
    assert unhealthy.aave.supplied(unhealthy.sleth, liquidator.address) == seized
    assert unhealthy.chain.balance(unhealthy.sleth, liquidator.address) == 0


# --- The core does not notice ---


def play(markets: Markets, protocol, borrower, lender, liquidator, *, busy: bool) -> tuple[list, int]:
    """The same core calls at the same seconds, with or without markets in between."""
    vault, queue, holder = protocol.vault, protocol.queue, protocol.actors.treasury
    start, seen = now() + 1_000, []

    def between(part: int) -> None:
        if not busy:
            return
        sender = markets.sender(borrower)
        if part == 0:
            markets.aave.borrow(sender, markets.weth, markets.aave.health(borrower.address).available)
        elif part == 1:
            price = markets.pool.price()
            half = markets.chain.balance(markets.weth, borrower.address) // 2
            markets.pool.provide(sender, 0, half, price * 90 / 100, price * 99 / 100)
            markets.chain.allow(sender, markets.sleth, markets.uniswap.router.address, MOST)
        elif part == 2:
            liquidating = markets.wrap(liquidator, 60 * ETHER)
            markets.aave.liquidate(liquidating, markets.sleth, markets.weth, borrower.address)
            seized = markets.chain.balance(markets.sleth, liquidator.address)
            markets.pool.swap(liquidating, markets.sleth, seized, limit=markets.pool.price() * 80 / 100)
            protocol.token.transfer(vault, ETHER // 100, sender=holder)
        seen_rate = vault.rate()
        assert markets.feed.latestAnswer() == seen_rate

    between(0)
    next_at(start)
    vault.stake(lender, 0, "0x" + 40 * "0", sender=lender, value=9 * ETHER)
    seen.append(core_of(protocol))
    between(1)
    report_as_oracle(protocol, gain=3 * ETHER, at=start + 1_000)
    seen.append(core_of(protocol))
    report_as_oracle(protocol, gain=-150 * ETHER, faults=0, at=start + 2_000)
    seen.append(core_of(protocol))
    between(2)
    next_at(start + 3_000)
    queue.request(5 * ETHER, holder, sender=holder)
    report_as_oracle(protocol, at=start + 4_000)
    next_at(start + 5_000)
    queue.finalize(queue.lastRequestId(), sender=lender)
    seen.append(core_of(protocol))
    return seen, int(queue.getRequest(queue.lastRequestId()).assets)


def test_core_with_markets_is_the_core_without(lent, shares, protocol, borrower, lender, liquidator):
    """INV of every module: the same core calls, the same rate, the same books, the same claim."""
    snapshot = ape.chain.snapshot()
    busy = play(lent, protocol, borrower, lender, liquidator, busy=True)
    ape.chain.restore(snapshot)
    quiet = play(lent, protocol, borrower, lender, liquidator, busy=False)
    assert busy == quiet


def test_supplied_staked_ether_cannot_be_handed_in_by_aave(lent, shares, protocol):
    """What the token moves for the queue is the caller's own: Aave's contracts call no queue."""
    holder = protocol.impersonate(lent.aave._tokens(lent.sleth)[0])
    stranger = protocol.actors.stranger
    with reverts(protocol.token.ERC20InsufficientBalance, sender=stranger.address, balance=0, needed=ETHER):
        protocol.queue.request(ETHER, stranger, sender=stranger)
    assert protocol.token.balanceOf(holder) == shares
