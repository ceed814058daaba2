"""取回接口 Parties give back over HTTP; meanwhile the gateway hands nothing out and says why."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.client.recovery import line_of
from gateway.envelope.encryption import EncryptionKey, encrypt
from gateway.store import directory
from gateway.store import tables as t
from gateway.web.site import create_site
from tests.gateway_world import COURT, GATEWAY, Partner
from tests.recovery_world import KeepingWorld
from tests.web.callers import HERE, NDJSON, a_referral, a_token, get, post, post_batch, told

PATH = "/v1/recovery"
CIVIL_PARTY = "cn/agency/civil_affairs.520102"


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[KeepingWorld]:
    """Two referrals were accepted and one handed over after the copy that runs now."""
    made = KeepingWorld(sqlite_url, tmp_path)
    made.sign_log()
    copy = made.copy()
    made.refer_number(1)
    made.hand_over(referral_id="r-2", original_case_group="（2025）黔0102民初2号")
    made.sign_log()
    made.wait(timedelta(minutes=1))
    made.restore(copy)
    yield made
    made.close()


@pytest.fixture
def client(world: KeepingWorld) -> FlaskClient:
    return a_site(world).test_client()


def a_site(world: KeepingWorld) -> Flask:
    return create_site(world.context, lambda: world.now, public_url=None)


def give(client: FlaskClient, world: KeepingWorld, partner: Partner, lines: list[bytes]) -> TestResponse:
    """As a party's client does."""
    headers = {"Authorization": f"Bearer {a_token(world, partner, PATH, method='POST')}"}
    return client.post(PATH, data=b"\n".join(lines), content_type=NDJSON, headers=headers)


def outcomes(response: TestResponse) -> list[tuple[str, str | None]]:
    assert (response.status_code, response.mimetype) == (200, NDJSON)
    found = [json.loads(line) for line in response.get_data().splitlines()]
    return [(one["outcome"], one["code"]) for one in found]


def test_a_party_learns_behind_which_numbers_to_give(world: KeepingWorld, client: FlaskClient) -> None:
    response = get(client, world, world.court, PATH)
    assert response.status_code == 200
    found = response.get_json()
    assert found.pop("since").startswith("2026-03-03T01:0")
    assert found == {"recovering": True, "to_gateway": 0, "from_gateway": 0}


def test_what_is_given_is_answered_line_by_line(world: KeepingWorld, client: FlaskClient) -> None:
    book = world.books[COURT]
    lines = [*book.lines(), b"{}", line_of("a.b.c", None), *book.lines(closed_at=world.now)]
    assert outcomes(give(client, world, world.court, lines)) == [
        ("taken", None),
        ("taken", None),
        ("refused", "schema_invalid"),
        ("refused", "not_jose"),
        ("known", None),
        ("known", None),
        ("closed", None),
    ]
    office = world.books[CIVIL_PARTY]
    assert outcomes(give(client, world, office.partner, office.lines())) == [("taken", None)]


def test_what_is_given_may_be_encrypted_to_the_gateway(world: KeepingWorld) -> None:
    opening = EncryptionKey.generate(GATEWAY)
    public = opening.public_key(not_before=world.now)
    world.store.write(lambda c: directory.add_key(c, public, now=world.now))
    object.__setattr__(world.context, "decryption", (opening,))
    (_, jws, receipt) = next(iter(world.books[COURT].sent.values()))
    lines = [line_of(encrypt(jws, public), receipt), line_of(encrypt(jws, public), receipt)]
    response = give(a_site(world).test_client(), world, world.court, lines)
    assert outcomes(response) == [("taken", None), ("known", None)]


def test_a_giving_needs_its_own_token_and_each_counts_once(world: KeepingWorld, client: FlaskClient) -> None:
    lines = world.books[COURT].lines()
    assert told(client.post(PATH, data=lines[0], content_type=NDJSON)) == (401, "not_trusted")
    token = a_token(world, world.court, PATH, method="POST")
    headers = {"Authorization": f"Bearer {token}"}
    answers = [client.post(PATH, data=lines[0], content_type=NDJSON, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 401]
    for_reading = {"Authorization": f"Bearer {a_token(world, world.court, PATH)}"}
    assert told(client.post(PATH, data=lines[0], content_type=NDJSON, headers=for_reading)) == (401, "not_trusted")
    assert told(get(client, world, world.auditor, PATH)) == (403, "forbidden")


def test_only_ndjson_is_taken(world: KeepingWorld, client: FlaskClient) -> None:
    headers = {"Authorization": f"Bearer {a_token(world, world.court, PATH, method='POST')}"}
    response = client.post(PATH, data=b"{}", content_type="application/json", headers=headers)
    assert told(response) == (415, "unsupported_media_type")


def test_a_line_that_is_too_long_costs_no_other_its_answer(world: KeepingWorld, client: FlaskClient) -> None:
    lines = [b'{"message":"' + b"a" * (2 * 1024 * 1024) + b'"}', *world.books[COURT].lines()]
    assert outcomes(give(client, world, world.court, lines))[:2] == [("refused", "too_large"), ("taken", None)]


def test_nothing_is_accepted_handed_out_or_signed_meanwhile(world: KeepingWorld, client: FlaskClient) -> None:
    raw = a_referral(world, 9)
    answer = post(client, raw)
    assert told(answer) == (503, "in_recovery")
    assert int(answer.headers["Retry-After"]) > 0
    (line,) = post_batch(client, raw)
    assert (json.loads(line)["code"], json.loads(line)["retryable"]) == ("in_recovery", True)
    assert told(get(client, world, world.books[CIVIL_PARTY].partner, "/v1/inbox")) == (503, "in_recovery")
    assert told(get(client, world, world.court, "/v1/pairs/to_gateway/commitment")) == (503, "in_recovery")
    assert told(client.get("/v1/participants")) == (503, "in_recovery")
    assert world.rows(t.inbox) == []


def test_reads_answer_and_do_not_deny_what_an_older_copy_does_not_know(
    world: KeepingWorld, client: FlaskClient
) -> None:
    assert get(client, world, world.court, "/v1/balance").status_code == 200
    assert told(get(client, world, world.court, "/v1/referrals/r-1")) == (503, "in_recovery")
    assert client.get("/v1/log/checkpoint").status_code == 200


def test_it_is_alive_and_not_ready(world: KeepingWorld, client: FlaskClient) -> None:
    assert client.get("/healthz").status_code == 200
    response = client.get("/readyz")
    assert (response.status_code, response.get_data(as_text=True).split(":")[0]) == (503, "in_recovery")


def test_afterwards_everything_is_as_it_was(world: KeepingWorld, client: FlaskClient) -> None:
    for party_id in world.everybody():
        book = world.books[party_id]
        give(client, world, book.partner, book.lines(closed_at=world.now))
    world.resume()
    assert client.get("/readyz").status_code == 200
    assert get(client, world, world.court, "/v1/referrals/r-2").status_code == 200
    for message_id, receipt in world.first_receipts().items():
        again = post(client, world.books[COURT].sent[message_id][1].encode())
        assert (again.status_code, again.get_data(as_text=True)) == (200, receipt)


def test_a_gateway_that_lost_nothing_has_no_such_address_to_give_to(sqlite_url: str, tmp_path: Path) -> None:
    whole = KeepingWorld(sqlite_url, tmp_path)
    client = a_site(whole).test_client()
    whole.refer_number(1)
    assert told(get(client, whole, whole.court, PATH)) == (409, "not_in_recovery")
    assert told(give(client, whole, whole.court, whole.books[COURT].lines())) == (409, "not_in_recovery")
    whole.close()


def test_the_address_tokens_are_bound_to_is_this_one(world: KeepingWorld, client: FlaskClient) -> None:
    elsewhere = a_token(world, world.court, PATH, method="POST", url=f"{HERE}/v1/messages")
    response = client.post(PATH, data=b"{}", content_type=NDJSON, headers={"Authorization": f"Bearer {elsewhere}"})
    assert told(response) == (401, "not_trusted")
