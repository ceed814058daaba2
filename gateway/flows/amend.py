"""移送更正 `referral.amended`: the court's referral once more, whole, with what was wrong or came later put right.

1. it names the message it amends, which must be the newest version: of two clerks who amend at once one is told;
2. it changes only what may be amended (`domain.amendment`); what it changes must keep the rules of intake;
3. nothing of the referral's rows changes but its version: who, what and how much stay as they were;
4. every office that still works on a handoff gets it again, under the same number, where what that office may see
   differs; one that is not told anything new is told nothing, nor is one that declined or handed the need on. A need
   that was not handed over goes out as amended.

The earlier version stays on file, in its own bytes. A stranger's referral and none at all get the same answer.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.agreement import AgreementProfile
from gateway.domain.amendment import changed, not_amendable
from gateway.domain.lifecycle import HANDOFF, OPEN_NEEDS, HandoffState, NeedState
from gateway.domain.referral import Referral
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import FieldProblem, IllegalMove, ReferralUnknown, RuleBlocked, XianjieError
from gateway.flows.context import Context
from gateway.flows.intake import judge
from gateway.flows.issue import amendment_of, reissue
from gateway.flows.message_kind import COURTS, MessageKind, Noted, Told
from gateway.flows.own_referral import OwnReferral
from gateway.flows.read_referral import read_amendment
from gateway.flows.recall import AMENDED, newest, recall_these
from gateway.store import amendments, handoffs, outbox, referrals
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.handoffs import SentRow
from gateway.store.outbox import Outbound

_AT_WORK = OPEN_NEEDS - {NeedState.DECLINED} | {NeedState.PARTIALLY_ASSISTED}


@dataclass(frozen=True, kw_only=True, slots=True)
class Amendment:
    """更正, read."""

    context: Context
    message: VerifiedMessage
    referral: Referral
    amends: str
    now: datetime
    queue: Callable[..., None] = outbox.put
    """Where what offices are told goes; a recovery first looks which of it had left."""

    @property
    def subject(self) -> str:
        """The referral."""
        return self.referral.referral_id


def prepare(message: VerifiedMessage, context: Context, *, now: datetime) -> Amendment:
    """Reads `referral.amended`. Raises SchemaInvalid. The reason stays in the message's bytes."""
    found = read_amendment(message.envelope.data, court=message.party_id)
    return Amendment(context=context, message=message, referral=found.referral, amends=found.amends, now=now)


def record(connection: Connection, items: Sequence[Amendment]) -> list[Noted | Exception]:
    """One outcome each; amendments are few, so one by one."""
    outcomes: list[Noted | Exception] = []
    for item in items:
        try:
            outcomes.append(_amend(connection, item))
        except XianjieError as refusal:
            refusal.ids.setdefault("message_id", item.message.envelope.id)
            outcomes.append(refusal)
    return outcomes


def _amend(connection: Connection, item: Amendment) -> Noted:
    ids = {"referral_id": item.subject}
    # locked, so that nobody hands one over meanwhile
    needs = referrals.needs_of(connection, [item.subject], lock=True).get(item.subject, [])
    kept = referrals.where_kept(connection, item.subject)
    if kept is None or kept.court != item.message.party_id:
        raise ReferralUnknown(ids=ids)
    if referrals.is_withdrawn(connection, item.subject):
        raise IllegalMove("withdrawn", ids=ids)
    (place,) = newest(connection, [kept])
    if place.message_id != item.amends:
        raise RuleBlocked(problems=[_problem("/amends", "amended_meanwhile")], ids=ids)
    before = recall_these(connection, [place], item.context, now=item.now)[item.subject]
    if isinstance(before, XianjieError):
        raise before
    profile = item.context.snapshot(item.now).agreements[kept.agreement_row]
    warnings = _rejudge(before, item.referral, profile, item.context, now=item.now)
    version = len(amendments.all_of(connection, item.subject)) + 2
    amendments.put(connection, told_row(item) | {"version": version})
    at_work = {row["handoff_id"] for row in needs if NeedState(row["state"]) in _AT_WORK}
    _tell_offices(connection, item, before, profile, version, at_work)
    referrals.touch(connection, [item.subject], now=item.now)
    return Noted(warnings=warnings)


def rehearse(
    context: Context, data: Mapping[str, Any], before: OwnReferral, *, now: datetime
) -> tuple[FieldProblem, ...]:
    """What would be said of an amendment of that version, before anything is signed or sent: its warnings. Raises
    SchemaInvalid, RuleBlocked."""
    found = read_amendment(dict(data), court=before.referral.court)
    if found.amends != before.message_id:
        raise RuleBlocked(problems=[_problem("/amends", "amended_meanwhile")])
    profile = context.snapshot(now).agreements[before.agreement_row]
    return _rejudge(before.referral, found.referral, profile, context, now=now)


def _rejudge(
    before: Referral, after: Referral, profile: AgreementProfile, context: Context, *, now: datetime
) -> tuple[FieldProblem, ...]:
    """The warnings about what the amendment changes. Raises RuleBlocked where it changes nothing, what may not be
    amended, or something so that a rule of intake is broken."""
    pointers = changed(before, after)
    problems = [_problem(one, "not_amendable") for one in not_amendable(pointers)]
    if not pointers:
        problems.append(_problem("", "nothing_amended"))
    if problems:
        raise RuleBlocked(problems=problems, ids={"referral_id": after.referral_id})
    verdict = judge(after, profile, context, court=after.court, now=now)
    blocks = [_problem(one.pointer, one.code) for one in verdict.blocks if _concerns(one.pointer, pointers)]
    if blocks:
        raise RuleBlocked(problems=blocks, ids={"referral_id": after.referral_id})
    return tuple(_problem(one.pointer, one.code) for one in verdict.warnings if _concerns(one.pointer, pointers))


def _problem(pointer: str, code: str) -> FieldProblem:
    return FieldProblem(pointer=f"/data{pointer}", code=code)


def _concerns(pointer: str, pointers: Iterable[str]) -> bool:
    """Whether the field is one of those, or holds or lies in one: a rule that was changed since does not speak of what
    stayed as it was."""
    return any(f"{one}/".startswith(f"{pointer}/") or f"{pointer}/".startswith(f"{one}/") for one in pointers)


def _tell_offices(
    connection: Connection,
    item: Amendment,
    before: Referral,
    profile: AgreementProfile,
    version: int,
    at_work: Set[str | None],
) -> None:
    """One `handoff.amended` to each office that works on a handoff which now reads otherwise."""
    messages: list[Outbound] = []
    for sent in handoffs.of_referral(connection, item.subject):
        if sent.handoff_id in at_work and HandoffState(sent.state) not in HANDOFF.final:
            messages += _notice(item, before, profile, sent, version)
    item.queue(connection, item.context.party_id, messages, now=item.now)


def _notice(
    item: Amendment, before: Referral, profile: AgreementProfile, sent: SentRow, version: int
) -> Iterator[Outbound]:
    context = item.context
    office = context.snapshot(item.now).offices.get(sent.office_id)
    if office is None or sent.agency not in context.adapters:
        return
    earlier = reissue(before, profile, office, sent, context)
    now_reads = reissue(item.referral, profile, office, sent, context)
    if now_reads.draft.body != earlier.draft.body:
        yield amendment_of(now_reads, sent, version, context, now=item.now)


def told_row(item: Amendment) -> dict[str, Any]:
    """What the message alone says; its version follows from those before it (`flows.audit.amended`)."""
    return {
        "message_id": item.message.envelope.id,
        "court": item.message.party_id,
        "referral_id": item.subject,
        "amends": item.amends,
        "has_custody": item.referral.custody is not None,
        "has_authorisation": item.referral.verification_authorization is not None,
        "accepted_at": to_ms(item.now),
    }


def told(item: Amendment) -> Iterator[Told]:
    """Its row, for the cut-off."""
    yield Told(table=t.referral_amendments, row=told_row(item))


KINDS = (
    MessageKind(
        type=AMENDED,
        senders=COURTS,
        prepare=prepare,
        record=record,
        told=told,
        tables=(t.referral_amendments,),
    ),
)
