"""Reads a deployment back from the chain and compares every code hash, immutable, setting, role and delay."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from sluice.deploy.abi import decode_result, plain
from sluice.deploy.catalog import ACCESS, PROXY, PROXY_ADMIN, PROXY_IMPLEMENTATION, Role
from sluice.deploy.chain import Reverted
from sluice.deploy.plan import FUNCTION_ROLE_TOPIC, ROLE_GRANTED_TOPIC, ROLE_REVOKED_TOPIC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.deploy.chain import Reader
    from sluice.deploy.plan import Check, Plan
    from sluice.deploy.registry import Registry

ADMIN_SLOT = int.from_bytes(keccak(text="eip1967.proxy.admin"), "big") - 1
IMPLEMENTATION_SLOT = int.from_bytes(keccak(text="eip1967.proxy.implementation"), "big") - 1

# storage of OpenZeppelin's AccessManager: the two delays whose coming value no function shows
_TARGETS_SLOT = 0
_ROLES_SLOT = 1


@dataclass(frozen=True)
class Finding:
    subject: str
    label: str
    kind: str  # code, state, role, delay
    expected: object
    actual: object

    @property
    def ok(self) -> bool:
        return self.expected == self.actual


def verify(plan: Plan, registry: Registry, reader: Reader) -> Iterator[Finding]:
    """Every comparison, those that hold included."""
    yield from _codes(plan, registry, reader)
    for check in plan.checks:
        actual = _answer(check, reader)
        yield Finding(check.subject, check.label, check.kind, check.expected, actual)
    yield from _proxy(plan, reader)
    yield from _delays(plan, reader)
    yield from _members(plan, registry, reader)
    yield from _function_roles(plan, registry, reader)


def _answer(check: Check, reader: Reader) -> object:
    try:
        answer = reader.call(check.to, check.call)
    except Reverted:
        return "reverts"
    try:
        values = [plain(value) for value in decode_result(check.function, answer)]
    except DecodingError:
        return "0x" + answer.hex()
    return values[0] if len(values) == 1 else values


def _codes(plan: Plan, registry: Registry, reader: Reader) -> Iterator[Finding]:
    compiled = {step.name: step.artifact for step in plan.deployments}
    for name, address in plan.addresses.items():
        code = reader.code(address)
        record = registry.contracts.get(name)
        yield Finding(name, "address", "code", address, record.address if record else None)
        yield Finding(name, "code hash", "code", record.code_hash if record else None, "0x" + keccak(code).hex())
        if name in compiled:
            yield Finding(name, "is the compiled contract", "code", True, compiled[name].matches(code))
        elif name == PROXY_ADMIN:
            inside = bool(code) and code in compiled[PROXY].creation
            yield Finding(name, "is the compiled contract", "code", True, inside)


def _proxy(plan: Plan, reader: Reader) -> Iterator[Finding]:
    for label, slot, name in (
        ("implementation", IMPLEMENTATION_SLOT, PROXY_IMPLEMENTATION),
        ("admin", ADMIN_SLOT, PROXY_ADMIN),
    ):
        actual = to_checksum_address(reader.storage(plan.addresses[PROXY], slot)[12:])
        yield Finding(PROXY, label, "state", plan.addresses[name], actual)


def _delays(plan: Plan, reader: Reader) -> Iterator[Finding]:
    """The value each delay has or will have: the access manager lets a change wait for five days."""
    access = plan.addresses[ACCESS]

    def slot(key: bytes, base: int) -> int:
        return int.from_bytes(keccak(key.rjust(32, b"\0") + base.to_bytes(32, "big")), "big")

    for name, address in plan.managed.items():
        word = reader.storage(access, slot(bytes.fromhex(address[2:]), _TARGETS_SLOT) + 1)
        delay = int.from_bytes(word, "big") & 0xFFFFFFFF
        yield Finding(name, "admin delay, s", "delay", plan.params.governance.target_admin_delay, delay)
    planned = {grant.role: grant.grant_delay or 0 for grant in plan.grants}
    for role in Role:
        place = slot(int(role).to_bytes(32, "big"), _ROLES_SLOT)
        word = reader.storage(access, place + 1)
        delay = int.from_bytes(word, "big") >> 128 & 0xFFFFFFFF
        yield Finding(ACCESS, f"grant delay of {role.label}, s", "delay", planned.get(role, 0), delay)
    for grant in plan.grants:
        members = int(grant.role).to_bytes(32, "big")
        base = slot(members, _ROLES_SLOT)
        word = reader.storage(access, slot(bytes.fromhex(grant.account[2:]), base))
        delay = int.from_bytes(word, "big") >> 48 & 0xFFFFFFFF
        label = f"delay of {grant.role.label} {grant.account}, s"
        yield Finding(ACCESS, label, "delay", grant.delay, delay)


def _members(plan: Plan, registry: Registry, reader: Reader) -> Iterator[Finding]:
    """Exactly the planned members, from all events since the deployment."""
    access = plan.addresses[ACCESS]
    actual: dict[int, set[str]] = defaultdict(set)
    for log in reader.logs(access, registry.first_block, []):
        if log.topics[0] not in (ROLE_GRANTED_TOPIC, ROLE_REVOKED_TOPIC):
            continue
        role, account = int.from_bytes(log.topics[1], "big"), to_checksum_address(log.topics[2][12:])
        if log.topics[0] == ROLE_GRANTED_TOPIC:
            actual[role].add(account)
        else:
            actual[role].discard(account)
    expected: dict[int, set[str]] = defaultdict(set)
    for grant in plan.grants:
        expected[int(grant.role)].add(grant.account)
    for number in sorted({*actual, *expected, *(int(role) for role in Role)}):
        name = Role(number).label if number in set(Role) else str(number)
        yield Finding(ACCESS, f"members of {name}", "role", sorted(expected[number]), sorted(actual[number]))


def _function_roles(plan: Plan, registry: Registry, reader: Reader) -> Iterator[Finding]:
    """No function of any contract was ever given to a role that the plan does not name."""
    access = plan.addresses[ACCESS]
    actual: dict[tuple[str, str], int] = {}
    for log in reader.logs(access, registry.first_block, [FUNCTION_ROLE_TOPIC]):
        target = to_checksum_address(log.topics[1][12:])
        actual[target, "0x" + log.data[:4].hex()] = int.from_bytes(log.topics[2], "big")
    planned = {(r.address, "0x" + r.selector.hex()) for r in plan.restrictions}
    extra = sorted(f"{target} {selector}" for target, selector in set(actual) - planned)
    yield Finding(ACCESS, "functions with a role that the plan does not name", "role", [], extra)
