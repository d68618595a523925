"""What an operator does on chain, and the deposit data that its keys are prepared with."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from sluice.beacon.answers import Bytes4, Bytes32, Bytes48, Bytes96
from sluice.beacon.deposits import DepositData
from sluice.chain.node import Node, call
from sluice.daemon.sender import Sender, WouldRevertError
from sluice.oracle.views import VALIDATOR, Contracts, find_contracts
from sluice.units import Gwei

PREPARATION: Final = Gwei(10**9)
PHASES: Final = ("unknown", "prepared", "proven", "asked to leave", "leaving", "gone", "refused", "abandoned")
OPERATOR: Final = "(address,bool,address,(uint32,uint32,uint16,uint16,uint8))"


ERRORS: Final = (
    "AddressMissing()",
    "BondTooLow(uint256,uint256,uint256)",
    "BufferTooLow(uint256,uint256)",
    "CallerNotAllowed(address,address)",
    "NotOpen()",
    "OperatorInactive(uint256)",
    "OperatorUnknown(uint256)",
    "StakeAboveCap(uint256,uint256,uint256)",
    "StakeAboveLimit(uint256,uint256)",
    "StakeBelowMinimum(uint256,uint256)",
)
"""Those of the contracts that an operator meets."""


class OperatorError(Exception):
    """What an operator can mend."""


class _Item(BaseModel):
    """As the staking tools of the field write it (``deposit_data-*.json``); hex with or without 0x."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    pubkey: Bytes48
    withdrawal_credentials: Bytes32
    amount: int
    signature: Bytes96
    fork_version: Bytes4 | None = None


def read_deposit_data(path: Path, credentials: bytes, fork_version: bytes) -> list[DepositData]:
    """Deposits of 1 ether with the pool's credentials, their signatures checked; raises :class:`OperatorError`."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        items = TypeAdapter(list[_Item]).validate_python([_with_0x(each) for each in raw])
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, AttributeError, ValidationError) as error:
        raise OperatorError(f"{path} is no deposit data: {error}") from error
    found = []
    for each in items:
        data = DepositData(each.pubkey, each.withdrawal_credentials, Gwei(each.amount), each.signature)
        key = f"key 0x{each.pubkey.hex()[:16]}..."
        if each.withdrawal_credentials != credentials:
            raise OperatorError(
                f"{key}: its credentials are 0x{each.withdrawal_credentials.hex()}, "
                f"the pool's are 0x{credentials.hex()}: make the deposit data anew with them"
            )
        if each.amount != PREPARATION:
            raise OperatorError(f"{key}: its amount is {each.amount} gwei; a preparation is 1 ether")
        if not data.is_signed(fork_version):
            raise OperatorError(
                f"{key}: its signature is not valid on this chain (fork version 0x{fork_version.hex()})"
            )
        found.append(data)
    return found


def _with_0x(item: dict[str, Any]) -> dict[str, Any]:
    hexes = ("pubkey", "withdrawal_credentials", "signature", "fork_version")
    return {
        name: "0x" + value.removeprefix("0x") if name in hexes and isinstance(value, str) else value
        for name, value in item.items()
    }


def as_deposit_data(deposits: list[DepositData], fork_version: bytes) -> str:
    """The same form, written."""
    return json.dumps(
        [
            {
                "pubkey": each.pubkey.hex(),
                "withdrawal_credentials": each.credentials.hex(),
                "amount": each.amount,
                "signature": each.signature.hex(),
                "fork_version": fork_version.hex(),
            }
            for each in deposits
        ],
        indent=2,
    )


@dataclass
class Operators:
    """The contracts around operators, found from the oracle's address."""

    node: Node
    contracts: Contracts
    registry: str
    bonds: str

    @classmethod
    def at(cls, node: Node, oracle: str) -> "Operators":
        contracts = find_contracts(node, oracle)
        (registry,) = call(node, contracts.manager, "registry()", returns=["address"])
        (bonds,) = call(node, contracts.manager, "bonds()", returns=["address"])
        return cls(node, contracts, registry, bonds)

    # --- Doing ---

    def register(self, sender: Sender, rewards: str) -> int:
        """On the open terms, with the sender as manager; the id."""
        _send(sender, self.registry, _data("register(address)", ["address"], [rewards]))
        (count,) = call(self.node, self.registry, "count()", returns=["uint256"])
        for operator in range(count, 0, -1):
            if self.describe(operator)["manager"].lower() == sender.address.lower():
                return operator
        raise OperatorError("the registration is not to be found: is the node in step?")

    def bond(self, sender: Sender, operator: int, wei: int) -> None:
        """Stake ether into the operator's bond."""
        _send(sender, self.bonds, _data("depositEther(uint256)", ["uint256"], [operator]), wei)

    def prepare(self, sender: Sender, operator: int, deposit: DepositData) -> None:
        types = ["uint256", "bytes", "bytes"]
        arguments = [operator, deposit.pubkey, deposit.signature]
        _send(sender, self.contracts.manager, _data("prepare(uint256,bytes,bytes)", types, arguments))

    # --- Reading ---

    def describe(self, operator: int) -> dict[str, Any]:
        (values,) = call(self.node, self.registry, "operator(uint256)", [operator], [OPERATOR])
        manager, active, rewards, (cap, weight, bond, fee, _) = values
        return {
            "manager": manager,
            "active": active,
            "rewards": rewards,
            "cap": cap,
            "weight": weight,
            "bond": bond,
            "fee": fee,
        }

    def standing(self, operator: int) -> dict[str, int]:
        """Stake and bond, gwei and shares."""
        kinds = ["uint64", "uint32", "uint32"]
        staked, prepared, validators = call(self.node, self.contracts.manager, "stakeOf(uint256)", [operator], kinds)
        (bond,) = call(self.node, self.bonds, "bondOf(uint256)", [operator], ["(uint96,uint96,uint40,uint24)"])
        (required,) = call(self.node, self.bonds, "required(uint256)", [operator], ["uint256"])
        return {
            "staked": staked,
            "prepared": prepared,
            "validators": validators,
            "bond": bond[0],
            "leaving": bond[1],
            "required": required,
        }

    def phase_of(self, pubkey: bytes) -> str:
        (values,) = call(self.node, self.contracts.manager, "validator(bytes)", [pubkey], [VALIDATOR])
        return PHASES[values[1]]


def _send(sender: Sender, to: str, data: bytes, value: int = 0) -> None:
    try:
        sender.send(to, data, value)
    except WouldRevertError as error:
        for each in ERRORS:
            if keccak(text=each)[:4] == error.data[:4]:
                types = [kind for kind in each[each.index("(") + 1 : -1].split(",") if kind]
                values = ", ".join(str(value) for value in decode(types, error.data[4:]))
                raise OperatorError(f"refused: {each[: each.index('(')]}({values})") from error
        raise


def _data(signature: str, types: list[str], arguments: list[Any]) -> bytes:
    return keccak(text=signature)[:4] + encode(types, arguments)
