"""docs/operators.md: every command of the page, in its order, from nothing to an active validator."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner

from sluice.beacon.answers import Validator
from sluice.cli.main import cli
from sluice.deploy.registry import Registry
from sluice.devnet import Devnet, DevnetSettings
from sluice.devnet.books import Books
from sluice.operators import Operators
from tests.devnet.backend import BACKEND
from tests.devnet.protocol import ETHER, ROOT
from tests.devnet.staking import until

PAGE = (ROOT / "docs" / "operators.md").read_text()
COMMANDS = re.findall(r"^    ((?:sluice|ape) .*)$", PAGE, re.MULTILINE)
LEAVING = ["exit", "exit", "unbond", "withdraw"]
DEPLOY = 5
"""Commands before the operator's own."""
KEEPER = "sluice keeper run --config "


@dataclass
class Site:
    """A devnet with two seconds a slot and a folder; the page's ports and files stand for them."""

    devnet: Devnet
    books: Books
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What the page exports."""
        lines = re.findall(r"^    export (.*)$", PAGE, re.MULTILINE)
        return dict(word.split("=", 1) for line in lines for word in shlex.split(self.here(line)))

    def here(self, command: str) -> str:
        return (
            command.replace("http://127.0.0.1:8545", self.devnet.execution_url)
            .replace("http://127.0.0.1:5052", self.devnet.beacon_urls[0])
            .replace("build/", f"{self.folder}/")
        )

    def run(self, command: str) -> Any:
        """In this process, but for ape's: blocks come as transactions wait."""
        words = shlex.split(self.here(command).replace("$REWARDS", self.environment["REWARDS"]))
        with self.devnet.mining():
            if words[0] == "ape":
                words += ["--registry", str(self.folder / "registry.json")]
                subprocess.run(words, check=True, cwd=ROOT, capture_output=True)
                return None
            if words[:2] == ["sluice", "devnet"] and words[2] != "keystore":
                words += ["--url", self.devnet.beacon_urls[0]]
            return CliRunner().invoke(cli, words[1:], env={**os.environ, **self.environment})

    def keep(self, command: str) -> str:
        """One round of the page's keeper, in a terminal without what the page exports; its log and what it did."""
        config = self.folder / "keeper.yaml"
        config.write_text(self.here((ROOT / command.removeprefix(KEEPER)).read_text()))
        words = [*shlex.split(KEEPER)[1:], str(config), "--once"]
        with self.devnet.mining(), ThreadPoolExecutor() as pool:  # in the main thread it would take our signals
            result = pool.submit(CliRunner().invoke, cli, words, env={"SLUICE_RECEIPT_SECONDS": "20"}).result()
        structlog.reset_defaults()  # the command has configured them for a process of its own
        assert result.exit_code == 0, result.output
        return str(result.output)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Devnet(DevnetSettings(backend=BACKEND, seconds_per_slot=2)) as devnet:
        devnet.advance(2)
        made = Site(devnet, Books(devnet), Path(tmp_path_factory.mktemp("operator")))
        for command in COMMANDS[:DEPLOY]:
            result = made.run(command)
            assert result is None or result.exit_code == 0, result.output
        registry = Registry.read(made.folder / "registry.json")
        assert registry is not None
        addresses = {name: each.address for name, each in registry.contracts.items()}
        assert addresses["ReportOracle"] == made.environment["SLUICE_ORACLE"], "as the page says"
        made.books.addresses |= {address.lower() for address in addresses.values()}
        yield made


def test_commands_of_the_page_lead_to_an_active_validator(site: Site) -> None:
    names = [command.split()[2] for command in COMMANDS[DEPLOY:]]
    assert names == ["run", "register", "bond", "deposit-data", "add-keys", "prepare", "status", *LEAVING]
    keeper, register, bond, data, add_keys, prepare, status, *_ = COMMANDS[DEPLOY:]
    devnet = site.devnet
    assert site.keep(keeper).endswith("nothing is due\n")
    result = site.run(register)
    assert result.exit_code == 0, result.output
    assert result.output.endswith("operator 1: up to 2,048 ether, bond 10% of it\n")
    assert "bond of operator 1: " in site.run(bond).output
    assert site.run(data).exit_code == 0
    assert site.run(add_keys).output == "1 keys more, 65 in all\n"
    result = site.run(prepare)
    assert result.exit_code == 0, result.output
    assert "1 of 1: 0x" in result.output
    assert "prepared now" in result.output
    # again, as after an interruption: nothing is done twice
    assert "prepared now" not in site.run(prepare).output
    assert "is there already" in site.run(data).output
    assert "is there already" in site.run(COMMANDS[DEPLOY - 1]).output
    (item,) = json.loads((site.folder / "deposit_data.json").read_text())
    key = bytes.fromhex(item["pubkey"])

    def state() -> str:
        found = devnet.beacon.validator(key)
        return "" if found is None else found.status

    until(devnet, lambda: state() != "")
    devnet.finalize(devnet.status().slot)
    assert "prove (" in site.keep(keeper)
    assert "topped up (" in site.keep(keeper)
    until(devnet, lambda: state() == "active_ongoing")
    output = site.run(status).output
    assert "active_ongoing" in output
    assert "proven" in output
    operators = Operators.at(devnet.node, site.environment["SLUICE_ORACLE"])
    assert operators.standing(1)["staked"] == 97 * ETHER, "in parts of 32, as far as the bond allows"
    site.books.check()


def test_commands_of_the_page_lead_out_again(site: Site) -> None:
    """Behind the test before it."""
    part, whole, unbond, withdraw = COMMANDS[-len(LEAVING) :]
    keeper = COMMANDS[DEPLOY]
    devnet, books = site.devnet, site.books
    operators = Operators.at(devnet.node, site.environment["SLUICE_ORACLE"])
    (deposit,) = json.loads((site.folder / "deposit_data.json").read_text())
    key = bytes.fromhex(deposit["pubkey"])

    def seen() -> Validator:
        books.check()  # while the node still has what its blocks paid
        found = devnet.beacon.validator(key)
        assert found is not None
        return found

    assert "too young: ask again from epoch " in site.run(whole).output
    period = int(devnet.beacon.spec().values["SHARD_COMMITTEE_PERIOD"])
    devnet.advance_epochs(period + 1)
    had = seen().balance
    before = operators.standing(1)
    assert site.run(part).output.endswith("asked for a part\n")
    devnet.advance(1)
    assert "parts of it are on their way, 1 ether" in site.run(whole).output
    until(devnet, lambda: seen().balance < had)
    assert not devnet.beacon.pending_partial_withdrawals()
    assert site.run(whole).output.endswith("asked to leave\n")
    devnet.advance(1)
    assert "leaves already" in site.run(whole).output
    assert operators.standing(1)["required"] == before["required"] > 0, "it works on until it is gone"
    until(devnet, lambda: seen().balance == 0)
    devnet.finalize(devnet.status().slot)
    assert "proveGone (" in site.keep(keeper)
    assert operators.phase_of(key) == "gone"
    assert "10.000000 slETH leave from " in site.run(unbond).output
    assert operators.standing(1)["bond"] == 0
    assert "refused: StillLocked(" in site.run(withdraw).output
    books.check()


def test_what_is_wrong_is_named(site: Site) -> None:
    file = site.folder / "bad.json"
    credentials = Operators.at(site.devnet.node, site.environment["SLUICE_ORACLE"]).contracts.credentials.hex()
    for text, words in (
        ("{", "is no deposit data"),
        ("[1]", "is no deposit data"),
        ('[{"pubkey": "00"}]', "is no deposit data"),
        (item(credentials="01" + 31 * "00"), "its credentials are 0x01"),
        (item(amount=32 * ETHER, credentials=credentials), "a preparation is 1 ether"),
        (item(credentials=credentials), "its signature is not valid on this chain"),
    ):
        file.write_text(text)
        result = site.run("sluice operator prepare 1 build/bad.json")
        assert (result.exit_code, words in result.output) == (1, True), result.output
    assert "cannot be read" in site.run("sluice operator prepare 1 build/absent.json").output
    assert "refused: OperatorUnknown(99)" in site.run("sluice operator bond 99 --ether 1").output
    result = site.run("sluice operator status 1 --rpc http://127.0.0.1:1")
    assert "does not answer as an execution node" in result.output


def item(*, credentials: str, amount: int = ETHER) -> str:
    made = {
        "pubkey": "aa" * 48,
        "withdrawal_credentials": credentials,
        "amount": amount,
        "signature": "bb" * 96,
    }
    return json.dumps([made])
