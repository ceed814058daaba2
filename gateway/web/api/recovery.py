"""取回接口 `/v1/recovery`: a party asks up to which numbers the gateway holds its pair, and gives back what is beyond.

`POST` is NDJSON both ways, read and answered in groups, one outcome for each line in order. The one-use token says
whose giving it is and keeps strangers out; what a line is worth, its own signatures decide. Where nothing was ever
lost, both answer 409.
"""

import json
from collections.abc import Iterator, Sequence

from flask import Blueprint, Response, jsonify, request, stream_with_context

from gateway.domain.agreement import PartyKind
from gateway.errors import TooLarge, UnsupportedMediaType
from gateway.flows.recovery.proving import MAX_LINE
from gateway.flows.recovery.taking import holding, take
from gateway.flows.recovery.values import LineOutcome, Took
from gateway.web.api.messages import NDJSON, ByteStream, lines_of
from gateway.web.desk import Desk
from schemas.fields import format_moment

GROUP = 64


def blueprint(desk: Desk) -> Blueprint:
    """The two routes."""
    routes = Blueprint("recovery", __name__)

    @routes.get("/v1/recovery")
    def get_holding() -> Response:
        party_id = desk.caller(PartyKind.COURT, PartyKind.AGENCY)
        held = holding(desk.context, party_id, now=desk.clock())
        return jsonify(
            {
                "recovering": held.since is not None,
                "since": None if held.since is None else format_moment(held.since),
                "to_gateway": held.to_gateway,
                "from_gateway": held.from_gateway,
            }
        )

    @routes.post("/v1/recovery")
    def post_lines() -> Response:
        party_id = desk.caller(PartyKind.COURT, PartyKind.AGENCY)
        if request.mimetype != NDJSON:
            raise UnsupportedMediaType
        holding(desk.context, party_id, now=desk.clock())  # refused as a whole where nothing was lost
        return Response(stream_with_context(_answers(request.stream, desk, party_id)), status=200, content_type=NDJSON)

    return routes


def _answers(stream: ByteStream, desk: Desk, party_id: str) -> Iterator[bytes]:
    group: list[bytes | TooLarge] = []
    for line in lines_of(stream, most=MAX_LINE):
        group.append(line)
        if len(group) == GROUP:
            yield _answer(group, desk, party_id)
            group = []
    if group:
        yield _answer(group, desk, party_id)


def _answer(group: Sequence[bytes | TooLarge], desk: Desk, party_id: str) -> bytes:
    raws = [line for line in group if isinstance(line, bytes)]
    outcomes = iter(take(desk.context, raws, giver=party_id, now=desk.clock()))
    too_large = LineOutcome(took=Took.REFUSED, code=TooLarge.code)
    return b"".join(_line(too_large if isinstance(line, TooLarge) else next(outcomes)) for line in group)


def _line(outcome: LineOutcome) -> bytes:
    said = {"outcome": outcome.took.value, "message_id": outcome.message_id, "code": outcome.code}
    return json.dumps(said).encode() + b"\n"
