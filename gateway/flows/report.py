"""统计 The report of one period: rows from the ledger, counted by `domain.report`; no figure is kept anywhere."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import cache

from sqlalchemy import Connection

from gateway.domain.reconciliation.values import Rulebook
from gateway.domain.replies import ClueAnswer
from gateway.domain.report.build import Narrowed, Report, build_report, facts_of
from gateway.domain.report.exchange_counts import ClueCount, StatementCount
from gateway.domain.rules import read_table
from gateway.errors import TooLarge
from gateway.flows import clue
from gateway.flows.context import Context
from gateway.store import report_exchanges, report_rows, report_statements
from gateway.store.dossiers import Days
from gateway.store.statement_desk import Part


def report(
    context: Context,
    concluded: Days,
    *,
    region: str,
    now: datetime,
    court: str | None = None,
    public: bool = False,
    narrowed: Narrowed | None = None,
    court_zh: str = "",
    most: int | None = None,
) -> Report:
    """What was concluded, and what was asked, within these days (both included). region: printed; court: of this one
    alone, by the name court_zh; narrowed: what else is asked; public: cells under five are left out; now: what is late
    by then counts as late. Raises TooLarge for more than `most` referrals, inquiries, clues or statements."""
    asked = narrowed or Narrowed()
    if court is not None:
        asked = replace(asked, region=None, courts=(court,) if asked.courts is None or court in asked.courts else ())
    part = _part(context, asked, now)
    with context.store.reading() as connection:
        if most is not None:
            _bound(connection, concluded, asked, part, most)
        rows = report_rows.read(connection, concluded, asked, _rulebooks(context, now), now=now)
        clues = list(_clues(connection, context, concluded, asked, now))
        statements = list(_statements(connection, concluded, asked, part))
        inquiries = report_exchanges.inquiries(connection, concluded, asked, now=now)
    facts = facts_of(
        rows.referrals,
        rows.needs,
        rows.replies,
        rows.findings,
        inquiries=inquiries,
        clues=clues,
        statements=statements,
        follow_ups=rows.follow_ups,
        period=concluded,
        region=region,
        agency_names={row["agency"]: (row["zh"], row["english"]) for row in read_table("agencies")},
        court_zh=court_zh,
        narrowed=asked,
    )
    return build_report(facts, public=public)


def _rulebooks(context: Context, now: datetime) -> Callable[[int], Rulebook]:
    agreements = context.snapshot(now).agreements
    return cache(lambda row: context.rulebook(agreements[row]))


def _clues(connection: Connection, context: Context, days: Days, asked: Narrowed, now: datetime) -> Iterator[ClueCount]:
    """Of one agency: what its parties told. An agency is its party's, by the party's first office."""
    offices = context.snapshot(now).offices.values()
    agency_of = {one.party_id: one.agency for one in sorted(offices, key=lambda one: one.office_id, reverse=True)}
    for kept, became_referral in report_exchanges.clues(connection, days, asked):
        agency = agency_of.get(kept.party, kept.party)
        if asked.agency in (None, agency):
            yield ClueCount(
                agency=agency,
                forwarded=kept.court_asked is not None,
                answers=tuple(ClueAnswer(said.code) for said in kept.answers),
                past=clue.is_overdue(kept, context, now),
                became_referral=became_referral,
            )


def _part(context: Context, asked: Narrowed, now: datetime) -> Part | None:
    """The offices and parties of the region that is asked for; None: all."""
    if asked.region is None:
        return None
    snapshot, region = context.snapshot(now), asked.region
    return Part(
        region=region,
        offices=tuple(one.office_id for one in snapshot.offices.values() if one.region.startswith(region)),
        parties=tuple(one.party_id for one in snapshot.parties.values() if one.region.startswith(region)),
    )


def _statements(connection: Connection, days: Days, asked: Narrowed, part: Part | None) -> Iterator[StatementCount]:
    return report_statements.read(connection, days, asked, part) if asked.tells_statements else iter(())


def _bound(connection: Connection, days: Days, asked: Narrowed, part: Part | None, most: int) -> None:
    if report_rows.count(connection, days, asked.courts, most=most + 1) > most:
        raise TooLarge(f"more than {most} referrals")
    if report_exchanges.largest(connection, days, asked, most=most + 1) > most:
        raise TooLarge(f"more than {most} inquiries or clues")
    if asked.tells_statements and report_statements.count(connection, days, asked, part, most=most + 1) > most:
        raise TooLarge(f"more than {most} statements")
