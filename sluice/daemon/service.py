"""The loop of a service, what it shows of itself, and how it ends."""

import fcntl
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import structlog
import uvicorn
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LONGEST_PAUSE: Final = 600.0
"""Seconds, between tries that fail."""
ENDINGS: Final = (signal.SIGINT, signal.SIGTERM)
STALE_ROUNDS: Final = 10.0
"""After so many pauses without a round that went well a service is not ready."""


class AlreadyRunningError(Exception):
    """Another process works in the same folder."""


def configure_logs(form: str, level: str) -> None:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: Any = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )


@contextmanager
def sole(folder: Path) -> Iterator[None]:
    """One process in one folder; the lock goes with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyRunningError(f"another process works in {folder}") from error
        yield


class Service:
    """Runs ``step`` again and again; no failure of one ends it."""

    def __init__(self, name: str, step: Callable[[], str], *, pause: float, routes: tuple[Route, ...] = ()) -> None:
        self.name = name
        self.log = structlog.get_logger(service=name)
        self._step = step
        self._pause = pause
        self._stop = threading.Event()
        self._last_good: float | None = None
        self.status = "starting"
        self.metrics = CollectorRegistry()
        self.rounds = Counter("sluice_rounds", "Rounds by how they ended", ["result"], registry=self.metrics)
        self.age = Gauge(
            "sluice_last_good_round_seconds", "Time of the last round that went well", registry=self.metrics
        )
        self.app = Starlette(
            routes=[
                Route("/health", self._health),
                Route("/ready", self._ready),
                Route("/metrics", self._metrics),
                *routes,
            ]
        )
        self._server: uvicorn.Server | None = None
        self.port = 0

    # --- What it shows ---

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"service": self.name, "status": self.status})

    async def _ready(self, _: Request) -> Response:
        good = self._last_good is not None and time.monotonic() - self._last_good < STALE_ROUNDS * self._pause
        return JSONResponse({"ready": good, "status": self.status}, status_code=200 if good else 503)

    async def _metrics(self, _: Request) -> Response:
        return Response(generate_latest(self.metrics), media_type=CONTENT_TYPE_LATEST)

    @contextmanager
    def serving(self, host: str, port: int) -> Iterator[None]:
        """The endpoints, in a thread of their own."""
        config = uvicorn.Config(self.app, host=host, port=port, log_level="warning", access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, name="endpoints", daemon=True)
        thread.start()
        end = time.monotonic() + 10
        while not server.started:
            if not thread.is_alive() or time.monotonic() > end:
                raise OSError(f"{host}:{port} cannot be listened on: is the port taken?")
            time.sleep(0.01)
        self.port = server.servers[0].sockets[0].getsockname()[1]
        self.log.info("listening", url=f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}")
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(5)

    # --- The loop ---

    def stop(self) -> None:
        self._stop.set()

    @property
    def is_ending(self) -> bool:
        return self._stop.is_set()

    def wait(self, seconds: float) -> bool:
        """Let time pass; at once True where the service ends."""
        return self._stop.wait(seconds)

    def run(self, *, once: bool = False) -> bool:
        """Until it is stopped; with ``once`` a single round. Whether the last round went well."""
        self._obey_signals()
        pause = self._pause
        while True:
            good = self._round()
            if once or self._stop.is_set():
                return good
            pause = self._pause if good else min(2 * pause, LONGEST_PAUSE)
            # several that run side by side do not stay in step
            if self._stop.wait(pause * random.uniform(0.8, 1.2)):  # noqa: S311 - no secret
                self.log.info("stopped")
                return good

    def _round(self) -> bool:
        before = self.status
        try:
            self.status = self._step()
        except Exception as error:
            self.status = f"{type(error).__name__}: {error}"
            self.rounds.labels("failed").inc()
            self.log.warning("round failed", error=self.status)
            self.log.debug("where", exc_info=True)
            return False
        self._last_good = time.monotonic()
        self.age.set_to_current_time()
        self.rounds.labels("good").inc()
        tell = self.log.debug if self.status == before else self.log.info  # what goes on as it was is no news
        tell("round", status=self.status)
        return True

    def _obey_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return

        def end(number: int, _: FrameType | None) -> None:
            self.stop()
            for each in ENDINGS:  # a round can hang: the next one ends it at once, which loses nothing
                signal.signal(each, signal.SIG_DFL)
            self.log.info("ending after the round; once more ends at once", signal=signal.Signals(number).name)

        for each in ENDINGS:
            signal.signal(each, end)
