"""日报 Each morning: what a court's books say, who is late, which duplicates and misses are open; to an office what it
has to do.

1. at the newest signed checkpoint, go once through every dossier: the books of each court and the needs that are late;
2. beside them the open findings on file, by code;
3. each court with referrals gets `balance.digest` in its mailbox, each office that has to act gets its own; once a day,
   so whoever sends again after a fall sends what is missing and nothing twice.

Counts and ids only. A court is told ids of its own referrals, an office ids of needs it was handed: what a finding
compares with belongs to others. A day that is past is drawn up as it was known at eight in the morning, and never sent.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Connection

from gateway.domain.agreement import Office
from gateway.domain.calendar import CHINA, china_day
from gateway.domain.reconciliation.balance import BalanceLine, Dimension, OverdueNeed, draw_up, overdue_needs, total
from gateway.domain.reconciliation.values import Dossier, Rulebook
from gateway.domain.rules import read_table
from gateway.flows.balance import ReadPlace, Scope, at_checkpoint, dossiers_of, line_json, place_json
from gateway.flows.context import Context
from gateway.flows.notice import Notice, send
from gateway.flows.reconcile import would_find
from gateway.store import open_doubts
from gateway.store.open_doubts import OpenDoubt

logger = logging.getLogger(__name__)

DIGEST_TYPE = "balance.digest"
MORNING = time(8, 0)
FAMILIES = frozenset({"duplicate", "missed"})
MOST_IDS = 200
"""So many ids are told of each; `count` tells of all."""
BATCH = 50


@dataclass(kw_only=True)
class Digest:
    """日报 of one court or one office; `lines` are empty for an office."""

    lines: list[BalanceLine] = field(default_factory=list)
    late: list[OverdueNeed] = field(default_factory=list)
    doubts: list[OpenDoubt] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class Digests:
    """Everybody's digests of one day, and where they were read."""

    day: date
    place: ReadPlace
    courts: dict[str, Digest]
    offices: dict[str, Digest]


def digests(context: Context, *, now: datetime, day: date | None = None) -> Digests:
    """Of today, or of a day that is past as it was known at eight in the morning. Raises ConfigError for one of which
    it is not kept what was known, StoreUnavailable."""
    as_of = None if day is None or day >= china_day(now) else morning_of(day)
    with at_checkpoint(context, now=now, as_of=as_of) as (place, connection, past):
        found = Digests(day=day or china_day(now), place=place, courts={}, offices={})
        late: list[OverdueNeed] = []
        pairs = _watched(dossiers_of(connection, past, Scope(), now=now), place.as_of, late)
        for line in draw_up(pairs, place.as_of, by=Dimension.COURT_AND_PERIOD).lines:
            found.courts.setdefault(line.court, Digest()).lines.append(line)
        doubts = _on_file(connection) if as_of is None else _found_then(past, connection, place.as_of, now)
        offices = past.snapshot(now).offices
        for one in late:
            found.courts[one.court].late.append(one)
            if one.must_act in offices:
                found.offices.setdefault(one.must_act, Digest()).late.append(one)
        for doubt in doubts:
            if doubt.court in found.courts:
                found.courts[doubt.court].doubts.append(doubt)
            if doubt.must_act in offices:
                found.offices.setdefault(doubt.must_act, Digest()).doubts.append(doubt)
    return found


def _watched(
    pairs: Iterable[tuple[Dossier, Rulebook]], as_of: datetime, late: list[OverdueNeed]
) -> Iterator[tuple[Dossier, Rulebook]]:
    """The same pairs; what is late in them is noted on the way, so that everything is read once."""
    for dossier, rulebook in pairs:
        late += overdue_needs(dossier, rulebook, as_of)
        yield dossier, rulebook


def _codes() -> list[str]:
    return [row["code"] for row in read_table("findings") if row["family"] in FAMILIES]


def _on_file(connection: Connection) -> list[OpenDoubt]:
    return list(open_doubts.of_codes(connection, _codes()))


def _found_then(context: Context, connection: Connection, as_of: datetime, now: datetime) -> list[OpenDoubt]:
    """What was on file then is not kept; what the facts of then say is found again."""
    codes = set(_codes())
    found = [finding for finding, _ in would_find(context, as_of=as_of, now=now) if finding.code in codes]
    whose = open_doubts.whose(connection, {one.referral_id for one in found if one.referral_id})
    return [
        OpenDoubt(
            code=one.code,
            referral_id=one.referral_id,
            need_id=one.need_id,
            must_act=one.must_act,
            court=whose.courts.get(one.referral_id or ""),
            office_id=whose.offices.get(one.need_id or ""),
        )
        for one in found
    ]


def send_digests(context: Context, *, now: datetime) -> int:
    """Today's digests to whom they were not sent yet; how many left."""
    found = digests(context, now=now)
    offices = context.snapshot(now).offices
    notices = [_notice(court, found.day, court_json(one, found)) for court, one in sorted(found.courts.items())]
    for office_id, one in sorted(found.offices.items()):
        if office_id in offices:
            notices.append(_notice(offices[office_id], found.day, office_json(office_id, one, found)))
    count = 0
    for first in range(0, len(notices), BATCH):
        count += _send(context, notices[first : first + BATCH], now)
    logger.info("digests sent", extra={"count": count})
    return count


def _send(context: Context, notices: list[Notice], now: datetime) -> int:
    sent = context.store.write(lambda connection: send(connection, context, notices, now=now))
    return sum(message_id is not None for message_id in sent)


def _notice(to: Office | str, day: date, data: dict[str, Any]) -> Notice:
    whom = to if isinstance(to, str) else to.office_id
    return Notice(to=to, type=DIGEST_TYPE, subject=None, effect=f"{day}:{whom}", data=data)


def court_json(digest: Digest, found: Digests) -> dict[str, Any]:
    """What a court is told."""
    by = Dimension.PERIOD
    return _head(found) | {
        "balance": {
            "lines": [line_json(line, by) for line in digest.lines],
            "total": line_json(total(digest.lines), by),
        },
        "overdue": [
            {"must_act": who, **_ids("needs", [one.need_id for one in digest.late if one.must_act == who])}
            for who in sorted({one.must_act for one in digest.late})
        ],
        "findings": [
            {"code": code, **_ids("referrals", [one.referral_id for one in digest.doubts if one.code == code])}
            for code in sorted({one.code for one in digest.doubts})
        ],
    }


def office_json(office_id: str, digest: Digest, found: Digests) -> dict[str, Any]:
    """What an office is told: what waits for it, by what it waits for, and what it is in doubt about."""
    mine = [one for one in digest.doubts if one.office_id == office_id]
    return _head(found) | {
        "overdue": [
            {"waits_for": what, **_ids("needs", [one.need_id for one in digest.late if one.waits_for == what])}
            for what in sorted({one.waits_for for one in digest.late})
        ],
        "findings": [
            {
                "code": code,
                **_ids("needs", [one.need_id for one in mine if one.code == code]),
                "count": sum(one.code == code for one in digest.doubts),
            }
            for code in sorted({one.code for one in digest.doubts})
        ],
    }


def _head(found: Digests) -> dict[str, Any]:
    return {
        "day": found.day.isoformat(),
        "as_of": found.place.as_of.isoformat(),
        "read_at": place_json(found.place) | {"signed": found.place.note is not None},
    }


def _ids(name: str, ids: Sequence[str | None]) -> dict[str, Any]:
    """How many, and the first of them, each once."""
    return {"count": len(ids), name: list(dict.fromkeys(one for one in ids if one is not None))[:MOST_IDS]}


def morning_of(day: date) -> datetime:
    """Eight in the morning of a China day."""
    return datetime.combine(day, MORNING, CHINA)
