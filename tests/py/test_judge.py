"""The judge of the bank run finds a payment that is not what was due, whoever was paid too much."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from sluice.demo.judge import Event, Judge, UnfairError
from sluice.model.pool import Curve

ETHER = 10**18
GWEI = 10**9
DAY = 86_400
SEED = ETHER
TERMS = {"minFee": 5, "maxFee": 300, "treasuryPart": 2_000, "target": ETHER // 2}
POOL, LENA, BEN, CLUB = "pool", "lena", "ben", "club"


def worth(shares: int, block: int) -> int:
    """The rate is 1 up to block 10, and 1.01 from then on."""
    return shares * (100 if block < 10 else 101) // 100


def judge() -> Judge:
    return Judge(worth, lambda block: block * DAY)


def numbered(*told: tuple[int, str, str, dict[str, Any]]) -> list[Event]:
    return [Event(contract, name, block, index, args) for index, (block, contract, name, args) in enumerate(told)]


def curve(supply: int) -> Curve:
    return Curve(Fraction(5, 10_000), Fraction(300, 10_000), Fraction(supply // 2))


SOLD = 40 * ETHER
PAID = curve(200 * ETHER).take(100 * ETHER, SOLD)
FEE = SOLD - PAID
TREASURY = SOLD * FEE * 2_000 // (SOLD * 10_000)
REQUESTED = 10 * ETHER
AT_HAND = 100 * ETHER - PAID
HELD = 100 * ETHER + SOLD - TREASURY - REQUESTED
SHARE = (50 * ETHER, 200 * ETHER)
"""Liquidity that is taken out, of all."""
REST = SHARE[0] * (REQUESTED // GWEI) // SHARE[1]
TAKEN = worth(REQUESTED + 5 * ETHER, 10)
OF_POOL = REQUESTED * TAKEN // (REQUESTED + 5 * ETHER)
OF_BEN = 5 * ETHER * TAKEN // (REQUESTED + 5 * ETHER)
FOR_RESTS = OF_POOL * REST // (REQUESTED // GWEI)


def story() -> list[Event]:
    """A sale, requests, liquidity taken out, what is paid for both, and a farm with two stakes: all as it should be."""
    queue, instant, farm = "WithdrawalQueue", "InstantPool", "Farm"
    stake = {"token": POOL, "amount": 3 * ETHER}
    return numbered(
        (1, instant, "TermsChanged", {"terms": TERMS}),
        (1, instant, "LiquidityAdded", {"assets": 100 * ETHER, "shares": 0, "liquidity": 100 * ETHER}),
        (2, instant, "LiquidityAdded", {"assets": 0, "shares": 100 * ETHER, "liquidity": 100 * ETHER}),
        (2, farm, "StreamAdded", {"id": 1, "stakeToken": POOL, "amount": 8 * ETHER, "start": 2 * DAY, "end": 10 * DAY}),
        (2, farm, "Enabled", {"id": 1, "account": LENA}),
        (2, farm, "Staked", stake | {"account": LENA}),
        (3, instant, "Sold", {"shares": SOLD, "assets": PAID, "fee": FEE, "treasuryShares": TREASURY}),
        (4, queue, "Requested", {"id": 1, "receiver": POOL, "shares": REQUESTED}),
        (4, instant, "Replenished", {"id": 1, "shares": REQUESTED}),
        (4, farm, "Enabled", {"id": 1, "account": BEN}),
        (4, farm, "Staked", stake | {"account": BEN}),
        (5, queue, "Requested", {"id": 2, "receiver": BEN, "shares": 5 * ETHER}),
        (6, instant, "LiquidityRemoved", {
            "receiver": LENA, "liquidity": SHARE[0], "assets": AT_HAND * SHARE[0] // SHARE[1],
            "shares": HELD * SHARE[0] // SHARE[1], "restId": 0, "restShares": REST,
        }),
        (10, queue, "Finalized", {
            "checkpoint": 1, "firstId": 1, "lastId": 2, "shares": REQUESTED + 5 * ETHER, "assets": TAKEN,
        }),
        (11, queue, "Claimed", {"id": 2, "recipient": BEN, "assets": OF_BEN}),
        (12, instant, "Collected", {"id": 1, "shares": REQUESTED, "assets": OF_POOL, "restAssets": FOR_RESTS}),
        (12, queue, "Claimed", {"id": 1, "recipient": POOL, "assets": OF_POOL}),
        (13, instant, "RestClaimed", {"id": 0, "recipient": LENA, "shares": REST, "assets": FOR_RESTS}),
        (13, instant, "TreasuryPaid", {"shares": TREASURY - 1}),
        (14, farm, "Unstaked", stake | {"account": LENA}),
        (14, farm, "Claimed", {"id": 1, "account": LENA, "amount": 5 * ETHER}),
        (14, farm, "Claimed", {"id": 1, "account": BEN, "amount": 3 * ETHER}),
    )  # fmt: skip


def test_story_as_it_should_be_passes() -> None:
    found = judge()
    found.see(story())
    instant = found.instant
    assert (instant.sales, instant.fees) == (1, FEE)
    assert instant.assets == AT_HAND - AT_HAND // 4 + OF_POOL - FOR_RESTS
    assert (instant.awaited, instant.supply, instant.treasury) == (0, 150 * ETHER, 1)
    # the rate added 1% to all slETH of the pool; of the fee the treasury's part is not the providers'
    assert float(instant.kept) == pytest.approx(0.8 * FEE / (200 * ETHER), rel=1e-9)
    assert float(instant.grown) == pytest.approx(
        0.01 * HELD / (200 * ETHER) + 0.01 * REQUESTED / (200 * ETHER), rel=1e-9
    )


@pytest.mark.parametrize(
    ("name", "key", "said"),
    [
        ("LiquidityAdded", "liquidity", "worth more than what was added"),
        ("Sold", "assets", "what the sale of"),
        ("Sold", "fee", "fee on the sale of"),
        ("Sold", "treasuryShares", "the treasury's shares"),
        ("Finalized", "assets", "its shares were worth"),
        ("Finalized", "shares", "shares of checkpoint 1"),
        ("Claimed", "assets", "what request 1 paid"),
        ("LiquidityRemoved", "assets", "ether for liquidity"),
        ("LiquidityRemoved", "shares", "slETH for liquidity"),
        ("LiquidityRemoved", "restShares", "slETH in the queue for liquidity"),
        ("LiquidityRemoved", "restId", "where a rest begins"),
        ("Collected", "assets", "what the pool counted for request 1"),
        ("Collected", "restAssets", "set aside for who has left"),
        ("RestClaimed", "assets", "what rest 0 paid"),
        ("RestClaimed", "shares", "shares of rest 0"),
        ("TreasuryPaid", "shares", "what the treasury was paid"),
        ("Claimed", "amount", "stream 1 paid"),
        ("Unstaked", "amount", "took out more than"),
    ],
)
def test_a_wei_too_much_is_found(name: str, key: str, said: str) -> None:
    events = story()
    place = max(i for i, event in enumerate(events) if event.name == name and key in event.args)
    events[place] = replace(events[place], args={**events[place].args, key: events[place].args[key] + 1})
    with pytest.raises(UnfairError, match=said):
        judge().see(events)


@pytest.mark.parametrize(
    ("name", "key", "part", "said"),
    [
        ("LiquidityAdded", "liquidity", 10, "worth less than what was added"),
        ("Bought", "shares", 5, "of the instant pool were bought for"),
        ("Sold", "assets", 1, "what the sale of"),
        ("Claimed", "assets", 1, "what request 1 paid"),
        ("RestClaimed", "assets", 1, "what rest 0 paid"),
        ("Claimed", "amount", 2, "stream 1 paid"),
    ],
)
def test_who_was_given_too_little_is_found_too(name: str, key: str, part: int, said: str) -> None:
    """By a tenth, a hundredth, or a wei where it is exact."""
    events = story()
    if name == "Bought":
        events = [*events[:3], Event("InstantPool", "Bought", 2, 99, {"assets": ETHER, "shares": ETHER})]
        judge().see(events)
    place = max(i for i, event in enumerate(events) if event.name == name and key in event.args)
    had = events[place].args[key]
    less = 1 if part == 1 else had // part
    events[place] = replace(events[place], args={**events[place].args, key: had - less})
    with pytest.raises(UnfairError, match=said):
        judge().see(events)


def test_fee_that_is_too_small_is_found_though_with_what_was_paid_it_is_the_worth() -> None:
    events = story()
    (place,) = (i for i, event in enumerate(events) if event.name == "Sold")
    cheap = {"assets": PAID + FEE // 2, "fee": FEE - FEE // 2}
    assert sum(cheap.values()) == SOLD
    events[place] = replace(events[place], args={**events[place].args, **cheap})
    with pytest.raises(UnfairError, match="what the sale of 40,000,000,000,000,000,000 shares brought"):
        judge().see(events)


@pytest.mark.parametrize(
    ("name", "said"), [("Claimed", "request 2 was paid twice"), ("RestClaimed", "rest 0 is nobody's")]
)
def test_paid_twice_is_found(name: str, said: str) -> None:
    events = story()
    twice = next(event for event in events if event.name == name)
    with pytest.raises(UnfairError, match=said):
        judge().see([*events, replace(twice, block=20)])


@pytest.mark.parametrize(("name", "said"), [("Claimed", "request 2"), ("RestClaimed", "rest 0")])
def test_somebody_else_paid_is_found(name: str, said: str) -> None:
    events = story()
    place = next(i for i, event in enumerate(events) if event.name == name)
    events[place] = replace(events[place], args={**events[place].args, "recipient": CLUB})
    with pytest.raises(UnfairError, match=f"who was paid for {said}: club, but must be "):
        judge().see(events)


def test_paid_before_it_was_finalised_is_found() -> None:
    events = [event for event in story() if event.name != "Finalized"]
    with pytest.raises(UnfairError, match="request 2 was paid before it was finalised"):
        judge().see(events)


def test_slETH_of_the_pool_below_the_rate_is_found() -> None:
    bought = Event("InstantPool", "Bought", 3, 1_000, {"assets": ETHER - 1, "shares": ETHER})
    with pytest.raises(UnfairError, match="were bought for"):
        judge().see([*story(), bought])
