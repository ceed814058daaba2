"""对账 What was expected is compared with what was answered (hop 11); the result is findings on file, keyed.

1. take the referrals whose next look has come (something happened, or a limit runs out), or all of them;
2. send on what an office declined and lawfully pointed elsewhere; read each one's dossier and ask every check, with
   the rules of the agreement version it came under;
3. in one commit the file says what was found: new findings opened, cured ones closed, the rest left alone; a limit
   that passed without evidence gets its negative receipt, offices their reminders, each open need its limit on file;
   and each referral gets its next look, unless something happened to it meanwhile.

A second run over the same facts changes nothing. `look` asks the same questions as of any moment and writes nothing. A
whole run is kept (对账记录): what it looked at, by which rules, with what result, so that it can be run again.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.domain.reconciliation.as_known import Seen, rules_in_force
from gateway.domain.reconciliation.checks import run
from gateway.domain.reconciliation.clocks import clocks_to_watch
from gateway.domain.reconciliation.findings import OPERATOR, doubt
from gateway.domain.reconciliation.reminding import due_reminders, next_moments
from gateway.domain.reconciliation.standing import standing_clocks
from gateway.domain.reconciliation.values import Dossier, Finding, Rulebook
from gateway.flows import statement_reconcile
from gateway.flows.as_known import as_known
from gateway.flows.completeness import doubts as pair_doubts
from gateway.flows.context import Context
from gateway.flows.cutoff import doubts as cutoff_doubts
from gateway.flows.exchange_checks import EXCHANGE_CHECKS
from gateway.flows.follow_up import look_again, notices, tell
from gateway.flows.ladder import overdue, put_timeouts
from gateway.flows.remind import remind, wanted
from gateway.flows.reroute import reroute_bounced
from gateway.flows.rules_of import with_rules
from gateway.flows.statement_read import read_waiting
from gateway.store import dossiers, findings, history, inbox, log, need_clocks, pairs, runs
from gateway.store.findings import Changes
from gateway.store.history import KnownAt

logger = logging.getLogger(__name__)

BATCH = 500
LOOK_AGAIN = timedelta(days=1)
EXCHANGE_RULES = "exchange"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciled:
    """What one run did."""

    referrals: int
    changes: Changes


def reconcile_due(context: Context, *, now: datetime, limit: int = BATCH) -> Reconciled:
    """The referrals whose next look has come, at most `limit`."""
    with context.store.reading() as connection:
        marks = dossiers.due(connection, now=now, limit=limit)
    changes = _reconcile(context, list(marks), marks, now) if marks else Changes()
    return Reconciled(referrals=len(marks), changes=changes)


def reconcile_all(context: Context, *, now: datetime) -> Reconciled:
    """Every referral on file, what belongs to none (unexpected replies, gaps in numbering), and every statement."""
    read_waiting(context, now=now)
    with context.store.reading() as connection:
        log.hold_still(connection)
        begun = history.here(connection, now=now)
        every = list(dossiers.pages(connection))
    seen = Seen()
    count, changes = 0, _reconcile_exchange(context, now, seen)
    for page in every:
        changes += _reconcile(context, page, {}, now, seen)
        count += len(page)
    changes += statement_reconcile.reconcile_all(context, now=now, seen=seen)
    _keep(context, begun, seen, count, now)
    logger.info("reconciled", extra={"referrals": count, "opened": changes.opened, "closed": changes.closed})
    return Reconciled(referrals=count, changes=changes)


def look(context: Context, *, as_of: datetime, now: datetime, court: str | None = None) -> Iterator[Finding]:
    """What a run at `as_of` would find in the facts known now; writes nothing."""
    return (finding for finding, _ in would_find(context, as_of=as_of, now=now, court=court))


def would_find(
    context: Context, *, as_of: datetime, now: datetime, court: str | None = None
) -> Iterator[tuple[Finding, str]]:
    """The same, each with the version of the rules it was found by."""
    with context.store.reading() as connection:
        log.hold_still(connection)
        for page in dossiers.pages(connection, court=court):
            for dossier, book in with_rules(connection, context, page, now):
                yield from ((finding, book.version) for finding in run(dossier, book, as_of))
        if court is None:
            for finding in (*pair_doubts(connection), *_of_no_referral(connection, context, as_of)):
                yield finding, EXCHANGE_RULES
            yield from statement_reconcile.would_find(connection, context, as_of=as_of, now=now)


def _keep(context: Context, begun: KnownAt, seen: Seen, count: int, now: datetime) -> None:
    """The run on file, with a leaf. Where something came in while it ran, what is kept is what it would have found in
    the facts it began with: those alone can be looked at again."""
    with context.store.reading() as connection:
        moved = history.moved(begun.marks, history.marks(connection))
    if moved:
        seen = Seen()
        with as_known(context, begun) as past:
            seen.add(would_find(past, as_of=now, now=now))
    rules = rules_in_force()
    made = runs.make(begun, rules=rules, referrals=count, counts=seen.counts, digest=seen.digest)
    context.store.write(lambda connection: runs.put(connection, made, who=context.party_id))


def _reconcile(
    context: Context, referral_ids: Sequence[str], marks: Mapping[str, int], now: datetime, seen: Seen | None = None
) -> Changes:
    with context.store.reading() as connection:
        pairs = with_rules(connection, context, referral_ids, now)
    if reroute_bounced(context, pairs, now=now):
        with context.store.reading() as connection:
            pairs = with_rules(connection, context, referral_ids, now)
    found = [(finding, book.version) for dossier, book in pairs for finding in run(dossier, book, now)]
    if seen is not None:
        seen.add(found)
    late = [one for dossier, book in pairs for one in overdue(dossier, book, now)]
    due = wanted(context, pairs, now=now)
    visits = notices(pairs, now)
    clocks = [one for dossier, book in pairs for one in standing_clocks(dossier, book, now)]
    next_look = {dossier.referral.referral_id: _next_look(dossier, book, now) for dossier, book in pairs}

    def write(connection: Connection) -> Changes:
        changes = findings.settle(connection, referral_ids, found, now=now)
        put_timeouts(connection, context, late, now=now)
        tell(connection, context, visits, now=now)
        remind(connection, context, due, now=now)
        need_clocks.replace(connection, referral_ids, clocks)
        dossiers.looked(connection, marks, next_look)
        return changes

    return context.store.write(write)


def _next_look(dossier: Dossier, rulebook: Rulebook, now: datetime) -> datetime | None:
    """When time alone can change what is found: the next limit that runs out; None when nothing runs."""
    clocks = clocks_to_watch(dossier, rulebook, now)
    if any(clock.due_at is None for clock in clocks):
        return now + LOOK_AGAIN
    due = (*(clock.due_at for clock in clocks), *look_again(dossier, rulebook, now))
    limits = [moment for moment in due if moment is not None and moment >= now]
    moments = [moment + timedelta(seconds=1) for moment in limits] + list(next_moments(dossier, rulebook, now))
    if any(due_reminders(dossier, rulebook, now)):
        moments.append(now + LOOK_AGAIN)  # what a paused office cannot be told yet
    return min(moments, default=None)


def _reconcile_exchange(context: Context, now: datetime, seen: Seen) -> Changes:
    """Pairs are read before the writer's turn comes, for their streams are long; again only if one committed since."""
    with context.store.reading() as connection:
        newest, early = pairs.newest(connection), list(pair_doubts(connection))

    def write(connection: Connection) -> tuple[Changes, list[tuple[Finding, str]]]:
        of_pairs = early if pairs.newest(connection) == newest else pair_doubts(connection)
        every = (*of_pairs, *_of_no_referral(connection, context, now))
        found = [(finding, EXCHANGE_RULES) for finding in every]
        return findings.settle(connection, [None], found, now=now, origin=findings.EXCHANGE), found

    changes, found = context.store.write(write)
    seen.add(found)
    return changes


def _of_no_referral(connection: Connection, context: Context, as_of: datetime) -> Iterator[Finding]:
    yield from _exchange(connection)
    for check in EXCHANGE_CHECKS:
        yield from check(connection, context, as_of)


def _exchange(connection: Connection) -> Iterator[Finding]:
    """What belongs to no referral: replies to nothing we sent, numbers missing from a party's messages, and rows the
    last cut-off named."""
    yield from cutoff_doubts(connection)
    for reply in dossiers.unexpected(connection):
        yield doubt(
            "UNEXPECTED_REPLY",
            "law4",
            referral_id=None,
            must_act=reply.office,
            subject=reply.reply_id,
            message_id=reply.message_id,
            type=reply.raw_code,
            at=reply.at,
        )
    for numbering in inbox.numberings(connection):
        if numbering.last > numbering.count:
            yield doubt(
                "SEQ_GAP",
                "wire1",
                referral_id=None,
                must_act=OPERATOR,
                subject=numbering.source,
                last=numbering.last,
                missing=numbering.last - numbering.count,
            )
