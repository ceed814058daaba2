"""复核通知 What the two sides of a match are told: that they are asked (`match.notice`), and what came of it.

Rules: a side learns its own case, what kind of doubt it is, the programme and the month; never the other's person,
case or handoff. Which agency, and which other programme, it learns only where the agreement lets agencies see each
other. The operator, who speaks for a side that is not connected, is sent nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.domain.adjudication import DISPOSITION, NOTICE, DispositionCode, Match, MatchSide, Resolution
from gateway.domain.agreement import AgreementProfile
from gateway.domain.deadlines import due, find_limit, load_limits
from gateway.domain.reconciliation.findings import OPERATOR
from gateway.errors import CalendarUnpublished
from gateway.flows import notice
from gateway.flows.context import Context
from gateway.flows.notice import Notice
from gateway.store import audit_rows, outbox
from schemas.fields import format_moment

RESOLVED = "match.resolved"
WITHOUT_A_LIMIT = timedelta(days=14)
"""Where neither the agreement nor the shipped sample sets a limit that can be told."""


def due_at(
    context: Context, profile: AgreementProfile | None, side: MatchSide, *, minor: bool, now: datetime
) -> datetime:
    """Until when the side may answer."""
    limits = (*(() if profile is None else profile.limits), *load_limits())
    office = context.snapshot(now).offices.get(side.office_id or "")
    limit = find_limit(
        limits,
        agency="court" if office is None else office.agency,
        programme=side.programme or "*",
        from_step=NOTICE,
        to_step=DISPOSITION,
    )
    if limit is None:
        return now + WITHOUT_A_LIMIT
    try:
        return due(limit, now, minor=minor, calendar=context.calendar)
    except CalendarUnpublished:
        return now + WITHOUT_A_LIMIT


def ask(
    connection: Connection,
    context: Context,
    match: Match,
    sides: Sequence[tuple[MatchSide, datetime]],
    evidence: Mapping[str, Any],
    profile: AgreementProfile | None,
    *,
    now: datetime,
) -> dict[str, str]:
    """Our notices of this round by side; none to the operator."""
    return _send(
        connection,
        context,
        [
            (
                side,
                Notice(
                    to=_addressee(context, side, now),
                    type=NOTICE,
                    subject=side.referral_id,
                    effect=f"{match.match_id}:{side.side}:{match.round}",
                    data={
                        **_own(match, side),
                        **_doubt(context, match, side, evidence, profile, now),
                        "dispositions": [code.value for code in DispositionCode],
                        "due": format_moment(until),
                    },
                    reply_by=until,
                    purpose="match",
                ),
            )
            for side, until in sides
        ],
        now=now,
    )


def tell(
    connection: Connection,
    context: Context,
    match: Match,
    sides: Sequence[MatchSide],
    resolution: Resolution,
    stops: str | None,
    *,
    now: datetime,
) -> None:
    """Both sides learn how it was resolved, and each whether it is the one that stops."""
    notices = [
        (
            side,
            Notice(
                to=_addressee(context, side, now),
                type=RESOLVED,
                subject=side.referral_id,
                effect=f"{match.match_id}:{side.side}:{match.round}",
                data={**_own(match, side), "resolution": resolution.value, "stops_yours": stops == side.side},
                purpose="match",
            ),
        )
        for side in sides
    ]
    _send(connection, context, notices, now=now)


def _send(
    connection: Connection, context: Context, notices: Sequence[tuple[MatchSide, Notice]], *, now: datetime
) -> dict[str, str]:
    """What was said before a loss, and given back by whoever got it, stands; of an erased case nothing is said."""
    erased = audit_rows.erased(connection, [side.referral_id for side, _ in notices])
    wanted = [(side, one) for side, one in notices if one.to != OPERATOR and side.referral_id not in erased]
    ids = notice.send(connection, context, [one for _, one in wanted], now=now)
    keys = [notice.effect_key(one.type, one.effect) for _, one in wanted]
    said = outbox.ids_of_effects(connection, keys)
    return {
        side.side: message_id or said[key]
        for (side, _), message_id, key in zip(wanted, ids, keys, strict=True)
        if message_id or key in said
    }


def _addressee(context: Context, side: MatchSide, now: datetime) -> Any:
    return context.snapshot(now).offices.get(side.office_id or "", side.party)


def _own(match: Match, side: MatchSide) -> dict[str, Any]:
    own: dict[str, Any] = {
        "match_id": match.match_id,
        "side": side.side,
        "round": match.round,
        "referral_id": side.referral_id,
    }
    return own if side.need_id is None else own | {"need_id": side.need_id}


def _doubt(
    context: Context,
    match: Match,
    side: MatchSide,
    evidence: Mapping[str, Any],
    profile: AgreementProfile | None,
    now: datetime,
) -> dict[str, Any]:
    """The kind of doubt, and of the help no more than this side may know."""
    told: dict[str, Any] = {"kind": match.kind.value, "code": match.code}
    if side.programme is not None:
        told["programme"] = side.programme
    if isinstance(evidence.get("from_month"), str):
        told["from_month"] = evidence["from_month"]
    offices, programmes = evidence.get("offices"), evidence.get("programmes")
    if profile is None or not profile.agencies_see_each_other or side.office_id is None:
        return told
    other = next((one for one in offices if one != side.office_id), None) if isinstance(offices, list) else None
    known = context.snapshot(now).offices.get(other or "")
    if known is not None:
        told["other_agency"] = known.agency
    if isinstance(programmes, list):
        told["other_programme"] = next((one for one in programmes if one != side.programme), side.programme)
    return told
