"""报表页 The statistical report of a period: by region, court, case type, group and agency; printed, drawn, exported.

Rules: every figure is counted from the ledger when it is asked for, with the denominator it has; whose part of the
exchange is a region sees the figures of its courts and no others. An export says why and is on file before it leaves.
The public version leaves cells under five out.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from itertools import groupby
from typing import Any

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.agreement import Party, PartyKind
from gateway.domain.calendar import china_day
from gateway.domain.person import SpecificGroup
from gateway.domain.regions import load_regions
from gateway.domain.report.build import Language, Narrowed, Report, ReportLine, press_paragraph
from gateway.domain.report.text import LEFT_OUT, SYNTHETIC, denominator_of, place_of, shown_value
from gateway.domain.report.values import SECTION_NAMES, UNIT_NAMES
from gateway.domain.rules import read_table
from gateway.errors import ConfigError, FieldProblem, InvalidQuery, MissingExtra, NotFound, TooLarge, XianjieError
from gateway.flows.operate import require_reason
from gateway.flows.report import report as count_report
from gateway.web.console.report_charts import charts_of, label_of
from gateway.web.desk import Desk
from gateway.web.pages.carried import attachment
from gateway.web.pages.routes import Pages
from gateway.web.pages.shown import t, words
from gateway.web.pages.visit import Visit
from gateway.workbook.report_file import FORMS, write_report

HOME = "/console/reports"
EXPORTED = "report_exported"
FIELDS = ("from", "to", "region", "court", "case_type", "group", "agency", "public")
MOST = 20_000
"""Referrals, inquiries, clues or statements of one page's report; what is larger is counted by `xianjie report`."""
MOST_YEARS = 10
KINDS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be counted. region: printed; court_zh: where it is of one court."""

    period: tuple[date, date]
    region: str
    court_zh: str
    narrowed: Narrowed
    public: bool


def pages(desk: Desk) -> Pages:
    """The report and its export."""
    found = Pages(desk, "console_reports", HOME)

    @found.get("", Right.SEE_REPORTS)
    def reports(visit: Visit) -> Response:
        typed = {name: visit.asked(name, 100) for name in FIELDS}
        return _page(visit, typed)

    @found.post("/export", Right.EXPORT)
    def export_report(visit: Visit) -> Response:
        typed = {name: visit.text(name, 100) for name in FIELDS}
        try:
            return _export(visit, typed)
        except (InvalidQuery, ConfigError, MissingExtra) as error:
            return _page(visit, typed, refused=error)

    return found


def _page(visit: Visit, typed: Mapping[str, str], refused: XianjieError | None = None) -> Response:
    typed = {**typed, **({} if typed["from"] or typed["to"] else _this_year(visit))}
    report = None
    try:
        report = _counted(visit, _wanted(visit, typed))
    except InvalidQuery as error:
        refused = refused or error
    shown: dict[str, Any] = {"typed": typed, "report": report, **_choices(visit)}
    if report is not None:
        shown |= _shown(report)
    if isinstance(refused, MissingExtra):
        return visit.page("console/reports.html", status=refused.status, refused=refused, **shown)
    return visit.page("console/reports.html", refused=refused, **shown)


def _shown(report: Report) -> dict[str, Any]:
    sections = [
        (section, t(*SECTION_NAMES[section]), [_cells(line) for line in lines])
        for section, lines in groupby(report.lines, key=lambda line: line.section)
    ]
    return {
        "sections": sections,
        "charts": charts_of(report),
        "press": (press_paragraph(report), press_paragraph(report, Language.ENGLISH)),
        "place": place_of(report),
        "within": t(*report.within),
        "synthetic": t(*SYNTHETIC),
    }


def _cells(line: ReportLine) -> dict[str, Any]:
    """One line as the page shows it."""
    return {
        "label": label_of(line),
        "value": t(*LEFT_OUT) if line.suppressed else shown_value(line),
        "unit": "" if line.suppressed else t(*UNIT_NAMES[line.unit]),
        "of": t(*denominator_of(line)),
        "denominator": line.denominator,
        "persons": line.persons,
        "left_out": line.suppressed,
    }


def _counted(visit: Visit, wanted: Wanted) -> Report:
    try:
        return count_report(
            visit.context,
            wanted.period,
            region=wanted.region,
            now=visit.now,
            court_zh=wanted.court_zh,
            narrowed=wanted.narrowed,
            public=wanted.public,
            most=MOST,
        )
    except TooLarge as error:
        raise InvalidQuery(
            t(
                f"期间内移送、协查、线索或对账单超过{MOST:,}：请缩短期间，或运行 xianjie report",
                f"more than {MOST:,} referrals, inquiries, clues or statements: "
                "shorten the period, or run `xianjie report`",
            )
        ) from error


# --- what is asked ---


def _this_year(visit: Visit) -> dict[str, str]:
    today = china_day(visit.now)
    return {"from": f"{today.year}-01-01", "to": today.isoformat()}


def _courts(visit: Visit) -> list[Party]:
    every = visit.snapshot.parties.values()
    found = (one for one in every if one.kind is PartyKind.COURT and visit.sees_court(one.party_id))
    return sorted(found, key=lambda one: (one.region, one.party_id))


def _regions(visit: Visit) -> dict[str, str]:
    """Code → name of every region a court seen here lies in, within the account's own."""
    known, found = load_regions(), {}
    for court in _courts(visit):
        for code in (f"{court.region[:2]}0000", f"{court.region[:4]}00", court.region):
            if _digits(code).startswith(visit.account.region):
                region = known.get(code)
                found[code] = code if region is None else f"{region.name_zh} {code}"
    return dict(sorted(found.items()))


def _digits(code: str) -> str:
    """The leading digits that say how large a region is: 520100 → 5201."""
    return code.removesuffix("00").removesuffix("00")


def _choices(visit: Visit) -> dict[str, Any]:
    return {
        "courts": [(one.party_id, f"{one.name_zh} {one.region}") for one in _courts(visit)],
        "regions": list(_regions(visit).items()),
        "case_types": words("case_type"),
        "groups": words("group"),
        "agencies": [(row["agency"], t(row["zh"], row["english"])) for row in read_table("agencies")],
        "forms": FORMS,
    }


def _wanted(visit: Visit, typed: Mapping[str, str]) -> Wanted:
    """Raises InvalidQuery, naming every field that is none; NotFound for a court or region that is not seen."""
    known: Mapping[str, Collection[str]] = {
        "case_type": {code for code, _ in words("case_type")},
        "group": set(SpecificGroup),
        "agency": {row["agency"] for row in read_table("agencies")},
        "public": {"1"},
    }
    problems = [
        FieldProblem(pointer=f"/{name}", code="unknown_code")
        for name, codes in known.items()
        if typed[name] and typed[name] not in codes
    ]
    first, last = (_day(typed, name, problems) for name in ("from", "to"))
    if first and last and not first <= last <= _years_on(first):
        problems.append(FieldProblem(pointer="/to", code="out_of_range"))
    if problems or first is None or last is None:
        raise InvalidQuery(problems=problems)
    region, court, courts = _where(visit, typed)
    return Wanted(
        period=(first, last),
        region=region,
        court_zh="" if court is None else court.name_zh or court.party_id,
        public=typed["public"] == "1",
        narrowed=Narrowed(
            courts=courts,
            region=None if court is not None else _digits(typed["region"]) or visit.account.region or None,
            case_type=typed["case_type"] or None,
            group=SpecificGroup(typed["group"]) if typed["group"] else None,
            agency=typed["agency"] or None,
        ),
    )


def _day(typed: Mapping[str, str], name: str, problems: list[FieldProblem]) -> date | None:
    try:
        return date.fromisoformat(typed[name])
    except ValueError:
        problems.append(FieldProblem(pointer=f"/{name}", code="not_a_day"))
        return None


def _years_on(first: date) -> date:
    return date(min(first.year + MOST_YEARS, date.max.year), 12, 31)


def _where(visit: Visit, typed: Mapping[str, str]) -> tuple[str, Party | None, tuple[str, ...] | None]:
    """(region printed, the one court, the courts that count; None: all)."""
    seen = _courts(visit)
    if typed["court"]:
        court = next((one for one in seen if one.party_id == typed["court"]), None)
        if court is None or not court.region.startswith(_digits(typed["region"])):
            raise NotFound
        return court.region, court, (court.party_id,)
    if typed["region"]:
        if typed["region"] not in _regions(visit):
            raise NotFound
        within = _digits(typed["region"])
        return typed["region"], None, tuple(one.party_id for one in seen if one.region.startswith(within))
    if visit.account.region:
        return visit.account.region.ljust(6, "0"), None, visit.courts
    provinces = {one.region[:2] for one in seen}
    return f"{provinces.pop()}0000" if len(provinces) == 1 else "", None, None


# --- export ---


def _export(visit: Visit, typed: Mapping[str, str]) -> Response:
    form, why = visit.text("format", 10), visit.text("why")
    if form not in FORMS:
        raise InvalidQuery(problems=[FieldProblem(pointer="/format", code="unknown_code")])
    require_reason(visit.who, why)
    wanted = _wanted(visit, typed)
    report, content = _counted(visit, wanted), BytesIO()
    write_report(report, form, content)
    asked = " ".join(f"{name}={value}" for name, value in typed.items() if value)
    visit.log(EXPORTED, "report", f"{form} {asked} {why}")
    name = f"report-{wanted.period[0]}-{wanted.period[1]}{'-public' if wanted.public else ''}.{form}"
    return attachment(content.getvalue(), KINDS[form], name)
