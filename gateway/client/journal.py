"""日志簿 What a party sent, in one SQLite file of its own: an effect's message is written down before it is sent.

Law 2: an effect has one live message, whose exact bytes go again until the gateway's receipt is on file. Law 3: every
attempt counts as in doubt from before it begins until it is known not to have been accepted. A message is refused for
good when the gateway refused the message itself, or refused it otherwise while no other attempt is in doubt. It is
never sent again; the effect may then be sent anew under a new id, and its number goes to the next new message: the
gateway kept nothing of it, so numbers stay contiguous without one id ever having two numbers or two contents.
The file holds personal data: only its owner may read it. Any number of threads and processes may share it.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from gateway.envelope.message import digest
from gateway.errors import ConfigError, SameIdDifferentBytes, StoreUnavailable, XianjieError

BUSY_SECONDS = 30.0
VERSION = 1

_TABLES = """
create table if not exists messages (
  message_id text primary key, source text not null, recipient text not null, effect text not null,
  content text not null, seq integer not null, jws text not null, state text not null, in_doubt integer not null,
  receipt text, refusal text);
create unique index if not exists one_live_message on messages (source, recipient, effect) where state <> 'refused';
create table if not exists numbers (
  source text not null, recipient text not null, last integer not null, primary key (source, recipient));
create table if not exists returned_numbers (
  source text not null, recipient text not null, seq integer not null, primary key (source, recipient, seq));
"""
_LIVE = "select message_id, content, jws, receipt from messages where source = ? and recipient = ? and effect = ?"


class EffectState(StrEnum):
    """What is known of one message. Written may mean sent, once or often."""

    WRITTEN = "written"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """An effect that is to happen. content: all it stands for; write: sequence number → (message id, compact JWS)."""

    effect: str
    content: bytes
    write: Callable[[int], tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """The effect's one live message. receipt: the gateway's, when it is on file."""

    message_id: str
    jws: str
    receipt: str | None

    @property
    def digest(self) -> str:
        return digest(self.jws)


class Journal:
    """One file. Raises `ConfigError` when it is none of ours, `StoreUnavailable` when it cannot be read or written."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.RLock()
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            os.close(handle)
            Path(path).chmod(0o600)
        except OSError as error:
            raise ConfigError("the journal cannot be opened") from error
        self._base = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except sqlite3.OperationalError as error:
            self._base.close()
            raise StoreUnavailable("journal") from error
        except (sqlite3.DatabaseError, ConfigError) as error:
            self._base.close()
            raise ConfigError("the journal is no journal of this version") from error

    def _prepare(self) -> None:
        self._base.execute("pragma journal_mode = wal")
        self._base.execute("pragma synchronous = full")
        found = self._base.execute("pragma user_version").fetchone()[0]
        if found not in (0, VERSION):
            raise ConfigError("journal_version")
        self._base.executescript(_TABLES)
        self._base.execute(f"pragma user_version = {VERSION}")

    def close(self) -> None:
        """Nothing is lost by leaving this out."""
        with self._lock:
            self._base.close()

    def begin(self, source: str, recipient: str, wanted: Sequence[Wanted]) -> list[Entry | XianjieError]:
        """One transaction: each effect's message, found or written now, with one more attempt in doubt unless it has
        its receipt. `SameIdDifferentBytes` for an effect that stood for something else; what `write` raises."""
        with self._transaction():
            return [self._begin(source, recipient, one) for one in wanted]

    def _begin(self, source: str, recipient: str, wanted: Wanted) -> Entry | XianjieError:
        content = sha256(wanted.content).hexdigest()
        found = self._base.execute(f"{_LIVE} and state <> 'refused'", (source, recipient, wanted.effect)).fetchone()
        if found is None:
            return self._write(source, recipient, wanted, content)
        message_id, before, jws, receipt = found
        if before != content:
            return SameIdDifferentBytes("the effect was used before for other data", ids={"message_id": message_id})
        if receipt is None:
            self._base.execute("update messages set in_doubt = in_doubt + 1 where message_id = ?", (message_id,))
        return Entry(message_id=message_id, jws=jws, receipt=receipt)

    def _write(self, source: str, recipient: str, wanted: Wanted, content: str) -> Entry | XianjieError:
        seq, is_returned = self._next_number(source, recipient)
        try:
            message_id, jws = wanted.write(seq)
        except XianjieError as error:  # its number was not taken yet
            return error
        self._take_number(source, recipient, seq, is_returned=is_returned)
        self._base.execute(
            "insert into messages (message_id, source, recipient, effect, content, seq, jws, state, in_doubt)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, 1)",
            (message_id, source, recipient, wanted.effect, content, seq, jws, EffectState.WRITTEN),
        )
        return Entry(message_id=message_id, jws=jws, receipt=None)

    def _next_number(self, source: str, recipient: str) -> tuple[int, bool]:
        """The lowest returned number, else the one after the last."""
        where = "where source = ? and recipient = ?"
        returned = self._base.execute(f"select min(seq) from returned_numbers {where}", (source, recipient)).fetchone()
        if returned[0] is not None:
            return int(returned[0]), True
        last = self._base.execute(f"select last from numbers {where}", (source, recipient)).fetchone()
        return (1 if last is None else int(last[0]) + 1), False

    def _take_number(self, source: str, recipient: str, seq: int, *, is_returned: bool) -> None:
        if is_returned:
            self._withdraw_number(source, recipient, seq)
        else:
            self._base.execute("insert or replace into numbers values (?, ?, ?)", (source, recipient, seq))

    def _withdraw_number(self, source: str, recipient: str, seq: int) -> None:
        self._base.execute(
            "delete from returned_numbers where source = ? and recipient = ? and seq = ?", (source, recipient, seq)
        )

    def accept(self, receipts: Iterable[tuple[str, str]]) -> None:
        """(message id, receipt): proven, and kept for ever; the first one stays."""
        with self._transaction():
            for message_id, receipt in receipts:
                # the same bytes refused to one process and accepted from another were accepted; the effect may by then
                # have another live message, which stays
                self._base.execute(
                    "update messages set receipt = ?, in_doubt = 0 where message_id = ? and receipt is null",
                    (receipt, message_id),
                )
                self._base.execute(
                    "update or ignore messages set state = ? where message_id = ?", (EffectState.ACCEPTED, message_id)
                )
                self._withdraw_number(*self._numbered(message_id))

    def refuse(self, refusals: Iterable[tuple[str, str, bool]]) -> None:
        """(message id, code, whether the message itself was refused): one attempt was certainly not accepted."""
        with self._transaction():
            for message_id, code, is_about_the_message in refusals:
                self._forget_attempt(message_id)
                done = self._base.execute(
                    "update messages set state = ?, refusal = ? where message_id = ? and state = ?"
                    " and (? or in_doubt = 0)",
                    (EffectState.REFUSED, code, message_id, EffectState.WRITTEN, is_about_the_message),
                )
                if done.rowcount:
                    self._base.execute(
                        "insert or ignore into returned_numbers values (?, ?, ?)", self._numbered(message_id)
                    )

    def not_sent(self, message_ids: Iterable[str]) -> None:
        """One attempt each that certainly did not reach the gateway."""
        with self._transaction():
            for message_id in message_ids:
                self._forget_attempt(message_id)

    def _forget_attempt(self, message_id: str) -> None:
        self._base.execute(
            "update messages set in_doubt = in_doubt - 1 where message_id = ? and in_doubt > 0", (message_id,)
        )

    def _numbered(self, message_id: str) -> tuple[str, str, int]:
        row = self._base.execute(
            "select source, recipient, seq from messages where message_id = ?", (message_id,)
        ).fetchone()
        return str(row[0]), str(row[1]), int(row[2])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            try:
                self._base.execute("begin immediate")
                try:
                    yield
                except BaseException:
                    self._base.execute("rollback")
                    raise
                self._base.execute("commit")
            except sqlite3.Error as error:
                raise StoreUnavailable("journal") from error
