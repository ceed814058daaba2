"""移送工作簿 The court's template as a clerk fills it in a spreadsheet program, and what is read back from it."""

from collections.abc import Callable
from datetime import date, datetime
from io import BytesIO
from typing import Any

import openpyxl
import pytest

from gateway.domain.intake_rules import IntakeVerdict, assess
from gateway.domain.programmes import load_programmes
from gateway.domain.regions import load_regions
from gateway.errors import FileUnreadable
from gateway.flows.read_referral import read_referral
from gateway.workbook.court_template import (
    HOUSEHOLD_SHEET,
    REFERRAL_SHEET,
    columns_of,
    write_court_template,
)
from gateway.workbook.court_workbook import read_court_workbook
from gateway.workbook.rows import RowProblem, RowResult
from schemas.referral import REFERRAL
from tests.builders import a_profile

FIRST_ROW = 3


def a_template() -> bytes:
    target = BytesIO()
    write_court_template(target)
    return target.getvalue()


TEMPLATE = a_template()


def heading(key: str, sheet: str = "referral") -> str:
    return next(column.heading for column in columns_of(sheet) if column.key == key)


def example(sheet: str = "referral") -> dict[str, Any]:
    """The template's own example, as a clerk would copy it."""
    return {column.key: column.example for column in columns_of(sheet) if column.example}


def a_row(**cells: Any) -> dict[str, Any]:
    """The least a referral needs; None leaves a cell blank, `__` in a name stands for the dot of a key."""
    row = {
        "referral_id": "R-1",
        "agreement_document": "黔高法〔2022〕98号",
        "case_number": "（2024）黔01司救执1号",
        "concluded_on": "2024-08-15",
        "decision": "ASSIST 予以救助",
        "person.name": "王示例",
        "person.id_type": "111 居民身份证",
        "person.id_number": "529999199001010019",
        "legal_basis": "STATUTORY_DUTY 履行法定职责",
    } | {name.replace("__", "."): cell for name, cell in cells.items()}
    return {key: cell for key, cell in row.items() if cell is not None}


def a_member(line: Any = "1", **cells: Any) -> dict[str, Any]:
    return {"line": line, "name": "李示例", "relation": "52 母亲", **cells}


def filled(
    *rows: dict[str, Any], members: tuple[dict[str, Any], ...] = (), change: Callable[[Any], None] | None = None
) -> bytes:
    """The template saved by a spreadsheet program with these rows in it."""
    book = openpyxl.load_workbook(BytesIO(TEMPLATE))
    for title, found in ((REFERRAL_SHEET, rows), (HOUSEHOLD_SHEET, members)):
        page = book[title]
        at = {cell.value: number for number, cell in enumerate(page[1], start=1)}
        for number, row in enumerate(found, start=FIRST_ROW):
            for key, value in row.items():
                page.cell(number, at[key]).value = value
    if change is not None:
        change(book)
    target = BytesIO()
    book.save(target)
    return target.getvalue()


def read(*rows: dict[str, Any], **options: Any) -> list[RowResult]:
    return list(read_court_workbook(filled(*rows, **options)))


def data_of(*rows: dict[str, Any], **options: Any) -> dict[str, Any]:
    (result,) = read(*rows, **options)
    assert result.problems == ()
    assert result.data is not None
    return result.data


def problems(row: dict[str, Any], **options: Any) -> list[tuple[str, str, str]]:
    (result,) = read(row, **options)
    assert result.data is None
    return [(problem.column, problem.pointer, problem.code) for problem in result.problems]


# --- a good row ---


def test_the_example_is_a_referral_of_an_invented_person() -> None:
    data = data_of(example(), members=(example("household"),))
    assert REFERRAL.validate(data) == {}
    assert {column.key for column in columns_of("referral") if column.need == "required"} <= set(example())
    assert data["person"]["id_number"].startswith("529999")
    assert data["person"]["household"][0]["id_number"].startswith("529999")


def test_the_example_keeps_every_rule_of_intake() -> None:
    data = data_of(example(), members=(example("household"),))
    verdict = assess(
        read_referral(data, court="cn/court/520100"),
        profile=a_profile(),
        regions=load_regions(),
        programmes=load_programmes(),
        today=date(2024, 9, 1),
        court_region="520100",
    )
    assert verdict == IntakeVerdict()


def test_the_least_a_referral_needs() -> None:
    assert data_of(a_row()) == {
        "referral_id": "R-1",
        "agreement_document": "黔高法〔2022〕98号",
        "case_number": "（2024）黔01司救执1号",
        "concluded_on": "2024-08-15",
        "decision": "ASSIST",
        "person": {"name": "王示例", "id_type": "111", "id_number": "529999199001010019"},
        "legal_basis": "STATUTORY_DUTY",
    }


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"decided_amount_yuan": "30,000.5"}, {"decided_amount_fen": 3_000_050}),
        ({"decided_amount_yuan": 30000.5}, {"decided_amount_fen": 3_000_050}),
        ({"concluded_on": date(2024, 8, 15)}, {"concluded_on": "2024-08-15"}),
        ({"concluded_on": "2024年8月15日"}, {"concluded_on": "2024-08-15"}),
        ({"reply_by": datetime(2024, 9, 15, 18, 0)}, {"reply_by": "2024-09-15T18:00:00+08:00"}),
        ({"reply_by": "2024-09-15"}, {"reply_by": "2024-09-15T23:59:59+08:00"}),
        ({"recipient_region": 520102}, {"recipient_region": "520102"}),
        ({"recipient_region": "520102 南明区"}, {"recipient_region": "520102"}),
        ({"decision": "不予救助"}, {"decision": "NOT_ASSIST"}),
        ({"no_public_notice": "是"}, {"no_public_notice": True}),
        ({"no_public_notice": False}, {"no_public_notice": False}),
        ({"custody": "第一行\n第二行"}, {"custody": "第一行\n第二行"}),
        ({"case_type": "enforcement 执行司法救助"}, {"case_type": "enforcement"}),
        ({"needs": None, "need_1": "MLG 最低生活保障"}, {"needs": [{"programme": "MLG"}]}),
    ],
)
def test_a_cell_becomes_the_wires_value(cells: dict[str, Any], expected: dict[str, Any]) -> None:
    data = data_of(a_row(**cells))
    assert {name: data[name] for name in expected} == expected


def test_parts_of_a_person_are_nested() -> None:
    person = data_of(
        a_row(
            person__guardian__name="李示例",
            person__guardian__relation=52,
            person__disability__kind="5 智力",
            person__disability__grade="2",
            person__specific_groups="WOMAN 妇女、残疾人",
            person__phone=13800000001,
        )
    )["person"]
    assert person["guardian"] == {"name": "李示例", "relation": "52"}
    assert person["disability"] == {"kind": 5, "grade": 2}
    assert (person["specific_groups"], person["phone"]) == (["WOMAN", "DISABLED"], "13800000001")


def test_needs_keep_their_order_and_a_pair_may_be_left_out() -> None:
    data = data_of(a_row(need_1="MLG", need_3="LIVING", need_3_note="无收入", need_5_note="只有说明"))
    assert data["needs"] == [{"programme": "MLG"}, {"need_code": "LIVING", "note": "无收入"}, {"note": "只有说明"}]


def test_investigators_share_a_cell_and_attachments_have_a_line_each() -> None:
    digest = "AB" * 32
    data = data_of(
        a_row(
            survey__mode="ON_SITE",
            survey__date="2024-07-30",
            survey__investigators="赵示例、钱示例",
            survey__summary="住房一处",
            attachments=f"{digest} application/pdf 20480\n\n{digest.lower()} image/png 1",
        )
    )
    assert data["survey"]["investigators"] == ["赵示例", "钱示例"]
    assert data["attachments"] == [
        {"sha256": "ab" * 32, "media_type": "application/pdf", "size": 20_480},
        {"sha256": "ab" * 32, "media_type": "image/png", "size": 1},
    ]


def test_household_members_join_the_row_with_their_line() -> None:
    first, second = read(
        a_row(line="1"),
        a_row(line=2, referral_id="R-2"),
        members=(a_member("2", name="甲"), a_member(1, name="乙"), a_member("2", name="丙", birth_date="1962-03-04")),
    )
    assert first.data is not None
    assert second.data is not None
    assert first.data["person"]["household"] == [{"name": "乙", "relation": "52"}]
    assert [member["name"] for member in second.data["person"]["household"]] == ["甲", "丙"]


def test_a_result_names_file_sheet_and_row() -> None:
    (result,) = read_court_workbook(filled({}, a_row()), file="移送.xlsx")
    assert (result.file, result.sheet, result.row, result.type) == (
        "移送.xlsx",
        REFERRAL_SHEET,
        4,
        "referral.submitted",
    )


# --- a bad row ---


def test_a_bad_row_never_stops_the_others() -> None:
    results = read(a_row(), a_row(referral_id="R-2", decision="同意"), a_row(referral_id="R-3"))
    assert [(result.row, result.data is None) for result in results] == [(3, False), (4, True), (5, False)]


def test_every_problem_of_a_row_is_named_at_once_with_its_heading() -> None:
    row = a_row(decision="同意", concluded_on="15/8/2024", person__id_type=None, decided_amount_yuan="三万")
    assert sorted(problems(row)) == sorted(
        [
            (heading("decision"), "/decision", "unknown_code"),
            (heading("concluded_on"), "/concluded_on", "not_a_day"),
            (heading("person.id_type"), "/person/id_type", "required"),
            (heading("decided_amount_yuan"), "/decided_amount_fen", "pattern"),
        ]
    )


@pytest.mark.parametrize(
    ("key", "value", "pointer", "code"),
    [
        ("person.id_number", 529999199001010019, "/person/id_number", "number_not_text"),
        ("person.name", "=A1", "/person/name", "formula_not_value"),
        ("referral_id", "R 1", "/referral_id", "pattern"),
        ("referral_id", "R" * 65, "/referral_id", "pattern"),
        ("recipient_region", "贵阳", "/recipient_region", "pattern"),
        ("person.name", "长" * 101, "/person/name", "too_long"),
        ("person.name", "甲\n乙", "/person/name", "control_character"),
        ("person.specific_groups", "妇女、妇女", "/person/specific_groups", "repeated"),
        ("person.specific_groups", "妇女、富人", "/person/specific_groups", "unknown_code"),
        ("person.disability.kind", "8", "/person/disability/kind", "unknown_code"),
        ("person.protection_order", "不详", "/person/protection_order", "not_boolean"),
        ("need_2", "钱", "/needs/0/programme", "unknown_code"),
        ("need_2_note", "说" * 1001, "/needs/0/note", "too_long"),
        ("attachments", "abc", "/attachments", "pattern"),
        ("attachments", "abc application/pdf 1", "/attachments/0/sha256", "pattern"),
        ("attachments", "abc application/pdf 1MB", "/attachments", "not_integer"),
        ("reply_by", "尽快", "/reply_by", "not_a_moment"),
        ("decided_amount_yuan", "-1", "/decided_amount_fen", "pattern"),
        ("line", "=ROW()", "/line", "formula_not_value"),
    ],
)
def test_a_bad_cell_is_named_once(key: str, value: Any, pointer: str, code: str) -> None:
    assert problems({**a_row(), key: value}) == [(heading(key), pointer, code)]


def test_a_part_begun_and_not_finished_names_the_column_that_is_missing() -> None:
    assert problems(a_row(person__guardian__name="李示例")) == [
        (heading("person.guardian.relation"), "/person/guardian/relation", "required")
    ]
    assert problems(a_row(contact__phone="0851-80000000")) == [(heading("contact.name"), "/contact/name", "required")]


def test_a_row_without_a_person_points_at_the_persons_first_column() -> None:
    row = {key: cell for key, cell in a_row().items() if not key.startswith("person.")}
    assert problems(row) == [(heading("person.name"), "/person", "required")]


def test_a_need_is_pointed_at_where_the_clerk_wrote_it_and_where_the_wire_has_it() -> None:
    found = problems(a_row(need_2="MLG", need_4="钱", need_5="MED", need_5_note="=1"))
    assert found == [
        (heading("need_4"), "/needs/1/programme", "unknown_code"),
        (heading("need_5_note"), "/needs/2/note", "formula_not_value"),
    ]


def test_a_problem_of_a_household_member_names_that_sheet_and_row() -> None:
    (result,) = read(
        a_row(line="7"), members=(a_member("7"), a_member("7", relation=None), a_member("7", birth_date="昨天"))
    )
    column = heading("relation", "household")
    birth = heading("birth_date", "household")
    assert result.problems == (
        RowProblem(
            row=5, sheet=HOUSEHOLD_SHEET, column=birth, pointer="/person/household/2/birth_date", code="not_a_day"
        ),
        RowProblem(
            row=4, sheet=HOUSEHOLD_SHEET, column=column, pointer="/person/household/1/relation", code="required"
        ),
    )


@pytest.mark.parametrize(("line", "code"), [("9", "invalid"), (None, "required"), ("=1", "formula_not_value")])
def test_a_household_row_that_belongs_to_nobody_is_told_and_not_dropped(line: Any, code: str) -> None:
    referral, orphan = read(a_row(line="1"), members=(a_member(line),))
    assert referral.data is not None
    assert (orphan.sheet, orphan.row, orphan.data) == (HOUSEHOLD_SHEET, 3, None)
    assert [(problem.pointer, problem.code) for problem in orphan.problems] == [("/line", code)]


def test_a_line_number_given_twice_is_refused_where_it_comes_again() -> None:
    first, second = read(a_row(line="1"), a_row(line="1", referral_id="R-2"), members=(a_member("1"),))
    assert first.data is not None
    assert [(problem.pointer, problem.code) for problem in second.problems] == [("/line", "repeated")]


def test_line_numbers_may_be_left_out_by_everyone_without_a_household() -> None:
    assert [result.problems for result in read(a_row(), a_row(referral_id="R-2"))] == [(), ()]


def test_a_column_a_clerk_added_is_named_and_its_row_not_taken() -> None:
    def change(book: Any) -> None:
        page = book[REFERRAL_SHEET]
        page.cell(FIRST_ROW, len(columns_of("referral")) + 1).value = "旁注"

    (result,) = read(a_row(), change=change)
    assert [(problem.pointer, problem.code) for problem in result.problems] == [("/?", "unknown_field")]
    assert result.problems[0].column.isalpha()


def test_columns_may_be_moved_but_not_deleted() -> None:
    def deleted(book: Any) -> None:
        book[REFERRAL_SHEET].delete_cols(3)

    with pytest.raises(FileUnreadable):
        read(a_row(), change=deleted)


@pytest.mark.parametrize("title", [REFERRAL_SHEET, HOUSEHOLD_SHEET])
def test_a_sheet_may_not_be_missing(title: str) -> None:
    with pytest.raises(FileUnreadable):
        read(a_row(), change=lambda book: book.remove(book[title]))


def test_no_problem_quotes_what_was_written() -> None:
    (result,) = read(a_row(decision="王示例", person__id_number=529999199001010019, reply_by="李示例"))
    assert [word for word in ("王示例", "李示例", "5299") if word in str(result)] == []
