"""The real server on a loopback port: what waitress refuses is a problem document too, and slow ones stop nobody."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse

import pytest
from flask import Flask

from gateway.envelope.encryption import MAX_JWE_BYTES
from gateway.web.server import MAX_HEADERS, open_server
from gateway.web.site import MAX_REQUEST
from tests.gateway_world import COURT, World
from tests.web.callers import JOSE, NDJSON, PROBLEM, a_referral, a_token, receipt_of

THREADS = 4


@dataclass(frozen=True)
class Address:
    """Where the server listens."""

    port: int

    def connection(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=20)

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


@pytest.fixture
def server(site: Flask) -> Iterator[Address]:
    """Serves from a thread until the test ends; idle connections are closed after a second."""
    opened = open_server(site, host="127.0.0.1", port=0, threads=THREADS, channel_timeout=1, cleanup_interval=1)
    thread = threading.Thread(target=opened.asyncore.loop, kwargs={"timeout": 0.2, "map": opened._map})
    thread.start()
    yield Address(opened.effective_port)
    opened.task_dispatcher.shutdown(timeout=5)
    for channel in list(opened._map.values()):
        channel.close()
    thread.join(10)
    assert not thread.is_alive()


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One answer off a bare socket."""
    response = HTTPResponse(connection)
    response.begin()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def raw_answer(server: Address, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """What is answered to bytes that may be no HTTP."""
    with closing(server.socket()) as connection:
        connection.sendall(request)
        return answer(connection)


def is_problem(found: tuple[int, dict[str, str], bytes], status: int) -> bool:
    document = json.loads(found[2])
    return (found[0], found[1]["content-type"], document["status"]) == (status, PROBLEM, status)


def test_a_message_and_its_replay_over_one_connection(world: World, server: Address) -> None:
    raw = a_referral(world)
    with closing(server.connection()) as connection:
        answers = []
        for _ in range(3):
            connection.request("POST", "/v1/messages", raw, {"Content-Type": JOSE})
            response = connection.getresponse()
            answers.append((response.status, response.read()))
            assert response.getheader("Server") is None
    assert [status for status, _ in answers] == [202, 200, 200]
    assert len({body for _, body in answers}) == 1
    receipt_of(world, answers[0][1], recipient=COURT)


def test_a_read_with_a_token_for_the_address_that_was_asked(world: World, server: Address) -> None:
    token = a_token(world, world.court, "", url=f"http://127.0.0.1:{server.port}/v1/balance")
    with closing(server.connection()) as connection:
        connection.request("GET", "/v1/balance?from=2026-01-01", headers={"Authorization": f"Bearer {token}"})
        assert connection.getresponse().status == 200


def test_a_body_in_chunks_is_one_message(world: World, server: Address) -> None:
    raw = a_referral(world)
    parts = [raw[at : at + 100] for at in range(0, len(raw), 100)]
    with closing(server.connection()) as connection:
        connection.request("POST", "/v1/messages", iter(parts), {"Content-Type": JOSE}, encode_chunked=True)
        assert connection.getresponse().status == 202


def test_a_batch_is_answered_line_by_line(world: World, server: Address) -> None:
    body = b"\n".join([*(a_referral(world, number) for number in range(1, 200)), b"x"])
    with closing(server.connection()) as connection:
        connection.request("POST", "/v1/messages/batch", body, {"Content-Type": NDJSON})
        response = connection.getresponse()
        lines = response.read().splitlines()
    assert (response.status, len(lines)) == (200, 200)
    assert json.loads(lines[-1])["code"] == "not_jose"


# --- too large ---


def head(length: int, *, path: str = "/v1/messages", more: str = "") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {JOSE}\r\nContent-Length: {length}\r\n{more}\r\n"
    ).encode()


@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"], ids=["plain", "asking first"])
@pytest.mark.parametrize("length", [MAX_REQUEST + 1, 10**15])
def test_what_is_announced_too_large_is_refused_before_a_byte_of_it_is_sent(
    server: Address, length: int, expect: str
) -> None:
    found = raw_answer(server, head(length, more=expect))
    assert is_problem(found, 413)
    assert json.loads(found[2])["code"] == "too_large"
    assert found[1]["connection"] == "close"
    assert found[1]["x-content-type-options"] == "nosniff"


def test_the_refusal_speaks_the_sender_s_language(server: Address) -> None:
    found = raw_answer(server, head(10**12, more="Accept-Language: en\r\n"))
    assert json.loads(found[2])["title"] == "The message is too large"
    assert found[1]["content-language"] == "en"


def test_one_message_too_large_is_refused_by_the_site(server: Address) -> None:
    found = raw_answer(server, head(MAX_JWE_BYTES + 2) + b"a" * (MAX_JWE_BYTES + 2))
    assert is_problem(found, 413)


def test_a_sender_that_asks_first_is_told_to_go_on(world: World, server: Address) -> None:
    raw = a_referral(world)
    with closing(server.socket()) as connection:
        connection.sendall(head(len(raw), more="Expect: 100-continue\r\n"))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(raw)
        assert answer(connection)[0] == 202


# --- broken ---


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"GET /\r\nno colon here\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * MAX_HEADERS + b"\r\n\r\n",
    ],
    ids=["TLS", "header", "length", "negative", "chunk", "coding", "long headers"],
)
def test_what_is_no_http_is_refused_with_a_problem_that_repeats_nothing(server: Address, request_: bytes) -> None:
    status, headers, body = raw_answer(server, request_)
    assert 400 <= status < 600
    assert headers["content-type"] == PROBLEM
    assert set(json.loads(body)) >= {"type", "title", "status", "code"}
    assert b"waitress" not in body
    assert b"aaaa" not in body


def test_two_lengths_are_refused(server: Address) -> None:
    request = b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
    assert raw_answer(server, request)[0] in (400, 413, 415)


# --- slow ---


def test_slow_senders_stop_nobody(world: World, server: Address) -> None:
    slow = [server.socket() for _ in range(5 * THREADS)]
    try:
        for connection in slow:
            connection.sendall(head(1000)[:40])
        started = time.monotonic()
        with closing(server.connection()) as connection:
            connection.request("POST", "/v1/messages", a_referral(world), {"Content-Type": JOSE})
            assert connection.getresponse().status == 202
        assert time.monotonic() - started < 3
    finally:
        for connection in slow:
            connection.close()


def test_a_connection_on_which_nothing_moves_is_closed(server: Address) -> None:
    with closing(server.socket()) as connection:
        connection.sendall(head(1000) + b"a")
        started = time.monotonic()
        assert connection.recv(100) == b""
        assert time.monotonic() - started < 10


def test_a_sender_that_hangs_up_in_the_middle_stops_nobody(world: World, server: Address) -> None:
    for _ in range(2 * THREADS):
        connection = server.socket()
        connection.sendall(head(1000) + b"a" * 500)
        connection.close()
    with closing(server.connection()) as after:
        after.request("GET", "/healthz")
        assert after.getresponse().status == 200
    assert world.store.write(lambda _: True)
