"""Parameter files: units, ranges, and errors that name the field."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from sluice.deploy.errors import ParamsError
from sluice.deploy.params import Params, load_params, parse_params
from sluice.deploy.quantities import (
    BPS_UNITS,
    SHARE_UNITS,
    SLOT_UNITS,
    TIME_UNITS,
    WEI_UNITS,
    parse_address,
    parse_count,
    parse_quantity,
)

FOLDER = Path(__file__).resolve().parents[2] / "deployments" / "params"
LOCAL = FOLDER / "local.yaml"
LOWER = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
CHECKSUM = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
GUARDIAN = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"


@pytest.fixture
def raw() -> dict[str, Any]:
    """The local file as text values, to be broken."""
    loaded: dict[str, Any] = yaml.load(LOCAL.read_text(), Loader=yaml.BaseLoader)  # noqa: S506  builds text only
    return loaded


def put(raw: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one field set, or removed where `value` is None."""
    result = copy.deepcopy(raw)
    place: Any = result
    *parents, last = path.split(".")
    for part in parents:
        place = place[int(part)] if part.isdigit() else place[part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return result


def parse(raw: dict[str, Any]) -> Params:
    return parse_params(yaml.safe_dump(raw), "test.yaml")


# --- Quantities ---


@pytest.mark.parametrize(
    ("text", "units", "expected"),
    [
        ("1 ether", WEI_UNITS, 10**18),
        ("0.001 ether", WEI_UNITS, 10**15),
        ("0.000000000000000001 ether", WEI_UNITS, 1),
        ("150_000 ether", WEI_UNITS, 150_000 * 10**18),
        ("1.5 gwei", WEI_UNITS, 1_500_000_000),
        ("7 wei", WEI_UNITS, 7),
        ("0.001 slETH", SHARE_UNITS, 10**15),
        ("1 day", TIME_UNITS, 86_400),
        ("3 days", TIME_UNITS, 259_200),
        ("1.5 hours", TIME_UNITS, 5_400),
        ("1 minute", TIME_UNITS, 60),
        ("12 seconds", TIME_UNITS, 12),
        ("1000 bps", BPS_UNITS, 1_000),
        ("7_200 slots", SLOT_UNITS, 7_200),
    ],
)
def test_quantity_becomes_the_smallest_unit(text: str, units: dict[str, int], expected: int) -> None:
    assert parse_quantity(text, units) == expected


@pytest.mark.parametrize(
    ("text", "units", "message"),
    [
        ("1000", BPS_UNITS, "needs a number and a unit (bps)"),
        ("ether", WEI_UNITS, "needs a number and a unit (wei or gwei or ether)"),
        ("-1 ether", WEI_UNITS, "needs a number and a unit"),
        ("1e18 wei", WEI_UNITS, "needs a number and a unit"),
        ("1 slETH", WEI_UNITS, "has the unit 'slETH'; allowed: wei or gwei or ether"),
        ("1 Ether", WEI_UNITS, "has the unit 'Ether'"),
        ("10 %", BPS_UNITS, "needs a number and a unit"),
        ("0.5 wei", WEI_UNITS, "not a whole number of the smallest unit"),
        ("0.0000000000000000001 ether", WEI_UNITS, "not a whole number of the smallest unit"),
        ("0.5 bps", BPS_UNITS, "not a whole number of the smallest unit"),
        (1.5, WEI_UNITS, "needs a number and a unit"),
        (True, WEI_UNITS, "needs a number and a unit"),
    ],
)
def test_quantity_without_its_unit_is_refused(text: object, units: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_quantity(text, units)


def test_address_gets_its_checksum() -> None:
    assert parse_address(LOWER) == parse_address(CHECKSUM) == CHECKSUM


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CHECKSUM.replace("C5", "c5"), f"wrong checksum; right is {CHECKSUM}"),
        (LOWER[:-1], "is not an address"),
        (LOWER[2:], "is not an address"),
        ("0x" + "00" * 20, "the zero address is not allowed"),
        (12, "is not an address"),
    ],
)
def test_wrong_address_is_refused(text: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_address(text)


@pytest.mark.parametrize("text", ["1.0", "-1", "0x10", "", "one", True])
def test_count_is_a_whole_number(text: object) -> None:
    with pytest.raises(ValueError, match="is not a whole number"):
        parse_count(text)


# --- Files ---


def test_local_file_holds_what_it_says() -> None:
    params = load_params(LOCAL)
    assert (params.network, params.chain_id, params.local) == ("local", 31_337, True)
    assert params.vault.fee == 1_000
    assert params.vault.minimum_stake == params.queue.minimum_request == 10**15
    assert params.vault.vesting_period == params.oracle.frame_seconds == 86_400
    assert params.queue.stale_after == 3 * 86_400
    assert params.vault.limit_burst == 150_000 * 10**18
    assert (params.oracle.quorum, len(params.oracle.members)) == (5, 9)
    # back within a day, and not by more than the rounding to gwei
    assert 0 <= 86_400 * params.vault.limit_growth_per_second - params.vault.limit_burst < 86_400 * 10**9


def test_local_accounts_are_those_of_the_test_mnemonic() -> None:
    from eth_account import Account

    Account.enable_unaudited_hdwallet_features()
    mnemonic = " ".join(["test"] * 11 + ["junk"])
    address = [Account.from_mnemonic(mnemonic, account_path=f"m/44'/60'/0'/0/{i}").address for i in range(28)]
    params = load_params(LOCAL)
    assert list(params.governance.accounts) == [address[i] for i in (1, 2, 2, 3, 5, 2)]
    assert params.treasury == address[6]
    assert [each.member for each in params.oracle.members] == address[10:19]
    assert [each.key for each in params.oracle.members] == address[19:28]


@pytest.mark.parametrize(
    ("path", "value", "field", "message"),
    [
        ("chain_id", "mainnet", "chain_id", "is not a whole number"),
        ("network", "Local Net", "network", "pattern"),
        ("treasury", None, "treasury", "required"),
        ("colour", "red", "colour", "not permitted"),
        ("salt_namespace", "", "salt_namespace", "at least 1 character"),
        ("external.deposit_contract", "0x12", "external.deposit_contract", "is not an address"),
        ("vault.fee", "2001 bps", "vault.fee", "less than or equal to 2000"),
        ("vault.fee", "1000", "vault.fee", "needs a number and a unit (bps)"),
        ("vault.seed", "0.999 ether", "vault.seed", "greater than or equal to 1000000000000000000"),
        ("vault.minimum_stake", "2 ether", "vault.minimum_stake", "less than or equal"),
        ("vault.vesting_period", "59 minutes", "vault.vesting_period", "greater than or equal to 3600"),
        ("vault.limit_burst", "1000000000000000001 wei", "vault.limit_burst", "multiple of 1000000000"),
        ("vault.limit_burst", "100_000_000 ether", "vault.limit_burst", "less than or equal"),
        ("vault.limit_growth_per_second", "4.3 ether", "vault.limit_growth_per_second", "less than or equal"),
        ("queue.minimum_request", "1 ether", "queue.minimum_request", "allowed: slETH"),
        ("queue.stale_after", "1 day", "file", "queue.stale_after 86400 s must be at least two frames (172800 s)"),
        ("pool.max_rate_age", "1 day", "file", "pool.max_rate_age 86400 s must be at least two frames (172800 s)"),
        (
            "basket.max_rate_age",
            "47 hours",
            "file",
            "basket.max_rate_age 169200 s must be at least two frames (172800 s)",
        ),
        ("basket.max_rate_age", "48 hours", None, None),
        ("basket.lp_fee", "0 bps", "basket.lp_fee", "greater than or equal to 1"),
        ("oracle.slot", "0 seconds", "oracle.slot", "greater than or equal to 1"),
        ("oracle.frame", "0 slots", "oracle.frame", "greater than or equal to 1"),
        ("oracle.quorum", "4", "oracle", "quorum 4 must be more than half of the 9 members"),
        ("oracle.quorum", "10", "oracle", "quorum 10 must be more than half of the 9 members and at most all"),
        ("oracle.members.1.member", "0xBcd4042DE499D14e55001CcbB24a551F3b954096", "oracle", "member 0xBcd4"),
        ("oracle.members.1.key", "0x8626f6940E2eb28930eFb4CeF49B2d1F2C9C1199", "oracle", "is named twice"),
        ("oracle.genesis_time", "now", "oracle.genesis_time", "is not a whole number"),
        ("report_limits.loss", "5001 bps", "report_limits.loss", "less than or equal to 5000"),
        ("report_limits.yearly_gain", "10001 bps", "report_limits.yearly_gain", "less than or equal to 10000"),
        ("report_limits.minimum_age", "6 hours", None, None),
        ("report_limits.minimum_age", "21601 seconds", "file", "minimum_age 21601 s must be at most a quarter"),
        ("report_limits.maximum_age", "12 hours", None, None),
        ("report_limits.maximum_age", "43199 seconds", "file", "maximum_age 43199 s must be at least half a frame"),
        ("report_limits.maximum_age", "69180 seconds", None, None),
        ("report_limits.maximum_age", "69181 seconds", "file", "leaves 17999 s until the next report can come"),
        ("fee_split.cover", "1501 bps", "fee_split", "the parts are 10001 bps together"),
        ("operators.solo.stake_cap", "31 ether", "operators.solo", "must be 0 or at least 32 ether"),
        ("operators.solo.stake_cap", "0 ether", None, None),
        ("operators.solo.stake_cap", "32 ether", None, None),
        ("operators.cluster.stake_cap", "33.5 ether", "operators.cluster.stake_cap", "multiple of"),
        ("operators.cluster.stake_cap", "4_294_967_296 ether", "operators.cluster.stake_cap", "less than"),
        ("operators.cluster.weight", "4294967296", "operators.cluster.weight", "less than"),
        ("operators.solo.bond", "10001 bps", "operators.solo.bond", "less than or equal to 10000"),
        ("operators.solo.fee", "10001 bps", "operators.solo.fee", "less than or equal to 10000"),
        ("operators.member_cap", "1 gwei", "operators.member_cap", "multiple of"),
        ("bonds.delay", "6 days", "bonds.delay", "greater than or equal to 604800"),
        ("bonds.delay", "7 days", "bonds", "window 604800 s must be shorter than delay 604800 s"),
        ("bonds.window", "59 minutes", "bonds.window", "greater than or equal to 3600"),
        ("governance.admin.delay", "13 days", "governance", "admin.delay 1123200 s must be at least upgrader.delay"),
        ("governance.target_admin_delay", "15 days", "governance", "target_admin_delay 1296000 s"),
        ("governance.guardian.grant_delay", "15 days", "governance", "guardian.grant_delay 1296000 s"),
        ("governance.upgrader.delay", "1 day", "governance", "upgrader.delay 86400 s must be at least governor.delay"),
        ("governance.releaser.delay", "13 hours", "file", "releaser.delay 46800 s must be at most half a frame"),
        ("governance.governor.account", GUARDIAN, "governance", "guardian.account must not be one of those"),
        ("governance.guardian.delay", "1 day", "governance.guardian.delay", "not permitted"),
        ("local", "false", "file", "challenge.bond is 0"),
        ("challenge.delay", "30 days", "file", "challenge.delay 2592000 s must be at least 2606400 s"),
        ("beacon.end_slot", "0", "beacon.end_slot", "greater than or equal to 1"),
        ("validators.overdue_after", "1 hour", "validators.overdue_after", "greater than or equal to 86400"),
    ],
)
def test_error_names_the_field(
    raw: dict[str, Any], path: str, value: Any, field: str | None, message: str | None
) -> None:
    changed = put(raw, path, value)
    if field is None:
        parse(changed)
        return
    with pytest.raises(ParamsError) as caught:
        parse(changed)
    first, *lines = str(caught.value).splitlines()
    assert first == "test.yaml is refused:"
    assert any(line.startswith(f"  {field}: ") and str(message) in line for line in lines), lines


def test_public_network_needs_its_own_genesis_and_separate_keys(raw: dict[str, Any]) -> None:
    public = put(put(put(raw, "local", "false"), "external.weth", CHECKSUM), "challenge.bond", "10 slETH")
    with pytest.raises(ParamsError, match=r"local_depositor: elsewhere the validator manager alone"):
        parse(public)
    del public["local_depositor"]
    with pytest.raises(ParamsError, match=r"oracle\.genesis_time: only a local chain"):
        parse(public)
    public = put(public, "oracle.genesis_time", "1606824023")
    assert parse(public).oracle.genesis_time == 1_606_824_023
    with pytest.raises(ParamsError, match=f"key {GUARDIAN} holds a governance role too"):
        parse(put(public, "oracle.members.0.key", GUARDIAN))


def test_all_errors_are_told_at_once(raw: dict[str, Any]) -> None:
    changed = put(put(raw, "vault.fee", "1000"), "queue.stale_after", "3")
    with pytest.raises(ParamsError) as caught:
        parse(changed)
    assert "vault.fee" in str(caught.value)
    assert "queue.stale_after" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vault: [", "is not YAML"),
        ("", "holds no fields"),
        ("- a\n- b\n", "holds no fields"),
        ("network: a\nnetwork: b\n", "line 2: the field 'network' is given twice"),
        ("vault:\n  fee: 1 bps\n  fee: 2 bps\n", "line 3: the field 'fee' is given twice"),
    ],
)
def test_file_that_is_no_parameter_file_is_refused(text: str, message: str) -> None:
    with pytest.raises(ParamsError) as caught:
        parse_params(text, "test.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("test.yaml")


def test_missing_file_names_those_that_are_there() -> None:
    with pytest.raises(ParamsError, match=r"there is no parameter file .*absent\.yaml; in its folder: .*local\.yaml"):
        load_params(FOLDER / "absent.yaml")


# --- Hash ---


def test_hash_is_that_of_the_values(raw: dict[str, Any]) -> None:
    reordered = dict(reversed(raw.items()))
    assert parse(reordered).hash == load_params(LOCAL).hash
    assert parse(put(raw, "vault.seed", "1_000_000_000 gwei")).hash == load_params(LOCAL).hash


def test_hash_changes_with_every_value(raw: dict[str, Any]) -> None:
    other = {
        "salt_namespace": "second",
        "treasury": LOWER,
        "vault.fee": "999 bps",
        "queue.stale_after": "4 days",
        "oracle.members.0.key": LOWER,
        "governance.registrar.delay": "0 days",
        "report_limits.gain_allowance": "0 ether",
        "external.weth": LOWER,
    }
    hashes = [parse(put(raw, path, value)).hash for path, value in other.items()]
    assert len({load_params(LOCAL).hash, *hashes}) == len(other) + 1


# --- Documentation ---


def test_readme_explains_every_field() -> None:
    text = (FOLDER / "README.md").read_text()

    def names(model: type[BaseModel]) -> set[str]:
        found = set()
        for name, field in model.model_fields.items():
            found.add(name)
            kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
            for kind in kinds:
                if isinstance(kind, type) and issubclass(kind, BaseModel):
                    found |= names(kind)
        return found

    missing = sorted(name for name in names(Params) if f"`{name}`" not in text)
    assert missing == []
