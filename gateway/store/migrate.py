"""迁移 Brings a database to the present tables (`xianjie migrate`), and says whether it is there.

Migrations only go forward. Several processes may ask at once: on PostgreSQL an advisory lock, on SQLite the write lock
lets one of them do it.
"""

from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from gateway.store import finding_courts, history
from gateway.store.adopt import adopt
from gateway.store.engine import Store

_LOCK = 0x7869616E6A6965  # "xianjie"


def migrate(store: Store) -> str:
    """Applies what is missing, and logs what was on file before the log was; returns the revision reached."""
    with store.engine.connect().execution_options(xianjie_write=True) as connection, connection.begin():
        if not store.is_sqlite:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        command.upgrade(_config(connection), "head")
        adopt(connection)
        history.install(connection)
        finding_courts.install(connection)
        return current(connection) or ""


def is_current(store: Store) -> bool:
    """Whether the database has every table this version needs."""
    with store.reading() as connection:
        return current(connection) == head()


@cache
def head() -> str:
    """The revision this version needs."""
    return ScriptDirectory.from_config(_config(None)).get_current_head() or ""


def current(connection: Connection) -> str | None:
    """The revision a database is at; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
