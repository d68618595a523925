"""Steps of the withdrawal queue for tests: on the contracts and on the exact model at once, and what they emit."""

from __future__ import annotations

from typing import Any

from ape import chain
from ape.api import AccountAPI, ReceiptAPI
from ape.types.events import MockContractLog
from web3.exceptions import ContractLogicError

from sluice.model import ConsensusFigures, QueueModel, QueueTerms, VaultModel
from tests.helpers import (
    ETHER,
    GWEI,
    ZERO,
    consensus_report,
    deposit_to_beacon,
    give_ether,
    next_at,
    now,
    oracle_account,
    report_as_oracle,
    stake,
    vault_model,
    warp_to,
)
from tests.protocol import Protocol


def _name(who: Any) -> str:
    return str(getattr(who, "address", who))


def whole_gwei(shares: int) -> int:
    """What the queue takes of ``shares``."""
    return shares // GWEI * GWEI


def settle(protocol: Protocol, up_to: int | None = None) -> ReceiptAPI:
    """A report without news that covers all requests so far, and one finalisation of them (or up to ``up_to``)."""
    report_as_oracle(protocol)
    last = protocol.queue.lastRequestId() if up_to is None else up_to
    return protocol.queue.finalize(last, sender=protocol.actors.stranger)


def request(protocol: Protocol, who: AccountAPI, *sizes: int, receiver: Any = None) -> list[int]:
    """Requests of ``who``, one a transaction; returns their ids."""
    ids = []
    for size in sizes:
        protocol.queue.request(size, who if receiver is None else receiver, sender=who)
        ids.append(int(protocol.queue.lastRequestId()))
    return ids


def requested(
    protocol: Protocol, request_id: int, sender: Any, receiver: Any, shares: int
) -> tuple[MockContractLog, MockContractLog]:
    """What one request emits before its shares move."""
    queue = protocol.queue
    return (
        queue.Transfer(ZERO, receiver, request_id),
        queue.Requested(request_id, sender, receiver, shares),
    )


def claimed(
    protocol: Protocol, request_id: int, owner: Any, recipient: Any, assets: int
) -> tuple[MockContractLog, MockContractLog]:
    """What one claim emits."""
    queue = protocol.queue
    return (queue.Transfer(owner, ZERO, request_id), queue.Claimed(request_id, recipient, assets))


def locked(protocol: Protocol) -> int:
    """Ether that the queue should hold: all that was set aside less all that was claimed, from events alone."""
    aside = sum(int(log.assets) for log in protocol.queue.Finalized)
    return aside - sum(int(log.assets) for log in protocol.queue.Claimed)


def accepts(function: Any, *args: Any, sender: AccountAPI) -> bool:
    """Whether the node would run this call now; nothing is sent, and no error is looked into."""
    call = {"from": sender.address, "to": function.contract.address, "data": bytes(function.encode_input(*args))}
    try:
        chain.provider.web3.eth.call(call)
    except ContractLogicError:
        return False
    return True


class Twin:
    """Does each step on the contracts and on the exact model; what the contracts give must be what the model gives.

    Start it before anything has happened since deployment.
    """

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.vault: VaultModel = vault_model(protocol)
        assert protocol.vault.supply() == self.vault.supply, "something was staked before this twin began"
        params = protocol.params.queue
        self.queue = QueueModel(
            self.vault, QueueTerms(params.minimum_request, params.finalize_window, params.stale_after)
        )

    def stake(self, who: AccountAPI, assets: int) -> int:
        got = stake(self.protocol, who, assets)
        assert got == self.vault.stake(_name(who), assets, now()).integer
        return got

    def deposit(self, gwei: int) -> None:
        deposit_to_beacon(self.protocol, gwei)
        self.vault.deposit_to_beacon(gwei, self.queue.open_shares, now())

    def report(self, *, gain: int = 0, rewards: int = 0, at: int | None = None) -> None:
        """``gain`` on the consensus side (below 0: a loss), ``rewards`` paid into the rewards vault just before."""
        protocol = self.protocol
        if rewards:
            give_ether(protocol.rewards, rewards)
        figures = consensus_report(protocol, gain=gain, rewards=rewards)
        at = now() + 1 if at is None else at
        figures["referenceTime"] = at
        account = oracle_account(protocol)
        next_at(at)
        protocol.vault.report(figures, sender=account)
        self.vault.report(
            ConsensusFigures(
                reference_time=at,
                consensus_balance=figures["consensusBalance"],
                withdrawn=figures["withdrawn"],
                deposited=figures["deposited"],
                provision=figures["provision"],
                faults=figures["faults"],
                rewards=rewards,
            ),
            at,
        )

    def vest(self) -> None:
        """Let everything vest."""
        warp_to(self.vault.vesting_end)

    def odd_rate(self, who: AccountAPI) -> None:
        """500-odd ether of ``who`` and a gain, so that the rate is no round number and nothing divides."""
        self.stake(who, 500 * ETHER + 123_456_789_012_345_678)
        self.report(gain=37 * ETHER + 777_777_777 * GWEI)
        self.vest()

    def request(self, who: AccountAPI, shares: int, receiver: Any = None) -> int:
        receiver = who if receiver is None else receiver
        self.protocol.queue.request(shares, receiver, sender=who)
        got = int(self.protocol.queue.lastRequestId())
        assert got == self.queue.request(_name(who), shares, _name(receiver), now())
        return got

    def finalize(self, up_to: int, at: int | None = None) -> int:
        if at is not None:
            next_at(at)
        tx = self.protocol.queue.finalize(up_to, sender=self.protocol.actors.stranger)
        got = int(tx.events[-1].assets)
        assert got == self.queue.finalize(up_to, now()).integer
        return got

    def claim(self, request_id: int) -> int:
        owner = self.protocol.queue.ownerOf(request_id)
        tx = self.protocol.queue.claim(request_id, sender=self.protocol.actors.stranger)
        got = int(tx.events[-1].assets)
        assert got == self.queue.claim(request_id).integer
        assert tx.events == [*claimed(self.protocol, request_id, owner, owner, got)]
        return got
