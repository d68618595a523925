"""WithdrawalGateway's requests, against the official bytecode of the EIP-7002 and EIP-7251 predeploys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ape
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import ETHER, GWEI, ZERO, give_ether
from tests.reverts import reverts

WITHDRAWALS = "0x00000961Ef480Eb55e80D19ad83579A64c007002"
CONSOLIDATIONS = "0x0000BBdDc7CE488642fb579F8B00f3a590007251"
SYSTEM = "0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE"
INHIBITOR = 2**256 - 1
KEYS = [bytes([n]) * 48 for n in range(1, 40)]


@dataclass(frozen=True)
class Predeploy:
    address: str
    size: int  # bytes of a request as the consensus layer reads it

    def set(self, slot: int, value: int) -> None:
        words = [f"0x{word:064x}" for word in (slot, value)]
        ape.chain.provider.make_request("anvil_setStorageAt", [self.address, *words])

    @property
    def waiting(self) -> list[bytes]:
        """What the consensus layer would be given at the end of this block (EIP-7685)."""
        call = {"from": SYSTEM, "to": self.address, "gas": hex(10_000_000)}
        data = bytes.fromhex(ape.chain.provider.make_request("eth_call", [call, "latest"])[2:])
        return [data[n : n + self.size] for n in range(0, len(data), self.size)]


EXITS = Predeploy(WITHDRAWALS, 76)
MOVES = Predeploy(CONSOLIDATIONS, 116)


def fee_of(excess: int) -> int:
    """EIP-7002: fake_exponential(1, excess, 17)."""
    total, term, n = 0, 17, 1
    while term > 0:
        total += term
        term = term * excess // (17 * n)
        n += 1
    return total // 17


@pytest.fixture(scope="module")
def gateway(protocol):
    return protocol.gateway


@pytest.fixture(scope="module")
def manager(protocol):
    """Both predeploys have seen their first block."""
    EXITS.set(0, 0)
    MOVES.set(0, 0)
    # without its code, so that refunds can be seen to arrive there
    ape.chain.provider.make_request("anvil_setCode", [protocol.manager.address, "0x"])
    return protocol.impersonate(protocol.manager, 10**24)


def exit_of(gateway: Any, key: bytes, amount: int) -> bytes:
    """EIP-7002: source address, key, amount (little endian)."""
    return bytes.fromhex(gateway.address[2:]) + key + amount.to_bytes(8, "little")


def test_manager_is_who_the_deployment_names(protocol, gateway):
    assert gateway.MANAGER() == protocol.gateway_implementation.MANAGER() == protocol.manager


# --- Withdrawals ---


@pytest.mark.parametrize("count", [1, 2, 16])
def test_requests_reach_the_consensus_layer_in_order(gateway, manager, protocol, count):
    keys, amounts = KEYS[:count], [n * GWEI for n in range(count)]  # 0 asks for an exit
    gateway.requestWithdrawals(keys, amounts, manager, sender=manager, value=count)
    assert EXITS.waiting == [exit_of(gateway, k, a) for k, a in zip(keys, amounts, strict=True)]


@settings(max_examples=25, deadline=None)
@given(items=st.lists(st.tuples(st.binary(min_size=48, max_size=48), st.integers(0, 2**64 - 1)), max_size=16))
def test_any_keys_and_amounts_pass_unchanged(gateway, manager, protocol, items):
    mark = ape.chain.snapshot()
    gateway.requestWithdrawals(
        [key for key, _ in items], [amount for _, amount in items], manager, sender=manager, value=len(items)
    )
    assert EXITS.waiting == [exit_of(gateway, key, amount) for key, amount in items]
    ape.chain.restore(mark)


@pytest.mark.parametrize("excess", [0, 1, 17, 200, 600])
def test_F4_fee_is_the_predeploys_and_the_rest_comes_back(gateway, manager, protocol, excess):
    """The fee grows exponentially with what was asked in the blocks before."""
    EXITS.set(0, excess)
    fee = fee_of(excess)
    assert gateway.fees()[0] == fee
    before, taken = manager.balance, ape.chain.provider.get_balance(WITHDRAWALS)
    tx = gateway.requestWithdrawals(KEYS[:3], [0, 0, 0], manager, sender=manager, value=3 * fee + ETHER)
    assert ape.chain.provider.get_balance(WITHDRAWALS) == taken + 3 * fee
    assert before - manager.balance == 3 * fee + tx.total_fees_paid
    assert gateway.balance == 0


@pytest.mark.parametrize("excess", [0, 17, 600])
def test_F4_ether_that_does_not_pay_the_fees_is_refused(gateway, manager, protocol, excess):
    EXITS.set(0, excess)
    needed = 2 * fee_of(excess)
    with reverts(gateway.FeeTooLow, sent=needed - 1, needed=needed):
        gateway.requestWithdrawals(KEYS[:2], [0, 0], manager, sender=manager, value=needed - 1)
    gateway.requestWithdrawals(KEYS[:2], [0, 0], manager, sender=manager, value=needed)


def test_F4_ether_of_the_pool_never_pays_a_fee(gateway, manager, protocol):
    """What was swept into the gateway lies beside the ether sent."""
    give_ether(gateway, 32 * ETHER)
    EXITS.set(0, 500)
    fee = fee_of(500)
    with reverts(gateway.FeeTooLow, sent=0, needed=fee):
        gateway.requestWithdrawals(KEYS[:1], [0], manager, sender=manager)
    gateway.requestWithdrawals(KEYS[:1], [0], manager, sender=manager, value=fee + 7)
    assert gateway.balance == 32 * ETHER


def test_F4_the_same_key_may_be_asked_again(gateway, manager, protocol):
    gateway.requestWithdrawals([KEYS[0]] * 3, [0, 5, 0], manager, sender=manager, value=3)
    assert EXITS.waiting == [exit_of(gateway, KEYS[0], amount) for amount in (0, 5, 0)]


def test_refund_goes_where_it_is_told(gateway, manager, protocol):
    other = protocol.actors.other
    before = other.balance
    gateway.requestWithdrawals(KEYS[:1], [0], other, sender=manager, value=1 + ETHER)
    assert other.balance == before + ETHER


def test_refund_that_is_refused_ends_the_call(gateway, manager, protocol):
    with reverts(gateway.RefundFailed, receiver=protocol.token, amount=1):
        gateway.requestWithdrawals(KEYS[:1], [0], protocol.token, sender=manager, value=2)
    gateway.requestWithdrawals(KEYS[:1], [0], protocol.token, sender=manager, value=1)
    assert len(EXITS.waiting) == 1


@pytest.mark.parametrize("length", [0, 47, 49])
def test_key_of_another_length_is_refused(gateway, manager, protocol, length):
    with reverts(gateway.PubkeyLengthInvalid, length=length):
        gateway.requestWithdrawals([KEYS[0], b"\x01" * length], [0, 0], manager, sender=manager, value=2)
    assert EXITS.waiting == []


@pytest.mark.parametrize(("keys", "amounts"), [(1, 0), (0, 1), (2, 3)])
def test_keys_without_amounts_are_refused(gateway, manager, protocol, keys, amounts):
    with reverts(gateway.LengthMismatch, pubkeys=keys, amounts=amounts):
        gateway.requestWithdrawals(KEYS[:keys], [0] * amounts, manager, sender=manager, value=3)


def test_nothing_asked_costs_nothing(gateway, manager, protocol):
    before = manager.balance
    tx = gateway.requestWithdrawals([], [], manager, sender=manager, value=5)
    assert EXITS.waiting == []
    assert before - manager.balance == tx.total_fees_paid


# --- Consolidations ---


def test_consolidation_reaches_the_consensus_layer(gateway, manager, protocol):
    before = manager.balance
    tx = gateway.requestConsolidation(KEYS[0], KEYS[1], manager, sender=manager, value=ETHER)
    assert MOVES.waiting == [bytes.fromhex(gateway.address[2:]) + KEYS[0] + KEYS[1]]
    assert before - manager.balance == 1 + tx.total_fees_paid


def test_F4_consolidation_pays_its_own_fee(gateway, manager, protocol):
    MOVES.set(0, 300)
    give_ether(gateway, ETHER)
    fee = fee_of(300)
    assert gateway.fees() == (1, fee)
    with reverts(gateway.FeeTooLow, sent=fee - 1, needed=fee):
        gateway.requestConsolidation(KEYS[0], KEYS[1], manager, sender=manager, value=fee - 1)
    gateway.requestConsolidation(KEYS[0], KEYS[1], manager, sender=manager, value=fee)
    assert gateway.balance == ETHER


@pytest.mark.parametrize("lengths", [(47, 48), (48, 49), (0, 48)])
def test_consolidation_of_no_keys_is_refused(gateway, manager, protocol, lengths):
    wrong = next(length for length in lengths if length != 48)
    with reverts(gateway.PubkeyLengthInvalid, length=wrong):
        gateway.requestConsolidation(*(b"\x01" * length for length in lengths), manager, sender=manager, value=1)


# --- Who and when ---


@pytest.mark.parametrize("who", ["stranger", "governor", "guardian", "admin"])
def test_F4_nobody_else_asks_for_exits(gateway, manager, protocol, who):
    account = getattr(protocol.actors, who)
    refused = {"caller": account, "allowed": manager}
    with reverts(gateway.CallerNotAllowed, **refused):
        gateway.requestWithdrawals(KEYS[:1], [0], account, sender=account, value=1)
    with reverts(gateway.CallerNotAllowed, **refused):
        gateway.requestConsolidation(KEYS[0], KEYS[1], account, sender=account, value=1)
    assert EXITS.waiting == MOVES.waiting == []


def test_predeploys_that_have_seen_no_block_are_named(gateway, manager, protocol):
    """Until the first block after the fork they hold an inhibitor and revert."""
    EXITS.set(0, INHIBITOR)
    with reverts(gateway.RequestsUnavailable, predeploy=WITHDRAWALS):
        gateway.requestWithdrawals(KEYS[:1], [0], manager, sender=manager, value=1)
    with reverts(gateway.RequestsUnavailable, predeploy=WITHDRAWALS):
        gateway.fees()
    gateway.requestConsolidation(KEYS[0], KEYS[1], manager, sender=manager, value=1)
    MOVES.set(0, INHIBITOR)
    with reverts(gateway.RequestsUnavailable, predeploy=CONSOLIDATIONS):
        gateway.requestConsolidation(KEYS[0], KEYS[1], manager, sender=manager, value=1)


def test_predeploy_that_is_not_there_is_named(gateway, manager, protocol):
    ape.chain.provider.make_request("anvil_setCode", [WITHDRAWALS, "0x"])
    with reverts(gateway.RequestsUnavailable, predeploy=WITHDRAWALS):
        gateway.requestWithdrawals(KEYS[:1], [0], manager, sender=manager, value=1)


def test_zero_refund_needs_no_receiver(gateway, manager, protocol):
    gateway.requestWithdrawals(KEYS[:1], [0], ZERO, sender=manager, value=1)
    assert len(EXITS.waiting) == 1
