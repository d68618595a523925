"""Settings, keys, examples and transactions of the services, without a chain."""

from __future__ import annotations

import configparser
import json
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from eth_account import Account

from sluice.chain.node import NodeError
from sluice.cli.main import cli
from sluice.daemon.keys import KeyFileError, load_key
from sluice.daemon.sender import NotSentError, Sender, WouldRevertError
from sluice.daemon.service import AlreadyRunningError, Service, sole
from sluice.daemon.settings import ServiceSettings, SettingsError, described, load
from sluice.keeper.daemon import KeeperSettings
from sluice.oracle.daemon import OracleSettings
from sluice.watcher.daemon import WatchSettings

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
KEY = Account.from_key(b"\x07" * 32)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("oracle.yaml", OracleSettings),
        ("keeper.yaml", KeeperSettings),
        ("keeper-devnet.yaml", KeeperSettings),
        ("watch.yaml", WatchSettings),
    ],
)
def test_examples_are_settings(name: str, kind: type[ServiceSettings]) -> None:
    assert load(kind, EXAMPLES / name).execution_urls


def test_page_names_every_setting() -> None:
    page = (ROOT / "docs" / "daemons.md").read_text()
    fields = {*OracleSettings.model_fields, *KeeperSettings.model_fields, *WatchSettings.model_fields}
    assert [name for name in sorted(fields) if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("name", "words"), [("oracle", ["oracle", "run"]), ("keeper", ["keeper", "run"]), ("watch", ["watch"])]
)
def test_units_run_commands_that_there_are(name: str, words: list[str]) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(EXAMPLES / f"sluice-{name}.service")
    assert unit["Service"]["ExecStart"].split()[1:] == [*words, "--config", f"/etc/sluice/{name}.yaml"]
    shown = CliRunner().invoke(cli, [*words, "--help"])
    assert shown.exit_code == 0
    assert f"Examples:\n    sluice {' '.join(words)} --config {name}.yaml" in shown.output


@pytest.mark.parametrize("name", ["oracle", "keeper", "watch"])
def test_units_load_both_secrets_of_their_settings(name: str) -> None:
    """The unit's user is made at its start, so it can own neither file."""
    unit = (EXAMPLES / f"sluice-{name}.service").read_text()
    given = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    loaded = dict(re.findall(r"^LoadCredential=(\w+):(.*)$", unit, re.MULTILINE))
    assert loaded == {"key": f"/etc/sluice/{name}-key.json", "password": f"/etc/sluice/{name}-password"}
    folder = f"/run/credentials/sluice-{name}.service"
    assert (given["key_file"], given["password_file"]) == (f"{folder}/key", f"{folder}/password")


def test_container_runs_a_command_that_there_is() -> None:
    file = (EXAMPLES / "Containerfile").read_text()
    command = json.loads(re.findall(r"^CMD (.*)$", file, re.MULTILINE)[0])
    assert command[:2] == ["oracle", "run"]
    pattern = re.findall(r"grep -o '([^']*)' requirements.lock", file)[0]
    pinned = {
        line.split("==")[0] for line in re.findall(pattern, (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    }
    assert {"starlette", "httpx", "eth-account", "numpy"} <= pinned, "what the services need comes from the lock file"


def test_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load((EXAMPLES / "keeper.yaml").read_text()) | {"max_fee_gwei": 7}))
    assert load(KeeperSettings, file).max_fee_gwei == 7
    monkeypatch.setenv("SLUICE_MAX_FEE_GWEI", "9")
    monkeypatch.setenv("SLUICE_BEACON_URLS", "http://a, http://b/")
    monkeypatch.setenv("SLUICE_EXECUTION_URLS", "http://c")
    found = load(WatchSettings, file)
    assert (found.max_fee_gwei, found.beacon_urls) == (9, ("http://a", "http://b"))


@pytest.mark.parametrize("name", ["SLUICE_EXECUTION_URLS", "SLUICE_BEACON_URLS"])
def test_keeper_takes_one_node_of_each(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://a,http://b")
    with pytest.raises(SettingsError, match=rf"\({name}\): one: a keeper asks no second node"):
        load(KeeperSettings, EXAMPLES / "keeper.yaml")
    text = described(KeeperSettings)
    assert "at least one" not in text
    assert text.count("node, one\n") == 2


def test_variables_of_other_commands_are_no_settings_and_typing_errors_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("SLUICE_RPC", "SLUICE_BEACON", "SLUICE_DEVNET_URL", "SLUICE_ROOT", "SLUICE_TEST_ANY"):
        monkeypatch.setenv(name, "http://a")
    assert load(KeeperSettings, EXAMPLES / "keeper.yaml").beacon_urls == ("http://127.0.0.1:5052",)
    monkeypatch.setenv("SLUICE_BEACON_URL", "http://a")
    with pytest.raises(SettingsError, match="no such setting: SLUICE_BEACON_URL"):
        load(KeeperSettings, EXAMPLES / "keeper.yaml")


def test_address_of_version_6_is_listened_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_LISTEN", "[::1]:9400")
    found = load(KeeperSettings, EXAMPLES / "keeper.yaml")
    assert (found.host, found.port) == ("::1", 9400)


def test_variables_of_an_operator_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/operators.md exports them: a service in the same shell neither refuses them nor takes the operator's key."""
    page = (ROOT / "docs" / "operators.md").read_text()
    exported = set(re.findall(r"\b(SLUICE_\w+)=", page))
    assert exported >= {"SLUICE_RPC", "SLUICE_BEACON", "SLUICE_OPERATOR_KEY_FILE", "SLUICE_OPERATOR_PASSWORD_FILE"}
    for name in exported - {"SLUICE_ORACLE"}:
        monkeypatch.setenv(name, "/nowhere")
    file = EXAMPLES / "keeper-devnet.yaml"
    assert load(KeeperSettings, file).key_file == Path("build/keeper.json")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is not YAML"),
        ("- 1", "holds no fields"),
        ("oracle: 5", "state_dir (SLUICE_STATE_DIR): Field required"),
        ("nothing: 5", "nothing (SLUICE_NOTHING): Extra inputs are not permitted"),
        (
            "oracle: 0x00000000000000000000000000000000000000Ff",
            "oracle (SLUICE_ORACLE): YAML reads a number: put it in quotes",
        ),
        ("oracle: 0x12", "oracle (SLUICE_ORACLE): YAML reads a number: put it in quotes"),
        ("oracle: '0x12'", "oracle (SLUICE_ORACLE): '0x12' is not an address"),
        ("5: 5", "5 is not the name of a setting"),
        (
            "beacon_urls: ['ws://node/secret']",
            "beacon_urls.0 (SLUICE_BEACON_URLS): it does not begin with http:// or https://",
        ),
        ("listen: foo", "listen (SLUICE_LISTEN): 'foo' is not host:port"),
        ("listen: 127.0.0.1:99999", "listen (SLUICE_LISTEN): '127.0.0.1:99999' is not host:port"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(KeeperSettings, file)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://", "http://:5052", "http://node:99999", "http://node:secret", "http://[::1"])
def test_url_that_leads_nowhere_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SLUICE_BEACON_URLS", url)
    with pytest.raises(SettingsError, match=r"beacon_urls\.0 \(SLUICE_BEACON_URLS\): it has no host, or a wrong port"):
        load(KeeperSettings, EXAMPLES / "keeper.yaml")


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(KeeperSettings, tmp_path / "absent.yaml")
    file = tmp_path / "a.yaml"
    file.write_bytes(b"log_level: \xff")
    with pytest.raises(SettingsError, match=r"a\.yaml is not UTF-8"):
        load(KeeperSettings, file)


def test_key_opens_with_its_password_alone(tmp_path: Path) -> None:
    key, password = tmp_path / "key.json", tmp_path / "password"
    key.write_text(json.dumps(Account.encrypt(KEY.key, "right", kdf="pbkdf2", iterations=10)))
    password.write_text("right\n")
    assert load_key(key, password).address == KEY.address
    password.write_text("wrong")
    with pytest.raises(KeyFileError, match="does not open"):
        load_key(key, password)
    key.write_text("{")
    with pytest.raises(KeyFileError, match="not JSON"):
        load_key(key, password)
    with pytest.raises(KeyFileError, match="cannot be read"):
        load_key(tmp_path / "absent", password)


@pytest.mark.parametrize(
    ("keystore", "words"),
    [
        ({"version": 4, "crypto": {}, "pubkey": "00"}, "is a keystore of version 4, which holds a validator's key"),
        ({"version": 1, "crypto": {}}, "is a keystore of version 1; version 3 is needed"),
        ([], "is no keystore"),
        ({"address": "00"}, "is no keystore"),
    ],
)
def test_keystore_of_another_kind_is_refused(tmp_path: Path, keystore: Any, words: str) -> None:
    key, password = tmp_path / "key.json", tmp_path / "password"
    key.write_text(json.dumps(keystore))
    password.write_text("right")
    with pytest.raises(KeyFileError, match=re.escape(f"{key} {words}")):
        load_key(key, password)


def test_password_that_is_no_text_is_named(tmp_path: Path) -> None:
    key, password = tmp_path / "key.json", tmp_path / "password"
    key.write_text(json.dumps(Account.encrypt(KEY.key, "right", kdf="pbkdf2", iterations=10)))
    password.write_bytes(b"\xff")
    with pytest.raises(KeyFileError, match=re.escape(f"{password} is not UTF-8")):
        load_key(key, password)
    password.write_text("right")
    key.write_bytes(b"\xff")
    with pytest.raises(KeyFileError, match=re.escape(f"{key} is not UTF-8")):
        load_key(key, password)


def test_one_process_in_one_folder(tmp_path: Path) -> None:
    with sole(tmp_path), pytest.raises(AlreadyRunningError), sole(tmp_path):
        pass
    with sole(tmp_path):
        pass


def test_failure_of_a_round_ends_nothing() -> None:
    said = iter([ValueError("once"), "fine"])

    def step() -> str:
        found = next(said)
        if isinstance(found, Exception):
            raise found
        service.stop()
        return found

    service = Service("test", step, pause=0.001)
    assert service.run() is True
    assert service.status == "fine"
    assert service.metrics.get_sample_value("sluice_rounds_total", {"result": "failed"}) == 1
    assert service.metrics.get_sample_value("sluice_rounds_total", {"result": "good"}) == 1


HANGS = """
import time
from sluice.daemon.service import Service

def step():
    print("begun", flush=True)
    time.sleep(60)

Service("test", step, pause=1).run()
"""


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_second_signal_ends_a_round_that_hangs(second: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", HANGS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "begun\n"
            process.send_signal(signal.SIGTERM)
            assert "ending" in process.stdout.readline()
            process.send_signal(second)
            assert process.wait(10) == -second
        finally:
            process.kill()


class Chain:
    """A node that answers as a test says, and what was sent to it."""

    def __init__(self, *, base: int = 10**9, mined_after: int = 1, status: str = "0x1", refuses: bool = False) -> None:
        self.base, self.mined_after, self.status, self.refuses = base, mined_after, status, refuses
        self.sent: list[dict[str, Any]] = []

    def request(self, method: str, *params: Any) -> Any:
        if method in ("eth_call", "eth_estimateGas"):
            if self.refuses:
                raise NodeError(method, 3, "execution reverted", "0x12345678")
            return "0x5208" if method == "eth_estimateGas" else "0x"
        if method == "eth_getTransactionReceipt":
            there = len(self.sent) >= self.mined_after
            return {"status": self.status, "transactionHash": params[0], "gasUsed": "0x1"} if there else None
        if method == "eth_sendRawTransaction":
            self.sent.append(params[0])
            return f"0x{len(self.sent):064x}"
        return {
            "eth_getBlockByNumber": {"baseFeePerGas": hex(self.base)},
            "eth_getTransactionCount": "0x5",
            "eth_chainId": "0x1",
        }[method]


def sender(chain: Chain, gwei: int = 100) -> Sender:
    return Sender(chain, KEY, gwei * 10**9, 0.01, wait=lambda _: False)


TO = "0x" + "11" * 20


def test_transaction_that_is_stuck_is_replaced_by_a_dearer_one() -> None:
    chain = Chain(mined_after=3)
    sender(chain).send(TO, b"")
    assert len(chain.sent) == 3


def test_every_transaction_is_told_when_it_has_left() -> None:
    """Also to whoever is interrupted while the node is asked: it may have it."""
    chain, told = Chain(mined_after=2), []
    each = replace(sender(chain), tell=told.append)
    each.send(TO, b"")
    assert told == each.sent
    assert len(set(told)) == 2

    class Interrupted(Chain):
        def request(self, method: str, *params: Any) -> Any:
            if method == "eth_sendRawTransaction":
                raise KeyboardInterrupt
            return super().request(method, *params)

    each = replace(sender(Interrupted()), tell=told.append)
    with pytest.raises(KeyboardInterrupt):
        each.send(TO, b"")
    assert (len(each.sent), len(told)) == (1, 2)


def test_stuck_transaction_that_would_revert_now_is_not_outbid() -> None:
    """Somebody else has done it meanwhile: the next transaction takes its nonce."""

    class Overtaken(Chain):
        def request(self, method: str, *params: Any) -> Any:
            self.refuses = bool(self.sent)
            return super().request(method, *params)

    chain = Overtaken(mined_after=99)
    with pytest.raises(WouldRevertError):
        sender(chain).send(TO, b"")
    assert len(chain.sent) == 1

    class Late(Overtaken):
        """What refuses it is its own success, which came between two looks."""

        looked = False

        def request(self, method: str, *params: Any) -> Any:
            self.looked = self.looked or (method == "eth_call" and bool(self.sent))
            self.mined_after = 1 if self.looked else 99
            return super().request(method, *params)

    chain = Late()
    assert sender(chain).send(TO, b"")["status"] == "0x1"
    assert len(chain.sent) == 1


def test_service_that_ends_waits_for_no_receipt() -> None:
    chain = Chain(mined_after=99)
    service = Service("test", lambda: "", pause=1.0)
    ending = Sender(chain, KEY, 10**11, 600.0, wait=service.wait)
    service.stop()
    with pytest.raises(NotSentError, match="the service ends; it still waits for 0x"):
        ending.send(TO, b"")
    assert len(chain.sent) == 1


def test_nothing_is_sent_above_the_cap_nor_what_would_revert() -> None:
    chain = Chain(base=200 * 10**9)
    with pytest.raises(NotSentError, match=r"gas costs 201\.00 gwei, above max_fee_gwei 100"):
        sender(chain).send(TO, b"")
    assert chain.sent == []
    chain = Chain(refuses=True)
    with pytest.raises(WouldRevertError) as caught:
        sender(chain).send(TO, b"")
    assert caught.value.data == bytes.fromhex("12345678")
    assert chain.sent == []


def test_trouble_of_the_node_is_no_revert_and_an_older_transaction_is_outbid() -> None:
    class Limited(Chain):
        def request(self, method: str, *params: Any) -> Any:
            if method == "eth_call":
                raise NodeError(method, -32005, "rate limit exceeded", None)
            return super().request(method, *params)

    with pytest.raises(NodeError, match="rate limit"):
        sender(Limited()).send(TO, b"")

    class Waiting(Chain):
        tries = 0

        def request(self, method: str, *params: Any) -> Any:
            if method == "eth_sendRawTransaction":
                self.tries += 1
                if self.tries < 3:
                    raise NodeError(method, -32003, "replacement transaction underpriced", None)
            return super().request(method, *params)

    chain = Waiting()
    sender(chain).send(TO, b"")
    assert (chain.tries, len(chain.sent)) == (3, 1)


def test_transaction_that_was_in_a_block_already_is_found() -> None:
    """It came into a block between the last look and the dearer one, which the node then refuses."""

    class Quick(Chain):
        def request(self, method: str, *params: Any) -> Any:
            if method == "eth_sendRawTransaction" and self.sent:
                self.mined_after = 1
                raise NodeError(method, -32000, "nonce too low", None)
            return super().request(method, *params)

    assert sender(Quick(mined_after=99)).send(TO, b"")["status"] == "0x1"

    class Foreign(Chain):
        def request(self, method: str, *params: Any) -> Any:
            if method == "eth_sendRawTransaction":
                raise NodeError(method, -32000, "nonce too low", None)
            return super().request(method, *params)

    with pytest.raises(NodeError, match="nonce too low"):
        sender(Foreign(mined_after=99)).send(TO, b"")


def test_nothing_is_sent_that_is_not_wanted_any_more() -> None:
    chain, answers = Chain(mined_after=99), iter([True, False])
    with pytest.raises(NotSentError, match="has changed"):
        sender(chain).send(TO, b"", 0, lambda: next(answers))
    assert len(chain.sent) == 1, "and the dearer one is not"


def test_what_stays_stuck_at_the_cap_and_what_fails_is_told() -> None:
    chain = Chain(mined_after=99)
    with pytest.raises(NotSentError, match="nonce 5: no transaction gets into a block"):
        sender(chain, gwei=4).send(TO, b"")
    with pytest.raises(NotSentError, match="failed in its block"):
        sender(Chain(status="0x0")).send(TO, b"")
