"""A stand-in that outlives the command: its state in a file beside a long-running local chain."""

import json
from pathlib import Path

from sluice.chain.interface import ChainSpec
from sluice.chain.node import Node
from sluice.chain.standin import Frames, StandIn
from sluice.chain.state import ConsensusError
from sluice.units import Slot, Timestamp


def open_stand_in(
    path: Path, node: Node, *, deposit_contract: str, genesis_time: int, slot_seconds: int, first_slot: int, frame: int
) -> StandIn:
    """The state of ``path``; a new one where there is none, or where it belongs to a chain that is gone."""
    if path.exists():
        try:
            return StandIn.load(path, node)
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ConsensusError(
                f"{path} is damaged ({error!r}). Delete it: deposits are read anew, time passes for them again."
            ) from error
        except ValueError:  # of another chain: a local chain that was started anew
            path.unlink()
    return StandIn(
        node,
        deposit_contract=deposit_contract,
        spec=ChainSpec(Timestamp(genesis_time), slot_seconds),
        frames=Frames(Slot(first_slot), frame),
    )
