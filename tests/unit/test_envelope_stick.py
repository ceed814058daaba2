"""离线介质 A stick is read whole or not at all: each way it can be wrong has a reason; nothing of it is given out.

The honest stick holds three signed messages of the gateway for one office; each test breaks one thing about it.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.field_codes import load_field_codes
from gateway.envelope import strict_json
from gateway.envelope.compact import decode_segment
from gateway.envelope.keyring import Algorithm, SigningKey
from gateway.envelope.signing import MESSAGE_TYP, sign
from gateway.envelope.stick import STICK_TYP, Stick, StickItem, StickKind, read, require_not_older, write
from gateway.errors import StickRefused
from schemas.stick import MAX_ITEMS
from tests.envelope_world import AGENCY, COURT, GATEWAY, NOW, a_keyring, an_envelope, key_of, registered

STRANGER = SigningKey.generate(Algorithm.ED25519, GATEWAY)


def a_message(number: int, **changes: Any) -> bytes:
    members = {"id": f"m-{number}", "source": GATEWAY, "recipient": AGENCY, "seq": number, "type": "handoff.issued"}
    return sign(an_envelope(**members, **changes).to_payload(), key_of(GATEWAY), MESSAGE_TYP).encode()


def a_stick(**changes: Any) -> Stick:
    honest: dict[str, Any] = {
        "id": "s-1",
        "kind": StickKind.MAILBOX,
        "source": GATEWAY,
        "recipient": AGENCY,
        "series": "office-1",
        "made_at": NOW,
        "items": tuple(StickItem(id=f"m-{number}", line=a_message(number)) for number in (1, 2, 3)),
    }
    return Stick(**(honest | changes))


def written(key: SigningKey | None = None, **changes: Any) -> bytes:
    return write(a_stick(**changes), key or key_of(GATEWAY))


def opened(raw: bytes, **changes: Any) -> Stick:
    honest: dict[str, Any] = {
        "keyring": a_keyring([registered(key_of(GATEWAY)), registered(key_of(COURT))]),
        "kind": StickKind.MAILBOX,
        "recipient": AGENCY,
        "now": NOW + timedelta(days=3),
    }
    return read(raw, **(honest | changes))


def reasons(raw: bytes, **changes: Any) -> list[tuple[str, str]]:
    """(code, pointer) of each problem."""
    with pytest.raises(StickRefused) as caught:
        opened(raw, **changes)
    return [(problem.code, problem.pointer) for problem in caught.value.problems]


def signed_list(key: SigningKey | None = None, typ: str = STICK_TYP, **members: Any) -> bytes:
    """A list of any content under a registered key, without lines."""
    honest: dict[str, Any] = {
        "v": 1,
        "id": "s-1",
        "kind": "mailbox",
        "source": GATEWAY,
        "recipient": AGENCY,
        "series": "office-1",
        "made_at": "2025-03-03T09:00:00.000Z",
        "count": 0,
        "items": [],
    }
    payload = {name: value for name, value in (honest | members).items() if value is not None}
    return sign(strict_json.dumps(payload), key or key_of(GATEWAY), typ).encode() + b"\n"


# --- whole ---


def test_what_was_written_is_read_with_every_byte() -> None:
    stick = a_stick()
    found = opened(write(stick, key_of(GATEWAY)))
    assert found == replace(stick, made_at=found.made_at)
    assert [item.line for item in found.items] == [a_message(1), a_message(2), a_message(3)]


def test_an_empty_mailbox_makes_a_stick_too() -> None:
    assert opened(written(items=())).items == ()


def test_the_list_says_id_digest_and_order_of_each_and_how_many() -> None:
    first = written().split(b"\n")[0]
    members = strict_json.loads(decode_segment(first.split(b".")[1]))
    assert members["count"] == 3
    assert members["items"] == [{"id": f"m-{n}", "digest": sha256(a_message(n)).hexdigest()} for n in (1, 2, 3)]


def test_receipts_name_the_stick_they_answer() -> None:
    raw = written(kind=StickKind.RECEIPTS, answers="s-0")
    assert opened(raw, kind=StickKind.RECEIPTS).answers == "s-0"


@pytest.mark.parametrize("line", [b"", b"a\nb"], ids=["empty", "two lines"])
def test_what_is_no_line_is_not_written(line: bytes) -> None:
    with pytest.raises(ValueError, match="whole lines"):
        written(items=(StickItem(id="m-1", line=line),))


def test_nobody_writes_a_stick_in_anothers_name() -> None:
    with pytest.raises(ValueError, match="signed by its source"):
        written(key=key_of(COURT))


def test_no_more_is_written_than_a_reader_takes() -> None:
    line = StickItem(id="m", line=b"x")
    with pytest.raises(ValueError, match="whole lines"):
        written(items=(line,) * (MAX_ITEMS + 1))


def test_a_full_stick_can_be_read() -> None:
    items = tuple(StickItem(id=f"{'m' * 58}-{number:05d}", line=b"%d" % number) for number in range(MAX_ITEMS))
    assert len(opened(written(items=items)).items) == MAX_ITEMS


# --- damaged, cut, changed ---


def lines(raw: bytes) -> list[bytes]:
    return raw.split(b"\n")[:-1]


def joined(parts: list[bytes]) -> bytes:
    return b"".join(part + b"\n" for part in parts)


def without(number: int) -> bytes:
    parts = lines(written())
    return joined(parts[:number] + parts[number + 1 :])


def with_line(at: int, line: bytes) -> bytes:
    parts = lines(written())
    return joined([*parts[:at], line, *parts[at:]])


def instead(at: int, line: bytes) -> bytes:
    parts = lines(written())
    return joined([*parts[:at], line, *parts[at + 1 :]])


BROKEN: dict[str, tuple[Callable[[], bytes], list[tuple[str, str]]]] = {
    "an empty file": (lambda: b"", [("stick_unreadable", "")]),
    "any other file": (lambda: b"PK\x03\x04 a workbook\n", [("stick_unreadable", "")]),
    "a mailbox without a list": (lambda: joined(lines(written())[1:]), [("stick_unreadable", "")]),
    "a list that is a message": (lambda: signed_list(typ=MESSAGE_TYP), [("stick_unreadable", "")]),
    "a byte order mark": (lambda: b"\xef\xbb\xbf" + written(), [("stick_unreadable", "")]),
    "cut within the header": (lambda: written()[:30], [("stick_cut", "")]),
    "cut within the list": (lambda: written()[:300], [("stick_cut", "")]),
    "cut after the list": (lambda: joined(lines(written())[:1]), [("stick_cut", "")]),
    "cut within a message": (lambda: written()[:-20], [("stick_cut", "")]),
    "cut before the last line's end": (lambda: written()[:-1], [("stick_cut", "")]),
    "cut between two messages": (lambda: joined(lines(written())[:3]), [("stick_cut", "")]),
    "a message altered": (lambda: instead(2, a_message(2, subject="R-2")), [("stick_altered", "m-2")]),
    "a message of one's own making": (lambda: instead(2, b"a.b.c"), [("stick_altered", "m-2")]),
    "two altered": (
        lambda: joined([*lines(written())[:2], b"x", b"y"]),
        [("stick_altered", "m-2"), ("stick_altered", "m-3")],
    ),
    "a message missing": (lambda: without(2), [("stick_incomplete", "m-2")]),
    "the first missing": (lambda: without(1), [("stick_incomplete", "m-1")]),
    "one more": (lambda: with_line(3, a_message(4)), [("stick_has_more", "line 4")]),
    "one more at the end": (lambda: with_line(4, a_message(4)), [("stick_has_more", "line 5")]),
    "one twice": (lambda: with_line(2, a_message(1)), [("stick_has_more", "line 2"), ("stick_has_more", "line 3")]),
    "a blank line at the end": (lambda: written() + b"\n", [("stick_has_more", "line 5")]),
    "two changed places": (lambda: joined([lines(written())[at] for at in (0, 2, 1, 3)]), [("stick_disordered", "")]),
    "line ends of another system": (
        lambda: written().replace(b"\n", b"\r\n"),
        [("stick_unreadable", "")],
    ),
    "line ends of another system below the list": (
        lambda: lines(written())[0] + b"\n" + joined(lines(written())[1:]).replace(b"\n", b"\r\n"),
        [("stick_altered", f"m-{number}") for number in (1, 2, 3)],
    ),
}


@pytest.mark.parametrize(("make", "expected"), BROKEN.values(), ids=BROKEN)
def test_a_broken_stick_is_refused_for_its_own_reason(
    make: Callable[[], bytes], expected: list[tuple[str, str]]
) -> None:
    assert reasons(make()) == expected


# --- forged, of another, for another ---


FORGED: dict[str, tuple[Callable[[], bytes], str]] = {
    "a key nobody registered": (lambda: written(key=STRANGER), "stick_not_trusted"),
    "another party's key": (lambda: signed_list(key=key_of(COURT)), "stick_not_trusted"),
    "a signature of another list": (
        lambda: (
            lines(written())[0].rpartition(b".")[0] + b"." + lines(written(id="s-2"))[0].rpartition(b".")[2] + b"\n"
        ),
        "stick_not_trusted",
    ),
    "for another office": (lambda: written(recipient="cn/agency/elsewhere"), "stick_for_another"),
    "a stick of replies": (lambda: written(kind=StickKind.REPLIES), "stick_of_another_kind"),
    "somebody else's stick of replies": (
        lambda: write(a_stick(kind=StickKind.REPLIES, source=AGENCY, recipient=GATEWAY), key_of(AGENCY)),
        "stick_of_another_kind",
    ),
    "receipts": (lambda: written(kind=StickKind.RECEIPTS, answers="s-0"), "stick_of_another_kind"),
    "made later than now": (lambda: written(made_at=NOW + timedelta(days=4)), "stick_from_the_future"),
    "another version": (lambda: signed_list(v=2), "stick_unreadable"),
    "a member too many": (lambda: signed_list(note="x"), "stick_unreadable"),
    "no recipient": (lambda: signed_list(recipient=None), "stick_unreadable"),
    "a count that counts something else": (lambda: signed_list(count=1), "stick_unreadable"),
    "an id twice": (
        lambda: signed_list(count=2, items=[{"id": "m-1", "digest": "ab" * 32}] * 2),
        "stick_unreadable",
    ),
    "a mailbox that answers a stick": (lambda: signed_list(answers="s-0"), "stick_unreadable"),
    "receipts that answer nothing": (lambda: signed_list(kind="receipts"), "stick_unreadable"),
}


@pytest.mark.parametrize(("make", "expected"), FORGED.values(), ids=FORGED)
def test_a_stick_that_is_not_ours_is_refused_for_its_own_reason(make: Callable[[], bytes], expected: str) -> None:
    assert reasons(make()) == [(expected, "")]


def test_a_key_that_was_revoked_signs_no_stick() -> None:
    keyring = a_keyring([registered(key_of(GATEWAY), revoked_at=NOW)])
    assert reasons(written(), keyring=keyring) == [("stick_not_trusted", "")]


def test_a_party_that_was_suspended_makes_no_stick() -> None:
    keyring = a_keyring([registered(key_of(GATEWAY))], {})
    assert reasons(written(), keyring=keyring) == [("stick_not_trusted", "")]


def test_a_clock_a_little_behind_is_forgiven() -> None:
    assert opened(written(), now=NOW - timedelta(minutes=4)).id == "s-1"


def test_an_older_one_of_a_series_is_refused_and_the_same_again_is_not() -> None:
    require_not_older(a_stick(), None)
    require_not_older(a_stick(), NOW)
    with pytest.raises(StickRefused) as caught:
        require_not_older(a_stick(), NOW + timedelta(milliseconds=1))
    assert [problem.code for problem in caught.value.problems] == ["stick_outdated"]


def test_every_reason_says_in_both_languages_what_to_do() -> None:
    said = {code for _, found in BROKEN.values() for code, _ in found} | {code for _, code in FORGED.values()}
    assert len(said) == 10
    assert sorted(said - set(load_field_codes())) == []


@settings(max_examples=300, deadline=None)
@given(at=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_no_bit_can_be_turned_without_being_noticed(at: int, bit: int) -> None:
    raw = bytearray(STORED)
    raw[at % len(raw)] ^= 1 << bit
    with pytest.raises(StickRefused):
        opened(bytes(raw))


@settings(max_examples=200, deadline=None)
@given(length=st.integers(min_value=0))
def test_no_beginning_of_a_stick_is_a_stick(length: int) -> None:
    with pytest.raises(StickRefused):
        opened(STORED[: length % len(STORED)])


STORED = written()
