"""The report printed and published: the press paragraph, the table, the text, and what the public does not see."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from gateway.domain.person import SpecificGroup
from gateway.domain.referral import Decision
from gateway.domain.report.build import (
    Narrowed,
    Report,
    build_report,
    facts_of,
    press_paragraph,
    render_text,
    report_columns,
    report_table,
)
from gateway.domain.report.text import ten_thousand_yuan
from gateway.domain.report.values import COUNTS, ReportLine
from tests.unit.test_report import PERIOD, a_row, refused, report_of


def rows(count: int, first: int = 1, **changes: Any) -> list[Any]:
    return [a_row(number, **changes) for number in range(first, first + count)]


def public(*found: Any) -> Report:
    return report_of(*found, public=True)


# --- the press paragraph ---


def test_the_press_paragraph_is_in_the_courts_own_layout() -> None:
    report = report_of(*rows(7), *rows(6, 8, groups=frozenset({SpecificGroup.MINOR})), refused(20))
    assert press_paragraph(report) == (
        "2026年1月至2026年3月，贵州省法院共审结司法救助案件14件，其中予以救助13件，救助金额13.00万元；"
        "救助未成年人、老年人、妇女、残疾人等特定群体6人，救助金额6.00万元。"
    )


def test_one_invented_person_makes_the_whole_paragraph_say_so() -> None:
    assert press_paragraph(report_of(a_row(1), a_row(2, synthetic=True))).startswith("【合成数据，非真实案件】")
    assert "合成" not in press_paragraph(report_of(a_row(1)))


@pytest.mark.parametrize(
    ("period", "text"),
    [
        ((date(2024, 2, 1), date(2024, 2, 29)), "2024年2月，"),
        ((date(2023, 1, 1), date(2024, 7, 31)), "2023年1月至2024年7月，"),
        ((date(2023, 1, 1), date(2024, 7, 30)), "2023年1月1日至2024年7月30日，"),
    ],
)
def test_a_period_of_whole_months_is_told_by_the_month(period: tuple[date, date], text: str) -> None:
    report = replace(report_of(a_row(1)), period_from=period[0], period_to=period[1])
    assert press_paragraph(report).startswith(text)


@pytest.mark.parametrize(
    ("fen", "text"),
    [(2_777_620_000, "2777.62"), (813_620_000, "813.62"), (0, "0.00"), (4_999, "0.00"), (5_000, "0.01")],
)
def test_ten_thousands_of_yuan_are_rounded_half_up_to_two_decimals(fen: int, text: str) -> None:
    assert ten_thousand_yuan(fen) == text


def test_a_region_nobody_lists_is_told_by_its_code() -> None:
    report = build_report(facts_of([a_row(1)], period=(date(2026, 1, 1), date(2026, 3, 31)), region="999999"))
    assert "999999法院" in press_paragraph(report)


def test_the_paragraph_is_told_in_english_too() -> None:
    report = report_of(*rows(7), *rows(6, 8, groups=frozenset({SpecificGroup.MINOR})), refused(20))
    assert press_paragraph(report, "en") == (
        "From January 2026 to March 2026, the courts of 贵州省 concluded 14 cases of judicial assistance, of which "
        "13 were assisted, with 130,000.00 yuan (13.00万元); 6 persons of specific groups (minors, elderly people, "
        "women, disabled people) were aided with 60,000.00 yuan (6.00万元)."
    )
    assert press_paragraph(report_of(a_row(1, synthetic=True)), "en").startswith("[Synthetic data, no real case] ")
    assert "(fewer than 5, left out)" in press_paragraph(public(a_row(1)), "en")


def test_a_report_of_a_part_says_of_which_part_wherever_it_is_told() -> None:
    narrowed = Narrowed(case_type="criminal", group=SpecificGroup.MINOR, agency="civil_affairs")
    names = {"civil_affairs": ("民政", "Civil affairs")}
    facts = facts_of(
        [a_row(1)], period=PERIOD, region="520100", court_zh="测试法院", narrowed=narrowed, agency_names=names
    )
    report = build_report(facts)
    assert "测试法院（仅刑事司法救助、未成年人、民政）共审结" in press_paragraph(report)
    assert "测试法院 (Criminal, Minors, Civil affairs only) concluded" in press_paragraph(report, "en")
    assert {row["region"] for row in report_table(report)} == {"520100 贵阳市 测试法院"}
    assert all("仅 only: 刑事司法救助、未成年人、民政" in row["note"] for row in report_table(report))
    assert "刑事司法救助、未成年人、民政" in render_text(report)


def test_a_report_of_several_provinces_is_of_everywhere() -> None:
    report = build_report(facts_of([a_row(1)], period=PERIOD, region=""))
    assert "各地法院共审结" in press_paragraph(report)
    assert "all courts concluded" in press_paragraph(report, "en")


# --- table and text ---


def test_every_line_of_the_table_prints_period_region_denominator_and_persons() -> None:
    report = report_of(*rows(6))
    table = report_table(report)
    keys = {key for key, _ in report_columns()}
    assert len(table) == len(report.lines)
    assert all(row.keys() == keys for row in table)
    assert {(row["period"], row["region"]) for row in table} == {("2026-01-01/2026-03-31", "520000 贵州省")}
    total = next(row for row in table if row["key"] == "amount.total")
    assert (total["value"], total["denominator"], total["persons"]) == ("60000.00", "6", "6")


@pytest.mark.parametrize(("language", "words"), [("zh", "审结与救助"), ("en", "Concluded and assisted")])
def test_the_text_is_in_the_language_asked_for(language: str, words: str) -> None:
    text = render_text(report_of(*rows(6)), language)
    assert words in text.splitlines()
    assert text.endswith("\n")
    assert "60,000.00" in text


def test_a_third_language_is_refused() -> None:
    with pytest.raises(ValueError, match="fr"):
        render_text(report_of(), "fr")


def test_what_could_not_be_computed_is_a_dash_and_what_was_left_out_says_so() -> None:
    assert "–" in render_text(report_of())
    assert "<5 略" in render_text(public(a_row(1)))
    left_out = next(row for row in report_table(public(a_row(1))) if row["key"] == "concluded.cases")
    assert (left_out["value"], left_out["note"]) == ("", "<5 略 left out (<5)")
    assert "（不足5，略）" in press_paragraph(public(a_row(1)))


# --- what the public does not see ---


def left_out(report: Report) -> set[str]:
    return {line.key for line in report.lines if line.suppressed}


@pytest.mark.parametrize(("count", "hidden"), [(4, True), (5, False)])
def test_four_cases_are_left_out_and_five_are_shown(count: int, hidden: bool) -> None:
    assert ("concluded.cases" in left_out(public(*rows(count)))) is hidden


def test_a_zero_is_shown() -> None:
    report = public(*rows(9))
    assert (report.line("concluded.suspended").value, report.line("concluded.suspended").suppressed) == (0, False)


def test_the_report_for_the_courts_leaves_nothing_out() -> None:
    assert left_out(report_of(a_row(1))) == set()


def test_money_goes_with_the_few_people_it_was_for() -> None:
    report = public(*rows(20), a_row(30, ground_code="G5"))
    assert {"ground.G5.persons", "ground.G5.amount"} <= left_out(report)


def test_a_single_small_part_takes_the_next_smallest_with_it_so_that_no_difference_gives_it_away() -> None:
    report = public(*rows(20), *rows(7, 40, ground_code="G1"), a_row(60, ground_code="G5"))
    assert {"ground.G5.persons", "ground.G1.persons", "ground.G1.amount"} <= left_out(report)


def test_two_small_parts_that_are_still_few_together_take_a_third() -> None:
    report = public(*rows(20), *rows(7, 40, ground_code="G1"), a_row(60, ground_code="G5"), a_row(61, ground_code="G2"))
    assert "ground.G1.persons" in left_out(report)


def test_a_rate_that_would_tell_the_few_others_is_left_out() -> None:
    report = public(*rows(20), refused(40), refused(41))
    assert {"concluded.assisted", "concluded.rate", "concluded.not_assist"} <= left_out(report)


def test_small_combinations_of_groups_cannot_be_worked_out_from_the_groups() -> None:
    minor, woman = frozenset({SpecificGroup.MINOR}), frozenset({SpecificGroup.WOMAN})
    report = public(
        *rows(30),
        *rows(12, 40, groups=minor),
        *rows(11, 60, groups=woman),
        *rows(2, 80, groups=minor | woman),
    )
    assert exposed(report) == []


def test_no_small_count_is_left_in_any_public_line() -> None:
    decisions = [Decision.NOT_ASSIST, Decision.SUSPENDED, Decision.TERMINATED]
    found = [*rows(40), *(refused(100 + number, decision=decisions[number % 3]) for number in range(8))]
    found += [
        a_row(200 + n, ground_code=f"G{n}", case_type="civil", groups=frozenset({SpecificGroup.WOMAN}))
        for n in range(1, 6)
    ]
    report = public(*found)
    for line in report.lines:
        shown = (line.value if line.unit in COUNTS else None, line.persons, line.denominator)
        assert not [count for count in shown if isinstance(count, int) and 0 < count < 5], line.key
    assert exposed(report) == []


def exposed(report: Report) -> list[str]:
    """Partitions in which one part is missing while the others are shown."""
    parts: dict[str, list[ReportLine]] = {}
    for line in report.lines:
        for name in line.partitions:
            parts.setdefault(name, []).append(line)
    missing = {name: sum(line.suppressed for line in lines) for name, lines in parts.items()}
    return [name for name, lines in parts.items() if missing[name] == 1 and len(lines) > 1]
