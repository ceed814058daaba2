"""查询接口 What a party may read of its own: its mailbox, one referral's fate, the balance. Each needs a one-use token.

`GET /v1/inbox` waits up to `wait` seconds when nothing is there. The balance is a court's own, or of what an agency's
offices were handed; an auditor sees all. It is read at a signed checkpoint, which the answer holds (`flows.balance`).
"""

import json
import re
import threading
import time
from datetime import date, datetime

from flask import Blueprint, Response, jsonify, request

from gateway.domain.agreement import PartyKind
from gateway.domain.reconciliation.balance import Dimension
from gateway.errors import FieldProblem, Forbidden, InvalidQuery, ReferralUnknown
from gateway.flows import account, mailbox
from gateway.flows.balance import Scope, as_json, read_balance
from gateway.web.api.messages import NDJSON
from gateway.web.desk import Desk
from schemas.fields import MessageId

LONGEST_WAIT = 25
POLL_SECONDS = 0.25
MOST = mailbox.MOST
WAITERS = 4
"""Requests that may wait at once: those beyond are answered at once, so that waiting never starves intake."""
_NOT_FOR_AGENCIES = frozenset({Dimension.GROUP, Dimension.CASE_TYPE})
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9998, 12, 31)

_NUMBER = re.compile(r"[0-9]{1,16}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_REFERRAL_ID = re.compile(MessageId.PATTERN)


def blueprint(desk: Desk) -> Blueprint:
    """The three routes."""
    routes = Blueprint("reads", __name__)
    waiters = threading.BoundedSemaphore(WAITERS)

    @routes.get("/v1/inbox")
    def get_inbox() -> Response:
        party_id = desk.caller(PartyKind.AGENCY, PartyKind.COURT)
        after, limit = _number("after", 0, most=2**53), _number("limit", 100, least=1, most=MOST)
        wait = _number("wait", 0, most=LONGEST_WAIT)
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
        if not _REFERRAL_ID.fullmatch(referral_id):  # no id of ours: neither looked up nor repeated
            raise ReferralUnknown
        try:
            found = account.fate(desk.context, referral_id, court=court, now=desk.clock())
        except ReferralUnknown:
            desk.require_signing()  # an older copy does not know what was referred since
            raise
        return jsonify(account.as_json(found))

    @routes.get("/v1/balance")
    def get_balance() -> Response:
        party_id = desk.caller(PartyKind.COURT, PartyKind.AGENCY, PartyKind.AUDITOR)
        now, by = desk.clock(), _dimension()
        read = read_balance(desk.context, now=now, by=by, scope=_scope(desk, party_id, by, now))
        return Response(json.dumps(as_json(read)), content_type="application/json")

    return routes


def _wait_for(desk: Desk, party_id: str, after: int, limit: int, *, until: float) -> list[tuple[int, str]]:
    while time.monotonic() < until:
        time.sleep(POLL_SECONDS)
        found = mailbox.pull(desk.context, party_id, after=after, limit=limit)
        if found:
            return found
    return []


def _scope(desk: Desk, party_id: str, by: Dimension, now: datetime) -> Scope:
    """A court asks for its own, an agency for what its offices were handed, an auditor for all. Raises Forbidden for
    what an agency would learn of people that no handoff tells it."""
    snapshot = desk.context.snapshot(now)
    kind = snapshot.keyring.kind_of(party_id)
    if kind == PartyKind.AGENCY and by in _NOT_FOR_AGENCIES:
        raise Forbidden(ids={"party_id": party_id})
    offices = tuple(office.office_id for office in snapshot.office_of(party_id))
    return Scope(
        court=party_id if kind == PartyKind.COURT else None,
        offices=offices if kind == PartyKind.AGENCY else None,
        accepted=_period(),
    )


def _dimension() -> Dimension:
    try:
        return Dimension(request.args.get("by", Dimension.COURT_AND_PERIOD.value))
    except ValueError:
        raise InvalidQuery(problems=[FieldProblem(pointer="/by", code="unknown_code")]) from None


def _number(name: str, default: int, *, least: int = 0, most: int) -> int:
    text = request.args.get(name, str(default))
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise InvalidQuery(problems=[FieldProblem(pointer=f"/{name}", code="out_of_range")])
    return int(text)


def _period() -> tuple[date, date] | None:
    """Both days when one of them is given; an open end reaches as far as anything can have been accepted."""
    first, last = _day("from"), _day("to")
    return None if first is None and last is None else (first or FIRST_DAY, last or LAST_DAY)


def _day(name: str) -> date | None:
    text = request.args.get(name)
    if text is None:
        return None
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not FIRST_DAY <= day <= LAST_DAY:
        code = "not_a_day" if day is None else "out_of_range"
        raise InvalidQuery(problems=[FieldProblem(pointer=f"/{name}", code=code)])
    return day
