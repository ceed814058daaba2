"""当时所知的存取 Whatever changes a row that a check reads leaves behind what the row said before."""

import re
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

import gateway
from gateway.store import history, referrals
from gateway.store import tables as t
from gateway.store.engine import Store
from gateway.store.tables import metadata

SOURCES = Path(gateway.__file__).parent
NOT_KEPT = {
    "accounts": "who signs in, read by no check; what people did to them are decisions",
    "approvals": "asked, granted, refused, used: each is a decision with its leaf",
    "attempts": "how a message travelled, read by no check",
    "case_keys": "emptied by an erasure, which the past does not undo",
    "counters": "numbers to be given",
    "findings": "what runs said, not what they looked at",
    "given_back": "only during a recovery",
    "inbox": "sealed again by an upgrade, the same message",
    "inquiries": "only an erasure takes the key away",
    "known_browsers": "tries to sign in",
    "leases": "who works now",
    "log_head": "the log proves its own past",
    "offices": "the directory is read as it stands",
    "outbox": "how far a message is on its way; that it was sent is kept",
    "parties": "the directory is read as it stands",
    "party_keys": "the directory is read as it stands",
    "payment_accounts": "only an erasure or a new matching secret changes it, and both are meant for the past too",
    "told_marks": "how far courts were told, read by no check",
    "replies": "only an erasure takes words away",
    "sign_ins": "who is signed in now",
    "statement_progress": "how far a file was read; what is compared rests on the reading's own row",
}
"""Tables whose rows change and whose earlier form is not kept, with why. A new one is decided here."""


def test_every_table_whose_rows_change_is_kept_or_excused() -> None:
    changed = {
        name
        for path in SOURCES.rglob("*.py")
        for name in re.findall(r"\bt\.(\w+)\s*\.update\(", path.read_text(encoding="utf-8"))
    }
    assert changed - history.CHANGING.keys() - NOT_KEPT.keys() == set()
    assert NOT_KEPT.keys() & history.CHANGING.keys() == set()


def test_what_is_kept_are_columns_there_are() -> None:
    for name, columns in history.CHANGING.items():
        assert set(columns) < set(metadata.tables[name].c.keys())
        assert "row" in metadata.tables[name].c


def test_every_column_of_a_need_that_changes_is_kept_but_for_the_queue_s_own() -> None:
    assert set(referrals.CHANGEABLE) - set(history.CHANGING["needs"]) == {"because", "answered_at", "dispatch_at"}


def test_the_database_itself_keeps_what_a_row_said(store: Store) -> None:
    with store.reading() as connection:
        assert history.not_kept(connection) == []
    drop = "DROP TRIGGER keep_needs" if store.is_sqlite else "DROP TRIGGER keep_needs ON needs"
    store.write(lambda connection: connection.execute(sa.text(drop)))
    with store.reading() as connection:
        assert history.not_kept(connection) == ["needs"]
    store.write(history.install)
    with store.reading() as connection:
        assert history.not_kept(connection) == []


def test_a_change_that_changes_nothing_leaves_nothing_behind(store: Store) -> None:
    text = "INSERT INTO handoffs VALUES (1,'h','m','r','o','a',0,'issued',1,'[]',NULL,NULL)"
    store.write(lambda connection: connection.execute(sa.text(text)))
    for state in ("issued", "relayed", "relayed", "answered"):
        change = t.handoffs.update().values(state=state)
        store.write(partial(Connection.execute, statement=change))
    with store.reading() as connection:
        earlier = connection.execute(sa.text('SELECT earlier FROM row_changes ORDER BY row_changes."row"')).scalars()
        assert [re.sub(r"\s", "", text) for text in earlier] == [
            '{"state":"issued","parked_reason":null}',
            '{"state":"relayed","parked_reason":null}',
        ]
