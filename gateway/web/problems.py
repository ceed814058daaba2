"""问题文档 Every "no" the API answers with, as RFC 9457 `application/problem+json` in Chinese or English.

All trust failures are one answer: what was wrong stands in the log alone. An unexpected exception is answered by an
error id and nothing else. Texts come from `gateway.errors` and `domain.field_codes`; a problem repeats no value, and no
note or id of a fault that is not the sender's own.
"""

import json
import logging
from collections.abc import Callable
from typing import Any, Literal

from flask import Flask, Response, request
from werkzeug.datastructures import LanguageAccept
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_accept_header
from werkzeug.wrappers import Response as AnyResponse

from gateway.domain.field_codes import load_field_codes
from gateway.errors import (
    Busy,
    Fault,
    FieldProblem,
    Forbidden,
    InvalidQuery,
    MethodNotAllowed,
    NotFound,
    TooLarge,
    TrustError,
    UnsupportedMediaType,
    XianjieError,
)
from gateway.web import access_log

Language = Literal["zh", "en"]

CONTENT_TYPE = "application/problem+json"
CONTENT_LANGUAGE = {"zh": "zh-CN", "en": "en"}
RETRY_AFTER_SECONDS = 5
MAX_LISTED = 200

_ASKS_FOR_PATIENCE = (429, 503)
_OF_STATUS: dict[int, type[XianjieError]] = {
    401: TrustError,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
    415: UnsupportedMediaType,
    429: Busy,
    503: Busy,
}

logger = logging.getLogger(__name__)


def language_of(accept_language: str | None) -> Language:
    """The reader's language; Chinese where nothing else is asked for."""
    best = parse_accept_header(accept_language, LanguageAccept).best_match(["zh", "en"], default="zh")
    return "en" if best == "en" else "zh"


def problem(error: XianjieError, *, language: Language, base_url: str, instance: str | None = None) -> dict[str, Any]:
    """The document's members. base_url: where the docs are; instance: a URI reference that names this occurrence."""
    shown = TrustError() if isinstance(error, TrustError) else error
    at = 0 if language == "zh" else 1
    found: dict[str, Any] = {
        "type": f"{base_url.rstrip('/')}/docs/errors#{shown.code}",
        "title": shown.title[at],
        "status": shown.status,
        "detail": shown.next_step[at],
        "code": shown.code,
        "fault": shown.fault.value,
        "retryable": shown.retryable,
    }
    if instance is not None:
        found["instance"] = instance
    if shown.fault is not Fault.SENDER:
        return found
    if shown.note:
        found["note"] = shown.note
    if shown.ids:
        found["ids"] = {key: value for key, value in shown.ids.items() if isinstance(value, str | int)}
    if shown.problems:
        found["errors"] = [_field(one, at) for one in shown.problems[:MAX_LISTED]]
    if len(shown.problems) > MAX_LISTED:
        found["errors_omitted"] = len(shown.problems) - MAX_LISTED
    return found


def problem_response(
    error: XianjieError, *, language: Language, base_url: str, instance: str | None = None
) -> Response:
    """The document as an HTTP answer, with Retry-After where waiting helps and a challenge where proof is missing."""
    body = problem(error, language=language, base_url=base_url, instance=instance)
    response = Response(json.dumps(body, ensure_ascii=False), status=body["status"], content_type=CONTENT_TYPE)
    response.headers["Content-Language"] = CONTENT_LANGUAGE[language]
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Accept-Language")
    if isinstance(error, TrustError):
        response.headers["WWW-Authenticate"] = "Bearer"
    elif error.retry_after is not None or error.status in _ASKS_FOR_PATIENCE:
        response.headers["Retry-After"] = str(max(0, error.retry_after or RETRY_AFTER_SECONDS))
    return response


def of_http_exception(error: HTTPException) -> XianjieError:
    """Our error for one that Flask raised; its description is dropped, as it may quote the request."""
    status = error.code or 500
    found = _OF_STATUS.get(status) or (InvalidQuery if 400 <= status < 500 else XianjieError)
    return found("" if status == found.status else f"http_{status}", retry_after=_wait_of(error))


def register_error_pages(
    app: Flask,
    *,
    base_url: str,
    new_error_id: Callable[[], str],
    page: Callable[[XianjieError, str | None], AnyResponse | None] = lambda _error, _instance: None,
) -> None:
    """Whatever a view raises becomes a problem; new_error_id: a fresh URI such as `urn:uuid:…` for the unexpected.
    page: what a person is answered instead, None where a program asks."""

    def answer(error: XianjieError, instance: str | None = None) -> AnyResponse:
        access_log.note(error_code=error.code)
        shown = page(error, instance)
        if shown is not None:
            return shown
        language = language_of(request.headers.get("Accept-Language"))
        return problem_response(error, language=language, base_url=base_url, instance=instance)

    def expected(error: XianjieError) -> AnyResponse:
        if error.status >= 500:
            logger.error("request failed", exc_info=error, extra={"error_code": error.code})
        elif isinstance(error, TrustError):
            logger.warning("not trusted", extra={"reason": error.note, **_loggable(error)})
        return answer(error)

    def from_http(error: HTTPException) -> AnyResponse:
        if error.response is not None:
            return error.get_response()
        response = answer(of_http_exception(error))
        allowed = dict(error.get_headers()).get("Allow")
        if allowed is not None:
            response.headers["Allow"] = allowed
        return response

    def unexpected(error: Exception) -> AnyResponse:
        error_id = new_error_id()
        logger.error("unexpected error", exc_info=error, extra={"error_id": error_id})
        return answer(XianjieError(), error_id)

    app.register_error_handler(XianjieError, expected)
    app.register_error_handler(HTTPException, from_http)
    app.register_error_handler(Exception, unexpected)


def _field(one: FieldProblem, at: int) -> dict[str, str]:
    """What is wrong and how to mend it; a rule's own code that has no text stands for itself."""
    known = load_field_codes().get(one.code)
    if known is None:
        return {"pointer": one.pointer, "code": one.code, "detail": one.code}
    detail = f"{known.zh}；{known.fix_zh}" if at == 0 else f"{known.en}. {known.fix_en}"
    return {"pointer": one.pointer, "code": one.code, "detail": detail}


def _loggable(error: XianjieError) -> dict[str, Any]:
    """Ids as fields of a log record, whose own attributes they must not overwrite."""
    return {key: value for key, value in error.ids.items() if key in access_log.KEYS}


def _wait_of(error: HTTPException) -> int | None:
    wanted = getattr(error, "retry_after", None)
    return wanted if isinstance(wanted, int) else None
