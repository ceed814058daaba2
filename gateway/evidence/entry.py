"""存证条目 What one leaf of the transparency log says: ids, codes, times and digests; never personal data.

The bytes hashed are canonical: JSON with sorted keys, no spaces, ASCII only; so whoever holds the message, receipt or
decision can make the same bytes again. Every kind has its own fields; a field that is not listed or a text with a
space cannot be written at all. What the ids mean is not judged here.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from gateway.envelope import strict_json
from gateway.errors import MalformedJson
from schemas.fields import format_moment

VERSION = 1


class EntryKind(StrEnum):
    """What kind of thing was logged."""

    MESSAGE = "message"
    RECEIPT = "receipt"
    DECISION = "decision"
    DIRECTORY = "directory"
    CUTOFF = "cutoff"
    RECOVERY = "recovery"


_REQUIRED = {
    EntryKind.MESSAGE: frozenset({"from", "to", "type", "digest", "at"}),
    EntryKind.RECEIPT: frozenset({"rung", "verdict", "from", "digest", "at"}),
    EntryKind.DECISION: frozenset({"what", "digest", "at"}),
    EntryKind.DIRECTORY: frozenset({"what", "digest", "at"}),
    EntryKind.CUTOFF: frozenset({"digest", "at"}),
    EntryKind.RECOVERY: frozenset({"size", "root", "at"}),
}
_OPTIONAL = {
    EntryKind.MESSAGE: frozenset({"about"}),
    EntryKind.RECOVERY: frozenset({"epoch", "origin", "digest", "witnessed_size", "witnessed_root"}),
}
_NUMBERS = frozenset({"size", "epoch", "witnessed_size"})
# visible ASCII without quote and backslash: such a text is spelled in JSON as it is
_TEXT = re.compile(r"[!#-\[\]-~]{1,200}")
# an administrator may have given an office a Chinese id
_REF = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,100}")
_HASH = re.compile(r"[0-9a-f]{64}")
_HASHES = frozenset({"digest", "root", "witnessed_root"})
_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """存证条目. `ref`: the id it is about (a receipt's: the message it answers). ValueError for anything but codes."""

    kind: EntryKind
    ref: str
    fields: Mapping[str, str | int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = self.fields.keys()
        required = _REQUIRED[self.kind]
        if not (required <= names and names - required <= _OPTIONAL.get(self.kind, frozenset())):
            raise ValueError(f"a {self.kind} entry has other fields")
        if not _REF.fullmatch(self.ref):
            raise ValueError("an entry's ref is an id")
        for name, value in self.fields.items():
            if not _fits(name, value):
                raise ValueError(f"an entry's {name} is a code, a digest or a number")

    @property
    def digest(self) -> str | None:
        """The digest it fixes, as SHA-256 in hex; none for some recoveries."""
        found = self.fields.get("digest")
        return found if isinstance(found, str) else None

    def to_bytes(self) -> bytes:
        """The canonical bytes; the leaf hash is over these."""
        name = "of" if self.kind is EntryKind.RECEIPT else "id"
        members: dict[str, str | int] = {"v": VERSION, "kind": self.kind.value, name: self.ref, **self.fields}
        if _TEXT.fullmatch(self.ref) is None:
            return canonical(members)
        # by hand, since every message pays for it: nothing that may stand here needs an escape
        spelled = (f'"{key}":"{it}"' if type(it) is str else f'"{key}":{it}' for key, it in sorted(members.items()))
        return ("{" + ",".join(spelled) + "}").encode("ascii")


def _fits(name: str, value: str | int) -> bool:
    if name in _NUMBERS:
        return type(value) is int and value >= 0
    return type(value) is str and (_HASH if name in _HASHES else _TEXT).fullmatch(value) is not None


def canonical(value: Any) -> bytes:
    """One spelling for one JSON value: sorted keys, no spaces, ASCII."""
    return _ENCODER.encode(value).encode("ascii")


def read(raw: bytes) -> Entry:
    """The entry of its canonical bytes. Raises `MalformedJson` for any other spelling and any unknown field."""
    found = strict_json.loads(raw, max_bytes=8192)
    if not isinstance(found, dict):
        raise MalformedJson("not_object")
    try:
        kind = EntryKind(found.pop("kind", None))
        ref = found.pop("of" if kind is EntryKind.RECEIPT else "id", None)
        found.pop("v", None)
        entry = Entry(kind=kind, ref=ref, fields=found)
    except (TypeError, ValueError) as error:
        raise MalformedJson("entry") from error
    if entry.to_bytes() != raw:
        raise MalformedJson("not_canonical")
    return entry


def message_entry(
    *,
    message_id: str,
    source: str,
    recipient: str,
    message_type: str,
    digest: str,
    at: datetime,
    about: str | None = None,
) -> Entry:
    """A message in either direction; digest: SHA-256 of its compact JWS (the inner one); about: its referral's id."""
    fields: dict[str, str | int] = {"from": source, "to": recipient, "type": message_type, "digest": digest}
    if about is not None:
        fields["about"] = about
    return Entry(kind=EntryKind.MESSAGE, ref=message_id, fields={**fields, "at": format_moment(at)})


def receipt_entry(*, message_id: str, rung: str, verdict: str, issuer: str, digest: str, at: datetime) -> Entry:
    """A receipt for `message_id`; digest: SHA-256 of the receipt's compact JWS."""
    fields = {"rung": rung, "verdict": verdict, "from": issuer, "digest": digest, "at": format_moment(at)}
    return Entry(kind=EntryKind.RECEIPT, ref=message_id, fields=fields)


def decision_entry(*, decision_id: str, what: str, digest: str, at: datetime) -> Entry:
    """A decision, an override, a view of personal data or an export; digest as `decision_digest` makes it."""
    fields = {"what": what, "digest": digest, "at": format_moment(at)}
    return Entry(kind=EntryKind.DECISION, ref=decision_id, fields=fields)


def directory_entry(*, ref: str, what: str, digest: str, at: datetime) -> Entry:
    """A change of the directory; ref: party, kid, office or the row of an agreement."""
    return Entry(kind=EntryKind.DIRECTORY, ref=ref, fields={"what": what, "digest": digest, "at": format_moment(at)})


def cutoff_entry(*, cutoff_id: str, digest: str, at: datetime) -> Entry:
    """A cut-off at which both sides of every pair committed."""
    return Entry(kind=EntryKind.CUTOFF, ref=cutoff_id, fields={"digest": digest, "at": format_moment(at)})


def recovery_entry(*, recovery_id: str, size: int, root: bytes, at: datetime, **more: str | int) -> Entry:
    """The begin of a new epoch; size and root: the tree it continues from; more: `epoch`, `origin`, `witnessed_…`."""
    fields: dict[str, str | int] = {"size": size, "root": root.hex(), "at": format_moment(at), **more}
    return Entry(kind=EntryKind.RECOVERY, ref=recovery_id, fields=fields)


def decision_digest(*, decision_id: str, at_ms: int, who: str, what: str, subject: str, why: str) -> str:
    """SHA-256 over the canonical JSON of one decision record, in hex; the record itself stays in the database."""
    record = {"at": at_ms, "decision_id": decision_id, "subject": subject, "what": what, "who": who, "why": why}
    return sha256(canonical(record)).hexdigest()
