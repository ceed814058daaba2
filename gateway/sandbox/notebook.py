"""模拟台账 What a simulated agency remembers, in one small SQLite file: receipts it gave, handoffs, replies, counters.

A receipt is kept with the digest of what it acknowledges, so the same message gets the same bytes for ever, also after
a restart. A reply is written down before it is sent and keeps its bytes until it is answered; what was written is never
struck out, since its number is given. Replies about one handoff go in their order. What was received and sent can be
read by number, to compare it with the gateway.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway.envelope.message import digest
from gateway.evidence.completeness import SETTLED, Numbered
from gateway.sandbox.behaviour import Step
from gateway.sandbox.formats import AskedHandoff, AskedNeed

_TABLES = """
create table if not exists received (
  message_id text primary key, digest text not null, receipt text not null, party text, seq integer);
create table if not exists handoffs (
  handoff_id text primary key, message_id text not null, digest text not null, party text not null,
  referral text not null, asked text not null);
create table if not exists replies (
  row integer primary key, handoff_id text not null, party text not null, step text not null, due real not null,
  message_id text, jws text, attempts integer not null, done text, seq integer, unique (handoff_id, step));
create index if not exists replies_to_send on replies (handoff_id, row) where done is null;
create table if not exists commitments (
  row integer primary key, party text not null, seq integer not null, message_id text not null, jws text not null,
  done text);
create table if not exists counters (party text primary key, seq integer not null);
create table if not exists read_up_to (party text primary key, seq integer not null);
create table if not exists held (
  row integer primary key, party text not null, own integer not null, seq integer not null, message_id text not null,
  jws text not null, receipt text, unique (party, own, message_id));
create index if not exists held_numbers on held (party, own, seq);
create table if not exists tokens (jti text primary key, expires real not null);
"""
_SENT = """
with written as (
  select party, seq, message_id, jws, done from replies where jws is not null
  union all select party, seq, message_id, jws, done from commitments)
select seq, message_id, jws, done from written
where party = :party and seq is not null and done is not 'refused' and (:seq is null or seq = :seq)
"""
_RECEIVED = """
select seq, message_id, digest from received
where party = :party and seq is not null and (:seq is null or seq = :seq)
"""
_MESSAGE_OF = {
    "replies": "select message_id from replies where row = ?",
    "commitments": "select message_id from commitments where row = ?",
}
PENDING = "pending"
_NEW = (("received", "party", "text"), ("received", "seq", "integer"), ("replies", "seq", "integer"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A receipt given, and the digest of what it acknowledges."""

    digest: str
    receipt: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """One message of a party's pair, and the receipt for it. own: the party sent it."""

    party: str
    own: bool
    seq: int
    message_id: str
    jws: str
    receipt: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenHandoff:
    """A handoff that was receipted; `message_id` and `digest` are what every reply answers."""

    asked: AskedHandoff
    message_id: str
    digest: str
    party: str
    referral: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DueReply:
    """A reply whose turn it is. jws: its bytes once it was written."""

    row: int
    handoff_id: str
    party: str
    step: Step
    due: float
    attempts: int
    jws: str | None


class Notebook:
    """One file, or memory for None; any number of threads."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.RLock()
        self._base = sqlite3.connect(path or ":memory:", check_same_thread=False)
        self._base.execute("pragma journal_mode = wal")
        self._base.execute("pragma synchronous = normal")
        self._base.executescript(_TABLES)
        _add_what_is_new(self._base)

    def close(self) -> None:
        with self._lock:
            self._base.close()

    def kept(self, message_id: str) -> Kept | None:
        """The receipt of this message; None for a new message."""
        with self._lock:
            row = self._base.execute(
                "select digest, receipt from received where message_id = ?", (message_id,)
            ).fetchone()
        return None if row is None else Kept(digest=row[0], receipt=row[1])

    def keep(
        self,
        *,
        message_id: str,
        digest: str,
        receipt: str,
        party: str,
        seq: int | None,
        handoff: OpenHandoff | None,
        plan: Iterable[tuple[Step, float]],
        jws: str = "",
    ) -> Kept | None:
        """A message, its receipt, and for a handoff the replies that will follow, all or nothing.

        None when it was written down; where another thread was faster with this id, what that one wrote.
        """
        with self._writing() as base:
            added = base.execute(
                "insert or ignore into received (message_id, digest, receipt, party, seq) values (?, ?, ?, ?, ?)",
                (message_id, digest, receipt, party, seq),
            ).rowcount
            if not added:
                return self.kept(message_id)
            if seq is not None:
                _hold(base, party, seq, message_id, jws, receipt)
            if handoff is None:
                return None
            asked = json.dumps(asdict(handoff.asked))
            base.execute(
                "insert or ignore into handoffs values (?, ?, ?, ?, ?, ?)",
                (handoff.asked.handoff_id, handoff.message_id, handoff.digest, handoff.party, handoff.referral, asked),
            )
            for step, due in plan:
                base.execute(
                    "insert or ignore into replies (handoff_id, party, step, due, attempts) values (?, ?, ?, ?, 0)",
                    (handoff.asked.handoff_id, handoff.party, step.value, due),
                )
        return None

    def withdraw(self, handoff_id: str, *, due: float) -> bool:
        """Closing instead of what was still to be said; False where everything was said, or the handoff is unknown."""
        with self._writing() as base:
            found = base.execute(
                "select party from replies where handoff_id = ? and done is null and step <> ?",
                (handoff_id, Step.CLOSING.value),
            ).fetchall()
            if not found:
                return False
            base.execute(
                "delete from replies where handoff_id = ? and done is null and jws is null and step <> ?",
                (handoff_id, Step.CLOSING.value),
            )
            base.execute(
                "insert or ignore into replies (handoff_id, party, step, due, attempts) values (?, ?, ?, ?, 0)",
                (handoff_id, found[0][0], Step.CLOSING.value, due),
            )
            return True

    def handoff(self, handoff_id: str) -> OpenHandoff:
        """KeyError for one that was never receipted."""
        with self._lock:
            row = self._base.execute(
                "select message_id, digest, party, referral, asked from handoffs where handoff_id = ?", (handoff_id,)
            ).fetchone()
        if row is None:
            raise KeyError(handoff_id)
        asked = json.loads(row[4])
        asked["needs"] = tuple(AskedNeed(**need) for need in asked["needs"])
        return OpenHandoff(asked=AskedHandoff(**asked), message_id=row[0], digest=row[1], party=row[2], referral=row[3])

    def due(self, *, before: float, limit: int = 100) -> list[DueReply]:
        """The longest-waiting replies that are due; of each handoff only the first unsent one."""
        with self._lock:
            rows = self._base.execute(
                "select row, handoff_id, party, step, due, attempts, jws from replies where row in"
                " (select min(row) from replies where done is null group by handoff_id) and due <= ?"
                " order by due, row limit ?",
                (before, limit),
            ).fetchall()
        names = ("row", "handoff_id", "party", "step", "due", "attempts", "jws")
        return [DueReply(**{**dict(zip(names, row, strict=True)), "step": Step(row[3])}) for row in rows]

    def next_seq(self, party: str) -> int:
        """The party's next number towards the gateway, from 1; it is used up by `write`, so that none is ever lost."""
        with self._lock:
            row = self._base.execute("select seq from counters where party = ?", (party,)).fetchone()
        return 1 if row is None else int(row[0]) + 1

    def write(self, row: int, *, party: str, seq: int, message_id: str, jws: str) -> None:
        """The reply's bytes, before they are sent."""
        with self._writing() as base:
            base.execute(
                "update replies set message_id = ?, jws = ?, seq = ? where row = ?", (message_id, jws, seq, row)
            )
            _hold(base, party, seq, message_id, jws)
            _use_up(base, party, seq)

    def commit(self, *, party: str, seq: int, message_id: str, jws: str) -> None:
        """A commitment's bytes, before they are sent."""
        with self._writing() as base:
            base.execute(
                "insert into commitments (party, seq, message_id, jws) values (?, ?, ?, ?)",
                (party, seq, message_id, jws),
            )
            _hold(base, party, seq, message_id, jws)
            _use_up(base, party, seq)

    def unanswered_commitments(self, party: str) -> list[tuple[int, str]]:
        """(row, bytes) of commitments nobody answered yet, oldest first."""
        with self._lock:
            statement = "select row, jws from commitments where party = ? and done is null order by row"
            return [(int(row), str(jws)) for row, jws in self._base.execute(statement, (party,))]

    def settle_commitment(self, row: int, done: str, *, receipt: str | None = None) -> None:
        """What became of a commitment: `sent` with the gateway's receipt, or `refused`."""
        with self._writing() as base:
            base.execute("update commitments set done = ? where row = ?", (done, row))
            _settle_held(base, "commitments", row, done, receipt)

    def sent(self, party: str, seq: int | None = None) -> list[Numbered]:
        """What a party wrote to the gateway and was not refused; all of it, or what has one number."""
        return [
            Numbered(seq=number, message_id=message_id, digest=digest(jws), state=SETTLED if done else PENDING)
            for number, message_id, jws, done in self._stream(_SENT, party, seq)
        ]

    def received(self, party: str, seq: int | None = None) -> list[Numbered]:
        """What the gateway sent to a party; all of it, or what has one number."""
        rows = self._stream(_RECEIVED, party, seq)
        return [Numbered(seq=number, message_id=message_id, digest=found) for number, message_id, found in rows]

    def _stream(self, statement: str, party: str, seq: int | None) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._base.execute(statement, {"party": party, "seq": seq}).fetchall()

    def settle(self, row: int, done: str, *, receipt: str | None = None) -> None:
        """What became of a reply: `sent` with the gateway's receipt, `refused` or `nothing`."""
        with self._writing() as base:
            base.execute("update replies set done = ?, attempts = attempts + 1 where row = ?", (done, row))
            _settle_held(base, "replies", row, done, receipt)

    def held(self, party: str, *, own: bool, since: int) -> list[Held]:
        """The bytes of what a party sent or got with a number beyond `since`, in order."""
        statement = (
            "select seq, message_id, jws, receipt from held where party = ? and own = ? and seq > ? order by seq"
        )
        with self._lock:
            rows = self._base.execute(statement, (party, own, since)).fetchall()
        return [Held(party=party, own=own, seq=row[0], message_id=row[1], jws=row[2], receipt=row[3]) for row in rows]

    def use_token(self, jti: str, *, expires: float, now: float) -> bool:
        """Marks a token as used; False when it was used before."""
        with self._writing() as base:
            base.execute("delete from tokens where expires < ?", (now,))
            return base.execute("insert or ignore into tokens values (?, ?)", (jti, expires)).rowcount > 0

    def again(self, row: int, *, due: float) -> None:
        """The same bytes once more, later."""
        self._change("update replies set due = ?, attempts = attempts + 1 where row = ?", (due, row))

    def read_up_to(self, party: str) -> int:
        """The last number read from the party's mailbox."""
        with self._lock:
            row = self._base.execute("select seq from read_up_to where party = ?", (party,)).fetchone()
        return 0 if row is None else int(row[0])

    def has_read(self, party: str, seq: int) -> None:
        self._change(
            "insert into read_up_to values (?, ?) on conflict (party) do update set seq = max(seq, excluded.seq)",
            (party, seq),
        )

    def counts(self) -> dict[str, int]:
        """How many replies stand where."""
        with self._lock:
            rows = self._base.execute("select coalesce(done, 'open'), count(*) from replies group by 1").fetchall()
        return {str(state): int(count) for state, count in rows}

    def _change(self, statement: str, values: tuple[str | int | float, ...]) -> None:
        with self._writing() as base:
            base.execute(statement, values)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._base:
            yield self._base


def _hold(
    base: sqlite3.Connection, party: str, seq: int, message_id: str, jws: str, receipt: str | None = None
) -> None:
    """What was received has a receipt from the beginning; what is sent gets one."""
    base.execute(
        "insert or ignore into held (party, own, seq, message_id, jws, receipt) values (?, ?, ?, ?, ?, ?)",
        (party, receipt is None, seq, message_id, jws, receipt),
    )


def _settle_held(base: sqlite3.Connection, table: str, row: int, done: str, receipt: str | None) -> None:
    """What was sent gets its receipt; what was refused is held no longer."""
    (message_id,) = base.execute(_MESSAGE_OF[table], (row,)).fetchone()
    if done == "refused":
        base.execute("delete from held where own = 1 and message_id = ?", (message_id,))
    else:
        base.execute("update held set receipt = ? where own = 1 and message_id = ?", (receipt, message_id))


def _use_up(base: sqlite3.Connection, party: str, seq: int) -> None:
    base.execute(
        "insert into counters values (?, ?) on conflict (party) do update set seq = excluded.seq", (party, seq)
    )


def _add_what_is_new(base: sqlite3.Connection) -> None:
    """Columns that a notebook of an earlier version lacks."""
    for table, column, kind in _NEW:
        if column not in {row[1] for row in base.execute(f"pragma table_info({table})")}:
            base.execute(f"alter table {table} add column {column} {kind}")
