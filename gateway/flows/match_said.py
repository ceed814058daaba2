"""复核意见 What one side says of a match: its disposition (`match.disposition`), or that it appeals (`match.appealed`).

1. prepare: read; who gives way says how its help ends;
2. record: the match, the side and the side's own case must be this party's, else there is no such match for it; the
   word is kept, and the match goes where both words lead (`flows.match_resolve`);
3. the last final word of each side counts until the match is resolved.
For a side without a server the operator enters it, with who and why. After a loss of data a word may come back before
its match does: it is kept, and counts when the match is opened again (the same doubt gets the same number).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.adjudication import APPEAL, HEARING, SIDES, DispositionCode, StopsBy
from gateway.domain.reconciliation.findings import OPERATOR
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import IllegalMove, InputRefused, MatchUnknown, SchemaInvalid
from gateway.flows.context import Context
from gateway.flows.match_resolve import appeal_within, weigh
from gateway.flows.message_kind import PARTNERS, MessageKind, Noted, Told
from gateway.flows.operate import require_reason
from gateway.flows.reading import problem, read_body
from gateway.store import decisions, log, mailbox, matches
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.log import FIRST_EPOCH
from gateway.store.matches import KeptMatch
from schemas.match import MATCH_APPEAL, MATCH_DISPOSITION

DISPOSED, APPEALED = "match.disposition", "match.appealed"
ENTERED = "match_disposition"
"""What the leaf says of a disposition that the operator entered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SideWord:
    """One side's word, read. code: a disposition, or `APPEAL`."""

    context: Context
    message: VerifiedMessage
    match_id: str
    side: str
    referral_id: str
    code: str
    stops_by: StopsBy | None
    evidence: tuple[str, ...]
    now: datetime

    @property
    def subject(self) -> str:
        """The side's own case: its key seals what is said."""
        return self.referral_id


def prepare(message: VerifiedMessage, context: Context, *, now: datetime) -> SideWord:
    """Reads `match.disposition`. Raises SchemaInvalid."""
    fields = read_body(message, MATCH_DISPOSITION)
    code = DispositionCode(fields["disposition"])
    stops_by = StopsBy(fields["stops_by"]) if "stops_by" in fields else None
    if (stops_by is not None) is not (code is DispositionCode.STOP_MINE):
        refused = [problem("stops_by", "stops_by_with_stop")]
        raise SchemaInvalid(problems=refused, ids={"message_id": message.envelope.id})
    return _word(message, context, fields, code.value, stops_by, now)


def prepare_appeal(message: VerifiedMessage, context: Context, *, now: datetime) -> SideWord:
    """Reads `match.appealed`. Raises SchemaInvalid."""
    return _word(message, context, read_body(message, MATCH_APPEAL), APPEAL, None, now)


def _word(
    message: VerifiedMessage,
    context: Context,
    fields: dict[str, Any],
    code: str,
    stops_by: StopsBy | None,
    now: datetime,
) -> SideWord:
    return SideWord(
        context=context,
        message=message,
        match_id=fields["match_id"],
        side=fields["side"],
        referral_id=fields["referral_id"],
        code=code,
        stops_by=stops_by,
        evidence=tuple(fields.get("evidence", ())),
        now=now,
    )


def record(connection: Connection, items: Sequence[SideWord]) -> list[Noted | Exception]:
    """One outcome each, in order: the second side's word meets the first's."""
    outcomes: list[Noted | Exception] = []
    for item in items:
        try:
            outcomes.append(_record(connection, item))
        except (MatchUnknown, IllegalMove) as refusal:
            outcomes.append(refusal)
    return outcomes


def _record(connection: Connection, item: SideWord) -> Noted:
    ids, cause = {"message_id": item.message.envelope.id}, item.message.envelope.id
    kept = matches.find(connection, item.match_id, lock=True)
    if kept is None and log.head(connection).epoch != FIRST_EPOCH:
        matches.put_disposition(connection, _row(item) | {"round": 1, "at": to_ms(item.now)})
        return Noted()
    if kept is None or not _is_its_side(kept, item):
        raise MatchUnknown(ids=ids)
    if item.code != APPEAL and kept.match.state not in HEARING:
        raise IllegalMove(f"the match is {kept.match.state}", ids=ids)
    if item.code == APPEAL:
        state = appeal_within(connection, kept.match, who=item.message.party_id, cause=cause, now=item.now)
    matches.put_disposition(connection, _row(item) | {"round": kept.match.round, "at": to_ms(item.now)})
    notice_id = kept.side(item.side).notice_id
    mailbox.mark_retrieved(connection, [] if notice_id is None else [notice_id])  # who answers has read it
    if item.code != APPEAL:
        state = weigh(connection, item.context, item.match_id, cause=cause, now=item.now)
    return Noted(answer={"match_id": item.match_id, "state": state.value})


def _is_its_side(kept: KeptMatch, item: SideWord) -> bool:
    return any(
        (one.side, one.party, one.referral_id) == (item.side, item.message.party_id, item.referral_id)
        for one in kept.sides
    )


def _row(item: SideWord) -> dict[str, Any]:
    """What the message itself says."""
    return {
        "message_id": item.message.envelope.id,
        "match_id": item.match_id,
        "side": item.side,
        "party": item.message.party_id,
        "code": item.code,
        "stops_by": None if item.stops_by is None else item.stops_by.value,
        "evidence": matches.evidence_text(item.evidence),
    }


def told(item: SideWord) -> Iterator[Told]:
    """The word's own row."""
    yield Told(table=t.dispositions, row=_row(item))


def entered_why(side: str, code: DispositionCode, stops_by: StopsBy | None, why: str) -> str:
    """What the leaf of an entered disposition says, so that its row can be held against it."""
    return f"side={side} code={code.value} stops_by={'-' if stops_by is None else stops_by.value} {why}"


def enter(
    context: Context,
    match_id: str,
    side: str,
    code: DispositionCode,
    *,
    stops_by: StopsBy | None = None,
    who: str,
    why: str,
    now: datetime,
) -> str:
    """A side without a server told the operator, on paper or in person; the state it comes to. Raises ConfigError,
    MatchUnknown, IllegalMove."""
    said = entered_why(side, code, stops_by, why)
    require_reason(who, why)
    require_reason(who, said)
    if side not in SIDES or (stops_by is not None) is not (code is DispositionCode.STOP_MINE):
        raise InputRefused("一方为A或B，只有停止方写明方式 a side is A or B, and only who stops says how")

    def write(connection: Connection) -> str:
        kept = matches.find(connection, match_id, lock=True)
        if kept is None:
            raise MatchUnknown(ids={"match": match_id})
        if kept.match.state not in HEARING:
            raise IllegalMove(f"the match is {kept.match.state}", ids={"match": match_id})
        decision_id = decisions.put(connection, who=who, what=ENTERED, subject=match_id, why=said, now=now)
        matches.put_disposition(
            connection,
            {
                "decision_id": decision_id,
                "match_id": match_id,
                "side": side,
                "party": kept.side(side).party or OPERATOR,
                "code": code.value,
                "stops_by": None if stops_by is None else stops_by.value,
                "evidence": matches.evidence_text(()),
                "round": kept.match.round,
                "at": to_ms(now),
            },
        )
        return weigh(connection, context, match_id, cause=decision_id, now=now).value

    return context.store.write(write)


def _kind(type_: str, read: Any) -> MessageKind:
    return MessageKind(type=type_, senders=PARTNERS, prepare=read, record=record, told=told, tables=(t.dispositions,))


KINDS: Iterable[MessageKind] = (_kind(DISPOSED, prepare), _kind(APPEALED, prepare_appeal))
