"""迁移 The migrated tables are the tables the code names, on both engines."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from gateway.store.engine import Store
from gateway.store.migrate import _config, head, is_current, migrate
from gateway.store.tables import metadata
from tests.postgres import RunningPostgres

FINDING = {
    "code": "MM_ROSTER",
    "rule_id": "x",
    "rulebook": "x",
    "evidence": "{}",
    "stake_fen": 0,
    "must_act": "operator",
    "state": "open",
    "opened_at": 1,
}


@pytest.fixture
def postgres_url(postgres_server: RunningPostgres) -> Iterator[str]:
    """Without a table."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Without a table."""
    return f"sqlite:///{tmp_path / 'fresh.sqlite'}"


def test_a_fresh_database_is_not_current_until_it_is_migrated(database_url: str) -> None:
    store = Store(database_url)
    assert not is_current(store)
    assert migrate(store) == head()
    assert is_current(store)
    store.close()


def test_migrating_twice_changes_nothing(store: Store) -> None:
    before = shape(store)
    assert migrate(store) == head()
    assert shape(store) == before


def test_the_migrated_tables_are_what_the_code_names(store: Store) -> None:
    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_every_unique_key_of_the_code_is_one_in_the_database(store: Store) -> None:
    found = sa.inspect(store.engine)
    for table in metadata.sorted_tables:
        declared = {
            tuple(sorted(column.name for column in key.columns))
            for key in table.constraints
            if isinstance(key, sa.UniqueConstraint)
        }
        kept = {tuple(sorted(key["column_names"])) for key in found.get_unique_constraints(table.name)}
        unique = {
            tuple(sorted(str(c) for c in i["column_names"])) for i in found.get_indexes(table.name) if i["unique"]
        }
        assert declared <= kept | unique, table.name


def test_two_processes_that_migrate_at_once_do_it_once(database_url: str) -> None:
    stores = [Store(database_url), Store(database_url)]
    reached: list[str] = []
    threads = [threading.Thread(target=lambda one=one: reached.append(migrate(one))) for one in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert reached == [head(), head()]
    for one in stores:
        one.close()


def test_a_database_from_a_later_version_is_not_taken_for_ours(store: Store) -> None:
    store.write(lambda c: c.execute(sa.text("UPDATE alembic_version SET version_num = 'v9999'")))
    assert not is_current(store)


def shape(store: Store) -> dict[str, list[str]]:
    found = sa.inspect(store.engine)
    return {name: sorted(column["name"] for column in found.get_columns(name)) for name in found.get_table_names()}


def test_a_doubt_that_was_there_knows_its_statement(database_url: str) -> None:
    store = Store(database_url)
    with store.engine.connect().execution_options(xianjie_write=True) as connection, connection.begin():
        command.upgrade(_config(connection), "0014")
        before = sa.table("findings", *(sa.column(name) for name in (*FINDING, "key", "origin", "subject")))
        subjects = ("s-1@p", "s-1@p|a|b", "s-1@p2|a")
        rows = [FINDING | {"key": one, "origin": "statement", "subject": one} for one in subjects]
        connection.execute(before.insert(), [*rows, FINDING | {"key": "x", "origin": "dossier", "subject": "s-1@p|a"}])
    migrate(store)
    with store.reading() as connection:
        found = connection.execute(sa.text('SELECT of_statement FROM findings ORDER BY "row"')).scalars().all()
    store.close()
    assert found == ["s-1@p", "s-1@p", "s-1@p2", None]


@pytest.mark.parametrize("table", ["inbox", "outbox", "receipts", "attempts", "need_moves", "replies"])
def test_what_is_evidence_has_a_row_number_of_its_own(table: str, store: Store) -> None:
    assert sa.inspect(store.engine).get_pk_constraint(table)["constrained_columns"] == ["row"]
