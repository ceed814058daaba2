"""比对之行的核对 What persons are compared by is made again from the signed referral; each match rests on its leaf.

Rules: identity keys, records and blocking keys lie under the matching secret; a referral that was compared when it came
(its `matching_used` leaf says so) has them all; where matching is not authorised there is none (P06). Referrals older
than the comparison may be without.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.referral import Referral
from gateway.flows.audit.trouble import Trouble, What
from gateway.flows.context import Context
from gateway.flows.intake import keys_of
from gateway.flows.match import COMPARED, MATCH_FOUND, MATCHING_USED
from gateway.matching.keyed import secret_name
from gateway.matching.keys import stored_keys
from gateway.matching.record import record_of
from gateway.store import audit_rows, persons
from gateway.store import tables as t

Proven = tuple[Mapping[str, Any], Referral]
"""A referral's row, and what its court signed."""


def compared_troubles(
    connection: Connection, context: Context, proven: Sequence[Proven], *, now: datetime
) -> Iterator[Trouble]:
    """One page of referrals whose messages could be proven again."""
    subjects = [row["referral_id"] for row, _ in proven]
    identity = audit_rows.by(connection, t.identity_keys.c.referral_id, subjects)
    blocks = audit_rows.by(connection, t.match_keys.c.referral_id, subjects)
    stored = audit_rows.by(connection, t.persons.c.referral_id, subjects)
    opened = persons.known(connection, subjects)
    since = first_compared(connection)
    for row, referral in proven:
        referral_id = row["referral_id"]
        authorised = context.snapshot(now).agreements[row["agreement_row"]].matching_authorised
        mine = sorted((one["role"], one["key"]) for one in identity.get(referral_id, ()))
        if mine != (sorted(keys_of(referral, context)) if authorised else []):
            yield _trouble("identity_keys", referral_id, What.ALTERED)
        person, keys = stored.get(referral_id, ()), blocks.get(referral_id, ())
        if not authorised:
            yield from (_trouble("persons", referral_id, What.UNLOGGED) for _ in person)
            if keys:
                yield _trouble("match_keys", referral_id, What.UNLOGGED)
        elif not person:
            if since is not None and row["accepted_at"] >= since:
                yield _trouble("persons", referral_id, What.MISSING)
        else:
            known = opened.get(referral_id)
            yield from _record(context, referral, person[0], None if known is None else known.text, keys)


def _record(
    context: Context, referral: Referral, row: Mapping[str, Any], text: str | None, keys: Sequence[Mapping[str, Any]]
) -> Iterator[Trouble]:
    record = record_of(referral.person, regions=context.regions)
    if text != record.pack():
        yield _trouble("persons", referral.referral_id, What.ALTERED, "record")
    if row["secret_name"] != secret_name(context.matching_secret):
        yield _trouble("persons", referral.referral_id, What.ALTERED, "secret_name")
    elif sorted((one["kind"], one["key"]) for one in keys) != sorted(
        (str(kind), key) for kind, key in stored_keys(record, context.matching_secret)
    ):
        yield _trouble("match_keys", referral.referral_id, What.ALTERED)


def first_compared(connection: Connection) -> int | None:
    """Since when referrals are compared (UTC milliseconds), as the leaves say."""
    d = t.decisions.c
    statement = sa.select(sa.func.min(d.at)).where(d.what == MATCHING_USED, d.why.contains(COMPARED))
    found: int | None = connection.scalar(statement)
    return found


def matches_troubles(connection: Connection) -> Iterator[Trouble]:
    """Every match has its decision, every such decision its match, and they say the same; and records of nobody."""
    d = t.decisions.c
    said = {
        row.subject: row.why
        for row in connection.execute(sa.select(d.subject, d.why).where(d.what == MATCH_FOUND).order_by(d.row))
    }
    for page in audit_rows.pages(connection, t.possible_matches):
        for row in page:
            digest = said.pop(row["match_id"], None)
            if digest is None:
                yield _match(row["match_id"], What.UNLOGGED, row["referral_id"])
            elif digest != persons.match_digest(row):
                yield _match(row["match_id"], What.ALTERED, row["referral_id"])
    yield from (_match(match_id, What.MISSING, None) for match_id in said)
    for table in (t.persons, t.match_keys):
        for page in audit_rows.pages(connection, table, table.c.referral_id):
            there = audit_rows.by(connection, t.referrals.c.referral_id, [row["referral_id"] for row in page])
            for referral_id in dict.fromkeys(row["referral_id"] for row in page):
                if referral_id not in there:
                    yield _trouble(table.name, referral_id, What.UNLOGGED)


def _trouble(table: str, referral_id: str, what: What, column: str | None = None) -> Trouble:
    return Trouble(table=table, ref=referral_id, what=what, referral_id=referral_id, column=column)


def _match(match_id: str, what: What, referral_id: str | None) -> Trouble:
    return Trouble(table="possible_matches", ref=match_id, what=what, referral_id=referral_id)
