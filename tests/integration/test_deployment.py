"""Deployment through the engine, on a real chain."""

from __future__ import annotations

from tests.protocol import Protocol


def test_full_run_leaves_no_difference(protocol: Protocol) -> None:
    result = protocol.result
    assert result.differences == ()
    assert result.sent == len(result.plan.steps)
    assert result.registry.complete


def test_seed_is_staked_for_nobody(protocol: Protocol) -> None:
    seed = protocol.params.vault.seed
    assert protocol.token.totalSupply() == seed == protocol.vault.pooled()
    assert protocol.token.balanceOf(protocol.vault.SEED_HOLDER()) == seed
