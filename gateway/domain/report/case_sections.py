"""案件统计 The sections of the report that count courts' own work: cases, amounts, grounds, specific groups, minors.

Amounts are what was decided; a line of money names the people behind it. The exact combinations of specific groups add
up to each group's total, so that groups can overlap and still be checked.
"""

from collections.abc import Iterator, Sequence

from gateway.domain.person import SpecificGroup
from gateway.domain.referral import Decision, ReferralAssessment
from gateway.domain.report import words as words
from gateway.domain.report.facts import (
    Label,
    ReportFacts,
    average,
    distinct_persons,
    grouped,
    line,
    median,
    median_days,
    percent,
    total_fen,
)
from gateway.domain.report.values import RESIDENT_ID_TYPE, ReportLine, ReportRow, Section, Unit

CONCLUDED = "审结案件 concluded"
ASSISTED = "予以救助 assisted"
PERSONS = "被救助人 assisted persons"
SPECIAL = "特定群体 specific groups"
REFERRALS = "移送 referrals"
SECONDS_OF_DAY = 86_400


def concluded(facts: ReportFacts) -> Iterator[ReportLine]:
    """Concluded, assisted and its rate, the others by what was decided."""
    section, every = Section.CONCLUDED, len(facts.cases)
    persons = distinct_persons(facts.rows)
    yield line(section, "concluded.cases", ("审结", "Concluded"), every, Unit.CASE, persons=persons)
    helped = len(facts.assisted_cases)
    of = {"denominator": every, "denominator_label": CONCLUDED, "family": "concluded.assisted"}
    people = distinct_persons(facts.assisted)
    label = ("予以救助", "Assisted")
    yield line(section, "concluded.assisted", label, helped, Unit.CASE, persons=people, partitions=("concluded",), **of)
    rate = percent(helped, every)
    yield line(section, "concluded.rate", ("救助率", "Assisted, share"), rate, Unit.PERCENT, cell=helped, **of)
    others = {number: rows for number, rows in facts.cases.items() if number not in facts.assisted_cases}
    for decision, said in words.DECISIONS.items():
        found = [rows for rows in others.values() if _decision(rows) is decision]
        yield line(
            section,
            f"concluded.{decision.value.lower()}",
            said,
            len(found),
            Unit.CASE,
            denominator=every,
            denominator_label=CONCLUDED,
            persons=distinct_persons(row for rows in found for row in rows),
            partitions=("concluded",),
        )


def amounts(facts: ReportFacts) -> Iterator[ReportLine]:
    """People aided and their money: in total, per case, per person, the median person."""
    people, total = distinct_persons(facts.assisted), total_fen(facts.assisted)
    cases = len(facts.assisted_cases)
    by_person = grouped(facts.assisted, lambda row: row.person_ref or row.referral_id)
    found = median(total_fen(rows) for rows in by_person.values())
    section = Section.AMOUNT
    values: tuple[tuple[str, Label, int | None, int, str], ...] = (
        ("total", ("救助金额", "Amount decided"), total, cases, ASSISTED),
        ("per_case", ("案均", "Per case"), average(total, cases), cases, ASSISTED),
        ("per_person", ("人均", "Per person"), average(total, people), people, PERSONS),
        ("median", ("人均中位数", "Median per person"), None if found is None else average(*found), people, PERSONS),
    )
    yield line(
        section, "amount.persons", ("被救助人", "Persons aided"), people, Unit.PERSON, persons=people, family="amount"
    )
    for key, label, value, denominator, of in values:
        yield line(
            section,
            f"amount.{key}",
            label,
            value,
            Unit.FEN,
            denominator=denominator,
            denominator_label=of,
            persons=people,
            cell=people,
            family="amount",
        )
    yield from _court_payments(facts)


def _court_payments(facts: ReportFacts) -> Iterator[ReportLine]:
    paid = [row for row in facts.assisted if row.paid_on is not None]
    yield line(
        Section.AMOUNT,
        "amount.paid",
        ("已发放", "Paid by the court"),
        len(paid),
        Unit.REFERRAL,
        denominator=len(facts.assisted),
        denominator_label=REFERRALS,
        persons=distinct_persons(paid),
    )


def case_types(facts: ReportFacts) -> Iterator[ReportLine]:
    """Concluded, assisted and amount of each case type."""
    by_type = grouped(facts.rows, lambda row: row.case_type)
    known = words.case_types()
    for code in [*(code for code in known if code in by_type), *(code for code in by_type if code not in known)]:
        rows = by_type[code]
        key, label = f"case_type.{code or 'none'}", words.worded(known, code)
        aided = [row for row in rows if row.is_assisted]
        numbers = {row.case_number for row in rows}
        helped = {row.case_number for row in aided}
        yield _cases_line(facts, key, _and(label, ("审结", "concluded")), numbers, rows, "case_type")
        yield line(
            Section.CASE_TYPE,
            f"{key}.assisted",
            _and(label, ("救助", "assisted")),
            len(helped),
            Unit.CASE,
            denominator=len(numbers),
            denominator_label=CONCLUDED,
            persons=distinct_persons(aided),
            partitions=("case_type.assisted",),
            family=key,
        )
        yield _money(
            Section.CASE_TYPE, f"{key}.amount", _and(label, ("金额", "amount")), aided, "case_type", family=key
        )


def _cases_line(
    facts: ReportFacts, key: str, label: Label, numbers: set[str], rows: Sequence[ReportRow], partition: str
) -> ReportLine:
    return line(
        Section.CASE_TYPE,
        f"{key}.cases",
        label,
        len(numbers),
        Unit.CASE,
        denominator=len(facts.cases),
        denominator_label=CONCLUDED,
        persons=distinct_persons(rows),
        partitions=(f"{partition}.cases",),
        family=key,
    )


def grounds(facts: ReportFacts) -> Iterator[ReportLine]:
    """People and amount of each ground."""
    everyone = distinct_persons(facts.assisted)
    by_ground = grouped(facts.assisted, lambda row: row.ground_code)
    for code in sorted(by_ground, key=lambda code: code or "~"):
        key, label = f"ground.{code or 'none'}", words.worded(words.GROUNDS, code)
        yield from _people_and_money(Section.GROUND, key, label, by_ground[code], (everyone, PERSONS), ("ground",))


def refusals(facts: ReportFacts) -> Iterator[ReportLine]:
    """Cases refused, by reason."""
    refused = [row for row in facts.rows if row.decision is Decision.NOT_ASSIST]
    every = {row.case_number for row in refused}
    by_reason = grouped(refused, lambda row: row.refusal_code)
    for code in sorted(by_reason, key=lambda code: code or "~"):
        yield line(
            Section.REFUSAL,
            f"refusal.{code or 'none'}",
            words.worded(words.REFUSALS, code),
            len({row.case_number for row in by_reason[code]}),
            Unit.CASE,
            denominator=len(every),
            denominator_label="不予救助 refused",
            persons=distinct_persons(by_reason[code]),
            partitions=("refusal",),
        )


def groups(facts: ReportFacts) -> Iterator[ReportLine]:
    """People of any specific group and of each, with their money; one person may be in several."""
    special = [row for row in facts.assisted if row.groups]
    everyone = distinct_persons(facts.assisted)
    label = ("特定群体合计", "Any specific group")
    yield from _people_and_money(Section.GROUP, "group.any", label, special, (everyone, PERSONS), ())
    of = (distinct_persons(special), SPECIAL)
    for group, said in words.GROUPS.items():
        rows = [row for row in special if group in row.groups]
        yield from _people_and_money(Section.GROUP, f"group.{group.value.lower()}", said, rows, of, ())


def overlap(facts: ReportFacts) -> Iterator[ReportLine]:
    """People of exactly this combination of groups; they add up to every group's total."""
    special = [row for row in facts.assisted if row.groups]
    every = distinct_persons(special)
    for combination, rows in sorted(
        grouped(special, lambda row: row.groups).items(), key=lambda item: (len(item[0]), sorted(item[0]))
    ):
        members = [group for group in SpecificGroup if group in combination]
        names = [words.GROUPS[group] for group in members]
        label = ("、".join(zh for zh, _ in names), " + ".join(en for _, en in names))
        key = "overlap." + "+".join(group.value.lower() for group in members)
        totals = ("any", *(group.value.lower() for group in members))
        yield from _people_and_money(
            Section.OVERLAP, key, label, rows, (every, SPECIAL), tuple(f"group.{total}" for total in totals)
        )


def minors(facts: ReportFacts) -> Iterator[ReportLine]:
    """Whether minors came first: days to payment and to the handoff beside everyone else's, and money in custody."""
    young = [row for row in facts.assisted if row.is_minor]
    for key, label, rows in (
        ("minor", words.GROUPS[SpecificGroup.MINOR], [row for row in facts.rows if row.is_minor]),
        ("adult", ("成年人", "Adults"), [row for row in facts.rows if not row.is_minor]),
    ):
        yield from _days_of(facts, key, label, rows)
    yield line(
        Section.MINOR,
        "minor.custody",
        ("使用管护", "Money in custody"),
        distinct_persons(row for row in young if row.custody),
        Unit.PERSON,
        denominator=distinct_persons(young),
        denominator_label="未成年被救助人 minors aided",
    )


def _days_of(facts: ReportFacts, key: str, label: Label, rows: Sequence[ReportRow]) -> Iterator[ReportLine]:
    paid = [row for row in rows if row.is_assisted and row.paid_on is not None and row.paid_on >= row.concluded_on]
    spans = [(row.paid_on - row.concluded_on).days * SECONDS_OF_DAY for row in paid if row.paid_on is not None]
    mine = {row.referral_id for row in rows}
    handed = [need for need in facts.needs if need.referral_id in mine and need.issued_at and need.step == 0]
    waits = [int((need.issued_at - need.accepted_at).total_seconds()) for need in handed if need.issued_at]
    for suffix, said, value, count, people in (
        ("days_to_pay", ("结案至发放", "concluded to paid"), median_days(spans), len(paid), distinct_persons(paid)),
        (
            "days_to_handoff",
            ("收到至转办", "accepted to handoff"),
            median_days(waits),
            len(handed),
            facts.persons_of(handed),
        ),
    ):
        yield line(
            Section.MINOR,
            f"{key}.{suffix}",
            _and(label, said),
            value,
            Unit.DAY,
            denominator=count,
            denominator_label="中位数样本 median of",
            persons=people,
            cell=people,
        )


def assessment(facts: ReportFacts) -> Iterator[ReportLine]:
    """Rule R01: every concluded case has an assessment; by referral, as each person is assessed."""
    every = len(facts.rows)
    missing = [row for row in facts.rows if row.assessment is None]
    of = {"denominator": every, "denominator_label": REFERRALS}
    section, hidden = Section.ASSESSMENT, {"family": "assessment.missing"}
    done = every - len(missing)
    yield line(section, "assessment.done", ("已评估", "Assessed"), done, Unit.REFERRAL, **of, **hidden)
    share = percent(done, every)
    label = ("评估覆盖率", "Assessed, share")
    yield line(section, "assessment.coverage", label, share, Unit.PERCENT, cell=done, **of, **hidden)
    yield line(
        section,
        "assessment.missing",
        ("未评估", "Without assessment"),
        len(missing),
        Unit.REFERRAL,
        persons=distinct_persons(missing),
        partitions=("assessment",),
        **of,
        **hidden,
    )
    for kind in ReferralAssessment:
        rows = [row for row in facts.rows if row.assessment is kind]
        yield line(
            section,
            f"assessment.{kind.value.lower()}",
            words.ASSESSMENTS[kind],
            len(rows),
            Unit.REFERRAL,
            persons=distinct_persons(rows),
            partitions=("assessment",),
            **of,
        )


def quality(facts: ReportFacts) -> Iterator[ReportLine]:
    """What makes a referral hard to match or to route."""
    found: tuple[tuple[str, Label, list[ReportRow]], ...] = (
        ("other_id", ("非居民身份证", "Not a resident id"), [r for r in facts.rows if r.id_type != RESIDENT_ID_TYPE]),
        ("no_birth_date", ("无出生日期", "No birth date"), [r for r in facts.rows if not r.has_birth_date]),
        ("no_region", ("无户籍地", "No household registration"), [r for r in facts.rows if not r.has_region]),
        ("not_matched", ("未授权比对", "Not matched"), [r for r in facts.rows if r.person_ref is None]),
        ("withdrawn", ("已撤回移送", "Referral withdrawn"), [r for r in facts.rows if r.withdrawn]),
    )
    for key, label, rows in found:
        yield line(
            Section.QUALITY,
            f"quality.{key}",
            label,
            len(rows),
            Unit.REFERRAL,
            denominator=len(facts.rows),
            denominator_label=REFERRALS,
            persons=distinct_persons(rows),
        )


def _people_and_money(
    section: Section,
    key: str,
    label: Label,
    rows: Sequence[ReportRow],
    of: tuple[int, str],
    partitions: tuple[str, ...],
) -> Iterator[ReportLine]:
    yield line(
        section,
        f"{key}.persons",
        label,
        distinct_persons(rows),
        Unit.PERSON,
        denominator=of[0],
        denominator_label=of[1],
        persons=distinct_persons(rows),
        partitions=tuple(f"{partition}.persons" for partition in partitions),
        family=key,
    )
    yield _money(section, f"{key}.amount", _and(label, ("金额", "amount")), rows, *partitions, family=key)


def _money(
    section: Section, key: str, label: Label, rows: Sequence[ReportRow], *partitions: str, family: str
) -> ReportLine:
    people = distinct_persons(rows)
    return line(
        section,
        key,
        label,
        total_fen(rows),
        Unit.FEN,
        denominator=people,
        denominator_label=PERSONS,
        persons=people,
        cell=people,
        partitions=tuple(f"{partition}.amount" for partition in partitions),
        family=family,
    )


def _decision(rows: Sequence[ReportRow]) -> Decision:
    """Of a case in which nobody was assisted: refused if anybody was, else as its first beneficiary."""
    return Decision.NOT_ASSIST if any(row.decision is Decision.NOT_ASSIST for row in rows) else rows[0].decision


def _and(label: Label, more: Label) -> Label:
    return f"{label[0]}·{more[0]}", f"{label[1]}, {more[1]}"
