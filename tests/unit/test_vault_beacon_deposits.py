"""StakingVault.depositToBeacon, through the official deposit contract. Its roots are in integration/test_deposit.py."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hexbytes import HexBytes

from tests.helpers import ETHER, GWEI, deposit_to_beacon, report_as_oracle, set_rate, stake
from tests.integration.test_deposit import deposit_root
from tests.queueing import settle
from tests.reverts import reverts

POOLED = 1_000 * ETHER
PUBKEY = bytes(range(48))
SIGNATURE = bytes(range(100, 196))


@pytest.fixture(scope="module")
def vault(protocol):
    return protocol.vault


@pytest.fixture(scope="module")
def depositor(protocol):
    return protocol.actors.depositor


@pytest.fixture(scope="module")
def staker(protocol):
    stake(protocol, protocol.actors.staker, POOLED - protocol.params.vault.seed)
    return protocol.actors.staker


def little_endian(value: int) -> bytes:
    return value.to_bytes(8, "little")


@pytest.mark.parametrize("gwei", [GWEI, 32 * GWEI, 999 * GWEI + 1])
def test_deposit_leaves_with_the_vaults_credentials(protocol, vault, depositor, staker, gwei):
    """B1: who chooses keys cannot choose where the ether comes back to: type 0x02 and the gateway, immutable."""
    contract = protocol.deposit_contract
    tx = vault.depositToBeacon([(PUBKEY, SIGNATURE, gwei)], sender=depositor)
    credentials = b"\x02" + bytes(11) + bytes.fromhex(protocol.gateway.address[2:])
    assert vault.CREDENTIALS() == credentials
    assert tx.events == [
        vault.BeaconDeposited(pubkey=HexBytes(PUBKEY), amount=gwei),
        contract.DepositEvent(
            pubkey=HexBytes(PUBKEY),
            withdrawal_credentials=HexBytes(credentials),
            amount=HexBytes(little_endian(gwei)),
            signature=HexBytes(SIGNATURE),
            index=HexBytes(little_endian(0)),
        ),
    ]
    assert contract.balance == gwei * GWEI
    assert vault.consensus()[1] == gwei
    assert vault.outside() == gwei * GWEI
    assert vault.buffer() == vault.balance == POOLED - gwei * GWEI
    assert vault.pooled() == POOLED
    assert vault.rate() == 10**18


def test_deposits_of_a_batch_go_one_by_one(protocol, vault, depositor, staker):
    amounts = [32 * GWEI, GWEI, 64 * GWEI + 5]
    deposits = [(bytes([i]) * 48, bytes([i]) * 96, amount) for i, amount in enumerate(amounts)]
    tx = vault.depositToBeacon(deposits, sender=depositor)
    assert [(e.event_name, e.get("index")) for e in tx.events] == [
        item for i in range(3) for item in (("BeaconDeposited", None), ("DepositEvent", HexBytes(little_endian(i))))
    ]
    assert vault.consensus()[1] == sum(amounts)
    assert protocol.deposit_contract.balance == sum(amounts) * GWEI
    assert protocol.deposit_contract.get_deposit_count() == little_endian(3)


def test_deposit_of_nothing_changes_nothing(vault, depositor, staker):
    tx = vault.depositToBeacon([], sender=depositor)
    assert tx.events == []
    assert vault.buffer() == POOLED


def test_deposits_take_the_buffer_to_the_last_gwei(protocol, vault, depositor, staker):
    assert vault.depositable() == vault.buffer() == POOLED
    with reverts(vault.BufferTooLow, needed=POOLED + GWEI, available=POOLED):
        vault.depositToBeacon([(PUBKEY, SIGNATURE, POOLED // GWEI + 1)], sender=depositor)
    half = POOLED // GWEI // 2
    with reverts(vault.BufferTooLow, needed=POOLED + GWEI, available=POOLED):
        vault.depositToBeacon([(PUBKEY, SIGNATURE, half), (PUBKEY, SIGNATURE, half + 1)], sender=depositor)
    vault.depositToBeacon([(PUBKEY, SIGNATURE, half), (PUBKEY, SIGNATURE, half)], sender=depositor)
    assert vault.buffer() == vault.depositable() == vault.balance == 0
    with reverts(vault.BufferTooLow, needed=GWEI * GWEI, available=0):
        vault.depositToBeacon([(PUBKEY, SIGNATURE, GWEI)], sender=depositor)


@pytest.mark.parametrize("count", [1, 2])
def test_A8_deposits_beyond_their_field_are_beyond_the_buffer(vault, depositor, staker, count):
    """The sum does not wrap: 2^64 - 1 gwei twice is no small number."""
    most = 2**64 - 1
    with reverts(vault.BufferTooLow, needed=count * most * GWEI, available=POOLED):
        vault.depositToBeacon([(PUBKEY, SIGNATURE, most)] * count, sender=depositor)


@pytest.mark.parametrize("requested", [GWEI, 300 * ETHER, 999 * ETHER])
def test_C8_open_requests_are_not_deposited(protocol, vault, depositor, staker, requested):
    """D5: the buffer less what open requests are worth, rounded up, at a rate that is no round number."""
    requested = max(requested, protocol.params.queue.minimum_request)
    set_rate(protocol, 12_345_678_901 * GWEI)  # lies outside: the buffer stays what it was
    rate = Fraction(vault.totalAssets(), vault.supply())
    protocol.queue.request(requested, staker, sender=staker)
    left = POOLED - math.ceil(requested * rate)
    assert vault.depositable() == max(0, left)
    if left < GWEI * GWEI:
        with reverts(vault.BufferTooLow, needed=GWEI * GWEI, available=max(0, left)):
            vault.depositToBeacon([(PUBKEY, SIGNATURE, GWEI)], sender=depositor)
        return
    most = left // GWEI
    with reverts(vault.BufferTooLow, needed=(most + 1) * GWEI, available=left):
        vault.depositToBeacon([(PUBKEY, SIGNATURE, most + 1)], sender=depositor)
    vault.depositToBeacon([(PUBKEY, SIGNATURE, most)], sender=depositor)
    report_as_oracle(protocol)
    protocol.queue.finalize(1, sender=staker)  # what was left is enough
    assert vault.balance == vault.buffer()


def test_C8_ether_set_aside_is_out_of_reach(protocol, vault, depositor, staker):
    protocol.queue.request(400 * ETHER, staker, sender=staker)
    settle(protocol)
    assert vault.depositable() == vault.buffer() == POOLED - 400 * ETHER
    with reverts(vault.BufferTooLow, needed=POOLED - 400 * ETHER + GWEI, available=POOLED - 400 * ETHER):
        vault.depositToBeacon([(PUBKEY, SIGNATURE, (POOLED - 400 * ETHER) // GWEI + 1)], sender=depositor)
    assert protocol.queue.balance == 400 * ETHER


@pytest.mark.parametrize("length", [0, 47, 49, 96])
def test_E4_pubkey_of_another_length_reverts(vault, depositor, staker, length):
    with reverts(vault.PubkeyLengthInvalid, length=length):
        vault.depositToBeacon([(PUBKEY, SIGNATURE, GWEI), ((PUBKEY * 2)[:length], SIGNATURE, GWEI)], sender=depositor)


@pytest.mark.parametrize("length", [0, 95, 97, 48])
def test_signature_of_another_length_reverts(vault, depositor, staker, length):
    with reverts(vault.SignatureLengthInvalid, length=length):
        vault.depositToBeacon([(PUBKEY, (SIGNATURE * 2)[:length], GWEI)], sender=depositor)


@pytest.mark.parametrize("gwei", [0, 1, GWEI - 1])
def test_deposit_below_one_ether_is_refused_by_the_deposit_contract(vault, depositor, staker, gwei):
    with reverts("DepositContract: deposit value too low"):
        vault.depositToBeacon([(PUBKEY, SIGNATURE, gwei)], sender=depositor)


@pytest.mark.parametrize("caller", ["stranger", "staker", "admin", "governor", "guardian", "registrar"])
def test_J3_only_the_depositor_deposits(protocol, vault, staker, caller):
    actor = getattr(protocol.actors, caller)
    with reverts(vault.DepositorUnknown, caller=actor):
        vault.depositToBeacon([(PUBKEY, SIGNATURE, 32 * GWEI)], sender=actor)


def test_B4_strangers_deposit_does_not_move_the_books(protocol, vault, staker):
    """Somebody deposits for one of our keys: that is no ether of the pool before a report says so."""
    deposit_to_beacon(protocol, 32 * GWEI)
    credentials = vault.CREDENTIALS()
    before = (vault.pooled(), vault.outside(), vault.buffer(), vault.consensus())
    stranger = protocol.actors.stranger
    protocol.deposit_contract.deposit(
        PUBKEY,
        credentials,
        SIGNATURE,
        deposit_root(PUBKEY, credentials, GWEI, SIGNATURE),
        sender=stranger,
        value=ETHER,
    )
    assert (vault.pooled(), vault.outside(), vault.buffer(), vault.consensus()) == before
    deposit_to_beacon(protocol, 32 * GWEI)  # and does not stand in the way of the next one
    assert vault.consensus()[1] == 64 * GWEI
