"""Verification reads the chain: each single thing that is not as planned is found, and named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ape
import pytest
from eth_utils import keccak

from sluice.deploy.chain import Web3Reader
from sluice.deploy.verify import ADMIN_SLOT, IMPLEMENTATION_SLOT, verify
from tests.protocol import Protocol

DAY = 86_400
GUARDIAN, REGISTRAR, PUBLIC = 3, 5, 2**64 - 1


def differences(protocol: Protocol) -> dict[tuple[str, str], tuple[str, Any]]:
    """(contract, what) -> (kind, what the chain says) of everything that differs."""
    result = protocol.result
    findings = verify(result.plan, result.registry, Web3Reader(ape.chain.provider.web3))
    return {(f.subject, f.label): (f.kind, f.actual) for f in findings if not f.ok}


def as_admin(protocol: Protocol, name: str, *args: Any) -> None:
    """What the admin does to the access manager itself, after its delay."""
    protocol.act(protocol.actors.admin, getattr(protocol.access, name), *args)


def cheat(method: str, *params: Any) -> None:
    ape.chain.provider.make_request(method, list(params))


def set_code(address: str, code: bytes) -> None:
    cheat("anvil_setCode", address, "0x" + code.hex())


def code_of(address: str) -> bytes:
    return bytes(ape.chain.provider.get_code(address))


def selector(contract: Any, name: str) -> bytes:
    (abi,) = [method for method in contract.contract_type.mutable_methods if method.name == name]
    return keccak(text=abi.selector)[:4]


def test_fresh_deployment_has_no_difference(protocol: Protocol) -> None:
    assert differences(protocol) == {}


def test_use_of_the_protocol_is_no_difference(protocol: Protocol) -> None:
    who = protocol.actors.staker
    protocol.vault.stake(who, 0, protocol.actors.other, value=10**18, sender=who)
    protocol.queue.request(10**17, who, sender=who)
    protocol.act(protocol.actors.guardian, protocol.vault.pauseStaking, DAY)
    assert differences(protocol) == {}


# --- Roles ---


def test_second_holder_of_a_role_is_found(protocol: Protocol) -> None:
    stranger = protocol.actors.stranger
    as_admin(protocol, "grantRole", GUARDIAN, stranger, 0)
    both = sorted([protocol.actors.guardian.address, stranger.address])
    assert differences(protocol) == {("ProtocolAccessManager", "members of guardian"): ("role", both)}


def test_holder_of_a_role_that_has_none_is_found(protocol: Protocol) -> None:
    stranger = protocol.actors.stranger
    as_admin(protocol, "grantRole", 6, stranger, 0)
    assert differences(protocol) == {("ProtocolAccessManager", "members of sealed"): ("role", [stranger.address])}


def test_holder_of_an_unknown_role_is_found(protocol: Protocol) -> None:
    stranger = protocol.actors.stranger
    as_admin(protocol, "grantRole", 77, stranger, 0)
    assert differences(protocol) == {("ProtocolAccessManager", "members of 77"): ("role", [stranger.address])}


def test_role_that_was_taken_away_is_found(protocol: Protocol) -> None:
    guardian = protocol.actors.guardian
    as_admin(protocol, "revokeRole", GUARDIAN, guardian)
    access = "ProtocolAccessManager"
    assert differences(protocol) == {
        (access, f"guardian: {guardian.address} with its delay"): ("role", [False, 0]),
        (access, "members of guardian"): ("role", []),
    }


def test_second_admin_is_found(protocol: Protocol) -> None:
    stranger = protocol.actors.stranger
    as_admin(protocol, "grantRole", 0, stranger, 0)
    both = sorted([protocol.actors.admin.address, stranger.address])
    assert differences(protocol) == {("ProtocolAccessManager", "members of admin"): ("role", both)}


def test_function_that_was_given_to_another_role_is_found(protocol: Protocol) -> None:
    as_admin(protocol, "setTargetFunctionRole", protocol.vault, [selector(protocol.vault, "setFee")], GUARDIAN)
    assert differences(protocol) == {("StakingVault", "setFee -> role"): ("role", GUARDIAN)}


def test_function_that_was_opened_to_everybody_is_found(protocol: Protocol) -> None:
    opened = selector(protocol.vault, "stake")
    as_admin(protocol, "setTargetFunctionRole", protocol.vault, [opened], PUBLIC)
    label = "functions with a role that the plan does not name"
    extra = [f"{protocol.vault.address} 0x{opened.hex()}"]
    assert differences(protocol) == {("ProtocolAccessManager", label): ("role", extra)}


def test_closed_contract_is_found(protocol: Protocol) -> None:
    as_admin(protocol, "setTargetClosed", protocol.vault, True)
    assert differences(protocol) == {("StakingVault", "closed"): ("role", True)}


def test_changed_guardian_of_a_role_is_found(protocol: Protocol) -> None:
    as_admin(protocol, "setRoleGuardian", 1, REGISTRAR)
    assert differences(protocol) == {("ProtocolAccessManager", "getRoleGuardian(governor)"): ("role", REGISTRAR)}


def test_changed_admin_of_a_role_is_found(protocol: Protocol) -> None:
    as_admin(protocol, "setRoleAdmin", 1, GUARDIAN)
    assert differences(protocol) == {("ProtocolAccessManager", "getRoleAdmin(governor)"): ("role", GUARDIAN)}


# --- Delays ---


def test_changed_delay_of_a_role_is_found(protocol: Protocol) -> None:
    governor = protocol.actors.governor
    as_admin(protocol, "grantRole", 1, governor, DAY)
    access = "ProtocolAccessManager"
    # it is found when it is announced, though the old delay still counts for a day
    assert protocol.access.hasRole(1, governor).executionDelay == 2 * DAY
    assert differences(protocol) == {(access, f"delay of governor {governor.address}, s"): ("delay", DAY)}
    ape.chain.mine(deltatime=DAY)
    assert differences(protocol) == {
        (access, f"delay of governor {governor.address}, s"): ("delay", DAY),
        (access, f"governor: {governor.address} with its delay"): ("role", [True, DAY]),
    }


def test_changed_grant_delay_is_found(protocol: Protocol) -> None:
    as_admin(protocol, "setGrantDelay", 1, 0)
    assert differences(protocol) == {("ProtocolAccessManager", "grant delay of governor, s"): ("delay", 0)}


def test_changed_delay_of_a_contract_is_found(protocol: Protocol) -> None:
    as_admin(protocol, "setTargetAdminDelay", protocol.vault, DAY)
    assert differences(protocol) == {("StakingVault", "admin delay, s"): ("delay", DAY)}


def test_delays_read_from_storage_are_those_that_come_into_force(protocol: Protocol) -> None:
    planned = protocol.params.governance
    assert protocol.access.getTargetAdminDelay(protocol.vault) == 0
    assert protocol.access.getRoleGrantDelay(1) == 0
    ape.chain.mine(deltatime=5 * DAY)
    assert protocol.access.getTargetAdminDelay(protocol.vault) == planned.target_admin_delay
    assert protocol.access.getRoleGrantDelay(1) == planned.governor.grant_delay


# --- Code and immutables ---


def test_changed_immutable_is_found(protocol: Protocol) -> None:
    code = code_of(protocol.vault.address)
    queue, stranger = bytes.fromhex(protocol.queue.address[2:]), bytes.fromhex(protocol.actors.stranger.address[2:])
    assert queue in code
    set_code(protocol.vault.address, code.replace(queue, stranger))
    found = differences(protocol)
    assert found.pop(("StakingVault", "code hash"))[0] == "code"
    # it is still the compiled contract: immutables are what may differ
    assert found == {("StakingVault", "QUEUE"): ("state", protocol.actors.stranger.address.lower())}


def test_changed_code_is_found(protocol: Protocol) -> None:
    code = bytearray(code_of(protocol.queue.address))
    code[-1] ^= 1  # the last byte is never run
    set_code(protocol.queue.address, bytes(code))
    found = differences(protocol)
    assert found.pop(("WithdrawalQueue", "code hash"))[0] == "code"
    assert found == {("WithdrawalQueue", "is the compiled contract"): ("code", False)}


def test_changed_code_of_the_proxy_admin_is_found(protocol: Protocol) -> None:
    code = bytearray(code_of(protocol.proxy_admin.address))
    code[-1] ^= 1
    set_code(protocol.proxy_admin.address, bytes(code))
    found = differences(protocol)
    assert found.pop(("ProxyAdmin", "code hash"))[0] == "code"
    assert found == {("ProxyAdmin", "is the compiled contract"): ("code", False)}


def test_missing_contract_is_found(protocol: Protocol) -> None:
    set_code(protocol.queue.address, b"")
    found = differences(protocol)
    assert found.pop(("WithdrawalQueue", "code hash"))[0] == "code"
    assert found.pop(("WithdrawalQueue", "is the compiled contract")) == ("code", False)
    asked = [check.label for check in protocol.result.plan.checks if check.subject == "WithdrawalQueue"]
    assert found == {("WithdrawalQueue", label): ("state", "0x") for label in asked}


# --- Settings ---


@pytest.mark.parametrize(
    ("change", "contract", "label", "actual"),
    [
        (lambda p: p.as_governor(p.vault.setFee, p.splitter, 999), "StakingVault", "fee", lambda _: 999),
        (
            lambda p: p.as_governor(p.vault.setCover, "0x" + "00" * 20),
            "StakingVault",
            "cover",
            lambda _: "0x" + "00" * 20,
        ),
        (lambda p: p.as_governor(p.oracle.setQuorum, 6), "ReportOracle", "quorum", lambda _: 6),
        (
            lambda p: p.as_governor(p.splitter.setTreasury, p.actors.other),
            "FeeSplitter",
            "treasury",
            lambda p: p.actors.other.address.lower(),
        ),
    ],
    ids=["fee", "cover", "quorum", "treasury"],
)
def test_changed_setting_is_found(
    protocol: Protocol,
    change: Callable[[Protocol], Any],
    contract: str,
    label: str,
    actual: Callable[[Protocol], Any],
) -> None:
    change(protocol)
    assert differences(protocol) == {(contract, label): ("state", actual(protocol))}


def test_rotated_key_is_found(protocol: Protocol) -> None:
    member, key = protocol.actors.members[0], protocol.actors.keys[0]
    protocol.oracle.rotateKey(protocol.actors.other, sender=member)
    assert differences(protocol) == {
        ("ReportOracle", f"keyOf({member.address})"): ("state", protocol.actors.other.address.lower()),
        ("ReportOracle", f"memberOf({key.address})"): ("state", "0x" + "00" * 20),
    }


def test_new_implementation_of_the_gateway_is_found(protocol: Protocol) -> None:
    other = protocol.actors.deployer.deploy(ape.project.WithdrawalGateway, protocol.vault, protocol.actors.stranger)
    protocol.act(
        protocol.actors.governor, protocol.proxy_admin.upgradeAndCall, protocol.gateway.address, other.address, b""
    )
    assert differences(protocol) == {("WithdrawalGatewayProxy", "implementation"): ("state", other.address)}


def test_other_admin_of_the_gateway_is_found(protocol: Protocol) -> None:
    stranger = protocol.actors.stranger.address
    place = "0x" + ADMIN_SLOT.to_bytes(32, "big").hex()
    cheat("anvil_setStorageAt", protocol.gateway.address, place, "0x" + stranger[2:].rjust(64, "0"))
    assert differences(protocol) == {("WithdrawalGatewayProxy", "admin"): ("state", stranger)}


def test_slots_are_those_of_erc_1967() -> None:
    assert hex(ADMIN_SLOT) == "0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103"
    assert hex(IMPLEMENTATION_SLOT) == "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"


# --- The record ---


def test_record_of_another_address_is_found(protocol: Protocol) -> None:
    result = protocol.result
    record = result.registry.model_copy(deep=True)
    record.contracts["RewardsVault"].address = protocol.actors.stranger.address
    findings = verify(result.plan, record, Web3Reader(ape.chain.provider.web3))
    assert [(f.subject, f.label) for f in findings if not f.ok] == [("RewardsVault", "address")]
