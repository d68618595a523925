"""What stakers do on the devnet: deposits, requests, and looking at what became of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from eth_account.signers.local import LocalAccount

from sluice.beacon import bls
from sluice.beacon.answers import Validator
from sluice.beacon.deposits import DepositData, consolidation_request, sign_deposit, withdrawal_request
from sluice.chain.system_contracts import DEPOSIT_CONTRACT
from sluice.devnet import Devnet
from sluice.units import NO_GWEI, Gwei, Slot

WITHDRAWALS = "0x00000961Ef480Eb55e80D19ad83579A64c007002"
CONSOLIDATIONS = "0x0000BBdDc7CE488642fb579F8B00f3a590007251"
BEACON_ROOTS = "0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02"
GWEI_PER_ETHER = 10**9
PATIENCE_EPOCHS = 40


def eth(amount: int) -> Gwei:
    return Gwei(amount * GWEI_PER_ETHER)


@dataclass(frozen=True)
class Key:
    secret: bytes

    @classmethod
    def of(cls, name: str) -> Key:
        """A key of its own for every test that names it."""
        number = int.from_bytes(sha256(name.encode()).digest(), "big") % (bls.ORDER - 1) + 1
        return cls(number.to_bytes(32, "big"))

    @property
    def pubkey(self) -> bytes:
        return bls.public_key(self.secret)


def deposit_data(devnet: Devnet, key: Key, credentials: bytes, amount: Gwei) -> DepositData:
    return sign_deposit(key.secret, credentials, amount, devnet.beacon.genesis().genesis_fork_version)


def deposit(devnet: Devnet, sender: LocalAccount, data: DepositData) -> str:
    """Into the deposit contract with the next block; the transaction's hash."""
    return devnet.send(sender, DEPOSIT_CONTRACT, data=data.calldata(), value=data.amount * 10**9)


def make_deposits(devnet: Devnet, sender: LocalAccount, *deposits: DepositData) -> None:
    sent = [deposit(devnet, sender, data) for data in deposits]
    devnet.advance_block()
    assert all(devnet.receipt(one)["status"] == "0x1" for one in sent)


def request_withdrawal(devnet: Devnet, sender: LocalAccount, pubkey: bytes, amount: Gwei = NO_GWEI) -> None:
    _request(devnet, sender, WITHDRAWALS, withdrawal_request(pubkey, amount))


def request_consolidation(devnet: Devnet, sender: LocalAccount, source: bytes, target: bytes) -> None:
    _request(devnet, sender, CONSOLIDATIONS, consolidation_request(source, target))


def _request(devnet: Devnet, sender: LocalAccount, contract: str, data: bytes) -> None:
    fee = int(devnet.node.request("eth_call", {"to": contract, "data": "0x"}, "latest"), 16)
    sent = devnet.send(sender, contract, data=data, value=fee)
    devnet.advance_block()
    assert devnet.receipt(sent)["status"] == "0x1"


def look(devnet: Devnet, key: Key) -> Validator:
    found = devnet.beacon.validator(key.pubkey)
    assert found is not None, "the validator is not in the registry"
    return found


def until(devnet: Devnet, what: Callable[[], bool], epochs: int = PATIENCE_EPOCHS) -> None:
    """Let epochs pass until something is so."""
    for _ in range(epochs):
        if what():
            return
        devnet.advance_epochs(1)
    assert what(), f"not so after {epochs} epochs"


def until_status(devnet: Devnet, key: Key, status: str) -> Validator:
    until(devnet, lambda: (found := devnet.beacon.validator(key.pubkey)) is not None and found.status == status)
    return look(devnet, key)


def make_validators(devnet: Devnet, sender: LocalAccount, credentials: bytes, amount: Gwei, *keys: Key) -> None:
    """Deposited and active; the devnet does their duties."""
    devnet.add_keys(key.secret for key in keys)
    make_deposits(devnet, sender, *(deposit_data(devnet, key, credentials, amount) for key in keys))
    for key in keys:
        until_status(devnet, key, "active_ongoing")


def balance_of(devnet: Devnet, address: str) -> int:
    """Wei, now."""
    return int(devnet.node.request("eth_getBalance", address, "latest"), 16)


def root_at(devnet: Devnet, timestamp: int) -> bytes:
    """What EIP-4788's contract answers; raises where it has nothing."""
    answer = devnet.node.request("eth_call", {"to": BEACON_ROOTS, "data": f"0x{timestamp:064x}"}, "latest")
    return bytes.fromhex(answer[2:])


def head_slot(devnet: Devnet) -> Slot:
    return devnet.status().head_slot
