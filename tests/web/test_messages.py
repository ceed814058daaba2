"""One message over HTTP: its signed receipt, the same bytes again on a replay, and every "no" as a problem document."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from gateway.domain.agreement import Channel
from gateway.envelope.algorithms import Algorithm
from gateway.envelope.compact import MAX_JWS_BYTES
from gateway.envelope.encryption import MAX_JWE_BYTES
from gateway.envelope.keyring import SigningKey
from gateway.evidence.receipt import ReceiptVerdict, Rung
from gateway.store import directory
from gateway.store import tables as t
from tests.gateway_world import COURT, DISABLED_PERSONS, GATEWAY, NEIGHBOUR, Partner, World, a_referral_body
from tests.web.callers import JOSE, PROBLEM, a_referral, forge, post, problem_of, receipt_of, told


def an_envelope(world: World, **changes: Any) -> dict[str, Any]:
    """The members of an honest referral message."""
    return {
        "specversion": "1.0",
        "id": "m-1",
        "source": COURT,
        "type": "referral.submitted",
        "time": world.now.isoformat().replace("+00:00", "Z"),
        "recipient": GATEWAY,
        "datacontenttype": "application/json",
        "data": a_referral_body(),
        **changes,
    }


# --- accepted ---


def test_a_message_is_answered_with_a_signed_receipt_that_names_it(world: World, client: FlaskClient) -> None:
    response = post(client, a_referral(world))
    assert (response.status_code, response.mimetype) == (202, JOSE)
    assert "Idempotent-Replayed" not in response.headers
    receipt = receipt_of(world, response.data, recipient=COURT)
    (kept,) = world.rows(t.inbox)
    assert (receipt.rung, receipt.verdict) == (Rung.SUBMISSION, ReceiptVerdict.ACCEPTED)
    assert (receipt.message_id, receipt.message_digest) == (kept["message_id"], kept["digest"])
    assert kept["receipt"] == response.get_data(as_text=True)


def test_the_same_bytes_again_get_the_first_receipt_s_very_bytes(world: World, client: FlaskClient) -> None:
    raw = a_referral(world)
    first = post(client, raw)
    world.wait(timedelta(days=400))
    again = post(client, raw)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert again.data == first.data
    assert len(world.rows(t.referrals)) == 1


def test_a_message_that_has_gone_stale_since_it_was_accepted_is_still_a_replay(
    world: World, client: FlaskClient
) -> None:
    expires_at = world.now + timedelta(hours=1)
    raw = world.court.sign("referral.submitted", a_referral_body(), now=world.now, expires_at=expires_at)
    first = post(client, raw)
    world.wait(timedelta(hours=2))
    assert post(client, raw).data == first.data


def test_a_content_type_may_carry_parameters(world: World, client: FlaskClient) -> None:
    assert post(client, a_referral(world), content_type="Application/JOSE; charset=utf-8").status_code == 202


def test_nothing_about_an_answer_may_be_kept_framed_or_guessed(world: World, client: FlaskClient) -> None:
    for response in (post(client, a_referral(world)), post(client, b"x")):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]


# --- refused: the bytes ---


@pytest.mark.parametrize(
    "raw",
    [b"", b"\n", b"x", b"a.b", b"a.b.c.d", b"..", b"\xff\xfe.x.y", "报文".encode(), b'{"id":"m-1"}', b"\x00" * 64],
    ids=lambda raw: repr(raw[:12]),
)
def test_bytes_that_are_no_compact_jws_are_refused(client: FlaskClient, raw: bytes) -> None:
    assert told(post(client, raw)) == (400, "not_jose")


def test_a_message_cut_anywhere_is_refused_and_never_an_error_of_ours(world: World, client: FlaskClient) -> None:
    raw = a_referral(world)
    statuses = {post(client, raw[:at]).status_code for at in range(0, len(raw), 97)}
    assert statuses <= {400, 401}
    assert world.rows(t.inbox) == []


def test_a_message_with_one_character_changed_is_not_trusted(world: World, client: FlaskClient) -> None:
    header, payload, signature = a_referral(world).split(b".")
    at = len(payload) // 2
    changed = payload[:at] + (b"A" if payload[at : at + 1] != b"A" else b"B") + payload[at + 1 :]
    assert told(post(client, b".".join((header, changed, signature)))) == (401, "not_trusted")


@pytest.mark.parametrize("content_type", ["", "application/json", "text/plain", "application/x-ndjson", "multipart/x"])
def test_another_content_type_is_refused(world: World, client: FlaskClient, content_type: str) -> None:
    assert told(post(client, a_referral(world), content_type=content_type)) == (415, "unsupported_media_type")
    assert world.rows(t.inbox) == []


class Counted(io.RawIOBase):
    """An endless body that counts what is read of it."""

    def __init__(self) -> None:
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        buffer[:] = b"a" * len(buffer)
        self.count += len(buffer)
        return len(buffer)


@pytest.mark.parametrize("length", [MAX_JWE_BYTES + 2, 10**9, 10**18])
def test_a_body_announced_too_large_is_refused_before_any_of_it_is_read(client: FlaskClient, length: int) -> None:
    body = Counted()
    announced = {"wsgi.input": body, "CONTENT_LENGTH": str(length)}
    response = client.post("/v1/messages", content_type=JOSE, environ_overrides=announced)
    assert (told(response), body.count) == ((413, "too_large"), 0)


def test_a_body_of_unannounced_length_is_read_no_further_than_one_message_may_be(client: FlaskClient) -> None:
    body = Counted()
    unannounced = {"wsgi.input": body, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    response = client.post("/v1/messages", content_type=JOSE, environ_overrides=unannounced)
    assert told(response) == (413, "too_large")
    assert body.count <= 2 * MAX_JWE_BYTES


@pytest.mark.parametrize(("size", "expected"), [(0, (400, "not_jose")), (1, (413, "too_large"))])
def test_a_body_of_just_the_limit_is_read(client: FlaskClient, size: int, expected: tuple[int, str]) -> None:
    assert told(post(client, b"a" * (MAX_JWS_BYTES + size))) == expected


# --- refused: who ---


def test_a_key_nobody_registered_is_not_trusted(world: World, client: FlaskClient) -> None:
    stranger = Partner(party_id=COURT, key=SigningKey.generate(Algorithm.ED25519, COURT))
    raw = stranger.sign("referral.submitted", a_referral_body(), now=world.now)
    response = post(client, raw)
    assert (told(response), response.headers["WWW-Authenticate"]) == ((401, "not_trusted"), "Bearer")


def test_every_failure_of_trust_is_one_and_the_same_answer(world: World, client: FlaskClient) -> None:
    stranger = Partner(party_id=COURT, key=SigningKey.generate(Algorithm.ED25519, COURT))
    impostor = Partner(party_id=NEIGHBOUR, key=world.court.key)
    honest = a_referral(world)
    suspended = world.neighbour.sign("referral.submitted", a_referral_body(), now=world.now)
    world.store.write(lambda connection: directory.set_party_active(connection, NEIGHBOUR, active=False, now=world.now))
    world.context.directory.forget()
    failures = [
        stranger.sign("referral.submitted", a_referral_body(), now=world.now),
        impostor.sign("referral.submitted", a_referral_body(), now=world.now),
        suspended,
        forge(world.court, b"{}", typ="xianjie-receipt+jws"),
        forge(world.court, b"{}", alg="ES256"),
        honest[:-4] + (b"AAAA" if honest[-4:] != b"AAAA" else b"BBBB"),
    ]
    answers = {post(client, raw).get_data() for raw in failures}
    assert len(answers) == 1
    assert set(json.loads(answers.pop())) == {"type", "title", "status", "detail", "code", "fault", "retryable"}


def test_a_message_for_somebody_else_is_refused(world: World, client: FlaskClient) -> None:
    raw = world.court.sign("referral.submitted", a_referral_body(), now=world.now, recipient="cn/gateway/530000")
    assert told(post(client, raw)) == (422, "wrong_recipient")


@pytest.mark.parametrize(
    "fields",
    [{"expires_at": timedelta(seconds=-1)}, {"time": timedelta(minutes=6)}],
    ids=["expired", "from the future"],
)
def test_a_stale_message_is_refused(world: World, client: FlaskClient, fields: dict[str, timedelta]) -> None:
    moments = {name: world.now + span for name, span in fields.items()}
    raw = world.court.sign("referral.submitted", a_referral_body(), now=moments.pop("time", world.now), **moments)
    assert told(post(client, raw)) == (422, "stale_message")
    assert world.rows(t.inbox) == []


@pytest.mark.parametrize("type_", ["correction.submitted", "handoff.outcome", "receipt.submission"])
def test_a_type_a_court_may_not_send_is_refused(world: World, client: FlaskClient, type_: str) -> None:
    assert told(post(client, world.court.sign(type_, {}, now=world.now))) == (422, "unknown_message_type")


@pytest.mark.parametrize("type_", ["no.such.type", ""])
def test_a_type_nobody_may_send_is_no_message(world: World, client: FlaskClient, type_: str) -> None:
    response = post(client, forge(world.court, json.dumps(an_envelope(world, type=type_)).encode()))
    assert told(response) == (422, "schema_invalid")
    assert [one["pointer"] for one in problem_of(response)["errors"]] == ["/type"]


def test_an_auditor_may_not_send_a_referral(world: World, client: FlaskClient) -> None:
    raw = world.auditor.sign("referral.submitted", a_referral_body(), now=world.now)
    assert told(post(client, raw)) == (422, "unknown_message_type")


def test_an_agency_whose_adapter_is_gone_is_kept_as_unexpected_and_is_no_error_of_ours(
    world: World, client: FlaskClient
) -> None:
    world.add_office("health", Channel.PUSH)
    stranger = world.partners["cn/agency/health.520102"]
    raw = stranger.sign(
        "handoff.outcome", {"x": 1}, now=world.now, in_reply_to="nothing-we-sent", in_reply_to_digest="ab" * 32
    )
    assert post(client, raw).status_code == 202
    assert [row["problem"] for row in world.rows(t.replies)] == ["unexpected"]


# --- refused: what it says ---

HOSTILE = {
    "too deep": b'{"a":' + b"[" * 40 + b"]" * 40 + b"}",
    "very deep": b"[" * 100_000,
    "duplicate key": b'{"id":"m-1","id":"m-2"}',
    "NaN": b'{"id":NaN}',
    "infinity": b'{"seq":-Infinity}',
    "huge integer": b'{"seq":' + b"9" * 5000 + b"}",
    "beyond 2^53": b'{"seq":9007199254740993}',
    "float": b'{"seq":1.5}',
    "lone surrogate": b'{"id":"\\ud800"}',
    "lone surrogate key": b'{"\\udfff":"x"}',
    "not UTF-8": b'{"id":"\xff"}',
    "UTF-16": '{"id":"m-1"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"id":"m-1"}',
    "trailing": b"{} {}",
    "empty": b"",
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE)
def test_hostile_json_under_a_good_signature_is_refused(world: World, client: FlaskClient, payload: bytes) -> None:
    response = post(client, forge(world.court, payload))
    assert response.status_code in (400, 413)
    assert problem_of(response)["code"] in ("malformed_json", "not_jose", "too_large")


@pytest.mark.parametrize(
    "payload", [b"[]", b'"text"', b"null", b"1", b"{}"], ids=["list", "text", "null", "number", "empty object"]
)
def test_json_that_is_no_envelope_is_refused(world: World, client: FlaskClient, payload: bytes) -> None:
    assert told(post(client, forge(world.court, payload))) == (422, "schema_invalid")


@pytest.mark.parametrize("data", [None, [], "text", 1, {}, {"referral_id": {"a": []}}], ids=repr)
def test_a_body_that_is_no_referral_is_refused(world: World, client: FlaskClient, data: Any) -> None:
    members = {key: value for key, value in an_envelope(world, data=data).items() if value is not None}
    assert told(post(client, forge(world.court, json.dumps(members).encode()))) == (422, "schema_invalid")


def test_every_wrong_field_is_named_at_once_in_the_reader_s_language(world: World, client: FlaskClient) -> None:
    body = a_referral_body(decision="MAYBE", extra=1)
    del body["case_number"]
    body["person"] = {**body["person"], "name": 7}
    raw = world.court.sign("referral.submitted", body, now=world.now)
    found = problem_of(post(client, raw, language="en"))
    assert {(one["pointer"], one["code"]) for one in found["errors"]} == {
        ("/data/case_number", "required"),
        ("/data/decision", "unknown_code"),
        ("/data/extra", "unknown_field"),
        ("/data/person/name", "not_text"),
    }
    chinese = problem_of(post(client, raw, language="zh-CN,zh;q=0.9,en;q=0.1"))
    assert (found["title"], chinese["title"]) == ("Some fields are not acceptable", "字段校验未通过")
    assert (found["fault"], found["retryable"]) == ("sender", False)
    assert found["detail"] != chinese["detail"]
    assert [one["pointer"] for one in found["errors"]] == [one["pointer"] for one in chinese["errors"]]


def test_an_answer_says_which_language_it_speaks(client: FlaskClient) -> None:
    for asked, spoken in (("en-GB", "en"), ("zh", "zh-CN"), ("fr", "zh-CN"), ("", "zh-CN"), (";;q=x", "zh-CN")):
        assert post(client, b"x", language=asked).headers["Content-Language"] == spoken


def test_an_agreement_that_is_not_loaded_is_named_by_its_pointer(world: World, client: FlaskClient) -> None:
    response = post(client, a_referral(world, agreement_document="无此文号"))
    assert told(response) == (422, "agreement_unknown")
    assert [one["pointer"] for one in problem_of(response)["errors"]] == ["/data/agreement_document"]


def test_a_rule_that_blocks_is_named_with_its_field(world: World, client: FlaskClient) -> None:
    response = post(client, a_referral(world, case_number="随便写的案号"))
    assert told(response) == (422, "rule_blocked")
    assert "/data/case_number" in [one["pointer"] for one in problem_of(response)["errors"]]


def test_the_same_id_with_other_bytes_is_refused_and_the_first_stands(world: World, client: FlaskClient) -> None:
    first = post(client, forge(world.court, json.dumps(an_envelope(world)).encode()))
    other = post(client, forge(world.court, json.dumps(an_envelope(world, subject="r-1")).encode()))
    assert (first.status_code, told(other)) == (202, (422, "same_id_different_bytes"))
    assert problem_of(other)["ids"] == {"message_id": "m-1"}


def test_a_referral_id_is_taken_once(world: World, client: FlaskClient) -> None:
    assert post(client, a_referral(world)).status_code == 202
    assert told(post(client, a_referral(world))) == (422, "referral_id_taken")


def test_a_problem_s_type_leads_to_its_page(client: FlaskClient) -> None:
    address, _, anchor = problem_of(post(client, b"x"))["type"].partition("#")
    assert f'id="{anchor}"' in client.get(address).get_data(as_text=True)


# --- an agency's reply in XML ---

ENTITY = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
LAUGHS = "<!DOCTYPE a [" + "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10)) + "]>"


def a_reply(handoff_id: str, need_id: str, *, prolog: str = "", inside: str = "", at: str) -> str:
    result = f'<Result code="B1" need="{need_id}"><At>{at}</At>{inside}</Result>'
    namespace = "urn:xianjie:dp:1.0"
    return f'{prolog}<HandoffReply xmlns="{namespace}" version="1.0" handoff="{handoff_id}">{result}</HandoffReply>'


@pytest.fixture
def xml_handoff(world: World) -> Any:
    """A handoff the disabled persons' federation got."""
    return world.hand_over(DISABLED_PERSONS, needs=[{"programme": "REHAB"}])


@pytest.mark.parametrize(
    "body",
    [
        f"{ENTITY}<HandoffReply/>",
        f"{LAUGHS}<HandoffReply>&e9;</HandoffReply>",
        "<HandoffReply",
        "",
        "<a>" * 10_000,
        '<HandoffReply xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/hostname"/></HandoffReply>',
        '<?xml version="1.0" encoding="UTF-7"?><HandoffReply/>',
        {"not": "text"},
    ],
    ids=["entity", "laughs", "cut", "empty", "deep", "include", "encoding", "json"],
)
def test_hostile_xml_in_a_reply_is_refused_and_changes_nothing(
    world: World, client: FlaskClient, xml_handoff: Any, body: Any
) -> None:
    before = world.states()
    kind = {"datacontenttype": "application/xml"} if isinstance(body, str) else {}
    raw = world.reply(DISABLED_PERSONS, xml_handoff, "handoff.outcome", body, **kind)
    response = post(client, raw)
    assert response.status_code == 422
    assert problem_of(response)["code"] in ("malformed_xml", "schema_invalid")
    assert (world.states(), world.rows(t.replies)) == (before, [])


# --- when the fault is ours ---


def test_a_database_that_is_away_is_said_with_when_to_come_back(world: World, client: FlaskClient) -> None:
    world.store.close()
    response = post(client, a_referral(world), language="en")
    assert told(response) == (503, "store_unavailable")
    assert int(response.headers["Retry-After"]) > 0
    assert (problem_of(response)["fault"], problem_of(response)["retryable"]) == ("gateway", True)


def test_a_table_that_is_missing_is_unavailable_and_names_no_table(world: World, client: FlaskClient) -> None:
    raw = a_referral(world)
    t.inbox.drop(world.store.engine)
    response = post(client, raw)
    assert response.status_code in (500, 503)
    assert "inbox" not in response.get_data(as_text=True)
    assert OperationalError.__name__ not in response.get_data(as_text=True)


# --- addresses and methods ---


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_another_method_is_a_problem_that_names_the_allowed_ones(client: FlaskClient, method: str) -> None:
    response = client.open("/v1/messages", method=method)
    assert told(response) == (405, "method_not_allowed")
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize(
    "path",
    ["/v1/message", "/v1/messages/", "/v2/messages", "/static/x", "/v1/../etc", "/\x00", "/%", "/测", "/v1//keys"],
)
def test_another_address_is_a_problem_and_never_a_redirect(client: FlaskClient, path: str) -> None:
    response = client.get("/", environ_overrides={"PATH_INFO": path.encode().decode("latin-1")})
    assert told(response) == (404, "not_found")
    assert response.headers["Content-Type"] == PROBLEM
