"""办理表 The sheet at the portal: taken out on record, filled, sent once; what is wrong is told by row and column."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import openpyxl

from gateway.domain.access import Role
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.gateway_world import World, a_referral_body
from tests.web.agency_desk import DISABLED, HOSTILE, clerk_of, holding, second_office
from tests.web.people import Somebody, somebody

PERSON = a_referral_body()["person"]
FIRST = 3
ACCEPTED = {"result": "受理", "at": "2026-03-03", "next_due": "2026-03-20"}


def two_handed_over(world: World) -> None:
    world.hand_over()
    other = PERSON | {"id_number": an_id_number(serial=2), "name": "测试乙"}
    world.hand_over(
        referral_id="r-2",
        case_number="（2026）黔01司救执2号",
        original_case_group="（2025）黔0102民初2号",
        person=other,
    )


def downloaded(clerk: Somebody, **form: str) -> bytes:
    answer = clerk.post("/agency/sheets/download", form)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Disposition"].startswith("attachment")
    return answer.data


def filled(raw: bytes, *answers: Mapping[str, str]) -> bytes:
    book = openpyxl.load_workbook(BytesIO(raw))
    page = book.worksheets[0]
    columns = {cell.value: cell.column for cell in page[1]}
    for row, answer in enumerate(answers, FIRST):
        for key, text in answer.items():
            page.cell(row, columns[key]).value = text
    target = BytesIO()
    book.save(target)
    return target.getvalue()


def upload(clerk: Somebody, raw: bytes) -> Any:
    return clerk.post("/agency/sheets", {"file": (BytesIO(raw), "filled.xlsx")}, content_type="multipart/form-data")


def sent(world: World) -> int:
    return [row["type"] for row in world.rows(t.inbox)].count("handoff.outcome")


def test_the_sheet_holds_what_waits_and_each_referral_s_log_says_who_took_it(world: World) -> None:
    two_handed_over(world)
    clerk = clerk_of(world, holding(world))
    page = openpyxl.load_workbook(BytesIO(downloaded(clerk))).worksheets[0]
    assert page.max_row == FIRST + 1
    exported = [row for row in world.rows(t.decisions) if row["what"] == "handoff_exported"]
    assert sorted(row["subject"] for row in exported) == ["r-1", "r-2"]
    assert {row["who"] for row in exported} == {"account:civil_affairs-520102"}


def test_right_rows_are_sent_wrong_ones_told_and_the_same_sheet_again_sends_nothing(world: World) -> None:
    two_handed_over(world)
    clerk = clerk_of(world, holding(world))
    sheet = filled(downloaded(clerk), ACCEPTED, {"result": "不予救助", "at": "2026-03-03", "reason": "其他"})
    for _ in range(2):
        page = upload(clerk, sheet).text
        assert "书面说明" in page and "required" in page
        assert sent(world) == 1
    assert "此前已报送" in page
    assert (world.states("r-1"), world.states("r-2")) == (["accepted_by_agency"], ["handed_off"])
    mended = filled(sheet, {}, {"text": "测试说明"})
    upload(clerk, mended)
    assert (sent(world), world.states("r-2")) == (2, ["not_assisted"])


def test_a_cell_that_cannot_be_read_is_told_with_its_row_and_column(world: World) -> None:
    two_handed_over(world)
    clerk = clerk_of(world, holding(world))
    page = upload(clerk, filled(downloaded(clerk), ACCEPTED | {"amount_yuan": "许多"}, ACCEPTED)).text
    assert "金额（元）" in page and "有误" in page
    assert sent(world) == 1


def test_a_row_of_another_office_and_a_changed_grey_part_are_answered_alike(world: World) -> None:
    two_handed_over(world)
    site = holding(world)
    sheet = filled(downloaded(clerk_of(world, site)), ACCEPTED)
    stranger = clerk_of(world, site, DISABLED)
    assert "handoff_unknown" in upload(stranger, sheet).text
    changed = filled(sheet, {"message_digest": "0" * 64}, {})
    own = clerk_of(world, site, name="own")
    assert "handoff_unknown" in upload(own, changed).text
    assert "handoff_unknown" in upload(own, filled(sheet, {"need_id": "r-9:1"}, {})).text
    assert sent(world) == 0


def test_a_clerk_of_one_office_takes_out_and_sends_back_that_office_s_alone(world: World) -> None:
    two_handed_over(world)
    other = second_office(world)
    site = holding(world)
    whole = downloaded(clerk_of(world, site, name="whole"))
    clerk = clerk_of(world, site, office_ids=(other,))
    assert openpyxl.load_workbook(BytesIO(downloaded(clerk))).worksheets[0].max_row < FIRST
    assert "handoff_unknown" in upload(clerk, filled(whole, ACCEPTED)).text
    assert sent(world) == 0


def test_what_is_no_sheet_is_refused_with_what_to_do(world: World) -> None:
    clerk = clerk_of(world, holding(world))
    assert upload(clerk, b"PK\x03\x04 no sheet").status_code == 422
    assert clerk.post("/agency/sheets", {}).status_code == 422
    assert clerk.get("/agency/sheets").status_code == 200


def test_a_blank_sheet_says_that_no_row_was_filled(world: World) -> None:
    two_handed_over(world)
    clerk = clerk_of(world, holding(world))
    assert "没有填写" in upload(clerk, downloaded(clerk)).text


def test_hostile_cells_come_out_as_words(world: World) -> None:
    two_handed_over(world)
    clerk = clerk_of(world, holding(world))
    sheet = filled(downloaded(clerk), ACCEPTED | {"handoff_id": HOSTILE[0], "need_id": HOSTILE[1]})
    page = upload(clerk, sheet).text
    assert all(one not in page for one in HOSTILE)


def test_in_hand_goes_along_where_asked_and_withdrawn_does_not(world: World) -> None:
    two_handed_over(world)
    clerk = clerk_of(world, holding(world))
    upload(clerk, filled(downloaded(clerk), ACCEPTED))
    rows = [
        openpyxl.load_workbook(BytesIO(downloaded(clerk, **form))).worksheets[0].max_row
        for form in ({}, {"in_hand": "1"})
    ]
    assert rows == [FIRST, FIRST + 1]
    world.accept(world.court.sign("referral.withdrawn", {"referral_id": "r-2", "reason": "测试"}, now=world.now))
    assert openpyxl.load_workbook(BytesIO(downloaded(clerk, in_hand="1"))).worksheets[0].max_row == FIRST


def test_other_roles_and_keyless_parties_send_nothing(world: World) -> None:
    two_handed_over(world)
    site = holding(world, DISABLED)
    clerk = clerk_of(world, site)
    sheet = filled(downloaded(clerk), ACCEPTED)
    assert upload(clerk, sheet).status_code == 403
    assert somebody(world, site, Role.AUDITOR).get("/agency/sheets").status_code == 403
    clerk.client.set_cookie("xianjie_language", "en")
    assert "xianjie keys hold" in clerk.get("/agency/sheets").text
    assert sent(world) == 0
