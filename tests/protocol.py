"""The deployed protocol as tests see it: every contract and every actor by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import ape
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance
from ape.contracts.base import ContractTransactionHandler
from ethpm_types import ContractType

from sluice.chain.system_contracts import install_system_contracts
from sluice.deploy.artifacts import Artifact
from sluice.deploy.catalog import PROXY_ADMIN_ABI
from sluice.deploy.chain import NodeSender, Web3Reader
from sluice.deploy.engine import Result, deploy
from sluice.deploy.params import Params, load_params

ROOT = Path(__file__).resolve().parent.parent
LOCAL_PARAMS = ROOT / "deployments" / "params" / "local.yaml"


def _entry(kind: str, name: str, inputs: str, outputs: str = "", mutability: str = "view") -> dict[str, Any]:
    def items(text: str) -> list[dict[str, Any]]:
        pairs = [item.split() for item in text.split(",") if item]
        return [{"type": pair[0], "name": pair[1] if len(pair) > 1 else "", "indexed": False} for pair in pairs]

    entry: dict[str, Any] = {"type": kind, "name": name, "inputs": items(inputs)}
    if kind == "function":
        entry |= {"outputs": items(outputs), "stateMutability": mutability}
    return entry


DEPOSIT_CONTRACT_ABI = [
    _entry(
        "function",
        "deposit",
        "bytes pubkey,bytes withdrawal_credentials,bytes signature,bytes32 deposit_data_root",
        mutability="payable",
    ),
    _entry("function", "get_deposit_root", "", "bytes32"),
    _entry("function", "get_deposit_count", "", "bytes"),
    _entry(
        "event",
        "DepositEvent",
        "bytes pubkey,bytes withdrawal_credentials,bytes amount,bytes signature,bytes index",
    ),
]


@dataclass(frozen=True)
class Actors:
    """Accounts of the test mnemonic by what they do; those of the roles are named in params/local.yaml."""

    deployer: AccountAPI
    admin: AccountAPI
    governor: AccountAPI
    guardian: AccountAPI
    depositor: AccountAPI
    registrar: AccountAPI
    treasury: AccountAPI
    staker: AccountAPI
    other: AccountAPI
    stranger: AccountAPI
    members: tuple[AccountAPI, ...]
    keys: tuple[AccountAPI, ...]
    """`keys[i]` signs for `members[i]`."""


@dataclass(frozen=True)
class Protocol:
    token: ContractInstance
    vault: ContractInstance
    queue: ContractInstance
    rebasing: ContractInstance
    descriptor: ContractInstance
    oracle: ContractInstance
    limits: ContractInstance
    rewards: ContractInstance
    splitter: ContractInstance
    cover: ContractInstance
    registry: ContractInstance
    bonds: ContractInstance
    proofs: ContractInstance
    manager: ContractInstance
    challenge: ContractInstance
    gateway: ContractInstance
    """The proxy, with the functions of the implementation."""
    gateway_implementation: ContractInstance
    proxy_admin: ContractInstance
    access: ContractInstance
    adapter: ContractInstance
    pool: ContractInstance
    basket: ContractInstance
    farm: ContractInstance
    feed: ContractInstance
    weth: ContractInstance
    deposit_contract: ContractInstance
    actors: Actors
    params: Params
    result: Result

    @property
    def contracts(self) -> dict[str, ContractInstance]:
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in named.items() if isinstance(value, ContractInstance)}

    # --- Governance ---

    def act(self, account: AccountAPI, function: ContractTransactionHandler, *args: Any, value: int = 0) -> ReceiptAPI:
        """Call a restricted function through the access manager; schedule it and let its delay pass if it has one."""
        target = function.contract
        data = function.encode_input(*args)
        _, delay = self.access.canCall(account, target, data[:4])
        if delay:
            self.access.schedule(target, data, 0, sender=account)
            ape.chain.mine(deltatime=delay)
        return self.access.execute(target, data, sender=account, value=value)

    def as_governor(self, function: ContractTransactionHandler, *args: Any) -> ReceiptAPI:
        """`protocol.as_governor(protocol.vault.setFee, recipient, 500)`; moves time by the governor's delay."""
        return self.act(self.actors.governor, function, *args)

    def as_registrar(self, function: ContractTransactionHandler, *args: Any) -> ReceiptAPI:
        return self.act(self.actors.registrar, function, *args)

    # --- Beyond the normal course ---

    def impersonate(self, contract: ContractInstance | str, balance: int = 10**18) -> AccountAPI:
        """An account that sends as `contract`, with ether for gas."""
        address = contract if isinstance(contract, str) else contract.address
        ape.chain.provider.make_request("anvil_setBalance", [address, hex(balance)])
        return ape.accounts.test_accounts.impersonate_account(address)  # by name it derives all others first


def artifacts_of(project: Any = None) -> dict[str, Artifact]:
    """Everything deployable of the project, compiled when it has to be."""
    contracts = (project or ape.project).load_contracts()
    return {
        name: Artifact.from_contract_type(name, container.contract_type.model_dump(mode="json", by_alias=True))
        for name, container in contracts.items()
        if container.contract_type.deployment_bytecode
    }


def actors() -> Actors:
    account = ape.accounts.test_accounts
    return Actors(
        **{
            name: account[index]
            for index, name in enumerate(
                (
                    "deployer",
                    "admin",
                    "governor",
                    "guardian",
                    "depositor",
                    "registrar",
                    "treasury",
                    "staker",
                    "other",
                    "stranger",
                )
            )
        },
        members=tuple(account[10:19]),
        keys=tuple(account[19:28]),
    )


def deploy_protocol(path: Path, params: Params | None = None) -> Protocol:
    """Deploy everything on the connected chain through the engine; the registry goes to `path`."""
    params = params or load_params(LOCAL_PARAMS)
    web3 = ape.chain.provider.web3
    install_system_contracts(web3)
    who = actors()
    result = deploy(params, artifacts_of(), Web3Reader(web3), NodeSender(web3, who.deployer.address), path)
    assert not result.differences, result.differences
    return bind(result, who)


def bind(result: Result, who: Actors) -> Protocol:
    contracts = ape.project.load_contracts()

    def at(name: str, kind: str | None = None) -> ContractInstance:
        return contracts[kind or name].at(result.plan.addresses[name], fetch_from_explorer=False, detect_proxy=False)

    def from_abi(address: str, abi: Sequence[Any]) -> ContractInstance:
        return ape.Contract(
            address,
            contract_type=ContractType(abi=list(abi), contractName=address),
            fetch_from_explorer=False,
            detect_proxy=False,
        )

    external = result.plan.params.external
    return Protocol(
        token=at("StakedEther"),
        vault=at("StakingVault"),
        queue=at("WithdrawalQueue"),
        rebasing=at("RebasingStakedEther"),
        descriptor=at("RequestDescriptor"),
        oracle=at("ReportOracle"),
        limits=at("ReportLimits"),
        rewards=at("RewardsVault"),
        splitter=at("FeeSplitter"),
        cover=at("CoverFund"),
        registry=at("OperatorRegistry"),
        bonds=at("OperatorBonds"),
        proofs=at("BeaconProofs"),
        manager=at("ValidatorManager"),
        challenge=at("ReportChallenge"),
        gateway=at("WithdrawalGatewayProxy", "WithdrawalGateway"),
        gateway_implementation=at("WithdrawalGateway"),
        proxy_admin=from_abi(result.plan.addresses["ProxyAdmin"], PROXY_ADMIN_ABI),
        access=at("ProtocolAccessManager"),
        adapter=at("AsyncRedeemVault"),
        pool=at("InstantPool"),
        basket=at("LstBasket"),
        farm=at("Farm"),
        feed=at("RateFeed"),
        weth=at("WrappedEther"),
        deposit_contract=from_abi(external.deposit_contract, DEPOSIT_CONTRACT_ABI),
        actors=who,
        params=result.plan.params,
        result=result,
    )
