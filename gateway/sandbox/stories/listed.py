"""对账单案例 Ledgers against what was told: who is not listed, who was never reported, who is there twice."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

from gateway.domain.replies import ReplyCode
from gateway.sandbox.stories.story import AGREEMENT, ELSEWHERE, HOME, Said, Stage, Story, answer, handoff, party_of

_CHINA = timedelta(hours=8)


def _day(stage: Stage) -> str:
    return (stage.now + _CHINA).date().isoformat()


def _grant(stage: Stage, story: Story, amount: int) -> None:
    """Accepted, approved and paid as told."""
    sent = handoff(stage, story.id(1))
    given = {"amount_fen": amount}
    answer(stage, sent, Said(code=ReplyCode.APPROVED, ago=timedelta(seconds=2), fields=given))
    answer(stage, sent, Said(code=ReplyCode.PAID, fields=given))


def _line(stage: Stage, person: Mapping[str, Any], programme: str, **more: Any) -> dict[str, Any]:
    """One line of a ledger about a person, paid today for this month."""
    line = {
        "id_type": person["id_type"],
        "id_number": person["id_number"],
        "programme": programme,
        "status": "PAID",
        "amount_fen": 60_000,
        "paid_on": _day(stage),
        "month_from": _day(stage)[:7],
        **more,
    }
    return {name: value for name, value in line.items() if value is not None}


def _state(
    stage: Stage,
    story: Story,
    lines: Sequence[Mapping[str, Any]],
    *,
    number: int = 1,
    agency: str = "civil_affairs",
    county: str = HOME,
    **changes: Any,
) -> None:
    """A statement of this month: signed, and its lines sent after it."""
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    month = _day(stage)[:7]
    manifest = {
        "statement_id": story.id(f"s{number}"),
        "agreement_document": AGREEMENT,
        "agency": agency,
        "period_from": month,
        "period_to": month,
        "covers": "PAID",
        "complete": False,
        "format": "NDJSON",
        "lines": len(lines),
        "size": len(body),
        "sha256": sha256(body).hexdigest(),
        **changes,
    }
    party = party_of(agency, county)
    stage.send(party, "statement.submitted", manifest)
    if body:
        stage.put(party, f"/v1/statements/{story.id(f's{number}')}/lines", body, "application/octet-stream")


def _not_listed(stage: Stage, story: Story) -> Iterator[None]:
    """An agency told that it paid, and its complete ledger of the month does not have it."""
    story.refer(stage, needs=("TMP_E",))
    yield
    _grant(stage, story, 90_000)
    yield
    _state(stage, story, [], complete=True, programmes=["TMP_E"])


def _never_told(stage: Stage, story: Story) -> Iterator[None]:
    """An agency pays under a handoff and never says so."""
    story.refer(stage, needs=("REHAB",))
    yield
    sent = handoff(stage, story.id(1), "disabled_persons")
    answer(stage, sent, Said(code=ReplyCode.ACCEPTED), agency="disabled_persons", type_="handoff.disposition")
    yield
    lines = [_line(stage, story.person(), "REHAB", need_id=f"{story.id(1)}:1")]
    _state(stage, story, lines, agency="disabled_persons", programmes=["REHAB"])


def _two_ledgers(stage: Stage, story: Story) -> Iterator[None]:
    """Two counties pay one person the same benefit; no court and no referral knows of it."""
    person = story.person()
    for number, county in enumerate((HOME, ELSEWHERE), start=1):
        _state(stage, story, [_line(stage, person, "DST")], number=number, county=county, programmes=["DST"])
    yield


def _two_books(stage: Stage, story: Story) -> Iterator[None]:
    """Civil affairs supports a destitute person to whom the disabled persons' federation pays a living subsidy."""
    person = story.person()
    _state(stage, story, [_line(stage, person, "DST")], programmes=["DST"], covers="ROSTER")
    other = [_line(stage, person, "LSD")]
    _state(stage, story, other, number=2, agency="disabled_persons", programmes=["LSD"], covers="ROSTER")
    yield


def _honest_ledger(stage: Stage, story: Story) -> Iterator[None]:
    """Told and listed alike; a second benefit in another agency's ledger that goes with the first."""
    story.refer(stage, needs=("MLG",))
    yield
    sent = handoff(stage, story.id(1))
    month = (stage.now + _CHINA).date().replace(day=1)
    given = {"amount_fen": 60_000, "first_month": month, "last_month": month}
    answer(stage, sent, Said(code=ReplyCode.APPROVED, ago=timedelta(seconds=2), fields=given))
    answer(stage, sent, Said(code=ReplyCode.PAID, fields=given))
    yield
    person = story.person()
    own = _line(stage, person, "MLG", need_id=f"{story.id(1)}:1", account="6222000000000000001")
    _state(stage, story, [own], programmes=["MLG"])
    other = _line(stage, person, "NSD", amount_fen=10_000, account="6222000000000000001")
    _state(stage, story, [other], number=2, agency="disabled_persons", programmes=["NSD"])


STORIES = (
    Story(
        name="not-listed",
        zh="已报发放，对账单无此笔",
        en="Told as paid, not in the ledger",
        play=_not_listed,
        finds=("MISS_ABSENT_FROM_STATEMENT",),
    ),
    Story(
        name="never-told",
        zh="对账单有发放，从未反馈",
        en="In the ledger, never reported",
        play=_never_told,
        finds=("MM_ROSTER",),
        later=("MISS_NO_DECISION",),
    ),
    Story(
        name="two-ledgers",
        zh="两县对账单同项目同月",
        en="One benefit in the ledgers of two counties",
        play=_two_ledgers,
        finds=("DUP_SAME_PROGRAMME_PERIOD",),
    ),
    Story(
        name="two-books",
        zh="两部门对账单互斥项目",
        en="Benefits that exclude each other in two agencies' ledgers",
        play=_two_books,
        finds=("DUP_EXCLUSIVE_PROGRAMMES",),
    ),
    Story(name="honest-ledger", zh="对账相符", en="An honest ledger", play=_honest_ledger),
)
