"""A local Ethereum with both halves: an execution node and a consensus layer that is real (``devnet/``, in Node)."""

from sluice.devnet.controls import Controls, ControlsError, Status
from sluice.devnet.devnet import Devnet
from sluice.devnet.processes import DevnetError
from sluice.devnet.settings import Backend, DevnetSettings

__all__ = ["Backend", "Controls", "ControlsError", "Devnet", "DevnetError", "DevnetSettings", "Status"]
