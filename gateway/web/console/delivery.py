"""投递 Queues by office, messages with every attempt, and what somebody may do about them: retry, recover, pause.

Rules: what an act would do is shown first, message by message, and what is confirmed is exactly what was shown; whoever
acts says why. Ids, codes and moments only; which referral a message is about is shown to who reads its court's cases.
Whose part of the exchange is a region sees the offices and courts of that region.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import request
from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.agreement import Channel, Office
from gateway.domain.lifecycle import MessageState
from gateway.errors import ConfigError, FieldProblem, InvalidQuery, NotFound
from gateway.flows import operate
from gateway.store import lanes, referrals
from gateway.store.lanes import Lane, Sent
from gateway.web.console.reach import connection_test
from gateway.web.desk import Desk
from gateway.web.pages.asked import moment_of, row_of
from gateway.web.pages.routes import Pages
from gateway.web.pages.said import tells
from gateway.web.pages.visit import Visit, require_found

HOME = "/console/delivery"
PAGE = 50
MOST_AT_ONCE = 500
"""As many messages are shown and sent again by one act; what is beyond is shown by the next."""
AGAIN = tells("sent_again", "已重新排队 {n} 件。", "{n} queued again.")
PAUSED = tells("lane_paused", "已暂停投递。", "The lane is paused.")
RESUMED = tells("lane_resumed", "已恢复投递。", "The lane goes on.")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the list: an office with its lane."""

    office: Office
    lane: Lane


def pages(desk: Desk) -> Pages:
    """Every page of delivery."""
    found = Pages(desk, "delivery", HOME)
    _looking(found)
    _sending_again(found)
    _pausing(found)
    return found


def _looking(found: Pages) -> None:
    @found.get("", Right.SEE_COUNTS)
    def delivery(visit: Visit) -> Response:
        return _queues(visit)

    @found.get("/<office_id>", Right.SEE_COUNTS)
    def office(visit: Visit, office_id: str) -> Response:
        return _office(visit, office_id)

    @found.get("/messages/<message_id>", Right.SEE_COUNTS)
    def message(visit: Visit, message_id: str) -> Response:
        with visit.context.store.reading() as connection:
            one = require_found(next(iter(lanes.of_ids(connection, [message_id])), None))
            attempts, proofs = lanes.attempts(connection, message_id), lanes.proofs(connection, message_id)
        if not _sees(visit, one):
            raise NotFound
        return visit.page(
            "console/delivery_message.html", one=one, attempts=attempts, proofs=proofs, shown=_referrals(visit, [one])
        )

    @found.post("/<office_id>/test", Right.OPERATE_DELIVERY)
    def test_office(visit: Visit, office_id: str) -> Response:
        return connection_test(visit, _seen_office(visit, office_id), f"{HOME}/{office_id}")


def _sending_again(found: Pages) -> None:
    @found.post("/<office_id>/retry", Right.OPERATE_DELIVERY)
    def look_at_retry(visit: Visit, office_id: str) -> Response:
        office = _seen_office(visit, office_id)
        chosen = request.form.getlist("message_id")[:MOST_AT_ONCE]
        if not chosen:
            problem = FieldProblem(pointer="/message_id", code="required")
            return _office(visit, office_id, refused=InvalidQuery(problems=[problem]))
        return _dry_run(visit, office, chosen)

    @found.post("/<office_id>/recover", Right.OPERATE_DELIVERY)
    def look_at_recovery(visit: Visit, office_id: str) -> Response:
        office = _seen_office(visit, office_id)
        try:
            since = moment_of(visit.text("since"), "since")
        except InvalidQuery as error:
            return _office(visit, office_id, refused=error)
        with visit.context.store.reading() as connection:
            stuck = lanes.stuck_since(connection, office_id, since, limit=MOST_AT_ONCE + 1)
        return _dry_run(visit, office, stuck[:MOST_AT_ONCE], more=len(stuck) > MOST_AT_ONCE)

    @found.post("/<office_id>/send-again", Right.OPERATE_DELIVERY, confirmed=True)
    def send_again(visit: Visit, office_id: str) -> Response:
        office = _seen_office(visit, office_id)
        chosen = request.form.getlist("message_id")[:MOST_AT_ONCE]
        _of_office(visit, office, chosen)
        try:
            count = operate.send_again(visit.context, chosen, who=visit.who, why=visit.text("why"), now=visit.now)
        except ConfigError as error:
            return _dry_run(visit, office, chosen, refused=error)
        return visit.back(f"{HOME}/{office_id}", AGAIN, n=str(count))


def _pausing(found: Pages) -> None:
    @found.get("/<office_id>/pause", Right.OPERATE_DELIVERY)
    def look_at_pause(visit: Visit, office_id: str) -> Response:
        return _pause_page(visit, _seen_office(visit, office_id))

    @found.post("/<office_id>/pause", Right.OPERATE_DELIVERY, confirmed=True)
    def pause_office(visit: Visit, office_id: str) -> Response:
        return _set_paused(visit, _seen_office(visit, office_id), paused=True)

    @found.post("/<office_id>/resume", Right.OPERATE_DELIVERY, confirmed=True)
    def resume_office(visit: Visit, office_id: str) -> Response:
        return _set_paused(visit, _seen_office(visit, office_id), paused=False)


def _queues(visit: Visit) -> Response:
    agency, channel, only, after = (visit.asked(name) for name in ("agency", "channel", "only", "after"))
    mine = {one.office_id: one for one in visit.snapshot.offices.values() if _in_region(visit, one.region)}
    with visit.context.store.reading() as connection:
        every = lanes.lanes(connection)
        mailboxes = [one for one in lanes.unfetched(connection) if visit.sees_court(one.party_id)]
    rows = [Row(office=mine[lane.office_id], lane=lane) for lane in every if lane.office_id in mine]
    chosen = [
        row
        for row in rows
        if agency in ("", row.office.agency)
        and channel in ("", row.office.channel.value)
        and (only != "trouble" or _has_trouble(row, visit))
    ]
    page = [row for row in chosen if row.office.office_id > after][:PAGE]
    ends = bool(page) and page[-1] is chosen[-1]
    return visit.page(
        "console/delivery.html",
        rows=page,
        next=None if ends or not page else page[-1].office.office_id,
        total={state: sum(row.lane.open.get(state, 0) for row in rows) for state in MessageState},
        troubled=sum(_has_trouble(row, visit) for row in rows),
        mailboxes=mailboxes[:PAGE],
        agencies=sorted({row.office.agency for row in rows}),
        chosen={"agency": agency, "channel": channel, "only": only},
    )


def _has_trouble(row: Row, visit: Visit) -> bool:
    return bool(row.lane.stuck or row.lane.paused or row.lane.failures or row.lane.is_blocked(visit.now))


def _office(visit: Visit, office_id: str, *, refused: InvalidQuery | None = None) -> Response:
    office, asked = _seen_office(visit, office_id), visit.asked("state")
    try:
        state = MessageState(asked) if asked else None
        before = row_of(visit.asked("before"))
    except ValueError as error:
        raise InvalidQuery(problems=[FieldProblem(pointer="/state", code="unknown_code")]) from error
    with visit.context.store.reading() as connection:
        (lane,) = lanes.lanes(connection, [office_id])
        found = lanes.messages(connection, office_id, state=state, before=before, limit=PAGE + 1)
    shown: dict[str, Any] = {
        "office": office,
        "lane": lane,
        "messages": found[:PAGE],
        "older": found[PAGE - 1].row if len(found) > PAGE else None,
        "states": list(MessageState),
        "state": asked,
        "shown": _referrals(visit, found[:PAGE]),
        "is_push": office.channel is Channel.PUSH,
        "since": visit.text("since"),
    }
    return visit.page("console/delivery_office.html", refused=refused, **shown)


def _dry_run(
    visit: Visit, office: Office, chosen: Sequence[str], *, more: bool = False, refused: ConfigError | None = None
) -> Response:
    """What sending again would do, message by message, before it is done."""
    found = _of_office(visit, office, chosen)
    with visit.context.store.reading() as connection:
        goes = operate.would_send_again(connection, [one.message_id for one in found])
        (lane,) = lanes.lanes(connection, [office.office_id])
    shown: dict[str, Any] = {
        "office": office,
        "lane": lane,
        "goes": [one for one in found if one.message_id in goes],
        "stays": [one for one in found if one.message_id not in goes],
        "more": more,
        "most": MOST_AT_ONCE,
        "why_given": visit.text("why"),
    }
    return visit.page("console/delivery_again.html", refused=refused, **shown)


def _pause_page(visit: Visit, office: Office, refused: ConfigError | None = None) -> Response:
    with visit.context.store.reading() as connection:
        (lane,) = lanes.lanes(connection, [office.office_id])
        waiting = [
            one
            for state in (MessageState.QUEUED, MessageState.UNKNOWN, MessageState.SENDING)
            for one in lanes.messages(connection, office.office_id, state=state, limit=PAGE)
        ]
    shown: dict[str, Any] = {"office": office, "lane": lane, "messages": waiting[:PAGE], "why_given": visit.text("why")}
    return visit.page("console/delivery_pause.html", refused=refused, **shown)


def _set_paused(visit: Visit, office: Office, *, paused: bool) -> Response:
    try:
        operate.set_paused(
            visit.context, office.office_id, paused=paused, who=visit.who, why=visit.text("why"), now=visit.now
        )
    except ConfigError as error:
        return _pause_page(visit, office, refused=error)
    return visit.back(f"{HOME}/{office.office_id}", PAUSED if paused else RESUMED)


def _of_office(visit: Visit, office: Office, message_ids: Sequence[str]) -> list[Sent]:
    """These messages. Raises NotFound unless every one is the office's."""
    with visit.context.store.reading() as connection:
        found = lanes.of_ids(connection, message_ids)
    if len(found) != len(set(message_ids)) or any(one.office_id != office.office_id for one in found):
        raise NotFound
    return found


def _seen_office(visit: Visit, office_id: str) -> Office:
    office = visit.snapshot.offices.get(office_id)
    if office is None or not _in_region(visit, office.region):
        raise NotFound
    return office


def _in_region(visit: Visit, region: str) -> bool:
    return region.startswith(visit.account.region)


def _sees(visit: Visit, one: Sent) -> bool:
    """Whether a message is in his part: its office's region, else its recipient's."""
    office = visit.snapshot.offices.get(one.office_id or "")
    party = visit.snapshot.parties.get(one.recipient)
    place = office or party
    return not visit.account.region or (place is not None and _in_region(visit, place.region))


def _referrals(visit: Visit, found: Sequence[Sent]) -> dict[str, str]:
    """Message → the referral it is about, for who reads cases and of the courts he sees."""
    about = {one.message_id: one.referral_id for one in found if one.referral_id}
    if not visit.may(Right.SEE_CASES) or not about:
        return {}
    with visit.context.store.reading() as connection:
        courts = referrals.court_of(connection, about.values())
    return {message: of for message, of in about.items() if of in courts and visit.sees_court(courts[of])}
