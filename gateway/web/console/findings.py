"""对账日志页 The list of findings: asked for by address, told in words, counted by kind, exported with a reason.

Rules: a search is on file before its result is shown, an export before it leaves; fifty a page; what is outside
somebody's region is not there. A cell of an export that a spreadsheet would take for a formula is text.
"""

from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.reconciliation.explain import explain
from gateway.errors import ConfigError, InvalidQuery, XianjieError
from gateway.flows.operate import require_reason
from gateway.store import finding_log
from gateway.store.finding_log import Asked, Listed, Order, Page
from gateway.web.console.finding_filter import (
    HOME,
    Filter,
    families,
    family_of,
    from_address,
    from_form,
    name_of_key,
    read,
    read_place,
    ready_made,
    write_place,
)
from gateway.web.console.whose import courts_of, name_of, offices_of
from gateway.web.desk import Desk
from gateway.web.pages.carried import attachment
from gateway.web.pages.routes import Pages
from gateway.web.pages.shown import day, moment, t, word, words, yuan
from gateway.web.pages.visit import Visit
from gateway.workbook.writing import write_csv

SEARCHED, EXPORTED = "searched", "findings_exported"
MOST_EXPORTED, AT_ONCE = 20_000, 1_000
COLUMNS = (
    ("name", "疑点 Finding"),
    ("code", "代码 Code"),
    ("family", "类别 Family"),
    ("says", "说明 Says"),
    ("court", "法院 Court"),
    ("referral", "移送 Referral"),
    ("need", "需求 Need"),
    ("must_act", "须处理方 Must act"),
    ("due", "期限 Due"),
    ("stake_yuan", "涉及金额（元） At stake (yuan)"),
    ("minor", "未成年人 Minor"),
    ("state", "状态 State"),
    ("assigned", "指派 Assigned to"),
    ("decision", "决定 Decision"),
    ("opened", "提出 Opened"),
    ("closed", "结案 Closed"),
)


def pages(desk: Desk) -> Pages:
    """The list and its export."""
    found = Pages(desk, "findings", HOME)

    @found.get("", Right.SEE_CASES)
    def findings(visit: Visit) -> Response:
        return list_page(visit, from_address(visit))

    @found.post("/export", Right.EXPORT)
    def export_findings(visit: Visit) -> Response:
        return _export(visit, from_form(visit))

    return found


def list_page(visit: Visit, typed: Filter, *, refused: XianjieError | None = None, **kept: Any) -> Response:
    """The list as asked. refused: of a form below it; kept: what was typed there."""
    shown: dict[str, Any] = {"typed": typed, "page": None, "kept": kept, **_choices(visit)}
    try:
        asked, after = read(visit, typed), read_place(visit.asked("after"))
    except InvalidQuery as error:
        return visit.page("console/findings.html", refused=error, **shown)
    if typed.searched:
        visit.log(SEARCHED, "findings", typed.searched)
    with visit.context.store.reading() as connection:
        page = finding_log.search(connection, asked, after=after)
        counts = finding_log.counts(connection, asked)
    shown |= {
        "page": page,
        "after": after,
        "older": write_place(page.next),
        "lines": [line(visit, one) for one in page.findings],
        "counts": by_family(counts),
        "total": sum(counts.values()),
        "most_exported": MOST_EXPORTED,
    }
    return visit.page("console/findings.html", refused=refused, **shown)


def _choices(visit: Visit) -> dict[str, Any]:
    states = [("", t("未办与已指派", "open and assigned")), *words("finding_state"), ("all", t("全部", "all"))]
    return {
        "families": [(family, word(family, "family")) for family in families()],
        "states": states,
        "courts": courts_of(visit),
        "all_offices": offices_of(visit),
        "groups": words("group"),
        "dues": [
            ("overdue", t("已超期", "overdue")),
            ("week", t("一周内（含超期）", "within a week, overdue included")),
        ],
        "sorts": [
            ("", t("最早提出", "oldest first")),
            (Order.DUE.value, t("先到期", "due first")),
            (Order.STAKE.value, t("金额从大到小", "most money first")),
            (Order.MINORS.value, t("未成年人优先", "minors first")),
        ],
        "ready": ready_made(visit),
        "acts": words("bulk_act"),
        "decisions": words("decision"),
    }


def by_family(counts: Mapping[str, int]) -> list[tuple[str, int, list[tuple[str, int]]]]:
    """(family, its sum, (code, count) each), families in their order, the most of a family first."""
    found = []
    for family in (*families(), ""):
        mine = sorted(
            ((code, count) for code, count in counts.items() if family_of(code) == family),
            key=lambda one: (-one[1], one[0]),
        )
        if mine:
            found.append((family, sum(count for _, count in mine), mine))
    return found


def line(visit: Visit, one: Listed) -> dict[str, Any]:
    """A finding as a line of a list shows it."""
    told, finding = explain(one.kept.finding, lambda code: name_of(visit, code)), one.kept.finding
    due = one.kept.assigned_due_at or finding.due_at
    return {
        "name": name_of_key(one.key),
        "key": one.key,
        "kept": one.kept,
        "finding": finding,
        "says": t(told.zh, told.en),
        "court": name_of(visit, one.court),
        "must_act": name_of(visit, finding.must_act),
        "due": due,
        "is_overdue": due is not None and due < visit.now and one.kept.closed_at is None,
        "is_minor": one.is_minor,
        "assigned": name_of(visit, one.kept.assigned_to),
    }


# --- export ---


def _export(visit: Visit, typed: Filter) -> Response:
    why = visit.text("why")
    try:
        asked = read(visit, typed)
        require_reason(visit.who, why)
        found = _everything(visit, asked)
    except (InvalidQuery, ConfigError) as error:
        return list_page(visit, typed, refused=error, why=why)
    visit.log(EXPORTED, "findings", f"{len(found)} rows {typed.searched} {why}")
    stream = StringIO(newline="")
    write_csv(stream, COLUMNS, (_cells(visit, one) for one in found))
    return attachment(stream.getvalue(), "text/csv; charset=utf-8", f"findings-{day(visit.now)}.csv")


def _everything(visit: Visit, asked: Asked) -> list[Listed]:
    """All pages. Raises InvalidQuery rather than leaving something out unsaid."""
    found: list[Listed] = []
    for page in _pages(visit, asked):
        found += page.findings
        if len(found) > MOST_EXPORTED:
            raise InvalidQuery(
                t(f"超过{MOST_EXPORTED:,}行，请缩小筛选范围", f"more than {MOST_EXPORTED:,} rows: narrow the filter")
            )
    return found


def _pages(visit: Visit, asked: Asked) -> Iterator[Page]:
    after = None
    while True:
        with visit.context.store.reading() as connection:
            page = finding_log.search(connection, asked, after=after, length=AT_ONCE)
        yield page
        if page.next is None:
            return
        after = page.next


def _cells(visit: Visit, one: Listed) -> dict[str, str]:
    shown, kept, finding = line(visit, one), one.kept, one.kept.finding
    return {
        "name": word(finding.code, "finding"),
        "code": finding.code,
        "family": word(family_of(finding.code), "family"),
        "says": shown["says"],
        "court": shown["court"],
        "referral": finding.referral_id or "",
        "need": finding.need_id or "",
        "must_act": shown["must_act"],
        "due": day(shown["due"]),
        "stake_yuan": yuan(finding.stake_fen),
        "minor": t("是", "yes") if one.is_minor else "",
        "state": word(kept.state.value, "finding_state"),
        "assigned": shown["assigned"],
        "decision": word(None if kept.decided_as is None else kept.decided_as.value, "decision"),
        "opened": moment(kept.opened_at),
        "closed": moment(kept.closed_at),
    }
