"""存储引擎 One database, many readers, one writer per process that commits in groups.

Rules: nothing is answered before its commit (durable first); items that arrive together share one commit, which is what
saves a slow disk; an item that breaks the group is run again alone, so one bad item never costs another its place. An
item that lost a race against another process (unique key, deadlock) is run once more and then sees who won.
SQLite runs WAL with `synchronous=FULL`; PostgreSQL is reached as `postgresql+psycopg://`. No ORM. On both engines one
writer at a time: the log's right edge is locked first (ADR 13), so that what is logged has one order.
"""

import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from gateway.errors import Busy, ConfigError, StoreUnavailable, XianjieError
from gateway.failpoints import failpoint
from gateway.store import tables as t
from gateway.store.postgres import open_postgres, was_cut_short
from gateway.store.vault import OPTION, Vault

I = TypeVar("I")  # noqa: E741 - an item
O = TypeVar("O")  # noqa: E741 - its outcome
T = TypeVar("T")

GROUP = 128
QUEUE = 4096
PATIENCE_S = 5.0
BUSY_MS = 30_000
ANSWER_S = 20.0
"""How long a caller waits for its commit. Afterwards it is told that the outcome is not known; partners' clients wait
longer than this, so that they hear it."""


def open_engine(url: str) -> Engine:
    """The engine for a database URL; `ConfigError` for any other database than SQLite and PostgreSQL."""
    if url.startswith("sqlite"):
        _make_private(url)
        arguments = {"check_same_thread": False, "timeout": BUSY_MS / 1000}
        engine = sa.create_engine(url, hide_parameters=True, connect_args=arguments)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if url.startswith("postgresql+psycopg"):
        return open_postgres(url)
    raise ConfigError("database url must begin with sqlite:/// or postgresql+psycopg://")


def _make_private(url: str) -> None:
    """A new database file can be read by its owner alone: it holds people's data. SQLite's side files follow it."""
    path = sa.make_url(url).database
    if path and path != ":memory:" and Path(path).parent.is_dir():
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # transactions are begun by us (`_begin_sqlite`), not guessed by the driver
    connection.isolation_level = None
    _turn_to_wal(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "cache_size=-65536", "temp_store=MEMORY", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _turn_to_wal(connection: Any) -> None:
    """SQLite does not wait here for another process that is turning the same new file: so we do, as long as for any
    other lock."""
    until = monotonic() + BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if monotonic() > until:
                raise
            sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    # a writer takes the lock at once: upgrading a read transaction is how SQLite deadlocks
    writes = connection.get_execution_options().get("xianjie_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class Store:
    """Readers from the pool; writers through `write` (one transaction) or `submit` (grouped with others)."""

    def __init__(
        self,
        url: str,
        *,
        vault: Vault | None = None,
        room: int = QUEUE,
        patience: float = PATIENCE_S,
        answer_within: float = ANSWER_S,
    ) -> None:
        """vault: seals people's data; only tests and measurements go without. room: how many items may wait for the
        writer; patience: seconds a caller waits for room before `Busy`; answer_within: then for its commit."""
        self.engine = open_engine(url)
        if vault is not None:
            self.engine.update_execution_options(**{OPTION: vault})
        self._patience, self._answer_within = patience, answer_within
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._queue: queue.Queue[_Job | None] = queue.Queue(maxsize=room)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection in a read transaction."""
        try:
            with self.engine.connect() as connection, connection.begin():
                yield connection
        except (DBAPIError, PoolExhausted) as error:
            raise _unavailable(error) from error

    def write(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` in one write transaction, grouped with whatever else is waiting; returns after the commit."""
        result: T = self.submit(_each, [work])[0].result()
        return result

    def submit(self, flow: Callable[[Connection, list[I]], Sequence[O]], items: Sequence[I]) -> list[Future[O]]:
        """Queues items for `flow`, which gets all waiting items of its kind at once and returns one outcome each.

        An outcome that is an exception is raised to that item's caller without undoing the others. An item for which
        the queue stays full ends with `Busy`, one given to a closed store with `StoreUnavailable`: not accepted. One
        whose commit takes too long ends with `StoreUnavailable` too: its outcome is not known.
        """
        jobs = [_Job(flow, item, self._answer_within) for item in items]
        if self._closed.is_set():
            _refuse(jobs)
            return [job.future for job in jobs]
        self._start()
        for at, job in enumerate(jobs):
            try:
                self._queue.put(job, timeout=self._patience)
            except queue.Full:
                for late in jobs[at:]:
                    late.future.set_exception(Busy(retry_after=2))
                break
        if self._closed.is_set() and self._thread is None:
            self._refuse_late()
        return [job.future for job in jobs]

    def close(self) -> None:
        """Commits what is queued, then stops the writer and closes the pool; what comes later is refused."""
        self._closed.set()
        with self._lock:
            if self._thread is not None:
                self._queue.put(None)
                self._thread.join()
                self._thread = None
        self._refuse_late()
        self.engine.dispose()

    def _refuse_late(self) -> None:
        """Nobody waits for ever: what slipped in behind the last commit is told that it was not accepted."""
        while True:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                _refuse([job])

    def _start(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="xianjie-writer", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            job = self._queue.get()
            if job is None:
                return
            group = [job]
            stop = False
            while len(group) < GROUP:
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    stop = True
                    break
                group.append(more)
            self._commit(group)
            if stop:
                return

    def _commit(self, group: list["_Job"], *, again: bool = True) -> None:
        try:
            outcomes = self._attempt(group)
        except Exception as error:  # the group's failure is delivered to its callers, alone or together
            if len(group) == 1 and again and _lost_a_race(error):
                self._commit(group, again=False)
            elif len(group) == 1:
                group[0].future.set_exception(_as_ours(error))
            else:
                for job in group:
                    self._commit([job])
            return
        for job, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, Exception):
                job.future.set_exception(outcome)
            else:
                job.future.set_result(outcome)

    def _attempt(self, group: list["_Job"]) -> list[Any]:
        """One transaction for the whole group; jobs of one flow go in together, flows in order of first arrival."""
        by_flow: dict[Any, list[int]] = {}
        for at, job in enumerate(group):
            by_flow.setdefault(job.flow, []).append(at)
        outcomes: list[Any] = [None] * len(group)
        with self.engine.connect().execution_options(xianjie_write=True) as connection, connection.begin():
            info = connection.info
            if not self.is_sqlite:
                connection.execute(_LOCK_HEAD)
            failpoint("store.begun")
            for flow, places in by_flow.items():
                found = flow(connection, [group[at].item for at in places])
                for at, outcome in zip(places, found, strict=True):
                    outcomes[at] = outcome
            failpoint("store.written")
        failpoint("store.committed")
        if was_cut_short(info):
            raise StoreUnavailable("not_replicated", retry_after=5)
        return outcomes


class _Job:
    __slots__ = ("flow", "future", "item")

    def __init__(
        self, flow: Callable[[Connection, list[Any]], Sequence[Any]], item: Any, within: float = ANSWER_S
    ) -> None:
        self.flow, self.item = flow, item
        self.future: Future[Any] = _Outcome(within)


class _Outcome(Future[Any]):
    """Nobody waits for ever: a standby that is away holds up every commit, and a caller has to be told something."""

    def __init__(self, within: float) -> None:
        super().__init__()
        self._within = within

    def result(self, timeout: float | None = None) -> Any:
        """As the base class, but for the time."""
        failure = self.exception(timeout)
        if failure is not None:
            raise failure
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """As the base class, but for the time."""
        try:
            return super().exception(self._within if timeout is None else timeout)
        except TimeoutError:
            return StoreUnavailable("slow", retry_after=5)


_LOCK_HEAD = sa.select(t.log_head.c.id).with_for_update()
"""What BEGIN IMMEDIATE is on SQLite: who writes takes the log's right edge first, so no two wait for each other."""


def _each(connection: Connection, works: list[Callable[[Connection], Any]]) -> list[Any]:
    return [work(connection) for work in works]


def _refuse(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        job.future.set_exception(StoreUnavailable("closed", retry_after=5))


def _lost_a_race(error: Exception) -> bool:
    """Another process wrote the same unique key first, or the database broke a deadlock at our cost."""
    sqlstate = getattr(getattr(error, "orig", None), "sqlstate", None)
    return isinstance(error, IntegrityError) or sqlstate in _TRY_AGAIN


_TRY_AGAIN = ("40001", "40P01")
"""PostgreSQL's serialization_failure and deadlock_detected."""


def _unavailable(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(type(getattr(error, "orig", None) or error).__name__, retry_after=5)


def _as_ours(error: Exception) -> Exception:
    """A database that is away becomes our retryable error; our own errors and programming mistakes stay themselves."""
    if isinstance(error, XianjieError):
        return error
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return _unavailable(error) if lost or isinstance(error, OperationalError | PoolExhausted) else error
