"""A message as a value: its id, its payload and back, its digest."""

import hashlib
import json
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.envelope.message import Envelope, digest, new_id, uuid7
from gateway.errors import MalformedJson, SchemaInvalid
from tests.envelope_world import DIGEST, NOW, an_envelope, payload_of

RANDOM = bytes(range(1, 11))
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))


def problems_of(**members: Any) -> list[tuple[str, str]]:
    with pytest.raises(SchemaInvalid) as caught:
        Envelope.from_payload(payload_of(**members))
    return [(problem.pointer, problem.code) for problem in caught.value.problems]


# --- ids ----------------------------------------------------------------------------------------------------


def test_an_id_is_a_version_7_uuid_of_its_moment() -> None:
    moment = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    found = uuid.UUID(uuid7(moment, RANDOM))
    assert (7, uuid.RFC_4122) == (found.version, found.variant)
    assert "017f22e2-79b0-7000" == str(found)[:18]


def test_an_id_is_the_same_for_the_same_moment_and_random() -> None:
    assert uuid7(NOW, RANDOM) == uuid7(NOW, RANDOM)
    assert uuid7(NOW, RANDOM) != uuid7(NOW, RANDOM[::-1])


@given(MOMENTS, MOMENTS, st.binary(min_size=8, max_size=8), st.binary(min_size=8, max_size=8))
def test_ids_order_as_their_moments(one: datetime, other: datetime, first: bytes, second: bytes) -> None:
    if one > other:
        one, other = other, one
    if other - one >= timedelta(microseconds=1):
        assert uuid7(one, first) < uuid7(other, second)


@given(MOMENTS, st.binary(min_size=8, max_size=16))
def test_every_id_is_canonical_text(moment: datetime, random: bytes) -> None:
    text = uuid7(moment, random)
    assert text == str(uuid.UUID(text))
    assert 7 == uuid.UUID(text).version


def test_an_id_needs_a_zone_and_enough_random() -> None:
    with pytest.raises(ValueError):
        uuid7(NOW.replace(tzinfo=None), RANDOM)
    with pytest.raises(ValueError):
        uuid7(NOW, b"1234567")


def test_fresh_ids_differ_within_one_moment() -> None:
    assert 100 == len({new_id(NOW) for _ in range(100)})


# --- payload and back -----------------------------------------------------------------------------------------------


def test_a_payload_says_what_the_envelope_says() -> None:
    full = an_envelope(
        in_reply_to="0195-1",
        in_reply_to_digest=DIGEST,
        reply_by=NOW + timedelta(days=2),
        mapping={"adapter": "civil_affairs", "version": "1", "loss": [{"pointer": "/survey", "reason": "masked"}]},
    )
    assert full == Envelope.from_payload(full.to_payload())


def test_absent_fields_are_not_written() -> None:
    bare = Envelope(id="a", source="cn/court/1", type="a.b", time=NOW, recipient="cn/gateway/1")
    assert {"specversion", "id", "source", "type", "time", "recipient", "datacontenttype"} == set(
        json.loads(bare.to_payload())
    )
    assert bare == Envelope.from_payload(bare.to_payload())


def test_times_are_written_in_utc_to_the_millisecond() -> None:
    moment = datetime(2025, 3, 3, 17, 0, 0, 123_999, tzinfo=timezone(timedelta(hours=8)))
    written = json.loads(an_envelope(time=moment).to_payload())
    assert "2025-03-03T09:00:00.123Z" == written["time"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-03-03T09:00:00Z", NOW),
        ("2025-03-03T17:00:00+08:00", NOW),
        ("2025-03-03T09:00:00.000001Z", NOW + timedelta(microseconds=1)),
        ("2025-03-03T09:00:00.000000999Z", NOW),
        ("2025-03-03T08:59:59-00:00", NOW - timedelta(seconds=1)),
    ],
)
def test_any_rfc_3339_time_with_a_zone_is_read(text: str, moment: datetime) -> None:
    assert moment == Envelope.from_payload(payload_of(time=text)).time


def test_a_body_in_the_agency_s_own_format_is_a_text() -> None:
    xml = an_envelope(datacontenttype="application/xml", data="<转办/>")
    assert xml == Envelope.from_payload(xml.to_payload())
    assert [("/data", "not_text")] == problems_of(datacontenttype="application/xml", data={"a": 1})


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "time", "recipient"])
def test_a_missing_required_field_is_named(name: str) -> None:
    assert [(f"/{name}", "required")] == problems_of(**{name: None})


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("specversion", "1.1", "unknown_code"),
        ("specversion", 1, "not_text"),
        ("id", "", "pattern"),
        ("id", "a" * 65, "pattern"),
        ("id", "a/b", "pattern"),
        ("id", "a\n", "pattern"),
        ("id", "编号", "pattern"),
        ("id", 7, "not_text"),
        ("source", "CN/court/520100", "pattern"),
        ("source", "cn/court", "pattern"),
        ("source", "cn/court/", "pattern"),
        ("source", "cn/court/520100/x", "pattern"),
        ("source", "cn/court/520100\n", "pattern"),
        ("recipient", "chn/court/1", "pattern"),
        ("type", "Referral.submitted", "pattern"),
        ("type", "referral", "pattern"),
        ("type", "a.b.c", "pattern"),
        ("type", "." + "a" * 70, "pattern"),
        ("time", "2025-03-03T09:00:00", "not_a_moment"),
        ("time", "2025-03-03 09:00:00Z", "not_a_moment"),
        ("time", "2025-02-30T09:00:00Z", "not_a_moment"),
        ("time", "2025-03-03T24:00:00Z", "not_a_moment"),
        ("time", "2025-03-03T23:59:60Z", "not_a_moment"),
        ("time", "0001-01-01T00:00:00+14:00", "not_a_moment"),
        ("time", "9999-12-31T23:00:00-14:00", "not_a_moment"),
        ("time", "２０２５-03-03T09:00:00Z", "not_a_moment"),
        ("time", 1741000000, "not_text"),
        ("in_reply_to_digest", "AB" * 32, "pattern"),
        ("in_reply_to_digest", "ab" * 31, "pattern"),
        ("seq", -1, "out_of_range"),
        ("seq", True, "not_integer"),
        ("seq", "1", "not_integer"),
        ("purpose", " ", "blank"),
        ("purpose", "a\nb", "control_character"),
        ("purpose", "x" * 201, "too_long"),
        ("mapping", [], "not_object"),
        ("datacontenttype", "json", "pattern"),
        ("datacontenttype", "application/json; charset=utf-8", "pattern"),
    ],
)
def test_a_field_of_another_form_is_refused(name: str, value: Any, code: str) -> None:
    assert (f"/{name}", code) in problems_of(**{name: value})


def test_a_null_field_is_refused() -> None:
    honest = json.loads(an_envelope().to_payload())
    with pytest.raises(SchemaInvalid) as caught:
        Envelope.from_payload(json.dumps({**honest, "data": None}).encode())
    assert [("/data", "null_not_allowed")] == [(p.pointer, p.code) for p in caught.value.problems]


def test_an_answer_names_both_id_and_digest() -> None:
    assert [("/in_reply_to_digest", "required")] == problems_of(in_reply_to="a")
    assert [("/in_reply_to", "required")] == problems_of(in_reply_to_digest=DIGEST)
    with pytest.raises(ValueError):
        an_envelope(in_reply_to="a")


def test_every_wrong_line_of_a_loss_note_is_named() -> None:
    mapping = {
        "adapter": "a",
        "version": "1",
        "loss": [{"pointer": "", "reason": "masked"}, {"pointer": "x", "why": 1}],
    }
    assert [
        ("/mapping/loss/1/pointer", "pattern"),
        ("/mapping/loss/1/reason", "required"),
        ("/mapping/loss/1/why", "unknown_field"),
    ] == problems_of(mapping=mapping)


def test_an_unknown_field_s_name_is_shown_only_if_it_looks_like_one() -> None:
    assert [("/?", "unknown_field")] == problems_of(张三529999199001010019=1)


def test_a_time_without_zone_is_a_programming_mistake() -> None:
    with pytest.raises(ValueError):
        an_envelope(reply_by=datetime(2025, 3, 3))


def test_a_payload_that_is_not_json_is_refused() -> None:
    with pytest.raises(MalformedJson):
        Envelope.from_payload(b"<xml/>")


# --- the digest ----------------------------------------------------------------------------------------------------


def test_a_digest_is_lowercase_sha256_of_the_compact_text() -> None:
    expected = hashlib.sha256(b"a.b.c").hexdigest()
    assert [expected, expected] == [digest("a.b.c"), digest(b"a.b.c")]
