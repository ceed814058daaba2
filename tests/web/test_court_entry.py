"""录入移送 A referral by form: checked as the workbook is, previewed, sent once, on file and handed over."""

import re

import pytest
from flask import Flask

from gateway.store import tables as t
from gateway.workbook.court_form import form_sections
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, COURT, NEIGHBOUR, World
from tests.web.court_desk import HOSTILE, clerk_of, enter, form_name, holding, typed
from tests.web.people import Somebody


@pytest.fixture
def site(world: World) -> Flask:
    return holding(world)


@pytest.fixture
def clerk(world: World, site: Flask) -> Somebody:
    return clerk_of(world, site)


def wrong_at(page: str) -> list[str]:
    """The fields that are marked."""
    return re.findall(r'name="([^"]+)"[^>]*aria-invalid="true"', page)


def test_the_form_has_every_column_of_the_workbook_in_both_languages(clerk: Somebody) -> None:
    shown = clerk.get("/court/new").text
    for section in form_sections():
        for column in section.columns:
            assert f'name="{column.key}"' in shown
    assert "REFER 需要社会救助，移送" in shown and "姓名*" in shown and "黔高法〔2022〕98号" in shown
    clerk.client.set_cookie("xianjie_language", "en")
    assert "Name*" in clerk.get("/court/new").text


def test_what_is_typed_is_previewed_sent_and_handed_over(world: World, clerk: Somebody) -> None:
    form = form_name(clerk.get("/court/new").text)
    preview = enter(clerk, "preview", form=form)
    assert preview.status_code == 200, preview.text
    assert "签名并报送" in preview.text and "2026-02-20" in preview.text
    assert world.rows(t.referrals) == []
    sent = enter(clerk, form=form)
    assert sent.status_code == 303, sent.text
    page = clerk.get(sent.headers["Location"]).text
    assert "移送已报送并接收" in page and "测**" in page and "测试甲" not in page
    (row,) = world.rows(t.referrals)
    assert (row["referral_id"], row["court"], row["decided_amount_fen"]) == ("r-1", COURT, 2_000_000)
    world.dispatch()
    world.deliver(CIVIL_AFFAIRS)
    assert world.states() == ["handed_off"]
    (said,) = [row for row in world.rows(t.decisions) if row["what"] == "signed_on_behalf"]
    assert said["who"] == clerk.account.who and "referral.submitted" in said["why"]


def test_the_preview_brings_back_every_cell_as_it_was_typed(clerk: Somebody) -> None:
    cells = {"household-1-name": "李测试", "household-1-relation": "52 母亲", "person__specific_groups": "WOMAN 妇女"}
    preview = enter(clerk, "preview", **cells)
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', preview.text))
    assert hidden["survey.date"] == "2026年2月20日" and hidden["household-1-name"] == "李测试"
    again = clerk.post("/court/new", {**hidden, "step": "edit"}).text
    assert 'value="2026年2月20日"' in again and "李测试" in again
    assert re.search(r'value="WOMAN 妇女" checked', again)


def test_pressed_twice_it_is_one_referral(world: World, clerk: Somebody) -> None:
    form = form_name(clerk.get("/court/new").text)
    first, second = enter(clerk, form=form), enter(clerk, form=form)
    assert (first.status_code, second.status_code) == (303, 303)
    assert "未重复报送" in clerk.get(second.headers["Location"]).text
    assert len(world.rows(t.referrals)) == len(world.rows(t.inbox)) == 1


def test_what_was_changed_after_sending_is_never_taken_for_what_was_sent(world: World, clerk: Somebody) -> None:
    form = form_name(clerk.get("/court/new").text)
    enter(clerk, form=form)
    changed = enter(clerk, form=form, decided_amount_yuan="1")
    assert changed.status_code == 422 and "referral_id_taken" in changed.text
    (row,) = world.rows(t.referrals)
    assert row["decided_amount_fen"] == 2_000_000


def test_problems_stand_at_their_fields_and_what_was_typed_stays(world: World, clerk: Somebody) -> None:
    cells = {
        "person__name": "",
        "concluded_on": "去年",
        "decided_amount_yuan": "很多",
        "household-0-name": "李测试",
        "household-0-birth_date": "1962-13-01",
        "survey__summary": "留下的文字",
    }
    for step in ("preview", "send"):
        answer = enter(clerk, step, **cells)
        assert answer.status_code == 422
        wrong = wrong_at(answer.text)
        assert {"person.name", "concluded_on", "decided_amount_yuan"} <= set(wrong)
        assert {"household-0-birth_date", "household-0-relation"} <= set(wrong)
        assert 'value="去年"' in answer.text and "留下的文字" in answer.text and 'href="#person.name"' in answer.text
    assert world.rows(t.inbox) == []


def test_what_only_the_rules_refuse_stands_at_its_field_before_anything_is_sent(world: World, clerk: Somebody) -> None:
    cells = {"survey__investigators": "一人", "case_number": "（2026）黔01民初1号", "need_1": "", "need_2": ""}
    answer = enter(clerk, "preview", **cells)
    assert answer.status_code == 422
    assert {"survey.investigators", "case_number"} <= set(wrong_at(answer.text))
    assert 'href="#need_1"' in answer.text
    assert world.rows(t.inbox) == []


def test_a_need_left_out_between_two_keeps_each_problem_at_its_own_field(clerk: Somebody) -> None:
    answer = enter(clerk, "preview", need_2="", need_3_note="没有项目")
    assert answer.status_code == 422
    assert 'href="#need_3' in answer.text and 'href="#need_2' not in answer.text


def test_holds_and_warnings_are_told_in_words_before_and_after(world: World, clerk: Somebody) -> None:
    cells = {"unenforced_balance_yuan": "1", "person__sex": "1 男"}
    preview = enter(clerk, "preview", **cells)
    assert "救助不超过未执行到位金额" in preview.text and "性别与身份证号不符" in preview.text
    sent = enter(clerk, **cells)
    page = clerk.get(sent.headers["Location"]).text
    assert "已接收，先由人工核查" in page and "救助不超过未执行到位金额" in page and "性别与身份证号不符" in page


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_are_shown_as_words(clerk: Somebody, hostile: str) -> None:
    cells = {"person__name": hostile, "need_1_note": hostile, "household-0-name": hostile, "decision": hostile}
    bad = enter(clerk, "preview", **cells)
    assert bad.status_code == 422
    good = {**cells, "decision": "ASSIST", "household-0-relation": "52", "survey__summary": hostile}
    preview, sent = enter(clerk, "preview", **good), enter(clerk, **good)
    assert (preview.status_code, sent.status_code) == (200, 303)
    pages = [bad.text, preview.text, clerk.get(sent.headers["Location"]).text, clerk.get("/court").text]
    pages.append(clerk.post("/court/referrals/r-1/person", {"why": hostile}).text)
    pages.append(clerk.post("/court/referrals/r-1/anew", {"why": hostile}).text)
    for page in pages:
        assert "<script>alert" not in page and "<img src=x" not in page


def test_more_rows_keep_what_was_typed(clerk: Somebody) -> None:
    page = enter(clerk, "more", **{"household-2-name": "李测试"}).text
    assert 'name="household-5-name"' in page and "李测试" in page
    assert 'name="household-6-name"' not in page


def test_a_form_without_its_name_is_refused(clerk: Somebody) -> None:
    assert clerk.post("/court/new", {**typed(), "step": "send"}).status_code == 403


def test_a_referral_is_written_anew_from_the_old_one_under_another_id(
    world: World, clerk: Somebody, site: Flask
) -> None:
    cells = {"household-0-name": "李测试", "household-0-relation": "52 母亲", "reply_by": "2026-06-01 18:00"}
    assert enter(clerk, **cells).status_code == 303
    refused = clerk.post("/court/referrals/r-1/anew", {"why": ""})
    assert refused.status_code < 500 and "测试甲" not in refused.text
    page = clerk.post("/court/referrals/r-1/anew", {"why": "金额填错"}).text
    assert 'value="测试甲"' in page and "李测试" in page and an_id_number() in page
    assert 'value="r-1"' not in page and "先撤回原移送" in page
    (said,) = [row for row in world.rows(t.decisions) if row["what"] == "referral_written_anew"]
    assert (said["subject"], said["why"]) == ("r-1", "金额填错")
    other = clerk_of(world, site, NEIGHBOUR)
    assert other.post("/court/referrals/r-1/anew", {"why": "x"}).status_code == 404
