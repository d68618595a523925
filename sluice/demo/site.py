"""A pool on a local Ethereum with both halves, its operators, and the services that run it, day by day."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.contract import Contract

from sluice.beacon.deposits import sign_deposit
from sluice.beacon.derivation import derive, signing_path
from sluice.demo.story import Moment
from sluice.deploy.artifacts import Artifact
from sluice.deploy.chain import Receipt, Web3Reader
from sluice.deploy.engine import Result, deploy
from sluice.deploy.params import Params
from sluice.devnet import Devnet, DevnetSettings
from sluice.devnet.books import Books
from sluice.keeper.daemon import KeeperDaemon, KeeperSettings
from sluice.operators import PREPARATION
from sluice.oracle.daemon import OracleDaemon, OracleSettings
from sluice.oracle.exchange import Peers
from sluice.oracle.views import Contracts, find_contracts
from sluice.units import SECONDS_PER_DAY, Slot, Wei, ether

SECONDS_PER_SLOT: Final = 1_200
"""A day has 72 slots, which are nine epochs of the minimal preset."""
FRAME: Final = SECONDS_PER_DAY // SECONDS_PER_SLOT
WAITS: Final = {"MIN_VALIDATOR_WITHDRAWABILITY_DELAY": 16, "SHARD_COMMITTEE_PERIOD": 8}
"""Epochs; on mainnet 256 each, which would be a month of this demo's days."""
MEMBER_BOND: Final = ether(5)
GAS: Final = 30_000_000
ZERO: Final = "0x" + "00" * 20
DEPLOYER, KEEPER, RICH = 0, 4, 7
"""Accounts of the devnet; the last pays the bonds of the members."""
MEMBERS: Final = range(19, 28)
"""Accounts that sign; each one's member is nine before it."""
MOST_CHORES: Final = 8


class RefusedError(Exception):
    """A transaction reverted that the story does not expect to."""


@dataclass
class Pool:
    """The contracts by name, and transactions that each get a block of their own."""

    devnet: Devnet
    web3: Web3
    addresses: Mapping[str, str]
    abis: Mapping[str, Sequence[Mapping[str, Any]]]
    contracts: Contracts
    first_block: int

    @classmethod
    def deploy(
        cls, devnet: Devnet, params: Params, artifacts: Mapping[str, Artifact], folder: Path
    ) -> tuple[Self, Result]:
        web3 = Web3(Web3.HTTPProvider(devnet.execution_url))
        first = web3.eth.block_number
        sender = DevnetSender(devnet, devnet.accounts[DEPLOYER])
        result = deploy(params, artifacts, Web3Reader(web3), sender, folder / "registry.json")
        if result.differences:
            raise RefusedError(f"the deployment is not what was planned: {result.differences}")
        addresses = result.plan.addresses
        abis = {name: artifact.abi for name, artifact in artifacts.items()}
        contracts = find_contracts(devnet.node, addresses["ReportOracle"])
        return cls(devnet, web3, addresses, abis, contracts, first), result

    def contract(self, name: str) -> Contract:
        return self.web3.eth.contract(address=to_checksum_address(self.addresses[name]), abi=self.abis[name])

    def view(self, contract: str, name: str, *arguments: Any) -> Any:  # noqa: ANN401 - as the ABI has it
        return self.contract(contract).get_function_by_signature(name)(*arguments).call()

    def send(self, sender: LocalAccount, contract: str, name: str, *arguments: Any, value: int = 0) -> dict[str, Any]:  # noqa: ANN401
        """By the function's signature; the receipt. Raises :class:`RefusedError`."""
        data = self.contract(contract).encode_abi(name, arguments)
        receipt = self.devnet.transact(sender, self.addresses[contract], bytes.fromhex(data[2:]), value, GAS)
        if receipt["status"] != "0x1":
            raise RefusedError(f"{contract}.{name} by {sender.address} reverted in block {receipt['blockNumber']}")
        return receipt

    @property
    def rate(self) -> int:
        """Wei of ether per slETH."""
        return int(self.view("StakingVault", "rate()"))


@dataclass(frozen=True)
class DevnetSender:
    """For the deployment engine."""

    devnet: Devnet
    key: LocalAccount

    @property
    def address(self) -> str:
        return str(self.key.address)

    def send(self, to: str, data: bytes, value: int) -> Receipt:
        raw = self.devnet.transact(self.key, to, data, value, GAS)
        return Receipt(
            raw["transactionHash"], int(raw["blockNumber"], 16), int(raw["gasUsed"], 16), raw["status"] == "0x1"
        )


@dataclass
class Site:
    """A pool with the services that run it, and its days. Reports, proofs, top-ups, exits and sweeps are theirs."""

    pool: Pool
    books: Books
    members: list[OracleDaemon]
    keeper: KeeperDaemon
    tell: Callable[[Moment], None] = lambda _: None
    day: int = 0
    operators: dict[str, int] = field(default_factory=dict)
    keys: dict[str, bytes] = field(default_factory=dict)
    """Public keys of validators, by operator."""

    def join(self, name: str, who: LocalAccount, bond: Wei) -> None:
        """An operator on the open terms, with a bond of slETH and a key prepared with an ether of the pool."""
        pool, devnet = self.pool, self.pool.devnet
        pool.send(who, "OperatorRegistry", "register(address)", who.address)
        self.operators[name] = int(pool.view("OperatorRegistry", "count()"))
        pool.send(who, "OperatorBonds", "depositEther(uint256)", self.operators[name], value=bond)
        secret = derive(sha256(b"sluice demo").digest(), signing_path(self.operators[name]))
        devnet.add_keys([secret])
        version = devnet.beacon.genesis().genesis_fork_version
        data = sign_deposit(secret, bytes(pool.contracts.credentials), PREPARATION, version)
        self.keys[name] = data.pubkey
        pool.send(
            who, "ValidatorManager", "prepare(uint256,bytes,bytes)",
            self.operators[name], data.pubkey, data.signature,
        )  # fmt: skip

    def slash(self, name: str) -> None:
        found = self.pool.devnet.beacon.validator(self.keys[name])
        if found is None:
            raise RefusedError(f"{name}'s validator is not on the beacon chain")
        self.pool.devnet.slash([found.index])
        self.pool.devnet.advance_block()

    def bond(self, name: str) -> int:
        return int(self.pool.view("OperatorBonds", "bondOf(uint256)", self.operators[name])[0])

    def next_frame(self) -> None:
        """To where its reference slot is final."""
        devnet = self.pool.devnet
        reference = (devnet.status().slot // FRAME + 1) * FRAME
        devnet.advance_to(reference)
        devnet.finalize(Slot(reference))

    def report(self, there: Sequence[OracleDaemon]) -> None:
        """Members read the state at the reference slot, sign, exchange signatures; one submits."""
        with self.pool.devnet.mining():
            said = [member.step() for _ in range(2) for member in there]
        if not self.pool.view("ReportOracle", "expected()")[3]:
            raise RefusedError(f"no report on day {self.day}: {'; '.join(dict.fromkeys(said))}")

    def keep(self) -> Iterator[str]:
        """The keeper, until it finds nothing more to do."""
        for _ in range(MOST_CHORES):
            with self.pool.devnet.mining():
                done = self.keeper.step()
            if done == "nothing is due":
                break
            yield done

    def ether(self, who: LocalAccount) -> int:
        return int(self.pool.web3.eth.get_balance(who.address))

    def say(self, text: str) -> None:
        self.tell(Moment(self.day, text))


def params_for(params: Params, genesis_time: int) -> Params:
    """Those of a local chain in this one's time, with bonds of members."""
    raw = params.model_dump()
    raw["oracle"] |= {"genesis_time": genesis_time, "frame": FRAME, "slot": SECONDS_PER_SLOT}
    raw["challenge"] |= {"bond": MEMBER_BOND}
    return Params.model_validate(raw)


@contextmanager
def connected(members: Sequence[OracleDaemon]) -> Iterator[None]:
    """Each with endpoints of its own; all know all."""
    with ExitStack() as stack:
        for each in members:
            stack.enter_context(each.service.serving("127.0.0.1", 0))
        for each in members:
            each.peers = Peers([f"http://127.0.0.1:{other.service.port}" for other in members if other is not each])
        yield


@contextmanager
def open_site(
    params: Params, artifacts: Mapping[str, Artifact], folder: Path, config: Mapping[str, int] | None = None
) -> Iterator[tuple[Site, Result]]:
    """The devnet, everything deployed, nine members and a keeper; all end with the block.

    ``config`` changes values of the consensus layer's configuration.
    """
    settings = DevnetSettings(seconds_per_slot=SECONDS_PER_SLOT, keep_states=4_096, config={**WAITS, **(config or {})})
    with ExitStack() as stack:
        devnet = stack.enter_context(Devnet(settings))
        devnet.advance(2)
        books = Books(devnet)
        pool, result = Pool.deploy(devnet, params_for(params, devnet.genesis_time), artifacts, folder)
        books.addresses |= {address.lower() for address in pool.addresses.values()}
        for index in MEMBERS:
            pool.send(
                devnet.accounts[RICH], "ReportChallenge", "depositEther(address)",
                devnet.accounts[index - 9].address, value=ether(6),
            )  # fmt: skip
        common: dict[str, Any] = {
            "execution_urls": (devnet.execution_url,),
            "oracle": pool.contracts.oracle,
            "first_block": pool.first_block,
            "receipt_seconds": 20.0,
        }
        members = []
        for index in MEMBERS:
            own = OracleSettings(
                **common, beacon_urls=devnet.beacon_urls, state_dir=folder / f"member-{index}", takeover_seconds=0.01
            )
            members.append(OracleDaemon.of(own, devnet.accounts[index]))
        stack.enter_context(connected(members))
        keeping = KeeperSettings(
            **common,
            beacon_urls=devnet.beacon_urls[:1],
            state_dir=folder / "keeper",
            pools=(to_checksum_address(pool.addresses["InstantPool"]),),
        )
        yield Site(pool, books, members, KeeperDaemon.of(keeping, devnet.accounts[KEEPER])), result
