"""Contracts that every public chain has and a fresh local one lacks, put there by the node's own cheat codes."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from web3 import Web3

DEPOSIT_CONTRACT = "0x00000000219ab540356cBB839Cbe05303d7705Fa"


class SystemContractError(Exception):
    """The node does not let itself be changed."""


def system_contracts() -> dict[str, dict[str, Any]]:
    """Address -> name, code and storage; the file names its source."""
    text = resources.files(__package__).joinpath("system_contracts.json").read_text("utf-8")
    contracts: dict[str, dict[str, Any]] = json.loads(text)["contracts"]
    return contracts


def install_system_contracts(web3: Web3) -> list[str]:
    """Install what is missing on an anvil node. Returns the names of what was installed."""
    installed = []
    for address, contract in system_contracts().items():
        if bytes(web3.eth.get_code(web3.to_checksum_address(address))):
            continue
        for slot, value in contract["storage"].items():
            place = "0x" + int(slot, 16).to_bytes(32, "big").hex()
            _cheat(web3, "anvil_setStorageAt", [address, place, value])
        _cheat(web3, "anvil_setCode", [address, contract["code"]])
        installed.append(str(contract["name"]))
    return installed


def _cheat(web3: Web3, method: str, params: list[str]) -> None:
    response = web3.provider.make_request(method, params)  # type: ignore[arg-type]
    if "error" in response:
        raise SystemContractError(
            f"the node refuses {method} ({response['error']}): only anvil can be used as a local chain"
        )
