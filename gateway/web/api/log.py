"""存证接口 The log's public face: checkpoints and tiles as C2SP tlog-tiles has them, proofs, witnesses' signatures.

Everybody may read, since only hashes are shown; entries are not served. A full tile never changes and may be kept for
good. A cosignature needs no token: the witness' key, named in the configuration, proves it.
"""

import re
from base64 import b64encode

from flask import Blueprint, Response, jsonify, request

from gateway.errors import CheckpointInvalid, FieldProblem, InvalidQuery, NotFound
from gateway.evidence.checkpoint import MAX_SIGNATURES, MAX_SIZE
from gateway.evidence.merkle import TILE_WIDTH
from gateway.flows import log
from gateway.web.desk import Desk

MAX_COSIGNATURES_BYTES = 16 * 1024
FULL_TILE = "public, max-age=31536000, immutable"
PARTIAL_TILE = "public, max-age=600"
TEXT, BYTES = "text/plain; charset=utf-8", "application/octet-stream"

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_LEVEL = re.compile(r"0|[1-9][0-9]?")
_TILE = re.compile(r"((?!x000/)(?:x[0-9]{3}/){0,5})([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


def blueprint(desk: Desk) -> Blueprint:
    """The five routes."""
    routes = Blueprint("log", __name__)

    @routes.get("/v1/log/checkpoint")
    def get_checkpoint() -> Response:
        size, witnesses = _number("size"), _number("witnesses")
        note = log.note(desk.context, size=size, witnesses=min(witnesses or 0, MAX_SIGNATURES))
        return Response(note, content_type=TEXT)

    @routes.get("/v1/log/tile/<level>/<path:number>")
    def get_tile(level: str, number: str) -> Response:
        found = _TILE.fullmatch(number)
        if not _LEVEL.fullmatch(level) or found is None:
            raise NotFound("no_tile")
        at = int((found[1] + found[2]).replace("x", "").replace("/", ""))
        width = TILE_WIDTH if found[3] is None else int(found[3])
        if found[3] is not None and width == TILE_WIDTH:
            raise NotFound("no_tile")  # a full tile has one address
        hashes = log.tile(desk.context, level=int(level), number=at, width=width)
        response = Response(hashes, content_type=BYTES)
        response.headers["Cache-Control"] = FULL_TILE if width == TILE_WIDTH else PARTIAL_TILE
        return response

    @routes.get("/v1/log/proof/inclusion")
    def get_inclusion() -> Response:
        proof = log.inclusion(desk.context, index=_required("index"), size=_number("size"))
        shown = {"index": proof.index, "size": proof.size, "leaf": _text(proof.leaf), "root": _text(proof.root)}
        return jsonify({"origin": proof.origin, **shown, "proof": [_text(value) for value in proof.proof]})

    @routes.get("/v1/log/proof/consistency")
    def get_consistency() -> Response:
        proof = log.consistency(desk.context, old=_required("from"), new=_number("to"))
        roots = {"from_root": _text(proof.old_root), "to_root": _text(proof.new_root)}
        shown = {"origin": proof.origin, "from": proof.old, "to": proof.new, **roots}
        return jsonify({**shown, "proof": [_text(value) for value in proof.proof]})

    @routes.post("/v1/log/cosignature")
    def post_cosignature() -> Response:
        request.max_content_length = MAX_COSIGNATURES_BYTES
        lines = _lines(request.get_data(cache=False))
        note = log.take_cosignatures(desk.context, lines, size=_number("size"), now=desk.clock())
        return Response(note, content_type=TEXT)

    return routes


def _lines(raw: bytes) -> list[str]:
    """Signature lines as a witness answers them, one or more."""
    try:
        lines = raw.decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise CheckpointInvalid("not_utf8") from error
    if len(lines) > MAX_SIGNATURES:
        raise CheckpointInvalid("too_many_signatures")
    return lines


def _required(name: str) -> int:
    found = _number(name)
    if found is None:
        raise InvalidQuery(problems=[FieldProblem(pointer=f"/{name}", code="required")])
    return found


def _number(name: str) -> int | None:
    text = request.args.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or int(text) > MAX_SIZE:
        raise InvalidQuery(problems=[FieldProblem(pointer=f"/{name}", code="out_of_range")])
    return int(text)


def _text(raw: bytes) -> str:
    return b64encode(raw).decode("ascii")
