"""A devnet with slots of twenty minutes, the protocol on it, and its books."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.demo.site import WAITS
from sluice.devnet import Devnet, DevnetSettings
from sluice.devnet.books import Books
from tests.devnet.backend import BACKEND
from tests.devnet.protocol import SLOT, WEI, Protocol
from tests.devnet.staking import Key

BOND = 210 * WEI
"""For all the stake that the open terms allow."""


@dataclass
class World:
    devnet: Devnet
    books: Books
    protocol: Protocol

    def operator(self, bond: int = BOND) -> int:
        """Of the account that runs all of them."""
        return self.protocol.register(self.protocol.operator, bond)

    def validator(self, operator: int, name: str, topped: int = 31) -> Key:
        return self.protocol.validator(operator, self.protocol.operator, name, topped)


@contextmanager
def open_world(folder: Path, **validators: Any) -> Iterator[World]:
    settings = DevnetSettings(backend=BACKEND, seconds_per_slot=SLOT, keep_states=4_096, config=WAITS)
    with Devnet(settings) as devnet:
        devnet.advance(2)
        books = Books(devnet)
        yield World(devnet, books, Protocol.deploy(devnet, folder, books, **validators))
