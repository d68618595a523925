"""What every operation costs: receipts' `gasUsed` on anvil, each row a transaction of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import ape
import pytest
from eth_account import Account

from sluice.beacon import proofs
from sluice.oracle.report import Report
from sluice.oracle.signing import OracleDomain, gather, sign
from sluice.units import Gwei, Slot, Wei
from tests.basket import World, config, swap_in, swap_out
from tests.challenging import Committee, ForgedTree, flat
from tests.gas.table import CORE_ISSUE, commit, committed, complaints, render
from tests.helpers import publish_root
from tests.lst import Foreign
from tests.made import Beacon, MadeDeposit, MadeValidator, next_deposit, proof_of, prove, pubkey_of, publish
from tests.protocol import Protocol
from tests.proving import prove_implementation
from tests.small_core import DAY, NodeClock, SmallCore
from tests.typed_data import as_bytes, sign_permit

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
        self.committee: Committee

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
def bench(protocol: Protocol) -> Iterator[Bench]:
    """Each block a slot after the one before: what is due by time is due in every run, however quick the machine."""
    node = ape.chain.provider
    node.make_request("anvil_setBlockTimestampInterval", [12])
    yield Bench(protocol)
    node.make_request("anvil_removeBlockTimestampInterval", [])


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


def measure_pool(b: Bench) -> None:
    """A pool with ether and slETH in it, used before by the same holder."""
    p, me = b.p, b.p.actors.staker
    forever = 2**48
    p.token.approve(p.pool, 2**256 - 1, sender=me)
    p.pool.addLiquidity(100 * ETHER, 0, p.actors.other, forever, sender=me, value=100 * ETHER)
    p.pool.sell(ETHER, 0, me, forever, sender=me)
    b.gas("instant exit, exact in", p.pool.sell(ETHER, 0, me, forever, sender=me))
    b.gas("instant exit, exact out", p.pool.sellFor(ETHER, 2 * ETHER, me, forever, sender=me))
    b.gas("add liquidity, first", p.pool.addLiquidity(ETHER, 0, me, forever, sender=me, value=ETHER))
    b.gas("add liquidity, repeat", p.pool.addLiquidity(ETHER, 0, me, forever, sender=me, value=ETHER))
    b.gas("remove liquidity", p.pool.removeLiquidity(ETHER, 0, 0, me, sender=me))
    b.gas("add slETH alone", p.pool.addLiquidity(ETHER, 0, me, forever, sender=me))
    b.gas("stake from the pool", p.pool.stake(me, 0, ZERO, sender=me, value=ETHER))
    p.pool.sellFor(60 * ETHER, 100 * ETHER, me, forever, sender=me)
    b.gas("hand the pool's slETH in", p.pool.replenish(sender=p.actors.stranger))
    b.gas("remove liquidity, part of it in the queue", p.pool.removeLiquidity(ETHER // 2, 0, 0, me, sender=me))
    p.queue.request(ETHER, me, sender=me)
    p.queue.setApprovalForAll(p.pool, True, sender=me)
    b.gas("sell a request", p.pool.sellRequest(p.queue.lastRequestId(), True, 0, me, forever, sender=me))

    p.pool.payTreasury(sender=me)
    p.pool.stake(me, 0, ZERO, sender=me, value=200 * ETHER)
    assert p.pool.legs()[1] == 0, "all of its slETH is bought"
    b.gas("instant exit, the pool without slETH", p.pool.sell(ETHER, 0, me, forever, sender=me))
    p.token.approve(p.pool, 0, sender=me)
    permit = sign_permit(p.token, me, spender=p.pool, value=ETHER, nonce=p.token.nonces(me), deadline=forever)
    sale = p.pool.sellWithPermit(ETHER, 0, me, forever, as_bytes(permit), sender=me)
    b.gas("instant exit with a permit, first", sale)


def measure_collecting(b: Bench) -> None:
    """Who adds or removes collects what the queue has paid, where nobody has: three requests at most."""
    p, me, other, forever = b.p, b.p.actors.staker, b.p.actors.other, 2**48
    p.token.approve(p.pool, 2**256 - 1, sender=me)
    p.pool.addLiquidity(0, 0, other, forever, sender=other, value=10 * ETHER)

    def pay(count: int) -> None:
        for _ in range(count):
            assets, _, awaited = p.pool.legs()
            spare = max(0, assets + p.vault.convertToAssets(awaited) - p.pool.target())
            p.pool.sellFor(spare + ETHER // 5, 10 * ETHER, me, forever, sender=me)
            p.pool.replenish(sender=me)
        p.queue.request(ETHER // 10, me, sender=me)  # stays open
        b.report()
        p.queue.finalize(p.queue.lastRequestId() - 1, sender=me)

    pay(1)
    p.pool.collect(1, sender=me)
    for count, requests in ((1, "a paid request"), (3, "3 paid requests")):
        pay(count)
        added = p.pool.addLiquidity(0, 0, other, forever, sender=other, value=ETHER)
        b.gas(f"add liquidity, {requests} to collect", added)
        pay(count)
        removed = p.pool.removeLiquidity(ETHER, 0, 0, other, sender=other)
        b.gas(f"remove liquidity, {requests} to collect", removed)
        assert p.pool.requests()[0] == 0


def measure_farm(b: Bench) -> None:
    """slETH is staked, wrapped ether is earned, in one stream among three that others have added."""
    p, me, other, stranger = b.p, b.p.actors.staker, b.p.actors.other, b.p.actors.stranger
    weth, farm = p.weth, p.farm
    weth.deposit(sender=other, value=30 * ETHER)
    weth.approve(farm, 2**256 - 1, sender=other)
    start = ape.chain.blocks.head.timestamp + 100
    for _ in range(3):
        b.gas("farm: add a stream", farm.addStream(p.token, weth, 10 * ETHER, start, start + 10 * 86_400, sender=other))
    for who in (me, other, stranger):
        p.token.approve(farm, 2**256 - 1, sender=who)
    farm.stake(p.token, ETHER, other, [1], sender=other)
    without = farm.stake(p.token, ETHER // 2, stranger, [], sender=stranger)
    b.gas("farm: stake, first, without a stream", without)
    b.gas("farm: stake, first", farm.stake(p.token, ETHER, me, [1], sender=me))
    ape.chain.mine(deltatime=86_400)
    b.gas("farm: stake, repeat", farm.stake(p.token, ETHER, me, [], sender=me))
    b.gas("farm: claim one token, first", farm.claim([1], me, sender=me))
    ape.chain.mine(deltatime=86_400)
    b.gas("farm: claim one token, repeat", farm.claim([1], me, sender=me))
    ape.chain.mine(deltatime=86_400)
    b.gas("farm: exit", farm.exit(p.token, me, sender=me))


def measure_basket(b: Bench) -> None:
    """slETH, a token that is no proxy and tells its rate itself, and others' with all that their rates are read from
    (cbETH as on mainnet: its proxy, pinned and proven; what its transfers read and write), in a core and a basket whose
    governance acts at once."""
    me, governance = b.p.actors.staker, b.p.actors.other
    core = SmallCore.deploy(ape.project, governance, b.p.actors.treasury)
    core.stake(me, 120 * ETHER)
    core.touch()
    world = World.deploy(ape.project, governance, core.vault)
    foreign = Foreign(ape.project, governance, world.manager, NodeClock())
    plain, cbeth = foreign.cbeth(106 * 10**16), foreign.fiat_token(105 * 10**16, 2 * DAY)
    prove_implementation(cbeth, me)
    for lst in (plain, cbeth):
        lst.token.mint(me, 100 * ETHER, sender=me)

    def list_(token: object, rate: object) -> None:
        world.basket.addToken(token, config(rate, exactTransfers=True), sender=governance)
        token.approve(world.basket, 2**256 - 1, sender=me)
        world.basket.addLiquidity(token, 20 * ETHER, 0, me, sender=me)

    list_(core.token, core.vault)
    list_(plain.token, plain.provider)
    for swap, exact in ((swap_in, "in"), (swap_out, "out")):
        b.gas(f"basket: swap into slETH, exact {exact}", swap(world.basket, plain.token, core.token, ETHER, me))
        b.gas(f"basket: swap out of slETH, exact {exact}", swap(world.basket, core.token, plain.token, ETHER, me))
    b.gas("basket: add one token", world.basket.addLiquidity(core.token, ETHER, 0, me, sender=me))
    b.gas("basket: remove all", world.basket.removeAll(ETHER, [0, 0], me, sender=me))
    list_(cbeth.token, cbeth.provider)
    for swap, exact in ((swap_in, "in"), (swap_out, "out")):
        b.gas(f"basket: swap cbETH into slETH, exact {exact}", swap(world.basket, cbeth.token, core.token, ETHER, me))
        b.gas(f"basket: swap slETH into cbETH, exact {exact}", swap(world.basket, core.token, cbeth.token, ETHER, me))
    others = {
        "wstETH": foreign.wsteth(118 * 10**16),
        "rETH": foreign.reth(112 * 10**16),
    }
    for name, lst in others.items():
        lst.token.mint(me, 100 * ETHER, sender=me)
        list_(lst.token, lst.provider)
        b.gas(f"basket: swap {name} into slETH", swap_in(world.basket, lst.token, core.token, ETHER, me))
    swap = swap_in(world.basket, others["wstETH"].token, others["rETH"].token, ETHER, me)
    b.gas("basket: swap wstETH into rETH", swap)


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
    """By the keeper, and forced by a stranger; each in a block of its own, on storage that has been used."""
    p, stranger = b.p, b.p.actors.stranger
    keys = b.committee.keys
    predeploy = "0x00000961Ef480Eb55e80D19ad83579A64c007002"
    for slot in range(4, 4 + 3 * 16):  # requests of blocks before lie there
        parameters = [predeploy, f"0x{slot:064x}", f"0x{1:064x}"]
        ape.chain.provider.make_request("anvil_setStorageAt", parameters)
    rest = p.vault.depositable() // 10**9 - 10**6  # requests earn until the block that deposits
    p.vault.depositToBeacon([(b"\x77" * 48, b"\x77" * 96, rest)], sender=p.actors.depositor)

    def empty() -> None:
        for slot in range(4):  # excess, count, head, tail: as the end of the block before left them
            parameters = [predeploy, f"0x{slot:064x}", f"0x{0:064x}"]
            ape.chain.provider.make_request("anvil_setStorageAt", parameters)

    def ask(count: int) -> int:
        empty()
        amounts = [0] * count
        keeper = p.actors.depositor
        return int(p.manager.requestExits(keys[:count], amounts, sender=keeper, value=count).gas_used)

    one, nine = ask(1), ask(9)
    b.figures["EIP-7002 request by the keeper, one"] = one
    b.figures["EIP-7002 request, each further"] = round((nine - one) / 8)

    def force(count: int) -> int:
        empty()
        wanted = 40 * count * ETHER
        p.queue.request(wanted, p.actors.staker, sender=p.actors.staker)
        ape.chain.mine(deltatime=8 * 86_400)
        cursor = p.manager.exitCursor()
        chosen = keys[cursor : cursor + count]
        tx = p.manager.forceExits(p.queue.lastRequestId(), chosen, sender=stranger, value=2 * count)
        assert len(tx.events.filter(p.manager.ExitForced)) == count
        return int(tx.gas_used)

    force(1)
    one, six = force(1), force(6)
    b.figures["exit forced by a stranger, one"] = one
    b.figures["exit forced, each further"] = round((six - one) / 5)


def measure_deployment(b: Bench) -> None:
    contracts = b.p.result.registry.contracts
    b.figures["deploy the core"] = sum(contracts[name].gas_used for name in CORE_ISSUE)


def measure_validators(b: Bench) -> None:
    """Proofs from a state with a million validators, as mainnet has them."""
    p = b.p
    found = Committee.found(p, validators=1, prepared=0)
    b.committee = found
    operator, key = 1, pubkey_of("measured")
    b.gas(
        "prepare a validator, with its deposit",
        p.manager.prepare(operator, key, bytes(range(1, 97)), sender=p.actors.other),
    )
    credentials = bytes(p.vault.CREDENTIALS())
    found.beacon.validators.append(MadeValidator(key, credentials, balance=10**9, effective=10**9))
    found.beacon.crowd = 10**6
    b.gas("prove a validator", prove(p, found.beacon, key))
    found.keys.append(key)
    found.beacon.crowd = 0
    for number in range(10):
        more = pubkey_of(f"more {number}")
        p.manager.prepare(operator, more, bytes(96), sender=p.actors.other)
        found.beacon.validators.append(MadeValidator(more, credentials, balance=10**9, effective=10**9))
        prove(p, found.beacon, more)
        found.keys.append(more)

    def top_up(keys: list[bytes]) -> int:
        return int(p.manager.stake([(each, 40 * 10**9) for each in keys], sender=p.actors.depositor).gas_used)

    top_up(found.keys[1:2])
    one, nine = top_up(found.keys[1:2]), top_up(found.keys[2:11])
    b.figures["top-up of one validator"] = one
    b.figures["top-up, each further"] = round((nine - one) / 8)
    with ape.chain.isolate():
        b.gas("prove what has returned", prove_returned(p, found.beacon, found.keys[1]))


def prove_returned(p: Protocol, beacon: Beacon, key: bytes) -> object:
    """Of a million validators, while a thousand deposits of others are pending."""
    beacon = Beacon([*beacon.validators], [MadeDeposit(pubkey_of("x"), 10**9, slot=10**9)] * 1_000, crowd=10**6)
    ape.chain.mine(deltatime=86_400)
    tree, index = beacon.tree(1), beacon.index(key)
    balance = proofs.balance_proof(tree, index)
    proof = proof_of(tree, index, publish(p, tree, ape.chain.blocks.head.timestamp))
    return p.manager.proveReturned(
        proof, balance.balances, balance.branch, *next_deposit(tree), sender=p.actors.stranger
    )


def measure_challenge(b: Bench) -> None:
    """A false balance among a thousand, proven from a state with a million; five members pay."""
    p, found = b.p, b.committee
    found.beacon.crowd = 10**6
    leaves = found.leaves()
    items = flat(leaves)
    items[1] = (bytes(32), items[1][1] + 10**9)
    items[2] = (bytes(32), 0)
    items[2] = (bytes(32), p.vault.outside() // 10**9 - sum(amount for _, amount in items))  # no gain, no loss
    # the committee says that there are a thousand: each further level of the tree costs what these do
    items += [(bytes(32), 0)] * (1_000 - len(items))
    tree = ForgedTree(items, (len(leaves.balances), len(leaves.deposits), 1_000 - len(leaves.balances)))
    _, deposited, swept, _ = p.vault.consensus()
    given = found.report(tree, withdrawn=swept, consensus_balance=tree.total, deposited=deposited)
    report, signatures = given.as_tuple(), found.submit(given)
    evidence = found.balance(found.keys[1])
    opening = tree.open(1).as_tuple()
    b.gas("challenge", p.challenge.challengeLeaf(report, signatures, opening, evidence, sender=p.actors.stranger))
    assert p.oracle.halted()


STAGES: tuple[Callable[[Bench], None], ...] = (
    measure_user_calls,
    measure_reports,
    measure_queue,
    measure_collecting,
    measure_validators,
    measure_exits,
    measure_challenge,
    measure_deployment,
    measure_pool,
    measure_farm,
    measure_basket,
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
