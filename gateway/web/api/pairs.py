"""对账接口 A party compares what it exchanged with us: our signed commitment to one of its two streams, and what lies
under its root. Each read needs a one-use token, and a party sees its own pair only."""

import re

from flask import Blueprint, Response, jsonify, request

from gateway.domain.agreement import PartyKind
from gateway.errors import FieldProblem, InvalidQuery, NotFound
from gateway.evidence.completeness import Direction
from gateway.flows.pair_trees import PairTrees
from gateway.web.api.messages import JOSE
from gateway.web.desk import Desk

_NUMBER = re.compile(r"[0-9]{1,16}")
_ROOT = re.compile(r"[0-9a-f]{64}")


def blueprint(desk: Desk) -> Blueprint:
    """The two routes."""
    routes = Blueprint("pairs", __name__)
    trees = PairTrees(desk.context)

    @routes.get("/v1/pairs/<direction>/commitment")
    def get_commitment(direction: str) -> Response:
        party_id = desk.caller(PartyKind.AGENCY, PartyKind.COURT)
        signed = trees.commitment(party_id, _direction(direction), size=_number("size"), now=desk.clock())
        return Response(signed, content_type=JOSE)

    @routes.get("/v1/pairs/<direction>/range")
    def get_range(direction: str) -> Response:
        party_id = desk.caller(PartyKind.AGENCY, PartyKind.COURT)
        start, stop = _number("lo"), _number("hi")
        if start is None or stop is None:
            raise InvalidQuery(problems=[FieldProblem(pointer="/lo" if start is None else "/hi", code="required")])
        found = trees.under(party_id, _direction(direction), start, stop, root=_root(), now=desk.clock())
        return jsonify(found)

    return routes


def _direction(text: str) -> Direction:
    try:
        return Direction(text)
    except ValueError as error:
        raise NotFound from error


def _number(name: str) -> int | None:
    text = request.args.get(name)
    if text is not None and not _NUMBER.fullmatch(text):
        raise InvalidQuery(problems=[FieldProblem(pointer=f"/{name}", code="out_of_range")])
    return None if text is None else int(text)


def _root() -> tuple[int, str] | None:
    """Size and root of the commitment the asker holds, where it says so."""
    size, root = _number("size"), request.args.get("root")
    if root is not None and not _ROOT.fullmatch(root):
        raise InvalidQuery(problems=[FieldProblem(pointer="/root", code="pattern")])
    return None if size is None or root is None else (size, root)
