"""What tests on the deployed protocol do again and again: time to the second, stakes, reports by hand and by quorum.

shares = stake(protocol, protocol.actors.staker, 32 * ETHER)
tx = report_as_oracle(protocol, gain=ETHER)              # the vault alone: no frames, quorum or limits
advance_frame(protocol)
tx = submit(protocol, report_of(protocol, gain=10**15))      # the whole path through the ReportOracle
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ape
from ape.api import AccountAPI, ReceiptAPI
from eth_abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from sluice.chain import beacon_roots
from sluice.model import VaultModel, VaultTerms
from sluice.oracle.report import Report
from sluice.oracle.signing import OracleDomain, SignedReport, gather, sign
from sluice.units import Gwei, Slot, Timestamp, Wei
from tests.protocol import Protocol

ETHER = 10**18
GWEI = 10**9
DAY = 86_400
YEAR = 365 * DAY
BPS = 10_000
ZERO = "0x" + 40 * "0"
ROOT_A = bytes.fromhex("aa" * 32)
"""Stands for a beacon root where nothing checks it."""
ROOT_B = bytes.fromhex("bb" * 32)


# --- Time ---


def now() -> int:
    """Time of the newest block, which is also what view calls see."""
    return int(ape.chain.blocks.head.timestamp)


def warp_to(timestamp: int) -> None:
    """Mine a block at exactly ``timestamp``: views see it now, and a transaction comes a second later at least."""
    ape.chain.mine(timestamp=timestamp)


def next_at(timestamp: int) -> int:
    """The next transaction is mined at exactly ``timestamp``; views go on seeing the newest block."""
    ape.chain.provider.make_request("evm_setNextBlockTimestamp", [timestamp])
    return timestamp


def frame_seconds(protocol: Protocol) -> int:
    return protocol.params.oracle.frame * protocol.params.oracle.slot


def advance_frame(protocol: Protocol, frames: int = 1) -> int:
    """Go ``frames`` frames on, to where the report of that frame is just old enough; returns its reference time."""
    limits = protocol.params.report_limits
    reference_time = protocol.oracle.expected().referenceTime + frames * frame_seconds(protocol)
    warp_to(reference_time + limits.minimum_age)
    return int(reference_time)


# --- Ether and shares ---


def give_ether(account: Any, wei: int) -> None:
    """Ether from nowhere, added to what is there; how a forced transfer looks to the receiver."""
    address = str(getattr(account, "address", account))
    balance = ape.chain.provider.get_balance(address)
    ape.chain.provider.make_request("anvil_setBalance", [address, hex(balance + wei)])


def force_with_code(payer: AccountAPI, target: Any, wei: int) -> None:
    """Ether of ``payer`` for ``target`` out of a contract that destroys itself: no code of the target runs."""
    give_ether(payer, wei)
    before = ape.chain.provider.get_balance(str(target.address))
    data = ape.project.ForcedEther.constructor.encode_input(target.address)
    code = bytes(ape.project.ForcedEther.contract_type.deployment_bytecode.to_bytes())
    ape.chain.provider.web3.eth.wait_for_transaction_receipt(
        ape.chain.provider.web3.eth.send_transaction({"from": payer.address, "value": wei, "data": code + data})
    )
    assert ape.chain.provider.get_balance(str(target.address)) == before + wei


def stake(protocol: Protocol, who: AccountAPI, assets: int, receiver: Any = None) -> int:
    """Stake ``assets`` wei of ``who``, who is given them first; returns the shares that ``receiver`` got."""
    receiver = who if receiver is None else receiver
    give_ether(who, assets)
    before = protocol.token.balanceOf(receiver)
    protocol.vault.stake(receiver, 0, ZERO, sender=who, value=assets)
    return int(protocol.token.balanceOf(receiver) - before)


def deposit_to_beacon(protocol: Protocol, *gwei: int) -> ReceiptAPI:
    """Send buffer to the real deposit contract, one deposit per amount; it checks no keys."""
    deposits = [(bytes([0x80 + index]) * 48, bytes([0xC0 + index]) * 96, amount) for index, amount in enumerate(gwei)]
    return protocol.vault.depositToBeacon(deposits, sender=protocol.actors.depositor)


def send_raw(sender: AccountAPI, target: Any, signature: str, *args: Any) -> ReceiptAPI:
    """Call by signature: for functions that ape takes for views, or whose overloads it cannot tell apart."""
    types = signature[signature.index("(") + 1 : -1].split(",")
    values = [getattr(value, "address", value) for value in args]
    return sender.transfer(target, 0, data=keccak(text=signature)[:4] + encode(types, values))


# --- Reports straight to the vault ---


def consensus_report(
    protocol: Protocol, *, gain: int = 0, rewards: int = 0, reference_time: int | None = None, **fields: int
) -> dict[str, int]:
    """A ``ConsensusReport`` (the struct's names) that gains ``gain`` wei (whole gwei; below 0: a loss) and ``rewards``.

    ``withdrawn`` is what was swept, ``deposited`` the vault's counter, ``consensusBalance`` what is left to say then;
    any field can be given instead. The time is that of the newest block where none is given.
    """
    profit, deposited, swept, _ = protocol.vault.consensus()
    assert gain % GWEI == 0, f"{gain} wei is no whole number of gwei"
    figures = {
        "referenceTime": now() if reference_time is None else reference_time,
        "provision": 0,
        "faults": max(0, -gain) // GWEI,
        "withdrawn": swept,
        "deposited": deposited,
        "rewards": rewards,
    } | fields
    if "consensusBalance" not in figures:
        figures["consensusBalance"] = (
            profit + gain // GWEI + figures["deposited"] + figures["provision"] - figures["withdrawn"]
        )
    assert figures["consensusBalance"] >= 0, f"{figures}: more lost than deposited; deposit_to_beacon() first"
    return figures


def oracle_account(protocol: Protocol) -> AccountAPI:
    """Sends as the oracle contract."""
    return protocol.impersonate(protocol.vault.oracle())


def report_as_oracle(
    protocol: Protocol,
    *,
    gain: int = 0,
    rewards: int = 0,
    at: int | None = None,
    reference_time: int | None = None,
    **fields: int,
) -> ReceiptAPI:
    """Apply a report to the vault as the oracle contract would, without frames, signatures and limits.

    It is mined at ``at``, by default a second after the newest block, and its reference time is that too.
    """
    at = now() + 1 if at is None else at
    reference_time = at if reference_time is None else reference_time
    report = consensus_report(protocol, gain=gain, rewards=rewards, reference_time=reference_time, **fields)
    account = oracle_account(protocol)
    next_at(at)
    return protocol.vault.report(report, sender=account)


def vesting_seconds(protocol: Protocol, reference_time: int) -> int:
    """Over how long the rewards of a report with ``reference_time`` will vest: the time it covers, within bounds."""
    elapsed = reference_time - protocol.vault.referenceTime()
    return int(min(max(elapsed, protocol.params.vault.vesting_period), 30 * DAY))


def set_rate(protocol: Protocol, gain: int) -> None:
    """A report with ``gain`` (wei, below 0 for a loss), time until all of it has vested, and a report of nothing.

    After that one nothing is unvested, and the next report covers as little time as the test lets pass.
    """
    period = vesting_seconds(protocol, now() + 1)
    report_as_oracle(protocol, gain=gain)
    report_as_oracle(protocol, at=now() + period)


# --- Reports by a quorum ---


def domain_of(protocol: Protocol) -> OracleDomain:
    return OracleDomain(ape.chain.chain_id, protocol.oracle.address)


def signer(account: AccountAPI) -> LocalAccount:
    """The key of a test account, for what ape's accounts do not sign."""
    key: LocalAccount = Account.from_key(account.private_key)
    return key


def report_of(protocol: Protocol, *, gain: int = 0, rewards: int = 0, **fields: Any) -> Report:
    """The report that the oracle expects now, with ``gain`` and ``rewards`` as in :func:`consensus_report`.

    Any field of ``sluice.oracle.report.Report`` can be given instead.
    """
    figures = consensus_report(protocol, gain=gain, rewards=rewards)
    expected = protocol.oracle.expected()
    report = Report(
        reference_slot=Slot(expected.referenceSlot),
        beacon_root=ROOT_A,
        balances_root=ROOT_B,
        validators=protocol.oracle.validators(),
        consensus_balance=Gwei(figures["consensusBalance"]),
        provision=Gwei(0),
        faults=Gwei(figures["faults"]),
        withdrawn=Gwei(figures["withdrawn"]),
        deposited=Gwei(figures["deposited"]),
        rewards=Wei(rewards),
    )
    report = replace(report, **fields)
    publish_root(protocol, expected.referenceTime + protocol.oracle.SECONDS_PER_SLOT(), report.beacon_root)
    return report


def publish_root(protocol: Protocol, timestamp: int, root: bytes) -> None:
    """As the execution block at ``timestamp`` would have (EIP-4788)."""
    for slot, value in beacon_roots.entries(Timestamp(timestamp), root):
        parameters = [beacon_roots.BEACON_ROOTS, f"0x{slot:064x}", f"0x{value:064x}"]
        ape.chain.provider.make_request("anvil_setStorageAt", parameters)


def signatures_of(
    protocol: Protocol, report: Report, keys: Sequence[AccountAPI] | None = None, *, compact: bool = False
) -> list[bytes]:
    """By ``keys`` (a bare quorum of members' keys by default), in the order that the oracle asks for."""
    keys = protocol.actors.keys[: protocol.oracle.quorum()] if keys is None else keys
    domain = domain_of(protocol)
    signed: list[SignedReport] = [sign(report, domain, signer(key)) for key in keys]
    return gather(signed, compact=compact)


def submit(
    protocol: Protocol, report: Report, signatures: Sequence[bytes] | None = None, sender: AccountAPI | None = None
) -> ReceiptAPI:
    """Submit ``report``, signed by a quorum unless ``signatures`` are given; a stranger pays the gas."""
    signatures = signatures_of(protocol, report) if signatures is None else signatures
    return protocol.oracle.submit(report.as_tuple(), list(signatures), sender=sender or protocol.actors.stranger)


def signed_report(protocol: Protocol, *, gain: int = 0, rewards: int = 0, **fields: Any) -> ReceiptAPI:
    """Build, sign and submit the report that is expected now; :func:`advance_frame` first."""
    return submit(protocol, report_of(protocol, gain=gain, rewards=rewards, **fields))


# --- The exact model ---


def vault_model(protocol: Protocol) -> VaultModel:
    """``sluice.model``'s vault as the deployment left the real one; tests then do the same to both."""
    params = protocol.params.vault
    return VaultModel(
        VaultTerms(
            min_stake=params.minimum_stake,
            vesting_period=params.vesting_period,
            fee=params.fee,
            limit_burst=params.limit_burst,
            limit_growth=params.limit_growth_per_second,
        ),
        deployed_at=protocol.vault.referenceTime(),
        seed=params.seed,
    )
