"""更正移送 at the portal: opened on record, previewed as it will change, sent once; nothing else is changed by it."""

import re
from typing import Any

import pytest
from flask import Flask

from gateway.store import tables as t
from tests.flows.test_amend import amend
from tests.gateway_world import CIVIL_AFFAIRS, NEIGHBOUR, World
from tests.web.court_desk import HOSTILE, clerk_of, holding
from tests.web.people import Somebody

CASE = "/court/referrals/r-1"
PATH = f"{CASE}/amend"


@pytest.fixture
def site(world: World) -> Flask:
    return holding(world)


@pytest.fixture
def clerk(world: World, site: Flask) -> Somebody:
    return clerk_of(world, site)


def fields(page: str) -> dict[str, str]:
    """What stands in the form, as a browser would send it."""
    main = page[page.index("<main") :]
    found = dict(re.findall(r'<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"', main))
    found |= dict(re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>([^<]*)</textarea>', main))
    for name, options in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', main, re.S):
        chosen = re.search(r"<option selected>([^<]+)", options)
        found[name] = chosen[1] if chosen else ""
    return found


def opened(clerk: Somebody) -> dict[str, str]:
    return fields(clerk.post(PATH, {"why": "电话有误"}).text)


def press(clerk: Somebody, form: dict[str, str], step: str, **changes: str) -> Any:
    typed = {name.replace("__", "."): value for name, value in changes.items()}
    kept = {name: value for name, value in form.items() if name != "csrf"}
    return clerk.post(PATH, {**kept, **typed, "step": step}, follow=False)


def whats(world: World) -> list[str]:
    return [row["what"] for row in world.rows(t.decisions)]


def test_it_is_opened_on_record_with_only_what_may_be_amended(world: World, clerk: Somebody) -> None:
    world.refer()
    assert "/amend" in clerk.get(CASE).text
    page = clerk.post(PATH, {"why": "电话有误"}).text
    form = fields(page)
    assert form["person.phone"] == "13900000000" and form["need_1_note"] == "无固定收入"
    never = {"person.name", "person.id_number", "need_1", "decided_amount_yuan", "need_2_note", "person.guardian.phone"}
    assert not never & form.keys()
    (said,) = [row for row in world.rows(t.decisions) if row["what"] == "referral_amending"]
    assert (said["who"], said["subject"], said["why"]) == (clerk.account.who, "r-1", "电话有误")


def test_without_a_reason_nothing_of_the_person_is_shown(world: World, clerk: Somebody) -> None:
    world.refer()
    for step in ("", "preview", "edit", "send"):
        refused = clerk.post(PATH, {"why": " ", "form": "f", "step": step})
        assert refused.status_code == 422 and "13900000000" not in refused.text
    assert "referral_amending" not in whats(world)


def test_what_is_amended_is_previewed_sent_and_told(world: World, clerk: Somebody) -> None:
    world.hand_over()
    form = opened(clerk)
    preview = press(clerk, form, "preview", person__phone="13800000009")
    assert preview.status_code == 200
    assert "13900000000" in preview.text and "13800000009" in preview.text and "测试路1号" not in _rows(preview.text)
    assert whats(world).count("referral_amending") == 2
    sent = press(clerk, form, "send", person__phone="13800000009")
    assert sent.status_code == 303, sent.text
    page = clerk.get(sent.headers["Location"]).text
    assert "更正已报送并接收" in page and "版（更正）" in page
    world.deliver(CIVIL_AFFAIRS)
    assert world.offices[CIVIL_AFFAIRS].received[-1].envelope.type == "handoff.amended"
    again = press(clerk, form, "send", person__phone="13800000009")
    assert "未重复报送" in clerk.get(again.headers["Location"]).text
    assert len(world.rows(t.referral_amendments)) == 1


def _rows(page: str) -> str:
    return page[page.index("<tbody>") : page.index("</tbody>")]


def test_what_is_typed_stays_and_what_is_wrong_stands_at_its_field(world: World, clerk: Somebody) -> None:
    world.refer()
    form = opened(clerk)
    for step in ("preview", "send"):
        wrong = press(clerk, form, step, survey__investigators="一人", custody="由姑姑代管")
        assert wrong.status_code == 422
        assert 'href="#survey.investigators"' in wrong.text and "由姑姑代管" in wrong.text
    back = press(clerk, form, "edit", survey__investigators="一人")
    assert fields(back.text)["survey.investigators"] == "一人"
    assert world.rows(t.referral_amendments) == []


def test_nothing_changed_is_told(world: World, clerk: Somebody) -> None:
    world.refer()
    answer = press(clerk, opened(clerk), "preview")
    assert answer.status_code == 422 and "移送：与上一版本内容相同" in answer.text


def test_a_field_that_may_not_be_amended_is_not_taken_from_the_form(world: World, clerk: Somebody) -> None:
    world.refer()
    form = opened(clerk)
    changes = {"person__name": "别人", "decided_amount_yuan": "1", "need_1": "EDU 教育救助", "custody": "由姑姑代管"}
    assert press(clerk, form, "send", **changes).status_code == 303
    (row,) = world.rows(t.referrals)
    assert (row["decided_amount_fen"], row["version"]) == (2_000_000, 2)
    assert [need["programme"] for need in world.rows(t.needs)] == ["MLG"]
    assert "测**" in clerk.get(CASE).text


def test_who_amends_what_was_amended_meanwhile_is_told(world: World, clerk: Somebody) -> None:
    world.refer()
    form = opened(clerk)
    amend(world, custody="由村委会代管")
    late = press(clerk, form, "preview", custody="由姑姑代管")
    assert late.status_code == 422 and "所更正的不是最新版本" in late.text and "由姑姑代管" in late.text
    assert [row["version"] for row in world.rows(t.referrals)] == [2]


def test_an_amended_referral_is_amended_again_and_written_anew_as_it_stands(world: World, clerk: Somebody) -> None:
    world.refer()
    press(clerk, opened(clerk), "send", person__phone="13800000009")
    form = opened(clerk)
    assert form["person.phone"] == "13800000009"
    assert press(clerk, form, "send", person__phone="13800000010").status_code == 303
    assert 'value="13800000010"' in clerk.post(f"{CASE}/anew", {"why": "金额填错"}).text


def test_a_withdrawn_referral_has_no_such_form_and_refuses_one(world: World, clerk: Somebody) -> None:
    world.refer()
    form = opened(clerk)
    world.accept(world.court.sign("referral.withdrawn", {"referral_id": "r-1", "reason": "报送有误"}, now=world.now))
    assert "/amend" not in clerk.get(CASE).text
    assert press(clerk, form, "send", custody="由姑姑代管").status_code == 409


def test_a_neighbours_clerk_finds_none(world: World, clerk: Somebody, site: Flask) -> None:
    world.refer()
    form = opened(clerk)
    other = clerk_of(world, site, NEIGHBOUR)
    before = len(world.rows(t.decisions))
    for step in ("", "preview", "edit", "send"):
        answer = press(other, form, step, custody="由姑姑代管")
        assert answer.status_code == 404 and "13900000000" not in answer.text
    assert len(world.rows(t.decisions)) == before


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_come_out_as_words(world: World, clerk: Somebody, hostile: str) -> None:
    world.refer()
    form = opened(clerk)
    pages = [press(clerk, form, step, custody=hostile, why=hostile).text for step in ("preview", "edit")]
    assert press(clerk, form, "send", custody=hostile, why=hostile).status_code == 303
    pages += [clerk.get(CASE).text, clerk.post(PATH, {"why": hostile}).text]
    assert not any(hostile in page for page in pages)


def test_in_english(world: World, clerk: Somebody) -> None:
    world.refer()
    clerk.client.set_cookie("xianjie_language", "en")
    page = clerk.post(PATH, {"why": "wrong phone"}).text
    assert "Amend the referral" in page and "Why it is amended" in page
    preview = press(clerk, fields(page), "preview", custody="with the aunt").text
    assert "Amended to" in preview and "Sign and send the amendment" in preview
