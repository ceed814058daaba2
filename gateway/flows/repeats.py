"""重复反馈 Whether an answer says what another message about the same handoff said before.

Two clerks of one office may tell the same thing in two messages, each through a journal of its own. The second is kept
and changes nothing. The same means: the same handoff, need and code, at the same moment, of the same amount, period and
payee, and in all but payments the same reason and the same next steps. Two instalments differ in one of these; where an
office dates by the day alone and pays twice that day, the warning asks it for the hour. That a message arrived may be
said as often as somebody opens it: it changes nothing after the first time.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from gateway.domain.replies import ReplyCode
from gateway.store import replies

REPEATS = "repeats_earlier_answer"
Fact = tuple[Any, ...]

_PAYMENT = ("handoff_id", "need_id", "code", "at", "amount_fen", "starts_on", "ends_on", "payee")
_ANSWERS = frozenset(ReplyCode)
_ANSWER = (*_PAYMENT, "reason", "next_due", "forwarded_to", "suggested_agency", "suggested_region")


def fact_of(row: Mapping[str, Any]) -> Fact | None:
    """What one reply row says, equal for rows that say the same; None for what is no answer."""
    if row["code"] in _ANSWERS:
        return tuple(row[column] for column in (_PAYMENT if row["code"] == ReplyCode.PAID else _ANSWER))
    return None


def told_before(connection: Connection, handoff_ids: Iterable[str]) -> set[Fact]:
    """What was applied of these handoffs; read after their needs were locked, so that no other writer is between."""
    facts = (fact_of(dict(row)) for row in replies.applied(connection, handoff_ids))
    return {fact for fact in facts if fact is not None}
