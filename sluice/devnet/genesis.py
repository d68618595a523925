"""The first block of the execution node: system contracts and accounts with ether."""

from functools import cache
from typing import Any, Final

from eth_account import Account
from eth_account.hdaccount import key_from_seed, seed_from_mnemonic
from eth_account.signers.local import LocalAccount

from sluice.chain.system_contracts import DEPOSIT_CONTRACT, system_contracts
from sluice.devnet.settings import MNEMONIC, DevnetSettings
from sluice.units import Timestamp

GAS_LIMIT: Final = 36_000_000
BASE_FEE: Final = 10**9
CREATE2_DEPLOYER: Final = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
CREATE2_DEPLOYER_CODE: Final = (
    "0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039"
    "578182fd5b8082525050506014600cf3"
)
"""The well-known one; anvil has it of itself."""

_EARLY_FORKS: Final = (
    "homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg", "istanbul", "berlin",
    "london", "mergeNetsplit",
)  # fmt: skip
_BLOBS: Final = {
    "cancun": {"target": 3, "max": 6, "baseFeeUpdateFraction": 3338477},
    "prague": {"target": 6, "max": 9, "baseFeeUpdateFraction": 5007716},
    "osaka": {"target": 6, "max": 9, "baseFeeUpdateFraction": 5007716},
}


@cache
def dev_accounts(count: int) -> tuple[LocalAccount, ...]:
    """The first accounts of the well-known mnemonic."""
    seed = seed_from_mnemonic(MNEMONIC, "")
    return tuple(Account.from_key(key_from_seed(seed, f"m/44'/60'/0'/0/{index}")) for index in range(count))


def execution_genesis(settings: DevnetSettings, timestamp: Timestamp) -> dict[str, Any]:
    """As geth's genesis.json, which anvil and ethereumjs read too."""
    forks = ["cancun", "prague", *(["osaka"] if settings.hardfork == "osaka" else [])]
    config: dict[str, Any] = {
        "chainId": settings.chain_id,
        **{f"{name}Block": 0 for name in _EARLY_FORKS},
        "terminalTotalDifficulty": 0,
        "terminalTotalDifficultyPassed": True,
        "shanghaiTime": 0,
        **{f"{name}Time": 0 for name in forks},
        "depositContractAddress": DEPOSIT_CONTRACT,
        "blobSchedule": {name: _BLOBS[name] for name in forks},
    }
    alloc: dict[str, Any] = {
        account.address: {"balance": hex(settings.account_balance)} for account in dev_accounts(settings.accounts)
    }
    alloc[CREATE2_DEPLOYER] = {"balance": "0x0", "code": CREATE2_DEPLOYER_CODE, "nonce": "0x1"}
    for address, contract in system_contracts().items():
        alloc[address] = {
            "balance": "0x0",
            "code": contract["code"],
            "nonce": hex(contract.get("nonce", 0)),
            "storage": {_word(slot): value for slot, value in contract["storage"].items()},
        }
    zero = _word("0x0")
    return {
        "config": config,
        "nonce": "0x0",
        "timestamp": hex(timestamp),
        "extraData": "0x",
        "gasLimit": hex(GAS_LIMIT),
        "difficulty": "0x0",
        "mixHash": zero,
        "coinbase": "0x" + "00" * 20,
        "baseFeePerGas": hex(BASE_FEE),
        "excessBlobGas": "0x0",
        "blobGasUsed": "0x0",
        "number": "0x0",
        "gasUsed": "0x0",
        "parentHash": zero,
        "alloc": alloc,
    }


def _word(number: str) -> str:
    return "0x" + int(number, 16).to_bytes(32, "big").hex()
