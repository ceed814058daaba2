"""线索 A clue by form: to the court once, its person shown on record alone, its answers where the office sees them."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.access import Role
from gateway.flows import erase
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, COURT, NEIGHBOUR, World
from tests.web.agency_desk import CIVIL, DISABLED, HOSTILE, clerk_of, form_name, holding, second_office
from tests.web.people import Somebody, somebody

LIST, FORM = "/agency/clues", "/agency/clues/new"
NUMBER, NAME, NOTE = an_id_number(serial=43), "线索甲", "三个月未收到抚养费"
HONEST = {
    "office": CIVIL_AFFAIRS,
    "name": NAME,
    "id_type": "111",
    "id_number": NUMBER,
    "household_registration_region": "520102",
    "circumstances": "UNPAID_SUPPORT",
    "legal_basis": "CONSENT",
    "note": NOTE,
}


def tell(clerk: Somebody, **changes: Any) -> Any:
    form = changes.pop("form", None) or form_name(clerk.get(FORM).text)
    return clerk.post(FORM, {"form": form, **HONEST, **changes}, follow=False)


def own_page(world: World) -> str:
    return f"{LIST}/one/{world.rows(t.clues)[-1]['clue_id']}"


def court_says(world: World, code: str, **more: Any) -> None:
    body = {"clue_id": world.rows(t.clues)[-1]["clue_id"], "code": code, **more}
    world.accept(world.court.sign("clue.answered", body, now=world.now, subject=body["clue_id"]))


def test_a_clue_goes_to_the_court_of_the_persons_region_and_is_listed_without_the_person(world: World) -> None:
    clerk = clerk_of(world, holding(world))
    assert "还没有提供过线索" in clerk.get(LIST).text
    answer = tell(clerk, circumstances=["UNPAID_SUPPORT", "URGENT_TREATMENT"])
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{LIST}?said=agency_clue_sent")
    (row,) = world.rows(t.clues)
    assert (row["party"], row["court_asked"]) == (CIVIL, COURT)
    assert row["clue_id"].startswith(f"{CIVIL_AFFAIRS}:") and row["circumstances"] == "UNPAID_SUPPORT URGENT_TREATMENT"
    assert [one["type"] for one in world.rows(t.outbox)] == ["clue.forwarded"]
    page = clerk.get(LIST).text
    assert row["clue_id"] in page and "待法院反馈" in page and NAME not in page and NUMBER not in page
    (signed,) = [one for one in world.rows(t.decisions) if one["what"] == "signed_on_behalf"]
    assert signed["who"] == clerk.account.who and signed["subject"] == row["clue_id"]


def test_a_court_that_is_meant_gets_it_and_without_any_the_operator_sees_to_it(world: World) -> None:
    clerk = clerk_of(world, holding(world))
    tell(clerk, court=NEIGHBOUR)
    assert [row["court_asked"] for row in world.rows(t.clues)] == [NEIGHBOUR]
    without = tell(clerk, household_registration_region="522301")
    assert "agency_clue_without_court" in without.headers["Location"]
    assert "待网关处理" in clerk.get(LIST).text


def test_pressed_twice_it_is_one_clue(world: World) -> None:
    clerk = clerk_of(world, holding(world))
    form = form_name(clerk.get(FORM).text)
    first, again = tell(clerk, form=form), tell(clerk, form=form)
    assert "agency_clue_sent_before" in again.headers["Location"] != first.headers["Location"]
    assert len(world.rows(t.clues)) == len(world.rows(t.inbox)) == 1


def test_it_is_opened_on_record_and_shows_what_became_of_it(world: World) -> None:
    clerk = clerk_of(world, holding(world))
    tell(clerk)
    page = clerk.get(own_page(world)).text
    assert NAME in page and NUMBER in page and NOTE in page and "法院尚未反馈" in page
    (looked,) = [one for one in world.rows(t.decisions) if one["what"] == "clue_viewed"]
    assert looked["subject"] == world.rows(t.clues)[0]["clue_id"] and NAME not in str(looked)
    court_says(world, "FILED", case_number="（2026）黔01司救执8号")
    world.wait(timedelta(minutes=1))
    assert "已立案" in clerk.get(LIST).text and "待法院反馈" in clerk.get(LIST).text
    court_says(world, "ASSISTED", amount_fen=2_000_000)
    page = clerk.get(own_page(world)).text
    assert "（2026）黔01司救执8号" in page and "予以救助 · 20,000.00" in page and "已办结" in page
    letters = [row["message_id"] for row in world.rows(t.outbox) if row["type"] == "clue.answer"]
    assert f'href="{own_page(world).replace(":", "%3A")}"' in clerk.get(f"/agency/letters/{letters[0]}").text


def test_whom_it_was_passed_to_and_that_the_court_is_late_is_told(world: World) -> None:
    clerk = clerk_of(world, holding(world))
    tell(clerk)
    world.wait(timedelta(days=60))
    clerk = clerk_of(world, clerk.site, name="later")
    assert "法院逾期未反馈" in clerk.get(LIST).text
    court_says(world, "NOT_COURT", to="测试检察院")
    assert "转往：测试检察院" in clerk.get(own_page(world)).text


def test_of_an_erased_clue_codes_and_answers_are_left(world: World) -> None:
    clerk = clerk_of(world, holding(world))
    tell(clerk)
    court_says(world, "NOT_ASSISTED", refusal_code="X5")
    here = own_page(world)
    world.deliver(CIVIL_AFFAIRS)
    world.wait(timedelta(days=4 * 365))
    erase.erase(world.context, world.rows(t.clues)[0]["clue_id"], who="tester", why="期满清除", now=world.now)
    page = clerk_of(world, clerk.site, name="later").get(here).text
    assert NAME not in page and NUMBER not in page and "已清除" in page and "不予救助" in page


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"id_type": ""}, "id_type"),
        ({"household_registration_region": ""}, "household_registration_region"),
        ({"household_registration_region": "无此地"}, "household_registration_region"),
        ({"birth_date": "去年"}, "birth_date"),
        ({"circumstances": ""}, "circumstances"),
        ({"circumstances": "NONE"}, "circumstances"),
        ({"legal_basis": ""}, "legal_basis"),
        ({"office": ""}, "office"),
        ({"office": "disabled_persons-520102"}, "office"),
        ({"court": "某法院"}, "court"),
        ({"note": "长" * 2001}, "note"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(
    world: World, changes: dict[str, str], field: str
) -> None:
    refused = tell(clerk_of(world, holding(world)), **changes)
    assert refused.status_code == 422, refused.headers.get("Location")
    assert f'id="{field}-wrong"' in refused.text
    stays = {name: value for name, value in {**HONEST, **changes}.items() if name in ("name", "id_number", "note")}
    assert [value for value in stays.values() if value not in refused.text] == []
    assert world.rows(t.clues) == world.rows(t.inbox) == []


def test_the_person_stands_in_no_address_no_log_and_no_decision(world: World, caplog: pytest.LogCaptureFixture) -> None:
    clerk = clerk_of(world, holding(world))
    with caplog.at_level(logging.DEBUG):
        sent, refused = tell(clerk), tell(clerk, legal_basis="")
        clerk.get(own_page(world))
    assert refused.status_code == 422
    told = sent.headers["Location"] + caplog.text + str(world.rows(t.decisions)) + str(world.rows(t.clues))
    assert NAME not in told and NUMBER not in told and NOTE not in told


def test_another_party_and_a_clerk_of_another_office_find_nothing(world: World) -> None:
    other = second_office(world)
    site = holding(world)
    tell(clerk_of(world, site, name="whole"))
    here = own_page(world)
    limited = clerk_of(world, site, name="limited", office_ids=(other,))
    for person in (clerk_of(world, site, DISABLED), limited):
        assert person.get(here).status_code == 404
        assert here.rpartition("/")[2] not in person.get(LIST).text
    assert 'id="office-wrong"' in tell(limited).text
    assert tell(limited, office=other).status_code == 303
    assert limited.get(own_page(world)).status_code == 200
    assert "clue_viewed" not in [one["what"] for one in world.rows(t.decisions) if one["subject"] in here]
    assert somebody(world, site, Role.AUDITOR).get(here).status_code == 403


def test_many_are_read_page_by_page(world: World) -> None:
    for number in range(52):
        body = {"clue_id": f"k-{number}", "circumstances": ["OTHER"], "legal_basis": "CONSENT"}
        person = {"name": NAME, "id_type": "111", "household_registration_region": "520102"}
        world.accept(world.partners[CIVIL].sign("clue.submitted", body | {"person": person}, now=world.now))
    clerk = clerk_of(world, holding(world))
    first = clerk.get(LIST).text
    assert ">k-51<" in first and ">k-1<" not in first and 'rel="next"' in first
    after = first.split("/agency/clues?before=")[1].split('"')[0]
    second = clerk.get(f"{LIST}?before={after}").text
    assert ">k-1<" in second and ">k-51<" not in second
    assert clerk.get(f"{LIST}?before=x").status_code == 400


def test_without_the_key_nothing_can_be_told(world: World) -> None:
    site = holding(world, DISABLED)
    clerk = clerk_of(world, site)
    assert f"xianjie keys hold {CIVIL}" in clerk.get(FORM).text
    assert "xianjie keys hold" in clerk.post(FORM, {"form": "f", **HONEST}).text
    assert world.rows(t.clues) == []


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_come_out_as_words_in_both_languages(world: World, hostile: str) -> None:
    clerk = clerk_of(world, holding(world))
    clerk.client.set_cookie("xianjie_language", "en")
    assert "Circumstances (one or more)" in clerk.get(FORM).text
    refused = tell(clerk, **dict.fromkeys(HONEST, hostile))
    assert refused.status_code == 422 and hostile not in refused.text
    tell(clerk, name=hostile, note=hostile)
    page = clerk.get(own_page(world)).text
    assert hostile not in page and "waits for the court" in page
