"""The controls of a running devnet: time, keys, offences, faults. Over HTTP, so that any process can use them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from sluice.units import Epoch, Slot
from sluice.web import new_client

PATIENT = 600.0
"""Seconds: many slots in one call take a while."""


class ControlsError(Exception):
    """The devnet refuses, or does not answer."""


@dataclass(frozen=True)
class Status:
    slot: Slot
    """The current one, which may have no block."""
    head_slot: Slot
    """Of the newest block."""
    head_root: bytes
    finalized_epoch: Epoch
    finalized_slot: Slot
    """Where the finalised epoch begins."""
    justified_epoch: Epoch
    slots_per_epoch: int
    realtime: bool
    blocks: int | None = None
    """How many an ``advance`` has made."""


class Controls:
    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._client = new_client(base_url=self.url, timeout=httpx.Timeout(PATIENT, connect=5.0))

    # --- Time ---

    def status(self) -> Status:
        return _status(self._call("GET", "status"))

    def advance(self, slots: int = 1, skip: int = 0) -> Status:
        """First ``skip`` slots without a block, then ``slots`` with one each, where the proposer is able to."""
        return _status(self._call("POST", "advance", slots=slots, skip=skip))

    def reorg(self, depth: int = 1) -> Status:
        """Drop the last blocks; what was sent in them waits for a new one."""
        return _status(self._call("POST", "reorg", depth=depth))

    def snapshot(self) -> str:
        return str(self._call("POST", "snapshot")["id"])

    def revert(self, snapshot: str) -> Status:
        """Back to a snapshot, any number of times; later ones are gone then."""
        return _status(self._call("POST", "revert", id=snapshot))

    # --- Validators ---

    def add_keys(self, secrets: Iterable[bytes]) -> int:
        """BLS secrets of validators that shall do their duties. Returns how many keys are held now."""
        return int(self._call("POST", "keys", secrets=[secret.hex() for secret in secrets])["keys"])

    def slash(self, indices: Sequence[int], offence: Literal["proposal", "vote"] = "proposal") -> None:
        """Offences that the next block proves. With ``vote`` all are in one slashing, however many."""
        self._call("POST", "slash", indices=list(indices), offence=offence)

    def set_offline(self, indices: Iterable[int]) -> None:
        """These validators, and no others, do nothing from now on."""
        self._call("POST", "offline", indices=list(indices))

    # --- Faults ---

    def set_faults(self, endpoint: int = 0, **faults: Any) -> None:  # noqa: ANN401 - JSON
        """These and no others; none clears the endpoint. See docs/devnet.md for their names."""
        self._call("POST", "faults", endpoint=endpoint, faults=faults)

    def faults(self) -> list[dict[str, Any]]:
        """Of each endpoint."""
        found: list[dict[str, Any]] = self._call("GET", "faults")
        return found

    def stats(self) -> dict[str, Any]:
        """Milliseconds a slot by step, and the memory of the consensus half."""
        found: dict[str, Any] = self._call("GET", "stats")
        return found

    def _call(self, method: str, name: str, **body: Any) -> Any:  # noqa: ANN401 - JSON
        try:
            response = self._client.request(method, f"/devnet/{name}", json=body if method == "POST" else None)
        except httpx.HTTPError as error:
            reason = f"no devnet answers at {self.url} ({error}): start one with `sluice devnet up`"
            raise ControlsError(reason) from error
        if response.is_error:
            raise ControlsError(f"the devnet refuses {name}: {_message(response)}")
        return response.json()

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.text[:200]}"


def _status(found: dict[str, Any]) -> Status:
    return Status(
        slot=Slot(found["slot"]),
        head_slot=Slot(found["head_slot"]),
        head_root=bytes.fromhex(found["head_root"][2:]),
        finalized_epoch=Epoch(found["finalized_epoch"]),
        finalized_slot=Slot(found["finalized_slot"]),
        justified_epoch=Epoch(found["justified_epoch"]),
        slots_per_epoch=found["slots_per_epoch"],
        realtime=found["mode"] == "realtime",
        blocks=found.get("blocks"),
    )
