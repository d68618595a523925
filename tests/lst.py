"""Other protocols' tokens with their rate providers, for the tests of what stands on them; on a node or in process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import rlp
from eth_utils import keccak

from tests.aragon import Dao, contract_at
from tests.reverts import reverts
from tests.small_core import DAY, ETHER, ZERO

INFINITE = 2**256 - 1
LIMITS = {"maxRise": 20, "maxFall": 5, "maxAge": 3 * DAY}
ROCKET_KEY = keccak(b"contract.address" + b"rocketNetworkBalances")
ZOS_SLOT = keccak(text="org.zeppelinos.proxy.implementation")
NOBODY = "0x000000000000000000000000000000000000dEaD"
ERC1967_SLOT = (int.from_bytes(keccak(text="eip1967.proxy.implementation"), "big") - 1).to_bytes(32, "big")


class Health(IntEnum):
    """As {ILstRateProvider.Health}."""

    HEALTHY = 0
    SWITCHED_OFF = 1
    CODE_CHANGED = 2
    IMPLEMENTATION_CHANGED = 3
    PROOF_TOO_OLD = 4
    RATE_INVALID = 5
    HALTED = 6
    FELL = 7
    ROSE = 8
    SLASHING_PENDING = 9
    STALE = 10
    SOURCE_FAILED = 11


def pin(implementation: Any = ZERO, slot: bytes = bytes(32), max_proof_age: int = 0) -> dict[str, Any]:
    """An implementation that is proven, or none."""
    return {
        "probe": ZERO,
        "selector": bytes(4),
        "argument": bytes(32),
        "implementation": implementation,
        "slot": slot,
        "maxProofAge": max_proof_age,
    }


@dataclass
class Lst:
    """A token, its provider and how the test moves it."""

    token: Any
    provider: Any
    set_rate: Callable[[int], Any]
    report: Callable[[], Any]
    """A report of now, where the token tells one."""
    exact: bool = False
    """The source tells the number itself, so low and high are one."""

    def rates(self, rate: int) -> tuple[int, int]:
        return rate, rate + (not self.exact)


class Foreign:
    """Deploys them; ``who`` sends everything."""

    def __init__(self, project: Any, who: Any, manager: Any, clock: Any, limits: dict[str, int] | None = None) -> None:
        self.project, self.who, self.manager, self.clock = project, who, manager, clock
        self.limits = limits or LIMITS

    def deploy(self, name: str, *args: Any) -> Any:
        return self.who.deploy(getattr(self.project, name), *args)

    def provider(self, name: str, *args: Any) -> Any:
        return self.deploy(name, self.manager, self.limits, *args)

    def wsteth(self, rate: int) -> Lst:
        """stETH is behind Aragon's own proxy, as on mainnet."""
        dao = Dao(self.who)
        proxy = dao.install(self.deploy("StEthStandIn"))
        steth = self.at("StEthStandIn", proxy)
        steth.setPooledEther(rate, sender=self.who)
        token = self.deploy("WstEthStandIn", proxy)
        oracle = self.deploy("LidoOracleStandIn", self.clock.now % 12)

        def report() -> None:
            oracle.setRefSlot((self.clock.now - self.clock.now % 12) // 12 - 1, sender=self.who)

        report()
        provider = self.provider("WstEthRateProvider", token, oracle)
        lst = Lst(token, provider, lambda r: steth.setPooledEther(r, sender=self.who), report)
        lst.dao = dao  # type: ignore[attr-defined]
        return lst

    def reth(self, rate: int) -> Lst:
        store = self.deploy("RocketStorageStandIn")
        balances = self.deploy("RocketBalancesStandIn", store)
        store.setAddress(ROCKET_KEY, balances, sender=self.who)
        token = self.deploy("REthStandIn", store)
        balances.setBalances(self.clock.now, rate * 1000, ETHER * 1000, sender=self.who)

        def set_rate(new: int) -> None:
            balances.setBalances(balances.getBalancesTimestamp(), new * 1000, ETHER * 1000, sender=self.who)

        def report() -> None:
            total, supply = balances.getTotalETHBalance(), balances.getTotalRETHSupply()
            balances.setBalances(self.clock.now, total, supply, sender=self.who)

        provider = self.provider("REthRateProvider", token, store)
        lst = Lst(token, provider, set_rate, report)
        lst.store, lst.balances = store, balances  # type: ignore[attr-defined]
        return lst

    def cbeth(self, rate: int) -> Lst:
        """The interface of cbETH and WBETH, without what is around it on mainnet: see ``fiat_token``."""
        token = self.deploy("ExchangeRateStandIn")
        return self._exchange_rate(token, rate, pin())

    def fiat_token(self, rate: int, max_proof_age: int = 0) -> Lst:
        """cbETH or WBETH as on mainnet: centre-tokens' token behind its proxy, with the code behind it pinned.

        With an age (seconds) it is sick until ``tests.proving.prove_implementation``.
        """
        logic = self.deploy("FiatTokenStandIn")
        proxy = self.deploy("FiatTokenProxyStandIn", logic, NOBODY)
        lst = self._exchange_rate(self.at("FiatTokenStandIn", proxy), rate, pin(logic, ZOS_SLOT, max_proof_age))
        lst.logic, lst.proxy, lst.slot = logic, proxy, ZOS_SLOT  # type: ignore[attr-defined]
        return lst

    def _exchange_rate(self, token: Any, rate: int, pinned: dict[str, Any]) -> Lst:
        token.updateExchangeRate(rate, sender=self.who)
        provider = self.provider("ExchangeRateProvider", pinned, token)
        return Lst(token, provider, lambda r: token.updateExchangeRate(r, sender=self.who), lambda: None, exact=True)

    def meth(self, rate: int, block_number: Callable[[], int]) -> Lst:
        token = self.deploy("LstStandIn")
        staking = self.deploy("MEthStakingStandIn")
        staking.setRate(rate, sender=self.who)
        oracle = self.deploy("MEthOracleStandIn")

        def report() -> None:
            oracle.setEndBlock(block_number(), sender=self.who)

        report()
        provider = self.provider("MEthRateProvider", pin(), token, staking, oracle)
        lst = Lst(token, provider, lambda r: staking.setRate(r, sender=self.who), report)
        lst.oracle = oracle  # type: ignore[attr-defined]
        return lst

    def at(self, name: str, address: Any) -> Any:
        return contract_at(getattr(self.project, name), address)


def header_of(block: dict[str, Any]) -> bytes:
    """RLP of the header of a block as ``eth_getBlockByNumber`` answers it (Prague)."""

    def number(name: str) -> bytes:
        value = int(block[name], 16)
        return value.to_bytes((value.bit_length() + 7) // 8, "big")

    def raw(name: str) -> bytes:
        return bytes.fromhex(block[name].removeprefix("0x"))

    fields = [
        raw("parentHash"),
        raw("sha3Uncles"),
        raw("miner"),
        raw("stateRoot"),
        raw("transactionsRoot"),
        raw("receiptsRoot"),
        raw("logsBloom"),
        number("difficulty"),
        number("number"),
        number("gasLimit"),
        number("gasUsed"),
        number("timestamp"),
        raw("extraData"),
        raw("mixHash"),
        raw("nonce"),
        number("baseFeePerGas"),
        raw("withdrawalsRoot"),
        number("blobGasUsed"),
        number("excessBlobGas"),
        raw("parentBeaconBlockRoot"),
        raw("requestsHash"),
    ]
    encoded = rlp.encode(fields)
    assert keccak(encoded).hex() == block["hash"].removeprefix("0x")
    return bytes(encoded)


def assert_sick(lst: Lst, reason: Health) -> None:
    """By every way to ask."""
    provider = lst.provider
    assert provider.health() == reason
    assert provider.healthy() is False
    unhealthy = {"token": lst.token, "reason": reason}
    with reverts(provider.Unhealthy, **unhealthy):
        provider.requireHealthy()
    for ask in (lambda: provider.toEther(ETHER), lambda: provider.toTokens(ETHER), provider.rates):
        with reverts(provider.Unhealthy, **unhealthy):
            ask()


def record_now(lst: Lst, governance: Any) -> int:
    """A node's clock does not go back between tests, so the record of the fixture may be old. Returns its time."""
    lst.provider.accept(0, 2**256 - 1, sender=governance)
    return int(lst.provider.record()[2])


def assert_healthy(lst: Lst, rate: int) -> None:
    assert lst.provider.health() == Health.HEALTHY
    assert lst.provider.healthy() is True
    lst.provider.requireHealthy()
    assert lst.provider.rates() == lst.rates(rate)
