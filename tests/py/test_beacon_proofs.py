"""Branches for `BeaconProofs`: every one of them against remerkleable, siblings left out filled in again."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from sluice.beacon import proofs
from sluice.beacon.proofs import ProofError, StateLayout, full_branch, layout, verify
from sluice.beacon.spec import FORKS, MAINNET, MINIMAL
from sluice.units import Slot
from tests import beacon_types
from tests.beacon import PERIOD, PROOFS, historical_proof, rendered, tree_at, world

STATES = [(fork, slot) for fork in FORKS for slot in world(fork).slots]
VALIDATORS, BALANCES, PENDING, BLOCKS, SUMMARIES = 64 + 11, 64 + 12, 64 + 34, 64 + 5, 64 + 27
"""Generalized indices, by hand: 64 leaves, and the number of the field."""


@cache
def independent(fork: str, slot: int) -> Any:
    return beacon_types.state_type(fork, "minimal").decode_bytes(world(fork).data[slot])


def in_list(field: int, depth: int, index: int) -> int:
    """The generalized index of an element: the list's content is the left of two, beside its length."""
    return (field << 1 << depth) + index


@pytest.mark.parametrize(("fork", "slot"), STATES)
def test_validators_are_proven_by_the_branches_of_remerkleable(fork, slot):
    tree, state = tree_at(fork, slot), independent(fork, slot)
    for index in range(71):
        proof = proofs.validator_proof(tree, index)
        leaf, expected = beacon_types.branch(state, in_list(VALIDATORS, 40, index))
        assert proof.record.root() == leaf
        assert len(proof.branch) == 7 + 1 + 6
        assert full_branch(proof.branch, 0, 71, 40) == expected
        assert verify(leaf, in_list(VALIDATORS, 40, index), expected, tree.root)


@pytest.mark.parametrize(("fork", "slot"), STATES)
def test_balances_are_proven_by_the_branches_of_remerkleable(fork, slot):
    tree, state = tree_at(fork, slot), independent(fork, slot)
    for index in range(71):
        proof = proofs.balance_proof(tree, index)
        leaf, expected = beacon_types.branch(state, in_list(BALANCES, 38, index // 4))
        assert proof.balances == leaf
        assert proof.balance == int(state.balances[index])
        assert len(proof.branch) == 5 + 1 + 6
        assert full_branch(proof.branch, 0, 18, 38) == expected


@pytest.mark.parametrize(("fork", "slot"), STATES)
def test_pending_deposits_are_proven_by_the_branches_of_remerkleable(fork, slot):
    tree, state = tree_at(fork, slot), independent(fork, slot)
    for index in range(3):
        proof = proofs.pending_deposit_proof(tree, index)
        leaf, expected = beacon_types.branch(state, in_list(PENDING, 27, index))
        assert proof.deposit.root() == leaf
        assert full_branch(proof.branch, 0, 3, 27) == expected


@pytest.mark.parametrize(("fork", "slot"), STATES)
def test_counts_are_proven_by_the_branches_of_remerkleable(fork, slot):
    tree, state = tree_at(fork, slot), independent(fork, slot)
    for proof, field in (
        (proofs.validator_count_proof(tree), VALIDATORS),
        (proofs.pending_deposit_count_proof(tree), PENDING),
    ):
        leaf, expected = beacon_types.branch(state, (field << 1) | 1)
        assert leaf == proof.count.to_bytes(32, "little")
        assert proof.branch == expected


@pytest.mark.parametrize(("fork", "slot"), STATES)
def test_every_slot_of_the_last_period_is_proven_by_block_roots(fork, slot):
    tree, chain, state = tree_at(fork, slot), world(fork), independent(fork, slot)
    for asked in range(slot - PERIOD, slot):
        proof = proofs.block_proof(tree, Slot(asked), chain.newest(asked))
        leaf, expected = beacon_types.branch(state, (BLOCKS << 6) + asked % PERIOD)
        assert (proof.block.root(), proof.branch) == (leaf, expected)


@pytest.mark.parametrize("fork", FORKS)
def test_every_slot_of_older_periods_is_proven_by_summaries(fork):
    slot, chain = world(fork).slots[0], world(fork)
    state = independent(fork, slot)
    for asked in range(5 * PERIOD):
        proof = historical_proof(fork, slot, asked)
        element, above = beacon_types.branch(state, in_list(SUMMARIES, 24, asked // PERIOD))
        # the five summaries need three steps; below them are six of block roots and one of the summary's two fields
        full = full_branch(proof.branch, 7, 5, 24)
        assert full[7:] == above
        path = asked % PERIOD
        assert verify(chain.newest(asked).root(), (1 << 7) | path, full[:7], element)


def test_what_a_state_does_not_know_is_not_proven():
    tree, chain = tree_at("fulu", 334), world("fulu")
    with pytest.raises(ProofError, match="has no block root of slot 334"):
        proofs.block_proof(tree, Slot(334), chain.headers[334])
    with pytest.raises(ProofError, match="has no block root of slot 269"):
        proofs.block_proof(tree, Slot(269), chain.newest(269))
    with pytest.raises(ProofError, match="is not the newest at or before slot 300"):
        proofs.block_proof(tree, Slot(300), chain.headers[299])
    with pytest.raises(ProofError, match="period 5; the state has summaries of 5"):
        proofs.historical_block_proof(
            tree, Slot(320), chain.newest(320), chain.period_roots(256), first_summary_slot=Slot(0)
        )
    with pytest.raises(ProofError, match="not the block roots of period 1"):
        proofs.historical_block_proof(
            tree, Slot(70), chain.newest(70), chain.period_roots(0), first_summary_slot=Slot(0)
        )
    with pytest.raises(ProofError, match="63 block roots in place of 64"):
        proofs.historical_block_proof(
            tree, Slot(70), chain.newest(70), chain.period_roots(70)[1:], first_summary_slot=Slot(0)
        )
    for index in (-1, 71):
        with pytest.raises(ProofError, match=f"balance {index} of 71"):
            proofs.balance_proof(tree, index)


def test_roots_of_a_period_need_the_block_before_it_where_its_first_slot_was_missed():
    assert proofs.period_roots({4: b"a", 6: b"b"}, Slot(4), 4) == [b"a", b"a", b"b", b"b"]
    assert proofs.period_roots({6: b"b"}, Slot(5), 2, before=b"z") == [b"z", b"b"]
    with pytest.raises(ProofError, match="no block is known at or before slot 5"):
        proofs.period_roots({6: b"b"}, Slot(5), 2)


@pytest.mark.parametrize("preset", [MAINNET, MINIMAL])
@pytest.mark.parametrize("fork", FORKS)
def test_layouts_of_electra_and_fulu_are_the_same_in_both_presets(fork, preset):
    expected = StateLayout(Slot(7), 75, 40, 76, 38, 98, 27, 91, 24, 69)
    assert layout(fork, preset, Slot(7)) == expected


def test_layouts_are_those_of_remerkleables_tree():
    for fork in FORKS:
        names = list(beacon_types.state_type(fork, "mainnet").fields())
        assert 32 < len(names) <= 64
        given = layout(fork, MAINNET, Slot(0))
        for name in ("validators", "balances", "pending_deposits", "historical_summaries", "block_roots"):
            assert getattr(given, name) == 64 + names.index(name)


def test_vectors_of_forge_are_up_to_date():
    assert PROOFS.read_text() == rendered(), "run: python -m tests.beacon"
