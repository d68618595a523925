"""Morpho Blue: a market that lends wrapped ether on slETH at its core rate, and nothing else.

Its package ships sources alone, for a compiler older than ours: they are compiled once, by that compiler, from npm too.
The market here charges no interest (no model of it: Morpho's own comes in another package, without artifacts).
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from eth_utils.crypto import keccak

from sluice.deploy.errors import ArtifactError
from sluice.files import write_atomically
from sluice.markets.contracts import ZERO, Code, Contract

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.deploy.chain import Receipt, Sender
    from sluice.markets.contracts import Chain

LLTV = 945 * 10**15
"""Of the collateral's value, the most that can be owed, 1e18 = 1; above it a position can be liquidated. As in Morpho's
markets of wstETH and wrapped ether: a loan of 90% stands a loss of 4.7% of the rate, beyond any slashing there was."""
SCALE = 10**36
"""Of the oracle's price."""
WAD = 10**18
_SOURCES = "@morpho-org/morpho-blue/src"
_COMPILER = "solc-0.8.19"
_RUN = (
    "const solc = require(process.argv[1]);process.stdout.write(solc.compile(require('fs').readFileSync(0, 'utf8')));"
)


def morpho_code(packages: Path, cache: Path) -> Code:
    """Compiled from the package's sources; kept in `cache` until these change."""
    folder = packages / _SOURCES
    files = sorted(path for path in folder.rglob("*.sol") if "mocks" not in path.parts)
    if not files:
        raise ArtifactError(f"Morpho's sources are not in {folder}: run `make setup`")
    sources = {str(path.relative_to(folder)): {"content": path.read_text(encoding="utf-8")} for path in files}
    settings = {
        "optimizer": {"enabled": True, "runs": 200},
        "outputSelection": {"Morpho.sol": {"Morpho": ["abi", "evm.bytecode.object"]}},
    }
    given = json.dumps({"language": "Solidity", "sources": sources, "settings": settings}, sort_keys=True)
    kept = cache / f"morpho-{keccak(text=given).hex()[:16]}.json"
    if not kept.is_file():
        write_atomically(kept, json.dumps(_compile(packages / _COMPILER, given)))
    found = json.loads(kept.read_text(encoding="utf-8"))
    return Code("Morpho", found["abi"], found["evm"]["bytecode"]["object"])


def _compile(compiler: Path, given: str) -> object:
    answer = subprocess.run(
        ["node", "-e", _RUN, str(compiler.resolve())],
        input=given,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if answer.returncode:
        raise ArtifactError(f"{compiler} does not run: {answer.stderr[-300:]}")
    said = json.loads(answer.stdout[answer.stdout.index("{") :])
    errors = [each["formattedMessage"] for each in said.get("errors", []) if each["severity"] == "error"]
    if errors:
        raise ArtifactError(f"Morpho does not compile: {errors[0]}")
    return said["contracts"]["Morpho.sol"]["Morpho"]


@dataclass(frozen=True)
class Loan:
    """A borrower's position."""

    collateral: int
    """Wei of slETH."""
    debt: int
    """Wei of ether, rounded up."""
    most: int
    """That may be owed on it now, wei of ether."""

    @property
    def healthy(self) -> bool:
        return self.debt <= self.most


@dataclass(frozen=True)
class Morpho:
    """One market of it."""

    chain: Chain
    contract: Contract
    sleth: str
    weth: str
    oracle: str
    lltv: int

    @classmethod
    def deploy(
        cls, chain: Chain, sender: Sender, code: Code, sleth: str, weth: str, oracle: str, lltv: int = LLTV
    ) -> Morpho:
        """`sender` becomes its owner, who can allow more markets and has no say in this one."""
        contract = chain.deploy(sender, code, {"newOwner": sender.address})
        if not contract.read("isIrmEnabled", ZERO):
            contract.send(sender, "enableIrm", ZERO)
        if not contract.read("isLltvEnabled", lltv):
            contract.send(sender, "enableLltv", lltv)
        market = cls(chain, contract, sleth, weth, oracle, lltv)
        if not contract.read("market", market.id)[4]:  # when it was last touched
            contract.send(sender, "createMarket", market.terms)
        return market

    @property
    def terms(self) -> dict[str, object]:
        return {
            "loanToken": self.weth,
            "collateralToken": self.sleth,
            "oracle": self.oracle,
            "irm": ZERO,
            "lltv": self.lltv,
        }

    @property
    def id(self) -> bytes:
        words = (self.weth, self.sleth, self.oracle, ZERO)
        return keccak(b"".join(int(each, 16).to_bytes(32, "big") for each in words) + self.lltv.to_bytes(32, "big"))

    @property
    def incentive(self) -> Fraction:
        """What a liquidator gets of the collateral for each ether of debt: 1 / (1 - 0.3 * (1 - lltv)), at most 1.15."""
        down = WAD - (WAD - self.lltv) * (3 * WAD // 10) // WAD
        return Fraction(min(115 * WAD // 100, WAD * WAD // down), WAD)

    def loan(self, account: str) -> Loan:
        _, _, total, total_shares, _, _ = self.contract.read("market", self.id)
        _, shares, collateral = self.contract.read("position", self.id, account)
        price = int(self.chain.own("SlEthMorphoOracle", self.oracle).read("price"))
        debt = -(-shares * (total + 1) // (total_shares + 10**6)) if shares else 0
        return Loan(collateral, debt, collateral * price // SCALE * self.lltv // WAD)

    # --- Acting ---

    def lend(self, sender: Sender, amount: int) -> Receipt:
        self.chain.allow(sender, self.weth, self.contract.address, amount)
        return self.contract.send(sender, "supply", self.terms, amount, 0, sender.address, b"")

    def supply(self, sender: Sender, shares: int) -> Receipt:
        """slETH as collateral."""
        self.chain.allow(sender, self.sleth, self.contract.address, shares)
        return self.contract.send(sender, "supplyCollateral", self.terms, shares, sender.address, b"")

    def withdraw(self, sender: Sender, shares: int) -> Receipt:
        """Collateral."""
        return self.contract.send(sender, "withdrawCollateral", self.terms, shares, sender.address, sender.address)

    def borrow(self, sender: Sender, amount: int) -> Receipt:
        return self.contract.send(sender, "borrow", self.terms, amount, 0, sender.address, sender.address)

    def repay(self, sender: Sender) -> Receipt:
        """All of the debt."""
        self.chain.allow(sender, self.weth, self.contract.address, self.loan(sender.address).debt)
        _, shares, _ = self.contract.read("position", self.id, sender.address)
        return self.contract.send(sender, "repay", self.terms, 0, shares, sender.address, b"")

    def liquidate(self, sender: Sender, account: str, seized: int) -> Receipt:
        """Take `seized` slETH of an unhealthy account and pay that part of its debt, less the incentive."""
        self.chain.allow(sender, self.weth, self.contract.address, self.loan(account).debt)
        return self.contract.send(sender, "liquidate", self.terms, account, seized, 0, b"")
