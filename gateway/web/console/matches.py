"""匹配复核页 Adjudication: what is put before two sides, those before a person first, and one match with its forms.

Rules: a match is seen by whoever sees a court of one of its two cases, and decided by whoever sees both; of a case
outside somebody's region nothing is shown but that there is one. Each look is on file before the page is made; who may
not decide sees all and no form. Nobody is named but in the notice, which takes a reason.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.adjudication import (
    HEARING,
    RESOLUTION_NAMES,
    SIDES,
    UNRESOLVED,
    DispositionCode,
    Resolution,
    StopsBy,
    judge,
)
from gateway.domain.lifecycle import MatchState
from gateway.domain.reconciliation.findings import OPERATOR
from gateway.errors import (
    ConfigError,
    FieldProblem,
    Forbidden,
    IllegalMove,
    InvalidQuery,
    MatchUnknown,
    NotFound,
    SecondPersonNeeded,
    XianjieError,
)
from gateway.flows import match_look, match_resolve, match_said
from gateway.flows.match_look import VIEWED, MatchShown, SideShown
from gateway.store import match_desk, referrals
from gateway.store.clock import from_ms
from gateway.store.match_desk import Place
from gateway.store.matches import KeptMatch
from gateway.web.console.finding_filter import name_of_key
from gateway.web.console.waterfall import chart
from gateway.web.console.whose import name_of
from gateway.web.desk import Desk
from gateway.web.pages.asked import as_kept
from gateway.web.pages.routes import Pages
from gateway.web.pages.said import tells
from gateway.web.pages.shown import t, worded, words
from gateway.web.pages.visit import Visit

HOME = "/console/matches"
WAITING = "waiting"
MOST_LOOKS = 20
RESOLVED = tells("match_resolved", "已作出复核结论，已通知双方。", "Resolved; both sides are told.")
APPEALED = tells("match_appealed", "已受理申诉，双方将重新被听取。", "Appealed: both sides are heard again.")
ENTERED = tells("match_entered", "已录入该方意见。", "What that side says was entered.")


def pages(desk: Desk) -> Pages:
    """The list, one match, and a route for each form on it."""
    found = Pages(desk, "matches", HOME)

    @found.get("", Right.SEE_CASES)
    def match_list(visit: Visit) -> Response:
        return _list(visit)

    @found.get("/<match_id>", Right.SEE_CASES)
    def one_match(visit: Visit, match_id: str) -> Response:
        _require_seen(visit, match_id)
        return _page(visit, match_id)

    @found.post("/<match_id>/notice", Right.REVEAL, confirmed=True)
    def print_notice(visit: Visit, match_id: str) -> Response:
        return _notice(visit, match_id)

    _deciding(found)
    return found


def _deciding(found: Pages) -> None:
    @found.post("/<match_id>/resolve", Right.DECIDE, confirmed=True)
    def resolve_match(visit: Visit, match_id: str) -> Response:
        def act() -> object:
            resolution = Resolution(_one_of(visit, "resolution", {*Resolution} - {Resolution.NO_LONGER_SEEN}))
            stops = visit.text("stops") or None
            return match_resolve.resolve(visit.context, match_id, resolution, stops=stops, **_by(visit))

        return _act(visit, match_id, act, RESOLVED)

    @found.post("/<match_id>/appeal", Right.DECIDE)
    def appeal_match(visit: Visit, match_id: str) -> Response:
        return _act(visit, match_id, lambda: match_resolve.appeal(visit.context, match_id, **_by(visit)), APPEALED)

    @found.post("/<match_id>/say", Right.DECIDE)
    def enter_word(visit: Visit, match_id: str) -> Response:
        def act() -> object:
            side = _one_of(visit, "side", set(SIDES))
            code = DispositionCode(_one_of(visit, "code", set(DispositionCode)))
            stops_by = StopsBy(_one_of(visit, "stops_by", set(StopsBy))) if visit.text("stops_by") else None
            shown = match_look.look(visit.context, match_id, now=visit.now)
            if not next(one for one in shown.sides if one.name == side).is_mute:
                raise InvalidQuery(problems=[FieldProblem(pointer="/side", code="not_asked")])
            return match_said.enter(visit.context, match_id, side, code, stops_by=stops_by, **_by(visit))

        return _act(visit, match_id, act, ENTERED)


def _by(visit: Visit) -> dict[str, Any]:
    return {"who": visit.who, "why": visit.text("why"), "now": visit.now}


def _one_of(visit: Visit, field: str, known: set[Any]) -> str:
    text = visit.text(field)
    if text not in known:
        code = "unknown_code" if text else "required"
        raise InvalidQuery(problems=[FieldProblem(pointer=f"/{field}", code=code)])
    return text


def _act(visit: Visit, match_id: str, act: Callable[[], object], said: str) -> Response:
    if not _sees_both(visit, _require_seen(visit, match_id)):
        raise Forbidden("a side is outside the region")
    try:
        act()
    except (ConfigError, IllegalMove, InvalidQuery) as error:
        return _page(visit, match_id, refused=error)
    return visit.back(f"{HOME}/{match_id}", said)


def _require_seen(visit: Visit, match_id: str) -> tuple[str, ...]:
    """The courts of the match's cases. Raises NotFound where he sees none of them."""
    try:
        courts = match_look.courts_of(visit.context, match_id)
    except MatchUnknown as error:
        raise NotFound from error
    if visit.courts is not None and not any(visit.sees_court(court) for court in courts):
        raise NotFound
    return courts


def _sees_both(visit: Visit, courts: tuple[str, ...]) -> bool:
    return all(visit.sees_court(court) for court in courts)


# --- the list ---


def _list(visit: Visit) -> Response:
    state, referral = visit.asked("state", 30), visit.asked("referral", 64)
    shown: dict[str, Any] = {
        "state": state,
        "referral": referral,
        "states": [(WAITING, t("未结（全部）", "unresolved (all)")), *words("match")],
        "page": None,
    }
    try:
        states = _states(state)
        after = _read_place(visit.asked("after"))
    except InvalidQuery as error:
        return visit.page("console/matches.html", refused=error, **shown)
    if referral:
        visit.log("searched", "matches", as_kept({"referral": referral}))
    with visit.context.store.reading() as connection:
        page = match_desk.listed(
            connection, states=states, courts=visit.courts, referral_id=referral or None, after=after
        )
        counts = match_desk.counts(connection) if visit.courts is None else {}
        courts = referrals.court_of(connection, [side.referral_id for one in page.matches for side in one.sides])
    return visit.page(
        "console/matches.html",
        **shown
        | {
            "page": page,
            "lines": [_line(visit, one, courts) for one in page.matches],
            "counts": [(one.value, counts[one]) for one in MatchState if one in counts],
            "after": after,
            "older": None if page.next is None else f"{page.next[0]}~{page.next[1]}",
        },
    )


def _states(state: str) -> tuple[MatchState, ...]:
    if not state:
        return ()
    if state == WAITING:
        return tuple(sorted(UNRESOLVED))
    if state not in set(MatchState):
        raise InvalidQuery(problems=[FieldProblem(pointer="/state", code="unknown_code")])
    return (MatchState(state),)


def _read_place(text: str) -> Place | None:
    if not text:
        return None
    rank, _, row = text.partition("~")
    if not all(part.isascii() and part.isdigit() and len(part) <= 15 for part in (rank, row)):
        raise InvalidQuery(problems=[FieldProblem(pointer="/after", code="out_of_range")])
    return (int(rank), int(row))


def _line(visit: Visit, kept: KeptMatch, courts: Mapping[str, str]) -> dict[str, Any]:
    due = min((one.due_at for one in kept.sides if one.due_at is not None), default=None)
    standing = kept.standing()
    return {
        "match": kept.match,
        "sides": [
            {
                "name": name_of(visit, one.office_id or one.party)
                if visit.sees_court(courts.get(one.referral_id, ""))
                else _outside(),
                "said": standing[one.side].code if one.side in standing else None,
                "is_silent": _is_silent(kept, one.side, one.due_at, visit.now),
            }
            for one in kept.sides
        ],
        "due": due,
        "is_overdue": due is not None and due < visit.now and kept.match.state in HEARING,
    }


def _outside() -> str:
    """Instead of whose case it is."""
    return t("（不在您的查看范围）", "(outside your region)")


def _is_silent(kept: KeptMatch, side: str, due: datetime | None, now: datetime) -> bool:
    """Whether its time passed without a word that counts."""
    return kept.match.state in HEARING and due is not None and due < now and side not in kept.standing()


# --- one match ---


def _page(visit: Visit, match_id: str, *, refused: XianjieError | None = None, **more: Any) -> Response:
    visit.log(VIEWED, match_id, "page")
    shown = match_look.look(visit.context, match_id, now=visit.now)
    match = shown.kept.match
    sees_both = _sees_both(visit, shown.courts)
    decides = visit.may(Right.DECIDE) and sees_both
    sides = {one.name: _side(visit, shown, one) for one in shown.sides}
    hearing = match.state in HEARING
    return visit.page(
        "console/match.html",
        refused=refused,
        match=match,
        sides=list(sides.values()),
        resolution=None if match.resolution is None else t(*RESOLUTION_NAMES[match.resolution]),
        comes_to=_comes_to(shown),
        chart=None
        if shown.scored is None
        else chart(shown.scored.steps, verdict=shown.scored.verdict, version=shown.scored.version),
        scored=shown.scored,
        finding=None if match.finding_key is None else name_of_key(match.finding_key),
        said=[
            {"one": one, "who": name_of(visit, one.party) if sides[one.side]["is_seen"] else _outside()}
            for one in shown.kept.said
        ],
        moves=shown.moves,
        acts=[{**row, "at": from_ms(row["at"]), "who": name_of(visit, row["who"])} for row in shown.acts],
        looks=[
            {"at": from_ms(row["at"]), "who": name_of(visit, row["who"])} for row in reversed(shown.looks[-MOST_LOOKS:])
        ],
        looked=len(shown.looks),
        may_resolve=decides and hearing,
        may_say=decides and hearing and any(one.is_mute for one in shown.sides),
        may_appeal=decides and match.state not in UNRESOLVED,
        may_notice=visit.may(Right.REVEAL) and sees_both and bool(shown.kept.sides),
        resolutions=[
            (one.value, t(*RESOLUTION_NAMES[one])) for one in Resolution if one is not Resolution.NO_LONGER_SEEN
        ],
        dispositions=worded(DispositionCode, "disposition"),
        stops_by=words("stops_by"),
        typed={
            name: visit.text(name)
            for name in ("resolution", "stops", "side", "code", "stops_by", "why", "safe_channel")
        },
        needs_second=isinstance(refused, SecondPersonNeeded),
        **more,
    )


def _side(visit: Visit, shown: MatchShown, one: SideShown) -> dict[str, Any]:
    """One side as it may be shown: of a case outside the region nothing but that there is one."""
    is_seen = one.case is None or visit.sees_court(one.case.court)
    side = one.side
    person = one.signed.person if one.signed is not None and is_seen else None
    is_minor = any(known is not None and known.is_minor for known in (one.case, one.signed))
    return {
        "name": one.name,
        "is_seen": is_seen,
        "referral_id": one.referral_id,
        "case": one.case if is_seen else None,
        "court": name_of(visit, None if one.case is None or not is_seen else one.case.court),
        "heard": "" if side is None else name_of(visit, side.office_id or side.party) if is_seen else _outside(),
        "by_operator": side is not None and side.party == OPERATOR,
        "programme": None if side is None else side.programme,
        "need_id": None if side is None else side.need_id,
        "due": None if side is None else side.due_at,
        "is_silent": side is not None and _is_silent(shown.kept, one.name, side.due_at, visit.now),
        "person": person,
        "is_minor": is_minor,
        "is_gone": one.case is not None and one.signed is None,
        "said": one.said,
        "is_mute": one.is_mute,
    }


def _comes_to(shown: MatchShown) -> str | None:
    """What the two words come to by the table; None until both have said theirs."""
    standing = shown.kept.standing()
    if len(standing) < len(SIDES):
        return None
    parties = {one.party for one in shown.kept.sides}
    rule = judge(
        *(DispositionCode(standing[name].code) for name in SIDES),
        one_party=len(parties) == 1 and OPERATOR not in parties,
    )
    words = t("交人决定", "a person decides") if rule.resolution is None else t(*RESOLUTION_NAMES[rule.resolution])
    return f"{rule.rule_id} {t(rule.zh, words)}"


def _notice(visit: Visit, match_id: str) -> Response:
    """The notice, shown once and kept nowhere."""
    courts = _require_seen(visit, match_id)
    if not _sees_both(visit, courts):
        raise Forbidden("a side is outside the region")
    try:
        side = _one_of(visit, "side", set(SIDES))
        made = match_look.notice(
            visit.context,
            visit.account,
            match_id,
            side,
            by_safe_channel=visit.text("safe_channel") == "1",
            why=visit.text("why"),
            now=visit.now,
        )
    except MatchUnknown as error:
        raise NotFound from error
    except XianjieError as error:
        return _page(visit, match_id, refused=error)
    return visit.page("console/match_notice.html", made=made, match_id=match_id, side=side)
