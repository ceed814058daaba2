"""错误之本 What every error has: a stable code, a status, whose fault it is, what to do, in Chinese and English."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar


class Fault(StrEnum):
    """Whose mistake an error is; decides who has to act."""

    SENDER = "sender"
    RECEIVER = "receiver"
    GATEWAY = "gateway"
    OPERATOR = "operator"


@dataclass(frozen=True, kw_only=True)
class FieldProblem:
    """One field that cannot be accepted (or only with a warning).

    pointer: RFC 6901 JSON pointer from the root of the message's payload (`/data/person/name`); code: a row of
    `domain/rules/field_codes.csv`.
    The offending value itself is deliberately absent.
    """

    pointer: str
    code: str


ASK_THE_OPERATOR = ("请联系网关运维人员。", "Ask the gateway's operator.")
"""All that is left to a person in a browser."""


class XianjieError(Exception):
    """Base of every error; `code` is stable, texts are (Chinese, English)."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    fault: ClassVar[Fault] = Fault.GATEWAY
    retryable: ClassVar[bool] = False
    title: ClassVar[tuple[str, str]] = ("内部错误", "Internal error")
    next_step: ClassVar[tuple[str, str]] = (
        "请稍后重试;如持续出现,请把编号告知运维人员。",
        "Try again later; if it persists, give the reference to the operator.",
    )
    page_step: ClassVar[tuple[str, str]] = next_step
    """What whoever has a browser alone can do; a class that says only `next_step` means it on pages too."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "next_step" in vars(cls) and "page_step" not in vars(cls):
            cls.page_step = cls.next_step

    def __init__(
        self,
        note: str = "",
        *,
        problems: Iterable[FieldProblem] = (),
        ids: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        """note: a short reason made of ids and codes only; ids: what a log line or a problem document may name."""
        super().__init__(note or self.title[1])
        self.note = note
        self.problems = tuple(problems)
        self.ids = dict(ids or {})
        self.retry_after = retry_after
