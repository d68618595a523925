"""Consensus layer and committee beside the deployed protocol: days pass, reports are signed and submitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import ape
from eth_account.signers.local import LocalAccount

from sluice.chain.interface import ChainSpec
from sluice.chain.node import HttpNode, get_block
from sluice.chain.standin import Frames, StandIn
from sluice.chain.state import Rules
from sluice.oracle.committee import advance_to_report, committee_keys, local_keys, sign_with_quorum
from sluice.oracle.views import Contracts, Prepared, find_contracts, prepare
from tests.protocol import Protocol


@dataclass
class World:
    """A protocol with both of its sides."""

    protocol: Protocol
    node: HttpNode
    layer: StandIn
    contracts: Contracts
    keys: Sequence[LocalAccount]

    @classmethod
    def around(cls, protocol: Protocol, rules: Rules | None = None) -> World:
        node = HttpNode(ape.chain.provider.uri)
        contracts = find_contracts(node, protocol.oracle.address)
        layer = StandIn(
            node,
            deposit_contract=protocol.deposit_contract.address,
            spec=ChainSpec(protocol.oracle.GENESIS_TIME(), protocol.oracle.SECONDS_PER_SLOT()),
            frames=Frames(protocol.oracle.FIRST_SLOT(), protocol.oracle.FRAME_SLOTS()),
            rules=rules,
            first_block=get_block(node).number,
        )
        return cls(protocol, node, layer, contracts, committee_keys(node, contracts, local_keys()))

    @property
    def credentials(self) -> bytes:
        return self.contracts.credentials

    def fund_validators(self, *amounts: int, first: int = 0) -> list[bytes]:
        """The vault pays the deposit contract for new keys, gwei each."""
        pubkeys = [pubkey(first + n) for n in range(len(amounts))]
        deposits = [(key, sha256(key).digest() * 3, amount) for key, amount in zip(pubkeys, amounts, strict=True)]
        self.protocol.vault.depositToBeacon(deposits, sender=self.protocol.actors.depositor)
        self.layer.sync()
        return pubkeys

    def prepare(self) -> Prepared:
        """The next report, when it can be made."""
        advance_to_report(self.layer, self.node, self.contracts)
        return prepare(self.layer, self.node, self.contracts)

    def submit(self, prepared: Prepared, *, compact: bool = True) -> Any:
        signatures = sign_with_quorum(self.node, self.contracts, prepared.report, self.keys, compact=compact)
        sender = self.protocol.actors.stranger
        return self.protocol.oracle.submit(prepared.report.as_tuple(), signatures, sender=sender)

    def report(self) -> Prepared:
        """Build, sign and submit the next report."""
        prepared = self.prepare()
        self.submit(prepared)
        return prepared


def pubkey(n: int) -> bytes:
    """A stand-in's key: nothing checks that it lies on the curve."""
    return sha256(b"validator" + n.to_bytes(4, "big")).digest() + bytes(16)


def deposit_root(pubkey: bytes, credentials: bytes, amount: int, signature: bytes) -> bytes:
    """hash_tree_root(DepositData), consensus specs, phase 0."""

    def join(left: bytes, right: bytes) -> bytes:
        return sha256(left + right).digest()

    signature_root = join(join(signature[:32], signature[32:64]), join(signature[64:], bytes(32)))
    amount_chunk = amount.to_bytes(8, "little") + bytes(24)
    return join(join(join(pubkey[:32], pubkey[32:] + bytes(16)), credentials), join(amount_chunk, signature_root))
