"""转办表 The sheet an office fills in, from the adapter's rows to the answers read back."""

from datetime import date, datetime
from io import BytesIO
from typing import Any

import openpyxl
import pytest

from adapters.base import PAYEES, read_sheet_reply
from adapters.civil_affairs.adapter import CivilAffairs
from adapters.womens_federation.adapter import WomensFederation
from gateway.domain.handoff import Handoff
from gateway.domain.replies import DenialReason, ReplyCode, denial_reasons_for
from gateway.errors import FileUnreadable
from gateway.ports import Adapter
from gateway.workbook.court_template import write_court_template
from gateway.workbook.rows import RowProblem
from gateway.workbook.sheets import (
    HANDOFF_SHEET,
    NOTES,
    PAYEE_WORDS,
    REPLY_COLUMNS,
    ReplyRow,
    read_reply_sheet,
    reason_words,
    result_words,
    write_handoff_sheet,
)
from gateway.workbook.writing import NOTES_SHEET
from tests.adapters.builders import a_handoff, masked, sent

COLUMNS = (("handoff_id", "转办编号"), ("need_id", "事项编号"), ("name", "姓名"))
ROWS = (
    {"handoff_id": "H-1", "need_id": "N-1", "name": "王示例"},
    {"handoff_id": "H-1", "need_id": "N-2", "name": "=王示例"},
)


def a_sheet(columns: Any = COLUMNS, rows: Any = ROWS, agency: str = "womens_federation") -> bytes:
    target = BytesIO()
    write_handoff_sheet(target, columns, rows, agency=agency)
    return target.getvalue()


def filled(raw: bytes, *answers: dict[str, Any]) -> bytes:
    """The sheet with these answers typed in, from the first data row on."""
    book = openpyxl.load_workbook(BytesIO(raw))
    page = book[HANDOFF_SHEET]
    at = {cell.value: number for number, cell in enumerate(page[1], start=1)}
    for number, answer in enumerate(answers, start=3):
        for key, value in answer.items():
            page.cell(number, at[key]).value = value
    target = BytesIO()
    book.save(target)
    return target.getvalue()


def replies(*answers: dict[str, Any]) -> list[ReplyRow]:
    return list(read_reply_sheet(filled(a_sheet(), *answers)))


def stated(row: ReplyRow) -> dict[str, str]:
    return {key: cell for key, cell in row.cells.items() if cell}


# --- out ---


def test_the_handoff_stands_left_and_locked_and_the_answer_right_and_open() -> None:
    page = openpyxl.load_workbook(BytesIO(a_sheet()))[HANDOFF_SHEET]
    keys = [cell.value for cell in page[1]]
    assert keys == ["handoff_id", "need_id", "name", *(key for key, _ in REPLY_COLUMNS[2:])]
    assert page.protection.sheet
    assert [page.cell(3, column).protection.locked for column in (1, 2, 3)] == [True, True, True]
    assert [cell.value for cell in page[3]][:3] == ["H-1", "N-1", "王示例"]


def test_answer_columns_are_open_text_cells_all_the_way_down() -> None:
    page = openpyxl.load_workbook(BytesIO(a_sheet()))[HANDOFF_SHEET]
    spans = [span for span in page.column_dimensions.values() if not span.protection.locked]
    assert {span.number_format for span in spans} == {"@"}
    answers = {number for span in spans for number in range(span.min or 0, (span.max or 0) + 1)}
    assert answers == set(range(4, 4 + len(REPLY_COLUMNS) - 2))


def test_results_reasons_and_payees_are_chosen_from_lists() -> None:
    book = openpyxl.load_workbook(BytesIO(a_sheet()))
    lists = [[cell.value for cell in column if cell.value] for column in book["_codes"].columns]
    assert lists == [result_words(), reason_words("womens_federation"), list(PAYEE_WORDS)]
    assert len(book[HANDOFF_SHEET].data_validations.dataValidation) == 3


@pytest.mark.parametrize("agency", ["civil_affairs", "disabled_persons", "womens_federation"])
def test_every_word_offered_is_one_the_adapters_read(agency: str) -> None:
    row = {"handoff_id": "H-1", "result": "受理", "at": "2024-08-26"}
    results = [read_sheet_reply({**row, "result": word}).code for word in result_words()]
    reasons = [read_sheet_reply({**row, "reason": word}, agency=agency).reason for word in reason_words(agency)]
    assert results == [*ReplyCode]
    assert {reason for reason in reasons if reason} == denial_reasons_for(agency)
    assert len(reasons) == len(denial_reasons_for(agency))
    assert [read_sheet_reply({**row, "payee": word}).payee for word in PAYEE_WORDS] == list(PAYEES)


def test_how_to_fill_it_in_is_told_in_both_languages() -> None:
    book = openpyxl.load_workbook(BytesIO(a_sheet()))
    assert [cell.value for cell in book[NOTES_SHEET]["A"]] == list(NOTES)


def test_the_ids_are_added_where_an_agencys_columns_lack_them() -> None:
    page = openpyxl.load_workbook(BytesIO(a_sheet(columns=(("name", "姓名"),))))[HANDOFF_SHEET]
    assert [page.cell(1, column).value for column in (1, 2, 3)] == ["handoff_id", "need_id", "name"]
    assert page["A3"].value == "H-1"


def test_a_column_that_would_be_read_as_an_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="reason"):
        a_sheet(columns=(*COLUMNS, ("reason", "救助事由")))


def test_an_answer_the_adapter_did_not_ask_for_is_not_written() -> None:
    page = openpyxl.load_workbook(BytesIO(a_sheet(rows=({**ROWS[0], "result": "予以救助"},))))[HANDOFF_SHEET]
    assert page.cell(3, 4).value is None


# --- back ---


def test_rows_without_a_result_are_passed_over() -> None:
    assert replies() == []
    (row,) = replies({"officer": "周示例"}, {"result": "受理"})
    assert (row.row, stated(row)) == (4, {"handoff_id": "H-1", "need_id": "N-2", "result": "受理"})


def test_a_filled_row_holds_the_reply_columns_and_no_other() -> None:
    (row,) = replies({"result": "受理"})
    assert list(row.cells) == [key for key, _ in REPLY_COLUMNS]


def test_days_become_one_spelling_however_they_were_typed() -> None:
    (row,) = replies(
        {
            "result": "予以救助",
            "at": datetime(2024, 8, 26, 10, 0),
            "starts_on": date(2024, 9, 1),
            "ends_on": "2025年8月31日",
            "next_due": "2024/9/20",
            "amount_yuan": 650.5,
        }
    )
    assert stated(row) == {
        "handoff_id": "H-1",
        "need_id": "N-1",
        "result": "予以救助",
        "at": "2024-08-26 10:00:00",
        "starts_on": "2024-09-01",
        "ends_on": "2025-08-31",
        "next_due": "2024-09-20",
        "amount_yuan": "650.5",
    }


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("2024/8/26 10:00", "2024-08-26 10:00"),
        ("2024年8月26日", "2024-08-26"),
        (date(2024, 8, 26), "2024-08-26"),
        ("昨天", "昨天"),
        ("昨天 10:00", "昨天 10:00"),
    ],
)
def test_a_moment_keeps_its_clock_and_what_is_none_stays_as_typed(typed: Any, read: str) -> None:
    assert replies({"result": "受理", "at": typed})[0].cells["at"] == read


def test_a_cell_that_cannot_be_read_is_named_and_the_other_rows_come() -> None:
    bad, good = replies({"result": "受理", "amount_yuan": "=1+1"}, {"result": "受理"})
    assert bad.problems == (
        RowProblem(
            row=3,
            column="金额（元）\nAmount (yuan)",
            pointer="/amount_yuan",
            code="formula_not_value",
            sheet=HANDOFF_SHEET,
        ),
    )
    assert (good.row, good.problems) == (4, ())


def test_a_result_that_is_a_formula_is_a_problem_and_not_an_unfilled_row() -> None:
    (row,) = replies({"result": "=A1"})
    assert [(problem.pointer, problem.code) for problem in row.problems] == [("/result", "formula_not_value")]


def test_a_broken_cell_on_the_handoffs_side_does_not_spoil_the_answer() -> None:
    (row,) = replies({"name": "=1+1", "result": "受理"})
    assert row.problems == ()


def test_an_altered_id_is_handed_on_for_the_caller_to_judge() -> None:
    (row,) = replies({"need_id": "N-9", "result": "受理"})
    assert row.cells["need_id"] == "N-9"


def test_another_template_is_refused() -> None:
    target = BytesIO()
    write_court_template(target)
    with pytest.raises(FileUnreadable):
        list(read_reply_sheet(target.getvalue()))


def test_a_deleted_answer_column_is_refused() -> None:
    book = openpyxl.load_workbook(BytesIO(a_sheet()))
    book[HANDOFF_SHEET].delete_cols(6)
    target = BytesIO()
    book.save(target)
    with pytest.raises(FileUnreadable):
        list(read_reply_sheet(target.getvalue()))


# --- there and back with an adapter ---


def sheet_for(adapter: Adapter, handoff: Handoff) -> bytes:
    rows = adapter.sheet_rows(adapter.translate(masked(handoff)).body)
    return a_sheet(adapter.sheet_columns(), rows, adapter.agency)


@pytest.mark.parametrize("adapter", [CivilAffairs(), WomensFederation()], ids=lambda adapter: adapter.agency)
def test_a_handoff_goes_out_as_a_sheet_and_its_answers_come_back(adapter: Adapter) -> None:
    handoff = a_handoff(adapter.agency)
    approved = {"result": "予以救助", "at": "2024/8/26 10:00", "amount_yuan": 650}
    denied = {"result": "不予救助", "at": date(2024, 8, 26), "reason": "收入超标", "text": "经核对，收入超过标准"}
    rows = list(read_reply_sheet(filled(sheet_for(adapter, handoff), approved, denied)))
    outcomes = [outcome for row in rows for outcome in adapter.interpret(adapter.sheet_reply(row.cells), sent(handoff))]
    assert [(outcome.need_id, outcome.code) for outcome in outcomes] == [
        ("N-1", ReplyCode.APPROVED),
        ("N-2", ReplyCode.DENIED),
    ]
    assert (outcomes[0].amount_fen, outcomes[1].reason) == (65_000, DenialReason.INCOME_OVER)
