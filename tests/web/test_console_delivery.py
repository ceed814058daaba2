"""投递页 Queues, attempts and what may be done about them: shown first, confirmed, reasoned, within one's region."""

from datetime import timedelta

import pytest
from flask import Flask

from gateway.domain.access import Role
from gateway.store import tables as t
from gateway.transport.answer import Answer, NoAnswer, NoAnswerReason
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, COURT, WOMENS_FEDERATION, World, a_referral_body
from tests.web.people import Somebody, signed_in, somebody

HOME = f"/console/delivery/{CIVIL_AFFAIRS}"
SCRIPT = "<script>alert(1)</script>"
IMAGE = "\"'><img src=x onerror=alert(1)>"


def refused_messages(world: World, count: int = 1) -> list[str]:
    """Handoffs that civil affairs' server would not take; their message ids."""
    world.offices[CIVIL_AFFAIRS].fault = lambda _: Answer(status=400, body=b"")
    for number in range(count):
        person = a_referral_body()["person"] | {"id_number": an_id_number(serial=number + 1)}
        world.refer(referral_id=f"r-{number}", person=person, original_case_group=f"（2025）黔0102民初{number + 1}号")
    while world.dispatch().handoffs:
        pass
    while world.deliver().sent:
        pass
    world.offices[CIVIL_AFFAIRS].fault = None
    return [row["message_id"] for row in world.rows(t.outbox) if row["state"] == "refused"]


def states(world: World, message_ids: list[str]) -> list[str]:
    return [row["state"] for row in world.rows(t.outbox) if row["message_id"] in message_ids]


def whats(world: World) -> list[str]:
    return [row["what"] for row in world.rows(t.decisions)]


@pytest.fixture
def operator(world: World, site: Flask) -> Somebody:
    return somebody(world, site, Role.ADMINISTRATOR)


def test_queues_show_what_is_stuck_and_what_waits_in_mailboxes(world: World, operator: Somebody) -> None:
    refused_messages(world, 2)
    page = operator.get("/console/delivery")
    assert page.status_code == 200
    assert f'href="{HOME}?state=refused">2</a>' in page.text
    assert COURT in page.text or "没有待取的报文" in page.text
    only = operator.get("/console/delivery?only=trouble").text
    assert CIVIL_AFFAIRS in only
    assert WOMENS_FEDERATION not in only


def test_the_pages_speak_english(world: World, operator: Somebody) -> None:
    (message_id,) = refused_messages(world)
    operator.client.set_cookie("xianjie_language", "en")
    assert "Queues by office" in operator.get("/console/delivery").text
    assert "Recover since" in operator.get(HOME).text
    assert "Every attempt" in operator.get(f"/console/delivery/messages/{message_id}").text
    assert "What pausing would do" in operator.get(f"{HOME}/pause").text


def test_an_empty_office_says_so(operator: Somebody) -> None:
    assert "没有报文" in operator.get(HOME).text


def test_a_message_shows_each_attempt_with_its_answer(world: World, operator: Somebody) -> None:
    office = world.offices[CIVIL_AFFAIRS]

    def hang_up(_: bytes) -> Answer:
        raise NoAnswer(NoAnswerReason.CONNECTION_LOST, may_have_arrived=True)

    world.refer()
    world.dispatch()
    office.fault = hang_up
    world.deliver()
    world.wait(timedelta(hours=1))
    office.fault = lambda _: Answer(status=503, body=b"")
    world.deliver()
    (row,) = [row for row in world.rows(t.outbox) if row["office_id"] == CIVIL_AFFAIRS]
    text = signed_in(operator.site, operator.account).get(f"/console/delivery/messages/{row['message_id']}").text
    assert "连接中断" in text
    assert ">503<" in text
    assert "结果不明" in text
    assert "下次发送" in text
    assert "移送" not in text.split("<main")[1]  # an administrator reads no case


def test_a_reconciler_is_led_to_the_referral(world: World, site: Flask) -> None:
    (message_id,) = refused_messages(world)
    person = somebody(world, site, Role.RECONCILER)
    assert 'href="/console/referrals/r-0"' in person.get(HOME).text
    assert 'href="/console/referrals/r-0"' in person.get(f"/console/delivery/messages/{message_id}").text


def test_a_retry_is_shown_first_and_then_sends_what_was_shown(world: World, operator: Somebody) -> None:
    first, second = refused_messages(world, 2)
    shown = operator.post(f"{HOME}/retry", {"message_id": [first]})
    assert shown.status_code == 200
    assert first in shown.text
    assert second not in shown.text
    assert states(world, [first, second]) == ["refused", "refused"]
    done = operator.post(f"{HOME}/send-again", {"message_id": [first], "why": "系统已修复"})
    assert "已重新排队 1 件" in done.text
    assert states(world, [first, second]) == ["queued", "refused"]
    assert whats(world).count("sent_again") == 1


def test_nothing_picked_is_told(world: World, operator: Somebody) -> None:
    refused_messages(world)
    answer = operator.post(f"{HOME}/retry")
    assert (answer.status_code, "缺少必填字段" in answer.text) == (400, True)


def test_recovery_takes_everything_that_got_stuck_since_a_moment(world: World, operator: Somebody) -> None:
    early = refused_messages(world)
    world.wait(timedelta(days=1))
    world.offices[CIVIL_AFFAIRS].fault = lambda _: Answer(status=400, body=b"")
    body = a_referral_body()
    world.refer(
        referral_id="r-late",
        person=body["person"] | {"id_number": an_id_number(serial=77)},
        original_case_group="（2025）黔0102民初77号",
    )
    world.dispatch()
    world.deliver()
    late = [row["message_id"] for row in world.rows(t.outbox) if row["referral_id"] == "r-late"][:1]
    person = signed_in(operator.site, operator.account)
    shown = person.post(f"{HOME}/recover", {"since": "2026-03-04T00:00"}).text
    assert late[0] in shown
    assert early[0] not in shown
    assert early[0] in person.post(f"{HOME}/recover", {"since": "2026-03-01T00:00"}).text


@pytest.mark.parametrize("since", ["", "gestern", "0001-01-01T00:00", "9999-12-31T23:59", SCRIPT])
def test_a_moment_that_is_none_is_refused_and_shown_again(world: World, operator: Somebody, since: str) -> None:
    answer = operator.post(f"{HOME}/recover", {"since": since})
    assert answer.status_code == 400
    assert SCRIPT not in answer.text


def test_an_act_without_a_reason_keeps_the_list(world: World, operator: Somebody) -> None:
    (message_id,) = refused_messages(world)
    answer = operator.post(f"{HOME}/send-again", {"message_id": [message_id], "why": " "})
    assert answer.status_code == 400
    assert f'value="{message_id}"' in answer.text
    assert states(world, [message_id]) == ["refused"]


def test_what_has_ended_meanwhile_is_shown_as_staying(world: World, operator: Somebody) -> None:
    (message_id,) = refused_messages(world)
    world.change(t.handoffs.update().values(state="withdrawn"))
    text = operator.post(f"{HOME}/retry", {"message_id": [message_id]}).text
    assert "不会重发" in text
    assert "确认重发" not in text


def test_a_message_of_another_office_is_not_found(world: World, operator: Somebody) -> None:
    (message_id,) = refused_messages(world)
    other = "/console/delivery/disabled_persons-520102"
    assert operator.post(f"{other}/send-again", {"message_id": [message_id], "why": "x"}).status_code == 404
    assert operator.post(f"{HOME}/retry", {"message_id": [message_id, IMAGE]}).status_code == 404
    assert operator.get("/console/delivery/nobody").status_code == 404
    assert operator.get("/console/delivery/messages/nobody").status_code == 404


def test_pausing_is_shown_first_confirmed_and_on_file(world: World, operator: Somebody) -> None:
    world.refer()
    world.dispatch()
    page = operator.get(f"{HOME}/pause").text
    assert "暂停投递预览" in page
    assert 'href="/console/delivery/messages/' in page
    assert operator.post(f"{HOME}/pause", {"why": "对方维护", "password_again": "wrong"}).status_code == 403
    assert "已暂停投递" in operator.post(f"{HOME}/pause", {"why": "对方维护"}).text
    assert world.deliver().sent == 0
    assert "恢复投递预览" in operator.get(f"{HOME}/pause").text
    assert "已恢复投递" in operator.post(f"{HOME}/resume", {"why": "维护结束"}).text
    assert world.deliver().relayed == 1
    assert [one for one in whats(world) if one.startswith("lane_")] == ["lane_paused", "lane_resumed"]


def test_pausing_needs_a_reason(operator: Somebody) -> None:
    assert operator.post(f"{HOME}/pause", {"why": ""}).status_code == 400


@pytest.mark.parametrize("role", [Role.AUDITOR])
def test_an_auditor_looks_and_touches_nothing(world: World, site: Flask, role: Role) -> None:
    (message_id,) = refused_messages(world)
    person = somebody(world, site, role)
    page = person.get(HOME)
    assert page.status_code == 200
    assert "<button>重发所选" not in page.text
    assert person.post(f"{HOME}/retry", {"message_id": [message_id]}).status_code == 403
    assert person.post(f"{HOME}/pause", {"why": "x"}).status_code == 403
    assert person.post(f"{HOME}/test").status_code == 403


@pytest.mark.parametrize("role", [Role.KEY_OFFICER, Role.COURT_CLERK])
def test_other_roles_do_not_see_delivery(world: World, site: Flask, role: Role) -> None:
    person = somebody(world, site, role)
    assert person.get("/console/delivery").status_code == 403
    assert person.get(HOME).status_code == 403


def test_somebody_of_another_region_finds_nothing(world: World, site: Flask) -> None:
    (message_id,) = refused_messages(world)
    person = somebody(world, site, Role.RECONCILER, region="5203")
    assert CIVIL_AFFAIRS not in person.get("/console/delivery").text
    assert person.get(HOME).status_code == 404
    assert person.get(f"/console/delivery/messages/{message_id}").status_code == 404
    assert person.post(f"{HOME}/pause", {"why": "x"}).status_code == 404


def test_names_are_escaped(world: World, operator: Somebody) -> None:
    refused_messages(world)
    world.change_office(CIVIL_AFFAIRS, name_zh=IMAGE)
    world.change(t.outbox.update().values(reason=SCRIPT[:64]))
    for path in ("/console/delivery", HOME, f"{HOME}/pause"):
        text = operator.get(path).text
        assert SCRIPT not in text
        assert "<img" not in text


def test_bad_addresses_are_told(operator: Somebody) -> None:
    assert operator.get(f"{HOME}?state=none").status_code == 400
    assert operator.get(f"{HOME}?before=x").status_code == 400
    assert operator.get(f"{HOME}?before=99999999999999999999").status_code == 400


def test_pages_of_messages_follow_each_other_without_a_gap(
    world: World, operator: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = refused_messages(world, 5)
    monkeypatch.setattr("gateway.web.console.delivery.PAGE", 2)
    found, path = [], HOME
    for _ in range(3):
        text = operator.get(path).text
        found += [one for one in wanted if f'value="{one}"' in text]
        if 'rel="next"' not in text:
            break
        path = text.split('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    assert sorted(found) == sorted(wanted)


def test_a_test_of_the_connection_to_a_private_address_connects_to_nothing(world: World, operator: Somebody) -> None:
    world.change_office(CIVIL_AFFAIRS, url="https://127.0.0.1:9/messages?token=secret-of-the-office")
    answer = operator.post(f"{HOME}/test")
    assert answer.status_code == 200
    assert "not_public" in answer.text
    assert "secret-of-the-office" not in answer.text
    assert "connection_tested" in whats(world)


def test_an_office_that_fetches_has_nothing_to_test(operator: Somebody) -> None:
    assert "不推送" in operator.post(f"/console/delivery/{WOMENS_FEDERATION}/test").text
