"""告知与交换 Matches the court is heard about, inquiries it asked, clues it was told: lists, and its answers.

Rules: of a match a side sees its own case, what is in doubt, its time and its own word, never the other's (Law 6). Who
a clue is about is shown after a reason, and that is on file. Another court's matter and none at all answer alike.
"""

from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.adjudication import HEARING, DispositionCode, MatchSide, StopsBy
from gateway.domain.values import InvalidValue
from gateway.errors import (
    CaseErased,
    ClueUnknown,
    FieldProblem,
    MatchUnknown,
    NotFound,
    NoticeUnknown,
    SchemaInvalid,
    XianjieError,
)
from gateway.flows import own_referral as own
from gateway.flows.clue import standing
from gateway.store import court_desk
from gateway.store.exchanges import KeptClue
from gateway.store.matches import KeptMatch
from gateway.web.court.parts import SENT_BEFORE, reason_of, row_of
from gateway.web.desk import Desk
from gateway.web.pages.appealed import APPEAL_FIELDS, APPEAL_SENT, may_appeal, send_appeal
from gateway.web.pages.clerk import act_of, can_send, form_of, new_form, party_of, send
from gateway.web.pages.filled import at_fields, on_top, plain, require_shape, typed_of
from gateway.web.pages.routes import Pages
from gateway.web.pages.said import tells
from gateway.web.pages.visit import Visit, require_found
from gateway.workbook.spellings import read_yuan
from schemas.exchanges import CLUE_ANSWER, CLUE_ANSWERS
from schemas.match import MATCH_DISPOSITION
from schemas.referral import REFUSALS

DISPOSED = tells("court_disposed", "处置意见已报送。", "The disposition was sent.")
ANSWERED = tells("court_clue_answered", "线索反馈已报送。", "The answer to the clue was sent.")
MOST = 20
MOST_REASON = 1000
"""One more is read, so that what is too long is refused and not cut."""


def pages(desk: Desk) -> Pages:
    """The lists, one match, one clue."""
    found = Pages(desk, "court_notices", "/court/notices")

    @found.get("", Right.COURT_WORK)
    def notices(visit: Visit) -> Response:
        return _lists(visit)

    @found.get("/matches/<match_id>", Right.COURT_WORK)
    def match(visit: Visit, match_id: str) -> Response:
        return _match(visit, match_id)

    @found.post("/matches/<match_id>", Right.COURT_WORK, confirmed=True)
    def dispose(visit: Visit, match_id: str) -> Response:
        return _dispose(visit, match_id)

    @found.post("/matches/<match_id>/appeal", Right.COURT_WORK)
    def appeal_match(visit: Visit, match_id: str) -> Response:
        return _appeal(visit, match_id)

    @found.get("/clues/<clue_id>", Right.COURT_WORK)
    def clue(visit: Visit, clue_id: str) -> Response:
        return _clue(visit, clue_id)

    @found.post("/clues/<clue_id>", Right.COURT_WORK)
    def answer_clue(visit: Visit, clue_id: str) -> Response:
        return _answer(visit, clue_id)

    @found.post("/clues/<clue_id>/person", Right.COURT_WORK)
    def reveal_clue(visit: Visit, clue_id: str) -> Response:
        _own_clue(visit, clue_id)
        try:
            why = reason_of(visit)
            told = own.forwarded_clue(visit.context, clue_id, court=party_of(visit), now=visit.now)
        except (SchemaInvalid, CaseErased) as error:
            return _clue(visit, clue_id, refused=error)
        except NoticeUnknown:
            raise NotFound from None
        visit.log(own.CLUE_VIEWED, clue_id, why)
        return _clue(visit, clue_id, told=told)

    return found


def _lists(visit: Visit) -> Response:
    court = party_of(visit)
    places = {name: visit.asked(name, 16) for name in ("matches", "inquiries", "clues")}
    with visit.context.store.reading() as connection:
        heard, more_matches = court_desk.matches_of(connection, court, after=row_of(places["matches"]), most=MOST)
        asked, more_asked = court_desk.inquiries_of(connection, court, after=row_of(places["inquiries"]), most=MOST)
        clues, more_clues = court_desk.clues_of(connection, court, after=row_of(places["clues"]), most=MOST)
    return visit.page(
        "court/notices.html",
        court=court,
        heard=heard,
        asked=asked,
        clues=[(one, standing(one, visit.context, visit.now)) for one in clues],
        places=places,
        more={"matches": more_matches, "inquiries": more_asked, "clues": more_clues},
        HEARING=HEARING,
    )


def _own_match(visit: Visit, match_id: str) -> KeptMatch:
    with visit.context.store.reading() as connection:
        return require_found(court_desk.match_of(connection, party_of(visit), match_id))


def _own_side(visit: Visit, kept: KeptMatch, name: str) -> MatchSide:
    return require_found(next((one for one in kept.sides if (one.party, one.side) == (party_of(visit), name)), None))


def _match(
    visit: Visit,
    match_id: str,
    *,
    refused: XianjieError | None = None,
    typed: dict[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
) -> Response:
    kept, court = _own_match(visit, match_id), party_of(visit)
    return visit.page(
        "court/match.html",
        status=200 if refused is None else refused.status,
        refused=on_top(refused, wrong or {}),
        match=kept.match,
        sides=[one for one in kept.sides if one.party == court],
        own_words=[one for one in kept.said if one.party == court],
        is_heard=kept.match.state in HEARING,
        may_appeal=may_appeal(kept),
        wrong=wrong or {},
        form_id=new_form() if typed is None else typed["form"],
        typed=typed or {},
        codes=[one.value for one in DispositionCode],
        stops=[one.value for one in StopsBy],
        can_send=can_send(visit),
    )


def _dispose(visit: Visit, match_id: str) -> Response:
    kept = _own_match(visit, match_id)
    form = form_of(visit)
    names = ("side", "disposition", "stops_by", "reason")
    typed = {name: visit.text(name, MOST_REASON + 1) for name in names} | {"form": form}
    side = _own_side(visit, kept, typed["side"])
    if not can_send(visit):
        return _match(visit, match_id, typed=typed)
    data = {"match_id": match_id, "side": side.side, "referral_id": side.referral_id}
    data |= {name: typed[name] for name in ("disposition", "stops_by", "reason") if typed[name]}
    try:
        require_shape(MATCH_DISPOSITION, data)
        sent = send(visit, "match.disposition", data, form=act_of(form, data), subject=side.referral_id)
    except MatchUnknown:
        raise NotFound from None
    except XianjieError as error:
        return _match(visit, match_id, refused=_expected(error), typed=typed)
    return visit.back(f"/court/notices/matches/{match_id}", SENT_BEFORE if sent.replayed else DISPOSED)


def _appeal(visit: Visit, match_id: str) -> Response:
    kept, form = _own_match(visit, match_id), form_of(visit)
    typed = typed_of((*APPEAL_FIELDS, "side")) | {"form": form}
    side = _own_side(visit, kept, typed["side"])
    if not can_send(visit):
        return _match(visit, match_id, typed=typed)
    own_side = {"match_id": match_id, "side": side.side, "referral_id": side.referral_id}
    try:
        sent = send_appeal(visit, own_side, typed, form=form)
    except XianjieError as error:
        wrong, others = at_fields(error.problems, APPEAL_FIELDS)
        return _match(visit, match_id, refused=plain(error, others), typed=typed, wrong=wrong)
    return visit.back(f"/court/notices/matches/{match_id}", SENT_BEFORE if sent.replayed else APPEAL_SENT)


def _own_clue(visit: Visit, clue_id: str) -> KeptClue:
    with visit.context.store.reading() as connection:
        return require_found(court_desk.clue_of(connection, party_of(visit), clue_id))


def _clue(
    visit: Visit,
    clue_id: str,
    *,
    refused: XianjieError | None = None,
    typed: dict[str, str] | None = None,
    told: Any = None,
) -> Response:
    kept = _own_clue(visit, clue_id)
    return visit.page(
        "court/clue.html",
        status=200 if refused is None else refused.status,
        refused=refused,
        clue=kept,
        state=standing(kept, visit.context, visit.now),
        told=told,
        form_id=new_form() if typed is None else typed["form"],
        typed=typed or {},
        codes=CLUE_ANSWERS,
        refusals=REFUSALS,
        can_send=can_send(visit),
    )


def _answer(visit: Visit, clue_id: str) -> Response:
    _own_clue(visit, clue_id)
    form = form_of(visit)
    names = ("code", "case_number", "amount_yuan", "refusal_code", "to")
    typed = {name: visit.text(name, 100) for name in names} | {"form": form}
    if not can_send(visit):
        return _clue(visit, clue_id, typed=typed)
    data: dict[str, Any] = {"clue_id": clue_id}
    data |= {name: typed[name] for name in names if typed[name] and name != "amount_yuan"}
    try:
        if typed["amount_yuan"]:
            data["amount_fen"] = read_yuan(typed["amount_yuan"])
        require_shape(CLUE_ANSWER, data)
        sent = send(visit, "clue.answered", data, form=act_of(form, data), subject=clue_id)
    except InvalidValue as wrong:
        return _clue(visit, clue_id, refused=_at("amount_fen", wrong.code), typed=typed)
    except ClueUnknown:
        raise NotFound from None
    except XianjieError as error:
        return _clue(visit, clue_id, refused=_expected(error), typed=typed)
    return visit.back(f"/court/notices/clues/{clue_id}", SENT_BEFORE if sent.replayed else ANSWERED)


def _at(field: str, code: str) -> SchemaInvalid:
    return SchemaInvalid(problems=[FieldProblem(pointer=f"/{field}", code=code)])


def _expected(error: XianjieError) -> XianjieError:
    """A refusal to be shown; what is nobody's refusal goes on."""
    if error.status == 500:
        raise error
    return error
