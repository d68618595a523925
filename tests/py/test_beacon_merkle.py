"""Hashing in batches and trees that keep their nodes, against hashlib and the plain definition."""

from __future__ import annotations

import threading
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.beacon.hasher import BATCH, hash_blocks
from sluice.beacon.merkle import ZERO_ROOTS, Tree, differing_rows, fold, log2_up, merkleize

COUNTS = (0, 1, 2, 3, 16, 63, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH, 3 * BATCH + 17)


def random_rows(count: int, width: int, seed: int = 0):
    return np.random.default_rng(seed).integers(0, 256, (count, width), dtype=np.uint8)


def plain_root(leaves: list[bytes], depth: int) -> bytes:
    """As the specification says, zeros and all."""
    level = [*leaves, *[bytes(32)] * (2**depth - len(leaves))]
    while len(level) > 1:
        level = [sha256(level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)]
    return level[0]


def as_list(rows) -> list[bytes]:
    return [row.tobytes() for row in rows]


@pytest.mark.parametrize("count", COUNTS)
def test_every_block_of_a_batch_has_its_own_digest(count):
    blocks = random_rows(count, 64, count)
    assert as_list(hash_blocks(blocks)) == [sha256(block.tobytes()).digest() for block in blocks]


def test_blocks_need_not_lie_one_behind_the_other():
    wide = random_rows(1000, 128)
    assert as_list(hash_blocks(wide[::2, 32:96])) == [sha256(row[32:96].tobytes()).digest() for row in wide[::2]]


@pytest.mark.parametrize("shape", [(4, 32), (4, 65), (256,)])
def test_blocks_of_another_size_are_refused(shape):
    with pytest.raises(ValueError, match=r"instead of \(n, 64\)"):
        hash_blocks(np.zeros(shape, np.uint8))


def test_threads_do_not_share_their_buffers():
    failures = []

    def work(seed: int) -> None:
        blocks = random_rows(BATCH + 5, 64, seed)
        expected = [sha256(block.tobytes()).digest() for block in blocks]
        failures.extend(seed for _ in range(20) if as_list(hash_blocks(blocks)) != expected)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_zero_roots_are_those_of_trees_of_zeros():
    assert list(ZERO_ROOTS[:6]) == [plain_root([], depth) for depth in range(6)]


@given(st.integers(0, 70), st.integers(0, 2**32))
def test_root_is_that_of_the_definition(count, seed):
    leaves = random_rows(count, 32, seed)
    tree = Tree(7)
    tree.update(leaves)
    assert tree.root == merkleize(leaves, 7) == plain_root(as_list(leaves), 7)


@given(st.integers(1, 70), st.integers(0, 2**32), st.data())
def test_every_branch_leads_to_the_root(count, seed, data):
    tree = Tree(9)
    tree.update(random_rows(count, 32, seed))
    index = data.draw(st.integers(0, count - 1))
    branch = tree.branch(index)
    assert len(branch) == log2_up(count)
    assert fold(tree.leaves[index].tobytes(), branch + tree.rest(), index) == tree.root


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 12)), min_size=1, max_size=6), st.integers(0, 2**32))
def test_a_tree_that_was_changed_is_the_tree_built_anew(steps, seed):
    """Any sizes one after the other, few and many changes."""
    rng = np.random.default_rng(seed)
    tree, leaves = Tree(10), np.empty((0, 32), np.uint8)
    for size, changes in steps:
        new = rng.integers(0, 256, (size, 32), dtype=np.uint8)
        common = min(size, len(leaves))
        new[:common] = leaves[:common]
        for _ in range(min(changes, size)):
            new[rng.integers(0, size)] = rng.integers(0, 256, 32, dtype=np.uint8)
        tree.update(new)
        leaves = new
        fresh = Tree(10)
        fresh.update(new.copy())
        assert tree.root == fresh.root
        assert [tree.branch(i) for i in range(size)] == [fresh.branch(i) for i in range(size)]


@given(st.integers(1, 200), st.integers(0, 60), st.integers(0, 2**32))
def test_replacing_rows_and_adding_some_is_the_tree_built_anew(count, more, seed):
    rng = np.random.default_rng(seed)
    before = rng.integers(0, 256, (count, 32), dtype=np.uint8)
    tree = Tree(12)
    tree.update(before.copy())
    after = np.concatenate([before, rng.integers(0, 256, (more, 32), dtype=np.uint8)])
    after[rng.integers(0, count, 3)] = 7
    changed = differing_rows(before, after)
    tree.replace(len(after), changed, after[changed])
    fresh = Tree(12)
    fresh.update(after)
    assert tree.root == fresh.root
    assert (tree.leaves == after).all()


def test_a_tree_takes_no_more_than_it_has_room_for():
    tree = Tree(2)
    tree.update(random_rows(4, 32))
    with pytest.raises(ValueError, match="5 leaves do not fit a tree of depth 2"):
        tree.update(random_rows(5, 32))


@pytest.mark.parametrize("index", [-1, 3])
def test_a_leaf_that_is_not_there_has_no_branch(index):
    tree = Tree(2)
    tree.update(random_rows(3, 32))
    with pytest.raises(IndexError, match=f"leaf {index} of 3"):
        tree.branch(index)
