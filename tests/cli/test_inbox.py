"""部门信箱 `inbox`: an office without a server gets a sheet, fills it in, sends it back; nothing is answered twice."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa
from click.testing import Result

from gateway.domain.calendar import CHINA
from gateway.store import tables as t
from tests.cli.installed import CONCLUDED, FIRST_ROW, Installed, a_row, fill, ndjson, put_office

NEEDS = {"womens_federation": "PSY", "civil_affairs": "MLG", "disabled_persons": "ASD"}
NOW_IN_CHINA = datetime.now(CHINA)
HELPED = {"result": "服务已提供", "at": f"{NOW_IN_CHINA:%Y-%m-%d}", "service": "心理疏导三次", "officer": "测试经办"}
ON_THE_WAY = {
    "result": "受理",
    "at": f"{NOW_IN_CHINA:%Y-%m-%d}",
    "next_due": f"{NOW_IN_CHINA + timedelta(days=9):%Y-%m-%d}",
}
DENIED = {"result": "不予救助", "at": f"{NOW_IN_CHINA:%Y-%m-%d}", "reason": "其他"}


def handed_over(installed: Installed, *numbers: int, agency: str = "womens_federation", **changes: Any) -> None:
    """These referrals are accepted and wait in the office's mailbox."""
    rows = [a_row(number, needs=[{"programme": NEEDS[agency]}], **changes) for number in numbers]
    sent = installed.send(ndjson(installed.folder / f"rows-{numbers[0]}.ndjson", *rows))
    assert sent.exit_code == 0, sent.stderr
    assert installed.dispatch() == len(numbers)


def sheet_of(installed: Installed, name: str = "sheet.xlsx", *, agency: str = "womens_federation") -> Path:
    sheet = installed.folder / name
    result = installed.inbox("--sheet", sheet, agency=agency)
    assert result.exit_code == 0, result.stderr
    return sheet


def cells(sheet: Path, key: str) -> list[str]:
    """A column of the sheet by its key, below the headings."""
    page = openpyxl.load_workbook(sheet).worksheets[0]
    column = next(cell.column for cell in page[1] if cell.value == key)
    return [
        str(page.cell(row, column).value) for row in range(FIRST_ROW, page.max_row + 1) if page.cell(row, column).value
    ]


def send_back(
    installed: Installed, sheet: Path, *more: str, agency: str = "womens_federation", **changes: str
) -> Result:
    return installed.inbox("--reply", sheet, "--agency", agency, *more, agency=agency, **changes)


def told(installed: Installed, sheet: Path) -> tuple[int, int, int]:
    """Rows sent, sent before and not sent."""
    found = json.loads(send_back(installed, sheet, "--json").stdout)
    return found["sent"], found["sent_before"], found["not_sent"]


def states(installed: Installed) -> list[str]:
    with installed.context() as context, context.store.reading() as connection:
        return list(connection.execute(sa.select(t.needs.c.state).order_by(t.needs.c.need_id)).scalars())


def replies(installed: Installed) -> list[Mapping[str, Any]]:
    with installed.context() as context, context.store.reading() as connection:
        return [dict(row) for row in connection.execute(sa.select(t.replies)).mappings()]


def waiting(installed: Installed, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(installed.inbox("--json", **more).stdout)
    return found


# --- out ---


def test_an_empty_mailbox_is_told_and_no_sheet_is_written(installed: Installed) -> None:
    with installed.serving():
        result = installed.inbox("--sheet", installed.folder / "sheet.xlsx")
        assert (result.exit_code, "没有待办 nothing waits" in result.output) == (0, True)
        assert waiting(installed) == []
    assert not (installed.folder / "sheet.xlsx").exists()


def test_the_sheet_has_a_row_a_need_and_can_be_asked_for_again(installed: Installed) -> None:
    with installed.serving():
        handed_over(installed, 1, 2, 3)
        first, second = sheet_of(installed), sheet_of(installed, "again.xlsx")
    assert cells(first, "need_id") == ["r-1:1", "r-2:1", "r-3:1"]
    assert cells(second, "message_digest") == cells(first, "message_digest")
    assert len(set(cells(first, "message_digest"))) == 3


def test_more_than_a_page_waits(installed: Installed) -> None:
    with installed.serving():
        numbers = range(1, 46)
        needs = [{"programme": code} for code in ("PSY", "CAN2", "DVS", "LEG", "MEDIATE")]
        rows = [a_row(number, needs=needs) for number in numbers]
        assert installed.send(ndjson(installed.folder / "rows.ndjson", *rows)).exit_code == 0
        installed.dispatch()
        assert len(cells(sheet_of(installed), "need_id")) == 45 * 5


def test_a_sheet_somebody_may_have_filled_is_not_overwritten(installed: Installed) -> None:
    with installed.serving():
        handed_over(installed, 1)
        sheet = fill(sheet_of(installed), HELPED)
        before = sheet.read_bytes()
        result = installed.inbox("--sheet", sheet)
    assert (result.exit_code, "nothing was overwritten" in result.stderr) == (2, True)
    assert sheet.read_bytes() == before


def test_a_withdrawn_handoff_is_left_out_of_the_sheet(installed: Installed) -> None:
    with installed.serving():
        handed_over(installed, 1, 2)
        withdrawal = {"type": "referral.withdrawn", "data": {"referral_id": "r-1", "reason": "报送有误"}}
        assert installed.send(ndjson(installed.folder / "w.ndjson", withdrawal)).exit_code == 0
        installed.dispatch()
        assert cells(sheet_of(installed), "need_id") == ["r-2:1"]


def test_the_list_names_nobody(installed: Installed) -> None:
    with installed.serving():
        handed_over(installed, 1)
        shown = installed.inbox().output + installed.inbox("--json").output
    assert "r-1" in shown
    assert [secret for secret in ("测试甲", "529999", "13900000000") if secret in shown] == []


def test_what_was_opened_is_told_once_and_leaves_the_mailbox(installed: Installed) -> None:
    with installed.serving():
        handed_over(installed, 1, 2)
        assert "已签收 retrieved 2" in installed.inbox("--retrieved").stderr
        assert "已签收 retrieved 0" in installed.inbox("--retrieved").stderr
        assert waiting(installed) == []
    assert [row["code"] for row in replies(installed)] == ["RECEIVED", "RECEIVED"]


def test_a_withdrawal_can_be_signed_for_too(installed: Installed) -> None:
    with installed.serving():
        handed_over(installed, 1)
        withdrawal = {"type": "referral.withdrawn", "data": {"referral_id": "r-1", "reason": "报送有误"}}
        installed.send(ndjson(installed.folder / "w.ndjson", withdrawal))
        installed.dispatch()
        assert installed.inbox("--retrieved").exit_code == 0
        assert waiting(installed) == []


# --- back ---


@pytest.mark.parametrize(
    ("agency", "channel"),
    [("womens_federation", "mailbox"), ("civil_affairs", "mailbox"), ("disabled_persons", "spreadsheet")],
)
def test_a_filled_sheet_goes_back_in_the_agencys_own_format(installed: Installed, agency: str, channel: str) -> None:
    put_office(installed, agency, channel)
    with installed.serving():
        handed_over(installed, 1, agency=agency)
        sheet = fill(sheet_of(installed, agency=agency), HELPED)
        result = send_back(installed, sheet, agency=agency)
        again = send_back(installed, sheet, agency=agency)
    assert (result.exit_code, "已报送 sent 1 ·" in result.stderr) == (0, True), result.stderr
    assert (again.exit_code, "已报送 sent 0 · 此前已报送 sent before 1" in again.stderr) == (0, True)
    assert states(installed) == ["assisted"]
    assert [(row["code"], row["applied"]) for row in replies(installed)] == [("SERVICE_DELIVERED", True)]


def test_an_answer_dated_by_the_day_alone_counts_though_the_handoff_came_that_day(installed: Installed) -> None:
    with installed.serving():
        handed_over(installed, 1)
        assert told(installed, fill(sheet_of(installed), ON_THE_WAY)) == (1, 0, 0)
    assert [(row["problem"], row["next_due"]) for row in replies(installed)] == [(None, ON_THE_WAY["next_due"])]


def test_rows_left_blank_are_not_read(installed: Installed) -> None:
    with installed.serving():
        handed_over(installed, 1, 2, 3)
        sheet = fill(sheet_of(installed), {}, HELPED)
        assert told(installed, sheet) == (1, 0, 0)
        fill(sheet, HELPED)
        assert told(installed, sheet) == (1, 1, 0)
    assert states(installed)[:2] == ["assisted", "assisted"]
    assert len(replies(installed)) == 2


def test_a_next_step_is_another_answer(installed: Installed) -> None:
    with installed.serving():
        handed_over(installed, 1)
        sheet = sheet_of(installed)
        assert told(installed, fill(sheet, ON_THE_WAY)) == (1, 0, 0)
        assert told(installed, fill(sheet, {**HELPED, "next_due": ""})) == (1, 0, 0)
    assert states(installed) == ["assisted"]


def test_bad_rows_are_named_and_good_ones_go(installed: Installed) -> None:
    with installed.serving():
        handed_over(installed, 1, 2, 3, 4)
        bad_day = {**HELPED, "at": "昨天"}
        sheet = fill(sheet_of(installed), HELPED, bad_day, {**HELPED, "result": "好的"}, HELPED)
        result = send_back(installed, sheet)
        assert (result.exit_code, "sent 2 " in result.stderr, "not sent 2" in result.stderr) == (1, True, True)
        assert told(installed, fill(sheet, HELPED, HELPED, HELPED, HELPED)) == (2, 2, 0)
    assert "sheet.xlsx:4   /at [not_a_moment] " in result.stderr
    assert "sheet.xlsx:5   /result [unknown_code] " in result.stderr
    assert states(installed) == ["assisted"] * 4


def test_a_denial_without_its_reasons_in_writing_is_refused_and_can_be_completed(installed: Installed) -> None:
    with installed.serving():
        handed_over(installed, 1)
        sheet = fill(sheet_of(installed), DENIED)
        result = send_back(installed, sheet)
        assert (result.exit_code, "[denied_without_reason]" in result.stderr) == (1, True), result.stderr
        assert told(installed, fill(sheet, {**DENIED, "text": "本人已由其他单位服务"})) == (1, 0, 0)
    assert states(installed) == ["not_assisted"]


@pytest.mark.parametrize("key", ["handoff_id", "need_id", "message_id", "message_digest", "referral_id"])
def test_a_row_whose_grey_part_was_emptied_is_named(installed: Installed, key: str) -> None:
    with installed.serving():
        handed_over(installed, 1, 2)
        sheet = fill(sheet_of(installed), {**HELPED, key: ""}, HELPED)
        result = send_back(installed, sheet)
    assert (result.exit_code, "sent 1 " in result.stderr) == (1, True), result.stderr
    assert f"sheet.xlsx:3 {key} [required] " in result.stderr


def test_a_sheet_of_another_agency_is_refused_row_by_row(installed: Installed) -> None:
    with installed.serving():
        handed_over(installed, 1)
        sheet = fill(sheet_of(installed), HELPED)
        result = installed.inbox("--reply", sheet, "--agency", "disabled_persons")
    assert (result.exit_code, states(installed)) == (1, ["routed"]), result.stderr


def test_a_file_that_is_no_sheet_is_told(installed: Installed) -> None:
    odd = installed.folder / "odd.xlsx"
    odd.write_bytes(b"no workbook")
    result = send_back(installed, odd)
    assert (result.exit_code, "file_unreadable" in result.stderr) == (1, True), result.stderr


def test_sending_back_needs_to_know_the_agency(installed: Installed) -> None:
    with installed.serving():
        handed_over(installed, 1)
        sheet = sheet_of(installed)
    assert installed.inbox("--reply", sheet).exit_code == 2
    unknown = installed.inbox("--reply", sheet, "--agency", "post_office")
    assert (unknown.exit_code, "known are civil_affairs" in unknown.stderr) == (2, True)


def test_while_the_gateway_is_away_nothing_is_lost_and_a_later_run_finishes(installed: Installed) -> None:
    with installed.serving():
        handed_over(installed, 1, 2)
        sheet = fill(sheet_of(installed), HELPED, HELPED)
    assert send_back(installed, sheet).exit_code == 3
    assert installed.inbox().exit_code == 3
    with installed.serving():
        assert told(installed, sheet) == (2, 0, 0)
    assert states(installed) == ["assisted", "assisted"]


def test_what_is_said_of_a_sheet_names_nobody(installed: Installed) -> None:
    with installed.serving():
        handed_over(installed, 1, 2)
        sheet = fill(sheet_of(installed), {**HELPED, "at": "昨天", "text": "测试甲不在家"}, DENIED)
        shown = send_back(installed, sheet).output + send_back(installed, sheet, "--json").output
    assert [secret for secret in ("测试甲", "529999", "13900000000") if secret in shown] == []


def test_an_old_case_stands_in_the_sheet_as_it_was_concluded(installed: Installed) -> None:
    with installed.serving():
        handed_over(installed, 1)
        sheet = sheet_of(installed)
    assert cells(sheet, "referral_id") == ["r-1"]
    assert f"{CONCLUDED.year}" in "".join(cells(sheet, "survey"))
