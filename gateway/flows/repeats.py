"""重复反馈 Whether an answer says what another message about the same handoff said before.

Two clerks of one office may tell the same thing in two messages, each through a journal of its own. The second is kept
and changes nothing. The same means: the same handoff, need and code, at the same moment, of the same amount, period and
payee, and in all but payments the same reason and the same next steps. Two instalments differ in one of these; where an
office dates by the day alone and pays twice that day, the warning asks it for the hour. That a message arrived is the
same however often it is opened.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from gateway.domain.replies import ReceiptCode, ReplyCode
from gateway.store import replies

REPEATS = "repeats_earlier_answer"
Fact = tuple[Any, ...]

_ABOUT = ("handoff_id", "need_id", "code")
_ARRIVAL = (*_ABOUT, "raw_code")
_PAYMENT = (*_ABOUT, "at", "amount_fen", "starts_on", "ends_on", "payee")
_ANSWER = (*_PAYMENT, "reason", "next_due", "forwarded_to", "suggested_agency", "suggested_region")


def fact_of(row: Mapping[str, Any]) -> Fact:
    """What one reply row says, equal for rows that say the same."""
    columns = {ReceiptCode.RECEIVED.value: _ARRIVAL, ReplyCode.PAID.value: _PAYMENT}.get(row["code"], _ANSWER)
    return tuple(row[column] for column in columns)


def told_before(connection: Connection, handoff_ids: Iterable[str]) -> set[Fact]:
    """What was applied of these handoffs; read after their needs were locked, so that no other writer is between."""
    return {fact_of(dict(row)) for row in replies.applied(connection, handoff_ids)}
