"""存证与行 Every leaf of the log has its row, every row its leaf, and they say the same.

1. leaves in order, page by page: the message, receipt or decision each speaks of is looked up; the digest is computed
   anew from what is stored, never taken from a column;
2. rows in order: one without a leaf was put there by somebody who went round the gateway.

The content of an erased case is gone on purpose; its digests are still compared.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from gateway.envelope.message import digest
from gateway.errors import MalformedJson
from gateway.evidence import entry as entries
from gateway.evidence.entry import Entry, EntryKind
from gateway.evidence.receipt import Rung
from gateway.flows.audit.trouble import Trouble, What
from gateway.flows.context import Context
from gateway.store import audit_rows, decisions, log
from gateway.store import tables as t
from gateway.store.audit_rows import StoredMessage
from gateway.store.clock import from_ms
from gateway.store.log import Place
from schemas.fields import format_moment

PAGE = 1000


def leaves_without_rows(connection: Connection, context: Context, size: int) -> Iterator[Trouble]:
    """What the log knows and the rows do not, or otherwise."""
    leaves = (read_leaf(place) for place in log.entries(connection, 0, size))
    readable = (one for one in leaves if one is not None)
    while page := list(islice(readable, PAGE)):
        yield from _messages(connection, context, [one for one in page if one.kind is EntryKind.MESSAGE])
        yield from _receipts(connection, context, [one for one in page if one.kind is EntryKind.RECEIPT])
        yield from _decisions(connection, [one for one in page if one.kind is EntryKind.DECISION])


def read_leaf(place: Place) -> Entry | None:
    """What a leaf says; None for one whose text was changed: the log's own check names it."""
    try:
        return entries.read(place.entry.encode())
    except MalformedJson:
        return None


def _messages(connection: Connection, context: Context, page: Sequence[Entry]) -> Iterator[Trouble]:
    received = audit_rows.inbound(connection, [one.ref for one in page if one.fields["from"] != context.party_id])
    sent = audit_rows.outbound(connection, [one.ref for one in page if one.fields["from"] == context.party_id])
    for one in page:
        source = str(one.fields["from"])
        if source == context.party_id:
            table, stored, columns = "outbox", sent.get(one.ref), {"recipient": "to", "type": "type"}
        else:
            table, stored, columns = "inbox", received.get((source, one.ref)), {"type": "type"}
        about = one.fields.get("about")
        referral_id = about if isinstance(about, str) else None
        if stored is None:
            yield Trouble(table=table, ref=one.ref, what=What.MISSING, referral_id=referral_id)
            continue
        wrong = _wrong_column(stored, one, columns, "subject" if table == "inbox" else "referral_id")
        if wrong is not None:
            yield Trouble(table=table, ref=one.ref, what=What.ALTERED, referral_id=referral_id, column=wrong)


def _wrong_column(stored: StoredMessage, one: Entry, columns: dict[str, str], subject: str) -> str | None:
    row = stored.row
    if not stored.erased and (stored.text is None or digest(stored.text) != one.digest):
        return "jws"
    if row["digest"] != one.digest:
        return "digest"
    if row[subject] != one.fields.get("about"):
        return subject
    return next((column for column, name in columns.items() if row[column] != one.fields[name]), None)


def _receipts(connection: Connection, context: Context, page: Sequence[Entry]) -> Iterator[Trouble]:
    ours = [one for one in page if _is_submission(one, context)]
    received: dict[str, list[StoredMessage]] = {}
    for (_, message_id), stored in audit_rows.inbound(connection, [one.ref for one in ours]).items():
        received.setdefault(message_id, []).append(stored)
    kept = audit_rows.receipts(connection, [one.ref for one in page if not _is_submission(one, context)])
    for one in page:
        if _is_submission(one, context):
            there = [digest(stored.row["receipt"]) for stored in received.get(one.ref, ())]
            if there and one.digest not in there:  # a row that is gone is named by its message's leaf
                yield Trouble(table="inbox", ref=one.ref, what=What.ALTERED, column="receipt")
            continue
        rung = str(one.fields["rung"])
        mine = [row for row in kept.get(one.ref, ()) if row["rung"] == rung and row["verdict"] == one.fields["verdict"]]
        if not mine:
            yield Trouble(table="receipts", ref=f"{one.ref}:{rung}", what=What.MISSING)
        elif all(digest(row["jws"]) != one.digest for row in mine):
            yield Trouble(table="receipts", ref=f"{one.ref}:{rung}", what=What.ALTERED, column="jws")


def _is_submission(one: Entry, context: Context) -> bool:
    return one.fields["rung"] == Rung.SUBMISSION.value and one.fields["from"] == context.party_id


def _decisions(connection: Connection, page: Sequence[Entry]) -> Iterator[Trouble]:
    found = audit_rows.decisions(connection, [one.ref for one in page])
    for one in page:
        row = found.get(one.ref)
        if row is None:
            yield Trouble(table="decisions", ref=one.ref, what=What.MISSING)
        elif decisions.digest_of(row) != one.digest or format_moment(from_ms(row["at"])) != one.fields["at"]:
            yield Trouble(table="decisions", ref=one.ref, what=What.ALTERED)


def rows_without_leaves(connection: Connection, context: Context) -> Iterator[Trouble]:
    """What the rows have and the log does not know."""
    inbox, outbox = t.inbox.c, t.outbox.c
    for page in audit_rows.pages(connection, t.inbox, inbox.message_id, inbox.source, inbox.subject):
        known = _known(connection, page, EntryKind.MESSAGE)
        for row in page:
            if (row["message_id"], row["source"]) not in known:
                yield _unlogged("inbox", row["message_id"], row["subject"])
    for page in audit_rows.pages(connection, t.outbox, outbox.message_id, outbox.referral_id):
        known = _known(connection, page, EntryKind.MESSAGE)
        for row in page:
            if (row["message_id"], context.party_id) not in known:
                yield _unlogged("outbox", row["message_id"], row["referral_id"])
    receipts = t.receipts.c
    for page in audit_rows.pages(
        connection, t.receipts, receipts.message_id, receipts.rung, receipts.issuer, receipts.evidence_id
    ):
        known = _known(connection, page, EntryKind.RECEIPT)
        for row in page:
            if row["evidence_id"] is None and (row["message_id"], row["issuer"], row["rung"]) not in known:
                yield _unlogged("receipts", f"{row['message_id']}:{row['rung']}", None)
    for page in audit_rows.pages(connection, t.decisions, t.decisions.c.decision_id):
        logged = {place.ref for place in log.places(connection, [row["decision_id"] for row in page])}
        yield from (
            _unlogged("decisions", row["decision_id"], None) for row in page if row["decision_id"] not in logged
        )


def _known(connection: Connection, page: Iterable[Any], kind: EntryKind) -> set[tuple[str, ...]]:
    """(ref, from) of the page's leaves; of receipts with their rung."""
    found = set()
    for place in log.places(connection, [row["message_id"] for row in page]):
        leaf = read_leaf(place)
        if leaf is not None and leaf.kind is kind:
            rung = (str(leaf.fields["rung"]),) if kind is EntryKind.RECEIPT else ()
            found.add((leaf.ref, str(leaf.fields["from"]), *rung))
    return found


def _unlogged(table: str, ref: str, referral_id: str | None) -> Trouble:
    return Trouble(table=table, ref=ref, what=What.UNLOGGED, referral_id=referral_id)
