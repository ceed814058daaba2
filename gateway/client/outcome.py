"""结果 What a caller hands over, and the two answers the gateway gives: a receipt, or a problem document.

The third outcome, unknown, is the error `PartnerUnreachable` where one message is sent; among many it is a `Refused`
that is `retryable`, or the error when the whole answer is missing. A problem document is no proof and is read with
suspicion: codes, pointers and texts of bounded length, nothing else of it is kept.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gateway.envelope import strict_json
from gateway.errors import (
    Fault,
    FieldProblem,
    MalformedJson,
    MessageError,
    MethodNotAllowed,
    NotFound,
    TooLarge,
    UnsupportedMediaType,
    XianjieError,
    every_error,
)
from gateway.evidence.receipt import Receipt
from schemas.envelope import JSON_TYPE

MOST_ERRORS = 200
LONGEST_TEXT = 500
SERVER_FAULT = 500
_CLASSES = {cls.code: cls for cls in every_error()}
_ABOUT_THE_ADDRESS = (NotFound.code, MethodNotAllowed.code, UnsupportedMediaType.code)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """One message to the gateway, not yet signed.

    effect: the caller's own name for what is to happen, e.g. `referral.submitted:r-1`; the same for ever.
    subject: the referral id, which is the conversation too unless one is named; reference: where it came from
    (`file.xlsx:12`), given back with the result, never sent.
    """

    type: str
    data: Any
    effect: str
    subject: str | None = None
    content_type: str = JSON_TYPE
    in_reply_to: str | None = None
    in_reply_to_digest: str | None = None
    conversation_id: str | None = None
    purpose: str | None = None
    legal_basis: str | None = None
    reference: str = ""

    def content(self) -> bytes:
        """All that the effect stands for, the same bytes whatever the order of keys. ValueError if it is no JSON."""
        about = (self.type, self.subject, self.conversation_id, self.content_type, self.purpose, self.legal_basis)
        members = [*about, self.in_reply_to, self.in_reply_to_digest, self.data]
        text = json.dumps(members, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """已接收 Accepted by the gateway, proven by its receipt.

    warnings: what a person should look at; holds: why it waits for a person; replayed: accepted before, either by what
    the journal holds or by what the gateway said (in a batch it does not say).
    """

    message_id: str
    digest: str
    receipt: Receipt
    warnings: tuple[FieldProblem, ...]
    holds: tuple[str, ...]
    replayed: bool
    effect: str
    reference: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """未接收 Not accepted. Texts are in the gateway's words, Chinese; errors: `{pointer, code, detail}`, no values.

    retryable: nobody knows yet, or the other side must mend something: the same effect goes again with the same bytes.
    message_id: None when nothing was written down, because the fault was seen before.
    """

    effect: str
    reference: str
    message_id: str | None
    status: int
    code: str
    fault: Fault
    retryable: bool
    title: str
    next_step: str
    errors: tuple[Mapping[str, str], ...]

    @classmethod
    def by(cls, problem: "Problem", outgoing: Outgoing, message_id: str) -> Self:
        """What the gateway answered."""
        return cls(
            effect=outgoing.effect,
            reference=outgoing.reference,
            message_id=message_id,
            status=problem.status,
            code=problem.code,
            fault=problem.fault,
            retryable=problem.leaves_doubt,
            title=problem.title,
            next_step=problem.next_step,
            errors=problem.errors,
        )

    @classmethod
    def of(cls, error: XianjieError, outgoing: Outgoing, message_id: str | None = None) -> Self:
        """An error found on our side of the wire."""
        return cls(
            effect=outgoing.effect,
            reference=outgoing.reference,
            message_id=message_id,
            status=error.status,
            code=error.code,
            fault=error.fault,
            retryable=error.retryable,
            title=error.title[0],
            next_step=error.next_step[0],
            errors=tuple({"pointer": one.pointer, "code": one.code} for one in error.problems),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A problem document (RFC 9457) as the gateway writes it."""

    status: int
    code: str
    fault: Fault
    retryable: bool
    title: str
    next_step: str
    errors: tuple[Mapping[str, str], ...]
    message_id: str | None

    @property
    def leaves_doubt(self) -> bool:
        """Whether it says nothing about what becomes of the message."""
        return self.retryable or self.status >= SERVER_FAULT

    def as_error(self, *, ids: Mapping[str, Any] | None = None) -> XianjieError:
        """The gateway's own error; for a code this version does not know, `MessageError` with that code as its note."""
        problems = [FieldProblem(pointer=one["pointer"], code=one["code"]) for one in self.errors]
        known = _CLASSES.get(self.code)
        if known is None:
            return MessageError(self.code, problems=problems, ids=ids)
        return known(problems=problems, ids=ids)


def is_about_the_message(code: str) -> bool:
    """Whether the gateway read the message and refused it, which it never does with one it accepted before.

    A key it does not know, or an address it does not have, tells nothing of earlier attempts.
    """
    return issubclass(_CLASSES.get(code, XianjieError), MessageError) and code not in _ABOUT_THE_ADDRESS


def read_problem(raw: bytes) -> Problem | None:
    """The document, or None when the bytes are none: then the gateway has not spoken."""
    try:
        members = strict_json.loads(raw)
    except (MalformedJson, TooLarge):
        return None
    if not isinstance(members, dict):
        return None
    status, code = members.get("status"), members.get("code")
    if type(status) is not int or not 400 <= status < 600 or not isinstance(code, str):
        return None
    ids = members.get("ids")
    return Problem(
        status=status,
        code=code[:LONGEST_TEXT],
        fault=_fault(members.get("fault")),
        retryable=members.get("retryable") is True,
        title=_text(members.get("title")),
        next_step=_text(members.get("detail")),
        errors=_errors(members.get("errors")),
        message_id=_text(ids.get("message_id")) or None if isinstance(ids, dict) else None,
    )


def _fault(value: Any) -> Fault:
    try:
        return Fault(value)
    except ValueError:
        return Fault.GATEWAY


def _errors(value: Any) -> tuple[Mapping[str, str], ...]:
    found = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    names = ("pointer", "code", "detail")
    return tuple({name: _text(one.get(name)) for name in names} for one in found[:MOST_ERRORS])


def _text(value: Any) -> str:
    return value[:LONGEST_TEXT] if isinstance(value, str) else ""
