"""What every operation costs: receipts' `gasUsed` on anvil, each row a transaction of its own."""

from __future__ import annotations

import os
from collections.abc import Callable

import ape
import pytest
from eth_account import Account

from sluice.oracle.report import Report
from sluice.oracle.signing import OracleDomain, gather, sign
from sluice.units import Gwei, Slot, Wei
from tests.gas.table import CORE_ISSUE, commit, committed, complaints, render
from tests.helpers import publish_root
from tests.protocol import Protocol

ETHER = 10**18
ZERO = "0x" + "00" * 20


class Bench:
    """The protocol with validators at work, a day's rewards on both sides, and figures as they are measured."""

    def __init__(self, protocol: Protocol) -> None:
        self.p = protocol
        self.figures: dict[str, int] = {}
        self.domain = OracleDomain(ape.chain.chain_id, protocol.oracle.address)
        self.keys = [Account.from_key(key.private_key) for key in protocol.actors.keys]
        self.consensus = Gwei(0)
        self.withdrawn = Gwei(0)

    def gas(self, operation: str, receipt: object) -> None:
        self.figures[operation] = receipt.gas_used

    def deposit(self, validators: int) -> None:
        items = [(bytes([i]) * 48, bytes([i]) * 96, 32 * 10**9) for i in range(1, validators + 1)]
        self.p.vault.depositToBeacon(items, sender=self.p.actors.depositor)
        self.consensus = Gwei(self.consensus + validators * 32 * 10**9)

    def report(self) -> object:
        """The next frame's report: validators earned, one ether was swept, the rewards vault holds MEV."""
        p = self.p
        _, _, deadline, _ = p.oracle.expected()
        ape.chain.pending_timestamp = deadline + 2_000
        ape.chain.mine()
        slot, reference_time, _, _ = p.oracle.expected()
        publish_root(p, reference_time + p.oracle.SECONDS_PER_SLOT(), b"\x11" * 32)
        p.actors.other.transfer(p.rewards, ETHER // 100)
        ape.chain.provider.make_request("anvil_setBalance", [p.gateway.address, hex(ETHER)])
        self.withdrawn = Gwei(self.withdrawn + 10**9)
        self.consensus = Gwei(self.consensus + 3 * 10**7 - 10**9)
        _, deposited, _, _ = p.vault.consensus()
        report = Report(
            reference_slot=Slot(slot),
            beacon_root=b"\x11" * 32,
            balances_root=b"\x22" * 32,
            validators=10,
            consensus_balance=self.consensus,
            provision=Gwei(0),
            faults=Gwei(0),
            withdrawn=self.withdrawn,
            deposited=Gwei(deposited),
            rewards=Wei(ETHER // 100),
        )
        signatures = gather(sign(report, self.domain, key) for key in self.keys[:5])
        return p.oracle.submit(report.as_tuple(), signatures, sender=p.actors.stranger)


@pytest.fixture(scope="module")
def bench(protocol: Protocol) -> Bench:
    return Bench(protocol)


def measure_user_calls(b: Bench) -> None:
    p, me, new = b.p, b.p.actors.staker, b.p.actors.other
    b.gas("stake, first", p.vault.stake(me, 0, ZERO, sender=me, value=1_000 * ETHER))
    b.gas("stake, repeat", p.vault.stake(me, 0, ZERO, sender=me, value=10 * ETHER))
    b.gas("transfer slETH, new holder", p.token.transfer(new, ETHER, sender=me))
    b.gas("transfer slETH, existing holder", p.token.transfer(new, ETHER, sender=me))

    p.token.approve(p.rebasing, 2**256 - 1, sender=me)
    p.rebasing.wrap(ETHER, sender=me)
    p.token.transfer(p.actors.stranger, ETHER, sender=me)
    b.gas("wrap rslETH", p.rebasing.wrap(ETHER, sender=me))
    b.gas("unwrap rslETH", p.rebasing.unwrap(ETHER // 2, sender=me))


def measure_reports(b: Bench) -> None:
    b.deposit(10)
    b.report()  # the first fills slots for the first time
    b.report()
    b.gas("daily report, 5 of 9", b.report())


def measure_queue(b: Bench) -> None:
    p, me, other = b.p, b.p.actors.staker, b.p.actors.other
    small = ETHER // 100
    p.vault.stake(other, 0, ZERO, sender=other, value=10 * ETHER)
    p.queue.request(small, other, sender=other)  # the queue has been used before
    b.gas("request, first", p.queue.request(small, me, sender=me))
    b.gas("request, repeat", p.queue.request(small, me, sender=me))
    one = p.queue.requestBatch([small], me, sender=me).gas_used
    ten = p.queue.requestBatch([small] * 10, me, sender=me).gas_used
    b.figures["request, each further in a batch"] = round((ten - one) / 9)

    least = p.queue.MIN_REQUEST()
    first = p.queue.lastRequestId() + 1
    for _ in range(25):
        p.queue.requestBatch([least] * 404, me, sender=me, gas_limit=29_000_000)
    p.queue.request(least, me, sender=me)  # stays open: an emptied queue would get a refund
    b.report()
    p.queue.finalize(first - 1, sender=p.actors.stranger)
    b.gas("finalize 1 request", p.queue.finalize(first, sender=p.actors.stranger))
    b.gas("finalize 100 requests", p.queue.finalize(first + 99, sender=p.actors.stranger))
    b.gas("finalize 10,000 requests", p.queue.finalize(first + 10_099, sender=p.actors.stranger))

    b.gas("claim with hint", p.queue.claim(first + 1, 3, me, sender=me))
    single = p.queue.claimBatch([first + 2], [3], me, sender=me).gas_used
    eight = p.queue.claimBatch([first + i for i in range(3, 11)], [3] * 8, me, sender=me).gas_used
    b.figures["claim, each further in a batch"] = round((eight - single) / 7)


def measure_exits(b: Bench) -> None:
    """By the account that stands in for the validator manager, in a block of its own, on storage that has been used."""
    gateway, manager = b.p.gateway, b.p.actors.depositor
    keys = [bytes([n]) * 48 for n in range(1, 12)]

    def ask(count: int) -> int:
        for slot in range(4):  # excess, count, head, tail: as the end of the block before left them
            parameters = ["0x00000961Ef480Eb55e80D19ad83579A64c007002", f"0x{slot:064x}", f"0x{0:064x}"]
            ape.chain.provider.make_request("anvil_setStorageAt", parameters)
        return int(gateway.requestWithdrawals(keys[:count], [0] * count, manager, sender=manager, value=count).gas_used)

    ask(11)
    one, eleven = ask(1), ask(11)
    b.figures["EIP-7002 request through the gateway, one"] = one
    b.figures["EIP-7002 request, each further"] = round((eleven - one) / 10)


def measure_deployment(b: Bench) -> None:
    contracts = b.p.result.registry.contracts
    b.figures["deploy everything"] = sum(contracts[name].gas_used for name in CORE_ISSUE)


STAGES: tuple[Callable[[Bench], None], ...] = (
    measure_user_calls,
    measure_reports,
    measure_queue,
    measure_exits,
    measure_deployment,
)


def test_gas_is_within_bounds_and_no_worse_than_committed(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    for stage in STAGES:
        stage(bench)
    known = committed()
    if os.environ.get("UPDATE"):
        commit(bench.figures)
        known = committed()
    with capsys.disabled():
        print("\n" + render(bench.figures, known))
    assert complaints(bench.figures, known) == []
