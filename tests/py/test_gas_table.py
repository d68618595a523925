"""The judge of the gas figures can say no."""

from tests.gas.table import ROWS, complaints, render

AT_BOUND = {row.operation: row.bound for row in ROWS}


def test_figures_at_the_bound_and_as_committed_pass() -> None:
    assert complaints(AT_BOUND, AT_BOUND) == []


def test_one_gas_above_a_bound_fails() -> None:
    worse = AT_BOUND | {"stake, first": AT_BOUND["stake, first"] + 1}
    assert complaints(worse, worse) == ["stake, first: 64,001 is above the bound of 64,000"]


def test_a_figure_two_percent_worse_than_committed_fails_within_the_bound() -> None:
    known = AT_BOUND | {"claim with hint": 50_000}
    found = complaints(AT_BOUND | {"claim with hint": 51_000}, known)
    assert len(found) == 1
    assert "2.0% above the committed 50,000" in found[0]


def test_a_figure_within_one_percent_passes() -> None:
    assert complaints(AT_BOUND | {"claim with hint": 50_500}, AT_BOUND | {"claim with hint": 50_000}) == []


def test_what_was_not_measured_or_not_committed_fails() -> None:
    figures = {name: gas for name, gas in AT_BOUND.items() if name != "wrap rslETH"}
    assert complaints(figures, AT_BOUND) == ["wrap rslETH: not measured"]
    found = complaints(AT_BOUND, figures)
    assert len(found) == 1
    assert "no figure" in found[0]


def test_the_table_shows_every_row_with_its_peers() -> None:
    text = render(AT_BOUND, AT_BOUND)
    assert all(row.operation in text for row in ROWS)
    assert "Lido 163,183,896 (6.53x)" in text
