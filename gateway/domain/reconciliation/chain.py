"""一户一条救助链 One time line per household: original case, judicial decision, payment, handoffs, replies, assistance.

Rules: every event is a row that is on file, with ids, codes, amounts and days only; nothing is inferred. The dossiers
given are one household's; what they tell of the person's other referrals is taken in, each referral once. An original
case has no day of its own here and stands before the first decision about it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import combinations

from gateway.domain.calendar import china_day
from gateway.domain.coexistence import JUDICIAL, CoexistenceVerdict, verdict
from gateway.domain.reconciliation.values import Dossier, HandoffRow, NeedRow, ReferralRow, ReplyRow
from gateway.domain.referral import Decision
from gateway.domain.replies import ReplyCode


class ChainKind(StrEnum):
    """救助链环节, in the order they stand within one day."""

    ORIGINAL_CASE = "original_case"
    DECISION = "decision"
    COURT_PAYMENT = "court_payment"
    REFERRAL = "referral"
    HANDOFF = "handoff"
    REPLY = "reply"
    ASSISTANCE = "assistance"


CHAIN_NAMES: dict[ChainKind, tuple[str, str]] = {
    ChainKind.ORIGINAL_CASE: ("原案件", "Original case"),
    ChainKind.DECISION: ("救助决定", "Judicial decision"),
    ChainKind.COURT_PAYMENT: ("司法救助金发放", "Payment by the court"),
    ChainKind.REFERRAL: ("移送", "Referral"),
    ChainKind.HANDOFF: ("转办", "Handoff"),
    ChainKind.REPLY: ("反馈", "Reply"),
    ChainKind.ASSISTANCE: ("救助给付", "Assistance by the agency"),
}
_GIVEN = frozenset({ReplyCode.APPROVED, ReplyCode.PAID, ReplyCode.SERVICE_DELIVERED})
_TOGETHER = frozenset({CoexistenceVerdict.COMPLEMENT, CoexistenceVerdict.TOP_UP})
_RANK = {kind: rank for rank, kind in enumerate(ChainKind)}


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainEvent:
    """One link. day: China day, None for an original case; at: the moment where it is known.

    who: party or office; agency: set for what an agency got or did; what: decision, state or reply code, or the case
    number; reference: id of the row.
    """

    kind: ChainKind
    referral_id: str
    who: str
    what: str
    reference: str
    day: date | None = None
    at: datetime | None = None
    agency: str | None = None
    programme: str | None = None
    need_id: str | None = None
    amount_fen: int | None = None
    applied: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Complement:
    """衔接: two links of the chain that the rule table joins: judicial aid, and the help that followed it (CX01), or
    two programmes that may stand together (top-ups among them). first, then: references of the rows."""

    rule_id: str
    verdict: str
    first: str
    then: str
    programmes: tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class HouseholdChain:
    """救助链 in time order."""

    events: tuple[ChainEvent, ...]

    @property
    def referral_ids(self) -> tuple[str, ...]:
        """Referrals on the chain, in the order they first appear."""
        return tuple(dict.fromkeys(event.referral_id for event in self.events))

    @property
    def agencies(self) -> tuple[str, ...]:
        """Agencies that granted, paid or served, in the order they first did."""
        helped = (event for event in self.events if event.kind is ChainKind.ASSISTANCE and event.applied)
        return tuple(dict.fromkeys(event.agency for event in helped if event.agency is not None))

    @property
    def complements(self) -> tuple[Complement, ...]:
        """What follows what as the rules mean it; each pair of programmes once, by the first rows that gave it."""
        found: dict[tuple[str, str], Complement] = {}
        given = [(event, code) for event in self.events if (code := _given_by(event)) is not None]
        for first, then in combinations(given, 2):
            rule = verdict(first[1], then[1])
            if first[1] != then[1] and rule is not None and rule.verdict in _TOGETHER:
                joined = Complement(
                    rule_id=rule.rule_id,
                    verdict=rule.verdict.value,
                    first=first[0].reference,
                    then=then[0].reference,
                    programmes=(first[1], then[1]),
                )
                found.setdefault((first[1], then[1]), joined)
        return tuple(found.values())

    @property
    def paid_by_courts_fen(self) -> int:
        """What courts paid."""
        return sum(event.amount_fen or 0 for event in self.events if event.kind is ChainKind.COURT_PAYMENT)

    @property
    def paid_by_agencies_fen(self) -> int:
        """What agencies say they paid, less what the bank returned."""
        standing: dict[str | None, list[int]] = {}
        for event in self.events:
            paid = standing.setdefault(event.need_id, [])
            if event.applied and event.what == ReplyCode.PAID:
                paid.append(event.amount_fen or 0)
            if event.applied and event.what == ReplyCode.PAYMENT_RETURNED and paid:
                paid.pop()
        return sum(sum(paid) for paid in standing.values())


def household_chain(dossiers: Iterable[Dossier]) -> HouseholdChain:
    """The one time line of a household's dossiers; the order they are given in does not matter."""
    given = list(dossiers)
    events = {
        (event.kind, event.referral_id, event.reference): event for dossier in given for event in _events(dossier)
    }
    own = {dossier.referral.referral_id for dossier in given}
    for dossier in given:
        for other in dossier.others:
            if other.referral.referral_id in own:
                continue
            told = Dossier(referral=other.referral, needs=other.needs, replies=other.replies)
            for event in _events(told):
                events.setdefault((event.kind, event.referral_id, event.reference), event)
    decided = {event.referral_id: event.day for event in events.values() if event.kind is ChainKind.DECISION}
    ordered = sorted(events.values(), key=lambda event: _order(event, decided))
    return HouseholdChain(events=tuple(ordered))


def _given_by(event: ChainEvent) -> str | None:
    """The programme a link gave, the courts' own aid among them; None for one that gave nothing."""
    if event.kind is ChainKind.DECISION:
        return JUDICIAL if event.what == Decision.ASSIST else None
    return event.programme if event.kind is ChainKind.ASSISTANCE and event.applied else None


def _order(event: ChainEvent, decided: dict[str, date | None]) -> tuple[str, int, str, int, str, str]:
    """By day; within a day what has no moment first, in the order of the links; then by moment."""
    day = event.day or decided.get(event.referral_id)
    rank = _RANK[event.kind]
    return (
        "" if day is None else day.isoformat(),
        rank if event.at is None else len(_RANK),
        "" if event.at is None else event.at.isoformat(),
        rank,
        event.referral_id,
        event.reference,
    )


def _events(dossier: Dossier) -> Iterator[ChainEvent]:
    referral = dossier.referral
    yield from _of_the_court(referral)
    for payment in dossier.court_payments:
        yield ChainEvent(
            kind=ChainKind.COURT_PAYMENT,
            referral_id=referral.referral_id,
            who=referral.court,
            what=payment.payee,
            reference=payment.payment_id,
            day=payment.paid_on,
            amount_fen=payment.amount_fen,
        )
    for handoff in dossier.handoffs:
        yield _handoff(handoff)
    agencies = {handoff.handoff_id: handoff.agency for handoff in dossier.handoffs}
    needs = {need.need_id: need for need in dossier.needs}
    for reply in dossier.replies:
        yield _reply(reply, referral, needs.get(reply.need_id or ""), agencies.get(reply.handoff_id or ""))


def _of_the_court(referral: ReferralRow) -> Iterator[ChainEvent]:
    if referral.original_case_group:
        yield ChainEvent(
            kind=ChainKind.ORIGINAL_CASE,
            referral_id=referral.referral_id,
            who=referral.court,
            what=referral.original_case_group,
            reference=referral.original_case_group,
        )
    yield ChainEvent(
        kind=ChainKind.DECISION,
        referral_id=referral.referral_id,
        who=referral.court,
        what=referral.decision.value,
        reference=referral.case_number,
        day=referral.concluded_on,
        amount_fen=referral.decided_amount_fen or None,
    )
    yield ChainEvent(
        kind=ChainKind.REFERRAL,
        referral_id=referral.referral_id,
        who=referral.court,
        what=referral.assessment.value if referral.assessment else "",
        reference=referral.referral_id,
        day=china_day(referral.accepted_at),
        at=referral.accepted_at,
    )


def _handoff(handoff: HandoffRow) -> ChainEvent:
    return ChainEvent(
        kind=ChainKind.HANDOFF,
        referral_id=handoff.referral_id,
        who=handoff.office_id,
        what=handoff.state.value,
        reference=handoff.handoff_id,
        day=china_day(handoff.issued_at),
        at=handoff.issued_at,
        agency=handoff.agency,
    )


def _reply(reply: ReplyRow, referral: ReferralRow, need: NeedRow | None, agency: str | None) -> ChainEvent:
    """An answer; one that grants, pays or serves is the assistance itself. A code nobody knows shows as empty."""
    return ChainEvent(
        kind=ChainKind.ASSISTANCE if reply.code in _GIVEN else ChainKind.REPLY,
        referral_id=referral.referral_id,
        who=reply.office,
        what=reply.code or "",
        reference=reply.reply_id,
        day=china_day(reply.at),
        at=reply.at,
        agency=agency or (need.agency if need is not None else None),
        programme=reply.programme or (need.programme if need is not None else None),
        need_id=reply.need_id,
        amount_fen=reply.amount_fen,
        applied=reply.applied,
    )
