"""部门门户 One handoff at the portal: looked at on record, signed for, answered by form; nobody else's is there."""

import re
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO

import openpyxl
import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from gateway.domain.access import Role
from gateway.store import directory
from gateway.store import tables as t
from tests.flows.test_amend import amend
from tests.gateway_world import DISABLED_PERSONS, World, a_referral_body
from tests.web.agency_desk import (
    CIVIL,
    DISABLED,
    HOSTILE,
    answer,
    clerk_of,
    form_name,
    handoff_id,
    holding,
    second_office,
)
from tests.web.people import somebody

PERSON = a_referral_body()["person"]


def whats(world: World) -> list[str]:
    return [row["what"] for row in world.rows(t.decisions)]


def test_opening_a_handoff_shows_its_own_fields_and_is_on_file_first(world: World) -> None:
    found = handoff_id(world.hand_over())
    clerk = clerk_of(world, holding(world))
    page = clerk.get(f"/agency/handoffs/{found}").text
    assert "测试甲" in page and PERSON["id_number"] in page and "无固定收入" in page
    shown = re.sub(r'(value|nonce)="[^"]*"', "", page)  # random texts may hold any two letters
    assert "G6" not in shown  # the court's ground has no field in civil affairs' format
    (viewed,) = [row for row in world.rows(t.decisions) if row["what"] == "handoff_viewed"]
    assert (viewed["who"], viewed["subject"]) == ("account:civil_affairs-520102", "r-1")
    assert "测试甲" not in str(viewed) and PERSON["id_number"] not in str(viewed)


def test_a_print_is_on_file_too_and_holds_no_form(world: World) -> None:
    found = handoff_id(world.hand_over())
    clerk = clerk_of(world, holding(world))
    page = clerk.get(f"/agency/handoffs/{found}/print").text
    assert "测试甲" in page and "/answer" not in page
    assert "handoff_printed" in whats(world)


def test_signing_for_it_twice_is_one_message(world: World) -> None:
    found = handoff_id(world.hand_over())
    clerk = clerk_of(world, holding(world))
    for _ in range(2):
        assert "已签收" in clerk.post(f"/agency/handoffs/{found}/sign").text
    assert [row["type"] for row in world.rows(t.inbox)].count("handoff.retrieved") == 1
    assert world.states() == ["received"]


def test_an_answer_moves_the_need_and_a_double_click_is_one_message(world: World) -> None:
    found = handoff_id(world.hand_over())
    clerk = clerk_of(world, holding(world))
    form = form_name(clerk.get(f"/agency/handoffs/{found}").text)
    first = answer(clerk, found, "受理", next_due="2026-03-20", form=form)
    again = answer(clerk, found, "受理", next_due="2026-03-20", form=form)
    assert (first.headers["Location"], again.headers["Location"]) == (
        f"/agency/handoffs/{found}?said=agency_sent",
        f"/agency/handoffs/{found}?said=agency_sent_before",
    )
    assert world.states() == ["accepted_by_agency"]
    assert [row["type"] for row in world.rows(t.inbox)].count("handoff.outcome") == 1
    signed = [row for row in world.rows(t.decisions) if row["what"] == "signed_on_behalf"]
    assert signed[0]["who"] == "account:civil_affairs-520102"


def test_the_same_form_with_other_words_is_another_answer(world: World) -> None:
    found = handoff_id(world.hand_over())
    clerk = clerk_of(world, holding(world))
    form = form_name(clerk.get(f"/agency/handoffs/{found}").text)
    answer(clerk, found, "受理", next_due="2026-03-20", form=form)
    answer(clerk, found, "予以救助", amount_yuan="650.00", starts_on="2026-03-01", next_due="2026-03-20", form=form)
    assert world.states() == ["in_progress"]


@pytest.mark.parametrize(
    ("result", "fields", "state"),
    [
        ("退回补正", {"missing": "身份证复印件、收入证明", "next_due": "2026-03-20"}, "information_requested"),
        ("不属本部门职责", {"suggested_agency": "disabled_persons"}, "declined"),
        ("已发放", {"amount_yuan": "1,650.50", "payee": "本人"}, "assisted"),
        ("不予救助", {"reason": "收入超标", "text": "家庭人均收入超过标准。"}, "not_assisted"),
    ],
)
def test_each_need_can_be_answered_as_in_the_sheet(
    world: World, result: str, fields: dict[str, str], state: str
) -> None:
    found = handoff_id(world.hand_over())
    clerk = clerk_of(world, holding(world))
    assert answer(clerk, found, result, **fields).status_code == 303
    assert world.states() == [state]


def test_a_denial_without_reasons_is_sent_nowhere_and_what_was_typed_stays(world: World) -> None:
    found = handoff_id(world.hand_over())
    clerk = clerk_of(world, holding(world))
    refused = answer(clerk, found, "不予救助", officer="张经办", text="")
    assert refused.status_code == 422
    assert 'aria-invalid="true"' in refused.text and "张经办" in refused.text
    assert refused.text.count('class="wrong"') == 2
    assert '<option value="不予救助" selected>不予救助</option>' in refused.text
    assert world.states() == ["handed_off"]
    assert "handoff.outcome" not in [row["type"] for row in world.rows(t.inbox)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount_yuan", "很多"),
        ("at", "昨天"),
        ("ends_on", "2026-02-30"),
        ("suggested_region", "南明"),
        ("result", "好"),
    ],
)
def test_what_is_wrong_stands_at_its_field(world: World, field: str, value: str) -> None:
    found = handoff_id(world.hand_over())
    clerk = clerk_of(world, holding(world))
    filled = {"result": "受理", **({field: value} if field != "result" else {})}
    refused = answer(
        clerk,
        found,
        value if field == "result" else filled.pop("result"),
        **{k: v for k, v in filled.items() if k != "result"},
    )
    assert refused.status_code == 422
    assert f'id="n1-{field}-wrong"' in refused.text and value in refused.text
    assert world.states() == ["handed_off"]


def test_a_need_of_another_handoff_is_not_there(world: World) -> None:
    found = handoff_id(world.hand_over())
    clerk = clerk_of(world, holding(world))
    assert answer(clerk, found, "受理", need_id="r-2:1").status_code == 404


def test_another_office_finds_nothing_whatever_it_asks(world: World) -> None:
    found = handoff_id(world.hand_over())
    stranger = clerk_of(world, holding(world), DISABLED)
    path = f"/agency/handoffs/{found}"
    assert [stranger.get(one).status_code for one in (path, f"{path}/print")] == [404, 404]
    assert [stranger.post(f"{path}/{one}", {"form": "x"}).status_code for one in ("sign", "answer")] == [404, 404]
    assert stranger.get("/agency/handoffs/none").status_code == 404
    assert "handoff_viewed" not in whats(world)
    assert found not in stranger.get("/agency").text


def test_a_clerk_of_one_office_sees_that_office_alone(world: World) -> None:
    here = handoff_id(world.hand_over())
    other = second_office(world)
    site = holding(world)
    clerk = clerk_of(world, site, office_ids=(other,))
    assert clerk.get(f"/agency/handoffs/{here}").status_code == 404
    assert here not in clerk.get("/agency").text
    assert here in clerk_of(world, site, name="whole").get("/agency").text


@pytest.mark.parametrize("role", [Role.RECONCILER, Role.COURT_CLERK, Role.ADMINISTRATOR])
def test_other_roles_have_no_place_here(world: World, role: Role) -> None:
    found = handoff_id(world.hand_over())
    person = somebody(world, holding(world), role)
    assert [person.get(one).status_code for one in ("/agency", f"/agency/handoffs/{found}")] == [403, 403]
    assert person.post(f"/agency/handoffs/{found}/answer", {"form": "x"}).status_code == 403


def not_held(world: World) -> Flask:
    return holding(world, DISABLED)


def held_and_revoked(world: World) -> Flask:
    site, kid = holding(world), world.partners[CIVIL].key.kid
    world.store.write(lambda c: directory.end_key(c, kid, at=world.now, now=world.now, revoked_because="测试"))
    world.context.directory.forget()
    return site


@pytest.mark.parametrize("without", [not_held, held_and_revoked])
def test_without_a_key_that_counts_all_is_shown_and_nothing_sent(
    world: World, without: Callable[[World], Flask]
) -> None:
    found = handoff_id(world.hand_over())
    clerk = clerk_of(world, without(world))
    page = clerk.get(f"/agency/handoffs/{found}").text
    assert "xianjie keys hold cn/agency/civil_affairs.520102" in page and "测试甲" in page and "/answer" not in page
    refused = clerk.post(
        f"/agency/handoffs/{found}/answer", {"form": "x", "need_id": "r-1:1", "result": "受理", "at": "2026-03-03"}
    )
    assert refused.status_code == 403
    assert world.states() == ["handed_off"]
    assert "signed_on_behalf" not in whats(world)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_come_out_as_words(world: World, hostile: str) -> None:
    found = handoff_id(
        world.hand_over(person=PERSON | {"name": hostile}, needs=[{"programme": "MLG", "note": hostile}])
    )
    clerk = clerk_of(world, holding(world))
    page = clerk.get(f"/agency/handoffs/{found}").text
    assert hostile not in page
    refused = answer(clerk, found, "不予救助", text=hostile, officer=hostile, forwarded_to=hostile)
    assert refused.status_code == 422 and hostile not in refused.text


def test_the_court_s_withdrawal_is_told_and_can_be_answered(world: World) -> None:
    found = handoff_id(world.hand_over())
    clerk = clerk_of(world, holding(world))
    world.accept(world.court.sign("referral.withdrawn", {"referral_id": "r-1", "reason": "测试"}, now=world.now))
    assert "法院已撤回此件" in clerk.get(f"/agency/handoffs/{found}").text
    assert found in clerk.get("/agency?tab=withdrawn").text


def test_what_the_court_amended_is_shown_everywhere_and_answered_as_ever(world: World) -> None:
    found = handoff_id(world.hand_over())
    clerk = clerk_of(world, holding(world))
    clerk.post(f"/agency/handoffs/{found}/sign")
    world.wait(timedelta(minutes=1))
    amend(world, person={"phone": "13800000009"})
    assert "已更正" in clerk.get("/agency?tab=in_hand").text
    page = clerk.get(f"/agency/handoffs/{found}").text
    assert "13800000009" in page and PERSON["phone"] not in page and "法院更正" in page
    (letter,) = re.findall(r'href="(/agency/letters/[^"]+)"', clerk.get("/agency/letters").text)
    told = clerk.get(letter).text
    assert "转办更正" in told and f"/agency/handoffs/{found}" in told and "13800000009" not in told
    assert "13800000009" in cells_of(clerk.post("/agency/sheets/download", {"agency": "civil_affairs", "in_hand": "1"}))
    form = form_name(page)
    assert (
        answer(clerk, found, "受理", next_due="2026-03-20", form=form).headers["Location"].endswith("said=agency_sent")
    )
    assert world.states() == ["accepted_by_agency"]


def cells_of(sheet: TestResponse) -> str:
    """Every cell of a downloaded sheet."""
    page = openpyxl.load_workbook(BytesIO(sheet.data)).worksheets[0]
    return " ".join(str(cell.value) for row in page.iter_rows() for cell in row)


def test_an_erased_case_has_nothing_to_read(world: World) -> None:
    found = handoff_id(world.hand_over())
    clerk = clerk_of(world, holding(world))
    world.change(t.case_keys.update().values(wrapped=None, erased_at=1))
    assert clerk.get(f"/agency/handoffs/{found}").status_code == 410
    assert clerk.get("/agency").status_code == 200


def test_a_message_somebody_changed_is_shown_to_nobody(world: World) -> None:
    found = handoff_id(world.hand_over())
    clerk = clerk_of(world, holding(world))
    world.change(t.outbox.update().values(jws=sa.func.replace(t.outbox.c.jws, "A", "B")))
    page = clerk.get(f"/agency/handoffs/{found}")
    assert page.status_code >= 400 and "测试甲" not in page.text


def test_an_office_with_another_format_answers_in_its_own(world: World) -> None:
    world.hand_over(
        DISABLED_PERSONS, needs=[{"programme": "ASD"}], person=PERSON | {"disability": {"kind": 4, "grade": 1}}
    )
    (row,) = world.rows(t.handoffs)
    clerk = clerk_of(world, holding(world), DISABLED)
    path = f"/agency/handoffs/{row['handoff_id']}"
    assert "测试甲" in clerk.get(path).text
    done = answer(clerk, row["handoff_id"], "受理", next_due="2026-03-20")
    assert done.status_code == 303, done.text
    assert world.states() == ["accepted_by_agency"]


def test_both_languages(world: World) -> None:
    found = handoff_id(world.hand_over())
    clerk = clerk_of(world, holding(world))
    clerk.client.set_cookie("xianjie_language", "en")
    for path, words in (
        ("/agency", "Inbox"),
        (f"/agency/handoffs/{found}", "Sign for it"),
        (f"/agency/handoffs/{found}/print", "Printed by"),
    ):
        assert words in clerk.get(path).text
    assert '<option value="不予救助">denied</option>' in clerk.get(f"/agency/handoffs/{found}").text
