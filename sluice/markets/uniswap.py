"""Uniswap v3: pools of slETH and wrapped ether. Prices are ether per slETH, whichever token comes first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

from sluice.markets.contracts import ZERO, Contract, MarketError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sluice.deploy.chain import Sender
    from sluice.markets.contracts import Chain

FEE = 500
"""Millionths of what is sold: 0.05%, the lowest tier that the factory has from the start."""
TICK_SPACING = 10
"""Of that tier: prices where a position can begin or end lie 0.1% apart."""
MIN_SQRT_PRICE = 4295128739 + 1
MAX_SQRT_PRICE = 1461446703485210103287273052203988822378723970342 - 1
_Q96 = 2**96
_MOST_128 = 2**128 - 1
_NO_DEADLINE = 2**256 - 1
_CORE = "@uniswap/v3-core"
_PERIPHERY = "@uniswap/v3-periphery"


T = TypeVar("T")


@dataclass(frozen=True)
class Position:
    """What a provider holds: a token of the position manager."""

    id: int
    liquidity: int
    sleth: int
    """Wei that went in, or that came out."""
    weth: int


@dataclass(frozen=True)
class Uniswap:
    """Factory and periphery. Nobody owns the factory: it was put there through the CREATE2 deployer."""

    chain: Chain
    factory: Contract
    positions: Contract
    router: Contract
    quoter: Contract
    weth: str

    @classmethod
    def deploy(cls, chain: Chain, sender: Sender, weth: str) -> Uniswap:
        factory = chain.deploy(sender, chain.code(_CORE, "contracts/UniswapV3Factory.sol"))
        drawing = chain.deploy(sender, chain.code(_PERIPHERY, "contracts/libraries/NFTDescriptor.sol"))
        descriptor = chain.deploy(
            sender,
            chain.code(_PERIPHERY, "contracts/NonfungibleTokenPositionDescriptor.sol"),
            {"_WETH9": weth, "_nativeCurrencyLabelBytes": b"ETH".ljust(32, b"\0")},
            {"NFTDescriptor": drawing.address},
        )
        common = {"_factory": factory.address, "_WETH9": weth}
        manager = chain.code(_PERIPHERY, "contracts/NonfungiblePositionManager.sol")
        return cls(
            chain,
            factory,
            chain.deploy(sender, manager, {**common, "_tokenDescriptor_": descriptor.address}),
            chain.deploy(sender, chain.code(_PERIPHERY, "contracts/SwapRouter.sol"), common),
            chain.deploy(sender, chain.code(_PERIPHERY, "contracts/lens/QuoterV2.sol"), common),
            weth,
        )

    @classmethod
    def at(cls, chain: Chain, weth: str, factory: str, positions: str, router: str, quoter: str) -> Uniswap:
        """One that was deployed before."""

        def bind(package: str, source: str, address: str) -> Contract:
            return chain.at(address, chain.code(package, source).abi)

        return cls(
            chain,
            bind(_CORE, "contracts/UniswapV3Factory.sol", factory),
            bind(_PERIPHERY, "contracts/NonfungiblePositionManager.sol", positions),
            bind(_PERIPHERY, "contracts/SwapRouter.sol", router),
            bind(_PERIPHERY, "contracts/lens/QuoterV2.sol", quoter),
            weth,
        )

    def pool(self, sleth: str, fee: int = FEE) -> Pool:
        """That of slETH and wrapped ether, which is there."""
        address = self.factory.read("getPool", sleth, self.weth, fee)
        if address == ZERO:
            raise MarketError(f"Uniswap has no pool of {sleth} and {self.weth} with fee {fee}.")
        code = self.chain.code(_CORE, "contracts/UniswapV3Pool.sol")
        return Pool(self, self.chain.at(address, code.abi), sleth, fee)

    def create_pool(self, sender: Sender, sleth: str, rate: int, fee: int = FEE) -> Pool:
        """With a first price of `rate`; where it is there already its price stays."""
        first, second = sorted((sleth, self.weth), key=lambda token: int(token, 16))
        price = Fraction(rate, 10**18)
        root = sqrt_price(price if first == sleth else 1 / price)
        if self.factory.read("getPool", sleth, self.weth, fee) == ZERO:
            self.positions.send(sender, "createAndInitializePoolIfNecessary", first, second, fee, root)
        return self.pool(sleth, fee)


@dataclass(frozen=True)
class Pool:
    uniswap: Uniswap
    contract: Contract
    sleth: str
    fee: int

    # --- Reading ---

    @property
    def sleth_first(self) -> bool:
        return int(self.sleth, 16) < int(self.uniswap.weth, 16)

    def price(self) -> Fraction:
        """Ether per slETH at the margin, exact; fee not counted."""
        root = int(self.contract.read("slot0")[0])
        price = Fraction(root * root, _Q96 * _Q96)
        return price if self.sleth_first else 1 / price

    def liquidity(self) -> int:
        """In range."""
        return int(self.contract.read("liquidity"))

    def reserves(self) -> tuple[int, int]:
        """All slETH and wrapped ether it holds, fees that wait included, wei."""
        chain, address = self.uniswap.chain, self.contract.address
        return chain.balance(self.sleth, address), chain.balance(self.uniswap.weth, address)

    def quote(self, sell: str, amount: int) -> int:
        """What selling `amount` of a token brings now."""
        arguments = {
            "tokenIn": sell,
            "tokenOut": self._other(sell),
            "amountIn": amount,
            "fee": self.fee,
            "sqrtPriceLimitX96": 0,
        }
        return int(self.uniswap.quoter.read("quoteExactInputSingle", arguments)[0])

    def ticks_around(self, low: Fraction, high: Fraction) -> tuple[int, int]:
        """The narrowest range of a position that holds these two prices."""
        ends = (low, high) if self.sleth_first else (1 / high, 1 / low)
        below, above = (math.log(end) / math.log(1.0001) / TICK_SPACING for end in ends)
        lower, upper = math.floor(below) * TICK_SPACING, math.ceil(above) * TICK_SPACING
        return lower, max(upper, lower + TICK_SPACING)

    def sleth_part(self, low: Fraction, high: Fraction) -> float:
        """Of what goes into a position from price `low` to `high`, the part that has to be slETH, by value at the
        pool's price. A float: ends are whole ticks anyway, and what does not fit stays with the provider.
        """
        lower, upper = (1.0001**tick for tick in self.ticks_around(low, high))
        bottom, top = (lower, upper) if self.sleth_first else (1 / upper, 1 / lower)
        price = min(max(float(self.price()), bottom), top)
        weth = math.sqrt(price) - math.sqrt(bottom)
        sleth = price * (1 / math.sqrt(price) - 1 / math.sqrt(top))
        return sleth / (sleth + weth)

    def tokens_owed(self, position: int) -> tuple[int, int]:
        """slETH and wrapped ether that :meth:`collect` would pay now, wei."""
        owner = self.uniswap.positions.read("ownerOf", position)
        found = self.uniswap.chain.call(
            self.uniswap.positions.address, self._collect_data(position, owner), sender=owner
        )
        return self._ordered(int.from_bytes(found[:32], "big"), int.from_bytes(found[32:64], "big"))

    def principal(self, position: int) -> tuple[int, int]:
        """slETH and wrapped ether that its liquidity is now, by the formula for a range, rounded down; no fees."""
        found = self.uniswap.positions.read("positions", position)
        first, second = amounts_in_range(int(found[7]), found[5], found[6], int(self.contract.read("slot0")[0]))
        return self._ordered(first, second)

    def fees_taken(self, first_block: int) -> tuple[int, int]:
        """slETH and wrapped ether that all swaps since have paid to providers, each swap's rounded down, wei."""
        swaps = self.contract.events("Swap", first_block=first_block)
        first, second = (sum(max(0, swap[f"amount{i}"]) * self.fee // 10**6 for swap in swaps) for i in (0, 1))
        return self._ordered(first, second)

    # --- Acting ---

    def provide(self, sender: Sender, sleth: int, weth: int, low: Fraction, high: Fraction) -> Position:
        """Up to these amounts of both from price `low` to `high`; what does not fit the ratio stays with the sender."""
        chain, manager = self.uniswap.chain, self.uniswap.positions
        chain.allow(sender, self.sleth, manager.address, sleth)
        chain.allow(sender, self.uniswap.weth, manager.address, weth)
        first, second = self._ordered(self.sleth, self.uniswap.weth)
        amount_first, amount_second = self._ordered(sleth, weth)
        lower, upper = self.ticks_around(low, high)
        before = self._balances(sender.address)
        arguments = {
            "token0": first,
            "token1": second,
            "fee": self.fee,
            "tickLower": lower,
            "tickUpper": upper,
            "amount0Desired": amount_first,
            "amount1Desired": amount_second,
            "amount0Min": 0,
            "amount1Min": 0,
            "recipient": sender.address,
            "deadline": _NO_DEADLINE,
        }
        manager.send(sender, "mint", arguments)
        after = self._balances(sender.address)
        last = int(manager.read("balanceOf", sender.address)) - 1
        position = int(manager.read("tokenOfOwnerByIndex", sender.address, last))
        liquidity = int(manager.read("positions", position)[7])
        return Position(position, liquidity, before[0] - after[0], before[1] - after[1])

    def swap(
        self, sender: Sender, sell: str, amount: int, *, least: int = 0, limit: Fraction | None = None
    ) -> tuple[int, int]:
        """Sell up to `amount` of a token, until the price is `limit`; what was sold and what came for it."""
        chain, router = self.uniswap.chain, self.uniswap.router
        chain.allow(sender, sell, router.address, amount)
        buy = self._other(sell)
        before = chain.balance(sell, sender.address), chain.balance(buy, sender.address)
        root = 0
        if limit is not None:
            root = min(max(sqrt_price(limit if self.sleth_first else 1 / limit), MIN_SQRT_PRICE), MAX_SQRT_PRICE)
        arguments = {
            "tokenIn": sell,
            "tokenOut": buy,
            "fee": self.fee,
            "recipient": sender.address,
            "deadline": _NO_DEADLINE,
            "amountIn": amount,
            "amountOutMinimum": least,
            "sqrtPriceLimitX96": root,
        }
        router.send(sender, "exactInputSingle", arguments)
        after = chain.balance(sell, sender.address), chain.balance(buy, sender.address)
        return before[0] - after[0], after[1] - before[1]

    def collect(self, sender: Sender, position: int) -> tuple[int, int]:
        """Fees (and what was taken out) of a position to its owner; slETH and wrapped ether, wei."""
        before = self._balances(sender.address)
        manager = self.uniswap.positions
        self.uniswap.chain.send(sender, manager.address, self._collect_data(position, sender.address), 0)
        after = self._balances(sender.address)
        return after[0] - before[0], after[1] - before[1]

    def leave(self, sender: Sender, position: int) -> tuple[int, int]:
        """Take all liquidity out and collect it with its fees; slETH and wrapped ether, wei."""
        manager = self.uniswap.positions
        liquidity = int(manager.read("positions", position)[7])
        self.uniswap.chain.send(sender, manager.address, self._decrease_data(position, liquidity), 0)
        return self.collect(sender, position)

    def held_by(self, owner: str) -> list[int]:
        """Positions of `owner` in this pool with something in them, oldest first."""
        manager, both = self.uniswap.positions, {self.sleth.lower(), self.uniswap.weth.lower()}
        found = []
        for index in range(int(manager.read("balanceOf", owner))):
            position = int(manager.read("tokenOfOwnerByIndex", owner, index))
            _, _, first, second, fee, _, _, liquidity, *_ = manager.read("positions", position)
            here = {first.lower(), second.lower()} == both and fee == self.fee
            if here and (liquidity or any(self.tokens_owed(position))):
                found.append(position)
        return sorted(found)

    def take_out(self, sender: Sender, positions: Sequence[int], part: Fraction) -> tuple[int, int]:
        """That part of their liquidity and all their fees, in one transaction; slETH and ether that came, wei.

        The manager collects to itself (the zero address), unwraps, and sends on.
        """
        manager, owner = self.uniswap.positions, sender.address
        calls = []
        for position in positions:
            liquidity = int(int(manager.read("positions", position)[7]) * part)
            if liquidity:
                calls.append(self._decrease_data(position, liquidity))
            calls.append(self._collect_data(position, ZERO))
        calls += [manager.data("unwrapWETH9", 0, owner), manager.data("sweepToken", self.sleth, 0, owner)]
        receipt = manager.send(sender, "multicall", calls)
        paid = [each for each in manager.events("Collect", first_block=receipt.block) if each["tokenId"] in positions]
        return self._ordered(sum(each["amount0"] for each in paid), sum(each["amount1"] for each in paid))

    # --- Internal ---

    def _other(self, token: str) -> str:
        return self.uniswap.weth if token.lower() == self.sleth.lower() else self.sleth

    def _ordered(self, of_sleth: T, of_weth: T) -> tuple[T, T]:
        """slETH and wrapped ether to the pool's first and second token, and back."""
        return (of_sleth, of_weth) if self.sleth_first else (of_weth, of_sleth)

    def _balances(self, account: str) -> tuple[int, int]:
        chain = self.uniswap.chain
        return chain.balance(self.sleth, account), chain.balance(self.uniswap.weth, account)

    def _decrease_data(self, position: int, liquidity: int) -> bytes:
        arguments = {
            "tokenId": position,
            "liquidity": liquidity,
            "amount0Min": 0,
            "amount1Min": 0,
            "deadline": _NO_DEADLINE,
        }
        return self.uniswap.positions.data("decreaseLiquidity", arguments)

    def _collect_data(self, position: int, recipient: str) -> bytes:
        arguments = {
            "tokenId": position,
            "recipient": recipient,
            "amount0Max": _MOST_128,
            "amount1Max": _MOST_128,
        }
        return self.uniswap.positions.data("collect", arguments)


def sqrt_price(price: Fraction) -> int:
    """Square root of the second token per first one as Uniswap writes it, in 2**-96, rounded down."""
    return math.isqrt(price.numerator * _Q96 * _Q96 // price.denominator)


def amounts_in_range(liquidity: int, lower: int, upper: int, root: int) -> tuple[int, int]:
    """First and second token of `liquidity` between two ticks where the price's square root is `root` (in 2**-96)."""
    with localcontext(prec=60):
        low, high = (Decimal("1.0001") ** (Decimal(tick) / 2) * _Q96 for tick in (lower, upper))
        here = min(max(Decimal(root), low), high)
        first = liquidity * _Q96 * (high - here) / (high * here)
        second = liquidity * (here - low) / _Q96
        return int(first), int(second)
