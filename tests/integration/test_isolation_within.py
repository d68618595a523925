"""With test_isolation_wide.py: fixtures of one name and two scopes."""

import pytest


@pytest.fixture
def payment(accounts):
    accounts[0].transfer(accounts[9], 3)
    return 3


@pytest.mark.parametrize("turn", range(3))
def test_what_a_fixture_of_function_scope_did_is_undone(payment, accounts, turn):
    assert accounts[9].balance % 1000 == payment
