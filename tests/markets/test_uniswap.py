"""slETH in Uniswap v3: a pool at the core rate, fees to the wei, a peg that arbitrage through the queue restores."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import ape
import pytest

from sluice.markets.contracts import MarketError
from sluice.markets.uniswap import FEE, sqrt_price
from tests.helpers import ETHER, GWEI, next_at, now, report_as_oracle
from tests.markets.world import Markets, core_of

Q96 = 2**96
Q128 = 2**128
MILLION = 10**6


@pytest.fixture(scope="module")
def provider(protocol):
    return protocol.actors.other


@pytest.fixture(scope="module")
def trader(protocol):
    return protocol.actors.stranger


@pytest.fixture
def position(markets, provider):
    """400 ether and as much in slETH, from a twentieth below the rate to one above it; nobody else provides."""
    sender = markets.wrap(provider, 400 * ETHER)
    shares = markets.stake(provider, 400 * ETHER)
    price = markets.pool.price()
    return markets.pool.provide(sender, shares, 400 * ETHER, price * 100 / 105, price * 105 / 100)


# --- What Uniswap computes, again and from its definitions ---


def up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


@dataclass(frozen=True)
class Step:
    """A sale within one range."""

    root: int
    """Square root of the price after it."""
    out: int
    fee: int


def sale_of_first(root: int, liquidity: int, amount: int) -> Step:
    """Exact amount of the first token for the second."""
    without_fee = amount * (MILLION - FEE) // MILLION
    after = up(liquidity * Q96 * root, liquidity * Q96 + without_fee * root)
    taken = up(up(liquidity * Q96 * (root - after), root), after)
    return Step(after, liquidity * (root - after) // Q96, amount - taken)


def sale_of_second(root: int, liquidity: int, amount: int) -> Step:
    without_fee = amount * (MILLION - FEE) // MILLION
    after = root + without_fee * Q96 // liquidity
    taken = up(liquidity * (after - root), Q96)
    return Step(after, liquidity * Q96 * (after - root) // after // root, amount - taken)


def sale(markets: Markets, token: str, amount: int) -> Step:
    root, liquidity = markets.pool.contract.read("slot0")[0], markets.pool.liquidity()
    first = (token == markets.sleth) == markets.pool.sleth_first
    return (sale_of_first if first else sale_of_second)(root, liquidity, amount)


# --- Positions, swaps, fees ---


def test_paired_position_holds_both_at_the_rate(markets, position, provider):
    assert markets.pool.reserves() == (position.sleth, position.weth)
    assert markets.pool.liquidity() == position.liquidity > 0
    worth = position.sleth * markets.pool.price()
    assert abs(worth / position.weth - 1) < Fraction(1, 100)  # ticks round the two ends
    assert markets.uniswap.positions.read("ownerOf", position.id) == provider.address.lower()


@pytest.mark.parametrize("token", ["sleth", "weth"])
@pytest.mark.parametrize("amount", [1_000, ETHER + 1, 7 * ETHER])
def test_swap_pays_what_uniswap_says_and_fees_are_collected_to_the_wei(
    markets, position, provider, trader, token, amount
):
    sender = markets.wrap(trader, 8 * ETHER)
    markets.stake(trader, 8 * ETHER)
    sell = getattr(markets, token)
    expected = sale(markets, sell, amount)
    assert markets.pool.quote(sell, amount) == expected.out
    assert markets.pool.swap(sender, sell, amount) == (amount, expected.out)
    assert markets.pool.contract.read("slot0")[0] == expected.root

    growth = expected.fee * Q128 // position.liquidity
    earned = growth * position.liquidity // Q128
    assert expected.fee - 1 <= earned <= expected.fee
    assert expected.fee >= up(amount * FEE, MILLION)
    fees = (earned, 0) if token == "sleth" else (0, earned)
    assert markets.pool.tokens_owed(position.id) == fees
    assert markets.pool.collect(markets.sender(provider), position.id) == fees
    assert markets.pool.tokens_owed(position.id) == (0, 0)


def test_way_there_and_back_costs_both_fees_and_they_are_the_providers(markets, position, provider, trader):
    sender = markets.wrap(trader, 10 * ETHER)
    there = sale(markets, markets.weth, 10 * ETHER)
    _, bought = markets.pool.swap(sender, markets.weth, 10 * ETHER)
    back = sale(markets, markets.sleth, bought)
    _, returned = markets.pool.swap(sender, markets.sleth, bought)
    assert (bought, returned) == (there.out, back.out)
    lost = 10 * ETHER - returned
    assert Fraction(lost, 10 * ETHER) == pytest.approx(2 * FEE / MILLION, rel=0.01)

    sleth, weth = markets.pool.leave(markets.sender(provider), position.id)
    earned = [each.fee * Q128 // position.liquidity * position.liquidity // Q128 for each in (back, there)]
    # what is left in the pool is what was rounded against provider and traders
    assert markets.pool.reserves() == (position.sleth - sleth, position.weth + lost - weth)
    assert all(0 <= dust <= 3 for dust in markets.pool.reserves())
    assert sleth >= position.sleth - 3
    assert weth >= position.weth - 3 + earned[1]


def test_swap_for_less_than_asked_for_is_refused(markets, position, trader):
    sender = markets.wrap(trader, ETHER)
    out = markets.pool.quote(markets.weth, ETHER)
    with pytest.raises(MarketError, match="Too little received"):
        markets.pool.swap(sender, markets.weth, ETHER, least=out + 1)
    assert markets.pool.swap(sender, markets.weth, ETHER, least=out) == (ETHER, out)


def test_pool_that_is_not_there_is_named(markets):
    with pytest.raises(MarketError, match=r"has no pool of .* with fee 3000"):
        markets.uniswap.pool(markets.sleth, 3_000)


@pytest.mark.parametrize("price", [Fraction(1), Fraction(107, 100), Fraction(1, 3), Fraction(10**18 + 1, 10**18)])
def test_square_root_is_the_largest_not_above(price):
    root = sqrt_price(price)
    assert Fraction(root, Q96) ** 2 <= price < Fraction(root + 1, Q96) ** 2


# --- The peg ---


def depeg(markets: Markets, seller, shares: int) -> Fraction:
    """Somebody sells a lot at once; the price after it."""
    markets.pool.swap(markets.sender(seller), markets.sleth, shares)
    return markets.pool.price()


def test_depeg_is_closed_by_arbitrage_through_the_queue(markets, position, protocol, trader):
    """A holder sells a hundred ether's worth into the pool. Whoever buys slETH there below the rate hands it in, is
    paid at the rate after the next report, and keeps the difference; the pool is back at the rate less its fee.
    """
    vault, queue, arbitrageur = protocol.vault, protocol.queue, protocol.actors.staker
    rate = Fraction(vault.totalAssets(), vault.supply())
    low = depeg(markets, trader, markets.stake(trader, 100 * ETHER))
    assert low / rate < Fraction(99, 100)

    target = rate * (MILLION - FEE) / MILLION  # beyond it the fee costs more than is gained
    sender = markets.wrap(arbitrageur, 300 * ETHER)
    spent, bought = markets.pool.swap(sender, markets.weth, 300 * ETHER, limit=target)
    assert 0 < spent < 300 * ETHER
    assert abs(markets.pool.price() / rate - 1) <= Fraction(FEE + 1, MILLION)
    assert spent < bought * rate  # below the rate on average

    queue.request(bought, arbitrageur, sender=arbitrageur)
    number, handed_in = queue.lastRequestId(), bought - bought % GWEI
    assert queue.getRequest(number).shares == handed_in
    report_as_oracle(protocol)
    at = next_at(now() + 60)
    total, supply = vault.totalAssets(), vault.supply()
    queue.finalize(number, sender=trader)
    assert now() == at
    paid = handed_in * total // supply
    purse = "0x" + 38 * "0" + "ac"
    hint = queue.findCheckpoints([number])[0]
    queue.claim(number, hint, purse, sender=arbitrageur)
    assert ape.chain.provider.get_balance(purse) == paid == queue.getRequest(number).assets

    kept = bought - handed_in  # below a gwei
    profit = paid - spent
    assert markets.chain.balance(markets.weth, arbitrageur.address) == 300 * ETHER - spent
    assert markets.chain.balance(markets.sleth, arbitrageur.address) == kept
    assert profit == handed_in * total // supply - spent > ETHER // 10


def test_premium_is_closed_by_staking_at_once(markets, position, protocol, trader):
    """Nobody waits where slETH is dear: it is staked for and sold."""
    vault, arbitrageur = protocol.vault, protocol.actors.staker
    buyer = markets.wrap(trader, 100 * ETHER)
    markets.pool.swap(buyer, markets.weth, 100 * ETHER)
    rate = Fraction(vault.rate(), ETHER)
    assert markets.pool.price() / rate > Fraction(101, 100)
    staked = 150 * ETHER
    shares = markets.stake(arbitrageur, staked)
    target = rate * MILLION / (MILLION - FEE)
    sold, got = markets.pool.swap(markets.sender(arbitrageur), markets.sleth, shares, limit=target)
    assert abs(markets.pool.price() / rate - 1) <= Fraction(FEE + 1, MILLION)
    assert got > sold * rate
    assert sold < shares


def test_H4_no_sale_however_large_moves_the_core(markets, position, protocol, trader):
    """The pool's price halves; what a holder is owed does not move."""
    before = core_of(protocol)
    shares = protocol.token.balanceOf(protocol.actors.treasury)
    protocol.token.transfer(trader, shares // 2, sender=protocol.actors.treasury)
    low = markets.pool.price() / 2
    sold, _ = markets.pool.swap(markets.sender(trader), markets.sleth, shares // 2, limit=low)
    assert sold > position.sleth
    assert abs(markets.pool.price() / low - 1) < Fraction(1, 10**15)
    assert core_of(protocol) == before
    assert markets.feed.latestAnswer() == protocol.vault.rate()
