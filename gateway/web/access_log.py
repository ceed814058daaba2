"""访问日志 One record per request and the formatter that lets nothing but ids, codes and counts out (Law 11).

A request is logged by its route's template, never by its path or query, which may name a person. `JsonLines` writes the
keys of `KEYS` and only values that look like ids, codes or numbers; arguments of a template are dropped, and of an
exception only its type and where it rose, since its message may quote anything. What is not written cannot leak: a
field that is to be logged must be added here on purpose.
"""

import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import PurePath
from time import monotonic
from traceback import walk_tb
from types import TracebackType
from typing import Any

from flask import Flask, Response, g, has_request_context, request

from gateway.errors import XianjieError

LOGGER = "gateway.access"
UNMATCHED = "unmatched"
WITHHELD = "withheld"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NOTED = ("error_code", "party_id", "message_id")

KEYS = frozenset(
    {
        *NOTED,
        *("method", "route", "status", "milliseconds", "error_id"),
        *("referral_id", "handoff_id", "need_id", "finding_id", "receipt_id", "office_id", "agency", "recipient"),
        *("kid", "type", "code", "error", "reason", "outcome", "state", "verdict", "http_status"),
        *("attempt", "attempts", "count", "seq", "fence", "tree_size", "job", "owner", "version"),
        *("reason_code", "rung", "referrals", "opened", "closed"),
        *("year", "reminded", "escalated", "rerouted", "coming_of_age"),
        *("sent", "relayed", "refused", "open", "parked", "accepted", "replayed", "held", "overdue", "failures"),
    }
)

_MAX_FRAMES = 40
_MAX_CAUSES = 5
_ID_OR_CODE = re.compile(r"[A-Za-z0-9_.:/<>-]{1,200}")
_TEMPLATE = re.compile(r"[ -~]{1,200}")
# Standing alone: a resident id of 18 or 15 places, a mobile or bank-card number.
_PERSONAL = re.compile(r"(?<![0-9A-Za-z])(?:[0-9]{17}[0-9Xx]|[0-9]{15,19}|(?:\+?86-?)?1[3-9][0-9]{9})(?![0-9A-Za-z])")

_access = logging.getLogger(LOGGER)


def note(**ids: str | None) -> None:
    """Names for the running request's record what became known of it: `error_code`, `party_id`, `message_id`."""
    unknown = set(ids) - set(NOTED)
    if unknown:
        raise ValueError(f"an access record has no {', '.join(sorted(unknown))}")
    if has_request_context():
        for key, value in ids.items():
            setattr(g, f"noted_{key}", value)


def install(app: Flask) -> None:
    """Every request of the application leaves one record on `gateway.access`."""
    app.before_request(_start)
    app.after_request(_record)


def _start() -> None:
    g.started = monotonic()


def _record(response: Response) -> Response:
    started: float | None = g.get("started")
    fields: dict[str, Any] = {
        "method": request.method if request.method in METHODS else "OTHER",
        "route": UNMATCHED if request.url_rule is None else request.url_rule.rule,
        "status": response.status_code,
        "milliseconds": None if started is None else round((monotonic() - started) * 1000),
    }
    fields.update({key: g.get(f"noted_{key}") for key in NOTED})
    level = logging.ERROR if response.status_code >= 500 else logging.INFO
    _access.log(level, "request", extra={key: value for key, value in fields.items() if value is not None})
    return response


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, event, the permitted keys, and an exception's type and frames."""

    def format(self, record: logging.LogRecord) -> str:
        """Never raises and never merges arguments into the template."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": _event(record.msg),
        }
        given = record.__dict__
        line |= {key: safe for key in sorted(KEYS & given.keys()) if (safe := _safe(given[key])) is not None}
        if record.exc_info and record.exc_info[1] is not None:
            line["exceptions"] = [_exception(error) for error in _chain(record.exc_info[1])]
        return json.dumps(line, ensure_ascii=True)


def _event(message: object) -> str:
    """The template as the programmer wrote it; what was put together at run time mostly does not look like one."""
    if isinstance(message, str) and _TEMPLATE.fullmatch(message) and not _PERSONAL.search(message):
        return message
    return WITHHELD


def _safe(value: object) -> str | int | None:
    """The value if it can be no person's, else None."""
    if isinstance(value, int):
        return None if _PERSONAL.fullmatch(str(value)) else value
    return value if isinstance(value, str) and is_code(value) else None


def is_code(text: str) -> bool:
    """Whether it looks like an id or a code and like no person's number."""
    return _ID_OR_CODE.fullmatch(text) is not None and _PERSONAL.search(text) is None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, as a traceback would show it."""
    current: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if current is None:
            return
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _exception(error: BaseException) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "frames": list(_frames(error.__traceback__)),
    }
    if isinstance(error, XianjieError):
        found["code"] = error.code
        found["ids"] = {key: safe for key in sorted(KEYS) if (safe := _safe(error.ids.get(key))) is not None}
        found |= {} if _safe(error.note) is None else {"note": error.note}
    return found


def _frames(traceback: TracebackType | None) -> Iterator[str]:
    """file:line, outermost first; of the path only its end, which no machine's folders are part of."""
    for frame, line in list(walk_tb(traceback))[-_MAX_FRAMES:]:
        yield f"{'/'.join(PurePath(frame.f_code.co_filename).parts[-3:])}:{line}"
