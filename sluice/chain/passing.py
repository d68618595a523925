"""What passes while time does: days and epochs, and what validators earn on the execution side."""

from hashlib import sha256
from typing import Final

from sluice.chain.interface import ConsensusLayer, Status
from sluice.chain.node import Node, send
from sluice.units import SECONDS_PER_DAY, SECONDS_PER_YEAR, Gwei, Slot, Wei, gwei_to_wei

PPM: Final = 1_000_000
LUCKY: Final = 16
"""One day in so many brings many times the usual."""
LUCK: Final = 8


def advance_epochs(layer: ConsensusLayer, epochs: int) -> Slot:
    return layer.advance_to(Slot(layer.sync() + epochs * layer.spec.slots_per_epoch))


def advance_days(layer: ConsensusLayer, days: int) -> Slot:
    return advance_seconds(layer, days * SECONDS_PER_DAY)


def advance_seconds(layer: ConsensusLayer, seconds: int) -> Slot:
    """Rounded up to whole slots."""
    slots = -(-seconds // layer.spec.seconds_per_slot)
    return layer.advance_to(Slot(layer.sync() + slots))


def active_balance(layer: ConsensusLayer, credentials: bytes) -> Gwei:
    """Of those of our validators that propose blocks."""
    active = (v for v in layer.validators(credentials) if v.status in (Status.ACTIVE, Status.EXITING) and not v.slashed)
    return Gwei(sum(v.balance for v in active))


def tips_of(seed: int, period: int, balance: Gwei, seconds: int, yearly_rate: int) -> Wei:
    """Priority fees and MEV of one period: uneven, as blocks are, but the same for the same seed.

    ``yearly_rate`` (parts per million of ``balance``) is the long-run mean: one period in ``LUCKY`` brings
    ``LUCK`` times as much as the others.
    """
    mean = gwei_to_wei(balance) * yearly_rate * seconds // (PPM * SECONDS_PER_YEAR)
    drawn = sha256(b"tips" + seed.to_bytes(8, "big") + period.to_bytes(8, "big")).digest()
    weight = LUCK if drawn[0] % LUCKY == 0 else 1
    jitter = 500 + int.from_bytes(drawn[1:5], "big") % 1_001  # a half to one and a half
    return Wei(mean * weight * LUCKY * jitter // ((LUCKY - 1 + LUCK) * 1_000))


def pay(node: Node, sender: str, receiver: str, amount: Wei) -> int:
    """An ordinary transaction from an account the node holds the key of; returns what its gas cost, wei."""
    receipt = send(node, {"from": sender, "to": receiver, "value": hex(amount)})
    if int(receipt["status"], 16) != 1:
        raise ValueError(f"{receiver} refused {amount} wei")
    return int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
