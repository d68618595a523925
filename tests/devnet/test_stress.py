"""The bank run to its end, on both halves and in real markets. The story itself compares every payment with its due."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.demo.stress import RUN, STAKES, open_stress
from sluice.deploy.params import load_params
from tests.devnet.protocol import ROOT, artifacts

pytestmark = pytest.mark.deep  # minutes


@pytest.mark.parametrize("slashing", [False, True])
def test_H4_forty_per_cent_leave_within_a_week(tmp_path: Path, slashing: bool) -> None:
    params = load_params(ROOT / "deployments" / "params" / "local.yaml")
    with open_stress(params, artifacts(), tmp_path, ROOT / "node_modules", slashing=slashing) as (stress, _):
        for _ in stress.play():
            pass
        people = stress.market.people
        run = [day for day in stress.days if stress.began < day.day <= stress.began + RUN]
        routes = {route for name in STAKES for route in people[name].routes}
        assert routes == {"queue", "pool", "uniswap"}, "each way was the best for somebody"
        left = sum(sum(people[name].routes.values()) for name in STAKES)
        assert left > 2_300 * 10**18
        assert max(days for _, days in stress.waited) < 14
        assert min(day.peg for day in run) > 0.95
        assert all(day.health > 1 for day in run)
        closed = [day for day in run if day.surcharge is None]
        assert len(closed) == (1 if slashing else 0), "from the proof of a slashing to the report after it"
        assert (stress.bond_paid > 0) == slashing
        # a provider of the instant pool ends better than a holder, who bears the same loss
        assert stress.days[-1].provider > stress.days[-1].holder
        assert int(stress.market.view("InstantPool", "balanceOf(address)", people["lena"].address)) == 0
