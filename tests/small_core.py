"""A core of real contracts for the tests of what stands around it: token, vault, queue and what these need.

One account is governance and oracle at once, so a test sets the rate by a report of its own, without signers. All
rewards have vested when a report returns: the rate stays where it leaves it. Runs on a node (ape) and in process.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import rlp
from ape import chain, networks
from eth_utils import keccak, to_canonical_address, to_checksum_address

ETHER = 10**18
GWEI = 10**9
DAY = 86_400
SEED = 1 * ETHER
MIN_REQUEST = ETHER // 100
VESTING = 3600
FINALIZE_WINDOW = 4 * DAY
STALE_AFTER = 5 * DAY
ZERO = "0x" + 40 * "0"


def address_of_creation(sender: str, nonce: int) -> str:
    """Where the contract that ``sender`` creates with ``nonce`` will stand."""
    return to_checksum_address(keccak(rlp.encode([to_canonical_address(sender), nonce]))[12:])


class NodeClock:
    """Time of the node that ape talks to."""

    @property
    def now(self) -> int:
        return int(chain.blocks.head.timestamp)

    def pass_time(self, seconds: int) -> None:
        chain.mine(deltatime=seconds)


@dataclass
class SmallCore:
    """The contracts, by name."""

    clock: Any
    governance: Any
    manager: Any
    token: Any
    vault: Any
    queue: Any
    gateway: Any
    rewards_vault: Any
    descriptor: Any

    @classmethod
    def deploy(
        cls,
        project: Any,
        governance: Any,
        fees: Any,
        clock: Any = None,
        *,
        deposit_contract: str = ZERO,
        validators: str = "",
    ) -> SmallCore:
        """Stakes up to 50 million ether, fee 10%, 1 hour of vesting, requests from 0.01 slETH.

        ``validators`` is who asks the gateway for exits, governance unless it is given.
        """
        manager = governance.deploy(project.ProtocolAccessManager, governance)
        descriptor = governance.deploy(project.RequestDescriptor)
        nonce = governance.nonce
        token, queue, gateway, rewards_vault, vault = (
            address_of_creation(governance.address, nonce + i) for i in range(5)
        )
        core = cls(
            clock=clock or NodeClock(),
            governance=governance,
            manager=manager,
            descriptor=descriptor,
            token=governance.deploy(project.StakedEther, vault, queue),
            queue=governance.deploy(
                project.WithdrawalQueue, token, vault, descriptor, MIN_REQUEST, FINALIZE_WINDOW, STALE_AFTER
            ),
            gateway=governance.deploy(project.WithdrawalGateway, vault, validators or governance),
            rewards_vault=governance.deploy(project.RewardsVault, vault),
            vault=governance.deploy(
                project.StakingVault,
                {
                    "authority": manager,
                    "token": token,
                    "queue": queue,
                    "gateway": gateway,
                    "rewardsVault": rewards_vault,
                    "depositContract": deposit_contract,
                    "oracle": governance,
                    "bonds": ZERO,
                    "cover": ZERO,
                    "feeRecipient": fees,
                    "fee": 1_000,
                    "minStake": 1000,
                    "vestingPeriod": VESTING,
                    "limitBurst": 50_000_000 * ETHER,
                    "limitGrowth": 0,
                    "depositors": [],
                },
                value=SEED,
            ),
        )
        assert (core.token.address, core.queue.address, core.vault.address) == (token, queue, vault)
        return core

    @property
    def total(self) -> int:
        return int(self.vault.totalAssets())

    @property
    def supply(self) -> int:
        return int(self.vault.supply())

    @property
    def rate(self) -> Fraction:
        """Wei a wei of slETH, exact."""
        return Fraction(self.total, self.supply)

    def worth(self, shares: int) -> int:
        """Rounded down."""
        return shares * self.total // self.supply

    def worth_up(self, shares: int) -> int:
        return -(-shares * self.total // self.supply)

    def stake(self, who: Any, value: int) -> int:
        """Stakes and returns the shares."""
        before = self.token.balanceOf(who)
        self.vault.stake(who, 0, ZERO, sender=who, value=value)
        return int(self.token.balanceOf(who)) - int(before)

    def earn(self, wei: int) -> None:
        """A gain on the consensus layer, of whole gwei."""
        self._report(wei // GWEI, 0)

    def lose(self, wei: int) -> None:
        """A loss on the consensus layer, of at most what was gained there."""
        self._report(-(wei // GWEI), 0)

    def tip(self, payer: Any, wei: int) -> None:
        """Ether into the rewards vault, and a report that takes it: unlike ``earn`` it can be paid out."""
        payer.transfer(self.rewards_vault, wei)
        self._report(0, wei)

    def touch(self) -> None:
        """A report without news, which covers every request made before."""
        self._report(0, 0)

    @property
    def gained(self) -> int:
        """Gwei that reports have added on the consensus layer, all together."""
        return int(self.vault.consensus()[0])

    def _report(self, gain: int, rewards: int) -> None:
        gained = self.gained + gain
        previous = self.vault.referenceTime()
        self.clock.pass_time(2)
        report = {
            "referenceTime": self.clock.now,
            "consensusBalance": gained,
            "provision": 0,
            "faults": max(0, -gain),
            "withdrawn": 0,
            "deposited": 0,
            "rewards": rewards,
        }
        self.vault.report(report, sender=self.governance)
        self.clock.pass_time(min(max(report["referenceTime"] - previous, VESTING), 30 * DAY))


def force_ether(address: Any, wei: int) -> None:
    """Ether that arrives without a call, as from a block reward."""
    provider = networks.provider
    target = str(getattr(address, "address", address))
    balance = provider.get_balance(target)
    provider.make_request("anvil_setBalance", [target, hex(balance + wei)])
