"""Whole stories on a local Ethereum with both halves. Ether is counted after each, to the gwei (conftest)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sluice.beacon import proofs
from sluice.devnet import Devnet
from sluice.oracle.tree import Leaves, SumTree
from sluice.units import Gwei
from tests.devnet.books import Books
from tests.devnet.protocol import ETHER, FRAME, WEI, Protocol, RefusedError, account
from tests.devnet.staking import Key, deposit_data, look, make_deposits, until

NO_ONE = "0x" + "00" * 20


@pytest.fixture(scope="module")
def deployed(devnet: Devnet, books: Books, tmp_path_factory: pytest.TempPathFactory) -> Protocol:
    return Protocol.deploy(devnet, Path(tmp_path_factory.mktemp("protocol")), books)


@pytest.fixture
def protocol(deployed: Protocol, devnet: Devnet) -> Any:
    """Every story begins where the protocol has just been deployed."""
    with devnet.snapshot_of_both():
        yield deployed.fresh()


def test_ether_goes_to_work_and_comes_back(protocol: Protocol, devnet: Devnet) -> None:
    """stake -> prepare -> prove -> top-up -> active -> earns -> report -> request -> withdrawal -> sweep -> claimed."""
    operator = protocol.register(protocol.operator, 210 * WEI)
    key = protocol.validator(operator, protocol.operator, "story one", 63)
    first = protocol.report()
    assert first.report.validators == 1
    assert first.report.consensus_balance >= 64 * ETHER
    rate = protocol.rate
    devnet.advance_epochs(4)
    second = protocol.report()
    assert second.forecast.profit > 0
    assert protocol.rate >= rate
    assert protocol.status(key) == "active_ongoing"
