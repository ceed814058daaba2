"""协查事项核对 Whom the gateway asked stands on its own messages: each question and each clue names who was sent one.

Which office or court was asked is the gateway's own doing, so no partner's message tells it; our `inquiry.forwarded`
and `clue.forwarded` do, and their rows and leaves are looked after with all others.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from gateway.flows import clue
from gateway.flows.audit.trouble import Trouble, What
from gateway.flows.inquiry import FORWARDED
from gateway.store import audit_rows
from gateway.store import tables as t

TABLE = "inquiry_questions"


def asked_troubles(connection: Connection) -> Iterator[Trouble]:
    """Of inquiries and of clues."""
    yield from _questions(connection)
    o = t.outbox.c
    for page in audit_rows.pages(connection, t.clues, t.clues.c.clue_id, t.clues.c.court_asked):
        sent = audit_rows.by(connection, o.referral_id, [row["clue_id"] for row in page])
        for row in page:
            told = [one["recipient"] for one in sent.get(row["clue_id"], ()) if one["type"] == clue.FORWARDED]
            if told != ([] if row["court_asked"] is None else [row["court_asked"]]):
                yield Trouble(table="clues", ref=row["clue_id"], what=What.ALTERED, column="court_asked")


def _questions(connection: Connection) -> Iterator[Trouble]:
    """Inquiries without questions, questions without their inquiry or without our message to that very party, and
    messages of ours that no question stands for."""
    for page in audit_rows.pages(connection, t.inquiries, t.inquiries.c.inquiry_id):
        ids = [row["inquiry_id"] for row in page]
        asked = audit_rows.by(connection, t.inquiry_questions.c.inquiry_id, ids)
        yield from (_trouble(one, What.MISSING) for one in ids if one not in asked)
    for page in audit_rows.pages(connection, t.inquiry_questions):
        known = audit_rows.by(connection, t.inquiries.c.inquiry_id, [row["inquiry_id"] for row in page])
        named = [row["forwarded_id"] for row in page if row["forwarded_id"] is not None]
        sent = audit_rows.by(connection, t.outbox.c.message_id, named)
        for row in page:
            if row["inquiry_id"] not in known:
                yield _trouble(row["inquiry_id"], What.UNLOGGED)
            elif not _stands(row, next(iter(sent.get(row["forwarded_id"], ())), None)):
                yield _trouble(row["inquiry_id"], What.ALTERED, "party")
    o = t.outbox.c
    for page in audit_rows.pages(connection, t.outbox, o.message_id, o.type, o.referral_id):
        ours = {row["message_id"]: row["referral_id"] for row in page if row["type"] == FORWARDED}
        there = audit_rows.by(connection, t.inquiry_questions.c.forwarded_id, list(ours))
        yield from (_trouble(matter, What.MISSING) for one, matter in ours.items() if one not in there)


def _stands(row: Mapping[str, Any], sent: Mapping[str, Any] | None) -> bool:
    if row["party"] is None:
        return row["forwarded_id"] is None and row["unroutable"] is not None
    return (
        sent is not None
        and sent["type"] == FORWARDED
        and (sent["recipient"], sent["referral_id"]) == (row["party"], row["inquiry_id"])
    )


def _trouble(inquiry_id: str, what: What, column: str | None = None) -> Trouble:
    return Trouble(table=TABLE, ref=inquiry_id, what=what, column=column)
