"""What an operator does on chain, and the deposit data that its keys are prepared with."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_typing import ChecksumAddress
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from sluice.beacon.answers import Bytes4, Bytes32, Bytes48, Bytes96, Validator
from sluice.beacon.client import BeaconClient
from sluice.beacon.deposits import DepositData
from sluice.chain.node import Node, call, call_many
from sluice.daemon.sender import Sender, WouldRevertError
from sluice.keeper.plans import MIN_ACTIVE
from sluice.oracle.views import BOND, VALIDATOR, Contracts, find_contracts
from sluice.units import GWEI_PER_ETHER, Gwei

PREPARATION: Final = Gwei(10**9)
PHASES: Final = ("unknown", "prepared", "proven", "asked to leave", "leaving", "gone", "refused", "abandoned")
OPERATOR: Final = "(address,bool,address,(uint32,uint32,uint16,uint16,uint8))"


ERRORS: Final = {
    "AddressMissing()": "an address of zero gets nothing",
    "AmountAboveBond(uint256,uint256,uint256)": "so much is not in the bond",
    "AmountBelowMinimum(uint256,uint256)": "a bond that a case has emptied comes back with so many shares at least",
    "BondTooLow(uint256,uint256,uint256)": "operator, shares there, shares required; `sluice operator bond` adds some",
    "BufferTooLow(uint256,uint256)": "the pool has no ether for it now; wait for stakes",
    "CallerNotAllowed(address,address)": "the second account is the operator's manager, the key is another's",
    "CaseIsOpen(uint256)": "a validator of this operator was slashed; wait until its case is closed",
    "NothingLeaves(uint256)": "ask first: `sluice operator unbond`",
    "NotOpen()": "governance has closed the open terms",
    "OperatorInactive(uint256)": "it takes no new keys",
    "OperatorMismatch(bytes,uint256,uint256)": "the key is that of the first operator",
    "OperatorUnknown(uint256)": "nobody has registered it yet",
    "PubkeyUsed(bytes)": "a key is used once and never again",
    "SettlementIsOpen(uint256)": "wait until it is executed or cancelled",
    "StakeAboveCap(uint256,uint256,uint256)": "operator, gwei it would have, its cap",
    "StakeAboveLimit(uint256,uint256)": "gwei",
    "StakeBelowMinimum(uint256,uint256)": "wei",
    "StillLocked(uint256)": "the time, in seconds since 1970, from which on it leaves",
}
"""Those of the contracts that an operator meets, and what to know or do."""


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


def why_ignored(seen: Validator | None, amount: Gwei, pending: Gwei, epoch: int, period: int) -> str | None:
    """Why the consensus layer would ignore a request now, by ``process_withdrawal_request`` (EIP-7002, EIP-7251).

    ``pending`` are parts that wait, ``period`` is the chain's SHARD_COMMITTEE_PERIOD in epochs.
    """
    if seen is None or not seen.status.startswith("active"):
        return "not active yet, or not any more"
    if seen.status != "active_ongoing":
        return "leaves already"
    first = seen.validator.activation_epoch + period
    if epoch < first:
        return f"too young: ask again from epoch {first} on, now is {epoch}"
    if not amount and pending:
        return f"parts of it are on their way, {pending / GWEI_PER_ETHER:g} ether: ask again when they are paid"
    if amount and seen.balance <= MIN_ACTIVE + pending:
        return "only what is beyond 32 ether can leave in parts"
    return None


def read_reasons(client: BeaconClient, pubkeys: Sequence[bytes], amount: Gwei) -> dict[bytes, str | None]:
    """:func:`why_ignored` of each."""
    spec = client.spec()
    epoch = client.header("head").slot // spec.slots_per_epoch
    period = int(spec.values["SHARD_COMMITTEE_PERIOD"])
    seen = {each.pubkey: each for each in client.validators("head", pubkeys)}
    pending: Counter[int] = Counter()
    for part in client.pending_partial_withdrawals():
        pending[part.validator_index] += part.amount
    return {
        key: why_ignored(its, amount, Gwei(pending[its.index] if its else 0), epoch, period)
        for key, its in ((key, seen.get(key)) for key in pubkeys)
    }


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
        mine = self.managed_by(sender.address)
        if not mine:
            raise OperatorError("the registration is not to be found: is the node in step?")
        return mine[-1]

    def bond(self, sender: Sender, operator: int, wei: int) -> None:
        """Stake ether into the operator's bond."""
        _send(sender, self.bonds, _data("depositEther(uint256)", ["uint256"], [operator]), wei)

    def prepare(self, sender: Sender, operator: int, deposit: DepositData) -> None:
        types = ["uint256", "bytes", "bytes"]
        arguments = [operator, deposit.pubkey, deposit.signature]
        _send(sender, self.contracts.manager, _data("prepare(uint256,bytes,bytes)", types, arguments))

    def ask(self, sender: Sender, operator: int, pubkeys: list[bytes], amount: Gwei) -> None:
        """Ask the consensus layer for ``amount`` of each validator, or for all of it and its exit where it is 0."""
        fee, _ = call(self.node, self.contracts.gateway, "fees()", returns=["uint256", "uint256"])
        types = ["uint256", "bytes[]", "uint64[]"]
        data = _data("requestOwnExits(uint256,bytes[],uint64[])", types, [operator, pubkeys, [amount] * len(pubkeys)])
        _send(sender, self.contracts.manager, data, 2 * fee * len(pubkeys))  # it may rise; the rest comes back

    def unbond(self, sender: Sender, operator: int, shares: int) -> None:
        _send(
            sender, self.bonds, _data("requestWithdrawal(uint256,uint256)", ["uint256", "uint256"], [operator, shares])
        )

    def withdraw(self, sender: Sender, operator: int) -> None:
        _send(sender, self.bonds, _data("withdraw(uint256)", ["uint256"], [operator]))

    # --- Reading ---

    def managed_by(self, manager: ChecksumAddress) -> list[int]:
        (count,) = call(self.node, self.registry, "count()", returns=["uint256"])
        numbers = range(1, count + 1)
        found = call_many(self.node, self.registry, "operator(uint256)", [[each] for each in numbers], [OPERATOR])
        return [
            each for each, (values,) in zip(numbers, found, strict=True) if to_checksum_address(values[0]) == manager
        ]

    def describe(self, operator: int) -> dict[str, Any]:
        (values,) = call(self.node, self.registry, "operator(uint256)", [operator], [OPERATOR])
        manager, active, rewards, (cap, weight, bond, fee, _) = values
        return {
            "manager": to_checksum_address(manager),
            "active": active,
            "rewards": to_checksum_address(rewards),
            "cap": cap,
            "weight": weight,
            "bond": bond,
            "fee": fee,
        }

    def standing(self, operator: int) -> dict[str, int]:
        """Stake and bond, gwei and shares."""
        kinds = ["uint64", "uint32", "uint32"]
        staked, prepared, validators = call(self.node, self.contracts.manager, "stakeOf(uint256)", [operator], kinds)
        (bond,) = call(self.node, self.bonds, "bondOf(uint256)", [operator], [BOND])
        (required,) = call(self.node, self.bonds, "required(uint256)", [operator], ["uint256"])
        return {
            "staked": staked,
            "prepared": prepared,
            "validators": validators,
            "bond": bond[0],
            "leaving": bond[1],
            "leaving_from": bond[2],
            "required": required,
        }

    def phase_of(self, pubkey: bytes) -> str:
        (values,) = call(self.node, self.contracts.manager, "validator(bytes)", [pubkey], [VALIDATOR])
        return PHASES[values[1]]


def refusal(data: bytes) -> OperatorError | None:
    """What a contract's refusal means for an operator; None for errors that are not in :data:`ERRORS`."""
    for each, hint in ERRORS.items():
        if keccak(text=each)[:4] == data[:4]:
            name, _, rest = each.partition("(")
            values = decode([kind for kind in rest[:-1].split(",") if kind], data[4:])
            shown = ", ".join("0x" + value.hex() if isinstance(value, bytes) else str(value) for value in values)
            return OperatorError(f"refused: {name}({shown})" + (f": {hint}" if hint else ""))
    return None


def _send(sender: Sender, to: str, data: bytes, value: int = 0) -> None:
    try:
        sender.send(to, data, value)
    except WouldRevertError as error:
        raise refusal(error.data) or error from error


def _data(signature: str, types: list[str], arguments: list[Any]) -> bytes:
    return keccak(text=signature)[:4] + encode(types, arguments)
