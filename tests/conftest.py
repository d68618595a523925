"""The protocol is deployed once a session, through the real engine; ape's isolation takes every test back to it.

ape is imported where it is needed: the tests in `py/` run without it and start no node.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.protocol import Protocol


# the quick run draws the same examples every time; `make test-deep` draws new ones
settings.register_profile("quick", derandomize=True, deadline=None)
settings.register_profile("deep", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_configure(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("ape_test"):
        from tests import speed
        from tests.isolation import repair

        repair()
        speed.remember_settings()
        speed.remember_contracts()
        speed.remember_mining()
        speed.ask_no_environment()


FIRST = ("test_model_agreement.py", "test_gas.py")
"""The one reads all of the chain, which grows from test to test; the other is one long test."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: FIRST.index(item.path.name) if item.path.name in FIRST else len(FIRST))


@pytest.fixture(scope="session")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> Protocol:
    """Request it in every test on the chain, or through a fixture of session scope: isolation keeps what is early."""
    import ape

    from tests.protocol import deploy_protocol

    deployed = deploy_protocol(tmp_path_factory.mktemp("deployment") / "local.json")
    # on a fast machine a first request would else be made in the second of the deployment, which counts as a report's
    ape.chain.mine(deltatime=60)
    return deployed
