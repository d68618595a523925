"""The Merkle-sum tree over balances."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.oracle.balances import EMPTY, Leaf, Node, balances_root, prove, verify

BALANCES = st.lists(st.integers(0, 2**50), max_size=40)


def leaves_of(balances):
    return [Leaf(2 * n, bytes([n]) * 48, balance) for n, balance in enumerate(balances)]


def test_root_of_two_leaves_by_hand():
    leaves = leaves_of([5, 7])
    hashes = [
        sha256(b"\0" + leaf.index.to_bytes(8, "big") + leaf.pubkey + leaf.balance.to_bytes(8, "big")).digest()
        for leaf in leaves
    ]
    top = sha256(b"\1" + hashes[0] + (5).to_bytes(8, "big") + hashes[1] + (7).to_bytes(8, "big")).digest()
    assert balances_root(leaves) == sha256(b"\2" + (2).to_bytes(8, "big") + top + (12).to_bytes(8, "big")).digest()


@given(BALANCES)
def test_every_leaf_can_be_proven_and_only_at_its_place(balances):
    leaves = leaves_of(balances)
    root = balances_root(leaves)
    for position, leaf in enumerate(leaves):
        path = prove(leaves, position)
        assert verify(root, len(leaves), position, leaf, path)
        assert not verify(root, len(leaves), position, replace(leaf, balance=leaf.balance + 1), path)
        assert not verify(root, len(leaves) + 1, position, leaf, path)
        if position ^ 1 < len(leaves):
            assert not verify(root, len(leaves), position ^ 1, leaf, path)


@given(BALANCES.filter(lambda b: len(b) > 1))
def test_path_commits_to_the_sums_of_its_siblings(balances):
    leaves = leaves_of(balances)
    path = prove(leaves, 0)
    for n, sibling in enumerate(path):
        forged = [*path[:n], replace(sibling, sum=sibling.sum + 1), *path[n + 1 :]]
        assert not verify(balances_root(leaves), len(leaves), 0, leaves[0], forged)


def test_number_of_leaves_is_bound():
    assert balances_root([]) != balances_root(leaves_of([0]))
    assert balances_root(leaves_of([1, 2, 3])) != balances_root([*leaves_of([1, 2, 3]), Leaf(0, b"", 0)])


@pytest.mark.parametrize(("position", "length"), [(2, 1), (-1, 1), (0, 0), (0, 2)])
def test_path_of_another_shape_proves_nothing(position, length):
    leaves = leaves_of([1, 2])
    assert not verify(balances_root(leaves), 2, position, leaves[0], [EMPTY] * length)


def test_sum_beyond_the_range_proves_nothing():
    leaves = leaves_of([1, 2])
    assert not verify(balances_root(leaves), 2, 0, leaves[0], [Node(b"\0" * 32, 2**64 - 1)])
