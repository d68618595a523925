"""WithdrawalGateway: the address in the credentials. Its ether goes to the vault, its code changes after a delay."""

from __future__ import annotations

import ape
import pytest
from eth_utils import keccak
from hexbytes import HexBytes

from tests.helpers import (
    DAY,
    ETHER,
    GWEI,
    ZERO,
    deposit_to_beacon,
    force_with_code,
    give_ether,
    next_at,
    now,
    report_as_oracle,
    stake,
)
from tests.reverts import reverts

OUTSIDE = 64 * ETHER
# ERC-1967
IMPLEMENTATION_SLOT = int.from_bytes(keccak(text="eip1967.proxy.implementation"), "big") - 1
ADMIN_SLOT = int.from_bytes(keccak(text="eip1967.proxy.admin"), "big") - 1


@pytest.fixture(scope="module")
def gateway(protocol):
    return protocol.gateway


@pytest.fixture(scope="module")
def vault(protocol):
    return protocol.vault


@pytest.fixture(scope="module")
def anybody(protocol):
    """64 ether are outside."""
    stake(protocol, protocol.actors.staker, 99 * ETHER)
    deposit_to_beacon(protocol, OUTSIDE // GWEI)
    return protocol.actors.stranger


def address_in(contract, slot: int) -> str:
    value = ape.chain.provider.get_storage(contract.address, slot)
    return "0x" + bytes(value)[-20:].hex()


# --- sweep ---


def test_gateway_names_its_vault(protocol, gateway):
    assert gateway.VAULT() == protocol.gateway_implementation.VAULT() == protocol.vault


@pytest.mark.parametrize(
    ("arrived", "swept"),
    [
        (0, 0),
        (1, 0),
        (GWEI - 1, 0),
        (GWEI, GWEI),
        (2 * GWEI - 1, GWEI),
        (32 * ETHER, 32 * ETHER),
        (OUTSIDE, OUTSIDE),
        (OUTSIDE + GWEI - 1, OUTSIDE),
        (OUTSIDE + GWEI, OUTSIDE),
        (OUTSIDE + 1_000 * ETHER, OUTSIDE),
    ],
)
def test_sweep_hands_over_whole_gwei_and_at_most_what_is_outside(protocol, gateway, vault, anybody, arrived, swept):
    give_ether(gateway, arrived)  # EIP-4895 runs no code
    buffer, pooled = vault.buffer(), vault.pooled()
    tx = gateway.sweep(sender=anybody)
    assert tx.return_value == swept
    assert tx.events == ([gateway.Swept(amount=swept), vault.SweepReceived(amount=swept // GWEI)] if swept else [])
    assert gateway.balance == arrived - swept
    assert vault.outside() == OUTSIDE - swept
    assert vault.buffer() == buffer + swept == vault.balance
    assert vault.pooled() == pooled
    assert vault.consensus()[2] == swept // GWEI
    assert vault.rate() == 10**18


def test_second_sweep_finds_nothing(gateway, vault, anybody):
    give_ether(gateway, 5 * ETHER)
    gateway.sweep(sender=anybody)
    assert gateway.sweep(sender=anybody).events == []
    assert vault.outside() == OUTSIDE - 5 * ETHER


def test_sweep_runs_without_anything_outside(protocol, gateway, vault, anybody):
    """Where all is lost a gift waits in the gateway: it is no one's until a report says that it came back."""
    report_as_oracle(protocol, gain=-OUTSIDE)
    assert vault.outside() == 0
    give_ether(gateway, ETHER)
    tx = gateway.sweep(sender=anybody)
    assert (tx.return_value, tx.events) == (0, [])
    assert gateway.balance == ETHER


def test_gateway_takes_ether_in_every_way(gateway, anybody):
    anybody.transfer(gateway, 3)
    give_ether(gateway, 4)
    force_with_code(anybody, gateway, 5)
    assert gateway.balance == 12


def test_calls_that_mean_nothing_are_refused(gateway, anybody):
    with reverts(b""):
        anybody.transfer(gateway, 1, data=keccak(text="withdraw()")[:4])


def test_H3_gift_that_is_swept_moves_no_rate(protocol, gateway, vault, anybody):
    """It stands where ether of the pool is still outside; the books know no difference until a report."""
    rate, pooled = vault.rate(), vault.pooled()
    anybody.transfer(gateway, 10 * ETHER)
    gateway.sweep(sender=anybody)
    assert (vault.rate(), vault.pooled()) == (rate, pooled)
    assert vault.outside() == OUTSIDE - 10 * ETHER


# --- The vault's side ---


@pytest.mark.parametrize("caller", ["stranger", "staker", "admin", "governor", "oracle", "queue", "rewards"])
def test_only_the_gateway_brings_sweeps(protocol, vault, anybody, caller):
    actor = getattr(protocol.actors, caller, None) or protocol.impersonate(getattr(protocol, caller), 2 * ETHER)
    with reverts(vault.CallerNotAllowed, caller=actor, allowed=protocol.gateway):
        vault.receiveSweep(sender=actor, value=GWEI)


@pytest.mark.parametrize("amount", [1, GWEI - 1, GWEI + 1, OUTSIDE + 1])
def test_sweep_of_no_whole_gwei_reverts(protocol, vault, anybody, amount):
    gateway = protocol.impersonate(protocol.gateway, 100 * ETHER)
    with reverts(vault.SweepNotWholeGwei, amount=amount):
        vault.receiveSweep(sender=gateway, value=amount)


@pytest.mark.parametrize("above", [GWEI, ETHER])
def test_sweep_of_more_than_is_outside_reverts(protocol, vault, anybody, above):
    gateway = protocol.impersonate(protocol.gateway, 100 * ETHER)
    with reverts(vault.SweepAboveOutside, amount=OUTSIDE + above, outside=OUTSIDE):
        vault.receiveSweep(sender=gateway, value=OUTSIDE + above)


def test_sweep_of_nothing_is_no_error(protocol, vault, anybody):
    gateway = protocol.impersonate(protocol.gateway, ETHER)
    tx = vault.receiveSweep(sender=gateway, value=0)
    assert tx.events == [vault.SweepReceived(amount=0)]


# --- The proxy ---


def test_proxy_runs_the_implementation_and_belongs_to_the_access_manager(protocol, gateway):
    assert address_in(gateway, IMPLEMENTATION_SLOT) == protocol.gateway_implementation.address.lower()
    assert address_in(gateway, ADMIN_SLOT) == protocol.proxy_admin.address.lower()
    assert protocol.proxy_admin.owner() == protocol.access


def test_J1_implementation_needs_no_initialisation_and_refuses_a_missing_vault(protocol):
    implementation = protocol.gateway_implementation
    with reverts(implementation.AddressMissing):
        protocol.actors.deployer.deploy(ape.project.WithdrawalGateway, ZERO, protocol.vault)
    with reverts(protocol.gateway.AddressMissing):
        protocol.actors.deployer.deploy(ape.project.WithdrawalGateway, protocol.vault, ZERO)
    writing = {
        entry.name
        for entry in ape.project.WithdrawalGateway.contract_type.abi
        if entry.type == "function" and entry.stateMutability not in ("view", "pure")
    }
    assert writing == {"sweep", "requestWithdrawals", "requestConsolidation"}


@pytest.fixture
def successor(protocol):
    return protocol.actors.deployer.deploy(ape.project.NextGateway, protocol.vault, protocol.actors.depositor)


def upgrade_call(protocol, successor) -> bytes:
    return protocol.proxy_admin.upgradeAndCall.encode_input(protocol.gateway, successor, b"")


def test_J2_upgrade_keeps_address_ether_and_books(protocol, gateway, vault, anybody, successor):
    give_ether(gateway, 7 * ETHER + 3)
    credentials = vault.CREDENTIALS()
    before = (vault.pooled(), vault.supply(), vault.buffer(), vault.outside(), vault.consensus())
    tx = protocol.act(protocol.actors.governor, protocol.proxy_admin.upgradeAndCall, gateway, successor, b"")
    upgraded = keccak(text="Upgraded(address)")
    assert [HexBytes(log["topics"][0]) for log in tx.logs if log["address"] == gateway.address] == [upgraded]
    assert address_in(gateway, IMPLEMENTATION_SLOT) == successor.address.lower()
    assert gateway.balance == 7 * ETHER + 3
    assert vault.GATEWAY() == gateway
    assert vault.CREDENTIALS() == credentials
    assert (vault.pooled(), vault.supply(), vault.buffer(), vault.outside(), vault.consensus()) == before

    behind = ape.project.NextGateway.at(gateway.address, fetch_from_explorer=False, detect_proxy=False)
    assert behind.generation() == 2
    assert behind.VAULT() == vault
    tx = behind.sweep(sender=anybody)
    assert tx.return_value == 7 * ETHER
    assert vault.outside() == OUTSIDE - 7 * ETHER
    anybody.transfer(gateway, 5)
    assert gateway.balance == 8


def test_J3_upgrade_waits_for_the_longest_delay_to_the_second(protocol, gateway, successor):
    """L6: fourteen days in which every holder can leave, and in which a guardian can cancel."""
    access, upgrader, admin = protocol.access, protocol.actors.governor, protocol.proxy_admin
    delay = protocol.params.governance.upgrader.delay
    others = [protocol.params.governance.governor.delay, protocol.params.governance.registrar.delay]
    assert delay == 14 * DAY > max(others)
    data = upgrade_call(protocol, successor)
    operation = access.hashOperation(upgrader, admin, data)
    with reverts(access.AccessManagerNotScheduled, operationId=operation):
        access.execute(admin, data, sender=upgrader)
    ready = access.schedule(admin, data, 0, sender=upgrader).timestamp + delay
    next_at(ready - 1)
    with reverts(access.AccessManagerNotReady, operationId=operation):
        access.execute(admin, data, sender=upgrader)
    assert address_in(gateway, IMPLEMENTATION_SLOT) == protocol.gateway_implementation.address.lower()
    next_at(ready)
    access.execute(admin, data, sender=upgrader)
    assert address_in(gateway, IMPLEMENTATION_SLOT) == successor.address.lower()


def test_J3_upgrade_cannot_be_scheduled_to_come_sooner(protocol, successor):
    access, upgrader = protocol.access, protocol.actors.governor
    data = upgrade_call(protocol, successor)
    early = now() + 13 * DAY
    with reverts(access.AccessManagerUnauthorizedCall, caller=upgrader, target=protocol.proxy_admin, selector=data[:4]):
        access.schedule(protocol.proxy_admin, data, early, sender=upgrader)


def test_J3_guardian_cancels_an_upgrade(protocol, gateway, successor):
    access, upgrader, admin = protocol.access, protocol.actors.governor, protocol.proxy_admin
    data = upgrade_call(protocol, successor)
    access.schedule(admin, data, 0, sender=upgrader)
    access.cancel(upgrader, admin, data, sender=protocol.actors.guardian)
    ape.chain.mine(deltatime=15 * DAY)
    with reverts(access.AccessManagerNotScheduled, operationId=access.hashOperation(upgrader, admin, data)):
        access.execute(admin, data, sender=upgrader)


@pytest.mark.parametrize("caller", ["stranger", "staker", "admin", "guardian", "depositor", "registrar"])
def test_J3_nobody_else_upgrades(protocol, gateway, successor, caller):
    access, admin = protocol.access, protocol.proxy_admin
    actor = getattr(protocol.actors, caller)
    data = upgrade_call(protocol, successor)
    with reverts(access.AccessManagerUnauthorizedCall, caller=actor, target=admin, selector=data[:4]):
        access.execute(admin, data, sender=actor)
    with reverts(admin.OwnableUnauthorizedAccount, account=actor):
        admin.upgradeAndCall(gateway, successor, b"", sender=actor)
    # around the admin: the proxy takes this call from its admin alone, and passes it on to the implementation else
    with reverts(b""):
        actor.transfer(gateway, 0, data=keccak(text="upgradeToAndCall(address,bytes)")[:4] + bytes(64))


def test_J1_proxy_runs_no_initialiser_at_an_upgrade_to_no_code(protocol, gateway):
    """An implementation without code is refused after the delay, too."""
    invalid = keccak(text="ERC1967InvalidImplementation(address)")[:4]
    stranger = protocol.actors.stranger
    with reverts(invalid + bytes(12) + bytes.fromhex(stranger.address[2:])):
        protocol.act(protocol.actors.governor, protocol.proxy_admin.upgradeAndCall, gateway, stranger, b"")
    assert address_in(gateway, IMPLEMENTATION_SLOT) == protocol.gateway_implementation.address.lower()
