"""Proofs of what stands behind a proxy, from the blocks of the node that ape talks to."""

from __future__ import annotations

from typing import Any

from ape import chain, networks

from tests.lst import header_of


def proof_of(lst: Any) -> tuple[bytes, list[bytes], list[bytes], int]:
    """Header, proofs and time of a block of now; another is mined, so that its hash is known."""
    chain.mine(deltatime=12)  # unlike on a real chain, two blocks may share their time here
    request = networks.provider.make_request
    block = request("eth_getBlockByNumber", ["latest", False])
    answer = request("eth_getProof", [lst.token.address, ["0x" + lst.slot.hex()], block["number"]])
    chain.mine(deltatime=12)

    def nodes(listed: list[str]) -> list[bytes]:
        return [bytes.fromhex(each.removeprefix("0x")) for each in listed]

    return (
        header_of(dict(block)),
        nodes(answer["accountProof"]),
        nodes(answer["storageProof"][0]["proof"]),
        int(block["timestamp"], 16),
    )


def prove_implementation(lst: Any, who: Any) -> None:
    """That the implementation is still the pinned one."""
    *proof, _ = proof_of(lst)
    lst.provider.proveImplementation(*proof, sender=who)
