"""What an epoch's transition pays and takes, by the formulas of the consensus specifications (Altair to Electra).

Pure functions of a state as JSON, at the last slot of the epoch; of the minimal preset where presets differ.
"""

from math import isqrt
from typing import Any

State = dict[str, Any]

INCREMENT = 10**9
SLOTS_PER_EPOCH = 8
BASE_REWARD_FACTOR = 64
WEIGHTS = {"source": 14, "target": 26, "head": 14}
FLAGS = {"source": 0, "target": 1, "head": 2}
WEIGHT_DENOMINATOR = 64
SYNC_REWARD_WEIGHT = 2
INACTIVITY_SCORE_BIAS = 4
INACTIVITY_SCORE_RECOVERY_RATE = 16
INACTIVITY_PENALTY_QUOTIENT = 2**24
MIN_EPOCHS_TO_INACTIVITY_PENALTY = 4
EPOCHS_PER_SLASHINGS_VECTOR = 64
PROPORTIONAL_SLASHING_MULTIPLIER = 3


def total_active(state: State, epoch: int) -> int:
    active = (int(v["effective_balance"]) for v in state["validators"] if is_active(v, epoch))
    return max(INCREMENT, sum(active))


def is_active(validator: dict[str, Any], epoch: int) -> bool:
    return int(validator["activation_epoch"]) <= epoch < int(validator["exit_epoch"])


def epoch_of(state: State) -> int:
    return int(state["slot"]) // SLOTS_PER_EPOCH


def base_reward(total: int) -> int:
    """Of one ether of effective balance."""
    return INCREMENT * BASE_REWARD_FACTOR // isqrt(total)


def attestation_rewards(state: State, finalized_epoch: int) -> int:
    """Rewards less penalties of all validators, gwei; ``finalized_epoch`` is that after the transition."""
    epoch = epoch_of(state)
    if epoch == 0:
        return 0
    previous = epoch - 1
    leak = previous - finalized_epoch > MIN_EPOCHS_TO_INACTIVITY_PENALTY
    total = total_active(state, epoch)
    base = base_reward(total)
    rows = []
    for validator, flags, score in zip(
        state["validators"], state["previous_epoch_participation"], state["inactivity_scores"], strict=True
    ):
        active, slashed = is_active(validator, previous), bool(validator["slashed"])
        if active or (slashed and previous + 1 < int(validator["withdrawable_epoch"])):
            took_part = {name: active and not slashed and bool(int(flags) >> bit & 1) for name, bit in FLAGS.items()}
            rows.append((int(validator["effective_balance"]), int(score), took_part))
    attesting = {name: sum(effective for effective, _, took in rows if took[name]) // INCREMENT for name in FLAGS}
    result = 0
    for effective, score, took in rows:
        reward = effective // INCREMENT * base
        for name, weight in WEIGHTS.items():
            if took[name]:
                if not leak:
                    result += reward * weight * attesting[name] // (total // INCREMENT * WEIGHT_DENOMINATOR)
            elif name != "head":
                result -= reward * weight // WEIGHT_DENOMINATOR
        if not took["target"]:
            raised = score + INACTIVITY_SCORE_BIAS
            raised -= 0 if leak else min(INACTIVITY_SCORE_RECOVERY_RATE, raised)
            result -= effective * raised // (INACTIVITY_SCORE_BIAS * INACTIVITY_PENALTY_QUOTIENT)
    return result


def sync_rewards(state: State, bits: bytes) -> int:
    """What a sync committee is paid for one block, less what its absent members lose; the proposer's part aside."""
    size = len(bits) * 8
    total = total_active(state, epoch_of(state))
    whole = base_reward(total) * (total // INCREMENT) * SYNC_REWARD_WEIGHT // WEIGHT_DENOMINATOR // SLOTS_PER_EPOCH
    signed = int.from_bytes(bits, "little").bit_count()
    return (signed - (size - signed)) * (whole // size)


def correlation_penalties(state: State) -> int:
    """The later penalties of slashings that are halfway to their end (``process_slashings``), gwei."""
    epoch = epoch_of(state)
    total = total_active(state, epoch)
    adjusted = min(sum(map(int, state["slashings"])) * PROPORTIONAL_SLASHING_MULTIPLIER, total)
    each = adjusted // (total // INCREMENT)
    return sum(
        min(each * (int(validator["effective_balance"]) // INCREMENT), int(balance))
        for validator, balance in zip(state["validators"], state["balances"], strict=True)
        if validator["slashed"] and epoch + EPOCHS_PER_SLASHINGS_VECTOR // 2 == int(validator["withdrawable_epoch"])
    )
