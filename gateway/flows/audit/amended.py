"""更正之序 The versions of a referral follow each other: each amendment names the message before it, none is left out.

Whose rows they are and what they say is told by their messages (`audit.told`); here only their order is held against
what each names, so that nobody makes an older version the newest.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from gateway.flows.audit.trouble import Trouble, What
from gateway.store import audit_rows
from gateway.store import tables as t

_TABLE = t.referral_amendments


def amended_troubles(connection: Connection, referrals: Sequence[Mapping[str, Any]]) -> Iterator[Trouble]:
    """Of these rows of `referrals`: an amendment out of its place, and a version that is not the newest one's."""
    found = audit_rows.by(connection, _TABLE.c.referral_id, [row["referral_id"] for row in referrals])
    for row in referrals:
        referral_id, before, version = row["referral_id"], row["message_id"], 1
        for one in sorted(found.get(referral_id, ()), key=lambda one: one["version"]):
            if (one["version"], one["amends"]) != (version + 1, before):
                yield Trouble(
                    table=_TABLE.name,
                    ref=one["message_id"],
                    what=What.ALTERED,
                    referral_id=referral_id,
                    column="version",
                )
            before, version = one["message_id"], one["version"]
        if row["version"] != version:
            yield Trouble(
                table="referrals", ref=referral_id, what=What.ALTERED, referral_id=referral_id, column="version"
            )
