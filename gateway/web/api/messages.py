"""报文入口 `POST /v1/messages` and `/v1/messages/batch`: a message proves itself, so no other authentication is asked.

One message: its receipt with 202, or 200 and `Idempotent-Replayed: true` when it had been accepted before. A batch is
NDJSON both ways, read and answered in groups, one line for each line in order: a receipt, or a problem document.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from typing import Protocol

from flask import Blueprint, Response, request, stream_with_context

from gateway.envelope.encryption import MAX_JWE_BYTES
from gateway.errors import TooLarge, TrustError, UnsupportedMediaType, XianjieError
from gateway.flows.accept import Accepted, accept, accept_many
from gateway.web import access_log, metrics
from gateway.web.desk import Desk
from gateway.web.problems import Language, language_of, problem

JOSE, NDJSON = "application/jose", "application/x-ndjson"
GROUP = 64
CHUNK = 64 * 1024

logger = logging.getLogger(__name__)


def blueprint(desk: Desk) -> Blueprint:
    """The two routes."""
    routes = Blueprint("messages", __name__)

    @routes.post("/v1/messages")
    def post_message() -> Response:
        if request.mimetype != JOSE:
            raise UnsupportedMediaType
        # announced or not; one more than may be, so that a body cut there is seen to be too large
        request.max_content_length = MAX_JWE_BYTES + 1
        try:
            done = accept(request.get_data(cache=False), desk.context, now=desk.clock())
        except XianjieError as error:
            metrics.refused(error.code)
            raise
        access_log.note(party_id=done.party_id, message_id=done.message_id)
        metrics.accepted(done.type, replayed=done.replayed)
        response = Response(done.receipt, status=200 if done.replayed else 202, content_type=JOSE)
        if done.replayed:
            response.headers["Idempotent-Replayed"] = "true"
        return response

    @routes.post("/v1/messages/batch")
    def post_batch() -> Response:
        if request.mimetype != NDJSON:
            raise UnsupportedMediaType
        language = language_of(request.headers.get("Accept-Language"))
        answers = _answers(request.stream, desk, language, desk.public_url or "")
        return Response(stream_with_context(answers), status=200, content_type=NDJSON)

    return routes


class ByteStream(Protocol):
    """What is read of a request."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; empty at the end."""
        ...


def _answers(stream: ByteStream, desk: Desk, language: Language, base_url: str) -> Iterator[bytes]:
    group: list[bytes | TooLarge] = []
    for line in lines_of(stream):
        group.append(line)
        if len(group) == GROUP:
            yield _answer(group, desk, language, base_url)
            group = []
    if group:
        yield _answer(group, desk, language, base_url)


def _answer(group: Sequence[bytes | TooLarge], desk: Desk, language: Language, base_url: str) -> bytes:
    raws = [line for line in group if isinstance(line, bytes)]
    outcomes = iter(_accept(raws, desk))
    found = [line if isinstance(line, TooLarge) else next(outcomes) for line in group]
    return b"".join(_line(outcome, language, base_url) for outcome in found)


def _accept(raws: Sequence[bytes], desk: Desk) -> list[Accepted | Exception]:
    """An outcome for each. A group that fails as a whole is tried line by line, so that one costs no other its answer;
    what was accepted before the failure is answered with the same receipt."""
    try:
        return accept_many(raws, desk.context, now=desk.clock())
    except XianjieError as error:
        logger.error("batch failed", exc_info=error, extra={"error_code": error.code, "count": len(raws)})
        return [error] * len(raws)
    except Exception as error:
        logger.error("unexpected error", exc_info=error, extra={"count": len(raws)})
        return [error] if len(raws) == 1 else [_accept([raw], desk)[0] for raw in raws]


def _line(outcome: Accepted | Exception, language: Language, base_url: str) -> bytes:
    if isinstance(outcome, Accepted):
        metrics.accepted(outcome.type, replayed=outcome.replayed)
        return outcome.receipt.encode() + b"\n"
    error = outcome if isinstance(outcome, XianjieError) else XianjieError()
    metrics.refused(error.code)
    if isinstance(error, TrustError):
        logger.warning("not trusted", extra={"reason": error.note})
    return json.dumps(problem(error, language=language, base_url=base_url), ensure_ascii=False).encode() + b"\n"


def lines_of(stream: ByteStream, *, most: int = MAX_JWE_BYTES) -> Iterator[bytes | TooLarge]:
    """Lines without their ends, blank ones left out; a line above `most` bytes is skipped and answered as such."""
    kept, dropped = b"", False
    while chunk := stream.read(CHUNK):
        *whole, rest = (kept + chunk).split(b"\n")
        for line in whole:
            if dropped or len(line) > most:
                yield TooLarge()
            elif line.strip():
                yield line.strip()
            dropped = False
        kept = rest
        if len(kept) > most:
            kept, dropped = b"", True
    if dropped or len(kept) > most:
        yield TooLarge()
    elif kept.strip():
        yield kept.strip()
