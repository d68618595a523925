"""Random lives of the protocol beside the exact model: through the node as users see it, in process for length."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.backends import NodeBackend, ProcessBackend, in_process
from tests.pair import Site
from tests.protocol import Protocol
from tests.site import prepare_site
from tests.stateful.machine import ProtocolMachine

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"


def depth(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


@pytest.fixture
def prepared(protocol: Protocol) -> tuple[Site, NodeBackend]:
    return prepare_site(protocol)


def test_everybody_does_anything_through_the_node(prepared: tuple[Site, NodeBackend]) -> None:
    node = prepared[1]

    class ThroughTheNode(ProtocolMachine):
        site = prepared[0]

        def connect(self) -> NodeBackend:
            self.mark = node.mark()
            return node

        def teardown(self) -> None:
            node.back_to(self.mark)

    run_state_machine_as_test(ThroughTheNode, settings=depth(60, 60) if DEEP else depth(4, 25))


def test_everybody_does_anything_in_process(prepared: tuple[Site, NodeBackend]) -> None:
    copy = in_process(prepared[1])

    class InProcess(ProtocolMachine):
        site = prepared[0]

        def connect(self) -> ProcessBackend:
            return copy()

    run_state_machine_as_test(InProcess, settings=depth(1_000, 100) if DEEP else depth(35, 50))
