"""统计报表 The statistical report (DOMAIN §8) of one period and region: every section in order, made from rows alone.

`report.facts.facts_of` cuts the rows to the period, `build_report` counts them, `report.text` prints them.
"""

from collections.abc import Callable, Iterable

from gateway.domain.regions import load_regions
from gateway.domain.report import case_sections as cases
from gateway.domain.report import exchange_sections as exchange
from gateway.domain.report import month_section as month
from gateway.domain.report.clue_section import clues
from gateway.domain.report.disclosure import for_the_public
from gateway.domain.report.facts import ReportFacts, facts_of
from gateway.domain.report.follow_up_section import follow_ups
from gateway.domain.report.inquiry_section import inquiries
from gateway.domain.report.statement_section import statements
from gateway.domain.report.text import (
    Language,
    press_paragraph,
    render_text,
    report_columns,
    report_table,
    within,
)
from gateway.domain.report.values import FindingCount, Narrowed, Report, ReportLine, ReportRow, Section

__all__ = [
    "FindingCount",
    "Language",
    "Narrowed",
    "Report",
    "ReportFacts",
    "ReportLine",
    "ReportRow",
    "Section",
    "build_report",
    "facts_of",
    "press_paragraph",
    "render_text",
    "report_columns",
    "report_table",
]

EVERYWHERE = "各地"
"""Of a report of courts of several provinces."""

SECTIONS: tuple[Callable[[ReportFacts], Iterable[ReportLine]], ...] = (
    cases.concluded,
    cases.amounts,
    month.by_month,
    cases.case_types,
    cases.grounds,
    cases.refusals,
    cases.groups,
    cases.overlap,
    cases.minors,
    inquiries,
    cases.assessment,
    exchange.exchange,
    exchange.denials,
    exchange.pace,
    clues,
    exchange.duplicates,
    exchange.false_matches,
    exchange.missed,
    statements,
    follow_ups,
    cases.quality,
)


def build_report(facts: ReportFacts, *, public: bool = False) -> Report:
    """Every line of every section. public: small cells are left out (`report.disclosure`)."""
    region = load_regions().get(facts.region)
    report = Report(
        period_from=facts.period[0],
        period_to=facts.period[1],
        region=facts.region,
        region_zh=region.name_zh if region else facts.region or EVERYWHERE,
        lines=tuple(line for section in SECTIONS for line in section(facts)),
        synthetic=any(row.synthetic for row in facts.rows),
        court_zh=facts.court_zh,
        within=within(facts.narrowed, facts.agency_names),
    )
    return for_the_public(report) if public else report
