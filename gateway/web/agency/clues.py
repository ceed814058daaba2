"""线索 An agency tells a court of somebody who may need judicial assistance, and follows what became of it.

Rules: the person goes by form alone and stands in no address, no list and no log; opening a clue, which shows the
person, is on file first. A clue the portal makes begins with its office's id, so that a clerk of one office sees that
office's alone. What is wrong stands at its field, what was typed stays, nothing is sent.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.agreement import PartyKind
from gateway.errors import CaseErased, FieldProblem, TrustError, XianjieError
from gateway.flows.clue import SUBMITTED, standing
from gateway.flows.own_clue import told_clue
from gateway.flows.own_referral import CLUE_VIEWED
from gateway.store import own_clues
from gateway.store.own_clues import OwnClue
from gateway.web.agency.parts import office_names, offices_of, scope_of
from gateway.web.desk import Desk
from gateway.web.pages.asked import row_of
from gateway.web.pages.clerk import MOST, act_of, can_send, form_of, name_of, new_form, party_of, send
from gateway.web.pages.filled import Typed, at_fields, on_top, plain, require_shape, typed_of
from gateway.web.pages.named_person import PERSON_FIELDS, read_person
from gateway.web.pages.routes import Pages
from gateway.web.pages.said import tells
from gateway.web.pages.shown import worded
from gateway.web.pages.visit import Visit, require_found
from gateway.workbook.court_codes import choices
from gateway.workbook.spellings import read_texts
from schemas.exchanges import CIRCUMSTANCES, CLUE

SENT = tells("agency_clue_sent", "线索已送交法院。", "The clue was sent to the court.")
SENT_TO_NOBODY = tells(
    "agency_clue_without_court",
    "线索已接收；该地区尚无法院可送，由网关管理员处理。",
    "The clue was taken; no court of the region is connected, so the operator sees to it.",
)
SENT_BEFORE = tells(
    "agency_clue_sent_before", "此表单此前已报送，未重复报送。", "This form was sent before; nothing was sent twice."
)
FIELDS = ("office", *PERSON_FIELDS, "court", "circumstances", "legal_basis", "note")


def pages(desk: Desk) -> Pages:
    """The list, the form, one clue."""
    found = Pages(desk, "agency_clues", "/agency/clues")

    @found.get("", Right.AGENCY_WORK)
    def clues(visit: Visit) -> Response:
        before = row_of(visit.asked("before", 20))
        with visit.context.store.reading() as connection:
            rows = own_clues.listed(connection, party_of(visit), scope_of(visit), before=before, limit=MOST + 1)
        return visit.page(
            "agency/clues.html",
            clues=[(one.clue, _state(visit, one)) for one in rows[:MOST]],
            before=before,
            more=rows[MOST - 1].row if len(rows) > MOST else None,
            courts=dict(_courts(visit)),
            can_send=can_send(visit),
        )

    @found.get("/new", Right.AGENCY_WORK)
    def new_clue(visit: Visit) -> Response:
        offices = offices_of(visit)
        only = {"office": offices[0]} if len(offices) == 1 else {}
        return _form(visit, {"id_type": "111", **only}, form=new_form())

    @found.post("/new", Right.AGENCY_WORK)
    def tell_clue(visit: Visit) -> Response:
        return _tell(visit)

    @found.get("/one/<clue_id>", Right.AGENCY_WORK)
    def clue(visit: Visit, clue_id: str) -> Response:
        return _one(visit, clue_id)

    return found


def _courts(visit: Visit) -> list[tuple[str, str]]:
    """(id, name) of every court that is connected, by region."""
    courts = [one for one in visit.snapshot.parties.values() if one.kind is PartyKind.COURT and one.active]
    return [(one.party_id, one.name_zh or one.party_id) for one in sorted(courts, key=lambda one: one.region)]


def _state(visit: Visit, own: OwnClue) -> str:
    """`operator` while no court can be asked."""
    return "operator" if own.clue.court_asked is None else standing(own.clue, visit.context, visit.now)


def _tell(visit: Visit) -> Response:
    form, typed = form_of(visit), typed_of(FIELDS)
    if not can_send(visit):
        return _form(visit, typed, form=form)
    problems: list[FieldProblem] = []
    said = _clue(visit, typed, problems)
    act = act_of(form, said)
    data = {"clue_id": f"{typed['office']}:{name_of(act)[:20]}", **said}
    try:
        require_shape(CLUE, data, problems)
        sent = send(visit, SUBMITTED, data, form=act, subject=data["clue_id"])
    except XianjieError as error:
        wrong, others = at_fields(error.problems, FIELDS)
        return _form(visit, typed, form=form, wrong=wrong, refused=plain(error, others))
    done = SENT_BEFORE if sent.replayed else SENT_TO_NOBODY if sent.warnings else SENT
    return visit.back("/agency/clues", done)


def _clue(visit: Visit, typed: Typed, problems: list[FieldProblem]) -> dict[str, Any]:
    """What is told, without its id and without what was left blank."""
    if typed["office"] not in offices_of(visit):
        problems.append(FieldProblem(pointer="/office", code="required"))
    said = {
        "person": read_person(typed, problems),
        "circumstances": read_texts(typed["circumstances"]),
        **{name: typed[name] for name in ("court", "legal_basis", "note")},
    }
    if not said["circumstances"]:
        problems.append(FieldProblem(pointer="/circumstances", code="required"))
    return {name: value for name, value in said.items() if value}


def _form(
    visit: Visit,
    typed: Typed,
    *,
    form: str,
    wrong: Mapping[str, str] | None = None,
    refused: XianjieError | None = None,
) -> Response:
    offices = list(office_names(visit).items())
    return visit.page(
        "agency/clue_new.html",
        status=200 if refused is None else refused.status,
        refused=on_top(refused, wrong or {}),
        form_id=form,
        typed=typed,
        wrong=wrong or {},
        offices=offices,
        courts=_courts(visit),
        circumstances=worded(CIRCUMSTANCES, "clue_circumstance"),
        regions=choices("region"),
        can_send=can_send(visit),
    )


def _one(visit: Visit, clue_id: str) -> Response:
    with visit.context.store.reading() as connection:
        own = require_found(own_clues.find(connection, party_of(visit), scope_of(visit), clue_id))
    visit.log(CLUE_VIEWED, clue_id, f"message={own.message_id}")
    try:
        told = told_clue(visit.context, own, now=visit.now)
    except (CaseErased, TrustError):  # its codes and answers are left
        told = None
    return visit.page(
        "agency/clue.html",
        clue=own.clue,
        state=_state(visit, own),
        told=None if told is None else told.data,
        passed_to=[] if told is None else [one["to"] for one in told.answers if "to" in one],
        courts=dict(_courts(visit)),
    )


def clue_address(visit: Visit, clue_id: str) -> str | None:
    """Where one of his clues is shown; None for what is not his."""
    with visit.context.store.reading() as connection:
        own = own_clues.find(connection, party_of(visit), scope_of(visit), clue_id)
    return None if own is None else f"/agency/clues/one/{quote(clue_id, safe='')}"
