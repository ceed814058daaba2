"""登记密钥 Rows of registered keys as values, and which key to encrypt to for whom."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.envelope.keyring import ENCRYPTION, PublicKey, algorithm_named, newest_encryption_key
from gateway.store import tables as t
from gateway.store.clock import from_ms
from gateway.store.prepared import among, ids

_C = t.party_keys.c
_FOR_ENCRYPTION = sa.select(t.party_keys).where(among(_C.party_id), _C.use == ENCRYPTION)


def read_key(row: Mapping[str, Any]) -> PublicKey:
    """One row of `party_keys`."""
    return PublicKey(
        kid=str(row["kid"]),
        party_id=str(row["party_id"]),
        alg=algorithm_named(str(row["alg"])),
        use=str(row["use"]),
        jwk=json.loads(str(row["jwk"])),
        not_before=from_ms(row["not_before"]),
        not_after=from_ms(row["not_after"]),
        revoked_at=from_ms(row["revoked_at"]),
    )


def encryption_keys(connection: Connection, party_ids: Iterable[str], *, now: datetime) -> dict[str, PublicKey]:
    """By party the key to encrypt to at `now`; parties without one are left out."""
    of_party: dict[str, list[PublicKey]] = {}
    for row in connection.execute(_FOR_ENCRYPTION, ids(set(party_ids))).mappings():
        of_party.setdefault(row["party_id"], []).append(read_key(dict(row)))
    found = {party_id: newest_encryption_key(keys, now) for party_id, keys in of_party.items()}
    return {party_id: key for party_id, key in found.items() if key is not None}
