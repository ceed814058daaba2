"""占位报文的读取 What `reservation.requested`, `.confirmed` and `.released` say, read and checked.

A person the gateway does not know by a need is taken only under an agreement that authorises matching (P06), and only
as a keyed number: the number itself stays in the sealed message.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.domain.agreement import AgreementProfile
from gateway.domain.calendar import china_day
from gateway.domain.lifecycle import ReservationState
from gateway.domain.reservation import Wanted, month_of_text
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import AgreementUnknown, FieldProblem, RuleBlocked, SchemaInvalid
from gateway.flows.context import Context
from gateway.flows.reading import problem, read_body
from gateway.matching.identity import identity_key
from schemas.reservation import RESERVATION_END, RESERVATION_REQUEST

REQUESTED, CONFIRMED, RELEASED = "reservation.requested", "reservation.confirmed", "reservation.released"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """占位申请, read. person_key: of a person named by number; None where a need is named."""

    context: Context
    message: VerifiedMessage
    reservation_id: str
    wanted: Wanted
    amount_fen: int | None
    person_key: str | None
    profile: AgreementProfile | None
    now: datetime

    @property
    def subject(self) -> None:
        """It is found by its number; what it says of a person is sealed with its sender's key."""
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """占位确认或释放, read."""

    context: Context
    message: VerifiedMessage
    reservation_id: str
    there: ReservationState
    amount_fen: int | None
    now: datetime

    @property
    def subject(self) -> None:
        """As of the request."""
        return None


def prepare(message: VerifiedMessage, context: Context, *, now: datetime) -> Request:
    """Reads `reservation.requested`. Raises SchemaInvalid, AgreementUnknown, RuleBlocked."""
    fields, ids = read_body(message, RESERVATION_REQUEST), {"message_id": message.envelope.id}
    first, last = fields["from_month"], fields.get("until_month")
    problems = list(_problems(fields, context))
    if last is not None and last < first:
        problems.append(FieldProblem(pointer="/data/until_month", code="months_reversed"))
    if problems:
        raise SchemaInvalid(problems=problems, ids=ids)
    person, profile, key = fields.get("person"), None, None
    if person is not None:
        profile = _agreement(fields.get("agreement_document"), message.party_id, context, now, ids)
        if not profile.matching_authorised:
            raise RuleBlocked("P06", problems=[problem("person", "matching_not_authorised")], ids=ids)
        key = identity_key(
            person["id_type"], person["id_number"], secret=context.matching_secret, regions=context.regions
        )
        if key is None:
            raise SchemaInvalid(problems=[problem("person/id_number", "id_unusable")], ids=ids)
    return Request(
        context=context,
        message=message,
        reservation_id=fields["reservation_id"],
        wanted=Wanted(
            programme=fields["programme"],
            first=month_of_text(first),
            last=None if last is None else month_of_text(last),
            need_id=fields.get("need_id"),
        ),
        amount_fen=fields.get("amount_fen"),
        person_key=key,
        profile=profile,
        now=now,
    )


def _problems(fields: dict[str, Any], context: Context) -> Iterator[FieldProblem]:
    if fields["programme"] not in context.programmes:
        yield problem("programme", "programme_unknown")
    if ("need_id" in fields) is ("person" in fields):
        yield problem("need_id", "need_or_person")


def _agreement(document: str | None, party: str, context: Context, now: datetime, ids: Any) -> AgreementProfile:
    found = None if document is None else context.snapshot(now).agreement_for(document)
    if found is None or not found[1].is_valid_on(china_day(now)) or not found[1].names(party):
        raise AgreementUnknown(problems=[problem("agreement_document", "unknown_code")], ids=ids)
    return found[1]


def prepare_end(message: VerifiedMessage, context: Context, *, now: datetime) -> End:
    """Reads `reservation.confirmed` and `reservation.released`. Raises SchemaInvalid."""
    fields = read_body(message, RESERVATION_END)
    there = ReservationState.CONFIRMED if message.envelope.type == CONFIRMED else ReservationState.RELEASED
    return End(
        context=context,
        message=message,
        reservation_id=fields["reservation_id"],
        there=there,
        amount_fen=fields.get("amount_fen"),
        now=now,
    )
