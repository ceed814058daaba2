"""清除 What of a case's rows goes when its data key goes, and what is left behind in the database's files.

Beside the sealed messages: keys made from identity numbers, and the few short texts that agencies wrote themselves.
What stays is ids, codes, amounts, days and digests, so that the books balance and the log verifies.
"""

from datetime import datetime
from time import monotonic, sleep

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import persons
from gateway.store import tables as t
from gateway.store.clock import from_ms
from gateway.store.engine import Store
from gateway.store.vault import SEALED

GONE = "erased"
PATIENCE_S = 5.0
_TABLES = (
    "case_keys",
    "identity_keys",
    "persons",
    "match_keys",
    "referrals",
    "handoffs",
    "replies",
    "given_back",
    "payment_accounts",
    "inquiries",
)


def last_record(connection: Connection, referral_id: str) -> datetime | None:
    """When something was last recorded about the referral: a message in or out, or a move of a need."""
    moves = (
        sa.select(sa.func.max(t.need_moves.c.recorded_at))
        .select_from(t.need_moves.join(t.needs, t.needs.c.need_id == t.need_moves.c.need_id))
        .where(t.needs.c.referral_id == referral_id)
    )
    statements = (
        sa.select(sa.func.max(t.inbox.c.received_at)).where(t.inbox.c.subject == referral_id),
        sa.select(sa.func.max(t.outbox.c.created_at)).where(t.outbox.c.referral_id == referral_id),
        moves,
    )
    found = [value for statement in statements if (value := connection.scalar(statement)) is not None]
    return from_ms(max(found)) if found else None


def messages_on_their_way(connection: Connection, referral_id: str, states: frozenset[str]) -> int:
    """How many messages of the matter are in one of these states; what lies in a court's mailbox waits for nobody."""
    o = t.outbox.c
    statement = sa.select(sa.func.count()).where(
        o.referral_id == referral_id, o.state.in_(states), o.office_id.is_not(None)
    )
    return int(connection.scalar(statement) or 0)


def unsealed(connection: Connection, referral_id: str) -> int:
    """How many of its messages an older version stored as they were: deleting a key would not erase them."""
    statements = (
        sa.select(sa.func.count()).where(t.inbox.c.subject == referral_id, t.inbox.c.jws.not_like(f"{SEALED}%")),
        sa.select(sa.func.count()).where(t.outbox.c.referral_id == referral_id, t.outbox.c.jws.not_like(f"{SEALED}%")),
    )
    return sum(int(connection.scalar(statement) or 0) for statement in statements)


def blank(connection: Connection, referral_id: str) -> None:
    """Empties what is about the person beside the messages."""
    connection.execute(t.identity_keys.delete().where(t.identity_keys.c.referral_id == referral_id))
    persons.blank(connection, referral_id)
    connection.execute(t.referrals.update().where(t.referrals.c.referral_id == referral_id).values(person_key=None))
    connection.execute(t.inquiries.update().where(t.inquiries.c.inquiry_id == referral_id).values(person_key=None))
    connection.execute(t.handoffs.update().where(t.handoffs.c.referral_id == referral_id).values(echo_key=None))
    accounts = t.payment_accounts.update().where(t.payment_accounts.c.referral_id == referral_id)
    connection.execute(accounts.values(account_key=None))
    words = {"raw_code": GONE, "forwarded_to": None, "suggested_agency": None}
    connection.execute(t.replies.update().where(t.replies.c.referral_id == referral_id).values(**words))
    mine = sa.union(
        sa.select(t.inbox.c.digest).where(t.inbox.c.subject == referral_id),
        sa.select(t.outbox.c.digest).where(t.outbox.c.referral_id == referral_id),
    )
    connection.execute(t.given_back.delete().where(t.given_back.c.digest.in_(mine)))


def scrub(store: Store, *, patience: float = PATIENCE_S) -> bool:
    """Takes what was deleted out of the database's files; False where readers kept it from being done for so many
    seconds."""
    if not store.is_sqlite:
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text(f"VACUUM {', '.join(_TABLES)}"))
        return True
    raw = store.engine.raw_connection()
    try:
        until = monotonic() + patience
        # deleted cells are overwritten (`secure_delete`), but the log written ahead still holds them as they were
        while raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if monotonic() > until:
                return False
            sleep(0.05)
        return True
    finally:
        raw.close()
