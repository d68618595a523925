"""From what the two layers say to the one report that every member signs.

``build_report`` is pure: the same views give the same report, so members who read the same finalised state agree
to the bit. It never signs more than is true, and it may say less: where a gain is above what ``ReportLimits``
lets pass, ether is left for later reports. A third party's gift can so delay itself, but never block a report.
"""

from dataclasses import astuple, dataclass, fields
from typing import Final

from sluice.units import (
    BPS,
    SECONDS_PER_DAY,
    SECONDS_PER_YEAR,
    WEI_PER_GWEI,
    Gwei,
    Shares,
    Slot,
    Timestamp,
    Wei,
    gwei_to_wei,
    wei_to_gwei_down,
)

MAX_LOSS: Final = 5_000
"""Of `ReportLimits`, basis points."""
NO_GWEI: Final = Gwei(0)
UINT64_MAX: Final = 2**64 - 1
UINT96_MAX: Final = 2**96 - 1


@dataclass(frozen=True)
class Report:
    """The Solidity struct ``Report``, field by field and in its order."""

    reference_slot: Slot
    beacon_root: bytes
    balances_root: bytes
    validators: int
    consensus_balance: Gwei
    provision: Gwei
    faults: Gwei
    withdrawn: Gwei
    deposited: Gwei
    rewards: Wei

    def __post_init__(self) -> None:
        for name in ("beacon_root", "balances_root"):
            if len(getattr(self, name)) != 32:
                raise ValueError(f"{name} has {len(getattr(self, name))} bytes instead of 32")
        for spec in fields(self):
            value = getattr(self, spec.name)
            top = UINT96_MAX if spec.name == "rewards" else UINT64_MAX
            if isinstance(value, int) and not 0 <= value <= top:
                raise ValueError(f"{spec.name} = {value} does not fit the report")

    def as_tuple(self) -> tuple[int | bytes, ...]:
        """As contracts take it."""
        return astuple(self)

    def as_json(self) -> dict[str, str]:
        return {
            name: "0x" + value.hex() if isinstance(value, bytes) else str(value) for name, value in vars(self).items()
        }


@dataclass(frozen=True)
class ConsensusView:
    """Our validators at the reference slot, as the consensus layer has them. Ours: with our credentials."""

    slot: Slot
    beacon_root: bytes
    balances_root: bytes
    validators: int
    """How many were ever seen."""
    balance: Gwei
    """Their balances and pending deposits."""
    provision: Gwei
    """Expected cost of slashings under way."""
    withdrawn: Gwei
    """Ever paid to the gateway by the consensus layer."""
    deposits: Gwei
    """Ever deposited for them, by whomever."""


@dataclass(frozen=True)
class VaultView:
    """The execution side: at the block of the reference slot, and what the newest block adds to it."""

    # at the reference slot
    reference_time: Timestamp
    total: Wei
    """Pooled less unvested."""
    supply: Shares
    open_shares: Shares
    """slETH in escrow for requests not finalised."""
    deposited: Gwei
    rewards_balance: Wei
    """Of the rewards vault."""
    # of the newest report
    profit: Gwei
    previous_time: Timestamp
    validators: int
    # now
    deposited_now: Gwei
    swept_now: Gwei
    gateway_balance_now: Wei

    @property
    def elapsed(self) -> int:
        return self.reference_time - self.previous_time

    @property
    def received_now(self) -> Gwei:
        """Ether that ever came to the gateway, from whomever: the most a report may call withdrawn."""
        return Gwei(self.swept_now + wei_to_gwei_down(self.gateway_balance_now))


@dataclass(frozen=True)
class Limits:
    """The Solidity struct ``Limits``, field by field and in its order."""

    yearly_gain: int
    """Basis points of total a year."""
    loss: int
    """Basis points of total per day elapsed, at least one day's worth."""
    validators_per_day: int
    min_age: int
    max_age: int
    gain_allowance: Gwei

    def most_gain(self, total: int, elapsed: int) -> Wei:
        return Wei(total * self.yearly_gain * elapsed // (BPS * SECONDS_PER_YEAR) + self.gain_allowance * WEI_PER_GWEI)

    def most_loss(self, total: int, elapsed: int) -> Wei:
        share = min(self.loss * max(elapsed, SECONDS_PER_DAY) // SECONDS_PER_DAY, MAX_LOSS)
        return Wei(total * share // BPS)

    def most_validator_change(self, elapsed: int) -> int:
        return max(elapsed, SECONDS_PER_DAY) * self.validators_per_day // SECONDS_PER_DAY


class ReportImpossibleError(Exception):
    """What the two layers say does not fit together: nothing must be signed."""


def lowest_total(vault: VaultView) -> int:
    """The least that pooled less unvested can be when the report is applied, wei.

    Between the reference slot and the report stakes and vesting only add. Only requests that were open at the
    reference slot can be finalised before it (younger ones wait for it), at the rate of that moment, rounded down.
    """
    return vault.total * (vault.supply - vault.open_shares) // vault.supply


def build_report(consensus: ConsensusView, vault: VaultView, limits: Limits, faults: Gwei = NO_GWEI) -> Report:
    """The report for the reference slot of both views.

    A gain above the limit leaves ether behind, in this order and each as far as needed:

    1. ``rewards``: what is not taken waits in the rewards vault;
    2. ``withdrawn``: ether that came back through the gateway is counted later;
    3. ``provision``: at most what third parties have ever deposited for our validators is held back.

    What is still outside the limits after this
    is no gift: the report says it, the contract refuses it, and governance looks (`ReportLimits.release`).

    ``faults`` is what validators at fault have lost since the report before, gains of others aside.
    """
    if vault.elapsed <= 0:
        raise ReportImpossibleError(
            f"reference time {vault.reference_time} is not later than the newest report's {vault.previous_time}"
        )
    withdrawn = consensus.withdrawn
    if withdrawn > vault.received_now:
        raise ReportImpossibleError(
            f"{withdrawn} gwei withdrawn, but only {vault.received_now} gwei came to the gateway"
        )
    provision = consensus.provision
    # rewards of the consensus side since the report before, gwei
    change = consensus.balance + withdrawn - provision - vault.deposited - vault.profit
    most = limits.most_gain(lowest_total(vault), vault.elapsed)
    # not more where there is a loss: on chain, a gift swept meanwhile may count against it
    rewards = max(0, min(vault.rewards_balance, most - max(0, change) * WEI_PER_GWEI, UINT96_MAX))

    excess = max(0, change - wei_to_gwei_down(most))
    left = min(excess, withdrawn)
    withdrawn = Gwei(withdrawn - left)
    foreign = max(0, consensus.deposits - vault.deposited)
    provision = Gwei(provision + min(excess - left, foreign))

    return Report(
        reference_slot=consensus.slot,
        beacon_root=consensus.beacon_root,
        balances_root=consensus.balances_root,
        validators=consensus.validators,
        consensus_balance=consensus.balance,
        provision=provision,
        faults=faults,
        withdrawn=withdrawn,
        deposited=vault.deposited,
        rewards=Wei(rewards),
    )


@dataclass(frozen=True)
class Forecast:
    """What a report will do: its gain or loss in wei, and why it will be refused (empty: it will not)."""

    profit: int
    violations: tuple[str, ...]
    early: int = 0
    """Seconds until the reference slot is old enough."""


def forecast(report: Report, vault: VaultView, limits: Limits, now: Timestamp) -> Forecast:
    """Judge ``report`` as the vault and the limits will, on the state of ``vault``."""
    change = report.consensus_balance + report.withdrawn - report.provision - report.deposited - vault.profit
    # a gift swept in the place of lost ether counts against the loss
    change += max(0, vault.swept_now - vault.deposited_now - vault.profit - change)
    profit = gwei_to_wei(Gwei(change)) + report.rewards
    age = now - vault.reference_time
    count = abs(report.validators - vault.validators)
    most_gain = limits.most_gain(lowest_total(vault), vault.elapsed)
    most_loss = limits.most_loss(lowest_total(vault), vault.elapsed)
    most_count = limits.most_validator_change(vault.elapsed)
    checks = {
        f"ReferenceTooRecent({age}, {limits.min_age})": age < limits.min_age,
        f"ReferenceTooOld({age}, {limits.max_age})": age > limits.max_age,
        f"ValidatorChangeAboveLimit({count}, {most_count})": count > most_count,
        f"GainAboveLimit({profit}, {most_gain})": profit > most_gain,
        f"LossAboveLimit({-profit}, {most_loss})": -profit > most_loss,
    }
    violations = tuple(name for name, broken in checks.items() if broken)
    return Forecast(profit, violations, max(0, limits.min_age - age))
