"""应答 What came of one push: the partner's answer, or no answer, and then whether the message may have arrived.

The three outcomes of Law 3 begin here. An `Answer` is only bytes with a status: whether it is a receipt is for
`flows.deliver` to prove. `NoAnswer.may_have_arrived` is false only where not one byte of the body was handed to the
network; in every other case the outcome is unknown and the same bytes go again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

RetryAfter = timedelta | datetime
"""What a partner asks for: a span from now, or a moment (aware)."""


class NoAnswerReason(StrEnum):
    """Why there is no answer; kept with the attempt."""

    NAME_UNRESOLVED = "name_unresolved"
    NO_CONNECTION = "no_connection"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS_FAILED = "tls_failed"
    ANSWER_TIMEOUT = "answer_timeout"
    CONNECTION_LOST = "connection_lost"
    ANSWER_BROKEN = "answer_broken"
    ANSWER_TOO_LARGE = "answer_too_large"


class NoAnswer(Exception):
    """No usable answer. It stays between transport and `flows.deliver`, so it is no error of the catalogue."""

    def __init__(self, reason: NoAnswerReason, *, may_have_arrived: bool) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.may_have_arrived = may_have_arrived


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The partner's HTTP answer, whatever its status; a redirect is one like any other and is never followed.

    content_type: lower case, without parameters, empty where absent; retry_after: only on 429 and 503.
    """

    status: int
    body: bytes
    content_type: str = ""
    retry_after: RetryAfter | None = None
