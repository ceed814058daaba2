"""本院移送 A court reads its own referral again from the bytes it signed: to look at the person, to write it anew.

Rules: only the court that sent it; a stranger's referral and none at all get the same answer. What was signed is proven
again before a word of it is used (`flows.recall`). Whoever shows it in full says why first, and that is on file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.referral import Referral
from gateway.envelope.signing import verify
from gateway.errors import CaseErased, NoticeUnknown, ReferralUnknown
from gateway.flows.context import Context
from gateway.flows.recall import newest, recall_these
from gateway.store import court_desk, exchanges, inbox, referrals, sealing
from gateway.store.clock import from_ms
from schemas.referral import OF_AMENDMENTS

PERSON_VIEWED, WRITTEN_ANEW, CLUE_VIEWED = "person_viewed", "referral_written_anew", "clue_viewed"
AMENDING = "referral_amending"
"""What the decision says that is put on file before such a look."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnReferral:
    """Its newest version: as it was read, and the referral as it stood on the wire under that message."""

    referral: Referral
    data: Mapping[str, Any]
    message_id: str
    agreement_row: int


def own_referral(context: Context, referral_id: str, *, court: str, now: datetime) -> OwnReferral:
    """Raises ReferralUnknown, CaseErased, and what says that the bytes prove nothing any more."""
    with context.store.reading() as connection:
        place = referrals.where_kept(connection, referral_id)
        if place is None or place.court != court:
            raise ReferralUnknown(ids={"referral_id": referral_id})
        (place,) = newest(connection, [place])
        raw = inbox.bytes_of(connection, [(place.court, place.message_id)]).get((place.court, place.message_id))
        if raw is None:
            raise CaseErased(ids={"referral_id": referral_id})
        found = recall_these(connection, [place], context, now=now)[referral_id]
    if not isinstance(found, Referral):
        raise found
    keyring = context.snapshot(now).keyring
    message = verify(raw.encode(), keyring, recipient=context.party_id, now=place.received_at, check_time=False)
    return OwnReferral(
        referral=found,
        data={name: said for name, said in message.envelope.data.items() if name not in OF_AMENDMENTS},
        message_id=place.message_id,
        agreement_row=place.agreement_row,
    )


def forwarded_clue(context: Context, clue_id: str, *, court: str, now: datetime) -> Mapping[str, Any]:
    """What our notice told this court of a clue. Raises NoticeUnknown, CaseErased."""
    with context.store.reading() as connection:
        raw, sent_at = _notice(connection, clue_id, court)
    keyring = context.snapshot(now).keyring
    message = verify(raw, keyring, recipient=court, now=sent_at, check_time=False)  # our key may have ended since
    data: Mapping[str, Any] = message.envelope.data
    return data


def _notice(connection: Connection, clue_id: str, court: str) -> tuple[bytes, datetime]:
    """Our notice's bytes, and when it was signed."""
    sent = exchanges.last_notice(connection, "clue.forwarded", clue_id)
    row = None if sent is None else court_desk.own_message(connection, court, sent)
    if row is None:
        raise NoticeUnknown(ids={"message_id": clue_id})
    opened = sealing.outbound(connection, [row]).get(row["message_id"])
    if opened is None:
        raise CaseErased(ids={"message_id": row["message_id"]})
    return opened.jws.encode(), from_ms(row["created_at"])
