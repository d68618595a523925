"""Steps of the report oracle for tests: frames, signatures in any order, scheduled governance, the whole state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ape import chain
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts.base import ContractTransactionHandler
from eth_account import Account

from sluice.oracle.report import Report
from sluice.oracle.signing import OracleDomain, sign, signable, to_full
from tests.helpers import domain_of, signer
from tests.protocol import Protocol


def accepted(event: Any) -> Report:
    """The report in a ``ReportAccepted``."""
    return Report(*event.report)


def another(report: Report) -> Report:
    """A report of the same frame that says something else."""
    return replace(report, balances_root=bytes([report.balances_root[0] ^ 1]) + report.balances_root[1:])


def signatures_by(
    protocol: Protocol, report: Report, keys: Sequence[AccountAPI], domain: OracleDomain | None = None
) -> list[bytes]:
    """In the order of ``keys``, whatever the oracle asks for."""
    return [sign(report, domain or domain_of(protocol), signer(key)).signature for key in keys]


def recovered(protocol: Protocol, report: Report, signature: bytes, domain: OracleDomain | None = None) -> str:
    """Whose signature over ``report`` the oracle takes this for, whatever was signed."""
    message = signable(report, domain or domain_of(protocol))
    return str(Account.recover_message(message, signature=to_full(signature)))


def as_sorted(
    protocol: Protocol, report: Report, signatures: Sequence[bytes], domain: OracleDomain | None = None
) -> list[bytes]:
    """By the accounts that the oracle will find, so that only what they are not can be wrong with them."""
    return sorted(signatures, key=lambda signature: int(recovered(protocol, report, signature, domain), 16))


def vote(protocol: Protocol, report: Report, *keys: AccountAPI) -> ReceiptAPI:
    """One vote a transaction; returns the last."""
    assert keys
    for key in keys:
        transaction = protocol.oracle.vote(report.as_tuple(), sender=key)
    return transaction


def scheduled(
    protocol: Protocol, function: ContractTransactionHandler, *args: Any, account: AccountAPI | None = None
) -> Callable[[], ReceiptAPI]:
    """Schedule a restricted call and let its delay pass; the result executes it, in whichever frame that may be."""
    account = account or protocol.actors.governor
    target, data = function.contract, function.encode_input(*args)
    _, delay = protocol.access.canCall(account, target, data[:4])
    protocol.access.schedule(target, data, 0, sender=account)
    chain.mine(deltatime=delay)
    return lambda: protocol.access.execute(target, data, sender=account)


def events_of(contract: Any, transaction: ReceiptAPI) -> list[Any]:
    """Those of one contract: what goes through governance emits more."""
    return [event for event in transaction.events if event.contract_address == contract.address]


def changes(protocol: Protocol, transaction: ReceiptAPI) -> dict[str, dict[str, Any]]:
    """What a transaction left changed in the protocol: ether and storage slots by contract, as they are after it."""
    tracer = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
    diff = chain.provider.make_request("debug_traceTransaction", [transaction.txn_hash, tracer])
    names = {contract.address.lower(): name for name, contract in protocol.contracts.items()}
    return {names[address]: change for address, change in diff["post"].items() if address in names}
