"""What the scripts around the consensus side share: the stand-in of a local chain, kept between commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from scripts._session import ROOT, Session
from sluice.chain.keeping import open_stand_in
from sluice.chain.node import HttpNode
from sluice.chain.state import ConsensusError

if TYPE_CHECKING:
    from ape.api import ProviderAPI

    from sluice.chain.standin import StandIn


def node_of(provider: ProviderAPI) -> HttpNode:
    return HttpNode(str(cast("Any", provider).http_uri))


def state_path(session: Session, given: Path | None) -> Path:
    return given or ROOT / ".cache" / f"consensus-{session.params.chain_id}.json"


def open_layer(session: Session, node: HttpNode, path: Path) -> StandIn:
    if not session.params.local:
        raise click.ClickException(
            "The stand-in for the consensus layer is for local chains: this network has its own."
        )
    oracle = session.params.oracle
    genesis = session.client.view("ReportOracle", "GENESIS_TIME")
    try:
        return open_stand_in(
            path,
            node,
            deposit_contract=session.params.external.deposit_contract,
            genesis_time=genesis,
            slot_seconds=oracle.slot,
            first_slot=oracle.first_slot,
            frame=oracle.frame,
        )
    except ConsensusError as error:
        raise click.ClickException(str(error)) from error
