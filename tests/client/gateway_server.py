"""A small gateway on loopback: it verifies what comes, signs receipts that name it, and remembers both for ever.

`faults` holds what goes wrong with the next batches, one a request. A line's `problems` stand by the message's subject,
so a test says which referral is refused. The mailbox gives whatever lines it was given, good or bad.
"""

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from gateway.envelope.keyring import Keyring, SigningKey
from gateway.envelope.signing import MESSAGE_TYP, VerifiedMessage, sign, verify
from gateway.envelope.token import verify_token
from gateway.errors import FieldProblem, TrustError, XianjieError
from gateway.evidence.receipt import Rung, issue
from gateway.web.problems import problem
from tests.envelope_world import AGENCY, COURT, GATEWAY, NOW, a_keyring, an_envelope, key_of, registered

NDJSON = "application/x-ndjson"

Fault = Callable[["Request", bytes], None]
"""Answers one batch in the gateway's place; the body is what came."""


@dataclass
class Gateway:
    """Its books, and what a test changes about it."""

    keyring: Keyring = field(default_factory=lambda: a_keyring([registered(key_of(COURT)), registered(key_of(AGENCY))]))
    receipts: dict[tuple[str, str], str] = field(default_factory=dict)
    accepted: list[VerifiedMessage] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    problems: dict[str, XianjieError] = field(default_factory=dict)
    warnings: tuple[FieldProblem, ...] = ()
    holds: tuple[str, ...] = ()
    mailbox: list[bytes] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, raw: bytes) -> str:
        """One line for one line: a receipt, the first one again, or a problem."""
        try:
            message = verify(raw, self.keyring, recipient=GATEWAY, now=NOW)
            return self._accept(message)
        except XianjieError as error:
            return json.dumps(problem(error, language="zh", base_url=""))

    def _accept(self, message: VerifiedMessage) -> str:
        with self.lock:
            name = (message.envelope.id, message.digest)
            if name not in self.receipts:
                refusal = self.problems.get(message.envelope.subject or "")
                if refusal is not None:
                    raise refusal
                self.receipts[name] = self.receipt(message)
                self.accepted.append(message)
            return self.receipts[name]

    def receipt(self, message: VerifiedMessage, key: SigningKey | None = None) -> str:
        own = key or key_of(GATEWAY)
        return issue(message, key=own, now=NOW, rung=Rung.SUBMISSION, warnings=self.warnings, holds=self.holds)

    def messages_of(self, body: bytes) -> list[VerifiedMessage]:
        return [verify(line, self.keyring, recipient=GATEWAY, now=NOW) for line in body.split()]

    def numbers(self) -> list[int | None]:
        """The sequence numbers of what was accepted, in order of acceptance."""
        return [message.envelope.seq for message in self.accepted]


class Request(BaseHTTPRequestHandler):
    """One request to the gateway of its server."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_POST(self) -> None:
        gateway = self.server.gateway
        body = self.rfile.read(int(self.headers["Content-Length"]))
        gateway.bodies.append(body)
        if self.path != "/v1/messages/batch" or self.headers["Content-Type"] != NDJSON:
            self.reply(404, b"")
        elif gateway.faults:
            gateway.faults.pop(0)(self, body)
        else:
            self.lines([gateway.answer(line) for line in body.split()])

    def do_GET(self) -> None:
        gateway = self.server.gateway
        gateway.asked.append(self.path)
        try:
            party_id = self._caller()
        except TrustError as error:
            document = json.dumps(problem(error, language="zh", base_url="")).encode()
            self.reply(401, document, "application/problem+json")
            return
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == "/v1/inbox":
            self.reply(200, b"".join(line + b"\n" for line in gateway.mailbox), NDJSON)
        else:
            self.reply(200, json.dumps({"path": address.path, "query": query, "party": party_id}).encode())

    def _caller(self) -> str:
        scheme, _, raw = self.headers["Authorization"].partition(" ")
        url = f"http://{self.headers['Host']}{self.path}"
        token = verify_token(raw, self.server.gateway.keyring, audience=GATEWAY, method="GET", url=url, now=NOW)
        if scheme != "Bearer" or token.jti in self.server.gateway.tokens:
            raise TrustError("token_used_before")
        self.server.gateway.tokens.add(token.jti)
        return token.party_id

    def lines(self, lines: list[str], *, torn: bytes | None = None) -> None:
        """Streamed, as the gateway does. torn: the beginning of one more line, after which the connection ends."""
        self._head(200, {"Content-Type": NDJSON, "Transfer-Encoding": "chunked"})
        for line in lines:
            self.wfile.write(f"{len(line) + 1:x}\r\n{line}\n\r\n".encode())
        if torn is None:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.wfile.write(f"{len(torn) + 1000:x}\r\n".encode() + torn)
            self.close_connection = True

    def reply(self, status: int, body: bytes, content_type: str = "application/json", **head: str) -> None:
        self._head(status, {**head, "Content-Type": content_type, "Content-Length": str(len(body))})
        self.wfile.write(body)

    def _head(self, status: int, head: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in head.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test's output is its own."""


class Server(ThreadingHTTPServer):
    """Listens while the `with` block runs."""

    daemon_threads = True

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.gateway = gateway
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hung up is what some tests are about; everything else is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


def failing(status: int, **head: str) -> Fault:
    """Answers with a status and a page, as a proxy or a broken gateway does; nothing is accepted."""
    return lambda request, _: request.reply(status, b"<html>sorry</html>", "text/html", **head)


def lost_after_accepting(request: Request, body: bytes) -> None:
    """Everything is accepted, and the connection ends without a word."""
    for line in body.split():
        request.server.gateway.answer(line)
    request.close_connection = True


def cut_after(count: int) -> Fault:
    """Everything is accepted; the answer ends in the middle of the line after so many."""

    def cut(request: Request, body: bytes) -> None:
        answers = [request.server.gateway.answer(line) for line in body.split()]
        request.lines(answers[:count], torn=answers[count][:40].encode())

    return cut


def receipts_by(make: Callable[[Gateway, VerifiedMessage], str]) -> Fault:
    """Answers each message with a receipt of the test's making."""

    def answer(request: Request, body: bytes) -> None:
        gateway = request.server.gateway
        request.lines([make(gateway, message) for message in gateway.messages_of(body)])

    return answer


def a_handoff(seq: int = 1, *, key: SigningKey | None = None, **changes: Any) -> bytes:
    """A message of the gateway to the agency."""
    own = key or key_of(GATEWAY)
    members: dict[str, Any] = {
        "id": f"handoff-{seq}",
        "source": own.party_id,
        "type": "handoff.issued",
        "recipient": AGENCY,
        "seq": seq,
        **changes,
    }
    return sign(an_envelope(**members).to_payload(), own, MESSAGE_TYP).encode()
