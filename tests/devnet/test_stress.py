"""The bank run to its end, on both halves and in real markets. The story itself compares every payment with its due."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.demo.stress import RUN, STAKES, Stress, open_stress
from sluice.deploy.params import load_params
from tests.devnet.protocol import ROOT, artifacts

pytestmark = pytest.mark.deep  # minutes
ROUNDING = 1e-14
"""Of a health: Aave counts it, and the price of slETH, in 18 decimals."""


@pytest.mark.parametrize("slashing", [False, True])
def test_H4_forty_per_cent_leave_within_a_week(tmp_path: Path, slashing: bool) -> None:
    params = load_params(ROOT / "deployments" / "params" / "local.yaml")
    with open_stress(params, artifacts(), tmp_path, ROOT / "node_modules", slashing=slashing) as (stress, _):
        for _ in stress.play():
            pass
        people = stress.market.people
        run = stress.run[:RUN]
        routes = {route for name in STAKES for route in people[name].routes}
        assert routes == {"queue", "pool", "uniswap"}, "each way was the best for somebody"
        left = sum(sum(people[name].routes.values()) for name in STAKES)
        assert left > 2_300 * 10**18
        assert max(days for _, days in stress.waited) < 14
        assert 0.95 < min(day.low for day in run) < min(day.peg for day in run), "sales push, arbitrage restores"
        closed = [day for day in run if day.surcharge is None]
        assert len(closed) == (1 if slashing else 0), "from the proof of a slashing to the report after it"
        assert (stress.bond_paid > 0) == slashing
        health_of_the_borrower_follows_the_rate(stress)
        providers_and_the_rest_are_out(stress)


def health_of_the_borrower_follows_the_rate(stress: Stress) -> None:
    """Each report moved it as much as the rate, interest of its blocks aside; and so did the whole run."""
    assert len(stress.reports) > RUN
    for report in stress.reports:
        assert float(report.after.health) == pytest.approx(float(report.due), rel=ROUNDING)
    fallen = [report for report in stress.reports if report.after.rate < report.before.rate]
    assert bool(fallen) == stress.slashing, "a real report of a slashing lowers the rate"
    assert all(report.after.health < report.before.health for report in fallen)
    first, last = (
        next(day for day in stress.days if day.day == number) for number in (stress.began, stress.began + RUN)
    )
    due = first.health * last.rate / first.rate * first.debt / last.debt
    assert last.health == pytest.approx(due, rel=ROUNDING)
    if not stress.slashing:
        assert last.health > first.health, "the rate rises faster than interest"


def providers_and_the_rest_are_out(stress: Stress) -> None:
    people, market = stress.market.people, stress.market
    # a provider of the instant pool ends better than a holder, who bears the same loss
    assert stress.run[-1].provider > stress.run[-1].holder
    assert int(market.view("InstantPool", "balanceOf(address)", people["lena"].address)) == 0
    uma = stress.uniswap
    assert uma is not None
    assert uma.held < uma.ended < uma.held + uma.fees, "traders took from her range less than their fees"
    aave, markets = market.markets.aave, market.markets
    assert aave.health(people["olga"].address).collateral == aave.health(people["olga"].address).debt == 0
    assert market.worth(market.shares(people["olga"])) + market.weth(people["olga"]) > 99 * 10**18, "of her 100"
    assert market.weth(people["lars"]) > people["lars"].invested
    assert aave.supplied(markets.weth, people["lars"].address) == 0
