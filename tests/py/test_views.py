"""The types that services read and prove with are those of the contracts."""

from __future__ import annotations

import pytest

from sluice.deploy.abi import canonical_type, function
from sluice.keeper.daemon import PROOF
from sluice.operators import OPERATOR
from sluice.oracle.views import BOND, REQUEST, VALIDATOR
from sluice.watcher.lies import EVIDENCE, OPENING
from tests.devnet.protocol import artifacts


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
