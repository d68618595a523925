"""The protocol on the devnet, through the real deployment engine, and what its people do there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from eth_abi.abi import decode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3 import Web3

from sluice.beacon import proofs
from sluice.beacon.client import BeaconClient
from sluice.beacon.deposits import sign_deposit
from sluice.beacon.spec import PRESETS
from sluice.beacon.state import BeaconState, StateTree
from sluice.chain.node import NodeError
from sluice.demo.site import FRAME, SECONDS_PER_SLOT, DevnetSender, params_for
from sluice.deploy.abi import encode_call, encode_constructor, function
from sluice.deploy.artifacts import Artifact, load_artifacts
from sluice.deploy.chain import Web3Reader
from sluice.deploy.engine import Result, deploy
from sluice.deploy.params import load_params
from sluice.devnet import Devnet
from sluice.devnet.books import Books
from sluice.devnet.settings import MNEMONIC
from sluice.oracle.layer import BeaconLayer
from sluice.oracle.registry import Registry
from sluice.oracle.report import Report
from sluice.oracle.signing import gather, sign
from sluice.oracle.tree import Opening
from sluice.oracle.views import Contracts, Prepared, find_contracts, prepare
from sluice.units import Gwei
from tests.devnet.staking import Key, until

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / ".build" / "__local__.json"
WEI = 10**18
ETHER = 10**9  # gwei
GAS = 8_000_000
SLOT = SECONDS_PER_SLOT
DAY = 86_400


@cache
def account(index: int) -> LocalAccount:
    Account.enable_unaudited_hdwallet_features()
    return Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")


@cache
def artifacts() -> dict[str, Artifact]:
    return load_artifacts(MANIFEST)


class RefusedError(Exception):
    """A transaction that reverted."""

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.name, self.arguments = name, arguments
        super().__init__(f"{name}{arguments}")


@dataclass
class Protocol:
    """Contracts by name, and people by what they do."""

    devnet: Devnet
    result: Result
    contracts: Contracts
    layer: BeaconLayer
    staker: LocalAccount
    operator: LocalAccount
    stranger: LocalAccount
    keeper: LocalAccount
    governor: LocalAccount
    """Releaser, too."""
    keys: Sequence[LocalAccount]
    first: int
    """The block in which its deployment began."""
    operators: list[int] = field(default_factory=list)

    @classmethod
    def deploy(cls, devnet: Devnet, folder: Path, books: Books | None = None, **validators: Any) -> Protocol:
        """With the local parameters, those of ``validators`` changed."""
        params = params_for(load_params(ROOT / "deployments" / "params" / "local.yaml"), devnet.genesis_time)
        params = params.model_copy(update={"validators": params.validators.model_copy(update=validators)})
        reader = Web3Reader(Web3(Web3.HTTPProvider(devnet.execution_url)))
        first = int(devnet.node.request("eth_blockNumber"), 16)
        result = deploy(params, artifacts(), reader, DevnetSender(devnet, account(0)), folder / "registry.json")
        assert not result.differences, result.differences
        addresses = result.plan.addresses
        if books is not None:
            books.addresses |= {address.lower() for address in addresses.values()}
        contracts = find_contracts(devnet.node, addresses["ReportOracle"])
        layer = BeaconLayer(
            [BeaconClient(url) for url in devnet.beacon_urls],
            [devnet.node],
            vault=contracts.vault,
            gateway=contracts.gateway,
            manager=addresses["ValidatorManager"],
            first_block=first,
            folder=folder / "oracle",
        )
        made = cls(
            devnet,
            result,
            contracts,
            layer,
            staker=account(7),
            operator=account(8),
            stranger=account(9),
            keeper=account(4),
            governor=account(2),
            keys=[account(index) for index in range(19, 28)],
            first=first,
        )
        made.send(made.staker, "StakingVault", "stake", made.staker.address, 0, "0x" + "00" * 20, value=5_000 * WEI)
        for member in range(10, 19):
            made.send(made.staker, "ReportChallenge", "depositEther", account(member).address, value=6 * WEI)
        return made

    # --- Calls ---

    def abi(self, contract: str) -> Any:
        return artifacts()["WithdrawalGateway" if contract == "WithdrawalGatewayProxy" else contract].abi

    def send(self, sender: LocalAccount, contract: str, name: str, *arguments: Any, value: int = 0) -> dict[str, Any]:
        """Raises :class:`RefusedError` with the error's name where it reverts."""
        data = encode_call(function(self.abi(contract), name), arguments)
        address = self.result.plan.addresses[contract]
        self.simulate(sender, address, data, value)
        receipt = self.devnet.transact(sender, address, data, value, GAS)
        assert receipt["status"] == "0x1", f"{contract}.{name} failed in its block"
        return receipt

    def create(self, who: LocalAccount, contract: str, arguments: dict[str, Any]) -> str:
        """One that is not of the deployment."""
        artifact = artifacts()[contract]
        data = artifact.creation + encode_constructor(artifact.abi, arguments, contract)
        sent = self.devnet.send(who, None, data=data, gas=GAS)
        self.devnet.advance_block()
        self.result.plan.addresses[contract] = to_checksum_address(self.devnet.receipt(sent)["contractAddress"])
        return self.result.plan.addresses[contract]

    def schedule(self, who: LocalAccount, contract: str, name: str, *arguments: Any) -> None:
        """``who`` can send it when its role's delay is over."""
        data = encode_call(function(self.abi(contract), name), arguments)
        self.send(who, "ProtocolAccessManager", "schedule", self.result.plan.addresses[contract], data, 0)

    def simulate(self, sender: LocalAccount, to: str, data: bytes, value: int = 0) -> None:
        request = {"from": sender.address, "to": to, "data": "0x" + data.hex(), "value": hex(value)}
        try:
            self.devnet.node.request("eth_call", request, "latest")
        except NodeError as error:
            refused = error
        else:
            return
        for artifact in artifacts().values():
            for entry in artifact.abi:
                if entry["type"] != "error":
                    continue
                types = [item["type"] for item in entry["inputs"]]
                if keccak(text=f"{entry['name']}({','.join(types)})")[:4] == refused.revert[:4]:
                    raise RefusedError(entry["name"], decode(types, refused.revert[4:]))
        raise RefusedError(str(refused), ())

    def view(self, contract: str, name: str, *arguments: Any) -> Any:
        entry = function(self.abi(contract), name)
        data = encode_call(entry, arguments)
        address = self.result.plan.addresses[contract]
        answer = self.devnet.node.request("eth_call", {"to": address, "data": "0x" + data.hex()}, "latest")
        found = decode([_type(item) for item in entry["outputs"]], bytes.fromhex(answer[2:]))
        return found[0] if len(found) == 1 else found

    @property
    def rate(self) -> float:
        return int(self.view("StakingVault", "totalAssets")) / int(self.view("StakingVault", "supply"))

    def worth(self, shares: int) -> int:
        """Wei, rounded down."""
        return shares * int(self.view("StakingVault", "totalAssets")) // int(self.view("StakingVault", "supply"))

    @property
    def credentials(self) -> bytes:
        return bytes(self.contracts.credentials)

    # --- Operators ---

    def register(self, who: LocalAccount, bond: int) -> int:
        """On the open terms, with a bond of so many slETH of the staker's."""
        self.send(who, "OperatorRegistry", "register", who.address)
        operator = int(self.view("OperatorRegistry", "count"))
        if bond:
            self.send(self.staker, "StakedEther", "approve", self.result.plan.addresses["OperatorBonds"], bond)
            self.send(self.staker, "OperatorBonds", "deposit", operator, bond)
        self.operators.append(operator)
        return operator

    def settle(self, operator: int, shares: int) -> None:
        """The committee proposes, nobody cancels, anybody executes."""
        reason, deadline = b"\x01" * 32, self.devnet.time_of(self.devnet.status().slot) + DAY
        digest = bytes(self.view("OperatorBonds", "settlementDigest", operator, shares, reason, deadline))
        keys = sorted(self.keys[:5], key=lambda key: int(key.address, 16))
        signatures = [bytes(key.unsafe_sign_hash(digest).signature) for key in keys]
        self.send(self.stranger, "OperatorBonds", "propose", operator, shares, reason, deadline, signatures)
        self.devnet.advance(7 * FRAME + 1)
        self.send(self.stranger, "OperatorBonds", "execute", int(self.view("OperatorBonds", "settlementCount")))

    def prepare(self, operator: int, who: LocalAccount, key: Key) -> None:
        version = self.devnet.beacon.genesis().genesis_fork_version
        data = sign_deposit(key.secret, self.credentials, Gwei(ETHER), version)
        self.send(who, "ValidatorManager", "prepare", operator, key.pubkey, data.signature)

    def appears(self, key: Key) -> int:
        """Wait until the beacon chain has it; its index."""
        until(self.devnet, lambda: self.devnet.beacon.validator(key.pubkey) is not None)
        found = self.devnet.beacon.validator(key.pubkey)
        assert found is not None
        return int(found.index)

    def state(self) -> tuple[StateTree, int]:
        """Of the newest block but one, and the timestamp of its child, which has its root."""
        devnet = self.devnet
        devnet.advance_block()
        head = devnet.beacon.header("head")
        header = devnet.beacon.header(head.parent_root)
        data, fork = devnet.beacon.state(header.slot)
        tree = StateTree()
        assert tree.load(BeaconState.decode(data, fork, PRESETS[devnet.settings.preset])) == header.state_root
        return tree, devnet.time_of(head.slot)

    def proof(self, key: Key) -> dict[str, Any]:
        """The Solidity struct ``IValidatorManager.Proof``, of this moment."""
        tree, timestamp = self.state()
        index = next(i for i in range(len(tree.state.validators)) if tree.state.validator(i).pubkey == key.pubkey)
        proof = proofs.validator_proof(tree, index)
        return as_struct(proof, timestamp)

    def prove(self, key: Key) -> None:
        self.send(self.stranger, "ValidatorManager", "prove", self.proof(key))

    def validator(self, operator: int, who: LocalAccount, name: str, topped: int = 31) -> Key:
        """Prepared, proven, topped up (ether) and active."""
        key = Key.of(name)
        self.devnet.add_keys([key.secret])
        self.prepare(operator, who, key)
        self.appears(key)
        self.prove(key)
        if topped:
            self.top_up(key, topped)
            until(self.devnet, lambda: self.status(key) == "active_ongoing")
        return key

    def top_up(self, key: Key, ether: int) -> None:
        item = {"pubkey": key.pubkey, "amount": ether * ETHER}
        self.send(self.keeper, "ValidatorManager", "stake", [item])

    def status(self, key: Key) -> str:
        found = self.devnet.beacon.validator(key.pubkey)
        return "" if found is None else found.status

    # --- Reports ---

    def next_frame(self) -> int:
        """To where the reference slot of a frame that has no report is final."""
        devnet = self.devnet
        slot = devnet.status().slot
        reference = (slot // FRAME + 1) * FRAME
        devnet.advance_to(reference)
        devnet.finalize(reference)
        return reference

    def prepared(self) -> Prepared:
        return prepare(self.layer, self.devnet.node, self.contracts)

    def signatures(self, report: Report, keys: Sequence[LocalAccount] | None = None) -> list[bytes]:
        return gather(sign(report, self.contracts.domain, key) for key in (keys or self.keys[:5]))

    def submit(self, report: Report, signatures: list[bytes] | None = None) -> dict[str, Any]:
        values = signatures or self.signatures(report)
        return self.send(self.stranger, "ReportOracle", "submit", self.struct(report), values)

    @staticmethod
    def changed(report: Report, **fields: Any) -> Report:
        return replace(report, **fields)

    def challenge(self, report: Report, signatures: list[bytes], opening: Opening, evidence: dict[str, Any]) -> None:
        """By a stranger."""
        names = ("deposits", "preparations", "position", "tag", "amount", "path")
        opened = dict(zip(names, opening.as_tuple(), strict=True))
        opened["path"] = [dict(zip(("hash", "sum", "total"), each.as_tuple(), strict=True)) for each in opening.path]
        self.send(self.stranger, "ReportChallenge", "challengeLeaf", self.struct(report), signatures, opened, evidence)

    def struct(self, report: Report) -> dict[str, Any]:
        """By the names of the Solidity struct."""
        entry = function(self.abi("ReportOracle"), "submit")
        names = [item["name"] for item in entry["inputs"][0]["components"]]
        return dict(zip(names, report.as_tuple(), strict=True))

    def keys_from(self, position: int) -> list[bytes]:
        """All proven validators in the order of forced exits."""
        block = int(self.devnet.node.request("eth_blockNumber"), 16)
        registry = Registry(self.result.plan.addresses["ValidatorManager"], self.first)
        keys = registry.at(self.devnet.node, block).pubkeys
        return [*keys[position:], *keys[:position]]

    def report(self) -> Prepared:
        """The true report of the next frame, signed by five and accepted."""
        self.next_frame()
        made = self.prepared()
        assert not made.forecast.violations, made.forecast
        self.submit(made.report)
        return made


def as_struct(proof: proofs.ValidatorProof, timestamp: int) -> dict[str, Any]:
    header, record = proof.header, proof.record
    return {
        "timestamp": timestamp,
        "header": {
            "slot": header.slot,
            "proposerIndex": header.proposer_index,
            "parentRoot": header.parent_root,
            "stateRoot": header.state_root,
            "bodyRoot": header.body_root,
        },
        "index": proof.index,
        "record": dict(
            zip(
                (
                    "pubkey",
                    "credentials",
                    "effectiveBalance",
                    "slashed",
                    "activationEligibilityEpoch",
                    "activationEpoch",
                    "exitEpoch",
                    "withdrawableEpoch",
                ),
                record.as_tuple(),
                strict=True,
            )
        ),
        "branch": list(proof.branch),
    }


def _type(item: Any) -> str:
    kind: str = item["type"]
    if kind.startswith("tuple"):
        return f"({','.join(_type(each) for each in item['components'])}){kind[5:]}"
    return kind


__all__ = ["ETHER", "FRAME", "WEI", "Protocol", "RefusedError", "account"]
