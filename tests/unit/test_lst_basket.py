"""LstBasket: swaps at intrinsic worth, liquidity, the bounds that governance has, and every refusal."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import Any

import pytest

from tests.basket import BPS, DEAD_SHARES, FOREVER, INFINITE, LP_FEE, MAX_RATE_AGE, World, config, swap_in, swap_out
from tests.in_process import Process, Reverted
from tests.lst import Foreign, Health
from tests.played import Played
from tests.reverts import reverts
from tests.small_core import DAY, ETHER, ZERO, SmallCore

A = (1_100_000_000_000_000_007, 1_100_000_000_000_000_008)
B = (1_030_000_000_000_000_003, 1_030_000_000_000_000_003)
C = (999_000_000_000_000_000, 1_001_000_000_000_000_000)
STRONGBOX = "0x000000000000000000000000000000000000dEaD"


@pytest.fixture(scope="module")
def process():
    return Played()


@pytest.fixture(autouse=True)
def _taken_back(process, world, with_core):
    with process.taken_back():
        yield


@pytest.fixture(scope="module")
def governance(process):
    return process.account(0)


@pytest.fixture(scope="module")
def owner(process):
    """Has added liquidity."""
    return process.account(2)


@pytest.fixture(scope="module")
def trader(process):
    return process.account(3)


@pytest.fixture(scope="module")
def receiver(process):
    return process.account(5)


@pytest.fixture(scope="module")
def stranger(process):
    return process.account(6)


@pytest.fixture(scope="module")
def world(project, governance, owner, trader):
    """100 ether of each of three tokens; in 3 bps, out 4 bps, liquidity 2 bps."""
    world = World.deploy(project, governance)
    world.list("A", *A)
    world.list("B", *B)
    world.list("C", *C)
    world.endow(owner)
    world.endow(trader)
    for letter in "ABC":
        world.basket.addLiquidity(world.tokens[letter].token, 100 * ETHER, 0, owner, sender=owner)
    return world


@pytest.fixture(scope="module")
def basket(world):
    return world.basket


@pytest.fixture(scope="module")
def a(world):
    return world.tokens["A"].token


@pytest.fixture(scope="module")
def b(world):
    return world.tokens["B"].token


@pytest.fixture(scope="module")
def c(world):
    return world.tokens["C"].token


def balances(world: World) -> dict[str, int]:
    return {letter: int(world.basket.holdingOf(t.token)[0]) for letter, t in world.tokens.items()}


def worth(world: World, which: int) -> Fraction:
    """Of a share, at the low (0) or the high (1) rates that providers tell."""
    rates = {"A": A, "B": B, "C": C}
    held = balances(world)
    return Fraction(sum(held[letter] * rates[letter][which] for letter in held), int(world.basket.totalSupply()))


def worths(world: World) -> tuple[Fraction, Fraction]:
    return worth(world, 0), worth(world, 1)


def assert_no_less(now: tuple[Fraction, Fraction], before: tuple[Fraction, Fraction]) -> None:
    """At each price: of tuples the first that differs alone would count."""
    assert now[0] >= before[0]
    assert now[1] >= before[1]


# --- Swap ---


def test_an_example_in_exact_numbers(world, basket, a, b, trader, receiver):
    """10 A at the low rate are 11.00000000000000007 ether; 7 bps of it stay; the rest buys B at its high rate."""
    value = 10 * ETHER * A[0] // ETHER
    assert value == 11_000_000_000_000_000_070
    fee = 7_700_000_000_000_001  # 7 bps are 7_700_000_000_000_000.049
    expected = floor(Fraction((value - fee) * ETHER, B[1]))
    assert expected == 10_672_135_922_330_097_123
    tx = basket.swapExactIn(a, b, 10 * ETHER, expected, receiver, FOREVER, sender=trader)
    assert tx.return_value == expected
    assert tx.events == [
        basket.Swapped(
            sender=trader,
            receiver=receiver,
            tokenIn=a,
            tokenOut=b,
            amountIn=10 * ETHER,
            amountOut=expected,
        ),
        a.Transfer(**{"from": trader, "to": basket, "value": 10 * ETHER}),
        b.Transfer(**{"from": basket, "to": receiver, "value": expected}),
    ]
    assert b.balanceOf(receiver) == expected
    assert balances(world) == {"A": 110 * ETHER, "B": 100 * ETHER - expected, "C": 100 * ETHER}


@pytest.mark.parametrize("amount", [1, 2, 999, 10**9 + 7, 90 * ETHER + 1])
def test_exact_out_takes_the_least_that_buys_it(basket, a, b, trader, amount):
    expected = basket.quoteExactOut(a, b, amount)[0]
    value = ceil(Fraction(ceil(Fraction(amount * B[1], ETHER)) * BPS, BPS - 7))
    assert expected == ceil(Fraction(value * ETHER, A[0]))
    assert basket.quoteExactIn(a, b, expected)[0] >= amount
    if amount > 2:
        assert basket.quoteExactIn(a, b, expected - 2)[0] <= amount
    tx = swap_out(basket, a, b, amount, trader, expected)
    assert tx.return_value == expected
    assert tx.events[2] == b.Transfer(**{"from": basket, "to": trader, "value": amount})


@pytest.mark.parametrize("amount", [1, 3, 10**9, 30 * ETHER])
def test_a_swap_leaves_a_share_worth_at_least_as_much_at_every_price(world, basket, a, b, c, trader, amount):
    before = worths(world)
    for given_, taken in ((a, b), (b, c), (c, a)):
        swap_out(basket, given_, taken, amount, trader)
        assert_no_less(worths(world), before)
        before = worths(world)


def test_A3_dust_buys_nothing_and_no_fee_is_not_a_wei_for_nothing(world, basket, a, b, trader):
    """OtterSec ADV-00 on S: a round-up gave one unit more at zero fee."""
    for letter in "AB":
        world.configure(letter, inFee=0, outFee=0)
    for given_, taken in ((a, b), (b, a)):
        with reverts(basket.AmountZero):
            swap_in(basket, given_, taken, 1, trader)  # worth 1 wei, and 1 wei of either costs 2
        assert swap_out(basket, given_, taken, 1, trader).return_value == 2


def test_A3_splitting_a_swap_gains_nothing(basket, a, b):
    whole = basket.quoteExactIn(a, b, 9 * 10**9 + 9)[0]
    assert sum(basket.quoteExactIn(a, b, 10**9 + 1)[0] for _ in range(9)) <= whole
    cost = basket.quoteExactOut(a, b, 9 * 10**9 + 9)[0]
    assert sum(basket.quoteExactOut(a, b, 10**9 + 1)[0] for _ in range(9)) >= cost


def test_the_price_does_not_depend_on_what_the_basket_holds(world, basket, a, b, c, owner, trader):
    """mechanisms.md 3.3, 6: the same quote at 1 % and at 99 %."""
    before = basket.quoteExactIn(a, b, 10**15), basket.quoteExactOut(a, b, 10**15)
    swap_out(basket, a, b, 99 * ETHER, trader)
    swap_out(basket, a, c, 99 * ETHER, trader)
    low, _, _ = basket.totalValue()
    assert balances(world)["A"] * A[0] * 100 > 98 * low * ETHER
    assert balances(world)["B"] * B[0] * 100 < 1 * low * ETHER
    assert (basket.quoteExactIn(a, b, 10**15), basket.quoteExactOut(a, b, 10**15)) == before


def test_a_quote_is_what_the_swap_pays(basket, a, c, trader):
    quoted = basket.quoteExactIn(a, c, 3 * ETHER)[0]
    assert swap_in(basket, a, c, 3 * ETHER, trader, quoted).return_value == quoted
    with reverts(basket.OutputBelowMinimum, output=quoted, minimum=quoted + 1):
        swap_in(basket, a, c, 3 * ETHER, trader, quoted + 1)
    quoted = basket.quoteExactOut(a, c, 3 * ETHER)[0]
    with reverts(basket.InputAboveMaximum, input=quoted, maximum=quoted - 1):
        swap_out(basket, a, c, 3 * ETHER, trader, quoted - 1)


def test_all_of_a_token_can_be_swapped_out_and_not_a_wei_more(basket, a, b, trader):
    held = basket.holdingOf(b)[0]
    with reverts(basket.BalanceTooLow, token=b, needed=held + 1, available=held):
        swap_out(basket, a, b, held + 1, trader)
    swap_out(basket, a, b, held, trader)
    assert basket.holdingOf(b)[0] == 0


def test_a_deadline_that_has_passed(process, basket, a, b, trader):
    now = process.now
    for call in (basket.swapExactIn, basket.swapExactOut):
        with reverts(basket.DeadlinePassed, deadline=now - 1):
            call(a, b, ETHER, 0, trader, now - 1, sender=trader)


def test_what_cannot_be_swapped(world, basket, a, b, trader, stranger):
    with reverts(basket.SameToken, token=a):
        swap_in(basket, a, a, ETHER, trader)
    with reverts(basket.TokenUnknown, token=stranger):
        swap_in(basket, stranger, a, ETHER, trader)
    with reverts(basket.TokenUnknown, token=stranger):
        swap_in(basket, a, stranger, ETHER, trader)
    for call in (swap_in, swap_out):
        with reverts(basket.AmountZero):
            call(basket, a, b, 0, trader)
    world.configure("A", inputOff=True)
    with reverts(basket.InputIsOff, token=a):
        swap_in(basket, a, b, ETHER, trader)
    with reverts(basket.InputIsOff, token=a):
        basket.addLiquidity(a, ETHER, 0, trader, sender=trader)
    swap_in(basket, b, a, ETHER, trader)


def test_A5_amounts_that_overflow_revert(basket, a, b, c, trader):
    for quote in (basket.quoteExactIn, basket.quoteExactOut):
        assert quote(a, b, 2**128)[0] > 2**127  # a price, whatever is there
        with reverts():
            quote(a, b, 2**256 - 1)
    for amount in (2**128, 2**255, 2**256 - 1):
        with reverts():
            swap_in(basket, a, b, amount, trader)
        with reverts():
            swap_out(basket, a, b, amount, trader)
        with reverts():
            basket.addLiquidity(c, amount, 0, trader, sender=trader)


@pytest.mark.parametrize(("low", "high"), [(1, 1), (10**9, 10**9), (10**27, 10**27), (1, 2**96 - 1)])
def test_A5_rates_at_the_ends_lose_nothing(project, low, high):
    process = Process()
    owner = process.account(1)
    world = World.deploy(project, process.account(0))
    told = {"A": A, "B": (low, high)}
    for letter in told:
        world.list(letter, ETHER, ETHER, in_fee=0, out_fee=0)
    world.endow(owner)
    for letter, listed in world.tokens.items():
        world.basket.addLiquidity(listed.token, 1000 * ETHER, 0, owner, sender=owner)
        listed.provider.setRates(*told[letter], sender=owner)
    swapped = 0
    for amount in (1, 2, 10**9, 10**18, 50 * ETHER + 1, 900 * ETHER):
        for given_, taken in ("AB", "BA"):
            for call, bound in ((world.basket.swapExactIn, 0), (world.basket.swapExactOut, 10**5 * ETHER)):
                held = balances(world)
                try:
                    call(*(world.tokens[x].token for x in (given_, taken)), amount, bound, owner, FOREVER, sender=owner)
                except Reverted:
                    assert balances(world) == held  # nothing, or more than there is
                    continue
                swapped += 1
                gained = balances(world)[given_] - held[given_]
                assert gained * told[given_][0] >= (held[taken] - balances(world)[taken]) * told[taken][1] > 0
    assert swapped >= 2


# --- Bonus ---


@pytest.fixture
def bonus(world, basket, b, owner):
    """Whoever takes B out gets 10 bps, while 0.005 B for it last."""
    world.configure("A", inFee=0)
    world.configure("B", inFee=10, outFee=-10)
    tx = basket.fund(b, 5 * 10**15, sender=owner)
    assert tx.events[0] == basket.IncentiveFunded(sender=owner, token=b, amount=5 * 10**15)
    return 5 * 10**15


def test_a_bonus_is_paid_from_what_was_given_for_it_alone(world, basket, a, b, trader, bonus):
    held = balances(world)
    before = worths(world)
    base = floor(Fraction(3 * ETHER * A[0] // ETHER * ETHER, B[1]))
    extra = floor(Fraction(base * 10, BPS))
    assert basket.quoteExactIn(a, b, 3 * ETHER) == (base + extra, extra)
    tx = swap_in(basket, a, b, 3 * ETHER, trader)
    assert tx.return_value == base + extra
    assert tx.events[0] == basket.IncentivePaid(receiver=trader, token=b, bonus=extra)
    assert basket.incentiveOf(b) == bonus - extra
    assert balances(world)["B"] == held["B"] - base
    # the next finds less than 10 bps left
    left = bonus - extra
    assert basket.quoteExactIn(a, b, 3 * ETHER) == (base + left, left)
    assert swap_in(basket, a, b, 3 * ETHER, trader).return_value == base + left
    assert basket.incentiveOf(b) == 0
    assert basket.quoteExactIn(a, b, 3 * ETHER) == (base, 0)
    assert_no_less(worths(world), before)
    assert b.balanceOf(basket) == basket.holdingOf(b)[0]


@pytest.mark.parametrize("amount", [1, 1001, 2 * ETHER, 50 * ETHER])
def test_a_bonus_on_exact_out_is_at_most_that_on_exact_in(world, basket, a, b, trader, bonus, amount):
    cost, extra = basket.quoteExactOut(a, b, amount)
    assert extra == min(amount - ceil(Fraction(amount * BPS, BPS + 10)), bonus)
    assert cost == ceil(Fraction(ceil(Fraction((amount - extra) * B[1], ETHER)) * ETHER, A[0]))
    before = worths(world)
    swap_out(basket, a, b, amount, trader)
    assert basket.incentiveOf(b) == bonus - extra
    assert_no_less(worths(world), before)


def test_no_circle_of_swaps_earns_bonuses(world, basket, a, b, c, trader, bonus):
    world.configure("C", inFee=0, outFee=0)
    for amount in (10**6, ETHER):
        for circle in ((a, b), (a, b, c), (a, c, b)):
            held = amount
            for given_, taken in zip(circle, (*circle[1:], circle[0]), strict=True):
                held = swap_in(basket, given_, taken, held, trader).return_value
            assert held <= amount


def test_who_brings_a_token_pays_its_bonus_back(world, basket, a, b, c, trader, bonus):
    """10 bps of the B that come in, whatever goes out."""
    held = balances(world)
    tx = swap_in(basket, b, a, 2 * ETHER, trader)  # 10 bps and 4 of A
    assert tx.events[0] == basket.IncentiveFunded(sender=trader, token=b, amount=2 * 10**15)
    assert tx.return_value == (2 * B[0] - ceil(Fraction(2 * B[0] * 14, BPS))) * ETHER // A[1]
    assert basket.incentiveOf(b) == bonus + 2 * 10**15
    assert balances(world)["B"] == held["B"] + 2 * ETHER - 2 * 10**15
    basket.addLiquidity(b, 3 * ETHER, 0, trader, sender=trader)
    assert basket.incentiveOf(b) == bonus + 5 * 10**15
    assert balances(world)["B"] == held["B"] + 5 * ETHER - 5 * 10**15
    world.configure("C", inFee=7, outFee=-7)
    swap_out(basket, b, c, ETHER, trader)
    came = balances(world)["B"] + basket.incentiveOf(b) - held["B"] - bonus - 5 * ETHER
    assert basket.incentiveOf(b) == bonus + 5 * 10**15 + came * 10 // BPS
    assert b.balanceOf(basket) == basket.holdingOf(b)[0] + basket.incentiveOf(b)


def test_adding_and_removing_earn_no_bonus(world, basket, a, b, owner, bonus):
    lp = basket.addLiquidity(a, ETHER, 0, owner, sender=owner).return_value
    out = basket.removeLiquidity(lp, b, 0, owner, sender=owner).return_value
    assert basket.incentiveOf(b) == bonus
    assert out * B[0] <= ETHER * A[1]


def test_fund_refuses(world, basket, b, owner, stranger):
    with reverts(basket.TokenUnknown, token=stranger):
        basket.fund(stranger, 1, sender=owner)
    with reverts(basket.AmountZero):
        basket.fund(b, 0, sender=owner)
    world.configure("B", inputOff=True)  # it may be about to be removed
    with reverts(basket.InputIsOff, token=b):
        basket.fund(b, 1, sender=owner)


def test_what_is_left_for_bonuses_can_only_go_to_the_shares(world, basket, b, governance, bonus):
    before = worth(world, 0)
    held = basket.holdingOf(b)[0]
    tx = basket.releaseIncentive(b, sender=governance)
    assert tx.events == [basket.IncentiveReleased(token=b, amount=bonus)]
    assert basket.holdingOf(b)[0] == held + bonus
    assert worth(world, 0) > before
    with reverts(basket.AmountZero):
        basket.releaseIncentive(b, sender=governance)


# --- Caps ---


def test_a_cap_in_ether(world, basket, a, b, trader):
    world.configure("A", cap=111)
    swap_in(basket, a, b, 9 * 10**17, trader)  # 110.99 ether
    value = (100 * ETHER + 9 * 10**17 + 10**17) * A[0] // ETHER
    with reverts(basket.CapExceeded, token=a, value=value, cap=111 * ETHER):
        swap_in(basket, a, b, 10**17, trader)
    with reverts(basket.CapExceeded, token=a, value=value, cap=111 * ETHER):
        basket.addLiquidity(a, 10**17, 0, trader, sender=trader)
    swap_in(basket, b, a, ETHER, trader)


def share_limit(world: World, letter: str, part: int, total: int) -> int:
    return floor(Fraction(total * part * ETHER, {"A": A, "B": B, "C": C}[letter][0] * BPS))


def test_a_cap_in_parts_of_the_whole_is_as_of_when_somebody_looked(world, basket, a, b, c, owner, trader):
    """110 of 312.9 ether are 35.15 %. Who swaps does not pay for looking."""
    world.configure("A", shareCap=3_600)
    low, _, _ = basket.totalValue()
    basket.sync(sender=trader)
    limit = share_limit(world, "A", 3_600, low)
    assert basket.holdingOf(a)[1] == limit
    swap_in(basket, a, b, limit - 100 * ETHER, trader)
    with reverts(basket.ShareCapExceeded, token=a, balance=limit + 10**6, shareLimit=limit):
        swap_in(basket, a, b, 10**6, trader)
    # more of another token makes room, when somebody looks
    basket.addLiquidity(c, 10 * ETHER, 0, owner, sender=owner)
    with reverts(basket.ShareCapExceeded, token=a, shareLimit=limit):
        swap_in(basket, a, b, ETHER, trader)
    basket.sync(sender=trader)
    swap_in(basket, a, b, ETHER, trader)


def test_who_adds_a_token_looks_for_that_one(world, basket, a, b, c, owner, trader):
    """The limit is of the whole with what is added, at its high value and what comes at its low."""
    for letter in "AB":
        world.configure(letter, shareCap=3_500)
    before = basket.holdingOf(b)[1]
    high = sum(ceil(Fraction(held * r[1], ETHER)) for held, r in zip(balances(world).values(), (A, B, C), strict=True))
    limit = share_limit(world, "A", 3_500, high + 10**6 * A[0] // ETHER)
    with reverts(basket.ShareCapExceeded, token=a, balance=100 * ETHER + 10**6, shareLimit=limit):
        basket.addLiquidity(a, 10**6, 0, owner, sender=owner)
    world.configure("A", shareCap=3_600)
    basket.addLiquidity(a, 10**6, 0, owner, sender=owner)
    assert basket.holdingOf(a)[1] == share_limit(world, "A", 3_600, high + 10**6 * A[0] // ETHER)
    assert basket.holdingOf(b)[1] == before


def test_another_cap_scales_the_limit_at_once(world, basket, a, b, trader):
    basket.sync(sender=trader)  # of all there is
    whole = basket.holdingOf(a)[1]
    world.configure("A", shareCap=3_600)
    assert basket.holdingOf(a)[1] == whole * 3_600 // BPS
    with reverts(basket.ShareCapExceeded, token=a):
        swap_in(basket, a, b, 90 * ETHER, trader)
    world.configure("A", shareCap=7_200)
    swap_in(basket, a, b, 90 * ETHER, trader)


def test_a_new_token_comes_in_by_swaps_when_somebody_has_looked(world, basket, a, b, trader):
    fresh = world.list("D", *A, shareCap=500)
    fresh.token.mint(trader, 100 * ETHER, sender=trader)
    fresh.token.approve(basket, 100 * ETHER, sender=trader)
    with reverts(basket.ShareCapExceeded, token=fresh.token, balance=ETHER, shareLimit=0):
        swap_in(basket, fresh.token, b, ETHER, trader)
    basket.sync(sender=trader)
    swap_in(basket, fresh.token, b, ETHER, trader)
    del world.tokens["D"]


def test_limits_fall_with_who_leaves_with_all_and_stay_while_a_token_is_sick(world, basket, a, b, owner, trader):
    world.configure("A", shareCap=5_000)
    basket.sync(sender=trader)
    limit, supply = basket.holdingOf(a)[1], basket.totalSupply()
    basket.removeAll(77 * ETHER + 1, [0, 0, 0], owner, sender=owner)
    limit -= floor(Fraction(limit * (77 * ETHER + 1), supply))
    assert basket.holdingOf(a)[1] == limit
    world.tokens["A"].provider.setRates(A[0] * 2, A[0] * 2, sender=world.governance)
    world.mode("A", "Revert")
    with reverts(basket.TokenIsSick, token=a):  # nobody knows what the whole is
        basket.sync(sender=trader)
    world.mode("A", "Tell")
    basket.cutOff([b], DAY, sender=world.governance)
    with reverts(basket.TokenIsSick, token=b):
        basket.sync(sender=trader)
    basket.restore([b], sender=world.governance)
    assert basket.holdingOf(a)[1] == limit
    basket.sync(sender=trader)
    total = sum(
        floor(Fraction(held * low, ETHER))
        for held, low in zip(balances(world).values(), (A[0] * 2, B[0], C[0]), strict=True)
    )
    assert basket.holdingOf(a)[1] == floor(Fraction(total * 5_000 * ETHER, A[0] * 2 * BPS))


def test_D11_a_provider_that_lies_can_take_no_more_than_the_cap_of_its_token(world, basket, a, b, governance, trader):
    world.configure("A", cap=120)
    world.tokens["A"].provider.setRates(A[0] * 10, A[1] * 10, sender=governance)
    for amount in (1, 10**6, ETHER):
        with reverts(basket.CapExceeded, token=a):
            swap_in(basket, a, b, amount, trader)


# --- Liquidity ---


def test_the_first_to_add_pays_no_fee_and_leaves_dead_shares(project, governance, owner):
    world = World.deploy(project, governance)
    a = world.list("A", *A).token
    world.endow(owner)
    basket = world.basket
    small = 909_090_909
    value = small * A[0] // ETHER
    assert value <= DEAD_SHARES
    with reverts(basket.FirstLiquidityTooSmall, value=value, minimum=DEAD_SHARES + 1):
        basket.addLiquidity(a, small, 0, owner, sender=owner)
    world.configure("A", shareCap=5_000)  # there is nothing else yet
    value = 10 * ETHER * A[0] // ETHER
    tx = basket.addLiquidity(a, 10 * ETHER, 0, owner, sender=owner)
    assert tx.return_value == value - DEAD_SHARES
    assert (basket.balanceOf(owner), basket.balanceOf(STRONGBOX)) == (value - DEAD_SHARES, DEAD_SHARES)
    assert basket.totalSupply() == value


@pytest.mark.parametrize("amount", [10**6, ETHER + 1, 500 * ETHER])
def test_add_mints_the_part_of_the_whole_at_its_high_value(world, basket, c, trader, receiver, amount):
    supply = basket.totalSupply()
    total = sum(
        ceil(Fraction(held * rate[1], ETHER)) for held, rate in zip(balances(world).values(), (A, B, C), strict=True)
    )
    value = floor(Fraction(amount * C[0], ETHER))
    net = value - ceil(Fraction(value * (LP_FEE + 3), BPS))
    expected = floor(Fraction(net * supply, total))
    before = worths(world)
    with reverts(basket.LpBelowMinimum, lp=expected, minimum=expected + 1):
        basket.addLiquidity(c, amount, expected + 1, receiver, sender=trader)
    tx = basket.addLiquidity(c, amount, expected, receiver, sender=trader)
    assert tx.return_value == expected
    assert tx.events == [
        basket.Transfer(**{"from": ZERO, "to": receiver, "value": expected}),
        basket.LiquidityAdded(sender=trader, receiver=receiver, token=c, amount=amount, lp=expected),
        c.Transfer(**{"from": trader, "to": basket, "value": amount}),
    ]
    assert basket.balanceOf(receiver) == expected
    assert_no_less(worths(world), before)


def test_add_refuses(basket, a, trader, stranger):
    with reverts(basket.AmountZero):
        basket.addLiquidity(a, 0, 0, trader, sender=trader)
    with reverts(basket.AmountZero):  # worth no share
        basket.addLiquidity(a, 1, 0, trader, sender=trader)
    with reverts(basket.TokenUnknown, token=stranger):
        basket.addLiquidity(stranger, 1, 0, trader, sender=trader)


@pytest.mark.parametrize("lp", [10**6, ETHER + 1, 80 * ETHER])
def test_remove_pays_the_part_of_the_whole_at_its_low_value(world, basket, c, owner, receiver, lp):
    supply = basket.totalSupply()
    total = sum(
        floor(Fraction(held * rate[0], ETHER)) for held, rate in zip(balances(world).values(), (A, B, C), strict=True)
    )
    value = floor(Fraction(lp * total, supply))
    value -= ceil(Fraction(value * (LP_FEE + 4), BPS))
    expected = floor(Fraction(value * ETHER, C[1]))
    before = worths(world)
    with reverts(basket.OutputBelowMinimum, output=expected, minimum=expected + 1):
        basket.removeLiquidity(lp, c, expected + 1, receiver, sender=owner)
    tx = basket.removeLiquidity(lp, c, expected, receiver, sender=owner)
    assert tx.return_value == expected
    assert tx.events == [
        basket.Transfer(**{"from": owner, "to": ZERO, "value": lp}),
        basket.LiquidityRemoved(sender=owner, receiver=receiver, token=c, amount=expected, lp=lp),
        c.Transfer(**{"from": basket, "to": receiver, "value": expected}),
    ]
    assert_no_less(worths(world), before)


def test_remove_refuses(basket, a, owner, stranger):
    with reverts(basket.AmountZero):
        basket.removeLiquidity(0, a, 0, owner, sender=owner)
    with reverts(basket.TokenUnknown, token=stranger):
        basket.removeLiquidity(ETHER, stranger, 0, owner, sender=owner)
    with reverts(basket.ERC20InsufficientBalance, sender=stranger, balance=0, needed=ETHER):
        basket.removeLiquidity(ETHER, a, 0, stranger, sender=stranger)
    with reverts(basket.BalanceTooLow, token=a, available=100 * ETHER):
        basket.removeLiquidity(200 * ETHER, a, 0, owner, sender=owner)


def test_remove_all_pays_a_part_of_everything_without_a_fee(world, basket, owner, receiver):
    lp, supply = 77 * ETHER + 1, basket.totalSupply()
    held = balances(world)
    expected = [floor(Fraction(each * lp, supply)) for each in held.values()]
    before = worth(world, 0)
    tx = basket.removeAll(lp, expected, receiver, sender=owner)
    assert list(tx.return_value) == expected
    assert tx.events[1] == basket.AllRemoved(sender=owner, receiver=receiver, amounts=expected, lp=lp)
    assert balances(world) == {k: held[k] - e for k, e in zip(held, expected, strict=True)}
    assert worth(world, 0) >= before


def test_remove_all_refuses(world, basket, owner, stranger):
    with reverts(basket.LengthMismatch, given=2, expected=3):
        basket.removeAll(ETHER, [0, 0], owner, sender=owner)
    with reverts(basket.AmountZero):
        basket.removeAll(0, [0, 0, 0], owner, sender=owner)
    with reverts(basket.ERC20InsufficientBalance, sender=stranger, balance=0, needed=1):
        basket.removeAll(1, [0, 0, 0], stranger, sender=stranger)
    out = floor(Fraction(ETHER * 100 * ETHER, basket.totalSupply()))
    with reverts(basket.OutputBelowMinimum, output=out, minimum=out + 1):
        basket.removeAll(ETHER, [0, out + 1, 0], owner, sender=owner)


@pytest.mark.parametrize("fees", [(3, 4), (0, 0), (100, 100), (7, -7), (80, -50)])
def test_I2_adding_one_token_and_removing_another_is_no_cheaper_than_a_swap(world, basket, a, b, trader, fees):
    for letter in "AB":
        world.configure(letter, inFee=fees[0], outFee=fees[1])
    for fee in (1, LP_FEE):
        basket.setLpFee(fee, sender=world.governance)
        swapped = basket.quoteExactIn(a, b, 20 * ETHER)[0]
        lp = basket.addLiquidity(a, 20 * ETHER, 0, trader, sender=trader).return_value
        assert basket.removeLiquidity(lp, b, 0, trader, sender=trader).return_value < swapped


def test_I2_adding_and_removing_the_same_costs_both_fees(basket, b, trader):
    lp = basket.addLiquidity(b, 20 * ETHER, 0, trader, sender=trader).return_value
    out = basket.removeLiquidity(lp, b, 0, trader, sender=trader).return_value
    assert out < 20 * ETHER * (BPS - 2 * LP_FEE) // BPS


def rise(world: World, bps: Fraction) -> None:
    """A report of all three at once."""
    for letter, rates in (("A", A), ("B", B), ("C", C)):
        low, high = (int(each * (1 + bps / BPS)) for each in rates)
        world.tokens[letter].provider.setRates(low, high, sender=world.governance)


@pytest.mark.parametrize("reward", [Fraction(11, 10), Fraction(4)])
def test_I2_adding_before_a_report_and_leaving_after_it_does_not_pay(world, basket, a, trader, reward):
    """mechanisms.md 3.3, 3 (Sec3 P1-I-03): a day of rewards is about 1.1 bps, and twice the fee on liquidity is 4. With
    no other fee, and tokens whose low and high are one."""
    for letter in "ABC":
        world.configure(letter, inFee=0, outFee=0)
    lp = basket.addLiquidity(a, 50 * ETHER, 0, trader, sender=trader).return_value
    rise(world, reward)
    out = basket.removeLiquidity(lp, a, 0, trader, sender=trader).return_value
    # what was brought would have earned the same report outside
    assert out <= 50 * ETHER
    assert out * A[0] * (1 + reward / BPS) <= 50 * ETHER * A[1] * (1 + reward / BPS)


def test_I2_what_a_report_can_add_while_adding_is_allowed_is_bounded_by_the_provider(
    process, project, governance, owner
):
    """With real providers, 4 bps a day at most and a report at least every day or so, twice the fee of 2 bps is enough:
    what is more makes the provider sick, and when a report is overdue nobody can add to wait for it."""
    world = World.deploy(project, governance)
    basket = world.basket
    limits = {"maxRise": 4, "maxFall": 5, "maxAge": DAY + 1}
    reth = Foreign(project, governance, world.manager, process, limits).reth(108 * 10**16)
    basket.addToken(reth.token, config(reth.provider, 0, 0), sender=governance)
    reth.token.mint(owner, 1000 * ETHER, sender=owner)
    reth.token.approve(basket, 1000 * ETHER, sender=owner)
    basket.addLiquidity(reth.token, 50 * ETHER, 0, owner, sender=owner)
    lp = basket.addLiquidity(reth.token, 50 * ETHER, 0, owner, sender=owner).return_value
    most = 108 * 10**16 * (BPS + 4) // BPS - 1
    reth.set_rate(most)
    assert basket.removeLiquidity(
        lp, reth.token, 0, owner, sender=owner
    ).return_value * most < 50 * ETHER * 108 * 10**16 * (1 + Fraction(4, BPS))
    reth.set_rate(most + 2)
    with reverts(reth.provider.Unhealthy, token=reth.token, reason=Health.ROSE):
        basket.removeLiquidity(lp, reth.token, 0, owner, sender=owner)
    reth.set_rate(most)
    process.pass_time(DAY + 2)
    with reverts(reth.provider.Unhealthy, token=reth.token, reason=Health.STALE):
        basket.addLiquidity(reth.token, 50 * ETHER, 0, owner, sender=owner)


def test_I2_a_report_of_one_token_alone_does_not_pay_who_brings_another(world, basket, a, b, trader):
    """B is brought just before A alone is reported: the gain is A's part of the reward, less both fees."""
    for letter in "ABC":
        world.configure(letter, inFee=0, outFee=0)
    lp = basket.addLiquidity(b, 50 * ETHER, 0, trader, sender=trader).return_value
    world.tokens["A"].provider.setRates(*(int(r * (1 + Fraction(4, BPS))) for r in A), sender=world.governance)
    assert basket.removeLiquidity(lp, b, 0, trader, sender=trader).return_value <= 50 * ETHER


def test_I2_shares_of_the_first_cannot_be_blown_up(project, governance, owner, trader):
    """What is sent without a call is not counted, and a pool of dust keeps dead shares."""
    world = World.deploy(project, governance)
    a = world.list("A", ETHER, ETHER, in_fee=0, out_fee=0).token
    world.endow(owner)
    world.endow(trader)
    basket = world.basket
    basket.addLiquidity(a, DEAD_SHARES + 1, 0, owner, sender=owner)
    a.transfer(basket, 10**5 * ETHER, sender=owner)
    lp = basket.addLiquidity(a, ETHER, 0, trader, sender=trader).return_value
    assert lp == (ETHER - ETHER * LP_FEE // BPS)
    out = basket.removeAll(lp, [0], trader, sender=trader).return_value[0]
    assert out >= ETHER - 2 * ETHER * LP_FEE // BPS


def test_A5_a_pool_that_was_emptied_fills_again(world, basket, a, owner, trader):
    for which in ("one", "all"):
        lp = basket.balanceOf(owner)
        if which == "one":
            basket.removeLiquidity(lp // 9, a, 0, owner, sender=owner)
        else:
            basket.removeAll(lp, [0, 0, 0], owner, sender=owner)
    assert basket.totalSupply() == DEAD_SHARES
    assert all(held < 10**10 for held in balances(world).values())
    before = worth(world, 0)
    lp = basket.addLiquidity(a, 100 * ETHER, 0, trader, sender=trader).return_value
    assert worth(world, 0) >= before
    out = basket.removeLiquidity(lp, a, 0, trader, sender=trader).return_value
    assert 0 <= 100 * ETHER - out < 100 * ETHER * 20 // BPS


# --- Sick tokens ---


@pytest.mark.parametrize("mode", ["Revert", "BurnGas", "ShortAnswer", "LongAnswer"])
def test_D11_a_sick_token_is_cut_off_and_the_others_go_on(world, basket, a, b, c, owner, trader, mode):
    """mechanisms.md 3.3, 2."""
    world.mode("A", mode)
    whole = sum(floor(Fraction(100 * ETHER * r[0], ETHER)) for r in (B, C))
    low, _, complete = basket.totalValue()
    assert (low, complete) == (whole, False)
    if mode != "LongAnswer":  # a caller of the usual kind reads the first two words of it
        for call in (
            lambda: swap_in(basket, a, b, ETHER, trader),
            lambda: swap_in(basket, b, a, ETHER, trader),
            lambda: basket.addLiquidity(c, ETHER, 0, trader, sender=trader),
            lambda: basket.removeLiquidity(ETHER, a, 0, owner, sender=owner),
        ):
            with reverts():
                call()
    swap_in(basket, b, c, ETHER, trader)
    supply = basket.totalSupply()
    low, _, _ = basket.totalValue()
    value = floor(Fraction(ETHER * low, supply))
    value -= ceil(Fraction(value * (LP_FEE + 4), BPS))
    expected = floor(Fraction(value * ETHER, B[1]))
    assert basket.removeLiquidity(ETHER, b, 0, owner, sender=owner).return_value == expected
    amounts = basket.removeAll(ETHER, [0, 0, 0], owner, sender=owner).return_value
    assert amounts[0] > 0


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 1), (2, 1), (2**256 - 1, 0), (A[1], A[0])])
def test_D11_what_is_no_rate_is_refused(world, basket, a, b, governance, owner, trader, low, high):
    world.tokens["A"].provider.setRates(low, high, sender=governance)
    for call in (
        lambda: swap_in(basket, a, b, ETHER, trader),
        lambda: swap_out(basket, b, a, ETHER, trader),
        lambda: basket.addLiquidity(b, ETHER, 0, trader, sender=trader),
        lambda: basket.removeLiquidity(ETHER, a, 0, owner, sender=owner),
    ):
        with reverts(basket.RatesInvalid, token=a, low=low, high=high):
            call()
    assert basket.totalValue()[2] is False
    basket.removeLiquidity(ETHER, b, 0, owner, sender=owner)


def test_D11_rates_beyond_every_measure_stop_nobody_else(world, basket, a, b, c, governance, owner, trader):
    world.tokens["A"].provider.setRates(2**256 - 1, 2**256 - 1, sender=governance)
    basket.removeLiquidity(ETHER, b, 0, owner, sender=owner)
    with reverts(basket.TokenIsSick, token=a):
        basket.sync(sender=trader)
    swap_in(basket, b, c, ETHER, trader)
    for call in (
        lambda: basket.addLiquidity(b, ETHER, 0, trader, sender=trader),
        lambda: swap_in(basket, a, b, ETHER, trader),
    ):
        with reverts():
            call()


def test_a_token_that_is_sick_for_good_gets_a_wide_spread_and_dilutes_nobody(
    world, basket, a, b, governance, owner, trader
):
    """In full for who adds, nothing for who leaves: neither gains by it, and {removeAll} is as it was."""
    world.mode("A", "Revert")
    with reverts(world.tokens["A"].provider.Sick):
        basket.addLiquidity(b, ETHER, 0, trader, sender=trader)
    wide = governance.deploy(world.project.ScriptedProvider, a)
    wide.setRates(1, A[1], sender=governance)
    world.configure("A", provider=wide, inputOff=True)
    before = worths(world)
    lp = basket.addLiquidity(b, 10 * ETHER, 0, trader, sender=trader).return_value
    basket.removeLiquidity(lp, b, 0, trader, sender=trader)
    assert_no_less(worths(world), before)


def test_with_real_providers_the_reason_is_told(process, project, governance, owner, trader):
    world = World.deploy(project, governance)
    foreign = Foreign(project, governance, world.manager, process)
    cbeth, reth = foreign.cbeth(105 * 10**16), foreign.reth(108 * 10**16)
    basket = world.basket
    for lst in (cbeth, reth):
        basket.addToken(lst.token, config(lst.provider), sender=governance)
        lst.token.mint(owner, 100 * ETHER, sender=owner)
        lst.token.approve(basket, 100 * ETHER, sender=owner)
        basket.addLiquidity(lst.token, 50 * ETHER, 0, owner, sender=owner)
    swap_in(basket, cbeth.token, reth.token, ETHER, owner)
    cbeth.set_rate(116 * 10**16)
    for given_, taken in ((cbeth, reth), (reth, cbeth)):
        with reverts(cbeth.provider.Unhealthy, token=cbeth.token, reason=Health.ROSE):
            swap_in(basket, given_.token, taken.token, ETHER, owner)
    with reverts(cbeth.provider.Unhealthy, token=cbeth.token, reason=Health.ROSE):
        basket.addLiquidity(reth.token, ETHER, 0, owner, sender=owner)
    basket.removeLiquidity(ETHER, reth.token, 0, owner, sender=owner)
    basket.removeAll(ETHER, [0, 0], owner, sender=owner)


# --- slETH ---


@pytest.fixture(scope="module")
def core(project, governance, process, owner):
    core = SmallCore.deploy(project, governance, process.account(1), process)
    core.stake(owner, 60 * ETHER)
    core.tip(process.account(9), 12 * ETHER + 7)
    core.touch()
    return core


@pytest.fixture(scope="module")
def with_core(project, governance, owner, core):
    """10 slETH beside 10 of another token."""
    world = World.deploy(project, governance, core.vault)
    world.list("B", *B)
    world.endow(owner)
    world.basket.addToken(core.token, config(core.vault, exactTransfers=True), sender=governance)
    core.token.approve(world.basket, INFINITE, sender=owner)
    for token in (core.token, world.tokens["B"].token):
        world.basket.addLiquidity(token, 10 * ETHER, 0, owner, sender=owner)
    return world


def test_sleth_is_worth_the_core_rate(core, with_core, owner):
    basket, other = with_core.basket, with_core.tokens["B"].token
    rate = ETHER * core.total // core.supply
    assert core.vault.convertToAssets(ETHER) == rate
    assert (basket.VAULT(), basket.MAX_RATE_AGE()) == (core.vault, MAX_RATE_AGE)
    value = rate - ceil(Fraction(rate * 7, BPS))
    assert swap_in(basket, core.token, other, ETHER, owner).return_value == value * ETHER // B[1]
    value = B[0] - ceil(Fraction(B[0] * 7, BPS))
    assert swap_in(basket, other, core.token, ETHER, owner).return_value == value * ETHER // (rate + 1)
    held = [int(basket.holdingOf(token)[0]) for token in (core.token, other)]
    low = rate * held[0] // ETHER + B[0] * held[1] // ETHER
    high = ceil(Fraction((rate + 1) * held[0], ETHER)) + ceil(Fraction(B[1] * held[1], ETHER))
    assert basket.totalValue() == (low, high, True)


def sick_sleth(core: Any, world: World, reason: Health, owner: Any) -> None:
    """No call prices it, the other token is worth what it was, and leaving is open."""
    basket, other = world.basket, world.tokens["B"].token
    unhealthy = {"token": core.token, "reason": reason}
    for call in (
        lambda: swap_in(basket, core.token, other, ETHER, owner),
        lambda: swap_out(basket, other, core.token, ETHER, owner),
        lambda: basket.addLiquidity(other, ETHER, 0, owner, sender=owner),
        lambda: basket.removeLiquidity(ETHER, core.token, 0, owner, sender=owner),
    ):
        with reverts(world.project.ExchangeRateProvider.Unhealthy, **unhealthy):
            call()
    assert basket.totalValue() == (*(10 * ETHER * each // ETHER for each in B), False)
    basket.removeLiquidity(ETHER, other, 0, owner, sender=owner)
    basket.removeAll(ETHER, [0, 0], owner, sender=owner)


def test_D11_sleth_is_sick_while_a_slashing_is_proven_and_not_counted(core, with_core, governance, owner):
    core.vault.setDepositor(governance, True, sender=governance)
    core.vault.noteSlashing(sender=governance)
    sick_sleth(core, with_core, Health.SLASHING_PENDING, owner)
    core.touch()
    swap_in(with_core.basket, core.token, with_core.tokens["B"].token, ETHER, owner)


def test_D11_sleth_is_sick_without_reports(process, core, with_core, owner):
    basket, other = with_core.basket, with_core.tokens["B"].token
    until = core.vault.referenceTime() + MAX_RATE_AGE
    process.wait_until(until)
    swap_in(basket, core.token, other, 1000, owner)
    swap_in(basket, other, core.token, basket.quoteExactOut(other, core.token, 1000)[0], owner)
    process.wait_until(until + 1)
    with reverts(with_core.project.ExchangeRateProvider.Unhealthy, token=core.token, reason=Health.STALE):
        swap_in(basket, core.token, other, ETHER, owner)
    assert basket.totalValue()[2] is False


def test_sleth_goes_on_at_its_new_rate_when_a_loss_is_reported(core, with_core, owner):
    basket, other = with_core.basket, with_core.tokens["B"].token
    core.earn(ETHER)
    before, _ = basket.quoteExactIn(core.token, other, ETHER)
    core.lose(ETHER)
    now, _ = basket.quoteExactIn(core.token, other, ETHER)
    rate = core.vault.convertToAssets(ETHER)
    assert now == (rate - ceil(Fraction(rate * 7, BPS))) * ETHER // B[1] < before


def test_the_core_tells_the_rate_of_its_own_token_alone(process, core, with_core, governance):
    basket, other = with_core.basket, with_core.tokens["B"].token
    with reverts(basket.ProviderInvalid, provider=core.vault, token=other):
        basket.configureToken(other, config(core.vault), sender=governance)
    process.pass_time(MAX_RATE_AGE + DAY)
    fresh = World.deploy(with_core.project, governance, core.vault).basket
    with reverts(with_core.project.ExchangeRateProvider.Unhealthy, token=core.token, reason=Health.STALE):
        fresh.addToken(core.token, config(core.vault), sender=governance)


# --- Guardian ---


def test_cutting_all_off_stops_all_but_leaving_and_ends_by_itself(
    process, world, basket, a, b, c, governance, owner, trader
):
    tx = basket.cutOff([a, b, c], 14 * DAY, sender=governance)
    until = tx.timestamp + 14 * DAY
    assert tx.events == [basket.TokenCutOffUntil(token=each, until=until) for each in (a, b, c)]
    assert [basket.holdingOf(each)[2] for each in (a, b, c)] == [until] * 3
    for call in (
        lambda: swap_in(basket, a, b, ETHER, trader),
        lambda: swap_out(basket, a, b, ETHER, trader),
        lambda: basket.addLiquidity(a, ETHER, 0, trader, sender=trader),
        lambda: basket.removeLiquidity(ETHER, a, 0, owner, sender=owner),
        lambda: basket.rebalance(b, ETHER, a, b"", sender=governance),
    ):
        with reverts(basket.TokenIsCutOff, token=a, until=until):
            call()
    basket.fund(a, 1, sender=owner)
    basket.removeAll(ETHER, [0, 0, 0], owner, sender=owner)
    process.wait_until(until)
    swap_in(basket, a, b, ETHER, trader)


def test_a_cut_off_stops_one_token_and_ends_by_itself(process, world, basket, a, b, c, governance, owner, trader):
    until = basket.cutOff([a], 14 * DAY, sender=governance).timestamp + 14 * DAY
    for call in (
        lambda: swap_in(basket, a, b, ETHER, trader),
        lambda: swap_in(basket, b, a, ETHER, trader),
        lambda: basket.addLiquidity(b, ETHER, 0, trader, sender=trader),
        lambda: basket.removeLiquidity(ETHER, a, 0, owner, sender=owner),
    ):
        with reverts(basket.TokenIsCutOff, token=a, until=until):
            call()
    assert basket.totalValue()[2] is False
    swap_in(basket, b, c, ETHER, trader)
    basket.removeLiquidity(ETHER, b, 0, owner, sender=owner)
    assert basket.removeAll(ETHER, [0, 0, 0], owner, sender=owner).return_value[0] > 0
    process.wait_until(until)
    swap_in(basket, a, b, ETHER, trader)
    longer = basket.cutOff([a], 9 * DAY, sender=governance).timestamp + 9 * DAY
    basket.cutOff([a, b], DAY, sender=governance)
    assert basket.holdingOf(a)[2] == longer  # a pause ends no cut of a token
    tx = basket.restore([b, a], sender=governance)
    assert tx.events == [basket.TokenCutOffUntil(token=each, until=0) for each in (b, a)]
    swap_in(basket, a, b, ETHER, trader)


def test_no_stop_is_longer_than_a_fortnight(basket, a, governance, stranger):
    with reverts(basket.CutOffTooLong, duration=14 * DAY + 1, maximum=14 * DAY):
        basket.cutOff([a], 14 * DAY + 1, sender=governance)
    for call in (
        lambda: basket.cutOff([a, stranger], 1, sender=governance),
        lambda: basket.restore([a, stranger], sender=governance),
    ):
        with reverts(basket.TokenUnknown, token=stranger):
            call()


# --- Governance ---


def test_a_stranger_governs_nothing(basket, a, b, world, stranger):
    settings_ = world.config_of("A")
    for call in (
        lambda: basket.addToken(b, settings_, sender=stranger),
        lambda: basket.configureToken(a, settings_, sender=stranger),
        lambda: basket.removeToken(a, sender=stranger),
        lambda: basket.releaseIncentive(a, sender=stranger),
        lambda: basket.setLpFee(1, sender=stranger),
        lambda: basket.rebalance(a, 1, b, b"", sender=stranger),
        lambda: basket.cutOff([a], 1, sender=stranger),
        lambda: basket.restore([a], sender=stranger),
    ):
        with reverts(basket.AccessManagedUnauthorized, caller=stranger):
            call()


@pytest.mark.parametrize(
    "fees", [(101, 0), (0, 101), (-1, 1), (101, -101), (-1, 0), (5, -6), (-32768, 32767), (100, -32768)]
)
def test_fees_are_bounded_and_no_token_pays_for_going_round(world, basket, a, governance, fees):
    """Neodyme: fee above 100 %; OtterSec: fee raised to 100 % in front of a swap."""
    changed = world.config_of("A") | {"inFee": fees[0], "outFee": fees[1]}
    with reverts(basket.FeeOutOfBounds, inFee=fees[0], outFee=fees[1]):
        basket.configureToken(a, changed, sender=governance)


@pytest.mark.parametrize("cap", [0, BPS + 1])
def test_a_cap_on_shares_is_a_part(world, basket, a, governance, cap):
    with reverts(basket.ShareCapOutOfBounds, shareCap=cap):
        basket.configureToken(a, world.config_of("A") | {"shareCap": cap}, sender=governance)


@pytest.mark.parametrize("fee", [0, 101])
def test_the_fee_on_liquidity_is_bounded(basket, governance, fee):
    with reverts(basket.LpFeeOutOfBounds, fee=fee):
        basket.setLpFee(fee, sender=governance)


def test_settings_are_told_old_and_new(world, basket, a, governance):
    old = world.config_of("A")
    new = old | {"inFee": 5, "outFee": -5, "cap": 7, "shareCap": 8, "inputOff": True, "exactTransfers": True}
    tx = basket.configureToken(a, new, sender=governance)
    (event,) = tx.events
    provider = str(old["provider"])
    assert (event.event_name, event.token) == ("TokenConfigured", a)
    assert list(event.oldConfig) == [provider, *list(old.values())[1:]]
    assert list(event.config) == [provider, *list(new.values())[1:]]
    assert tuple(basket.configOf(a)) == tuple(new.values())
    tx = basket.setLpFee(9, sender=governance)
    assert tx.events == [basket.LpFeeChanged(oldFee=LP_FEE, fee=9)]
    assert basket.lpFee() == 9


def test_a_provider_must_be_healthy_and_of_its_token(project, world, basket, a, governance, stranger):
    fresh = governance.deploy(project.WeirdLst)
    other = governance.deploy(project.ScriptedProvider, a)
    for account in (other, stranger):
        with reverts(basket.ProviderInvalid, provider=account, token=fresh):
            basket.addToken(fresh, config(account), sender=governance)
    sick = governance.deploy(project.ScriptedProvider, a)
    sick.setMode(1, sender=governance)
    with reverts(sick.Sick):
        basket.configureToken(a, world.config_of("A") | {"provider": sick}, sender=governance)
    # a sick one can be set otherwise, and be replaced
    world.mode("A", "Revert")
    world.configure("A", inputOff=True)
    world.configure("A", provider=other)
    assert basket.configOf(a).provider == other
    with reverts(basket.TokenUnknown, token=fresh):
        basket.configureToken(fresh, config(other), sender=governance)


def test_tokens_are_known_once_and_sixteen_at_most(project, world, basket, a, governance):
    for token in (a, basket):
        with reverts(basket.TokenKnown, token=token):
            basket.addToken(token, world.config_of("A"), sender=governance)
    for i in range(13):
        world.list(f"X{i}", ETHER, ETHER)
    fresh = governance.deploy(project.WeirdLst)
    provider = governance.deploy(project.ScriptedProvider, fresh)
    with reverts(basket.TooManyTokens, maximum=16):
        basket.addToken(fresh, config(provider), sender=governance)
    del world.tokens["X0"]
    for i in range(1, 13):
        del world.tokens[f"X{i}"]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_token_is_wound_down_by_swaps_and_removed_wherever_it_stands(world, basket, governance, owner, trader, which):
    """Neodyme H1 on S: removing from the middle moved the wrong bytes. Totals, indexes and all others stay right."""
    letters = list("ABC")
    gone = world.tokens[letters[which]].token
    rest = [world.tokens[x].token for x in letters if x != letters[which]]
    basket.fund(gone, 5, sender=owner)
    world.configure(letters[which], inputOff=True)
    held = basket.holdingOf(gone)[0]
    with reverts(basket.TokenNotEmpty, token=gone, balance=held, incentive=5):
        basket.removeToken(gone, sender=governance)
    swap_out(basket, rest[0], gone, held, trader)
    with reverts(basket.TokenNotEmpty, token=gone, balance=0, incentive=5):
        basket.removeToken(gone, sender=governance)
    basket.releaseIncentive(gone, sender=governance)
    swap_out(basket, rest[0], gone, 5, trader)
    before = {t: (basket.holdingOf(t), basket.configOf(t)) for t in rest}
    low, high, _ = basket.totalValue()

    tx = basket.removeToken(gone, sender=governance)
    assert tx.events == [basket.TokenRemoved(token=gone)]
    assert set(basket.tokens()) == {t.address for t in rest}
    assert len(basket.tokens()) == 2
    assert {t: (basket.holdingOf(t), basket.configOf(t)) for t in rest} == before
    assert basket.totalValue() == (low, high, True)
    assert tuple(basket.configOf(gone)) == (ZERO, 0, 0, 0, 0, False, False)
    with reverts(basket.TokenUnknown, token=gone):
        basket.removeToken(gone, sender=governance)
    with reverts(basket.TokenUnknown, token=gone):
        swap_in(basket, rest[0], gone, ETHER, trader)
    swap_in(basket, rest[0], rest[1], ETHER, trader)
    assert len(basket.removeAll(ETHER, [0, 0], owner, sender=owner).return_value) == 2
    # and it can come back
    basket.addToken(gone, config(world.tokens[letters[which]].provider), sender=governance)
    swap_in(basket, gone, rest[0], ETHER, trader)


# --- Rebalance ---


@pytest.fixture
def rebalancer(project, world, basket, a, b, governance, trader):
    """A contract with the role, and tokens to bring."""
    contract = governance.deploy(project.BasketIntruder, basket)
    selector = bytes.fromhex(basket.rebalance.encode_input(a, 1, b, b"").hex()[:8])
    world.manager.grantRole(7, contract, 0, sender=governance)
    world.manager.setTargetFunctionRole(basket, [selector], 7, sender=governance)
    b.transfer(contract, 100 * ETHER, sender=trader)
    return contract


def rebalance(contract: Any, basket: Any, taken: Any, amount: int, given: Any, bring: int, who: Any) -> Any:
    contract.setGive(bring, sender=who)
    return contract.run(basket, basket.rebalance.encode_input(taken, amount, given, b""), sender=who)


def test_rebalancing_ends_no_poorer_and_a_wei_less_is_refused(world, basket, a, b, governance, rebalancer):
    due = ceil(Fraction(10 * ETHER * A[1], ETHER))
    least = ceil(Fraction(due * ETHER, B[0]))
    received = (least - 1) * B[0] // ETHER
    with reverts(basket.RebalanceLoses, given=due, received=received):
        rebalance(rebalancer, basket, a, 10 * ETHER, b, least - 1, governance)
    before = worths(world)
    tx = rebalance(rebalancer, basket, a, 10 * ETHER, b, least, governance)
    assert tx.events[-1] == basket.Rebalanced(
        sender=rebalancer, tokenOut=a, amountOut=10 * ETHER, tokenIn=b, amountIn=least
    )
    assert balances(world) == {"A": 90 * ETHER, "B": 100 * ETHER + least, "C": 100 * ETHER}
    assert_no_less(worths(world), before)


@pytest.mark.parametrize("rates", [(B[0] - 10**12, B[1]), (B[0], B[1] + 10**15)])
def test_rebalancing_counts_at_the_worse_of_the_rates_before_and_after(
    world, basket, a, b, governance, rebalancer, rates
):
    """OtterSec: rebalancing on a stale state. B's provider says otherwise once the basket holds more of it."""
    provider = world.tokens["B"].provider
    due = ceil(Fraction(10 * ETHER * A[1], ETHER))
    least = ceil(Fraction(due * ETHER, B[0]))
    provider.setByBalance(basket, *rates, sender=governance)
    if rates[0] < B[0]:
        with reverts(basket.RebalanceLoses, given=due, received=least * rates[0] // ETHER):
            rebalance(rebalancer, basket, a, 10 * ETHER, b, least, governance)
    else:
        rebalance(rebalancer, basket, a, 10 * ETHER, b, least, governance)


def test_rebalancing_refuses(world, basket, a, b, governance, stranger, rebalancer):
    """OtterSec: the destination was not checked."""
    for taken, amount, given_, error in (
        (a, 0, b, {"error": basket.AmountZero}),
        (a, 1, a, {"error": basket.SameToken, "token": a}),
        (a, 1, stranger, {"error": basket.TokenUnknown, "token": stranger}),
        (stranger, 1, b, {"error": basket.TokenUnknown, "token": stranger}),
        (a, 101 * ETHER, b, {"error": basket.BalanceTooLow, "token": a}),
    ):
        with reverts(error.pop("error"), **error):
            rebalance(rebalancer, basket, taken, amount, given_, ETHER, governance)
    for letter, token in (("A", a), ("B", b)):
        world.mode(letter, "Revert")
        with reverts(world.tokens[letter].provider.Sick):
            rebalance(rebalancer, basket, a, ETHER, b, 2 * ETHER, governance)
        world.mode(letter, "Tell")
        world.configure(letter, cap=101)
        if token == b:
            with reverts(basket.CapExceeded, token=b):
                rebalance(rebalancer, basket, a, 10 * ETHER, b, 20 * ETHER, governance)
        world.configure(letter, cap=2**32 - 1)


# --- Hostile tokens ---


@pytest.mark.parametrize(
    ("vice", "moved"), [("FeeOnTransfer", ETHER - 1), ("MovesNothing", 0), ("MovesTwice", 2 * ETHER)]
)
def test_G4_a_token_that_does_not_bring_what_it_says_is_refused(world, basket, a, b, trader, vice, moved):
    world.vice("A", vice)
    wrong = {"token": a, "expected": ETHER, "moved": moved}
    for call in (
        lambda: swap_in(basket, a, b, ETHER, trader),
        lambda: basket.addLiquidity(a, ETHER, 0, trader, sender=trader),
        lambda: basket.fund(a, ETHER, sender=trader),
    ):
        with reverts(basket.TransferAmountWrong, **wrong):
            call()


@pytest.mark.parametrize(("vice", "moved"), [("FeeOnTop", ETHER + 1), ("MovesNothing", 0), ("MovesTwice", 2 * ETHER)])
def test_G4_a_token_that_takes_more_or_less_than_it_says_is_refused(world, basket, a, b, owner, trader, vice, moved):
    world.vice("A", vice)
    with reverts(basket.TransferAmountWrong, token=a, expected=ETHER, moved=moved):
        swap_out(basket, b, a, ETHER, trader)
    with reverts(basket.TransferAmountWrong, token=a):
        basket.removeLiquidity(ETHER, a, 0, owner, sender=owner)


def test_G4_what_governance_takes_for_exact_is_not_measured(world, basket, a, b, trader):
    """So it is for code that is known. Nothing else differs."""
    quoted, _ = basket.quoteExactIn(a, b, ETHER)
    for letter in "AB":
        world.configure(letter, exactTransfers=True)
    held, there = balances(world), a.balanceOf(basket)
    swap_in(basket, a, b, ETHER, trader)
    assert balances(world) == {"A": held["A"] + ETHER, "B": held["B"] - quoted, "C": held["C"]}
    assert (a.balanceOf(basket), b.balanceOf(basket)) == (there + ETHER, held["B"] - quoted)
    world.vice("A", "FeeOnTransfer")
    swap_in(basket, a, b, ETHER, trader)
    assert a.balanceOf(basket) == basket.holdingOf(a)[0] - 1  # what it keeps is what the shares lack
    world.configure("A", exactTransfers=False)
    with reverts(basket.TransferAmountWrong, token=a, expected=ETHER, moved=ETHER - 1):
        swap_in(basket, a, b, ETHER, trader)


@pytest.mark.parametrize("exact", [False, True])
def test_nothing_is_paid_to_the_basket_itself(world, basket, a, b, owner, trader, exact):
    """It would belong to nobody."""
    world.configure("B", exactTransfers=exact)
    for call in (
        lambda: basket.swapExactIn(a, b, ETHER, 0, basket, FOREVER, sender=trader),
        lambda: basket.swapExactOut(a, b, ETHER, 9 * ETHER, basket, FOREVER, sender=trader),
        lambda: basket.removeLiquidity(ETHER, b, 0, basket, sender=owner),
        lambda: basket.removeAll(ETHER, [0, 0, 0], basket, sender=owner),
    ):
        with reverts(basket.ReceiverInvalid, receiver=basket):
            call()
    world.vice("A", "Frozen")
    basket.removeAll(ETHER, [0, 0, 0], owner, sender=owner)
    with reverts(basket.ReceiverInvalid, receiver=basket):
        basket.collect(a, basket, sender=owner)


@pytest.mark.parametrize("exact", [False, True])
def test_G4_a_token_that_returns_false_is_refused_by_name(world, basket, a, b, owner, trader, exact):
    world.configure("A", exactTransfers=exact)
    world.vice("A", "ReturnsFalse")
    for call in (
        lambda: swap_in(basket, a, b, ETHER, trader),
        lambda: swap_in(basket, b, a, ETHER, trader),
        lambda: basket.removeLiquidity(ETHER, a, 0, owner, sender=owner),
    ):
        with reverts(basket.SafeERC20FailedOperation, token=a):
            call()


def test_G4_a_token_that_returns_nothing_is_taken(world, basket, a, b, trader):
    world.vice("A", "ReturnsNothing")
    swap_in(basket, a, b, ETHER, trader)
    swap_in(basket, b, a, ETHER, trader)


@pytest.mark.parametrize("vice", ["ReturnsFalse", "Frozen", "BurnsGas"])
def test_G4_a_token_that_refuses_to_move_locks_nobody_in(world, basket, a, b, c, owner, trader, receiver, vice):
    world.vice("A", vice)
    for call in (
        lambda: swap_in(basket, a, b, ETHER, trader),
        lambda: swap_in(basket, b, a, ETHER, trader),
        lambda: basket.removeLiquidity(ETHER, a, 0, owner, sender=owner),
    ):
        with reverts():
            call()
    held, supply = balances(world), basket.totalSupply()
    tx = basket.removeAll(ETHER, [0, 0, 0], receiver, sender=owner, gas=16_000_000)
    amounts = list(tx.return_value)
    assert amounts == [floor(Fraction(each * ETHER, supply)) for each in held.values()]
    assert basket.Owed(owner=owner, token=a, amount=amounts[0]) in tx.events
    assert (b.balanceOf(receiver), c.balanceOf(receiver), a.balanceOf(receiver)) == (amounts[1], amounts[2], 0)
    assert basket.owed(owner, a) == amounts[0]
    with reverts():
        basket.collect(a, receiver, sender=owner)
    # what is owed is nobody else's
    world.vice("A", "None")
    left = basket.holdingOf(a)[0]
    with reverts(basket.BalanceTooLow, token=a, needed=left + 1, available=left):
        swap_out(basket, b, a, left + 1, trader)
    with reverts(basket.NothingOwed, owner=trader, token=a):
        basket.collect(a, trader, sender=trader)
    tx = basket.collect(a, receiver, sender=owner)
    assert tx.events[0] == basket.Collected(owner=owner, receiver=receiver, token=a, amount=amounts[0])
    assert a.balanceOf(receiver) == amounts[0]
    with reverts(basket.NothingOwed, owner=owner, token=a):
        basket.collect(a, receiver, sender=owner)
    assert a.balanceOf(basket) == basket.holdingOf(a)[0]


def calls(basket: Any, a: Any, b: Any, who: Any) -> list[bytes]:
    """Every function that moves something, and every one that tells a worth."""
    return [
        bytes(each)
        for each in (
            basket.swapExactIn.encode_input(a, b, 1, 0, who, FOREVER),
            basket.swapExactOut.encode_input(a, b, 1, 2**255, who, FOREVER),
            basket.addLiquidity.encode_input(b, ETHER, 0, who),
            basket.removeLiquidity.encode_input(1, b, 0, who),
            basket.removeAll.encode_input(1, [0, 0, 0], who),
            basket.collect.encode_input(a, who),
            basket.fund.encode_input(b, 1),
            basket.sync.encode_input(),
            basket.totalValue.encode_input(),
            basket.quoteExactIn.encode_input(a, b, ETHER),
            basket.quoteExactOut.encode_input(a, b, ETHER),
        )
    ]


def test_H1_H2_nothing_is_entered_or_told_in_the_middle_of_a_move(
    project, world, basket, a, b, governance, owner, trader
):
    intruder = governance.deploy(project.BasketIntruder, basket)
    intruder.setCalls(calls(basket, a, b, intruder), sender=governance)
    basket.transfer(intruder, ETHER, sender=owner)
    outcome = swap_in(basket, a, b, ETHER, trader).return_value
    world.vice("A", "Hook", intruder)
    assert swap_in(basket, a, b, ETHER, trader).return_value == outcome  # as if it were not there
    basket.addLiquidity(a, ETHER, 0, trader, sender=trader)
    swap_in(basket, b, a, ETHER, trader)
    basket.removeLiquidity(ETHER, a, 0, owner, sender=owner)
    basket.removeAll(ETHER, [0, 0, 0], owner, sender=owner)
    basket.fund(a, 1, sender=owner)
    assert intruder.moves() == 12
    assert intruder.entered() == 0
    assert intruder.lastError().hex().removeprefix("0x") == "ab143c06"  # Reentrancy()


def test_H1_H2_nothing_is_entered_while_rebalancing(basket, a, b, governance, rebalancer):
    rebalancer.setCalls(calls(basket, a, b, rebalancer), sender=governance)
    rebalance(rebalancer, basket, a, ETHER, b, 2 * ETHER, governance)
    assert (rebalancer.moves(), rebalancer.entered()) == (1, 0)


def test_H1_a_provider_cannot_enter(world, basket, a, b, governance, trader):
    world.tokens["A"].provider.setReenter(basket, sender=governance)
    swap_in(basket, a, b, ETHER, trader)  # a call in a static call changes nothing: it told its rates all the same


# --- LP token ---


def test_the_share_is_an_erc20_with_permit(basket, owner):
    assert (basket.name(), basket.symbol(), basket.decimals()) == ("Sluice basket", "slBASKET", 18)
    assert basket.nonces(owner) == 0
    assert basket.eip712Domain().name == "Sluice basket"


def test_figures(basket):
    assert (basket.MAX_TOKENS(), basket.MAX_FEE(), basket.MAX_CUT_OFF(), basket.DEAD_SHARES()) == (
        16,
        100,
        14 * DAY,
        DEAD_SHARES,
    )
