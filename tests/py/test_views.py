"""What views make of contracts' answers, without a chain; the types that services read and prove with."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from sluice.chain.node import NodeError
from sluice.deploy.abi import canonical_type, function
from sluice.keeper.daemon import PROOF
from sluice.operators import OPERATOR
from sluice.oracle.views import (
    BOND,
    REQUEST,
    VALIDATOR,
    Contracts,
    NothingToReportError,
    read_due,
    read_previous,
)
from sluice.watcher.lies import EVIDENCE, OPENING
from tests.devnet.protocol import artifacts

ADDRESS = "0x" + "11" * 20
GENESIS = 1_700_000_000
CONTRACTS = Contracts(1, *[ADDRESS] * 7, b"\0" * 32, GENESIS, 12, 7_200)  # type: ignore[arg-type]


class Answers:
    """A node with one answer, or one error."""

    def __init__(self, types: list[str], values: list[Any], error: str = "") -> None:
        self._answer, self._error = encode(types, values), error

    def request(self, method: str, *_: Any) -> Any:
        if self._error:
            raise NodeError(method, 3, "execution reverted", "0x" + keccak(text=self._error)[:4].hex() + self.hex)
        return "0x" + self.hex

    @property
    def hex(self) -> str:
        return self._answer.hex()


def expected(slot: int, *, reported: bool) -> Answers:
    times = [GENESIS + 12 * each for each in (slot, slot + 7_200)]
    return Answers(["uint256", "uint256", "uint256", "bool"], [slot, *times, reported])


def test_frame_without_a_report_is_due() -> None:
    assert read_due(expected(14_400, reported=False), CONTRACTS).slot == 14_400


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (
            expected(14_400, reported=True),
            "slot 14400 has been reported; the next frame starts at 2023-11-17 22:13:20 UTC",
        ),
        (
            expected(0, reported=True),
            "this oracle has no report yet: slot 7200 is the first, its frame starts at 2023-11-15 22:13:20 UTC",
        ),
        (
            Answers(["uint256", "uint256"], [20, 100], "FirstFrameNotStarted(uint256,uint256)"),
            "this oracle has no report yet: slot 100 is the first, its frame starts at 2023-11-14 22:33:20 UTC",
        ),
    ],
    ids=["reported", "frame of the deployment", "before the first frame"],
)
def test_frame_that_gets_no_report_says_why(node: Answers, words: str) -> None:
    """The contract has 0 for the newest slot where there is none, so slot 0 looks as if it had one."""
    with pytest.raises(NothingToReportError) as caught:
        read_due(node, CONTRACTS)
    assert str(caught.value) == words


def test_other_trouble_of_a_node_is_told_as_it_is() -> None:
    with pytest.raises(NodeError):
        read_due(Answers([], [], "Other()"), CONTRACTS)


@pytest.mark.parametrize(
    ("time", "applied", "slot"),
    [
        (GENESIS + 500, GENESIS + 500, None),
        (GENESIS + 12 * 7_200, GENESIS + 12 * 7_200 + 1, 7_200),
        (GENESIS + 12 * 7_200 + 11, GENESIS + 12 * 7_300, 7_200),
    ],
    ids=["deployment", "report", "report of an oracle with a clock of its own"],
)
def test_report_before_is_the_vaults(time: int, applied: int, slot: int | None) -> None:
    assert read_previous(Answers(["uint256", "uint256"], [time, applied]), CONTRACTS, 5) == slot


@pytest.mark.parametrize(
    ("contract", "name", "kind"),
    [
        ("ValidatorManager", "validator", VALIDATOR),
        ("WithdrawalQueue", "getRequest", REQUEST),
        ("OperatorBonds", "bondOf", BOND),
        ("OperatorRegistry", "operator", OPERATOR),
    ],
)
def test_what_is_read_has_the_types_of_its_contract(contract: str, name: str, kind: str) -> None:
    (found,) = function(artifacts()[contract].abi, name)["outputs"]
    assert canonical_type(found) == kind


def test_what_is_proven_has_the_types_of_its_contract() -> None:
    (proof,) = function(artifacts()["ValidatorManager"].abi, "prove")["inputs"]
    assert canonical_type(proof) == PROOF
    *_, opening, evidence = function(artifacts()["ReportChallenge"].abi, "challengeLeaf")["inputs"]
    assert (canonical_type(opening), canonical_type(evidence)) == (OPENING, EVIDENCE)
