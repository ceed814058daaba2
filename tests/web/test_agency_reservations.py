"""占位核对 An office asks at the portal before it grants: the answer is shown, the number nowhere."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.access import Role
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, DISABLED_PERSONS, World
from tests.web.agency_desk import DISABLED, HOSTILE, clerk_of, form_name, holding, second_office
from tests.web.people import Somebody, somebody

NUMBER = an_id_number()


def ask(clerk: Somebody, **changes: str) -> Any:
    form = {
        "office": CIVIL_AFFAIRS,
        "id_type": "111",
        "id_number": NUMBER,
        "agreement_document": "黔高法〔2022〕98号",
        "programme": "MLG",
        "from_month": "2026-03",
        "until_month": "2026-12",
        "amount_yuan": "600",
    } | changes
    form.setdefault("form", form_name(clerk.get("/agency/reservations").text))
    return clerk.post("/agency/reservations", form, follow=False)


def place(answer: Any) -> str:
    return str(answer.headers["Location"].partition("?")[0])


def test_what_is_free_is_reserved_once_and_the_number_stands_nowhere(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    clerk = clerk_of(world, holding(world))
    form = form_name(clerk.get("/agency/reservations").text)
    with caplog.at_level(logging.DEBUG):
        first, again = ask(clerk, form=form), ask(clerk, form=form)
    assert "said=agency_reserved" in first.headers["Location"], first.text
    assert again.headers["Location"] == first.headers["Location"]
    (row,) = world.rows(t.reservations)
    assert (row["state"], row["amount_fen"]) == ("reserved", 60_000)
    pages = clerk.get(place(first)).text + clerk.get("/agency/reservations").text
    assert "已占位" in pages and NUMBER not in pages
    assert NUMBER not in first.headers["Location"] + caplog.text + str(world.rows(t.decisions))
    assert "reservation_asked" in {one["what"] for one in world.rows(t.decisions)}


def test_what_stands_against_it_is_told(world: World) -> None:
    site = holding(world)
    ask(clerk_of(world, site))
    told = ask(clerk_of(world, site, DISABLED), office=DISABLED_PERSONS)
    assert "said=agency_conflict" in told.headers["Location"]
    page = clerk_of(world, site, DISABLED, name="second").get(place(told)).text
    assert "同项目同期重复" in page and "2026-03" in page and NUMBER not in page


@pytest.mark.parametrize(("act", "state"), [("confirm", "confirmed"), ("release", "released")])
def test_it_is_confirmed_or_released(world: World, act: str, state: str) -> None:
    clerk = clerk_of(world, holding(world))
    here = place(ask(clerk))
    for _ in range(2):
        assert clerk.post(f"{here}/{act}").status_code == 200
    assert [row["state"] for row in world.rows(t.reservations)] == [state]


def test_what_nobody_confirmed_in_time_has_to_be_asked_for_again(world: World) -> None:
    clerk = clerk_of(world, holding(world))
    here = place(ask(clerk))
    world.wait(timedelta(hours=72))
    again = clerk_of(world, clerk.site, name="again")
    assert "已过期" in again.get(here).text
    assert again.post(f"{here}/confirm").status_code == 409


def test_a_need_that_was_handed_over_is_asked_for_without_a_number(world: World) -> None:
    world.hand_over()
    clerk = clerk_of(world, holding(world))
    assert ask(clerk, need_id="r-1:1", id_number="").status_code == 303
    assert 'id="need_id-wrong"' in ask(clerk, need_id="r-9:1", id_number="").text
    stranger = clerk_of(world, clerk.site, DISABLED)
    assert 'id="need_id-wrong"' in ask(stranger, office=DISABLED_PERSONS, need_id="r-1:1", id_number="").text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"from_month": "三月"}, "from_month"),
        ({"until_month": "2026-01"}, "until_month"),
        ({"programme": ""}, "programme"),
        ({"programme": "NONE"}, "programme"),
        ({"amount_yuan": "很多"}, "amount_yuan"),
        ({"id_number": "123"}, "id_number"),
        ({"id_number": ""}, "need_id"),
        ({"office": "civil_affairs-1"}, "office"),
        ({"agreement_document": ""}, "agreement_document"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_the_number_is_not_shown_again(
    world: World, changes: dict[str, str], field: str
) -> None:
    refused = ask(clerk_of(world, holding(world)), **changes)
    assert 400 <= refused.status_code < 500
    assert f'id="{field}-wrong"' in refused.text and NUMBER not in refused.text
    assert world.rows(t.reservations) == []


def test_another_party_and_a_clerk_of_another_office_find_nothing(world: World) -> None:
    other = second_office(world)
    site = holding(world)
    here = place(ask(clerk_of(world, site, name="whole")))
    for person in (clerk_of(world, site, DISABLED), clerk_of(world, site, office_ids=(other,))):
        assert person.get(here).status_code == 404
        assert [person.post(f"{here}/{act}").status_code for act in ("confirm", "release")] == [404, 404]
        assert here.rpartition("/")[2] not in person.get("/agency/reservations").text
    own = clerk_of(world, site, name="limited", office_ids=(other,))
    mine = place(ask(own, office=other, programme="TMP_E"))
    assert own.get(mine).status_code == 200
    assert somebody(world, site, Role.AUDITOR).get(here).status_code == 403


def test_hostile_words_come_out_as_words_in_both_languages(world: World) -> None:
    clerk = clerk_of(world, holding(world))
    clerk.client.set_cookie("xianjie_language", "en")
    for hostile in HOSTILE:
        page = ask(clerk, from_month=hostile, need_id=hostile, office=hostile, programme=hostile, id_number=hostile)
        assert page.status_code == 422 and hostile not in page.text
    assert "Ask and reserve" in clerk.get("/agency/reservations").text
    assert clerk.get("/agency/reservations?before=-1").status_code == 400
