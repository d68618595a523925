"""The sum tree against the words that define it, computed one node at a time."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.oracle.tree import Deposit, Leaves, SumTree

ETHER = 10**9
HASHES = st.binary(min_size=32, max_size=32)
AMOUNTS = st.integers(0, 2**50)


def expected_root(leaves: list[tuple[bytes, int]], counts: tuple[int, int, int]) -> bytes:
    level = leaves or [(bytes(32), 0)]
    while len(level) & (len(level) - 1):
        level = [*level, (bytes(32), 0)]
    while len(level) > 1:
        level = [
            (sha256(a + b + x.to_bytes(8, "big") + y.to_bytes(8, "big")).digest(), x + y)
            for (a, x), (b, y) in zip(level[::2], level[1::2], strict=True)
        ]
    top, total = level[0]
    return sha256(top + b"".join(n.to_bytes(8, "big") for n in (*counts, total))).digest()


@given(
    balances=st.lists(AMOUNTS, max_size=40),
    deposits=st.dictionaries(st.integers(0, 2**20), AMOUNTS, max_size=9),
    preparations=st.sets(HASHES, max_size=9),
)
def test_root_and_every_path_are_those_of_the_definition(balances, deposits, preparations):
    leaves = Leaves.of(balances, [Deposit(i, a) for i, a in deposits.items()], preparations)
    tree = SumTree(leaves)
    flat = [(bytes(32), each) for each in balances]
    flat += [(index.to_bytes(32, "big"), amount) for index, amount in sorted(deposits.items())]
    flat += [(key, ETHER) for key in sorted(preparations)]
    counts = (len(balances), len(deposits), len(preparations))
    assert tree.root == expected_root(flat, counts)
    assert tree.total == leaves.total == sum(amount for _, amount in flat)
    for position in range(1 << max(0, len(flat) - 1).bit_length()):
        opened = tree.open(position)
        assert (opened.tag, opened.amount) == (flat[position] if position < len(flat) else (bytes(32), 0))
        node, total = opened.tag, opened.amount
        for level, sibling in enumerate(opened.path):
            pair = [(node, total), (sibling.hash, sibling.sum)]
            (a, x), (b, y) = pair[::-1] if position >> level & 1 else pair
            node, total = sha256(a + b + x.to_bytes(8, "big") + y.to_bytes(8, "big")).digest(), x + y
            assert total == sibling.total
        assert tree.root == sha256(node + b"".join(n.to_bytes(8, "big") for n in (*counts, total))).digest()


def test_root_by_hand():
    """Two validators and a preparation: the fourth leaf is zero."""
    key = bytes(31) + b"\x07"
    one = sha256(bytes(64) + (32 * ETHER).to_bytes(8, "big") + (33 * ETHER).to_bytes(8, "big")).digest()
    two = sha256(key + bytes(32) + ETHER.to_bytes(8, "big") + bytes(8)).digest()
    top = sha256(one + two + (65 * ETHER).to_bytes(8, "big") + ETHER.to_bytes(8, "big")).digest()
    numbers = b"".join(n.to_bytes(8, "big") for n in (2, 0, 1, 66 * ETHER))
    assert SumTree(Leaves.of([32 * ETHER, 33 * ETHER], (), [key])).root == sha256(top + numbers).digest()


def test_nothing_has_a_root_too():
    tree = SumTree(Leaves.of([]))
    assert tree.root == sha256(bytes(64)).digest()
    assert tree.open(0).path == ()
    with pytest.raises(IndexError, match="position 1 of 1"):
        tree.open(1)
