"""Aave v3: slETH as collateral at its core rate, wrapped ether to borrow. Everything is counted in wei of ether.

Aave's admin here is the account that deploys it, as a local chain has no governance; nobody else can change anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from sluice.markets.contracts import MOST, ZERO, Contract, MarketError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.deploy.chain import Receipt, Sender
    from sluice.markets.contracts import Chain, Code

RAY = 10**27
BPS = 10_000
PERCENT = RAY // 100
VARIABLE = 2
"""Aave's number of the variable rate; the stable one is not offered."""
_PACKAGE = "@aave/core-v3"
_PROTOCOL = "contracts/protocol"
_LOGIC = f"{_PROTOCOL}/libraries/logic"
_LIBRARIES = (
    "SupplyLogic",
    "BorrowLogic",
    "LiquidationLogic",
    "EModeLogic",
    "BridgeLogic",
    "ConfiguratorLogic",
    "PoolLogic",
    "FlashLoanLogic",
)


@dataclass(frozen=True)
class Listing:
    """How Aave takes one asset. Shares in basis points, interest in ray."""

    ltv: int
    """Most that can be borrowed on it."""
    threshold: int
    """Above this a position can be liquidated."""
    bonus: int
    """Of the debt it pays, what a liquidator gets, 10,000 and more."""
    feed: str | None
    """Tells its price in ether; None for wrapped ether itself, which is the unit."""
    borrowable: bool
    reserve_factor: int
    """Of the interest, what the treasury gets."""
    optimal: int = 80 * PERCENT
    """Use up to which interest rises slowly."""
    slope: int = 27 * PERCENT // 10
    """Interest at that use."""
    steep: int = 80 * PERCENT
    """What it rises by from there to full use."""

    @classmethod
    def staked_ether(cls, feed: str) -> Listing:
        """As Aave lists rETH on mainnet: 74.5% and 77% leave a fall of 3.2% (a loss far beyond any slashing there was)
        between the largest loan and a liquidation, and the bonus of 7.5% pays a liquidator who cannot sell at the rate
        but waits in the queue. It cannot be borrowed: a loan of it could only bet against the rate.
        """
        return cls(ltv=7_450, threshold=7_700, bonus=10_750, feed=feed, borrowable=False, reserve_factor=1_500)

    @classmethod
    def wrapped_ether(cls) -> Listing:
        """As Aave lists it on mainnet."""
        return cls(ltv=8_050, threshold=8_300, bonus=10_500, feed=None, borrowable=True, reserve_factor=1_500)


@dataclass(frozen=True)
class Health:
    """A position, wei of ether."""

    collateral: int
    debt: int
    available: int
    """That can still be borrowed."""
    threshold: int
    """Basis points, over all collateral."""
    factor: Fraction | None
    """Below 1 it can be liquidated; None without debt. Aave rounds it to 18 decimals."""

    @property
    def leverage(self) -> Fraction:
        """Collateral for each ether of the owner's own."""
        return Fraction(self.collateral, self.collateral - self.debt)


@dataclass(frozen=True)
class Aave:
    chain: Chain
    provider: Contract
    pool: Contract
    oracle: Contract
    data: Contract
    weth: str

    # --- Deploying ---

    @classmethod
    def deploy(
        cls, chain: Chain, sender: Sender, weth: str, listings: Mapping[str, Listing], treasury: str | None = None
    ) -> Aave:
        """A market of its own with wrapped ether as its unit. Goes on where an earlier run stopped.

        The order of the steps is Aave's: roles before the oracle, both before the pool, the pool before its assets.
        """

        def code(source: str) -> Code:
            return chain.code(_PACKAGE, source)

        libraries: dict[str, str] = {}
        for name in _LIBRARIES:
            libraries[name] = chain.deploy(sender, code(f"{_LOGIC}/{name}.sol"), libraries=libraries).address
        provider = chain.deploy(
            sender,
            code(f"{_PROTOCOL}/configuration/PoolAddressesProvider.sol"),
            {"marketId": "slETH and wrapped ether", "owner": sender.address},
        )
        if provider.read("getACLAdmin") == ZERO:
            provider.send(sender, "setACLAdmin", sender.address)
        own = {"provider": provider.address}
        roles = chain.deploy(sender, code(f"{_PROTOCOL}/configuration/ACLManager.sol"), own)
        if not roles.read("isPoolAdmin", sender.address):
            roles.send(sender, "addPoolAdmin", sender.address)
        feeds = {asset: listing.feed for asset, listing in listings.items() if listing.feed is not None}
        oracle = chain.deploy(
            sender,
            code("contracts/misc/AaveOracle.sol"),
            {
                **own,
                "assets": list(feeds),
                "sources": list(feeds.values()),
                "fallbackOracle": ZERO,
                "baseCurrency": weth,
                "baseCurrencyUnit": 10**18,
            },
        )
        data_code = code("contracts/misc/AaveProtocolDataProvider.sol")
        data = chain.deploy(sender, data_code, {"addressesProvider": provider.address})
        for get, put, address in (
            ("getACLManager", "setACLManager", roles.address),
            ("getPriceOracle", "setPriceOracle", oracle.address),
            ("getPoolDataProvider", "setPoolDataProvider", data.address),
        ):
            if int(provider.read(get), 16) != int(address, 16):
                provider.send(sender, put, address)
        pool_code = code(f"{_PROTOCOL}/pool/Pool.sol")
        if provider.read("getPool") == ZERO:
            provider.send(sender, "setPoolImpl", chain.deploy(sender, pool_code, own, libraries).address)
        configurator_code = code(f"{_PROTOCOL}/pool/PoolConfigurator.sol")
        if provider.read("getPoolConfigurator") == ZERO:
            implementation = chain.deploy(sender, configurator_code, libraries=libraries)
            provider.send(sender, "setPoolConfiguratorImpl", implementation.address)
        pool = chain.at(provider.read("getPool"), pool_code.abi)
        configurator = chain.at(provider.read("getPoolConfigurator"), configurator_code.abi)
        market = cls(chain, provider, pool, oracle, data, weth)
        market._list(sender, configurator, listings, treasury or sender.address)
        return market

    @classmethod
    def at(cls, chain: Chain, weth: str, provider: str) -> Aave:
        """One that was deployed before."""

        def bind(source: str, address: str) -> Contract:
            return chain.at(address, chain.code(_PACKAGE, source).abi)

        root = bind(f"{_PROTOCOL}/configuration/PoolAddressesProvider.sol", provider)
        return cls(
            chain,
            root,
            bind(f"{_PROTOCOL}/pool/Pool.sol", root.read("getPool")),
            bind("contracts/misc/AaveOracle.sol", root.read("getPriceOracle")),
            bind("contracts/misc/AaveProtocolDataProvider.sol", root.read("getPoolDataProvider")),
            weth,
        )

    def _list(self, sender: Sender, configurator: Contract, listings: Mapping[str, Listing], treasury: str) -> None:
        known = {int(asset, 16) for asset in self.pool.read("getReservesList")}
        new = {asset: listing for asset, listing in listings.items() if int(asset, 16) not in known}
        if new:
            kinds = ("AToken", "StableDebtToken", "VariableDebtToken")
            tokens = [self._token_code(sender, kind) for kind in kinds]
            reserves = [self._reserve(sender, asset, listing, tokens, treasury) for asset, listing in new.items()]
            configurator.send(sender, "initReserves", reserves)
        for asset, listing in listings.items():
            found = self.data.read("getReserveConfigurationData", asset)
            if tuple(found[1:4]) != (listing.ltv, listing.threshold, listing.bonus):
                terms = (listing.ltv, listing.threshold, listing.bonus)
                configurator.send(sender, "configureReserveAsCollateral", asset, *terms)
            if found[4] != listing.reserve_factor:
                configurator.send(sender, "setReserveFactor", asset, listing.reserve_factor)
            if found[6] != listing.borrowable:
                configurator.send(sender, "setReserveBorrowing", asset, listing.borrowable)

    def _token_code(self, sender: Sender, kind: str) -> str:
        code = self.chain.code(_PACKAGE, f"{_PROTOCOL}/tokenization/{kind}.sol")
        return self.chain.deploy(sender, code, {"pool": self.pool.address}).address

    def _reserve(
        self, sender: Sender, asset: str, listing: Listing, tokens: list[str], treasury: str
    ) -> dict[str, object]:
        code = self.chain.code(_PACKAGE, f"{_PROTOCOL}/pool/DefaultReserveInterestRateStrategy.sol")
        terms = {
            "provider": self.provider.address,
            "optimalUsageRatio": listing.optimal,
            "baseVariableBorrowRate": 0,
            "variableRateSlope1": listing.slope,
            "variableRateSlope2": listing.steep,
            # of the stable rate, which is not offered
            "stableRateSlope1": listing.slope,
            "stableRateSlope2": listing.steep,
            "baseStableRateOffset": PERCENT,
            "stableRateExcessOffset": 8 * PERCENT,
            "optimalStableToTotalDebtRatio": 20 * PERCENT,
        }
        interest = self.chain.deploy(sender, code, terms)
        symbol = str(self.chain.token(asset).read("symbol"))
        return {
            "aTokenImpl": tokens[0],
            "stableDebtTokenImpl": tokens[1],
            "variableDebtTokenImpl": tokens[2],
            "underlyingAssetDecimals": 18,
            "interestRateStrategyAddress": interest.address,
            "underlyingAsset": asset,
            "treasury": treasury,
            "incentivesController": ZERO,
            "aTokenName": f"Aave {symbol}",
            "aTokenSymbol": f"a{symbol}",
            "variableDebtTokenName": f"Aave variable debt {symbol}",
            "variableDebtTokenSymbol": f"variableDebt{symbol}",
            "stableDebtTokenName": f"Aave stable debt {symbol}",
            "stableDebtTokenSymbol": f"stableDebt{symbol}",
            "params": b"",
        }

    # --- Reading ---

    def price(self, asset: str) -> int:
        """Wei of ether for one whole token."""
        return int(self.oracle.read("getAssetPrice", asset))

    def health(self, account: str) -> Health:
        collateral, debt, available, threshold, _, factor = self.pool.read("getUserAccountData", account)
        return Health(collateral, debt, available, threshold, Fraction(factor, 10**18) if debt else None)

    def supplied(self, asset: str, account: str) -> int:
        """With interest, wei of the asset."""
        return self.chain.balance(self._tokens(asset)[0], account)

    def debt(self, asset: str, account: str) -> int:
        """With interest, wei of the asset."""
        return self.chain.balance(self._tokens(asset)[2], account)

    def cash(self, asset: str) -> int:
        """That can be borrowed or withdrawn, wei of the asset."""
        return self.chain.balance(asset, self._tokens(asset)[0])

    def interest(self, asset: str, taken: int = 0) -> tuple[Fraction, Fraction]:
        """What lenders get and borrowers pay a year once `taken` more (wei) is borrowed; simple interest."""
        reserve = self.data.read("getReserveData", asset)
        configuration = self.data.read("getReserveConfigurationData", asset)
        code = self.chain.code(_PACKAGE, f"{_PROTOCOL}/pool/DefaultReserveInterestRateStrategy.sol")
        strategy = self.chain.at(self.data.read("getInterestRateStrategyAddress", asset), code.abi)
        arguments = {
            "unbacked": 0,
            "liquidityAdded": 0,
            "liquidityTaken": taken,
            "totalStableDebt": 0,
            "totalVariableDebt": reserve[4] + taken,
            "averageStableBorrowRate": 0,
            "reserveFactor": configuration[4],
            "reserve": asset,
            "aToken": self._tokens(asset)[0],
        }
        lending, _, borrowing = strategy.read("calculateInterestRates", arguments)
        return Fraction(lending, RAY), Fraction(borrowing, RAY)

    def _tokens(self, asset: str) -> tuple[str, str, str]:
        """aToken, stable debt, variable debt."""
        first, second, third = self.data.read("getReserveTokensAddresses", asset)
        return first, second, third

    # --- Acting ---

    def supply(self, sender: Sender, asset: str, amount: int) -> Receipt:
        self.chain.allow(sender, asset, self.pool.address, amount)
        return self.pool.send(sender, "supply", asset, amount, sender.address, 0)

    def borrow(self, sender: Sender, asset: str, amount: int) -> Receipt:
        if amount > (cash := self.cash(asset)):
            raise MarketError(f"Aave holds {cash} wei of {asset}, less than the {amount} asked for: lend it some.")
        return self.pool.send(sender, "borrow", asset, amount, VARIABLE, 0, sender.address)

    def repay(self, sender: Sender, asset: str, amount: int = MOST) -> Receipt:
        """All of the debt where no amount is given."""
        self.chain.allow(sender, asset, self.pool.address, amount)
        return self.pool.send(sender, "repay", asset, amount, VARIABLE, sender.address)

    def withdraw(self, sender: Sender, asset: str, amount: int = MOST) -> Receipt:
        """All that is there where no amount is given."""
        return self.pool.send(sender, "withdraw", asset, amount, sender.address)

    def liquidate(
        self, sender: Sender, collateral: str, debt: str, account: str, amount: int = MOST, *, keep: bool = False
    ) -> Receipt:
        """Pay `amount` of an unhealthy account's debt, at most what Aave lets, for its collateral and the bonus.

        With `keep` the collateral stays in Aave, as the sender's.
        """
        self.chain.allow(sender, debt, self.pool.address, amount)
        return self.pool.send(sender, "liquidationCall", collateral, debt, account, amount, keep)
