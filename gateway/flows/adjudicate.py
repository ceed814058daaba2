"""匹配复核 The turn that puts doubts before both sides and keeps matches going; safe to run twice, writes nothing when
there is nothing to do.

1. open: each doubt about two sides, a duplicate or a possible identity, has one match for ever (unique by its cause);
2. begin: both sides are told what they may know, with a time to answer; appeals and new evidence begin another round;
3. overdue: where a side did not answer in time the match goes before a person, and the silence is a finding;
4. what no run sees any more ends; a duplicate ends when a person has closed its finding.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.adjudication import (
    POSSIBLE,
    UNRESOLVED,
    Match,
    MatchSide,
    Resolution,
    cause_of,
    match_id_of,
    other_referral_of,
    sides_of,
)
from gateway.domain.lifecycle import MatchState
from gateway.domain.reconciliation.findings import OPERATOR, doubt
from gateway.domain.reconciliation.values import Dossier, Finding
from gateway.flows import match_words
from gateway.flows.context import Context
from gateway.flows.match_resolve import decide_finding, resolve_within, resting, weigh
from gateway.store import audit_rows, dossiers, finding_desk, findings, match_turn, matches
from gateway.store import tables as t
from gateway.store.finding_desk import Wanted
from gateway.store.findings import kept_of
from gateway.store.matches import OVERDUE, KeptMatch

logger = logging.getLogger(__name__)

BATCH = 100
RULES = "exchange"
LAW, MISSED = "law6", "MISS_DISPOSITION"


@dataclass(frozen=True, kw_only=True, slots=True)
class Adjudicated:
    """What one turn did."""

    opened: int = 0
    begun: int = 0
    overdue: int = 0
    ended: int = 0

    @property
    def is_idle(self) -> bool:
        """Nothing."""
        return self.opened + self.begun + self.overdue + self.ended == 0


def adjudicate(
    context: Context,
    *,
    now: datetime,
    limit: int = BATCH,
    referral_prefix: str = "",
    overdue_at: datetime | None = None,
) -> Adjudicated:
    """One turn, at most `limit` of each kind. referral_prefix: opens, and finds overdue, only what is about these
    referrals. overdue_at: judges what is overdue as of another time (shape: aware instant); what is said to the sides
    is signed at `now` all the same, for nobody takes a message from the future."""
    late = overdue_at or now

    def look(connection: Connection) -> bool:
        if any(search(connection) for search in _searches(late, referral_prefix)):
            return True
        pairs = match_turn.unmatched_pairs(connection, limit=1, referral_prefix=referral_prefix)
        return bool(pairs or _fresh(connection, limit, referral_prefix))

    with context.store.reading() as connection:
        if not look(connection):
            return Adjudicated()

    def write(connection: Connection) -> Adjudicated:
        return Adjudicated(
            opened=_open(connection, context, _fresh(connection, limit, referral_prefix), now)
            + _open_pairs(connection, limit, referral_prefix, now),
            ended=_end(connection, context, limit, now),
            begun=_begin(connection, context, limit, now),
            overdue=_escalate(connection, limit, referral_prefix, late),
        )

    done = context.store.write(write)
    if not done.is_idle:
        extra = {"opened": done.opened, "sent": done.begun, "overdue": done.overdue, "closed": done.ended}
        logger.info("adjudicated", extra=extra)
    return done


def _searches(late: datetime, referral_prefix: str) -> Sequence[Callable[[Connection], object]]:
    return (
        lambda connection: match_turn.to_begin(connection, limit=1),
        lambda connection: match_turn.overdue(connection, now=late, limit=1, referral_prefix=referral_prefix),
        lambda connection: match_turn.gone(connection, limit=1),
        lambda connection: match_turn.back(connection, limit=1),
        lambda connection: match_turn.done(connection, limit=1),
        _silence_changed,
    )


# --- open ---


def _fresh(connection: Connection, limit: int, referral_prefix: str) -> list[tuple[str, Finding]]:
    """Doubts without a match, page by page: one whose pair has another finding's match stands for it."""
    found: list[tuple[str, Finding]] = []
    after = 0
    while len(found) < limit:
        page = match_turn.unmatched(connection, limit=limit, after=after, referral_prefix=referral_prefix)
        if not page:
            break
        after = page[-1][0]
        causes = {key: _cause(kept.finding) for _, key, kept in page}
        known = matches.on_file(connection, list(causes.values()))
        found += [(key, kept.finding) for _, key, kept in page if known.get(causes[key]) is None]
    return found[:limit]


def _cause(finding: Finding) -> str:
    return cause_of(finding.code, finding.key, finding.referral_id or "", other_referral_of(finding))


def _open(connection: Connection, context: Context, fresh: Sequence[tuple[str, Finding]], now: datetime) -> int:
    count = 0
    for key, finding in fresh:
        cause = _cause(finding)
        known = matches.on_file(connection, [cause])
        if cause not in known:
            pair = (finding.referral_id or "", other_referral_of(finding))
            _put(connection, cause, finding.code, key, *pair, now)
            count += 1
        elif known[cause] is None:
            matches.link(connection, cause, key)
            _follow(connection, match_id_of(cause), who=context.party_id, now=now)
    return count


def _follow(connection: Connection, match_id: str, *, who: str, now: datetime) -> None:
    """A finding that comes after its pair was resolved is decided as the pair was."""
    kept = matches.find(connection, match_id)
    if kept is not None and kept.match.resolution is not None and kept.match.state not in UNRESOLVED:
        decide_finding(connection, kept.match, kept.match.resolution, who=who, now=now)


def _open_pairs(connection: Connection, limit: int, referral_prefix: str, now: datetime) -> int:
    pairs = match_turn.unmatched_pairs(connection, limit=limit, referral_prefix=referral_prefix)
    for pair in pairs:
        _put(connection, cause_of(POSSIBLE, None, *pair), POSSIBLE, None, *pair, now)
    return len(pairs)


def _put(
    connection: Connection, cause: str, code: str, key: str | None, referral_id: str, other: str | None, now: datetime
) -> None:
    match = Match(
        match_id=match_id_of(cause),
        cause=cause,
        code=code,
        finding_key=key,
        referral_id=referral_id,
        other_referral_id=other,
        state=MatchState.OPEN,
        round=0,
        opened_at=now,
    )
    matches.put(connection, match)


# --- begin ---


def _begin(connection: Connection, context: Context, limit: int, now: datetime) -> int:
    ids = match_turn.to_begin(connection, limit=limit)
    for kept in matches.read(connection, ids, lock=True).values():
        _notify(connection, context, kept, now)
    return len(ids)


def _notify(connection: Connection, context: Context, kept: KeptMatch, now: datetime) -> None:
    """Another round: both sides as they stand now are told, each with its time."""
    match, round_ = kept.match, kept.match.round + 1
    finding = _finding(connection, match)
    involved = [one for one in (match.referral_id, match.other_referral_id) if one is not None]
    found = {one.referral.referral_id: one for one in dossiers.read(connection, involved, with_others=False)}
    snapshot = context.snapshot(now)
    courts = {key: one.referral.court for key, one in found.items()}
    offices = {office.office_id: office.party_id for office in snapshot.offices.values()}
    profiles = {key: snapshot.agreements.get(row) for key, row in dossiers.agreement_rows(connection, involved).items()}
    profile = profiles.get(match.referral_id)
    erased = audit_rows.erased(connection, involved)
    timed = []
    for stated in sides_of(finding, courts, offices):
        # nobody is written to about a case that was erased, or that is not his own: the operator speaks for that side
        told = stated.referral_id not in erased and _is_its_case(stated, found.get(stated.referral_id))
        side = stated if told else replace(stated, party=OPERATOR, office_id=None)
        minor = side.referral_id in found and found[side.referral_id].referral.is_minor
        timed.append((side, match_words.due_at(context, profiles.get(side.referral_id), side, minor=minor, now=now)))
    begun = replace(match, round=round_)
    notices = match_words.ask(connection, context, begun, timed, finding.evidence, profile, now=now)
    for side, due in timed:
        notice_id = notices.get(side.side)
        matches.put_side(connection, match, side, round_=round_, due_at=due, notice_id=notice_id)
    cause = next(iter(notices.values()), match.match_id)
    matches.move(connection, match, [MatchState.NOTIFIED], cause=cause, now=now, round=round_)
    if any(one.round == round_ for one in kept.said):
        weigh(connection, context, match.match_id, cause=cause, now=now)  # said before a loss, and given back


def _is_its_case(side: MatchSide, dossier: Dossier | None) -> bool:
    """An office learns of a referral only where it was handed a need of it."""
    if side.office_id is None:
        return True
    if dossier is None:
        return False
    holders = {*(one.office_id for one in dossier.needs), *(one.office_id for one in dossier.handoffs)}
    return side.office_id in holders


def _finding(connection: Connection, match: Match) -> Finding:
    """What is in doubt, as it stands on file; for a possible identity without a finding the pair alone."""
    row = finding_desk.rows_of(connection, [match.finding_key]).get(match.finding_key) if match.finding_key else None
    if row is not None:
        return kept_of(row).finding
    return doubt(
        match.code,
        "P06",
        referral_id=match.referral_id,
        must_act="",
        subject=match.other_referral_id or "",
        other_referral=match.other_referral_id,
    )


# --- overdue, ended ---


def _escalate(connection: Connection, limit: int, referral_prefix: str, now: datetime) -> int:
    ids = match_turn.overdue(connection, now=now, limit=limit, referral_prefix=referral_prefix)
    for kept in matches.read(connection, ids, lock=True).values():
        matches.move(connection, kept.match, [MatchState.ESCALATED], cause=OVERDUE, now=now)
    if ids or _silence_changed(connection):
        found = [(one, RULES) for one in silences(connection)]
        scope = t.findings.c.code == MISSED
        findings.settle_where(connection, scope, found, now=now, origin=findings.EXCHANGE)
    return len(ids)


def _silence_changed(connection: Connection) -> bool:
    """Whether somebody has said since, or a person decided, what a finding still calls silent."""
    wanted = Wanted(codes=[MISSED])
    there = {key for key, _ in finding_desk.search(connection, wanted)}
    return bool(there) and not there <= {one.key for one in silences(connection)}


def _end(connection: Connection, context: Context, limit: int, now: datetime) -> int:
    gone, back = match_turn.gone(connection, limit=limit), match_turn.back(connection, limit=limit)
    for kept in matches.read(connection, gone, lock=True).values():
        resolve_within(
            connection,
            context,
            kept,
            Resolution.NO_LONGER_SEEN,
            stops=None,
            who=context.party_id,
            why="no run sees it any more",
            now=now,
        )
    for kept in matches.read(connection, back, lock=True).values():
        matches.move(connection, kept.match, [MatchState.OPEN], cause=findings.Change.NEW_EVIDENCE, now=now)
    done = match_turn.done(connection, limit=limit)
    resting(connection, done, who=context.party_id, now=now)
    return len(gone) + len(back) + len(done)


def silences(connection: Connection) -> Iterator[Finding]:
    """A finding for each side whose time passed without a disposition; it ends when the side, or a person, has said."""
    for one in match_turn.silent(connection):
        side = one.side
        yield doubt(
            MISSED,
            LAW,
            referral_id=None,
            must_act=side.office_id or side.party,
            subject=f"{one.match_id}:{side.side}:{one.round}",
            match=one.match_id,
            side=side.side,
            referral=side.referral_id,
            doubt=one.code,
            due=side.due_at,
        )


def missing(connection: Connection, _context: Context, _as_of: datetime) -> Iterator[Finding]:
    """The same for the checks of the exchange."""
    return silences(connection)
