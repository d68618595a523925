"""Against the instant pool and those who provide for it: requests taken out at par, re-entry, reports, dust, odd
receivers (rows A, C, D1, G, H and I of docs/security.md). In process, with the real core."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from ape import project
from eth_abi import encode
from eth_utils import keccak

from tests.in_process import Process, Reverted
from tests.pooling import BPS, FOREVER, Pool
from tests.small_core import DAY, ETHER, GWEI, ZERO, SmallCore

INFINITE = 2**256 - 1
MIN_BOUGHT = ETHER // 10


class World:
    """A provider with most of the pool, an attacker with more slETH than all of it, and a holder who trades."""

    def __init__(self, assets: int = 99 * ETHER, worth: int = 0) -> None:
        self.process = Process()
        self.governance, fees, self.provider, self.attacker, self.holder, self.stranger, treasury = (
            self.process.account(i) for i in range(7)
        )
        self.core = SmallCore.deploy(project, self.governance, fees, self.process)
        for each in (self.provider, self.attacker, self.holder):
            self.core.stake(each, 20_000 * ETHER)
        self.core.earn(6_000 * ETHER)  # what a loss can take, and a rate that divides nothing
        self.pool = Pool.deploy(project, self.core, treasury)
        self.contract = self.pool.contract
        for each in (self.provider, self.attacker, self.holder):
            self.allow(each)
        self.contract.addLiquidity(
            self.shares_for(worth), 0, self.provider, FOREVER, sender=self.provider, value=assets
        )
        self.core.vault.setDepositor(self.governance, True, sender=self.governance)
        self.errors = {
            "0x" + keccak(text=error.selector)[:4].hex(): error.name
            for kind in (self.contract, self.core.queue, self.core.vault, self.core.token)
            for error in kind.contract_type.errors
        }

    def allow(self, who: Any) -> None:
        self.core.token.approve(self.contract, INFINITE, sender=who)
        self.core.queue.setApprovalForAll(self.contract, True, sender=who)

    def shares_for(self, wei: int) -> int:
        return wei * self.core.supply // self.core.total

    def wealth(self, who: Any) -> Fraction:
        return who.balance + self.core.token.balanceOf(who) * self.core.rate

    def sell_out(self) -> None:
        """The holder takes all ether, and what the target allows waits in the queue."""
        self.contract.sellFor(self.pool.assets, INFINITE, self.holder, FOREVER, sender=self.holder)
        self.contract.replenish(sender=self.stranger)

    def sell_request(self, who: Any, shares: int, for_ether: bool = False) -> int:
        request = int(self.core.queue.request(shares, who, sender=who))
        self.contract.sellRequest(request, for_ether, 0, who, FOREVER, sender=who)
        return request

    def cover(self) -> None:
        """A report without news that covers all requests made before."""
        self.process.pass_time(60)
        self.core.touch()

    def pay(self, up_to: int = 0) -> None:
        """What a report has covered is paid and collected; anybody can."""
        last = up_to or int(self.core.queue.finalizable())
        if last > self.core.queue.lastFinalizedId():
            self.core.queue.finalize(last, sender=self.stranger)
        self.contract.collect(1_000, sender=self.stranger)

    def report(self, gain: int = 0) -> None:
        """Of a gain in gwei; nothing of it has vested when it returns."""
        self.process.pass_time(12)
        report = {"referenceTime": self.process.now - 1, "consensusBalance": self.core.gained + gain, "provision": 0}
        report |= {"faults": 0, "withdrawn": 0, "deposited": 0, "rewards": 0}
        self.core.vault.report(report, sender=self.governance)

    def slash(self) -> None:
        self.process.pass_time(60)
        self.core.vault.noteSlashing(sender=self.governance)

    def lose(self, part: Fraction) -> None:
        self.core.lose(int(self.core.total * part))

    def claim_all(self, rest: int, owner: Any) -> None:
        """Everything of a rest, whose requests have all been paid."""
        while True:
            _, left = self.contract.claimRest(rest, owner, sender=self.stranger)
            if not left:
                return
            rest = left

    def gas(self, call: Any, *args: Any, **kwargs: Any) -> int:
        call(*args, **kwargs)
        return int(self.process.evm.result.gas_used)

    def refused(self, call: Any, *args: Any, **kwargs: Any) -> str:
        """The error of a call that must fail."""
        with pytest.raises(Reverted) as caught:
            call(*args, **kwargs)
        return self.errors.get("0x" + caught.value.data[:4].hex(), "0x" + caught.value.data.hex())


# --- I: requests of the pool are no cheaper than its ether ---


@pytest.mark.parametrize("ether", [100, 1_000, 15_000])
def test_I2_slETH_put_in_for_a_moment_takes_no_request_out_for_less_than_a_sale(ether):
    """The pool's request can be paid in this very transaction: slETH in, finalise, collect, liquidity out."""
    world = World(worth=100 * ETHER)
    world.sell_out()
    world.cover()
    c, attacker, process = world.contract, world.attacker, world.process
    before, balance = world.wealth(attacker), attacker.balance
    snapshot = process.evm.snapshot()
    liquidity = c.addLiquidity(ether * ETHER, 0, attacker, FOREVER, sender=attacker)
    world.pay()
    c.removeLiquidity(liquidity, 0, 0, attacker, sender=attacker)
    got, cost = attacker.balance - balance, before - world.wealth(attacker)
    assert got > ETHER

    process.evm.revert(snapshot)
    world.pay()
    c.sellFor(got, INFINITE, attacker, FOREVER, sender=attacker)
    assert cost >= before - world.wealth(attacker) - 10


@pytest.mark.parametrize(
    ("drained", "ether", "worth", "refused"),
    [(True, 0, 15_000, True), (False, 380, 2_000, True), (False, 2_000, 500, False)],
)
def test_I1_no_door_at_the_old_rate_once_a_slashing_is_proven(drained, ether, worth, refused):
    """slETH put in, alone or beside ether, for requests that are paid at the old rate: refused, or without a gain."""
    world = World(worth=100 * ETHER)
    world.sell_out()
    c, core, attacker = world.contract, world.core, world.attacker
    if not drained:
        c.stake(world.holder, 0, ZERO, sender=world.holder, value=20 * ETHER)
    world.cover()
    world.slash()
    request = int(core.queue.finalizable())
    assert request > 0
    snapshot = world.process.evm.snapshot()

    def after_the_loss() -> tuple[Fraction, Fraction]:
        world.lose(Fraction(5, 100))
        kept = world.pool.assets + (world.pool.shares + world.pool.awaited) * core.rate
        return kept / world.pool.supply, world.wealth(attacker)

    world.pay(request)
    alone, idle = after_the_loss()
    world.process.evm.revert(snapshot)
    args = (world.shares_for(worth * ETHER), 0, attacker, FOREVER)
    if refused:
        assert world.refused(c.addLiquidity, *args, sender=attacker, value=ether * ETHER) == "SlashingPending"
        return
    liquidity = c.addLiquidity(*args, sender=attacker, value=ether * ETHER)
    *_, rest, _ = c.removeLiquidity(liquidity, 0, 0, attacker, sender=attacker)
    world.pay(request)
    world.claim_all(rest, attacker)
    shared, busy = after_the_loss()
    assert busy <= idle + 10
    assert shared >= alone - Fraction(10, world.pool.supply)


def two_requests() -> tuple[World, int]:
    """Two providers with half each. The older of two requests is covered by a report, the younger is not."""
    world = World(assets=50 * ETHER)
    leaver = world.attacker
    world.contract.addLiquidity(0, 0, leaver, FOREVER, sender=leaver, value=49 * ETHER)
    world.sell_out()
    world.cover()
    older = int(world.core.queue.lastRequestId())
    world.process.pass_time(60)
    world.sell_request(world.holder, world.pool.shares)
    return world, older


@pytest.mark.parametrize("paid", [True, False])
def test_I1_who_leaves_before_a_loss_is_counted_takes_no_request_that_was_paid(paid):
    """The older is paid at the old rate, the younger bears a loss of 5%. Once paid it is shared by all.

    Not paid yet it belongs to who leaves first. That is worth no more than the loss on what of it was the others'.
    """
    world, older = two_requests()
    c, core, pool, leaver = world.contract, world.core, world.pool, world.attacker
    loss, mine = Fraction(5, 100), Fraction(c.balanceOf(leaver), pool.supply)
    held, before = core.token.balanceOf(leaver), leaver.balance
    _, size, _, ether, *_ = core.queue.getRequest(older)
    if paid:
        core.queue.finalize(older, sender=world.stranger)
        world.lose(loss)
    liquidity, other = c.balanceOf(leaver), pool.awaited + pool.shares - size
    *_, rest, size = c.removeLiquidity(liquidity, 0, 0, leaver, sender=leaver)
    if not paid:
        world.pay(older)
        world.lose(loss)
    fair = mine * (ether + other * core.rate)
    world.cover()
    world.pay()
    if size:
        world.claim_all(rest, leaver)
    got = leaver.balance - before + (core.token.balanceOf(leaver) - held) * core.rate
    most = 0 if paid else (1 - mine) * ether * loss
    assert fair - 2 * GWEI <= got <= fair + most + GWEI


@pytest.mark.parametrize("seed", range(3))
def test_I2_no_walk_at_one_rate_takes_from_who_stays(seed):
    """Any calls of one attacker, payments from the queue among them: nothing falls per liquidity, paid or not."""
    world = World(worth=60 * ETHER)
    c, attacker, pool, draw = world.contract, world.attacker, world.pool, random.Random(seed)  # noqa: S311

    def amount(most: int) -> int:
        return draw.choice([draw.randint(1, 10**6), draw.randint(0, most), most])

    def add() -> None:
        ether, shares = draw.choice([0, amount(300 * ETHER)]), draw.choice([0, amount(300 * ETHER)])
        c.addLiquidity(shares, 0, attacker, FOREVER, sender=attacker, value=ether)

    def remove() -> None:
        c.removeLiquidity(amount(c.balanceOf(attacker)), 0, 0, attacker, sender=attacker)

    moves: list[Any] = [
        add,
        remove,
        remove,
        lambda: c.sell(amount(200 * ETHER), 0, attacker, FOREVER, sender=attacker),
        lambda: c.sellFor(amount(pool.assets), INFINITE, attacker, FOREVER, sender=attacker),
        lambda: c.stake(attacker, 0, ZERO, sender=attacker, value=amount(200 * ETHER)),
        lambda: world.sell_request(attacker, max(MIN_BOUGHT, amount(100 * ETHER)), draw.random() < 0.5),
        lambda: c.replenish(sender=attacker),
        world.cover,
        world.pay,
    ]
    before, done = (pool.standing, pool.standing_once_paid), 0
    for _ in range(150):
        move = draw.choice(moves)
        snapshot = world.process.evm.snapshot()
        try:
            move()
            done += 1
        except Reverted:
            world.process.evm.revert(snapshot)
        after = (pool.standing, pool.standing_once_paid)
        for now, then in zip(after, before, strict=True):
            assert now >= then - Fraction(20 * ETHER, pool.supply), move
        before = after
    assert done > 60


def test_I1_ether_sold_before_a_loss_costs_providers_no_more_than_slETH_of_the_same_worth():
    """The worst moment: all ether goes at the old rate, then a report takes 5%. The bound is exact; fees are on top."""
    world = World(worth=0)
    c, pool, core = world.contract, world.pool, world.core
    before, rate = Fraction(pool.assets), core.rate
    c.sellFor(pool.assets, INFINITE, world.attacker, FOREVER, sender=world.attacker)
    fee = pool.shares * rate - before
    assert pool.assets == 0
    assert fee > 0
    world.lose(Fraction(5, 100))
    after = pool.shares * core.rate
    assert after == (before + fee) * core.rate / rate  # a holder of slETH has `before` times the same
    assert Fraction(5, 100) - Fraction(1, 10**9) < 1 - core.rate / rate < Fraction(5, 100) + Fraction(1, 10**9)


# --- D: reports ---


@pytest.mark.parametrize("vested", [False, True])
def test_D1_a_sandwich_around_a_report_gains_nothing(vested):
    """All slETH of the pool bought before a report of a day at 4% and sold after it, at once or when all has vested."""
    world = World(worth=100 * ETHER)
    c, core, attacker = world.contract, world.core, world.attacker
    before = attacker.balance
    shares = c.stake(attacker, 0, ZERO, sender=attacker, value=world.core.worth(world.pool.shares))
    rate = core.rate
    world.report(core.total * 4 // 100 // 365 // GWEI)
    assert abs(core.rate - rate) < Fraction(1, 10**15)
    world.process.pass_time(30 * DAY if vested else 12)
    assert core.rate > rate
    world.report()
    c.sell(shares, 0, attacker, FOREVER, sender=attacker)
    assert attacker.balance < before


def test_D1_liquidity_for_the_length_of_a_report_gains_nothing():
    """Ether in before the report, out after it: what providers gain is in slETH, and that has not vested."""
    world = World(worth=100 * ETHER)
    c, core, attacker = world.contract, world.core, world.attacker
    before = world.wealth(attacker) - core.token.balanceOf(attacker) * core.rate
    held = core.token.balanceOf(attacker)
    c.addLiquidity(0, 0, attacker, FOREVER, sender=attacker, value=10_000 * ETHER)
    world.report(100 * ETHER // GWEI)
    c.removeLiquidity(c.balanceOf(attacker), 0, 0, attacker, sender=attacker)
    after = world.wealth(attacker) - held * core.rate
    assert before - GWEI <= after <= before


# --- H: re-entry ---


class Reentrant:
    """A contract with slETH, liquidity, a request and a rest, all of its own, beside what the world has."""

    def __init__(self) -> None:
        self.world = world = World(worth=100 * ETHER)
        core, c = world.core, world.contract
        self.contract = world.governance.deploy(project.ReentrantRecipient)
        core.token.transfer(self.contract, 5_000 * ETHER, sender=world.attacker)
        self.does(core.token, "approve", c, INFINITE)
        self.does(core.queue, "setApprovalForAll", c, True)
        c.addLiquidity(0, 0, self.contract, FOREVER, sender=world.holder, value=30 * ETHER)
        c.sellFor(world.pool.assets * 3 // 4, INFINITE, world.holder, FOREVER, sender=world.holder)
        c.replenish(sender=world.stranger)
        self.does(c, "removeLiquidity", 10 * ETHER, 0, 0, self.contract)
        self.does(c, "removeLiquidity", 5 * ETHER, 0, 0, self.contract)
        self.second = int(c.restOf(0)[1])
        world.cover()
        core.queue.finalize(core.queue.finalizable(), sender=world.stranger)
        c.collect(9, sender=world.stranger)
        c.sellFor(world.pool.assets // 4, INFINITE, world.holder, FOREVER, sender=world.holder)  # to be handed in
        for _ in range(4):
            self.does(core.queue, "request", ETHER, self.contract)
        self.first = int(core.queue.lastRequestId()) - 3

    def does(self, contract: Any, name: str, *args: Any) -> None:
        self.contract.execute(contract, contract.data_of(name, *args), sender=self.world.stranger)

    def data(self, name: str, *args: Any) -> tuple[Any, bytes]:
        return self.world.contract, self.world.contract.data_of(name, *args)

    @property
    def outer(self) -> dict[str, tuple[Any, bytes]]:
        """Every call that pays ether while it runs."""
        me, queue = self.contract, self.world.core.queue
        sale = encode(["bool", "uint256", "address", "uint256"], [True, 0, me.address, FOREVER])
        return {
            "sell": self.data("sell", 2 * ETHER, 0, me, FOREVER),
            "sellFor": self.data("sellFor", ETHER, INFINITE, me, FOREVER),
            "removeLiquidity": self.data("removeLiquidity", 3 * ETHER, 0, 0, me),
            "claimRest": self.data("claimRest", 0, me),
            "sellRequest": self.data("sellRequest", self.first, True, 0, me, FOREVER),
            "sent": (queue, queue.data_of("safeTransferFrom", me.address, self.world.contract, self.first, sale)),
        }

    @property
    def inner(self) -> dict[str, tuple[Any, bytes]]:
        """Every function that a stranger may call."""
        me, queue, first = self.contract, self.world.core.queue, self.first
        sale = encode(["bool", "uint256", "address", "uint256"], [True, 0, me.address, FOREVER])
        return {
            "sell": self.data("sell", ETHER, 0, me, FOREVER),
            "sellFor": self.data("sellFor", ETHER, INFINITE, me, FOREVER),
            "stake": self.data("stake", me, 0, ZERO),
            "addLiquidity": self.data("addLiquidity", 7 * ETHER, 0, me, FOREVER),
            "removeLiquidity": self.data("removeLiquidity", 4 * ETHER, 0, 0, me),
            "claimRest": self.data("claimRest", self.second, me),
            "claimTheSame": self.data("claimRest", 0, me),
            "sellRequest": self.data("sellRequest", first + 1, True, 0, me, FOREVER),
            "sellTheSame": self.data("sellRequest", first, False, 0, me, FOREVER),
            "swapRequest": self.data("sellRequest", first + 2, False, 0, me, FOREVER),
            "sent": (queue, queue.data_of("safeTransferFrom", me.address, self.world.contract, first + 3, sale)),
            "replenish": self.data("replenish"),
            "collect": self.data("collect", 5),
            "payTreasury": self.data("payTreasury"),
            "transfer": self.data("transfer", self.world.holder, ETHER),
        }

    @property
    def state(self) -> tuple[Any, ...]:
        c, core, me = self.world.contract, self.world.core, self.contract
        last = core.queue.lastRequestId()
        return (
            c.legs(),
            c.line(),
            c.totalSupply(),
            c.treasuryShares(),
            c.requests(),
            c.balance,
            me.balance,
            [core.token.balanceOf(each) for each in (c, me, core.queue)],
            [c.balanceOf(each) for each in (me, self.world.holder)],
            [core.queue.requestsOf(each.address, 1, last) for each in (c, me)],
            [c.restOf(each) for each in (0, self.second, c.line()[1])],
            core.total,
            core.supply,
        )


@pytest.mark.parametrize("outer", ["sell", "sellFor", "removeLiquidity", "claimRest", "sellRequest", "sent"])
def test_H1_re_entry_from_every_callback_is_the_sequential_run(outer):
    """Each function out of each payment: the same calls one after the other end the same."""
    actor = Reentrant()
    evm, me, stranger = actor.world.process.evm, actor.contract, actor.world.stranger
    target, data = actor.outer[outer]
    succeeded = set()
    for name, (inner, inner_data) in actor.inner.items():
        snapshot = evm.snapshot()
        me.arm([{"target": inner, "data": inner_data}], sender=stranger)
        me.execute(target, data, sender=stranger)
        ((success, _),) = me.outcomes()
        nested = actor.state
        evm.revert(snapshot)

        snapshot = evm.snapshot()
        me.execute(target, data, sender=stranger)
        try:
            me.execute(inner, inner_data, sender=stranger)
        except Reverted:
            assert not success, name
        else:
            assert success, name
            succeeded.add(name)
        assert actor.state == nested, name
        evm.revert(snapshot)
    refused = {"claimTheSame"} if outer == "claimRest" else set()
    refused |= {"sellTheSame"} if outer in ("sellRequest", "sent") else set()
    assert succeeded == set(actor.inner) - refused


VIEWS = ("legs", "totalValue", "target", "line", "requests", "totalSupply", "treasuryShares", "requireOpen")


@pytest.mark.parametrize("outer", ["sell", "sellFor", "removeLiquidity", "claimRest", "sellRequest", "sent"])
def test_H2_views_within_a_payment_say_what_they_say_after_it(outer):
    actor = Reentrant()
    c, core, me, stranger = actor.world.contract, actor.world.core, actor.contract, actor.world.stranger
    views = [(c, c.data_of(name)) for name in VIEWS]
    views += [(c, c.data_of("quoteSell", ETHER)), (c, c.data_of("quoteSellFor", ETHER))]
    views += [(c, c.data_of("quoteAdd", ETHER, ETHER)), (c, c.data_of("surchargeAt", ETHER))]
    views += [(c, c.data_of("restOf", 0)), (c, c.data_of("quoteSellRequest", actor.first + 1, True))]
    views += [(c, c.data_of("balanceOf", me.address)), (core.token, core.token.data_of("balanceOf", c.address))]
    views += [(core.vault, core.vault.data_of("rate")), (core.vault, core.vault.data_of("totalAssets"))]
    me.arm([{"target": to, "data": data} for to, data in views], sender=stranger)
    me.execute(*actor.outer[outer], sender=stranger)
    within = me.outcomes()
    assert len(within) == len(views)
    for (to, data), (success, result) in zip(views, within, strict=True):
        assert success
        assert result == actor.world.process.send(stranger.address, to.address, data, 0, is_static=True)


# --- C: dust and odd counterparts ---


def test_C6_a_request_of_dust_costs_its_sender_more_than_whoever_collects_it():
    """A hundred bought, a hundred handed in; a sale costs what it cost before."""
    world = World(worth=100 * ETHER)
    c, core, attacker, stranger = world.contract, world.core, world.attacker, world.stranger
    sale = world.gas(c.sell, ETHER, 0, world.holder, FOREVER, sender=world.holder)
    spent = 0
    for _ in range(100):
        spent += world.gas(core.queue.request, MIN_BOUGHT, attacker, sender=attacker)
        request = core.queue.lastRequestId()
        spent += world.gas(c.sellRequest, request, False, 0, attacker, FOREVER, sender=attacker)
    assert world.gas(c.sell, ETHER, 0, world.holder, FOREVER, sender=world.holder) <= sale
    world.cover()
    core.queue.finalize(core.queue.finalizable(), sender=stranger)
    assert world.gas(c.collect, 100, sender=stranger) < spent / 2
    assert c.requests() == (0, 0)


def test_C6_nobody_hands_in_dust_of_the_pool():
    """Handing in costs nothing but gas, and each request has to be collected before anybody leaves: in parts it would
    be cheaper to stop leavers than to free them."""
    world = World()
    c, pool = world.contract, world.pool
    c.sellFor(pool.assets - pool.target + MIN_BOUGHT // 2, INFINITE, world.holder, FOREVER, sender=world.holder)
    assert world.refused(c.replenish, sender=world.stranger) == "RequestTooSmall"
    assert c.requests() == (0, 0)
    c.sellFor(10 * ETHER, INFINITE, world.holder, FOREVER, sender=world.holder)
    c.replenish(sender=world.stranger)
    assert world.refused(c.replenish, sender=world.stranger) in ("NothingToReplenish", "RequestTooSmall")
    assert c.requests()[0] == 1


def test_requests_of_the_pool_are_nobodys_to_move():
    world = World(worth=50 * ETHER)
    world.sell_out()
    request, queue, attacker = int(world.core.queue.lastRequestId()), world.core.queue, world.attacker
    c = world.contract
    with pytest.raises(Reverted):
        queue.transferFrom(c, attacker, request, sender=attacker)
    with pytest.raises(Reverted):
        queue.safeTransferFrom(c, c, request, b"", sender=attacker)
    world.cover()
    queue.finalize(request, sender=attacker)
    assert world.refused(queue.claim, request, 1, attacker, sender=attacker) == "NotOwnerOrApproved"
    before = world.pool.assets
    queue.claim(request, 1, c, sender=attacker)  # to its owner
    c.collect(1, sender=attacker)
    assert world.pool.assets > before


@pytest.mark.parametrize("data", [b"", b"\x01", b"\xff" * 128, encode(["bool"], [True])])
def test_request_sent_with_odd_data_stays_with_its_owner(data):
    world = World(worth=50 * ETHER)
    queue, holder = world.core.queue, world.holder
    request = queue.request(ETHER, holder, sender=holder)
    with pytest.raises(Reverted):
        queue.safeTransferFrom(holder, world.contract, request, data, sender=holder)
    assert queue.ownerOf(request) == holder.address.lower()


def test_C5_receivers_of_the_protocol_itself_change_no_books():
    """The vault stakes for whoever pays it, so slETH comes back that nobody counts; queue and pool refuse ether."""
    world = World(worth=50 * ETHER)
    c, core, holder, pool = world.contract, world.core, world.holder, world.pool
    for receiver in (core.queue, c):
        refusal = world.refused(c.sell, ETHER, 0, receiver, FOREVER, sender=holder)
        assert refusal == "RecipientRejectedEther"
    held, ours = core.token.balanceOf(c), pool.shares
    c.sell(ETHER, 0, core.vault, FOREVER, sender=holder)
    assert core.token.balanceOf(c) - held > pool.shares + c.treasuryShares() - ours
    c.sell(ETHER, 0, core.gateway, FOREVER, sender=holder)
    assert c.balance == pool.assets
    assert world.refused(c.stake, core.token, 0, ZERO, sender=holder, value=ETHER) == "ERC20InvalidReceiver"


def test_ether_for_nobody_is_not_paid():
    world = World(worth=50 * ETHER)
    c, holder, provider = world.contract, world.holder, world.provider
    request = world.core.queue.request(ETHER, holder, sender=holder)
    nobody = ("sell", ETHER, 0, ZERO, FOREVER), ("sellFor", ETHER, INFINITE, ZERO, FOREVER)
    for name, *args in (*nobody, ("sellRequest", request, True, 0, ZERO, FOREVER)):
        assert world.refused(getattr(c, name), *args, sender=holder) == "AddressMissing"
    world.sell_out()
    with pytest.raises(Reverted):
        c.removeLiquidity(ETHER, 0, 0, ZERO, sender=provider)


def test_A5_a_sale_of_more_than_there_can_be_is_too_much():
    """Beyond 2^145 wei of worth the curve's figures would not fit into a word."""
    world = World()
    for bits in range(90, 181, 3):
        assert world.refused(world.contract.quoteSell, 2**bits) == "EtherTooLow"
    wraps = 2**256 // (2 * world.pool.target * BPS) + ETHER
    assert world.refused(world.contract.quoteSell, world.shares_for(wraps) + 1) == "EtherTooLow"


# --- A5: the ends of the curve ---


def imbalanced(power: int) -> World:
    """A pool of 4,000 ether in all, whose ether is worth 10^power of its slETH."""
    world = World(assets=1_999 * ETHER, worth=2_000 * ETHER)
    c, pool, holder, ratio = world.contract, world.pool, world.holder, Fraction(10) ** power
    if power < 0:
        left = int(4_000 * ETHER * ratio / (1 + ratio))
        c.sellFor(pool.assets - left, INFINITE, holder, FOREVER, sender=holder)
    elif power > 0:
        left = int(4_000 * ETHER / (1 + ratio))
        c.stake(holder, 0, ZERO, sender=holder, value=world.core.worth(pool.shares) - left)
    assert Fraction(9, 10) < pool.assets / (pool.shares * world.core.rate * ratio) < Fraction(11, 10)
    return world


class Watched:
    """Calls of the pool. Who makes one gains nothing by it, and no holder of liquidity loses, but for wei."""

    WEI = 5
    REFUSED = frozenset({"AmountIsZero", "EtherTooLow", "StakeBelowMinimum", "ERC20InsufficientBalance"})

    def __init__(self, world: World) -> None:
        self.world, self.pool, self.done = world, world.pool, Counter[str]()
        self.kept = self.keeps()

    def keeps(self) -> tuple[Fraction, Fraction]:
        """Of 1e18 of liquidity: what it is worth at the rate, wei, and its standing. Nothing waits in the queue."""
        pool = self.pool
        return (pool.assets + pool.shares * self.world.core.rate) * ETHER / pool.supply, pool.standing

    def wealth(self, who: Any) -> Fraction:
        return self.world.wealth(who) + self.pool.contract.balanceOf(who) * self.kept[0] / ETHER

    def does(self, who: Any, name: str, *args: Any, value: int = 0) -> None:
        """Refused by name, or done."""
        pool, rich = self.pool, self.wealth(who)
        try:
            getattr(pool.contract, name)(*args, sender=who, value=value)
        except Reverted as caught:
            refusal = self.world.errors["0x" + caught.data[:4].hex()]
        else:
            refusal = ""
        if refusal:
            assert refusal in self.REFUSED
            return
        self.done[name] += 1
        before, self.kept = self.kept, self.keeps()
        for now, then in zip(self.kept, before, strict=True):
            assert now >= then - Fraction(self.WEI * ETHER, pool.supply), name
        assert self.wealth(who) <= rich + self.WEI, name

    def trades_wei(self, who: Any) -> None:
        """All that there is, with a wei or a few."""
        for wei in (1, 2):
            self.does(who, "sell", wei, 0, who, FOREVER)
            self.does(who, "sellFor", wei, INFINITE, who, FOREVER)
            self.does(who, "stake", who, 0, ZERO, value=wei)
            for ether, shares in ((wei, 0), (0, wei), (wei, wei)):
                self.does(who, "addLiquidity", shares, 0, who, FOREVER, value=ether)
            self.does(who, "removeLiquidity", wei, 0, 0, who)

    def leaves(self, who: Any) -> None:
        if liquidity := self.pool.contract.balanceOf(who):
            self.does(who, "removeLiquidity", liquidity, 0, 0, who)
        assert self.pool.contract.balanceOf(who) == 0

    def takes_all_ether(self, who: Any) -> None:
        self.does(who, "sellFor", self.pool.assets, INFINITE, who, FOREVER)
        assert self.pool.assets == 0

    def takes_all_slETH(self, who: Any) -> None:
        """But for what the vault's least stake is kept back for."""
        if self.pool.shares:
            self.does(who, "stake", who, 0, ZERO, value=self.world.core.worth_up(self.pool.shares))
        assert self.world.core.worth(self.pool.shares) <= self.world.core.vault.MIN_STAKE()


@pytest.mark.parametrize("power", [-9, -4, 4, 9])
def test_A5_no_imbalance_no_drain_and_no_wei_takes_from_who_provides(power):
    """A pool of 1e-9 to 1e9 ether for each ether of slETH: traded by the wei, emptied of either, left by everybody and
    filled anew. Who fills it again has lost nothing by that but the fee of slETH.
    """
    world = imbalanced(power)
    watched, attacker, provider = Watched(world), world.attacker, world.provider
    before, there = watched.wealth(attacker), watched.wealth(provider)
    watched.trades_wei(attacker)
    for empty in (watched.takes_all_ether, watched.takes_all_slETH, watched.takes_all_ether):
        empty(attacker)
        watched.trades_wei(attacker)
    for who in (attacker, provider):
        watched.leaves(who)
        watched.trades_wei(attacker)
    watched.leaves(attacker)
    assert watched.wealth(provider) >= there - watched.WEI

    shares = world.shares_for(50 * ETHER)
    for empty in (watched.takes_all_ether, watched.takes_all_slETH):
        for ether, given in ((100 * ETHER, 0), (0, shares), (100 * ETHER, shares), (1, shares), (100 * ETHER, 1)):
            empty(attacker)
            rich = watched.wealth(provider)
            watched.does(provider, "addLiquidity", given, 0, provider, FOREVER, value=ether)
            fee = given * world.core.rate * world.pool.terms["maxFee"] / BPS
            assert watched.wealth(provider) >= rich - fee - watched.WEI
            watched.trades_wei(attacker)
            watched.leaves(attacker)
            watched.leaves(provider)
            assert watched.wealth(provider) >= rich - fee - 3 * watched.WEI
    assert watched.done.keys() == {"sell", "sellFor", "stake", "addLiquidity", "removeLiquidity"}
    assert watched.wealth(attacker) <= before


# --- Rests ---


def test_every_wei_of_a_rest_is_paid_and_no_more():
    """Providers leave in parts, requests are paid in parts, rests claimed in any order: what is left is the legs'."""
    draw = random.Random(7)  # noqa: S311
    world = World(worth=80 * ETHER)
    c, pool, provider, stranger = world.contract, world.pool, world.provider, world.stranger
    world.sell_out()
    for size in (3 * ETHER + GWEI, 7 * ETHER, 11 * ETHER + 5 * GWEI):
        world.sell_request(world.holder, size)
    rests: list[int] = []
    while c.balanceOf(provider) > 0 or rests:
        liquidity = min(int(c.balanceOf(provider)), draw.randint(1, 60 * ETHER))
        if liquidity:
            c.collect(100, sender=stranger)
            *_, rest, size = c.removeLiquidity(liquidity, 0, 0, provider, sender=provider)
            rests += [rest] if size else []
        world.cover()
        first, last = world.core.queue.lastFinalizedId(), world.core.queue.lastRequestId()
        if first < last:
            world.core.queue.finalize(first + 1, sender=stranger)
            c.collect(1, sender=stranger)
            world.core.tip(stranger, 3 * ETHER + 7)
        draw.shuffle(rests)
        for rest in list(rests):
            if c.restOf(rest)[2]:
                rests.remove(rest)
                _, left = c.claimRest(rest, provider, sender=stranger)
                rests += [left] if left else []
    c.collect(100, sender=stranger)
    collected, leaving = c.line()
    assert collected >= leaving > 0
    assert c.balance == pool.assets
    assert world.core.token.balanceOf(c) == pool.shares + c.treasuryShares()
