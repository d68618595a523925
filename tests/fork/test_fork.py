"""The life of a stake on a fork: of a chain that holds a deployment, and of mainnet where one can be reached."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import ape
import pytest
from eth_account import Account
from web3 import Web3

from sluice.chain.node import HttpNode, get_block
from sluice.chain.standin import StandIn
from sluice.demo.books import Books, require
from sluice.demo.world import ZERO, Person, Setting, World
from sluice.deploy.chain import NodeSender, Web3Reader
from sluice.deploy.engine import Result, deploy
from sluice.deploy.params import Params, load_params
from sluice.oracle.signing import gather, sign
from sluice.units import Slot, Timestamp, Wei, ether
from tests.protocol import LOCAL_PARAMS, artifacts_of
from tests.py.anvil import DEV, running_anvil

MAINNET = "SLUICE_MAINNET_RPC"
FINALITY = 1_200


def deploy_on(node: HttpNode, params: Params, path: Path) -> Result:
    web3 = Web3(Web3.HTTPProvider(node.uri))
    result = deploy(params, artifacts_of(), Web3Reader(web3), NodeSender(web3, DEV), path)
    assert not result.differences
    return result


def world_on(node: HttpNode, result: Result) -> World:
    keys = [Account.from_key(account.private_key) for account in ape.accounts.test_accounts]
    return World(Setting.of(Web3(Web3.HTTPProvider(node.uri)), node, result, artifacts_of(), keys))


def stake(world: World, person: Person, amount: Wei) -> None:
    world.by(person, world.vault.functions.stake(person.address, 0, ZERO), value=amount)


def put_to_work(world: World, validators: int) -> None:
    items = [(bytes([index + 1]) * 48, b"\x5a" * 96, 32 * 10**9) for index in range(validators)]
    world.transact(world.setting.depositor, world.vault.functions.depositToBeacon(items))


def report_next_frame(world: World) -> int:
    """Waits for the next reference slot and lets a quorum report it; returns the profit, wei."""
    frames = world.layer.sync() // world.setting.frame_slots
    slot = world.layer.advance_to(Slot((frames + 1) * world.setting.frame_slots))
    world.wait_until(Timestamp(world.layer.spec.time_of(slot) + FINALITY))
    prepared = world.prepare()
    signed = [sign(prepared.report, world.contracts.domain, key) for key in world.setting.keys[: world.setting.quorum]]
    world.transact(DEV, world.oracle.functions.submit(prepared.report.as_tuple(), gather(signed)))
    return prepared.forecast.profit


def leave(world: World, person: Person) -> int:
    """Hand in everything; validators exit, their ether is swept, the request is finalised and claimed; wei paid."""
    shares = world.token.functions.balanceOf(person.address).call()
    world.by(person, world.queue.functions.request(shares, person.address))
    number = world.queue.functions.lastRequestId().call()
    assert world.queue.functions.finalizable().call() == 0, "no report covers the request yet"
    for validator in world.layer.validators():
        world.layer.exit(validator.pubkey)
    report_next_frame(world)
    assert world.queue.functions.finalizable().call() == 0, "the ether is not back yet"
    report_next_frame(world)
    world.transact(DEV, world.queue.functions.finalize(number))
    assets: int = world.queue.functions.getRequest(number).call()[3]
    before = world.web3.eth.get_balance(person.address)
    receipt = world.by(person, world.queue.functions.claim(number))
    paid = world.web3.eth.get_balance(person.address) - before + receipt["gasUsed"] * receipt["effectiveGasPrice"]
    assert paid == assets
    return paid


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Result, Person]]:
    """A chain with a deployment in use: 200 ether staked, four validators, two reports."""
    with running_anvil("--accounts", "30") as node:
        result = deploy_on(node, load_params(LOCAL_PARAMS), tmp_path_factory.mktemp("fork") / "upstream.json")
        world = world_on(node, result)
        person = world.person("staker", ether(250))
        stake(world, person, ether(200))
        put_to_work(world, 4)
        report_next_frame(world)
        assert report_next_frame(world) > 0
        yield world, result, person


def test_a_stake_of_the_forked_chain_is_paid_on_the_fork_and_not_upstream(
    upstream: tuple[World, Result, Person],
) -> None:
    origin, result, person = upstream
    state = origin.layer.to_json()
    head = get_block(origin.node)
    pooled = origin.vault.functions.pooled().call()
    with running_anvil("--accounts", "30", "--fork-url", origin.setting.node.uri) as node:
        fork = world_on(node, result)
        fork.layer = StandIn.from_json(state, node)
        holder = Person(person.name, person.address)
        node.request("anvil_impersonateAccount", holder.address)
        assert fork.vault.functions.pooled().call() == pooled
        assert leave(fork, holder) > ether(200)
        assert fork.token.functions.balanceOf(holder.address).call() < 10**9  # what is below a gwei stays
        assert fork.vault.functions.pooled().call() < pooled

    assert get_block(origin.node) == head
    assert origin.vault.functions.pooled().call() == pooled
    assert origin.token.functions.balanceOf(person.address).call() > ether(190)


def test_the_whole_life_on_a_fork_of_mainnet(tmp_path: Path) -> None:
    """Deploys beside the real deposit contract and WETH, then stakes, reports and leaves."""
    uri = os.environ.get(MAINNET)
    if not uri:
        pytest.skip(f"{MAINNET} names no node of mainnet; set it to an RPC address to run this")
    with running_anvil("--accounts", "30", "--fork-url", uri) as node:
        params = load_params(LOCAL_PARAMS)
        params = params.model_copy(update={"chain_id": int(node.request("eth_chainId"), 16)})
        world = world_on(node, deploy_on(node, params, tmp_path / "mainnet.json"))
        person = world.person("staker", ether(250))
        books = Books(world)
        stake(world, person, ether(200))
        put_to_work(world, 2)
        report_next_frame(world)
        assert report_next_frame(world) > 0
        assert leave(world, person) > ether(200)
        require(books.checks())
