"""线索 An agency tells a court that a person may need judicial assistance; a clue must be answered (R14).

1. submitted: the clue goes to the court it names, else to that of the person's region or of the nearest level above
   (`clue.forwarded`); where no court of the region is a party, the operator sees it;
2. answered: each answer of the court goes back to the agency (`clue.answer`); informed or filed is not the end of it;
3. what is not answered to the end within the limit is a finding, and the court must act.
The person's data stays in the sealed messages; the agency's note goes to the court alone.
"""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.agreement import PartyKind
from gateway.domain.deadlines import find_limit, is_past, load_limits
from gateway.domain.reconciliation.findings import OPERATOR, doubt
from gateway.domain.reconciliation.values import Finding
from gateway.domain.replies import ClueAnswer, is_terminal
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import CalendarUnpublished, ClueUnknown, RuleBlocked, SchemaInvalid
from gateway.flows import notice
from gateway.flows.context import Context
from gateway.flows.message_kind import AGENCIES, COURTS, MessageKind, Noted, Told
from gateway.flows.notice import Notice
from gateway.flows.reading import is_minor, plain, problem, read_body
from gateway.store import exchanges, mailbox, vault
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.exchanges import KeptClue
from schemas.exchanges import CLUE, CLUE_ANSWER

SUBMITTED, FORWARDED, ANSWERED, ANSWER = "clue.submitted", "clue.forwarded", "clue.answered", "clue.answer"
RECEIVED_STEP, ANSWERED_STEP = "clue_received", "clue_answered"
PURPOSE = "clue"
_CARRIES = {
    ClueAnswer.FILED: "case_number",
    ClueAnswer.ASSISTED: "amount_fen",
    ClueAnswer.NOT_ASSISTED: "refusal_code",
    ClueAnswer.NOT_COURT: "to",
}
"""What an answer must bring along (`replies.csv`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clue:
    """线索, read."""

    context: Context
    message: VerifiedMessage
    clue_id: str
    fields: Mapping[str, Any]
    now: datetime

    @property
    def subject(self) -> str:
        """The clue is a matter of its own."""
        return self.clue_id


@dataclass(frozen=True, kw_only=True, slots=True)
class ClueReply:
    """线索反馈, read."""

    context: Context
    message: VerifiedMessage
    clue_id: str
    fields: Mapping[str, Any]
    now: datetime

    @property
    def subject(self) -> str:
        """The clue."""
        return self.clue_id


def prepare(message: VerifiedMessage, context: Context, *, now: datetime) -> Clue:
    """Reads `clue.submitted`. Raises SchemaInvalid."""
    fields = read_body(message, CLUE)
    return Clue(context=context, message=message, clue_id=fields["clue_id"], fields=fields, now=now)


def record(connection: Connection, items: Sequence[Clue]) -> list[Noted | Exception]:
    """One outcome each; a clue id that was used, by whomever, is refused."""
    taken = {one.clue_id for one in exchanges.clues(connection, [item.clue_id for item in items])}
    outcomes: list[Noted | Exception] = []
    for item in items:
        if item.clue_id in taken:
            refused = [problem("clue_id", "repeated")]
            outcomes.append(RuleBlocked(problems=refused, ids={"message_id": item.message.envelope.id}))
            continue
        taken.add(item.clue_id)
        court = _court_of(item)
        exchanges.put_clue(connection, _row(item) | {"court_asked": court})
        if court is not None:
            notice.send(connection, item.context, [_forwarded(item, court)], now=item.now)
        outcomes.append(Noted(warnings=() if court else (problem("person/household_registration_region", "no_court"),)))
    return outcomes


def _court_of(item: Clue) -> str | None:
    """The court that is named; else of the region or of the nearest level above, the smallest id where several are."""
    regions, snapshot = item.context.regions, item.context.snapshot(item.now)
    named = snapshot.parties.get(item.fields.get("court", ""))
    if named is not None and named.kind is PartyKind.COURT and named.active:
        return named.party_id
    courts = sorted(
        (party.region, party.party_id)
        for party in snapshot.parties.values()
        if party.kind is PartyKind.COURT and party.active
    )
    for above in regions.ancestors(item.fields["person"]["household_registration_region"]):
        found = [party_id for region, party_id in courts if above is not None and region == above.code]
        if found:
            return found[0]
    return None


def _forwarded(item: Clue, court: str) -> Notice:
    return Notice(
        to=court,
        type=FORWARDED,
        subject=item.clue_id,
        effect=item.clue_id,
        data={
            "clue_id": item.clue_id,
            "from": item.message.party_id,
            "person": {name: plain(value) for name, value in item.fields["person"].items()},
            "circumstances": list(item.fields["circumstances"]),
            **({"note": item.fields["note"]} if "note" in item.fields else {}),
        },
        purpose=PURPOSE,
        legal_basis=item.fields["legal_basis"],
    )


def _row(item: Clue) -> dict[str, Any]:
    """What the agency's message says."""
    person = item.fields["person"]
    return {
        "message_id": item.message.envelope.id,
        "clue_id": item.clue_id,
        "party": item.message.party_id,
        "region": person["household_registration_region"],
        "circumstances": " ".join(item.fields["circumstances"]),
        "is_minor": is_minor(person, item.now),
        "received_at": to_ms(item.now),
    }


def told(item: Clue) -> Iterator[Told]:
    """The clue's own columns."""
    yield Told(table=t.clues, row=_row(item))


def prepare_answer(message: VerifiedMessage, context: Context, *, now: datetime) -> ClueReply:
    """Reads `clue.answered`. Raises SchemaInvalid, also where what the answer must bring along is missing."""
    fields = read_body(message, CLUE_ANSWER)
    needed = _CARRIES.get(ClueAnswer(fields["code"]))
    if needed is not None and needed not in fields:
        missing = [problem(needed, "required")]
        raise SchemaInvalid(problems=missing, ids={"message_id": message.envelope.id})
    return ClueReply(context=context, message=message, clue_id=fields["clue_id"], fields=fields, now=now)


def record_answers(connection: Connection, items: Sequence[ClueReply]) -> list[Noted | Exception]:
    """One outcome each; another court's clue and none at all get the same answer."""
    known = {one.clue_id: one for one in exchanges.clues(connection, [item.clue_id for item in items])}
    for erased in vault.erased_among(connection, list(known)):
        del known[erased]
    outcomes: list[Noted | Exception] = []
    for item in items:
        clue = known.get(item.clue_id)
        sent = exchanges.last_notice(connection, FORWARDED, item.clue_id)
        if clue is None or clue.court_asked != item.message.party_id or not _names(connection, item, sent):
            outcomes.append(ClueUnknown(ids={"message_id": item.message.envelope.id}))
            continue
        exchanges.put_clue_answer(connection, _answer_row(item))
        mailbox.mark_retrieved(connection, [] if sent is None else [sent])  # who answers has read it
        notice.send(connection, item.context, [_answer(item, clue)], now=item.now)
        outcomes.append(Noted())
    return outcomes


def _names(connection: Connection, item: ClueReply, sent: str | None) -> bool:
    """Whether it answers our message, where it says what it answers."""
    envelope = item.message.envelope
    if envelope.in_reply_to is None:
        return True
    kept = exchanges.sent_notice(connection, item.message.party_id, envelope.in_reply_to)
    fits = kept is not None and hmac.compare_digest(kept[0], envelope.in_reply_to_digest or "")
    return fits and envelope.in_reply_to == sent


def _answer(item: ClueReply, clue: KeptClue) -> Notice:
    offices = item.context.snapshot(item.now).office_of(clue.party)
    said = {name: plain(value) for name, value in item.fields.items()}
    return Notice(
        to=min(offices, key=lambda office: office.office_id) if offices else clue.party,
        type=ANSWER,
        subject=item.clue_id,
        effect=f"{item.clue_id}:{item.message.envelope.id}",
        data={**said, "court": item.message.party_id},
    )


def _answer_row(item: ClueReply) -> dict[str, Any]:
    return {
        "message_id": item.message.envelope.id,
        "court": item.message.party_id,
        "clue_id": item.clue_id,
        "code": item.fields["code"],
        "case_number": item.fields.get("case_number"),
        "amount_fen": item.fields.get("amount_fen"),
        "refusal_code": item.fields.get("refusal_code"),
        "at": to_ms(item.now),
    }


def told_answer(item: ClueReply) -> Iterator[Told]:
    """The whole row."""
    yield Told(table=t.clue_answers, row=_answer_row(item))


def since(clue: KeptClue) -> datetime | None:
    """Since when the court's next answer is awaited; None when the clue is answered to the end."""
    if not clue.answers:
        return clue.received_at
    last = clue.answers[-1]
    return None if is_terminal(ClueAnswer(last.code)) else last.at


def is_overdue(clue: KeptClue, context: Context, as_of: datetime) -> bool | None:
    """Whether the court's time is over; None where no published calendar can tell."""
    began = since(clue)
    limit = find_limit(load_limits(), agency="court", programme="*", from_step=RECEIVED_STEP, to_step=ANSWERED_STEP)
    if began is None or limit is None:
        return False
    try:
        return is_past(limit, began, as_of, minor=clue.is_minor, calendar=context.calendar)
    except CalendarUnpublished:
        return None


def standing(clue: KeptClue, context: Context, now: datetime) -> str:
    """Where it stands: done, waiting, overdue, or unknown where no published calendar can tell."""
    if since(clue) is None:
        return "done"
    return {True: "overdue", None: "unknown", False: "waiting"}[is_overdue(clue, context, now)]


def unanswered(connection: Connection, context: Context, as_of: datetime) -> Iterator[Finding]:
    """R14: clues that nobody answered to the end in time; one without a court at once."""
    for clue in exchanges.every_clue(connection):
        began = since(clue)
        if began is None or (clue.court_asked is not None and not is_overdue(clue, context, as_of)):
            continue
        yield doubt(
            "MISS_CLUE_UNANSWERED",
            "R14",
            referral_id=None,
            subject=f"{clue.clue_id}:{len(clue.answers)}",
            must_act=clue.court_asked or OPERATOR,
            agency=clue.party,
            region=clue.region,
            since=began,
            last_answer=clue.answers[-1].code if clue.answers else None,
        )


KINDS = (
    MessageKind(type=SUBMITTED, senders=AGENCIES, prepare=prepare, record=record, told=told, tables=(t.clues,)),
    MessageKind(
        type=ANSWERED,
        senders=COURTS,
        prepare=prepare_answer,
        record=record_answers,
        told=told_answer,
        tables=(t.clue_answers,),
    ),
)
