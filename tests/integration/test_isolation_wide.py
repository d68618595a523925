"""With test_isolation_within.py: fixtures of one name and two scopes."""

import pytest


@pytest.fixture(scope="module")
def payment(accounts):
    accounts[0].transfer(accounts[9], 5)
    return 5


@pytest.mark.parametrize("turn", range(2))
def test_a_fixture_of_module_scope_acts_once(payment, accounts, turn):
    assert accounts[9].balance % 1000 == payment
    accounts[0].transfer(accounts[9], 7)
