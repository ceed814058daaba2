"""发起协查 An inquiry by form: to the offices of the programmes picked, once, with nothing of the person elsewhere."""

import logging
from typing import Any

import pytest
from flask import Flask

from gateway.domain.access import Role
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.gateway_world import AGREEMENT, CIVIL_AFFAIRS, COURT, DISABLED_PERSONS, NEIGHBOUR, World
from tests.web.court_desk import HOSTILE, clerk_of, form_name, holding
from tests.web.people import Somebody, somebody

FORM, LIST = "/court/notices/inquiries/new", "/court/notices"
NUMBER, NAME = an_id_number(serial=41), "协查甲"
HONEST = {
    "agreement_document": "黔高法〔2022〕98号",
    "case_number": "（2026）黔01司救执1号",
    "legal_basis": "STATUTORY_DUTY",
    "notice_given_at": "2026-02-28",
    "name": NAME,
    "id_type": "111",
    "id_number": NUMBER,
    "household_registration_region": "520102 南明区",
    "programmes": "MLG",
}
FREE_TEXTS = ("case_number", "name", "id_number", "household_registration_region", "notice_given_at", "reply_by")


@pytest.fixture
def site(world: World) -> Flask:
    return holding(world)


@pytest.fixture
def clerk(world: World, site: Flask) -> Somebody:
    return clerk_of(world, site)


def ask(clerk: Somebody, **changes: Any) -> Any:
    form = changes.pop("form", None) or form_name(clerk.get(FORM).text)
    return clerk.post(FORM, {"form": form, **HONEST, **changes}, follow=False)


def forwarded(world: World) -> dict[str, list[str]]:
    """Programmes by office, as the rows have them."""
    found: dict[str, list[str]] = {}
    for row in world.rows(t.inquiry_questions):
        found.setdefault(row["office_id"], []).append(row["programme"])
    return found


def test_what_is_asked_goes_to_its_office_and_is_listed(world: World, clerk: Somebody) -> None:
    assert FORM in clerk.get(LIST).text
    answer = ask(clerk, programmes=["MLG", "TMP_E", "ASD"], reply_by="2026-03-06", sex="2", birth_date="1990-01-01")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{LIST}?said=court_inquiry_sent")
    assert forwarded(world) == {CIVIL_AFFAIRS: ["MLG", "TMP_E"], DISABLED_PERSONS: ["ASD"]}
    (row,) = world.rows(t.inquiries)
    assert (row["court"], row["case_number"]) == (COURT, HONEST["case_number"])
    assert [one["type"] for one in world.rows(t.outbox)] == ["inquiry.forwarded"] * 2
    page = clerk.get(LIST).text
    assert row["inquiry_id"] in page and page.count("未答复") == 3 and NAME not in page and NUMBER not in page
    (signed,) = [one for one in world.rows(t.decisions) if one["what"] == "signed_on_behalf"]
    assert signed["who"] == clerk.account.who and signed["subject"] == row["inquiry_id"]


def test_an_agency_picked_whole_is_asked_of_every_programme_it_leads(world: World, clerk: Somebody) -> None:
    assert ask(clerk, programmes="", agencies="disabled_persons").status_code == 303
    assert forwarded(world) == {DISABLED_PERSONS: ["ASD", "REHAB", "DEMP", "DCERT"]}


def test_pressed_twice_it_is_one_inquiry_and_with_other_content_another(world: World, clerk: Somebody) -> None:
    form = form_name(clerk.get(FORM).text)
    first, again = ask(clerk, form=form), ask(clerk, form=form)
    assert "court_inquiry_sent" in first.headers["Location"] and "court_sent_before" in again.headers["Location"]
    assert len(world.rows(t.inquiries)) == 1
    ask(clerk, form=form, programmes="DST")
    assert len(world.rows(t.inquiries)) == 2


def test_an_id_of_the_courts_own_is_kept_and_never_used_twice(world: World, clerk: Somebody, site: Flask) -> None:
    assert ask(clerk, inquiry_id="Q-2026-9").status_code == 303
    refused = ask(clerk_of(world, site, NEIGHBOUR), inquiry_id="Q-2026-9")
    assert refused.status_code == 422 and 'id="inquiry_id-wrong"' in refused.text
    assert [row["inquiry_id"] for row in world.rows(t.inquiries)] == ["Q-2026-9"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"agreement_document": ""}, "agreement_document"),
        ({"agreement_document": "无此文件"}, "agreement_document"),
        ({"case_number": ""}, "case_number"),
        ({"legal_basis": ""}, "legal_basis"),
        ({"notice_given_at": ""}, "notice_given_at"),
        ({"notice_given_at": "昨天"}, "notice_given_at"),
        ({"name": ""}, "name"),
        ({"id_type": ""}, "id_type"),
        ({"id_number": NUMBER[:-1]}, "id_number"),
        ({"household_registration_region": "无此地"}, "household_registration_region"),
        ({"birth_date": "1990-02-30"}, "birth_date"),
        ({"reply_by": "尽快"}, "reply_by"),
        ({"programmes": ""}, "programmes"),
        ({"programmes": "NONE"}, "programmes"),
        ({"ref": "授权1号"}, "scope"),
        ({"inquiry_id": "协查一"}, "inquiry_id"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(
    world: World, clerk: Somebody, changes: dict[str, str], field: str
) -> None:
    refused = ask(clerk, **changes)
    assert refused.status_code == 422, refused.headers.get("Location")
    assert f'id="{field}-wrong"' in refused.text
    stays = {name: value for name, value in {**HONEST, **changes}.items() if name in FREE_TEXTS}
    assert [value for value in stays.values() if value not in refused.text] == []
    assert world.rows(t.inquiries) == world.rows(t.inbox) == []


def test_everything_wrong_is_told_at_once_and_a_box_stays_ticked(clerk: Somebody) -> None:
    refused = ask(clerk, name="", birth_date="x", legal_basis="", programmes=["MLG", "DST"]).text
    assert [f'id="{one}-wrong"' in refused for one in ("name", "birth_date", "legal_basis")] == [True] * 3
    assert [f'value="{one}" checked' in refused for one in ("MLG", "DST", "ASD")] == [True, True, False]
    assert 'type="text" id="birth_date"' in refused and 'value="x"' in refused


def test_a_programme_the_chosen_agreement_does_not_hold_is_not_asked(world: World) -> None:
    narrower = AGREEMENT.replace("version = 1", "version = 2").replace('["*"]\nmatching', '["MLG", "ASD"]\nmatching')
    world.load_agreement(narrower)
    clerk = clerk_of(world, holding(world))
    page = clerk.get(FORM).text
    assert 'value="MLG"' in page and 'value="DST"' not in page and "妇联" not in page
    refused = ask(clerk, programmes=["MLG", "DST"])
    assert refused.status_code == 422 and 'id="programmes-wrong"' in refused.text
    assert ask(clerk, programmes="", agencies="civil_affairs").status_code == 303
    assert forwarded(world) == {CIVIL_AFFAIRS: ["MLG"]}


def test_where_nobody_can_be_asked_of_a_programme_it_is_said(world: World, clerk: Somebody) -> None:
    answer = ask(clerk, household_registration_region="520103")
    assert "court_inquiry_in_part" in answer.headers["Location"]
    assert "无承办单位" in clerk.get(answer.headers["Location"]).text


def test_the_person_stands_in_no_address_no_log_and_no_decision(
    world: World, clerk: Somebody, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        sent, refused = ask(clerk), ask(clerk, legal_basis="")
    assert sent.status_code == 303 and refused.status_code == 422
    told = sent.headers["Location"] + caplog.text + str(world.rows(t.decisions)) + str(world.rows(t.inquiries))
    assert NAME not in told and NUMBER not in told


def test_a_referral_cites_an_inquiry_of_its_own_court_alone(world: World, clerk: Somebody, site: Flask) -> None:
    ask(clerk, inquiry_id="Q-1")
    assert 'href="/court/new?inquiry=Q-1"' in clerk.get(LIST).text
    form = clerk.get("/court/new?inquiry=Q-1").text
    assert 'value="Q-1"' in form and HONEST["case_number"] in form and NAME not in form
    other = clerk_of(world, site, NEIGHBOUR)
    assert "Q-1" not in other.get(LIST).text
    assert HONEST["case_number"] not in other.get("/court/new?inquiry=Q-1").text


def test_without_the_key_nothing_can_be_asked(world: World, clerk: Somebody, site: Flask) -> None:
    form = form_name(clerk.get(FORM).text)
    world.add_court("cn/court/520200", "520200")
    third = clerk_of(world, site, "cn/court/520200")
    assert "xianjie keys hold cn/court/520200" in third.get(FORM).text
    assert "xianjie keys hold" in third.post(FORM, {"form": form, **HONEST}).text
    assert world.rows(t.inquiries) == []
    assert somebody(world, site, Role.RECONCILER).get(FORM).status_code == 403


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_come_out_as_words_in_both_languages(clerk: Somebody, hostile: str) -> None:
    clerk.client.set_cookie("xianjie_language", "en")
    assert "What is asked" in clerk.get(FORM).text
    refused = ask(clerk, **dict.fromkeys(HONEST, hostile))
    assert refused.status_code == 422 and hostile not in refused.text
