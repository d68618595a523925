"""What a person should look at, besides false reports: all of it read from the newest block."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eth_abi.exceptions import DecodingError

from sluice.chain.node import HttpNode, NodeError, NodeUnavailableError, call, call_many, get_block
from sluice.oracle.views import BOND, REQUEST, Contracts
from sluice.units import SECONDS_PER_HOUR

DAY: Final = 86_400
ONE: Final = 10**18
ROUND: Final = ("uint80", "int256", "uint256", "uint256", "uint80")
BEHIND: Final = 900
"""Seconds."""
KINDS: Final = (
    "node behind",
    "oracle halted",
    "no report",
    "slashing not counted",
    "queue behind",
    "bond too low",
    "depeg",
    "no price",
)


@dataclass(frozen=True)
class Bounds:
    """From where on something is an alarm."""

    stale_hours: float
    overdue_days: float
    price_feeds: Sequence[str]
    depeg_percent: float
    price_hours: float


def find_alarms(node: HttpNode, contracts: Contracts, bounds: Bounds, clock: float) -> list[tuple[str, str]]:
    """What sounds, of :data:`KINDS`, each with words for a person. ``clock`` is the time outside the chain."""
    now = get_block(node).timestamp
    (halted,) = call(node, contracts.oracle, "halted()", returns=["bool"])
    (newest, _) = call(node, contracts.vault, "lastReport()", returns=["uint256", "uint256"])
    (pending,) = call(node, contracts.vault, "slashingPendingUntil()", returns=["uint256"])
    found = []
    if clock - now > BEHIND:
        found.append(("node behind", f"the node's newest block is {(clock - now) / 60:.0f} minutes old"))
    if halted:
        found.append(("oracle halted", "oracle halted"))
    if now - newest > bounds.stale_hours * SECONDS_PER_HOUR:
        found.append(("no report", "no report"))
    if pending > now:
        found.append(("slashing not counted", "slashing not counted"))
    if _longest_wait(node, contracts, now) > bounds.overdue_days * DAY:
        found.append(("queue behind", "queue behind"))
    found += [("bond too low", f"bond of operator {each} is too low") for each in _unhealthy(node, contracts)]
    for feed in bounds.price_feeds:
        found += _price_alarms(node, contracts, feed, now, bounds)
    return found


def _longest_wait(node: HttpNode, contracts: Contracts, now: int) -> int:
    """Seconds, of the head of the queue."""
    (last,) = call(node, contracts.queue, "lastRequestId()", returns=["uint256"])
    (finalized,) = call(node, contracts.queue, "lastFinalizedId()", returns=["uint256"])
    if last == finalized:
        return 0
    (request,) = call(node, contracts.queue, "getRequest(uint256)", [finalized + 1], [REQUEST])
    return int(now - request[2])


def _unhealthy(node: HttpNode, contracts: Contracts) -> list[int]:
    """Operators whose bond is below what their stake needs."""
    (bonds,) = call(node, contracts.manager, "bonds()", returns=["address"])
    (registry,) = call(node, contracts.manager, "registry()", returns=["address"])
    (count,) = call(node, registry, "count()", returns=["uint256"])
    operators = [[operator] for operator in range(1, count + 1)]
    needed = call_many(node, bonds, "required(uint256)", operators, ["uint256"])
    bond = call_many(node, bonds, "bondOf(uint256)", operators, [BOND])
    each = zip(operators, needed, bond, strict=True)
    return [operator for (operator,), (least,), (there,) in each if there[0] < least]


def _price_alarms(node: HttpNode, contracts: Contracts, feed: str, now: int, bounds: Bounds) -> list[tuple[str, str]]:
    """Of a market's price of slETH in ether, below the rate at which the queue pays."""
    try:
        (decimals,) = call(node, feed, "decimals()", returns=["uint8"])
        _, answer, _, updated, _ = call(node, feed, "latestRoundData()", returns=ROUND)
    except (NodeError, DecodingError, NodeUnavailableError) as error:
        return [("no price", f"no price of {feed}: {error}")]
    if answer <= 0 or not 0 <= now - updated <= bounds.price_hours * SECONDS_PER_HOUR:
        return [("no price", f"no price of {feed}: {answer} at {updated}")]
    (rate,) = call(node, contracts.vault, "convertToAssets(uint256)", [ONE], ["uint256"])
    price = answer * ONE // 10**decimals
    below = 100 * (1 - price / rate)
    if below <= bounds.depeg_percent:
        return []
    words = f"depeg: slETH trades at {price / ONE:.6f} ether ({feed}), {below:.2f}% below the rate {rate / ONE:.6f}"
    return [("depeg", words)]
