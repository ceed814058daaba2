"""批量办理 Nothing is changed before it was shown, and what is confirmed is what was shown, all of it or nothing."""

import re
from typing import Any

import pytest
from flask import Flask

from gateway.domain.access import Role
from gateway.flows.adjudicate import adjudicate
from gateway.store import tables as t
from gateway.web.console.finding_filter import key_of_name
from tests.gateway_world import NEIGHBOUR, World
from tests.web.finding_rows import a_finding, a_pair, on_file
from tests.web.people import PASSWORD, Somebody, somebody

LIST = "/console/findings"
_HIDDEN = re.compile(r'<input type="hidden" name="(?!csrf)(\w+)" value="([^"]*)"')


@pytest.fixture
def desk(world: World, site: Flask) -> Somebody:
    """Who decides findings, of two courts' referrals."""
    world.refer()
    world.refer(world.neighbour, referral_id="r-2", original_case_group="x", case_number="（2026）黔03司救执2号")
    return somebody(world, site, Role.RECONCILER)


def states(world: World) -> dict[str, str]:
    return {row["subject"]: row["state"] for row in world.rows(t.findings)}


def look(desk: Somebody, names: list[str], act: str = "decide", **more: str) -> Any:
    given = {"decision": "EXPLAINED"} if act == "decide" else {"to": "reconciler"} if act == "assign" else {}
    return desk.post(f"{LIST}/bulk", {"act": act, "finding": names, **given, **more})


def confirm(desk: Somebody, page: Any, why: str = "批量说明", **changes: str) -> Any:
    """Sends the form the preview holds."""
    fields = dict(_HIDDEN.findall(page.text.partition("/bulk/confirm")[2]))
    return desk.post(f"{LIST}/bulk/confirm", {**fields, "why": why, **changes})


def section(text: str, heading: str) -> str:
    """What stands under one heading of the preview."""
    found = text.partition(f"<h2>{heading}")[2]
    return found.partition("<h2>")[0]


def test_it_is_shown_first_and_then_done_to_all(desk: Somebody, world: World) -> None:
    names = on_file(world, *(a_finding(subject=str(at), evidence={"programme": "MLG", "n": at}) for at in range(3)))
    page = look(desk, names)
    assert set(states(world).values()) == {"open"}
    assert "将改变</dt><dd><strong>3</strong>" in page.text
    done = confirm(desk, page)
    assert "已办理 3 件疑点" in done.text
    assert set(states(world).values()) == {"decided"}
    decided = [row for row in world.rows(t.decisions) if row["what"] == "finding_explained"]
    assert {(row["who"], row["why"]) for row in decided} == {("account:reconciler", "批量说明")}


@pytest.mark.parametrize(("act", "there"), [("assign", "assigned"), ("close", "closed"), ("reopen", "open")])
def test_every_act_can_be_done_to_many(desk: Somebody, world: World, act: str, there: str) -> None:
    names = on_file(world, a_finding(subject="a"), a_finding("MM_AMOUNT", subject="b"))
    if act != "assign":
        confirm(desk, look(desk, names))
    confirm(desk, look(desk, names, act))
    assert set(states(world).values()) == {there}


def test_what_repeats_another_of_the_picked_is_left_out_and_named(desk: Somebody, world: World) -> None:
    mine = a_pair(subject="a")
    there = {"other_referral": "r-1", "other_need": "r-1:1"}
    theirs = a_pair(referral_id="r-2", evidence=there, subject="b")
    names = on_file(world, mine, theirs, a_finding(subject="c"), a_finding(subject="d"))
    page = look(desk, [*names, names[0]])
    assert "将改变</dt><dd><strong>2</strong>" in page.text
    left = section(page.text, "因重复略去")
    assert [f'{LIST}/{name}"' in left for name in names] == [True, True, True, True]
    confirm(desk, page)
    assert states(world) == {"a": "decided", "b": "open", "c": "decided", "d": "open"}


def test_what_is_decided_closed_or_was_decided_on_the_same_evidence_is_refused(desk: Somebody, world: World) -> None:
    done, again, fresh = on_file(
        world,
        a_finding(subject="done"),
        a_finding("MM_AMOUNT", subject="again"),
        a_finding("MM_PERSON", subject="fresh"),
    )
    for name in (done, again):
        desk.post(f"{LIST}/{name}/decide", {"decision": "CONFIRMED", "why": "x"})
    desk.post(f"{LIST}/{again}/reopen", {"why": "x"})
    page = look(desk, [done, again, fresh])
    refused = section(page.text, "不予办理")
    assert ("已有决定" in refused, "同一证据此前已有决定" in refused) == (True, True)
    confirm(desk, page)
    assert states(world) == {"done": "decided", "again": "open", "fresh": "decided"}
    assert "尚未决定" in section(look(desk, [again], "close").text, "不予办理")


def test_what_both_sides_are_heard_about_is_refused(desk: Somebody, world: World) -> None:
    (heard,) = on_file(world, a_pair())
    adjudicate(world.context, now=world.now)
    page = look(desk, [heard])
    assert "正由双方复核" in page.text
    assert "/bulk/confirm" not in page.text


def test_what_changed_since_it_was_shown_is_refused_and_nothing_is_done(desk: Somebody, world: World) -> None:
    first, second = on_file(world, a_finding(subject="a"), a_finding("MM_AMOUNT", subject="b"))
    page = look(desk, [first, second])
    desk.post(f"{LIST}/{first}/decide", {"decision": "CONFIRMED", "why": "x"})
    answer = confirm(desk, page)
    assert (answer.status_code, states(world)["b"]) == (409, "open")
    assert "将改变</dt><dd><strong>1</strong>" in answer.text


@pytest.mark.parametrize("changes", [{"seen": "0" * 64}, {"seen": ""}, {"decision": "WRITTEN_OFF"}, {"why": " "}])
def test_a_confirmation_of_something_else_than_was_shown_does_nothing(
    desk: Somebody, world: World, changes: dict[str, str]
) -> None:
    names = on_file(world, a_finding(subject="a"))
    answer = confirm(desk, look(desk, names), **changes)
    assert answer.status_code >= 400
    assert states(world) == {"a": "open"}


def test_it_takes_the_password_again(desk: Somebody, world: World) -> None:
    names = on_file(world, a_finding(subject="a"))
    page = look(desk, names)
    assert confirm(desk, page, password_again="not this one").status_code == 403
    assert states(world) == {"a": "open"}
    assert confirm(desk, page, password_again=PASSWORD).status_code == 200


def test_all_of_a_filter_can_be_meant_and_not_more_than_it(desk: Somebody, world: World) -> None:
    on_file(
        world, a_finding(subject="a"), a_finding(subject="b", evidence={"n": 1}), a_finding("MM_AMOUNT", subject="c")
    )
    page = desk.post(f"{LIST}/bulk", {"act": "assign", "to": "reconciler", "all": "1", "code": "MISS_NO_DECISION"})
    assert "将改变</dt><dd><strong>2</strong>" in page.text
    assert "code=MISS_NO_DECISION" in page.text
    confirm(desk, page)
    assert states(world) == {"a": "assigned", "b": "assigned", "c": "open"}


@pytest.mark.parametrize(
    "form",
    [
        {"act": "decide", "decision": "EXPLAINED"},
        {"act": "", "finding": ["x"]},
        {"act": "burn", "finding": ["x"]},
        {"act": "assign", "to": "stranger", "finding": ["x"]},
        {"act": "decide", "finding": ["x"]},
        {"act": "decide", "decision": "RECOVERED", "finding": ["x"]},
        {"act": "assign", "to": "reconciler", "all": "1", "code": "NOBODY"},
    ],
)
def test_a_form_that_says_too_little_is_told_so(desk: Somebody, world: World, form: dict[str, Any]) -> None:
    (name,) = on_file(world, a_finding())
    given = {**form, "finding": [name]} if "finding" in form else form
    answer = desk.post(f"{LIST}/bulk", given)
    assert (answer.status_code < 500, answer.status_code >= 400, 'role="alert"' in answer.text) == (True, True, True)


def test_what_is_outside_the_region_cannot_be_named_in_either_step(desk: Somebody, world: World, site: Flask) -> None:
    mine, theirs = on_file(world, a_finding(subject="a"), a_pair(referral_id="r-2", subject="b"))
    person = somebody(world, site, Role.RECONCILER, name="region", region="5201")
    assert look(person, [mine, theirs]).status_code == 404
    page = look(person, [mine])
    assert confirm(person, page, keys=f"{mine} {theirs}").status_code == 404
    everything = person.post(f"{LIST}/bulk", {"act": "assign", "to": "region", "all": "1", "state": "all"})
    assert key_of_name(theirs) not in everything.text
    assert "将改变</dt><dd><strong>1</strong>" in everything.text
    nothing = person.post(f"{LIST}/bulk", {"act": "assign", "to": "region", "all": "1", "court": NEIGHBOUR})
    assert nothing.status_code == 400
    assert states(world) == {"a": "open", "b": "open"}


def test_the_preview_is_in_english_too_and_holds_typed_text_as_text(desk: Somebody, world: World) -> None:
    (name,) = on_file(world, a_finding(evidence={"programme": "<script>alert(1)</script>"}))
    desk.client.set_cookie("xianjie_language", "en")
    page = look(desk, [name])
    assert "Would be changed" in page.text
    assert "<script>alert(1)</script>" not in page.text
    refused = confirm(desk, page, why="\"'><img src=x onerror=alert(1)>", seen="x")
    assert "<img src=x" not in refused.text
