"""What the consensus layer ignores of an operator's requests."""

from __future__ import annotations

import pytest

from sluice.beacon.answers import Validator
from sluice.operators import why_ignored
from sluice.units import Gwei
from tests.py.test_keeper_plans import ETHER, entry

SEEN = entry(1, 40).seen
assert SEEN is not None


@pytest.mark.parametrize(
    ("seen", "amount", "pending", "epoch", "why"),
    [
        (None, 0, 0, 300, "not active yet, or not any more"),
        (SEEN.model_copy(update={"status": "pending_queued"}), 0, 0, 300, "not active yet, or not any more"),
        (SEEN.model_copy(update={"status": "active_exiting"}), 1, 0, 300, "leaves already"),
        (SEEN, 0, 0, 255, "too young: ask again from epoch 256 on, now is 255"),
        (SEEN, 0, 0, 256, None),
        (SEEN, 0, 2, 256, "parts of it are on their way, 2 ether: ask again when they are paid"),
        (SEEN, 1, 7, 256, None),
        (SEEN, 1, 8, 256, "only what is beyond 32 ether can leave in parts"),
    ],
)
def test_request_that_would_be_ignored_is_named(
    seen: Validator | None, amount: int, pending: int, epoch: int, why: str | None
) -> None:
    assert why_ignored(seen, Gwei(amount * ETHER), Gwei(pending * ETHER), epoch, 256) == why
