"""The real markets beside the deployed protocol. They change the core, so they last for one module alone."""

from __future__ import annotations

import pytest

from tests.markets.world import Markets, deploy_markets
from tests.protocol import Protocol


@pytest.fixture(scope="module")
def markets(protocol: Protocol) -> Markets:
    return deploy_markets(protocol)
