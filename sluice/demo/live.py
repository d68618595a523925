"""A pool on a local Ethereum with both halves: its people, its operators, and the services that run it."""

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
from sluice.demo.chart import Mark, Sample
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

DAYS: Final = 12
SECONDS_PER_SLOT: Final = 1_200
"""A day has 72 slots, which are nine epochs of the minimal preset."""
FRAME: Final = SECONDS_PER_DAY // SECONDS_PER_SLOT
WAITS: Final = {"MIN_VALIDATOR_WITHDRAWABILITY_DELAY": 16, "SHARD_COMMITTEE_PERIOD": 8}
"""Epochs; on mainnet 256 each, which would be a month of this demo's days."""
MEMBER_BOND: Final = ether(5)
GAS: Final = 30_000_000
ZERO: Final = "0x" + "00" * 20
DEPLOYER, OPERATORS, KEEPER, STAKERS = 0, {"ada": 8, "bert": 9}, 4, {"small": 5, "family": 6, "fund": 7}
MEMBERS: Final = range(19, 28)
"""Accounts that sign; each one's member is nine before it."""
QUIET_DAY: Final = 5
"""No more than a quorum of the members is there."""
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
class Staker:
    key: LocalAccount
    staked: int = 0
    claimed: int = 0
    requests: list[int] = field(default_factory=list)


@dataclass
class Live:
    """The story, told day by day. Reports, proofs, top-ups, exits and sweeps are the services' own work."""

    pool: Pool
    books: Books
    members: list[OracleDaemon]
    keeper: KeeperDaemon
    tell: Callable[[Moment], None] = lambda _: None
    day: int = 0
    stakers: dict[str, Staker] = field(default_factory=dict)
    operators: dict[str, int] = field(default_factory=dict)
    keys: dict[str, bytes] = field(default_factory=dict)
    """Public keys of validators, by operator."""
    samples: list[Sample] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    slashed_rate: tuple[int, int] | None = None
    """Before and after the report that counts the slashing."""

    def play(self) -> Iterator[int]:
        """Yields after each day."""
        self._first_day()
        for day in range(1, DAYS + 1):
            self.day = day
            self._next_frame()
            self._chores()
            self._report()
            self._chores()
            if event := getattr(self, f"_day_{day}", None):
                event()
            self._sample()
            yield day
        waiting = [name for name, staker in self.stakers.items() if staker.requests]
        if waiting:
            raise RefusedError(f"not paid after {DAYS} days: {', '.join(waiting)}")
        self.books.check()

    # --- Days ---

    def _first_day(self) -> None:
        accounts = self.pool.devnet.accounts
        for name, amount in (("small", ether("0.5")), ("family", ether(250)), ("fund", ether(2_000))):
            self.stakers[name] = Staker(accounts[STAKERS[name]], staked=amount)
            self.pool.send(
                self.stakers[name].key, "StakingVault", "stake(address,uint256,address)",
                self.stakers[name].key.address, 0, ZERO, value=amount,
            )  # fmt: skip
        self._say("three people stake 2,250.5 ether")
        for name, bond in (("ada", 210), ("bert", 10)):
            self._join(name, ether(bond))
        self._say("'ada' and 'bert' become operators: a bond of slETH, and a key prepared with 1 ether of their own")
        self._sample()

    def _join(self, name: str, bond: Wei) -> None:
        pool, devnet = self.pool, self.pool.devnet
        who = devnet.accounts[OPERATORS[name]]
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

    def _day_3(self) -> None:
        self._request("small", 1, 2)
        self._say("'small' hands in half of what it has")

    def _day_5(self) -> None:
        self._request("fund", 1, 2)
        self._say("'fund' asks for half: more than the buffer, a validator must give some back", "fund asks")

    def _day_6(self) -> None:
        self._request("family", 1, 1)
        self._say("'family' leaves for good")

    def _day_7(self) -> None:
        found = self.pool.devnet.beacon.validator(self.keys["bert"])
        if found is None:
            raise RefusedError("bert's validator is not on the beacon chain")
        self.pool.devnet.slash([found.index])
        self.pool.devnet.advance_block()
        self._say("bert's validator signs two blocks for one slot and is slashed", "slashing")

    # --- What happens every day ---

    def _next_frame(self) -> None:
        """To where its reference slot is final."""
        devnet = self.pool.devnet
        reference = (devnet.status().slot // FRAME + 1) * FRAME
        devnet.advance_to(reference)
        devnet.finalize(Slot(reference))

    def _report(self) -> None:
        """Members read the state at the reference slot, sign, exchange signatures; one submits."""
        devnet = self.pool.devnet
        there = self.members[: self.members[0].committee.quorum] if self.day == QUIET_DAY else self.members
        held = self._bond("bert")
        before = self.pool.rate
        with devnet.mining():
            said = [member.step() for _ in range(2) for member in there]
        if not self.pool.view("ReportOracle", "expected()")[3]:
            raise RefusedError(f"no report on day {self.day}: {said}")
        if len(there) < len(self.members):
            self._say(f"only {len(there)} of the {len(self.members)} members are there: they are enough")
        paid = held - self._bond("bert")
        if paid > 0 and self.slashed_rate is None:
            self.slashed_rate = (before, self.pool.rate)
            self._say(f"the report counts the slashing: bert's bond pays {paid / 10**18:.4f} slETH", "bond pays")

    def _bond(self, name: str) -> int:
        return int(self.pool.view("OperatorBonds", "bondOf(uint256)", self.operators[name])[0])

    def _chores(self) -> None:
        """The keeper, until it finds nothing more to do; who can, claims."""
        with self.pool.devnet.mining():
            for _ in range(MOST_CHORES):
                done = self.keeper.step()
                if done == "nothing is due":
                    break
                self._say(f"keeper: {done.split(' (')[0]}")
        finalised = self.pool.view("WithdrawalQueue", "lastFinalizedId()")
        for name, staker in self.stakers.items():
            for number in [each for each in staker.requests if each <= finalised]:
                staker.requests.remove(number)
                before = self._ether(staker)
                receipt = self.pool.send(staker.key, "WithdrawalQueue", "claim(uint256)", number)
                gas = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
                got = self._ether(staker) - before + gas
                staker.claimed += got
                self._say(f"'{name}' claims {got / 10**18:,.4f} ether", f"{name} paid")

    def _ether(self, staker: Staker) -> int:
        return int(self.pool.web3.eth.get_balance(staker.key.address))

    def _request(self, name: str, part: int, of: int) -> None:
        staker = self.stakers[name]
        shares = self.shares(name) * part // of
        self.pool.send(staker.key, "WithdrawalQueue", "request(uint256,address)", shares, staker.key.address)
        staker.requests.append(int(self.pool.view("WithdrawalQueue", "lastRequestId()")))

    def shares(self, name: str) -> int:
        return int(self.pool.view("StakedEther", "balanceOf(address)", self.stakers[name].key.address))

    def worth(self, name: str) -> int:
        """Wei: what it holds and what it waits for."""
        waiting = sum(
            self.pool.view("WithdrawalQueue", "getRequest(uint256)", each)[3] for each in self.stakers[name].requests
        )
        return int(self.pool.view("StakingVault", "convertToAssets(uint256)", self.shares(name))) + int(waiting)

    def _say(self, text: str, mark: str = "") -> None:
        self.tell(Moment(self.day, text))
        if mark:
            self.marks.append(Mark(self.day, mark))

    def _sample(self) -> None:
        view = self.pool.view
        self.samples.append(
            Sample(
                day=self.day,
                rate=self.pool.rate,
                pooled=view("StakingVault", "pooled()"),
                buffer=view("StakingVault", "buffer()"),
                outside=view("StakingVault", "outside()"),
                waiting=view("StakingVault", "convertToAssets(uint256)", view("WithdrawalQueue", "openShares()")),
            )
        )


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
def open_live(params: Params, artifacts: Mapping[str, Artifact], folder: Path) -> Iterator[tuple[Live, Result]]:
    """The devnet, everything deployed, nine members and a keeper; all end with the block."""
    settings = DevnetSettings(seconds_per_slot=SECONDS_PER_SLOT, keep_states=4_096, config=WAITS)
    with ExitStack() as stack:
        devnet = stack.enter_context(Devnet(settings))
        devnet.advance(2)
        books = Books(devnet)
        pool, result = Pool.deploy(devnet, params_for(params, devnet.genesis_time), artifacts, folder)
        books.addresses |= {address.lower() for address in pool.addresses.values()}
        for index in MEMBERS:
            pool.send(
                devnet.accounts[STAKERS["fund"]], "ReportChallenge", "depositEther(address)",
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
        keeping = KeeperSettings(**common, beacon_urls=devnet.beacon_urls[:1], state_dir=folder / "keeper")
        yield Live(pool, books, members, KeeperDaemon.of(keeping, devnet.accounts[KEEPER])), result
