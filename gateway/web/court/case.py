"""一案 One referral of the court's: where each need stands, the evidence, money, visits, doubts, matches.

Rules: the person is masked; who looks says why, and that is on file before anything is shown, as is a bundle of
evidence. What a finding rests on is often another's case, so its kind and rule are shown and no more.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.lifecycle import OPEN_NEEDS, FindingState, NeedState
from gateway.domain.reconciliation.explain import rules
from gateway.domain.referral import Referral
from gateway.errors import CaseErased, NotFound, ReferralUnknown, SchemaInvalid, XianjieError
from gateway.flows import evidence
from gateway.flows import own_referral as own
from gateway.flows.account import HandoffFate
from gateway.flows.court_desk import CourtCase, case_of
from gateway.flows.ladder import Step
from gateway.flows.own_referral import OwnReferral
from gateway.store.findings import Kept
from gateway.web.court.entry import filled_from, form_page
from gateway.web.court.parts import reason_of, receipt_of, require_own, told
from gateway.web.desk import Desk
from gateway.web.pages.carried import attachment
from gateway.web.pages.clerk import can_send, party_of
from gateway.web.pages.routes import Pages
from gateway.web.pages.shown import rule_text, t
from gateway.web.pages.visit import Visit

_OPEN_FINDINGS = (FindingState.OPEN, FindingState.ASSIGNED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """One point of a time line. sort: good, bad or wait."""

    step: Step
    sort: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Doubt:
    """A finding as its court is told of it."""

    code: str
    rule: str
    since: datetime
    due_at: datetime | None
    state: str
    decided_as: str
    is_open: bool
    ours: bool


def pages(desk: Desk) -> Pages:
    """The case, the person behind it, its evidence."""
    found = Pages(desk, "court_case", "/court/referrals")

    @found.get("/<referral_id>", Right.COURT_WORK)
    def referral(visit: Visit, referral_id: str) -> Response:
        return case_page(visit, referral_id)

    @found.post("/<referral_id>/person", Right.COURT_WORK)
    def reveal_person(visit: Visit, referral_id: str) -> Response:
        require_own(visit, referral_id)
        try:
            why = reason_of(visit)
        except SchemaInvalid as error:
            return case_page(visit, referral_id, refused=error)
        signed = _signed(visit, referral_id)
        if signed is not None:
            visit.log(own.PERSON_VIEWED, referral_id, why)
        return case_page(visit, referral_id, revealed=None if signed is None else signed.referral)

    @found.post("/<referral_id>/anew", Right.COURT_WORK)
    def write_anew(visit: Visit, referral_id: str) -> Response:
        require_own(visit, referral_id)
        try:
            why = reason_of(visit)
            before = own.own_referral(visit.context, referral_id, court=party_of(visit), now=visit.now)
            typed = filled_from(before.data)
        except (SchemaInvalid, CaseErased) as error:
            return case_page(visit, referral_id, refused=error)
        visit.log(own.WRITTEN_ANEW, referral_id, why)
        return form_page(visit, typed, anew=referral_id)

    @found.post("/<referral_id>/evidence", Right.COURT_WORK)
    def download_evidence(visit: Visit, referral_id: str) -> Response:
        require_own(visit, referral_id)
        try:
            why = reason_of(visit)
        except SchemaInvalid as error:
            return case_page(visit, referral_id, refused=error)
        made = evidence.export(visit.context, referral_id, who=visit.who, why=why, now=visit.now, court=party_of(visit))
        return attachment(made, "application/zip", f"{referral_id.replace(':', '_')}.zip")

    return found


def _case(visit: Visit, referral_id: str) -> CourtCase:
    try:
        return case_of(visit.context, referral_id, court=party_of(visit), now=visit.now)
    except ReferralUnknown:
        raise NotFound from None


def _signed(visit: Visit, referral_id: str) -> OwnReferral | None:
    """The referral as it was signed; None where it was erased or its bytes prove nothing any more."""
    try:
        return own.own_referral(visit.context, referral_id, court=party_of(visit), now=visit.now)
    except XianjieError:
        return None


def case_page(
    visit: Visit, referral_id: str, *, refused: XianjieError | None = None, revealed: Referral | None = None
) -> Response:
    """The case, with what was refused of a form on it, or the person in full."""
    case, signed = _case(visit, referral_id), _signed(visit, referral_id)
    sent = receipt_of(visit, visit.asked("message", 64))
    return visit.page(
        "court/case.html",
        status=200 if refused is None else refused.status,
        refused=refused,
        case=case,
        signed=revealed or (None if signed is None else signed.referral),
        revealed=revealed is not None,
        lines=[(one, _marks(one)) for one in case.fate.handoffs],
        holds=[(code, rule_text(code)) for code in case.fate.holds],
        doubts=sorted((_doubt(one, visit) for one in case.findings), key=lambda one: not one.is_open),
        sent=sent,
        sent_warnings=told(sent.warnings) if sent is not None else (),
        sent_holds=[(code, rule_text(code)) for code in sent.holds] if sent is not None else (),
        can_send=can_send(visit),
        may_withdraw=_may_withdraw(case),
        may_amend=signed is not None and not case.fate.withdrawn,
        age=lambda moment: (visit.now - moment) // timedelta(days=1),
        OPEN=OPEN_NEEDS,
    )


def _marks(handoff: HandoffFate) -> list[Mark]:
    """Positive evidence is good, negative bad, negative that something better took the place of neither."""
    return [
        Mark(step=one, sort="good" if one.verdict.is_positive else "wait" if one.superseded_at else "bad")
        for one in handoff.ladder
    ]


def _doubt(kept: Kept, visit: Visit) -> Doubt:
    found = rules().get(kept.finding.rule_id)
    return Doubt(
        code=kept.finding.code,
        rule=kept.finding.rule_id if found is None else t(found["zh"], found["en"]),
        since=kept.opened_at,
        due_at=kept.finding.due_at,
        state=kept.state.value,
        decided_as="" if kept.decided_as is None else kept.decided_as.value,
        is_open=kept.state in _OPEN_FINDINGS,
        ours=kept.finding.must_act == party_of(visit),
    )


def _may_withdraw(case: CourtCase) -> bool:
    left = OPEN_NEEDS | {NeedState.HELD}
    needs = case.fate.needs
    return not case.fate.withdrawn and (not needs or any(one.state in left for one in needs))
