"""HTTP with servers that are not trusted: what they send is read within a size and a time, and no error or log tells
more of a URL than where it leads.
"""

import json
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

NO_URL: Final = "(no URL)"


@cache
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def new_client(**options: Any) -> httpx.Client:  # noqa: ANN401 - those of httpx
    """With the certificates that are read once: each client of its own would read them anew, for 20 ms of CPU."""
    return httpx.Client(verify=_certificates(), **options)


class TooLargeError(Exception):
    """More came than may."""


def shown(url: str) -> str:
    """Scheme, host and port alone: the rest may hold a key."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return NO_URL
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else NO_URL


def reason_of(error: httpx.HTTPError) -> str:
    """Why there is no answer."""
    if isinstance(error, httpx.TimeoutException):
        return f"no answer in time ({error or type(error).__name__})"
    return f"{error or type(error).__name__}; is it running, and is this its address?"


@dataclass(frozen=True)
class Body:
    """Of an answer. ``end`` is a time of the monotonic clock, ``limit`` in bytes. Headers, which come before it, httpx
    bounds in size alone: each read of them has its timeout, all together have no end.
    """

    response: httpx.Response
    limit: int
    end: float

    def blocks(self) -> Iterator[bytes]:
        """As it comes; raises :class:`TooLargeError`, and ``httpx.ReadTimeout`` where it is not whole in time."""
        size = 0
        for block in self.response.iter_bytes():
            size += len(block)
            if size > self.limit:
                raise TooLargeError(f"more than {self.limit:,} bytes")
            if time.monotonic() > self.end:
                raise httpx.ReadTimeout(f"not whole after {size:,} bytes")
            yield block

    def excerpt(self, most: int = 300) -> str:
        """The beginning of an error's text; its message where it has one."""
        text = b""
        for block in self.blocks():
            text += block
            if len(text) > 10 * most:
                break
        try:
            return str(json.loads(text)["message"])[:most]
        except (ValueError, KeyError, TypeError):
            return text[:most].decode(errors="replace")
