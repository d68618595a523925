"""What slashings under way will still cost, by the formulas of the consensus specs (Electra and later).

The initial penalty is taken at once and is in the balance already. What comes is the correlation penalty halfway to the
withdrawable epoch (``process_slashings``), and what a validator that is not there loses every epoch until then
(``get_flag_index_deltas``: source and target; ``get_inactivity_penalty_deltas``).
"""

from dataclasses import dataclass
from math import isqrt
from typing import Final

import numpy as np

from sluice.beacon.state import BeaconState
from sluice.units import Gwei

INCREMENT: Final = 10**9
PROPORTIONAL_SLASHING_MULTIPLIER: Final = 3
MIN_SLASHING_PENALTY_QUOTIENT: Final = 4_096
BASE_REWARD_FACTOR: Final = 64
WEIGHT_DENOMINATOR: Final = 64
MISSED_WEIGHT: Final = 14 + 26
"""Source and target; a missed head costs nothing."""
INACTIVITY_SCORE_BIAS: Final = 4
INACTIVITY_SCORE_RECOVERY: Final = 16
"""An epoch, where the chain is final."""
INACTIVITY_PENALTY_QUOTIENT: Final = 2**24


@dataclass(frozen=True)
class Slashed:
    """A slashed validator of ours."""

    balance: Gwei
    taken: Gwei
    """Since it was slashed: the initial penalty and, by the same formula as below, what it has missed."""
    provision: Gwei
    """Still to come."""
    over: bool
    """Withdrawable: nothing is taken any more, and what leaves it is a withdrawal."""

    @property
    def value(self) -> int:
        """What will be left of it."""
        return self.balance - self.provision


def slashed_of(state: BeaconState, indices: "np.typing.NDArray[np.int64]") -> dict[int, Slashed]:
    """Those of ``indices`` that are slashed, by index."""
    validators = state.validators
    chosen = [int(i) for i in indices[validators["slashed"][indices] != 0]]
    if not chosen:
        return {}
    epoch = state.slot // state.preset.slots_per_epoch
    active = (validators["activation_epoch"] <= epoch) & (validators["exit_epoch"] > epoch)
    total = max(INCREMENT, int(validators["effective_balance"][active].sum()))
    found = {}
    for index in chosen:
        record = state.validator(index)
        balance = state.balance(index)
        left = max(0, record.withdrawable_epoch - epoch)
        missed = _missed(total, record.effective_balance)
        cost = _correlation(state, total, record.effective_balance, epoch, left)
        cost += missed * left + _leaking(state, record.effective_balance, left, index)
        since = max(0, state.preset.epochs_per_slashings_vector - left)  # it is withdrawable that long after
        initial = record.effective_balance // MIN_SLASHING_PENALTY_QUOTIENT
        found[index] = Slashed(
            balance=balance,
            taken=Gwei(initial + missed * since),
            provision=Gwei(min(cost, balance)),
            over=left == 0,
        )
    return found


def lost_since(before: dict[int, Slashed], now: dict[int, Slashed]) -> Gwei:
    """What they have lost from one report to the next, gains of others aside. What was withdrawn is no loss.

    A validator that is withdrawable loses nothing more, whatever its balance: who sends an ether to one that has been
    paid out must not make the payment look like a loss. What its last epochs cost beyond what was foreseen is not told.
    """
    total = 0
    for index, each in now.items():
        earlier = before.get(index)
        if earlier is None:
            total += each.taken + each.provision
        elif not each.over:
            total += max(0, earlier.value - each.value)
    return Gwei(total)


def _correlation(state: BeaconState, total: int, effective: int, epoch: int, left: int) -> int:
    """More by what others lost about the same time. Over when half of the time is.

    The vector is a ring: what was slashed so long ago that it is overwritten by then does not count.
    """
    size = state.preset.epochs_per_slashings_vector
    ahead = left - size // 2
    if ahead < 0:
        return 0
    age = (epoch - np.arange(size)) % size
    slashings = int(state.column("slashings")[age + ahead < size].sum())
    adjusted = min(slashings * PROPORTIONAL_SLASHING_MULTIPLIER, total)
    return adjusted // (total // INCREMENT) * (effective // INCREMENT)


def _missed(total: int, effective: int) -> int:
    """In an epoch; rounded once where the chain rounds twice, so rather a gwei too much."""
    reward = effective // INCREMENT * (INCREMENT * BASE_REWARD_FACTOR // isqrt(total))
    return reward * MISSED_WEIGHT // WEIGHT_DENOMINATOR


def _leaking(state: BeaconState, effective: int, left: int, index: int) -> int:
    score = int(state.column("inactivity_scores")[index])
    return effective * drained(score, left) // (INACTIVITY_SCORE_BIAS * INACTIVITY_PENALTY_QUOTIENT)


def drained(score: int, epochs: int) -> int:
    """Sum of an inactivity score over so many epochs, of a validator that is not there while the chain is final.

    States that are reported have become final, so a leak they were in is over; what another one takes is told by the
    reports after it.
    """
    step = INACTIVITY_SCORE_RECOVERY - INACTIVITY_SCORE_BIAS
    count = min(epochs, score // step)
    return count * score - step * count * (count + 1) // 2
