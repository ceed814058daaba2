"""名录变动的存证 What the log says of the directory, so that a key that was slipped in or brought back shows.

Each change is a leaf with a digest over the particulars, which stay in the row: a party's, a key's, an office's, and
the moment a key ends or was revoked. The same digests are made again from the rows at every cut-off.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from gateway.evidence.entry import canonical, directory_entry
from gateway.store import log

PARTY_ADDED, PARTY_SUSPENDED, PARTY_RESUMED = "party_added", "party_suspended", "party_resumed"
KEY_REGISTERED, KEY_ENDED, KEY_REVOKED = "key_registered", "key_ended", "key_revoked"
OFFICE_CHANGED, OFFICE_PAUSED, OFFICE_RESUMED = "office_changed", "office_paused", "office_resumed"
AGREEMENT_LOADED = "agreement_loaded"


def put(connection: Connection, ref: str, what: str, digest: str, *, now: datetime) -> None:
    """The leaf of one change. An administrator may mend the directory while the gateway recovers: keys and parties
    that were lost do not come back from partners."""
    log.append(connection, [directory_entry(ref=ref, what=what, digest=digest, at=now)], recovering=True)


def of_party(row: Mapping[str, Any]) -> str:
    """The digest of a party's particulars."""
    return _digest([row["party_id"], row["kind"], row["name_zh"], row["region"]])


def of_key(row: Mapping[str, Any]) -> str:
    """The digest of a key's particulars; when it ends is a leaf of its own."""
    return _digest([row["kid"], row["party_id"], row["alg"], row["use"], json.loads(row["jwk"]), row["not_before"]])


def of_office(row: Mapping[str, Any]) -> str:
    """The digest of an office's particulars; whether it is paused is a leaf of its own."""
    names = ("office_id", "party_id", "agency", "region", "channel", "name_zh", "url", "batch")
    return _digest([row[name] for name in names])


def of_moment(ref: str, at: int | None) -> str:
    """The digest of when something ends (milliseconds)."""
    return _digest([ref, at])


def of_nothing(ref: str) -> str:
    """The digest of a change that has no particulars."""
    return _digest([ref])


def of_body(body: str) -> str:
    """The digest of an agreement's text."""
    return sha256(body.encode()).hexdigest()


def agreement_ref(body_digest: str) -> str:
    """An agreement's id in the log: document numbers are Chinese, ids there are not."""
    return f"agreement:{body_digest}"


def _digest(particulars: list[Any]) -> str:
    return sha256(canonical(particulars)).hexdigest()
