"""统计 The report of one period: rows from the ledger, counted by `domain.report`; no figure is kept anywhere."""

from gateway.domain.report.build import Report, build_report, facts_of
from gateway.domain.rules import read_table
from gateway.flows.context import Context
from gateway.store import report_rows
from gateway.store.dossiers import Days


def report(context: Context, concluded: Days, *, region: str, court: str | None, public: bool) -> Report:
    """What was concluded within these days (both included). public: cells under five are left out."""
    with context.store.reading() as connection:
        rows = report_rows.read(connection, concluded, court=court)
    facts = facts_of(
        rows.referrals,
        rows.needs,
        rows.replies,
        rows.findings,
        period=concluded,
        region=region,
        agency_names={row["agency"]: (row["zh"], row["english"]) for row in read_table("agencies")},
    )
    return build_report(facts, public=public)
