"""A deposit to the real deposit contract: its Merkle root against an SSZ computation of our own."""

from __future__ import annotations

from hashlib import sha256
from unittest.mock import patch

import ape
import pytest

from sluice.chain.system_contracts import (
    DEPOSIT_CONTRACT,
    SystemContractError,
    install_system_contracts,
    system_contracts,
)
from tests.protocol import Protocol
from tests.reverts import reverts

ETHER = 10**18
GWEI_PER_ETHER = 10**9
DEPTH = 32  # of the deposit tree, consensus specs


def pair(left: bytes, right: bytes) -> bytes:
    return sha256(left + right).digest()


def merkleize(chunks: list[bytes]) -> bytes:
    """Root over 32-byte chunks, filled with zero up to a power of two."""
    size = 1
    while size < len(chunks):
        size *= 2
    layer = chunks + [bytes(32)] * (size - len(chunks))
    while len(layer) > 1:
        layer = [pair(layer[i], layer[i + 1]) for i in range(0, len(layer), 2)]
    return layer[0]


def chunks_of(data: bytes) -> list[bytes]:
    return [data[i : i + 32].ljust(32, b"\0") for i in range(0, len(data), 32)]


def deposit_root(pubkey: bytes, credentials: bytes, amount: int, signature: bytes) -> bytes:
    """hash_tree_root(DepositData); amount in gwei."""
    return merkleize(
        [
            merkleize(chunks_of(pubkey)),
            credentials,
            amount.to_bytes(8, "little").ljust(32, b"\0"),
            merkleize(chunks_of(signature)),
        ]
    )


def list_root(leaves: list[bytes]) -> bytes:
    """hash_tree_root(List[DepositData, 2**32])."""
    layer, zero = leaves, bytes(32)
    for _ in range(DEPTH):
        if len(layer) % 2:
            layer = [*layer, zero]
        layer = [pair(layer[i], layer[i + 1]) for i in range(0, len(layer), 2)] or [pair(zero, zero)]
        zero = pair(zero, zero)
    return pair(layer[0], len(leaves).to_bytes(32, "little"))


def test_installed_contract_has_the_root_of_an_empty_tree(protocol: Protocol) -> None:
    assert protocol.deposit_contract.get_deposit_root() == list_root([])
    assert protocol.deposit_contract.get_deposit_count() == bytes(8)


def test_B4_deposits_leave_with_our_credentials_and_the_right_root(protocol: Protocol) -> None:
    vault, actors = protocol.vault, protocol.actors
    amounts = [32 * GWEI_PER_ETHER, GWEI_PER_ETHER, 2_048 * GWEI_PER_ETHER]
    deposits = [(bytes([i + 1]) * 48, bytes([i + 101]) * 96, amount) for i, amount in enumerate(amounts)]
    vault.stake(actors.staker, 0, actors.other, value=3_000 * ETHER, sender=actors.staker)

    receipt = vault.depositToBeacon(deposits, sender=actors.depositor)

    credentials = b"\x02" + bytes(11) + bytes.fromhex(protocol.gateway.address[2:])
    leaves = [deposit_root(key, credentials, amount, signature) for key, signature, amount in deposits]
    assert protocol.deposit_contract.get_deposit_root() == list_root(leaves)
    assert protocol.deposit_contract.get_deposit_count() == (3).to_bytes(8, "little")
    assert protocol.deposit_contract.balance == sum(amounts) * 10**9 == vault.outside()
    events = list(receipt.decode_logs(protocol.deposit_contract.DepositEvent))
    assert [
        (bytes(e.pubkey), bytes(e.withdrawal_credentials), bytes(e.amount), bytes(e.signature), bytes(e.index))
        for e in events
    ] == [
        (key, credentials, amount.to_bytes(8, "little"), signature, i.to_bytes(8, "little"))
        for i, (key, signature, amount) in enumerate(deposits)
    ]


def test_B4_wrong_root_is_refused_by_the_real_contract(protocol: Protocol) -> None:
    """The canary: it is the official code that compares roots, so the test above cannot pass by itself."""
    with reverts("DepositContract: reconstructed DepositData does not match supplied deposit_data_root"):
        protocol.deposit_contract.deposit(
            bytes(48), bytes(32), bytes(96), bytes(32), value=32 * ETHER, sender=protocol.actors.staker
        )


def test_installing_again_changes_nothing(protocol: Protocol) -> None:
    web3 = ape.chain.provider.web3
    actors = protocol.actors
    protocol.vault.stake(actors.staker, 0, actors.other, value=33 * ETHER, sender=actors.staker)
    protocol.vault.depositToBeacon([(bytes(48), bytes(96), 32 * GWEI_PER_ETHER)], sender=actors.depositor)
    before = protocol.deposit_contract.get_deposit_root()
    assert install_system_contracts(web3) == []
    assert protocol.deposit_contract.get_deposit_root() == before


def test_file_holds_the_official_contract() -> None:
    contract = system_contracts()[DEPOSIT_CONTRACT]
    assert contract["name"] == "DepositContract"
    zero, table = bytes(32), {}
    for height in range(1, DEPTH):
        zero = pair(zero, zero)
        table[0x21 + height] = zero
    assert {int(slot, 16): bytes.fromhex(value[2:]) for slot, value in contract["storage"].items()} == table


def test_node_that_cannot_be_changed_is_refused(protocol: Protocol) -> None:
    web3 = ape.chain.provider.web3
    ape.chain.provider.make_request("anvil_setCode", [DEPOSIT_CONTRACT, "0x"])
    real = web3.provider.make_request

    def without_cheats(method: str, params: object) -> object:
        if method.startswith("anvil_"):
            method = "no_" + method  # a method that the node does not know
        return real(method, params)

    # not monkeypatch: it would leave the method on the instance, where `reverts` sees none of later tests' calls
    with (
        patch.object(web3.provider, "make_request", without_cheats),
        pytest.raises(SystemContractError, match="only anvil can be used as a local chain"),
    ):
        install_system_contracts(web3)
