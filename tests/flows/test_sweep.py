"""夜间清扫与家庭情况 What a referral says of its household is kept, told by its message, else read again."""

from datetime import date, timedelta
from typing import Any

import pytest

from gateway.flows.cutoff import cut_off
from gateway.flows.reconcile import reconcile_all, reconcile_due
from gateway.flows.suggest import suggestions
from gateway.flows.sweep import sweep
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.gateway_world import AGREEMENT, World, a_referral_body

PERSON = a_referral_body()["person"]
CHILD = {"name": "测试丙", "relation": "20", "id_type": "111", "birth_date": "2016-05-04"}
CHILD_NUMBER = an_id_number(date(2016, 5, 4), female=False)
FAMILY = PERSON | {"household": [CHILD | {"id_number": CHILD_NUMBER}]}
TABLES = (t.circumstances, t.household_members)


def a_minor(month: str) -> dict[str, Any]:
    """Who turns eighteen in that month."""
    own = {"id_type": "000", "birth_date": f"{int(month[:4]) - 18}{month[4:]}-15"}
    guardian = {"name": "测试乙", "relation": "61"}
    return {key: value for key, value in PERSON.items() if key != "id_number"} | own | {"guardian": guardian}


def settle(world: World) -> list[str]:
    world.wait(timedelta(seconds=3))
    reconcile_due(world.context, now=world.now)
    return world.open_codes()


def test_a_family_whose_child_has_nothing_on_file_is_found_until_the_child_has(world: World) -> None:
    world.refer(person=FAMILY, needs=[{"programme": "LEG"}])
    assert settle(world) == ["MISS_MEMBER"]
    child = PERSON | CHILD | {"id_number": CHILD_NUMBER, "sex": "1", "phone": "13900000009", "relation": None}
    child = {key: value for key, value in child.items() if value is not None}
    child["guardian"] = {"name": "测试甲", "relation": "52"}
    other = {"case_number": "（2026）黔01司救民2号", "original_case_group": "（2025）黔0102民初2号"}
    world.refer(referral_id="r-2", person=child, needs=[{"programme": "EDU"}], **other)
    assert "MISS_MEMBER" not in settle(world)


def test_where_nobody_may_match_nothing_is_said_of_the_household(sqlite_url: str) -> None:
    agreement = AGREEMENT.replace("matching_authorised = true", "matching_authorised = false")
    world = World(sqlite_url, agreement=agreement)
    world.refer(person=FAMILY, needs=[{"programme": "LEG"}])
    assert [row["key"] for row in world.rows(t.household_members)] == [None]
    assert settle(world) == []
    world.close()


def test_a_referral_without_the_paper_is_found_and_with_it_is_not(sqlite_world: World) -> None:
    body = {key: value for key, value in a_referral_body().items() if key != "verification_authorization"}
    sqlite_world.accept(sqlite_world.court.sign("referral.submitted", body, now=sqlite_world.now))
    assert settle(sqlite_world) == ["MISS_NO_AUTHORISATION"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (t.circumstances.update().values(has_authorisation=False), ("circumstances", "altered")),
        (t.circumstances.delete(), ("circumstances", "missing")),
        (t.household_members.update().values(is_minor=False), ("household_members", "altered")),
        (t.household_members.update().values(key="0" * 64), ("household_members", "altered")),
        (t.household_members.delete(), ("household_members", "missing")),
    ],
)
def test_whatever_is_changed_by_hand_is_named(sqlite_world: World, change: Any, named: tuple[str, str]) -> None:
    sqlite_world.refer(person=FAMILY)
    assert cut_off(sqlite_world.context, now=sqlite_world.now).troubles == ()
    sqlite_world.change(change)
    found = cut_off(sqlite_world.context, now=sqlite_world.now).troubles
    assert [(one.table, one.what.value) for one in found] == [named]


def test_older_referrals_are_read_again_from_their_signed_bytes(world: World) -> None:
    world.refer(person=FAMILY, needs=[{"programme": "LEG"}])
    before = [{**row, "row": 0} for table in TABLES for row in world.rows(table)]
    for table in TABLES:
        world.change(table.delete())
    assert sweep(world.context, now=world.now).read_again == 1
    assert [{**row, "row": 0} for table in TABLES for row in world.rows(table)] == before
    assert sweep(world.context, now=world.now).read_again == 0
    assert cut_off(world.context, now=world.now).troubles == ()


def test_the_sweep_counts_who_comes_of_age_and_looks_at_this_months_again(sqlite_world: World) -> None:
    sqlite_world.refer(person=a_minor("2026-03"))
    other = {"case_number": "（2026）黔01司救执2号", "original_case_group": "（2025）黔0102民初2号"}
    sqlite_world.refer(referral_id="r-2", person=a_minor("2026-05") | {"name": "测试戊"}, **other)
    reconcile_all(sqlite_world.context, now=sqlite_world.now)
    swept = sweep(sqlite_world.context, now=sqlite_world.now)
    assert (swept.looked_again, swept.coming_of_age, swept.missing_years) == (1, 2, ())


def test_suggestions_are_read_from_the_bytes_and_nothing_is_written(sqlite_world: World) -> None:
    disability = {"disability": {"kind": 4, "grade": 1}}
    sqlite_world.refer(person=PERSON | disability, needs=[{"programme": "NSD"}])
    found = list(suggestions(sqlite_world.context, now=sqlite_world.now))
    assert [(one.referral_id, one.rule.programme) for one in found] == [("r-1", "LSD"), ("r-1", "MLG")]
    assert list(suggestions(sqlite_world.context, now=sqlite_world.now, court="cn/court/520300")) == []
