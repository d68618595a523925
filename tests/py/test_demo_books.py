"""The books of the demo can say that something is wrong."""

import pytest

from sluice.demo.books import Check, ConservationError, require, yearly_yield
from sluice.units import SECONDS_PER_YEAR, Timestamp

YEAR = SECONDS_PER_YEAR
ETHER = 10**18


def test_equal_figures_pass() -> None:
    require([Check("a", 1, 1), Check("b", 0, 0)])


def test_one_wei_too_few_is_an_error_that_names_it() -> None:
    with pytest.raises(ConservationError, match="b: 999 instead of 1,000"):
        require([Check("a", 1, 1), Check("b", 999, 1_000)])


def test_yield_of_one_stake_held_for_a_year() -> None:
    flows = [(Timestamp(0), -100 * ETHER), (Timestamp(YEAR), 103 * ETHER)]
    assert yearly_yield(flows) == pytest.approx(0.03, abs=1e-9)


def test_yield_weighs_money_by_time() -> None:
    """Ten percent on 100 for a year, and nothing on 100 that came a moment before the end."""
    flows = [(Timestamp(0), -100 * ETHER), (Timestamp(YEAR - 1), -100 * ETHER), (Timestamp(YEAR), 210 * ETHER)]
    assert yearly_yield(flows) == pytest.approx(0.1, abs=1e-6)


def test_yield_of_a_loss_is_below_zero() -> None:
    flows = [(Timestamp(0), -100 * ETHER), (Timestamp(YEAR // 2), 98 * ETHER)]
    assert yearly_yield(flows) == pytest.approx(0.98**2 - 1, abs=1e-9)


def test_no_yield_without_a_flow_in_both_directions() -> None:
    assert yearly_yield([]) is None
    assert yearly_yield([(Timestamp(0), -ETHER), (Timestamp(YEAR), 0)]) is None
    assert yearly_yield([(Timestamp(5), -ETHER), (Timestamp(5), ETHER)]) is None
