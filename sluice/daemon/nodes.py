"""Whether the nodes of a service are of the chain that its contracts are on."""

from typing import Any, Final

from sluice.beacon.client import BeaconClient, BeaconError
from sluice.chain.node import HttpNode, NodeError, NodeUnavailableError
from sluice.daemon.settings import ServiceSettings
from sluice.oracle.views import Contracts
from sluice.web import shown

PATIENCE: Final = 10.0
"""Seconds, for one answer: the start should not wait long for a node that rounds will tell of."""


class WrongChainError(Exception):
    """A node is of another chain than the contracts."""


def check_nodes(settings: ServiceSettings, contracts: Contracts, log: Any) -> None:  # noqa: ANN401 - of structlog
    """Raises :class:`WrongChainError`; a node that cannot say now is only told."""
    for url in settings.execution_urls:
        with HttpNode(url, PATIENCE, deadline=PATIENCE) as node:
            try:
                chain_id = int(node.request("eth_chainId"), 16)
            except (NodeError, NodeUnavailableError) as error:
                log.warning("node not checked", node=shown(url), error=str(error))
                continue
        _compare(f"execution node {shown(url)}", {"chain id": (chain_id, contracts.chain_id)})
    for url in settings.beacon_urls:
        with BeaconClient(url, timeout=PATIENCE, deadline=PATIENCE) as beacon:
            try:
                genesis, spec = beacon.genesis(), beacon.spec()
            except BeaconError as error:
                log.warning("node not checked", node=shown(url), error=str(error))
                continue
        found = {
            "DEPOSIT_CHAIN_ID": (spec.deposit_chain_id, contracts.chain_id),
            "genesis time": (genesis.genesis_time, contracts.genesis_time),
            "SECONDS_PER_SLOT": (spec.seconds_per_slot, contracts.seconds_per_slot),
        }
        _compare(f"beacon node {shown(url)}", found)


def _compare(node: str, found: dict[str, tuple[int, int]]) -> None:
    for name, (its, theirs) in found.items():
        if its != theirs:
            raise WrongChainError(f"{node} is of another chain: its {name} is {its}, that of the contracts {theirs}")
