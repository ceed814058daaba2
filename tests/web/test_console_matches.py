"""匹配复核 Both sides stand side by side; a person resolves, enters a word, hears an appeal; nobody is named without a
reason."""

from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask

from gateway.domain.access import Role
from gateway.domain.adjudication import MatchSide
from gateway.flows import match_look
from gateway.flows.adjudicate import adjudicate
from gateway.store import match_desk, matches
from gateway.store import tables as t
from gateway.web.console.waterfall import chart
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, COURT, NEIGHBOUR, WOMENS_FEDERATION, World, a_referral_body
from tests.web.finding_rows import a_pair, on_file
from tests.web.people import PASSWORD, Somebody, signed_in, somebody

LIST = "/console/matches"
SECOND = {"case_number": "（2026）黔03司救执2号", "original_case_group": "（2025）黔0302民初2号", "referral_id": "r-2"}
HOSTILE = ("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>")


def alike(world: World, **person: Any) -> str:
    """Two courts give one number to two names: they may be one person's; the match's id."""
    named = a_referral_body()["person"] | person
    more = {"guardian_consent_ref": "测试同意书1号"} if "guardian" in person else {}
    world.refer(person=named, **more)
    world.wait(timedelta(minutes=1))
    world.refer(world.neighbour, person=named | {"name": "王小明"}, needs=[{"programme": "ASD"}], **more, **SECOND)
    adjudicate(world.context, now=world.now)
    return state_of(world)[0]


def name_of(court: str) -> str:
    """As the world calls it."""
    return f"测试单位{court[3:]}"


def doubted(world: World) -> str:
    """One need asked for by two courts: a match that a finding opened."""
    world.refer()
    world.refer(world.neighbour, **SECOND)
    on_file(world, a_pair())
    adjudicate(world.context, now=world.now)
    return state_of(world)[0]


def state_of(world: World) -> tuple[str, str]:
    (row,) = world.rows(t.matches)
    return row["match_id"], row["state"]


@pytest.fixture
def desk(world: World, site: Flask) -> Somebody:
    return somebody(world, site, Role.RECONCILER)


def whys(world: World, what: str) -> list[str]:
    return [row["why"] for row in world.rows(t.decisions) if row["what"] == what]


# --- the list ---


def test_without_a_match_the_list_says_so_in_both_languages(desk: Somebody) -> None:
    assert "没有匹配复核" in desk.get(LIST).text
    desk.client.set_cookie("xianjie_language", "en")
    assert "No match." in desk.get(LIST).text


def test_a_match_is_listed_with_what_each_side_said_or_that_it_is_silent(desk: Somebody, world: World) -> None:
    match_id = doubted(world)
    text = desk.get(LIST).text
    assert (f"{LIST}/{match_id}" in text, text.count("未表态")) == (True, 2)
    desk.post(f"{LIST}/{match_id}/say", {"side": "A", "code": "LAWFUL_BOTH", "why": "书面答复"})
    world.wait(timedelta(days=30))
    desk = signed_in(desk.site, desk.account)
    text = desk.get(LIST).text
    assert ("两项救助可以并存" in text, text.count("逾期未表态")) == (True, 1)
    assert f"{LIST}/{match_id}" in desk.get(f"{LIST}?state=waiting&referral=r-2").text
    assert f"{LIST}/{match_id}" not in desk.get(f"{LIST}?state=closed").text


@pytest.mark.parametrize("asked", ["state=x", "after=x", "after=1~x"])
def test_what_cannot_be_asked_is_told(desk: Somebody, asked: str) -> None:
    assert desk.get(f"{LIST}?{asked}").status_code == 400


def test_pages_begin_with_what_is_before_a_person_and_lose_nothing(world: World) -> None:
    states = ["closed", "open", "escalated", "appealed", "notified", "resolved_lawful"] * 4
    made = [
        {
            "match_id": f"m-{at}",
            "cause": f"c-{at}",
            "code": "DUP_OPEN_REFERRAL",
            "finding_key": None,
            "referral_id": f"r-{at}",
            "other_referral_id": None,
            "state": state,
            "round": 0,
            "opened_at": at,
        }
        for at, state in enumerate(states)
    ]
    world.change(t.matches.insert().values(made))
    seen: list[str] = []
    after = None
    with world.store.reading() as connection:
        while True:
            page = match_desk.listed(connection, after=after, length=5)
            seen += [one.match.state.value for one in page.matches]
            after = page.next
            if after is None:
                break
        mine = match_desk.listed(connection, courts=(COURT,))
    ranks = ["escalated", "appealed", "open", "notified", "resolved_lawful", "closed"]
    assert len(seen) == len(states)
    assert seen[:4] == ["escalated"] * 4
    assert seen[-4:] == ["closed"] * 4
    assert set(seen) == set(ranks)
    assert mine.matches == ()


# --- one match ---


def test_both_sides_stand_side_by_side_masked_and_the_look_is_on_file(desk: Somebody, world: World) -> None:
    match_id = alike(world)
    text = desk.get(f"{LIST}/{match_id}").text
    for shown in ("（2026）黔01司救执1号", "（2026）黔03司救执2号", "王**", "测**", "甲方", "乙方"):
        assert shown in text
    for hidden in ("王小明", "测试甲", an_id_number(), "测试路1号", "13900000000"):
        assert hidden not in text
    assert whys(world, "match_viewed") == ["page"]


def test_the_score_is_drawn_and_told_field_by_field(desk: Somebody, world: World) -> None:
    match_id = alike(world)
    text = desk.get(f"{LIST}/{match_id}").text
    picture = text.partition("<svg")[2].partition("</svg>")[0]
    assert "<title" in picture
    assert "style=" not in picture
    assert picture.count("<rect") >= 3
    (row,) = world.rows(t.possible_matches)
    assert f">{row['score']}</td>" in text.partition("<tfoot>")[2]
    assert "同一号码而他项不同" in text


def test_bars_go_on_where_the_last_one_ended_and_reach_the_score(site: Flask) -> None:
    steps = [("name", "exact", 43), ("sex", "different", -17), ("household", "cap", -7)]
    with site.test_request_context():
        made = chart(steps, verdict="POSSIBLE", version="x")
    assert ([bar.total for bar in made.bars], made.score) == ([43, 26, 19], 19)
    first, second, third = made.bars
    assert second.x + second.width == pytest.approx(first.x + first.width, abs=0.3)
    assert third.x + third.width == pytest.approx(second.x, abs=0.3)
    assert (first.sort, second.sort) == ("good", "bad")


def test_the_page_is_in_english_too(desk: Somebody, world: World) -> None:
    match_id = alike(world)
    desk.client.set_cookie("xianjie_language", "en")
    text = desk.get(f"{LIST}/{match_id}").text
    assert "Both sides" in text
    assert "Side A" in text
    assert "same number" in text


def test_a_match_nobody_has_is_not_there(desk: Somebody) -> None:
    assert desk.get(f"{LIST}/m-0").status_code == 404
    assert desk.post(f"{LIST}/m-0/resolve", {"why": "x"}).status_code == 404
    assert desk.post(f"{LIST}/m-0/notice", {"why": "x", "side": "A"}).status_code == 404


def test_a_person_resolves_and_the_finding_and_both_sides_follow(desk: Somebody, world: World) -> None:
    match_id = doubted(world)
    assert desk.post(f"{LIST}/{match_id}/resolve", {"resolution": "LAWFUL", "why": "各自有据"}).status_code == 200
    assert state_of(world)[1] == "closed"
    (finding,) = world.rows(t.findings)
    assert (finding["state"], finding["decided_as"]) == ("closed", "EXPLAINED")
    text = desk.get(f"{LIST}/{match_id}").text
    assert "匹配：各自合法" in text
    assert "/resolve" not in text
    appealed = desk.post(f"{LIST}/{match_id}/appeal", {"why": "本人不服"})
    assert (appealed.status_code, state_of(world)[1]) == (200, "appealed")
    assert [row["state"] for row in world.rows(t.findings)] == ["open"]


@pytest.mark.parametrize(
    ("act", "form"),
    [
        ("resolve", {"resolution": "", "why": "x"}),
        ("resolve", {"resolution": "NO_LONGER_SEEN", "why": "x"}),
        ("resolve", {"resolution": "DUPLICATE", "why": "x"}),
        ("resolve", {"resolution": "LAWFUL", "stops": "A", "why": "x"}),
        ("resolve", {"resolution": "LAWFUL", "why": " "}),
        ("appeal", {"why": "x"}),
        ("say", {"side": "C", "code": "LAWFUL_BOTH", "why": "x"}),
        ("say", {"side": "A", "code": "YES", "why": "x"}),
        ("say", {"side": "A", "code": "STOP_MINE", "why": "x"}),
        ("say", {"side": "A", "code": "LAWFUL_BOTH", "stops_by": "STOP", "why": "x"}),
        ("notice", {"side": "Z", "why": "x"}),
        ("notice", {"side": "A", "why": " "}),
    ],
)
def test_a_form_that_is_not_right_changes_nothing(desk: Somebody, world: World, act: str, form: dict[str, str]) -> None:
    match_id = doubted(world)
    answer = desk.post(f"{LIST}/{match_id}/{act}", form)
    assert (400 <= answer.status_code < 500, 'role="alert"' in answer.text) == (True, True)
    assert state_of(world)[1] == "notified"


def test_to_resolve_takes_the_password_again(desk: Somebody, world: World) -> None:
    match_id = doubted(world)
    form = {"resolution": "LAWFUL", "why": "x", "password_again": "not this one"}
    assert desk.post(f"{LIST}/{match_id}/resolve", form).status_code == 403
    assert state_of(world)[1] == "notified"
    assert desk.post(f"{LIST}/{match_id}/resolve", form | {"password_again": PASSWORD}).status_code == 200


def test_two_words_entered_here_resolve_what_they_agree_on(desk: Somebody, world: World) -> None:
    match_id = doubted(world)
    for side in ("A", "B"):
        told = desk.post(f"{LIST}/{match_id}/say", {"side": side, "code": "NOT_SAME_HELP", "why": "电话记录"})
        assert told.status_code == 200
    assert state_of(world)[1] == "closed"
    assert "网关代录" in desk.get(f"{LIST}/{match_id}").text


@pytest.mark.parametrize(
    ("party", "office", "mute"),
    [
        ("operator", None, True),
        (COURT, None, True),
        ("cn/agency/womens_federation.520102", WOMENS_FEDERATION, True),
        ("cn/agency/civil_affairs.520102", CIVIL_AFFAIRS, False),
    ],
)
def test_a_word_is_entered_only_for_who_has_no_server(world: World, party: str, office: str | None, mute: bool) -> None:
    side = MatchSide(side="A", party=party, office_id=office, referral_id="r-1")
    assert match_look.is_mute(world.context, side, world.now) is mute


def test_an_auditor_sees_all_and_no_form_but_the_reasoned_look(desk: Somebody, world: World, site: Flask) -> None:
    match_id = doubted(world)
    person = somebody(world, site, Role.AUDITOR)
    text = person.get(f"{LIST}/{match_id}").text
    assert [f'/{act}"' in text for act in ("resolve", "say", "appeal", "notice")] == [False, False, False, True]
    for act in ("resolve", "say", "appeal"):
        assert person.post(f"{LIST}/{match_id}/{act}", {"why": "x"}).status_code == 403


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.KEY_OFFICER, Role.COURT_CLERK])
def test_another_role_is_refused(world: World, site: Flask, role: Role) -> None:
    match_id = doubted(world)
    person = somebody(world, site, role)
    assert person.get(LIST).status_code == 403
    assert person.get(f"{LIST}/{match_id}").status_code == 403
    assert person.post(f"{LIST}/{match_id}/notice", {"why": "x", "side": "A"}).status_code == 403


def test_who_sees_one_side_sees_nothing_of_the_other_and_decides_nothing(world: World, site: Flask) -> None:
    match_id = alike(world)
    person = somebody(world, site, Role.RECONCILER, name="region", region="5201")
    assert f"{LIST}/{match_id}" in person.get(LIST).text
    text = person.get(f"{LIST}/{match_id}").text
    assert ("（2026）黔01司救执1号" in text, "（2026）黔03司救执2号" in text, "王**" in text) == (True, False, False)
    assert "不在您的查看范围" in text
    assert ("/resolve" in text, "/notice" in text) == (False, False)
    for page in (text, person.get(LIST).text):  # not even whose case it is, or who is asked about it
        assert (name_of(COURT) in page, name_of(NEIGHBOUR) in page) == (True, False)
    assert person.post(f"{LIST}/{match_id}/resolve", {"resolution": "LAWFUL", "why": "x"}).status_code == 403
    assert person.post(f"{LIST}/{match_id}/notice", {"side": "A", "why": "x"}).status_code == 403


def test_who_sees_neither_side_finds_no_match(world: World, site: Flask) -> None:
    match_id = doubted(world)
    person = somebody(world, site, Role.RECONCILER, name="region", region="5206")
    assert "没有匹配复核" in person.get(LIST).text
    assert person.get(f"{LIST}/{match_id}").status_code == 404
    assert person.post(f"{LIST}/{match_id}/resolve", {"resolution": "LAWFUL", "why": "x"}).status_code == 404


# --- the notice to the person ---


def test_the_notice_is_shown_for_a_reason_once_and_is_on_file(desk: Somebody, world: World) -> None:
    match_id = doubted(world)
    answer = desk.post(f"{LIST}/{match_id}/notice", {"side": "A", "why": "当面告知"})
    assert "测试甲" in answer.text
    assert "To 测试甲" in answer.text
    assert whys(world, "match_notice_viewed") == ["side=A 当面告知"]
    assert "测试甲" not in desk.get(f"{LIST}/{match_id}").text


def test_a_protected_persons_notice_is_held_back_until_a_safe_channel_is_confirmed(
    desk: Somebody, world: World
) -> None:
    match_id = alike(world, safety_flag=True)
    held = desk.post(f"{LIST}/{match_id}/notice", {"side": "A", "why": "x"}).text
    assert ("告知暂不发出" in held, "测试路1号" in held) == (True, False)
    made = desk.post(f"{LIST}/{match_id}/notice", {"side": "A", "why": "x", "safe_channel": "1"}).text
    assert ("本人亲收" in made, "测试路1号" in made) == (True, False)


def test_a_minors_notice_takes_a_second_person(desk: Somebody, world: World) -> None:
    child = {
        "birth_date": "2015-01-01",
        "id_number": an_id_number(date(2015, 1, 1)),
        "guardian": {"name": "测试母", "relation": "mother"},
    }
    match_id = alike(world, **child)
    assert "未成年人信息封存" in desk.get(f"{LIST}/{match_id}").text
    answer = desk.post(f"{LIST}/{match_id}/notice", {"side": "A", "why": "x"})
    assert (answer.status_code, "测试母" in answer.text) == (409, False)
    assert "须经第二人批准" in answer.text
    assert whys(world, "match_notice_viewed") == []


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_somebody_typed_comes_out_as_text(desk: Somebody, world: World, hostile: str) -> None:
    match_id = doubted(world)
    desk.post(f"{LIST}/{match_id}/say", {"side": "A", "code": "NEED_INFORMATION", "why": hostile})
    refused = desk.post(f"{LIST}/{match_id}/resolve", {"resolution": "x", "why": hostile})
    asked = desk.get(LIST, query_string={"referral": hostile})
    for text in (desk.get(f"{LIST}/{match_id}").text, refused.text, asked.text):
        assert hostile not in text


def test_an_erased_side_is_told_to_be_gone(desk: Somebody, world: World) -> None:
    match_id = doubted(world)
    world.change(t.case_keys.update().where(t.case_keys.c.referral_id == "r-1").values(wrapped=None, erased_at=1))
    text = desk.get(f"{LIST}/{match_id}").text
    assert "已清除或无法核验" in text


def test_a_match_is_of_both_courts(world: World) -> None:
    doubted(world)
    with world.store.reading() as connection:
        for court in (COURT, NEIGHBOUR):
            assert len(match_desk.listed(connection, courts=(court,)).matches) == 1
        assert len(matches.listed(connection)) == 1
