"""Quantities of parameter files: text with a unit in, integers of the smallest unit out.

A bare number is refused, so that nobody has to guess what `1000` counts.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

from eth_utils.address import is_checksum_address, is_hex_address, to_checksum_address
from pydantic import BeforeValidator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_QUANTITY = re.compile(r"(?P<number>[0-9][0-9_]*(?:\.[0-9]+)?) +(?P<unit>[A-Za-z]+)")
_WHOLE = re.compile(r"[0-9][0-9_]*")

_DAY = 86_400
WEI_UNITS = {"wei": 1, "gwei": 10**9, "ether": 10**18}
SHARE_UNITS = {"slETH": 10**18}
TIME_UNITS = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": _DAY}
BPS_UNITS = {"bps": 1}
SLOT_UNITS = {"slots": 1}


def parse_quantity(value: object, units: Mapping[str, int]) -> int:
    """`"1.5 ether"` -> 1500000000000000000. An integer passes: it is a value that was parsed before."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    allowed = " or ".join(units)
    match = _QUANTITY.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} needs a number and a unit ({allowed})")
    unit = match["unit"]
    if unit not in units and f"{unit}s" in units:
        unit += "s"  # 1 day
    if unit not in units:
        raise ValueError(f"{value!r} has the unit {unit!r}; allowed: {allowed}")
    scaled = Decimal(match["number"].replace("_", "")) * units[unit]
    if scaled != int(scaled):
        raise ValueError(f"{value!r} is not a whole number of the smallest unit")
    return int(scaled)


def _quantity(units: Mapping[str, int]) -> Callable[[object], int]:
    return lambda value: parse_quantity(value, units)


def parse_count(value: object) -> int:
    """`"7_200"` -> 7200."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not _WHOLE.fullmatch(value.strip()):
        raise ValueError(f"{value!r} is not a whole number")
    return int(value.strip().replace("_", ""))


def parse_address(value: object) -> str:
    """Any well-formed address but zero; mixed case must be the right checksum."""
    if not isinstance(value, str) or not value.startswith("0x") or not is_hex_address(value):
        raise ValueError(f"{value!r} is not an address (0x and 40 hexadecimal digits)")
    digits = value[2:]
    if digits not in (digits.lower(), digits.upper()) and not is_checksum_address(value):
        raise ValueError(f"{value!r} has a wrong checksum; right is {to_checksum_address(value)}")
    if int(digits, 16) == 0:
        raise ValueError("the zero address is not allowed")
    return to_checksum_address(value)


Wei = Annotated[int, BeforeValidator(_quantity(WEI_UNITS))]
Shares = Annotated[int, BeforeValidator(_quantity(SHARE_UNITS))]
Seconds = Annotated[int, BeforeValidator(_quantity(TIME_UNITS))]
BasisPoints = Annotated[int, BeforeValidator(_quantity(BPS_UNITS))]
Slots = Annotated[int, BeforeValidator(_quantity(SLOT_UNITS))]
Count = Annotated[int, BeforeValidator(parse_count)]
Address = Annotated[str, BeforeValidator(parse_address)]
