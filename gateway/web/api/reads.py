"""查询接口 What a party may read of its own: its mailbox, one referral's fate, the balance. Each needs a one-use token.

`GET /v1/inbox` waits up to `wait` seconds when nothing is there. The balance is a court's own; an auditor sees all.
"""

import json
import threading
import time
from datetime import date

from flask import Blueprint, Response, jsonify, request

from gateway.domain.agreement import PartyKind
from gateway.domain.reconciliation.balance import COLUMNS, BalanceLine, total
from gateway.errors import FieldProblem, InvalidQuery
from gateway.flows import account, mailbox
from gateway.web.api.messages import NDJSON
from gateway.web.desk import Desk

LONGEST_WAIT = 25
POLL_SECONDS = 0.25
MOST = mailbox.MOST
WAITERS = 4
"""Requests that may wait at once: those beyond are answered at once, so that waiting never starves intake."""


def blueprint(desk: Desk) -> Blueprint:
    """The three routes."""
    routes = Blueprint("reads", __name__)
    waiters = threading.BoundedSemaphore(WAITERS)

    @routes.get("/v1/inbox")
    def get_inbox() -> Response:
        party_id = desk.caller(PartyKind.AGENCY, PartyKind.COURT)
        after, limit = _number("after", 0, 2**53), _number("limit", 100, MOST)
        wait = _number("wait", 0, LONGEST_WAIT)
        found = mailbox.pull(desk.context, party_id, after=after, limit=limit)
        if not found and wait and waiters.acquire(blocking=False):
            try:
                found = _wait_for(desk, party_id, after, limit, until=time.monotonic() + wait)
            finally:
                waiters.release()
        return Response("".join(f"{jws}\n" for _, jws in found), content_type=NDJSON)

    @routes.get("/v1/referrals/<referral_id>")
    def get_referral(referral_id: str) -> Response:
        court = desk.caller(PartyKind.COURT)
        found = account.fate(desk.context, referral_id, court=court, now=desk.clock())
        return jsonify(account.as_json(found))

    @routes.get("/v1/balance")
    def get_balance() -> Response:
        party_id = desk.caller(PartyKind.COURT, PartyKind.AUDITOR)
        now = desk.clock()
        is_court = desk.context.snapshot(now).keyring.kind_of(party_id) == PartyKind.COURT
        lines = account.balance(
            desk.context,
            as_of=now,
            now=now,
            court=party_id if is_court else None,
            accepted=account.period(_day("from"), _day("to")),
        )
        body = {"as_of": now.isoformat(), "lines": [_line(line) for line in lines], "total": _line(total(lines))}
        return Response(json.dumps(body), content_type="application/json")

    return routes


def _wait_for(desk: Desk, party_id: str, after: int, limit: int, *, until: float) -> list[tuple[int, str]]:
    while time.monotonic() < until:
        time.sleep(POLL_SECONDS)
        found = mailbox.pull(desk.context, party_id, after=after, limit=limit)
        if found:
            return found
    return []


def _line(line: BalanceLine) -> dict[str, object]:
    columns = {name: getattr(line, name) for name in ("referrals", "accepted", *COLUMNS)}
    return {"court": line.court, "period": line.period, **columns, "difference": line.difference}


def _number(name: str, default: int, most: int) -> int:
    text = request.args.get(name, str(default))
    if not text.isascii() or not text.isdigit() or int(text) > most:
        raise InvalidQuery(problems=[FieldProblem(pointer=f"/{name}", code="out_of_range")])
    return int(text)


def _day(name: str) -> date | None:
    text = request.args.get(name)
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise InvalidQuery(problems=[FieldProblem(pointer=f"/{name}", code="not_a_day")]) from error
