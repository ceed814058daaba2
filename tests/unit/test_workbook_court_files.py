"""报送文件 A court's files in every format: what is read, what one bad line costs, and what is no such file."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from gateway.errors import FileUnreadable
from gateway.workbook.archive import FILE_LIMIT
from gateway.workbook.court_files import LINE_LIMIT, SHAPES, read_court_file
from gateway.workbook.court_template import REFERRAL_SHEET, write_court_template
from gateway.workbook.reading import ROW_LIMIT
from gateway.workbook.rows import RowProblem, RowResult

BOM = b"\xef\xbb\xbf"


def a_referral(**fields: Any) -> dict[str, Any]:
    """The least the shape of a referral asks for."""
    return {
        "referral_id": "R-1",
        "agreement_document": "黔高法〔2022〕98号",
        "case_number": "（2024）黔01司救执1号",
        "concluded_on": "2024-08-15",
        "decision": "ASSIST",
        "person": {"name": "王示例", "id_type": "111", "id_number": "529999199001010019"},
        "legal_basis": "STATUTORY_DUTY",
        **fields,
    }


def an_amendment() -> dict[str, Any]:
    return a_referral() | {"amends": "m-1", "amendment_reason": "登记有误"}


def a_withdrawal(**fields: Any) -> dict[str, Any]:
    return {"referral_id": "R-1", "reason": "重复移送", **fields}


def a_payment(**fields: Any) -> dict[str, Any]:
    return {
        "referral_id": "R-1",
        "payment_id": "P-1",
        "amount_fen": 3_000_000,
        "paid_on": "2024-08-20",
        "payee": "BENEFICIARY",
        **fields,
    }


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def lines(*values: Any, end: bytes = b"\n") -> bytes:
    return b"".join((value if isinstance(value, bytes) else as_json(value)) + end for value in values)


class Folder:
    """A court's folder: puts a file there and reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, name: str, content: bytes) -> list[RowResult]:
        (self.path / name).write_bytes(content)
        return list(read_court_file(self.path / name))

    def refusal(self, name: str, content: bytes) -> str:
        with pytest.raises(FileUnreadable) as refused:
            self.read(name, content)
        return refused.value.note


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def found(results: list[RowResult]) -> list[tuple[str, str]]:
    return [(problem.pointer, problem.code) for result in results for problem in result.problems]


# --- JSON ---


def test_an_object_is_one_referral(folder: Folder) -> None:
    assert folder.read("a.json", as_json(a_referral())) == [
        RowResult(row=1, data=a_referral(), type="referral.submitted", file="a.json")
    ]


def test_an_array_is_a_row_each_in_order(folder: Folder) -> None:
    results = folder.read("a.json", as_json([a_referral(), a_referral(referral_id="R-2")]))
    assert [(result.row, result.data and result.data["referral_id"]) for result in results] == [(1, "R-1"), (2, "R-2")]


def test_an_empty_array_is_a_file_without_rows(folder: Folder) -> None:
    assert folder.read("a.json", b"[]") == []


def test_a_bad_item_names_its_place_and_the_others_are_read(folder: Folder) -> None:
    bad = a_referral(decision="同意", person={"name": "王示例"})
    first, second, third = folder.read("a.json", as_json([a_referral(), bad, "R-3"]))
    assert first.problems == ()
    assert second.problems == (
        RowProblem(row=2, pointer="/decision", code="unknown_code"),
        RowProblem(row=2, pointer="/person/id_type", code="required"),
    )
    assert third.problems == (RowProblem(row=3, pointer="", code="not_object"),)


@pytest.mark.parametrize("name", ["a.json", "a.ndjson", "a.jsonl", "A.JSON"])
def test_a_byte_order_mark_is_passed_over(folder: Folder, name: str) -> None:
    (result,) = folder.read(name, BOM + as_json(a_referral()))
    assert result.problems == ()


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (b"", "not acceptable as JSON: syntax"),
        (b"{", "not acceptable as JSON: syntax"),
        (b'{"a":1,"a":2}', "not acceptable as JSON: duplicate_key"),
        (b'[{"a":1.5}]', "not acceptable as JSON: float"),
        (as_json(a_referral()).decode().encode("gb18030"), "not acceptable as JSON: not_utf8"),
        (as_json(a_referral()).decode().encode("utf-16"), "not acceptable as JSON: not_utf8"),
        (b"[" * 40 + b"]" * 40, "not acceptable as JSON: too_deep"),
        (b'"R-1"', "neither an array nor an object"),
        (b"null", "neither an array nor an object"),
        (lines(a_referral(), a_referral()), "not acceptable as JSON: syntax"),
    ],
)
def test_a_file_that_is_no_json_is_refused_whole(folder: Folder, content: bytes, note: str) -> None:
    assert folder.refusal("a.json", content) == note


def test_a_json_file_larger_than_allowed_is_refused(folder: Folder) -> None:
    assert folder.refusal("a.json", b" " * (FILE_LIMIT + 1)) == f"larger than {FILE_LIMIT} bytes"


def test_more_items_than_allowed_are_refused(folder: Folder) -> None:
    items = b"[" + b",".join([b"{}"] * (ROW_LIMIT + 1)) + b"]"
    assert folder.refusal("a.json", items) == f"more than {ROW_LIMIT} items; use NDJSON"


# --- NDJSON ---


@pytest.mark.parametrize("name", ["a.ndjson", "a.jsonl", "a.NDJSON"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_every_line_is_a_row_and_blank_ones_only_count(folder: Folder, name: str, end: bytes) -> None:
    results = folder.read(name, lines(a_referral(), b"", b" \t", a_referral(referral_id="R-2"), end=end))
    assert [(result.row, result.problems) for result in results] == [(1, ()), (4, ())]


def test_the_last_line_needs_no_end(folder: Folder) -> None:
    (result,) = folder.read("a.ndjson", as_json(a_referral()))
    assert result.data == a_referral()


def test_a_broken_line_is_one_bad_row(folder: Folder) -> None:
    results = folder.read("a.ndjson", lines(a_referral(), b"{", b'{"a":1,"a":2}', b"\xff", a_referral()))
    assert [result.data is None for result in results] == [False, True, True, True, False]
    assert [(problem.row, problem.code, problem.note) for result in results for problem in result.problems] == [
        (2, "malformed_json", "syntax"),
        (3, "malformed_json", "duplicate_key"),
        (4, "malformed_json", "not_utf8"),
    ]


@pytest.mark.parametrize("over", [1, 2, 5, 6, 100_000, LINE_LIMIT * 3])
def test_a_line_too_long_is_one_bad_row_and_never_held_whole(folder: Folder, over: int) -> None:
    long = b'"' + b"x" * (LINE_LIMIT + over - 2) + b'"'
    results = folder.read("a.ndjson", lines(long, a_referral(), long))
    assert [(result.row, result.data is None) for result in results] == [(1, True), (2, False), (3, True)]
    assert found(results) == [("", "too_large"), ("", "too_large")]
    assert folder.read("b.ndjson", long)[0].problems[0].code == "too_large"


def test_a_line_of_just_the_limit_is_read(folder: Folder) -> None:
    start = as_json(a_referral(custody=""))
    text = as_json(a_referral(custody="x" * (LINE_LIMIT - len(start))))
    assert len(text) == LINE_LIMIT
    assert found(folder.read("a.ndjson", BOM + lines(text, end=b"\r\n"))) == [("/custody", "too_long")]


def test_a_byte_order_mark_in_the_middle_is_a_bad_line(folder: Folder) -> None:
    results = folder.read("a.ndjson", lines(a_referral(), BOM + as_json(a_referral())))
    assert [result.data is None for result in results] == [False, True]


def test_ndjson_is_streamed(folder: Folder) -> None:
    path = folder.path / "a.ndjson"
    path.write_bytes(lines(a_referral(), b"{"))
    rows = read_court_file(path)
    assert next(rows).problems == ()


def test_an_array_on_a_line_is_no_row(folder: Folder) -> None:
    assert found(folder.read("a.ndjson", lines([a_referral()]))) == [("", "not_object")]


# --- other messages ---


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("referral.submitted", a_referral()),
        ("referral.amended", an_amendment()),
        ("referral.withdrawn", a_withdrawal()),
        ("judicial_assistance.paid", a_payment()),
    ],
)
def test_a_row_may_name_its_own_type(folder: Folder, kind: str, data: dict[str, Any]) -> None:
    (result,) = folder.read("a.ndjson", lines({"type": kind, "data": data}))
    assert (result.type, result.data, result.problems) == (kind, data, ())


COURT_FACTS = {
    "disbursement.planned": {"referral_id": "r-1", "plan_id": "d-1", "mode": "AT_ONCE", "purposes": ["LIVING"]},
    "fund_use.reported": {
        "referral_id": "r-1",
        "report_id": "u-1",
        "from_day": "2024-07-01",
        "to_day": "2024-07-31",
        "spent": [],
    },
    "follow_up.recorded": {
        "referral_id": "r-1",
        "visit_id": "f-1",
        "visited_on": "2024-07-31",
        "mode": "PHONE",
        "situation": "STABLE",
    },
    "inquiry.asked": {
        "inquiry_id": "i-1",
        "agreement_document": "黔高法〔2022〕98号",
        "case_number": "（2024）黔01司救执1号",
        "person": {"name": "样例", "id_type": "111", "household_registration_region": "520103"},
        "programmes": ["MLG"],
        "legal_basis": "STATUTORY_DUTY",
    },
    "clue.answered": {"clue_id": "k-1", "code": "INFORMED_PERSON"},
    "amount.quantified": {
        "referral_id": "r-1",
        "quantification_id": "q-1",
        "standard": "SAMPLE",
        "loss_fen": 0,
        "hardship": "ORDINARY",
        "dependants": 0,
    },
}


@pytest.mark.parametrize("kind", list(SHAPES))
def test_a_files_name_says_what_its_plain_objects_are(folder: Folder, kind: str) -> None:
    said = {
        "referral.amended": an_amendment(),
        "referral.withdrawn": a_withdrawal(),
        "judicial_assistance.paid": a_payment(),
        **COURT_FACTS,
    }
    good = said.get(kind, a_referral())
    (result,) = folder.read(f"2024-q3-{kind}.ndjson", lines(good))
    assert (result.type, result.problems) == (kind, ())


def test_a_rows_own_type_stands_above_the_files_name(folder: Folder) -> None:
    row = {"type": "referral.withdrawn", "data": a_withdrawal()}
    (result,) = folder.read("judicial_assistance.paid.json", as_json(row))
    assert (result.type, result.problems) == ("referral.withdrawn", ())


def test_data_is_judged_by_the_shape_of_its_type(folder: Folder) -> None:
    rows = [
        {"type": "referral.withdrawn", "data": {"referral_id": "R-1"}},
        {"type": "judicial_assistance.paid", "data": a_payment(amount_fen=0)},
        {"type": "judicial_assistance.paid", "data": a_referral()},
    ]
    first, second, third = folder.read("a.ndjson", lines(*rows))
    assert found([first, second]) == [("/reason", "required"), ("/amount_fen", "out_of_range")]
    assert ("/person", "unknown_field") in found([third])


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"type": "handoff.issued", "data": {}}, ("/type", "unknown_code")),
        ({"type": 1, "data": {}}, ("/type", "not_text")),
        ({"type": "referral.withdrawn"}, ("/data", "required")),
        ({"data": a_referral()}, ("/type", "required")),
        ({"type": "referral.withdrawn", "data": []}, ("/data", "not_object")),
        ({"type": "referral.withdrawn", "data": a_withdrawal(), "id": "M-1"}, ("/id", "unknown_field")),
        ({"type": "referral.withdrawn", "data": a_withdrawal(), "王示例": 1}, ("/?", "unknown_field")),
    ],
)
def test_a_row_that_names_its_type_badly_is_refused(folder: Folder, row: Any, problem: tuple[str, str]) -> None:
    results = folder.read("a.ndjson", lines(row, a_referral()))
    assert found(results) == [problem]
    assert results[1].problems == ()


# --- workbooks and other files ---


def test_a_workbook_is_read_by_its_ending(folder: Folder) -> None:
    made = BytesIO()
    write_court_template(made)
    book = openpyxl.load_workbook(made)
    page = book[REFERRAL_SHEET]
    page.cell(3, 2).value = "R-1"
    book.save(folder.path / "移送.xlsx")
    (result,) = read_court_file(str(folder.path / "移送.xlsx"))
    assert (result.file, result.sheet, result.row) == ("移送.xlsx", REFERRAL_SHEET, 3)
    assert {problem.code for problem in result.problems} == {"required"}
    assert all(problem.column for problem in result.problems)


@pytest.mark.parametrize("name", ["a.xls", "a.csv", "a", "a.xlsm", "a.json.zip"])
def test_another_ending_is_refused_at_once(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileUnreadable):
        read_court_file(tmp_path / name)


@pytest.mark.parametrize("name", ["a.json", "a.ndjson", "a.xlsx"])
def test_a_file_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileUnreadable) as refusal:
        list(read_court_file(tmp_path / name))
    assert refusal.value.note == "the file cannot be opened"


def test_a_json_named_as_a_workbook_is_refused(folder: Folder) -> None:
    assert folder.refusal("a.xlsx", as_json(a_referral())) == "not an XLSX file"


def test_no_problem_quotes_what_was_written(folder: Folder) -> None:
    row = a_referral(decision="王示例", 李示例=1)
    results = folder.read("a.ndjson", lines(row))
    assert found(results) == [("/?", "unknown_field"), ("/decision", "unknown_code")]
    assert "示例" not in str(results)


def test_a_row_has_either_data_or_problems() -> None:
    with pytest.raises(ValueError, match="either"):
        RowResult(row=1, data=None)
    with pytest.raises(ValueError, match="either"):
        RowResult(row=1, data={}, problems=(RowProblem(row=1, pointer="", code="invalid"),))
