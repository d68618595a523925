"""RequestDescriptor: what a wallet or a market shows of a request is valid, exact and never too much."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.in_process import Process
from tests.reverts import reverts
from tests.small_core import ETHER, SmallCore

JSON_URI = "data:application/json;base64,"
SVG_URI = "data:image/svg+xml;base64,"
SVG = "{http://www.w3.org/2000/svg}"
REQUESTED_AT = 1_763_887_542  # 2025-11-23 08:45:42 UTC
OWNER = "0x" + 19 * "00" + "01"


def request_of(**changes: Any) -> dict[str, Any]:
    plain = {
        "owner": OWNER,
        "shares": ETHER,
        "requestedAt": REQUESTED_AT,
        "assets": ETHER,
        "finalized": False,
        "claimed": False,
    }
    return plain | changes


def parse(uri: str) -> tuple[dict[str, Any], ET.Element]:
    """The JSON and the picture, by strict parsers."""
    assert uri.startswith(JSON_URI)
    metadata = json.loads(base64.b64decode(uri.removeprefix(JSON_URI), validate=True).decode("ascii"))
    assert metadata["image"].startswith(SVG_URI)
    picture = ET.fromstring(base64.b64decode(metadata["image"].removeprefix(SVG_URI), validate=True))  # noqa: S314
    assert picture.tag == f"{SVG}svg"
    return metadata, picture


def traits(metadata: dict[str, Any]) -> dict[str, Any]:
    return {item["trait_type"]: item["value"] for item in metadata["attributes"]}


def words(picture: ET.Element) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{SVG}text")]


def in_ether(wei: int, places: int = 18) -> str:
    """As a person writes it: cut off, without trailing zeros, never with an exponent."""
    digits = f"{wei:019d}"
    return f"{digits[:-18]}.{digits[-18:][:places]}".rstrip("0").rstrip(".")


@pytest.fixture(scope="module")
def descriptor(project, accounts):
    return accounts[0].deploy(project.RequestDescriptor)


def test_an_open_request_is_described(descriptor):
    request = request_of(shares=12 * ETHER + 5 * 10**17, assets=13 * ETHER + 123_456_789_123_456_789)
    metadata, picture = parse(descriptor.tokenURI(42, request, 7 * ETHER // 3))
    assert set(metadata) == {"name", "description", "image", "attributes"}
    assert metadata["name"] == "Sluice Withdrawal Request #42"
    assert metadata["attributes"] == [
        {"trait_type": "State", "value": "open"},
        {"trait_type": "slETH", "value": "12.5"},
        {"trait_type": "Ether", "value": "13.123456789123456789"},
        {"trait_type": "Ether ahead", "value": "2.333333333333333333"},
        {"display_type": "date", "trait_type": "Requested", "value": REQUESTED_AT},
    ]
    assert words(picture) == [
        "Withdrawal request #42",
        "open",
        *("slETH", "12.5"),
        *("Worth ether now", "13.123456"),
        *("Ether ahead", "2.333333"),
        *("Requested", "2025-11-23 08:45 UTC"),
    ]


def test_a_finalised_request_is_described(descriptor):
    metadata, picture = parse(descriptor.tokenURI(1, request_of(finalized=True), 0))
    assert traits(metadata)["State"] == "finalised"
    assert traits(metadata)["Ether ahead"] == "0"
    assert words(picture)[1:6] == ["finalised", "slETH", "1", "Pays ether", "1"]


def test_a_claimed_request_would_say_so(descriptor):
    """The queue never asks for one; the descriptor is right all the same."""
    metadata, _ = parse(descriptor.tokenURI(1, request_of(finalized=True, claimed=True), 0))
    assert traits(metadata)["State"] == "claimed"


def test_the_colour_tells_the_state(descriptor):
    def colours(finalized: bool) -> set[str]:
        _, picture = parse(descriptor.tokenURI(1, request_of(finalized=finalized), 0))
        return {element.attrib["fill"] for element in picture.iter() if "fill" in element.attrib}

    assert colours(False) - colours(True) == {"#fbbf24"}
    assert colours(True) - colours(False) == {"#2dd4bf"}


def test_the_bytecode_is_small(project):
    assert len(bytes.fromhex(project.RequestDescriptor.contract_type.runtime_bytecode.bytecode[2:])) < 7_000


WEI = st.one_of(st.integers(0, 10**19), st.integers(0, 2**96 - 1))


@pytest.fixture(scope="module")
def in_process(project):
    process = Process()
    return process.account(0).deploy(project.RequestDescriptor)


@settings(max_examples=200, deadline=None)
@given(
    identity=st.integers(1, 2**48 - 1),
    shares=WEI,
    assets=WEI,
    ahead=WEI,
    at=st.integers(0, 2**32 - 1),
    finalized=st.booleans(),
)
@example(identity=1, shares=10**9, assets=1, ahead=10**12, at=0, finalized=False)
@example(identity=2**48 - 1, shares=2**96 - 1, assets=2**96 - 1, ahead=2**96 - 1, at=2**32 - 1, finalized=True)
@example(identity=7, shares=ETHER - 1, assets=10**12 - 1, ahead=ETHER + 1, at=951_782_400, finalized=False)
def test_any_request_is_valid_and_exact(in_process, identity, shares, assets, ahead, at, finalized):
    """JSON and XML parse; numbers are exact in the attributes and cut off after six places in the picture."""
    request = request_of(shares=shares, assets=assets, requestedAt=at, finalized=finalized)
    metadata, picture = parse(in_process.tokenURI(identity, request, ahead))
    assert traits(metadata) == {
        "State": "finalised" if finalized else "open",
        "slETH": in_ether(shares),
        "Ether": in_ether(assets),
        "Ether ahead": in_ether(ahead),
        "Requested": at,
    }
    shown = words(picture)
    assert shown[0] == f"Withdrawal request #{identity}"
    assert shown[3::2] == [
        in_ether(shares, 6),
        in_ether(assets, 6),
        in_ether(ahead, 6),
        datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC"),
    ]


# --- Through the queue ---


def test_the_queue_shows_a_request_through_its_whole_life(project, accounts):
    holder, payer = accounts[2], accounts[3]
    core = SmallCore.deploy(project, accounts[0], accounts[1])
    core.stake(holder, 20 * ETHER)
    core.tip(payer, 3 * ETHER)
    core.queue.request(2 * ETHER, holder, sender=holder)
    core.queue.request(5 * ETHER, holder, sender=holder)

    metadata, _ = parse(core.queue.tokenURI(2))
    assert metadata["name"] == "Sluice Withdrawal Request #2"
    assert traits(metadata) == {
        "State": "open",
        "slETH": "5",
        "Ether": in_ether(core.worth(5 * ETHER)),
        "Ether ahead": in_ether(core.worth(2 * ETHER)),
        "Requested": core.queue.getRequest(2).requestedAt,
    }

    core.touch()
    core.queue.finalize(2, sender=payer)
    metadata, _ = parse(core.queue.tokenURI(2))
    pays = core.queue.getRequest(2).assets
    assert traits(metadata)["State"] == "finalised"
    assert traits(metadata)["Ether"] == in_ether(pays)
    assert traits(metadata)["Ether ahead"] == "0"

    before = holder.balance
    core.queue.claim(2, sender=payer)
    assert holder.balance - before == pays
    for gone in (2, 3):
        with reverts(core.queue.TokenDoesNotExist):
            core.queue.tokenURI(gone)
