"""Who may call what: every function of every contract, as a stranger and as every role (threats J3 and J4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ape
import pytest
from eth_abi import encode
from eth_utils import keccak

from sluice.deploy.abi import encode_call, function, functions_of, selector_of, signature_of
from sluice.deploy.catalog import PROXY_ADMIN_ABI, Role
from sluice.deploy.plan import RoleGrant
from tests.protocol import Protocol, artifacts_of
from tests.reverts import reverts

DAY = 86_400
REFERRAL = "0x" + "00" * 19 + "77"

ACCESS = "ProtocolAccessManager"
AUTHORITY_ERRORS = {
    keccak(text=text)[:4]
    for text in (
        "AccessManagedUnauthorized(address)",
        "AccessManagerUnauthorizedAccount(address,uint64)",
        "AccessManagerUnauthorizedCall(address,address,bytes4)",
        "AccessManagerUnauthorizedCancel(address,address,address,bytes4)",
        "CallerNotAllowed(address,address)",
        "OwnableUnauthorizedAccount(address)",
        "DepositorUnknown(address)",
        "KeeperUnknown(address)",
    )
}

REPORT = "(uint64,bytes32,bytes32,uint64,uint64,uint64,uint64,uint64,uint64,uint96)"
OPENING = "(uint64,uint64,uint256,bytes32,uint64,(bytes32,uint64,uint64)[])"
HEADER = "(uint64,uint64,bytes32,bytes32,bytes32)"
EVIDENCE = f"({HEADER},bytes32,(bytes,bytes32,uint64,bytes32,uint64),uint64,bytes32[])"
PROOF = f"(uint64,{HEADER},uint256,(bytes,bytes32,uint64,bool,uint64,uint64,uint64,uint64),bytes32[])"

# Functions for everybody: they act for the caller, or for somebody who signed or allowed it, or do what is due to all.
# A function that is missing here must refuse a stranger.
OPEN: Mapping[str, set[str]] = {
    "Create3Deployer": {"deploy(bytes32,bytes)"},  # each caller has addresses of its own
    ACCESS: {"multicall(bytes[])", "renounceRole(uint64,address)"},
    "StakedEther": {
        "approve(address,uint256)",
        "permit(address,address,uint256,uint256,bytes)",
        "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
        "transfer(address,uint256)",
        "transferFrom(address,address,uint256)",
    },
    "RewardsVault": set(),
    "WithdrawalGateway": {"sweep()"},
    "WithdrawalGatewayProxy": set(),
    "RequestDescriptor": set(),
    "WithdrawalQueue": {
        "approve(address,uint256)",
        "claim(uint256)",
        "claim(uint256,uint256,address)",
        "claimBatch(uint256[],uint256[],address)",
        "finalize(uint256)",
        "request(uint256,address)",
        "requestBatch(uint256[],address)",
        "requestWithPermit(address,uint256,address,uint256,bytes)",
        "safeTransferFrom(address,address,uint256)",
        "safeTransferFrom(address,address,uint256,bytes)",
        "setApprovalForAll(address,bool)",
        "transferFrom(address,address,uint256)",
    },
    "StakingVault": {"deposit(uint256,address)", "mint(uint256,address)", "stake(address,uint256,address)"},
    "CoverFund": set(),
    "ReportLimits": set(),
    "ReportOracle": {
        # the quorum's signatures are in the arguments
        f"submit({REPORT},bytes[])",
    },
    "ReportChallenge": {
        # what is false is in the arguments; bonds go in for anybody and out to the caller
        f"challengeCount({REPORT},bytes[])",
        f"challengeLeaf({REPORT},bytes[],{OPENING},{EVIDENCE})",
        f"challengeMissingDeposit({REPORT},bytes[],{OPENING}[],{EVIDENCE},uint256)",
        f"challengeMissingPreparation({REPORT},bytes[],{OPENING}[],bytes32)",
        f"challengeOrder({REPORT},bytes[],{OPENING},{OPENING})",
        "charge(bytes32,bytes[],address[])",
        f"conclude({REPORT},uint256)",
        f"demand({REPORT},uint256)",
        "deposit(address,uint256)",
        "depositEther(address)",
        "requestWithdrawal(uint256)",
        f"show({REPORT},{OPENING},uint256)",
        "withdraw()",
    },
    "BeaconProofs": set(),
    "ValidatorManager": {
        # what the beacon chain says, what time says, and what is overdue
        "abandon(bytes)",
        "forceExits(uint256,bytes[])",
        f"prove({PROOF})",
        f"proveExiting({PROOF})",
        f"proveGone({PROOF},bytes32,bytes32[])",
        f"proveReturned({PROOF},bytes32,bytes32[],(bytes,bytes32,uint64,bytes32,uint64),bytes32[])",
        f"proveSlashed({PROOF})",
        f"refuse({PROOF})",
    },
    "FeeSplitter": {"claim(uint8,address)", "claimCover()", "claimTreasury()", "distribute()"},
    "OperatorRegistry": {
        "register(address)",
        # the members' signatures are in the arguments
        "registerCluster(address,address,address[],uint8,uint256,bytes[])",
        "revokeConsent()",
    },
    "OperatorBonds": {
        "closeCase(uint256)",
        "collect()",
        "deposit(uint256,uint256)",
        "depositEther(uint256)",
        "depositWithPermit(uint256,uint256,uint256,bytes)",
        "execute(uint256)",
        # the quorum's signatures are in the arguments
        "propose(uint256,uint256,bytes32,uint256,bytes[])",
        "withdraw(uint256)",
    },
    "RebasingStakedEther": {
        "approve(address,uint256)",
        "permit(address,address,uint256,uint256,bytes)",
        "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
        "stake(address,uint256,address)",
        "transfer(address,uint256)",
        "transferFrom(address,address,uint256)",
        "transferShares(address,uint256)",
        "transferSharesFrom(address,address,uint256)",
        "unwrap(uint256)",
        "unwrapShares(uint256)",
        "wrap(uint256)",
        "wrapWithPermit(uint256,uint256,bytes)",
    },
    "WrappedEther": {
        "approve(address,uint256)",
        "deposit()",
        "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
        "transfer(address,uint256)",
        "transferFrom(address,address,uint256)",
        "withdraw(uint256)",
    },
    "AsyncRedeemVault": {
        "deposit(uint256,address)",
        "mint(uint256,address)",
        "redeem(uint256,address,address)",
        "requestRedeem(uint256,address,address)",
        "setOperator(address,bool)",
        "withdraw(uint256,address,address)",
    },
    "InstantPool": {
        "addLiquidity(uint256,uint256,address,uint256)",
        "approve(address,uint256)",
        "claimRest(uint256,address)",
        "collect(uint256)",
        "payTreasury()",
        "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
        "removeLiquidity(uint256,uint256,uint256,address)",
        "replenish()",
        "sell(uint256,uint256,address,uint256)",
        "sellFor(uint256,uint256,address,uint256)",
        "sellForWithPermit(uint256,uint256,address,uint256,bytes)",
        "sellRequest(uint256,bool,uint256,address,uint256)",
        "sellWithPermit(uint256,uint256,address,uint256,bytes)",
        "stake(address,uint256,address)",
        "transfer(address,uint256)",
        "transferFrom(address,address,uint256)",
    },
    "LstBasket": {
        "addLiquidity(address,uint256,uint256,address)",
        "approve(address,uint256)",
        "collect(address,address)",
        "fund(address,uint256)",
        "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
        "removeAll(uint256,uint256[],address)",
        "removeLiquidity(uint256,address,uint256,address)",
        "swapExactIn(address,address,uint256,uint256,address,uint256)",
        "swapExactOut(address,address,uint256,uint256,address,uint256)",
        "sync()",
        "transfer(address,uint256)",
        "transferFrom(address,address,uint256)",
    },
    "Farm": {
        "addStream(address,address,uint256,uint256,uint256)",
        "claim(uint256[],address)",
        "disable(address,uint256[],bool)",
        "emergencyExit(address,address)",
        "enable(address,uint256[])",
        "exit(address,address)",
        "reclaim(uint256)",
        "stake(address,uint256,address,uint256[])",
        "stakeWithPermit(address,uint256,address,uint256[],uint256,uint8,bytes32,bytes32)",
        "unstake(address,uint256,address)",
    },
    "RateFeed": set(),
    "ProxyAdmin": set(),
}


def error(signature: str, *values: Any) -> bytes:
    types = signature[signature.index("(") + 1 : -1]
    return keccak(text=signature)[:4] + encode(types.split(",") if types else [], values)


def outcome(sender: Any, to: Any, data: bytes, value: int = 0) -> bytes | None:
    """What a call reverts with, `None` where it passes. Nothing is sent."""
    response = ape.chain.provider.web3.provider.make_request(  # type: ignore[attr-defined]
        "eth_call",
        [
            {
                "from": str(getattr(sender, "address", sender)),
                "to": str(getattr(to, "address", to)),
                "data": "0x" + data.hex(),
                "value": hex(value),
            },
            "latest",
        ],
    )
    if "error" not in response:
        return None
    text = response["error"].get("data")
    assert isinstance(text, str), response
    return bytes.fromhex(text[2:])


def sample(item: Mapping[str, Any], protocol: Protocol) -> object:
    """A well-formed value of an ABI type."""
    kind = item["type"]
    if kind.endswith("[]"):
        return [sample({**item, "type": kind[:-2]}, protocol)]
    if kind == "tuple":
        return {each["name"]: sample(each, protocol) for each in item["components"]}
    if kind == "address":
        return protocol.actors.other.address
    if kind == "bool":
        return True
    if kind == "string":
        return "text"
    if kind == "bytes":
        return bytes(96)
    if kind.startswith("bytes"):
        return bytes(int(kind[5:]))
    assert "int" in kind, kind
    return 1


def abis(protocol: Protocol) -> dict[str, Any]:
    artifacts = artifacts_of()
    return {
        name: PROXY_ADMIN_ABI if name == "ProxyAdmin" else artifacts[name].abi
        for name in protocol.result.plan.addresses
    }


def mutable(abi: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in functions_of(abi) if entry["stateMutability"] in ("nonpayable", "payable")]


def privileged(protocol: Protocol) -> dict[tuple[str, str], bytes]:
    """(contract, function) -> what a stranger gets."""
    actors, address = protocol.actors, protocol.result.plan.addresses
    stranger = actors.stranger.address
    table: dict[tuple[str, str], bytes] = {}

    managed = error("AccessManagedUnauthorized(address)", stranger)
    abi = abis(protocol)
    for restriction in protocol.result.plan.restrictions:
        signature = signature_of(function(abi[restriction.target], restriction.function))
        table[restriction.target, signature] = managed
        if restriction.target != "ProxyAdmin":
            table[restriction.target, "setAuthority(address)"] = managed
    for name in ("upgradeAndCall(address,address,bytes)", "transferOwnership(address)", "renounceOwnership()"):
        table["ProxyAdmin", name] = error("OwnableUnauthorizedAccount(address)", stranger)

    unknown = error("DepositorUnknown(address)", stranger)
    table["StakingVault", "depositToBeacon((bytes,bytes,uint64)[])"] = unknown
    table["StakingVault", "noteSlashing()"] = unknown
    no_keeper = error("KeeperUnknown(address)", stranger)
    for name in ("stake((bytes,uint64)[])", "requestExits(bytes[],uint64[])", "consolidate(bytes,bytes)"):
        table["ValidatorManager", name] = no_keeper

    for name, signature, allowed in (
        ("StakedEther", "mint(address,uint256)", "StakingVault"),
        ("StakedEther", "burn(address,uint256)", "StakingVault"),
        ("StakedEther", "escrowFrom(address,uint256)", "WithdrawalQueue"),
        ("StakingVault", "redeem(uint256)", "WithdrawalQueue"),
        ("StakingVault", "report((uint40,uint64,uint64,uint64,uint64,uint64,uint96))", "ReportOracle"),
        ("StakingVault", "receiveSweep()", "WithdrawalGatewayProxy"),
        ("StakingVault", "receiveRewards()", "RewardsVault"),
        ("RewardsVault", "pull(uint256)", "StakingVault"),
        ("CoverFund", "cover(uint256)", "StakingVault"),
        ("OperatorBonds", "cover(uint256)", "StakingVault"),
        ("ReportOracle", "halt()", "ReportChallenge"),
        ("Farm", "payReward(address,address,uint256)", "Farm"),
    ):
        table[name, signature] = error("CallerNotAllowed(address,address)", stranger, address[allowed])
    manager = protocol.gateway.MANAGER()
    for signature in (
        "requestWithdrawals(bytes[],uint64[],address)",
        "requestConsolidation(bytes,bytes,address)",
    ):
        table["WithdrawalGateway", signature] = error("CallerNotAllowed(address,address)", stranger, manager)

    table["InstantPool", "onERC721Received(address,address,uint256,bytes)"] = error("CallerNotQueue(address)", stranger)

    table["ReportOracle", f"vote({REPORT})"] = error("KeyNotMember(address)", stranger)
    table["ReportOracle", "rotateKey(address)"] = error("MemberUnknown(address)", stranger)

    # nobody runs validators yet; for operators that are there see test_operator_registry.py and test_bonds.py
    nobody = error("OperatorUnknown(uint256)", 1)
    for name, signature in (
        ("OperatorRegistry", "proposeManager(uint256,address)"),
        ("OperatorRegistry", "acceptManager(uint256)"),
        ("OperatorRegistry", "proposeRewards(uint256,address)"),
        ("OperatorRegistry", "acceptRewards(uint256)"),
        ("OperatorBonds", "requestWithdrawal(uint256,uint256)"),
        ("OperatorBonds", "cancelWithdrawal(uint256)"),
        ("ValidatorManager", "prepare(uint256,bytes,bytes)"),
        ("ValidatorManager", "requestOwnExits(uint256,bytes[],uint64[])"),
    ):
        table[name, signature] = nobody
    for signature in ("openCase(uint256,uint256,uint256)", "chargePreparation(uint256)"):
        table["OperatorBonds", signature] = error(
            "CallerNotAllowed(address,address)", stranger, protocol.bonds.manager()
        )

    for name in (
        "labelRole(uint64,string)",
        "setRoleAdmin(uint64,uint64)",
        "setRoleGuardian(uint64,uint64)",
        "setGrantDelay(uint64,uint32)",
        "setTargetAdminDelay(address,uint32)",
        "setTargetClosed(address,bool)",
        "setTargetFunctionRole(address,bytes4[],uint64)",
        "updateAuthority(address,address)",
        "grantRole(uint64,address,uint32)",
        "revokeRole(uint64,address)",
    ):
        table[ACCESS, name] = error("AccessManagerUnauthorizedAccount(address,uint64)", stranger, int(Role.ADMIN))
    call = error("AccessManagerUnauthorizedCall(address,address,bytes4)", stranger, actors.other.address, bytes(4))
    table[ACCESS, "schedule(address,bytes,uint48)"] = call
    table[ACCESS, "execute(address,bytes)"] = call
    # it first looks at what was scheduled; see test_guardian_can_cancel_and_nobody_else for what was
    operation = keccak(encode(["address", "address", "bytes"], [actors.other.address] * 2 + [bytes(96)]))
    table[ACCESS, "cancel(address,address,bytes)"] = error("AccessManagerNotScheduled(bytes32)", operation)
    table[ACCESS, "consumeScheduledOp(address,bytes)"] = b""  # asks the caller, which is no contract
    return table


def test_J3_every_function_is_privileged_or_known_to_be_open(protocol: Protocol) -> None:
    table = privileged(protocol)
    for name, abi in abis(protocol).items():
        signatures = {signature_of(entry) for entry in mutable(abi)}
        refused = {signature for contract, signature in table if contract == name}
        assert signatures - refused == OPEN[name], name
        assert refused <= signatures, name
        assert not refused & OPEN[name], name
    assert OPEN.keys() == protocol.result.plan.addresses.keys()


def test_J3_stranger_is_refused_by_every_privileged_function(protocol: Protocol) -> None:
    table = privileged(protocol)
    seen = {}
    for name, abi in abis(protocol).items():
        for entry in mutable(abi):
            key = (name, signature_of(entry))
            if key not in table:
                continue
            data = encode_call(entry, [sample(item, protocol) for item in entry["inputs"]])
            seen[key] = outcome(protocol.actors.stranger, protocol.result.plan.addresses[name], data)
    assert seen == table


def test_J3_stranger_is_not_refused_for_being_one_by_open_functions(protocol: Protocol) -> None:
    for name, abi in abis(protocol).items():
        for entry in mutable(abi):
            if signature_of(entry) in OPEN[name]:
                data = encode_call(entry, [sample(item, protocol) for item in entry["inputs"]])
                got = outcome(protocol.actors.stranger, protocol.result.plan.addresses[name], data)
                assert got is None or got[:4] not in AUTHORITY_ERRORS, (name, entry["name"], got)


def test_J3_proxy_has_no_function_of_its_own_for_a_stranger(protocol: Protocol) -> None:
    upgrade = keccak(text="upgradeToAndCall(address,bytes)")[:4] + encode(
        ["address", "bytes"], [protocol.gateway_implementation.address, b""]
    )
    for data in (upgrade, keccak(text="admin()")[:4], bytes(4)):
        assert outcome(protocol.actors.stranger, protocol.gateway, data) == b""  # the implementation does not know it
    assert outcome(protocol.proxy_admin.address, protocol.gateway, upgrade) is None


def test_J3_ether_sent_to_a_contract_does_what_is_documented(protocol: Protocol) -> None:
    stranger, address = protocol.actors.stranger, protocol.result.plan.addresses
    not_accepted = error("EtherNotAccepted(address)", stranger.address)
    got = {name: outcome(stranger, place, b"", 10**18) for name, place in address.items()}
    assert got == {
        "Create3Deployer": b"",
        ACCESS: b"",
        "StakedEther": b"",
        "RewardsVault": None,  # a donation, vests with the next report
        "WithdrawalGateway": None,
        "WithdrawalGatewayProxy": None,
        "RequestDescriptor": b"",
        "WithdrawalQueue": not_accepted,
        "StakingVault": None,  # stakes for the sender
        "CoverFund": b"",
        "ReportLimits": b"",
        "ReportOracle": b"",
        "FeeSplitter": b"",
        "OperatorRegistry": b"",
        "OperatorBonds": b"",
        "BeaconProofs": b"",
        "ReportChallenge": b"",
        "ValidatorManager": b"",
        "RebasingStakedEther": b"",
        "WrappedEther": None,  # wraps for the sender
        "AsyncRedeemVault": not_accepted,
        "InstantPool": not_accepted,
        "LstBasket": b"",
        "Farm": b"",
        "RateFeed": b"",
        "ProxyAdmin": b"",
    }


# --- Every role ---


def calls(protocol: Protocol) -> list[tuple[Any, bytes]]:
    """Every restricted function with well-formed arguments."""
    abi = abis(protocol)
    return [
        (
            restriction,
            encode_call(
                entry := function(abi[restriction.target], restriction.function),
                [sample(item, protocol) for item in entry["inputs"]],
            ),
        )
        for restriction in protocol.result.plan.restrictions
    ]


def operation_of(caller: str, target: str, data: bytes) -> bytes:
    return keccak(encode(["address", "address", "bytes"], [caller, target, data]))


def holders(protocol: Protocol) -> list[RoleGrant | None]:
    """Every holder of a role, and `None` for the deployer, who must have none."""
    return [*protocol.result.plan.grants, None]


def roles_of(protocol: Protocol, account: str) -> dict[Role, int]:
    return {grant.role: grant.delay for grant in protocol.result.plan.grants if grant.account == account}


def test_J3_every_privileged_function_obeys_exactly_its_role(protocol: Protocol) -> None:
    """As seen by the access manager, for every account that has or had a right."""
    for grant in holders(protocol):
        account = grant.account if grant else protocol.actors.deployer.address
        own = roles_of(protocol, account)
        for restriction, _ in calls(protocol):
            allowed = protocol.access.canCall(account, restriction.address, restriction.selector)
            delay = own.get(restriction.role)
            expected = (False, 0) if delay is None else (delay == 0, delay)
            assert tuple(allowed) == expected, (restriction, account)


def test_J3_direct_call_works_for_exactly_the_documented_role(protocol: Protocol) -> None:
    for grant in holders(protocol):
        account = grant.account if grant else protocol.actors.deployer.address
        own = roles_of(protocol, account)
        for restriction, data in calls(protocol):
            got = outcome(account, restriction.address, data)
            where = (restriction.target, restriction.function, account)
            if restriction.target == "ProxyAdmin":  # owned by the access manager: nobody calls it directly
                assert got == error("OwnableUnauthorizedAccount(address)", account), where
            elif restriction.role not in own:
                assert got == error("AccessManagedUnauthorized(address)", account), where
            elif own[restriction.role]:
                operation = operation_of(account, restriction.address, data)
                assert got == error("AccessManagerNotScheduled(bytes32)", operation), where
            else:
                assert got is None or got[:4] not in AUTHORITY_ERRORS, where


def test_J3_execution_works_for_exactly_the_documented_role(protocol: Protocol) -> None:
    """Through the access manager, the only way to the proxy's admin."""
    execute = function(abis(protocol)[ACCESS], "execute")
    for grant in holders(protocol):
        account = grant.account if grant else protocol.actors.deployer.address
        own = roles_of(protocol, account)
        for restriction, data in calls(protocol):
            got = outcome(account, protocol.access, encode_call(execute, [restriction.address, data]))
            where = (restriction.target, restriction.function, account)
            if restriction.role not in own:
                refused = "AccessManagerUnauthorizedCall(address,address,bytes4)"
                assert got == error(refused, account, restriction.address, restriction.selector), where
            elif own[restriction.role]:
                operation = operation_of(account, restriction.address, data)
                assert got == error("AccessManagerNotScheduled(bytes32)", operation), where
            else:
                assert got is None or got[:4] not in AUTHORITY_ERRORS, where


def test_J3_no_function_is_left_to_the_admin_by_accident(protocol: Protocol) -> None:
    """What refuses a stranger as unauthorised by the access manager is in the plan, whatever the sources say."""
    planned = {(r.target, r.selector) for r in protocol.result.plan.restrictions}
    managed = error("AccessManagedUnauthorized(address)", protocol.actors.stranger.address)
    found = set()
    for name, abi in abis(protocol).items():
        for entry in mutable(abi):
            data = encode_call(entry, [sample(item, protocol) for item in entry["inputs"]])
            got = outcome(protocol.actors.stranger, protocol.result.plan.addresses[name], data)
            # setAuthority obeys the access manager itself, through updateAuthority, and no role
            if got == managed and entry["name"] != "setAuthority":
                found.add((name, selector_of(entry)))
    assert found == {pair for pair in planned if pair[0] != "ProxyAdmin"}
    for target, selector in planned:
        role = protocol.access.getTargetFunctionRole(protocol.result.plan.addresses[target], selector)
        assert role != Role.ADMIN


def test_J3_authority_can_be_changed_by_the_admin_alone_after_the_delay(protocol: Protocol) -> None:
    vault, admin = protocol.vault, protocol.actors.admin
    data = encode_call(function(abis(protocol)["StakingVault"], "setAuthority"), [protocol.oracle.address])
    # executing setAuthority belongs to no other role, now and ever, and obeys the same delay
    locked = protocol.access.AccessManagerLockedFunction
    with reverts(locked, selector=data[:4]):
        protocol.act(admin, protocol.access.setTargetFunctionRole, vault, [data[:4]], int(Role.GUARDIAN))
    with reverts(protocol.access.AccessManagerNotScheduled):
        protocol.access.execute(vault, data, sender=admin)
    update = protocol.access.updateAuthority
    with reverts(protocol.access.AccessManagerNotScheduled):
        update(vault, protocol.oracle, sender=admin)
    protocol.act(admin, update, vault, protocol.oracle)
    assert vault.authority() == protocol.oracle


# --- Delays, guardians, bounds ---


def schedule_fee(protocol: Protocol, fee: int = 500) -> tuple[bytes, bytes]:
    """The governor announces a new fee; returns its call data and operation id."""
    governor, vault = protocol.actors.governor, protocol.vault
    data = bytes(vault.setFee.encode_input(protocol.splitter, fee))
    protocol.access.schedule(vault, data, 0, sender=governor)
    return data, operation_of(governor.address, vault.address, data)


def test_J3_governor_waits_for_its_delay(protocol: Protocol) -> None:
    governor, access = protocol.actors.governor, protocol.access
    data, operation = schedule_fee(protocol)
    due = access.getSchedule(operation)
    assert due == ape.chain.blocks.head.timestamp + protocol.params.governance.governor.delay
    ape.chain.mine(timestamp=due - 2)
    with reverts(access.AccessManagerNotReady, operationId=operation):
        access.execute(protocol.vault, data, sender=governor)  # in the block of due - 1
    ape.chain.provider.make_request("evm_setNextBlockTimestamp", [due])
    access.execute(protocol.vault, data, sender=governor)
    assert protocol.vault.fee() == 500
    with reverts(access.AccessManagerNotScheduled, operationId=operation):
        access.execute(protocol.vault, data, sender=governor)


def test_J3_announcement_that_is_not_used_expires(protocol: Protocol) -> None:
    data, operation = schedule_fee(protocol)
    ape.chain.mine(deltatime=protocol.params.governance.governor.delay + protocol.access.expiration())
    with reverts(protocol.access.AccessManagerExpired, operationId=operation):
        protocol.access.execute(protocol.vault, data, sender=protocol.actors.governor)


def test_J3_guardian_can_cancel_and_nobody_else(protocol: Protocol) -> None:
    actors, access, vault = protocol.actors, protocol.access, protocol.vault
    data, operation = schedule_fee(protocol)
    for account in (actors.stranger, actors.registrar, actors.depositor, actors.treasury, actors.deployer):
        with reverts(
            access.AccessManagerUnauthorizedCancel,
            msgsender=account,
            caller=actors.governor,
            target=vault,
            selector=data[:4],
        ):
            access.cancel(actors.governor, vault, data, sender=account)
    access.cancel(actors.governor, vault, data, sender=actors.guardian)
    ape.chain.mine(deltatime=protocol.params.governance.governor.delay)
    with reverts(access.AccessManagerNotScheduled, operationId=operation):
        access.execute(vault, data, sender=actors.governor)
    assert vault.fee() == protocol.params.vault.fee


def test_J3_guardian_can_cancel_what_the_upgrader_and_the_registrar_announce(protocol: Protocol) -> None:
    actors, access = protocol.actors, protocol.access
    upgrade = protocol.proxy_admin.upgradeAndCall.encode_input(
        protocol.gateway.address, protocol.gateway_implementation.address, b""
    )
    weight = protocol.splitter.setWeight.encode_input(0, actors.other, 1)
    for caller, target, data in (
        (actors.governor, protocol.proxy_admin, upgrade),
        (actors.registrar, protocol.splitter, weight),
    ):
        access.schedule(target, data, 0, sender=caller)
        access.cancel(caller, target, data, sender=actors.guardian)
        assert access.getSchedule(operation_of(caller.address, target.address, bytes(data))) == 0


def test_J3_guardian_cannot_stop_the_admin(protocol: Protocol) -> None:
    actors, access = protocol.actors, protocol.access
    data = access.revokeRole.encode_input(int(Role.GUARDIAN), actors.guardian)
    access.schedule(access, data, 0, sender=actors.admin)
    with reverts(access.AccessManagerUnauthorizedCancel, msgsender=actors.guardian):
        access.cancel(actors.admin, access, data, sender=actors.guardian)


def test_J3_gateway_is_upgraded_after_the_upgrade_delay_only(protocol: Protocol) -> None:
    governor, access, admin = protocol.actors.governor, protocol.access, protocol.proxy_admin
    other = protocol.actors.deployer.deploy(ape.project.WithdrawalGateway, protocol.vault, protocol.actors.stranger)
    data = admin.upgradeAndCall.encode_input(protocol.gateway.address, other.address, b"")
    access.schedule(admin, data, 0, sender=governor)
    operation = operation_of(governor.address, admin.address, bytes(data))
    due = access.getSchedule(operation)
    assert due == ape.chain.blocks.head.timestamp + protocol.params.governance.upgrader.delay
    ape.chain.mine(timestamp=due - 2)
    with reverts(access.AccessManagerNotReady, operationId=operation):
        access.execute(admin, data, sender=governor)
    ape.chain.provider.make_request("evm_setNextBlockTimestamp", [due])
    access.execute(admin, data, sender=governor)
    # the credentials stay: the proxy's address, which speaks for the same vault
    assert protocol.gateway.VAULT() == protocol.vault
    assert protocol.vault.CREDENTIALS()[-20:].hex() == protocol.gateway.address[2:].lower()


def test_J3_deployer_has_given_up_every_right(protocol: Protocol) -> None:
    deployer = protocol.actors.deployer
    for role in Role:
        assert not protocol.access.hasRole(int(role), deployer).isMember


def test_J4_pause_ends_by_itself_and_stops_no_exit(protocol: Protocol) -> None:
    actors, vault, queue = protocol.actors, protocol.vault, protocol.queue
    vault.stake(actors.staker, 0, REFERRAL, value=10**18, sender=actors.staker)
    longest = vault.MAX_PAUSE()
    with reverts(vault.PauseTooLong, duration=longest + 1, maximum=longest):
        vault.pauseStaking(longest + 1, sender=actors.guardian)
    vault.pauseStaking(longest, sender=actors.guardian)
    until = vault.stakingPausedUntil()
    with reverts(vault.StakingIsPaused, until=until):
        vault.stake(actors.staker, 0, REFERRAL, value=10**18, sender=actors.staker)
    queue.request(10**18, actors.staker, sender=actors.staker)
    ape.chain.provider.make_request("evm_setNextBlockTimestamp", [until])
    vault.stake(actors.staker, 0, REFERRAL, value=10**18, sender=actors.staker)
    queue.finalize(1, sender=actors.stranger)  # no report came: the stale path
    queue.claim(1, sender=actors.stranger)


def test_J4_guardian_can_end_a_pause(protocol: Protocol) -> None:
    actors, vault = protocol.actors, protocol.vault
    vault.pauseStaking(DAY, sender=actors.guardian)
    vault.resumeStaking(sender=actors.guardian)
    assert vault.stakingPausedUntil() == 0
    vault.stake(actors.staker, 0, REFERRAL, value=10**18, sender=actors.staker)


@pytest.mark.parametrize("name", ["transferOwnership", "renounceOwnership"])
def test_J3_not_even_the_admin_can_take_the_proxy_from_the_delay(protocol: Protocol, name: str) -> None:
    entry = function(PROXY_ADMIN_ABI, name)
    data = encode_call(entry, [sample(item, protocol) for item in entry["inputs"]])
    for account in (protocol.actors.admin, protocol.actors.governor):
        with reverts(
            protocol.access.AccessManagerUnauthorizedCall,
            caller=account,
            target=protocol.proxy_admin,
            selector=data[:4],
        ):
            protocol.access.schedule(protocol.proxy_admin, data, 0, sender=account)
