"""What a keeper does, as functions of what it sees. Amounts are gwei."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sluice.units import BPS, SECONDS_PER_DAY, SECONDS_PER_HOUR, Gwei

MIN_DEPOSIT: Final = 10**9
MIN_ACTIVE: Final = 32 * 10**9
MAX_STAKE: Final = 2_048 * 10**9
MAX_BATCH: Final = 16
HEALTHY, SLASHING_PENDING, STALE = 0, 9, 10
"""Of a rate provider."""
NEWS: Final = 6 * SECONDS_PER_HOUR
"""A report is worth a transaction that is so much newer: some are told in blocks, and drift with each missed one."""
NO_LIMIT: Final = 2**104 - 1
FAR: Final = 20
"""A limit is renewed that is off by more than one part in so many."""


@dataclass(frozen=True)
class Working:
    """A proven validator that works: neither leaving nor asked to."""

    pubkey: bytes
    operator: int
    staked: Gwei
    """What the vault has deposited for it."""
    balance: Gwei
    """What it has, less what has been asked of it in parts."""
    is_asked: bool = False
    """Parts of it are on their way: until they are paid the consensus layer ignores that it should leave."""


def plan_top_ups(shares: Mapping[int, Gwei], working: Sequence[Working]) -> list[tuple[bytes, Gwei]]:
    """Each operator's share of new stake into its validators: those first that are not active yet, the fullest of them
    before the others, so that ether begins to work; then the least filled. No part is below the least deposit.
    """
    plan: dict[bytes, int] = {}
    for operator, share in shares.items():
        left: int = share
        its = [each for each in working if each.operator == operator]
        waiting = sorted((each for each in its if each.staked < MIN_ACTIVE), key=lambda each: -each.staked)
        for each in waiting:
            part = min(left, MIN_ACTIVE - each.staked)
            if part == MIN_ACTIVE - each.staked and part >= MIN_DEPOSIT:
                plan[each.pubkey] = part
                left -= part
        for each in sorted(its, key=lambda each: each.staked):
            known = plan.get(each.pubkey, 0)
            if each.staked + known < MIN_ACTIVE:
                continue
            part = min(left, MAX_STAKE - each.staked - known)
            if part >= MIN_DEPOSIT:
                plan[each.pubkey] = known + part
                left -= part
    return [(pubkey, Gwei(amount)) for pubkey, amount in plan.items()][:MAX_BATCH]


def plan_exits(missing: int, working: Sequence[Working]) -> list[tuple[bytes, Gwei]]:
    """Just enough: parts of the fullest, which keep what they need; whole validators, the smallest first, for the rest.
    Amount 0 is an exit.
    """
    plan: list[tuple[bytes, Gwei]] = []
    for each in sorted(working, key=lambda each: -each.balance):
        part = min(missing, each.balance - MIN_ACTIVE)
        if part <= 0:
            break
        plan.append((each.pubkey, Gwei(part)))
        missing -= part
        if missing <= 0:
            return plan[:MAX_BATCH]
    asked = {pubkey for pubkey, _ in plan}
    for each in sorted((each for each in working if not each.is_asked), key=lambda each: each.balance):
        if missing <= 0:
            break
        # what was asked in parts of one that leaves altogether would be asked twice
        if each.pubkey in asked:
            plan = [item for item in plan if item[0] != each.pubkey]
            missing -= MIN_ACTIVE
        else:
            missing -= each.balance
        plan.append((each.pubkey, Gwei(0)))
    return plan[:MAX_BATCH]


@dataclass(frozen=True)
class Rate:
    """What a rate provider has recorded, and what its token says now: low and high, seconds."""

    recorded: tuple[int, int]
    recorded_at: int
    reported_at: int
    health: int
    now: tuple[int, int]
    newest: int
    """Report; 0 of a token that tells none."""


def is_news(rate: Rate, now: int) -> bool:
    """Whether it is worth recording: another rate once a day, a report that is much newer, any that ends staleness.

    What moves beyond the bounds is for people to look at, and harms nobody meanwhile.
    """
    is_due = rate.now != rate.recorded and now >= rate.recorded_at + SECONDS_PER_DAY
    if rate.health == STALE:
        return is_due or rate.newest > rate.reported_at
    return rate.health == HEALTHY and (is_due or rate.newest >= rate.reported_at + NEWS)


def is_limit_far(limit: int, total: int, most: int, low: int) -> bool:
    """Of a token that may be ``most`` bps of a whole of ``total`` wei, at its low rate: limits are wei of the token."""
    if most == BPS or low == 0:
        return False
    part = min(total * most * 10**18 // (low * BPS), NO_LIMIT)
    return abs(part - limit) * FAR > part
