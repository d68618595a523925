"""What the bank run shows of a result: the command's tables and the chart, without a devnet."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from scripts.stress import show
from sluice.demo.market import Person
from sluice.demo.stress import STAKES, Day, Provided, Stress
from sluice.demo.stress_chart import draw

ETHER = 10**18
BEGAN = 12


class MadeMarket:
    """Ten ether by each way for each; the arbitrageur has made half an ether of 300."""

    def __init__(self) -> None:
        self.people = {name: Person(name, cast("Any", None), cast("Any", None), got=30 * ETHER) for name in STAKES}
        for person in self.people.values():
            person.routes.update(pool=10 * ETHER, uniswap=10 * ETHER, queue=10 * ETHER)
        self.people["arno"] = Person("arno", cast("Any", None), cast("Any", None), invested=300 * ETHER)

    def earned_by_arbitrage(self, _: Person) -> int:
        return ETHER // 2


def day(number: int) -> Day:
    """On the third of the run the pool is closed; the borrower has repaid on the ninth."""
    since = number - BEGAN
    return Day(
        day=number,
        peg=0.9991,
        low=0.9972 if since == 3 else 0.9985,
        surcharge=None if since == 3 else 0.0171,
        oldest=float(max(0, since - 2)),
        waiting=100 * ETHER,
        buffer=6 * ETHER,
        outside=5_000 * ETHER,
        provider=1 + since / 1_000,
        holder=1 + since / 2_000,
        rate=ETHER,
        health=0.0 if since >= 9 else 1.41 + since / 100,
        debt=0 if since >= 9 else 119 * ETHER,
    )


@pytest.fixture
def stress() -> Stress:
    made = Stress(cast("Any", SimpleNamespace(day=24)), cast("Any", MadeMarket()), slashing=True)
    made.days = [day(number) for number in range(1, 25)]
    made.began, made.left = BEGAN, 22
    made.waited = [("ben", 4.0), ("ben", 6.04), ("arno", 9.0)]
    made.uniswap = Provided(ended=402 * ETHER, held=400 * ETHER, fees=ETHER // 4)
    made.result = {"sales": 12, "fees": 2 * ETHER, "farmed": 3 * ETHER, "interest": ETHER // 10}
    return made


def test_command_tells_what_the_result_says(stress: Stress) -> None:
    console = Console(file=io.StringIO(), width=200)
    show(stress, console)
    said = " ".join(cast("io.StringIO", console.file).getvalue().split())
    assert "ben │ 10.0 │ 10.0 │ 10.0 │ 30.000 │ 6.0" in said
    assert "Uniswap's price fell to 0.9972 of the rate, was 0.9991 or more after the day's arbitrage" in said
    assert "the instant pool's fee rose to 1.71%, and it sold nothing on 1 days" in said
    assert (
        "waited up to 8.0 days; health of the borrower 1.4100 before the run, at worst 1.4200, 1.4800 at best" in said
    )
    assert (
        "is worth +1.000% after it, slETH +0.500%; 2.000 ether of fees on 12 sales, 3.000 wrapped ether farmed" in said
    )
    assert "ends with 402.0000 ether, 0.2500 of it fees; had she held what she put in, with 400.0000: +0.500%" in said
    assert "the lender on Aave earned 0.1000 ether" in said
    assert "the arbitrageur made 0.500 ether of 300" in said


def test_chart_is_drawn_of_both_scenarios(stress: Stress, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    paths = draw({"calm": stress, "slashing": stress}, tmp_path / "new")
    assert [path.name for path in paths] == ["stress.png", "stress.svg"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    drawn = paths[1].read_text(encoding="utf-8")
    assert ET.fromstring(drawn).tag.endswith("svg")  # noqa: S314 - our own
    for label in ("at worst, calm", "after the arbitrageur, slashing", "open requests, calm", "slETH, slashing"):
        assert f"<!-- {label} -->" in drawn
