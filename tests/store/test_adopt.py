"""接续存证 A database of the version before the log: migrated, every row has its leaf and nobody is accused."""

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from gateway.flows.cutoff import cut_off
from gateway.flows.sweep import fill_all
from gateway.store import audit_rows
from gateway.store import tables as t
from gateway.store.adopt import adopt
from gateway.store.directory import Directory
from gateway.store.engine import Store
from gateway.store.migrate import _config, head, is_current, migrate
from tests.gateway_world import World

BEFORE = "0001"
OLD = (t.parties, t.party_keys, t.agreements, t.offices, t.counters, t.inbox, t.referrals, t.identity_keys, t.needs,
       t.need_moves, t.handoffs, t.outbox, t.attempts, t.receipts, t.replies, t.court_payments)  # fmt: skip


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'new.sqlite'}"


def opened(world: World) -> dict[str, str]:
    """By message id the bytes as the version before kept them: plain."""
    ids = [row["message_id"] for table in (t.inbox, t.outbox) for row in world.rows(table)]
    with world.store.reading() as connection:
        received, sent = audit_rows.inbound(connection, ids), audit_rows.outbound(connection, ids)
    texts = {message_id: one.text for (_, message_id), one in received.items()}
    return {key: text or "" for key, text in {**texts, **{k: one.text for k, one in sent.items()}}.items()}


def as_it_was(world: World, path: Path) -> str:
    """The world's rows in the tables of the version before, as that version wrote them."""
    old, plain = Store(f"sqlite:///{path}"), opened(world)
    with old.engine.connect().execution_options(xianjie_write=True) as connection, connection.begin():
        command.upgrade(_config(connection), BEFORE)
    for table in OLD:
        there = {column["name"] for column in sa.inspect(old.engine).get_columns(table.name)}
        names = [column.name for column in table.c if column.name in there]
        rows = [row for row in world.rows(table) if not row.get("evidence_id")]
        if table in (t.inbox, t.outbox):
            rows = [row | {"jws": plain[row["message_id"]]} for row in rows]
        before = sa.table(table.name, *(sa.column(name) for name in names))
        for row in rows:
            old.write(lambda c, b=before, r=row, n=names: c.execute(b.insert().values({name: r[name] for name in n})))
    old.close()
    return f"sqlite:///{path}"


def test_what_was_there_before_is_logged_by_the_migration_and_nobody_is_accused(url: str, tmp_path: Path) -> None:
    world = World(url)
    world.answer(world.hand_over(), "40", xj_amount="650.00", abaf0028="202603", abaf0029="202603", xj_payee="1")
    was = as_it_was(world, tmp_path / "old.sqlite")
    world.close()
    store = Store(was)
    assert migrate(store) == head()
    assert is_current(store)
    again = replace(world.context, store=store, directory=Directory(store, world.context.programmes))
    fill_all(again, now=world.now)  # as the worker does when it starts
    assert cut_off(again, now=world.now).troubles == ()
    store.close()


def test_a_log_that_has_begun_is_left_alone(url: str) -> None:
    world = World(url)
    world.refer()
    before = world.rows(t.log_head)
    assert world.store.write(adopt) == 0
    assert world.rows(t.log_head) == before
    world.close()
