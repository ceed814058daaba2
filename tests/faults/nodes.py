"""节点 The gateway of the simulation: three processes (web, two workers) over one database, in one thread.

`Ground` is made once: a migrated database with its parties as bytes, keys, rules. `Ground.fresh` puts these bytes back
into SQLite's memory, so every run begins with the same rows, whatever ran before. A node is one process: its store
commits in the caller's thread, its directory never changes, and a crash takes everything it remembers. What SQLite
holds after a crash is what was committed: the transaction that was open is gone.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from gateway.domain.agreement import Channel
from gateway.domain.holiday_notice import HolidayNotice
from gateway.envelope.keyring import Keyring
from gateway.flows.context import Context
from gateway.flows.recent import RecentReferrals
from gateway.store import log, outbox, referrals, undelivered
from gateway.store.directory import Directory, Snapshot
from gateway.store.engine import Store
from gateway.store.vault import OPTION
from gateway.transport.answer import Answer
from gateway.worker import Worker
from tests.faults.ideal import IdealKeyring, ideal
from tests.faults.swift import make_swift
from tests.gateway_world import (
    AGREEMENT,
    CIVIL_AFFAIRS,
    COURT,
    DISABLED_PERSONS,
    NEIGHBOUR,
    START,
    VAULT,
    WOMENS_FEDERATION,
    World,
)

I = TypeVar("I")  # noqa: E741 - an item
O = TypeVar("O")  # noqa: E741 - its outcome

MATCHING, PLAIN = "黔高法〔2022〕98号", "黔高法〔2026〕1号"
"""An agreement that authorises matching, and one that does not."""
PLAIN_AGREEMENT = (
    AGREEMENT.replace(MATCHING, PLAIN)
    .replace("matching_authorised = true", "matching_authorised = false")
    .replace('impact_assessment = "测试评估"\n', "")
)
OFFICES = (CIVIL_AFFAIRS, DISABLED_PERSONS, WOMENS_FEDERATION)
COURTS = (COURT, NEIGHBOUR)
BATCH = 4
MEMORY = "sqlite://"


class InlineStore(Store):
    """The store without its thread: the writer's own loop runs in the caller, until everything is committed."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(MEMORY)
        self.engine = engine

    def submit(self, flow: Callable[[Connection, list[I]], Sequence[O]], items: Sequence[I]) -> list[Future[O]]:
        """At once."""
        futures = super().submit(flow, items)
        self._queue.put(None)
        try:
            self._run()
        except BaseException:  # the process ended: what it had queued went with it
            while not self._queue.empty():
                self._queue.get_nowait()
            raise
        return futures

    def forget(self) -> None:
        """The process ended: whatever it kept outside the database is gone."""

    def _start(self) -> None:
        """No thread."""


class StillDirectory(Directory):
    """Nobody changes the directory while a simulation runs: its rows are read once."""

    def __init__(self, store: Store, snapshot: Snapshot) -> None:
        super().__init__(store, {})
        self._still = snapshot

    def at(self, now: datetime) -> Snapshot:
        """The one there is."""
        return self._still

    def notices(self) -> tuple[HolidayNotice, ...]:
        """Those of the one there is."""
        return self._still.notices


StoreClass = Callable[[Engine], InlineStore]


class Ground:
    """What every run of one process stands on."""

    def __init__(self, make_store: StoreClass = InlineStore, *, swift: bool = True) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "ground.sqlite"
            world = World(f"sqlite:///{path}")
            for office_id in (CIVIL_AFFAIRS, DISABLED_PERSONS):
                world.change_office(office_id, batch=BATCH)
            world.load_agreement(PLAIN_AGREEMENT)
            snapshot = world.context.snapshot(START)
            world.close()
            self._image = _image(path)
        kinds = {party.party_id: party.kind.value for party in snapshot.parties.values() if party.active}
        snapshot = replace(snapshot, keyring=IdealKeyring(snapshot.keys, kinds))
        self.keys = {name: ideal(partner.key) for name, partner in world.partners.items()}
        self.base = replace(world.context, key=ideal(world.context.key))
        self.offices = {office_id: snapshot.offices[office_id] for office_id in OFFICES}
        self.keyring: Keyring = snapshot.keyring
        self._engine = _memory_engine(swift=swift)
        self._sealed = self._engine.execution_options(**{OPTION: VAULT})
        self._sealed._connection_cls = self._engine._connection_cls
        self.store = make_store(self._engine)
        self.memory: Any = self._engine.raw_connection().driver_connection
        """The one connection of SQLite that holds the database."""
        self.directory = StillDirectory(self.store, snapshot)

    def fresh(self, *, sealed: bool) -> None:
        """The database as it was at the beginning. sealed: people's data is encrypted in the rows."""
        self.memory.deserialize(self._image)
        self.store.engine = self._sealed if sealed else self._engine

    def context(self, store: Store) -> Context:
        """What a process that has just started knows."""
        return replace(self.base, store=store, directory=self.directory, recent=RecentReferrals())


def _memory_engine(*, swift: bool) -> Engine:
    """SQLite in memory, one connection. Transactions begin in the dialect and not by an event as in `open_engine`:
    an engine with listeners asks them at every statement."""
    engine = sa.create_engine(MEMORY, connect_args={"check_same_thread": False, "isolation_level": None})
    engine.dialect.do_begin = _begin  # type: ignore[method-assign]
    return make_swift(engine) if swift else engine


def _begin(dbapi_connection: Any) -> None:
    dbapi_connection.execute("BEGIN")


def _image(path: Path) -> bytes:
    """The database as bytes that a connection in memory can take over: without a write-ahead log."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        image: bytes = connection.serialize()
    return image


@dataclass
class Node:
    """One process of the gateway."""

    name: str
    ground: Ground
    clock: Callable[[], datetime]

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new process over the same database."""
        if self.ground.memory.in_transaction:
            raise AssertionError(f"{self.name} left a transaction open")
        self.ground.store.forget()
        self.context = self.ground.context(self.ground.store)
        self._worker: Worker | None = None

    @property
    def worker(self) -> Worker:
        """The process's scheduler, never started: its jobs are called one by one, each under its lease."""
        if self._worker is None:
            self._worker = Worker(self.context, _push_nothing, self.clock, self.name)
        return self._worker

    def look(self) -> tuple[bool, list[str]]:
        """Whether something waits to be handed out; offices with something due."""
        now = self.clock()
        with self.context.store.reading() as connection:
            return bool(referrals.waiting(connection, now=now, limit=1)), outbox.lanes(connection, now=now)

    def lanes(self) -> list[str]:
        """Offices with something due."""
        return self.look()[1]

    def stuck(self) -> list[str]:
        """Messages that go no further without a person."""
        with self.context.store.reading() as connection:
            return [row.message_id for row in undelivered.listed(connection)]

    def log_size(self) -> int:
        """Leaves of the log."""
        with self.context.store.reading() as connection:
            return log.head(connection).size


def _push_nothing(url: str, body: bytes, content_type: str, headers: Mapping[str, str]) -> Answer:
    raise AssertionError(url, len(body), content_type, len(headers))


def is_mailbox(ground: Ground, office_id: str) -> bool:
    """Whether the office fetches its messages itself."""
    return ground.offices[office_id].channel is Channel.MAILBOX
