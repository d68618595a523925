"""Reads what a report is built from: the contracts at the block of the reference slot, and the consensus layer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from eth_abi.abi import decode
from eth_typing import ChecksumAddress
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from sluice.chain.interface import ReportSource, Stamp
from sluice.chain.node import Node, NodeError, View, call, call_all, call_many, get_balance, get_block
from sluice.oracle.report import (
    ConsensusView,
    Forecast,
    Limits,
    Report,
    VaultView,
    build_report,
    forecast,
)
from sluice.oracle.signing import OracleDomain
from sluice.units import Gwei, Shares, Slot, Timestamp, Wei, when

VALIDATOR: Final = "(uint32,uint8,bool,uint32,uint32,uint32,uint48,uint48,uint40,uint32,uint32)"
"""Of the manager: operator, phase, slashed, ..."""
NOT_STARTED: Final = keccak(text="FirstFrameNotStarted(uint256,uint256)")[:4]
REQUEST: Final = "(address,uint256,uint256,uint256,bool,bool)"
"""Of the queue: owner, shares, requestedAt, ..."""
BOND: Final = "(uint96,uint96,uint40,uint24)"
"""Of the bonds: shares, leaving, leavingFrom, ..."""
DEPOSIT: Final = "(bytes,bytes32,uint64,bytes32,uint64)"
HEADER: Final = "(uint64,uint64,bytes32,bytes32,bytes32)"
"""Of the beacon chain, as proofs have it."""
CONSENSUS = ("int256", "uint256", "uint256", "uint256")


class NothingToReportError(Exception):
    """The frame that runs now has its report already, or gets none."""


@dataclass(frozen=True)
class Contracts:
    """Everything the oracle reads, found from its own address."""

    chain_id: int
    oracle: ChecksumAddress
    vault: ChecksumAddress
    queue: ChecksumAddress
    gateway: ChecksumAddress
    rewards_vault: ChecksumAddress
    manager: ChecksumAddress
    challenge: ChecksumAddress
    credentials: bytes
    genesis_time: int
    seconds_per_slot: int
    frame_slots: int

    @property
    def domain(self) -> OracleDomain:
        return OracleDomain(self.chain_id, self.oracle)

    def time_of(self, slot: int) -> Timestamp:
        return Timestamp(self.genesis_time + slot * self.seconds_per_slot)

    def slot_at(self, time: int) -> Slot:
        """The newest that has begun then."""
        return Slot((time - self.genesis_time) // self.seconds_per_slot)


@dataclass(frozen=True)
class Expected:
    """The frame that runs now, as the oracle contract sees it."""

    slot: Slot
    time: Timestamp
    deadline: Timestamp
    reported: bool


@dataclass(frozen=True)
class Prepared:
    """A report, what it was built from and what it will do."""

    report: Report
    stamp: Stamp
    consensus: ConsensusView
    vault: VaultView
    limits: Limits
    forecast: Forecast


def find_contracts(node: Node, oracle: str) -> Contracts:
    def address(of: str, name: str) -> View:
        return View(of, f"{name}()", ["address"])

    def number(name: str) -> View:
        return View(oracle, f"{name}()", ["uint256"])

    numbers = [number(name) for name in ("GENESIS_TIME", "SECONDS_PER_SLOT", "FRAME_SLOTS")]
    named = call_all(node, [address(oracle, "vault"), address(oracle, "CHALLENGE"), *numbers])
    vault, challenge, genesis_time, seconds_per_slot, frame_slots = (values[0] for values in named)
    names = [address(vault, name) for name in ("QUEUE", "GATEWAY", "rewardsVault")]
    below = [*names, address(challenge, "manager"), View(vault, "CREDENTIALS()", ["bytes32"])]
    *addresses, credentials = (values[0] for values in call_all(node, below))
    queue, gateway, rewards_vault, manager = map(to_checksum_address, addresses)
    return Contracts(
        chain_id=int(node.request("eth_chainId"), 16),
        oracle=to_checksum_address(oracle),
        vault=to_checksum_address(vault),
        queue=queue,
        gateway=gateway,
        rewards_vault=rewards_vault,
        manager=manager,
        challenge=to_checksum_address(challenge),
        credentials=credentials,
        genesis_time=genesis_time,
        seconds_per_slot=seconds_per_slot,
        frame_slots=frame_slots,
    )


def read_expected(node: Node, contracts: Contracts) -> Expected:
    slot, time, deadline, reported = call(
        node, contracts.oracle, "expected()", returns=["uint256", "uint256", "uint256", "bool"]
    )
    return Expected(Slot(slot), Timestamp(time), Timestamp(deadline), reported)


def read_due(node: Node, contracts: Contracts) -> Expected:
    """The frame that runs now, if it needs a report; raises :class:`NothingToReportError`."""
    try:
        expected = read_expected(node, contracts)
    except NodeError as error:
        if error.revert[:4] != NOT_STARTED:
            raise
        _, first = decode(["uint256", "uint256"], error.revert[4:])
        raise NothingToReportError(_first_report(contracts, first)) from error
    if not expected.reported:
        return expected
    if expected.slot == 0:  # the newest slot is 0 where there is none, so slot 0 gets no report
        raise NothingToReportError(_first_report(contracts, contracts.frame_slots))
    raise NothingToReportError(
        f"slot {expected.slot} has been reported; the next frame starts at {when(expected.deadline)}"
    )


def _first_report(contracts: Contracts, slot: int) -> str:
    start = when(contracts.time_of(slot))
    return f"this oracle has no report yet: slot {slot} is the first, its frame starts at {start}"


def are_slashings_proven(node: Node, contracts: Contracts, pubkeys: Sequence[bytes]) -> list[bool]:
    """Of each, whether the bond of its operator can be asked."""
    found = call_many(node, contracts.manager, "validator(bytes)", [[key] for key in pubkeys], [VALIDATOR])
    return [bool(values[2]) for (values,) in found]


def is_released(node: Node, contracts: Contracts, digest: bytes) -> bool:
    """Whether governance lets this one report pass the limits."""
    (limits,) = call(node, contracts.oracle, "limits()", returns=["address"])
    return bool(call(node, limits, "released(bytes32)", [digest], ["bool"])[0])


def read_limits(node: Node, contracts: Contracts, block: int | str = "latest") -> Limits:
    address = call(node, contracts.oracle, "limits()", returns=["address"], block=block)[0]
    kinds = "(uint16,uint16,uint32,uint32,uint32,uint64)"
    (values,) = call(node, address, "limits()", returns=[kinds], block=block)
    return Limits(*values)


def read_vault(node: Node, contracts: Contracts, stamp: Stamp) -> VaultView:
    """The vault at the block of ``stamp``, with what only the newest block can say."""

    def number(of: str, name: str) -> View:
        return View(of, f"{name}()", ["uint256"], block=stamp.block)

    consensus = View(contracts.vault, "consensus()", CONSENSUS, block=stamp.block)
    (
        (profit, deposited, _, previous),
        (_, deposited_now, swept_now, newest),
        (total,),
        (supply,),
        (open_shares,),
        (validators,),
    ) = call_all(
        node,
        [
            consensus,
            replace(consensus, block="latest"),
            number(contracts.vault, "totalAssets"),
            number(contracts.vault, "supply"),
            number(contracts.queue, "openShares"),
            number(contracts.oracle, "validators"),
        ],
    )
    if newest != previous:
        raise NothingToReportError(f"slot {stamp.slot} has been reported")
    return VaultView(
        reference_time=stamp.time,
        total=Wei(total),
        supply=Shares(supply),
        open_shares=Shares(open_shares),
        deposited=Gwei(deposited),
        rewards_balance=get_balance(node, contracts.rewards_vault, stamp.block),
        profit=Gwei(profit),
        previous_time=Timestamp(previous),
        validators=validators,
        deposited_now=Gwei(deposited_now),
        swept_now=Gwei(swept_now),
        gateway_balance_now=get_balance(node, contracts.gateway),
    )


def read_previous(node: Node, contracts: Contracts, block: int) -> Slot | None:
    """Reference slot of the newest report as of ``block``, None before the first. From the vault: a new oracle knows
    nothing of what the one before it has reported, and faults must not be told twice.
    """
    time, applied = call(node, contracts.vault, "lastReport()", returns=["uint256", "uint256"], block=block)
    if applied == time:  # a report comes later than its slot; before the first both are the time of the deployment
        return None
    return contracts.slot_at(time)


def prepare(layer: ReportSource, node: Node, contracts: Contracts) -> Prepared:
    """The report of the frame that runs now."""
    layer.sync()
    expected = read_due(node, contracts)
    stamp = layer.stamp(expected.slot)
    consensus = layer.view(expected.slot, contracts.credentials)
    vault = read_vault(node, contracts, stamp)
    limits = read_limits(node, contracts)
    previous = read_previous(node, contracts, stamp.block)
    faults = layer.faults(previous, expected.slot, contracts.credentials)
    report = build_report(consensus, vault, limits, faults)
    now = get_block(node).timestamp
    return Prepared(report, stamp, consensus, vault, limits, forecast(report, vault, limits, now))
