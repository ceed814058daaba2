"""信箱 Waiting for a message: it ends when one is there, whoever put it, and costs nobody else the gateway's time.

The site listens on a real port here, with as few threads as a configuration may have.
"""

import http.client
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask

from gateway.config import LEAST_THREADS
from gateway.store import tables as t
from gateway.web.api import reads
from gateway.web.server import open_server
from tests.gateway_world import Partner, World
from tests.web.callers import JOSE, a_referral, a_token

FEDERATION = "cn/agency/womens_federation.520102"
PUTS = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=30) as connection:
    connection.execute("UPDATE outbox SET state = 'available'")
"""
"""What another process does that puts a letter into a mailbox, as far as the database can tell."""


@dataclass
class Served:
    """A gateway that listens."""

    world: World
    url: str
    waiting: list[threading.Thread] = field(default_factory=list)
    answers: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def office(self) -> Partner:
        return self.world.partners[FEDERATION]

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)

    def head(self) -> dict[str, str]:
        """A fresh token for one look into the mailbox."""
        token = a_token(self.world, self.office, "", url=f"{self.url}/v1/inbox")
        return {"Authorization": f"Bearer {token}"}

    def ask(self, query: str) -> tuple[int, bytes]:
        connection = self.connect()
        connection.request("GET", f"/v1/inbox{query}", headers=self.head())
        response = connection.getresponse()
        found = response.status, response.read()
        connection.close()
        return found

    def wait(self, count: int, seconds: int = reads.LONGEST_WAIT) -> None:
        """So many ask and wait; returns when the gateway has let all of them in."""
        before = self.looks()
        for _ in range(count):
            thread = threading.Thread(target=lambda: self.answers.append(self.ask(f"?wait={seconds}")))
            thread.start()
            self.waiting.append(thread)
        until(lambda: self.looks() == before + count)

    def looks(self) -> int:
        """How often a token was used up."""
        return len(self.world.rows(t.used_tokens))

    def join(self) -> list[tuple[int, bytes]]:
        for thread in self.waiting:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self.waiting)
        return self.answers

    def post(self, raw: bytes) -> int:
        connection = self.connect()
        connection.request("POST", "/v1/messages", body=raw, headers={"Content-Type": JOSE})
        status = connection.getresponse().status
        connection.close()
        return status


def until(is_so: Callable[[], bool]) -> None:
    end = monotonic() + 30
    while not is_so():
        assert monotonic() < end, "it did not come about"
        sleep(0.01)


@pytest.fixture
def served(world: World, site: Flask) -> Iterator[Served]:
    server: Any = open_server(site, host="127.0.0.1", port=0, threads=LEAST_THREADS)
    thread = threading.Thread(target=server.asyncore.loop, kwargs={"timeout": 0.05, "map": server._map})
    thread.start()
    alone = len(server._map)
    yield Served(world, f"http://127.0.0.1:{server.effective_port}")
    until(lambda: len(server._map) == alone)
    server.task_dispatcher.shutdown(timeout=5)
    for channel in list(server._map.values()):
        channel.close()
    thread.join(10)
    assert not thread.is_alive()


def a_letter(world: World, number: int = 1) -> None:
    world.accept(a_referral(world, number, needs=[{"programme": "PSY"}]))
    world.dispatch()


def test_what_another_process_puts_there_ends_the_waiting(served: Served) -> None:
    a_letter(served.world)
    served.world.change(t.outbox.update().values(state="queued"))
    served.wait(1)
    assert served.answers == []
    database = sa.make_url(served.world.url).database
    subprocess.run([sys.executable, "-c", PUTS, str(database)], check=True, timeout=60)
    ((status, body),) = served.join()
    assert (status, body.count(b"\n")) == (200, 1)


def test_a_letter_that_is_there_already_is_no_reason_to_wait_for_others(served: Served) -> None:
    a_letter(served.world)
    status, body = served.ask(f"?wait={reads.LONGEST_WAIT}")
    assert (status, body.count(b"\n")) == (200, 1)


def test_only_what_comes_after_the_cursor_ends_the_waiting(served: Served) -> None:
    a_letter(served.world, 1)
    thread = threading.Thread(target=lambda: served.answers.append(served.ask(f"?after=1&wait={reads.LONGEST_WAIT}")))
    thread.start()
    served.waiting.append(thread)
    until(lambda: served.looks() == 1)
    a_letter(served.world, 2)
    ((_, body),) = served.join()
    assert body.count(b"\n") == 1
    assert served.ask("")[1].count(b"\n") == 2


def test_while_as_many_wait_as_may_referrals_are_taken_in(served: Served) -> None:
    served.wait(reads.WAITERS)
    assert [served.post(a_referral(served.world, number)) for number in range(1, 31)] == [202] * 30
    assert served.answers == []
    a_letter(served.world, 99)
    assert [status for status, _ in served.join()] == [200] * reads.WAITERS


def test_who_comes_when_all_places_are_taken_is_answered_at_once_and_holds_nobody_up(served: Served) -> None:
    served.wait(reads.WAITERS)
    assert [served.ask(f"?wait={reads.LONGEST_WAIT}") for _ in range(12)] == [(200, b"")] * 12
    assert (served.answers, served.post(a_referral(served.world))) == ([], 202)
    a_letter(served.world, 99)
    served.join()


def test_readers_who_do_not_read_hold_nobody_up(served: Served) -> None:
    """More of them than there are threads; each asked for its letters and then does nothing."""
    for number in range(1, 41):
        a_letter(served.world, number)
    place = urlsplit(served.url)
    idle = []
    for _ in range(LEAST_THREADS * 3):
        connection = socket.create_connection((place.hostname or "", place.port or 0), timeout=60)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        head = "".join(f"{name}: {value}\r\n" for name, value in served.head().items())
        connection.sendall(f"GET /v1/inbox HTTP/1.1\r\nHost: {place.netloc}\r\n{head}\r\n".encode())
        idle.append(connection)
    until(lambda: served.looks() == len(idle))
    assert [served.post(a_referral(served.world, number)) for number in range(101, 106)] == [202] * 5
    for connection in idle:
        connection.close()
