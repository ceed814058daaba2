"""Pushing to a real partner on the loopback interface, one that keeps the rules and many that do not."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.transport.address import Endpoint, resolve
from gateway.transport.answer import Answer, NoAnswer, NoAnswerReason
from gateway.transport.push import MAX_ANSWER, Pusher

BODY = b"eyJh.eyJi.c2ln"
RECEIPT = b"eyJy.eyJj.c2ln"
NAME = "agency.example"
LOOPBACK = [ip_network("127.0.0.0/8")]
PATIENCE = 5.0
"""Seconds no test may reach; the partner gives up by itself then."""

Reply = Callable[[socket.socket], None]


def http(status: str = "200 OK", body: bytes = RECEIPT, *lines: str) -> bytes:
    head = [f"HTTP/1.1 {status}", *lines]
    if not any(line.lower().startswith(("content-length:", "transfer-encoding:")) for line in lines):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


def says(*pieces: bytes) -> Reply:
    def reply(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return reply


def hangs_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def resets(connection: socket.socket) -> None:
    """Makes the close that follows a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionAbortedError


def waits(seconds: float, *pieces: bytes) -> Reply:
    def reply(connection: socket.socket) -> None:
        time.sleep(seconds)
        says(*pieces)(connection)

    return reply


def drips(first: bytes, drop: bytes) -> Reply:
    """Something now and then, never the end."""

    def reply(connection: socket.socket) -> None:
        connection.sendall(first)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            connection.sendall(drop)
            time.sleep(0.05)

    return reply


class Partner:
    """A server of one office. `reply` speaks for it after each request; heads and bodies are kept."""

    def __init__(self, reply: Reply, *, wrap: Callable[[socket.socket], socket.socket] | None = None) -> None:
        self.reply = reply
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self._wrap = wrap
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def endpoint(self, path: str = "/receive", scheme: str = "http") -> Endpoint:
        return Endpoint(
            url=f"{scheme}://{NAME}:{self.port}{path}",
            host=NAME,
            port=self.port,
            address="127.0.0.1",
            scheme=scheme,
            path=path,
        )

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        try:
            if self._wrap is not None:
                connection = self._wrap(connection)
            with connection, connection.makefile("rb") as stream:
                while self._hear(stream):
                    self.reply(connection)
        except OSError:
            connection.close()

    def _hear(self, stream: Any) -> bool:
        head = ""
        while not head.endswith("\r\n\r\n"):
            line = stream.readline().decode("latin-1")
            if not line:
                return False
            head += line
        lengths = [line.partition(":")[2] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
        body = stream.read(int(lengths[0])) if lengths else b""
        self.heads.append(head)
        self.bodies.append(body)
        return True


@pytest.fixture
def partner() -> Iterator[Partner]:
    made = Partner(says(http()))
    yield made
    made.close()


@pytest.fixture
def pusher() -> Iterator[Pusher]:
    made = Pusher(connect_seconds=2)
    yield made
    made.close()


def pushed(pusher: Pusher, endpoint: Endpoint, **changes: Any) -> Answer:
    arguments: dict[str, Any] = {
        "body": BODY,
        "content_type": "application/jose",
        "headers": {"webhook-id": "m-1"},
        "timeout": 3.0,
        **changes,
    }
    return pusher.push(endpoint, arguments.pop("body"), **arguments)


def unanswered(pusher: Pusher, endpoint: Endpoint, **changes: Any) -> tuple[NoAnswerReason, bool]:
    """(reason, may have arrived)"""
    with pytest.raises(NoAnswer) as caught:
        pushed(pusher, endpoint, **changes)
    return caught.value.reason, caught.value.may_have_arrived


# --- what is sent ---


def test_the_very_bytes_arrive_and_the_answer_comes_back(partner: Partner, pusher: Pusher) -> None:
    partner.reply = says(http("202 Accepted", RECEIPT, "Content-Type: Application/JOSE; charset=utf-8"))
    expected = Answer(status=202, body=RECEIPT, content_type="application/jose")
    assert expected == pushed(pusher, partner.endpoint())
    assert [BODY] == partner.bodies


def test_a_large_body_arrives_whole(partner: Partner, pusher: Pusher) -> None:
    body = bytes(range(256)) * 1031
    pushed(pusher, partner.endpoint(), body=body)
    assert [body] == partner.bodies


def test_the_request_names_the_host_and_not_the_address_and_says_little_else(partner: Partner, pusher: Pusher) -> None:
    pushed(pusher, partner.endpoint("/receive?office=1"))
    lines = partner.heads[0].split("\r\n")
    assert "POST /receive?office=1 HTTP/1.1" == lines[0]
    expected = {
        f"Host: {NAME}:{partner.port}",
        "Content-Type: application/jose",
        "Accept-Encoding: identity",
        "User-Agent: xianjie",
        "webhook-id: m-1",
        f"Content-Length: {len(BODY)}",
    }
    assert expected == {line for line in lines[1:] if line}


def test_a_caller_cannot_replace_the_host_or_the_length(partner: Partner, pusher: Pusher) -> None:
    pushed(pusher, partner.endpoint(), headers={"hOST": "other.example", "content-length": "3", "connection": "x"})
    assert [BODY] == partner.bodies
    assert "other.example" not in partner.heads[0]


def test_proxies_of_the_environment_are_not_used(
    partner: Partner, pusher: Pusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert 200 == pushed(pusher, partner.endpoint()).status


def test_a_cookie_is_not_sent_back(partner: Partner, pusher: Pusher) -> None:
    partner.reply = says(http("200 OK", RECEIPT, "Set-Cookie: a=b"))
    pushed(pusher, partner.endpoint())
    pushed(pusher, partner.endpoint())
    assert "cookie" not in partner.heads[1].lower()


@pytest.mark.parametrize("changes", [{"body": b""}, {"timeout": 0}, {"timeout": -1.0}])
def test_a_push_without_bytes_or_time_is_a_programming_mistake(
    partner: Partner, pusher: Pusher, changes: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="needs a body and a time-out"):
        pushed(pusher, partner.endpoint(), **changes)
    assert 0 == partner.connections


# --- connections ---


def test_a_connection_is_used_again(partner: Partner, pusher: Pusher) -> None:
    for _ in range(3):
        pushed(pusher, partner.endpoint())
    assert (1, 3) == (partner.connections, len(partner.bodies))


def test_a_connection_is_used_again_after_an_answer_without_a_body(partner: Partner, pusher: Pusher) -> None:
    partner.reply = says(http("204 No Content", b""))
    for _ in range(2):
        pushed(pusher, partner.endpoint())
    assert 1 == partner.connections


def test_a_slow_answer_leaves_the_next_push_its_own_time(partner: Partner, pusher: Pusher) -> None:
    partner.reply = waits(0.3, http())
    assert [200, 200] == [pushed(pusher, partner.endpoint(), timeout=0.5).status for _ in range(2)]
    assert 1 == partner.connections


def test_a_kept_connection_the_partner_closed_is_opened_anew(partner: Partner, pusher: Pusher) -> None:
    def answers_and_leaves(connection: socket.socket) -> None:
        connection.sendall(http())
        connection.shutdown(socket.SHUT_RDWR)

    partner.reply = answers_and_leaves
    pushed(pusher, partner.endpoint())
    time.sleep(0.1)
    assert 200 == pushed(pusher, partner.endpoint()).status
    assert 2 == partner.connections


def test_each_thread_has_its_own_connection(partner: Partner, pusher: Pusher) -> None:
    def work() -> None:
        for _ in range(2):
            pushed(pusher, partner.endpoint())
        pusher.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert (2, 4) == (partner.connections, len(partner.bodies))


def test_a_pusher_goes_on_after_it_was_closed(partner: Partner, pusher: Pusher) -> None:
    for _ in range(2):
        pushed(pusher, partner.endpoint())
        pusher.close()
    pusher.close()
    assert 2 == partner.connections


# --- what comes back ---


@pytest.mark.parametrize("status", [400, 404, 409, 500, 503])
def test_an_answer_of_any_status_is_an_answer(partner: Partner, pusher: Pusher, status: int) -> None:
    partner.reply = says(http(f"{status} No", b"{}"))
    assert Answer(status=status, body=b"{}") == pushed(pusher, partner.endpoint())


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(partner: Partner, pusher: Pusher, status: int) -> None:
    elsewhere = Partner(says(http()))
    partner.reply = says(http(f"{status} Moved", b"", f"Location: http://127.0.0.1:{elsewhere.port}/"))
    assert status == pushed(pusher, partner.endpoint()).status
    assert (0, 1) == (elsewhere.connections, partner.connections)
    elsewhere.close()


def test_a_redirect_s_endless_body_is_cut_too(partner: Partner, pusher: Pusher) -> None:
    partner.reply = says(http("302 Found", b"x" * (4 * MAX_ANSWER), "Location: /again"))
    assert (NoAnswerReason.ANSWER_TOO_LARGE, True) == unanswered(pusher, partner.endpoint())


def test_an_answer_of_exactly_the_limit_is_read(partner: Partner, pusher: Pusher) -> None:
    partner.reply = says(http("200 OK", b"x" * MAX_ANSWER))
    assert MAX_ANSWER == len(pushed(pusher, partner.endpoint()).body)


@pytest.mark.parametrize("framing", ["Content-Length: 1048577", "Connection: close\r\nContent-Length: 1048577"])
def test_an_answer_one_byte_over_the_limit_is_none(partner: Partner, pusher: Pusher, framing: str) -> None:
    partner.reply = says(http("200 OK", b"x" * (MAX_ANSWER + 1), framing))
    assert (NoAnswerReason.ANSWER_TOO_LARGE, True) == unanswered(pusher, partner.endpoint())


def test_an_oversize_answer_in_chunks_is_none_and_its_connection_is_not_kept(partner: Partner, pusher: Pusher) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    partner.reply = says(http("200 OK", chunk * 17 + b"0\r\n\r\n", "Transfer-Encoding: chunked"))
    assert (NoAnswerReason.ANSWER_TOO_LARGE, True) == unanswered(pusher, partner.endpoint())
    partner.reply = says(http())
    assert RECEIPT == pushed(pusher, partner.endpoint()).body
    assert 2 == partner.connections


def test_an_answer_in_chunks_is_put_together(partner: Partner, pusher: Pusher) -> None:
    partner.reply = says(http("200 OK", b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "Transfer-Encoding: chunked"))
    assert b"abcde" == pushed(pusher, partner.endpoint()).body


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n",
    ],
)
def test_a_torn_answer_is_broken(partner: Partner, pusher: Pusher, raw: bytes) -> None:
    def tears(connection: socket.socket) -> None:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_RDWR)

    partner.reply = tears
    assert (NoAnswerReason.ANSWER_BROKEN, True) == unanswered(pusher, partner.endpoint())


def test_a_compressed_answer_nobody_asked_for_is_broken(partner: Partner, pusher: Pusher) -> None:
    partner.reply = says(http("200 OK", b"\x1f\x8b", "Content-Encoding: gzip"))
    assert (NoAnswerReason.ANSWER_BROKEN, True) == unanswered(pusher, partner.endpoint())


@pytest.mark.parametrize("raw", [b"hello\r\n\r\n", b"\x16\x03\x01\x00\x00\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_no_http_leaves_the_outcome_unknown(partner: Partner, pusher: Pusher, raw: bytes) -> None:
    partner.reply = says(raw)
    assert (NoAnswerReason.CONNECTION_LOST, True) == unanswered(pusher, partner.endpoint())


@pytest.mark.parametrize(
    ("status", "header", "expected"),
    [
        ("503 Busy", "120", timedelta(seconds=120)),
        ("429 Slow", "Mon, 03 Mar 2025 09:00:00 GMT", datetime(2025, 3, 3, 9, tzinfo=UTC)),
        ("503 Busy", "soon", None),
        ("200 OK", "120", None),
    ],
)
def test_retry_after_is_read_where_it_means_something(
    partner: Partner, pusher: Pusher, status: str, header: str, expected: object
) -> None:
    partner.reply = says(http(status, b"", f"Retry-After: {header}"))
    assert expected == pushed(pusher, partner.endpoint()).retry_after


# --- no answer: not sent, or unknown ---


def test_a_closed_port_is_certainly_not_sent(partner: Partner, pusher: Pusher) -> None:
    endpoint = partner.endpoint()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    closed = Endpoint(url=endpoint.url, host=NAME, port=port, address="127.0.0.1", scheme="http", path=endpoint.path)
    assert (NoAnswerReason.NO_CONNECTION, False) == unanswered(pusher, closed)


def test_an_address_that_never_answers_is_certainly_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        time.sleep(0.1)
        endpoint = resolve(f"http://127.0.0.1:{port}/", allowed=LOOPBACK)
        found = unanswered(Pusher(connect_seconds=0.3), endpoint)
        for one in waiting:
            one.close()
    assert (NoAnswerReason.CONNECT_TIMEOUT, False) == found


@pytest.mark.parametrize("reply", [resets, hangs_up])
def test_a_connection_lost_after_the_bytes_were_sent_is_unknown(partner: Partner, pusher: Pusher, reply: Reply) -> None:
    partner.reply = reply
    assert (NoAnswerReason.CONNECTION_LOST, True) == unanswered(pusher, partner.endpoint())
    assert [BODY] == partner.bodies


@pytest.mark.parametrize(
    "reply",
    [
        waits(1),
        drips(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["silent", "head", "continue", "body", "chunks"],
)
def test_a_slow_answer_is_bounded_as_a_whole_and_unknown(partner: Partner, pusher: Pusher, reply: Reply) -> None:
    partner.reply = reply
    started = time.monotonic()
    assert (NoAnswerReason.ANSWER_TIMEOUT, True) == unanswered(pusher, partner.endpoint(), timeout=0.4)
    assert time.monotonic() - started < 2


def test_a_partner_that_does_not_read_is_bounded_and_unknown(pusher: Pusher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        endpoint = resolve(f"http://127.0.0.1:{deaf.getsockname()[1]}/", allowed=LOOPBACK)
        started = time.monotonic()
        found = unanswered(pusher, endpoint, body=b"x" * 40_000_000, timeout=0.4)
    assert (NoAnswerReason.ANSWER_TIMEOUT, True) == found
    assert time.monotonic() - started < 2


def test_a_partner_that_reads_slowly_is_bounded_and_unknown(pusher: Pusher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as slow:

        def read() -> None:
            connection, _ = slow.accept()
            with connection:
                while connection.recv(1_000_000):
                    time.sleep(0.02)

        threading.Thread(target=read, daemon=True).start()
        endpoint = resolve(f"http://127.0.0.1:{slow.getsockname()[1]}/", allowed=LOOPBACK)
        started = time.monotonic()
        found = unanswered(pusher, endpoint, body=b"x" * 100_000_000, timeout=0.4)
    assert (NoAnswerReason.ANSWER_TIMEOUT, True) == found
    assert time.monotonic() - started < 2


# --- names and certificates ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the key and the self-signed certificate of `NAME`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "agency.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class SecurePartner(Partner):
    """A partner behind TLS; keeps the names clients ask for."""

    def __init__(self, certificate: Path, reply: Reply) -> None:
        self.asked_for: list[str | None] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.sni_callback = lambda _socket, name, _context: self.asked_for.append(name)
        super().__init__(reply, wrap=lambda plain: context.wrap_socket(plain, server_side=True))


@pytest.fixture
def secure_partner(certificate: Path) -> Iterator[SecurePartner]:
    made = SecurePartner(certificate, says(http()))
    yield made
    made.close()


def test_the_name_is_asked_for_and_proven_while_the_address_is_connected_to(
    secure_partner: SecurePartner, certificate: Path
) -> None:
    trusting = Pusher(ca_bundle=str(certificate))
    for _ in range(2):
        assert RECEIPT == pushed(trusting, secure_partner.endpoint(scheme="https")).body
    assert ([NAME], 1) == (secure_partner.asked_for, secure_partner.connections)
    assert f"Host: {NAME}:{secure_partner.port}" in secure_partner.heads[0]


def test_a_certificate_for_another_name_is_certainly_not_sent(secure_partner: SecurePartner, certificate: Path) -> None:
    endpoint = secure_partner.endpoint(scheme="https")
    other = Endpoint(
        url=endpoint.url,
        host="other.example",
        port=endpoint.port,
        address=endpoint.address,
        scheme="https",
        path=endpoint.path,
    )
    assert (NoAnswerReason.TLS_FAILED, False) == unanswered(Pusher(ca_bundle=str(certificate)), other)
    assert [] == secure_partner.bodies


def test_a_proven_connection_is_not_lent_to_another_name(secure_partner: SecurePartner, certificate: Path) -> None:
    trusting = Pusher(ca_bundle=str(certificate))
    endpoint = secure_partner.endpoint(scheme="https")
    pushed(trusting, endpoint)
    other = Endpoint(
        url=endpoint.url, host="other.example", port=endpoint.port, address="127.0.0.1", scheme="https", path="/"
    )
    assert (NoAnswerReason.TLS_FAILED, False) == unanswered(trusting, other)


def test_a_certificate_of_an_unknown_authority_is_certainly_not_sent(
    secure_partner: SecurePartner, pusher: Pusher
) -> None:
    assert (NoAnswerReason.TLS_FAILED, False) == unanswered(pusher, secure_partner.endpoint(scheme="https"))
    assert [] == secure_partner.bodies


def greets_in_plain(connection: socket.socket) -> socket.socket:
    connection.recv(65536)
    connection.sendall(http("400 Bad Request", b""))
    return connection


def leaves(connection: socket.socket) -> socket.socket:
    connection.recv(65536)
    connection.shutdown(socket.SHUT_RDWR)
    return connection


def stays_silent(connection: socket.socket) -> socket.socket:
    time.sleep(1)
    return connection


@pytest.mark.parametrize(
    ("wrap", "expected"),
    [
        (greets_in_plain, NoAnswerReason.TLS_FAILED),
        (leaves, NoAnswerReason.TLS_FAILED),
        (stays_silent, NoAnswerReason.CONNECT_TIMEOUT),
    ],
)
def test_a_handshake_that_fails_is_certainly_not_sent(
    wrap: Callable[[socket.socket], socket.socket], expected: NoAnswerReason
) -> None:
    partner = Partner(says(http()), wrap=wrap)
    assert (expected, False) == unanswered(Pusher(connect_seconds=0.5), partner.endpoint(scheme="https"))
    partner.close()


def test_a_name_that_changes_its_mind_is_still_connected_to_where_it_was_checked(
    partner: Partner, pusher: Pusher
) -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    endpoint = resolve(f"http://{NAME}:{partner.port}/receive", allowed=LOOPBACK, lookup=lambda *_: next(answers))
    for _ in range(2):
        assert 200 == pushed(pusher, endpoint).status
    assert [["169.254.169.254"]] == list(answers)
    assert f"Host: {NAME}:{partner.port}" in partner.heads[0]
