"""Operators, their consents, bonds and settlements, as tests make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import Any

import ape
from ape.api import AccountAPI, ReceiptAPI
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from tests.helpers import DAY, ETHER, GWEI, deposit_to_beacon, set_rate, signer, stake
from tests.protocol import Protocol
from tests.typed_data import as_bytes, sign_permit

FOREVER = 2**256 - 1
TERMS = {"stakeCap": 320, "weight": 100, "bond": 1_000, "fee": 10_000, "threshold": 0}
DOMAIN_TYPE = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]


def terms(**changes: int) -> dict[str, int]:
    return TERMS | changes


def as_tuple(values: dict[str, int]) -> tuple[int, ...]:
    """As contracts give it back."""
    return tuple(values[name] for name in TERMS)


# --- Operators ---


def register(protocol: Protocol, manager: AccountAPI, rewards: Any = None) -> int:
    """Whoever asks, on the open terms; returns the id."""
    protocol.registry.register(rewards or manager, sender=manager)
    return int(protocol.registry.count())


def member_keys(count: int, name: str = "member") -> list[LocalAccount]:
    """In the order that the registry asks for."""
    keys = [Account.from_key(keccak(text=f"{name} {index}")) for index in range(count)]
    return sorted(keys, key=lambda key: int(key.address, 16))


@dataclass(frozen=True)
class Consent:
    """What a member of a cluster signs, the domain included."""

    contract: str
    chain_id: int
    manager: str
    rewards: str
    members: tuple[str, ...]
    threshold: int
    nonce: int = 0
    deadline: int = FOREVER
    name: str = "Sluice Operator Registry"

    @property
    def message(self) -> Any:
        return encode_typed_data(
            full_message={
                "types": {
                    "EIP712Domain": DOMAIN_TYPE,
                    "Consent": [
                        {"name": "manager", "type": "address"},
                        {"name": "rewards", "type": "address"},
                        {"name": "members", "type": "address[]"},
                        {"name": "threshold", "type": "uint8"},
                        {"name": "nonce", "type": "uint256"},
                        {"name": "deadline", "type": "uint256"},
                    ],
                },
                "primaryType": "Consent",
                "domain": {
                    "name": self.name,
                    "version": "1",
                    "chainId": self.chain_id,
                    "verifyingContract": self.contract,
                },
                "message": {
                    "manager": self.manager,
                    "rewards": self.rewards,
                    "members": list(self.members),
                    "threshold": self.threshold,
                    "nonce": self.nonce,
                    "deadline": self.deadline,
                },
            }
        )

    def signed(self, key: LocalAccount) -> bytes:
        return bytes(key.sign_message(self.message).signature)

    @property
    def digest(self) -> bytes:
        message = self.message
        return keccak(b"\x19" + message.version + message.header + message.body)


def consent_of(
    protocol: Protocol, manager: Any, rewards: Any, members: Sequence[Any], threshold: int, **more: Any
) -> Consent:
    return Consent(
        contract=protocol.registry.address,
        chain_id=ape.chain.chain_id,
        manager=manager.address,
        rewards=rewards.address,
        members=tuple(str(getattr(member, "address", member)) for member in members),
        threshold=threshold,
        **more,
    )


def submit_cluster(
    protocol: Protocol, consent: Consent, signatures: Sequence[bytes], sender: AccountAPI | None = None
) -> ReceiptAPI:
    """What the consent says, by a stranger."""
    return protocol.registry.registerCluster(
        consent.manager,
        consent.rewards,
        list(consent.members),
        consent.threshold,
        consent.deadline,
        list(signatures),
        sender=sender or protocol.actors.stranger,
    )


def register_cluster(
    protocol: Protocol, keys: Sequence[LocalAccount], threshold: int | None = None, **more: Any
) -> ReceiptAPI:
    """A cluster of `keys` whose members all sign with their nonces of the moment."""
    who = protocol.actors
    threshold = threshold or len(keys) * 2 // 3 + 1
    consent = consent_of(protocol, who.staker, who.treasury, keys, threshold, **more)
    signed = [replace(consent, nonce=protocol.registry.nonces(key.address)).signed(key) for key in keys]
    return submit_cluster(protocol, consent, signed)


# --- Bonds ---


def install_book(protocol: Protocol) -> Any:
    """A stand-in for the validator manager, which bonds ask for operators' stake and which opens cases."""
    book = protocol.actors.deployer.deploy(ape.project.StakeBook, protocol.bonds)
    protocol.as_governor(protocol.bonds.setManager, book)
    return book


def open_book(protocol: Protocol) -> Any:
    """2,000 ether pooled, 960 of them on the consensus layer, at a rate that is no round number, nothing unvested."""
    stake(protocol, protocol.actors.staker, 1_999 * ETHER)
    deposit_to_beacon(protocol, 960 * GWEI)
    set_rate(protocol, 123_456_789_123 * GWEI)
    return install_book(protocol)


def open_case(protocol: Protocol, book: Any, operator: int, loss: int = ETHER, duration: int = 40 * DAY) -> ReceiptAPI:
    """``loss`` in wei."""
    return book.openCase(operator, loss // GWEI, duration, sender=protocol.actors.stranger)


def rate_of(protocol: Protocol) -> Fraction:
    """Wei a wei of slETH, exact, at the newest block."""
    return Fraction(protocol.vault.totalAssets(), protocol.vault.supply())


def shares_up(assets: int | Fraction, rate: Fraction) -> int:
    return ceil(assets / rate)


def bond(protocol: Protocol, operator: int, shares: int, payer: AccountAPI) -> ReceiptAPI:
    """Approve and deposit."""
    protocol.token.approve(protocol.bonds, shares, sender=payer)
    return protocol.bonds.deposit(operator, shares, sender=payer)


def bond_of(protocol: Protocol, operator: int) -> tuple[int, int, int, int]:
    """Counted, leaving, from when, settlements."""
    return tuple(protocol.bonds.bondOf(operator))


def held(protocol: Protocol, operator: int) -> int:
    """Counted and leaving."""
    shares, leaving, _, _ = bond_of(protocol, operator)
    return shares + leaving


def line(protocol: Protocol) -> list[int]:
    """Operators in the order in which losses are taken from them."""
    found: list[int] = []
    while following := protocol.bonds.nextCharged(found[-1] if found else 0):
        found.append(following)
    return found


# --- Settlements ---


def settlement_message(
    contract: str,
    chain_id: int,
    operator: int,
    shares: int,
    reason: bytes,
    nonce: int,
    deadline: int = FOREVER,
    name: str = "Sluice Operator Bonds",
) -> Any:
    return encode_typed_data(
        full_message={
            "types": {
                "EIP712Domain": DOMAIN_TYPE,
                "Settlement": [
                    {"name": "operator", "type": "uint256"},
                    {"name": "shares", "type": "uint256"},
                    {"name": "reason", "type": "bytes32"},
                    {"name": "nonce", "type": "uint256"},
                    {"name": "deadline", "type": "uint256"},
                ],
            },
            "primaryType": "Settlement",
            "domain": {"name": name, "version": "1", "chainId": chain_id, "verifyingContract": contract},
            "message": {
                "operator": operator,
                "shares": shares,
                "reason": reason,
                "nonce": nonce,
                "deadline": deadline,
            },
        }
    )


def settlement_signatures(
    protocol: Protocol,
    operator: int,
    shares: int,
    reason: bytes,
    *,
    keys: Sequence[AccountAPI] | None = None,
    deadline: int = FOREVER,
) -> list[bytes]:
    """By a bare quorum unless ``keys`` are given, in the order that the oracle asks for."""
    keys = protocol.actors.keys[: protocol.oracle.quorum()] if keys is None else keys
    nonce = protocol.bonds.nonces(operator)
    contract, chain_id = protocol.bonds.address, ape.chain.chain_id
    message = settlement_message(contract, chain_id, operator, shares, reason, nonce, deadline)
    ordered = sorted(keys, key=lambda key: int(key.address, 16))
    return [bytes(signer(key).sign_message(message).signature) for key in ordered]


def permit_signature(protocol: Protocol, owner: AccountAPI, shares: int, deadline: int = FOREVER) -> bytes:
    nonce = protocol.token.nonces(owner)
    signature = sign_permit(protocol.token, owner, spender=protocol.bonds, value=shares, nonce=nonce, deadline=deadline)
    return as_bytes(signature)
