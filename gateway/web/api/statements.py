"""对账单接口 `/v1/statements/{id}`: an agency sends the lines of a statement it has signed for, and asks what became of
them: how many were read, which were bad, by line and code. No personal data comes back. Each needs a one-use token."""

import re

from flask import Blueprint, Response, jsonify, request

from gateway.domain.agreement import PartyKind
from gateway.errors import FieldProblem, InvalidQuery, StatementUnknown
from gateway.flows import statement_intake
from gateway.flows.statement_intake import MOST_PIECE
from gateway.web.desk import Desk
from schemas.fields import MessageId

SHOWN = 1000
_NUMBER = re.compile(r"[0-9]{1,16}")
_ID = re.compile(MessageId.PATTERN)


def blueprint(desk: Desk) -> Blueprint:
    """The two routes."""
    routes = Blueprint("statements", __name__)

    @routes.route("/v1/statements/<statement_id>/lines", methods=["PUT", "POST"])
    def put_lines(statement_id: str) -> Response:
        party_id = desk.caller(PartyKind.AGENCY)
        request.max_content_length = MOST_PIECE + 1
        at = _number("at", 0)
        desk.require_signing()
        body = request.get_data(cache=False)
        done = statement_intake.take(desk.context, party_id, _id(statement_id), at, body, now=desk.clock())
        return jsonify(
            {
                "statement_id": done.statement_id,
                "state": done.state.value,
                "received": done.received,
                "size": done.size,
            }
        )

    @routes.get("/v1/statements/<statement_id>")
    def get_statement(statement_id: str) -> Response:
        party_id = desk.caller(PartyKind.AGENCY)
        limit = _number("limit", 100, most=SHOWN)
        return jsonify(statement_intake.status(desk.context, party_id, _id(statement_id), limit=limit))

    return routes


def _id(text: str) -> str:
    if not _ID.fullmatch(text):  # no id of ours: neither looked up nor repeated
        raise StatementUnknown
    return text


def _number(name: str, default: int, *, most: int = 2**53) -> int:
    text = request.args.get(name, str(default))
    if not _NUMBER.fullmatch(text) or int(text) > most:
        raise InvalidQuery(problems=[FieldProblem(pointer=f"/{name}", code="out_of_range")])
    return int(text)
