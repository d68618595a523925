"""The rate, the queue and the pool over time, as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ETHER = 10**18


@dataclass(frozen=True)
class Sample:
    """The protocol at one moment, wei."""

    day: float
    rate: int
    pooled: int
    buffer: int
    outside: int
    waiting: int
    """Worth of open requests."""


@dataclass(frozen=True)
class Mark:
    day: float
    text: str


def draw(samples: Sequence[Sample], marks: Sequence[Mark], folder: Path, title: str) -> list[Path]:
    """Write `demo.png` and `demo.svg`; returns their paths."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    days = [sample.day for sample in samples]
    figure, (top, middle, bottom) = plt.subplots(3, 1, sharex=True, figsize=(11, 10), layout="constrained")
    top.plot(days, [sample.rate / ETHER for sample in samples], color="#0b7285", linewidth=1.8)
    top.set_ylabel("rate (ether per slETH)")
    top.ticklabel_format(useOffset=False)
    middle.fill_between(days, [sample.waiting / ETHER for sample in samples], color="#e8590c", alpha=0.6, step="post")
    middle.set_ylabel("open requests (ether)")
    bottom.stackplot(
        days,
        [sample.outside / ETHER for sample in samples],
        [sample.buffer / ETHER for sample in samples],
        labels=["outside", "buffer"],
        colors=["#74c0fc", "#1971c2"],
    )
    bottom.set_ylabel("pooled (ether)")
    bottom.set_xlabel("day")
    bottom.legend(loc="lower right")
    for axis in (top, middle, bottom):
        axis.grid(alpha=0.25)
        for mark in marks:
            axis.axvline(mark.day, color="#868e96", linewidth=0.7, linestyle=":")
    for index, mark in enumerate(marks):
        top.annotate(
            mark.text,
            (mark.day, 0.03 + 0.07 * (index % 3)),
            xycoords=("data", "axes fraction"),
            fontsize=8,
            color="#495057",
        )
    figure.suptitle(title)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "demo.png", folder / "demo.svg"]
    for path in paths:
        figure.savefig(path, dpi=120)
    plt.close(figure)
    return paths
