"""People around a pool on the devnet who do with slETH what holders do: provide, lend, borrow, trade, farm, leave.

Every amount is wei. Each person keeps a ledger of what went in and what came out, by what it was for.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from eth_account import Account
from web3.logs import DISCARD

from sluice.demo.site import SECONDS_PER_SLOT, ZERO, DevnetSender, RefusedError, Site
from sluice.deploy.chain import Web3Reader
from sluice.markets.contracts import Chain, MarketError
from sluice.markets.local import Markets
from sluice.units import SECONDS_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eth_account.signers.local import LocalAccount

    from sluice.deploy.artifacts import Artifact
    from sluice.deploy.engine import Result
    from sluice.markets.uniswap import Position

MOST: Final = 2**256 - 1
FOREVER: Final = 2**48
GAS_MONEY: Final = 10**18
"""Ether that everybody gets for gas, beside what they invest."""
NEAR: Final = 1 - Fraction(1, 10**9)
"""Of a wanted price: a swap ends there but for rounding, and Uniswap refuses one that has no way to go."""


@dataclass
class Person:
    """Somebody with a key of their own."""

    name: str
    key: LocalAccount
    sender: DevnetSender
    invested: int = 0
    got: int = 0
    """Ether that came back."""
    leaving: int = 0
    """Shares that still want out."""
    requests: list[int] = field(default_factory=list)
    rests: list[int] = field(default_factory=list)
    wrapped: int = 0
    """Of what was got."""
    spent: int = 0
    """Wrapped ether, on what was bought."""
    borrowed: int = 0
    """Wrapped ether that was borrowed."""
    routes: Counter[str] = field(default_factory=Counter)
    """Worth of what left, wei, by the way it took."""

    @property
    def address(self) -> str:
        return str(self.key.address)


class Market:
    """The site's contracts and the real markets beside them."""

    def __init__(self, site: Site, markets: Markets) -> None:
        self.site = site
        self.markets = markets
        self.people: dict[str, Person] = {}

    @classmethod
    def open(cls, site: Site, result: Result, artifacts: Mapping[str, Artifact], packages: Path) -> Market:
        """Uniswap v3 and Aave v3 from their packages, in front of the pool; the deployer puts them there."""
        pool = site.pool
        sender = DevnetSender(pool.devnet, pool.devnet.accounts[0])
        chain = Chain(Web3Reader(pool.web3), packages, artifacts)
        return cls(site, Markets.deploy(chain, sender, result.registry))

    def person(self, name: str, ether: int) -> Person:
        """With a new key and ``ether`` to invest."""
        devnet = self.site.pool.devnet
        key: LocalAccount = Account.from_key(sha256(b"sluice " + name.encode()).digest())
        giver = devnet.accounts[len(self.people) % 3 + 1]
        receipt = devnet.transact(giver, key.address, b"", ether + GAS_MONEY, 21_000)
        if receipt["status"] != "0x1":
            raise RefusedError(f"{name} could not be given ether")
        person = Person(name, key, DevnetSender(devnet, key), invested=ether)
        self.people[name] = person
        return person

    # --- Reading ---

    def view(self, contract: str, name: str, *arguments: Any) -> Any:  # noqa: ANN401 - as the ABI has it
        return self.site.pool.view(contract, name, *arguments)

    def send(self, who: Person, contract: str, name: str, *arguments: Any, value: int = 0) -> dict[str, Any]:  # noqa: ANN401
        return self.site.pool.send(who.key, contract, name, *arguments, value=value)

    def shares(self, who: Person) -> int:
        return int(self.view("StakedEther", "balanceOf(address)", who.address))

    def worth(self, shares: int) -> int:
        return int(self.view("StakingVault", "convertToAssets(uint256)", shares))

    def weth(self, who: Person) -> int:
        return self.markets.chain.balance(self.markets.weth, who.address)

    @property
    def now(self) -> int:
        devnet = self.site.pool.devnet
        return int(devnet.time_of(devnet.status().head_slot))

    # --- Acting ---

    def stake(self, who: Person, assets: int) -> int:
        """The shares that came."""
        before = self.shares(who)
        self.send(who, "StakingVault", "stake(address,uint256,address)", who.address, 0, ZERO, value=assets)
        return self.shares(who) - before

    def add_liquidity(self, who: Person, assets: int, shares: int) -> int:
        """To the instant pool; the liquidity that came."""
        pool = self.site.pool.addresses["InstantPool"]
        self._allow(who, pool)
        before = int(self.view("InstantPool", "balanceOf(address)", who.address))
        self.send(
            who, "InstantPool", "addLiquidity(uint256,uint256,address,uint256)", shares, 0, who.address, FOREVER,
            value=assets,
        )  # fmt: skip
        return int(self.view("InstantPool", "balanceOf(address)", who.address)) - before

    def remove_liquidity(self, who: Person) -> None:
        """All of it; what is in the queue is claimed by :meth:`claim`."""
        liquidity = int(self.view("InstantPool", "balanceOf(address)", who.address))
        before = self.site.ether(who.key)
        receipt = self.send(
            who, "InstantPool", "removeLiquidity(uint256,uint256,uint256,address)", liquidity, 0, 0, who.address
        )
        who.got += self.site.ether(who.key) - before + _gas(receipt)
        found = self.site.pool.web3.eth.get_transaction_receipt(receipt["transactionHash"])
        removed = self.site.pool.contract("InstantPool").events.LiquidityRemoved()
        (log,) = removed.process_receipt(found, errors=DISCARD)
        if log["args"]["restShares"]:
            who.rests.append(int(log["args"]["restId"]))

    # --- What people do with slETH ---

    def provide(self, lena: Person, assets: int, staked: int) -> int:
        """Ether and slETH for the instant pool; the liquidity that came."""
        self.stake(lena, staked)
        return self.add_liquidity(lena, assets, self.shares(lena))

    def pair(self, uma: Person, staked: int, wrapped: int) -> Position:
        """slETH and wrapped ether for Uniswap v3, from 5% below the rate to 2% above."""
        self.stake(uma, staked)
        self.markets.wrap(uma.sender, wrapped)
        rate = Fraction(self.markets.rate, 10**18)
        low, high = rate * Fraction(95, 100), rate * Fraction(102, 100)
        return self.markets.pool.provide(uma.sender, self.shares(uma), wrapped, low, high)

    def lend(self, lars: Person, wrapped: int) -> None:
        """Wrapped ether on Aave v3."""
        self.markets.wrap(lars.sender, wrapped)
        self.markets.aave.supply(lars.sender, self.markets.weth, wrapped)

    def loop(self, olga: Person, assets: int, turns: int) -> float:
        """Stake, supply on Aave v3, borrow 70% of it, unwrap, and so on; the leverage in the end."""
        aave = self.markets.aave
        for turn in range(turns):
            aave.supply(olga.sender, self.markets.sleth, self.stake(olga, assets))
            if turn < turns - 1:
                assets = assets * 7 // 10
                aave.borrow(olga.sender, self.markets.weth, assets)
                olga.borrowed += assets
                self.markets.unwrap(olga.sender, assets)
        return float(aave.health(olga.address).leverage)

    def farm(self, lena: Person, club: Person, wrapped: int, days: int) -> None:
        """``club`` streams wrapped ether to who farms with the instant pool's token; ``lena`` does with all of hers."""
        addresses, chain = self.site.pool.addresses, self.markets.chain
        farm, token = addresses["Farm"], addresses["InstantPool"]
        self.markets.wrap(club.sender, wrapped)
        chain.allow(club.sender, self.markets.weth, farm, wrapped)
        start = self.now + 3 * SECONDS_PER_SLOT
        self.send(
            club, "Farm", "addStream(address,address,uint256,uint256,uint256)",
            token, self.markets.weth, wrapped, start, start + days * SECONDS_PER_DAY,
        )  # fmt: skip
        stream = int(self.view("Farm", "lastStreamId()"))
        chain.allow(lena.sender, token, farm, MOST)
        liquidity = int(self.view("InstantPool", "balanceOf(address)", lena.address))
        self.send(lena, "Farm", "stake(address,uint256,address,uint256[])", token, liquidity, lena.address, [stream])

    def arbitrage(self, arno: Person, wanted: Fraction) -> int | None:
        """Buy slETH on Uniswap while it is cheaper than ``wanted`` and hand it in; the shares, if there were any.

        What the queue has paid since buys again.
        """
        if arno.got > arno.wrapped:
            self.markets.wrap(arno.sender, arno.got - arno.wrapped)
            arno.wrapped = arno.got
        pool, weth = self.markets.pool, self.weth(arno)
        if pool.price() >= wanted * NEAR or weth < 10**18:
            return None
        sold, bought = pool.swap(arno.sender, self.markets.weth, weth, limit=wanted)
        arno.spent += sold
        if bought < 10**16:
            return None
        self.leave_by_queue(arno, bought)
        return bought

    def earned_by_arbitrage(self, arno: Person) -> int:
        """What he has and what he waits for, less what he came with."""
        return arno.got - arno.wrapped + self.weth(arno) + self.waiting(arno) - arno.invested

    def waiting(self, who: Person) -> int:
        """Worth of open requests, wei."""
        return sum(int(self.view("WithdrawalQueue", "getRequest(uint256)", each)[3]) for each in who.requests)

    # --- Leave ---

    def leave_at_once(self, who: Person, shares: int) -> int:
        """Through the instant pool; the ether that came."""
        self._allow(who, self.site.pool.addresses["InstantPool"])
        before = self.site.ether(who.key)
        receipt = self.send(
            who, "InstantPool", "sell(uint256,uint256,address,uint256)", shares, 0, who.address, FOREVER
        )
        got = self.site.ether(who.key) - before + _gas(receipt)
        who.got += got
        return got

    def leave_by_uniswap(self, who: Person, shares: int) -> int:
        """Sold for wrapped ether, which is unwrapped."""
        _, got = self.markets.pool.swap(who.sender, self.markets.sleth, shares)
        self.markets.unwrap(who.sender, got)
        who.got += got
        return got

    def leave_by_queue(self, who: Person, shares: int) -> int:
        """The id of the request."""
        self.send(who, "WithdrawalQueue", "request(uint256,address)", shares, who.address)
        who.requests.append(int(self.view("WithdrawalQueue", "lastRequestId()")))
        return who.requests[-1]

    def claim(self, who: Person) -> int:
        """All that is ready, requests and rests; the ether that came."""
        finalised = int(self.view("WithdrawalQueue", "lastFinalizedId()"))
        before, gas = self.site.ether(who.key), 0
        for request in [each for each in who.requests if each <= finalised]:
            gas += _gas(self.send(who, "WithdrawalQueue", "claim(uint256)", request))
            who.requests.remove(request)
        for rest in list(who.rests):
            _, shares, ready = self.view("InstantPool", "restOf(uint256)", rest)
            if ready:
                gas += _gas(self.send(who, "InstantPool", "claimRest(uint256,address)", rest, who.address))
                who.rests.remove(rest)
                if ready < shares:
                    who.rests.append(rest + int(ready))
        got = self.site.ether(who.key) - before + gas
        who.got += got
        return got

    def quote_pool(self, shares: int) -> int | None:
        """What the instant pool pays; None where it pays nothing now."""
        chain, contract = self.markets.chain, self.site.pool.contract("InstantPool")
        try:
            self._require_open()
            data = bytes.fromhex(contract.encode_abi("quoteSell(uint256)", [shares])[2:])
            return int.from_bytes(chain.call(contract.address, data)[:32], "big")
        except MarketError:
            return None

    def waits_for_report(self) -> bool:
        """Whether the instant pool is closed because a slashing was proven that no report has counted."""
        try:
            self._require_open()
        except MarketError as error:
            return "SlashingPending" in str(error)
        return False

    def _require_open(self) -> None:
        contract = self.site.pool.contract("InstantPool")
        self.markets.chain.call(contract.address, bytes.fromhex(contract.encode_abi("requireOpen()", [])[2:]))

    def _allow(self, who: Person, spender: str) -> None:
        self.markets.chain.allow(who.sender, self.markets.sleth, spender, MOST // 2)


def _gas(receipt: dict[str, Any]) -> int:
    return int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
