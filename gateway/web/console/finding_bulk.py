"""批量办理页 One act on many findings of the list: first what it would do, line by line, then the reason and the doing.

Rules: nothing is changed before it was shown; what is confirmed is what was shown, or nothing; a finding of a court
outside somebody's region is not there, in whichever way it was named.
"""

from typing import Any

from flask import request
from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.errors import ConfigError, FieldProblem, IllegalMove, InvalidQuery, NotFound, XianjieError
from gateway.flows import finding_bulk
from gateway.flows.finding_bulk import Act, Order
from gateway.store import finding_log
from gateway.web.console.finding_filter import (
    HOME,
    Filter,
    from_form,
    key_of_name,
    name_of_key,
    read,
)
from gateway.web.console.finding_page import decision_of, fen_of, is_seen, until, whom
from gateway.web.console.findings import line, list_page
from gateway.web.console.whose import name_of
from gateway.web.desk import Desk
from gateway.web.pages.routes import Pages
from gateway.web.pages.said import tells
from gateway.web.pages.visit import Visit

DONE = tells("bulk_done", "已办理 {n} 件疑点。", "{n} findings were changed.")
TYPED = ("act", "to", "until", "decision", "recovered")
_SEEN = 64


def pages(desk: Desk) -> Pages:
    """Looking first, then doing."""
    found = Pages(desk, "finding_bulk", HOME)

    @found.post("/bulk", Right.DECIDE)
    def look_at_bulk(visit: Visit) -> Response:
        typed = from_form(visit)
        try:
            order, keys = order_of(visit), chosen(visit, typed)
        except (InvalidQuery, ConfigError) as error:
            return list_page(visit, typed, refused=error, **_typed(visit))
        return _preview(visit, typed, order, keys)

    @found.post("/bulk/confirm", Right.DECIDE, confirmed=True)
    def confirm_bulk(visit: Visit) -> Response:
        typed = from_form(visit)
        try:
            order, keys = order_of(visit), _named(visit, request.form.get("keys", "").split())
        except (InvalidQuery, ConfigError) as error:
            return list_page(visit, typed, refused=error, **_typed(visit))
        try:
            count = finding_bulk.carry_out(
                visit.context,
                keys,
                order,
                seen=visit.text("seen", _SEEN),
                who=visit.who,
                why=visit.text("why"),
                now=visit.now,
            )
        except (ConfigError, IllegalMove) as error:
            return _preview(visit, typed, order, keys, refused=error)
        return visit.back(typed.path(), DONE, n=str(count))

    return found


def order_of(visit: Visit) -> Order:
    """What is to be done with all. Raises InvalidQuery, ConfigError."""
    act = visit.text("act")
    if act not in set(Act):
        raise InvalidQuery(problems=[FieldProblem(pointer="/act", code="unknown_code" if act else "required")])
    if Act(act) is Act.ASSIGN:
        return Order(act=Act.ASSIGN, to=whom(visit, visit.text("to", 100)), due=until(visit.text("until")))
    if Act(act) is Act.DECIDE:
        decision, recovered = decision_of(visit.text("decision")), fen_of(visit.text("recovered"))
        return Order(act=Act.DECIDE, decision=decision, recovered_fen=recovered)
    return Order(act=Act(act))


def chosen(visit: Visit, typed: Filter) -> list[str]:
    """Keys of what was ticked, or of all the filter names. Raises InvalidQuery for nothing and for too many."""
    if visit.text("all") != "1":
        named = _named(visit, request.form.getlist("finding"))
        if not named:
            raise InvalidQuery(problems=[FieldProblem(pointer="/finding", code="required")])
        return named
    most = finding_bulk.MOST
    keys: list[str] = []
    after = None
    while len(keys) <= most:
        with visit.context.store.reading() as connection:
            page = finding_log.search(connection, read(visit, typed), after=after, length=most + 1)
        keys += [one.key for one in page.findings]
        after = page.next
        if after is None:
            break
    if not keys or len(keys) > most:
        raise InvalidQuery(problems=[FieldProblem(pointer="/all", code="too_many" if keys else "required")])
    return keys


def _named(visit: Visit, names: list[str]) -> list[str]:
    """The keys. Raises NotFound for one he does not see, InvalidQuery for too many."""
    if len(names) > finding_bulk.MOST:
        raise InvalidQuery(problems=[FieldProblem(pointer="/finding", code="too_many")])
    keys = [key_of_name(name) for name in names]
    with visit.context.store.reading() as connection:
        there = finding_log.of_keys(connection, keys)
    if any(not is_seen(visit, one) for one in there.values()) or len(there) != len(set(keys)):
        raise NotFound
    return keys


def _preview(
    visit: Visit, typed: Filter, order: Order, keys: list[str], refused: XianjieError | None = None
) -> Response:
    found = finding_bulk.preview(visit.context, keys, order)
    return visit.page(
        "console/finding_bulk.html",
        refused=refused,
        typed=typed,
        order=order,
        keys=" ".join(name_of_key(key) for key in keys),
        seen=found.digest,
        changed=[line(visit, one) for one in found.changed],
        repeated=[(line(visit, one), name_of_key(first)) for one, first in found.repeated],
        refusals=[(None if one is None else line(visit, one), why.value) for _, one, why in found.refused],
        stake_fen=sum(one.kept.finding.stake_fen for one in found.changed),
        name=lambda code: name_of(visit, code),
        filled=_typed(visit),
        why_given=visit.text("why"),
    )


def _typed(visit: Visit) -> dict[str, Any]:
    return {name: visit.text(name) for name in TYPED}
