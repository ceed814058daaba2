"""收件箱 What waits for the clerk's offices: minors and urgent ones first, with deadlines; and what is done.

Rules: a list lies open on a desk, so it shows ids, programmes and days, never whom it is about; what is to be done
stands in the order of the work, what is done newest first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection
from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import InvalidQuery
from gateway.flows.agency_desk import proven
from gateway.store import agency_desk
from gateway.store.agency_desk import HeldNeed, ListedHandoff, Place, Tab
from gateway.web.agency.parts import Due, due_of, office_names, offices_of
from gateway.web.desk import Desk
from gateway.web.pages.clerk import MOST, can_send, party_of
from gateway.web.pages.routes import Pages
from gateway.web.pages.visit import Visit


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of the list."""

    handoff: ListedHandoff
    needs: Sequence[HeldNeed]
    due: Due | None
    is_amended: bool


def pages(desk: Desk) -> Pages:
    """The list."""
    found = Pages(desk, "agency_inbox", "/agency")

    @found.get("", Right.AGENCY_WORK)
    def inbox(visit: Visit) -> Response:
        tab, after = _tab(visit.asked("tab", 20)), _place(visit.asked("after", 40))
        with visit.context.store.reading() as connection:
            rows = agency_desk.listed(connection, offices_of(visit), tab, after=after, limit=MOST + 1)
            lines = _lines(connection, visit, rows[:MOST])
            counts = agency_desk.counts(connection, offices_of(visit))
        return visit.page(
            "agency/inbox.html",
            tab=tab,
            tabs=list(Tab),
            counts=counts,
            lines=lines,
            offices=office_names(visit),
            can_send=can_send(visit),
            after=after,
            more="{}.{}".format(*rows[MOST - 1].place) if len(rows) > MOST else None,
        )

    return found


def _lines(connection: Connection, visit: Visit, rows: Sequence[ListedHandoff]) -> list[Line]:
    needs = agency_desk.needs_of(connection, rows)
    open_ones = [one.message_id for one in rows if any(need.awaits for need in needs[one.handoff_id])]
    messages = proven(connection, visit.context, open_ones, party=party_of(visit), now=visit.now)
    amended = agency_desk.amended(connection, [one.handoff_id for one in rows])
    told = {key: one.envelope.reply_by for key, one in messages.items() if isinstance(one, VerifiedMessage)}
    return [
        Line(
            handoff=one,
            needs=needs[one.handoff_id],
            due=due_of(due_at(needs[one.handoff_id], told.get(one.message_id)), visit.now),
            is_amended=one.handoff_id in amended,
        )
        for one in rows
    ]


def due_at(needs: Sequence[HeldNeed], reply_by: datetime | None) -> datetime | None:
    """Until when the office must act: what reconciliation saw last, else what the handoff asks of a need nobody
    answered."""
    clocks = [need.due_at for need in needs if need.due_at is not None]
    return min(clocks) if clocks else reply_by if any(need.awaits for need in needs) else None


def _tab(text: str) -> Tab:
    try:
        return Tab(text or Tab.WAITING)
    except ValueError as error:
        raise InvalidQuery("tab") from error


def _place(text: str) -> Place | None:
    if not text:
        return None
    queue, dot, row = text.partition(".")
    fits = all(one.isascii() and one.isdigit() and len(one) <= most for one, most in ((queue, 9), (row, 15)))
    if not (dot and fits):
        raise InvalidQuery("after")
    return int(queue), int(row)
