"""收集 Asks the servers of offices what they hold, page by page, instead of waiting until they give it back.

`GET <office url>/held?since=S&own_since=T&skip=N` with a one-use token of ours: messages of ours with a number beyond
`since`, the office's own beyond `own_since`, without the first N of them; lines as a giving back has them, the last
page ends with the statement. An office that answers 404 has no such address and is listed: what it holds comes by hand.
A token is all that is signed in a recovery, and it says nothing about the log.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.domain.agreement import Channel, Office
from gateway.envelope import token
from gateway.envelope.message import new_id
from gateway.errors import NotInRecovery, XianjieError
from gateway.flows.context import Context
from gateway.flows.recovery.taking import holding, take
from gateway.flows.recovery.values import Took
from gateway.transport.answer import Answer, NoAnswer

logger = logging.getLogger(__name__)

MOST_PAGES = 10_000
NOT_OFFERED, ANSWER_ENDS_EARLY = "not_offered", "answer_ends_early"
_NO_SUCH_ADDRESS = (404, 405)

Fetch = Callable[[str, Mapping[str, str]], Answer]
"""(url, headers) → answer; raises NoAnswer, AddressRefused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    """What came of asking one office. trouble: why not all of it came; None: its statement closed the giving."""

    office_id: str
    party_id: str
    taken: int = 0
    known: int = 0
    refused: int = 0
    trouble: str | None = None


def collect(context: Context, fetch: Fetch, *, clock: Callable[[], datetime]) -> list[Collected]:
    """Every office that is pushed to, once each address and party. Raises NotInRecovery."""
    offices = {
        (office.party_id, office.url): office
        for office in context.snapshot(clock()).offices.values()
        if office.channel is Channel.PUSH and office.url is not None
    }
    return [_collect(context, office, fetch, clock) for office in offices.values()]


def _collect(context: Context, office: Office, fetch: Fetch, clock: Callable[[], datetime]) -> Collected:
    found = Collected(office_id=office.office_id, party_id=office.party_id)
    try:
        found = _pages(context, office, fetch, clock)
    except NotInRecovery:
        raise
    except NoAnswer as failure:
        found = replace(found, trouble=failure.reason.value)
    except XianjieError as error:
        found = replace(found, trouble=error.code)
    if found.trouble is not None:
        extra = {"office_id": office.office_id, "reason": found.trouble}
        logger.warning("not collected", extra=extra)
    return found


def _pages(context: Context, office: Office, fetch: Fetch, clock: Callable[[], datetime]) -> Collected:
    held = holding(context, office.party_id, now=clock())
    address = f"{(office.url or '').rstrip('/')}/held"
    found, skip = Collected(office_id=office.office_id, party_id=office.party_id), 0
    for _ in range(MOST_PAGES):
        now = clock()
        proof = token.issue(context.key, audience=office.party_id, method="GET", url=address, now=now, jti=new_id(now))
        query = f"?since={held.from_gateway}&own_since={held.to_gateway}&skip={skip}"
        answer = fetch(address + query, {"Authorization": f"Bearer {proof}"})
        if answer.status in _NO_SUCH_ADDRESS:
            return replace(found, trouble=NOT_OFFERED)
        if answer.status != 200:
            return replace(found, trouble=f"http_{answer.status}")
        lines = [line.strip() for line in answer.body.split(b"\n") if line.strip()]
        if not lines:
            return replace(found, trouble=ANSWER_ENDS_EARLY)
        outcomes = take(context, lines, giver=office.party_id, now=clock())
        kinds = [outcome.took for outcome in outcomes]
        found = replace(
            found,
            taken=found.taken + kinds.count(Took.TAKEN),
            known=found.known + kinds.count(Took.KNOWN),
            refused=found.refused + kinds.count(Took.REFUSED),
        )
        if Took.CLOSED in kinds:
            return found
        skip += len(lines)
    return replace(found, trouble=ANSWER_ENDS_EARLY)
