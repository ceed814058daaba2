"""适配器公用部分 What all adapters share: tables, money, losses, the judgement on one answer and the reply columns."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from adapters.base import (
    MISSING_MAX,
    NO_FIELD,
    TRUNCATED,
    CodeTable,
    Judgement,
    LossNote,
    SheetReply,
    Status,
    Tables,
    answered_need,
    fen_of,
    is_stated,
    joined,
    programme_name,
    read_sheet_reply,
    require_same_handoff,
    stated_fen,
    yes_no,
    yuan_of,
)
from gateway.domain.handoff import Draft, Handoff, Loss, Outcome, SentHandoff
from gateway.domain.replies import DenialReason, ReceiptCode, ReplyCode
from gateway.domain.values import InvalidValue
from gateway.errors import DeniedWithoutReason, SchemaInvalid
from gateway.workbook.sheets import REPLY_COLUMNS
from schemas.fields import FEN_MAX
from tests.adapters.builders import a_handoff, a_row, each_field_changed, sent, unaccounted

TABLES = Tables(
    statuses=CodeTable[Status](
        [
            ("01", ReplyCode.APPROVED, "予以救助"),
            ("02", ReplyCode.DENIED, "不予救助"),
            ("03", ReplyCode.DENIED, "审核不通过"),
            ("04", ReplyCode.STOPPED, "停发"),
        ]
    ),
    reasons=CodeTable([("R1", DenialReason.INCOME_OVER, "收入超标")]),
    payees=CodeTable([("P1", "GUARDIAN", "监护人")]),
)


def problems(row: dict[str, str], agency: str | None = None) -> list[tuple[str, str]]:
    """What a row is refused for."""
    with pytest.raises(SchemaInvalid) as refusal:
        read_sheet_reply(row, agency=agency)
    return [(problem.pointer, problem.code) for problem in refusal.value.problems]


# --- tables ---


def test_several_of_their_codes_may_mean_one_of_ours_and_the_first_is_written() -> None:
    assert {TABLES.statuses.ours("02"), TABLES.statuses.ours("03")} == {ReplyCode.DENIED}
    assert TABLES.statuses.theirs(ReplyCode.DENIED) == "02"


def test_one_of_their_codes_cannot_mean_two_things() -> None:
    with pytest.raises(ValueError, match="one row per code"):
        CodeTable([("01", "A", "甲"), ("01", "B", "乙")])


def test_a_code_nobody_knows_is_none_and_a_word_they_lack_is_an_error() -> None:
    assert TABLES.statuses.ours("77") is None
    with pytest.raises(KeyError):
        TABLES.statuses.theirs(ReplyCode.PAID)


# --- money ---


@pytest.mark.parametrize(
    ("yuan", "fen"),
    [("0", 0), ("0.01", 1), ("0.1", 10), ("650", 65_000), ("650.5", 65_050), ("1234.56", 123_456), ("0.00", 0)],
)
def test_yuan_as_text_is_exact_fen(yuan: str, fen: int) -> None:
    assert fen_of(yuan) == fen


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.", ".5", "1.234", "01", "1e3", "1,000", " 1", "1\n", "１", "NaN", "650元", "0x10"]
)
def test_what_is_not_plain_yuan_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        fen_of(text)
    assert refusal.value.code == "pattern"


def test_the_largest_amount_passes_and_one_fen_more_does_not() -> None:
    assert fen_of(yuan_of(FEN_MAX)) == FEN_MAX
    with pytest.raises(InvalidValue) as refusal:
        fen_of(yuan_of(FEN_MAX + 1))
    assert refusal.value.code == "out_of_range"


@pytest.mark.parametrize(("fen", "yuan"), [(0, "0.00"), (1, "0.01"), (10, "0.10"), (3_000_050, "30000.50")])
def test_fen_are_written_as_yuan_with_two_decimals(fen: int, yuan: str) -> None:
    assert yuan_of(fen) == yuan


def test_an_amount_below_zero_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="never negative"):
        yuan_of(-1)


def test_an_amount_in_a_reply_is_refused_by_its_pointer() -> None:
    assert stated_fen(None, "/amount") is None
    assert stated_fen("1.5", "/amount") == 150
    with pytest.raises(SchemaInvalid) as refusal:
        stated_fen("1.555", "/amount")
    assert [(problem.pointer, problem.code) for problem in refusal.value.problems] == [("/amount", "pattern")]


# --- losses ---


@pytest.mark.parametrize("value", [False, 0, "x", (1,), frozenset({1})])
def test_false_and_zero_are_stated(value: object) -> None:
    assert is_stated(value)


@pytest.mark.parametrize("value", [None, "", (), frozenset()])
def test_nothing_is_not_stated(value: object) -> None:
    assert not is_stated(value)


def test_a_loss_is_noted_once_and_in_the_order_noticed() -> None:
    note = LossNote()
    note.no_field({"/b": False, "/a": None, "/c": "x"})
    note.add("/b", NO_FIELD)
    note.add("/b", TRUNCATED)
    assert note.losses == (
        Loss(pointer="/b", reason="no_field"),
        Loss(pointer="/c", reason="no_field"),
        Loss(pointer="/b", reason="truncated"),
    )


# --- the judgement on one answer ---


def test_a_known_answer_keeps_the_agencys_own_code_beside_ours() -> None:
    assert TABLES.judge("01", None, None, at="/0") == Judgement(code=ReplyCode.APPROVED, raw_code="01")
    assert TABLES.judge("03", "R1", "超过标准", at="/0") == Judgement(
        code=ReplyCode.DENIED, raw_code="03", reason=DenialReason.INCOME_OVER
    )


def test_an_unknown_answer_is_never_guessed_even_with_a_known_reason() -> None:
    assert TABLES.judge("77", "R1", "说明", at="/0") == Judgement(code=None, raw_code="77")


def test_a_denial_for_a_reason_nobody_knows_becomes_a_point_in_doubt() -> None:
    assert TABLES.judge("02", "R9", "说明", at="/0") == Judgement(code=None, raw_code="DENIED/R9")


@pytest.mark.parametrize(
    ("reason", "text"), [(None, None), ("R1", None), (None, "说明"), ("R1", ""), ("R1", " \n"), ("", "说明")]
)
def test_a_denial_needs_reason_and_text(reason: str | None, text: str | None) -> None:
    with pytest.raises(DeniedWithoutReason) as refusal:
        TABLES.judge("02", reason, text, at="/results/3", need_id="N-1")
    assert [(problem.pointer, problem.code) for problem in refusal.value.problems] == [("/results/3", "required")]
    assert refusal.value.ids == {"need_id": "N-1"}


def test_a_denial_of_the_whole_handoff_names_no_need() -> None:
    with pytest.raises(DeniedWithoutReason) as refusal:
        TABLES.judge("02", None, None, at="/results/0")
    assert refusal.value.ids == {}


def test_what_is_stopped_may_say_why_but_need_not() -> None:
    assert TABLES.judge("04", None, None, at="/0") == Judgement(code=ReplyCode.STOPPED, raw_code="04")
    assert TABLES.judge("04", "R1", None, at="/0").reason is DenialReason.INCOME_OVER


def test_a_payee_nobody_knows_is_refused_and_not_dropped() -> None:
    assert (TABLES.payee(None, "/payee"), TABLES.payee("P1", "/payee")) == (None, "GUARDIAN")
    with pytest.raises(SchemaInvalid) as refusal:
        TABLES.payee("P2", "/payee")
    assert [(problem.pointer, problem.code) for problem in refusal.value.problems] == [("/payee", "unknown_code")]


# --- what was sent ---


def test_a_reply_that_names_another_handoff_is_refused() -> None:
    asked = sent(a_handoff())
    require_same_handoff(asked, asked.handoff_id, "/handoff")
    with pytest.raises(SchemaInvalid):
        require_same_handoff(asked, "H-2024-0002", "/handoff")


def test_an_answer_is_about_a_need_that_was_sent_or_about_all() -> None:
    asked = sent(a_handoff())
    assert answered_need(asked, "N-2", "/need") == asked.needs[1]
    assert answered_need(asked, None, "/need") is None
    with pytest.raises(SchemaInvalid):
        answered_need(asked, "N-9", "/need")


# --- the reply columns ---


def test_every_reply_column_of_the_workbook_is_read() -> None:
    assert list(a_row(a_handoff())) == [key for key, _ in REPLY_COLUMNS]


def test_a_filled_row_is_read_into_the_common_vocabulary() -> None:
    row = a_row(
        a_handoff(),
        reason="收入超标",
        text="第一行\n第二行",
        next_due="2024-09-20",
        forwarded_to="医保局",
        suggested_agency="残联",
        suggested_region="520103",
        missing="户口簿、授权书；收入证明",
        service="临时住宿",
    )
    assert read_sheet_reply(row) == SheetReply(
        handoff_id="H-2024-0001",
        need_id="N-1",
        code=ReplyCode.APPROVED,
        at=datetime(2024, 8, 26, 2, 0, tzinfo=UTC),
        amount_fen=65_000,
        starts_on=date(2024, 9, 1),
        ends_on=date(2025, 8, 31),
        reason=DenialReason.INCOME_OVER,
        text="第一行\n第二行",
        next_due=date(2024, 9, 20),
        forwarded_to="医保局",
        suggested_agency="残联",
        suggested_region="520103",
        missing=("户口簿", "授权书", "收入证明"),
        service="临时住宿",
        payee="BENEFICIARY",
        officer="周示例",
    )


def test_a_row_needs_only_the_handoff_the_result_and_when() -> None:
    row = {"handoff_id": "H-1", "result": "办结", "at": "2024-08-26"}
    assert read_sheet_reply(row) == SheetReply(
        handoff_id="H-1", code=ReplyCode.CLOSED, at=datetime(2024, 8, 25, 16, 0, tzinfo=UTC)
    )
    assert problems({}) == [("/at", "required"), ("/handoff_id", "required"), ("/result", "required")]


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("PAID", ReplyCode.PAID),
        ("paid", ReplyCode.PAID),
        ("已发放", ReplyCode.PAID),
        (" 已发放 ", ReplyCode.PAID),
        ("RECEIVED", ReceiptCode.RECEIVED),
        ("已签收", ReceiptCode.RECEIVED),
    ],
)
def test_a_result_is_a_code_or_its_chinese(written: str, code: Status) -> None:
    assert read_sheet_reply(a_row(a_handoff(), result=written)).code is code


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ({"result": "同意"}, ("/result", "unknown_code")),
        ({"result": "INCOME_OVER"}, ("/result", "unknown_code")),
        ({"result": "FILED"}, ("/result", "unknown_code")),
        ({"at": "2024-08-26T10:00:00Z"}, ("/at", "not_a_moment")),
        ({"at": "2024-02-30"}, ("/at", "not_a_moment")),
        ({"at": "0001-01-01"}, ("/at", "not_a_moment")),
        ({"amount_yuan": "六百五十"}, ("/amount_yuan", "pattern")),
        ({"amount_yuan": "1,23"}, ("/amount_yuan", "pattern")),
        ({"amount_yuan": "999999999999"}, ("/amount_yuan", "out_of_range")),
        ({"starts_on": "2024/09/01"}, ("/starts_on", "not_a_day")),
        ({"ends_on": "2024-08-31"}, ("/ends_on", "out_of_range")),
        ({"reason": "NOT_A_REASON"}, ("/reason", "unknown_code")),
        ({"payee": "邻居"}, ("/payee", "unknown_code")),
        ({"suggested_region": "贵阳"}, ("/suggested_region", "pattern")),
        ({"text": "a\tb"}, ("/text", "control_character")),
        ({"officer": "甲\n乙"}, ("/officer", "control_character")),
        ({"officer": "甲" * 201}, ("/officer", "too_long")),
        ({"missing": "、；"}, ("/missing", "blank")),
        ({"missing": "纸" * 201}, ("/missing", "too_long")),
        ({"missing": "、".join(["纸"] * (MISSING_MAX + 1))}, ("/missing", "too_many")),
        ({"handoff_id": "H 1"}, ("/handoff_id", "pattern")),
    ],
)
def test_a_bad_cell_is_named_by_its_column(cells: dict[str, str], problem: tuple[str, str]) -> None:
    assert problems(a_row(a_handoff(), **cells)) == [problem]


@pytest.mark.parametrize(("written", "fen"), [("1,234.56", 123_456), ("12,345,678", 1_234_567_800), ("650", 65_000)])
def test_an_amount_may_have_thousands_separators(written: str, fen: int) -> None:
    assert read_sheet_reply(a_row(a_handoff(), amount_yuan=written)).amount_fen == fen


def test_an_agency_gives_only_its_own_reasons_and_the_common_ones() -> None:
    row = a_row(a_handoff(), result="DENIED", reason="未确诊", text="无诊断证明")
    assert read_sheet_reply(row, agency="womens_federation").reason is DenialReason.NOT_DIAGNOSED
    assert problems(row, "civil_affairs") == [("/reason", "unknown_code")]


def test_columns_of_the_handoff_part_are_not_looked_at() -> None:
    row: dict[str, Any] = a_row(a_handoff(), name="王示例", programme="？")
    assert read_sheet_reply(row) == read_sheet_reply(a_row(a_handoff()))


# --- words for a clerk ---


def test_words_for_a_clerk() -> None:
    assert programme_name("MLG") == "最低生活保障 MLG"
    assert programme_name("NEW") == "NEW"
    assert (yes_no(True), yes_no(False)) == ("是", "否")
    assert joined("甲", None, "", "乙") == "甲 乙"


# --- the accounting the adapters are tried with ---


class Forgetful:
    """An adapter as none should be: it carries a name it notes as lost, and forgets all else."""

    agency = "civil_affairs"
    version = "0"
    content_type = "application/json"

    def translate(self, handoff: Handoff) -> Draft:
        lost = (Loss(pointer="/person/name", reason=NO_FIELD), Loss(pointer="/survey", reason=NO_FIELD))
        return Draft(content_type=self.content_type, body={"name": handoff.person.name}, losses=lost)

    def interpret(self, body: Any, sent: SentHandoff) -> tuple[Outcome, ...]:
        return ()

    def sheet_columns(self) -> Sequence[tuple[str, str]]:
        return ()

    def sheet_rows(self, body: Any) -> Sequence[Mapping[str, str]]:
        return ()

    def sheet_reply(self, row: Mapping[str, str]) -> Any:
        return {}


def test_the_accounting_notices_what_is_forgotten_and_what_is_both_lost_and_carried() -> None:
    every = [pointer for pointer, _, _ in each_field_changed(a_handoff())]
    found = unaccounted(Forgetful(), a_handoff())
    assert len(every) > 60
    assert [pointer for pointer in every if pointer not in found] == [
        pointer for pointer in every if pointer.startswith("/survey/")
    ]
    assert "/person/name" in found
