"""`ape run loop` and `ape run provide --to uniswap`, as a person at a local chain runs them."""

from __future__ import annotations

import re
import signal
from fractions import Fraction
from pathlib import Path

import ape
import click
import pytest
from ape.api import AccountAPI
from click.testing import CliRunner

from scripts import loop, provide
from scripts._markets import LENT
from sluice.client import format_ether
from sluice.deploy.chain import NodeSender, Web3Reader
from sluice.markets.aave import Aave
from sluice.markets.contracts import Chain
from sluice.markets.local import Markets, record_path
from sluice.markets.uniswap import Pool
from tests.helpers import ETHER
from tests.protocol import ROOT, Protocol, artifacts_of
from tests.queueing import settle
from tests.shell import Shell, shell_of


@pytest.fixture
def shell(protocol: Protocol, tmp_path: Path) -> Shell:
    return shell_of(protocol, tmp_path)


def sender_of(account: AccountAPI) -> NodeSender:
    return NodeSender(ape.chain.provider.web3, account.address)


def markets_of(shell: Shell, protocol: Protocol) -> Markets:
    chain = Chain(Web3Reader(ape.chain.provider.web3), ROOT / "node_modules", artifacts_of())
    found = Markets.find(chain, protocol.result.registry, record_path(shell.registry))
    assert found is not None
    return found


def test_markets_are_put_up_once_and_used_by_both(shell: Shell, protocol: Protocol) -> None:
    who = protocol.actors.staker
    output = shell.ok(loop.cli, "10", "--turns", "2", "--target-ltv", "70", "--yes")
    assert "Uniswap v3 and Aave v3 are not on this chain yet." in output
    assert f"Recorded in {shell.registry.with_name('local-markets.json')}." in output
    planned, done = (part.splitlines()[1:5] for part in output.split("turn  ")[1:])
    assert [line.split()[:2] for line in planned][:3] == [["0", "10.000000"], ["1", "7.000000"], ["2", "4.900000"]]
    assert [line.split()[4:] for line in planned][:3] == [line.split()[4:6] for line in done][:3]
    assert re.search(r"  [0-9,]+ gas$", done[2])
    assert "A position of" not in output
    # 21.9 ether of collateral, 11.9 of debt: interest is 2.7% a year of 80% in use, and 1.19% is
    assert "Expected a year: 3.00% of slETH times 2.190, less 0.04% interest times 1.190: 6.52% of" in output
    assert "Liquidation after slETH has lost 29.43% of its rate." in output
    assert re.search(r"[0-9,]+ gas\. The way out is `ape run loop --unwind`", output)

    markets = markets_of(shell, protocol)
    health = markets.aave.health(who.address)
    assert health.collateral == pytest.approx(219 * ETHER // 10, abs=10**12)
    assert health.debt == pytest.approx(119 * ETHER // 10, abs=10**12)
    assert markets.chain.balance(markets.weth, who.address) == 0

    output = shell.ok(provide.cli, "20", "--to", "uniswap", "--width", "0.5", "--yes", "--account", "TEST::8")
    assert "not on this chain yet" not in output
    assert "Core rate 1.000000, pool at 1.000000, range 0.995000 to 1.005000." in output
    assert "Position 1: " in output
    other = protocol.actors.other.address
    assert int(markets.uniswap.positions.read("ownerOf", 1), 16) == int(other, 16)
    sleth, weth = markets.pool.reserves()
    left = markets.chain.balance(markets.sleth, other) + markets.chain.balance(markets.weth, other)
    assert 20 * ETHER - left == pytest.approx(sleth + weth, abs=2)
    assert left < 20 * ETHER // 1_000_000
    before = protocol.actors.other.balance
    output = shell.ok(provide.cli, "--remove", "50%", "--to", "uniswap", "--yes", "--account", "TEST::8")
    (came,) = re.findall(r"([0-9.]+) slETH and ([0-9.]+) ether came\.", output)
    assert [float(each) for each in came] == pytest.approx([sleth / 2 / ETHER, weth / 2 / ETHER], abs=1e-5)
    assert markets.chain.balance(markets.sleth, other) == pytest.approx(sleth // 2, rel=1e-5)
    assert protocol.actors.other.balance - before == pytest.approx(weth // 2, abs=ETHER // 1000), "unwrapped"
    shell.ok(provide.cli, "--remove", "all", "--to", "uniswap", "--yes", "--account", "TEST::8")
    assert max(markets.pool.reserves()) < 5
    assert f"{other} has no position in the pool." in shell.refused(
        provide.cli, "--remove", "all", "--to", "uniswap", "--yes", "--account", "TEST::8"
    )
    # a day later the record is all that is needed; the position grows from what is there
    output = shell.ok(loop.cli, "1", "--turns", "1", "--target-ltv", "60", "--yes")
    assert "not on this chain yet" not in output
    assert re.search(r"A position of 21\.(9|8999)\d+ slETH, worth .* with a debt of 11\.90\d+ ether exists", output)
    assert markets.aave.health(who.address).debt == pytest.approx(int(22.9 * 0.6 * ETHER), abs=10**12)


def test_leverage_is_unwound_through_the_queue(shell: Shell, protocol: Protocol) -> None:
    """Each run does what can be done; run again before the queue has paid, it does nothing."""
    who = protocol.actors.staker
    shell.ok(loop.cli, "10", "--turns", "2", "--target-ltv", "70", "--yes")
    markets, steps = markets_of(shell, protocol), 0
    height = ape.chain.blocks.height
    code, output = shell.run(loop.cli, "--unwind")
    assert code == 1
    assert re.search(r"has 21\.(900000|899999) ether of slETH on Aave and owes 11\.9000\d\d\.", output), output
    assert "Aborted!" in output
    assert ape.chain.blocks.height == height
    while markets.aave.health(who.address).debt:
        steps += 1
        output = shell.ok(loop.cli, "--unwind", "--yes")
        assert markets.aave.health(who.address).debt == 0 or "run this again when they are paid" in output
        assert (factor := markets.aave.health(who.address).factor) is None or factor >= Fraction(1049, 1000)
        height = ape.chain.blocks.height
        if markets.aave.health(who.address).debt:
            assert "Claimed 0.000000 ether, repaid 0.000000." in shell.ok(loop.cli, "--unwind", "--yes")
            assert ape.chain.blocks.height == height, "nothing to do"
            settle(protocol)
    assert steps == 3, "6 of 11.9 ether first, the other 6 with a better health, then all is repaid"
    assert "Took out the last " in output
    assert "Done." in output
    assert markets.aave.supplied(markets.sleth, who.address) == 0
    left = markets.chain.balance(markets.sleth, who.address) * markets.rate // ETHER
    assert left == pytest.approx(10 * ETHER, rel=0.002), "her own, less what was handed in beyond the debt"
    assert "nothing to unwind" in shell.ok(loop.cli, "--unwind", "--yes")


def test_unwind_uses_own_ether_where_nothing_can_be_taken_out(
    shell: Shell, put_up: Markets, protocol: Protocol
) -> None:
    lender = sender_of(protocol.actors.other)
    put_up.wrap(lender, 50 * ETHER)
    put_up.aave.supply(lender, put_up.weth, 50 * ETHER)
    shell.ok(loop.cli, "10", "--turns", "12", "--target-ltv", "74.5", "--yes")
    said = shell.refused(loop.cli, "--unwind", "--yes")
    assert "no slETH can be taken out: repay some of the" in said
    assert "`--with`" in said
    assert "repaid 5.000000." in shell.ok(loop.cli, "--unwind", "--with", "5", "--yes")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Give either ETHER to stake or --unwind."),
        (["1", "--unwind"], "Give either ETHER to stake or --unwind."),
        (["1", "--with", "1"], "--with goes with --unwind."),
        (["--unwind", "--target-ltv", "50"], "--target-ltv goes with ETHER: --unwind takes all out"),
        (["--unwind", "--yes"], "records no markets of this deployment: `ape run loop ETHER` puts them up."),
        (["--unwind", "--with", "much", "--yes"], "--with 'much' is not a number, for example 1.5"),
    ],
)
def test_unwind_says_what_is_wrong(shell: Shell, words: list[str], message: str) -> None:
    code, output = shell.run(loop.cli, *words)
    assert code != 0
    assert message in " ".join(output.split())


def test_nothing_is_sent_without_a_yes(shell: Shell, protocol: Protocol) -> None:
    height = ape.chain.blocks.height
    for command, words in ((loop.cli, ["10"]), (provide.cli, ["10", "--to", "uniswap"])):
        code, output = shell.run(command, *words)
        assert code == 1
        assert "Send about 50 transactions? [y/N]" in output
        assert "Aborted!" in output
    assert ape.chain.blocks.height == height
    assert not record_path(shell.registry).exists()


@pytest.fixture(scope="module")
def deployed(protocol: Protocol) -> Markets:
    chain = Chain(Web3Reader(ape.chain.provider.web3), ROOT / "node_modules", artifacts_of())
    return Markets.deploy(chain, sender_of(protocol.actors.deployer), protocol.result.registry)


@pytest.fixture
def put_up(shell: Shell, deployed: Markets) -> Markets:
    """With a record, and nobody who lends."""
    deployed.write(record_path(shell.registry))
    return deployed


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        (loop.cli, ["much"], "ETHER 'much' is not a number, for example 1.5"),
        (loop.cli, ["1", "--target-ltv", "75"], "Aave lends up to 74.50% on slETH, less than 75.00%."),
        (loop.cli, ["1"], "Aave has 0.000000 ether to lend, less than 1.773100: fewer turns or less ether."),
        (loop.cli, ["20000"], "ether, and some more than 20,000.000000 are needed."),
        (loop.cli, ["0.002", "--turns", "9"], "A turn would stake 0.000080 ether, below the minimum of 0.001000"),
        (provide.cli, ["--remove", "all", "--to", "uniswap"], "has no position in the pool."),
        (provide.cli, ["20000", "--to", "uniswap"], "ether and needs some more than that."),
        (provide.cli, ["0.001", "--to", "uniswap"], "ether to stake is below the minimum of 0.001000."),
    ],
)
def test_error_says_what_to_do(
    shell: Shell, put_up: Markets, command: click.Command, words: list[str], message: str
) -> None:
    assert message in shell.refused(command, *words, "--yes")


def test_interrupted_unwinding_says_what_is_there_and_goes_on(
    shell: Shell, put_up: Markets, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    lender = sender_of(protocol.actors.other)
    put_up.wrap(lender, 50 * ETHER)
    put_up.aave.supply(lender, put_up.weth, 50 * ETHER)
    shell.ok(loop.cli, "10", "--turns", "2", "--yes")
    with monkeypatch.context() as patch:
        patch.setattr(Aave, "repay", lambda *_: signal.raise_signal(signal.SIGINT))  # Ctrl-C
        code, output = shell.run(loop.cli, "--unwind", "--with", "2", "--yes")
    assert code == 1
    assert "Stopped. On Aave: " in output
    assert "In hand: 2.000000 wrapped ether and 0.000000 slETH." in output
    assert "Run it again: wrapped ether repays." in output
    assert "repaid 2.000000." in shell.ok(loop.cli, "--unwind", "--yes")


def test_interrupted_loop_says_what_is_there_and_goes_on(
    shell: Shell, put_up: Markets, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    lender, who = sender_of(protocol.actors.other), protocol.actors.staker.address
    put_up.wrap(lender, 50 * ETHER)
    put_up.aave.supply(lender, put_up.weth, 50 * ETHER)
    with monkeypatch.context() as patch:
        patch.setattr(Markets, "unwrap", lambda *_: signal.raise_signal(signal.SIGINT))  # Ctrl-C
        code, output = shell.run(loop.cli, "10", "--turns", "2", "--yes")
    assert code == 1
    assert "Stopped after 1 of 3 stakes. On Aave: " in output
    assert "a debt of 7.000000 ether. In hand: 7.000000 wrapped ether and 0.000000 slETH." in output
    assert "`ape run loop --unwind` is the way out." in output
    assert "Aborted!" in output
    output = shell.ok(loop.cli, "1", "--turns", "1", "--yes")
    assert "7.000000 wrapped ether is in hand" in output
    assert put_up.chain.balance(put_up.weth, who) == 0
    health = put_up.aave.health(who)
    assert (health.collateral, health.debt) == pytest.approx((236 * ETHER // 10, 126 * ETHER // 10), rel=1e-6)


def test_markets_that_were_put_up_and_not_recorded_are_found_again(
    shell: Shell, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before the last line of it: what is there is neither deployed nor lent again."""
    with monkeypatch.context() as patch:
        patch.setattr(Markets, "write", interrupted)
        code, output = shell.run(loop.cli, "10", "--turns", "1", "--yes")
    assert code == 1
    assert "Aborted!" in output
    assert not record_path(shell.registry).exists()
    deployer = ape.accounts.test_accounts[0]
    sent = deployer.nonce
    shell.ok(loop.cli, "10", "--turns", "1", "--yes")
    markets = markets_of(shell, protocol)
    assert markets.aave.supplied(markets.weth, deployer.address) == pytest.approx(LENT, rel=1e-6)
    assert deployer.nonce == sent


def test_interrupted_position_is_not_paid_for_twice(
    shell: Shell, put_up: Markets, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = protocol.actors.staker
    with monkeypatch.context() as patch:
        patch.setattr(Pool, "provide", interrupted)
        shell.run(provide.cli, "20", "--to", "uniswap", "--yes")
    held = put_up.chain.balance(put_up.sleth, who.address), put_up.chain.balance(put_up.weth, who.address)
    assert sum(held) == pytest.approx(20 * ETHER, rel=1e-6)
    before = who.balance
    output = shell.ok(provide.cli, "20", "--to", "uniswap", "--yes")
    assert f"{format_ether(held[0])} slETH and {format_ether(held[1])} wrapped ether of the account go first." in output
    assert "0.000000 ether are staked, 0.000000 wrapped." in output
    assert before - who.balance < ETHER // 100
    assert sum(put_up.pool.reserves()) == pytest.approx(20 * ETHER, rel=1e-6)


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_pool_far_from_the_rate_is_warned_of(shell: Shell, put_up: Markets, protocol: Protocol) -> None:
    shell.ok(provide.cli, "20", "--to", "uniswap", "--width", "5", "--yes")
    sender = sender_of(protocol.actors.other)
    shares, _ = put_up.stake(sender, 30 * ETHER)
    put_up.pool.swap(sender, put_up.sleth, shares, limit=Fraction(97, 100))
    assert put_up.pool.price() < Fraction(98, 100)
    code, output = shell.run(provide.cli, "20", "--to", "uniswap", "--width", "5")
    assert code == 1
    assert "The pool is more than 1% from the rate: you would be arbitraged." in output


def test_damaged_record_is_named(shell: Shell, protocol: Protocol) -> None:
    record_path(shell.registry).write_text("{}")
    assert "local-markets.json is damaged; delete it" in shell.refused(loop.cli, "1", "--yes")


def test_help_has_examples() -> None:
    result = CliRunner().invoke(loop.cli, ["--help"])
    assert result.exit_code == 0
    assert "Examples:\n  " in result.output
    assert "ape run loop " in result.output
    words = " ".join(result.output.split())
    assert "at most 74.5% on slETH" in words
    assert "the account is TEST::7" in words
