"""The standard Beacon REST API, as much of it as an oracle needs. Errors name the node and what to do.

Nothing that a node sends is trusted to be small, whole or in time: every answer has a largest size and a deadline.
That a state is the one its header promises is for the caller to check.
"""

import json
import mmap
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from sluice.beacon.answers import (
    Bytes32,
    ExecutionBlock,
    Finality,
    Fork,
    Genesis,
    Header,
    HeaderMessage,
    PendingConsolidation,
    PendingDeposit,
    PendingPartialWithdrawal,
    Spec,
    StateDownload,
    Syncing,
    Validator,
)
from sluice.beacon.containers import BlockHeader
from sluice.units import Slot
from sluice.web import Body, TooLargeError, new_client, reason_of, shown

JSON_LIMIT: Final = 64 << 20
STATE_LIMIT: Final = 1 << 30
SSZ: Final = "application/octet-stream"
VERSION_HEADER: Final = "eth-consensus-version"
NOT_FOUND: Final = 404


class BeaconError(Exception):
    """A beacon node did not give what was asked for."""

    def __init__(self, node: str, path: str, reason: str) -> None:
        self.node = node
        self.path = path
        super().__init__(f"beacon node {shown(node)}: {path}: {reason}")


class BeaconUnavailableError(BeaconError):
    """It does not answer, or says that it cannot now. Try again later, or another node."""


class BeaconNotFoundError(BeaconError):
    """It has no such block or state: a missed slot, or one that it has pruned."""


class BeaconRefusedError(BeaconError):
    """It does not take the request (4xx)."""


class BeaconAnswerError(BeaconError):
    """Its answer is not what the standard says, too large, or too slow. Do not use this node."""


_T = TypeVar("_T")
_Id = str | int | bytes


class BeaconClient:
    """One node. ``timeout`` is for one read, ``deadline`` for a whole answer; both in seconds."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 10.0,
        deadline: float = 60.0,
        state_deadline: float = 600.0,
        json_limit: int = JSON_LIMIT,
        state_limit: int = STATE_LIMIT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._deadline = deadline
        self._state_deadline = state_deadline
        self._json_limit = json_limit
        self._state_limit = state_limit
        self._client = new_client(timeout=timeout, transport=transport, follow_redirects=False)

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- The chain ---

    def genesis(self) -> Genesis:
        return self._get("/eth/v1/beacon/genesis", Genesis)

    def spec(self) -> Spec:
        path = "/eth/v1/config/spec"
        values = self._get(path, dict[str, Any])
        try:
            return Spec(
                seconds_per_slot=int(values["SECONDS_PER_SLOT"]),
                slots_per_epoch=int(values["SLOTS_PER_EPOCH"]),
                preset=str(values["PRESET_BASE"]),
                deposit_contract=bytes.fromhex(str(values["DEPOSIT_CONTRACT_ADDRESS"])[2:]),
                deposit_chain_id=int(values["DEPOSIT_CHAIN_ID"]),
                values=values,
            )
        except (KeyError, ValueError) as error:
            raise self._bad(path, f"the specification lacks or garbles {error}") from error

    def finality(self, state: _Id = "head") -> Finality:
        return self._get(f"/eth/v1/beacon/states/{_id(state)}/finality_checkpoints", Finality)

    def fork(self, state: _Id = "head") -> Fork:
        return self._get(f"/eth/v1/beacon/states/{_id(state)}/fork", Fork)

    # --- Blocks ---

    def header(self, block: _Id) -> Header:
        """Of a slot, a root, ``head``, ``finalized`` ... ; ``BeaconNotFoundError`` for a missed slot.

        Its root is that of its fields: who trusts the root can trust the state root.
        """
        path = f"/eth/v1/beacon/headers/{_id(block)}"
        answer = self._json(path)
        try:
            data = answer["data"]
            message = HeaderMessage.model_validate(data["header"]["message"])
            root = _BYTES32.validate_python(data["root"])
        except (KeyError, TypeError, ValidationError) as error:
            raise self._bad(path, f"not a header: {error}") from error
        hashed = BlockHeader(
            Slot(message.slot), message.proposer_index, message.parent_root, message.state_root, message.body_root
        ).root()
        if hashed != root:
            raise self._bad(path, f"the header has the root 0x{hashed.hex()}, not 0x{root.hex()}")
        return Header(
            root=root,
            slot=message.slot,
            proposer_index=message.proposer_index,
            parent_root=message.parent_root,
            state_root=message.state_root,
            body_root=message.body_root,
            finalized=answer.get("finalized") is True,
            optimistic=answer.get("execution_optimistic") is True,
        )

    def header_at(self, slot: int) -> Header | None:
        """None where the slot has no block."""
        try:
            found = self.header(slot)
        except BeaconNotFoundError:
            return None
        if found.slot != slot:
            raise self._bad(f"/eth/v1/beacon/headers/{slot}", f"the header is of slot {found.slot}")
        return found

    def execution_block(self, block: _Id) -> ExecutionBlock:
        path = f"/eth/v2/beacon/blocks/{_id(block)}"
        try:
            payload = self._json(path)["data"]["message"]["body"]["execution_payload"]
            return ExecutionBlock.model_validate(payload)
        except (KeyError, TypeError, ValidationError) as error:
            raise self._bad(path, f"not a block with an execution payload: {error}") from error

    # --- States ---

    def state_root(self, state: _Id) -> bytes:
        path = f"/eth/v1/beacon/states/{_id(state)}/root"
        try:
            return _BYTES32.validate_python(self._get(path, dict[str, Any])["root"])
        except (KeyError, ValidationError) as error:
            raise self._bad(path, f"not a root: {error}") from error

    def download_state(self, state: _Id, sink: BinaryIO) -> StateDownload:
        """The whole state as SSZ, written to ``sink`` as it comes."""
        path = f"/eth/v2/debug/beacon/states/{_id(state)}"
        with self._stream("GET", path, accept=SSZ, deadline=self._state_deadline, limit=self._state_limit) as answer:
            headers = answer.response.headers
            fork, content_type = headers.get(VERSION_HEADER), headers.get("content-type", "")
            if not content_type.startswith(SSZ) or not fork:
                raise self._bad(path, f"no SSZ state but '{content_type}', fork '{fork}': does it serve /eth/v2/debug?")
            size = 0
            for block in answer.blocks():
                size += len(block)
                sink.write(block)
        return StateDownload(fork, size)

    def state(self, state: _Id, folder: Path | None = None) -> tuple[memoryview, str]:
        """The SSZ of a state and its fork. It comes into a file without a name in ``folder`` and is mapped: the memory
        holds what is read of it, and the file goes with the last view.
        """
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            found = self.download_state(state, file)
            file.flush()
            if not found.size:
                raise self._bad(f"/eth/v2/debug/beacon/states/{_id(state)}", "an empty state")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)), found.fork

    def validators(self, state: _Id = "head", ids: Sequence[int | bytes] = ()) -> list[Validator]:
        """All, or those with these indices or public keys; unknown ones are left out."""
        path = f"/eth/v1/beacon/states/{_id(state)}/validators"
        if not ids:
            return self._get(path, list[Validator])
        return self._post(path, {"ids": [_id(one) for one in ids]}, list[Validator])

    def validator(self, which: int | bytes, state: _Id = "head") -> Validator | None:
        found = self.validators(state, [which])
        return found[0] if found else None

    def pending_deposits(self, state: _Id = "head") -> list[PendingDeposit]:
        return self._get(f"/eth/v1/beacon/states/{_id(state)}/pending_deposits", list[PendingDeposit])

    def pending_partial_withdrawals(self, state: _Id = "head") -> list[PendingPartialWithdrawal]:
        path = f"/eth/v1/beacon/states/{_id(state)}/pending_partial_withdrawals"
        return self._get(path, list[PendingPartialWithdrawal])

    def pending_consolidations(self, state: _Id = "head") -> list[PendingConsolidation]:
        return self._get(f"/eth/v1/beacon/states/{_id(state)}/pending_consolidations", list[PendingConsolidation])

    # --- The node ---

    def syncing(self) -> Syncing:
        return self._get("/eth/v1/node/syncing", Syncing)

    def version(self) -> str:
        path = "/eth/v1/node/version"
        try:
            return str(self._get(path, dict[str, Any])["version"])
        except KeyError as error:
            raise self._bad(path, "no version") from error

    def submit_voluntary_exit(self, epoch: int, validator_index: int, signature: bytes) -> None:
        self._send(
            "/eth/v1/beacon/pool/voluntary_exits",
            {
                "message": {"epoch": str(epoch), "validator_index": str(validator_index)},
                "signature": "0x" + signature.hex(),
            },
        )

    # --- Transport ---

    def _get(self, path: str, kind: type[_T]) -> _T:
        return self._parse(path, self._json(path), kind)

    def _post(self, path: str, body: object, kind: type[_T]) -> _T:
        return self._parse(path, self._json(path, method="POST", body=body), kind)

    def _send(self, path: str, body: object) -> None:
        with self._stream("POST", path, body=body, deadline=self._deadline, limit=self._json_limit) as answer:
            for _ in answer.blocks():
                pass

    def _parse(self, path: str, answer: dict[str, Any], kind: type[_T]) -> _T:
        try:
            return TypeAdapter(kind).validate_python(answer["data"])
        except (KeyError, ValidationError) as error:
            raise self._bad(path, f"not what the standard says: {error}") from error

    def _json(self, path: str, method: str = "GET", body: object = None) -> dict[str, Any]:
        with self._stream(method, path, body=body, deadline=self._deadline, limit=self._json_limit) as answer:
            text = b"".join(answer.blocks())
        try:
            found = json.loads(text)
        except ValueError as error:
            raise self._bad(path, f"no JSON: {text[:80]!r}") from error
        if not isinstance(found, dict):
            raise self._bad(path, f"no JSON object: {text[:80]!r}")
        return found

    @contextmanager
    def _stream(
        self,
        method: str,
        path: str,
        *,
        deadline: float,
        limit: int,
        accept: str = "application/json",
        body: object = None,
    ) -> Iterator[Body]:
        end = time.monotonic() + deadline
        try:
            with self._client.stream(method, self.url + path, headers={"accept": accept}, json=body) as response:
                answer = Body(response, limit, end)
                if response.status_code >= 300:
                    raise self._error(path, response.status_code, answer.excerpt())
                yield answer
        except TooLargeError as error:
            raise self._bad(path, str(error)) from error
        except httpx.HTTPError as error:
            raise BeaconUnavailableError(self.url, path, reason_of(error)) from error

    def _error(self, path: str, code: int, text: str) -> BeaconError:
        if code == NOT_FOUND:
            return BeaconNotFoundError(self.url, path, f"not found: {text}")
        if code >= 500 or code in (408, 429):
            return BeaconUnavailableError(self.url, path, f"{code}: {text}")
        return BeaconRefusedError(self.url, path, f"{code}: {text}")

    def _bad(self, path: str, reason: str) -> BeaconAnswerError:
        return BeaconAnswerError(self.url, path, reason)


_BYTES32: Final[TypeAdapter[bytes]] = TypeAdapter(Bytes32)


def _id(value: _Id) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
