"""Crossing units never loses anything unsaid."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice import units
from sluice.units import InexactConversionError, Shares, Wei


@pytest.mark.parametrize(
    ("amount", "wei"), [(1, 10**18), ("0.1", 10**17), (Decimal("1e-18"), 1), ("100000", 10**23), (0, 0)]
)
def test_ether_is_exact(amount, wei):
    assert units.ether(amount) == wei


def test_ether_refuses_less_than_a_wei():
    with pytest.raises(InexactConversionError, match="1E-19 ether"):
        units.ether(Decimal("1e-19"))


def test_wei_to_gwei_exact_refuses_a_rest():
    assert units.wei_to_gwei_exact(Wei(7 * 10**9)) == 7
    with pytest.raises(InexactConversionError, match="7000000001 wei"):
        units.wei_to_gwei_exact(Wei(7 * 10**9 + 1))


@given(st.integers(0, 2**96))
def test_gwei_down_loses_less_than_one_gwei(amount):
    back = units.gwei_to_wei(units.wei_to_gwei_down(Wei(amount)))
    assert 0 <= amount - back < 10**9
    assert units.whole_gwei_down(Shares(amount)) == back


@given(st.integers(0, 2**128), st.integers(1, 2**64))
def test_ceil_div_is_the_smallest_sufficient(numerator, denominator):
    result = units.ceil_div(numerator, denominator)
    assert (result - 1) * denominator < numerator <= result * denominator
