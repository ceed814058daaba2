"""密钥登记 Parties' public keys: two people register one, rotation ends the earlier ones, one person revokes at once.

1. a key officer asks with the public JWK; what is no key, private, an example or was ended before is refused here;
2. another grants or refuses (`flows.approve`);
3. who asked registers within the time: the grant is used up in the transaction that adds the key, and where a rotation
   was asked for the party's earlier keys of that use end after the overlap.

A grant is for one fingerprint: no other key can be slipped in under it. Nothing here leads to a case.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from gateway.domain.access import Account
from gateway.envelope.keyring import PublicKey
from gateway.errors import ExampleKeyRefused, IllegalMove, InputRefused
from gateway.flows import approve
from gateway.flows.context import Context
from gateway.flows.operate import require_reason
from gateway.store import approvals, decisions, directory
from gateway.store.approvals import Approval

MOST_JWK = 4096
DAYS, OVERLAP_DAYS = range(1, 3661), range(366)


class KeyState(StrEnum):
    """How a key stands; of those that count, how near their end is."""

    GOOD = "good"
    WITHIN_60 = "within_60"
    WITHIN_30 = "within_30"
    WITHIN_7 = "within_7"
    NOT_YET = "not_yet"
    EXPIRED = "expired"
    REVOKED = "revoked"


_NEAR = ((7, KeyState.WITHIN_7), (30, KeyState.WITHIN_30), (60, KeyState.WITHIN_60))
_LAPSED = {
    "key_revoked": KeyState.REVOKED,
    "key_expired": KeyState.EXPIRED,
    "key_not_yet_valid": KeyState.NOT_YET,
}
COUNT = frozenset({KeyState.GOOD, KeyState.WITHIN_60, KeyState.WITHIN_30, KeyState.WITHIN_7})
"""Those with which something may be signed, or sealed, now."""


def state_of(key: PublicKey, now: datetime) -> KeyState:
    """How the key stands."""
    lapse = key.lapse_at(now)
    if lapse is not None:
        return _LAPSED[lapse]
    ends = [one for one in (key.not_after, key.revoked_at) if one is not None]
    left = min(ends) - now if ends else None
    found = (state for days, state in _NEAR if left is not None and left <= timedelta(days=days))
    return next(found, KeyState.GOOD)


def ask(
    context: Context,
    account: Account,
    party_id: str,
    jwk: str,
    *,
    days: int | None,
    overlap_days: int | None,
    why: str,
    now: datetime,
) -> str:
    """Asks that a party's key be registered; its fingerprint. days: how long it is to be valid (None: until ended);
    overlap_days: after so many the party's earlier keys of that use end (None: they stay). Raises ConfigError,
    ExampleKeyRefused, Forbidden."""
    _require_within(days, DAYS, "days")
    _require_within(overlap_days, OVERLAP_DAYS, "overlap_days")
    key = _read(context, party_id, _members(jwk), now=now)
    fields = {"party_id": party_id, "jwk": key.jwk, "days": days, "overlap_days": overlap_days}
    approve.ask(context, account, approve.REGISTER_KEY, key.kid, why=why, now=now, fields=fields)
    return key.kid


def _members(text: str) -> Mapping[str, Any]:
    if len(text) > MOST_JWK:
        raise InputRefused("公钥过长 it is too long to be one public JWK")
    try:
        members = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputRefused("不是JSON it is no JSON") from error
    if not isinstance(members, dict):
        raise InputRefused("不是JWK公钥 it is no JWK")
    return members


def _read(
    context: Context, party_id: str, members: Mapping[str, Any], *, now: datetime, days: int | None = None
) -> PublicKey:
    """A key that may be registered now."""
    named = members.get("party", party_id)
    if named != party_id:
        raise InputRefused("属于其他主体的密钥 it is the key of another party")
    end = None if days is None else now + timedelta(days=days)
    key = PublicKey.from_jwk(members, party_id, not_before=now, not_after=end)
    if key.kid in context.installed.refused_kids:
        raise ExampleKeyRefused(ids={"kid": key.kid})
    context.directory.forget()
    known = context.snapshot(now).keyring.find(key.kid)
    if known is not None:
        lapse = known.lapse_at(now)
        raise InputRefused(
            f"密钥已登记 {key.kid} is registered already"
            if lapse is None
            else f"密钥已终止，请另行生成 {key.kid} was ended ({lapse}); make a new key"
        )
    return key


def _require_within(value: int | None, allowed: range, name: str) -> None:
    if value is not None and value not in allowed:
        raise InputRefused(f"超出范围 {name} lies between {allowed[0]} and {allowed[-1]}")


def asked(context: Context, party_id: str) -> list[Approval]:
    """What was asked for this party's keys, newest first."""
    with context.store.reading() as connection:
        found = approvals.listed(connection, [approve.REGISTER_KEY])
    return [one for one in found if one.fields.get("party_id") == party_id]


def register(context: Context, account: Account, party_id: str, kid: str, *, now: datetime) -> PublicKey:
    """Registers what this person asked for and another granted. Raises SecondPersonNeeded, ConfigError,
    ExampleKeyRefused."""

    def write(connection: Connection) -> PublicKey:
        granted = approve.use_within(connection, account, approve.REGISTER_KEY, kid, now=now)
        fields = granted.fields
        if fields["party_id"] != party_id:
            raise InputRefused("批准的是其他主体 it was granted for another party")
        key = _read(context, party_id, fields["jwk"], now=now, days=fields["days"])
        if key.kid != kid:
            raise InputRefused("批准的是另一密钥 it was granted for another key")
        directory.add_key(connection, key, now=now)
        if fields["overlap_days"] is not None:
            _end_earlier(connection, context, key, now + timedelta(days=fields["overlap_days"]), now)
        return key

    key = context.store.write(write)
    context.directory.forget()
    return key


def earlier_keys(context: Context, party_id: str, use: str, end: datetime, now: datetime) -> list[PublicKey]:
    """The party's keys of that use that would still count at `end`."""
    keyring = context.snapshot(now).keyring
    return [one for one in keyring.keys_of(party_id) if one.use == use and one.lapse_at(end) is None]


def _end_earlier(connection: Connection, context: Context, key: PublicKey, end: datetime, now: datetime) -> None:
    for one in earlier_keys(context, key.party_id, key.use, end, now):
        if one.kid != key.kid:
            directory.end_key(connection, one.kid, at=end, now=now)


def revoke(context: Context, kid: str, *, who: str, why: str, now: datetime) -> None:
    """Nothing new signed with the key is believed from now on. Raises ConfigError, IllegalMove."""
    require_reason(who, why)
    context.directory.forget()
    key = context.snapshot(now).keyring.find(kid)
    if key is not None and key.revoked_at is not None and key.revoked_at <= now:
        raise IllegalMove("it is revoked already", ids={"kid": kid})

    def write(connection: Connection) -> None:
        directory.end_key(connection, kid, at=now, now=now, revoked_because=why)
        decisions.put(connection, who=who, what="key_revoked", subject=kid, why=why, now=now)

    context.store.write(write)
    context.directory.forget()
