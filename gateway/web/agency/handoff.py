"""一件转办 One handoff as its office has it: looked at on record, signed for, answered by form, printed.

1. looked at: a decision on file says who opened it, before anything of it is shown;
2. signed for: one message for ever, however often it is pressed;
3. answered: the form's fields become the row a sheet would hold, that row the agency's own body, which is judged as the
   gateway judges it; what is wrong stands at its field and what was typed stays; then the gateway signs for the party.
"""

from collections.abc import Mapping
from urllib.parse import quote

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.errors import MessageError, NotFound, XianjieError
from gateway.flows.agency_desk import OwnHandoff, open_handoff
from gateway.flows.receive import RETRIEVED
from gateway.store import agency_desk
from gateway.web.agency import answer_fields
from gateway.web.agency.inbox import due_at
from gateway.web.agency.parts import due_of, office_names, offices_of
from gateway.web.desk import Desk
from gateway.web.pages.clerk import act_of, can_send, form_of, new_form, party_of, send
from gateway.web.pages.filled import at_fields, plain
from gateway.web.pages.routes import Pages
from gateway.web.pages.said import tells
from gateway.web.pages.visit import Visit
from gateway.workbook.answers import judged, proof_cells

OUTCOME = "handoff.outcome"
VIEWED, PRINTED = "handoff_viewed", "handoff_printed"
SIGNED_FOR = tells("agency_signed_for", "已签收。", "Signed for.")
SENT = tells("agency_sent", "答复已报送并接收。", "The answer was sent and accepted.")
SENT_BEFORE = tells(
    "agency_sent_before", "此前已报送同样的答复，未重复报送。", "The same was sent before; nothing was sent twice."
)
KEPT_ONLY = tells(
    "agency_kept_only",
    "答复已留存，但未改变事项状态，原因见“答复记录”。",
    "The answer is kept but changed nothing; see why under “Answers”.",
)


def pages(desk: Desk) -> Pages:
    """The handoff, its print, signing for it, and answering."""
    found = Pages(desk, "agency_handoff", "/agency/handoffs")

    @found.get("/<handoff_id>", Right.AGENCY_WORK)
    def handoff(visit: Visit, handoff_id: str) -> Response:
        return _shown(visit, opened(visit, handoff_id, VIEWED))

    @found.get("/<handoff_id>/print", Right.AGENCY_WORK)
    def print_handoff(visit: Visit, handoff_id: str) -> Response:
        return _shown(visit, opened(visit, handoff_id, PRINTED), template="agency/handoff_print.html")

    @found.post("/<handoff_id>/sign", Right.AGENCY_WORK)
    def sign_for(visit: Visit, handoff_id: str) -> Response:
        own = _own(visit, handoff_id)
        message = own.message
        send(
            visit,
            RETRIEVED,
            {},
            form=f"retrieved:{message.envelope.id}",
            subject=message.envelope.subject,
            in_reply_to=message.envelope.id,
            in_reply_to_digest=message.digest,
        )
        return visit.back(_address(handoff_id), SIGNED_FOR)

    @found.post("/<handoff_id>/answer", Right.AGENCY_WORK)
    def answer_handoff(visit: Visit, handoff_id: str) -> Response:
        return _answer(visit, _own(visit, handoff_id))

    return found


def _own(visit: Visit, handoff_id: str) -> OwnHandoff:
    return open_handoff(visit.context, handoff_id, offices_of(visit), party=party_of(visit), now=visit.now)


def opened(visit: Visit, handoff_id: str, what: str) -> OwnHandoff:
    """The handoff, once it is on file that it was looked at."""
    own = _own(visit, handoff_id)
    visit.log(what, own.listed.referral_id, f"handoff={handoff_id} office={own.listed.office_id}")
    return own


def _address(handoff_id: str) -> str:
    return f"/agency/handoffs/{quote(handoff_id, safe='')}"


def _answer(visit: Visit, own: OwnHandoff) -> Response:
    need_id, typed = visit.text("need_id", 80), answer_fields.typed(visit)
    if need_id not in {need for need, _ in own.listed.needs}:
        raise NotFound
    handoff_id, message = own.listed.handoff_id, own.message
    proof = proof_cells(message.envelope.id, message.digest, message.envelope.subject)
    cells = answer_fields.cells_of(typed, {"handoff_id": handoff_id, "need_id": need_id, **proof})
    form = act_of(form_of(visit), cells)
    try:
        body = judged(own.adapter, cells, own.sent)
        sent = send(
            visit,
            OUTCOME,
            body,
            form=form,
            subject=message.envelope.subject,
            in_reply_to=message.envelope.id,
            in_reply_to_digest=message.digest,
            content_type=own.adapter.content_type,
        )
    except MessageError as error:
        return _refused(visit, own, need_id, typed, error)
    with visit.context.store.reading() as connection:
        problems = agency_desk.problems_of(connection, handoff_id, sent.message_id)
    return visit.back(_address(handoff_id), SENT_BEFORE if sent.replayed else KEPT_ONLY if problems else SENT)


def _refused(visit: Visit, own: OwnHandoff, need_id: str, typed: Mapping[str, str], error: XianjieError) -> Response:
    wrong, others = at_fields(error.problems, answer_fields.KEYS, answer_fields.wrong_text)
    visit.log(VIEWED, own.listed.referral_id, f"handoff={own.listed.handoff_id} office={own.listed.office_id}")
    return _shown(visit, own, refused=plain(error, others), need_id=need_id, typed=typed, wrong=wrong)


def _shown(
    visit: Visit,
    own: OwnHandoff,
    *,
    template: str = "agency/handoff.html",
    refused: XianjieError | None = None,
    need_id: str = "",
    typed: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
) -> Response:
    common, per_need = own.parts()
    listed = own.listed
    return visit.page(
        template,
        status=200 if refused is None else refused.status,
        refused=refused,
        own=own,
        handoff=listed,
        common=common,
        per_need=per_need,
        due=due_of(due_at(own.needs, own.message.envelope.reply_by), visit.now),
        office=office_names(visit).get(listed.office_id, listed.office_id),
        parts=answer_fields.parts(listed.agency),
        beginning=answer_fields.beginning(visit),
        form_id=new_form() if refused is None else visit.text("form", 60),
        refused_need=need_id,
        typed=typed or {},
        wrong=wrong or {},
        can_send=can_send(visit),
    )
