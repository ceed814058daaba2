"""更换比对密钥 The matching secret gets a layer more, and every key on file is brought under it.

1. the new secret is the old one and one line more, and lies beside the old file until all is done;
2. one commit: every key, and the decision with who and why; a break leaves all as it was, and the command begins again;
3. a process that still has the former secret refuses to compare (`flows.match.check`), so nothing is keyed two ways.

Lines of statements keep their keys, for their digests stand in the log: a person who asks for the rotation says so.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.errors import ConfigError
from gateway.flows.context import Context
from gateway.flows.operate import require_reason
from gateway.matching.keyed import LAYER, layers, relayered, secret_name
from gateway.store import decisions, persons, rekeying
from gateway.store import tables as t

REKEYED = "matching_rekeyed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rekeyed:
    """What was done. changed: keys; staying: lines of statements that keep theirs; decision_id: None where it had been
    done before."""

    changed: int
    staying: int
    decision_id: str | None


def rekey(
    context: Context, secret: bytes, *, who: str, why: str, now: datetime, leave_statements: bool = False
) -> Rekeyed:
    """secret: the context's own and one layer more. Raises ConfigError."""
    require_reason(who, why)
    layer = _new_layer(context.matching_secret, secret)

    def write(connection: Connection) -> Rekeyed:
        staying = rekeying.staying(connection)
        if _is_done(connection, secret):
            return Rekeyed(changed=0, staying=staying, decision_id=None)
        kept = persons.newest_secret(connection)
        if kept is not None and kept != secret_name(context.matching_secret):
            raise ConfigError("the keys on file were made with another matching secret than this file holds")
        if staying and not leave_statements:
            raise ConfigError(f"{staying} lines of statements keep their keys; say --leave-statements")
        changed = rekeying.relayer(connection, partial(relayered, layer=layer), secret_name=secret_name(secret))
        decision_id = decisions.put(connection, who=who, what=REKEYED, subject=secret_name(secret), why=why, now=now)
        return Rekeyed(changed=changed, staying=staying, decision_id=decision_id)

    return context.store.write(write)


def _new_layer(former: bytes, secret: bytes) -> bytes:
    if not secret.startswith(former + LAYER) or len(layers(secret)) != len(layers(former)) + 1:
        raise ConfigError("a rotated matching secret is the former one and one line more")
    return layers(secret)[-1]


def _is_done(connection: Connection, secret: bytes) -> bool:
    d = t.decisions.c
    statement = sa.select(d.row).where(d.what == REKEYED, d.subject == secret_name(secret)).limit(1)
    return connection.scalar(statement) is not None
