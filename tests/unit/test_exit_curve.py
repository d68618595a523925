"""The curve of the instant pool: against exact arithmetic, and against the curves of Marinade and Sanctum.

Figures of the peers are those of the research notes (section 2.3), which come from their programs' formulas.
"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from ape import project
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.model.pool import Curve, marinade_fee, sanctum_fee
from tests.in_process import Process, Reverted
from tests.pooling import FOREVER, Pool, full_pool
from tests.small_core import ETHER, SmallCore
from tools.plot_curve import CHART, draw

ROOT = Path(__file__).resolve().parents[2]
MARINADE = Curve(Fraction(3, 1000), Fraction(3, 100), Fraction(1000 * ETHER))


def pool_of(assets: int, *, rate: bool = False, **terms: int) -> tuple[Pool, Any]:
    """A pool of ``assets`` wei and no slETH, all of it the target, and somebody with slETH for all of it."""
    process = Process()
    governance, seller = process.account(0), process.account(1)
    core = SmallCore.deploy(project, governance, process.account(2), process)
    core.stake(seller, 2 * assets)
    if rate:
        core.tip(process.account(3), min(assets // 7, 10**6 * ETHER) + 3)  # what vests is counted in 80 bits
    pool = Pool.deploy(project, core, process.account(4), **({"treasuryPart": 0, "target": ETHER} | terms))
    pool.contract.addLiquidity(0, 0, process.account(3), FOREVER, sender=process.account(3), value=assets - ETHER)
    core.token.approve(pool.contract, 2**256 - 1, sender=seller)
    return pool, seller


def sold_in_parts(pool: Pool, seller: Any, value: int, parts: int) -> int:
    """Wei got for ``value`` of slETH at a rate of one, in equal parts."""
    return sum(pool.contract.sell(value // parts, 0, seller, FOREVER, sender=seller) for _ in range(parts))


@pytest.mark.parametrize("parts", [1, 2, 10, 100])
def test_I2_splitting_a_sale_gains_nothing(protocol, parts):
    """900 of 1,000 ether at 0.3% to 3%: the fee is 13.274972 ether in one part or in a hundred, a wei a part aside."""
    pool, seller = pool_of(1000 * ETHER, minFee=30, maxFee=300)
    whole = MARINADE.take(1000 * ETHER, 900 * ETHER)
    assert round(Fraction(900 * ETHER - whole, ETHER), 6) == Fraction(13_274_972, 1_000_000)
    assert whole - 2 * parts <= sold_in_parts(pool, seller, 900 * ETHER, parts) <= whole


def test_Marinade_is_what_the_curve_is_in_infinitely_small_sales(protocol):
    """Its fee falls with every split, from 24.570 to 13.516 in 10,000 parts, and never below the integral."""
    split = {}
    for parts in (1, 2, 10, 100):
        left, fee = Fraction(1000 * ETHER), Fraction(0)
        for _ in range(parts):
            paid = marinade_fee(MARINADE, left, Fraction(900 * ETHER, parts))
            fee, left = fee + paid, left - Fraction(900 * ETHER, parts) + paid
        split[parts] = float(fee / ETHER)
    assert [round(each, 3) for each in split.values()] == [24.57, 19.02, 14.612, 13.624]
    pool, seller = pool_of(1000 * ETHER, minFee=30, maxFee=300)
    ours = 900 - pool.contract.sell(900 * ETHER, 0, seller, FOREVER, sender=seller) / ETHER
    assert ours < min(split.values())
    # at a thousandth of an ether the two marginal curves are one
    for assets in (1, 250, 999, 1_000, 5_000):
        small = ETHER // 1000
        theirs = marinade_fee(MARINADE, Fraction(assets * ETHER), Fraction(small)) / small
        cost = MARINADE.cost(assets * ETHER, small) / small - 1
        assert abs(theirs - cost) < Fraction(1, 10**6)


def test_Sanctum_loses_as_much_to_a_split(protocol):
    """0.03% to 3%: 23.694 in one part, 18.001 in two, 13.388 in ten; ours is the same in any."""
    fees = []
    for parts in (1, 2, 10):
        reserves, incoming, fee = Fraction(1000), Fraction(0), Fraction(0)
        for _ in range(parts):
            value = Fraction(900, parts)
            paid = sanctum_fee(Fraction(3, 10_000), Fraction(3, 100), reserves, incoming, value)
            fee, reserves, incoming = fee + paid, reserves - value + paid, incoming + value
        fees.append(round(float(fee), 3))
    assert fees == [23.694, 18.001, 13.388]
    ours = []
    for parts in (1, 2, 10):
        pool, seller = pool_of(1000 * ETHER, minFee=3, maxFee=300)
        ours.append(900 * ETHER - sold_in_parts(pool, seller, 900 * ETHER, parts))
    assert max(ours) - min(ours) <= 20
    assert ours[0] < fees[-1] * ETHER


def test_I2_by_absolute_amounts_lent_ether_buys_the_least_fee():
    """Why our target is one for each token (decision 0024): 99.9 of 100 ether for 1.52, or for 0.05 with some lent."""
    curve = Curve(Fraction(5, 10_000), Fraction(3, 100), Fraction(100))
    assert round(curve.cost(100, Fraction(999, 10)) - Fraction(999, 10), 3) == Fraction(1_522, 1_000)
    lent = 100_000
    paid = curve.cost(100 + lent, lent)  # sold down to where the fee begins to rise
    stay = Fraction(100, 100 + lent)  # the part of those who were there before
    assert round(100 - 100 * stay, 1) == Fraction(999, 10)
    assert round((100 + paid) * stay - 100, 3) == Fraction(5, 100)


@pytest.mark.parametrize(
    ("assets", "surcharge"),
    [(0, 300), (250, 232), (500, 165), (1_000, 30), (1_001, 30), (10**6, 30)],
)
def test_surcharge_falls_from_the_most_to_the_least(protocol, assets, surcharge):
    pool, _ = pool_of(1000 * ETHER, minFee=30, maxFee=300)
    assert pool.contract.surchargeAt(assets * ETHER) // 10**14 == surcharge


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    assets=st.one_of(st.just(2 * ETHER), st.integers(2 * ETHER, 10**7 * ETHER)),
    portions=st.lists(st.integers(1, 2**16), min_size=1, max_size=6),
    least=st.integers(1, 200),
    more=st.integers(0, 800),
    target=st.integers(ETHER // 100, 3 * ETHER),
    odd=st.booleans(),
)
def test_A5_any_sale_is_the_exact_one(protocol, assets, portions, least, more, target, odd):
    """At any size, any terms and any rate; the last wei of ether can be bought, and not one more."""
    pool, seller = pool_of(assets, rate=odd, minFee=least, maxFee=least + more, target=target)
    held = pool.core.token.balanceOf(seller)
    for portion in portions:
        shares = held * portion // 2**16 // 6
        if shares == 0:
            continue
        value, before = pool.core.worth(shares), pool.assets
        if value > pool.curve.cost(before, before):
            break
        exact = pool.curve.take(before, value)
        if exact == 0:
            continue
        got = pool.contract.sell(shares, 0, seller, FOREVER, sender=seller)
        assert got == exact
        exact_surcharge = pool.curve.surcharge(pool.assets) * ETHER
        assert exact_surcharge <= pool.contract.surchargeAt(pool.assets) < exact_surcharge + 1
    left = pool.assets
    shares = pool.contract.quoteSellFor(left)
    if shares <= pool.core.token.balanceOf(seller):
        assert pool.contract.sellFor(left, shares, seller, FOREVER, sender=seller) == shares
        assert pool.assets == 0
        with pytest.raises(Reverted):
            pool.contract.sellFor(1, 2**255, seller, FOREVER, sender=seller)


def test_exact_in_and_exact_out_agree(protocol):
    """Example by hand: 0.3% to 3%, target 1,000, from 800 down to 500 ether.

    The surcharge is 0.84% at 800 and 1.65% at 500, 1.245% on average: 300 ether cost 303.735.
    """
    pool, seller = pool_of(1000 * ETHER, minFee=30, maxFee=300)
    pool.contract.sellFor(200 * ETHER, 2**255, seller, FOREVER, sender=seller)
    assert pool.contract.surchargeAt(800 * ETHER) == 84 * 10**14
    assert pool.contract.surchargeAt(500 * ETHER) == 165 * 10**14
    assert pool.contract.quoteSellFor(300 * ETHER) == 303_735 * 10**15
    assert pool.contract.quoteSell(303_735 * 10**15) == (300 * ETHER, 3_735 * 10**15)


def test_chart_of_the_page_is_the_contract_s(tmp_path):
    draw(tmp_path / "curve.svg")
    assert (tmp_path / "curve.svg").read_bytes() == CHART.read_bytes(), "draw it again: make curve"


def test_page_has_what_the_contract_says():
    """docs/liquidity.md: ether, fee, fee per cent, surcharge per cent."""
    page = (ROOT / "docs" / "liquidity.md").read_text()
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", page, flags=re.MULTILINE)
    assert len(rows) == 6
    pool = full_pool()
    for out, fee, part, last in rows:
        assets = int(out) * ETHER
        worth = pool.core.worth(pool.contract.quoteSellFor(assets))
        surcharge = pool.contract.surchargeAt(pool.assets - assets)
        assert fee == f"{(worth - assets) / ETHER:.6f}"
        assert part == f"{100 * (worth - assets) / worth:.4f}"
        assert last == f"{surcharge / 10**16:.4f}"
