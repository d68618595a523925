"""Draw docs/exit-curve.svg: what the instant pool asks for ether, read from the contract itself (`make curve`)."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

from tests.pooling import TERMS, Pool, full_pool
from tests.small_core import ETHER

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "docs" / "exit-curve.svg"


def points(pool: Pool, steps: int = 100) -> list[tuple[float, float, float]]:
    """Ether sold; surcharge on the last of it; fee on all of it, of what the slETH is worth: both per cent."""
    contract, found = pool.contract, []
    there = pool.assets
    for step in range(1, steps + 1):
        out = there * step // steps
        shares = contract.quoteSellFor(out)
        worth = pool.core.worth(shares)
        last = contract.surchargeAt(there - out)
        found.append((out / ETHER, 100 * last / ETHER, 100 * (worth - out) / worth))
    return found


def draw(file: Path) -> None:
    """The same bytes from the same contract."""
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "sluice"
    from matplotlib import pyplot as plt

    pool = full_pool()
    read = points(pool)
    figure, axis = plt.subplots(figsize=(9, 4.5), layout="constrained")
    sold = [x for x, _, _ in read]
    axis.plot(sold, [last for _, last, _ in read], color="#e8590c", label="surcharge on the last ether")
    axis.plot(sold, [fee for _, _, fee in read], color="#1971c2", label="fee on the whole sale, of the slETH's worth")
    axis.set_xlabel(f"ether sold to one seller, of {pool.assets / ETHER:,.0f} that there are")
    axis.set_ylabel("%")
    axis.set_title(
        f"Instant pool at its target: {TERMS['minFee'] / 100:.2f}% to {TERMS['maxFee'] / 100:.0f}%, from the contract"
    )
    axis.grid(alpha=0.25)
    axis.legend()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    draw(CHART)
    print(f"drawn: {CHART.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
