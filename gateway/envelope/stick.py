"""离线介质 A stick: messages that travel by hand in one file, under one signed list of what is in it.

The first line is a compact JWS (`typ` xianjie-stick+jws) whose payload is `schemas.stick`; each further line is one
item's very bytes, in the list's order. `read` asks in this order and stops at the first no: size and form, key and
signature, shape, kind, for whom, the clock, then every line against the list. All of it holds or none of it is given
out. Each no is a `StickRefused` whose field code says why and what to do. Whether an item is a message anybody believes
is `signing.verify`'s question, and whether a newer stick was read before is the reader's, who has the memory for it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Never

from marshmallow import ValidationError

from gateway.envelope import strict_json
from gateway.envelope.compact import Parts, decode_segment, split
from gateway.envelope.keyring import Keyring, SigningKey
from gateway.envelope.signing import FUTURE_TOLERANCE, prove, sign
from gateway.errors import FieldProblem, MalformedJson, NotJose, StickRefused, TooLarge, TrustError
from schemas.fields import format_moment
from schemas.stick import MAX_ITEMS, STICK

STICK_TYP = "xianjie-stick+jws"
MAX_STICK_BYTES = 256 * 1024 * 1024
MAX_ITEMS_BYTES = 64 * 1024 * 1024
"""What a reader takes at most, and what a writer puts on one stick at most: the rest goes onto the next."""
_MAX_LIST_BYTES = 4 * 1024 * 1024
_SHOWN = 20
_BEGINNING = b"eyJ"
"""Of every compact JWS: a header is a JSON object."""


class StickKind(StrEnum):
    """What a stick carries: an office's mailbox, its replies on their way back, the receipts for these."""

    MAILBOX = "mailbox"
    REPLIES = "replies"
    RECEIPTS = "receipts"


@dataclass(frozen=True, kw_only=True, slots=True)
class StickItem:
    """One line: the id of the message it is (on a stick of receipts: that it answers), and its bytes."""

    id: str
    line: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Stick:
    """离线介质, its list proven and every line as listed. answers: the stick of replies whose receipts these are."""

    id: str
    kind: StickKind
    source: str
    recipient: str
    series: str
    made_at: datetime
    items: tuple[StickItem, ...]
    answers: str | None = None


def write(stick: Stick, key: SigningKey) -> bytes:
    """The file. ValueError for a key of another party, a line that is none, or more than a stick may hold."""
    lines = [item.line for item in stick.items]
    if key.party_id != stick.source or len(lines) > MAX_ITEMS or any(not line or b"\n" in line for line in lines):
        raise ValueError("a stick is signed by its source and holds whole lines")
    members: dict[str, Any] = {
        "v": 1,
        "id": stick.id,
        "kind": stick.kind.value,
        "source": stick.source,
        "recipient": stick.recipient,
        "series": stick.series,
        "made_at": format_moment(stick.made_at),
        "count": len(lines),
        "items": [{"id": item.id, "digest": _digest(item.line)} for item in stick.items],
    }
    if stick.answers is not None:
        members["answers"] = stick.answers
    listed = sign(strict_json.dumps(members), key, STICK_TYP).encode("ascii")
    return b"".join(line + b"\n" for line in (listed, *lines))


def read(raw: bytes, keyring: Keyring, *, kind: StickKind, recipient: str, now: datetime) -> Stick:
    """A stick that was handed over, proven to be of a registered party and for `recipient`. Raises StickRefused."""
    if len(raw) > MAX_STICK_BYTES:
        _refuse("stick_unreadable", note="too_large")
    first, end, rest = raw.partition(b"\n")
    if not end:
        _refuse("stick_cut" if first.startswith(_BEGINNING) else "stick_unreadable")
    members, source = _proven_list(first, keyring, kind, now)
    if members["source"] != source:
        _refuse("stick_not_trusted", note="source_mismatch")
    if members["kind"] != kind:
        _refuse("stick_of_another_kind", note=str(members["kind"]))
    if members["recipient"] != recipient:
        _refuse("stick_for_another")
    if members["made_at"] > now + FUTURE_TOLERANCE:
        _refuse("stick_from_the_future")
    lines = _lines(rest)
    _compare(members["items"], lines)
    items = tuple(StickItem(id=item["id"], line=line) for item, line in zip(members["items"], lines, strict=True))
    return Stick(
        id=members["id"],
        kind=StickKind(members["kind"]),
        source=source,
        recipient=recipient,
        series=members["series"],
        made_at=members["made_at"],
        items=items,
        answers=members.get("answers"),
    )


def require_not_older(stick: Stick, newest: datetime | None) -> None:
    """Raises StickRefused for a stick made before one of its series that was read already."""
    if newest is not None and stick.made_at < newest:
        _refuse("stick_outdated")


def _refuse(code: str, pointers: Sequence[str] = ("",), *, note: str = "") -> Never:
    raise StickRefused(note, problems=[FieldProblem(pointer=pointer, code=code) for pointer in pointers[:_SHOWN]])


def _proven_list(first: bytes, keyring: Keyring, kind: StickKind, now: datetime) -> tuple[dict[str, Any], str]:
    """The list's members and the party whose key signed it."""
    try:
        parts = split(first, max_bytes=_MAX_LIST_BYTES)
    except (NotJose, TooLarge, TrustError) as error:
        _refuse("stick_unreadable", note=error.note)
    try:
        key = prove(parts, keyring, typ=STICK_TYP, now=now)
    except TrustError as error:
        if error.note == "wrong_typ":
            _refuse("stick_unreadable", note=error.note)
        # whose stick it is is not believed; but who took the wrong file from the drawer is told that, and no fright
        listed = _listed(parts, default={"kind": kind})
        _refuse("stick_not_trusted" if listed["kind"] == kind else "stick_of_another_kind", note=error.note)
    found = _listed(parts, default={})
    if not found:
        _refuse("stick_unreadable", note="list")
    return found, key.party_id


def _listed(parts: Parts, *, default: dict[str, Any]) -> dict[str, Any]:
    try:
        payload = decode_segment(parts.payload_segment)
        found: dict[str, Any] = STICK.load(strict_json.loads(payload, max_bytes=_MAX_LIST_BYTES))
    except (NotJose, TooLarge, MalformedJson, ValidationError):
        return default
    return found


def _lines(rest: bytes) -> list[bytes]:
    """The lines after the list. A copy that ended early leaves a line without its end."""
    if rest and not rest.endswith(b"\n"):
        _refuse("stick_cut")
    return rest.split(b"\n")[:-1]


def _compare(listed: Sequence[dict[str, str]], lines: Sequence[bytes]) -> None:
    """Every line is the listed one: altered, missing, extra and misplaced ones are told apart."""
    expected, found = [item["digest"] for item in listed], [_digest(line) for line in lines]
    if expected == found:
        return
    if expected[: len(found)] == found:
        _refuse("stick_cut", note=f"{len(found)}/{len(expected)}")
    lacking = Counter(expected) - Counter(found)
    foreign = Counter(found) - Counter(expected)
    missing = [item["id"] for item in listed if item["digest"] in lacking]
    if missing and foreign:
        _refuse("stick_altered", missing)
    if missing:
        _refuse("stick_incomplete", missing)
    if foreign:
        _refuse("stick_has_more", [f"line {at}" for at, digest in enumerate(found, start=2) if digest in foreign])
    _refuse("stick_disordered")


def _digest(line: bytes) -> str:
    return sha256(line).hexdigest()
