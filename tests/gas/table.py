"""Bounds, peers and the committed figures: what a measurement is judged by."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

FIGURES = Path(__file__).with_name("figures.json")
TOLERANCE = 0.01
"""A figure may be this much worse than the committed one, not more."""


@dataclass(frozen=True)
class Row:
    """One operation. Peers: measured the same way (research notes), quoted where marked (q)."""

    operation: str
    bound: int
    peers: dict[str, int] = field(default_factory=dict)


ROWS = (
    Row("stake, first", 64_000, {"Lido": 93_854, "LsETH": 100_454, "WBETH": 68_955}),
    Row("stake, repeat", 47_000, {"Lido": 76_754, "LsETH": 83_354, "WBETH": 51_855}),
    Row("transfer slETH, new holder", 51_200, {"wstETH": 51_700, "OpenZeppelin": 51_483}),
    Row("transfer slETH, existing holder", 34_100, {"wstETH": 34_600, "OpenZeppelin": 34_383}),
    Row("request, first", 95_000, {"Lido": 215_146, "StakeWise (q)": 94_331}),
    Row("request, repeat", 78_000, {"Lido": 198_046}),
    Row("request, each further in a batch", 30_000, {"Lido": 114_710}),
    Row("claim with hint", 52_000, {"Lido": 85_278, "Stader": 65_185}),
    Row("claim, each further in a batch", 20_000, {"Lido": 33_000}),
    Row("finalize 1 request", 95_000, {"Lido": 107_358, "Mantle": 95_799}),
    Row("finalize 100 requests", 95_000, {"Lido": 107_358, "Mantle": 95_799}),
    Row("finalize 10,000 requests", 95_000, {"Lido": 107_358, "Mantle": 95_799}),
    Row("daily report, 5 of 9", 185_000, {"Lido": 1_352_112, "Mantle": 440_000, "Rocket Pool": 454_000}),
    Row("prepare a validator, with its deposit", 150_000, {"Lido": 229_391}),
    Row("prove a validator", 200_000),
    Row("prove what has returned", 200_000),
    Row("top-up of one validator", 160_000, {"Lido": 546_128}),
    Row("top-up, each further", 60_000, {"Lido": 50_817}),
    Row("EIP-7002 request by the keeper, one", 120_000, {"Lido": 304_095}),
    Row("EIP-7002 request, each further", 50_000, {"Lido": 98_000}),
    Row("exit forced by a stranger, one", 180_000),
    Row("exit forced, each further", 65_000),
    Row("challenge", 600_000),
    Row("wrap rslETH", 70_000, {"Lido": 91_782}),
    Row("unwrap rslETH", 70_000, {"Lido": 91_194}),
    Row("instant exit, exact in", 85_000, {"ether.fi": 249_449, "StakeStone": 99_030, "Origin ARM": 89_723}),
    Row("instant exit, exact out", 85_000),
    Row("instant exit, the pool without slETH", 85_000),
    Row("instant exit with a permit, first", 120_000),
    Row("add liquidity, first", 110_000, {"Origin ARM": 106_386}),
    Row("add liquidity, repeat", 95_000, {"Origin ARM": 89_286}),
    Row("add slETH alone", 110_000),
    Row("remove liquidity", 110_000, {"Origin ARM": 136_525}),
    Row("remove liquidity, part of it in the queue", 110_000, {"Origin ARM": 136_525}),
    Row("add liquidity, a paid request to collect", 145_000),
    Row("add liquidity, 3 paid requests to collect", 275_000),
    Row("remove liquidity, a paid request to collect", 160_000),
    Row("remove liquidity, 3 paid requests to collect", 290_000),
    Row("stake from the pool", 65_000),
    Row("sell a request", 130_000),
    Row("hand the pool's slETH in", 215_000),
    Row("farm: add a stream", 260_000),
    Row("farm: stake, first, without a stream", 90_000),
    Row("farm: stake, first", 115_000),
    Row("farm: stake, repeat", 90_000),
    Row("farm: claim one token, first", 80_000),
    Row("farm: claim one token, repeat", 75_000),
    Row("farm: exit", 100_000),
    Row("basket: swap into slETH, exact in", 120_000),
    Row("basket: swap into slETH, exact out", 120_000),
    Row("basket: swap out of slETH, exact in", 120_000),
    Row("basket: swap out of slETH, exact out", 120_000),
    Row("basket: add one token", 180_000),
    Row("basket: remove all", 150_000),
    Row("basket: swap cbETH into slETH, exact in", 120_000),
    Row("basket: swap cbETH into slETH, exact out", 120_000),
    Row("basket: swap slETH into cbETH, exact in", 120_000),
    Row("basket: swap slETH into cbETH, exact out", 120_000),
    # Above the 120,000 that were asked for by what these tokens' own contracts take: docs/liquidity.md.
    Row("basket: swap wstETH into slETH", 141_000),
    Row("basket: swap rETH into slETH", 124_000),
    Row("basket: swap wstETH into rETH", 158_500),
    Row("deploy the core", 25_000_000, {"Lido": 163_183_896}),
)


CORE_ISSUE = (
    "Create3Deployer",
    "ProtocolAccessManager",
    "StakedEther",
    "RewardsVault",
    "WithdrawalGateway",
    "WithdrawalGatewayProxy",
    "RequestDescriptor",
    "WithdrawalQueue",
    "StakingVault",
    "CoverFund",
    "ReportLimits",
    "ReportOracle",
    "FeeSplitter",
    "RebasingStakedEther",
    "WrappedEther",
    "AsyncRedeemVault",
)
"""What the bound of "deploy the core" is for: the contracts of the core. Later parts are deployed beside them, and
the calls that configure the access manager are for all of the protocol."""


def committed() -> dict[str, int]:
    return json.loads(FIGURES.read_text()) if FIGURES.exists() else {}


def commit(figures: dict[str, int]) -> None:
    ordered = {row.operation: figures[row.operation] for row in ROWS}
    FIGURES.write_text(json.dumps(ordered, indent=2) + "\n")


def complaints(figures: dict[str, int], known: dict[str, int]) -> list[str]:
    """What is wrong with a measurement; empty where nothing is."""
    found = []
    for row in ROWS:
        gas = figures.get(row.operation)
        if gas is None:
            found.append(f"{row.operation}: not measured")
            continue
        if gas > row.bound:
            found.append(f"{row.operation}: {gas:,} is above the bound of {row.bound:,}")
        before = known.get(row.operation)
        if before is None:
            found.append(f"{row.operation}: no figure in {FIGURES.name}; write it with `make bench UPDATE=1`")
        elif gas > before * (1 + TOLERANCE):
            found.append(
                f"{row.operation}: {gas:,} is {gas / before - 1:.1%} above the committed {before:,}; if that is meant, "
                "commit the new figure with the change (`make bench UPDATE=1`)"
            )
    found += [f"{name}: not a row of the table" for name in figures.keys() - {row.operation for row in ROWS}]
    return found


def render(figures: dict[str, int], known: dict[str, int]) -> str:
    lines = [f"{'operation':42}{'gas':>12}{'bound':>12}{'committed':>12}  peers, and how many times ours"]
    for row in ROWS:
        gas = figures[row.operation]
        peers = ", ".join(f"{name} {value:,} ({value / gas:.2f}x)" for name, value in row.peers.items())
        lines.append(f"{row.operation:42}{gas:>12,}{row.bound:>12,}{known.get(row.operation, 0):>12,}  {peers}")
    return "\n".join(lines)
