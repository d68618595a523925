"""`ape run provide`, `leave` and `farm` on what the protocol itself deploys, as a person at a local chain runs them."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import ape
import pytest
from ape.api import AccountAPI
from click.testing import CliRunner

from scripts import claim, leave, provide, request
from scripts import farm as farming
from scripts._session import ApeSender
from sluice.client import format_ether
from sluice.deploy.errors import ChainError
from sluice.units import when
from tests.helpers import DAY, ETHER, GWEI, advance_frame, deposit_to_beacon, now, signed_report, stake, warp_to
from tests.protocol import Protocol
from tests.shell import Shell, shell_of

FOREVER = 2**48
MOST = 2**256 - 1


@pytest.fixture
def shell(protocol: Protocol, tmp_path: Path) -> Shell:
    return shell_of(protocol, tmp_path)


def fill(protocol: Protocol, who: AccountAPI, assets: int, shares: int) -> None:
    """`assets` and `shares` of `who` for the pool, which holds the seed of an ether."""
    if shares:
        stake(protocol, who, shares)
        protocol.token.approve(protocol.pool, shares, sender=who)
    protocol.pool.addLiquidity(shares, 0, who, FOREVER, sender=who, value=assets)


# --- Provide ---


def test_provide_divides_in_the_pools_ratio_and_brings_it_back(shell: Shell, protocol: Protocol) -> None:
    pool, who = protocol.pool, protocol.actors.staker
    fill(protocol, protocol.actors.other, 2 * ETHER, ETHER)  # 3 ether beside 1 slETH
    stake(protocol, who, ETHER)
    before, supply = who.balance, pool.totalSupply()
    # the seed is ether, so the slETH counted as sold: a little less than 4
    assert 4 * ETHER - supply == pytest.approx(5 * ETHER // 10_000, rel=0.01)

    output = shell.ok(provide.cli, "20", "--yes")
    assert "The pool has 3.000000 ether, 1.000000 slETH, and 0.000000 slETH in the queue." in output
    # all of it: 3% falls to 0.05% up to the target, which is half an ether for each liquidity
    cost = Fraction(295, 10_000) / 2 * supply / 2 + Fraction(5, 10_000) * 3 * ETHER
    part = f"{float(cost / (3 * ETHER + cost)):.3%}"
    # the pool has then 18 ether: these 3 are above the target
    row = f"3.000000 ether {format_ether(int(cost))} ether {part} 0.001500 ether 0.050%"
    assert row.split() in [line.split() for line in output.splitlines()]
    assert "15.000000 ether and 5.000000 slETH go in, of which 4.000000 ether are staked for now." in output
    quoted = format_ether(5 * supply)
    assert (
        f"That is {quoted} liquidity, 83.3333% of the pool; at least {format_ether(5 * supply * 999 // 1000)}."
        in output
    )
    assert f"{quoted} liquidity came" in output
    assert pool.balanceOf(who) == 5 * supply
    assert before - who.balance == pytest.approx(19 * ETHER, abs=ETHER // 100)
    assert protocol.token.balanceOf(who) == 0
    assert protocol.token.allowance(who, pool) == 0

    # again: nothing of the first time is in the way
    output = shell.ok(provide.cli, "4", "--yes")
    assert "3.000000 ether and 1.000000 slETH go in, of which 1.000000 ether are staked for now." in output
    held, before = pool.balanceOf(who), who.balance
    assert held == 6 * supply
    # what was told is what the pool says now, up to the last ether that was there before
    (row,) = (line.split() for line in output.splitlines() if line.startswith("18.000000 ether"))
    assert float(row[5]) == pytest.approx((pool.quoteSellFor(18 * ETHER) - 18 * ETHER) / ETHER, abs=1e-6)
    assert float(row[5]) < float(row[2])

    output = shell.ok(provide.cli, "--remove", "50%", "--yes")
    assert f"{format_ether(3 * supply)} of {format_ether(held)} liquidity" in output
    assert "bring 9.000000 ether and 3.000000 slETH; at least 8.991000 and 2.997000." in output
    assert "in the queue" not in output
    assert pool.balanceOf(who) == held // 2
    assert who.balance - before == pytest.approx(9 * ETHER, abs=ETHER // 1000)
    assert protocol.token.balanceOf(who) == 3 * ETHER
    shell.ok(provide.cli, "--remove", "all", "--yes")
    assert pool.balanceOf(who) == 0
    assert f"{who.address} has no liquidity in the pool" in shell.refused(provide.cli, "--remove", "all", "--yes")
    assert f"Nothing of {who.address} is in the queue." in shell.refused(provide.cli, "--claim", "--yes")


def test_what_the_pool_awaits_is_ether_in_its_ratio(shell: Shell, protocol: Protocol) -> None:
    """slETH for it would count as sold, and cost."""
    pool, who = protocol.pool, protocol.actors.staker
    fill(protocol, protocol.actors.other, 9 * ETHER, 5 * ETHER)
    stake(protocol, protocol.actors.other, 8 * ETHER)
    shell.ok(leave.cli, "8", "--yes", "--account", "TEST::8")
    pool.replenish(sender=protocol.actors.stranger)
    assets, shares, awaited = pool.legs()
    assert awaited > 2 * ETHER
    before = who.balance
    output = shell.ok(provide.cli, "10", "--yes")
    sleth = 10 * ETHER * shares // (assets + shares + awaited)
    assert f"{format_ether(10 * ETHER - sleth)} ether and {format_ether(sleth)} slETH go in" in output
    assert "counts as sold" not in output
    worth = pool.balanceOf(who) * pool.totalValue() // pool.totalSupply()
    assert worth == pytest.approx(10 * ETHER, abs=1_000)
    assert before - who.balance == pytest.approx(10 * ETHER, abs=ETHER // 100)


def test_other_ratios_are_taken_and_their_price_is_told(shell: Shell, protocol: Protocol) -> None:
    who = protocol.actors.staker
    output = shell.ok(provide.cli, "3", "--sleth", "0", "--yes")
    assert "3.000000 ether and 0.000000 slETH go in." in output
    assert protocol.pool.balanceOf(who) == 3 * ETHER
    stake(protocol, who, 3 * ETHER)
    output = shell.ok(provide.cli, "1", "--sleth", "all", "--yes")
    assert "More slETH than the pool's ratio counts as sold to it: 0.00" in output
    assert protocol.pool.legs() == (5 * ETHER, 3 * ETHER, 0)
    stake(protocol, who, ETHER)
    shell.ok(provide.cli, "0", "--sleth", "0.5", "--yes")
    assert protocol.pool.legs() == (5 * ETHER, 3_500_000_000_000_000_000, 0)


def test_what_the_pool_has_in_the_queue_comes_later(shell: Shell, protocol: Protocol) -> None:
    pool, queue, who = protocol.pool, protocol.queue, protocol.actors.staker
    fill(protocol, who, ETHER, 0)
    stake(protocol, protocol.actors.other, 4 * ETHER)
    shell.ok(leave.cli, "1.9", "--yes", "--account", "TEST::8")
    pool.replenish(sender=protocol.actors.stranger)
    awaited = pool.legs()[2]
    assert awaited > 8 * ETHER // 10

    output = shell.ok(provide.cli, "--remove", "50%", "--yes")
    mine = format_ether(awaited // 4)
    assert f"{mine} slETH of it are in the queue: ether for them comes later." in output
    assert f"{mine} slETH are still in the queue, worth {mine} ether." in output
    output = shell.ok(provide.cli, "--claim", "--yes")
    assert f"{mine} slETH are still in the queue" in output  # nothing has come

    advance_frame(protocol)
    signed_report(protocol)
    queue.finalize(queue.finalizable(), sender=protocol.actors.stranger)
    # the next removal finds it, as would --claim
    before = who.balance
    output = shell.ok(provide.cli, "--remove", "50%", "--yes")
    assert "Requests of the pool were paid and are not counted yet." in output
    assert f"{mine} ether came from the queue." in output
    assert "still in the queue" not in output
    assert who.balance - before > awaited // 4
    assert pool.legs()[2] == 0


def test_rest_that_is_paid_in_parts_is_followed(shell: Shell, protocol: Protocol) -> None:
    """Of one rest a part is claimed; what is left of it has another number."""
    pool, queue, who, other = protocol.pool, protocol.queue, protocol.actors.staker, protocol.actors.other
    fill(protocol, who, 9 * ETHER, 0)
    stake(protocol, other, 20 * ETHER)
    protocol.token.approve(pool, MOST, sender=other)
    for shares in (6 * ETHER, 3 * ETHER):  # the target is 5
        pool.sell(shares, 0, other, FOREVER, sender=other)
        pool.replenish(sender=other)
    awaited = pool.legs()[2]
    shell.ok(provide.cli, "--remove", "all", "--yes")
    left = awaited * 9 // 10
    advance_frame(protocol)
    signed_report(protocol)
    queue.finalize(1, sender=other)
    first = queue.getRequest(1).shares
    assert 0 < first < left

    code, output = shell.run(provide.cli, "--claim")
    assert code == 1
    assert "Count them first" in output
    output = shell.ok(provide.cli, "--claim", "--yes")
    assert f"{format_ether(first)} ether came from the queue." in output
    assert f"{format_ether(left - first)} slETH are still in the queue" in output
    output = shell.ok(provide.cli, "--claim", "--yes")
    assert "came from the queue" not in output
    queue.finalize(2, sender=other)
    output = shell.ok(provide.cli, "--claim", "--yes")
    assert f"{format_ether(left - first)} ether came from the queue." in output
    assert f"Nothing of {who.address} is in the queue." in shell.refused(provide.cli, "--claim", "--yes")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Give one of ETHER, --remove and --claim."),
        (["much"], "ETHER 'much' is not a number, for example 1.5"),
        (["0"], "ETHER '0' must be above zero"),
        (["20000"], "ether and needs some more than that."),
        (["1", "--sleth", "1"], "holds no slETH: `ape run stake` first."),
        (["0", "--sleth", "0"], "There is nothing to add."),
        (["1e400"], "ETHER '1e400' is more than there can be: give less"),
        (["-1"], "-1 must be above zero."),
        (["-.5"], "-.5 must be above zero."),
        (["1", "--width", "1"], "--width goes with ETHER and --to uniswap."),
        (["--remove", "all", "--to", "uniswap", "--width", "1"], "--width goes with ETHER and --to uniswap."),
        (["--claim", "--to", "uniswap"], "--claim, --sleth and --slippage are of the instant pool."),
        (["1", "--to", "uniswap", "--slippage", "0.1"], "--claim, --sleth and --slippage are of the instant pool."),
        (["--claim", "--slippage", "1"], "--slippage goes with ETHER and --remove"),
        (["--remove", "all", "--sleth", "1"], "--sleth is added beside ETHER"),
        (["--remove", "50"], "PART '50' is neither a percentage up to 100, for example 50%, nor all."),
        (["--remove", "0%"], "PART '0%' is neither"),
        (["--remove", "half%"], "PART 'half%' is neither"),
        (["--remove", "50%"], "has no liquidity in the pool"),
    ],
)
def test_wrong_words_to_provide_are_explained(shell: Shell, protocol: Protocol, words: list[str], message: str) -> None:
    height = ape.chain.blocks.height
    assert message in shell.refused(provide.cli, *words, "--yes")
    assert ape.chain.blocks.height == height


def test_nothing_is_sent_without_a_yes(shell: Shell, protocol: Protocol) -> None:
    fill(protocol, protocol.actors.staker, ETHER, 0)
    stake(protocol, protocol.actors.staker, ETHER)
    height = ape.chain.blocks.height
    for command, words, question in (
        (provide.cli, ["1"], "Send 1 transaction?"),
        (provide.cli, ["1", "--sleth", "all"], "Send 2 transactions?"),
        (provide.cli, ["--remove", "all"], "Send 1 transaction?"),
        (leave.cli, ["0.5"], "Sell?"),
        (farming.cli, ["add", "1"], "Send 3 transactions?"),
        (farming.cli, ["add", "1", "--reward", "sleth"], "Send 2 transactions?"),
        (farming.cli, ["stake", "1"], "Stake?"),
    ):
        code, output = shell.run(command, *words)
        assert code == 1
        assert question in output
        assert "Aborted!" in output
    assert ape.chain.blocks.height == height


# --- Leave ---


def test_leaving_pays_what_is_shown_and_asks_for_one_transaction(shell: Shell, protocol: Protocol) -> None:
    pool, who = protocol.pool, protocol.actors.staker
    fill(protocol, protocol.actors.other, 9 * ETHER, 0)
    stake(protocol, who, 3 * ETHER)
    before, height = who.balance, ape.chain.blocks.height
    # above the target of 5 ether each costs 0.05%
    worth = Fraction(10_000, 10_005) * ETHER
    output = shell.ok(leave.cli, "1", "--yes")
    assert (
        f"1.000000 slETH worth 1.000000 ether for {format_ether(int(worth))} ether now: the fee is 0.000499 ether, "
        f"0.050%. At least {format_ether(int(worth * 999 / 1000))} ether."
    ) in output
    due = when(protocol.oracle.expected().deadline)
    assert (
        f"The queue would pay 1.000000 ether and what it earns until then, with the first report after {due}." in output
    )
    assert f"Sold 1.000000 slETH for {format_ether(int(worth))} ether" in output
    assert ape.chain.blocks.height == height + 1  # with a permit
    assert who.balance - before == pytest.approx(int(worth), abs=ETHER // 1000)
    assert protocol.token.balanceOf(who) == 2 * ETHER
    assert protocol.token.allowance(who, pool) == 0

    protocol.token.approve(pool, 10 * ETHER, sender=who)
    shell.ok(leave.cli, "all", "--yes")  # and with an allowance
    assert protocol.token.balanceOf(who) == 0
    assert protocol.token.nonces(who) == 1
    assert "holds no slETH: `ape run stake` first." in shell.refused(leave.cli, "all", "--yes")


def test_account_that_signs_no_messages_approves_first(
    shell: Shell, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ApeSender, "sign", lambda *_: None)
    stake(protocol, protocol.actors.staker, ETHER)
    height = ape.chain.blocks.height
    shell.ok(leave.cli, "0.5", "--yes")
    assert ape.chain.blocks.height == height + 2
    assert protocol.token.balanceOf(protocol.actors.staker) == ETHER // 2
    assert protocol.token.allowance(protocol.actors.staker, protocol.pool) == 0


def test_transaction_that_is_in_no_block_is_named(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sluice.deploy.chain.UNTOLD", 0.2)
    node = ape.chain.provider
    sender = ApeSender(node, protocol.actors.staker, timeout=0.5)
    node.make_request("evm_setAutomine", [False])
    try:
        with pytest.raises(ChainError, match="look whether it is before you run this again"):
            sender.send(protocol.actors.other.address, b"", 1)
    finally:
        node.make_request("evm_setAutomine", [True])
        node.make_request("evm_mine", [])
    assert re.search(r"Sent 0x[0-9a-f]{64}: waiting for its block\.", capsys.readouterr().err)


def test_clock_of_an_idle_local_chain_is_seen(shell: Shell, protocol: Protocol) -> None:
    """Its newest block is from before; the next one comes much later than the deadline would be."""
    stake(protocol, protocol.actors.staker, ETHER)
    ape.chain.provider.make_request("evm_increaseTime", [DAY])
    before = now()
    shell.ok(leave.cli, "0.5", "--yes")
    assert now() >= before + DAY


def test_less_than_asked_for_is_refused(shell: Shell, protocol: Protocol) -> None:
    fill(protocol, protocol.actors.other, 9 * ETHER, 0)
    stake(protocol, protocol.actors.staker, ETHER)
    message = "The pool pays 0.999500 ether now, less than 0.999600."
    assert message in shell.refused(leave.cli, "1", "--at-least", "0.9996", "--yes")
    output = shell.ok(leave.cli, "1", "--at-least", "0.9995", "--yes")
    assert "At least 0.999500 ether." in output


def test_most_that_can_be_had_is_named(shell: Shell, protocol: Protocol) -> None:
    stake(protocol, protocol.actors.staker, 20 * ETHER)
    output = shell.refused(leave.cli, "20", "--yes")
    # 1 of 1 liquidity: up to half an ether 3% falls to 0.05%, then it stays
    cost = ETHER + ETHER // 2 * 305 // 20_000 + ETHER // 2 * 5 // 10_000
    assert f"The pool has 1.000000 ether: at most {format_ether(cost)} slETH can be sold now." in output
    assert "`ape run request`" in output
    shell.ok(leave.cli, format_ether(cost), "--yes")
    assert protocol.pool.legs()[0] < ETHER // 10**6
    assert "at most 0.000000 slETH" in shell.refused(leave.cli, "1", "--yes")


def test_queue_that_waits_for_validators_says_so(shell: Shell, protocol: Protocol) -> None:
    stake(protocol, protocol.actors.staker, 40 * ETHER)
    deposit_to_beacon(protocol, 32 * GWEI)
    shell.ok(request.cli, "8.5")
    code, output = shell.run(leave.cli, "0.9")
    assert code == 1
    assert "when validators have left, since the vault has too little ether: days or weeks." in output


def test_what_closes_the_pool_is_explained(shell: Shell, protocol: Protocol) -> None:
    who = protocol.actors.staker
    stake(protocol, who, ETHER)
    warp_to(protocol.vault.referenceTime() + protocol.params.pool.max_rate_age + 1)
    output = shell.refused(leave.cli, "0.5", "--yes")
    assert "RateTooOld(" in output
    assert "The pool sells no ether at a rate that old: wait for a report, or `ape run request`." in output
    protocol.vault.noteSlashing(sender=protocol.impersonate(protocol.manager))
    output = shell.refused(leave.cli, "0.5", "--yes")
    assert "SlashingPending(" in output
    assert "A proven slashing is not in the rate yet" in output
    protocol.pool.pause(DAY, sender=protocol.actors.guardian)
    until = protocol.pool.pausedUntil()
    assert f"PoolIsPaused(until={until}): The pool is paused; it goes on by itself" in shell.refused(
        leave.cli, "0.5", "--yes"
    )
    height = ape.chain.blocks.height
    assert f"PoolIsPaused(until={until}): The pool is paused" in shell.refused(provide.cli, "1", "--yes")
    assert ape.chain.blocks.height == height  # nothing was staked for it


def test_request_is_sold_while_it_waits(shell: Shell, protocol: Protocol) -> None:
    pool, queue, who = protocol.pool, protocol.queue, protocol.actors.staker
    fill(protocol, protocol.actors.other, 9 * ETHER, 2 * ETHER)
    stake(protocol, who, 4 * ETHER)
    shell.ok(request.cli, "1", "0.5", "0.05", "2")
    before = who.balance
    paid = pool.quoteSellRequest(1, True)
    output = shell.ok(leave.cli, "--request", "1", "--yes")
    assert f"1.000000 slETH worth 1.000000 ether for {format_ether(paid)} ether now" in output
    assert f"Sold request 1 for {format_ether(paid)} ether" in output
    assert queue.ownerOf(1) == pool
    assert who.balance - before == pytest.approx(paid, abs=ETHER // 1000)
    assert f"Request 1 is of {pool.address.lower()}" in shell.refused(
        leave.cli, "--request", "1", "--yes"
    ).lower().replace("request 1", "Request 1")

    held = protocol.token.balanceOf(who)
    output = shell.ok(leave.cli, "--request", "2", "--for", "sleth", "--yes")
    assert "0.500000 slETH in it for 0.499750 slETH now: the fee is 0.000249 slETH, 0.050%." in output
    assert protocol.token.balanceOf(who) - held == ETHER // 2 * 10_000 // 10_005
    assert "RequestTooSmall(" in shell.refused(leave.cli, "--request", "3", "--yes")
    assert "SharesTooLow(" in shell.refused(leave.cli, "--request", "4", "--for", "sleth", "--yes")
    output = shell.refused(leave.cli, "--request", "4", "--at-least", "2", "--yes")
    assert "The pool pays 1.99" in output
    assert "ether now, less than 2.000000." in output

    # made now it waits for the next frame; one from before a frame waits for the report of that one
    next_frame = f"with the first report after {when(protocol.oracle.expected()[2])}"
    assert next_frame in shell.run(leave.cli, "--request", "4")[1]
    advance_frame(protocol)
    _, reference_time, deadline, _ = protocol.oracle.expected()
    output = shell.run(leave.cli, "--request", "4")[1]
    assert f"with the first report after {when(reference_time)}" in output
    assert when(deadline) in shell.run(leave.cli, "0.1")[1]
    signed_report(protocol)
    paid_now = "The queue pays request 4 in full now, 2.000000 ether: `ape run claim --finalize`."
    assert paid_now in shell.refused(leave.cli, "--request", "4", "--yes")
    queue.finalize(4, sender=who)
    output = shell.refused(leave.cli, "--request", "4", "--yes")
    assert "RequestFinalized(id=4): Its ether is there already: `ape run claim`." in output
    shell.ok(claim.cli, "4")
    assert "Request 4 was claimed already." in shell.refused(leave.cli, "--request", "4", "--yes")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Give either SLETH or --request."),
        (["1", "--request", "1"], "Give either SLETH or --request."),
        (["1", "--for", "sleth"], "--for is of --request: slETH is sold for ether."),
        (["much"], "SLETH 'much' is not a number, for example 1.5"),
        (["--request", "7"], "RequestUnknown(id=7): There is no such request"),
    ],
)
def test_wrong_words_to_leave_are_explained(shell: Shell, protocol: Protocol, words: list[str], message: str) -> None:
    assert message in shell.refused(leave.cli, *words, "--yes")


# --- Farm ---


def test_farm_pays_liquidity_by_share_and_time(shell: Shell, protocol: Protocol) -> None:
    farm, pool, who, other = protocol.farm, protocol.pool, protocol.actors.staker, protocol.actors.other
    output = shell.ok(farming.cli)
    assert "No stream pays now: `ape run farm add` adds one." in output
    assert f"{who.address} has staked nothing." in output

    output = shell.ok(farming.cli, "add", "3", "--days", "30", "--yes", "--account", "TEST::9")
    assert "3.000000 WETH for who stakes slLP: 0.100000 WETH a day for 30 days" in output
    assert "3.000000 ether are wrapped." in output
    stream = farm.stream(1)
    assert f"Stream 1 begins {when(stream.start)}." in output
    assert (stream.rewardToken, stream.stakeToken, stream.amount) == (protocol.weth, pool, 3 * ETHER)
    assert stream.end - stream.start == 30 * DAY
    assert stream.adder == protocol.actors.stranger

    for account in ("TEST::7", "TEST::8"):
        shell.ok(provide.cli, "3", "--sleth", "0", "--yes", "--account", account)
    height = ape.chain.blocks.height
    output = shell.ok(farming.cli, "stake", "all", "--yes")
    assert "3.000000 slLP are staked and count for stream 1." in output
    assert ape.chain.blocks.height == height + 1  # with a permit
    assert farm.stakeOf(pool, who) == 3 * ETHER
    output = shell.ok(farming.cli)
    assert f"Stream 1: 0.100000 WETH a day for stakes of slLP, {when(stream.start)} to {when(stream.end)}" in output
    # 36.5 ether in a year on 3
    assert "; 3.000000 slLP share it, 1,216.67% a year; chosen." in output
    assert f"{who.address} has staked 3.000000 slLP." in output

    warp_to(stream.start + 10 * DAY)
    output = shell.ok(farming.cli)
    assert f"until {when(stream.end)}; 3.000000 slLP share it" in output
    (earned,) = re.findall(r"; chosen; earned ([0-9.]+) WETH\.", output)
    assert float(earned) == pytest.approx(1, rel=1e-3)
    # in two parts, of which the second finds its stream chosen
    shell.ok(farming.cli, "stake", "1", "--yes", "--account", "TEST::8")
    output = shell.ok(farming.cli, "stake", "2", "--yes", "--account", "TEST::8")
    assert "2.000000 slLP are staked." in output
    assert f"{other.address} has staked 3.000000 slLP" in output

    ape.chain.provider.make_request("evm_increaseTime", [DAY // 10])  # no block: seen all the same
    assert float(re.findall(r"earned ([0-9.]+) WETH\.", shell.ok(farming.cli))[0]) == pytest.approx(1.005, rel=1e-3)
    output = shell.ok(farming.cli, "claim", "--yes")
    first = protocol.weth.balanceOf(who)
    assert first == pytest.approx(1.005 * ETHER, rel=1e-3)
    assert f"{format_ether(first)} WETH came from stream 1." in output

    hint = f"3.000000 liquidity of {who.address} is in the farm: `ape run farm exit` brings it back"
    assert f"{hint}; then take it out here." in shell.refused(provide.cli, "--remove", "50%", "--yes")
    assert "has staked 3.000000 slLP: take out that much or less." in shell.refused(farming.cli, "exit", "4", "--yes")
    assert "Less than 1,000,000 wei of slLP would be left: take out all" in shell.refused(
        farming.cli, "exit", "2.9999999999999", "--yes"
    )
    output = shell.ok(farming.cli, "exit", "1", "--yes")
    assert "1.000000 slLP of 3.000000 slLP are taken out." in output
    assert "Still to claim, of stream 1: `ape run farm claim`." in output
    assert (farm.stakeOf(pool, who), pool.balanceOf(who)) == (2 * ETHER, ETHER)
    assert list(farm.streamsOf(pool, who)) == [1]
    _, output = shell.run(provide.cli, "--remove", "all")
    assert f"{hint.replace('3.', '2.')}. What follows is of the rest." in output
    assert "1.000000 of 1.000000 liquidity" in output
    assert "Send 1 transaction?" in output
    shell.ok(farming.cli, "stake", "1", "--yes")

    warp_to(stream.end)
    output = shell.ok(farming.cli, "exit", "--yes")
    assert "3.000000 slLP came back" in output
    assert pool.balanceOf(who) == 3 * ETHER
    assert protocol.weth.balanceOf(who) == pytest.approx(2 * ETHER, rel=1e-3)
    shell.ok(farming.cli, "exit", "--yes", "--account", "TEST::8")
    paid = sum(protocol.weth.balanceOf(each) for each in (who, other))
    assert paid == pytest.approx(3 * ETHER, rel=1e-9)
    assert paid <= 3 * ETHER

    assert f"{who.address} has earned nothing" in shell.refused(farming.cli, "claim", "--yes")
    assert f"{who.address} has staked no slLP" in shell.refused(farming.cli, "exit", "--yes")
    assert "There is nothing to take back" in shell.refused(farming.cli, "reclaim", "--yes", "--account", "TEST::9")


def test_best_streams_of_the_protocols_tokens_are_chosen(shell: Shell, protocol: Protocol, project) -> None:
    """Six of them for five places, one of nothing and one of a stranger's token, which is not called by its name."""
    who, stranger = protocol.actors.staker, protocol.actors.stranger
    protocol.weth.deposit(sender=stranger, value=3 * ETHER)
    protocol.weth.approve(protocol.farm, MOST, sender=stranger)
    start = now() + 60
    for wei in (*(number * ETHER // 10 for number in range(1, 7)), 1):
        protocol.farm.addStream(protocol.token, protocol.weth, wei, start, start + DAY, sender=stranger)
    lure = project.WrappedEther.deploy(sender=stranger)  # says that it is WETH, too
    lure.deposit(sender=stranger, value=9 * ETHER)
    shell.ok(farming.cli, "add", "9", "--reward", lure.address, "--token", "sleth", "--yes", "--account", "TEST::9")
    stake(protocol, who, 4 * ETHER)
    output = shell.ok(farming.cli, "stake", "1", "--token", "sleth", "--yes")
    assert "1.000000 slETH are staked and count for streams 6, 5, 4, 3 and 2." in output
    assert sorted(protocol.farm.streamsOf(protocol.token, who)) == [2, 3, 4, 5, 6]
    output = shell.ok(farming.cli)
    assert f"Stream 8: 0.300000 {lure.address} a day for stakes of slETH" in output
    assert "Stream 7: 1 wei of WETH a day for stakes of slETH" in output
    assert "Streams 6 and 2: The stake counts for it already." in shell.refused(
        farming.cli, "choose", "--token", "sleth", "--stream", "6", "--stream", "2", "--yes"
    )

    # no room, until the others are over
    output = shell.refused(farming.cli, "choose", "--token", "sleth", "--stream", "8", "--yes")
    assert "TooManyStreams(maximum=5): A stake counts for that many at once" in output
    assert "There is no other stream to choose for slETH" in shell.refused(
        farming.cli, "choose", "--token", "sleth", "--yes"
    )
    warp_to(protocol.farm.stream(7).end + DAY)
    output = shell.ok(farming.cli, "choose", "--token", "sleth", "--stream", "8", "--yes")
    assert "The stake counts for stream 8" in output
    assert list(protocol.farm.streamsOf(protocol.token, who)) == [8]
    # what was left is still claimed, as one chooses
    output = shell.ok(farming.cli, "claim", "--stream", "6", "--yes")
    assert "came from stream 6." in output
    output = shell.ok(farming.cli, "claim", "--yes")
    assert "came from stream 2." in output
    assert "came from stream 6." not in output

    output = shell.ok(farming.cli, "reclaim", "--yes", "--account", "TEST::9")
    assert f"Stream 1: 0.100000 WETH go back to {stranger.address}." in output
    assert protocol.farm.reclaimable(1) == 0


def test_stake_that_no_stream_pays_is_told(shell: Shell, protocol: Protocol) -> None:
    """Also where its only stream is over; and a stream of an hour is not told by the day."""
    who, weth, farm = protocol.actors.staker, protocol.weth, protocol.farm
    weth.deposit(sender=who, value=6 * ETHER)
    weth.approve(farm, MOST, sender=who)
    assert "it earns nothing yet" in shell.ok(farming.cli, "stake", "2", "--token", "weth", "--yes")
    assert f"{who.address} has staked 2.000000 WETH." in shell.ok(farming.cli)
    start = now() + 60
    farm.addStream(weth, weth, ETHER, start, start + 3_600, sender=who)
    assert "Stream 1: 1.000000 WETH in all for stakes of WETH" in shell.ok(farming.cli)
    shell.ok(farming.cli, "choose", "--token", "weth", "--yes")
    warp_to(start + 3_600)
    assert "it earns nothing yet" in shell.ok(farming.cli, "stake", "1", "--token", "weth", "--yes")


def test_tokens_with_other_decimals_are_counted_in_them(shell: Shell, protocol: Protocol, project) -> None:
    stranger = protocol.actors.stranger
    token = project.WeirdToken.deploy(6, sender=stranger)
    token.mint(stranger, 5_000_000, sender=stranger)
    assert "must be above zero and have at most 6 decimals" in shell.refused(
        farming.cli, "add", "1.2345678", "--reward", token.address, "--yes", "--account", "TEST::9"
    )
    vault = protocol.vault.address  # has no balances
    assert f"{vault} is no token." in shell.refused(farming.cli, "stake", "3", "--token", vault, "--yes")
    output = shell.ok(farming.cli, "add", "3", "--reward", token.address, "--yes", "--account", "TEST::9")
    assert f"3.000000 {token.address} for who stakes slLP: 0.100000 {token.address} a day for 30 days" in output
    assert protocol.farm.stream(1).amount == 3_000_000
    assert f"lacks 1.000000 {token.address}." in shell.refused(
        farming.cli, "add", "3", "--reward", token.address, "--yes", "--account", "TEST::9"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["claim", "1"], "claim takes no amount."),
        (["stake"], "Say how much: `ape run farm stake 5`, or `all`."),
        (["stake", "much"], "AMOUNT 'much' is not a number, for example 1.5"),
        (["stake", "1"], "holds no slLP: `ape run provide` first, or see --token."),
        (["stake", "1", "--token", "shares"], "'shares' is neither lp, sleth, weth nor the address of a token."),
        (["stake", "1", "--token", "0x" + "11" * 20], "0x1111111111111111111111111111111111111111 is no contract."),
        (["add"], "Say how much: `ape run farm add 30"),
        (["add", "0.000000000000000001"], "1 wei of WETH are too little for 30 days."),
        (["list", "--token", "sleth"], "--token goes with stake, choose, exit, add, not with list."),
        (["exit", "--stream", "2"], "--stream goes with stake, choose, claim, reclaim, not with exit."),
        (["add", "3", "--token", "sleth", "--stream", "7"], "--stream goes with stake"),
        (["stake", "1", "--days", "30"], "--days goes with add, not with stake."),
        (["claim", "--in", "9"], "--in goes with add, not with claim."),
        (["reclaim", "--reward", "weth"], "--reward goes with add, not with reclaim."),
        (["add", "20000"], "ether and would wrap 20,000.000000."),
        (["add", "1", "--reward", "sleth"], "lacks 1.000000 slETH."),
        (["choose", "--stream", "7"], "StreamUnknown(id=7): `ape run farm` lists the streams."),
        (["claim", "--stream", "7"], "StreamUnknown(id=7): `ape run farm` lists the streams."),
    ],
)
def test_wrong_words_to_farm_are_explained(shell: Shell, protocol: Protocol, words: list[str], message: str) -> None:
    height = ape.chain.blocks.height
    assert message in shell.refused(farming.cli, *words, "--yes")
    assert ape.chain.blocks.height == height


@pytest.mark.parametrize("module", [farming, leave, provide])
def test_help_has_examples(module: ModuleType) -> None:
    result = CliRunner().invoke(module.cli, ["--help"])
    assert result.exit_code == 0
    assert "Examples (with --network http://127.0.0.1:8545):\n  " in result.output
    assert f"ape run {module.__name__.removeprefix('scripts.')} " in result.output
    assert "the account is TEST::7" in " ".join(result.output.split())
