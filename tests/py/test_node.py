"""The execution node's client against answers that are slow, large or none: what a daemon must not be held by."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from sluice.beacon.client import BeaconClient, BeaconError, BeaconRefusedError
from sluice.chain.node import HttpNode, NodeAnswerError, NodeError, NodeUnavailableError, call, call_many, get_logs
from sluice.web import shown

ADDRESS = "0x" + "11" * 20
SECRET = "http://user:word@node:8545/v3/secret?key=secret#secret"


def node_that(answers: httpx.Response | httpx.HTTPError, **more: float) -> HttpNode:
    def answer(_: httpx.Request) -> httpx.Response:
        if isinstance(answers, Exception):
            raise answers
        return answers

    return HttpNode(SECRET, transport=httpx.MockTransport(answer), **more)  # type: ignore[arg-type]


def drip() -> Iterator[bytes]:
    while True:
        time.sleep(0.01)
        yield b" "


def test_answer_that_drips_is_given_up_in_time() -> None:
    start = time.monotonic()
    with pytest.raises(
        NodeUnavailableError, match=r"http://node:8545: no answer in time \(not whole after \d+ bytes\)"
    ):
        node_that(httpx.Response(200, content=drip()), deadline=0.1).request("eth_chainId")
    assert time.monotonic() - start < 5


def test_answer_that_is_too_large_is_dropped_on_the_way() -> None:
    with pytest.raises(NodeAnswerError, match="more than 10 bytes"):
        node_that(httpx.Response(200, content=drip()), limit=10).request("eth_chainId")


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (httpx.ConnectError("[Errno 111] Connection refused"), "Connection refused; is it running"),
        (httpx.ReadTimeout("timed out"), "no answer in time (timed out)"),
        (httpx.Response(401, json={"message": "who are you"}), "401: who are you"),
        (httpx.Response(302, headers={"location": SECRET}), "302: "),
        (httpx.Response(200, text="<html>"), "no JSON: b'<html>'"),
    ],
)
def test_errors_name_the_node_and_no_secret(answers: httpx.Response | httpx.HTTPError, words: str) -> None:
    with pytest.raises(NodeUnavailableError) as caught:
        node_that(answers).request("eth_chainId")
    assert str(caught.value).startswith("execution node http://node:8545: ")
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "word" not in str(caught.value)


@pytest.mark.parametrize(("answers", "tries"), [(httpx.ConnectError("away"), 1), (httpx.Response(413), 6)])
def test_fewer_logs_are_asked_for_where_a_node_refuses_and_not_where_it_is_away(
    answers: httpx.Response | httpx.HTTPError, tries: int
) -> None:
    asked = 0

    def counted(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        if isinstance(answers, Exception):
            raise answers
        return answers

    node = HttpNode("http://node", transport=httpx.MockTransport(counted))
    with pytest.raises(NodeUnavailableError):
        get_logs(node, ADDRESS, [bytes(32)], 0, 9_999)
    assert asked == tries


def test_beacon_errors_name_the_node_and_no_secret() -> None:
    answer = httpx.MockTransport(lambda _: httpx.Response(400, json={"message": "nonsense"}))
    with pytest.raises(BeaconRefusedError) as caught:
        BeaconClient("http://user:word@node:5052/secret", transport=answer).syncing()
    assert str(caught.value) == "beacon node http://node:5052: /eth/v1/node/syncing: 400: nonsense"
    assert isinstance(caught.value, BeaconError)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (SECRET, "http://node:8545"),
        ("https://secret@[::1]:5052/", "https://[::1]:5052"),
        ("https://node?secret", "https://node"),
        ("secret", "(no URL)"),
        ("http://[secret", "(no URL)"),
    ],
)
def test_url_is_shown_without_what_may_be_secret(url: str, words: str) -> None:
    assert shown(url) == words


def test_address_without_code_is_named() -> None:
    """What the services begin with, and where a wrong ``oracle`` shows."""

    def empty(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        answers = [{"id": each["id"], "result": "0x"} for each in ([asked] if isinstance(asked, dict) else asked)]
        return httpx.Response(200, json=answers[0] if isinstance(asked, dict) else answers)

    with HttpNode("http://node", transport=httpx.MockTransport(empty)) as node:
        with pytest.raises(NodeError, match=f"no contract at {ADDRESS} on this chain"):
            call(node, ADDRESS, "vault()", returns=["address"])
        with pytest.raises(NodeError, match=f"no contract at {ADDRESS} on this chain"):
            call_many(node, ADDRESS, "bondOf(uint256)", [[1]], ["uint256"])
        assert call(node, ADDRESS, "sweep()") == ()
