"""The chain, the contracts and the people of the demo, and every ether they move."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Self

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3 import Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.types import RPCEndpoint, TxParams, TxReceipt
from web3.types import Wei as Web3Wei

from sluice.chain.interface import ChainSpec
from sluice.chain.node import Node, get_block, mine_at
from sluice.chain.passing import pay
from sluice.chain.standin import Frames, StandIn
from sluice.chain.state import Rules
from sluice.deploy.artifacts import Artifact
from sluice.deploy.engine import Result
from sluice.oracle.views import Contracts, Prepared, find_contracts, prepare
from sluice.units import NO_WEI, Slot, Timestamp, Wei

ZERO: Final = to_checksum_address("0x" + "00" * 20)
GAS_LIMIT: Final = 15_000_000


class RefusedError(Exception):
    """A transaction reverted that the story does not expect to."""


@dataclass
class Person:
    """Somebody who stakes: an address of its own and what went in and out of the protocol."""

    name: str
    address: ChecksumAddress
    staked: Wei = NO_WEI
    bought: Wei = NO_WEI
    """Paid to another person for slETH or a request."""
    sold: Wei = NO_WEI
    claimed: Wei = NO_WEI
    gas: Wei = NO_WEI
    flows: list[tuple[Timestamp, int]] = field(default_factory=list)
    """Time and wei, out of their pocket below zero."""


@dataclass(frozen=True)
class Setting:
    """What the demo runs on: a node whose accounts may be impersonated, and a finished deployment."""

    web3: Web3
    node: Node
    addresses: Mapping[str, str]
    abis: Mapping[str, Sequence[Mapping[str, Any]]]
    genesis_time: int
    frame_slots: int
    seconds_per_slot: int
    deposit_contract: str
    guardian: str
    depositor: str
    keys: Sequence[LocalAccount]
    """Signing keys of the committee."""
    quorum: int

    @classmethod
    def of(
        cls, web3: Web3, node: Node, result: Result, artifacts: Mapping[str, Artifact], keys: Sequence[LocalAccount]
    ) -> Self:
        """The setting of a deployment; of `keys`, those of its members count."""
        params = result.plan.params
        wanted = {member.key for member in params.oracle.members}
        return cls(
            web3=web3,
            node=node,
            addresses=result.plan.addresses,
            abis={name: artifact.abi for name, artifact in artifacts.items()},
            genesis_time=result.registry.genesis_time,
            frame_slots=params.oracle.frame,
            seconds_per_slot=params.oracle.slot,
            deposit_contract=params.external.deposit_contract,
            guardian=params.governance.guardian.account,
            depositor=params.local_depositor or "",
            keys=[key for key in keys if key.address in wanted],
            quorum=params.oracle.quorum,
        )


class World:
    """Sends transactions for people, reads contracts, keeps the time of both layers."""

    def __init__(self, setting: Setting, rules: Rules | None = None) -> None:
        self.setting = setting
        self.web3 = setting.web3
        self.node = setting.node
        self.people: dict[str, Person] = {}
        self.vault = self.contract("StakingVault")
        self.token = self.contract("StakedEther")
        self.queue = self.contract("WithdrawalQueue")
        self.oracle = self.contract("ReportOracle")
        self.splitter = self.contract("FeeSplitter")
        self.gateway = self.contract("WithdrawalGateway", "WithdrawalGatewayProxy")
        self.rewards = to_checksum_address(setting.addresses["RewardsVault"])
        self.cover = to_checksum_address(setting.addresses["CoverFund"])
        self.layer = StandIn(
            setting.node,
            deposit_contract=setting.deposit_contract,
            spec=ChainSpec(Timestamp(setting.genesis_time), setting.seconds_per_slot),
            frames=Frames(Slot(0), setting.frame_slots),
            rules=rules or Rules(),
            first_block=get_block(setting.node).number,
        )

    def contract(self, name: str, at: str | None = None) -> Contract:
        address = to_checksum_address(self.setting.addresses[at or name])
        return self.web3.eth.contract(address=address, abi=self.setting.abis[name])

    @cached_property
    def contracts(self) -> Contracts:
        return find_contracts(self.node, self.oracle.address)

    # --- People ---

    def person(self, name: str, funds: Wei) -> Person:
        """A new person with ether; before the books are opened."""
        address = to_checksum_address(keccak(text=f"sluice demo: {name}")[12:])
        self.node.request("anvil_setBalance", address, hex(funds))
        self.node.request("anvil_impersonateAccount", address)
        self.people[name] = Person(name, address)
        return self.people[name]

    # --- Transactions ---

    def transact(self, sender: str, function: ContractFunction, value: Wei = NO_WEI) -> TxReceipt:
        """Send and require success."""
        receipt = self._send(sender, function, value)
        if receipt["status"] != 1:
            reason = self._reason(sender, function, value)
            raise RefusedError(f"{function.fn_name} by {sender} reverted: {reason.hex()}")
        return receipt

    def by(self, person: Person, function: ContractFunction, value: Wei = NO_WEI) -> TxReceipt:
        receipt = self.transact(person.address, function, value)
        person.gas = Wei(person.gas + receipt["gasUsed"] * receipt["effectiveGasPrice"])
        return receipt

    def refused(self, person: Person, function: ContractFunction, value: Wei = NO_WEI) -> bytes:
        """Send what must revert; returns the selector of the error."""
        receipt = self._send(person.address, function, value)
        person.gas = Wei(person.gas + receipt["gasUsed"] * receipt["effectiveGasPrice"])
        if receipt["status"] == 1:
            raise RefusedError(f"{function.fn_name} by {person.name} went through, but must not")
        return self._reason(person.address, function, value)[:4]

    def buy(self, sender: Person, receiver: Person, amount: Wei) -> None:
        """Ether from person to person, for something bought outside the protocol."""
        sender.gas = Wei(sender.gas + pay(self.node, sender.address, receiver.address, amount))
        sender.bought = Wei(sender.bought + amount)
        receiver.sold = Wei(receiver.sold + amount)
        sender.flows.append((self.now, -amount))
        receiver.flows.append((self.now, amount))

    def _send(self, sender: str, function: ContractFunction, value: Wei) -> TxReceipt:
        tx = function.transact(_fields(sender, value))
        return self.web3.eth.wait_for_transaction_receipt(tx, poll_latency=0.01)

    def _reason(self, sender: str, function: ContractFunction, value: Wei) -> bytes:
        call = function.build_transaction(_fields(sender, value))
        answer = self.web3.provider.make_request(
            RPCEndpoint("eth_call"),
            [{key: hex(item) if isinstance(item, int) else item for key, item in call.items()}, "latest"],
        )
        error = answer.get("error")
        data = error.get("data") if isinstance(error, dict) else None
        return bytes.fromhex(str(data)[2:]) if data else b""

    # --- Time and reports ---

    @property
    def now(self) -> Timestamp:
        return get_block(self.node).timestamp

    def wait_until(self, time: Timestamp) -> None:
        if time > self.now:
            mine_at(self.node, time)

    def prepare(self) -> Prepared:
        return prepare(self.layer, self.node, self.contracts)


def _fields(sender: str, value: Wei) -> TxParams:
    return {"from": to_checksum_address(sender), "value": Web3Wei(value), "gas": GAS_LIMIT}
