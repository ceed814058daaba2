"""发起协查 A court asks, before it decides, whether agencies help somebody already: the form of `inquiry.asked`.

Rules: what is offered are the programmes of the agreements in force for the court, by the agency that leads them; an
agency picked whole stands for all of its programmes in the agreement that is chosen, and what that agreement does not
hold is refused. Nothing is sent while anything is wrong. An id nobody typed is made from the form's own name and what
stands in it. What is answered stands among the notices (`web.court.notices`); a referral cites it by its id.
"""

from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.errors import FieldProblem, XianjieError
from gateway.flows.inquiry import ASKED
from gateway.web.court.parts import SENT_BEFORE
from gateway.web.desk import Desk
from gateway.web.pages.clerk import act_of, agreements_of, can_send, form_of, name_of, new_form, send
from gateway.web.pages.filled import (
    Typed,
    at_fields,
    iso_day,
    on_top,
    plain,
    read_field,
    require_shape,
    typed_of,
)
from gateway.web.pages.named_person import PERSON_FIELDS, read_person
from gateway.web.pages.routes import Pages
from gateway.web.pages.said import tells
from gateway.web.pages.shown import word
from gateway.web.pages.visit import Visit
from gateway.workbook.court_codes import choices
from gateway.workbook.spellings import read_moment, read_texts
from schemas.exchanges import INQUIRY

SENT = tells("court_inquiry_sent", "协查已报送，答复见下表。", "The inquiry was sent; answers appear below.")
SENT_IN_PART = tells(
    "court_inquiry_in_part",
    "协查已报送；有的项目无单位可问，原因见下表。",
    "The inquiry was sent; of some programmes nobody can be asked, for the reason below.",
)
_PLAIN = ("agreement_document", "case_number", "legal_basis")
_AUTHORIZATION = ("ref", "signed_at", "scope")
FIELDS = (
    "inquiry_id",
    *_PLAIN,
    *PERSON_FIELDS,
    "programmes",
    "agencies",
    "notice_given_at",
    "reply_by",
    *_AUTHORIZATION,
)


def pages(desk: Desk) -> Pages:
    """The empty form, and the form as it was typed."""
    found = Pages(desk, "court_inquiries", "/court/notices/inquiries")

    @found.get("/new", Right.COURT_WORK)
    def new_inquiry(visit: Visit) -> Response:
        agreements = agreements_of(visit)
        only = {"agreement_document": agreements[0]} if len(agreements) == 1 else {}
        return _form(visit, {"id_type": "111", **only}, form=new_form())

    @found.post("/new", Right.COURT_WORK)
    def ask_inquiry(visit: Visit) -> Response:
        return _ask(visit)

    return found


def _ask(visit: Visit) -> Response:
    form, typed = form_of(visit), typed_of(FIELDS)
    if not can_send(visit):
        return _form(visit, typed, form=form)
    problems: list[FieldProblem] = []
    said = _inquiry(visit, typed, problems)
    act = act_of(form, said)
    data = {"inquiry_id": typed["inquiry_id"] or f"i-{name_of(act)[:20]}", **said}
    try:
        require_shape(INQUIRY, data, problems)
        sent = send(visit, ASKED, data, form=act, subject=data["inquiry_id"])
    except XianjieError as error:
        wrong, others = at_fields(error.problems, FIELDS)
        return _form(visit, typed, form=form, wrong=wrong, refused=plain(error, others))
    return visit.back("/court/notices", SENT_BEFORE if sent.replayed else SENT_IN_PART if sent.warnings else SENT)


def _inquiry(visit: Visit, typed: Typed, problems: list[FieldProblem]) -> dict[str, Any]:
    """What is asked, without its id and without what was left blank."""
    signed_at = read_field(iso_day, typed, "signed_at", problems)
    authorization = {"ref": typed["ref"], "signed_at": signed_at, "scope": typed["scope"]}
    said = {
        **{name: typed[name] for name in _PLAIN},
        "person": read_person(typed, problems),
        "programmes": _programmes(visit, typed, problems),
        "notice_given_at": read_field(iso_day, typed, "notice_given_at", problems),
        "reply_by": read_field(read_moment, typed, "reply_by", problems),
        "verification_authorization": {name: value for name, value in authorization.items() if value},
    }
    return {name: value for name, value in said.items() if value}


def _programmes(visit: Visit, typed: Typed, problems: list[FieldProblem]) -> list[str]:
    """Those that were ticked, and what the agreement holds of each agency that was ticked whole."""
    found = visit.snapshot.agreement_for(typed["agreement_document"])
    held = frozenset[str]() if found is None else found[1].programmes
    ticked, agencies = read_texts(typed["programmes"]), read_texts(typed["agencies"])
    whole = [code for code, one in visit.context.programmes.items() if one.lead_agency in agencies and code in held]
    asked = list(dict.fromkeys([*ticked, *whole]))
    if not asked:
        problems.append(FieldProblem(pointer="/programmes", code="required"))
    elif found is not None and not held.issuperset(asked):
        problems.append(FieldProblem(pointer="/programmes", code="nobody_to_ask"))
    return asked


def _offered(visit: Visit) -> Mapping[str, list[tuple[str, str]]]:
    """(code, word) of each programme that an agreement of the court's holds, by the agency that leads it."""
    agreements = [visit.snapshot.agreement_for(name) for name in agreements_of(visit)]
    held = frozenset[str]().union(*(one[1].programmes for one in agreements if one is not None))
    found: dict[str, list[tuple[str, str]]] = {}
    for code, one in visit.context.programmes.items():
        if code in held and one.lead_agency in visit.context.adapters:
            found.setdefault(one.lead_agency, []).append((code, word(code, "programme")))
    return found


def _form(
    visit: Visit,
    typed: Typed,
    *,
    form: str,
    wrong: Mapping[str, str] | None = None,
    refused: XianjieError | None = None,
) -> Response:
    return visit.page(
        "court/inquiry.html",
        status=200 if refused is None else refused.status,
        refused=on_top(refused, wrong or {}),
        form_id=form,
        typed=typed,
        wrong=wrong or {},
        agreements=[(name, name) for name in agreements_of(visit)],
        offered=_offered(visit),
        regions=choices("region"),
        can_send=can_send(visit),
    )
