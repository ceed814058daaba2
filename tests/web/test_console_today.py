"""今日 The front page: numbers that add up, each leading to where it is acted on; counts alone for who sees no case."""

from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask

from gateway.domain.access import Role
from gateway.domain.reconciliation.balance import COLUMNS, BalanceLine
from gateway.flows import operate
from gateway.flows.reconcile import reconcile_due
from gateway.store import tables as t
from gateway.web.console.today import PICTURE_WIDTH, parts_of
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, World, a_referral_body
from tests.web.people import somebody

TODAY = "/console"
MINUTE = timedelta(minutes=1)


def look(world: World) -> None:
    world.wait(MINUTE)
    reconcile_due(world.context, now=world.now)


def a_child() -> dict[str, Any]:
    born = date(2015, 6, 1)
    own = {"name": "测试童", "id_number": an_id_number(born), "birth_date": born.isoformat()}
    return {**a_referral_body()["person"], **own, "guardian": {"name": "测试监护", "relation": "50"}}


def a_late_world(world: World) -> None:
    """Two overdue needs, one of them a minor's; one that is held; an open duplicate."""
    world.hand_over()
    world.hand_over(
        referral_id="r-2",
        case_number="（2026）黔01司救执2号",
        original_case_group="（2025）黔0102民初2号",
        person=a_child(),
        guardian_consent_ref="测试同意",
    )
    world.refer(referral_id="r-3", case_number="（2026）黔01司救执3号")
    world.wait(timedelta(days=20))
    look(world)


def row_of(text: str, word: str) -> str:
    """The line of a table that has the word."""
    return next(part for part in text.split("<tr>")[1:] if word in part)


def test_an_empty_exchange_has_a_balance_of_nothing(world: World, site: Flask) -> None:
    text = somebody(world, site, Role.RECONCILER).get(TODAY).text
    assert "尚未受理移送" in text
    assert "没有超期的需求" in text
    assert "各单位投递正常" in text
    assert "七日内没有到期的需求" in text


def test_the_balance_adds_up_and_leads_to_where_it_is_acted_on(world: World, site: Flask) -> None:
    a_late_world(world)
    text = somebody(world, site, Role.RECONCILER).get(TODAY).text
    assert 'href="/console/referrals?state=overdue">2</a>' in row_of(text, " 超期</th>")
    assert 'href="/console/referrals?state=held">1</a>' in row_of(text, "人工核查中")
    assert '<td class="number">0</td>' in row_of(text, "差额")
    assert "<svg" in text
    assert "受理需求 3：超期 2，人工核查中 1" in text
    assert "账不平" not in text
    late = row_of(text, f"<code>{CIVIL_AFFAIRS}</code>")
    assert "state=overdue&amp;must_act=civil_affairs-520102" in late
    assert ">2</a>" in late
    assert '<td class="number">1</td>' in late
    assert '/console/findings?family=duplicate">' in text
    assert "20,000.00" in text


def test_a_need_that_is_gone_shows_in_red(world: World, site: Flask) -> None:
    a_late_world(world)
    world.change(t.needs.delete().where(t.needs.c.referral_id == "r-1"))
    text = somebody(world, site, Role.RECONCILER).get(TODAY).text
    assert "账不平" in text
    assert '<td class="number">1</td>' in row_of(text, "差额")


def test_every_link_leads_to_a_page_of_this_console(world: World, site: Flask) -> None:
    a_late_world(world)
    person = somebody(world, site, Role.RECONCILER)
    text = person.get(TODAY).text
    for address in {part.split('"')[0] for part in text.split('href="/console/referrals')[1:]}:
        assert person.get("/console/referrals" + address.replace("&amp;", "&")).status_code == 200


def test_who_sees_no_cases_gets_counts_and_no_way_into_one(world: World, site: Flask) -> None:
    a_late_world(world)
    world.hand_over(
        referral_id="r-4",
        case_number="（2026）黔01司救执4号",
        original_case_group="（2025）黔0102民初4号",
        person={**a_referral_body()["person"], "id_number": an_id_number(date(1970, 1, 1)), "birth_date": "1970-01-01"},
    )
    look(world)
    text = somebody(world, site, Role.ADMINISTRATOR).get(TODAY).text
    assert ">2</td>" in row_of(text, " 超期</th>")
    assert "七日内到期" in text
    assert "/console/referrals" not in text
    assert "/console/findings" not in text
    assert "司救" not in text.split("<main")[1]
    assert "r-4" not in text
    assert 'href="/console/delivery"' in text
    seen = somebody(world, site, Role.RECONCILER).get(TODAY).text
    assert 'href="/console/referrals/r-4"' in seen


@pytest.mark.parametrize("role", [Role.KEY_OFFICER, Role.COURT_CLERK, Role.AGENCY_CLERK], ids=lambda role: role.value)
def test_nobody_else_sees_it(world: World, site: Flask, role: Role) -> None:
    party = {"party_id": "cn/agency/civil_affairs.520102"} if role is Role.AGENCY_CLERK else {}
    assert somebody(world, site, role, **party).get(TODAY).status_code == 403


def test_a_region_counts_its_own_courts(world: World, site: Flask) -> None:
    a_late_world(world)
    here = somebody(world, site, Role.AUDITOR, region="5203").get(TODAY).text
    assert "尚未受理移送" in here
    assert "没有超期的需求" in here
    all_of_it = somebody(world, site, Role.AUDITOR, name="all", region="5201").get(TODAY).text
    assert 'href="/console/referrals?state=overdue">2</a>' in all_of_it


def test_minors_deadlines_come_first(world: World, site: Flask) -> None:
    world.hand_over()
    world.hand_over(
        referral_id="r-2",
        case_number="（2026）黔01司救执2号",
        original_case_group="（2025）黔0102民初2号",
        person=a_child(),
        guardian_consent_ref="测试同意",
    )
    look(world)
    text = somebody(world, site, Role.RECONCILER).get(TODAY).text
    assert text.index("（2026）黔01司救执2号") < text.index("（2026）黔01司救执1号")
    assert "签收" in row_of(text, "（2026）黔01司救执2号")


def test_lanes_that_rest_and_messages_that_are_stuck_are_told(world: World, site: Flask) -> None:
    world.hand_over()
    world.change(t.outbox.update().values(state="parked"))
    operate.set_paused(world.context, CIVIL_AFFAIRS, paused=True, who="test", why="test", now=world.now)
    until = (world.now + timedelta(hours=1)).timestamp() * 1000
    womens = t.offices.c.office_id == "womens_federation-520102"
    world.change(t.offices.update().where(womens).values(failures=5, blocked_until=int(until)))
    text = somebody(world, site, Role.ADMINISTRATOR).get(TODAY).text
    assert "已停送 1" in text
    assert "已暂停" in row_of(text, f"/console/delivery/{CIVIL_AFFAIRS}")
    assert "熔断" in row_of(text, "/console/delivery/womens_federation-520102")


def test_it_reads_in_english(world: World, site: Flask) -> None:
    a_late_world(world)
    person = somebody(world, site, Role.RECONCILER)
    person.client.set_cookie("xianjie_language", "en")
    text = person.get(TODAY).text
    assert "The balance" in text
    assert "Overdue needs: who must act" in text
    assert "held for a person" in text


def test_the_names_of_offices_come_out_as_text(world: World, site: Flask) -> None:
    a_late_world(world)
    hostile = "<script>alert(1)</script>"
    world.change_office(CIVIL_AFFAIRS, name_zh=hostile)
    text = somebody(world, site, Role.RECONCILER).get(TODAY).text
    assert hostile not in text
    assert "&lt;script&gt;" in text


def a_line(**counts: int) -> BalanceLine:
    return BalanceLine(**{"accepted": sum(counts.values()), **counts})


def test_the_parts_of_the_picture_are_as_wide_as_what_they_count() -> None:
    parts = {one.column: one for one in parts_of(a_line(assisted=750, overdue=250))}
    assert [parts[name].width for name in ("assisted", "overdue", "held")] == [750.0, 250.0, 0.0]
    assert (parts["overdue"].x, list(parts)) == (750.0, list(COLUMNS))


def test_what_is_there_at_all_can_be_seen_and_nothing_leaves_the_picture() -> None:
    parts = parts_of(a_line(assisted=1_000_000, held=1, overdue=2))
    assert all(one.width > 2 for one in parts if one.count)
    assert sum(one.width for one in parts) <= PICTURE_WIDTH + 0.01


def test_needs_that_are_missing_leave_the_picture_open() -> None:
    parts = parts_of(BalanceLine(accepted=100, assisted=50))
    assert sum(one.width for one in parts) == 500.0
    too_many = parts_of(BalanceLine(accepted=50, assisted=100))
    assert sum(one.width for one in too_many) == PICTURE_WIDTH
