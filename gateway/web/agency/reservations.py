"""占位核对 Before an office grants, it asks whether the help is free for the person; the answer stands in the receipt.

Rules: the person's number comes by form alone, stands in no address and no log, and is shown to nobody again, not even
where the form is refused; what was answered tells what stands against it as far as this agency may know. A reservation
the portal makes begins with its office's id, so that a clerk of one office sees that office's alone.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.lifecycle import ReservationState
from gateway.domain.values import InvalidValue
from gateway.errors import FieldProblem, MessageError, SchemaInvalid, XianjieError
from gateway.flows.on_behalf import sent_before
from gateway.flows.reservation_read import CONFIRMED, RELEASED, REQUESTED
from gateway.store import own_reservations
from gateway.store.own_reservations import OwnReservation
from gateway.web.agency.parts import office_names, offices_of, scope_of
from gateway.web.agency.sheets import agencies_of
from gateway.web.desk import Desk
from gateway.web.pages.asked import row_of
from gateway.web.pages.clerk import MOST, act_of, agreements_of, can_send, form_of, name_of, new_form, party_of, send
from gateway.web.pages.filled import at_fields, plain
from gateway.web.pages.routes import Pages
from gateway.web.pages.said import tells
from gateway.web.pages.shown import worded
from gateway.web.pages.visit import Visit, require_found
from gateway.workbook.spellings import read_yuan
from schemas.referral import ID_TYPES

ASKED = "reservation_asked"
TAKEN = tells("agency_reserved", "核对完成：可以给付，已为本单位占位。", "It is free, and reserved for your office.")
IN_CONFLICT = tells("agency_conflict", "核对完成：有冲突，见下表。", "Something stands against it; see below.")
ENDED = {
    CONFIRMED: tells("agency_confirmed", "已确认给付。", "Confirmed."),
    RELEASED: tells("agency_released", "已释放占位。", "Released."),
}
FIELDS = ("office", "need_id", "id_type", "agreement_document", "programme", "from_month", "until_month", "amount_yuan")
PAPERS = tuple(code for code in ID_TYPES if code != "000")
"""Kinds of numbers; who has no paper yet has none."""
_MONTH = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])")


def pages(desk: Desk) -> Pages:
    """The list with its form, one reservation, and how it ends."""
    found = Pages(desk, "agency_reservations", "/agency/reservations")

    @found.get("", Right.AGENCY_WORK)
    def own_reservations_page(visit: Visit) -> Response:
        return _page(visit)

    @found.post("", Right.AGENCY_WORK)
    def ask_reservation(visit: Visit) -> Response:
        return _ask(visit)

    @found.get("/<reservation_id>", Right.AGENCY_WORK)
    def own_reservation(visit: Visit, reservation_id: str) -> Response:
        return _one(visit, _own(visit, reservation_id))

    @found.post("/<reservation_id>/confirm", Right.AGENCY_WORK)
    def confirm_reservation(visit: Visit, reservation_id: str) -> Response:
        return _end(visit, reservation_id, CONFIRMED)

    @found.post("/<reservation_id>/release", Right.AGENCY_WORK)
    def release_reservation(visit: Visit, reservation_id: str) -> Response:
        return _end(visit, reservation_id, RELEASED)

    return found


def _own(visit: Visit, reservation_id: str) -> OwnReservation:
    with visit.context.store.reading() as connection:
        return require_found(own_reservations.find(connection, party_of(visit), scope_of(visit), reservation_id))


def _address(reservation_id: str) -> str:
    return f"/agency/reservations/{quote(reservation_id, safe='')}"


def _page(
    visit: Visit,
    *,
    refused: XianjieError | None = None,
    typed: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
    had_number: bool = False,
) -> Response:
    before = row_of(visit.asked("before", 20))
    with visit.context.store.reading() as connection:
        rows = own_reservations.listed(connection, party_of(visit), scope_of(visit), before=before, limit=MOST + 1)
    offices, agreements = offices_of(visit), agreements_of(visit)
    beginning = {
        "office": offices[0] if len(offices) == 1 else "",
        "agreement_document": agreements[0] if len(agreements) == 1 else "",
        "id_type": PAPERS[0],
        "need_id": visit.asked("need", 64),
        "programme": visit.asked("programme", 20),
    }
    return visit.page(
        "agency/reservations.html",
        status=200 if refused is None else refused.status,
        refused=refused,
        listed=rows[:MOST],
        before=before,
        more=rows[MOST - 1].row if len(rows) > MOST else None,
        typed=typed or beginning,
        wrong=wrong or {},
        had_number=had_number,
        offices=office_names(visit),
        agreements=agreements,
        programmes=_programmes(visit),
        id_types=worded(PAPERS, "id_type"),
        form_id=new_form() if refused is None else visit.text("form", 60),
        can_send=can_send(visit),
    )


def _programmes(visit: Visit) -> list[str]:
    """Those the clerk's agencies lead first, then all others: an office may stand in a route it does not lead."""
    mine, every = set(agencies_of(visit)), visit.context.programmes
    return sorted(every, key=lambda code: every[code].lead_agency not in mine)


def _ask(visit: Visit) -> Response:
    typed = {name: visit.text(name, 100) for name in FIELDS}
    number = visit.text("id_number", 60).upper()
    try:
        data = _request(visit, typed, number)
        form = act_of(form_of(visit), data)
        data["reservation_id"] = f"{typed['office']}:{name_of(form)[:20]}"
        by = "need" if typed["need_id"] else "person"
        visit.log(ASKED, data["reservation_id"], f"by={by} programme={data['programme']} from={data['from_month']}")
        done = send(visit, REQUESTED, data, form=form)
    except MessageError as error:
        wrong, others = at_fields(error.problems, (*FIELDS, "id_number"))
        if "amount_fen" in {one.pointer.rpartition("/")[2] for one in error.problems}:
            others = [one for one in others if not one.pointer.endswith("/amount_fen")]
            wrong["amount_yuan"] = at_fields([FieldProblem(pointer="/x", code="pattern")], {"x": 0})[0]["x"]
        return _page(visit, refused=plain(error, others), typed=typed, wrong=wrong, had_number=bool(number))
    free = (done.answer or {}).get("state") == ReservationState.RESERVED.value
    return visit.back(_address(data["reservation_id"]), TAKEN if free else IN_CONFLICT)


def _request(visit: Visit, typed: Mapping[str, str], number: str) -> dict[str, Any]:
    """What is asked, without its id. Raises SchemaInvalid, also for a need that is not this office's."""
    problems = []
    if typed["office"] not in offices_of(visit):
        problems.append(FieldProblem(pointer="/data/office", code="required"))
    if bool(typed["need_id"]) is bool(number):
        problems.append(FieldProblem(pointer="/data/need_id", code="need_or_person"))
    for name in ("from_month", "until_month"):
        if (typed[name] or name == "from_month") and not _MONTH.fullmatch(typed[name]):
            problems.append(FieldProblem(pointer=f"/data/{name}", code="pattern"))
    amount = None
    try:
        amount = read_yuan(typed["amount_yuan"]) if typed["amount_yuan"] else None
    except InvalidValue as wrong:
        problems.append(FieldProblem(pointer="/data/amount_yuan", code=wrong.code))
    if not typed["programme"]:
        problems.append(FieldProblem(pointer="/data/programme", code="required"))
    if problems:
        raise SchemaInvalid(problems=problems)
    if typed["need_id"]:
        with visit.context.store.reading() as connection:
            if not own_reservations.own_need(connection, typed["need_id"], offices_of(visit)):
                raise SchemaInvalid(problems=[FieldProblem(pointer="/data/need_id", code="reference_unknown")])
    person = {"id_type": typed["id_type"], "id_number": number} if number else None
    given = {
        "need_id": typed["need_id"],
        "person": person,
        "agreement_document": typed["agreement_document"] if person else "",
        "programme": typed["programme"],
        "from_month": typed["from_month"],
        "until_month": typed["until_month"],
    }
    return {name: value for name, value in given.items() if value} | ({} if amount is None else {"amount_fen": amount})


def _one(visit: Visit, own: OwnReservation, refused: XianjieError | None = None) -> Response:
    said = sent_before(visit.context, party_of(visit), own.message_id, visit.now)
    answer = None if said is None else said.answer
    return visit.page(
        "agency/reservation.html",
        status=200 if refused is None else refused.status,
        refused=refused,
        own=own,
        state=own.standing(visit.now),
        States=ReservationState,
        conflicts=_conflicts(own, answer),
        can_send=can_send(visit),
    )


def _conflicts(own: OwnReservation, answer: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """As the receipt told them, else their codes as they are on file."""
    if answer is not None:
        return list(answer.get("conflicts", ()))
    return [{"code": code, "rule_id": rule_id} for code, rule_id in own.conflicts]


def _end(visit: Visit, reservation_id: str, type_: str) -> Response:
    own = _own(visit, reservation_id)
    try:
        send(visit, type_, {"reservation_id": own.reservation_id}, form=own.reservation_id)
    except MessageError as error:
        return _one(visit, own, refused=error)
    return visit.back(_address(reservation_id), ENDED[type_])
