"""`ape run consensus` and `ape run report`: the consensus side of a local testnet, as a person works it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from scripts import claim, consensus, report, request, stake
from tests.helpers import warp_to
from tests.protocol import LOCAL_PARAMS, Protocol
from tests.shell import Shell, shell_of

ETHER = 10**18
GWEI = 10**9


class Testnet:
    """A shell whose consensus state is kept in a file of its own."""

    __test__ = False

    def __init__(self, shell: Shell, state: Path) -> None:
        self.shell = shell
        self.state = state

    def consensus(self, *words: str) -> str:
        return self.shell.ok(consensus.cli, *words, "--state", str(self.state))

    def report(self, *words: str) -> str:
        return self.shell.ok(report.cli, *words, "--state", str(self.state))

    def refused(self, script: ModuleType, *words: str) -> str:
        return self.shell.refused(script.cli, *words, "--state", str(self.state))

    @property
    def kept(self) -> dict[str, Any]:
        return json.loads(self.state.read_text())

    def balance_at_reference(self) -> int:
        """Gwei of all validators and pending deposits at the newest reference slot, from the file alone."""
        newest = self.kept["kept"][-1]
        parts = (*newest["validators"], *newest["pending"])
        return sum(part.get("balance", part.get("amount", 0)) for part in parts)


@pytest.fixture
def testnet(protocol: Protocol, tmp_path: Path) -> Testnet:
    return Testnet(shell_of(protocol, tmp_path), tmp_path / "state.json")


@pytest.fixture
def staked(testnet: Testnet) -> Testnet:
    """100 ether staked, 64 of them in a validator that has been active for a day."""
    testnet.shell.ok(stake.cli, "100")
    output = testnet.consensus("deposit", "--ether", "64")
    assert "64 ether went to the deposit contract for validator 0" in output
    testnet.consensus("advance", "--days", "1")
    return testnet


def told_gain(output: str) -> int:
    """Wei."""
    found = re.search(r"gain or loss +│ (-?)([\d.]+) ether", output)
    assert found is not None, output
    return int(found[1] + found[2].replace(".", ""))


def test_rewards_and_tips_are_reported_to_the_wei(staked: Testnet, protocol: Protocol) -> None:
    """Tips of a day come after its reference slot, so they are the next day's."""
    vault = protocol.vault
    pooled, tips = vault.pooled(), protocol.rewards.balance
    earned = staked.balance_at_reference() - 64 * GWEI
    assert earned > 0
    assert tips > 0
    output = staked.report()
    assert "Accepted with 5 signatures" in output
    assert told_gain(output) == vault.pooled() - pooled == earned * GWEI
    assert tuple(vault.consensus())[:2] == (earned, 64 * GWEI)

    staked.consensus("advance")
    more = staked.balance_at_reference() - 64 * GWEI - earned
    later = protocol.rewards.balance - tips
    output = staked.report()
    assert told_gain(output) == vault.pooled() - pooled - earned * GWEI == more * GWEI + tips
    assert protocol.rewards.balance == later


def test_dry_run_shows_the_report_and_sends_nothing(staked: Testnet, protocol: Protocol) -> None:
    slot = protocol.oracle.lastReferenceSlot()
    shown = staked.report("--dry")
    assert "Report for slot" in shown
    assert "Accepted" not in shown
    assert protocol.oracle.lastReferenceSlot() == slot
    assert "Accepted" in staked.report()


def test_frame_is_reported_once(staked: Testnet) -> None:
    staked.report()
    output = staked.refused(report)
    assert re.search(r"Error: slot \d+ has been reported; the next frame starts at \d+", output)


def test_slot_that_may_not_be_final_is_not_reported(staked: Testnet, protocol: Protocol) -> None:
    """The reference slot of a frame that has just begun."""
    staked.report()
    warp_to(protocol.oracle.expected().deadline + 12)
    output = staked.refused(report)
    assert "It would be refused: ReferenceTooRecent(" in output
    assert "`ape run consensus advance` lets time pass." in output
    staked.consensus("advance")
    staked.report()


def test_slashing_is_a_loss_in_the_next_report(staked: Testnet, protocol: Protocol) -> None:
    staked.report()
    rate = protocol.vault.rate()
    output = staked.consensus("slash", "--index", "0")
    assert "Validator 0 is slashed; the next report shows it." in output
    assert re.search(r"│ +0 │.*│ +yes +│", output)
    staked.consensus("advance", "--days", "1")
    assert told_gain(staked.report()) < 0
    assert protocol.vault.rate() < rate
    assert protocol.vault.consensus()[0] < 0


def test_exit_comes_back_through_the_gateway_and_pays_a_request(staked: Testnet, protocol: Protocol) -> None:
    staked.report()
    staked.shell.ok(request.cli, "90")
    assert "Validator 0 leaves" in staked.consensus("exit", "--index", "0")
    staked.consensus("advance", "--days", "3")
    (withdrawn,) = staked.kept["withdrawn"].values()
    assert withdrawn > 64 * GWEI
    assert protocol.gateway.balance == withdrawn * GWEI
    staked.report()
    assert protocol.gateway.balance == 0
    assert protocol.vault.consensus()[2] == withdrawn
    output = staked.shell.ok(claim.cli, "--finalize")
    assert re.search(r"Claimed 90\.\d+ ether of request 1", output)


@pytest.mark.parametrize("action", ["exit", "slash"])
@pytest.mark.parametrize("words", [(), ("--index", "1"), ("--index", "-1")])
def test_validator_that_is_not_there_is_named(staked: Testnet, action: str, words: tuple[str, ...]) -> None:
    assert "Give --index, 0 to 0; `ape run consensus show` lists them." in staked.refused(consensus, action, *words)


def test_exit_twice_is_refused(staked: Testnet) -> None:
    staked.consensus("exit", "--index", "0")
    before = staked.kept
    assert "Error: validator 0 is already leaving" in staked.refused(consensus, "exit", "--index", "0")
    assert staked.kept["validators"] == before["validators"]


def test_deposit_beyond_the_buffer_is_refused_with_both_figures(testnet: Testnet, protocol: Protocol) -> None:
    testnet.shell.ok(stake.cli, "40")
    output = testnet.refused(consensus, "deposit", "--ether", "64")
    assert f"BufferTooLow(needed={64 * ETHER}, available={41 * ETHER})" in output
    assert protocol.vault.buffer() == 41 * ETHER
    assert not testnet.state.exists()


def test_state_is_kept_between_commands_and_begun_anew_on_another_chain(staked: Testnet) -> None:
    kept = staked.kept
    assert "active" in staked.consensus("show")
    assert staked.kept["rewards"] == kept["rewards"] > 0
    other = {**kept, "chain": "00" * 32, "validators": [], "rewards": 1}
    staked.state.write_text(json.dumps(other))
    assert "active" in staked.consensus("show")  # from the deposits on this chain
    assert staked.kept["chain"] == kept["chain"]
    assert staked.kept["rewards"] == kept["rewards"]


@pytest.mark.parametrize("text", ["", "{", '{"format": 1}', "[]"])
@pytest.mark.parametrize("module", [consensus, report], ids=["consensus", "report"])
def test_damaged_state_is_told_and_left_alone(testnet: Testnet, module: ModuleType, text: str) -> None:
    testnet.state.write_text(text)
    words = ("show",) if module is consensus else ()
    output = testnet.refused(module, *words)
    assert f"{testnet.state} is damaged (" in output
    assert "Delete it" in output
    assert testnet.state.read_text() == text


def test_report_needs_the_members_keys(staked: Testnet, protocol: Protocol, tmp_path: Path) -> None:
    """Committees whose keys are no test accounts sign with the daemon, not with this script."""
    text = LOCAL_PARAMS.read_text()
    foreign = {member.key: f"0x{n + 1:040x}" for n, member in enumerate(protocol.params.oracle.members)}
    for known, other in foreign.items():
        text = text.replace(known, other)
    params = tmp_path / "others.yaml"
    params.write_text(text)
    output = staked.refused(report, "--params", str(params))
    assert "this script is for local chains" in output or "parameters" in output


@pytest.mark.parametrize("module", [consensus, report])
def test_help_has_examples(module: ModuleType) -> None:
    result = CliRunner().invoke(module.cli, ["--help"])
    assert result.exit_code == 0
    assert "Examples" in result.output
    assert f"ape run {module.__name__.removeprefix('scripts.')}" in result.output
