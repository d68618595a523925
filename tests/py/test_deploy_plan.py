"""The plan: addresses before anything is there, arguments against ABIs, every restricted function with its role."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils import keccak

from sluice.deploy import addresses as addr
from sluice.deploy.abi import (
    canonical_type,
    convert_named,
    decode_result,
    encode_call,
    encode_constructor,
    function,
    plain,
    selector_of,
    signature_of,
)
from sluice.deploy.artifacts import Artifact, load_artifacts
from sluice.deploy.catalog import CATALOG, DERIVED, Resolved, Role
from sluice.deploy.errors import ArgumentError, ArtifactError, ParamsError
from sluice.deploy.params import Params, load_params
from sluice.deploy.plan import Configure, Plan, make_plan

ROOT = Path(__file__).resolve().parents[2]
DEPLOYER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
STRANGER = "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720"


@pytest.fixture(scope="module")
def artifacts() -> dict[str, Artifact]:
    return load_artifacts(ROOT / ".build" / "__local__.json")


@pytest.fixture(scope="module")
def params() -> Params:
    return load_params(ROOT / "deployments" / "params" / "local.yaml")


@pytest.fixture(scope="module")
def plan(params: Params, artifacts: dict[str, Artifact]) -> Plan:
    return make_plan(params, Resolved(1_800_000_000), artifacts, DEPLOYER)


def changed(params: Params, section: str, **values: Any) -> Params:
    part = getattr(params, section).model_copy(update=values)
    return params.model_copy(update={section: part})


# --- Addresses ---


@pytest.mark.parametrize(
    ("creator", "salt", "code", "expected"),
    [  # the examples of EIP-1014
        ("0x" + "00" * 20, "00" * 32, "00", "0x4D1A2e2bB4F88F0250f26Ffff098B0b30B26BF38"),
        ("0xdeadbeef" + "00" * 16, "00" * 32, "00", "0xB928f69Bb1D91Cd65274e3c79d8986362984fDA3"),
        (
            "0x00000000000000000000000000000000deadbeef",
            "00" * 28 + "cafebabe",
            "deadbeef",
            "0x60f3f640a8508fC6a86d45DF051962668E1e8AC7",
        ),
        ("0x" + "00" * 20, "00" * 32, "", "0xE33C0C7F7df4809055C3ebA6c09CFe4BaF1BD9e0"),
    ],
)
def test_create2_address_is_that_of_the_standard(creator: str, salt: str, code: str, expected: str) -> None:
    assert addr.create2_address(creator, bytes.fromhex(salt), keccak(bytes.fromhex(code))) == expected


def test_create_address_is_that_of_known_contracts() -> None:
    # the second contract of an account whose nonces are public knowledge
    creator = "0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0"
    assert addr.create_address(creator, 1) == "0x343c43A37D37dfF08AE8C4A11544c718AbB4fCF8"
    assert addr.create_address(creator, 2) == "0xf778B86FA74E846c4f0a1fBd1335FE81c00a0C91"


@pytest.mark.parametrize("nonce", [0, 128])
def test_create_address_knows_small_nonces_only(nonce: int) -> None:
    with pytest.raises(ValueError, match="is not between 1 and 127"):
        addr.create_address(DEPLOYER, nonce)


def test_addresses_depend_on_deployer_namespace_and_names_alone(
    params: Params, artifacts: dict[str, Artifact], plan: Plan
) -> None:
    elsewhere = make_plan(changed(params, "vault", fee=1), Resolved(5), artifacts, DEPLOYER)
    assert elsewhere.addresses == plan.addresses
    grown = artifacts["RewardsVault"]
    other_code = {**artifacts, "RewardsVault": replace(grown, creation=grown.creation + b"\x00")}
    assert make_plan(params, plan.resolved, other_code, DEPLOYER).addresses == plan.addresses

    factory = {"Create3Deployer"}
    for different in (
        make_plan(params, plan.resolved, artifacts, STRANGER),
        make_plan(params.model_copy(update={"salt_namespace": "b"}), plan.resolved, artifacts, DEPLOYER),
    ):
        same = {name for name, address in different.addresses.items() if address == plan.addresses[name]}
        assert same == factory


def test_no_two_contracts_share_an_address(plan: Plan) -> None:
    assert len(set(plan.addresses.values())) == len(plan.addresses)


# --- Steps ---


def test_steps_come_in_an_order_that_works(plan: Plan) -> None:
    names = [step.name for step in plan.steps]
    assert names[0] == "Create3Deployer"
    assert names[-3:] == ["roles", "restrictions", "handover"]
    # the vault's constructor mints through the token; others read the vault in theirs
    assert names.index("StakedEther") < names.index("StakingVault")
    assert names.index("WithdrawalGateway") < names.index("WithdrawalGatewayProxy")
    for reader in ("RebasingStakedEther", "AsyncRedeemVault"):
        assert names.index("StakingVault") < names.index(reader)


def test_only_seeds_are_sent_along(plan: Plan, params: Params) -> None:
    assert {step.name: step.value for step in plan.steps if step.value} == {
        "StakingVault": params.vault.seed,
        "InstantPool": params.pool.seed,
    }
    assert plan.value == params.vault.seed + params.pool.seed


def test_handover_is_one_transaction_that_ends_with_renouncing(plan: Plan, params: Params) -> None:
    last = plan.steps[-1]
    assert isinstance(last, Configure)
    admin = params.governance.admin
    assert last.calls == (
        f"grantRole{[0, admin.account.lower(), admin.delay]}",
        f"renounceRole{[0, DEPLOYER.lower()]}",
    )


def test_weth_is_deployed_only_where_none_is_given(params: Params, artifacts: dict[str, Artifact]) -> None:
    given = make_plan(changed(params, "external", weth=OTHER), Resolved(1), artifacts, DEPLOYER)
    assert "WrappedEther" not in given.addresses
    adapter = next(step for step in given.deployments if step.name == "AsyncRedeemVault")
    assert adapter.arguments["asset_"] == OTHER


def test_constructor_arguments_arrive_in_the_init_code(plan: Plan, artifacts: dict[str, Artifact]) -> None:
    step = next(step for step in plan.deployments if step.name == "StakedEther")
    salt, init_code = decode(["bytes32", "bytes"], step.data[4:])
    assert salt == step.salt
    assert init_code.startswith(artifacts["StakedEther"].creation)
    arguments = decode(["address", "address"], init_code[len(artifacts["StakedEther"].creation) :])
    assert arguments == (plan.addresses["StakingVault"].lower(), plan.addresses["WithdrawalQueue"].lower())


def test_deployer_with_a_role_is_refused(params: Params, artifacts: dict[str, Artifact]) -> None:
    for account in params.governance.accounts:
        with pytest.raises(ParamsError, match=f"governance: {account} is the deployer"):
            make_plan(params, Resolved(1), artifacts, account)


def test_missing_contract_is_named(params: Params, artifacts: dict[str, Artifact]) -> None:
    without = {name: each for name, each in artifacts.items() if name not in ("CoverFund", "StakingVault")}
    with pytest.raises(ArtifactError, match="not compiled: CoverFund, StakingVault; run `make compile`"):
        make_plan(params, Resolved(1), without, DEPLOYER)


def test_artifacts_need_a_compilation(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="run `make compile` first"):
        load_artifacts(tmp_path / "nothing.json")


# --- Arguments against the ABI ---


def edited(plan: Plan, artifacts: dict[str, Artifact], edit: Any) -> dict[str, Artifact]:
    """The artifacts with another constructor of the vault."""
    vault = artifacts["StakingVault"]
    abi = [dict(entry) for entry in vault.abi]
    constructor = next(entry for entry in abi if entry["type"] == "constructor")
    config = dict(constructor["inputs"][0])
    config["components"] = edit([dict(component) for component in config["components"]])
    constructor["inputs"] = [config]
    return {**artifacts, "StakingVault": replace(vault, abi=abi)}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda fields: [{**f, "type": "address"} if f["name"] == "fee" else f for f in fields],
            "StakingVault.config.fee: 1000 is not a address",
        ),
        (
            lambda fields: [{**f, "type": "uint8"} if f["name"] == "minStake" else f for f in fields],
            "StakingVault.config.minStake: 1000000000000000 is not a uint8",
        ),
        (
            lambda fields: [f for f in fields if f["name"] != "cover"],
            "StakingVault.config: the ABI does not know cover",
        ),
        (
            lambda fields: [*fields, {"name": "colour", "type": "bytes32"}],
            "StakingVault.config: no value for colour",
        ),
    ],
)
def test_argument_that_does_not_fit_the_abi_is_refused_before_anything_is_sent(
    params: Params, artifacts: dict[str, Artifact], plan: Plan, edit: Any, message: str
) -> None:
    with pytest.raises(ArgumentError) as caught:
        make_plan(params, Resolved(1), edited(plan, artifacts, edit), DEPLOYER)
    assert message in str(caught.value)


PAIR = {
    "type": "function",
    "name": "pair",
    "inputs": [
        {
            "name": "item",
            "type": "tuple[2]",
            "components": [{"name": "who", "type": "address"}, {"name": "sizes", "type": "uint16[]"}],
        }
    ],
    "outputs": [{"name": "", "type": "uint256"}, {"name": "", "type": "bytes4"}],
}


def test_nested_types_are_written_out() -> None:
    assert canonical_type(PAIR["inputs"][0]) == "(address,uint16[])[2]"  # type: ignore[index]
    assert signature_of(PAIR) == "pair((address,uint16[])[2])"
    assert selector_of(PAIR) == keccak(text="pair((address,uint16[])[2])")[:4]


def test_call_and_result_survive_encoding() -> None:
    data = encode_call(PAIR, [[{"who": OTHER, "sizes": [1, 2]}, {"who": STRANGER, "sizes": []}]])
    (items,) = decode(["(address,uint16[])[2]"], data[4:])
    assert plain(items) == [[OTHER.lower(), [1, 2]], [STRANGER.lower(), []]]
    answer = (7).to_bytes(32, "big") + b"\x01\x02\x03\x04" + bytes(28)
    assert plain(decode_result(PAIR, answer)) == [7, "0x01020304"]


@pytest.mark.parametrize("answer", [b"", bytes(63)])
def test_answer_that_is_too_short_is_no_zero(answer: bytes) -> None:
    with pytest.raises(DecodingError, match=f"{len(answer)} bytes for 2 values"):
        decode_result(PAIR, answer)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "0 arguments given, 1 needed"),
        ([[{"who": OTHER, "sizes": []}]], "argument 0: 1 values given, 2 needed"),
        ([{"who": OTHER}], "is not a list"),
        ([[{"who": OTHER, "sizes": [1]}, {"who": OTHER, "sizes": [70_000]}]], "[1].sizes[0]: 70000 is not a uint16"),
        ([[{"who": OTHER, "sizes": [1]}, (OTHER, [])]], "argument 0[1]: ("),
        ([[{"who": 5, "sizes": [1]}, {"who": OTHER, "sizes": []}]], "[0].who: 5 is not a address"),
    ],
)
def test_call_that_does_not_fit_names_the_place(arguments: list[object], message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        encode_call(PAIR, arguments)
    assert message in str(caught.value)


def test_number_is_no_truth_value() -> None:
    with pytest.raises(ArgumentError, match=r"x\.a: True is not a uint256"):
        convert_named([{"name": "a", "type": "uint256"}], {"a": True}, "x")


def test_contract_without_constructor_takes_nothing() -> None:
    assert encode_constructor([], {}, "Empty") == b""
    with pytest.raises(ArgumentError, match="Empty: the ABI does not know a"):
        encode_constructor([], {"a": 1}, "Empty")


def test_overloaded_name_needs_its_signature(artifacts: dict[str, Artifact]) -> None:
    abi = artifacts["WithdrawalQueue"].abi
    with pytest.raises(ArtifactError, match="the ABI has 2 functions 'claim'; one is needed"):
        function(abi, "claim")
    assert len(function(abi, "claim(uint256)")["inputs"]) == 1


# --- Code ---


def test_code_matches_whatever_its_immutables_hold(artifacts: dict[str, Artifact]) -> None:
    token = artifacts["StakedEther"]
    place = token.runtime.index(b"\x7f" + bytes(32)) + 1
    deployed = bytearray(token.runtime)
    deployed[place : place + 32] = bytes(range(32))
    assert token.matches(bytes(deployed))
    deployed[place - 1] ^= 1
    assert not token.matches(bytes(deployed))
    assert not token.matches(token.runtime + b"\x00")
    assert not token.matches(b"")


# --- Roles ---


def restricted_in_source() -> dict[str, set[str]]:
    """Contract -> functions that carry the modifier `restricted`, from the Solidity sources."""
    found = {}
    for path in (ROOT / "contracts").rglob("*.sol"):
        if ".cache" in path.parts:
            continue
        source = re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        functions = re.findall(r"function\s+(\w+)\s*\([^{};]*\brestricted\b[^{};]*\{", source)
        if functions:
            found[path.stem] = set(functions)
    return found


def test_every_restricted_function_has_a_role() -> None:
    """Those of rate providers, which come with tokens that governance lists, are the admin's until it gives them."""
    planned = {entry.name: set(entry.restricted) for entry in CATALOG if entry.restricted}
    found = restricted_in_source()
    assert found.pop("LstRateProvider") == {"accept"}
    assert planned == found


def test_roles_are_those_of_the_documentation(plan: Plan) -> None:
    table: dict[Role, set[str]] = {role: set() for role in Role}
    for restriction in plan.restrictions:
        table[restriction.role].add(f"{restriction.target}.{restriction.function}")
    assert table == {
        Role.ADMIN: set(),
        Role.GOVERNOR: {
            "StakingVault.setOracle",
            "StakingVault.setBonds",
            "StakingVault.setCover",
            "StakingVault.setFee",
            "StakingVault.setStakeLimit",
            "CoverFund.migrate",
            "ReportLimits.setLimits",
            "ReportOracle.addMember",
            "ReportOracle.removeMember",
            "ReportOracle.setQuorum",
            "ReportOracle.setLimits",
            "FeeSplitter.setSplit",
            "FeeSplitter.setTreasury",
            "FeeSplitter.setCover",
            "OperatorRegistry.setOpenTerms",
            "OperatorRegistry.setMemberCap",
            "OperatorBonds.setManager",
            "ReportOracle.resume",
            "StakingVault.setDepositor",
            "ValidatorManager.setKeeper",
            "ValidatorManager.setProofs",
            "InstantPool.setTerms",
            "InstantPool.setTreasury",
            "LstBasket.addToken",
            "LstBasket.configureToken",
            "LstBasket.removeToken",
            "LstBasket.releaseIncentive",
            "LstBasket.setLpFee",
        },
        Role.UPGRADER: {"ProxyAdmin.upgradeAndCall"},
        Role.GUARDIAN: {
            "StakingVault.pauseStaking",
            "StakingVault.resumeStaking",
            "OperatorBonds.cancel",
            "InstantPool.pause",
            "InstantPool.resume",
            "LstBasket.cutOff",
            "LstBasket.restore",
        },
        Role.CHALLENGER: {"StakingVault.cancelUnvested"},
        Role.REBALANCER: {"LstBasket.rebalance"},
        Role.REGISTRAR: {
            "FeeSplitter.setWeight",
            "OperatorRegistry.add",
            "OperatorRegistry.setTerms",
            "OperatorRegistry.setActive",
        },
        Role.RELEASER: {"ReportLimits.release"},
        Role.SEALED: {"ProxyAdmin.transferOwnership", "ProxyAdmin.renounceOwnership"},
    }


def test_page_has_the_roles_of_the_plan(plan: Plan) -> None:
    rows = re.findall(r"^\| (\w+) \| (`.*`) \|$", (ROOT / "docs" / "deployment.md").read_text(), flags=re.MULTILINE)
    written = {role: re.findall(r"`([\w.]+)`", functions) for role, functions in rows}
    planned: dict[str, list[str]] = {}
    for restriction in plan.restrictions:
        planned.setdefault(restriction.role.label, []).append(f"{restriction.target}.{restriction.function}")
    assert written == {role: sorted(functions) for role, functions in planned.items()}


def test_nobody_is_given_the_sealed_role(plan: Plan) -> None:
    assert Role.SEALED not in {grant.role for grant in plan.grants}


def test_every_constructor_argument_is_read_back(plan: Plan, artifacts: dict[str, Artifact]) -> None:
    """Each address that is given to a constructor is among what verification expects of that contract."""
    exempt = {
        ("ProtocolAccessManager", DEPLOYER.lower()),  # verified to be gone
        ("WithdrawalGatewayProxy", plan.addresses["WithdrawalGateway"].lower()),  # ERC-1967 slot
        ("WithdrawalGatewayProxy", plan.addresses["ProtocolAccessManager"].lower()),  # owner of ProxyAdmin
    }

    def leaves(value: object) -> set[str]:
        if isinstance(value, dict):
            return set().union(*(leaves(each) for each in value.values()))
        if isinstance(value, list):
            return set().union(*(leaves(each) for each in value)) if value else set()
        return {value} if isinstance(value, str) and len(value) == 42 else set()

    for step in plan.deployments:
        expected = set().union(*(leaves(check.expected) for check in plan.checks if check.subject == step.name), set())
        # `isKeeper(0x...)` is asked of each
        expected |= {
            found.lower()
            for check in plan.checks
            if check.subject == step.name
            for found in re.findall(r"0x[0-9a-fA-F]{40}", check.label)
        }
        missing = {
            address for address in leaves(plain(step.arguments)) - expected if (step.name, address) not in exempt
        }
        assert missing == set(), f"{step.name}: nobody checks {missing}"


def test_catalog_has_no_name_twice() -> None:
    names = [entry.name for entry in (*CATALOG, *DERIVED)]
    assert len(set(names)) == len(names)
