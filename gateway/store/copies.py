"""备份 A copy of the database while it is at work: one moment of it, in a new file that is its owner's alone.

SQLite's own online backup; PostgreSQL's `pg_dump`, which must be installed. Rules: what exists is never overwritten; a
copy that failed leaves no file behind; a copy is only read here, so that looking at it does not change it.
"""

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import URL, Connection
from sqlalchemy.pool import NullPool

from gateway.errors import ConfigError, StoreUnavailable

PG_DUMP = "pg_dump"


def copy_database(address: str, out: Path) -> None:
    """Raises ConfigError where there is a file already or none can be written, StoreUnavailable for the database."""
    url = sa.make_url(address)
    try:
        os.close(os.open(out, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise ConfigError(f"{out.name} cannot be written ({type(error).__name__}); nothing was overwritten") from error
    try:
        if url.get_backend_name() == "sqlite":
            _copy_sqlite(Path(url.database or ""), out)
        else:
            _dump_postgres(url, out)
        _sync(out)
    except BaseException:
        with suppress(OSError):
            out.unlink()
        raise


@contextmanager
def reading_copy(file: Path) -> Iterator[Connection]:
    """A SQLite copy, read only. Raises ConfigError for what is no database."""
    engine = sa.create_engine("sqlite://", creator=lambda: _read_only(file), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    except sa.exc.DatabaseError as error:
        raise ConfigError(f"{file.name} is no readable copy ({type(error.orig).__name__})") from error
    finally:
        engine.dispose()


def is_whole(connection: Connection) -> bool:
    """Whether SQLite finds nothing torn in the file."""
    try:
        return connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    except sa.exc.DatabaseError:
        return False


def _copy_sqlite(source: Path, out: Path) -> None:
    try:
        with closing(_read_only(source)) as here, closing(sqlite3.connect(out)) as there:
            here.backup(there)
            there.execute("PRAGMA journal_mode=DELETE")  # one file, complete by itself
    except sqlite3.Error as error:
        raise StoreUnavailable(type(error).__name__, retry_after=5) from error


def _read_only(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)


def _dump_postgres(url: URL, out: Path) -> None:
    # the password goes by the environment: arguments can be read by everybody on the machine
    arguments = [PG_DUMP, "--format=custom", "--no-owner", "--no-privileges", f"--file={out}"]
    environment = {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password is not None else {})}
    try:
        done = subprocess.run(
            [*arguments, f"--dbname={_conninfo(url)}"], env=environment, stdin=subprocess.DEVNULL, check=False
        )
    except FileNotFoundError as error:
        raise ConfigError(f"{PG_DUMP} is not installed; it comes with PostgreSQL's client programs") from error
    if done.returncode:
        raise StoreUnavailable(f"{PG_DUMP} ended with {done.returncode}", retry_after=5)


def _conninfo(url: URL) -> str:
    """What libpq connects by, without the password."""
    from psycopg.conninfo import make_conninfo  # an extra, installed where this is reached

    _, named = url.get_dialect()().create_connect_args(url.set(password=None))
    return make_conninfo(**named)


def _sync(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
