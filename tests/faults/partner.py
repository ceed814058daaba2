"""不可靠的对方 An office's real HTTP server on loopback that misbehaves by script, and keeps an honest journal.

    with partner(here, [Trick.TIMEOUT, Trick.HALF]) as office:
        …                       # the first push of the n-th message meets the n-th trick; later pushes are honest
        office.answer_all()     # over HTTP, as an agency would

What arrived is written down by `parties.Agency` before anything goes wrong with the answer.
"""

import json
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from gateway.envelope.keyring import SigningKey
from gateway.sandbox.agency_config import gateway_keyring
from tests.faults.installation import Installation, judge_books
from tests.faults.judge import Counts
from tests.faults.network import message_id_of
from tests.faults.parties import Agency, Lost, Sending
from tests.faults.roles import LOOPBACK, PUSH_SECONDS
from tests.gateway_world import CIVIL_AFFAIRS, GATEWAY


class Trick(StrEnum):
    """How one push is answered."""

    HONEST = "honest"
    TIMEOUT = "timeout"
    DRIP = "drip"
    HALF = "half"
    RESET = "reset"
    DROPPED = "dropped"
    EMPTY_OK = "empty_ok"
    TWICE = "twice"
    ANOTHERS = "anothers"
    LATE_FOR_THE_NEXT = "late_for_the_next"
    WRONG_DIGEST = "wrong_digest"
    PAGE = "page"
    REDIRECT = "redirect"
    ENDLESS = "endless"
    NOT_ARRIVED = "not_arrived"
    HOLD = "hold"


EVERY_TRICK = tuple(trick for trick in Trick if trick not in (Trick.HONEST, Trick.HOLD))
ENDLESS_BYTES = 3 * 1024 * 1024


class Office:
    """Civil affairs, with its server."""

    def __init__(self, here: Installation, script: Sequence[Trick]) -> None:
        folder = here.folder
        self.here, self.script = here, script
        self.agency = Agency(
            party_id=here.template.party,
            key=SigningKey.load_pem((folder / "agency.pem").read_bytes(), here.template.party),
            keyring=gateway_keyring([json.loads((folder / "gateway.jwk").read_text())], GATEWAY),
            clock=here.clock,
            agency="civil_affairs",
            office_id=CIVIL_AFFAIRS,
            plans=lambda _: ["delivered", "ACCEPTED", "PAID"],
        )
        self.order: list[str] = []
        """Message ids in the order they were first pushed."""
        self.pushes: list[str] = []
        self.met: set[Trick] = set()
        self.came, self.release = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._late = b""

    def trick_of(self, message_id: str) -> Trick:
        """What this push of a message meets."""
        with self._lock:
            self.pushes.append(message_id)
            if message_id in self.order:
                return Trick.HONEST
            self.order.append(message_id)
            trick = self.script[len(self.order) - 1] if len(self.order) <= len(self.script) else Trick.HONEST
            self.met.add(trick)
            return trick

    def take(self, raw: bytes) -> tuple[int, bytes]:
        """The honest answer."""
        with self._lock:
            return self.agency.receive(raw)

    def hold_back(self, receipt: bytes) -> bytes:
        """The receipt that was held back before, in place of this one."""
        with self._lock:
            late, self._late = self._late, receipt
            return late

    def answer_all(self) -> None:
        """Everything it has to say, each answer until its outcome is known or this attempt fails."""
        with self._lock:
            matters = list(self.agency.matters.values())
        for matter in matters:
            while (sending := self.agency.next_answer(matter)) is not None:
                self.agency.send(sending, self._post)
                if sending.is_open:
                    break

    def _post(self, sending: Sending) -> tuple[int, bytes]:
        try:
            headers = {"Content-Type": "application/jose"}
            answer = requests.post(f"{self.here.url}/v1/messages", data=sending.raw, headers=headers, timeout=10)
        except requests.RequestException as error:
            raise Lost from error
        return answer.status_code, answer.content

    def judge(self, count: int) -> Counts:
        """The court's journal and this office's."""
        entries = self.here.rows("journal.sqlite", "SELECT effect, state, attempts, receipt FROM entries")
        worked = [effect.need_id for effect in self.agency.effects]
        replies: list[tuple[Any, ...]] = [
            (handoff_id, what, sending.attempts, "sent" if sending.receipt else sending.refusal or "open")
            for handoff_id, matter in self.agency.matters.items()
            for _, what, sending in matter.said
        ]
        counts = judge_books(entries, worked, replies, self.here.told, count)
        counts.recovered += len(self.pushes) - len(self.order)
        return counts


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_POST(self) -> None:
        office = self.server.office
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        trick = office.trick_of(message_id_of(raw))
        if trick is Trick.NOT_ARRIVED:
            self._reset()
            return
        status, receipt = office.take(raw)
        if trick is Trick.HOLD:
            office.came.set()
            office.release.wait(60)
        self._answer(trick, status, receipt)

    def _answer(self, trick: Trick, status: int, receipt: bytes) -> None:
        office = self.server.office
        if trick is Trick.TIMEOUT:
            office.release.wait(PUSH_SECONDS + 0.5)
            self.close_connection = True
        elif trick is Trick.DROPPED:
            self.close_connection = True
        elif trick is Trick.RESET:
            self._reset()
        elif trick is Trick.REDIRECT:
            self._send(307, b"", Location=f"http://{LOOPBACK}:1/elsewhere")
        elif trick is Trick.PAGE:
            self._send(502, b"<html>bad gateway</html>")
        elif trick in (Trick.HALF, Trick.DRIP, Trick.ENDLESS):
            self._never_whole(trick, receipt)
        else:
            self._send(status, self._body(trick, receipt))

    def _body(self, trick: Trick, receipt: bytes) -> bytes:
        office = self.server.office
        if trick is Trick.EMPTY_OK:
            return b""
        if trick is Trick.TWICE:
            return receipt + b"\n" + receipt
        if trick is Trick.LATE_FOR_THE_NEXT:
            return office.hold_back(receipt)
        if trick is Trick.ANOTHERS:
            others = [kept.receipt for kept in office.agency.kept.values() if kept.receipt.encode() != receipt]
            return others[0].encode() if others else b""
        if trick is Trick.WRONG_DIGEST:
            head, payload, signature = receipt.split(b".")
            return b".".join((head, payload[:-8] + payload[:8], signature))
        return receipt

    def _never_whole(self, trick: Trick, receipt: bytes) -> None:
        """Announced are more bytes than come, or they come too slowly, or they never end."""
        length = ENDLESS_BYTES if trick is Trick.ENDLESS else len(receipt)
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        try:
            if trick is Trick.HALF:
                self.wfile.write(receipt[: len(receipt) // 2])
            elif trick is Trick.ENDLESS:
                self.wfile.write(b"x" * length)
            else:
                for at in range(len(receipt)):
                    self.wfile.write(receipt[at : at + 1])
                    if self.server.office.release.wait(0.3):
                        break
        except OSError:
            pass  # the gateway hung up, as it should
        self.close_connection = True

    def _send(self, status: int, body: bytes, **head: str) -> None:
        self.send_response(status)
        for name, value in head.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
        self.rfile.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a sweep's output is its own."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    office: Office

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hung up is what this is about."""


@contextmanager
def partner(here: Installation, script: Sequence[Trick]) -> Iterator[Office]:
    """Listens on the agency's port of the installation while the block runs."""
    office = Office(here, script)
    with _Server((LOOPBACK, here.template.agency_port), _Door) as server:
        server.office = office
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield office
        finally:
            office.release.set()
            server.shutdown()
