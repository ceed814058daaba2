"""衔接统计 The sections of the report that count what became of the needs: by agency, denials, days per step, findings.

A need counts at each thing that happened to it, so the lines of one agency are a funnel and do not add up. A serial
route's need is counted at the organ it stands at now.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from gateway.domain.lifecycle import FindingState, NeedState
from gateway.domain.programmes import load_programmes
from gateway.domain.reconciliation.values import NeedRow
from gateway.domain.replies import ReplyCode, load_replies
from gateway.domain.report import words
from gateway.domain.report.facts import (
    Label,
    ReportFacts,
    grouped,
    line,
    median_days,
    of_agency,
    percent,
    seconds_between,
)
from gateway.domain.report.values import FindingCount, ReportLine, Section, Unit
from gateway.domain.rules import read_table

NEEDS = "救助需求 needs"
SENT = "已转办 sent"
RETURNED = frozenset({ReplyCode.RETURNED, ReplyCode.NOT_IN_SCOPE, ReplyCode.NOT_IN_REGION})
RECOVERED, CONFIRMED, FALSE_MATCH = "RECOVERED", "CONFIRMED", "FALSE_MATCH"

STEPS: tuple[tuple[str, Label, Callable[[NeedRow], tuple[datetime | None, datetime | None]]], ...] = (
    ("handoff", ("收到→转办", "accepted → handed off"), lambda need: (need.accepted_at, need.issued_at)),
    ("relay", ("转办→送达系统", "handed off → relayed"), lambda need: (need.issued_at, need.relayed_at)),
    ("receipt", ("转办→签收", "handed off → received"), lambda need: (need.issued_at, need.received_at)),
    ("disposition", ("转办→受理答复", "handed off → disposition"), lambda need: (need.issued_at, need.disposition_at)),
    ("decision", ("受理答复→决定", "disposition → decided"), lambda need: (need.disposition_at, need.decided_at)),
    ("payment", ("决定→发放", "decided → paid"), lambda need: (need.decided_at, need.paid_at)),
)


def exchange(facts: ReportFacts) -> Iterator[ReportLine]:
    """Needs in total, then each agency's funnel, then each programme's."""
    yield from _totals(facts)
    for agency, needs in sorted(facts.needs_of_agency.items()):
        name = facts.agency_names.get(agency, (agency, agency))
        yield from _funnel(facts, f"exchange.{agency}", name, needs)
    programmes = load_programmes()
    for code, needs in sorted(grouped(facts.needs, lambda need: need.programme).items()):
        programme = programmes.get(code)
        name = (programme.name_zh, programme.english.capitalize()) if programme else (code, code)
        yield from _funnel(facts, f"programme.{code}", name, needs)


def _totals(facts: ReportFacts) -> Iterator[ReportLine]:
    every = len(facts.needs)
    helped = (NeedState.ASSISTED, NeedState.PARTIALLY_ASSISTED, NeedState.FOLLOWED_UP)
    counts: tuple[tuple[str, Label, list[NeedRow]], ...] = (
        ("accepted", ("收到需求", "Needs accepted"), list(facts.needs)),
        ("held", ("待人工核查", "Held for a person"), [n for n in facts.needs if n.state is NeedState.HELD]),
        ("unroutable", ("无承办单位", "No office found"), [n for n in facts.needs if n.unroutable is not None]),
        ("withdrawn", ("已撤回", "Withdrawn"), [n for n in facts.needs if n.state is NeedState.WITHDRAWN]),
        ("assisted", ("已获社会救助", "Assisted"), [n for n in facts.needs if n.state in helped]),
    )
    for key, label, needs in counts:
        yield line(
            Section.EXCHANGE,
            f"exchange.{key}",
            label,
            len(needs),
            Unit.NEED,
            denominator=every,
            denominator_label=NEEDS,
            persons=facts.persons_of(needs),
        )
    yield _chains(facts)


def _chains(facts: ReportFacts) -> ReportLine:
    """People whom two agencies or more were asked to help."""
    handed = [need for need in facts.needs if need.agency is not None and need.issued_at is not None]

    def person(need: NeedRow) -> str:
        return facts.row_of[need.referral_id].person_ref or need.referral_id

    agencies = {who: {need.agency for need in needs} for who, needs in grouped(handed, person).items()}
    joined = sum(len(found) > 1 for found in agencies.values())
    label = ("两个以上部门衔接", "Persons with two agencies or more")
    return line(
        Section.EXCHANGE,
        "exchange.chains",
        label,
        joined,
        Unit.PERSON,
        denominator=len(agencies),
        denominator_label="已转办人员 persons handed off",
        persons=joined,
    )


def _funnel(facts: ReportFacts, key: str, name: Label, needs: Sequence[NeedRow]) -> Iterator[ReportLine]:
    sent = [need for need in needs if need.issued_at is not None]
    codes = facts.codes_of_need

    def answered(*wanted: str) -> list[NeedRow]:
        return [need for need in sent if not codes.get(need.need_id, frozenset()).isdisjoint(wanted)]

    steps: tuple[tuple[str, Label, Sequence[NeedRow]], ...] = (
        ("sent", ("转办", "sent"), sent),
        ("received", ("签收", "received"), [need for need in sent if need.received_at is not None]),
        ("accepted", ("受理", "accepted"), answered(ReplyCode.ACCEPTED)),
        ("returned", ("退回", "returned"), answered(*RETURNED)),
        ("denied", ("不予救助", "denied"), answered(ReplyCode.DENIED)),
        ("approved", ("批准", "approved"), answered(ReplyCode.APPROVED, ReplyCode.PAID, ReplyCode.SERVICE_DELIVERED)),
        ("paid", ("发放或提供", "paid or delivered"), answered(ReplyCode.PAID, ReplyCode.SERVICE_DELIVERED)),
    )
    for step, label, found in steps:
        yield line(
            Section.EXCHANGE,
            f"{key}.{step}",
            of_agency(name, label),
            len(found),
            Unit.NEED,
            denominator=len(needs) if step == "sent" else len(sent),
            denominator_label=NEEDS if step == "sent" else SENT,
            persons=facts.persons_of(found),
        )


def denials(facts: ReportFacts) -> Iterator[ReportLine]:
    """Needs denied, by the reason applied; a need denied twice for one reason counts once."""
    said = [r for r in facts.replies if r.applied and r.code == ReplyCode.DENIED and r.need_id is not None]
    names = {entry.code: (entry.zh, entry.code) for entry in load_replies() if entry.layer.startswith("denial")}
    needs = {need.need_id: need for need in facts.needs}
    every = {reply.need_id for reply in said}
    for reason, replies in sorted(grouped(said, lambda reply: reply.reason or "none").items()):
        ids = {reply.need_id for reply in replies}
        yield line(
            Section.DENIAL,
            f"denial.{reason}",
            names.get(reason, (reason, reason)),
            len(ids),
            Unit.NEED,
            denominator=len(every),
            denominator_label="不予救助的需求 needs denied",
            persons=facts.persons_of(needs[need] for need in ids if need in needs),
        )


def pace(facts: ReportFacts) -> Iterator[ReportLine]:
    """Median days of each step, over the needs that have passed it."""
    for key, label, ends in STEPS:
        passed = [(need, seconds_between(*ends(need))) for need in facts.needs]
        spans = [span for _, span in passed if span is not None]
        people = facts.persons_of(need for need, span in passed if span is not None)
        yield line(
            Section.PACE,
            f"pace.{key}",
            label,
            median_days(spans),
            Unit.DAY,
            denominator=len(spans),
            denominator_label="中位数样本 median of",
            persons=people,
            cell=people,
        )


def duplicates(facts: ReportFacts) -> Iterator[ReportLine]:
    """Duplicates in doubt: found, confirmed, and the money that is held or was recovered."""
    found = _of_family(facts, "duplicate")
    confirmed = [finding for finding in found if finding.disposition in (CONFIRMED, RECOVERED)]
    recovered = [finding for finding in found if finding.disposition == RECOVERED]
    undecided = [finding for finding in found if finding.disposition is None]
    for key, label, rows in (
        ("found", ("发现", "found"), found),
        ("confirmed", ("认定", "confirmed"), confirmed),
        ("recovered", ("已追回", "recovered"), recovered),
        ("undecided", ("待认定", "not yet decided"), undecided),
    ):
        yield line(
            Section.DUPLICATE,
            f"duplicate.{key}",
            label,
            len(rows),
            Unit.FINDING,
            denominator=len(found),
            denominator_label="重复疑点 duplicates in doubt",
            family=f"duplicate.{key}",
        )
        yield line(
            Section.DUPLICATE,
            f"duplicate.{key}.stake",
            (f"{label[0]}·涉及金额", f"{label[1]}, money at stake"),
            sum(finding.stake_fen for finding in rows),
            Unit.FEN,
            cell=len(rows),
            family=f"duplicate.{key}",
        )


def false_matches(facts: ReportFacts) -> Iterator[ReportLine]:
    """Of the duplicates in doubt that a person decided, how many were none: by the group of the person. Who is of two
    groups counts in both; a group about which the doubts are often false is treated worse than the others."""
    decided = [finding for finding in _of_family(facts, "duplicate") if finding.disposition is not None]
    for group, label in ((None, ("无特定群体", "no specific group")), *words.GROUPS.items()):
        mine = [one for one in decided if (group in one.groups if group is not None else not one.groups)]
        false = [one for one in mine if one.disposition == FALSE_MATCH]
        key = "none" if group is None else group.value.lower()
        yield line(
            Section.DUPLICATE,
            f"duplicate.false.{key}",
            (f"误配率·{label[0]}", f"false matches, {label[1]}"),
            percent(len(false), len(mine)),
            Unit.PERCENT,
            denominator=len(mine),
            denominator_label="已认定的重复疑点 duplicates decided",
            cell=len(mine),
            family=f"duplicate.false.{key}",
        )


def missed(facts: ReportFacts) -> Iterator[ReportLine]:
    """Missed in doubt: found, cured, still open; then each kind."""
    found = _of_family(facts, "missed")
    cured = [finding for finding in found if finding.state is FindingState.CLOSED]
    of = {"denominator": len(found), "denominator_label": "遗漏疑点 missed in doubt"}
    section = Section.MISSED
    yield line(section, "missed.found", ("发现", "found"), len(found), Unit.FINDING, **of)
    yield line(section, "missed.cured", ("已补救", "cured"), len(cured), Unit.FINDING, family="missed.cured", **of)
    still = len(found) - len(cured)
    yield line(section, "missed.open", ("未补救", "still open"), still, Unit.FINDING, family="missed.cured", **of)
    share = percent(len(cured), len(found))
    label = ("补救率", "cured, share")
    yield line(section, "missed.rate", label, share, Unit.PERCENT, cell=len(cured), family="missed.cured", **of)
    names = {row["code"]: row["zh"] for row in read_table("findings")}
    for code, rows in sorted(grouped(found, lambda finding: finding.code).items()):
        said = (names.get(code, code), code)
        yield line(section, f"missed.{code}", said, len(rows), Unit.FINDING, partitions=("missed",), **of)


def _of_family(facts: ReportFacts, family: str) -> list[FindingCount]:
    codes = {row["code"] for row in read_table("findings") if row["family"] == family}
    return [finding for finding in facts.findings if finding.code in codes]
