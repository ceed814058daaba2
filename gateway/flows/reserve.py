"""占位 Before an agency grants, it asks; the receipt itself says whether the help is reserved for it, or what stands
against it, as much as that agency may know.

1. prepare: the request is read; a person the gateway does not know by a need is taken only under an agreement that
   authorises matching (P06), and only as a keyed number;
2. record, one after the other inside the writer's turn: what is over is freed; what others reserved, and what agencies
   told that they grant, is judged (`domain.reservation`); with nothing against it the months are taken (UNIQUE) until
   the limit of the agreement passes;
3. confirmed or released by whoever holds it; what nobody confirms in time is free again.
A conflict refuses nothing for good: the agency may grant all the same, and the doubt will be found (Law 6).
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.domain.agreement import AgreementProfile
from gateway.domain.deadlines import due, find_limit, load_limits
from gateway.domain.lifecycle import RESERVATION, ReservationState
from gateway.domain.reconciliation.grants import grants_of
from gateway.domain.reservation import Conflict, Taken, conflicts, month_of_text, month_text, slots
from gateway.errors import CalendarUnpublished, IllegalMove, ReservationUnknown, RuleBlocked
from gateway.flows.context import Context
from gateway.flows.message_kind import AGENCIES, MessageKind, Noted, Told
from gateway.flows.reading import problem
from gateway.flows.reservation_read import (
    CONFIRMED,
    RELEASED,
    REQUESTED,
    End,
    Request,
    prepare,
    prepare_end,
)
from gateway.store import decisions, dossiers, reservations
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.reservations import KeptReservation
from schemas.fields import format_moment

WITHOUT_A_LIMIT = timedelta(hours=48)
"""Where neither the agreement nor the shipped sample sets a limit that can be told."""


def record(connection: Connection, items: Sequence[Request]) -> list[Noted | Exception]:
    """One outcome each, in order: the first of a group holds what the second asks for."""
    outcomes: list[Noted | Exception] = []
    for item in items:
        try:
            outcomes.append(_reserve(connection, item))
        except (ReservationUnknown, RuleBlocked) as refusal:
            outcomes.append(refusal)
    return outcomes


def _reserve(connection: Connection, item: Request) -> Noted:
    ids, party = {"message_id": item.message.envelope.id}, item.message.party_id
    if reservations.find(connection, party, item.reservation_id) is not None:
        raise RuleBlocked(problems=[problem("reservation_id", "repeated")], ids=ids)
    person_key, profile, minor = item.person_key, item.profile, False
    if item.wanted.need_id is not None:
        person_key, profile, minor = _need(connection, item)
    taken = _taken(connection, item, person_key)
    found = list(
        conflicts(item.wanted, taken, coexistence=item.context.coexistence, programmes=item.context.programmes)
    )
    until = None if found else _until(item, profile, minor)
    state = ReservationState.CONFLICT if found else ReservationState.RESERVED
    told = [_told(one, item, profile) for one in found]
    held = [] if found else _slots(item, person_key)
    row = _row(item) | {
        "person_key": person_key,
        "state": state.value,
        "requested_at": to_ms(item.now),
        "reserved_until": to_ms(until),
        "ended_at": None,
        "conflicts": json.dumps([{"code": one.code, "rule_id": one.rule_id} for one in found]),
    }
    reservations.put(connection, row, held)
    if person_key is not None:
        document = "" if profile is None else profile.document
        decisions.put(
            connection,
            who=item.context.party_id,
            what="matching_used",
            subject=item.message.envelope.id,
            why=f"P06 {document} reservation",
            now=item.now,
        )
    answer: dict[str, Any] = {"reservation_id": item.reservation_id, "state": state.value}
    if until is not None:
        answer["until"] = format_moment(until)
    if told:
        answer["conflicts"] = told
    return Noted(answer=answer)


def _need(connection: Connection, item: Request) -> tuple[str | None, AgreementProfile | None, bool]:
    """(person key, agreement, minor) of a need that this very party was handed. Raises ReservationUnknown: a stranger's
    need and none at all get the same answer."""
    need_id = item.wanted.need_id or ""
    found = dossiers.read(connection, [need_id.rpartition(":")[0]])
    snapshot = item.context.snapshot(item.now)
    for need in found[0].needs if found else ():
        office = snapshot.offices.get(need.office_id or "")
        if need.need_id == need_id and office is not None and office.party_id == item.message.party_id:
            referral = found[0].referral
            rows = dossiers.agreement_rows(connection, [referral.referral_id])
            profile = snapshot.agreements.get(rows[referral.referral_id])
            return referral.person_key, profile, referral.is_minor
    raise ReservationUnknown(ids={"message_id": item.message.envelope.id})


def _taken(connection: Connection, item: Request, person_key: str | None) -> list[Taken]:
    """What stands: reservations that hold, and grants of the person's referrals."""
    snapshot = item.context.snapshot(item.now)
    agency_of = {office.party_id: office.agency for office in snapshot.offices.values()}
    party_of = {office.office_id: office.party_id for office in snapshot.offices.values()}
    held = reservations.holding(connection, person_key=person_key, need_id=item.wanted.need_id, now=item.now)
    found = [_held(one, agency_of.get(one.party, "")) for one in held]
    if person_key is None:
        return found
    for dossier in dossiers.read(connection, dossiers.of_person(connection, person_key)):
        if dossier.referral.withdrawn:
            continue
        profile = _profile_of(connection, item, dossier.referral.referral_id)
        book = None if profile is None else item.context.rulebook(profile)
        for grant in () if book is None else grants_of(dossier.referral, dossier.needs, dossier.replies, book):
            party = party_of.get(grant.office, grant.office)
            found.append(
                Taken(
                    programme=grant.programme,
                    first=grant.first,
                    last=grant.last,
                    party=party,
                    agency=agency_of.get(party, ""),
                    is_grant=True,
                    reference=grant.need.need_id,
                    state="granted",
                    need_id=grant.need.need_id,
                )
            )
    return found


def _profile_of(connection: Connection, item: Request, referral_id: str) -> AgreementProfile | None:
    row = dossiers.agreement_rows(connection, [referral_id]).get(referral_id)
    return None if row is None else item.context.snapshot(item.now).agreements.get(row)


def _held(one: KeptReservation, agency: str) -> Taken:
    return Taken(
        programme=one.programme,
        first=month_of_text(one.from_month),
        last=None if one.until_month is None else month_of_text(one.until_month),
        party=one.party,
        agency=agency,
        is_grant=False,
        reference=one.reservation_id,
        state=one.state.value,
        need_id=one.need_id,
    )


def _slots(item: Request, person_key: str | None) -> list[str]:
    held = [] if item.wanted.need_id is None else [f"need:{item.wanted.need_id}"]
    return held if person_key is None else [*held, *slots(person_key, item.wanted, item.context.programmes)]


def _until(item: Request, profile: AgreementProfile | None, minor: bool) -> datetime:
    limits = (*(() if profile is None else profile.limits), *load_limits())
    agency = next(
        (
            one.agency
            for one in item.context.snapshot(item.now).offices.values()
            if one.party_id == item.message.party_id
        ),
        "",
    )
    limit = find_limit(limits, agency=agency, programme=item.wanted.programme, from_step=REQUESTED, to_step=CONFIRMED)
    if limit is None:
        return item.now + WITHOUT_A_LIMIT
    try:
        return due(limit, item.now, minor=minor, calendar=item.context.calendar)
    except CalendarUnpublished:
        return item.now + WITHOUT_A_LIMIT


def _told(conflict: Conflict, item: Request, profile: AgreementProfile | None) -> dict[str, Any]:
    """What this agency may know: another agency's programme and months only where the agreement says so, and an id of
    its own only."""
    taken = conflict.taken
    told: dict[str, Any] = {"code": conflict.code, "rule_id": conflict.rule_id}
    own = taken.party == item.message.party_id
    if own or taken.programme == item.wanted.programme or (profile is not None and profile.agencies_see_each_other):
        told |= {"programme": taken.programme, "from_month": month_text(taken.first), "state": taken.state}
        if taken.last is not None:
            told["until_month"] = month_text(taken.last)
    if own or (profile is not None and profile.agencies_see_each_other):
        told["agency"] = taken.agency
    if own:
        told["own"] = taken.reference
    return told


def record_ends(connection: Connection, items: Sequence[End]) -> list[Noted | Exception]:
    """One outcome each. What nobody confirmed in time is no longer held: it has to be asked for again."""
    outcomes: list[Noted | Exception] = []
    for item in items:
        try:
            outcomes.append(_end(connection, item))
        except (ReservationUnknown, IllegalMove) as refusal:
            outcomes.append(refusal)
    return outcomes


def _end(connection: Connection, item: End) -> Noted:
    reservations.expire(connection, now=item.now)
    ids = {"message_id": item.message.envelope.id}
    kept = reservations.find(connection, item.message.party_id, item.reservation_id)
    if kept is None:
        raise ReservationUnknown(ids=ids)
    if not RESERVATION.may(kept.state, item.there):
        raise IllegalMove(f"the reservation is {kept.state}", ids=ids)
    reservations.move(connection, kept, item.there, now=item.now, frees=item.there is ReservationState.RELEASED)
    reservations.put_end(connection, _end_row(item))
    return Noted(answer={"reservation_id": item.reservation_id, "state": item.there.value})


def _row(item: Request) -> dict[str, Any]:
    """What the request itself says."""
    return {
        "reservation_id": item.reservation_id,
        "party": item.message.party_id,
        "message_id": item.message.envelope.id,
        "need_id": item.wanted.need_id,
        "programme": item.wanted.programme,
        "from_month": month_text(item.wanted.first),
        "until_month": None if item.wanted.last is None else month_text(item.wanted.last),
        "amount_fen": item.amount_fen,
    }


def _end_row(item: End) -> dict[str, Any]:
    return {
        "message_id": item.message.envelope.id,
        "party": item.message.party_id,
        "reservation_id": item.reservation_id,
        "what": item.there.value,
        "amount_fen": item.amount_fen,
        "at": to_ms(item.now),
    }


def told(item: Request) -> Iterable[Told]:
    """The reservation's own columns."""
    key = {} if item.person_key is None else {"person_key": item.person_key}
    yield Told(table=t.reservations, row=_row(item) | key)


def told_end(item: End) -> Iterable[Told]:
    """The end's whole row."""
    yield Told(table=t.reservation_ends, row=_end_row(item))


def expire(context: Context, *, now: datetime) -> int:
    """Frees what nobody confirmed in time; how many. Writes nothing when there is none."""
    with context.store.reading() as connection:
        if not reservations.due(connection, now=now):
            return 0
    return context.store.write(lambda connection: reservations.expire(connection, now=now))


KINDS = (
    MessageKind(type=REQUESTED, senders=AGENCIES, prepare=prepare, record=record, told=told, tables=(t.reservations,)),
    *(
        MessageKind(
            type=type_,
            senders=AGENCIES,
            prepare=prepare_end,
            record=record_ends,
            told=told_end,
            tables=(t.reservation_ends,),
        )
        for type_ in (CONFIRMED, RELEASED)
    ),
)
