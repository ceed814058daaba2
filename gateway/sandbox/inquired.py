"""模拟协查答复 What a simulated office answers to an inquiry: it follows from the seed and the ids alone.

A real office looks into its files instead, and says UNKNOWN where they do not tell: UNKNOWN is not NEVER.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from gateway.domain.calendar import china_day
from gateway.sandbox.behaviour import Behaviour
from gateway.sandbox.desk import amount_of

FORWARDED = "inquiry.forwarded"
_MARK, _RUNNING, _ENDED_BEFORE = "inquiry", timedelta(days=400), timedelta(days=90)


def remembered(asked: Mapping[str, Any]) -> str:
    """What a notebook keeps of an inquiry until it is answered."""
    return "|".join((_MARK, str(asked["inquiry_id"]), *(str(one) for one in asked["programmes"])))


def answer(text: str, behaviour: Behaviour, now: datetime) -> dict[str, Any]:
    """The body of `inquiry.answered` for what `remembered` kept."""
    _, inquiry_id, *programmes = text.split("|")
    today = china_day(now)
    return {"inquiry_id": inquiry_id, "answers": [_one(inquiry_id, code, behaviour, today) for code in programmes]}


def _one(inquiry_id: str, programme: str, behaviour: Behaviour, today: date) -> dict[str, Any]:
    said: dict[str, Any] = {"programme": programme, "as_of": today.isoformat()}
    share = behaviour.fraction("inquiry", inquiry_id, programme)
    if share < behaviour.inquiry_unknown:
        return said | {"answer": "UNKNOWN"}
    share -= behaviour.inquiry_unknown
    since = (today - _RUNNING).isoformat()
    amount = amount_of(programme)
    helped = {"since": since} | ({} if amount is None else {"amount_fen": amount})
    if share < behaviour.inquiry_active:
        return said | {"answer": "ACTIVE"} | helped
    if share - behaviour.inquiry_active < behaviour.inquiry_ended:
        return said | {"answer": "ENDED", "until": (today - _ENDED_BEFORE).isoformat()} | helped
    return said | {"answer": "NEVER"}
