"""遗漏清单 A court reads who of its own waits too long, minors first; an auditor reads all; nobody else anything."""

from datetime import date, timedelta
from typing import Any

from flask.testing import FlaskClient

from gateway.flows.reconcile import reconcile_all
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, NEIGHBOUR, World, a_referral_body
from tests.web.callers import get

PERSON = a_referral_body()["person"]


def a_person(name: str, born: date, **more: Any) -> dict[str, Any]:
    """Somebody who is nobody else."""
    own = {"name": name, "birth_date": born.isoformat(), "id_number": an_id_number(born)}
    return {key: value for key, value in {**PERSON, **own, "phone": None, **more}.items() if value is not None}


def three_are_late(world: World) -> None:
    """An adult and then a child of the court, and an adult of its neighbour, ten days without an answer."""
    world.refer()
    child = a_person("测试丁", date(2016, 2, 3), guardian={"name": "测试乙", "relation": "61"})
    other = {"original_case_group": "（2025）黔0102民初2号"}
    world.refer(referral_id="r-2", case_number="（2026）黔01司救执2号", person=child, **other)
    other = {"original_case_group": "（2025）黔0302民初3号"}
    world.refer(
        world.neighbour,
        referral_id="r-3",
        case_number="（2026）黔03司救执3号",
        person=a_person("测试戊", date(1971, 5, 6)),
        **other,
    )
    world.dispatch()
    for _ in range(3):
        world.deliver()
    world.wait(timedelta(days=10))
    reconcile_all(world.context, now=world.now)


def test_a_court_reads_its_own_minors_first(world: World, client: FlaskClient) -> None:
    three_are_late(world)
    lines = get(client, world, world.court, "/v1/missed").get_json()["missed"]
    assert [(line["referral_id"], line["is_minor"]) for line in lines] == [("r-2", True), ("r-1", False)]
    line = lines[1]
    assert (line["code"], line["zh"], line["age"], line["must_act"]) == ("MISS_NO_RECEIPT", "未签收", 8, CIVIL_AFFAIRS)
    assert (line["limit"], line["programme"], line["need_id"]) == ("L02", "MLG", "r-1:1")


def test_an_auditor_reads_all(world: World, client: FlaskClient) -> None:
    three_are_late(world)
    lines = get(client, world, world.auditor, "/v1/missed").get_json()["missed"]
    assert [line["court"] for line in lines].count(NEIGHBOUR) == 1
    assert len(lines) == 3


def test_an_office_reads_nothing(world: World, client: FlaskClient) -> None:
    three_are_late(world)
    assert get(client, world, world.offices[CIVIL_AFFAIRS].partner, "/v1/missed").status_code == 403


def test_what_was_answered_is_no_longer_on_the_list(world: World, client: FlaskClient) -> None:
    three_are_late(world)
    for handoff in world.offices[CIVIL_AFFAIRS].received[:3]:
        world.answer(handoff, "10")
    reconcile_all(world.context, now=world.now + timedelta(seconds=5))
    assert get(client, world, world.auditor, "/v1/missed").get_json()["missed"] == []
