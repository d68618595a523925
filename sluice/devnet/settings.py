"""What a devnet can be told before it starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sluice.units import Timestamp, Wei, ether

VIRTUAL_GENESIS: Final = Timestamp(1_700_000_000)
"""Where virtual time begins: the same for every run, so that every root is, and long past, as clients ask for."""

MNEMONIC: Final = "test test test test test test test test test test test junk"
"""The well-known one, of anvil and hardhat."""


ACCOUNT_BALANCE: Final = ether(1_000_000)


class Backend(StrEnum):
    ANVIL = "anvil"
    ETHEREUMJS = "ethereumjs"


@dataclass(frozen=True)
class DevnetSettings:
    backend: Backend = Backend.ANVIL
    preset: str = "minimal"
    fork: str = "fulu"
    hardfork: str = "prague"
    """Of the execution node. Osaka caps a transaction's gas at 2**24, which is less than tools ask for by default."""
    validators: int = 64
    """At genesis, with interop keys; they attest and propose, and are no business of ours."""
    seconds_per_slot: int = 12
    realtime: bool = False
    """Follow the machine's clock; else time passes on command."""
    genesis_time: Timestamp | None = None
    """Now, or ``VIRTUAL_GENESIS`` for virtual time."""
    config: Mapping[str, int | str] = field(default_factory=dict)
    """Values of the consensus configuration, e.g. ``{"SHARD_COMMITTEE_PERIOD": 64}``."""
    chain_id: int = 31337
    accounts: int = 30
    account_balance: Wei = ACCOUNT_BALANCE
    execution_port: int = 0
    beacon_ports: tuple[int, ...] = (0, 0)
    """One endpoint each; the second is for tests in which two nodes disagree. 0 takes a free port."""
    keep_states: int = 256
    start_timeout: float = 60.0
