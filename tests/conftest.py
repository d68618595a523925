"""The protocol is deployed once a session, through the real engine; ape's isolation takes every test back to it.

ape is imported where it is needed: the tests in `py/` run without it and start no node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.protocol import Protocol


def pytest_configure(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("ape_test"):
        from tests.isolation import repair
        from tests.speed import remember_settings

        repair()
        remember_settings()


@pytest.fixture(scope="session")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> Protocol:
    """Request it in every test on the chain, or through a fixture of session scope: isolation keeps what is early."""
    from tests.protocol import deploy_protocol

    return deploy_protocol(tmp_path_factory.mktemp("deployment") / "local.json")
