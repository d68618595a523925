"""The demo begins: both halves, everything deployed, a first report and the keeper's first chores."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.demo.live import Live, open_live
from sluice.deploy.params import load_params
from tests.devnet.protocol import ROOT, artifacts

pytestmark = pytest.mark.anvil  # the demo runs on it


def test_first_day_of_the_demo(tmp_path: Path) -> None:
    said: list[str] = []
    params = load_params(ROOT / "deployments" / "params" / "local.yaml")
    with open_live(params, artifacts(), tmp_path, ROOT / "node_modules") as (live, result):
        live.site.tell = lambda moment: said.append(moment.text)
        days = live.play()
        assert next(days) == 1
        live.site.books.check()
        assert staked(live, "ada") == 2_017 * 10**9, "in parts of 32, as far as cap and bond allow"
        assert 32 * 10**9 <= staked(live, "bert") < 128 * 10**9
        assert [sample.day for sample in live.samples] == [0, 1]
        assert live.worth("small") == pytest.approx(5 * 10**17, abs=2)
        assert len(result.plan.steps) > 20
    assert said[-2:] == ["keeper: prove", "keeper: topped up"]


def staked(live: Live, operator: str) -> int:
    """Gwei."""
    return int(live.pool.view("ValidatorManager", "stakeOf(uint256)", live.site.operators[operator])[0])
