"""The ape scripts, as a person at a local chain runs them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import ape
import click
import pytest
from ape_run._cli import ScriptCommand
from click.testing import CliRunner
from eth_utils import keccak

from scripts import claim, deploy, request, stake, status, verify_deployment
from scripts._session import NodeCommand
from sluice.client import NEXT_STEPS, ActionError, Client, format_ether, parse_ether
from sluice.deploy.chain import Reverted, Web3Reader
from sluice.deploy.registry import Registry
from tests.helpers import advance_frame, signed_report
from tests.protocol import LOCAL_PARAMS, ROOT, Protocol, artifacts_of
from tests.py.anvil import running_anvil
from tests.shell import Shell, shell_of

ETHER = 10**18
DAY = 86_400


@pytest.fixture
def shell(protocol: Protocol, tmp_path: Path) -> Shell:
    return shell_of(protocol, tmp_path)


# --- A newcomer's way through ---


def test_newcomer_stakes_requests_and_is_paid(shell: Shell, protocol: Protocol) -> None:
    who = protocol.actors.staker
    output = shell.ok(stake.cli, "1.5")
    assert "Staked 1.500000 ether for 1.500000 slETH" in output
    assert protocol.token.balanceOf(who) == 15 * ETHER // 10

    output = shell.ok(request.cli, "0.5", "0.25")
    assert "Request 1: 0.500000 slETH, now worth 0.500000 ether." in output
    assert "Request 2: 0.250000 slETH, now worth 0.250000 ether." in output
    assert protocol.queue.ownerOf(1) == protocol.queue.ownerOf(2) == who

    early = f"{who.address} can claim nothing: 1, 2 wait for ether; try --finalize after the next report."
    assert early in shell.refused(claim.cli)
    assert early in shell.refused(claim.cli, "--finalize")  # no report covers them yet
    assert "Request 1: Ether is not set aside yet" in shell.refused(claim.cli, "1")

    advance_frame(protocol)
    signed_report(protocol)
    assert "Request 1: Ether is not set aside yet" in shell.refused(claim.cli, "1")
    output = shell.ok(claim.cli, "--finalize")
    assert "Finalised up to request 2" in output
    assert f"Claimed 0.750000 ether of request 1, 2 for {who.address}" in output
    assert protocol.queue.balance == 0
    assert f"{who.address} can claim nothing: it has no request." in shell.refused(claim.cli)
    assert "Request 1 was claimed already." in shell.refused(claim.cli, "1")


def test_one_request_is_claimed_by_its_number(shell: Shell, protocol: Protocol) -> None:
    shell.ok(stake.cli, "2", "--account", "TEST::8")
    shell.ok(request.cli, "all", "--account", "TEST::8")
    assert protocol.token.balanceOf(protocol.actors.other) == 0
    ape.chain.mine(deltatime=protocol.params.queue.stale_after)
    output = shell.ok(claim.cli, "1", "--finalize", "--account", "TEST::8")
    assert f"Claimed 2.000000 ether of request 1 for {protocol.actors.other.address}" in output


def test_request_of_another_cannot_be_taken(shell: Shell, protocol: Protocol) -> None:
    shell.ok(stake.cli, "2")
    shell.ok(request.cli, "1")
    ape.chain.mine(deltatime=protocol.params.queue.stale_after)
    output = shell.refused(claim.cli, "1", "--finalize", "--account", "TEST::9")
    stranger = protocol.actors.stranger.address.lower()
    assert f"NotOwnerOrApproved(caller={stranger}, id=1): Only the owner of a request" in output


# --- Status ---


def test_status_shows_the_pool_and_the_account(shell: Shell, protocol: Protocol) -> None:
    shell.ok(stake.cli, "3")
    shell.ok(request.cli, "1")
    output = shell.ok(status.cli)
    for text in (
        "1.000000000000000000 ether per slETH",
        "4.000000 ether",  # pooled: the seed and three
        "1 made, 1 wait for 1.000000 slETH",
        "slot 0 is reported",
        "request 1: 1.000000 slETH, 1.000000 ether, waits",
        f"{protocol.actors.staker.address} holds",
    ):
        assert text in output
    protocol.vault.pauseStaking(DAY, sender=protocol.actors.guardian)
    advance_frame(protocol)
    output = shell.ok(status.cli)
    assert "slot 7200 until" in output
    # a day and the age of the report later the pause is over
    assert "staking paused   │ no" in output


def test_status_as_json_is_what_the_contracts_say(shell: Shell, protocol: Protocol) -> None:
    shell.ok(stake.cli, "3")
    shell.ok(request.cli, "1")
    protocol.vault.pauseStaking(DAY, sender=protocol.actors.guardian)
    output = shell.ok(status.cli, "--json")
    said = json.loads(output[output.index("{") :])
    pool, account = said["protocol"], said["account"]
    vault = protocol.vault
    assert pool["rate"] == vault.rate()
    assert pool["pooled"] == vault.pooled() == 4 * ETHER
    assert pool["buffer"] == vault.buffer()
    assert pool["paused_until"] == vault.stakingPausedUntil()
    assert pool["stake_limit"] == 0
    assert pool["open_shares"] == protocol.queue.openShares() == ETHER
    assert (pool["last_request"], pool["last_finalized"], pool["finalizable"]) == (1, 0, 0)
    assert pool["frame"]["reference_slot"] == 0
    assert account["shares"] == 2 * ETHER
    (only,) = account["requests"]
    assert (only["id"], only["shares"], only["assets"], only["finalized"]) == (1, ETHER, ETHER, False)


# --- Errors say what to do ---


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        (stake.cli, ["0.0009"], "StakeBelowMinimum(given=900000000000000, minimum=1000000000000000): Stake at least"),
        (stake.cli, ["200000"], "choose another account or less ether"),
        (stake.cli, ["much"], "ETHER 'much' is not a number, for example 1.5"),
        (stake.cli, ["0"], "ETHER '0' must be above zero and have at most 18 decimals"),
        (stake.cli, ["0.0000000000000000001"], "must be above zero and have at most 18 decimals"),
        (request.cli, ["1"], "holds 0.000000 slETH: hand in that much or less"),
        (request.cli, ["all"], "RequestBelowMinimum(shares=0, minimum=1000000000000000): Ask for at least"),
        (claim.cli, ["7"], "RequestUnknown(id=7): There is no such request"),
    ],
)
def test_error_says_what_to_do(
    shell: Shell, protocol: Protocol, command: click.Command, words: list[str], message: str
) -> None:
    assert message in shell.refused(command, *words)


def test_stake_above_the_limit_is_explained(shell: Shell, protocol: Protocol) -> None:
    who = protocol.actors.staker
    ape.chain.provider.make_request("anvil_setBalance", [who.address, hex(400_000 * ETHER)])
    assert "StakeAboveLimit(given=300000000000000000000000" in shell.refused(stake.cli, "300000")
    assert who.nonce == 0  # it was tried, not sent


def test_pause_is_explained(shell: Shell, protocol: Protocol) -> None:
    protocol.vault.pauseStaking(DAY, sender=protocol.actors.guardian)
    until = protocol.vault.stakingPausedUntil()
    assert f"StakingIsPaused(until={until}): Staking is paused" in shell.refused(stake.cli, "1")


def test_chain_without_a_deployment_says_to_deploy(protocol: Protocol, tmp_path: Path) -> None:
    output = Shell(tmp_path / "none.json").refused(stake.cli, "1")
    assert "nothing is deployed yet" in output
    assert "run `ape run deploy`" in output


def test_parameters_that_are_not_there_are_named(shell: Shell) -> None:
    output = shell.refused(status.cli, "--params", "deployments/params/absent.yaml")
    assert "there is no parameter file" in output
    assert "local.yaml" in output


def test_public_network_needs_an_account(shell: Shell, protocol: Protocol, tmp_path: Path) -> None:
    text = (
        LOCAL_PARAMS.read_text()
        .replace("local: true", "local: false")
        .replace("genesis_time: deployment", "genesis_time: 1")
        .replace("bond: 0 slETH", "bond: 1 slETH")
    )
    text = text.replace("external:", f"external:\n  weth: '{protocol.weth.address}'")
    text = re.sub(r"\nlocal_depositor:.*", "", text)
    public = tmp_path / "public.yaml"
    public.write_text(text)
    output = shell.refused(stake.cli, "1", "--params", str(public))
    assert "Give the account with --account <alias>" in output


@pytest.mark.parametrize("module", [claim, deploy, request, stake, status, verify_deployment])
def test_help_has_examples(module: ModuleType) -> None:
    result = CliRunner().invoke(module.cli, ["--help"])
    assert result.exit_code == 0
    assert "Examples:\n  " in result.output
    assert f"ape run {module.__name__.removeprefix('scripts.')} " in result.output


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")  # imported above
def test_ape_finds_every_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves out, with a line in the log, what it cannot load in its own way."""
    monkeypatch.chdir(ROOT)
    there = {path.stem for path in (ROOT / "scripts").glob("[!_]*.py")}
    commands = ScriptCommand().commands
    assert set(commands) == there >= {"deploy", "farm", "leave", "loop", "provide", "stake"}
    other = {name for name, each in commands.items() if not isinstance(each, NodeCommand)}
    assert other == {"demo", "stress"}, "these start their own nodes"


@pytest.mark.parametrize("command", [deploy.cli, stake.cli])
def test_node_that_is_not_there_is_two_lines(protocol: Protocol, command: click.Command) -> None:
    words = ["1"] if command is stake.cli else []
    result = CliRunner().invoke(command, [*words, "--network", "http://127.0.0.1:9"], catch_exceptions=False)
    assert result.exit_code == 1
    assert "Error: No node to work with: " in result.output
    assert "`make chain`" in result.output
    assert len(result.output.splitlines()) == 2


# --- Deploy and verify ---


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Callable[..., tuple[int, str]]]:
    """Run a script on an anvil where nothing is deployed."""
    with running_anvil() as node:

        def run(command: click.Command, *words: str, answer: str = "") -> tuple[int, str]:
            arguments = [*words, "--network", node.uri, "--registry", str(tmp_path / "new.json")]
            result = CliRunner().invoke(command, arguments, input=answer, catch_exceptions=False)
            return result.exit_code, result.output

        yield run


def test_deploy_shows_asks_sends_and_verifies(
    protocol: Protocol, empty: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    code, output = empty(deploy.cli, answer="n\n")
    assert code == 1
    assert f"Send {len(protocol.result.plan.steps)} transactions?" in output
    assert "nothing was sent" in output
    assert not (tmp_path / "new.json").exists()

    code, output = empty(deploy.cli, "--yes")
    assert code == 0, output
    for name, address in protocol.result.plan.addresses.items():
        if name != "ProxyAdmin":
            assert name in output
            assert address in output
    assert "gas in all" in output
    assert "values on the chain are as planned" in output
    recorded = Registry.read(tmp_path / "new.json")
    assert {name: record.address for name, record in recorded.contracts.items()} == protocol.result.plan.addresses

    code, output = empty(deploy.cli)
    assert code == 0
    assert "Everything was there already; nothing was sent." in output

    code, output = empty(verify_deployment.cli)
    assert code == 0
    assert ", 0 differ." in output
    code, output = empty(stake.cli, "1")
    assert code == 0, output


def test_verify_deployment_fails_and_shows_what_differs(shell: Shell, protocol: Protocol) -> None:
    assert ", 0 differ." in shell.ok(verify_deployment.cli)
    protocol.as_governor(protocol.vault.setFee, protocol.splitter, 999)
    output = shell.refused(verify_deployment.cli)
    assert ", 1 differ." in output
    (row,) = [line for line in output.splitlines() if "differs" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["differs", "StakingVault", "fee", "1000", "999"]
    assert "Error: The chain is not what the parameters say." in output
    assert "same" in shell.run(verify_deployment.cli, "--all")[1]


# --- The client ---


@pytest.fixture
def client(protocol: Protocol) -> Client:
    return Client(Web3Reader(ape.chain.provider.web3), protocol.result.registry, artifacts_of())


def test_stake_accepts_no_rate_much_worse_than_the_one_seen(client: Client, protocol: Protocol) -> None:
    call = client.stake(ETHER, protocol.actors.staker.address)
    receiver, least, referral = protocol.vault.stake.decode_input(call.data)[1].values()
    assert (receiver, least) == (protocol.actors.staker.address, ETHER * 9_999 // 10_000)
    assert int(referral, 16) == 0
    assert call.value == ETHER


def test_nothing_to_finalize_is_no_call(client: Client) -> None:
    assert client.finalize() is None


def test_unknown_failures_are_told_as_they_are(client: Client) -> None:
    assert (
        client.explain(Reverted(b"", "execution reverted")) == "The call fails without a reason (execution reverted)."
    )
    assert client.explain(Reverted(b"\x01\x02\x03\x04", "")) == "The call fails with unknown data 0x01020304."
    broken = client.explain(Reverted(keccak(text="RequestUnknown(uint256)")[:4], ""))
    assert broken == "RequestUnknown with data 0x"


def test_every_hint_is_for_an_error_that_exists() -> None:
    named = {entry["name"] for each in artifacts_of().values() for entry in each.abi if entry["type"] == "error"}
    assert set(NEXT_STEPS) <= named


@pytest.mark.parametrize(
    ("text", "wei"),
    [
        ("1", ETHER),
        ("1_000.5", 10_005 * ETHER // 10),
        ("0.000000000000000001", 1),
        ("1e-3", 10**15),
        ("12345678901.000000000000000001", 12345678901 * ETHER + 1),
    ],
)
def test_amounts_are_exact(text: str, wei: int) -> None:
    assert parse_ether(text) == wei


@pytest.mark.parametrize("text", ["", "1,5", "-1", "nan", "inf", "0", "1e-19", "1e-999999999", "1e20", "1e999999999"])
def test_wrong_amounts_are_refused(text: str) -> None:
    with pytest.raises(ActionError, match=f"amount {text!r}"):
        parse_ether(text)


def test_amounts_are_shown_rounded_down() -> None:
    assert format_ether(ETHER - 1) == "0.999999"
    assert format_ether(1_234_567 * ETHER + 1) == "1,234,567.000000"
    assert format_ether(1, 18) == "0.000000000000000001"
    assert format_ether(10**27 - 1, 18) == "999,999,999.999999999999999999"
