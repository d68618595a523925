"""The staking vault and its token as their interfaces promise them, in exact arithmetic.

Written from the promises (``IStakingVault``, ``IStakedEther``, ``ILossCover``), not from the code that keeps them.

    total(t) = pooled - unvested(t)     rate = total / supply
    outside  = profit + deposited - swept     buffer = pooled - outside
"""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Final

from sluice.model.rounding import Outcome, Refused, Rounding
from sluice.units import BPS, SECONDS_PER_DAY, WEI_PER_GWEI

SEED_HOLDER: Final = "seed"
FEE_RECIPIENT: Final = "fees"
LIMIT_WINDOW: Final = SECONDS_PER_DAY
MAX_VESTING_PERIOD: Final = 30 * SECONDS_PER_DAY
MAX_SLASHING_WAIT: Final = 45 * SECONDS_PER_DAY
ZERO: Final = Fraction(0)


@dataclass(frozen=True)
class VaultTerms:
    """What is fixed at deployment or set by governance. Wei, seconds, basis points."""

    min_stake: int
    vesting_period: int
    fee: int
    limit_burst: int
    limit_growth: int


@dataclass(frozen=True)
class ConsensusFigures:
    """What a report says (``ConsensusReport``). Gwei but for ``rewards``, wei."""

    reference_time: int
    consensus_balance: int
    withdrawn: int
    deposited: int
    provision: int = 0
    faults: int = 0
    rewards: int = 0


@dataclass(frozen=True)
class ReportOutcome:
    """What a report did. Wei and shares; ``total`` is that before the report."""

    profit: int
    total: Fraction
    fee_assets: Fraction
    fee_shares: Outcome
    covered_by_bonds: Fraction
    covered_by_unvested: Fraction
    covered_by_cover: Fraction
    burnt: Fraction
    shared: Fraction
    pooled: Fraction
    unvested: Fraction
    supply: Fraction


@dataclass
class VaultModel:
    """State and the operations on it. ``now`` is passed in: a model has no clock."""

    terms: VaultTerms
    deployed_at: int
    seed: int
    received: int = 0  # gwei that ever came to the gateway; what bounds `withdrawn`
    rounding: Rounding = Rounding.STATED
    bonds: str | None = None
    cover: str | None = None

    pooled: Fraction = field(init=False)
    balances: dict[str, Fraction] = field(init=False)
    supply: Fraction = field(init=False)
    vesting: Fraction = field(init=False, default=ZERO)
    vesting_since: int = field(init=False, default=0)
    vesting_end: int = field(init=False, default=0)
    applied_at: int = field(init=False)
    """When the newest report was applied."""
    unrecovered: Fraction = field(init=False, default=ZERO)
    """What holders lost and later gains have not made good."""
    profit: int = field(init=False, default=0)  # gwei
    deposited: int = field(init=False, default=0)  # gwei
    swept: int = field(init=False, default=0)  # gwei
    reference_time: int = field(init=False)
    slashing_noted_at: int = field(init=False, default=0)
    slashings_since: int = field(init=False, default=0)
    paused_until: int = field(init=False, default=0)
    limit_ceiling: Fraction = field(init=False)
    limit_since: int = field(init=False)

    def __post_init__(self) -> None:
        self.pooled = Fraction(self.seed)
        self.supply = Fraction(self.seed)  # the rate starts at 1
        self.balances = {SEED_HOLDER: Fraction(self.seed)}
        self.reference_time = self.applied_at = self.deployed_at
        self.limit_since = self.deployed_at
        self.limit_ceiling = self.pooled + self.terms.limit_burst

    # --- Reading ---

    def unvested(self, now: int) -> Fraction:
        """Falls linearly to 0 at ``vesting_end``; rounded up, against nobody in particular: it lowers the rate."""
        if now >= self.vesting_end:
            return ZERO
        left = Fraction(self.vesting_end - now, self.vesting_end - self.vesting_since)
        return self.rounding.up(self.vesting * left)

    def total(self, now: int) -> Fraction:
        return self.pooled - self.unvested(now)

    def rate(self, now: int) -> Fraction:
        """Wei of ether a wei of slETH, exact."""
        return self.total(now) / self.supply

    def rate_view(self, now: int) -> int:
        """``rate()``: 1e18 = 1, rounded down."""
        return int(self.rate(now) * 10**18)

    @property
    def outside(self) -> Fraction:
        return Fraction((self.profit + self.deposited - self.swept) * WEI_PER_GWEI)

    @property
    def buffer(self) -> Fraction:
        return self.pooled - self.outside

    def balance_of(self, who: str) -> Fraction:
        return self.balances.get(who, ZERO)

    def worth(self, who: str, now: int) -> Fraction:
        return self.balance_of(who) * self.rate(now)

    def to_shares_down(self, assets: Fraction | int, now: int) -> Outcome:
        exact = Fraction(assets) / self.rate(now)
        return Outcome(exact, self.rounding.down(exact))

    def to_shares_up(self, assets: Fraction | int, now: int) -> Outcome:
        exact = Fraction(assets) / self.rate(now)
        return Outcome(exact, self.rounding.up(exact))

    def to_assets_down(self, shares: Fraction | int, now: int) -> Outcome:
        exact = Fraction(shares) * self.rate(now)
        return Outcome(exact, self.rounding.down(exact))

    def to_assets_up(self, shares: Fraction | int, now: int) -> Outcome:
        exact = Fraction(shares) * self.rate(now)
        return Outcome(exact, self.rounding.up(exact))

    def stake_limit(self, now: int) -> Fraction:
        """The room below the ceiling, which rises for a day after a report; 0 while paused."""
        return ZERO if now < self.paused_until else self._room(now)

    def _room(self, now: int) -> Fraction:
        growth = self.terms.limit_growth * min(now - self.limit_since, LIMIT_WINDOW)
        return max(ZERO, self.limit_ceiling + growth - self.pooled)

    # --- Holders ---

    def stake(self, who: str, assets: int, now: int) -> Outcome:
        """``assets * supply / total`` shares, rounded down."""
        shares = self.to_shares_down(assets, now)
        self._accept(who, Fraction(assets), shares.value, now)
        return shares

    def mint(self, who: str, shares: int, now: int) -> Outcome:
        """What ``shares`` cost: ``shares * total / supply``, rounded up."""
        assets = self.to_assets_up(shares, now)
        self._accept(who, assets.value, Fraction(shares), now)
        return assets

    def _accept(self, who: str, assets: Fraction, shares: Fraction, now: int) -> None:
        if now < self.paused_until:
            raise Refused("StakingIsPaused", until=self.paused_until)
        if assets < self.terms.min_stake:
            raise Refused("StakeBelowMinimum", given=int(assets), minimum=self.terms.min_stake)
        room = self._room(now)
        if assets > room:
            raise Refused("StakeAboveLimit", given=int(assets), available=int(room))
        self.pooled += assets
        self._mint(who, shares)

    def transfer(self, sender: str, receiver: str, shares: Fraction | int) -> None:
        balance = self.balance_of(sender)
        if balance < shares:
            raise Refused("ERC20InsufficientBalance", balance=int(balance), needed=int(shares))
        self.balances[sender] = balance - shares
        self.balances[receiver] = self.balance_of(receiver) + shares

    def redeem(self, who: str, shares: Fraction, now: int) -> Outcome:
        """Burn at the rate of the moment, rounded down; paid from the buffer."""
        assets = self.to_assets_down(shares, now)
        if assets.value > self.buffer:
            raise Refused("BufferTooLow", needed=int(assets.value), available=int(self.buffer))
        self.pooled -= assets.value
        self._burn(who, shares)
        return assets

    # --- The consensus side, gwei ---

    def deposit_to_beacon(self, amount: int, open_shares: Fraction, now: int) -> None:
        """Only what open requests leave of the buffer may go."""
        owed = self.to_assets_up(open_shares, now).value
        available = max(ZERO, self.buffer - owed)
        if amount * WEI_PER_GWEI > available:
            raise Refused("BufferTooLow", needed=amount * WEI_PER_GWEI, available=int(available))
        self.deposited += amount

    def receive_sweep(self, amount: int) -> None:
        if amount * WEI_PER_GWEI > self.outside:
            raise Refused("SweepAboveOutside", amount=amount * WEI_PER_GWEI, outside=int(self.outside))
        self.swept += amount

    def sweepable(self, gateway_balance: int) -> int:
        """What the gateway hands over of ``gateway_balance`` wei, in gwei."""
        return min(gateway_balance, int(self.outside)) // WEI_PER_GWEI

    # --- What proofs show ---

    def note_slashing(self, now: int) -> None:
        """Nothing is finalised without a report until one counts it, or for 45 days from the first not counted."""
        if not self.slashing_pending_until:
            self.slashings_since = now
        self.slashing_noted_at = now

    @property
    def slashing_pending_until(self) -> int:
        pending = self.slashing_noted_at > self.reference_time
        return self.slashings_since + MAX_SLASHING_WAIT if pending else 0

    def cancel_unvested(self, now: int) -> int:
        """Take back what is unvested, in whole gwei; returns them in wei. The rate stays, the room for stakes too."""
        room = self._room(now)
        remaining = self.unvested(now)
        amount = int(min(remaining, self.outside)) // WEI_PER_GWEI
        self.profit -= amount
        cancelled = amount * WEI_PER_GWEI
        self.pooled -= cancelled
        self.unrecovered += cancelled
        self.vesting, self.vesting_since = remaining - cancelled, now
        self.limit_ceiling, self.limit_since = self.pooled + room, now
        return cancelled

    # --- Reports ---

    def report(self, figures: ConsensusFigures, now: int) -> ReportOutcome:
        """Apply a report: the rate does not move at that second unless a loss is left uncovered."""
        elapsed = figures.reference_time - self.reference_time
        profit = self._take_over(figures, now) + figures.rewards
        room = min(self._room(now), Fraction(self.terms.limit_burst))
        unvested = before = self.unvested(now)
        total = self.pooled - unvested
        supply = self.supply
        fee_assets = ZERO
        fee_shares = Outcome(ZERO, ZERO)
        by_unvested = by_cover = shared = ZERO

        # what bonds pay vests: a loss takes it at once, else it would lift the rate with the shares burnt for it
        by_bonds, burnt = self._ask(self.bonds, Fraction(figures.faults * WEI_PER_GWEI), total, supply)
        unvested += by_bonds
        if profit >= 0:
            recovered = min(self.unrecovered, Fraction(profit))
            self.unrecovered -= recovered
            fee_assets = self.rounding.down((profit - recovered) * self.terms.fee / BPS)
            exact = fee_assets * supply / total if total else ZERO
            fee_shares = Outcome(exact, self.rounding.down(exact))
            self._mint(FEE_RECIPIENT, fee_shares.value)
            unvested += profit - fee_assets
        else:
            left = Fraction(-profit)
            from_bonds = min(by_bonds, left)
            by_unvested = min(left - from_bonds, unvested - by_bonds)
            unvested -= from_bonds + by_unvested
            left -= from_bonds + by_unvested
            by_cover, given = self._ask(self.cover, left, total, supply)
            burnt += given
            shared = left - by_cover
            self.unrecovered += by_unvested + shared
        self.pooled += profit
        self.vesting = unvested
        self.vesting_since = self.applied_at = now
        end = self.vesting_end if before else now
        if unvested > before:
            covered = min(max(elapsed, self.terms.vesting_period), MAX_VESTING_PERIOD)
            end += ceil(covered * (unvested - before) / unvested)
        self.vesting_end = end
        self.limit_ceiling = self.pooled + room
        self.limit_since = now
        return ReportOutcome(
            profit=profit,
            total=total,
            fee_assets=fee_assets,
            fee_shares=fee_shares,
            covered_by_bonds=by_bonds,
            covered_by_unvested=by_unvested,
            covered_by_cover=by_cover,
            burnt=burnt,
            shared=shared,
            pooled=self.pooled,
            unvested=unvested,
            supply=self.supply,
        )

    def _take_over(self, figures: ConsensusFigures, now: int) -> int:
        """The counters of the consensus side; returns the profit since the report before, wei."""
        if not self.reference_time < figures.reference_time <= now:
            raise Refused(
                "ReferenceTimeOutOfOrder",
                given=figures.reference_time,
                newest=self.reference_time,
                current=now,
            )
        if figures.deposited > self.deposited:
            raise Refused("DepositedAboveCounter", given=figures.deposited, counter=self.deposited)
        profit = figures.consensus_balance + figures.withdrawn - figures.provision - figures.deposited
        # a gift swept in the place of lost ether counts against the loss
        gift = max(0, self.swept - self.deposited - profit)
        if figures.withdrawn + gift > self.received:
            raise Refused("WithdrawnAboveReceived", given=figures.withdrawn + gift, received=self.received)
        profit += gift
        change = profit - self.profit
        self.profit = profit
        self.reference_time = figures.reference_time
        return change * WEI_PER_GWEI

    def _ask(self, module: str | None, loss: Fraction, total: Fraction, supply: Fraction) -> tuple[Fraction, Fraction]:
        """Shares worth ``loss`` (rounded up) from ``module``, burnt; what they cover is rounded down."""
        if module is None or loss == 0 or total == 0:
            return ZERO, ZERO
        wanted = self.rounding.up(loss * supply / total)
        given = min(wanted, self.balance_of(module))
        self._burn(module, given)
        return min(loss, self.rounding.down(given * total / supply)), given

    # --- Token ---

    def _mint(self, who: str, shares: Fraction) -> None:
        self.balances[who] = self.balance_of(who) + shares
        self.supply += shares

    def _burn(self, who: str, shares: Fraction) -> None:
        balance = self.balance_of(who)
        if balance < shares:
            raise Refused("ERC20InsufficientBalance", balance=int(balance), needed=int(shares))
        self.balances[who] = balance - shares
        self.supply -= shares
