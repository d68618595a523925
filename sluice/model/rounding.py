"""How a model rounds, and what an operation gives back."""

import math
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction


class Rounding(Enum):
    """``STATED``: every result is rounded as the interfaces say, so it must equal the contract's.

    ``NONE``: nothing is ever rounded. Beside a ``STATED`` model this shows how much rounding costs whom.
    """

    STATED = "stated"
    NONE = "none"

    def down(self, value: Fraction) -> Fraction:
        return Fraction(math.floor(value)) if self is Rounding.STATED else value

    def up(self, value: Fraction) -> Fraction:
        return Fraction(math.ceil(value)) if self is Rounding.STATED else value


@dataclass(frozen=True)
class Outcome:
    """A result before and after rounding."""

    exact: Fraction
    value: Fraction

    @property
    def integer(self) -> int:
        """The number the contract must give."""
        if self.value.denominator != 1:
            raise ValueError(f"{self.value} is no integer: this model does not round")
        return self.value.numerator

    @property
    def dust(self) -> Fraction:
        """What rounding added (above zero) or took (below)."""
        return self.value - self.exact


class Refused(Exception):  # noqa: N818 - a promise kept, not a failure
    """The promises say that the call reverts. ``reason`` is the name of the error, ``values`` its arguments."""

    def __init__(self, reason: str, **values: int) -> None:
        self.reason = reason
        self.values = values
        super().__init__(f"{reason}({', '.join(f'{k}={v}' for k, v in values.items())})")
