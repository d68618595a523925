"""What the bank run did, day by day, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.demo.stress import RUN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sluice.demo.stress import Stress

ETHER = 10**18
COLORS = {"calm": "#1971c2", "slashing": "#e8590c"}


def draw(played: Mapping[str, Stress], folder: Path) -> list[Path]:
    """Write `stress.png` and `stress.svg`; returns their paths. Day 0 is the last one before the run."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(6, 1, sharex=True, figsize=(11, 16), layout="constrained")
    peg, fee, wait, ether, provider, health = axes
    for name, stress in played.items():
        color = COLORS[name]
        days = [day for day in stress.days if day.day == stress.began] + stress.run
        at = [day.day - stress.began for day in days]
        peg.plot(at, [day.low for day in days], color=color, label=f"at worst, {name}")
        peg.plot(at, [day.peg for day in days], color=color, linestyle=":", label=f"after the arbitrageur, {name}")
        fee.plot(at, [None if day.surcharge is None else 100 * day.surcharge for day in days], color=color, marker=".")
        wait.plot(at, [day.oldest for day in days], color=color)
        ether.plot(at, [day.waiting / ETHER for day in days], color=color, label=f"open requests, {name}")
        ether.plot(at, [day.buffer / ETHER for day in days], color=color, linestyle=":", label=f"buffer, {name}")
        provider.plot(at, [100 * (day.provider - 1) for day in days], color=color, label=f"instant pool, {name}")
        provider.plot(at, [100 * (day.holder - 1) for day in days], color=color, linestyle=":", label=f"slETH, {name}")
        until = [day for day in days if day.day <= stress.began + RUN]  # then she repays
        health.plot(at[: len(until)], [day.health for day in until], color=color)
    for axis, label in zip(
        axes,
        (
            "Uniswap's price\nover the rate",
            "instant pool:\nfee on the last ether, %",
            "first in the queue\nhas waited, days",
            "ether",
            "worth since the run\nbegan, %",
            "health of the borrower\non Aave, until she repays",
        ),
        strict=True,
    ):
        axis.set_ylabel(label)
        axis.ticklabel_format(axis="y", useOffset=False)
        axis.axvspan(0, RUN, color="#f1f3f5")
        axis.grid(alpha=0.25)
    for axis in (peg, ether, provider):
        axis.legend(fontsize=8)
    health.set_xlabel("days since the run began; it lasts seven")
    figure.suptitle("40% of all slETH leaves within a week")
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "stress.png", folder / "stress.svg"]
    for path in paths:
        figure.savefig(path, dpi=110)
    plt.close(figure)
    return paths
