"""Many messages in one request: one line of answer for each line, in order, whatever becomes of the others."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from gateway.envelope.encryption import MAX_JWE_BYTES
from gateway.errors import TooLarge
from gateway.store import tables as t
from gateway.web.api.messages import CHUNK, GROUP, lines_of
from gateway.web.site import MAX_REQUEST
from tests.gateway_world import COURT, World
from tests.web.callers import NDJSON, a_referral, post, post_batch, receipt_of, told


def code_of(line: str) -> str:
    """What a line says: the code of its problem, or that it is a receipt."""
    return json.loads(line)["code"] if line.startswith("{") else "receipt"


def test_each_line_gets_the_receipt_of_its_own_message_in_order(world: World, client: FlaskClient) -> None:
    raws = [a_referral(world, number) for number in range(1, 6)]
    lines = post_batch(client, b"\n".join(raws) + b"\n")
    ids = {row["digest"]: row["message_id"] for row in world.rows(t.inbox)}
    receipts = [receipt_of(world, line, recipient=COURT) for line in lines]
    assert [receipt.message_id for receipt in receipts] == [ids[receipt.message_digest] for receipt in receipts]
    by_id = {row["message_id"]: row["subject"] for row in world.rows(t.inbox)}
    assert [by_id[receipt.message_id] for receipt in receipts] == [f"r-{number}" for number in range(1, 6)]


def test_one_bad_line_costs_no_other_its_place(world: World, client: FlaskClient) -> None:
    lines = post_batch(client, b"\n".join([a_referral(world, 1), b"rubbish", a_referral(world, 2), b"a.b.c"]))
    assert [code_of(line) for line in lines] == ["receipt", "not_jose", "receipt", "not_jose"]
    assert len(world.rows(t.referrals)) == 2


def test_problems_of_lines_are_in_the_sender_s_language(client: FlaskClient) -> None:
    (chinese,), (english,) = post_batch(client, b"x"), post_batch(client, b"x", language="en")
    assert (json.loads(chinese)["title"], json.loads(english)["title"]) == (
        "不是紧凑 JWS",
        "The body is not a compact JWS",
    )
    assert json.loads(english)["type"] == "/docs/errors#not_jose"


def test_a_line_s_problem_is_the_one_the_message_alone_would_get(world: World, client: FlaskClient) -> None:
    raw = a_referral(world, agreement_document="无此文号")
    alone = json.loads(post(client, raw).data)
    assert [json.loads(line) for line in post_batch(client, raw)] == [alone]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n \n\t\n"], ids=repr)
@pytest.mark.parametrize("between", [b"\n", b"\r\n", b"\n\n", b"\n  \n"], ids=repr)
def test_blank_lines_and_a_missing_last_newline_make_no_difference(
    world: World, client: FlaskClient, between: bytes, end: bytes
) -> None:
    lines = post_batch(client, between.join([a_referral(world, 1), a_referral(world, 2)]) + end)
    assert [code_of(line) for line in lines] == ["receipt", "receipt"]


@pytest.mark.parametrize("body", [b"", b"\n\n", b" "], ids=repr)
def test_an_empty_batch_has_an_empty_answer(client: FlaskClient, body: bytes) -> None:
    assert post_batch(client, body) == []


def test_the_same_message_twice_in_one_batch_gets_one_receipt_twice(world: World, client: FlaskClient) -> None:
    raw = a_referral(world)
    first, second = post_batch(client, raw + b"\n" + raw)
    assert first == second
    assert len(world.rows(t.inbox)) == 1


def test_a_batch_sent_again_gets_the_same_bytes(world: World, client: FlaskClient) -> None:
    body = b"\n".join(a_referral(world, number) for number in range(1, 9))
    assert post_batch(client, body) == post_batch(client, body)


def test_a_referral_and_its_withdrawal_may_stand_in_one_batch(world: World, client: FlaskClient) -> None:
    withdrawal = {"referral_id": "r-1", "reason": "当事人撤回申请"}
    raws = [a_referral(world), world.court.sign("referral.withdrawn", withdrawal, now=world.now)]
    assert [code_of(line) for line in post_batch(client, b"\n".join(raws))] == ["receipt", "receipt"]


def test_a_line_too_long_is_answered_and_what_follows_is_read(world: World, client: FlaskClient) -> None:
    long = b"a" * (MAX_JWE_BYTES + 1)
    body = b"\n".join([a_referral(world, 1), long, a_referral(world, 2), long])
    assert [code_of(line) for line in post_batch(client, body)] == ["receipt", "too_large", "receipt", "too_large"]


def test_a_thousand_lines_are_answered_one_each(world: World, client: FlaskClient) -> None:
    raws = [a_referral(world, number) for number in range(1, 901)] + [b"x"] * 100
    lines = post_batch(client, b"\n".join(raws))
    assert [code_of(line) for line in lines] == ["receipt"] * 900 + ["not_jose"] * 100


def test_a_batch_of_another_content_type_is_refused(world: World, client: FlaskClient) -> None:
    response = client.post("/v1/messages/batch", data=a_referral(world), content_type="application/jose")
    assert told(response) == (415, "unsupported_media_type")


def test_a_batch_announced_too_large_is_refused_before_any_of_it_is_read(client: FlaskClient) -> None:
    announced = {"CONTENT_LENGTH": str(MAX_REQUEST + 1)}
    response = client.post("/v1/messages/batch", content_type=NDJSON, environ_overrides=announced)
    assert told(response) == (413, "too_large")


class Dripping(io.RawIOBase):
    """A body that arrives bit by bit; tells how much was taken."""

    def __init__(self, body: bytes) -> None:
        self._body, self.taken = body, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._body[self.taken : self.taken + min(len(buffer), 4096)]
        buffer[: len(part)] = part
        self.taken += len(part)
        return len(part)


def test_answers_begin_before_the_body_has_ended(world: World, client: FlaskClient) -> None:
    body = b"\n".join(a_referral(world, number) for number in range(1, 4 * GROUP))
    stream = Dripping(body)
    environ = {"wsgi.input": stream, "CONTENT_LENGTH": str(len(body))}
    response = client.post("/v1/messages/batch", content_type=NDJSON, environ_overrides=environ, buffered=False)
    parts = iter(response.response)
    assert next(parts).count(b"\n") == GROUP
    assert stream.taken < len(body) / 2
    assert sum(part.count(b"\n") for part in parts) == 3 * GROUP - 1


def test_a_database_that_goes_away_is_said_on_every_line(world: World, client: FlaskClient) -> None:
    body = b"\n".join(a_referral(world, number) for number in range(1, 4)) + b"\nx"
    world.store.close()
    lines = post_batch(client, body)
    assert [code_of(line) for line in lines] == ["store_unavailable"] * 3 + ["not_jose"]


class _Crash(RuntimeError):
    """A programming mistake."""


class _BrokenAdapter:
    """Fails on every answer, as no adapter should."""

    agency, version, content_type = "civil_affairs", "1.0", "application/json"

    def interpret(self, body: Any, sent: Any) -> Any:
        raise _Crash("测试甲")


def test_a_line_on_which_we_fail_costs_no_other_its_answer(world: World, client: FlaskClient) -> None:
    handoff = world.hand_over()
    world.context.adapters["civil_affairs"] = _BrokenAdapter()  # type: ignore[index]
    raws = [a_referral(world, 2), world.answer_bytes(handoff, "20"), a_referral(world, 3)]
    lines = post_batch(client, b"\n".join(raws))
    assert [code_of(line) for line in lines] == ["receipt", "internal", "receipt"]
    assert "测试甲" not in "".join(lines)
    assert post(client, raws[0]).get_data(as_text=True) == lines[0]


# --- lines ---


def lines(chunks: list[bytes]) -> list[bytes | None]:
    """What is read of a body that arrives in these chunks; None where a line was too long."""
    stream = iter([*chunks, b""])

    class Stream:
        def read(self, size: int, /) -> bytes:
            assert size == CHUNK
            return next(stream)

    return [None if isinstance(line, TooLarge) else line for line in lines_of(Stream())]


@given(
    st.lists(st.sampled_from([b"a", b"b" * 10, b" c ", b"", b"\r"]), max_size=20),
    st.lists(st.integers(1, 30), min_size=1),
)
def test_it_makes_no_difference_where_the_body_is_cut(written: list[bytes], cuts: list[int]) -> None:
    body = b"\n".join(written)
    chunks = list(cut(body, cuts))
    assert lines(chunks) == [line.strip() for line in written if line.strip()]


def cut(body: bytes, sizes: list[int]) -> Iterator[bytes]:
    """The body in pieces of these sizes, the last one again and again."""
    at = 0
    for size in sizes:
        if at < len(body):
            yield body[at : at + size]
            at += size
    if at < len(body):
        yield body[at:]


@pytest.mark.parametrize("tail", [b"", b"\n", b"\nok"], ids=repr)
@pytest.mark.parametrize("pieces", [1, 3, 50])
def test_a_line_too_long_is_one_refusal_however_it_arrives(pieces: int, tail: bytes) -> None:
    long = b"a" * (MAX_JWE_BYTES + 1)
    size = len(long) // pieces + 1
    chunks = [long[at : at + size] for at in range(0, len(long), size)]
    expected: list[bytes | None] = [None, b"ok"] if tail == b"\nok" else [None]
    assert lines([*chunks, *([tail] if tail else [])]) == expected


def test_a_line_of_just_the_limit_is_a_line() -> None:
    line = b"a" * MAX_JWE_BYTES
    assert lines([line + b"\n", line]) == [line, line]


def test_memory_stays_bounded_by_one_line_however_long_the_sender_goes_on() -> None:
    many = [b"a" * CHUNK] * (4 * MAX_JWE_BYTES // CHUNK)
    assert lines([*many, b"\n", b"b"]) == [None, b"b"]
