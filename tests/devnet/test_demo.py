"""The demo begins: both halves, everything deployed, a first report, the keeper's first chores, the first trades."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.demo.live import Live, open_live
from sluice.demo.site import RICH
from sluice.deploy.params import load_params
from sluice.units import ether
from tests.devnet.protocol import ROOT, artifacts

pytestmark = pytest.mark.anvil  # the demo runs on it
DUST = 10**6
"""Wei that rounding of a few swaps and views may come to."""


def test_first_days_of_the_demo(tmp_path: Path) -> None:
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
        # what 'nina' does on days 4 and 9; and tips, as the first rewards of validators come later
        live.holders.sell_on_uniswap(ether(25))
        live.holders.leave_at_once(ether(40))
        devnet = live.pool.devnet
        devnet.transact(devnet.accounts[RICH], live.pool.addresses["RewardsVault"], b"", ether(5), 100_000)
        assert next(days) == 2
        parts_are_the_whole(live)


def parts_are_the_whole(live: Live) -> None:
    """Of each, what there is more than at the beginning is what the sources brought, each computed by itself."""
    found = {each.name: each for each in live.holders.earned()}
    lena, uma, lars, olga, arno = (found[name] for name in ("lena", "uma", "lars", "olga", "arno"))
    for each in (lena, uma, olga, arno):
        assert each.gain == pytest.approx(each.explained, abs=DUST), each
    # Aave pays lenders simple interest and has borrowers owe compound interest
    assert lars.gain == pytest.approx(lars.explained, rel=0.01)
    assert min(lena.staking, uma.staking, olga.staking) > ether("0.001")
    assert min(lena.fees, uma.fees, lena.farm, lars.gain, arno.gain) > ether("0.0005")
    assert max(lena.loss, uma.loss, olga.interest) < -(10**12)


def staked(live: Live, operator: str) -> int:
    """Gwei."""
    return int(live.pool.view("ValidatorManager", "stakeOf(uint256)", live.site.operators[operator])[0])
