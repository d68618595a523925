"""The protocol is deployed once a session, through the real engine; ape's isolation takes every test back to it."""

from __future__ import annotations

import pytest

from tests.protocol import Protocol, deploy_protocol


@pytest.fixture(scope="session")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> Protocol:
    """Request it in every test on the chain, or through a fixture of session scope: isolation keeps what is early."""
    return deploy_protocol(tmp_path_factory.mktemp("deployment") / "local.json")
