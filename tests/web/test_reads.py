"""What a party reads of its own: proven by a token that is good for one request and once; nothing of anybody else's."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.envelope.signing import MESSAGE_TYP, verify
from gateway.store import directory
from gateway.store import tables as t
from gateway.web.api import reads
from gateway.web.site import create_site
from tests.gateway_world import COURT, GATEWAY, NEIGHBOUR, WOMENS_FEDERATION, Partner, World
from tests.web.callers import HERE, NDJSON, PROBLEM, a_referral, a_token, get, problem_of, told

FEDERATION = "cn/agency/womens_federation.520102"
MAILBOX_NEEDS = [{"programme": "PSY"}]


@pytest.fixture
def office(world: World) -> Partner:
    """The party of the office with a mailbox."""
    return world.partners[FEDERATION]


def a_letter(world: World, number: int = 1) -> None:
    """One message in the women's federation's mailbox."""
    world.accept(a_referral(world, number, needs=MAILBOX_NEEDS))
    world.dispatch()


def ask(client: FlaskClient, token: str, path: str, **headers: str) -> TestResponse:
    return client.get(path, headers={"Authorization": f"Bearer {token}", **headers})


# --- the token ---


def test_a_token_is_good_once(world: World, client: FlaskClient, office: Partner) -> None:
    token = a_token(world, office, "/v1/inbox")
    assert ask(client, token, "/v1/inbox").status_code == 200
    assert told(ask(client, token, "/v1/inbox")) == (401, "not_trusted")


def test_a_token_is_used_up_by_a_question_that_is_refused(world: World, client: FlaskClient, office: Partner) -> None:
    token = a_token(world, office, "/v1/inbox")
    assert told(ask(client, token, "/v1/inbox?limit=x")) == (400, "invalid_query")
    assert told(ask(client, token, "/v1/inbox")) == (401, "not_trusted")


def test_two_parties_may_use_one_jti(world: World, client: FlaskClient) -> None:
    for court in (world.court, world.neighbour):
        assert ask(client, a_token(world, court, "/v1/balance", jti="same"), "/v1/balance").status_code == 200


def test_many_at_once_with_one_token_and_just_one_is_answered(world: World, site: Flask, office: Partner) -> None:
    token = a_token(world, office, "/v1/inbox")
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(ask(site.test_client(), token, "/v1/inbox").status_code))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [401] * 7


BROKEN: dict[str, dict[str, Any]] = {
    "another address": {"url": HERE + "/v1/balance"},
    "another host": {"url": "http://elsewhere.example/v1/inbox"},
    "another scheme": {"url": "https://localhost/v1/inbox"},
    "another method": {"method": "POST"},
    "for somebody else": {"audience": COURT},
}


@pytest.mark.parametrize("changes", BROKEN.values(), ids=BROKEN)
def test_a_token_for_anything_else_is_refused(
    world: World, client: FlaskClient, office: Partner, changes: dict[str, Any]
) -> None:
    token = a_token(world, office, "/v1/inbox", **changes)
    assert told(ask(client, token, "/v1/inbox")) == (401, "not_trusted")
    assert world.rows(t.used_tokens) == []


@pytest.mark.parametrize("age", [timedelta(seconds=120), timedelta(days=1), timedelta(seconds=-61)], ids=str)
def test_a_token_is_good_for_two_minutes(world: World, client: FlaskClient, office: Partner, age: timedelta) -> None:
    token = a_token(world, office, "/v1/inbox", now=world.now - age)
    assert told(ask(client, token, "/v1/inbox")) == (401, "not_trusted")


def test_a_token_of_a_suspended_party_is_refused(world: World, client: FlaskClient, office: Partner) -> None:
    token = a_token(world, office, "/v1/inbox")
    world.store.write(
        lambda connection: directory.set_party_active(connection, FEDERATION, active=False, now=world.now)
    )
    world.context.directory.forget()
    assert told(ask(client, token, "/v1/inbox")) == (401, "not_trusted")


def test_a_message_is_no_token(world: World, client: FlaskClient, office: Partner) -> None:
    assert told(ask(client, office.sign("x", {}, now=world.now).decode(), "/v1/inbox")) == (401, "not_trusted")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer x", "Bearer a.b.c", "Bearer " + "a" * 5000, "Bearer 令牌"]
)
def test_anything_else_in_its_place_is_refused(client: FlaskClient, header: str) -> None:
    response = client.get("/v1/inbox", headers={"Authorization": header.encode().decode("latin-1")})
    assert told(response) == (401, "not_trusted")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("host", ["a@b", "a:99999", "a b", "[::1", "", "\x00", "测试"])
def test_a_host_that_makes_no_address_is_refused_and_is_no_error_of_ours(
    world: World, client: FlaskClient, office: Partner, host: str
) -> None:
    token = a_token(world, office, "/v1/inbox")
    environ = {"HTTP_HOST": host.encode().decode("latin-1")}
    response = client.get("/v1/inbox", headers={"Authorization": f"Bearer {token}"}, environ_overrides=environ)
    assert response.status_code in (400, 401)
    assert response.mimetype == PROBLEM


def test_the_address_is_the_public_one_where_one_is_set_whatever_host_is_asked(world: World, office: Partner) -> None:
    site = create_site(world.context, lambda: world.now, public_url="https://gateway.example/xj/")
    client = site.test_client()
    signed = "https://gateway.example/xj/v1/inbox"
    assert ask(client, a_token(world, office, "", url=signed), "/v1/inbox").status_code == 200
    assert ask(client, a_token(world, office, "/v1/inbox"), "/v1/inbox").status_code == 401


def test_the_query_is_no_part_of_what_is_signed(world: World, client: FlaskClient, office: Partner) -> None:
    token = a_token(world, office, "/v1/inbox?limit=7")
    assert ask(client, token, "/v1/inbox?limit=9").status_code == 200


# --- the mailbox ---


def test_the_mailbox_holds_signed_messages_in_order(world: World, client: FlaskClient, office: Partner) -> None:
    for number in (1, 2, 3):
        a_letter(world, number)
    response = get(client, world, office, "/v1/inbox")
    assert (response.status_code, response.mimetype) == (200, NDJSON)
    letters = [
        verify(line, world.keyring, recipient=FEDERATION, now=world.now, typ=MESSAGE_TYP)
        for line in response.data.splitlines()
    ]
    assert [letter.party_id for letter in letters] == [GATEWAY] * 3
    assert [letter.envelope.seq for letter in letters] == [1, 2, 3]


def test_an_empty_mailbox_is_an_empty_answer(world: World, client: FlaskClient, office: Partner) -> None:
    response = get(client, world, office, "/v1/inbox")
    assert (response.status_code, response.data) == (200, b"")


def test_a_message_stays_until_it_is_answered(world: World, client: FlaskClient, office: Partner) -> None:
    a_letter(world)
    first = get(client, world, office, "/v1/inbox").data
    assert get(client, world, office, "/v1/inbox").data == first
    letter = verify(first.strip(), world.keyring, recipient=FEDERATION, now=world.now)
    world.accept(world.reply(WOMENS_FEDERATION, letter, "handoff.retrieved", {}))
    assert get(client, world, office, "/v1/inbox").data == b""


def test_after_and_limit_page_through(world: World, client: FlaskClient, office: Partner) -> None:
    for number in (1, 2, 3):
        a_letter(world, number)
    everything = get(client, world, office, "/v1/inbox").data.splitlines()
    assert get(client, world, office, "/v1/inbox?limit=2").data.splitlines() == everything[:2]
    assert get(client, world, office, "/v1/inbox?after=2").data.splitlines() == everything[2:]
    assert get(client, world, office, f"/v1/inbox?after={2**53}").data == b""


def test_nobody_sees_another_s_mailbox(world: World, client: FlaskClient) -> None:
    a_letter(world)
    others = [world.court, world.neighbour, world.partners["cn/agency/civil_affairs.520102"]]
    assert [get(client, world, other, "/v1/inbox").data for other in others] == [b""] * 3


def test_an_auditor_has_no_mailbox(world: World, client: FlaskClient) -> None:
    assert told(get(client, world, world.auditor, "/v1/inbox")) == (403, "forbidden")


NUMBERS = ["-1", "1.5", "x", "", "٣", "1e3", "+1", " 1", "0x1", "9" * 17, "9" * 5000, "1_000", "%00"]


@pytest.mark.parametrize("name", ["after", "limit", "wait"])
@pytest.mark.parametrize("text", NUMBERS, ids=lambda text: text[:8] or "empty")
def test_what_is_no_number_is_refused_by_name(
    world: World, client: FlaskClient, office: Partner, name: str, text: str
) -> None:
    value = text if text.startswith("%") else quote(text)
    response = get(client, world, office, f"/v1/inbox?{name}={value}")
    assert told(response) == (400, "invalid_query")
    assert [one["pointer"] for one in problem_of(response)["errors"]] == [f"/{name}"]


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "wait=26", f"after={2**53 + 1}"])
def test_a_number_out_of_range_is_refused(world: World, client: FlaskClient, office: Partner, query: str) -> None:
    assert told(get(client, world, office, f"/v1/inbox?{query}")) == (400, "invalid_query")


# --- waiting ---


class Waiting:
    """Some parties that wait for a message, each in a thread of its own."""

    def __init__(self, site: Flask, world: World, office: Partner, count: int, seconds: int) -> None:
        self.ended: list[tuple[float, bytes]] = []
        self._started = time.monotonic()
        tokens = [a_token(world, office, "/v1/inbox") for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._ask, args=(site.test_client(), token, seconds)) for token in tokens
        ]
        for thread in self._threads:
            thread.start()

    def _ask(self, client: FlaskClient, token: str, seconds: int) -> None:
        response = ask(client, token, f"/v1/inbox?wait={seconds}")
        self.ended.append((time.monotonic() - self._started, response.data))

    def join(self) -> list[tuple[float, bytes]]:
        for thread in self._threads:
            thread.join(30)
        return sorted(self.ended)


@pytest.fixture
def patient_site(site: Flask) -> Iterator[Flask]:
    """Left only when nobody waits any more."""
    yield site


def test_waiting_ends_as_soon_as_a_message_comes(world: World, patient_site: Flask, office: Partner) -> None:
    waiting = Waiting(patient_site, world, office, 2, seconds=20)
    time.sleep(0.4)
    assert waiting.ended == []
    a_letter(world)
    ended = waiting.join()
    assert [bool(body) for _, body in ended] == [True, True]
    assert max(seconds for seconds, _ in ended) < 5


def test_waiting_in_vain_ends_in_time_with_nothing(world: World, patient_site: Flask, office: Partner) -> None:
    ((seconds, body),) = Waiting(patient_site, world, office, 1, seconds=1).join()
    assert body == b""
    assert 1 <= seconds < 3


def test_no_more_than_so_many_wait_and_the_rest_are_answered_at_once(
    world: World, patient_site: Flask, office: Partner
) -> None:
    ended = Waiting(patient_site, world, office, reads.WAITERS + 3, seconds=2).join()
    assert len([seconds for seconds, _ in ended if seconds < 1.5]) == 3
    assert len([seconds for seconds, _ in ended if seconds >= 2]) == reads.WAITERS


def test_a_place_to_wait_is_free_again_afterwards(world: World, patient_site: Flask, office: Partner) -> None:
    for _ in range(2):
        ended = Waiting(patient_site, world, office, reads.WAITERS, seconds=1).join()
        assert min(seconds for seconds, _ in ended) >= 1


def test_who_has_a_message_does_not_wait(world: World, patient_site: Flask, office: Partner) -> None:
    a_letter(world)
    ((seconds, body),) = Waiting(patient_site, world, office, 1, seconds=20).join()
    assert body
    assert seconds < 2


# --- one referral ---


def test_a_court_reads_where_its_referral_stands(world: World, client: FlaskClient) -> None:
    world.hand_over()
    found = get(client, world, world.court, "/v1/referrals/r-1").get_json()
    assert (found["referral_id"], found["case_number"]) == ("r-1", "（2026）黔01司救执1号")
    (need,) = found["needs"]
    assert (need["need_id"], need["state"], need["agency"]) == ("r-1:1", "handed_off", "civil_affairs")
    assert need["overdue"] is False


def test_the_fate_names_no_person(world: World, client: FlaskClient) -> None:
    world.refer()
    text = json.dumps(get(client, world, world.court, "/v1/referrals/r-1").get_json(), ensure_ascii=False)
    assert [word for word in ("测试甲", "529999", "139", "测试路") if word in text] == []


def test_another_court_s_referral_is_answered_like_none(world: World, client: FlaskClient) -> None:
    world.refer()
    stranger = get(client, world, world.neighbour, "/v1/referrals/r-1")
    nothing = get(client, world, world.neighbour, "/v1/referrals/r-9")
    assert told(stranger) == told(nothing) == (404, "referral_unknown")
    assert stranger.data.replace(b"r-1", b"r-9") == nothing.data


@pytest.mark.parametrize("party_id", [FEDERATION, "cn/auditor/520000", "cn/agency/civil_affairs.520102"])
def test_only_courts_ask_for_a_referral(world: World, client: FlaskClient, party_id: str) -> None:
    world.refer()
    assert told(get(client, world, world.partners[party_id], "/v1/referrals/r-1")) == (403, "forbidden")


@pytest.mark.parametrize("written", ["r%201", "%00", "x" * 65, "r%20%20", "r,1"])
def test_what_is_no_id_is_no_referral_and_is_not_repeated(world: World, client: FlaskClient, written: str) -> None:
    response = get(client, world, world.court, f"/v1/referrals/{written}")
    assert told(response) == (404, "referral_unknown")
    assert "ids" not in problem_of(response)


def test_an_id_with_every_sign_an_id_may_have_is_asked_for_as_it_is(world: World, client: FlaskClient) -> None:
    world.refer(referral_id="R:2026.3_a-1")
    assert get(client, world, world.court, "/v1/referrals/R:2026.3_a-1").status_code == 200


# --- the balance ---


def lines_of(response: TestResponse) -> list[tuple[str, str, int]]:
    found = response.get_json()
    return [(line["court"], line["period"], line["accepted"]) for line in found["lines"]]


def test_a_court_s_balance_is_its_own(world: World, client: FlaskClient) -> None:
    world.refer()
    assert lines_of(get(client, world, world.court, "/v1/balance")) == [(COURT, "2026-03", 1)]
    assert lines_of(get(client, world, world.neighbour, "/v1/balance")) == []


def test_an_auditor_sees_every_court_s(world: World, client: FlaskClient) -> None:
    world.refer()
    world.refer(
        world.neighbour,
        referral_id="r-2",
        case_number="（2026）黔03司救执2号",
        original_case_group="（2025）黔0302民初2号",
    )
    found = get(client, world, world.auditor, "/v1/balance")
    assert lines_of(found) == [(COURT, "2026-03", 1), (NEIGHBOUR, "2026-03", 1)]
    assert (found.get_json()["total"]["accepted"], found.get_json()["total"]["difference"]) == (2, 0)


def test_an_agency_s_balance_is_of_what_its_own_offices_were_handed(
    world: World, client: FlaskClient, office: Partner
) -> None:
    world.refer(needs=[{"programme": "MLG"}, {"programme": "PSY"}])
    assert get(client, world, office, "/v1/balance?by=agency").get_json()["lines"] == []
    world.dispatch()
    (line,) = get(client, world, office, "/v1/balance?by=agency").get_json()["lines"]
    assert (line["agency"], line["accepted"], line["difference"]) == ("womens_federation", 1, 0)
    assert lines_of(get(client, world, office, "/v1/balance")) == [(COURT, "2026-03", 1)]


@pytest.mark.parametrize("by", ["group", "case_type"])
def test_an_agency_does_not_count_people_by_what_no_handoff_told_it(
    world: World, client: FlaskClient, office: Partner, by: str
) -> None:
    assert told(get(client, world, office, f"/v1/balance?by={by}")) == (403, "forbidden")


@pytest.mark.parametrize("by", ["court_and_period", "court", "period", "agency", "group", "case_type"])
def test_every_dimension_has_the_same_total(world: World, client: FlaskClient, by: str) -> None:
    world.refer()
    found = get(client, world, world.court, f"/v1/balance?by={by}").get_json()
    assert (found["by"], found["total"]["accepted"], found["total"]["difference"]) == (by, 1, 0)
    assert sum(line["accepted"] for line in found["lines"]) - found["overlap"]["accepted"] == 1


def test_a_dimension_that_is_none_is_refused_by_name(world: World, client: FlaskClient) -> None:
    response = get(client, world, world.court, "/v1/balance?by=person")
    assert told(response) == (400, "invalid_query")
    assert problem_of(response)["errors"][0]["pointer"] == "/by"


def test_the_answer_says_where_in_the_log_it_was_read(world: World, client: FlaskClient) -> None:
    world.refer()
    found = get(client, world, world.court, "/v1/balance").get_json()
    assert (found["read_at"]["tree_size"], found["read_at"]["checkpoint"]) == (found["log_size"], None)
    assert len(found["read_at"]["root"]) == 64


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 1),
        ("?from=2026-03-03", 1),
        ("?to=2026-03-03", 1),
        ("?from=2026-03-03&to=2026-03-03", 1),
        ("?from=2026-03-04", 0),
        ("?to=2026-03-02", 0),
        ("?from=2026-04-01&to=2026-01-01", 0),
        ("?from=1970-01-01&to=9998-12-31", 1),
    ],
)
def test_the_period_is_china_days_both_included(world: World, client: FlaskClient, query: str, count: int) -> None:
    world.refer()
    assert len(lines_of(get(client, world, world.court, f"/v1/balance{query}"))) == count


def test_the_period_turns_at_midnight_in_china(world: World, client: FlaskClient) -> None:
    world.wait(timedelta(hours=14, minutes=59, seconds=59))
    world.refer()
    assert len(lines_of(get(client, world, world.court, "/v1/balance?to=2026-03-03"))) == 1
    world.wait(timedelta(seconds=1))
    world.accept(a_referral(world, 2))
    assert len(lines_of(get(client, world, world.court, "/v1/balance?from=2026-03-04"))) == 1


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "not_a_day"),
        ("x", "not_a_day"),
        ("20260303", "not_a_day"),
        ("2026-W10-2", "not_a_day"),
        ("2026-02-30", "not_a_day"),
        ("2026-3-3", "not_a_day"),
        ("２０２６-03-03", "not_a_day"),
        ("2026-03-03T00:00:00", "not_a_day"),
        ("0001-01-01", "out_of_range"),
        ("9999-12-31", "out_of_range"),
    ],
)
def test_what_is_no_day_is_refused_by_name(world: World, client: FlaskClient, name: str, text: str, code: str) -> None:
    response = get(client, world, world.court, f"/v1/balance?{name}={quote(text)}")
    assert told(response) == (400, "invalid_query")
    assert [(one["pointer"], one["code"]) for one in problem_of(response)["errors"]] == [(f"/{name}", code)]
