"""Deployment on a real node: complete, repeatable, resumable after every transaction, refusing what does not fit.

Most tests here run on an anvil of their own, because they need a chain on which nothing was deployed.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from eth_utils import to_checksum_address
from web3 import Web3
from web3.exceptions import Web3RPCError

from sluice.deploy.addresses import CREATE2_DEPLOYER, create3_address, salt_of
from sluice.deploy.artifacts import Artifact, load_artifacts
from sluice.deploy.chain import NodeSender, Receipt, Web3Reader
from sluice.deploy.engine import Job, Outcome, Result, Status, deploy, prepare, verify_recorded
from sluice.deploy.errors import ArgumentError, ChainError, DeploymentError, RegistryError
from sluice.deploy.params import Params, load_params
from sluice.deploy.registry import Registry
from tests.gas.table import CORE_ISSUE
from tests.protocol import LOCAL_PARAMS, Protocol
from tests.py.anvil import DEV, running_anvil

OTHER = "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720"
START = 2_000_000_000  # seconds
GAS_BOUND = 25_000_000
LOCAL_ONLY = ("WrappedEther",)


class Killed(Exception):  # noqa: N818  what a test does to a run
    """The process ended here."""


@dataclass(frozen=True)
class Fresh:
    """A chain with the deposit contract and nothing of ours. A block a second, so that runs can be compared."""

    web3: Web3
    folder: Path
    artifacts: dict[str, Artifact]
    params: Params

    @property
    def reader(self) -> Web3Reader:
        return Web3Reader(self.web3)

    @property
    def path(self) -> Path:
        return self.folder / "local.json"

    def sender(self, address: str = DEV) -> NodeSender:
        return NodeSender(self.web3, address)

    def cheat(self, method: str, *params: Any) -> Any:
        response = self.web3.provider.make_request(method, list(params))  # type: ignore[arg-type]
        assert "error" not in response, response
        return response["result"]

    def run(self, **changes: Any) -> Result:
        """`deploy` with what this chain has, or with something else in its place."""
        on_step = changes.pop("on_step", lambda _: None)
        confirm = changes.pop("confirm", lambda _: True)
        given = {
            "params": self.params,
            "artifacts": self.artifacts,
            "reader": self.reader,
            "sender": self.sender(),
            "path": self.path,
        } | changes
        return deploy(**given, on_step=on_step, confirm=confirm)

    def nonce(self) -> int:
        return self.web3.eth.get_transaction_count(to_checksum_address(DEV))

    def state(self, result: Result) -> dict[str, Any]:
        """Code, storage, nonce and ether of every contract of a deployment."""
        dump = json.loads(gzip.decompress(bytes.fromhex(self.cheat("anvil_dumpState")[2:])))
        accounts = {to_checksum_address(address): account for address, account in dump["accounts"].items()}
        return {name: accounts[address] for name, address in result.plan.addresses.items()}


@pytest.fixture(scope="module")
def artifacts() -> dict[str, Artifact]:
    return load_artifacts(Path(__file__).resolve().parents[2] / ".build" / "__local__.json")


@pytest.fixture(scope="module")
def web3() -> Iterator[Web3]:
    with running_anvil() as node:
        web3 = Web3(Web3.HTTPProvider(node.uri))
        node.request("anvil_setBlockTimestampInterval", 1)
        node.request("evm_setNextBlockTimestamp", hex(START))
        node.request("evm_mine")
        yield web3


@pytest.fixture
def fresh(web3: Web3, artifacts: dict[str, Artifact], tmp_path: Path) -> Iterator[Fresh]:
    chain = Fresh(web3, tmp_path, artifacts, load_params(LOCAL_PARAMS))
    snapshot = chain.cheat("evm_snapshot")
    yield chain
    assert chain.cheat("evm_revert", snapshot)


def changed(params: Params, section: str, **values: Any) -> Params:
    return params.model_copy(update={section: getattr(params, section).model_copy(update=values)})


# --- A whole run ---


def test_full_run_leaves_no_difference(protocol: Protocol) -> None:
    result = protocol.result
    assert result.differences == ()
    assert result.sent == len(result.plan.steps)
    assert result.registry.complete
    assert result.registry.contracts.keys() == result.plan.addresses.keys()


def test_the_core_costs_less_than_the_bound(protocol: Protocol) -> None:
    registry = protocol.result.registry
    ours = sum(registry.contracts[name].gas_used or 0 for name in CORE_ISSUE if name not in LOCAL_ONLY)
    assert 0 < ours <= GAS_BOUND
    assert registry.gas_used == registry.total_gas() > ours


def test_seed_is_staked_for_nobody(protocol: Protocol) -> None:
    seed = protocol.params.vault.seed
    assert protocol.token.totalSupply() == seed == protocol.vault.pooled()
    assert protocol.token.balanceOf(protocol.vault.SEED_HOLDER()) == seed


def test_predicted_addresses_are_those_of_the_factory(protocol: Protocol) -> None:
    import ape

    addresses, deployer = protocol.result.plan.addresses, protocol.actors.deployer
    factory = ape.project.Create3Deployer.at(addresses["Create3Deployer"])
    for name in ("StakingVault", "StakedEther", "anything else"):
        salt = salt_of(name, protocol.params.salt_namespace)
        assert factory.predict(deployer, salt) == create3_address(factory.address, deployer.address, salt)


def test_second_run_sends_nothing_and_verifies(fresh: Fresh) -> None:
    first = fresh.run()
    text, nonce = fresh.path.read_text(), fresh.nonce()
    outcomes: list[Outcome] = []

    def never(_: Job) -> bool:
        raise AssertionError("there is nothing to confirm")

    second = fresh.run(confirm=never, on_step=outcomes.append)
    assert (second.sent, second.differences) == (0, ())
    assert {outcome.status for outcome in outcomes} == {Status.RECORDED}
    assert len(second.findings) == len(first.findings) > 150
    assert fresh.path.read_text() == text
    assert fresh.nonce() == nonce


def test_run_that_is_not_confirmed_sends_and_writes_nothing(fresh: Fresh) -> None:
    shown: list[Job] = []

    def refuse(job: Job) -> bool:
        shown.append(job)
        return False

    nonce = fresh.nonce()
    with pytest.raises(DeploymentError, match="stopped before the first transaction; nothing was sent"):
        fresh.run(confirm=refuse)
    assert shown[0].todo == shown[0].plan.steps
    assert fresh.nonce() == nonce
    assert not fresh.path.exists()


def test_J6_same_parameters_on_two_fresh_chains_give_the_same_state(fresh: Fresh, artifacts: Any) -> None:
    one = fresh.run()
    state = fresh.state(one)
    with running_anvil() as node:
        second = replace(fresh, web3=Web3(Web3.HTTPProvider(node.uri)), folder=fresh.folder / "second")
        second.cheat("anvil_setBlockTimestampInterval", 1)
        second.cheat("evm_setNextBlockTimestamp", hex(START))
        second.cheat("evm_mine")
        two = second.run()
        assert two.plan.addresses == one.plan.addresses
        assert second.state(two) == state


# --- Interrupted ---


@dataclass
class Dying:
    """Sends so many transactions and is killed: before the next one, or after the last before anybody hears of it."""

    inner: NodeSender
    left: int
    after: bool

    @property
    def address(self) -> str:
        return self.inner.address

    def send(self, to: str, data: bytes, value: int) -> Receipt:
        if self.left == 0:
            raise Killed
        self.left -= 1
        receipt = self.inner.send(to, data, value)
        if self.after and self.left == 0:
            raise Killed
        return receipt


@pytest.mark.parametrize("after", [False, True], ids=["before sending", "before recording"])
def test_run_killed_at_every_transaction_ends_in_the_same_state(fresh: Fresh, after: bool) -> None:
    snapshot = fresh.cheat("evm_snapshot")
    whole = fresh.run(path=fresh.folder / "whole.json")
    expected = fresh.state(whole)
    assert fresh.cheat("evm_revert", snapshot)

    steps = len(whole.plan.steps)
    for count in range(1, steps + 1):
        dying = Dying(fresh.sender(), left=1, after=after)
        if count == steps and not after:
            break  # the last transaction of this kind of death has no next one
        with pytest.raises(Killed):
            fresh.run(sender=dying)
        recorded = Registry.read(fresh.path)
        done = len(recorded.contracts) + len(recorded.configuration) - ("ProxyAdmin" in recorded.contracts)
        assert done == (count - 1 if after else count)
        assert not recorded.complete
    last = fresh.run()
    assert last.sent == (0 if after else 1)
    assert last.differences == ()
    assert fresh.state(last) == expected
    # what nobody recorded was found again: every transaction but that of the factory, which leaves no log
    for name, record in last.registry.contracts.items():
        if name not in ("Create3Deployer", "ProxyAdmin"):
            assert record.gas_used == whole.registry.contracts[name].gas_used
            assert record.tx_hash is not None
    assert {name: record.gas_used for name, record in last.registry.configuration.items()} == {
        name: record.gas_used for name, record in whole.registry.configuration.items()
    }
    assert last.plan.addresses == whole.plan.addresses


@pytest.mark.parametrize("count", [1, 9, 18])
def test_run_without_its_record_finds_everything_on_the_chain(fresh: Fresh, count: int) -> None:
    with pytest.raises(Killed):
        fresh.run(sender=Dying(fresh.sender(), left=count, after=True))
    recorded = Registry.read(fresh.path)
    fresh.path.unlink()
    # a local chain begins with its deployment, so its genesis must be named where the record of it is lost
    params = changed(fresh.params, "oracle", genesis_time=recorded.genesis_time)
    result = fresh.run(params=params)
    assert result.sent == len(result.plan.steps) - count
    assert result.differences == ()


def test_code_of_somebody_else_at_an_address_is_refused(fresh: Fresh) -> None:
    job = prepare(fresh.params, fresh.artifacts, fresh.reader, DEV, fresh.path)
    place = job.plan.addresses["CoverFund"]
    fresh.cheat("anvil_setCode", place, "0x6001")
    nonce = fresh.nonce()
    with pytest.raises(ChainError, match=f"CoverFund: the code at {place} is not the compiled contract"):
        fresh.run()
    assert fresh.nonce() == nonce


# --- Refused ---


def test_wrong_chain_is_refused(fresh: Fresh) -> None:
    with pytest.raises(ChainError, match="the chain has id 31337, the parameters of 'local' are for 1"):
        fresh.run(params=fresh.params.model_copy(update={"chain_id": 1}))
    assert not fresh.path.exists()


def test_changed_parameters_are_refused(fresh: Fresh) -> None:
    fresh.run()
    text, nonce = fresh.path.read_text(), fresh.nonce()
    with pytest.raises(RegistryError, match="records a deployment with another hash of the parameters"):
        fresh.run(params=changed(fresh.params, "vault", fee=999))
    assert (fresh.path.read_text(), fresh.nonce()) == (text, nonce)


def test_changed_parameters_are_refused_in_an_interrupted_run(fresh: Fresh) -> None:
    with pytest.raises(Killed):
        fresh.run(sender=Dying(fresh.sender(), left=3, after=False))
    with pytest.raises(RegistryError, match="another hash of the parameters"):
        fresh.run(params=changed(fresh.params, "queue", stale_after=4 * 86_400))


def test_other_deployer_is_refused(fresh: Fresh) -> None:
    fresh.run()
    with pytest.raises(RegistryError, match=f"another deployer: {DEV}, now {OTHER}"):
        fresh.run(sender=fresh.sender(OTHER))


def test_other_bytecode_is_refused(fresh: Fresh) -> None:
    fresh.run()
    token = fresh.artifacts["StakedEther"]
    artifacts = {**fresh.artifacts, "StakedEther": replace(token, creation=token.creation + b"\x00")}
    with pytest.raises(RegistryError, match="StakedEther: the creation code is not what was recorded"):
        fresh.run(artifacts=artifacts)


def test_code_that_changed_on_the_chain_is_refused(fresh: Fresh) -> None:
    result = fresh.run()
    place = result.plan.addresses["RewardsVault"]
    fresh.cheat("anvil_setCode", place, "0x" + fresh.reader.code(place).hex() + "00")
    with pytest.raises(RegistryError, match="RewardsVault: the code on the chain is not what was recorded"):
        fresh.run()


def test_arguments_that_do_not_fit_the_abi_stop_before_the_first_transaction(fresh: Fresh) -> None:
    queue = fresh.artifacts["WithdrawalQueue"]
    abi = [
        {**entry, "inputs": entry["inputs"][:-1]} if entry["type"] == "constructor" else entry for entry in queue.abi
    ]
    nonce = fresh.nonce()
    with pytest.raises(ArgumentError, match="WithdrawalQueue: the ABI does not know staleAfter"):
        fresh.run(artifacts={**fresh.artifacts, "WithdrawalQueue": replace(queue, abi=abi)})
    assert fresh.nonce() == nonce


def test_chain_without_the_create2_deployer_is_refused(fresh: Fresh) -> None:
    fresh.cheat("anvil_setCode", CREATE2_DEPLOYER, "0x")
    with pytest.raises(ChainError, match=f"the CREATE2 deployer {CREATE2_DEPLOYER} is not on this chain"):
        fresh.run()


def test_chain_without_the_deposit_contract_is_refused(fresh: Fresh) -> None:
    fresh.cheat("anvil_setCode", fresh.params.external.deposit_contract, "0x")
    with pytest.raises(ChainError, match=r"external\.deposit_contract: there is no contract at .*install it first"):
        fresh.run()


def test_deployer_without_ether_is_refused(fresh: Fresh) -> None:
    fresh.cheat("anvil_setBalance", DEV, hex(10**18))
    with pytest.raises(ChainError, match=f"{DEV} holds {10**18} wei and needs more than {2 * 10**18} wei"):
        fresh.run()


def test_deployer_with_waiting_transactions_is_refused(fresh: Fresh) -> None:
    fresh.cheat("evm_setAutomine", False)
    try:
        fresh.web3.eth.send_transaction({"from": to_checksum_address(DEV), "to": to_checksum_address(OTHER)})
        with pytest.raises(ChainError, match="has transactions that are not in a block yet"):
            fresh.run()
    finally:
        fresh.cheat("evm_mine")
        fresh.cheat("evm_setAutomine", True)


def test_refused_transaction_names_its_step(fresh: Fresh) -> None:
    params = changed(fresh.params, "vault", fee=2_001)  # past the validation of the file: the constructor refuses it
    with pytest.raises(ChainError, match="StakingVault: the node refuses the transaction"):
        fresh.run(params=params)
    recorded = Registry.read(fresh.path)
    assert "WithdrawalQueue" in recorded.contracts
    assert "StakingVault" not in recorded.contracts


def test_failed_transaction_names_its_step(fresh: Fresh) -> None:
    @dataclass
    class Failing:
        inner: NodeSender

        @property
        def address(self) -> str:
            return self.inner.address

        def send(self, to: str, data: bytes, value: int) -> Receipt:
            return replace(self.inner.send(to, data, value), success=False)

    with pytest.raises(ChainError, match=r"Create3Deployer: transaction 0x[0-9a-f]{64} failed on the chain"):
        fresh.run(sender=Failing(fresh.sender()))


# --- A chain that is gone ---


def test_recorded_local_chain_that_is_gone_is_begun_anew(fresh: Fresh) -> None:
    snapshot = fresh.cheat("evm_snapshot")
    first = fresh.run()
    assert fresh.cheat("evm_revert", snapshot)
    job = prepare(fresh.params, fresh.artifacts, fresh.reader, DEV, fresh.path)
    assert job.restarted
    assert job.todo == job.plan.steps
    assert fresh.run().plan.addresses == first.plan.addresses


def test_recorded_public_chain_that_is_gone_is_refused(fresh: Fresh) -> None:
    public = fresh.params.model_copy(update={"local": False})
    snapshot = fresh.cheat("evm_snapshot")
    fresh.run(params=public)
    assert fresh.cheat("evm_revert", snapshot)
    with pytest.raises(RegistryError, match=r"records AsyncRedeemVault, .*WrappedEther, but the chain has no code"):
        fresh.run(params=public)


def test_verification_refuses_another_chain_and_an_unfinished_deployment(fresh: Fresh) -> None:
    with pytest.raises(Killed):
        fresh.run(sender=Dying(fresh.sender(), left=2, after=False))
    with pytest.raises(RegistryError, match="was not finished: run `ape run deploy` again"):
        verify_recorded(fresh.params, fresh.artifacts, fresh.reader, fresh.path)
    fresh.run()
    assert all(f.ok for f in verify_recorded(fresh.params, fresh.artifacts, fresh.reader, fresh.path))
    with pytest.raises(RegistryError, match="the parameters have changed since the deployment"):
        verify_recorded(changed(fresh.params, "vault", fee=1), fresh.artifacts, fresh.reader, fresh.path)
    recorded = Registry.read(fresh.path)
    recorded.genesis_hash = "0x00"
    recorded.write(fresh.path)
    with pytest.raises(ChainError, match="the chain is not the one that is recorded: run `ape run deploy` on it first"):
        verify_recorded(fresh.params, fresh.artifacts, fresh.reader, fresh.path)


# --- Reading ---


def test_logs_are_read_from_a_node_that_limits_the_range(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    result = fresh.run()
    head = fresh.web3.eth.block_number
    monkeypatch.setattr("sluice.deploy.chain.SMALLEST_RANGE", 2)
    real, asked = fresh.web3.eth.get_logs, []

    def limited(query: Any) -> Any:
        asked.append(size := query["toBlock"] - query["fromBlock"] + 1)
        if size > 4:
            raise Web3RPCError("query exceeds max block range")
        return real(query)

    monkeypatch.setattr(fresh.web3.eth, "get_logs", limited)
    access = result.plan.addresses["ProtocolAccessManager"]
    logs = fresh.reader.logs(access, 0, [])
    assert asked[0] == head + 1 > 16
    assert len(asked) > 8
    assert logs == Web3Reader(Web3(fresh.web3.provider)).logs(access, 0, [])
    assert len(logs) > 50


def test_logs_that_are_refused_for_another_reason_are_an_error(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Any) -> Any:
        raise Web3RPCError("not here")

    monkeypatch.setattr(fresh.web3.eth, "get_logs", refuse)
    with pytest.raises(Web3RPCError, match="not here"):
        fresh.reader.logs(DEV, 0, [])
