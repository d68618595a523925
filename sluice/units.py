"""Units with types, and how an amount in one becomes one in another.

A conversion that can lose something says in its name which way it rounds.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, NewType

Wei = NewType("Wei", int)
Gwei = NewType("Gwei", int)
Shares = NewType("Shares", int)
"""Wei of slETH."""
Slot = NewType("Slot", int)
Epoch = NewType("Epoch", int)
Timestamp = NewType("Timestamp", int)
"""Seconds since 1970."""

NO_GWEI: Final = Gwei(0)
NO_WEI: Final = Wei(0)
GENESIS_SLOT: Final = Slot(0)

WEI_PER_GWEI: Final = 10**9
WEI_PER_ETHER: Final = 10**18
GWEI_PER_ETHER: Final = 10**9
BPS: Final = 10_000
SECONDS_PER_HOUR: Final = 3_600
SECONDS_PER_DAY: Final = 86_400
SECONDS_PER_YEAR: Final = 365 * SECONDS_PER_DAY


class InexactConversionError(ValueError):
    """An amount is no whole number of the unit asked for."""


def ether(amount: int | str | Decimal) -> Wei:
    """Wei of an amount in ether; ``"0.1"`` and ``Decimal`` are exact, floats are refused by the type."""
    wei = Decimal(amount) * WEI_PER_ETHER
    if wei != int(wei):
        raise InexactConversionError(f"{amount} ether is no whole number of wei")
    return Wei(int(wei))


def ether_to_gwei(amount: int | str | Decimal) -> Gwei:
    return wei_to_gwei_exact(ether(amount))


def gwei_to_wei(amount: Gwei) -> Wei:
    return Wei(amount * WEI_PER_GWEI)


def wei_to_gwei_down(amount: Wei) -> Gwei:
    return Gwei(amount // WEI_PER_GWEI)


def wei_to_gwei_exact(amount: Wei) -> Gwei:
    if amount % WEI_PER_GWEI:
        raise InexactConversionError(f"{amount} wei is no whole number of gwei")
    return Gwei(amount // WEI_PER_GWEI)


def whole_gwei_down(shares: Shares) -> Shares:
    """What the withdrawal queue counts of ``shares``; the rest stays with the holder."""
    return Shares(shares // WEI_PER_GWEI * WEI_PER_GWEI)


def ceil_div(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def when(seconds: int) -> str:
    """A timestamp for people."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
