"""The shorter way through a right body gives what marshmallow gives, and never takes what marshmallow refuses."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from schemas.civil_affairs import REPLY
from schemas.envelope import ENVELOPE
from schemas.fields import StrictSchema
from schemas.receipt import RECEIPT
from schemas.referral import COURT_PAYMENT, REFERRAL, WITHDRAWAL
from tests.gateway_world import a_referral_body

SAMPLES = Path(__file__).parents[2] / "adapters" / "civil_affairs" / "samples"
MOMENT = "2026-03-03T01:00:00.000Z"
FULL = a_referral_body(
    needs=[{"programme": "MLG"}, {"need_code": "FOOD", "note": "一\n二"}],
    attachments=[{"sha256": "a" * 64, "media_type": "application/pdf", "size": 1}],
    no_public_notice=True,
    reply_by=MOMENT,
)
FULL["person"] |= {
    "specific_groups": ["MINOR", "WOMAN"],
    "guardian": {"name": "测试乙", "relation": "61"},
    "household": [{"name": "测试丙", "relation": "20", "birth_date": "2016-05-04"}],
    "disability": {"kind": 4, "grade": 1},
}
ENVELOPED = {
    "specversion": "1.0",
    "id": "m-1",
    "source": "cn/court/520100",
    "type": "referral.submitted",
    "time": MOMENT,
    "recipient": "cn/gateway/520000",
    "data": {"anything": [1, None, "x"]},
}
PAYMENT = {"referral_id": "r", "payment_id": "p", "amount_fen": 1, "paid_on": "2026-03-03", "payee": "AGENT"}
BODIES: list[tuple[StrictSchema, dict[str, Any]]] = [
    (REFERRAL, FULL),
    (REFERRAL, a_referral_body()),
    (ENVELOPE, ENVELOPED),
    (ENVELOPE, {**ENVELOPED, "in_reply_to": "m-0", "in_reply_to_digest": "b" * 64, "seq": 1}),
    (WITHDRAWAL, {"referral_id": "r-1", "reason": "报送有误"}),
    (COURT_PAYMENT, PAYMENT),
    (RECEIPT, {"rung": "relay", "verdict": "accepted", "at": MOMENT, "holds": ["D01"]}),
    *((REPLY, json.loads(path.read_text(encoding="utf-8"))) for path in sorted(SAMPLES.glob("reply_*.json"))),
]
WRONG: list[Any] = [None, True, 0, -1, 1.5, "", " ", "\u0000", "x" * 5000, [], {}, [None], {"a": 1}, "2026-02-30"]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place inside a body."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*path, name))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from places(inner, (*path, at))


def put(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(body)
    target = changed
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return changed


def by_marshmallow(schema: Schema, body: Any) -> Any:
    """What the library alone says: the loaded body, or its messages."""
    try:
        return Schema.load(schema, body)
    except ValidationError as error:
        return ("refused", error.messages)


def by_us(schema: Schema, body: Any) -> Any:
    try:
        return schema.load(body)
    except ValidationError as error:
        return ("refused", error.messages)


@pytest.mark.parametrize(("schema", "body"), BODIES)
def test_a_right_body_takes_the_shorter_way_to_the_same_result(schema: StrictSchema, body: dict[str, Any]) -> None:
    expected = Schema.load(schema, body)
    assert expected == schema.read_right(body)
    assert list(expected) == list(schema.read_right(body))


@pytest.mark.parametrize(("schema", "body"), BODIES[:7])
def test_whatever_is_wrong_in_one_place_both_ways_say_the_same(schema: StrictSchema, body: dict[str, Any]) -> None:
    for path in places(body):
        for wrong in WRONG:
            changed = put(body, path, wrong)
            assert by_marshmallow(schema, changed) == by_us(schema, changed), path


@pytest.mark.parametrize(("schema", "body"), BODIES[:7])
def test_a_missing_or_a_foreign_field_is_refused_by_both_ways_alike(schema: StrictSchema, body: dict[str, Any]) -> None:
    for name in body:
        less = {key: value for key, value in body.items() if key != name}
        assert by_marshmallow(schema, less) == by_us(schema, less)
    more = {**body, "foreign": 1}
    assert by_marshmallow(schema, more) == by_us(schema, more)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_no_body_at_all_tells_the_two_ways_apart(body: Any) -> None:
    assert by_marshmallow(RECEIPT, body) == by_us(RECEIPT, body)
