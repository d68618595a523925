"""How members give each other their signatures: each posts its own to all others, and asks them for theirs.

What is posted proves itself: a signature over a report recovers to its signer, and only members' keys count, for the
slot that is expected now. A member has one signature a slot here; a second one over something else is told as an alarm
and not kept. So nobody can fill the memory, and nothing that is posted can make a member sign.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import structlog
from eth_typing import ChecksumAddress
from eth_utils.address import to_checksum_address
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sluice.oracle.report import Report
from sluice.oracle.signing import OracleDomain, SignatureError, SignedReport, recover, to_full
from sluice.oracle.tree import Leaves
from sluice.units import Gwei, Slot, Wei
from sluice.web import new_client, shown

LARGEST: Final = 16_384
"""Bytes of a posted body."""
POSTS_A_MINUTE: Final = 120
GETS_A_MINUTE: Final = 240
LEAVES_A_MINUTE: Final = 12
"""From one address. Leaves of 300,000 validators are some 5 MB."""
TIMEOUT: Final = 5.0
"""Seconds, of one read."""
DEADLINE: Final = 6.0
"""Seconds, for all peers together."""
SLOTS_KEPT: Final = 4
MOST_MEMBERS: Final = 32
"""As the contract; no honest peer has more signatures for a slot."""
MOST_ADDRESSES: Final = 1_000
"""That are counted one by one; beyond them all others count as one until a minute has passed."""
Endpoint = Callable[[Request], Awaitable[Response]]


class MessageRefusedError(Exception):
    """A message that is not taken; the status code that says why."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        super().__init__(reason)


@dataclass(frozen=True)
class Message:
    """A report and one signature over it."""

    report: Report
    signature: bytes

    def as_json(self) -> dict[str, Any]:
        return {"report": self.report.as_json(), "signature": "0x" + self.signature.hex()}

    @classmethod
    def of(cls, raw: object) -> "Message":
        """Raises :class:`MessageRefusedError` for anything else."""
        if not isinstance(raw, dict):
            raise MessageRefusedError(400, "not a signed report: no object")
        try:
            given = raw["report"]
            report = Report(
                reference_slot=Slot(int(given["reference_slot"])),
                beacon_root=bytes.fromhex(given["beacon_root"][2:]),
                balances_root=bytes.fromhex(given["balances_root"][2:]),
                validators=int(given["validators"]),
                consensus_balance=Gwei(int(given["consensus_balance"])),
                provision=Gwei(int(given["provision"])),
                faults=Gwei(int(given["faults"])),
                withdrawn=Gwei(int(given["withdrawn"])),
                deposited=Gwei(int(given["deposited"])),
                rewards=Wei(int(given["rewards"])),
            )
            return cls(report, to_full(bytes.fromhex(raw["signature"][2:])))
        except (KeyError, TypeError, ValueError, OverflowError, SignatureError) as error:
            raise MessageRefusedError(400, f"not a signed report: {error}") from error


@dataclass
class Book:
    """The signatures of this frame and the leaves of the newest reports. Used by two threads."""

    domain: OracleDomain
    member_of: Callable[[str], str | None]
    """The member whose key it is."""
    expected: Callable[[], Slot]
    alarm: Callable[[str], None] = lambda _: None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _signed: dict[Slot, dict[str, Message]] = field(default_factory=dict)
    _leaves: dict[Slot, Leaves] = field(default_factory=dict)

    def add(self, message: Message) -> ChecksumAddress:
        """The signer's key; raises :class:`MessageRefusedError`."""
        slot = message.report.reference_slot
        with self._lock:
            for signer, each in self._signed.get(slot, {}).items():
                if each == message:
                    return to_checksum_address(signer)
        expected = self.expected()
        if slot != expected:
            raise MessageRefusedError(409, f"slot {slot} is not the expected one, {expected}")
        try:
            key = recover(message.report, self.domain, message.signature)
        except SignatureError as error:
            raise MessageRefusedError(400, f"not a signature: {error}") from error
        if self.member_of(key) is None:
            raise MessageRefusedError(403, f"{key} is no member's key")
        with self._lock:
            of_slot = self._signed.setdefault(slot, {})
            known = of_slot.get(key)
            if known is not None and known.report != message.report:
                self.alarm(f"{key} has signed two reports for slot {slot}")
                raise MessageRefusedError(409, f"{key} has signed another report for slot {slot}")
            of_slot[key] = message
            while len(self._signed) > SLOTS_KEPT:
                del self._signed[min(self._signed)]
        return key

    def messages(self, slot: Slot) -> list[Message]:
        with self._lock:
            return list(self._signed.get(slot, {}).values())

    def for_report(self, report: Report) -> list[SignedReport]:
        """Signatures over exactly this report."""
        with self._lock:
            return [
                SignedReport(bytes.fromhex(key[2:]), message.signature)
                for key, message in self._signed.get(report.reference_slot, {}).items()
                if message.report == report
            ]

    def disagreeing(self, report: Report) -> list[str]:
        """Keys that have signed something else for that slot."""
        with self._lock:
            of_slot = self._signed.get(report.reference_slot, {})
            return [key for key, message in of_slot.items() if message.report != report]

    def keep_leaves(self, slot: Slot, leaves: Leaves) -> None:
        with self._lock:
            self._leaves[slot] = leaves
            while len(self._leaves) > SLOTS_KEPT:
                del self._leaves[min(self._leaves)]

    def leaves(self, slot: Slot) -> Leaves | None:
        with self._lock:
            return self._leaves.get(slot)


class Endpoints:
    """What others can ask of a member."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.log = structlog.get_logger(service="oracle")

    @property
    def routes(self) -> tuple[Route, ...]:
        return (
            Route("/signatures", self._limited(POSTS_A_MINUTE, self._post), methods=["POST"]),
            Route("/signatures/{slot:int}", self._limited(GETS_A_MINUTE, self._get)),
            Route("/reports/{slot:int}/leaves", self._limited(LEAVES_A_MINUTE, self._get_leaves)),
        )

    def _limited(self, most: int, answer: Endpoint) -> Endpoint:
        """``most`` requests a minute from each address; what is refused is told why."""
        times: dict[str, deque[float]] = {}

        async def limited(request: Request) -> Response:
            try:
                count_request(times, request.client.host if request.client else "", most)
                return await answer(request)
            except MessageRefusedError as refused:
                self.log.info("request refused", path=request.url.path, reason=str(refused))
                return JSONResponse({"message": str(refused)}, status_code=refused.code)

        return limited

    async def _post(self, request: Request) -> Response:
        key = await run_in_threadpool(self._book.add, Message.of(await _body(request)))
        return JSONResponse({"signer": key})

    async def _get(self, request: Request) -> Response:
        found = self._book.messages(Slot(request.path_params["slot"]))
        return JSONResponse([each.as_json() for each in found])

    async def _get_leaves(self, request: Request) -> Response:
        leaves = self._book.leaves(Slot(request.path_params["slot"]))
        if leaves is None:
            raise MessageRefusedError(404, "no report of this slot is kept")
        return JSONResponse(
            {
                "balances": leaves.balances.astype("<u8").tobytes().hex(),
                "deposits": [[each.index, each.amount] for each in leaves.deposits],
                "preparations": [each.hex() for each in leaves.preparations],
            }
        )


def count_request(known: dict[str, deque[float]], address: str, most: int) -> None:
    """Raises :class:`MessageRefusedError` beyond ``most`` within a minute."""
    now = time.monotonic()
    if len(known) > MOST_ADDRESSES and address not in known:
        address = ""
    times = known.setdefault(address, deque())
    while times and now - times[0] > 60:
        times.popleft()
    if len(times) >= most:
        raise MessageRefusedError(429, "too many requests from this address within a minute")
    times.append(now)
    if len(known) > MOST_ADDRESSES and now - known[next(iter(known))][-1] > 60:
        for each in [each for each, when in known.items() if now - when[-1] > 60]:
            del known[each]


async def _body(request: Request) -> object:
    text = b""
    async for part in request.stream():
        text += part
        if len(text) > LARGEST:
            raise MessageRefusedError(413, f"more than {LARGEST} bytes")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MessageRefusedError(400, "no JSON") from error


class Peers:
    """The other members, by their addresses. All are asked at once, and none can hold the others up."""

    def __init__(self, urls: Sequence[str], transport: httpx.BaseTransport | None = None) -> None:
        self.urls = tuple(urls)
        self._client = new_client(timeout=TIMEOUT, transport=transport)
        self._asking: dict[str, threading.Thread] = {}
        self.log = structlog.get_logger(service="oracle")

    def publish(self, message: Message) -> int:
        """How many took it in time."""
        taken: list[bool] = []

        def post(url: str) -> None:
            with self._client.stream("POST", f"{url}/signatures", json=message.as_json()) as answer:
                taken.append(answer.is_success)

        self._each(post)
        return sum(taken)

    def collect(self, slot: Slot) -> list[Message]:
        """What they have for a slot, as far as it comes in time; a peer that sends anything else is left out."""
        found: list[Message] = []

        def ask(url: str) -> None:
            text = b""
            with self._client.stream("GET", f"{url}/signatures/{slot}") as answer:
                if not answer.is_success:
                    raise ValueError(f"status {answer.status_code}")
                for part in answer.iter_bytes():
                    text += part
                    if len(text) > 64 * LARGEST:
                        raise ValueError(f"more than {64 * LARGEST} bytes")
            found.extend([Message.of(each) for each in json.loads(text)[:MOST_MEMBERS]])

        self._each(ask)
        return list(found)

    def _each(self, ask: Callable[[str], None]) -> None:
        """Whoever still has not answered the last question is not asked another one."""

        def guarded(url: str) -> None:
            try:
                ask(url)
            except Exception as error:  # noqa: BLE001 - whatever a peer sends, it must not end a round
                self.log.debug("peer failed", url=shown(url), error=f"{type(error).__name__}: {error}")

        started = []
        for url in self.urls:
            before = self._asking.get(url)
            if before is not None and before.is_alive():
                self.log.info("peer hangs", url=shown(url))
                continue
            self._asking[url] = thread = threading.Thread(target=guarded, args=(url,), daemon=True)
            thread.start()
            started.append(thread)
        end = time.monotonic() + DEADLINE
        for thread in started:
            thread.join(max(0.0, end - time.monotonic()))
