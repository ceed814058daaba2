"""收件箱 What waits for an office: minors and urgent ones first, page by page; no person in a list."""

import re
from datetime import timedelta

import pytest

from gateway.domain.access import Role
from gateway.domain.agreement import Channel
from gateway.flows.dispatch import dispatch
from gateway.store import tables as t
from gateway.web.agency import inbox as page_module
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, World, a_referral_body
from tests.web.agency_desk import answer, clerk_of, handoff_id, holding, second_office
from tests.web.people import Somebody, somebody

PERSON = a_referral_body()["person"]
CHILD = PERSON | {"birth_date": "2016-01-01", "id_type": "000", "guardian": {"name": "测试丙", "relation": "61"}}
CHILD.pop("id_number")
_REFERRAL = re.compile(r"<code>(r-[0-9]+)</code>")


def refer(world: World, number: int, **changes: object) -> None:
    person = PERSON | {"id_number": an_id_number(serial=number), "name": f"测试{number}"}
    world.refer(
        **{
            "referral_id": f"r-{number}",
            "case_number": f"（2026）黔01司救执{number}号",
            "original_case_group": f"（2025）黔0102民初{number}号",
            "person": person,
            **changes,
        }
    )


def listed(clerk: Somebody, path: str = "/agency") -> list[str]:
    return _REFERRAL.findall(clerk.get(path).text)


def every_page(clerk: Somebody, path: str) -> list[str]:
    found = []
    while path:
        text = clerk.get(path).text
        found += _REFERRAL.findall(text)
        more = re.search(r'href="([^"]+)" rel="next"', text)
        path = more[1].replace("&amp;", "&") if more else ""
    return found


def test_minors_and_urgent_ones_come_first_with_the_days_that_are_left(world: World) -> None:
    for number, changes in enumerate(({}, {"urgency": "URGENT_48H"}, {"person": CHILD}), 1):
        refer(world, number, **changes)
        world.wait(timedelta(minutes=1))
        dispatch(world.context, now=world.now)
    clerk = clerk_of(world, holding(world))
    assert listed(clerk) == ["r-3", "r-2", "r-1"]
    page = clerk.get("/agency").text
    assert "未成年人" in page and "紧急（48小时）" in page and "剩 " in page
    assert "测试1" not in page and an_id_number(serial=1) not in page
    assert "handoff_viewed" not in {row["what"] for row in world.rows(t.decisions)}


def test_each_handoff_stands_in_one_tab(world: World) -> None:
    found = handoff_id(world.hand_over())
    clerk = clerk_of(world, holding(world))
    tabs = ("waiting", "in_hand", "finished", "withdrawn")

    def standing() -> list[str]:
        return [tab for tab in tabs if found in clerk.get(f"/agency?tab={tab}").text]

    assert standing() == ["waiting"]
    clerk.post(f"/agency/handoffs/{found}/sign")
    assert standing() == ["in_hand"]
    answer(clerk, found, "已发放", amount_yuan="600")
    assert standing() == ["finished"]


@pytest.mark.parametrize("tab", ["waiting", "finished"])
def test_pages_follow_each_other_and_none_is_left_out(world: World, monkeypatch: pytest.MonkeyPatch, tab: str) -> None:
    monkeypatch.setattr(page_module, "MOST", 2)
    for number in range(1, 6):
        refer(world, number, **({"urgency": "URGENT_24H"} if number == 4 else {}))
    dispatch(world.context, now=world.now)
    if tab == "finished":
        world.change(t.handoffs.update().values(state="completed"))
    clerk = clerk_of(world, holding(world))
    order = ["r-4", "r-1", "r-2", "r-3", "r-5"] if tab == "waiting" else None
    found = every_page(clerk, f"/agency?tab={tab}")
    assert sorted(found) == [f"r-{number}" for number in range(1, 6)]
    assert order is None or found == order


def test_a_need_that_went_on_to_another_office_shows_nothing_of_what_that_one_does(world: World) -> None:
    """Nursing subsidy: the federation reviews, civil affairs decides."""
    world.refer(needs=[{"programme": "NSD"}], person=PERSON | {"disability": {"kind": 4, "grade": 1}})
    world.dispatch()
    rows = world.rows(t.handoffs)
    clerk = clerk_of(world, holding(world), f"cn/agency/{rows[0]['office_id'].replace('-', '.')}")
    answer(clerk, rows[0]["handoff_id"], "予以救助", next_due="2026-03-20")
    world.dispatch()
    assert len(world.rows(t.handoffs)) == 2
    page = clerk.get("/agency?tab=finished").text + clerk.get("/agency?tab=in_hand").text
    assert "已离开本单位" in page and world.rows(t.handoffs)[1]["handoff_id"] not in page


@pytest.mark.parametrize("query", ["tab=none", "after=x", "after=1.-1", "after=1", "after=9999999999.1"])
def test_an_address_that_says_nothing_is_refused(world: World, query: str) -> None:
    assert clerk_of(world, holding(world)).get(f"/agency?{query}").status_code == 400


def test_an_empty_inbox_says_so(world: World) -> None:
    other = second_office(world)
    clerk = clerk_of(world, holding(world))
    assert "这一栏没有转办" in clerk.get("/agency").text
    nobody = clerk_of(world, clerk.site, name="nobody", office_ids=(other,))
    world.hand_over()
    for path in ("/agency", "/agency?tab=finished", "/agency/letters", "/agency/sheets"):
        assert nobody.get(path).status_code == 200
    assert listed(nobody) == []


def test_an_office_that_fetches_by_mailbox_has_it_here_too(world: World) -> None:
    world.change_office(CIVIL_AFFAIRS, channel=Channel.MAILBOX, url=None)
    world.refer()
    world.dispatch()
    clerk = clerk_of(world, holding(world))
    assert listed(clerk) == ["r-1"]
    (row,) = world.rows(t.handoffs)
    clerk.post(f"/agency/handoffs/{row['handoff_id']}/sign")
    assert {one["state"] for one in world.rows(t.outbox) if one["type"] == "handoff.issued"} == {"retrieved"}


def test_a_party_that_is_suspended_has_nobody_working_for_it(world: World) -> None:
    clerk = clerk_of(world, holding(world))
    world.change(
        t.parties.update().where(t.parties.c.party_id == "cn/agency/civil_affairs.520102").values(active=False)
    )
    world.context.directory.forget()
    assert clerk.get("/agency").status_code == 403
    assert somebody(world, clerk.site, Role.KEY_OFFICER).get("/agency").status_code == 403
