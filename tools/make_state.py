"""A beacon state of any size, as a mainnet node would send it: for benchmarks and for tests of large lists.

    python tools/make_state.py 1000000 state.ssz --ours 300000

Random in what is random (keys, credentials, roots, mixes), and with mainnet's spread in what is not: activation epochs
in cohorts, a few validators slashed, exited or leaving, one in four compounding. The same seed makes the same state;
`--age` makes that of the same validators some days later.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np

from sluice.beacon import ssz
from sluice.beacon.spec import PRESETS, Fork, Preset, beacon_state
from sluice.beacon.state import PENDING_DEPOSIT_COLUMNS, VALIDATOR_COLUMNS

FAR_FUTURE = 2**64 - 1
ETHER = 10**9  # gwei
EPOCH = 400_000
SUMMARIES = 804
"""Of mainnet at that epoch."""
OURS = b"\x02" + bytes(11) + bytes.fromhex("5109e0" + 17 * "00")
"""Credentials of a made-up gateway."""


def make_state(
    count: int,
    *,
    ours: int = 0,
    preset: Preset = PRESETS["mainnet"],
    fork: Fork = "fulu",
    seed: int = 1,
    age: int = 0,
    summaries: int = SUMMARIES,
) -> bytes:
    """The SSZ bytes of a state with ``count`` validators, every so many of them ours; ``age`` days later."""
    rng = np.random.default_rng(seed)
    epoch = EPOCH + 225 * age
    validators = _validators(rng, count, ours)
    later = np.random.default_rng((seed, age))
    if age:
        _grow_older(later, validators, epoch, age)
    base = np.where(validators["withdrawable_epoch"] <= epoch, 0, validators["effective_balance"])
    balances = np.where(base == 0, 0, base + later.integers(0, ETHER // 50, count, dtype=np.uint64)).astype("<u8")
    flags = later.integers(0, 50, count)  # one in fifty missed something
    participation = np.where((flags == 0) | (base == 0), 0, 7).astype("u1")
    scores = np.where(later.integers(0, 200, count) == 0, later.integers(1, 100, count), 0).astype("<u8")
    deposits = _pending_deposits(later, min(count // 50, 20_000), epoch * preset.slots_per_epoch)
    slot = epoch * preset.slots_per_epoch + 31
    known: dict[str, bytes] = {
        "genesis_time": _uint(1_606_824_023),
        "slot": _uint(slot),
        "latest_block_header": _uint(slot) + _uint(7) + later.bytes(32) + bytes(32) + later.bytes(32),
        "validators": validators.tobytes(),
        "balances": balances.tobytes(),
        "previous_epoch_participation": participation.tobytes(),
        "current_epoch_participation": participation.tobytes(),
        "inactivity_scores": scores.tobytes(),
        "historical_roots": rng.bytes(32 * 758),
        "historical_summaries": np.random.default_rng((seed, 2)).bytes(64 * summaries),
        "pending_deposits": deposits.tobytes(),
        "randao_mixes": rng.bytes(32 * preset.epochs_per_historical_vector),
    }
    for name in ("block_roots", "state_roots"):
        known[name] = later.bytes(32 * preset.slots_per_historical_root)
    for name in ("current_sync_committee", "next_sync_committee"):
        known[name] = rng.bytes(48 * (preset.sync_committee_size + 1))
    return serialize(beacon_state(fork, preset), known)


def serialize(kind: ssz.Container, known: dict[str, bytes]) -> bytes:
    """Fields that are not given are zero, or empty."""
    head, tail = [], []
    sizes = [ssz.fixed_size(field) for _, field in kind.fields]
    at = sum(ssz.OFFSET if size is None else size for size in sizes)
    for (name, field), size in zip(kind.fields, sizes, strict=True):
        if size is not None:
            value = known.get(name, bytes(size))
            assert len(value) == size, (name, len(value), size)
            head.append(value)
            continue
        empty = serialize(field, {}) if isinstance(field, ssz.Container) else b""
        value = known.get(name, empty)
        head.append(at.to_bytes(ssz.OFFSET, "little"))
        tail.append(value)
        at += len(value)
    return b"".join(head + tail)


def _validators(rng: np.random.Generator, count: int, ours: int) -> np.ndarray:
    made = np.zeros(count, VALIDATOR_COLUMNS)
    made["pubkey"] = np.frombuffer(rng.bytes(48 * count), "V48")
    raw = np.frombuffer(rng.bytes(32 * count), np.uint8).reshape(count, 32).copy()
    raw[:, 0] = rng.choice([1, 1, 1, 2], count)
    raw[:, 1:12] = 0
    if ours:
        raw[:: max(1, count // ours)][:ours] = np.frombuffer(OURS, np.uint8)
    made["credentials"] = np.frombuffer(raw.tobytes(), "V32")
    compounding = raw[:, 0] == 2
    made["effective_balance"] = np.where(compounding, rng.integers(32, 2049, count), 32).astype(np.uint64) * ETHER
    activated = (np.sort(rng.integers(10, EPOCH, count)) // 2 * 2).astype(np.uint64)
    made["activation_epoch"] = activated
    made["activation_eligibility_epoch"] = activated - np.uint64(10)
    made["exit_epoch"] = made["withdrawable_epoch"] = FAR_FUTURE
    left = rng.integers(0, 100, count) == 0
    leaving = ~left & (rng.integers(0, 1000, count) == 0)
    exits = np.minimum(activated + np.uint64(1000), np.uint64(EPOCH - 300))
    made["exit_epoch"][left] = exits[left]
    made["withdrawable_epoch"][left] = exits[left] + np.uint64(256)
    made["effective_balance"][left] = 0
    made["exit_epoch"][leaving] = EPOCH + 5
    made["withdrawable_epoch"][leaving] = EPOCH + 261
    made["slashed"] = leaving & (rng.integers(0, 20, count) == 0)
    return made


def _grow_older(rng: np.random.Generator, validators: np.ndarray, epoch: int, age: int) -> None:
    """A few leave, and compounding ones reach the next ether: one in two hundred changes a day."""
    changed = rng.integers(0, len(validators), len(validators) * age // 200)
    half = len(changed) // 2
    validators["exit_epoch"][changed[:half]] = epoch + 5
    validators["withdrawable_epoch"][changed[:half]] = epoch + 261
    validators["effective_balance"][changed[half:]] += np.uint64(ETHER)


def _pending_deposits(rng: np.random.Generator, count: int, slot: int) -> np.ndarray:
    made = np.zeros(count, PENDING_DEPOSIT_COLUMNS)
    made["pubkey"] = np.frombuffer(rng.bytes(48 * count), "V48")
    made["credentials"] = np.frombuffer(rng.bytes(32 * count), "V32")
    made["amount"] = 32 * ETHER
    made["signature"] = np.frombuffer(rng.bytes(96 * count), "V96")
    made["slot"] = slot - 1000 + np.arange(count) // 16
    return made


def _uint(value: int) -> bytes:
    return value.to_bytes(8, "little")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("validators", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--ours", type=int, default=0, help="how many have the gateway's credentials")
    parser.add_argument("--age", type=int, default=0, help="days later")
    parser.add_argument("--preset", choices=PRESETS, default="mainnet")
    parser.add_argument("--fork", choices=("electra", "fulu"), default="fulu")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    preset = PRESETS[given.preset]
    data = make_state(given.validators, ours=given.ours, preset=preset, fork=given.fork, seed=given.seed, age=given.age)
    given.file.write_bytes(data)
    print(f"{len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
