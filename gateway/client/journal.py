"""日志簿 A partner's own record of what it sent and got: the bytes before they leave, the receipt afterwards, and
every message that was proven, before anybody works with it.

Rules: an effect has at most one message that was not refused, for ever; its bytes never change. An
attempt counts from before it begins. Sequence numbers are contiguous for each recipient: the number of a refused
message, which the gateway never recorded, goes to the next one. One SQLite file, readable by its owner alone; any
number of threads and processes may share it.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from gateway.client.values import Outgoing
from gateway.envelope.message import digest
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import ConfigError, FieldProblem, StoreUnavailable
from gateway.evidence.completeness import SETTLED, Numbered
from gateway.failpoints import failpoint
from schemas.fields import format_moment

_TABLES = """
CREATE TABLE IF NOT EXISTS entries (
    entry INTEGER PRIMARY KEY, source TEXT NOT NULL, recipient TEXT NOT NULL, effect TEXT NOT NULL,
    content TEXT NOT NULL, message_id TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL, jws TEXT NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL, receipt TEXT, warnings TEXT, holds TEXT);
CREATE UNIQUE INDEX IF NOT EXISTS one_effect ON entries (source, recipient, effect) WHERE state != 'refused';
CREATE TABLE IF NOT EXISTS counters (
    source TEXT NOT NULL, recipient TEXT NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (source, recipient));
CREATE TABLE IF NOT EXISTS free_numbers (source TEXT NOT NULL, recipient TEXT NOT NULL, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS received (
    entry INTEGER PRIMARY KEY, source TEXT NOT NULL, recipient TEXT NOT NULL, seq INTEGER, message_id TEXT NOT NULL,
    digest TEXT NOT NULL, jws TEXT NOT NULL, at TEXT NOT NULL, UNIQUE (source, recipient, message_id, digest));
CREATE TABLE IF NOT EXISTS commitments (
    entry INTEGER PRIMARY KEY, source TEXT NOT NULL, recipient TEXT NOT NULL, high_water INTEGER NOT NULL,
    root TEXT NOT NULL, jws TEXT NOT NULL, at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS sent_stream ON entries (source, recipient, seq);
CREATE INDEX IF NOT EXISTS received_stream ON received (source, recipient, seq);
"""
PENDING, ACCEPTED, REFUSED = "pending", "accepted", "refused"

Write = Callable[[Outgoing, int], tuple[str, str]]
"""(what to send, its number) → (message id, compact JWS)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One journalled message. changed: the effect is on file with other content than was now asked for."""

    message_id: str
    seq: int
    jws: str
    state: str
    receipt: str | None
    warnings: tuple[FieldProblem, ...]
    holds: tuple[str, ...]
    changed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How one message ended: accepted with its receipt, or refused (receipt None).

    of_attempt: only this attempt was refused; the message ends when there was no other whose outcome is not known.
    """

    message_id: str
    receipt: str | None
    of_attempt: bool = False
    warnings: tuple[FieldProblem, ...] = ()
    holds: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbers:
    """A pair's numbers: the highest of our own that has a receipt, those that have none yet, the highest received."""

    receipted: int
    open: tuple[int, ...]
    received: int


class Journal:
    """Opened at once; made when it is not there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            path.chmod(0o600)
        except OSError as error:
            raise ConfigError(f"the journal {path.name} cannot be opened ({type(error).__name__})") from error
        with _our_errors(path), closing(self._open()) as connection:
            connection.executescript(_TABLES)

    def prepare(self, source: str, recipient: str, items: Sequence[Outgoing], write: Write) -> list[Entry]:
        """The entry of each item, in order: the one on file, or a new one that is numbered, signed and kept now."""
        with self._writing() as connection:
            return [self._prepare(connection, source, recipient, item, write) for item in items]

    def unanswered(self, source: str, recipient: str, *, effects: str) -> list[Entry]:
        """Messages whose effects begin so and whose outcome is not known, for another attempt."""
        with self._writing() as connection:
            rows = connection.execute(
                "UPDATE entries SET attempts = attempts + 1"
                " WHERE source = ? AND recipient = ? AND state = ? AND substr(effect, 1, ?) = ?"
                " RETURNING message_id, seq, jws",
                (source, recipient, PENDING, len(effects), effects),
            )
            return [_pending(*row) for row in rows.fetchall()]

    def settle(self, endings: Sequence[Ending]) -> None:
        """Keeps how messages ended; a refused one gives its number back."""
        with self._writing() as connection:
            for ending in endings:
                if ending.receipt is None:
                    _refuse(connection, ending)
                else:
                    connection.execute(
                        "UPDATE entries SET state = ?, receipt = ?, warnings = ?, holds = ? WHERE message_id = ?",
                        (
                            ACCEPTED,
                            ending.receipt,
                            json.dumps([[warning.pointer, warning.code] for warning in ending.warnings]),
                            json.dumps(ending.holds),
                            ending.message_id,
                        ),
                    )

    def keep_received(self, messages: Sequence[VerifiedMessage], *, at: datetime) -> None:
        """Keeps proven messages with their bytes, each once."""
        if not messages:
            return
        with self._writing() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO received (source, recipient, seq, message_id, digest, jws, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (one.party_id, e.recipient, e.seq, e.id, one.digest, one.jws, format_moment(at))
                    for one in messages
                    for e in (one.envelope,)
                ],
            )

    def keep_commitment(
        self, source: str, recipient: str, *, high_water: int, root: str, jws: str, at: datetime
    ) -> None:
        """Keeps what the other side signed about a stream: it cannot say otherwise later."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO commitments (source, recipient, high_water, root, jws, at) VALUES (?, ?, ?, ?, ?, ?)",
                (source, recipient, high_water, root, jws, format_moment(at)),
            )

    def sent(self, source: str, recipient: str, seq: int | None = None) -> list[Numbered]:
        """What was numbered for a recipient and not refused; all of it, or what has one number. A digest is of the
        bytes on file."""
        columns = "seq, message_id, jws, state FROM entries WHERE state != 'refused' AND source = ? AND recipient = ?"
        return [_sent(*row) for row in self._stream(columns, source, recipient, seq)]

    def received(self, source: str, recipient: str, seq: int | None = None) -> list[Numbered]:
        """What was proven to have come from a source; all of it, or what has one number."""
        columns = "seq, message_id, jws, digest FROM received WHERE source = ? AND recipient = ?"
        return [_received(*row) for row in self._stream(columns, source, recipient, seq)]

    def sent_bytes(self, source: str, recipient: str, *, after: int) -> Iterator[tuple[str, str | None]]:
        """(compact JWS, receipt or None) of everything not refused with a number beyond `after`, in order."""
        statement = (
            "SELECT jws, receipt FROM entries"
            " WHERE source = ? AND recipient = ? AND state != ? AND seq > ? ORDER BY seq"
        )
        with _our_errors(self._path), closing(self._open()) as connection:
            yield from connection.execute(statement, (source, recipient, REFUSED, after))

    def received_bytes(self, source: str, recipient: str, *, after: int) -> Iterator[str]:
        """The compact JWS of everything received with a number beyond `after`, in order."""
        statement = "SELECT jws FROM received WHERE source = ? AND recipient = ? AND seq > ? ORDER BY seq"
        with _our_errors(self._path), closing(self._open()) as connection:
            for row in connection.execute(statement, (source, recipient, after)):
                yield row[0]

    def numbers(self, own: str, partner: str) -> "Numbers":
        """Where the pair's two streams stand."""
        with _our_errors(self._path), closing(self._open()) as connection:
            pair = (own, partner)
            mine = "FROM entries WHERE source = ? AND recipient = ? AND state = ?"
            receipted = connection.execute(f"SELECT max(seq) {mine}", (*pair, ACCEPTED)).fetchone()[0]
            open_ = connection.execute(f"SELECT seq {mine} ORDER BY seq", (*pair, PENDING)).fetchall()
            received = connection.execute(
                "SELECT max(seq) FROM received WHERE source = ? AND recipient = ?", (partner, own)
            ).fetchone()[0]
        return Numbers(receipted=receipted or 0, open=tuple(row[0] for row in open_), received=received or 0)

    def _stream(self, columns: str, source: str, recipient: str, seq: int | None) -> Iterator[tuple[Any, ...]]:
        statement = f"SELECT {columns} AND seq {'IS NOT NULL' if seq is None else '= ?'}"
        asked = (source, recipient) if seq is None else (source, recipient, seq)
        with _our_errors(self._path), closing(self._open()) as connection:
            yield from connection.execute(statement, asked)

    def _prepare(
        self, connection: sqlite3.Connection, source: str, recipient: str, item: Outgoing, write: Write
    ) -> Entry:
        content = _content(item)
        row = connection.execute(
            "SELECT message_id, seq, jws, state, receipt, warnings, holds, content FROM entries"
            " WHERE source = ? AND recipient = ? AND effect = ? AND state != 'refused'",
            (source, recipient, item.effect),
        ).fetchone()
        if row is not None:
            connection.execute(
                "UPDATE entries SET attempts = attempts + 1 WHERE message_id = ? AND state = ?", (row[0], PENDING)
            )
            return Entry(
                message_id=row[0],
                seq=row[1],
                jws=row[2],
                state=row[3],
                receipt=row[4],
                warnings=tuple(FieldProblem(pointer=p, code=c) for p, c in json.loads(row[5] or "[]")),
                holds=tuple(json.loads(row[6] or "[]")),
                changed=row[7] != content,
            )
        seq = _next_number(connection, source, recipient)
        message_id, jws = write(item, seq)
        connection.execute(
            "INSERT INTO entries (source, recipient, effect, content, message_id, seq, jws, state, attempts)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
            (source, recipient, item.effect, content, message_id, seq, jws, PENDING),
        )
        return _pending(message_id, seq, jws)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with _our_errors(self._path), closing(self._open()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                failpoint("journal.written")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            failpoint("journal.committed")


@contextmanager
def _our_errors(path: Path) -> Iterator[None]:
    """A file that is no journal is a ConfigError; one that cannot be written now is StoreUnavailable."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreUnavailable("journal", retry_after=5) from error
    except sqlite3.DatabaseError as error:
        raise ConfigError(f"{path.name} is no journal; name another file") from error


def _pending(message_id: str, seq: int, jws: str) -> Entry:
    return Entry(
        message_id=message_id, seq=seq, jws=jws, state=PENDING, receipt=None, warnings=(), holds=(), changed=False
    )


def _sent(seq: int, message_id: str, jws: str, state: str) -> Numbered:
    under_way = PENDING if state == PENDING else SETTLED
    return Numbered(seq=seq, message_id=message_id, digest=_fingerprint(jws), state=under_way)


def _received(seq: int, message_id: str, jws: str, noted: str) -> Numbered:
    """A digest that is not the one of the bytes beside it is shown as neither: one of the two was changed."""
    found = _fingerprint(jws)
    return Numbered(seq=seq, message_id=message_id, digest=found if found == noted else _fingerprint(noted + found))


def _fingerprint(text: str) -> str:
    return digest(text.encode("utf-8", "surrogatepass"))


def _content(item: Outgoing) -> str:
    """What must not change under one effect; the caller's reference and a file's whitespace do not count."""
    asked = [item.type, item.data, item.subject, item.in_reply_to, item.in_reply_to_digest, item.content_type]
    return sha256(json.dumps(asked, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _next_number(connection: sqlite3.Connection, source: str, recipient: str) -> int:
    pair = (source, recipient)
    free = connection.execute("SELECT min(seq) FROM free_numbers WHERE source = ? AND recipient = ?", pair).fetchone()[
        0
    ]
    if free is not None:
        connection.execute("DELETE FROM free_numbers WHERE source = ? AND recipient = ? AND seq = ?", (*pair, free))
        return int(free)
    return int(
        connection.execute(
            "INSERT INTO counters (source, recipient, last) VALUES (?, ?, 1)"
            " ON CONFLICT (source, recipient) DO UPDATE SET last = last + 1 RETURNING last",
            pair,
        ).fetchone()[0]
    )


def _refuse(connection: sqlite3.Connection, ending: Ending) -> None:
    changed = connection.execute(
        "UPDATE entries SET state = ? WHERE message_id = ? AND state = ? AND (attempts = 1 OR NOT ?)"
        " RETURNING source, recipient, seq",
        (REFUSED, ending.message_id, PENDING, ending.of_attempt),
    ).fetchone()
    if changed is not None:
        connection.execute("INSERT INTO free_numbers (source, recipient, seq) VALUES (?, ?, ?)", changed)
