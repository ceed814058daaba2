"""存证页 The log for who watches it: how far it is signed and by whom, cut-offs, pairs, verifying now, who did what.

Rules: verifying from here reads the last part of the log, so that the answer comes in seconds, and says so; the whole
is walked by `xianjie verify --log`. What people did is shown by ids and codes, without their reasons, which may speak
of cases. Who sits here for one region is not told what decisions of others are about.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection
from werkzeug.wrappers import Response

from gateway.domain.access import MOST_NAME, Right
from gateway.domain.agreement import PartyKind
from gateway.errors import FieldProblem, InRecovery, InvalidQuery, NotFound
from gateway.flows import log as flow
from gateway.flows.log_verdict import LogVerdict
from gateway.store import checkpoints, log, log_desk, pairs, referrals
from gateway.store.clock import from_ms
from gateway.store.log import Head
from gateway.store.log_desk import Act, Cosigned, Stream
from gateway.store.witness import WitnessFile
from gateway.web.desk import Desk
from gateway.web.pages.asked import row_of
from gateway.web.pages.routes import Pages
from gateway.web.pages.visit import Visit

HOME = "/console/log"
PAGE = 50
FEW = 10
LEAVES = 20_000
"""As many of the last leaves are read again by a press of the button."""
_CODE = re.compile(r"[a-z_]{1,40}")
_ACCOUNT = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{MOST_NAME - 1}}}")


@dataclass(frozen=True, kw_only=True)
class LogShown:
    """How the log stands, as the page tells it."""

    origin: str
    head: Head
    note: str | None
    signed_size: int | None
    signed_at: datetime | None
    signed_root: str | None
    vkey: str | None
    witnesses: tuple[str, ...]
    cosigned: dict[str, Cosigned]

    @property
    def unsigned(self) -> int:
        """Leaves no checkpoint of this epoch covers."""
        return self.head.size - (self.signed_size or 0)


def pages(desk: Desk) -> Pages:
    """Every page of the log."""
    found = Pages(desk, "log_page", HOME)

    @found.get("", Right.SEE_LOG)
    def evidence_log(visit: Visit) -> Response:
        return _log(visit)

    @found.post("/verify", Right.SEE_LOG)
    def verify_now(visit: Visit) -> Response:
        state = visit.context.installed.state
        verdict = flow.verify_log(visit.context, witness=None if state is None else WitnessFile(state), last=LEAVES)
        came_to = "holds" if verdict.holds else f"troubles {len(verdict.troubles) + verdict.unlisted}"
        with suppress(InRecovery):  # nothing is put on file then, and this is when one wants to look; no data is shown
            visit.log("log_verified", verdict.origin, f"leaves {verdict.begin}-{verdict.size}: {came_to}")
        return _log(visit, verdict)

    @found.get("/cutoffs", Right.SEE_LOG)
    def cutoffs(visit: Visit) -> Response:
        before = row_of(visit.asked("before"))
        with visit.context.store.reading() as connection:
            kept = log_desk.cutoffs(connection, before=before, limit=PAGE + 1)
        return visit.page(
            "console/log_cutoffs.html", kept=kept[:PAGE], older=kept[PAGE - 1].row if len(kept) > PAGE else None
        )

    @found.get("/pairs", Right.SEE_LOG)
    def pairs_page(visit: Visit) -> Response:
        return _pairs(visit)

    @found.get("/decisions", Right.SEE_LOG)
    def decisions_page(visit: Visit) -> Response:
        return _decisions(visit)

    return found


def _log(visit: Visit, verdict: LogVerdict | None = None) -> Response:
    with visit.context.store.reading() as connection:
        stands = _stands(visit, connection)
        kept = log_desk.cutoffs(connection, limit=FEW)
        troubles = log_desk.last_troubles(connection, limit=PAGE)
        acts = log_desk.acts(connection, limit=FEW)
    return visit.page(
        "console/log.html",
        stands=stands,
        cutoffs=kept,
        troubles=troubles,
        acts=acts,
        subjects=_subjects(visit, acts),
        verdict=verdict,
        leaves=LEAVES,
        may_read_cases=visit.may(Right.SEE_CASES) and visit.courts is None,
    )


def _stands(visit: Visit, connection: Connection) -> LogShown:
    context = visit.context
    head, newest = log.head(connection), checkpoints.newest(connection)
    if newest is not None and newest["epoch"] != head.epoch:
        newest = None
    witnesses = tuple(one.name for one in flow.witnesses_of(context))
    origin = context.origin(head.epoch)
    try:
        note = None if newest is None else flow.note(context, size=newest["size"])
    except NotFound:  # a new epoch began between the two reads
        note = None
    return LogShown(
        origin=origin,
        head=head,
        note=note,
        signed_size=None if newest is None else newest["size"],
        signed_at=None if newest is None else from_ms(newest["at"]),
        signed_root=None if newest is None else newest["root"],
        vkey=None if context.log_key is None else context.log_key.named(origin).vkey(),
        witnesses=witnesses,
        cosigned=log_desk.cosigned(connection, witnesses, epoch=head.epoch),
    )


def _pairs(visit: Visit) -> Response:
    after = visit.asked("after")
    partners = sorted(
        one.party_id
        for one in visit.snapshot.parties.values()
        if one.kind in (PartyKind.COURT, PartyKind.AGENCY) and one.region.startswith(visit.account.region)
    )
    page = [one for one in partners if one > after][:PAGE]
    with visit.context.store.reading() as connection:
        found = log_desk.streams(connection, visit.context.party_id, page)
        due = pairs.last_but_one_cutoff(connection)
    return visit.page(
        "console/log_pairs.html",
        streams=found,
        states={(one.party_id, one.direction): _state_of(one, due) for one in found},
        next=page[-1] if page and page[-1] != partners[-1] else None,
    )


def _state_of(one: Stream, due: datetime | None) -> str:
    """As it was when the party last committed; what is said now is `xianjie cutoff`'s to compare."""
    if one.cutoff is None or (due is not None and one.cutoff < due):
        return "overdue" if one.cutoff is None or one.equal else "differs"
    return "equal" if one.equal else "differs"


def _decisions(visit: Visit) -> Response:
    account, what, before = visit.asked("account"), visit.asked("what"), row_of(visit.asked("before"))
    if what and not _CODE.fullmatch(what):
        raise InvalidQuery(problems=[FieldProblem(pointer="/what", code="unknown_code")])
    if account and not _ACCOUNT.fullmatch(account):
        raise InvalidQuery(problems=[FieldProblem(pointer="/account", code="pattern")])
    with visit.context.store.reading() as connection:
        found = log_desk.acts(
            connection,
            who=f"account:{account}" if account else None,
            what=what or None,
            before=before,
            limit=PAGE + 1,
        )
    return visit.page(
        "console/log_decisions.html",
        acts=found[:PAGE],
        subjects=_subjects(visit, found[:PAGE]),
        older=found[PAGE - 1].row if len(found) > PAGE else None,
        chosen={"account": account, "what": what},
    )


def _subjects(visit: Visit, acts: Sequence[Act]) -> dict[int, str]:
    """What each act was about, by row. Of a region alone: one's own acts, and those about its referrals."""
    if not visit.account.region:
        return {act.row: act.subject for act in acts}
    with visit.context.store.reading() as connection:
        courts = referrals.court_of(connection, {act.subject for act in acts})
    return {
        act.row: act.subject
        for act in acts
        if act.who == visit.who or (act.subject in courts and visit.sees_court(courts[act.subject]))
    }
