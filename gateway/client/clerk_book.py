"""经办簿 What a clerk needs to know of the journal: what was received, what was answered, which sticks were read.

It lies in the journal's own file, so that one file is all a clerk keeps. It reads the journal's tables and writes none
of them; its own two remember the sticks: of each series the newest that was read, and the name under which this
journal's sticks of replies follow each other.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.client.journal import ACCEPTED, PENDING, REFUSED
from gateway.envelope.compact import decode_segment
from gateway.envelope.message import Envelope, digest, new_id
from gateway.envelope.signing import VerifiedMessage
from gateway.envelope.stick import Stick
from gateway.errors import ConfigError, StoreUnavailable
from schemas.fields import format_moment

__all__ = ["ACCEPTED", "PENDING", "REFUSED", "Answered", "ClerkBook", "Letter"]

_TABLES = """
CREATE TABLE IF NOT EXISTS sticks_read (
    source TEXT NOT NULL, kind TEXT NOT NULL, series TEXT NOT NULL, stick_id TEXT NOT NULL, made_at TEXT NOT NULL,
    PRIMARY KEY (source, kind, series));
CREATE TABLE IF NOT EXISTS own_series (one INTEGER PRIMARY KEY CHECK (one = 1), series TEXT NOT NULL);
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """来件 A message of the gateway that was proven when it came."""

    envelope: Envelope
    digest: str

    @classmethod
    def of(cls, message: VerifiedMessage) -> "Letter":
        """The one just proven."""
        return cls(envelope=message.envelope, digest=message.digest)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """A reply of this journal. state: the journal's word for whether the gateway has it."""

    envelope: Envelope
    jws: str
    state: str


class ClerkBook:
    """Opened over a journal's file, which must be there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._opened() as connection:
            connection.executescript(_TABLES)

    def received(self, source: str, recipient: str) -> list[Letter]:
        """Every message that came from a source, in the order of its numbers."""
        statement = "SELECT jws FROM received WHERE source = ? AND recipient = ? ORDER BY seq, entry"
        rows = self._rows(statement, source, recipient)
        return [Letter(envelope=_envelope(jws), digest=digest(jws)) for (jws,) in rows]

    def answered(self, source: str, recipient: str) -> list[Answered]:
        """Every reply that was not refused, in order."""
        statement = (
            "SELECT jws, state FROM entries WHERE source = ? AND recipient = ? AND state != 'refused' ORDER BY entry"
        )
        rows = self._rows(statement, source, recipient)
        return [Answered(envelope=_envelope(jws), jws=jws, state=state) for jws, state in rows]

    def pending(self, source: str, recipient: str) -> list[tuple[str, str]]:
        """(message id, compact JWS) of what the gateway is not known to have, in the order of their numbers."""
        statement = (
            "SELECT message_id, jws FROM entries WHERE source = ? AND recipient = ? AND state = 'pending' ORDER BY seq"
        )
        return self._rows(statement, source, recipient)

    def entry(self, message_id: str) -> tuple[str, str] | None:
        """(compact JWS, state) of one message of this journal; None for another's."""
        rows = self._rows("SELECT jws, state FROM entries WHERE message_id = ?", message_id)
        return rows[0] if rows else None

    def newest_stick(self, stick: Stick) -> datetime | None:
        """When the newest stick of the same series was made that was read before."""
        statement = "SELECT made_at FROM sticks_read WHERE source = ? AND kind = ? AND series = ?"
        rows = self._rows(statement, stick.source, stick.kind.value, stick.series)
        return datetime.fromisoformat(rows[0][0]) if rows else None

    def keep_stick(self, stick: Stick) -> None:
        """It was read, and no older one is any more."""
        with self._opened() as connection:
            connection.execute(
                "INSERT INTO sticks_read (source, kind, series, stick_id, made_at) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (source, kind, series) DO UPDATE SET stick_id = excluded.stick_id,"
                " made_at = excluded.made_at WHERE excluded.made_at > sticks_read.made_at",
                (stick.source, stick.kind.value, stick.series, stick.id, format_moment(stick.made_at)),
            )

    def series(self, now: datetime) -> str:
        """The name of this journal's own sticks; the same for ever."""
        with self._opened() as connection:
            connection.execute("INSERT OR IGNORE INTO own_series (one, series) VALUES (1, ?)", (new_id(now),))
        found: str = self._rows("SELECT series FROM own_series")[0][0]
        return found

    def _rows(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        with self._opened() as connection:
            return connection.execute(statement, values).fetchall()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Each statement is its own transaction."""
        try:
            with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous=FULL")
                yield connection
        except sqlite3.OperationalError as error:
            raise StoreUnavailable("journal", retry_after=5) from error
        except sqlite3.DatabaseError as error:
            raise ConfigError(f"{self._path.name} is no journal; name another file") from error


def _envelope(jws: str) -> Envelope:
    """What was signed, from this party's own file."""
    return Envelope.from_payload(decode_segment(jws.split(".")[1].encode("ascii")))
