"""疑点页 One finding: in words, both sides' values, its rule, what it said before, what people did, and the forms.

Rules: each look is on file before the page is made; who may not decide sees all and no form; a finding of a court
outside somebody's region is not there. Whom a finding is given to is an account, an office or a party: an address may
hold it.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Response

from gateway.domain.access import Right, Role
from gateway.domain.adjudication import other_referral_of
from gateway.domain.calendar import end_of_china_day
from gateway.domain.lifecycle import FindingState
from gateway.domain.reconciliation.evidence import FindingDecision
from gateway.domain.reconciliation.explain import EN, ZH, explain, worded
from gateway.domain.reconciliation.two_sides import OTHER, SideLine, member_words, side_by_side
from gateway.domain.reconciliation.values import Finding
from gateway.domain.values import InvalidValue
from gateway.errors import ConfigError, FieldProblem, IllegalMove, InvalidQuery, XianjieError
from gateway.flows import findings_desk
from gateway.flows.findings_desk import Shown
from gateway.store import accounts, finding_evidence, finding_log
from gateway.store.clock import from_ms
from gateway.store.finding_evidence import CaseFacts
from gateway.store.finding_log import Listed
from gateway.web.console.finding_filter import HOME, family_of, key_of_name, name_of_key
from gateway.web.console.findings import line
from gateway.web.console.waterfall import Chart, chart
from gateway.web.console.whose import name_of
from gateway.web.desk import Desk
from gateway.web.pages.routes import Pages
from gateway.web.pages.said import tells
from gateway.web.pages.shown import t, words
from gateway.web.pages.visit import Visit, require_found
from gateway.workbook.spellings import read_day, read_yuan

VIEWED = "finding_viewed"
MOST_LOOKS = 20
ASSIGNED = tells("finding_assigned", "已指派。", "Assigned.")
DECIDED = tells("finding_decided", "已决定。", "Decided.")
CLOSED = tells("finding_closed", "已结案。", "Closed.")
REOPENED = tells("finding_reopened", "已重新打开。", "Open again.")
_PARTIES = frozenset({"court", "office", "offices", "organ", "party", "agency"})
_STEP = re.compile(r"(\w+):(\w+):([+-][0-9]+)")


def pages(desk: Desk) -> Pages:
    """The page, and a route for each form on it."""
    found = Pages(desk, "finding", HOME)

    @found.get("/<name>", Right.SEE_CASES)
    def finding(visit: Visit, name: str) -> Response:
        return _page(visit, seen(visit, name))

    @found.post("/<name>/assign", Right.DECIDE)
    def assign_finding(visit: Visit, name: str) -> Response:
        one = seen(visit, name)

        def act() -> int:
            to, due = whom(visit, visit.text("to", 100)), until(visit.text("until"))
            return findings_desk.assign(visit.context, [one.key], to=to, due=due, **_by(visit))

        return _act(visit, one, act, ASSIGNED)

    @found.post("/<name>/decide", Right.DECIDE)
    def decide_finding(visit: Visit, name: str) -> Response:
        one = seen(visit, name)

        def act() -> int:
            decision, recovered = decision_of(visit.text("decision")), fen_of(visit.text("recovered"))
            return findings_desk.decide(visit.context, [one.key], decision, recovered_fen=recovered, **_by(visit))

        return _act(visit, one, act, DECIDED)

    @found.post("/<name>/close", Right.DECIDE)
    def close_finding(visit: Visit, name: str) -> Response:
        one = seen(visit, name)
        return _act(visit, one, lambda: findings_desk.close(visit.context, [one.key], **_by(visit)), CLOSED)

    @found.post("/<name>/reopen", Right.DECIDE)
    def reopen_finding(visit: Visit, name: str) -> Response:
        one = seen(visit, name)
        return _act(visit, one, lambda: findings_desk.reopen(visit.context, [one.key], **_by(visit)), REOPENED)

    return found


def _by(visit: Visit) -> dict[str, Any]:
    return {"who": visit.who, "why": visit.text("why"), "now": visit.now}


def _act(visit: Visit, one: Listed, act: Callable[[], int], said: str) -> Response:
    try:
        act()
    except (ConfigError, IllegalMove, InvalidQuery) as error:
        return _page(visit, one, refused=error)
    return visit.back(f"{HOME}/{name_of_key(one.key)}", said)


def seen(visit: Visit, name: str) -> Listed:
    """The finding of this name, in somebody's part of the exchange. Raises NotFound for any other."""
    key = key_of_name(name)
    with visit.context.store.reading() as connection:
        one = require_found(finding_log.of_keys(connection, [key]).get(key))
    return require_found(one if is_seen(visit, one) else None)


def is_seen(visit: Visit, one: Listed) -> bool:
    """Whether it is in his part; what belongs to no court is in the part of whoever sees all."""
    return visit.courts is None or (one.court is not None and visit.sees_court(one.court))


# --- what is typed ---


def whom(visit: Visit, text: str) -> str:
    """An account that decides findings, an office or a party. Raises InvalidQuery."""
    snapshot = visit.snapshot
    if text in snapshot.offices or text in snapshot.parties or text in deciders(visit):
        return text
    raise InvalidQuery(problems=[FieldProblem(pointer="/to", code="unknown_code" if text else "required")])


def deciders(visit: Visit) -> list[str]:
    """Names of the accounts that decide findings."""
    with visit.context.store.reading() as connection:
        return accounts.of_roles(connection, [Role.RECONCILER])


def until(text: str) -> datetime | None:
    """The end of that China day. Raises InvalidQuery."""
    if not text:
        return None
    try:
        found = read_day(text)
    except InvalidValue as error:
        raise InvalidQuery(problems=[FieldProblem(pointer="/until", code="not_a_day")]) from error
    return end_of_china_day(found)


def decision_of(text: str) -> FindingDecision:
    """Raises InvalidQuery."""
    if text not in set(FindingDecision):
        raise InvalidQuery(problems=[FieldProblem(pointer="/decision", code="unknown_code" if text else "required")])
    return FindingDecision(text)


def fen_of(text: str) -> int | None:
    """Yuan as people write them. Raises InvalidQuery."""
    if not text:
        return None
    try:
        return read_yuan(text)
    except InvalidValue as error:
        raise InvalidQuery(problems=[FieldProblem(pointer="/recovered", code="invalid")]) from error


# --- what is shown ---


def _page(visit: Visit, one: Listed, *, refused: XianjieError | None = None) -> Response:
    visit.log(VIEWED, one.key, "page")
    shown = require_found(findings_desk.show(visit.context, one.key))
    finding, kept = shown.kept.finding, shown.kept
    told = explain(finding, lambda code: name_of(visit, code))
    other = other_referral_of(finding)
    with visit.context.store.reading() as connection:
        cases = finding_evidence.cases(connection, [one for one in (finding.referral_id, other) if one])
    acts = [row for row in shown.acts if row["what"] != VIEWED]
    looks = [row for row in shown.acts if row["what"] == VIEWED]
    return visit.page(
        "console/finding.html",
        refused=refused,
        shown=line(visit, one),
        kept=kept,
        finding=finding,
        told=told,
        rule=t(told.rule_zh, told.rule_en),
        family=family_of(finding.code),
        sides=_sides(visit, finding, one, cases, other),
        chart=_chart(finding),
        match_id=shown.match_id,
        history=_history(visit, shown, acts),
        looks=[{**row, "at": from_ms(row["at"])} for row in reversed(looks[-MOST_LOOKS:])],
        looked=len(looks),
        name=lambda code: name_of(visit, code),
        typed={field: visit.text(field) for field in ("to", "until", "decision", "recovered", "why")},
        decisions=words("decision"),
        **_may(visit, shown),
    )


def _may(visit: Visit, shown: Shown) -> dict[str, Any]:
    """Which forms the page has: what the state allows, for who may."""
    state, decides = shown.kept.state, visit.may(Right.DECIDE)
    is_open = state in (FindingState.OPEN, FindingState.ASSIGNED)
    was_decided = shown.kept.decided_as is not None
    finding = shown.kept.finding
    near = [finding.must_act, *([] if shown.kept.assigned_to is None else [shown.kept.assigned_to])]
    return {
        "may_assign": decides and is_open,
        "may_decide": decides and is_open,
        "may_close": decides and state is FindingState.DECIDED,
        "may_reopen": decides and was_decided and state in (FindingState.DECIDED, FindingState.CLOSED),
        "assignees": list(dict.fromkeys([*deciders(visit), *near])) if decides and is_open else [],
    }


def _sides(
    visit: Visit, finding: Finding, one: Listed, cases: Mapping[str, CaseFacts], other: str | None
) -> dict[str, Any]:
    """Lines of two sides, and what is about both."""
    mine, theirs = cases.get(finding.referral_id or ""), cases.get(other or "")
    lines = side_by_side(finding, court=one.court, concluded_on=None if mine is None else mine.concluded_on)
    two = [_said(visit, each) for each in lines if each.common is None]
    if mine is not None and theirs is not None:
        hidden = t("（不在您的查看范围）", "(outside your region)")
        number = theirs.case_number if visit.sees_court(theirs.court) else hidden
        two.insert(0, {"words": t("案号", "case number"), "this": mine.case_number, "other": number, "member": ""})
    return {
        "two": two,
        "common": [_said(visit, each) for each in lines if each.common is not None],
        "may_see_other": theirs is not None and visit.sees_court(theirs.court),
    }


def _said(visit: Visit, each: SideLine) -> dict[str, Any]:
    this, _, other = each.member.partition("/")
    return {
        "member": each.member,
        "words": t(*member_words(each.member)),
        "this": _value(visit, this, each.this),
        "other": _value(visit, other or f"{OTHER}{this}", each.other),
        "common": _value(visit, this, each.common),
    }


def _value(visit: Visit, member: str, value: Any) -> str | None:
    if value is None:
        return None
    if member.removeprefix(OTHER) in _PARTIES:
        several = value if isinstance(value, (list, tuple)) else [value]
        return t("、", ", ").join(name_of(visit, str(one)) for one in several)
    return worded(member, value, t(ZH, EN))


def _chart(finding: Finding) -> Chart | None:
    """How the score of a possible identity came about, as the evidence tells it."""
    steps = finding.evidence.get("waterfall")
    if not isinstance(steps, list):
        return None
    read = [_STEP.fullmatch(str(one)) for one in steps]
    triples = [(one[1], one[2], int(one[3])) for one in read if one is not None]
    said = finding.evidence
    return chart(triples, verdict=str(said.get("verdict", "")), version=str(said.get("weights", "")))


def _history(visit: Visit, shown: Shown, acts: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What it said before and what people did, oldest first."""
    kept = shown.kept
    found: list[dict[str, Any]] = [
        {"at": kept.opened_at, "kind": "change", "what": "opened", "says": "", "sort": "wait"}
    ]
    for row in shown.changes:
        before = replace(kept.finding, evidence=json.loads(row["evidence"]), stake_fen=row["stake_fen"])
        told = explain(before, lambda code: name_of(visit, code))
        found.append(
            {
                "at": row["at"],
                "kind": "change",
                "what": row["what"],
                "says": t(told.zh, told.en),
                "state": row["state"],
                "decided_as": row["decided_as"],
                "sort": "wait",
            }
        )
    for row in acts:
        sort = "good" if row["what"] == findings_desk.CLOSED else ""
        found.append({**row, "at": from_ms(row["at"]), "kind": "act", "who": name_of(visit, row["who"]), "sort": sort})
    if kept.closed_at is not None and kept.decided_as is None:
        found.append({"at": kept.closed_at, "kind": "change", "what": "cured", "says": "", "sort": "good"})
    return sorted(found, key=lambda each: each["at"])
