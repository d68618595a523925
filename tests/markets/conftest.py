"""The real markets beside the deployed protocol, once a session; ape's isolation takes every test back to them."""

from __future__ import annotations

import pytest

from tests.markets.world import Markets, deploy_markets
from tests.protocol import Protocol


@pytest.fixture(scope="session")
def markets(protocol: Protocol) -> Markets:
    return deploy_markets(protocol)
