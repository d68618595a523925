"""Draw docs/exit-curve.svg: what the instant pool asks for ether, read from the contract itself (`make curve`)."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

from tests.pooling import TERMS, Pool, full_pool
from tests.small_core import ETHER

ROOT = Path(__file__).resolve().parent.parent


def points(pool: Pool, steps: int = 100) -> list[tuple[float, float, float]]:
    """Ether sold; surcharge on the last of it and fee on all of it, per cent of what the slETH is worth."""
    contract, found = pool.contract, []
    there = pool.assets
    for step in range(1, steps + 1):
        out = there * step // steps
        shares = contract.quoteSellFor(out)
        worth = pool.core.worth(shares)
        last = contract.surchargeAt(there - out) / ETHER
        found.append((out / ETHER, 100 * last / (1 + last), 100 * (worth - out) / worth))
    return found


def main() -> None:
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "sluice"
    from matplotlib import pyplot as plt

    pool = full_pool()
    read = points(pool)
    figure, axis = plt.subplots(figsize=(9, 4.5), layout="constrained")
    axis.plot([x for x, _, _ in read], [last for _, last, _ in read], color="#e8590c", label="on the last ether")
    axis.plot([x for x, _, _ in read], [fee for _, _, fee in read], color="#1971c2", label="on the whole sale")
    axis.set_xlabel(f"ether sold to one seller, of {pool.assets / ETHER:,.0f} that there are")
    axis.set_ylabel("fee, % of what the slETH is worth")
    axis.set_title(
        f"Instant pool at its target: {TERMS['minFee'] / 100:.2f}% to {TERMS['maxFee'] / 100:.0f}%, from the contract"
    )
    axis.grid(alpha=0.25)
    axis.legend()
    figure.savefig(ROOT / "docs" / "exit-curve.svg", metadata={"Date": None})
    print(f"docs/exit-curve.svg: {len(read)} points")


if __name__ == "__main__":
    main()
