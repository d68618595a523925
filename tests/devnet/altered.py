"""A node that lies on the wire: a proxy before a real one that changes some of its answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

Change = Callable[[str, bytes, bytes], bytes]
"""Path, body of the request, answer -> answer."""


@contextmanager
def altered(upstream: str, change: Change) -> Iterator[str]:
    """The URL of the liar."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            passed = {name: self.headers[name] for name in ("Accept", "Content-Type") if name in self.headers}
            found = httpx.request(self.command, upstream + self.path, content=body, headers=passed, timeout=30)
            answer = change(self.path, body, found.content) if found.is_success else found.content
            self.send_response(found.status_code)
            for name in ("Content-Type", "Eth-Consensus-Version"):
                if name in found.headers:
                    self.send_header(name, found.headers[name])
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
