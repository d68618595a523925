"""Every wei accounted for: what each person put in and got, and that nothing came from nowhere."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from eth_utils.address import to_checksum_address
from web3.types import BlockParams

from sluice.demo.world import Person, World
from sluice.units import SECONDS_PER_YEAR, WEI_PER_GWEI, Timestamp, Wei

STEPS = 200


class ConservationError(Exception):
    """Ether or shares are missing or came from nowhere."""


@dataclass(frozen=True)
class Account:
    """One line of the closing table, wei."""

    name: str
    put_in: Wei
    got_out: Wei
    left: Wei
    gas: Wei
    yearly: float | None
    """Yield a year, weighted by money and time; none where no ether was at work for a day."""

    @property
    def gain(self) -> int:
        return self.got_out + self.left - self.put_in


@dataclass(frozen=True)
class Check:
    """Two figures that must be equal to the wei."""

    name: str
    have: int
    want: int

    @property
    def holds(self) -> bool:
        return self.have == self.want


def require(checks: Sequence[Check]) -> None:
    """An error that names every check that does not hold."""
    wrong = [f"{check.name}: {check.have:,} instead of {check.want:,}" for check in checks if not check.holds]
    if wrong:
        raise ConservationError("; ".join(wrong))


class Books:
    """Opened before the first stake; closed at the end."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.first_block = world.web3.eth.block_number
        self.addresses = sorted(
            {
                *map(to_checksum_address, world.setting.addresses.values()),
                *(person.address for person in world.people.values()),
                *map(to_checksum_address, world.web3.eth.accounts),
                to_checksum_address(world.setting.deposit_contract),
                to_checksum_address(world.web3.eth.get_block("latest")["miner"]),
            }
        )
        self.opening = self._ether()
        self.opening_pooled = world.vault.functions.pooled().call()

    def accounts(self) -> list[Account]:
        return [self._account(person) for person in self.world.people.values()]

    def checks(self) -> list[Check]:
        """All that must hold now."""
        world = self.world
        vault = world.vault.functions
        profit, deposited, swept, _ = vault.consensus().call()
        ledger = world.layer.conservation()
        burnt = self._burnt()
        staked = self._sum("Deposit", "assets")
        redeemed = self._sum("Redeemed", "assets")
        reported = self._sum("Reported", "profit")
        supply = vault.supply().call()
        holders = self._holders()
        owed = self._owed()
        queue_ether = world.web3.eth.get_balance(world.queue.address)
        dust = queue_ether - owed
        claims = len(world.queue.events.Claimed().get_logs(from_block=self.first_block))
        pooled, buffer, outside = vault.pooled().call(), vault.buffer().call(), vault.outside().call()
        in_escrow = holders.get(world.queue.address, 0)
        return [
            Check(
                "ether everywhere = opening + withdrawn - burnt", self._ether(), self.opening + ledger.credited - burnt
            ),
            Check("validators: in + rewards - penalties - out = there", ledger.gap, 0),
            Check("paid out here = withdrawn there", ledger.credited, ledger.withdrawn * WEI_PER_GWEI),
            Check("deposit contract = deposits there", ledger.deposit_contract, ledger.deposited * WEI_PER_GWEI),
            Check("the vault's counter = deposits there", deposited, ledger.deposited),
            Check(
                "pooled = opening + staked + profit - redeemed",
                pooled,
                self.opening_pooled + staked + reported - redeemed,
            ),
            Check("pooled = buffer + outside", pooled, buffer + outside),
            Check("outside = profit + deposited - swept", outside, (profit + deposited - swept) * WEI_PER_GWEI),
            Check("ether in the vault = buffer", world.web3.eth.get_balance(world.vault.address), buffer),
            Check("shares of all holders = supply", sum(holders.values()), supply),
            Check("slETH in the queue = open requests", in_escrow, world.queue.functions.openShares().call()),
            # every claim rounds down by less than a wei, and what is rounded off stays
            Check(
                "ether in the queue = owed, and dust below a wei a claim", queue_ether, owed + min(max(dust, 0), claims)
            ),
        ]

    # --- Internal ---

    def _ether(self) -> int:
        return sum(self.world.web3.eth.get_balance(address) for address in self.addresses)

    def _burnt(self) -> int:
        """Base fees of all blocks since the books were opened."""
        eth = self.world.web3.eth
        blocks = (eth.get_block(number) for number in range(self.first_block + 1, eth.block_number + 1))
        return sum(block["gasUsed"] * block["baseFeePerGas"] for block in blocks)

    def _sum(self, event: str, argument: str) -> int:
        logs = self.world.vault.events[event]().get_logs(from_block=self.first_block + 1)
        return sum(log["args"][argument] for log in logs)

    def _holders(self) -> dict[str, int]:
        """Everybody who ever appeared in a transfer of slETH, since the first block."""
        first: BlockParams = "earliest"
        logs = self.world.token.events.Transfer().get_logs(from_block=first)
        names = {log["args"][side] for log in logs for side in ("from", "to")}
        return {name: self.world.token.functions.balanceOf(name).call() for name in names}

    def _owed(self) -> int:
        """What finalised and unclaimed requests will pay."""
        queue = self.world.queue.functions
        last = queue.lastFinalizedId().call()
        requests = (queue.getRequest(number).call() for number in range(1, last + 1))
        return sum(request[3] for request in requests if not request[5])

    def _worth(self, person: Person) -> Wei:
        """slETH and requests of a person, at the rate of the moment."""
        world = self.world
        shares = world.token.functions.balanceOf(person.address).call()
        worth = world.vault.functions.convertToAssets(shares).call()
        queue = world.queue.functions
        for number in queue.requestsOf(person.address, 0, 2**48).call():
            worth += queue.getRequest(number).call()[3]
        return Wei(worth)

    def _account(self, person: Person) -> Account:
        left = self._worth(person)
        flows = [*person.flows, (self.world.now, left)]
        return Account(
            name=person.name,
            put_in=Wei(person.staked + person.bought),
            got_out=Wei(person.claimed + person.sold),
            left=left,
            gas=person.gas,
            yearly=yearly_yield(flows),
        )


def yearly_yield(flows: Sequence[tuple[Timestamp, int]]) -> float | None:
    """The constant yearly rate at which all flows cancel out (internal rate of return), by bisection."""
    if not flows or all(amount >= 0 for _, amount in flows) or all(amount <= 0 for _, amount in flows):
        return None
    end = max(time for time, _ in flows)
    if end == min(time for time, _ in flows):
        return None

    def value(rate: float) -> float:
        return math.fsum(amount / 1e18 * (1 + rate) ** ((end - time) / SECONDS_PER_YEAR) for time, amount in flows)

    low, high = -0.999, 10.0
    if value(low) * value(high) > 0:
        return None
    rising = value(high) > value(low)
    for _ in range(STEPS):
        middle = (low + high) / 2
        if (value(middle) > 0) == rising:
            high = middle
        else:
            low = middle
    return (low + high) / 2
