"""A node that lies on the wire: a proxy before a real one that changes some of its answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from sluice.web import new_client
from tests.served import serving

Change = Callable[[str, bytes, bytes], bytes]
"""Path, body of the request, answer -> answer."""


@contextmanager
def altered(upstream: str, change: Change) -> Iterator[str]:
    """The URL of the liar."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            passed = {name: self.headers[name] for name in ("Accept", "Content-Type") if name in self.headers}
            found = client.request(self.command, upstream + self.path, content=body, headers=passed)
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

    with new_client(timeout=30) as client, serving(Handler) as server:
        yield f"http://127.0.0.1:{server.server_port}"


def of_calls(change: Callable[[dict[str, Any], Any], Any]) -> Change:
    """Of an execution node: what is asked, its result -> result; of a batch one after the other."""

    def one(asked: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
        return found | {"result": change(asked, found["result"])} if "result" in found else found

    def alter(_: str, body: bytes, answer: bytes) -> bytes:
        asked, found = json.loads(body), json.loads(answer)
        if isinstance(asked, dict):
            return json.dumps(one(asked, found)).encode()
        by_id = {each["id"]: each for each in found}
        return json.dumps([one(each, by_id[each["id"]]) for each in asked]).encode()

    return alter
