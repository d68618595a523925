"""Parameters + compiled contracts + deployer -> the ordered steps, with every address known. No chain is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eth_utils.crypto import keccak

from sluice.deploy import addresses as addr
from sluice.deploy.abi import encode_call, encode_constructor, function, plain, selector_of
from sluice.deploy.catalog import ACCESS, CATALOG, DERIVED, Context, Entry, Resolved, Role
from sluice.deploy.errors import ArtifactError, ParamsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from sluice.deploy.abi import Abi
    from sluice.deploy.artifacts import Artifact
    from sluice.deploy.catalog import Derived
    from sluice.deploy.params import Params

FACTORY = "Create3Deployer"
FACTORY_SALT = bytes(32)
DEPLOYED_TOPIC = keccak(text="Deployed(address,bytes32,address)")
ROLE_GRANTED_TOPIC = keccak(text="RoleGranted(uint64,address,uint32,uint48,bool)")
ROLE_REVOKED_TOPIC = keccak(text="RoleRevoked(uint64,address)")
FUNCTION_ROLE_TOPIC = keccak(text="TargetFunctionRoleUpdated(address,bytes4,uint64)")


@dataclass(frozen=True)
class Check:
    """One view call and what it must answer."""

    subject: str
    label: str
    kind: str  # role, delay, immutable
    to: str
    call: bytes
    function: Mapping[str, Any]
    expected: object  # in plain form


@dataclass(frozen=True)
class Evidence:
    """A log that the step's transaction leaves, by which a run finds it again."""

    address: str
    topics: tuple[bytes | None, ...]


@dataclass(frozen=True)
class Deploy:
    """One contract through `Create3Deployer`, or that itself through the CREATE2 deployer."""

    name: str
    to: str
    data: bytes
    value: int
    address: str
    artifact: Artifact
    arguments: Mapping[str, object]
    salt: bytes
    evidence: Evidence | None


@dataclass(frozen=True)
class Configure:
    """Calls to the access manager, all or none."""

    name: str
    to: str
    data: bytes
    calls: tuple[str, ...]
    done: tuple[Check, ...]
    evidence: Evidence
    value: int = 0


Step = Deploy | Configure


@dataclass(frozen=True)
class RoleGrant:
    role: Role
    account: str
    delay: int  # seconds
    grant_delay: int | None  # seconds; None for the admin, whose own delay is longer


@dataclass(frozen=True)
class Restriction:
    """Who may call one function of one contract."""

    target: str
    address: str
    function: str
    selector: bytes
    role: Role


@dataclass(frozen=True)
class Plan:
    params: Params
    resolved: Resolved
    deployer: str
    addresses: Mapping[str, str]
    steps: tuple[Step, ...]
    checks: tuple[Check, ...]
    grants: tuple[RoleGrant, ...]
    restrictions: tuple[Restriction, ...]
    managed: Mapping[str, str]
    """Contracts that obey the access manager: name -> address."""
    children: Mapping[str, tuple[str, ...]]
    """Contracts that others create: parent -> names."""

    @property
    def value(self) -> int:
        return sum(step.value for step in self.steps)

    @property
    def deployments(self) -> tuple[Deploy, ...]:
        return tuple(step for step in self.steps if isinstance(step, Deploy))


def make_plan(
    params: Params,
    resolved: Resolved,
    artifacts: Mapping[str, Artifact],
    deployer: str,
    catalog: Sequence[Entry] = CATALOG,
    derived: Sequence[Derived] = DERIVED,
) -> Plan:
    if deployer in params.governance.accounts:
        raise ParamsError(
            f"governance: {deployer} is the deployer; it gives up every right at the end, so it can hold no role"
        )
    entries = [entry for entry in catalog if entry.wanted(params)]
    missing = sorted({FACTORY, *(entry.name for entry in entries)} - set(artifacts))
    if missing:
        raise ArtifactError(f"not compiled: {', '.join(missing)}; run `make compile`")

    factory = addr.create2_address(addr.CREATE2_DEPLOYER, FACTORY_SALT, keccak(artifacts[FACTORY].creation))
    names = [entry.name for entry in entries]
    salts = {name: addr.salt_of(name, params.salt_namespace) for name in names}
    places = {name: addr.create3_address(factory, deployer, salts[name]) for name in names}
    for child in derived:
        places[child.name] = child.address(places)
    context = Context(params, resolved, deployer, places)

    steps: list[Step] = [_factory_step(factory, artifacts[FACTORY])]
    steps += [_deploy_step(entry, context, artifacts, factory, salts[entry.name]) for entry in entries]

    targets: list[tuple[Entry | Derived, Abi]] = [
        *((entry, artifacts[entry.name].abi) for entry in entries),
        *((child, child.abi) for child in derived),
    ]
    restrictions = [
        Restriction(target.name, places[target.name], name, selector_of(function(abi, name)), role)
        for target, abi in targets
        for name, role in target.restricted.items()
    ]
    managed = {r.target: r.address for r in restrictions}
    grants = role_grants(context)
    steps += _configuration(context, artifacts[ACCESS].abi, grants, restrictions, managed)
    checks = [
        *_state_checks(context, entries, derived, artifacts),
        *_role_checks(context, artifacts[ACCESS].abi, grants, restrictions, managed),
    ]
    return Plan(
        params,
        resolved,
        deployer,
        {FACTORY: factory, **places},
        tuple(steps),
        tuple(checks),
        grants,
        tuple(restrictions),
        managed,
        {
            entry.name: tuple(child.name for child in derived if child.parent == entry.name)
            for entry in entries
            if any(child.parent == entry.name for child in derived)
        },
    )


def role_grants(context: Context) -> tuple[RoleGrant, ...]:
    governance = context.params.governance
    return (
        RoleGrant(
            Role.GOVERNOR, governance.governor.account, governance.governor.delay, governance.governor.grant_delay
        ),
        RoleGrant(
            Role.UPGRADER, governance.upgrader.account, governance.upgrader.delay, governance.upgrader.grant_delay
        ),
        RoleGrant(Role.GUARDIAN, governance.guardian.account, 0, governance.guardian.grant_delay),
        RoleGrant(Role.CHALLENGER, context["ReportChallenge"], 0, governance.governor.grant_delay),
        RoleGrant(
            Role.REGISTRAR, governance.registrar.account, governance.registrar.delay, governance.registrar.grant_delay
        ),
        RoleGrant(
            Role.RELEASER, governance.releaser.account, governance.releaser.delay, governance.releaser.grant_delay
        ),
        RoleGrant(Role.ADMIN, governance.admin.account, governance.admin.delay, None),
    )


# --- Steps ---


def _factory_step(address: str, artifact: Artifact) -> Deploy:
    return Deploy(
        FACTORY,
        addr.CREATE2_DEPLOYER,
        FACTORY_SALT + artifact.creation,
        0,
        address,
        artifact,
        {},
        FACTORY_SALT,
        None,
    )


def _deploy_step(
    entry: Entry, context: Context, artifacts: Mapping[str, Artifact], factory: str, salt: bytes
) -> Deploy:
    artifact = artifacts[entry.name]
    arguments = entry.arguments(context)
    init_code = artifact.creation + encode_constructor(artifact.abi, arguments, entry.name)
    data = encode_call(function(artifacts[FACTORY].abi, "deploy"), [salt, init_code])
    deployer = bytes(12) + bytes.fromhex(context.deployer[2:])
    evidence = Evidence(factory, (DEPLOYED_TOPIC, deployer, salt))
    return Deploy(
        entry.name,
        factory,
        data,
        entry.value(context.params),
        context[entry.name],
        artifact,
        arguments,
        salt,
        evidence,
    )


def _configuration(
    context: Context,
    abi: Abi,
    grants: Sequence[RoleGrant],
    restrictions: Sequence[Restriction],
    managed: Mapping[str, str],
) -> list[Step]:
    access = context[ACCESS]

    def step(
        name: str,
        calls: Sequence[tuple[str, Sequence[object]]],
        done: Iterable[Check],
        topics: tuple[bytes | None, ...],
    ) -> Configure:
        encoded = [encode_call(function(abi, function_name), values) for function_name, values in calls]
        return Configure(
            name,
            access,
            encode_call(function(abi, "multicall"), [encoded]),
            tuple(f"{function_name}{plain(list(values))}" for function_name, values in calls),
            tuple(done),
            Evidence(access, topics),
        )

    ordinary = [grant for grant in grants if grant.role is not Role.ADMIN]
    admin = next(grant for grant in grants if grant.role is Role.ADMIN)

    roles: list[tuple[str, Sequence[object]]] = []
    for role in Role:
        if role is Role.ADMIN:
            continue
        roles.append(("labelRole", (int(role), role.label)))
        if role is not Role.GUARDIAN:
            roles.append(("setRoleGuardian", (int(role), int(Role.GUARDIAN))))
    for grant in ordinary:
        roles.append(("grantRole", (int(grant.role), grant.account, grant.delay)))
        if grant.grant_delay:
            roles.append(("setGrantDelay", (int(grant.role), grant.grant_delay)))

    limits: list[tuple[str, Sequence[object]]] = []
    for name, address in managed.items():
        for role in Role:
            selectors = [r.selector for r in restrictions if r.target == name and r.role is role]
            if selectors:
                limits.append(("setTargetFunctionRole", (address, selectors, int(role))))
        if context.params.governance.target_admin_delay:
            limits.append(("setTargetAdminDelay", (address, context.params.governance.target_admin_delay)))

    def word(value: int | str) -> bytes:
        number = int(value, 16) if isinstance(value, str) else value
        return number.to_bytes(32, "big")

    first = ordinary[0]
    target = next(iter(managed.values()))
    return [
        step(
            "roles",
            roles,
            [_has_role(access, abi, grant) for grant in ordinary],
            (ROLE_GRANTED_TOPIC, word(first.role), word(first.account)),
        ),
        step(
            "restrictions",
            limits,
            [_function_role(access, abi, restriction) for restriction in restrictions],
            (FUNCTION_ROLE_TOPIC, word(target)),
        ),
        step(
            "handover",
            [
                ("grantRole", (int(Role.ADMIN), admin.account, admin.delay)),
                ("renounceRole", (int(Role.ADMIN), context.deployer)),
            ],
            [_has_role(access, abi, admin), _has_no_role(access, abi, Role.ADMIN, context.deployer)],
            (ROLE_REVOKED_TOPIC, word(Role.ADMIN), word(context.deployer)),
        ),
    ]


# --- Checks ---


def _check(
    subject: str,
    label: str,
    kind: str,
    to: str,
    entry: Mapping[str, Any],
    arguments: Sequence[object],
    expected: object,
) -> Check:
    return Check(subject, label, kind, to, encode_call(entry, arguments), entry, plain(expected))


def _has_role(access: str, abi: Abi, grant: RoleGrant) -> Check:
    return _check(
        ACCESS,
        f"{grant.role.label}: {grant.account} with its delay",
        "role",
        access,
        function(abi, "hasRole"),
        (int(grant.role), grant.account),
        (True, grant.delay),
    )


def _has_no_role(access: str, abi: Abi, role: Role, account: str) -> Check:
    entry = function(abi, "hasRole")
    label = f"{role.label}: not {account}"
    return _check(ACCESS, label, "role", access, entry, (int(role), account), (False, 0))


def _function_role(access: str, abi: Abi, restriction: Restriction) -> Check:
    return _check(
        restriction.target,
        f"{restriction.function} -> role",
        "role",
        access,
        function(abi, "getTargetFunctionRole"),
        (restriction.address, restriction.selector),
        int(restriction.role),
    )


def _state_checks(
    context: Context,
    entries: Sequence[Entry],
    derived: Sequence[Derived],
    artifacts: Mapping[str, Artifact],
) -> Iterable[Check]:
    sources: list[tuple[Entry | Derived, Abi]] = [
        *((entry, artifacts[entry.name].abi) for entry in entries),
        *((child, child.abi) for child in derived),
    ]
    for source, abi in sources:
        for question, expected in source.state(context).items():
            name, _, inside = question.partition("(")
            inside = inside.removesuffix(")")
            arguments = [int(inside) if inside.isdecimal() else inside] if inside else []
            yield _check(
                source.name,
                question,
                "state",
                context[source.name],
                function(abi, name),
                arguments,
                expected,
            )


def _role_checks(
    context: Context,
    abi: Abi,
    grants: Sequence[RoleGrant],
    restrictions: Sequence[Restriction],
    managed: Mapping[str, str],
) -> Iterable[Check]:
    access = context[ACCESS]
    for grant in grants:
        yield _has_role(access, abi, grant)
    for role in Role:
        guardian = Role.ADMIN if role in (Role.ADMIN, Role.GUARDIAN) else Role.GUARDIAN
        for getter, expected in (("getRoleAdmin", Role.ADMIN), ("getRoleGuardian", guardian)):
            yield _check(
                ACCESS,
                f"{getter}({role.label})",
                "role",
                access,
                function(abi, getter),
                (int(role),),
                int(expected),
            )
    yield _has_no_role(access, abi, Role.ADMIN, context.deployer)
    for restriction in restrictions:
        yield _function_role(access, abi, restriction)
    for name, address in managed.items():
        yield _check(name, "closed", "role", access, function(abi, "isTargetClosed"), (address,), False)
